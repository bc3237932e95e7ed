/* test_graph.c - linking a block: rows, order, levels, ranks, and what is wrong with a graph. */
#include "lang/read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lang/diag_codes.h"
#include "lang/reach.h"

struct fixture {
    struct arena arena, scratch;
    struct diags diags;
    struct workflow workflow;
    struct block block;
    struct reading reading;
    struct reference *references;
    size_t count;
    struct buf out;
};

static void fixture_reset(struct fixture *f)
{
    arena_clear(&f->arena);
    arena_clear(&f->scratch);
    diags_init(&f->diags, &f->arena);
    f->workflow = (struct workflow){.arena = &f->arena, .source_file = STR("f.yaml")};
    f->block = (struct block){.workflow = &f->workflow};
    f->reading =
        (struct reading){.arena = &f->arena, .scratch = &f->scratch, .diags = &f->diags, .workflow = &f->workflow};
    f->count = 0;
    buf_clear(&f->out);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    arena_init(&f->arena, NULL, 0);
    arena_init(&f->scratch, NULL, 0);
    buf_init(&f->out, NULL, 0);
    fixture_reset(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buf_done(&f->out);
    arena_done(&f->scratch);
    arena_done(&f->arena);
    free(f);
    return 0;
}

static struct orch_str word_next(const char **text)
{
    while (**text == ' ') (*text)++;
    const char *start = *text;
    while (**text && !strchr(" :;", **text)) (*text)++;
    return str_of(start, (size_t)(*text - start));
}

/* "a; b: a; c: a b" : each task on a line of its own, what it waits for on the same line from column 20. */
static int link_text(struct fixture *f, const char *text)
{
    fixture_reset(f);
    struct task *tasks = ARENA_ARRAY(&f->arena, 64, struct task);
    f->references = ARENA_ARRAY(&f->arena, 256, struct reference);
    uint32_t count = 0;
    while (*text) {
        tasks[count] =
            (struct task){.id = word_next(&text), .block = &f->block, .index = count, .line = count + 1, .column = 3};
        uint32_t column = 20;
        if (*text == ':') {
            text++;
            for (struct orch_str word; (word = word_next(&text)).size > 0; column += 10) {
                f->references[f->count++] = (struct reference){count, word, {count + 1, column, (uint32_t)word.size}};
            }
        }
        count++;
        if (*text == ';') text++;
        while (*text == ' ') text++;
    }
    f->block.tasks = tasks;
    f->block.task_count = count;
    return graph_link(&f->reading, &f->block, f->references, f->count);
}

/* What the linked block is like, as one text. */
static const char *describe(struct fixture *f)
{
    const struct block *block = &f->block;
    struct buf *out = &f->out;
    buf_clear(out);
    for (uint32_t i = 0; i < block->task_count; i++) {
        buf_printf(out, "%.*s(%u):", STR_ARG(block->tasks[i].id), block->tasks[i].rank);
        for (uint32_t e = block->dependency_start[i]; e < block->dependency_start[i + 1]; e++) {
            buf_printf(out, " %.*s", STR_ARG(block->tasks[block->dependencies[e]].id));
        }
        buf_add_text(out, " >");
        for (uint32_t e = block->successor_start[i]; e < block->successor_start[i + 1]; e++) {
            buf_printf(out, " %.*s", STR_ARG(block->tasks[block->successors[e]].id));
        }
        buf_add_text(out, "; ");
    }
    buf_printf(out, "levels %u width %u order", block->level_count, block->width);
    for (uint32_t i = 0; block->order && i < block->task_count; i++) {
        buf_printf(out, " %.*s", STR_ARG(block->tasks[block->order[i]].id));
    }
    return out->data;
}

static const struct {
    const char *text, *expected;
} graphs[] = {
    {"", "levels 0 width 0 order"},
    {"a", "a(1): >; levels 1 width 1 order a"},
    {"a; b; c", "a(1): >; b(1): >; c(1): >; levels 1 width 3 order a b c"},
    {"a; b: a; c: b", "a(3): > b; b(2): a > c; c(1): b >; levels 3 width 1 order a b c"},
    {"c: b; b: a; a", "c(1): b >; b(2): a > c; a(3): > b; levels 3 width 1 order a b c"},
    {"a; b: a; c: a; d: c b", "a(3): > b c; b(2): a > d; c(2): a > d; d(1): b c >; levels 3 width 2 order a b c d"},
    {"d: c b; c: a; b: a; a", "d(1): c b >; c(2): a > d; b(2): a > d; a(3): > c b; levels 3 width 2 order a c b d"},
    /* the order of the text holds where it can */
    {"x; b: a; y; a; z", "x(1): >; b(1): a >; y(1): >; a(2): > b; z(1): >; levels 2 width 4 order x a b y z"},
    {"a; b: a; c: a b; e; d: c e", "a(4): > b c; b(3): a > c; c(2): a b > d; e(2): > d; d(1): c e >; levels 4 width 2 "
                                   "order a b c e d"},
};

static void test_graphs(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(graphs) / sizeof(graphs[0]); i++) {
        assert_int_equal(link_text(f, graphs[i].text), 0);
        assert_int_equal(f->diags.count, 0);
        assert_string_equal(describe(f), graphs[i].expected);
        assert_int_equal(f->block.by_id.count, f->block.task_count);
    }
}

static const struct {
    const char *text, *expected; /* each finding: code line:column message | label | help */
} wrong[] = {
    {"fetch; report: fecth", "E0107 2:20 unknown task \"fecth\" in depends_on||did you mean \"fetch\" (line 1)?\n"},
    {"a; b: zebra", "E0107 2:20 unknown task \"zebra\" in depends_on||tasks that can be named here: a, b\n"},
    {"a: a",
     "E0202 1:20 task \"a\" waits for itself||remove it from its own depends_on; to run a task again use `repeat`\n"},
    {"a; b; a: b", "E0106 3:3 two tasks are called \"a\"|the first is on line 1|give one of them another id\n"},
    {"a: b; b: a",
     "E0201 1:20 tasks wait for each other: a -> b -> a|closes the cycle (b: line 2)|remove one of these dependencies; "
     "`orch graph f.yaml --cycle` draws them\n"},
    {"x; build: x pack; test: build; pack: test",
     "E0201 2:30 tasks wait for each other: build -> test -> pack -> build|closes the cycle (test: line 3, pack: line "
     "4)|"
     "remove one of these dependencies; `orch graph f.yaml --cycle` draws them\n"},
    /* a short cycle in a component that has a long one too */
    {"a: d b; b: a; c: b; d: c",
     "E0201 1:30 tasks wait for each other: a -> b -> a|closes the cycle (b: line 2)|remove one of these dependencies; "
     "`orch graph f.yaml --cycle` draws them\n"},
    /* two cycles, each told once */
    {"a: b; b: a; c: d a; d: c",
     "E0201 1:20 tasks wait for each other: a -> b -> a|closes the cycle (b: line 2)|remove one of these dependencies; "
     "`orch graph f.yaml --cycle` draws them\n"
     "E0201 3:20 tasks wait for each other: c -> d -> c|closes the cycle (d: line 4)|remove one of these dependencies; "
     "`orch graph f.yaml --cycle` draws them\n"},
    {"a: j; b: a; c: b; d: c; e: d; f: e; g: f; h: g; i: h; j: i",
     "E0201 1:20 tasks wait for each other: a -> b -> c -> d -> ... 4 more ... -> i -> j -> a|closes the cycle (b: "
     "line 2, c: "
     "line 3, d: line 4, and 6 more)|remove one of these dependencies; `orch graph f.yaml --cycle` draws them\n"},
    {"a; b: a a", "W0904 2:30 task \"b\" depends on \"a\" twice||remove one of them\n"},
};

static void test_wrong(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(link_text(f, wrong[i].text), 0);
        diags_sort(&f->diags);
        buf_clear(&f->out);
        for (uint32_t k = 0; k < f->diags.count; k++) {
            const struct diag *diag = &f->diags.items[k];
            char code[8];
            diag_code_format(diag, code);
            buf_printf(&f->out, "%s %u:%u %.*s|%.*s|%.*s\n", code, diag->at.line, diag->at.column,
                       STR_ARG(diag->message), STR_ARG(diag->label), STR_ARG(diag->help));
        }
        assert_string_equal(f->out.data, wrong[i].expected);
        /* only warnings leave the block with its edges */
        assert_true((f->block.order != NULL) == (f->diags.error_count == 0));
        if (f->diags.error_count) assert_int_equal(f->block.dependency_start[f->block.task_count], 0);
    }
}

static void test_double_dependency_counts_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(link_text(f, "a; b; c: b a b a; d: c a c"), 0);
    assert_string_equal(describe(f),
                        "a(3): > c d; b(3): > c; c(2): a b > d; d(1): a c >; levels 3 width 2 order a b c d");
}

static void test_cycle_path_is_kept(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(link_text(f, "a: c; b: a; c: b"), 0);
    const struct diag *diag = &f->diags.items[0];
    assert_int_equal(diag->path_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(diag->path[i].id.data[0], 'a' + (int)i);
        assert_int_equal(diag->path[i].line, i + 1);
        assert_int_equal(diag->path[i].line_waits, i + 1);
    }
}

/* ---- large ones ---- */

static void make_tasks(struct fixture *f, uint32_t count)
{
    fixture_reset(f);
    struct task *tasks = ARENA_ARRAY(&f->arena, count, struct task);
    for (uint32_t i = 0; i < count; i++) {
        tasks[i] = (struct task){
            .id = arena_printf(&f->arena, "t%u", i), .block = &f->block, .index = i, .line = i + 1, .column = 1};
    }
    f->block.tasks = tasks;
    f->block.task_count = count;
}

static void test_chain_of_a_million(void **state)
{
    struct fixture *f = *state;
    const uint32_t n = 1000000;
    make_tasks(f, n);
    struct reference *references = ARENA_ARRAY(&f->arena, n, struct reference);
    for (uint32_t i = 0; i + 1 < n; i++) references[i] = (struct reference){i, f->block.tasks[i + 1].id, {i + 1, 9, 1}};
    assert_int_equal(graph_link(&f->reading, &f->block, references, n - 1), 0);
    assert_int_equal(f->diags.count, 0);
    assert_int_equal(f->block.level_count, n);
    assert_int_equal(f->block.width, 1);
    assert_int_equal(f->block.tasks[n - 1].rank, n);
    assert_int_equal(f->block.order[0], n - 1);

    references[n - 1] = (struct reference){n - 1, f->block.tasks[0].id, {n, 9, 1}};
    map_done(&f->block.by_id);
    assert_int_equal(graph_link(&f->reading, &f->block, references, n), 0);
    assert_int_equal(f->diags.count, 1);
    assert_int_equal(f->diags.items[0].code, DIAG_CYCLE);
    assert_true(f->diags.items[0].message.size < 120);
}

static void test_many_cycles(void **state)
{
    struct fixture *f = *state;
    const uint32_t n = 20000;
    make_tasks(f, n);
    struct reference *references = ARENA_ARRAY(&f->arena, n, struct reference);
    for (uint32_t i = 0; i < n; i++) references[i] = (struct reference){i, f->block.tasks[i ^ 1].id, {i + 1, 9, 1}};
    assert_int_equal(graph_link(&f->reading, &f->block, references, n), 0);
    assert_int_equal(f->diags.count, DIAG_MAX);
    assert_int_equal(f->diags.error_count, n / 2);
}

static void test_many_unknown(void **state)
{
    struct fixture *f = *state;
    const uint32_t n = 50000;
    make_tasks(f, n);
    struct reference *references = ARENA_ARRAY(&f->arena, n, struct reference);
    for (uint32_t i = 0; i < n; i++)
        references[i] = (struct reference){i, arena_printf(&f->arena, "tt%u", i), {i + 1, 9, 1}};
    assert_int_equal(graph_link(&f->reading, &f->block, references, n), 0);
    assert_int_equal(f->diags.error_count, n);
}

/* Memory that ends somewhere is an error, not a crash. */
static void test_memory_short(void **state)
{
    (void)state;
    int failed = 0, rc = ORCH_ERR_NO_MEMORY;
    for (size_t size_max = 4096; rc != 0 && size_max < 1024 * 1024; size_max += 4096) {
        struct fixture f = {0};
        arena_init(&f.arena, NULL, 0);
        arena_init(&f.scratch, NULL, size_max);
        buf_init(&f.out, NULL, 0);
        make_tasks(&f, 500);
        struct reference *references = ARENA_ARRAY(&f.arena, 499, struct reference);
        for (uint32_t i = 0; i < 499; i++) references[i] = (struct reference){i + 1, f.block.tasks[i].id, {i, 9, 1}};
        rc = graph_link(&f.reading, &f.block, references, 499);
        if (rc != 0) {
            assert_int_equal(rc, ORCH_ERR_NO_MEMORY);
            failed++;
        }
        arena_done(&f.scratch);
        arena_done(&f.arena);
        buf_done(&f.out);
    }
    assert_int_equal(rc, 0);
    assert_true(failed > 0);
}

/* ---- who comes before whom ---- */

/* Against the plain answer, on random graphs. */
static void test_reach(void **state)
{
    struct fixture *f = *state;
    uint32_t seed = 12345;
    for (uint32_t round = 0; round < 60; round++) {
        uint32_t n = 5 + round;
        make_tasks(f, n);
        struct reference *references = ARENA_ARRAY(&f->arena, (size_t)n * n, struct reference);
        size_t count = 0;
        bool before[70][70] = {{false}};
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t j = 0; j < i; j++) {
                seed = seed * 1103515245u + 12345u;
                if ((seed >> 16) % (2 + round % 12) != 0) continue;
                references[count++] = (struct reference){i, f->block.tasks[j].id, {i + 1, j + 1, 1}};
                before[j][i] = true;
                for (uint32_t k = 0; k < n; k++) before[k][i] = before[k][i] || before[k][j];
            }
        }
        assert_int_equal(graph_link(&f->reading, &f->block, references, count), 0);
        const struct block *blocks[] = {&f->block};
        f->workflow.blocks = blocks;
        f->workflow.block_count = 1;
        struct reach reach;
        assert_int_equal(reach_init(&reach, &f->workflow, &f->scratch, 0), 0);
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t j = 0; j < n; j++) {
                enum reach_answer answer;
                assert_int_equal(reach_find(&reach, &f->block, j, i, &answer), 0);
                assert_int_equal(answer, before[j][i] ? REACH_YES : REACH_NO);
            }
        }
    }
}

static void test_reach_budget(void **state)
{
    struct fixture *f = *state;
    const uint32_t layers = 30, wide = 40, n = layers * wide + 1;
    make_tasks(f, n);
    struct reference *references = ARENA_ARRAY(&f->arena, (size_t)n * wide, struct reference);
    size_t count = 0;
    for (uint32_t i = wide; i < n - 1; i++) {
        for (uint32_t j = 0; j < wide; j++) {
            references[count++] = (struct reference){i, f->block.tasks[(i / wide - 1) * wide + j].id, {i + 1, 1, 1}};
        }
    }
    assert_int_equal(graph_link(&f->reading, &f->block, references, count), 0);
    const struct block *blocks[] = {&f->block};
    f->workflow.blocks = blocks;
    f->workflow.block_count = 1;
    struct reach reach;
    assert_int_equal(reach_init(&reach, &f->workflow, &f->scratch, 60000), 0);
    enum reach_answer answer;
    for (uint32_t i = 0; i < wide; i++) { /* yes is found quickly, though paths are many */
        assert_int_equal(reach_find(&reach, &f->block, i, n - 2, &answer), 0);
        assert_int_equal(answer, REACH_YES);
    }
    assert_int_equal(reach_find(&reach, &f->block, n - 1, n - 2, &answer), 0); /* no takes all edges */
    assert_int_equal(answer, REACH_UNKNOWN);
    assert_int_equal(reach_find(&reach, &f->block, n - 3, n - 2, &answer), 0); /* the level says no */
    assert_int_equal(answer, REACH_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_graphs),
        T(test_wrong),
        T(test_double_dependency_counts_once),
        T(test_cycle_path_is_kept),
        T(test_chain_of_a_million),
        T(test_many_cycles),
        T(test_many_unknown),
        T(test_memory_short),
        T(test_reach),
        T(test_reach_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
