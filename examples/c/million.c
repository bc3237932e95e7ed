/*
 * million.c - a graph of a million functions in memory: a table in which each cell waits for the one above it and the
 * one to its left.
 *
 *   ./million [SIDE]       1000 when not given: 1000 x 1000
 */
#include <orch/orch.h>

#include <stdio.h>
#include <stdlib.h>

static uint32_t side = 1000;
static uint64_t *cells; /* ways to come from the first cell to each, modulo a prime */

static int add_up(struct orch_call *call, void *user)
{
    uint64_t *cell = (uint64_t *)user;
    size_t at = (size_t)(cell - cells);
    (void)call;
    uint64_t above = at >= side ? cells[at - side] : 0, left = at % side ? cells[at - 1] : 0;
    *cell = at == 0 ? 1 : (above + left) % 1000000007u;
    return 0;
}

int main(int argc, char **argv)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct orch_summary summary = ORCH_SUMMARY_INIT;
    struct orch_engine *engine = NULL;
    struct orch_workflow *workflow = NULL;
    struct orch_execution *execution = NULL;
    int r;

    if (argc > 1) side = (uint32_t)strtoul(argv[1], NULL, 10);
    cells = (uint64_t *)calloc((size_t)side * side, sizeof *cells);
    if (!cells) return 1;
    r = orch_engine_open(NULL, NULL, &engine, &err);
    if (!r) r = orch_workflow_new("million", NULL, &workflow, &err);
    for (uint32_t i = 0; i < side * side && !r; i++) {
        r = orch_workflow_add_function(workflow, NULL, add_up, &cells[i], NULL, &err);
        if (!r && i >= side) r = orch_workflow_depend(workflow, i, i - side, &err);
        if (!r && i % side) r = orch_workflow_depend(workflow, i, i - 1, &err);
    }
    if (!r) r = orch_execution_run(engine, workflow, NULL, &execution, &err);
    if (!r) r = orch_execution_get_summary(execution, &summary, &err);
    if (!r)
        printf("%u tasks %s, the last cell is %llu\n", summary.tasks_succeeded,
               orch_execution_state_name(summary.state), (unsigned long long)cells[side * side - 1]);
    if (r) fprintf(stderr, "million: %s\n", err.message);
    orch_execution_free(execution);
    orch_workflow_free(workflow);
    orch_engine_close(engine);
    free(cells);
    return r ? 1 : 0;
}
