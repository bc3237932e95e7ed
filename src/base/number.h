/*
 * number.h - decimal texts and doubles, exactly and without a locale. For the ground floor's own use;
 * the rest of the house has str_to_double, double_format and value_compare.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include "str.h"

/* A decimal text taken apart: (-1)^negative * 0.d1 d2 ... dn * 10^point, d1 and dn not 0; no digits at all for zero. */
struct number_text {
    bool negative;
    struct orch_str whole;    /* digits before the point, as written */
    struct orch_str fraction; /* digits after it, as written */
    size_t first;             /* where d1 is, counted through whole and fraction */
    size_t count;             /* n */
    int64_t point;            /* held within +-NUMBER_POINT_MAX */
};

#define NUMBER_POINT_MAX  (INT64_C(1) << 60)
/* More digits than any double needs to be written out in full (767). */
#define NUMBER_DIGITS_MAX 800

/* Optional sign, digits with an optional point (at least one digit), optional exponent, nothing else. */
bool number_scan(struct orch_str s, struct number_text *ret);
static inline char number_digit(const struct number_text *number, size_t i)
{
    i += number->first;
    return i < number->whole.size ? number->whole.data[i] : number->fraction.data[i - number->whole.size];
}
/* -1, 0, 1 by value. */
int number_compare(const struct number_text *a, const struct number_text *b);
/* The nearest double, ties to even; infinity on overflow. */
double number_to_double(const struct number_text *number);

/* The double nearest to digits * 10^exponent, ties to even, for digits of at most 19 places; any exponent. */
double number_nearest(uint64_t digits, int32_t exponent);

/* Whether the shortest decimal of the finite d is this number. */
bool number_is_shortest_of(const struct number_text *number, double d);
/* The exact value of a finite double; the digits are in `out`. */
void number_from_double(double d, char out[NUMBER_DIGITS_MAX], struct number_text *ret);
/* The exact value of a whole number; the digits are in `out`. */
void number_from_uint(uint64_t u, bool negative, char out[20], struct number_text *ret);

/* The shortest whole number that times 10^*ret_exponent reads back as the positive finite d; it does not end with a 0.
 */
uint64_t double_shortest(double d, int32_t *ret_exponent);

#endif
