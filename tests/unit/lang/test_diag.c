/* test_diag.c - collecting findings, and their form as text, JSON and error. */
#include "lang/diag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lang/diag_codes.h"

struct fixture {
    struct arena arena;
    struct diags diags;
    struct buf out;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    arena_init(&f->arena, NULL, 0);
    diags_init(&f->diags, &f->arena);
    buf_init(&f->out, NULL, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buf_done(&f->out);
    arena_done(&f->arena);
    free(f);
    return 0;
}

static const char *render(struct fixture *f, const char *source)
{
    buf_clear(&f->out);
    diags_render(&f->diags, str_from(source), STR("etl.yaml"), NULL, &f->out);
    assert_false(f->out.failed);
    return f->out.data ? f->out.data : "";
}

static void test_form(void **state)
{
    struct fixture *f = *state;
    struct diag *diag = diag_add(&f->diags, DIAG_ERROR, DIAG_CYCLE, (struct span){3, 18, 4},
                                 "tasks wait for each other: %s", "build -> test -> pack -> build");
    diag_label(&f->diags, diag, "closes the cycle (test: line %d)", 19);
    diag_help(&f->diags, diag, "remove one edge");
    assert_string_equal(render(f, "tasks:\n  build:\n    depends_on: [pack]\n"),
                        "error[E0201]: tasks wait for each other: build -> test -> pack -> build\n"
                        "  --> etl.yaml:3:18\n"
                        "   |\n"
                        " 3 |     depends_on: [pack]\n"
                        "   |                  ^^^^ closes the cycle (test: line 19)\n"
                        "   = help: remove one edge\n");
}

static void test_gutter_grows(void **state)
{
    struct fixture *f = *state;
    struct buf source;
    buf_init(&source, NULL, 0);
    for (int i = 0; i < 1233; i++) buf_add_char(&source, '\n');
    buf_add_text(&source, "abc");
    (void)diag_add(&f->diags, DIAG_WARNING, 901, (struct span){1234, 2, 1}, "x");
    assert_string_equal(render(f, source.data), "warning[W0901]: x\n"
                                                "    --> etl.yaml:1234:2\n"
                                                "     |\n"
                                                "1234 | abc\n"
                                                "     |  ^\n");
    buf_done(&source);
}

static void test_without_place(void **state)
{
    struct fixture *f = *state;
    struct diag *diag = diag_add(&f->diags, DIAG_ERROR, 406, (struct span){0}, "parameter n: expected integer");
    diag_help(&f->diags, diag, "first\nsecond");
    assert_string_equal(render(f, "x"), "error[E0406]: parameter n: expected integer\n"
                                        "  = help: first\n"
                                        "          second\n");
}

/* Each: a line of source, a span in it, and the two lines that are drawn. */
static const struct {
    const char *source;
    struct span at;
    const char *line, *caret;
} carets[] = {
    {"a: b", {1, 4, 1}, " 1 | a: b", "   |    ^"},
    {"\ta: b", {1, 2, 1}, " 1 |     a: b", "   |     ^"},
    {"ab\tc", {1, 4, 1}, " 1 | ab  c", "   |     ^"},
    {"\xC3\xA9\xC3\xA9: x", {1, 5, 1}, " 1 | \xC3\xA9\xC3\xA9: x", "   |     ^"},
    {"\xE6\xBC\xA2\xE5\xAD\x97: x", {1, 5, 1}, " 1 | \xE6\xBC\xA2\xE5\xAD\x97: x", "   |       ^"},
    {"\xE6\xBC\xA2\xE5\xAD\x97", {1, 2, 1}, " 1 | \xE6\xBC\xA2\xE5\xAD\x97", "   |   ^^"},
    {"e\xCC\x81: x", {1, 5, 1}, " 1 | e\xCC\x81: x", "   |    ^"},
    {"a\x1b[31mb", {1, 7, 1}, " 1 | a\xEF\xBF\xBD[31mb", "   |       ^"},
    {"a\xFF"
     "b",
     {1, 3, 1},
     " 1 | a\xEF\xBF\xBD"
     "b",
     "   |   ^"},
    {"a\xE2\x80\xAE"
     "b",
     {1, 3, 1},
     " 1 | a\xEF\xBF\xBD"
     "b",
     "   |   ^"},
    {"abc", {1, 9, 5}, " 1 | abc", "   |    ^"},
    {"abc", {1, 2, 50}, " 1 | abc", "   |  ^^"},
    {"abc", {1, 2, 0}, " 1 | abc", "   |  ^"},
    {"one\r\ntwo\r\n", {2, 1, 3}, " 2 | two", "   | ^^^"},
    {"one\rtwo", {2, 1, 3}, " 2 | two", "   | ^^^"},
    {"one\n", {2, 1, 1}, " 2 |", "   | ^"},
};

static void test_carets(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(carets) / sizeof(carets[0]); i++) {
        diags_init(&f->diags, &f->arena);
        (void)diag_add(&f->diags, DIAG_ERROR, 101, carets[i].at, "x");
        struct buf expected;
        buf_init(&expected, NULL, 0);
        buf_printf(&expected, "error[E0101]: x\n  --> etl.yaml:%u:%u\n   |\n%s\n%s\n", carets[i].at.line,
                   carets[i].at.column, carets[i].line, carets[i].caret);
        assert_string_equal(render(f, carets[i].source), expected.data);
        buf_done(&expected);
    }
}

static void test_long_line(void **state)
{
    struct fixture *f = *state;
    struct buf source;
    buf_init(&source, NULL, 0);
    for (int i = 0; i < 1000; i++) buf_printf(&source, "%d", i % 10);
    (void)diag_add(&f->diags, DIAG_ERROR, 101, (struct span){1, 501, 3}, "x");
    const char *text = render(f, source.data);
    const char *line = strstr(text, " 1 | ");
    assert_non_null(line);
    line += 5;
    const char *caret = strstr(line, "\n   | ");
    assert_non_null(caret);
    assert_true(caret - line < 120);
    assert_memory_equal(line, "...0123", 7);
    assert_memory_equal(caret - 3, "...", 3);
    caret += 6;
    size_t at = strspn(caret, " ");
    assert_memory_equal(caret + at, "^^^\n", 4);
    assert_int_equal(line[at], '0'); /* character 501 of 0123456789... */
    assert_int_equal(line[at + 2], '2');
    buf_done(&source);
}

/* A span that is longer than what is shown of the line ends with it. */
static void test_long_span(void **state)
{
    struct fixture *f = *state;
    struct buf source;
    buf_init(&source, NULL, 0);
    for (int i = 0; i < 1000; i++) buf_add_char(&source, 'x');
    (void)diag_add(&f->diags, DIAG_ERROR, 101, (struct span){1, 101, 900}, "x");
    const char *text = render(f, source.data);
    const char *line = strstr(text, " 1 | ");
    const char *end = strchr(line, '\n');
    const char *caret_end = strchr(end + 1, '\n');
    assert_true(caret_end - end <= end - line + 1);
    buf_done(&source);
}

static void test_outside_text_is_filtered(void **state)
{
    struct fixture *f = *state;
    struct diag *diag = diag_add(&f->diags, DIAG_ERROR, 101, (struct span){0}, "unknown key \"%s\"", "a\x1b[2Jb\nc");
    diag_help(&f->diags, diag, "remove \x07it");
    assert_string_equal(render(f, ""), "error[E0101]: unknown key \"a\xEF\xBF\xBD[2Jb\xEF\xBF\xBD"
                                       "c\"\n"
                                       "  = help: remove \xEF\xBF\xBDit\n");
}

static void test_sorted_and_capped(void **state)
{
    struct fixture *f = *state;
    (void)diag_add(&f->diags, DIAG_WARNING, 901, (struct span){1, 1, 1}, "w");
    for (uint32_t i = 0; i < 25; i++)
        (void)diag_add(&f->diags, DIAG_ERROR, 101, (struct span){100 - i, 1, 1}, "e%u", i);
    (void)diag_add(&f->diags, DIAG_ERROR, 102, (struct span){90, 1, 1}, "later at the same place");
    diags_sort(&f->diags);
    assert_int_equal(f->diags.items[0].at.line, 76);
    assert_int_equal(f->diags.items[14].code, 101);
    assert_int_equal(f->diags.items[15].code, 102);
    assert_int_equal(f->diags.items[26].severity, DIAG_WARNING);
    const char *text = render(f, "");
    assert_non_null(strstr(text, "\n... and 6 more errors, 1 more warning\n"));
    assert_null(strstr(text, "W0901"));
    struct diag_style style = {.count_max = 27};
    buf_clear(&f->out);
    diags_render(&f->diags, STR_NONE, STR("f"), &style, &f->out);
    assert_null(strstr(f->out.data, "... and"));
    assert_non_null(strstr(f->out.data, "\n\nwarning[W0901]: w\n"));
}

static void test_more_than_kept(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < DIAG_MAX; i++)
        (void)diag_add(&f->diags, DIAG_WARNING, 901, (struct span){i + 1, 1, 1}, "w");
    struct diag *diag =
        diag_add(&f->diags, DIAG_ERROR, 101, (struct span){1, 1, 1}, "an error is kept before a warning");
    assert_ptr_equal(diag, &f->diags.items[DIAG_MAX - 1]);
    for (uint32_t i = 0; i < 2 * DIAG_MAX; i++) {
        diag = diag_add(&f->diags, DIAG_ERROR, 101, (struct span){i + 2, 1, 1}, "e");
        diag_label(&f->diags, diag, "label");
        diag_help(&f->diags, diag, "help");
    }
    assert_int_equal(f->diags.count, DIAG_MAX);
    assert_int_equal(f->diags.error_count, 2 * DIAG_MAX + 1);
    assert_int_equal(f->diags.warning_count, DIAG_MAX);
    for (uint32_t i = 0; i < DIAG_MAX; i++) assert_int_equal(f->diags.items[i].severity, DIAG_ERROR);
    assert_non_null(strstr(render(f, ""), "\n... and 181 more errors, 100 more warnings\n"));
}

static void test_same_finding_once(void **state)
{
    struct fixture *f = *state;
    (void)diag_add(&f->diags, DIAG_ERROR, 101, (struct span){1, 1, 1}, "unknown key \"%s\"", "a");
    struct diag *again = diag_add(&f->diags, DIAG_ERROR, 101, (struct span){1, 1, 1}, "unknown key \"%s\"", "a");
    diag_help(&f->diags, again, "lost");
    (void)diag_add(&f->diags, DIAG_ERROR, 101, (struct span){1, 1, 1}, "unknown key \"%s\"", "b");
    (void)diag_add(&f->diags, DIAG_ERROR, 101, (struct span){0}, "no place");
    (void)diag_add(&f->diags, DIAG_ERROR, 101, (struct span){0}, "no place");
    assert_int_equal(f->diags.count, 4);
    assert_int_equal(f->diags.error_count, 4);
    assert_int_equal(f->diags.items[0].help.size, 0);
}

static void test_color(void **state)
{
    struct fixture *f = *state;
    struct diag *diag = diag_add(&f->diags, DIAG_ERROR, 101, (struct span){1, 1, 1}, "x");
    diag_help(&f->diags, diag, "y");
    struct diag_style style = {.color = true};
    diags_render(&f->diags, STR("a"), STR("f"), &style, &f->out);
    assert_string_equal(f->out.data, "\x1b[1;31merror[E0101]\x1b[0m: \x1b[1mx\x1b[0m\n"
                                     "  \x1b[34m-->\x1b[0m f:1:1\n"
                                     "\x1b[34m   |\x1b[0m\n"
                                     "\x1b[34m 1 |\x1b[0m a\n"
                                     "\x1b[34m   |\x1b[0m \x1b[1;31m^\x1b[0m\n"
                                     "   \x1b[36m= help:\x1b[0m y\n");
}

static void test_json(void **state)
{
    struct fixture *f = *state;
    struct diag *diag = diag_add(&f->diags, DIAG_ERROR, 101, (struct span){3, 5, 2}, "unknown key \"%s\"", "a\"\n");
    diag_help(&f->diags, diag, "h");
    (void)diag_add(&f->diags, DIAG_WARNING, 901, (struct span){0}, "w");
    diags_render_json(&f->diags, &f->out);
    assert_string_equal(
        f->out.data,
        "[{\"severity\":\"error\",\"code\":\"E0101\",\"message\":\"unknown key \\\"a\\\"\\n\\\"\",\"line\":3,"
        "\"column\":5,\"length\":2,\"help\":\"h\"},"
        "{\"severity\":\"warning\",\"code\":\"W0901\",\"message\":\"w\",\"line\":0,\"column\":0,\"length\":0}]");
}

static void test_to_error(void **state)
{
    static const struct {
        uint16_t code;
        int error;
    } cases[] = {
        {DIAG_CYCLE, ORCH_ERR_CYCLE},
        {DIAG_SELF_DEPENDENCY, ORCH_ERR_CYCLE},
        {DIAG_UNKNOWN_TASK, ORCH_ERR_DEPENDENCY},
        {DIAG_UNKNOWN_KEY, ORCH_ERR_INVALID},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        diags_init(&f->diags, &f->arena);
        (void)diag_add(&f->diags, DIAG_WARNING, 901, (struct span){1, 1, 1}, "w");
        (void)diag_add(&f->diags, DIAG_ERROR, DIAG_BAD_NAME, (struct span){9, 1, 1}, "later");
        struct diag *diag = diag_add(&f->diags, DIAG_ERROR, cases[i].code, (struct span){3, 5, 2}, "first");
        diag_help(&f->diags, diag, "mend");
        struct orch_error err = ORCH_ERROR_INIT;
        assert_int_equal(diags_to_error(&f->diags, STR("etl.yaml"), &err), cases[i].error);
        assert_string_equal(err.message, "first (and 1 more)");
        assert_string_equal(err.hint, "mend");
        assert_string_equal(err.file, "etl.yaml");
        assert_int_equal(err.line, 3);
        assert_int_equal(err.column, 5);
        assert_int_equal(diags_to_error(&f->diags, STR("etl.yaml"), NULL), cases[i].error);
    }
    diags_init(&f->diags, &f->arena);
    assert_int_equal(diags_to_error(&f->diags, STR("f"), NULL), 0);
}

static void test_codes(void **state)
{
    (void)state;
    assert_string_equal(diag_code_title(201), "tasks wait for each other");
    assert_null(diag_code_title(1));
    struct diag diag = {.code = 7, .severity = DIAG_WARNING};
    char text[8];
    diag_code_format(&diag, text);
    assert_string_equal(text, "W0007");
}

/* Memory that ends somewhere: never a crash, and it is said. */
static void test_memory_short(void **state)
{
    (void)state;
    for (size_t size_max = 0; size_max < 8192; size_max += 512) {
        struct arena arena;
        arena_init(&arena, NULL, size_max ? size_max : 1);
        struct diags diags;
        diags_init(&diags, &arena);
        char long_text[3000];
        memset(long_text, 'x', sizeof(long_text) - 1);
        long_text[sizeof(long_text) - 1] = '\0';
        for (uint32_t i = 0; i < 4; i++) {
            struct diag *diag = diag_add(&diags, DIAG_ERROR, 101, (struct span){i + 1, 1, 1}, "%s", long_text);
            diag_help(&diags, diag, "help");
        }
        assert_true(diags.failed);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_form),
        T(test_gutter_grows),
        T(test_without_place),
        T(test_carets),
        T(test_long_line),
        T(test_long_span),
        T(test_outside_text_is_filtered),
        T(test_sorted_and_capped),
        T(test_more_than_kept),
        T(test_same_finding_once),
        T(test_color),
        T(test_json),
        T(test_to_error),
        T(test_codes),
        T(test_memory_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
