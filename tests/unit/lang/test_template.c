/*
 * test_template.c - text and values with {{ expressions }} in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/error.h"
#include "lang/template.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char input[] = "{\"name\":\"Ada\",\"n\":3,\"d\":1.5,\"whole\":2.0,\"none\":null,\"yes\":true,\"list\":[1,"
                            "\"a\"],\"map\":{\"k\":\"v\"},"
                            "\"big\":18446744073709551615,\"quote\":\"\\\"\",\"braces\":\"{{ n }}\"}";

static int look_up(void *user, struct orch_str name, struct arena *arena, struct value *ret, struct orch_error *err)
{
    (void)arena;
    (void)err;
    const struct value *found = value_get(*(const struct value *)user, name);
    if (!found) return ORCH_ERR_NOT_FOUND;
    *ret = *found;
    return 0;
}

/* Compiles and renders a JSON value, and writes the answer as JSON. */
static int render(struct orch_str json, const struct expr_limits *limits, struct arena *arena, struct buf *out,
                  struct orch_error *err)
{
    struct arena data;
    struct value value, names, result;
    struct template tmpl;
    arena_init(&data, NULL, 0);
    assert_int_equal(json_parse(json, NULL, &data, &value, NULL), 0);
    assert_int_equal(json_parse(str_from(input), NULL, &data, &names, NULL), 0);
    int rc = template_compile(value, limits, arena, &tmpl, err);
    struct expr_env env = {.lookup = look_up, .user = &names, .now = INT64_C(1772344808312000), .limits = limits};
    if (rc == 0) rc = template_render(&tmpl, &env, arena, &result, err);
    if (rc == 0) json_format(result, 0, out);
    arena_done(&data);
    return rc;
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value; /* both JSON */
    } cases[] = {
        {"\"plain\"", "\"plain\""},
        {"\"\"", "\"\""},
        {"5", "5"},
        {"null", "null"},
        {"[1, {\"a\": 2.5}]", "[1,{\"a\":2.5}]"},
        /* A lone placeholder keeps the type. */
        {"\"{{ n }}\"", "3"},
        {"\"{{n}}\"", "3"},
        {"\"{{\\n n \\n}}\"", "3"},
        {"\"{{ d }}\"", "1.5"},
        {"\"{{ none }}\"", "null"},
        {"\"{{ yes }}\"", "true"},
        {"\"{{ list }}\"", "[1,\"a\"]"},
        {"\"{{ map }}\"", "{\"k\":\"v\"}"},
        {"\"{{ name }}\"", "\"Ada\""},
        {"\"{{ n + 1 }}\"", "4"},
        {"\"{{ list.map(x, {'v': x}) }}\"", "[{\"v\":1},{\"v\":\"a\"}]"},
        {"\"{{ now }}\"", "\"2026-03-01T06:00:08.312Z\""},
        /* In a text, values become text. */
        {"\"hi {{ name }}!\"", "\"hi Ada!\""},
        {"\"{{ name }} {{ n }}\"", "\"Ada 3\""},
        {"\"{{ name }}{{ n }}\"", "\"Ada3\""},
        {"\" {{ n }}\"", "\" 3\""},
        {"\"{{ n }}\\n\"", "\"3\\n\""},
        {"\"[{{ none }}]\"", "\"[]\""},
        {"\"{{ d }}, {{ whole }}\"", "\"1.5, 2.0\""},
        {"\"big {{ big }}\"", "\"big 18446744073709551615\""},
        {"\"yes: {{ yes }}\"", "\"yes: true\""},
        {"\"list: {{ list }}\"", "\"list: [1,\\\"a\\\"]\""},
        {"\"map: {{ map }}\"", "\"map: {\\\"k\\\":\\\"v\\\"}\""},
        {"\"at {{ now }}\"", "\"at 2026-03-01T06:00:08.312Z\""},
        {"\"for {{ duration('1.5s') }}\"", "\"for 1.5s\""},
        {"\"bytes {{ b'abc' }}\"", "\"bytes YWJj\""},
        {"\"type {{ type(n) }}\"", "\"type int\""},
        {"\"inf {{ 1.0 / 0.0 }} {{ 0.0 / 0.0 }}\"", "\"inf Infinity NaN\""},
        {"\"q {{ quote }}\"", "\"q \\\"\""},
        /* What a value holds is not read again. */
        {"\"{{ braces }}\"", "\"{{ n }}\""},
        {"\"x {{ braces }}\"", "\"x {{ n }}\""},
        /* Braces and quotes inside. */
        {"\"{{ '}}' }}\"", "\"}}\""},
        {"\"{{ \\\"{{\\\" }}\"", "\"{{\""},
        {"\"a {{ '{{' }} b\"", "\"a {{ b\""},
        {"\"{{ {'a': {'b': n}} }}\"", "{\"a\":{\"b\":3}}"},
        {"\"{{ {'a': {'b': n}}}}\"", "{\"a\":{\"b\":3}}"},
        {"\"{{ {'a': 1}.a }}{{ n }}\"", "\"13\""},
        {"\"{{ 'it\\\\'s' }}\"", "\"it's\""},
        {"\"{{ r'\\\\' }}\"", "\"\\\\\""},
        {"\"{{ '''a}}'b''' }}\"", "\"a}}'b\""},
        {"\"{{ size('a\\\\\\\"}}') }}\"", "4"},
        {"\"{ n } }} {\"", "\"{ n } }} {\""},
        {"\"{{{ 'a': 1 }}}\"", "{\"a\":1}"},
        /* Values all through. */
        {"[\"{{ n }}\", \"x{{ n }}\", 5, [\"{{ name }}\"]]", "[3,\"x3\",5,[\"Ada\"]]"},
        {"{\"a\": \"{{ n }}\", \"b\": {\"c\": [\"{{ list }}\"]}, \"d\": null}",
         "{\"a\":3,\"b\":{\"c\":[[1,\"a\"]]},\"d\":null}"},
        {"{\"{{ n }}\": 1}", "{\"{{ n }}\":1}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena;
        struct buf out;
        struct orch_error err = ORCH_ERROR_INIT;
        arena_init(&arena, NULL, 0);
        buf_init(&out, NULL, 0);
        if (render(str_from(cases[i].text), NULL, &arena, &out, &err) != 0)
            fail_msg("%s: %s", cases[i].text, err.message);
        assert_string_equal(out.data, cases[i].value);
        buf_done(&out);
        arena_done(&arena);
    }
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
        uint32_t column;
        int code;
    } cases[] = {
        {"\"{{ n\"", "placeholder is not closed", 1, ORCH_ERR_INVALID},
        {"\"ab {{ n }\"", "placeholder is not closed", 4, ORCH_ERR_INVALID},
        {"\"{{ n }} {{\"", "placeholder is not closed", 9, ORCH_ERR_INVALID},
        {"\"{{ {'a': 1 }}\"", "expected '}' or ','", 11, ORCH_ERR_INVALID},
        {"\"{{ 'abc }}\"", "string is not closed", 4, ORCH_ERR_INVALID},
        {"\"{{ it's }}\"", "string is not closed", 6, ORCH_ERR_INVALID},
        {"\"{{}}\"", "this placeholder is empty", 1, ORCH_ERR_INVALID},
        {"\"é {{  }}\"", "this placeholder is empty", 3, ORCH_ERR_INVALID},
        {"\"{{ 1 + }}\"", "unexpected end of the expression", 7, ORCH_ERR_INVALID},
        {"\"é {{ foo() }}\"", "unknown function 'foo'", 6, ORCH_ERR_INVALID},
        {"\"x {{ gone }}\"", "undeclared reference to 'gone'", 6, ORCH_ERR_EVALUATION},
        {"\"{{ n }} {{ map.x }}\"", "no such key: x", 16, ORCH_ERR_EVALUATION},
        {"{\"a\": \"{{ gone }}\"}", "in a: undeclared reference to 'gone'", 4, ORCH_ERR_EVALUATION},
        {"{\"a\": {\"b\": [1, \"{{ gone }}\"]}}", "in a.b[1]: undeclared reference to 'gone'", 4, ORCH_ERR_EVALUATION},
        {"[[\"{{ gone }}\"]]", "in [0][0]: undeclared reference to 'gone'", 4, ORCH_ERR_EVALUATION},
        {"{\"a\": [{\"b\": \"{{ 1 + }}\"}]}", "in a[0].b: unexpected end", 7, ORCH_ERR_INVALID},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena;
        struct buf out;
        struct orch_error err = ORCH_ERROR_INIT;
        arena_init(&arena, NULL, 0);
        buf_init(&out, NULL, 0);
        int rc = render(str_from(cases[i].text), NULL, &arena, &out, &err);
        if (rc != cases[i].code || err.code != rc || !strstr(err.message, cases[i].message) ||
            err.column != cases[i].column)
            fail_msg("%s: %d @%u %s", cases[i].text, rc, err.column, err.message);
        buf_done(&out);
        arena_done(&arena);
    }
}

static int note_column(void *user, const struct template_part *part)
{
    struct buf *out = user;
    buf_printf(out, "%.*s@%u;", STR_ARG(expr_source(part->expr)), part->column);
    return str_is(expr_source(part->expr), "stop") ? 7 : 0;
}

static void test_each_expr(void **state)
{
    (void)state;
    static const struct {
        const char *text, *found;
        int rc;
    } cases[] = {
        {"\"none\"", "", 0},
        {"\"{{ a }}\"", "a@4;", 0},
        {"\"é{{a}} {{ b.c }}\"", "a@4;b.c@11;", 0},
        {"{\"x\": [\"{{ a }}\", {\"y\": \"-{{ b }}\"}], \"z\": \"{{ c }}\"}", "a@4;b@5;c@4;", 0},
        {"[\"{{ a }}\", \"{{ stop }} {{ b }}\", \"{{ c }}\"]", "a@4;stop@4;", 7},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena;
        struct buf out;
        struct value value;
        struct template tmpl;
        arena_init(&arena, NULL, 0);
        buf_init(&out, NULL, 0);
        assert_int_equal(json_parse(str_from(cases[i].text), NULL, &arena, &value, NULL), 0);
        assert_int_equal(template_compile(value, NULL, &arena, &tmpl, NULL), 0);
        assert_int_equal(template_each_expr(&tmpl, note_column, &out), cases[i].rc);
        assert_string_equal(out.data ? out.data : "", cases[i].found);
        buf_done(&out);
        arena_done(&arena);
    }
}

static void test_kinds(void **state)
{
    (void)state;
    struct arena arena;
    struct template tmpl;
    arena_init(&arena, NULL, 0);
    assert_false(template_is_in(STR("a { b } {")));
    assert_true(template_is_in(STR("a {{ b")));
    assert_int_equal(template_compile_text(STR("abc"), NULL, &arena, &tmpl, NULL), 0);
    assert_int_equal(tmpl.kind, TEMPLATE_VALUE);
    assert_int_equal(template_compile_text(STR("{{ a }}"), NULL, &arena, &tmpl, NULL), 0);
    assert_int_equal(tmpl.kind, TEMPLATE_EXPR);
    assert_int_equal(template_compile_text(STR("{{ a }}b{{ c }}"), NULL, &arena, &tmpl, NULL), 0);
    assert_int_equal(tmpl.kind, TEMPLATE_TEXT);
    assert_int_equal(tmpl.count, 3);
    arena_done(&arena);
}

static void test_limits(void **state)
{
    (void)state;
    struct arena arena;
    struct buf out;
    struct orch_error err = ORCH_ERROR_INIT;
    struct expr_limits limits = {.result_max = 1000};
    char json[600], *at = stpcpy(json, "\"");
    for (int i = 0; i < 40; i++) at = stpcpy(at, "{{ list }}...");
    stpcpy(at, "\"");
    arena_init(&arena, NULL, 0);
    buf_init(&out, NULL, 0);
    limits.result_max = 300;
    assert_int_equal(render(str_from(json), &limits, &arena, &out, &err), ORCH_ERR_LIMIT);
    limits.result_max = 1000;
    assert_int_equal(render(str_from(json), &limits, &arena, &out, &err), 0);
    buf_done(&out);
    arena_done(&arena);
}

/* ---- memory ---- */

struct counter {
    size_t allowed;
    size_t live;
};

static void *count_resize(void *user, void *block, size_t size_old, size_t size_new)
{
    struct counter *counter = user;
    if (size_new > size_old) {
        if (counter->allowed == 0) return NULL;
        counter->allowed--;
    }
    counter->live += size_new - size_old;
    if (size_new == 0) {
        free(block);
        return NULL;
    }
    void *moved = realloc(block, size_new);
    assert_non_null(moved);
    return moved;
}

static void test_memory_short(void **state)
{
    (void)state;
    static const char text[] = "{\"a\": \"{{ n }} and {{ now }} for {{ duration('5s') }} {{ list }}\", \"b\": [\"{{ "
                               "map }}\", {\"c\": \"{{ name + '!' }}\"}]}";
    int rc = ORCH_ERR_NO_MEMORY;
    size_t n = 0;
    for (; rc == ORCH_ERR_NO_MEMORY && n < 10000; n++) {
        struct counter counter = {.allowed = n};
        struct orch_allocator allocator = {count_resize, &counter};
        struct arena arena;
        struct buf out;
        struct orch_error err = ORCH_ERROR_INIT;
        arena_init(&arena, &allocator, 0);
        arena.block_size = 64;
        buf_init(&out, NULL, 0);
        rc = render(str_from(text), NULL, &arena, &out, &err);
        assert_int_equal(rc, err.code);
        buf_done(&out);
        arena_done(&arena);
        assert_int_equal(counter.live, 0);
    }
    assert_int_equal(rc, 0);
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_errors), cmocka_unit_test(test_each_expr),
        cmocka_unit_test(test_kinds),  cmocka_unit_test(test_limits), cmocka_unit_test(test_memory_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
