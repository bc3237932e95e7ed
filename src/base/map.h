/*
 * map.h - a hash table from strings to pointers or numbers. Keys are borrowed. Iteration is by insertion order,
 * never by hash order, so that nothing that is recorded depends on it.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "arena.h"

struct map_entry {
    struct orch_str key;
    union {
        void *pointer;
        uint64_t number;
    };
};

struct map_slot {
    uint32_t hash;
    uint32_t entry; /* index + 1 into entries, 0 is free */
};

struct map {
    struct map_entry *entries; /* in order of insertion, count of them */
    uint32_t count;
    uint32_t capacity;
    struct map_slot *slots;
    uint32_t slots_mask;
    uint64_t seed; /* of the hash; 0 until keys collide more than chance explains */
    const struct orch_allocator *allocator;
};

void map_init(struct map *map, const struct orch_allocator *allocator);
void map_done(struct map *map);
void map_clear(struct map *map);
/* NULL when absent. Valid until the next map_add. */
struct map_entry *map_find(const struct map *map, struct orch_str key);
/* The entry of the key, made (zeroed value) when absent; *ret_added, which may be NULL, says which. NULL when memory is
 * short. */
struct map_entry *map_add(struct map *map, struct orch_str key, bool *ret_added);

#endif
