/*
 * report.h - an execution as a report tells of it: its tasks in order, every attempt there was, and what each task did
 * when. Read from the store; nothing is run.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/tree.h"

/* What a task was doing for a while. */
#define REPORT_SPAN_LIST(X)                                                      \
    X(QUEUED, "queued")    /* it might have begun, and had to wait its turn */    \
    X(RUNNING, "running")  /* an attempt */                                       \
    X(BLOCK, "inside")     /* of a group or loop: what is in it ran or waited */  \
    X(RETRY, "retry")      /* the wait before the next try */                     \
    X(PERSON, "approval")  /* a person's answer, or an event, was waited for */   \
    X(TIMER, "timer")      /* a moment was waited for */                          \
    X(UNDO, "undo")        /* its compensation */
enum report_span_kind {
#define REPORT_SPAN_ENUM(name, text) REPORT_##name,
    REPORT_SPAN_LIST(REPORT_SPAN_ENUM)
#undef REPORT_SPAN_ENUM
};
#define REPORT_SPAN_COUNT 7
const char *report_span_to_string(enum report_span_kind kind);

struct report_span {
    uint32_t instance;
    uint8_t kind;
    uint8_t outcome;   /* enum task_state the attempt or block ended in; RUNNING: it goes on, or it says nothing */
    uint32_t attempt;  /* RUNNING: which one */
    orch_time from, to; /* to: now, of what goes on */
};

struct report_attempt {
    uint32_t instance, generation, attempt;
    uint32_t next;     /* place of the same instance's next attempt; CORE_NONE */
    uint8_t state;     /* enum task_state: RUNNING, SUCCEEDED, FAILED, TIMED_OUT, CANCELLED */
    uint8_t failure;
    int32_t exit_code, signal;
    orch_time started_at, ended_at; /* ended_at 0: under way, or nobody knows how it ended */
    uint64_t cpu_us, memory_peak;
    struct orch_str error;
};

/* A line of the report: a task, and how deep it is. */
struct report_row {
    uint32_t instance;
    uint32_t depth;
};

struct report {
    struct arena arena;
    struct store *store;
    struct engine_view *view;
    const struct core *core;
    const struct store_execution *row;
    struct core_summary summary;
    char id[20];
    bool owned;        /* a process runs it */
    orch_time now;
    orch_time from, to; /* of all that is told */
    struct report_row *rows; /* in the order of the tree; what a retry of its group replaced is left out */
    uint32_t rows_count;
    struct report_span *spans; /* by time of their end */
    uint32_t spans_count, spans_capacity;
    struct report_attempt *attempts; /* by time of their start */
    uint32_t attempts_count, attempts_capacity;
    uint32_t *attempt_first, *attempt_last; /* of each instance; CORE_NONE */
    struct cli_tree tree; /* for JSON and paths */
};

/* @param run  an id, "last" or NULL */
int report_open(const char *store_option, const char *run, struct report *ret, struct orch_error *err);
void report_close(struct report *report); /* a zeroed one is fine */

/* The path of an instance; valid until the next call. */
struct orch_str report_path(struct report *report, uint32_t instance);
/* The last lines of an instance's latest attempt that wrote any, oldest first; how many there were. Texts in the arena given. */
#define REPORT_TAIL_MAX 20
struct report_line {
    char stream;
    struct orch_str text;
};
uint32_t report_tail(struct report *report, uint32_t instance, uint32_t count_max, struct arena *arena,
                     struct report_line lines[REPORT_TAIL_MAX]);

/* Text in XML or HTML: made harmless, and its control characters left out. */
void report_escape(struct orch_str text, struct buf *out);

/* The forms. Failure for want of memory shows in out->failed; 0, or an error of the store. */
int export_text(struct report *report, struct buf *out, struct orch_error *err);
int export_json(struct report *report, struct buf *out, struct orch_error *err);
int export_junit(struct report *report, struct buf *out, struct orch_error *err);
int export_html(struct report *report, struct buf *out, struct orch_error *err);

#endif
