/*
 * whatif_report.c - where the old and the new definition part.
 */
#include "cli/whatif.h"

#include <stdlib.h>

#include "base/time.h"
#include "cli/tree.h"

#define LINES_SHOWN 40 /* of each list, unless all are wanted */

enum change_kind { CHANGE_AGAIN, CHANGE_NEW, CHANGE_GONE, CHANGE_END };

struct change {
    enum change_kind kind;
    struct orch_str path;
    const struct whatif_outcome *before, *after; /* NULL: not there */
    bool has_run;                                /* by the moment it is about */
};

struct move {
    const struct whatif_outcome *after;
    uint32_t was, is; /* places among the tasks that run in both, 1 is the first */
};

struct lists {
    struct change *changes;
    uint32_t changes_count;
    struct move *moves;
    uint32_t moves_count, common_count;
    uint32_t taken, made_up; /* tasks */
};

static const char *const kind_texts[] = {"would run again", "would run", "would not run", "would end otherwise"};
static const char *const kind_names[] = {"again", "new", "gone", "end"};

/* ---- what differs ---- */

static const struct whatif_outcome *find(const struct whatif_side *side, struct orch_str path)
{
    const struct map_entry *entry = map_find(&side->outcomes, path);
    return entry ? entry->pointer : NULL;
}

static bool has_run(const struct whatif *whatif, struct orch_str path)
{
    const struct whatif_task *task = whatif_history_find(&whatif->history, path);
    return task && task->is_over && task->count > 0;
}

static void add_change(const struct whatif *whatif, struct lists *lists, enum change_kind kind,
                       const struct whatif_outcome *before, const struct whatif_outcome *after)
{
    struct orch_str path = after ? after->path : before->path;
    lists->changes[lists->changes_count++] = (struct change){kind, path, before, after, has_run(whatif, path)};
}

static int compare_changes(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    const struct whatif_outcome *one = x->after && x->after->ran ? x->after : x->before,
                                *other = y->after && y->after->ran ? y->after : y->before;
    uint32_t first = one ? one->order : 0, second = other ? other->order : 0;
    return first < second ? -1 : first > second;
}

static void find_changes(const struct whatif *whatif, struct lists *lists)
{
    for (uint32_t i = 0; i < whatif->after.outcomes.count; i++) {
        const struct whatif_outcome *after = whatif->after.outcomes.entries[i].pointer;
        const struct whatif_outcome *before = find(&whatif->before, after->path);
        if (!after->ran) {
            if (before && before->ran) add_change(whatif, lists, CHANGE_GONE, before, after);
            continue;
        }
        if (after->fresh)
            lists->made_up++;
        else if (after->taken)
            lists->taken++;
        if (after->difference.size)
            add_change(whatif, lists, CHANGE_AGAIN, before, after);
        else if (!before || !before->ran)
            add_change(whatif, lists, CHANGE_NEW, before, after);
        else if (before->state != after->state)
            add_change(whatif, lists, CHANGE_END, before, after);
    }
    for (uint32_t i = 0; i < whatif->before.outcomes.count; i++) {
        const struct whatif_outcome *before = whatif->before.outcomes.entries[i].pointer;
        if (before->ran && !find(&whatif->after, before->path)) add_change(whatif, lists, CHANGE_GONE, before, NULL);
    }
    if (lists->changes_count) qsort(lists->changes, lists->changes_count, sizeof *lists->changes, compare_changes);
}

/* ---- what runs in another order ---- */

struct place {
    const struct whatif_outcome *before, *after;
    uint32_t was;
};

static int compare_before(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return x->before->order < y->before->order ? -1 : x->before->order > y->before->order;
}

/* What begins at one time has no order of its own: it keeps that of before. */
static int compare_after(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->after->begin != y->after->begin) return x->after->begin < y->after->begin ? -1 : 1;
    return x->was < y->was ? -1 : x->was > y->was;
}

/* The fewest tasks that have to be moved to make the one order into the other: all but a longest rising sequence. */
static bool find_moves(const struct whatif *whatif, struct lists *lists, struct place *places)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < whatif->after.outcomes.count; i++) {
        const struct whatif_outcome *after = whatif->after.outcomes.entries[i].pointer;
        const struct whatif_outcome *before = find(&whatif->before, after->path);
        if (after->ran && before && before->ran) places[count++] = (struct place){before, after, 0};
    }
    lists->common_count = count;
    if (!count) return true;
    uint32_t *tails = malloc(count * sizeof *tails), *previous = malloc(count * sizeof *previous);
    bool *stays = calloc(count, sizeof *stays);
    if (!tails || !previous || !stays) {
        free(tails);
        free(previous);
        free(stays);
        return false;
    }
    qsort(places, count, sizeof *places, compare_before);
    for (uint32_t i = 0; i < count; i++) places[i].was = i + 1;
    qsort(places, count, sizeof *places, compare_after);
    uint32_t length = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t low = 0, high = length;
        while (low < high) {
            uint32_t middle = (low + high) / 2;
            if (places[tails[middle]].was < places[i].was)
                low = middle + 1;
            else
                high = middle;
        }
        previous[i] = low ? tails[low - 1] : UINT32_MAX;
        tails[low] = i;
        if (low == length) length++;
    }
    for (uint32_t i = tails[length - 1]; i != UINT32_MAX; i = previous[i]) stays[i] = true;
    for (uint32_t i = 0; i < count; i++)
        if (!stays[i]) lists->moves[lists->moves_count++] = (struct move){places[i].after, places[i].was, i + 1};
    free(tails);
    free(previous);
    free(stays);
    return true;
}

/* ---- text ---- */

static void put_state(const struct whatif_outcome *outcome, struct buf *out)
{
    if (outcome->state == TASK_PENDING) {
        buf_add_text(out, "not ended");
        return;
    }
    buf_add_text(out, task_state_to_string((enum task_state)outcome->state));
    if (!outcome->error.size) return;
    buf_add_text(out, ": ");
    cli_clean(outcome->error, 60, false, out);
}

static void put_why_not(const struct whatif_outcome *after, struct buf *out)
{
    if (!after)
        buf_add_text(out, "it is not there any more");
    else if (after->state == TASK_SKIPPED && after->reason == REASON_WHEN)
        buf_add_text(out, "its condition is false");
    else if (after->state == TASK_SKIPPED && after->reason == REASON_DEPENDENCY)
        buf_add_text(out, "something before it fails");
    else
        buf_add_text(out, "the run stops before");
}

static void put_change(const struct change *change, struct buf *out)
{
    switch (change->kind) {
    case CHANGE_AGAIN:
        buf_add_text(out, "other: ");
        buf_add(out, change->after->difference);
        break;
    case CHANGE_NEW:
        buf_add_text(out, !change->before                         ? "it is new"
                          : change->before->state == TASK_SKIPPED ? "it was skipped"
                                                                  : "it was not reached");
        break;
    case CHANGE_GONE:
        put_why_not(change->after, out);
        if (change->has_run) buf_add_text(out, " (it has run already)");
        return;
    case CHANGE_END: break;
    }
    bool differs = change->before && change->before->ran && change->before->state != change->after->state;
    if (!differs && change->kind != CHANGE_NEW) return;
    if (change->kind == CHANGE_NEW && change->after->state == TASK_SUCCEEDED) return;
    if (change->kind != CHANGE_END) buf_add_text(out, "; ");
    put_state(change->after, out);
    if (!differs) return;
    buf_add_text(out, ", not ");
    put_state(change->before, out);
}

static void text_changes(const struct lists *lists, bool all, struct buf *out)
{
    uint32_t shown = 0;
    size_t width = 0;
    for (uint32_t i = 0; i < lists->changes_count; i++)
        if (lists->changes[i].path.size > width) width = lists->changes[i].path.size;
    if (width > 40) width = 40;
    for (uint32_t i = 0; i < lists->changes_count; i++) {
        const struct change *change = &lists->changes[i];
        if (!all && shown++ >= LINES_SHOWN) {
            buf_printf(out, "  ... %u more: --all shows them\n", lists->changes_count - LINES_SHOWN);
            break;
        }
        size_t begin = out->size;
        buf_printf(out, "%-19s  ", kind_texts[change->kind]);
        cli_clean(change->path, 0, false, out);
        while (out->size < begin + 21 + width && !out->failed) buf_add_char(out, ' ');
        buf_add_text(out, "  ");
        put_change(change, out);
        buf_add_char(out, '\n');
    }
    if (lists->changes_count) buf_add_char(out, '\n');
}

static void text_moves(const struct lists *lists, bool all, struct buf *out)
{
    for (uint32_t i = 0; i < lists->moves_count; i++) {
        const struct move *move = &lists->moves[i];
        if (!all && i == LINES_SHOWN) {
            buf_printf(out, "  ... %u more: --all shows them\n", lists->moves_count - LINES_SHOWN);
            break;
        }
        buf_add_text(out, "in another order     ");
        cli_clean(move->after->path, 0, false, out);
        buf_printf(out, "  begins as number %u of %u, not %u\n", move->is, lists->common_count, move->was);
    }
    if (lists->moves_count) buf_add_char(out, '\n');
}

static void put_end(const struct simulation_result *result, struct buf *out)
{
    buf_add_text(out, result->is_stuck ? "does not end" : execution_state_to_string(result->state));
    buf_add_text(out, " after ");
    duration_format_short(result->makespan, out);
    if (!result->reason.size) return;
    buf_add_text(out, ": ");
    cli_clean(result->reason, 100, false, out);
}

static void report_text(const struct whatif *whatif, const struct lists *lists, bool all, struct buf *out)
{
    const struct whatif_history *history = &whatif->history;
    cli_clean(history->row.workflow, 60, false, out);
    buf_printf(out, "  #%.*s as ", STR_ARG(history->row.id));
    cli_clean(str_from(whatif->file), 0, false, out);
    buf_add_text(out, " would have it");
    if (history->sequence < history->last) {
        buf_printf(out, ", from transition %llu of %llu on, ", (unsigned long long)history->sequence,
                   (unsigned long long)history->last);
        duration_format_short(history->at - history->started_at, out);
        buf_add_text(out, " after the start");
    }
    buf_printf(
        out,
        "; nothing was run\n%u result%s as recorded, %u made up: success, after as long as it took before\n\n",
        lists->taken, lists->taken == 1 ? "" : "s", lists->made_up);
    text_changes(lists, all, out);
    text_moves(lists, all, out);
    if (!lists->changes_count && !lists->moves_count) buf_add_text(out, "the same tasks, in the same order\n\n");
    buf_add_text(out, history->sequence < history->last ? "then       " : "recorded   ");
    buf_add_text(out, execution_state_to_string(history->summary.state));
    if (history->summary.ended_at) {
        buf_add_text(out, " after ");
        duration_format_short(history->summary.ended_at - history->summary.started_at, out);
    }
    if (history->summary.error.size) {
        buf_add_text(out, ": ");
        cli_clean(history->summary.error, 100, false, out);
    }
    buf_add_text(out, "\nas it was  ");
    put_end(&whatif->before.result, out);
    buf_add_text(out, "\nas it is   ");
    put_end(&whatif->after.result, out);
    buf_add_char(out, '\n');
    if (history->stopped_by.size) {
        buf_add_text(out, "\nnote: the run was cancelled by ");
        cli_clean(history->stopped_by, 60, false, out);
        buf_add_text(out, "; that is not done again\n");
    }
}

/* ---- JSON ---- */

static void json_outcome(const char *name, const struct whatif_outcome *outcome, struct buf *out)
{
    if (!outcome) return;
    buf_printf(out, ",\"%s\":{\"ran\":%s,\"state\":\"%s\"", name, outcome->ran ? "true" : "false",
               task_state_to_string((enum task_state)outcome->state));
    if (outcome->reason) buf_printf(out, ",\"reason\":\"%s\"", reason_to_string((enum reason)outcome->reason));
    cli_json_text(out, "error", outcome->error);
    buf_add_char(out, '}');
}

static void json_end(const char *name, const struct simulation_result *result, struct buf *out)
{
    buf_printf(out, ",\"%s\":{\"state\":\"%s\",\"duration_ms\":%lld", name,
               result->is_stuck ? "stuck" : execution_state_to_string(result->state),
               (long long)(result->makespan / ORCH_MILLISECOND));
    cli_json_text(out, "reason", result->reason);
    cli_json_raw(out, "output", result->output);
    buf_add_char(out, '}');
}

static void report_json(const struct whatif *whatif, const struct lists *lists, struct buf *out)
{
    const struct whatif_history *history = &whatif->history;
    buf_printf(out, "{\"v\":1,\"run\":\"%.*s\"", STR_ARG(history->row.id));
    cli_json_text(out, "workflow", history->row.workflow);
    cli_json_text(out, "file", str_from(whatif->file));
    buf_printf(out, ",\"sequence\":%llu,\"last\":%llu,\"taken\":%u,\"made_up\":%u,\n\"changes\":[",
               (unsigned long long)history->sequence, (unsigned long long)history->last, lists->taken, lists->made_up);
    for (uint32_t i = 0; i < lists->changes_count; i++) {
        const struct change *change = &lists->changes[i];
        buf_printf(out, "%s{\"change\":\"%s\"", i ? ",\n " : "\n ", kind_names[change->kind]);
        cli_json_text(out, "task", change->path);
        if (change->after) cli_json_text(out, "difference", change->after->difference);
        if (change->has_run) buf_add_text(out, ",\"has_run\":true");
        json_outcome("before", change->before, out);
        json_outcome("after", change->after, out);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "\n],\n\"moves\":[");
    for (uint32_t i = 0; i < lists->moves_count; i++) {
        buf_printf(out, "%s{\"was\":%u,\"is\":%u", i ? ",\n " : "\n ", lists->moves[i].was, lists->moves[i].is);
        cli_json_text(out, "task", lists->moves[i].after->path);
        buf_add_char(out, '}');
    }
    buf_printf(out, "\n],\n\"recorded\":{\"state\":\"%s\"", execution_state_to_string(history->summary.state));
    if (history->summary.ended_at)
        buf_printf(out, ",\"duration_ms\":%lld",
                   (long long)((history->summary.ended_at - history->summary.started_at) / ORCH_MILLISECOND));
    cli_json_text(out, "reason", history->summary.error);
    cli_json_text(out, "cancelled_by", history->stopped_by);
    buf_add_char(out, '}');
    json_end("before", &whatif->before.result, out);
    json_end("after", &whatif->after.result, out);
    buf_add_text(out, "}\n");
}

void whatif_report(const struct whatif *whatif, bool json, bool all, struct buf *out)
{
    struct lists lists = {0};
    uint32_t most = whatif->before.outcomes.count + whatif->after.outcomes.count + 1;
    struct place *places = calloc(most, sizeof *places);
    lists.changes = calloc(most, sizeof *lists.changes);
    lists.moves = calloc(most, sizeof *lists.moves);
    if (places && lists.changes && lists.moves) {
        find_changes(whatif, &lists);
        if (!find_moves(whatif, &lists, places)) out->failed = true;
        if (json)
            report_json(whatif, &lists, out);
        else
            report_text(whatif, &lists, all, out);
    } else
        out->failed = true;
    free(places);
    free(lists.changes);
    free(lists.moves);
}
