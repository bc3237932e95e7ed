/*
 * test_lane.c - graphs of functions, drawn, run both ways: on the lane, and with a history as everything else is. Each
 * task ends alike, gives the same, and says the same of its failure; also after it is run again.
 */
#include "lib_test.h"

#define TASKS_MAX 40

struct part {
    uint8_t what; /* see run_part */
    orch_task reads;
};

static uint64_t draw_state;

static uint32_t draw(uint32_t below)
{
    draw_state = draw_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(draw_state >> 33) % below;
}

/* Fails in its first generation only, unless it is one that always does. */
static int run_part(struct orch_call *call, void *user)
{
    const struct part *part = user;
    struct orch_str key = orch_call_key(call), text;
    bool is_first = key.data[key.size - 1] == '0';
    char path[64];
    assert_int_equal(1, orch_call_attempt(call));
    switch (part->what) {
    case 0: return 0;
    case 1: return orch_call_set_int(call, NULL, 7);
    case 2:
        if (orch_call_set_string(call, "text", "a\"\nb", SIZE_MAX) || orch_call_set_bool(call, "yes", true) ||
            orch_call_set_double(call, "half", 0.5) || orch_call_set_json(call, "list", "[1, {\"a\": null}]") ||
            orch_call_set_string(call, "task", orch_call_task(call).data, orch_call_task(call).size))
            return orch_call_fail(call, ORCH_ERR_INTERNAL, "cannot set");
        return 0;
    case 3: /* what another gave, when it depends on it */
        snprintf(path, sizeof path, "task_%u.output", part->reads + 1);
        return orch_call_get_json(call, path, &text) ? orch_call_set_string(call, NULL, "nothing", SIZE_MAX)
                                                     : orch_call_set_json(call, "got", text.data);
    case 4:
        return is_first ? orch_call_fail(call, ORCH_ERR_UNAVAILABLE, "not %s", "today")
                        : orch_call_set_int(call, NULL, 1);
    case 5: return is_first ? ORCH_ERR_INVALID : 0;
    case 6: return is_first ? 3 : 0;
    case 7: return orch_call_fail(call, ORCH_ERR_TIMEOUT, "too slow");
    case 8: return is_first ? orch_call_fail(call, ORCH_ERR_CANCELLED, "given up") : 0;
    default: return 0;
    }
}

/* Everything there is to see, as text. Sub-parts that only a history has (times, ids) are left out. */
static char *picture(struct orch_execution *execution)
{
    struct orch_summary summary = ORCH_SUMMARY_INIT;
    struct orch_task_result result = ORCH_TASK_RESULT_INIT;
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    OK(orch_execution_get_summary(execution, &summary, &lib_err));
    fprintf(file, "%s %d [%s] %s retries=%u total=%u done=%u ok=%u failed=%u skipped=%u cancelled=%u running=%u\n",
            orch_execution_state_name(summary.state), summary.error_code, summary.error.data, summary.workflow.data,
            summary.retries, summary.tasks_total, summary.tasks_done, summary.tasks_succeeded, summary.tasks_failed,
            summary.tasks_skipped, summary.tasks_cancelled, summary.tasks_running);
    lib_test_clear();
    int code = orch_execution_result(execution, &lib_err);
    const char *colon = code ? strchr(lib_err.message + 4, ' ') : ""; /* behind the id */
    fprintf(file, "%d %s\n%s\n", code, colon, output_of(execution));
    for (orch_task i = 0; i < orch_execution_count(execution); i++) {
        OK(orch_execution_get_task(execution, i, &result, &lib_err));
        fprintf(file, "%u %s %s attempts=%u output=%s error=%d %s reason=%s\n", result.task, result.path.data,
                orch_task_state_name(result.state), result.attempts, result.output.data, result.error_code,
                result.error.data, result.reason.data);
    }
    fclose(file);
    return text;
}

static void compare(struct orch_execution *lane, struct orch_execution *usual, uint64_t seed, const char *when)
{
    char *a = picture(lane), *b = picture(usual);
    for (size_t at = 0; a[at] || b[at]; at++) { /* from the line that differs */
        if (a[at] == b[at]) continue;
        while (at > 0 && a[at - 1] != '\n') at--;
        fail_msg("seed %llu, %s: the lane says\n%.300s\nelsewhere it is\n%.300s", (unsigned long long)seed, when,
                 a + at, b + at);
    }
    free(a);
    free(b);
}

static struct orch_workflow *drawn(struct part *parts)
{
    struct orch_workflow *workflow = new_workflow("drawn");
    uint32_t count = 1 + draw(TASKS_MAX), order[TASKS_MAX];
    char name[16];
    for (uint32_t i = 0; i < count; i++) {
        /* Mostly well: else little of the graph is reached. */
        parts[i] = (struct part){(uint8_t)(draw(4) ? draw(4) : draw(10)), draw(count)};
        snprintf(name, sizeof name, "n%u", i);
        OK(orch_workflow_add_function(workflow, draw(4) ? NULL : name, run_part, &parts[i], NULL, &lib_err));
        order[i] = i;
    }
    /* Half of them with tasks that wait for later ones. */
    for (uint32_t i = count; draw_state >> 60 & 1 && i-- > 1;) {
        uint32_t other = draw(i + 1), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    for (uint32_t e = draw(2 * count + 1); count > 1 && e > 0; e--) {
        uint32_t later = 1 + draw(count - 1), earlier = draw(later);
        OK(orch_workflow_depend(workflow, order[later], order[earlier], &lib_err));
    }
    return workflow;
}

static void test_both_ways(void **state)
{
    struct orch_engine *engine = memory_engine();
    struct orch_start_options history = ORCH_START_OPTIONS_INIT;
    uint64_t seeds = getenv("ORCH_TEST_LONG") ? 20000 : 300;
    uint32_t failed = 0, out_of_order = 0;
    (void)state;
    history.history = true;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        static struct part parts[TASKS_MAX];
        struct orch_execution *lane = NULL, *usual = NULL;
        draw_state = seed * 0x9E3779B97F4A7C15u;
        struct orch_workflow *workflow = drawn(parts);
        int a = orch_execution_run(engine, workflow, NULL, &lane, NULL);
        int b = orch_execution_run(engine, workflow, &history, &usual, NULL);
        assert_int_equal(a, b);
        compare(lane, usual, seed, "at first");
        FAILS(ORCH_ERR_UNSUPPORTED, orch_execution_history(lane, 0, NULL, NULL, &lib_err));
        a = orch_execution_retry(lane, NULL, NULL);
        b = orch_execution_retry(usual, NULL, NULL);
        assert_int_equal(a, b);
        if (a == 0) {
            OK(orch_execution_wait(lane, ORCH_TIME_NEVER, &lib_err));
            OK(orch_execution_wait(usual, ORCH_TIME_NEVER, &lib_err));
            compare(lane, usual, seed, "run again");
            failed++;
        }
        struct orch_task_result from = ORCH_TASK_RESULT_INIT;
        OK(orch_execution_get_task(lane, draw(orch_workflow_count(workflow)), &from, &lib_err));
        char path[32];
        snprintf(path, sizeof path, "%s", from.path.data);
        OK(orch_execution_retry(lane, path, &lib_err));
        OK(orch_execution_retry(usual, path, &lib_err));
        OK(orch_engine_run(engine, &lib_err));
        compare(lane, usual, seed, "run again from a task");
        if (draw_state >> 60 & 1) out_of_order++;
        assert_null(orch_execution_free(lane));
        assert_null(orch_execution_free(usual));
        assert_null(orch_workflow_free(workflow));
    }
    assert_true(failed > seeds / 10 && failed < seeds);
    assert_true(out_of_order > 0);
    orch_engine_close(engine);
}

/* ---- commands on the lane ---- */

struct gate {
    atomic_bool entered, open, seen_stop;
    atomic_uint ran;
};

static int wait_at(struct orch_call *call, void *user)
{
    struct gate *gate = user;
    atomic_store(&gate->entered, true);
    while (!atomic_load(&gate->open) && !orch_call_is_stopped(call)) usleep(500);
    if (orch_call_is_stopped(call)) atomic_store(&gate->seen_stop, true);
    return 0;
}

static int count_one(struct orch_call *call, void *user)
{
    (void)call;
    atomic_fetch_add(&((struct gate *)user)->ran, 1);
    return 0;
}

static struct orch_workflow *gated(struct gate *gate)
{
    struct orch_workflow *workflow = new_workflow("gated");
    orch_task tasks[11];
    OK(orch_workflow_add_function(workflow, "gate", wait_at, gate, &tasks[0], &lib_err));
    for (int i = 1; i < 11; i++) OK(orch_workflow_add_function(workflow, NULL, count_one, gate, &tasks[i], &lib_err));
    OK(orch_chain(workflow, tasks, 11, &lib_err));
    return workflow;
}

static void test_cancel(void **state)
{
    struct gate gate = {0};
    struct orch_engine *engine = memory_engine();
    struct orch_workflow *workflow = gated(&gate);
    struct orch_execution *execution;
    struct orch_summary summary = ORCH_SUMMARY_INIT;
    (void)state;
    OK(orch_execution_start(engine, workflow, NULL, &execution, &lib_err));
    while (!atomic_load(&gate.entered)) usleep(500);
    assert_int_equal(ORCH_EXECUTION_RUNNING, orch_execution_get_state(execution));
    FAILS(ORCH_ERR_STATE, orch_execution_retry(execution, NULL, &lib_err));
    FAILS(ORCH_ERR_STATE, orch_execution_approve(execution, NULL, true, NULL, &lib_err));
    OK(orch_execution_cancel(execution, "enough", &lib_err));
    OK(orch_execution_wait(execution, ORCH_TIME_NEVER, &lib_err));
    FAILS(ORCH_ERR_CANCELLED, orch_execution_result(execution, &lib_err));
    assert_non_null(strstr(lib_err.message, "enough"));
    assert_true(atomic_load(&gate.seen_stop));
    assert_int_equal(0, atomic_load(&gate.ran));
    OK(orch_execution_get_summary(execution, &summary, &lib_err));
    assert_int_equal(1, summary.tasks_cancelled);
    assert_int_equal(10, summary.tasks_skipped);
    assert_true(summary.started_at > 0 && summary.ended_at >= summary.started_at);
    assert_string_equal("stopped", result_of(execution, "task_2").reason.data);
    FAILS(ORCH_ERR_STATE, orch_execution_cancel(execution, NULL, &lib_err));
    /* What was cancelled runs again. */
    atomic_store(&gate.open, true);
    OK(orch_execution_retry(execution, NULL, &lib_err));
    OK(orch_execution_wait(execution, ORCH_TIME_NEVER, &lib_err));
    OK(orch_execution_result(execution, &lib_err));
    assert_int_equal(10, atomic_load(&gate.ran));
    orch_execution_free(execution);
    orch_workflow_free(workflow);
    orch_engine_close(engine);
}

static void test_pause(void **state)
{
    struct gate gate = {0};
    struct orch_engine *engine = memory_engine();
    struct orch_workflow *workflow = gated(&gate);
    struct orch_execution *execution;
    (void)state;
    OK(orch_execution_start(engine, workflow, NULL, &execution, &lib_err));
    while (!atomic_load(&gate.entered)) usleep(500);
    OK(orch_execution_pause(execution, &lib_err));
    OK(orch_execution_pause(execution, &lib_err)); /* again is no error */
    assert_int_equal(ORCH_EXECUTION_PAUSED, orch_execution_get_state(execution));
    atomic_store(&gate.open, true); /* what runs goes on to its end; nothing follows */
    FAILS(ORCH_ERR_TIMEOUT, orch_execution_wait(execution, 50 * ORCH_MILLISECOND, &lib_err));
    assert_int_equal(0, atomic_load(&gate.ran));
    OK(orch_execution_unpause(execution, &lib_err));
    OK(orch_execution_unpause(execution, &lib_err));
    OK(orch_execution_wait(execution, ORCH_TIME_NEVER, &lib_err));
    OK(orch_execution_result(execution, &lib_err));
    assert_int_equal(10, atomic_load(&gate.ran));
    FAILS(ORCH_ERR_STATE, orch_execution_pause(execution, &lib_err));
    FAILS(ORCH_ERR_STATE, orch_execution_unpause(execution, &lib_err));
    orch_execution_free(execution);
    orch_workflow_free(workflow);
    orch_engine_close(engine);
}

/* An engine that is closed meanwhile ends it; the handle still answers. */
static void test_close(void **state)
{
    struct gate gate = {0};
    struct orch_engine *engine = memory_engine();
    struct orch_workflow *workflow = gated(&gate);
    struct orch_execution *execution;
    (void)state;
    OK(orch_execution_start(engine, workflow, NULL, &execution, &lib_err));
    while (!atomic_load(&gate.entered)) usleep(500);
    orch_workflow_free(workflow);
    assert_null(orch_engine_close(engine));
    assert_true(atomic_load(&gate.seen_stop));
    assert_int_equal(ORCH_EXECUTION_CANCELLED, orch_execution_get_state(execution));
    assert_int_equal(ORCH_TASK_CANCELLED, result_of(execution, "gate").state);
    FAILS(ORCH_ERR_STATE, orch_execution_retry(execution, NULL, &lib_err));
    orch_execution_free(execution);
}

static int fail_now(struct orch_call *call, void *user)
{
    (void)user;
    return orch_call_fail(call, ORCH_ERR_INVALID, "no");
}

static void test_fail_fast(void **state)
{
    struct gate gate = {0};
    struct orch_engine_options options = ORCH_ENGINE_OPTIONS_INIT;
    struct orch_engine *engine;
    struct orch_workflow *workflow = new_workflow("fast");
    struct orch_execution *execution;
    (void)state;
    options.threads = 2;
    OK(orch_engine_open(NULL, &options, &engine, &lib_err));
    OK(orch_workflow_set(workflow, "fail_fast", "true", &lib_err));
    OK(orch_workflow_add_function(workflow, "bad", fail_now, NULL, NULL, &lib_err));
    OK(orch_workflow_add_function(workflow, "gate", wait_at, &gate, NULL, &lib_err));
    for (int i = 0; i < 1000; i++) OK(orch_workflow_add_function(workflow, NULL, count_one, &gate, NULL, &lib_err));
    for (orch_task i = 2; i < 1002; i++) OK(orch_workflow_depend(workflow, i, 1, &lib_err));
    FAILS(ORCH_ERR_TASK_FAILED, orch_execution_run(engine, workflow, NULL, &execution, &lib_err));
    assert_int_equal(0, atomic_load(&gate.ran));
    assert_int_equal(ORCH_TASK_FAILED, result_of(execution, "bad").state);
    assert_int_not_equal(ORCH_TASK_SUCCEEDED, result_of(execution, "gate").state);
    assert_int_equal(ORCH_TASK_SKIPPED, result_of(execution, "task_1000").state);
    orch_execution_free(execution);
    orch_workflow_free(workflow);
    orch_engine_close(engine);
}

static size_t lines_told;

static void on_log(void *user, const struct orch_log_line *line)
{
    struct orch_engine **engine = user;
    assert_int_equal('o', line->stream);
    assert_int_equal(lines_told, (size_t)strtoul(line->line.data, NULL, 10));
    lines_told++;
    FAILS(ORCH_ERR_MISUSE, orch_engine_run(*engine, &lib_err)); /* nobody waits in a callback */
}

static int log_much(struct orch_call *call, void *user)
{
    (void)user;
    for (int i = 0; i < 10000; i += 2) orch_call_log(call, "%d %0100d\n%d", i, 0, i + 1);
    return 0;
}

/* More than is kept in between, in order; both ways. */
static void test_log(void **state)
{
    struct orch_engine_options options = ORCH_ENGINE_OPTIONS_INIT;
    struct orch_start_options history = ORCH_START_OPTIONS_INIT;
    struct orch_engine *engine;
    struct orch_workflow *workflow = new_workflow("log");
    (void)state;
    options.on_log = on_log;
    options.user = &engine;
    history.history = true;
    OK(orch_engine_open(NULL, &options, &engine, &lib_err));
    OK(orch_workflow_add_function(workflow, NULL, log_much, NULL, NULL, &lib_err));
    lines_told = 0;
    OK(orch_execution_run(engine, workflow, NULL, NULL, &lib_err));
    assert_int_equal(10000, lines_told);
    lines_told = 0;
    OK(orch_execution_run(engine, workflow, &history, NULL, &lib_err));
    assert_int_equal(10000, lines_told);
    orch_workflow_free(workflow);
    orch_engine_close(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_both_ways), cmocka_unit_test(test_cancel),
                                       cmocka_unit_test(test_pause),     cmocka_unit_test(test_close),
                                       cmocka_unit_test(test_fail_fast), cmocka_unit_test(test_log)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
