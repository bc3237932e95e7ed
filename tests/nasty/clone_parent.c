/* Children that are no children: one that is its parent's instead of its own, one whose end tells nobody. */
#include "nasty.h"

int main(void)
{
    if (syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL) == 0) {
        setsid();
        ignore_signals();
        if (syscall(SYS_clone, 0, NULL, NULL, NULL, NULL) == 0) { /* no SIGCHLD */
            setsid();
            if (syscall(SYS_clone, CLONE_PARENT, NULL, NULL, NULL, NULL) == 0) {
                setsid();
                ready();
            }
        }
        linger();
        _exit(0);
    }
    linger();
    return 0;
}
