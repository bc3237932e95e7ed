/*
 * scan.h - finding the bytes of a JSON string that are not simply themselves, eight at a time.
 */
#ifndef BASE_SCAN_H
#define BASE_SCAN_H

#include "str.h"

#define SCAN_ONES  UINT64_C(0x0101010101010101)
#define SCAN_HIGHS UINT64_C(0x8080808080808080)

/* Whether a byte ends a run of plain ones: control characters, the quote, the backslash, and all beyond ASCII. */
static inline bool scan_is_special(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\' || c >= 0x80;
}

/* The first special byte at or after `at`, or `end`. */
static inline const char *scan_plain(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        /*
         * (x - 1) & ~x has the high bit of each zero byte of x, and perhaps of bytes above the lowest such byte,
         * through the borrow; only the lowest is looked at. Source: Warren, "Hacker's Delight", 6-1.
         */
        uint64_t quote = word ^ (SCAN_ONES * '"');
        uint64_t backslash = word ^ (SCAN_ONES * '\\');
        uint64_t special = word | ((word - SCAN_ONES * 0x20) & ~word) | ((quote - SCAN_ONES) & ~quote) |
                           ((backslash - SCAN_ONES) & ~backslash);
        special &= SCAN_HIGHS;
        if (special) return at + (__builtin_ctzll(special) >> 3);
        at += 8;
    }
    while (at < end && !scan_is_special((unsigned char)*at)) at++;
    return at;
}

#endif
