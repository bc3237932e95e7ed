/*
 * transition.h - what is recorded: the one kind of fact a journal holds.
 *
 * A transition says what has become of one execution. It is written before anything acts on it, read back for recovery,
 * history and live events, and never changed. Numbers of types, states and fields are stored and never reused; a reader skips fields it
 * does not know and refuses types it does not know (ORCH_ERR_VERSION).
 */
#ifndef CORE_TRANSITION_H
#define CORE_TRANSITION_H

#include "base/value.h"
#include "lang/model.h"

#define CORE_NONE UINT32_MAX

/* States of a task. Terminal from SUCCEEDED on, but for COMPENSATING. The moves that are allowed: core/states.c. */
#define TASK_STATE_LIST(X)                                                                    \
    X(PENDING,      0, "pending")      /* dependencies not met yet */                          \
    X(READY,        1, "ready")        /* may start; waits for admission */                    \
    X(WAITING,      2, "waiting")      /* for a timer, an event, an approval, a retry's delay, or a person (held) */ \
    X(RUNNING,      3, "running")      /* an attempt, or the block inside, is under way */     \
    X(SUCCEEDED,    4, "succeeded")                                                           \
    X(FAILED,       5, "failed")                                                              \
    X(SKIPPED,      6, "skipped")      /* `when` was false, or its join rule cannot be met */  \
    X(CANCELLED,    7, "cancelled")                                                           \
    X(TIMED_OUT,    8, "timed_out")                                                           \
    X(COMPENSATING, 9, "compensating") /* had succeeded, is being undone */                    \
    X(COMPENSATED, 10, "compensated")
enum task_state {
#define TASK_STATE_ENUM(name, number, text) TASK_##name = (number),
    TASK_STATE_LIST(TASK_STATE_ENUM)
#undef TASK_STATE_ENUM
};
#define TASK_STATE_COUNT 11

#define EXECUTION_STATE_LIST(X)                                                               \
    X(PENDING,      0, "pending")                                                             \
    X(RUNNING,      1, "running")                                                             \
    X(PAUSED,       2, "paused")       /* what runs goes on, nothing new starts */             \
    X(COMPENSATING, 3, "compensating")                                                        \
    X(SUCCEEDED,    4, "succeeded")                                                           \
    X(FAILED,       5, "failed")                                                              \
    X(CANCELLED,    6, "cancelled")                                                           \
    X(TIMED_OUT,    7, "timed_out")                                                           \
    X(COMPENSATED,  8, "compensated")  /* failed or timed out, and everything with a compensation was undone */
enum execution_state {
#define EXECUTION_STATE_ENUM(name, number, text) EXECUTION_##name = (number),
    EXECUTION_STATE_LIST(EXECUTION_STATE_ENUM)
#undef EXECUTION_STATE_ENUM
};
#define EXECUTION_STATE_COUNT 9

const char *task_state_to_string(enum task_state state);
const char *execution_state_to_string(enum execution_state state);
bool task_state_from_string(struct orch_str text, enum task_state *ret);
bool execution_state_from_string(struct orch_str text, enum execution_state *ret);
static inline bool task_state_is_terminal(uint8_t state) { return state >= TASK_SUCCEEDED && state != TASK_COMPENSATING; }
static inline bool execution_state_is_terminal(uint8_t state) { return state >= EXECUTION_SUCCEEDED; }

/* What a waiting task waits for, and why a task was skipped. */
#define REASON_LIST(X)                                                                        \
    X(NONE,       0, "")                                                                      \
    X(TIMER,      1, "timer")                                                                 \
    X(EVENT,      2, "event")                                                                 \
    X(APPROVAL,   3, "approval")                                                              \
    X(BACKOFF,    4, "retry")                                                                 \
    X(HELD,       5, "held")        /* interrupted, on_interrupt: hold; a retry or cancel by a person decides */ \
    X(DELAY,      6, "delay")       /* a repeat's, between iterations */                       \
    X(WHEN,       7, "when")        /* skipped: its condition was false, or all it could follow was skipped so */ \
    X(DEPENDENCY, 8, "dependency")  /* skipped: not started because something before it failed */ \
    X(STOPPED,    9, "stopped")     /* not started because the execution or group was stopping */
enum reason {
#define REASON_ENUM(name, number, text) REASON_##name = (number),
    REASON_LIST(REASON_ENUM)
#undef REASON_ENUM
};
const char *reason_to_string(enum reason reason);

/*
 * The types. "instance" is a task in a frame, "frame" a block that is being run; both are numbered in the order of their making.
 */
#define TRANSITION_LIST(X)                                                                                         \
    X(EXECUTION_STARTED,   1,  "execution.started")   /* name: the workflow's; data: {parameters, env, labels, subworkflows}; by; fence: the first fence */ \
    X(FRAME_OPENED,        2,  "frame.opened")        /* frame, instance: owner or CORE_NONE; role; index: item or iteration; its instances follow in number */ \
    X(TASK_READY,          3,  "task.ready")          /* instance */                                              \
    X(TASK_WAITING,        4,  "task.waiting")        /* instance, reason, due (NEVER when a timer does not end it), name: event */ \
    X(ATTEMPT_STARTED,     5,  "task.attempt.started") /* instance, attempt, fence: recorded before anything is spawned or sent */ \
    X(ATTEMPT_FAILED,      6,  "task.attempt.failed") /* instance, attempt, failure, error, exit_code, signal, cpu_us, memory_peak; the task goes on: a retry, a handler or its end follows */ \
    X(ATTEMPT_STOPPING,    7,  "task.attempt.stopping") /* instance, attempt, failure: why (timeout, cancelled): the provider is told to stop it */ \
    X(TASK_STARTED,        8,  "task.started")        /* instance of a group, loop or repeat: its block begins; data: a loop's items when count > 0; count */ \
    X(TASK_ENDED,          9,  "task.ended")          /* instance, state, reason, failure, error, output, attempt, exit_code, signal, cpu_us, memory_peak */ \
    X(FRAME_ENDED,         10, "frame.ended")         /* frame, state (SUCCEEDED, FAILED, CANCELLED, TIMED_OUT), failure, error, output */ \
    X(EXECUTION_PAUSED,    11, "execution.paused")    /* by */                                                     \
    X(EXECUTION_RESUMED,   12, "execution.resumed")   /* by */                                                     \
    X(EXECUTION_STOPPING,  13, "execution.stopping")  /* state it will end in, failure, error, by: nothing new starts in the body */ \
    X(COMPENSATION_STARTED, 14, "execution.compensating") /* count: how many tasks */                              \
    X(TASK_COMPENSATING,   15, "task.compensating")   /* instance */                                              \
    X(EXECUTION_ENDED,     16, "execution.ended")     /* state, failure, error, output */                          \
    X(APPROVAL_GIVEN,      17, "task.approval")       /* instance, state: SUCCEEDED or FAILED, by, data: comment */ \
    X(SIGNAL_RECEIVED,     18, "signal.received")     /* name, data, by; kept for tasks that come to wait for it later */ \
    X(EXECUTION_RETRIED,   19, "execution.retried")   /* generation in index, by: runs again; TASK_RESET of each task that does follow */ \
    X(TASK_RESET,          20, "task.reset")          /* instance: as if it had not run; its earlier results stay in the journal; state RUNNING: taken up; count: items of a loop to take up, as its max_parallel lets them */
enum transition_type {
#define TRANSITION_ENUM(name, number, text) TRANSITION_##name = (number),
    TRANSITION_LIST(TRANSITION_ENUM)
#undef TRANSITION_ENUM
};
const char *transition_type_to_string(enum transition_type type);

/* One transition. Fields that its type does not use are zero (instance and frame: CORE_NONE). Texts are borrowed. */
struct core_transition {
    uint8_t type;           /* enum transition_type */
    uint8_t state;          /* enum task_state or execution_state */
    uint8_t reason;         /* enum reason */
    uint8_t failure;        /* enum failure */
    uint8_t role;           /* enum block_role */
    uint32_t instance;
    uint32_t frame;
    uint32_t index;
    uint32_t attempt;       /* 1 is the first of this generation */
    uint32_t count;
    uint64_t fence;
    orch_time at;           /* when it was decided */
    orch_time due;
    int32_t exit_code;
    int32_t signal;
    uint64_t cpu_us;        /* user and system time of the attempt's processes */
    uint64_t memory_peak;   /* bytes */
    struct orch_str error;  /* message for people */
    struct orch_str output; /* JSON text; empty when there is none or when it is in a blob */
    uint64_t blob;          /* number of the blob that holds a large output or data, 0 when it stands here */
    uint64_t blob_size;     /* bytes */
    struct orch_str name;
    struct orch_str data;   /* JSON text */
    struct orch_str by;     /* who asked */
};

/* A growing list of transitions in an arena. */
struct core_transitions {
    struct core_transition *items;
    uint32_t count;
    uint32_t capacity;
};
/* A zeroed one (instance and frame CORE_NONE) at the end; NULL when memory is short. */
struct core_transition *transitions_add(struct core_transitions *list, struct arena *arena, enum transition_type type, orch_time at);

/*
 * Binary form: type, a variable-length field mask, the fields in order. A record of several transitions is one byte that names the form, their
 * concatenation, each preceded by its length, and a 32-bit checksum of all that (CRC-32C), so damage is noticed. Fields a reader does not know
 * stand behind those it does, and the length tells where they end. Failure shows in out->failed. The same transitions give the same bytes.
 */
void transitions_encode(const struct core_transition *items, uint32_t count, struct buf *out);
/* Adds to the list, or on failure nothing. Texts are borrowed from `record`. Returns 0; ORCH_ERR_CORRUPT; ORCH_ERR_VERSION; ORCH_ERR_NO_MEMORY. */
int transitions_decode(struct orch_str record, struct arena *arena, struct core_transitions *ret, struct orch_error *err);
/* One transition as a JSON object: type, t, and the fields it uses, times as RFC 3339. `seq` 0 is left out. Instances are written as numbers; callers add paths. */
void transition_format_json(const struct core_transition *transition, uint64_t seq, struct buf *out);
/* The same without the braces, for callers that add members. Fields that are 0 are left out, but for role and index of frame.opened. */
void transition_format_json_members(const struct core_transition *transition, uint64_t seq, struct buf *out);

#endif
