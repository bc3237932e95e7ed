/*
 * layered_order.c - the order within ranks, for few crossings.
 *
 * Sweeps down and up put each vertex at the mean place of its neighbours in the rank before (the barycenter heuristic
 * of Sugiyama et al. 1981); neighbours in a rank are then exchanged as long as that saves crossings (the transpose step
 * of Gansner et al. 1993). Crossings are counted after each round and the best order is kept. The first order is the
 * one given, and another one replaces it only when it is better: that is where the stability comes from.
 */
#include "layout/layered_internal.h"

#define EXCHANGES_MAX 8 /* passes over one rank at a time */
#define BAD_ROUNDS    4 /* so many rounds without gain end it */

struct ordering {
    struct component *component;
    struct keyed *items, *spare; /* as long as the widest rank */
    uint32_t *cursor;            /* by vertex */
    uint32_t *tree;              /* for counting */
    uint32_t *best;              /* the best order so far */
    uint64_t *between;           /* by rank: crossings between it and the next one */
    bool *is_stale;              /* by rank: `between` has to be counted anew */
};

static uint32_t rank_width(const struct component *component, uint32_t rank)
{
    return component->rank_start[rank + 1] - component->rank_start[rank];
}

/* The rows of rank r's vertices, by position of their neighbours, which are all in rank `other`. */
static void rank_sort_rows(struct ordering *ordering, uint32_t r, uint32_t other)
{
    struct component *component = ordering->component;
    struct rows *rows = other > r ? &component->down : &component->up;
    const struct rows *back = other > r ? &component->up : &component->down;
    for (uint32_t i = component->rank_start[r]; i < component->rank_start[r + 1]; i++)
        ordering->cursor[component->order[i]] = rows->start[component->order[i]];
    for (uint32_t i = component->rank_start[other]; i < component->rank_start[other + 1]; i++) {
        uint32_t w = component->order[i];
        for (uint32_t k = back->start[w]; k < back->start[w + 1]; k++) {
            uint32_t at = ordering->cursor[back->vertex[k]]++;
            rows->vertex[at] = w;
            rows->segment[at] = back->segment[k];
        }
    }
}

static uint64_t count_crossings(struct ordering *ordering)
{
    struct component *component = ordering->component;
    uint64_t crossings = 0;
    for (uint32_t r = 0; r + 1 < component->rank_count; r++) {
        if (ordering->is_stale[r]) {
            rank_sort_rows(ordering, r, r + 1);
            ordering->between[r] = crossings_between(component, r, ordering->tree);
            ordering->is_stale[r] = false;
        }
        crossings += ordering->between[r];
    }
    return crossings;
}

static void rank_changed(struct ordering *ordering, uint32_t r)
{
    ordering->is_stale[r] = true;
    if (r > 0) ordering->is_stale[r - 1] = true;
}

/* Those without neighbours on that side stay where they are; the others share the remaining places. */
static void rank_reorder(struct ordering *ordering, uint32_t r, const struct rows *rows)
{
    struct component *component = ordering->component;
    uint32_t begin = component->rank_start[r], end = component->rank_start[r + 1], count = 0;
    for (uint32_t i = begin; i < end; i++) {
        uint32_t v = component->order[i], degree = rows->start[v + 1] - rows->start[v];
        uint64_t sum = 0;
        if (degree == 0) continue;
        for (uint32_t k = rows->start[v]; k < rows->start[v + 1]; k++) sum += component->position[rows->vertex[k]];
        ordering->items[count++] = (struct keyed){degree == 1 ? sum << 8 : (sum << 8) / degree, v};
    }
    keyed_sort(ordering->items, ordering->spare, count);
    uint32_t taken = 0;
    bool any = false;
    for (uint32_t i = begin; i < end; i++) {
        uint32_t v = component->order[i];
        if (rows->start[v] == rows->start[v + 1]) continue;
        uint32_t w = ordering->items[taken++].value;
        if (w == v) continue;
        component->order[i] = w;
        component->position[w] = i - begin;
        any = true;
    }
    if (any) rank_changed(ordering, r);
}

static void sweep(struct ordering *ordering, bool down)
{
    struct component *component = ordering->component;
    for (uint32_t i = 1; i < component->rank_count; i++) {
        if (down)
            rank_reorder(ordering, i, &component->up);
        else
            rank_reorder(ordering, component->rank_count - 1 - i, &component->down);
    }
}

/* How many lines of v and w cross when v stands left of w, less how many do when it stands right of it. */
static int64_t exchange_gain(const struct component *component, const struct rows *rows, uint32_t v, uint32_t w)
{
    uint32_t i = rows->start[v], v_end = rows->start[v + 1], j = rows->start[w], w_end = rows->start[w + 1];
    int64_t gain = 0;
    if (i == v_end || j == w_end) return 0;
    /* Walks w's neighbours; i: the first of v's that is not left of it, `equal`: the first that is right of it. */
    uint32_t equal = i;
    for (uint32_t k = j; k < w_end; k++) {
        uint32_t at = component->position[rows->vertex[k]];
        while (i < v_end && component->position[rows->vertex[i]] < at) i++;
        if (equal < i) equal = i;
        while (equal < v_end && component->position[rows->vertex[equal]] <= at) equal++;
        gain += (int64_t)(v_end - equal) - (int64_t)(i - rows->start[v]);
    }
    return gain;
}

/* Exchanges neighbours in rank r; those that are both kept stay. `swaps_equal`: in the first pass also where it makes
 * no difference, to get out of where nothing single helps. Returns the crossings that it saves. */
static uint64_t rank_exchange(struct ordering *ordering, uint32_t r, bool swaps_equal)
{
    struct component *component = ordering->component;
    uint32_t begin = component->rank_start[r], end = component->rank_start[r + 1];
    uint64_t saved = 0;
    bool moved = false;
    if (r > 0) rank_sort_rows(ordering, r, r - 1);
    if (r + 1 < component->rank_count) rank_sort_rows(ordering, r, r + 1);
    for (uint32_t pass = 0; pass < EXCHANGES_MAX; pass++) {
        uint64_t saved_before = saved;
        for (uint32_t i = begin; i + 1 < end; i++) {
            uint32_t v = component->order[i], w = component->order[i + 1];
            if (component->is_kept && component->is_kept[v] && component->is_kept[w]) continue;
            int64_t gain =
                exchange_gain(component, &component->up, v, w) + exchange_gain(component, &component->down, v, w);
            if (gain < 0 || (gain == 0 && !(swaps_equal && pass == 0))) continue;
            moved = true;
            saved += (uint64_t)gain;
            component->order[i] = w;
            component->order[i + 1] = v;
            component->position[w] = i - begin;
            component->position[v] = i + 1 - begin;
        }
        if (saved == saved_before) break;
    }
    if (moved) rank_changed(ordering, r);
    return saved;
}

/* All ranks, down and up again, as long as it saves any. Returns what it saved. */
static uint64_t exchange(struct ordering *ordering, uint32_t passes_max, bool swaps_equal)
{
    uint32_t ranks = ordering->component->rank_count;
    uint64_t saved = 0;
    for (uint32_t pass = 0; pass < passes_max; pass++) {
        uint64_t saved_before = saved;
        for (uint32_t i = 0; i < ranks; i++)
            saved += rank_exchange(ordering, pass % 2 == 0 ? i : ranks - 1 - i, swaps_equal && pass == 0);
        if (saved == saved_before) break;
    }
    return saved;
}

/* Rounds by the size of the graph, so that a large one takes no longer than it is worth; by nothing else, so that the
 * same graph always gets as many. */
static uint32_t rounds_usual(const struct component *component)
{
    uint64_t size = (uint64_t)component->vertex_count + component->segment_count;
    return size <= 4000 ? 32 : size <= 20000 ? 16 : size <= 60000 ? 8 : size <= 400000 ? 6 : size <= 3000000 ? 4 : 2;
}

static uint32_t exchanges_usual(const struct component *component)
{
    uint64_t size = (uint64_t)component->vertex_count + component->segment_count;
    return size <= 20000 ? 16 : size <= 60000 ? 2 : size <= 3000000 ? 1 : 0;
}

static void best_keep(struct ordering *ordering)
{
    memcpy(ordering->best, ordering->component->order, (size_t)ordering->component->vertex_count * sizeof(uint32_t));
}

static void best_restore(struct ordering *ordering)
{
    struct component *component = ordering->component;
    memcpy(component->order, ordering->best, (size_t)component->vertex_count * sizeof(uint32_t));
    for (uint32_t r = 0; r < component->rank_count; r++) {
        ordering->is_stale[r] = true;
        for (uint32_t i = component->rank_start[r]; i < component->rank_start[r + 1]; i++)
            component->position[component->order[i]] = i - component->rank_start[r];
    }
}

static int ordering_init(struct ordering *ordering, struct component *component)
{
    struct arena *arena = component->arena;
    uint32_t widest = 1;
    for (uint32_t r = 0; r < component->rank_count; r++)
        if (rank_width(component, r) > widest) widest = rank_width(component, r);
    *ordering = (struct ordering){
        .component = component,
        .items = arena_alloc(arena, (size_t)widest * sizeof(struct keyed)),
        .spare = arena_alloc(arena, (size_t)widest * sizeof(struct keyed)),
        .cursor = arena_alloc(arena, (size_t)component->vertex_count * sizeof(uint32_t)),
        .tree = arena_alloc(arena, (size_t)crossings_room(component) * sizeof(uint32_t)),
        .best = arena_alloc(arena, (size_t)component->vertex_count * sizeof(uint32_t)),
        .between = ARENA_ARRAY(arena, component->rank_count, uint64_t),
        .is_stale = ARENA_ARRAY(arena, component->rank_count, bool),
    };
    if (!ordering->items || !ordering->spare || !ordering->cursor || !ordering->tree || !ordering->best ||
        !ordering->between || !ordering->is_stale)
        return ORCH_ERR_NO_MEMORY;
    for (uint32_t r = 0; r < component->rank_count; r++) ordering->is_stale[r] = true;
    return 0;
}

/* Ends it: `crossings` and the rows belong to the order there is. */
static void ordering_finish(struct ordering *ordering)
{
    struct component *component = ordering->component;
    rows_sort(component, &component->down, &component->up);
    rows_sort(component, &component->up, &component->down);
    for (uint32_t r = 0; r < component->rank_count; r++) ordering->is_stale[r] = true;
    component->crossings = count_crossings(ordering);
}

int order_ranks(struct component *component)
{
    struct ordering ordering;
    struct arena_mark mark = arena_mark(component->arena);
    if (ordering_init(&ordering, component) < 0) return ORCH_ERR_NO_MEMORY;
    uint32_t rounds = component->options->rounds_max ? component->options->rounds_max : rounds_usual(component);
    uint32_t exchanges = exchanges_usual(component);
    bool often = exchanges > 2; /* exchange within each round */
    uint64_t best = count_crossings(&ordering);
    uint32_t bad = 0;
    best_keep(&ordering);
    for (uint32_t round = 0; round < rounds && best > 0 && bad < BAD_ROUNDS; round++) {
        sweep(&ordering, round % 2 == 0);
        uint64_t crossings = count_crossings(&ordering);
        if (often) crossings -= exchange(&ordering, exchanges, round % 4 >= 2);
        if (crossings < best) {
            best = crossings;
            best_keep(&ordering);
            bad = 0;
        } else {
            bad++;
        }
    }
    best_restore(&ordering);
    if (best > 0) (void)exchange(&ordering, exchanges, false);
    ordering_finish(&ordering);
    arena_rewind(component->arena, mark);
    return 0;
}

/* ---- with places from before ---- */

static void rank_sort_by_wish(struct ordering *ordering, uint32_t r)
{
    struct component *component = ordering->component;
    uint32_t begin = component->rank_start[r], count = rank_width(component, r);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t v = component->order[begin + i];
        ordering->items[i] = (struct keyed){(uint64_t)component->wish[v] + (UINT64_C(1) << 63), v};
    }
    keyed_sort(ordering->items, ordering->spare, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t v = ordering->items[i].value;
        component->order[begin + i] = v;
        component->position[v] = i;
    }
}

int order_kept(struct component *component)
{
    struct ordering ordering;
    struct arena_mark mark = arena_mark(component->arena);
    if (ordering_init(&ordering, component) < 0) return ORCH_ERR_NO_MEMORY;
    for (uint32_t r = 0; r < component->rank_count; r++) rank_sort_by_wish(&ordering, r);
    (void)exchange(&ordering, exchanges_usual(component), false);
    ordering_finish(&ordering);
    arena_rewind(component->arena, mark);
    return 0;
}
