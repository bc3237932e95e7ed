/* test_number.c - doubles from text and to text, and exact comparison. */
#include "torture.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>

#include "base/number.h"
#include "base/value.h"

static uint64_t bits_of(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof(bits));
    return bits;
}

static double from_bits(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof(d));
    return d;
}

/* splitmix64: the same numbers in every run. */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void test_known_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bits;
    } rows[] = {
        {"0", 0},
        {"-0", UINT64_C(1) << 63},
        {"-0.0e99999999999999999999", UINT64_C(1) << 63},
        {"1", UINT64_C(0x3ff0000000000000)},
        {"+1", UINT64_C(0x3ff0000000000000)},
        {".5", UINT64_C(0x3fe0000000000000)},
        {"5.", UINT64_C(0x4014000000000000)},
        {"1e0", UINT64_C(0x3ff0000000000000)},
        {"1E+0", UINT64_C(0x3ff0000000000000)},
        {"0.1", UINT64_C(0x3fb999999999999a)},
        {"1e23", UINT64_C(0x44b52d02c7e14af6)},
        {"9007199254740993", UINT64_C(0x4340000000000000)}, /* a tie, down to even */
        {"9007199254740995", UINT64_C(0x4340000000000002)}, /* a tie, up to even */
        {"9007199254740993.00000000000000000000000000000000000001", UINT64_C(0x4340000000000001)},
        {"2.2250738585072014e-308", UINT64_C(0x0010000000000000)}, /* smallest normal */
        {"2.2250738585072011e-308", UINT64_C(0x000fffffffffffff)}, /* the one that hung PHP and Java */
        {"2.2250738585072012e-308", UINT64_C(0x0010000000000000)},
        {"4.9406564584124654e-324", 1},
        {"2.4703282292062327208e-324", 0}, /* just below half of the smallest */
        {"2.4703282292062328e-324", 1},
        {"1e-400", 0},
        {"1e-99999999999999999999", 0},
        {"1.7976931348623157e308", UINT64_C(0x7fefffffffffffff)},
        {"1.7976931348623158e308", UINT64_C(0x7fefffffffffffff)},
        {"1.7976931348623159e308", UINT64_C(0x7ff0000000000000)}, /* rounds beyond: infinity */
        {"1e400", UINT64_C(0x7ff0000000000000)},
        {"-1e99999999999999999999", UINT64_C(0xfff0000000000000)},
        {"0e99999999999999999999", 0},
        {"6929495644600919.5", UINT64_C(0x43389e56ee5e7a58)},
        {"3.518437208883201171875e13", UINT64_C(0x42c0000000000002)},
        {"123456789012345678901234567890", UINT64_C(0x45f8ee90ff6c373e)},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct orch_str text = exact_copy(rows[i].text, strlen(rows[i].text));
        double d = 1;
        assert_true(str_to_double(text, &d));
        if (bits_of(d) != rows[i].bits) {
            fail_msg("%s is %016llx, not %016llx", rows[i].text, (unsigned long long)bits_of(d),
                     (unsigned long long)rows[i].bits);
        }
        free((void *)(uintptr_t)text.data);
    }
}

static void test_what_is_no_number(void **state)
{
    (void)state;
    static const char *const rows[] = {"",    "-",     "+",     ".",    "e1",  "1e",  "1e+", "1e-",  "1.e",
                                       "--1", " 1",    "1 ",    "0x10", "1p3", "inf", "nan", "NaN",  "Infinity",
                                       "1,5", "1.2.3", "1e1.5", "1f",   "1_0", ".e1", "-.",  "1e5e5"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        double d = 1;
        if (str_to_double(str_from(rows[i]), &d)) fail_msg("%s was taken for a number", rows[i]);
        assert_true(d == 1);
    }
    double d = 1;
    assert_false(str_to_double(STR("1\0"), &d));
    assert_false(str_to_double(STR_NONE, &d));
}

static void test_many_digits(void **state)
{
    (void)state;
    char text[3000];
    /* 0.000...1 of any length, and 1000...0 with the exponent that takes it back. */
    for (size_t zeros = 0; zeros < 1200; zeros += 7) {
        double d;
        int size = snprintf(text, sizeof(text), "0.%0*de%zu", (int)zeros + 1, 1, zeros + 1);
        assert_true(str_to_double(str_of(text, (size_t)size), &d));
        assert_true(d == 1);
        size = snprintf(text, sizeof(text), "1%0*de-%zu", (int)zeros + 1, 0, zeros + 1);
        assert_true(str_to_double(str_of(text, (size_t)size), &d));
        assert_true(d == 1);
    }
    /* A tie that only the 2,000th digit breaks. */
    int size = snprintf(text, sizeof(text), "9007199254740993.%0*d", 2000, 1);
    double d;
    assert_true(str_to_double(str_of(text, (size_t)size), &d));
    assert_true(d == 9007199254740994.0);
    size = snprintf(text, sizeof(text), "9007199254740993.%0*d", 2000, 0);
    assert_true(str_to_double(str_of(text, (size_t)size), &d));
    assert_true(d == 9007199254740992.0);
}

/* Against the C library's, in the C locale: the nearest double for texts of every kind. */
static void test_against_strtod(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 60000; i++) {
        char text[1200];
        double value = from_bits(next_random(&seed));
        if (!isfinite(value)) continue;
        int size;
        if (i % 50 == 0) {
            /* The exact middle between two neighbours (a long double holds it), and a little more. */
            double next = nextafter(value, INFINITY);
            if (!isfinite(next) || fabs(value) < DBL_MIN) continue;
            size = snprintf(text, sizeof(text), "%.1000Lg", ((long double)value + (long double)next) / 2);
        } else {
            size = snprintf(text, sizeof(text), "%.*g", (int)(next_random(&seed) % 25) + 1, value);
        }
        double ours = 0;
        assert_true(str_to_double(str_of(text, (size_t)size), &ours));
        if (bits_of(ours) != bits_of(strtod(text, NULL))) fail_msg("%s was read as %a", text, ours);
    }
}

static void assert_shortest(double d)
{
    char text[33];
    size_t size = double_format(d, text);
    assert_in_range(size, 1, 32);
    text[size] = '\0';
    double back = 0;
    assert_true(str_to_double(str_of(text, size), &back));
    if (bits_of(back) != bits_of(d)) fail_msg("%a was written as %s", d, text);
    if (d == 0) return;
    /* No fewer digits would do, and of those with as many it is the nearest: what printf rounds to. */
    struct number_text number;
    assert_true(number_scan(str_of(text, size), &number));
    char other[64];
    if (number.count > 1) {
        snprintf(other, sizeof(other), "%.*e", (int)number.count - 2, d);
        if (bits_of(strtod(other, NULL)) == bits_of(d)) fail_msg("%s is longer than %s", text, other);
    }
    snprintf(other, sizeof(other), "%.*e", (int)number.count - 1, d);
    if (bits_of(strtod(other, NULL)) == bits_of(d)) {
        struct number_text nearest;
        assert_true(number_scan(str_from(other), &nearest));
        if (number_compare(&number, &nearest) != 0) fail_msg("%s is less near than %s", text, other);
    }
}

static void test_shortest(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (int i = 0; i < 40000; i++) {
        double d = from_bits(next_random(&seed));
        if (isfinite(d)) assert_shortest(d);
        /* Sizes that occur in life. */
        assert_shortest((double)(int64_t)(next_random(&seed) >> (i % 60)) / (double)(1 << (i % 12)));
        assert_shortest((double)(next_random(&seed) % 1000000) / 100);
    }
    for (int exponent = -1074; exponent < 1024; exponent++) {
        double d = ldexp(1, exponent);
        assert_shortest(d);
        assert_shortest(from_bits(bits_of(d) - 1));
        assert_shortest(from_bits(bits_of(d) + 1));
    }
    for (int i = 1; i < 2000; i++) assert_shortest(from_bits((uint64_t)i));
    assert_shortest(DBL_MAX);
    assert_shortest(0.0);
    assert_shortest(-0.0);
}

static void test_format(void **state)
{
    (void)state;
    static const struct {
        double d;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {100, "100"},
        {123456789, "123456789"},
        {1e14, "100000000000000"},
        {999999999999999, "999999999999999"},
        {1e15, "1e15"},
        {1234567890123456, "1.234567890123456e15"},
        {1e21, "1e21"},
        {1e23, "1e23"},
        {0.000001, "0.000001"},
        {0.00000123, "0.00000123"},
        {1e-7, "0.0000001"},
        {1.5e-7, "0.00000015"},
        {1e-8, "1e-8"},
        {2.5e-8, "2.5e-8"},
        {5e-324, "5e-324"},
        {-1.7976931348623157e308, "-1.7976931348623157e308"},
        {-1.2345678901234566e-7, "-0.00000012345678901234566"},
        {123456789012345.67, "123456789012345.67"},
        {1801514316094494.25, "1.8015143160944942e15"}, /* a tie between two of the shortest: even */
        {NAN, "NaN"},
        {INFINITY, "Infinity"},
        {-INFINITY, "-Infinity"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *text = malloc(32);
        size_t size = double_format(rows[i].d, text);
        assert_str(str_of(text, size), rows[i].text);
        free(text);
    }
}

/* An embedding program may have a locale with a decimal comma; nothing here may notice. */
static void test_locale(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "ru_RU.UTF-8", "C.UTF-8"};
    for (size_t i = 0; i < COUNT(names) && !setlocale(LC_ALL, names[i]); i++) {
    }
    double d = 0;
    assert_true(str_to_double(STR("1234.5678901234567"), &d));
    assert_true(d == 1234.5678901234567);
    assert_false(str_to_double(STR("1,5"), &d));
    char text[32];
    assert_str(str_of(text, double_format(0.1, text)), "0.1");
    setlocale(LC_ALL, "C");
}

static void test_compare(void **state)
{
    (void)state;
    /* In order; equal ones share a rank. */
    static const struct {
        const char *text;
        int rank;
    } rows[] = {
        {"-1e999999999999", 0},
        {"-1e400", 1},
        {"-10.5", 2},
        {"-10.50", 2},
        {"-105e-1", 2},
        {"-10.49999999999999999999", 3},
        {"-1e-400", 4},
        {"-0", 5},
        {"0", 5},
        {"0.000e77", 5},
        {"1e-400", 6},
        {"0.1", 7},
        {"0.10000000000000001", 8},
        {"1", 9},
        {"10e-1", 9},
        {"0.001e3", 9},
        {"1.000", 9},
        {"1.0000000000000000000000001", 10},
        {"99999999999999999999", 11},
        {"100000000000000000000", 12},
        {"1e20", 12},
        {"1e400", 13},
        {"1e999999999999", 14},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t j = 0; j < COUNT(rows); j++) {
            struct number_text a, b;
            assert_true(number_scan(str_from(rows[i].text), &a) && number_scan(str_from(rows[j].text), &b));
            int order = (rows[i].rank > rows[j].rank) - (rows[i].rank < rows[j].rank);
            assert_int_equal(number_compare(&a, &b), order);
        }
    }
}

static void test_exact_digits(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (int i = 0; i < 20000; i++) {
        double d = i < 100 ? from_bits((uint64_t)i) : from_bits(next_random(&seed));
        if (!isfinite(d)) continue;
        char digits[NUMBER_DIGITS_MAX];
        char text[1200];
        struct number_text ours, theirs;
        number_from_double(d, digits, &ours);
        snprintf(text, sizeof(text), "%.1100g", d);
        assert_true(number_scan(str_from(text), &theirs));
        if (number_compare(&ours, &theirs) != 0) fail_msg("the digits of %a are wrong", d);
        assert_true(bits_of(number_to_double(&ours)) == bits_of(d));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_texts),  cmocka_unit_test(test_what_is_no_number),
        cmocka_unit_test(test_many_digits),  cmocka_unit_test(test_against_strtod),
        cmocka_unit_test(test_shortest),     cmocka_unit_test(test_format),
        cmocka_unit_test(test_locale),       cmocka_unit_test(test_compare),
        cmocka_unit_test(test_exact_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
