/* Well behaved: runs until it is told SIGUSR1, and ends at once when it is to. For telling whether only those ended
 * that were meant. */
#include "nasty.h"

static void leave(int number)
{
    _exit(number == SIGUSR1 ? 0 : 1);
}

int main(void)
{
    (void)signal(SIGUSR1, leave);
    (void)signal(SIGTERM, leave);
    ready();
    linger();
    return 3;
}
