/*
 * layered_ranks.c - which rank each node stands in.
 *
 * The longest path from a beginning gives the fewest ranks (Sugiyama et al. 1981) but leaves nodes far from what they
 * belong to. Nodes are then moved, one at a time, to where their edges are shortest together: what the network simplex
 * of Gansner et al. 1993 (section 2) does exactly, here as far as a few linear passes bring it.
 */
#include "layout/layered_internal.h"

#define PASSES_MAX 6

struct edge_rows {
    uint32_t *out_start, *out; /* numbers of edges */
    uint32_t *in_start, *in;
};

static int rows_make(struct component *component, struct edge_rows *rows)
{
    uint32_t n = component->node_count, m = component->edge_count;
    rows->out_start = ARENA_ARRAY(component->arena, (size_t)n + 2, uint32_t);
    rows->in_start = ARENA_ARRAY(component->arena, (size_t)n + 2, uint32_t);
    rows->out = ARENA_ARRAY(component->arena, m, uint32_t);
    rows->in = ARENA_ARRAY(component->arena, m, uint32_t);
    if (!rows->out_start || !rows->in_start || !rows->out || !rows->in) return ORCH_ERR_NO_MEMORY;
    /* One place further on: filling moves each begin to its end, which is the next one's begin. */
    for (uint32_t e = 0; e < m; e++) {
        rows->out_start[component->edge_from[e] + 2]++;
        rows->in_start[component->edge_to[e] + 2]++;
    }
    for (uint32_t v = 0; v < n; v++) {
        rows->out_start[v + 2] += rows->out_start[v + 1];
        rows->in_start[v + 2] += rows->in_start[v + 1];
    }
    for (uint32_t e = 0; e < m; e++) {
        rows->out[rows->out_start[component->edge_from[e] + 1]++] = e;
        rows->in[rows->in_start[component->edge_to[e] + 1]++] = e;
    }
    return 0;
}

/* Kahn's order, and ranks by the longest path. Returns how many nodes it reached: all, when there is no cycle. */
static uint32_t order_topologically(struct component *component, const struct edge_rows *rows, uint32_t *order,
                                    uint32_t *waiting)
{
    uint32_t count = 0;
    for (uint32_t v = 0; v < component->node_count; v++) {
        component->rank[v] = 0;
        waiting[v] = rows->in_start[v + 1] - rows->in_start[v];
        if (waiting[v] == 0) order[count++] = v;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t v = order[i], below = component->rank[v] + 1;
        for (uint32_t k = rows->out_start[v]; k < rows->out_start[v + 1]; k++) {
            uint32_t to = component->edge_to[rows->out[k]];
            if (component->rank[to] < below) component->rank[to] = below;
            if (--waiting[to] == 0) order[count++] = to;
        }
    }
    return count;
}

/* Turns round every edge that leads back into the path a depth-first walk is on (Gansner et al. 1993, section 2.1). */
static int cycles_break(struct component *component, const struct edge_rows *rows, bool *is_reversed)
{
    enum { NEW, ON_PATH, LEFT };
    uint32_t n = component->node_count, depth;
    uint8_t *state = arena_zalloc(component->arena, n);
    uint32_t *path = ARENA_ARRAY(component->arena, n, uint32_t);
    uint32_t *next = ARENA_ARRAY(component->arena, n, uint32_t);
    if (!state || !path || !next) return ORCH_ERR_NO_MEMORY;
    memcpy(next, rows->out_start, (size_t)n * sizeof(*next));
    for (uint32_t first = 0; first < n; first++) {
        if (state[first] != NEW) continue;
        path[0] = first;
        state[first] = ON_PATH;
        depth = 1;
        while (depth > 0) {
            uint32_t v = path[depth - 1];
            if (next[v] == rows->out_start[v + 1]) {
                state[v] = LEFT;
                depth--;
                continue;
            }
            uint32_t e = rows->out[next[v]++], to = component->edge_to[e];
            if (state[to] == ON_PATH) {
                is_reversed[e] = true;
            } else if (state[to] == NEW) {
                state[to] = ON_PATH;
                path[depth++] = to;
            }
        }
    }
    for (uint32_t e = 0; e < component->edge_count; e++) {
        if (!is_reversed[e]) continue;
        uint32_t from = component->edge_from[e];
        component->edge_from[e] = component->edge_to[e];
        component->edge_to[e] = from;
    }
    return 0;
}

/*
 * Moves v to the end of its room that makes its edges shorter: down when more lead out than in. When it makes no
 * difference it goes with the direction of the pass, so that those behind it can follow in the same pass.
 */
static bool move(struct component *component, const struct edge_rows *rows, uint32_t v, bool down)
{
    uint32_t *rank = component->rank, low = 0, high = UINT32_MAX;
    uint32_t ins = rows->in_start[v + 1] - rows->in_start[v], outs = rows->out_start[v + 1] - rows->out_start[v];
    if (outs == 0 || (ins > outs) || (ins == outs && !down)) {
        if (ins == 0) return false;
        for (uint32_t k = rows->in_start[v]; k < rows->in_start[v + 1]; k++) {
            uint32_t above = rank[component->edge_from[rows->in[k]]] + 1;
            if (above > low) low = above;
        }
        if (rank[v] == low) return false;
        rank[v] = low;
        return true;
    }
    for (uint32_t k = rows->out_start[v]; k < rows->out_start[v + 1]; k++) {
        uint32_t below = rank[component->edge_to[rows->out[k]]] - 1;
        if (below < high) high = below;
    }
    if (rank[v] == high) return false;
    rank[v] = high;
    return true;
}

int ranks_assign(struct component *component, bool *is_reversed)
{
    uint32_t n = component->node_count;
    struct edge_rows rows;
    struct arena_mark mark;
    component->rank = ARENA_ARRAY(component->arena, n, uint32_t);
    if (!component->rank) return ORCH_ERR_NO_MEMORY;
    mark = arena_mark(component->arena);
    uint32_t *order = ARENA_ARRAY(component->arena, n, uint32_t);
    uint32_t *waiting = ARENA_ARRAY(component->arena, n, uint32_t);
    if (!order || !waiting || rows_make(component, &rows) < 0) return ORCH_ERR_NO_MEMORY;
    if (order_topologically(component, &rows, order, waiting) < n) {
        if (cycles_break(component, &rows, is_reversed) < 0 || rows_make(component, &rows) < 0)
            return ORCH_ERR_NO_MEMORY;
        (void)order_topologically(component, &rows, order, waiting);
    }
    for (uint32_t pass = 0; pass < PASSES_MAX; pass++) {
        bool any = false;
        for (uint32_t i = n; i-- > 0;) any |= move(component, &rows, order[i], true);
        for (uint32_t i = 0; i < n; i++) any |= move(component, &rows, order[i], false);
        if (!any) break;
    }
    uint32_t first = UINT32_MAX, last = 0;
    for (uint32_t v = 0; v < n; v++) {
        if (component->rank[v] < first) first = component->rank[v];
        if (component->rank[v] > last) last = component->rank[v];
    }
    for (uint32_t v = 0; v < n; v++) component->rank[v] -= first;
    component->rank_count = last - first + 1;
    arena_rewind(component->arena, mark);
    return 0;
}
