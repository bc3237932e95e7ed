/*
 * Limits: jobs, executions, workflows, groups, pools and loops. Never exceeded, given back exactly once, freed; and who
 * goes first.
 */
#include "harness.h"

#include "core/admission_internal.h"

/* So many that counted themselves under a key were never exceeded, and all came. */
static void expect_inside(struct world *world, const char *key, int max, int total)
{
    struct tally *tally = world_tally(world, key);
    if (tally->max != max || tally->total != total)
        fail_msg("%s: at most %d at once (not %d), %d in all (not %d)", key, tally->max, max, tally->total, total);
}

static void test_never_exceeded(void **state)
{
    static const struct {
        const char *name, *yaml;
        uint32_t jobs;
        int executions, max, total;
    } cases[] = {
        {"jobs",
         "tasks:\n  a: {for_each: {in: [1, 2, 3, 4, 5, 6, 7, 8], as: n}, function: {name: inside, parameters: {key: k, "
         "want: 3, ms: 2}}}\n",
         3, 2, 3, 16},
        {"execution",
         "concurrency: 2\ntasks:\n  a: {for_each: {in: [1, 2, 3, 4, 5, 6], as: n}, function: {name: inside, "
         "parameters: {key: k, want: 2, ms: 2}}}\n",
         16, 1, 2, 6},
        {"workflow",
         "concurrency: {workflow: 3}\ntasks:\n  a: {for_each: {in: [1, 2, 3], as: n}, function: {name: inside, "
         "parameters: {key: k, want: 3, ms: 2}}}\n",
         16, 4, 3, 12},
        {"execution and workflow",
         "concurrency: {execution: 1, workflow: 4}\ntasks:\n  a: {for_each: {in: [1, 2, 3], as: n}, function: {name: "
         "inside, parameters: {key: k, want: 4, ms: 2}}}\n",
         16, 6, 4, 18},
        {"max_parallel",
         "tasks:\n  a: {for_each: {in: [1, 2, 3, 4, 5, 6], as: n, max_parallel: 2}, function: {name: inside, "
         "parameters: {key: k, want: 2, ms: 2}}}\n",
         16, 1, 2, 6},
        {"group",
         "tasks:\n  g:\n    concurrency: 2\n    mode: parallel\n    tasks:\n      a: {for_each: {in: [1, 2, 3], as: "
         "n}, function: {name: inside, parameters: {key: k, want: 2, ms: 2}}}\n"
         "      b: {for_each: {in: [1, 2, 3], as: n}, function: {name: inside, parameters: {key: k, ms: 2}}}\n",
         16, 1, 2, 6},
        {"group in a group",
         "tasks:\n  o:\n    concurrency: 2\n    mode: parallel\n    tasks:\n      g:\n        concurrency: 5\n        "
         "tasks:\n          a: {for_each: {in: [1, 2, 3, 4], as: n}, function: {name: inside, parameters: {key: k, "
         "want: 2, ms: 2}}}\n"
         "      h: {for_each: {in: [1, 2, 3, 4], as: n}, function: {name: inside, parameters: {key: k, ms: 2}}}\n",
         16, 1, 2, 8},
        {"pool",
         "pools: {p: 2}\ntasks:\n  a: {for_each: {in: [1, 2, 3, 4, 5], as: n}, pool: p, function: {name: inside, "
         "parameters: {key: k, want: 2, ms: 2}}}\n",
         16, 3, 2, 15},
        {"slots",
         "pools: {p: 5}\ntasks:\n  a: {for_each: {in: [1, 2, 3, 4, 5], as: n}, pool: {name: p, slots: 2}, function: "
         "{name: inside, parameters: {key: k, want: 2, ms: 2}}}\n",
         16, 2, 2, 10},
        {"two pools",
         "pools: {p: 4, q: 2}\ntasks:\n  a: {for_each: {in: [1, 2, 3, 4, 5], as: n}, pool: [p, q], function: {name: "
         "inside, parameters: {key: k, want: 2, ms: 2}}}\n",
         16, 2, 2, 10},
        {"retries",
         "concurrency: 2\ntasks:\n  a: {for_each: {in: [1, 2, 3, 4, 5], as: n}, retry: {max_attempts: 3, delay: 1ms}, "
         "on_error: {noop: {}}, function: {name: fail}}\n  b: {for_each: {in: [1, 2, 3], as: n}, function: {name: "
         "inside, parameters: {key: k, want: 1}}}\n",
         16, 1, 2, 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world world;
        world_init(&world, WORLD_MEMORY);
        world.options.jobs = cases[i].jobs;
        world_open(&world);
        for (int n = 0; n < cases[i].executions; n++) world_start(&world, cases[i].yaml, NULL);
        world_run(&world);
        struct tally *tally = world_tally(&world, "k");
        if (tally->max > cases[i].max || tally->total != cases[i].total)
            fail_msg("%s: at most %d at once (not %d), %d in all (not %d)", cases[i].name, tally->max, cases[i].max,
                     tally->total, cases[i].total);
        for (const struct ended *ended = world.ended; ended; ended = ended->next)
            assert_int_equal(EXECUTION_SUCCEEDED, ended->state);
        world_check_idle(&world);
        world_done(&world);
    }
}

static void test_order_of_starts(void **state)
{
    static const struct {
        const char *name, *yaml, *order;
    } cases[] = {
        {"first come",
         "tasks:\n  a: {function: {name: note, parameters: {name: a}}}\n  b: {function: {name: note, parameters: "
         "{name: b}}}\n  c: {function: {name: note, parameters: {name: c}}}\n",
         "a b c "},
        {"priority",
         "tasks:\n  a: {function: {name: note, parameters: {name: a}}}\n  b: {priority: 5, function: {name: note, "
         "parameters: {name: b}}}\n  c: {priority: -1, function: {name: note, parameters: {name: c}}}\n",
         "b a c "},
        {"longest path",
         "tasks:\n  short: {function: {name: note, parameters: {name: short}}}\n  long: {function: {name: note, "
         "parameters: {name: long}}}\n"
         "  next: {depends_on: long, function: {name: note, parameters: {name: next}}}\n  last: {depends_on: next, "
         "function: {name: note, parameters: {name: last}}}\n",
         "long next short last "},
        {"priority of a group",
         "tasks:\n  a: {function: {name: note, parameters: {name: a}}}\n  g:\n    priority: 3\n    tasks:\n      b: "
         "{function: {name: note, parameters: {name: b}}}\n      c: {priority: -9, function: {name: note, parameters: "
         "{name: c}}}\n",
         "b a c "},
        {"longest path through a group",
         "tasks:\n  a: {function: {name: note, parameters: {name: a}}}\n  a2: {depends_on: a, function: {name: note, "
         "parameters: {name: a2}}}\n  g:\n    tasks:\n      b: {function: {name: note, parameters: {name: b}}}\n"
         "  h: {depends_on: g, function: {name: note, parameters: {name: h}}}\n  i: {depends_on: h, function: {name: "
         "note, parameters: {name: i}}}\n",
         "b a h a2 i "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world world;
        world_init(&world, WORLD_MEMORY);
        world.options.jobs = 1;
        world_open(&world);
        world_play(&world, cases[i].yaml, NULL);
        if (strcmp(cases[i].order, world.order) != 0)
            fail_msg("%s: %s, not %s", cases[i].name, world.order, cases[i].order);
        world_done(&world);
    }
}

/* A workflow of higher priority goes before those that were there first. */
static void test_priority_of_workflows(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, WORLD_MEMORY);
    world.options.jobs = 1;
    world_open(&world);
    world_start(&world,
                "name: first\ntasks:\n  a: {function: {name: note, parameters: {name: a}}}\n  b: {depends_on: a, "
                "function: {name: note, parameters: {name: b}}}\n",
                NULL);
    world_start(&world,
                "name: urgent\npriority: 7\ntasks:\n  x: {function: {name: note, parameters: {name: x}}}\n  y: "
                "{depends_on: x, function: {name: note, parameters: {name: y}}}\n",
                NULL);
    world_run(&world);
    assert_string_equal("x y a b ", world.order);
    world_done(&world);
}

/* The latest definition says how large a pool is; what needs more than that takes it whole. Nobody waits for ever, and
 * nothing fails. */
static void test_pool_changes(void **state)
{
    struct world world;
    (void)state;
    world_new(&world, WORLD_MEMORY);
    world_start(&world,
                "name: large\npools: {p: 4}\nmode: sequence\ntasks:\n  a: {pool: p, function: {name: gate, parameters: "
                "{key: g}}}\n"
                "  b: {pool: {name: p, slots: 3}, function: {name: inside, parameters: {key: k}}}\n  c: {pool: {name: "
                "p, slots: 4}, function: {name: inside, parameters: {key: k}}}\n",
                NULL);
    world_until_trace(&world, "a task.attempt.started");
    world_start(&world,
                "name: small\npools: {p: 1}\ntasks:\n  a: {for_each: {in: [1, 2, 3], as: n}, pool: p, function: {name: "
                "inside, parameters: {key: s, ms: 2}}}\n",
                NULL);
    world_open_gate(&world, "g");
    world_run(&world);
    assert_int_equal(0, world.troubles);
    for (const struct ended *ended = world.ended; ended; ended = ended->next)
        assert_int_equal(EXECUTION_SUCCEEDED, ended->state);
    expect_inside(&world, "k", 1, 2);
    world_check_idle(&world);
    /* When nobody uses it any more the next one makes it anew. */
    world_play(&world,
               "name: later\npools: {p: 2}\ntasks:\n  a: {for_each: {in: [1, 2, 3, 4], as: n}, pool: p, function: "
               "{name: inside, parameters: {key: l, want: 2, ms: 1}}}\n",
               NULL);
    expect_inside(&world, "l", 2, 4);
    world_done(&world);
}

/* A workflow that runs itself under a limit of its own does not wait for itself. */
static void test_recursion_under_a_limit(void **state)
{
    struct world world;
    (void)state;
    world_new(&world, WORLD_MEMORY);
    world_file(&world, "down.yaml",
               "concurrency: {workflow: 1, execution: 1}\nparameters: {n: {type: integer, default: 3}}\n"
               "tasks:\n  x: {when: n > 0, workflow: {name: down, parameters: {n: '{{ n - 1 }}'}}}\n  y: {function: "
               "{name: inside, parameters: {key: k}}}\n");
    const struct ended *ended = world_play(&world, "tasks:\n  a: {workflow: down}\n", NULL);
    assert_int_equal(EXECUTION_SUCCEEDED, ended->state);
    expect_inside(&world, "k", 1, 4);
    world_done(&world);
}

/* `concurrency` of an execution counts its sub-workflows. */
static void test_sub_workflows_at_once(void **state)
{
    struct world world;
    (void)state;
    world_new(&world, WORLD_MEMORY);
    world_file(&world, "one.yaml", "tasks:\n  y: {function: {name: inside, parameters: {key: k, want: 2, ms: 2}}}\n");
    world_play(&world, "concurrency: 2\ntasks:\n  a: {for_each: {in: [1, 2, 3, 4, 5], as: n}, workflow: one}\n", NULL);
    expect_inside(&world, "k", 2, 5);
    world_done(&world);
}

/* Limits of groups end with their frames, not with the execution. */
static void test_group_limits_are_freed(void **state)
{
    struct world world;
    (void)state;
    world_new(&world, WORLD_MEMORY);
    const struct ended *ended =
        world_play(&world,
                   "tasks:\n  a:\n    for_each: {in: '[1,2,3,4,5,6,7,8,9,10].map(x, [x, x, x, x, x, x, x, x, x, "
                   "x]).flatten()', as: n, max_parallel: 4}\n    concurrency: 1\n"
                   "    tasks:\n      x: {function: {name: inside, parameters: {key: k}}}\n      y: {function: {name: "
                   "inside, parameters: {key: k}}}\n",
                   NULL);
    assert_int_equal(EXECUTION_SUCCEEDED, ended->state);
    assert_true(world_tally(&world, "k")->max <= 4);
    assert_int_equal(200, world_count(&world, "k"));
    assert_true(world.engine->admission->limits_count <= 16);
    world_done(&world);
}

static void test_thousand_at_once(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, WORLD_DISK);
    world.options.jobs = 6;
    world_open(&world);
    for (int i = 0; i < 1000; i++)
        world_start(
            &world,
            "tasks:\n  a: {function: {name: inside, parameters: {key: k}}}\n  b: {depends_on: a, transform: '2'}\n"
            "  c: {depends_on: a, function: {name: flaky, parameters: {key: c, times: 100}}, retry: {max_attempts: "
            "200, delay: 1ms, backoff: constant}}\n",
            NULL);
    assert_int_equal(1000, engine_count(world.engine));
    world_run(&world);
    assert_int_equal(1000, world.ended_count);
    for (const struct ended *ended = world.ended; ended; ended = ended->next)
        assert_int_equal(EXECUTION_SUCCEEDED, ended->state);
    assert_true(world_tally(&world, "k")->max <= 6);
    assert_int_equal(1000, world_count(&world, "k"));
    world_check_idle(&world);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_exceeded),          cmocka_unit_test(test_order_of_starts),
        cmocka_unit_test(test_priority_of_workflows),   cmocka_unit_test(test_pool_changes),
        cmocka_unit_test(test_recursion_under_a_limit), cmocka_unit_test(test_sub_workflows_at_once),
        cmocka_unit_test(test_group_limits_are_freed),  cmocka_unit_test(test_thousand_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
