/* test_parameters.c - given parameters against declared ones. */
#include "lang/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lang/diag_codes.h"

struct fixture {
    struct arena arena, texts;
    struct diags diags;
    struct buf out;
    const struct workflow *workflow;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    arena_init(&f->arena, NULL, 0);
    arena_init(&f->texts, NULL, 0);
    buf_init(&f->out, NULL, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buf_done(&f->out);
    arena_done(&f->arena);
    arena_done(&f->texts);
    free(f);
    return 0;
}

static void declare(struct fixture *f, const char *parameters)
{
    struct orch_str text = arena_printf(&f->arena, "parameters: {%s}\ntasks: {}\n", parameters);
    diags_init(&f->diags, &f->texts);
    int r = workflow_read(text, STR_NONE, &f->arena, &f->diags, &f->workflow);
    if (r) print_message("%s: %.*s\n", parameters, STR_ARG(f->diags.items[0].message));
    assert_int_equal(r, 0);
}

/* The result as JSON, or "E0406 message (hint)". */
static const char *ask(struct fixture *f, const char *given, bool from_text)
{
    struct value value, all;
    struct orch_error err = ORCH_ERROR_INIT;
    assert_int_equal(json_parse(str_from(given), NULL, &f->arena, &value, NULL), 0);
    diags_init(&f->diags, &f->texts);
    buf_clear(&f->out);
    int r = workflow_parameters(f->workflow, value, from_text, &f->arena, &f->diags, &all, &err);
    if (r == 0) {
        json_format(all, 0, &f->out);
    } else {
        assert_int_equal(r, ORCH_ERR_INVALID);
        assert_true(f->diags.count > 0);
        assert_true(str_is(f->diags.items[0].message, err.message));
        buf_printf(&f->out, "E%04d %s%s%s%s", f->diags.items[0].code, err.message, err.hint[0] ? " (" : "", err.hint,
                   err.hint[0] ? ")" : "");
        if (f->diags.error_count > 1) buf_printf(&f->out, " +%u", f->diags.error_count - 1);
    }
    return f->out.data;
}

static void test_given(void **state)
{
    static const struct {
        const char *declared, *given;
        bool from_text;
        const char *expected;
    } cases[] = {
        {"", "{}", false, "{}"},
        {"", "null", false, "{}"},
        {"a: {}", "{}", false, "{\"a\":null}"},
        {"a: {default: 5}, b: {default: [1]}", "{\"b\":2}", false, "{\"a\":5,\"b\":2}"},
        {"b: {}, a: {}", "{\"a\":1,\"b\":2}", false, "{\"b\":2,\"a\":1}"},
        {"a: {required: true}", "{}", false, "E0402 parameter a: required, and not given (give it a value:  -p a=VALUE)"},
        {"a: {required: true, type: string}", "{\"a\":null}", false, "E0402 parameter a: required, and not given (give it a value:  -p a=VALUE)"},
        {"a: {required: true, default: 1}", "{}", false, "{\"a\":1}"},
        {"day: {}", "{\"dya\":1}", false,
         "E0401 parameter dya: the workflow has no such parameter (did you mean \"day\"?)"},
        {"", "{\"x\":1}", false,
         "E0401 parameter x: the workflow has no such parameter (the workflow has no parameters)"},
        {"a: {type: integer}, b: {type: integer, required: true}", "{\"a\":\"x\"}", false,
         "E0406 parameter a: expected integer, got \"x\" +1"},
        /* types */
        {"a: {type: string}", "{\"a\":1}", false, "E0406 parameter a: expected string, got 1"},
        {"a: {type: integer}", "{\"a\":1.5}", false, "E0406 parameter a: expected integer, got 1.5"},
        {"a: {type: integer}", "{\"a\":18446744073709551615}", false, "{\"a\":18446744073709551615}"},
        {"a: {type: number}", "{\"a\":1.5}", false, "{\"a\":1.5}"},
        {"a: {type: boolean}", "{\"a\":\"true\"}", false, "E0406 parameter a: expected boolean, got \"true\""},
        {"a: {type: list}", "{\"a\":{}}", false, "E0406 parameter a: expected list, got {}"},
        {"a: {type: map}", "{\"a\":{\"x\":[1]}}", false, "{\"a\":{\"x\":[1]}}"},
        {"a: {type: array}, b: {type: object}, c: {type: int}, d: {type: float}, e: {type: str}, f: {type: bool}",
         "{\"a\":[],\"b\":{},\"c\":1,\"d\":1.5,\"e\":\"\",\"f\":true}", false,
         "{\"a\":[],\"b\":{},\"c\":1,\"d\":1.5,\"e\":\"\",\"f\":true}"},
        /* bounds */
        {"a: {type: integer, min: 2, max: 4}", "{\"a\":1}", false, "E0407 parameter a: at least 2, got 1"},
        {"a: {type: integer, min: 2, max: 4}", "{\"a\":5}", false, "E0407 parameter a: at most 4, got 5"},
        {"a: {type: number, max: 0.5}", "{\"a\":0.75}", false, "E0407 parameter a: at most 0.5, got 0.75"},
        {"a: {type: string, min: 2}", "{\"a\":\"\xC3\xA9\"}", false,
         "E0407 parameter a: at least 2 characters, got \"\xC3\xA9\""},
        {"a: {type: list, max: 1}", "{\"a\":[1,2]}", false, "E0407 parameter a: at most 1 items, got [1,2]"},
        /* choices and patterns */
        {"a: {enum: [x, 2]}", "{\"a\":2.0}", false, "{\"a\":2.0}"},
        {"a: {enum: [x, 2]}", "{\"a\":\"y\"}", false, "E0409 parameter a: \"y\" is none of \"x\", 2"},
        {"a: {type: string, pattern: '^\\d+$'}", "{\"a\":\"12\"}", false, "{\"a\":\"12\"}"},
        {"a: {type: string, pattern: '^\\d+$'}", "{\"a\":\"12x\"}", false,
         "E0408 parameter a: \"12x\" does not match ^\\d+$"},
        {"a: {type: string, pattern: 'b\"\\\\'}", "{\"a\":\"ab\\\"\\\\c\"}", false, "{\"a\":\"ab\\\"\\\\c\"}"},
        /* the command line */
        {"a: {type: integer}", "{\"a\":\"12\"}", true, "{\"a\":12}"},
        {"a: {type: integer}", "{\"a\":\"12a\"}", true, "E0406 parameter a: expected integer, got \"12a\""},
        {"a: {type: integer}", "{\"a\":\"9223372036854775808\"}", true,
         "E0406 parameter a: expected integer, got \"9223372036854775808\""},
        {"a: {type: number}, b: {type: number}", "{\"a\":\"12\",\"b\":\"1e-1\"}", true, "{\"a\":12,\"b\":0.1}"},
        {"a: {type: boolean}, b: {type: boolean}", "{\"a\":\"yes\",\"b\":\"false\"}", true, "{\"a\":true,\"b\":false}"},
        {"a: {type: boolean}", "{\"a\":\"maybe\"}", true, "E0406 parameter a: expected boolean, got \"maybe\""},
        {"a: {type: list}, b: {type: map}", "{\"a\":\"[1, 2]\",\"b\":\"{\\\"x\\\":1}\"}", true,
         "{\"a\":[1,2],\"b\":{\"x\":1}}"},
        {"a: {type: list}", "{\"a\":\"1,2\"}", true, "E0406 parameter a: expected list, got \"1,2\""},
        {"a: {type: string}, b: {}", "{\"a\":\"12\",\"b\":\"12\"}", true, "{\"a\":\"12\",\"b\":\"12\"}"},
        /* long values are cut in messages, not within a character */
        {"a: {type: integer}",
         "{\"a\":"
         "\"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
         "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\"}",
         false,
         "E0406 parameter a: expected integer, got "
         "\"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
         "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9..."},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        declare(f, cases[i].declared);
        assert_string_equal(ask(f, cases[i].given, cases[i].from_text), cases[i].expected);
    }
}

static void test_no_map(void **state)
{
    struct fixture *f = *state;
    struct value all;
    struct orch_error err = ORCH_ERROR_INIT;
    declare(f, "a: {}");
    assert_int_equal(workflow_parameters(f->workflow, value_int(1), false, &f->arena, NULL, &all, &err),
                     ORCH_ERR_INVALID);
    assert_int_equal(err.code, ORCH_ERR_INVALID);
}

/* A pattern that takes for ever is bounded, and said so. */
static void test_slow_pattern(void **state)
{
    struct fixture *f = *state;
    declare(f, "a: {type: string, pattern: '^(a+)+$'}");
    buf_clear(&f->out);
    buf_add_text(&f->out, "{\"a\":\"");
    for (int i = 0; i < 60; i++) buf_add_char(&f->out, 'a');
    buf_add_text(&f->out, "b\"}");
    struct orch_str given = arena_str(&f->arena, buf_str(&f->out));
    const char *answer = ask(f, given.data, false);
    assert_true(str_starts_with(str_from(answer), STR("E0408 parameter a: ")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_given, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_map, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_pattern, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
