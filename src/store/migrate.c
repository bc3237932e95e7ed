/*
 * migrate.c - the schema, as numbered steps from an empty file to the newest version.
 *
 * A step that was released is never changed: a new one is added at the end. The version is SQLite's user_version, and
 * application_id says whose file it is. All steps that are missing are one transaction, so a crash leaves the old
 * version. docs/store.md describes each table.
 */
#include <stdio.h>

#include "base/error.h"
#include "store/sqlite.h"

/*
 * 1: the first. The journal has a rowid and a unique index rather than its key as its order: with many executions side
 * by side their records go to the end of one table instead of a page for each execution, which is 1.3 to 3 times the
 * rows a second (and level with one execution). executions_workflow begins with the state: the other way round SQLite
 * takes the index's own condition for a range, and sorts.
 */
static const char schema_1[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;\n"
    "CREATE TABLE definitions(digest TEXT NOT NULL, name TEXT NOT NULL, created_at INTEGER NOT NULL, normal TEXT NOT "
    "NULL);\n"
    "CREATE UNIQUE INDEX definitions_digest ON definitions(digest);\n"
    "CREATE TABLE executions(number INTEGER PRIMARY KEY, state INTEGER NOT NULL, generation INTEGER NOT NULL,\n"
    "  tasks_total INTEGER NOT NULL, tasks_done INTEGER NOT NULL, tasks_failed INTEGER NOT NULL,\n"
    "  created_at INTEGER NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL, updated_at INTEGER NOT "
    "NULL,\n"
    "  parent INTEGER NOT NULL, parent_instance INTEGER NOT NULL, parent_fence INTEGER NOT NULL,\n"
    "  workflow TEXT NOT NULL, digest TEXT NOT NULL, base_dir TEXT NOT NULL, file TEXT NOT NULL, started_by TEXT NOT "
    "NULL,\n"
    "  error TEXT NOT NULL, waiting TEXT NOT NULL, parameters TEXT);\n"
    "CREATE INDEX executions_alive ON executions(number, state) WHERE state < 4;\n"
    "CREATE INDEX executions_finished ON executions(state) WHERE state >= 4;\n"
    "CREATE INDEX executions_workflow ON executions(state, workflow) WHERE state >= 4;\n"
    "CREATE INDEX executions_parent ON executions(parent);\n"
    "CREATE INDEX executions_created ON executions(created_at);\n"
    "CREATE INDEX executions_file ON executions(file) WHERE file <> '';\n"
    "CREATE TABLE large_parameters(number INTEGER PRIMARY KEY, parameters TEXT NOT NULL);\n"
    "CREATE TABLE finished(state INTEGER PRIMARY KEY, count INTEGER NOT NULL);\n"
    "CREATE TABLE journal(execution INTEGER NOT NULL, seq INTEGER NOT NULL, count INTEGER NOT NULL, record BLOB NOT "
    "NULL);\n"
    "CREATE UNIQUE INDEX journal_seq ON journal(execution, seq);\n";

/* The tables are the same, but pages have seals (vfs.h), which a program of before would not write. They come about by
 * reseal.c. */
static const char schema_2[] = "";

/* version, text */
#define MIGRATION_LIST(X) X(1, schema_1) X(2, schema_2)

static const struct migration migrations[] = {
#define MIGRATION_ROW(version, sql) {version, sql},
    MIGRATION_LIST(MIGRATION_ROW)
#undef MIGRATION_ROW
};

const struct migration *migrate_list(uint32_t *ret_count)
{
    *ret_count = sizeof migrations / sizeof *migrations;
    return migrations;
}

static int get_number(sqlite3 *db, const char *sql, int64_t *ret)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW) {
            *ret = sqlite3_column_int64(statement, 0);
            rc = SQLITE_OK;
        }
    }
    sqlite3_finalize(statement);
    return rc;
}

/* The version of a database that is ours; 0 when it is empty. */
static int get_version(sqlite3 *db, const char *database, int64_t *ret, struct orch_error *err)
{
    int64_t application = 0, version = 0, tables = 0;
    int rc = get_number(db, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK) rc = get_number(db, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK) rc = get_number(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc != SQLITE_OK) return sqlite_error(err, db, rc, database, "cannot read the schema");
    bool is_empty = application == 0 && version == 0 && tables == 0;
    if (!is_empty && (application != STORE_APPLICATION_ID || version < 1 || tables == 0))
        return error_set(err, ORCH_ERR_CORRUPT, "%s is not a database of this program", database);
    *ret = version;
    return 0;
}

static int check_not_newer(int64_t version, uint32_t newest, const char *database, struct orch_error *err)
{
    if (version <= newest) return 0;
    (void)error_set(err, ORCH_ERR_VERSION, "%s has schema %lld, newer than %u", database, (long long)version, newest);
    error_hint(err, "use the version of the program that wrote it, or a newer one");
    return ORCH_ERR_VERSION;
}

int migrate_check_known(sqlite3 *db, uint32_t version, const char *database, struct orch_error *err)
{
    int64_t found = 0;
    int code = get_version(db, database, &found, err);
    return code < 0 ? code : check_not_newer(found, version, database, err);
}

int migrate_check(sqlite3 *db, uint32_t version, const char *database, struct orch_error *err)
{
    int64_t found = 0;
    int code = get_version(db, database, &found, err);
    if (code == 0) code = check_not_newer(found, version, database, err);
    if (code < 0 || found == version) return code;
    if (found == 0) return error_set(err, ORCH_ERR_NOT_FOUND, "%s is empty", database);
    (void)error_set(err, ORCH_ERR_VERSION, "%s has schema %lld, older than %u", database, (long long)found, version);
    error_hint(err, "a command that writes to the store, such as `orch run`, brings it up to date");
    return ORCH_ERR_VERSION;
}

int migrate_database(sqlite3 *db, const struct migration *list, uint32_t count, const char *database,
                     struct orch_error *err)
{
    int64_t version = 0;
    uint32_t newest = list[count - 1].version;
    int code = get_version(db, database, &version, err);
    if (code == 0) code = check_not_newer(version, newest, database, err);
    if (code < 0 || version == newest) return code;
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (uint32_t i = 0; i < count && rc == SQLITE_OK; i++)
        if (list[i].version > version) rc = sqlite3_exec(db, list[i].sql, NULL, NULL, NULL);
    char head[96];
    (void)snprintf(head, sizeof head, "PRAGMA application_id = %d; PRAGMA user_version = %u;", STORE_APPLICATION_ID,
                   newest);
    if (rc == SQLITE_OK) rc = sqlite3_exec(db, head, NULL, NULL, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (rc == SQLITE_OK) return 0;
    code = sqlite_error(err, db, rc, database, "cannot bring the schema up to date");
    if (!sqlite3_get_autocommit(db)) (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* closing does it as well */
    return code;
}
