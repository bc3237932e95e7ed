/* A parent that never asks after its children: 300 zombies, and some that are nearly that. */
#include "nasty.h"

int main(void)
{
    for (int i = 0; i < 300; i++) {
        pid_t pid = fork();

        if (pid < 0) break;
        if (pid == 0) {
            if (i % 30 == 0) { /* zombies of zombies */
                if (fork() == 0) _exit(0);
                setsid();
                ignore_signals();
                linger();
            }
            _exit(0);
        }
    }
    ignore_signals();
    (void)signal(SIGCHLD, SIG_DFL);
    (void)usleep(2000);
    ready();
    linger();
    return 0;
}
