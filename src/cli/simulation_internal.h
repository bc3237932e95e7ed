/*
 * simulation_internal.h - inside of the simulation: simulation.c lets a run go on, simulation_look.c looks at what
 * became of it.
 */
#ifndef CLI_SIMULATION_INTERNAL_H
#define CLI_SIMULATION_INTERNAL_H

#include "base/map.h"
#include "cli/simulation.h"
#include "sim/sim.h"

struct simulation_scope {
    uint32_t *rows; /* by task->number of the workflow; SIMULATION_ROW_NONE: not met yet */
    uint32_t count;
};

/* An execution of the run: the workflow's own, or a sub-workflow's. */
struct simulation_member {
    struct orch_str prefix; /* the path of its task with a "/"; empty for the workflow's own */
    struct simulation_scope *scope;
    int64_t parent;
    uint32_t parent_instance;
    uint64_t parent_fence;
    uint32_t *critical; /* rows, once it has ended */
    uint32_t critical_count;
    bool is_known, is_looked_at;
};

/* A state out of a journal. */
struct simulation_view {
    int64_t number;
    struct engine_view *view;
    struct simulation_view *next;
};

struct simulation {
    struct simulation_options options;
    struct arena arena;     /* as long as it lives */
    struct arena run_arena; /* as long as a run */
    struct arena diags_arena;
    struct orch_str normal; /* the definition once it was read */
    struct map rows;        /* path -> nothing; its place is the row */
    struct map scopes;      /* stripped prefix -> struct simulation_scope */
    struct map files;       /* path -> struct orch_str: sub-workflows are read once */
    struct map asked;       /* path -> how often, in this run */
    struct buf path, stripped;
    struct simulation_task *tasks; /* by row */
    uint32_t tasks_capacity;
    struct simulation_member *members; /* by number of execution */
    uint32_t members_capacity;
    /* of the run */
    struct sim *sim;
    struct simulation_view *views;
    uint64_t seed;
    int64_t root;
    uint64_t appends, crash_append; /* the append in the middle of which it is killed; 0: none */
    orch_time crash_at;             /* 0: not */
    uint32_t crashes;
    bool is_pilot; /* nothing is told: it is run again, with a crash */
    bool is_over, is_down;
    struct simulation_result result;
    struct orch_error err; /* of a hook: the run is given up */
};

/* An execution's state: of the engine while it is loaded, else out of its journal. NULL when neither can be had. */
const struct core *simulation_core(struct simulation *s, int64_t number);
/* Who a number is: found out once it is durable. NULL when it cannot be. Moves when another is asked for. */
struct simulation_member *simulation_member_of(struct simulation *s, int64_t number);
/* The row of an instance; SIMULATION_ROW_NONE when memory is short. */
uint32_t simulation_row_of(struct simulation *s, const struct simulation_member *member, const struct core *core,
                           uint32_t instance);
/* Counts what a transition tells of its task. False when memory is short. */
bool simulation_count(struct simulation *s, const struct simulation_member *member, const struct core *core,
                      const struct core_transition *transition);
/* Counts again from the journals: what was recorded in the last moment of a life was told to nobody. */
int simulation_recount(struct simulation *s, struct orch_error *err);
/* An execution has ended: counts its tasks, and finds what made it last as long as it did. 0 or ORCH_ERR_NO_MEMORY. */
int simulation_look(struct simulation *s, int64_t number);
/* Nothing goes on any more, and it has not ended. */
int simulation_look_stuck(struct simulation *s, struct orch_error *err);

#endif
