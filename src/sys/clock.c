/*
 * clock.c - the time and chance of the real world.
 */
#include "sys/clock.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

static orch_time clock_read(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now); /* cannot fail for these two */
    return (orch_time)now.tv_sec * ORCH_SECOND + now.tv_nsec / 1000;
}

orch_time clock_wall(void)
{
    return clock_read(CLOCK_REALTIME);
}

orch_time clock_monotonic(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

uint64_t chance_seed(void)
{
    uint64_t seed;
    ssize_t size;

    do {
        size = getrandom(&seed, sizeof(seed), 0);
    } while (size < 0 && errno == EINTR);
    if (size == (ssize_t)sizeof(seed)) return seed;
    /* A kernel before 3.17, or a filter that forbids the call: time and address are better than a constant. */
    return (uint64_t)clock_read(CLOCK_REALTIME) * UINT64_C(0x9E3779B97F4A7C15) ^ (uint64_t)clock_read(CLOCK_MONOTONIC) ^
           (uint64_t)(uintptr_t)&seed;
}
