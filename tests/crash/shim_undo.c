/*
 * shim_undo.c - what is on the disk for certain, and what only seems to be: the changes to a store's files that no sync
 * has covered yet, so that they can be taken back as a loss of power, or a failed sync, would.
 *
 * Held to the letter of POSIX, which is harder than any file system in use: a file's content is safe after fsync or
 * fdatasync of it, its name after fsync of the directory, and without them each page and each name is there or not,
 * independently. The index that SQLite maps (-shm) is nothing that is relied on after a crash, and logs and directories
 * of attempts are promised to nobody. Not followed: renames and links, which the store does not use.
 */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_SIZE 4096

enum change_kind { CHANGE_WRITE, CHANGE_SIZE, CHANGE_CREATE, CHANGE_REMOVE };

struct change {
    struct change *next, *previous;
    enum change_kind kind;
    ino_t inode;
    off_t at;              /* WRITE */
    off_t size_before;     /* WRITE, SIZE */
    off_t size_after;      /* SIZE */
    size_t size, old_size; /* of new and old, WRITE; SIZE has only old: what was cut off */
    char *new, *old;
    char *backup; /* REMOVE: another name of the file; NULL for a directory */
    char path[];
};

static struct change *first, *last;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *backups;
static unsigned backups_count;

void undo_open(const char *backup_dir)
{
    backups = backup_dir;
}

void undo_lock(void)
{
    pthread_mutex_lock(&lock);
}

void undo_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

static void *need(void *p)
{
    if (!p) abort(); /* a rig without memory shows nothing */
    return p;
}

static bool is_followed(const char *path)
{
    return !strstr(path, "-shm") && !strstr(path, "/logs") && !strstr(path, "/scratch") && !strstr(path, "/sock");
}

static struct change *change_add(enum change_kind kind, const char *path)
{
    size_t size = strlen(path) + 1;
    struct change *change = need(calloc(1, sizeof *change + size));
    memcpy(change->path, path, size);
    change->kind = kind;
    change->previous = last;
    *(last ? &last->next : &first) = change;
    last = change;
    return change;
}

static void change_free(struct change *change)
{
    *(change->previous ? &change->previous->next : &first) = change->next;
    *(change->next ? &change->next->previous : &last) = change->previous;
    if (change->backup) shim_real.unlink(change->backup);
    free(change->backup);
    free(change->new);
    free(change->old);
    free(change);
}

/* The old bytes of a range, as many as there are. */
static void keep_old(struct change *change, int fd, off_t at, size_t size)
{
    if (size == 0) return;
    change->old = need(malloc(size));
    while (change->old_size < size) {
        /* What may only be written is read through another descriptor. */
        ssize_t n =
            shim_real.pread(fd, change->old + change->old_size, size - change->old_size, at + (off_t)change->old_size);
        if (n <= 0) break;
        change->old_size += (size_t)n;
    }
}

static int open_again(const char *path)
{
    return shim_real.open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

void undo_note_write(const char *path, int fd, const void *data, size_t size, off_t at)
{
    struct stat status;
    if (!is_followed(path) || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return;
    if (at < 0) at = fcntl(fd, F_GETFL) & O_APPEND ? status.st_size : lseek(fd, 0, SEEK_CUR);
    struct change *change = change_add(CHANGE_WRITE, path);
    change->inode = status.st_ino;
    change->at = at;
    change->size_before = status.st_size;
    change->size = size;
    change->new = need(malloc(size ? size : 1));
    memcpy(change->new, data, size);
    if (at < status.st_size) {
        int reader = open_again(path);
        keep_old(change, reader, at, size);
        if (reader >= 0) shim_real.close(reader);
    }
}

void undo_note_truncate(const char *path, int fd, off_t size)
{
    struct stat status;
    if (!is_followed(path) || fstat(fd, &status) != 0 || status.st_size == size) return;
    struct change *change = change_add(CHANGE_SIZE, path);
    change->inode = status.st_ino;
    change->at = size;
    change->size_before = status.st_size;
    change->size_after = size;
    if (size < status.st_size) {
        int reader = open_again(path);
        keep_old(change, reader, size, (size_t)(status.st_size - size));
        if (reader >= 0) shim_real.close(reader);
    }
}

void undo_note_create(const char *path)
{
    if (is_followed(path)) change_add(CHANGE_CREATE, path);
}

void undo_note_remove(const char *path)
{
    struct stat status;
    char backup[SHIM_PATH_SIZE];
    if (!is_followed(path) || lstat(path, &status) != 0) return;
    struct change *change = change_add(CHANGE_REMOVE, path);
    if (S_ISDIR(status.st_mode)) return;
    snprintf(backup, sizeof backup, "%s/%u", backups, backups_count++);
    if (shim_real.link(path, backup) == 0) change->backup = need(strdup(backup));
}

/* "a/b/.." is "a". */
static void simplify(char *path)
{
    size_t size = strlen(path);
    if (size < 4 || strcmp(path + size - 3, "/..") != 0) return;
    path[size - 3] = '\0';
    char *slash = strrchr(path, '/');
    if (slash) *slash = '\0';
}

static bool is_in(const char *path, const char *directory)
{
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) : 0;
    return strlen(directory) == size && memcmp(path, directory, size) == 0;
}

void undo_synced(const char *given)
{
    char path[SHIM_PATH_SIZE];
    snprintf(path, sizeof path, "%s", given);
    simplify(path);
    for (struct change *change = first, *next; change; change = next) {
        next = change->next;
        bool content = change->kind == CHANGE_WRITE || change->kind == CHANGE_SIZE;
        if (content ? strcmp(change->path, path) == 0 : is_in(change->path, path)) change_free(change);
    }
}

/*
 * Taking back.
 */
static int open_same(const struct change *change)
{
    struct stat status;
    int fd = open_again(change->path);
    if (fd >= 0 && (fstat(fd, &status) != 0 || status.st_ino != change->inode)) {
        shim_real.close(fd); /* the name is another file's by now */
        fd = -1;
    }
    return fd;
}

static void put(int fd, const char *data, size_t size, off_t at)
{
    if (size > 0 && shim_real.pwrite(fd, data, size, at) != (ssize_t)size) abort();
}

static void take_back(const struct change *change)
{
    int fd = open_same(change);
    if (fd < 0) return;
    put(fd, change->old, change->old_size, change->at);
    if (shim_real.ftruncate(fd, change->size_before) != 0) abort();
    shim_real.close(fd);
}

void undo_file(const char *path)
{
    for (struct change *change = last, *before; change; change = before) {
        before = change->previous;
        if ((change->kind != CHANGE_WRITE && change->kind != CHANGE_SIZE) || strcmp(change->path, path) != 0) continue;
        take_back(change);
        change_free(change);
    }
}

static bool toss(uint64_t *seed)
{
    if (*seed == 0) return false;
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (*seed >> 20 & 1) != 0;
}

/* Of a write each page is on the disk by itself. */
static void put_some(const struct change *change, uint64_t *seed)
{
    int fd = open_same(change);
    if (fd < 0) return;
    if (change->kind == CHANGE_SIZE) {
        if (toss(seed) && shim_real.ftruncate(fd, change->size_after) != 0) abort();
    } else {
        for (size_t at = 0, part; at < change->size; at += part) {
            part = PAGE_SIZE - (size_t)(change->at + (off_t)at) % PAGE_SIZE;
            if (part > change->size - at) part = change->size - at;
            if (toss(seed)) put(fd, change->new + at, part, change->at + (off_t)at);
        }
    }
    shim_real.close(fd);
}

void undo_all(uint64_t seed)
{
    for (struct change *change = last; change; change = change->previous)
        if (change->kind == CHANGE_WRITE || change->kind == CHANGE_SIZE) take_back(change);
    for (struct change *change = first; change && seed; change = change->next)
        if (change->kind == CHANGE_WRITE || change->kind == CHANGE_SIZE) put_some(change, &seed);
    for (struct change *change = last; change; change = change->previous) {
        if (change->kind == CHANGE_CREATE && !toss(&seed)) {
            /* With all that is in it: what has no name is not there. */
            char gone[SHIM_PATH_SIZE];
            snprintf(gone, sizeof gone, "%s/%u", backups, backups_count++);
            if (shim_real.unlink(change->path) != 0) (void)shim_real.rename(change->path, gone);
        }
        if (change->kind == CHANGE_REMOVE && change->backup && !toss(&seed) && access(change->path, F_OK) != 0)
            (void)shim_real.rename(change->backup, change->path); /* best effort: its directory may be gone */
    }
}
