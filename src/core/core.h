/*
 * core.h - the state machine of one execution: decide what follows, fold what was decided. Pure.
 *
 * No clock, file, thread or chance: the time comes with each input, chance from the seed given at the start, memory from the allocator.
 * The same inputs give the same transitions, byte for byte.
 *
 *     input -> core_step -> transitions -> (record) -> act
 *
 * core_step decides and folds: it alone runs both. Recovery runs core_evolve over what was recorded and decides nothing.
 * The state may therefore be ahead of the disk; nobody may act on or tell of a transition before it is durable.
 *
 * Instances and frames. A frame is one run of a block; an instance is one task in one frame. Both are numbered in the order of their
 * making, and never move: instance = frame's first + the task's index in its block. Frame 0 is the workflow's body.
 */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include "core/transition.h"

struct core; /* one execution's state */

struct core_frame {
    const struct block *block;
    uint32_t owner;        /* instance whose body or handler this is; CORE_NONE for the workflow's own */
    uint32_t parent;       /* frame the owner is in; CORE_NONE */
    uint32_t first;        /* its first instance */
    uint32_t index;        /* item (0 is the first) or iteration (1 is the first) */
    uint32_t open;         /* instances not terminal yet */
    uint32_t failed;       /* instances that count as failures */
    uint8_t role;          /* enum block_role */
    uint8_t state;         /* RUNNING, or how it ended, as a task_state */
    bool stopping;         /* fail_fast, timeout or cancel: nothing new starts in it */
    bool undo;             /* undoes something, or is inside of what does: nothing in it is undone itself */
    bool dropped;          /* of a run that was reset: counts no more */
    bool queued;           /* on the agenda */
    uint32_t next_of;      /* the owner's next frame; CORE_NONE */
    uint32_t next;         /* the next one on the agenda; CORE_NONE */
};

struct core_inner; /* what only tasks with blocks have: core/internal.h */

/* A task in a frame. `detail` is there once anything happened to it beyond waiting its turn. */
struct core_detail {
    orch_time ready_at;    /* 0: not yet */
    orch_time started_at;  /* first attempt of this generation, or the block's begin; 0: not yet */
    orch_time attempt_at;  /* the latest attempt's start */
    orch_time ended_at;
    orch_time due;         /* waiting: when it goes on by itself; running: when the attempt or block times out; ORCH_TIME_NEVER */
    uint64_t fence;        /* of the latest attempt */
    uint32_t interrupts;   /* attempts lost to a crash: they are no retries, and have a cap of their own */
    int32_t exit_code;
    int32_t signal;
    uint64_t cpu_us, memory_peak;
    struct orch_str output; /* JSON text, empty: none, or in a blob */
    uint64_t blob, blob_size;
    struct orch_str error;
    uint32_t frame_first, frame_last; /* frames opened for it, chained by core_frame_next_of; CORE_NONE */
    uint32_t item_count;   /* a loop's */
    struct orch_str items; /* a loop's items as JSON text */
    struct orch_str event; /* the name of the awaited event */
    uint32_t timer;        /* place in the heap of timers, 1 is the first; 0: none is set */
    struct core_inner *inner; /* NULL: no frame was opened for it */
};

struct core_instance {
    const struct task *task;
    struct core_detail *detail; /* NULL: nothing yet */
    uint32_t frame;
    uint32_t unmet;        /* dependencies not terminal yet */
    uint32_t succeeded;    /* dependencies that ended well enough */
    uint32_t missed;       /* dependencies that failed, or were skipped because of a failure */
    uint16_t attempt;      /* attempts started in this generation */
    uint8_t state;         /* enum task_state */
    uint8_t reason;        /* enum reason */
    uint8_t failure;       /* enum failure */
    bool stopping;         /* its attempt was told to stop; of a block: nothing new starts in it */
    uint8_t list;          /* which of the state's lists it is on; on at most one at a time */
    uint32_t next, previous; /* in that list; CORE_NONE */
};
_Static_assert(sizeof(struct core_instance) <= 48, "a million tasks are ordinary");

/* What the core asks of its surroundings; every answer must depend on its arguments alone. */
struct core_env {
    /* The text of a blob that an earlier transition named. Borrowed until the arena is cleared. */
    int (*blob)(void *user, uint64_t blob, struct arena *arena, struct orch_str *ret, struct orch_error *err);
    /* TZif bytes for expressions; may be NULL. */
    int (*zone)(void *user, struct orch_str name, struct orch_str *ret_tzif);
    /* The value of a secret; asked only by core_render. May be NULL: then there is none. */
    int (*secret)(void *user, struct orch_str name, struct arena *arena, struct orch_str *ret, struct orch_error *err);
    void *user;
    uint32_t interrupts_max; /* lost attempts of one task before it fails; 0 means 10 */
    uint32_t instances_max;  /* 0 means 20,000,000 */
    struct expr_limits expr_limits;
};

/*
 * A state before its first transition.
 *
 * @param workflow   borrowed, must outlive it
 * @param seed       of the chances drawn (jitter): two executions with one seed draw alike
 * @param env        copied
 * @return NULL when memory is short
 */
struct core *core_new(const struct workflow *workflow, uint64_t seed, const struct core_env *env,
                      const struct orch_allocator *allocator);
struct core *core_free(struct core *core);

enum core_input_type {
    INPUT_START,         /* parameters and so on; once */
    INPUT_ADMIT,         /* a ready instance may start its attempt now */
    INPUT_ATTEMPT_DONE,  /* an attempt ended; ignored (0 transitions) when its fence is not the instance's latest or it is not running */
    INPUT_TIMER,         /* the time has come to look at deadlines */
    INPUT_CANCEL,
    INPUT_PAUSE,
    INPUT_RESUME,
    INPUT_APPROVE,       /* an approval was given or refused */
    INPUT_SIGNAL,        /* an event for this execution */
    INPUT_RECOVER,       /* after a restart: attempts that were under way have an unknown outcome (those of `workflow` actions go on: their child is durable) */
    INPUT_RETRY,         /* run again what failed and what follows; or from one task on */
};

struct core_input {
    enum core_input_type type;
    orch_time now;               /* never goes back; the core holds it to that */
    uint32_t instance;           /* ADMIT, ATTEMPT_DONE, APPROVE; RETRY: from here, CORE_NONE: what failed. Else CORE_NONE */
    struct orch_str by;          /* who asked; may be empty */
    union {
        struct {                 /* START */
            struct value parameters; /* checked and complete (workflow_parameters) */
            struct value env;        /* MAP: the variables expressions may ask for */
            struct value labels;     /* MAP or null: kept, not looked at */
            struct value subworkflows; /* MAP name -> digest of the pinned version; kept, not looked at */
            struct orch_str id;      /* the execution's public id */
        } start;
        struct {                 /* ATTEMPT_DONE */
            uint64_t fence;
            enum failure failure;    /* FAILURE_NONE: it succeeded */
            struct orch_str output;  /* JSON text or empty */
            uint64_t blob, blob_size; /* a large output: its blob, already handed to the store in the same batch */
            struct orch_str error;
            int32_t exit_code, signal;
            uint64_t cpu_us, memory_peak;
        } done;
        struct { bool approved; struct orch_str comment; } approve; /* JSON string or empty */
        struct { struct orch_str name; struct orch_str data; } signal; /* data: JSON text */
        struct { struct orch_str reason; } cancel;
    };
};

/*
 * Decides what follows from an input, folds it into the state, and goes on until nothing more follows.
 * Transforms, conditions, loops and joins are decided here; so is what starts next when admission has been asked already
 * (feed INPUT_ADMIT in the same batch).
 *
 * @param arena  where the transitions live (their texts may be borrowed from the input, the state or the arena)
 * @param ret    transitions are added to it, in order
 * @return 0, also when nothing followed; ORCH_ERR_STATE when the input makes no sense now (approve of a task that does not wait, cancel of
 *         a finished execution, ...): the state is unchanged; ORCH_ERR_NOT_FOUND for an unknown instance; ORCH_ERR_NO_MEMORY: the state
 *         must be thrown away (and made again from the journal)
 */
int core_step(struct core *core, const struct core_input *input, struct arena *arena, struct core_transitions *ret,
              struct orch_error *err);

/* Folds one recorded transition. Fails with ORCH_ERR_NO_MEMORY, or ORCH_ERR_CORRUPT when it cannot follow the state there is. */
int core_evolve(struct core *core, const struct core_transition *transition, struct orch_error *err);

/* The time of the latest input, or of the latest transition folded. */
orch_time core_now(const struct core *core);
/* When INPUT_TIMER is due next, or ORCH_TIME_NEVER. */
orch_time core_deadline(const struct core *core);

/* Instances in READY, for admission: calls fn for each, in the order they became so. */
int core_each_ready(const struct core *core, int (*fn)(void *user, uint32_t instance), void *user);
/* Instances with an attempt under way. */
int core_each_running(const struct core *core, int (*fn)(void *user, uint32_t instance), void *user);

/*
 * The configuration, working environment and so on of a leaf, everything evaluated, for its attempt. Secrets are asked for here only; the
 * result must not be recorded.
 *
 * @param ret_config  a MAP as docs/definitions.md describes for the action
 * @param ret_env     a MAP name -> string: `env` of workflow, groups and task
 * @return 0; ORCH_ERR_EVALUATION and others of expr_eval, with the place in the message
 */
int core_render(const struct core *core, uint32_t instance, orch_time now, struct arena *arena, struct value *ret_config,
                struct value *ret_env, struct orch_error *err);

/*
 * What a task or block gave, as JSON text ("null" when nothing). Leaves keep theirs; what blocks give is put together from their tasks when it is
 * asked for: a group's is a map, a loop's a list, a repeat's that of its last iteration, a handled failure's that of the handler.
 *
 * @param arena  for texts that come out of blobs
 */
int core_output(const struct core *core, uint32_t instance, struct arena *arena, struct buf *out, struct orch_error *err);

/* Evaluates an expression as the instance would see it (CORE_NONE: as the workflow's output would). For `show` and tests. */
int core_eval(const struct core *core, uint32_t instance, const struct expr *expr, orch_time now, struct arena *arena,
              struct value *ret, struct orch_error *err);

/*
 * Looking at a state. Borrowed pointers live until the next core_step or core_evolve.
 */
struct core_summary {
    enum execution_state state;
    enum failure failure;
    struct orch_str error;
    struct orch_str output;       /* JSON text, of a finished execution */
    uint64_t output_blob, output_blob_size;
    struct orch_str id;
    struct orch_str parameters;   /* JSON text */
    orch_time started_at, ended_at;
    uint32_t generation;          /* 0, one more for each retry */
    uint64_t sequence;            /* transitions so far */
    uint32_t tasks_total;         /* leaves that are known of: grows as loops open */
    uint32_t tasks_done;          /* terminal ones of them */
    uint32_t states[TASK_STATE_COUNT]; /* leaves in each state */
    uint32_t failed_allowed;      /* failed with continue_on_error */
};
void core_get_summary(const struct core *core, struct core_summary *ret);
const struct workflow *core_workflow(const struct core *core);
uint32_t core_instance_count(const struct core *core);
uint32_t core_frame_count(const struct core *core);
const struct core_instance *core_get_instance(const struct core *core, uint32_t instance);
const struct core_frame *core_get_frame(const struct core *core, uint32_t frame);
/* The frames an instance owns, in order: CORE_NONE starts; returns CORE_NONE at the end. */
uint32_t core_frame_next_of(const struct core *core, uint32_t instance, uint32_t frame);
/* "regions[2]/fetch": see docs/definitions.md for the form. */
void core_path(const struct core *core, uint32_t instance, struct buf *out);
/* The instance a path names, or CORE_NONE. A path without an item or iteration names the wrapper ("clean"). Of several with one path (a group that was tried
 * again) it is the one under way, else the latest. */
uint32_t core_find(const struct core *core, struct orch_str path);
/* The item a for_each frame stands for, as JSON text; empty when there is none. */
struct orch_str core_frame_item(const struct core *core, uint32_t frame, struct arena *arena);
/* Why an instance is not running, in a sentence: "waits for build and test", "approval: ship it?", "retries in 3s"; of a skipped one
 * why it was, "its condition was false". Empty when it is running or over. */
void core_why(const struct core *core, uint32_t instance, orch_time now, struct buf *out);
/* A digest of everything that matters in the state: two folds of one journal agree. For tests and the simulator. */
uint64_t core_digest(const struct core *core);

#endif
