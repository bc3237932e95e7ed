/*
 * id.c - the public ids of executions: a bijection between row numbers and short texts whose neighbours look unlike.
 *
 * Numbers are split into classes by length: the first 32^4 get four characters, the next 32^5 five, and so on, so that
 * ids stay as short as the store is small. Within a class of b bits the number goes through steps that each can be
 * undone modulo 2^b (flip bits, multiply by an odd constant, fold the upper half into the lower). This hides nothing;
 * it only spreads.
 */
#include "store/store.h"

#include "base/error.h"

#define ID_LENGTH_MIN 4
#define ID_LENGTH_MAX 13

/* Odd; the fractions of the golden ratio and of the square root of three. */
#define FACTOR_A UINT64_C(0x9E3779B97F4A7C15)
#define FACTOR_B UINT64_C(0xBB67AE8584CAA73B)
/* Keeps the first of a class from being all zeros; the fraction of the square root of two. */
#define START    UINT64_C(0x6A09E667F3BCC908)

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* Crockford's: no I, L, O, U */

/* The last class would have 65 bits; 63 are more than there are numbers. */
static unsigned class_bits(unsigned length)
{
    return length == ID_LENGTH_MAX ? 63 : 5 * length;
}

static uint64_t class_mask(unsigned length)
{
    return (UINT64_C(1) << class_bits(length)) - 1;
}

/* Newton: each round doubles the bits that are right; an odd number is its own inverse modulo 8. */
static uint64_t inverse(uint64_t odd)
{
    uint64_t x = odd;
    for (int i = 0; i < 5; i++) x *= 2 - odd * x;
    return x;
}

/* v ^ (v >> half) with half at least half the bits is its own inverse. */
static uint64_t fold(uint64_t v, unsigned bits)
{
    return v ^ (v >> ((bits + 1) / 2));
}

static uint64_t scramble(uint64_t v, unsigned length)
{
    uint64_t mask = class_mask(length);
    v = fold(((v ^ START) * FACTOR_A) & mask, class_bits(length));
    return fold((v * FACTOR_B) & mask, class_bits(length));
}

static uint64_t unscramble(uint64_t v, unsigned length)
{
    uint64_t mask = class_mask(length);
    v = (fold(v, class_bits(length)) * inverse(FACTOR_B)) & mask;
    return ((fold(v, class_bits(length)) * inverse(FACTOR_A)) ^ START) & mask;
}

void store_execution_id(int64_t number, char out[20])
{
    ORCH_ASSERT(number >= 1);
    uint64_t v = (uint64_t)number - 1;
    unsigned length = ID_LENGTH_MIN;
    while (length < ID_LENGTH_MAX && v > class_mask(length)) v -= class_mask(length++) + 1;
    v = scramble(v, length);
    out[0] = 'r';
    out[1] = '-';
    for (unsigned i = length; i-- > 0; v >>= 5) out[2 + i] = alphabet[v & 31];
    out[2 + length] = '\0';
}

static int digit(char c)
{
    if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
    if (c == 'O') c = '0';
    if (c == 'I' || c == 'L') c = '1';
    for (int i = 0; i < 32; i++)
        if (alphabet[i] == c) return i;
    return -1;
}

bool store_execution_number(struct orch_str id, int64_t *ret)
{
    if (id.size >= 2 && (id.data[0] == 'r' || id.data[0] == 'R') && id.data[1] == '-')
        id = str_of(id.data + 2, id.size - 2);
    if (id.size < ID_LENGTH_MIN || id.size > ID_LENGTH_MAX) return false;
    unsigned length = (unsigned)id.size;
    uint64_t v = 0;
    for (unsigned i = 0; i < length; i++) {
        int d = digit(id.data[i]);
        if (d < 0 || v > (UINT64_MAX >> 5)) return false;
        v = v << 5 | (uint64_t)d;
    }
    if (v > class_mask(length)) return false;
    v = unscramble(v, length);
    for (unsigned shorter = ID_LENGTH_MIN; shorter < length; shorter++) v += class_mask(shorter) + 1;
    if (v >= INT64_MAX) return false;
    *ret = (int64_t)v + 1;
    return true;
}
