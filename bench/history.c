/*
 * history.c - what finished executions cost those that run: throughput of ten-task workflows in a store with very many
 * of them, beside the same in one with none.
 *
 * usage: history [directory [finished [seconds [rounds]]]]
 *
 * The full store is made with appends of a thousand executions each, without syncs; what is measured is durable. Both
 * are warmed once, then measured in turns.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "chains.h"
#include "plain.h"

#define BATCH      1000
#define ROUNDS_MAX 21

static void on_durable(void *user, int status)
{
    (void)user;
    if (status != 0) bench_die("append", orch_error_text(status));
}

static void wait_for(struct store *store, uint32_t pending)
{
    while (store_pending(store) > pending) {
        (void)poll(NULL, 0, 1);
        (void)store_poll(store);
    }
}

static void fill(const char *path, long count)
{
    static struct store_entry entries[BATCH];
    static struct store_execution rows[BATCH];
    static char record[RECORD_SIZE];
    struct store_options options = {.mode = STORE_OWN, .no_sync = true};
    struct orch_error err;
    struct store *store;
    if (store_open(path, &options, &store, &err)) bench_die("open", err.message);
    for (long done = 0; done < count; done += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            int64_t number = store_next_number(store);
            rows[i] = bench_row(number, true);
            entries[i] = (struct store_entry){.number = number,
                                              .first_seq = 1,
                                              .count = 1,
                                              .record = str_of(record, RECORD_SIZE),
                                              .create = &rows[i]};
        }
        if (store_append(store, entries, BATCH, on_durable, NULL, &err)) bench_die("append", err.message);
        wait_for(store, 8);
    }
    wait_for(store, 0);
    store = store_close(store);
}

int main(int argc, char **argv)
{
    char dir[4096], paths[2][5000];
    long count = argc > 2 ? strtol(argv[2], NULL, 10) : 1000000;
    double seconds = argc > 3 ? strtod(argv[3], NULL) : 1;
    int rounds = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 5;
    static const int flights[] = {1, 32, 256};
    if (rounds < 1 || rounds > ROUNDS_MAX) bench_die("rounds", "1 to 21");
    (void)snprintf(dir, sizeof dir, "%s/history-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (!mkdtemp(dir)) bench_die(dir, "cannot make a directory");
    (void)snprintf(paths[0], sizeof paths[0], "%s/empty", dir);
    (void)snprintf(paths[1], sizeof paths[1], "%s/full", dir);
    double begin = bench_now();
    fill(paths[1], count);
    (void)printf("a store with %ld finished executions was made in %.1f s\n", count, bench_now() - begin);
    for (size_t f = 0; f < sizeof flights / sizeof *flights; f++) {
        double tasks[2][ROUNDS_MAX], cpu[2][ROUNDS_MAX], ratio[ROUNDS_MAX];
        for (int i = 0; i < 2; i++) (void)chains_run(paths[i], "function: nothing", flights[f], seconds / 4);
        for (int round = 0; round < rounds; round++) {
            for (int i = 0; i < 2; i++) {
                int at = round % 2 ? 1 - i : i; /* neither is always first */
                struct chains_figures figures = chains_run(paths[at], "function: nothing", flights[f], seconds);
                tasks[at][round] = figures.tasks;
                cpu[at][round] = figures.cpu;
            }
            ratio[round] = tasks[1][round] / tasks[0][round];
        }
        double none = bench_median(tasks[0], rounds), full = bench_median(tasks[1], rounds),
               middle = bench_median(ratio, rounds);
        (void)printf(
            "%3d in flight: none %8.0f tasks/s %5.1f µs CPU a task   %ld %8.0f tasks/s %5.1f µs   ratio %.3f\n",
            flights[f], none, 1e6 * bench_median(cpu[0], rounds), count, full, 1e6 * bench_median(cpu[1], rounds),
            middle);
        (void)printf("{\"bench\":\"history\",\"flight\":%d,\"finished\":%ld,\"rounds\":%d,\"none_tasks_s\":%.0f,"
                     "\"full_tasks_s\":%.0f,\"ratio\":%.3f}\n",
                     flights[f], count, rounds, none, full, middle);
        (void)fflush(stdout);
    }
    (void)printf("what was written is in %s\n", dir);
    return 0;
}
