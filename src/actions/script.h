/*
 * script.h - what is run for a script action. (Internal to actions.)
 */
#ifndef ACTIONS_SCRIPT_H
#define ACTIONS_SCRIPT_H

#include "actions/scratch.h"

/*
 * config: file | text, interpreter ("python3 -u" or a list), args (a list or one). Inline text is written into the
 * slot. Everything made is in the arena. Returns 0; ORCH_ERR_INVALID, _NOT_FOUND, _DENIED with a hint; ORCH_ERR_IO,
 * _NO_MEMORY.
 */
int script_prepare(struct value config, struct orch_str base_dir, const struct scratch_slot *slot, struct arena *arena,
                   const struct orch_str **ret_argv, uint32_t *ret_count, struct orch_error *err);

/* An absolute path of a name relative to base_dir, which is relative to where we are; an empty name gives base_dir
 * itself. */
int path_join(struct orch_str base_dir, struct orch_str name, struct arena *arena, struct orch_str *ret,
              struct orch_error *err);

/* Strings of a list, or one string as a list of one; absent (NULL): none. Other scalars become their JSON.
 * ORCH_ERR_INVALID for anything else. */
int script_strings(const struct value *value, const char *what, struct arena *arena, const struct orch_str **ret,
                   uint32_t *ret_count, struct orch_error *err);

#endif
