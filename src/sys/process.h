/*
 * process.h - starting programs, watching them, and ending them with all they started.
 *
 * A spawner process, forked when the first program is to be started and small ever since, is the parent of every program. It starts each in a
 * process group of its own (and in a cgroup of its own where one may be made), is the reaper of whatever they leave behind, and ends all of them when the
 * orchestrator goes away, however it went (it sees its socket close; the programs' own death signal covers the spawner's death).
 * The orchestrator's side is a socket that becomes readable when there is news: it fits any event loop.
 *
 * C2 of docs/semantics: SIGTERM to all, grace, SIGKILL to all, also to what is stopped, ignores signals, forked twice or made a session of its own.
 */
#ifndef SYS_PROCESS_H
#define SYS_PROCESS_H

#include "base/arena.h"

struct spawner;

struct spawner_options {
    struct orch_str mark;    /* put into each program's environment as ORCH_STORE: survivors of an earlier life are found by it */
    bool use_cgroup;         /* try to */
};

/* Forks the spawner. Signal-safe in the child, which never returns. Call before threads that hold locks needed by fork are busy; cheap (1-2 ms). */
int spawner_open(const struct spawner_options *options, struct spawner **ret, struct orch_error *err);
/* Kills whatever still runs, waits for the spawner to be gone. NULL is fine. */
struct spawner *spawner_close(struct spawner *spawner);
/*
 * The same, and says how it went: false when the spawner was killed (by somebody, or here because it had been stopped and did not go on) or does not come to an
 * end. Then something of what it ran may be left: process_kill_marked.
 */
bool spawner_end(struct spawner *spawner);
/*
 * Whether the spawner is stopped, by a signal or a tracer. Programs are of the same user, so one can do that to it, and while it lasts none is ended or told of. It is
 * told to go on. What is stopped again and again ends with spawner_kill. Cheap: one file of /proc.
 */
bool spawner_is_stopped(const struct spawner *spawner);
/* kill -9: its programs die with it (by their death signal), and spawner_read tells that it is gone. What they had started may be left: process_kill_marked. */
void spawner_kill(struct spawner *spawner);
/* Readable when spawner_read has something. */
int spawner_fd(const struct spawner *spawner);

struct spawn_request {
    uint64_t id;                   /* the caller's; comes back with news; not in use by another running program */
    const struct orch_str *argv;   /* argv[0] is looked up in PATH of `env` when it has no slash */
    uint32_t argv_count;
    const struct orch_str *env;    /* the whole environment, "NAME=value" */
    uint32_t env_count;
    struct orch_str working_dir;   /* empty: the orchestrator's */
    int stdin_fd;                  /* -1: /dev/null. Borrowed: closed in no case */
    int stdout_fd;                 /* likewise; -1: /dev/null */
    int stderr_fd;
};

/* Asks for a program to be started. Returns 0 once asked; the outcome is news. ORCH_ERR_LIMIT when arguments and environment exceed 2 MiB; ORCH_ERR_IO when the spawner is gone. */
int spawner_start(struct spawner *spawner, const struct spawn_request *request, struct orch_error *err);
/* Ends a program and all it started: SIGTERM now, SIGKILL after grace. Asking again with a shorter grace hastens it. Unknown ids are ignored. */
int spawner_stop(struct spawner *spawner, uint64_t id, orch_time grace_us);

enum spawn_news_type { SPAWN_STARTED, SPAWN_FAILED, SPAWN_ENDED };
/* What could not be done. */
enum spawn_stage { SPAWN_STAGE_EXEC, SPAWN_STAGE_DIRECTORY /* chdir to working_dir */, SPAWN_STAGE_PREPARE /* anything before */ };
struct spawn_news {
    enum spawn_news_type type;
    uint64_t id;
    int32_t pid;
    int32_t error;        /* FAILED: errno of exec, chdir, ... */
    enum spawn_stage stage; /* FAILED */
    int32_t exit_code;    /* ENDED: -1 when ended by a signal */
    int32_t signal;       /* ENDED: 0 when it exited */
    bool core_dumped;     /* ENDED by a signal */
    bool stopped;         /* ENDED: spawner_stop had been asked before the program itself had ended */
    uint64_t cpu_us;      /* of it and all descendants that were waited for */
    uint64_t memory_peak; /* bytes, of the largest process */
    uint32_t left_behind; /* ENDED: so many processes were still running well after the program itself had ended by itself; they were ended */
};
/* Takes one piece of news; false when there is none now. ENDED comes after every process of the program is gone. *err is filled, and false returned, when the spawner died. */
bool spawner_read(struct spawner *spawner, struct spawn_news *ret, struct orch_error *err);

/* How long what a program leaves behind may go on by itself after it exited (a `tee` that writes its last lines), before it is told to end; then until it is killed. */
#define SPAWN_LINGER_US (200 * ORCH_MILLISECOND)
#define SPAWN_LEFT_GRACE_US (500 * ORCH_MILLISECOND)

/* Ends survivors of an earlier life that carry the mark, a spawner that was stopped among them (found by cgroup or by /proc/<pid>/environ) and waits until they are gone, at most timeout. Returns how many there were, or an error (ORCH_ERR_TIMEOUT).
 * To be called while no spawner of this mark is open. Never ends the caller or those it descends from. */
int process_kill_marked(struct orch_str mark, orch_time timeout_us, struct orch_error *err);

#endif
