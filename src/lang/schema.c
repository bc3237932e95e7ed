/*
 * schema.c - the table of the language. What reads it is in schema_find.c; the JSON Schema is printed in schema_json.c.
 */
#include "lang/schema.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KEY(index, text, about, flag_bits, ...) [index] = {{text, sizeof(text) - 1}, {__VA_ARGS__}, about, flag_bits}
#define ALIAS(text, key, convert) {{text, sizeof(text) - 1}, key, convert}
#define MAP(text, heading, about, key_list, short_index)                                                           \
    {.name = (text), .title = (heading), .description = (about), .keys = (key_list), .key_count = COUNT(key_list), \
     .short_key = (short_index)}
#define MAP_ALIASES(text, heading, about, key_list, short_index, alias_list)                                       \
    {.name = (text), .title = (heading), .description = (about), .keys = (key_list), .key_count = COUNT(key_list), \
     .short_key = (short_index), .aliases = (alias_list), .alias_count = COUNT(alias_list)}

#define TEXT_BYTES_MAX 1048576
#define YEARS_10 "10 years at most"

const char *const schema_modes[] = {"dag", "sequence", "parallel", NULL};
const char *const schema_joins[] = {"all_succeeded", "all_done", "any_succeeded", "none_failed", NULL};
const char *const schema_backoffs[] = {"constant", "linear", "exponential", NULL};
const char *const schema_interrupts[] = {"retry", "fail", "hold", NULL};
const char *const schema_failures[] = {"exit", "signal", "timeout", "lost", "error", "start", "child", NULL};
const char *const schema_parameter_types[] = {"any", "string", "integer", "number", "boolean", "list", "map", NULL};
static const char *const catchups[] = {"none", "latest", "all", NULL};
static const char *const overlaps[] = {"skip", "queue", "allow", "cancel_previous", NULL};
static const char *const levels[] = {"debug", "info", "warning", "error", NULL};
static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", NULL};

/* Values that several keys share. */
static const struct schema_value any_value = {.kinds = SCHEMA_ANY | SCHEMA_NULL};
static const struct schema_value free_text = {SCHEMA_TEXT, TEXT_FREE, .max = 256};
static const struct schema_value template_text = {SCHEMA_TEXT, TEXT_TEMPLATE, .max = TEXT_BYTES_MAX};
static const struct schema_value literal_text = {SCHEMA_TEXT, TEXT_LITERAL, .max = TEXT_BYTES_MAX};
static const struct schema_value task_id = {SCHEMA_TEXT, TEXT_ID, .max = 128};
static const struct schema_value variable_name = {SCHEMA_TEXT, TEXT_NAME, .max = 128};
static const struct schema_value slot_count = {SCHEMA_INTEGER, .min = 1, .max = 65535};
static const struct schema_value failure_name = {SCHEMA_TEXT, TEXT_LITERAL, .choices = schema_failures};
static const struct schema_value exit_code = {SCHEMA_INTEGER, .min = 1, .max = 255};
static const struct schema_value task_value = {SCHEMA_MAP, .map = &schema_task};
static const struct schema_value parameter_value = {SCHEMA_MAP, .map = &schema_parameter};
static const struct schema_value env_value = {SCHEMA_TEXT | SCHEMA_ANY, TEXT_TEMPLATE, .max = TEXT_BYTES_MAX};

#define DURATION          SCHEMA_TEXT, TEXT_DURATION
#define EXPRESSION        SCHEMA_TEXT, TEXT_EXPRESSION, .max = TEXT_BYTES_MAX
#define TEMPLATE          SCHEMA_TEXT, TEXT_TEMPLATE, .max = TEXT_BYTES_MAX
#define LITERAL           SCHEMA_TEXT, TEXT_LITERAL, .max = 4096
#define ABOUT             SCHEMA_TEXT, TEXT_FREE, .max = TEXT_BYTES_MAX
#define WHOLE(low, high)  SCHEMA_INTEGER, .min = (low), .max = (high)
#define NUMBER(low, high) SCHEMA_NUMBER, .min = (low), .max = (high)
#define WORD(words)       SCHEMA_TEXT, TEXT_LITERAL, .choices = (words)
#define ENV               SCHEMA_NAMES, TEXT_NAME, .items = &env_value
#define TASKS             SCHEMA_NAMES | SCHEMA_LIST, TEXT_ID, SPECIAL_TASKS, .items = &task_value, .map = &schema_task
#define HANDLER           SCHEMA_NAMES | SCHEMA_LIST | SCHEMA_MAP, TEXT_ID, SPECIAL_HANDLER, .items = &task_value, .map = &schema_task
#define SECRETS           SCHEMA_LIST | SCHEMA_LONE, .items = &variable_name
#define PARAMETERS_GIVEN  SCHEMA_NAMES, TEXT_FREE, .items = &any_value

/* clang-format off */

static const struct schema_key parameter_keys[] = {
    KEY(PARAMETER_KEY_NAME, "name", "The parameter's name, when parameters are given as a list.", 0, SCHEMA_TEXT, TEXT_NAME, .max = 128),
    KEY(PARAMETER_KEY_TYPE, "type", "What its value must be; any when not given.", 0, WORD(schema_parameter_types)),
    KEY(PARAMETER_KEY_DESCRIPTION, "description", "For people.", 0, ABOUT),
    KEY(PARAMETER_KEY_REQUIRED, "required", "Whether an execution must be given a value. A default makes it needless.", 0, SCHEMA_BOOL),
    KEY(PARAMETER_KEY_DEFAULT, "default", "The value when none is given.", 0, SCHEMA_ANY | SCHEMA_NULL),
    KEY(PARAMETER_KEY_ENUM, "enum", "The values that are allowed.", 0, SCHEMA_LIST, .items = &any_value),
    KEY(PARAMETER_KEY_MIN, "min", "Smallest number; fewest characters of a string, fewest items of a list.", 0, NUMBER(INT64_MIN, INT64_MAX)),
    KEY(PARAMETER_KEY_MAX, "max", "Largest number; most characters of a string, most items of a list.", 0, NUMBER(INT64_MIN, INT64_MAX)),
    KEY(PARAMETER_KEY_PATTERN, "pattern", "A regular expression that is found in the string; write ^ and $ for the whole of it.", 0, SCHEMA_TEXT, TEXT_PATTERN, .max = 4096),
};
const struct schema_map schema_parameter =
    MAP("parameter", "a parameter", "What an execution may be given, checked before anything runs.", parameter_keys, SCHEMA_NO_KEY);

static const struct schema_key concurrency_keys[] = {
    KEY(CONCURRENCY_EXECUTION, "execution", "How many actions of one execution may run at once.", 0, WHOLE(1, 1000000)),
    KEY(CONCURRENCY_WORKFLOW, "workflow", "How many actions of all executions of this workflow together may run at once.", 0, WHOLE(1, 1000000)),
};
static const struct schema_map schema_concurrency =
    MAP("concurrency", "concurrency", "Limits on what runs at once. A number by itself is `execution`.", concurrency_keys, CONCURRENCY_EXECUTION);

static const struct schema_key schedule_keys[] = {
    KEY(SCHEDULE_CRON, "cron", "Five fields: minute, hour, day of month, month, day of week.", 0, LITERAL),
    KEY(SCHEDULE_EVERY, "every", "A duration between starts.", 0, DURATION),
    KEY(SCHEDULE_AT, "at", "One moment, RFC 3339.", 0, SCHEMA_TEXT, TEXT_MOMENT, .max = 64),
    KEY(SCHEDULE_TIMEZONE, "timezone", "The IANA zone that `cron` is meant in; UTC when not given.", 0, LITERAL),
    KEY(SCHEDULE_CATCHUP, "catchup", "What happens with moments that were missed; latest when not given.", 0, WORD(catchups)),
    KEY(SCHEDULE_CATCHUP_MAX, "catchup_max", "With catchup all: at most so many.", 0, WHOLE(1, 10000)),
    KEY(SCHEDULE_OVERLAP, "overlap", "What happens when the execution before is still running; skip when not given.", 0, WORD(overlaps)),
    KEY(SCHEDULE_JITTER, "jitter", "Starts are spread over this duration.", 0, DURATION),
    KEY(SCHEDULE_PARAMETERS, "parameters", "What the executions are given.", 0, PARAMETERS_GIVEN),
};
static const struct schema_map schema_schedule =
    MAP("schedule", "a schedule", "When executions start by themselves. Text by itself is `cron`.", schedule_keys, SCHEDULE_CRON);
static const struct schema_value schedule_value = {SCHEMA_MAP, .map = &schema_schedule};

static const struct schema_key workflow_keys[] = {
    KEY(WORKFLOW_ORCH, "orch", "The version of this format; 1.", 0, WHOLE(1, INT64_MAX)),
    KEY(WORKFLOW_NAME, "name", "What the workflow is called; the file's name when not given.", 0, SCHEMA_TEXT, TEXT_FREE, .min = 1, .max = 256),
    KEY(WORKFLOW_DESCRIPTION, "description", "For people.", 0, ABOUT),
    KEY(WORKFLOW_VERSION, "version", "What its author calls this version.", 0, SCHEMA_TEXT, TEXT_FREE, .max = 256),
    KEY(WORKFLOW_TAGS, "tags", "Words to find it by.", 0, SCHEMA_LIST | SCHEMA_LONE, .items = &free_text),
    KEY(WORKFLOW_PARAMETERS, "parameters", "What an execution may be given.", 0, SCHEMA_NAMES | SCHEMA_LIST, TEXT_NAME, SPECIAL_PARAMETERS, .items = &parameter_value, .map = &schema_parameter),
    KEY(WORKFLOW_SCHEDULE, "schedule", "When executions start by themselves.", 0, SCHEMA_LIST | SCHEMA_LONE | SCHEMA_SHORT, .items = &schedule_value),
    KEY(WORKFLOW_ENV, "env", "Environment variables of every action.", 0, ENV),
    KEY(WORKFLOW_SECRETS, "secrets", "Names of secrets that its tasks may use.", 0, SECRETS),
    KEY(WORKFLOW_POOLS, "pools", "Named pools and how many slots each has.", 0, SCHEMA_NAMES, TEXT_NAME, .items = &slot_count),
    KEY(WORKFLOW_CONCURRENCY, "concurrency", "How many actions may run at once.", 0, SCHEMA_MAP, .map = &schema_concurrency),
    KEY(WORKFLOW_PRIORITY, "priority", "Its tasks go before those of workflows with a lower one; 0 when not given.", 0, WHOLE(-1000000, 1000000)),
    KEY(WORKFLOW_TIMEOUT, "timeout", "How long an execution may take.", 0, DURATION),
    KEY(WORKFLOW_FAIL_FAST, "fail_fast", "Whether the first failure stops the rest.", 0, SCHEMA_BOOL),
    KEY(WORKFLOW_MODE, "mode", "dag: by depends_on. sequence: one after another. parallel: all at once.", 0, WORD(schema_modes)),
    KEY(WORKFLOW_TASKS, "tasks", "What it does: tasks by their ids.", SCHEMA_REQUIRED, TASKS),
    KEY(WORKFLOW_OUTPUT, "output", "What the execution gives; the outputs of its last tasks when not given.", 0, SCHEMA_ANY),
    KEY(WORKFLOW_ON_ERROR, "on_error", "Runs when the tasks have failed.", 0, HANDLER),
    KEY(WORKFLOW_FINALLY, "finally", "Runs last, however the tasks ended.", 0, HANDLER),
};
static const struct schema_alias workflow_aliases[] = {
    ALIAS("actions", WORKFLOW_TASKS, CONVERT_NONE),
    ALIAS("steps", WORKFLOW_TASKS, CONVERT_NONE),
    ALIAS("timeout_seconds", WORKFLOW_TIMEOUT, CONVERT_SECONDS),
    ALIAS("max_parallel", WORKFLOW_CONCURRENCY, CONVERT_NONE),
    ALIAS("max_workers", WORKFLOW_CONCURRENCY, CONVERT_NONE),
};
const struct schema_map schema_workflow =
    MAP_ALIASES("workflow", "a workflow", "A workflow of orch.", workflow_keys, SCHEMA_NO_KEY, workflow_aliases);

static const struct schema_key join_keys[] = {
    KEY(JOIN_KEY_AT_LEAST, "at_least", "Starts as soon as so many of its dependencies have succeeded.", SCHEMA_REQUIRED, WHOLE(1, 20000000)),
};
static const struct schema_map schema_join = MAP("join", "join", "A join by number.", join_keys, SCHEMA_NO_KEY);

static const struct schema_key for_each_keys[] = {
    KEY(FOR_EACH_IN, "in", "A list, or an expression that gives a list or a map (then an item is {key, value}).", SCHEMA_REQUIRED, SCHEMA_TEXT | SCHEMA_ANY, TEXT_EXPRESSION, .max = TEXT_BYTES_MAX),
    KEY(FOR_EACH_AS, "as", "What expressions call the item; item when not given. Its place is <as>_index, 0 is the first.", 0, SCHEMA_TEXT, TEXT_NAME, .max = 128),
    KEY(FOR_EACH_MAX_PARALLEL, "max_parallel", "At most so many items at once.", 0, WHOLE(1, 1000000)),
    KEY(FOR_EACH_FAIL_FAST, "fail_fast", "Whether the first item that fails stops the rest.", 0, SCHEMA_BOOL),
};
static const struct schema_map schema_for_each =
    MAP("for_each", "for_each", "Runs the task once for each item. A list or an expression by itself is `in`.", for_each_keys, FOR_EACH_IN);

static const struct schema_key repeat_keys[] = {
    KEY(REPEAT_UNTIL, "until", "Ends when this holds after an iteration.", 0, EXPRESSION),
    KEY(REPEAT_WHILE, "while", "Goes on as long as this holds after an iteration.", 0, EXPRESSION),
    KEY(REPEAT_MAX, "max", "At most so many iterations; 100 when not given.", 0, WHOLE(1, 1000000)),
    KEY(REPEAT_DELAY, "delay", "The wait between two iterations.", 0, DURATION),
};
static const struct schema_map schema_repeat =
    MAP("repeat", "repeat", "Runs the task again and again. A number by itself is `max`.", repeat_keys, REPEAT_MAX);

static const struct schema_key retry_keys[] = {
    KEY(RETRY_MAX_ATTEMPTS, "max_attempts", "How many attempts there are in all, the first included; 3 when not given.", 0, WHOLE(1, 1000)),
    KEY(RETRY_BACKOFF, "backoff", "How the wait grows: constant, linear (delay * attempt) or exponential (delay * factor^(attempt-1)); exponential when not given.", 0, WORD(schema_backoffs)),
    KEY(RETRY_DELAY, "delay", "The wait before the second attempt; 1s when not given.", 0, DURATION),
    KEY(RETRY_FACTOR, "factor", "What the wait grows by, exponential; 2 when not given.", 0, NUMBER(1, 1000)),
    KEY(RETRY_MAX_DELAY, "max_delay", "The longest wait; 5m when not given.", 0, DURATION),
    KEY(RETRY_JITTER, "jitter", "0 to 1: the wait w is drawn from [w * (1 - jitter), w]; 1 for exponential and 0 for the others when not given.", 0, NUMBER(0, 1)),
    KEY(RETRY_ON, "on", "Failures after which there is another attempt; all that can help when not given.", 0, SCHEMA_LIST | SCHEMA_LONE, .items = &failure_name),
    KEY(RETRY_EXIT_CODES, "exit_codes", "Exit codes after which there is another attempt; all but 0 when not given.", 0, SCHEMA_LIST | SCHEMA_LONE, .items = &exit_code),
};
static const struct schema_alias retry_aliases[] = {
    ALIAS("max_retries", RETRY_MAX_ATTEMPTS, CONVERT_PLUS_ONE),
    ALIAS("retries", RETRY_MAX_ATTEMPTS, CONVERT_PLUS_ONE),
    ALIAS("backoff_seconds", RETRY_DELAY, CONVERT_SECONDS),
    ALIAS("delay_seconds", RETRY_DELAY, CONVERT_SECONDS),
    ALIAS("backoff_factor", RETRY_FACTOR, CONVERT_NONE),
    ALIAS("max_backoff_seconds", RETRY_MAX_DELAY, CONVERT_SECONDS),
};
const struct schema_map schema_retry =
    MAP_ALIASES("retry", "retry", "When an attempt fails. A number by itself is `max_attempts`.", retry_keys, RETRY_MAX_ATTEMPTS, retry_aliases);

static const struct schema_key pool_keys[] = {
    KEY(POOL_KEY_NAME, "name", "The pool.", SCHEMA_REQUIRED, SCHEMA_TEXT, TEXT_NAME, .max = 128),
    KEY(POOL_KEY_SLOTS, "slots", "How many of its slots the task takes while it runs; 1 when not given.", 0, WHOLE(1, 65535)),
};
static const struct schema_map schema_pool = MAP("pool", "a pool", "A pool that the task takes slots of. A name by itself takes one.", pool_keys, POOL_KEY_NAME);
static const struct schema_value pool_value = {SCHEMA_MAP, .map = &schema_pool};

static const struct schema_key shell_keys[] = {
    KEY(PROCESS_COMMAND, "command", "The text for /bin/sh. Values reach it through env.", SCHEMA_REQUIRED, SCHEMA_TEXT, TEXT_SHELL, .min = 1, .max = TEXT_BYTES_MAX),
    KEY(PROCESS_WORKING_DIR, "working_dir", "As the task's own key.", 0, TEMPLATE),
    KEY(PROCESS_STDIN, "stdin", "As the task's own key.", 0, TEMPLATE),
};
static const struct schema_map schema_shell = MAP("shell", "shell", "Text for a shell.", shell_keys, PROCESS_COMMAND);

static const struct schema_key exec_keys[] = {
    KEY(PROCESS_COMMAND, "command", "The program and its arguments.", SCHEMA_REQUIRED, SCHEMA_LIST, .items = &template_text),
    KEY(PROCESS_WORKING_DIR, "working_dir", "As the task's own key.", 0, TEMPLATE),
    KEY(PROCESS_STDIN, "stdin", "As the task's own key.", 0, TEMPLATE),
};
static const struct schema_map schema_exec = MAP("exec", "exec", "A program, run without a shell.", exec_keys, PROCESS_COMMAND);

static const struct schema_key script_keys[] = {
    KEY(SCRIPT_FILE, "file", "The script, relative to the definition.", 0, LITERAL),
    KEY(SCRIPT_TEXT, "text", "The script itself; with `interpreter`, or with a #! line.", 0, SCHEMA_TEXT, TEXT_SHELL, .min = 1, .max = TEXT_BYTES_MAX),
    KEY(SCRIPT_INTERPRETER, "interpreter", "What runs it: a program, or a list of a program and its arguments.", 0, SCHEMA_LIST | SCHEMA_LONE | SCHEMA_SHORT, .items = &literal_text),
    KEY(SCRIPT_ARGS, "args", "Arguments for the script.", 0, SCHEMA_LIST | SCHEMA_LONE, .items = &template_text),
    KEY(SCRIPT_WORKING_DIR, "working_dir", "As the task's own key.", 0, TEMPLATE),
    KEY(SCRIPT_STDIN, "stdin", "As the task's own key.", 0, TEMPLATE),
};
static const struct schema_map schema_script = MAP("script", "script", "A script. A path by itself is `file`.", script_keys, SCRIPT_FILE);

static const struct schema_key wait_keys[] = {
    KEY(WAIT_KEY_FOR, "for", "How long.", 0, DURATION),
    KEY(WAIT_KEY_UNTIL, "until", "Until when: RFC 3339, or a template of it.", 0, SCHEMA_TEXT, TEXT_MOMENT, .max = TEXT_BYTES_MAX),
    KEY(WAIT_KEY_EVENT, "event", "The name of the event that is waited for.", 0, TEMPLATE),
    KEY(WAIT_KEY_FILTER, "filter", "With event: an expression over `event` that must hold.", 0, EXPRESSION),
};
static const struct schema_alias wait_aliases[] = {
    ALIAS("duration", WAIT_KEY_FOR, CONVERT_NONE),
    ALIAS("seconds", WAIT_KEY_FOR, CONVERT_SECONDS),
};
static const struct schema_map schema_wait =
    MAP_ALIASES("wait", "wait", "Waits; exactly one of for, until and event. A duration by itself is `for`.", wait_keys, WAIT_KEY_FOR, wait_aliases);

static const struct schema_key approval_keys[] = {
    KEY(APPROVAL_MESSAGE, "message", "What is asked.", 0, TEMPLATE),
    KEY(APPROVAL_APPROVERS, "approvers", "Who may answer; anyone who may run the workflow when not given.", 0, SCHEMA_LIST | SCHEMA_LONE, .items = &literal_text),
};
static const struct schema_map schema_approval = MAP("approval", "approval", "Waits for a person's yes or no. Text by itself is `message`.", approval_keys, APPROVAL_MESSAGE);

static const struct schema_key call_keys[] = {
    KEY(CALL_NAME, "name", "A workflow by name, or a path (with a / or ending in .yaml, .yml or .json).", 0, SCHEMA_TEXT, TEXT_LITERAL, .min = 1, .max = 4096),
    KEY(CALL_FILE, "file", "A workflow's file, relative to the definition.", 0, SCHEMA_TEXT, TEXT_LITERAL, .min = 1, .max = 4096),
    KEY(CALL_PARAMETERS, "parameters", "What it is given.", 0, PARAMETERS_GIVEN),
};
static const struct schema_alias call_aliases[] = {ALIAS("params", CALL_PARAMETERS, CONVERT_NONE)};
static const struct schema_map schema_call =
    MAP_ALIASES("call", "workflow", "Another workflow, run as an execution of its own. Text by itself is `name`.", call_keys, CALL_NAME, call_aliases);

static const struct schema_key channel_keys[] = {
    KEY(CHANNEL_COMMAND, "command", "A program and its arguments; the message is in ORCH_MESSAGE.", SCHEMA_REQUIRED, SCHEMA_LIST, .items = &template_text),
};
static const struct schema_map schema_channel = MAP("channel", "a channel", "A channel that runs a program.", channel_keys, SCHEMA_NO_KEY);
static const struct schema_value channel_value = {SCHEMA_TEXT | SCHEMA_MAP, TEXT_LITERAL, .min = 1, .max = 256, .map = &schema_channel};

static const struct schema_key notification_keys[] = {
    KEY(NOTIFICATION_MESSAGE, "message", "What is said.", SCHEMA_REQUIRED, TEMPLATE),
    KEY(NOTIFICATION_TITLE, "title", "A heading.", 0, TEMPLATE),
    KEY(NOTIFICATION_LEVEL, "level", "How much it matters; info when not given.", 0, WORD(levels)),
    KEY(NOTIFICATION_CHANNELS, "channels", "Where to: log, {command: [...]}, or names of channels; log when not given.", 0, SCHEMA_LIST | SCHEMA_LONE, .items = &channel_value),
    KEY(NOTIFICATION_COMMAND, "command", "The same as a channel {command: [...]}.", 0, SCHEMA_LIST, .items = &template_text),
};
static const struct schema_map schema_notification =
    MAP("notification", "notification", "A message to channels. Text by itself is `message`.", notification_keys, NOTIFICATION_MESSAGE);

static const struct schema_key function_keys[] = {
    KEY(FUNCTION_NAME, "name", "The function, as the embedding program registered it.", SCHEMA_REQUIRED, SCHEMA_TEXT, TEXT_LITERAL, .min = 1, .max = 256),
    KEY(FUNCTION_PARAMETERS, "parameters", "What it is given.", 0, PARAMETERS_GIVEN),
};
static const struct schema_alias function_aliases[] = {ALIAS("params", FUNCTION_PARAMETERS, CONVERT_NONE)};
static const struct schema_map schema_function =
    MAP_ALIASES("function", "function", "A function of the embedding program. Text by itself is `name`.", function_keys, FUNCTION_NAME, function_aliases);

static const struct schema_key service_keys[] = {
    KEY(SERVICE_SERVICE, "service", "The service, as it is registered.", SCHEMA_REQUIRED, SCHEMA_TEXT, TEXT_LITERAL, .min = 1, .max = 256),
    KEY(SERVICE_ENDPOINT, "endpoint", "The path that is asked; / when not given.", 0, TEMPLATE),
    KEY(SERVICE_METHOD, "method", "The HTTP method; POST when not given.", 0, WORD(methods)),
    KEY(SERVICE_PARAMETERS, "parameters", "The query of a GET, HEAD or DELETE, the JSON body of the others.", 0, SCHEMA_ANY),
    KEY(SERVICE_HEADERS, "headers", "Headers that are added.", 0, SCHEMA_NAMES, TEXT_FREE, .items = &template_text),
};
static const struct schema_alias service_aliases[] = {ALIAS("params", SERVICE_PARAMETERS, CONVERT_NONE)};
static const struct schema_map schema_service = MAP_ALIASES("service_call", "service_call", "Asks a service over HTTP.", service_keys, SCHEMA_NO_KEY, service_aliases);

static const struct schema_key factory_keys[] = {
    KEY(FACTORY_FACTORY, "factory", "The factory, as it is registered.", SCHEMA_REQUIRED, SCHEMA_TEXT, TEXT_LITERAL, .min = 1, .max = 256),
    KEY(FACTORY_ACTION, "action", "What it shall do.", SCHEMA_REQUIRED, SCHEMA_TEXT, TEXT_LITERAL, .min = 1, .max = 256),
    KEY(FACTORY_PARAMS, "params", "What it is given.", 0, PARAMETERS_GIVEN),
};
static const struct schema_alias factory_aliases[] = {ALIAS("parameters", FACTORY_PARAMS, CONVERT_NONE)};
static const struct schema_map schema_factory = MAP_ALIASES("factory", "factory", "An action of a factory.", factory_keys, SCHEMA_NO_KEY, factory_aliases);

static const struct schema_map schema_noop = {.name = "noop", .title = "noop", .description = "Nothing: a point to join at.", .short_key = SCHEMA_NO_KEY};

static const struct schema_key task_keys[] = {
    KEY(TASK_KEY_ID, "id", "The task's id, when tasks are given as a list.", 0, SCHEMA_TEXT, TEXT_ID, .max = 128),
    KEY(TASK_KEY_NAME, "name", "What people call it.", 0, SCHEMA_TEXT, TEXT_FREE, .max = 256),
    KEY(TASK_KEY_DESCRIPTION, "description", "For people.", 0, ABOUT),
    KEY(TASK_KEY_DEPENDS_ON, "depends_on", "The tasks of the same block that come before it.", 0, SCHEMA_LIST | SCHEMA_LONE, .items = &task_id),
    KEY(TASK_KEY_JOIN, "join", "When it may start, by how its dependencies ended; all_succeeded when not given.", 0, SCHEMA_TEXT | SCHEMA_MAP, TEXT_LITERAL, .choices = schema_joins, .map = &schema_join),
    KEY(TASK_KEY_WHEN, "when", "An expression; false skips the task.", 0, EXPRESSION),
    KEY(TASK_KEY_FOR_EACH, "for_each", "Runs it once for each item.", 0, SCHEMA_MAP, .map = &schema_for_each),
    KEY(TASK_KEY_REPEAT, "repeat", "Runs it again and again.", 0, SCHEMA_MAP, .map = &schema_repeat),
    KEY(TASK_KEY_SHELL, "shell", "Runs text in a shell.", SCHEMA_ACTION, SCHEMA_MAP, .map = &schema_shell),
    KEY(TASK_KEY_EXEC, "exec", "Runs a program with arguments, without a shell.", SCHEMA_ACTION, SCHEMA_MAP, .map = &schema_exec),
    KEY(TASK_KEY_SCRIPT, "script", "Runs a script.", SCHEMA_ACTION, SCHEMA_MAP, .map = &schema_script),
    KEY(TASK_KEY_TRANSFORM, "transform", "Computes a value: an expression, or a map or list with templates in it.", SCHEMA_ACTION, SCHEMA_TEXT | SCHEMA_ANY, TEXT_EXPRESSION, .max = TEXT_BYTES_MAX),
    KEY(TASK_KEY_WAIT, "wait", "Waits for a duration, a moment or an event.", SCHEMA_ACTION, SCHEMA_MAP, .map = &schema_wait),
    KEY(TASK_KEY_APPROVAL, "approval", "Waits for a person's yes or no.", SCHEMA_ACTION, SCHEMA_MAP | SCHEMA_NULL, .map = &schema_approval),
    KEY(TASK_KEY_WORKFLOW, "workflow", "Runs another workflow.", SCHEMA_ACTION, SCHEMA_MAP, .map = &schema_call),
    KEY(TASK_KEY_NOTIFICATION, "notification", "Says something to channels.", SCHEMA_ACTION, SCHEMA_MAP, .map = &schema_notification),
    KEY(TASK_KEY_FUNCTION, "function", "Calls a function of the embedding program.", SCHEMA_ACTION, SCHEMA_MAP, .map = &schema_function),
    KEY(TASK_KEY_SERVICE_CALL, "service_call", "Asks a service over HTTP.", SCHEMA_ACTION, SCHEMA_MAP, .map = &schema_service),
    KEY(TASK_KEY_FACTORY, "factory", "Has a factory do something.", SCHEMA_ACTION, SCHEMA_MAP, .map = &schema_factory),
    KEY(TASK_KEY_NOOP, "noop", "Does nothing: a point to join at.", SCHEMA_ACTION, SCHEMA_MAP | SCHEMA_NULL, .map = &schema_noop),
    KEY(TASK_KEY_MODE, "mode", "How the tasks of a group follow each other; dag when not given.", 0, WORD(schema_modes)),
    KEY(TASK_KEY_TASKS, "tasks", "Makes it a group of tasks.", SCHEMA_ACTION, TASKS),
    KEY(TASK_KEY_FINALLY, "finally", "In a group: runs last, however its tasks ended.", 0, HANDLER),
    KEY(TASK_KEY_ENV, "env", "Environment variables, added to those around it.", 0, ENV),
    KEY(TASK_KEY_SECRETS, "secrets", "Names of secrets it may use besides the workflow's.", 0, SECRETS),
    KEY(TASK_KEY_WORKING_DIR, "working_dir", "Where shell, exec and script run.", 0, TEMPLATE),
    KEY(TASK_KEY_STDIN, "stdin", "What shell, exec and script read from standard input.", 0, TEMPLATE),
    KEY(TASK_KEY_RETRY, "retry", "What happens when an attempt fails.", 0, SCHEMA_MAP, .map = &schema_retry),
    KEY(TASK_KEY_TIMEOUT, "timeout", "How long one attempt may take; " YEARS_10 ".", 0, DURATION),
    KEY(TASK_KEY_TOTAL_TIMEOUT, "total_timeout", "How long all attempts and the waits between them may take.", 0, DURATION),
    KEY(TASK_KEY_POOL, "pool", "Pools it takes slots of while it runs.", 0, SCHEMA_LIST | SCHEMA_LONE | SCHEMA_SHORT, .items = &pool_value),
    KEY(TASK_KEY_CONCURRENCY, "concurrency", "In a group: how many actions may run at once.", 0, WHOLE(1, 1000000)),
    KEY(TASK_KEY_PRIORITY, "priority", "Goes before tasks with a lower one; 0 when not given.", 0, WHOLE(-1000000, 1000000)),
    KEY(TASK_KEY_FAIL_FAST, "fail_fast", "In a group: whether the first failure stops the rest of it.", 0, SCHEMA_BOOL),
    KEY(TASK_KEY_ON_INTERRUPT, "on_interrupt", "What happens when the outcome of an attempt is not known after a crash; retry when not given.", 0, WORD(schema_interrupts)),
    KEY(TASK_KEY_CONTINUE_ON_ERROR, "continue_on_error", "Whether a failure counts as success for those that depend on it.", 0, SCHEMA_BOOL),
    KEY(TASK_KEY_ON_ERROR, "on_error", "Runs when it has failed after its retries; when that succeeds, so does the task.", 0, HANDLER),
    KEY(TASK_KEY_COMPENSATE, "compensate", "Undoes it when the execution fails or is cancelled later.", 0, HANDLER),
};
static const struct schema_alias task_aliases[] = {
    ALIAS("action_id", TASK_KEY_ID, CONVERT_NONE),
    ALIAS("task_id", TASK_KEY_ID, CONVERT_NONE),
    ALIAS("step_id", TASK_KEY_ID, CONVERT_NONE),
    ALIAS("title", TASK_KEY_NAME, CONVERT_NONE),
    ALIAS("dependencies", TASK_KEY_DEPENDS_ON, CONVERT_NONE),
    ALIAS("condition", TASK_KEY_WHEN, CONVERT_NONE),
    ALIAS("run", TASK_KEY_SHELL, CONVERT_NONE),
    ALIAS("command", TASK_KEY_SHELL, CONVERT_NONE),
    ALIAS("func", TASK_KEY_FUNCTION, CONVERT_NONE),
    ALIAS("handler", TASK_KEY_FUNCTION, CONVERT_NONE),
    ALIAS("steps", TASK_KEY_TASKS, CONVERT_NONE),
    ALIAS("actions", TASK_KEY_TASKS, CONVERT_NONE),
    ALIAS("retry_policy", TASK_KEY_RETRY, CONVERT_NONE),
    ALIAS("timeout_seconds", TASK_KEY_TIMEOUT, CONVERT_SECONDS),
    ALIAS("max_parallel", TASK_KEY_CONCURRENCY, CONVERT_NONE),
    ALIAS("max_workers", TASK_KEY_CONCURRENCY, CONVERT_NONE),
};
const struct schema_map schema_task =
    MAP_ALIASES("task", "a task", "One action, or a group of tasks.", task_keys, SCHEMA_NO_KEY, task_aliases);

/* clang-format on */

const struct schema_map *const schema_maps[] = {
    &schema_workflow, &schema_parameter, &schema_concurrency, &schema_schedule, &schema_task,         &schema_join,     &schema_for_each,
    &schema_repeat,   &schema_retry,     &schema_pool,        &schema_shell,    &schema_exec,         &schema_script,   &schema_wait,
    &schema_approval, &schema_call,      &schema_channel,     &schema_notification, &schema_function, &schema_service,  &schema_factory,
    &schema_noop,     NULL};

_Static_assert(COUNT(task_keys) == TASK_KEYS && TASK_KEYS <= SCHEMA_KEYS_MAX, "every key of a task has its row");
_Static_assert(COUNT(workflow_keys) == WORKFLOW_KEYS && WORKFLOW_KEYS <= SCHEMA_KEYS_MAX, "every key of a workflow has its row");
_Static_assert(COUNT(service_keys) == SERVICE_KEYS && COUNT(script_keys) == SCRIPT_KEYS && COUNT(retry_keys) == RETRY_KEYS, "every key has its row");
