/*
 * layered.h - where the boxes and lines of a directed graph go: a layered drawing ("Sugiyama's method").
 *
 * Every edge goes down (or right), boxes do not overlap, no edge passes through a box, edges cross little, and long
 * ones run straight. A node may hold others: it is then a box around them, laid out by itself, as large as they need.
 *
 * Pure and deterministic: the same input gives the same bytes on every machine (there is no floating point in it).
 * Stable: nodes begin in the order in which they are given, and leave it only where that saves crossings. With
 * `previous` positions, no two known nodes of a rank change places, and each moves no further than new ones push it.
 *
 * Work grows as (nodes + dummies) log nodes; very large graphs get fewer rounds of ordering. docs/graph.md describes
 * the method and its sources.
 */
#ifndef LAYOUT_LAYERED_H
#define LAYOUT_LAYERED_H

#include "base/arena.h"

#define LAYERED_NONE      UINT32_MAX
#define LAYERED_NODES_MAX (UINT32_C(1) << 26)
#define LAYERED_SIZE_MAX  (INT32_C(1) << 20) /* width and height of one node, padding and gaps, as they are given */

enum layered_direction { LAYERED_DOWN, LAYERED_RIGHT };

struct layered_node {
    int32_t width, height; /* at least this; one that holds others grows around them */
    uint32_t parent;       /* the node that it is inside of, which comes before it; or LAYERED_NONE */
    int32_t header;        /* when it holds others: room kept for its own text at the top */
    bool is_below;         /* has no edges; stands in a row below its layered siblings, as a handler does */
};

/*
 * From and to may be in different nodes: the edge is then drawn between those that are around them and inside of the
 * same one. One inside its own end, or from a node to itself, is not drawn. Cycles are allowed: some edge of each then
 * goes up.
 */
struct layered_edge {
    uint32_t from, to;
};

/* 0 means the usual value; sizes are in pixels, or in what unit nodes are given. */
struct layered_options {
    enum layered_direction direction;
    int32_t node_gap;     /* between nodes side by side; 24 */
    int32_t rank_gap;     /* between ranks, for the lines; 40. It grows where lines run far to the side. */
    int32_t edge_gap;     /* between a line and its neighbours; 14 */
    int32_t padding;      /* between a node that holds others and what it holds; 16 */
    uint32_t dummies_max; /* for long edges; beyond it the longest edges are straight lines; 500,000 and 8 a node */
    uint32_t rounds_max;  /* of ordering; by the size of the graph */
};

/* Where a node was, in an earlier layout of nearly the same graph. */
struct layered_previous {
    bool is_known;
    int64_t x, y;
};

struct layered_box {
    int64_t x, y, width, height; /* of the upper left corner; the drawing begins at 0, 0 */
    uint32_t rank;               /* within its parent and its connected component, 0 is the first; is_below: 0 */
    uint32_t order;              /* place within the rank, those of lines counted too */
};

struct layered_point {
    int64_t x, y;
};

struct layered {
    struct layered_box *nodes; /* as many as were given, in their order */
    /* The points of edge i, from its begin to its end: points[point_start[i] .. point_start[i + 1]). None: not drawn.
     */
    uint32_t *point_start;
    struct layered_point *points;
    int64_t width, height;
    uint64_t crossings;   /* of lines between neighbouring ranks */
    uint32_t rank_count;  /* the most of any component */
    uint32_t dummy_count; /* bends that long edges were given */
    uint32_t straight;    /* edges that had to be straight lines, since dummies_max was reached: they may cross boxes */
    uint32_t upward;      /* edges that go up, since they close a cycle */
};

struct layered_input {
    const struct layered_node *nodes;
    uint32_t node_count;
    const struct layered_edge *edges;
    uint32_t edge_count;
    const struct layered_previous *previous; /* one for each node, or NULL */
    struct layered_options options;
};

/**
 * Lay a graph out.
 *
 * @param input    borrowed for the call
 * @param arena    the result lives here
 * @param scratch  working memory, given back; another arena than `arena`
 * @param ret      filled on success
 * @return 0; ORCH_ERR_NO_MEMORY, also when an arena's maximum is reached; ORCH_ERR_LIMIT for more than
 * LAYERED_NODES_MAX nodes or edges, or a size beyond LAYERED_SIZE_MAX; ORCH_ERR_INVALID for an end that is no node, a
 * parent that comes after its child, or a negative size
 */
int layered_layout(const struct layered_input *input, struct arena *arena, struct arena *scratch, struct layered *ret,
                   struct orch_error *err);

#endif
