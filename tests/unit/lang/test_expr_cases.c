/*
 * test_expr_cases.c - runs the tables in tests/cel. Their form is described in the README there.
 */
#include <dirent.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/error.h"
#include "lang/expr.h"

#define CASES_LEAST 600

static int cases_count, failures_count;

/* ---- zones made from their rules, so that the test needs no zone files ---- */

static const struct {
    const char *name, *rule;
} zones[] = {
    {"Australia/Sydney", "AEST-10AEDT,M10.1.0,M4.1.0/3"}, {"US/Central", "CST6CDT,M3.2.0,M11.1.0"},
    {"America/St_Johns", "NST3:30NDT,M3.2.0,M11.1.0"},    {"Asia/Kathmandu", "<+0545>-5:45"},
    {"Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3"},
};

/* A TZif file (RFC 8536) of version 2 with one type, no transitions, and the rule in its footer. */
static int zone(void *user, struct orch_str name, struct orch_str *ret_tzif)
{
    static char file[256];
    (void)user;
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        if (!str_is(name, zones[i].name)) continue;
        static const unsigned char head[44] = {'T', 'Z', 'i', 'f', '2', [39] = 1, [43] = 4};
        static const unsigned char body[10] = {0, 0, 0, 0, 0, 0, 'U', 'T', 'C', 0};
        size_t at = 0;
        for (int part = 0; part < 2; part++) {
            memcpy(file + at, head, sizeof(head));
            memcpy(file + at + sizeof(head), body, sizeof(body));
            at += sizeof(head) + sizeof(body);
        }
        at += (size_t)snprintf(file + at, sizeof(file) - at, "\n%s\n", zones[i].rule);
        *ret_tzif = str_of(file, at);
        return 0;
    }
    return ORCH_ERR_NOT_FOUND;
}

/* ---- one case ---- */

struct setting {
    struct value names;
    bool unchecked;
};

static int look_up(void *user, struct orch_str name, struct arena *arena, struct value *ret, struct orch_error *err)
{
    (void)arena;
    (void)err;
    const struct setting *setting = user;
    const struct value *found = value_get(setting->names, name);
    if (!found) return ORCH_ERR_NOT_FOUND;
    *ret = *found;
    return 0;
}

static bool has_dotted_names(struct value names)
{
    if (names.kind != VALUE_MAP) return false;
    const struct value_member *members = value_members(names);
    for (uint32_t i = 0; i < names.size; i++) {
        if (str_find(value_str(members[i].key), STR("."), 0) != SIZE_MAX) return true;
    }
    return false;
}

static int run(struct orch_str source, const struct setting *setting, struct arena *arena, struct value *ret,
               struct orch_error *err)
{
    struct expr_limits limits = {.unchecked = setting->unchecked};
    const struct expr *expr;
    int rc = expr_compile(source, &limits, arena, &expr, err);
    if (rc != 0) return rc;
    struct expr_env env = {.lookup = look_up,
                           .zone = zone,
                           .user = (void *)(uintptr_t)setting,
                           .has_dotted_names = has_dotted_names(setting->names),
                           .now = INT64_C(1772344808312000), /* 2026-03-01T06:00:08.312Z */
                           .limits = &limits};
    return expr_eval(expr, &env, arena, ret, err);
}

/* The value as the tables write it: JSON, with the kind before it where JSON does not show it. */
static void show(struct value v, struct buf *out)
{
    struct buf json;
    buf_init(&json, NULL, 0);
    json_format(v, 0, &json);
    bool hidden = v.kind == VALUE_UINT || v.kind == VALUE_BYTES || v.kind == VALUE_TIMESTAMP ||
                  v.kind == VALUE_DURATION || v.kind == VALUE_TYPE;
    if (v.kind == VALUE_DOUBLE && (json.data[0] == '"' || !strpbrk(json.data, ".eE"))) hidden = true;
    if (hidden) {
        const char *kinds[] = {[VALUE_UINT] = "uint",         [VALUE_BYTES] = "bytes", [VALUE_TIMESTAMP] = "timestamp",
                               [VALUE_DURATION] = "duration", [VALUE_TYPE] = "type",   [VALUE_DOUBLE] = "double"};
        buf_printf(out, "%s ", kinds[v.kind]);
    }
    buf_add(out, buf_str(&json));
    buf_done(&json);
}

static void fail_case(const char *file, int line, struct orch_str source, struct orch_str wanted, const char *got)
{
    failures_count++;
    fprintf(stderr, "%s:%d: %.*s\n    wanted: %.*s\n    got:    %s\n", file, line, STR_ARG(source), STR_ARG(wanted),
            got);
}

static void check_error(const char *file, int line, struct orch_str source, struct orch_str wanted,
                        const struct orch_error *err)
{
    struct orch_str text = wanted;
    uint64_t column = 0;
    if (text.size > 0 && text.data[0] == '@') {
        size_t space = str_find(text, STR(" "), 0);
        if (space == SIZE_MAX) space = text.size;
        assert_true(str_to_uint64(str_of(text.data + 1, space - 1), &column));
        text = str_trim(str_of(text.data + space, text.size - space));
    }
    char got[700];
    snprintf(got, sizeof(got), "!! @%u %s", err->column, err->message);
    bool fits = str_find(str_from(err->message), text, 0) != SIZE_MAX;
    if (!fits || (column != 0 && column != err->column)) fail_case(file, line, source, wanted, got);
    /* Whatever fails in a text says where. */
    if (err->column == 0 || err->column > utf8_count(source) + 1)
        fail_case(file, line, source, STR("a column in the text"), got);
}

static struct orch_str unescape(struct orch_str source, struct arena *arena)
{
    char *out = arena_bytes(arena, source.size);
    size_t size = 0;
    assert_non_null(out);
    for (size_t i = 0; i < source.size; i++) {
        static const char letters[] = "NRFT", meanings[] = "\n\r\f\t";
        const char *found = NULL;
        if (source.data[i] == '\\' && i + 1 < source.size) found = memchr(letters, source.data[i + 1], 4);
        if (found) {
            out[size++] = meanings[found - letters];
            i++;
        } else {
            out[size++] = source.data[i];
        }
    }
    return str_of(out, size);
}

static void run_case(const char *file, int number, struct orch_str line, const struct setting *setting)
{
    size_t value_at = str_find(line, STR("  =>  "), 0), error_at = str_find(line, STR("  !!  "), 0);
    bool is_error = value_at == SIZE_MAX;
    size_t at = is_error ? error_at : value_at;
    cases_count++;
    if (at == SIZE_MAX) {
        fail_case(file, number, line, STR("a line with => or !!"), "neither");
        return;
    }
    struct arena arena;
    struct buf got;
    struct orch_error err = ORCH_ERROR_INIT;
    struct value value = value_null();
    arena_init(&arena, NULL, 0);
    buf_init(&got, NULL, 0);
    struct orch_str source = unescape(str_trim(str_of(line.data, at)), &arena);
    struct orch_str wanted = str_trim(str_of(line.data + at + 6, line.size - at - 6));
    int rc = run(source, setting, &arena, &value, &err);
    if (rc == 0) {
        show(value, &got);
        if (is_error || !str_equal(buf_str(&got), wanted)) fail_case(file, number, source, wanted, got.data);
    } else if (!is_error) {
        buf_printf(&got, "!! @%u %s", err.column, err.message);
        fail_case(file, number, source, wanted, got.data);
    } else {
        check_error(file, number, source, wanted, &err);
    }
    buf_done(&got);
    arena_done(&arena);
}

static void run_file(const char *directory, const char *name)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    char *line = NULL;
    size_t capacity = 0;
    struct arena arena;
    struct setting setting = {0};
    arena_init(&arena, NULL, 0);
    int number = 0;
    for (ssize_t size; (size = getline(&line, &capacity, in)) >= 0;) {
        number++;
        struct orch_str text = str_of(line, (size_t)size);
        while (text.size > 0 && strchr("\r\n", text.data[text.size - 1])) text.size--;
        struct orch_error err = ORCH_ERROR_INIT;
        if (str_trim(text).size == 0 || text.data[0] == '#') continue;
        if (str_starts_with(text, STR("---"))) {
            setting = (struct setting){0};
        } else if (str_starts_with(text, STR("with "))) {
            struct orch_str json = arena_str(&arena, str_of(text.data + 5, text.size - 5));
            if (json_parse(json, NULL, &arena, &setting.names, &err) != 0)
                fail_case(name, number, text, STR("JSON"), err.message);
        } else if (str_is(text, "unchecked on")) {
            setting.unchecked = true;
        } else {
            run_case(name, number, text, &setting);
        }
    }
    free(line);
    arena_done(&arena);
    assert_int_equal(fclose(in), 0);
}

static void test_tables(void **state)
{
    (void)state;
    DIR *directory = opendir(CEL_CASES);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (str_ends_with(str_from(entry->d_name), STR(".txt"))) run_file(CEL_CASES, entry->d_name);
    }
    assert_int_equal(closedir(directory), 0);
    fprintf(stderr, "%d cases, %d of them wrong\n", cases_count, failures_count);
    assert_int_equal(failures_count, 0);
    assert_true(cases_count >= CASES_LEAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
