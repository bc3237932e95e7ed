/*
 * scenario.h - one seed: definitions, faults and people drawn from it, run in the simulated world under the watch.
 */
#ifndef TEST_SIM_SCENARIO_H
#define TEST_SIM_SCENARIO_H

#include "base/str.h"
#include "sim/sim.h"

/* What may happen. Each is drawn on its own, so that leaving one out changes as little as may be of the rest. */
#define SIM_FAULT_LIST(X)                                                     \
    X(CRASH_AT_APPEND, "crash while an append is under way")                  \
    X(CRASH_AT_COMMIT, "crash when an append is durable and nobody was told") \
    X(CRASH_AT_START, "crash when a program has just been started")           \
    X(CRASH_AT_END, "crash when a program has just ended")                    \
    X(CRASH_AT_NEWS, "crash in the middle of acting on what is durable")      \
    X(CRASH_AT_ANY_TIME, "crash at some moment")                              \
    X(CRASH_IN_RECOVERY, "crash while taking up what was interrupted")        \
    X(DISK_FULL, "no space left")                                             \
    X(DISK_FAILS, "a sync fails")                                             \
    X(DISK_SLOW, "a slow sync")                                               \
    X(ATTEMPT_FAILS, "an attempt fails")                                      \
    X(ATTEMPT_FAILS_FOR_GOOD, "an attempt fails for good")                    \
    X(ATTEMPT_HANGS, "an attempt hangs")                                      \
    X(ATTEMPT_SLOW, "an attempt is slow")                                     \
    X(ATTEMPT_REFUSED, "a program cannot be started")                         \
    X(ATTEMPT_IGNORES_STOP, "a program ignores SIGTERM")                      \
    X(LARGE_OUTPUT, "a large output")                                         \
    X(LATE_REPORT, "an answer that is late or said twice")                    \
    X(CLOCK_JUMP, "the wall clock jumps")                                     \
    X(CANCEL, "somebody cancels")                                             \
    X(PAUSE, "somebody pauses")                                               \
    X(RESUME, "somebody resumes")                                             \
    X(APPROVE, "somebody approves")                                           \
    X(REJECT, "somebody rejects")                                             \
    X(SIGNAL, "an event comes")                                               \
    X(RETRY, "somebody runs it again")                                        \
    X(RETRY_FROM, "somebody runs it again from a task on")                    \
    X(HASTEN, "somebody is impatient")                                        \
    X(NEW_RUN, "another run begins")                                          \
    X(NEW_VERSION, "a run of a new version begins")
enum sim_fault {
#define SIM_FAULT_ENUM(name, text) FAULT_##name,
    SIM_FAULT_LIST(SIM_FAULT_ENUM)
#undef SIM_FAULT_ENUM
        FAULT_COUNT
};

struct happened {
    enum sim_fault fault;
    uint32_t ordinal; /* of the times this was asked */
    orch_time at;
};

struct scenario_options {
    uint64_t seed;
    bool trace;                     /* what happens, on stdout */
    const struct happened *allowed; /* with `is_limited`: only these strike */
    uint32_t allowed_count;
    bool is_limited;
    const char *definitions[3]; /* instead of drawn ones; NULL: drawn. First, its new version, the sub-workflow */
};

struct scenario_result {
    char failure[600]; /* empty: all was well */
    struct happened *happened;
    uint32_t happened_count;
    char *definitions[3]; /* those used */
    uint64_t digest;
    uint64_t transitions;
    uint64_t lives, runs, steps;
    orch_time time; /* simulated */
};

void scenario_run(const struct scenario_options *options, struct scenario_result *ret);
void scenario_result_done(struct scenario_result *result);
const char *sim_fault_text(enum sim_fault fault);
const char *sim_fault_name(enum sim_fault fault);

#endif
