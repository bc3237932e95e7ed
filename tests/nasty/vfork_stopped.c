/* Cannot be reached by a signal that it could act on: it waits, uninterruptible, for a vforked child that has stopped
 * itself. */
#include "nasty.h"

int main(void)
{
    if (fork() == 0) {
        setsid();
        ignore_signals();
        if (vfork() == 0) {
            ready();
            (void)kill(getpid(), SIGSTOP);
            (void)sleep(120);
            _exit(0);
        }
        linger();
        _exit(0);
    }
    linger();
    return 0;
}
