/*
 * graph_tbb.cpp - the graphs of graph.c as a flow graph of TBB.
 */
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <sys/resource.h>
#include <unistd.h>

using node = tbb::flow::continue_node<tbb::flow::continue_msg>;

static std::atomic<unsigned> done[64];

static long peak_bytes()
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss * 1024;
}

static long resident_bytes()
{
    long pages = 0;
    std::FILE *file = std::fopen("/proc/self/statm", "r");
    if (!file || std::fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    if (file) std::fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

int main(int argc, char **argv)
{
    if (argc != 4) return std::fprintf(stderr, "usage: graph_tbb chain|fan-out|tree|wavefront COUNT THREADS\n"), 2;
    const char *shape = argv[1];
    unsigned count = (unsigned)std::strtoul(argv[2], nullptr, 10), threads = (unsigned)std::strtoul(argv[3], nullptr, 10);
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
    unsigned width = 1;
    while (width * width < count) width++;
    long before = resident_bytes();
    auto start = std::chrono::steady_clock::now();
    double build_s, run_s;
    {
        tbb::flow::graph graph;
        std::deque<node> nodes;
        for (unsigned i = 0; i < count; i++) {
            nodes.emplace_back(graph, [i](const tbb::flow::continue_msg &) { done[i & 63].fetch_add(1, std::memory_order_relaxed); });
            if (std::strcmp(shape, "chain") == 0 && i > 0) tbb::flow::make_edge(nodes[i - 1], nodes[i]);
            if (std::strcmp(shape, "fan-out") == 0 && i > 0) tbb::flow::make_edge(nodes[0], nodes[i]);
            if (std::strcmp(shape, "tree") == 0 && i > 0) tbb::flow::make_edge(nodes[(i - 1) / 2], nodes[i]);
            if (std::strcmp(shape, "wavefront") == 0 && i >= width) tbb::flow::make_edge(nodes[i - width], nodes[i]);
            if (std::strcmp(shape, "wavefront") == 0 && i % width) tbb::flow::make_edge(nodes[i - 1], nodes[i]);
        }
        auto built = std::chrono::steady_clock::now();
        nodes[0].try_put(tbb::flow::continue_msg());
        graph.wait_for_all();
        auto ran = std::chrono::steady_clock::now();
        build_s = std::chrono::duration<double>(built - start).count();
        run_s = std::chrono::duration<double>(ran - built).count();
        std::printf("{\"who\":\"tbb\",\"shape\":\"%s\",\"count\":%u,\"threads\":%u,\"build_s\":%.6f,\"run_s\":%.6f,\"bytes_a_task\":%.1f}\n", shape,
                    count, threads, build_s, run_s, (double)(peak_bytes() - before) / count);
        std::fflush(stdout);
    }
    unsigned total = 0;
    for (auto &part : done) total += part.load();
    if (total != count) return std::fprintf(stderr, "graph_tbb: %u of %u tasks ran\n", total, count), 1;
    return 0;
}
