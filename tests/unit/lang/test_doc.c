/* test_doc.c - YAML and JSON as trees: kinds, texts, places, and everything that is refused. */
#include "lang/doc.h"

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
    struct fixture *f = calloc(1, sizeof *f);
    arena_init(&f->arena, NULL, 0);
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

/* Kinds by a letter: null ~, bool b, number n, string plain s, quoted q, block |; with places when `places`. */
static void dump(const struct doc_node *node, bool places, struct buf *out)
{
    if (places) buf_printf(out, "%u:%u+%u", node->line, node->column, node->width);
    switch ((enum doc_kind)node->kind) {
    case DOC_NULL: buf_add_text(out, "~"); break;
    case DOC_BOOL: buf_printf(out, "b(%.*s)", STR_ARG(node->text)); break;
    case DOC_NUMBER:
        buf_add_text(out, "n(");
        doc_number_json(node->text, out);
        buf_add_text(out, ")");
        break;
    case DOC_STRING:
        buf_add_char(out, node->block ? '|' : node->quoted ? 'q' : 's');
        json_format_string(node->text, out);
        break;
    case DOC_LIST:
        buf_add_char(out, '[');
        for (uint32_t i = 0; i < node->count; i++) {
            if (i) buf_add_char(out, ' ');
            dump(&node->items[i], places, out);
        }
        buf_add_char(out, ']');
        break;
    case DOC_MAP:
        buf_add_char(out, '{');
        for (uint32_t i = 0; i < node->count; i++) {
            if (i) buf_add_char(out, ' ');
            if (places)
                buf_printf(out, "%u:%u+%u", node->members[i].key.line, node->members[i].key.column,
                           node->members[i].key.width);
            buf_printf(out, "%.*s=", STR_ARG(node->members[i].key.text));
            dump(&node->members[i].value, places, out);
        }
        buf_add_char(out, '}');
        break;
    }
}

static int parse(struct fixture *f, struct orch_str text, const struct doc_limits *limits, const struct doc_node **ret)
{
    arena_clear(&f->arena);
    diags_init(&f->diags, &f->arena);
    return doc_parse(text, limits, &f->arena, &f->diags, ret);
}

static void check_tree(struct fixture *f, const char *text, bool places, const char *expected)
{
    const struct doc_node *root;
    int r = parse(f, str_from(text), NULL, &root);
    if (r) print_message("%s: %.*s\n", text, STR_ARG(f->diags.items[0].message));
    assert_int_equal(r, 0);
    buf_clear(&f->out);
    dump(root, places, &f->out);
    assert_string_equal(f->out.data, expected);
}

static void test_trees(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "~"},
        {"# nothing\n", "~"},
        {"--- # a document\na: 1\n...\n", "{a=n(1)}"},
        {"\xEF\xBB\xBF"
         "a: b",
         "{a=s\"b\"}"},
        {"a: b\r\nc: d\r\n", "{a=s\"b\" c=s\"d\"}"},
        /* the core schema: what is no string */
        {"[null, Null, NULL, ~, '']", "[~ ~ ~ ~ q\"\"]"},
        {"[true, True, TRUE, false, False, FALSE]", "[b(true) b(True) b(TRUE) b(false) b(False) b(FALSE)]"},
        {"[yes, no, on, off, y, 12:30, 1_000, 0b1, nan, NULLs]",
         "[s\"yes\" s\"no\" s\"on\" s\"off\" s\"y\" s\"12:30\" s\"1_000\" s\"0b1\" s\"nan\" s\"NULLs\"]"},
        {"[1, -1, +1, 007, 0x1F, 0o17, 1.50, .5, 5., -.5, 1e3, 1E-2, -0]",
         "[n(1) n(-1) n(1) n(7) n(31) n(15) n(1.50) n(0.5) n(5.0) n(-0.5) n(1e3) n(1E-2) n(-0)]"},
        {"[+, -, ., 1e, 0x, 0xG, 1.2.3, --1, 1-2]",
         "[s\"+\" s\"-\" s\".\" s\"1e\" s\"0x\" s\"0xG\" s\"1.2.3\" s\"--1\" s\"1-2\"]"},
        {"{1: a, true: b, null: c}", "{1=s\"a\" true=s\"b\" null=s\"c\"}"},
        {"[! 1, !!str 1, !!int '1', !!float 1.5, !!bool true, !!null '']", "[s\"1\" s\"1\" n(1) n(1.5) b(true) ~]"},
        {"!!map {a: !!seq [b]}", "{a=[s\"b\"]}"},
        /* scalars of several lines */
        {"a: |\n  x\n  y\n\nb: >\n  x\n  y\nc: |-\n  z\n", "{a=|\"x\\ny\\n\" b=|\"x y\\n\" c=|\"z\"}"},
        {"a: x\n  y\nb: \"x\n  y\"", "{a=s\"x y\" b=q\"x y\"}"},
        {"a: \"\\t\\u00e9\\\"\"", "{a=q\"\\t\xC3\xA9\\\"\"}"},
        /* anchors and merges */
        {"a: &x [1, 2]\nb: *x\nc: [*x, *x]", "{a=[n(1) n(2)] b=[n(1) n(2)] c=[[n(1) n(2)] [n(1) n(2)]]}"},
        {"a: &x 1\nb: &x 2\nc: *x", "{a=n(1) b=n(2) c=n(2)}"},
        {"a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3, r: 4}", "{a={p=n(1) q=n(2)} b={q=n(3) r=n(4) p=n(1)}}"},
        {"b: {<<: [{p: 1}, {p: 2, q: 3}], r: 4}", "{b={r=n(4) p=n(1) q=n(3)}}"},
        {"b: {'<<': 1}", "{b={<<=n(1)}}"},
        /* JSON */
        {"{}", "{}"},
        {" {\"a\": [1, -2.5e3, true, false, null, \"x\"], \"b\": {}}\n",
         "{a=[n(1) n(-2.5e3) b(true) b(false) ~ q\"x\"] b={}}"},
        {"{\"a\": \"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"}",
         "{a=q\"\\\"\\\\/\\b\\f\\n\\r\\t\xC3\xA9\xF0\x9F\x98\x80\"}"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_tree(f, cases[i].text, false, cases[i].expected);
}

static void test_places(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"a: b\nccc:\n  - \"d\"\n", "1:1+0{1:1+1a=1:4+1s\"b\" 2:1+3ccc=3:3+0[3:5+3q\"d\"]}"},
        {"\xC3\xA9\xC3\xA9: {\xE2\x82\xAC: x}", "1:1+0{1:1+2\xC3\xA9\xC3\xA9=1:5+0{1:6+1\xE2\x82\xAC=1:9+1s\"x\"}}"},
        {"{\n \"a\": [1,\n  true], \"\xC3\xA9\": \"\xE2\x82\xAC\"}",
         "1:1+0{2:2+3a=2:7+0[2:8+1n(1) 3:3+4b(true)] 3:10+3\xC3\xA9=3:15+3q\"\xE2\x82\xAC\"}"},
        {"a: |\n  x\n", "1:1+0{1:1+1a=1:4+1|\"x\\n\"}"},
        {"a: &n x\nb: *n", "1:1+0{1:1+1a=1:4+4s\"x\" 2:1+1b=1:4+4s\"x\"}"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_tree(f, cases[i].text, true, cases[i].expected);
}

/* How far the lines of a literal block are indented, which places within it are worked out from. */
static void test_block_indent(void **state)
{
    static const struct {
        const char *text;
        uint32_t indent;
    } cases[] = {
        {"a: |\n  x\n", 2}, {"a: |\n\n\n      x\n", 6}, {"a: |2\n    x\n", 2}, {"a: >\n  x\n", 0},
        {"a: |\n\n", 0},    {"a: |\n  \xC3\xA9\n", 2},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct doc_node *root;
        assert_int_equal(parse(f, str_from(cases[i].text), NULL, &root), 0);
        assert_int_equal(doc_get(root, STR("a"))->count, cases[i].indent);
    }
}

static void test_errors(void **state)
{
    static const struct {
        const char *text;
        int code;
        uint32_t line, column;
    } cases[] = {
        {"a: [1, 2", DIAG_YAML_SYNTAX, 1, 4},
        {"a: \"b\nc: d\n", DIAG_YAML_SYNTAX, 1, 4},
        {"a:\n  {b: c\n", DIAG_YAML_SYNTAX, 2, 3},
        {"a: b: c", DIAG_YAML_SYNTAX, 1, 5},
        {"a: \"\\d\"", DIAG_YAML_SYNTAX, 1, 5},
        {"a: \x01", DIAG_YAML_SYNTAX, 1, 4},
        {"a:\n\tb: 1", DIAG_TAB, 2, 1},
        {"a: 1\nb: 2\na: 3", DIAG_DUPLICATE_KEY, 3, 1},
        {"a: 1\n---\nb: 2", DIAG_SEVERAL_DOCUMENTS, 2, 1},
        {"a: *x", DIAG_UNKNOWN_ALIAS, 1, 4},
        {"a: &x [*x]", DIAG_UNKNOWN_ALIAS, 1, 8},
        {"a: !python x", DIAG_TAG, 1, 4},
        {"a: !!int x", DIAG_TAG, 1, 4},
        {"a: caf\xE9", DIAG_ENCODING, 1, 7},
        {"a: 1\nb: \xC3\xA9\xFF", DIAG_ENCODING, 2, 5},
        {"\xFF\xFE"
         "a",
         DIAG_ENCODING, 1, 1},
        {"? [a]\n: b", DIAG_BAD_KEY, 1, 3},
        {"a: {<<: 1}", DIAG_BAD_MERGE, 1, 9},
        {"a: .inf", DIAG_BAD_NUMBER, 1, 4},
        {"a: -.INF", DIAG_BAD_NUMBER, 1, 4},
        {"a: 0xFFFFFFFFFFFFFFFFF", DIAG_BAD_NUMBER, 1, 4},
        {"a: {{ x }}", DIAG_QUOTE_TEMPLATE, 1, 4},
        {"a: [{{ x }}]", DIAG_QUOTE_TEMPLATE, 1, 5},
        {"a:\n  - {{ x.y }}/z", DIAG_QUOTE_TEMPLATE, 2, 5},
        {"a: {{ x ? 'a' : 'b' }}", DIAG_QUOTE_TEMPLATE, 1, 4},
        {"a: {{ f(1, 2) }}", DIAG_QUOTE_TEMPLATE, 1, 4},
        {"{\"a\": 1,}", DIAG_JSON_SYNTAX, 1, 9},
        {"{\"a\" 1}", DIAG_JSON_SYNTAX, 1, 6},
        {"{\"a\": 01}", DIAG_JSON_SYNTAX, 1, 8},
        {"{\"a\": 1.}", DIAG_JSON_SYNTAX, 1, 9},
        {"{\"a\": nul}", DIAG_JSON_SYNTAX, 1, 7},
        {"{\"a\": 'b'}", DIAG_JSON_SYNTAX, 1, 7},
        {"{\"a\": \"b\nc\"}", DIAG_JSON_SYNTAX, 1, 9},
        {"{\"a\": \"\\x\"}", DIAG_JSON_SYNTAX, 1, 8},
        {"{\"a\": \"\\ud800\"}", DIAG_JSON_SYNTAX, 1, 8},
        {"{\"a\": \"\\udc00\"}", DIAG_JSON_SYNTAX, 1, 8},
        {"{\"a\": 1} x", DIAG_JSON_SYNTAX, 1, 10},
        {"{\"a\": [1, 2", DIAG_JSON_SYNTAX, 1, 12},
        {"{\"a\": // x\n1}", DIAG_JSON_SYNTAX, 1, 7},
        {"{\"a\": 1, \"b\": 2, \"a\": 3}", DIAG_DUPLICATE_KEY, 1, 18},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct doc_node *root;
        int r = parse(f, str_from(cases[i].text), NULL, &root);
        const struct diag *diag = &f->diags.items[0];
        if (r == 0 || f->diags.count == 0 || diag->code != cases[i].code || diag->at.line != cases[i].line ||
            diag->at.column != cases[i].column)
            print_message("%s: E%04d %u:%u %.*s\n", cases[i].text, diag->code, diag->at.line, diag->at.column,
                          STR_ARG(diag->message));
        assert_int_not_equal(r, 0);
        assert_true(f->diags.count > 0);
        assert_int_equal(diag->code, cases[i].code);
        assert_int_equal(diag->at.line, cases[i].line);
        assert_int_equal(diag->at.column, cases[i].column);
    }
}

/* What does not end the reading is told along with the rest. */
static void test_all_errors(void **state)
{
    struct fixture *f = *state;
    const struct doc_node *root;
    assert_int_equal(parse(f, STR("a: {{ x }}\na: !z 1\nb: .nan\nc: {{ y }}\n"), NULL, &root), ORCH_ERR_INVALID);
    assert_int_equal(f->diags.error_count, 5);
}

static void test_duplicates_in_large_maps(void **state)
{
    struct fixture *f = *state;
    const struct doc_node *root;
    buf_clear(&f->out);
    buf_add_char(&f->out, '{');
    for (int i = 0; i < 1000; i++) buf_printf(&f->out, "\"k%d\": 1,\n", i % 999);
    buf_add_text(&f->out, "\"z\": 1}");
    assert_int_equal(parse(f, buf_str(&f->out), NULL, &root), ORCH_ERR_INVALID);
    assert_int_equal(f->diags.error_count, 1);
    assert_int_equal(f->diags.items[0].code, DIAG_DUPLICATE_KEY);
    assert_int_equal(f->diags.items[0].at.line, 1000);
}

static void repeat(struct buf *out, const char *text, int count)
{
    for (int i = 0; i < count; i++) buf_add_text(out, text);
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    const struct doc_node *root;
    const struct doc_limits limits = {.depth_max = 10, .nodes_max = 100, .size_max = 1000};
    struct {
        const char *begin, *middle, *end, *close;
        int count, code, result;
    } cases[] = {
        {"{\"a\":", "[", "", "]", 9, 0, 0},
        {"{\"a\":", "[", "", "]", 10, DIAG_DEPTH, ORCH_ERR_LIMIT},
        {"a: ", "[", "", "]", 9, 0, 0},
        {"a: ", "[", "", "]", 10, DIAG_DEPTH, ORCH_ERR_LIMIT},
        {"a: [", "1,", "1]", "", 95, 0, 0},
        {"a: [", "1,", "1]", "", 100, DIAG_SIZE, ORCH_ERR_LIMIT},
        {"{\"a\": [", "1,", "1]}", "", 100, DIAG_SIZE, ORCH_ERR_LIMIT},
        {"# ", "x", "\na: 1", "", 1000, DIAG_SIZE, ORCH_ERR_LIMIT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&f->out);
        buf_add_text(&f->out, cases[i].begin);
        repeat(&f->out, cases[i].middle, cases[i].count);
        buf_add_text(&f->out, cases[i].end);
        repeat(&f->out, cases[i].close, cases[i].count);
        if (cases[i].begin[0] == '{' && cases[i].close[0]) buf_add_char(&f->out, '}');
        assert_int_equal(parse(f, buf_str(&f->out), &limits, &root), cases[i].result);
        assert_int_equal(f->diags.count ? f->diags.items[0].code : 0, cases[i].code);
    }
}

static void test_laughs(void **state)
{
    struct fixture *f = *state;
    const struct doc_node *root;
    buf_clear(&f->out);
    buf_add_text(&f->out, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 9; i++) {
        buf_printf(&f->out, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++) buf_printf(&f->out, "%s*a%d", k ? "," : "", i - 1);
        buf_add_text(&f->out, "]\n");
    }
    assert_int_equal(parse(f, buf_str(&f->out), NULL, &root), ORCH_ERR_LIMIT);
    assert_int_equal(f->diags.items[0].code, DIAG_ALIAS_EXPANSION);
    assert_true(f->arena.size < 1024 * 1024);

    /* Depth counts what aliases bring along. */
    buf_clear(&f->out);
    buf_add_text(&f->out, "a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n");
    for (int i = 1; i < 8; i++) buf_printf(&f->out, "a%d: &a%d [[[[[[[[[[*a%d]]]]]]]]]]\n", i, i, i - 1);
    assert_int_equal(parse(f, buf_str(&f->out), NULL, &root), ORCH_ERR_LIMIT);
    assert_int_equal(f->diags.items[0].code, DIAG_DEPTH);
}

static void test_values(void **state)
{
    struct fixture *f = *state;
    const struct doc_node *root;
    struct value value;
    assert_int_equal(parse(f,
                           STR("{a: [1, 0x10, 1.5, 18446744073709551615, 1e400, 123456789012345678901234567890], b: "
                               "{c: true, d: null, e: '1'}}"),
                           NULL, &root),
                     0);
    assert_int_equal(doc_value(root, &f->arena, &value), 0);
    buf_clear(&f->out);
    json_format(value, 0, &f->out);
    assert_string_equal(f->out.data, "{\"a\":[1,16,1.5,18446744073709551615,1e400,123456789012345678901234567890],"
                                     "\"b\":{\"c\":true,\"d\":null,\"e\":\"1\"}}");
}

/* Each as line:column and text, '!' when something stands before it, '_' when an empty line follows. */
static void test_comments(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"a: b", ""},
        {"# x\na: b", "1:1# x;"},
        {"  # x  \r\n\r\na: b # y\t\n", "1:3# x_;3:6# y!;"},
        {"a: b # x", "1:6# x!;"},
        {"a: '#'", ""},
        {"a: b#c", ""},
        {"a: \"x # y\"", ""},
        {"a: |\n  # text\n", ""},
        {"a: | # x\n  y # text\n\n# z", "1:6# x!;4:1# z;"},
        {"a: [b, # x\n c]#d\n", "1:8# x!;2:4#d!;"},
        {"a: \xC3\xA9 # \xC3\xA9\nb: c # x\n\n", "1:6# \xC3\xA9!;2:6# x!_;"},
        {"a: |\n  x\n# y\nb: c", "3:1# y;"},
        {"- # x\n  # y # y\n  - b\n #", "1:3# x!;2:3# y # y;4:2#;"},
        {"# a\r# b\xC2\x85# c\xE2\x80\xA8# d\na: b", "1:1# a;2:1# b;3:1# c;4:1# d;"},
        {"%YAML 1.1 # v\n---\n#\n\na: b\n...\n# end\n", "1:11# v!;3:1#_;7:1# end;"},
        {"\xEF\xBB\xBF"
         "a: b # x",
         "1:6# x!;"},
        {"a: [ # x", "1:6# x!;"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct doc_comment *comments = NULL;
        uint32_t count = 0;
        assert_int_equal(doc_comments(str_from(cases[i].text), &f->arena, &comments, &count), 0);
        buf_clear(&f->out);
        for (uint32_t k = 0; k < count; k++)
            buf_printf(&f->out, "%u:%u%.*s%s%s;", comments[k].line, comments[k].column, STR_ARG(comments[k].text),
                       comments[k].before ? "!" : "", comments[k].is_apart ? "_" : "");
        buf_add_char(&f->out, '\0');
        assert_string_equal(f->out.data, cases[i].want);
    }
}

/* A long line is read once: columns are counted forward. */
static void test_long_line(void **state)
{
    struct fixture *f = *state;
    const struct doc_node *root;
    buf_clear(&f->out);
    buf_add_text(&f->out, "{\"a\": [");
    repeat(&f->out, "\"x\", ", 200000);
    buf_add_text(&f->out, "\"y\"]}");
    assert_int_equal(parse(f, buf_str(&f->out), NULL, &root), 0);
    const struct doc_node *list = doc_get(root, STR("a"));
    assert_int_equal(list->count, 200001);
    assert_int_equal(list->items[200000].column, 8 + 200000 * 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_trees, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_block_indent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_duplicates_in_large_maps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_laughs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_comments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_line, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
