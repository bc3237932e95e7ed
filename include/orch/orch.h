/*
 * orch.h - the public interface of liborch.
 *
 * This is the one public header: what is not in it is not the API. It is plain C11, safe to include
 * from C++, and every name in it begins with orch_ or ORCH_.
 *
 * Conventions, which hold for every function below:
 *  - A function that can fail returns 0 or a negative ORCH_ERR_*. Results come through ret_*
 *    parameters, which are untouched on failure. `struct orch_error *err` is last and may be NULL;
 *    it is filled on failure and untouched on success.
 *  - Strings are UTF-8. Times are microseconds since 1970-01-01 00:00 UTC; durations are microseconds.
 *  - A struct orch_str that is handed out is terminated by a NUL that size does not count, and its data is never NULL.
 *  - A struct that callers fill in, or have filled in, begins with its size, so that it can grow: start from its
 *    ORCH_..._INIT. What is 0 or NULL has its usual value.
 *  - Whatever is opened or made is given back by the _close or _free beside it; these accept NULL and return NULL.
 *  - Nothing is global: no signal handler is installed, nothing is printed, several engines live side by side.
 *
 * In short: make or read a workflow, open an engine, start executions of the one in the other, and keep the engine going:
 * by waiting (orch_execution_wait, orch_engine_run), from an event loop (orch_engine_descriptor, _timeout, _step), or on
 * a thread of its own (orch_engine_start_thread).
 *
 * Threads. Functions of an engine and of its executions may be called from any thread; they take turns. A workflow is
 * used by one thread at a time until it is first started; from then on it never changes, and any may read it. What a
 * task's function is given, struct orch_call, belongs to the thread it runs on. Each function says where it differs.
 *
 * Callbacks come on the thread that keeps the engine going, one at a time. They may call all functions but those that
 * wait, which return ORCH_ERR_MISUSE there: orch_engine_run, _step, _stop_thread, orch_execution_wait and _run;
 * and orch_engine_close, which has nothing to return and must not be called.
 */
#ifndef ORCH_ORCH_H
#define ORCH_ORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ORCH_API __attribute__((visibility("default")))
#define ORCH_PRINTF(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#else
#define ORCH_API
#define ORCH_PRINTF(format_index, first_index)
#endif

#define ORCH_VERSION_MAJOR 0
#define ORCH_VERSION_MINOR 1
#define ORCH_VERSION_PATCH 0
#define ORCH_VERSION "0.1.0"

/** Microseconds: since 1970-01-01 00:00 UTC for a moment, a length for a duration. */
typedef int64_t orch_time;

/** The latest representable moment; as a deadline it means "never". */
#define ORCH_TIME_NEVER INT64_MAX
#define ORCH_MILLISECOND INT64_C(1000)
#define ORCH_SECOND INT64_C(1000000)

/** A borrowed piece of text: not terminated, may hold any byte; data may be NULL when size is 0. */
struct orch_str {
    const char *data;
    size_t size; /* bytes */
};

/**
 * Where memory comes from. A NULL allocator anywhere means the C library's.
 *
 * resize(user, block, size_old, size_new) follows realloc: block NULL allocates, size_new 0 frees and
 * returns NULL. It returns NULL when memory is short, and the old block is then still valid.
 */
struct orch_allocator {
    void *(*resize)(void *user, void *block, size_t size_old, size_t size_new);
    void *user;
};

/*
 * Every error there is: code, name, text, HTTP status, exit code of the command line, and whether
 * trying the same thing again later can help. Numbers are stored and never reused.
 */
#define ORCH_ERROR_LIST(X)                                                                  \
    /* name        number  text                                     http exit retry */     \
    X(NO_MEMORY,   -1,  "out of memory",                              503, 11, true)         \
    X(MISUSE,      -2,  "called in a way it does not allow",          500, 13, false)        \
    X(INTERNAL,    -3,  "internal error",                             500, 13, false)        \
    X(USAGE,       -4,  "wrong usage",                                400, 2,  false)        \
    X(INVALID,     -5,  "not valid",                                  422, 3,  false)        \
    X(CYCLE,       -6,  "tasks wait for each other",                  422, 3,  false)        \
    X(DEPENDENCY,  -7,  "a dependency cannot be resolved",            422, 3,  false)        \
    X(EVALUATION,  -8,  "an expression cannot be evaluated",          422, 3,  false)        \
    X(LIMIT,       -9,  "larger than allowed",                        413, 3,  false)        \
    X(NOT_FOUND,   -10, "not found",                                  404, 4,  false)        \
    X(DENIED,      -11, "not allowed",                                403, 5,  false)        \
    X(EXISTS,      -12, "already exists",                             409, 6,  false)        \
    X(STATE,       -13, "not possible in this state",                 409, 6,  false)        \
    X(CONCURRENCY, -14, "owned by another process",                   409, 6,  true)         \
    X(UNAVAILABLE, -15, "cannot be reached",                          503, 7,  true)         \
    X(TIMEOUT,     -16, "timed out",                                  504, 8,  true)         \
    X(CANCELLED,   -17, "cancelled",                                  409, 9,  false)        \
    X(FULL,        -18, "no space left",                              507, 11, true)         \
    X(OVERLOADED,  -19, "too much at once",                           429, 11, true)         \
    X(IO,          -20, "input or output failed",                     500, 13, true)         \
    X(CORRUPT,     -21, "storage is damaged",                         500, 12, false)        \
    X(VERSION,     -22, "written by a newer version",                 500, 12, false)        \
    X(TASK_FAILED, -23, "a task failed",                              500, 1,  true)         \
    X(UNSUPPORTED, -24, "not supported here",                         501, 2,  false)

enum orch_error_code {
    ORCH_OK = 0,
#define ORCH_ERROR_ENUM(name, number, text, http, exit_code, retry) ORCH_ERR_##name = (number),
    ORCH_ERROR_LIST(ORCH_ERROR_ENUM)
#undef ORCH_ERROR_ENUM
};

/**
 * What went wrong, owned by the caller; holds no pointer, so it is copied freely and never freed.
 * `message` says what failed, `hint` what to do about it. The texts are terminated and cut at a
 * character boundary when they do not fit.
 */
struct orch_error {
    int code;           /* ORCH_ERR_*; 0 when nothing went wrong */
    uint32_t line;      /* 1 is the first; 0 means no place */
    uint32_t column;    /* in characters, 1 is the first; 0 means no place */
    char file[256];     /* empty when no file is concerned */
    char message[512];
    char hint[256];     /* empty when there is none */
};

#ifdef __cplusplus
#define ORCH_ERROR_INIT {} /* {0} makes C++ compilers warn of the members it does not name */
#else
#define ORCH_ERROR_INIT {0}
#endif

/**
 * Name of an error code, such as "NOT_FOUND".
 *
 * @param code  an ORCH_ERR_*, or 0
 * @return a constant string; "OK" for 0, "UNKNOWN" for a number that is no error code
 * Threads: any.
 */
ORCH_API const char *orch_error_name(int code);

/**
 * A short text for an error code, such as "not found"; lower case, no full stop.
 *
 * @param code  an ORCH_ERR_*, or 0
 * @return a constant string
 * Threads: any.
 */
ORCH_API const char *orch_error_text(int code);

/** The command line's exit code for an error code, 0 to 13; 13 for an unknown one. Threads: any. */
ORCH_API int orch_error_exit_code(int code);

/** The HTTP status for an error code; 200 for 0, 500 for an unknown one. Threads: any. */
ORCH_API int orch_error_http_status(int code);

/** Whether the same call can succeed later without a change. Threads: any. */
ORCH_API bool orch_error_can_retry(int code);

/**
 * The version of the library that runs, "major.minor.patch"; ORCH_VERSION is the version compiled against.
 * @return a constant string. Threads: any.
 */
ORCH_API const char *orch_version(void);

/*
 * States. Numbers are stored and never change.
 */

/** How a task stands: ORCH_TASK_PENDING and so on. From SUCCEEDED on it is over, but for COMPENSATING. */
#define ORCH_TASK_STATE_LIST(X)                                                            \
    X(PENDING,      0, "pending")      /* waits for tasks before it */                      \
    X(READY,        1, "ready")        /* may start; waits for a free place */              \
    X(WAITING,      2, "waiting")      /* for a time, an event, an approval, its next try */ \
    X(RUNNING,      3, "running")                                                          \
    X(SUCCEEDED,    4, "succeeded")                                                        \
    X(FAILED,       5, "failed")                                                           \
    X(SKIPPED,      6, "skipped")      /* its condition was false, or what it needs failed */ \
    X(CANCELLED,    7, "cancelled")                                                        \
    X(TIMED_OUT,    8, "timed_out")                                                        \
    X(COMPENSATING, 9, "compensating") /* had succeeded, is being undone */                 \
    X(COMPENSATED, 10, "compensated")

enum orch_task_state {
#define ORCH_TASK_STATE_ENUM(name, number, text) ORCH_TASK_##name = (number),
    ORCH_TASK_STATE_LIST(ORCH_TASK_STATE_ENUM)
#undef ORCH_TASK_STATE_ENUM
};

/** How an execution stands: ORCH_EXECUTION_PENDING and so on. From SUCCEEDED on it is over. */
#define ORCH_EXECUTION_STATE_LIST(X)                                                       \
    X(PENDING,      0, "pending")                                                          \
    X(RUNNING,      1, "running")                                                          \
    X(PAUSED,       2, "paused")       /* what runs goes on, nothing new starts */          \
    X(COMPENSATING, 3, "compensating")                                                     \
    X(SUCCEEDED,    4, "succeeded")                                                        \
    X(FAILED,       5, "failed")                                                           \
    X(CANCELLED,    6, "cancelled")                                                        \
    X(TIMED_OUT,    7, "timed_out")                                                        \
    X(COMPENSATED,  8, "compensated")  /* failed, and what had a compensation was undone */

enum orch_execution_state {
#define ORCH_EXECUTION_STATE_ENUM(name, number, text) ORCH_EXECUTION_##name = (number),
    ORCH_EXECUTION_STATE_LIST(ORCH_EXECUTION_STATE_ENUM)
#undef ORCH_EXECUTION_STATE_ENUM
};

/** "succeeded", "timed_out", ...; "unknown" for a number that is no state. A constant string. Threads: any. */
ORCH_API const char *orch_task_state_name(int state);

/** "succeeded", "timed_out", ...; "unknown" for a number that is no state. A constant string. Threads: any. */
ORCH_API const char *orch_execution_state_name(int state);

/** Whether a task in this state is over. Threads: any. */
ORCH_API bool orch_task_state_is_over(int state);

/** Whether an execution in this state is over. Threads: any. */
ORCH_API bool orch_execution_state_is_over(int state);

/*
 * Handles.
 */
struct orch_engine;    /* runs executions, keeps them in memory or in a folder */
struct orch_workflow;  /* what is to be done: tasks and what they wait for */
struct orch_execution; /* one run of a workflow */
struct orch_call;      /* one call of a C function as a task */

/** A task of a workflow that is being built, or of an execution: 0 is the first. */
typedef uint32_t orch_task;

/** No task. */
#define ORCH_NO_TASK UINT32_MAX

/**
 * A C function as a task; runs on a thread of the engine's pool, perhaps several at once.
 *
 * @param call  its surroundings: parameters, what the tasks before it gave, its output; until it returns
 * @param user  as it was given with the task; whoever gave it sees to it that it lives long enough
 * @return 0: the task has succeeded; an ORCH_ERR_*: it has failed, for good unless orch_error_can_retry(code) and the
 *         task has a retry; best through orch_call_fail, which adds the reason. Any other number is TASK_FAILED
 */
typedef int (*orch_function)(struct orch_call *call, void *user);

/*
 * Workflows, read from text.
 */

/** Something to be said of a definition. Texts live for the length of the callback. */
struct orch_finding {
    bool is_warning;     /* else it is an error */
    char code[8];        /* "E0201": `orch help E0201`, docs/errors.md */
    uint32_t line;       /* 1 is the first; 0: no place */
    uint32_t column;     /* in characters, 1 is the first */
    uint32_t length;     /* characters from there on */
    struct orch_str message;
    struct orch_str label; /* what to write below the place; may be empty */
    struct orch_str help;  /* what to do about it; may be empty */
};

/** Is told of all findings, errors first, then by place. */
typedef void (*orch_finding_function)(void *user, const struct orch_finding *finding);

/**
 * Read a workflow from a definition, as docs/definitions.md describes it.
 *
 * @param text        YAML or JSON; not kept
 * @param size        bytes of it; SIZE_MAX: up to its NUL
 * @param file        where it is from: for messages, and the place that relative paths and sub-workflows count from;
 *                    NULL: from nowhere, they count from the working directory
 * @param on_finding  told of everything that is wrong or odd; may be NULL
 * @param user        for on_finding
 * @param ret         the workflow; free it with orch_workflow_free
 * @param err         filled on failure with the first error and its place; may be NULL
 * @return 0; ORCH_ERR_INVALID, _CYCLE, _DEPENDENCY or _LIMIT when there are errors; ORCH_ERR_NO_MEMORY
 *
 * Threads: any.
 */
ORCH_API int orch_workflow_parse(const char *text, size_t size, const char *file, orch_finding_function on_finding,
                                 void *user, struct orch_workflow **ret, struct orch_error *err);

/**
 * Read a workflow from a file; see orch_workflow_parse.
 *
 * @param file        its path
 * @param on_finding  told of everything that is wrong or odd; may be NULL
 * @param user        for on_finding
 * @param ret         the workflow; free it with orch_workflow_free
 * @param err         filled on failure; may be NULL
 * @return as orch_workflow_parse; also ORCH_ERR_NOT_FOUND, _DENIED, _IO
 *
 * Threads: any.
 */
ORCH_API int orch_workflow_load(const char *file, orch_finding_function on_finding, void *user,
                                struct orch_workflow **ret, struct orch_error *err);

/*
 * Workflows, built by the program.
 *
 * Tasks are numbers, so that a million of them are cheap: a function task takes some fifty bytes, dependencies four to
 * eight each. A name is optional: without one a task is called "task_1", "task_2" and so on, by its number from 1 on.
 * Names are [A-Za-z_][A-Za-z0-9_-]*, each once. Once a workflow was started it can be changed no more
 * (ORCH_ERR_STATE).
 */

/**
 * Make an empty workflow.
 *
 * @param name       what it is called; any text
 * @param allocator  where its memory comes from, copied; NULL: the C library. What is shared with an engine once it is
 *                   started is given back by whichever thread is the last to use it
 * @param ret        the workflow; free it with orch_workflow_free
 * @param err        filled on failure; may be NULL
 * @return 0; ORCH_ERR_MISUSE without a name; ORCH_ERR_NO_MEMORY
 */
ORCH_API int orch_workflow_new(const char *name, const struct orch_allocator *allocator, struct orch_workflow **ret,
                               struct orch_error *err);

/** Free a workflow. Executions of it go on. NULL is fine. Returns NULL. */
ORCH_API struct orch_workflow *orch_workflow_free(struct orch_workflow *workflow);

/**
 * Add a C function as a task.
 *
 * @param name      its name; NULL: made up
 * @param function  what it does
 * @param user      handed to it
 * @param ret_task  its number; may be NULL
 * @return 0; ORCH_ERR_EXISTS for a name that there is; ORCH_ERR_INVALID for what cannot be a name; ORCH_ERR_STATE after
 *         the workflow was started, or when it was read from text; ORCH_ERR_LIMIT; ORCH_ERR_NO_MEMORY
 */
ORCH_API int orch_workflow_add_function(struct orch_workflow *workflow, const char *name, orch_function function,
                                        void *user, orch_task *ret_task, struct orch_error *err);

/**
 * Add a task that calls a function which the engine knows by name: orch_engine_add_function.
 *
 * @param name        its name; NULL: made up
 * @param function    the function's name
 * @param parameters  what it is given: a map as YAML or JSON, with templates as in a definition; NULL: none
 * @param ret_task    its number; may be NULL
 * @return as orch_workflow_add_function; ORCH_ERR_INVALID also when parameters cannot be read
 */
ORCH_API int orch_workflow_add_call(struct orch_workflow *workflow, const char *name, const char *function,
                                    const char *parameters, orch_task *ret_task, struct orch_error *err);

/**
 * Add a shell command as a task: text for /bin/sh -c. Values reach it as environment variables: orch_workflow_set_env.
 *
 * @param name      its name; NULL: made up
 * @param text      the command
 * @param ret_task  its number; may be NULL
 * @return as orch_workflow_add_function
 */
ORCH_API int orch_workflow_add_shell(struct orch_workflow *workflow, const char *name, const char *text,
                                     orch_task *ret_task, struct orch_error *err);

/**
 * Add a program with its arguments as a task, without a shell.
 *
 * @param name      its name; NULL: made up
 * @param argv      the program and its arguments, NULL at the end; each may hold templates
 * @param ret_task  its number; may be NULL
 * @return as orch_workflow_add_function
 */
ORCH_API int orch_workflow_add_exec(struct orch_workflow *workflow, const char *name, const char *const *argv,
                                    orch_task *ret_task, struct orch_error *err);

/**
 * Add a script as a task.
 *
 * @param name         its name; NULL: made up
 * @param file         path of the script, from the folder of the definition on
 * @param interpreter  what runs it, such as "python3"; NULL: as its first line says
 * @param ret_task     its number; may be NULL
 * @return as orch_workflow_add_function
 */
ORCH_API int orch_workflow_add_script(struct orch_workflow *workflow, const char *name, const char *file,
                                      const char *interpreter, orch_task *ret_task, struct orch_error *err);

/**
 * Add a task that computes a value from what other tasks gave.
 *
 * @param name        its name; NULL: made up
 * @param expression  as in docs/expressions.md: "a.output.count + b.output.count"
 * @param ret_task    its number; may be NULL
 * @return as orch_workflow_add_function; whether the expression makes sense is found out by orch_workflow_check
 */
ORCH_API int orch_workflow_add_transform(struct orch_workflow *workflow, const char *name, const char *expression,
                                         orch_task *ret_task, struct orch_error *err);

/**
 * Add any task that a definition can have: a group, a loop, an approval, a wait, a sub-workflow.
 *
 * @param name      its name; NULL: made up
 * @param text      the task as YAML or JSON: "{approval: 'Ship it?', timeout: 1h}". Its `depends_on` may name tasks that
 *                  are added later
 * @param ret_task  its number; may be NULL
 * @return as orch_workflow_add_function; ORCH_ERR_INVALID also when text is no YAML or no map
 */
ORCH_API int orch_workflow_add_task(struct orch_workflow *workflow, const char *name, const char *text,
                                    orch_task *ret_task, struct orch_error *err);

/**
 * Let a task wait until another has succeeded. The other way to say it twice is no error. Cycles are found by
 * orch_workflow_check, or at the start.
 *
 * @param task  which waits
 * @param on    for which
 * @return 0; ORCH_ERR_NOT_FOUND for a number that is no task; ORCH_ERR_CYCLE when both are one; ORCH_ERR_STATE;
 *         ORCH_ERR_LIMIT; ORCH_ERR_NO_MEMORY
 */
ORCH_API int orch_workflow_depend(struct orch_workflow *workflow, orch_task task, orch_task on, struct orch_error *err);

/**
 * Let tasks run one after the other: each waits for the one before it.
 *
 * @param tasks  in this order
 * @param count  how many
 * @return as orch_workflow_depend
 */
ORCH_API int orch_chain(struct orch_workflow *workflow, const orch_task *tasks, size_t count, struct orch_error *err);

/**
 * Let tasks run side by side, once another has succeeded.
 *
 * @param after  which they wait for; ORCH_NO_TASK: for none, and then there is nothing to do
 * @param tasks  all of them
 * @param count  how many
 * @return as orch_workflow_depend
 */
ORCH_API int orch_parallel(struct orch_workflow *workflow, orch_task after, const orch_task *tasks, size_t count,
                           struct orch_error *err);

/**
 * Spread work and collect it: tasks that run side by side after a first, and a last that waits for all of them.
 *
 * @param first  or ORCH_NO_TASK
 * @param tasks  those in between
 * @param count  how many
 * @param last   or ORCH_NO_TASK
 * @return as orch_workflow_depend
 */
ORCH_API int orch_fan_out_fan_in(struct orch_workflow *workflow, orch_task first, const orch_task *tasks, size_t count,
                                 orch_task last, struct orch_error *err);

/** How often a task is tried, and how long it waits in between. */
struct orch_retry {
    size_t size;
    uint32_t attempts_max; /* all tries; 0: 3 */
    orch_time delay_us;    /* before the second try; 0: 1 s */
    orch_time delay_max_us; /* 0: an hour */
    double factor;         /* each wait is so many times the one before; 0: 2; 1: all alike */
    double jitter;         /* 0 to 1: the part of each wait that is left to chance */
};
#define ORCH_RETRY_INIT {sizeof(struct orch_retry), 0, 0, 0, 0.0, 0.0}

/**
 * Let a task be tried again when it fails.
 *
 * @param retry  copied; NULL: the usual values
 * @return 0; ORCH_ERR_NOT_FOUND; ORCH_ERR_INVALID; ORCH_ERR_STATE; ORCH_ERR_NO_MEMORY
 */
ORCH_API int orch_workflow_set_retry(struct orch_workflow *workflow, orch_task task, const struct orch_retry *retry,
                                     struct orch_error *err);

/**
 * Limit the time that one try of a task may take.
 *
 * @param timeout_us  more than 0
 * @return as orch_workflow_set_retry
 */
ORCH_API int orch_workflow_set_timeout(struct orch_workflow *workflow, orch_task task, orch_time timeout_us,
                                       struct orch_error *err);

/**
 * Give a task a condition: it is skipped unless the expression is true.
 *
 * @param expression  as in docs/expressions.md: "params.day == 'monday' && fetch.output.count > 0"
 * @return as orch_workflow_set_retry
 */
ORCH_API int orch_workflow_set_when(struct orch_workflow *workflow, orch_task task, const char *expression,
                                    struct orch_error *err);

/**
 * Give a task an environment variable.
 *
 * @param name   of the variable
 * @param value  may hold templates: "{{ fetch.output.count }}"
 * @return as orch_workflow_set_retry; ORCH_ERR_EXISTS when the task has it already
 */
ORCH_API int orch_workflow_set_env(struct orch_workflow *workflow, orch_task task, const char *name, const char *value,
                                   struct orch_error *err);

/**
 * Give a task anything else that a definition can: docs/definitions.md lists the keys.
 *
 * @param key   such as "on_error", "join", "continue_on_error", "pool", "compensate"; not depends_on
 * @param text  the value as YAML or JSON
 * @return as orch_workflow_set_retry; ORCH_ERR_EXISTS when the task has the key already
 */
ORCH_API int orch_workflow_set_task(struct orch_workflow *workflow, orch_task task, const char *key, const char *text,
                                    struct orch_error *err);

/**
 * Give the workflow what a definition can have beside tasks.
 *
 * @param key   such as "description", "fail_fast", "timeout", "concurrency", "output", "finally"; not name, tasks,
 *              parameters
 * @param text  the value as YAML or JSON
 * @return as orch_workflow_set_task
 */
ORCH_API int orch_workflow_set(struct orch_workflow *workflow, const char *key, const char *text,
                               struct orch_error *err);

/**
 * Declare a parameter.
 *
 * @param name  of the parameter
 * @param text  what may be given, as YAML or JSON: "{type: integer, min: 1, default: 3}"; NULL: anything, or nothing
 * @return 0; ORCH_ERR_EXISTS; ORCH_ERR_INVALID; ORCH_ERR_STATE; ORCH_ERR_NO_MEMORY
 */
ORCH_API int orch_workflow_add_parameter(struct orch_workflow *workflow, const char *name, const char *text,
                                         struct orch_error *err);

/** What a workflow is called; lives as long as it. */
ORCH_API const char *orch_workflow_name(const struct orch_workflow *workflow);

/** How many tasks it has: those that were added, or those at the top of the definition it was read from. */
ORCH_API uint32_t orch_workflow_count(const struct orch_workflow *workflow);

/**
 * Find a task by its name, also one that was made up.
 *
 * @param ret_task  its number
 * @return 0; ORCH_ERR_NOT_FOUND
 */
ORCH_API int orch_workflow_find(const struct orch_workflow *workflow, const char *name, orch_task *ret_task,
                                struct orch_error *err);

/**
 * Check everything that can be checked without an engine: names, dependencies, expressions, values. A start does so too.
 *
 * @param on_finding  told of everything that is wrong or odd; places are those in orch_workflow_definition; may be NULL
 * @param user        for on_finding
 * @return as orch_workflow_parse
 */
ORCH_API int orch_workflow_check(const struct orch_workflow *workflow, orch_finding_function on_finding, void *user,
                                 struct orch_error *err);

/**
 * The definition of a workflow in its normal form: what `orch fmt` prints. Written to a file, `orch run` runs it, as long
 * as no task is a C function.
 *
 * @param as_json  JSON, else YAML
 * @param ret      the text; until the next call of this function for the workflow, or its end
 * @return 0; as orch_workflow_parse when the workflow is wrong
 */
ORCH_API int orch_workflow_definition(struct orch_workflow *workflow, bool as_json, struct orch_str *ret,
                                      struct orch_error *err);

/*
 * Engines.
 */

/** A transition of an execution: what has become of it or of one of its tasks. Texts live for the length of the callback. */
struct orch_event {
    struct orch_str execution; /* id: "r-7Q2K" */
    uint64_t sequence;         /* 1 is the execution's first; without a gap */
    orch_time at;
    struct orch_str type;      /* "task.started", "task.ended", "execution.ended", ...: docs/progress.md */
    struct orch_str task;      /* path of the task it is about; empty: the execution, or a block of it */
    orch_task number;          /* of that task; or ORCH_NO_TASK */
    int state;                 /* of *.ended: an ORCH_TASK_* for a task, an ORCH_EXECUTION_* for the execution; else -1 */
    uint32_t attempt;          /* 1 is the first; 0: about none */
    struct orch_str error;     /* what failed, for people; may be empty */
};

/** A line that a task wrote. Texts live for the length of the callback. */
struct orch_log_line {
    struct orch_str execution; /* id */
    struct orch_str task;      /* path */
    orch_task number;
    uint32_t attempt;
    char stream;               /* 'o' stdout, 'e' stderr, 's' the engine's own remark; orch_call_log writes to 'o' */
    struct orch_str line;      /* without its end; any bytes; secrets are masked */
};

/** How an engine is. */
struct orch_engine_options {
    size_t size;
    const struct orch_allocator *allocator; /* of handles and of the states of executions; copied. What SQLite, libuv and
                                               OpenSSL need comes from the C library. Asked by one thread at a time, and
                                               by threads of functions for what they give. NULL: the C library */
    uint32_t jobs;             /* programs and functions at once; 0: the number of processors, at least 4 */
    uint32_t threads;          /* for functions; made when they are needed; 0: the number of processors */
    orch_time grace_us;        /* a task that is stopped has so long to end by itself; 0: 10 s */
    bool no_sync;              /* of a folder: do not wait for the disk. For tests: a power cut may lose what was told */
    bool control;              /* of a folder: do what `orch cancel`, `approve` and so on ask from outside */
    const char *secrets_folder; /* files named like secrets; NULL: they come from the environment only */
    void (*on_event)(void *user, const struct orch_event *event);    /* may be NULL */
    void (*on_log)(void *user, const struct orch_log_line *line);    /* may be NULL */
    void (*on_trouble)(void *user, const struct orch_error *err);    /* the disk is full (it goes on when there is room), a
                                                                        log cannot be written, the store failed; or NULL */
    void *user;                /* for these three */
};
#define ORCH_ENGINE_OPTIONS_INIT {sizeof(struct orch_engine_options), NULL, 0, 0, 0, false, false, NULL, NULL, NULL, NULL, NULL}

/**
 * Open an engine.
 *
 * @param path     a folder, made when it is not there: executions are kept in it, durably. NULL: in memory
 * @param options  copied; NULL: all usual
 * @param ret      the engine; close it with orch_engine_close
 * @param err      filled on failure; may be NULL
 * @return 0; ORCH_ERR_CONCURRENCY when another process, or another engine, has the folder; ORCH_ERR_VERSION,
 *         _CORRUPT, _IO, _FULL, _DENIED; ORCH_ERR_NO_MEMORY
 *
 * What was interrupted in a folder stays so until orch_engine_resume or orch_execution_continue.
 */
ORCH_API int orch_engine_open(const char *path, const struct orch_engine_options *options, struct orch_engine **ret,
                              struct orch_error *err);

/**
 * Close an engine: what was decided is recorded, what runs is stopped; in a folder, it can be gone on with after the next
 * open. Waits for functions that run: they see orch_call_is_stopped. Executions that are still held stay valid, and
 * answer ORCH_ERR_STATE. NULL is fine. Returns NULL.
 *
 * Threads: no other function of the engine may be running, but the one of orch_engine_start_thread.
 */
ORCH_API struct orch_engine *orch_engine_close(struct orch_engine *engine);

/**
 * Keep the engine going until all executions are over; it waits, for as long as it takes, for those that are paused or
 * wait for an approval or event.
 *
 * @return 0, also when executions failed; the store's error, and then nothing more is recorded; ORCH_ERR_MISUSE in a
 *         callback
 */
ORCH_API int orch_engine_run(struct orch_engine *engine, struct orch_error *err);

/**
 * Keep the engine going for a moment: do what is at hand. For event loops: call it when the descriptor is readable, when
 * orch_engine_timeout has passed, and once after functions that ask something of the engine.
 *
 * @param max_us  wait so long at most when nothing is at hand, and return as soon as something was done; 0: never wait
 * @return as orch_engine_run
 */
ORCH_API int orch_engine_step(struct orch_engine *engine, orch_time max_us, struct orch_error *err);

/** A descriptor to poll for reading, for event loops; the same for the engine's whole life; never read or close it. */
ORCH_API int orch_engine_descriptor(const struct orch_engine *engine);

/** Microseconds until orch_engine_step is due though the descriptor is quiet; 0: now; ORCH_TIME_NEVER: not by itself. */
ORCH_API orch_time orch_engine_timeout(struct orch_engine *engine);

/**
 * Keep the engine going on a thread of its own, with all signals blocked, until orch_engine_stop_thread or
 * orch_engine_close. Callbacks come on that thread.
 *
 * @return 0; ORCH_ERR_STATE when it has one; ORCH_ERR_OVERLOADED when no thread can be made
 */
ORCH_API int orch_engine_start_thread(struct orch_engine *engine, struct orch_error *err);

/**
 * End the thread of orch_engine_start_thread. Executions rest until the engine is kept going again.
 *
 * @return 0; ORCH_ERR_STATE when it has none; the store's error when that ended it before; ORCH_ERR_MISUSE in a callback
 */
ORCH_API int orch_engine_stop_thread(struct orch_engine *engine, struct orch_error *err);

/**
 * Tell the engine a function by name, for workflows that call it: `function: NAME` in a definition,
 * orch_workflow_add_call.
 *
 * @param name      any text
 * @param function  what it does
 * @param user      handed to it
 * @return 0; ORCH_ERR_EXISTS; ORCH_ERR_NO_MEMORY
 */
ORCH_API int orch_engine_add_function(struct orch_engine *engine, const char *name, orch_function function, void *user,
                                      struct orch_error *err);

/**
 * Tell the engine a workflow whose tasks are C functions, before its interrupted executions are gone on with: those of the
 * same name call the functions of its tasks. Of two with one name the later counts. It can be changed no more.
 *
 * @return 0; ORCH_ERR_NO_MEMORY; as orch_workflow_check
 */
ORCH_API int orch_engine_add_workflow(struct orch_engine *engine, struct orch_workflow *workflow,
                                      struct orch_error *err);

/**
 * Go on with everything that was interrupted when the folder was last open. What was under way is tried again, as the
 * task's on_interrupt says; what was recorded is not run again.
 *
 * @param ret_count  how many; may be NULL
 * @return 0; the first error of an execution that cannot be gone on with, and then the others are gone on with
 *         nevertheless: ORCH_ERR_UNSUPPORTED for a function that the engine does not know, ORCH_ERR_NOT_FOUND for a
 *         secret, ORCH_ERR_CORRUPT, ...
 */
ORCH_API int orch_engine_resume(struct orch_engine *engine, uint32_t *ret_count, struct orch_error *err);

/** An execution in a list. Texts live for the length of the callback. */
struct orch_execution_row {
    struct orch_str id;
    struct orch_str workflow;  /* its name */
    int state;                 /* an ORCH_EXECUTION_* */
    bool is_loaded;            /* false for one that is not over: it was interrupted */
    uint32_t tasks_total, tasks_done, tasks_failed;
    orch_time started_at, ended_at; /* 0: not yet */
    struct orch_str by;        /* who started it; may be empty */
    struct orch_str error;     /* why it failed; may be empty */
};

/** Which executions are wanted. */
struct orch_filter {
    size_t size;
    const char *workflow;      /* of this name only; NULL: all */
    uint32_t states;           /* bits 1u << ORCH_EXECUTION_*; 0: all */
    orch_time since, until;    /* started in [since, until); 0: open */
    uint32_t count_max;        /* 0: 100 */
};
#define ORCH_FILTER_INIT {sizeof(struct orch_filter), NULL, 0, 0, 0, 0}

/**
 * Look through the executions that an engine has, newest first.
 *
 * @param filter  NULL: all usual
 * @param fn      told of each; other than 0 ends it
 * @param user    for fn
 * @return 0; what fn returned; ORCH_ERR_IO, ...
 */
ORCH_API int orch_engine_each_execution(struct orch_engine *engine, const struct orch_filter *filter,
                                        int (*fn)(void *user, const struct orch_execution_row *row), void *user,
                                        struct orch_error *err);

/*
 * Executions.
 */

/** How an execution is started. */
struct orch_start_options {
    size_t size;
    const char *parameters;    /* a JSON object; NULL: none */
    const char *by;            /* who starts it; NULL: nobody in particular */
    bool history;              /* in memory: keep a history, and tell of events, of a graph of functions too */
    void (*on_end)(void *user, struct orch_execution *execution); /* it is over and recorded; may free it and start others, not run it again; may be NULL */
    void *user;                /* for on_end */
};
#define ORCH_START_OPTIONS_INIT {sizeof(struct orch_start_options), NULL, NULL, false, NULL, NULL}

/**
 * Start an execution. It runs while the engine is kept going.
 *
 * @param options  NULL: all usual
 * @param ret      the execution; give it back with orch_execution_free, before or after its end. May be NULL
 * @return 0; ORCH_ERR_INVALID, _CYCLE, _DEPENDENCY, _LIMIT for a wrong workflow; ORCH_ERR_INVALID for wrong parameters;
 *         ORCH_ERR_UNSUPPORTED for a function the engine does not know; ORCH_ERR_NOT_FOUND for a secret; ORCH_ERR_FULL;
 *         ORCH_ERR_STATE after the store failed; ORCH_ERR_NO_MEMORY
 *
 * In memory, a workflow whose tasks are all C functions without any rule beyond orch_workflow_depend takes a fast lane:
 * tens of nanoseconds a task, on `threads` threads at once that are begun with the start. It has no events, times or history, and is
 * forgotten with the last handle; all else is the same. `history` of the options keeps to the usual way.
 */
ORCH_API int orch_execution_start(struct orch_engine *engine, struct orch_workflow *workflow,
                                  const struct orch_start_options *options, struct orch_execution **ret,
                                  struct orch_error *err);

/**
 * Start an execution and wait for its end.
 *
 * @param options  NULL: all usual
 * @param ret      the execution, as soon as it was started, also when it fails; or NULL
 * @return 0: it has succeeded; what orch_execution_start and orch_execution_result return
 */
ORCH_API int orch_execution_run(struct orch_engine *engine, struct orch_workflow *workflow,
                                const struct orch_start_options *options, struct orch_execution **ret,
                                struct orch_error *err);

/**
 * The execution of an id, running, interrupted or over.
 *
 * @param id   "r-7Q2K"; in either case, "r-" may be missing
 * @param ret  give it back with orch_execution_free
 * @return 0; ORCH_ERR_NOT_FOUND; ORCH_ERR_NO_MEMORY; ORCH_ERR_IO, ...
 */
ORCH_API int orch_execution_open(struct orch_engine *engine, const char *id, struct orch_execution **ret,
                                 struct orch_error *err);

/** Give an execution back; it goes on. NULL is fine. Returns NULL. */
ORCH_API struct orch_execution *orch_execution_free(struct orch_execution *execution);

/** Its id, "r-7Q2K"; lives as long as the handle. Threads: any. */
ORCH_API const char *orch_execution_id(const struct orch_execution *execution);

/** An ORCH_EXECUTION_*; that it is over is told once it is recorded. A negative ORCH_ERR_* when that cannot be found out. */
ORCH_API int orch_execution_get_state(struct orch_execution *execution);

/**
 * Wait until an execution is over, keeping the engine going unless another thread does.
 *
 * @param timeout_us  at most so long; ORCH_TIME_NEVER: as long as it takes
 * @return 0: it is over, however it ended; ORCH_ERR_TIMEOUT; ORCH_ERR_STATE when it was interrupted; the store's error;
 *         ORCH_ERR_MISUSE in a callback
 */
ORCH_API int orch_execution_wait(struct orch_execution *execution, orch_time timeout_us, struct orch_error *err);

/**
 * How it ended, as a code.
 *
 * @param err  filled with what failed; may be NULL
 * @return 0: succeeded; ORCH_ERR_TASK_FAILED (also when it was compensated); ORCH_ERR_CANCELLED; ORCH_ERR_TIMEOUT;
 *         ORCH_ERR_STATE when it is not over
 */
ORCH_API int orch_execution_result(struct orch_execution *execution, struct orch_error *err);

/**
 * Stop an execution. What runs is asked to end, and killed or given up after the grace.
 *
 * @param reason  for people; NULL: none
 * @return 0: it will be; ORCH_ERR_STATE when it is over
 */
ORCH_API int orch_execution_cancel(struct orch_execution *execution, const char *reason, struct orch_error *err);

/** Let nothing new start; what runs goes on. Returns 0, also when it is paused; ORCH_ERR_STATE when it is over or being stopped. */
ORCH_API int orch_execution_pause(struct orch_execution *execution, struct orch_error *err);

/** Go on after orch_execution_pause. Returns 0, also when it is not paused; ORCH_ERR_STATE when it is over. */
ORCH_API int orch_execution_unpause(struct orch_execution *execution, struct orch_error *err);

/**
 * Answer an approval.
 *
 * @param task      path of the task that waits for it; NULL: the only one that does
 * @param approved  yes, or no: the task fails
 * @param comment   for people; NULL: none
 * @return 0; ORCH_ERR_NOT_FOUND; ORCH_ERR_STATE when nothing waits; ORCH_ERR_USAGE when several do
 */
ORCH_API int orch_execution_approve(struct orch_execution *execution, const char *task, bool approved,
                                    const char *comment, struct orch_error *err);

/**
 * Tell an execution of an event that a task waits for, or will.
 *
 * @param name  of the event
 * @param data  JSON; NULL: none
 * @return 0; ORCH_ERR_INVALID when data is no JSON; ORCH_ERR_STATE when it is over
 */
ORCH_API int orch_execution_signal(struct orch_execution *execution, const char *name, const char *data,
                                   struct orch_error *err);

/**
 * Run an execution that is over again: what has a result keeps it.
 *
 * @param from  path of a task: it and what follows it are run again; NULL: what failed, and what follows that
 * @return 0; ORCH_ERR_STATE when nothing failed, or it is not over; ORCH_ERR_NOT_FOUND; ORCH_ERR_MISUSE in its
 *         on_end; as orch_execution_start
 */
ORCH_API int orch_execution_retry(struct orch_execution *execution, const char *from, struct orch_error *err);

/** Go on with one execution that was interrupted; see orch_engine_resume. Returns 0; ORCH_ERR_STATE when it is over. */
ORCH_API int orch_execution_continue(struct orch_execution *execution, struct orch_error *err);

/** An execution in figures. Texts live until the next orch_execution_get_summary for the same handle. */
struct orch_summary {
    size_t size;
    int state;                 /* an ORCH_EXECUTION_* */
    bool is_interrupted;       /* not over, and nobody goes on with it */
    int error_code;            /* an ORCH_ERR_*, as orch_execution_result; 0: none */
    struct orch_str error;     /* for people; may be empty */
    struct orch_str workflow;  /* its name */
    uint32_t retries;          /* how often it was run again */
    uint32_t tasks_total;      /* that are known of: loops add theirs when they begin; groups are not counted */
    uint32_t tasks_done;       /* over */
    uint32_t tasks_succeeded, tasks_failed, tasks_skipped, tasks_cancelled, tasks_running, tasks_waiting;
    orch_time started_at, ended_at; /* 0: not yet */
    orch_time duration_us;     /* until its end, or until now */
};
#define ORCH_SUMMARY_INIT {sizeof(struct orch_summary), 0, false, 0, {NULL, 0}, {NULL, 0}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

/**
 * How an execution stands.
 *
 * @param ret  from ORCH_SUMMARY_INIT
 * @return 0; ORCH_ERR_NO_MEMORY; ORCH_ERR_IO, ...
 */
ORCH_API int orch_execution_get_summary(struct orch_execution *execution, struct orch_summary *ret,
                                        struct orch_error *err);

/**
 * What an execution gave: `output` of the definition, else an object of what its last tasks gave.
 *
 * @param ret  JSON; until the next call of this function for the same handle
 * @return 0; ORCH_ERR_STATE when it is not over; ORCH_ERR_NO_MEMORY; ORCH_ERR_IO, ...
 */
ORCH_API int orch_execution_get_output(struct orch_execution *execution, struct orch_str *ret, struct orch_error *err);

/** A task of an execution. Texts live until the next orch_execution_get_task for the same handle. */
struct orch_task_result {
    size_t size;
    orch_task task;            /* its number */
    struct orch_str path;      /* "fetch", "regions[2]/total" */
    int state;                 /* an ORCH_TASK_* */
    uint32_t attempts;         /* begun since the execution was last run again */
    struct orch_str output;    /* JSON; "null" when there is none */
    int error_code;            /* an ORCH_ERR_*; 0: none */
    struct orch_str error;     /* for people; may be empty */
    struct orch_str reason;    /* what it waits for, why it was skipped: "retry", "approval", "when", ...; may be empty */
    int exit_code, signal;     /* of a program; 0 */
    orch_time started_at, ended_at; /* 0: not yet, or not kept (see orch_execution_start) */
};
#define ORCH_TASK_RESULT_INIT {sizeof(struct orch_task_result), 0, {NULL, 0}, 0, 0, {NULL, 0}, 0, {NULL, 0}, {NULL, 0}, 0, 0, 0, 0}

/** How many tasks there are to ask about, those in groups and loops among them; the first are those of the workflow, by their numbers. */
ORCH_API uint32_t orch_execution_count(struct orch_execution *execution);

/**
 * A task, by its number.
 *
 * @param task  a task of the workflow that was built, or any number below orch_execution_count
 * @param ret   from ORCH_TASK_RESULT_INIT
 * @return 0; ORCH_ERR_NOT_FOUND; ORCH_ERR_NO_MEMORY; ORCH_ERR_IO, ...
 */
ORCH_API int orch_execution_get_task(struct orch_execution *execution, orch_task task, struct orch_task_result *ret,
                                     struct orch_error *err);

/**
 * Find a task by its path.
 *
 * @param path      "fetch", "regions[2]/total"
 * @param ret_task  its number
 * @return 0; ORCH_ERR_NOT_FOUND; ORCH_ERR_NO_MEMORY; ORCH_ERR_IO, ...
 */
ORCH_API int orch_execution_find_task(struct orch_execution *execution, const char *path, orch_task *ret_task,
                                      struct orch_error *err);

/**
 * Read the history of an execution: a JSON object for each transition, as in docs/progress.md.
 *
 * @param from  sequence number to begin with; 0: the first
 * @param fn    told of each line; other than 0 ends it
 * @param user  for fn
 * @return 0; what fn returned; ORCH_ERR_UNSUPPORTED when none is kept; ORCH_ERR_IO, ...
 */
ORCH_API int orch_execution_history(struct orch_execution *execution, uint64_t from,
                                    int (*fn)(void *user, uint64_t sequence, struct orch_str line), void *user,
                                    struct orch_error *err);

/*
 * Inside of a task's function. A `path` is written as in expressions: "params.day" or "day" for a parameter of the task or
 * else of the execution, "fetch.output.rows[0].id" for what a task gave that this one depends on directly.
 */

/** The execution's id. */
ORCH_API struct orch_str orch_call_execution(struct orch_call *call);

/** The task's path, which is its name unless it stands in a group or loop. */
ORCH_API struct orch_str orch_call_task(struct orch_call *call);

/** A key that is the same for all tries of this task, "r-7Q2K/fetch/0": for receivers that drop repeats. */
ORCH_API struct orch_str orch_call_key(struct orch_call *call);

/** Which try it is; 1 is the first. */
ORCH_API uint32_t orch_call_attempt(const struct orch_call *call);

/** Whether the task is to end: it was cancelled, took too long, or the engine is being closed. Threads: any. */
ORCH_API bool orch_call_is_stopped(const struct orch_call *call);

/**
 * A parameter, or what a task before this one gave, or a part of it, as JSON.
 *
 * @param path  see above; NULL: all parameters, as an object
 * @param ret   the JSON; until the function returns
 * @return 0; ORCH_ERR_NOT_FOUND when there is no such thing; ORCH_ERR_NO_MEMORY
 */
ORCH_API int orch_call_get_json(struct orch_call *call, const char *path, struct orch_str *ret);

/** The same, a text. @return also ORCH_ERR_INVALID when it is none */
ORCH_API int orch_call_get_string(struct orch_call *call, const char *path, struct orch_str *ret);

/** The same, a whole number. @return also ORCH_ERR_INVALID when it is none */
ORCH_API int orch_call_get_int(struct orch_call *call, const char *path, int64_t *ret);

/** The same, any number. @return also ORCH_ERR_INVALID when it is none */
ORCH_API int orch_call_get_double(struct orch_call *call, const char *path, double *ret);

/** The same, true or false. @return also ORCH_ERR_INVALID when it is none */
ORCH_API int orch_call_get_bool(struct orch_call *call, const char *path, bool *ret);

/**
 * Set the output, or a member of it.
 *
 * @param key   the member: the output becomes an object; the same key again: the later counts. NULL: the output itself,
 *              instead of everything set before
 * @param json  any JSON; copied
 * @return 0; ORCH_ERR_INVALID when it is no JSON; ORCH_ERR_LIMIT for more than 10,000 members set one by one;
 *         ORCH_ERR_NO_MEMORY
 */
ORCH_API int orch_call_set_json(struct orch_call *call, const char *key, const char *json);

/** The same with a text. @param size bytes; SIZE_MAX: up to its NUL. @return also ORCH_ERR_INVALID for what is no UTF-8 */
ORCH_API int orch_call_set_string(struct orch_call *call, const char *key, const char *text, size_t size);

/** The same with a whole number. */
ORCH_API int orch_call_set_int(struct orch_call *call, const char *key, int64_t value);

/** The same with a number. */
ORCH_API int orch_call_set_double(struct orch_call *call, const char *key, double value);

/** The same with true or false. */
ORCH_API int orch_call_set_bool(struct orch_call *call, const char *key, bool value);

/** Write lines to the task's log, as printf. Waits while much of it was not taken up yet. */
ORCH_API void orch_call_log(struct orch_call *call, const char *format, ...) ORCH_PRINTF(2, 3);

/**
 * Say why the function fails.
 *
 * @param code    an ORCH_ERR_*: ORCH_ERR_TASK_FAILED, _UNAVAILABLE and all that orch_error_can_retry may be tried again,
 *                the others (ORCH_ERR_INVALID, ...) not
 * @param format  the reason, as printf; lower case, no full stop
 * @return code, so that `return orch_call_fail(call, ...)` reads well
 */
ORCH_API int orch_call_fail(struct orch_call *call, int code, const char *format, ...) ORCH_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif

#endif
