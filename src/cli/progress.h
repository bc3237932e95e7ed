/*
 * progress.h - inside of progress: what the ways of showing a run share.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <uv.h>

#include "cli/cli.h"

#define PROGRESS_FAILED_MAX 20  /* failed tasks that the end names */
#define PROGRESS_TAIL 3         /* last lines of each */

struct progress_failed {
    uint32_t instance;
    struct orch_str path;
    struct orch_str error;
    uint32_t attempts;
    uint32_t line, column; /* of the task in its file */
};

/* An execution that is shown: one that this process carries out, or one that another does, read from its journal. */
struct progress_run {
    struct engine_execution *engine; /* NULL: another's */
    const struct core *core;
    const char *id;
};
/* The time its transitions are told in; of none, now. */
orch_time progress_now(const struct progress_run *run);

/* One way of showing. Functions may be NULL. */
struct progress_view {
    void (*begin)(struct progress *progress, bool resumed);
    void (*transition)(struct progress *progress, const struct progress_run *execution, uint64_t seq, const struct core_transition *transition);
    void (*log)(struct progress *progress, const struct progress_run *execution, uint32_t instance, uint32_t attempt, enum log_stream stream, struct orch_str line);
    void (*progress)(struct progress *progress, const struct progress_run *execution, uint32_t instance, double fraction, struct orch_str text);
    void (*say)(struct progress *progress, const char *text);
    void (*end)(struct progress *progress, const struct progress_run *execution);
    void (*close)(struct progress *progress); /* before the closing words: restores the terminal */
};

extern const struct progress_view progress_tty_view, progress_plain_view, progress_jsonl_view, progress_quiet_view;

struct progress {
    const struct progress_view *view;
    enum progress_mode mode;
    uv_loop_t *loop;
    struct store *store;
    bool watched;             /* another process carries it out */
    struct progress_run run;  /* the one that was begun */
    const struct progress_run *execution; /* it; NULL before and after */
    char id[20];
    struct arena arena;
    struct orch_str workflow;
    orch_time started_at;     /* of this process's part: what lines count from */
    orch_time begun_at;       /* of the execution */
    bool ended, announced;
    enum execution_state state;
    struct core_summary last; /* when it ended; its texts are not valid any more */
    uint32_t blocks_failed, blocks_allowed; /* groups and loops that failed by themselves, not of a task in them */
    uint32_t not_started;     /* leaves skipped because of a failure or a stop */
    struct orch_str error;
    struct progress_failed *failed;
    uint32_t failed_count;    /* counts those beyond PROGRESS_FAILED_MAX too */
    struct buf text;          /* for one line */
    void *own;                /* the view's */
};

/* Of a run that is watched, its core folded by whoever watches: begin, what becomes of it (in the state already), its end. */
void progress_begin_watched(struct progress *progress, uv_loop_t *loop, struct store *store, const struct core *core, const char *id);
void progress_told(struct progress *progress, uint64_t sequence, const struct core_transition *transition);
void progress_told_log(struct progress *progress, uint32_t instance, uint32_t attempt, enum log_stream stream, struct orch_str line);
void progress_told_end(struct progress *progress);

/* "clean[183]" of an instance; valid until the next call. A child execution's tasks are preceded by the task that started it: not resolved here, by its id. */
struct orch_str progress_path(struct progress *progress, const struct progress_run *execution, uint32_t instance);
/* "00:08.3": since the run was shown first. */
void progress_clock(const struct progress *progress, struct buf *out);
/* "exit=75", "signal=SIGSEGV", "timeout", or the error's first words. */
void progress_reason(const struct core_transition *transition, struct buf *out);

#endif
