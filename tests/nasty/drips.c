/* Writes a byte now and then, never a line, to what may be closed already. */
#include "nasty.h"

int main(void)
{
    ignore_signals(); /* SIGPIPE among them */
    ready();
    close(1);
    for (int i = 0; i < 24000; i++) {
        (void)!write(2, "x", 1);
        (void)usleep(5000);
    }
    return 0;
}
