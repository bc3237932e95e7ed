/*
 * sqlite.c - opening and closing the store in a directory, and the owner's side of appending to it.
 *
 * One connection writes, the committer's. The owner's thread reads through one of its own (query.c) that it opens when
 * it first reads, and that is closed before the writer. docs/store.md describes the files, the tables and what is
 * promised.
 */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "store/check_internal.h"

bool sqlite_is_full(sqlite3 *db, int rc)
{
    if (rc == SQLITE_FULL) return true;
    if (rc != SQLITE_IOERR_WRITE && rc != SQLITE_IOERR_SHMSIZE) return false;
    int number = sqlite3_system_errno(db);
    return number == ENOSPC || number == EDQUOT;
}

int sqlite_error(struct orch_error *err, sqlite3 *db, int rc, const char *database, const char *what)
{
    int code = ORCH_ERR_INTERNAL;
    if (db && sqlite_is_full(db, rc)) {
        (void)error_set(err, ORCH_ERR_FULL, "no space left for %s", database);
        error_hint(err, "make room, then try again");
        return ORCH_ERR_FULL;
    }
    switch (rc & 0xff) {
    case SQLITE_FULL: code = ORCH_ERR_FULL; break;
    case SQLITE_ERROR: /* all statements are ours: a table or column that they name is missing */
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: code = ORCH_ERR_CORRUPT; break;
    case SQLITE_IOERR:
        code = rc == SQLITE_IOERR_NOMEM ? ORCH_ERR_NO_MEMORY : rc == SQLITE_IOERR_DATA ? ORCH_ERR_CORRUPT : ORCH_ERR_IO;
        break;
    case SQLITE_NOMEM: code = ORCH_ERR_NO_MEMORY; break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: code = ORCH_ERR_CONCURRENCY; break;
    case SQLITE_READONLY:
        /* Not the database but its log, which could be opened for reading only; SQLite says so with the first write. */
        if (rc == SQLITE_READONLY && db && sqlite3_db_readonly(db, "main") == 0)
            return error_set(err, ORCH_ERR_IO, "%s: %s: its log cannot be opened for writing", database, what);
        code = ORCH_ERR_DENIED;
        break;
    case SQLITE_PERM:
    case SQLITE_AUTH: code = ORCH_ERR_DENIED; break;
    case SQLITE_CANTOPEN: code = ORCH_ERR_IO; break;
    case SQLITE_TOOBIG: code = ORCH_ERR_LIMIT; break;
    case SQLITE_NOTFOUND: return error_set(err, code, "%s: %s: no such execution", database, what);
    default: break;
    }
    const char *text = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    /* Of input and output SQLite only says that it failed; the system knew why. */
    int number = db && ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_FULL) ? sqlite3_system_errno(db) : 0;
    struct vfs_damage damage;
    if (rc == SQLITE_IOERR_DATA && db && vfs_get_damage(db, &damage))
        (void)error_set(err, code, "%s: %s%s: %s %u at byte %lld is damaged: its checksum is wrong", what, database,
                        damage.is_log ? "-wal" : "", damage.is_log ? "frame" : "page", damage.number,
                        (long long)damage.offset);
    else
        (void)error_set(err, code, "%s: %s: %s%s%s (SQLite %d)", database, what, text, number ? ": " : "",
                        number ? strerror(number) : "", rc);
    if (code == ORCH_ERR_CORRUPT) damage_hint(err);
    return code;
}

void damage_hint(struct orch_error *err)
{
    error_hint(err, "nothing was changed; orch doctor  names what is damaged, orch doctor --salvage DIR  copies what "
                    "can be read; or restore a backup");
}

/*
 * Opening.
 */

static int open_writer(const char *database, bool no_sync, sqlite3 **ret, struct orch_error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    int reserved = SEAL_SIZE;
    sqlite3 *db = NULL;
    const char *vfs = vfs_name(VFS_STRICT);
    if (!vfs) return error_memory(err);
    int rc = sqlite3_open_v2(database, &db, flags, vfs);
    /* Closing brings the log in only once it is known that it may be believed: see committer_close. */
    if (rc == SQLITE_OK) rc = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    /* Of each page, for its seal; taken in when a database is made. */
    if (rc == SQLITE_OK) rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    if (rc == SQLITE_OK) rc = sqlite3_busy_timeout(db, STORE_BUSY_TIMEOUT_MS);
    if (rc == SQLITE_OK) rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, no_sync ? "PRAGMA synchronous=OFF" : "PRAGMA synchronous=FULL", NULL, NULL, NULL);
    /* secure_delete: entries of indexes move all the time, and Debian builds SQLite to overwrite what is deleted. */
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db,
                          "PRAGMA wal_autocheckpoint=0; PRAGMA secure_delete=OFF; PRAGMA temp_store=MEMORY;"
                          "PRAGMA cache_size=-8000; PRAGMA cell_size_check=ON",
                          NULL, NULL, NULL);
    /* What cannot be opened for writing SQLite opens for reading, and says so with the first write. */
    bool is_readonly = rc == SQLITE_OK && sqlite3_db_readonly(db, "main") == 1;
    if (rc == SQLITE_OK && !is_readonly) {
        *ret = db;
        return 0;
    }
    int code = is_readonly ? error_set(err, access(database, W_OK) == 0 ? ORCH_ERR_IO : ORCH_ERR_DENIED,
                                       "%s cannot be opened for writing", database)
                           : sqlite_error(err, db, rc, database, "cannot open");
    /* To empty the log while closing would leave the note of its end behind: the log would seem to be damaged. */
    if (db) (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_close(db); /* with nothing open it cannot be busy */
    return code;
}

/* The file is made here so that it has our mode from the start; SQLite gives its log the same. */
static int make_database(struct sqlite_store *store, const char *noted_mark, bool *ret_is_new, bool *ret_has_log,
                         struct orch_error *err)
{
    struct stat st;
    *ret_has_log = fstatat(store->dir_fd, "orch.db-wal", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0;
    bool is_there = fstatat(store->dir_fd, "orch.db", &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_there && !S_ISREG(st.st_mode))
        return error_set(err, ORCH_ERR_CORRUPT, "%s is not a regular file", store->database);
    *ret_is_new = !is_there || st.st_size == 0;
    if (*ret_is_new && noted_mark[0]) {
        (void)error_set(err, ORCH_ERR_CORRUPT, "%s is %s, but the store was complete once", store->database,
                        is_there ? "empty" : "missing");
        error_hint(err, "restore it from a backup, or remove the whole directory to begin anew");
        return ORCH_ERR_CORRUPT;
    }
    if (is_there) return 0;
    int fd = openat(store->dir_fd, "orch.db", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return error_errno(err, errno, "%s", store->database);
    (void)close(fd); /* it is empty */
    return 0;
}

static int make_dir(struct sqlite_store *store, const char *name, struct orch_error *err)
{
    if (mkdirat(store->dir_fd, name, 0700) == 0 || errno == EEXIST) return 0;
    return error_errno(err, errno, "cannot make %s/%s", store->path, name);
}

static int exec(sqlite3 *db, const char *sql, const char *database, struct orch_error *err)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : sqlite_error(err, db, rc, database, "cannot prepare");
}

/* One value of the database, as text; *ret_found tells whether there was a row. */
static int get_text(sqlite3 *db, const char *sql, char *out, size_t size, bool *ret_found, const char *database,
                    struct orch_error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(statement);
    *ret_found = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(statement, 0);
        if (!text && sqlite3_errcode(db) == SQLITE_NOMEM) rc = SQLITE_NOMEM;
        (void)snprintf(out, size, "%s", text ? (const char *)text : "");
    }
    int code = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : sqlite_error(err, db, rc, database, "cannot read");
    (void)sqlite3_finalize(statement); /* the step's code again */
    return code;
}

/* is_noted: as the lock file was before what is read here was. */
static int read_mark(struct sqlite_store *store, sqlite3 *db, bool is_noted, struct orch_error *err)
{
    bool found = false;
    int code = get_text(db, "SELECT value FROM meta WHERE key = 'mark'", store->base.mark, sizeof store->base.mark,
                        &found, store->database, err);
    /* The mark is what makes a database complete, and is noted in the lock file after that. */
    if (code == 0 && !found && !is_noted)
        return error_set(err, ORCH_ERR_NOT_FOUND, "the store in %s is not complete yet", store->path);
    if (code == 0 && (!found || strlen(store->base.mark) != 32))
        code = error_set(err, ORCH_ERR_CORRUPT, "%s has no mark", store->database);
    return code;
}

static int read_next_number(struct sqlite_store *store, sqlite3 *db, struct orch_error *err)
{
    char text[24];
    bool found = false;
    int64_t number = 0;
    int code = get_text(db, "SELECT coalesce(max(number), 0) FROM executions", text, sizeof text, &found,
                        store->database, err);
    if (code == 0 && (!found || !str_to_int64(str_from(text), &number) || number < 0 || number == INT64_MAX))
        code = error_set(err, ORCH_ERR_CORRUPT, "%s: the last number is %s", store->database, found ? text : "missing");
    if (code == 0) store->base.next_number = number + 1;
    return code;
}

/* A file that is shorter than its header says was cut. With a log it may be growing. */
static int check_size(struct sqlite_store *store, sqlite3 *db, struct orch_error *err)
{
    char text[24];
    bool found = false;
    int64_t pages = 0, page_size = 0;
    struct stat st;
    int code = get_text(db, "PRAGMA page_count", text, sizeof text, &found, store->database, err);
    if (code == 0 && found && str_to_int64(str_from(text), &pages))
        code = get_text(db, "PRAGMA page_size", text, sizeof text, &found, store->database, err);
    if (code < 0 || !found || !str_to_int64(str_from(text), &page_size)) return code;
    if (fstatat(store->dir_fd, "orch.db", &st, 0) < 0) return error_errno(err, errno, "%s", store->database);
    if (st.st_size / page_size >= pages) return 0;
    return error_set(err, ORCH_ERR_CORRUPT, "%s was cut: %lld of %lld pages", store->database,
                     (long long)(st.st_size / page_size), (long long)pages);
}

/* A new database: the mark makes it complete. */
static int fill_new(struct sqlite_store *store, sqlite3 *db, struct orch_error *err)
{
    int code = store_make_mark(store->base.mark, err);
    char sql[128];
    (void)snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO meta(key, value) VALUES('mark', '%s')", store->base.mark);
    if (code == 0) code = exec(db, sql, store->database, err);
    return code;
}

/* The directory's entries, and its own in the parent: without them a synced file can still be lost. */
static int sync_directories(struct sqlite_store *store, struct orch_error *err)
{
    int parent = openat(store->dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = fsync(store->dir_fd) < 0 ? error_errno(err, errno, "cannot sync %s", store->path) : 0;
    /* A parent that may not be read is not ours to sync. */
    if (code == 0 && parent >= 0 && fsync(parent) < 0)
        code = error_errno(err, errno, "cannot sync above %s", store->path);
    if (parent >= 0) (void)close(parent); /* a directory has nothing to lose */
    return code;
}

/*
 * A log that a crash has left: it goes into the database, is written and synced anew, before anything in it is
 * believed. What the page cache holds after a failed sync proves nothing.
 */
static int absorb_log(struct sqlite_store *store, sqlite3 *db, struct log_end *end, struct orch_error *err)
{
    bool is_done = false;
    return checkpoint_all(db, end, &is_done, store->database, err);
}

static int prepare_database(struct sqlite_store *store, sqlite3 *db, struct log_end *end, bool is_new, bool has_log,
                            const char *noted_mark, struct orch_error *err)
{
    uint32_t count = 0;
    const struct migration *list = migrate_list(&count);
    /* Before anything is written: from then on there is a log. */
    int code = !has_log && !is_new ? check_size(store, db, err) : 0;
    if (code == 0) code = exec(db, "PRAGMA journal_mode=WAL", store->database, err);
    if (code == 0) code = log_end_check(store->dir_fd, db, store->database, err);
    if (code == 0) code = migrate_database(db, list, count, store->database, err);
    if (code == 0 && !noted_mark[0]) code = fill_new(store, db, err);
    if (code == 0) code = read_mark(store, db, lock_is_noted(store->dir_fd), err);
    if (code == 0 && noted_mark[0] && strcmp(noted_mark, store->base.mark) != 0)
        code = error_set(err, ORCH_ERR_CORRUPT, "%s is not the database of this store", store->database);
    if (code == 0) code = read_next_number(store, db, err);
    if (code == 0 && (has_log || end->is_noted)) code = absorb_log(store, db, end, err);
    return code;
}

/* Opens the database for writing, with seals: one without gets them first. */
static int open_sealed(struct sqlite_store *store, bool no_sync, bool *has_log, sqlite3 **ret, struct orch_error *err)
{
    sqlite3 *db = NULL;
    int code = open_writer(store->database, no_sync, &db, err);
    if (code == 0 && vfs_is_unsealed(db)) {
        code = reseal_database(db, store->dir_fd, store->database, err);
        *has_log = false;
        if (code == 0) code = open_writer(store->database, no_sync, &db, err);
    }
    if (code == 0) *ret = db;
    return code;
}

static int open_own(struct sqlite_store *store, const struct store_options *options, struct orch_error *err)
{
    char noted_mark[33];
    bool made = false, is_new = false, has_log = false;
    sqlite3 *db = NULL;
    struct vfs_log noted;
    struct log_end end = {.fd = -1};
    int code = directory_open(store->path, true, &made, &store->dir_fd, err);
    if (code == 0) code = lock_take(store->dir_fd, store->path, &store->lock_fd, noted_mark, err);
    if (code == 0) code = make_database(store, noted_mark, &is_new, &has_log, err);
    if (code == 0) code = open_sealed(store, options->no_sync, &has_log, &db, err);
    if (code < 0) return code;
    code = log_end_open(store->dir_fd, store->path, &end.fd, err);
    /* What is not readable is written over before it could be taken for something else. */
    end.is_noted = code == 0 && log_end_read(store->dir_fd, &noted) != LOG_END_NONE;
    if (code == 0) code = prepare_database(store, db, &end, is_new, has_log, noted_mark, err);
    if (code == 0) code = make_dir(store, "blobs", err);
    if (code == 0) code = make_dir(store, "logs", err);
    if (code == 0 && !noted_mark[0]) {
        if (!options->no_sync) code = sync_directories(store, err);
        if (code == 0) code = lock_note(store->lock_fd, store->path, store->base.mark, err);
    }
    if (code < 0) {
        (void)sqlite3_close(db); /* with nothing open it cannot be busy */
        if (end.fd >= 0) (void)close(end.fd);
        return code;
    }
    if (options->no_sync && !end.is_noted) {
        (void)close(end.fd); /* nothing is promised of the log */
        end.fd = -1;
    }
    /* Has the connection now, also when it fails. */
    return committer_open(&store->committer, db, &end, store, options, err);
}

/* For a reader: an owner has looked at the log itself, and changes log and note while we look. */
static int check_log_beside(struct sqlite_store *store, struct orch_error *err)
{
    struct vfs_log before, after;
    struct stat st;
    struct orch_error error = ORCH_ERROR_INIT;
    if (lock_is_held(store->path)) return 0;
    /* Where no index can be made (a full disk) SQLite reads the log with one of its own, which tells us nothing. */
    if (!vfs_get_index(store->reader, &before) && fstatat(store->dir_fd, "orch.db-wal", &st, 0) == 0 && st.st_size > 0)
        return 0;
    enum log_end_state state = log_end_read(store->dir_fd, &before);
    int code = log_end_check(store->dir_fd, store->reader, store->database, &error);
    if (code == 0 || lock_is_held(store->path) || log_end_read(store->dir_fd, &after) != state ||
        before.frames != after.frames || memcmp(before.salts, after.salts, sizeof before.salts) != 0)
        return 0;
    if (err) *err = error;
    return code;
}

/* What makes it our database, all seen at one moment: somebody may be making it just now. */
static int look_at_reader(struct sqlite_store *store, bool is_noted, struct orch_error *err)
{
    uint32_t count = 0;
    const struct migration *list = migrate_list(&count);
    int code = exec(store->reader, "BEGIN", store->database, err);
    if (code == 0) code = migrate_check(store->reader, list[count - 1].version, store->database, err);
    if (code == 0 && vfs_is_unsealed(store->reader)) {
        code = error_set(err, ORCH_ERR_VERSION, "%s is a copy without checksums", store->database);
        error_hint(err, "a command that writes to the store, such as `orch run`, makes them");
    }
    if (code == 0) code = read_mark(store, store->reader, is_noted, err);
    if (!sqlite3_get_autocommit(store->reader))
        (void)sqlite3_exec(store->reader, "ROLLBACK", NULL, NULL, NULL); /* it only read */
    return code;
}

static int open_read(struct sqlite_store *store, struct orch_error *err)
{
    bool made = false;
    struct stat st;
    int code = directory_open(store->path, false, &made, &store->dir_fd, err);
    if (code < 0) return code;
    if (fstatat(store->dir_fd, "orch.db", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, errno, "there is no store in %s", store->path);
    if (!S_ISREG(st.st_mode)) return error_set(err, ORCH_ERR_CORRUPT, "%s is not a regular file", store->database);
    /* Asked before anything is read: who makes the store may come to the end of that at any moment. */
    bool is_noted = lock_is_noted(store->dir_fd);
    code = reader_open(store, err);
    if (code < 0) return code;
    code = look_at_reader(store, is_noted, err);
    /* A rollback journal is there only while a store is made, and only an owner may roll it back. */
    if (code == ORCH_ERR_DENIED && !is_noted) {
        (void)error_set(err, ORCH_ERR_NOT_FOUND, "the store in %s is not complete yet", store->path);
        error_hint(err, "its making was interrupted; `orch run` goes on with it");
        return ORCH_ERR_NOT_FOUND;
    }
    /* No room for the index of a log, and there is no log: the database alone is all there is, and nobody can write to
     * it. */
    if (code == ORCH_ERR_FULL &&
        (fstatat(store->dir_fd, "orch.db-wal", &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size == 0)) {
        reader_close(store);
        store->is_immutable = true;
        code = reader_open(store, err);
        if (code == 0) code = look_at_reader(store, is_noted, err);
    }
    /* A log that ends too early can make a young database look empty, and more: its damage is what is to be told. */
    int log_code = check_log_beside(store, err);
    return log_code < 0 ? log_code : code;
}

/*
 * The owner's side of appending.
 */

static size_t append_size(const struct store_entry *entries, uint32_t count)
{
    size_t size = sizeof(struct append) + count * sizeof(struct store_entry);
    for (uint32_t i = 0; i < count; i++) {
        const struct store_entry *entry = &entries[i];
        size += entry->record.size + entry->blobs_count * sizeof(struct store_blob);
        if (entry->create) size += sizeof(struct store_execution) + store_execution_texts_size(entry->create);
        if (entry->update)
            size += sizeof(struct store_execution) + entry->update->error.size + entry->update->waiting.size;
        for (uint32_t j = 0; j < entry->blobs_count; j++) size += entry->blobs[j].content.size;
    }
    return size;
}

/* Structs first, which keeps them aligned, then bytes. */
static void append_fill(struct append *append, const struct store_entry *entries, uint32_t count)
{
    char *next = (char *)&append->entries[count];
    for (uint32_t i = 0; i < count; i++) {
        struct store_entry *entry = &append->entries[i];
        *entry = entries[i];
        struct store_blob *blobs = (struct store_blob *)next;
        next += entry->blobs_count * sizeof *blobs;
        if (entry->blobs_count > 0) memcpy(blobs, entry->blobs, entry->blobs_count * sizeof *blobs);
        entry->blobs = blobs;
        if (entry->create) entry->create = memcpy(next, entry->create, sizeof *entry->create);
        if (entry->create) next += sizeof *entry->create;
        if (entry->update) entry->update = memcpy(next, entry->update, sizeof *entry->update);
        if (entry->update) next += sizeof *entry->update;
    }
    struct copy copy = {next};
    for (uint32_t i = 0; i < count; i++) {
        struct store_entry *entry = &append->entries[i];
        /* They are copies of ours, made above; const is for those who only read. */
        struct store_execution *create = (struct store_execution *)entry->create;
        struct store_execution *update = (struct store_execution *)entry->update;
        struct store_blob *blobs = (struct store_blob *)entry->blobs;
        entry->record = copy_str(&copy, entry->record);
        if (create) store_execution_copy(&copy, entries[i].create, create);
        if (update) {
            update->error = copy_str(&copy, update->error);
            update->waiting = copy_str(&copy, update->waiting);
        }
        for (uint32_t j = 0; j < entry->blobs_count; j++) blobs[j].content = copy_str(&copy, blobs[j].content);
    }
}

static int sqlite_failure(struct store *base, struct orch_error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    if (base->mode == STORE_READ) return 0;
    (void)pthread_mutex_lock(&store->committer.lock); /* fails only when misused, as below */
    int code = store->committer.failure.code;
    if (code < 0 && err) *err = store->committer.failure;
    (void)pthread_mutex_unlock(&store->committer.lock);
    return code;
}

static int sqlite_append(struct store *base, const struct store_entry *entries, uint32_t count,
                         void (*done)(void *user, int status), void *user, struct orch_error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct committer *committer = &store->committer;
    size_t size = append_size(entries, count);
    if (size > STORE_PENDING_SIZE_MAX - base->pending_size)
        return error_set(err, ORCH_ERR_NO_MEMORY, "more than %zu bytes wait to be written", STORE_PENDING_SIZE_MAX);
    struct append *append = mem_resize(base->allocator, NULL, 0, size);
    if (!append) return error_memory(err);
    *append = (struct append){.done = done, .user = user, .epoch = store->epoch, .size = size, .count = count};
    append_fill(append, entries, count);

    bool was_empty = false;
    (void)pthread_mutex_lock(&committer->lock);
    int failure = committer->failure.code;
    if (failure != 0) {
        (void)error_set(err, failure, "the store has failed: %s", committer->failure.message);
    } else {
        was_empty = !committer->queue.first;
        *(committer->queue.last ? &committer->queue.last->next : &committer->queue.first) = append;
        committer->queue.last = append;
    }
    (void)pthread_mutex_unlock(&committer->lock);
    /* After the lock is given back: who wakes up wants it. */
    if (was_empty && !store->is_polling) (void)pthread_cond_signal(&committer->changed);
    if (failure != 0) {
        (void)mem_resize(base->allocator, append, size, 0); /* freeing cannot fail */
        return failure;
    }
    base->pending++;
    base->pending_size += size;
    return 0;
}

static uint32_t sqlite_poll(struct store *base)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct committer *committer = &store->committer;
    if (base->mode == STORE_READ) return 0;
    (void)pthread_mutex_lock(&committer->lock);
    struct append_list completed = committer->completed;
    struct definition *spent = committer->spent;
    committer->completed = (struct append_list){0};
    committer->spent = NULL;
    (void)pthread_mutex_unlock(&committer->lock);
    definitions_free(spent, base->allocator);
    if (completed.first) {
        *(store->due.last ? &store->due.last->next : &store->due.first) = completed.first;
        store->due.last = completed.last;
    }
    uint32_t count = 0;
    bool was_polling = store->is_polling;
    store->is_polling = true;
    while (store->due.first) {
        struct append *append = store->due.first;
        store->due.first = append->next;
        if (!store->due.first) store->due.last = NULL;
        base->pending--;
        base->pending_size -= append->size;
        /* From now on the owner knows. */
        if (append->status == ORCH_ERR_FULL && append->epoch == store->epoch) store->epoch++;
        void (*done)(void *user, int status) = append->done;
        void *user = append->user;
        int status = append->status;
        (void)mem_resize(base->allocator, append, append->size, 0); /* freeing cannot fail */
        if (done) done(user, status);
        count++;
    }
    store->is_polling = was_polling;
    /* One transaction for what the completions have led to, instead of one for the first of it and one for the rest. */
    if (count > 0) {
        (void)pthread_mutex_lock(&committer->lock);
        bool has_work = committer->queue.first != NULL;
        (void)pthread_mutex_unlock(&committer->lock);
        if (has_work) (void)pthread_cond_signal(&committer->changed);
    }
    return count;
}

static bool sqlite_is_short(struct store *base)
{
    return atomic_load(&((struct sqlite_store *)base)->committer.is_short);
}

/*
 * Definitions and blobs.
 */

static int sqlite_put_definition(struct store *base, struct orch_str digest, struct orch_str name,
                                 struct orch_str normal, struct orch_error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct committer *committer = &store->committer;
    /* The same ones come again and again; once handed in they stay until they are durable. */
    char *known = store->known[str_hash(digest) % (sizeof store->known / sizeof *store->known)];
    if (digest.size < sizeof *store->known && str_is(digest, known)) return 0;
    size_t size = sizeof(struct definition) + digest.size + name.size + normal.size;
    struct definition *definition = mem_resize(base->allocator, NULL, 0, size);
    if (!definition) return error_memory(err);
    *definition = (struct definition){.size = size};
    struct copy copy = {definition->bytes};
    definition->digest = copy_str(&copy, digest);
    definition->name = copy_str(&copy, name);
    definition->normal = copy_str(&copy, normal);
    (void)pthread_mutex_lock(&committer->lock);
    *(committer->definitions_last ? &committer->definitions_last->next : &committer->definitions) = definition;
    committer->definitions_last = definition;
    (void)pthread_mutex_unlock(&committer->lock);
    if (digest.size < sizeof *store->known) {
        memcpy(known, digest.data, digest.size);
        known[digest.size] = '\0';
    }
    return 0;
}

static int sqlite_get_definition(struct store *base, struct orch_str digest, struct arena *arena,
                                 struct orch_str *ret_normal, struct orch_error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    if (base->mode == STORE_READ) return query_get_definition(base, digest, arena, ret_normal, err);
    struct committer *committer = &store->committer;
    struct orch_str normal = STR_NONE;
    (void)pthread_mutex_lock(&committer->lock);
    const struct definition *found = committer->definitions;
    while (found && !str_equal(found->digest, digest)) found = found->next;
    if (found) normal = arena_str(arena, found->normal);
    (void)pthread_mutex_unlock(&committer->lock);
    if (!found) return query_get_definition(base, digest, arena, ret_normal, err);
    if (!normal.data) return error_memory(err);
    *ret_normal = normal;
    return 0;
}

static int sqlite_get_blob(struct store *base, int64_t number, uint64_t blob, struct arena *arena, struct orch_str *ret,
                           struct orch_error *err)
{
    return blob_read(((struct sqlite_store *)base)->dir_fd, number, blob, arena, ret, err);
}

/*
 * Closing.
 */

static void text_free(const struct orch_allocator *allocator, char *text)
{
    if (text) (void)mem_resize(allocator, text, strlen(text) + 1, 0); /* freeing cannot fail */
}

/* Accepts a half-opened one. The lock is the last to go. */
static void sqlite_close(struct store *base)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    const struct orch_allocator *allocator = base->allocator;
    reader_close(store);
    committer_close(&store->committer, allocator);
    while (store->due.first) {
        struct append *append = store->due.first;
        store->due.first = append->next;
        (void)mem_resize(allocator, append, append->size, 0); /* freeing cannot fail */
    }
    if (store->lock_fd >= 0) (void)close(store->lock_fd); /* what it says is of no more use */
    if (store->dir_fd >= 0) (void)close(store->dir_fd);
    text_free(allocator, store->path);
    text_free(allocator, store->database);
    (void)mem_resize(allocator, store, sizeof *store, 0); /* freeing cannot fail */
}

static const struct store_methods sqlite_methods = {
    .close = sqlite_close,
    .append = sqlite_append,
    .poll = sqlite_poll,
    .put_definition = sqlite_put_definition,
    .get_definition = sqlite_get_definition,
    .get_blob = sqlite_get_blob,
    .each_alive = query_each_alive,
    .get_execution = query_get_execution,
    .each_record = query_each_record,
    .each_execution = query_each_execution,
    .count_states = query_count_states,
    .find_latest = query_find_latest,
    .failure = sqlite_failure,
    .is_short = sqlite_is_short,
};

static char *text_join(const struct orch_allocator *allocator, const char *a, const char *b)
{
    size_t size_a = strlen(a), size_b = strlen(b);
    char *text = mem_resize(allocator, NULL, 0, size_a + size_b + 1);
    if (!text) return NULL;
    memcpy(text, a, size_a);
    memcpy(text + size_a, b, size_b + 1);
    return text;
}

static struct sqlite_store *store_new(const char *path, const struct store_options *options)
{
    struct sqlite_store *store = mem_resize(options->allocator, NULL, 0, sizeof *store);
    if (!store) return NULL;
    *store = (struct sqlite_store){.base = {.methods = &sqlite_methods,
                                            .allocator = options->allocator,
                                            .mode = options->mode,
                                            .wake = options->wake,
                                            .wake_user = options->user},
                                   .path = text_join(options->allocator, path, ""),
                                   .database = text_join(options->allocator, path, "/orch.db"),
                                   .dir_fd = -1,
                                   .lock_fd = -1,
                                   .epoch = 1};
    if (store->path && store->database) return store;
    sqlite_close(&store->base);
    return NULL;
}

int sqlite_store_open(const char *path, const struct store_options *options, struct store **ret, struct orch_error *err)
{
    struct sqlite_store *store = store_new(path, options);
    if (!store) return error_memory(err);
    int code = options->mode == STORE_OWN ? open_own(store, options, err) : open_read(store, err);
    if (code < 0) {
        sqlite_close(&store->base);
        return code;
    }
    *ret = &store->base;
    return 0;
}

int sqlite_reader_open(const char *path, enum vfs_mode mode, struct store **ret, struct orch_error *err)
{
    bool made = false;
    const struct store_options options = {.mode = STORE_READ};
    struct sqlite_store *store = store_new(path, &options);
    if (!store) return error_memory(err);
    store->reader_mode = mode;
    int code = directory_open(path, false, &made, &store->dir_fd, err);
    if (code == 0) code = reader_open(store, err);
    if (code < 0) {
        sqlite_close(&store->base);
        return code;
    }
    *ret = &store->base;
    return 0;
}

sqlite3 *sqlite_reader(struct store *store)
{
    return ((struct sqlite_store *)store)->reader;
}

const char *store_path(const struct store *store)
{
    return store->methods == &sqlite_methods ? ((const struct sqlite_store *)store)->path : NULL;
}

void sqlite_limit_pages(struct store *base, uint32_t pages_max)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    (void)pthread_mutex_lock(&store->committer.lock);
    store->committer.pages_max = pages_max;
    (void)pthread_mutex_unlock(&store->committer.lock);
}
