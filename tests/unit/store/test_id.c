/*
 * The ids of executions: a bijection, short while the store is small, forgiving about how it is typed.
 */
#include "common.h"

static void test_there_and_back(void **state)
{
    (void)state;
    /* Around each class's borders, and far out. */
    int64_t starts[16] = {1, INT64_MAX - 2000};
    int count = 2;
    int64_t border = 1;
    for (int bits = 20; bits <= 60; bits += 5) {
        border += INT64_C(1) << bits;
        starts[count++] = border - 1000;
    }
    for (int i = 0; i < count; i++) {
        for (int64_t number = starts[i]; number < starts[i] + 2000; number++) {
            char id[20];
            store_execution_id(number, id);
            int64_t back = 0;
            assert_true(store_execution_number(str_from(id), &back));
            assert_int_equal(back, number);
        }
    }
}

static void test_first_class_is_all_of_four_characters(void **state)
{
    (void)state;
    for (int64_t number = 1; number <= 1 << 20; number++) {
        char id[20];
        store_execution_id(number, id);
        assert_int_equal(strlen(id), 6);
        int64_t back = 0;
        assert_true(store_execution_number(str_from(id), &back));
        assert_int_equal(back, number);
    }
    char id[20];
    store_execution_id((1 << 20) + 1, id);
    assert_int_equal(strlen(id), 7);
}

/* Two that follow each other share at most two of four places nearly always. */
static void test_neighbours_look_unlike(void **state)
{
    (void)state;
    int alike = 0;
    for (int64_t number = 1; number < 10000; number++) {
        char a[20], b[20];
        store_execution_id(number, a);
        store_execution_id(number + 1, b);
        int same = 0;
        for (int i = 2; i < 6; i++) same += a[i] == b[i];
        alike += same > 2;
    }
    assert_in_range(alike, 0, 100);
}

static void test_typed(void **state)
{
    (void)state;
    char id[20], typed[20];
    int64_t number = 0;
    for (int64_t n = 1; n < 5000; n++) {
        store_execution_id(n, id);
        for (int i = 0; id[i]; i++) {
            typed[i] = id[i] >= 'A' && id[i] <= 'Z' ? (char)(id[i] - 'A' + 'a') : id[i];
            if (i >= 2 && id[i] == '0') typed[i] = n % 2 ? 'o' : 'O';
            if (i >= 2 && id[i] == '1') typed[i] = "iIlL"[n % 4];
        }
        assert_true(store_execution_number(str_of(typed, strlen(id)), &number));
        assert_int_equal(number, n);
        assert_true(store_execution_number(str_of(typed + 2, strlen(id) - 2), &number));
        assert_int_equal(number, n);
        typed[0] = 'R';
        assert_true(store_execution_number(str_of(typed, strlen(id)), &number));
        assert_int_equal(number, n);
    }
}

static void test_none(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "r-",
                                      "r",
                                      "r-123",
                                      "123",
                                      "r-12U4",
                                      "r-12 4",
                                      "x-1234",
                                      "r-r-1234",
                                      "r-12-34",
                                      "r-12\xc3\xa9",
                                      "12345678901234",
                                      "r-12345678901234",
                                      "r-ZZZZZZZZZZZZZ",
                                      "r--123"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t number = -7;
        if (store_execution_number(str_from(bad[i]), &number)) fail_msg("'%s' gave %lld", bad[i], (long long)number);
        assert_int_equal(number, -7);
    }
    assert_false(store_execution_number(STR_NONE, &(int64_t){0}));
}

/* Every text is an id or none; what it gives is a number whose id is the same text in capitals. */
static void test_any_text(void **state)
{
    (void)state;
    uint64_t r = 88172645463325252u;
    int valid = 0;
    for (int i = 0; i < 200000; i++) {
        char text[16], id[20];
        r ^= r << 13, r ^= r >> 7, r ^= r << 17;
        size_t size = 1 + r % 14;
        for (size_t k = 0; k < size; k++) {
            r ^= r << 13, r ^= r >> 7, r ^= r << 17;
            text[k] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[r % 32];
        }
        int64_t number = 0;
        if (!store_execution_number(str_of(text, size), &number)) continue;
        valid++;
        assert_true(number >= 1);
        store_execution_id(number, id);
        assert_int_equal(strlen(id), size + 2);
        assert_memory_equal(id + 2, text, size);
    }
    assert_in_range(valid, 100000, 199999);
}

static void test_digest(void **state)
{
    (void)state;
    char digest[65];
    store_digest(STR("abc"), digest); /* FIPS 180-2, appendix B.1 */
    assert_string_equal(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    store_digest(STR_NONE, digest);
    assert_string_equal(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_first_class_is_all_of_four_characters),
        cmocka_unit_test(test_neighbours_look_unlike),
        cmocka_unit_test(test_typed),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_any_text),
        cmocka_unit_test(test_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
