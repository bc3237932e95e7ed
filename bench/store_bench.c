/*
 * store_bench.c - committed appends a second through the store, beside a plain loop that does the same straight on
 * SQLite.
 *
 * usage: store_bench [directory [seconds]]
 *
 * n executions run side by side. Each has one append of one row waiting; when it is durable the next is handed in, as
 * an engine does. The plain loop writes n rows, commits, and so on, on one thread: nothing between it and SQLite. Both
 * use the same schema, synchronous=FULL and checkpoints of 16 MB. "chains" are executions of ten records with the row
 * made at the beginning and updated at the end.
 */
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "store/sqlite.h"

#define FLIGHT_MAX  256
#define CHAIN       10
#define RECORD_SIZE 100

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static _Noreturn void die(const char *what, const char *message)
{
    (void)fprintf(stderr, "store_bench: %s: %s\n", what, message);
    exit(1);
}

struct lane {
    struct bench *bench;
    int64_t number;
    uint64_t seq;
};

struct bench {
    struct store *store;
    bool is_chain; /* rows of executions, too */
    int wake_fd;
    bool stop;
    uint64_t rows, commits;
    struct lane lanes[FLIGHT_MAX];
};

static char record_bytes[RECORD_SIZE];

static struct store_execution row_of(int64_t number, bool is_done)
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

/*
 * Through the store.
 */

static void wake(void *user)
{
    struct bench *bench = user;
    uint64_t one = 1;
    if (write(bench->wake_fd, &one, sizeof one) != (ssize_t)sizeof one) abort();
}

static void hand_in(struct lane *lane);

static void on_durable(void *user, int status)
{
    struct lane *lane = user;
    if (status != 0) die("append", orch_error_text(status));
    lane->bench->rows++;
    if (!lane->bench->stop) hand_in(lane);
}

static void hand_in(struct lane *lane)
{
    struct bench *bench = lane->bench;
    bool is_first = lane->seq == 0;
    if (is_first) lane->number = store_next_number(bench->store);
    bool is_last = ++lane->seq == CHAIN;
    struct store_execution row;
    struct store_entry entry = {
        .number = lane->number, .first_seq = lane->seq, .count = 1, .record = str_of(record_bytes, RECORD_SIZE)};
    if (bench->is_chain && (is_first || is_last)) {
        row = row_of(lane->number, is_last);
        *(is_first ? &entry.create : &entry.update) = &row;
    }
    if (is_last) lane->seq = 0;
    struct orch_error err;
    if (store_append(bench->store, &entry, 1, on_durable, lane, &err) < 0) die("append", err.message);
}

static void run_store(struct bench *bench, const char *path, int flight, double seconds, double *ret_rows,
                      double *ret_commits)
{
    struct orch_error err;
    struct store_options options = {.mode = STORE_OWN, .wake = wake, .user = bench};
    if (store_open(path, &options, &bench->store, &err) < 0) die("open", err.message);
    bench->stop = false;
    bench->rows = bench->commits = 0;
    double begin = now();
    for (int i = 0; i < flight; i++) {
        bench->lanes[i] = (struct lane){.bench = bench};
        hand_in(&bench->lanes[i]);
    }
    while (store_pending(bench->store) > 0) {
        struct pollfd p = {.fd = bench->wake_fd, .events = POLLIN};
        uint64_t count = 0;
        if (poll(&p, 1, -1) == 1 && read(bench->wake_fd, &count, sizeof count) == (ssize_t)sizeof count)
            bench->commits += count;
        (void)store_poll(bench->store);
        if (now() - begin >= seconds) bench->stop = true;
    }
    double time = now() - begin;
    *ret_rows = (double)bench->rows / time;
    *ret_commits = (double)bench->commits / time;
    bench->store = store_close(bench->store);
}

/*
 * Straight on SQLite.
 */

static sqlite3 *plain_db;
static int plain_pages;

static void check(int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE) die("SQLite", sqlite3_errmsg(plain_db));
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

static void plain_open(struct plain *plain, const char *database)
{
    if (sqlite3_open_v2(database, &plain_db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        die("open", database);
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

static void plain_row(struct plain *plain, struct lane *lane, int64_t *next, bool is_chain, int *ended)
{
    if (lane->seq == 0) lane->number = (*next)++;
    if (lane->seq++ == 0 && is_chain) {
        struct store_execution row = row_of(lane->number, false);
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
    check(sqlite3_bind_blob(plain->record, 3, record_bytes, RECORD_SIZE, SQLITE_STATIC));
    step(plain->record);
    if (lane->seq < CHAIN) return;
    lane->seq = 0;
    if (!is_chain) return;
    check(sqlite3_bind_int64(plain->end, 1, lane->number));
    step(plain->end);
    (*ended)++;
}

static void run_plain(struct bench *bench, const char *database, int flight, double seconds, double *ret_rows,
                      double *ret_commits)
{
    struct plain plain;
    plain_open(&plain, database);
    memset(bench->lanes, 0, sizeof bench->lanes);
    int64_t next = 1;
    uint64_t rows = 0, commits = 0;
    int tried = 0;
    double begin = now(), time = 0;
    while ((time = now() - begin) < seconds) {
        int ended = 0;
        step(plain.begin);
        for (int i = 0; i < flight; i++, rows++) plain_row(&plain, &bench->lanes[i], &next, bench->is_chain, &ended);
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

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

#define ROUNDS 5

static void measure(struct bench *bench, const char *dir, int flight, double seconds)
{
    static int directories;
    double rows[2][ROUNDS], commits[2][ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        char path[5000];
        (void)snprintf(path, sizeof path, "%s/plain-%d.db", dir, directories);
        run_plain(bench, path, flight, seconds, &rows[0][round], &commits[0][round]);
        (void)snprintf(path, sizeof path, "%s/store-%d", dir, directories++);
        run_store(bench, path, flight, seconds, &rows[1][round], &commits[1][round]);
    }
    for (int i = 0; i < 2; i++) {
        qsort(rows[i], ROUNDS, sizeof **rows, compare);
        qsort(commits[i], ROUNDS, sizeof **commits, compare);
    }
    double plain = rows[0][ROUNDS / 2], store = rows[1][ROUNDS / 2];
    (void)printf(
        "%-7s %3d in flight  plain %9.0f rows/s %7.0f commits/s   store %9.0f rows/s %7.0f commits/s   %3.0f %%\n",
        bench->is_chain ? "chains" : "rows", flight, plain, commits[0][ROUNDS / 2], store, commits[1][ROUNDS / 2],
        100 * store / plain);
    (void)fflush(stdout);
}

static void measure_open(const char *dir)
{
    char path[5000];
    struct store_options options = {.mode = STORE_OWN};
    struct orch_error err;
    double times[2][ROUNDS], closing[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        (void)snprintf(path, sizeof path, "%s/open-%d", dir, round);
        for (int i = 0; i < 2; i++) {
            struct store *store = NULL;
            double begin = now();
            if (store_open(path, &options, &store, &err) < 0) die("open", err.message);
            times[i][round] = now() - begin;
            begin = now();
            (void)store_close(store);
            closing[round] = now() - begin;
        }
    }
    for (int i = 0; i < 2; i++) qsort(times[i], ROUNDS, sizeof **times, compare);
    qsort(closing, ROUNDS, sizeof *closing, compare);
    (void)printf("making a store %.2f ms, opening it %.2f ms, closing %.2f ms\n", 1e3 * times[0][ROUNDS / 2],
                 1e3 * times[1][ROUNDS / 2], 1e3 * closing[ROUNDS / 2]);
}

int main(int argc, char **argv)
{
    char dir[4096];
    (void)snprintf(dir, sizeof dir, "%s/store-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 1;
    if (!mkdtemp(dir)) die(dir, "cannot make a directory");
    memset(record_bytes, 'x', sizeof record_bytes);
    static struct bench bench;
    bench.wake_fd = eventfd(0, EFD_CLOEXEC);
    if (bench.wake_fd < 0) die("eventfd", "cannot make one");
    measure_open(dir);
    for (int chain = 0; chain < 2; chain++) {
        bench.is_chain = chain;
        static const int flights[] = {1, 32, 256};
        for (size_t i = 0; i < sizeof flights / sizeof *flights; i++) measure(&bench, dir, flights[i], seconds);
    }
    (void)printf("what was written is in %s\n", dir);
    return 0;
}
