/*
 * engine.h - the shell around the core: turns what happens into inputs, has the transitions recorded, then acts on
 * them.
 *
 * One thread, one libuv loop. At most one append is under way at a time; what happens meanwhile goes into the next, so
 * many executions share a sync. Nothing is started, stopped, answered or shown before its transition is durable.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "actions/action.h"
#include "core/core.h"
#include "store/store.h"

struct engine;
struct engine_version;   /* a definition that was read and checked, with the sub-workflows it names; counted */
struct engine_execution; /* one that is loaded; the engine owns it; valid until its `ended` was observed and the
                            callback returned, unless kept */

/* What goes on, told on the loop's thread after it is durable. Any function may be NULL. */
struct engine_observer {
    /* Transitions of one execution, in order; first_seq is the number of the first. The state already contains these
     * and perhaps later ones. */
    void (*transitions)(void *user, struct engine_execution *execution, uint64_t first_seq,
                        const struct core_transition *items, uint32_t count);
    /* A line that a task wrote, masked, as it stands in the attempt's log. */
    void (*log)(void *user, struct engine_execution *execution, uint32_t instance, uint32_t attempt,
                enum log_stream stream, struct orch_str line);
    void (*progress)(void *user, struct engine_execution *execution, uint32_t instance, double fraction,
                     struct orch_str text);
    /* An execution is over and durable; it is freed after this returns. */
    void (*ended)(void *user, struct engine_execution *execution);
    /* The store can write no more (ORCH_ERR_IO, ...): the engine stops what runs; engine_run returns the error.
     * ORCH_ERR_FULL: it waits and tries again. Also told of a log that cannot be written, which stops nothing. */
    void (*trouble)(void *user, const struct orch_error *err);
    void *user;
};

/*
 * The engine's surroundings when they are not the machine's: time, disk, programs and environment come from here, and
 * the engine has no loop, thread or file of its own. Whoever made the world calls engine_turn. For simulation.
 */
struct engine_world {
    orch_time (*monotonic)(void *user); /* never goes back */
    orch_time (*wall)(void *user);      /* since 1970 UTC; asked when the engine is opened */
    struct store *store;                /* taken over by engine_open, also when that fails */
    const struct action_provider *provider; /* carries out all kinds it names; its `open` is not called */
    void *provider_context;
    const char *(*environment)(void *user, const char *name); /* NULL: not set. Secrets come from here too */
    /* Definitions of sub-workflows; as file_read. */
    int (*read_file)(void *user, const char *path, size_t size_max, struct arena *arena, struct orch_str *ret,
                     struct orch_error *err);
    void *user;
};

struct engine_options {
    const struct engine_world *world; /* copied; NULL: the machine's. With it store_path, no_sync, reserve_size,
                                         functions, control and secrets_dir are not looked at */
    const char *store_path; /* NULL: in memory */
    bool no_sync;
    uint64_t reserve_size; /* bytes of disk kept back so that what runs can be recorded when the disk is full; nothing
                              new is started then. 0: none */
    uint32_t jobs;         /* processes and functions at once; 0: engine_jobs_default() */
    orch_time grace_us;    /* between SIGTERM and SIGKILL; 0: 10 s */
    uint32_t threads;      /* of functions; 0: as many as jobs */
    const struct orch_allocator *allocator; /* of executions and their states; borrowed; NULL: the C library's */
    struct action_functions *functions; /* borrowed; or NULL */
    struct engine_observer observer;
    bool control;            /* answer on the Unix socket in the store's directory */
    const char *secrets_dir; /* files named like secrets; or NULL */
    bool record_only;        /* record commands, start nothing: what is ready stays so for whoever runs it next */
};

/* The number of processors, at least 4. */
uint32_t engine_jobs_default(void);
int engine_open(const struct engine_options *options, struct engine **ret, struct orch_error *err);
/*
 * Records what was decided, tells those who wait for it (engine_done), stops what runs (attempts stay "under way" in
 * the journal: a later resume finds them lost), closes. The observer is told nothing any more. Not from within a
 * callback. Waits for functions that do not return.
 */
struct engine *engine_close(struct engine *engine);
struct uv_loop_s *engine_loop(struct engine *engine); /* not of one in a world of its own */
struct store *engine_store(struct engine *engine);
orch_time engine_now(const struct engine *engine);
/* Runs the loop until done(user) is true (asked after each turn), or nothing is left to do. Returns 0, or the store's
 * error. */
int engine_run(struct engine *engine, bool (*done)(void *user), void *user, struct orch_error *err);
/* Does what is at hand and does not wait, for whoever waits on the loop's descriptor himself. Returns as engine_run. */
int engine_poll(struct engine *engine, struct orch_error *err);

/*
 * Of an engine in a world of its own: does what is due, and hands over what was gathered. When nothing more can be done
 * before time passes or the world changes, engine_due says when it is next due by itself (of engine_now's time), or
 * ORCH_TIME_NEVER. Returns the store's error once it has failed.
 */
int engine_turn(struct engine *engine, struct orch_error *err);
orch_time engine_due(const struct engine *engine);
/*
 * Ends it as kill -9 would: nothing more is recorded, decided or told; not even those who wait for a command's answer.
 */
struct engine *engine_crash(struct engine *engine);

/*
 * Reads a definition and the sub-workflows it names (a path, or a name: <name>.yaml, .yml, .json beside it). Also
 * checks what needs the engine: pools, functions, providers. Errors of the text go to diags; those of a sub-workflow's
 * text become one error that names the file.
 *
 * @param file  as the user gave it: for messages and base directory
 */
int engine_load(struct engine *engine, struct orch_str text, struct orch_str file, struct diags *diags,
                struct engine_version **ret, struct orch_error *err);
/*
 * What an execution in the store was started with: its definition and the sub-workflows pinned with it. No file is read.
 */
int engine_load_recorded(struct engine *engine, int64_t number, struct engine_version **ret, struct orch_error *err);
struct engine_version *engine_version_unref(struct engine_version *version);
const struct workflow *engine_version_workflow(const struct engine_version *version);

struct engine_start {
    struct engine_version *version; /* the engine takes its own reference */
    struct value parameters;        /* complete: workflow_parameters */
    struct orch_str by;
    struct orch_str file; /* for `run --continue`; may be empty */
};
/*
 * Starts an execution. Its number and id are known at once; it is durable when its first transitions are observed.
 * Secrets, pools and providers are checked before. ORCH_ERR_FULL while the disk is full (store_is_short).
 */
int engine_start(struct engine *engine, const struct engine_start *start, struct engine_execution **ret,
                 struct orch_error *err);
/*
 * Takes up an execution that is alive in the store but not loaded (after a crash). Its children come along. On failure
 * nothing has changed. ORCH_ERR_STATE when it is finished; ORCH_ERR_CORRUPT when its journal cannot be read;
 * ORCH_ERR_NOT_FOUND for a secret that is not set any more; ...
 */
int engine_resume(struct engine *engine, int64_t number, struct engine_execution **ret, struct orch_error *err);
/*
 * Makes a finished execution run again: what failed and what follows, or from one task (a path) on. One that was
 * interrupted is taken up; tasks that are held go on. A sub-workflow is refused (ORCH_ERR_STATE), unless it runs and
 * has held tasks: run its parent again, which runs its failed ones anew.
 */
int engine_retry(struct engine *engine, int64_t number, struct orch_str from_path, struct orch_str by,
                 struct engine_execution **ret, struct orch_error *err);

/*
 * A command to a loaded execution. Returns an error when it makes no sense now; else it is recorded, and `done` (may be
 * NULL) is called exactly once: with 0 when that is durable, with an error when the store fails before (at the latest
 * by engine_close).
 */
typedef void (*engine_done)(void *user, int status);
int engine_cancel(struct engine *engine, struct engine_execution *execution, struct orch_str by, struct orch_str reason,
                  engine_done done, void *user, struct orch_error *err);
int engine_pause(struct engine *engine, struct engine_execution *execution, struct orch_str by, engine_done done,
                 void *user, struct orch_error *err);
int engine_unpause(struct engine *engine, struct engine_execution *execution, struct orch_str by, engine_done done,
                   void *user, struct orch_error *err);
/* path empty: the only approval that waits (ORCH_ERR_USAGE when there are several: the hint lists them). */
int engine_approve(struct engine *engine, struct engine_execution *execution, struct orch_str path, bool approved,
                   struct orch_str by, struct orch_str comment, engine_done done, void *user, struct orch_error *err);
int engine_signal(struct engine *engine, struct engine_execution *execution, struct orch_str name,
                  struct orch_str data_json, struct orch_str by, engine_done done, void *user, struct orch_error *err);
/*
 * An attempt's end from somewhere that may be late or say it twice: counts only when the fence is the one of the attempt
 * under way. ORCH_ERR_STATE otherwise, and nothing has changed.
 */
int engine_report(struct engine *engine, struct engine_execution *execution, uint32_t instance, uint64_t fence,
                  const struct action_result *result, struct orch_error *err);
/* Kills what runs in an execution without waiting for the grace (second Ctrl-C). */
void engine_hasten(struct engine *engine, struct engine_execution *execution);
/* Whether there is no room for the store: what was decided waits to be recorded, also a cancel. */
bool engine_is_stalled(const struct engine *engine);

struct engine_execution *engine_find(struct engine *engine, int64_t number); /* loaded ones; or NULL */
uint32_t engine_count(const struct engine *engine);                          /* loaded ones */
/* Looking at one; borrowed. */
const struct core *engine_execution_core(const struct engine_execution *execution);
/* The time its transitions are told in: engine_now, or ahead of it after a wall clock went back between two lives. */
orch_time engine_execution_now(const struct engine_execution *execution);
int64_t engine_execution_number(const struct engine_execution *execution);
const char *engine_execution_id(const struct engine_execution *execution);
/* What an instance's running attempt last said of its progress; false when nothing. */
bool engine_execution_progress(const struct engine_execution *execution, uint32_t instance, double *ret_fraction,
                               struct orch_str *ret_text);
/* Which limit holds a ready instance up, as a text ("jobs 4/4", "pool gpu 1/1"); false when none does. */
bool engine_execution_blocked(const struct engine_execution *execution, uint32_t instance, struct buf *out);

/*
 * Looking at an execution in a store without running it: the state folded from its journal. Everything lives until
 * view_close.
 */
struct engine_view;
#define ENGINE_VIEW_SECRET "orch-made-up-secret" /* what core_render has for each secret here: their values are not looked at */
int engine_view_open(struct store *store, int64_t number, struct engine_view **ret, struct orch_error *err);
/* The same as it stood after so many transitions; 0: before the first. ORCH_ERR_NOT_FOUND when there were never so many. */
int engine_view_open_at(struct store *store, int64_t number, uint64_t sequence, struct engine_view **ret,
                        struct orch_error *err);
/*
 * Goes on to a later point, or to the end when that comes first. fn, when there is one, is told each transition once it
 * is in the state, and ends it there by returning false.
 */
int engine_view_advance(struct engine_view *view, uint64_t sequence,
                        bool (*fn)(void *user, uint64_t sequence, const struct core_transition *transition), void *user,
                        struct orch_error *err);
uint64_t engine_view_sequence(const struct engine_view *view); /* of the latest transition in the state */
uint64_t engine_view_last(const struct engine_view *view);     /* of the last there was when it was opened */
struct engine_view *engine_view_close(struct engine_view *view);
const struct core *engine_view_core(const struct engine_view *view);
const struct store_execution *engine_view_row(const struct engine_view *view);

/*
 * Commands to the process that owns a store, over its Unix socket: one JSON object a line each way.
 * {"command":"cancel","execution":"r-..","by":..,"reason":..} ; pause, resume; approve {"task","approved","comment"};
 * signal {"name","data"}; retry {"from"}
 * -> {"ok":true,...} or {"error":{"code":"STATE","message":..,"hint":..}}.
 */
/*
 * ORCH_ERR_UNAVAILABLE when nobody is there: nothing was recorded. ORCH_ERR_IO or _TIMEOUT when somebody was there and did not
 * answer: the command may be recorded or not. The answer's error becomes the return value.
 */
struct engine_control_wait {
    orch_time tell_after; /* when no answer has come by then, tell is called once; 0: never */
    orch_time timeout;    /* 0: 30 s */
    void (*tell)(void *user, int pid); /* pid of who was asked; 0: not known */
    void *user;
};
/* As engine_control_call, with a say in how long. */
int engine_control_ask(const char *store_path, struct value request, const struct engine_control_wait *wait,
                       struct arena *arena, struct value *ret_answer, struct orch_error *err);
int engine_control_call(const char *store_path, struct value request, struct arena *arena, struct value *ret_answer,
                        struct orch_error *err);

#endif
