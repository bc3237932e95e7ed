/* The fast lane beside a plain walk over the same graph; with failures, stops, cycles, no memory. */
#include "engine/lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

#define TASKS_MAX 3000

struct graph {
    struct lane_graph lane;
    uint32_t first[TASKS_MAX + 1];
    uint32_t next[TASKS_MAX * 8];
    uint8_t fails[TASKS_MAX];
    _Atomic uint8_t runs[TASKS_MAX];
    _Atomic uint32_t under_way, most;
    _Atomic uint32_t wrong; /* begun before all it depends on had succeeded */
    _Atomic bool stop;
    _Atomic uint32_t left; /* until `stop` is set; 0: never */
};

static uint64_t draw(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Edges lead upwards, then the numbers are mixed so that they lead anywhere. */
static void make(struct graph *graph, uint64_t seed)
{
    uint64_t state = seed;
    uint32_t count = 1 + (uint32_t)(draw(&state) % (draw(&state) % 8 == 0 ? TASKS_MAX : 60));
    uint32_t degree = (uint32_t)(draw(&state) % 8), reach = 1 + (uint32_t)(draw(&state) % count);
    uint32_t fails = draw(&state) % 2 ? 0 : 1 + (uint32_t)(draw(&state) % 20);
    uint32_t order[TASKS_MAX], place[TASKS_MAX];

    memset(graph, 0, sizeof *graph);
    for (uint32_t i = 0; i < count; i++) order[i] = i;
    if (draw(&state) % 2)
        for (uint32_t i = count; i-- > 1;) {
            uint32_t j = (uint32_t)(draw(&state) % (i + 1)), kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
    for (uint32_t i = 0; i < count; i++) place[order[i]] = i;
    for (uint32_t task = 0, edges = 0; task < count; task++) {
        uint32_t at = place[task], behind = count - 1 - at < reach ? count - 1 - at : reach;
        graph->first[task] = edges;
        for (uint32_t i = 0; behind > 0 && i < degree; i++)
            graph->next[edges++] = order[at + 1 + draw(&state) % behind];
        graph->first[task + 1] = edges;
        graph->fails[task] = fails && draw(&state) % fails == 0;
    }
    graph->lane = (struct lane_graph){.count = count, .first = graph->first, .next = graph->next};
}

static int run_task(void *user, uint32_t task)
{
    struct graph *graph = user;
    uint32_t under_way = atomic_fetch_add(&graph->under_way, 1) + 1, most = atomic_load(&graph->most);

    while (under_way > most && !atomic_compare_exchange_weak(&graph->most, &most, under_way)) {
    }
    for (uint32_t i = graph->first[task]; i < graph->first[task + 1]; i++)
        if (atomic_load(&graph->runs[graph->next[i]])) atomic_fetch_add(&graph->wrong, 1);
    if (atomic_fetch_add(&graph->runs[task], 1)) atomic_fetch_add(&graph->wrong, 1);
    if (atomic_load(&graph->left) && atomic_fetch_sub(&graph->left, 1) == 1) atomic_store(&graph->stop, true);
    atomic_fetch_sub(&graph->under_way, 1);
    return graph->fails[task] ? ORCH_ERR_TASK_FAILED : 0;
}

/* What must come out when nothing is stopped. */
static void expect(const struct graph *graph, uint8_t *states)
{
    uint32_t needs[TASKS_MAX] = {0}, queue[TASKS_MAX], head = 0, tail = 0;
    bool poisoned[TASKS_MAX] = {false};

    for (uint32_t i = 0; i < graph->first[graph->lane.count]; i++) needs[graph->next[i]]++;
    for (uint32_t i = 0; i < graph->lane.count; i++)
        if (!needs[i]) queue[tail++] = i;
    while (head < tail) {
        uint32_t task = queue[head++];
        states[task] = poisoned[task] ? LANE_SKIPPED : graph->fails[task] ? LANE_FAILED : LANE_SUCCEEDED;
        for (uint32_t i = graph->first[task]; i < graph->first[task + 1]; i++) {
            uint32_t next = graph->next[i];
            if (states[task] != LANE_SUCCEEDED) poisoned[next] = true;
            if (--needs[next] == 0) queue[tail++] = next;
        }
    }
    assert_int_equal(tail, graph->lane.count);
}

static void test_drawn(void **state)
{
    static struct graph graph;
    static uint8_t states[TASKS_MAX], expected[TASKS_MAX];

    (void)state;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        make(&graph, seed);
        struct lane_options options = {.threads = (uint32_t)(seed % 5), .run = run_task, .user = &graph};
        assert_int_equal(lane_run(&graph.lane, &options, states, NULL), 0);
        expect(&graph, expected);
        if (memcmp(states, expected, graph.lane.count) != 0) fail_msg("seed %d: other states", (int)seed);
        for (uint32_t i = 0; i < graph.lane.count; i++)
            if (graph.runs[i] != (states[i] == LANE_SUCCEEDED || states[i] == LANE_FAILED))
                fail_msg("seed %d: task %u ran %u times", (int)seed, i, graph.runs[i]);
        if (graph.wrong) fail_msg("seed %d: %u tasks out of order", (int)seed, graph.wrong);
        assert_true(graph.most <= (options.threads ? options.threads : 1));
    }
}

/* Stopped in the middle, or by the first failure: nothing begins afterwards, and the rest is told apart. */
static void test_stopped(void **state)
{
    static struct graph graph;
    static uint8_t states[TASKS_MAX];

    (void)state;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        make(&graph, seed);
        bool fail_fast = seed % 3 == 0;
        graph.left = fail_fast ? 0 : (uint32_t)(seed % 17);
        uint32_t left = graph.left;
        struct lane_options options = {.threads = (uint32_t)(seed % 4),
                                       .fail_fast = fail_fast,
                                       .run = run_task,
                                       .user = &graph,
                                       .stop = &graph.stop};
        assert_int_equal(lane_run(&graph.lane, &options, states, NULL), 0);
        uint32_t ran = 0, failed = 0;
        bool after_failed[TASKS_MAX] = {false}, is_more = true;
        for (uint32_t i = 0; i < graph.lane.count; i++) {
            ran += graph.runs[i];
            failed += states[i] == LANE_FAILED;
            after_failed[i] = states[i] == LANE_FAILED;
        }
        while (is_more) {
            is_more = false;
            for (uint32_t i = 0; i < graph.lane.count; i++)
                for (uint32_t j = graph.first[i]; after_failed[i] && j < graph.first[i + 1]; j++)
                    if (!after_failed[graph.next[j]]) is_more = after_failed[graph.next[j]] = true;
        }
        for (uint32_t i = 0; i < graph.lane.count; i++) {
            bool was_run = states[i] == LANE_SUCCEEDED || states[i] == LANE_FAILED;
            if (graph.runs[i] != was_run) fail_msg("seed %d: task %u", (int)seed, i);
            if (!was_run && (states[i] == LANE_SKIPPED) != after_failed[i]) fail_msg("seed %d: task %u", (int)seed, i);
        }
        uint32_t threads = options.threads ? options.threads : 1;
        if (left) assert_true(ran <= left + threads - 1);
        if (fail_fast) assert_true(failed <= threads);
        assert_int_equal(graph.wrong, 0);
    }
}

static void test_cycles(void **state)
{
    static const struct {
        uint32_t count, first[6], next[6];
    } cases[] = {
        {1, {0, 1}, {0}},
        {2, {0, 1, 2}, {1, 0}},
        {4, {0, 1, 2, 3, 3}, {1, 2, 1}},
        {5, {0, 1, 2, 3, 4, 4}, {1, 2, 0, 4}},
    };
    static struct graph graph;
    uint8_t states[5];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lane_graph lane = {cases[i].count, cases[i].first, cases[i].next};
        struct lane_options options = {.threads = 2, .run = run_task, .user = &graph};
        struct orch_error err = ORCH_ERROR_INIT;
        memset(&graph, 0, sizeof graph);
        assert_int_equal(lane_run(&lane, &options, states, &err), ORCH_ERR_CYCLE);
        assert_int_equal(err.code, ORCH_ERR_CYCLE);
        for (uint32_t task = 0; task < cases[i].count; task++) assert_int_equal(graph.runs[task], 0);
    }
}

/* One task waits for the other thread to run another: no thread sits on work while it is busy itself. */
struct meeting {
    _Atomic uint32_t come;
};

static int meet(void *user, uint32_t task)
{
    struct meeting *meeting = user;

    if (task == 0) return 0;
    atomic_fetch_add(&meeting->come, 1);
    while (atomic_load(&meeting->come) < 4) {
    }
    return 0;
}

static void test_conserves_work(void **state)
{
    /* 0 is followed by four that wait for each other; then one. */
    static const uint32_t first[] = {0, 4, 5, 6, 7, 8, 8}, next[] = {1, 2, 3, 4, 5, 5, 5, 5};
    struct lane_graph graph = {6, first, next};
    uint8_t states[6];

    (void)state;
    for (int round = 0; round < 50; round++) {
        struct meeting meeting = {0};
        struct lane_options options = {.threads = 4, .run = meet, .user = &meeting};
        assert_int_equal(lane_run(&graph, &options, states, NULL), 0);
        for (uint32_t i = 0; i < 6; i++) assert_int_equal(states[i], LANE_SUCCEEDED);
    }
}

static void *resize_failing(void *user, void *block, size_t size_old, size_t size_new)
{
    int *left = user;

    (void)size_old;
    if (size_new == 0) {
        free(block);
        return NULL;
    }
    return (*left)-- > 0 ? realloc(block, size_new) : NULL;
}

static void test_no_memory(void **state)
{
    static struct graph graph;
    uint8_t states[TASKS_MAX];

    (void)state;
    for (int left = 0; left < 3; left++) {
        int rest = left;
        struct orch_allocator allocator = {resize_failing, &rest};
        make(&graph, 8);
        struct lane_options options = {.threads = 2, .run = run_task, .user = &graph, .allocator = &allocator};
        struct orch_error err = ORCH_ERROR_INIT;
        int r = lane_run(&graph.lane, &options, states, &err);
        assert_int_equal(r, left < 2 ? ORCH_ERR_NO_MEMORY : 0);
        if (left < 2) assert_int_equal(graph.runs[0], 0);
    }
    struct lane_options options = {.run = run_task};
    assert_int_equal(lane_run(&(struct lane_graph){0}, &options, NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawn),          cmocka_unit_test(test_stopped),   cmocka_unit_test(test_cycles),
        cmocka_unit_test(test_conserves_work), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
