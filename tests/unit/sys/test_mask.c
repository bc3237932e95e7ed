/*
 * test_mask.c - hiding secrets.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "sys/mask.h"

static void test_texts(void **state)
{
    static const struct {
        const char *text, *secrets[4], *masked;
    } table[] = {
        {"nothing here", {"secret"}, "nothing here"},
        {"my secret is secret", {"secret"}, "my *** is ***"},
        {"secret", {"secret"}, "***"},
        {"secretsecret", {"secret"}, "******"},
        {"", {"secret"}, ""},
        {"abc", {"abc"}, "abc"}, /* too short to be told from ordinary text */
        {"abcd", {"abcd"}, "***"},
        {"xabcdefx", {"abcd", "cdef"}, "x***x"},   /* one within the other's end */
        {"abcdefgh", {"abcd", "abcdefgh"}, "***"}, /* the longest */
        {"abcdabcd!", {"abcd"}, "******!"},
        {"aaaaaaa", {"aaaa"}, "***"},
        {"pass=hunter22 user=bob", {"hunter22", "unused", "bobby"}, "pass=*** user=bob"},
        {"line two is here", {"line one\nline two\r\nend"}, "*** is here"},
        {"end", {"line one\nend"}, "end"},
        {"as trimmed", {" trimmed\t\r\n"}, "as ***"},
        {"< trimmed >", {" trimmed "}, "< *** >"},
        {"    ", {"    "}, "    "},
        {"line one\nline two", {"line one\nline two"}, "***"},
        {"\x01\x02\x03\x04\xff", {"\x02\x03\x04\xff"}, "\x01***"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct arena arena;
        struct orch_str secrets[4], masked;
        uint32_t count = 0;

        arena_init(&arena, NULL, 0);
        for (; count < 4 && table[i].secrets[count]; count++) secrets[count] = str_from(table[i].secrets[count]);
        masked = mask_secrets(str_from(table[i].text), secrets, count, &arena);
        if (!str_is(masked, table[i].masked)) fail_msg("<%s> gave <%.*s>", table[i].text, STR_ARG(masked));
        /* Nothing to hide: the text itself, at no cost. */
        if (strcmp(table[i].text, table[i].masked) == 0) assert_int_equal(arena.size, 0);
        arena_done(&arena);
    }
    (void)state;
}

static void test_cuts(void **state)
{
    static const struct {
        const char *text, *secrets[3];
        size_t cut;
    } table[] = {
        {"some text", {"secret"}, 9},
        {"some sec", {"secret"}, 5},
        {"some s", {"secret", "me s!"}, 2},
        {"secret", {"secret"}, 6},
        {"x top-secret", {"top-secret"}, 2},
        {"abcdab", {"abcdab", "cdxx"}, 0},
        {"sec", {"secret"}, 0},
        {"x", {"abc"}, 1},
        {"xab", {"abc"}, 3},
        /* too short to be hidden */ {"ababab", {"ababc"}, 2},
        {"is line", {"one\nline two"}, 3},
        {"is on", {"first\none more"}, 3},
        {"", {"secret"}, 0},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct orch_str secrets[3];
        uint32_t count = 0;

        for (; count < 3 && table[i].secrets[count]; count++) secrets[count] = str_from(table[i].secrets[count]);
        if (mask_safe_cut(str_from(table[i].text), secrets, count) != table[i].cut) {
            fail_msg("<%s>: %zu", table[i].text, mask_safe_cut(str_from(table[i].text), secrets, count));
        }
    }
    assert_int_equal(mask_safe_cut(STR("text"), NULL, 0), 4);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts), cmocka_unit_test(test_cuts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
