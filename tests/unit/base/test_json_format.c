/* test_json_format.c - values as JSON, and base64. */
#include "torture.h"

#include <math.h>

#include "base/value.h"

static struct value text_of(enum value_kind kind, struct orch_str s)
{
    struct value v = value_string(s);
    v.kind = (uint8_t)kind;
    return v;
}

static void assert_formatted(struct value v, int indent, const char *expected)
{
    struct buf buf;
    buf_init(&buf, NULL, 0);
    json_format(v, indent, &buf);
    assert_false(buf.failed);
    assert_string_equal(buf.data, expected);
    buf_done(&buf);
}

static void test_scalars(void **state)
{
    (void)state;
    const struct {
        struct value v;
        const char *text;
    } rows[] = {
        {value_null(), "null"},
        {value_bool(true), "true"},
        {value_bool(false), "false"},
        {value_int(0), "0"},
        {value_int(-1), "-1"},
        {value_int(INT64_MAX), "9223372036854775807"},
        {value_int(INT64_MIN), "-9223372036854775808"},
        {value_uint(UINT64_MAX), "18446744073709551615"},
        {value_double(2), "2.0"},
        {value_double(-0.0), "-0.0"},
        {value_double(0.1), "0.1"},
        {value_double(999999999999999), "999999999999999.0"},
        {value_double(1e15), "1e15"},
        {value_double(1e-8), "1e-8"},
        {value_double(1.5e300), "1.5e300"},
        {value_double(INFINITY), "\"Infinity\""},
        {value_double(-INFINITY), "\"-Infinity\""},
        {value_double(NAN), "\"NaN\""},
        {text_of(VALUE_NUMBER, STR("1e999")), "1e999"},
        {text_of(VALUE_TYPE, STR("int")), "\"int\""},
        {text_of(VALUE_BYTES, STR("\x00\xff")), "\"AP8=\""},
        {value_timestamp(0, 0), "\"1970-01-01T00:00:00Z\""},
        {value_timestamp(1772344808, 312000000), "\"2026-03-01T06:00:08.312Z\""},
        {value_timestamp(-1, 1), "\"1969-12-31T23:59:59.000000001Z\""},
        {value_duration(0, 0), "\"0s\""},
        {value_duration(1, 500000000), "\"1.5s\""},
        {value_duration(-1, -500000000), "\"-1.5s\""},
        {value_duration(0, -1), "\"-0.000000001s\""},
        {value_duration(INT64_MIN, 0), "\"-9223372036854775808s\""},
        {value_list(NULL, 0), "[]"},
        {(struct value){.kind = VALUE_MAP}, "{}"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_formatted(rows[i].v, 0, rows[i].text);
        assert_formatted(rows[i].v, 2, rows[i].text);
    }
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        struct orch_str s;
        const char *text;
    } rows[] = {
        {{NULL, 0}, "\"\""},
        {{"plain and long enough for the scan", 34}, "\"plain and long enough for the scan\""},
        {{"\"\\/\b\f\n\r\t", 8}, "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
        {{"\0\x01\x1f\x7f", 4}, "\"\\u0000\\u0001\\u001f\x7f\""},
        {{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9}, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {{"\xff", 1}, "\"\xef\xbf\xbd\""},
        {{"a\xc3", 2}, "\"a\xef\xbf\xbd\""},
        {{"a\xe2\x82z", 4}, "\"a\xef\xbf\xbd\xef\xbf\xbdz\""},
        {{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"1234567\n", 8}, "\"1234567\\n\""},
        {{"12345678\n", 9}, "\"12345678\\n\""},
        {{"\n\n12345678", 10}, "\"\\n\\n12345678\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct orch_str copy = exact_copy(rows[i].s.data, rows[i].s.size);
        struct buf buf;
        buf_init(&buf, NULL, 0);
        json_format_string(copy, &buf);
        assert_string_equal(buf.data, rows[i].text);
        buf_done(&buf);
        free((void *)(uintptr_t)copy.data);
    }
    struct buf buf;
    buf_init(&buf, NULL, 0);
    json_format_string(STR_NONE, &buf);
    assert_string_equal(buf.data, "\"\"");
    buf_done(&buf);
}

/* Every byte, at every offset within the eight: what is written reads back the same. */
static void test_strings_read_back(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    for (unsigned byte = 0; byte < 0x80; byte++) {
        for (size_t at = 0; at < 17; at++) {
            char text[17];
            memset(text, 'x', sizeof(text));
            text[at] = (char)byte;
            struct buf buf;
            buf_init(&buf, NULL, 0);
            json_format_string(str_of(text, sizeof(text)), &buf);
            struct value v;
            assert_int_equal(json_parse(buf_str(&buf), NULL, &arena, &v, NULL), 0);
            assert_true(str_equal(value_str(v), str_of(text, sizeof(text))));
            buf_done(&buf);
        }
        arena_clear(&arena);
    }
    arena_done(&arena);
}

static void test_indent(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct value v;
    assert_int_equal(json_parse(STR("{\"a\":[1,{\"b\":null}],\"c\":{},\"d\":[]}"), NULL, &arena, &v, NULL), 0);
    assert_formatted(v, 0, "{\"a\":[1,{\"b\":null}],\"c\":{},\"d\":[]}");
    assert_formatted(v, 2,
                     "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}");
    assert_formatted(v, 1, "{\n \"a\": [\n  1,\n  {\n   \"b\": null\n  }\n ],\n \"c\": {},\n \"d\": []\n}");
    arena_done(&arena);
}

static void test_keys(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct value_member members[] = {
        {value_string(STR("a\n")), value_int(1)}, {value_int(-5), value_int(2)},
        {value_uint(UINT64_MAX), value_int(3)},   {value_bool(true), value_int(4)},
        {value_bool(false), value_int(5)},
    };
    struct value map;
    assert_int_equal(value_map(members, COUNT(members), &arena, &map), 0);
    assert_formatted(map, 0, "{\"a\\n\":1,\"-5\":2,\"18446744073709551615\":3,\"true\":4,\"false\":5}");
    arena_done(&arena);
}

static void test_base64(void **state)
{
    (void)state;
    /* RFC 4648, section 10, and the ends of the alphabet. */
    static const struct {
        const char *bytes, *text;
    } rows[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/"},
        {"\xff\xff\xff", "////"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct orch_str copy = exact_copy(rows[i].bytes, strlen(rows[i].bytes));
        struct buf buf;
        buf_init(&buf, NULL, 0);
        base64_format(copy, &buf);
        assert_str(buf_str(&buf), rows[i].text);
        buf_done(&buf);
        free((void *)(uintptr_t)copy.data);
    }
}

static bool use_format(const struct orch_allocator *allocator)
{
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct value v;
    struct value_member member = {value_string(STR("key")), value_null()};
    struct value inner;
    assert_int_equal(value_map(&member, 1, &arena, &inner), 0);
    struct value items[100];
    for (size_t i = 0; i < COUNT(items); i++) items[i] = i % 2 ? inner : value_string(STR("a longer text\n"));
    v = value_list(items, COUNT(items));
    struct buf buf;
    buf_init(&buf, allocator, 0);
    json_format(v, 2, &buf);
    bool passed = !buf.failed;
    buf_done(&buf);
    arena_done(&arena);
    return passed;
}

static void test_memory_short(void **state)
{
    (void)state;
    torture_all(use_format);
}

static void test_maximum(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, NULL, 20);
    struct value items[] = {value_string(STR("0123456789")), value_string(STR("0123456789"))};
    json_format(value_list(items, 2), 0, &buf);
    assert_true(buf.failed);
    assert_true(buf.size <= 20);
    buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),      cmocka_unit_test(test_strings), cmocka_unit_test(test_strings_read_back),
        cmocka_unit_test(test_indent),       cmocka_unit_test(test_keys),    cmocka_unit_test(test_base64),
        cmocka_unit_test(test_memory_short), cmocka_unit_test(test_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
