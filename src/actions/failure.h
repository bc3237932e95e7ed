/*
 * failure.h - why a program did not do its work, in words. (Internal to actions.)
 */
#ifndef ACTIONS_FAILURE_H
#define ACTIONS_FAILURE_H

#include "actions/action.h"
#include "actions/runner.h"

/*
 * Fills failure, error, exit code, signal and what was used, from the end of a program.
 *
 * @param name         what was to be run, as argv[0]
 * @param working_dir  where, absolute
 */
void failure_describe(const struct runner_end *end, struct orch_str name, struct orch_str working_dir,
                      struct arena *arena, struct action_result *result);

#endif
