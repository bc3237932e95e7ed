/*
 * test_core_waits.c - waiting for a moment, an event or a person; stopping what runs.
 */
#include "harness.h"

static const struct harness_row rows[] = {
    {"durations and moments",
     "parameters: {d: {default: 1.5}}\n"
     "tasks:\n"
     "  a: {wait: 10s}\n"
     "  b: {wait: {for: '{{ d }}'}}\n"
     "  c: {wait: {until: '2026-01-01T00:00:05Z'}}\n"
     "  d1: {wait: {until: '2025-01-01T00:00:05Z'}}\n"
     "  e: {wait: {until: '{{ now + duration(\"3s\") }}'}}\n"
     "  f: {wait: 0s}\n"
     "  g: {wait: {for: '{{ duration(\"2s\") }}'}}\n",
     "start -> started; open; waiting a timer +10s; waiting b timer +1.5s; waiting c timer +5s; ended d1 succeeded; "
     "waiting e timer +3s; "
     "ended f succeeded; waiting g timer +2s\n"
     "timer 1s ->\n"
     "timer 500ms -> ended b succeeded\n"
     "timer 3s -> ended g succeeded; ended e succeeded\n"
     "recover ->\n"
     "timer 5.5s -> ended c succeeded; ended a succeeded; close succeeded; "
     "end succeeded {\"a\":null,\"b\":null,\"c\":null,\"d1\":null,\"e\":null,\"f\":null,\"g\":null}\n"},
    {"what is no duration, no moment, no name",
     "parameters: {d: {default: {}}}\n"
     "tasks: {a: {wait: {for: '{{ d }}'}}, b: {wait: {until: '{{ d }}'}}, c: {wait: {event: '{{ d }}'}}, e: {wait: "
     "{for: 'x{{ d }}'}}, "
     "f: {wait: {until: 'x{{ d }}'}}}\n",
     "start -> started; open; ended a failed evaluation; ended b failed evaluation; ended c failed evaluation; ended e "
     "failed evaluation; "
     "ended f failed evaluation; close failed; end failed\n"},
    {"a wait that times out",
     "tasks: {a: {wait: 10s, timeout: 4s}, b: {wait: 3s, timeout: 4s}, c: {wait: {event: x}, timeout: 5s, retry: "
     "{max_attempts: 2, delay: 1s, jitter: 0}}}\n",
     "start -> started; open; waiting a timer +4s timeout; waiting b timer +3s; waiting c event x +5s timeout\n"
     "timer 3s -> ended b succeeded\n"
     "timer 1s -> ended a timed_out\n"
     "timer 1s -> failed c 1 timeout; waiting c retry +1s\n"
     "timer 1s -> waiting c event x +5s timeout\n"
     "signal x 1 -> signal x; ended c succeeded 1; close failed; end failed\n"},
    {"an approval", "tasks: {a: {approval: ship it?}, b: {depends_on: [a], transform: a.output}}\n",
     "start -> started; open; waiting a approval\n"
     "timer 100h ->\n"
     "recover ->\n"
     "approve b -> !STATE\n"
     "approve a -> approval a; ended a succeeded {\"approved\":true,\"by\":\"ann\",\"comment\":null}; "
     "ended b succeeded {\"approved\":true,\"by\":\"ann\",\"comment\":null}; close succeeded; "
     "end succeeded {\"b\":{\"approved\":true,\"by\":\"ann\",\"comment\":null}}\n"
     "approve a -> !STATE\n"},
    {"an approval that is refused, with a handler; approvers; a timeout",
     "tasks:\n"
     "  a: {approval: x, retry: 3, on_error: {transform: error.message}}\n"
     "  b: {approval: {message: x, approvers: [bob, eve]}}\n"
     "  c: {approval: x, timeout: 1d}\n",
     "start -> started; open; waiting a approval; waiting b approval; waiting c approval +1d timeout\n"
     "reject a -> approval a; failed a 1 rejected; open a/on_error; ended a/on_error succeeded \"refused by ann\"; "
     "close a/on_error succeeded; ended a succeeded\n"
     "approve b -> !DENIED\n"
     "reject b eve -> approval b; ended b failed rejected {\"approved\":false,\"by\":\"eve\",\"comment\":null}\n"
     "timer 1d -> ended c timed_out; close failed; end failed\n"},
    {"events: whoever waits longest takes one, the rest is kept",
     "tasks:\n"
     "  a: {wait: {event: x}}\n"
     "  b: {wait: {event: x}}\n"
     "  c: {depends_on: [a, b], wait: {event: x}}\n"
     "  d: {depends_on: [c], wait: {event: y}}\n",
     "signal x 0 -> !STATE\n"
     "start -> started; open; waiting a event x; waiting b event x\n"
     "signal y {\"n\":1} -> signal y\n"
     "signal x 1 -> signal x; ended a succeeded 1\n"
     "signal z 1 -> signal z\n"
     "recover ->\n"
     "signal x 2 -> signal x; ended b succeeded 2; waiting c event x\n"
     "signal x 3 -> signal x; ended c succeeded 3; ended d succeeded {\"n\":1}; close succeeded; end succeeded "
     "{\"d\":{\"n\":1}}\n"},
    {"events: a filter, on those kept too",
     "parameters: {want: {default: 7}}\n"
     "tasks:\n"
     "  a: {wait: {event: 'pay-{{ want }}', filter: event.amount >= want}}\n"
     "  b: {depends_on: [a], wait: {event: pay-7, filter: event.amount < want}}\n",
     "start -> started; open; waiting a event pay-7\n"
     "signal pay-7 {\"amount\":6} -> signal pay-7\n"
     "signal pay-7 {\"sum\":9} -> signal pay-7\n"
     "signal pay-7 -> signal pay-7\n"
     "signal pay-7 {\"amount\":5} -> signal pay-7\n"
     "signal pay-7 {\"amount\":8} -> signal pay-7; ended a succeeded {\"amount\":8}; ended b succeeded {\"amount\":6}; "
     "close succeeded; "
     "end succeeded {\"b\":{\"amount\":6}}\n"},
    {"cancel: what has not begun, what waits, what runs",
     "tasks:\n"
     "  a: {shell: a, retry: 3, on_error: {shell: e}}\n"
     "  b: {shell: b}\n"
     "  c: {depends_on: [b], shell: c}\n"
     "  w: {wait: 1h}\n"
     "  g: {tasks: {x: {shell: x}, y: {approval: y}}, finally: {f: {transform: x.status}}}\n"
     "  l: {for_each: [1, 2], shell: l}\n"
     "  r: {repeat: {max: 2, delay: 1h}, noop: }\n"
     "on_error: {n: {shell: n}}\n"
     "finally: {f: {transform: b.status}}\n",
     "start -> ... waiting r delay +1h\n"
     "admit a -> attempt a 1\n"
     "admit g/x -> attempt g/x 1\n"
     "admit l[1] -> attempt l[1] 1\n"
     "cancel too slow -> stopping cancelled; stop a cancelled; ended b skipped stopped; ended c skipped stopped; ended "
     "w cancelled; "
     "stop g cancelled; stop g/x cancelled; ended g/y cancelled; stop l cancelled; ended l[0] skipped stopped; stop "
     "l[1] cancelled; ended r cancelled; "
     "close l[0] cancelled\n"
     "cancel ->\n"
     "done a -> ended a cancelled\n"
     "fail l[1] signal -> ended l[1] cancelled; close l[1] cancelled; ended l cancelled\n"
     "fail g/x lost -> ended g/x cancelled; close g cancelled; open g/finally; ended g/finally/f succeeded "
     "\"cancelled\"; close g/finally succeeded; "
     "ended g cancelled; close cancelled; open finally; ended finally/f succeeded \"skipped\"; close finally "
     "succeeded; end cancelled\n"
     "cancel -> !STATE\n"},
    {"cancel: an attempt between two tries, one that waits for its turn again, a handler",
     "tasks:\n"
     "  a: {shell: a, retry: {max_attempts: 3, delay: 1h}}\n"
     "  b: {shell: b, retry: {max_attempts: 3, delay: 0s}}\n"
     "  c: {shell: c, on_error: {tasks: {x: {shell: x}, y: {shell: y}}}}\n"
     "  d: {shell: d, on_interrupt: hold}\n",
     "start -> ... ready d\n"
     "admit a -> ...\n"
     "admit b -> ...\n"
     "admit c -> ...\n"
     "admit d -> ...\n"
     "fail a exit 1 -> ...\n"
     "fail b exit 1 -> failed b 1 exit; ready b\n"
     "fail c exit 1 -> failed c 1 exit; open c/on_error; ready c/on_error/x; ready c/on_error/y\n"
     "admit c/on_error/x -> attempt c/on_error/x 1\n"
     "recover -> failed d 1 lost; waiting d held; failed c/on_error/x 1 lost; ready c/on_error/x\n"
     "admit c/on_error/y -> attempt c/on_error/y 1\n"
     "cancel -> stopping cancelled; ended a cancelled; ended b cancelled; stop c cancelled; ended c/on_error/x "
     "cancelled; stop c/on_error/y cancelled; ended d cancelled\n"
     "done c/on_error/y -> ended c/on_error/y cancelled; close c/on_error cancelled; ended c cancelled; close "
     "cancelled; end cancelled\n"},
    {"cancel of a paused execution", "tasks: {a: {shell: a}, b: {wait: 1s}}\n",
     "start -> ... waiting b timer +1s\n"
     "pause -> paused\n"
     "cancel -> stopping cancelled; ended a skipped stopped; ended b cancelled; close cancelled; end cancelled\n"},
    {"the timeout of the whole execution",
     "timeout: 1m\n"
     "tasks: {a: {shell: a}, b: {depends_on: [a], shell: b}}\n"
     "on_error: {n: {transform: error.kind + a.status}}\n"
     "finally: {f: {shell: f}}\n",
     "start -> ... ready a\n"
     "admit a -> attempt a 1\n"
     "pause -> paused\n"
     "timer 59s ->\n"
     "timer 1s -> stopping timed_out; stop a cancelled; ended b skipped stopped\n"
     "fail a signal -> ended a cancelled; close timed_out; open on_error; ended on_error/n succeeded "
     "\"timeoutcancelled\"; close on_error succeeded; "
     "open finally; ready finally/f\n"
     "timer 1h ->\n"
     "admit finally/f -> attempt finally/f 1\n"
     "done finally/f -> ended finally/f succeeded; close finally succeeded; end timed_out\n"},
    {"cancel while on_error runs, and while finally does",
     "tasks: {a: {shell: a}}\n"
     "on_error: {n: {shell: n}, m: {depends_on: [n], shell: m}}\n"
     "finally: {f: {shell: f}, g: {approval: x}, h: {tasks: {i: {wait: 1h}}}}\n",
     "start -> ... ready a\n"
     "admit a -> ...\n"
     "fail a exit 1 -> ended a failed exit; close failed; open on_error; ready on_error/n\n"
     "cancel -> stopping cancelled; ended on_error/n skipped stopped; ended on_error/m skipped stopped; close on_error "
     "cancelled; "
     "open finally; ready finally/f; waiting finally/g approval; begin finally/h; open finally/h; waiting finally/h/i "
     "timer +1h\n"
     "cancel ->\n"
     "admit finally/f -> attempt finally/f 1\n"
     "done finally/f -> ended finally/f succeeded\n"
     "reject finally/g -> ...\n"
     "timer 1h -> ... end cancelled\n"},
    {"cancel while finally runs",
     "tasks: {a: {noop: }}\n"
     "finally: {f: {shell: f}, g: {approval: x}, h: {tasks: {i: {wait: 1h}}}}\n",
     "start -> ... waiting finally/h/i timer +1h\n"
     "admit finally/f -> attempt finally/f 1\n"
     "cancel -> stopping cancelled; ended finally/g cancelled; ended finally/h/i cancelled; close finally/h failed; "
     "ended finally/h failed child\n"
     "done finally/f -> ended finally/f succeeded; close finally failed; end cancelled\n"},
};

static void test_rows(void **state)
{
    (void)state;
    harness_run_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_signals_max(void **state)
{
    (void)state;
    struct harness harness;

    harness_init(&harness, "tasks: {a: {wait: {event: x}}}\n");
    harness_play(&harness, "start -> ...\n");
    harness.replay = false;
    for (int i = 0; i < SIGNALS_MAX; i++) harness_play(&harness, "signal y -> signal y\n");
    harness_play(&harness, "signal y -> !OVERLOADED\n");
    harness_done(&harness);
}

/* Why a task does not run, in words. */
static void test_why(void **state)
{
    (void)state;
    static const struct {
        const char *path, *want;
    } rows_why[] = {
        {"a", "waits for its turn"},
        {"b", "waits for a"},
        {"c", "waits for a, b and w"},
        {"d", "waits for a, b, c and 3 more"},
        {"w", "goes on in 1h00m"},
        {"e", "waits for event x"},
        {"r", "retries in 10.0s (it broke)"},
        {"t", "times out in 5.0s"},
        {"p", "next iteration in 9.0s"},
        {"h", "held after an interruption: retry or cancel it"},
        {"n", ""},
    };
    struct harness harness;
    struct buf buf;

    harness_init(&harness, "tasks:\n"
                           "  a: {shell: a}\n"
                           "  b: {depends_on: [a], shell: b}\n"
                           "  c: {depends_on: [a, b, w], shell: c}\n"
                           "  d: {depends_on: [a, b, c, w, e, n, r], shell: d}\n"
                           "  w: {wait: 1h}\n"
                           "  e: {wait: {event: x}}\n"
                           "  n: {noop: }\n"
                           "  r: {shell: r, retry: {max_attempts: 2, delay: 10s, jitter: 0}}\n"
                           "  t: {wait: 9s, timeout: 5s}\n"
                           "  p: {repeat: {max: 2, delay: 9s}, noop: }\n"
                           "  h: {shell: h, on_interrupt: hold}\n");
    harness_play(&harness, "start -> ...\n"
                           "admit h -> ...\n"
                           "recover -> ...\n"
                           "admit r -> ...\n"
                           "fail r exit 1 -> ...\n");
    buf_init(&buf, NULL, 0);
    for (size_t i = 0; i < sizeof(rows_why) / sizeof(rows_why[0]); i++) {
        buf_clear(&buf);
        core_why(harness.core, core_find(harness.core, str_from(rows_why[i].path)), harness.now, &buf);
        assert_string_equal(buf.data ? buf.data : "", rows_why[i].want);
    }
    harness_play(&harness, "pause -> ...\n");
    buf_clear(&buf);
    core_why(harness.core, 0, harness.now, &buf);
    assert_string_equal(buf.data, "the execution is paused");
    buf_done(&buf);
    harness_done(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_signals_max),
        cmocka_unit_test(test_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
