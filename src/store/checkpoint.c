/*
 * checkpoint.c - when the log goes into the database: after 16 MB of it, or after 200 ms without work.
 *
 * SQLite's own checkpoints are off: they come in the middle of a commit that somebody waits for, and only this
 * connection may make any (a defect of SQLite before 3.51.3 damages the database when two connections write and
 * checkpoint).
 */
#include <errno.h>

#include "base/error.h"
#include "store/sqlite.h"

#define LOG_PAGES_MAX 4096 /* 16 MB of 4 KB pages */
#define IDLE_US       (200 * ORCH_MILLISECOND)
#define IDLE_MAX_US   (30 * ORCH_SECOND)

/*
 * A disk without room, or a reader in the way, only leave the log as long as it is. Anything else is the end: after
 * a failed sync nobody knows what the disk has.
 */
static int checkpoint(struct committer *committer, int mode, int *ret_left, struct orch_error *err)
{
    int log = 0, done = 0;
    int rc = sqlite3_wal_checkpoint_v2(committer->db, NULL, mode, &log, &done);
    *ret_left = rc == SQLITE_OK ? log - done : log;
    if (rc == SQLITE_OK && log == done) return log_end_clear(&committer->log_end, committer->path, err);
    if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED || rc == SQLITE_FULL) return 0;
    if (rc == SQLITE_IOERR_WRITE && sqlite3_system_errno(committer->db) == EDQUOT) return 0;
    return sqlite_error(err, committer->db, rc, committer->path, "cannot bring the log into the database");
}

int checkpoint_commit(struct committer *committer, struct orch_error *err)
{
    committer->idle_tries = 0;
    if (committer->wal_pages < committer->wal_pages_tried) committer->wal_pages_tried = 0; /* it began anew */
    if (committer->wal_pages - committer->wal_pages_tried < LOG_PAGES_MAX) return 0;
    int left = 0;
    committer->wal_pages_tried = committer->wal_pages;
    return checkpoint(committer, SQLITE_CHECKPOINT_PASSIVE, &left, err);
}

int checkpoint_idle(struct committer *committer, struct orch_error *err)
{
    if (committer->wal_pages == 0) return 0;
    int left = 0;
    int code = checkpoint(committer, SQLITE_CHECKPOINT_PASSIVE, &left, err);
    if (code == 0 && left == 0) {
        /* Emptying waits for readers; not longer than it takes to ask, since appends would wait as well. */
        (void)sqlite3_busy_timeout(committer->db, 0); /* cannot fail on an open connection */
        int rc = sqlite3_wal_checkpoint_v2(committer->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        (void)sqlite3_busy_timeout(committer->db, STORE_BUSY_TIMEOUT_MS);
        if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED && rc != SQLITE_FULL)
            code = sqlite_error(err, committer->db, rc, committer->path, "cannot empty the log");
        if (rc == SQLITE_OK) {
            committer->wal_pages = committer->wal_pages_tried = 0;
            (void)sqlite3_db_release_memory(committer->db); /* an idle process is a small one; always 0 */
            return 0;
        }
    }
    if (committer->idle_tries < 16) committer->idle_tries++;
    return code;
}

int checkpoint_all(sqlite3 *db, struct log_end *end, bool *ret_done, const char *database, struct orch_error *err)
{
    int log = 0, done = 0;
    *ret_done = false;
    (void)sqlite3_busy_timeout(db, 0); /* a reader in the way is not waited for; cannot fail */
    int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log, &done), code = 0;
    if (rc == SQLITE_OK && log == done) {
        code = log_end_clear(end, database, err);
        if (code == 0) rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        *ret_done = code == 0;
    }
    (void)sqlite3_busy_timeout(db, STORE_BUSY_TIMEOUT_MS);
    if (code < 0 || rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED || rc == SQLITE_FULL)
        return code;
    return sqlite_error(err, db, rc, database, "cannot bring the log into the database");
}

orch_time checkpoint_wait_us(const struct committer *committer)
{
    orch_time wait = ORCH_TIME_NEVER;
    if (committer->wal_pages > 0) {
        wait = IDLE_US << (committer->idle_tries < 8 ? committer->idle_tries : 8);
        if (wait > IDLE_MAX_US) wait = IDLE_MAX_US;
    }
    if (reserve_is_wanted(committer) && wait > RESERVE_LOOK_US) wait = RESERVE_LOOK_US;
    return wait;
}
