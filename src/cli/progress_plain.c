/*
 * progress_plain.c - one line for each change, never rewritten: for pipes, logs and CI.
 *
 *     00:08.3  clean[183]      fail    try 1/3 exit=75 next-in=1.6s
 */
#include "cli/progress.h"

#include <stdlib.h>

#include "base/time.h"
#include "sys/clock.h"

#define HEARTBEAT_MS 30000

struct plain {
    uv_timer_t heartbeat;
    struct buf line;
    bool github; /* GitHub Actions: workflow commands */
    bool open;
};

static void begin_line(struct progress *progress, struct orch_str who, const char *what)
{
    struct plain *plain = progress->own;
    buf_clear(&plain->line);
    progress_clock(progress, &plain->line);
    buf_add_text(&plain->line, "  ");
    size_t at = plain->line.size;
    cli_clean(who, 0, false, &plain->line);
    while (plain->line.size < at + 15 && !plain->line.failed) buf_add_char(&plain->line, ' ');
    buf_printf(&plain->line, " %-8s ", what);
}

static void end_line(struct progress *progress)
{
    struct plain *plain = progress->own;
    while (plain->line.size && plain->line.data[plain->line.size - 1] == ' ') plain->line.size--;
    fprintf(stderr, "%.*s\n", (int)plain->line.size, plain->line.data);
}

static void put_time(struct buf *out, const char *before, orch_time time)
{
    buf_add_text(out, before);
    duration_format_short(time < 0 ? 0 : time, out);
}

static void beat(uv_timer_t *timer)
{
    struct progress *progress = timer->data;
    struct plain *plain = progress->own;
    struct core_summary summary;
    if (!progress->execution) return;
    core_get_summary(progress->execution->core, &summary);
    begin_line(progress, STR("-"), "beat");
    buf_printf(&plain->line, "%u/%u ok=%u running=%u failed=%u", summary.tasks_done, summary.tasks_total, summary.states[TASK_SUCCEEDED],
               summary.states[TASK_RUNNING], summary.states[TASK_FAILED] + summary.states[TASK_TIMED_OUT]);
    if (summary.states[TASK_WAITING]) buf_printf(&plain->line, " waiting=%u", summary.states[TASK_WAITING]);
    end_line(progress);
}

static void run_line(struct progress *progress, const char *what)
{
    struct plain *plain = progress->own;
    begin_line(progress, STR("run"), progress->id);
    buf_printf(&plain->line, " %-11s ", what);
}

static void plain_begin(struct progress *progress, bool resumed)
{
    struct plain *plain = calloc(1, sizeof *plain);
    if (!plain) return;
    progress->own = plain;
    buf_init(&plain->line, NULL, 256 * 1024);
    const char *github = getenv("GITHUB_ACTIONS");
    plain->github = github && strcmp(github, "true") == 0;
    run_line(progress, progress->watched ? "watch" : resumed ? "continue" : "start");
    cli_clean(progress->workflow, 0, false, &plain->line);
    struct core_summary summary;
    core_get_summary(progress->execution->core, &summary);
    struct arena arena;
    struct value parameters;
    arena_init(&arena, NULL, 0);
    if (json_parse(summary.parameters, NULL, &arena, &parameters, NULL) == 0 && parameters.kind == VALUE_MAP)
        for (uint32_t i = 0; i < parameters.size && i < 10; i++) {
            struct buf one;
            buf_init(&one, NULL, 256 * 1024);
            json_format(value_members(parameters)[i].value, 0, &one);
            struct value v = value_members(parameters)[i].value;
            buf_printf(&plain->line, " %.*s=", STR_ARG(value_str(value_members(parameters)[i].key)));
            cli_clean(v.kind == VALUE_STRING ? value_str(v) : buf_str(&one), 60, false, &plain->line);
            buf_done(&one);
        }
    arena_done(&arena);
    const char *store = store_path(progress->store);
    buf_printf(&plain->line, "  (%s", store ? "local journal " : "in memory");
    if (store) cli_clean(str_from(store), 0, false, &plain->line);
    buf_add_char(&plain->line, ')');
    end_line(progress);
    if (plain->github) fprintf(stderr, "::group::%.*s %s\n", STR_ARG(progress->workflow), progress->id);
    uv_timer_init(progress->loop, &plain->heartbeat);
    plain->heartbeat.data = progress;
    uv_timer_start(&plain->heartbeat, beat, HEARTBEAT_MS, HEARTBEAT_MS);
    uv_unref((uv_handle_t *)&plain->heartbeat);
    plain->open = true;
}

static void put_failure(struct progress *progress, const struct core_instance *instance, const struct core_transition *transition)
{
    struct plain *plain = progress->own;
    const struct retry_policy *retry = task_retry(instance->task);
    /* The state may be ahead of what is told: the attempt is the transition's. */
    if (transition->attempt && retry) buf_printf(&plain->line, "try %u/%u ", transition->attempt, retry->attempts_max);
    progress_reason(transition, &plain->line);
}

/* In a workflow command of GitHub's; a property has two characters more that mean something. */
static void github_escape(struct orch_str text, bool property, struct buf *out)
{
    for (size_t i = 0; i < text.size && i < 4000; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '%' || c < 0x20 || (property && (c == ':' || c == ','))) buf_printf(out, "%%%02X", c);
        else buf_add_char(out, (char)c);
    }
}

static void github_cell(struct orch_str text, struct buf *out)
{
    static const char marks[] = "|`*_<>[]\\&#~!";
    struct buf clean;
    buf_init(&clean, NULL, 64u * 1024);
    cli_clean(text, 200, false, &clean);
    for (size_t i = 0; i < clean.size; i++) {
        if (strchr(marks, clean.data[i])) buf_add_char(out, '\\');
        buf_add_char(out, clean.data[i]);
    }
    buf_done(&clean);
}

/* The job's summary: a table of what did not succeed, appended to the file that GitHub names. */
static void github_summary(struct progress *progress, const struct progress_run *run)
{
    const char *name = getenv("GITHUB_STEP_SUMMARY");
    FILE *file = name && name[0] ? fopen(name, "ae") : NULL;
    if (!file) return;
    struct buf out;
    uint32_t rows = 0;
    buf_init(&out, NULL, 1024u * 1024);
    buf_add_text(&out, "### ");
    github_cell(progress->workflow, &out);
    buf_printf(&out, " %s: %s in ", progress->id, execution_state_to_string(progress->state));
    duration_format_short(progress->last.ended_at - progress->last.started_at, &out);
    buf_printf(&out, "\n\n%u of %u tasks succeeded.\n", progress->last.states[TASK_SUCCEEDED], progress->last.tasks_total);
    for (uint32_t i = 0; i < core_instance_count(run->core) && rows < 200; i++) {
        const struct core_instance *instance = core_get_instance(run->core, i);
        if (instance->state != TASK_FAILED && instance->state != TASK_TIMED_OUT && instance->state != TASK_CANCELLED) continue;
        if (!rows++) buf_add_text(&out, "\n| task | state | tries | error |\n|---|---|---|---|\n");
        buf_add_text(&out, "| ");
        github_cell(progress_path(progress, run, i), &out);
        buf_printf(&out, " | %s | %u | ", task_state_to_string((enum task_state)instance->state), instance->attempt);
        if (instance->detail) github_cell(instance->detail->error, &out);
        buf_add_text(&out, " |\n");
    }
    if (!out.failed) fwrite(out.data, 1, out.size, file);
    if (fclose(file)) cli_note(progress->id, "the job's summary could not be written");
    buf_done(&out);
}

static void task_ended(struct progress *progress, const struct progress_run *execution, const struct core_transition *transition)
{
    struct plain *plain = progress->own;
    const struct core_instance *instance = core_get_instance(execution->core, transition->instance);
    struct orch_str path = progress_path(progress, execution, transition->instance);
    const struct core_detail *detail = instance->detail;
    switch ((enum task_state)transition->state) {
    case TASK_SUCCEEDED:
        begin_line(progress, path, "ok");
        if (detail && detail->started_at) put_time(&plain->line, "", transition->at - detail->started_at);
        break;
    case TASK_FAILED:
    case TASK_TIMED_OUT:
        begin_line(progress, path, "failed");
        put_failure(progress, instance, transition);
        if (instance->task->continue_on_error) buf_add_text(&plain->line, " (allowed)");
        break;
    case TASK_SKIPPED:
        begin_line(progress, path, "skip");
        if (transition->reason != REASON_WHEN) buf_add_text(&plain->line, "not started: ");
        core_why(execution->core, transition->instance, transition->at, &plain->line);
        break;
    case TASK_CANCELLED: begin_line(progress, path, "cancel"); break;
    case TASK_COMPENSATED: begin_line(progress, path, "undone"); break;
    case TASK_PENDING:
    case TASK_READY:
    case TASK_WAITING:
    case TASK_RUNNING:
    case TASK_COMPENSATING: return;
    }
    end_line(progress);
    if (plain->github && (transition->state == TASK_FAILED || transition->state == TASK_TIMED_OUT) && !instance->task->continue_on_error) {
        struct buf command;
        buf_init(&command, NULL, 64u * 1024);
        buf_add_text(&command, "::error file=");
        github_escape(core_workflow(execution->core)->source_file, true, &command);
        buf_printf(&command, ",line=%u::", instance->task->line);
        github_escape(path, false, &command);
        buf_add_text(&command, ": ");
        github_escape(transition->error, false, &command);
        fprintf(stderr, "%.*s\n", (int)command.size, command.data ? command.data : "");
        buf_done(&command);
    }
}

static void waiting(struct progress *progress, const struct progress_run *execution, const struct core_transition *transition)
{
    struct plain *plain = progress->own;
    struct orch_str path = progress_path(progress, execution, transition->instance);
    if (transition->reason == REASON_DELAY) return;
    begin_line(progress, path, transition->reason == REASON_BACKOFF ? "retry" : transition->reason == REASON_HELD ? "held" : "wait");
    /* Where a timeout comes before what is waited for, that is when it goes on. */
    if (transition->reason == REASON_BACKOFF || transition->reason == REASON_TIMER)
        put_time(&plain->line, transition->failure == FAILURE_TIMEOUT ? "times-out-in=" : "next-in=", transition->due - transition->at);
    else if (transition->reason == REASON_APPROVAL) buf_printf(&plain->line, "approval: orch approve %s %.*s", execution->id, STR_ARG(path));
    else if (transition->reason == REASON_EVENT) {
        buf_add_text(&plain->line, "event ");
        cli_clean(transition->name, 60, false, &plain->line);
    } else if (transition->reason == REASON_HELD) buf_printf(&plain->line, "interrupted: orch retry %s --from %.*s", execution->id, STR_ARG(path));
    end_line(progress);
}

static void plain_transition(struct progress *progress, const struct progress_run *execution, uint64_t seq, const struct core_transition *transition)
{
    struct plain *plain = progress->own;
    (void)seq;
    if (!plain) return;
    const struct core *core = execution->core;
    switch ((enum transition_type)transition->type) {
    case TRANSITION_ATTEMPT_STARTED:
        if (transition->attempt < 2) return;
        begin_line(progress, progress_path(progress, execution, transition->instance), "start");
        buf_printf(&plain->line, "try %u", transition->attempt);
        end_line(progress);
        return;
    case TRANSITION_ATTEMPT_FAILED: {
        const struct core_instance *instance = core_get_instance(core, transition->instance);
        begin_line(progress, progress_path(progress, execution, transition->instance), transition->failure == FAILURE_LOST ? "lost" : "fail");
        put_failure(progress, instance, transition);
        end_line(progress);
        return;
    }
    case TRANSITION_ATTEMPT_STOPPING:
        begin_line(progress, progress_path(progress, execution, transition->instance), "stop");
        buf_add_text(&plain->line, failure_to_string((enum failure)transition->failure));
        end_line(progress);
        return;
    case TRANSITION_TASK_WAITING: waiting(progress, execution, transition); return;
    case TRANSITION_TASK_ENDED: task_ended(progress, execution, transition); return;
    case TRANSITION_TASK_COMPENSATING:
        begin_line(progress, progress_path(progress, execution, transition->instance), "undo");
        end_line(progress);
        return;
    case TRANSITION_EXECUTION_PAUSED:
    case TRANSITION_EXECUTION_RESUMED:
    case TRANSITION_EXECUTION_STOPPING:
        if (execution != progress->execution) return;
        run_line(progress, transition->type == TRANSITION_EXECUTION_PAUSED    ? "paused"
                           : transition->type == TRANSITION_EXECUTION_RESUMED ? "resumed"
                                                                               : "stopping");
        cli_clean(transition->error, 100, false, &plain->line);
        if (transition->by.size) buf_printf(&plain->line, " by %.*s", STR_ARG(transition->by));
        end_line(progress);
        return;
    case TRANSITION_APPROVAL_GIVEN:
        begin_line(progress, progress_path(progress, execution, transition->instance), transition->state == TASK_SUCCEEDED ? "approved" : "rejected");
        if (transition->by.size) buf_printf(&plain->line, "by %.*s", STR_ARG(transition->by));
        end_line(progress);
        return;
    case TRANSITION_SIGNAL_RECEIVED:
        begin_line(progress, transition->name, "event");
        end_line(progress);
        return;
    case TRANSITION_EXECUTION_STARTED:
    case TRANSITION_FRAME_OPENED:
    case TRANSITION_TASK_READY:
    case TRANSITION_TASK_STARTED:
    case TRANSITION_FRAME_ENDED:
    case TRANSITION_COMPENSATION_STARTED:
    case TRANSITION_EXECUTION_ENDED:
    case TRANSITION_EXECUTION_RETRIED:
    case TRANSITION_TASK_RESET: return;
    }
}

static void plain_log(struct progress *progress, const struct progress_run *execution, uint32_t instance, uint32_t attempt, enum log_stream stream, struct orch_str line)
{
    struct plain *plain = progress->own;
    (void)attempt;
    (void)stream;
    if (!plain) return;
    begin_line(progress, progress_path(progress, execution, instance), "log");
    cli_clean(line, 0, cli_style.color_err, &plain->line);
    end_line(progress);
}

static void plain_say(struct progress *progress, const char *text)
{
    struct plain *plain = progress->own;
    if (!plain) {
        fprintf(stderr, "orch: %s\n", text);
        return;
    }
    begin_line(progress, STR("-"), "note");
    cli_clean(str_from(text), 0, false, &plain->line);
    end_line(progress);
}

static void plain_end(struct progress *progress, const struct progress_run *execution)
{
    struct plain *plain = progress->own;
    if (!plain) return;
    const struct core_summary *last = &progress->last;
    if (plain->github) {
        fputs("::endgroup::\n", stderr);
        github_summary(progress, execution);
    }
    run_line(progress, execution_state_to_string(progress->state));
    put_time(&plain->line, "", last->ended_at - last->started_at);
    buf_printf(&plain->line, " ok=%u failed=%u skipped=%u not-started=%u", last->states[TASK_SUCCEEDED], last->states[TASK_FAILED] + last->states[TASK_TIMED_OUT],
               last->states[TASK_SKIPPED] - progress->not_started, progress->not_started);
    end_line(progress);
}

static void freed(uv_handle_t *handle)
{
    struct plain *plain = (struct plain *)(void *)handle; /* its first member */
    buf_done(&plain->line);
    free(plain);
}

static void plain_close(struct progress *progress)
{
    struct plain *plain = progress->own;
    if (!plain) return;
    progress->own = NULL;
    if (plain->open) uv_close((uv_handle_t *)&plain->heartbeat, freed);
}

const struct progress_view progress_plain_view = {.begin = plain_begin,
                                                  .transition = plain_transition,
                                                  .log = plain_log,
                                                  .say = plain_say,
                                                  .end = plain_end,
                                                  .close = plain_close};
