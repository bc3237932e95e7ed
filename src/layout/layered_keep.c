/*
 * layered_keep.c - coordinates near those of an earlier layout.
 *
 * Each rank by itself: the places nearest to the wished ones, by least squares, with the order and the distances kept.
 * With the distances taken off, that is isotonic regression, which "pool adjacent violators" solves exactly in linear
 * time (Barlow et al., "Statistical Inference under Order Restrictions", 1972). What was there before weighs so much
 * more that what is new goes out of its way.
 */
#include "layout/layered_internal.h"

#define WEIGHT_KEPT 4096
#define WEIGHT_NEW  1
#define ROUNDS      4

/* Neighbours in a rank that have met and move as one. */
struct pool {
    __int128 sum; /* of the wishes, less the distances to the rank's first */
    int64_t weight;
    uint32_t count;
};

/* ---- wishes ---- */

/* The mean of the neighbours on that side that have a place or a wish; false when none has. */
static bool mean_of(const struct component *component, const bool *has, const struct rows *rows, uint32_t v,
                    int64_t *ret)
{
    int64_t sum = 0, count = 0;
    for (uint32_t k = rows->start[v]; k < rows->start[v + 1]; k++) {
        if (!has[rows->vertex[k]]) continue;
        sum += component->wish[rows->vertex[k]];
        count++;
    }
    if (count > 0) *ret = sum / count;
    return count > 0;
}

static void wishes_spread(struct component *component, bool *has, bool down)
{
    for (uint32_t i = 0; i < component->rank_count; i++) {
        uint32_t r = down ? i : component->rank_count - 1 - i;
        for (uint32_t at = component->rank_start[r]; at < component->rank_start[r + 1]; at++) {
            uint32_t v = component->order[at];
            if (!component->is_kept[v])
                has[v] |= mean_of(component, has, down ? &component->up : &component->down, v, &component->wish[v]);
        }
    }
}

int wishes_make(struct component *component)
{
    uint32_t n = component->vertex_count;
    int64_t last = INT64_MIN;
    component->wish = ARENA_ARRAY(component->arena, n, int64_t);
    component->is_kept = ARENA_ARRAY(component->arena, n, bool);
    if (!component->wish || !component->is_kept) return ORCH_ERR_NO_MEMORY;
    struct arena_mark mark = arena_mark(component->arena);
    bool *has = ARENA_ARRAY(component->arena, n, bool);
    if (!has) return ORCH_ERR_NO_MEMORY;
    for (uint32_t v = 0; v < component->node_count; v++) {
        if (!component->is_known[v]) continue;
        component->is_kept[v] = has[v] = true;
        component->wish[v] = component->known[v];
        if (component->known[v] > last) last = component->known[v];
    }
    for (uint32_t i = 0; i < 4; i++) wishes_spread(component, has, i % 2 == 0);
    for (uint32_t v = 0; v < n; v++)
        if (!has[v]) component->wish[v] = last; /* near none that was there: to the right */
    arena_rewind(component->arena, mark);
    return 0;
}

/* ---- places ---- */

struct keeping {
    struct component *component;
    struct pool *pools; /* as many as the widest rank has vertices */
};

/* Rounded down: sums of many wishes below 0 are as good as others. */
static int64_t mean(const struct pool *pool)
{
    int64_t quotient = (int64_t)(pool->sum / pool->weight);
    return quotient - (pool->sum % pool->weight < 0);
}

/* Where a new vertex would like to be: in the middle of its neighbours. */
static int64_t wish_of(const struct component *component, uint32_t v)
{
    const struct rows *const sides[] = {&component->up, &component->down};
    int64_t sum = 0, count = 0;
    if (component->is_kept[v]) return component->wish[v];
    for (size_t i = 0; i < 2; i++) {
        for (uint32_t k = sides[i]->start[v]; k < sides[i]->start[v + 1]; k++, count++)
            sum += component->x[sides[i]->vertex[k]];
    }
    return count > 0 ? sum / count : component->wish[v];
}

static void rank_place(struct keeping *keeping, uint32_t r)
{
    struct component *component = keeping->component;
    uint32_t begin = component->rank_start[r], end = component->rank_start[r + 1], pools = 0;
    int64_t offset = 0;
    for (uint32_t i = begin; i < end; i++) {
        uint32_t v = component->order[i];
        int64_t weight = component->is_kept[v] ? WEIGHT_KEPT : WEIGHT_NEW;
        if (i > begin) offset += separation(component, component->order[i - 1], v);
        keeping->pools[pools++] = (struct pool){(__int128)(wish_of(component, v) - offset) * weight, weight, 1};
        while (pools > 1 && mean(&keeping->pools[pools - 2]) > mean(&keeping->pools[pools - 1])) {
            struct pool *into = &keeping->pools[pools - 2];
            into->sum += into[1].sum;
            into->weight += into[1].weight;
            into->count += into[1].count;
            pools--;
        }
    }
    uint32_t i = begin;
    offset = 0;
    for (uint32_t p = 0; p < pools; p++) {
        int64_t at = mean(&keeping->pools[p]);
        for (uint32_t k = 0; k < keeping->pools[p].count; k++, i++) {
            uint32_t v = component->order[i];
            if (i > begin) offset += separation(component, component->order[i - 1], v);
            component->x[v] = at + offset;
        }
    }
}

int place_kept(struct component *component)
{
    struct keeping keeping = {.component = component};
    uint32_t widest = 1;
    component->x = arena_alloc(component->arena, (size_t)component->vertex_count * sizeof(int64_t));
    if (!component->x) return ORCH_ERR_NO_MEMORY;
    struct arena_mark mark = arena_mark(component->arena);
    for (uint32_t r = 0; r < component->rank_count; r++) {
        uint32_t width = component->rank_start[r + 1] - component->rank_start[r];
        if (width > widest) widest = width;
    }
    keeping.pools = ARENA_ARRAY(component->arena, widest, struct pool);
    if (!keeping.pools) return ORCH_ERR_NO_MEMORY;
    memcpy(component->x, component->wish, (size_t)component->vertex_count * sizeof(int64_t));
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t r = 0; r < component->rank_count; r++)
            rank_place(&keeping, round % 2 == 0 ? r : component->rank_count - 1 - r);
    }
    arena_rewind(component->arena, mark);
    return 0;
}
