/* test_str.c - borrowed strings. */
#include "torture.h"

#include "base/str.h"

static void test_compare(void **state)
{
    (void)state;
    static const struct {
        struct orch_str a, b;
        int order;
    } rows[] = {
        {{"", 0}, {NULL, 0}, 0},  {{"a", 1}, {"", 0}, 1},     {{"a", 1}, {"b", 1}, -1},  {{"a", 1}, {"ab", 2}, -1},
        {{"b", 1}, {"ab", 2}, 1}, {{"\xff", 1}, {"a", 1}, 1}, {{"ab", 2}, {"ab", 2}, 0}, {{"a\0b", 3}, {"a\0c", 3}, -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int order = str_compare(rows[i].a, rows[i].b);
        assert_int_equal((order > 0) - (order < 0), rows[i].order);
        order = str_compare(rows[i].b, rows[i].a);
        assert_int_equal((order > 0) - (order < 0), -rows[i].order);
        assert_int_equal(str_equal(rows[i].a, rows[i].b), rows[i].order == 0);
    }
    assert_true(str_is(STR("abc"), "abc"));
    assert_false(str_is(STR("abc"), "ab"));
    assert_true(str_is(STR_NONE, ""));
}

static void test_starts_and_ends(void **state)
{
    (void)state;
    assert_true(str_starts_with(STR("abc"), STR("ab")));
    assert_true(str_starts_with(STR("abc"), STR_NONE));
    assert_true(str_starts_with(STR_NONE, STR_NONE));
    assert_false(str_starts_with(STR("abc"), STR("b")));
    assert_false(str_starts_with(STR("a"), STR("ab")));
    assert_true(str_ends_with(STR("abc"), STR("bc")));
    assert_true(str_ends_with(STR("abc"), STR_NONE));
    assert_false(str_ends_with(STR("abc"), STR("b")));
    assert_false(str_ends_with(STR("c"), STR("bc")));
}

static void test_find(void **state)
{
    (void)state;
    static const struct {
        const char *s, *needle;
        size_t from, at;
    } rows[] = {
        {"abcabc", "bc", 0, 1}, {"abcabc", "bc", 2, 4},           {"abcabc", "bc", 5, SIZE_MAX}, {"abc", "", 0, 0},
        {"abc", "", 3, 3},      {"abc", "", 4, SIZE_MAX},         {"abc", "abcd", 0, SIZE_MAX},  {"", "a", 0, SIZE_MAX},
        {"aaab", "aab", 0, 1},  {"abc", "c", SIZE_MAX, SIZE_MAX},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(str_find(str_from(rows[i].s), str_from(rows[i].needle), rows[i].from), rows[i].at);
    }
}

static void test_trim(void **state)
{
    (void)state;
    assert_str(str_trim(STR(" \t\r\n\v\f a b \n")), "a b");
    assert_str(str_trim(STR("  ")), "");
    assert_str(str_trim(STR_NONE), "");
    assert_str(str_trim(STR("\xc2\xa0x")), "\xc2\xa0x"); /* ASCII only */
}

static void test_whole_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_int;
        int64_t i;
        bool is_uint;
        uint64_t u;
    } rows[] = {
        {"0", true, 0, true, 0},
        {"-0", true, 0, true, 0},
        {"+7", true, 7, true, 7},
        {"007", true, 7, true, 7},
        {"-7", true, -7, false, 0},
        {"9223372036854775807", true, INT64_MAX, true, INT64_MAX},
        {"9223372036854775808", false, 0, true, UINT64_C(9223372036854775808)},
        {"-9223372036854775808", true, INT64_MIN, false, 0},
        {"-9223372036854775809", false, 0, false, 0},
        {"18446744073709551615", false, 0, true, UINT64_MAX},
        {"18446744073709551616", false, 0, false, 0},
        {"18446744073709551620", false, 0, false, 0},
        {"99999999999999999999999", false, 0, false, 0},
        {"", false, 0, false, 0},
        {"-", false, 0, false, 0},
        {"+", false, 0, false, 0},
        {"--1", false, 0, false, 0},
        {"+-1", false, 0, false, 0},
        {" 1", false, 0, false, 0},
        {"1 ", false, 0, false, 0},
        {"1.0", false, 0, false, 0},
        {"1e3", false, 0, false, 0},
        {"0x10", false, 0, false, 0},
        {"1_000", false, 0, false, 0},
        {"\xd9\xa1", false, 0, false, 0}, /* an Arabic digit */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t number = 77;
        assert_int_equal(str_to_int64(str_from(rows[i].text), &number), rows[i].is_int);
        assert_true(number == (rows[i].is_int ? rows[i].i : 77));
        uint64_t unumber = 77;
        assert_int_equal(str_to_uint64(str_from(rows[i].text), &unumber), rows[i].is_uint);
        assert_true(unumber == (rows[i].is_uint ? rows[i].u : 77));
    }
}

static void test_nearest(void **state)
{
    (void)state;
    static const struct orch_str candidates[] = {
        {"timeout", 7}, {"retry", 5}, {"depends_on", 10}, {"shell", 5}, {"a", 1}, {"when", 4}, {"tasks", 5},
        {"task", 4},    {"", 0},      {"env", 3},         {"Tesks", 5},
    };
    static const struct {
        const char *word, *nearest;
    } rows[] = {
        {"timeuot", "timeout"},
        {"TIMEOUT", "timeout"},
        {"timout", "timeout"},
        {"rerty", "retry"},
        {"depend_on", "depends_on"},
        {"dependson", "depends_on"},
        {"dependencies", ""},
        {"shel", "shell"},
        {"b", ""},
        {"", ""},
        {"wehn", "when"},
        {"whom", ""},
        {"xyzzy", ""},
        {"Tasks", "tasks"},
        {"tesks", "Tesks"},
        {"evn", "env"},
        {"task", "task"},
        {"ab", "a"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_str(str_nearest(str_from(rows[i].word), candidates, COUNT(candidates)), rows[i].nearest);
    }
    char word[200];
    memset(word, 'x', sizeof(word));
    struct orch_str long_words[] = {{word, 64}, {word, 65}, {word, 200}};
    assert_int_equal(str_nearest(str_of(word, 64), long_words, 3).size, 64);
    assert_null(str_nearest(str_of(word, 65), long_words, 3).data);
    assert_int_equal(str_nearest(str_of(word, 60), long_words, 3).size, 64);
    assert_null(str_nearest(STR("x"), NULL, 0).data);
}

static void test_hashes(void **state)
{
    (void)state;
    /* The same on every machine, in every release: what is stored may depend on it. */
    static const struct {
        const char *text;
        uint64_t hash, hash_keyed; /* the second under the key 1, after an implementation of SipHash-1-3 in Python */
    } rows[] = {
        {"", UINT64_C(0xe220a8397b1dcdaf), UINT64_C(0x4fda547dd7345299)},
        {"orch", UINT64_C(0xbaa6da19e7aace4d), UINT64_C(0xfad835150507875d)},
        {"12345678", UINT64_C(0xc9db59f3b2c6b649), UINT64_C(0x721ea69f4127d760)},
        {"a longer text of words", UINT64_C(0x490acf2a67915993), UINT64_C(0xcfe6de299b0fa790)},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(str_hash(str_from(rows[i].text)) == rows[i].hash);
        assert_true(str_hash_keyed(str_from(rows[i].text), 1) == rows[i].hash_keyed);
    }
    assert_true(str_hash(STR("")) == str_hash(STR_NONE));
    assert_true(str_hash(STR("a")) != str_hash(STR("a\0")));
    assert_true(str_hash(STR("\0")) != str_hash(STR("\0\0")));
    char text[64];
    memset(text, 0, sizeof(text));
    uint64_t seen[65];
    for (size_t size = 0; size <= 64; size++) {
        seen[size] = str_hash(str_of(text, size));
        for (size_t i = 0; i < size; i++) assert_true(seen[i] != seen[size]);
    }
    /* One bit changes about half of the others. */
    for (size_t bit = 0; bit < 64 * 8; bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        int changed = __builtin_popcountll(str_hash(str_of(text, 64)) ^ seen[64]);
        assert_in_range(changed, 10, 54);
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_true(str_hash_keyed(STR("x"), 1) != str_hash_keyed(STR("x"), 2));
    assert_true(str_hash_keyed(STR("x"), 1) != str_hash_keyed(STR("y"), 1));
    assert_true(str_hash_keyed(STR("12345678"), 1) != str_hash_keyed(STR("123456780"), 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare), cmocka_unit_test(test_starts_and_ends), cmocka_unit_test(test_find),
        cmocka_unit_test(test_trim),    cmocka_unit_test(test_whole_numbers),   cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
