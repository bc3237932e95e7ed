/*
 * take.h - drawing on the fuzzer's bytes: each call takes some from the front. When they are used up everything is 0,
 * so every input means something and a prefix of it means the beginning of the same.
 */
#ifndef TESTS_FUZZ_TAKE_H
#define TESTS_FUZZ_TAKE_H

#include "base/str.h"

struct take {
    const unsigned char *next;
    size_t size;
};

static inline uint32_t take_byte(struct take *take)
{
    if (take->size == 0) return 0;
    take->size--;
    return *take->next++;
}

static inline uint32_t take_below(struct take *take, uint32_t bound)
{
    return take_byte(take) % bound;
}

static inline bool take_bool(struct take *take)
{
    return take_byte(take) & 1;
}

/* A number of any size: a byte says how many follow. */
static inline uint64_t take_number(struct take *take)
{
    uint32_t size = take_below(take, 9);
    uint64_t number = 0;

    for (uint32_t i = 0; i < size; i++) number |= (uint64_t)take_byte(take) << (8 * i);
    return number;
}

/* So many bytes, or those that are left. */
static inline struct orch_str take_str(struct take *take, size_t size)
{
    struct orch_str ret;

    if (size > take->size) size = take->size;
    ret = str_of((const char *)take->next, size);
    take->next += size;
    take->size -= size;
    return ret;
}

/* Everything up to a NUL or the end. */
static inline struct orch_str take_text(struct take *take)
{
    const unsigned char *end = take->size > 0 ? memchr(take->next, 0, take->size) : NULL;
    struct orch_str ret = take_str(take, end ? (size_t)(end - take->next) : take->size);

    if (end) (void)take_byte(take);
    return ret;
}

#endif
