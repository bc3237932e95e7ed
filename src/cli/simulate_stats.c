/*
 * simulate_stats.c - many simulated runs, counted.
 */
#include "cli/simulate_stats.h"

#include <stdlib.h>

#include "base/error.h"

void simulate_stats_init(struct simulate_stats *stats)
{
    *stats = (struct simulate_stats){0};
    arena_init(&stats->arena, NULL, 0);
    map_init(&stats->ends, NULL);
}

void simulate_stats_done(struct simulate_stats *stats)
{
    free(stats->list);
    free(stats->tasks);
    free(stats->makespans);
    map_done(&stats->ends);
    arena_done(&stats->arena);
}

bool simulate_end_is_good(const struct simulate_end *end)
{
    return !end->is_stuck && end->state == EXECUTION_SUCCEEDED;
}

static int add_end(struct simulate_stats *stats, const struct simulation_result *result)
{
    struct orch_str key =
        arena_printf(&stats->arena, "%d %.*s", result->is_stuck ? -1 : (int)result->state, STR_ARG(result->reason));
    bool added = false;
    struct map_entry *entry = key.data ? map_add(&stats->ends, key, &added) : NULL;
    if (!entry) return ORCH_ERR_NO_MEMORY;
    if (added) {
        if (stats->ends_count == stats->ends_capacity) {
            uint32_t capacity = stats->ends_capacity ? stats->ends_capacity * 2 : 8;
            struct simulate_end *list = realloc(stats->list, capacity * sizeof *list);
            if (!list) return ORCH_ERR_NO_MEMORY;
            stats->list = list;
            stats->ends_capacity = capacity;
        }
        struct orch_str reason = result->reason.size ? arena_str(&stats->arena, result->reason) : STR_NONE;
        if (result->reason.size && !reason.data) return ORCH_ERR_NO_MEMORY;
        entry->number = stats->ends_count;
        stats->list[stats->ends_count++] = (struct simulate_end){.state = (uint8_t)result->state,
                                                                 .is_stuck = result->is_stuck,
                                                                 .reason = reason,
                                                                 .first_seed = result->seed};
    }
    struct simulate_end *end = &stats->list[entry->number];
    end->count++;
    if (result->seed < end->first_seed) end->first_seed = result->seed;
    return 0;
}

static int add_tasks(struct simulate_stats *stats, const struct simulation_result *result,
                     struct orch_str (*path)(const void *user, uint32_t row), const void *user)
{
    if (result->tasks_count > stats->tasks_count) {
        struct simulate_task *tasks = realloc(stats->tasks, result->tasks_count * sizeof *tasks);
        if (!tasks) return ORCH_ERR_NO_MEMORY;
        stats->tasks = tasks;
        for (uint32_t i = stats->tasks_count; i < result->tasks_count; i++) {
            tasks[i] = (struct simulate_task){.path = arena_str(&stats->arena, path(user, i))};
            if (!tasks[i].path.data) return ORCH_ERR_NO_MEMORY;
            stats->tasks_count = i + 1;
        }
    }
    for (uint32_t i = 0; i < result->tasks_count; i++) {
        const struct simulation_task *one = &result->tasks[i];
        struct simulate_task *task = &stats->tasks[i];
        task->runs += one->ran > 0;
        task->ran += one->ran;
        task->attempts += one->attempts;
        task->retries += one->retries;
        task->lost += one->lost;
        task->failed += one->failed;
        task->timed_out += one->timed_out;
        task->skipped += one->skipped;
        task->undo_runs += one->undo_began > 0;
        task->undo_began += one->undo_began;
        task->undone += one->undone;
        task->critical += one->is_critical;
        task->timed += one->timed;
        task->busy += one->busy;
        stats->retries += one->retries;
    }
    return 0;
}

int simulate_stats_add(struct simulate_stats *stats, const struct simulation_result *result,
                       struct orch_str (*path)(const void *user, uint32_t row), const void *user)
{
    int r = add_end(stats, result);
    if (!r) r = add_tasks(stats, result, path, user);
    if (r) return r;
    stats->runs++;
    stats->crashes += result->crashes;
    stats->evaluations += result->is_evaluation;
    if (result->is_stuck) return 0;
    if (stats->makespans_count == stats->makespans_capacity) {
        uint64_t capacity = stats->makespans_capacity ? stats->makespans_capacity * 2 : 1024;
        orch_time *makespans = realloc(stats->makespans, capacity * sizeof *makespans);
        if (!makespans) return ORCH_ERR_NO_MEMORY;
        stats->makespans = makespans;
        stats->makespans_capacity = capacity;
    }
    stats->makespans[stats->makespans_count++] = result->makespan;
    stats->is_sorted = false;
    return 0;
}

static int compare_ends(const void *a, const void *b)
{
    const struct simulate_end *x = a, *y = b;
    bool is_good = simulate_end_is_good(x);
    if (is_good != simulate_end_is_good(y)) return is_good ? -1 : 1;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return x->first_seed < y->first_seed ? -1 : x->first_seed > y->first_seed;
}

void simulate_stats_sort(struct simulate_stats *stats)
{
    map_clear(&stats->ends); /* its numbers are places in the list: nothing is added any more */
    if (stats->ends_count) qsort(stats->list, stats->ends_count, sizeof *stats->list, compare_ends);
}

static int compare_times(const void *a, const void *b)
{
    orch_time x = *(const orch_time *)a, y = *(const orch_time *)b;
    return (x > y) - (x < y);
}

static void sort_makespans(struct simulate_stats *stats)
{
    if (!stats->is_sorted && stats->makespans_count)
        qsort(stats->makespans, stats->makespans_count, sizeof *stats->makespans, compare_times);
    stats->is_sorted = true;
}

orch_time simulate_stats_percentile(struct simulate_stats *stats, double percent)
{
    sort_makespans(stats);
    if (!stats->makespans_count) return 0;
    double rank = percent / 100 * (double)stats->makespans_count;
    uint64_t at = (uint64_t)rank;
    if ((double)at < rank) at++; /* up to the next whole one */
    return stats->makespans[at ? (at <= stats->makespans_count ? at : stats->makespans_count) - 1 : 0];
}

/* 1, 2 or 5 of a unit that reads well, the smallest that is not below the least. */
static orch_time round_width(orch_time least)
{
    static const orch_time widths[] = {1, 2, 5, 10, 15, 30};
    for (orch_time unit = 1; unit < ORCH_SECOND; unit *= 10)
        for (size_t i = 0; i < 3; i++)
            if (widths[i] * unit >= least) return widths[i] * unit;
    static const orch_time units[] = {ORCH_SECOND, 60 * ORCH_SECOND, 3600 * ORCH_SECOND};
    for (size_t u = 0; u < 3; u++)
        for (size_t i = 0; i < 6; i++)
            if (widths[i] * units[u] >= least && (u < 2 || i < 4)) return widths[i] * units[u];
    orch_time day = 24 * 3600 * ORCH_SECOND;
    for (orch_time unit = day;; unit *= 10)
        for (size_t i = 0; i < 3; i++)
            if (widths[i] * unit >= least || unit > INT64_MAX / 100) return widths[i] * unit;
}

uint32_t simulate_stats_histogram(struct simulate_stats *stats, struct simulate_bar ret[SIMULATE_HISTOGRAM_MAX])
{
    sort_makespans(stats);
    if (!stats->makespans_count) return 0;
    orch_time min = stats->makespans[0], max = stats->makespans[stats->makespans_count - 1];
    orch_time width = round_width((max - min) / (SIMULATE_HISTOGRAM_MAX - 2) + 1), first = min - min % width;
    uint32_t count = (uint32_t)((max - first) / width) + 1;
    for (uint32_t i = 0; i < count; i++)
        ret[i] = (struct simulate_bar){first + (orch_time)i * width, first + (orch_time)(i + 1) * width, 0};
    for (uint64_t i = 0; i < stats->makespans_count; i++) ret[(stats->makespans[i] - first) / width].count++;
    return count;
}
