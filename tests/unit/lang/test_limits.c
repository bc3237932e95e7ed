/* test_limits.c - findings whose definitions would be too large to keep as files. */
#include "lang/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lang/diag_codes.h"
#include "lang/doc.h"

struct fixture {
    struct arena arena;
    struct diags diags;
    struct buf text;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    arena_init(&f->arena, NULL, 0);
    diags_init(&f->diags, &f->arena);
    buf_init(&f->text, NULL, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buf_done(&f->text);
    arena_done(&f->arena);
    free(f);
    return 0;
}

static void read_text(struct fixture *f)
{
    const struct workflow *workflow = NULL;
    assert_false(f->text.failed);
    assert_true(workflow_read(buf_str(&f->text), STR_NONE, &f->arena, &f->diags, &workflow) < 0);
    assert_null(workflow);
}

static void test_too_many_tasks(void **state)
{
    struct fixture *f = *state;
    buf_add_text(&f->text, "{\"tasks\":[{}");
    for (int i = 0; i < 2000000; i++) buf_add_text(&f->text, ",{}");
    buf_add_text(&f->text, "]}");
    read_text(f);
    assert_int_equal(f->diags.error_count, 1);
    assert_int_equal(f->diags.items[0].code, DIAG_TOO_MANY_TASKS);
}

static void test_document_limits(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        struct doc_limits limits;
        uint16_t code;
    } cases[] = {
        {"[1, 2, 3]", {.size_max = 8}, DIAG_SIZE},        {"[1, 2, 3]", {.nodes_max = 2}, DIAG_SIZE},
        {"- 1\n- 2\n- 3\n", {.nodes_max = 2}, DIAG_SIZE}, {"- - - 1\n", {.depth_max = 2}, DIAG_DEPTH},
        {"[[[1]]]", {.depth_max = 2}, DIAG_DEPTH},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct doc_node *root = NULL;
        diags_init(&f->diags, &f->arena);
        assert_int_equal(doc_parse(str_from(cases[i].text), &cases[i].limits, &f->arena, &f->diags, &root),
                         ORCH_ERR_LIMIT);
        assert_int_equal(f->diags.count, 1);
        assert_int_equal(f->diags.items[0].code, cases[i].code);
    }
}

/* A dense graph in which thousands ask for a task that is not before them: bounded work, and it is said that it was. */
static void test_names_not_checked(void **state)
{
    struct fixture *f = *state;
    buf_add_text(&f->text, "tasks:\n  lone: {noop: {}}\n");
    const uint32_t layers = 200, wide = 60;
    for (uint32_t layer = 0; layer < layers; layer++) {
        for (uint32_t i = 0; i < wide; i++) {
            buf_printf(&f->text, "  t%u_%u: {transform: %s", layer, i, layer > 150 ? "lone.output" : "1");
            for (uint32_t k = 0; layer > 0 && k < wide; k++) {
                buf_printf(&f->text, "%st%u_%u", k == 0 ? ", depends_on: [" : ", ", layer - 1, k);
            }
            buf_add_text(&f->text, layer > 0 ? "]}\n" : "}\n");
        }
    }
    read_text(f);
    assert_true(f->diags.error_count > 100);
    assert_true(f->diags.error_count < 49 * wide);
    for (uint32_t i = 0; i < f->diags.count; i++) assert_int_equal(f->diags.items[i].code, DIAG_TASK_NOT_BEFORE);
    assert_int_equal(f->diags.warning_count, 1); /* which gave its place to an error */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_too_many_tasks),
        T(test_document_limits),
        T(test_names_not_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
