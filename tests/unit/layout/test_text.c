/* test_text.c - drawings of workflows: definitions beside what is drawn. */
#include "layout/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/value.h"
#include "layout/export.h"

struct fixture {
    struct arena arena, scratch;
    const struct workflow *workflow;
    struct buf out;
};

static void fixture_read(struct fixture *f, const char *text)
{
    arena_init(&f->arena, NULL, 0);
    arena_init(&f->scratch, NULL, 0);
    buf_init(&f->out, NULL, 0);
    struct diags diags;
    diags_init(&diags, &f->arena);
    int rc = workflow_read(str_from(text), STR("test.yaml"), &f->arena, &diags, &f->workflow);
    if (rc != 0) {
        diags_render(&diags, str_from(text), STR("test.yaml"), NULL, &f->out);
        print_error("%s", f->out.data);
    }
    assert_int_equal(rc, 0);
}

static void fixture_done(struct fixture *f)
{
    buf_done(&f->out);
    arena_done(&f->scratch);
    arena_done(&f->arena);
}

static const struct {
    const char *text, *expected;
} drawings[] = {
    {"tasks: {a: {noop: {}}, b: {noop: {}}}", "○ a  noop\n"
                                              "○ b  noop\n"},
    {"mode: sequence\ntasks: {one: {shell: ./1}, two: {shell: ./2}, three: {shell: ./3}}", "● one    shell\n"
                                                                                           "● two    shell\n"
                                                                                           "○ three  shell\n"},
    {"tasks:\n"
     "  fetch: {shell: ./fetch}\n"
     "  total: {depends_on: fetch, transform: size(fetch.output)}\n"
     "  alert: {depends_on: total, when: total.output < 1000, notification: few}\n"
     "  report: {depends_on: fetch, shell: ./report, retry: 3, timeout: 5m, continue_on_error: true}\n",
     "●   fetch   shell\n"
     "├─● total   transform\n"
     "│ ○ alert   notification, when total.output < 1000\n"
     "○   report  shell, up to 3 attempts, timeout 5m, may fail\n"},
    {"tasks: {a: {noop: {}}, b: {noop: {}}, c: {noop: {}}, d: {depends_on: [a, b, c], join: all_done, noop: {}}}",
     "●     a  noop\n"
     "│ ●   b  noop\n"
     "│ │ ● c  noop\n"
     "○─┴─╯ d  noop, once all are done\n"},
    {"tasks: {a: {noop: {}}, b: {depends_on: a, noop: {}}, c: {depends_on: a, noop: {}}, d: {depends_on: [a, b], noop: "
     "{}}, "
     "e: {depends_on: [a, c, d], join: {at_least: 2}, noop: {}}}",
     "●     a  noop\n"
     "├─●   b  noop\n"
     "├─│─● c  noop\n"
     "├─● │ d  noop\n"
     "○─┴─╯ e  noop, once 2 have succeeded\n"},
    {"tasks:\n"
     "  a: {noop: {}}\n"
     "  g:\n"
     "    depends_on: a\n"
     "    tasks: {x: {noop: {}}, y: {depends_on: x, noop: {}}}\n"
     "    finally: {tasks: {z: {noop: {}}}}\n"
     "  b: {depends_on: [a, g], shell: ./b, on_error: {shell: ./mend}, compensate: {shell: ./undo}}\n"
     "finally: {clean: {shell: ./clean}}\n",
     "●   a  noop\n"
     "├─● g  group of 2\n"
     "│ │   ● x  noop\n"
     "│ │   ○ y  noop\n"
     "│ │   finally\n"
     "│ │     ○ z  noop\n"
     "○─╯ b  shell\n"
     "      on error\n"
     "        ○ on_error  shell\n"
     "      compensate\n"
     "        ○ compensate  shell\n"
     "finally\n"
     "  ○ clean  shell\n"},
    {"tasks:\n"
     "  each: {for_each: {in: '[1, 2]', as: n, max_parallel: 4}, shell: ./each}\n"
     "  poll: {depends_on: each, repeat: {until: poll.output > 1, max: 9}, shell: ./poll}\n"
     "  polish:\n"
     "    depends_on: poll\n"
     "    repeat: {until: check.output, max: 5}\n"
     "    tasks: {draft: {shell: ./draft}, check: {depends_on: draft, shell: ./check}}\n",
     "● each    for each n in [1, 2], 4 at once: shell\n"
     "● poll    repeat until poll.output > 1, at most 9 times: shell\n"
     "○ polish  repeat until check.output, at most 5 times: group of 2\n"
     "    ● draft  shell\n"
     "    ○ check  shell\n"},
};

static void test_drawings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(drawings) / sizeof(drawings[0]); i++) {
        struct fixture f;
        fixture_read(&f, drawings[i].text);
        assert_int_equal(layout_text(f.workflow, NULL, &f.scratch, &f.out), 0);
        assert_string_equal(f.out.data, drawings[i].expected);
        fixture_done(&f);
    }
}

static void test_ascii_and_width(void **state)
{
    (void)state;
    struct fixture f;
    fixture_read(&f, "tasks: {a: {noop: {}}, b: {depends_on: a, noop: {}}, c: {depends_on: [a, b], when: \"'a long "
                     "text' != ''  && \\n now > now\", noop: {}}}");
    struct layout_text_options options = {.ascii = true, .width = 30};
    assert_int_equal(layout_text(f.workflow, &options, &f.scratch, &f.out), 0);
    assert_string_equal(f.out.data, "*   a  noop\n"
                                    "+-* b  noop\n"
                                    "o-' c  noop, when 'a long t...\n");
    fixture_done(&f);
}

/* A large workflow is told in a bounded number of rows. */
static void test_large(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, NULL, 0);
    buf_add_text(&text, "mode: sequence\ntasks:\n");
    for (int g = 0; g < 40; g++) {
        buf_printf(&text, "  g%d:\n    tasks:\n", g);
        for (int i = 0; i < 20; i++) buf_printf(&text, "      t%d: {noop: {}}\n", i);
    }
    struct fixture f;
    fixture_read(&f, text.data);
    struct layout_text_options options = {.rows_max = 50};
    assert_int_equal(layout_text(f.workflow, &options, &f.scratch, &f.out), 0);
    size_t rows = 0;
    for (size_t i = 0; i < f.out.size; i++) rows += f.out.data[i] == '\n';
    assert_int_equal(rows, 51);
    assert_true(str_ends_with(buf_str(&f.out), STR("… 50 more tasks\n")) || strstr(f.out.data, "more tasks\n"));
    fixture_done(&f);

    buf_clear(&text);
    buf_add_text(&text, "tasks:\n  first: {noop: {}}\n");
    for (int i = 0; i < 1000; i++) buf_printf(&text, "  t%d: {depends_on: first, noop: {}}\n", i);
    buf_add_text(&text, "  last: {depends_on: [t0, t999], noop: {}}\n");
    fixture_read(&f, text.data);
    assert_int_equal(layout_text(f.workflow, NULL, &f.scratch, &f.out), 0);
    assert_true(str_starts_with(buf_str(&f.out), STR("level 1         1 task   first\n"
                                                     "level 2      1000 tasks  t0, t1, t2, ")));
    assert_true(str_ends_with(buf_str(&f.out), STR("…\nlevel 3         1 task   last\n")));
    fixture_done(&f);
    buf_done(&text);
}

static void test_cycle(void **state)
{
    (void)state;
    const struct diag_step path[] = {{STR("build"), 4, 5}, {STR("test"), 7, 8}, {STR("pack"), 10, 10}};
    struct buf out;
    buf_init(&out, NULL, 0);
    layout_cycle(path, 3, false, &out);
    assert_string_equal(out.data, "╭─▶ build  line 4, waits for pack (line 5)\n"
                                  "│   test   line 7, waits for build (line 8)\n"
                                  "╰── pack   line 10, waits for test\n");
    buf_clear(&out);
    layout_cycle(path, 2, true, &out);
    assert_string_equal(out.data, ",-> build  line 4, waits for test (line 5)\n"
                                  "`-- test   line 7, waits for build (line 8)\n");
    buf_done(&out);
}

static const char workflow_text[] =
    "name: 'a \"b\" <c>'\n"
    "tasks:\n"
    "  a: {for_each: '[\"x\"]', shell: ./a}\n"
    "  g: {depends_on: a, when: \"1 < size('\\\\\\\\')\", tasks: {x: {noop: {}}}, on_error: {shell: ./mend}}\n"
    "finally: {f: {noop: {}}}\n";

static void test_dot(void **state)
{
    (void)state;
    struct fixture f;
    fixture_read(&f, workflow_text);
    layout_dot(f.workflow, &f.out);
    assert_non_null(strstr(f.out.data, "digraph \"a \\\"b\\\" <c>\" {\n"));
    assert_non_null(strstr(f.out.data, "[label=\"a\\nfor each item in [\\\"x\\\"]: shell\", shape=folder];\n"));
    assert_non_null(strstr(f.out.data, "label=\"g: on error\"; style=dashed;\n"));
    assert_non_null(strstr(f.out.data, "label=\"finally\"; style=dashed;\n"));
    fixture_done(&f);
}

static void test_mermaid(void **state)
{
    (void)state;
    struct fixture f;
    fixture_read(&f, workflow_text);
    layout_mermaid(f.workflow, &f.out);
    assert_true(str_starts_with(buf_str(&f.out), STR("flowchart TD\n")));
    assert_non_null(strstr(f.out.data, "[\"a<br/>for each item in [#quot;x#quot;]: shell\"]\n"));
    assert_non_null(strstr(f.out.data, "when 1 #lt; size("));
    assert_non_null(strstr(f.out.data, "[\"g: on error\"]\n"));
    fixture_done(&f);
}

static void test_json(void **state)
{
    (void)state;
    struct fixture f;
    fixture_read(&f, workflow_text);
    struct orch_error err = ORCH_ERROR_INIT;
    struct picture picture;
    assert_int_equal(picture_make(f.workflow, NULL, LAYERED_DOWN, &f.arena, &f.scratch, &picture, &err), 0);
    layout_json(&picture, &f.out);
    struct value value;
    assert_int_equal(json_parse(buf_str(&f.out), NULL, &f.arena, &value, &err), 0);
    const struct value *tasks = value_get(value, STR("tasks"));
    assert_non_null(tasks);
    assert_int_equal(tasks->size, 5);
    static const char *const paths[] = {"a", "g", "g/x", "g/on_error/on_error", "finally/f"};
    for (size_t k = 0; k < 5; k++) {
        bool found = false;
        for (uint32_t i = 0; i < tasks->size; i++) {
            const struct value *path = value_get(tasks->items[i], STR("path"));
            found |= path && str_is(value_str(*path), paths[k]);
        }
        if (!found) print_error("%s is missing in %s\n", paths[k], f.out.data);
        assert_true(found);
    }
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawings), cmocka_unit_test(test_ascii_and_width),
        cmocka_unit_test(test_large),    cmocka_unit_test(test_cycle),
        cmocka_unit_test(test_dot),      cmocka_unit_test(test_mermaid),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
