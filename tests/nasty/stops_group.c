/* Its whole process group is stopped, and stopped again by one outside of it whenever it goes on. */
#include "nasty.h"

int main(void)
{
    pid_t group = getpgrp();

    for (int i = 0; i < 5; i++) {
        if (fork() > 0) continue;
        linger();
        _exit(0);
    }
    if (fork() == 0) {
        setsid();
        ignore_signals();
        ready();
        for (int i = 0; i < 60000 && kill(-group, SIGSTOP) == 0; i++) (void)usleep(2000);
        linger();
        _exit(0);
    }
    linger();
    return 0;
}
