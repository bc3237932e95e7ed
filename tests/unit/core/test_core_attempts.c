/*
 * test_core_attempts.c - attempts that fail: retries, timeouts, handlers, interruptions.
 */
#include "harness.h"

static const struct harness_row rows[] = {
    {"a retry", "tasks: {a: {shell: a, retry: {max_attempts: 3, delay: 10s, jitter: 0}}}\n",
     "start -> ... ready a\n"
     "admit a -> attempt a 1\n"
     "fail a exit 1 -> failed a 1 exit; waiting a retry +10s\n"
     "stale a ->\n"
     "timer 9s ->\n"
     "timer 1s -> ready a\n"
     "admit a -> attempt a 2\n"
     "stale a ->\n"
     "fail a exit 1 -> failed a 2 exit; waiting a retry +20s\n"
     "timer 20s -> ready a\n"
     "admit a -> attempt a 3\n"
     "fail a exit 1 -> ended a failed exit; close failed; end failed\n"},
    {"a retry without delay, and what is not retried",
     "tasks: {a: {shell: a, retry: {max_attempts: 5, delay: 0s, on: [exit], exit_codes: [75]}}}\n",
     "start -> ... ready a\n"
     "admit a -> attempt a 1\n"
     "fail a exit 75 -> failed a 1 exit; ready a\n"
     "admit a -> attempt a 2\n"
     "fail a exit 1 -> ended a failed exit; close failed; end failed\n"},
    {"a permanent failure is never retried", "tasks: {a: {shell: a, retry: 5}}\n",
     "start -> ... ready a\n"
     "admit a -> attempt a 1\n"
     "fail a permanent -> ended a failed permanent; close failed; end failed\n"},
    {"the provider says cancelled: a sub-workflow was", "tasks: {a: {shell: a, retry: 5, on_error: {noop: }}}\n",
     "start -> ... ready a\n"
     "admit a -> attempt a 1\n"
     "fail a cancelled -> ended a cancelled; close failed; end failed\n"},
    {"an attempt's timeout", "tasks: {a: {shell: a, timeout: 5s, retry: {max_attempts: 2, delay: 1s, jitter: 0}}}\n",
     "start -> ... ready a\n"
     "admit a -> attempt a 1 +5s\n"
     "timer 5s -> stop a timeout\n"
     "timer 5s ->\n"
     "fail a signal -> failed a 1 timeout; waiting a retry +1s\n"
     "timer 1s -> ready a\n"
     "admit a -> attempt a 2 +5s\n"
     "timer 5s -> stop a timeout\n"
     "done a 1 -> ended a timed_out; close failed; end failed\n"},
    {"the timeout of all attempts: no time for another",
     "tasks: {a: {shell: a, total_timeout: 10s, retry: {max_attempts: 9, delay: 6s, backoff: constant}}}\n",
     "start -> ... ready a\n"
     "admit a -> attempt a 1 +10s\n"
     "fail a exit 1 -> failed a 1 exit; waiting a retry +6s\n"
     "timer 6s -> ready a\n"
     "timer 1s ->\n"
     "admit a -> attempt a 2 +3s\n"
     "fail a exit 1 -> ended a timed_out; close failed; end failed\n"},
    {"the timeout of all attempts: while it runs, while it waits for its turn",
     "tasks: {a: {shell: a, total_timeout: 10s, timeout: 8s, retry: {max_attempts: 9, delay: 1s, backoff: "
     "constant}}}\n",
     "start -> ... ready a\n"
     "timer 1h ->\n"
     "admit a -> attempt a 1 +8s\n"
     "fail a exit 1 -> failed a 1 exit; waiting a retry +1s\n"
     "timer 1s -> ready a\n"
     "timer 9s -> ended a timed_out; close failed; end failed\n"},
    {"the timeout of all attempts stops the one that runs",
     "tasks: {a: {shell: a, total_timeout: 10s, timeout: 8s, retry: {max_attempts: 9, delay: 0s}}}\n",
     "start -> ... ready a\n"
     "admit a -> attempt a 1 +8s\n"
     "timer 8s -> stop a timeout\n"
     "fail a signal -> failed a 1 timeout; ready a\n"
     "admit a -> attempt a 2 +2s\n"
     "timer 2s -> stop a timeout\n"
     "fail a signal -> ended a timed_out; close failed; end failed\n"},
    {"a handler that mends",
     "tasks:\n"
     "  a:\n"
     "    shell: a\n"
     "    retry: {max_attempts: 2, delay: 0s}\n"
     "    on_error: {transform: '[error.kind, error.message, string(error.exit_code), a.status]'}\n"
     "  b: {depends_on: [a], transform: 'a.output[0] + a.status'}\n",
     "start -> ... ready a\n"
     "admit a -> attempt a 1\n"
     "fail a exit 7 -> failed a 1 exit; ready a\n"
     "admit a -> attempt a 2\n"
     "fail a exit 8 -> failed a 2 exit; open a/on_error; ended a/on_error succeeded [\"exit\",\"it "
     "broke\",\"8\",\"failed\"]; "
     "close a/on_error succeeded; ended a succeeded; ended b succeeded \"exitsucceeded\"; close succeeded; "
     "end succeeded {\"b\":\"exitsucceeded\"}\n"},
    {"a handler of tasks that fails",
     "tasks:\n"
     "  a: {shell: a, on_error: {tasks: {x: {shell: x}, y: {depends_on: [x], shell: y}}}}\n"
     "  b: {depends_on: [a], shell: b}\n",
     "start -> ... ready a\n"
     "admit a -> attempt a 1\n"
     "fail a exit 7 -> failed a 1 exit; open a/on_error; ready a/on_error/x\n"
     "admit a/on_error/x -> attempt a/on_error/x 1\n"
     "fail a/on_error/x exit 1 -> ended a/on_error/x failed exit; ended a/on_error/y skipped dependency; close "
     "a/on_error failed; "
     "ended a failed exit; ended b skipped dependency; close failed; end failed\n"},
    {"a handler after a timeout that fails too", "tasks: {a: {shell: a, timeout: 1s, on_error: {shell: x}}}\n",
     "start -> ... ready a\n"
     "admit a -> attempt a 1 +1s\n"
     "timer 1s -> stop a timeout\n"
     "fail a signal -> failed a 1 timeout; open a/on_error; ready a/on_error\n"
     "timer 1h ->\n"
     "admit a/on_error -> attempt a/on_error 1\n"
     "fail a/on_error exit 1 -> ended a/on_error failed exit; close a/on_error failed; ended a timed_out; close "
     "failed; end failed\n"},
    {"a handler of what fails without an attempt",
     "parameters: {p: {default: 3}}\n"
     "tasks:\n"
     "  a: {transform: 1 / int('0'), on_error: {transform: error.kind}}\n"
     "  b: {when: p, shell: x, on_error: {transform: 2}}\n",
     "start -> started; open; failed a 0 evaluation; open a/on_error; failed b 0 evaluation; open b/on_error; "
     "ended a/on_error succeeded \"evaluation\"; ended b/on_error succeeded 2; close a/on_error succeeded; "
     "ended a succeeded; close b/on_error succeeded; ended b succeeded; close succeeded; "
     "end succeeded {\"a\":\"evaluation\",\"b\":2}\n"},
    {"an interruption",
     "tasks: {a: {shell: a, retry: {max_attempts: 2, delay: 0s}}, b: {shell: b, on_interrupt: fail, retry: 5}, "
     "c: {shell: c, on_interrupt: hold}, d: {workflow: d}, e: {shell: e}}\n",
     "start -> ... ready e\n"
     "admit a -> attempt a 1\n"
     "admit b -> attempt b 1\n"
     "admit c -> attempt c 1\n"
     "admit d -> attempt d 1\n"
     "recover -> failed a 1 lost; ready a; ended b failed lost; failed c 1 lost; waiting c held\n"
     "recover ->\n"
     "admit a -> attempt a 2\n"
     "recover -> failed a 2 lost; ready a\n"
     "admit a -> attempt a 3\n"
     "fail a exit 1 -> failed a 3 exit; ready a\n"
     "admit a -> attempt a 4\n"
     "fail a exit 1 -> ended a failed exit\n"
     "retry e -> !STATE\n"
     "retry c -> ready c\n"
     "retry -> !STATE\n"
     "admit c -> attempt c 2\n"
     "recover -> failed c 2 lost; waiting c held\n"
     "retry -> ready c\n"
     "admit c -> attempt c 3\n"
     "done c -> ended c succeeded\n"
     "done d 3 -> ended d succeeded 3\n"
     "admit e -> attempt e 1\n"
     "done e -> ended e succeeded; close failed; end failed\n"},
    {"an interruption of what was told to stop", "tasks: {a: {shell: a, timeout: 1s}, b: {shell: b}}\n",
     "start -> ... ready b\n"
     "admit a -> attempt a 1 +1s\n"
     "admit b -> attempt b 1\n"
     "timer 1s -> stop a timeout\n"
     "recover -> ended a timed_out; failed b 1 lost; ready b\n"
     "admit b -> attempt b 2\n"
     "cancel -> stopping cancelled; stop b cancelled\n"
     "recover -> ended b cancelled; close cancelled; end cancelled\n"},
    {"at most once, with a handler",
     "tasks: {a: {shell: a, on_interrupt: fail, retry: 5, on_error: {transform: error.kind}}}\n",
     "start -> ... ready a\n"
     "admit a -> attempt a 1\n"
     "recover -> failed a 1 lost; open a/on_error; ended a/on_error succeeded \"lost\"; close a/on_error succeeded; "
     "ended a succeeded; close succeeded; end succeeded {\"a\":\"lost\"}\n"},
};

static void test_rows(void **state)
{
    (void)state;
    harness_run_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

/* A task that takes the orchestrator down with it does not do so for ever. */
static void test_interrupts_max(void **state)
{
    (void)state;
    struct harness harness;

    harness_init(&harness, "tasks: {a: {shell: a}}\n");
    harness_play(&harness, "start -> ... ready a\n");
    for (int i = 1; i < 10; i++)
        harness_play(&harness, "admit a -> ...\n"
                               "recover -> ... ready a\n");
    harness_play(&harness, "admit a -> attempt a 10\n"
                           "recover -> ended a failed lost; close failed; end failed\n");
    struct core_summary summary;
    core_get_summary(harness.core, &summary);
    assert_true(str_is(summary.error, "a failed: interrupted 10 times, each time with an unknown outcome"));
    harness_done(&harness);
}

/* Two executions with one seed draw alike, whatever was folded meanwhile; the draw is in the bounds. */
static void test_jitter(void **state)
{
    (void)state;
    orch_time due[2][3];

    for (int run = 0; run < 2; run++) {
        struct harness harness;
        harness_init(&harness,
                     "tasks: {a: {shell: a, retry: {max_attempts: 4, delay: 10s, jitter: 0.5, factor: 1}}}\n");
        harness_play(&harness, "start -> ... ready a\n");
        for (int i = 0; i < 3; i++) {
            harness_play(&harness, "admit a -> ...\nfail a exit 1 -> ...\n");
            due[run][i] = core_deadline(harness.core) - harness.now;
            assert_in_range(due[run][i], 5 * ORCH_SECOND, 10 * ORCH_SECOND);
            harness_play(&harness, "timer 10s -> ready a\n");
        }
        harness_done(&harness);
    }
    assert_memory_equal(due[0], due[1], sizeof(due[0]));
    assert_true(due[0][0] != due[0][1] && due[0][1] != due[0][2]);
}

/* What is known of an attempt. */
static void test_detail(void **state)
{
    (void)state;
    struct harness harness;

    harness_init(&harness, "tasks: {a: {shell: a}}\n");
    harness_play(&harness, "start -> ... ready a\n"
                           "timer 3s ->\n"
                           "admit a -> ...\n"
                           "timer 4s ->\n");
    struct core_input input = {.type = INPUT_ATTEMPT_DONE, .now = harness.now, .instance = 0};
    input.done.fence = 1;
    input.done.failure = FAILURE_SIGNAL;
    input.done.error = STR("killed by SIGSEGV");
    input.done.signal = 11;
    input.done.cpu_us = 1234;
    input.done.memory_peak = 99;
    assert_int_equal(harness_step(&harness, &input), 0);
    const struct core_detail *detail = core_get_instance(harness.core, 0)->detail;
    assert_int_equal(detail->started_at, HARNESS_START + 3 * ORCH_SECOND);
    assert_int_equal(detail->ended_at, HARNESS_START + 7 * ORCH_SECOND);
    assert_int_equal(detail->signal, 11);
    assert_int_equal(detail->cpu_us, 1234);
    assert_int_equal(detail->memory_peak, 99);
    assert_true(str_is(detail->error, "killed by SIGSEGV"));
    struct core_summary summary;
    core_get_summary(harness.core, &summary);
    assert_int_equal(summary.state, EXECUTION_FAILED);
    assert_int_equal(summary.failure, FAILURE_CHILD);
    assert_true(str_is(summary.error, "a failed: killed by SIGSEGV"));
    assert_true(str_is(summary.id, "r-1"));
    assert_int_equal(summary.tasks_total, 1);
    assert_int_equal(summary.tasks_done, 1);
    assert_int_equal(summary.states[TASK_FAILED], 1);
    harness_done(&harness);
}

/* The clock may jump back; the state's does not. */
static void test_time(void **state)
{
    (void)state;
    struct harness harness;

    harness_init(&harness, "tasks: {a: {shell: a}}\n");
    harness_play(&harness, "start -> ... ready a\n"
                           "timer 3s ->\n"
                           "admit a -> ...\n");
    harness.now -= 100 * ORCH_SECOND;
    harness_play(&harness, "done a -> ...\n");
    assert_int_equal(core_get_instance(harness.core, 0)->detail->ended_at, HARNESS_START + 3 * ORCH_SECOND);
    harness_done(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),   cmocka_unit_test(test_interrupts_max), cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_detail), cmocka_unit_test(test_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
