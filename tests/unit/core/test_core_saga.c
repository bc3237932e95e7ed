/*
 * test_core_saga.c - what follows the body: on_error, undoing what had succeeded, finally.
 */
#include "harness.h"

static const struct harness_row rows[] = {
    {"undoing in reverse order of completion, nested ones too",
     "tasks:\n"
     "  a: {shell: a, compensate: {transform: '\"undo \" + a.output'}}\n"
     "  b: {shell: b, compensate: {shell: ub}}\n"
     "  c: {depends_on: [a, b], shell: c, compensate: {noop: }}\n"
     "  g: {tasks: {x: {shell: x, compensate: {tasks: {u: {transform: x.status}, v: {depends_on: [u], transform: "
     "u.output}}}}}}\n"
     "  l: {for_each: [1, 2], transform: item, compensate: {transform: l.output}}\n"
     "  d: {depends_on: [c, g], shell: d}\n"
     "finally: {f: {transform: a.status}}\n",
     "start -> ... ended l succeeded\n"
     "admit b -> ...\n"
     "done b 2 -> ended b succeeded 2\n"
     "admit a -> ...\n"
     "done a \"x\" -> ended a succeeded \"x\"; ready c\n"
     "admit g/x -> ...\n"
     "done g/x -> ended g/x succeeded; close g succeeded; ended g succeeded\n"
     "admit c -> ...\n"
     "done c -> ended c succeeded; ready d\n"
     "admit d -> ...\n"
     "fail d exit 1 -> ended d failed exit; close failed; compensating 5; undo c; open c/compensate; ended "
     "c/compensate succeeded; "
     "close c/compensate succeeded; ended c compensated; undo g/x; open g/x/compensate; ended g/x/compensate/u "
     "succeeded \"compensating\"; "
     "ended g/x/compensate/v succeeded \"compensating\"; close g/x/compensate succeeded; ended g/x compensated; undo "
     "a; open a/compensate; "
     "ended a/compensate succeeded \"undo x\"; close a/compensate succeeded; ended a compensated; undo b; open "
     "b/compensate; ready b/compensate\n"
     "pause -> !STATE\n"
     "admit b/compensate -> attempt b/compensate 1\n"
     "recover -> failed b/compensate 1 lost; ready b/compensate\n"
     "admit b/compensate -> attempt b/compensate 2\n"
     "done b/compensate -> ended b/compensate succeeded; close b/compensate succeeded; ended b compensated; undo l; "
     "open l/compensate; "
     "ended l/compensate succeeded [1,2]; close l/compensate succeeded; ended l compensated; open finally; ended "
     "finally/f succeeded \"compensated\"; "
     "close finally succeeded; end compensated\n"},
    {"a compensation that fails",
     "tasks:\n"
     "  a: {shell: a, compensate: {shell: ua}}\n"
     "  b: {depends_on: [a], shell: b, compensate: {shell: ub, retry: {max_attempts: 2, delay: 1s, jitter: 0}}}\n"
     "  c: {depends_on: [b], shell: c}\n",
     "start -> ...\n"
     "admit a -> ...\n"
     "done a -> ...\n"
     "admit b -> ...\n"
     "done b -> ...\n"
     "admit c -> ...\n"
     "fail c exit 1 -> ended c failed exit; close failed; compensating 2; undo b; open b/compensate; ready "
     "b/compensate\n"
     "admit b/compensate -> ...\n"
     "fail b/compensate exit 1 -> failed b/compensate 1 exit; waiting b/compensate retry +1s\n"
     "timer 1s -> ready b/compensate\n"
     "admit b/compensate -> ...\n"
     "fail b/compensate exit 1 -> ended b/compensate failed exit; close b/compensate failed; ended b failed child; "
     "undo a; open a/compensate; ready a/compensate\n"
     "admit a/compensate -> ...\n"
     "done a/compensate -> ended a/compensate succeeded; close a/compensate succeeded; ended a compensated; end "
     "failed\n"},
    {"cancel undoes too, and stays a cancel",
     "tasks: {a: {transform: 1, compensate: {shell: ua}}, b: {shell: b}}\n"
     "on_error: {n: {shell: n}}\n",
     "start -> started; open; ended a succeeded 1; ready b\n"
     "cancel -> stopping cancelled; ended b skipped stopped; close cancelled; compensating 1; undo a; open "
     "a/compensate; ready a/compensate\n"
     "cancel ->\n"
     "admit a/compensate -> ...\n"
     "done a/compensate -> ended a/compensate succeeded; close a/compensate succeeded; ended a compensated; end "
     "cancelled\n"},
    {"cancel while undoing: it goes on, what waits in it does not",
     "tasks: {a: {transform: 1, compensate: {shell: ua}}, b: {depends_on: [a], transform: 2, compensate: {tasks: {w: "
     "{wait: 1h, continue_on_error: true}, x: {depends_on: [w], shell: x}}}}, "
     "c: {depends_on: [b], transform: int('x')}}\n",
     "start -> ... waiting b/compensate/w timer +1h\n"
     "cancel -> stopping cancelled; ended b/compensate/w cancelled; ready b/compensate/x\n"
     "admit b/compensate/x -> ...\n"
     "done b/compensate/x -> ended b/compensate/x succeeded; close b/compensate succeeded; ended b compensated; undo "
     "a; open a/compensate; ready a/compensate\n"
     "admit a/compensate -> ...\n"
     "done a/compensate -> ... end cancelled\n"},
    {"the workflow's on_error does not change the outcome",
     "tasks: {a: {shell: a}}\n"
     "on_error: {n: {transform: '[error.kind, error.message, a.status]'}}\n",
     "start -> ...\n"
     "admit a -> ...\n"
     "fail a exit 1 -> ended a failed exit; close failed; open on_error; ended on_error/n succeeded [\"child\",\"a "
     "failed: it broke\",\"failed\"]; "
     "close on_error succeeded; end failed\n"},
    {"a failing finally makes a success a failure",
     "tasks: {a: {transform: 1}}\n"
     "finally: {f: {shell: f}}\n",
     "start -> started; open; ended a succeeded 1; close succeeded; open finally; ready finally/f\n"
     "admit finally/f -> ...\n"
     "fail finally/f exit 1 -> ended finally/f failed exit; close finally failed; end failed\n"},
    {"what compensates is not itself undone; what failed or was skipped neither",
     "tasks:\n"
     "  a: {transform: 1, compensate: {tasks: {x: {noop: , compensate: {shell: never}}}}}\n"
     "  b: {shell: b, compensate: {shell: never}}\n"
     "  c: {depends_on: [b], shell: c, compensate: {shell: never}}\n",
     "start -> ...\n"
     "admit b -> ...\n"
     "fail b exit 1 -> ended b failed exit; ended c skipped dependency; close failed; compensating 1; undo a; open "
     "a/compensate; "
     "ended a/compensate/x succeeded; close a/compensate succeeded; ended a compensated; end compensated\n"},
    {"a group as a whole",
     "tasks:\n"
     "  g: {tasks: {x: {transform: 1, compensate: {noop: }}}, compensate: {transform: g.output}}\n"
     "  c: {depends_on: [g], shell: c}\n",
     "start -> ...\n"
     "admit c -> ...\n"
     "fail c exit 1 -> ended c failed exit; close failed; compensating 2; undo g; open g/compensate; ended "
     "g/compensate succeeded {\"x\":1}; "
     "close g/compensate succeeded; ended g compensated; undo g/x; open g/x/compensate; ended g/x/compensate "
     "succeeded; close g/x/compensate succeeded; "
     "ended g/x compensated; end compensated\n"},
};

static void test_rows(void **state)
{
    (void)state;
    harness_run_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void error_is(const char *definition, const char *script, const char *want)
{
    struct harness harness;
    struct core_summary summary;

    harness_init(&harness, definition);
    harness_play(&harness, script);
    core_get_summary(harness.core, &summary);
    if (!str_is(summary.error, want)) fail_msg("want: %s\ngot:  %.*s", want, STR_ARG(summary.error));
    harness_done(&harness);
}

static void test_errors(void **state)
{
    (void)state;
    error_is("tasks: {a: {noop: , compensate: {shell: u}}, b: {depends_on: [a], shell: b}}\n",
             "start -> ...\nadmit b -> ...\nfail b exit 1 -> ...\nadmit a/compensate -> ...\nfail a/compensate exit 2 "
             "-> ... end failed\n",
             "compensation of a failed: a/compensate failed: it broke");
    error_is("tasks: {g: {tasks: {h: {tasks: {a: {shell: a}}}}}}\n",
             "start -> ...\nadmit g/h/a -> ...\nfail g/h/a exit 1 -> ...\n", "g/h/a failed: it broke");
    error_is("tasks: {a: {wait: 1h}}\n", "start -> ...\ncancel no more -> ...\n", "no more");
    error_is("timeout: 1h\ntasks: {a: {approval: x}}\n", "start -> ...\ntimer 1h -> ...\n",
             "the whole execution timed out after 1h");
    error_is("tasks: {a: {noop: }}\nfinally: {f: {shell: f}}\n",
             "start -> ...\nadmit finally/f -> ...\nfail finally/f exit 1 -> ...\n", "finally/f failed: it broke");
    error_is("tasks: {a: {transform: {y: 1}}}\noutput: '{{ a.output.x }}'\n", "start -> ...\n",
             "output: no such key: x");
    error_is("tasks: {a: {transform: int('x')}}\n", "start -> ...\n", "a failed: type conversion error: 'x' is no int");
    error_is("tasks: {p: {repeat: {until: p.output > 5, max: 3}, transform: 1}}\n", "start -> ...\n",
             "p failed: `until` did not hold after 3 iterations");
    error_is("tasks: {a: {shell: a, timeout: 90s}}\n",
             "start -> ...\nadmit a -> ...\ntimer 90s -> ...\nfail a signal -> ...\n",
             "a failed: timed out after 1m30s");
    /* It took long to stop, and the limit is said all the same. */
    error_is("tasks: {a: {shell: a, timeout: 2s}}\n",
             "start -> ...\nadmit a -> ...\ntimer 2s -> ...\ntimer 8s -> \nfail a signal -> ...\n",
             "a failed: timed out after 2s");
    error_is("timeout: 90s\ntasks: {a: {shell: a}}\n",
             "start -> ...\nadmit a -> ...\ntimer 90s -> ...\ntimer 8s -> \nfail a signal -> ...\n",
             "the whole execution timed out after 1m30s");
    /* Of two limits, the one that it was. */
    error_is("tasks: {a: {shell: a, timeout: 8s, total_timeout: 10s, retry: {max_attempts: 9, delay: 1s, jitter: 0}}}\n",
             "start -> ...\nadmit a -> ...\ntimer 8s -> ...\nfail a signal -> ...\ntimer 1s -> ...\n"
             "admit a -> ...\ntimer 1s -> ...\nfail a signal -> ...\n",
             "a failed: timed out after 10s in all");
    error_is("tasks: {a: {shell: a, timeout: 8s, total_timeout: 10s, retry: {max_attempts: 9, delay: 1s, jitter: 0}}}\n",
             "start -> ...\nadmit a -> ...\nfail a exit 1 -> ...\ntimer 1s -> ready a\ntimer 9s -> ...\n",
             "a failed: timed out after 10s in all");
    error_is("tasks: {a: {wait: {event: x}, timeout: 5s, retry: {max_attempts: 2, delay: 1s, jitter: 0}}}\n",
             "start -> ...\ntimer 5s -> ...\ntimer 1s -> ...\ntimer 5s -> ...\n", "a failed: timed out after 5s");
    error_is("tasks: {g: {timeout: 3s, tasks: {a: {shell: a}}}}\n",
             "start -> ...\nadmit g/a -> ...\ntimer 3s -> ...\ntimer 8s -> \nfail g/a signal -> ...\n",
             "g failed: timed out after 3s");
    error_is("tasks: {a: {shell: a, total_timeout: 5s, retry: {max_attempts: 2, delay: 1m, jitter: 0}}}\n",
             "start -> ...\nadmit a -> ...\nfail a exit 1 -> ...\n",
             "a failed: it broke, and total_timeout leaves no time for another attempt");
    error_is(
        "tasks: {a: {shell: a, on_error: {shell: h}}}\n",
        "start -> ...\nadmit a -> ...\nfail a exit 1 -> ...\nadmit a/on_error -> ...\nfail a/on_error exit 1 -> ...\n",
        "a failed: it broke; then a/on_error failed: it broke");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
