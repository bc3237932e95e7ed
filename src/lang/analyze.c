/* analyze.c - what a workflow's graph is like. */
#include "base/error.h"
#include "lang/model.h"

/* From the task with the longest way to go, always to one whose way is one shorter. */
static int critical_path_find(const struct block *block, struct arena *arena, struct analysis *ret)
{
    if (block->task_count == 0) return 0;
    uint32_t at = 0;
    for (uint32_t i = 1; i < block->task_count; i++) {
        if (block->tasks[i].rank > block->tasks[at].rank) at = i;
    }
    uint32_t count = block->tasks[at].rank;
    const struct task **path = ARENA_ARRAY(arena, count, const struct task *);
    if (!path) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        path[i] = &block->tasks[at];
        for (uint32_t e = block->successor_start[at]; e < block->successor_start[at + 1]; e++) {
            if (block->tasks[block->successors[e]].rank + 1 != path[i]->rank) continue;
            at = block->successors[e];
            break;
        }
    }
    ret->critical_path = path;
    ret->critical_path_count = count;
    return 0;
}

int workflow_analyze(const struct workflow *workflow, struct arena *arena, struct analysis *ret, struct orch_error *err)
{
    struct analysis analysis = {.level_count = workflow->body->level_count, .width = workflow->body->width};
    for (uint32_t i = 0; i < workflow->block_count; i++) {
        const struct block *block = workflow->blocks[i];
        if (!block_is_wrapping(block)) analysis.task_count += block->task_count;
        analysis.edge_count += block->dependency_start[block->task_count];
    }
    int rc = critical_path_find(workflow->body, arena, &analysis);
    if (rc < 0) return error_memory(err);
    *ret = analysis;
    return 0;
}
