/*
 * Bringing a database up to date: from every older version that is kept in schemas/, all at once or not at all.
 */
#include "common.h"

#include <sqlite3.h>

#include "store/sqlite.h"
#include "sys/file.h"

static sqlite3 *open_db(const char *path)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void exec(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s", message);
}

/* The first column of all rows, a line each. */
static void get(sqlite3 *db, const char *sql, char out[8000])
{
    size_t size = 0;
    out[0] = '\0';
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW && size < 8000)
        size += (size_t)snprintf(out + size, 8000 - size, "%s\n", (const char *)sqlite3_column_text(statement, 0));
    assert_true(size < 8000);
    (void)sqlite3_finalize(statement);
}

static void get_schema(const struct fixture *f, char out[8000])
{
    char path[128];
    snprintf(path, sizeof path, "%s/orch.db", f->path);
    sqlite3 *db = open_db(path);
    get(db, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name", out);
    (void)sqlite3_close(db);
}

static int sum_record(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    *(uint64_t *)user += first_seq * 100 + count * 10 + record.size;
    return 0;
}

/* What schemas/v<version>.sql holds. */
static void check_content(struct store *store)
{
    struct arena arena;
    struct store_execution e;
    struct orch_str normal;
    uint64_t counts[16], sum = 0;
    arena_init(&arena, NULL, 0);
    assert_int_equal(store_next_number(store), 5);
    assert_int_equal(store_get_execution(store, 2, &arena, &e, NULL), 0);
    assert_true(str_is(e.error, "it failed") && str_is(e.workflow, "build") && str_is(e.file, "a.yaml"));
    assert_int_equal(e.created_at, 1002);
    assert_int_equal(store_get_execution(store, 3, &arena, &e, NULL), 0);
    assert_int_equal(e.parent, 1);
    assert_int_equal(store_get_execution(store, 4, &arena, &e, NULL), 0);
    assert_int_equal(e.parameters.size, 2000);
    assert_int_equal(store_count_states(store, counts, NULL), 0);
    assert_int_equal(counts[1], 2);
    assert_int_equal(counts[4], 1);
    assert_int_equal(counts[5], 1);
    assert_int_equal(store_each_record(store, 3, 0, sum_record, &sum, NULL), 0);
    assert_int_equal(sum, 100 + 20 + 13 + 300 + 10 + 13);
    assert_int_equal(store_get_definition(store, STR("d1"), &arena, &normal, NULL), 0);
    assert_true(str_is(normal, "{\"name\":\"build\"}"));
    arena_done(&arena);
}

static void test_every_version(void **state)
{
    (void)state;
    static char fresh[8000], migrated[8000];
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    f.store = store_close(f.store);
    get_schema(&f, fresh);
    fixture_done(&f);

    uint32_t count = 0;
    const struct migration *list = migrate_list(&count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(list[i].version, i + 1);
        char path[512];
        struct arena arena;
        struct orch_str sql;
        arena_init(&arena, NULL, 0);
        snprintf(path, sizeof path, "%s/v%u.sql", SCHEMAS, list[i].version);
        if (file_read(path, 1 << 20, &arena, &sql, NULL) < 0) fail_msg("version %u is not kept", list[i].version);
        fixture_init(&f);
        assert_int_equal(mkdir(f.path, 0700), 0);
        snprintf(path, sizeof path, "%s/orch.db", f.path);
        sqlite3 *db = list[i].version < 2 ? open_db(path) : open_database(path); /* from 2 on pages have seals */
        exec(db, sql.data);
        (void)sqlite3_close(db);
        if (list[i].version < list[count - 1].version) {
            struct store_options options = {.mode = STORE_READ};
            assert_int_equal(store_open(f.path, &options, &f.store, NULL), ORCH_ERR_VERSION);
        }
        for (int round = 0; round < 2; round++) {
            fixture_open(&f);
            check_content(f.store);
            f.store = store_close(f.store);
        }
        get_schema(&f, migrated);
        assert_string_equal(migrated, fresh);
        fixture_done(&f);
        arena_done(&arena);
    }
}

/* The steps of a program to come, on top of the first real one. */
static void test_steps(void **state)
{
    (void)state;
    uint32_t count = 0;
    const struct migration first = migrate_list(&count)[0];
    const struct migration good[] = {
        first, {2, "CREATE TABLE two(x); INSERT INTO two VALUES(2)"}, {3, "ALTER TABLE two ADD COLUMN y DEFAULT 3"}};
    const struct migration bad[] = {
        first, {2, "CREATE TABLE two(x)"}, {3, "CREATE TABLE three(x); INSERT INTO nowhere VALUES(1)"}};
    struct orch_error err = ORCH_ERROR_INIT;
    char text[8000];
    sqlite3 *db = open_db(":memory:");
    assert_int_equal(migrate_check(db, 1, "db", NULL), ORCH_ERR_NOT_FOUND);
    assert_int_equal(migrate_database(db, good, 1, "db", NULL), 0);
    exec(db, "INSERT INTO meta VALUES('k', 'v')");
    assert_int_equal(migrate_check(db, 1, "db", NULL), 0);
    assert_int_equal(migrate_check(db, 3, "db", NULL), ORCH_ERR_VERSION);

    /* The last step fails: nothing of the one before stays either. */
    assert_true(migrate_database(db, bad, 3, "db", &err) < 0);
    assert_non_null(strstr(err.message, "db: cannot bring the schema up to date: no such table: nowhere"));
    get(db, "SELECT count(*) FROM sqlite_schema WHERE name IN ('two', 'three')", text);
    assert_string_equal(text, "0\n");
    assert_int_equal(migrate_check(db, 1, "db", NULL), 0);
    assert_int_equal(sqlite3_get_autocommit(db), 1);

    assert_int_equal(migrate_database(db, good, 3, "db", NULL), 0);
    assert_int_equal(migrate_check(db, 3, "db", NULL), 0);
    get(db, "SELECT x || y || value FROM two, meta", text);
    assert_string_equal(text, "23v\n");
    assert_int_equal(migrate_database(db, good, 3, "db", NULL), 0); /* again: nothing to do */
    /* And the program of before does not touch it. */
    assert_int_equal(migrate_database(db, good, 2, "db", &err), ORCH_ERR_VERSION);
    assert_non_null(strstr(err.message, "schema 3, newer than 2"));
    assert_int_equal(migrate_check(db, 2, "db", &err), ORCH_ERR_VERSION);
    (void)sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_version), cmocka_unit_test(test_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
