/*
 * plan.c - a definition of very many tasks: read, checked and begun (the state of an execution made, everything that
 * may start found), and what it takes of memory.
 *
 * usage: plan [tasks [rounds]]
 *
 * Each task is a program and depends on the one 1,000 before it. Memory is what the process has more than before, with
 * the text of the definition not counted; once after reading (model), once with the execution as well.
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "core/core.h"
#include "plain.h"

#define ROUNDS_MAX 21

/* Bytes that are in use, mapped blocks included. */
static double in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return (double)(info.uordblks + info.hblkhd);
}

static char *make_text(long count, size_t *ret_size)
{
    size_t capacity = 64 + (size_t)count * 64, size;
    char *text = malloc(capacity);
    if (!text) bench_die("text", "out of memory");
    size = (size_t)snprintf(text, capacity, "name: large\ntasks:\n");
    for (long i = 0; i < count; i++) {
        size += (size_t)snprintf(text + size, capacity - size, "  t%ld: {exec: [/bin/true]", i);
        if (i >= 1000) size += (size_t)snprintf(text + size, capacity - size, ", depends_on: [t%ld]", i - 1000);
        size += (size_t)snprintf(text + size, capacity - size, "}\n");
    }
    *ret_size = size;
    return text;
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
    int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 3;
    double read_s[ROUNDS_MAX], plan_s[ROUNDS_MAX], model = 0, all = 0;
    size_t size;
    char *text = make_text(count, &size);
    if (rounds < 1 || rounds > ROUNDS_MAX) bench_die("rounds", "1 to 21");
    for (int round = 0; round < rounds; round++) {
        struct arena arena, turn;
        struct orch_error err = ORCH_ERROR_INIT;
        const struct workflow *workflow;
        double before = in_use(), begin = bench_cpu();
        arena_init(&arena, NULL, 0);
        arena_init(&turn, NULL, 0);
        struct diags *diags = ARENA_NEW(&arena, struct diags);
        if (!diags) bench_die("read", "out of memory");
        diags_init(diags, &arena);
        if (workflow_read(str_of(text, size), STR("large.yaml"), &arena, diags, &workflow))
            bench_die("read", diags->count ? diags->items[0].message.data : "out of memory");
        read_s[round] = bench_cpu() - begin;
        model = in_use() - before;
        begin = bench_cpu();
        struct core_env env = {0};
        struct core *core = core_new(workflow, 1, &env, NULL);
        struct core_transitions transitions = {0};
        struct core_input input = {
            .type = INPUT_START,
            .now = 1,
            .instance = CORE_NONE,
            .start = {.parameters = {.kind = VALUE_MAP}, .env = {.kind = VALUE_MAP}, .id = STR("r-1")}};
        if (!core || core_step(core, &input, &turn, &transitions, &err)) bench_die("start", err.message);
        plan_s[round] = bench_cpu() - begin;
        arena_done(&turn); /* recorded, and gone */
        all = in_use() - before;
        core = core_free(core);
        arena_done(&arena);
    }
    double read = bench_median(read_s, rounds), plan = bench_median(plan_s, rounds);
    (void)printf(
        "%ld tasks, %.0f MB of YAML: read and checked %.2f s, begun %.2f s (CPU time); memory %.0f bytes a task read, "
        "%.0f begun\n",
        count, (double)size / 1e6, read, plan, model / (double)count, all / (double)count);
    (void)printf("{\"bench\":\"plan\",\"tasks\":%ld,\"rounds\":%d,\"read_s\":%.3f,\"begin_s\":%.3f,\"bytes_read\":%.0f,"
                 "\"bytes_begun\":%.0f}\n",
                 count, rounds, read, plan, model / (double)count, all / (double)count);
    free(text);
    return 0;
}
