/*
 * remover.h - removes directories on a thread of its own. (Internal to actions.)
 *
 * What a task leaves may be a million files on a slow disk, and while that is removed other tasks have to be started
 * and ended. The thread is made with the first directory.
 */
#ifndef ACTIONS_REMOVER_H
#define ACTIONS_REMOVER_H

#include <pthread.h>

#include "base/str.h"

#define REMOVER_WAITING_MAX 64

/* One directory; the caller's memory, untouched from put until taken. */
struct remover_item {
    struct remover_item *next;
    const char *path;
    const char *keep; /* NULL: all of it goes; else the directory stays, with the entry of this name */
    bool is_removed;
};

struct remover {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_running, stop;
    uint32_t waiting;
    struct remover_item *first, *last; /* to be removed */
    struct remover_item *over;
};

void remover_init(struct remover *remover);
/* Waits until everything that was put is removed. */
void remover_done(struct remover *remover);
/* False when too much waits already or no thread can be had: then the caller does it. */
bool remover_put(struct remover *remover, struct remover_item *item);
/* One that is over, removed or not; NULL when there is none now. */
struct remover_item *remover_take(struct remover *remover);
/* What the thread does with an item. */
void remover_remove(struct remover_item *item);

#endif
