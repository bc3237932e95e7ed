#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/retry.h"

#define MS          ORCH_MILLISECOND
#define ON(failure) (UINT32_C(1) << FAILURE_##failure)

static void test_chance_is_the_published_generator(void **state)
{
    /* Outputs of the authors' program for the state 1, 2, 3, 4. */
    static const uint64_t expected[] = {UINT64_C(11520), 0, UINT64_C(1509978240), UINT64_C(1215971899390074240)};
    struct chance chance = {{1, 2, 3, 4}};

    (void)state;
    for (size_t i = 0; i < 4; i++) assert_true(chance_next(&chance) == expected[i]);
    chance_init(&chance, 0); /* splitmix64 of 0 */
    assert_true(chance.s[0] == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(chance.s[1] == UINT64_C(0x6e789e6aa1b965f4));
    assert_true(chance.s[2] == UINT64_C(0x06c45d188009454f));
    assert_true(chance.s[3] == UINT64_C(0xf88bb8a8724c81ec));
}

static void test_chance_unit_is_even(void **state)
{
    struct chance chance;
    uint32_t tenths[10] = {0};

    (void)state;
    chance_init(&chance, 7);
    for (int i = 0; i < 100000; i++) {
        double unit = chance_unit(&chance);

        assert_true(unit >= 0 && unit < 1);
        tenths[(int)(unit * 10)]++;
    }
    for (int i = 0; i < 10; i++) assert_in_range(tenths[i], 9500, 10500);
}

static void test_is_due(void **state)
{
    static const uint8_t codes[] = {75, 111};
    const struct {
        struct retry_policy policy;
        uint32_t attempt;
        enum failure failure;
        int32_t exit_code;
        bool due;
    } cases[] = {
        {{.attempts_max = 1}, 1, FAILURE_EXIT, 1, false},
        {{.attempts_max = 2}, 1, FAILURE_EXIT, 1, true},
        {{.attempts_max = 2}, 2, FAILURE_EXIT, 1, false},
        {{.attempts_max = 2}, 3, FAILURE_EXIT, 1, false},
        {{.attempts_max = 0}, 1, FAILURE_EXIT, 1, false},
        {{.attempts_max = UINT32_MAX}, 4000000000u, FAILURE_EXIT, 1, true},
        /* without a list: all but what would fail again and what somebody decided */
        {{.attempts_max = 9}, 1, FAILURE_NONE, 0, false},
        {{.attempts_max = 9}, 1, FAILURE_SIGNAL, 0, true},
        {{.attempts_max = 9}, 1, FAILURE_TIMEOUT, 0, true},
        {{.attempts_max = 9}, 1, FAILURE_LOST, 0, true},
        {{.attempts_max = 9}, 1, FAILURE_ERROR, 0, true},
        {{.attempts_max = 9}, 1, FAILURE_PERMANENT, 0, false},
        {{.attempts_max = 9}, 1, FAILURE_CANCELLED, 0, false},
        {{.attempts_max = 9}, 1, FAILURE_REJECTED, 0, false},
        {{.attempts_max = 9}, 1, FAILURE_START, 0, true},
        {{.attempts_max = 9}, 1, FAILURE_EVALUATION, 0, false},
        {{.attempts_max = 9}, 1, FAILURE_CHILD, 0, true},
        /* with one */
        {{.attempts_max = 9, .on_mask = ON(TIMEOUT)}, 1, FAILURE_TIMEOUT, 0, true},
        {{.attempts_max = 9, .on_mask = ON(TIMEOUT)}, 1, FAILURE_EXIT, 1, false},
        {{.attempts_max = 9, .on_mask = ON(REJECTED)}, 1, FAILURE_REJECTED, 0, true},
        {{.attempts_max = 9, .on_mask = ON(CANCELLED)}, 1, FAILURE_CANCELLED, 0, true},
        {{.attempts_max = 9, .on_mask = UINT32_MAX}, 1, FAILURE_PERMANENT, 0, false},
        {{.attempts_max = 9, .on_mask = UINT32_MAX}, 1, FAILURE_EVALUATION, 0, false},
        {{.attempts_max = 9, .on_mask = UINT32_MAX}, 1, FAILURE_NONE, 0, false},
        /* exit codes concern exits only */
        {{.attempts_max = 9, .exit_codes = codes, .exit_code_count = 2}, 1, FAILURE_EXIT, 75, true},
        {{.attempts_max = 9, .exit_codes = codes, .exit_code_count = 2}, 1, FAILURE_EXIT, 111, true},
        {{.attempts_max = 9, .exit_codes = codes, .exit_code_count = 2}, 1, FAILURE_EXIT, 1, false},
        {{.attempts_max = 9, .exit_codes = codes, .exit_code_count = 2}, 1, FAILURE_EXIT, 75 + 256, false},
        {{.attempts_max = 9, .exit_codes = codes, .exit_code_count = 2}, 1, FAILURE_TIMEOUT, 0, true},
        {{.attempts_max = 9, .on_mask = ON(TIMEOUT), .exit_codes = codes, .exit_code_count = 2},
         1,
         FAILURE_EXIT,
         75,
         false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (retry_is_due(&cases[i].policy, cases[i].attempt, cases[i].failure, cases[i].exit_code) != cases[i].due)
            fail_msg("case %zu", i);
    }
    assert_false(retry_is_due(NULL, 1, FAILURE_EXIT, 1));
}

static void test_delay(void **state)
{
    const struct {
        struct retry_policy policy;
        uint32_t attempt;
        orch_time wait;
    } cases[] = {
        {{.delay_us = 100 * MS}, 1, 100 * MS},
        {{.delay_us = 100 * MS}, 9, 100 * MS},
        {{.delay_us = 0, .backoff = BACKOFF_EXPONENTIAL, .factor = 2}, 9, 0},
        {{.delay_us = 100 * MS, .backoff = BACKOFF_LINEAR}, 1, 100 * MS},
        {{.delay_us = 100 * MS, .backoff = BACKOFF_LINEAR}, 7, 700 * MS},
        {{.delay_us = 100 * MS, .backoff = BACKOFF_LINEAR, .delay_max_us = 300 * MS}, 7, 300 * MS},
        {{.delay_us = 100 * MS, .backoff = BACKOFF_EXPONENTIAL, .factor = 2}, 1, 100 * MS},
        {{.delay_us = 100 * MS, .backoff = BACKOFF_EXPONENTIAL, .factor = 2}, 2, 200 * MS},
        {{.delay_us = 100 * MS, .backoff = BACKOFF_EXPONENTIAL, .factor = 2}, 11, 102400 * MS},
        {{.delay_us = 100 * MS, .backoff = BACKOFF_EXPONENTIAL, .factor = 1.5}, 3, 225 * MS},
        {{.delay_us = 100 * MS, .backoff = BACKOFF_EXPONENTIAL, .factor = 1}, 4000000000u, 100 * MS},
        {{.delay_us = 100 * MS, .backoff = BACKOFF_EXPONENTIAL, .factor = 0.5}, 3, 25 * MS},
        {{.delay_us = 100 * MS, .backoff = BACKOFF_EXPONENTIAL, .factor = 2, .delay_max_us = 60 * ORCH_SECOND},
         4000000000u,
         60 * ORCH_SECOND},
        {{.delay_us = ORCH_TIME_NEVER, .delay_max_us = 60 * ORCH_SECOND}, 1, 60 * ORCH_SECOND},
        {{.delay_us = 1, .backoff = BACKOFF_EXPONENTIAL, .factor = (double)NAN, .delay_max_us = 60 * ORCH_SECOND},
         2,
         60 * ORCH_SECOND},
    };
    struct chance chance, untouched;

    (void)state;
    chance_init(&chance, 1);
    untouched = chance;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        orch_time wait = retry_delay(&cases[i].policy, cases[i].attempt, &chance);

        if (wait != cases[i].wait) fail_msg("case %zu: %lld, not %lld", i, (long long)wait, (long long)cases[i].wait);
    }
    assert_memory_equal(&chance, &untouched, sizeof(chance)); /* no jitter, no draw */
}

static void test_delay_never_overflows(void **state)
{
    struct retry_policy policy = {.delay_us = ORCH_TIME_NEVER, .backoff = BACKOFF_EXPONENTIAL, .factor = 1e300};
    struct chance chance;

    (void)state;
    chance_init(&chance, 1);
    for (uint32_t attempt = 1; attempt != 0; attempt = attempt * 2) {
        orch_time wait = retry_delay(&policy, attempt, &chance);

        assert_true(wait > 0 && wait <= INT64_C(3163000000000000)); /* about a hundred years */
    }
}

static void test_jitter_stays_in_its_bounds(void **state)
{
    static const double jitters[] = {0.01, 0.2, 0.5, 1, 7};

    (void)state;
    for (size_t j = 0; j < sizeof(jitters) / sizeof(jitters[0]); j++) {
        struct retry_policy policy = {.delay_us = 1000 * MS, .jitter = jitters[j]};
        orch_time low = (orch_time)((double)policy.delay_us * (1 - (jitters[j] < 1 ? jitters[j] : 1)));
        orch_time least = ORCH_TIME_NEVER, most = 0;
        struct chance chance;

        chance_init(&chance, j);
        for (int i = 0; i < 10000; i++) {
            orch_time wait = retry_delay(&policy, 1, &chance);

            if (wait < least) least = wait;
            if (wait > most) most = wait;
        }
        assert_true(least >= low && most <= policy.delay_us);
        /* and they are used: within a twentieth of the width of both ends */
        assert_true(least - low < (policy.delay_us - low) / 20 + 1);
        assert_true(policy.delay_us - most < (policy.delay_us - low) / 20 + 1);
    }
}

static void test_one_seed_draws_alike(void **state)
{
    struct retry_policy policy = {.delay_us = 1000 * MS, .jitter = 1};
    struct chance a, b, c;
    int different = 0;

    (void)state;
    chance_init(&a, 42);
    chance_init(&b, 42);
    chance_init(&c, 43);
    for (int i = 0; i < 100; i++) {
        orch_time wait = retry_delay(&policy, 1, &a);

        assert_true(wait == retry_delay(&policy, 1, &b));
        different += wait != retry_delay(&policy, 1, &c);
    }
    assert_true(different > 90);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chance_is_the_published_generator),
        cmocka_unit_test(test_chance_unit_is_even),
        cmocka_unit_test(test_is_due),
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_delay_never_overflows),
        cmocka_unit_test(test_jitter_stays_in_its_bounds),
        cmocka_unit_test(test_one_seed_draws_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
