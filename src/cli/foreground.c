/*
 * foreground.c - an engine in the foreground: progress, signals, the outcome and the exit code.
 */
#include "cli/run.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <uv.h>

#include "base/error.h"
#include "base/time.h"

/* Open files: of a process that runs, with its log, at most; of everything else. */
#define FILES_EACH 5
#define FILES_ELSE 128

struct foreground {
    struct foreground_options options;
    struct engine *engine;
    struct progress *progress;
    struct engine_execution *execution; /* NULL once it has ended */
    uv_signal_t interrupt, terminate, hangup;
    bool signals_open;
    int signal;                         /* the first that came, 0 */
    uint32_t jobs, jobs_missing;        /* at once; how many more were wanted */
    bool left;                          /* stopped while nothing could be recorded: the run stays as it is */
    struct engine_observer shown;       /* the progress's own */
    struct buf outcome;                 /* kept when the execution ends */
    struct orch_error outcome_err;      /* its output cannot be read; code 0: it can */
    struct orch_error trouble;
};

static void stop(struct foreground *foreground, int number)
{
    if (!foreground->execution) return;
    bool stalled = engine_is_stalled(foreground->engine);
    if (foreground->signal) {
        progress_say(foreground->progress, "killing what still runs");
        foreground->left = stalled;
        engine_hasten(foreground->engine, foreground->execution);
        return;
    }
    foreground->signal = number;
    struct orch_error err = ORCH_ERROR_INIT;
    struct core_summary summary;
    core_get_summary(engine_execution_core(foreground->execution), &summary);
    uint32_t running = summary.states[TASK_RUNNING];
    int r = engine_cancel(foreground->engine, foreground->execution, STR("interrupt"), STR("interrupted"), NULL, NULL, &err);
    if (stalled) progress_say(foreground->progress, "stopping as soon as it can be recorded, again to kill");
    else if (r) progress_say(foreground->progress, "%s", err.message);
    else if (running) progress_say(foreground->progress, "stopping %u task%s, again to kill", running, running == 1 ? "" : "s");
    else progress_say(foreground->progress, "stopping");
}

static void on_signal(uv_signal_t *handle, int number)
{
    stop(handle->data, number);
}

static void put_json_member(struct buf *out, const char *name, struct orch_str json)
{
    if (!json.size) return;
    buf_printf(out, ",\"%s\":", name);
    buf_add(out, json);
}

/* What the run came to, as one JSON object. */
static void put_outcome(struct foreground *foreground, struct engine_execution *execution)
{
    struct core_summary summary;
    struct buf *out = &foreground->outcome;
    const struct core *core = engine_execution_core(execution);
    core_get_summary(core, &summary);
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct orch_str output = summary.output;
    if (!output.size && summary.output_blob &&
        store_get_blob(engine_store(foreground->engine), engine_execution_number(execution), summary.output_blob, &arena, &output,
                       &foreground->outcome_err)) {
        arena_done(&arena);
        return;
    }
    if (!foreground->options.json) {
        /* Only what the author declared as the result: the rest is in `orch show`. */
        if (core_workflow(core)->output && summary.state == EXECUTION_SUCCEEDED) buf_add(out, output);
    } else {
        buf_printf(out, "{\"v\":1,\"run\":\"%s\",\"workflow\":", engine_execution_id(execution));
        json_format_string(core_workflow(core)->name, out);
        buf_printf(out, ",\"state\":\"%s\",\"started_at\":\"", execution_state_to_string(summary.state));
        time_format(summary.started_at, true, out);
        buf_add_text(out, "\",\"ended_at\":\"");
        time_format(summary.ended_at, true, out);
        buf_printf(out, "\",\"duration_ms\":%lld,\"tasks\":%u,\"succeeded\":%u,\"failed\":%u,\"skipped\":%u",
                   (long long)((summary.ended_at - summary.started_at) / ORCH_MILLISECOND), summary.tasks_total, summary.states[TASK_SUCCEEDED],
                   summary.states[TASK_FAILED] + summary.states[TASK_TIMED_OUT], summary.states[TASK_SKIPPED]);
        if (summary.error.size) {
            buf_add_text(out, ",\"error\":");
            json_format_string(summary.error, out);
        }
        put_json_member(out, "output", output);
        buf_add_text(out, "}");
    }
    arena_done(&arena);
}

static void on_transitions(void *user, struct engine_execution *execution, uint64_t first_seq, const struct core_transition *items, uint32_t count)
{
    struct foreground *foreground = user;
    if (foreground->shown.transitions) foreground->shown.transitions(foreground->shown.user, execution, first_seq, items, count);
}

static void on_log(void *user, struct engine_execution *execution, uint32_t instance, uint32_t attempt, enum log_stream stream, struct orch_str line)
{
    struct foreground *foreground = user;
    if (foreground->shown.log) foreground->shown.log(foreground->shown.user, execution, instance, attempt, stream, line);
}

static void on_progress(void *user, struct engine_execution *execution, uint32_t instance, double fraction, struct orch_str text)
{
    struct foreground *foreground = user;
    if (foreground->shown.progress) foreground->shown.progress(foreground->shown.user, execution, instance, fraction, text);
}

static void on_ended(void *user, struct engine_execution *execution)
{
    struct foreground *foreground = user;
    if (execution == foreground->execution) put_outcome(foreground, execution);
    if (foreground->shown.ended) foreground->shown.ended(foreground->shown.user, execution);
    if (execution == foreground->execution) foreground->execution = NULL;
}

static void on_trouble(void *user, const struct orch_error *err)
{
    struct foreground *foreground = user;
    if (foreground->shown.trouble) foreground->shown.trouble(foreground->shown.user, err);
}

static int open_signal(struct foreground *foreground, uv_signal_t *handle, int number)
{
    int r = uv_signal_init(engine_loop(foreground->engine), handle);
    if (r) return r;
    handle->data = foreground;
    r = uv_signal_start(handle, on_signal, number);
    uv_unref((uv_handle_t *)handle);
    return r;
}

/* A process that found no open file left would be a failed task: so many start as can, and the limit is raised for them
 * as far as it may be. */
static uint32_t jobs_that_fit(uint32_t jobs)
{
    struct rlimit files;
    rlim_t needed = FILES_ELSE + (rlim_t)jobs * FILES_EACH;
    if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= needed) return jobs;
    struct rlimit raised = {.rlim_cur = needed < files.rlim_max ? needed : files.rlim_max, .rlim_max = files.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) files = raised;
    rlim_t fit = files.rlim_cur > FILES_ELSE + FILES_EACH ? (files.rlim_cur - FILES_ELSE) / FILES_EACH : 1;
    return fit < jobs ? (uint32_t)fit : jobs;
}

int foreground_open(const struct foreground_options *options, struct foreground **ret, struct orch_error *err)
{
    struct foreground *foreground = calloc(1, sizeof *foreground);
    if (!foreground) return error_memory(err);
    foreground->options = *options;
    buf_init(&foreground->outcome, NULL, 0);
    foreground->progress = progress_new(options->mode);
    if (!foreground->progress) {
        free(foreground);
        return error_memory(err);
    }
    progress_observer(foreground->progress, &foreground->shown);
    uint32_t jobs = options->jobs ? options->jobs : engine_jobs_default();
    foreground->jobs = jobs_that_fit(jobs);
    foreground->jobs_missing = jobs - foreground->jobs;
    struct engine_options engine_options = {
        .store_path = options->store.data,
        .jobs = foreground->jobs,
        .grace_us = options->grace_us,
        .secrets_dir = options->secrets_dir,
        .reserve_size = RUN_RESERVE_SIZE,
        .control = true,
        .observer = {.transitions = on_transitions, .log = on_log, .progress = on_progress, .ended = on_ended, .trouble = on_trouble, .user = foreground},
    };
    int r = engine_open(&engine_options, &foreground->engine, err);
    if (!r) {
        int failed = open_signal(foreground, &foreground->interrupt, SIGINT);
        if (!failed) failed = open_signal(foreground, &foreground->terminate, SIGTERM);
        if (!failed) failed = open_signal(foreground, &foreground->hangup, SIGHUP);
        if (failed) r = error_set(err, ORCH_ERR_IO, "cannot watch for signals: %s", uv_strerror(failed));
    }
    if (r) {
        foreground_close(foreground);
        return r;
    }
    *ret = foreground;
    return 0;
}

struct engine *foreground_engine(struct foreground *foreground)
{
    return foreground->engine;
}

static bool is_over(void *user)
{
    const struct foreground *foreground = user;
    return !foreground->execution || foreground->left;
}

static int exit_code(const struct foreground *foreground)
{
    enum execution_state state;
    uint32_t allowed;
    if (foreground->left) return foreground->signal == SIGINT ? EXIT_SIGINT : EXIT_SIGTERM;
    if (!progress_ended(foreground->progress, &state, &allowed)) return EXIT_INTERNAL;
    if (foreground->signal && state != EXECUTION_SUCCEEDED) return foreground->signal == SIGINT ? EXIT_SIGINT : EXIT_SIGTERM;
    switch (state) {
    case EXECUTION_SUCCEEDED: return allowed && foreground->options.strict ? EXIT_ALLOWED_FAILURES : EXIT_OK;
    case EXECUTION_CANCELLED: return EXIT_CANCELLED;
    case EXECUTION_FAILED:
    case EXECUTION_COMPENSATED:
    case EXECUTION_TIMED_OUT: return EXIT_RUN_FAILED;
    case EXECUTION_PENDING:
    case EXECUTION_RUNNING:
    case EXECUTION_PAUSED:
    case EXECUTION_COMPENSATING: break;
    }
    return EXIT_INTERNAL;
}

int foreground_run(struct foreground *foreground, struct engine_execution *execution, bool resumed)
{
    struct orch_error err = ORCH_ERROR_INIT;
    foreground->execution = execution;
    progress_begin(foreground->progress, foreground->engine, execution, resumed);
    if (foreground->jobs_missing && foreground->options.mode != PROGRESS_QUIET)
        progress_say(foreground->progress, "%u at once instead of %u: too few files may be open (ulimit -n)", foreground->jobs,
                     foreground->jobs + foreground->jobs_missing);
    int r = engine_run(foreground->engine, is_over, foreground, &err);
    int code = r ? 0 : exit_code(foreground);
    foreground->progress = progress_close(foreground->progress);
    if (r) return cli_error(&err);
    if (foreground->left) {
        error_set(&err, ORCH_ERR_FULL, "run %s was left as it was last recorded", engine_execution_id(execution));
        error_hint(&err, "make room, then: orch run --continue %s", engine_execution_id(execution));
        (void)cli_error(&err);
    }
    if (foreground->outcome_err.code) return cli_error(&foreground->outcome_err);
    if (foreground->outcome.size) printf("%.*s\n", (int)foreground->outcome.size, foreground->outcome.data);
    return code;
}

struct foreground *foreground_close(struct foreground *foreground)
{
    if (!foreground) return NULL;
    foreground->progress = progress_close(foreground->progress);
    foreground->engine = engine_close(foreground->engine); /* closes the signal handles with its loop */
    buf_done(&foreground->outcome);
    free(foreground);
    return NULL;
}

bool foreground_from_flags(const struct foreground_flags *flags, struct orch_str store, struct foreground_options *ret)
{
    *ret = (struct foreground_options){.store = store,
                                       .jobs = flags->jobs,
                                       .grace_us = flags->grace_us,
                                       .secrets_dir = flags->secrets,
                                       .strict = flags->strict,
                                       .json = strcmp(flags->format, "json") == 0};
    return progress_mode_from_string(flags->progress, &ret->mode);
}
