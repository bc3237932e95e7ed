/*
 * names.h - inside of the check of names: what names.c and names_check.c share.
 */
#ifndef LANG_NAMES_H
#define LANG_NAMES_H

#include "lang/reach.h"
#include "lang/scope.h"

struct names {
    const struct workflow *workflow;
    struct arena *scratch;
    struct diags *diags;
    const struct site *site; /* the one that is looked at */
    struct map parameters;   /* name -> index */
    bool *parameters_used;
    bool *secrets_used; /* of the workflow's */
    struct reach reach;
    size_t suggestion_work;
    uint64_t unchecked; /* questions that the budget of `reach` left open */
};

/* names.c: all names in one expression, and what it gives. Returns 0 (also with diags) or ORCH_ERR_NO_MEMORY. */
int names_look_at(struct names *names, const struct site *site);

/*
 * names_flow.c: tasks that never run, because their condition is constantly false or their join rule cannot be met, and
 * join rules that no graph meets. Returns 0 (also with diags) or ORCH_ERR_NO_MEMORY.
 */
int names_check_flow(struct reading *reading);

#endif
