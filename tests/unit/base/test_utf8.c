/* test_utf8.c - UTF-8, all of it. */
#include "torture.h"

#include "base/str.h"

static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x110100; code++) {
        char text[4];
        size_t size = utf8_put(code, text);
        bool is_character = code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
        if (!is_character) {
            assert_int_equal(size, 0);
            continue;
        }
        if (size != (code < 0x80 ? 1U : code < 0x800 ? 2U : code < 0x10000 ? 3U : 4U)) fail();
        size_t at = 0;
        if (utf8_next(str_of(text, size), &at) != code || at != size) fail();
        if (!utf8_is_valid(str_of(text, size), NULL) || utf8_count(str_of(text, size)) != 1) fail();
        /* Cut short it is not valid. */
        for (size_t cut = 1; cut < size; cut++) {
            if (utf8_is_valid(str_of(text, cut), NULL)) fail();
        }
    }
}

/* Every two, three and four bytes are valid exactly when they are the encoding of what they decode to. */
static void test_every_short_sequence(void **state)
{
    (void)state;
    static const unsigned char edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    for (unsigned lead = 0x80; lead <= 0xff; lead++) {
        for (size_t i = 0; i < COUNT(edges); i++) {
            for (size_t j = 0; j < COUNT(edges); j++) {
                for (size_t k = 0; k < COUNT(edges); k++) {
                    struct orch_str s =
                        exact_copy((char[]){(char)lead, (char)edges[i], (char)edges[j], (char)edges[k]}, 4);
                    size_t at = 0;
                    uint32_t code = utf8_next(s, &at);
                    char again[4];
                    size_t size = utf8_put(code, again);
                    if (code == 0xfffd && at == 1) {
                        size_t bad = 99;
                        assert_false(utf8_is_valid(s, &bad));
                        assert_int_equal(bad, 0);
                        assert_int_equal(utf8_size(s.data, 4), 0);
                    } else {
                        assert_int_equal(size, at);
                        assert_memory_equal(again, s.data, size);
                        assert_int_equal(utf8_size(s.data, 4), size);
                    }
                    free((void *)(uintptr_t)s.data);
                }
            }
        }
    }
}

static void test_invalid(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at, count;
    } rows[] = {
        {"\x80", 0, 1},
        {"abc\xff", 3, 4},
        {"\xc0\xaf", 0, 2},         /* overlong */
        {"\xc1\xbf", 0, 2},         /* overlong */
        {"\xe0\x80\xaf", 0, 3},     /* overlong */
        {"\xe0\x9f\xbf", 0, 3},     /* overlong */
        {"\xf0\x80\x80\xaf", 0, 4}, /* overlong */
        {"\xf0\x8f\xbf\xbf", 0, 4}, /* overlong */
        {"\xed\xa0\x80", 0, 3},     /* surrogate */
        {"\xed\xbf\xbf", 0, 3},     /* surrogate */
        {"\xf4\x90\x80\x80", 0, 4}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 0, 4},
        {"\xf8\x88\x80\x80\x80", 0, 5},
        {"12345678\xe2\x82", 8, 10},
        {"123456789012345\xe2\x82", 15, 17},
        {"\xc3\xa9\xc3", 2, 2},
        {"\xe2\x82\x41", 0, 3},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct orch_str s = exact_copy(rows[i].text, strlen(rows[i].text));
        size_t at = 99;
        assert_false(utf8_is_valid(s, &at));
        assert_int_equal(at, rows[i].at);
        assert_false(utf8_is_valid(s, NULL));
        assert_int_equal(utf8_count(s), rows[i].count);
        free((void *)(uintptr_t)s.data);
    }
    assert_true(utf8_is_valid(STR_NONE, NULL));
    assert_int_equal(utf8_count(STR("h\xc3\xa9llo \xf0\x9f\x98\x80")), 7);
}

static void test_width(void **state)
{
    (void)state;
    static const struct {
        uint32_t code;
        int width;
    } rows[] = {
        {0, 0},       {'\n', 0},    {0x1b, 0},    {0x7f, 0},     {0x9f, 0},    {' ', 1},     {'a', 1},     {0xa0, 1},
        {0xad, 1},    {0xe9, 1},    {0x300, 0},   {0x36f, 0},    {0x370, 1},   {0x378, 1},   {0x5b0, 0},   {0x1100, 2},
        {0x115f, 2},  {0x1160, 0},  {0x200b, 0},  {0x200d, 0},   {0x2014, 1},  {0x2713, 1},  {0x2714, 1},  {0x2717, 1},
        {0x231a, 2},  {0x23f0, 2},  {0x25cf, 1},  {0x2500, 1},   {0x20dd, 0},  {0x3000, 2},  {0x303f, 1},  {0x3042, 2},
        {0x4e00, 2},  {0x9fff, 2},  {0xa9c0, 1},  {0xac00, 2},   {0xd7a3, 2},  {0xfe0f, 0},  {0xfeff, 0},  {0xff01, 2},
        {0xff61, 1},  {0xffe6, 2},  {0xfffd, 1},  {0x1f1e6, 1},  {0x1f600, 2}, {0x1f9d1, 2}, {0x1f3fb, 2}, {0x20000, 2},
        {0x3fffd, 2}, {0xe0001, 0}, {0xe0100, 0}, {0x10ffff, 1}, {0x21bb, 1},  {0x1d173, 0}, {0x17000, 2}, {0x2705, 2},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (utf8_width(rows[i].code) != rows[i].width) {
            fail_msg("U+%04X is %d wide, not %d", (unsigned)rows[i].code, utf8_width(rows[i].code), rows[i].width);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_every_short_sequence),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
