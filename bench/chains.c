/*
 * chains.c - see chains.h.
 */
#include "chains.h"

#include <string.h>

#include "engine/engine.h"
#include "plain.h"

struct bench {
    struct engine *engine;
    struct engine_version *version;
    double until;
    int running;
    uint64_t executions, records;
};

static int do_nothing(const struct action_function_call *call, void *user, struct value *ret_output,
                      struct orch_error *err)
{
    (void)call;
    (void)user;
    (void)err;
    *ret_output = value_null();
    return 0;
}

static void start_one(struct bench *bench)
{
    struct engine_start start = {.version = bench->version, .parameters = {.kind = VALUE_MAP}, .by = STR("bench")};
    struct engine_execution *execution;
    struct orch_error err = ORCH_ERROR_INIT;
    if (engine_start(bench->engine, &start, &execution, &err)) bench_die("start", err.message);
    bench->running++;
}

static void on_transitions(void *user, struct engine_execution *execution, uint64_t first_seq,
                           const struct core_transition *items, uint32_t count)
{
    (void)execution;
    (void)first_seq;
    (void)items;
    (void)count;
    ((struct bench *)user)->records++;
}

static void on_ended(void *user, struct engine_execution *execution)
{
    struct bench *bench = user;
    struct core_summary summary;
    core_get_summary(engine_execution_core(execution), &summary);
    if (summary.state != EXECUTION_SUCCEEDED) bench_die("execution", "it did not succeed");
    bench->executions++;
    bench->running--;
    if (bench_now() < bench->until) start_one(bench);
}

static bool is_over(void *user)
{
    return ((struct bench *)user)->running == 0;
}

struct chains_figures chains_run(const char *path, const char *task, int flight, double seconds)
{
    struct bench bench = {.running = 0};
    struct orch_error err = ORCH_ERROR_INIT;
    struct action_functions *functions = action_functions_new(NULL);
    if (!functions || action_functions_add(functions, STR("nothing"), do_nothing, NULL, &err))
        bench_die("functions", err.message);
    struct engine_options options = {.store_path = path,
                                     .jobs = FLIGHT_MAX,
                                     .functions = functions,
                                     .observer = {.transitions = on_transitions, .ended = on_ended, .user = &bench}};
    if (engine_open(&options, &bench.engine, &err)) bench_die("open", err.message);
    char text[2048];
    size_t at = (size_t)snprintf(text, sizeof text, "name: nothing\ntasks:\n");
    for (int i = 0; i < CHAIN; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "  t%d: {%s", i, task);
        if (i > 0) at += (size_t)snprintf(text + at, sizeof text - at, ", depends_on: [t%d]", i - 1);
        at += (size_t)snprintf(text + at, sizeof text - at, "}\n");
    }
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct diags *diags = ARENA_NEW(&arena, struct diags);
    if (!diags) bench_die("load", "out of memory");
    diags_init(diags, &arena);
    if (engine_load(bench.engine, str_from(text), STR("nothing.yaml"), diags, &bench.version, &err))
        bench_die("load", err.message[0] ? err.message : text);
    double begin = bench_now(), cpu = bench_cpu();
    bench.until = begin + seconds;
    for (int i = 0; i < flight; i++) start_one(&bench);
    if (engine_run(bench.engine, is_over, &bench, &err)) bench_die("run", err.message);
    double time = bench_now() - begin, tasks = (double)bench.executions * CHAIN;
    struct chains_figures figures = {tasks / time, (double)bench.records / tasks, (bench_cpu() - cpu) / tasks};
    (void)engine_version_unref(bench.version);
    bench.engine = engine_close(bench.engine);
    arena_done(&arena);
    functions = action_functions_free(functions);
    return figures;
}
