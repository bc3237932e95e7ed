/*
 * str.h - borrowed strings and the buffer that builds them.
 *
 * A str is pointer and length (struct orch_str); a buf grows up to a maximum given where it is made.
 * Nothing here depends on the locale.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <string.h>

#include <orch/orch.h>

#define STR(literal) ((struct orch_str){("" literal), sizeof(literal) - 1})
#define STR_NONE     ((struct orch_str){NULL, 0})
/* For printf: "%.*s" with STR_ARG(s). */
#define STR_ARG(s)   (int)((s).size > 100000 ? 100000 : (s).size), ((s).data ? (s).data : "")

static inline struct orch_str str_from(const char *text)
{
    return (struct orch_str){text, text ? strlen(text) : 0};
}

static inline struct orch_str str_of(const char *data, size_t size)
{
    return (struct orch_str){data, size};
}

static inline bool str_equal(struct orch_str a, struct orch_str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool str_is(struct orch_str a, const char *text)
{
    return str_equal(a, str_from(text));
}

/* Byte order, as memcmp; a prefix sorts first. */
int str_compare(struct orch_str a, struct orch_str b);
bool str_starts_with(struct orch_str s, struct orch_str prefix);
bool str_ends_with(struct orch_str s, struct orch_str suffix);
/* Offset of the first occurrence at or after `from`, or SIZE_MAX. An empty needle is found at `from`. */
size_t str_find(struct orch_str s, struct orch_str needle, size_t from);
/* Without ASCII white space at both ends. */
struct orch_str str_trim(struct orch_str s);
/* Exact decimal, optional sign, nothing else around it. */
bool str_to_int64(struct orch_str s, int64_t *ret);
bool str_to_uint64(struct orch_str s, uint64_t *ret);
/* JSON/C decimal floating point, whole string, independent of locale; false when it is none. Overflow gives infinity.
 */
bool str_to_double(struct orch_str s, double *ret);
/* Of the candidates the nearest to `word` by edit distance (transposition counts one), or STR_NONE when none is near
 * enough to be meant. */
struct orch_str str_nearest(struct orch_str word, const struct orch_str *candidates, size_t count);
/* 64-bit hash, same on every machine. */
uint64_t str_hash(struct orch_str s);
/* SipHash-1-3 under a key: for tables whose keys an adversary chooses; slower than str_hash for short keys. */
uint64_t str_hash_keyed(struct orch_str s, uint64_t key);

/*
 * UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF).
 */
/* True when all of it is valid; *ret_at, which may be NULL, gets the offset of the first bad byte otherwise. */
bool utf8_is_valid(struct orch_str s, size_t *ret_at);
/* Bytes of the valid character at text, where left > 0 bytes are; 0 when it is not valid. */
size_t utf8_size(const char *text, size_t left);
/* Reads the code point at s[*at] and moves *at past it; an invalid byte gives U+FFFD and moves by one. */
uint32_t utf8_next(struct orch_str s, size_t *at);
/* Number of code points; invalid bytes count one each. */
size_t utf8_count(struct orch_str s);
/* Writes 1 to 4 bytes to out; returns how many; 0 for a surrogate or a number above U+10FFFF. */
size_t utf8_put(uint32_t code_point, char out[4]);
/* Columns on a terminal: 0 for combining and control characters, 2 for wide ones (East Asian Width W and F). */
int utf8_width(uint32_t code_point);

/*
 * A growing buffer. After a failed append `failed` is set and stays so, later appends do nothing, and
 * the content stops before the failed piece: check once at the end. data is always terminated by a
 * NUL that size does not count (when anything was ever allocated).
 */
struct buf {
    char *data;
    size_t size;
    size_t capacity;
    size_t size_max; /* never more than this many bytes */
    bool failed;     /* memory was short, or size_max was reached */
    const struct orch_allocator *allocator;
};

/* size_max 0 means 1 GiB. allocator NULL means the C library's. Allocates nothing yet. */
void buf_init(struct buf *buf, const struct orch_allocator *allocator, size_t size_max);
void buf_done(struct buf *buf);
void buf_clear(struct buf *buf); /* empty, not failed, memory kept */
void buf_add(struct buf *buf, struct orch_str s);
void buf_add_text(struct buf *buf, const char *text);
static inline void buf_add_char(struct buf *buf, char c)
{
    if (!buf->failed && buf->size + 1 < buf->capacity && buf->size < buf->size_max) {
        buf->data[buf->size++] = c;
        buf->data[buf->size] = '\0';
    } else {
        buf_add(buf, (struct orch_str){&c, 1});
    }
}
void buf_printf(struct buf *buf, const char *format, ...) ORCH_PRINTF(2, 3);
void buf_vprintf(struct buf *buf, const char *format, va_list args) ORCH_PRINTF(2, 0);
/*
 * Room for size more bytes: a pointer to write at, NULL when failed. The caller then adds what it wrote to
 * buf->size; only when that is all it reserved is the NUL in place before the next append.
 */
char *buf_reserve(struct buf *buf, size_t size);
static inline struct orch_str buf_str(const struct buf *buf)
{
    return (struct orch_str){buf->data, buf->size};
}

#endif
