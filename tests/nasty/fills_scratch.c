/* Leaves a directory that is hard to remove: hundreds of levels, some without any rights, and many files. */
#include "nasty.h"

int main(void)
{
    const char *scratch = getenv("ORCH_SCRATCH");

    if (scratch && chdir(scratch) == 0) {
        for (int i = 0; i < 100; i++) {
            char name[32];
            int fd;

            (void)snprintf(name, sizeof(name), "file-%d", i);
            fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0);
            if (fd >= 0) close(fd);
        }
        for (int i = 0; i < 300; i++) {
            if (mkdir("d", 0700) != 0 || chdir("d") != 0) break;
            if (i % 100 == 99) (void)chmod("..", 0);
        }
    }
    ready();
    ignore_signals();
    linger();
    return 0;
}
