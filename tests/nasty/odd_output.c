/* Says that its output is in what is no file: a pipe with a name that never says anything. Given one, it is one that
 * somebody else holds open. */
#include "nasty.h"

int main(int argc, char **argv)
{
    const char *output = getenv("ORCH_OUTPUT");

    ready();
    if (!output) return 0;
    if (argc > 1)
        (void)!symlink(argv[1], output);
    else
        (void)mkfifo(output, 0600);
    return 0;
}
