/*
 * follow.h - being told when another process has written to a store: what `wait` and `watch` share.
 */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include <uv.h>

#include "cli/cli.h"

#define FOLLOW_FOLDERS 2 /* the store's own, and that of a run's logs */

/*
 * The kernel says when something in the store's folder was written; what comes together is told once. A look now and then besides: that an owner
 * has gone is not written anywhere.
 */
struct follow {
    uv_loop_t loop;
    uv_fs_event_t events[FOLLOW_FOLDERS];
    bool watching[FOLLOW_FOLDERS];
    uv_timer_t gather, now_and_then, deadline;
    uv_signal_t interrupt, terminate;
    void (*look)(void *user); /* something may have changed */
    void *user;
    bool open;
    bool late;                /* the deadline has passed */
    int signal;               /* that ended it, 0 */
};

/* @param deadline  0: none */
int follow_open(struct follow *follow, const char *store, orch_time deadline, void (*look)(void *user), void *user, struct orch_error *err);
/* The folder of a run's logs too, once it is there. */
void follow_logs(struct follow *follow, const char *folder);
/* Calls look, at once and whenever there may be something new, until done, the deadline or a signal. */
void follow_run(struct follow *follow, bool (*done)(void *user));
void follow_close(struct follow *follow);

/* The exit code of a run that ended so. */
int cli_exit_code(uint8_t execution_state);

#endif
