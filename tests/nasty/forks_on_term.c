/* Answers SIGTERM with ten more that are deaf to it. */
#include "nasty.h"

static void more(int number)
{
    static int rounds;

    (void)number;
    if (++rounds > 20) return; /* bounded */
    for (int i = 0; i < 10; i++) {
        if (fork() > 0) continue;
        setsid();
        ignore_signals();
        linger();
        _exit(0);
    }
}

int main(void)
{
    (void)signal(SIGTERM, more);
    ready();
    linger();
    return 0;
}
