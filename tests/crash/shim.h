/*
 * shim.h - what the two files of the call-point shim share. shim.c counts calls and acts on one of them; shim_undo.c
 * knows what of a store would be gone if the power went now.
 */
#ifndef CRASH_SHIM_H
#define CRASH_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SHIM_PATH_SIZE 4096

#pragma GCC visibility push(hidden)

/* The C library's own functions, looked up once. */
struct shim_real {
    int (*open)(const char *path, int flags, ...);
    int (*close)(int fd);
    ssize_t (*pread)(int fd, void *data, size_t size, off_t at);
    ssize_t (*pwrite)(int fd, const void *data, size_t size, off_t at);
    int (*ftruncate)(int fd, off_t size);
    int (*unlink)(const char *path);
    int (*link)(const char *from, const char *to);
    int (*rename)(const char *from, const char *to);
};
extern struct shim_real shim_real;

/*
 * Unsynced changes, in order. All under one lock, which the caller of a changing call holds from before the note until
 * after the call itself, so that what is noted is what was done.
 */
void undo_open(const char *backup_dir);
void undo_lock(void);
void undo_unlock(void);
/* Before a write (at < 0: where the descriptor stands), a truncation, a removal; after something was made. */
void undo_note_write(const char *path, int fd, const void *data, size_t size, off_t at);
void undo_note_truncate(const char *path, int fd, off_t size);
void undo_note_remove(const char *path);
void undo_note_create(const char *path);
/* What was changed in a file, or in the entries of a directory, is on the disk now. */
void undo_synced(const char *path);
/* What was written to a file since it was synced is gone. */
void undo_file(const char *path);
/* So is everything else; with a seed each piece (a page of a write, an entry of a directory) is gone or there as the
 * dice fall. */
void undo_all(uint64_t seed);

#pragma GCC visibility pop

#endif
