/*
 * clock.h - the time and chance of the real world.
 */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include <orch/orch.h>

orch_time clock_wall(void);      /* microseconds since 1970 UTC; may jump */
orch_time clock_monotonic(void); /* microseconds since some moment; never goes back */
/* 64 random bits from the kernel. */
uint64_t chance_seed(void);

#endif
