/*
 * simulate_plan.h - how the tasks of a simulation go: what the user said of them, what history says, else the usual.
 */
#ifndef CLI_SIMULATE_PLAN_H
#define CLI_SIMULATE_PLAN_H

#include "cli/simulation.h"

#define SIMULATE_DURATION_USUAL ORCH_SECOND

struct simulate_plan;

struct simulate_plan *simulate_plan_new(void);
struct simulate_plan *simulate_plan_free(struct simulate_plan *plan);

/*
 * "TASK=0.3", "TASK=5s..2m", "TASK=1s", "TASK=never", "TASK=JSON". TASK is a path, with * for any text and ? for any
 * character: "regions[2]/fetch", or "regions/fetch" for all items. Of several that fit the last one counts. The text is
 * borrowed.
 */
int simulate_plan_fail(struct simulate_plan *plan, struct orch_str text, struct orch_error *err);
int simulate_plan_duration(struct simulate_plan *plan, struct orch_str text, struct orch_error *err);
int simulate_plan_output(struct simulate_plan *plan, struct orch_str text, struct orch_error *err);
/* Each of them names a task of the workflow, or something behind a sub-workflow's task. */
int simulate_plan_check(const struct simulate_plan *plan, const struct workflow *workflow, struct orch_error *err);

/*
 * Durations and outputs of the latest runs of a workflow, with those of its sub-workflows. What the user said goes
 * first.
 *
 * @param ret_runs  how many runs it was learned from; 0: there are none
 */
int simulate_plan_learn(struct simulate_plan *plan, struct store *store, struct orch_str workflow, uint32_t *ret_runs,
                        struct orch_error *err);
/* How long a task usually took when it succeeded (the median), and what it gave last; false, and nothing is set, when
 * nothing is known of it. */
bool simulate_plan_learned(const struct simulate_plan *plan, struct orch_str stripped, orch_time *ret_duration,
                           struct orch_str *ret_output);

/* simulation_options.ask; user: the plan. */
void simulate_plan_ask(void *user, const struct simulation_question *question, struct simulation_answer *ret);

/* Whether a text fits a pattern of * and ?. */
bool simulate_plan_fits(struct orch_str pattern, struct orch_str text);

#endif
