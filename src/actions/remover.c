/*
 * remover.c - removes directories on a thread of its own.
 */
#include "actions/remover.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "sys/file.h"

void remover_init(struct remover *remover)
{
    *remover = (struct remover){0};
}

static bool remove_others(const char *path, const char *keep)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    bool all = true;

    if (!directory) return false;
    while ((entry = readdir(directory)) != NULL) {
        char name[PATH_MAX];
        int size;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || strcmp(entry->d_name, keep) == 0)
            continue;
        size = snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        all = size > 0 && (size_t)size < sizeof(name) && file_remove_tree(name, NULL) == 0 && all;
    }
    (void)closedir(directory); /* it was only read */
    return all;
}

void remover_remove(struct remover_item *item)
{
    item->is_removed = item->keep ? remove_others(item->path, item->keep) : file_remove_tree(item->path, NULL) == 0;
}

static void *run(void *user)
{
    struct remover *remover = user;

    (void)pthread_mutex_lock(&remover->lock); /* fails only when misused, as below */
    for (;;) {
        struct remover_item *item = remover->first;

        if (!item) {
            if (remover->stop) break;
            (void)pthread_cond_wait(&remover->changed, &remover->lock);
            continue;
        }
        remover->first = item->next;
        if (!remover->first) remover->last = NULL;
        (void)pthread_mutex_unlock(&remover->lock);
        remover_remove(item);
        (void)pthread_mutex_lock(&remover->lock);
        remover->waiting--;
        item->next = remover->over;
        remover->over = item;
    }
    (void)pthread_mutex_unlock(&remover->lock);
    return NULL;
}

static bool start(struct remover *remover)
{
    sigset_t all, before;

    if (pthread_mutex_init(&remover->lock, NULL) != 0) return false;
    if (pthread_cond_init(&remover->changed, NULL) != 0) {
        (void)pthread_mutex_destroy(&remover->lock);
        return false;
    }
    /* Signals are the owner's business. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    remover->is_running = pthread_create(&remover->thread, NULL, run, remover) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!remover->is_running) {
        (void)pthread_cond_destroy(&remover->changed);
        (void)pthread_mutex_destroy(&remover->lock);
    }
    return remover->is_running;
}

bool remover_put(struct remover *remover, struct remover_item *item)
{
    bool has_room;

    if (!remover->is_running && !start(remover)) return false;
    (void)pthread_mutex_lock(&remover->lock);
    has_room = remover->waiting < REMOVER_WAITING_MAX;
    if (has_room) {
        item->next = NULL;
        *(remover->last ? &remover->last->next : &remover->first) = item;
        remover->last = item;
        remover->waiting++;
        (void)pthread_cond_signal(&remover->changed);
    }
    (void)pthread_mutex_unlock(&remover->lock);
    return has_room;
}

struct remover_item *remover_take(struct remover *remover)
{
    struct remover_item *item;

    if (!remover->is_running) return NULL;
    (void)pthread_mutex_lock(&remover->lock);
    item = remover->over;
    if (item) remover->over = item->next;
    (void)pthread_mutex_unlock(&remover->lock);
    return item;
}

void remover_done(struct remover *remover)
{
    if (!remover->is_running) return;
    (void)pthread_mutex_lock(&remover->lock);
    remover->stop = true;
    (void)pthread_cond_signal(&remover->changed);
    (void)pthread_mutex_unlock(&remover->lock);
    (void)pthread_join(remover->thread, NULL);
    (void)pthread_cond_destroy(&remover->changed);
    (void)pthread_mutex_destroy(&remover->lock);
    *remover = (struct remover){0};
}
