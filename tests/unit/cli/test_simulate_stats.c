/*
 * Counting simulated runs: ends, percentiles, bars, tasks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/simulate_stats.h"

static struct orch_str path_of(const void *user, uint32_t row)
{
    return str_from(((const char *const *)user)[row]);
}

static const char *const paths[] = {"a", "b", "c"};

static void add(struct simulate_stats *stats, uint64_t seed, enum execution_state state, const char *reason,
                orch_time makespan)
{
    struct simulation_result result = {.seed = seed, .state = state, .reason = str_from(reason), .makespan = makespan};
    assert_int_equal(0, simulate_stats_add(stats, &result, path_of, paths));
}

static void test_percentiles(void **state)
{
    /* Nearest rank: the smallest that so many hundredths do not exceed. */
    static const struct {
        int runs; /* of 1, 2, 3 .. seconds, added backwards */
        double percent;
        int seconds;
    } table[] = {{1, 0, 1},     {1, 50, 1},    {1, 100, 1},      {2, 50, 1},  {2, 51, 2},
                 {4, 25, 1},    {4, 26, 2},    {10, 95, 10},     {10, 90, 9}, {20, 95, 19},
                 {100, 95, 95}, {100, 50, 50}, {100, 99.1, 100}, {5, 50, 3},  {1000, 95, 950}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct simulate_stats stats;
        simulate_stats_init(&stats);
        for (int run = table[i].runs; run > 0; run--) add(&stats, 1, EXECUTION_SUCCEEDED, "", run * ORCH_SECOND);
        assert_int_equal(table[i].seconds * ORCH_SECOND, simulate_stats_percentile(&stats, table[i].percent));
        simulate_stats_done(&stats);
    }
    struct simulate_stats none;
    simulate_stats_init(&none);
    assert_int_equal(0, simulate_stats_percentile(&none, 50));
    simulate_stats_done(&none);
}

static void check_bars(struct simulate_stats *stats, uint64_t runs)
{
    struct simulate_bar bars[SIMULATE_HISTOGRAM_MAX];
    uint32_t count = simulate_stats_histogram(stats, bars);
    uint64_t sum = 0;
    assert_in_range(count, 1, SIMULATE_HISTOGRAM_MAX);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(bars[i].from < bars[i].to);
        assert_int_equal(bars[i].to - bars[i].from, bars[0].to - bars[0].from);
        if (i) assert_int_equal(bars[i].from, bars[i - 1].to);
        sum += bars[i].count;
    }
    assert_true(bars[0].count > 0);
    assert_true(bars[count - 1].count > 0);
    assert_int_equal(runs, sum);
}

static void test_histogram(void **state)
{
    static const struct {
        orch_time from, step;
        int runs;
    } table[] = {{0, 0, 1},
                 {ORCH_SECOND, 0, 5},
                 {1, 1, 12},
                 {1, 1, 13},
                 {123456, 777, 1000},
                 {ORCH_SECOND, ORCH_SECOND, 10},
                 {59 * ORCH_SECOND, ORCH_SECOND, 100},
                 {3599 * ORCH_SECOND, 60 * ORCH_SECOND, 500},
                 {7, 86400 * ORCH_SECOND, 11},
                 {7, 86400 * ORCH_SECOND, 36500},
                 {0, INT64_MAX / 100, 50}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct simulate_stats stats;
        simulate_stats_init(&stats);
        for (int run = 0; run < table[i].runs; run++)
            add(&stats, 1, EXECUTION_FAILED, "", table[i].from + run * table[i].step);
        check_bars(&stats, (uint64_t)table[i].runs);
        simulate_stats_done(&stats);
    }
    /* The bars are where a person would put them. */
    struct simulate_stats stats;
    struct simulate_bar bars[SIMULATE_HISTOGRAM_MAX];
    simulate_stats_init(&stats);
    for (int i = 0; i < 60; i++) add(&stats, 1, EXECUTION_SUCCEEDED, "", (31 + i) * ORCH_SECOND);
    assert_int_equal(7, simulate_stats_histogram(&stats, bars));
    assert_int_equal(30 * ORCH_SECOND, bars[0].from);
    assert_int_equal(40 * ORCH_SECOND, bars[0].to);
    assert_int_equal(9, bars[0].count);
    assert_int_equal(10, bars[1].count);
    assert_int_equal(1, bars[6].count);
    simulate_stats_done(&stats);
    simulate_stats_init(&stats);
    assert_int_equal(0, simulate_stats_histogram(&stats, bars));
    simulate_stats_done(&stats);
}

static void test_ends(void **state)
{
    struct simulate_stats stats;
    (void)state;
    simulate_stats_init(&stats);
    add(&stats, 10, EXECUTION_FAILED, "x failed", 1);
    add(&stats, 11, EXECUTION_SUCCEEDED, "", 2);
    add(&stats, 12, EXECUTION_FAILED, "y failed", 3);
    add(&stats, 13, EXECUTION_FAILED, "y failed", 4);
    add(&stats, 14, EXECUTION_COMPENSATED, "y failed", 5);
    struct simulation_result stuck = {.seed = 9, .is_stuck = true, .reason = STR("z hangs"), .makespan = 1000};
    assert_int_equal(0, simulate_stats_add(&stats, &stuck, path_of, paths));
    simulate_stats_sort(&stats);
    assert_int_equal(6, stats.runs);
    assert_int_equal(5, stats.ends_count);
    /* The good one first, then by how many, then by the first seed. */
    assert_int_equal(EXECUTION_SUCCEEDED, stats.list[0].state);
    assert_true(simulate_end_is_good(&stats.list[0]));
    assert_int_equal(12, stats.list[1].first_seed);
    assert_int_equal(2, stats.list[1].count);
    assert_true(stats.list[2].is_stuck);
    assert_false(simulate_end_is_good(&stats.list[2]));
    assert_int_equal(10, stats.list[3].first_seed);
    assert_int_equal(EXECUTION_COMPENSATED, stats.list[4].state);
    assert_false(simulate_end_is_good(&stats.list[4]));
    /* One that never ends has no length. */
    assert_int_equal(5, simulate_stats_percentile(&stats, 100));
    simulate_stats_done(&stats);
}

static void test_tasks(void **state)
{
    struct simulate_stats stats;
    (void)state;
    simulate_stats_init(&stats);
    struct simulation_task first[] = {
        {.ran = 1, .attempts = 3, .retries = 2, .is_critical = true, .timed = 1, .busy = 30}, {.skipped = 1}};
    struct simulation_task second[] = {{.ran = 2, .attempts = 2, .timed = 2, .busy = 10, .failed = 1, .timed_out = 1},
                                       {.ran = 1, .undo_began = 1},
                                       {.ran = 1, .undo_began = 2, .undone = 2, .is_critical = true}};
    struct simulation_result result = {.tasks = first, .tasks_count = 2};
    assert_int_equal(0, simulate_stats_add(&stats, &result, path_of, paths));
    result = (struct simulation_result){.tasks = second, .tasks_count = 3, .crashes = 1};
    assert_int_equal(0, simulate_stats_add(&stats, &result, path_of, paths));
    assert_int_equal(3, stats.tasks_count);
    assert_true(str_is(stats.tasks[2].path, "c"));
    const struct simulate_task *a = &stats.tasks[0], *b = &stats.tasks[1], *c = &stats.tasks[2];
    assert_int_equal(2, a->runs);
    assert_int_equal(3, a->ran);
    assert_int_equal(5, a->attempts);
    assert_int_equal(2, a->retries);
    assert_int_equal(1, a->critical);
    assert_int_equal(40, a->busy);
    assert_int_equal(3, a->timed);
    assert_int_equal(1, a->failed);
    assert_int_equal(1, a->timed_out);
    assert_int_equal(1, b->runs);
    assert_int_equal(1, b->skipped);
    assert_int_equal(1, b->undo_runs);
    assert_int_equal(0, b->undone);
    assert_int_equal(1, c->undo_runs);
    assert_int_equal(2, c->undo_began);
    assert_int_equal(2, stats.retries);
    assert_int_equal(1, stats.crashes);
    simulate_stats_done(&stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_percentiles), cmocka_unit_test(test_histogram),
                                       cmocka_unit_test(test_ends), cmocka_unit_test(test_tasks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
