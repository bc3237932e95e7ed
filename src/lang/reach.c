/* reach.c - which tasks of a block come before which. */
#include "lang/reach.h"

#define STEPS_MAX_USUAL UINT64_C(200000000)
#define NONE            UINT32_MAX

struct reach_block {
    uint32_t *level; /* longest chain before a task */
    uint32_t *first; /* a task's number in its tree of the forest; those below it have [first, end) */
    uint32_t *end;
    uint32_t *mark; /* the search in which a task was seen last */
    uint32_t *stack;
    uint32_t search;
};

int reach_init(struct reach *reach, const struct workflow *workflow, struct arena *scratch, uint64_t steps_max)
{
    *reach = (struct reach){.workflow = workflow, .scratch = scratch};
    reach->steps_max = steps_max ? steps_max : STEPS_MAX_USUAL;
    reach->blocks = ARENA_ARRAY(scratch, workflow->block_count, struct reach_block *);
    return reach->blocks ? 0 : ORCH_ERR_NO_MEMORY;
}

/*
 * Levels, and a forest in which each task hangs below the dependency with the highest level. Sizes of subtrees, summed
 * up against the order, give each task a run of numbers for itself and what hangs below it.
 */
static void forest_build(const struct block *block, struct reach_block *data)
{
    uint32_t *parent = data->mark, *size = data->stack; /* used for the searches later */
    uint32_t n = block->task_count;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t task = block->order[i];
        parent[task] = NONE;
        size[task] = 1;
        for (uint32_t e = block->dependency_start[task]; e < block->dependency_start[task + 1]; e++) {
            uint32_t to = block->dependencies[e];
            if (data->level[to] + 1 <= data->level[task]) continue;
            data->level[task] = data->level[to] + 1;
            parent[task] = to;
        }
    }
    for (uint32_t i = n; i-- > 0;) {
        uint32_t task = block->order[i];
        if (parent[task] != NONE) size[parent[task]] += size[task];
    }
    uint32_t next = 0; /* of the roots; below, end[] is where a task's next child begins */
    for (uint32_t i = 0; i < n; i++) {
        uint32_t task = block->order[i];
        uint32_t *from = parent[task] == NONE ? &next : &data->end[parent[task]];
        data->first[task] = *from;
        *from += size[task];
        data->end[task] = data->first[task] + 1;
    }
    memset(data->mark, 0, (size_t)n * sizeof(*data->mark));
}

static struct reach_block *block_prepare(struct reach *reach, const struct block *block)
{
    if (reach->blocks[block->number]) return reach->blocks[block->number];
    struct reach_block *data = ARENA_NEW(reach->scratch, struct reach_block);
    size_t n = block->task_count;
    uint32_t *rows = ARENA_ARRAY(reach->scratch, 5 * n, uint32_t);
    if (!data || !rows) return NULL;
    *data = (struct reach_block){rows, rows + n, rows + 2 * n, rows + 3 * n, rows + 4 * n, 0};
    forest_build(block, data);
    reach->blocks[block->number] = data;
    return data;
}

static bool is_direct(const struct block *block, uint32_t before, uint32_t task)
{
    uint32_t low = block->dependency_start[task], high = block->dependency_start[task + 1];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (block->dependencies[middle] == before) return true;
        if (block->dependencies[middle] < before) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

/* Depth first: where paths are many, one is soon found. */
static enum reach_answer search(struct reach *reach, const struct block *block, struct reach_block *data,
                                uint32_t before, uint32_t task)
{
    uint32_t size = 0;
    data->search++;
    data->stack[size++] = task;
    data->mark[task] = data->search;
    while (size > 0) {
        uint32_t at = data->stack[--size];
        for (uint32_t e = block->dependency_start[at]; e < block->dependency_start[at + 1]; e++) {
            uint32_t to = block->dependencies[e];
            if (data->first[to] >= data->first[before] && data->first[to] < data->end[before]) return REACH_YES;
            if (++reach->steps > reach->steps_max) return REACH_UNKNOWN;
            if (data->level[to] <= data->level[before] || data->mark[to] == data->search) continue;
            data->mark[to] = data->search;
            data->stack[size++] = to;
        }
    }
    return REACH_NO;
}

int reach_find(struct reach *reach, const struct block *block, uint32_t before, uint32_t task, enum reach_answer *ret)
{
    if (is_direct(block, before, task)) {
        *ret = REACH_YES;
        return 0;
    }
    if (before == task || block->dependency_start[task] == block->dependency_start[task + 1]) {
        *ret = REACH_NO;
        return 0;
    }
    struct reach_block *data = block_prepare(reach, block);
    if (!data) return ORCH_ERR_NO_MEMORY;
    if (data->level[before] >= data->level[task]) {
        *ret = REACH_NO;
    } else {
        *ret = search(reach, block, data, before, task);
    }
    return 0;
}
