/* test_value.c - maps, equality, order and copies of values. */
#include "torture.h"

#include <math.h>
#include <stdio.h>

#include "base/value.h"

static struct value text(const char *s)
{
    return value_string(str_from(s));
}

static struct value bytes(const char *s)
{
    struct value v = text(s);
    v.kind = VALUE_BYTES;
    return v;
}

static struct value number(const char *s)
{
    struct value v = text(s);
    v.kind = VALUE_NUMBER;
    return v;
}

static struct value type(const char *s)
{
    struct value v = text(s);
    v.kind = VALUE_TYPE;
    return v;
}

static void test_numbers_in_order(void **state)
{
    (void)state;
    /* Ascending; neighbours with the same rank are equal although they are of different kinds. */
    const struct {
        struct value v;
        int rank;
    } rows[] = {
        {value_double(-INFINITY), 0},
        {number("-1e400"), 1},
        {value_double(-1e300), 2},
        {number("-9223372036854775808.1"), 3},
        {value_int(INT64_MIN), 4},
        {value_double(-9223372036854775808.0), 4},
        {number("-9223372036854775808"), 4},
        {value_int(INT64_MIN + 1), 5},
        {value_int(-2), 6},
        {value_double(-1.5), 7},
        {value_int(-1), 8},
        {value_double(-1), 8},
        {number("-1e-400"), 9},
        {value_int(0), 10},
        {value_uint(0), 10},
        {value_double(0), 10},
        {value_double(-0.0), 10},
        {value_double(5e-324), 11},
        {value_double(0.1), 12},
        {number("0.1000000000000000055511151231257827021181583404541015625"), 12},
        {number("0.10000000000000001"), 13},
        {value_int(1), 14},
        {value_uint(1), 14},
        {value_double(1), 14},
        {number("1.00"), 14},
        {number("1.00000000000000000000001"), 15},
        {value_int(9007199254740992), 16},
        {value_double(9007199254740992.0), 16},
        {value_int(9007199254740993), 17}, /* which no double is */
        {value_double(9007199254740994.0), 18},
        {value_int(INT64_MAX), 19},
        {value_uint(INT64_MAX), 19},
        {number("9223372036854775807"), 19},
        {number("9223372036854775807.5"), 20},
        {value_double(9223372036854775808.0), 21},
        {value_uint(UINT64_C(9223372036854775808)), 21},
        {value_uint(UINT64_MAX), 22},
        {value_double(18446744073709551616.0), 23},
        {number("18446744073709551616"), 23},
        {number("18446744073709551617"), 24},
        {number("1e400"), 25},
        {value_double(INFINITY), 26},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t j = 0; j < COUNT(rows); j++) {
            int order = (rows[i].rank > rows[j].rank) - (rows[i].rank < rows[j].rank);
            if (value_compare(rows[i].v, rows[j].v) != order) fail_msg("rows %zu and %zu", i, j);
            assert_int_equal(value_equal(rows[i].v, rows[j].v), order == 0);
        }
        assert_int_equal(value_compare(rows[i].v, value_double(NAN)), 2);
        assert_int_equal(value_compare(value_double(NAN), rows[i].v), 2);
        assert_false(value_equal(rows[i].v, value_double(NAN)));
    }
    assert_false(value_equal(value_double(NAN), value_double(NAN)));
    assert_int_equal(value_compare(value_double(NAN), value_double(NAN)), 2);
}

static void test_other_orders(void **state)
{
    (void)state;
    const struct {
        struct value a, b;
        int order;
    } rows[] = {
        {text(""), text("a"), -1},
        {text("b"), text("a"), 1},
        {text("a"), text("a"), 0},
        {text("a"), text("aa"), -1},
        {bytes("a"), bytes("b"), -1},
        {bytes("b"), bytes("b"), 0},
        {value_bool(false), value_bool(true), -1},
        {value_bool(true), value_bool(true), 0},
        {value_timestamp(1, 5), value_timestamp(1, 6), -1},
        {value_timestamp(2, 0), value_timestamp(1, 999999999), 1},
        {value_timestamp(1, 5), value_timestamp(1, 5), 0},
        {value_duration(0, -5), value_duration(0, 5), -1},
        {value_duration(-1, -5), value_duration(-1, -6), 1},
        {value_duration(3, 0), value_duration(3, 0), 0},
        {text("a"), bytes("a"), 2},
        {text("1"), value_int(1), 2},
        {value_null(), value_null(), 2},
        {value_bool(true), value_int(1), 2},
        {value_timestamp(1, 0), value_duration(1, 0), 2},
        {value_list(NULL, 0), value_list(NULL, 0), 2},
        {type("int"), type("int"), 2},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(value_compare(rows[i].a, rows[i].b), rows[i].order);
        assert_int_equal(value_compare(rows[i].b, rows[i].a), rows[i].order == 2 ? 2 : -rows[i].order);
    }
}

static void test_equality(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct value items[] = {value_int(1), text("x")};
    struct value items_as_double[] = {value_double(1), text("x")};
    struct value_member members[] = {{text("a"), value_int(1)}, {text("b"), value_list(items, 2)}};
    struct value_member members_turned[] = {{text("b"), value_list(items_as_double, 2)}, {text("a"), value_uint(1)}};
    struct value_member members_other[] = {{text("a"), value_int(1)}, {text("c"), value_list(items, 2)}};
    struct value map, map_turned, map_other, map_short, map_empty;
    assert_int_equal(value_map(members, 2, &arena, &map), 0);
    assert_int_equal(value_map(members_turned, 2, &arena, &map_turned), 0);
    assert_int_equal(value_map(members_other, 2, &arena, &map_other), 0);
    assert_int_equal(value_map(members, 1, &arena, &map_short), 0);
    assert_int_equal(value_map(NULL, 0, &arena, &map_empty), 0);
    assert_true(value_equal(map, map_turned));
    assert_true(value_equal(map_turned, map));
    assert_false(value_equal(map, map_other));
    assert_false(value_equal(map, map_short));
    assert_false(value_equal(map_empty, map_short));
    assert_true(value_equal(map_empty, (struct value){.kind = VALUE_MAP}));
    assert_true(value_equal(value_list(items, 2), value_list(items_as_double, 2)));
    assert_false(value_equal(value_list(items, 2), value_list(items, 1)));
    assert_true(value_equal(value_null(), value_null()));
    assert_false(value_equal(value_null(), value_bool(false)));
    assert_false(value_equal(map_empty, value_list(NULL, 0)));
    assert_true(value_equal(type("int"), type("int")));
    assert_false(value_equal(type("int"), text("int")));
    assert_true(value_equal(value_timestamp(1, 2), value_timestamp(1, 2)));
    assert_false(value_equal(value_duration(1, 2), value_duration(1, -2)));
    arena_done(&arena);
}

static void test_keys(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct value_member members[20] = {
        {text("1"), value_int(100)},     {value_int(1), value_int(101)},           {value_bool(true), value_int(102)},
        {value_int(-1), value_int(103)}, {value_uint(UINT64_MAX), value_int(104)}, {text(""), value_int(105)},
        {value_uint(7), value_int(106)},
    };
    for (int i = 7; i < 20; i++) members[i] = (struct value_member){value_int(1000 + i), value_int(i)};
    /* The same answers by looking at every member and by the index. */
    for (uint32_t count = 7; count <= 20; count += 13) {
        struct value map;
        assert_int_equal(value_map(members, count, &arena, &map), 0);
        assert_int_equal(map.map->index != NULL, count > 8);
        const struct {
            struct value key;
            int64_t found; /* 0 is absent */
        } rows[] = {
            {text("1"), 100},
            {value_int(1), 101},
            {value_uint(1), 101},
            {value_double(1), 101},
            {value_bool(true), 102},
            {value_int(-1), 103},
            {value_double(-1), 103},
            {value_uint(UINT64_MAX), 104},
            {value_double(18446744073709551615.0), 0}, /* that is 2^64 */
            {text(""), 105},
            {value_int(7), 106},
            {value_double(7.0), 106},
            {value_double(7.5), 0},
            {value_double(NAN), 0},
            {value_double(INFINITY), 0},
            {value_double(-1e300), 0},
            {value_bool(false), 0},
            {value_int(0), 0},
            {text("2"), 0},
            {bytes("1"), 0},
            {value_null(), 0},
        };
        for (size_t i = 0; i < COUNT(rows); i++) {
            const struct value *found = value_get_key(map, rows[i].key);
            assert_int_equal(found ? found->integer : 0, rows[i].found);
        }
        assert_int_equal(value_get(map, STR("1"))->integer, 100);
        assert_int_equal(value_get(map, STR_NONE)->integer, 105);
        assert_null(value_get(map, STR("x")));
        assert_ptr_equal(value_members(map), members); /* borrowed, in their order */
    }
    assert_null(value_get(value_int(1), STR("1")));
    assert_null(value_get((struct value){.kind = VALUE_MAP}, STR("1")));
    arena_done(&arena);
}

static void test_duplicates(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    const struct {
        struct value a, b;
        bool same;
    } rows[] = {
        {text("a"), text("a"), true},
        {text("a"), text("b"), false},
        {value_int(1), value_uint(1), true},
        {value_int(-1), value_uint(UINT64_MAX), false},
        {value_int(1), text("1"), false},
        {value_bool(true), value_int(1), false},
        {value_bool(true), value_bool(true), true},
        {value_bool(true), value_bool(false), false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (uint32_t count = 2; count <= 40; count += 19) {
            struct value_member members[40];
            for (uint32_t j = 0; j < count; j++) {
                members[j] = (struct value_member){value_int(500 + j), value_null()};
            }
            members[0].key = rows[i].a;
            members[count - 1].key = rows[i].b;
            struct value map = value_int(77);
            uint32_t at = 77;
            assert_int_equal(value_map_at(members, count, &arena, &map, &at), rows[i].same ? ORCH_ERR_EXISTS : 0);
            assert_int_equal(at, rows[i].same ? count - 1 : 77);
            assert_int_equal(map.kind, rows[i].same ? VALUE_INT : VALUE_MAP);
        }
    }
    struct value_member wrong[] = {{text("a"), value_null()}, {value_double(1), value_null()}};
    struct value map;
    assert_int_equal(value_map(wrong, 2, &arena, &map), ORCH_ERR_INVALID);
    wrong[1].key = value_null();
    assert_int_equal(value_map(wrong, 2, &arena, &map), ORCH_ERR_INVALID);
    arena_done(&arena);
}

static void test_chosen_keys(void **state)
{
    (void)state;
    /* Keys that fall into one chain of the index until it gets a seed. */
    static char texts[1000][16];
    static struct value_member members[1000];
    size_t found = 0;
    for (unsigned long i = 0; found < COUNT(texts); i++) {
        snprintf(texts[found], sizeof(texts[found]), "k%lu", i);
        if ((str_hash(str_from(texts[found])) & 0x7ff) == 5) found++;
    }
    for (size_t i = 0; i < found; i++) members[i] = (struct value_member){text(texts[i]), value_int((int64_t)i)};
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct value map;
    assert_int_equal(value_map(members, (uint32_t)found, &arena, &map), 0);
    assert_true(map.map->seed != 0);
    for (size_t i = 0; i < found; i++) assert_int_equal(value_get(map, str_from(texts[i]))->integer, i);
    assert_null(value_get(map, STR("k")));
    struct value copy;
    assert_int_equal(value_copy(map, &arena, &copy), 0);
    assert_int_equal(value_get(copy, str_from(texts[77]))->integer, 77);
    members[999].key = members[3].key;
    uint32_t at;
    assert_int_equal(value_map_at(members, (uint32_t)found, &arena, &map, &at), ORCH_ERR_EXISTS);
    assert_int_equal(at, 999);
    arena_done(&arena);
}

/* A value with every kind in it. */
static int build(struct arena *arena, struct value *ret)
{
    struct value *items = ARENA_ARRAY(arena, 9, struct value);
    struct value_member *members = ARENA_ARRAY(arena, 30, struct value_member);
    if (!items || !members) return ORCH_ERR_NO_MEMORY;
    items[0] = value_null();
    items[1] = value_bool(true);
    items[2] = value_double(1.5);
    items[3] = text("some text");
    items[4] = bytes("\x01\x02");
    items[5] = number("1e999");
    items[6] = type("int");
    items[7] = value_timestamp(1, 2);
    items[8] = text("");
    for (uint32_t i = 0; i < 30; i++) {
        struct orch_str key = arena_printf(arena, "key %u", (unsigned)i);
        if (!key.data) return ORCH_ERR_NO_MEMORY;
        members[i] = (struct value_member){value_string(key), value_list(items, 9)};
    }
    members[29].value = (struct value){.kind = VALUE_MAP};
    return value_map(members, 30, arena, ret);
}

static void test_copy(void **state)
{
    (void)state;
    struct arena from, to;
    arena_init(&from, NULL, 0);
    arena_init(&to, NULL, 0);
    struct value v, copy, again;
    assert_int_equal(build(&from, &v), 0);
    assert_int_equal(value_copy(v, &to, &copy), 0);
    arena_done(&from); /* nothing is borrowed, or the sanitizer says so */
    arena_init(&from, NULL, 0);
    assert_int_equal(build(&from, &again), 0);
    assert_true(value_equal(copy, again));
    assert_int_equal(value_get(copy, STR("key 7"))->size, 9);
    arena_done(&from);
    arena_done(&to);
}

static bool use_values(const struct orch_allocator *allocator)
{
    struct arena from, to;
    arena_init(&from, allocator, 0);
    arena_init(&to, allocator, 0);
    struct value v = value_null();
    struct value copy = value_int(77);
    int r = build(&from, &v);
    if (r == 0) r = value_copy(v, &to, &copy);
    assert_true(r == 0 || r == ORCH_ERR_NO_MEMORY);
    if (r < 0) assert_int_equal(copy.kind, VALUE_INT);
    arena_done(&from);
    arena_done(&to);
    return r == 0;
}

static void test_memory_short(void **state)
{
    (void)state;
    torture_all(use_values);
}

static void test_kind_names(void **state)
{
    (void)state;
    const struct {
        struct value v;
        const char *name;
    } rows[] = {
        {value_null(), "null"},
        {value_bool(true), "bool"},
        {value_int(1), "int"},
        {value_uint(1), "uint"},
        {value_double(1), "double"},
        {number("1e999"), "double"},
        {text(""), "string"},
        {bytes(""), "bytes"},
        {value_list(NULL, 0), "list"},
        {(struct value){.kind = VALUE_MAP}, "map"},
        {type("int"), "type"},
        {value_timestamp(0, 0), "google.protobuf.Timestamp"},
        {value_duration(0, 0), "google.protobuf.Duration"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) assert_string_equal(value_kind_name(rows[i].v), rows[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_in_order),
        cmocka_unit_test(test_other_orders),
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_chosen_keys),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_memory_short),
        cmocka_unit_test(test_kind_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
