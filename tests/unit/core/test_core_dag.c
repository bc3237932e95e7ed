/*
 * test_core_dag.c - leaves and the edges between them: starting, ending, join rules, conditions, what is decided
 * inside.
 */
#include "harness.h"

static const struct harness_row rows[] = {
    {"a chain",
     "tasks:\n"
     "  a: {shell: make a}\n"
     "  b: {depends_on: [a], shell: make b}\n",
     "admit 0 -> !STATE\n"
     "cancel -> !STATE\n"
     "start -> started; open; ready a\n"
     "start -> !STATE\n"
     "admit b -> !STATE\n"
     "admit a -> attempt a 1\n"
     "admit a -> !STATE\n"
     "done a 1 -> ended a succeeded 1; ready b\n"
     "done a 1 ->\n"
     "admit b -> attempt b 1\n"
     "done b {\"x\":2} -> ended b succeeded {\"x\":2}; close succeeded; end succeeded {\"b\":{\"x\":2}}\n"
     "cancel -> !STATE\n"
     "pause -> !STATE\n"
     "resume -> !STATE\n"
     "signal go -> !STATE\n"
     "retry -> !STATE\n"},
    {"a diamond, all decided inside",
     "parameters: {n: {type: integer, default: 20}}\n"
     "tasks:\n"
     "  a: {transform: n + 1}\n"
     "  b: {depends_on: [a], transform: a.output * 2}\n"
     "  c: {depends_on: [a], transform: {text: 'n is {{ n }}', list: ['{{ a.output }}']}}\n"
     "  d: {depends_on: [b, c], transform: '[b.output, c.output.text, c.status, b.attempts, tasks.a.output]'}\n",
     "start {\"n\":20} -> started; open; ended a succeeded 21; ended b succeeded 42; "
     "ended c succeeded {\"text\":\"n is 20\",\"list\":[21]}; "
     "ended d succeeded [42,\"n is 20\",\"succeeded\",0,21]; close succeeded; "
     "end succeeded {\"d\":[42,\"n is 20\",\"succeeded\",0,21]}\n"},
    {"no tasks that run at all", "tasks: {a: {noop: }}\n",
     "start -> started; open; ended a succeeded; close succeeded; end succeeded {\"a\":null}\n"},
    {"an output of its own",
     "tasks: {a: {transform: 2}, b: {transform: 3}}\n"
     "output: {sum: '{{ a.output + b.output }}', by: '{{ workflow.name }}'}\n",
     "start -> ... end succeeded {\"sum\":5,\"by\":\"test\"}\n"},
    {"an output that cannot be evaluated",
     "tasks: {a: {transform: {x: 1}}}\n"
     "output: '{{ a.output.y }}'\n",
     "start -> started; open; ended a succeeded {\"x\":1}; close failed; end failed\n"},
    {"a transform that cannot be evaluated",
     "tasks: {a: {transform: 1 / int('0')}, b: {depends_on: [a], shell: b}, c: {depends_on: [b], noop: }}\n",
     "start -> started; open; ended a failed evaluation; ended b skipped dependency; ended c skipped dependency; close "
     "failed; end failed\n"},
    {"a condition that holds not",
     "parameters: {go: {type: boolean, default: false}}\n"
     "tasks:\n"
     "  a: {when: go, shell: a}\n"
     "  b: {depends_on: [a], shell: b}\n"
     "  c: {depends_on: [a], join: all_done, shell: c}\n"
     "  d: {depends_on: [a], join: none_failed, transform: 'a.status'}\n"
     "  e: {depends_on: [b], join: any_succeeded, shell: e}\n",
     "start -> started; open; ended a skipped when; ended b skipped when; ready c; ended d succeeded \"skipped\"; "
     "ended e skipped when\n"
     "admit c -> attempt c 1\n"
     "done c -> ended c succeeded; close succeeded; end succeeded {\"c\":null,\"d\":\"skipped\",\"e\":null}\n"},
    {"a condition that is no bool, one that cannot be evaluated",
     "parameters: {p: {default: 3}, q: {default: {}}}\n"
     "tasks: {a: {when: p, noop: }, b: {when: q.x == 1, noop: }}\n",
     "start -> started; open; ended a failed evaluation; ended b failed evaluation; close failed; end failed\n"},
    {"a failure skips what follows and nothing else",
     "tasks: {a: {shell: a}, b: {depends_on: [a], shell: b}, c: {shell: c}, d: {depends_on: [b, c], shell: d}}\n",
     "start -> started; open; ready a; ready c\n"
     "admit a -> attempt a 1\n"
     "fail a exit 3 -> ended a failed exit; ended b skipped dependency\n"
     "admit c -> attempt c 1\n"
     "done c -> ended c succeeded; ended d skipped dependency; close failed; end failed\n"},
    {"an allowed failure",
     "tasks: {a: {continue_on_error: true, shell: a}, b: {depends_on: [a], transform: '[a.status, a.error.kind, "
     "string(a.exit_code)]'}}\n",
     "start -> started; open; ready a\n"
     "admit a -> attempt a 1\n"
     "fail a exit 3 -> ended a failed exit; ended b succeeded [\"failed\",\"exit\",\"3\"]; close succeeded; "
     "end succeeded {\"b\":[\"failed\",\"exit\",\"3\"]}\n"},
    {"join: any_succeeded goes at once, and when none can any more",
     "tasks: {a: {shell: a}, b: {shell: b}, c: {depends_on: [a, b], join: any_succeeded, shell: c}}\n",
     "start -> ... ready b\n"
     "admit a -> attempt a 1\n"
     "admit b -> attempt b 1\n"
     "done b -> ended b succeeded; ready c\n"
     "admit c -> attempt c 1\n"
     "done c -> ended c succeeded\n"
     "fail a exit 1 -> ended a failed exit; close failed; end failed\n"},
    {"join: any_succeeded of none",
     "tasks: {a: {shell: a}, b: {shell: b}, c: {depends_on: [a, b], join: any_succeeded, shell: c}}\n",
     "start -> ... ready b\n"
     "admit a -> attempt a 1\n"
     "admit b -> attempt b 1\n"
     "fail b exit 1 -> ended b failed exit\n"
     "fail a exit 1 -> ended a failed exit; ended c skipped dependency; close failed; end failed\n"},
    {"join: at_least",
     "tasks: {a: {shell: a}, b: {shell: b}, c: {shell: c}, d: {depends_on: [a, b, c], join: {at_least: 2}, shell: "
     "d}}\n",
     "start -> ... ready c\n"
     "admit a -> attempt a 1\n"
     "admit b -> attempt b 1\n"
     "admit c -> attempt c 1\n"
     "done b -> ended b succeeded\n"
     "fail a exit 1 -> ended a failed exit\n"
     "done c -> ended c succeeded; ready d\n"
     "admit d -> attempt d 1\n"
     "done d -> ended d succeeded; close failed; end failed\n"},
    {"join: at_least cannot be met",
     "tasks: {a: {shell: a}, b: {continue_on_error: true, shell: b}, c: {depends_on: [a, b], join: {at_least: 2}, "
     "shell: c}}\n",
     "start -> ... ready b\n"
     "admit a -> attempt a 1\n"
     "admit b -> attempt b 1\n"
     "fail b exit 1 -> ended b failed exit\n"
     "fail a exit 1 -> ended a failed exit; ended c skipped dependency; close failed; end failed\n"},
    {"join: all_done and none_failed after a failure",
     "tasks: {a: {shell: a}, b: {depends_on: [a], join: all_done, shell: b}, c: {depends_on: [a], join: none_failed, "
     "shell: c}}\n",
     "start -> ... ready a\n"
     "admit a -> attempt a 1\n"
     "fail a exit 1 -> ended a failed exit; ready b; ended c skipped dependency\n"
     "admit b -> attempt b 1\n"
     "done b -> ended b succeeded; close failed; end failed\n"},
    {"mode: sequence",
     "mode: sequence\n"
     "tasks: [{id: a, noop: }, {id: b, shell: b}, {id: c, noop: }]\n",
     "start -> started; open; ended a succeeded; ready b\n"
     "admit b -> attempt b 1\n"
     "done b -> ended b succeeded; ended c succeeded; close succeeded; end succeeded {\"c\":null}\n"},
    {"what is not there", "tasks: {a: {shell: a}}\n",
     "start -> ... ready a\n"
     "admit b -> !NOT_FOUND\n"
     "done b -> !NOT_FOUND\n"
     "approve b -> !NOT_FOUND\n"
     "approve a -> !STATE\n"
     "retry a -> !STATE\n"
     "retry -> !STATE\n"
     "done a ->\n"},
    {"a pause",
     "tasks: {a: {shell: a}, b: {depends_on: [a], transform: 1}, c: {depends_on: [b], shell: c}, w: {depends_on: [a], "
     "wait: 1s}}\n",
     "start -> ... ready a\n"
     "admit a -> attempt a 1\n"
     "resume ->\n"
     "pause -> paused\n"
     "pause ->\n"
     "done a -> ended a succeeded; ready b; ready w\n"
     "admit b -> !STATE\n"
     "resume -> resumed; ended b succeeded 1; waiting w timer +1s; ready c\n"
     "pause -> paused\n"
     "admit c -> !STATE\n"
     "timer 1s -> ended w succeeded\n"
     "resume -> resumed\n"
     "admit c -> attempt c 1\n"
     "pause -> paused\n"
     "done c -> ended c succeeded; close succeeded; end succeeded {\"c\":null,\"w\":null}\n"},
    {"a pause before the end: finally waits",
     "tasks: {a: {shell: a}}\n"
     "finally: {f: {shell: f}}\n",
     "start -> ... ready a\n"
     "admit a -> attempt a 1\n"
     "pause -> paused\n"
     "done a -> ended a succeeded; close succeeded\n"
     "resume -> resumed; open finally; ready finally/f\n"
     "admit finally/f -> attempt finally/f 1\n"
     "done finally/f -> ended finally/f succeeded; close finally succeeded; end succeeded {\"a\":null}\n"},
};

static void test_rows(void **state)
{
    (void)state;
    harness_run_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
