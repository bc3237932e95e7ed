/* One line of 100 MB, of every byte but a line end. */
#include "nasty.h"

int main(void)
{
    static unsigned char block[65536];

    for (size_t i = 0; i < sizeof(block); i++) block[i] = (unsigned char)(i * 7) == '\n' ? 0 : (unsigned char)(i * 7);
    ready();
    for (int i = 0; i < 1600; i++) {
        if (write(1, block, sizeof(block)) < 0) return 1;
    }
    linger();
    return 0;
}
