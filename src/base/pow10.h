/*
 * pow10.h - powers of ten for the conversion of doubles, and the multiplication that goes with them.
 */
#ifndef BASE_POW10_H
#define BASE_POW10_H

#include <orch/orch.h>

#define POW10_MIN         (-342)
#define POW10_MAX         324
/* 5^q is a whole number of at most 128 bits, and so exact in the table. */
#define POW10_IS_EXACT(q) ((q) >= 0 && (q) <= 55)

/* high * 2^64 + low is 10^q * 2^(127 - floor(log2(10^q))), rounded down. */
struct pow10 {
    uint64_t high;
    uint64_t low;
};

extern const struct pow10 pow10_table[POW10_MAX - POW10_MIN + 1];

static inline struct pow10 pow10_get(int32_t q)
{
    return pow10_table[q - POW10_MIN];
}

/* floor(log2(10^q)), for q within +-1,600. */
static inline int32_t pow10_log2(int32_t q)
{
    return (int32_t)(((int64_t)q * 217706) >> 16);
}

/* All 128 bits of a product. */
static inline struct pow10 multiply_64(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    unsigned __int128 product = (unsigned __int128)a * b;
    return (struct pow10){(uint64_t)(product >> 64), (uint64_t)product};
#else
    uint64_t low = (a & UINT32_MAX) * (b & UINT32_MAX);
    uint64_t middle1 = (a >> 32) * (b & UINT32_MAX);
    uint64_t middle2 = (a & UINT32_MAX) * (b >> 32);
    uint64_t carry = (low >> 32) + (middle1 & UINT32_MAX) + (middle2 & UINT32_MAX);
    return (struct pow10){(a >> 32) * (b >> 32) + (middle1 >> 32) + (middle2 >> 32) + (carry >> 32),
                          carry << 32 | (low & UINT32_MAX)};
#endif
}

#endif
