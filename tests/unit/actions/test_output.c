/*
 * test_output.c - lines, progress and values from what a process wrote.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "actions/output.h"
#include "base/error.h"

static void test_values(void **state)
{
    static const struct {
        const char *file, *out, *value;
    } table[] = {
        {"", "", ""},
        {"", " \n\n", ""},
        {"", "hello\n", "\"hello\""},
        {"", "  two\nlines \n", "\"two\\nlines\""},
        {"", "12\n", "12"},
        {"", "1.50", "1.50"},
        {"", "007", "\"007\""},
        {"", "true", "true"},
        {"", "null", "null"},
        {"", "\"text\"\n", "\"text\""},
        {"", "{\"a\": 1}\n", "{\"a\": 1}"},
        {"", "{\n \"a\": [1,\n 2]\n}\n", "{\"a\":[1,2]}"},
        {"", "step 1\nstep 2\n{\"a\":1}\n\n", "{\"a\":1}"},
        {"", "step 1\n[1]", "[1]"},
        {"", "step 1\n42\n", "\"step 1\\n42\""}, /* only objects and lists count as a last line */
        {"", "{\"a\":1}\ndone\n", "\"{\\\"a\\\":1}\\ndone\""},
        {"", "{\"a\":1,\"a\":2}", "\"{\\\"a\\\":1,\\\"a\\\":2}\""},
        {"", "bad \xFF byte", "\"bad \xEF\xBF\xBD byte\""},
        {"", "\x01", "\"\\u0001\""},
        {"{\"f\":1}", "ignored\n[1]", "{\"f\":1}"},
        {"{\n\"f\":1}\n", "", "{\"f\":1}"},
        {" text \n", "{}", "\"text\""},
        {" \n", "5", "5"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct arena arena;
        struct output_capture capture = {0};
        struct orch_str value = STR("?"), remark = STR_NONE;

        arena_init(&arena, NULL, 0);
        buf_init(&capture.kept, NULL, OUTPUT_STDOUT_MAX + 1);
        output_capture_add(&capture, str_from(table[i].out), false);
        assert_int_equal(output_parse(str_from(table[i].file), &capture, &arena, &value, &remark, NULL), 0);
        if (!str_is(value, table[i].value))
            fail_msg("<%s> <%s> gave <%.*s>", table[i].file, table[i].out, STR_ARG(value));
        assert_int_equal(remark.size, 0);
        buf_done(&capture.kept);
        arena_done(&arena);
    }
    (void)state;
}

/* Beyond what is kept only a last line of JSON is a value, and the log is told when there is none. */
/* JSON that is too much for expressions is a text, and the log says so; a last line of JSON counts all the same. */
static void test_too_much_json(void **state)
{
    static const struct {
        const char *before; /* what is repeated 1,000,001 times */
        const char *after;
        bool to_file, is_text;
    } table[] = {{"0,", "0]", true, true}, {"[", "", true, true}, {"[", "", false, true}, {"[", "\n{\"a\":1}", false, false}};

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct output_capture capture = {.overflowed = false};
        struct arena arena;
        struct buf text;
        struct orch_str value = STR_NONE, remark = STR_NONE;

        arena_init(&arena, NULL, 0);
        buf_init(&text, NULL, 0);
        buf_init(&capture.kept, NULL, 0);
        buf_add_char(&text, '[');
        for (int n = 0; n < (table[i].to_file ? 1000001 : 1000); n++) buf_add_text(&text, table[i].before);
        buf_add_text(&text, table[i].after);
        if (!table[i].to_file) buf_add(&capture.kept, buf_str(&text));
        assert_int_equal(output_parse(table[i].to_file ? buf_str(&text) : STR_NONE, &capture, &arena, &value, &remark, NULL), 0);
        if (table[i].is_text) {
            assert_int_equal(value.size, text.size + 2);
            assert_int_equal(value.data[0], '"');
            assert_true(str_find(remark, STR("taken as text"), 0) != SIZE_MAX);
        } else {
            assert_true(str_is(value, "{\"a\":1}"));
            assert_int_equal(remark.size, 0);
        }
        buf_done(&capture.kept);
        buf_done(&text);
        arena_done(&arena);
    }
    (void)state;
}

static void test_capture_bound(void **state)
{
    static const struct {
        size_t lines, line_size;
        const char *last, *value;
    } table[] = {
        {20000, 100, "{\"n\":1}", "{\"n\":1}"}, {20000, 100, "plain", ""},
        {1, 2 << 20, "{\"n\":1}", "{\"n\":1}"}, {1, 2 << 20, "", ""},
        {1, (1 << 20) - 20, "[1]", NULL},       {3, 700000, "[2]", "[2]"},
    };
    char *line = malloc(3 << 20);

    assert_non_null(line);
    memset(line, 'x', 3 << 20);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct arena arena;
        struct output_capture capture = {0};
        struct orch_str value, remark = STR_NONE;

        arena_init(&arena, NULL, 0);
        buf_init(&capture.kept, NULL, OUTPUT_STDOUT_MAX + 1);
        for (size_t j = 0; j < table[i].lines; j++) {
            size_t left = table[i].line_size;

            for (; left > 65536; left -= 65536) output_capture_add(&capture, str_of(line, 65536), false);
            output_capture_add(&capture, str_of(line, left), true);
        }
        output_capture_add(&capture, str_from(table[i].last), true);
        assert_true(capture.kept.size <= OUTPUT_STDOUT_MAX && !capture.kept.failed);
        assert_int_equal(output_parse(STR_NONE, &capture, &arena, &value, &remark, NULL), 0);
        if (table[i].value) {
            if (!str_is(value, table[i].value)) fail_msg("%zu: <%.100s>", i, value.data);
            assert_int_equal(remark.size > 0, table[i].value[0] == '\0');
        } else { /* it just fits */
            assert_true(str_is(value, "[1]") && !capture.overflowed);
        }
        buf_done(&capture.kept);
        arena_done(&arena);
    }
    free(line);
    (void)state;
}

static void test_progress(void **state)
{
    static const struct {
        const char *line;
        double fraction; /* negative: no directive */
        const char *text;
    } table[] = {
        {"::orch progress 3/10 text here", 0.3, "text here"},
        {"::orch progress 42% x", 0.42, "x"},
        {"::orch progress 100%", 1, ""},
        {"::orch progress 12/10", 1, ""},
        {"::orch progress 0/5", 0, ""},
        {"::orch progress 1.5/3 half", 0.5, "half"},
        {"::orch progress 0.5% tiny", 0.005, "tiny"},
        {"::orch progress", -1, ""},
        {"::orch progress ", -1, ""},
        {"::orch progress 5", -1, ""},
        {"::orch progress 1/0", -1, ""},
        {"::orch progress a/b", -1, ""},
        {"::orch progress 1/2x", -1, ""},
        {" ::orch progress 1/2", -1, ""},
        {"::orch other 1/2", -1, ""},
        {"::orch progress -1/2", -1, ""},
        {"::orch progress 1.2.3/4", -1, ""},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        double fraction = -1;
        struct orch_str text = STR_NONE;
        bool is = output_parse_progress(str_from(table[i].line), &fraction, &text);

        if (is != (table[i].fraction >= 0)) fail_msg("<%s>", table[i].line);
        if (!is) continue;
        if (fraction < table[i].fraction - 1e-9 || fraction > table[i].fraction + 1e-9)
            fail_msg("<%s> %f", table[i].line, fraction);
        assert_true(str_is(text, table[i].text));
    }
    (void)state;
}

struct seen {
    struct buf text;
};

static void see(void *user, struct orch_str text, bool is_whole)
{
    struct seen *seen = user;

    if (text.size > 100)
        buf_printf(&seen->text, "%zu bytes", text.size);
    else
        buf_add(&seen->text, text);
    buf_add_text(&seen->text, is_whole ? "|" : "~");
}

struct secret_seen {
    int times;
    size_t bytes;
};

static void see_secret(void *user, struct orch_str text, bool is_whole)
{
    struct secret_seen *seen = user;

    (void)is_whole;
    seen->times += str_find(text, STR("top-secret"), 0) != SIZE_MAX;
    seen->bytes += text.size;
}

static void test_lines(void **state)
{
    struct output_lines lines = {0};
    struct seen seen;
    static char big[200000];

    buf_init(&lines.partial, NULL, OUTPUT_LINE_MAX);
    buf_init(&seen.text, NULL, 0);
    static const char *const pieces[] = {"one\ntw", "o\n", "\n", "thr", "ee", "\nfour"};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
        output_lines_feed(&lines, pieces[i], strlen(pieces[i]), see, &seen);
    assert_false(lines.was_split);
    output_lines_finish(&lines, see, &seen);
    assert_string_equal(seen.text.data, "one|two||three|four~");

    buf_clear(&seen.text);
    lines = (struct output_lines){0};
    buf_init(&lines.partial, NULL, OUTPUT_LINE_MAX);
    memset(big, 'y', sizeof(big));
    big[150000] = '\n';
    for (size_t at = 0; at < sizeof(big); at += 1000) output_lines_feed(&lines, big + at, 1000, see, &seen);
    assert_true(lines.was_split);
    output_lines_finish(&lines, see, &seen);
    assert_string_equal(seen.text.data, "65536 bytes~65536 bytes~18928 bytes|49999 bytes~");

    /* A secret across the bound stays in one piece. */
    const struct orch_str secrets[] = {STR("top-secret")};
    struct secret_seen hidden = {0};

    for (size_t at = OUTPUT_LINE_MAX - 12; at < OUTPUT_LINE_MAX + 3; at++) {
        lines = (struct output_lines){.secrets = secrets, .secrets_count = 1};
        buf_init(&lines.partial, NULL, OUTPUT_LINE_MAX);
        memset(big, 'y', sizeof(big));
        memcpy(big + at, "top-secret", 10);
        hidden = (struct secret_seen){0};
        for (size_t from = 0; from < sizeof(big); from += 777) {
            output_lines_feed(&lines, big + from, sizeof(big) - from < 777 ? sizeof(big) - from : 777, see_secret,
                              &hidden);
        }
        output_lines_finish(&lines, see_secret, &hidden);
        assert_int_equal(hidden.times, 1);
        assert_int_equal(hidden.bytes, sizeof(big));
    }
    buf_done(&seen.text);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_too_much_json), cmocka_unit_test(test_capture_bound),
                                       cmocka_unit_test(test_progress), cmocka_unit_test(test_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
