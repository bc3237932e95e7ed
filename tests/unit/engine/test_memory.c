/*
 * An engine that lives long: what ends is freed, wholly.
 */
#include "harness.h"

#include <malloc.h>
#include <sqlite3.h>

/* Of this program; what SQLite caches has bounds of its own. */
static size_t used(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd - (size_t)sqlite3_memory_used();
}

static const char *const yamls[] = {
    "name: one\ntasks:\n  a: {transform: '1'}\n  b: {depends_on: a, function: {name: echo, parameters: {value: '{{ a.output }}'}}}\n",
    "name: two\nconcurrency: {execution: 2, workflow: 50}\npools: {p: 3}\ntasks:\n  a: {for_each: {in: [1, 2, 3], as: i}, pool: p, function: {name: echo}}\n  g: {concurrency: 1, tasks: {x: {function: {name: echo}}}}\n",
    "name: three\ntasks:\n  a: {function: {name: fail}, retry: {max_attempts: 2, delay: 0s}, on_error: {noop: {}}}\n  w: {workflow: sub}\n  t: {wait: 1ms}\nfinally: {f: {noop: {}}}\n",
    "name: four\ntasks:\n  a: {function: {name: gate, parameters: {key: never}}, timeout: 1ms, continue_on_error: true}\n  b: {function: {name: big, parameters: {size: 70000}}}\n",
};

static void run_many(struct world *world, struct engine_version **versions, int count)
{
    struct orch_error err = ORCH_ERROR_INIT;
    for (int i = 0; i < count;) {
        for (int k = 0; k < 50; k++, i++) {
            struct engine_execution *execution;
            struct engine_start start = {.version = versions[i % 4], .parameters = value_null(), .by = STR("t")};
            struct arena arena;
            arena_init(&arena, NULL, 0);
            assert_int_equal(0, value_map(NULL, 0, &arena, &start.parameters));
            if (engine_start(world->engine, &start, &execution, &err)) fail_msg("%s", err.message);
            arena_done(&arena);
        }
        while (engine_count(world->engine)) assert_int_equal(0, engine_run(world->engine, NULL, NULL, &err));
    }
}

/* A memory store keeps all history: this is about the engine, so SQLite. */
static void test_flat(void **state)
{
    struct world world;
    struct engine_version *versions[4];
    struct orch_error err = ORCH_ERROR_INIT;
    struct diags diags;
    struct arena arena;
    int scale = getenv("ORCH_TEST_LONG") ? 100000 : 8000;
    (void)state;
    world_init(&world, WORLD_DISK);
    world.options.observer = (struct engine_observer){0};
    world_open(&world);
    world_file(&world, "sub.yaml", "tasks: {x: {function: {name: echo}}}\n");
    char file[100];
    snprintf(file, sizeof file, "%s/main.yaml", world.folder);
    world_file(&world, "main.yaml", "");
    arena_init(&arena, NULL, 0);
    diags_init(&diags, &arena);
    for (int i = 0; i < 4; i++)
        if (engine_load(world.engine, str_from(yamls[i]), str_from(file), &diags, &versions[i], &err)) fail_msg("%s", err.message);
    run_many(&world, versions, 1000); /* what is kept for the next time is there now */
    size_t before = used();
    run_many(&world, versions, scale);
    size_t after = used();
    print_message("%d executions: %zu kB before, %zu kB after\n", scale, before >> 10, after >> 10);
    /* Batches keep blocks of 256 KiB, more or fewer as the disk is quick or slow. Less than 128 bytes an execution. */
    assert_true(after < before + 1024 * 1024);
    world_check_idle(&world);
    for (int i = 0; i < 4; i++) (void)engine_version_unref(versions[i]);
    arena_done(&arena);
    world_done(&world);
}

/* The lines of a log are gone when they are written, also masked ones. */
static void test_many_lines(void **state)
{
    struct world world;
    (void)state;
    setenv("ORCH_SECRET_KEY", "s3cr3t-s3cr3t", 1);
    world_init(&world, WORLD_DISK);
    world.options.observer = (struct engine_observer){0};
    world_open(&world);
    struct engine_execution *execution =
        world_start(&world, "secrets: [KEY]\ntasks:\n  a: {shell: 'i=0; while [ $i -lt 3000 ]; do echo \"line $i $K\"; echo \"::orch progress $i/3000 $K\"; i=$((i+1)); done; echo done; read x', stdin: '', env: {K: '{{ secrets.KEY }}'}}\n", NULL);
    size_t peak = 0, first = 0;
    while (engine_count(world.engine)) {
        struct attempt *attempt = execution->attempts;
        if (attempt && attempt->has_progress && !first) first = attempt->arena.size;
        if (attempt && attempt->arena.size > peak) peak = attempt->arena.size;
        engine_flush(world.engine);
        if (engine_count(world.engine)) uv_run(engine_loop(world.engine), UV_RUN_ONCE);
    }
    assert_true(first > 0);
    assert_true(peak <= first + 16 * 1024);
    assert_true(world.engine->scratch.size <= 128 * 1024);
    unsetenv("ORCH_SECRET_KEY");
    world_done(&world);
}

/* Timers of very many executions: none early, none lost. */
static int ended, early;

static void on_transitions(void *user, struct engine_execution *execution, uint64_t first_seq, const struct core_transition *items, uint32_t count)
{
    struct world *world = user;
    (void)first_seq;
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].type != TRANSITION_TASK_ENDED) continue;
        const struct core *core = engine_execution_core(execution);
        const struct core_instance *instance = core_get_instance(core, items[i].instance);
        if (instance->task->kind != TASK_LEAF) continue;
        struct core_summary summary;
        core_get_summary(core, &summary);
        struct arena arena;
        struct value n, item;
        arena_init(&arena, NULL, 0);
        assert_int_equal(0, json_parse(summary.parameters, NULL, &arena, &n, NULL));
        assert_int_equal(0, json_parse(core_frame_item(core, instance->frame, &arena), NULL, &arena, &item, NULL));
        int64_t span = 200 + (value_get(n, STR("n"))->integer * 7 + item.integer * 13) % 300;
        if (items[i].at < summary.started_at + span * ORCH_MILLISECOND || engine_now(world->engine) < items[i].at) early++;
        ended++;
        arena_done(&arena);
    }
}

static void test_many_timers(void **state)
{
    struct world world;
    char yaml[300];
    (void)state;
    world_init(&world, WORLD_MEMORY);
    world.options.observer = (struct engine_observer){.transitions = on_transitions, .user = &world};
    world_open(&world);
    snprintf(yaml, sizeof yaml, "parameters: {n: {type: integer, default: 0}}\ntasks:\n  a: {for_each: {in: '[0,1,2,3,4,5,6,7,8,9]', as: i}, wait: '{{ string(200 + (n * 7 + i * 13) %% 300) + \"ms\" }}'}\n");
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct diags diags;
    struct engine_version *version;
    struct orch_error err = ORCH_ERROR_INIT;
    diags_init(&diags, &arena);
    if (engine_load(world.engine, str_from(yaml), STR("x.yaml"), &diags, &version, &err)) fail_msg("%s", err.message);
    for (int i = 0; i < 1000; i++) {
        struct engine_execution *execution;
        struct value_member member = {value_string(STR("n")), value_int(i)};
        struct engine_start start = {.version = version, .by = STR("t")};
        assert_int_equal(0, value_map(&member, 1, &arena, &start.parameters));
        if (engine_start(world.engine, &start, &execution, &err)) fail_msg("%s", err.message);
    }
    (void)engine_version_unref(version);
    while (engine_count(world.engine)) {
        /* The heap of the engine is one: the root is due first. */
        for (uint32_t i = 2; i <= world.engine->heap_count; i++) assert_true(world.engine->heap[i / 2]->deadline <= world.engine->heap[i]->deadline);
        assert_int_equal(0, engine_run(world.engine, NULL, NULL, &err));
    }
    assert_int_equal(0, early);
    assert_int_equal(10000, ended);
    world_check_idle(&world);
    arena_done(&arena);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flat),
        cmocka_unit_test(test_many_lines),
        cmocka_unit_test(test_many_timers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
