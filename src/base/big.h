/*
 * big.h - whole numbers of a fixed maximal size, as much arithmetic as the exact digits of a double take.
 */
#ifndef BASE_BIG_H
#define BASE_BIG_H

#include <orch/orch.h>

/* The largest is 5^1146 beside a number of 800 digits, shifted to its size: under 4,000 bits. */
#define BIG_LIMBS_MAX 136

struct big {
    uint32_t count; /* limbs in use, the last of them is not 0; 0 for zero */
    uint32_t limbs[BIG_LIMBS_MAX];
};

void big_set(struct big *big, uint64_t number);
void big_multiply_add(struct big *big, uint32_t factor, uint32_t addend);
void big_multiply_pow5(struct big *big, uint32_t exponent);
void big_shift_left(struct big *big, uint32_t bits);
/* a -= b, where a >= b */
void big_subtract(struct big *a, const struct big *b);
int big_compare(const struct big *a, const struct big *b);
uint32_t big_bits(const struct big *big);
/* Divides, returns the remainder. */
uint32_t big_divide_small(struct big *big, uint32_t divisor);

#endif
