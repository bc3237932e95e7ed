/*
 * memory.h - an allocator for tests: counts what is out, and fails when told to.
 */
#ifndef TESTS_CORE_MEMORY_H
#define TESTS_CORE_MEMORY_H

#include <stdlib.h>

#include <orch/orch.h>

struct memory {
    struct orch_allocator allocator;
    size_t size; /* bytes out */
    size_t size_peak;
    uint64_t calls;   /* that ask for memory */
    uint64_t fail_at; /* the call that fails, 1 is the first; 0: none */
};

static inline void *memory_resize(void *user, void *block, size_t size_old, size_t size_new)
{
    struct memory *memory = user;

    if (size_new == 0) {
        if (block) memory->size -= size_old;
        free(block);
        return NULL;
    }
    if (++memory->calls == memory->fail_at) return NULL;
    block = realloc(block, size_new);
    if (!block) abort();
    memory->size += size_new - size_old;
    if (memory->size > memory->size_peak) memory->size_peak = memory->size;
    return block;
}

static inline void memory_init(struct memory *memory, uint64_t fail_at)
{
    *memory = (struct memory){.allocator = {memory_resize, memory}, .fail_at = fail_at};
}

#endif
