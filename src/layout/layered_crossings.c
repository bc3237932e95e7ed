/*
 * layered_crossings.c - how many lines cross between two ranks, in O(E log V).
 *
 * Source: Barth, Jünger, Mutzel, "Simple and efficient bilayer cross counting", 2002: with the lines sorted by their
 * upper and then their lower end, a crossing is an inversion among the lower ends, counted with a tree of sums.
 */
#include "layout/layered_internal.h"

uint32_t crossings_room(const struct component *component)
{
    uint32_t widest = 1, room = 2;
    for (uint32_t r = 0; r < component->rank_count; r++) {
        uint32_t width = component->rank_start[r + 1] - component->rank_start[r];
        if (width > widest) widest = width;
    }
    while (room < widest * 2) room *= 2;
    return room;
}

uint64_t crossings_between(const struct component *component, uint32_t rank, uint32_t *tree)
{
    const struct rows *down = &component->down;
    uint32_t lower = component->rank_start[rank + 2] - component->rank_start[rank + 1], leaves = 1;
    uint64_t crossings = 0;
    while (leaves < lower) leaves *= 2;
    memset(tree, 0, (size_t)leaves * 2 * sizeof(*tree));
    /* Leaves are tree[leaves .. 2 * leaves), the parent of i is i / 2; the right brother's sum are the lines that lie
     * further right already. */
    for (uint32_t i = component->rank_start[rank]; i < component->rank_start[rank + 1]; i++) {
        uint32_t v = component->order[i];
        for (uint32_t k = down->start[v]; k < down->start[v + 1]; k++) {
            uint32_t at = leaves + component->position[down->vertex[k]];
            tree[at]++;
            for (; at > 1; at /= 2) {
                crossings +=
                    tree[at | 1] & ((at & 1) - 1); /* only of a left one: no branch, as it could not be foretold */
                tree[at / 2]++;
            }
        }
    }
    return crossings;
}

void rows_sort(struct component *component, struct rows *rows, const struct rows *back)
{
    /* Whoever is met along the ranks puts itself into the rows of its neighbours, so these fill in order. */
    uint32_t n = component->vertex_count;
    for (uint32_t v = n; v-- > 0;) rows->start[v + 1] = rows->start[v];
    for (uint32_t i = 0; i < n; i++) {
        uint32_t w = component->order[i];
        for (uint32_t k = back->start[w]; k < back->start[w + 1]; k++) {
            uint32_t at = rows->start[back->vertex[k] + 1]++;
            rows->vertex[at] = w;
            rows->segment[at] = back->segment[k];
        }
    }
    rows->start[0] = 0;
}
