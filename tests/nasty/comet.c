/* Never the same process for long: a child in a new session, and the parent is gone. 3000 times. The first one stays,
 * deaf. */
#include "nasty.h"

int main(void)
{
    if (fork() == 0) {
        for (int i = 0; i < 3000; i++) {
            pid_t pid = fork();

            if (pid > 0) _exit(0);
            if (pid < 0) _exit(99);
            setsid();
            ignore_signals();
            if (i == 10) ready();
            (void)usleep(2000);
        }
        _exit(0);
    }
    ignore_signals();
    linger();
    return 0;
}
