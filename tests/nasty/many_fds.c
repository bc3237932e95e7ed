/* Has as many descriptors as it may, hundreds of full pipes among them, and children that have them too. */
#include "nasty.h"

int main(void)
{
    static char block[65536];
    struct rlimit limit;
    int fds[2];

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max < 20000 ? limit.rlim_max : 20000;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    for (int i = 0; i < 200 && pipe2(fds, O_NONBLOCK) == 0; i++) {
        while (write(fds[1], block, sizeof(block)) > 0) {
        }
    }
    while (open("/dev/null", O_RDONLY) >= 0) {
    }
    ignore_signals();
    for (int i = 0; i < 4; i++) {
        if (fork() > 0) continue;
        setsid();
        linger();
        _exit(0);
    }
    ready();
    linger();
    return 0;
}
