/*
 * fail_alloc.h - an allocator that fails at a chosen call. Linked into a program it takes the place of malloc and its
 * kin for everything in that program, also for the libraries: SQLite, libyaml, PCRE2, libuv, OpenSSL and the C library.
 */
#ifndef TESTS_OOM_FAIL_ALLOC_H
#define TESTS_OOM_FAIL_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fail_mode {
    FAIL_ONCE, /* the n-th allocation fails, those after it do not */
    FAIL_FROM, /* the n-th and all after it */
};
enum fail_who {
    FAIL_MAIN,   /* those of the thread that armed it are counted, and fail */
    FAIL_OTHERS, /* those of all other threads, and of the processes that were forked */
};

/* What is shared with the processes that are forked from here on. Call once, before anything else. */
void fail_init(void);
/* From here on allocations are counted; n 0: none fails. */
void fail_arm(uint64_t n, enum fail_mode mode, enum fail_who who);
/* Ends it; true when an allocation was failed. */
bool fail_disarm(void);
/* Whether it was this library ("libuv") that asked for the one that failed last. */
bool fail_was_in(const char *library);
/* Allocations since fail_arm, of those it counts. */
uint64_t fail_count(void);
/* Whether one has failed since fail_arm. */
bool fail_has_failed(void);
/* What this thread asks for in between is not counted and does not fail: for what the test itself needs. Nests. */
void fail_pause(void);
void fail_resume(void);
/* Blocks that were handed out and not given back, in this process. */
int64_t fail_live(void);

#endif
