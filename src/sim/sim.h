/*
 * sim.h - the real engine in a world that is made up: time that is told, a disk that is slow, full or lost, programs
 * that are only said to run. One thread; the same answers of the hooks give the same bytes.
 *
 * A world lives longer than the engines in it: sim_open begins a life of the orchestrator on what the disk holds,
 * sim_crash ends it as kill -9 would. What happens is decided by hooks; chance is theirs.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "engine/engine.h"

struct sim;

/* How one attempt of a task goes. */
struct sim_attempt {
    orch_time duration;      /* microseconds until it ends by itself; ORCH_TIME_NEVER: it hangs */
    enum failure failure;    /* how it ends then: FAILURE_NONE, _EXIT, _SIGNAL, _ERROR or _PERMANENT */
    int32_t exit_code;       /* of FAILURE_EXIT; 0: 1 */
    int32_t signal;          /* of FAILURE_SIGNAL; 0: SIGSEGV */
    struct orch_str error;   /* of a failure; empty: what is usual. Lives until the attempt is over */
    struct orch_str output;  /* JSON text, or empty; lives until the attempt is over */
    orch_time stop_duration; /* from being asked to stop until it obeys; the grace at most, then it is killed */
    bool is_refused;         /* it cannot even be started */
};

/* What becomes of one append. */
struct sim_append {
    orch_time latency; /* microseconds until it is durable, or has failed */
    /* 0; ORCH_ERR_FULL: nothing was written; ORCH_ERR_IO: the sync failed, and the store can write no more. */
    int status;
    bool is_kept; /* with ORCH_ERR_IO, or when the crash comes before it is durable: the disk has it all the same */
};

struct sim_hooks {
    void *user;
    /* Asked when a program is to be started: its attempt is durable already. */
    void (*attempt)(void *user, const struct action_attempt *attempt, struct sim_attempt *ret);
    /* A program was started; it is over (also by a crash). May be NULL. */
    void (*attempt_began)(void *user, const struct action_attempt *attempt);
    void (*attempt_ended)(void *user, const struct action_attempt *attempt, bool by_crash);
    /* Asked when an append is handed in. NULL: durable after a millisecond. */
    void (*append)(void *user, struct sim_append *ret);
    /* Entries have reached the disk, before the engine is told. May be NULL. */
    void (*durable)(void *user, const struct store_entry *entries, uint32_t count);
    /* As in engine_world; NULL: nothing is set, no file is there. */
    const char *(*environment)(void *user, const char *name);
    int (*read_file)(void *user, const char *path, size_t size_max, struct arena *arena, struct orch_str *ret,
                     struct orch_error *err);
};

struct sim_options {
    struct sim_hooks hooks;
    uint64_t mark;  /* of the store: what the engine draws (jitter) follows from it */
    orch_time wall; /* the wall clock at the beginning */
    uint32_t jobs;  /* as engine_options */
    orch_time grace_us;
    struct engine_observer observer; /* of each life */
};

/* NULL when memory is short. */
struct sim *sim_new(const struct sim_options *options);
/* Ends the life there is as a crash does. */
struct sim *sim_free(struct sim *sim);

int sim_open(struct sim *sim, struct orch_error *err);
/* The engine of this life; NULL between lives. */
struct engine *sim_engine(struct sim *sim);
/* Ends this life as kill -9 would: at once between steps, or, called from within a hook or an observer, before anything
 * else is done. */
void sim_crash(struct sim *sim);
/* True once sim_crash was called, until the next sim_open: nobody sees what is still called then. */
bool sim_is_crashed(const struct sim *sim);

/* Microseconds since the world was made; goes on between lives. */
orch_time sim_now(const struct sim *sim);
/* The wall clock jumps; who is up does not notice, the next life does. */
void sim_jump_wall(struct sim *sim, orch_time by);
/* Calls fn at a time (now, when it is past), with what was told. False when memory is short. */
bool sim_at(struct sim *sim, orch_time at, void (*fn)(void *user, uint64_t argument), void *user, uint64_t argument);

/*
 * Goes on: does what is due now, or moves the time to what is due next. Returns 1; 0 when nothing will ever happen by
 * itself any more; or the error the engine's life has ended with (the world then waits for the next sim_open).
 */
int sim_step(struct sim *sim, struct orch_error *err);

/* Ends programs that hang, and lets those that are slow end soon. */
void sim_end_hangs(struct sim *sim, orch_time within);
/* Programs under way. */
uint32_t sim_running(const struct sim *sim);
/* What is durable, whether a life is under way or not. For reading. */
struct store *sim_durable(struct sim *sim);

#endif
