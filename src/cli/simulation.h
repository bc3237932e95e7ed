/*
 * simulation.h - a workflow in a made-up world, once for each seed: nothing is run for real, nothing is written.
 *
 * The engine is the real one; how each task goes is asked of whoever makes the simulation. One seed gives one run, the
 * same every time, whatever was run before.
 */
#ifndef CLI_SIMULATION_H
#define CLI_SIMULATION_H

#include "engine/engine.h"

struct simulation;

#define SIMULATION_ROW_NONE UINT32_MAX

/* What is about to go on: an attempt of a program, or a person or event that is waited for. */
struct simulation_question {
    uint64_t seed;
    struct orch_str path;  /* from the outermost run in: "regions[2]/fetch"; of a sub-workflow: behind its task's */
    uint32_t row;          /* the task of the definition: simulation_path */
    enum action_kind kind; /* APPROVAL, WAIT for an event, or what a provider carries out */
    uint32_t attempt;      /* how often it was asked about this path in this run: 1 is the first */
    const struct action_attempt *program; /* NULL for an approval or event */
    struct arena *arena;                  /* for the answer; lives until the end of the attempt, or for the call */
};

struct simulation_answer {
    orch_time duration;   /* ORCH_TIME_NEVER: it hangs; nobody answers; the event does not come */
    enum failure failure; /* FAILURE_NONE, _EXIT, _SIGNAL, _ERROR, _PERMANENT or _START; any: an approval is refused */
    int32_t exit_code, signal;   /* 0: the usual */
    struct orch_str error;       /* empty: the usual */
    struct orch_str output;      /* JSON text or empty; of an event: its data */
    struct orch_str by, comment; /* of an approval; comment: a JSON string */
};

struct simulation_options {
    struct orch_str text, file; /* the definition */
    struct value parameters;    /* complete */
    orch_time wall;             /* when each run begins */
    uint32_t jobs;
    double crash;         /* the chance that orch is killed in a run, once, at any moment of it */
    orch_time clock_jump; /* while it is down the clock jumps by anything up to this, back or forth */
    void (*ask)(void *user, const struct simulation_question *question, struct simulation_answer *ret);
    /* Each transition once it is durable, with the time since the run began; prefix: the path of the sub-workflow's
     * task with a "/", or empty. May be NULL. */
    void (*tell)(void *user, orch_time at, struct orch_str prefix, const struct core *core,
                 const struct core_transition *transition);
    /* The orchestrator is killed, or up again. May be NULL. */
    void (*tell_crash)(void *user, orch_time at, bool is_up);
    /* As in engine_world; NULL: the machine's. */
    const char *(*environment)(void *user, const char *name);
    int (*read_file)(void *user, const char *path, size_t size_max, struct arena *arena, struct orch_str *ret,
                     struct orch_error *err);
    void *user;
};

/* What became of one task of the definition in a run; of a loop's task all items together. */
struct simulation_task {
    uint32_t ran; /* how often it came to run */
    uint32_t attempts, retries, lost;
    uint32_t failed, timed_out, skipped;
    uint32_t undo_began, undone; /* its compensation */
    bool is_critical;            /* on the chain of tasks that made the run last as long as it did */
    uint32_t timed;              /* of those that ran, how many have a duration: none when the clock jumped */
    orch_time busy;              /* of those, from the first attempt to the end */
    orch_time ended_at;          /* since the run began; of the last */
    orch_time started_at;        /* likewise; of the first */
    uint8_t state;               /* of the last to end, a task_state */
};

struct simulation_result {
    uint64_t seed;
    enum execution_state state; /* when it came to an end */
    bool is_stuck;              /* it never ends: what it waits for does not come */
    bool is_evaluation;         /* an expression failed: perhaps for want of an output */
    orch_time makespan;
    uint32_t crashes;
    struct orch_str reason;              /* of a bad end, the same for those that are alike; may be empty */
    struct orch_str output;              /* JSON text */
    const struct simulation_task *tasks; /* by row */
    uint32_t tasks_count;
};

/* Reads nothing yet. NULL when memory is short. */
struct simulation *simulation_new(const struct simulation_options *options);
struct simulation *simulation_free(struct simulation *simulation);
/*
 * One run. Findings of the text go to diags, when it is not NULL. The result lives until the next run. Not for a
 * definition that does not end within 10 million steps (ORCH_ERR_LIMIT).
 */
int simulation_run(struct simulation *simulation, uint64_t seed, struct diags *diags, struct simulation_result *ret,
                   struct orch_error *err);

/* The tasks that were met so far; their numbers stay. "regions/fetch": without items and iterations. */
uint32_t simulation_row_count(const struct simulation *simulation);
struct orch_str simulation_path(const struct simulation *simulation, uint32_t row);
/* "regions[2]/fetch#3" to "regions/fetch"; at most as long. */
void simulation_strip(struct orch_str path, struct buf *out);

/* 64 bits that follow from three numbers, and a number in [0, 1) from those. */
uint64_t simulation_mix(uint64_t a, uint64_t b, uint64_t c);
double simulation_unit(uint64_t bits);

#endif
