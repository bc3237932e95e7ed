/*
 * reseal.c - a database without seals (vfs.h) gets them: one of schema 1, or a copy that was made with SQLite's own
 * tools. It is written anew beside the old one and takes its name, so a crash leaves either.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "store/sqlite.h"

#define NEW_NAME "orch.db.new"

static int check_integrity(sqlite3 *db, const char *database, struct orch_error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &statement, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(statement);
    int code = 0;
    if (rc != SQLITE_ROW) {
        code = sqlite_error(err, db, rc, database, "cannot be checked");
    } else if (strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0) {
        code = error_set(err, ORCH_ERR_CORRUPT, "%s is damaged: %s", database,
                         (const char *)sqlite3_column_text(statement, 0));
        damage_hint(err);
    }
    (void)sqlite3_finalize(statement); /* the step's code again */
    return code;
}

/* The copy, complete and synced. SQLite takes an empty file that is there, so it has our mode. */
static int make_copy(sqlite3 *db, int dir_fd, const char *database, struct orch_error *err)
{
    char *sql = sqlite3_mprintf("VACUUM INTO '%q.new'", database);
    if (!sql) return error_memory(err);
    int code = 0, fd = -1;
    if (unlinkat(dir_fd, NEW_NAME, 0) < 0 && errno != ENOENT) code = error_errno(err, errno, "%s.new", database);
    if (code == 0) {
        fd = openat(dir_fd, NEW_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) code = error_errno(err, errno, "%s.new", database);
    }
    if (code == 0) {
        int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
        if (rc != SQLITE_OK) code = sqlite_error(err, db, rc, database, "cannot be written anew");
    }
    sqlite3_free(sql);
    if (code == 0 && fsync(fd) < 0)
        code = error_set(err, ORCH_ERR_IO, "cannot sync %s.new: %s", database, strerror(errno));
    if (fd >= 0) (void)close(fd); /* it was synced */
    return code;
}

/* Brings the log in and removes it, which works for somebody only who is alone. */
static int remove_log(sqlite3 *db, const char *database, struct orch_error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode=DELETE", -1, &statement, NULL), code = 0;
    if (rc == SQLITE_OK) rc = sqlite3_step(statement);
    bool is_done = rc == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(statement, 0), "delete") == 0;
    if (!is_done && (rc == SQLITE_ROW || (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED)) {
        code = error_set(err, ORCH_ERR_CONCURRENCY, "%s has to be written anew, and somebody reads it", database);
        error_hint(err, "end what else has it open, then try again");
    } else if (!is_done) {
        code = sqlite_error(err, db, rc, database, "cannot bring the log into the database");
    }
    (void)sqlite3_finalize(statement); /* the step's code again */
    return code;
}

/* A log that stays would be taken for the new file's. */
static int take_name(int dir_fd, const char *database, struct orch_error *err)
{
    static const char *const names[] = {"orch.db-wal", "orch.db-shm", "orch.db-end"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (unlinkat(dir_fd, names[i], 0) < 0 && errno != ENOENT)
            return error_errno(err, errno, "cannot remove the log of %s", database);
    if (renameat(dir_fd, NEW_NAME, dir_fd, "orch.db") < 0)
        return error_errno(err, errno, "cannot rename %s.new", database);
    if (fsync(dir_fd) < 0) return error_set(err, ORCH_ERR_IO, "cannot sync above %s: %s", database, strerror(errno));
    return 0;
}

int reseal_database(sqlite3 *take_db, int dir_fd, const char *database, struct orch_error *err)
{
    uint32_t count = 0;
    const struct migration *list = migrate_list(&count);
    int code = migrate_check_known(take_db, list[count - 1].version, database, err);
    if (code == 0) code = check_integrity(take_db, database, err);
    if (code == 0) code = remove_log(take_db, database, err);
    if (code == 0) code = make_copy(take_db, dir_fd, database, err);
    (void)sqlite3_close(take_db); /* with nothing open it cannot be busy */
    if (code == 0) code = take_name(dir_fd, database, err);
    if (code < 0) (void)unlinkat(dir_fd, NEW_NAME, 0); /* or the next try does it */
    return code;
}
