/*
 * version.c - orch version
 */
#include "cli/cli.h"

int cli_version(int argc, char **argv)
{
    bool json = false;
    const struct cli_option options[] = {{"json", 0, OPTION_FLAG, &json, NULL, "as JSON", NULL}, {0}};
    const struct cli_usage usage = {.verb = "version",
                                    .arguments = "",
                                    .summary = "Prints the version",
                                    .examples = "  orch version\n  orch version --json",
                                    .options = options};
    int positionals;
    int r = cli_parse(&usage, argc, argv, &positionals);
    if (r >= 0) return r;
    if (json) printf("{\"v\":1,\"version\":\"%s\"}\n", orch_version());
    else printf("orch %s\n", orch_version());
    return EXIT_OK;
}
