/* test_buf.c - the growing buffer. */
#include "torture.h"

#include "base/str.h"

static void test_appending(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, NULL, 0);
    assert_int_equal(buf_str(&buf).size, 0);
    buf_add(&buf, STR_NONE);
    buf_add_text(&buf, "one ");
    buf_add(&buf, STR("two "));
    buf_add_char(&buf, '3');
    buf_printf(&buf, " %s %d", "four", 5);
    assert_str(buf_str(&buf), "one two 3 four 5");
    assert_int_equal(buf.data[buf.size], '\0');
    buf_clear(&buf);
    assert_int_equal(buf.size, 0);
    assert_string_equal(buf.data, "");
    buf_done(&buf);
    buf_done(&buf);
}

static void test_growth(void **state)
{
    (void)state;
    struct torture torture = {0};
    struct orch_allocator allocator = torture_allocator(&torture);
    struct buf buf;
    buf_init(&buf, &allocator, 0);
    for (int i = 0; i < 100000; i++) {
        if (i % 3 == 0) buf_add_char(&buf, (char)('a' + i % 26));
        if (i % 3 == 1) buf_printf(&buf, "%c", 'a' + i % 26);
        if (i % 3 == 2) buf_add(&buf, str_of((char[]){(char)('a' + i % 26)}, 1));
        assert_int_equal(buf.data[buf.size], '\0');
    }
    assert_int_equal(buf.size, 100000);
    for (int i = 0; i < 100000; i++) assert_int_equal(buf.data[i], 'a' + i % 26);
    assert_true(torture.count < 20);
    buf_done(&buf);
    assert_int_equal(torture.live, 0);
}

static void test_maximum(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, NULL, 10);
    buf_add(&buf, STR("0123456789"));
    assert_false(buf.failed);
    buf_add(&buf, STR_NONE);
    assert_false(buf.failed);
    buf_add_char(&buf, 'x');
    assert_true(buf.failed);
    assert_str(buf_str(&buf), "0123456789");
    assert_int_equal(buf.data[10], '\0');
    buf_clear(&buf);
    assert_false(buf.failed);
    buf_add(&buf, STR("012345"));
    buf_printf(&buf, "%s", "67890"); /* one too long: nothing of it is kept */
    assert_true(buf.failed);
    buf_add_char(&buf, 'x'); /* there would be room, but it stays failed */
    buf_printf(&buf, "x");
    assert_null(buf_reserve(&buf, 1));
    assert_str(buf_str(&buf), "012345");
    assert_int_equal(buf.data[6], '\0');
    buf_clear(&buf);
    for (int i = 0; i < 10; i++) buf_printf(&buf, "%d", i);
    assert_false(buf.failed);
    assert_str(buf_str(&buf), "0123456789");
    buf_done(&buf);
}

static void test_reserve(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, NULL, 100);
    char *to = buf_reserve(&buf, 5);
    assert_non_null(to);
    memcpy(to, "12345", 5);
    buf.size += 5;
    assert_string_equal(buf.data, "12345");
    assert_null(buf_reserve(&buf, 96));
    assert_true(buf.failed);
    buf_clear(&buf);
    assert_null(buf_reserve(&buf, SIZE_MAX));
    buf_done(&buf);
}

static bool use_buf(const struct orch_allocator *allocator)
{
    struct buf buf;
    buf_init(&buf, allocator, 0);
    for (int i = 0; i < 1000; i++) {
        buf_add_text(&buf, "some text ");
        buf_printf(&buf, "%d", i);
        buf_add_char(&buf, ' ');
    }
    bool passed = !buf.failed;
    /* What is there is whole pieces and terminated. */
    if (buf.data) assert_int_equal(strlen(buf.data), buf.size);
    buf_done(&buf);
    return passed;
}

static void test_memory_short(void **state)
{
    (void)state;
    torture_all(use_buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appending), cmocka_unit_test(test_growth),       cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_reserve),   cmocka_unit_test(test_memory_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
