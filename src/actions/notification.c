/*
 * notification.c - a message to channels: the log, and programs that carry it on.
 *
 * config: message, title, level, channels (log, {command: [...]}, or names), command. A name that nothing is known of
 * goes to the log with a warning: a message that shows up in the wrong place is better than a workflow that fails over
 * it.
 */
#include "actions/action.h"

#include <unistd.h>

#include "actions/environment.h"
#include "actions/failure.h"
#include "actions/output.h"
#include "actions/script.h"
#include "base/error.h"

#define CHANNELS_MAX 64

struct context {
    struct uv_loop_s *loop;
    struct runner *runner; /* NULL until a channel needs it */
    struct environment_base environment;
    struct orch_str mark;
    struct arena arena;
};

struct notification;

/* A program that carries the message on. */
struct carrier {
    struct runner_program program; /* first: the runner hands it back */
    struct notification *notification;
    struct orch_str name;
    struct output_lines lines[2];
    bool is_over;
};

struct notification {
    struct context *context;
    struct action_attempt *attempt;
    struct orch_str message, title, level, working_dir;
    struct carrier *carriers;
    uint32_t carriers_count;
    uint32_t running;            /* and one while start is at work */
    struct action_result result; /* the first failure */
};

/* Text of any value: a string as it is, nothing for null, else JSON. */
static int text_of(struct value config, struct orch_str key, struct arena *arena, struct orch_str *ret,
                   struct orch_error *err)
{
    const struct value *value = value_get(config, key);
    struct buf buf;

    *ret = STR_NONE;
    if (!value || value->kind == VALUE_NULL) return 0;
    if (value->kind == VALUE_STRING) {
        *ret = value_str(*value);
        return 0;
    }
    buf_init(&buf, NULL, 0);
    json_format(*value, 0, &buf);
    *ret = buf.failed ? STR_NONE : arena_str(arena, buf_str(&buf));
    buf_done(&buf);
    return ret->data ? 0 : error_memory(err);
}

/* Line by line, the first with title and level before it. */
static void log_message(const struct notification *notification)
{
    const struct action_attempt *attempt = notification->attempt;
    struct orch_str text = notification->message, level = notification->level, title = notification->title, made;
    bool has_level = level.size > 0 && !str_is(level, "info");

    if (!has_level) level = STR_NONE;
    made = arena_printf(attempt->arena, "%.*s%s%.*s%s%.*s", STR_ARG(level), has_level ? ": " : "", STR_ARG(title),
                        title.size > 0 ? ": " : "", STR_ARG(text));
    if (made.data) text = made; /* memory is short: at least the message */
    while (text.size > 0) {
        size_t end = str_find(text, STR("\n"), 0);
        size_t size = end == SIZE_MAX ? text.size : end;

        attempt->host->log((struct action_attempt *)(uintptr_t)attempt, LOG_SYSTEM, str_of(text.data, size));
        if (end == SIZE_MAX) break;
        text = str_of(text.data + size + 1, text.size - size - 1);
    }
}

static void finish(struct notification *notification)
{
    if (--notification->running == 0) notification->attempt->host->done(notification->attempt, &notification->result);
}

static void add_stdout(void *user, struct orch_str text, bool is_whole)
{
    struct action_attempt *attempt = user;

    (void)is_whole;
    attempt->host->log(attempt, LOG_STDOUT, text);
}

static void add_stderr(void *user, struct orch_str text, bool is_whole)
{
    struct action_attempt *attempt = user;

    (void)is_whole;
    attempt->host->log(attempt, LOG_STDERR, text);
}

static void on_output(struct runner_program *program, int stream, const char *data, size_t size)
{
    struct carrier *carrier = (struct carrier *)program;

    output_lines_feed(&carrier->lines[stream - 1], data, size, stream == 1 ? add_stdout : add_stderr,
                      carrier->notification->attempt);
}

static void on_ended(struct runner_program *program, const struct runner_end *end)
{
    struct carrier *carrier = (struct carrier *)program;
    struct notification *notification = carrier->notification;
    struct action_attempt *attempt = notification->attempt;
    struct action_result result = {0};

    carrier->is_over = true;
    output_lines_finish(&carrier->lines[0], add_stdout, attempt);
    output_lines_finish(&carrier->lines[1], add_stderr, attempt);
    failure_describe(end, carrier->name, notification->working_dir, attempt->arena, &result);
    if (result.failure != FAILURE_NONE && notification->result.failure == FAILURE_NONE) {
        struct orch_str text =
            arena_printf(attempt->arena, "channel %.*s: %.*s", STR_ARG(carrier->name), STR_ARG(result.error));

        notification->result = result;
        if (text.data) notification->result.error = text;
    }
    finish(notification);
}

/* The environment of an attempt and the message. */
static int environment_of(const struct notification *notification, const struct orch_str **ret, uint32_t *ret_count,
                          struct orch_error *err)
{
    const struct environment_dirs none = {STR_NONE, STR_NONE, STR_NONE};
    struct arena *arena = notification->attempt->arena;
    const struct orch_str *list;
    struct orch_str *all;
    uint32_t count;
    int result;

    if (notification->message.size + notification->title.size + 64 > ENVIRONMENT_VARIABLE_MAX) {
        return error_set(err, ORCH_ERR_LIMIT, "the message is %zu bytes long; a program can be given 128 KiB",
                         notification->message.size);
    }
    result = environment_build(&notification->context->environment, notification->attempt, &none, &list, &count, err);
    if (result != 0) return result;
    all = ARENA_ARRAY(arena, (size_t)count + 3, struct orch_str);
    if (!all) return error_memory(err);
    memcpy(all, list, count * sizeof(*list));
    all[count] = arena_printf(arena, "ORCH_MESSAGE=%.*s", STR_ARG(notification->message));
    all[count + 1] = arena_printf(arena, "ORCH_TITLE=%.*s", STR_ARG(notification->title));
    all[count + 2] = arena_printf(arena, "ORCH_LEVEL=%.*s", STR_ARG(notification->level));
    if (!all[count].data || !all[count + 1].data || !all[count + 2].data) return error_memory(err);
    *ret = all;
    *ret_count = count + 3;
    return 0;
}

static int start_carrier(struct notification *notification, const struct value *command, struct orch_error *err)
{
    struct context *context = notification->context;
    struct carrier *carrier = &notification->carriers[notification->carriers_count];
    struct runner_request request = {.working_dir = notification->working_dir};
    int result =
        script_strings(command, "command", notification->attempt->arena, &request.argv, &request.argv_count, err);

    if (result == 0 && request.argv_count == 0)
        result = error_set(err, ORCH_ERR_INVALID, "a channel's command names no program");
    if (result == 0) result = environment_of(notification, &request.env, &request.env_count, err);
    if (result == 0 && !context->runner)
        result = runner_open(context->loop, context->mark, false, &context->runner, err);
    if (result != 0) return result;
    *carrier = (struct carrier){
        .program = {.output = on_output, .ended = on_ended}, .notification = notification, .name = request.argv[0]};
    buf_init(&carrier->lines[0].partial, NULL, OUTPUT_LINE_MAX);
    buf_init(&carrier->lines[1].partial, NULL, OUTPUT_LINE_MAX);
    for (int i = 0; i < 2; i++) {
        carrier->lines[i].secrets = notification->attempt->secrets;
        carrier->lines[i].secrets_count = notification->attempt->secrets_count;
    }
    result = runner_start(context->runner, &request, &carrier->program, err);
    if (result != 0) return result;
    notification->carriers_count++;
    notification->running++;
    return 0;
}

/* Delivers to one channel. One that cannot be reached fails the notification, after the others had theirs. */
static void deliver(struct notification *notification, const struct value *channel, bool *logged)
{
    struct action_attempt *attempt = notification->attempt;
    const struct value *command = value_get(*channel, STR("command"));
    struct orch_error err = ORCH_ERROR_INIT;
    int result = 0;

    if (channel->kind == VALUE_STRING) {
        struct orch_str name = value_str(*channel), warning;

        if (!str_is(name, "log")) {
            warning = arena_printf(attempt->arena,
                                   "warning: the channel \"%.*s\" is not configured; the message is in this log",
                                   STR_ARG(name));
            attempt->host->log(attempt, LOG_SYSTEM, warning);
        }
        if (!*logged) log_message(notification);
        *logged = true;
        return;
    }
    if (command)
        result = start_carrier(notification, command, &err);
    else
        result = error_set(&err, ORCH_ERR_INVALID, "a channel is a name or {command: [...]}");
    if (result != 0 && notification->result.failure == FAILURE_NONE) {
        notification->result.failure =
            result == ORCH_ERR_INVALID || result == ORCH_ERR_LIMIT ? FAILURE_PERMANENT : FAILURE_START;
        notification->result.error = arena_str(attempt->arena, str_from(err.message));
    }
}

static int notification_start(void *context_pointer, struct action_attempt *attempt, struct orch_error *err)
{
    struct notification *notification = ARENA_NEW(attempt->arena, struct notification);
    const struct value *channels = value_get(attempt->config, STR("channels")),
                       *command = value_get(attempt->config, STR("command"));
    const struct value log_only = value_string(STR("log"));
    uint32_t count = 1;
    bool logged = false;
    int result;

    if (!notification) return error_memory(err);
    *notification = (struct notification){
        .context = context_pointer, .attempt = attempt, .running = 1, .result = {.exit_code = -1}};
    result = text_of(attempt->config, STR("message"), attempt->arena, &notification->message, err);
    if (result == 0) result = text_of(attempt->config, STR("title"), attempt->arena, &notification->title, err);
    if (result == 0) result = text_of(attempt->config, STR("level"), attempt->arena, &notification->level, err);
    if (result == 0) result = path_join(attempt->base_dir, STR_NONE, attempt->arena, &notification->working_dir, err);
    if (result != 0) return result;
    if (notification->level.size == 0) notification->level = STR("info");
    if (!channels || channels->kind == VALUE_NULL) {
        channels = command ? NULL : &log_only;
        count = command ? 0 : 1;
    } else if (channels->kind == VALUE_LIST) {
        count = channels->size;
        channels = channels->items;
    }
    if (count > CHANNELS_MAX) return error_set(err, ORCH_ERR_LIMIT, "more than %d channels", CHANNELS_MAX);
    notification->carriers = ARENA_ARRAY(attempt->arena, (size_t)count + 1, struct carrier);
    if (!notification->carriers) return error_memory(err);
    attempt->state = notification;
    for (uint32_t i = 0; i < count; i++) deliver(notification, &channels[i], &logged);
    if (command && command->kind != VALUE_NULL) deliver(notification, &attempt->config, &logged);
    finish(notification);
    return 0;
}

static void notification_stop(void *context_pointer, struct action_attempt *attempt, bool hasten)
{
    struct context *context = context_pointer;
    struct notification *notification = attempt->state;

    for (uint32_t i = 0; i < notification->carriers_count; i++) {
        struct carrier *carrier = &notification->carriers[i];

        if (!carrier->is_over) runner_stop(context->runner, &carrier->program, hasten ? 0 : attempt->grace_us);
    }
}

static int notification_open(struct uv_loop_s *loop, struct orch_str store_mark, void **ret_context,
                             struct orch_error *err)
{
    struct context *context = mem_resize(NULL, NULL, 0, sizeof(*context));
    int result;

    if (!context) return error_memory(err);
    *context = (struct context){.loop = loop};
    arena_init(&context->arena, NULL, 0);
    context->mark = arena_str(&context->arena, store_mark);
    result = context->mark.data ? environment_base_init(&context->environment, environ, err) : error_memory(err);
    if (result != 0) {
        arena_done(&context->arena);
        (void)mem_resize(NULL, context, sizeof(*context), 0);
        return result;
    }
    *ret_context = context;
    return 0;
}

static void notification_close(void *context_pointer)
{
    struct context *context = context_pointer;

    context->runner = runner_close(context->runner);
    environment_base_done(&context->environment);
    arena_done(&context->arena);
    (void)mem_resize(NULL, context, sizeof(*context), 0);
}

static const enum action_kind notification_kinds[] = {ACTION_NOTIFICATION, ACTION_NONE};

const struct action_provider action_notification_provider = {
    .name = "notification",
    .kinds = notification_kinds,
    .open = notification_open,
    .close = notification_close,
    .start = notification_start,
    .stop = notification_stop,
};
