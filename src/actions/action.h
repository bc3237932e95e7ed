/*
 * action.h - the one interface of everything that carries out a task.
 *
 * The engine renders a task's configuration, records the attempt, and only then calls start. A provider runs on the loop's thread, never blocks it,
 * and reports through the host's functions, on the same thread, exactly one `done` for each attempt that start accepted.
 */
#ifndef ACTIONS_ACTION_H
#define ACTIONS_ACTION_H

#include "base/value.h"
#include "lang/model.h"

struct uv_loop_s;

enum log_stream { LOG_STDOUT, LOG_STDERR, LOG_SYSTEM /* the orchestrator's own remarks */ };

/* How an attempt ended. Texts are borrowed for the call. */
struct action_result {
    enum failure failure;      /* FAILURE_NONE: it succeeded */
    struct orch_str error;     /* for people: "exit code 75", "killed by SIGSEGV", "cannot start ./x: no such file or directory" */
    struct orch_str output;    /* JSON text; empty: none */
    int32_t exit_code;
    int32_t signal;
    uint64_t cpu_us;
    uint64_t memory_peak;
};

struct action_attempt;

/* What a provider may ask of the engine. */
struct action_host {
    void (*done)(struct action_attempt *attempt, const struct action_result *result); /* the attempt is gone when it returns */
    void (*log)(struct action_attempt *attempt, enum log_stream stream, struct orch_str line); /* one line, without its end; any bytes */
    void (*progress)(struct action_attempt *attempt, double fraction, struct orch_str text); /* 0..1, negative: unknown */
};

/* One attempt, made by the engine; `state` is the provider's. Everything else is read only and lives until done returns. */
struct action_attempt {
    const struct action_host *host;
    void *engine;                  /* the host's own */
    void *state;                   /* the provider's own */
    struct arena *arena;           /* freed after done */
    uint64_t serial;               /* unique in this process: an id for spawner and the like */
    enum action_kind kind;
    struct value config;           /* rendered, a MAP; may hold secrets: never to a log or record */
    struct value env;              /* rendered, a MAP name -> string */
    struct value parameters;       /* the execution's parameters, a MAP */
    struct orch_str execution_id;
    struct orch_str workflow_name;
    struct orch_str task_path;
    struct orch_str key;           /* idempotency key "execution/path/generation", the same for all attempts */
    uint32_t attempt_number;
    uint64_t fence;
    const struct action_input *inputs; /* outputs of the tasks it depends on directly */
    uint32_t inputs_count;
    const struct orch_str *secrets; /* values to mask in logs and outputs */
    uint32_t secrets_count;
    orch_time grace_us;            /* between SIGTERM and SIGKILL */
    struct orch_str scratch_dir;   /* a name in the directory where attempts may have directories of their own (mode 0700); the same for all. Whoever makes one removes it */
    struct orch_str base_dir;      /* where the definition's file is: relative paths and the default working directory */
};

struct action_input {
    struct orch_str task;          /* its id */
    struct orch_str output;        /* JSON text */
};

/* A provider: static, without state of its own; what it needs at run time is in its context, made once for an engine. */
struct action_provider {
    const char *name;
    const enum action_kind *kinds;     /* what it carries out, ACTION_NONE ends the list */
    int (*open)(struct uv_loop_s *loop, struct orch_str store_mark, void **ret_context, struct orch_error *err); /* may be NULL */
    void (*close)(void *context);      /* every attempt is over by then; kills and waits where not */
    /* Starts. 0: accepted, done will be called (perhaps from within). An error: not started, done is not called; the engine records the failure (ORCH_ERR_INVALID: permanent). */
    int (*start)(void *context, struct action_attempt *attempt, struct orch_error *err);
    /* Asks for the end; done follows within grace + 1 s. hasten: again, with no grace left. */
    void (*stop)(void *context, struct action_attempt *attempt, bool hasten);
};

extern const struct action_provider action_process_provider;      /* shell, exec, script */
extern const struct action_provider action_notification_provider; /* notification */

/*
 * Functions of the embedding program: run on worker threads.
 */
struct action_function_call {
    struct orch_str name;
    struct value parameters;       /* rendered, a MAP */
    struct value execution_parameters; /* a MAP */
    struct orch_str execution_id;
    struct orch_str task_path;
    struct orch_str key;
    uint32_t attempt_number;
    const struct action_input *inputs; /* outputs of the tasks it depends on directly */
    uint32_t inputs_count;
    struct arena *arena;           /* for the result */
    bool (*is_stopped)(const struct action_function_call *call); /* any thread */
    /* A line for the log. Waits while the loop has much of it to take up, unless the call is to stop. The worker thread. */
    void (*log)(const struct action_function_call *call, struct orch_str line);
    void *internal;
};
/*
 * Returns 0 and sets *ret_output, or an error: what orch_error_can_retry says no of is permanent, others may be retried.
 * Runs on a worker thread.
 */
typedef int (*action_function)(const struct action_function_call *call, void *user, struct value *ret_output, struct orch_error *err);
struct action_functions;           /* a registry: name -> function */
struct action_functions *action_functions_new(const struct orch_allocator *allocator);
struct action_functions *action_functions_free(struct action_functions *functions);
int action_functions_add(struct action_functions *functions, struct orch_str name, action_function fn, void *user, struct orch_error *err);
bool action_functions_has(const struct action_functions *functions, struct orch_str name);
/*
 * Somebody who knows more functions, asked before those that were added, on the loop's thread: `find` says whether there is one, and
 * which. execution_id is empty when it is only asked whether (action_functions_has); else what *ret_user needs is made in the arena, which
 * lives as long as the call. *ret_fn stays NULL for want of memory.
 */
typedef bool (*action_functions_find)(void *user, struct orch_str execution_id, struct orch_str name, struct arena *arena,
                                      action_function *ret_fn, void **ret_user);
void action_functions_set_find(struct action_functions *functions, action_functions_find find, void *user);
extern const struct action_provider action_function_provider; /* its context is made by action_function_open, since it needs the registry */
int action_function_open(struct uv_loop_s *loop, struct action_functions *functions, uint32_t threads, void **ret_context, struct orch_error *err);

#endif
