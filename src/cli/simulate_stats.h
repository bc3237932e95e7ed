/*
 * simulate_stats.h - many simulated runs, counted: how they end, how long they take, what holds them up. Pure.
 */
#ifndef CLI_SIMULATE_STATS_H
#define CLI_SIMULATE_STATS_H

#include "base/map.h"
#include "cli/simulation.h"

#define SIMULATE_HISTOGRAM_MAX 12

/* Runs that end alike. */
struct simulate_end {
    uint8_t state; /* enum execution_state */
    bool is_stuck;
    struct orch_str reason;
    uint64_t count;
    uint64_t first_seed;
};

/* A task of the definition, over all runs. */
struct simulate_task {
    struct orch_str path;
    uint64_t runs; /* in which it ran */
    uint64_t ran, attempts, retries, lost, failed, timed_out, skipped;
    uint64_t undo_runs; /* in which its compensation ran */
    uint64_t undo_began, undone;
    uint64_t critical; /* runs in which it was on the critical path */
    uint64_t timed;    /* how often it has a duration */
    orch_time busy;
};

struct simulate_stats {
    struct arena arena;
    struct map ends; /* state and reason -> index into `list` */
    struct simulate_end *list;
    uint32_t ends_count, ends_capacity;
    struct simulate_task *tasks; /* by row */
    uint32_t tasks_count;
    orch_time *makespans; /* of runs that ended */
    uint64_t makespans_count, makespans_capacity;
    bool is_sorted;
    uint64_t runs, crashes, retries, evaluations;
};

void simulate_stats_init(struct simulate_stats *stats);
void simulate_stats_done(struct simulate_stats *stats);
/* 0 or ORCH_ERR_NO_MEMORY. */
int simulate_stats_add(struct simulate_stats *stats, const struct simulation_result *result,
                       struct orch_str (*path)(const void *user, uint32_t row), const void *user);
/* The end that most runs came to first; good ones before bad ones. */
void simulate_stats_sort(struct simulate_stats *stats);
/* Good: as the author of a workflow wants it to end. */
bool simulate_end_is_good(const struct simulate_end *end);

/* The smallest makespan that so many hundredths of the runs do not exceed (nearest rank); 0 without runs. */
orch_time simulate_stats_percentile(struct simulate_stats *stats, double percent);

struct simulate_bar {
    orch_time from, to; /* [from, to) */
    uint64_t count;
};
/* Bars of one width, a round one; returns how many: at most SIMULATE_HISTOGRAM_MAX, 0 without runs. */
uint32_t simulate_stats_histogram(struct simulate_stats *stats, struct simulate_bar ret[SIMULATE_HISTOGRAM_MAX]);

#endif
