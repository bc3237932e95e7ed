/*
 * seal.c - see seal.h. A wrong bit is found by what it does to the checksum: for a CRC and for SQLite's sum, both
 * linear, what a bit does depends on its place only, so that one pass from the end to the beginning tries all of them.
 */
#include "store/seal.h"

#include <string.h>

#include "base/crc32c.h"

/*
 * Pages.
 */

static void store_le32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t load_le32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t page_crc(const unsigned char *page, size_t size, uint32_t number)
{
    unsigned char head[4];
    store_le32(head, number);
    return crc32c_extend(crc32c(str_of((const char *)head, sizeof head)), str_of((const char *)page, size - SEAL_SIZE));
}

/* Fletcher's, of 32-bit words; no sum is cut short of its bits before the end. */
static uint32_t page_sum(const unsigned char *page, size_t size, uint32_t number)
{
    uint64_t a = number, b = 0;
    for (size_t i = 0; i < size - SEAL_SIZE; i += 4) {
        a += load_le32(page + i);
        b += a;
    }
    return (uint32_t)((a * UINT64_C(0x9E3779B97F4A7C15) + b * UINT64_C(0xC2B2AE3D27D4EB4F)) >> 32);
}

void seal_put(unsigned char *page, size_t size, uint32_t number)
{
    store_le32(page + size - 8, page_crc(page, size, number));
    store_le32(page + size - 4, page_sum(page, size, number));
}

bool seal_is_right(const unsigned char *page, size_t size, uint32_t number)
{
    return page_crc(page, size, number) == load_le32(page + size - 8) &&
           page_sum(page, size, number) == load_le32(page + size - 4);
}

bool page_is_zero(const unsigned char *page, size_t size)
{
    return page[0] == 0 && memcmp(page, page + 1, size - 1) == 0;
}

static bool is_one_bit(uint32_t v)
{
    return v != 0 && (v & (v - 1)) == 0;
}

/* What a difference in the register becomes with one more byte. */
static uint32_t crc_step(uint32_t difference)
{
    return ~crc32c_extend(~difference, STR("\0"));
}

/* The bit whose change gives this difference of the CRC, in the content; -1. */
static int64_t find_bit(uint32_t difference, size_t content_size)
{
    uint32_t effect[8]; /* of each bit of the byte at hand */
    for (int bit = 0; bit < 8; bit++) effect[bit] = crc_step(UINT32_C(1) << bit);
    for (size_t at = content_size; at-- > 0;) {
        for (int bit = 0; bit < 8; bit++) {
            if (effect[bit] == difference) return (int64_t)at * 8 + bit;
            effect[bit] = crc_step(effect[bit]);
        }
    }
    return -1;
}

int64_t seal_mend(unsigned char *page, size_t size, uint32_t number)
{
    uint32_t crc = page_crc(page, size, number) ^ load_le32(page + size - 8);
    uint32_t sum = page_sum(page, size, number) ^ load_le32(page + size - 4);
    int64_t bit = -1;
    if (crc == 0 && is_one_bit(sum)) bit = ((int64_t)size - 4) * 8 + __builtin_ctz(sum);
    if (sum == 0 && is_one_bit(crc)) bit = ((int64_t)size - 8) * 8 + __builtin_ctz(crc);
    if (crc != 0 && sum != 0) bit = find_bit(crc, size - SEAL_SIZE);
    if (bit < 0) return -1;
    page[bit / 8] ^= (unsigned char)(1 << (bit % 8));
    if (seal_is_right(page, size, number)) return bit;
    page[bit / 8] ^= (unsigned char)(1 << (bit % 8)); /* more than a bit is wrong */
    return -1;
}

/*
 * The log.
 */

static uint32_t load_word(bool is_big_endian, const unsigned char *p)
{
    return is_big_endian ? load_be32(p) : load_le32(p);
}

static struct log_sum sum_extend(bool is_big_endian, struct log_sum sum, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i += 8) {
        sum.a += load_word(is_big_endian, bytes + i) + sum.b;
        sum.b += load_word(is_big_endian, bytes + i + 4) + sum.a;
    }
    return sum;
}

static bool sums_equal(struct log_sum x, struct log_sum y)
{
    return x.a == y.a && x.b == y.b;
}

bool log_header_is_right(const unsigned char header[LOG_HEADER_SIZE])
{
    uint32_t magic = load_be32(header);
    return (magic & ~1u) == LOG_MAGIC && page_size_is_valid(load_be32(header + 8)) &&
           sums_equal(sum_extend(magic & 1, (struct log_sum){0}, header, LOG_HEADER_SUM_AT),
                      log_sum_load(header + LOG_HEADER_SUM_AT));
}

struct log_sum frame_sum(bool is_big_endian, struct log_sum before, const unsigned char head[FRAME_HEAD_SIZE],
                         const unsigned char *page, size_t size)
{
    return sum_extend(is_big_endian, sum_extend(is_big_endian, before, head, 8), page, size);
}

bool frame_is_right(bool is_big_endian, struct log_sum before, const unsigned char head[FRAME_HEAD_SIZE],
                    const unsigned char *page, size_t size)
{
    return sums_equal(frame_sum(is_big_endian, before, head, page, size), log_sum_load(head + FRAME_SUM_AT));
}

/* What one more in a word comes to in both sums at the end. */
struct effect {
    uint32_t a, b;
};

struct search {
    bool is_big_endian;
    struct log_sum difference;
    struct effect even, odd; /* what one more in the two words of the pair at hand comes to */
    int64_t found;           /* a bit; -1 */
    bool is_ambiguous;       /* several would do: the sum says little of the high bits of words */
};

/*
 * Tries all bits of a piece, from its end. A pair of words x, y is: a += x + b, b += y + a. So one more in x is one
 * more in a and b, one more in y is one in b; one more in a before it is one more in a and b after it, one more in b is
 * one in a and two in b.
 */
static void try_bits(struct search *search, const unsigned char *frame, size_t from, size_t to)
{
    for (size_t at = to; at > from;) {
        at -= 8;
        for (int word = 0; word < 2; word++) {
            const struct effect *effect = word == 0 ? &search->even : &search->odd;
            uint32_t value = load_word(search->is_big_endian, frame + at + 4 * word);
            for (int bit = 0; bit < 32; bit++) {
                /* Turning it adds or takes away. */
                uint32_t change = value >> bit & 1 ? UINT32_C(0) - (UINT32_C(1) << bit) : UINT32_C(1) << bit;
                if (effect->a * change != search->difference.a || effect->b * change != search->difference.b) continue;
                int byte = search->is_big_endian ? 3 - bit / 8 : bit / 8;
                if (search->found >= 0) search->is_ambiguous = true;
                search->found = ((int64_t)at + 4 * word + byte) * 8 + bit % 8;
            }
        }
        struct effect even = search->even, odd = search->odd;
        search->even = (struct effect){2 * even.a + odd.a, 2 * even.b + odd.b};
        search->odd = (struct effect){even.a + odd.a, even.b + odd.b};
    }
}

/* One bit of the sum itself, which is big-endian always; its place in the 8 bytes. */
static int64_t find_in_sum(struct log_sum difference)
{
    bool is_a = is_one_bit(difference.a) && difference.b == 0, is_b = is_one_bit(difference.b) && difference.a == 0;
    if (!is_a && !is_b) return -1;
    int bit = __builtin_ctz(is_a ? difference.a : difference.b);
    return (is_a ? 0 : 32) + (3 - bit / 8) * 8 + bit % 8;
}

/* Whether a bit that was turned makes it right is asked by the caller. */
static void turn(unsigned char *bytes, int64_t bit)
{
    bytes[bit / 8] ^= (unsigned char)(1 << (bit % 8));
}

int64_t frame_mend(bool is_big_endian, struct log_sum before, const unsigned char salts[8], unsigned char *frame,
                   size_t page_size)
{
    unsigned char *page = frame + FRAME_HEAD_SIZE;
    struct log_sum sum = frame_sum(is_big_endian, before, frame, page, page_size);
    struct log_sum stored = log_sum_load(frame + FRAME_SUM_AT);
    if (sums_equal(sum, stored)) {
        int64_t found = -1;
        for (int bit = 0; bit < 64; bit++) {
            if ((frame[FRAME_SALTS_AT + bit / 8] ^ salts[bit / 8]) >> (bit % 8) & 1) {
                if (found >= 0) return -1;
                found = FRAME_SALTS_AT * 8 + bit;
            }
        }
        if (found >= 0) turn(frame, found);
        return found;
    }
    if (memcmp(frame + FRAME_SALTS_AT, salts, 8) != 0) return -1;
    struct search search = {.is_big_endian = is_big_endian,
                            .difference = {stored.a - sum.a, stored.b - sum.b},
                            .even = {1, 1},
                            .odd = {0, 1},
                            .found = -1};
    try_bits(&search, frame, FRAME_HEAD_SIZE, FRAME_HEAD_SIZE + page_size);
    try_bits(&search, frame, 0, 8);
    int64_t bit = find_in_sum((struct log_sum){sum.a ^ stored.a, sum.b ^ stored.b});
    if (bit >= 0) {
        if (search.found >= 0) search.is_ambiguous = true;
        search.found = bit + FRAME_SUM_AT * 8;
    }
    if (search.found < 0 || search.is_ambiguous) return -1;
    turn(frame, search.found);
    return search.found;
}

int64_t log_header_mend(unsigned char header[LOG_HEADER_SIZE])
{
    int64_t found = -1;
    bool is_ambiguous = false;
    for (int bit = 0; bit < LOG_HEADER_SIZE * 8; bit++) {
        turn(header, bit);
        if (log_header_is_right(header)) {
            is_ambiguous = found >= 0;
            found = bit;
        }
        turn(header, bit);
        if (is_ambiguous) return -1;
    }
    if (found >= 0) turn(header, found);
    return found;
}
