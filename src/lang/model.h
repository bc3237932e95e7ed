/*
 * model.h - a workflow as it is after reading: checked, normalised, ready to run.
 *
 * Immutable once made, shared by every execution of its version, counted. Flat: the tasks of a block lie side by
 * side and are addressed by index, edges are compressed rows. What few tasks have (retry, env, loops, ...) is
 * behind one pointer, so that a plain task costs little.
 *
 * Shape. A workflow is a block. A block is a set of tasks with dependencies among them. A task is
 *   - a leaf: one action;
 *   - a group: `block[BLOCK_BODY]` is run once;
 *   - a for_each: the body block is run once for each item; the reader turns `for_each` on a leaf or group into a for_each task around
 *     a body of one task with the same id;
 *   - a repeat: the body is run again and again until its condition holds; likewise wrapped.
 * Both on one task: for_each outside, repeat inside. A wrapper keeps depends_on, join, when, continue_on_error, on_error and
 * compensate; the inner task keeps the action, env, retry and timeout. `when` of a for_each that names the loop's variables
 * belongs to the inner task. A task may have further blocks: on_error, compensate. The workflow has finally and on_error. Each is a block too, so one
 * mechanism runs them all.
 */
#ifndef LANG_MODEL_H
#define LANG_MODEL_H

#include "base/map.h"
#include "lang/diag.h"
#include "lang/template.h"

/* What a leaf does. The text is the key in a definition; numbers are stored and never reused. */
#define ACTION_LIST(X)                                                       \
    X(SHELL,        1,  "shell")        /* text for /bin/sh -c */             \
    X(EXEC,         2,  "exec")         /* a list of arguments, no shell */   \
    X(SCRIPT,       3,  "script")       /* a file, or inline text, with an interpreter */ \
    X(TRANSFORM,    4,  "transform")    /* an expression */                  \
    X(WAIT,         5,  "wait")         /* a duration, a moment or an event */ \
    X(APPROVAL,     6,  "approval")     /* a person's yes or no */            \
    X(WORKFLOW,     7,  "workflow")     /* another workflow, as an execution of its own */ \
    X(NOTIFICATION, 8,  "notification") /* a message to channels */           \
    X(FUNCTION,     9,  "function")     /* a function of the embedding program */ \
    X(SERVICE_CALL, 10, "service_call") /* a service by name (seed 004) */    \
    X(FACTORY,      11, "factory")      /* a factory's action (seed 002) */   \
    X(NOOP,         12, "noop")         /* nothing: a point to join at */

enum action_kind {
    ACTION_NONE = 0,
#define ACTION_ENUM(name, number, text) ACTION_##name = (number),
    ACTION_LIST(ACTION_ENUM)
#undef ACTION_ENUM
};
const char *action_kind_to_string(enum action_kind kind);
enum action_kind action_kind_from_string(struct orch_str text); /* ACTION_NONE when unknown */

enum task_kind { TASK_LEAF, TASK_GROUP, TASK_FOR_EACH, TASK_REPEAT };

/* When a task with dependencies may start. A dependency that failed with continue_on_error counts as succeeded. */
#define JOIN_LIST(X)                                                                                          \
    X(ALL_SUCCEEDED, 0, "all_succeeded") /* else the task is skipped */                                       \
    X(ALL_DONE,      1, "all_done")      /* however they ended */                                             \
    X(ANY_SUCCEEDED, 2, "any_succeeded") /* as soon as one has; skipped when none can any more */              \
    X(NONE_FAILED,   3, "none_failed")   /* all ended, skipped ones are fine, none failed or missed because of a failure */ \
    X(AT_LEAST,      4, "at_least")      /* as soon as n have succeeded */
enum join_rule {
#define JOIN_ENUM(name, number, text) JOIN_##name = (number),
    JOIN_LIST(JOIN_ENUM)
#undef JOIN_ENUM
};

enum backoff { BACKOFF_CONSTANT, BACKOFF_LINEAR, BACKOFF_EXPONENTIAL };

/* Why an attempt did not succeed. Numbers are stored and never reused. `retry.on` lists these names. */
#define FAILURE_LIST(X)                                                                              \
    X(NONE,      0, "none")                                                                          \
    X(EXIT,      1, "exit")      /* a process ended with another exit code than 0 */                  \
    X(SIGNAL,    2, "signal")    /* a process was ended by a signal that we did not send */           \
    X(TIMEOUT,   3, "timeout")   /* ran longer than allowed */                                        \
    X(LOST,      4, "lost")      /* its outcome is unknown: the orchestrator stopped meanwhile */     \
    X(ERROR,     5, "error")     /* the provider says: failed, may work another time */               \
    X(PERMANENT, 6, "permanent") /* the provider says: would fail again; never retried */             \
    X(CANCELLED, 7, "cancelled")                                                                     \
    X(REJECTED,  8, "rejected")  /* an approval was refused */                                        \
    X(START,     9, "start")     /* a process could not be started */                                 \
    X(EVALUATION, 10, "evaluation") /* an expression failed; never retried */                        \
    X(CHILD,     11, "child")    /* a task inside a group, or a sub-workflow, failed */               \
    X(DEPENDENCY, 12, "dependency") /* a join rule cannot be met any more */
enum failure {
#define FAILURE_ENUM(name, number, text) FAILURE_##name = (number),
    FAILURE_LIST(FAILURE_ENUM)
#undef FAILURE_ENUM
};
const char *failure_to_string(enum failure failure);

enum on_interrupt { INTERRUPT_RETRY, INTERRUPT_FAIL, INTERRUPT_HOLD };

struct retry_policy {
    uint32_t attempts_max;    /* 1 means no retry */
    enum backoff backoff;
    orch_time delay_us;       /* before the second attempt */
    orch_time delay_max_us;
    double factor;            /* exponential */
    double jitter;            /* 0..1: the wait is drawn from [w * (1 - jitter), w] */
    uint32_t on_mask;         /* bit (1 << enum failure): which failures are retried; 0 means all but permanent, cancelled, rejected and evaluation */
    const uint8_t *exit_codes; /* when exit_code_count > 0, EXIT is retried for these only */
    uint32_t exit_code_count;
};

struct pool_need { uint16_t pool; uint16_t slots; }; /* index into workflow->pools */

struct env_entry {
    struct orch_str name;
    struct template value;
};

struct loop { /* for_each */
    struct template items;       /* a list, literal or with expressions; or one expression that gives a list (or a map: items are {key, value}) */
    struct orch_str as;          /* "item" unless said otherwise; the index is `<as>_index` */
    struct orch_str as_index;
    uint32_t parallel_max;       /* 0: no limit of its own */
};

struct repeat {
    const struct expr *until;    /* sees the body's tasks, `iteration` (1 is the first) and `previous`; or NULL */
    const struct expr *while_;   /* the same, repeats as long as it holds; or NULL; one of both is set unless only max is given */
    uint32_t iterations_max;     /* always bounded; when `until` does not hold after so many, the task fails (with only max given, it succeeds) */
    orch_time delay_us;          /* between iterations */
};

enum block_role {
    BLOCK_BODY,       /* a group's, a loop's or the workflow's own tasks */
    BLOCK_ON_ERROR,   /* runs when the owner failed after its retries; sees `error`. For a task: when it succeeds, so does the task, with its output. */
    BLOCK_COMPENSATE, /* undoes a task that had succeeded; sees the task's own output by its id */
    BLOCK_FINALLY,    /* runs after the rest, however that ended; the workflow's or a group's */
};
#define BLOCK_ROLES 4

enum wait_kind { WAIT_DURATION, WAIT_UNTIL, WAIT_EVENT };

/*
 * The action of a leaf. What is evaluated at start is a template; the rest is plain. A definition may hold a million of
 * these, so the parts that only one kind has share their place: look at `kind` first.
 */
struct action {
    enum action_kind kind;
    struct span at;
    struct template config;      /* a MAP with the action's normalised keys: see docs/definitions.md. Secrets may be named only here and in env. */
    union {
        const struct expr *transform; /* TRANSFORM when it is one expression; else NULL, and `value` in config is a template of the result */
        struct {                      /* WAIT */
            enum wait_kind wait_kind;
            struct template wait;     /* DURATION: text or seconds; UNTIL: RFC 3339 text or timestamp; EVENT: the name of the event */
            const struct expr *wait_filter; /* EVENT: sees `event` (its data); or NULL */
        };
        struct {                      /* WORKFLOW */
            struct orch_str workflow; /* name or path, literal */
            struct template parameters; /* a MAP */
        };
    };
};

/* What few tasks have. */
struct task_options {
    struct orch_str title;       /* `name` or `description` of a task in the seeds' spelling, for people */
    struct orch_str description;
    const struct retry_policy *retry; /* NULL: one attempt */
    orch_time timeout_us;        /* one attempt of a leaf; the whole of a group or loop; 0: none */
    orch_time timeout_total_us;  /* all attempts and the waits between them; 0: none */
    const struct loop *loop;     /* TASK_FOR_EACH */
    const struct repeat *repeat; /* TASK_REPEAT */
    const struct env_entry *env; /* added to those of the groups around and the workflow; inner wins */
    uint32_t env_count;
    const struct orch_str *secrets; /* names this task may use besides the workflow's */
    uint32_t secrets_count;
    const struct pool_need *pools;
    uint32_t pools_count;
    int32_t priority;            /* higher first; 0 is usual */
    uint32_t concurrency;        /* a group: at most so many leaves in it at once; 0: no limit */
    uint32_t join_count;         /* n of at_least */
    bool fail_fast;              /* a group or loop: the first failure stops the rest of it */
    enum on_interrupt on_interrupt;
    const struct block *blocks[BLOCK_ROLES]; /* NULL where there is none */
};

struct task {
    struct orch_str id;          /* as the user wrote it */
    const struct block *block;   /* the one it is in */
    const struct action *action; /* TASK_LEAF, else NULL */
    const struct task_options *options; /* NULL: all usual */
    const struct expr *when;     /* or NULL */
    uint32_t index;              /* in block->tasks */
    uint32_t number;             /* in the whole workflow, 0..workflow->task_count-1, in the order of the text */
    uint32_t line, column;       /* where its id stands */
    uint32_t rank;               /* longest remaining path from here to the block's end, in tasks, at least 1 */
    uint8_t kind;                /* enum task_kind */
    uint8_t join;                /* enum join_rule */
    bool continue_on_error;
    bool has_id;                 /* false: the id was made up (sequences without names): task_1, ... */
};

struct block {
    const struct workflow *workflow;
    const struct task *owner;    /* the task whose body (or handler) this is; NULL for the workflow's own blocks */
    const struct task *tasks;
    uint32_t task_count;
    uint32_t number;             /* in workflow->blocks */
    enum block_role role;
    const uint32_t *dependency_start; /* task_count + 1 rows: dependencies[dependency_start[i] .. dependency_start[i+1]) of task i, ascending, each once */
    const uint32_t *dependencies;     /* indexes into tasks */
    const uint32_t *successor_start;  /* likewise, who depends on i */
    const uint32_t *successors;
    const uint32_t *order;       /* a topological order, stable by text */
    struct map by_id;            /* id -> index */
    uint32_t level_count;        /* longest chain, in tasks */
    uint32_t width;              /* most tasks on one level */
};

#define PARAMETER_TYPE_LIST(X) X(ANY, "any") X(STRING, "string") X(INTEGER, "integer") X(NUMBER, "number") X(BOOLEAN, "boolean") X(LIST, "list") X(MAP, "map")
enum parameter_type {
#define PARAMETER_ENUM(name, text) PARAMETER_##name,
    PARAMETER_TYPE_LIST(PARAMETER_ENUM)
#undef PARAMETER_ENUM
};

struct parameter {
    struct orch_str name;
    struct orch_str description;
    enum parameter_type type;    /* "array" and "object" are read as list and map, "int", "float", "str", "bool" likewise */
    bool required;               /* and without default */
    bool has_default;
    struct value default_value;
    bool has_min, has_max;
    double min, max;             /* numbers; length of strings and lists */
    struct orch_str pattern;     /* a regular expression the string must match, or empty */
    const struct value *choices; /* `enum`, or NULL */
    uint32_t choices_count;
    uint32_t line, column;
};

struct pool {
    struct orch_str name;
    uint32_t slots;
    bool declared;               /* false: only used by a task; the engine's own pools are looked at when it starts */
};

struct workflow {
    struct arena *arena;         /* all of it lives here */
    struct orch_str name;        /* the file's base name when it gives none */
    struct orch_str description;
    struct orch_str version;     /* as the author calls it, or empty */
    const struct orch_str *tags;
    uint32_t tags_count;
    const struct parameter *parameters;
    uint32_t parameters_count;
    const struct env_entry *env;
    uint32_t env_count;
    const struct orch_str *secrets; /* names it may use */
    uint32_t secrets_count;
    const struct pool *pools;
    uint32_t pools_count;
    uint32_t concurrency;        /* leaves of one execution at once; 0: no limit of its own */
    uint32_t concurrency_workflow; /* over all executions of this workflow; 0 likewise */
    int32_t priority;
    orch_time timeout_us;        /* the whole execution; 0: none */
    bool fail_fast;
    const struct template *output; /* `output:` of the workflow, or NULL: then a map of the outputs of its last tasks */
    struct value schedule;       /* kept as it stands, checked for shape; NULL when there is none */
    const struct block *body;    /* never NULL; may be empty */
    const struct block *on_error; /* or NULL */
    const struct block *finally; /* or NULL */
    const struct block *const *blocks; /* all of them; blocks[b->number] == b */
    uint32_t block_count;
    uint32_t task_count;         /* over all blocks */
    struct orch_str normal;      /* the normal form as compact JSON: what is stored; the version's identity is its digest */
    struct orch_str source_file; /* as given by the caller, or empty */
};

/*
 * Reads a definition: text to model, everything checked (names, graph, expressions, values), all errors collected.
 *
 * @param text    YAML or JSON; the model keeps no pointer into it
 * @param file    for messages and for the default name; may be empty
 * @param arena   where the model is made; on success the workflow lives as long
 * @param diags   gets every error and warning
 * @return 0 when there is no error (there may be warnings); ORCH_ERR_INVALID, _CYCLE, _DEPENDENCY or _LIMIT with diags; ORCH_ERR_NO_MEMORY
 *
 * Reading workflow->normal again gives an equal model: that is how recovery gets it back.
 */
int workflow_read(struct orch_str text, struct orch_str file, struct arena *arena, struct diags *diags,
                  const struct workflow **ret);

/* The same from a tree already parsed. */
struct doc_node;
int workflow_read_doc(const struct doc_node *root, struct orch_str file, struct arena *arena, struct diags *diags,
                      const struct workflow **ret);

/* The normal form, for people: YAML (json false) or indented JSON. Comments are not kept. */
int workflow_format(const struct workflow *workflow, bool json, struct buf *out, struct orch_error *err);

/*
 * The same as YAML, with the comments of the text that the workflow was read from. One on a line of its own stays above
 * the key or item it stands above, or below what it is indented with; one behind something stays behind it while that
 * has a line, else it goes above. Empty lines are kept behind the comments that the file begins with only.
 *
 * @param ret_comments  how many there are; may be NULL
 * @return 0; ORCH_ERR_UNSUPPORTED when they cannot be kept: nothing is written then; ORCH_ERR_NO_MEMORY
 */
int workflow_format_commented(const struct workflow *workflow, struct orch_str text, struct buf *out,
                              uint32_t *ret_comments, struct orch_error *err);

/* A JSON Schema (2020-12) of the normal form, generated from the table that the reader uses. */
void workflow_schema(struct buf *out);

/*
 * Checks given parameters against the declared ones and fills in defaults.
 *
 * @param given  a MAP (or null for none); values may be strings where another type is declared when `from_text` (the command line): then "12" is an integer
 * @param ret    a MAP with every declared parameter, in the order of declaration; null where absent and not required
 * @return 0; ORCH_ERR_INVALID: the first error in err, all of them in diags when it is not NULL (E04xx)
 */
int workflow_parameters(const struct workflow *workflow, struct value given, bool from_text, struct arena *arena,
                        struct diags *diags, struct value *ret, struct orch_error *err);

/* The task's option with its usual value when it has none. */
static inline const struct retry_policy *task_retry(const struct task *task) { return task->options ? task->options->retry : NULL; }
static inline const struct block *task_block(const struct task *task, enum block_role role)
{
    return task->options ? task->options->blocks[role] : NULL;
}
/* The block in which a for_each or repeat holds the one task it goes round: to the user the two are one. */
static inline bool block_is_wrapping(const struct block *block)
{
    return block->owner && block->role == BLOCK_BODY && block->task_count == 1 &&
           (block->owner->kind == TASK_FOR_EACH || block->owner->kind == TASK_REPEAT) &&
           str_equal(block->tasks[0].id, block->owner->id);
}
/* "transform/clean" : ids from the outermost group inwards, wrappers named once. */
void task_path(const struct task *task, struct buf *out);

/*
 * Analysis (a report of what the graph is like; errors were found when reading).
 */
struct analysis {
    uint32_t task_count;      /* all leaves and groups as the user wrote them */
    uint32_t edge_count;
    uint32_t level_count;
    uint32_t width;
    const struct task *const *critical_path; /* of the body, by estimated durations or by count */
    uint32_t critical_path_count;
};
int workflow_analyze(const struct workflow *workflow, struct arena *arena, struct analysis *ret, struct orch_error *err);

#endif
