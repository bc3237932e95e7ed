/*
 * definition.h - a definition's file, read for a verb.
 */
#ifndef CLI_DEFINITION_H
#define CLI_DEFINITION_H

#include "cli/cli.h"

struct definition {
    const char *file; /* as given; "-" is the standard input */
    struct arena arena;
    struct orch_str text;
    struct diags diags;
    const struct workflow *workflow; /* NULL when it has errors: they are in diags */
};

/* Reads it. 0 also when it has errors; else the file's own trouble. Ended by definition_done in each case. */
int definition_read(struct definition *definition, const char *file, struct orch_error *err);
void definition_done(struct definition *definition);

/* Writes to stdout. Returns EXIT_OK, or says what is wrong and returns the exit code for it. */
int definition_print(const struct buf *out);

#endif
