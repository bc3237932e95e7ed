/* test_layered.c - layered layouts: what must hold of each, on known and on made-up graphs. */
#include "layout/layered.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "layout/layered_internal.h"

#define NODES_MAX 400
#define EDGES_MAX 2000

struct graph {
    struct layered_node nodes[NODES_MAX];
    struct layered_edge edges[EDGES_MAX];
    struct layered_previous previous[NODES_MAX];
    struct layered_input input;
    struct arena arena, scratch;
    struct layered layered;
    uint64_t seed;
};

static uint32_t draw(struct graph *g, uint32_t below)
{
    g->seed = g->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((g->seed >> 33) % below);
}

static void graph_init(struct graph *g, uint64_t seed)
{
    memset(g, 0, sizeof(*g));
    g->seed = seed;
    g->input.nodes = g->nodes;
    g->input.edges = g->edges;
    arena_init(&g->arena, NULL, 0);
    arena_init(&g->scratch, NULL, 0);
}

static void graph_done(struct graph *g)
{
    arena_done(&g->scratch);
    arena_done(&g->arena);
}

static uint32_t node(struct graph *g, int32_t width, int32_t height, uint32_t parent)
{
    assert_true(g->input.node_count < NODES_MAX);
    g->nodes[g->input.node_count] = (struct layered_node){.width = width, .height = height, .parent = parent};
    return g->input.node_count++;
}

static void edge(struct graph *g, uint32_t from, uint32_t to)
{
    assert_true(g->input.edge_count < EDGES_MAX);
    g->edges[g->input.edge_count++] = (struct layered_edge){from, to};
}

static void lay_out(struct graph *g)
{
    struct orch_error err = ORCH_ERROR_INIT;
    int rc = layered_layout(&g->input, &g->arena, &g->scratch, &g->layered, &err);
    if (rc != 0) print_error("%s\n", err.message);
    assert_int_equal(rc, 0);
}

/* Any graph there may be: nodes inside of nodes, handlers, cycles, edges into nodes inside, twice the same, to itself.
 */
static void make_any(struct graph *g, bool cyclic, bool flat)
{
    uint32_t count = 1 + draw(g, 60), edges = draw(g, 120);
    for (uint32_t v = 0; v < count; v++) {
        uint32_t parent = v > 0 && !flat && draw(g, 3) == 0 ? draw(g, v) : LAYERED_NONE;
        node(g, (int32_t)draw(g, 200), (int32_t)draw(g, 90), parent);
        g->nodes[v].header = (int32_t)draw(g, 30);
        g->nodes[v].is_below = draw(g, 10) == 0;
    }
    for (uint32_t e = 0; e < edges; e++) {
        uint32_t a = draw(g, count), b = draw(g, count);
        if (!cyclic && a > b)
            edge(g, b, a);
        else
            edge(g, a, b);
    }
    if (draw(g, 2)) g->input.options.direction = LAYERED_RIGHT;
    if (draw(g, 4) == 0) g->input.options.dummies_max = 1 + draw(g, 20);
}

/* ---- what must hold ---- */

static bool is_apart(const struct layered_box *a, const struct layered_box *b)
{
    return a->x + a->width <= b->x || b->x + b->width <= a->x || a->y + a->height <= b->y || b->y + b->height <= a->y;
}

static bool is_around(const struct graph *g, uint32_t outer, uint32_t v)
{
    while (v != LAYERED_NONE && v != outer) v = g->nodes[v].parent;
    return v == outer;
}

static void expect_boxes(const struct graph *g)
{
    for (uint32_t v = 0; v < g->input.node_count; v++) {
        const struct layered_box *box = &g->layered.nodes[v];
        assert_true(box->width >= g->nodes[v].width && box->height >= g->nodes[v].height);
        assert_true(box->x >= 0 && box->y >= 0);
        assert_true(box->x + box->width <= g->layered.width && box->y + box->height <= g->layered.height);
        for (uint32_t w = 0; w < v; w++) {
            const struct layered_box *other = &g->layered.nodes[w];
            if (!is_around(g, w, v)) {
                assert_true(is_apart(box, other));
                continue;
            }
            assert_true(box->x > other->x && box->x + box->width < other->x + other->width);
            assert_true(box->y > other->y + g->nodes[w].header && box->y + box->height < other->y + other->height);
        }
    }
}

/* Whether the line from a to b goes through the inside of the box; it is bent, but stays between the two in both
 * directions, and runs to the side only between ranks, so the area between them must be free when it does. */
static bool is_through(const struct layered_box *box, struct layered_point a, struct layered_point b)
{
    int64_t left = a.x < b.x ? a.x : b.x, right = a.x < b.x ? b.x : a.x;
    int64_t top = a.y < b.y ? a.y : b.y, bottom = a.y < b.y ? b.y : a.y;
    return left < box->x + box->width && right > box->x && top < box->y + box->height && bottom > box->y;
}

static void expect_edges(const struct graph *g)
{
    bool right = g->input.options.direction == LAYERED_RIGHT;
    uint32_t upward = 0;
    for (uint32_t e = 0; e < g->input.edge_count; e++) {
        uint32_t from = g->edges[e].from, to = g->edges[e].to;
        uint32_t begin = g->layered.point_start[e], end = g->layered.point_start[e + 1];
        const struct layered_point *points = g->layered.points;
        while (from != LAYERED_NONE && !is_around(g, g->nodes[from].parent, to) &&
               g->nodes[from].parent != LAYERED_NONE)
            from = g->nodes[from].parent;
        while (to != LAYERED_NONE && g->nodes[to].parent != g->nodes[from].parent) to = g->nodes[to].parent;
        bool is_drawn = to != LAYERED_NONE && !is_around(g, g->edges[e].from, g->edges[e].to) &&
                        !is_around(g, g->edges[e].to, g->edges[e].from) && !g->nodes[from].is_below &&
                        !g->nodes[to].is_below;
        if (!is_drawn) {
            assert_int_equal(begin, end);
            continue;
        }
        assert_true(end - begin >= 2);
        const struct layered_box *a = &g->layered.nodes[from], *b = &g->layered.nodes[to];
        bool up = a->rank > b->rank;
        upward += up;
        assert_true(a->rank != b->rank);
        if (up) {
            const struct layered_box *box = a;
            a = b;
            b = box;
        }
        struct layered_point first = points[up ? end - 1 : begin], last = points[up ? begin : end - 1];
        assert_int_equal(right ? first.x : first.y, right ? a->x + a->width : a->y + a->height);
        assert_int_equal(right ? first.y : first.x, right ? a->y + a->height / 2 : a->x + a->width / 2);
        assert_int_equal(right ? last.x : last.y, right ? b->x : b->y);
        assert_int_equal(right ? last.y : last.x, right ? b->y + b->height / 2 : b->x + b->width / 2);
        for (uint32_t i = begin + 1; i < end; i++) {
            struct layered_point p = points[up ? i : i - 1], q = points[up ? i - 1 : i];
            assert_true(right ? p.x <= q.x : p.y <= q.y);
            if (g->layered.straight > 0) continue;
            for (uint32_t v = 0; v < g->input.node_count; v++) {
                if (is_around(g, v, from) && is_around(g, v, to)) continue; /* they are inside of it */
                assert_false(is_through(&g->layered.nodes[v], p, q));
            }
        }
    }
    assert_int_equal(upward, g->layered.upward);
}

static void expect_same(const struct graph *a, const struct graph *b)
{
    const struct layered *x = &a->layered, *y = &b->layered;
    assert_memory_equal(x->nodes, y->nodes, a->input.node_count * sizeof(*x->nodes));
    assert_memory_equal(x->point_start, y->point_start, (a->input.edge_count + 1) * sizeof(*x->point_start));
    assert_memory_equal(x->points, y->points, x->point_start[a->input.edge_count] * sizeof(*x->points));
}

static void test_any(void **state)
{
    static struct graph g, again;
    uint32_t upward = 0, straight = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 600; seed++) {
        graph_init(&g, seed);
        make_any(&g, seed % 2 == 1, seed % 4 < 2);
        lay_out(&g);
        expect_boxes(&g);
        expect_edges(&g);
        if (seed % 4 == 0) assert_int_equal(g.layered.upward, 0); /* without cycles, also among what is around nodes */
        upward += g.layered.upward;
        straight += g.layered.straight;
        graph_init(&again, seed);
        make_any(&again, seed % 2 == 1, seed % 4 < 2);
        lay_out(&again);
        expect_same(&g, &again);
        graph_done(&again);
        graph_done(&g);
    }
    assert_true(upward > 0 && straight > 0); /* the graphs were of all sorts */
}

/* ---- crossings ---- */

/* Every pair of lines between two ranks, one by one. */
static uint64_t count_naively(const struct component *c)
{
    uint64_t crossings = 0;
    for (uint32_t v = 0; v < c->vertex_count; v++) {
        for (uint32_t w = 0; w < c->vertex_count; w++) {
            if (c->rank[v] != c->rank[w] || c->position[v] >= c->position[w]) continue;
            for (uint32_t i = c->down.start[v]; i < c->down.start[v + 1]; i++)
                for (uint32_t k = c->down.start[w]; k < c->down.start[w + 1]; k++)
                    crossings += c->position[c->down.vertex[i]] > c->position[c->down.vertex[k]];
        }
    }
    return crossings;
}

static uint64_t count_counted(struct component *c)
{
    uint64_t crossings = 0;
    uint32_t *tree = ARENA_ARRAY(c->arena, crossings_room(c), uint32_t);
    assert_non_null(tree);
    rows_sort(c, &c->down, &c->up);
    for (uint32_t r = 0; r + 1 < c->rank_count; r++) crossings += crossings_between(c, r, tree);
    return crossings;
}

static void test_crossings(void **state)
{
    static uint32_t from[EDGES_MAX], to[EDGES_MAX];
    static bool reversed[EDGES_MAX];
    static int64_t size[NODES_MAX];
    static const struct layered_options options = {.node_gap = 10, .edge_gap = 5, .rank_gap = 20};
    static struct graph g;
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        graph_init(&g, seed);
        uint32_t n = 2 + draw(&g, 60), m = 0;
        for (uint32_t v = 1; v < n; v++) {
            for (uint32_t k = 1 + draw(&g, 3); k > 0; k--, m++) {
                from[m] = draw(&g, v);
                to[m] = v;
                reversed[m] = false;
            }
        }
        struct component c = {.arena = &g.arena,
                              .options = &options,
                              .node_count = n,
                              .width = size,
                              .height = size,
                              .edge_count = m,
                              .edge_from = from,
                              .edge_to = to};
        assert_int_equal(ranks_assign(&c, reversed), 0);
        for (uint32_t e = 0; e < m; e++) assert_true(c.rank[from[e]] < c.rank[to[e]]);
        assert_int_equal(chains_make(&c), 0);
        uint64_t before = count_naively(&c);
        assert_int_equal(count_counted(&c), before);
        assert_int_equal(order_ranks(&c), 0);
        assert_int_equal(count_naively(&c), c.crossings);
        assert_true(c.crossings <= before);
        graph_done(&g);
    }
}

static void make_tree(struct graph *g, bool up)
{
    for (uint32_t v = 0; v < 200; v++) node(g, 40, 20, LAYERED_NONE);
    for (uint32_t v = 1; v < 200; v++) {
        uint32_t parent = draw(g, v);
        if (up)
            edge(g, v, parent);
        else
            edge(g, parent, v);
    }
}

static void make_bipartite(struct graph *g, uint32_t upper, uint32_t lower)
{
    for (uint32_t v = 0; v < upper + lower; v++) node(g, 40, 20, LAYERED_NONE);
    for (uint32_t v = 0; v < upper; v++)
        for (uint32_t w = 0; w < lower; w++) edge(g, v, upper + w);
}

/* A grid of which each task waits for the one left and the one above: planar, given in the worst order. */
static void make_wavefront(struct graph *g, uint32_t size)
{
    for (uint32_t v = 0; v < size * size; v++) node(g, 40, 20, LAYERED_NONE);
    for (uint32_t y = 0; y < size; y++) {
        for (uint32_t x = 0; x < size; x++) {
            if (x > 0) edge(g, y * size + x - 1, y * size + x);
            if (y > 0) edge(g, (y - 1) * size + x, y * size + x);
        }
    }
}

static void test_known(void **state)
{
    static struct graph g;
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        graph_init(&g, seed);
        make_tree(&g, seed % 2 == 1);
        lay_out(&g);
        assert_int_equal(g.layered.crossings, 0);
        graph_done(&g);
    }
    /* Two ranks of a complete bipartite graph: every two above with every two below. */
    static const struct {
        uint32_t upper, lower;
        uint64_t crossings;
    } complete[] = {{2, 2, 1}, {3, 3, 9}, {4, 4, 36}, {2, 5, 10}, {1, 9, 0}};
    for (size_t i = 0; i < sizeof(complete) / sizeof(complete[0]); i++) {
        graph_init(&g, 1);
        make_bipartite(&g, complete[i].upper, complete[i].lower);
        lay_out(&g);
        assert_int_equal(g.layered.crossings, complete[i].crossings);
        graph_done(&g);
    }
    graph_init(&g, 1);
    make_wavefront(&g, 12);
    lay_out(&g);
    assert_int_equal(g.layered.crossings, 0);
    graph_done(&g);
}

/* ---- shape ---- */

static void test_chain_is_straight(void **state)
{
    static struct graph g;
    (void)state;
    graph_init(&g, 1);
    for (uint32_t v = 0; v < 10; v++) node(&g, v % 2 ? 100 : 40, 20, LAYERED_NONE);
    for (uint32_t v = 1; v < 10; v++) edge(&g, v - 1, v);
    lay_out(&g);
    for (uint32_t e = 0; e < 9; e++) assert_int_equal(g.layered.point_start[e + 1] - g.layered.point_start[e], 2);
    assert_int_equal(g.layered.width, 100);
    assert_int_equal(g.layered.height, 10 * 20 + 9 * 40);
    graph_done(&g);
}

/* What nothing connects is set in rows, not in one. */
static void test_packed(void **state)
{
    static struct graph g;
    (void)state;
    graph_init(&g, 1);
    for (uint32_t v = 0; v < 300; v++) node(&g, 100, 40, LAYERED_NONE);
    lay_out(&g);
    expect_boxes(&g);
    assert_true(g.layered.width < 4 * g.layered.height && g.layered.height < 2 * g.layered.width);
    graph_done(&g);
}

static void test_nothing(void **state)
{
    static struct graph g;
    (void)state;
    graph_init(&g, 1);
    lay_out(&g);
    assert_int_equal(g.layered.width, 0);
    assert_int_equal(g.layered.height, 0);
    graph_done(&g);
}

/* ---- stability ---- */

static void make_stages(struct graph *g, uint32_t count)
{
    for (uint32_t v = 0; v < count; v++) {
        node(g, 60 + (int32_t)draw(g, 100), 40, LAYERED_NONE);
        for (uint32_t k = v < 10 ? 0 : 1 + draw(g, 2); k > 0; k--) {
            uint32_t rank = v / 10;
            edge(g, (rank - 1) * 10 + draw(g, 10), v);
        }
    }
}

/* Of the pairs of old nodes that share a rank before and after: how many in 1,000 changed places. */
static uint32_t inversions_permille(const struct graph *before, const struct graph *after)
{
    uint32_t pairs = 0, changed = 0;
    for (uint32_t v = 0; v < before->input.node_count; v++) {
        for (uint32_t w = 0; w < v; w++) {
            const struct layered_box *a = &before->layered.nodes[v], *b = &before->layered.nodes[w];
            const struct layered_box *c = &after->layered.nodes[v], *d = &after->layered.nodes[w];
            if (a->y != b->y || c->y != d->y) continue;
            pairs++;
            changed += (a->x < b->x) != (c->x < d->x);
        }
    }
    return pairs ? changed * 1000 / pairs : 0;
}

static void test_stable(void **state)
{
    static struct graph before, after;
    uint64_t fresh = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        graph_init(&before, seed);
        make_stages(&before, 150);
        lay_out(&before);
        for (int kept = 0; kept < 2; kept++) {
            graph_init(&after, seed);
            make_stages(&after, 150);
            for (uint32_t v = 0; v < 150; v++) {
                const struct layered_box *box = &before.layered.nodes[v];
                after.previous[v] = (struct layered_previous){true, box->x + 1000, box->y};
            }
            if (kept) after.input.previous = after.previous;
            for (int i = 0; i < 8; i++) {
                uint32_t parent = draw(&after, 140), added = node(&after, 80, 40, LAYERED_NONE);
                edge(&after, parent, added);
            }
            lay_out(&after);
            expect_boxes(&after);
            expect_edges(&after);
            uint32_t changed = inversions_permille(&before, &after);
            if (kept)
                assert_int_equal(changed, 0);
            else
                fresh += changed;
            graph_done(&after);
        }
        graph_done(&before);
    }
    /* Without the places from before it is the order of definition that holds most of them. */
    if (fresh / 20 > 200) print_error("%u of 1,000 pairs changed places\n", (uint32_t)(fresh / 20));
    assert_true(fresh / 20 <= 200);
}

/* The same graph with its own places gives the same places. */
static void test_kept_is_fixed(void **state)
{
    static struct graph before, after;
    (void)state;
    graph_init(&before, 3);
    make_stages(&before, 150);
    lay_out(&before);
    graph_init(&after, 3);
    make_stages(&after, 150);
    for (uint32_t v = 0; v < 150; v++)
        after.previous[v] = (struct layered_previous){true, before.layered.nodes[v].x, before.layered.nodes[v].y};
    after.input.previous = after.previous;
    lay_out(&after);
    int64_t shift = after.layered.nodes[0].x - before.layered.nodes[0].x; /* where lines begin may be further left */
    for (uint32_t v = 0; v < 150; v++) {
        if (before.layered.nodes[v].y != after.layered.nodes[v].y) continue;
        assert_true(llabs(after.layered.nodes[v].x - before.layered.nodes[v].x - shift) <= 30);
    }
    graph_done(&after);
    graph_done(&before);
}

/* ---- refusals ---- */

static void test_refused(void **state)
{
    static struct graph g;
    static const struct {
        struct layered_node node;
        struct layered_edge edge;
        int32_t gap;
        int error;
    } cases[] = {
        {{10, 10, 1, 0, false}, {0, 0}, 0, ORCH_ERR_INVALID},
        {{10, 10, 7, 0, false}, {0, 0}, 0, ORCH_ERR_INVALID},
        {{-1, 10, LAYERED_NONE, 0, false}, {0, 0}, 0, ORCH_ERR_INVALID},
        {{10, 10, LAYERED_NONE, -1, false}, {0, 0}, 0, ORCH_ERR_INVALID},
        {{INT32_MAX, 10, LAYERED_NONE, 0, false}, {0, 0}, 0, ORCH_ERR_LIMIT},
        {{10, 10, LAYERED_NONE, 0, false}, {0, 2}, 0, ORCH_ERR_INVALID},
        {{10, 10, LAYERED_NONE, 0, false}, {0, 1}, -1, ORCH_ERR_INVALID},
        {{10, 10, LAYERED_NONE, 0, false}, {0, 1}, INT32_MAX, ORCH_ERR_LIMIT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct orch_error err = ORCH_ERROR_INIT;
        graph_init(&g, 1);
        node(&g, 10, 10, LAYERED_NONE);
        node(&g, 10, 10, LAYERED_NONE);
        g.nodes[1] = cases[i].node;
        edge(&g, cases[i].edge.from, cases[i].edge.to);
        g.input.options.node_gap = cases[i].gap;
        assert_int_equal(layered_layout(&g.input, &g.arena, &g.scratch, &g.layered, &err), cases[i].error);
        assert_true(err.code == cases[i].error && err.message[0] != '\0');
        graph_done(&g);
    }
}

/* Memory that ends at any point: said so, and nothing of the result touched. */
static void test_memory(void **state)
{
    static struct graph g;
    struct layered none = {.crossings = 12345};
    uint32_t refused = 0;
    (void)state;
    for (size_t size = 4096; size < 4096 * 100; size += 4096) {
        graph_init(&g, 5);
        make_stages(&g, 100);
        arena_done(&g.scratch);
        arena_init(&g.scratch, NULL, size);
        g.layered = none;
        int rc = layered_layout(&g.input, &g.arena, &g.scratch, &g.layered, NULL);
        assert_true(rc == 0 || rc == ORCH_ERR_NO_MEMORY);
        if (rc == 0)
            expect_boxes(&g);
        else
            assert_int_equal(g.layered.crossings, 12345);
        refused += rc != 0;
        graph_done(&g);
    }
    assert_true(refused > 3 && refused < 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any),     cmocka_unit_test(test_crossings),
        cmocka_unit_test(test_known),   cmocka_unit_test(test_chain_is_straight),
        cmocka_unit_test(test_packed),  cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_stable),  cmocka_unit_test(test_kept_is_fixed),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
