/*
 * shrink.h - a shorter way to the same failure.
 */
#ifndef TEST_SIM_SHRINK_H
#define TEST_SIM_SHRINK_H

#include "scenario.h"

/* Leaves out faults, then parts of the definitions, as long as the same rule is broken; prints what is left. */
void shrink(const struct scenario_options *options, const struct scenario_result *found);

#endif
