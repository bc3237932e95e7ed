/*
 * decide_block.c - blocks that run inside a task or as a whole: groups, loops, repeats, handlers.
 */
#include "core/internal.h"

/* ---- frames ---- */

static const struct block *block_of(const struct core *core, uint32_t owner, enum block_role role)
{
    if (owner != CORE_NONE) return task_block(instance_at(core, owner)->task, role);
    switch (role) {
    case BLOCK_BODY: return core->workflow->body;
    case BLOCK_ON_ERROR: return core->workflow->on_error;
    case BLOCK_FINALLY: return core->workflow->finally;
    case BLOCK_COMPENSATE: break;
    }
    return NULL;
}

/* Bodies may be many and are bounded; handlers are bounded by what they handle. */
static bool has_room(const struct core *core, const struct block *block)
{
    return block->task_count <= core->env.instances_max &&
           core->instances.count <= core->env.instances_max - block->task_count;
}

static int no_room(struct step *step, uint32_t number)
{
    struct failing failing = {.failure = FAILURE_PERMANENT};
    failing.error = step_printf(step, "the execution would have more than %u tasks", step->core->env.instances_max);
    return task_fail(step, number, &failing);
}

int frame_open(struct step *step, uint32_t owner, enum block_role role, uint32_t index)
{
    const struct block *block = block_of(step->core, owner, role);

    ORCH_ASSERT(block);
    if (role == BLOCK_BODY && owner != CORE_NONE && !has_room(step->core, block)) return no_room(step, owner);
    struct core_transition *t = step_add(step, TRANSITION_FRAME_OPENED, owner);
    if (!t) return ORCH_ERR_NO_MEMORY;
    t->frame = step->core->frames.count;
    t->role = (uint8_t)role;
    t->index = index;
    return step_fold(step);
}

static struct orch_str path_of(struct step *step, uint32_t number)
{
    struct buf buf;

    buf_init(&buf, step->core->allocator, 0);
    core_path(step->core, number, &buf);
    return step_take(step, &buf);
}

/* "deploy/push failed: exit code 1": the first of a frame's failures, with the place where it began. */
static struct orch_str child_error(struct step *step, uint32_t number)
{
    const struct core *core = step->core;
    const struct core_frame *frame = frame_at(core, number);
    const struct core_instance *failed = NULL;

    for (uint32_t i = 0; i < frame->block->task_count; i++) {
        const struct core_instance *instance = instance_at(core, frame->first + i);
        if (!task_state_is_terminal(instance->state) || !instance_counts_as_failure(instance)) continue;
        if (!failed || (failed->state == TASK_CANCELLED && instance->state != TASK_CANCELLED)) failed = instance;
        if (failed->state != TASK_CANCELLED) break;
    }
    if (!failed) return STR_NONE;
    struct orch_str error = failed->detail ? failed->detail->error : STR_NONE;
    if (failed->failure == FAILURE_CHILD && failed->task->kind != TASK_LEAF && error.size > 0) return error;
    struct orch_str path = path_of(step, instance_number(core, failed));
    const char *what = failed->state == TASK_CANCELLED ? "was cancelled" : "failed";
    if (error.size == 0) return step_printf(step, "%.*s %s", STR_ARG(path), what);
    return step_printf(step, "%.*s %s: %.*s", STR_ARG(path), what, STR_ARG(error));
}

static enum task_state state_of_stop(enum failure why, bool failed)
{
    if (why == FAILURE_TIMEOUT) return TASK_TIMED_OUT;
    if (why == FAILURE_CHILD && failed) return TASK_FAILED;
    return TASK_CANCELLED;
}

/* The end of a frame that has no owner. */
static int top_frame_end(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    const struct core_frame *frame = frame_at(core, number);
    enum task_state state = frame->failed > 0 ? TASK_FAILED : TASK_SUCCEEDED;
    struct orch_str error = STR_NONE, output = STR_NONE;
    enum failure failure = FAILURE_NONE;

    if (frame->stopping)
        state = core->outcome == EXECUTION_TIMED_OUT ? TASK_TIMED_OUT
                : core->outcome == EXECUTION_FAILED  ? TASK_FAILED
                                                     : TASK_CANCELLED;
    if (state == TASK_FAILED) {
        failure = FAILURE_CHILD;
        error = child_error(step, number);
    } else if (state == TASK_SUCCEEDED && frame->role == BLOCK_BODY) {
        struct buf buf;
        struct orch_error bad = ORCH_ERROR_INIT;
        buf_init(&buf, core->allocator, 0);
        int rc = output_of_execution(core, step->now, &core->scratch, &buf, &bad);
        if (rc == 0 && buf.size > 0) output = arena_str(step->arena, buf_str(&buf));
        bool short_of_memory = rc == ORCH_ERR_NO_MEMORY || (rc == 0 && buf.size > 0 && !output.data);
        buf_done(&buf);
        arena_clear(&core->scratch);
        if (short_of_memory) return error_memory(step->err);
        if (rc < 0) {
            state = TASK_FAILED;
            failure = FAILURE_EVALUATION;
            error = step_printf(step, "output: %s", bad.message);
        }
    }
    struct core_transition *t = step_add(step, TRANSITION_FRAME_ENDED, CORE_NONE);
    if (!t) return ORCH_ERR_NO_MEMORY;
    t->frame = number;
    t->state = (uint8_t)state;
    t->failure = (uint8_t)failure;
    t->error = error;
    t->output = output;
    return step_fold(step);
}

static int frame_end(struct step *step, uint32_t number)
{
    const struct core_frame *frame = frame_at(step->core, number);
    enum task_state state = frame->failed > 0 ? TASK_FAILED : TASK_SUCCEEDED;

    if (frame->owner == CORE_NONE) return top_frame_end(step, number);
    if (frame->stopping)
        state = state_of_stop((enum failure)instance_at(step->core, frame->owner)->failure, frame->failed > 0);
    struct core_transition *t = step_add(step, TRANSITION_FRAME_ENDED, CORE_NONE);
    if (!t) return ORCH_ERR_NO_MEMORY;
    t->frame = number;
    t->state = (uint8_t)state;
    if (state == TASK_FAILED) t->failure = FAILURE_CHILD;
    return step_fold(step);
}

static bool fails_fast(const struct core *core, const struct core_frame *frame)
{
    if (frame->role != BLOCK_BODY) return false;
    if (frame->owner == CORE_NONE) return core->workflow->fail_fast;
    const struct task *owner = instance_at(core, frame->owner)->task;
    return owner->kind == TASK_GROUP && owner->options && owner->options->fail_fast;
}

int frame_examine(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    const struct core_frame *frame = frame_at(core, number);

    if (frame->dropped || frame->state != TASK_RUNNING) return 0;
    if (frame->open == 0) return frame_end(step, number);
    if (frame->failed == 0 || frame->stopping || !fails_fast(core, frame)) return 0;
    if (frame->owner == CORE_NONE) {
        MARK("fail_fast of a workflow");
        return stop_execution(step, EXECUTION_FAILED, FAILURE_CHILD, child_error(step, number));
    }
    MARK("fail_fast of a group");
    return stop_instance(step, frame->owner, FAILURE_CHILD);
}

/* ---- beginning ---- */

static int block_start(struct step *step, uint32_t number, struct orch_str items, uint32_t count)
{
    const struct core_instance *instance = instance_at(step->core, number);
    orch_time started_at =
        instance->detail && instance->detail->started_at != 0 ? instance->detail->started_at : step->now;
    struct core_transition *t = step_add(step, TRANSITION_TASK_STARTED, number);

    if (!t) return ORCH_ERR_NO_MEMORY;
    t->attempt = (uint32_t)instance->attempt + 1;
    t->due = task_deadline(instance->task, started_at, step->now);
    t->data = items;
    t->count = count;
    return step_fold(step);
}

/* The members of a map as {key, value}, in their order. */
static int items_of_map(struct value map, struct arena *arena, struct value *ret)
{
    struct value *items = ARENA_ARRAY(arena, map.size, struct value);

    if (!items) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < map.size; i++) {
        struct value_member *pair = ARENA_ARRAY(arena, 2, struct value_member);
        if (!pair) return ORCH_ERR_NO_MEMORY;
        pair[0] = (struct value_member){value_string(STR("key")), value_members(map)[i].key};
        pair[1] = (struct value_member){value_string(STR("value")), value_members(map)[i].value};
        int rc = value_map(pair, 2, arena, &items[i]);
        if (rc < 0) return rc;
    }
    *ret = value_list(items, map.size);
    return 0;
}

static int loop_begin(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    const struct loop *loop = instance_at(core, number)->task->options->loop;
    struct scope scope;
    struct value value;
    struct orch_error error = ORCH_ERROR_INIT;
    struct orch_str items = STR_NONE;

    scope_init(&scope, core, number, step->now);
    int rc = scope_render(&scope, &loop->items, &core->scratch, &value, &error);
    if (rc == 0 && value.kind == VALUE_MAP) rc = items_of_map(value, &core->scratch, &value);
    if (rc == 0 && value.kind != VALUE_LIST)
        rc = error_set(&error, ORCH_ERR_EVALUATION, "gives %s, not a list or a map", value_kind_name(value));
    if (rc == 0 && value.size > core->env.instances_max)
        rc = error_set(&error, ORCH_ERR_LIMIT, "gives %u items, more than %u", value.size, core->env.instances_max);
    uint32_t count = rc == 0 ? value.size : 0;
    if (count > 0) rc = step_json(step, value, &items);
    arena_clear(&core->scratch);
    if (rc == ORCH_ERR_NO_MEMORY) return error_memory(step->err);
    if (rc < 0) {
        struct failing failing = {.failure = FAILURE_EVALUATION,
                                  .error = step_printf(step, "for_each: %s", error.message)};
        return task_fail(step, number, &failing);
    }
    return block_start(step, number, items, count);
}

int block_begin(struct step *step, uint32_t number)
{
    const struct core_instance *instance = instance_at(step->core, number);

    if (instance->task->kind == TASK_FOR_EACH) return loop_begin(step, number);
    /* A repeat that became ready between two iterations, since the execution was paused. */
    if (instance->task->kind == TASK_REPEAT && instance->detail && instance->detail->inner &&
        instance->detail->inner->opened > 0)
        return repeat_continue(step, number);
    /* The first frame follows when it is examined. */
    return block_start(step, number, STR_NONE, 0);
}

/* ---- ending ---- */

static int fail_stopped(struct step *step, uint32_t number, uint32_t frame)
{
    const struct core_instance *instance = instance_at(step->core, number);
    struct failing failing = {.failure = (enum failure)instance->failure};

    if (failing.failure == FAILURE_CANCELLED) return task_end(step, number, TASK_CANCELLED, &failing);
    if (failing.failure == FAILURE_TIMEOUT) {
        failing.error = timed_out_after(step, instance);
    } else {
        failing.error = frame != CORE_NONE ? child_error(step, frame) : STR_NONE;
    }
    return task_fail(step, number, &failing);
}

static int fail_child(struct step *step, uint32_t number, uint32_t frame)
{
    struct failing failing = {.failure = FAILURE_CHILD, .error = child_error(step, frame)};
    return task_fail(step, number, &failing);
}

static int group_end(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    const struct core_instance *instance = instance_at(core, number);
    const struct core_inner *inner = instance->detail->inner;

    if (instance->stopping) return fail_stopped(step, number, inner->body);
    if (frame_at(core, inner->body)->state != TASK_SUCCEEDED) return fail_child(step, number, inner->body);
    if (inner->phase == PHASE_FINALLY && frame_at(core, inner->handler)->state != TASK_SUCCEEDED)
        return fail_child(step, number, inner->handler);
    return task_succeed(step, number, STR_NONE);
}

static int group_examine(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    const struct core_instance *instance = instance_at(core, number);
    const struct core_inner *inner = instance->detail->inner;

    /* What was stopped before it began begins nothing. */
    if (inner->body == CORE_NONE)
        return instance->stopping ? fail_stopped(step, number, CORE_NONE) : frame_open(step, number, BLOCK_BODY, 0);
    if (frame_at(core, inner->body)->state == TASK_RUNNING) return 0;
    if (task_block(instance->task, BLOCK_FINALLY)) return frame_open(step, number, BLOCK_FINALLY, 0);
    return group_end(step, number);
}

/* The first frame of a loop that did not end well; CORE_NONE. */
static uint32_t loop_failed_frame(const struct core *core, const struct core_detail *detail)
{
    uint32_t found = CORE_NONE;

    for (uint32_t i = detail->frame_first; i != CORE_NONE; i = frame_at(core, i)->next_of) {
        const struct core_frame *frame = frame_at(core, i);
        if (frame->role != BLOCK_BODY || frame->state == TASK_SUCCEEDED) continue;
        if (frame->state == TASK_FAILED) return i;
        if (found == CORE_NONE) found = i;
    }
    return found;
}

static int loop_examine(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    const struct core_instance *instance = instance_at(core, number);
    const struct core_detail *detail = instance->detail;
    const struct core_inner *inner = detail->inner;
    const struct loop *loop = instance->task->options->loop;
    const struct block *block = task_block(instance->task, BLOCK_BODY);
    uint32_t open_max = loop->parallel_max > 0 ? loop->parallel_max : LOOP_OPEN_MAX;

    if (!instance->stopping) {
        if (inner->failed > 0 && instance->task->options->fail_fast &&
            (inner->open > 0 || inner->redo > 0 || inner->opened < detail->item_count))
            return stop_instance(step, number, FAILURE_CHILD);
        /* Items of an earlier generation that are to run again come first. */
        while (inner->redo > 0 && inner->open < open_max) {
            MARK("an item of a loop is taken up again");
            int rc = loop_redo_next(step, number);
            if (rc < 0) return rc;
        }
        while (inner->opened < detail->item_count && inner->open < open_max && has_room(core, block)) {
            int rc = frame_open(step, number, BLOCK_BODY, inner->opened);
            if (rc < 0) return rc;
        }
    }
    if (inner->open > 0) return 0;
    uint32_t failed = loop_failed_frame(core, detail);
    if (instance->stopping) return fail_stopped(step, number, failed);
    if (failed != CORE_NONE) return fail_child(step, number, failed);
    if (inner->opened < detail->item_count) return no_room(step, number);
    return task_succeed(step, number, STR_NONE);
}

/* ---- repeat ---- */

int repeat_continue(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    uint32_t index = frame_at(core, instance_at(core, number)->detail->inner->body)->index;

    return frame_open(step, number, BLOCK_BODY, index + 1);
}

/* Whether another iteration follows one that ended well. An error of the expression has been dealt with when *ret_told.
 */
static int repeat_goes_on(struct step *step, uint32_t number, const struct repeat *repeat, bool *ret, bool *ret_told)
{
    struct core *core = step->core;
    const struct expr *expr = repeat->until ? repeat->until : repeat->while_;
    struct scope scope;
    struct value value;
    struct orch_error error = ORCH_ERROR_INIT;

    *ret = true;
    *ret_told = false;
    if (!expr) return 0;
    scope_init_iteration(&scope, core, instance_at(core, number)->detail->inner->body, step->now);
    int rc = scope_eval(&scope, expr, &core->scratch, &value, &error);
    if (rc == 0 && value.kind != VALUE_BOOL)
        rc = error_set(&error, ORCH_ERR_EVALUATION, "gives %s, not true or false", value_kind_name(value));
    if (rc == 0) *ret = value.boolean == (repeat->until == NULL);
    arena_clear(&core->scratch);
    if (rc == ORCH_ERR_NO_MEMORY) return error_memory(step->err);
    if (rc == 0) return 0;
    *ret_told = true;
    struct failing failing = {.failure = FAILURE_EVALUATION};
    failing.error = step_printf(step, "%s: %s", repeat->until ? "until" : "while", error.message);
    return task_fail(step, number, &failing);
}

static int repeat_examine(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    const struct core_instance *instance = instance_at(core, number);
    const struct core_detail *detail = instance->detail;
    const struct repeat *repeat = instance->task->options->repeat;
    bool goes_on, told;

    if (detail->inner->body == CORE_NONE)
        return instance->stopping ? fail_stopped(step, number, CORE_NONE) : frame_open(step, number, BLOCK_BODY, 1);
    const struct core_frame *frame = frame_at(core, detail->inner->body);
    if (frame->state == TASK_RUNNING) return 0;
    if (instance->stopping) return fail_stopped(step, number, detail->inner->body);
    if (frame->state != TASK_SUCCEEDED) return fail_child(step, number, detail->inner->body);
    int rc = repeat_goes_on(step, number, repeat, &goes_on, &told);
    if (rc < 0 || told) return rc;
    if (!goes_on) return task_succeed(step, number, STR_NONE);
    if (frame->index >= repeat->iterations_max) {
        if (!repeat->until && !repeat->while_) return task_succeed(step, number, STR_NONE);
        struct failing failing = {.failure = FAILURE_ERROR};
        failing.error = repeat->until ? step_printf(step, "`until` did not hold after %u iterations", frame->index)
                                      : step_printf(step, "`while` still held after %u iterations", frame->index);
        return task_fail(step, number, &failing);
    }
    if (repeat->delay_us <= 0) return repeat_continue(step, number);
    orch_time deadline = task_deadline(instance->task, detail->started_at, detail->attempt_at);
    struct core_transition *t = step_add(step, TRANSITION_TASK_WAITING, number);
    if (!t) return ORCH_ERR_NO_MEMORY;
    t->reason = REASON_DELAY;
    t->due = time_add(step->now, repeat->delay_us);
    if (deadline < t->due) {
        t->due = deadline;
        t->failure = FAILURE_TIMEOUT;
    }
    return step_fold(step);
}

/* ---- handlers ---- */

static int handler_examine(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    const struct core_instance *instance = instance_at(core, number);
    const struct core_detail *detail = instance->detail;
    const struct core_frame *handler = frame_at(core, detail->inner->handler);
    struct failing failing = {
        .failure = (enum failure)instance->failure,
        .error = detail->error,
        .exit_code = detail->exit_code,
        .signal = detail->signal,
        .cpu_us = detail->cpu_us,
        .memory_peak = detail->memory_peak,
    };

    if (handler->state == TASK_RUNNING) return 0;
    if (instance->stopping) MARK("on_error is stopped");
    if (instance->stopping) return task_end(step, number, TASK_CANCELLED, &failing);
    if (handler->state == TASK_SUCCEEDED) MARK("on_error makes it a success");
    if (handler->state == TASK_SUCCEEDED) return task_succeed(step, number, STR_NONE);
    MARK("on_error fails too");
    struct orch_str why = child_error(step, detail->inner->handler);
    failing.error = step_printf(step, "%.*s; then %.*s", STR_ARG(detail->error), STR_ARG(why));
    return task_end(step, number, failing.failure == FAILURE_TIMEOUT ? TASK_TIMED_OUT : TASK_FAILED, &failing);
}

static int compensation_examine(struct step *step, uint32_t number)
{
    const struct core_inner *inner = instance_at(step->core, number)->detail->inner;

    if (!inner || inner->phase != PHASE_COMPENSATE) return frame_open(step, number, BLOCK_COMPENSATE, 0);
    const struct core_frame *frame = frame_at(step->core, inner->handler);
    if (frame->state == TASK_RUNNING) return 0;
    if (frame->state == TASK_SUCCEEDED) return task_end(step, number, TASK_COMPENSATED, NULL);
    MARK("a compensation fails");
    struct failing failing = {.failure = FAILURE_CHILD, .error = child_error(step, inner->handler)};
    return task_end(step, number, TASK_FAILED, &failing);
}

int block_examine(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    const struct core_instance *instance = instance_at(core, number);
    const struct core_inner *inner = instance->detail ? instance->detail->inner : NULL;

    if (instance->state == TASK_COMPENSATING) return compensation_examine(step, number);
    if (!inner) return 0;
    switch ((enum core_phase)inner->phase) {
    case PHASE_BODY: break;
    case PHASE_ON_ERROR: return handler_examine(step, number);
    case PHASE_FINALLY: return frame_at(core, inner->handler)->state == TASK_RUNNING ? 0 : group_end(step, number);
    case PHASE_COMPENSATE: return 0;
    }
    switch ((enum task_kind)instance->task->kind) {
    case TASK_LEAF: return 0;
    case TASK_GROUP: return group_examine(step, number);
    case TASK_FOR_EACH: return loop_examine(step, number);
    case TASK_REPEAT: return repeat_examine(step, number);
    }
    return 0;
}
