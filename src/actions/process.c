/*
 * process.c - the provider of shell, exec and script.
 *
 * From an attempt to a program (what is run, where, with which environment) and back (lines to the log, progress, the
 * value, why it failed). How programs run and end is the runner's affair; when they must end is the engine's.
 */
#include "actions/action.h"

#include <unistd.h>

#include "actions/command.h"
#include "actions/environment.h"
#include "actions/failure.h"
#include "actions/output.h"
#include "actions/runner.h"
#include "actions/scratch.h"
#include "actions/script.h"
#include "base/error.h"
#include "sys/file.h"

struct context {
    struct runner *runner;
    struct environment_base environment;
    struct scratch_pool scratch;
    struct arena arena;
    struct orch_str mark;
};

struct process {
    struct runner_program program; /* first: the runner hands it back */
    struct context *context;
    struct action_attempt *attempt;
    struct scratch_slot *slot;
    struct orch_str name; /* what is run, for messages */
    struct orch_str working_dir;
    struct output_lines lines[2];
    struct output_capture capture;
    bool said_split, said_lost;
    bool over; /* done was or is being reported */
};

/*
 * What it writes.
 */
static void add_line(struct process *process, enum log_stream stream, struct orch_str text, bool is_whole)
{
    double fraction;
    struct orch_str remark;

    if (text.size > 0 && text.data[0] == ':' && output_parse_progress(text, &fraction, &remark)) {
        process->attempt->host->progress(process->attempt, fraction, remark);
        return;
    }
    if (stream == LOG_STDOUT) output_capture_add(&process->capture, text, is_whole);
    if (text.size > 0 && text.data[text.size - 1] == '\r') text.size--; /* of a CR LF */
    process->attempt->host->log(process->attempt, stream, text);
}

static void add_stdout(void *user, struct orch_str text, bool is_whole)
{
    add_line(user, LOG_STDOUT, text, is_whole);
}

static void add_stderr(void *user, struct orch_str text, bool is_whole)
{
    add_line(user, LOG_STDERR, text, is_whole);
}

static void on_output(struct runner_program *program, int stream, const char *data, size_t size)
{
    struct process *process = (struct process *)program;
    struct output_lines *lines = &process->lines[stream - 1];

    output_lines_feed(lines, data, size, stream == 1 ? add_stdout : add_stderr, process);
    if (lines->was_split && !process->said_split) {
        process->said_split = true;
        process->attempt->host->log(process->attempt, LOG_SYSTEM, STR("a line longer than 64 KiB was split"));
    }
    if (lines->failed && !process->said_lost) {
        process->said_lost = true;
        process->attempt->host->log(process->attempt, LOG_SYSTEM, STR("a part of a line was lost: out of memory"));
    }
}

/*
 * How it ended.
 */
static void find_output(struct process *process, struct action_result *result)
{
    struct action_attempt *attempt = process->attempt;
    struct orch_error err = ORCH_ERROR_INIT;
    struct orch_str file = STR_NONE, remark = STR_NONE;
    int code = 0;

    switch (process->slot ? scratch_has_output(process->slot) : SCRATCH_OUTPUT_NONE) {
    case SCRATCH_OUTPUT_NONE: break;
    case SCRATCH_OUTPUT_FILE:
        code = file_read(process->slot->output, OUTPUT_FILE_MAX, attempt->arena, &file, &err);
        if (code == ORCH_ERR_NOT_FOUND) code = 0;
        break;
    case SCRATCH_OUTPUT_ODD: code = error_set(&err, ORCH_ERR_INVALID, "$ORCH_OUTPUT is not a file"); break;
    }
    if (code == 0 && file.size == 0 && process->lines[0].failed) code = error_memory(&err); /* stdout is not whole */
    if (code == 0) code = output_parse(file, &process->capture, attempt->arena, &result->output, &remark, &err);
    if (remark.size > 0) attempt->host->log(attempt, LOG_SYSTEM, remark);
    if (code != 0) {
        /* It did its work, but what it has to say cannot be had: those that depend on it would go on with nothing. */
        result->failure = code == ORCH_ERR_LIMIT || code == ORCH_ERR_INVALID ? FAILURE_PERMANENT : FAILURE_ERROR;
        result->error = arena_printf(attempt->arena, "cannot take the output: %s", err.message);
        result->output = STR_NONE;
    }
}

static void process_free(struct process *process)
{
    buf_done(&process->lines[0].partial);
    buf_done(&process->lines[1].partial);
    buf_done(&process->capture.kept);
    if (process->slot) scratch_give_back(&process->context->scratch, process->slot);
}

static void on_ended(struct runner_program *program, const struct runner_end *end)
{
    struct process *process = (struct process *)program;
    struct action_attempt *attempt = process->attempt;
    struct action_result result = {.failure = FAILURE_NONE, .exit_code = -1};

    process->over = true;
    output_lines_finish(&process->lines[0], add_stdout, process);
    output_lines_finish(&process->lines[1], add_stderr, process);
    if (end->news.left_behind > 0) {
        struct orch_str text = arena_printf(
            attempt->arena, "%u process%s still ran after the task's own had exited, and %s ended",
            end->news.left_behind, end->news.left_behind == 1 ? "" : "es", end->news.left_behind == 1 ? "was" : "were");

        attempt->host->log(attempt, LOG_SYSTEM, text);
    }
    failure_describe(end, process->name, process->working_dir, attempt->arena, &result);
    if (result.failure == FAILURE_NONE) find_output(process, &result);
    /* done frees the attempt and all that is in its arena, this among it; but the output may be in our buffers: those
     * go after it. */
    struct process kept = *process;

    attempt->state = NULL;
    attempt->host->done(attempt, &result);
    process_free(&kept);
}

/*
 * From attempt to program.
 */
static int working_dir_of(const struct action_attempt *attempt, struct orch_str *ret, struct orch_error *err)
{
    const struct value *value = value_get(attempt->config, STR("working_dir"));
    struct orch_str name = STR_NONE;

    if (value && value->kind != VALUE_NULL) {
        if (value->kind != VALUE_STRING)
            return error_set(err, ORCH_ERR_INVALID, "working_dir is a %s; it is a path", value_kind_name(*value));
        name = value_str(*value);
        if (name.size > 0 && memchr(name.data, '\0', name.size))
            return error_set(err, ORCH_ERR_INVALID, "working_dir holds a NUL byte");
    }
    return path_join(attempt->base_dir, name, attempt->arena, ret, err);
}

static int stdin_of(const struct action_attempt *attempt, struct orch_str *ret, struct orch_error *err)
{
    const struct value *value = value_get(attempt->config, STR("stdin"));
    struct buf buf;

    *ret = STR_NONE;
    if (!value || value->kind == VALUE_NULL) return 0;
    if (value->kind == VALUE_STRING || value->kind == VALUE_BYTES) {
        *ret = value_str(*value);
        if (!ret->data) *ret = STR("");
        return 0;
    }
    buf_init(&buf, NULL, 0);
    json_format(*value, 0, &buf);
    *ret = buf.failed ? STR_NONE : arena_str(attempt->arena, buf_str(&buf));
    buf_done(&buf);
    return ret->data ? 0 : error_memory(err);
}

static int argv_of(const struct process *process, const struct orch_str **ret, uint32_t *ret_count,
                   struct orch_error *err)
{
    const struct action_attempt *attempt = process->attempt;
    const struct value *command = value_get(attempt->config, STR("command"));
    struct command parsed;
    int result;

    if (attempt->kind == ACTION_SCRIPT) {
        return script_prepare(attempt->config, attempt->base_dir, process->slot, attempt->arena, ret, ret_count, err);
    }
    if (attempt->kind == ACTION_EXEC) {
        result = script_strings(command, "exec", attempt->arena, ret, ret_count, err);
        if (result == 0 && (*ret_count == 0 || (*ret)[0].size == 0))
            return error_set(err, ORCH_ERR_INVALID, "exec names no program");
        return result;
    }
    if (!command || command->kind != VALUE_STRING) return error_set(err, ORCH_ERR_INVALID, "shell needs a text");
    result = command_parse(value_str(*command), attempt->arena, &parsed, err);
    if (result != 0) return result;
    *ret = parsed.argv;
    *ret_count = parsed.argv_count;
    return 0;
}

static int process_start(void *context_pointer, struct action_attempt *attempt, struct orch_error *err)
{
    struct context *context = context_pointer;
    struct process *process = ARENA_NEW(attempt->arena, struct process);
    struct environment_dirs dirs = {STR_NONE, STR_NONE, STR_NONE};
    struct runner_request request = {0};
    int result;

    if (!process) return error_memory(err);
    process->program.output = on_output;
    process->program.ended = on_ended;
    process->context = context;
    process->attempt = attempt;
    buf_init(&process->lines[0].partial, NULL, OUTPUT_LINE_MAX);
    buf_init(&process->lines[1].partial, NULL, OUTPUT_LINE_MAX);
    for (int i = 0; i < 2; i++) {
        process->lines[i].secrets = attempt->secrets;
        process->lines[i].secrets_count = attempt->secrets_count;
    }
    buf_init(&process->capture.kept, NULL, OUTPUT_STDOUT_MAX + 1);
    result = scratch_take(&context->scratch, attempt->scratch_dir, &process->slot, err);
    if (result == 0 && attempt->inputs_count > 0) {
        result = scratch_write_inputs(process->slot, attempt->inputs, attempt->inputs_count, err);
        dirs.inputs = str_from(process->slot->inputs);
    }
    if (result == 0) {
        dirs.scratch = str_from(process->slot->directory);
        dirs.output = str_from(process->slot->output);
        result = environment_build(&context->environment, attempt, &dirs, &request.env, &request.env_count, err);
    }
    if (result == 0) result = working_dir_of(attempt, &process->working_dir, err);
    if (result == 0) result = stdin_of(attempt, &request.stdin_text, err);
    if (result == 0) result = argv_of(process, &request.argv, &request.argv_count, err);
    if (result == 0) {
        request.working_dir = process->working_dir;
        process->name = request.argv[0];
        result = runner_start(context->runner, &request, &process->program, err);
    }
    if (result != 0) {
        process_free(process);
        return result;
    }
    attempt->state = process;
    return 0;
}

static void process_stop(void *context_pointer, struct action_attempt *attempt, bool hasten)
{
    struct context *context = context_pointer;
    struct process *process = attempt->state;

    if (process && !process->over) runner_stop(context->runner, &process->program, hasten ? 0 : attempt->grace_us);
}

/*
 * Beginning and end.
 */
static int process_open(struct uv_loop_s *loop, struct orch_str store_mark, void **ret_context, struct orch_error *err)
{
    struct context *context = mem_resize(NULL, NULL, 0, sizeof(*context));
    int result = 0;

    if (!context) return error_memory(err);
    *context = (struct context){0};
    scratch_init(&context->scratch);
    arena_init(&context->arena, NULL, 0);
    context->mark = arena_str(&context->arena, store_mark);
    if (!context->mark.data) result = error_memory(err);
    /* What an earlier life of this store left running must be gone before its attempts are made again. */
    if (result == 0 && store_mark.size > 0) result = process_kill_marked(store_mark, 2 * ORCH_SECOND, err);
    if (result >= 0) result = environment_base_init(&context->environment, environ, err);
    if (result == 0) {
        result = runner_open(loop, context->mark, true, &context->runner, err);
        if (result != 0) environment_base_done(&context->environment);
    }
    if (result != 0) {
        scratch_done(&context->scratch);
        arena_done(&context->arena);
        (void)mem_resize(NULL, context, sizeof(*context), 0);
        return result;
    }
    *ret_context = context;
    return 0;
}

static void process_close(void *context_pointer)
{
    struct context *context = context_pointer;

    context->runner = runner_close(context->runner);
    scratch_done(&context->scratch);
    environment_base_done(&context->environment);
    arena_done(&context->arena);
    (void)mem_resize(NULL, context, sizeof(*context), 0);
}

static const enum action_kind process_kinds[] = {ACTION_SHELL, ACTION_EXEC, ACTION_SCRIPT, ACTION_NONE};

const struct action_provider action_process_provider = {
    .name = "process",
    .kinds = process_kinds,
    .open = process_open,
    .close = process_close,
    .start = process_start,
    .stop = process_stop,
};
