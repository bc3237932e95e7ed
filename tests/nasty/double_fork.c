/* A daemon by the book: fork, setsid, fork, and the one in between is gone. */
#include "nasty.h"

int main(void)
{
    pid_t between = fork();

    if (between == 0) {
        setsid();
        if (fork() > 0) _exit(0);
        ignore_signals();
        ready();
        linger();
        _exit(0);
    }
    (void)waitpid(between, NULL, 0);
    linger();
    return 0;
}
