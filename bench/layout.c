/*
 * layout.c - how long layered layouts take, and how many crossings they have.
 *
 * usage: layout_bench [--json] [--rounds N] [SHAPE [NODES]]
 *        layout_bench --dot SHAPE NODES     the graph for Graphviz, to compare with: dot -v counts its crossings
 *
 * Median processor time of several runs in one process (there is one thread, and no input or output). Graphs are made from a fixed seed: the same on every machine.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "layout/layered.h"

struct graph {
    struct layered_node *nodes;
    struct layered_edge *edges;
    uint32_t node_count, edge_count, edge_room;
    uint64_t seed;
};

static uint32_t draw(struct graph *graph, uint32_t below)
{
    graph->seed = graph->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((graph->seed >> 33) % below);
}

static void edge_add(struct graph *graph, uint32_t from, uint32_t to)
{
    if (graph->edge_count == graph->edge_room) {
        graph->edge_room = graph->edge_room * 2 + 1024;
        graph->edges = realloc(graph->edges, graph->edge_room * sizeof(*graph->edges));
        if (!graph->edges) abort();
    }
    graph->edges[graph->edge_count++] = (struct layered_edge){from, to};
}

static void make_chain(struct graph *graph)
{
    for (uint32_t v = 1; v < graph->node_count; v++) edge_add(graph, v - 1, v);
}

static void make_tree(struct graph *graph)
{
    for (uint32_t v = 1; v < graph->node_count; v++) edge_add(graph, (v - 1) / 3, v);
}

/* Stages as in real pipelines: one task, many beside each other, one that gathers them. */
static void make_stages(struct graph *graph)
{
    uint32_t gather = 0, v = 1;
    while (v < graph->node_count) {
        uint32_t wide = 1 + draw(graph, 30), first = v;
        for (; v < graph->node_count && v < first + wide; v++) edge_add(graph, gather, v);
        if (v == graph->node_count) break;
        for (uint32_t w = first; w < v; w++) edge_add(graph, w, v);
        gather = v++;
    }
}

/* Ranks of 100, two edges a task, most of them from the rank before, near by; some from further up. */
static void make_layered(struct graph *graph)
{
    const uint32_t wide = 100;
    for (uint32_t v = wide; v < graph->node_count; v++) {
        for (int i = 0; i < 2; i++) {
            uint32_t back = draw(graph, 10) == 0 ? 2 + draw(graph, 3) : 1, rank = v / wide;
            if (back > rank) back = 1;
            edge_add(graph, (rank - back) * wide + draw(graph, wide), v);
        }
    }
}

/* Two edges a task, from any task before it: no structure at all, and long edges everywhere. */
static void make_random(struct graph *graph)
{
    for (uint32_t v = 1; v < graph->node_count; v++)
        for (int i = 0; i < 2; i++) edge_add(graph, draw(graph, v), v);
}

/* One task before 1,000 and more, which one gathers: the widest fan. */
static void make_fan(struct graph *graph)
{
    for (uint32_t v = 1; v + 1 < graph->node_count; v++) {
        edge_add(graph, 0, v);
        edge_add(graph, v, graph->node_count - 1);
    }
}

static const struct shape {
    const char *name;
    void (*make)(struct graph *graph);
} shapes[] = {
    {"chain", make_chain},   {"fan", make_fan},         {"tree", make_tree},
    {"stages", make_stages}, {"layered", make_layered}, {"random", make_random},
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static void graph_make(struct graph *graph, const struct shape *shape, uint32_t count)
{
    *graph = (struct graph){.node_count = count, .seed = 42};
    graph->nodes = malloc(count * sizeof(*graph->nodes));
    if (!graph->nodes) abort();
    for (uint32_t v = 0; v < count; v++)
        graph->nodes[v] = (struct layered_node){.width = 180, .height = 44, .parent = LAYERED_NONE};
    shape->make(graph);
}

static void graph_free(struct graph *graph)
{
    free(graph->nodes);
    free(graph->edges);
}

static double cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const struct shape *shape, uint32_t count, uint32_t rounds, bool json)
{
    struct graph graph;
    struct layered layered = {0};
    double times[32];
    int runs = count <= 10000 ? 15 : count <= 100000 ? 5 : 1;
    size_t memory = 0;
    graph_make(&graph, shape, count);
    for (int i = 0; i < runs; i++) {
        struct arena arena, scratch;
        struct orch_error err = ORCH_ERROR_INIT;
        struct layered_input input = {.nodes = graph.nodes,
                                      .node_count = graph.node_count,
                                      .edges = graph.edges,
                                      .edge_count = graph.edge_count,
                                      .options = {.rounds_max = rounds}};
        arena_init(&arena, NULL, 0);
        arena_init(&scratch, NULL, 0);
        double begin = cpu_ms();
        if (layered_layout(&input, &arena, &scratch, &layered, &err) < 0) {
            fprintf(stderr, "layout_bench: %s\n", err.message);
            exit(1);
        }
        times[i] = cpu_ms() - begin;
        memory = arena.size + scratch.size;
        arena_done(&scratch);
        arena_done(&arena);
    }
    qsort(times, (size_t)runs, sizeof(*times), compare);
    double median = times[runs / 2];
    if (json) {
        printf("{\"bench\":\"layout\",\"shape\":\"%s\",\"nodes\":%u,\"edges\":%u,\"ms\":%.3f,\"ns_per_node\":%.0f,\"crossings\":%" PRIu64
               ",\"dummies\":%u,\"straight\":%u,\"ranks\":%u}\n",
               shape->name, count, graph.edge_count, median, median * 1e6 / count, layered.crossings,
               layered.dummy_count, layered.straight, layered.rank_count);
    } else {
        printf("%-8s %9u %9u %10.2f %8.0f %14" PRIu64 " %9u %8u %7u %6zu\n", shape->name, count, graph.edge_count, median,
               median * 1e6 / count, layered.crossings, layered.dummy_count, layered.straight, layered.rank_count,
               memory >> 20);
    }
    fflush(stdout);
    graph_free(&graph);
}

static int print_dot(const char *name, uint32_t count)
{
    for (size_t i = 0; i < SHAPES; i++) {
        struct graph graph;
        if (strcmp(shapes[i].name, name) != 0) continue;
        graph_make(&graph, &shapes[i], count);
        printf("digraph g {\n  node [shape=box, width=2.5, height=0.6, fixedsize=true];\n");
        for (uint32_t v = 0; v < count; v++) printf("  n%u;\n", v);
        for (uint32_t e = 0; e < graph.edge_count; e++)
            printf("  n%u -> n%u;\n", graph.edges[e].from, graph.edges[e].to);
        printf("}\n");
        graph_free(&graph);
        return 0;
    }
    return 2;
}

static uint32_t number(const char *text)
{
    uint64_t value;
    if (!str_to_uint64(str_from(text), &value) || value < 2 || value > LAYERED_NODES_MAX) {
        fprintf(stderr, "layout_bench: not a number of nodes: %s\n", text);
        exit(2);
    }
    return (uint32_t)value;
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {100, 1000, 10000, 100000, 1000000};
    uint32_t rounds = 0, only = 0;
    const char *shape = NULL;
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--dot") == 0 && i + 2 < argc) return print_dot(argv[i + 1], number(argv[i + 2]));
        if (strcmp(argv[i], "--json") == 0) json = true;
        else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) rounds = number(argv[++i]);
        else if (!shape) shape = argv[i];
        else only = number(argv[i]);
    }
    if (!json)
        printf("%-8s %9s %9s %10s %8s %14s %9s %8s %7s %6s\n", "shape", "nodes", "edges", "ms", "ns/node", "crossings",
               "dummies", "straight", "ranks", "MiB");
    for (size_t i = 0; i < SHAPES; i++) {
        if (shape && strcmp(shape, shapes[i].name) != 0) continue;
        for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
            if (only) {
                measure(&shapes[i], only, rounds, json);
                break;
            }
            measure(&shapes[i], sizes[k], rounds, json);
        }
    }
    return 0;
}
