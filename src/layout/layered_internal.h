/*
 * layered_internal.h - one connected component while it is laid out, and the steps that do it, in their order.
 *
 * Vertices are the component's nodes, 0 .. node_count-1, in the order they were given, and after them the dummies of
 * long edges. Arrays are indexed by vertex unless they say otherwise. Drawn downwards: for LAYERED_RIGHT the caller
 * has swapped widths and heights.
 */
#ifndef LAYOUT_LAYERED_INTERNAL_H
#define LAYOUT_LAYERED_INTERNAL_H

#include "layout/layered.h"

#define CHAIN_NONE     UINT32_MAX       /* the edge goes to the next rank */
#define CHAIN_STRAIGHT (UINT32_MAX - 1) /* the edge has no dummies though it is long */

/*
 * The dummies of one rank each that stand for the long part of edges. Edges out of one node, or into one node, share a
 * chain: they run as one line until they part.
 */
struct chain {
    uint32_t vertex; /* its first, the others follow */
    uint32_t rank;   /* of its first */
    uint32_t count;
};

/* Neighbours in the next rank in one direction, in compressed rows: those of v are at [start[v], start[v + 1]). */
struct rows {
    uint32_t *start;
    uint32_t *vertex;  /* the neighbour */
    uint32_t *segment; /* which line it is: the same number from both of its ends */
};

struct component {
    struct arena *arena;
    const struct layered_options *options;
    uint32_t node_count, vertex_count;
    const int64_t *width, *height; /* of nodes */

    uint32_t edge_count;
    uint32_t *edge_from, *edge_to; /* by edge; down, once cycles are broken */
    uint32_t *edge_chain;          /* by edge */

    uint32_t *rank; /* of nodes; from chains_make on, of all */
    uint32_t rank_count;
    uint32_t *rank_start; /* by rank; its vertices are order[rank_start[r] .. rank_start[r + 1]) */
    uint32_t *order;
    uint32_t *position; /* in its rank */

    struct chain *chains;
    uint32_t chain_count;
    uint32_t straight; /* edges */
    uint32_t segment_count;
    struct rows up, down;

    const bool *is_known; /* by node, or NULL: has a place from before, */
    const int64_t *known; /* by node: which is this, its middle */
    bool *is_kept;        /* NULL, or like is_known for each vertex */
    int64_t *wish;        /* with is_kept: where it was or would like to be */

    uint64_t crossings;
    int64_t *x;                    /* middle */
    int64_t *rank_y, *rank_height; /* by rank */
    int64_t width_all, height_all;
};

/* Each returns 0 or ORCH_ERR_NO_MEMORY. */

/* Gives each node a rank, such that every edge goes down and the edges are short together. `is_reversed`, by edge,
 * says which edges were turned round to break cycles. */
int ranks_assign(struct component *component, bool *is_reversed);
/* Gives long edges their dummies and makes rank_start, order (as given), position, up and down. */
int chains_make(struct component *component);
/* Makes the rows of `up` and `down` go by position. */
void rows_sort(struct component *component, struct rows *rows, const struct rows *back);
/* Orders each rank for few crossings; ends with rows in order. */
int order_ranks(struct component *component);
/* With is_kept: completes the wishes, from those kept to the others. */
int wishes_make(struct component *component);
/* With wishes: orders each rank by them, those kept among themselves as they were. */
int order_kept(struct component *component);
/* x of each vertex. */
int place_vertices(struct component *component);
/* The same, near the wishes. */
int place_kept(struct component *component);
/* y of each rank; x from 0; the size of it all. */
int place_ranks(struct component *component);
/* Points of an edge into `points`, which holds at least route_max() of them; how many there are. */
uint32_t route_edge(const struct component *component, uint32_t edge, struct layered_point *points);
uint32_t route_max(const struct component *component, uint32_t edge);

/* Crossings between rank and rank + 1; rows of `down` must go by position. `tree` has room for crossings_room(). */
uint64_t crossings_between(const struct component *component, uint32_t rank, uint32_t *tree);
/* How many counters crossings_between() needs for the widest rank. */
uint32_t crossings_room(const struct component *component);

/* How far the middles of two neighbours in a rank must be apart. */
static inline int64_t vertex_width(const struct component *component, uint32_t vertex)
{
    return vertex < component->node_count ? component->width[vertex] : 0;
}
static inline int64_t separation(const struct component *component, uint32_t left, uint32_t right)
{
    bool are_nodes = left < component->node_count && right < component->node_count;
    return (vertex_width(component, left) + vertex_width(component, right) + 1) / 2 +
           (are_nodes ? component->options->node_gap : component->options->edge_gap);
}

/* A sort that keeps the order of equal keys; `spare` is as long as `items`. */
struct keyed {
    uint64_t key;
    uint32_t value;
};
void keyed_sort(struct keyed *items, struct keyed *spare, uint32_t count);

#endif
