/*
 * plain.c - see plain.h.
 */
#include "plain.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "store/sqlite.h"

double bench_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

_Noreturn void bench_die(const char *what, const char *message)
{
    (void)fprintf(stderr, "%s: %s\n", what, message);
    exit(1);
}

double bench_cpu(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double bench_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

struct store_execution bench_row(int64_t number, bool is_done)
{
    return (struct store_execution){.number = number,
                                    .workflow = STR("chain"),
                                    .digest = STR("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
                                    .base_dir = STR("/srv/workflows"),
                                    .file = STR("chain.yaml"),
                                    .parameters = STR("{\"n\":1}"),
                                    .by = STR("bench"),
                                    .state = is_done ? 4 : 1,
                                    .tasks_total = CHAIN,
                                    .tasks_done = is_done ? CHAIN : 0,
                                    .created_at = number,
                                    .started_at = number,
                                    .ended_at = is_done ? number : 0,
                                    .updated_at = number};
}

struct lane {
    int64_t number;
    uint64_t seq;
};

static sqlite3 *plain_db;
static int plain_pages;

static void check(int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE) bench_die("SQLite", sqlite3_errmsg(plain_db));
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *statement = NULL;
    check(sqlite3_prepare_v2(plain_db, sql, -1, &statement, NULL));
    return statement;
}

static void step(sqlite3_stmt *statement)
{
    check(sqlite3_step(statement));
    check(sqlite3_reset(statement));
}

static int on_wal(void *user, sqlite3 *db, const char *name, int pages)
{
    (void)user;
    (void)db;
    (void)name;
    plain_pages = pages;
    return SQLITE_OK;
}

static void bind(sqlite3_stmt *statement, int index, struct orch_str s)
{
    check(sqlite3_bind_text(statement, index, s.data, (int)s.size, SQLITE_STATIC));
}

struct plain {
    sqlite3_stmt *begin, *commit, *record, *make, *end, *count;
};

static void plain_open(struct plain *plain, const char *database, bool has_seals)
{
    int reserved = SEAL_SIZE;
    if (sqlite3_open_v2(database, &plain_db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        has_seals ? vfs_name(VFS_STRICT) : NULL) != SQLITE_OK)
        bench_die("open", database);
    if (has_seals) check(sqlite3_file_control(plain_db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved));
    check(sqlite3_exec(plain_db,
                       "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
                       "PRAGMA secure_delete=OFF; PRAGMA cache_size=-8000",
                       NULL, NULL, NULL));
    uint32_t count = 0;
    const struct migration *list = migrate_list(&count);
    for (uint32_t i = 0; i < count; i++) check(sqlite3_exec(plain_db, list[i].sql, NULL, NULL, NULL));
    (void)sqlite3_wal_hook(plain_db, on_wal, NULL);
    plain->begin = prepare("BEGIN IMMEDIATE");
    plain->commit = prepare("COMMIT");
    plain->record = prepare("INSERT INTO journal VALUES(?1, ?2, 1, ?3)");
    plain->make = prepare(
        "INSERT INTO executions VALUES(?1, 1, 0, 10, 0, 0, ?1, ?1, 0, ?1, 0, 0, 0, ?2, ?3, ?4, ?5, ?6, '', '', ?7)");
    plain->end =
        prepare("UPDATE executions SET tasks_done = 10, ended_at = ?1, updated_at = ?1, state = 4 WHERE number = ?1");
    plain->count = prepare("INSERT INTO finished VALUES(4, ?1) ON CONFLICT(state) DO UPDATE SET count = count + ?1");
}

static void plain_close(struct plain *plain)
{
    sqlite3_stmt *all[] = {plain->begin, plain->commit, plain->record, plain->make, plain->end, plain->count};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) (void)sqlite3_finalize(all[i]);
    (void)sqlite3_close(plain_db);
}

static void plain_row(struct plain *plain, struct lane *lane, const char *record, int64_t *next, bool is_chain,
                      int *ended)
{
    if (lane->seq == 0) lane->number = (*next)++;
    if (lane->seq++ == 0 && is_chain) {
        struct store_execution row = bench_row(lane->number, false);
        check(sqlite3_bind_int64(plain->make, 1, lane->number));
        bind(plain->make, 2, row.workflow);
        bind(plain->make, 3, row.digest);
        bind(plain->make, 4, row.base_dir);
        bind(plain->make, 5, row.file);
        bind(plain->make, 6, row.by);
        bind(plain->make, 7, row.parameters);
        step(plain->make);
    }
    check(sqlite3_bind_int64(plain->record, 1, lane->number));
    check(sqlite3_bind_int64(plain->record, 2, (int64_t)lane->seq));
    check(sqlite3_bind_blob(plain->record, 3, record, RECORD_SIZE, SQLITE_STATIC));
    step(plain->record);
    if (lane->seq < CHAIN) return;
    lane->seq = 0;
    if (!is_chain) return;
    check(sqlite3_bind_int64(plain->end, 1, lane->number));
    step(plain->end);
    (*ended)++;
}

void plain_run(const char *database, int flight, double seconds, bool is_chain, bool has_seals, double *ret_rows,
               double *ret_commits)
{
    struct plain plain;
    plain_open(&plain, database, has_seals);
    struct lane lanes[FLIGHT_MAX] = {{0}};
    char record[RECORD_SIZE];
    memset(record, 'x', sizeof record);
    int64_t next = 1;
    uint64_t rows = 0, commits = 0;
    int tried = 0;
    double begin = bench_now(), time = 0;
    while ((time = bench_now() - begin) < seconds) {
        int ended = 0;
        step(plain.begin);
        for (int i = 0; i < flight; i++, rows++) plain_row(&plain, &lanes[i], record, &next, is_chain, &ended);
        if (ended > 0) {
            check(sqlite3_bind_int(plain.count, 1, ended));
            step(plain.count);
        }
        step(plain.commit);
        commits++;
        if (plain_pages < tried) tried = 0;
        if (plain_pages - tried >= 4096) {
            tried = plain_pages;
            check(sqlite3_wal_checkpoint_v2(plain_db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL));
        }
    }
    *ret_rows = (double)rows / time;
    *ret_commits = (double)commits / time;
    plain_close(&plain);
}
