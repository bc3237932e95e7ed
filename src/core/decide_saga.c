/*
 * decide_saga.c - what follows the body of an execution: on_error, the undoing of what had succeeded, finally, the end.
 */
#include "core/internal.h"

static bool is_running(const struct core *core, uint32_t frame)
{
    return frame != CORE_NONE && frame_at(core, frame)->state == TASK_RUNNING;
}

static bool has_failed(const struct core *core)
{
    return core->outcome == EXECUTION_FAILED || core->outcome == EXECUTION_TIMED_OUT;
}

/* The latest to complete is undone first, one at a time. */
static int undo_next(struct step *step)
{
    struct core *core = step->core;

    if (core->phase != PHASE_COMPENSATE) {
        struct core_transition *t = step_add(step, TRANSITION_COMPENSATION_STARTED, CORE_NONE);
        if (!t) return ORCH_ERR_NO_MEMORY;
        t->count = core->lists[LIST_UNDO].count;
        int rc = step_fold(step);
        if (rc < 0) return rc;
    }
    uint32_t number = core->lists[LIST_UNDO].last;
    int rc = step_tell(step, TRANSITION_TASK_COMPENSATING, number);
    return rc < 0 ? rc : frame_open(step, number, BLOCK_COMPENSATE, 0);
}

static struct orch_str undo_error(struct step *step)
{
    const struct core *core = step->core;
    struct buf buf;

    buf_init(&buf, core->allocator, 0);
    buf_add_text(&buf, "compensation of ");
    core_path(core, core->undo_failed, &buf);
    buf_add_text(&buf, " failed: ");
    buf_add(&buf, instance_at(core, core->undo_failed)->detail->error);
    return step_take(step, &buf);
}

static int execution_end(struct step *step)
{
    struct core *core = step->core;
    enum execution_state state = (enum execution_state)core->outcome;
    enum failure failure = (enum failure)core->failure;
    struct orch_str error = core->error, output = core->output;

    if (has_failed(core) && core->undone > 0) state = EXECUTION_COMPENSATED;
    if (core->undo_failed != CORE_NONE) {
        state = EXECUTION_FAILED;
        failure = FAILURE_CHILD;
        error = undo_error(step);
    } else if (core->phase == PHASE_FINALLY && frame_at(core, core->handler)->state != TASK_SUCCEEDED &&
               (state == EXECUTION_SUCCEEDED || state == EXECUTION_COMPENSATED)) {
        /* What was to be cleaned up was not: that must not look well. */
        MARK("finally fails a run that was well");
        state = EXECUTION_FAILED;
        failure = FAILURE_CHILD;
        error = core->finally_error;
    }
    struct core_transition *t = step_add(step, TRANSITION_EXECUTION_ENDED, CORE_NONE);
    if (!t) return ORCH_ERR_NO_MEMORY;
    t->state = (uint8_t)state;
    t->failure = (uint8_t)failure;
    t->error = error;
    if (state == EXECUTION_SUCCEEDED) {
        /* Since the body's end there may have been a restart, and then a large one is in its blob only. */
        t->output = output;
        t->blob = core->output_blob;
        t->blob_size = core->output_blob_size;
    }
    return step_fold(step);
}

int execution_examine(struct step *step)
{
    struct core *core = step->core;
    const struct workflow *workflow = core->workflow;
    /* While paused nothing begins; the end may come when there is nothing to begin. */
    bool paused = core->state == EXECUTION_PAUSED;

    if (core->state == EXECUTION_PENDING || execution_state_is_terminal(core->state) || core->frames.count == 0)
        return 0;
    if (is_running(core, 0) || is_running(core, core->handler) || core->undoing != CORE_NONE) return 0;
    if (core->phase == PHASE_BODY && workflow->on_error && has_failed(core)) {
        MARK("on_error of the workflow");
        return paused ? 0 : frame_open(step, CORE_NONE, BLOCK_ON_ERROR, 0);
    }
    if (core->phase != PHASE_FINALLY) {
        if (core->outcome != EXECUTION_SUCCEEDED && core->lists[LIST_UNDO].count > 0)
            return paused ? 0 : undo_next(step);
        if (workflow->finally) return paused ? 0 : frame_open(step, CORE_NONE, BLOCK_FINALLY, 0);
    }
    return execution_end(step);
}
