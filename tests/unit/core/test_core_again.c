/*
 * test_core_again.c - a finished execution runs again: what failed and what follows it, or from one task on.
 */
#include "harness.h"

static const struct harness_row rows[] = {
    {"what failed and what follows",
     "tasks: {a: {shell: a}, b: {depends_on: [a], shell: b, retry: 2}, c: {depends_on: [b], shell: c}, d: {when: 'a.status == \"x\"', depends_on: [a], shell: d}, "
     "e: {depends_on: [c], join: all_done, transform: c.status}}\n",
     "start -> ...\n"
     "admit a -> ...\n"
     "done a 1 -> ... ended d skipped when\n"
     "admit b -> ...\n"
     "fail b permanent -> ended b failed permanent; ended c skipped dependency; ended e succeeded \"skipped\"; close failed; end failed\n"
     "retry -> retried 1; reset b; reset c; reset e; ready b\n"
     "retry -> !STATE\n"
     "admit b -> attempt b 1\n"
     "done b -> ended b succeeded; ready c\n"
     "admit c -> attempt c 1\n"
     "done c -> ended c succeeded; ended e succeeded \"succeeded\"; close succeeded; end succeeded {\"d\":null,\"e\":\"succeeded\"}\n"
     "retry -> !STATE\n"
     "retry zz -> !NOT_FOUND\n"
     "retry c -> retried 2; reset c; reset e; ready c\n"
     "admit c -> attempt c 1\n"
     "fail c exit 1 -> ended c failed exit; ended e succeeded \"failed\"; close failed; end failed\n"},
    {"after a cancel",
     "tasks: {a: {noop: }, b: {depends_on: [a], shell: b}, c: {wait: 1h}, d: {shell: d}}\n",
     "start -> ...\n"
     "admit d -> ...\n"
     "cancel -> ...\n"
     "fail d signal -> ... end cancelled\n"
     "retry -> retried 1; reset b; reset c; reset d; ready b; waiting c timer +1h; ready d\n"},
    {"a group keeps what succeeded in it",
     "tasks: {g: {tasks: {a: {shell: a}, b: {depends_on: [a], shell: b}, h: {depends_on: [b], tasks: {x: {shell: x}}}}, finally: {f: {shell: f}}}, "
     "z: {depends_on: [g], shell: z}}\n",
     "start -> ...\n"
     "admit g/a -> ...\n"
     "done g/a 1 -> ...\n"
     "admit g/b -> ...\n"
     "fail g/b exit 1 -> ended g/b failed exit; ended g/h skipped dependency; close g failed; open g/finally; ready g/finally/f\n"
     "admit g/finally/f -> ...\n"
     "done g/finally/f -> ... end failed\n"
     "retry -> retried 1; again g; open g; reset g/b; reset g/h; reset z; ready g/b\n"
     "admit g/b -> ...\n"
     "done g/b -> ended g/b succeeded; begin g/h; open g/h; ready g/h/x\n"
     "admit g/h/x -> ...\n"
     "done g/h/x -> ended g/h/x succeeded; close g/h succeeded; ended g/h succeeded; close g succeeded; open g/finally; ready g/finally/f\n"
     "admit g/finally/f -> ...\n"
     "fail g/finally/f exit 1 -> ended g/finally/f failed exit; close g/finally failed; ended g failed child; ended z skipped dependency; close failed; end failed\n"
     "retry -> retried 2; again g; reset z; open g/finally; ready g/finally/f\n"
     "admit g/finally/f -> ...\n"
     "done g/finally/f -> ended g/finally/f succeeded; close g/finally succeeded; ended g succeeded; ready z\n"
     "admit z -> ...\n"
     "done z -> ... end succeeded {\"z\":null}\n"},
    {"a loop runs only what failed again",
     "tasks: {l: {for_each: {in: [1, 2, 3, 4], max_parallel: 2, fail_fast: true}, shell: l}}\n",
     "start -> ...\n"
     "admit l[0] -> ...\n"
     "done l[0] 1 -> ... open l[2]; ready l[2]\n"
     "admit l[1] -> ...\n"
     "fail l[1] exit 1 -> ... stop l child; ended l[2] skipped stopped; close l[2] cancelled; ended l failed child; close failed; end failed\n"
     "retry -> retried 1; again l; open l[1]; reset l[1]; open l[2]; reset l[2]; ready l[1]; ready l[2]\n"
     "admit l[1] -> ...\n"
     "done l[1] 2 -> ended l[1] succeeded 2; close l[1] succeeded; open l[3]; ready l[3]\n"
     "admit l[2] -> ...\n"
     "done l[2] 3 -> ...\n"
     "admit l[3] -> ...\n"
     "done l[3] 4 -> ... end succeeded {\"l\":[1,2,3,4]}\n"
     "retry l[2] -> retried 2; again l; open l[2]; reset l[2]; ready l[2]\n"
     "admit l[2] -> ...\n"
     "done l[2] 9 -> ... end succeeded {\"l\":[1,2,9,4]}\n"},
    {"a loop whose list could not be made",
     "tasks: {a: {shell: a}, l: {depends_on: [a], for_each: a.output.x, transform: item}}\n",
     "start -> ...\n"
     "admit a -> ...\n"
     "done a 1 -> ... end failed\n"
     "retry -> retried 1; reset l; ended l failed evaluation; close failed; end failed\n"
     "retry a -> retried 2; reset a; reset l; ready a\n"
     "admit a -> ...\n"
     "done a {\"x\":[7]} -> ... end succeeded {\"l\":[7]}\n"},
    {"a repeat goes on where it failed; one that was not enough begins anew",
     "tasks: {p: {repeat: {until: p.output > 2, max: 2}, shell: p}}\n",
     "start -> ...\n"
     "admit p#1 -> ...\n"
     "done p#1 1 -> ... ready p#2\n"
     "admit p#2 -> ...\n"
     "fail p#2 exit 1 -> ... end failed\n"
     "retry -> retried 1; again p; open p#2; reset p#2; ready p#2\n"
     "admit p#2 -> ...\n"
     "done p#2 2 -> ended p#2 succeeded 2; close p#2 succeeded; ended p failed error; close failed; end failed\n"
     "retry -> retried 2; reset p; begin p; open p#1; ready p#1\n"
     "admit p#1 -> ...\n"
     "done p#1 3 -> ... end succeeded {\"p\":3}\n"},
    {"a repeat that was cancelled in its delay goes on",
     "tasks: {p: {repeat: {max: 3, delay: 1h}, transform: iteration}}\n",
     "start -> ... waiting p delay +1h\n"
     "cancel -> stopping cancelled; ended p cancelled; close cancelled; end cancelled\n"
     "retry -> retried 1; again p; waiting p delay +1h\n"
     "timer 1h -> ... waiting p delay +1h\n"
     "timer 1h -> ... end succeeded {\"p\":3}\n"},
    {"what was undone is done again",
     "tasks:\n"
     "  g: {tasks: {a: {shell: a, compensate: {noop: }}, b: {shell: b}}}\n"
     "  c: {depends_on: [g], shell: c}\n",
     "start -> ...\n"
     "admit g/a -> ...\n"
     "done g/a 1 -> ...\n"
     "admit g/b -> ...\n"
     "done g/b 2 -> ...\n"
     "admit c -> ...\n"
     "fail c exit 1 -> ... ended g/a compensated; end compensated\n"
     "retry -> retried 1; again g; open g; reset g/a; reset c; ready g/a\n"
     "admit g/a -> ...\n"
     "done g/a 5 -> ended g/a succeeded 5; close g succeeded; ended g succeeded; ready c\n"
     "admit c -> ...\n"
     "fail c exit 1 -> ... compensating 1; undo g/a; open g/a/compensate; ended g/a/compensate succeeded; close g/a/compensate succeeded; "
     "ended g/a compensated; end compensated\n"
     "retry c -> !STATE\n"
     "retry g/b -> !STATE\n"
     "retry g -> ... ready g/b\n"},
    {"a compensation that failed: the task runs anew",
     "tasks: {a: {transform: 1, compensate: {shell: u}}, g: {tasks: {x: {noop: }}, compensate: {noop: }}, c: {depends_on: [a, g], transform: int('x')}}\n",
     "start -> ... ready a/compensate\n"
     "admit a/compensate -> ...\n"
     "fail a/compensate exit 1 -> ended a/compensate failed exit; close a/compensate failed; ended a failed child; end failed\n"
     "retry -> retried 1; reset a; reset g; reset c; ended a succeeded 1; begin g; open g; ended g/x succeeded; close g succeeded; "
     "ended g succeeded; ended c failed evaluation; close failed; compensating 2; undo g; open g/compensate; ended g/compensate succeeded; "
     "close g/compensate succeeded; ended g compensated; undo a; open a/compensate; ready a/compensate\n"},
    {"from a task inside blocks on: what follows it and its owners runs anew",
     "tasks:\n"
     "  a: {transform: 1}\n"
     "  g: {depends_on: [a], tasks: {x: {shell: x}, y: {depends_on: [x], transform: x.output}, z: {transform: 3}}}\n"
     "  h: {depends_on: [g], tasks: {k: {transform: g.output.y}}}\n",
     "start -> ...\n"
     "admit g/x -> ...\n"
     "done g/x 1 -> ... end succeeded {\"h\":{\"k\":1}}\n"
     "retry g/x -> retried 1; again g; open g; reset g/x; reset g/y; reset h; ready g/x\n"
     "admit g/x -> ...\n"
     "done g/x 2 -> ended g/x succeeded 2; ended g/y succeeded 2; close g succeeded; ended g succeeded; begin h; open h; ended h/k succeeded 2; "
     "close h succeeded; ended h succeeded; close succeeded; end succeeded {\"h\":{\"k\":2}}\n"},
    {"from a task on, when other things failed: they stay so",
     "tasks: {a: {shell: a}, b: {shell: b}}\n",
     "start -> ...\n"
     "admit a -> ...\n"
     "admit b -> ...\n"
     "fail a exit 1 -> ...\n"
     "fail b exit 1 -> ...\n"
     "retry a -> retried 1; reset a; ready a\n"
     "admit a -> ...\n"
     "done a -> ended a succeeded; close failed; end failed\n"},
    {"from within handlers, or an earlier iteration",
     "tasks: {a: {shell: a, on_error: {shell: h}}, p: {repeat: {max: 2}, transform: 1}}\n"
     "finally: {f: {noop: }}\n",
     "start -> ...\n"
     "admit a -> ...\n"
     "fail a exit 1 -> ... ready a/on_error\n"
     "admit a/on_error -> ...\n"
     "done a/on_error 5 -> ... end succeeded {\"a\":5,\"p\":1}\n"
     "retry a/on_error -> !STATE\n"
     "retry finally/f -> !STATE\n"
     "retry p#1 -> !STATE\n"
     "retry p#2 -> retried 1; again p; open p#2; reset p#2; ended p#2 succeeded 1; close p#2 succeeded; ended p succeeded; close succeeded; "
     "open finally; ended finally/f succeeded; close finally succeeded; end succeeded {\"a\":5,\"p\":1}\n"},
    {"only finally had failed",
     "tasks: {a: {transform: 1}}\n"
     "finally: {f: {shell: f}}\n",
     "start -> ...\n"
     "admit finally/f -> ...\n"
     "fail finally/f exit 1 -> ... end failed\n"
     "retry -> retried 1; close succeeded; open finally; ready finally/f\n"
     "admit finally/f -> ...\n"
     "done finally/f -> ended finally/f succeeded; close finally succeeded; end succeeded {\"a\":1}\n"},
    {"an attempt of before does not count, and its number begins again",
     "tasks: {a: {shell: a, retry: {max_attempts: 2, delay: 0s}}}\n",
     "start -> ...\n"
     "admit a -> attempt a 1\n"
     "fail a exit 1 -> failed a 1 exit; ready a\n"
     "admit a -> attempt a 2\n"
     "fail a exit 1 -> ended a failed exit; close failed; end failed\n"
     "retry -> retried 1; reset a; ready a\n"
     "admit a -> attempt a 1\n"
     "stale a ->\n"
     "fail a exit 1 -> failed a 1 exit; ready a\n"},
    {"the clocks begin again",
     "timeout: 1h\n"
     "tasks: {g: {timeout: 10s, tasks: {a: {shell: a}}}}\n",
     "start -> ... ready g/a\n"
     "timer 10s -> stop g timeout; ended g/a skipped stopped; close g timed_out; ended g timed_out; close failed; end failed\n"
     "timer 2h ->\n"
     "retry -> retried 1; again g; open g; reset g/a; ready g/a\n"
     "timer 9s ->\n"
     "admit g/a -> ...\n"
     "timer 1s -> stop g timeout; stop g/a cancelled\n"
     "fail g/a signal -> ... end failed\n"
     "retry g/a -> retried 2; again g; open g; reset g/a; ready g/a\n"
     "cancel -> stopping cancelled; stop g cancelled; ended g/a skipped stopped; close g cancelled; ended g cancelled; close cancelled; end cancelled\n"},
};

static void test_rows(void **state)
{
    (void)state;
    harness_run_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

/* Fences go on rising, and the generation counts. */
static void test_numbers(void **state)
{
    (void)state;
    struct harness harness;
    struct core_summary summary;

    harness_init(&harness, "tasks: {a: {shell: a}}\n");
    harness_play(&harness, "start -> ...\nadmit a -> ...\nfail a exit 1 -> ...\nretry -> ...\nadmit a -> ...\n");
    core_get_summary(harness.core, &summary);
    assert_int_equal(summary.generation, 1);
    assert_int_equal(core_get_instance(harness.core, 0)->detail->fence, 2);
    assert_int_equal(summary.tasks_total, 1);
    harness_done(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
