/*
 * layered_route.c - coordinates along the ranks, and the way of each line.
 *
 * Within the height of a rank lines run straight down; between ranks, where no box is, they go to the side. So no line
 * passes through a box.
 */
#include "layout/layered_internal.h"

/* How much further apart than rank_gap two ranks are, for lines that run far to the side. */
#define GAP_SHARE 16 /* of the way to the side */
#define GAP_MORE  2  /* at most so many times rank_gap */

static int64_t gap_below(const struct component *component, uint32_t rank)
{
    int64_t farthest = 0, usual = component->options->rank_gap, more;
    for (uint32_t i = component->rank_start[rank]; i < component->rank_start[rank + 1]; i++) {
        uint32_t v = component->order[i];
        for (uint32_t k = component->down.start[v]; k < component->down.start[v + 1]; k++) {
            int64_t way = component->x[component->down.vertex[k]] - component->x[v];
            if (way < 0) way = -way;
            if (way > farthest) farthest = way;
        }
    }
    more = farthest / GAP_SHARE;
    return usual + (more < usual * GAP_MORE ? more : usual * GAP_MORE);
}

int place_ranks(struct component *component)
{
    component->rank_y = ARENA_ARRAY(component->arena, component->rank_count, int64_t);
    component->rank_height = ARENA_ARRAY(component->arena, component->rank_count, int64_t);
    if (!component->rank_y || !component->rank_height) return ORCH_ERR_NO_MEMORY;
    int64_t left = INT64_MAX, right = INT64_MIN, y = 0;
    for (uint32_t v = 0; v < component->vertex_count; v++) {
        int64_t width = vertex_width(component, v), begin = component->x[v] - width / 2;
        if (begin < left) left = begin;
        if (begin + width > right) right = begin + width;
        if (v < component->node_count && component->height[v] > component->rank_height[component->rank[v]])
            component->rank_height[component->rank[v]] = component->height[v];
    }
    for (uint32_t v = 0; v < component->vertex_count; v++) component->x[v] -= left;
    for (uint32_t r = 0; r < component->rank_count; r++) {
        component->rank_y[r] = y;
        y += component->rank_height[r];
        if (r + 1 < component->rank_count) y += gap_below(component, r);
    }
    component->width_all = right - left;
    component->height_all = y;
    return 0;
}

struct way {
    struct layered_point *points;
    uint32_t count;
};

/* Points that lie on the line there is already are left out. */
static void way_add(struct way *way, int64_t x, int64_t y)
{
    struct layered_point *last = way->count > 0 ? &way->points[way->count - 1] : NULL;
    if (last && last->x == x && (last->y == y || (way->count > 1 && last[-1].x == x))) {
        last->y = y;
        return;
    }
    way->points[way->count++] = (struct layered_point){x, y};
}

uint32_t route_max(const struct component *component, uint32_t edge)
{
    uint32_t from = component->edge_from[edge], to = component->edge_to[edge];
    return component->edge_chain[edge] == CHAIN_STRAIGHT ? 2 : 2 + 2 * (component->rank[to] - component->rank[from]);
}

uint32_t route_edge(const struct component *component, uint32_t edge, struct layered_point *points)
{
    struct way way = {.points = points};
    uint32_t from = component->edge_from[edge], to = component->edge_to[edge], first = component->rank[from],
             last = component->rank[to];
    int64_t begin = component->rank_y[first] + (component->rank_height[first] + component->height[from]) / 2;
    int64_t end = component->rank_y[last] + (component->rank_height[last] - component->height[to]) / 2;
    way_add(&way, component->x[from], begin);
    if (component->edge_chain[edge] != CHAIN_STRAIGHT) {
        way_add(&way, component->x[from], component->rank_y[first] + component->rank_height[first]);
        for (uint32_t r = first + 1; r < last; r++) {
            const struct chain *chain = &component->chains[component->edge_chain[edge]];
            int64_t x = component->x[chain->vertex + (r - chain->rank)];
            way_add(&way, x, component->rank_y[r]);
            way_add(&way, x, component->rank_y[r] + component->rank_height[r]);
        }
        way_add(&way, component->x[to], component->rank_y[last]);
    }
    way_add(&way, component->x[to], end);
    return way.count;
}
