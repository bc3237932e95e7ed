/* test_map.c - the hash table. */
#include "torture.h"

#include <stdio.h>

#include "base/map.h"

#define KEYS 5000

static char keys[KEYS][16];

static struct orch_str key_at(size_t i)
{
    return str_from(keys[i]);
}

static int make_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++) snprintf(keys[i], sizeof(keys[i]), "key %zu", i);
    return 0;
}

static void test_find_and_order(void **state)
{
    (void)state;
    struct map map;
    map_init(&map, NULL);
    assert_null(map_find(&map, STR("x")));
    for (size_t i = 0; i < KEYS; i++) {
        bool added = false;
        struct map_entry *entry = map_add(&map, key_at(i), &added);
        assert_non_null(entry);
        assert_true(added);
        assert_int_equal(entry->number, 0);
        entry->number = i * 3;
    }
    assert_int_equal(map.count, KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        assert_int_equal(map_find(&map, key_at(i))->number, i * 3);
        assert_ptr_equal(map.entries[i].key.data, keys[i]); /* order of insertion */
        bool added = true;
        assert_ptr_equal(map_add(&map, key_at(i), &added), &map.entries[i]);
        assert_false(added);
    }
    assert_null(map_find(&map, STR("key")));
    assert_null(map_find(&map, STR("key 5000")));
    map_clear(&map);
    assert_int_equal(map.count, 0);
    assert_null(map_find(&map, key_at(0)));
    assert_non_null(map_add(&map, key_at(7), NULL));
    assert_int_equal(map.count, 1);
    map_done(&map);
    map_done(&map);
}

static void test_odd_keys(void **state)
{
    (void)state;
    struct map map;
    map_init(&map, NULL);
    static const struct orch_str odd[] = {{NULL, 0}, {"\0", 1}, {"\0\0", 2}, {"a\0b", 3}, {"a\0c", 3}, {"a", 1}};
    for (size_t i = 0; i < COUNT(odd); i++) map_add(&map, odd[i], NULL)->number = i + 1;
    assert_int_equal(map.count, COUNT(odd));
    for (size_t i = 0; i < COUNT(odd); i++) assert_int_equal(map_find(&map, odd[i])->number, i + 1);
    assert_int_equal(map_find(&map, STR(""))->number, 1);
    map_done(&map);
}

/* Keys whose hashes agree in the low bits, so that they fall into one chain for as long as the seed is 0. */
static size_t collide(char (*colliding)[16], size_t count, uint64_t mask)
{
    size_t found = 0;
    for (unsigned long i = 0; found < count; i++) {
        snprintf(colliding[found], 16, "k%lu", i);
        if ((str_hash(str_from(colliding[found])) & mask) == 0) found++;
    }
    return found;
}

static void test_chosen_keys(void **state)
{
    (void)state;
    static char colliding[600][16];
    size_t count = collide(colliding, COUNT(colliding), 0xfff);
    struct map map;
    map_init(&map, NULL);
    for (size_t i = 0; i < count; i++) map_add(&map, str_from(colliding[i]), NULL)->number = i;
    assert_true(map.seed != 0);
    /* With its own seed the chains are short again: count the steps as a search takes them. */
    size_t steps = 0;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(map_find(&map, str_from(colliding[i]))->number, i);
        uint32_t at = (uint32_t)str_hash_keyed(str_from(colliding[i]), map.seed) & map.slots_mask;
        for (; map.slots[at].entry != i + 1; at = (at + 1) & map.slots_mask) steps++;
    }
    assert_true(steps < count * 8);
    assert_null(map_find(&map, STR("no")));
    map_clear(&map);
    assert_int_equal(map.seed, 0);
    map_done(&map);
}

static bool use_map(const struct orch_allocator *allocator)
{
    struct map map;
    map_init(&map, allocator);
    bool passed = true;
    for (size_t i = 0; passed && i < 1000; i++) {
        struct map_entry *entry = map_add(&map, key_at(i), NULL);
        passed = entry != NULL;
        if (entry) entry->number = i;
    }
    /* What was added before the failure is still there. */
    for (size_t i = 0; i < map.count; i++) assert_int_equal(map_find(&map, key_at(i))->number, i);
    if (!passed) assert_null(map_find(&map, key_at(map.count)));
    map_done(&map);
    return passed;
}

static void test_memory_short(void **state)
{
    (void)state;
    torture_all(use_map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_and_order),
        cmocka_unit_test(test_odd_keys),
        cmocka_unit_test(test_chosen_keys),
        cmocka_unit_test(test_memory_short),
    };
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
