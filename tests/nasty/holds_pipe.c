/* Exits well, but a daemon of it keeps the pipe of its output open and ignores signals. */
#include "nasty.h"

int main(void)
{
    ready();
    if (fork() == 0) {
        setsid();
        ignore_signals();
        linger();
    }
    return 0;
}
