/*
 * help_errors.h - the parts of docs/errors.md, for `orch help E0201`. The table is made from that file when orch is built.
 */
#ifndef CLI_HELP_ERRORS_H
#define CLI_HELP_ERRORS_H

#include "base/str.h"

struct help_error {
    const char *code;  /* "E0201" */
    const char *title; /* "tasks wait for each other" */
    const char *text;  /* Markdown, several lines, ends with a line end */
};

/* By code, "E0201" or "e0201" or "201"; NULL when there is none. */
const struct help_error *help_error_find(const char *code);
/* All of them in order; code NULL ends the list. */
const struct help_error *help_errors_all(void);

#endif
