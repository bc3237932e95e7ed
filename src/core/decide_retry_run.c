/*
 * decide_retry_run.c - a person has a finished execution run again: what failed and what follows it, or one task and
 * what follows it.
 *
 * A leaf runs anew. A block that has something inside that is to run again is *taken up* again: it keeps what succeeded
 * in it. What comes after a task that runs again runs anew as a whole, blocks too, since what it saw may be different
 * now. Handlers (on_error, finally, compensate) are no part of this: they run again when there is reason to.
 *
 * While an execution runs there is one use for it: a task that is held after an interruption may go on.
 */
#include "core/internal.h"

enum redo { REDO_NOT, REDO_TAKE_UP, REDO_ANEW };

struct again {
    struct step *step;
    bool *on_way; /* by instance: the task to begin with, or a block around it; NULL: what failed is looked for */
    uint32_t from;
};

static bool was_undone(const struct core_instance *instance)
{
    return instance->detail && instance->detail->inner && instance->detail->inner->phase == PHASE_COMPENSATE;
}

/* Whether it or something inside of it was undone, or was to be. Recursive by nesting, which the reader bounds. */
static bool has_undone(const struct core *core, uint32_t number)
{
    const struct core_instance *instance = instance_at(core, number);

    if (was_undone(instance)) return true;
    for (uint32_t i = instance->detail ? instance->detail->frame_first : CORE_NONE; i != CORE_NONE;
         i = frame_at(core, i)->next_of) {
        const struct core_frame *frame = frame_at(core, i);
        if (frame->dropped || frame->role != BLOCK_BODY) continue;
        for (uint32_t k = 0; k < frame->block->task_count; k++)
            if (has_undone(core, frame->first + k)) return true;
    }
    return false;
}

static bool has_bodies(const struct core *core, const struct core_instance *instance)
{
    for (uint32_t i = instance->detail ? instance->detail->frame_first : CORE_NONE; i != CORE_NONE;
         i = frame_at(core, i)->next_of)
        if (frame_at(core, i)->role == BLOCK_BODY) return true;
    return false;
}

/* Whether what has run inside a block can be kept. */
static bool can_take_up(const struct again *again, uint32_t number)
{
    const struct core *core = again->step->core;
    const struct core_instance *instance = instance_at(core, number);

    if (instance->task->kind == TASK_LEAF || was_undone(instance) || !has_bodies(core, instance)) return false;
    if (instance->task->kind != TASK_REPEAT || (again->on_way && again->on_way[number])) return true;
    /* Iterations build on each other; one that ended well and was not enough would not be enough again. */
    if (has_undone(core, number)) return false;
    return frame_at(core, instance->detail->inner->body)->state != TASK_SUCCEEDED || instance->state == TASK_CANCELLED;
}

static enum redo redo_of(const struct again *again, uint32_t number)
{
    const struct core_instance *instance = instance_at(again->step->core, number);
    bool wanted = false;

    if (again->on_way) {
        if (number == again->from) return REDO_ANEW;
        return again->on_way[number] ? REDO_TAKE_UP : REDO_NOT;
    }
    switch ((enum task_state)instance->state) {
    case TASK_FAILED:
    case TASK_CANCELLED:
    case TASK_TIMED_OUT:
    case TASK_COMPENSATED: wanted = true; break;
    case TASK_SKIPPED: wanted = instance->reason != REASON_WHEN; break;
    case TASK_SUCCEEDED: wanted = has_undone(again->step->core, number); break;
    case TASK_PENDING:
    case TASK_READY:
    case TASK_WAITING:
    case TASK_RUNNING:
    case TASK_COMPENSATING: break;
    }
    if (!wanted) return REDO_NOT;
    return can_take_up(again, number) ? REDO_TAKE_UP : REDO_ANEW;
}

static int frame_redo(struct again *again, uint32_t number);

/* Whether a body frame of a block that is taken up has something in it that is to run. */
static bool frame_wanted(const struct again *again, const struct core_frame *frame)
{
    if (!again->on_way && frame->state != TASK_SUCCEEDED) return true;
    for (uint32_t i = 0; i < frame->block->task_count; i++)
        if (again->on_way ? again->on_way[frame->first + i] : has_undone(again->step->core, frame->first + i))
            return true;
    return false;
}

static int frame_take_up(struct again *again, uint32_t number, uint32_t at)
{
    struct step *step = again->step;
    struct core_transition *t = step_add(step, TRANSITION_FRAME_OPENED, number);

    if (!t) return ORCH_ERR_NO_MEMORY;
    t->frame = at;
    t->index = frame_at(step->core, at)->index;
    int rc = step_fold(step);
    return rc < 0 ? rc : frame_redo(again, at);
}

/* From a frame on, the first one of a loop that is to run again; CORE_NONE. */
static uint32_t loop_next(const struct again *again, uint32_t at)
{
    const struct core *core = again->step->core;

    for (; at != CORE_NONE; at = frame_at(core, at)->next_of) {
        const struct core_frame *frame = frame_at(core, at);
        if (frame->role == BLOCK_BODY && !frame->dropped && frame->state != TASK_RUNNING && frame_wanted(again, frame))
            break;
    }
    return at;
}

int loop_redo_next(struct step *step, uint32_t number)
{
    struct again again = {.step = step, .from = CORE_NONE};
    uint32_t at = loop_next(&again, instance_at(step->core, number)->detail->inner->redo_at);

    if (at == CORE_NONE) return error_set(step->err, ORCH_ERR_CORRUPT, "an item that was to run again is not there");
    return frame_take_up(&again, number, at);
}

static int take_up(struct again *again, uint32_t number)
{
    struct step *step = again->step;
    struct core *core = step->core;
    const struct core_instance *instance = instance_at(core, number);
    bool is_loop = instance->task->kind == TASK_FOR_EACH;
    uint32_t count = 0;

    /* The items of a loop are taken up as its limit lets them, when it is examined; on the way to a task there is one.
     */
    for (uint32_t i = instance->detail->frame_first; is_loop && !again->on_way;
         i = frame_at(core, i)->next_of, count++) {
        i = loop_next(again, i);
        if (i == CORE_NONE) break;
    }
    struct core_transition *t = step_add(step, TRANSITION_TASK_RESET, number);
    if (!t) return ORCH_ERR_NO_MEMORY;
    t->state = TASK_RUNNING;
    t->count = count;
    int rc = step_fold(step);
    if (rc < 0 || count > 0) return rc;
    /* Of a group's attempts and a repeat's iterations the latest counts. */
    uint32_t at = is_loop ? loop_next(again, instance_at(core, number)->detail->frame_first)
                          : instance_at(core, number)->detail->inner->body;
    if (at == CORE_NONE || frame_at(core, at)->state == TASK_RUNNING || !frame_wanted(again, frame_at(core, at)))
        return 0;
    return frame_take_up(again, number, at);
}

/* Recursive by nesting, which the reader bounds. */
static int frame_redo(struct again *again, uint32_t number)
{
    struct step *step = again->step;
    const struct core_frame *frame = frame_at(step->core, number);
    const struct block *block = frame->block;
    bool *changed = ARENA_ARRAY(step->arena, block->task_count, bool);

    if (!changed) return error_memory(step->err);
    for (uint32_t k = 0; k < block->task_count; k++) {
        uint32_t index = block->order[k];
        enum redo redo = redo_of(again, frame->first + index);
        for (uint32_t i = block->dependency_start[index]; i < block->dependency_start[index + 1]; i++)
            if (changed[block->dependencies[i]]) redo = REDO_ANEW;
        if (redo == REDO_NOT) continue;
        changed[index] = true;
        int rc = redo == REDO_TAKE_UP ? take_up(again, frame->first + index)
                                      : step_tell(step, TRANSITION_TASK_RESET, frame->first + index);
        if (rc < 0) return rc;
    }
    return 0;
}

/* Frames of bodies all the way up, still in force. Parents are numbered before what is inside of them. */
static bool *mark_live(const struct core *core, struct arena *arena)
{
    bool *live = ARENA_ARRAY(arena, core->frames.count, bool);

    for (uint32_t i = 0; live && i < core->frames.count; i++) {
        const struct core_frame *frame = frame_at(core, i);
        live[i] = !frame->dropped && frame->role == BLOCK_BODY && (frame->parent == CORE_NONE || live[frame->parent]);
    }
    return live;
}

/* Marks a task and the blocks around it; fails when it cannot be begun with. */
static int mark_way(struct again *again, const bool *live, uint32_t from)
{
    struct step *step = again->step;
    const struct core *core = step->core;

    if (!live[instance_at(core, from)->frame])
        return error_set(step->err, ORCH_ERR_STATE, "a task of a handler cannot be run again by itself");
    again->from = from;
    again->on_way = ARENA_ARRAY(step->arena, core->instances.count, bool);
    if (!again->on_way) return error_memory(step->err);
    for (uint32_t i = from; i != CORE_NONE; i = frame_at(core, instance_at(core, i)->frame)->owner) {
        const struct core_frame *frame = frame_at(core, instance_at(core, i)->frame);
        const struct core_instance *owner = frame->owner != CORE_NONE ? instance_at(core, frame->owner) : NULL;
        again->on_way[i] = true;
        if (!owner) break;
        if (owner->task->kind != TASK_FOR_EACH && owner->detail->inner->body != instance_at(core, i)->frame)
            return error_set(step->err, ORCH_ERR_STATE, "only the latest iteration can be run again from within");
        if (was_undone(owner))
            return error_set(step->err, ORCH_ERR_STATE, "the block around it was undone as a whole: run that again");
    }
    return 0;
}

/*
 * From one task on: what will run, in a frame and in the blocks on the way. Marks it in `covered`, by instance.
 */
static void cover(const struct again *again, uint32_t number, bool *covered)
{
    const struct core_frame *frame = frame_at(again->step->core, number);
    const struct block *block = frame->block;

    for (uint32_t k = 0; k < block->task_count; k++) {
        uint32_t index = block->order[k], at = frame->first + index;
        enum redo redo = redo_of(again, at);
        for (uint32_t i = block->dependency_start[index]; i < block->dependency_start[index + 1]; i++)
            if (covered[frame->first + block->dependencies[i]]) redo = REDO_ANEW;
        covered[at] = redo != REDO_NOT;
        if (redo != REDO_TAKE_UP) continue;
        for (uint32_t i = instance_at(again->step->core, at)->detail->frame_first; i != CORE_NONE;
             i = frame_at(again->step->core, i)->next_of) {
            const struct core_frame *inside = frame_at(again->step->core, i);
            if (inside->role != BLOCK_BODY || inside->dropped || !frame_wanted(again, inside)) continue;
            cover(again, i, covered);
        }
    }
}

/* What was undone and would stay so: a run that went on without it would not be whole. */
static int refuse_undone(const struct again *again, uint32_t number, const bool *covered)
{
    const struct core *core = again->step->core;
    const struct core_frame *frame = frame_at(core, number);

    for (uint32_t k = 0; k < frame->block->task_count; k++) {
        uint32_t at = frame->first + k;
        bool on_way = again->on_way[at] && at != again->from;
        if ((covered[at] && !on_way) || !has_undone(core, at)) continue;
        if (!was_undone(instance_at(core, at))) {
            for (uint32_t i = instance_at(core, at)->detail->frame_first; i != CORE_NONE;
                 i = frame_at(core, i)->next_of) {
                const struct core_frame *inside = frame_at(core, i);
                int rc = inside->role == BLOCK_BODY && !inside->dropped ? refuse_undone(again, i, covered) : 0;
                if (rc < 0) return rc;
            }
            continue;
        }
        MARK("a run again is refused for what was undone");
        struct buf path;
        buf_init(&path, core->allocator, 16 * 1024);
        core_path(core, at, &path);
        int rc = error_set(again->step->err, ORCH_ERR_STATE, "task \"%.*s\" was undone and would stay so",
                           STR_ARG(buf_str(&path)));
        error_hint(again->step->err, "run again what failed (--failed), which does it anew too, or begin with it");
        buf_done(&path);
        return rc;
    }
    return 0;
}

static int run_again(struct step *step, uint32_t from)
{
    struct core *core = step->core;
    struct again again = {.step = step, .from = CORE_NONE};
    bool *live = mark_live(core, step->arena);

    if (!live) return error_memory(step->err);
    if (from == CORE_NONE && core->state == EXECUTION_SUCCEEDED) {
        error_set(step->err, ORCH_ERR_STATE, "it succeeded: there is nothing that failed to be run again");
        error_hint(step->err, "say from which task on to run it again: --from TASK");
        return ORCH_ERR_STATE;
    }
    int rc = from != CORE_NONE ? mark_way(&again, live, from) : 0;
    if (rc < 0) return rc;
    if (from != CORE_NONE) {
        bool *covered = ARENA_ARRAY(step->arena, core->instances.count, bool);
        if (!covered) return error_memory(step->err);
        cover(&again, 0, covered);
        rc = refuse_undone(&again, 0, covered);
        if (rc < 0) return rc;
    }
    if (from != CORE_NONE) MARK("run again from a task on");
    if (core->state == EXECUTION_COMPENSATED) MARK("run again after it was compensated");
    struct core_transition *t = step_add(step, TRANSITION_EXECUTION_RETRIED, CORE_NONE);
    if (!t) return ORCH_ERR_NO_MEMORY;
    t->index = core->generation + 1;
    t->by = step->by;
    rc = step_fold(step);
    return rc < 0 ? rc : frame_redo(&again, 0);
}

/* ---- held tasks ---- */

static int let_go(struct step *step, uint32_t only)
{
    struct core *core = step->core;
    uint32_t count = 0;

    for (uint32_t i = 0; i < core->instances.count; i++) {
        const struct core_instance *instance = instance_at(core, i);
        if ((only != CORE_NONE && i != only) || instance->state != TASK_WAITING || instance->reason != REASON_HELD)
            continue;
        count++;
        int rc = step_tell(step, TRANSITION_TASK_READY, i);
        if (rc < 0) return rc;
    }
    if (count > 0) return 0;
    return error_set(step->err, ORCH_ERR_STATE,
                     only != CORE_NONE ? "the task is not held, and the execution is not over"
                                       : "the execution is not over, and none of its tasks is held");
}

int decide_retry_run(struct step *step, const struct core_input *input)
{
    if (execution_state_is_terminal(step->core->state)) return run_again(step, input->instance);
    return let_go(step, input->instance);
}
