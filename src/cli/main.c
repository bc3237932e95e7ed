/* main.c - the entry of the command line. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "eval") == 0) return cli_eval(argc - 1, argv + 1);
    fprintf(stderr, "usage: orch eval EXPR [--input FILE]\n");
    return EXIT_USAGE;
}
