/*
 * retry.h - whether a failed attempt is followed by another, and when.
 */
#ifndef CORE_RETRY_H
#define CORE_RETRY_H

#include "lang/model.h"

/* xoshiro256**, Blackman and Vigna 2018: chance that is an argument. */
struct chance { uint64_t s[4]; };
void chance_init(struct chance *chance, uint64_t seed);
uint64_t chance_next(struct chance *chance);
double chance_unit(struct chance *chance); /* [0, 1) */

/*
 * Whether the policy retries after `attempt` attempts (1 is the first) when the last one failed so. policy NULL: never. Permanent failures and
 * those of expressions are never retried, cancelled and rejected ones only when on_mask names them.
 */
bool retry_is_due(const struct retry_policy *policy, uint32_t attempt, enum failure failure, int32_t exit_code);
/* The wait before attempt + 1, at most delay_max_us (0: a hundred years): drawn once, then recorded. Draws only when the policy has jitter. Source: exponential backoff with jitter, Marc Brooker, AWS Architecture Blog 2015. */
orch_time retry_delay(const struct retry_policy *policy, uint32_t attempt, struct chance *chance);

#endif
