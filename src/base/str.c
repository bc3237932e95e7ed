/*
 * str.c - borrowed strings: comparing, searching, whole numbers, the nearest word, a hash.
 */
#include "str.h"

int str_compare(struct orch_str a, struct orch_str b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.data, b.data, size) : 0;
    if (order != 0) return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

bool str_starts_with(struct orch_str s, struct orch_str prefix)
{
    return s.size >= prefix.size && str_equal(str_of(s.data, prefix.size), prefix);
}

bool str_ends_with(struct orch_str s, struct orch_str suffix)
{
    return s.size >= suffix.size &&
           (suffix.size == 0 || memcmp(s.data + s.size - suffix.size, suffix.data, suffix.size) == 0);
}

size_t str_find(struct orch_str s, struct orch_str needle, size_t from)
{
    if (from > s.size) return SIZE_MAX;
    if (needle.size == 0) return from;
    if (needle.size > s.size - from) return SIZE_MAX;
    /* memmem is linear (two-way) in glibc and musl, also for hostile needles. */
    const char *found = memmem(s.data + from, s.size - from, needle.data, needle.size);
    return found ? (size_t)(found - s.data) : SIZE_MAX;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct orch_str str_trim(struct orch_str s)
{
    while (s.size && is_space(s.data[0])) s = str_of(s.data + 1, s.size - 1);
    while (s.size && is_space(s.data[s.size - 1])) s.size--;
    return s;
}

/* One or more digits and nothing else, to a number of at most `max`. */
static bool parse_digits(struct orch_str s, uint64_t max, uint64_t *ret)
{
    if (s.size == 0) return false;
    uint64_t number = 0;
    for (size_t i = 0; i < s.size; i++) {
        unsigned digit = (unsigned)(unsigned char)s.data[i] - '0';
        if (digit > 9 || digit > max) return false;
        if (number > (max - digit) / 10) return false;
        number = number * 10 + digit;
    }
    *ret = number;
    return true;
}

/* Takes a sign off the front; true when it is a minus. */
static bool take_sign(struct orch_str *s)
{
    if (s->size == 0 || (s->data[0] != '-' && s->data[0] != '+')) return false;
    bool negative = s->data[0] == '-';
    *s = str_of(s->data + 1, s->size - 1);
    return negative;
}

bool str_to_int64(struct orch_str s, int64_t *ret)
{
    bool negative = take_sign(&s);
    uint64_t number;
    if (!parse_digits(s, (uint64_t)INT64_MAX + negative, &number)) return false;
    *ret = negative ? (int64_t)(0 - number) : (int64_t)number;
    return true;
}

bool str_to_uint64(struct orch_str s, uint64_t *ret)
{
    bool negative = take_sign(&s);
    return parse_digits(s, negative ? 0 : UINT64_MAX, ret);
}

#define NEAREST_WORD_MAX 64

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/*
 * Edit distance with transposition of neighbours (optimal string alignment).
 * Both words are at most NEAREST_WORD_MAX bytes.
 */
static unsigned distance(struct orch_str a, struct orch_str b, bool folded)
{
    unsigned char rows[3][NEAREST_WORD_MAX + 1];
    for (size_t j = 0; j <= b.size; j++) rows[0][j] = (unsigned char)j;
    for (size_t i = 1; i <= a.size; i++) {
        unsigned char *row = rows[i % 3];
        const unsigned char *above = rows[(i + 2) % 3];
        const unsigned char *above2 = rows[(i + 1) % 3];
        row[0] = (unsigned char)i;
        char ca = folded ? fold(a.data[i - 1]) : a.data[i - 1];
        char ca_before = i > 1 ? (folded ? fold(a.data[i - 2]) : a.data[i - 2]) : '\0';
        for (size_t j = 1; j <= b.size; j++) {
            char cb = folded ? fold(b.data[j - 1]) : b.data[j - 1];
            unsigned best = above[j - 1] + (ca != cb);
            if (above[j] + 1U < best) best = above[j] + 1U;
            if (row[j - 1] + 1U < best) best = row[j - 1] + 1U;
            if (i > 1 && j > 1) {
                char cb_before = folded ? fold(b.data[j - 2]) : b.data[j - 2];
                if (ca == cb_before && ca_before == cb && above2[j - 2] + 1U < best) best = above2[j - 2] + 1U;
            }
            row[j] = (unsigned char)best;
        }
    }
    return rows[a.size % 3][b.size];
}

struct orch_str str_nearest(struct orch_str word, const struct orch_str *candidates, size_t count)
{
    struct orch_str nearest = STR_NONE;
    if (word.size == 0 || word.size > NEAREST_WORD_MAX) return nearest;
    unsigned limit = word.size >= 6 ? (unsigned)(word.size / 3) : 1;
    unsigned best = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        struct orch_str candidate = candidates[i];
        if (candidate.size == 0 || candidate.size > NEAREST_WORD_MAX) continue;
        size_t longer = word.size > candidate.size ? word.size : candidate.size;
        size_t shorter = word.size + candidate.size - longer;
        if (longer - shorter > limit) continue;
        /* TIMEOUT is near timeout, so what counts is the distance without case; with case decides between equals. */
        unsigned folded = distance(word, candidate, true);
        if (folded > limit || folded >= longer) continue; /* something must be the same */
        unsigned rank = folded * 256 + distance(word, candidate, false);
        if (rank < best) {
            best = rank;
            nearest = candidate;
        }
    }
    return nearest;
}

static uint64_t load_little_endian(const char *data, size_t size)
{
    uint64_t word = 0;
    memcpy(&word, data, size);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

uint64_t str_hash(struct orch_str s)
{
    /* Multiply and fold by words; the end is the finaliser of splitmix64. */
    const uint64_t k = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = (s.size + 1) * k;
    const char *data = s.data;
    size_t left = s.size;
    for (; left >= 8; data += 8, left -= 8) {
        hash = (hash ^ load_little_endian(data, 8)) * k;
        hash ^= hash >> 32;
    }
    if (left) {
        hash = (hash ^ load_little_endian(data, left)) * k;
        hash ^= hash >> 32;
    }
    hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
    return hash ^ (hash >> 31);
}

static uint64_t rotate(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", with 1 and 3 rounds; the key's second half is
 * fixed. */
uint64_t str_hash_keyed(struct orch_str s, uint64_t key)
{
    const uint64_t key2 = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t v[4] = {key ^ UINT64_C(0x736f6d6570736575), key2 ^ UINT64_C(0x646f72616e646f6d),
                     key ^ UINT64_C(0x6c7967656e657261), key2 ^ UINT64_C(0x7465646279746573)};
    const char *data = s.data;
    size_t left = s.size;
    for (; left >= 8; data += 8, left -= 8) {
        uint64_t word = load_little_endian(data, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t word = (uint64_t)s.size << 56 | (left ? load_little_endian(data, left) : 0);
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
