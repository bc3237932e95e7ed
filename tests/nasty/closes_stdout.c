/* Closes all it has and goes on: the end of its output is not its end. */
#include "nasty.h"

int main(void)
{
    ready();
    for (int fd = 0; fd < 64; fd++) close(fd);
    linger();
    return 0;
}
