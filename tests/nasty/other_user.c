/* Becomes somebody else, when it may. */
#include "nasty.h"

int main(void)
{
    if (fork() == 0) {
        setsid();
        ignore_signals();
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(99);
        if (fork() == 0) setsid();
        ready();
        linger();
        _exit(0);
    }
    linger();
    return 0;
}
