/*
 * internal.h - inside of the engine: who owns what.
 *
 *   engine      owns versions (by reference), executions, the batch being gathered and the commit under way
 *   execution   owns its core, its attempts and its limits
 *   batch       what was decided since the last append: transitions of several executions in one arena
 *   attempt     one running provider; gone when it is done
 *
 * Files: engine.c the life of the engine; loop.c the machine's event loop; batch.c gather, append, act; execution.c one that is loaded;
 * start.c its begin; resume.c taken up or run again; view.c folded from its journal; attempt.c providers; child.c
 * sub-workflows; limits.c admission; version.c definitions; command.c what people ask for; control.c the socket;
 * secret.c secrets.
 *
 * Two ways to stop. engine_fail: the store can write no more; from then on nothing is decided, and at the next turn of
 * the loop what runs is killed and who waits is told. engine_close: nothing more is decided or acted on; what was
 * decided is recorded, then what runs is killed.
 */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include <uv.h>

#include "base/error.h"
#include "base/mark.h"
#include "core/admission.h"
#include "engine/engine.h"
#include "sys/clock.h"
#include "sys/logfile.h"
#include "sys/zone.h"

#define ENGINE_BLOB_SIZE    (64u * 1024)      /* larger outputs are kept in a file of their own */
#define ENGINE_NEST_MAX     32                /* executions inside executions */
#define ENGINE_ROW_INTERVAL (2 * ORCH_SECOND) /* at most so often is a running execution's row brought up to date */
#define ENGINE_RECORD_SIZE \
    (4u << 20) /* the transitions of one step may be many: texts of about so many bytes go into one record */
#define ENGINE_RECENT          16         /* definitions kept for the next execution of a sub-workflow */
#define ENGINE_RECENT_SIZE_MAX (1u << 20) /* of the normal form of such a one */
#define ENGINE_FLUSHES_MAX \
    64 /* appends of one turn of the loop, so that a memory store does not keep it from everything else */

struct engine_version {
    uint32_t refs;
    struct engine *engine;
    struct arena arena;
    const struct workflow *workflow;
    char digest[65];
    struct orch_str base_dir; /* where its file is */
    struct orch_str file;     /* as given */
    struct value pinned; /* MAP "<digest>/<name>" -> {digest, base_dir, file}: every sub-workflow reachable from here */
    struct engine_version *next;
    uint32_t *pool_needs; /* for each of its pools, the most slots that one task needs */
    bool stored;          /* its normal form has been handed to the store */
};

struct secret {
    struct orch_str name;
    struct orch_str value;
    struct orch_str escaped; /* as it stands in JSON, without the quotes; empty when it is the same */
    struct secret *next;
};

struct attempt {
    struct action_attempt base; /* first: providers hand it back */
    struct arena arena;
    struct engine_execution *execution;
    uint32_t instance;
    uint64_t fence;
    const struct action_provider *provider; /* NULL: a sub-workflow, or not started */
    void *context;
    bool waits_for_room; /* not started for want of disk space: tried again */
    int64_t child;       /* the execution of a sub-workflow */
    struct logfile *log; /* made at the first line */
    struct attempt *log_next;
    bool log_waits; /* has lines that are not in the file yet: is in engine->logs_waiting */
    double progress;
    char progress_text[200];
    uint16_t progress_size;
    bool has_progress;
    struct attempt *bucket_next;
    struct attempt *next, *previous; /* of the execution */
};

struct engine_execution {
    struct engine *engine;
    struct engine_version *version;
    struct core *core;
    struct arena arena; /* texts below */
    int64_t number;
    char id[20];
    struct orch_str base_dir, file, by, parameters;
    struct value parameters_value;
    struct value pinned;
    int64_t parent;
    uint32_t parent_instance;
    uint64_t parent_fence;
    uint32_t nest;
    bool creating; /* its row is not handed over yet */
    bool ended;    /* decided; freed once durable */
    uint64_t next_seq;
    uint8_t row_state; /* as last told to the store */
    uint32_t row_generation;
    orch_time row_at;
    struct core_transitions turn; /* in the batch's arena */
    struct engine_execution *dirty_next;
    bool dirty;
    bool held; /* admission holds its requests back: it is paused */
    orch_time time_ahead; /* of its time to the engine's: the wall clock went back between two lives */
    orch_time deadline;   /* of the engine's time */
    uint32_t heap_at;                   /* in the timer heap, 0 is not in it */
    admission_limit limit;              /* concurrency of this execution */
    struct named_limit *workflow_limit; /* concurrency of its workflow, or NULL */
    struct named_limit **pools;         /* as workflow->pools */
    admission_limit *frame_limits;      /* `concurrency` of groups, by frame; 0: none */
    uint32_t frame_limits_count;
    struct attempt *attempts;
    struct secret *secrets;
    struct engine_execution *bucket_next, *next, *previous;
};

struct waiter {
    engine_done done;
    void *user;
    struct waiter *next;
};

struct batch {
    struct arena arena;
    struct engine_execution *dirty; /* first to last */
    struct engine_execution **dirty_tail;
    struct waiter *waiters; /* not told yet */
    struct waiter **waiters_tail;
    /* once handed over */
    struct commit_item {
        struct engine_execution *execution;
        uint64_t first_seq;
        struct core_transitions turn;
    } * items;
    uint32_t items_count;
    struct store_entry *entries; /* at least one for each item */
    uint32_t entries_count;
};

#define ENGINE_BUCKETS       4096
#define ENGINE_PROVIDERS_MAX 8

struct named_limit { /* pools, and concurrency of a workflow over its executions */
    struct orch_str name;
    admission_limit limit;
    uint32_t units;
    uint32_t need;  /* the most that one task of those who use it needs */
    uint32_t users; /* loaded executions; it goes with the last */
    struct named_limit *next;
    char bytes[];
};

struct engine {
    struct engine_options options;
    const struct orch_allocator *allocator;
    uv_loop_t loop;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle; /* active while something waits for this turn's end */
    uv_async_t wake;
    bool has_loop;      /* the handles above are open; false in a world of its own */
    bool stirred;       /* something waits for this turn's end */
    bool polls;         /* between prepare and check: the flush is still to come in this turn */
    struct engine_world world;
    struct store *store;
    struct orch_str store_dir;
    struct orch_str mark;
    struct arena arena;   /* life of the engine */
    struct arena scratch; /* for the length of a call: marked and rewound */
    struct zonefiles zones;
    struct action_host host;
    struct {
        const struct action_provider *provider;
        void *context;
        bool open;
    } providers[ENGINE_PROVIDERS_MAX];
    uint32_t providers_count;
    struct admission *admission;
    admission_limit jobs;
    struct named_limit *pools, *workflows;
    struct batch *gathering, *committing, *spare;
    struct engine_version *versions;
    struct engine_version *recent[ENGINE_RECENT]; /* counted; NULL where none */
    uint32_t recent_next;
    struct engine_execution *executions; /* newest first */
    uint32_t executions_count;
    struct engine_execution *execution_buckets[ENGINE_BUCKETS];
    struct attempt *attempt_buckets[ENGINE_BUCKETS];
    struct attempt *logs_waiting; /* by log_next */
    uint64_t serial;
    struct engine_execution **heap; /* by deadline; index 0 unused */
    uint32_t heap_count, heap_capacity;
    int64_t wall_minus_monotonic;
    orch_time now_last;
    struct orch_error failure; /* set once: the engine is stopping */
    bool failed;
    bool failure_told; /* what runs was killed, who waits was told */
    bool stalled;      /* disk full: the commit under way is tried again */
    uint32_t retry_ms;
    orch_time retry_at; /* while stalled */
    uint32_t roomless;  /* attempts that wait for room */
    orch_time room_at;  /* while there are any: when they are tried again */
    bool was_short;     /* the disk, when it was last looked at */
    bool closing;
    bool flushing;
    struct control *control;
};

/* engine.c */
/* From now on nothing is decided any more. May be called from anywhere: what follows is done by engine_end_failed at
 * the next turn. */
void engine_fail(struct engine *engine, const struct orch_error *err);
void engine_end_failed(struct engine *engine);
void engine_timer_set(struct engine *engine, struct engine_execution *execution, orch_time deadline);
/* Inputs whose time has come. */
void engine_look_at_time(struct engine *engine);

/* loop.c */
extern const struct engine_world world_of_the_machine;
int loop_open(struct engine *engine, struct orch_error *err);
void loop_close(struct engine *engine);
void loop_wake(struct engine *engine);   /* any thread */
void engine_stir(struct engine *engine); /* makes the loop come round to flush */

/* batch.c */
struct batch *batch_new(struct engine *engine);
struct batch *batch_free(struct batch *batch);
/* Tells those who wait for it, each once. */
void batch_tell(struct batch *batch, int status);
/* One input to one execution: decided now, recorded with the next append. The input's texts are copied when need be. */
int execution_feed(struct engine_execution *execution, const struct core_input *input, struct orch_error *err);
/* Takes an execution out of the batch being gathered: what was decided about it is forgotten. */
void batch_drop(struct engine_execution *execution);
int batch_wait(struct engine *engine, engine_done done, void *user, struct orch_error *err);
void engine_flush(struct engine *engine);
/* After ORCH_ERR_FULL. */
void engine_retry_commit(struct engine *engine);

/* execution.c */
struct engine_execution *execution_new(struct engine *engine, struct engine_version *version, int64_t number,
                                       struct orch_error *err);
void execution_free(struct engine_execution *execution);
void execution_row(const struct engine_execution *execution, struct arena *arena, struct store_execution *ret);
void execution_after_end(struct engine_execution *execution);

/* start.c */
int execution_start(struct engine *engine, const struct engine_start *start, struct engine_execution *parent,
                    uint32_t parent_instance, uint64_t parent_fence, struct engine_execution **ret,
                    struct orch_error *err);
/* What the definition needs of this engine. */
int providers_check(struct engine *engine, const struct workflow *workflow, struct orch_error *err);
/* A copy; ORCH_ERR_NO_MEMORY without a message. */
int text_keep(struct arena *arena, struct orch_str text, struct orch_str *ret);

/* resume.c */
/* Takes up an execution that is alive, and its children. */
int execution_resume(struct engine *engine, int64_t number, uint32_t nest, struct engine_execution **ret,
                     struct orch_error *err);

/* view.c */
/*
 * Folds the journal of an execution into a new core.
 *
 * @param keep        where *ret_pinned lives; both may be NULL
 * @param ret_pinned  the sub-workflows that were pinned when it started
 */
int journal_fold(struct store *store, int64_t number, struct core *core, struct arena *keep, struct value *ret_pinned,
                 uint64_t *ret_next_seq, struct orch_error *err);

/* attempt.c */
int attempts_open(struct engine *engine, struct orch_error *err);
void attempts_close(struct engine *engine);
/* What was logged since the last time reaches the files: whoever follows a log sees it. Once a turn of the loop. */
void attempts_flush_logs(struct engine *engine);
void attempts_try_room(struct engine *engine); /* starts what waits for disk space */
bool attempt_kind_has_provider(const struct engine *engine, enum action_kind kind);
struct attempt *attempt_find(struct engine *engine, const struct engine_execution *execution, uint32_t instance);
void attempt_start(struct engine_execution *execution, uint32_t instance, uint64_t fence);
void attempt_stop(struct engine_execution *execution, uint32_t instance);
void attempt_drop_all(struct engine_execution *execution, bool hasten);
void attempt_remove(struct attempt *attempt);
struct attempt *attempt_new(struct engine_execution *execution, uint32_t instance, uint64_t fence);
/* Reports an end for an instance without a provider. */
void attempt_feed_failure(struct engine_execution *execution, uint32_t instance, uint64_t fence, enum failure failure,
                          const char *message);

/* child.c */
int child_start(struct attempt *attempt, struct value config, struct orch_error *err);
void child_stop(struct attempt *attempt);
void child_ended(struct engine_execution *child);
/* After a resume: finds or starts the children of running workflow attempts. */
int children_resume(struct engine_execution *execution, struct orch_error *err);

/* limits.c */
/* Whether a task asks for admission. */
bool limits_apply(const struct task *task);
/* Once for a definition: what it needs. ORCH_ERR_LIMIT when a task stands under too many limits. */
int limits_measure(struct engine_version *version, struct orch_error *err);
int limits_open(struct engine_execution *execution, struct orch_error *err);
/* When nothing of it waits or holds any more; also of one that was opened in part. */
void limits_close(struct engine_execution *execution);
/* Takes back all that it holds and waits for. */
void limits_forget(struct engine_execution *execution);
void limits_frame_ended(struct engine_execution *execution, uint32_t frame);
int limits_request(struct engine_execution *execution, uint32_t instance, bool take, struct orch_error *err);

/* version.c */
int version_by_digest(struct engine *engine, struct orch_str digest, struct orch_str base_dir, struct orch_str file,
                      struct engine_version **ret, struct orch_error *err);
void versions_forget_recent(struct engine *engine);
struct engine_version *version_ref(struct engine_version *version);
int version_store(struct engine_version *version, struct orch_error *err);

/* secret.c */
int secret_get(struct engine *engine, struct orch_str name, struct arena *arena, struct orch_str *ret,
               struct orch_error *err);
int secrets_load(struct engine_execution *execution, struct orch_error *err);
/* A text, or a JSON text, without the secrets in it. STR_NONE when memory is short: rather nothing than a secret. */
struct orch_str secrets_mask(const struct attempt *attempt, struct orch_str text, struct arena *arena);
struct orch_str secrets_mask_json(const struct attempt *attempt, struct orch_str json, struct arena *arena);

/* control.c */
int control_open(struct engine *engine, struct orch_error *err);
void control_close(struct engine *engine);

#endif
