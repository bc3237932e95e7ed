/*
 * test_command.c - which shell text is run without a shell, and as what.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "actions/command.h"
#include "base/error.h"

static void test_commands(void **state)
{
    static const struct {
        const char *text;
        const char *words; /* joined by '|'; NULL: a shell */
    } table[] = {
        {"true", "true"},
        {"  ls   -l\t/tmp \n", "ls|-l|/tmp"},
        {"./run.sh --name=x a=b", "./run.sh|--name=x|a=b"},
        {"grep 'a b' \"c d\" e'f'g", "grep|a b|c d|efg"},
        {"cmd '' \"\" x", "cmd|||x"},
        {"cmd 'a$b|c;d*\\n'", "cmd|a$b|c;d*\\n"},
        {"cmd \"it's\" '\"'", "cmd|it's|\""},
        {"python3 -c 'print(1)'", "python3|-c|print(1)"},
        {"caf\xC3\xA9 \xC3\xA9", "caf\xC3\xA9|\xC3\xA9"},
        {"cmd a,b a:b a@b a%b a+b a/b -", "cmd|a,b|a:b|a@b|a%b|a+b|a/b|-"},
        {"truex trapped echoes", "truex|trapped|echoes"},
        /* Shell syntax. */
        {"a; b", NULL},
        {"a & b", NULL},
        {"a && b", NULL},
        {"a | b", NULL},
        {"a > b", NULL},
        {"a < b", NULL},
        {"(a)", NULL},
        {"{ a; }", NULL},
        {"a $b", NULL},
        {"a `b`", NULL},
        {"a *", NULL},
        {"a ?", NULL},
        {"a [b]", NULL},
        {"a ~", NULL},
        {"a # b", NULL},
        {"! a", NULL},
        {"a ^ b", NULL},
        {"a \\b", NULL},
        {"a\nb", NULL},
        {"a 'b\nc'", NULL},
        {"a \"$b\"", NULL},
        {"a \"`b`\"", NULL},
        {"a \"\\b\"", NULL},
        {"a \"b!\"", NULL},
        {"a 'b", NULL},
        {"a \"b", NULL},
        {"a\r", NULL},
        /* Assignments before the command. */
        {"A=1 cmd", NULL},
        {"A=1", NULL},
        /* Words of the shell's own. */
        {"echo hi", NULL},
        {"cd /tmp", NULL},
        {"exit 3", NULL},
        {"test -f x", NULL},
        {"if x", NULL},
        {". ./x", NULL},
        {": x", NULL},
        {"exec x", NULL},
        {"printf x", NULL},
        {"kill 1", NULL},
        {"time x", NULL},
        {"local x", NULL},
        {"source x", NULL},
        /* A quoted first word is no builtin to the shell only where quoting hides it: leave that to the shell. */
        {"'true' x", NULL},
        {"'' x", NULL},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct arena arena;
        struct command command;
        struct buf joined;

        arena_init(&arena, NULL, 0);
        buf_init(&joined, NULL, 0);
        assert_int_equal(command_parse(str_from(table[i].text), &arena, &command, NULL), 0);
        for (uint32_t j = 0; j < command.argv_count; j++) {
            if (j > 0) buf_add_char(&joined, '|');
            buf_add(&joined, command.argv[j]);
        }
        if (table[i].words) {
            if (command.is_shell || strcmp(joined.data, table[i].words) != 0)
                fail_msg("<%s> gave <%s>", table[i].text, joined.data);
        } else {
            if (!command.is_shell) fail_msg("<%s> gave <%s> without a shell", table[i].text, joined.data);
            assert_int_equal(command.argv_count, 3);
            assert_true(str_is(command.argv[0], "/bin/sh") && str_is(command.argv[1], "-c") &&
                        str_is(command.argv[2], table[i].text));
        }
        buf_done(&joined);
        arena_done(&arena);
    }
    (void)state;
}

static void test_refused(void **state)
{
    struct arena arena;
    struct command command;

    arena_init(&arena, NULL, 0);
    assert_int_equal(command_parse(STR(""), &arena, &command, NULL), ORCH_ERR_INVALID);
    assert_int_equal(command_parse(STR(" \n\t "), &arena, &command, NULL), ORCH_ERR_INVALID);
    assert_int_equal(command_parse(STR("a\0b"), &arena, &command, NULL), ORCH_ERR_INVALID);
    arena_done(&arena);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_commands), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
