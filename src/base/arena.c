/*
 * arena.c - memory with one lifetime: a list of blocks, the newest of which is being filled.
 *
 * Under the address sanitizer what is not handed out is poisoned, so that running over the end of one
 * allocation is found as it would be with malloc.
 */
#include "arena.h"

#include <stdio.h>
#include <stdlib.h>

#include "error.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif

#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#define POISON(p, size)   __asan_poison_memory_region((p), (size))
#define UNPOISON(p, size) __asan_unpoison_memory_region((p), (size))
#define GAP               8 /* poisoned bytes after each allocation */
#else
#define POISON(p, size)   ((void)(p), (void)(size))
#define UNPOISON(p, size) ((void)(p), (void)(size))
#define GAP               0
#endif

#define ALIGNMENT        _Alignof(max_align_t)
#define BLOCK_SIZE_FIRST ((size_t)4096)
#define BLOCK_SIZE_MAX   ((size_t)1 << 20)

struct arena_block {
    struct arena_block *older;
    size_t size; /* with this header */
};

struct arena_cleanup {
    struct arena_cleanup *older;
    void (*fn)(void *user);
    void *user;
};

#define HEADER_SIZE ((sizeof(struct arena_block) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

void *mem_resize(const struct orch_allocator *allocator, void *block, size_t size_old, size_t size_new)
{
    if (allocator) return allocator->resize(allocator->user, block, size_old, size_new);
    if (size_new == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, size_new);
}

void arena_init(struct arena *arena, const struct orch_allocator *allocator, size_t size_max)
{
    *arena = (struct arena){.allocator = allocator, .size_max = size_max};
}

static void run_cleanups(struct arena *arena)
{
    /* Taken off before it runs: a hook may add another. */
    while (arena->cleanups) {
        struct arena_cleanup *cleanup = arena->cleanups;
        arena->cleanups = cleanup->older;
        cleanup->fn(cleanup->user);
    }
}

static void free_block(struct arena *arena, struct arena_block *block)
{
    UNPOISON(block, block->size);
    arena->size -= block->size;
    mem_resize(arena->allocator, block, block->size, 0);
}

/* Makes the block the one being filled, from `next` on. */
static void use_block(struct arena *arena, struct arena_block *block, char *next)
{
    arena->blocks = block;
    arena->next = next;
    arena->end = block ? (char *)block + block->size : NULL;
    if (block) POISON(next, (size_t)(arena->end - next));
}

void arena_done(struct arena *arena)
{
    run_cleanups(arena);
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->older;
        free_block(arena, block);
    }
    arena->next = arena->end = NULL;
}

void arena_clear(struct arena *arena)
{
    run_cleanups(arena);
    struct arena_block *kept = NULL;
    for (struct arena_block *block = arena->blocks, *older; block; block = older) {
        older = block->older;
        if (!kept && block->size <= BLOCK_SIZE_MAX) {
            kept = block; /* the newest of ordinary size is the largest of these */
        } else {
            free_block(arena, block);
        }
    }
    if (kept) kept->older = NULL;
    use_block(arena, kept, kept ? (char *)kept + HEADER_SIZE : NULL);
}

struct arena_mark arena_mark(const struct arena *arena)
{
    return (struct arena_mark){arena->blocks, arena->next};
}

void arena_rewind(struct arena *arena, struct arena_mark mark)
{
    const char *hook = (const char *)arena->cleanups;
    while (arena->blocks && arena->blocks != mark.block) {
        struct arena_block *block = arena->blocks;
        /* A hook in what is given back would be run from freed memory later. */
        ORCH_ASSERT(!hook || hook < (char *)block || hook >= (char *)block + block->size);
        if (!mark.block && !block->older) {
            /* A mark of the empty arena: the first block stays, so that mark and rewind in a loop cost nothing. */
            use_block(arena, block, (char *)block + HEADER_SIZE);
            return;
        }
        arena->blocks = block->older;
        free_block(arena, block);
    }
    ORCH_ASSERT(arena->blocks == mark.block);
    if (mark.block) {
        ORCH_ASSERT(!hook || hook < mark.next || hook >= (char *)mark.block + mark.block->size);
        use_block(arena, mark.block, mark.next);
    }
}

/* A new block with room for `size` bytes at least. */
static bool add_block(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2) return false;
    size_t needed = HEADER_SIZE + size;
    size_t wanted = arena->block_size ? arena->block_size : BLOCK_SIZE_FIRST;
    if (wanted < needed) wanted = needed;
    if (arena->size_max) {
        size_t left = arena->size_max > arena->size ? arena->size_max - arena->size : 0;
        if (needed > left) return false;
        if (wanted > left) wanted = left;
    }
    struct arena_block *block = mem_resize(arena->allocator, NULL, 0, wanted);
    if (!block) return false;
    *block = (struct arena_block){arena->blocks, wanted};
    arena->size += wanted;
    use_block(arena, block, (char *)block + HEADER_SIZE);
    size_t next_size = (arena->block_size ? arena->block_size : BLOCK_SIZE_FIRST) * 2;
    arena->block_size = next_size < BLOCK_SIZE_MAX ? next_size : BLOCK_SIZE_MAX;
    return true;
}

static void *allocate(struct arena *arena, size_t size, size_t alignment)
{
    if (size > SIZE_MAX / 2) return NULL;
    if (GAP) alignment = ALIGNMENT; /* the sanitizer's shadow is by 8 bytes */
    size_t padding = arena->next ? (size_t)(-(uintptr_t)arena->next & (alignment - 1)) : 0;
    size_t left = (size_t)(arena->end - arena->next);
    if (!arena->next || padding > left || left - padding < size + GAP) {
        if (!add_block(arena, size + GAP)) return NULL;
        padding = 0;
    }
    char *result = arena->next + padding;
    arena->next = result + size + GAP;
    UNPOISON(result, size);
    return result;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    return allocate(arena, size, ALIGNMENT);
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    void *result = allocate(arena, size, ALIGNMENT);
    return result ? memset(result, 0, size) : NULL;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) return NULL;
    return arena_zalloc(arena, count * size);
}

char *arena_bytes(struct arena *arena, size_t size)
{
    return allocate(arena, size, 1);
}

struct orch_str arena_str(struct arena *arena, struct orch_str s)
{
    if (s.size == SIZE_MAX) return STR_NONE;
    char *data = arena_bytes(arena, s.size + 1);
    if (!data) return STR_NONE;
    if (s.size) memcpy(data, s.data, s.size);
    data[s.size] = '\0';
    return str_of(data, s.size);
}

struct orch_str arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0) return STR_NONE;
    char *data = arena_bytes(arena, (size_t)size + 1);
    if (!data) return STR_NONE;
    va_start(args, format);
    vsnprintf(data, (size_t)size + 1, format, args);
    va_end(args);
    return str_of(data, (size_t)size);
}

int arena_on_done(struct arena *arena, void (*fn)(void *user), void *user)
{
    struct arena_cleanup *cleanup = arena_alloc(arena, sizeof(*cleanup));
    if (!cleanup) return ORCH_ERR_NO_MEMORY;
    *cleanup = (struct arena_cleanup){arena->cleanups, fn, user};
    arena->cleanups = cleanup;
    return 0;
}
