/*
 * environment.h - the environment of a task's process: little of the orchestrator's, what is declared, and what says
 * who it is. (Internal to actions.) Pure but for environment_base_new.
 */
#ifndef ACTIONS_ENVIRONMENT_H
#define ACTIONS_ENVIRONMENT_H

#include "actions/action.h"

/* One variable of a program's environment is at most 128 KiB with its name (MAX_ARG_STRLEN of Linux). */
#define ENVIRONMENT_VARIABLE_MAX (128u * 1024 - 1)
#define ENVIRONMENT_INPUT_MAX    (32u * 1024)  /* one ORCH_OUTPUT_<TASK> */
#define ENVIRONMENT_INPUTS_MAX   (256u * 1024) /* all of them; what is larger is in $ORCH_INPUTS only */

/* "NAME=value" of the orchestrator's own environment that every program gets: PATH HOME USER LOGNAME SHELL LANG
 * LANGUAGE LC_* TZ TMPDIR TERM. */
struct environment_base {
    struct orch_str *list;
    uint32_t count;
    struct arena arena;
};
int environment_base_init(struct environment_base *base, char *const *environ_list, struct orch_error *err);
void environment_base_done(struct environment_base *base);

struct environment_dirs {
    struct orch_str scratch, output, inputs; /* ORCH_SCRATCH, ORCH_OUTPUT (a file), ORCH_INPUTS; empty: left out */
};

/*
 * Builds it. A declared variable replaces one of the base; ORCH_ names are ours and refused.
 *
 * @return 0; ORCH_ERR_INVALID (a name that cannot be one, a NUL), ORCH_ERR_LIMIT (a value that no process can be
 * given), ORCH_ERR_NO_MEMORY
 */
int environment_build(const struct environment_base *base, const struct action_attempt *attempt,
                      const struct environment_dirs *dirs, const struct orch_str **ret, uint32_t *ret_count,
                      struct orch_error *err);

/* "page-count" -> "PAGE_COUNT": upper case, anything but letters and digits becomes '_'. */
struct orch_str environment_name(const char *prefix, struct orch_str name, struct arena *arena);

#endif
