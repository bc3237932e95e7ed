/*
 * double_format.c - the shortest decimal of a double, and its text.
 *
 * Source: Burger and Dybvig, "Printing Floating-Point Numbers Quickly and Accurately" (1996), free format:
 * digits are made until what they leave undecided is within the gap to the neighbouring doubles.
 */
#include "value.h"

#include "big.h"
#include "error.h"
#include "number.h"

/* The number is r / s; the gaps to the middles below and above are low / s and high / s. */
struct digit_state {
    struct big r;
    struct big s;
    struct big low;
    struct big high;
};

static int compare_sum(const struct big *a, const struct big *b, const struct big *c)
{
    struct big sum = *a;
    big_add(&sum, b);
    return big_compare(&sum, c);
}

/* An estimate of ceil(log10(f * 2^e)), right or one too small. */
static int estimate_point(uint64_t fraction, int32_t exponent2)
{
    int32_t top = 63 - __builtin_clzll(fraction) + exponent2; /* floor(log2) */
    /* floor(top * log10(2)) + 1 is at most the true value + 0 and at least that - 1, for top within +-1100. */
    int64_t product = (int64_t)top * 1292913986; /* log10(2) * 2^32, rounded down */
    int64_t floor_product = product >= 0 ? product >> 32 : -((-product + (INT64_C(1) << 32) - 1) >> 32);
    return (int)floor_product + 1;
}

size_t double_shortest(double d, char digits[17], int *ret_point)
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
    bool even = (fraction & 1) == 0; /* then the middles read back as d as well */

    struct digit_state n;
    big_set(&n.r, fraction);
    big_set(&n.s, 1);
    big_set(&n.low, 1);
    big_shift_left(&n.r, 1 + uneven);
    big_shift_left(&n.s, 1 + uneven);
    if (exponent2 > 0) {
        big_shift_left(&n.r, (uint32_t)exponent2);
        big_shift_left(&n.low, (uint32_t)exponent2);
    } else {
        big_shift_left(&n.s, (uint32_t)-exponent2);
    }
    n.high = n.low;
    if (uneven) big_shift_left(&n.high, 1);

    int point = estimate_point(fraction, exponent2);
    if (point >= 0) {
        big_multiply_pow5(&n.s, (uint32_t)point);
        big_shift_left(&n.s, (uint32_t)point);
    } else {
        struct big *scaled[] = {&n.r, &n.low, &n.high};
        for (size_t i = 0; i < 3; i++) {
            big_multiply_pow5(scaled[i], (uint32_t)-point);
            big_shift_left(scaled[i], (uint32_t)-point);
        }
    }
    int order = compare_sum(&n.r, &n.high, &n.s);
    if (order > 0 || (order == 0 && even)) {
        big_multiply_add(&n.s, 10, 0);
        point++;
    }

    size_t count = 0;
    for (;;) {
        big_multiply_add(&n.r, 10, 0);
        big_multiply_add(&n.low, 10, 0);
        big_multiply_add(&n.high, 10, 0);
        char digit = '0';
        while (big_compare(&n.r, &n.s) >= 0) {
            big_subtract(&n.r, &n.s);
            digit++;
        }
        int below = big_compare(&n.r, &n.low);
        int above = compare_sum(&n.r, &n.high, &n.s);
        bool enough_down = below < 0 || (below == 0 && even);
        bool enough_up = above > 0 || (above == 0 && even);
        if (enough_down && enough_up) {
            /* Both would do: the nearer one, the even one when there is none. */
            int half = compare_sum(&n.r, &n.r, &n.s);
            enough_up = half > 0 || (half == 0 && ((digit - '0') & 1));
        }
        ORCH_ASSERT(count < 17);
        digits[count++] = (char)(digit + (enough_up ? 1 : 0));
        if (enough_down || enough_up) break;
    }
    *ret_point = point;
    return count;
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

    char digits[17];
    int point;
    size_t count = double_shortest(d, digits, &point);
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
