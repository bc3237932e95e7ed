/*
 * names_flow.c - tasks that can never run.
 *
 * A condition that is constantly false is told at the task that has it, once, with what it drags along: telling it for
 * every task behind it would bury the cause.
 */
#include "lang/names.h"

#include "lang/diag_codes.h"

#define NAMED_MAX 3 /* of the tasks that a never-running one drags along */

struct flow {
    struct diags *diags;
    const struct block *block;
    uint32_t *cause;  /* for each task the one because of which it never runs, + 1; 0: it can run */
    uint32_t *behind; /* for each cause how many others it drags along */
    uint32_t (*named)[NAMED_MAX];
};

static struct span task_span(const struct task *task)
{
    return (struct span){task->line, task->column, (uint32_t)utf8_count(task->id)};
}

static void join_check(struct flow *flow, const struct task *task, uint32_t dependencies)
{
    uint32_t needed = task->join == JOIN_AT_LEAST && task->options ? task->options->join_count
                      : task->join == JOIN_ANY_SUCCEEDED           ? 1
                                                                   : 0;
    if (needed <= dependencies) return;
    struct diag *diag;
    if (dependencies == 0) {
        diag = diag_add(flow->diags, DIAG_ERROR, DIAG_JOIN_IMPOSSIBLE, task_span(task),
                        "task \"%.*s\" has a join rule but depends on nothing", STR_ARG(task->id));
        diag_help(flow->diags, diag, "add depends_on, or remove the join");
        return;
    }
    diag = diag_add(flow->diags, DIAG_ERROR, DIAG_JOIN_IMPOSSIBLE, task_span(task),
                    "\"%.*s\" wants %u dependencies to succeed but has %u", STR_ARG(task->id), needed, dependencies);
    diag_help(flow->diags, diag, "at_least may be 1 to %u here", dependencies);
}

/* The cause among the dependencies because of which the join can never be met, + 1; 0 when it can. */
static uint32_t join_cause(const struct flow *flow, const struct task *task)
{
    const struct block *block = flow->block;
    uint32_t possible = 0, first = 0;
    uint32_t start = block->dependency_start[task->index], end = block->dependency_start[task->index + 1];
    for (uint32_t e = start; e < end; e++) {
        uint32_t cause = flow->cause[block->dependencies[e]];
        if (!cause) {
            possible++;
        } else if (!first) {
            first = cause;
        }
    }
    if (!first) return 0;
    switch ((enum join_rule)task->join) {
    case JOIN_ALL_SUCCEEDED: return first;
    case JOIN_ANY_SUCCEEDED: return possible == 0 ? first : 0;
    case JOIN_AT_LEAST: return task->options && possible < task->options->join_count ? first : 0;
    case JOIN_ALL_DONE:
    case JOIN_NONE_FAILED: return 0;
    }
    return 0;
}

static void never_report(struct flow *flow, uint32_t cause)
{
    const struct task *task = &flow->block->tasks[cause];
    struct diag *diag = diag_add(flow->diags, DIAG_WARNING, DIAG_NEVER_RUNS, task_span(task),
                                 "task \"%.*s\" never runs: its `when` is always false", STR_ARG(task->id));
    uint32_t behind = flow->behind[cause];
    if (behind == 0) return;
    struct buf buf;
    buf_init(&buf, NULL, 4096);
    for (uint32_t i = 0; i < behind && i < NAMED_MAX; i++) {
        buf_printf(&buf, "%s\"%.*s\"", i > 0 ? ", " : "", STR_ARG(flow->block->tasks[flow->named[cause][i]].id));
    }
    if (behind > NAMED_MAX) buf_printf(&buf, " and %u more", behind - NAMED_MAX);
    diag_help(flow->diags, diag, "nor do those that wait for it: %.*s; `join: none_failed` would let them",
              STR_ARG(buf_str(&buf)));
    if (buf.failed) flow->diags->failed = true;
    buf_done(&buf);
}

static bool is_always_false(const struct task *task)
{
    struct value value;
    return task->when && expr_is_constant(task->when, &value) && value.kind == VALUE_BOOL && !value.boolean;
}

static void block_check(struct flow *flow)
{
    const struct block *block = flow->block;
    bool any = false;
    for (uint32_t i = 0; i < block->task_count; i++) {
        const struct task *task = &block->tasks[block->order[i]];
        join_check(flow, task, block->dependency_start[task->index + 1] - block->dependency_start[task->index]);
        uint32_t cause = is_always_false(task) ? task->index + 1 : any ? join_cause(flow, task) : 0;
        flow->cause[task->index] = cause;
        if (!cause) continue;
        any = true;
        if (cause == task->index + 1) continue;
        uint32_t behind = flow->behind[cause - 1]++;
        if (behind < NAMED_MAX) flow->named[cause - 1][behind] = task->index;
    }
    for (uint32_t i = 0; any && i < block->task_count; i++) {
        if (flow->cause[i] == i + 1) never_report(flow, i);
    }
}

int names_check_flow(struct reading *reading)
{
    const struct workflow *workflow = reading->workflow;
    for (uint32_t b = 0; b < workflow->block_count; b++) {
        const struct block *block = workflow->blocks[b];
        if (!block->order) continue; /* its graph is wrong, which has been said */
        struct arena_mark mark = arena_mark(reading->scratch);
        struct flow flow = {
            .diags = reading->diags,
            .block = block,
            .cause = ARENA_ARRAY(reading->scratch, block->task_count, uint32_t),
            .behind = ARENA_ARRAY(reading->scratch, block->task_count, uint32_t),
            .named = arena_array(reading->scratch, block->task_count, sizeof(*flow.named)),
        };
        if (!flow.cause || !flow.behind || !flow.named) return ORCH_ERR_NO_MEMORY;
        block_check(&flow);
        arena_rewind(reading->scratch, mark);
    }
    return 0;
}
