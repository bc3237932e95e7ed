/*
 * test_core_blocks.c - groups, loops, repeats: what runs inside, in which order, how it ends, what it gives.
 */
#include "harness.h"

static const struct harness_row rows[] = {
    {"a group",
     "tasks:\n"
     "  g: {tasks: {a: {transform: 1}, b: {depends_on: [a], shell: b}}}\n"
     "  c: {depends_on: [g], transform: '[g.output.a, g.output.b, g.status]'}\n",
     "start -> started; open; begin g; open g; ended g/a succeeded 1; ready g/b\n"
     "admit g/b -> attempt g/b 1\n"
     "done g/b \"x\" -> ended g/b succeeded \"x\"; close g succeeded; ended g succeeded; "
     "ended c succeeded [1,\"x\",\"succeeded\"]; close succeeded; end succeeded {\"c\":[1,\"x\",\"succeeded\"]}\n"},
    {"groups in groups; what is inside sees what is before its owners",
     "tasks:\n"
     "  x: {transform: 5}\n"
     "  g:\n"
     "    depends_on: [x]\n"
     "    tasks:\n"
     "      h: {tasks: {a: {transform: x.output + 1}, b: {depends_on: [a], transform: 'a.output + x.output'}}}\n"
     "      i: {depends_on: [h], transform: h.output.b}\n",
     "start -> started; open; ended x succeeded 5; begin g; open g; begin g/h; open g/h; ended g/h/a succeeded 6; "
     "ended g/h/b succeeded 11; close g/h succeeded; ended g/h succeeded; ended g/i succeeded 11; close g succeeded; "
     "ended g succeeded; close succeeded; end succeeded {\"g\":{\"h\":{\"a\":6,\"b\":11},\"i\":11}}\n"},
    {"a task inside hides one of that id outside only from those after it",
     "tasks:\n"
     "  a: {transform: 1}\n"
     "  g: {depends_on: [a], tasks: {b: {transform: a.output}, a: {transform: 2}, c: {depends_on: [a], transform: "
     "a.output}}}\n",
     "start -> ... end succeeded {\"g\":{\"b\":1,\"a\":2,\"c\":2}}\n"},
    {"a group that fails, with finally",
     "tasks:\n"
     "  g:\n"
     "    tasks: {a: {shell: a}, b: {depends_on: [a], shell: b}}\n"
     "    finally: {f: {transform: a.status + b.status}}\n"
     "  c: {depends_on: [g], shell: c}\n",
     "start -> started; open; begin g; open g; ready g/a\n"
     "admit g/a -> attempt g/a 1\n"
     "fail g/a exit 2 -> ended g/a failed exit; ended g/b skipped dependency; close g failed; open g/finally; "
     "ended g/finally/f succeeded \"failedskipped\"; close g/finally succeeded; ended g failed child; ended c skipped "
     "dependency; "
     "close failed; end failed\n"},
    {"a group whose finally fails", "tasks: {g: {tasks: {a: {noop: }}, finally: {f: {shell: f}}}}\n",
     "start -> ... open g/finally; ready g/finally/f\n"
     "admit g/finally/f -> attempt g/finally/f 1\n"
     "fail g/finally/f exit 1 -> ended g/finally/f failed exit; close g/finally failed; ended g failed child; close "
     "failed; end failed\n"},
    {"a group that is handled gives what the handler gave",
     "tasks: {g: {tasks: {a: {shell: a}}, on_error: {tasks: {x: {transform: error.message}}}}, c: {depends_on: [g], "
     "transform: g.output.x}}\n",
     "start -> ... ready g/a\n"
     "admit g/a -> attempt g/a 1\n"
     "fail g/a exit 1 -> ended g/a failed exit; close g failed; failed g 1 child; open g/on_error; "
     "ended g/on_error/x succeeded \"g/a failed: it broke\"; close g/on_error succeeded; ended g succeeded; "
     "ended c succeeded \"g/a failed: it broke\"; close succeeded; end succeeded {\"c\":\"g/a failed: it broke\"}\n"},
    {"a group that is retried",
     "tasks: {g: {retry: {max_attempts: 2, delay: 3s, jitter: 0}, tasks: {a: {transform: 1}, b: {shell: b}}}}\n",
     "start -> ... ready g/b\n"
     "admit g/b -> attempt g/b 1\n"
     "fail g/b exit 1 -> ended g/b failed exit; close g failed; failed g 1 child; waiting g retry +3s\n"
     "timer 3s -> begin g; open g; ended g/a succeeded 1; ready g/b\n"
     "admit g/b -> attempt g/b 1\n"
     "done g/b 2 -> ended g/b succeeded 2; close g succeeded; ended g succeeded; close succeeded; end succeeded "
     "{\"g\":{\"a\":1,\"b\":2}}\n"},
    {"a group's fail_fast",
     "tasks:\n"
     "  g:\n"
     "    fail_fast: true\n"
     "    tasks: {a: {shell: a}, b: {shell: b}, c: {shell: c}, d: {depends_on: [b], shell: d}, w: {wait: 1h}, "
     "h: {tasks: {x: {shell: x}, y: {shell: y}}, finally: {f: {shell: f}}}}\n"
     "  z: {shell: z}\n",
     "start -> ... ready g/h/y\n"
     "admit g/a -> attempt g/a 1\n"
     "admit g/b -> attempt g/b 1\n"
     "admit g/h/x -> attempt g/h/x 1\n"
     "fail g/a exit 1 -> ended g/a failed exit; stop g child; stop g/b cancelled; ended g/c skipped stopped; ended g/d "
     "skipped stopped; "
     "ended g/w cancelled; stop g/h cancelled; stop g/h/x cancelled; ended g/h/y skipped stopped\n"
     "done g/b -> ended g/b cancelled\n"
     "fail g/h/x signal -> ended g/h/x cancelled; close g/h cancelled; open g/h/finally; ready g/h/finally/f\n"
     "admit g/h/finally/f -> attempt g/h/finally/f 1\n"
     "done g/h/finally/f -> ended g/h/finally/f succeeded; close g/h/finally succeeded; ended g/h cancelled; close g "
     "failed; ended g failed child\n"
     "admit z -> attempt z 1\n"
     "done z -> ended z succeeded; close failed; end failed\n"},
    {"the workflow's fail_fast",
     "fail_fast: true\n"
     "tasks: {a: {shell: a}, b: {shell: b}, c: {depends_on: [b], shell: c}, d: {shell: d, continue_on_error: true}}\n"
     "finally: {f: {transform: a.status + b.status + c.status}}\n",
     "start -> ... ready d\n"
     "admit d -> attempt d 1\n"
     "fail d exit 1 -> ended d failed exit\n"
     "admit a -> attempt a 1\n"
     "admit b -> attempt b 1\n"
     "fail a exit 1 -> ended a failed exit; stopping failed; stop b cancelled; ended c skipped stopped\n"
     "pause -> !STATE\n"
     "done b -> ended b cancelled; close failed; open finally; ended finally/f succeeded \"failedcancelledskipped\"; "
     "close finally succeeded; end failed\n"},
    {"a group's timeout",
     "tasks:\n"
     "  g: {timeout: 10s, tasks: {a: {shell: a, retry: {max_attempts: 5, delay: 30s, jitter: 0}}, b: {shell: b}}, "
     "on_error: {transform: error.kind}}\n",
     "start -> started; open; begin g +10s; open g; ready g/a; ready g/b\n"
     "admit g/a -> attempt g/a 1\n"
     "fail g/a exit 1 -> failed g/a 1 exit; waiting g/a retry +30s\n"
     "admit g/b -> attempt g/b 1\n"
     "timer 10s -> stop g timeout; ended g/a cancelled; stop g/b cancelled\n"
     "timer 1h ->\n"
     "fail g/b signal -> ended g/b cancelled; close g timed_out; failed g 1 timeout; open g/on_error; "
     "ended g/on_error succeeded \"timeout\"; close g/on_error succeeded; ended g succeeded; close succeeded; end "
     "succeeded {\"g\":\"timeout\"}\n"},
    {"a group's timeout that nobody handles", "tasks: {g: {timeout: 10s, tasks: {a: {approval: ok}}}}\n",
     "start -> ... waiting g/a approval\n"
     "timer 10s -> stop g timeout; ended g/a cancelled; close g timed_out; ended g timed_out; close failed; end "
     "failed\n"},
    {"a loop",
     "parameters: {n: {default: [3, {a: 1}, 'x,\"]']}}\n"
     "tasks:\n"
     "  l: {for_each: {in: n, as: it}, transform: '[it, it_index]'}\n"
     "  m: {depends_on: [l], transform: 'size(l.output)'}\n"
     "output: '{{ l.output }}'\n",
     "start -> started; open; begin l 3; open l[0]; open l[1]; open l[2]; ended l[0] succeeded [3,0]; ended l[1] "
     "succeeded [{\"a\":1},1]; "
     "ended l[2] succeeded [\"x,\\\"]\",2]; close l[0] succeeded; close l[1] succeeded; close l[2] succeeded; ended l "
     "succeeded; "
     "ended m succeeded 3; close succeeded; end succeeded [[3,0],[{\"a\":1},1],[\"x,\\\"]\",2]]\n"},
    {"a loop over nothing, over a map, over a literal, over what is no list",
     "parameters: {seven: {default: 7}}\n"
     "tasks:\n"
     "  a: {for_each: '[]', shell: a}\n"
     "  b: {for_each: \"{'x': 1, 'y': [2]}\", transform: item}\n"
     "  c: {for_each: [1, '{{ 1 + 1 }}'], transform: item}\n"
     "  d: {for_each: seven, noop: }\n"
     "output: ['{{ a.output }}', '{{ b.output }}', '{{ c.output }}']\n",
     "start -> started; open; begin a; begin b 2; begin c 2; ended d failed evaluation; ended a succeeded; open b[0]; "
     "open b[1]; open c[0]; "
     "open c[1]; ended b[0] succeeded {\"key\":\"x\",\"value\":1}; ended b[1] succeeded {\"key\":\"y\",\"value\":[2]}; "
     "ended c[0] succeeded 1; "
     "ended c[1] succeeded 2; close b[0] succeeded; close b[1] succeeded; ended b succeeded; close c[0] succeeded; "
     "close c[1] succeeded; "
     "ended c succeeded; close failed; end failed\n"},
    {"a loop with a limit, one item fails",
     "tasks: {l: {for_each: {in: [1, 2, 3, 4], max_parallel: 2}, shell: l}, m: {depends_on: [l], join: all_done, "
     "transform: l.output}}\n",
     "start -> started; open; begin l 4; open l[0]; open l[1]; ready l[0]; ready l[1]\n"
     "admit l[1] -> attempt l[1] 1\n"
     "done l[1] 1 -> ended l[1] succeeded 1; close l[1] succeeded; open l[2]; ready l[2]\n"
     "admit l[0] -> attempt l[0] 1\n"
     "fail l[0] exit 9 -> ended l[0] failed exit; close l[0] failed; open l[3]; ready l[3]\n"
     "admit l[3] -> attempt l[3] 1\n"
     "done l[3] 3 -> ended l[3] succeeded 3; close l[3] succeeded\n"
     "admit l[2] -> attempt l[2] 1\n"
     "done l[2] 2 -> ended l[2] succeeded 2; close l[2] succeeded; ended l failed child; ended m succeeded "
     "[null,1,2,3]; close failed; end failed\n"},
    {"a loop's fail_fast", "tasks: {l: {for_each: {in: [1, 2, 3, 4], max_parallel: 2, fail_fast: true}, shell: l}}\n",
     "start -> ... ready l[1]\n"
     "admit l[1] -> attempt l[1] 1\n"
     "admit l[0] -> attempt l[0] 1\n"
     "fail l[0] exit 9 -> ended l[0] failed exit; close l[0] failed; stop l child; stop l[1] cancelled\n"
     "done l[1] 1 -> ended l[1] cancelled; close l[1] failed; ended l failed child; close failed; end failed\n"},
    {"a condition of each item, and one of the whole loop",
     "tasks:\n"
     "  a: {for_each: [1, 2, 3], when: item != 2, transform: item}\n"
     "  b: {for_each: [1, 2, 3], when: '1 > 2', transform: item}\n"
     "output: ['{{ a.output }}', '{{ b.output }}']\n",
     "start -> ... end succeeded [[1,null,3],null]\n"},
    {"a loop of groups",
     "tasks:\n"
     "  r: {for_each: {in: [a, b], as: region}, tasks: {x: {transform: region}, y: {depends_on: [x], transform: "
     "'x.output + region'}}}\n",
     "start -> ... end succeeded {\"r\":[{\"x\":\"a\",\"y\":\"aa\"},{\"x\":\"b\",\"y\":\"bb\"}]}\n"},
    {"a loop in a loop",
     "tasks: {r: {for_each: {in: [1, 2], as: i}, tasks: {s: {for_each: {in: '[i, i * 10]', as: k}, transform: 'i + "
     "k'}}}}\n",
     "start -> ... end succeeded {\"r\":[{\"s\":[2,11]},{\"s\":[4,22]}]}\n"},
    {"a loop that is handled",
     "tasks: {l: {for_each: [1, 2], shell: l, on_error: {transform: '[error.message, string(l.output[1])]'}}}\n",
     "start -> ... ready l[1]\n"
     "admit l[0] -> attempt l[0] 1\n"
     "fail l[0] exit 9 -> ended l[0] failed exit; close l[0] failed\n"
     "admit l[1] -> attempt l[1] 1\n"
     "done l[1] 8 -> ended l[1] succeeded 8; close l[1] succeeded; failed l 1 child; open l/on_error; "
     "ended l/on_error succeeded [\"l[0] failed: it broke\",\"8\"]; close l/on_error succeeded; ended l succeeded; "
     "close succeeded; "
     "end succeeded {\"l\":[\"l[0] failed: it broke\",\"8\"]}\n"},
    {"repeat until",
     "tasks: {p: {repeat: {until: p.output > 2, max: 5}, transform: 'previous == null ? iteration : previous + 1'}, q: "
     "{depends_on: [p], transform: p.output}}\n",
     "start -> started; open; begin p; open p#1; ended p#1 succeeded 1; close p#1 succeeded; open p#2; ended p#2 "
     "succeeded 2; "
     "close p#2 succeeded; open p#3; ended p#3 succeeded 3; close p#3 succeeded; ended p succeeded; ended q succeeded "
     "3; close succeeded; "
     "end succeeded {\"q\":3}\n"},
    {"repeat that is not enough", "tasks: {p: {repeat: {until: p.output > 2, max: 2}, transform: iteration}}\n",
     "start -> ... close p#2 succeeded; ended p failed error; close failed; end failed\n"},
    {"repeat while, and so many times",
     "tasks: {p: {repeat: {while: iteration < 3, max: 9}, transform: iteration}, q: {repeat: {max: 2}, transform: "
     "iteration}}\n",
     "start -> ... end succeeded {\"p\":3,\"q\":2}\n"},
    {"repeat of a group with a delay",
     "tasks:\n"
     "  p: {repeat: {until: check.output.ok, max: 3, delay: 30s}, tasks: {draft: {shell: d}, check: {depends_on: "
     "[draft], shell: c}}}\n",
     "start -> started; open; begin p; open p#1; begin p#1; open p#1; ready p#1/draft\n"
     "admit p#1/draft -> attempt p#1/draft 1\n"
     "done p#1/draft -> ended p#1/draft succeeded; ready p#1/check\n"
     "admit p#1/check -> attempt p#1/check 1\n"
     "done p#1/check {\"ok\":false} -> ended p#1/check succeeded {\"ok\":false}; close p#1 succeeded; ended p#1 "
     "succeeded; close p#1 succeeded; "
     "waiting p delay +30s\n"
     "timer 30s -> open p#2; begin p#2; open p#2; ready p#2/draft\n"
     "admit p#2/draft -> attempt p#2/draft 1\n"
     "done p#2/draft -> ended p#2/draft succeeded; ready p#2/check\n"
     "admit p#2/check -> attempt p#2/check 1\n"
     "done p#2/check {\"ok\":true} -> ... end succeeded {\"p\":{\"draft\":null,\"check\":{\"ok\":true}}}\n"},
    {"repeat: the delay is over in a pause", "tasks: {p: {repeat: {max: 2, delay: 30s}, transform: iteration}}\n",
     "start -> ... waiting p delay +30s\n"
     "pause -> paused\n"
     "timer 30s -> ready p\n"
     "timer 30s ->\n"
     "resume -> resumed; open p#2; ended p#2 succeeded 2; close p#2 succeeded; ended p succeeded; close succeeded; end "
     "succeeded {\"p\":2}\n"},
    {"repeat: an iteration fails; a condition that cannot be evaluated",
     "tasks: {p: {repeat: {max: 2}, transform: 'int(\"x\")'}, q: {repeat: {until: q.output.x, max: 3}, transform: "
     "1}}\n",
     "start -> ... close failed; end failed\n"},
    {"for_each outside, repeat inside",
     "tasks: {p: {for_each: [10, 20], repeat: {max: 2}, transform: item + iteration}}\n",
     "start -> ... end succeeded {\"p\":[12,22]}\n"},
    {"a leaf's timeout in a loop", "tasks: {l: {for_each: [1], shell: l, timeout: 4s}}\n",
     "start -> ... ready l[0]\n"
     "admit l[0] -> attempt l[0] 1 +4s\n"
     "timer 4s -> stop l[0] timeout\n"
     "fail l[0] signal -> ended l[0] timed_out; close l[0] failed; ended l failed child; close failed; end failed\n"},
    {"a pause in a group: what begins is held back, blocks go on",
     "tasks: {a: {shell: a}, g: {depends_on: [a], tasks: {x: {transform: 1}, y: {depends_on: [x], shell: y}}}}\n",
     "start -> ... ready a\n"
     "admit a -> attempt a 1\n"
     "pause -> paused\n"
     "done a -> ended a succeeded; ready g\n"
     "resume -> resumed; begin g; open g; ended g/x succeeded 1; ready g/y\n"},
};

static void test_rows(void **state)
{
    (void)state;
    harness_run_rows(rows, sizeof(rows) / sizeof(rows[0]));
}

/* Without a limit of its own a loop has 1,000 items under way. */
static void test_loop_open_max(void **state)
{
    (void)state;
    struct harness harness;

    struct buf start;

    harness_init(&harness, "parameters: {n: {type: list}}\ntasks: {l: {for_each: n, shell: l}}\n");
    buf_init(&start, NULL, 0);
    buf_add_text(&start, "start {\"n\":[0");
    for (int i = 1; i < 1500; i++) buf_printf(&start, ",%d", i);
    buf_add_text(&start, "]} -> ... ready l[999]\n");
    harness_play(&harness, start.data);
    buf_done(&start);
    assert_int_equal(core_frame_count(harness.core), 1001);
    harness_play(&harness, "admit l[5] -> ...\n"
                           "done l[5] -> ended l[5] succeeded; close l[5] succeeded; open l[1000]; ready l[1000]\n");
    harness_done(&harness);
}

static void test_instances_max(void **state)
{
    (void)state;
    struct harness harness;

    harness_init(&harness, "tasks: {l: {for_each: [1, 2, 3, 4, 5], noop: }, g: {depends_on: [l], join: all_done, "
                           "tasks: {a: {noop: }, b: {noop: }}}}\n");
    core_free(harness.core);
    harness.env.instances_max = 6;
    harness.core = core_new(harness.workflow, 1, &harness.env, NULL);
    harness_play(
        &harness,
        "start -> started; open; begin l 5; open l[0]; open l[1]; open l[2]; open l[3]; ended l[0] succeeded; ended "
        "l[1] succeeded; "
        "ended l[2] succeeded; ended l[3] succeeded; close l[0] succeeded; close l[1] succeeded; close l[2] succeeded; "
        "close l[3] succeeded; ended l failed permanent; begin g; ended g failed permanent; close failed; end "
        "failed\n");
    harness_done(&harness);
    harness_init(&harness, "tasks: {a: {noop: }, b: {noop: }}\n");
    core_free(harness.core);
    harness.env.instances_max = 1;
    harness.core = core_new(harness.workflow, 1, &harness.env, NULL);
    harness_play(&harness, "start -> !LIMIT\n");
    harness_done(&harness);
}

/* The tree as a reader of the state sees it. */
static void test_looking(void **state)
{
    (void)state;
    struct harness harness;
    struct buf buf;
    struct arena arena;

    harness_init(&harness, "tasks: {l: {for_each: {in: [7, 8], as: x}, tasks: {a: {transform: x}, b: {depends_on: [a], "
                           "approval: 'ship {{ x }}?'}}}}\n"
                           "finally: {shell: f}\n");
    harness_play(&harness, "start -> ...\n");
    buf_init(&buf, NULL, 0);
    arena_init(&arena, NULL, 0);
    uint32_t wrapper = core_find(harness.core, STR("l")), item = core_find(harness.core, STR("l[1]"));
    assert_int_equal(wrapper, 0);
    assert_int_equal(core_get_instance(harness.core, wrapper)->task->kind, TASK_FOR_EACH);
    assert_int_equal(core_get_instance(harness.core, item)->task->kind, TASK_GROUP);
    uint32_t frame = core_frame_next_of(harness.core, wrapper, CORE_NONE);
    assert_true(str_is(core_frame_item(harness.core, frame, &arena), "7"));
    frame = core_frame_next_of(harness.core, wrapper, frame);
    assert_true(str_is(core_frame_item(harness.core, frame, &arena), "8"));
    assert_int_equal(core_frame_next_of(harness.core, wrapper, frame), CORE_NONE);
    assert_int_equal(core_frame_item(harness.core, 0, &arena).size, 0);
    core_why(harness.core, core_find(harness.core, STR("l[1]/b")), harness.now, &buf);
    assert_true(str_is(buf_str(&buf), "approval: ship 8?"));
    static const char *const none[] = {
        "",       "x",       "l[2]",           "l[", "l[1",      "l[1]x",       "l[1]/", "l[1]/c", "l#1", "l/a",
        "l[1]#1", "finally", "l[99999999999]", "/l", "l[1]/a/b", "l[1]/finally"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        if (core_find(harness.core, str_from(none[i])) != CORE_NONE) fail_msg("found %s", none[i]);
    }
    harness_play(&harness, "approve l[0]/b -> ...\n"
                           "approve l[1]/b -> ... ready finally\n");
    buf_clear(&buf);
    assert_int_equal(core_output(harness.core, wrapper, &arena, &buf, NULL), 0);
    assert_true(str_is(buf_str(&buf), "[{\"a\":7,\"b\":{\"approved\":true,\"by\":\"ann\",\"comment\":null}},"
                                      "{\"a\":8,\"b\":{\"approved\":true,\"by\":\"ann\",\"comment\":null}}]"));
    assert_int_equal(core_output(harness.core, 999, &arena, &buf, NULL), ORCH_ERR_NOT_FOUND);
    buf_done(&buf);
    arena_done(&arena);
    harness_done(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_loop_open_max),
        cmocka_unit_test(test_instances_max),
        cmocka_unit_test(test_looking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
