/* Takes the orphans below it to itself, so that they never come to the spawner while it lives. */
#include "nasty.h"

int main(void)
{
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    ignore_signals();
    for (int i = 0; i < 3; i++) {
        if (fork() > 0) continue;
        setsid();
        if (fork() > 0) _exit(0);
        setsid();
        if (i == 2) ready();
        linger();
        _exit(0);
    }
    linger();
    return 0;
}
