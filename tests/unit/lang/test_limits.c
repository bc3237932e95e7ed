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

/* Written out they would be a file of 80 MB, and the document ten times that: here all tasks share one list. */
static void test_too_many_dependencies(void **state)
{
    struct fixture *f = *state;
    const uint32_t shared = 100000, tasks = 201;
    const struct workflow *workflow = NULL;
    const struct doc_node *root = NULL;
    buf_add_text(&f->text, "{\"tasks\":{\"b\":{\"noop\":null},\"t0\":{\"noop\":null,\"depends_on\":[\"b\"");
    for (uint32_t i = 1; i < shared; i++) buf_add_text(&f->text, ",\"b\"");
    for (uint32_t i = 1; i < tasks; i++) buf_printf(&f->text, "]},\"t%u\":{\"noop\":null,\"depends_on\":[", i);
    buf_add_text(&f->text, "]}}}");
    assert_int_equal(doc_parse(buf_str(&f->text), NULL, &f->arena, &f->diags, &root), 0);
    const struct doc_node *map = doc_get(root, STR("tasks"));
    const struct doc_node *list = doc_get(&map->members[1].value, STR("depends_on"));
    assert_int_equal(list->count, shared);
    for (uint32_t i = 1; i < tasks; i++)
        *(struct doc_node *)doc_get(&map->members[1 + i].value, STR("depends_on")) = *list;
    assert_true(workflow_read_doc(root, STR_NONE, &f->arena, &f->diags, &workflow) < 0);
    assert_null(workflow);
    assert_int_equal(f->diags.error_count, 1);
    assert_int_equal(f->diags.items[0].code, DIAG_TOO_MANY_EDGES);
    assert_true(str_is(f->diags.items[0].message, "more than 20000000 dependencies"));
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

/*
 * Layers of 60 tasks, each waiting for all of the layer before; in the last ones all ask for the lone task. It is
 * before none, or before the first task of the first layer alone, which is then found on no shorter way than through
 * all layers.
 */
static void add_dense_graph(struct buf *text, bool lone_is_before)
{
    const uint32_t layers = 200, wide = 60;
    buf_add_text(text, "tasks:\n  lone: {noop: {}}\n  p: {noop: {}}\n  q: {noop: {}, depends_on: [p]}\n");
    for (uint32_t layer = 0; layer < layers; layer++) {
        for (uint32_t i = 0; i < wide; i++) {
            const char *what = layer <= 150 ? "1"
                               : lone_is_before
                                   ? "lone.output + lone.output + lone.output + lone.output + lone.output + "
                                     "lone.output + lone.output + lone.output + lone.output + lone.output"
                                   : "lone.output";
            buf_printf(text, "  t%u_%u: {transform: %s, depends_on: [", layer, i, what);
            if (layer == 0 && lone_is_before) buf_add_text(text, i == 0 ? "lone" : "q");
            for (uint32_t k = 0; layer > 0 && k < wide; k++) buf_printf(text, "%st%u_%u", k ? ", " : "", layer - 1, k);
            buf_add_text(text, "]}\n");
        }
    }
}

/* Thousands ask for a task that is not before them: bounded work, and it is said that it was. */
static void test_names_not_checked(void **state)
{
    struct fixture *f = *state;
    add_dense_graph(&f->text, false);
    read_text(f);
    assert_true(f->diags.error_count > 100);
    assert_true(f->diags.error_count < 49 * 60);
    for (uint32_t i = 0; i < f->diags.count; i++) assert_int_equal(f->diags.items[i].code, DIAG_TASK_NOT_BEFORE);
    assert_int_equal(f->diags.warning_count, 1); /* which gave its place to an error */
}

/* They may ask, and it is not found out of each: no error, and a word of it. */
static void test_names_not_checked_is_no_error(void **state)
{
    struct fixture *f = *state;
    const struct workflow *workflow = NULL;
    add_dense_graph(&f->text, true);
    assert_int_equal(workflow_read(buf_str(&f->text), STR_NONE, &f->arena, &f->diags, &workflow), 0);
    assert_int_equal(f->diags.count, 1);
    assert_int_equal(f->diags.items[0].code, DIAG_NOT_CHECKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_too_many_tasks),    T(test_too_many_dependencies),         T(test_document_limits),
        T(test_names_not_checked), T(test_names_not_checked_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
