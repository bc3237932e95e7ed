/*
 * layered.c - a graph taken apart: nodes inside of nodes, connected components, and all of it put together again.
 *
 * Inside is laid out before outside, so that a node that holds others is as large as they need and is one box among its
 * siblings. Since edges are between siblings, or made so, nothing of the inside matters outside.
 */
#include "layout/layered_internal.h"

#include "base/error.h"
#include "layout/layered_pack.h"

#define RATIO_PERCENT 150                /* width to height of what is packed */
#define PLACE_MAX     (INT64_C(1) << 48) /* a previous place beyond it is not believed */

struct layouter {
    const struct layered_input *input;
    struct layered_options options;
    struct arena *arena, *scratch;
    struct arena work; /* one component at a time */
    struct layered *result;
    bool is_right;

    /* By node. Measures and places are as if drawn downwards, places relative to the inside of the parent. */
    int64_t *width, *height, *x, *y;
    uint32_t *depth;
    uint32_t *component;
    uint32_t *local;       /* its number among the vertices of its component */
    uint32_t *child_start; /* by node, and one more for the outermost: rows of `child` */
    uint32_t *child;

    /* By edge. */
    uint32_t *edge_from, *edge_to; /* siblings; LAYERED_NONE when it is not drawn */
    uint32_t *edge_component;
    bool *is_reversed;
    uint64_t *way_start;
    uint32_t *way_count;

    struct layered_point *ways; /* of edges in the order of their making, relative to their component */
    uint64_t way_total, way_room;

    struct pack_item *components; /* placed relative to the inside of the parent */
    uint32_t component_count;
    uint32_t *member_start, *member; /* by component */
    uint32_t *member_edge_start, *member_edge;
};

/* ---- what was given ---- */

static int input_check(const struct layered_input *input, struct orch_error *err)
{
    const struct layered_options *options = &input->options;
    const int32_t gaps[] = {options->node_gap, options->rank_gap, options->edge_gap, options->padding};
    if (input->node_count > LAYERED_NODES_MAX || input->edge_count > LAYERED_NODES_MAX)
        return error_set(err, ORCH_ERR_LIMIT, "a graph of %u nodes and %u edges is larger than can be laid out",
                         input->node_count, input->edge_count);
    for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
        if (gaps[i] < 0) return error_set(err, ORCH_ERR_INVALID, "a gap is negative");
        if (gaps[i] > LAYERED_SIZE_MAX) return error_set(err, ORCH_ERR_LIMIT, "a gap is larger than allowed");
    }
    for (uint32_t v = 0; v < input->node_count; v++) {
        const struct layered_node *node = &input->nodes[v];
        if (node->parent != LAYERED_NONE && node->parent >= v)
            return error_set(err, ORCH_ERR_INVALID, "node %u is inside of one that does not come before it", v);
        if (node->width < 0 || node->height < 0 || node->header < 0)
            return error_set(err, ORCH_ERR_INVALID, "the size of node %u is negative", v);
        if (node->width > LAYERED_SIZE_MAX || node->height > LAYERED_SIZE_MAX || node->header > LAYERED_SIZE_MAX)
            return error_set(err, ORCH_ERR_LIMIT, "node %u is larger than allowed", v);
    }
    for (uint32_t e = 0; e < input->edge_count; e++) {
        if (input->edges[e].from >= input->node_count || input->edges[e].to >= input->node_count)
            return error_set(err, ORCH_ERR_INVALID, "edge %u ends at no node", e);
    }
    return 0;
}

static void usual(int32_t *option, int32_t value)
{
    if (*option == 0) *option = value;
}

/* Index of the rows of what is inside of v; the outermost come last. */
static uint32_t inside_of(const struct layouter *layouter, uint32_t v)
{
    return v == LAYERED_NONE ? layouter->input->node_count : v;
}

static int layouter_init(struct layouter *layouter)
{
    const struct layered_input *input = layouter->input;
    struct arena *scratch = layouter->scratch;
    uint32_t n = input->node_count, m = input->edge_count;
    usual(&layouter->options.node_gap, 24);
    usual(&layouter->options.rank_gap, 40);
    usual(&layouter->options.edge_gap, 14);
    usual(&layouter->options.padding, 16);
    int64_t **const sizes[] = {&layouter->width, &layouter->height, &layouter->x, &layouter->y};
    uint32_t **const by_node[] = {&layouter->depth, &layouter->component, &layouter->local, &layouter->child};
    uint32_t **const by_edge[] = {&layouter->edge_from, &layouter->edge_to, &layouter->edge_component,
                                  &layouter->way_count};
    for (size_t i = 0; i < 4; i++) {
        *sizes[i] = ARENA_ARRAY(scratch, n, int64_t);
        *by_node[i] = ARENA_ARRAY(scratch, n, uint32_t);
        *by_edge[i] = ARENA_ARRAY(scratch, m, uint32_t);
        if (!*sizes[i] || !*by_node[i] || !*by_edge[i]) return ORCH_ERR_NO_MEMORY;
    }
    layouter->child_start = ARENA_ARRAY(scratch, (size_t)n + 3, uint32_t);
    layouter->is_reversed = ARENA_ARRAY(scratch, m, bool);
    layouter->way_start = ARENA_ARRAY(scratch, m, uint64_t);
    layouter->components = ARENA_ARRAY(scratch, n, struct pack_item);
    layouter->result->nodes = ARENA_ARRAY(layouter->arena, n, struct layered_box);
    layouter->result->point_start = ARENA_ARRAY(layouter->arena, (size_t)m + 1, uint32_t);
    if (!layouter->child_start || !layouter->is_reversed || !layouter->way_start || !layouter->components ||
        !layouter->result->nodes || !layouter->result->point_start)
        return ORCH_ERR_NO_MEMORY;
    for (uint32_t v = 0; v < n; v++) {
        const struct layered_node *node = &input->nodes[v];
        layouter->width[v] = layouter->is_right ? node->height : node->width;
        layouter->height[v] = layouter->is_right ? node->width : node->height;
        layouter->depth[v] = node->parent == LAYERED_NONE ? 0 : layouter->depth[node->parent] + 1;
        layouter->child_start[inside_of(layouter, node->parent) + 2]++;
    }
    for (uint32_t v = 0; v <= n; v++) layouter->child_start[v + 2] += layouter->child_start[v + 1];
    for (uint32_t v = 0; v < n; v++)
        layouter->child[layouter->child_start[inside_of(layouter, input->nodes[v].parent) + 1]++] = v;
    return 0;
}

/* The siblings around the ends of each edge. */
static void edges_lift(struct layouter *layouter)
{
    const struct layered_node *nodes = layouter->input->nodes;
    for (uint32_t e = 0; e < layouter->input->edge_count; e++) {
        uint32_t from = layouter->input->edges[e].from, to = layouter->input->edges[e].to;
        while (layouter->depth[from] > layouter->depth[to]) from = nodes[from].parent;
        while (layouter->depth[to] > layouter->depth[from]) to = nodes[to].parent;
        while (from != to && nodes[from].parent != nodes[to].parent) {
            from = nodes[from].parent;
            to = nodes[to].parent;
        }
        bool is_drawn = from != to && !nodes[from].is_below && !nodes[to].is_below;
        layouter->edge_from[e] = is_drawn ? from : LAYERED_NONE;
        layouter->edge_to[e] = is_drawn ? to : LAYERED_NONE;
    }
}

/* ---- components ---- */

static uint32_t set_find(uint32_t *set, uint32_t v)
{
    while (set[v] != v) v = set[v] = set[set[v]];
    return v;
}

/*
 * Numbers the components, those inside of one node one after the other, by their first member; members and edges go in
 * the order given. What is_below is one of its own, behind its siblings' ones.
 */
static int components_find(struct layouter *layouter)
{
    const struct layered_node *nodes = layouter->input->nodes;
    uint32_t n = layouter->input->node_count, m = layouter->input->edge_count, count = 0;
    uint32_t *set = layouter->local; /* not needed for its own purpose yet */
    for (uint32_t v = 0; v < n; v++) set[v] = v;
    for (uint32_t e = 0; e < m; e++) {
        if (layouter->edge_from[e] == LAYERED_NONE) continue;
        uint32_t a = set_find(set, layouter->edge_from[e]), b = set_find(set, layouter->edge_to[e]);
        if (a < b)
            set[b] = a;
        else
            set[a] = b;
    }
    /* The first member in the order given is the root, so it is met first. */
    for (uint32_t p = 0; p <= n; p++) {
        for (int below = 0; below < 2; below++) {
            for (uint32_t i = layouter->child_start[p]; i < layouter->child_start[p + 1]; i++) {
                uint32_t v = layouter->child[i], root = set_find(set, v);
                if (nodes[v].is_below != (below == 1)) continue;
                layouter->component[v] = root == v ? count++ : layouter->component[root];
            }
        }
    }
    layouter->component_count = count;
    layouter->member_start = ARENA_ARRAY(layouter->scratch, (size_t)count + 2, uint32_t);
    layouter->member = ARENA_ARRAY(layouter->scratch, n, uint32_t);
    layouter->member_edge_start = ARENA_ARRAY(layouter->scratch, (size_t)count + 2, uint32_t);
    layouter->member_edge = ARENA_ARRAY(layouter->scratch, m, uint32_t);
    if (!layouter->member_start || !layouter->member || !layouter->member_edge_start || !layouter->member_edge)
        return ORCH_ERR_NO_MEMORY;
    for (uint32_t v = 0; v < n; v++) layouter->member_start[layouter->component[v] + 2]++;
    for (uint32_t e = 0; e < m; e++) {
        if (layouter->edge_from[e] == LAYERED_NONE) continue;
        layouter->edge_component[e] = layouter->component[layouter->edge_from[e]];
        layouter->member_edge_start[layouter->edge_component[e] + 2]++;
    }
    for (uint32_t c = 0; c < count; c++) {
        layouter->member_start[c + 2] += layouter->member_start[c + 1];
        layouter->member_edge_start[c + 2] += layouter->member_edge_start[c + 1];
    }
    for (uint32_t v = 0; v < n; v++) layouter->member[layouter->member_start[layouter->component[v] + 1]++] = v;
    for (uint32_t e = 0; e < m; e++) {
        if (layouter->edge_from[e] == LAYERED_NONE) continue;
        layouter->member_edge[layouter->member_edge_start[layouter->edge_component[e] + 1]++] = e;
    }
    for (uint32_t c = 0; c < count; c++) {
        for (uint32_t i = layouter->member_start[c]; i < layouter->member_start[c + 1]; i++)
            layouter->local[layouter->member[i]] = i - layouter->member_start[c];
    }
    return 0;
}

/* ---- one component ---- */

static int component_fill(struct layouter *layouter, uint32_t c, struct component *component, bool *is_reversed)
{
    struct arena *work = &layouter->work;
    const struct layered_previous *previous = layouter->input->previous;
    const uint32_t *members = &layouter->member[layouter->member_start[c]];
    const uint32_t *edges = &layouter->member_edge[layouter->member_edge_start[c]];
    int64_t *width = ARENA_ARRAY(work, component->node_count, int64_t);
    int64_t *height = ARENA_ARRAY(work, component->node_count, int64_t);
    component->edge_from = ARENA_ARRAY(work, component->edge_count, uint32_t);
    component->edge_to = ARENA_ARRAY(work, component->edge_count, uint32_t);
    if (!width || !height || !component->edge_from || !component->edge_to) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < component->node_count; i++) {
        width[i] = layouter->width[members[i]];
        height[i] = layouter->height[members[i]];
    }
    for (uint32_t i = 0; i < component->edge_count; i++) {
        component->edge_from[i] = layouter->local[layouter->edge_from[edges[i]]];
        component->edge_to[i] = layouter->local[layouter->edge_to[edges[i]]];
        is_reversed[i] = false;
    }
    component->width = width;
    component->height = height;
    if (!previous) return 0;
    bool *is_known = ARENA_ARRAY(work, component->node_count, bool), any = false;
    int64_t *known = ARENA_ARRAY(work, component->node_count, int64_t);
    if (!is_known || !known) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < component->node_count; i++) {
        const struct layered_previous *before = &previous[members[i]];
        int64_t at = layouter->is_right ? before->y : before->x;
        is_known[i] = before->is_known && at <= PLACE_MAX && at >= -PLACE_MAX;
        known[i] = is_known[i] ? at + width[i] / 2 : 0;
        any |= is_known[i];
    }
    if (any) {
        component->is_known = is_known;
        component->known = known;
    }
    return 0;
}

static int component_solve(struct component *component, bool *is_reversed)
{
    int rc = ranks_assign(component, is_reversed);
    if (rc == 0) rc = chains_make(component);
    if (component->is_known) {
        if (rc == 0) rc = wishes_make(component);
        if (rc == 0) rc = order_kept(component);
        if (rc == 0) rc = place_kept(component);
    } else {
        if (rc == 0) rc = order_ranks(component);
        if (rc == 0) rc = place_vertices(component);
    }
    return rc == 0 ? place_ranks(component) : rc;
}

static struct layered_point *ways_reserve(struct layouter *layouter, uint32_t count)
{
    if (layouter->way_room - layouter->way_total < count) {
        uint64_t room = layouter->way_room * 2 + count + 256;
        if (room > SIZE_MAX / sizeof(struct layered_point)) return NULL;
        struct layered_point *ways = arena_alloc(layouter->scratch, (size_t)room * sizeof(*ways));
        if (!ways) return NULL;
        if (layouter->way_total > 0) memcpy(ways, layouter->ways, (size_t)layouter->way_total * sizeof(*ways));
        layouter->ways = ways;
        layouter->way_room = room;
    }
    return &layouter->ways[layouter->way_total];
}

static int component_take(struct layouter *layouter, uint32_t c, const struct component *component,
                          const bool *is_reversed)
{
    struct layered *result = layouter->result;
    const uint32_t *members = &layouter->member[layouter->member_start[c]];
    const uint32_t *edges = &layouter->member_edge[layouter->member_edge_start[c]];
    for (uint32_t i = 0; i < component->node_count; i++) {
        uint32_t v = members[i], r = component->rank[i];
        layouter->x[v] = component->x[i] - component->width[i] / 2;
        layouter->y[v] = component->rank_y[r] + (component->rank_height[r] - component->height[i]) / 2;
        result->nodes[v].rank = r;
        result->nodes[v].order = component->position[i];
    }
    for (uint32_t i = 0; i < component->edge_count; i++) {
        struct layered_point *points = ways_reserve(layouter, route_max(component, i));
        if (!points) return ORCH_ERR_NO_MEMORY;
        uint32_t count = route_edge(component, i, points);
        for (uint32_t k = 0; is_reversed[i] && k < count / 2; k++) {
            struct layered_point point = points[k];
            points[k] = points[count - 1 - k];
            points[count - 1 - k] = point;
        }
        layouter->way_start[edges[i]] = layouter->way_total;
        layouter->way_count[edges[i]] = count;
        layouter->way_total += count;
        result->upward += is_reversed[i];
    }
    layouter->components[c].width = component->width_all;
    layouter->components[c].height = component->height_all;
    result->crossings += component->crossings;
    result->dummy_count += component->vertex_count - component->node_count;
    result->straight += component->straight;
    if (component->rank_count > result->rank_count) result->rank_count = component->rank_count;
    return 0;
}

static int component_layout(struct layouter *layouter, uint32_t c)
{
    uint32_t first = layouter->member[layouter->member_start[c]];
    struct component component = {
        .arena = &layouter->work,
        .options = &layouter->options,
        .node_count = layouter->member_start[c + 1] - layouter->member_start[c],
        .edge_count = layouter->member_edge_start[c + 1] - layouter->member_edge_start[c],
    };
    if (component.node_count == 1) { /* edges go between two */
        layouter->components[c].width = layouter->width[first];
        layouter->components[c].height = layouter->height[first];
        if (layouter->result->rank_count == 0) layouter->result->rank_count = 1;
        return 0;
    }
    arena_clear(&layouter->work);
    bool *is_reversed = ARENA_ARRAY(&layouter->work, component.edge_count, bool);
    if (!is_reversed) return ORCH_ERR_NO_MEMORY;
    int rc = component_fill(layouter, c, &component, is_reversed);
    if (rc == 0) rc = component_solve(&component, is_reversed);
    return rc == 0 ? component_take(layouter, c, &component, is_reversed) : rc;
}

/* ---- inside of a node ---- */

/* Packs the components inside of p, from *c on, that are (not) below. Adds their size to that of the inside. */
static void components_pack(struct layouter *layouter, uint32_t *c, uint32_t end, bool is_below, int64_t *width,
                            int64_t *height)
{
    uint32_t first = *c;
    int64_t packed_width, packed_height;
    struct pack_gaps gaps = {layouter->options.node_gap, layouter->options.rank_gap};
    while (*c < end && layouter->input->nodes[layouter->member[layouter->member_start[*c]]].is_below == is_below) ++*c;
    if (*c == first) return;
    pack(&layouter->components[first], *c - first, gaps, *width,
         layouter->is_right ? 10000 / RATIO_PERCENT : RATIO_PERCENT, &packed_width, &packed_height);
    int64_t top = *height > 0 ? *height + layouter->options.rank_gap / 2 : 0;
    for (uint32_t i = first; i < *c; i++) layouter->components[i].y += top;
    if (packed_width > *width) *width = packed_width;
    *height = top + packed_height;
}

/* Where the inside of a node begins. */
static struct layered_point inside_begin(const struct layouter *layouter, uint32_t v)
{
    int64_t padding = layouter->options.padding, header = layouter->input->nodes[v].header;
    return layouter->is_right ? (struct layered_point){header + padding, padding}
                              : (struct layered_point){padding, header + padding};
}

/* Lays out what is inside of p; the number of nodes stands for the whole drawing. Components of one inside have
 * neighbouring numbers. */
static int inside_layout(struct layouter *layouter, uint32_t p)
{
    uint32_t begin = layouter->child_start[p], end = layouter->child_start[p + 1], low = UINT32_MAX, high = 0;
    int64_t width = 0, height = 0;
    if (begin == end) return 0;
    for (uint32_t i = begin; i < end; i++) {
        uint32_t c = layouter->component[layouter->child[i]];
        if (c < low) low = c;
        if (c > high) high = c;
    }
    for (uint32_t c = low; c <= high; c++) {
        int rc = component_layout(layouter, c);
        if (rc < 0) return rc;
    }
    uint32_t c = low;
    components_pack(layouter, &c, high + 1, false, &width, &height);
    components_pack(layouter, &c, high + 1, true, &width, &height);
    for (uint32_t i = begin; i < end; i++) {
        uint32_t v = layouter->child[i];
        layouter->x[v] += layouter->components[layouter->component[v]].x;
        layouter->y[v] += layouter->components[layouter->component[v]].y;
    }
    if (p == layouter->input->node_count) {
        layouter->result->width = layouter->is_right ? height : width;
        layouter->result->height = layouter->is_right ? width : height;
        return 0;
    }
    struct layered_point at = inside_begin(layouter, p);
    width += at.x + layouter->options.padding;
    height += at.y + layouter->options.padding;
    if (width > layouter->width[p]) layouter->width[p] = width;
    if (height > layouter->height[p]) layouter->height[p] = height;
    return 0;
}

/* ---- all of it ---- */

/* From places inside of parents to places in the drawing; x and y are those of a node's upper left corner then. */
static void nodes_finish(struct layouter *layouter)
{
    for (uint32_t v = 0; v < layouter->input->node_count; v++) {
        uint32_t parent = layouter->input->nodes[v].parent;
        struct layered_box *box = &layouter->result->nodes[v];
        if (parent != LAYERED_NONE) {
            struct layered_point at = inside_begin(layouter, parent);
            layouter->x[v] += layouter->x[parent] + at.x;
            layouter->y[v] += layouter->y[parent] + at.y;
        }
        box->x = layouter->is_right ? layouter->y[v] : layouter->x[v];
        box->y = layouter->is_right ? layouter->x[v] : layouter->y[v];
        box->width = layouter->is_right ? layouter->height[v] : layouter->width[v];
        box->height = layouter->is_right ? layouter->width[v] : layouter->height[v];
    }
}

static int edges_finish(struct layouter *layouter)
{
    struct layered *result = layouter->result;
    uint32_t m = layouter->input->edge_count, total = 0;
    if (layouter->way_total > UINT32_MAX) return ORCH_ERR_NO_MEMORY;
    result->points = arena_alloc(layouter->arena, (size_t)layouter->way_total * sizeof(*result->points));
    if (!result->points) return ORCH_ERR_NO_MEMORY;
    for (uint32_t e = 0; e < m; e++) {
        result->point_start[e] = total;
        if (layouter->edge_from[e] == LAYERED_NONE) continue;
        uint32_t parent = layouter->input->nodes[layouter->edge_from[e]].parent;
        const struct pack_item *component = &layouter->components[layouter->edge_component[e]];
        int64_t x = component->x, y = component->y;
        if (parent != LAYERED_NONE) {
            struct layered_point at = inside_begin(layouter, parent);
            x += layouter->x[parent] + at.x;
            y += layouter->y[parent] + at.y;
        }
        const struct layered_point *way = &layouter->ways[layouter->way_start[e]];
        for (uint32_t i = 0; i < layouter->way_count[e]; i++) {
            struct layered_point point = {way[i].x + x, way[i].y + y};
            result->points[total++] = layouter->is_right ? (struct layered_point){point.y, point.x} : point;
        }
    }
    result->point_start[m] = total;
    return 0;
}

static int layout_all(struct layouter *layouter)
{
    int rc = layouter_init(layouter);
    if (rc < 0) return rc;
    edges_lift(layouter);
    rc = components_find(layouter);
    /* A node comes after the one around it: from the last on, inside before outside; the outermost at the end. */
    for (uint32_t p = layouter->input->node_count; rc == 0 && p-- > 0;) rc = inside_layout(layouter, p);
    if (rc == 0) rc = inside_layout(layouter, layouter->input->node_count);
    if (rc < 0) return rc;
    nodes_finish(layouter);
    return edges_finish(layouter);
}

int layered_layout(const struct layered_input *input, struct arena *arena, struct arena *scratch, struct layered *ret,
                   struct orch_error *err)
{
    struct layered result = {0};
    struct layouter layouter = {
        .input = input,
        .options = input->options,
        .arena = arena,
        .scratch = scratch,
        .result = &result,
        .is_right = input->options.direction == LAYERED_RIGHT,
    };
    int rc = input_check(input, err);
    if (rc < 0) return rc;
    struct arena_mark mark = arena_mark(scratch);
    arena_init(&layouter.work, scratch->allocator, scratch->size_max);
    rc = layout_all(&layouter);
    arena_done(&layouter.work);
    arena_rewind(scratch, mark);
    if (rc < 0) return error_memory(err);
    *ret = result;
    return 0;
}
