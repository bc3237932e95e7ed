/*
 * test_expr.c - what the tables of cases cannot say: names, limits, memory, damaged texts, threads.
 */
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lang/expr_internal.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- helpers ---- */

struct names {
    struct value input;
    int calls;   /* of the lookup */
    int failure; /* what it returns for the name "broken" */
};

static int look_up(void *user, struct orch_str name, struct arena *arena, struct value *ret, struct orch_error *err)
{
    (void)arena;
    struct names *names = user;
    names->calls++;
    if (str_is(name, "broken")) return error_set(err, names->failure, "the reason");
    if (str_is(name, "hinted")) {
        error_set(err, ORCH_ERR_NOT_FOUND, "no task 'hinted'");
        error_hint(err, "did you mean hint?");
        return ORCH_ERR_NOT_FOUND;
    }
    const struct value *found = value_get(names->input, name);
    if (!found) return ORCH_ERR_NOT_FOUND;
    *ret = *found;
    return 0;
}

static int run(const char *text, struct names *names, const struct expr_limits *limits, struct arena *arena,
               struct value *ret, struct orch_error *err)
{
    const struct expr *expr;
    int rc = expr_compile(str_from(text), limits, arena, &expr, err);
    if (rc != 0) return rc;
    struct expr_env env = {.lookup = look_up, .user = names, .limits = limits};
    return expr_eval(expr, &env, arena, ret, err);
}

static struct value parse(const char *json, struct arena *arena)
{
    struct value value;
    assert_int_equal(json_parse(str_from(json), NULL, arena, &value, NULL), 0);
    return value;
}

/* ---- names ---- */

static int list_name(void *user, const struct expr_name *name)
{
    struct buf *out = user;
    buf_printf(out, "%.*s@%u", STR_ARG(name->name), name->column);
    if (name->field.size > 0) buf_printf(out, ".%.*s@%u", STR_ARG(name->field), name->field_column);
    if (name->field2.size > 0) buf_printf(out, ".%.*s", STR_ARG(name->field2));
    if (name->in_has) buf_add_text(out, " has");
    if (name->is_builtin) buf_add_text(out, " builtin");
    buf_add_text(out, "; ");
    return 0;
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *text, *names;
    } cases[] = {
        {"1 + 2", ""},
        {"a", "a@1; "},
        {"a.b", "a@1.b@3; "},
        {"a.b.c", "a@1.b@3.c; "},
        {"a.b.c.d", "a@1.b@3.c; "},
        {"a['b'].c", "a@1.b@3.c; "},
        {"a.b['c-d']", "a@1.b@3.c-d; "},
        {"a.`b-c`", "a@1.b-c@3; "},
        {"a[b].c", "a@1; b@3; "},
        {"a[0].c", "a@1; "},
        {"a + b * a", "a@1; b@5; a@9; "},
        {"has(a.b)", "a@5.b@7 has; "},
        {"has(a.b.c)", "a@5.b@7.c has; "},
        {"has(a.b) && c", "a@5.b@7 has; c@13; "},
        {"l.map(x, x + y)", "l@1; y@14; "},
        {"l.map(x, x).map(y, x)", "l@1; x@20; "},
        {"l.filter(x, m.all(y, x == y && z))", "l@1; m@13; z@32; "},
        {"l.map(x, .x)", "l@1; x@11; "},
        {"x.map(x, x)", "x@1; "},
        {"f.o.size() + size(g)", "f@1.o@3; g@19; "},
        {"strings.quote(q)", "q@15; "},
        {"type(x) == int", "x@6; int@12 builtin; "},
        {"now > t", "now@1 builtin; t@7; "},
        {"google.protobuf.Duration", ""},
        {"a ? b.c : [d, {'e': f}]", "a@1; b@5.c@7; d@12; f@21; "},
        {"'é' + a", "a@7; "},
        {"fetch.output.sum < 1000", "fetch@1.output@7.sum; "},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena;
        struct buf out;
        const struct expr *expr;
        arena_init(&arena, NULL, 0);
        buf_init(&out, NULL, 0);
        buf_add_text(&out, "");
        assert_int_equal(expr_compile(str_from(cases[i].text), NULL, &arena, &expr, NULL), 0);
        assert_int_equal(expr_each_name(expr, list_name, &out), 0);
        assert_string_equal(out.data ? out.data : "", cases[i].names);
        assert_true(str_is(expr_source(expr), cases[i].text));
        buf_done(&out);
        arena_done(&arena);
    }
}

static int stop_at_second(void *user, const struct expr_name *name)
{
    (void)name;
    int *count = user;
    return ++*count == 2 ? 42 : 0;
}

static void test_names_stop(void **state)
{
    (void)state;
    struct arena arena;
    const struct expr *expr;
    int count = 0;
    arena_init(&arena, NULL, 0);
    assert_int_equal(expr_compile(STR("a + b + c"), NULL, &arena, &expr, NULL), 0);
    assert_int_equal(expr_each_name(expr, stop_at_second, &count), 42);
    assert_int_equal(count, 2);
    arena_done(&arena);
}

static void test_is_name(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "_", "a1", "_a", "A_b", "int", "now", "has", "map"};
    static const char *const bad[] = {"", "1a", "a-b", "a.b", "é", "in", "true", "null", "for", "while", "a "};
    for (size_t i = 0; i < COUNT(good); i++) assert_true(expr_is_name(str_from(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++) assert_false(expr_is_name(str_from(bad[i])));
}

static void test_constants(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value; /* NULL: no constant */
    } cases[] = {
        {"5", "5"},
        {"-5", "-5"},
        {"1 + 2 * 3", "7"},
        {"'a' + 'b'", "\"ab\""},
        {"[1, 2]", "[1,2]"},
        {"{'a': [1, -2]}", "{\"a\":[1,-2]}"},
        {"size([1, 2])", "2"},
        {"duration('5m')", "\"300s\""},
        {"{'a': 1}.a", "1"},
        {"[1, 2][1]", "2"},
        {"true ? 1 : 2", "1"},
        {"1 in [1]", "true"},
        {"1 / 0", NULL},
        {"a", NULL},
        {"[a]", NULL},
        {"now", NULL},
        {"int", NULL},
        {"dyn(1)", NULL},
        {"timestamp(0).getHours('UTC')", NULL},
        {"[1].map(x, x)", NULL},
        {"{'a': 1, 'a': 2}", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena;
        const struct expr *expr;
        struct value value;
        arena_init(&arena, NULL, 0);
        assert_int_equal(expr_compile(str_from(cases[i].text), NULL, &arena, &expr, NULL), 0);
        bool constant = expr_is_constant(expr, &value);
        if (constant != (cases[i].value != NULL)) fail_msg("%s: constant is %d", cases[i].text, constant);
        if (constant) {
            struct buf out;
            buf_init(&out, NULL, 0);
            json_format(value, 0, &out);
            assert_string_equal(out.data, cases[i].value);
            buf_done(&out);
        }
        arena_done(&arena);
    }
}

static void test_result_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int kind; /* -1: unknown */
    } cases[] = {
        {"a == b", VALUE_BOOL},
        {"a < b", VALUE_BOOL},
        {"a in b", VALUE_BOOL},
        {"!a", VALUE_BOOL},
        {"a && b", VALUE_BOOL},
        {"has(a.b)", VALUE_BOOL},
        {"l.all(x, x)", VALUE_BOOL},
        {"a", -1},
        {"a.b", -1},
        {"a + b", -1},
        {"a + 1", VALUE_INT},
        {"a + 'x'", VALUE_STRING},
        {"a % b", -1},
        {"a - duration('1s')", -1},
        {"size(a)", VALUE_INT},
        {"[a]", VALUE_LIST},
        {"{'a': a}", VALUE_MAP},
        {"l.map(x, x)", VALUE_LIST},
        {"a ? 1 : 2", VALUE_INT},
        {"a ? 1 : 'b'", -1},
        {"string(a)", VALUE_STRING},
        {"-a", -1},
        {"type(a)", VALUE_TYPE},
        {"1.5", VALUE_DOUBLE},
        {"double(a)", VALUE_DOUBLE},
        {"null", VALUE_NULL},
        {"a.matches('b')", VALUE_BOOL},
        {"timestamp(a)", VALUE_TIMESTAMP},
        {"now", -1},
        {"double(a) + b", VALUE_DOUBLE},
        {"a[0]", -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena;
        const struct expr *expr;
        bool known;
        arena_init(&arena, NULL, 0);
        assert_int_equal(expr_compile(str_from(cases[i].text), NULL, &arena, &expr, NULL), 0);
        enum value_kind kind = expr_result_kind(expr, &known);
        if (known != (cases[i].kind >= 0) || (known && (int)kind != cases[i].kind))
            fail_msg("%s: known %d, kind %d", cases[i].text, known, (int)kind);
        arena_done(&arena);
    }
}

static void test_hints(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hint;
    } cases[] = {
        {"sise(a)", "did you mean size?"},
        {"a.startWith('x')", "did you mean startsWith?"},
        {"a.filer(x, x)", "did you mean filter?"},
        {"1 + 1.0", "convert one side"},
        {"d + i", "convert one side"},
        {"'a' + 1", "string(...)"},
        {"s + i", "string(...)"},
        {"a = b", "=="},
        {"a and b", "&&"},
        {"n.x", "!= null"},
        {"n + 1", "!= null"},
        {"contains(s, 'a')", "x.contains(...)"},
        {"s.int()", "int(x)"},
        {"s.contains()", "it takes 1"},
        {"has(a['b'])", "'key' in x"},
        {"l.x", "[0]"},
        {"'a' in s", "contains"},
        {"s.matches('(?=a)')", "RE2"},
        {"'abc", "end it with '"},
        {"'\\z'", "raw string"},
        {"if", "x.if"},
        {"hinted", "did you mean hint?"},
        {"l[7]", "the list has 1 item"},
        {"min([])", "size(list) > 0"},
        {"l.map(1, x)", "list.map(x, value)"},
        {"duration('5')", "90s"},
        {"timestamp('x')", "2026-"},
        {"s.format(1)", "format takes list there"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena;
        struct orch_error err = ORCH_ERROR_INIT;
        struct value value;
        arena_init(&arena, NULL, 0);
        struct names names = {parse("{\"d\":1.5,\"i\":1,\"s\":\"x\",\"n\":null,\"l\":[1]}", &arena), 0, 0};
        assert_int_not_equal(run(cases[i].text, &names, NULL, &arena, &value, &err), 0);
        if (!strstr(err.hint, cases[i].hint)) fail_msg("%s: %s: hint '%s'", cases[i].text, err.message, err.hint);
        arena_done(&arena);
    }
}

/* ---- lookups ---- */

static void test_lookup_once(void **state)
{
    (void)state;
    struct arena arena;
    struct value value;
    arena_init(&arena, NULL, 0);
    struct names names = {parse("{\"a\":1,\"l\":[1,2,3]}", &arena), 0, 0};
    assert_int_equal(run("a + a + a + l.map(x, x + a)[0]", &names, NULL, &arena, &value, NULL), 0);
    assert_int_equal(value.integer, 5);
    assert_int_equal(names.calls, 2);
    names.calls = 0;
    assert_int_equal(run("(gone || true) && (gone || true)", &names, NULL, &arena, &value, NULL), 0);
    assert_int_equal(names.calls, 1);
    arena_done(&arena);
}

static void test_lookup_failure(void **state)
{
    (void)state;
    /* What lookup returns ends the evaluation; only an error of CEL's own can be absorbed. */
    static const struct {
        const char *text;
        int failure, expected;
    } cases[] = {
        {"broken", ORCH_ERR_IO, ORCH_ERR_IO},
        {"broken || true", ORCH_ERR_IO, ORCH_ERR_IO},
        {"1 / 0 > 0 || broken || true", ORCH_ERR_IO, ORCH_ERR_IO},
        {"[1].exists(x, broken)", ORCH_ERR_DENIED, ORCH_ERR_DENIED},
        {"broken", ORCH_ERR_EVALUATION, ORCH_ERR_EVALUATION},
        {"broken || true", ORCH_ERR_EVALUATION, 0},
        {"broken", ORCH_ERR_NOT_FOUND, ORCH_ERR_EVALUATION},
        {"broken || true", ORCH_ERR_NOT_FOUND, 0},
        {"broken.a.b", ORCH_ERR_NO_MEMORY, ORCH_ERR_NO_MEMORY},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena;
        struct value value;
        struct orch_error err = ORCH_ERROR_INIT;
        struct names names = {value_null(), 0, cases[i].failure};
        arena_init(&arena, NULL, 0);
        assert_int_equal(run(cases[i].text, &names, NULL, &arena, &value, &err), cases[i].expected);
        assert_int_equal(err.code, cases[i].expected);
        if (cases[i].expected != 0) assert_string_equal(err.message, "the reason");
        arena_done(&arena);
    }
}

/* ---- limits ---- */

static char *repeat(const char *before, const char *piece, size_t count, const char *after)
{
    size_t size = strlen(before) + strlen(piece) * count + strlen(after);
    char *text = malloc(size + 1), *at = text;
    assert_non_null(text);
    at = stpcpy(at, before);
    for (size_t i = 0; i < count; i++) at = stpcpy(at, piece);
    stpcpy(at, after);
    return text;
}

static void test_hostile_texts(void **state)
{
    (void)state;
    static const struct {
        const char *before, *piece, *after;
    } cases[] = {
        {"", "(", ""},
        {"", "(", "1)"},
        {"", "[", ""},
        {"", "{1:", ""},
        {"", "!", "true"},
        {"", "-", "1"},
        {"", "a.", "a"},
        {"a", "[a", ""},
        {"a", "[0]", ""},
        {"1", "+1", ""},
        {"true", "&&true", ""},
        {"true", "||true", ""},
        {"", "true?1:", "1"},
        {"", "true?", ""},
        {"", "f(", ""},
        {"", "size(", ""},
        {"a", ".size()", ""},
        {"a", ".map(x,x)", ""},
        {"", "[1].map(x,", "x"},
        {"1", "==1", ""},
        {"1", " in [1]", ""},
        {"[", "1,", "1]"},
        {"{", "1:1,", "}"},
        {"'", "a", "'"},
        {"'", "\\", "'"},
        {"1", "0", ""},
        {"1.", "0", "1"},
        {"0x", "f", ""},
        {"//", "/", ""},
        {"", " ", "1"},
        {"", "\n", "1"},
        {"a.`", "b", "`"},
        {"", "a ? b : ", "c"},
        {"f(", "1,", "1)"},
        {"", "!(", "true"},
        {"", "-(", "1"},
        {"'a'.matches('", "(", "')"},
        {"'a'.matches('", "a{9}", "')"},
        {"'a'.matches('", "[", "')"},
        {"duration('", "9", "s')"},
        {"timestamp('", "9", "')"},
        {"int('", "9", "')"},
        {"double('", "9", "')"},
        {"'%", "9", "d'.format([1])"},
        {"'%.", "9", "f'.format([1.0])"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        static const size_t counts[] = {50, 500, 3000, 100000};
        for (size_t j = 0; j < COUNT(counts); j++) {
            char *text = repeat(cases[i].before, cases[i].piece, counts[j], cases[i].after);
            struct arena arena;
            struct value value;
            struct orch_error err = ORCH_ERROR_INIT;
            struct names names = {value_null(), 0, 0};
            /* Also with generous limits, since an embedder may give them. */
            struct expr_limits limits = {.source_max = 1 << 20, .depth_max = 1000000, .unchecked = true};
            arena_init(&arena, NULL, 0);
            int rc = run(text, &names, j == 3 ? NULL : &limits, &arena, &value, &err);
            assert_int_equal(rc, err.code);
            assert_true(rc == 0 || rc == ORCH_ERR_INVALID || rc == ORCH_ERR_LIMIT || rc == ORCH_ERR_EVALUATION);
            if (rc != 0) assert_true(err.message[0] != '\0');
            arena_done(&arena);
            free(text);
        }
    }
}

static void test_limits(void **state)
{
    (void)state;
    /* Each of these is too much: of depth, of steps, of memory, or of what comes out. */
    static const struct {
        const char *text, *message;
        struct expr_limits limits;
    } cases[] = {
        {"((((1))))", "nested deeper than 4 levels", {.depth_max = 4}},
        {"[[[[1]]]]", "nested deeper than 4 levels", {.depth_max = 4}},
        {"'too long'", "longer than 5", {.source_max = 5}},
        {"l.map(a, l.map(b, l.map(c, l.map(d, l.map(e, l.map(f, l.map(g, 1)))))))", "more than 1000000 steps", {0}},
        {"l.all(a, l.all(b, l.all(c, l.all(d, l.all(e, l.all(f, l.all(g, true)))))))", "more than 1000000 steps", {0}},
        {"l.map(a, a)", "more than 10 steps", {.cost_max = 10}},
        {"l.exists(a, 1 / 0 > a) || true", "more than 10 steps", {.cost_max = 10}},
        {"s + s", "more than 100 steps", {.cost_max = 100}},
        {"s == s + ''", "more than 100 steps", {.cost_max = 100}},
        {"s.contains('b')", "more than 100 steps", {.cost_max = 100}},
        {"s.matches('b')", "more than 100 steps", {.cost_max = 100}},
        {"l.map(x, s + s).size()", "builds more than 10000 bytes", {.result_max = 10000}},
        {"s + s + s + s + s + s", "builds more than 10000 bytes", {.result_max = 10000}},
        {"[s, s, s, s, s, s]", "result is larger than 10000 bytes", {.result_max = 10000}},
        {"s.replace('a', 'aaaaaaaaaa')", "builds more than 10000 bytes", {.result_max = 10000}},
        {"l.map(x, s).join('')", "builds more than 10000 bytes", {.result_max = 10000}},
        {"'%s%s%s%s%s%s'.format([s, s, s, s, s, s])", "builds more than 10000 bytes", {.result_max = 10000}},
        {"s.split('').size()", "builds more than 10000 bytes", {.result_max = 10000}},
        {"flatten([l, l, l, l, l, l, l, l])", "builds more than 1000 bytes", {.result_max = 1000}},
        {"s.matches('^(a+)+$')", "steps", {0}},
        {"s.matches('^(a*)*[bd]$')", "steps", {0}},
        {"l.all(x, !s.matches('^(a|aa)+[bd]$'))", "steps", {0}},
    };
    char *s = repeat("{\"l\":[0,1,2,3,4,5,6,7,8,9],\"s\":\"", "a", 2000, "c\"}");
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena;
        struct value value;
        struct orch_error err = ORCH_ERROR_INIT;
        arena_init(&arena, NULL, 0);
        struct names names = {parse(s, &arena), 0, 0};
        int rc = run(cases[i].text, &names, &cases[i].limits, &arena, &value, &err);
        if (rc != ORCH_ERR_LIMIT || !strstr(err.message, cases[i].message))
            fail_msg("%s: %d %s", cases[i].text, rc, err.message);
        arena_done(&arena);
    }
    free(s);
}

/* A value that shares its parts: tiny in memory, endless when walked. */
static void test_shared_values(void **state)
{
    (void)state;
    static const char *const ends[] = {
        "", " == [0]", ".flatten(100)", ".distinct()", "[0] in [[1]]", ".map(x, '%s'.format([x]))"};
    char *chain = repeat("[1]", ".map(x, [l.map(y, x), l.map(y, x)])", 40, "");
    for (size_t i = 0; i < COUNT(ends); i++) {
        char *text = repeat(chain, ends[i], 1, "");
        struct arena arena;
        struct value value;
        struct orch_error err = ORCH_ERROR_INIT;
        arena_init(&arena, NULL, 0);
        struct names names = {parse("{\"l\":[0,1,2,3,4,5,6,7,8,9]}", &arena), 0, 0};
        int rc = run(text, &names, NULL, &arena, &value, &err);
        /* A comparison may find a difference at once; nothing else may end well. */
        if (rc != ORCH_ERR_LIMIT && !(rc == 0 && value.kind == VALUE_BOOL))
            fail_msg("%s: %d %s", ends[i], rc, err.message);
        assert_true(arena.size < (size_t)200 << 20);
        free(text);
        arena_done(&arena);
    }
    free(chain);

    struct arena arena;
    struct value value;
    struct orch_error err = ORCH_ERROR_INIT;
    arena_init(&arena, NULL, 0);
    struct names names = {parse("{\"l\":[0,1,2,3,4,5,6,7,8,9]}", &arena), 0, 0};
    /* Two of them, equal all the way down. */
    char *same = repeat("[[1]", ".map(x, l.map(y, x))", 30, "].map(z, z == z)[0]");
    assert_int_equal(run(same, &names, NULL, &arena, &value, &err), ORCH_ERR_LIMIT);
    free(same);
    arena_done(&arena);
}

/* ---- memory ---- */

struct counter {
    size_t allowed; /* allocations until one fails; then all fail */
    size_t live;    /* bytes */
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
    static const char *const texts[] = {
        "a + b.c.d * 2 == x.y",
        "l.map(x, l.filter(y, y > x)).flatten().distinct().sort()",
        "s.matches('^h.*o$') && s.matches(p) && l.all(i, s.matches(p + string(i)))",
        "'%s %d %.2f %x'.format([{'a': l, 'b': now}, 5, 1.5, s]) + s.replace('l', 'LL').reverse().upperAscii()",
        "merge({'a': 1}, {'b': 2, s: 3}, {'x': [1, 2, {'y': null}]})",
        "s.split('').join('-').substring(2).trim().lowerAscii() + strings.quote(s)",
        "[1, 2, 3].map(n, string(n)).join(',') + string(duration('1.5s')) + string(now)",
        "timestamp('2026-03-01T06:00:00Z').getHours('Test/Zone') + now.getDate('+02:00')",
        "has(m.a) ? m.a : {'k' + s: keys(m), 'v': values(m)}",
        "gone.a.b || undefined || true",
        "b'\\x41' + bytes(s) == b'A'",
        "{'a': 1, 'b': 2, 'c': 3, 'd': 4, 'e': 5, 'f': 6, 'g': 7, 'h': 8, 'i': 9, 'j': 0, 'k': 1, 'l': 2, s: 4}[s]",
    };
    static char input[] =
        "{\"a\":1,\"b\":{\"c\":{\"d\":2}},\"x\":{\"y\":5},\"l\":[3,1,2],\"s\":\"hello\",\"p\":\"^h\",\"m\":{\"q\":1}}";
    for (size_t i = 0; i < COUNT(texts); i++) {
        int rc = ORCH_ERR_NO_MEMORY;
        size_t n = 0;
        for (; rc == ORCH_ERR_NO_MEMORY && n < 10000; n++) {
            struct counter counter = {.allowed = n};
            struct orch_allocator allocator = {count_resize, &counter};
            struct arena data, arena;
            struct value value;
            struct orch_error err = ORCH_ERROR_INIT;
            arena_init(&data, NULL, 0);
            arena_init(&arena, &allocator, 0);
            arena.block_size = 64; /* so that blocks are many, and each can be the one that fails */
            struct names names = {parse(input, &data), 0, 0};
            rc = run(texts[i], &names, NULL, &arena, &value, &err);
            assert_int_equal(rc, err.code);
            arena_done(&arena);
            arena_done(&data);
            assert_int_equal(counter.live, 0);
        }
        assert_true(n > 1 && n < 10000);
        assert_true(rc == 0 || rc == ORCH_ERR_EVALUATION);
    }
}

static void test_scalars_allocate_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {"total.output.sum < 1000", "a + 1 == 2 && s == 'x'",
                                        "l.all(x, x > 0) || has(m.a)", "sum(l)", "s in ['x', 'y']"};
    struct arena data;
    arena_init(&data, NULL, 0);
    struct names names = {
        parse("{\"total\":{\"output\":{\"sum\":12}},\"a\":1,\"s\":\"x\",\"l\":[1,2],\"m\":{}}", &data), 0, 0};
    for (size_t i = 0; i < COUNT(texts); i++) {
        const struct expr *expr;
        struct value value;
        struct counter counter = {0};
        struct orch_allocator allocator = {count_resize, &counter};
        struct arena arena;
        arena_init(&arena, &allocator, 0);
        assert_int_equal(expr_compile(str_from(texts[i]), NULL, &data, &expr, NULL), 0);
        struct expr_env env = {.lookup = look_up, .user = &names};
        assert_int_equal(expr_eval(expr, &env, &arena, &value, NULL), 0);
        arena_done(&arena);
    }
    arena_done(&data);
}

/* ---- damaged texts ---- */

static uint64_t chance(uint64_t *seed)
{
    /* xorshift64*: the same texts every time. */
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 0x2545F4914F6CDD1Du;
}

struct corpus {
    char *lines[4000];
    size_t count;
};

static void read_corpus(struct corpus *corpus)
{
    DIR *directory = opendir(CEL_CASES);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (!str_ends_with(str_from(entry->d_name), STR(".txt"))) continue;
        char path[1024], *line = NULL;
        size_t capacity = 0;
        snprintf(path, sizeof(path), "%s/%s", CEL_CASES, entry->d_name);
        FILE *in = fopen(path, "r");
        assert_non_null(in);
        for (ssize_t size; (size = getline(&line, &capacity, in)) >= 0 && corpus->count < COUNT(corpus->lines);) {
            char *end = strstr(line, "  =>  ");
            if (!end) end = strstr(line, "  !!  ");
            if (!end || end - line > 200) continue;
            *end = '\0';
            corpus->lines[corpus->count++] = strdup(line);
        }
        free(line);
        assert_int_equal(fclose(in), 0);
    }
    assert_int_equal(closedir(directory), 0);
}

static size_t mutate(const struct corpus *corpus, uint64_t *seed, char *out, size_t capacity)
{
    static const char *const tokens[] = {"(",          ")",
                                         "[",          "]",
                                         "{",          "}",
                                         "'",          "\"",
                                         "'''",        ".",
                                         ",",          ":",
                                         "?",          "!",
                                         "-",          "&&",
                                         "||",         "==",
                                         "in",         "null",
                                         "1",          "0u",
                                         "1e9",        "\\",
                                         "\\u",        "`",
                                         "//",         "\n",
                                         "\xff",       "\xc3",
                                         "é",          "x",
                                         ".map(x, ",   ".all(x, ",
                                         "has(",       "has(x.y)",
                                         "size(",      "9223372036854775807",
                                         "r'",         "b'",
                                         "%",          "b'\\xff'",
                                         "timestamp(", "now",
                                         "int"};
    const char *base = corpus->lines[chance(seed) % corpus->count];
    size_t size = strlen(base);
    memcpy(out, base, size);
    for (uint64_t changes = 1 + chance(seed) % 4; changes > 0; changes--) {
        size_t at = chance(seed) % (size + 1);
        switch (chance(seed) % 5) {
        case 0: /* drop some */
        {
            size_t count = chance(seed) % 4;
            if (count > size - at) count = size - at;
            memmove(out + at, out + at + count, size - at - count);
            size -= count;
            break;
        }
        case 1: /* any byte */
            if (at < size) out[at] = (char)chance(seed);
            break;
        case 2: /* a piece of another one */
        {
            const char *other = corpus->lines[chance(seed) % corpus->count];
            size_t length = strlen(other), from = chance(seed) % length, count = chance(seed) % (length - from + 1);
            if (size + count > capacity) break;
            memmove(out + at + count, out + at, size - at);
            memcpy(out + at, other + from, count);
            size += count;
            break;
        }
        default: {
            const char *token = tokens[chance(seed) % COUNT(tokens)];
            size_t count = strlen(token);
            if (size + count > capacity) break;
            memmove(out + at + count, out + at, size - at);
            memcpy(out + at, token, count);
            size += count;
            break;
        }
        }
    }
    return size;
}

static void test_damaged_texts(void **state)
{
    (void)state;
    static struct corpus corpus;
    uint64_t seed = 0x0123456789abcdefu;
    int compiled = 0, evaluated = 0;
    read_corpus(&corpus);
    assert_true(corpus.count > 1000);
    struct arena data;
    arena_init(&data, NULL, 0);
    struct names names = {parse("{\"x\":{\"name\":1,\"m\":{\"b\":2}},\"l\":[1,2.5,\"a\",null,[1]],\"m\":{\"a\":1},"
                                "\"s\":\"text\",\"a\":[0],\"n\":null,\"d\":1.5}",
                                &data),
                          0, 0};
    for (int i = 0; i < 60000; i++) {
        char text[1024];
        size_t size = mutate(&corpus, &seed, text, sizeof(text));
        /* In memory of its exact size, so that a sanitizer sees a read beyond it. */
        char *exact = malloc(size ? size : 1);
        assert_non_null(exact);
        memcpy(exact, text, size);
        struct arena arena;
        const struct expr *expr;
        struct value value;
        struct orch_error err = ORCH_ERROR_INIT;
        struct expr_limits limits = {.cost_max = 20000, .result_max = 1 << 20, .unchecked = i & 1};
        arena_init(&arena, NULL, 0);
        int rc = expr_compile(str_of(exact, size), &limits, &arena, &expr, &err);
        assert_int_equal(rc, err.code);
        assert_true(rc == 0 || rc == ORCH_ERR_INVALID || rc == ORCH_ERR_LIMIT);
        if (rc == 0) {
            compiled++;
            struct expr_env env = {
                .lookup = look_up, .user = &names, .now = (orch_time)chance(&seed) / 1000, .limits = &limits};
            rc = expr_eval(expr, &env, &arena, &value, &err);
            assert_int_equal(rc, err.code);
            assert_true(rc == 0 || rc == ORCH_ERR_EVALUATION || rc == ORCH_ERR_LIMIT);
        }
        if (rc == 0) {
            evaluated++;
            struct buf out;
            buf_init(&out, NULL, (size_t)16 << 20);
            json_format(value, 0, &out);
            assert_false(out.failed);
            assert_true(utf8_is_valid(buf_str(&out), NULL));
            buf_done(&out);
        } else {
            assert_in_range(err.column, 1, utf8_count(str_of(exact, size)) + 1);
        }
        arena_done(&arena);
        free(exact);
    }
    /* Mutation that only makes nonsense would test the first lines of the lexer. */
    assert_true(compiled > 6000);
    assert_true(evaluated > 2000);
    arena_done(&data);
    for (size_t i = 0; i < corpus.count; i++) free(corpus.lines[i]);
}

/* ---- the table of functions, and its page ---- */

static void test_function_table(void **state)
{
    (void)state;
    FILE *in = fopen(CEL_PAGE, "r");
    assert_non_null(in);
    char page[65536];
    size_t size = fread(page, 1, sizeof(page) - 1, in);
    assert_int_equal(fclose(in), 0);
    page[size] = '\0';
    const struct function *previous = NULL, *function;
    size_t count = 0;
    for (; (function = expr_function_at(count)); count++) {
        char row[64];
        if (previous) assert_true(strcmp(previous->name, function->name) < 0);
        assert_ptr_equal(expr_function_find(str_from(function->name)), function);
        assert_true(function->args_min <= function->args_max && function->args_min > 0);
        /* Each has a row, marked when it is beyond CEL. */
        snprintf(row, sizeof(row), "\n| `%s` |", function->name);
        const char *found = strstr(page, row);
        if (!found) fail_msg("docs/expressions.md has no row of %s", function->name);
        const char *end = strchr(found + 1, '\n');
        bool marked = end && end - found > 6 && memmem(found, (size_t)(end - found), "extension", 9);
        if (marked != function->is_extension) fail_msg("docs/expressions.md marks %s wrongly", function->name);
        previous = function;
    }
    /* And each row is a function. */
    size_t rows = 0;
    for (const char *row = page; (row = strstr(row, "\n| `")); row++) {
        const char *end = strstr(row + 4, "` |");
        if (!end || memchr(row + 4, '\n', (size_t)(end - row - 4)) || !memmem(row, 100, "→", strlen("→"))) continue;
        rows++;
        struct orch_str name = str_of(row + 4, (size_t)(end - row - 4));
        if (!expr_function_find(name))
            fail_msg("docs/expressions.md has a row of %.*s, which is no function", STR_ARG(name));
    }
    assert_int_equal(rows, count);
}

/* ---- threads ---- */

static const struct expr *shared;

static void *evaluate_often(void *user)
{
    struct arena arena;
    struct names names = {*(const struct value *)user, 0, 0};
    struct expr_env env = {.lookup = look_up, .user = &names};
    intptr_t wrong = 0;
    arena_init(&arena, NULL, 0);
    for (int i = 0; i < 2000; i++) {
        struct value value;
        if (expr_eval(shared, &env, &arena, &value, NULL) != 0 || value.kind != VALUE_BOOL || !value.boolean) wrong++;
        arena_clear(&arena);
    }
    arena_done(&arena);
    return (void *)wrong;
}

static void test_threads(void **state)
{
    (void)state;
    struct arena arena;
    pthread_t threads[4];
    arena_init(&arena, NULL, 0);
    struct value input = parse("{\"s\":\"hello\",\"l\":[1,2,3]}", &arena);
    assert_int_equal(expr_compile(STR("s.matches('^h.*o$') && l.map(x, x * 2).sum() == 12 && (gone || true)"), NULL,
                                  &arena, &shared, NULL),
                     0);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, evaluate_often, &input), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_int_equal((intptr_t)wrong, 0);
    }
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_names_stop),
        cmocka_unit_test(test_is_name),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_result_kinds),
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_lookup_once),
        cmocka_unit_test(test_lookup_failure),
        cmocka_unit_test(test_hostile_texts),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_shared_values),
        cmocka_unit_test(test_memory_short),
        cmocka_unit_test(test_scalars_allocate_nothing),
        cmocka_unit_test(test_damaged_texts),
        cmocka_unit_test(test_function_table),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
