/*
 * retry.c - whether another attempt follows, and after what wait.
 */
#include "core/retry.h"

/* Blackman and Vigna, https://prng.di.unimi.it/xoshiro256starstar.c, seeded with splitmix64 as they advise: a seed of 0
 * is as good as any. */
void chance_init(struct chance *chance, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        chance->s[i] = z ^ z >> 31;
    }
}

static uint64_t rotate_left(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

uint64_t chance_next(struct chance *chance)
{
    uint64_t *s = chance->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double chance_unit(struct chance *chance)
{
    return (double)(chance_next(chance) >> 11) * 0x1p-53;
}

#define BIT(failure)      (UINT32_C(1) << (failure))
/* Would fail again the same way, whatever the policy says. */
#define NEVER_MASK        (BIT(FAILURE_NONE) | BIT(FAILURE_PERMANENT) | BIT(FAILURE_EVALUATION))
/* What somebody decided is tried again only when the policy names it. */
#define UNLESS_NAMED_MASK (BIT(FAILURE_CANCELLED) | BIT(FAILURE_REJECTED))

bool retry_is_due(const struct retry_policy *policy, uint32_t attempt, enum failure failure, int32_t exit_code)
{
    uint32_t on_mask;

    if (!policy || attempt >= policy->attempts_max) return false;
    on_mask = (policy->on_mask != 0 ? policy->on_mask : ~UNLESS_NAMED_MASK) & ~NEVER_MASK;
    if (!(on_mask & BIT(failure))) return false;
    if (failure != FAILURE_EXIT || policy->exit_code_count == 0) return true;
    for (uint32_t i = 0; i < policy->exit_code_count; i++)
        if (policy->exit_codes[i] == exit_code) return true;
    return false;
}

/* By squaring: the same on every machine, which pow() does not promise. May be infinite. */
static double power(double base, uint32_t exponent)
{
    double result = 1;

    for (; exponent > 0; exponent >>= 1, base *= base)
        if (exponent & 1) result *= base;
    return result;
}

/* A hundred years, as for every duration: exact in a double, and added to any moment of this age it does not overflow.
 */
#define DELAY_LIMIT_US (INT64_C(100) * 366 * 24 * 3600 * ORCH_SECOND)

orch_time retry_delay(const struct retry_policy *policy, uint32_t attempt, struct chance *chance)
{
    double most = (double)(policy->delay_max_us > 0 && policy->delay_max_us < DELAY_LIMIT_US ? policy->delay_max_us
                                                                                             : DELAY_LIMIT_US);
    double wait = (double)policy->delay_us;

    if (policy->delay_us <= 0) return 0;
    switch (policy->backoff) {
    case BACKOFF_CONSTANT: break;
    case BACKOFF_LINEAR: wait *= attempt; break;
    case BACKOFF_EXPONENTIAL: wait *= power(policy->factor, attempt > 0 ? attempt - 1 : 0); break;
    }
    if (!(wait < most)) wait = most; /* also what is infinite or no number */
    if (wait < 0) wait = 0;
    if (policy->jitter > 0) {
        double jitter = policy->jitter < 1 ? policy->jitter : 1;

        wait -= wait * jitter * chance_unit(chance);
    }
    return (orch_time)wait;
}
