/*
 * After the end of a process, however it came: everything recorded is there, nothing recorded is done again, and what
 * cannot go on says why.
 */
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/vfs.h"

/* In the child: dies as soon as the trace holds this. */
static const char *dies_at;
static int dies_after; /* so many transitions; 0: by dies_at */
static int transitions_seen;
static const char *child_yaml, *child_parameters;

static void die_then(struct world *world, struct engine_execution *execution, const struct core_transition *transition)
{
    (void)execution;
    (void)transition;
    transitions_seen++;
    bool now = dies_after ? transitions_seen == dies_after : strstr(world->trace.data, dies_at) != NULL;
    if (now) kill(getpid(), SIGKILL);
}

static void child_start_and_die(struct world *world)
{
    world->on_transition = die_then;
    world_start(world, child_yaml, child_parameters);
    world_run(world);
    _exit(0);
}

static void child_resume_and_die(struct world *world)
{
    struct engine_execution *execution;
    world->on_transition = die_then;
    if (engine_resume(world->engine, 1, &execution, NULL)) _exit(3);
    world_run(world);
    _exit(0);
}

/* Starts it in a process that is killed once `at` was durable; the world is open again afterwards. True when it was
 * killed. */
static bool crash_at(struct world *world, const char *yaml, const char *at)
{
    dies_at = at;
    dies_after = 0;
    child_yaml = yaml;
    int status = in_child(world, child_start_and_die);
    world_open(world);
    return WIFSIGNALED(status);
}

static void must_crash_at(struct world *world, const char *yaml, const char *at)
{
    if (!crash_at(world, yaml, at)) fail_msg("it never came to: %s", at);
}

static struct engine_execution *must_resume(struct world *world, int64_t number)
{
    struct engine_execution *execution;
    struct orch_error err = ORCH_ERROR_INIT;
    if (engine_resume(world->engine, number, &execution, &err)) fail_msg("resume: %s (%s)", err.message, err.hint);
    return execution;
}

static const struct ended *resume_and_run(struct world *world, int64_t number)
{
    must_resume(world, number);
    world_run(world);
    world_check_idle(world);
    return world_ended(world, number);
}

static void test_on_interrupt(void **state)
{
    static const struct {
        const char *how;
        enum execution_state state;
        const char *tasks;
        const char *order;
    } cases[] = {
        {"retry", EXECUTION_SUCCEEDED, "a=succeeded b=succeeded c=succeeded", "b c "},
        {"fail", EXECUTION_FAILED, "a=succeeded b=failed c=skipped", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world world;
        char yaml[400];
        snprintf(yaml, sizeof yaml,
                 "mode: sequence\ntasks:\n  a: {function: {name: note, parameters: {name: a}}}\n  b: {on_interrupt: "
                 "%s, function: {name: note, parameters: {name: b}}}\n"
                 "  c: {function: {name: note, parameters: {name: c}}}\n",
                 cases[i].how);
        world_init(&world, WORLD_DISK);
        must_crash_at(&world, yaml, "b task.attempt.started");
        const struct ended *ended = resume_and_run(&world, 1);
        assert_int_equal(cases[i].state, ended->state);
        expect_tasks(cases[i].how, ended, cases[i].tasks);
        assert_string_equal(cases[i].order, world.order);
        world_done(&world);
    }
}

static void test_hold(void **state)
{
    struct world world;
    struct engine_execution *execution;
    struct orch_error err = ORCH_ERROR_INIT;
    (void)state;
    world_init(&world, WORLD_DISK);
    must_crash_at(&world,
                  "tasks:\n  a: {on_interrupt: hold, function: {name: note, parameters: {name: a}}}\n  b: "
                  "{on_interrupt: hold, function: {name: note, parameters: {name: b}}}\n",
                  "b task.attempt.started");
    must_resume(&world, 1);
    world_until_trace(&world, "b task.waiting held");
    assert_string_equal("", world.order);
    /* Not that one. */
    assert_int_equal(ORCH_ERR_NOT_FOUND, engine_retry(world.engine, 1, STR("q"), STR("t"), &execution, &err));
    assert_int_equal(1, engine_count(world.engine));
    assert_int_equal(0, engine_retry(world.engine, 1, STR("b"), STR("t"), &execution, &err));
    world_until_trace(&world, "b task.ended succeeded");
    assert_string_equal("b ", world.order);
    world_close(&world);
    world_open(&world);
    /* From another process: taken up, and let go. */
    assert_int_equal(0, engine_retry(world.engine, 1, STR("a"), STR("t"), &execution, &err));
    world_run(&world);
    assert_string_equal("b a ", world.order);
    assert_int_equal(EXECUTION_SUCCEEDED, world.ended->state);
    world_done(&world);
}

/* A retry of what was only interrupted goes on with it; from one task on makes no sense then, and changes nothing. */
static void test_retry_of_what_was_interrupted(void **state)
{
    struct world world;
    struct engine_execution *execution;
    struct orch_error err = ORCH_ERROR_INIT;
    (void)state;
    world_init(&world, WORLD_DISK);
    must_crash_at(&world,
                  "mode: sequence\ntasks:\n  a: {function: {name: note, parameters: {name: a}}}\n  b: {function: "
                  "{name: note, parameters: {name: b}}}\n",
                  "b task.attempt.started");
    assert_int_equal(ORCH_ERR_STATE, engine_retry(world.engine, 1, STR("a"), STR("t"), &execution, &err));
    assert_int_equal(0, engine_count(world.engine));
    for (int i = 0; i < 5; i++) uv_run(engine_loop(world.engine), UV_RUN_NOWAIT);
    assert_int_equal(0, world.trace.size);
    world_check_idle(&world);
    assert_int_equal(0, engine_retry(world.engine, 1, STR_NONE, STR("t"), &execution, &err));
    world_run(&world);
    assert_int_equal(EXECUTION_SUCCEEDED, world.ended->state);
    assert_string_equal("b ", world.order);
    world_done(&world);
}

/* ---- at every moment ---- */

static void files(const struct world *world)
{
    world_file(world, "sub.yaml",
               "tasks:\n  x: {function: {name: note, parameters: {name: x}}}\n  y: {depends_on: x, workflow: deep}\n  "
               "z: {depends_on: y, transform: y.output.v}\noutput: '{{ z.output }}'\n");
    world_file(world, "deep.yaml", "tasks:\n  v: {function: {name: echo, parameters: {value: 7}}}\n");
}

static const char *const every_yaml =
    "concurrency: 2\npools: {p: 1}\n"
    "tasks:\n"
    "  a: {function: {name: echo, parameters: {value: 3}}, compensate: {noop: {}}}\n"
    "  l: {depends_on: a, for_each: {in: [1, 2, 3], as: n}, pool: p, function: {name: echo, parameters: {value: '{{ n "
    "* a.output }}'}}}\n"
    "  w: {depends_on: a, workflow: sub}\n"
    "  r: {depends_on: a, repeat: {until: r.output >= 2, max: 4}, transform: iteration}\n"
    "  g: {depends_on: a, concurrency: 1, tasks: {m: {function: {name: big, parameters: {size: 100000}}}, n: "
    "{function: {name: echo, parameters: {value: 1}}}}}\n"
    "  t: {depends_on: [l, w, r, g], wait: 1ms}\n"
    "  s: {depends_on: t, transform: 'sum(l.output) + w.output + r.output + size(g.output.m)'}\n"
    "finally: {f: {function: {name: note, parameters: {name: tidy}}}}\n"
    "output: '{{ s.output }}'\n";
/* 3 + 6 + 9, 7, 2, 100000 */
#define EVERY_OUTPUT "100027"

/* Killed after each of its transitions in turn, and then in the middle of being taken up again: it ends, once, with the
 * same result. */
static void test_killed_at_every_transition(void **state)
{
    (void)state;
    for (int at = 1;; at++) {
        struct world world;
        world_init(&world, WORLD_DISK);
        files(&world);
        child_yaml = every_yaml;
        dies_after = at;
        transitions_seen = 0;
        int status = in_child(&world, child_start_and_die);
        if (WIFSIGNALED(status) && at % 3 == 0) {
            dies_after = 1 + at % 7;
            transitions_seen = 0;
            (void)in_child(&world, child_resume_and_die);
        }
        world_open(&world);
        struct engine_execution *execution;
        struct orch_error err = ORCH_ERROR_INIT;
        struct store_execution row;
        struct arena arena;
        arena_init(&arena, NULL, 0);
        assert_int_equal(0, store_get_execution(engine_store(world.engine), 1, &arena, &row, &err));
        if (row.state >= EXECUTION_SUCCEEDED) {
            assert_int_equal(ORCH_ERR_STATE, engine_resume(world.engine, 1, &execution, &err));
            assert_int_equal(0, engine_count(world.engine));
            assert_int_equal(EXECUTION_SUCCEEDED, row.state);
        } else {
            const struct ended *ended = resume_and_run(&world, 1);
            if (ended->state != EXECUTION_SUCCEEDED)
                fail_msg("killed after %d: %s (%s)", at, execution_state_to_string(ended->state), ended->error);
            if (strcmp(EVERY_OUTPUT, ended->output) != 0) fail_msg("killed after %d: %s", at, ended->output);
        }
        arena_done(&arena);
        world_check_idle(&world);
        world_done(&world);
        if (!WIFSIGNALED(status)) {
            assert_true(at > 60);
            break;
        }
    }
}

/* ---- large outputs ---- */

static void test_blobs_come_back(void **state)
{
    static const char *const yaml = "tasks:\n  a: {function: {name: big, parameters: {size: 200000}}}\n  b: "
                                    "{depends_on: a, function: {name: note, parameters: {name: b}}}\n"
                                    "  c: {depends_on: [a, b], exec: [sh, -c, 'cat $ORCH_INPUTS/a* | wc -c']}\n  d: "
                                    "{depends_on: c, transform: size(a.output)}\n"
                                    "finally: {f: {function: {name: note, parameters: {name: f}}}}\n"
                                    "output: {size: '{{ d.output }}', all: '{{ a.output }}'}\n";
    (void)state;
    static const char *const moments[] = {"a task.ended", "b task.attempt.started", "finally/f task.attempt.started",
                                          "frame.ended"};
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        struct world world;
        world_init(&world, WORLD_DISK);
        must_crash_at(&world, yaml, moments[i]);
        const struct ended *ended = resume_and_run(&world, 1);
        if (ended->state != EXECUTION_SUCCEEDED) fail_msg("%s: %s", moments[i], ended->error);
        if (strncmp(ended->output, "{\"size\":200000,\"all\":\"xxx", 25) != 0 || strlen(ended->output) < 200000)
            fail_msg("%s: %zu bytes: %.60s", moments[i], strlen(ended->output), ended->output);
        world_done(&world);
    }
}

/* The result of a sub-workflow too, when it was recorded before the end of its parent's life. */
static void test_large_result_of_a_child(void **state)
{
    struct world world;
    (void)state;
    for (int i = 0; i < 2; i++) {
        world_init(&world, WORLD_DISK);
        world_file(&world, "sub.yaml",
                   "tasks:\n  x: {function: {name: big, parameters: {size: 150000}}}\noutput: '{{ x.output "
                   "}}'\nfinally: {f: {function: {name: note, parameters: {name: f}}}}\n");
        must_crash_at(
            &world,
            "tasks:\n  w: {workflow: sub}\n  s: {depends_on: w, transform: size(w.output)}\noutput: '{{ s.output }}'\n",
            i == 0 ? "execution.ended" : "finally/f task.attempt.started");
        const struct ended *ended = resume_and_run(&world, 1);
        assert_string_equal("150000", ended->output);
        world_done(&world);
    }
}

/* ---- what cannot be taken up ---- */

static void must_refuse(struct world *world, int64_t number, int code, const char *says)
{
    struct engine_execution *execution = NULL;
    struct orch_error err = ORCH_ERROR_INIT;
    int r = engine_resume(world->engine, number, &execution, &err);
    if (r != code) fail_msg("%s (%s), not %s", orch_error_name(r), err.message, orch_error_name(code));
    if (!strstr(err.message, says) && !strstr(err.hint, says))
        fail_msg("\"%s\" (%s) does not say \"%s\"", err.message, err.hint, says);
    assert_null(execution);
    assert_int_equal(0, engine_count(world->engine));
    for (int i = 0; i < 5; i++) uv_run(engine_loop(world->engine), UV_RUN_NOWAIT);
    assert_int_equal(0, world->trace.size);
    world_check_idle(world);
}

static void damage(const struct world *world, const char *sql)
{
    char path[120];
    sqlite3 *db;
    char *message = NULL;
    snprintf(path, sizeof path, "%s/orch.db", world->store_path);
    /* As the store opens it, so that what is written has its checksum. */
    assert_int_equal(SQLITE_OK, sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, vfs_name(VFS_STRICT)));
    if (sqlite3_exec(db, sql, NULL, NULL, &message)) fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

static uint64_t journal_size(const struct world *world)
{
    struct engine_view *view;
    struct core_summary summary;
    if (engine_view_open(engine_store(world->engine), 1, &view, NULL)) return 0;
    core_get_summary(engine_view_core(view), &summary);
    engine_view_close(view);
    return summary.sequence;
}

static const char *const simple_yaml = "mode: sequence\ntasks:\n  a: {function: {name: note, parameters: {name: a}}}\n "
                                       " b: {function: {name: note, parameters: {name: b}}}\n";

static void test_what_cannot_be_taken_up(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, WORLD_DISK);
    must_crash_at(&world, simple_yaml, "b task.attempt.started");
    uint64_t size = journal_size(&world);
    assert_true(size > 0);
    must_refuse(&world, 77, ORCH_ERR_NOT_FOUND, "r-");
    world_close(&world);

    /* Functions that this program has not. */
    struct action_functions *functions = world.options.functions;
    world.options.functions = NULL;
    world_open(&world);
    must_refuse(&world, 1, ORCH_ERR_UNSUPPORTED, "function");
    /* To record a command nothing is needed. */
    world_close(&world);
    world.options.record_only = true;
    world_open(&world);
    must_resume(&world, 1);
    world_close(&world);
    world.options.record_only = false;
    world.options.functions = functions;

    /* A definition that does not read any more. */
    damage(&world, "update definitions set normal = '{\"tasks\": 7}'");
    world_open(&world);
    must_refuse(&world, 1, ORCH_ERR_INVALID, "cannot be taken up");
    world_close(&world);
    world_done(&world);

    static const struct {
        const char *sql;
        int code;
    } damages[] = {
        {"update journal set record = x'0102030405' where seq > 1", ORCH_ERR_CORRUPT},
        {"update journal set record = substr(record, 1, length(record) - 1) where seq > 1", ORCH_ERR_CORRUPT},
        {"delete from journal where seq = 1", ORCH_ERR_CORRUPT},
        {"delete from journal", ORCH_ERR_CORRUPT},
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        world_init(&world, WORLD_DISK);
        must_crash_at(&world, simple_yaml, "b task.attempt.started");
        world_close(&world);
        damage(&world, damages[i].sql);
        world_open(&world);
        must_refuse(&world, 1, damages[i].code, "");
        world_done(&world);
    }
}

static void test_secret_that_is_gone(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, WORLD_DISK);
    setenv("ORCH_SECRET_TOKEN", "s3cr3t-value", 1);
    must_crash_at(&world,
                  "secrets: [TOKEN]\nmode: sequence\ntasks:\n  a: {function: {name: note, parameters: {name: a}}}\n  "
                  "b: {function: {name: echo, parameters: {value: '{{ secrets.TOKEN }}'}}}\noutput: '{{ b.output }}'\n",
                  "b task.attempt.started");
    unsetenv("ORCH_SECRET_TOKEN");
    must_refuse(&world, 1, ORCH_ERR_NOT_FOUND, "TOKEN");
    setenv("ORCH_SECRET_TOKEN", "s3cr3t-value", 1);
    const struct ended *ended = resume_and_run(&world, 1);
    assert_int_equal(EXECUTION_SUCCEEDED, ended->state);
    assert_string_equal("\"***\"", ended->output);
    unsetenv("ORCH_SECRET_TOKEN");
    world_done(&world);
}

/* One of the children cannot be taken up: then nothing is, and nothing was changed. */
static void test_child_that_cannot_be_taken_up(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, WORLD_DISK);
    world_file(&world, "good.yaml", "tasks:\n  x: {function: {name: gate, parameters: {key: g}}}\n");
    world_file(&world, "bad.yaml",
               "concurrency: 1\npools: {p: 2}\ntasks:\n  y: {pool: p, function: {name: gate, parameters: {key: g}}}\n  "
               "z: {function: {name: echo}}\n");
    must_crash_at(
        &world,
        "concurrency: 5\npools: {p: 2}\ntasks:\n  g1: {workflow: good}\n  g2: {workflow: good}\n  b: {workflow: bad}\n "
        " c: {concurrency: 1, tasks: {d: {pool: p, function: {name: gate, parameters: {key: g}}}}}\n",
        "y task.attempt.started");
    world_close(&world);
    damage(&world, "update journal set record = x'00' where execution = 4");
    world_open(&world);
    must_refuse(&world, 1, ORCH_ERR_CORRUPT, "");
    world_done(&world);
}

/* ---- children at every state ---- */

static void test_children(void **state)
{
    static const char *const moments[] = {
        "w task.attempt.started", /* not made yet */
        "x task.attempt.started", /* alive */
        "y task.waiting",         /* waiting */
        "execution.ended",        /* over, its parent does not know */
    };
    (void)state;
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        struct world world;
        world_init(&world, WORLD_DISK);
        world_file(&world, "sub.yaml",
                   "tasks:\n  x: {function: {name: note, parameters: {name: x}}}\n  y: {depends_on: x, wait: 20ms}\n");
        must_crash_at(
            &world,
            "tasks:\n  w: {workflow: sub}\n  z: {depends_on: w, function: {name: note, parameters: {name: z}}}\n",
            moments[i]);
        const struct ended *ended = resume_and_run(&world, 1);
        assert_int_equal(EXECUTION_SUCCEEDED, ended->state);
        assert_string_equal(i < 2 ? "x z " : "z ", world.order);
        uint64_t counts[16];
        assert_int_equal(0, store_count_states(engine_store(world.engine), counts, NULL));
        assert_int_equal(2, counts[EXECUTION_SUCCEEDED]); /* one parent, one child */
        assert_int_equal(0, counts[EXECUTION_RUNNING]);
        world_done(&world);
    }
}

/* Cancelled on its own while its parent was away. */
static void test_child_cancelled_meanwhile(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, WORLD_DISK);
    world_file(&world, "sub.yaml", "tasks:\n  x: {function: {name: gate, parameters: {key: g}}}\n");
    must_crash_at(&world, "tasks:\n  w: {workflow: sub}\n", "x task.attempt.started");
    struct orch_error err = ORCH_ERROR_INIT;
    struct engine_execution *child = must_resume(&world, 2);
    assert_int_equal(0, engine_cancel(world.engine, child, STR("t"), STR("x"), NULL, NULL, &err));
    world_run(&world);
    assert_int_equal(EXECUTION_CANCELLED, world_ended(&world, 2)->state);
    struct engine_execution *execution;
    assert_int_equal(ORCH_ERR_STATE, engine_retry(world.engine, 2, STR_NONE, STR("t"), &execution, &err));
    const struct ended *ended = resume_and_run(&world, 1);
    expect_tasks("cancelled child", ended, "w=cancelled");
    world_done(&world);
}

/* Stopped, and the process ended before the child was. */
static void test_cancel_survives(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, WORLD_DISK);
    world_file(&world, "sub.yaml", "tasks:\n  x: {exec: [sh, -c, \"trap '' TERM; sleep 5\"]}\n");
    must_crash_at(&world,
                  "timeout: 60ms\ntasks:\n  w: {workflow: sub}\n  p: {exec: [sh, -c, \"trap '' TERM; sleep 5\"]}\n",
                  "w task.attempt.stopping");
    const struct ended *ended = resume_and_run(&world, 1);
    assert_int_equal(EXECUTION_TIMED_OUT, ended->state);
    expect_tasks("stopped", ended, "w=cancelled p=cancelled");
    assert_int_equal(EXECUTION_CANCELLED, world_ended(&world, 2)->state);
    world_done(&world);
}

/* A sub-workflow that names others is found by whoever comes later, also when it was taken up before. */
static void test_sub_workflow_after_resume(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, WORLD_DISK);
    files(&world);
    must_crash_at(&world,
                  "mode: sequence\ntasks:\n  w: {workflow: sub}\n  w2: {workflow: sub}\noutput: '{{ w2.output }}'\n",
                  "x task.attempt.started");
    const struct ended *ended = resume_and_run(&world, 1);
    assert_int_equal(EXECUTION_SUCCEEDED, ended->state);
    assert_string_equal("7", ended->output);
    world_done(&world);
}

/* However often it is interrupted, the depth is counted from the top. */
static void test_depth_after_resume(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, WORLD_DISK);
    world_file(&world, "down.yaml",
               "parameters: {n: {type: integer, required: true}}\ntasks:\n  g: {when: n == 20, function: {name: gate, "
               "parameters: {key: g}}}\n"
               "  x: {depends_on: g, join: all_done, workflow: {name: down, parameters: {n: '{{ n + 1 }}'}}}\n");
    must_crash_at(&world, "tasks:\n  a: {workflow: {name: down, parameters: {n: 1}}}\n", "g task.attempt.started");
    must_resume(&world, 1);
    world_open_gate(&world, "g");
    world_run(&world);
    const struct ended *ended = world_ended(&world, 1);
    assert_int_equal(EXECUTION_FAILED, ended->state);
    assert_non_null(strstr(ended->error, "32 deep"));
    assert_int_equal(33, world.ended_count);
    world_done(&world);
}

/* ---- waits ---- */

static void test_timers_go_on(void **state)
{
    struct world world;
    (void)state;
    world_init(&world, WORLD_DISK);
    must_crash_at(&world,
                  "tasks:\n  a: {wait: 300ms}\n  b: {function: {name: flaky, parameters: {key: b, times: 1}}, retry: "
                  "{max_attempts: 2, delay: 200ms, backoff: constant}}\n  c: {approval: x, timeout: 250ms, "
                  "continue_on_error: true}\n",
                  "b task.waiting");
    struct engine_view *view;
    assert_int_equal(0, engine_view_open(engine_store(world.engine), 1, &view, NULL));
    struct core_summary summary;
    core_get_summary(engine_view_core(view), &summary);
    orch_time started = summary.started_at;
    engine_view_close(view);
    must_resume(&world, 1);
    world_until_trace(&world, "a task.ended");
    orch_time span = engine_now(world.engine) - started;
    assert_true(span >= 300 * ORCH_MILLISECOND && span < 2 * ORCH_SECOND);
    world_run(&world);
    expect_tasks("waits", world.ended,
                 "a=succeeded b=failed c=timed_out"); /* the count is of another process: its first time here */
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_on_interrupt),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_retry_of_what_was_interrupted),
        cmocka_unit_test(test_killed_at_every_transition),
        cmocka_unit_test(test_blobs_come_back),
        cmocka_unit_test(test_large_result_of_a_child),
        cmocka_unit_test(test_what_cannot_be_taken_up),
        cmocka_unit_test(test_secret_that_is_gone),
        cmocka_unit_test(test_child_that_cannot_be_taken_up),
        cmocka_unit_test(test_children),
        cmocka_unit_test(test_child_cancelled_meanwhile),
        cmocka_unit_test(test_cancel_survives),
        cmocka_unit_test(test_sub_workflow_after_resume),
        cmocka_unit_test(test_depth_after_resume),
        cmocka_unit_test(test_timers_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
