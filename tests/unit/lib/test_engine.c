/*
 * test_engine.c - engines: in memory and on a folder, kept going in each way, side by side; and all that can be asked
 * of executions.
 */
#include "lib_test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static int add_one(struct orch_call *call, void *user)
{
    int64_t number = *(const int *)user;
    (void)orch_call_get_int(call, "number", &number); /* there or not */
    return orch_call_set_int(call, NULL, number + 1);
}

/* ---- parameters, outputs, what a call is given ---- */

static int look_around(struct orch_call *call, void *user)
{
    struct orch_str text;
    int64_t whole;
    double any;
    bool yes;
    (void)user;
    assert_string_equal("look", orch_call_task(call).data);
    assert_int_equal(1, orch_call_attempt(call));
    assert_false(orch_call_is_stopped(call));
    assert_int_equal(0, orch_call_get_json(call, NULL, &text));
    assert_string_equal("{\"own\":[1,2.5,true],\"day\":\"monday\",\"depth\":{\"list\":[{\"x\":-3}]}}", text.data);
    assert_int_equal(0, orch_call_get_string(call, "day", &text));
    assert_string_equal("monday", text.data);
    assert_int_equal(0, orch_call_get_string(call, "params.day", &text));
    assert_int_equal(0, orch_call_get_int(call, "own[0]", &whole));
    assert_int_equal(1, whole);
    assert_int_equal(0, orch_call_get_double(call, "own[0]", &any));
    assert_int_equal(0, orch_call_get_double(call, "own[1]", &any));
    assert_true(any == 2.5);
    assert_int_equal(0, orch_call_get_bool(call, "own[2]", &yes));
    assert_true(yes);
    assert_int_equal(0, orch_call_get_int(call, "depth.list[0].x", &whole));
    assert_int_equal(-3, whole);
    assert_int_equal(0, orch_call_get_int(call, "before.output.count", &whole));
    assert_int_equal(3, whole);
    assert_int_equal(0, orch_call_get_json(call, "before.output", &text));
    assert_string_equal("{\"count\":3}", text.data);
    static const char *const absent[] = {"nothing",    "params.nothing", "own[3]",    "own[x]", "own[0",
                                         "own.a",      "day[0]",         "depth.lis", "before", "before.outputs",
                                         "far.output", "other.output",   ""};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        assert_int_equal(ORCH_ERR_NOT_FOUND, orch_call_get_json(call, absent[i], &text));
    assert_int_equal(ORCH_ERR_INVALID, orch_call_get_int(call, "day", &whole));
    assert_int_equal(ORCH_ERR_INVALID, orch_call_get_string(call, "own[0]", &text));
    assert_int_equal(ORCH_ERR_INVALID, orch_call_get_bool(call, "own[0]", &yes));
    assert_int_equal(ORCH_ERR_INVALID, orch_call_get_double(call, "day", &any));
    assert_int_equal(ORCH_ERR_INVALID, orch_call_set_json(call, "x", "{"));
    assert_int_equal(ORCH_ERR_INVALID, orch_call_set_string(call, "x", "\xff", SIZE_MAX));
    assert_int_equal(0, orch_call_set_int(call, "gone", 1));
    assert_int_equal(0, orch_call_set_int(call, NULL, 2)); /* instead of everything before */
    assert_int_equal(0, orch_call_set_string(call, "again", "one", 3));
    assert_int_equal(0, orch_call_set_string(call, "again", "two", SIZE_MAX));
    return orch_call_set_bool(call, "ok", true);
}

static void test_call(void **state)
{
    struct orch_engine *engine = memory_engine();
    struct orch_workflow *workflow =
        parsed("name: look\nparameters: {day: {type: string}, depth: {type: map}}\ntasks:\n"
               "  far: {transform: '1'}\n"
               "  before: {depends_on: far, transform: '{\"count\": 3}'}\n"
               "  other: {transform: '1'}\n"
               "  look: {depends_on: before, function: {name: look around, parameters: {own: [1, 2.5, true]}}}\n");
    struct orch_start_options options = ORCH_START_OPTIONS_INIT;
    struct orch_execution *execution;
    (void)state;
    options.parameters = "{\"day\": \"monday\", \"depth\": {\"list\": [{\"x\": -3}]}}";
    FAILS(ORCH_ERR_UNSUPPORTED, orch_execution_run(engine, workflow, &options, NULL, &lib_err));
    OK(orch_engine_add_function(engine, "look around", look_around, NULL, &lib_err));
    FAILS(ORCH_ERR_EXISTS, orch_engine_add_function(engine, "look around", look_around, NULL, &lib_err));
    FAILS(ORCH_ERR_INVALID, orch_engine_add_function(engine, "c:x", look_around, NULL, &lib_err));
    OK(orch_execution_run(engine, workflow, &options, &execution, &lib_err));
    assert_string_equal("{\"other\":1,\"look\":{\"again\":\"two\",\"ok\":true}}", output_of(execution));
    orch_execution_free(execution);
    options.parameters = "{\"day\": 3}";
    FAILS(ORCH_ERR_INVALID, orch_execution_run(engine, workflow, &options, NULL, &lib_err));
    options.parameters = "[1]";
    FAILS(ORCH_ERR_INVALID, orch_execution_run(engine, workflow, &options, NULL, &lib_err));
    options.parameters = "{";
    FAILS(ORCH_ERR_INVALID, orch_execution_run(engine, workflow, &options, NULL, &lib_err));
    orch_workflow_free(workflow);
    orch_engine_close(engine);
}

/* ---- retries: what may help, and what would not ---- */

static int fails_with(struct orch_call *call, void *user)
{
    return orch_call_fail(call, *(const int *)user, "try %u", orch_call_attempt(call));
}

static void test_retry_policy(void **state)
{
    static const struct {
        int code, attempts, error_code, state;
    } cases[] = {{ORCH_ERR_TASK_FAILED, 3, ORCH_ERR_TASK_FAILED, ORCH_TASK_FAILED},
                 {ORCH_ERR_UNAVAILABLE, 3, ORCH_ERR_TASK_FAILED, ORCH_TASK_FAILED},
                 {ORCH_ERR_INVALID, 1, ORCH_ERR_TASK_FAILED, ORCH_TASK_FAILED},
                 {ORCH_ERR_NOT_FOUND, 1, ORCH_ERR_TASK_FAILED, ORCH_TASK_FAILED},
                 {ORCH_ERR_TIMEOUT, 3, ORCH_ERR_TIMEOUT, ORCH_TASK_TIMED_OUT},
                 {5, 3, ORCH_ERR_TASK_FAILED, ORCH_TASK_FAILED}};
    struct orch_engine *engine = memory_engine();
    struct orch_retry retry = ORCH_RETRY_INIT;
    (void)state;
    retry.delay_us = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct orch_workflow *workflow = new_workflow("retry");
        struct orch_execution *execution;
        char message[16];
        OK(orch_workflow_add_function(workflow, "f", fails_with, (void *)&cases[i].code, NULL, &lib_err));
        OK(orch_workflow_set_retry(workflow, 0, &retry, &lib_err));
        FAILS(ORCH_ERR_TASK_FAILED, orch_execution_run(engine, workflow, NULL, &execution, &lib_err));
        struct orch_task_result result = result_of(execution, "f");
        assert_int_equal(cases[i].attempts, result.attempts);
        assert_int_equal(cases[i].error_code, result.error_code);
        assert_int_equal(cases[i].state, result.state);
        snprintf(message, sizeof message, "try %d", cases[i].attempts);
        assert_string_equal(message, result.error.data);
        assert_true(result.ended_at >= result.started_at && result.started_at > 0);
        orch_execution_free(execution);
        orch_workflow_free(workflow);
    }
    orch_engine_close(engine);
}

/* ---- commands ---- */

static int count_line(void *user, uint64_t sequence, struct orch_str line)
{
    uint64_t *count = user;
    assert_int_equal(++*count, sequence);
    assert_true(line.size > 10 && line.data[0] == '{' && line.data[line.size - 1] == '}' &&
                line.data[line.size] == '\0');
    return 0;
}

static int stop_reading(void *user, uint64_t sequence, struct orch_str line)
{
    (void)user;
    (void)line;
    return sequence == 3 ? 77 : 0;
}

static void test_commands(void **state)
{
    struct orch_engine *engine = memory_engine();
    struct orch_workflow *workflow = parsed("name: ask\ntasks:\n  a: {approval: sure?}\n  e: {wait: {event: go}}\n  t: "
                                            "{depends_on: [a, e], transform: e.output}\n");
    struct orch_execution *execution, *same;
    struct orch_summary summary = ORCH_SUMMARY_INIT;
    uint64_t lines = 0;
    (void)state;
    OK(orch_execution_start(engine, workflow, NULL, &execution, &lib_err));
    OK(orch_execution_open(engine, orch_execution_id(execution), &same, &lib_err));
    assert_ptr_equal(execution, same);
    orch_execution_free(same);
    FAILS(ORCH_ERR_NOT_FOUND, orch_execution_open(engine, "r-zzzz", &same, &lib_err));
    FAILS(ORCH_ERR_NOT_FOUND, orch_execution_open(engine, "!", &same, &lib_err));
    FAILS(ORCH_ERR_TIMEOUT, orch_execution_wait(execution, 0, &lib_err));
    FAILS(ORCH_ERR_STATE, orch_execution_result(execution, &lib_err));
    assert_string_equal("approval", result_of(execution, "a").reason.data);
    assert_int_equal(ORCH_TASK_WAITING, result_of(execution, "e").state);
    OK(orch_execution_pause(execution, &lib_err));
    assert_int_equal(ORCH_EXECUTION_PAUSED, orch_execution_get_state(execution));
    OK(orch_execution_pause(execution, &lib_err)); /* again is no error */
    OK(orch_execution_unpause(execution, &lib_err));
    FAILS(ORCH_ERR_NOT_FOUND, orch_execution_approve(execution, "b", true, NULL, &lib_err));
    FAILS(ORCH_ERR_INVALID, orch_execution_signal(execution, "go", "{", &lib_err));
    OK(orch_execution_signal(execution, "go", "{\"n\": 3}", &lib_err));
    OK(orch_execution_approve(execution, NULL, false, "not on a \"friday\"", &lib_err));
    OK(orch_execution_wait(execution, ORCH_TIME_NEVER, &lib_err));
    FAILS(ORCH_ERR_TASK_FAILED, orch_execution_result(execution, &lib_err));
    assert_int_equal(ORCH_ERR_DENIED, result_of(execution, "a").error_code);
    assert_int_equal(ORCH_TASK_SKIPPED, result_of(execution, "t").state);
    FAILS(ORCH_ERR_STATE, orch_execution_cancel(execution, NULL, &lib_err));
    /* What failed once more, and then it is approved. */
    OK(orch_execution_retry(execution, NULL, &lib_err));
    FAILS(ORCH_ERR_TIMEOUT, orch_execution_wait(execution, 0, &lib_err));
    OK(orch_execution_approve(execution, "a", true, NULL, &lib_err));
    OK(orch_execution_wait(execution, ORCH_TIME_NEVER, &lib_err));
    OK(orch_execution_result(execution, &lib_err));
    assert_string_equal("{\"t\":{\"n\":3}}", output_of(execution));
    OK(orch_execution_get_summary(execution, &summary, &lib_err));
    assert_int_equal(1, summary.retries);
    assert_int_equal(3, summary.tasks_succeeded);
    assert_string_equal("ask", summary.workflow.data);
    OK(orch_execution_history(execution, 0, count_line, &lines, &lib_err));
    assert_true(lines > 10);
    lines = 4;
    OK(orch_execution_history(execution, 5, count_line, &lines, &lib_err));
    assert_int_equal(77, orch_execution_history(execution, 0, stop_reading, NULL, NULL));
    FAILS(ORCH_ERR_NOT_FOUND, orch_execution_retry(execution, "nowhere", &lib_err));
    /* Cancelled in the middle. */
    OK(orch_execution_retry(execution, "a", &lib_err));
    OK(orch_execution_cancel(execution, "changed my mind", &lib_err));
    OK(orch_engine_run(engine, &lib_err));
    FAILS(ORCH_ERR_CANCELLED, orch_execution_result(execution, &lib_err));
    assert_non_null(strstr(lib_err.message, "changed my mind"));
    orch_execution_free(execution);
    orch_workflow_free(workflow);
    orch_engine_close(engine);
}

/* ---- lists ---- */

struct seen {
    char text[1000];
    int stop_at;
};

static int note_row(void *user, const struct orch_execution_row *row)
{
    struct seen *seen = user;
    size_t size = strlen(seen->text);
    snprintf(seen->text + size, sizeof seen->text - size, "%s:%s:%u/%u ", row->workflow.data,
             orch_execution_state_name(row->state), row->tasks_done, row->tasks_total);
    return seen->stop_at && --seen->stop_at == 0 ? 42 : 0;
}

/* Those of the lane stand among the others, by their age. */
static void test_list(void **state)
{
    static const int one = 1;
    struct orch_engine *engine = memory_engine();
    struct orch_workflow *lane = new_workflow("lane"),
                         *usual = parsed("name: usual\ntasks: {a: {noop: {}}, b: {noop: {}}}");
    struct orch_execution *kept[2];
    struct orch_filter filter = ORCH_FILTER_INIT;
    struct seen seen = {.text = ""};
    (void)state;
    OK(orch_workflow_add_function(lane, NULL, add_one, (void *)&one, NULL, &lib_err));
    OK(orch_execution_run(engine, usual, NULL, NULL, &lib_err));
    OK(orch_execution_run(engine, lane, NULL, &kept[0], &lib_err));
    OK(orch_execution_run(engine, lane, NULL, NULL, &lib_err)); /* nobody holds it: forgotten */
    OK(orch_execution_run(engine, usual, NULL, NULL, &lib_err));
    OK(orch_execution_run(engine, lane, NULL, &kept[1], &lib_err));
    OK(orch_engine_each_execution(engine, NULL, note_row, &seen, &lib_err));
    assert_string_equal("lane:succeeded:1/1 usual:succeeded:2/2 lane:succeeded:1/1 usual:succeeded:2/2 ", seen.text);
    filter.workflow = "usual";
    filter.count_max = 1;
    seen.text[0] = '\0';
    OK(orch_engine_each_execution(engine, &filter, note_row, &seen, &lib_err));
    assert_string_equal("usual:succeeded:2/2 ", seen.text);
    filter.workflow = NULL;
    filter.states = 1u << ORCH_EXECUTION_FAILED;
    seen.text[0] = '\0';
    OK(orch_engine_each_execution(engine, &filter, note_row, &seen, &lib_err));
    assert_string_equal("", seen.text);
    seen.stop_at = 2;
    assert_int_equal(42, orch_engine_each_execution(engine, NULL, note_row, &seen, NULL));
    orch_execution_free(kept[0]);
    orch_execution_free(kept[1]);
    orch_workflow_free(lane);
    orch_workflow_free(usual);
    orch_engine_close(engine);
}

/* ---- a folder: what was interrupted goes on ---- */

static int slow_or_not(struct orch_call *call, void *user)
{
    const char *marker = user;
    if (access(marker, F_OK) == 0) return orch_call_set_string(call, NULL, "second life", SIZE_MAX);
    int fd = open(marker, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    for (;;) pause();
}

static struct orch_workflow *two_steps(const char *marker)
{
    static const int zero = 0;
    struct orch_workflow *workflow = new_workflow("two steps");
    orch_task tasks[2];
    OK(orch_workflow_add_function(workflow, "first", add_one, (void *)&zero, &tasks[0], &lib_err));
    OK(orch_workflow_add_function(workflow, NULL, slow_or_not, (void *)marker, &tasks[1], &lib_err));
    OK(orch_chain(workflow, tasks, 2, &lib_err));
    return workflow;
}

static void test_crash(void **state)
{
    char folder[64], store[80], marker[80], id[32] = "";
    struct orch_engine *engine, *other = NULL;
    struct orch_execution *execution;
    struct orch_summary summary = ORCH_SUMMARY_INIT;
    struct seen seen = {.text = ""};
    uint32_t count = 99;
    int ends[2];
    (void)state;
    temporary_folder(folder);
    snprintf(store, sizeof store, "%s/store", folder);
    snprintf(marker, sizeof marker, "%s/marker", folder);
    assert_int_equal(0, pipe(ends));
    pid_t child = fork();
    if (child == 0) {
        struct orch_workflow *workflow = two_steps(marker);
        if (orch_engine_open(store, NULL, &engine, NULL) ||
            orch_execution_start(engine, workflow, NULL, &execution, NULL))
            _exit(1);
        if (write(ends[1], orch_execution_id(execution), strlen(orch_execution_id(execution))) < 0) _exit(1);
        (void)orch_engine_run(engine, NULL);
        _exit(2);
    }
    assert_true(read(ends[0], id, sizeof id - 1) > 0);
    while (access(marker, F_OK) != 0) usleep(1000);
    FAILS(ORCH_ERR_CONCURRENCY, orch_engine_open(store, NULL, &other, &lib_err));
    kill(child, SIGKILL);
    assert_int_equal(child, waitpid(child, NULL, 0));
    OK(orch_engine_open(store, NULL, &engine, &lib_err));
    OK(orch_execution_open(engine, id, &execution, &lib_err));
    OK(orch_execution_get_summary(execution, &summary, &lib_err));
    assert_true(summary.is_interrupted);
    assert_int_equal(ORCH_EXECUTION_RUNNING, summary.state);
    assert_string_equal("1", result_of(execution, "first").output.data);
    FAILS(ORCH_ERR_STATE, orch_execution_wait(execution, ORCH_TIME_NEVER, &lib_err));
    FAILS(ORCH_ERR_STATE, orch_execution_cancel(execution, NULL, &lib_err));
    FAILS(ORCH_ERR_UNSUPPORTED, orch_engine_resume(engine, &count, &lib_err)); /* whose functions? */
    assert_int_equal(99, count);
    struct orch_workflow *workflow = two_steps(marker);
    OK(orch_engine_add_workflow(engine, workflow, &lib_err));
    orch_workflow_free(workflow);
    OK(orch_engine_resume(engine, &count, &lib_err));
    assert_int_equal(1, count);
    OK(orch_engine_run(engine, &lib_err));
    OK(orch_execution_result(execution, &lib_err));
    assert_string_equal("{\"task_2\":\"second life\"}", output_of(execution));
    assert_int_equal(1, result_of(execution, "first").attempts);
    FAILS(ORCH_ERR_STATE, orch_execution_continue(execution, &lib_err));
    OK(orch_engine_each_execution(engine, NULL, note_row, &seen, &lib_err));
    assert_string_equal("two steps:succeeded:2/2 ", seen.text);
    orch_execution_free(execution);
    orch_engine_close(engine);
    remove_folder(folder);
    close(ends[0]);
    close(ends[1]);
}

/* ---- kept going by an event loop, by threads ---- */

struct loop {
    int ended;
    struct orch_execution *free_at_end;
};

static void on_end(void *user, struct orch_execution *execution)
{
    struct loop *loop = user;
    loop->ended++;
    assert_true(orch_execution_state_is_over(orch_execution_get_state(execution)));
    if (loop->free_at_end != execution) return;
    orch_execution_free(execution);
    loop->free_at_end = NULL;
}

static const char mixed_text[] = "name: mixed\ntasks:\n  a: {shell: 'echo 1'}\n  b: {depends_on: a, wait: 5ms}\n  c: "
                                 "{depends_on: b, transform: a.output}\n";

static void test_event_loop(void **state)
{
    struct orch_engine *engines[3];
    struct orch_workflow *workflow = parsed(mixed_text);
    struct orch_start_options options = ORCH_START_OPTIONS_INIT;
    struct pollfd polls[3];
    struct loop loop = {0};
    static const int one = 1;
    struct orch_workflow *lane = new_workflow("lane");
    (void)state;
    OK(orch_workflow_add_function(lane, NULL, add_one, (void *)&one, NULL, &lib_err));
    options.on_end = on_end;
    options.user = &loop;
    for (int i = 0; i < 3; i++) {
        engines[i] = memory_engine();
        polls[i] = (struct pollfd){.fd = orch_engine_descriptor(engines[i]), .events = POLLIN};
        for (int k = 0; k < 5; k++) OK(orch_execution_start(engines[i], workflow, &options, NULL, &lib_err));
        for (int k = 0; k < 5; k++) OK(orch_execution_start(engines[i], lane, &options, NULL, &lib_err));
        OK(orch_execution_start(engines[i], workflow, &options, &loop.free_at_end, &lib_err));
        for (int k = 0; loop.free_at_end && k < 10000; k++)
            OK(orch_engine_step(engines[i], 100 * ORCH_MILLISECOND, &lib_err));
        assert_null(loop.free_at_end);
        OK(orch_engine_step(engines[i], 0, &lib_err));
    }
    while (loop.ended < 33) {
        orch_time least = ORCH_TIME_NEVER;
        for (int i = 0; i < 3; i++) {
            orch_time timeout = orch_engine_timeout(engines[i]);
            if (timeout < least) least = timeout;
        }
        assert_true(poll(polls, 3, least == ORCH_TIME_NEVER ? 10000 : (int)((least + 999) / 1000)) > 0 ||
                    least != ORCH_TIME_NEVER);
        for (int i = 0; i < 3; i++) OK(orch_engine_step(engines[i], 0, &lib_err));
    }
    for (int i = 0; i < 3; i++) orch_engine_close(engines[i]);
    orch_workflow_free(workflow);
    orch_workflow_free(lane);
}

/* ---- what an end may do ---- */

struct relay {
    struct orch_engine *engine;
    struct orch_workflow *workflows[2];
    int left;
};

static void start_next(void *user, struct orch_execution *execution)
{
    struct relay *relay = user;
    struct orch_start_options options = ORCH_START_OPTIONS_INIT;
    struct orch_str output;
    FAILS(ORCH_ERR_MISUSE, orch_execution_retry(execution, "a", &lib_err));
    FAILS(ORCH_ERR_MISUSE, orch_execution_wait(execution, 0, &lib_err));
    OK(orch_execution_get_output(execution, &output, &lib_err));
    options.on_end = start_next;
    options.user = relay;
    if (relay->left-- > 0)
        OK(orch_execution_start(relay->engine, relay->workflows[relay->left % 2], &options, NULL, &lib_err));
}

static void test_relay(void **state)
{
    static const int one = 1;
    struct relay relay = {memory_engine(), {new_workflow("lane"), parsed("tasks: {a: {noop: {}}}")}, 50};
    struct orch_start_options options = ORCH_START_OPTIONS_INIT;
    (void)state;
    OK(orch_workflow_add_function(relay.workflows[0], "a", add_one, (void *)&one, NULL, &lib_err));
    options.on_end = start_next;
    options.user = &relay;
    OK(orch_execution_start(relay.engine, relay.workflows[0], &options, NULL, &lib_err));
    OK(orch_engine_run(relay.engine, &lib_err));
    assert_int_equal(-1, relay.left);
    orch_workflow_free(relay.workflows[0]);
    orch_workflow_free(relay.workflows[1]);
    orch_engine_close(relay.engine);
}

static struct orch_engine *shared;
static struct orch_workflow *shared_workflow;

static void *start_some(void *user)
{
    (void)user;
    for (int i = 0; i < 20; i++) {
        struct orch_execution *execution = NULL;
        struct orch_error err = ORCH_ERROR_INIT;
        if (orch_execution_start(shared, shared_workflow, NULL, &execution, &err)) return (void *)"start";
        if (i % 3 == 0 && orch_execution_cancel(execution, NULL, &err) && err.code != ORCH_ERR_STATE) return (void *)"cancel";
        if (orch_execution_wait(execution, 60 * ORCH_SECOND, &err)) return (void *)"wait";
        int r = orch_execution_result(execution, &err);
        if (r && r != ORCH_ERR_CANCELLED) return (void *)"result";
        orch_execution_free(execution);
    }
    return NULL;
}

static void threads_share(bool has_thread)
{
    pthread_t threads[4];
    void *failed;
    for (int i = 0; i < 4; i++) assert_int_equal(0, pthread_create(&threads[i], NULL, start_some, NULL));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(0, pthread_join(threads[i], &failed));
        if (failed) fail_msg("%s (%s)", (const char *)failed, has_thread ? "with a thread" : "without");
    }
}

/* Four threads start and wait on one engine: it is kept going by its own thread, or by one of those who wait. */
static void test_threads(void **state)
{
    (void)state;
    shared = memory_engine();
    shared_workflow = parsed(mixed_text);
    threads_share(false);
    OK(orch_engine_start_thread(shared, &lib_err));
    FAILS(ORCH_ERR_STATE, orch_engine_start_thread(shared, &lib_err));
    threads_share(true);
    OK(orch_engine_stop_thread(shared, &lib_err));
    FAILS(ORCH_ERR_STATE, orch_engine_stop_thread(shared, &lib_err));
    OK(orch_engine_start_thread(shared, &lib_err));
    orch_workflow_free(shared_workflow);
    orch_engine_close(shared); /* ends its thread */
}

/* ---- events ---- */

static void on_event(void *user, const struct orch_event *event)
{
    struct seen *seen = user;
    size_t size = strlen(seen->text);
    if (strncmp(event->type.data, "task.e", 6) != 0 && strncmp(event->type.data, "execution", 9) != 0) return;
    snprintf(seen->text + size, sizeof seen->text - size, "%s %s %d;", event->type.data, event->task.data,
             event->state);
}

static void test_events(void **state)
{
    static const int one = 1;
    struct seen seen = {.text = ""};
    struct orch_engine_options options = ORCH_ENGINE_OPTIONS_INIT;
    struct orch_engine *engine;
    struct orch_workflow *workflow = new_workflow("told");
    (void)state;
    options.on_event = on_event;
    options.user = &seen;
    OK(orch_engine_open(NULL, &options, &engine, &lib_err));
    OK(orch_workflow_add_function(workflow, "a", add_one, (void *)&one, NULL, &lib_err));
    OK(orch_execution_run(engine, workflow, NULL, NULL, &lib_err));
    assert_string_equal("execution.started  -1;task.ended a 4;execution.ended  4;", seen.text);
    orch_workflow_free(workflow);
    orch_engine_close(engine);
    options.size = sizeof options + 8; /* of a newer version, which sets something that we do not know */
    struct {
        struct orch_engine_options options;
        uint64_t more;
    } newer = {options, 1};
    FAILS(ORCH_ERR_UNSUPPORTED, orch_engine_open(NULL, &newer.options, &engine, &lib_err));
    newer.more = 0;
    OK(orch_engine_open(NULL, &newer.options, &engine, &lib_err));
    orch_engine_close(engine);
    assert_null(orch_engine_close(NULL));
}

/* A handle outlives its engine, and says so. */
static void test_closed(void **state)
{
    struct orch_engine *engine = memory_engine();
    struct orch_workflow *workflow = parsed("tasks: {a: {approval: x}}");
    struct orch_execution *execution;
    struct orch_summary summary = ORCH_SUMMARY_INIT;
    (void)state;
    OK(orch_execution_start(engine, workflow, NULL, &execution, &lib_err));
    OK(orch_engine_step(engine, 0, &lib_err));
    orch_workflow_free(workflow);
    orch_engine_close(engine);
    FAILS(ORCH_ERR_STATE, orch_execution_wait(execution, 0, &lib_err));
    FAILS(ORCH_ERR_STATE, orch_execution_get_summary(execution, &summary, &lib_err));
    FAILS(ORCH_ERR_STATE, orch_execution_cancel(execution, NULL, &lib_err));
    FAILS(ORCH_ERR_STATE, orch_execution_history(execution, 0, count_line, NULL, &lib_err));
    assert_int_equal(ORCH_ERR_STATE, orch_execution_get_state(execution));
    assert_int_equal(0, orch_execution_count(execution));
    assert_null(orch_execution_free(execution));
    assert_null(orch_execution_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_call),     cmocka_unit_test(test_retry_policy),
                                       cmocka_unit_test(test_commands), cmocka_unit_test(test_list),
                                       cmocka_unit_test(test_crash),    cmocka_unit_test(test_event_loop),
                                       cmocka_unit_test(test_relay),    cmocka_unit_test(test_threads),
                                       cmocka_unit_test(test_events),   cmocka_unit_test(test_closed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
