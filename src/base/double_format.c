/*
 * double_format.c - the shortest decimal of a double, and its text.
 *
 * Source: Raffaello Giulietti, "The Schubfach way to render doubles" (2020), in the form of Alexander Bolz's
 * Drachennest. Of the decimals that read back as the double the shortest is taken, and of these the nearest; ties go to
 * even.
 */
#include "value.h"

#include "error.h"
#include "number.h"
#include "pow10.h"

/* floor(power * n / 2^128), its lowest bit set when something was cut off, so that it compares as the true value would.
 */
static uint64_t multiply_round_to_odd(struct pow10 power, uint64_t n)
{
    struct pow10 x = multiply_64(power.low, n);
    struct pow10 y = multiply_64(power.high, n);
    y.low += x.high;
    y.high += y.low < x.high;
    return y.high | (y.low > 1);
}

/* Rounded up where it is not exact. */
static struct pow10 power_above(int32_t q)
{
    struct pow10 power = pow10_get(q);
    if (!POW10_IS_EXACT(q)) {
        power.low++;
        power.high += power.low == 0;
    }
    return power;
}

/* For fraction * 2^exponent2; the result may end with zeros. */
static uint64_t find_shortest(uint64_t fraction, int32_t exponent2, bool uneven, int32_t *ret_exponent)
{
    /* In quarters of the last place: the number, and the middles to its neighbours. */
    uint64_t below = 4 * fraction - 2 + uneven;
    uint64_t above = 4 * fraction + 2;
    /* floor(log10(2^e)), or of 3/4 of that where the gap below is half of the one above. */
    int32_t k = (int32_t)(((int64_t)exponent2 * 1262611 - (uneven ? 524031 : 0)) >> 22);
    int32_t shift = exponent2 + pow10_log2(-k) + 1;
    struct pow10 power = power_above(-k);
    uint64_t lower = multiply_round_to_odd(power, below << shift);
    uint64_t value = multiply_round_to_odd(power, 4 * fraction << shift);
    uint64_t upper = multiply_round_to_odd(power, above << shift);
    if (fraction & 1) {
        /* The middles themselves read back as the neighbours, which are even. */
        lower++;
        upper--;
    }
    uint64_t s = value / 4;
    if (s >= 10) {
        uint64_t tens = s / 10;
        bool down = lower <= 40 * tens;
        bool up = 40 * tens + 40 <= upper;
        if (down != up) {
            *ret_exponent = k + 1;
            return tens + up;
        }
    }
    *ret_exponent = k;
    bool down = lower <= 4 * s;
    bool up = 4 * s + 4 <= upper;
    if (down != up) return s + up;
    /* Both would do: the nearer one, the even one when there is none. */
    return s + (value > 4 * s + 2 || (value == 4 * s + 2 && (s & 1)));
}

uint64_t double_shortest(double d, int32_t *ret_exponent)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof(bits));
    uint32_t exponent_bits = (uint32_t)(bits >> 52) & 0x7ff;
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    ORCH_ASSERT(bits != 0 && exponent_bits < 0x7ff && bits >> 63 == 0);
    /* The gap below a power of two is half of the gap above. */
    bool uneven = fraction == 0 && exponent_bits > 1;
    if (exponent_bits) fraction |= UINT64_C(1) << 52;
    int32_t exponent2 = (int32_t)(exponent_bits ? exponent_bits : 1) - 1075;

    uint64_t shortest;
    int32_t exponent = 0;
    if (exponent2 <= 0 && exponent2 > -53 && (fraction & ((UINT64_C(1) << -exponent2) - 1)) == 0) {
        shortest = fraction >> -exponent2; /* a whole number below 2^53 is what it is */
    } else {
        shortest = find_shortest(fraction, exponent2, uneven, &exponent);
    }
    while (shortest % 10 == 0) {
        shortest /= 10;
        exponent++;
    }
    *ret_exponent = exponent;
    return shortest;
}

/* Whole numbers from here on are written with an exponent, so that they do not look like integers. */
#define POINT_MAX 15
#define POINT_MIN (-6)

static size_t add_text(char *out, const char *text)
{
    size_t size = strlen(text);
    memcpy(out, text, size);
    return size;
}

static size_t add_exponent(char *out, int exponent)
{
    size_t size = 0;
    out[size++] = 'e';
    if (exponent < 0) out[size++] = '-';
    unsigned rest = (unsigned)(exponent < 0 ? -exponent : exponent);
    if (rest >= 100) out[size++] = (char)('0' + rest / 100);
    if (rest >= 10) out[size++] = (char)('0' + rest / 10 % 10);
    out[size++] = (char)('0' + rest % 10);
    return size;
}

size_t double_format(double d, char out[32])
{
    if (d != d) return add_text(out, "NaN");
    size_t size = 0;
    uint64_t bits;
    memcpy(&bits, &d, sizeof(bits));
    if (bits >> 63) out[size++] = '-';
    if (d == 0) {
        out[size++] = '0';
        return size;
    }
    if (d < 0) d = -d;
    if (d - d != 0) return size + add_text(out + size, "Infinity");

    int32_t exponent;
    uint64_t shortest = double_shortest(d, &exponent);
    char room[20];
    size_t count = 0;
    for (; shortest; shortest /= 10) room[sizeof(room) - ++count] = (char)('0' + shortest % 10);
    const char *digits = room + sizeof(room) - count;
    int point = (int)count + exponent; /* 0.digits * 10^point */
    if (point > POINT_MAX || point < POINT_MIN) {
        out[size++] = digits[0];
        if (count > 1) {
            out[size++] = '.';
            memcpy(out + size, digits + 1, count - 1);
            size += count - 1;
        }
        return size + add_exponent(out + size, point - 1);
    }
    if (point <= 0) {
        size += add_text(out + size, "0.");
        for (; point < 0; point++) out[size++] = '0';
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && (int)i == point) out[size++] = '.';
        out[size++] = digits[i];
    }
    for (int i = (int)count; i < point; i++) out[size++] = '0';
    return size;
}
