/* Stops itself: a SIGTERM alone would wait for ever. */
#include "nasty.h"

int main(void)
{
    ready();
    raise(SIGSTOP);
    linger();
    return 0;
}
