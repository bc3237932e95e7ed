/*
 * number.c - decimal texts taken apart, compared, and turned into doubles.
 *
 * Nothing of the C library's is used for it: strtod and printf follow the locale of the embedding program,
 * which the pure floors may not ask for.
 */
#include "number.h"

#include "big.h"
#include "pow10.h"

static struct orch_str take_digits(struct orch_str *s)
{
    size_t size = 0;
    while (size < s->size && s->data[size] >= '0' && s->data[size] <= '9') size++;
    struct orch_str digits = {s->data, size};
    if (size > 0) *s = str_of(s->data + size, s->size - size);
    return digits;
}

/* An exponent, held within bounds. */
static bool take_exponent(struct orch_str *s, int64_t *ret)
{
    bool negative = s->size && s->data[0] == '-';
    if (s->size && (s->data[0] == '-' || s->data[0] == '+')) *s = str_of(s->data + 1, s->size - 1);
    struct orch_str digits = take_digits(s);
    if (digits.size == 0) return false;
    int64_t exponent = 0;
    for (size_t i = 0; i < digits.size; i++) {
        if (exponent < NUMBER_POINT_MAX / 16) exponent = exponent * 10 + (digits.data[i] - '0');
    }
    *ret = negative ? -exponent : exponent;
    return true;
}

/* Finds the digits that count; `exponent` is the one written. */
static void find_digits(struct number_text *number, int64_t exponent)
{
    size_t total = number->whole.size + number->fraction.size;
    number->first = 0;
    while (number->first < total && number_digit(number, 0) == '0') number->first++;
    number->count = total - number->first;
    while (number->count && number_digit(number, number->count - 1) == '0') number->count--;
    number->point = number->count ? (int64_t)number->whole.size - (int64_t)number->first + exponent : 0;
    if (number->point > NUMBER_POINT_MAX) number->point = NUMBER_POINT_MAX;
    if (number->point < -NUMBER_POINT_MAX) number->point = -NUMBER_POINT_MAX;
}

bool number_scan(struct orch_str s, struct number_text *ret)
{
    struct number_text number = {0};
    if (s.size && (s.data[0] == '-' || s.data[0] == '+')) {
        number.negative = s.data[0] == '-';
        s = str_of(s.data + 1, s.size - 1);
    }
    number.whole = take_digits(&s);
    if (s.size && s.data[0] == '.') {
        s = str_of(s.data + 1, s.size - 1);
        number.fraction = take_digits(&s);
    }
    if (number.whole.size + number.fraction.size == 0) return false;
    int64_t exponent = 0;
    if (s.size && (s.data[0] == 'e' || s.data[0] == 'E')) {
        s = str_of(s.data + 1, s.size - 1);
        if (!take_exponent(&s, &exponent)) return false;
    }
    if (s.size) return false;
    find_digits(&number, exponent);
    *ret = number;
    return true;
}

static int compare_size(const struct number_text *a, const struct number_text *b)
{
    if (a->count == 0 || b->count == 0) return (a->count != 0) - (b->count != 0);
    if (a->point != b->point) return a->point < b->point ? -1 : 1;
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        char digit_a = number_digit(a, i);
        char digit_b = number_digit(b, i);
        if (digit_a != digit_b) return digit_a < digit_b ? -1 : 1;
    }
    return (a->count > b->count) - (a->count < b->count);
}

int number_compare(const struct number_text *a, const struct number_text *b)
{
    bool negative_a = a->negative && a->count; /* there is one zero */
    bool negative_b = b->negative && b->count;
    if (negative_a != negative_b) return negative_a ? -1 : 1;
    int order = compare_size(a, b);
    return negative_a ? -order : order;
}

static double from_bits(uint64_t bits, bool negative)
{
    double d;
    bits |= (uint64_t)negative << 63;
    memcpy(&d, &bits, sizeof(d));
    return d;
}

#define BITS_INFINITY (UINT64_C(0x7ff) << 52)

/* numerator / denominator * 2^exponent2 to the nearest double. Both are changed. */
static uint64_t divide_to_bits(struct big *numerator, struct big *denominator, int32_t exponent2)
{
    /* Scale so that the quotient is in [1, 2). */
    int32_t shift = (int32_t)big_bits(numerator) - (int32_t)big_bits(denominator);
    if (shift > 0) big_shift_left(denominator, (uint32_t)shift);
    if (shift < 0) big_shift_left(numerator, (uint32_t)-shift);
    if (big_compare(numerator, denominator) < 0) {
        big_shift_left(numerator, 1);
        shift--;
    }
    int32_t exponent = shift + exponent2;
    if (exponent > 1023) return BITS_INFINITY;
    /* A subnormal has fewer bits; none at all is left for what is about half of the smallest. */
    int32_t precision = exponent >= -1022 ? 53 : 53 - (-1022 - exponent);
    if (precision < 0) return 0;
    uint64_t quotient = 0;
    for (int32_t i = 0; i < precision; i++) {
        quotient <<= 1;
        if (big_compare(numerator, denominator) >= 0) {
            big_subtract(numerator, denominator);
            quotient |= 1;
        }
        big_shift_left(numerator, 1);
    }
    /* What remains against one half of the last place; ties go to even. */
    int rest = big_compare(numerator, denominator);
    if (rest > 0 || (rest == 0 && (quotient & 1))) quotient++;
    /* A carry out of the fraction raises the exponent by itself, up to infinity. */
    return exponent >= -1022 ? ((uint64_t)(exponent + 1022) << 52) + quotient : quotient;
}

/* Exact for any digits, where the point is within what doubles reach; the slow way. */
static double to_double_exactly(const struct number_text *number)
{
    struct big numerator;
    struct big denominator;
    big_set(&numerator, 0);
    big_set(&denominator, 1);
    size_t count = number->count < NUMBER_DIGITS_MAX ? number->count : NUMBER_DIGITS_MAX;
    for (size_t i = 0; i < count; i++) big_multiply_add(&numerator, 10, (uint32_t)(number_digit(number, i) - '0'));
    int32_t exponent10 = (int32_t)number->point - (int32_t)count;
    if (number->count > count) {
        /* No double and no middle between two has this many digits: that there is more is all that counts. */
        big_multiply_add(&numerator, 10, 1);
        exponent10--;
    }
    big_multiply_pow5(exponent10 >= 0 ? &numerator : &denominator,
                      (uint32_t)(exponent10 >= 0 ? exponent10 : -exponent10));
    return from_bits(divide_to_bits(&numerator, &denominator, exponent10), number->negative);
}

/*
 * Source: Lemire, "Number Parsing at a Gigabyte per Second" (2021), algorithm 5, with the proof of Mushtak and Lemire,
 * "Fast Number Parsing Without Fallback" (2023), that 128 bits of the power are always enough.
 */
static uint64_t nearest_bits(uint64_t digits, int32_t exponent)
{
    if (digits == 0 || exponent < POW10_MIN) return 0;
    if (exponent > 308) return BITS_INFINITY;
    int32_t zeros = __builtin_clzll(digits);
    digits <<= zeros;
    struct pow10 power = pow10_get(exponent);
    if (exponent < 0 && exponent >= -27) power.low++; /* the proof wants these rounded up; none ends with all ones */
    struct pow10 product = multiply_64(digits, power.high);
    if ((product.high & 0x1ff) == 0x1ff) {
        /* What the lower half of the power adds may carry into the bits that count. */
        uint64_t more = multiply_64(digits, power.low).high;
        product.low += more;
        product.high += product.low < more;
    }
    int32_t upper_bit = (int32_t)(product.high >> 63);
    int32_t shift = upper_bit + 9;
    uint64_t mantissa = product.high >> shift; /* 53 bits and one to round by */
    int32_t exponent2 = pow10_log2(exponent) + 63 + upper_bit - zeros + 1023;
    if (exponent2 <= 0) {
        if (exponent2 <= -63) return 0;
        mantissa >>= 1 - exponent2;
        return (mantissa + (mantissa & 1)) >> 1; /* reaching 2^52 makes it the smallest normal, as it should be */
    }
    /* A true middle between two doubles, which only small powers make: down when that is even. */
    if (product.low <= 1 && exponent >= -4 && exponent <= 23 && (mantissa & 3) == 1 &&
        mantissa << shift == product.high) {
        mantissa &= ~UINT64_C(1);
    }
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    /* The leading bit adds one to the exponent, and so does a carry out of the fraction. */
    uint64_t bits = ((uint64_t)(exponent2 - 1) << 52) + mantissa;
    return bits < BITS_INFINITY ? bits : BITS_INFINITY;
}

double number_nearest(uint64_t digits, int32_t exponent)
{
    /* Digits and power of ten are doubles, so there is one rounding only (Clinger 1990). */
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (digits <= UINT64_C(1) << 53 && exponent >= -22 && exponent <= 22) {
        return exponent < 0 ? (double)digits / powers[-exponent] : (double)digits * powers[exponent];
    }
    return from_bits(nearest_bits(digits, exponent), false);
}

double number_to_double(const struct number_text *number)
{
    if (number->count == 0) return from_bits(0, number->negative);
    if (number->point > 310) return from_bits(BITS_INFINITY, number->negative);
    if (number->point < -345) return from_bits(0, number->negative);
    size_t count = number->count <= 19 ? number->count : 19;
    uint64_t digits = 0;
    for (size_t i = 0; i < count; i++) digits = digits * 10 + (uint64_t)(number_digit(number, i) - '0');
    int32_t exponent = (int32_t)number->point - (int32_t)count;
    double d = number_nearest(digits, exponent);
    /* With more digits it lies between this and the next; mostly both are one double. */
    if (number->count > count && d != number_nearest(digits + 1, exponent)) return to_double_exactly(number);
    return number->negative ? -d : d;
}

bool str_to_double(struct orch_str s, double *ret)
{
    struct number_text number;
    if (!number_scan(s, &number)) return false;
    *ret = number_to_double(&number);
    return true;
}

void number_from_uint(uint64_t u, bool negative, char out[20], struct number_text *ret)
{
    size_t at = 20;
    while (u) {
        out[--at] = (char)('0' + u % 10);
        u /= 10;
    }
    *ret = (struct number_text){.negative = negative, .whole = {out + at, 20 - at}};
    find_digits(ret, 0);
}

void number_from_double(double d, char out[NUMBER_DIGITS_MAX], struct number_text *ret)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof(bits));
    uint32_t exponent_bits = (uint32_t)(bits >> 52) & 0x7ff;
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    if (exponent_bits) fraction |= UINT64_C(1) << 52;
    int32_t exponent2 = (int32_t)(exponent_bits ? exponent_bits : 1) - 1075;
    /* Fewer factors of two keep the number short. */
    while (fraction && (fraction & 1) == 0 && exponent2 < 0) {
        fraction >>= 1;
        exponent2++;
    }
    struct big big;
    big_set(&big, fraction);
    if (exponent2 >= 0) {
        big_shift_left(&big, (uint32_t)exponent2);
    } else {
        big_multiply_pow5(&big, (uint32_t)-exponent2); /* f * 2^-n is f * 5^n / 10^n */
    }
    size_t at = NUMBER_DIGITS_MAX;
    while (big.count) {
        uint32_t nine = big_divide_small(&big, 1000000000);
        for (int i = 0; i < 9; i++, nine /= 10) out[--at] = (char)('0' + nine % 10);
    }
    *ret = (struct number_text){.negative = bits >> 63, .whole = {out + at, NUMBER_DIGITS_MAX - at}};
    find_digits(ret, exponent2 < 0 ? exponent2 : 0);
}

bool number_is_shortest_of(const struct number_text *number, double d)
{
    if (number->count == 0) return d == 0;
    if (d == 0 || number->count > 17) return false;
    int32_t exponent;
    uint64_t shortest = double_shortest(d < 0 ? -d : d, &exponent);
    uint64_t digits = 0;
    for (size_t i = 0; i < number->count; i++) digits = digits * 10 + (uint64_t)(number_digit(number, i) - '0');
    return digits == shortest && number->point == (int64_t)number->count + exponent;
}
