/*
 * runner.h - programs on an event loop: the spawner's news and the programs' output, as callbacks. (Internal to
 * actions.)
 *
 * Knows nothing of attempts: the process provider and the notification channel `command` both stand on it.
 */
#ifndef ACTIONS_RUNNER_H
#define ACTIONS_RUNNER_H

#include "sys/process.h"

struct uv_loop_s;
struct runner;

struct runner_end {
    bool started; /* false: news of type FAILED */
    bool lost;    /* the spawner died: nothing is known of the end, and of news only `stopped` */
    struct spawn_news news;
};

/* One program; the caller's memory, zeroed, alive until ended was called. */
struct runner_program {
    /* Output as it comes, stream 1 or 2, at most 64 KiB at a time; before `ended`. */
    void (*output)(struct runner_program *program, int stream, const char *data, size_t size);
    /* Once, last: all of it is gone and its output was read. */
    void (*ended)(struct runner_program *program, const struct runner_end *end);
    uint64_t id;       /* from here on the runner's */
    int fds[2];        /* our ends of stdout and stderr, -1 when closed */
    bool is_stopped;   /* runner_stop was called */
    orch_time kill_at; /* then: when the grace is over (monotonic) */
    struct runner_program *bucket_next;
    bool is_watched;                                     /* its pipes are in the epoll set */
    struct runner_program *fresh_next, **fresh_link;     /* of those that are not; link NULL: in no such list */
};

struct runner_request {
    const struct orch_str *argv;
    uint32_t argv_count;
    const struct orch_str *env;
    uint32_t env_count;
    struct orch_str working_dir;
    struct orch_str stdin_text; /* data NULL: /dev/null */
};

/*
 * The spawner is forked here, while the program is small.
 *
 * @param mark       see process.h; empty: none
 * @param owns_mark  when the spawner is killed and has to be replaced, everything that carries the mark is ended first;
 * so of several runners with one mark only the main one may own it
 */
int runner_open(struct uv_loop_s *loop, struct orch_str mark, bool owns_mark, struct runner **ret,
                struct orch_error *err);
/* Kills what runs, with `ended` (lost) for each. The loop must turn once more after it. NULL is fine. */
struct runner *runner_close(struct runner *runner);
/* 0: `ended` will be called, later. */
int runner_start(struct runner *runner, const struct runner_request *request, struct runner_program *program,
                 struct orch_error *err);
void runner_stop(struct runner *runner, struct runner_program *program, orch_time grace_us);

#endif
