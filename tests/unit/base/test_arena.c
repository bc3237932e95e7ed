/* test_arena.c - memory with one lifetime. */
#include "torture.h"

#include "base/arena.h"

static void test_alignment_and_content(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    for (size_t size = 0; size < 300; size++) {
        char *byte = arena_bytes(&arena, 1);
        assert_non_null(byte);
        unsigned char *p = arena_zalloc(&arena, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) assert_int_equal(p[i], 0);
        memset(p, 0xaa, size);
    }
    arena_done(&arena);
    assert_int_equal(arena.size, 0);
}

static void test_zeroed_arena_works(void **state)
{
    (void)state;
    struct arena arena = {0};
    arena_clear(&arena);
    assert_non_null(arena_alloc(&arena, 10));
    arena_done(&arena);
    arena_done(&arena);
}

static void test_overflow(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    assert_null(arena_array(&arena, SIZE_MAX / 2, 3));
    assert_null(arena_array(&arena, SIZE_MAX, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_bytes(&arena, SIZE_MAX - 8));
    assert_null(arena_str(&arena, str_of("x", SIZE_MAX)).data);
    assert_non_null(arena_array(&arena, 0, 8));
    assert_non_null(arena_array(&arena, 8, 0));
    arena_done(&arena);
}

static void test_maximum(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 10000);
    size_t got = 0;
    while (arena_alloc(&arena, 100)) got += 100;
    assert_in_range(got, 5000, 10000);
    assert_true(arena.size <= 10000);
    assert_null(arena_alloc(&arena, 20000));
    arena_clear(&arena);
    assert_non_null(arena_alloc(&arena, 100));
    arena_done(&arena);
}

static void test_strings(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct orch_str s = arena_str(&arena, STR("a\0b"));
    assert_int_equal(s.size, 3);
    assert_memory_equal(s.data, "a\0b", 4);
    struct orch_str empty = arena_str(&arena, STR_NONE);
    assert_non_null(empty.data);
    assert_int_equal(empty.data[0], '\0');
    struct orch_str text = arena_printf(&arena, "%d-%s", 42, "x");
    assert_str(text, "42-x");
    assert_int_equal(text.data[4], '\0');
    char big[20000];
    memset(big, 'y', sizeof(big));
    text = arena_printf(&arena, "%.*s", (int)sizeof(big), big);
    assert_int_equal(text.size, sizeof(big));
    arena_done(&arena);
}

static void test_mark_and_rewind(void **state)
{
    (void)state;
    struct torture torture = {0};
    struct orch_allocator allocator = torture_allocator(&torture);
    struct arena arena;
    arena_init(&arena, &allocator, 0);
    /* From the empty arena: the first block stays, so a loop allocates once. */
    for (int i = 0; i < 100; i++) {
        struct arena_mark mark = arena_mark(&arena);
        assert_non_null(arena_alloc(&arena, 1000));
        arena_rewind(&arena, mark);
    }
    assert_int_equal(torture.count, 1);
    char *kept = arena_alloc(&arena, 16);
    memcpy(kept, "keep me", 8);
    struct arena_mark mark = arena_mark(&arena);
    size_t size = arena.size;
    for (int i = 0; i < 1000; i++) memset(arena_alloc(&arena, 500), 'x', 500);
    assert_true(arena.size > size);
    arena_rewind(&arena, mark);
    assert_int_equal(arena.size, size);
    assert_string_equal(kept, "keep me");
    char *again = arena_alloc(&arena, 16);
    assert_ptr_equal(again, mark.next + (-(uintptr_t)mark.next & 15));
    arena_done(&arena);
    assert_int_equal(torture.live, 0);
}

static void test_clear_keeps_one_block(void **state)
{
    (void)state;
    struct torture torture = {0};
    struct orch_allocator allocator = torture_allocator(&torture);
    struct arena arena;
    arena_init(&arena, &allocator, 0);
    for (int i = 0; i < 100; i++) assert_non_null(arena_alloc(&arena, 1000));
    arena_clear(&arena);
    assert_true(arena.size > 0);
    assert_int_equal(arena.size, torture.live);
    size_t count = torture.count;
    for (int i = 0; i < 20; i++) assert_non_null(arena_alloc(&arena, 1000));
    assert_int_equal(torture.count, count);
    /* A block of unusual size is not kept. */
    assert_non_null(arena_alloc(&arena, 10 << 20));
    arena_clear(&arena);
    assert_true(torture.live <= 1 << 20);
    arena_done(&arena);
    assert_int_equal(torture.live, 0);
}

struct hook_log {
    struct arena *arena;
    char text[16];
};

static void hook_a(void *user)
{
    strcat(((struct hook_log *)user)->text, "a");
}

static void hook_b(void *user)
{
    struct hook_log *log = user;
    strcat(log->text, "b");
    if (strlen(log->text) < 4) assert_int_equal(arena_on_done(log->arena, hook_a, log), 0);
}

static void test_hooks_run_newest_first(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct hook_log log = {.arena = &arena};
    assert_int_equal(arena_on_done(&arena, hook_a, &log), 0);
    assert_int_equal(arena_on_done(&arena, hook_b, &log), 0);
    arena_clear(&arena);
    assert_string_equal(log.text, "baa"); /* b adds another a */
    arena_clear(&arena);
    assert_string_equal(log.text, "baa");
    assert_int_equal(arena_on_done(&arena, hook_a, &log), 0);
    arena_done(&arena);
    assert_string_equal(log.text, "baaa");
}

static bool use_arena(const struct orch_allocator *allocator)
{
    struct arena arena;
    struct hook_log log = {.arena = &arena};
    arena_init(&arena, allocator, 0);
    bool passed = true;
    for (int i = 0; passed && i < 20; i++) {
        passed = arena_alloc(&arena, 3000) && arena_str(&arena, STR("text")).data &&
                 arena_printf(&arena, "%d", i).data && arena_on_done(&arena, hook_a, &log) == 0 &&
                 arena_alloc(&arena, 100000);
        log.text[0] = '\0';
        if (i % 5 == 4) arena_clear(&arena);
    }
    log.text[0] = '\0';
    arena_done(&arena);
    return passed;
}

static void test_memory_short(void **state)
{
    (void)state;
    torture_all(use_arena);
}

static void test_mem_resize(void **state)
{
    (void)state;
    char *block = mem_resize(NULL, NULL, 0, 10);
    assert_non_null(block);
    memcpy(block, "123456789", 10);
    block = mem_resize(NULL, block, 10, 1000);
    assert_string_equal(block, "123456789");
    assert_null(mem_resize(NULL, block, 1000, 0));
    assert_null(mem_resize(NULL, NULL, 0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment_and_content),
        cmocka_unit_test(test_zeroed_arena_works),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_mark_and_rewind),
        cmocka_unit_test(test_clear_keeps_one_block),
        cmocka_unit_test(test_hooks_run_newest_first),
        cmocka_unit_test(test_memory_short),
        cmocka_unit_test(test_mem_resize),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
