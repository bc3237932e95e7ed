/* Everybody is traced by somebody of its own, and stopped by that: a child by its parent, the first process by its
 * other child. Where tracing is forbidden they only stop. */
#include "nasty.h"

int main(void)
{
    pid_t first = getpid(), child = fork();

    if (child == 0) {
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void)raise(SIGSTOP);
        linger();
        _exit(0);
    }
    (void)waitpid(child, NULL, WUNTRACED); /* and never lets it go on */
    if (fork() == 0) {
        setsid();
        ignore_signals();
        if (ptrace(PTRACE_SEIZE, first, NULL, NULL) == 0) (void)ptrace(PTRACE_INTERRUPT, first, NULL, NULL);
        (void)usleep(2000);
        ready();
        linger();
        _exit(0);
    }
    linger();
    return 0;
}
