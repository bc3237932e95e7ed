/* Takes off every mark there is: environment, name, session, parent, and the limit by which it would be known. */
#include "nasty.h"

int main(int argc, char **argv)
{
    if (argc < 2) {
        char again[] = "again", *const arguments[] = {argv[0], again, NULL}, *const nothing[] = {NULL};

        execve("/proc/self/exe", arguments, nothing);
        return 99;
    }
    (void)setrlimit(RLIMIT_RTTIME, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
    daemonise();
    (void)setrlimit(RLIMIT_RTTIME, &(struct rlimit){1000000000, RLIM_INFINITY});
    (void)prctl(PR_SET_NAME, "innocent");
    ready();
    for (int fd = 0; fd < 64; fd++) close(fd);
    linger();
    return 0;
}
