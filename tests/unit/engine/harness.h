/*
 * harness.h - a world for the engine: definitions in YAML, C functions that tell what they see, a store in memory or in
 * a folder that goes away, and what the observer was told, as text.
 */
#ifndef TEST_ENGINE_HARNESS_H
#define TEST_ENGINE_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"
#include "store/internal.h"

/* One execution that has ended. Texts are the C library's. */
struct ended {
    int64_t number;
    char id[20];
    enum execution_state state;
    uint32_t generation;
    uint64_t digest; /* of its state */
    char *error, *output;
    char *tasks; /* " a=succeeded group/b=failed " */
    struct ended *next;
};

/* A count that functions share, by key. */
struct tally {
    char key[32];
    int now, max, total;
    bool is_open; /* as a gate */
    struct tally *next;
};

struct world {
    char folder[64]; /* made; definitions, and the store when it is on disk */
    char store_path[80];
    bool on_disk;
    struct engine_options options; /* for world_open */
    struct engine *engine;
    struct action_functions *functions;
    uv_timer_t watch; /* so that a test which hangs fails by itself */
    bool is_watched;
    orch_time give_up_at;

    struct ended *ended; /* latest first */
    int ended_count;
    struct buf trace; /* a line for each transition: "r-.... path event state" */
    struct buf log;   /* a line for each line of a task */
    struct buf progress;
    int troubles;
    struct orch_error trouble;
    /* Asked for each transition once it is durable; may be NULL. */
    void (*on_transition)(struct world *world, struct engine_execution *execution,
                          const struct core_transition *transition);
    void (*on_ended)(struct world *world, struct engine_execution *execution);
    void *user;

    pthread_mutex_t lock; /* of what follows: functions run on other threads */
    pthread_cond_t changed;
    struct tally *tallies;
    char order[4096]; /* what `note` was called with, "a b c " */
};

enum world_kind { WORLD_MEMORY, WORLD_DISK };

/* Makes folder and functions. Change world->options, then world_open. */
void world_init(struct world *world, enum world_kind kind);
void world_open(struct world *world);
/* Closes the engine; the store stays for another world_open. */
void world_close(struct world *world);
void world_done(struct world *world);
/* world_init and world_open. */
void world_new(struct world *world, enum world_kind kind);

/* Writes a file into the folder, for sub-workflows. */
void world_file(const struct world *world, const char *name, const char *text);
/* Starts a definition; parameters are JSON, NULL for none. Fails the test when it cannot. */
struct engine_execution *world_start(struct world *world, const char *yaml, const char *parameters);
/* The same, and what engine_load or engine_start says. */
int world_try(struct world *world, const char *yaml, const char *parameters, struct engine_execution **ret,
              struct orch_error *err);
/* Runs until nothing is loaded any more. */
void world_run(struct world *world);
/* Runs until the condition holds. */
void world_until(struct world *world, bool (*holds)(struct world *world));
/* Runs until the trace holds a text. */
void world_until_trace(struct world *world, const char *text);
/* Runs until so many executions have ended since the world was made. */
void world_until_ended(struct world *world, int count);
/* Starts, runs, and gives the end of it. */
const struct ended *world_play(struct world *world, const char *yaml, const char *parameters);
const struct ended *world_ended(const struct world *world, int64_t number);
/* What must hold when nothing is loaded: nothing is held, nothing waits, nothing is left. */
void world_check_idle(struct world *world);

struct tally *world_tally(struct world *world, const char *key); /* lock not held */
void world_open_gate(struct world *world, const char *key);
int world_count(struct world *world, const char *key);

/* `expected`: tokens "path=state", each of which must be there. Fails with both texts. */
void expect_tasks(const char *name, const struct ended *ended, const char *expected);
int count_text(const char *text, const char *needle);
/*
 * A store that does not do what it should: put in front of the engine's by world_fault, for the life of the engine.
 */
enum fault {
    FAULT_NONE,
    FAULT_HOLD,   /* what was handed in is not told of until the fault ends */
    FAULT_FULL,   /* each append ends with ORCH_ERR_FULL; nothing is written */
    FAULT_IO,     /* the next append, and all after it, end with ORCH_ERR_IO; nothing is written */
    FAULT_REFUSE, /* appends are not taken at all */
};
struct fault_store {
    struct store_methods methods;
    const struct store_methods *real;
    enum fault fault;
    uint32_t after; /* so many appends go well first */
    uint32_t appends;
    struct {
        void (*done)(void *user, int status);
        void *user;
        int status;
    } due[16];
    uint32_t due_count;
};
extern struct fault_store the_fault;
void world_fault(struct world *world, enum fault fault, uint32_t after);

/* Runs fn in a process of its own that is killed (SIGKILL, by itself) or ends; returns how it ended, as waitpid says.
 */
int in_child(struct world *world, void (*fn)(struct world *world));

#endif
