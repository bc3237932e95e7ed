/*
 * random.h - definitions and inputs drawn from a seed.
 */
#ifndef TEST_CORE_RANDOM_H
#define TEST_CORE_RANDOM_H

#include "harness.h"

struct draws {
    struct chance chance;
};

uint32_t draw(struct draws *draws, uint32_t below);
bool one_in(struct draws *draws, uint32_t n);

/* A valid definition with all constructs there are. */
void random_definition(struct draws *draws, struct buf *out);
/* Something that may happen now, well or ill. False: nothing was thought of. */
bool random_input(struct draws *draws, struct harness *harness, struct core_input *ret);
/* What a world without faults would do next. False when there is nothing it could do. */
bool helpful_input(struct draws *draws, struct harness *harness, struct core_input *ret);

#endif
