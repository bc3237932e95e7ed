/*
 * torture.h - an allocator that fails the n-th allocation, counts what is alive, and moves a block each time it grows.
 */
#ifndef TESTS_TORTURE_H
#define TESTS_TORTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <orch/orch.h>

struct torture {
    size_t fail_at; /* 1 is the first allocation; 0 is none */
    size_t count;
    size_t live; /* bytes */
};

static inline void *torture_resize(void *user, void *block, size_t size_old, size_t size_new)
{
    struct torture *torture = user;
    if (size_new == 0) {
        torture->live -= block ? size_old : 0;
        free(block);
        return NULL;
    }
    if (++torture->count == torture->fail_at) return NULL;
    void *moved = malloc(size_new);
    assert_non_null(moved);
    if (block) memcpy(moved, block, size_old < size_new ? size_old : size_new);
    torture->live += size_new - (block ? size_old : 0);
    free(block);
    return moved;
}

static inline struct orch_allocator torture_allocator(struct torture *torture)
{
    return (struct orch_allocator){torture_resize, torture};
}

/* Calls fn with the 1st, 2nd, ... allocation failing until it needs fewer. fn returns whether it got through. */
static inline void torture_all(bool (*fn)(const struct orch_allocator *allocator))
{
    for (size_t n = 1;; n++) {
        struct torture torture = {.fail_at = n};
        struct orch_allocator allocator = torture_allocator(&torture);
        bool passed = fn(&allocator);
        assert_int_equal(torture.live, 0);
        /* A failed allocation is noticed, and nothing fails without one. */
        assert_int_equal(passed, torture.count < n);
        if (passed) return;
        assert_true(n < 100000);
    }
}

/* A copy of exactly its size on the heap, so that the sanitizer sees one byte too much being read. Freed by the caller.
 */
static inline struct orch_str exact_copy(const void *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size) memcpy(copy, data, size);
    return (struct orch_str){copy, size};
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define assert_str(s, text)                                                                  \
    do {                                                                                     \
        struct orch_str assert_str_ = (s);                                                   \
        assert_int_equal(assert_str_.size, strlen(text));                                    \
        assert_memory_equal(assert_str_.data ? assert_str_.data : "", (text), strlen(text)); \
    } while (0)

#endif
