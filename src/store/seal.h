/*
 * seal.h - checksums of what SQLite writes: a seal at the end of each page of the database, and those that the frames
 * of its log have anyway. Pure arithmetic on bytes; vfs.c does the reading and writing.
 *
 * A page's last 8 bytes are not SQLite's ("reserved" in its header) but ours: CRC-32C and a weighted sum, both of the
 * page before them and of its number, so that a page at the wrong place is noticed too. Two of different kinds, since
 * together they also tell whether a page differs from what was sealed in one bit only, and in which.
 */
#ifndef STORE_SEAL_H
#define STORE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEAL_SIZE     8
#define PAGE_SIZE_MIN 512
#define PAGE_SIZE_MAX 65536

static inline bool page_size_is_valid(int64_t size)
{
    return size >= PAGE_SIZE_MIN && size <= PAGE_SIZE_MAX && (size & (size - 1)) == 0;
}

/* Seals a page; number 1 is the first. */
void seal_put(unsigned char *page, size_t size, uint32_t number);
bool seal_is_right(const unsigned char *page, size_t size, uint32_t number);
bool page_is_zero(const unsigned char *page, size_t size);
/* If one bit of the page is wrong it is turned: gives its place, 8 a byte and the least of a byte first; else -1. */
int64_t seal_mend(unsigned char *page, size_t size, uint32_t number);

/*
 * The log ("Write-Ahead Log File Format" of SQLite's documentation): a header, then frames, each a head and a page. The
 * checksum of a frame goes on from that of the frame before it, the first one from the header's.
 */
#define LOG_HEADER_SIZE     32
#define FRAME_HEAD_SIZE     24
#define LOG_MAGIC           0x377f0682u /* the least bit: words are big-endian for checksums */
#define FRAME_SALTS_AT      8           /* in a head, 8 bytes, the header's */
#define FRAME_SUM_AT        16          /* in a head, 8 bytes */
#define LOG_HEADER_SALTS_AT 16
#define LOG_HEADER_SUM_AT   24

struct log_sum {
    uint32_t a, b;
};

static inline uint32_t load_be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static inline struct log_sum log_sum_load(const unsigned char *p)
{
    return (struct log_sum){load_be32(p), load_be32(p + 4)};
}

/* Whether it is a log's header, and right. */
bool log_header_is_right(const unsigned char header[LOG_HEADER_SIZE]);
/* The sum that a frame should have: before is that of the frame before it. */
struct log_sum frame_sum(bool is_big_endian, struct log_sum before, const unsigned char head[FRAME_HEAD_SIZE],
                         const unsigned char *page, size_t size);
bool frame_is_right(bool is_big_endian, struct log_sum before, const unsigned char head[FRAME_HEAD_SIZE],
                    const unsigned char *page, size_t size);
/*
 * Turns the one wrong bit, if no other could be it as well: SQLite's sum notices each, but cannot tell some from
 * others. Head and page are one piece, the bit's place counts from the head on. The salts, which the sum does not
 * cover, are taken from the header.
 */
int64_t frame_mend(bool is_big_endian, struct log_sum before, const unsigned char salts[8], unsigned char *frame,
                   size_t page_size);
int64_t log_header_mend(unsigned char header[LOG_HEADER_SIZE]);

#endif
