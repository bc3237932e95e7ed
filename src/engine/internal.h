/*
 * internal.h - inside of the engine: who owns what.
 *
 *   engine      owns versions (by reference), executions, the batch being gathered and the commit under way
 *   execution   owns its core, its attempts and its limits
 *   batch       what was decided since the last append: transitions of several executions in one arena
 *   attempt     one running provider; gone when it is done
 *
 * Files: engine.c the loop and the life of the engine; batch.c gather, append, act; execution.c start, resume, retry, end;
 * attempt.c providers; child.c sub-workflows; limits.c admission; version.c definitions; command.c what people ask for;
 * control.c the socket; view.c looking; secret.c secrets.
 */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include <uv.h>

#include "base/error.h"
#include "core/admission.h"
#include "engine/engine.h"
#include "sys/clock.h"
#include "sys/logfile.h"
#include "sys/zone.h"


#define ENGINE_BLOB_SIZE (64u * 1024)    /* larger outputs are kept in a file of their own */
#define ENGINE_NEST_MAX 32               /* executions inside executions */
#define ENGINE_ROW_INTERVAL (2 * ORCH_SECOND) /* at most so often is a running execution's row brought up to date */

struct engine_version {
    uint32_t refs;
    struct engine *engine;
    struct arena arena;
    const struct workflow *workflow;
    char digest[65];
    struct orch_str base_dir; /* where its file is */
    struct orch_str file;     /* as given */
    struct value pinned;      /* MAP "<digest>/<name>" -> {digest, base_dir, file}: every sub-workflow reachable from here */
    struct engine_version *next;
    bool stored;              /* its normal form has been handed to the store */
};

struct secret {
    struct orch_str name;
    struct orch_str value;
    struct secret *next;
};

struct attempt {
    struct action_attempt base; /* first: providers hand it back */
    struct arena arena;
    struct engine_execution *execution;
    uint32_t instance;
    uint64_t fence;
    const struct action_provider *provider; /* NULL: a sub-workflow */
    void *context;
    struct logfile *log;        /* made at the first line */
    double progress;
    struct orch_str progress_text;
    bool has_progress;
    bool accepted;              /* the provider will report */
    struct attempt *bucket_next;
    struct attempt *next, *previous; /* of the execution */
};

struct execution_limit {        /* of a group: `concurrency` on it */
    uint32_t frame;
    admission_limit limit;
    struct execution_limit *next;
};

struct engine_execution {
    struct engine *engine;
    struct engine_version *version;
    struct core *core;
    struct arena arena;         /* texts below */
    int64_t number;
    char id[20];
    struct orch_str base_dir, file, by, parameters;
    struct value parameters_value;
    struct value pinned;
    int64_t parent;
    uint32_t parent_instance;
    uint64_t parent_fence;
    uint32_t nest;
    bool creating;              /* its row is not handed over yet */
    bool ended;                 /* decided; freed once durable */
    bool closing;
    uint64_t next_seq;
    uint8_t row_state;          /* as last told to the store */
    orch_time row_at;
    struct core_transitions turn; /* in the batch's arena */
    struct engine_execution *dirty_next;
    bool dirty;
    orch_time deadline;
    uint32_t heap_at;           /* in the timer heap, 0 is not in it */
    admission_limit limit;      /* concurrency of this execution */
    struct execution_limit *group_limits;
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
    struct engine_execution *dirty;      /* first to last */
    struct engine_execution **dirty_tail;
    struct waiter *waiters;
    struct waiter **waiters_tail;
    /* once handed over */
    struct commit_item { struct engine_execution *execution; uint64_t first_seq; struct core_transitions turn; } *items;
    struct store_entry *entries;
    uint32_t items_count;
};

#define ENGINE_BUCKETS 4096
#define ENGINE_PROVIDERS_MAX 8

struct named_limit { /* pools, and concurrency of a workflow over its executions */
    struct orch_str name;
    admission_limit limit;
    uint32_t users;
    struct named_limit *next;
};

struct engine {
    struct engine_options options;
    const struct orch_allocator *allocator;
    uv_loop_t loop;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;             /* active while something waits for this turn's end */
    uv_async_t wake;
    uv_timer_t retry;           /* after ORCH_ERR_FULL */
    bool handles_open;
    struct store *store;
    struct orch_str store_dir;
    struct orch_str mark;
    struct arena arena;         /* life of the engine */
    struct zonefiles zones;
    struct action_host host;
    struct { const struct action_provider *provider; void *context; bool open; } providers[ENGINE_PROVIDERS_MAX];
    uint32_t providers_count;
    struct admission *admission;
    admission_limit jobs;
    struct named_limit *pools, *workflows;
    struct batch *gathering, *committing, *spare;
    struct engine_version *versions;
    struct engine_execution *executions;
    uint32_t executions_count;
    struct engine_execution *execution_buckets[ENGINE_BUCKETS];
    struct attempt *attempt_buckets[ENGINE_BUCKETS];
    uint64_t serial;
    struct engine_execution **heap; /* by deadline; index 0 unused */
    uint32_t heap_count, heap_capacity;
    int64_t wall_minus_monotonic;
    orch_time now_last;
    struct orch_error failure;  /* set once: the engine is stopping */
    bool failed;
    bool stalled;               /* disk full: the commit under way is tried again */
    bool closing;
    bool flushing;
    bool survivors_ended;       /* what an earlier life left running is gone */
    struct control *control;
};

/* engine.c */
void engine_fail(struct engine *engine, const struct orch_error *err);
void engine_timer_set(struct engine *engine, struct engine_execution *execution, orch_time deadline);
void engine_stir(struct engine *engine); /* makes the loop come round to flush */

/* batch.c */
struct batch *batch_new(struct engine *engine);
struct batch *batch_free(struct batch *batch);
/* One input to one execution: decided now, recorded with the next append. The input's texts are copied when need be. */
int execution_feed(struct engine_execution *execution, const struct core_input *input, struct orch_error *err);
int batch_wait(struct engine *engine, engine_done done, void *user, struct orch_error *err);
void engine_flush(struct engine *engine);
void engine_retry_commit(struct uv_timer_s *timer);

/* execution.c */
struct engine_execution *execution_new(struct engine *engine, struct engine_version *version, int64_t number, struct orch_error *err);
void execution_free(struct engine_execution *execution);
int execution_start(struct engine *engine, const struct engine_start *start, struct engine_execution *parent, uint32_t parent_instance,
                    uint64_t parent_fence, struct engine_execution **ret, struct orch_error *err);
void execution_row(const struct engine_execution *execution, struct arena *arena, struct store_execution *ret);
void execution_after_end(struct engine_execution *execution);

/* attempt.c */
int attempts_open(struct engine *engine, struct orch_error *err);
void attempts_close(struct engine *engine);
bool attempt_kind_has_provider(const struct engine *engine, enum action_kind kind);
struct attempt *attempt_find(struct engine *engine, const struct engine_execution *execution, uint32_t instance);
void attempt_start(struct engine_execution *execution, uint32_t instance, uint64_t fence);
void attempt_stop(struct engine_execution *execution, uint32_t instance);
void attempt_drop_all(struct engine_execution *execution, bool hasten);
void attempt_remove(struct attempt *attempt);
struct attempt *attempt_new(struct engine_execution *execution, uint32_t instance, uint64_t fence);
/* Reports an end for an instance without a provider. */
void attempt_feed_failure(struct engine_execution *execution, uint32_t instance, uint64_t fence, enum failure failure, const char *message);

/* child.c */
int child_start(struct attempt *attempt, struct value config, struct orch_error *err);
void child_stop(struct attempt *attempt);
void child_ended(struct engine_execution *child);
/* After a resume: finds or starts the children of running workflow attempts. */
int children_resume(struct engine_execution *execution, struct orch_error *err);

/* limits.c */
int limits_open(struct engine_execution *execution, struct orch_error *err);
void limits_close(struct engine_execution *execution);
int limits_request(struct engine_execution *execution, uint32_t instance, bool take, struct orch_error *err);

/* version.c */
int version_by_digest(struct engine *engine, struct orch_str digest, struct orch_str base_dir, struct orch_str file, struct value pinned,
                      struct engine_version **ret, struct orch_error *err);
struct engine_version *version_ref(struct engine_version *version);
int version_store(struct engine_version *version, struct orch_error *err);

/* secret.c */
int secret_get(struct engine *engine, struct orch_str name, struct arena *arena, struct orch_str *ret, struct orch_error *err);
int secrets_load(struct engine_execution *execution, struct orch_error *err);

/* control.c */
int control_open(struct engine *engine, struct orch_error *err);
void control_close(struct engine *engine);

#endif
