/*
 * simulate_report.c - what a simulation found out, as text and JSON.
 */
#include "cli/simulate_report.h"

#include <stdlib.h>

#include "base/time.h"

#define TASKS_SHOWN  20
#define ENDS_SHOWN   20
#define BAR_WIDTH    40
#define REASON_WIDTH 100

void simulate_count_format(uint64_t count, struct buf *out)
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    for (int i = 0; i < size; i++) {
        if (i && (size - i) % 3 == 0) buf_add_char(out, ',');
        buf_add_char(out, digits[i]);
    }
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

/* "81.2%"; what is rare is not said to be never, nor what is usual always. */
static void put_share(uint64_t part, uint64_t whole, struct buf *out)
{
    double percent = share(part, whole) * 100;
    if (part && percent < 0.1)
        buf_add_text(out, "<0.1%");
    else if (part < whole && percent > 99.9)
        buf_add_text(out, ">99.9%");
    else
        buf_printf(out, "%.1f%%", percent);
}

static void pad(struct buf *out, size_t begin, size_t width)
{
    while (out->size < begin + width && !out->failed) buf_add_char(out, ' ');
}

/* Right-aligned: what was added from begin on. */
static void pad_left(struct buf *out, size_t begin, size_t width)
{
    size_t size = out->size - begin;
    pad(out, out->size, size < width ? width - size : 0);
    if (size >= width || out->failed) return;
    memmove(out->data + begin + width - size, out->data + begin, size);
    memset(out->data + begin, ' ', width - size);
}

static const char *end_text(const struct simulate_end *end)
{
    return end->is_stuck ? "never ends" : execution_state_to_string((enum execution_state)end->state);
}

static void put_color(bool begins, uint8_t state, bool is_stuck, struct buf *out)
{
    enum cli_color color = is_stuck ? COLOR_RED : cli_execution_color(state);
    buf_add_text(out, begins ? cli_color(cli_style.color_out, color) : cli_color_end(cli_style.color_out, color));
}

static const char *end_symbol(uint8_t state, bool is_stuck)
{
    if (is_stuck) return cli_task_symbol(TASK_WAITING, REASON_NONE);
    return cli_task_symbol(state == EXECUTION_SUCCEEDED     ? TASK_SUCCEEDED
                           : state == EXECUTION_COMPENSATED ? TASK_COMPENSATED
                           : state == EXECUTION_CANCELLED   ? TASK_CANCELLED
                           : state == EXECUTION_TIMED_OUT   ? TASK_TIMED_OUT
                                                            : TASK_FAILED,
                           REASON_NONE);
}

/* ---- text ---- */

static void text_ends(const struct simulate_report *report, struct buf *out)
{
    const struct simulate_stats *stats = report->stats;
    buf_add_text(out, "  END                RUNS   SHARE  FIRST SEED  WHY\n");
    for (uint32_t i = 0; i < stats->ends_count && (report->all || i < ENDS_SHOWN); i++) {
        const struct simulate_end *end = &stats->list[i];
        put_color(true, end->state, end->is_stuck, out);
        buf_printf(out, "%s", end_symbol(end->state, end->is_stuck));
        put_color(false, end->state, end->is_stuck, out);
        size_t begin = out->size;
        buf_printf(out, " %s", end_text(end));
        pad(out, begin, 14);
        begin = out->size;
        simulate_count_format(end->count, out);
        pad_left(out, begin, 10);
        begin = out->size;
        put_share(end->count, stats->runs, out);
        pad_left(out, begin, 8);
        begin = out->size;
        buf_printf(out, "%llu", (unsigned long long)end->first_seed);
        pad_left(out, begin, 12);
        if (end->reason.size) {
            buf_add_text(out, "  ");
            cli_clean(end->reason, REASON_WIDTH, false, out);
        }
        buf_add_char(out, '\n');
    }
    if (!report->all && stats->ends_count > ENDS_SHOWN)
        buf_printf(out, "  ... %u more kinds of end: --all shows them\n", stats->ends_count - ENDS_SHOWN);
}

static void put_named(const char *name, orch_time time, struct buf *out)
{
    buf_printf(out, "%s ", name);
    duration_format_short(time, out);
}

static void text_makespan(const struct simulate_report *report, struct buf *out)
{
    struct simulate_stats *stats = report->stats;
    struct simulate_bar bars[SIMULATE_HISTOGRAM_MAX];
    uint32_t count = simulate_stats_histogram(stats, bars);
    if (!count) return;
    put_named("\nlasts  min", simulate_stats_percentile(stats, 0), out);
    put_named("  p50", simulate_stats_percentile(stats, 50), out);
    put_named("  p95", simulate_stats_percentile(stats, 95), out);
    put_named("  max", simulate_stats_percentile(stats, 100), out);
    buf_add_char(out, '\n');
    if (count < 2) return;
    uint64_t most = 0;
    for (uint32_t i = 0; i < count; i++)
        if (bars[i].count > most) most = bars[i].count;
    for (uint32_t i = 0; i < count; i++) {
        size_t begin = out->size;
        duration_format_short(bars[i].from, out);
        pad_left(out, begin, 9);
        buf_add_text(out, "  ");
        uint64_t eighths = (bars[i].count * BAR_WIDTH * 8 + most - 1) / most;
        uint32_t columns = 0;
        for (; eighths >= 8; eighths -= 8, columns++) buf_add_text(out, cli_style.utf8 ? "\xe2\x96\x88" : "#");
        if (eighths) {
            /* U+258F (an eighth) to U+2589 (seven of them). */
            if (cli_style.utf8)
                buf_printf(out, "\xe2\x96%c", (char)(0x8f - (eighths - 1)));
            else
                buf_add_char(out, '#');
            columns++;
        }
        for (; columns < BAR_WIDTH + 1; columns++) buf_add_char(out, ' ');
        simulate_count_format(bars[i].count, out);
        buf_add_char(out, '\n');
    }
}

static int compare_tasks(const void *a, const void *b)
{
    const struct simulate_task *x = *(const struct simulate_task *const *)a,
                               *y = *(const struct simulate_task *const *)b;
    if (x->critical != y->critical) return x->critical > y->critical ? -1 : 1;
    return x < y ? -1 : x > y; /* as they were met first */
}

static void text_tasks(const struct simulate_report *report, struct buf *out)
{
    const struct simulate_stats *stats = report->stats;
    const struct simulate_task **order = calloc(stats->tasks_count ? stats->tasks_count : 1, sizeof *order);
    uint32_t count = 0;
    size_t width = 12;
    if (!order) {
        out->failed = true;
        return;
    }
    for (uint32_t i = 0; i < stats->tasks_count; i++) {
        const struct simulate_task *task = &stats->tasks[i];
        if (!task->ran && !task->skipped && !task->undo_began && !task->attempts) continue;
        order[count++] = task;
    }
    qsort(order, count, sizeof *order, compare_tasks);
    uint32_t shown = report->all || count < TASKS_SHOWN ? count : TASKS_SHOWN;
    for (uint32_t i = 0; i < shown; i++)
        if (order[i]->path.size > width) width = order[i]->path.size;
    if (width > 60) width = 60;
    size_t begin = out->size;
    buf_add_text(out, "\n  TASK");
    pad(out, begin, width + 3);
    buf_add_text(out, "  CRITICAL     RAN    MEAN   TRIES  FAILED  SKIPPED  UNDONE\n");
    for (uint32_t i = 0; i < shown; i++) {
        const struct simulate_task *task = order[i];
        begin = out->size;
        buf_add_text(out, "  ");
        cli_clean(task->path, (uint32_t)width, false, out);
        pad(out, begin, width + 2);
        begin = out->size;
        if (task->ran) put_share(task->critical, stats->runs, out);
        pad_left(out, begin, 10);
        begin = out->size;
        put_share(task->runs, stats->runs, out);
        pad_left(out, begin, 8);
        begin = out->size;
        if (task->timed) duration_format_short(task->busy / (orch_time)task->timed, out);
        pad_left(out, begin, 8);
        const uint64_t numbers[] = {task->attempts, task->failed + task->timed_out, task->skipped, task->undo_began};
        const size_t widths[] = {8, 8, 9, 8};
        for (size_t n = 0; n < 4; n++) {
            begin = out->size;
            if (numbers[n])
                simulate_count_format(numbers[n], out);
            else
                buf_add_char(out, '-');
            pad_left(out, begin, widths[n]);
        }
        if (task->undo_began > task->undone) {
            buf_add_text(out, "  (");
            simulate_count_format(task->undo_began - task->undone, out);
            buf_add_text(out, " in vain)");
        }
        buf_add_char(out, '\n');
    }
    if (shown < count) buf_printf(out, "  ... %u more: --all shows them\n", count - shown);
    free(order);
}

void simulate_report_text(const struct simulate_report *report, struct buf *out)
{
    const struct simulate_stats *stats = report->stats;
    cli_clean(report->workflow, 80, false, out);
    buf_add_text(out, ": ");
    simulate_count_format(stats->runs, out);
    buf_printf(out, " run%s in virtual time, seed%s %llu", stats->runs == 1 ? "" : "s", stats->runs == 1 ? "" : "s",
               (unsigned long long)report->first_seed);
    if (stats->runs > 1) buf_printf(out, " to %llu", (unsigned long long)(report->first_seed + stats->runs - 1));
    buf_add_text(out, "; nothing was run\nassumed: ");
    buf_add(out, report->assumed);
    buf_add_text(out, "\n\n");
    text_ends(report, out);
    text_makespan(report, out);
    text_tasks(report, out);
    if (stats->retries || stats->crashes) {
        buf_add_text(out, "\n");
        simulate_count_format(stats->retries, out);
        buf_printf(out, " tr%s again after a failure or a crash", stats->retries == 1 ? "y" : "ies");
        if (stats->crashes) {
            buf_add_text(out, "; orch was killed in ");
            simulate_count_format(stats->crashes, out);
            buf_printf(out, " run%s and taken up again", stats->crashes == 1 ? "" : "s");
        }
        buf_add_char(out, '\n');
    }
    if (stats->evaluations) {
        buf_add_text(out, "\nan expression failed in ");
        simulate_count_format(stats->evaluations, out);
        buf_printf(out,
                   " run%s: what a program gives is not known here.\nGive it with --output-of TASK=JSON, or --learn it "
                   "from runs that there were.\n",
                   stats->evaluations == 1 ? "" : "s");
    }
    for (uint32_t i = 0; i < stats->ends_count && stats->runs > 1; i++) {
        if (simulate_end_is_good(&stats->list[i])) continue;
        buf_printf(out, "\nnext:  the same with --seed %llu and without --runs  shows step by step %s\n",
                   (unsigned long long)stats->list[i].first_seed,
                   stats->list[i].is_stuck ? "why it never ends" : "how it comes to a bad end");
        break;
    }
}

void simulate_report_one(const struct simulation_result *result, const struct simulation *simulation, struct buf *out)
{
    buf_add_char(out, '\n');
    put_color(true, (uint8_t)result->state, result->is_stuck, out);
    buf_add_text(out, end_symbol((uint8_t)result->state, result->is_stuck));
    put_color(false, (uint8_t)result->state, result->is_stuck, out);
    buf_printf(out, " %s after ",
               result->is_stuck ? "nothing goes on any more" : execution_state_to_string(result->state));
    duration_format_short(result->makespan, out);
    if (result->reason.size) {
        buf_add_text(out, ": ");
        cli_clean(result->reason, 0, false, out);
    }
    buf_add_char(out, '\n');
    /* In the order of their beginnings; there are few of them. */
    orch_time after = -1;
    bool is_first = true;
    for (uint32_t from = 0;;) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < result->tasks_count; i++) {
            const struct simulation_task *task = &result->tasks[i];
            if (!task->is_critical || task->started_at < after || (task->started_at == after && i < from)) continue;
            if (best == UINT32_MAX || task->started_at < result->tasks[best].started_at) best = i;
        }
        if (best == UINT32_MAX) break;
        buf_add_text(out, is_first ? "critical path  " : ", ");
        cli_clean(simulation_path(simulation, best), 0, false, out);
        buf_add_char(out, ' ');
        duration_format_short(result->tasks[best].busy, out);
        after = result->tasks[best].started_at;
        from = best + 1;
        is_first = false;
    }
    if (!is_first) buf_add_char(out, '\n');
}

/* ---- JSON ---- */

static void json_milliseconds(struct buf *out, const char *name, orch_time time)
{
    buf_printf(out, "\"%s\":%lld", name, (long long)(time / ORCH_MILLISECOND));
}

static void json_share(struct buf *out, const char *name, uint64_t part, uint64_t whole)
{
    char number[32];
    size_t size = double_format(share(part, whole), number);
    buf_printf(out, ",\"%s\":%.*s", name, (int)size, number);
}

void simulate_report_json(const struct simulate_report *report, struct buf *out)
{
    struct simulate_stats *stats = report->stats;
    struct simulate_bar bars[SIMULATE_HISTOGRAM_MAX];
    buf_add_text(out, "{\"v\":1,\"workflow\":");
    json_format_string(report->workflow, out);
    buf_printf(out, ",\"runs\":%llu,\"first_seed\":%llu,\"retries\":%llu,\"crashes\":%llu,\"evaluation_failures\":%llu",
               (unsigned long long)stats->runs, (unsigned long long)report->first_seed,
               (unsigned long long)stats->retries, (unsigned long long)stats->crashes,
               (unsigned long long)stats->evaluations);
    buf_add_text(out, ",\"assumed\":");
    json_format_string(report->assumed, out);
    buf_add_text(out, ",\n\"ends\":[");
    for (uint32_t i = 0; i < stats->ends_count; i++) {
        const struct simulate_end *end = &stats->list[i];
        buf_printf(out, "%s{\"state\":\"%s\",\"runs\":%llu", i ? ",\n " : "\n ",
                   end->is_stuck ? "stuck" : execution_state_to_string((enum execution_state)end->state),
                   (unsigned long long)end->count);
        json_share(out, "share", end->count, stats->runs);
        buf_printf(out, ",\"first_seed\":%llu,\"reason\":", (unsigned long long)end->first_seed);
        json_format_string(end->reason, out);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "\n],\n\"makespan\":{");
    json_milliseconds(out, "min_ms", simulate_stats_percentile(stats, 0));
    buf_add_char(out, ',');
    json_milliseconds(out, "p50_ms", simulate_stats_percentile(stats, 50));
    buf_add_char(out, ',');
    json_milliseconds(out, "p95_ms", simulate_stats_percentile(stats, 95));
    buf_add_char(out, ',');
    json_milliseconds(out, "max_ms", simulate_stats_percentile(stats, 100));
    buf_add_text(out, ",\"histogram\":[");
    uint32_t count = simulate_stats_histogram(stats, bars);
    for (uint32_t i = 0; i < count; i++) {
        buf_add_text(out, i ? "," : "");
        buf_add_char(out, '{');
        json_milliseconds(out, "from_ms", bars[i].from);
        buf_add_char(out, ',');
        json_milliseconds(out, "to_ms", bars[i].to);
        buf_printf(out, ",\"runs\":%llu}", (unsigned long long)bars[i].count);
    }
    buf_add_text(out, "]},\n\"tasks\":[");
    bool is_first = true;
    for (uint32_t i = 0; i < stats->tasks_count; i++) {
        const struct simulate_task *task = &stats->tasks[i];
        if (!task->ran && !task->skipped && !task->undo_began && !task->attempts) continue;
        buf_add_text(out, is_first ? "\n {\"task\":" : ",\n {\"task\":");
        is_first = false;
        json_format_string(task->path, out);
        buf_printf(out,
                   ",\"runs\":%llu,\"ran\":%llu,\"attempts\":%llu,\"retries\":%llu,\"lost\":%llu,\"failed\":%llu,"
                   "\"timed_out\":%llu,\"skipped\":%llu,\"critical_runs\":%llu",
                   (unsigned long long)task->runs, (unsigned long long)task->ran, (unsigned long long)task->attempts,
                   (unsigned long long)task->retries, (unsigned long long)task->lost, (unsigned long long)task->failed,
                   (unsigned long long)task->timed_out, (unsigned long long)task->skipped,
                   (unsigned long long)task->critical);
        json_share(out, "critical", task->critical, stats->runs);
        buf_add_char(out, ',');
        json_milliseconds(out, "mean_ms", task->timed ? task->busy / (orch_time)task->timed : 0);
        if (task->undo_began)
            buf_printf(out, ",\"compensation\":{\"runs\":%llu,\"began\":%llu,\"succeeded\":%llu}",
                       (unsigned long long)task->undo_runs, (unsigned long long)task->undo_began,
                       (unsigned long long)task->undone);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "\n]");
}
