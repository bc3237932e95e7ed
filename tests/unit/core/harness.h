/*
 * harness.h - plays scripts against the state machine, and holds it to its promises after every step.
 *
 * A script is lines "input -> transitions", both as short text:
 *
 *     start -> started; open; ready a
 *     admit a -> attempt a 1
 *     done a {"n":1} -> ended a succeeded {"n":1}; ...
 *
 * Inputs: start [parameters], admit P, done P [output], fail P failure [exit code], stale P (done, with the fence
 * before), timer D (the clock goes on by D), cancel, pause, resume, approve P, reject P, signal name [data], recover,
 * retry [P]. P is a path. "-> !STATE" expects an error, "-> ..." takes whatever comes,
 * "-> ... ended a failed" whatever ends so.
 */
#ifndef TEST_CORE_HARNESS_H
#define TEST_CORE_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/internal.h"

struct harness {
    struct arena model; /* of the workflow */
    struct arena step;  /* of one step */
    const struct workflow *workflow;
    struct core *core;
    const struct orch_allocator *allocator; /* of the core */
    struct core_env env;
    struct core_transitions out; /* of the latest step */
    struct buf journal;          /* records, each preceded by its length */
    orch_time now;
    uint64_t seed;
    struct orch_error error;
    bool replay; /* fold all of the journal from scratch after every step and compare */
};

#define HARNESS_START (INT64_C(1767225600) * ORCH_SECOND) /* 2026-01-01 */

/* Fails the test when the definition cannot be read. */
void harness_init(struct harness *harness, const char *definition);
void harness_done(struct harness *harness);
/* Runs the script; fails the test with both texts where they differ. */
void harness_play(struct harness *harness, const char *script);
/* One input, with all checks. Returns what core_step returned. */
int harness_step(struct harness *harness, const struct core_input *input);
/* What the latest step gave, as text. */
void harness_format(const struct harness *harness, struct buf *out);
/* Folds the journal into a state of its own. */
struct core *harness_fold(struct harness *harness);
/* Checks what must hold in every state. */
void harness_check(const struct core *core);
void harness_input_start(struct harness *harness, struct core_input *input);
/* The path of an instance in a static buffer, for messages. */
const char *harness_path(const struct core *core, uint32_t instance);

struct harness_row {
    const char *name, *definition, *script;
};
/* Each row with a state of its own. */
void harness_run_rows(const struct harness_row *rows, size_t count);

#endif
