/*
 * What people ask of a run: cancel, pause, approve, signal, retry; at any moment, in any order, also over the socket.
 */
#include "harness.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void on_done(void *user, int status)
{
    int *counts = user; /* [0] calls, [1] the last status */
    counts[0]++;
    counts[1] = status;
}

/* ---- cancel ---- */

struct cancelling {
    int at; /* the transition after which it is cancelled, 1 is the first */
    int seen;
    bool pause_first;
    struct engine_execution *target;
};

static void cancel_then(struct world *world, struct engine_execution *execution,
                        const struct core_transition *transition)
{
    struct cancelling *cancelling = world->user;
    (void)execution;
    (void)transition;
    if (++cancelling->seen != cancelling->at) return;
    struct orch_error err = ORCH_ERROR_INIT;
    if (cancelling->pause_first) (void)engine_pause(world->engine, cancelling->target, STR("t"), NULL, NULL, &err);
    int r = engine_cancel(world->engine, cancelling->target, STR("t"), STR("enough"), NULL, NULL, &err);
    if (r && r != ORCH_ERR_STATE) fail_msg("cancel: %s", err.message);
}

static const char *const busy_yaml = "concurrency: 3\n"
                                     "pools: {p: 1}\n"
                                     "tasks:\n"
                                     "  a: {function: {name: echo, parameters: {value: 1}}, compensate: {function: "
                                     "{name: note, parameters: {name: undo}}}}\n"
                                     "  b: {depends_on: a, for_each: {in: [1, 2, 3], as: n}, pool: p, function: {name: "
                                     "inside, parameters: {key: k, ms: 1}}}\n"
                                     "  c: {depends_on: a, workflow: child}\n"
                                     "  d: {depends_on: a, function: {name: flaky, parameters: {key: f, times: 2}}, "
                                     "retry: {max_attempts: 4, delay: 1ms}}\n"
                                     "  e: {depends_on: a, wait: 3ms}\n"
                                     "  g:\n"
                                     "    depends_on: a\n"
                                     "    concurrency: 1\n"
                                     "    repeat: {max: 2}\n"
                                     "    tasks:\n"
                                     "      x: {function: {name: inside, parameters: {key: k, ms: 1}}}\n"
                                     "      y: {function: {name: inside, parameters: {key: k}}}\n"
                                     "  z: {depends_on: [b, c, d, e, g], transform: '1'}\n"
                                     "finally:\n"
                                     "  f: {function: {name: note, parameters: {name: tidy}}}\n";

static void files(const struct world *world)
{
    world_file(world, "child.yaml",
               "tasks:\n  one: {function: {name: inside, parameters: {key: k, ms: 1}}}\n  two: {depends_on: one, "
               "workflow: grandchild}\n"
               "finally: {t: {function: {name: note, parameters: {name: t}}}}\n");
    world_file(world, "grandchild.yaml", "tasks:\n  g: {wait: 2ms}\n  h: {depends_on: g, function: {name: echo}}\n");
}

/* After each of its transitions in turn: it always ends, its clean-up ran once, and nothing is left. */
static void cancel_everywhere(bool pause_first)
{
    int last = 1000;
    for (int at = 1; at <= last; at++) {
        struct world world;
        struct cancelling cancelling = {.at = at, .pause_first = pause_first};
        world_new(&world, at % 8 == 0 ? WORLD_DISK : WORLD_MEMORY);
        files(&world);
        cancelling.target = world_start(&world, busy_yaml, NULL);
        int64_t number = engine_execution_number(cancelling.target);
        world.user = &cancelling;
        world.on_transition = cancel_then;
        world_run(&world);
        const struct ended *ended = world_ended(&world, number);
        if (cancelling.seen < at)
            last = 0;
        else if (ended->state != EXECUTION_CANCELLED && ended->state != EXECUTION_SUCCEEDED)
            fail_msg("cancelled after %d: %s (%s)\n%s", at, execution_state_to_string(ended->state), ended->error,
                     world.trace.data);
        expect_tasks("cancel", ended, "finally/f=succeeded");
        int tidied = 0;
        for (const char *p = world.order; (p = strstr(p, "tidy ")); p++) tidied++;
        assert_int_equal(1, tidied);
        world_check_idle(&world);
        world_done(&world);
    }
    assert_int_equal(0, last); /* it was gone through */
}

static void test_cancel_after_each_transition(void **state)
{
    (void)state;
    cancel_everywhere(false);
}

/* A pause is no reason for its clean-up not to run. */
static void test_cancel_what_is_paused(void **state)
{
    (void)state;
    cancel_everywhere(true);
}

static void test_cancel_is_answered_once(void **state)
{
    struct world world;
    struct orch_error err = ORCH_ERROR_INIT;
    int first[2] = {0, 99}, second[2] = {0, 99};
    (void)state;
    world_new(&world, WORLD_DISK);
    struct engine_execution *execution =
        world_start(&world, "tasks:\n  a: {function: {name: gate, parameters: {key: g}}}\n", NULL);
    world_until_trace(&world, "a task.attempt.started");
    assert_int_equal(0, engine_cancel(world.engine, execution, STR("t"), STR("x"), on_done, first, &err));
    assert_int_equal(0, engine_cancel(world.engine, execution, STR("t"), STR("x"), on_done, second,
                                      &err)); /* changes nothing, is fine */
    assert_int_equal(0, first[0]);
    world_run(&world);
    assert_int_equal(1, first[0]);
    assert_int_equal(0, first[1]);
    assert_int_equal(1, second[0]);
    assert_int_equal(0, second[1]);
    assert_int_equal(EXECUTION_CANCELLED, world.ended->state);
    world_done(&world);
}

/* What takes no notice is killed after the grace, or at once when hastened. */
static void test_grace(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, WORLD_MEMORY);
    world.options.grace_us = 300 * ORCH_MILLISECOND;
    world_open(&world);
    struct engine_execution *execution = world_start(
        &world, "tasks:\n  a: {exec: [sh, -c, \"trap '' TERM; echo up; while :; do sleep 1; done\"]}\n", NULL);
    while (!world.log.size)
        world_until_trace(&world, "a task.attempt.started"), uv_run(engine_loop(world.engine), UV_RUN_ONCE);
    orch_time begin = clock_monotonic();
    assert_int_equal(0, engine_cancel(world.engine, execution, STR("t"), STR("x"), NULL, NULL, NULL));
    world_run(&world);
    orch_time span = clock_monotonic() - begin;
    assert_true(span >= 300 * ORCH_MILLISECOND && span < 1300 * ORCH_MILLISECOND);
    expect_tasks("grace", world.ended, "a=cancelled");
    world_done(&world);

    world_init(&world, WORLD_MEMORY);
    world.options.grace_us = 30 * ORCH_SECOND;
    world_open(&world);
    world_file(&world, "sub.yaml",
               "tasks:\n  a: {exec: [sh, -c, \"trap '' TERM; echo up; while :; do sleep 1; done\"]}\n");
    execution = world_start(&world, "tasks:\n  w: {workflow: sub}\n", NULL);
    while (!world.log.size)
        world_until_trace(&world, "a task.attempt.started"), uv_run(engine_loop(world.engine), UV_RUN_ONCE);
    begin = clock_monotonic();
    assert_int_equal(0, engine_cancel(world.engine, execution, STR("t"), STR("x"), NULL, NULL, NULL));
    engine_hasten(world.engine, execution);
    world_run(&world);
    assert_true(clock_monotonic() - begin < 5 * ORCH_SECOND);
    world_done(&world);
}

/* ---- pause ---- */

/* Whatever comes to its turn while it is paused stays where it is, and goes on afterwards. */
static void pause_with(const char *name, const char *task)
{
    char yaml[800];
    struct world world;
    (void)name;
    snprintf(yaml, sizeof yaml,
             "tasks:\n  a: {function: {name: gate, parameters: {key: g}}}\n  b:\n    depends_on: a\n%s  c: "
             "{depends_on: b, function: {name: echo}}\n",
             task);
    world_new(&world, WORLD_DISK);
    files(&world);
    struct engine_execution *execution = world_start(&world, yaml, NULL);
    int64_t number = engine_execution_number(execution);
    world_until_trace(&world, "a task.attempt.started");
    assert_int_equal(0, engine_pause(world.engine, execution, STR("t"), NULL, NULL, NULL));
    world_until_trace(&world, "execution.paused");
    world_open_gate(&world, "g");
    world_until_trace(&world, "b task.ready");
    for (int i = 0; i < 3; i++) uv_run(engine_loop(world.engine), UV_RUN_NOWAIT);
    assert_int_equal(0, count_text(world.trace.data, "b task.started"));
    assert_int_equal(0, count_text(world.trace.data, "b task.attempt.started"));
    assert_int_equal(0, engine_unpause(world.engine, execution, STR("t"), NULL, NULL, NULL));
    world_run(&world);
    const struct ended *ended = world_ended(&world, number);
    if (ended->state != EXECUTION_SUCCEEDED)
        fail_msg("%s: %s (%s)", name, execution_state_to_string(ended->state), ended->error);
    world_check_idle(&world);

    /* The same, but for a restart in between. */
    execution = world_start(&world, yaml, NULL);
    number = engine_execution_number(execution);
    buf_clear(&world.trace);
    assert_int_equal(0, engine_pause(world.engine, execution, STR("t"), NULL, NULL, NULL));
    world_until_trace(&world, "execution.paused");
    /* The gate is open: a goes on as soon as it runs, but it may not have been admitted. */
    world_close(&world);
    world_open(&world);
    buf_clear(&world.trace);
    assert_int_equal(0, engine_resume(world.engine, number, &execution, NULL));
    for (int i = 0; i < 3; i++) uv_run(engine_loop(world.engine), UV_RUN_NOWAIT);
    assert_int_equal(0, engine_unpause(world.engine, execution, STR("t"), NULL, NULL, NULL));
    world_run(&world);
    ended = world_ended(&world, number);
    if (ended->state != EXECUTION_SUCCEEDED)
        fail_msg("%s: %s (%s)", name, execution_state_to_string(ended->state), ended->error);
    world_check_idle(&world);
    world_done(&world);
}

static void test_pause(void **state)
{
    (void)state;
    pause_with("function", "    function: {name: echo}\n");
    pause_with("transform", "    transform: '1'\n");
    pause_with("noop", "    noop: {}\n");
    pause_with("wait", "    wait: 1ms\n");
    pause_with("group", "    tasks: {x: {function: {name: echo}}, y: {depends_on: x, noop: {}}}\n");
    pause_with("loop", "    for_each: {in: [1, 2], as: n}\n    function: {name: echo}\n");
    pause_with("repeat", "    repeat: {max: 2}\n    function: {name: echo}\n");
    pause_with("sub-workflow", "    workflow: child\n");
}

/* ---- approvals and events ---- */

static void test_approvals(void **state)
{
    struct world world;
    struct orch_error err = ORCH_ERROR_INIT;
    int told[2] = {0, 99};
    (void)state;
    world_new(&world, WORLD_DISK);
    struct engine_execution *execution = world_start(
        &world,
        "tasks:\n  a: {approval: 'ship it?'}\n  b: {depends_on: a, approval: {message: really?, approvers: [ana]}}\n"
        "  c: {depends_on: b, transform: b.output.comment}\noutput: '{{ c.output }}'\n",
        NULL);
    world_until_trace(&world, "a task.waiting approval");
    assert_int_equal(ORCH_ERR_NOT_FOUND,
                     engine_approve(world.engine, execution, STR("nope"), true, STR("t"), STR_NONE, NULL, NULL, &err));
    assert_int_equal(ORCH_ERR_STATE,
                     engine_approve(world.engine, execution, STR("b"), true, STR("t"), STR_NONE, NULL, NULL, &err));
    assert_int_equal(0,
                     engine_approve(world.engine, execution, STR_NONE, true, STR("t"), STR_NONE, on_done, told, &err));
    assert_int_equal(ORCH_ERR_STATE, engine_approve(world.engine, execution, STR("a"), true, STR("t"), STR_NONE, NULL,
                                                    NULL, &err)); /* not twice */
    world_until_trace(&world, "b task.waiting approval");
    assert_int_equal(1, told[0]);
    assert_int_equal(ORCH_ERR_DENIED,
                     engine_approve(world.engine, execution, STR("b"), true, STR("bob"), STR_NONE, NULL, NULL, &err));
    assert_int_equal(
        0, engine_approve(world.engine, execution, STR("b"), true, STR("ana"), STR("fine \"so\""), NULL, NULL, &err));
    world_run(&world);
    assert_string_equal("\"fine \\\"so\\\"\"", world.ended->output);

    execution = world_start(&world, "tasks:\n  a: {approval: x}\n  b: {approval: y}\n", NULL);
    world_until_trace(&world, "b task.waiting approval");
    assert_int_equal(ORCH_ERR_USAGE,
                     engine_approve(world.engine, execution, STR_NONE, true, STR("t"), STR_NONE, NULL, NULL, &err));
    assert_non_null(strstr(err.hint, "a, b"));
    assert_int_equal(0,
                     engine_approve(world.engine, execution, STR("a"), false, STR("t"), STR("no"), NULL, NULL, &err));
    assert_int_equal(0, engine_approve(world.engine, execution, STR("b"), true, STR("t"), STR_NONE, NULL, NULL, &err));
    world_run(&world);
    assert_int_equal(EXECUTION_FAILED, world.ended->state);
    expect_tasks("refused", world.ended, "a=failed b=succeeded");

    world_play(&world, "tasks:\n  a: {approval: x, timeout: 20ms}\n", NULL);
    expect_tasks("too late", world.ended, "a=timed_out");
    world_done(&world);
}

static void test_events(void **state)
{
    struct world world;
    struct orch_error err = ORCH_ERROR_INIT;
    (void)state;
    world_new(&world, WORLD_DISK);
    struct engine_execution *execution =
        world_start(&world,
                    "tasks:\n  a: {wait: {event: paid, filter: event.amount > 10}}\n  b: {wait: {event: early}}\n"
                    "  c: {depends_on: [a, b], transform: a.output.amount}\noutput: '{{ c.output }}'\n",
                    NULL);
    world_until_trace(&world, "b task.waiting event");
    assert_int_equal(
        0, engine_signal(world.engine, execution, STR("paid"), STR("{\"amount\":3}"), STR("t"), NULL, NULL, &err));
    assert_int_equal(0, engine_signal(world.engine, execution, STR("early"), STR_NONE, STR("t"), NULL, NULL, &err));
    /* What is no JSON would be found only when the journal is read. */
    assert_int_equal(ORCH_ERR_INVALID, engine_signal(world.engine, execution, STR("paid"), STR("{amount: 30"), STR("t"),
                                                     NULL, NULL, &err));
    assert_int_equal(ORCH_ERR_INVALID,
                     engine_signal(world.engine, execution, STR_NONE, STR("1"), STR("t"), NULL, NULL, &err));
    assert_int_equal(
        0, engine_signal(world.engine, execution, STR("paid"), STR(" {\"amount\": 30} "), STR("t"), NULL, NULL, &err));
    world_run(&world);
    assert_int_equal(EXECUTION_SUCCEEDED, world.ended->state);
    assert_string_equal("30", world.ended->output);
    world_play(&world, "tasks:\n  a: {wait: {event: never}, timeout: 20ms}\n", NULL);
    expect_tasks("too late", world.ended, "a=timed_out");
    world_done(&world);
}

/* ---- retry ---- */

static void test_retry(void **state)
{
    struct world world;
    struct orch_error err = ORCH_ERROR_INIT;
    struct engine_execution *execution;
    (void)state;
    world_new(&world, WORLD_DISK);
    world_file(&world, "sub.yaml",
               "tasks:\n  x: {function: {name: echo, parameters: {value: 2}}}\n  y: {depends_on: x, function: {name: "
               "flaky, parameters: {key: y, times: 1}}}\n");
    const struct ended *ended =
        world_play(&world,
                   "tasks:\n  a: {function: {name: note, parameters: {name: a}}}\n  b: {depends_on: a, function: "
                   "{name: flaky, parameters: {key: b, times: 1}}}\n"
                   "  w: {workflow: sub}\n  c: {depends_on: [b, w], function: {name: note, parameters: {name: c}}}\n"
                   "output: '{{ w.output.y }}'\n",
                   NULL);
    assert_int_equal(EXECUTION_FAILED, ended->state);
    expect_tasks("first", ended, "a=succeeded b=failed w=failed c=skipped");
    int64_t number = ended->number;
    char hint[40];
    snprintf(hint, sizeof hint, "orch retry %s ", ended->id);
    /* The sub-workflow is run again by its parent, not by itself: the parent could not know. */
    int64_t child = 0;
    for (const struct ended *e = world.ended; e; e = e->next)
        if (e->number != number) child = e->number;
    assert_int_equal(ORCH_ERR_STATE, engine_retry(world.engine, child, STR_NONE, STR("t"), &execution, &err));
    assert_non_null(strstr(err.hint, hint));
    assert_int_equal(ORCH_ERR_NOT_FOUND, engine_retry(world.engine, number, STR("nope"), STR("t"), &execution, &err));
    assert_int_equal(ORCH_ERR_NOT_FOUND, engine_retry(world.engine, 999, STR_NONE, STR("t"), &execution, &err));
    assert_int_equal(0, engine_count(world.engine));
    assert_int_equal(0, engine_retry(world.engine, number, STR_NONE, STR("t"), &execution, &err));
    world_run(&world);
    ended = world_ended(&world, number);
    assert_int_equal(EXECUTION_SUCCEEDED, ended->state);
    assert_int_equal(1, ended->generation);
    assert_string_equal("2", ended->output);
    assert_string_equal("a c ", world.order); /* what had succeeded did not run again */
    expect_tasks("again", ended, "a=succeeded b=succeeded w=succeeded c=succeeded");
    world_check_idle(&world);
    /* From one task on. */
    assert_int_equal(ORCH_ERR_STATE, engine_retry(world.engine, number, STR_NONE, STR("t"), &execution, &err));
    assert_int_equal(0, engine_retry(world.engine, number, STR("b"), STR("t"), &execution, &err));
    world_run(&world);
    assert_string_equal("a c c ", world.order);
    assert_int_equal(2, world_ended(&world, number)->generation);
    world_done(&world);
}

/* Decided in one go, the row says so too: it failed before and fails again. */
static void test_retry_in_one_step(void **state)
{
    struct world world;
    struct orch_error err = ORCH_ERROR_INIT;
    struct engine_execution *execution;
    struct store_execution row;
    struct arena arena;
    (void)state;
    world_new(&world, WORLD_DISK);
    int64_t number = world_play(&world, "tasks:\n  a: {transform: 1 / 0}\n", NULL)->number;
    assert_int_equal(0, engine_retry(world.engine, number, STR_NONE, STR("t"), &execution, &err));
    world_run(&world);
    arena_init(&arena, NULL, 0);
    assert_int_equal(0, store_get_execution(engine_store(world.engine), number, &arena, &row, &err));
    assert_int_equal(EXECUTION_FAILED, row.state);
    assert_int_equal(1, row.generation);
    arena_done(&arena);
    world_done(&world);
}

/* Asked for before the end is durable. */
static struct engine_execution *retried;

static void retry_at_end(struct world *world, struct engine_execution *execution,
                         const struct core_transition *transition)
{
    struct orch_error err = ORCH_ERROR_INIT;
    if (transition->type != TRANSITION_EXECUTION_ENDED || retried) return;
    assert_int_equal(
        0, engine_retry(world->engine, engine_execution_number(execution), STR_NONE, STR("t"), &retried, &err));
    assert_ptr_equal(execution, retried);
}

static void test_retry_of_what_just_ended(void **state)
{
    struct world world;
    (void)state;
    retried = NULL;
    world_new(&world, WORLD_DISK);
    world.on_transition = retry_at_end;
    int64_t number = engine_execution_number(
        world_start(&world, "tasks:\n  a: {function: {name: flaky, parameters: {key: a, times: 1}}}\n", NULL));
    world_run(&world);
    assert_int_equal(EXECUTION_SUCCEEDED, world_ended(&world, number)->state);
    assert_int_equal(1, world.ended_count); /* it was never over */
    world_check_idle(&world);
    world_done(&world);
}

/* ---- observers that act ---- */

static void start_another(struct world *world, struct engine_execution *execution)
{
    (void)execution;
    if (world->ended_count < 20)
        world_start(world, "tasks:\n  a: {transform: '1'}\n  b: {notification: hello}\n", NULL);
}

static void test_observer_starts_others(void **state)
{
    struct world world;
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        world_new(&world, (enum world_kind)kind);
        world.on_ended = start_another;
        world_start(&world, "tasks:\n  a: {transform: '1'}\n", NULL);
        world_run(&world);
        assert_int_equal(20, world.ended_count);
        world_check_idle(&world);
        world_done(&world);
    }
}

/* ---- the socket ---- */

struct call {
    pthread_t thread;
    const char *path;
    char request[200];
    int result;
    struct orch_error err;
    bool is_over;
};

static void *call_run(void *user)
{
    struct call *call = user;
    struct arena arena;
    struct value request, answer;
    arena_init(&arena, NULL, 0);
    call->err = (struct orch_error)ORCH_ERROR_INIT;
    call->result = json_parse(str_from(call->request), NULL, &arena, &request, &call->err);
    if (!call->result) call->result = engine_control_call(call->path, request, &arena, &answer, &call->err);
    arena_done(&arena);
    __atomic_store_n(&call->is_over, true, __ATOMIC_SEQ_CST);
    return NULL;
}

static bool is_answered(struct world *world)
{
    return __atomic_load_n(&((struct call *)world->user)->is_over, __ATOMIC_SEQ_CST);
}

/* Asks over the socket while the engine runs. */
static int ask(struct world *world, const char *command, const char *id, const char *more, struct orch_error *err)
{
    struct call call = {.path = world->store_path};
    void *before = world->user;
    snprintf(call.request, sizeof call.request, "{\"command\":\"%s\",\"execution\":\"%s\",\"by\":\"t\"%s%s}", command,
             id, *more ? "," : "", more);
    assert_int_equal(0, pthread_create(&call.thread, NULL, call_run, &call));
    world->user = &call;
    world_until(world, is_answered);
    world->user = before;
    pthread_join(call.thread, NULL);
    *err = call.err;
    return call.result;
}

static int connect_to(const struct world *world)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/sock", world->store_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(0, connect(fd, (struct sockaddr *)&address, sizeof address));
    return fd;
}

static void open_with_control(struct world *world)
{
    world_init(world, WORLD_DISK);
    world->options.control = true;
    world_open(world);
}

static void test_socket(void **state)
{
    struct world world;
    struct orch_error err;
    char id[20];
    (void)state;
    open_with_control(&world);
    struct engine_execution *execution =
        world_start(&world,
                    "tasks:\n  a: {approval: x}\n  b: {depends_on: a, wait: {event: go}}\n  c: {depends_on: b, "
                    "function: {name: gate, parameters: {key: g}}}\n",
                    NULL);
    int64_t number = engine_execution_number(execution);
    snprintf(id, sizeof id, "%s", engine_execution_id(execution));
    world_until_trace(&world, "a task.waiting");
    assert_int_equal(0, ask(&world, "pause", id, "", &err));
    assert_int_equal(0, ask(&world, "resume", id, "", &err));
    assert_int_equal(ORCH_ERR_USAGE, ask(&world, "dance", id, "", &err));
    assert_int_equal(ORCH_ERR_NOT_FOUND, ask(&world, "pause", "what is this", "", &err));
    assert_int_equal(ORCH_ERR_STATE, ask(&world, "pause", "r-ZZZZ", "", &err));
    assert_int_equal(ORCH_ERR_NOT_FOUND, ask(&world, "approve", id, "\"task\":\"q\",\"approved\":true", &err));
    assert_int_equal(0, ask(&world, "approve", id, "\"approved\":true,\"comment\":\"fine\"", &err));
    assert_int_equal(0, ask(&world, "signal", id, "\"name\":\"go\",\"data\":{\"x\":1}", &err));
    world_until_trace(&world, "c task.attempt.started");
    assert_int_equal(0, ask(&world, "cancel", id, "\"reason\":\"enough\"", &err));
    world_run(&world);
    assert_int_equal(EXECUTION_CANCELLED, world.ended->state);
    assert_int_equal(ORCH_ERR_STATE, ask(&world, "cancel", id, "", &err));
    world_open_gate(&world, "g");
    assert_int_equal(0, ask(&world, "retry", id, "", &err));
    world_run(&world);
    assert_int_equal(EXECUTION_SUCCEEDED, world_ended(&world, number)->state);
    world_close(&world);
    struct arena arena;
    struct value answer, request = value_null();
    arena_init(&arena, NULL, 0);
    assert_int_equal(ORCH_ERR_UNAVAILABLE, engine_control_call(world.store_path, request, &arena, &answer, &err));
    arena_done(&arena);
    world_done(&world);
}

/* An owner that takes a command and dies before it answers: nobody knows whether it is recorded, and that is said. */
static void *take_and_die(void *user)
{
    int listener = *(int *)user, fd = accept(listener, NULL, NULL);
    char text[400];
    assert_true(fd >= 0);
    assert_true(recv(fd, text, sizeof text, 0) > 0);
    (void)close(fd);
    return NULL;
}

static void test_no_answer(void **state)
{
    struct world world;
    struct orch_error err = ORCH_ERROR_INIT;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct arena arena;
    struct value request, answer;
    pthread_t thread;
    (void)state;
    open_with_control(&world);
    world_close(&world);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/sock", world.store_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(0, bind(listener, (struct sockaddr *)&address, sizeof address));
    assert_int_equal(0, listen(listener, 1));
    assert_int_equal(0, pthread_create(&thread, NULL, take_and_die, &listener));
    arena_init(&arena, NULL, 0);
    assert_int_equal(0, json_parse(STR("{\"command\":\"signal\"}"), NULL, &arena, &request, NULL));
    assert_int_equal(ORCH_ERR_IO, engine_control_call(world.store_path, request, &arena, &answer, &err));
    assert_non_null(strstr(err.message, "may be recorded or not"));
    pthread_join(thread, NULL);
    (void)close(listener);
    arena_done(&arena);
    world_done(&world);
}

/* Peers that talk nonsense, too much, or go away in the middle hurt nobody: not with a signal either. */
static void test_bad_peers(void **state)
{
    struct world world;
    struct orch_error err;
    char id[20], text[300], answer[4000];
    (void)state;
    open_with_control(&world);
    struct engine_execution *execution =
        world_start(&world, "tasks:\n  a: {function: {name: gate, parameters: {key: g}}}\n", NULL);
    snprintf(id, sizeof id, "%s", engine_execution_id(execution));
    world_until_trace(&world, "a task.attempt.started");
    snprintf(text, sizeof text, "{\"command\":\"signal\",\"execution\":\"%s\",\"name\":\"n\",\"data\":1}\n", id);
    for (int i = 0; i < 3; i++) {
        int fd = connect_to(&world);
        assert_int_equal(strlen(text), send(fd, text, strlen(text), 0));
        close(fd); /* before the answer */
        uv_run(engine_loop(world.engine), UV_RUN_NOWAIT);
    }
    buf_clear(&world.trace);
    assert_int_equal(0, ask(&world, "signal", id, "\"name\":\"x\"", &err));
    static const char *const nonsense[] = {
        "\n", "{}\n", "[1,2]\n", "{\"command\":7}\n", "{\"command\":\"cancel\",\"execution\":{}}\n", "\x80\xff\n"};
    int fd = connect_to(&world);
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
        assert_int_equal(strlen(nonsense[i]), send(fd, nonsense[i], strlen(nonsense[i]), 0));
    size_t got = 0;
    int lines = 0;
    while (lines < 6) {
        uv_run(engine_loop(world.engine), UV_RUN_NOWAIT);
        ssize_t n = recv(fd, answer + got, sizeof answer - got, MSG_DONTWAIT);
        assert_true(n > 0 || errno == EAGAIN);
        for (ssize_t k = 0; k < n; k++) lines += answer[got + (size_t)k] == '\n';
        if (n > 0) got += (size_t)n;
    }
    close(fd);
    /* A line without an end. */
    fd = connect_to(&world);
    memset(text, 'x', sizeof text);
    bool is_let_go = false;
    for (int i = 0; i < 100000 && !is_let_go; i++) {
        ssize_t n = send(fd, text, sizeof text, MSG_DONTWAIT | MSG_NOSIGNAL);
        is_let_go = n < 0 && errno != EAGAIN;
        uv_run(engine_loop(world.engine), UV_RUN_NOWAIT);
    }
    assert_true(is_let_go);
    close(fd);
    /* One that asks and asks and never reads. */
    fd = connect_to(&world);
    is_let_go = false;
    for (int i = 0; i < 2000000 && !is_let_go; i++) {
        ssize_t n = send(fd, "{}\n{}\n{}\n{}\n", 12, MSG_DONTWAIT | MSG_NOSIGNAL);
        is_let_go = n < 0 && errno != EAGAIN;
        uv_run(engine_loop(world.engine), UV_RUN_NOWAIT);
    }
    assert_true(is_let_go);
    close(fd);
    world_open_gate(&world, "g");
    world_run(&world);
    assert_int_equal(EXECUTION_SUCCEEDED, world.ended->state);
    world_done(&world);
}

/* Who closes the engine leaves nobody without an answer, and no answer to one that is gone. */
static void test_close_with_a_client_that_waits(void **state)
{
    struct world world;
    char id[20], text[300], answer[400] = "";
    (void)state;
    open_with_control(&world);
    struct engine_execution *execution =
        world_start(&world, "tasks:\n  a: {function: {name: gate, parameters: {key: g}}}\n", NULL);
    snprintf(id, sizeof id, "%s", engine_execution_id(execution));
    world_until_trace(&world, "a task.attempt.started");
    snprintf(text, sizeof text, "{\"command\":\"signal\",\"execution\":\"%s\",\"name\":\"n\",\"data\":1}\n", id);
    world_fault(&world, FAULT_HOLD, 0);
    int fd = connect_to(&world), gone = connect_to(&world);
    assert_int_equal(strlen(text), send(gone, text, strlen(text), 0));
    while (!world.engine->committing) uv_run(engine_loop(world.engine), UV_RUN_NOWAIT);
    assert_int_equal(strlen(text), send(fd, text, strlen(text), 0));
    /* Both are read and decided, the one with the append under way, the other for the next. */
    while (!world.engine->committing || !world.engine->gathering->waiters)
        uv_run(engine_loop(world.engine), UV_RUN_NOWAIT);
    close(gone);
    for (int i = 0; i < 3; i++) uv_run(engine_loop(world.engine), UV_RUN_NOWAIT);
    world_fault(&world, FAULT_NONE, 0);
    world_close(&world);
    assert_true(recv(fd, answer, sizeof answer - 1, 0) > 0);
    assert_string_equal("{\"ok\":true}\n", answer);
    close(fd);
    world_done(&world);
}

/* Whoever waits is told once, also by a close in the middle. */
static void test_close_tells_who_waits(void **state)
{
    struct world world;
    int told[4][2] = {{0, 99}, {0, 99}, {0, 99}, {0, 99}};
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        memset(told, 0, sizeof told);
        world_new(&world, (enum world_kind)kind);
        struct engine_execution *execution =
            world_start(&world, "tasks:\n  a: {function: {name: gate, parameters: {key: g}}}\n", NULL);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(
                0, engine_signal(world.engine, execution, STR("n"), STR("1"), STR("t"), on_done, told[i], NULL));
            if (i < 2) uv_run(engine_loop(world.engine), UV_RUN_NOWAIT);
        }
        world_close(&world);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(1, told[i][0]);
            assert_int_equal(0, told[i][1]);
        }
        world_done(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel_after_each_transition),
        cmocka_unit_test(test_cancel_what_is_paused),
        cmocka_unit_test(test_cancel_is_answered_once),
        cmocka_unit_test(test_grace),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_approvals),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_retry),
        cmocka_unit_test(test_retry_in_one_step),
        cmocka_unit_test(test_retry_of_what_just_ended),
        cmocka_unit_test(test_observer_starts_others),
        cmocka_unit_test(test_socket),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_bad_peers),
        cmocka_unit_test(test_close_with_a_client_that_waits),
        cmocka_unit_test(test_close_tells_who_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
