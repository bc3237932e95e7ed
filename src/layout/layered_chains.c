/*
 * layered_chains.c - dummies for long edges, so that every line goes from one rank to the next.
 *
 * Edges out of a node that has many long ones share their dummies, as do edges into one: they run as one line and part
 * where they must. This draws better than a bundle side by side, and keeps the number of dummies near that of the nodes
 * (compare Eiglsperger, Siebenhaller, Kaufmann 2005, whose problem with many dummies it lessens).
 */
#include "layout/layered_internal.h"

#define DUMMIES_USUAL    UINT32_C(500000)
#define DUMMIES_PER_NODE 8

struct builder {
    struct component *component;
    uint32_t *long_out, *long_in;   /* by node: how many long edges, of those that get dummies */
    uint32_t *out_first, *out_last; /* by node: ranks that the chain below it covers; none when first > last */
    uint32_t *in_first, *in_last;   /* likewise above it */
    uint32_t *out_chain, *in_chain; /* by node */
};

static uint32_t span(const struct component *component, uint32_t edge)
{
    return component->rank[component->edge_to[edge]] - component->rank[component->edge_from[edge]];
}

/* Whether the edge shares the chain below its begin, rather than the one above its end. */
static bool is_by_begin(const struct builder *builder, uint32_t edge)
{
    const struct component *component = builder->component;
    return builder->long_out[component->edge_from[edge]] >= builder->long_in[component->edge_to[edge]];
}

/* Which ranks each chain covers when edges longer than `span_max` have none. Returns the number of dummies, or half of
 * what edges pass of them, when that is more: shared ones make points for each of their edges. */
static uint64_t chains_measure(struct builder *builder, uint32_t span_max)
{
    struct component *component = builder->component;
    uint32_t n = component->node_count;
    uint64_t count = 0, passed = 0;
    for (uint32_t v = 0; v < n; v++) {
        builder->long_out[v] = builder->long_in[v] = 0;
        builder->out_first[v] = builder->in_first[v] = UINT32_MAX;
        builder->out_last[v] = builder->in_last[v] = 0;
    }
    for (uint32_t e = 0; e < component->edge_count; e++) {
        uint32_t length = span(component, e);
        if (length < 2 || length > span_max) continue;
        builder->long_out[component->edge_from[e]]++;
        builder->long_in[component->edge_to[e]]++;
    }
    for (uint32_t e = 0; e < component->edge_count; e++) {
        uint32_t length = span(component, e), from = component->edge_from[e], to = component->edge_to[e];
        if (length < 2 || length > span_max) continue;
        uint32_t first = component->rank[from] + 1, last = component->rank[to] - 1;
        passed += length;
        bool by_begin = is_by_begin(builder, e);
        uint32_t *chain_first = by_begin ? &builder->out_first[from] : &builder->in_first[to];
        uint32_t *chain_last = by_begin ? &builder->out_last[from] : &builder->in_last[to];
        if (first < *chain_first) *chain_first = first;
        if (last > *chain_last) *chain_last = last;
    }
    for (uint32_t v = 0; v < n; v++) {
        if (builder->out_first[v] <= builder->out_last[v]) count += builder->out_last[v] - builder->out_first[v] + 1;
        if (builder->in_first[v] <= builder->in_last[v]) count += builder->in_last[v] - builder->in_first[v] + 1;
    }
    return count > passed / 2 ? count : passed / 2;
}

static void chain_add(struct component *component, uint32_t first, uint32_t last, uint32_t *ret_chain)
{
    if (first > last) {
        *ret_chain = CHAIN_NONE;
        return;
    }
    component->chains[component->chain_count] =
        (struct chain){.vertex = component->vertex_count, .rank = first, .count = last - first + 1};
    component->vertex_count += last - first + 1;
    *ret_chain = component->chain_count++;
}

static void chains_place(struct builder *builder, uint32_t span_max)
{
    struct component *component = builder->component;
    component->vertex_count = component->node_count;
    component->chain_count = 0;
    for (uint32_t v = 0; v < component->node_count; v++) {
        chain_add(component, builder->out_first[v], builder->out_last[v], &builder->out_chain[v]);
        chain_add(component, builder->in_first[v], builder->in_last[v], &builder->in_chain[v]);
    }
    component->straight = 0;
    for (uint32_t e = 0; e < component->edge_count; e++) {
        uint32_t length = span(component, e);
        if (length < 2) {
            component->edge_chain[e] = CHAIN_NONE;
        } else if (length > span_max) {
            component->edge_chain[e] = CHAIN_STRAIGHT;
            component->straight++;
        } else {
            component->edge_chain[e] = is_by_begin(builder, e) ? builder->out_chain[component->edge_from[e]]
                                                               : builder->in_chain[component->edge_to[e]];
        }
    }
}

static void rank_add(struct component *component, uint32_t *next, uint32_t vertex, uint32_t rank)
{
    component->rank[vertex] = rank;
    component->position[vertex] = next[rank] - component->rank_start[rank];
    component->order[next[rank]++] = vertex;
}

static void rank_add_chain(struct component *component, uint32_t *next, uint32_t chain)
{
    if (chain == CHAIN_NONE) return;
    const struct chain *dummies = &component->chains[chain];
    for (uint32_t i = 0; i < dummies->count; i++) rank_add(component, next, dummies->vertex + i, dummies->rank + i);
}

/* The ranks, each in the order that nodes begin with; dummies stand beside their node. */
static int ranks_fill(struct builder *builder)
{
    struct component *component = builder->component;
    uint32_t ranks = component->rank_count;
    component->rank_start = ARENA_ARRAY(component->arena, (size_t)ranks + 1, uint32_t);
    component->order = ARENA_ARRAY(component->arena, component->vertex_count, uint32_t);
    component->position = ARENA_ARRAY(component->arena, component->vertex_count, uint32_t);
    uint32_t *next = ARENA_ARRAY(component->arena, (size_t)ranks + 1, uint32_t);
    uint32_t *rank = ARENA_ARRAY(component->arena, component->vertex_count, uint32_t);
    if (!component->rank_start || !component->order || !component->position || !next || !rank)
        return ORCH_ERR_NO_MEMORY;
    memcpy(rank, component->rank, (size_t)component->node_count * sizeof(*rank));
    component->rank = rank;
    for (uint32_t v = 0; v < component->node_count; v++) component->rank_start[component->rank[v] + 1]++;
    for (uint32_t c = 0; c < component->chain_count; c++) {
        const struct chain *chain = &component->chains[c];
        for (uint32_t i = 0; i < chain->count; i++) component->rank_start[chain->rank + i + 1]++;
    }
    for (uint32_t r = 0; r < ranks; r++) component->rank_start[r + 1] += component->rank_start[r];
    memcpy(next, component->rank_start, (size_t)ranks * sizeof(*next));
    for (uint32_t v = 0; v < component->node_count; v++) {
        rank_add(component, next, v, component->rank[v]);
        rank_add_chain(component, next, builder->out_chain[v]);
        rank_add_chain(component, next, builder->in_chain[v]);
    }
    return 0;
}

struct segments {
    uint32_t *upper, *lower;
    uint32_t count;
};

/* Chains make their own lines; each edge adds those from its begin into the chain and out of it to its end. Those of
 * edges that share one end of a chain are the same line. */
static void segments_collect(struct builder *builder, struct segments *segments)
{
    struct component *component = builder->component;
    for (uint32_t c = 0; c < component->chain_count; c++) {
        for (uint32_t i = 1; i < component->chains[c].count; i++) {
            segments->upper[segments->count] = component->chains[c].vertex + i - 1;
            segments->lower[segments->count++] = component->chains[c].vertex + i;
        }
    }
    for (uint32_t v = 0; v < component->node_count; v++) {
        uint32_t out = builder->out_chain[v], in = builder->in_chain[v];
        if (out != CHAIN_NONE) {
            segments->upper[segments->count] = v;
            segments->lower[segments->count++] = component->chains[out].vertex;
        }
        if (in != CHAIN_NONE) {
            segments->upper[segments->count] = component->chains[in].vertex + component->chains[in].count - 1;
            segments->lower[segments->count++] = v;
        }
    }
    for (uint32_t e = 0; e < component->edge_count; e++) {
        uint32_t from = component->edge_from[e], to = component->edge_to[e], c = component->edge_chain[e];
        if (c == CHAIN_STRAIGHT) continue;
        if (c == CHAIN_NONE) {
            segments->upper[segments->count] = from;
            segments->lower[segments->count++] = to;
            continue;
        }
        const struct chain *chain = &component->chains[c];
        if (c == builder->out_chain[from]) {
            segments->upper[segments->count] = chain->vertex + (component->rank[to] - 1 - chain->rank);
            segments->lower[segments->count++] = to;
        } else {
            segments->upper[segments->count] = from;
            segments->lower[segments->count++] = chain->vertex + (component->rank[from] + 1 - chain->rank);
        }
    }
}

static int rows_make(struct component *component, const uint32_t *ends, const uint32_t *others, uint32_t count,
                     struct rows *ret)
{
    uint32_t n = component->vertex_count;
    ret->start = ARENA_ARRAY(component->arena, (size_t)n + 2, uint32_t);
    ret->vertex = ARENA_ARRAY(component->arena, count, uint32_t);
    ret->segment = ARENA_ARRAY(component->arena, count, uint32_t);
    if (!ret->start || !ret->vertex || !ret->segment) return ORCH_ERR_NO_MEMORY;
    for (uint32_t s = 0; s < count; s++) ret->start[ends[s] + 2]++;
    for (uint32_t v = 0; v < n; v++) ret->start[v + 2] += ret->start[v + 1];
    for (uint32_t s = 0; s < count; s++) {
        uint32_t at = ret->start[ends[s] + 1]++;
        ret->vertex[at] = others[s];
        ret->segment[at] = s;
    }
    return 0;
}

static int rows_fill(struct builder *builder)
{
    struct component *component = builder->component;
    struct segments segments = {0};
    size_t most = (size_t)component->vertex_count + component->node_count + component->edge_count;
    component->segment_count = 0;
    if (most > UINT32_MAX) return ORCH_ERR_NO_MEMORY;
    segments.upper = arena_alloc(component->arena, most * sizeof(uint32_t));
    segments.lower = arena_alloc(component->arena, most * sizeof(uint32_t));
    if (!segments.upper || !segments.lower) return ORCH_ERR_NO_MEMORY;
    segments_collect(builder, &segments);
    component->segment_count = segments.count;
    if (rows_make(component, segments.upper, segments.lower, segments.count, &component->down) < 0 ||
        rows_make(component, segments.lower, segments.upper, segments.count, &component->up) < 0)
        return ORCH_ERR_NO_MEMORY;
    return 0;
}

int chains_make(struct component *component)
{
    struct arena *arena = component->arena;
    uint32_t n = component->node_count;
    struct builder builder = {.component = component};
    uint32_t **const arrays[] = {&builder.long_out, &builder.long_in, &builder.out_first, &builder.out_last,
                                 &builder.in_first, &builder.in_last, &builder.out_chain, &builder.in_chain};
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        *arrays[i] = arena_alloc(arena, (size_t)n * sizeof(uint32_t));
        if (!*arrays[i]) return ORCH_ERR_NO_MEMORY;
    }
    component->edge_chain = ARENA_ARRAY(arena, component->edge_count, uint32_t);
    component->chains = ARENA_ARRAY(arena, (size_t)n * 2, struct chain);
    if (!component->edge_chain || !component->chains) return ORCH_ERR_NO_MEMORY;

    uint64_t dummies_max = component->options->dummies_max;
    if (!dummies_max) dummies_max = DUMMIES_USUAL + (uint64_t)n * DUMMIES_PER_NODE;
    uint32_t span_max = component->rank_count;
    while (chains_measure(&builder, span_max) > dummies_max) span_max /= 2;
    chains_place(&builder, span_max);
    int rc = ranks_fill(&builder);
    return rc < 0 ? rc : rows_fill(&builder);
}
