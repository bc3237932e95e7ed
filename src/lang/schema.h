/*
 * schema.h - the one table that describes every map of the language: its keys, what each may hold, the spellings of
 * others that are read too, bounds and descriptions.
 *
 * The reader checks by it (normal.c, then read*.c), and the JSON Schema is printed from it. docs/definitions.md says the
 * same in prose; a test compares the keys.
 */
#ifndef LANG_SCHEMA_H
#define LANG_SCHEMA_H

#include "lang/doc.h"

/* What a value may be; several at once. */
enum schema_kind {
    SCHEMA_TEXT = 1 << 0,    /* a string; a number or a bool without quotes counts as the text it is written as */
    SCHEMA_BOOL = 1 << 1,
    SCHEMA_INTEGER = 1 << 2,
    SCHEMA_NUMBER = 1 << 3,
    SCHEMA_LIST = 1 << 4,    /* of `items` */
    SCHEMA_MAP = 1 << 5,     /* with the keys of `map` */
    SCHEMA_NAMES = 1 << 6,   /* a map from names of the author's own to `items` */
    SCHEMA_NULL = 1 << 7,
    SCHEMA_ANY = 1 << 8,     /* whatever stands there, strings in it may be templates */
    SCHEMA_LONE = 1 << 9,    /* with LIST: one item by itself is a list of one */
    SCHEMA_SHORT = 1 << 10,  /* with LONE: a list of one is written as the item */
};

/* What text means. */
enum schema_text {
    TEXT_FREE,       /* for people: taken as it stands */
    TEXT_LITERAL,    /* a template has no place in it */
    TEXT_ID,         /* of a task */
    TEXT_NAME,       /* of a parameter, a variable, a secret: [A-Za-z_][A-Za-z0-9_]* */
    TEXT_DURATION,
    TEXT_MOMENT,     /* RFC 3339, or a template of it */
    TEXT_EXPRESSION, /* or a lone template */
    TEXT_TEMPLATE,
    TEXT_SHELL,      /* a program's text: a template in it is refused */
    TEXT_PATTERN,    /* a regular expression */
};

/* Values with a shape of their own, beyond what `kinds` says. */
enum schema_special {
    SPECIAL_NONE,
    SPECIAL_TASKS,      /* id -> task, or a list of tasks */
    SPECIAL_HANDLER,    /* one task; {tasks: ...}; id -> task */
    SPECIAL_PARAMETERS, /* name -> parameter, or a list of parameters with `name` */
};

struct schema_map;

struct schema_value {
    uint16_t kinds;
    uint8_t text;     /* enum schema_text, for TEXT and for the names of NAMES */
    uint8_t special;  /* enum schema_special */
    int64_t min, max; /* of numbers; of the length of text in bytes, when max > 0 */
    const char *const *choices; /* words that TEXT may be, ended by NULL; or NULL: any */
    const struct schema_map *map;
    const struct schema_value *items;
};

enum schema_flag {
    SCHEMA_REQUIRED = 1,
    SCHEMA_ACTION = 2, /* exactly one of these is wanted */
};

struct schema_key {
    struct orch_str name;
    struct schema_value value;
    const char *description;
    uint8_t flags;
};

/* How the value of another spelling becomes ours. */
enum schema_convert {
    CONVERT_NONE,
    CONVERT_PLUS_ONE, /* retries to attempts */
    CONVERT_SECONDS,  /* a number of seconds to a duration */
};

struct schema_alias {
    struct orch_str name;
    uint8_t key;     /* whose other spelling it is */
    uint8_t convert; /* enum schema_convert */
};

#define SCHEMA_NO_KEY 255

struct schema_map {
    const char *name;  /* in the JSON Schema: "task" */
    const char *title; /* in messages: "a task" */
    const char *description;
    const struct schema_key *keys;
    const struct schema_alias *aliases;
    uint8_t key_count;
    uint8_t alias_count;
    uint8_t short_key; /* a value that is no map stands for a map with this one key, or SCHEMA_NO_KEY */
};

/* Most keys that one map has. */
#define SCHEMA_KEYS_MAX 48

/* Where a key stands in its table. The order is that of the normal form. */
enum workflow_key {
    WORKFLOW_ORCH, WORKFLOW_NAME, WORKFLOW_DESCRIPTION, WORKFLOW_VERSION, WORKFLOW_TAGS, WORKFLOW_PARAMETERS, WORKFLOW_SCHEDULE,
    WORKFLOW_ENV, WORKFLOW_SECRETS, WORKFLOW_POOLS, WORKFLOW_CONCURRENCY, WORKFLOW_PRIORITY, WORKFLOW_TIMEOUT, WORKFLOW_FAIL_FAST,
    WORKFLOW_MODE, WORKFLOW_TASKS, WORKFLOW_OUTPUT, WORKFLOW_ON_ERROR, WORKFLOW_FINALLY, WORKFLOW_KEYS
};
enum parameter_key {
    PARAMETER_KEY_NAME, PARAMETER_KEY_TYPE, PARAMETER_KEY_DESCRIPTION, PARAMETER_KEY_REQUIRED, PARAMETER_KEY_DEFAULT, PARAMETER_KEY_ENUM,
    PARAMETER_KEY_MIN, PARAMETER_KEY_MAX, PARAMETER_KEY_PATTERN, PARAMETER_KEYS
};
enum concurrency_key { CONCURRENCY_EXECUTION, CONCURRENCY_WORKFLOW, CONCURRENCY_KEYS };
enum schedule_key {
    SCHEDULE_CRON, SCHEDULE_EVERY, SCHEDULE_AT, SCHEDULE_TIMEZONE, SCHEDULE_CATCHUP, SCHEDULE_CATCHUP_MAX, SCHEDULE_OVERLAP, SCHEDULE_JITTER,
    SCHEDULE_PARAMETERS, SCHEDULE_KEYS
};
enum task_key {
    TASK_KEY_ID, TASK_KEY_NAME, TASK_KEY_DESCRIPTION, TASK_KEY_DEPENDS_ON, TASK_KEY_JOIN, TASK_KEY_WHEN, TASK_KEY_FOR_EACH, TASK_KEY_REPEAT,
    TASK_KEY_SHELL, TASK_KEY_EXEC, TASK_KEY_SCRIPT, TASK_KEY_TRANSFORM, TASK_KEY_WAIT, TASK_KEY_APPROVAL, TASK_KEY_WORKFLOW,
    TASK_KEY_NOTIFICATION, TASK_KEY_FUNCTION, TASK_KEY_SERVICE_CALL, TASK_KEY_FACTORY, TASK_KEY_NOOP,
    TASK_KEY_MODE, TASK_KEY_TASKS, TASK_KEY_FINALLY,
    TASK_KEY_ENV, TASK_KEY_SECRETS, TASK_KEY_WORKING_DIR, TASK_KEY_STDIN,
    TASK_KEY_RETRY, TASK_KEY_TIMEOUT, TASK_KEY_TOTAL_TIMEOUT, TASK_KEY_POOL, TASK_KEY_CONCURRENCY, TASK_KEY_PRIORITY, TASK_KEY_FAIL_FAST,
    TASK_KEY_ON_INTERRUPT, TASK_KEY_CONTINUE_ON_ERROR, TASK_KEY_ON_ERROR, TASK_KEY_COMPENSATE, TASK_KEYS
};
enum join_key { JOIN_KEY_AT_LEAST, JOIN_KEYS };
enum for_each_key { FOR_EACH_IN, FOR_EACH_AS, FOR_EACH_MAX_PARALLEL, FOR_EACH_FAIL_FAST, FOR_EACH_KEYS };
enum repeat_key { REPEAT_UNTIL, REPEAT_WHILE, REPEAT_MAX, REPEAT_DELAY, REPEAT_KEYS };
enum retry_key {
    RETRY_MAX_ATTEMPTS, RETRY_BACKOFF, RETRY_DELAY, RETRY_FACTOR, RETRY_MAX_DELAY, RETRY_JITTER, RETRY_ON, RETRY_EXIT_CODES, RETRY_KEYS
};
enum pool_key { POOL_KEY_NAME, POOL_KEY_SLOTS, POOL_KEYS };
enum process_key { PROCESS_COMMAND, PROCESS_WORKING_DIR, PROCESS_STDIN, PROCESS_KEYS }; /* shell and exec */
enum script_key { SCRIPT_FILE, SCRIPT_TEXT, SCRIPT_INTERPRETER, SCRIPT_ARGS, SCRIPT_WORKING_DIR, SCRIPT_STDIN, SCRIPT_KEYS };
enum wait_key { WAIT_KEY_FOR, WAIT_KEY_UNTIL, WAIT_KEY_EVENT, WAIT_KEY_FILTER, WAIT_KEYS };
enum approval_key { APPROVAL_MESSAGE, APPROVAL_APPROVERS, APPROVAL_KEYS };
enum call_key { CALL_NAME, CALL_FILE, CALL_PARAMETERS, CALL_KEYS }; /* workflow */
enum notification_key {
    NOTIFICATION_MESSAGE, NOTIFICATION_TITLE, NOTIFICATION_LEVEL, NOTIFICATION_CHANNELS, NOTIFICATION_COMMAND, NOTIFICATION_KEYS
};
enum channel_key { CHANNEL_COMMAND, CHANNEL_KEYS };
enum function_key { FUNCTION_NAME, FUNCTION_PARAMETERS, FUNCTION_KEYS };
enum service_key { SERVICE_SERVICE, SERVICE_ENDPOINT, SERVICE_METHOD, SERVICE_PARAMETERS, SERVICE_HEADERS, SERVICE_KEYS };
enum factory_key { FACTORY_FACTORY, FACTORY_ACTION, FACTORY_PARAMS, FACTORY_KEYS };

extern const struct schema_map schema_workflow, schema_parameter, schema_task, schema_retry;

/* Every map of the language, for those who list them. Ended by NULL. */
extern const struct schema_map *const schema_maps[];

/* The index of a key in its table, or -1; *ret_alias, which may be NULL, is set when it is another spelling. `from`: where to look first. */
int schema_find(const struct schema_map *map, struct orch_str name, int from, const struct schema_alias **ret_alias);
/* The known key nearest to a word, or STR_NONE. */
struct orch_str schema_nearest(const struct schema_map *map, struct orch_str word);
struct orch_str schema_nearest_choice(const char *const *choices, struct orch_str word);
/* What a value wants to be, for messages: "a string or a list of strings". */
void schema_wants(const struct schema_value *value, struct buf *out);

/*
 * The values of a map in normal form by key; NULL where there is none. A value that is no map fills the short key.
 * `slots` has map->key_count places.
 */
void schema_slots(const struct schema_map *map, const struct doc_node *node, const struct doc_node **slots);

/* The keys of `retry.on`, of the task's `join`, ...: what the reader turns into numbers. In the order of their enums. */
extern const char *const schema_joins[], *const schema_backoffs[], *const schema_failures[], *const schema_interrupts[],
    *const schema_modes[], *const schema_parameter_types[];

#endif
