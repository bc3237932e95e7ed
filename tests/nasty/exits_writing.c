/* Exits while a grandchild still writes, for a short while. */
#include "nasty.h"

int main(void)
{
    ready();
    if (fork() == 0) {
        if (fork() > 0) _exit(0);
        for (int i = 0; i < 5; i++) {
            (void)usleep(5000);
            if (write(1, "more\n", 5) != 5) _exit(1);
        }
        _exit(0);
    }
    return 0;
}
