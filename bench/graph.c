/*
 * graph.c - a graph of functions that do next to nothing, built and run by the library in memory.
 *
 *   graph chain|fan-out|tree|wavefront COUNT THREADS
 *
 * Prints one JSON object: seconds to build and to run, and the memory that came on top, by the task. graph_tbb.cpp does
 * the same with TBB.
 */
#include <orch/orch.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static atomic_uint done[64]; /* spread, as a real counter of several threads would be */

static int work(struct orch_call *call, void *user)
{
    (void)call;
    atomic_fetch_add_explicit(&done[(size_t)user & 63], 1, memory_order_relaxed);
    return 0;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static long peak_bytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss * 1024;
}

static long resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static int fail(const struct orch_error *err)
{
    fprintf(stderr, "graph: %s\n", err->message);
    return 1;
}

static int build(struct orch_workflow *workflow, const char *shape, uint32_t count, struct orch_error *err)
{
    uint32_t width = 1;
    while (width * width < count) width++;
    for (uint32_t i = 0; i < count; i++) {
        int r = orch_workflow_add_function(workflow, NULL, work, (void *)(size_t)i, NULL, err);
        if (!r && strcmp(shape, "chain") == 0 && i > 0) r = orch_workflow_depend(workflow, i, i - 1, err);
        if (!r && strcmp(shape, "fan-out") == 0 && i > 0) r = orch_workflow_depend(workflow, i, 0, err);
        if (!r && strcmp(shape, "tree") == 0 && i > 0) r = orch_workflow_depend(workflow, i, (i - 1) / 2, err);
        if (!r && strcmp(shape, "wavefront") == 0 && i >= width) r = orch_workflow_depend(workflow, i, i - width, err);
        if (!r && strcmp(shape, "wavefront") == 0 && i % width) r = orch_workflow_depend(workflow, i, i - 1, err);
        if (r) return r;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct orch_engine_options options = ORCH_ENGINE_OPTIONS_INIT;
    struct orch_engine *engine;
    struct orch_workflow *workflow;
    if (argc != 4) return fprintf(stderr, "usage: graph chain|fan-out|tree|wavefront COUNT THREADS\n"), 2;
    uint32_t count = (uint32_t)strtoul(argv[2], NULL, 10);
    options.threads = (uint32_t)strtoul(argv[3], NULL, 10);
    if (orch_engine_open(NULL, &options, &engine, &err)) return fail(&err);
    long before = resident_bytes();
    double start = now();
    if (orch_workflow_new("graph", NULL, &workflow, &err) || build(workflow, argv[1], count, &err)) return fail(&err);
    double built = now();
    if (orch_execution_run(engine, workflow, NULL, NULL, &err)) return fail(&err);
    double ran = now();
    long after = peak_bytes();
    unsigned total = 0;
    for (int i = 0; i < 64; i++) total += atomic_load(&done[i]);
    if (total != count) return fprintf(stderr, "graph: %u of %u tasks ran\n", total, count), 1;
    printf("{\"who\":\"orch\",\"shape\":\"%s\",\"count\":%u,\"threads\":%u,\"build_s\":%.6f,\"run_s\":%.6f,\"bytes_a_"
           "task\":%.1f}\n",
           argv[1], count, options.threads, built - start, ran - built, (double)(after - before) / count);
    orch_workflow_free(workflow);
    orch_engine_close(engine);
    return 0;
}
