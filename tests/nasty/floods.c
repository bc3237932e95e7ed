/* Writes as fast as it is read, to both streams, with and without line ends. */
#include "nasty.h"

int main(void)
{
    static char block[65536];

    memset(block, 'f', sizeof(block));
    for (size_t i = 0; i < 32768; i += 50) block[i] = '\n';
    ready();
    for (;;) {
        if (write(1, block, sizeof(block)) < 0 || write(2, block, sizeof(block)) < 0) return 1;
    }
}
