/*
 * store_bench.c - committed appends a second through the store, beside a plain loop that does the same straight on
 * SQLite.
 *
 * usage: store_bench [directory [seconds]]
 *
 * n executions run side by side. Each has one append of one row waiting; when it is durable the next is handed in, as
 * an engine does. The plain loop writes n rows, commits, and so on, on one thread: nothing between it and SQLite. Both
 * use the same schema, synchronous=FULL and checkpoints of 16 MB. The loop runs once more with the checksums of pages
 * that the store has ("seals"), in turn with the one without. "chains" are executions of ten records with the row
 * made at the beginning and updated at the end.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "plain.h"

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
    if (status != 0) bench_die("append", orch_error_text(status));
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
        row = bench_row(lane->number, is_last);
        *(is_first ? &entry.create : &entry.update) = &row;
    }
    if (is_last) lane->seq = 0;
    struct orch_error err;
    if (store_append(bench->store, &entry, 1, on_durable, lane, &err) < 0) bench_die("append", err.message);
}

static void run_store(struct bench *bench, const char *path, int flight, double seconds, double *ret_rows,
                      double *ret_commits)
{
    struct orch_error err;
    struct store_options options = {.mode = STORE_OWN, .wake = wake, .user = bench};
    if (store_open(path, &options, &bench->store, &err) < 0) bench_die("open", err.message);
    bench->stop = false;
    bench->rows = bench->commits = 0;
    double begin = bench_now();
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
        if (bench_now() - begin >= seconds) bench->stop = true;
    }
    double time = bench_now() - begin;
    *ret_rows = (double)bench->rows / time;
    *ret_commits = (double)bench->commits / time;
    bench->store = store_close(bench->store);
}

#define ROUNDS 5

/* Processor time of a row in microseconds, in the plain loop, which has one thread. */
static double run_plain(const char *path, int flight, double seconds, bool is_chain, bool has_seals, double *ret_rows,
                        double *ret_commits)
{
    double wall = bench_now(), cpu = bench_cpu();
    plain_run(path, flight, seconds, is_chain, has_seals, ret_rows, ret_commits);
    return 1e6 * (bench_cpu() - cpu) / (*ret_rows * (bench_now() - wall));
}

static void measure(struct bench *bench, const char *dir, int flight, double seconds)
{
    static int directories;
    double rows[3][ROUNDS], commits[3][ROUNDS], costs[2][ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        char path[5000];
        (void)snprintf(path, sizeof path, "%s/plain-%d.db", dir, directories);
        costs[0][round] = run_plain(path, flight, seconds, bench->is_chain, false, &rows[0][round], &commits[0][round]);
        (void)snprintf(path, sizeof path, "%s/sealed-%d.db", dir, directories);
        costs[1][round] = run_plain(path, flight, seconds, bench->is_chain, true, &rows[2][round], &commits[2][round]);
        (void)snprintf(path, sizeof path, "%s/store-%d", dir, directories++);
        run_store(bench, path, flight, seconds, &rows[1][round], &commits[1][round]);
    }
    double plain = bench_median(rows[0], ROUNDS), store = bench_median(rows[1], ROUNDS);
    double cost = bench_median(costs[0], ROUNDS), sealed = bench_median(costs[1], ROUNDS);
    (void)printf("%-7s %3d in flight  plain %9.0f rows/s %7.0f commits/s   store %9.0f rows/s %7.0f commits/s   %3.0f "
                 "%%\n",
                 bench->is_chain ? "chains" : "rows", flight, plain, bench_median(commits[0], ROUNDS), store,
                 bench_median(commits[1], ROUNDS), 100 * store / plain);
    (void)printf("%30s plain with seals %9.0f rows/s; processor %.2f us a row, with seals %.2f (%+.0f %%)\n", "",
                 bench_median(rows[2], ROUNDS), cost, sealed, 100 * (sealed / cost - 1));
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
            double begin = bench_now();
            if (store_open(path, &options, &store, &err) < 0) bench_die("open", err.message);
            times[i][round] = bench_now() - begin;
            begin = bench_now();
            (void)store_close(store);
            closing[round] = bench_now() - begin;
        }
    }
    (void)printf("making a store %.2f ms, opening it %.2f ms, closing %.2f ms\n", 1e3 * bench_median(times[0], ROUNDS),
                 1e3 * bench_median(times[1], ROUNDS), 1e3 * bench_median(closing, ROUNDS));
}

int main(int argc, char **argv)
{
    char dir[4096];
    (void)snprintf(dir, sizeof dir, "%s/store-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 1;
    if (!mkdtemp(dir)) bench_die(dir, "cannot make a directory");
    memset(record_bytes, 'x', sizeof record_bytes);
    static struct bench bench;
    bench.wake_fd = eventfd(0, EFD_CLOEXEC);
    if (bench.wake_fd < 0) bench_die("eventfd", "cannot make one");
    measure_open(dir);
    for (int chain = 0; chain < 2; chain++) {
        bench.is_chain = chain;
        static const int flights[] = {1, 32, 256};
        for (size_t i = 0; i < sizeof flights / sizeof *flights; i++) measure(&bench, dir, flights[i], seconds);
    }
    (void)printf("what was written is in %s\n", dir);
    return 0;
}
