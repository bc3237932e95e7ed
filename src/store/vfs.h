/*
 * vfs.h - SQLite's file system with every read checked: pages of the database by their seals, pages that are read from
 * the log by the checksums of its frames. A bit that is wrong is an error of the read (SQLITE_IOERR_DATA), never an
 * answer.
 *
 * SQLite alone checks neither: a bit that changed in a row is another row, one in a page's head makes rows vanish; and
 * frames are checked once only, when a log is found after a crash.
 *
 * Pages are sealed when they go into the database, that is at checkpoints. A commit writes to the log only and so costs
 * nothing more than before.
 */
#ifndef STORE_VFS_H
#define STORE_VFS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/seal.h"

enum vfs_mode {
    VFS_STRICT, /* what is damaged is not read */
    VFS_MEND,   /* one wrong bit in a page or frame is put right on the way; what has more is not read */
    VFS_RAW,    /* the same, and pages of the database that have more are read as they are */
};

/* The name to open a database with; SQLite's default file system of that moment is below. NULL when memory is short. */
const char *vfs_name(enum vfs_mode mode);

/* Damage that a connection has met: the latest, and how much. */
struct vfs_damage {
    bool is_log;
    uint32_t number; /* of the page or frame; 1 is the first, frame 0 the log's header */
    int64_t offset;  /* of its first byte in the file */
    int64_t bit;     /* the one bit that was wrong and was put right, counted from there; -1 */
    uint64_t count;
};

/* The log as the connection knows it. */
struct vfs_log {
    unsigned char salts[8]; /* of its header: others each time it begins anew */
    uint32_t frames;        /* committed ones, for the connection that has committed them; else 0 */
};

/* False when there was none. */
bool vfs_get_damage(sqlite3 *db, struct vfs_damage *ret);
/* Told of each damage as it is met; on the thread that reads. NULL: nobody. */
void vfs_set_damaged(sqlite3 *db, void (*fn)(void *user, const struct vfs_damage *damage), void *user);
/* False as long as it has written no log. */
bool vfs_get_log(sqlite3 *db, struct vfs_log *ret);
/* What the index of the log tells: frames that can be read, and the salts. False when there is no index yet: nothing
 * was read. */
bool vfs_get_index(sqlite3 *db, struct vfs_log *ret);
/* Whether the database has no seals: it is from before there were any, or a copy that SQLite made by itself. Such a one
 * is read without checks. */
bool vfs_is_unsealed(sqlite3 *db);

#endif
