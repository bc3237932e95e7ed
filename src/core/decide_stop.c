/*
 * decide_stop.c - stopping and holding back: cancel, timeouts, fail_fast, pause. And what else a deadline brings.
 *
 * What is stopped: what has not begun is skipped, what waits is cancelled, an attempt is told to stop and ends when its
 * provider says so, a block is stopped inside and then runs its `finally`. Blocks that clean up (finally, compensate)
 * are not stopped.
 *
 * Cancel. While the body or the workflow's on_error runs, both are stopped; compensations and finally follow. When it
 * comes later, while compensations or finally run already, they go on, since half a clean-up helps nobody; but what
 * waits in them at that moment is cancelled, and the execution ends as cancelled. A second cancel changes nothing.
 */
#include "core/internal.h"

/* ---- stopping ---- */

int stop_frame(struct step *step, uint32_t number)
{
    const struct core_frame *frame = frame_at(step->core, number);

    for (uint32_t i = 0; i < frame->block->task_count; i++) {
        int rc = stop_instance(step, frame->first + i, FAILURE_CANCELLED);
        if (rc < 0) return rc;
    }
    return 0;
}

static int stop_running(struct step *step, uint32_t number, enum failure why)
{
    struct core *core = step->core;
    const struct core_instance *instance = instance_at(core, number);

    /* A block's clean-up runs to its end. */
    const struct core_inner *inner = instance->detail ? instance->detail->inner : NULL;
    bool attempt = instance->list == LIST_RUNNING;
    if (!attempt && inner && inner->phase == PHASE_FINALLY) MARK("a stop leaves a group's clean-up alone");
    if (instance->stopping || (!attempt && inner && inner->phase == PHASE_FINALLY)) return 0;
    struct core_transition *t = step_add(step, TRANSITION_ATTEMPT_STOPPING, number);
    if (!t) return ORCH_ERR_NO_MEMORY;
    t->attempt = instance->attempt;
    t->failure = (uint8_t)why;
    int rc = step_fold(step);
    if (attempt) return rc;
    for (uint32_t i = instance->detail->frame_first; rc == 0 && i != CORE_NONE; i = frame_at(core, i)->next_of)
        if (frame_at(core, i)->state == TASK_RUNNING) rc = stop_frame(step, i);
    return rc;
}

int stop_instance(struct step *step, uint32_t number, enum failure why)
{
    const struct core_instance *instance = instance_at(step->core, number);
    struct failing failing = {.failure = FAILURE_CANCELLED};

    switch ((enum task_state)instance->state) {
    case TASK_PENDING: return task_skip(step, number, REASON_STOPPED, FAILURE_NONE);
    case TASK_READY:
        if (!instance->detail || instance->detail->started_at == 0)
            return task_skip(step, number, REASON_STOPPED, FAILURE_NONE);
        return task_end(step, number, TASK_CANCELLED, &failing);
    case TASK_WAITING: return task_end(step, number, TASK_CANCELLED, &failing);
    case TASK_RUNNING: return stop_running(step, number, why);
    case TASK_SUCCEEDED:
    case TASK_FAILED:
    case TASK_SKIPPED:
    case TASK_CANCELLED:
    case TASK_TIMED_OUT:
    case TASK_COMPENSATING:
    case TASK_COMPENSATED: break;
    }
    return 0;
}

int stop_execution(struct step *step, enum execution_state state, enum failure failure, struct orch_str error)
{
    struct core *core = step->core;
    struct core_transition *t = step_add(step, TRANSITION_EXECUTION_STOPPING, CORE_NONE);

    if (!t) return ORCH_ERR_NO_MEMORY;
    t->state = (uint8_t)state;
    t->failure = (uint8_t)failure;
    t->error = error;
    t->by = step->by;
    int rc = step_fold(step);
    if (rc == 0 && frame_at(core, 0)->state == TASK_RUNNING) rc = stop_frame(step, 0);
    if (rc == 0 && core->phase == PHASE_ON_ERROR && frame_at(core, core->handler)->state == TASK_RUNNING)
        rc = stop_frame(step, core->handler);
    if (core->phase == PHASE_COMPENSATE) MARK("stopped while compensating");
    /* Stopping ends a pause: what cleans up, and was held back by it, begins. */
    return rc == 0 ? begin_held_back(step) : rc;
}

/* ---- cancel ---- */

/* Cancels what waits inside a frame that cleans up. Recursive by nesting, which the reader bounds. */
static int cancel_waits(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    const struct core_frame *frame = frame_at(core, number);

    for (uint32_t i = 0; i < frame->block->task_count; i++) {
        const struct core_instance *instance = instance_at(core, frame->first + i);
        int rc = 0;
        if (instance->state == TASK_WAITING) {
            rc = stop_instance(step, frame->first + i, FAILURE_CANCELLED);
        } else if (instance->state == TASK_RUNNING && instance->detail) {
            for (uint32_t k = instance->detail->frame_first; rc == 0 && k != CORE_NONE; k = frame_at(core, k)->next_of)
                if (frame_at(core, k)->state == TASK_RUNNING) rc = cancel_waits(step, k);
        }
        if (rc < 0) return rc;
    }
    return 0;
}

int decide_cancel(struct step *step, const struct core_input *input)
{
    struct core *core = step->core;

    if (execution_state_is_terminal(core->state))
        return error_set(step->err, ORCH_ERR_STATE, "the execution is over (%s)",
                         execution_state_to_string((enum execution_state)core->state));
    if (core->stopping) MARK("cancelled while stopping");
    if (core->state == EXECUTION_PAUSED) MARK("cancelled while paused");
    if (core->stopping && core->outcome == EXECUTION_CANCELLED) return 0;
    int rc = stop_execution(step, EXECUTION_CANCELLED, FAILURE_CANCELLED, input->cancel.reason);
    if (rc < 0) return rc;
    if (core->phase == PHASE_FINALLY && frame_at(core, core->handler)->state == TASK_RUNNING) {
        MARK("cancelled while finally runs");
        return cancel_waits(step, core->handler);
    }
    if (core->phase != PHASE_COMPENSATE || core->undoing == CORE_NONE) return 0;
    const struct core_inner *inner = instance_at(core, core->undoing)->detail->inner;
    return inner && inner->phase == PHASE_COMPENSATE ? cancel_waits(step, inner->handler) : 0;
}

/* ---- deadlines ---- */

static int timed_out(struct step *step, uint32_t number)
{
    struct failing failing = {.failure = FAILURE_TIMEOUT};
    const struct core_instance *instance = instance_at(step->core, number);

    MARK("a wait times out");
    failing.error = timed_out_after(step, instance);
    return task_fail(step, number, &failing);
}

static int waiting_due(struct step *step, uint32_t number)
{
    const struct core_instance *instance = instance_at(step->core, number);

    switch ((enum reason)instance->reason) {
    case REASON_TIMER:
        return instance->failure == FAILURE_TIMEOUT ? timed_out(step, number) : task_succeed(step, number, STR_NONE);
    case REASON_EVENT:
    case REASON_APPROVAL: return timed_out(step, number);
    case REASON_DELAY:
        if (instance->failure == FAILURE_TIMEOUT) return timed_out(step, number);
        if (step->core->state == EXECUTION_PAUSED) return step_tell(step, TRANSITION_TASK_READY, number);
        return repeat_continue(step, number);
    case REASON_BACKOFF:
        if (step->core->state == EXECUTION_PAUSED) return step_tell(step, TRANSITION_TASK_READY, number);
        return task_begin(step, number);
    case REASON_NONE:
    case REASON_HELD:
    case REASON_WHEN:
    case REASON_DEPENDENCY:
    case REASON_STOPPED: break;
    }
    ORCH_ASSERT(!"nothing else waits for a moment");
    return ORCH_ERR_INTERNAL;
}

static int instance_due(struct step *step, uint32_t number)
{
    const struct core_instance *instance = instance_at(step->core, number);

    switch ((enum task_state)instance->state) {
    case TASK_WAITING: return waiting_due(step, number);
    case TASK_RUNNING: MARK("an attempt or block times out"); return stop_running(step, number, FAILURE_TIMEOUT);
    case TASK_READY: MARK("timed out while ready"); return timed_out(step, number);
    case TASK_PENDING:
    case TASK_SUCCEEDED:
    case TASK_FAILED:
    case TASK_SKIPPED:
    case TASK_CANCELLED:
    case TASK_TIMED_OUT:
    case TASK_COMPENSATING:
    case TASK_COMPENSATED: break;
    }
    ORCH_ASSERT(!"what is over has no deadline");
    return ORCH_ERR_INTERNAL;
}

static int execution_due(struct step *step)
{
    struct buf limit;

    buf_init(&limit, step->core->allocator, 0);
    buf_add_text(&limit, "the whole execution timed out after ");
    duration_format(step->core->workflow->timeout_us, &limit);
    return stop_execution(step, EXECUTION_TIMED_OUT, FAILURE_TIMEOUT, step_take(step, &limit));
}

int decide_timer(struct step *step)
{
    struct core *core = step->core;
    struct timers *timers = &core->timers;
    /* What is set on the way is for another time, so that this one ends. */
    uint64_t order_max = timers->order;

    while (timers->count > 0 && timers->heap[0].due <= step->now && timers->heap[0].order <= order_max) {
        uint64_t order = timers->heap[0].order;
        uint32_t number = timers->heap[0].instance;
        int rc = number != CORE_NONE ? instance_due(step, number) : execution_due(step);
        if (rc < 0) return rc;
        ORCH_ASSERT(timers->count == 0 || timers->heap[0].order != order);
    }
    return 0;
}

/* ---- pause ---- */

int decide_pause(struct step *step)
{
    struct core *core = step->core;

    if (core->state == EXECUTION_PAUSED) return 0;
    if (core->state != EXECUTION_RUNNING || core->stopping)
        return error_set(step->err, ORCH_ERR_STATE, "the execution is %s",
                         core->stopping && core->state == EXECUTION_RUNNING
                             ? "stopping"
                             : execution_state_to_string((enum execution_state)core->state));
    struct core_transition *t = step_add(step, TRANSITION_EXECUTION_PAUSED, CORE_NONE);
    if (!t) return ORCH_ERR_NO_MEMORY;
    t->by = step->by;
    return step_fold(step);
}

/* What became ready meanwhile and needs no admission begins now. Providers' tasks are admitted as always. */
int begin_held_back(struct step *step)
{
    struct core *core = step->core;
    uint32_t count = 0;
    uint32_t *held = ARENA_ARRAY(step->arena, core->lists[LIST_READY].count, uint32_t);

    if (!held) return error_memory(step->err);
    for (uint32_t i = core->lists[LIST_READY].first; i != CORE_NONE; i = instance_at(core, i)->next)
        if (!task_is_external(instance_at(core, i)->task)) held[count++] = i;
    if (count > 0) MARK("what a pause held back begins");
    for (uint32_t i = 0; i < count; i++) {
        int rc = task_begin(step, held[i]);
        if (rc < 0) return rc;
    }
    return 0;
}

int decide_resume(struct step *step)
{
    struct core *core = step->core;

    if (execution_state_is_terminal(core->state))
        return error_set(step->err, ORCH_ERR_STATE, "the execution is over (%s)",
                         execution_state_to_string((enum execution_state)core->state));
    if (core->state != EXECUTION_PAUSED) return 0;
    struct core_transition *t = step_add(step, TRANSITION_EXECUTION_RESUMED, CORE_NONE);
    if (!t) return ORCH_ERR_NO_MEMORY;
    t->by = step->by;
    int rc = step_fold(step);
    return rc < 0 ? rc : begin_held_back(step);
}
