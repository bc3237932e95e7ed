/*
 * tasks.c - what follows from a task of the model and one instance of it: join rules, deadlines, how an end counts.
 */
#include "core/internal.h"

bool block_is_wrapped(const struct block *block)
{
    return block->role == BLOCK_BODY && block->owner &&
           (block->owner->kind == TASK_FOR_EACH || block->owner->kind == TASK_REPEAT) && block->task_count == 1 &&
           str_equal(block->owner->id, block->tasks[0].id);
}

const char *block_role_text(enum block_role role)
{
    switch (role) {
    case BLOCK_BODY: return "body";
    case BLOCK_ON_ERROR: return "on_error";
    case BLOCK_COMPENSATE: return "compensate";
    case BLOCK_FINALLY: return "finally";
    }
    return "body";
}

bool block_is_lone_handler(const struct block *block)
{
    return block->role != BLOCK_BODY && block->task_count == 1 &&
           str_is(block->tasks[0].id, block_role_text(block->role));
}

static uint32_t dependency_count(const struct task *task)
{
    return task->block->dependency_start[task->index + 1] - task->block->dependency_start[task->index];
}

enum verdict join_verdict(const struct core_instance *instance)
{
    const struct task *task = instance->task;
    enum verdict skip = instance->missed > 0 ? VERDICT_SKIP_DEPENDENCY : VERDICT_SKIP_WHEN;
    uint32_t needed = 1;

    switch ((enum join_rule)task->join) {
    case JOIN_ALL_SUCCEEDED:
        if (instance->unmet > 0) return VERDICT_WAIT;
        return instance->succeeded == dependency_count(task) ? VERDICT_GO : skip;
    case JOIN_ALL_DONE: return instance->unmet > 0 ? VERDICT_WAIT : VERDICT_GO;
    case JOIN_NONE_FAILED:
        if (instance->unmet > 0) return VERDICT_WAIT;
        return instance->missed > 0 ? VERDICT_SKIP_DEPENDENCY : VERDICT_GO;
    case JOIN_AT_LEAST: needed = task->options ? task->options->join_count : 1; break;
    case JOIN_ANY_SUCCEEDED: break;
    }
    /* A task without dependencies has none to wait for, whatever its rule. */
    if (instance->succeeded >= needed || dependency_count(task) == 0) return VERDICT_GO;
    return instance->unmet > 0 ? VERDICT_WAIT : skip;
}

enum worth instance_worth(const struct core_instance *instance)
{
    switch ((enum task_state)instance->state) {
    case TASK_SUCCEEDED:
    case TASK_COMPENSATING:
    case TASK_COMPENSATED: return WORTH_SUCCESS;
    case TASK_FAILED:
    case TASK_CANCELLED:
    case TASK_TIMED_OUT:
        /* It had succeeded when it ended; undoing it is what failed. */
        if (instance->detail && instance->detail->inner && instance->detail->inner->phase == PHASE_COMPENSATE)
            return WORTH_SUCCESS;
        return instance->task->continue_on_error ? WORTH_SUCCESS : WORTH_MISSED;
    case TASK_SKIPPED: return instance->reason == REASON_WHEN ? WORTH_NOTHING : WORTH_MISSED;
    case TASK_PENDING:
    case TASK_READY:
    case TASK_WAITING:
    case TASK_RUNNING: break;
    }
    return WORTH_NOTHING;
}

orch_time time_add(orch_time a, orch_time b)
{
    orch_time sum;
    return __builtin_add_overflow(a, b, &sum) || sum == ORCH_TIME_NEVER ? ORCH_TIME_NEVER - 1 : sum;
}

orch_time task_deadline_total(const struct task *task, orch_time started_at)
{
    return task->options && task->options->timeout_total_us > 0 ? time_add(started_at, task->options->timeout_total_us)
                                                                : ORCH_TIME_NEVER;
}

orch_time task_deadline(const struct task *task, orch_time started_at, orch_time attempt_at)
{
    orch_time total = task_deadline_total(task, started_at);
    if (!task->options || task->options->timeout_us <= 0) return total;
    orch_time one = time_add(attempt_at, task->options->timeout_us);
    return one < total ? one : total;
}
