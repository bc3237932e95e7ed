/*
 * Every construct of the language, end to end: read, started, decided, recorded, carried out by functions and programs,
 * and ended. Each runs with the memory store and with SQLite; there, what is folded from the journal is the state that
 * was.
 */
#include "harness.h"

#include <signal.h>

struct play {
    const char *name, *yaml, *parameters;
    enum execution_state state;
    const char *output; /* NULL: whatever */
    const char *tasks;
    const char *error; /* part of it; NULL: whatever */
};

#define FN(name, rest) "{function: {name: " name ", parameters: {" rest "}}}"

static const struct play plays[] = {
    {"empty", "tasks: {}", NULL, EXECUTION_SUCCEEDED, NULL, "", NULL},
    {"dag",
     "tasks:\n"
     "  a: {transform: '1'}\n"
     "  b: {depends_on: a, transform: a.output + 1}\n"
     "  c: {depends_on: a, transform: a.output + 2}\n"
     "  d: {depends_on: [b, c], transform: b.output * c.output}\n"
     "output: '{{ d.output }}'\n",
     NULL, EXECUTION_SUCCEEDED, "6", "a=succeeded b=succeeded c=succeeded d=succeeded", NULL},
    {"functions in a chain",
     "mode: sequence\n"
     "tasks:\n"
     "  a: {function: {name: echo, parameters: {value: 4}}}\n"
     "  b: {function: {name: echo, parameters: {value: '{{ a.output * 2 }}'}}}\n"
     "output: '{{ b.output }}'\n",
     NULL, EXECUTION_SUCCEEDED, "8", "a=succeeded b=succeeded", NULL},
    {"parallel",
     "mode: parallel\ntasks:\n  a: {function: {name: inside, parameters: {key: p, want: 3}}}\n"
     "  b: {function: {name: inside, parameters: {key: p, want: 3}}}\n  c: {function: {name: inside, parameters: {key: "
     "p, want: 3}}}\n",
     NULL, EXECUTION_SUCCEEDED, NULL, "a=succeeded b=succeeded c=succeeded", NULL},
    {"processes",
     "tasks:\n  a: {shell: 'echo 41'}\n  b: {depends_on: a, exec: [sh, -c, 'echo $((ADD + 1))'], env: {ADD: '{{ "
     "string(a.output) }}'}}\n"
     "output: '{{ b.output }}'\n",
     NULL, EXECUTION_SUCCEEDED, "42", "a=succeeded b=succeeded", NULL},
    {"exit code", "tasks:\n  a: {shell: exit 3}\n  b: {depends_on: a, noop: {}}\n", NULL, EXECUTION_FAILED, NULL,
     "a=failed b=skipped", "a failed: exit code 3"},
    {"join rules",
     "tasks:\n"
     "  good: {noop: {}}\n"
     "  bad: {function: {name: fail}}\n"
     "  all: {depends_on: [good, bad], noop: {}}\n"
     "  done: {depends_on: [good, bad], join: all_done, noop: {}}\n"
     "  any: {depends_on: [good, bad], join: any_succeeded, noop: {}}\n"
     "  none: {depends_on: [good, bad], join: none_failed, noop: {}}\n"
     "  one: {depends_on: [good, bad], join: {at_least: 1}, noop: {}}\n"
     "  two: {depends_on: [good, bad], join: {at_least: 2}, noop: {}}\n",
     NULL, EXECUTION_FAILED, NULL, "all=skipped done=succeeded any=succeeded none=skipped one=succeeded two=skipped",
     NULL},
    {"when",
     "parameters: {go: {type: boolean, default: false}}\ntasks:\n  a: {when: go, function: {name: fail}}\n  b: {when: "
     "'!go', noop: {}}\n  c: {depends_on: a, noop: {}}\n",
     NULL, EXECUTION_SUCCEEDED, NULL, "a=skipped b=succeeded c=skipped", NULL},
    {"when is no bool", "parameters: {p: {type: any}}\ntasks:\n  a: {when: p, noop: {}}\n", "{\"p\": 2}",
     EXECUTION_FAILED, NULL, "a=failed", "when"},
    {"continue_on_error",
     "tasks:\n  a: {function: {name: fail}, continue_on_error: true}\n  b: {depends_on: a, noop: {}}\n", NULL,
     EXECUTION_SUCCEEDED, NULL, "a=failed b=succeeded", NULL},
    {"for_each",
     "tasks:\n  a: {for_each: {in: [1, 2, 3], as: n}, function: {name: echo, parameters: {value: '{{ n * n "
     "}}'}}}\noutput: '{{ a.output }}'\n",
     NULL, EXECUTION_SUCCEEDED, "[1,4,9]", "a=succeeded a[0]=succeeded a[2]=succeeded", NULL},
    {"for_each, nothing in it",
     "tasks:\n  a: {for_each: {in: '[]', as: n}, function: {name: echo, parameters: {value: '{{ n }}'}}}\n  b: "
     "{depends_on: a, transform: size(a.output)}\noutput: '{{ b.output }}'\n",
     NULL, EXECUTION_SUCCEEDED, "0", "a=succeeded b=succeeded", NULL},
    {"for_each, an item fails", "tasks:\n  a: {for_each: {in: [1, 0, 2], as: n}, transform: 4 / n}\n", NULL,
     EXECUTION_FAILED, NULL, "a=failed a[0]=succeeded a[1]=failed a[2]=succeeded", "a[1]"},
    {"for_each over a group",
     "tasks:\n  a:\n    for_each: {in: [a, b], as: n}\n    tasks:\n      x: {function: {name: echo, parameters: "
     "{value: '{{ n }}'}}}\n      y: {depends_on: x, transform: x.output + '!'}\n"
     "output: '{{ a.output }}'\n",
     NULL, EXECUTION_SUCCEEDED, "[{\"x\":\"a\",\"y\":\"a!\"},{\"x\":\"b\",\"y\":\"b!\"}]", "a[1]/y=succeeded", NULL},
    {"repeat",
     "tasks:\n  a:\n    repeat: {until: n.output >= 3, max: 5}\n    tasks:\n      n: {function: {name: echo, "
     "parameters: {value: '{{ iteration }}'}}}\noutput: '{{ a.output.n }}'\n",
     NULL, EXECUTION_SUCCEEDED, "3", "a=succeeded a#3/n=succeeded", NULL},
    {"repeat, never enough",
     "tasks:\n  a:\n    repeat: {until: n.output >= 9, max: 3, delay: 1ms}\n    tasks:\n      n: {transform: "
     "iteration}\n",
     NULL, EXECUTION_FAILED, NULL, "a=failed a#3/n=succeeded", NULL},
    {"repeat with a delay",
     "tasks:\n  a:\n    repeat: {while: n.output < 3, max: 9, delay: 5ms}\n    tasks:\n      n: {transform: "
     "iteration}\n",
     NULL, EXECUTION_SUCCEEDED, NULL, "a=succeeded a#3/n=succeeded", NULL},
    {"group",
     "tasks:\n  g:\n    mode: sequence\n    tasks:\n      x: {transform: '1'}\n      y: {transform: x.output + 1}\n  "
     "b: {depends_on: g, transform: g.output.y}\noutput: '{{ b.output }}'\n",
     NULL, EXECUTION_SUCCEEDED, "2", "g=succeeded g/x=succeeded g/y=succeeded b=succeeded", NULL},
    {"retry",
     "tasks:\n  a: {function: {name: flaky, parameters: {key: r, times: 2}}, retry: {max_attempts: 3, delay: 2ms, "
     "backoff: constant}}\noutput: '{{ a.output }}'\n",
     NULL, EXECUTION_SUCCEEDED, "3", "a=succeeded", NULL},
    {"retry without a wait",
     "tasks:\n  a: {function: {name: flaky, parameters: {key: r0, times: 4}}, retry: {max_attempts: 5, delay: "
     "0s}}\noutput: '{{ a.output }}'\n",
     NULL, EXECUTION_SUCCEEDED, "5", "a=succeeded", NULL},
    {"retries used up",
     "tasks:\n  a: {function: {name: flaky, parameters: {key: s, times: 9}}, retry: {max_attempts: 2, delay: 1ms}}\n",
     NULL, EXECUTION_FAILED, NULL, "a=failed", "not yet"},
    {"retry of what is permanent",
     "tasks:\n  a: {function: {name: fail, parameters: {as: invalid}}, retry: {max_attempts: 5, delay: 1ms}}\n", NULL,
     EXECUTION_FAILED, NULL, "a=failed", "told to fail"},
    {"timeout of an attempt", "tasks:\n  a: {exec: [sleep, '30'], timeout: 50ms}\n", NULL, EXECUTION_FAILED, NULL,
     "a=timed_out", "timed out"},
    {"timeout of a function", "tasks:\n  a: {function: {name: gate, parameters: {key: never}}, timeout: 30ms}\n", NULL,
     EXECUTION_FAILED, NULL, "a=timed_out", "timed out"},
    {"timeout of all attempts",
     "tasks:\n  a: {function: {name: gate, parameters: {key: never}}, timeout: 20ms, total_timeout: 70ms, retry: "
     "{max_attempts: 50, delay: 1ms, backoff: constant}}\n",
     NULL, EXECUTION_FAILED, NULL, "a=timed_out", NULL},
    {"timeout of a group",
     "tasks:\n  g:\n    timeout: 40ms\n    tasks:\n      x: {function: {name: gate, parameters: {key: never}}}\n      "
     "y: {depends_on: x, noop: {}}\n",
     NULL, EXECUTION_FAILED, NULL, "g=timed_out g/x=cancelled g/y=skipped", NULL},
    {"timeout of a group in its finally",
     "tasks:\n  g:\n    timeout: 30ms\n    tasks:\n      x: {noop: {}}\n    finally:\n      f: {wait: 90ms}\n", NULL,
     EXECUTION_SUCCEEDED, NULL, "g=succeeded", NULL},
    {"timeout of the execution",
     "timeout: 40ms\ntasks:\n  x: {function: {name: gate, parameters: {key: never}}}\nfinally:\n  f: {noop: {}}\n",
     NULL, EXECUTION_TIMED_OUT, NULL, "x=cancelled finally/f=succeeded", NULL},
    {"on_error of a task",
     "tasks:\n  a: {function: {name: fail}, on_error: {transform: error.message}}\n  b: {depends_on: a, transform: "
     "a.output}\noutput: '{{ b.output }}'\n",
     NULL, EXECUTION_SUCCEEDED, "\"told to fail\"", "a=succeeded b=succeeded a/on_error=succeeded", NULL},
    {"on_error that fails too", "tasks:\n  a: {function: {name: fail}, on_error: {function: {name: fail}}}\n", NULL,
     EXECUTION_FAILED, NULL, "a=failed a/on_error=failed", NULL},
    {"on_error of the workflow",
     "tasks:\n  a: {function: {name: fail}}\non_error:\n  h: {function: {name: note, parameters: {name: handled}}}\n",
     NULL, EXECUTION_FAILED, NULL, "a=failed on_error/h=succeeded", NULL},
    {"finally",
     "tasks:\n  a: {function: {name: fail}}\nfinally:\n  f: {function: {name: note, parameters: {name: tidy}}}\n", NULL,
     EXECUTION_FAILED, NULL, "a=failed finally/f=succeeded", NULL},
    {"finally fails", "tasks:\n  a: {noop: {}}\nfinally:\n  f: {function: {name: fail}}\n", NULL, EXECUTION_FAILED,
     NULL, "a=succeeded finally/f=failed", NULL},
    {"compensate",
     "mode: sequence\ntasks:\n"
     "  a: {noop: {}, compensate: {function: {name: note, parameters: {name: undo_a}}}}\n"
     "  b: {noop: {}, compensate: {function: {name: note, parameters: {name: undo_b}}}}\n"
     "  c: {function: {name: fail}}\n",
     NULL, EXECUTION_COMPENSATED, NULL, "a=compensated b=compensated c=failed", NULL},
    {"fail_fast",
     "fail_fast: true\ntasks:\n  a: {function: {name: gate, parameters: {key: never}}}\n  b: {function: {name: "
     "fail}}\n",
     NULL, EXECUTION_FAILED, NULL, "a=cancelled b=failed", "b failed"},
    {"fail_fast of a group",
     "tasks:\n  g:\n    fail_fast: true\n    tasks:\n      a: {function: {name: gate, parameters: {key: never}}}\n     "
     " b: {function: {name: fail}}\n  h: {noop: {}}\n",
     NULL, EXECUTION_FAILED, NULL, "g=failed g/a=cancelled g/b=failed h=succeeded", NULL},
    {"wait", "tasks:\n  a: {wait: 10ms}\n  b: {depends_on: a, wait: {until: '2020-01-01T00:00:00Z'}}\n", NULL,
     EXECUTION_SUCCEEDED, NULL, "a=succeeded b=succeeded", NULL},
    {"env",
     "env: {A: one, B: '{{ who }}'}\nparameters: {who: {type: string, default: two}}\ntasks:\n  a: {exec: [sh, -c, "
     "'printf \"\\\"$A $B $C\\\"\"'], env: {C: three}}\noutput: '{{ a.output }}'\n",
     NULL, EXECUTION_SUCCEEDED, "\"one two three\"", "a=succeeded", NULL},
    {"env of values that JSON writes as texts",
     "env: {T: \"{{ timestamp('2024-02-29T01:02:03Z') }}\", D: \"{{ duration('90s') }}\", N: '{{ null }}', L: '{{ [1, \"a\"] "
     "}}'}\ntasks:\n  a: {shell: 'printf %s \"$T $D $N, $L!\"'}\noutput: '{{ a.output }}'\n",
     NULL, EXECUTION_SUCCEEDED, "\"2024-02-29T01:02:03Z 90s , [1,\\\"a\\\"]!\"", "a=succeeded", NULL},
    {"parameters",
     "parameters: {n: {type: integer, required: true}, s: {type: string, default: x}}\ntasks:\n  a: {transform: 's + "
     "string(n + params.n)'}\noutput: '{{ a.output }}'\n",
     "{\"n\": 3}", EXECUTION_SUCCEEDED, "\"x6\"", "a=succeeded", NULL},
    {"notification", "tasks:\n  a: {notification: 'hello {{ execution.id }}'}\n", NULL, EXECUTION_SUCCEEDED, NULL,
     "a=succeeded", NULL},
    {"an evaluation that fails", "tasks:\n  a: {exec: [echo, '{{ string(1 / 0) }}']}\n", NULL, EXECUTION_FAILED, NULL,
     "a=failed", NULL},
    {"a program that is not there", "tasks:\n  a: {exec: [/nowhere/at/all]}\n", NULL, EXECUTION_FAILED, NULL,
     "a=failed", "no such file"},
    {"a transform that has no answer", "tasks:\n  a: {transform: 1 / 0}\n", NULL, EXECUTION_FAILED, NULL, "a=failed",
     NULL},
    {"killed by a signal", "tasks:\n  a: {shell: kill -9 $$}\n", NULL, EXECUTION_FAILED, NULL, "a=failed", "SIGKILL"},
    {"sub-workflow",
     "parameters: {n: {type: integer, default: 4}}\ntasks:\n  a: {workflow: {name: double, parameters: {n: '{{ n "
     "}}'}}}\n  b: {depends_on: a, transform: a.output.d + 1}\noutput: '{{ b.output }}'\n",
     NULL, EXECUTION_SUCCEEDED, "9", "a=succeeded b=succeeded", NULL},
    {"sub-workflow of a sub-workflow", "tasks:\n  a: {workflow: twice}\noutput: '{{ a.output }}'\n", NULL,
     EXECUTION_SUCCEEDED, "{\"b\":{\"d\":10}}", "a=succeeded", NULL},
    {"sub-workflows in a loop",
     "tasks:\n  a: {for_each: {in: [1, 2, 3], as: n}, workflow: {name: double, parameters: {n: '{{ n }}'}}}\noutput: "
     "'{{ a.output.map(x, x.d) }}'\n",
     NULL, EXECUTION_SUCCEEDED, "[2,4,6]", "a=succeeded a[2]=succeeded", NULL},
    {"sub-workflow that fails", "tasks:\n  a: {workflow: failing}\n  b: {depends_on: a, noop: {}}\n", NULL,
     EXECUTION_FAILED, NULL, "a=failed b=skipped", "told to fail"},
    {"sub-workflow tried again", "tasks:\n  a: {workflow: sometimes, retry: {max_attempts: 4, delay: 1ms}}\n", NULL,
     EXECUTION_SUCCEEDED, NULL, "a=succeeded", NULL},
    {"sub-workflow with a wrong parameter", "tasks:\n  a: {workflow: {name: double, parameters: {n: four}}}\n", NULL,
     EXECUTION_FAILED, NULL, "a=failed", "n"},
    {"sub-workflow that takes too long", "tasks:\n  a: {workflow: hanging, timeout: 40ms}\n", NULL, EXECUTION_FAILED,
     NULL, "a=timed_out", "timed out"},
    {"recursive, to an end",
     "parameters: {n: {type: integer, default: 5}}\ntasks:\n  a: {workflow: {name: down, parameters: {n: '{{ n "
     "}}'}}}\noutput: '{{ a.output }}'\n",
     NULL, EXECUTION_SUCCEEDED, NULL, "a=succeeded", NULL},
    {"recursive, without an end", "tasks:\n  a: {workflow: endless}\n", NULL, EXECUTION_FAILED, NULL, "a=failed",
     "nested more than 32 deep"},
};

static void files(const struct world *world)
{
    world_file(world, "double.yaml",
               "parameters: {n: {type: integer, default: 5}}\ntasks:\n  d: {function: {name: echo, parameters: {value: "
               "'{{ n * 2 }}'}}}\n");
    world_file(world, "twice.yaml", "tasks:\n  b: {workflow: double}\n");
    world_file(world, "failing.yaml", "tasks:\n  x: {function: {name: fail}}\n");
    world_file(world, "sometimes.yaml",
               "tasks:\n  x: {function: {name: flaky, parameters: {key: sometimes, times: 2}}}\n");
    world_file(world, "hanging.yaml", "tasks:\n  x: {function: {name: gate, parameters: {key: never}}}\n");
    world_file(world, "down.yaml",
               "parameters: {n: {type: integer, required: true}}\ntasks:\n  x: {when: n > 0, workflow: {name: down, "
               "parameters: {n: '{{ n - 1 }}'}}}\n");
    world_file(world, "endless.yaml", "tasks:\n  x: {workflow: endless}\n");
}

static void check_fold(struct world *world, const struct ended *ended)
{
    struct engine_view *view;
    struct orch_error err = ORCH_ERROR_INIT;
    if (engine_view_open(engine_store(world->engine), ended->number, &view, &err))
        fail_msg("engine_view_open: %s", err.message);
    assert_int_equal(ended->digest, core_digest(engine_view_core(view)));
    const struct store_execution *row = engine_view_row(view);
    assert_int_equal(ended->state, row->state);
    assert_true(str_is(row->id, ended->id));
    struct core_summary summary;
    core_get_summary(engine_view_core(view), &summary);
    assert_int_equal(summary.tasks_total, row->tasks_total);
    assert_int_equal(summary.tasks_done, row->tasks_done);
    engine_view_close(view);
}

/* What is not as it should be, or NULL. */
static const char *differs(const struct play *play, const struct ended *ended, char *text, size_t size)
{
    if (ended->state != play->state)
        snprintf(text, size, "%s (%s), not %s", execution_state_to_string(ended->state), ended->error,
                 execution_state_to_string(play->state));
    else if (play->output && strcmp(play->output, ended->output) != 0)
        snprintf(text, size, "gave %s, not %s", ended->output, play->output);
    else if (play->error && !strstr(ended->error, play->error))
        snprintf(text, size, "\"%s\" does not say \"%s\"", ended->error, play->error);
    else
        return NULL;
    return text;
}

static void play_all(enum world_kind kind)
{
    struct world world;
    int bad = 0;
    char text[1000];
    world_new(&world, kind);
    files(&world);
    for (size_t i = 0; i < sizeof plays / sizeof *plays; i++) {
        const struct play *play = &plays[i];
        while (world.tallies) {
            struct tally *tally = world.tallies;
            world.tallies = tally->next;
            free(tally);
        }
        buf_clear(&world.trace);
        int before = world.ended_count;
        const struct ended *ended = world_play(&world, play->yaml, play->parameters);
        const char *what = differs(play, ended, text, sizeof text);
        if (what) {
            print_error("%s: %s\n%s", play->name, what, world.trace.data);
            bad++;
            continue;
        }
        expect_tasks(play->name, ended, play->tasks);
        world_check_idle(&world);
        int count = world.ended_count - before;
        for (const struct ended *e = world.ended; count > 0; e = e->next, count--) check_fold(&world, e);
    }
    assert_int_equal(0, world.troubles);
    assert_int_equal(0, bad);
    world_done(&world);
}

static void test_in_memory(void **state)
{
    (void)state;
    play_all(WORLD_MEMORY);
}

static void test_on_disk(void **state)
{
    (void)state;
    play_all(WORLD_DISK);
}

static void test_compensation_order(void **state)
{
    struct world world;
    (void)state;
    world_new(&world, WORLD_MEMORY);
    world_play(&world,
               "mode: sequence\ntasks:\n"
               "  a: {noop: {}, compensate: {function: {name: note, parameters: {name: undo_a}}}}\n"
               "  b: {noop: {}, compensate: {function: {name: note, parameters: {name: undo_b}}}}\n"
               "  c: {function: {name: fail}}\n"
               "finally:\n  f: {function: {name: note, parameters: {name: tidy}}}\n",
               NULL);
    assert_string_equal("undo_b undo_a tidy ", world.order);
    world_done(&world);
}

/* What a task wrote is in the log and in the file, in order; progress is told. */
static void test_log_and_progress(void **state)
{
    struct world world;
    (void)state;
    world_new(&world, WORLD_DISK);
    struct engine_execution *execution =
        world_start(&world,
                    "tasks:\n  a: {shell: 'echo one; echo \"::orch progress 1/4 a quarter\"; echo two >&2; sleep 0.05; "
                    "echo three'}\n  b: {notification: {message: \"x\\ny\", level: warning}}\n",
                    NULL);
    char id[20];
    snprintf(id, sizeof id, "%s", engine_execution_id(execution));
    world_run(&world);
    assert_int_equal(1, count_text(world.log.data, "a | one\n"));
    assert_int_equal(1, count_text(world.log.data, "a | two\n"));
    assert_int_equal(1, count_text(world.log.data, "a | three\n"));
    assert_int_equal(1, count_text(world.log.data, "b | warning: x\nb | y\n"));
    assert_string_equal("a 25% a quarter\n", world.progress.data);
    char path[200], line[400];
    snprintf(path, sizeof path, "%s/logs/%s/a.0.1.log", world.store_path, id);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_non_null(strstr(line, " o one\n"));
    fclose(file);
    world_done(&world);
}

/* What it needs is looked for before anything is recorded. */
static void test_what_is_missing(void **state)
{
    static const struct {
        const char *yaml, *message;
        int code;
    } cases[] = {
        {"tasks:\n  a: {function: {name: nope}}\n", "no such function", ORCH_ERR_UNSUPPORTED},
        {"tasks:\n  a: {function: {name: nope, parameters: {x: '{{ execution.id }}'}}}\n", "no such function", ORCH_ERR_UNSUPPORTED},
        {"tasks:\n  a: {service_call: {service: s, endpoint: /x}}\n", "service_call", ORCH_ERR_UNSUPPORTED},
        {"tasks:\n  a: {pool: p, shell: x}\n", "pool", ORCH_ERR_DEPENDENCY},
        {"secrets: [THERE_IS_NO_SUCH]\ntasks:\n  a: {noop: {}}\n", "THERE_IS_NO_SUCH", ORCH_ERR_NOT_FOUND},
        {"tasks:\n  a: {workflow: nowhere}\n", "nowhere", ORCH_ERR_DEPENDENCY},
    };
    (void)state;
    struct world world;
    world_new(&world, WORLD_DISK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct engine_execution *execution;
        struct orch_error err = ORCH_ERROR_INIT;
        int r = world_try(&world, cases[i].yaml, NULL, &execution, &err);
        if (r != cases[i].code || !strstr(err.message, cases[i].message)) fail_msg("%s%s: %s", cases[i].yaml, orch_error_name(r), err.message);
        assert_int_equal(0, engine_count(world.engine));
    }
    world_run(&world);
    assert_int_equal(0, world.trace.size);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_memory),
        cmocka_unit_test(test_on_disk),
        cmocka_unit_test(test_compensation_order),
        cmocka_unit_test(test_log_and_progress),
        cmocka_unit_test(test_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
