/*
 * state.h - how the tasks of an execution stand, for drawings of it. Whoever draws one fills it in: this floor knows
 * definitions only.
 */
#ifndef LAYOUT_STATE_H
#define LAYOUT_STATE_H

#include "base/str.h"

/* What colour says; the symbol and the word say it too. */
enum layout_tone { TONE_IDLE, TONE_WAITING, TONE_RUNNING, TONE_GOOD, TONE_BAD, TONE_STOPPED };

struct layout_state {
    const char *word;     /* "succeeded"; NULL: nothing is known, as for a task in a block that never ran */
    struct orch_str text; /* for people, symbol first: "✔ succeeded 1.2s", "✗ 3 failed, 180 succeeded" */
    enum layout_tone tone;
};

/* "idle", "waiting", "running", "good", "bad", "stopped". */
const char *layout_tone_to_string(enum layout_tone tone);

#endif
