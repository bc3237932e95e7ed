/* test_parameters.c - what an execution is given beside what the workflow declares. */
#include "lang/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const char definition[] = "parameters:\n"
                                 "  count: {type: integer, min: 1, max: 10, default: 3}\n"
                                 "  day: {type: string, pattern: '^\\d{4}-\\d\\d-\\d\\d$', required: true}\n"
                                 "  stage: {type: string, enum: [test, prod], default: test}\n"
                                 "  ratio: {type: number}\n"
                                 "  dry: {type: boolean, default: false}\n"
                                 "  files: {type: list, max: 2}\n"
                                 "  labels: {type: map}\n"
                                 "  note: {type: string, min: 2, max: 4}\n"
                                 "  free: {}\n"
                                 "tasks: {a: {exec: [./a]}}\n";

static const struct {
    const char *given;
    bool from_text;
    const char *expected; /* the values as JSON, or the findings */
} cases[] = {
    {"{'day':'2026-03-01'}", false,
     "{'count':3,'day':'2026-03-01','stage':'test','ratio':null,'dry':false,'files':null,'labels':null,'note':null,'"
     "free':null}"},
    {"{'day':'2026-03-01','count':'7','ratio':'0.5','dry':'true','files':'[1,2]','labels':'{\\'a\\':1}','note':'abc','"
     "free':'x'}",
     true,
     "{'count':7,'day':'2026-03-01','stage':'test','ratio':0.5,'dry':true,'files':[1,2],'labels':{'a':1},'note':'abc','"
     "free':'x'}"},
    {"{}", false, "E0402 parameter day: required, and not given (give it a value:  -p day=VALUE)"},
    {"null", false, "E0402 parameter day: required, and not given (give it a value:  -p day=VALUE)"},
    {"{'day':'2026-03-01','dya':1}", false,
     "E0401 parameter dya: the workflow has no such parameter (did you mean 'day'?)"},
    {"{'day':'2026-03-01','count':'7'}", false, "E0406 parameter count: expected integer, got '7'"},
    {"{'day':'2026-03-01','count':'12a'}", true, "E0406 parameter count: expected integer, got '12a'"},
    {"{'day':'2026-03-01','count':1.5}", false, "E0406 parameter count: expected integer, got 1.5"},
    {"{'day':'2026-03-01','files':{}}", false, "E0406 parameter files: expected list, got {}"},
    {"{'day':'2026-03-01','dry':'maybe'}", true, "E0406 parameter dry: expected boolean, got 'maybe'"},
    {"{'day':'2026-03-01','count':0}", false, "E0407 parameter count: at least 1, got 0"},
    {"{'day':'2026-03-01','count':11}", false, "E0407 parameter count: at most 10, got 11"},
    {"{'day':'today'}", false, "E0408 parameter day: 'today' does not match ^\\d{4}-\\d\\d-\\d\\d$"},
    {"{'day':'2026-03-01','stage':'live'}", false, "E0409 parameter stage: 'live' is none of 'test', 'prod'"},
    {"{'stage':'live','count':0}", false,
     "E0407 parameter count: at least 1, got 0; E0402 parameter day: required, and not given (give it a value:  -p "
     "day=VALUE); "
     "E0409 parameter stage: 'live' is none of 'test', 'prod'"},
};

/* Quotes in the tables are single ones, to be readable. */
static char *quoted(const char *text)
{
    char *copy = strdup(text);
    for (char *c = copy; *c; c++) {
        if (*c == '\'') *c = '"';
    }
    return copy;
}

static void told(struct value given, bool from_text, const struct workflow *workflow, struct arena *arena,
                 struct buf *out)
{
    struct diags diags;
    diags_init(&diags, arena);
    struct value value;
    struct orch_error err = ORCH_ERROR_INIT;
    int rc = workflow_parameters(workflow, given, from_text, arena, &diags, &value, &err);
    buf_clear(out);
    if (rc == 0) {
        assert_int_equal(diags.count, 0);
        json_format(value, 0, out);
        return;
    }
    assert_int_equal(rc, ORCH_ERR_INVALID);
    assert_true(str_is(diags.items[0].message, err.message));
    for (uint32_t i = 0; i < diags.count; i++) {
        char code[8];
        diag_code_format(&diags.items[i], code);
        buf_printf(out, "%s%s %.*s", i > 0 ? "; " : "", code, STR_ARG(diags.items[i].message));
        if (diags.items[i].help.size > 0) buf_printf(out, " (%.*s)", STR_ARG(diags.items[i].help));
    }
}

static void test_cases(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct diags diags;
    diags_init(&diags, &arena);
    const struct workflow *workflow = NULL;
    assert_int_equal(workflow_read(str_from(definition), STR_NONE, &arena, &diags, &workflow), 0);
    struct buf out;
    buf_init(&out, NULL, 0);
    int failed = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *given = quoted(cases[i].given), *expected = quoted(cases[i].expected);
        struct value value;
        assert_int_equal(json_parse(str_from(given), NULL, &arena, &value, NULL), 0);
        told(value, cases[i].from_text, workflow, &arena, &out);
        char *got = quoted(out.data);
        if (strcmp(got, expected) != 0) {
            failed++;
            print_error("given:    %s\nexpected: %s\ntold:     %s\n", given, expected, got);
        }
        free(given);
        free(expected);
        free(got);
    }
    buf_done(&out);
    arena_done(&arena);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
