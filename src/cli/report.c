/*
 * report.c - an execution's attempts and the time line of its tasks, gathered from its journal.
 */
#include "cli/report.h"

#include <stdlib.h>

#include "base/error.h"
#include "sys/clock.h"
#include "sys/logfile.h"

#define ROWS_DEPTH_MAX 1000

const char *report_span_to_string(enum report_span_kind kind)
{
    switch (kind) {
#define SPAN_TEXT(name, text) \
    case REPORT_##name: return text;
        REPORT_SPAN_LIST(SPAN_TEXT)
#undef SPAN_TEXT
    }
    return "?";
}

/* ---- the journal ---- */

struct open_span {
    bool open;
    uint8_t kind;
    uint32_t attempt;
    orch_time from;
};

struct gather {
    struct report *report;
    struct arena arena;      /* of the record being read */
    struct open_span *open;  /* of each instance */
    uint32_t count;          /* instances */
    uint32_t generation;
    struct orch_error *err;
};

static int add_span(struct report *report, const struct report_span *span, struct orch_error *err)
{
    if (report->spans_count == report->spans_capacity) {
        uint32_t capacity = report->spans_capacity ? report->spans_capacity * 2 : 256;
        struct report_span *spans = realloc(report->spans, capacity * sizeof *spans);
        if (!spans) return error_memory(err);
        report->spans = spans;
        report->spans_capacity = capacity;
    }
    report->spans[report->spans_count++] = *span;
    return 0;
}

static int span_end(struct gather *gather, uint32_t at, orch_time to, uint8_t outcome)
{
    struct open_span *open = &gather->open[at];
    if (!open->open) return 0;
    open->open = false;
    /* Spans of no length say nothing, but for an attempt or a block: it was there. */
    bool worth = to > open->from || open->kind == REPORT_RUNNING || open->kind == REPORT_BLOCK;
    struct report_span span = {.instance = at,
                               .kind = open->kind,
                               .outcome = outcome,
                               .attempt = open->attempt,
                               .from = open->from,
                               .to = to > open->from ? to : open->from};
    return worth ? add_span(gather->report, &span, gather->err) : 0;
}

static int span_begin(struct gather *gather, uint32_t at, orch_time from, enum report_span_kind kind, uint32_t attempt)
{
    int r = span_end(gather, at, from, TASK_RUNNING);
    gather->open[at] = (struct open_span){.open = true, .kind = (uint8_t)kind, .attempt = attempt, .from = from};
    return r;
}

static enum report_span_kind kind_of(uint8_t reason)
{
    switch ((enum reason)reason) {
    case REASON_BACKOFF: return REPORT_RETRY;
    case REASON_EVENT:
    case REASON_APPROVAL:
    case REASON_HELD: return REPORT_PERSON;
    case REASON_NONE:
    case REASON_TIMER:
    case REASON_DELAY:
    case REASON_WHEN:
    case REASON_DEPENDENCY:
    case REASON_STOPPED: break;
    }
    return REPORT_TIMER;
}

static int attempt_begin(struct gather *gather, const struct core_transition *transition)
{
    struct report *report = gather->report;
    if (report->attempts_count == report->attempts_capacity) {
        uint32_t capacity = report->attempts_capacity ? report->attempts_capacity * 2 : 256;
        struct report_attempt *attempts = realloc(report->attempts, capacity * sizeof *attempts);
        if (!attempts) return error_memory(gather->err);
        report->attempts = attempts;
        report->attempts_capacity = capacity;
    }
    uint32_t place = report->attempts_count++, at = transition->instance;
    report->attempts[place] = (struct report_attempt){.instance = at,
                                                      .generation = gather->generation,
                                                      .attempt = transition->attempt,
                                                      .next = CORE_NONE,
                                                      .state = TASK_RUNNING,
                                                      .started_at = transition->at};
    if (report->attempt_last[at] == CORE_NONE)
        report->attempt_first[at] = place;
    else
        report->attempts[report->attempt_last[at]].next = place;
    report->attempt_last[at] = place;
    return 0;
}

static int attempt_end(struct gather *gather, const struct core_transition *transition, uint8_t state)
{
    struct report *report = gather->report;
    uint32_t place = report->attempt_last[transition->instance];
    if (place == CORE_NONE || report->attempts[place].ended_at) return 0;
    struct report_attempt *attempt = &report->attempts[place];
    attempt->state = state;
    attempt->failure = transition->failure;
    attempt->exit_code = transition->exit_code;
    attempt->signal = transition->signal;
    attempt->ended_at = transition->at;
    attempt->cpu_us = transition->cpu_us;
    attempt->memory_peak = transition->memory_peak;
    attempt->error = transition->error.size ? arena_str(&report->arena, transition->error) : STR_NONE;
    return transition->error.size && !attempt->error.data ? error_memory(gather->err) : 0;
}

static int gather_task(struct gather *gather, const struct core_transition *transition)
{
    uint32_t at = transition->instance;
    switch ((enum transition_type)transition->type) {
    case TRANSITION_TASK_READY: return span_begin(gather, at, transition->at, REPORT_QUEUED, 0);
    case TRANSITION_TASK_WAITING:
        return span_begin(gather, at, transition->at, kind_of(transition->reason), 0);
    case TRANSITION_ATTEMPT_STARTED: {
        int r = span_begin(gather, at, transition->at, REPORT_RUNNING, transition->attempt);
        return r ? r : attempt_begin(gather, transition);
    }
    case TRANSITION_ATTEMPT_FAILED: {
        uint8_t state = transition->failure == FAILURE_TIMEOUT ? TASK_TIMED_OUT : TASK_FAILED;
        int r = span_end(gather, at, transition->at, state);
        return r ? r : attempt_end(gather, transition, state);
    }
    case TRANSITION_TASK_STARTED: return span_begin(gather, at, transition->at, REPORT_BLOCK, 0);
    case TRANSITION_TASK_ENDED: {
        int r = span_end(gather, at, transition->at, transition->state);
        return r ? r : attempt_end(gather, transition, transition->state);
    }
    case TRANSITION_TASK_COMPENSATING: return span_begin(gather, at, transition->at, REPORT_UNDO, 0);
    case TRANSITION_TASK_RESET: return span_end(gather, at, transition->at, TASK_RUNNING);
    case TRANSITION_EXECUTION_STARTED:
    case TRANSITION_FRAME_OPENED:
    case TRANSITION_ATTEMPT_STOPPING:
    case TRANSITION_FRAME_ENDED:
    case TRANSITION_EXECUTION_PAUSED:
    case TRANSITION_EXECUTION_RESUMED:
    case TRANSITION_EXECUTION_STOPPING:
    case TRANSITION_COMPENSATION_STARTED:
    case TRANSITION_EXECUTION_ENDED:
    case TRANSITION_APPROVAL_GIVEN:
    case TRANSITION_SIGNAL_RECEIVED:
    case TRANSITION_EXECUTION_RETRIED: return 0;
    }
    return 0;
}

static int gather_record(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    struct gather *gather = user;
    struct core_transitions list = {0};
    (void)first_seq;
    (void)count;
    arena_clear(&gather->arena);
    int r = transitions_decode(record, &gather->arena, &list, gather->err);
    for (uint32_t i = 0; i < list.count && !r; i++) {
        const struct core_transition *transition = &list.items[i];
        if (transition->type == TRANSITION_EXECUTION_RETRIED) gather->generation = transition->index;
        if (transition->at > gather->report->to) gather->report->to = transition->at;
        /* What an owner recorded since the state was folded is another report's. */
        if (transition->instance < gather->count) r = gather_task(gather, transition);
    }
    return r;
}

static int gather_history(struct report *report, struct orch_error *err)
{
    uint32_t count = core_instance_count(report->core);
    struct gather gather = {.report = report, .count = count, .err = err};
    report->attempt_first = malloc(((size_t)count + 1) * sizeof *report->attempt_first);
    report->attempt_last = malloc(((size_t)count + 1) * sizeof *report->attempt_last);
    gather.open = calloc((size_t)count + 1, sizeof *gather.open);
    int r = report->attempt_first && report->attempt_last && gather.open ? 0 : error_memory(err);
    if (!r) {
        memset(report->attempt_first, 0xff, (size_t)count * sizeof *report->attempt_first);
        memset(report->attempt_last, 0xff, (size_t)count * sizeof *report->attempt_last);
        arena_init(&gather.arena, NULL, 0);
        r = store_each_record(report->store, report->row->number, 1, gather_record, &gather, err);
        arena_done(&gather.arena);
    }
    bool over = execution_state_is_terminal((uint8_t)report->summary.state);
    /* What nobody runs has stood still since the last thing that was recorded. */
    if (!r && !over && report->owned && report->now > report->to) report->to = report->now;
    for (uint32_t i = 0; i < count && !r; i++) r = span_end(&gather, i, report->to, TASK_RUNNING);
    free(gather.open);
    return r;
}

/* ---- the rows ---- */

/* A group that was tried again has a frame for each try: the last counts. */
static bool is_replaced(const struct report *report, uint32_t at)
{
    const struct core_frame *frame = core_get_frame(report->core, at);
    if (frame->dropped) return true;
    if (frame->owner == CORE_NONE || core_get_instance(report->core, frame->owner)->task->kind != TASK_GROUP) return false;
    for (uint32_t f = core_frame_next_of(report->core, frame->owner, at); f != CORE_NONE;
         f = core_frame_next_of(report->core, frame->owner, f)) {
        const struct core_frame *later = core_get_frame(report->core, f);
        if (later->role == frame->role && !later->dropped) return true;
    }
    return false;
}

static void add_frame(struct report *report, uint32_t at, uint32_t depth)
{
    const struct core_frame *frame = core_get_frame(report->core, at);
    if (is_replaced(report, at) || depth > ROWS_DEPTH_MAX) return;
    for (uint32_t i = 0; i < frame->block->task_count; i++) {
        uint32_t instance = frame->first + i;
        report->rows[report->rows_count++] = (struct report_row){.instance = instance, .depth = depth};
        for (uint32_t f = core_frame_next_of(report->core, instance, CORE_NONE); f != CORE_NONE;
             f = core_frame_next_of(report->core, instance, f))
            add_frame(report, f, depth + 1);
    }
}

static int order_rows(struct report *report, struct orch_error *err)
{
    report->rows = malloc(((size_t)core_instance_count(report->core) + 1) * sizeof *report->rows);
    if (!report->rows) return error_memory(err);
    for (uint32_t f = 0; f < core_frame_count(report->core); f++)
        if (core_get_frame(report->core, f)->owner == CORE_NONE) add_frame(report, f, 0);
    return 0;
}

int report_open(const char *store_option, const char *run, struct report *ret, struct orch_error *err)
{
    struct report *report = ret;
    int64_t number;
    *report = (struct report){0};
    arena_init(&report->arena, NULL, 0);
    buf_init(&report->tree.text, NULL, 0);
    int r = cli_store_read(store_option, &report->arena, &report->store, err);
    if (!r) r = cli_run_number(report->store, run, &number, err);
    if (!r) r = engine_view_open(report->store, number, &report->view, err);
    if (r) return r;
    store_execution_id(number, report->id);
    report->now = clock_wall();
    report->owned = store_is_owned(report->store);
    report->core = engine_view_core(report->view);
    report->row = engine_view_row(report->view);
    core_get_summary(report->core, &report->summary);
    report->from = report->summary.started_at;
    report->tree.core = report->core;
    report->tree.now = report->now;
    report->tree.arena = &report->arena;
    r = gather_history(report, err);
    if (!r) r = order_rows(report, err);
    return r;
}

void report_close(struct report *report)
{
    report->view = engine_view_close(report->view);
    if (report->store) store_close(report->store);
    free(report->rows);
    free(report->spans);
    free(report->attempts);
    free(report->attempt_first);
    free(report->attempt_last);
    buf_done(&report->tree.text);
    arena_done(&report->arena);
    *report = (struct report){0};
}

struct orch_str report_path(struct report *report, uint32_t instance)
{
    buf_clear(&report->tree.text);
    core_path(report->core, instance, &report->tree.text);
    return buf_str(&report->tree.text);
}

/* ---- logs ---- */

struct tail {
    struct report_line *lines;
    uint64_t count;
    uint32_t count_max;
    struct arena *arena;
};

static int keep_line(void *user, orch_time at, char stream, struct orch_str line)
{
    struct tail *tail = user;
    (void)at;
    if (line.size > 4000) line.size = 4000;
    struct orch_str copy = arena_str(tail->arena, line);
    if (!copy.data) return ORCH_ERR_NO_MEMORY;
    tail->lines[tail->count++ % tail->count_max] = (struct report_line){.stream = stream, .text = copy};
    return 0;
}

uint32_t report_tail(struct report *report, uint32_t instance, uint32_t count_max, struct arena *arena,
                     struct report_line lines[REPORT_TAIL_MAX])
{
    const char *dir = store_path(report->store);
    struct report_line kept[REPORT_TAIL_MAX];
    struct tail tail = {.lines = kept, .arena = arena, .count_max = count_max < REPORT_TAIL_MAX ? count_max : REPORT_TAIL_MAX};
    uint32_t place = report->attempt_last[instance];
    if (!dir || place == CORE_NONE || tail.count_max == 0) return 0;
    const struct report_attempt *attempt = &report->attempts[place];
    struct buf file;
    buf_init(&file, NULL, 16384);
    logfile_path(str_from(dir), str_from(report->id), report_path(report, instance), attempt->generation, attempt->attempt, &file);
    /* A task that wrote nothing has no file; one whose file cannot be read has no lines to show. */
    if (!file.failed) (void)logfile_each(file.data, 0, NULL, keep_line, &tail, NULL);
    buf_done(&file);
    uint32_t count = tail.count < tail.count_max ? (uint32_t)tail.count : tail.count_max;
    for (uint32_t i = 0; i < count; i++) lines[i] = kept[(tail.count - count + i) % tail.count_max];
    return count;
}

void report_escape(struct orch_str text, struct buf *out)
{
    for (size_t at = 0; at < text.size;) {
        size_t begin = at;
        uint32_t c = utf8_next(text, &at);
        if (c == '&') buf_add_text(out, "&amp;");
        else if (c == '<') buf_add_text(out, "&lt;");
        else if (c == '>') buf_add_text(out, "&gt;");
        else if (c == '"') buf_add_text(out, "&quot;");
        else if (c == '\'') buf_add_text(out, "&#39;");
        else if (c == '\n' || c == '\t') buf_add_char(out, (char)c);
        /* Neither has XML characters for these; bidirectional overrides would show a text as another. */
        else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xfffe || c == 0xffff || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069)) continue;
        else if (c == 0xfffd) buf_add_text(out, "\xef\xbf\xbd");
        else buf_add(out, str_of(text.data + begin, at - begin));
    }
}
