/*
 * committer.c - the journal thread: everything that waits goes into one transaction, and who handed it in is told when
 * it is durable.
 *
 * While a transaction is being synced the next appends gather, so the number of rows a sync carries grows with the load
 * by itself. The thread allocates and frees nothing of the owner's: blocks come with the append and go back with its
 * completion.
 *
 * A full disk is the one failure that can be lived with: the transaction is rolled back and its appends fail. Those
 * behind them must fail as well, or a record would be missing in front of another. Each append carries the owner's
 * epoch, which goes up when the owner is told of a full disk; what is of the failed epoch or before cannot have known
 * of it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/error.h"
#include "store/sqlite.h"
#include "sys/clock.h"

/* A transaction takes no more than this, so that a completion does not wait for everything there is. */
#define TRANSACTION_SIZE_MAX ((size_t)16 << 20)

static const char *const texts[WRITE_COUNT] = {
    [WRITE_BEGIN] = "BEGIN IMMEDIATE",
    [WRITE_COMMIT] = "COMMIT",
    [WRITE_ROLLBACK] = "ROLLBACK",
    [WRITE_RECORD] = "INSERT INTO journal(execution, seq, count, record) VALUES(?1, ?2, ?3, ?4)",
    [WRITE_EXECUTION] = "INSERT INTO executions(number, state, generation, tasks_total, tasks_done, tasks_failed, "
                        "created_at, started_at,"
                        " ended_at, updated_at, parent, parent_instance, parent_fence, workflow, digest, base_dir, "
                        "file, started_by, error,"
                        " waiting, parameters) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
                        "?15, ?16, ?17, ?18, ?19,"
                        " ?20, ?21)",
    [WRITE_PARAMETERS] = "INSERT INTO large_parameters(number, parameters) VALUES(?1, ?2)",
    [WRITE_STATE_OF] = "SELECT state FROM executions WHERE number = ?1",
    /* Two forms: naming the state rewrites the entries of three indexes, also when it stays the same. */
    [WRITE_UPDATE] =
        "UPDATE executions SET generation = ?2, tasks_total = ?3, tasks_done = ?4, tasks_failed = ?5, started_at = ?6,"
        " ended_at = ?7, updated_at = ?8, error = ?9, waiting = ?10 WHERE number = ?1",
    [WRITE_UPDATE_STATE] =
        "UPDATE executions SET generation = ?2, tasks_total = ?3, tasks_done = ?4, tasks_failed = ?5, started_at = ?6,"
        " ended_at = ?7, updated_at = ?8, error = ?9, waiting = ?10, state = ?11 WHERE number = ?1",
    [WRITE_FINISHED] =
        "INSERT INTO finished(state, count) VALUES(?1, ?2) ON CONFLICT(state) DO UPDATE SET count = count + ?2",
    [WRITE_DEFINITION] = "INSERT OR IGNORE INTO definitions(digest, name, created_at, normal) VALUES(?1, ?2, ?3, ?4)",
};

/*
 * Rows. All return SQLite's codes; texts are bound where they stand, since the append outlives the transaction.
 */

static int bind_text(sqlite3_stmt *statement, int index, struct orch_str s)
{
    return sqlite3_bind_text64(statement, index, s.data ? s.data : "", s.size, SQLITE_STATIC, SQLITE_UTF8);
}

/* Runs a statement that gives no rows. */
static int run(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);
    (void)sqlite3_reset(statement); /* gives the step's code again */
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int write_record(struct committer *committer, const struct store_entry *entry)
{
    sqlite3_stmt *statement = committer->statements[WRITE_RECORD];
    int rc = sqlite3_bind_int64(statement, 1, entry->number);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(statement, 2, (int64_t)entry->first_seq);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(statement, 3, entry->count);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_blob64(statement, 4, entry->record.data ? entry->record.data : "", entry->record.size,
                                 SQLITE_STATIC);
    return rc == SQLITE_OK ? run(statement) : rc;
}

static int write_parameters(struct committer *committer, const struct store_execution *e)
{
    sqlite3_stmt *statement = committer->statements[WRITE_PARAMETERS];
    int rc = sqlite3_bind_int64(statement, 1, e->number);
    if (rc == SQLITE_OK) rc = bind_text(statement, 2, e->parameters);
    return rc == SQLITE_OK ? run(statement) : rc;
}

static int write_execution(struct committer *committer, const struct store_execution *e)
{
    sqlite3_stmt *statement = committer->statements[WRITE_EXECUTION];
    const int64_t numbers[] = {
        e->number,       e->state,           e->generation,           e->tasks_total, e->tasks_done,
        e->tasks_failed, e->created_at,      e->started_at,           e->ended_at,    e->updated_at,
        e->parent,       e->parent_instance, (int64_t)e->parent_fence};
    const struct orch_str strings[] = {e->workflow, e->digest, e->base_dir, e->file, e->by, e->error, e->waiting};
    int rc = SQLITE_OK, index = 1;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && rc == SQLITE_OK; i++)
        rc = sqlite3_bind_int64(statement, index++, numbers[i]);
    for (size_t i = 0; i < sizeof strings / sizeof *strings && rc == SQLITE_OK; i++)
        rc = bind_text(statement, index++, strings[i]);
    bool is_large = e->parameters.size > STORE_PARAMETERS_INLINE_MAX;
    if (rc == SQLITE_OK)
        rc = is_large ? sqlite3_bind_null(statement, index) : bind_text(statement, index, e->parameters);
    if (rc == SQLITE_OK) rc = run(statement);
    if (rc == SQLITE_OK && is_large) rc = write_parameters(committer, e);
    if (rc == SQLITE_OK && e->state >= STORE_STATE_FINISHED) committer->finished[e->state]++;
    return rc;
}

/* SQLITE_NOTFOUND when there is no such execution: a bug above, and no reason to guess. */
static int write_update(struct committer *committer, int64_t number, const struct store_execution *e)
{
    sqlite3_stmt *state_of = committer->statements[WRITE_STATE_OF];
    int rc = sqlite3_bind_int64(state_of, 1, number);
    if (rc != SQLITE_OK) return rc;
    rc = sqlite3_step(state_of);
    int state = rc == SQLITE_ROW ? sqlite3_column_int(state_of, 0) : 0;
    (void)sqlite3_reset(state_of); /* gives the step's code again */
    if (rc != SQLITE_ROW) return rc == SQLITE_DONE ? SQLITE_NOTFOUND : rc;
    if (state < 0 || state >= STORE_STATE_COUNT) return SQLITE_CORRUPT;

    bool is_moved = state != e->state;
    sqlite3_stmt *statement = committer->statements[is_moved ? WRITE_UPDATE_STATE : WRITE_UPDATE];
    const int64_t numbers[] = {number,          e->generation, e->tasks_total, e->tasks_done,
                               e->tasks_failed, e->started_at, e->ended_at,    e->updated_at};
    rc = SQLITE_OK;
    int index = 1;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && rc == SQLITE_OK; i++)
        rc = sqlite3_bind_int64(statement, index++, numbers[i]);
    if (rc == SQLITE_OK) rc = bind_text(statement, index++, e->error);
    if (rc == SQLITE_OK) rc = bind_text(statement, index++, e->waiting);
    if (rc == SQLITE_OK && is_moved) rc = sqlite3_bind_int(statement, index, e->state);
    if (rc == SQLITE_OK) rc = run(statement);
    if (rc == SQLITE_OK && is_moved) {
        if (state >= STORE_STATE_FINISHED) committer->finished[state]--;
        if (e->state >= STORE_STATE_FINISHED) committer->finished[e->state]++;
    }
    return rc;
}

static int write_finished(struct committer *committer)
{
    int rc = SQLITE_OK;
    sqlite3_stmt *statement = committer->statements[WRITE_FINISHED];
    for (int state = 0; state < STORE_STATE_COUNT && rc == SQLITE_OK; state++) {
        if (committer->finished[state] == 0) continue;
        rc = sqlite3_bind_int(statement, 1, state);
        if (rc == SQLITE_OK) rc = sqlite3_bind_int64(statement, 2, committer->finished[state]);
        if (rc == SQLITE_OK) rc = run(statement);
    }
    return rc;
}

static int write_definition(struct committer *committer, const struct definition *definition)
{
    sqlite3_stmt *statement = committer->statements[WRITE_DEFINITION];
    int rc = bind_text(statement, 1, definition->digest);
    if (rc == SQLITE_OK) rc = bind_text(statement, 2, definition->name);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(statement, 3, clock_wall());
    if (rc == SQLITE_OK) rc = bind_text(statement, 4, definition->normal);
    return rc == SQLITE_OK ? run(statement) : rc;
}

static int write_all(struct committer *committer, const struct append *appends, const struct definition *definition,
                     const struct definition *definition_last)
{
    int rc = SQLITE_OK;
    memset(committer->finished, 0, sizeof committer->finished);
    for (; definition && rc == SQLITE_OK; definition = definition == definition_last ? NULL : definition->next)
        rc = write_definition(committer, definition);
    for (const struct append *append = appends; append; append = append->next) {
        for (uint32_t i = 0; i < append->count && rc == SQLITE_OK; i++) {
            const struct store_entry *entry = &append->entries[i];
            if (entry->create) rc = write_execution(committer, entry->create);
            if (rc == SQLITE_OK && entry->count > 0) rc = write_record(committer, entry);
            if (rc == SQLITE_OK && entry->update) rc = write_update(committer, entry->number, entry->update);
        }
    }
    return rc == SQLITE_OK ? write_finished(committer) : rc;
}

/*
 * Transactions.
 */

/*
 * A lock that somebody else holds (a shell on the database) is waited for: BUSY_TRIES times SQLite's own waiting. That
 * is a minute; the sole writer itself meets it for a moment at most.
 */
#define BUSY_TRIES 6

static int run_patiently(sqlite3_stmt *statement)
{
    int rc = SQLITE_OK;
    for (int i = 0; i < BUSY_TRIES; i++) {
        rc = run(statement);
        if ((rc & 0xff) != SQLITE_BUSY) break;
    }
    return rc;
}

static int transact(struct committer *committer, const struct append *appends, const struct definition *definition,
                    const struct definition *definition_last, struct orch_error *err)
{
    int rc = run_patiently(committer->statements[WRITE_BEGIN]);
    if (rc == SQLITE_OK) rc = write_all(committer, appends, definition, definition_last);
    if (rc == SQLITE_OK) rc = run_patiently(committer->statements[WRITE_COMMIT]);
    if (rc == SQLITE_OK) {
        log_end_note(&committer->log_end, committer->db);
        return 0;
    }
    int code = sqlite_error(err, committer->db, rc, committer->path, "cannot write");
    if (!sqlite3_get_autocommit(committer->db)) {
        int rollback = run(committer->statements[WRITE_ROLLBACK]);
        if (rollback != SQLITE_OK && !sqlite3_get_autocommit(committer->db))
            code = sqlite_error(err, committer->db, rollback, committer->path, "cannot take back a transaction");
    }
    return code;
}

static void remove_blobs(struct committer *committer, const struct append *appends)
{
    for (const struct append *append = appends; append; append = append->next)
        for (uint32_t i = 0; i < append->count; i++)
            for (uint32_t j = 0; j < append->entries[i].blobs_count; j++)
                blob_remove(committer->dir_fd, append->entries[i].number, append->entries[i].blobs[j].blob);
}

/* Blobs first: a record that names one is only committed when it is on the disk. */
static int write_blobs(struct committer *committer, const struct append *appends, struct orch_error *err)
{
    for (const struct append *append = appends; append; append = append->next) {
        for (uint32_t i = 0; i < append->count; i++) {
            const struct store_entry *entry = &append->entries[i];
            for (uint32_t j = 0; j < entry->blobs_count; j++) {
                int code = blob_write(committer->dir_fd, entry->number, &entry->blobs[j], committer->no_sync, err);
                if (code < 0) return code;
            }
        }
    }
    return 0;
}

static int write_batch(struct committer *committer, const struct append *appends, const struct definition *definition,
                       const struct definition *definition_last, struct orch_error *err)
{
    int code = write_blobs(committer, appends, err);
    if (code == 0) code = transact(committer, appends, definition, definition_last, err);
    if (code == ORCH_ERR_FULL) remove_blobs(committer, appends);
    return code;
}

static void set_pages_max(struct committer *committer, uint32_t pages_max)
{
    if (pages_max == committer->pages_max_set) return;
    committer->pages_max_set = pages_max;
    char sql[64];
    (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count = %u", pages_max);
    (void)sqlite3_exec(committer->db, sql, NULL, NULL, NULL); /* a test that needs it notices */
}

static void list_add(struct append_list *list, struct append_list *more)
{
    if (!more->first) return;
    *(list->last ? &list->last->next : &list->first) = more->first;
    list->last = more->last;
    *more = (struct append_list){0};
}

/* From the front of the queue: appends that were lost with an earlier one, or else as many as one transaction takes. */
static struct append_list take_batch(struct committer *committer, bool *ret_is_lost)
{
    struct append_list batch = {0};
    size_t size = 0;
    bool is_lost = committer->queue.first && committer->queue.first->epoch <= committer->epoch_full;
    while (committer->queue.first && (size < TRANSACTION_SIZE_MAX || is_lost)) {
        struct append *append = committer->queue.first;
        if ((append->epoch <= committer->epoch_full) != is_lost) break;
        committer->queue.first = append->next;
        if (!committer->queue.first) committer->queue.last = NULL;
        append->next = NULL;
        *(batch.last ? &batch.last->next : &batch.first) = append;
        batch.last = append;
        size += append->size;
    }
    *ret_is_lost = is_lost;
    return batch;
}

/*
 * The thread. `lock` is held on entry and exit of the next three.
 */

static void fail(struct committer *committer, const struct orch_error *err)
{
    if (committer->failure.code == 0) committer->failure = *err;
}

/* Definitions up to `last` are durable. */
static void spend_definitions(struct committer *committer, struct definition *last)
{
    struct definition *first = committer->definitions;
    committer->definitions = last->next;
    if (!committer->definitions) committer->definitions_last = NULL;
    last->next = committer->spent;
    committer->spent = first;
}

static void commit_batch(struct committer *committer)
{
    bool is_lost = false;
    struct append_list batch = take_batch(committer, &is_lost);
    struct definition *definition = committer->definitions, *definition_last = committer->definitions_last;
    struct orch_error error = committer->failure;
    uint32_t pages_max = committer->pages_max;
    int code = error.code;
    if (code == 0 && is_lost) code = ORCH_ERR_FULL;
    bool is_tried = code == 0, is_committed = false;
    if (is_tried) {
        (void)pthread_mutex_unlock(&committer->lock);
        set_pages_max(committer, pages_max);
        code = write_batch(committer, batch.first, definition, definition_last, &error);
        if (code == ORCH_ERR_FULL && reserve_release(committer))
            code = write_batch(committer, batch.first, definition, definition_last, &error);
        is_committed = code == 0;
        (void)pthread_mutex_lock(&committer->lock);
        if (is_committed && definition) spend_definitions(committer, definition_last);
        if (code == ORCH_ERR_FULL && batch.last) committer->epoch_full = batch.last->epoch;
        if (code < 0 && code != ORCH_ERR_FULL) fail(committer, &error);
    }
    for (struct append *append = batch.first; append; append = append->next) append->status = code;
    bool is_news = batch.first != NULL;
    list_add(&committer->completed, &batch);
    (void)pthread_mutex_unlock(&committer->lock);
    if (is_news && committer->wake) committer->wake(committer->wake_user);
    int checkpoint_code = is_committed ? checkpoint_commit(committer, &error) : 0;
    if (is_committed) reserve_make(committer);
    (void)pthread_mutex_lock(&committer->lock);
    if (checkpoint_code < 0) fail(committer, &error);
}

static void rest(struct committer *committer)
{
    struct orch_error error;
    (void)pthread_mutex_unlock(&committer->lock);
    int code = checkpoint_idle(committer, &error);
    reserve_make(committer);
    (void)pthread_mutex_lock(&committer->lock);
    if (code < 0) fail(committer, &error);
}

/* Waits for a change; false when the time is up. */
static bool wait_for_change(struct committer *committer, orch_time wait_us)
{
    if (wait_us == ORCH_TIME_NEVER) {
        (void)pthread_cond_wait(&committer->changed, &committer->lock); /* fails only when misused */
        return true;
    }
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until); /* cannot fail */
    int64_t ns = until.tv_nsec + wait_us % ORCH_SECOND * 1000;
    until.tv_sec += (time_t)(wait_us / ORCH_SECOND + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    return pthread_cond_timedwait(&committer->changed, &committer->lock, &until) != ETIMEDOUT;
}

static void *committer_run(void *user)
{
    struct committer *committer = user;
    (void)pthread_mutex_lock(&committer->lock); /* fails only when misused, as below */
    for (;;) {
        if (committer->queue.first) {
            commit_batch(committer);
        } else if (committer->stop) {
            break;
        } else {
            orch_time wait_us = committer->failure.code == 0 ? checkpoint_wait_us(committer) : ORCH_TIME_NEVER;
            if (!wait_for_change(committer, wait_us) && !committer->queue.first && !committer->stop) rest(committer);
        }
    }
    /* Definitions that no append came after. */
    if (committer->definitions && committer->failure.code == 0) commit_batch(committer);
    (void)pthread_mutex_unlock(&committer->lock);
    return NULL;
}

static int on_wal(void *user, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((struct committer *)user)->wal_pages = pages;
    return SQLITE_OK;
}

static int start(struct committer *committer, struct orch_error *err)
{
    pthread_condattr_t attributes;
    int number = pthread_mutex_init(&committer->lock, NULL);
    committer->has_lock = number == 0;
    if (number == 0) number = pthread_condattr_init(&attributes);
    if (number == 0) {
        number = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        if (number == 0) number = pthread_cond_init(&committer->changed, &attributes);
        committer->has_cond = number == 0;
        (void)pthread_condattr_destroy(&attributes); /* cannot fail */
    }
    if (number == 0) {
        /* Signals are the owner's business. */
        sigset_t all, before;
        (void)sigfillset(&all); /* cannot fail */
        number = pthread_sigmask(SIG_SETMASK, &all, &before);
        if (number == 0) {
            number = pthread_create(&committer->thread, NULL, committer_run, committer);
            (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* as above */
        }
        committer->is_running = number == 0;
    }
    /* EAGAIN is also what a thread answers for whose variables there is no memory. */
    if (number == EAGAIN)
        return error_set(err, ORCH_ERR_NO_MEMORY,
                         "cannot start the store's thread: out of memory, or too many threads");
    return number == 0 ? 0 : error_errno(err, number, "cannot start the store's thread");
}

int committer_open(struct committer *committer, sqlite3 *db, const struct log_end *take_log_end,
                   const struct sqlite_store *store, const struct store_options *options, struct orch_error *err)
{
    *committer = (struct committer){.db = db,
                                    .path = store->database,
                                    .dir_fd = store->dir_fd,
                                    .no_sync = options->no_sync,
                                    .log_end = *take_log_end,
                                    .reserve_size = options->reserve_size,
                                    .wake = options->wake,
                                    .wake_user = options->user};
    for (int i = 0; i < WRITE_COUNT; i++) {
        int rc = sqlite3_prepare_v3(db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &committer->statements[i], NULL);
        if (rc != SQLITE_OK) return sqlite_error(err, db, rc, store->database, "the schema is not as it should be");
    }
    (void)sqlite3_wal_hook(db, on_wal, committer); /* gives the hook before it */
    reserve_open(committer);
    return start(committer, err);
}

void committer_close(struct committer *committer, const struct orch_allocator *allocator)
{
    if (committer->is_running) {
        (void)pthread_mutex_lock(&committer->lock);
        committer->stop = true;
        (void)pthread_cond_signal(&committer->changed);
        (void)pthread_mutex_unlock(&committer->lock);
        (void)pthread_join(committer->thread, NULL);
    }
    if (committer->has_cond) (void)pthread_cond_destroy(&committer->changed);
    if (committer->has_lock) (void)pthread_mutex_destroy(&committer->lock);
    for (int i = 0; i < WRITE_COUNT; i++) (void)sqlite3_finalize(committer->statements[i]); /* the last step's code */
    /* After a failure the log stays for the next life to look at: it checks what is really on the disk. What a reader
     * keeps from being brought in stays as well, since the note of its end does. */
    bool is_done = false;
    if (committer->db && committer->failure.code == 0)
        (void)checkpoint_all(committer->db, &committer->log_end, &is_done, committer->path, NULL); /* seen in is_done */
    if (is_done) (void)sqlite3_db_config(committer->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    (void)sqlite3_close(committer->db); /* with nothing open it cannot be busy */
    if (committer->db && committer->log_end.fd >= 0) (void)close(committer->log_end.fd); /* nothing of it waits */
    while (committer->completed.first) {
        struct append *append = committer->completed.first;
        committer->completed.first = append->next;
        (void)mem_resize(allocator, append, append->size, 0); /* freeing cannot fail */
    }
    definitions_free(committer->definitions, allocator);
    definitions_free(committer->spent, allocator);
    *committer = (struct committer){.dir_fd = -1};
}

void definitions_free(struct definition *definition, const struct orch_allocator *allocator)
{
    while (definition) {
        struct definition *next = definition->next;
        (void)mem_resize(allocator, definition, definition->size, 0); /* freeing cannot fail */
        definition = next;
    }
}
