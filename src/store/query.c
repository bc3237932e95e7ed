/*
 * query.c - reading: what is alive, one execution, its records, lists and counts, through a read-only connection.
 *
 * No query walks over executions that it does not show, but for filters that no index covers (docs/store.md names
 * them). A statement is reset before its function returns, so no reader stands in the way of a checkpoint for longer
 * than a call.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "store/sqlite.h"

#define COLUMNS                                                                                                       \
    "number, state, generation, tasks_total, tasks_done, tasks_failed, created_at, started_at, ended_at, updated_at," \
    " parent, parent_instance, parent_fence, workflow, digest, base_dir, file, started_by, error, waiting,"           \
    " coalesce(parameters, (SELECT p.parameters FROM large_parameters p WHERE p.number = executions.number))"

/* INDEXED BY: a plan that would walk the table does not even compile. */
static const char *const texts[QUERY_COUNT] = {
    [QUERY_ALIVE] = "SELECT " COLUMNS " FROM executions INDEXED BY executions_alive WHERE state < 4 ORDER BY number",
    [QUERY_EXECUTION] = "SELECT " COLUMNS " FROM executions WHERE number = ?1",
    [QUERY_RECORDS] = "SELECT seq, count, record FROM journal INDEXED BY journal_seq WHERE execution = ?1 AND seq >="
                      " coalesce((SELECT max(seq) FROM journal INDEXED BY journal_seq WHERE execution = ?1 AND seq <= "
                      "?2), 0) ORDER BY seq",
    [QUERY_RECORDS_MAPPED] = "SELECT j.seq, j.count, j.record FROM temp.journal_map m CROSS JOIN main.journal j ON"
                             " j.rowid = m.at WHERE m.execution = ?1 AND m.seq + j.count > ?2 ORDER BY m.seq",
    [QUERY_DEFINITION] = "SELECT normal FROM definitions WHERE digest = ?1",
    [QUERY_LIST_ALL] = "SELECT " COLUMNS " FROM executions WHERE number < ?1 ORDER BY number DESC",
    [QUERY_LIST_ALIVE] =
        "SELECT " COLUMNS
        " FROM executions INDEXED BY executions_alive WHERE state < 4 AND number < ?1 ORDER BY number DESC",
    [QUERY_LIST_PARENT] = "SELECT " COLUMNS " FROM executions INDEXED BY executions_parent"
                          " WHERE parent = ?2 AND number < ?1 ORDER BY number DESC",
    [QUERY_LIST_STATE] = "SELECT " COLUMNS " FROM executions INDEXED BY executions_finished"
                         " WHERE state >= 4 AND state = ?2 AND number < ?1 ORDER BY number DESC",
    [QUERY_LIST_WORKFLOW_STATE] =
        "SELECT " COLUMNS " FROM executions INDEXED BY executions_workflow"
        " WHERE state >= 4 AND state = ?2 AND workflow = ?3 AND number < ?1 ORDER BY number DESC",
    [QUERY_LIST_CREATED] =
        "SELECT " COLUMNS " FROM executions INDEXED BY executions_created"
        " WHERE created_at >= ?1 AND (created_at, number) < (?2, ?3) ORDER BY created_at DESC, number DESC",
    [QUERY_CREATED_AT] = "SELECT created_at FROM executions WHERE number = ?1",
    [QUERY_COUNTS] =
        "SELECT state, count FROM finished UNION ALL"
        " SELECT state, count(*) FROM executions INDEXED BY executions_alive WHERE state < 4 GROUP BY state",
    [QUERY_LATEST] = "SELECT number FROM executions INDEXED BY executions_file WHERE file = ?1 AND file <> ''"
                     " ORDER BY number DESC LIMIT 1",
    [QUERY_LATEST_ALIVE] = "SELECT number FROM executions INDEXED BY executions_alive WHERE state < 4 AND file = ?1"
                           " ORDER BY number DESC LIMIT 1",
};

const char *query_text(enum query query)
{
    return texts[query];
}

/*
 * The connection and its statements.
 */

/* The database as a URI (https://sqlite.org/uri.html) that says that nobody writes to it. */
static bool put_immutable_uri(const char *path, struct buf *out)
{
    buf_add_text(out, "file:");
    for (; *path; path++) {
        if (*path == '%' || *path == '?' || *path == '#')
            buf_printf(out, "%%%02X", (unsigned char)*path);
        else
            buf_add_char(out, *path);
    }
    buf_add_text(out, "?immutable=1");
    return !out->failed;
}

/* SQLite takes the log of an empty database for a left one and removes it, with all that may be in it. */
static int refuse_empty(const struct sqlite_store *store, struct orch_error *err)
{
    struct stat st;
    if (fstatat(store->dir_fd, "orch.db", &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size > 0) return 0;
    bool was_complete = faccessat(store->dir_fd, "lock", F_OK, 0) == 0 && lock_is_noted(store->dir_fd);
    if (!was_complete) return error_set(err, ORCH_ERR_NOT_FOUND, "%s is empty", store->database);
    (void)error_set(err, ORCH_ERR_CORRUPT, "%s is empty, but the store was complete once", store->database);
    error_hint(err, "restore it from a backup, or remove the whole directory to begin anew");
    return ORCH_ERR_CORRUPT;
}

int reader_open(struct sqlite_store *store, struct orch_error *err)
{
    if (store->reader) return 0;
    int code = refuse_empty(store, err);
    if (code < 0) return code;
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    sqlite3 *db = NULL;
    const char *vfs = vfs_name(store->reader_mode);
    struct buf uri;
    buf_init(&uri, NULL, 0);
    if (!vfs || (store->is_immutable && !put_immutable_uri(store->database, &uri))) {
        buf_done(&uri);
        return error_memory(err);
    }
    int rc = sqlite3_open_v2(store->is_immutable ? uri.data : store->database, &db,
                             store->is_immutable ? flags | SQLITE_OPEN_URI : flags, vfs);
    buf_done(&uri);
    if (rc == SQLITE_OK) rc = sqlite3_busy_timeout(db, STORE_BUSY_TIMEOUT_MS);
    if (rc == SQLITE_OK) rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "PRAGMA wal_autocheckpoint=0; PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON", NULL,
                          NULL, NULL);
    if (rc != SQLITE_OK) {
        code = sqlite_error(err, db, rc, store->database, "cannot open");
        (void)sqlite3_close(db); /* with nothing open it cannot be busy */
        return code;
    }
    store->reader = db;
    return 0;
}

void reader_close(struct sqlite_store *store)
{
    for (int i = 0; i < QUERY_COUNT; i++) {
        (void)sqlite3_finalize(store->queries[i]); /* the last step's code */
        store->queries[i] = NULL;
    }
    (void)sqlite3_close(store->reader); /* with nothing open it cannot be busy */
    store->reader = NULL;
}

static int reader_error(struct sqlite_store *store, int rc, struct orch_error *err)
{
    return sqlite_error(err, store->reader, rc, store->database, "cannot read");
}

/* A statement of its own to whoever asks: a callback may ask for the one that is being stepped. */
static int query_begin(struct sqlite_store *store, enum query query, sqlite3_stmt **ret, struct orch_error *err)
{
    int code = reader_open(store, err);
    if (code < 0) return code;
    if (store->queries[query] && !store->queries_busy[query]) {
        store->queries_busy[query] = true;
        *ret = store->queries[query];
        return 0;
    }
    bool is_kept = !store->queries[query];
    int rc = sqlite3_prepare_v3(store->reader, texts[query], -1, is_kept ? SQLITE_PREPARE_PERSISTENT : 0, ret, NULL);
    if (rc != SQLITE_OK) return reader_error(store, rc, err);
    if (is_kept) {
        store->queries[query] = *ret;
        store->queries_busy[query] = true;
    }
    return 0;
}

/* Accepts NULL. */
static void query_end(struct sqlite_store *store, enum query query, sqlite3_stmt *statement)
{
    if (!statement) return;
    if (statement != store->queries[query]) {
        (void)sqlite3_finalize(statement); /* the last step's code, which was looked at */
        return;
    }
    (void)sqlite3_reset(statement);          /* likewise */
    (void)sqlite3_clear_bindings(statement); /* what they pointed to is the caller's */
    store->queries_busy[query] = false;
}

static int bind_text(sqlite3_stmt *statement, int index, struct orch_str s)
{
    return sqlite3_bind_text64(statement, index, s.data ? s.data : "", s.size, SQLITE_STATIC, SQLITE_UTF8);
}

/*
 * Rows.
 */

/* NULL when memory was short: sqlite3_column_* have no other way to say so. */
static struct orch_str column_text(sqlite3_stmt *statement, int column)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL) return STR_NONE;
    const void *data = sqlite3_column_blob(statement, column);
    int size = sqlite3_column_bytes(statement, column);
    return str_of(size > 0 ? data : "", size > 0 && data ? (size_t)size : 0);
}

static void row_numbers(sqlite3_stmt *statement, struct store_execution *e)
{
    *e = (struct store_execution){
        .number = sqlite3_column_int64(statement, 0),
        .state = (uint8_t)sqlite3_column_int(statement, 1),
        .generation = (uint32_t)sqlite3_column_int64(statement, 2),
        .tasks_total = (uint32_t)sqlite3_column_int64(statement, 3),
        .tasks_done = (uint32_t)sqlite3_column_int64(statement, 4),
        .tasks_failed = (uint32_t)sqlite3_column_int64(statement, 5),
        .created_at = sqlite3_column_int64(statement, 6),
        .started_at = sqlite3_column_int64(statement, 7),
        .ended_at = sqlite3_column_int64(statement, 8),
        .updated_at = sqlite3_column_int64(statement, 9),
        .parent = sqlite3_column_int64(statement, 10),
        .parent_instance = (uint32_t)sqlite3_column_int64(statement, 11),
        .parent_fence = (uint64_t)sqlite3_column_int64(statement, 12),
        .workflow = column_text(statement, 13),
    };
}

/* The rest of a row that is shown. Texts are SQLite's until the next step. */
static int row_texts(struct sqlite_store *store, sqlite3_stmt *statement, struct store_execution *e, char id[20],
                     struct orch_error *err)
{
    if (e->number < 1 || e->state >= STORE_STATE_COUNT)
        return error_set(err, ORCH_ERR_CORRUPT, "%s: execution %lld in state %u", store->database, (long long)e->number,
                         e->state);
    store_execution_id(e->number, id);
    e->id = str_of(id, strlen(id));
    e->digest = column_text(statement, 14);
    e->base_dir = column_text(statement, 15);
    e->file = column_text(statement, 16);
    e->by = column_text(statement, 17);
    e->error = column_text(statement, 18);
    e->waiting = column_text(statement, 19);
    e->parameters = column_text(statement, 20);
    if (sqlite3_errcode(store->reader) == SQLITE_NOMEM) return error_memory(err);
    return 0;
}

int query_each_alive(struct store *base, int (*fn)(void *user, const struct store_execution *execution), void *user,
                     struct orch_error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    sqlite3_stmt *statement = NULL;
    int code = query_begin(store, QUERY_ALIVE, &statement, err), rc = SQLITE_DONE;
    while (code == 0 && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_execution e;
        char id[20];
        row_numbers(statement, &e);
        code = row_texts(store, statement, &e, id, err);
        if (code == 0) code = fn(user, &e);
    }
    if (code == 0 && rc != SQLITE_DONE) code = reader_error(store, rc, err);
    query_end(store, QUERY_ALIVE, statement);
    return code;
}

int query_get_execution(struct store *base, int64_t number, struct arena *arena, struct store_execution *ret,
                        struct orch_error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    sqlite3_stmt *statement = NULL;
    int code = query_begin(store, QUERY_EXECUTION, &statement, err);
    if (code < 0) return code;
    int rc = sqlite3_bind_int64(statement, 1, number);
    if (rc == SQLITE_OK) rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        struct store_execution e;
        char id[20];
        row_numbers(statement, &e);
        code = row_texts(store, statement, &e, id, err);
        if (code == 0) code = store_execution_to_arena(&e, arena, ret, err);
    } else if (rc == SQLITE_DONE) {
        code = error_set(err, ORCH_ERR_NOT_FOUND, "there is no execution %lld", (long long)number);
    } else {
        code = reader_error(store, rc, err);
    }
    query_end(store, QUERY_EXECUTION, statement);
    return code;
}

int query_each_record(struct store *base, int64_t number, uint64_t from_seq,
                      int (*fn)(void *user, uint64_t first_seq, uint32_t count, struct orch_str record), void *user,
                      struct orch_error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    sqlite3_stmt *statement = NULL;
    enum query query = store->has_map ? QUERY_RECORDS_MAPPED : QUERY_RECORDS;
    int code = query_begin(store, query, &statement, err);
    if (code < 0) return code;
    int rc = sqlite3_bind_int64(statement, 1, number);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(statement, 2, (int64_t)from_seq);
    if (rc == SQLITE_OK) rc = SQLITE_ROW;
    while (code == 0 && rc == SQLITE_ROW && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        uint64_t seq = (uint64_t)sqlite3_column_int64(statement, 0);
        uint32_t count = (uint32_t)sqlite3_column_int64(statement, 1);
        if (seq + count <= from_seq) continue;
        struct orch_str record = column_text(statement, 2);
        if (sqlite3_errcode(store->reader) == SQLITE_NOMEM)
            code = error_memory(err);
        else
            code = fn(user, seq, count, record);
    }
    if (code == 0 && rc != SQLITE_DONE) code = reader_error(store, rc, err);
    query_end(store, query, statement);
    return code;
}

/* Puts what follows a place of the table into the map; *at is moved behind it. SQLITE_DONE at the end of the table. */
static int map_from(sqlite3_stmt *walk, sqlite3_stmt *insert, int64_t *at)
{
    int rc = sqlite3_bind_int64(walk, 1, *at);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(walk);
        if (rc != SQLITE_ROW) break;
        *at = sqlite3_column_int64(walk, 0);
        for (int i = 0; i < 3; i++)
            (void)sqlite3_bind_value(insert, i + 1, sqlite3_column_value(walk, i)); /* a number */
        int put = sqlite3_step(insert);
        (void)sqlite3_reset(insert); /* gives the step's code again */
        if (put != SQLITE_DONE) rc = put;
    }
    (void)sqlite3_reset(walk); /* gives the step's code again */
    return rc;
}

/* Of single numbers over what cannot be read: a page has some tens of records, a page that leads to pages some
 * thousands. */
#define MAP_STEPS_MAX 20000

int query_map_records(struct store *base, struct orch_error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    sqlite3_stmt *walk = NULL, *insert = NULL, *last = NULL;
    if (store->has_map) return 0;
    int rc = sqlite3_exec(store->reader,
                          "CREATE TEMP TABLE journal_map(execution, seq, at, PRIMARY KEY(execution, seq)) WITHOUT "
                          "ROWID",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(store->reader,
                                "SELECT rowid, execution, seq FROM main.journal NOT INDEXED WHERE rowid > ?1 ORDER BY "
                                "rowid",
                                -1, &walk, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(store->reader,
                                "INSERT OR IGNORE INTO temp.journal_map(at, execution, seq) VALUES(?1, ?2, ?3)", -1,
                                &insert, NULL);
    int64_t at = INT64_MIN, end = 0;
    if (rc == SQLITE_OK) rc = map_from(walk, insert, &at);
    if (rc != SQLITE_DONE) {
        /* Over what cannot be read, one number after the other; a page has some tens of them. */
        if (sqlite3_prepare_v2(store->reader, "SELECT max(rowid) FROM main.journal NOT INDEXED", -1, &last, NULL) ==
                SQLITE_OK &&
            sqlite3_step(last) == SQLITE_ROW)
            end = sqlite3_column_int64(last, 0);
        if (at < 0) at = 0;
        if (end == 0) end = at + MAP_STEPS_MAX / 10; /* not even the end can be found */
        for (int steps = 0; rc != SQLITE_DONE && rc != SQLITE_NOMEM && at < end && steps < MAP_STEPS_MAX; steps++) {
            int64_t before = ++at;
            rc = map_from(walk, insert, &at);
            if (at > before) steps = 0;
        }
    }
    (void)sqlite3_finalize(walk); /* the steps' codes, which were looked at */
    (void)sqlite3_finalize(insert);
    (void)sqlite3_finalize(last);
    if (rc == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM) return error_memory(err);
    store->has_map = true;
    return 0;
}

int query_get_definition(struct store *base, struct orch_str digest, struct arena *arena, struct orch_str *ret_normal,
                         struct orch_error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    sqlite3_stmt *statement = NULL;
    int code = query_begin(store, QUERY_DEFINITION, &statement, err);
    if (code < 0) return code;
    int rc = bind_text(statement, 1, digest);
    if (rc == SQLITE_OK) rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        struct orch_str normal = arena_str(arena, column_text(statement, 0));
        if (!normal.data || sqlite3_errcode(store->reader) == SQLITE_NOMEM)
            code = error_memory(err);
        else
            *ret_normal = normal;
    } else if (rc == SQLITE_DONE) {
        code = error_set(err, ORCH_ERR_NOT_FOUND, "there is no definition %.*s", STR_ARG(digest));
    } else {
        code = reader_error(store, rc, err);
    }
    query_end(store, QUERY_DEFINITION, statement);
    return code;
}

/*
 * Lists: one or several sources, each newest first and each behind an index, merged by number; what the index does not
 * decide is decided row by row.
 */

struct source {
    enum query query;
    sqlite3_stmt *statement;
    int64_t number; /* of the row it stands on; 0 at the end */
};

struct list {
    struct sqlite_store *store;
    const struct store_filter *filter;
    int64_t below; /* only numbers below it, whatever the order */
    struct source sources[STORE_STATE_COUNT + 1];
    uint32_t count;
};

static bool row_matches(const struct store_filter *filter, const struct store_execution *e)
{
    return (e->state >= STORE_STATE_COUNT || (filter->state_mask >> e->state & 1)) &&
           (filter->parent < 0 || e->parent == filter->parent) &&
           (filter->workflow.size == 0 || str_equal(filter->workflow, e->workflow)) &&
           (filter->until == 0 || e->created_at < filter->until);
}

/* Moves on to the next row that the filter lets through. */
static int source_next(struct list *list, struct source *source, struct orch_error *err)
{
    struct store_execution e;
    int rc;
    while ((rc = sqlite3_step(source->statement)) == SQLITE_ROW) {
        row_numbers(source->statement, &e);
        if (e.number >= list->below || !row_matches(list->filter, &e)) continue;
        source->number = e.number;
        return 0;
    }
    source->number = 0;
    return rc == SQLITE_DONE ? 0 : reader_error(list->store, rc, err);
}

/* ?1 is the number to stay below, ?2 a state or a parent, ?3 the workflow. */
static int source_add(struct list *list, enum query query, int64_t value, struct orch_error *err)
{
    struct source *source = &list->sources[list->count];
    *source = (struct source){.query = query};
    int code = query_begin(list->store, query, &source->statement, err);
    if (code < 0) return code;
    list->count++;
    int rc = sqlite3_bind_int64(source->statement, 1, list->below);
    if (rc == SQLITE_OK && query != QUERY_LIST_ALL && query != QUERY_LIST_ALIVE)
        rc = sqlite3_bind_int64(source->statement, 2, value);
    if (rc == SQLITE_OK && query == QUERY_LIST_WORKFLOW_STATE)
        rc = bind_text(source->statement, 3, list->filter->workflow);
    return rc == SQLITE_OK ? source_next(list, source, err) : reader_error(list->store, rc, err);
}

static int add_sources(struct list *list, struct orch_error *err)
{
    const struct store_filter *filter = list->filter;
    const uint32_t all = (1u << STORE_STATE_COUNT) - 1, alive = (1u << STORE_STATE_FINISHED) - 1;
    if (filter->parent > 0) return source_add(list, QUERY_LIST_PARENT, filter->parent, err);
    bool is_any = filter->workflow.size == 0 && filter->state_mask == all;
    if (is_any && filter->parent == 0) return source_add(list, QUERY_LIST_PARENT, 0, err);
    if (is_any) return source_add(list, QUERY_LIST_ALL, 0, err);
    int code = filter->state_mask & alive ? source_add(list, QUERY_LIST_ALIVE, 0, err) : 0;
    enum query query = filter->workflow.size > 0 ? QUERY_LIST_WORKFLOW_STATE : QUERY_LIST_STATE;
    for (int state = STORE_STATE_FINISHED; state < STORE_STATE_COUNT && code == 0; state++)
        if (filter->state_mask >> state & 1) code = source_add(list, query, state, err);
    return code;
}

/* With a span of time the order is by creation, and a page begins behind the row `before`. */
static int add_span(struct list *list, struct orch_error *err)
{
    const struct store_filter *filter = list->filter;
    struct sqlite_store *store = list->store;
    int64_t until = filter->until != 0 ? filter->until : INT64_MAX, number = filter->until != 0 ? 0 : INT64_MAX;
    if (filter->before > 0) {
        sqlite3_stmt *statement = NULL;
        int code = query_begin(store, QUERY_CREATED_AT, &statement, err);
        if (code < 0) return code;
        int rc = sqlite3_bind_int64(statement, 1, filter->before);
        if (rc == SQLITE_OK) rc = sqlite3_step(statement);
        bool found = rc == SQLITE_ROW;
        list->below = found ? INT64_MAX : filter->before;
        if (found && sqlite3_column_int64(statement, 0) < until) {
            until = sqlite3_column_int64(statement, 0);
            number = filter->before;
        }
        query_end(store, QUERY_CREATED_AT, statement);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE) return reader_error(store, rc, err);
    }
    struct source *source = &list->sources[0];
    *source = (struct source){.query = QUERY_LIST_CREATED};
    int code = query_begin(store, source->query, &source->statement, err);
    if (code < 0) return code;
    list->count = 1;
    int rc = sqlite3_bind_int64(source->statement, 1, filter->since != 0 ? filter->since : INT64_MIN);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(source->statement, 2, until);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(source->statement, 3, number);
    return rc == SQLITE_OK ? source_next(list, source, err) : reader_error(store, rc, err);
}

int query_each_execution(struct store *base, const struct store_filter *filter,
                         int (*fn)(void *user, const struct store_execution *execution), void *user,
                         struct orch_error *err)
{
    struct list list = {.store = (struct sqlite_store *)base,
                        .filter = filter,
                        .below = filter->before > 0 ? filter->before : INT64_MAX};
    bool is_span = filter->since != 0 || filter->until != 0;
    int code = is_span ? add_span(&list, err) : add_sources(&list, err);
    for (uint32_t left = filter->count_max; left > 0 && code == 0; left--) {
        struct source *newest = NULL;
        for (uint32_t i = 0; i < list.count; i++)
            if (list.sources[i].number > 0 && (!newest || list.sources[i].number > newest->number))
                newest = &list.sources[i];
        if (!newest) break;
        struct store_execution e;
        char id[20];
        row_numbers(newest->statement, &e);
        code = row_texts(list.store, newest->statement, &e, id, err);
        if (code == 0) code = fn(user, &e);
        if (code == 0 && left > 1) code = source_next(&list, newest, err);
    }
    for (uint32_t i = 0; i < list.count; i++) query_end(list.store, list.sources[i].query, list.sources[i].statement);
    return code;
}

int query_count_states(struct store *base, uint64_t ret_counts[16], struct orch_error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    uint64_t counts[STORE_STATE_COUNT] = {0};
    sqlite3_stmt *statement = NULL;
    int code = query_begin(store, QUERY_COUNTS, &statement, err), rc = SQLITE_DONE;
    while (code == 0 && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        int64_t state = sqlite3_column_int64(statement, 0), count = sqlite3_column_int64(statement, 1);
        if (state < 0 || state >= STORE_STATE_COUNT || count < 0)
            code = error_set(err, ORCH_ERR_CORRUPT, "%s: %lld executions in state %lld", store->database,
                             (long long)count, (long long)state);
        else
            counts[state] += (uint64_t)count;
    }
    if (code == 0 && rc != SQLITE_DONE) code = reader_error(store, rc, err);
    query_end(store, QUERY_COUNTS, statement);
    if (code == 0) memcpy(ret_counts, counts, sizeof counts);
    return code;
}

int query_find_latest(struct store *base, struct orch_str file, bool alive, int64_t *ret_number, struct orch_error *err)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    enum query query = alive ? QUERY_LATEST_ALIVE : QUERY_LATEST;
    sqlite3_stmt *statement = NULL;
    int code = query_begin(store, query, &statement, err);
    if (code < 0) return code;
    int rc = bind_text(statement, 1, file);
    if (rc == SQLITE_OK) rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *ret_number = sqlite3_column_int64(statement, 0);
    else if (rc == SQLITE_DONE)
        code = error_set(err, ORCH_ERR_NOT_FOUND, "no %sexecution of %.*s", alive ? "unfinished " : "", STR_ARG(file));
    else
        code = reader_error(store, rc, err);
    query_end(store, query, statement);
    return code;
}
