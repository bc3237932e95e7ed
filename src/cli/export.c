/*
 * export.c - orch export: a report of a run, as text, JSON, JUnit or HTML.
 */
#include "cli/report.h"

#include <unistd.h>

#include "base/error.h"
#include "base/time.h"
#include "sys/file.h"

#define TAIL_LINES 10 /* last lines of a task that failed */

static void put_duration(struct buf *out, orch_time from, orch_time to)
{
    duration_format_short(to > from ? to - from : 0, out);
}

static bool is_failed(uint8_t state)
{
    return state == TASK_FAILED || state == TASK_TIMED_OUT;
}

/* ---- text ---- */

static void put_clean(struct buf *out, struct orch_str text, uint32_t columns)
{
    cli_clean(text, columns, false, out);
}

static void text_task(struct report *report, const struct report_row *row, struct arena *arena, struct buf *out)
{
    const struct core_instance *instance = core_get_instance(report->core, row->instance);
    const struct core_detail *detail = instance->detail;
    buf_printf(out, "%*s%s ", 2 + (int)(row->depth < 20 ? row->depth : 20) * 2, "", cli_task_symbol(instance->state, instance->reason));
    size_t begin = out->size;
    put_clean(out, report_path(report, row->instance), 0);
    while (out->size < begin + 28 && !out->failed) buf_add_char(out, ' ');
    buf_printf(out, " %-12s", task_state_to_string((enum task_state)instance->state));
    if (detail && detail->started_at) {
        buf_add_char(out, ' ');
        put_duration(out, detail->started_at, detail->ended_at ? detail->ended_at : report->to);
    }
    if (instance->attempt > 1) buf_printf(out, "  %u tries", instance->attempt);
    if (detail && detail->error.size && instance->state != TASK_SUCCEEDED) {
        buf_add_text(out, "  ");
        put_clean(out, detail->error, 200);
    }
    buf_add_char(out, '\n');
    if (!is_failed(instance->state)) return;
    struct report_line lines[REPORT_TAIL_MAX];
    uint32_t count = report_tail(report, row->instance, TAIL_LINES, arena, lines);
    for (uint32_t i = 0; i < count; i++) {
        buf_add_text(out, "      | ");
        put_clean(out, lines[i].text, 200);
        buf_add_char(out, '\n');
    }
}

int export_text(struct report *report, struct buf *out, struct orch_error *err)
{
    const struct core_summary *summary = &report->summary;
    struct arena arena;
    (void)err;
    put_clean(out, report->row->workflow, 0);
    buf_printf(out, "  #%s  %s", report->id, cli_activity(report->core, report->owned, NULL));
    if (summary->started_at) {
        buf_add_text(out, " in ");
        put_duration(out, summary->started_at, summary->ended_at ? summary->ended_at : report->to);
        buf_add_text(out, "\nstarted    ");
        time_format(summary->started_at, true, out);
    }
    if (summary->ended_at) {
        buf_add_text(out, "\nended      ");
        time_format(summary->ended_at, true, out);
    }
    buf_add_text(out, "\nby         ");
    put_clean(out, report->row->by, 0);
    buf_printf(out, "\ntasks      %u: %u succeeded, %u failed, %u skipped, %u cancelled", summary->tasks_total, summary->states[TASK_SUCCEEDED],
               summary->states[TASK_FAILED] + summary->states[TASK_TIMED_OUT], summary->states[TASK_SKIPPED], summary->states[TASK_CANCELLED]);
    buf_add_text(out, "\nparameters ");
    put_clean(out, summary->parameters, 2000);
    if (summary->error.size) {
        buf_add_text(out, "\nerror      ");
        put_clean(out, summary->error, 2000);
    }
    if (summary->output.size > 2) {
        buf_add_text(out, "\noutput     ");
        put_clean(out, summary->output, 2000);
    }
    buf_add_text(out, "\n\n");
    for (uint32_t i = 0; i < report->rows_count; i++) {
        arena_init(&arena, NULL, 64u << 20);
        text_task(report, &report->rows[i], &arena, out);
        arena_done(&arena);
    }
    return 0;
}

/* ---- JSON ---- */

static void json_attempts(struct report *report, uint32_t instance, struct buf *out)
{
    bool first = true;
    buf_add_text(out, ",\"history\":[");
    for (uint32_t at = report->attempt_first[instance]; at != CORE_NONE; at = report->attempts[at].next) {
        const struct report_attempt *attempt = &report->attempts[at];
        buf_printf(out, "%s{\"generation\":%u,\"attempt\":%u,\"state\":\"%s\"", first ? "" : ",", attempt->generation, attempt->attempt,
                   task_state_to_string((enum task_state)attempt->state));
        first = false;
        cli_json_time(out, "started_at", attempt->started_at);
        cli_json_time(out, "ended_at", attempt->ended_at);
        if (attempt->failure) {
            buf_printf(out, ",\"failure\":\"%s\",\"exit_code\":%d,\"signal\":%d", failure_to_string((enum failure)attempt->failure),
                       attempt->exit_code, attempt->signal);
            cli_json_text(out, "message", attempt->error);
        }
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void json_spans(struct report *report, struct buf *out)
{
    buf_add_text(out, ",\"timeline\":[");
    for (uint32_t i = 0; i < report->spans_count; i++) {
        const struct report_span *span = &report->spans[i];
        buf_printf(out, "%s\n {\"task\":", i ? "," : "");
        json_format_string(report_path(report, span->instance), out);
        buf_printf(out, ",\"kind\":\"%s\"", report_span_to_string((enum report_span_kind)span->kind));
        if (span->attempt) buf_printf(out, ",\"attempt\":%u", span->attempt);
        cli_json_time(out, "from", span->from);
        cli_json_time(out, "to", span->to);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "\n]");
}

static void json_lines(struct report *report, uint32_t instance, struct buf *out)
{
    struct report_line lines[REPORT_TAIL_MAX];
    struct arena arena;
    arena_init(&arena, NULL, 64u << 20);
    uint32_t count = report_tail(report, instance, TAIL_LINES, &arena, lines);
    buf_add_text(out, ",\"last_lines\":[");
    for (uint32_t i = 0; i < count; i++) {
        if (i) buf_add_char(out, ',');
        json_format_string(lines[i].text, out);
    }
    buf_add_char(out, ']');
    arena_done(&arena);
}

int export_json(struct report *report, struct buf *out, struct orch_error *err)
{
    const struct core_summary *summary = &report->summary;
    buf_printf(out, "{\"v\":1,\"run\":\"%s\"", report->id);
    cli_json_text(out, "workflow", report->row->workflow);
    buf_printf(out, ",\"state\":\"%s\",\"generation\":%u,\"done\":%u,\"total\":%u", cli_activity(report->core, report->owned, NULL),
               summary->generation, summary->tasks_done, summary->tasks_total);
    cli_json_time(out, "started_at", summary->started_at);
    cli_json_time(out, "ended_at", summary->ended_at);
    cli_json_text(out, "by", report->row->by);
    cli_json_text(out, "file", report->row->file);
    cli_json_text(out, "digest", report->row->digest);
    cli_json_raw(out, "parameters", summary->parameters);
    cli_json_text(out, "error", summary->error);
    cli_json_raw(out, "output", summary->output);
    buf_add_text(out, ",\"tasks\":[");
    for (uint32_t i = 0; i < report->rows_count; i++) {
        buf_add_text(out, i ? ",\n " : "\n ");
        cli_tree_json(&report->tree, report->rows[i].instance, out);
        if (!out->failed && out->size && out->data[out->size - 1] == '}') out->data[--out->size] = '\0'; /* more follows in it */
        json_attempts(report, report->rows[i].instance, out);
        json_lines(report, report->rows[i].instance, out);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "\n]");
    json_spans(report, out);
    buf_add_text(out, "}\n");
    if (report->tree.err.code && err) *err = report->tree.err;
    return report->tree.err.code;
}

/* ---- the verb ---- */

static int deliver(const struct buf *out, const char *file, struct orch_error *err)
{
    if (out->failed) return error_set(err, ORCH_ERR_LIMIT, "the report is larger than 1 GiB, or memory is short");
    if (file && strcmp(file, "-") != 0) return file_replace(file, buf_str(out), 0644, err);
    if (fwrite(out->data, 1, out->size, stdout) != out->size || fflush(stdout) != 0)
        return error_set(err, ORCH_ERR_IO, "standard output cannot be written");
    return 0;
}

int cli_export(int argc, char **argv)
{
    const char *store = NULL, *format = "text", *file = NULL;
    const struct cli_option options[] = {
        {"format", 'f', OPTION_CHOICE, &format, "FORMAT", "what to make (default: text)", "text,json,junit,html"},
        {"output", 'o', OPTION_TEXT, &file, "FILE", "where to write it; replaced whole (default: standard output)", NULL},
        {"store", 0, OPTION_TEXT, &store, "DIR", "where the run is kept", NULL},
        {0}};
    const struct cli_usage usage = {.verb = "export",
                                    .arguments = "[RUN]",
                                    .summary = "Makes a report of a run (the latest when none is named); HTML is one file with its time line",
                                    .examples = "  orch export r-7Q2K --format html -o report.html\n"
                                                "  orch export last --format junit -o results.xml\n"
                                                "  orch export last --format json | jq .state",
                                    .options = options,
                                    .positionals_max = 1};
    static const struct {
        const char *name;
        int (*make)(struct report *report, struct buf *out, struct orch_error *err);
    } formats[] = {{"text", export_text}, {"json", export_json}, {"junit", export_junit}, {"html", export_html}};
    int count, r = cli_parse(&usage, argc, argv, &count);
    if (r >= 0) return r;
    struct orch_error err = ORCH_ERROR_INIT;
    struct report report;
    struct buf out;
    buf_init(&out, NULL, 0);
    r = report_open(store, count ? argv[1] : NULL, &report, &err);
    for (size_t i = 0; !r && i < sizeof formats / sizeof *formats; i++)
        if (strcmp(format, formats[i].name) == 0) r = formats[i].make(&report, &out, &err);
    if (!r) r = deliver(&out, file, &err);
    report_close(&report);
    buf_done(&out);
    return r ? cli_error(&err) : EXIT_OK;
}
