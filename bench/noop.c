/*
 * noop.c - workflows of ten tasks that do nothing, one after the other, through the engine and durably, beside SQLite
 * alone (plain.h) in the same run.
 *
 * usage: noop [directory [seconds [rounds [flight [kind]]]]]
 *
 * With 1, 32 and 256 executions in flight: whenever one has ended another is started. Three kinds of tasks: `function`
 * is a C function on the engine's worker threads, whose start is recorded before it is called and whose end is recorded
 * before the next starts; `transform` and `noop` have no effect outside and are decided with what they follow from, so
 * a whole chain is one commit. Prints medians, the share of SQLite alone, appends and CPU time a task; then a line of
 * JSON each.
 */
#include <stdlib.h>
#include <string.h>

#include "chains.h"
#include "plain.h"

#define ROUNDS_MAX 21

int main(int argc, char **argv)
{
    static const struct {
        const char *name, *text;
    } kinds[] = {{"function", "function: nothing"}, {"transform", "transform: '1'"}, {"noop", "noop: {}"}};
    static const int flights[] = {1, 32, 256};
    char dir[4096];
    int directories = 0;
    (void)snprintf(dir, sizeof dir, "%s/noop-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 1;
    int rounds = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 5;
    if (rounds < 1 || rounds > ROUNDS_MAX) bench_die("rounds", "1 to 21");
    int only_flight = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 0;
    const char *only_kind = argc > 5 ? argv[5] : NULL;
    if (!mkdtemp(dir)) bench_die(dir, "cannot make a directory");
    for (size_t f = 0; f < sizeof flights / sizeof *flights; f++) {
        if (only_flight && flights[f] != only_flight) continue;
        enum { KINDS = sizeof kinds / sizeof *kinds };
        double plain[ROUNDS_MAX], plain_cpu[ROUNDS_MAX], tasks[KINDS][ROUNDS_MAX], share[KINDS][ROUNDS_MAX],
            records[KINDS][ROUNDS_MAX], cpu[KINDS][ROUNDS_MAX];
        for (int round = 0; round < rounds; round++) {
            char path[5000];
            double commits, before = bench_cpu();
            (void)snprintf(path, sizeof path, "%s/plain-%d.db", dir, directories++);
            plain_run(path, flights[f], seconds, true, false, &plain[round], &commits);
            plain_cpu[round] = (bench_cpu() - before) / (plain[round] * seconds);
            for (size_t k = 0; k < KINDS; k++) {
                if (only_kind && strcmp(kinds[k].name, only_kind) != 0) continue;
                (void)snprintf(path, sizeof path, "%s/store-%d", dir, directories++);
                struct chains_figures figures = chains_run(path, kinds[k].text, flights[f], seconds);
                tasks[k][round] = figures.tasks;
                share[k][round] = figures.tasks / plain[round];
                records[k][round] = figures.records;
                cpu[k][round] = figures.cpu;
            }
        }
        double alone = bench_median(plain, rounds);
        (void)printf("%3d in flight: SQLite alone %9.0f rows/s, %5.1f µs CPU a row\n", flights[f], alone,
                     1e6 * bench_median(plain_cpu, rounds));
        for (size_t k = 0; k < KINDS; k++) {
            if (only_kind && strcmp(kinds[k].name, only_kind) != 0) continue;
            (void)printf("    %-9s %9.0f tasks/s, %4.0f %% of that; %.2f records and %5.1f µs CPU a task\n",
                         kinds[k].name, bench_median(tasks[k], rounds), 100 * bench_median(share[k], rounds),
                         bench_median(records[k], rounds), 1e6 * bench_median(cpu[k], rounds));
            (void)printf("{\"bench\":\"noop\",\"kind\":\"%s\",\"flight\":%d,\"rounds\":%d,\"plain_rows_s\":%.0f,"
                         "\"tasks_s\":%.0f,"
                         "\"share\":%.3f,\"records_a_task\":%.3f,\"cpu_us\":%.2f}\n",
                         kinds[k].name, flights[f], rounds, alone, bench_median(tasks[k], rounds),
                         bench_median(share[k], rounds), bench_median(records[k], rounds),
                         1e6 * bench_median(cpu[k], rounds));
        }
        (void)fflush(stdout);
    }
    (void)printf("what was written is in %s\n", dir);
    return 0;
}
