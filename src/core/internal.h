/*
 * internal.h - inside of core: the state of one execution, and what its files share.
 *
 * evolve.c is the only file that changes a state. decide_*.c read it and add transitions through step_add and
 * step_fold, which has each folded at once, so that the next decision sees it. What follows from a transition in turn
 * is found through the agenda: evolve puts there the instances and frames something may be owed for (a join rule that
 * is met, a frame whose last task has ended, ...), core_step examines them until nothing is left. To examine a thing is
 * to look at the state alone, so examining too often does no harm, and after a replay the same things are owed.
 */
#ifndef CORE_INTERNAL_H
#define CORE_INTERNAL_H

#include "base/error.h"
#include "base/mark.h"
#include "core/core.h"
#include "core/retry.h"

/* ---- tables: elements have numbers and never move ---- */

#define TABLE_FIRST_BITS 4 /* the first piece holds 16; each further one as many as all before it */
#define TABLE_PIECES     28

struct table {
    void *pieces[TABLE_PIECES];
    uint32_t count;
    uint32_t element_size;
};

static inline void *table_at(const struct table *table, uint32_t index)
{
    uint32_t high = index >> TABLE_FIRST_BITS;
    if (high == 0) return (char *)table->pieces[0] + (size_t)index * table->element_size;
    int piece = 32 - __builtin_clz(high);
    uint32_t first = UINT32_C(1) << (TABLE_FIRST_BITS + piece - 1);
    return (char *)table->pieces[piece] + (size_t)(index - first) * table->element_size;
}

/* ---- lists of instances, linked through them ---- */

enum core_list {
    LIST_NONE,
    LIST_AGENDA,  /* to be examined */
    LIST_READY,   /* may start; first come, first */
    LIST_RUNNING, /* leaves with an attempt under way */
    LIST_EVENT,   /* waiting for an event */
    LIST_UNDO,    /* succeeded and can be compensated, in the order of completion */
};
#define LIST_COUNT 6

struct list {
    uint32_t first, last;
    uint32_t count;
};

/* ---- the parts of a state ---- */

/* How far a task with blocks, or the execution, has come. */
enum core_phase {
    PHASE_BODY,
    PHASE_ON_ERROR,
    PHASE_COMPENSATE, /* a task: its undoing runs or ran; the execution: undoes */
    PHASE_FINALLY,
};

struct core_inner {
    uint32_t body;     /* the latest body frame; CORE_NONE */
    uint32_t before;   /* a repeat's body frame before that; CORE_NONE */
    uint32_t handler;  /* the latest frame of another role, of this phase; CORE_NONE */
    uint32_t handled;  /* the on_error frame whose success made this a success; CORE_NONE */
    uint32_t opened;   /* body frames opened for this run: a loop's next item */
    uint32_t open;     /* body frames that run */
    uint32_t failed;   /* body frames that ended otherwise than well */
    uint32_t redo;     /* a loop's that runs again: items of earlier generations that are still to be taken up */
    uint32_t redo_at;  /* the first body frame that may be one of them */
    uint8_t phase;     /* enum core_phase */
    uint32_t *item_at; /* a loop's: where each item begins in detail->items, and one past the last comma */
};

struct timer {
    orch_time due;
    uint64_t order;    /* equal times fire in the order set */
    uint32_t instance; /* CORE_NONE: the execution's own */
};

struct timers {
    struct timer *heap;
    uint32_t count, capacity;
    uint64_t order;
};

struct core_signal {
    struct core_signal *next;
    uint32_t number; /* 1 is the first of the execution */
    struct orch_str name;
    struct orch_str data; /* JSON text or empty */
};
#define SIGNALS_MAX 10000 /* kept for tasks that come to wait for them later */

/* Items of a loop that are under way at once when it sets no limit: frames cost memory, and so many keep any machine
 * busy. */
#define LOOP_OPEN_MAX 1000

struct core {
    const struct workflow *workflow;
    const struct orch_allocator *allocator;
    struct core_env env;
    uint64_t seed;
    struct arena arena;   /* details and texts */
    struct arena scratch; /* of one examination; empty in between */
    bool scratch_is_taken;

    struct table instances; /* struct core_instance */
    struct table frames;    /* struct core_frame */
    struct list lists[LIST_COUNT];
    uint32_t frame_first, frame_last; /* frames on the agenda */
    bool execution_due;               /* the execution is on the agenda */
    struct timers timers;
    uint32_t timer; /* the execution's place among them */

    /* The execution. */
    uint8_t state;   /* enum execution_state */
    uint8_t outcome; /* what it will end in, as far as is known: enum execution_state; PENDING: not known */
    uint8_t failure; /* enum failure */
    uint8_t phase;   /* enum core_phase */
    bool stopping;   /* the body was told to stop */
    struct orch_str error;
    struct orch_str finally_error; /* why the workflow's finally failed */
    struct orch_str output;
    uint64_t output_blob, output_blob_size;
    uint32_t top_last;    /* latest frame without an owner; frame 0 begins their chain */
    uint32_t handler;     /* latest frame of the workflow's on_error or finally in this generation; CORE_NONE */
    uint32_t undoing;     /* the instance that is being undone; CORE_NONE */
    uint32_t undone;      /* compensations that ended well in this generation */
    uint32_t undo_failed; /* the first instance whose compensation failed; CORE_NONE */
    orch_time now;        /* of the latest transition */
    orch_time started_at, ended_at;
    uint32_t generation;
    uint64_t sequence;
    uint64_t fence; /* the last one given out */
    struct orch_str id;
    struct orch_str parameters_text;
    struct value parameters, variables; /* MAPs; `variables` is what `env` is to expressions */

    struct core_signal *signal_first, *signal_last;
    uint32_t signal_count;
    uint32_t signal_number; /* of the latest */

    uint32_t states[TASK_STATE_COUNT]; /* leaves in each state */
    uint32_t failed_allowed;
};

static inline struct core_instance *instance_at(const struct core *core, uint32_t instance)
{
    return table_at(&core->instances, instance);
}
static inline struct core_frame *frame_at(const struct core *core, uint32_t frame)
{
    return table_at(&core->frames, frame);
}
static inline uint32_t instance_number(const struct core *core, const struct core_instance *instance)
{
    return frame_at(core, instance->frame)->first + instance->task->index;
}

/* core.c */
int table_grow(struct table *table, const struct orch_allocator *allocator, uint32_t count);

/* ---- states.c ---- */

bool task_state_may_become(enum task_state from, enum task_state to);
bool execution_state_may_become(enum execution_state from, enum execution_state to);

/* ---- tasks.c: what follows from the model and one instance ---- */

/* An engine's provider carries it out; the rest is decided here. */
static inline bool action_is_external(enum action_kind kind)
{
    return kind != ACTION_TRANSFORM && kind != ACTION_WAIT && kind != ACTION_APPROVAL && kind != ACTION_NOOP;
}
static inline bool task_is_external(const struct task *task)
{
    return task->kind == TASK_LEAF && action_is_external(task->action->kind);
}
/* A for_each or repeat and the one task in its body that carries its id are one to the user. */
bool block_is_wrapped(const struct block *block);
/* A handler written as one task, which has the handler's name: on_error, compensate, finally. */
bool block_is_lone_handler(const struct block *block);
const char *block_role_text(enum block_role role);

enum verdict { VERDICT_WAIT, VERDICT_GO, VERDICT_SKIP_WHEN, VERDICT_SKIP_DEPENDENCY };
/* What the join rule of a task says now. */
enum verdict join_verdict(const struct core_instance *instance);

/* How an instance that has ended counts for those that depend on it, and for its frame. */
enum worth { WORTH_NOTHING, WORTH_SUCCESS, WORTH_MISSED };
enum worth instance_worth(const struct core_instance *instance);
static inline bool instance_counts_as_failure(const struct core_instance *instance)
{
    return instance->state != TASK_SKIPPED && instance_worth(instance) == WORTH_MISSED;
}
/* When the attempt or block that began at `attempt_at` times out, all attempts that began at `started_at` taken
 * together; ORCH_TIME_NEVER. */
orch_time task_deadline(const struct task *task, orch_time started_at, orch_time attempt_at);
/* When all attempts together time out. */
orch_time task_deadline_total(const struct task *task, orch_time started_at);
/* a + b, at most a moment before ORCH_TIME_NEVER. */
orch_time time_add(orch_time a, orch_time b);

/* ---- timers.c: a 4-ary heap inside the state ---- */

/* Sets, moves or (ORCH_TIME_NEVER) takes away; `place` is where the owner keeps its place. Returns 0 or
 * ORCH_ERR_NO_MEMORY. */
int timers_set(struct core *core, uint32_t instance, uint32_t *place, orch_time due);

/* ---- items.c: a JSON list as text and the places of its items ---- */

/* Finds where each of `count` items begins; item_at[count] is one past the place where a comma after the last would
 * stand. False: not such a list. */
bool items_index(struct orch_str text, uint32_t *item_at, uint32_t count);
static inline struct orch_str items_get(struct orch_str text, const uint32_t *item_at, uint32_t index)
{
    return str_of(text.data + item_at[index], item_at[index + 1] - item_at[index] - 1);
}

/* ---- scope.c: names that expressions see ---- */

struct scope_cached {
    uint32_t instance;
    bool with_output;
    struct value value;
};

/* Who asks. Lives for one evaluation, or for those of one template. */
struct scope {
    const struct core *core;
    uint32_t frame;            /* the innermost block; CORE_NONE: only what is seen everywhere */
    uint32_t asker;            /* index in that block; CORE_NONE: all of the block's tasks are seen */
    bool self;                 /* and the asker itself */
    bool secrets;              /* may be asked for */
    const struct value *event; /* of a filter; NULL: none */
    const struct expr *expr;   /* what is evaluated: says which fields are asked for */
    const struct template *tmpl;
    orch_time now;
    struct arena *arena; /* of the evaluation */
    struct scope_cached cache[4];
    uint32_t cache_count;
};

/* As a task sees it. */
void scope_init(struct scope *scope, const struct core *core, uint32_t instance, orch_time now);
/* As one who sees all tasks of a frame; CORE_NONE: what is seen everywhere. */
void scope_init_frame(struct scope *scope, const struct core *core, uint32_t frame, orch_time now);
/* As a repeat's `until` sees the iteration that ended: its tasks, and those of the group when the repeat is one. */
void scope_init_iteration(struct scope *scope, const struct core *core, uint32_t body, orch_time now);
int scope_eval(struct scope *scope, const struct expr *expr, struct arena *arena, struct value *ret,
               struct orch_error *err);
int scope_render(struct scope *scope, const struct template *tmpl, struct arena *arena, struct value *ret,
                 struct orch_error *err);
/* The `error` a handler sees. */
int scope_error_value(const struct core *core, uint32_t instance, struct arena *arena, struct value *ret);

/* ---- output.c: what blocks give, put together from what their tasks gave ---- */

int output_of_frame(const struct core *core, uint32_t frame, struct arena *arena, struct buf *out,
                    struct orch_error *err);
int output_of_instance(const struct core *core, uint32_t instance, struct arena *arena, struct buf *out,
                       struct orch_error *err);
/* The execution's, as the definition says or the map of its last tasks. */
int output_of_execution(const struct core *core, orch_time now, struct arena *arena, struct buf *out,
                        struct orch_error *err);

/* ---- deciding ---- */

struct step {
    struct core *core;
    struct arena *arena;
    struct core_transitions *out;
    orch_time now;
    struct orch_str by;
    bool is_short; /* a text found no memory: the step is out of memory when it ends */
    struct orch_error *err;
};

/* A transition at the end of the step's; NULL when memory is short. Fill it, then step_fold. */
struct core_transition *step_add(struct step *step, enum transition_type type, uint32_t instance);
/* Folds the latest one. */
int step_fold(struct step *step);
/* Both, for transitions that carry nothing else. */
int step_tell(struct step *step, enum transition_type type, uint32_t instance);
/* Text in the step's arena. */
struct orch_str step_printf(struct step *step, const char *format, ...) ORCH_PRINTF(2, 3);
/* The buffer's text in the step's arena; the buffer is done. */
struct orch_str step_take(struct step *step, struct buf *buf);
/* The text of a value as JSON in the step's arena. */
int step_json(struct step *step, struct value value, struct orch_str *ret);

/* How something did not go well. */
struct failing {
    enum failure failure;
    struct orch_str error;
    struct orch_str output;
    uint64_t blob, blob_size;
    int32_t exit_code, signal;
    uint64_t cpu_us, memory_peak;
};

/* decide_start.c */
int decide_start(struct step *step, const struct core_input *input);

/* decide_task.c */
int examine_instance(struct step *step, uint32_t instance);
int task_begin(struct step *step, uint32_t instance);
int task_skip(struct step *step, uint32_t instance, enum reason reason, enum failure failure);
int task_succeed(struct step *step, uint32_t instance, struct orch_str output);
/* A retry, the handler, or the end. */
int task_fail(struct step *step, uint32_t instance, const struct failing *failing);
/* The end, whatever the task's handler. */
int task_end(struct step *step, uint32_t instance, enum task_state state, const struct failing *failing);
int decide_admit(struct step *step, uint32_t instance);
int decide_attempt_done(struct step *step, const struct core_input *input);
int decide_recover(struct step *step);
/* An attempt of an instance ended so; the instance has one under way. */
int attempt_done(struct step *step, uint32_t instance, const struct failing *failing);
/* "timed out after 3s": the limit that was set, not how long stopping took. */
struct orch_str timed_out_after(struct step *step, const struct core_instance *instance);

/* decide_wait.c */
int wait_begin(struct step *step, uint32_t instance);
int approval_begin(struct step *step, uint32_t instance);
int decide_approve(struct step *step, const struct core_input *input);
int decide_signal(struct step *step, const struct core_input *input);

/* decide_block.c */
int block_begin(struct step *step, uint32_t instance);
int block_examine(struct step *step, uint32_t instance);
int frame_examine(struct step *step, uint32_t frame);
int frame_open(struct step *step, uint32_t owner, enum block_role role, uint32_t index);
/* A repeat's delay is over. */
int repeat_continue(struct step *step, uint32_t instance);

/* decide_stop.c */
int stop_instance(struct step *step, uint32_t instance, enum failure why);
int stop_frame(struct step *step, uint32_t frame);
int stop_execution(struct step *step, enum execution_state state, enum failure failure, struct orch_str error);
int decide_cancel(struct step *step, const struct core_input *input);
int begin_held_back(struct step *step);
int decide_timer(struct step *step);
int decide_pause(struct step *step);
int decide_resume(struct step *step);

/* decide_saga.c */
int execution_examine(struct step *step);

/* decide_retry_run.c */
int decide_retry_run(struct step *step, const struct core_input *input);
/* Takes up the next item of a loop that is to run again; inner->redo says that there is one. */
int loop_redo_next(struct step *step, uint32_t number);

/* core.c */
/* Puts everything that anything may be owed for on the agenda. */
void agenda_add_all(struct core *core);
/* Decides whatever the state owes: nothing, when the last step was folded to its end. For tests. */
int core_owed(struct core *core, struct arena *arena, struct core_transitions *ret, struct orch_error *err);

/* evolve.c */
void agenda_add(struct core *core, uint32_t instance);
void agenda_add_frame(struct core *core, uint32_t frame);
uint32_t agenda_take(struct core *core);
uint32_t agenda_take_frame(struct core *core);

#endif
