/*
 * internal.h - inside of the library: what its handles are.
 *
 *   workflow    a definition's text, or tasks in compact arrays; counted, unchangeable once an engine has seen it
 *   engine      an engine, the lock around it, and the handles of its executions
 *   execution   a handle: of one that the engine has loaded, of one in the store, or of one on the fast lane
 *   call        of a function; on the stack of the thread that runs it
 *
 * Files: workflow.c tasks and dependencies; options.c what else they have; definition.c from and to text; engine.c the
 * life of an engine; pump.c keeping it going; notice.c what it tells; execution.c starting and commanding; look.c and
 * history.c looking; call.c inside of a function; fast.c graphs of functions on the lane; states.c names.
 *
 * Locks. An engine's lock is recursive, since callbacks come with it held; it is let go while waiting. A lane's threads
 * take `fast->lock` only.
 */
#ifndef LIB_INTERNAL_H
#define LIB_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "actions/action.h"
#include "base/error.h"
#include "base/map.h"
#include "engine/engine.h"
#include "engine/lane.h"
#include "lang/model.h"

/*
 * Workflows.
 */
#define LIB_TASKS_MAX       2000000u /* as many as a definition may have */
#define LIB_FUNCTION_PREFIX "c:"     /* what the functions of tasks are called in a definition: "c:fetch" */

struct lib_function {
    orch_function function; /* NULL: the task is something else; it has an extra */
    void *user;
};

/* "key": JSON, of a task or workflow. */
struct lib_member {
    struct orch_str key, json;
    struct lib_member *next;
};

/* What few tasks have. */
struct lib_extra {
    orch_task task;
    struct orch_str name;                       /* empty: made up */
    struct lib_member *members, **members_tail; /* the action among them, unless it is a function of its own */
    struct lib_member *env, **env_tail;         /* JSON strings */
    struct value depends_on;                    /* of orch_workflow_add_task: a LIST; or null */
    bool is_plain;                              /* nothing beyond a name */
};

struct lib_edge {
    orch_task task, on;
};

struct orch_workflow {
    _Atomic uint32_t refs;
    bool has_allocator;
    struct orch_allocator allocator_kept;
    const struct orch_allocator *allocator; /* of this struct, arrays, arena */
    struct arena arena;                     /* names, extras */
    struct orch_str name;                   /* terminated */
    bool is_frozen;                         /* an engine has seen it */
    bool is_text;                           /* read: `text`, `file`, `model` */
    struct orch_str text, file;
    const struct workflow *model; /* of the text; in the arena */
    /* Built. */
    struct lib_function *functions;
    uint32_t count, capacity;
    struct lib_edge *edges; /* by task, when frozen */
    uint32_t edges_count, edges_capacity;
    bool is_ordered; /* edges are by task as they stand */
    bool is_forward; /* every task depends on earlier ones only: there is no cycle */
    bool is_plain;   /* nothing but functions and what they depend on */
    bool fail_fast;
    struct lib_extra **extras; /* by task; NULL: there are none yet */
    uint32_t extras_capacity;
    struct map by_name;                               /* name -> task */
    struct lib_member *members, **members_tail;       /* of the workflow */
    struct lib_member *parameters, **parameters_tail; /* JSON */
    /* Made when it is frozen. */
    uint32_t *first; /* count + 1 rows: who depends on a task */
    uint32_t *next;
    /* orch_workflow_definition */
    struct buf definition;
};

struct orch_workflow *workflow_ref(struct orch_workflow *workflow);
/* From now on it does not change. For the lane too: `first` and `next`. */
int workflow_freeze(struct orch_workflow *workflow, struct orch_error *err);

/* The task's extra, made when it has none; NULL when memory is short. */
struct lib_extra *workflow_extra(struct orch_workflow *workflow, orch_task task);
const struct lib_extra *workflow_find_extra(const struct orch_workflow *workflow, orch_task task);
/* ORCH_ERR_STATE when it may be changed no more. */
int workflow_may_change(const struct orch_workflow *workflow, struct orch_error *err);
int workflow_add(struct orch_workflow *workflow, const char *name, const struct lib_function *function,
                 orch_task *ret_task, struct orch_error *err);
/* Its name, made up when it has none. Writes at most 24 bytes to room. */
struct orch_str workflow_task_name(const struct orch_workflow *workflow, orch_task task, char room[24]);
orch_task workflow_find_task(const struct orch_workflow *workflow, struct orch_str name);
/* The first edge of a task, in the order of `edges`; needs a frozen one. */
uint32_t workflow_first_edge(const struct orch_workflow *workflow, orch_task task);
/* Adds "key": json at the end of a list; ORCH_ERR_EXISTS when it is there. Both are copied into the arena. */
int workflow_member(struct orch_workflow *workflow, struct lib_member ***tail, struct lib_member *first,
                    const char *key, struct orch_str json, struct orch_error *err);
/* YAML or JSON to a value. ORCH_ERR_INVALID with a place. */
int text_value(const char *text, struct arena *arena, struct value *ret, struct orch_error *err);
/* The text that an engine reads: the definition's own, or made from the tasks as JSON. */
int workflow_text(const struct orch_workflow *workflow, struct buf *out, struct orch_error *err);
/* Findings to a callback, the first error to err. Returns `code`, or what the findings say. */
int findings_tell(struct diags *diags, const char *file, orch_finding_function on_finding, void *user, int code,
                  struct orch_error *err);

/*
 * Engines.
 */
#define LIB_BUCKETS  1024
#define LIB_VERSIONS 16

struct fast;

struct lib_version { /* a workflow as the engine has read it */
    struct orch_workflow *workflow;
    struct engine_version *version;
    uint64_t used;
};

struct lib_known { /* orch_engine_add_workflow */
    struct orch_workflow *workflow;
    struct lib_known *next;
};

struct orch_engine {
    pthread_mutex_t lock;   /* recursive */
    pthread_cond_t changed; /* a turn is over */
    uint32_t refs;          /* the engine's own until it is closed, one for each handle; under the lock */
    struct orch_engine_options options;
    struct orch_allocator allocator_kept;
    const struct orch_allocator *allocator;
    struct engine *engine; /* NULL once closed */
    bool is_memory;
    int descriptor;
    struct action_functions *functions;
    struct lib_known *known;
    struct orch_workflow *starting; /* whose functions are asked for before its execution has a handle */
    struct lib_version versions[LIB_VERSIONS];
    uint64_t versions_used;
    struct orch_execution *buckets[LIB_BUCKETS];
    struct orch_execution *fasts; /* of the lane, newest first, until nobody holds them */
    uint32_t fasts_running;
    uint64_t happened; /* one more for each thing that somebody may wait for */
    bool is_pumping;   /* a thread keeps it going; it may be waiting with the lock let go */
    pthread_t pump;
    uint32_t in_callback;      /* depth; whoever has the lock then is the pump */
    struct orch_error failure; /* of the store; code 0: none */
    bool has_thread, thread_stop;
    pthread_t thread;
    uv_async_t wake;
    bool has_wake;
    pthread_mutex_t fast_lock;        /* over the two below */
    struct orch_execution *fast_news; /* have ended or logged, by fast->news_next */
    struct arena scratch;             /* for the length of a callback */
    struct arena kept;                /* of functions that are known by name */
};

/* Every public function begins and ends so. leave wakes the one who waits, when that is another thread. */
void engine_enter(struct orch_engine *engine);
void engine_leave(struct orch_engine *engine);
struct orch_engine *engine_unref(struct orch_engine *engine); /* without the lock */
/* 0, or ORCH_ERR_STATE once it is closed, or has failed. */
int engine_check(struct orch_engine *engine, struct orch_error *err);
/* ORCH_ERR_MISUSE in a callback. */
int engine_check_wait(struct orch_engine *engine, struct orch_error *err);
/*
 * One turn, by this thread or by the one that pumps: waits for at most so long, returns when something may have
 * changed. With the lock held once; lets it go while waiting.
 */
int engine_turn_once(struct orch_engine *engine, orch_time wait_us, struct orch_error *err);
int engine_version_of(struct orch_engine *engine, struct orch_workflow *workflow, struct engine_version **ret,
                      struct orch_error *err);
void engine_forget_versions(struct orch_engine *engine);
void engine_observe(struct orch_engine *engine, struct engine_observer *ret);
bool engine_find_function(void *user, struct orch_str execution_id, struct orch_str name, struct arena *arena,
                          action_function *ret_fn, void **ret_user);

/*
 * Executions.
 */
struct orch_execution {
    struct orch_engine *engine;
    uint32_t refs;  /* one for each time it was handed out, one until it is over; under the engine's lock */
    bool is_alive;  /* has the latter */
    bool is_ending; /* its on_end is being called */
    int64_t number;
    char id[20];
    struct orch_workflow *workflow; /* whose functions it calls; or NULL */
    void (*on_end)(void *user, struct orch_execution *execution);
    void *user;
    struct orch_execution *bucket_next;
    struct engine_view *view;                         /* of one that is not loaded, when it was looked at */
    struct fast *fast;                                /* on the lane; or NULL */
    struct orch_execution *fast_next, *fast_previous; /* in the engine's list of these */
    struct arena of_task, of_summary, of_output;
};

/* One that has a handle; or NULL. */
struct orch_execution *execution_of(struct orch_engine *engine, int64_t number);
/* A handle with no reference yet. */
struct orch_execution *execution_handle(struct orch_engine *engine, int64_t number, struct orch_error *err);
void execution_drop(struct orch_execution *execution, uint32_t refs);
/* It is over and recorded: tells who waits. */
void execution_over(struct orch_execution *execution);
/* Its state to look at, loaded or from the store; until the lock is let go. */
int execution_core(struct orch_execution *execution, const struct core **ret, struct orch_error *err);
int execution_state(struct orch_execution *execution, struct orch_error *err);
int failure_code(enum failure failure);
/* A terminated copy with data, also of nothing; data NULL when memory is short. */
struct orch_str text_copy(struct arena *arena, struct orch_str text);

/*
 * Calls.
 */
struct orch_call {
    const struct action_function_call *base; /* NULL: on the lane */
    struct orch_execution *execution;        /* on the lane */
    orch_task task;
    bool has_arena, has_output, is_object;
    struct arena arena_own;
    struct arena *arena; /* NULL: none needed yet */
    struct value output;
    struct value_member *members;
    uint32_t members_count, members_capacity;
    struct orch_str message; /* of the failure */
    char room[24];
};

/* What a call has set, as one value. ORCH_ERR_NO_MEMORY. */
int call_output(struct orch_call *call, struct value *ret);
struct arena *call_arena(struct orch_call *call);
int call_trampoline(const struct action_function_call *base, void *user, struct value *ret_output,
                    struct orch_error *err);

/*
 * The lane.
 */
int fast_start(struct orch_engine *engine, struct orch_workflow *workflow, const struct orch_start_options *options,
               struct orch_execution **ret, struct orch_error *err);
bool fast_may(const struct orch_engine *engine, const struct orch_workflow *workflow,
              const struct orch_start_options *options);
void fast_take_news(struct orch_engine *engine);
void fast_free(struct orch_execution *execution);
void fast_stop_all(struct orch_engine *engine);
int fast_state(const struct orch_execution *execution);
int fast_cancel(struct orch_execution *execution, const char *reason, struct orch_error *err);
int fast_pause(struct orch_execution *execution, bool pause, struct orch_error *err);
int fast_retry(struct orch_execution *execution, const char *from, struct orch_error *err);
void fast_summary(struct orch_execution *execution, struct orch_summary *ret);
int fast_output(struct orch_execution *execution, struct buf *out);
int fast_task(struct orch_execution *execution, orch_task task, struct orch_task_result *ret, struct orch_error *err);
bool fast_row(const struct orch_execution *execution, const struct orch_filter *filter, struct orch_execution_row *ret);
/* Of a call on the lane. */
uint32_t fast_generation(const struct orch_execution *execution);
bool fast_is_stopped(const struct orch_execution *execution);
void fast_log(struct orch_call *call, struct orch_str line);
int fast_input(struct orch_call *call, struct orch_str task, struct orch_str *ret);

/* Reads as much of a caller's struct as both sides know; what we do not know must be 0. */
int options_take(void *known, size_t known_size, const void *given, struct orch_error *err);
/* Writes as much of a result as the caller's struct has. */
int result_give(void *given, const void *known, size_t known_size, struct orch_error *err);

#endif
