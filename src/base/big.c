/*
 * big.c - schoolbook arithmetic on whole numbers of up to 4,000 bits.
 */
#include "big.h"

#include <string.h>

#include "error.h"

static void push_limb(struct big *big, uint32_t limb)
{
    ORCH_ASSERT(big->count < BIG_LIMBS_MAX);
    big->limbs[big->count++] = limb;
}

static void trim(struct big *big)
{
    while (big->count && big->limbs[big->count - 1] == 0) big->count--;
}

void big_set(struct big *big, uint64_t number)
{
    big->count = 0;
    for (; number; number >>= 32) push_limb(big, (uint32_t)number);
}

void big_multiply_add(struct big *big, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;
    for (uint32_t i = 0; i < big->count; i++) {
        carry += (uint64_t)big->limbs[i] * factor;
        big->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) push_limb(big, (uint32_t)carry);
}

void big_multiply_pow5(struct big *big, uint32_t exponent)
{
    static const uint32_t powers[] = {1,     5,      25,      125,     625,      3125,      15625,
                                      78125, 390625, 1953125, 9765625, 48828125, 244140625, 1220703125};
    for (; exponent >= 13; exponent -= 13) big_multiply_add(big, powers[13], 0);
    if (exponent) big_multiply_add(big, powers[exponent], 0);
}

void big_shift_left(struct big *big, uint32_t bits)
{
    if (big->count == 0) return;
    uint32_t limbs = bits / 32;
    bits %= 32;
    if (limbs) {
        ORCH_ASSERT(big->count + limbs <= BIG_LIMBS_MAX);
        memmove(big->limbs + limbs, big->limbs, big->count * sizeof(*big->limbs));
        memset(big->limbs, 0, limbs * sizeof(*big->limbs));
        big->count += limbs;
    }
    if (bits == 0) return;
    uint32_t carry = 0;
    for (uint32_t i = limbs; i < big->count; i++) {
        uint32_t limb = big->limbs[i];
        big->limbs[i] = limb << bits | carry;
        carry = limb >> (32 - bits);
    }
    if (carry) push_limb(big, carry);
}

void big_subtract(struct big *a, const struct big *b)
{
    int64_t borrow = 0;
    for (uint32_t i = 0; i < a->count && (i < b->count || borrow); i++) {
        borrow += (int64_t)a->limbs[i] - (i < b->count ? b->limbs[i] : 0);
        a->limbs[i] = (uint32_t)borrow;
        borrow = borrow < 0 ? -1 : 0;
    }
    trim(a);
}

int big_compare(const struct big *a, const struct big *b)
{
    if (a->count != b->count) return a->count < b->count ? -1 : 1;
    for (uint32_t i = a->count; i > 0; i--) {
        if (a->limbs[i - 1] != b->limbs[i - 1]) return a->limbs[i - 1] < b->limbs[i - 1] ? -1 : 1;
    }
    return 0;
}

uint32_t big_bits(const struct big *big)
{
    return big->count ? big->count * 32 - (uint32_t)__builtin_clz(big->limbs[big->count - 1]) : 0;
}

uint32_t big_divide_small(struct big *big, uint32_t divisor)
{
    uint64_t remainder = 0;
    for (uint32_t i = big->count; i > 0; i--) {
        remainder = remainder << 32 | big->limbs[i - 1];
        big->limbs[i - 1] = (uint32_t)(remainder / divisor);
        remainder %= divisor;
    }
    trim(big);
    return (uint32_t)remainder;
}
