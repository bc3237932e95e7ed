/*
 * A store that is full, that fails, that is slow; an engine that is closed in the middle. Nothing that was acknowledged is lost, nobody waits for ever, and
 * nothing is left running.
 */
#include "harness.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

static void on_done(void *user, int status)
{
    int *counts = user;
    counts[0]++;
    counts[1] = status;
}

static const char *const chain_yaml =
    "mode: sequence\ntasks:\n  a: {function: {name: note, parameters: {name: a}}}\n  b: {function: {name: note, parameters: {name: b}}}\n"
    "  c: {shell: 'echo 5'}\n  d: {function: {name: note, parameters: {name: d}}}\noutput: '{{ c.output }}'\n";

/* The disk is full at each append in turn, for a while: it goes on by itself, and nothing was done twice. */
static void test_full_then_room(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        for (uint32_t after = 0;; after++) {
            struct world world;
            int told[2] = {0, 99};
            world_new(&world, (enum world_kind)kind);
            world_fault(&world, FAULT_FULL, after);
            struct engine_execution *execution = world_start(&world, chain_yaml, NULL);
            assert_int_equal(0, engine_signal(world.engine, execution, STR("n"), STR("1"), STR("t"), on_done, told, NULL));
            orch_time until = clock_monotonic() + 700 * ORCH_MILLISECOND;
            while (clock_monotonic() < until && engine_count(world.engine) && the_fault.appends < after + 2) uv_run(engine_loop(world.engine), UV_RUN_ONCE);
            bool was_full = engine_count(world.engine) > 0;
            assert_int_equal(was_full ? 1 : 0, world.troubles); /* said once, not each time it is tried */
            if (was_full) assert_int_equal(ORCH_ERR_FULL, world.trouble.code);
            if (was_full && after == 0) assert_int_equal(0, told[0]); /* not acknowledged before it is durable */
            world_fault(&world, FAULT_NONE, 0);
            world_run(&world);
            assert_int_equal(EXECUTION_SUCCEEDED, world.ended->state);
            assert_string_equal("5", world.ended->output);
            assert_string_equal("a b d ", world.order);
            assert_int_equal(1, told[0]);
            assert_int_equal(0, told[1]);
            world_check_idle(&world);
            struct engine_view *view;
            assert_int_equal(0, engine_view_open(engine_store(world.engine), 1, &view, NULL));
            assert_int_equal(world.ended->digest, core_digest(engine_view_core(view)));
            engine_view_close(view);
            world_done(&world);
            if (!was_full) {
                assert_true(after >= 5);
                break;
            }
        }
    }
}

/* What runs goes on while the disk is full, and is recorded when there is room; also a cancel. */
static void test_cancel_while_full(void **state)
{
    struct world world;
    int told[2] = {0, 99};
    (void)state;
    world_new(&world, WORLD_DISK);
    struct engine_execution *execution = world_start(&world, "tasks:\n  a: {function: {name: gate, parameters: {key: g}}}\n  b: {exec: [sleep, '30']}\nfinally: {f: {noop: {}}}\n", NULL);
    world_until_trace(&world, "b task.attempt.started");
    world_fault(&world, FAULT_FULL, 0);
    assert_int_equal(0, engine_cancel(world.engine, execution, STR("t"), STR("x"), on_done, told, NULL));
    for (int i = 0; i < 20; i++) uv_run(engine_loop(world.engine), UV_RUN_NOWAIT);
    assert_int_equal(0, told[0]);
    assert_int_equal(0, count_text(world.trace.data, "execution.stopping"));
    world_fault(&world, FAULT_NONE, 0);
    world_run(&world);
    assert_int_equal(1, told[0]);
    assert_int_equal(EXECUTION_CANCELLED, world.ended->state);
    world_done(&world);
}

/* Closed while it is full: those who wait are told that it did not come to that. */
static void test_close_while_full(void **state)
{
    struct world world;
    int told[2] = {0, 99};
    (void)state;
    world_new(&world, WORLD_DISK);
    struct engine_execution *execution = world_start(&world, "tasks:\n  a: {function: {name: gate, parameters: {key: g}}}\n", NULL);
    world_until_trace(&world, "a task.attempt.started");
    world_fault(&world, FAULT_FULL, 0);
    assert_int_equal(0, engine_signal(world.engine, execution, STR("n"), STR("1"), STR("t"), on_done, told, NULL));
    for (int i = 0; i < 5; i++) uv_run(engine_loop(world.engine), UV_RUN_NOWAIT);
    world_close(&world);
    assert_int_equal(1, told[0]);
    assert_int_equal(ORCH_ERR_FULL, told[1]);
    world_open(&world);
    world_open_gate(&world, "g");
    assert_int_equal(0, engine_resume(world.engine, 1, &execution, NULL));
    world_run(&world);
    assert_int_equal(EXECUTION_SUCCEEDED, world.ended->state);
    world_done(&world);
}

/* Processes that carry a text in their command line. */
static int alive_with(const char *text)
{
    int count = 0;
    DIR *proc = opendir("/proc");
    assert_non_null(proc);
    for (struct dirent *entry; (entry = readdir(proc));) {
        char path[300], line[1000];
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
        snprintf(path, sizeof path, "/proc/%.20s/cmdline", entry->d_name);
        FILE *file = fopen(path, "r");
        if (!file) continue;
        size_t size = fread(line, 1, sizeof line - 1, file);
        fclose(file);
        for (size_t i = 0; i < size; i++)
            if (!line[i]) line[i] = ' ';
        line[size] = '\0';
        if (strstr(line, text)) count++;
    }
    closedir(proc);
    return count;
}

static bool has_failed(struct world *world)
{
    return world->engine->failed;
}

static bool has_failed_done(void *user)
{
    return has_failed(user);
}

static bool all_but_one_done(struct world *world)
{
    struct core_summary summary;
    core_get_summary(engine_execution_core(engine_find(world->engine, 1)), &summary);
    return summary.tasks_done == summary.tasks_total - 1;
}

/* A store that can write no more, at each append in turn: what runs is killed, the error is told, and all goes on from what was durable. */
static void test_failing_store(void **state)
{
    static const enum fault faults[] = {FAULT_IO, FAULT_REFUSE};
    (void)state;
    for (size_t f = 0; f < 2; f++) {
        for (uint32_t after = 0;; after++) {
            struct world world;
            struct orch_error err = ORCH_ERROR_INIT;
            int told[3][2] = {{0, 99}, {0, 99}, {0, 99}};
            char yaml[700], mark[40];
            snprintf(mark, sizeof mark, "%d.%u%u", 7000 + getpid() % 1000, (unsigned)f, after);
            snprintf(yaml, sizeof yaml,
                     "concurrency: 9\npools: {p: 3}\ntasks:\n  long: {exec: [sleep, '%s']}\n  g: {concurrency: 2, tasks: {x: {pool: p, function: {name: gate, parameters: {key: g}}}}}\n"
                     "  a: {function: {name: note, parameters: {name: a}}}\n  b: {depends_on: a, function: {name: note, parameters: {name: b}}}\n"
                     "  c: {depends_on: b, shell: 'echo 5'}\n  w: {workflow: sub}\noutput: '{{ c.output }}'\n",
                     mark);
            world_init(&world, WORLD_DISK);
            world_file(&world, "sub.yaml", "tasks:\n  y: {function: {name: gate, parameters: {key: g}}}\n");
            world_open(&world);
            world_fault(&world, faults[f], after);
            struct engine_execution *execution = world_start(&world, yaml, NULL);
            assert_int_equal(0, engine_signal(world.engine, execution, STR("n"), STR("1"), STR("t"), on_done, told[0], NULL));
            orch_time until = clock_monotonic() + 300 * ORCH_MILLISECOND;
            while (!has_failed(&world) && clock_monotonic() < until && the_fault.appends <= after) uv_run(engine_loop(world.engine), UV_RUN_ONCE);
            bool failed = has_failed(&world);
            if (!failed) assert_int_equal(0, engine_signal(world.engine, execution, STR("n"), STR("1"), STR("t"), on_done, told[1], NULL));
            if (!failed) assert_int_equal(0, engine_signal(world.engine, execution, STR("n"), STR("2"), STR("t"), on_done, told[2], NULL));
            int r = engine_run(world.engine, has_failed_done, &world, &err);
            assert_true(r != 0);
            assert_int_equal(1, world.troubles);
            /* Nothing is decided any more. */
            struct orch_error late = ORCH_ERROR_INIT;
            assert_int_equal(ORCH_ERR_STATE, engine_cancel(world.engine, execution, STR("t"), STR("x"), NULL, NULL, &late));
            struct engine_execution *other;
            assert_int_equal(ORCH_ERR_STATE, world_try(&world, "tasks: {}\n", NULL, &other, &late));
            world_close(&world);
            assert_int_equal(1, told[0][0]);
            for (int i = 1; i < 3 && !failed; i++) {
                assert_int_equal(1, told[i][0]);
                assert_true(told[i][1] < 0);
            }
            assert_int_equal(0, alive_with(mark));
            /* And then it goes on. */
            world_open(&world);
            buf_clear(&world.trace);
            world.troubles = 0;
            r = engine_resume(world.engine, 1, &execution, &err);
            if (after == 0) {
                assert_int_equal(ORCH_ERR_NOT_FOUND, r); /* it was never acknowledged */
            } else {
                assert_int_equal(0, r);
                world_open_gate(&world, "g");
                world_until(&world, all_but_one_done);
                assert_int_equal(0, engine_cancel(world.engine, execution, STR("t"), STR("x"), NULL, NULL, NULL));
                world_run(&world);
                expect_tasks("after a failure", world_ended(&world, 1), "a=succeeded b=succeeded c=succeeded long=cancelled");
                world_check_idle(&world);
            }
            world_done(&world);
            if (!failed) {
                assert_true(after >= 4);
                break;
            }
        }
    }
}

/* Closed in the middle, again and again: what was decided before is recorded, what ran is found lost, and it ends as it should. */
static void test_close_in_the_middle(void **state)
{
    (void)state;
    for (int turns = 1; turns < 40; turns += 3) {
        struct world world;
        struct engine_execution *execution;
        world_new(&world, WORLD_DISK);
        world_file(&world, "sub.yaml", "concurrency: 1\ntasks:\n  y: {function: {name: inside, parameters: {key: k, ms: 1}}}\n  z: {shell: 'sleep 0.01; echo 1'}\n");
        world_start(&world, "concurrency: 2\npools: {p: 1}\ntasks:\n  a: {for_each: {in: [1, 2, 3], as: n}, pool: p, shell: 'sleep 0.01; echo $N', env: {N: '{{ string(n) }}'}}\n"
                            "  w: {workflow: sub}\n  g: {concurrency: 1, tasks: {x: {function: {name: inside, parameters: {key: k, ms: 1}}}}}\noutput: '{{ a.output }}'\n",
                    NULL);
        bool is_over = false;
        for (int rounds = 0; !is_over && rounds < 200; rounds++) {
            for (int i = 0; i < turns && engine_count(world.engine); i++) uv_run(engine_loop(world.engine), UV_RUN_ONCE);
            is_over = engine_count(world.engine) == 0;
            world_close(&world);
            world_open(&world);
            if (!is_over && engine_resume(world.engine, 1, &execution, NULL)) is_over = true;
        }
        assert_true(is_over);
        struct store_execution row;
        struct arena arena;
        arena_init(&arena, NULL, 0);
        assert_int_equal(0, store_get_execution(engine_store(world.engine), 1, &arena, &row, NULL));
        /* Interrupted ten times a task fails: with few turns between, that may come. */
        assert_true(row.state == EXECUTION_SUCCEEDED || row.state == EXECUTION_FAILED);
        if (row.state == EXECUTION_FAILED) assert_true(turns < 20);
        arena_done(&arena);
        world_done(&world);
    }
}

/* What was decided before the close stays: a result that came in is not asked for again. */
static void test_close_records_what_was_decided(void **state)
{
    struct world world;
    struct engine_execution *execution;
    (void)state;
    world_new(&world, WORLD_DISK);
    world_start(&world, "mode: sequence\ntasks:\n  a: {function: {name: note, parameters: {name: a}}}\n  b: {function: {name: note, parameters: {name: b}}}\n", NULL);
    world_until_trace(&world, "a task.attempt.started");
    world_fault(&world, FAULT_HOLD, 0);
    /* The end of a is decided and under way, or waits for what is under way. */
    assert_int_equal(0, engine_signal(world.engine, engine_find(world.engine, 1), STR("n"), STR("1"), STR("t"), NULL, NULL, NULL));
    while (world_count(&world, "note") < 1) uv_run(engine_loop(world.engine), UV_RUN_ONCE);
    const struct core *core = engine_execution_core(engine_find(world.engine, 1));
    while (core_get_instance(core, 0)->state != TASK_SUCCEEDED) uv_run(engine_loop(world.engine), UV_RUN_ONCE);
    world_fault(&world, FAULT_NONE, 0);
    world_close(&world);
    world_open(&world);
    assert_int_equal(0, engine_resume(world.engine, 1, &execution, NULL));
    world_run(&world);
    assert_string_equal("a b ", world.order);
    world_done(&world);
}

/* Nothing new is started while the disk's reserve is given up. */
static bool is_short(struct store *store)
{
    (void)store;
    return true;
}

static void test_nothing_new_while_short(void **state)
{
    struct world world;
    struct orch_error err = ORCH_ERROR_INIT;
    struct engine_execution *execution;
    (void)state;
    world_init(&world, WORLD_DISK);
    world.options.reserve_size = 1 << 20;
    world_open(&world);
    world_file(&world, "sub.yaml", "tasks:\n  y: {noop: {}}\n");
    world_fault(&world, FAULT_NONE, 0);
    world_start(&world, "mode: sequence\ntasks:\n  a: {function: {name: gate, parameters: {key: g}}}\n  w: {workflow: sub}\n", NULL);
    world_until_trace(&world, "a task.attempt.started");
    the_fault.methods.is_short = is_short;
    assert_int_equal(ORCH_ERR_FULL, world_try(&world, "tasks: {}\n", NULL, &execution, &err));
    assert_int_equal(1, engine_count(world.engine));
    /* What runs goes on, with all that belongs to it. */
    world_open_gate(&world, "g");
    world_run(&world);
    assert_int_equal(EXECUTION_SUCCEEDED, world_ended(&world, 1)->state);
    the_fault.methods.is_short = the_fault.real->is_short;
    world_play(&world, "tasks: {}\n", NULL);
    world_done(&world);
}

static int count_record(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    (void)first_seq;
    (void)count;
    assert_true(record.size < 2 * ENGINE_RECORD_SIZE);
    ++*(int *)user;
    return 0;
}

/* A loop over very many items is decided in one step: its record is written in parts, and reads again. */
static void test_very_many_at_once(void **state)
{
    struct world world;
    int records = 0;
    (void)state;
    world_new(&world, WORLD_DISK);
    const struct ended *ended = world_play(&world,
             "tasks:\n  tens: {transform: '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]'}\n  big: {function: {name: big, parameters: {size: 60000}}}\n"
             "  a: {depends_on: [big, tens], for_each: {in: 'tens.output.map(x, tens.output.map(y, tens.output)).flatten().flatten()', as: i}, transform: 'big.output + string(i)'}\n"
             "  n: {depends_on: a, transform: size(a.output)}\noutput: '{{ n.output }}'\n",
             NULL);
    if (ended->state != EXECUTION_SUCCEEDED) fail_msg("%s", ended->error);
    assert_string_equal("1000", ended->output);
    assert_int_equal(0, world.troubles);
    assert_int_equal(0, store_each_record(engine_store(world.engine), 1, 1, count_record, &records, NULL));
    assert_true(records > 60000000 / (int)ENGINE_RECORD_SIZE);
    struct engine_view *view;
    struct orch_error err = ORCH_ERROR_INIT;
    if (engine_view_open(engine_store(world.engine), 1, &view, &err)) fail_msg("%s", err.message);
    assert_int_equal(ended->digest, core_digest(engine_view_core(view)));
    engine_view_close(view);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_then_room),
        cmocka_unit_test(test_cancel_while_full),
        cmocka_unit_test(test_close_while_full),
        cmocka_unit_test(test_failing_store),
        cmocka_unit_test(test_close_in_the_middle),
        cmocka_unit_test(test_close_records_what_was_decided),
        cmocka_unit_test(test_nothing_new_while_short),
        cmocka_unit_test(test_very_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
