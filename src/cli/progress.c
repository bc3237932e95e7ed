/*
 * progress.c - how a run is shown while it goes on: what the ways share, and the words at the end.
 */
#include "cli/progress.h"

#include <signal.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/time.h"
#include "sys/clock.h"
#include "sys/logfile.h"

bool progress_mode_from_string(const char *text, enum progress_mode *ret)
{
    static const struct { const char *text; enum progress_mode mode; } modes[] = {
        {"tty", PROGRESS_TTY}, {"plain", PROGRESS_PLAIN}, {"jsonl", PROGRESS_JSONL}, {"quiet", PROGRESS_QUIET}};
    if (strcmp(text, "auto") == 0) {
        const char *term = getenv("TERM"), *ci = getenv("CI");
        bool tty = cli_style.tty_err && term && strcmp(term, "dumb") != 0 && !(ci && ci[0]);
        *ret = tty ? PROGRESS_TTY : PROGRESS_PLAIN;
        return true;
    }
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(text, modes[i].text) == 0) {
            *ret = modes[i].mode;
            return true;
        }
    return false;
}

static const struct progress_view *view_of(enum progress_mode mode)
{
    switch (mode) {
    case PROGRESS_TTY: return &progress_tty_view;
    case PROGRESS_PLAIN: return &progress_plain_view;
    case PROGRESS_JSONL: return &progress_jsonl_view;
    case PROGRESS_QUIET: return &progress_quiet_view;
    }
    return &progress_quiet_view;
}

const struct progress_view progress_quiet_view = {0};

struct progress *progress_new(enum progress_mode mode)
{
    struct progress *progress = calloc(1, sizeof *progress);
    if (!progress) return NULL;
    progress->mode = mode;
    progress->view = view_of(mode);
    arena_init(&progress->arena, NULL, 0);
    buf_init(&progress->text, NULL, 1024u * 1024);
    return progress;
}

struct orch_str progress_path(struct progress *progress, const struct progress_run *execution, uint32_t instance)
{
    buf_clear(&progress->text);
    if (execution != progress->execution) buf_printf(&progress->text, "%s:", execution->id);
    core_path(execution->core, instance, &progress->text);
    return buf_str(&progress->text);
}

void progress_clock(const struct progress *progress, struct buf *out)
{
    orch_time elapsed = clock_monotonic() - progress->started_at;
    int64_t tenths = elapsed / 100000;
    if (tenths >= 36000) buf_printf(out, "%lld:", (long long)(tenths / 36000));
    buf_printf(out, "%02lld:%02lld.%lld", (long long)(tenths / 600 % 60), (long long)(tenths / 10 % 60), (long long)(tenths % 10));
}

static const char *signal_name(int number)
{
    const char *name = sigabbrev_np(number);
    return name ? name : "?"; /* a real-time one */
}

void progress_reason(const struct core_transition *transition, struct buf *out)
{
    if (transition->failure == FAILURE_EXIT) buf_printf(out, "exit=%d", transition->exit_code);
    else if (transition->failure == FAILURE_SIGNAL) buf_printf(out, "signal=SIG%s", signal_name(transition->signal));
    else if (transition->failure == FAILURE_TIMEOUT || transition->failure == FAILURE_LOST) buf_add_text(out, failure_to_string((enum failure)transition->failure));
    else cli_clean(transition->error, 100, false, out);
}

static void note_failed(struct progress *progress, const struct progress_run *execution, const struct core_transition *transition)
{
    const struct core_instance *instance = core_get_instance(execution->core, transition->instance);
    /* Where groups and loops failed because of something in them, that is what is named. */
    if (instance->task->kind != TASK_LEAF && transition->failure == FAILURE_CHILD) return;
    if (instance->task->continue_on_error) return;
    uint32_t at = progress->failed_count++;
    if (at >= PROGRESS_FAILED_MAX) return;
    if (!progress->failed) progress->failed = ARENA_ARRAY(&progress->arena, PROGRESS_FAILED_MAX, struct progress_failed);
    if (!progress->failed) return;
    progress->failed[at] = (struct progress_failed){
        .instance = transition->instance,
        .path = arena_str(&progress->arena, progress_path(progress, execution, transition->instance)),
        .error = arena_str(&progress->arena, transition->error),
        .attempts = instance->attempt,
        .line = instance->task->line,
        .column = instance->task->column,
    };
}

orch_time progress_now(const struct progress_run *run)
{
    if (run && run->engine) return engine_execution_now(run->engine);
    orch_time now = clock_wall(), told = run ? core_now(run->core) : 0;
    return told > now ? told : now;
}

/* The one that is shown is known by its place; a child of it is told of for a moment. */
static const struct progress_run *run_of(const struct progress *progress, struct engine_execution *execution, struct progress_run *child)
{
    if (progress->execution && execution == progress->run.engine) return progress->execution;
    *child = (struct progress_run){.engine = execution, .core = engine_execution_core(execution), .id = engine_execution_id(execution)};
    return child;
}

static void one_transition(struct progress *progress, const struct progress_run *run, uint64_t sequence, const struct core_transition *transition)
{
    /* A block that failed by itself is as much a failure as a task; one that failed of what is in it is named by that. */
    if (run == progress->execution && transition->type == TRANSITION_TASK_ENDED &&
        (transition->state == TASK_FAILED || transition->state == TASK_TIMED_OUT))
        note_failed(progress, run, transition);
    if (progress->view->transition) progress->view->transition(progress, run, sequence, transition);
}

static void on_transitions(void *user, struct engine_execution *execution, uint64_t first_seq, const struct core_transition *items, uint32_t count)
{
    struct progress *progress = user;
    struct progress_run child;
    const struct progress_run *run = run_of(progress, execution, &child);
    for (uint32_t i = 0; i < count; i++) one_transition(progress, run, first_seq + i, &items[i]);
}

static void on_log(void *user, struct engine_execution *execution, uint32_t instance, uint32_t attempt, enum log_stream stream, struct orch_str line)
{
    struct progress *progress = user;
    struct progress_run child;
    if (progress->view->log) progress->view->log(progress, run_of(progress, execution, &child), instance, attempt, stream, line);
}

static void on_progress(void *user, struct engine_execution *execution, uint32_t instance, double fraction, struct orch_str text)
{
    struct progress *progress = user;
    struct progress_run child;
    if (progress->view->progress) progress->view->progress(progress, run_of(progress, execution, &child), instance, fraction, text);
}

void progress_told_end(struct progress *progress)
{
    const struct core *core = progress->execution->core;
    core_get_summary(core, &progress->last);
    for (uint32_t i = 0; i < core_instance_count(core); i++) {
        const struct core_instance *instance = core_get_instance(core, i);
        /* What a condition skipped is as it should be; what could not start is not. */
        if (instance->state == TASK_SKIPPED && instance->reason != REASON_WHEN && instance->task->kind == TASK_LEAF) progress->not_started++;
        bool failed = instance->state == TASK_FAILED || instance->state == TASK_TIMED_OUT;
        if (failed && instance->task->kind != TASK_LEAF && instance->failure != FAILURE_CHILD) {
            progress->blocks_failed++;
            if (instance->task->continue_on_error) progress->blocks_allowed++;
        }
    }
    progress->state = progress->last.state;
    progress->error = arena_str(&progress->arena, progress->last.error);
    progress->ended = true;
    if (progress->view->end) progress->view->end(progress, progress->execution);
    progress->execution = NULL;
}

static void on_ended(void *user, struct engine_execution *execution)
{
    struct progress *progress = user;
    if (progress->execution && execution == progress->run.engine) progress_told_end(progress);
}

static void on_trouble(void *user, const struct orch_error *err)
{
    /* What only errors are wanted of is told this one; to a program it has a code. */
    if (cli_style.json_err || cli_style.quiet_err) (void)cli_error(err);
    else progress_say(user, "%s%s%s", err->message, err->hint[0] ? "; " : "", err->hint);
}

void progress_observer(struct progress *progress, struct engine_observer *ret)
{
    *ret = (struct engine_observer){
        .transitions = on_transitions, .log = on_log, .progress = on_progress, .ended = on_ended, .trouble = on_trouble, .user = progress};
}

static void begin(struct progress *progress, bool resumed)
{
    struct core_summary summary;
    progress->execution = &progress->run;
    snprintf(progress->id, sizeof progress->id, "%s", progress->run.id);
    progress->workflow = arena_str(&progress->arena, core_workflow(progress->run.core)->name);
    progress->started_at = clock_monotonic();
    core_get_summary(progress->run.core, &summary);
    progress->begun_at = summary.started_at;
    if (progress->view->begin) progress->view->begin(progress, resumed);
}

void progress_begin(struct progress *progress, struct engine *engine, struct engine_execution *execution, bool resumed)
{
    progress->loop = engine_loop(engine);
    progress->store = engine_store(engine);
    progress->run = (struct progress_run){.engine = execution, .core = engine_execution_core(execution), .id = engine_execution_id(execution)};
    begin(progress, resumed);
}

void progress_begin_watched(struct progress *progress, uv_loop_t *loop, struct store *store, const struct core *core, const char *id)
{
    progress->loop = loop;
    progress->store = store;
    progress->watched = true;
    progress->run = (struct progress_run){.core = core, .id = id};
    begin(progress, true);
}

void progress_told(struct progress *progress, uint64_t sequence, const struct core_transition *transition)
{
    one_transition(progress, progress->execution, sequence, transition);
}

void progress_told_log(struct progress *progress, uint32_t instance, uint32_t attempt, enum log_stream stream, struct orch_str line)
{
    if (progress->view->log) progress->view->log(progress, progress->execution, instance, attempt, stream, line);
}

void progress_say(struct progress *progress, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (progress && progress->view->say) progress->view->say(progress, text);
    else cli_note(progress && progress->id[0] ? progress->id : NULL, "%s", text);
}

bool progress_ended(const struct progress *progress, enum execution_state *ret_state, uint32_t *ret_failed_allowed)
{
    if (!progress->ended) return false;
    *ret_state = progress->state;
    *ret_failed_allowed = progress->last.failed_allowed;
    return true;
}

/*
 * The closing words.
 */
struct tail {
    struct orch_str lines[PROGRESS_TAIL];
    uint64_t count;
    struct arena *arena;
};

static int keep_line(void *user, orch_time at, char stream, struct orch_str line)
{
    struct tail *tail = user;
    (void)at;
    (void)stream;
    if (line.size > 1000) line.size = 1000;
    struct orch_str copy = arena_str(tail->arena, line);
    if (copy.data) tail->lines[tail->count++ % PROGRESS_TAIL] = copy;
    return 0;
}

static void print_tail(struct progress *progress, const struct progress_failed *failed)
{
    const char *dir = store_path(progress->store);
    if (!dir) return;
    struct arena arena;
    struct buf path, clean;
    struct tail tail = {.arena = &arena};
    arena_init(&arena, NULL, 64u * 1024 * 1024);
    buf_init(&path, NULL, 8192);
    buf_init(&clean, NULL, 8192);
    logfile_path(str_from(dir), str_from(progress->id), failed->path, progress->last.generation, failed->attempts, &path);
    if (!path.failed && logfile_each(path.data, 0, NULL, keep_line, &tail, NULL) == 0 && tail.count) {
        fprintf(stderr, "  last lines (full: orch logs %s %.*s)\n", progress->id, STR_ARG(failed->path));
        uint64_t from = tail.count > PROGRESS_TAIL ? tail.count - PROGRESS_TAIL : 0;
        for (uint64_t i = from; i < tail.count; i++) {
            buf_clear(&clean);
            cli_clean(tail.lines[i % PROGRESS_TAIL], 200, false, &clean);
            fprintf(stderr, "    | %.*s\n", STR_ARG(buf_str(&clean)));
        }
    }
    buf_done(&path);
    buf_done(&clean);
    arena_done(&arena);
}

static void print_failed(struct progress *progress)
{
    struct buf clean;
    buf_init(&clean, NULL, 8192);
    uint32_t shown = progress->failed_count < PROGRESS_FAILED_MAX ? progress->failed_count : PROGRESS_FAILED_MAX;
    if (progress->mode == PROGRESS_TTY && shown > 5) shown = 5;
    for (uint32_t i = 0; i < shown && progress->failed; i++) {
        const struct progress_failed *failed = &progress->failed[i];
        buf_clear(&clean);
        cli_clean(failed->error, 300, false, &clean);
        if (failed->attempts > 1) fprintf(stderr, "\n  %.*s failed after %u tries: %.*s\n", STR_ARG(failed->path), failed->attempts, STR_ARG(buf_str(&clean)));
        else fprintf(stderr, "\n  %.*s failed: %.*s\n", STR_ARG(failed->path), STR_ARG(buf_str(&clean)));
        print_tail(progress, failed);
    }
    if (shown < progress->failed_count) fprintf(stderr, "\n  ... and %u more\n", progress->failed_count - shown);
    buf_done(&clean);
}

static void print_end(struct progress *progress)
{
    const struct core_summary *last = &progress->last;
    bool color = cli_style.color_err;
    bool ok = progress->state == EXECUTION_SUCCEEDED;
    struct buf time;
    buf_init(&time, NULL, 64);
    duration_format_short(last->ended_at - last->started_at, &time);
    uint32_t failed = last->states[TASK_FAILED] + last->states[TASK_TIMED_OUT] + progress->blocks_failed;
    uint32_t allowed = last->failed_allowed + progress->blocks_allowed;
    fprintf(stderr, "%s%s%s %.*s #%s %s in %.*s    %u ok", cli_color(color, cli_execution_color((uint8_t)progress->state)),
            ok ? (cli_style.utf8 ? "✔" : "+") : progress->state == EXECUTION_CANCELLED ? (cli_style.utf8 ? "⊘" : "-") : (cli_style.utf8 ? "✗" : "x"),
            cli_color_end(color, cli_execution_color((uint8_t)progress->state)), STR_ARG(progress->workflow), progress->id,
            execution_state_to_string(progress->state), STR_ARG(buf_str(&time)), last->states[TASK_SUCCEEDED]);
    buf_done(&time);
    if (failed) fprintf(stderr, "   %u failed%s", failed, allowed == failed ? " (allowed)" : "");
    if (last->states[TASK_COMPENSATED]) fprintf(stderr, "   %u compensated", last->states[TASK_COMPENSATED]);
    if (last->states[TASK_CANCELLED]) fprintf(stderr, "   %u cancelled", last->states[TASK_CANCELLED]);
    if (last->states[TASK_SKIPPED] > progress->not_started) fprintf(stderr, "   %u skipped", last->states[TASK_SKIPPED] - progress->not_started);
    if (progress->not_started) fprintf(stderr, "   %u not started", progress->not_started);
    fputc('\n', stderr);
    if (ok) return;
    if (progress->state == EXECUTION_CANCELLED && !progress->failed_count) {
        if (store_path(progress->store)) fprintf(stderr, "  next:  orch retry %s    run what was cancelled\n", progress->id);
        return;
    }
    print_failed(progress);
    if (!progress->failed_count && progress->error.size) {
        struct buf clean;
        buf_init(&clean, NULL, 8192);
        cli_clean(progress->error, 300, false, &clean);
        fprintf(stderr, "\n  %.*s\n", STR_ARG(buf_str(&clean)));
        buf_done(&clean);
    }
    if (!store_path(progress->store)) return;
    struct orch_str path = progress->failed_count && progress->failed ? progress->failed[0].path : STR_NONE;
    int width = path.size < 60 ? (int)path.size : 60; /* what they are for stands in a column */
    if (width < (int)strlen("--failed")) width = (int)strlen("--failed");
    fprintf(stderr, "  next:  orch retry %s %-*s    run only what failed and what follows\n", progress->id, width, "--failed");
    if (path.size) fprintf(stderr, "         orch show  %s %-*.*s    its inputs and attempts\n", progress->id, width, (int)path.size, path.data);
}

struct progress *progress_close(struct progress *progress)
{
    if (!progress) return NULL;
    if (progress->view->close) progress->view->close(progress);
    if (progress->ended && (progress->mode == PROGRESS_TTY || progress->mode == PROGRESS_PLAIN)) print_end(progress);
    buf_done(&progress->text);
    arena_done(&progress->arena);
    free(progress);
    return NULL;
}
