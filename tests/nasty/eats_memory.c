/* Takes 256 MB, page by page, and holds them. */
#include "nasty.h"

int main(void)
{
    ignore_signals();
    ready();
    for (int i = 0; i < 32; i++) {
        char *room = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (room == MAP_FAILED) break;
        memset(room, i + 1, 8 << 20);
    }
    linger();
    return 0;
}
