/*
 * evolve.c - the fold: the only code that changes a state. It decides nothing: every number drawn, moment due and
 * outcome stands in the transition. It keeps the counts from which decisions are made, and puts on the agenda what a
 * decision may be owed for.
 *
 * A journal may be damaged in ways its checksums do not show: what cannot follow the state there is gives
 * ORCH_ERR_CORRUPT.
 */
#include "core/internal.h"

static int corrupt(const struct core_transition *t, struct orch_error *err)
{
    return error_set(err, ORCH_ERR_CORRUPT, "transition %s cannot follow the state there is (task %u, frame %u)",
                     transition_type_to_string((enum transition_type)t->type), t->instance, t->frame);
}

/* ---- lists ---- */

static void list_remove(struct core *core, struct core_instance *instance)
{
    if (instance->list == LIST_NONE) return;
    struct list *list = &core->lists[instance->list];
    if (instance->previous == CORE_NONE)
        list->first = instance->next;
    else
        instance_at(core, instance->previous)->next = instance->next;
    if (instance->next == CORE_NONE)
        list->last = instance->previous;
    else
        instance_at(core, instance->next)->previous = instance->previous;
    list->count--;
    instance->list = LIST_NONE;
    instance->next = instance->previous = CORE_NONE;
}

static void list_append(struct core *core, enum core_list which, struct core_instance *instance)
{
    struct list *list = &core->lists[which];
    uint32_t number = instance_number(core, instance);

    list_remove(core, instance);
    instance->list = (uint8_t)which;
    instance->previous = list->last;
    instance->next = CORE_NONE;
    if (list->last == CORE_NONE)
        list->first = number;
    else
        instance_at(core, list->last)->next = number;
    list->last = number;
    list->count++;
}

void agenda_add(struct core *core, uint32_t number)
{
    struct core_instance *instance = instance_at(core, number);
    if (instance->list == LIST_NONE) list_append(core, LIST_AGENDA, instance);
}

uint32_t agenda_take(struct core *core)
{
    uint32_t number = core->lists[LIST_AGENDA].first;
    if (number != CORE_NONE) list_remove(core, instance_at(core, number));
    return number;
}

void agenda_add_frame(struct core *core, uint32_t number)
{
    struct core_frame *frame = frame_at(core, number);
    if (frame->queued) return;
    frame->queued = true;
    frame->next = CORE_NONE;
    if (core->frame_last == CORE_NONE)
        core->frame_first = number;
    else
        frame_at(core, core->frame_last)->next = number;
    core->frame_last = number;
}

uint32_t agenda_take_frame(struct core *core)
{
    uint32_t number = core->frame_first;
    if (number == CORE_NONE) return CORE_NONE;
    struct core_frame *frame = frame_at(core, number);
    frame->queued = false;
    core->frame_first = frame->next;
    if (core->frame_first == CORE_NONE) core->frame_last = CORE_NONE;
    return number;
}

/* ---- pieces ---- */

/* A copy in the state's memory; false when that is short. */
static bool keep(struct core *core, struct orch_str text, struct orch_str *ret)
{
    if (text.size == 0) {
        *ret = STR_NONE;
        return true;
    }
    struct orch_str copy = arena_str(&core->arena, text);
    if (!copy.data) return false;
    *ret = copy;
    return true;
}

static struct core_detail *detail_of(struct core *core, struct core_instance *instance)
{
    if (!instance->detail) {
        struct core_detail *detail = ARENA_NEW(&core->arena, struct core_detail);
        if (!detail) return NULL;
        detail->due = ORCH_TIME_NEVER;
        detail->frame_first = detail->frame_last = CORE_NONE;
        instance->detail = detail;
    }
    return instance->detail;
}

static void inner_init(struct core_inner *inner)
{
    *inner = (struct core_inner){.body = CORE_NONE, .before = CORE_NONE, .handler = CORE_NONE, .handled = CORE_NONE};
}

static struct core_inner *inner_of(struct core *core, struct core_detail *detail)
{
    if (!detail->inner) {
        struct core_inner *inner = ARENA_NEW(&core->arena, struct core_inner);
        if (!inner) return NULL;
        inner_init(inner);
        detail->inner = inner;
    }
    return detail->inner;
}

static int due_set(struct core *core, struct core_instance *instance, orch_time due)
{
    if (!instance->detail) return 0;
    instance->detail->due = due;
    return timers_set(core, instance_number(core, instance), &instance->detail->timer, due);
}

/* Counts a leaf in or out of the summary. */
static void tally(struct core *core, const struct core_instance *instance, int by)
{
    if (instance->task->kind != TASK_LEAF) return;
    core->states[instance->state] += (uint32_t)by;
    if (instance->task->continue_on_error && (instance->state == TASK_FAILED || instance->state == TASK_TIMED_OUT))
        core->failed_allowed += (uint32_t)by;
}

/* Off its list and into another state. The move was checked. */
static void move(struct core *core, struct core_instance *instance, enum task_state to)
{
    list_remove(core, instance);
    tally(core, instance, -1);
    instance->state = (uint8_t)to;
    tally(core, instance, 1);
}

/* The instance a transition names, when it may go to that state and its frame is in force; else NULL. */
static struct core_instance *mover(const struct core *core, const struct core_transition *t, enum task_state to)
{
    if (t->instance >= core->instances.count) return NULL;
    struct core_instance *instance = instance_at(core, t->instance);
    if (frame_at(core, instance->frame)->dropped || !task_state_may_become((enum task_state)instance->state, to))
        return NULL;
    return instance;
}

/* Puts a pending instance on the agenda when its join rule says something, and takes it off when it no longer does. */
static void agenda_update(struct core *core, struct core_instance *instance)
{
    if (instance->state != TASK_PENDING) return;
    if (join_verdict(instance) == VERDICT_WAIT)
        list_remove(core, instance);
    else if (instance->list == LIST_NONE)
        list_append(core, LIST_AGENDA, instance);
}

/* Tells those that depend on an instance that it has ended, or (undo) that it has not after all. */
static void successors_update(struct core *core, const struct core_instance *instance, bool undo)
{
    const struct block *block = instance->task->block;
    uint32_t first = frame_at(core, instance->frame)->first;
    enum worth worth = instance_worth(instance);
    uint32_t by = undo ? UINT32_MAX : 1; /* unsigned arithmetic wraps */

    for (uint32_t i = block->successor_start[instance->task->index];
         i < block->successor_start[instance->task->index + 1]; i++) {
        struct core_instance *successor = instance_at(core, first + block->successors[i]);
        successor->unmet -= by;
        if (worth == WORTH_SUCCESS) successor->succeeded += by;
        if (worth == WORTH_MISSED) successor->missed += by;
        agenda_update(core, successor);
    }
}

/* Takes all that is inside a frame out of account: its owner runs anew. Recursive by nesting, which the reader bounds.
 */
static void frame_drop(struct core *core, uint32_t number)
{
    struct core_frame *frame = frame_at(core, number);

    if (frame->dropped) return;
    for (uint32_t i = 0; i < frame->block->task_count; i++) {
        struct core_instance *instance = instance_at(core, frame->first + i);
        list_remove(core, instance);
        tally(core, instance, -1);
        if (!instance->detail) continue;
        (void)due_set(core, instance, ORCH_TIME_NEVER); /* taking away needs no memory */
        for (uint32_t inside = instance->detail->frame_first; inside != CORE_NONE;
             inside = frame_at(core, inside)->next_of)
            frame_drop(core, inside);
    }
    frame->dropped = true;
}

/* ---- the execution ---- */

static int evolve_started(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    struct orch_str data;
    struct value root;

    if (core->state != EXECUTION_PENDING) return corrupt(t, err);
    if (!keep(core, t->data, &data)) return error_memory(err);
    int rc = json_parse(data, NULL, &core->arena, &root, err);
    if (rc == ORCH_ERR_NO_MEMORY) return rc;
    if (rc < 0 || root.kind != VALUE_MAP) return corrupt(t, err);
    const struct value *parameters = value_get(root, STR("parameters"));
    const struct value *variables = value_get(root, STR("env"));
    const struct value *id = value_get(root, STR("id"));
    struct value empty;
    if (value_map(NULL, 0, &core->arena, &empty) < 0) return error_memory(err);
    core->parameters = parameters && parameters->kind == VALUE_MAP ? *parameters : empty;
    core->variables = variables && variables->kind == VALUE_MAP ? *variables : empty;
    if (id && id->kind == VALUE_STRING) core->id = value_str(*id);
    struct buf text;
    buf_init(&text, core->allocator, 0);
    json_format(core->parameters, 0, &text);
    bool kept = !text.failed && keep(core, buf_str(&text), &core->parameters_text);
    buf_done(&text);
    if (!kept) return error_memory(err);
    core->state = EXECUTION_RUNNING;
    core->started_at = t->at;
    core->fence = t->fence > 0 ? t->fence - 1 : 0;
    if (core->workflow->timeout_us > 0 &&
        timers_set(core, CORE_NONE, &core->timer, time_add(t->at, core->workflow->timeout_us)) < 0)
        return error_memory(err);
    return 0;
}

static int evolve_stopping(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    if (core->state == EXECUTION_PENDING || execution_state_is_terminal(core->state) ||
        !execution_state_is_terminal(t->state) || t->state >= EXECUTION_STATE_COUNT || core->frames.count == 0)
        return corrupt(t, err);
    if (!keep(core, t->error, &core->error)) return error_memory(err);
    if (core->state == EXECUTION_PAUSED) core->state = EXECUTION_RUNNING;
    core->stopping = true;
    core->outcome = t->state;
    core->failure = t->failure;
    frame_at(core, 0)->stopping = true;
    if (core->phase == PHASE_ON_ERROR && core->handler != CORE_NONE) frame_at(core, core->handler)->stopping = true;
    core->execution_due = true;
    return timers_set(core, CORE_NONE, &core->timer, ORCH_TIME_NEVER);
}

static int evolve_ended(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    if (t->state >= EXECUTION_STATE_COUNT || !execution_state_is_terminal(t->state) ||
        !execution_state_may_become((enum execution_state)core->state, (enum execution_state)t->state))
        return corrupt(t, err);
    if (!keep(core, t->error, &core->error) || !keep(core, t->output, &core->output)) return error_memory(err);
    core->state = core->outcome = t->state;
    core->failure = t->failure;
    core->output_blob = t->blob;
    core->output_blob_size = t->blob_size;
    core->ended_at = t->at;
    core->execution_due = false;
    return timers_set(core, CORE_NONE, &core->timer, ORCH_TIME_NEVER);
}

static int evolve_retried(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    if (!execution_state_is_terminal(core->state) || core->frames.count == 0) return corrupt(t, err);
    struct core_frame *body = frame_at(core, 0);
    for (uint32_t frame = body->next_of; frame != CORE_NONE; frame = frame_at(core, frame)->next_of)
        frame_drop(core, frame);
    body->next_of = CORE_NONE;
    body->state = TASK_RUNNING;
    body->stopping = false;
    core->top_last = 0;
    core->state = EXECUTION_RUNNING;
    core->outcome = EXECUTION_PENDING;
    core->failure = FAILURE_NONE;
    core->phase = PHASE_BODY;
    core->stopping = false;
    core->error = core->output = core->finally_error = STR_NONE;
    core->output_blob = core->output_blob_size = 0;
    core->handler = core->undoing = core->undo_failed = CORE_NONE;
    core->undone = 0;
    core->ended_at = 0;
    core->generation = t->index;
    agenda_add_frame(core, 0);
    if (core->workflow->timeout_us > 0 &&
        timers_set(core, CORE_NONE, &core->timer, time_add(t->at, core->workflow->timeout_us)) < 0)
        return error_memory(err);
    return 0;
}

static int evolve_signal(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    if (core->state == EXECUTION_PENDING || execution_state_is_terminal(core->state)) return corrupt(t, err);
    struct core_signal *signal = ARENA_NEW(&core->arena, struct core_signal);
    if (!signal || !keep(core, t->name, &signal->name) || !keep(core, t->data, &signal->data)) return error_memory(err);
    signal->number = ++core->signal_number;
    if (core->signal_last)
        core->signal_last->next = signal;
    else
        core->signal_first = signal;
    core->signal_last = signal;
    core->signal_count++;
    return 0;
}

/* False when there is no such signal. */
static bool signal_drop(struct core *core, uint32_t number)
{
    struct core_signal *before = NULL;

    for (struct core_signal *signal = core->signal_first; signal; before = signal, signal = signal->next) {
        if (signal->number != number) continue;
        if (before)
            before->next = signal->next;
        else
            core->signal_first = signal->next;
        if (core->signal_last == signal) core->signal_last = before;
        core->signal_count--;
        return true;
    }
    return false;
}

/* ---- frames ---- */

static const struct block *block_of(const struct core *core, const struct core_transition *t)
{
    if (t->role >= BLOCK_ROLES) return NULL;
    if (t->instance != CORE_NONE)
        return t->instance < core->instances.count
                   ? task_block(instance_at(core, t->instance)->task, (enum block_role)t->role)
                   : NULL;
    switch ((enum block_role)t->role) {
    case BLOCK_BODY: return core->frames.count == 0 ? core->workflow->body : NULL;
    case BLOCK_ON_ERROR: return core->workflow->on_error;
    case BLOCK_FINALLY: return core->workflow->finally;
    case BLOCK_COMPENSATE: break;
    }
    return NULL;
}

/* The owner of a frame that opens: running, or undone. */
static int owner_evolve(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    struct core_instance *owner = instance_at(core, t->instance);
    struct core_detail *detail = detail_of(core, owner);
    struct core_inner *inner = detail ? inner_of(core, detail) : NULL;

    if (!inner) return error_memory(err);
    if (t->role == BLOCK_COMPENSATE) {
        if (owner->state != TASK_COMPENSATING) return corrupt(t, err);
        inner->phase = PHASE_COMPENSATE;
        inner->handler = t->frame;
        return 0;
    }
    if (owner->state != TASK_RUNNING) {
        /* A repeat goes on after its delay, or after a pause. */
        if (t->role != BLOCK_BODY || !mover(core, t, TASK_RUNNING)) return corrupt(t, err);
        move(core, owner, TASK_RUNNING);
        owner->reason = REASON_NONE;
        owner->failure = FAILURE_NONE;
        if (due_set(core, owner, task_deadline(owner->task, detail->started_at, detail->attempt_at)) < 0)
            return error_memory(err);
    }
    if (owner->list == LIST_RUNNING) return corrupt(t, err);
    if (t->role == BLOCK_BODY) {
        inner->before = inner->body;
        inner->body = t->frame;
        inner->opened++;
        inner->open++;
    } else {
        inner->phase = t->role == BLOCK_ON_ERROR ? PHASE_ON_ERROR : PHASE_FINALLY;
        inner->handler = t->frame;
        if (due_set(core, owner, ORCH_TIME_NEVER) < 0) return error_memory(err);
    }
    agenda_add(core, t->instance); /* a loop may have room for more */
    return 0;
}

/* A frame that had ended is taken up again: those of its tasks that are reset run. */
static int evolve_frame_reopened(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    struct core_frame *frame = frame_at(core, t->frame);

    if (frame->owner == CORE_NONE || frame->owner != t->instance || frame->dropped || frame->state == TASK_RUNNING ||
        frame->role != BLOCK_BODY)
        return corrupt(t, err);
    struct core_instance *owner = instance_at(core, frame->owner);
    if (owner->state != TASK_RUNNING || !owner->detail || !owner->detail->inner) return corrupt(t, err);
    struct core_inner *inner = owner->detail->inner;
    inner->open++;
    if (inner->redo > 0) {
        inner->redo--;
        inner->redo_at = frame->next_of;
    } else if (frame->state != TASK_SUCCEEDED && inner->failed > 0)
        inner->failed--;
    frame->state = TASK_RUNNING;
    frame->stopping = false;
    agenda_add_frame(core, t->frame);
    return 0;
}

static int evolve_frame_opened(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    if (core->state == EXECUTION_PENDING || execution_state_is_terminal(core->state)) return corrupt(t, err);
    if (t->frame < core->frames.count) return evolve_frame_reopened(core, t, err);
    const struct block *block = block_of(core, t);
    if (t->frame != core->frames.count || t->frame == CORE_NONE - 1 || !block ||
        block->task_count >= CORE_NONE - core->instances.count)
        return corrupt(t, err);
    bool is_top = t->instance == CORE_NONE;
    if (!is_top && frame_at(core, instance_at(core, t->instance)->frame)->dropped) return corrupt(t, err);

    uint32_t first = core->instances.count;
    if (table_grow(&core->frames, core->allocator, t->frame + 1) < 0 ||
        table_grow(&core->instances, core->allocator, first + block->task_count) < 0)
        return error_memory(err);
    uint32_t parent = is_top ? CORE_NONE : instance_at(core, t->instance)->frame;
    if (!is_top) {
        int rc = owner_evolve(core, t, err);
        if (rc < 0) return rc;
    }
    struct core_frame *frame = frame_at(core, t->frame);
    *frame = (struct core_frame){
        .block = block,
        .owner = t->instance,
        .parent = parent,
        .first = first,
        .index = t->index,
        .open = block->task_count,
        .role = t->role,
        .state = TASK_RUNNING,
        .undo = t->role == BLOCK_COMPENSATE || (parent != CORE_NONE && frame_at(core, parent)->undo),
        .next_of = CORE_NONE,
        .next = CORE_NONE,
    };
    /* Chained to its owner's others. */
    uint32_t *last = is_top ? &core->top_last : &instance_at(core, t->instance)->detail->frame_last;
    if (*last != CORE_NONE)
        frame_at(core, *last)->next_of = t->frame;
    else if (!is_top)
        instance_at(core, t->instance)->detail->frame_first = t->frame;
    *last = t->frame;
    core->frames.count = t->frame + 1;
    core->instances.count = first + block->task_count;
    if (is_top && t->role != BLOCK_BODY) {
        core->phase = t->role == BLOCK_ON_ERROR ? PHASE_ON_ERROR : PHASE_FINALLY;
        core->handler = t->frame;
    }
    for (uint32_t i = 0; i < block->task_count; i++) {
        struct core_instance *instance = instance_at(core, first + i);
        *instance = (struct core_instance){
            .task = &block->tasks[i],
            .frame = t->frame,
            .unmet = block->dependency_start[i + 1] - block->dependency_start[i],
            .state = TASK_PENDING,
            .next = CORE_NONE,
            .previous = CORE_NONE,
        };
        tally(core, instance, 1);
        agenda_update(core, instance);
    }
    if (block->task_count == 0) agenda_add_frame(core, t->frame);
    return 0;
}

static int evolve_frame_ended(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    if (t->frame >= core->frames.count) return corrupt(t, err);
    struct core_frame *frame = frame_at(core, t->frame);
    if (frame->state != TASK_RUNNING || frame->open > 0 || frame->dropped || t->state >= TASK_STATE_COUNT ||
        !task_state_is_terminal(t->state))
        return corrupt(t, err);
    frame->state = t->state;
    if (frame->owner != CORE_NONE) {
        struct core_instance *owner = instance_at(core, frame->owner);
        struct core_inner *inner = owner->detail ? owner->detail->inner : NULL;
        if (!inner) return corrupt(t, err);
        if (frame->role == BLOCK_BODY) {
            if (inner->open > 0) inner->open--;
            if (t->state != TASK_SUCCEEDED) inner->failed++;
        }
        agenda_add(core, frame->owner);
        return 0;
    }
    core->execution_due = true;
    if (frame->role == BLOCK_FINALLY && !keep(core, t->error, &core->finally_error)) return error_memory(err);
    if (frame->role != BLOCK_BODY) return 0;
    if (!core->stopping) {
        core->outcome = t->state == TASK_SUCCEEDED ? EXECUTION_SUCCEEDED : EXECUTION_FAILED;
        core->failure = t->failure;
        if (!keep(core, t->error, &core->error)) return error_memory(err);
    }
    if (!keep(core, t->output, &core->output)) return error_memory(err);
    core->output_blob = t->blob;
    core->output_blob_size = t->blob_size;
    return timers_set(core, CORE_NONE, &core->timer, ORCH_TIME_NEVER);
}

/* ---- tasks ---- */

static int evolve_ready(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    struct core_instance *instance = mover(core, t, TASK_READY);

    if (!instance) return corrupt(t, err);
    struct core_detail *detail = detail_of(core, instance);
    if (!detail) return error_memory(err);
    detail->ready_at = t->at;
    move(core, instance, TASK_READY);
    instance->reason = REASON_NONE;
    instance->stopping = false;
    list_append(core, LIST_READY, instance);
    /* Between two attempts the time for all of them goes on. */
    return due_set(core, instance,
                   detail->started_at != 0 ? task_deadline_total(instance->task, detail->started_at) : ORCH_TIME_NEVER);
}

/* Whether a task of this kind can wait for such a thing. */
static bool may_wait_for(const struct task *task, uint8_t reason)
{
    enum action_kind kind = task->kind == TASK_LEAF ? task->action->kind : ACTION_NONE;

    switch ((enum reason)reason) {
    case REASON_TIMER:
    case REASON_EVENT: return kind == ACTION_WAIT;
    case REASON_APPROVAL: return kind == ACTION_APPROVAL;
    case REASON_HELD: return task_is_external(task);
    case REASON_DELAY: return task->kind == TASK_REPEAT;
    case REASON_BACKOFF: return true;
    case REASON_NONE:
    case REASON_WHEN:
    case REASON_DEPENDENCY:
    case REASON_STOPPED: break;
    }
    return false;
}

static int evolve_waiting(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    struct core_instance *instance = mover(core, t, TASK_WAITING);

    if (!instance || t->attempt > UINT16_MAX || !may_wait_for(instance->task, t->reason)) return corrupt(t, err);
    struct core_detail *detail = detail_of(core, instance);
    if (!detail || !keep(core, t->name, &detail->event)) return error_memory(err);
    move(core, instance, TASK_WAITING);
    instance->reason = t->reason;
    instance->stopping = false;
    /* What made it wait for another attempt is of interest meanwhile. */
    if (t->reason != REASON_BACKOFF && t->reason != REASON_HELD) instance->failure = t->failure;
    if (t->reason == REASON_TIMER || t->reason == REASON_EVENT || t->reason == REASON_APPROVAL) {
        if (detail->started_at == 0) detail->started_at = t->at;
        detail->attempt_at = t->at;
        if (t->attempt != 0) instance->attempt = (uint16_t)t->attempt;
    }
    if (t->reason == REASON_EVENT) list_append(core, LIST_EVENT, instance);
    return due_set(core, instance, t->due);
}

static int evolve_attempt_started(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    struct core_instance *instance = mover(core, t, TASK_RUNNING);

    if (!instance || instance->state != TASK_READY || instance->task->kind != TASK_LEAF || t->attempt > UINT16_MAX ||
        t->fence <= core->fence)
        return corrupt(t, err);
    struct core_detail *detail = detail_of(core, instance);
    if (!detail) return error_memory(err);
    core->fence = detail->fence = t->fence;
    detail->attempt_at = t->at;
    if (detail->started_at == 0) detail->started_at = t->at;
    move(core, instance, TASK_RUNNING);
    instance->attempt = (uint16_t)t->attempt;
    instance->failure = FAILURE_NONE;
    instance->stopping = false;
    list_append(core, LIST_RUNNING, instance);
    return due_set(core, instance, t->due != 0 ? t->due : ORCH_TIME_NEVER);
}

/* What an attempt, or whatever the task did instead, left behind. */
static int result_keep(struct core *core, struct core_detail *detail, const struct core_transition *t)
{
    if (!keep(core, t->error, &detail->error)) return ORCH_ERR_NO_MEMORY;
    detail->exit_code = t->exit_code;
    detail->signal = t->signal;
    detail->cpu_us = t->cpu_us;
    detail->memory_peak = t->memory_peak;
    return 0;
}

static int evolve_attempt_failed(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    struct core_instance *instance = mover(core, t, TASK_RUNNING);

    if (!instance || task_state_is_terminal(instance->state)) return corrupt(t, err);
    struct core_detail *detail = detail_of(core, instance);
    if (!detail || result_keep(core, detail, t) < 0) return error_memory(err);
    if (instance->state != TASK_RUNNING) {
        move(core, instance, TASK_RUNNING);
    } else {
        list_remove(core, instance);
    }
    if (detail->started_at == 0) detail->started_at = t->at;
    if (t->failure == FAILURE_LOST) detail->interrupts++;
    instance->failure = t->failure;
    instance->reason = REASON_NONE;
    instance->stopping = false;
    return due_set(core, instance, ORCH_TIME_NEVER);
}

static int evolve_attempt_stopping(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    if (t->instance >= core->instances.count) return corrupt(t, err);
    struct core_instance *instance = instance_at(core, t->instance);
    if (instance->state != TASK_RUNNING || !instance->detail) return corrupt(t, err);
    instance->stopping = true;
    instance->failure = t->failure;
    struct core_inner *inner = instance->detail->inner;
    if (inner && inner->phase == PHASE_ON_ERROR) {
        frame_at(core, inner->handler)->stopping = true;
    } else if (inner && inner->phase == PHASE_BODY) {
        for (uint32_t frame = instance->detail->frame_first; frame != CORE_NONE; frame = frame_at(core, frame)->next_of)
            if (frame_at(core, frame)->state == TASK_RUNNING) frame_at(core, frame)->stopping = true;
        agenda_add(core, t->instance);
    }
    return due_set(core, instance, ORCH_TIME_NEVER);
}

static int evolve_task_started(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    struct core_instance *instance = mover(core, t, TASK_RUNNING);

    if (!instance || instance->task->kind == TASK_LEAF || instance->state == TASK_RUNNING ||
        task_state_is_terminal(instance->state) || t->attempt > UINT16_MAX)
        return corrupt(t, err);
    struct core_detail *detail = detail_of(core, instance);
    struct core_inner *inner = detail ? inner_of(core, detail) : NULL;
    if (!inner || !keep(core, t->data, &detail->items)) return error_memory(err);
    inner_init(inner);
    detail->item_count = t->count;
    if (t->count > 0) {
        /* An item takes two bytes at least. */
        if (t->count > detail->items.size / 2) return corrupt(t, err);
        inner->item_at = ARENA_ARRAY(&core->arena, (size_t)t->count + 1, uint32_t);
        if (!inner->item_at) return error_memory(err);
        if (!items_index(detail->items, inner->item_at, t->count)) return corrupt(t, err);
    }
    detail->attempt_at = t->at;
    if (detail->started_at == 0) detail->started_at = t->at;
    move(core, instance, TASK_RUNNING);
    instance->attempt = (uint16_t)t->attempt;
    instance->reason = REASON_NONE;
    instance->failure = FAILURE_NONE;
    instance->stopping = false;
    agenda_add(core, t->instance);
    return due_set(core, instance, t->due != 0 ? t->due : ORCH_TIME_NEVER);
}

/* The end of an undoing: what depended on it, and its frame, are over. */
static int evolve_undone(struct core *core, struct core_instance *instance, const struct core_transition *t,
                         struct orch_error *err)
{
    if (!keep(core, t->error, &instance->detail->error)) return error_memory(err);
    move(core, instance, (enum task_state)t->state);
    instance->failure = t->failure;
    if (t->state == TASK_COMPENSATED)
        core->undone++;
    else if (core->undo_failed == CORE_NONE)
        core->undo_failed = t->instance;
    core->undoing = CORE_NONE;
    core->execution_due = true;
    return 0;
}

static int evolve_task_ended(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    struct core_instance *instance = mover(core, t, (enum task_state)t->state);

    if (!instance || !task_state_is_terminal(t->state) || t->attempt > UINT16_MAX) return corrupt(t, err);
    if (instance->state == TASK_COMPENSATING) {
        if (!instance->detail || core->undoing != t->instance) return corrupt(t, err);
        return evolve_undone(core, instance, t, err);
    }
    struct core_frame *frame = frame_at(core, instance->frame);
    if (frame->state != TASK_RUNNING || frame->open == 0) return corrupt(t, err);
    /* A million tasks that never began are cheap: there is nothing to say of them. */
    if (t->state != TASK_SKIPPED || t->error.size > 0) {
        struct core_detail *detail = detail_of(core, instance);
        if (!detail || result_keep(core, detail, t) < 0 || !keep(core, t->output, &detail->output))
            return error_memory(err);
        detail->blob = t->blob;
        detail->blob_size = t->blob_size;
        if (detail->started_at == 0 && t->state != TASK_SKIPPED) detail->started_at = t->at;
    }
    if (instance->detail) {
        struct core_inner *inner = instance->detail->inner;
        if (inner && inner->phase == PHASE_ON_ERROR && t->state == TASK_SUCCEEDED) inner->handled = inner->handler;
        instance->detail->ended_at = t->at;
        if (due_set(core, instance, ORCH_TIME_NEVER) < 0) return error_memory(err);
    }
    if (t->index != 0 && !signal_drop(core, t->index)) return corrupt(t, err);
    move(core, instance, (enum task_state)t->state);
    if (t->attempt != 0) instance->attempt = (uint16_t)t->attempt;
    instance->reason = t->reason;
    instance->failure = t->failure;
    instance->stopping = false;
    frame->open--;
    if (instance_counts_as_failure(instance) && frame->failed++ == 0) agenda_add_frame(core, instance->frame);
    if (frame->open == 0) agenda_add_frame(core, instance->frame);
    if (t->state == TASK_SUCCEEDED && !frame->undo && task_block(instance->task, BLOCK_COMPENSATE))
        list_append(core, LIST_UNDO, instance);
    successors_update(core, instance, false);
    return 0;
}

static int evolve_compensating(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    struct core_instance *instance = mover(core, t, TASK_COMPENSATING);

    if (!instance || core->undoing != CORE_NONE || !instance->detail) return corrupt(t, err);
    move(core, instance, TASK_COMPENSATING);
    core->undoing = t->instance;
    return 0;
}

/* Forgets the frames of an instance that it does not keep: all, or those of its handlers. */
static void frames_forget(struct core *core, struct core_detail *detail, bool bodies_stay)
{
    uint32_t frame = detail->frame_first;

    detail->frame_first = detail->frame_last = CORE_NONE;
    while (frame != CORE_NONE) {
        uint32_t next = frame_at(core, frame)->next_of;
        frame_at(core, frame)->next_of = CORE_NONE;
        if (bodies_stay && frame_at(core, frame)->role == BLOCK_BODY) {
            if (detail->frame_last == CORE_NONE)
                detail->frame_first = frame;
            else
                frame_at(core, detail->frame_last)->next_of = frame;
            detail->frame_last = frame;
        } else {
            frame_drop(core, frame);
        }
        frame = next;
    }
}

static int evolve_reset(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    struct core_instance *instance = NULL;
    bool again = t->state == TASK_RUNNING; /* taken up again, rather than run anew */

    if (t->state == TASK_PENDING || again) instance = mover(core, t, (enum task_state)t->state);
    if (!instance || !task_state_is_terminal(instance->state)) return corrupt(t, err);
    struct core_detail *detail = instance->detail;
    struct core_frame *frame = frame_at(core, instance->frame);
    if (frame->state != TASK_RUNNING || (again && (!detail || !detail->inner || instance->task->kind == TASK_LEAF)))
        return corrupt(t, err);
    if (instance_counts_as_failure(instance) && frame->failed > 0) frame->failed--;
    frame->open++;
    successors_update(core, instance, true);
    if (detail) frames_forget(core, detail, again);
    move(core, instance, (enum task_state)t->state);
    instance->reason = REASON_NONE;
    instance->failure = FAILURE_NONE;
    instance->stopping = false;
    if (again) {
        detail->inner->phase = PHASE_BODY;
        detail->inner->handler = detail->inner->handled = CORE_NONE;
        detail->inner->redo = t->count;
        detail->inner->redo_at = detail->frame_first;
        if (t->count > 0) detail->inner->failed = 0; /* all that failed runs again, some of it later */
        detail->started_at = detail->attempt_at = t->at;
        detail->ended_at = 0;
        detail->error = STR_NONE;
        agenda_add(core, t->instance);
        return due_set(core, instance, task_deadline(instance->task, t->at, t->at));
    }
    instance->attempt = 0;
    if (detail) {
        struct core_inner *inner = detail->inner;
        uint64_t fence = detail->fence;
        if (inner) inner_init(inner);
        *detail = (struct core_detail){
            .due = ORCH_TIME_NEVER, .fence = fence, .frame_first = CORE_NONE, .frame_last = CORE_NONE, .inner = inner};
    }
    agenda_update(core, instance);
    return 0;
}

static int evolve(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    switch ((enum transition_type)t->type) {
    case TRANSITION_EXECUTION_STARTED: return evolve_started(core, t, err);
    case TRANSITION_FRAME_OPENED: return evolve_frame_opened(core, t, err);
    case TRANSITION_TASK_READY: return evolve_ready(core, t, err);
    case TRANSITION_TASK_WAITING: return evolve_waiting(core, t, err);
    case TRANSITION_ATTEMPT_STARTED: return evolve_attempt_started(core, t, err);
    case TRANSITION_ATTEMPT_FAILED: return evolve_attempt_failed(core, t, err);
    case TRANSITION_ATTEMPT_STOPPING: return evolve_attempt_stopping(core, t, err);
    case TRANSITION_TASK_STARTED: return evolve_task_started(core, t, err);
    case TRANSITION_TASK_ENDED: return evolve_task_ended(core, t, err);
    case TRANSITION_FRAME_ENDED: return evolve_frame_ended(core, t, err);
    case TRANSITION_EXECUTION_PAUSED:
        if (core->state != EXECUTION_RUNNING) return corrupt(t, err);
        core->state = EXECUTION_PAUSED;
        return 0;
    case TRANSITION_EXECUTION_RESUMED:
        if (core->state != EXECUTION_PAUSED) return corrupt(t, err);
        core->state = EXECUTION_RUNNING;
        core->execution_due = true;
        return 0;
    case TRANSITION_EXECUTION_STOPPING: return evolve_stopping(core, t, err);
    case TRANSITION_COMPENSATION_STARTED:
        if (!execution_state_may_become((enum execution_state)core->state, EXECUTION_COMPENSATING))
            return corrupt(t, err);
        core->state = EXECUTION_COMPENSATING;
        core->phase = PHASE_COMPENSATE;
        return 0;
    case TRANSITION_TASK_COMPENSATING: return evolve_compensating(core, t, err);
    case TRANSITION_EXECUTION_ENDED: return evolve_ended(core, t, err);
    case TRANSITION_APPROVAL_GIVEN:
        if (t->instance >= core->instances.count || instance_at(core, t->instance)->state != TASK_WAITING)
            return corrupt(t, err);
        return 0;
    case TRANSITION_SIGNAL_RECEIVED: return evolve_signal(core, t, err);
    case TRANSITION_EXECUTION_RETRIED: return evolve_retried(core, t, err);
    case TRANSITION_TASK_RESET: return evolve_reset(core, t, err);
    }
    return error_set(err, ORCH_ERR_VERSION, "transition type %u is not known", t->type);
}

int core_evolve(struct core *core, const struct core_transition *t, struct orch_error *err)
{
    int rc = evolve(core, t, err);

    if (rc < 0) return rc == ORCH_ERR_NO_MEMORY ? error_memory(err) : rc;
    if (t->at > core->now) core->now = t->at;
    core->sequence++;
    return 0;
}
