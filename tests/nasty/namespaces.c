/* Number 1 of a world of its own, when it may have one: signals from within cannot hurt it. */
#include "nasty.h"

int main(void)
{
    if (fork() == 0) {
        setsid();
        if (unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) (void)unshare(CLONE_NEWPID);
        if (fork() == 0) {
            ignore_signals();
            setsid();
            if (fork() == 0) setsid();
            ready();
            linger();
            _exit(0);
        }
        _exit(0);
    }
    linger();
    return 0;
}
