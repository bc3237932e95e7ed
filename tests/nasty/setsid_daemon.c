/* Has a child in a session of its own that ignores signals. */
#include "nasty.h"

int main(void)
{
    if (fork() == 0) {
        setsid();
        ignore_signals();
        ready();
    }
    linger();
    return 0;
}
