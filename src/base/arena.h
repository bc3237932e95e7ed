/*
 * arena.h - memory with one lifetime, freed as a whole.
 *
 * An arena is an argument, never a hidden current one. Running out is an ordinary error: every
 * allocating function returns NULL and the caller reports ORCH_ERR_NO_MEMORY. One thread at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "str.h"

struct arena_block;
struct arena_cleanup;

struct arena {
    char *next;                 /* where the next allocation comes from */
    char *end;                  /* end of the current block */
    struct arena_block *blocks; /* newest first */
    struct arena_cleanup *cleanups;
    const struct orch_allocator *allocator;
    size_t size; /* bytes taken from the allocator */
    size_t size_max;
    size_t block_size; /* of the next block; doubles up to a bound */
};

/* A mark to go back to with arena_rewind; valid until the arena is cleared or rewound past it. */
struct arena_mark {
    struct arena_block *block;
    char *next;
};

/* allocator NULL: the C library's. size_max 0: no maximum. Allocates nothing yet. */
void arena_init(struct arena *arena, const struct orch_allocator *allocator, size_t size_max);
/* Runs the clean-up hooks, newest first, and frees everything. Accepts a zeroed arena. */
void arena_done(struct arena *arena);
/* Runs the hooks and empties it; keeps one block for the next use. */
void arena_clear(struct arena *arena);
struct arena_mark arena_mark(const struct arena *arena);
/* Gives back what was allocated since the mark (clean-up hooks added since are not run: add none in between). */
void arena_rewind(struct arena *arena, struct arena_mark mark);

/* Aligned for any type; content undefined. size 0 gives a valid pointer. NULL when memory is short or size_max reached.
 */
void *arena_alloc(struct arena *arena, size_t size);
/* The same, zeroed. */
void *arena_zalloc(struct arena *arena, size_t size);
/* count * size, zeroed; NULL also when the product overflows. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* Bytes without alignment, for strings. */
char *arena_bytes(struct arena *arena, size_t size);
/* A copy, terminated by a NUL that size does not count. data is NULL when memory is short. */
struct orch_str arena_str(struct arena *arena, struct orch_str s);
struct orch_str arena_printf(struct arena *arena, const char *format, ...) ORCH_PRINTF(2, 3);
/* Calls fn(user) when the arena is cleared or done. Returns 0 or ORCH_ERR_NO_MEMORY, and then fn was not kept. */
int arena_on_done(struct arena *arena, void (*fn)(void *user), void *user);

#define ARENA_NEW(arena, type)          ((type *)arena_zalloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, count, type) ((type *)arena_array((arena), (count), sizeof(type)))

/* realloc-style calls through an allocator; NULL allocator is the C library's. */
void *mem_resize(const struct orch_allocator *allocator, void *block, size_t size_old, size_t size_new);

#endif
