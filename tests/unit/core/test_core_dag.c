/*
 * test_core_dag.c - leaves and the edges between them: starting, ending, join rules, conditions.
 */

#include "harness.h"

static void test_chain(void **state)
{
    (void)state;
    harness_run("chain",
                "tasks:\n"
                "  a: {shell: make a}\n"
                "  b: {depends_on: [a], shell: make b}\n",
                "start -> started; open; ready a\n"
                "start -> !STATE\n"
                "admit b -> !STATE\n"
                "admit a -> attempt a 1\n"
                "admit a -> !STATE\n"
                "done a 1 -> ended a succeeded 1; ready b\n"
                "done a 1 -> \n"
                "admit b -> attempt b 1\n"
                "done b {\"x\":2} -> ended b succeeded {\"x\":2}; close succeeded; end succeeded {\"b\":{\"x\":2}}\n"
                "cancel -> !STATE\n"
                "pause -> !STATE\n"
                "resume -> !STATE\n"
                "signal go -> !STATE\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
