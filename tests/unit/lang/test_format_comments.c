/* test_format_comments.c - comments of a file in its normal form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lang/model.h"

static const struct row {
    const char *name, *file, *want;
} rows[] = {
    {"none", "tasks: {a: {shell: x}}\n", "tasks:\n  a:\n    shell: x\n"},
    {"above and behind", "# t\ntasks: # u\n  # a\n  a: # b\n    # s\n    shell: x # y\n",
     "# t\ntasks:  # u\n  # a\n  a:  # b\n    # s\n    shell: x  # y\n"},
    {"they go with their keys", "tasks: {a: {shell: x}}\n# the name\nname: w # n\n# the env\nenv: {A: b}\n",
     "# the name\nname: w  # n\n# the env\nenv: {A: b}\ntasks:\n  a:\n    shell: x\n"},
    {"about the file", "# one\n\n# two\n# three\n\n# the tasks\ntasks: {a: {shell: x}}\nname: w\n",
     "# one\n\n# two\n# three\n\nname: w\n# the tasks\ntasks:\n  a:\n    shell: x\n"},
    {"in brackets", "tasks:\n  a: {shell: x, # what\n      env: { # where\n        A: b # a\n      } # end\n  }\n",
     "tasks:\n  a:  # what\n    shell: x\n    # where\n    # a\n    # end\n    env: {A: b}\n"},
    {"several of one line",
     "tasks:\n  b: {shell: x}\n  a:\n    shell: x\n    depends_on:\n      - b # one\n      # two\n      - b # three\n",
     "tasks:\n  b:\n    shell: x\n  a:\n    # one\n    # two\n    # three\n    depends_on: [b, b]\n    shell: x\n"},
    {"in front of a block, and not in it",
     "tasks:\n  a:\n    shell: | # head\n      # text\n      x # text\n    # below\n    timeout: 5s\n",
     "tasks:\n  a:\n    shell: |  # head\n      # text\n      x # text\n    # below\n    timeout: 5s\n"},
    {"indented further than what follows", "tasks:\n  a:\n    shell: x\n    # of a\n  # b: {shell: y}\nname: w\n",
     "name: w\ntasks:\n  a:\n    shell: x\n    # of a\n  # b: {shell: y}\n"},
    {"at the end", "tasks:\n  a:\n    shell: x\n  # of tasks\n# of the file\n",
     "tasks:\n  a:\n    shell: x\n  # of tasks\n# of the file\n"},
    {"of spellings that are not ours",
     "name: w\nsteps:\n  # first\n  - id: a\n    # what\n    run: x # x\n  # second\n  - {id: b, run: z} # z\n",
     "name: w\nmode: sequence\ntasks:\n  # first\n  a:\n    # what\n    shell: x  # x\n  # second\n  b:  # z\n    "
     "shell: z\n"},
    {"of what the normal form has not",
     "tasks:\n  a:\n    shell: x # x\n    # needless\n    env: {} # none\n    # five\n    timeout: 5s\n",
     "tasks:\n  a:\n    # none\n    shell: x  # x\n    # needless\n    # five\n    timeout: 5s\n"},
    {"behind a dash", "mode: sequence\ntasks:\n  - # one\n    id: a\n    shell: x\n    timeout: 1s\n",
     "mode: sequence\ntasks:  # one\n  a:\n    shell: x\n    timeout: 1s\n"},
    {"of an alias", "env: &e {A: b} # e\ntasks:\n  a: {shell: x, env: *e} # a\n",
     "env: {A: b}  # e\ntasks:\n  a:  # a\n    shell: x\n    env: {A: b}\n"},
    {"lines that end otherwise", "# t\r\ntasks: # u\r\n  a:\r\n    shell: x # y\r\n",
     "# t\ntasks:  # u\n  a:\n    shell: x  # y\n"},
    {"behind the document", "--- # begin\ntasks: {a: {shell: x}}\n... # end\n",
     "# begin\ntasks:\n  a:\n    shell: x\n# end\n"},
};

static void format(struct arena *arena, struct orch_str text, struct buf *out)
{
    static struct diags diags;
    const struct workflow *workflow;
    struct orch_error err = ORCH_ERROR_INIT;
    uint32_t count = 0;
    diags_init(&diags, arena);
    buf_clear(out);
    if (workflow_read(text, STR("f.yaml"), arena, &diags, &workflow)) {
        diags_render(&diags, text, STR("f.yaml"), NULL, out);
        fail_msg("%.*s", STR_ARG(buf_str(out)));
    }
    if (workflow_format_commented(workflow, text, out, &count, &err)) fail_msg("%s", err.message);
}

static void test_rows(void **state)
{
    (void)state;
    unsigned failed = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena arena;
        struct buf once, twice;
        arena_init(&arena, NULL, 0);
        buf_init(&once, NULL, 0);
        buf_init(&twice, NULL, 0);
        format(&arena, str_from(rows[i].file), &once);
        format(&arena, buf_str(&once), &twice);
        bool is_right = str_is(buf_str(&once), rows[i].want);
        bool stays = str_equal(buf_str(&once), buf_str(&twice));
        if (!is_right)
            print_message("%s\n--- want\n%s--- got\n%.*s", rows[i].name, rows[i].want, STR_ARG(buf_str(&once)));
        if (!stays) print_message("%s, again\n%.*s", rows[i].name, STR_ARG(buf_str(&twice)));
        failed += !is_right || !stays;
        buf_done(&once);
        buf_done(&twice);
        arena_done(&arena);
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
