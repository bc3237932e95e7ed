/*
 * command.h - what is really run for a line of shell text. Pure. (Internal to actions.)
 */
#ifndef ACTIONS_COMMAND_H
#define ACTIONS_COMMAND_H

#include "base/arena.h"

#define COMMAND_SHELL "/bin/sh"

struct command {
    const struct orch_str *argv;
    uint32_t argv_count;
    bool is_shell; /* argv is /bin/sh -c text */
};

/*
 * Text without any shell syntax, whose first word is no builtin of a shell, is run directly, as make does: the same
 * program with the same arguments, one exec less. Everything else goes to /bin/sh. Returns 0, ORCH_ERR_INVALID for text
 * that is empty or holds a NUL, or ORCH_ERR_NO_MEMORY.
 */
int command_parse(struct orch_str text, struct arena *arena, struct command *ret, struct orch_error *err);

#endif
