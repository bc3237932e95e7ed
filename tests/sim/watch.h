/*
 * watch.h - what must hold whatever happens: folds everything that becomes durable on its own, keeps a ledger of what
 * programs did, and compares.
 *
 * It knows the engine by its journal, its programs and its answers only. The names of the invariants are those of
 * docs/reliability.md.
 */
#ifndef TEST_SIM_WATCH_H
#define TEST_SIM_WATCH_H

#include "sim/sim.h"

struct watch;

struct watch *watch_new(uint32_t jobs, orch_time grace_us);
struct watch *watch_free(struct watch *watch);
/* The world it looks at, and the clock of its engine. */
void watch_set_sim(struct watch *watch, struct sim *sim);

/* As the hooks of sim.h. */
void watch_durable(struct watch *watch, const struct store_entry *entries, uint32_t count);
void watch_began(struct watch *watch, const struct action_attempt *attempt);
void watch_ended(struct watch *watch, const struct action_attempt *attempt, bool by_crash);

/* Somebody was told that a command is accepted. */
enum watch_command { WATCH_START, WATCH_CANCEL, WATCH_PAUSE, WATCH_RESUME, WATCH_APPROVE, WATCH_SIGNAL, WATCH_RETRY };
/* @param sequence  of the execution's latest transition when it was accepted */
void watch_answered(struct watch *watch, int64_t number, enum watch_command command, uint64_t sequence);

/* The loaded executions agree with what is durable, as far as that goes. */
void watch_compare(struct watch *watch, struct engine *engine);
/* Faults are over and everything should be at its end. */
void watch_end(struct watch *watch, struct engine *engine);

/* NULL, or the first thing that was wrong, in words. */
const char *watch_failure(const struct watch *watch);
/* Says so from outside. */
void watch_fail(struct watch *watch, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Of all that became durable. */
uint64_t watch_digest(const struct watch *watch);
uint64_t watch_transitions(const struct watch *watch);
/* The same without events that only came in. */
uint64_t watch_progress(const struct watch *watch);
/* The state folded from what is durable; NULL when there is none. */
const struct core *watch_core(const struct watch *watch, int64_t number);

#endif
