/*
 * What users say of tasks: patterns, chances, durations; and that one seed draws alike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/simulate_plan.h"

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool fits;
    } table[] = {{"", "", true},
                 {"", "a", false},
                 {"*", "", true},
                 {"*", "a/b[3]#2", true},
                 {"a", "a", true},
                 {"a", "ab", false},
                 {"ab", "a", false},
                 {"a?", "ab", true},
                 {"a?", "a", false},
                 {"a*c", "abbc", true},
                 {"a*c", "ac", true},
                 {"a*c", "acb", false},
                 {"*a*b*", "xxaxxbxx", true},
                 {"*a*b*", "xxbxxaxx", false},
                 {"*ab", "aab", true},
                 {"*aab", "aaaab", true},
                 {"items[1]/y", "items[1]/y", true},
                 {"items[1]/y", "items[11]/y", false},
                 {"items/*", "items/x", true}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (simulate_plan_fits(str_from(table[i].pattern), str_from(table[i].text)) != table[i].fits)
            fail_msg("\"%s\" and \"%s\"", table[i].pattern, table[i].text);
}

static void test_strip(void **state)
{
    static const struct {
        const char *path, *stripped;
    } table[] = {{"a", "a"},       {"a[3]", "a"},    {"a[3]/b#12/c", "a/b/c"}, {"a#1", "a"},
                 {"a[12]#3", "a"}, {"a[x]", "a[x]"}, {"a[3", "a[3"},           {"a#", "a#"},
                 {"a[]", "a[]"},   {"", ""},         {"x[1]/y[2]", "x/y"},     {"a/compensate", "a/compensate"}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct buf out;
        buf_init(&out, NULL, 0);
        simulation_strip(str_from(table[i].path), &out);
        if (!str_is(buf_str(&out), table[i].stripped)) fail_msg("%s: %.*s", table[i].path, (int)out.size, out.data);
        buf_done(&out);
    }
}

typedef int (*adder)(struct simulate_plan *plan, struct orch_str text, struct orch_error *err);

static void test_wrong(void **state)
{
    static const struct {
        adder add;
        const char *text;
        bool ok;
    } table[] = {{simulate_plan_fail, "a=0.3", true},
                 {simulate_plan_fail, "a=0", true},
                 {simulate_plan_fail, "a=1", true},
                 {simulate_plan_fail, "a=1.1", false},
                 {simulate_plan_fail, "a=-0.1", false},
                 {simulate_plan_fail, "a=nan", false},
                 {simulate_plan_fail, "a=", false},
                 {simulate_plan_fail, "a", false},
                 {simulate_plan_fail, "=0.3", false},
                 {simulate_plan_fail, "a=often", false},
                 {simulate_plan_duration, "a=5s", true},
                 {simulate_plan_duration, "a=5s..2m", true},
                 {simulate_plan_duration, "a=never", true},
                 {simulate_plan_duration, "a=2m..5s", false},
                 {simulate_plan_duration, "a=5s..", false},
                 {simulate_plan_duration, "a=..5s", false},
                 {simulate_plan_duration, "a=5", false},
                 {simulate_plan_duration, "a=5s..5s", true},
                 {simulate_plan_output, "a={\"x\": 1}", true},
                 {simulate_plan_output, "a={x: 1}", false},
                 {simulate_plan_output, "a=", false}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct simulate_plan *plan = simulate_plan_new();
        struct orch_error err = ORCH_ERROR_INIT;
        int r = table[i].add(plan, str_from(table[i].text), &err);
        if ((r == 0) != table[i].ok) fail_msg("%s: %s", table[i].text, err.message);
        if (r) assert_int_equal(ORCH_ERR_USAGE, r);
        simulate_plan_free(plan);
    }
}

static void ask(struct simulate_plan *plan, uint64_t seed, const char *path, uint32_t row, uint32_t attempt,
                struct simulation_answer *ret)
{
    struct simulation_question question = {
        .seed = seed, .path = str_from(path), .row = row, .kind = ACTION_SHELL, .attempt = attempt};
    *ret = (struct simulation_answer){0};
    simulate_plan_ask(plan, &question, ret);
}

static void test_answers(void **state)
{
    struct simulate_plan *plan = simulate_plan_new();
    struct simulation_answer one, other;
    struct orch_error err = ORCH_ERROR_INIT;
    (void)state;
    assert_int_equal(0, simulate_plan_fail(plan, STR("*=0"), &err));
    assert_int_equal(0, simulate_plan_fail(plan, STR("a=0.3"), &err));
    assert_int_equal(0, simulate_plan_fail(plan, STR("always=1"), &err));
    assert_int_equal(0, simulate_plan_duration(plan, STR("a=5s..10s"), &err));
    assert_int_equal(0, simulate_plan_duration(plan, STR("stands=never"), &err));
    assert_int_equal(0, simulate_plan_output(plan, STR("a=[1]"), &err));
    uint32_t failed = 0, changed = 0;
    orch_time min = INT64_MAX, max = 0;
    for (uint64_t seed = 1; seed <= 10000; seed++) {
        ask(plan, seed, "a", 0, 1, &one);
        ask(plan, seed, "a", 0, 1, &other);
        assert_int_equal(one.failure, other.failure);
        assert_int_equal(one.duration, other.duration);
        assert_in_range(one.duration, 5 * ORCH_SECOND, 10 * ORCH_SECOND);
        assert_true(str_is(one.output, "[1]"));
        failed += one.failure == FAILURE_EXIT;
        if (one.duration < min) min = one.duration;
        if (one.duration > max) max = one.duration;
        ask(plan, seed, "a", 0, 2, &other);
        changed += one.duration != other.duration;
        ask(plan, seed, "b", 1, 1, &other);
        assert_int_equal(FAILURE_NONE, other.failure);
        assert_int_equal(SIMULATE_DURATION_USUAL, other.duration);
        assert_int_equal(0, other.output.size);
    }
    assert_in_range(failed, 2800, 3200);
    assert_true(min < 5050000 && max > 9950000);
    assert_true(changed > 9990);
    ask(plan, 1, "always", 2, 1, &one);
    assert_int_equal(FAILURE_EXIT, one.failure);
    ask(plan, 1, "stands", 3, 1, &one);
    assert_int_equal(ORCH_TIME_NEVER, one.duration);
    simulate_plan_free(plan);

    /* One item alone; the others as was said of all. */
    plan = simulate_plan_new();
    assert_int_equal(0, simulate_plan_duration(plan, STR("items/y=2s"), &err));
    assert_int_equal(0, simulate_plan_duration(plan, STR("items[1]/y=9s"), &err));
    ask(plan, 1, "items[0]/y", 0, 1, &one);
    assert_int_equal(2 * ORCH_SECOND, one.duration);
    ask(plan, 1, "items[1]/y", 0, 1, &one);
    assert_int_equal(9 * ORCH_SECOND, one.duration);
    ask(plan, 1, "items[10]/y", 0, 1, &one);
    assert_int_equal(2 * ORCH_SECOND, one.duration);
    simulate_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_patterns), cmocka_unit_test(test_strip),
                                       cmocka_unit_test(test_wrong), cmocka_unit_test(test_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
