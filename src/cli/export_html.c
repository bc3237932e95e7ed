/*
 * export_html.c - a run as one HTML file: summary, time line, tasks with their attempts, outputs and last lines.
 *
 * Nothing is loaded from elsewhere and nothing in it runs: its content security policy allows styles of its own alone. What
 * comes from a workflow is escaped. What a span of the time line is shows by its hatch and by a word, not by colour alone.
 */
#include "cli/report.h"

#include "base/error.h"
#include "base/time.h"

#define LINE_ROWS_MAX 2000 /* rows of the time line; a browser draws no more with pleasure */
#define TASKS_MAX     20000
#define OUTPUT_MAX    (64u << 10) /* of one output */
#define ROW_HEIGHT    20
#define NAME_WIDTH    260
#define LINE_WIDTH    900
#define TAIL_LINES    10

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
    ":root{color-scheme:light dark;--fg:#1c1e21;--bg:#fff;--line:#c9ccd1;--dim:#5b6069}\n"
    "@media(prefers-color-scheme:dark){:root{--fg:#e6e8eb;--bg:#16181b;--line:#3d4248;--dim:#a0a6ae}}\n"
    "body{font:14px/1.45 system-ui,sans-serif;color:var(--fg);background:var(--bg);margin:24px;max-width:1220px}\n"
    "h1{font-size:22px}h2{font-size:17px;margin-top:28px}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px}dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}\n"
    "pre{background:color-mix(in srgb,var(--fg) 7%,var(--bg));padding:8px;overflow:auto;max-height:24em;margin:6px 0;white-space:pre-wrap;overflow-wrap:anywhere}\n"
    "details{border-top:1px solid var(--line);padding:4px 0}summary{cursor:pointer;overflow-wrap:anywhere}\n"
    "table{border-collapse:collapse}th,td{text-align:left;padding:1px 14px 1px 0;vertical-align:top}\n"
    "svg{max-width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:var(--fg)}svg .dim{fill:var(--dim)}\n"
    ".s{font-weight:600}.succeeded,.compensated{color:#1a7f37}.failed,.timed_out{color:#c62828}.running{color:#0b62c4}\n"
    ".waiting,.cancelled,.compensating{color:#8a5a00}.pending,.ready,.skipped{color:var(--dim)}\n"
    "@media(prefers-color-scheme:dark){.succeeded,.compensated{color:#57d27c}.failed,.timed_out{color:#ff8a80}.running{color:#7db8ff}"
    ".waiting,.cancelled,.compensating{color:#f0c060}}\n"
    "</style>\n<title>";

/* Hatches: one for each kind of span, told apart without colour. */
static const char patterns[] =
    "<defs>\n"
    "<pattern id=\"queued\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect width=\"6\" height=\"6\" fill=\"#d7dade\"/>"
    "<circle cx=\"3\" cy=\"3\" r=\"1\" fill=\"#5b6069\"/></pattern>\n"
    "<pattern id=\"running\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect width=\"6\" height=\"6\" fill=\"#3b82d6\"/></pattern>\n"
    "<pattern id=\"ok\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect width=\"6\" height=\"6\" fill=\"#3fa55c\"/></pattern>\n"
    "<pattern id=\"bad\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect width=\"6\" height=\"6\" fill=\"#d6453d\"/>"
    "<path d=\"M0 0L6 6M6 0L0 6\" stroke=\"#fff\" stroke-width=\"1\"/></pattern>\n"
    "<pattern id=\"inside\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><path d=\"M0 3H6\" stroke=\"#7a8088\" stroke-width=\"2\"/></pattern>\n"
    "<pattern id=\"retry\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect width=\"6\" height=\"6\" fill=\"#ffe3b3\"/>"
    "<path d=\"M0 6L6 0\" stroke=\"#a86500\" stroke-width=\"1.5\"/></pattern>\n"
    "<pattern id=\"approval\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect width=\"6\" height=\"6\" fill=\"#ead9fb\"/>"
    "<path d=\"M0 0L6 6\" stroke=\"#6d2fb0\" stroke-width=\"1.5\"/></pattern>\n"
    "<pattern id=\"timer\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect width=\"6\" height=\"6\" fill=\"#e7ebf0\"/>"
    "<path d=\"M3 0V6\" stroke=\"#5b6069\" stroke-width=\"1\"/></pattern>\n"
    "<pattern id=\"undo\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\"><rect width=\"6\" height=\"6\" fill=\"#fbd5e3\"/>"
    "<path d=\"M3 0V6M0 3H6\" stroke=\"#a01e56\" stroke-width=\"1\"/></pattern>\n"
    "</defs>\n";

static const char *fill_of(const struct report_span *span)
{
    if (span->kind != REPORT_RUNNING) return report_span_to_string((enum report_span_kind)span->kind);
    if (span->outcome == TASK_SUCCEEDED) return "ok";
    return span->outcome == TASK_RUNNING ? "running" : "bad";
}

static const char *word_of(const struct report_span *span)
{
    if (span->kind == REPORT_RUNNING && span->outcome != TASK_RUNNING) return task_state_to_string((enum task_state)span->outcome);
    return report_span_to_string((enum report_span_kind)span->kind);
}

static void put_duration(struct buf *out, orch_time time)
{
    duration_format_short(time < 0 ? 0 : time, out);
}

static void put_entry(struct buf *out, const char *name, struct orch_str text)
{
    if (!text.size) return;
    buf_printf(out, "<dt>%s</dt><dd>", name);
    report_escape(text, out);
    buf_add_text(out, "</dd>\n");
}

static void put_time(struct buf *out, const char *name, orch_time time)
{
    if (!time) return;
    buf_printf(out, "<dt>%s</dt><dd>", name);
    time_format(time, true, out);
    buf_add_text(out, "</dd>\n");
}

static void summary(struct report *report, struct buf *out)
{
    const struct core_summary *summary = &report->summary;
    const char *activity = cli_activity(report->core, report->owned, NULL);
    buf_add_text(out, "<h1>");
    report_escape(report->row->workflow, out);
    buf_printf(out, " <code>%s</code> <span class=\"s %s\">%s</span></h1>\n<dl>\n", report->id, execution_state_to_string(summary->state), activity);
    put_time(out, "started", summary->started_at);
    put_time(out, "ended", summary->ended_at);
    if (summary->started_at) {
        buf_add_text(out, "<dt>took</dt><dd>");
        put_duration(out, (summary->ended_at ? summary->ended_at : report->to) - summary->started_at);
        buf_add_text(out, "</dd>\n");
    }
    buf_printf(out, "<dt>tasks</dt><dd>%u: %u succeeded, %u failed, %u skipped, %u cancelled</dd>\n", summary->tasks_total, summary->states[TASK_SUCCEEDED],
               summary->states[TASK_FAILED] + summary->states[TASK_TIMED_OUT], summary->states[TASK_SKIPPED], summary->states[TASK_CANCELLED]);
    put_entry(out, "by", report->row->by);
    put_entry(out, "file", report->row->file);
    put_entry(out, "version", report->row->digest);
    put_entry(out, "parameters", summary->parameters);
    put_entry(out, "error", summary->error);
    put_entry(out, "output", str_of(summary->output.data, summary->output.size < OUTPUT_MAX ? summary->output.size : OUTPUT_MAX));
    buf_add_text(out, "</dl>\n");
}

/* ---- the time line ---- */

static void put_axis(struct report *report, uint32_t height, struct buf *out)
{
    orch_time length = report->to > report->from ? report->to - report->from : 1;
    for (int i = 0; i <= 4; i++) {
        int x = NAME_WIDTH + i * LINE_WIDTH / 4;
        buf_printf(out, "<path d=\"M%d 16V%u\" stroke=\"#8884\"/><text class=\"dim\" x=\"%d\" y=\"11\" text-anchor=\"%s\">", x, height, x,
                   i == 0 ? "start" : i == 4 ? "end" : "middle");
        put_duration(out, length / 4 * i);
        buf_add_text(out, "</text>\n");
    }
}

static void put_span(struct report *report, const struct report_span *span, uint32_t row, struct buf *out)
{
    double length = (double)(report->to > report->from ? report->to - report->from : 1);
    double from = (double)(span->from > report->from ? span->from - report->from : 0) / length * LINE_WIDTH;
    double width = (double)(span->to - span->from) / length * LINE_WIDTH;
    if (width < 1.5) width = 1.5;
    if (from > LINE_WIDTH - 1.5) from = LINE_WIDTH - 1.5;
    if (from + width > LINE_WIDTH) width = LINE_WIDTH - from;
    uint32_t y = 20 + row * ROW_HEIGHT;
    /* Tenths, by hand: what printf makes of a fraction hangs on the locale. */
    unsigned left = (unsigned)((NAME_WIDTH + from) * 10), wide = (unsigned)(width * 10);
    buf_printf(out, "<g><title>");
    report_escape(report_path(report, span->instance), out);
    buf_printf(out, ": %s", word_of(span));
    if (span->attempt) buf_printf(out, ", try %u", span->attempt);
    buf_add_text(out, ", ");
    put_duration(out, span->to - span->from);
    buf_printf(out, "</title><rect x=\"%u.%u\" y=\"%u\" width=\"%u.%u\" height=\"14\" fill=\"url(#%s)\"/>", left / 10, left % 10, y, wide / 10, wide % 10, fill_of(span));
    if (width > 60)
        buf_printf(out, "<text x=\"%u\" y=\"%u\" style=\"paint-order:stroke;stroke:#fff;stroke-width:3px;fill:#111\">%s</text>", left / 10 + 4, y + 11, word_of(span));
    buf_add_text(out, "</g>\n");
}

static int timeline(struct report *report, struct buf *out, struct orch_error *err)
{
    uint32_t rows = report->rows_count < LINE_ROWS_MAX ? report->rows_count : LINE_ROWS_MAX;
    uint32_t height = 20 + rows * ROW_HEIGHT + 4;
    uint32_t *row_of = ARENA_ARRAY(&report->arena, (size_t)core_instance_count(report->core) + 1, uint32_t);
    if (!row_of) return error_memory(err);
    memset(row_of, 0xff, (size_t)core_instance_count(report->core) * sizeof *row_of);
    buf_printf(out, "<h2>Time line</h2>\n<svg role=\"img\" aria-label=\"time line\" viewBox=\"0 0 %d %u\" width=\"%d\" height=\"%u\">\n%s", NAME_WIDTH + LINE_WIDTH + 10,
               height, NAME_WIDTH + LINE_WIDTH + 10, height, patterns);
    put_axis(report, height, out);
    for (uint32_t i = 0; i < rows; i++) {
        struct orch_str path = report_path(report, report->rows[i].instance);
        uint32_t indent = report->rows[i].depth < 8 ? report->rows[i].depth * 8 : 64;
        size_t begin = path.size > 36 ? path.size - 36 : 0;
        while (begin > 0 && ((unsigned char)path.data[begin] & 0xc0) == 0x80) begin--;
        row_of[report->rows[i].instance] = i;
        buf_printf(out, "<text x=\"%u\" y=\"%u\">%s", indent, 31 + i * ROW_HEIGHT, begin ? "…" : "");
        report_escape(str_of(path.data + begin, path.size - begin), out);
        buf_add_text(out, "</text>\n");
    }
    for (uint32_t i = 0; i < report->spans_count; i++)
        if (row_of[report->spans[i].instance] != UINT32_MAX) put_span(report, &report->spans[i], row_of[report->spans[i].instance], out);
    buf_add_text(out, "</svg>\n");
    if (rows < report->rows_count) buf_printf(out, "<p>%u more tasks are not drawn.</p>\n", report->rows_count - rows);
    /* What the hatches mean. */
    buf_printf(out, "<p><svg role=\"img\" aria-label=\"legend\" width=\"760\" height=\"18\" viewBox=\"0 0 760 18\">");
    static const char *const legend[][2] = {{"ok", "succeeded"}, {"bad", "failed"},     {"running", "running"}, {"queued", "queued"}, {"retry", "retry"},
                                            {"approval", "approval"}, {"timer", "timer"}, {"inside", "inside"},   {"undo", "undo"}};
    for (int i = 0; i < 9; i++)
        buf_printf(out, "<rect x=\"%d\" y=\"2\" width=\"18\" height=\"14\" fill=\"url(#%s)\"/><text x=\"%d\" y=\"13\">%s</text>", i * 84, legend[i][0], i * 84 + 22,
                   legend[i][1]);
    buf_add_text(out, "</svg></p>\n");
    return 0;
}

/* ---- the tasks ---- */

static void put_attempts(struct report *report, uint32_t instance, struct buf *out)
{
    if (report->attempt_first[instance] == CORE_NONE) return;
    buf_add_text(out, "<table><tr><th>try</th><th>state</th><th>began</th><th>took</th><th>error</th></tr>\n");
    for (uint32_t at = report->attempt_first[instance]; at != CORE_NONE; at = report->attempts[at].next) {
        const struct report_attempt *attempt = &report->attempts[at];
        const char *state = task_state_to_string((enum task_state)attempt->state);
        buf_printf(out, "<tr><td>%u%s</td><td class=\"%s\">%s</td><td>", attempt->attempt, attempt->generation ? " again" : "", state, state);
        time_format(attempt->started_at, true, out);
        buf_add_text(out, "</td><td>");
        put_duration(out, (attempt->ended_at ? attempt->ended_at : report->to) - attempt->started_at);
        buf_add_text(out, "</td><td>");
        report_escape(attempt->error, out);
        buf_add_text(out, "</td></tr>\n");
    }
    buf_add_text(out, "</table>\n");
}

static int put_output(struct report *report, uint32_t instance, struct buf *out, struct orch_error *err)
{
    struct buf output;
    struct arena arena;
    const struct core_instance *at = core_get_instance(report->core, instance);
    if (at->task->kind != TASK_LEAF || at->state != TASK_SUCCEEDED) return 0;
    buf_init(&output, NULL, 64u << 20);
    arena_init(&arena, NULL, 0);
    int r = core_output(report->core, instance, &arena, &output, err);
    if (output.failed) r = 0; /* too large to be looked at: it is said below */
    if (!r && (output.failed || !str_is(buf_str(&output), "null"))) {
        bool cut = output.failed || output.size > OUTPUT_MAX;
        buf_add_text(out, "<div>output</div><pre>");
        report_escape(str_of(output.data, output.size < OUTPUT_MAX ? output.size : OUTPUT_MAX), out);
        buf_add_text(out, cut ? "\n… more than is shown here</pre>\n" : "</pre>\n");
    }
    buf_done(&output);
    arena_done(&arena);
    return r;
}

static void put_lines(struct report *report, uint32_t instance, struct buf *out)
{
    struct report_line lines[REPORT_TAIL_MAX];
    struct arena arena;
    arena_init(&arena, NULL, 64u << 20);
    uint32_t count = report_tail(report, instance, TAIL_LINES, &arena, lines);
    if (count) buf_add_text(out, "<div>last lines</div><pre>");
    for (uint32_t i = 0; i < count; i++) {
        report_escape(lines[i].text, out);
        buf_add_char(out, '\n');
    }
    if (count) buf_add_text(out, "</pre>\n");
    arena_done(&arena);
}

static int put_task(struct report *report, const struct report_row *row, struct buf *out, struct orch_error *err)
{
    const struct core_instance *instance = core_get_instance(report->core, row->instance);
    const struct core_detail *detail = instance->detail;
    const char *state = task_state_to_string((enum task_state)instance->state);
    bool failed = instance->state == TASK_FAILED || instance->state == TASK_TIMED_OUT;
    buf_printf(out, "<details%s><summary>%s <span class=\"s %s\">%s</span> ", failed ? " open" : "",
               instance->state == TASK_SUCCEEDED ? "✔" : failed ? "✗" : "○", state, state);
    report_escape(report_path(report, row->instance), out);
    if (detail && detail->started_at) {
        buf_add_text(out, " · ");
        put_duration(out, (detail->ended_at ? detail->ended_at : report->to) - detail->started_at);
    }
    if (instance->attempt > 1) buf_printf(out, " · %u tries", instance->attempt);
    buf_add_text(out, "</summary>\n");
    struct buf why;
    buf_init(&why, NULL, 4096);
    core_why(report->core, row->instance, report->now, &why);
    if (why.size) {
        buf_add_text(out, "<p>");
        report_escape(buf_str(&why), out);
        buf_add_text(out, "</p>\n");
    }
    buf_done(&why);
    if (detail && detail->error.size && instance->state != TASK_SUCCEEDED) {
        buf_add_text(out, "<p class=\"failed\">");
        report_escape(detail->error, out);
        buf_add_text(out, "</p>\n");
    }
    put_attempts(report, row->instance, out);
    int r = put_output(report, row->instance, out, err);
    put_lines(report, row->instance, out);
    buf_add_text(out, "</details>\n");
    return r;
}

int export_html(struct report *report, struct buf *out, struct orch_error *err)
{
    buf_add_text(out, head);
    report_escape(report->row->workflow, out);
    buf_printf(out, " %s %s</title>\n</head>\n<body>\n", report->id, cli_activity(report->core, report->owned, NULL));
    summary(report, out);
    int r = timeline(report, out, err);
    buf_add_text(out, "<h2>Tasks</h2>\n");
    for (uint32_t i = 0; i < report->rows_count && i < TASKS_MAX && !r; i++) r = put_task(report, &report->rows[i], out, err);
    if (report->rows_count > TASKS_MAX) buf_printf(out, "<p>%u more tasks: orch export %s --format json</p>\n", report->rows_count - TASKS_MAX, report->id);
    buf_add_text(out, "</body>\n</html>\n");
    return r;
}
