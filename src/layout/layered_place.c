/*
 * layered_place.c - coordinates across ranks.
 *
 * Source: Brandes and Köpf, "Fast and simple horizontal coordinate assignment", 2001. Vertices are aligned with a
 * median neighbour into blocks that share one x, in four ways (towards the rank above or below, from the left or from
 * the right); lines between dummies go before all others, so that long edges run straight. The mean of the middle two
 * of the four is taken. Blocks are made dense by longest paths over them instead of the classes of section 3.2, which
 * do not always keep the order (Brandes, Walter, Zink, "Erratum", 2020).
 */
#include "layout/layered_internal.h"

struct placing {
    struct component *component;
    bool *is_marked;   /* by segment: crosses a line between dummies, so nothing is aligned along it */
    uint32_t *root;    /* the block's first vertex */
    uint32_t *align;   /* the block's next vertex, in a circle */
    uint32_t *waiting; /* by root: left neighbours of its vertices not yet placed */
    uint32_t *queue;   /* roots, in the order of their placing */
    int64_t *x[4];
};

static bool is_dummy(const struct component *component, uint32_t vertex)
{
    return vertex >= component->node_count;
}

/* The segment between two dummies that ends in v, or LAYERED_NONE. A dummy has one neighbour above or one below, or
 * both. */
static uint32_t inner_above(const struct component *component, uint32_t v)
{
    if (!is_dummy(component, v)) return LAYERED_NONE;
    const struct rows *up = &component->up;
    for (uint32_t k = up->start[v]; k < up->start[v + 1]; k++)
        if (is_dummy(component, up->vertex[k])) return k;
    return LAYERED_NONE;
}

/* Algorithm 1: marks the lines that cross one between dummies. */
static void conflicts_mark(struct placing *placing)
{
    struct component *component = placing->component;
    const struct rows *up = &component->up;
    for (uint32_t r = 1; r < component->rank_count; r++) {
        uint32_t begin = component->rank_start[r], end = component->rank_start[r + 1], from = begin;
        uint32_t left = 0, right;
        for (uint32_t i = begin; i < end; i++) {
            uint32_t inner = inner_above(component, component->order[i]);
            if (inner == LAYERED_NONE && i + 1 < end) continue;
            right = inner != LAYERED_NONE ? component->position[up->vertex[inner]] : UINT32_MAX;
            for (; from <= i; from++) {
                uint32_t v = component->order[from];
                for (uint32_t k = up->start[v]; k < up->start[v + 1]; k++) {
                    uint32_t at = component->position[up->vertex[k]];
                    if ((at < left || at > right) && !(is_dummy(component, v) && is_dummy(component, up->vertex[k])))
                        placing->is_marked[up->segment[k]] = true;
                }
            }
            if (inner != LAYERED_NONE) left = right;
        }
    }
}

/* Algorithm 2. `down`: with the median neighbour above, going down; `left`: from the left. */
static void blocks_align(struct placing *placing, bool down, bool left)
{
    struct component *component = placing->component;
    const struct rows *rows = down ? &component->up : &component->down;
    for (uint32_t v = 0; v < component->vertex_count; v++) placing->root[v] = placing->align[v] = v;
    for (uint32_t i = 1; i < component->rank_count; i++) {
        uint32_t r = down ? i : component->rank_count - 1 - i;
        uint32_t begin = component->rank_start[r], end = component->rank_start[r + 1];
        int64_t last = left ? -1 : (int64_t)UINT32_MAX;
        for (uint32_t j = 0; j < end - begin; j++) {
            uint32_t v = component->order[left ? begin + j : end - 1 - j];
            uint32_t first = rows->start[v], degree = rows->start[v + 1] - first;
            if (degree == 0) continue;
            uint32_t low = first + (degree - 1) / 2, high = first + degree / 2;
            for (uint32_t m = 0; m < (low == high ? 1u : 2u) && placing->align[v] == v; m++) {
                uint32_t k = (m == 0) == left ? low : high, u = rows->vertex[k];
                int64_t at = component->position[u];
                if (placing->is_marked[rows->segment[k]] || (left ? at <= last : at >= last)) continue;
                placing->align[u] = v;
                placing->root[v] = placing->root[u];
                placing->align[v] = placing->root[v];
                last = at;
            }
        }
    }
}

/* The neighbour of v in its rank on that side, or LAYERED_NONE. */
static uint32_t beside(const struct component *component, uint32_t v, bool right)
{
    uint32_t r = component->rank[v], at = component->rank_start[r] + component->position[v];
    if (right) return at + 1 < component->rank_start[r + 1] ? component->order[at + 1] : LAYERED_NONE;
    return at > component->rank_start[r] ? component->order[at - 1] : LAYERED_NONE;
}

/* How far the middles of two neighbours are apart, whichever is left. */
static int64_t distance(const struct component *component, uint32_t a, uint32_t b)
{
    return separation(component, a, b);
}

/* Places each block as far to the left as it goes (to the right, mirrored), and then as near to those beyond it. */
static void blocks_place(struct placing *placing, bool left, int64_t *x)
{
    struct component *component = placing->component;
    uint32_t n = component->vertex_count, count = 0;
    memset(placing->waiting, 0, (size_t)n * sizeof(uint32_t));
    for (uint32_t v = 0; v < n; v++)
        if (beside(component, v, !left) != LAYERED_NONE) placing->waiting[placing->root[v]]++;
    for (uint32_t v = 0; v < n; v++) {
        x[v] = 0;
        if (placing->root[v] == v && placing->waiting[v] == 0) placing->queue[count++] = v;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t root = placing->queue[i], v = root;
        do {
            uint32_t w = beside(component, v, left);
            if (w != LAYERED_NONE) {
                uint32_t next = placing->root[w];
                int64_t least = x[root] + distance(component, v, w);
                if (x[next] < least) x[next] = least;
                if (--placing->waiting[next] == 0) placing->queue[count++] = next;
            }
            v = placing->align[v];
        } while (v != root);
    }
    for (uint32_t i = count; i-- > 0;) {
        uint32_t root = placing->queue[i], v = root;
        int64_t most = INT64_MAX;
        do {
            uint32_t w = beside(component, v, left);
            if (w != LAYERED_NONE) {
                int64_t room = x[placing->root[w]] - distance(component, v, w);
                if (room < most) most = room;
            }
            v = placing->align[v];
        } while (v != root);
        if (most != INT64_MAX) x[root] = most;
    }
    for (uint32_t v = 0; v < n; v++)
        if (placing->root[v] != v) x[v] = x[placing->root[v]];
    if (left) return;
    for (uint32_t v = 0; v < n; v++) x[v] = -x[v];
}

struct extent {
    int64_t left, right;
};

static struct extent extent_of(const struct component *component, const int64_t *x)
{
    struct extent extent = {INT64_MAX, INT64_MIN};
    for (uint32_t v = 0; v < component->vertex_count; v++) {
        int64_t half = vertex_width(component, v) / 2;
        if (x[v] - half < extent.left) extent.left = x[v] - half;
        if (x[v] + half > extent.right) extent.right = x[v] + half;
    }
    return extent;
}

/* Section 3.3: the four are laid over the narrowest one, those from the left by their left end; of each vertex' four
 * places the middle two count. */
static void layouts_join(struct placing *placing, int64_t *ret_x)
{
    struct component *component = placing->component;
    struct extent extents[4];
    int64_t shift[4];
    uint32_t narrowest = 0;
    for (uint32_t i = 0; i < 4; i++) {
        extents[i] = extent_of(component, placing->x[i]);
        if (extents[i].right - extents[i].left < extents[narrowest].right - extents[narrowest].left) narrowest = i;
    }
    int64_t width = extents[narrowest].right - extents[narrowest].left;
    for (uint32_t i = 0; i < 4; i++) shift[i] = i % 2 == 0 ? -extents[i].left : width - extents[i].right;
    for (uint32_t v = 0; v < component->vertex_count; v++) {
        int64_t low = INT64_MAX, high = INT64_MIN, sum = 0;
        for (uint32_t i = 0; i < 4; i++) {
            int64_t at = placing->x[i][v] + shift[i];
            sum += at;
            if (at < low) low = at;
            if (at > high) high = at;
        }
        sum -= low + high;
        ret_x[v] = (sum - (sum % 2 != 0 && sum < 0)) / 2; /* rounded down everywhere, so that distances stay */
    }
}

int place_vertices(struct component *component)
{
    struct arena *arena = component->arena;
    size_t n = component->vertex_count;
    struct placing placing = {.component = component};
    component->x = arena_alloc(arena, n * sizeof(int64_t));
    if (!component->x) return ORCH_ERR_NO_MEMORY;
    struct arena_mark mark = arena_mark(arena);
    placing.is_marked = ARENA_ARRAY(arena, component->segment_count, bool);
    placing.root = arena_alloc(arena, n * sizeof(uint32_t));
    placing.align = arena_alloc(arena, n * sizeof(uint32_t));
    placing.waiting = arena_alloc(arena, n * sizeof(uint32_t));
    placing.queue = arena_alloc(arena, n * sizeof(uint32_t));
    if (!placing.is_marked || !placing.root || !placing.align || !placing.waiting || !placing.queue)
        return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < 4; i++) {
        placing.x[i] = arena_alloc(arena, n * sizeof(int64_t));
        if (!placing.x[i]) return ORCH_ERR_NO_MEMORY;
    }
    conflicts_mark(&placing);
    for (uint32_t i = 0; i < 4; i++) {
        blocks_align(&placing, i < 2, i % 2 == 0);
        blocks_place(&placing, i % 2 == 0, placing.x[i]);
    }
    layouts_join(&placing, component->x);
    arena_rewind(arena, mark);
    return 0;
}
