/* layered_sort.c - sorting by key, stable, without anything allocated. */
#include "layout/layered_internal.h"

#define RUN 12 /* so many are sorted by insertion: ranks are often short, and nearly in order */

static void insert_sort(struct keyed *items, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct keyed item = items[i];
        uint32_t at = i;
        for (; at > 0 && items[at - 1].key > item.key; at--) items[at] = items[at - 1];
        items[at] = item;
    }
}

/* items[begin .. middle) and items[middle .. end), each in order, become one. */
static void merge(struct keyed *items, struct keyed *spare, uint32_t begin, uint32_t middle, uint32_t end)
{
    if (items[middle - 1].key <= items[middle].key) return;
    uint32_t left_count = middle - begin, i = 0, j = middle, at = begin;
    memcpy(spare, &items[begin], (size_t)left_count * sizeof(*items));
    while (i < left_count && j < end) items[at++] = items[j].key < spare[i].key ? items[j++] : spare[i++];
    memcpy(&items[at], &spare[i], (size_t)(left_count - i) * sizeof(*items));
}

void keyed_sort(struct keyed *items, struct keyed *spare, uint32_t count)
{
    for (uint32_t begin = 0; begin < count; begin += RUN)
        insert_sort(&items[begin], count - begin < RUN ? count - begin : RUN);
    for (uint64_t size = RUN; size < count; size *= 2) {
        for (uint64_t begin = 0; begin + size < count; begin += 2 * size) {
            uint64_t end = begin + 2 * size;
            merge(items, spare, (uint32_t)begin, (uint32_t)(begin + size), (uint32_t)(end < count ? end : count));
        }
    }
}
