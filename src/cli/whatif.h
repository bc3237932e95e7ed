/*
 * whatif.h - what another version of a definition would have made of a run.
 *
 * whatif_history.c reads what the run's journal knows of each attempt; whatif.c lets the old and the new definition go
 * through it in virtual time, and whatif_report.c tells where they part.
 */
#ifndef CLI_WHATIF_H
#define CLI_WHATIF_H

#include "base/map.h"
#include "cli/cli.h"
#include "cli/simulation.h"

/* ---- what is recorded ---- */

/* An attempt whose result is known; or an answer, or an event. */
struct whatif_attempt {
    struct orch_str action; /* rendered, as whatif_action makes it; empty for answers and events */
    struct simulation_answer answer;
};

struct whatif_task {
    struct orch_str path; /* from the outermost run in */
    struct whatif_attempt *attempts;
    uint32_t count, capacity;
    struct orch_str open_action; /* of the one under way */
    orch_time open_at;
    bool is_open, is_wait;
    bool is_over; /* it had ended */
};

struct whatif_history {
    struct store *store;
    struct arena arena;
    struct map tasks; /* path -> struct whatif_task */
    struct store_execution row;
    struct orch_str normal;      /* the definition it was started with */
    struct value started;        /* what was recorded of the start: parameters, env, subworkflows */
    struct core_summary summary; /* at the moment; texts in the arena */
    orch_time started_at, at;    /* when it began; the moment */
    uint64_t sequence, last;
    struct orch_str stopped_by; /* who had it stopped until then; empty: nobody */
};

/* Reads an execution and those of its sub-workflows up to a transition; UINT64_MAX: all of it. Also what failed must be
 * given to whatif_history_done. */
int whatif_history_read(struct whatif_history *history, struct store *store, int64_t number, uint64_t sequence,
                        struct orch_error *err);
void whatif_history_done(struct whatif_history *history);
/* NULL when nothing is recorded of it. */
struct whatif_task *whatif_history_find(const struct whatif_history *history, struct orch_str path);

/* A rendered action as JSON text, without what differs between any two runs: the execution's id. Empty when memory is
 * short. */
struct orch_str whatif_action(struct value config, struct value env, struct orch_str execution_id, struct arena *arena);
/* What differs between two of them: "shell, env DAY". */
void whatif_action_difference(struct orch_str before, struct orch_str after, struct arena *arena, struct buf *out);

/* ---- what would become of it ---- */

/* A task on one side: under the old definition, or the new one. */
struct whatif_outcome {
    struct orch_str path;
    bool ran;
    uint8_t state, reason;      /* enum task_state, enum reason; of a task that ended */
    orch_time begin, end;       /* since the run began */
    uint32_t order;             /* of its begin among all */
    uint32_t taken;             /* attempts whose recorded result was taken */
    uint32_t fresh;             /* attempts made up */
    struct orch_str difference; /* of its action from the recorded one; empty: none */
    struct orch_str error;
};

struct whatif_side {
    struct map outcomes; /* path -> struct whatif_outcome */
    uint32_t ran;
    struct simulation_result result; /* texts in the arena; tasks NULL */
};

struct whatif {
    struct arena arena;
    struct whatif_history history;
    const struct workflow *workflow; /* the new one */
    const char *file;
    struct whatif_side before, after;
};

/* As JSON, or text. Without `all` lists are cut. */
void whatif_report(const struct whatif *whatif, bool json, bool all, struct buf *out);

struct whatif_options {
    const char *file;              /* the other version */
    uint64_t sequence;             /* from here on; UINT64_MAX: the end */
    struct option_list parameters; /* over the recorded ones */
    uint32_t jobs;
    bool json, all;
};
/* Prints; 0, an error, or the exit code of findings. */
int whatif_run(const struct whatif_options *options, struct store *store, int64_t number, struct orch_error *err);

#endif
