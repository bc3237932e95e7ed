/* help_errors.c - finding the part of docs/errors.md about one code. */
#include "cli/help_errors.h"

#include <strings.h>

static const struct help_error errors[] = {
#include "cli/help_errors_table.h"
    {NULL, NULL, NULL},
};

const struct help_error *help_error_find(const char *code)
{
    for (const struct help_error *error = errors; error->code; error++) {
        if (strcasecmp(error->code, code) == 0) return error;
        /* The digits alone, with or without the zero in front. */
        const char *digits = error->code + 1;
        if (strcmp(digits, code) == 0 || (*digits == '0' && strcmp(digits + 1, code) == 0)) return error;
    }
    return NULL;
}

const struct help_error *help_errors_all(void)
{
    return errors;
}
