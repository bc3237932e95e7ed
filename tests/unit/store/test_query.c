/*
 * Reading: plans that do not depend on what is finished, callbacks that ask themselves, pages that follow each other,
 * and a log that does not grow under a reader.
 */
#include "common.h"

#include <sqlite3.h>
#include <time.h>

#include "store/sqlite.h"

/* Each query by an index, and no sorting. */
static void test_plans(void **state)
{
    (void)state;
    static const struct {
        enum query query;
        const char *plan; /* what it must say */
    } cases[] = {
        {QUERY_ALIVE, "USING INDEX executions_alive"},
        {QUERY_EXECUTION, "SEARCH executions USING INTEGER PRIMARY KEY"},
        {QUERY_RECORDS, "SEARCH journal USING INDEX journal_seq (execution=? AND seq>?)"},
        {QUERY_DEFINITION, "SEARCH definitions USING INDEX definitions_digest"},
        {QUERY_LIST_ALL, "SEARCH executions USING INTEGER PRIMARY KEY (rowid<?)"},
        {QUERY_LIST_ALIVE, "SEARCH executions USING INDEX executions_alive (number<?)"},
        {QUERY_LIST_PARENT, "SEARCH executions USING INDEX executions_parent (parent=? AND rowid<?)"},
        {QUERY_LIST_STATE, "SEARCH executions USING INDEX executions_finished (state=? AND rowid<?)"},
        {QUERY_LIST_WORKFLOW_STATE,
         "SEARCH executions USING INDEX executions_workflow (state=? AND workflow=? AND rowid<?)"},
        {QUERY_LIST_CREATED, "SEARCH executions USING INDEX executions_created"},
        {QUERY_CREATED_AT, "SEARCH executions USING INTEGER PRIMARY KEY"},
        {QUERY_COUNTS, "USING COVERING INDEX executions_alive"},
        {QUERY_LATEST, "USING COVERING INDEX executions_file"},
        {QUERY_LATEST_ALIVE, "USING INDEX executions_alive"},
        {QUERY_RECORDS_MAPPED, "SEARCH m USING PRIMARY KEY (execution=?)\nSEARCH j USING INTEGER PRIMARY KEY (rowid=?)"},
    };
    assert_int_equal(sizeof cases / sizeof *cases, QUERY_COUNT);
    sqlite3 *db = NULL;
    uint32_t count = 0;
    const struct migration *list = migrate_list(&count);
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(migrate_database(db, list, count, "db", NULL), 0);
    /* As query_map_records makes it. */
    assert_int_equal(sqlite3_exec(db,
                                  "CREATE TEMP TABLE journal_map(execution, seq, at, PRIMARY KEY(execution, seq)) "
                                  "WITHOUT ROWID",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sql[2000], plan[2000] = "";
        snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", query_text(cases[i].query));
        sqlite3_stmt *statement = NULL;
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
        while (sqlite3_step(statement) == SQLITE_ROW) {
            size_t size = strlen(plan);
            snprintf(plan + size, sizeof plan - size, "%s\n", (const char *)sqlite3_column_text(statement, 3));
        }
        (void)sqlite3_finalize(statement);
        bool walks =
            strstr(plan, "SCAN executions\n") || strstr(plan, "SCAN journal") || strstr(plan, "SCAN definitions");
        bool sorts = strstr(plan, "ORDER BY") != NULL;
        /* A handful of states is counted; the order of the counts is free. */
        if (cases[i].query == QUERY_COUNTS) sorts = false;
        if (!strstr(plan, cases[i].plan) || walks || sorts) fail_msg("%s\n%s", sql, plan);
    }
    (void)sqlite3_close(db);
}

static void append_rows(struct fixture *f, int count, uint8_t rowstate)
{
    for (int i = 0; i < count; i++) {
        struct store_execution row = row_of(store_next_number(f->store), i % 2 ? "odd" : "even", rowstate);
        struct store_entry entry = {
            .number = row.number, .first_seq = 1, .count = 1, .record = STR("r"), .create = &row};
        assert_int_equal(store_append(f->store, &entry, 1, NULL, NULL, NULL), 0);
    }
    fixture_drain(f);
}

static int count_row(void *user, const struct store_execution *execution)
{
    (void)execution;
    ++*(int *)user;
    return 0;
}

/*
 * 10^5 finished ones: what is alive is found among them by reading about as many pages as without them. The counting is
 * SQLite's: steps of its machine, which are the same on each run.
 */
static int64_t steps_of(struct fixture *f, enum query query)
{
    struct sqlite_store *store = (struct sqlite_store *)f->store;
    sqlite3_stmt *statement = store->queries[query];
    assert_non_null(statement);
    return sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1);
}

static int64_t alive_steps(struct fixture *f, int expected)
{
    int count = 0;
    assert_int_equal(store_each_alive(f->store, count_row, &count, NULL), 0);
    assert_int_equal(count, expected);
    int64_t steps = steps_of(f, QUERY_ALIVE);
    uint64_t counts[16];
    assert_int_equal(store_count_states(f->store, counts, NULL), 0);
    assert_int_equal(counts[1], expected);
    int64_t latest = 0;
    assert_int_equal(store_find_latest(f->store, STR("a.yaml"), true, &latest, NULL), 0);
    return steps + steps_of(f, QUERY_COUNTS) + steps_of(f, QUERY_LATEST_ALIVE);
}

static void test_alive_among_many(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    struct store_options options = fixture_options(&f, STORE_OWN);
    options.no_sync = true;
    assert_int_equal(store_open(f.path, &options, &f.store, NULL), 0);
    append_rows(&f, 10, 4);
    append_rows(&f, 5, 5);
    append_rows(&f, 10, 1);
    int64_t before = alive_steps(&f, 10);
    append_rows(&f, 100000, 4);
    append_rows(&f, 5, 5);
    assert_int_equal(alive_steps(&f, 10), before);

    uint64_t counts[16];
    assert_int_equal(store_count_states(f.store, counts, NULL), 0);
    assert_int_equal(counts[4], 100010);
    assert_int_equal(counts[5], 10);
    /* The rare ones among the many, and the first of the many: in a moment each. */
    struct timespec begin, end;
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < 100; i++) {
        int count = 0;
        struct store_filter filter = {.state_mask = 1u << 5 | 1u << 1};
        assert_int_equal(store_each_execution(f.store, &filter, count_row, &count, NULL), 0);
        assert_int_equal(count, 20);
        filter = (struct store_filter){.workflow = STR("odd"), .state_mask = 1u << 5};
        count = 0;
        assert_int_equal(store_each_execution(f.store, &filter, count_row, &count, NULL), 0);
        assert_int_equal(count, 4);
        filter = (struct store_filter){.since = 1000 + 100025};
        count = 0;
        assert_int_equal(store_each_execution(f.store, &filter, count_row, &count, NULL), 0);
        assert_int_equal(count, 6);
        filter = (struct store_filter){.until = 1004};
        count = 0;
        assert_int_equal(store_each_execution(f.store, &filter, count_row, &count, NULL), 0);
        assert_int_equal(count, 3);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    /* 400 lists. Walking 100,000 rows for each would take 8 s or more here; this takes 20 ms. */
    assert_in_range((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000, 0, 2000);
    fixture_done(&f);
}

/* Each row asks the same question again, three deep. */
struct nested {
    struct store *store;
    int depth;
    int count;
};

static int ask_again(void *user, const struct store_execution *execution)
{
    struct nested *nested = user;
    struct arena arena;
    struct store_execution e;
    arena_init(&arena, NULL, 0);
    nested->count++;
    assert_int_equal(store_get_execution(nested->store, execution->number, &arena, &e, NULL), 0);
    assert_true(str_equal(e.id, execution->id));
    assert_true(str_equal(e.file, execution->file));
    arena_done(&arena);
    if (nested->depth == 2) return 0;
    nested->depth++;
    int code = nested->depth % 2
                   ? store_each_alive(nested->store, ask_again, nested, NULL)
                   : store_each_execution(nested->store, &(struct store_filter){0}, ask_again, nested, NULL);
    nested->depth--;
    return code;
}

static void test_nested(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    append_rows(&f, 5, 1);
    for (int i = 0; i < 2; i++) {
        struct nested nested = {f.store, 0, 0};
        assert_int_equal(store_each_alive(f.store, ask_again, &nested, NULL), 0);
        assert_int_equal(nested.count, 5 + 25 + 125);
    }
    fixture_done(&f);
}

struct page {
    int64_t last;
    int count;
};

static int keep_last(void *user, const struct store_execution *execution)
{
    struct page *page = user;
    page->last = execution->number;
    page->count++;
    return 0;
}

/* With a clock that jumped back in between, pages of a span still show each execution once. */
static void test_pages(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    for (int i = 0; i < 50; i++) {
        struct store_execution row = row_of(store_next_number(f.store), "w", 4);
        row.created_at = 5000 + (i < 25 ? i : i - 30); /* equal ones, too */
        struct store_entry entry = {
            .number = row.number, .first_seq = 1, .count = 1, .record = STR("r"), .create = &row};
        assert_int_equal(store_append(f.store, &entry, 1, NULL, NULL, NULL), 0);
    }
    fixture_drain(&f);
    for (int span = 0; span < 2; span++) {
        struct store_filter filter = {.since = span ? 1 : 0, .count_max = 7};
        bool seen[51] = {false};
        int pages = 0;
        for (;;) {
            struct page page = {0, 0};
            assert_int_equal(store_each_execution(f.store, &filter, keep_last, &page, NULL), 0);
            if (page.count == 0) break;
            pages++;
            struct store_filter one = filter;
            for (one.count_max = 1; page.count > 0; page.count--) {
                struct page single = {0, 0};
                assert_int_equal(store_each_execution(f.store, &one, keep_last, &single, NULL), 0);
                assert_false(seen[single.last]);
                seen[single.last] = true;
                one.before = single.last;
            }
            assert_int_equal(one.before, page.last);
            filter.before = page.last;
        }
        assert_int_equal(pages, 8);
        for (int i = 1; i <= 50; i++) assert_true(seen[i]);
    }
    fixture_done(&f);
}

static off_t log_size(const struct fixture *f)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/orch.db-wal", f->path);
    return stat(path, &st) == 0 ? st.st_size : 0;
}

/* The log is emptied when there is nothing to do, and begun anew at 16 MB, though a reader is open. */
static void test_log(void **state)
{
    (void)state;
    static char large[100000];
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    int64_t number = make_execution(&f, "w", 1);
    struct store_options options = {.mode = STORE_READ};
    struct store *reader = NULL;
    assert_int_equal(store_open(f.path, &options, &reader, NULL), 0);
    int count = 0;
    assert_int_equal(store_each_alive(reader, count_row, &count, NULL), 0);
    off_t most = 0;
    for (uint64_t seq = 2; seq < 802; seq++) {
        struct store_entry entry = {
            .number = number, .first_seq = seq, .count = 1, .record = str_of(large, sizeof large)};
        assert_int_equal(append_wait(&f, &entry), 0);
        if (log_size(&f) > most) most = log_size(&f);
    }
    assert_in_range(most, 1 << 20, 20 << 20);
    for (int i = 0; i < 2000 && log_size(&f) > 0; i++) (void)nanosleep(&(struct timespec){0, 5000000}, NULL);
    assert_int_equal(log_size(&f), 0);
    reader = store_close(reader);
    fixture_done(&f);
}

/* Who has read from a log reads on from the one that is begun after it, the owner and others. */
static void test_log_anew(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    struct store_options options = {.mode = STORE_READ};
    struct store *reader = NULL;
    for (int turn = 0; turn < 3; turn++) {
        int own = 0, other = 0;
        struct orch_error err = ORCH_ERROR_INIT;
        (void)make_execution(&f, "w", 1);
        if (!reader) assert_int_equal(store_open(f.path, &options, &reader, NULL), 0);
        if (store_each_alive(f.store, count_row, &own, &err) < 0) fail_msg("%s", err.message);
        if (store_each_alive(reader, count_row, &other, &err) < 0) fail_msg("%s", err.message);
        assert_int_equal(own, turn + 1);
        assert_int_equal(other, turn + 1);
        for (int i = 0; i < 2000 && log_size(&f) > 0; i++) (void)nanosleep(&(struct timespec){0, 5000000}, NULL);
        assert_int_equal(log_size(&f), 0);
    }
    reader = store_close(reader);
    fixture_done(&f);
}

/* A thread with a store of its own reads while the owner appends: what it sees only grows, and is whole. */
struct watcher {
    const char *path;
    int64_t number;
    atomic_bool stop;
    atomic_bool failed;
};

static int next_in_order(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    uint64_t *next = user;
    if (first_seq != *next || record.size != 500) return 1;
    *next += count;
    return 0;
}

static void *watch(void *user)
{
    struct watcher *watcher = user;
    struct store_options options = {.mode = STORE_READ};
    struct store *store = NULL;
    uint64_t seen = 1;
    bool ok = store_open(watcher->path, &options, &store, NULL) == 0;
    while (ok && !atomic_load(&watcher->stop)) {
        uint64_t next = 1;
        ok = store_each_record(store, watcher->number, 0, next_in_order, &next, NULL) == 0 && next >= seen;
        seen = next;
    }
    (void)store_close(store);
    if (!ok) atomic_store(&watcher->failed, true);
    return NULL;
}

static void test_reading_thread(void **state)
{
    (void)state;
    static char bytes[500];
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    struct watcher watcher = {.path = f.path, .number = store_next_number(f.store)};
    struct store_execution row = row_of(watcher.number, "w", 1);
    struct store_entry entry = {
        .number = row.number, .first_seq = 1, .count = 1, .record = str_of(bytes, 500), .create = &row};
    assert_int_equal(append_wait(&f, &entry), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, watch, &watcher), 0);
    for (uint64_t seq = 2; seq < 500; seq++) {
        entry = (struct store_entry){.number = row.number, .first_seq = seq, .count = 1, .record = str_of(bytes, 500)};
        assert_int_equal(append_wait(&f, &entry), 0);
    }
    atomic_store(&watcher.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(atomic_load(&watcher.failed));
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_alive_among_many),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_log_anew),
        cmocka_unit_test(test_reading_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
