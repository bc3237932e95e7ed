/*
 * map.c - a hash table beside an array that keeps the order of insertion.
 *
 * The hash is the same everywhere, so whoever chooses the keys could choose keys that collide. A search that
 * takes too many steps therefore gives the table a seed of its own, made of all its keys: keys chosen for
 * one seed are then just keys, and a set of keys that collides under the seed it makes is not to be found.
 */
#include "map.h"

#define CAPACITY_FIRST 8U
#define CAPACITY_MAX   (UINT32_C(1) << 30)
/* At most half of the slots are used; a chain this long does not come about by itself. */
#define STEPS_MAX      96U

void map_init(struct map *map, const struct orch_allocator *allocator)
{
    *map = (struct map){.allocator = allocator};
}

void map_done(struct map *map)
{
    if (map->entries) mem_resize(map->allocator, map->entries, map->capacity * sizeof(*map->entries), 0);
    if (map->slots) mem_resize(map->allocator, map->slots, ((size_t)map->slots_mask + 1) * sizeof(*map->slots), 0);
    *map = (struct map){.allocator = map->allocator};
}

void map_clear(struct map *map)
{
    map->count = 0;
    map->seed = 0;
    if (map->slots) memset(map->slots, 0, ((size_t)map->slots_mask + 1) * sizeof(*map->slots));
}

static uint32_t hash_of(const struct map *map, struct orch_str key)
{
    return (uint32_t)(map->seed ? str_hash_keyed(key, map->seed) : str_hash(key));
}

/* The slot of the key, or the free one where it belongs; *ret_steps counts what was passed. */
static struct map_slot *find_slot(const struct map *map, struct orch_str key, uint32_t hash, uint32_t *ret_steps)
{
    uint32_t at = hash & map->slots_mask;
    uint32_t steps = 0;
    for (; map->slots[at].entry; at = (at + 1) & map->slots_mask, steps++)
        if (map->slots[at].hash == hash && str_equal(map->entries[map->slots[at].entry - 1].key, key)) break;
    *ret_steps = steps;
    return &map->slots[at];
}

/* Enters an entry that is not there yet; how many slots were passed. */
static uint32_t fill_slot(struct map_slot *slots, uint32_t mask, uint32_t hash, uint32_t entry)
{
    uint32_t at = hash & mask;
    uint32_t steps = 0;
    while (slots[at].entry) {
        at = (at + 1) & mask;
        steps++;
    }
    slots[at] = (struct map_slot){.hash = hash, .entry = entry};
    return steps;
}

static void reseed(struct map *map)
{
    uint64_t seed = map->seed;
    for (uint32_t i = 0; i < map->count; i++) seed = str_hash_keyed(map->entries[i].key, seed + 1);
    map->seed = seed | 1;
    memset(map->slots, 0, ((size_t)map->slots_mask + 1) * sizeof(*map->slots));
    for (uint32_t i = 0; i < map->count; i++) /* a long chain that remains is met again by the next insertion */
        (void)fill_slot(map->slots, map->slots_mask, hash_of(map, map->entries[i].key), i + 1);
}

static bool grow(struct map *map)
{
    if (map->capacity >= CAPACITY_MAX) return false;
    uint32_t capacity = map->capacity ? map->capacity * 2 : CAPACITY_FIRST;
    size_t slots_count = (size_t)capacity * 2;
    struct map_slot *slots = mem_resize(map->allocator, NULL, 0, slots_count * sizeof(*slots));
    if (!slots) return false;
    struct map_entry *entries =
        mem_resize(map->allocator, map->entries, map->capacity * sizeof(*entries), capacity * sizeof(*entries));
    if (!entries) {
        mem_resize(map->allocator, slots, slots_count * sizeof(*slots), 0);
        return false;
    }
    memset(slots, 0, slots_count * sizeof(*slots));
    uint32_t longest = 0;
    for (uint32_t i = 0; map->slots && i <= map->slots_mask; i++) {
        if (!map->slots[i].entry) continue;
        uint32_t steps = fill_slot(slots, (uint32_t)(slots_count - 1), map->slots[i].hash, map->slots[i].entry);
        if (steps > longest) longest = steps;
    }
    if (map->slots) mem_resize(map->allocator, map->slots, ((size_t)map->slots_mask + 1) * sizeof(*slots), 0);
    map->entries = entries;
    map->capacity = capacity;
    map->slots = slots;
    map->slots_mask = (uint32_t)(slots_count - 1);
    if (longest > STEPS_MAX) reseed(map);
    return true;
}

struct map_entry *map_find(const struct map *map, struct orch_str key)
{
    if (map->count == 0) return NULL;
    uint32_t steps;
    const struct map_slot *slot = find_slot(map, key, hash_of(map, key), &steps);
    return slot->entry ? &map->entries[slot->entry - 1] : NULL;
}

struct map_entry *map_add(struct map *map, struct orch_str key, bool *ret_added)
{
    struct map_slot *slot = NULL;
    uint32_t steps = 0, hash = hash_of(map, key);
    if (map->slots) {
        slot = find_slot(map, key, hash, &steps);
        if (slot->entry) {
            if (ret_added) *ret_added = false;
            return &map->entries[slot->entry - 1];
        }
    }
    if (map->count == map->capacity) {
        if (!grow(map)) return NULL;
        slot = NULL;
    } else if (steps > STEPS_MAX) {
        reseed(map);
        slot = NULL;
    }
    if (!slot) { /* the table was made anew, perhaps under another seed */
        hash = hash_of(map, key);
        slot = find_slot(map, key, hash, &steps);
    }
    struct map_entry *entry = &map->entries[map->count];
    *entry = (struct map_entry){.key = key};
    *slot = (struct map_slot){.hash = hash, .entry = ++map->count};
    if (ret_added) *ret_added = true;
    return entry;
}
