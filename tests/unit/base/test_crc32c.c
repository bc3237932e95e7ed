#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crc32c.h"

/* One bit at a time, straight from the definition. */
static uint32_t by_bits(uint32_t crc, const unsigned char *data, size_t size)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static void test_published(void **state)
{
    static const char zeros[32] = {0};
    char ones[32], up[32], down[32];

    (void)state;
    for (int i = 0; i < 32; i++) {
        ones[i] = (char)0xff;
        up[i] = (char)i;
        down[i] = (char)(31 - i);
    }
    /* RFC 3720, B.4 */
    assert_int_equal(crc32c(str_of(zeros, 32)), 0x8a9136aa);
    assert_int_equal(crc32c(str_of(ones, 32)), 0x62a8ab43);
    assert_int_equal(crc32c(str_of(up, 32)), 0x46dd794e);
    assert_int_equal(crc32c(str_of(down, 32)), 0x113fdb5c);
    assert_int_equal(crc32c(STR("123456789")), 0xe3069283);
    assert_int_equal(crc32c(STR_NONE), 0);
}

static void test_all_ways_agree(void **state)
{
    unsigned char data[600];
    uint32_t x = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++) data[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
    for (size_t from = 0; from < 17; from++) {
        for (size_t size = 0; size + from <= sizeof(data); size++) {
            struct orch_str bytes = str_of((const char *)data + from, size);
            uint32_t expected = by_bits(0x1234, data + from, size);

            assert_int_equal(crc32c_extend(0x1234, bytes), expected);
            assert_int_equal(crc32c_extend_portable(0x1234, bytes), expected);
        }
    }
    for (size_t cut = 0; cut <= sizeof(data); cut++) {
        uint32_t first = crc32c(str_of((const char *)data, cut));

        assert_int_equal(crc32c_extend(first, str_of((const char *)data + cut, sizeof(data) - cut)),
                         by_bits(0, data, sizeof(data)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_all_ways_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
