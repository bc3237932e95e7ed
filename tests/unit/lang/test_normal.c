/* test_normal.c - the normal form as text, the YAML that is written, and the JSON Schema. */
#include "lang/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lang/schema.h"
#include "lang/yaml_out.h"

struct fixture {
    struct arena arena, texts;
    struct diags diags;
    struct buf out, json;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    arena_init(&f->arena, NULL, 0);
    arena_init(&f->texts, NULL, 0);
    buf_init(&f->out, NULL, 0);
    buf_init(&f->json, NULL, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buf_done(&f->out);
    buf_done(&f->json);
    arena_done(&f->arena);
    arena_done(&f->texts);
    free(f);
    return 0;
}

static const struct workflow *read_ok(struct fixture *f, const char *text)
{
    const struct workflow *workflow = NULL;
    diags_init(&f->diags, &f->texts);
    int r = workflow_read(str_from(text), STR("w.yaml"), &f->arena, &f->diags, &workflow);
    if (r) print_message("%s\n%.*s\n", text, STR_ARG(f->diags.items[0].message));
    assert_int_equal(r, 0);
    return workflow;
}

/* What is stored: our keys in our order, the short forms. */
static void test_normal_json(void **state)
{
    static const struct {
        const char *text, *normal;
    } cases[] = {
        {"tasks: {}", "{\"tasks\":{}}"},
        {"tasks: {a: {depends_on: [], env: {}, shell: x}}\ntags: []\nparameters: {}",
         "{\"tasks\":{\"a\":{\"shell\":\"x\"}}}"},
        {"tasks: {b: {shell: y, depends_on: a}, a: {run: x}}\nname: n",
         "{\"name\":\"n\",\"tasks\":{\"b\":{\"depends_on\":[\"a\"],\"shell\":\"y\"},\"a\":{\"shell\":\"x\"}}}"},
        {"version: 1.10\ntasks: {a: {shell: true}}", "{\"version\":\"1.10\",\"tasks\":{\"a\":{\"shell\":\"true\"}}}"},
        {"tasks: [{id: a, shell: x}, {action_id: b, shell: y}]",
         "{\"tasks\":{\"a\":{\"shell\":\"x\"},\"b\":{\"shell\":\"y\"}}}"},
        {"tasks: [{shell: x}, {id: b, shell: y}]", "{\"tasks\":[{\"shell\":\"x\"},{\"id\":\"b\",\"shell\":\"y\"}]}"},
        {"tasks: {a: {exec: {command: [x]}, retry: {max_attempts: 3}, pool: [gpu], on_interrupt: fail}}",
         "{\"tasks\":{\"a\":{\"exec\":[\"x\"],\"retry\":3,\"pool\":\"gpu\",\"on_interrupt\":\"fail\"}}}"},
        {"tasks: {a: {shell: x, pool: {name: gpu}}, b: {noop: {}, for_each: {in: [1]}}}",
         "{\"tasks\":{\"a\":{\"shell\":\"x\",\"pool\":\"gpu\"},\"b\":{\"for_each\":[1],\"noop\":{}}}}"},
        {"concurrency: {execution: 2}\ntasks: {a: {timeout_seconds: 90, shell: x}}",
         "{\"concurrency\":2,\"tasks\":{\"a\":{\"shell\":\"x\",\"timeout\":\"1m30s\"}}}"},
        {"tasks: {a: {shell: x, max_retries: 2}}", "{\"tasks\":{\"a\":{\"shell\":\"x\",\"retry\":3}}}"},
        {"tasks: {a: {shell: x, on_error: {tasks: {f: {shell: y}}}}}",
         "{\"tasks\":{\"a\":{\"shell\":\"x\",\"on_error\":{\"f\":{\"shell\":\"y\"}}}}}"},
        {"tasks: {a: {shell: x, on_error: {tasks: {shell: {noop: }}}}}",
         "{\"tasks\":{\"a\":{\"shell\":\"x\",\"on_error\":{\"tasks\":{\"shell\":{\"noop\":null}}}}}}"},
        {"tasks: {}\nfinally: [{shell: x}]", "{\"tasks\":{},\"finally\":{\"tasks\":[{\"shell\":\"x\"}]}}"},
        {"steps: [{factory: f, action: a}]\nparallel: true\nfactories: [f]",
         "{\"mode\":\"parallel\",\"tasks\":[{\"factory\":{\"factory\":\"f\",\"action\":\"a\"}}]}"},
        {"parameters: [{name: p, type: int}]\ntasks: {a: {transform: p}}",
         "{\"parameters\":{\"p\":{\"type\":\"integer\"}},\"tasks\":{\"a\":{\"transform\":\"p\"}}}"},
        {"tasks: {a: {transform: {x: 0x10, y: .5, z: 1.50}}}",
         "{\"tasks\":{\"a\":{\"transform\":{\"x\":16,\"y\":0.5,\"z\":1.50}}}}"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct workflow *w = read_ok(f, cases[i].text);
        buf_clear(&f->out);
        buf_add(&f->out, w->normal);
        assert_string_equal(f->out.data, cases[i].normal);
    }
}

static void test_format(void **state)
{
    static const char text[] =
        "tasks:\n  - {id: fetch, run: 'curl \"$U\"', env: {U: 'https://x'}, max_retries: 4, backoff_seconds: 2}\n"
        "  - {id: long, dependencies: fetch, script: {text: \"set -e\\n\\n  echo 1\\n\", interpreter: sh}}\n"
        "  - {id: group, parallel: true, steps: [{shell: a}, {shell: b, timeout: 1s, priority: 1}]}\n"
        "parameters: [{name: day, type: str, description: 'a: b', default: 'yes'}]\nname: '1.0'\n"
        "finally: {tasks: {tidy: {shell: rm}}}\non_error: {notification: 'failed: {{ day }}'}\n";
    static const char yaml[] = "name: \"1.0\"\n"
                               "parameters:\n"
                               "  day: {type: string, description: \"a: b\", default: \"yes\"}\n"
                               "tasks:\n"
                               "  fetch:\n"
                               "    shell: curl \"$U\"\n"
                               "    env: {U: https://x}\n"
                               "    retry: {max_attempts: 5, delay: 2s}\n"
                               "  long:\n"
                               "    depends_on: [fetch]\n"
                               "    script:\n"
                               "      text: |\n"
                               "        set -e\n"
                               "\n"
                               "          echo 1\n"
                               "      interpreter: sh\n"
                               "  group:\n"
                               "    mode: parallel\n"
                               "    tasks:\n"
                               "      - {shell: a}\n"
                               "      - shell: b\n"
                               "        timeout: 1s\n"
                               "        priority: 1\n"
                               "on_error: {notification: \"failed: {{ day }}\"}\n"
                               "finally:\n"
                               "  tidy: {shell: rm}\n";
    struct fixture *f = *state;
    const struct workflow *w = read_ok(f, text);
    assert_int_equal(workflow_format(w, false, &f->out, NULL), 0);
    assert_string_equal(f->out.data, yaml);
    buf_clear(&f->out);
    assert_int_equal(
        workflow_format(read_ok(f, "tasks: {a: {shell: x, depends_on: []}, b: {noop: {}, depends_on: [a]}}"), true,
                        &f->out, NULL),
        0);
    assert_string_equal(f->out.data, "{\n  \"tasks\": {\n    \"a\": {\n      \"shell\": \"x\"\n    },\n    \"b\": {\n  "
                                     "    \"depends_on\": [\n        \"a\"\n      ],\n"
                                     "      \"noop\": {}\n    }\n  }\n}\n");
}

static void test_scalars(void **state)
{
    static const struct {
        const char *text, *block, *flow;
    } cases[] = {
        {"plain text", "plain text", "plain text"},
        {"", "\"\"", "\"\""},
        {"12", "\"12\"", "\"12\""},
        {"0x1F", "\"0x1F\"", "\"0x1F\""},
        {"1.2.3", "1.2.3", "1.2.3"},
        {"true", "\"true\"", "\"true\""},
        {"null", "\"null\"", "\"null\""},
        {"~", "\"~\"", "\"~\""},
        {".inf", "\".inf\"", "\".inf\""},
        {"no", "\"no\"", "\"no\""},
        {"a: b", "\"a: b\"", "\"a: b\""},
        {"a:b", "a:b", "a:b"},
        {"a:", "\"a:\"", "\"a:\""},
        {"a # b", "\"a # b\"", "\"a # b\""},
        {"a#b", "a#b", "a#b"},
        {"# a", "\"# a\"", "\"# a\""},
        {"- a", "\"- a\"", "\"- a\""},
        {"-a", "-a", "-a"},
        {"-", "\"-\"", "\"-\""},
        {"---", "\"---\"", "\"---\""},
        {"{{ x }}", "\"{{ x }}\"", "\"{{ x }}\""},
        {"a, b", "a, b", "\"a, b\""},
        {"a[0]", "a[0]", "\"a[0]\""},
        {"*.txt", "\"*.txt\"", "\"*.txt\""},
        {"say \"hi\": now", "'say \"hi\": now'", "'say \"hi\": now'"},
        {"it's: \"x\"", "'it''s: \"x\"'", "'it''s: \"x\"'"},
        {"it's: that's", "\"it's: that's\"", "\"it's: that's\""},
        {" a", "\" a\"", "\" a\""},
        {"a ", "\"a \"", "\"a \""},
        {"a\tb", "\"a\\tb\"", "\"a\\tb\""},
        {"a\nb", "|-\n    a\n    b", "\"a\\nb\""},
        {"a\nb\n", "|\n    a\n    b", "\"a\\nb\\n\""},
        {"a\n\n", "|+\n    a\n", "\"a\\n\\n\""},
        {"  a\nb\n", "|2\n      a\n    b", "\"  a\\nb\\n\""},
        {"\n\na\n", "|\n\n\n    a", "\"\\n\\na\\n\""},
        {"\n", "\"\\n\"", "\"\\n\""},
        {"a\rb\n", "\"a\\rb\\n\"", "\"a\\rb\\n\""},
        {"\x01", "\"\\u0001\"", "\"\\u0001\""},
        {"\xC2\x85", "\"\\u0085\"", "\"\\u0085\""},
        {"\xE2\x80\xA8", "\"\\u2028\"", "\"\\u2028\""},
        {"\xC3\xA9\xF0\x9F\x98\x80", "\xC3\xA9\xF0\x9F\x98\x80", "\xC3\xA9\xF0\x9F\x98\x80"},
        {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&f->out);
        yaml_text(str_from(cases[i].text), 2, false, &f->out);
        assert_string_equal(f->out.data, cases[i].block);
        buf_clear(&f->out);
        yaml_text(str_from(cases[i].text), 2, true, &f->out);
        assert_string_equal(f->out.data, cases[i].flow);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void random_text(uint32_t *seed, struct buf *json)
{
    static const char *const pieces[] = {"a",
                                         "b c",
                                         " ",
                                         "\n",
                                         "\n\n",
                                         ":",
                                         ": ",
                                         "#",
                                         " #",
                                         "-",
                                         "- ",
                                         "'",
                                         "\"",
                                         "\\",
                                         "{",
                                         "}",
                                         "[",
                                         "]",
                                         ",",
                                         "&",
                                         "*",
                                         "!",
                                         "|",
                                         ">",
                                         "%",
                                         "@",
                                         "`",
                                         "?",
                                         "? ",
                                         "true",
                                         "null",
                                         "12",
                                         "1.5",
                                         "0x1",
                                         "~",
                                         "<<",
                                         "=",
                                         "\t",
                                         "\r",
                                         "\x01",
                                         "\x7F",
                                         "\xC2\x85",
                                         "\xC3\xA9",
                                         "\xE2\x80\xA8",
                                         "\xEF\xBB\xBF",
                                         "\xF0\x9F\x98\x80",
                                         "{{ x }}",
                                         "---",
                                         "...",
                                         "yes",
                                         "0",
                                         "e",
                                         "."};
    struct buf text;
    buf_init(&text, NULL, 0);
    uint32_t count = next_random(seed) % 6;
    for (uint32_t i = 0; i < count; i++)
        buf_add_text(&text, pieces[next_random(seed) % (sizeof pieces / sizeof *pieces)]);
    json_format_string(buf_str(&text), json);
    buf_done(&text);
}

static void random_value(uint32_t *seed, int depth, struct buf *json)
{
    uint32_t kind = next_random(seed) % (depth > 4 ? 6 : 10);
    uint32_t count = next_random(seed) % 5;
    switch (kind) {
    case 0: buf_add_text(json, "null"); return;
    case 1: buf_add_text(json, "true"); return;
    case 2: buf_add_text(json, "-1.50e3"); return;
    case 6:
    case 7:
        buf_add_char(json, '[');
        for (uint32_t i = 0; i < count; i++) {
            if (i) buf_add_char(json, ',');
            random_value(seed, depth + 1, json);
        }
        buf_add_char(json, ']');
        return;
    case 8:
    case 9:
        buf_add_char(json, '{');
        for (uint32_t i = 0; i < count; i++) {
            buf_printf(json, "%s\"%u", i ? "," : "", i); /* no key twice */
            struct buf key;
            buf_init(&key, NULL, 0);
            random_text(seed, &key);
            buf_add(json, str_of(key.data + 1, key.size - 1));
            buf_done(&key);
            buf_add_char(json, ':');
            random_value(seed, depth + 1, json);
        }
        buf_add_char(json, '}');
        return;
    default: random_text(seed, json); return;
    }
}

/* Whatever a definition holds is printed as YAML that reads back the same. */
static void test_random_values(void **state)
{
    struct fixture *f = *state;
    for (uint32_t round = 0; round < 3000; round++) {
        uint32_t seed = round * 7919 + 1;
        arena_clear(&f->arena);
        arena_clear(&f->texts);
        buf_clear(&f->json);
        buf_add_text(&f->json, "{\"tasks\":{\"a\":{\"notification\":{\"message\":\"m\",\"title\":");
        random_text(&seed, &f->json);
        buf_add_text(&f->json, "}},\"b\":{\"service_call\":{\"service\":\"s\",\"parameters\":");
        random_value(&seed, 0, &f->json);
        buf_add_text(&f->json, "}}}}");
        const struct workflow *w = NULL;
        diags_init(&f->diags, &f->texts);
        if (workflow_read(buf_str(&f->json), STR_NONE, &f->arena, &f->diags, &w)) continue; /* {{ x }}: there is no x */
        buf_clear(&f->out);
        assert_int_equal(workflow_format(w, false, &f->out, NULL), 0);
        const struct workflow *again = NULL;
        int r = workflow_read(buf_str(&f->out), STR_NONE, &f->arena, &f->diags, &again);
        if (r || !str_equal(w->normal, again->normal))
            print_message("seed %u: %.*s\n%s\n%.*s\n", round, STR_ARG(w->normal), f->out.data,
                          STR_ARG(f->diags.items[0].message));
        assert_int_equal(r, 0);
        assert_true(str_equal(w->normal, again->normal));
    }
}

/* The schema is JSON, names every key of the table, and each of its references is there. */
static void test_schema(void **state)
{
    struct fixture *f = *state;
    struct value schema;
    workflow_schema(&f->out);
    assert_false(f->out.failed);
    assert_int_equal(json_parse(buf_str(&f->out), NULL, &f->arena, &schema, NULL), 0);
    const struct value *defs = value_get(schema, STR("$defs"));
    assert_non_null(defs);
    for (size_t i = 0; schema_maps[i]; i++) {
        const struct value *map = value_get(*defs, str_from(schema_maps[i]->name));
        assert_non_null(map);
        const struct value *properties = value_get(*map, STR("properties"));
        assert_non_null(properties);
        assert_int_equal(properties->size, schema_maps[i]->key_count);
        for (size_t k = 0; k < schema_maps[i]->key_count; k++) {
            assert_true(schema_maps[i]->keys[k].name.size > 0); /* a row for each key */
            assert_non_null(value_get(*properties, schema_maps[i]->keys[k].name));
        }
        for (size_t k = 0; k < schema_maps[i]->alias_count; k++)
            assert_true(schema_maps[i]->aliases[k].key < schema_maps[i]->key_count);
    }
    static const char reference[] = "\"$ref\":\"#/$defs/";
    struct orch_str text = buf_str(&f->out);
    size_t count = 0;
    for (size_t at = str_find(text, str_from(reference), 0); at != SIZE_MAX;
         at = str_find(text, str_from(reference), at + 1)) {
        size_t start = at + sizeof reference - 1, end = str_find(text, STR("\""), start);
        assert_non_null(value_get(*defs, str_of(text.data + start, end - start)));
        count++;
    }
    assert_true(count > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_normal_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_format, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scalars, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
