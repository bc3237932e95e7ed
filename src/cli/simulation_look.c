/*
 * simulation_look.c - what became of a run: its tasks, why it ended as it did, what made it last as long as it did.
 */
#include "cli/simulation_internal.h"

#include <stdlib.h>

#include "base/error.h"

/* ---- the critical path: backwards from what ended last ---- */

struct look {
    struct simulation *s;
    int64_t number;
    const struct core *core;
    uint32_t *rows; /* on the path; at most rows_max */
    uint32_t rows_count, rows_max;
    uint32_t
        work; /* what may still be looked at: of a loop over very many items, the path is not followed item by item */
};

#define WORK_MAX 1000000

static orch_time end_of(const struct look *look, uint32_t instance)
{
    const struct core_detail *detail = core_get_instance(look->core, instance)->detail;
    return detail ? detail->ended_at : 0;
}

static orch_time begin_of(const struct look *look, uint32_t instance)
{
    const struct core_detail *detail = core_get_instance(look->core, instance)->detail;
    if (!detail) return 0;
    return detail->ready_at ? detail->ready_at : detail->started_at;
}

static uint32_t last_in_frame(const struct look *look, uint32_t frame);

/* From a group or loop to the leaf in it that ended last; a leaf is its own, unless its on_error ran. */
static uint32_t last_leaf(const struct look *look, uint32_t instance)
{
    uint32_t best = CORE_NONE;
    for (uint32_t f = core_frame_next_of(look->core, instance, CORE_NONE); f != CORE_NONE;
         f = core_frame_next_of(look->core, instance, f)) {
        const struct core_frame *frame = core_get_frame(look->core, f);
        if (frame->role == BLOCK_COMPENSATE) continue;
        uint32_t last = last_in_frame(look, f);
        if (last != CORE_NONE && (best == CORE_NONE || end_of(look, last) >= end_of(look, best))) best = last;
    }
    return best == CORE_NONE ? instance : best;
}

static uint32_t last_in_frame(const struct look *look, uint32_t at)
{
    const struct core_frame *frame = core_get_frame(look->core, at);
    uint32_t best = CORE_NONE;
    for (uint32_t i = frame->first; i < frame->first + frame->block->task_count; i++) {
        if (!end_of(look, i) || core_get_instance(look->core, i)->state == TASK_SKIPPED) continue;
        if (best == CORE_NONE || end_of(look, i) > end_of(look, best)) best = i;
    }
    return best == CORE_NONE ? CORE_NONE : last_leaf(look, best);
}

/* Of all leaves the one that ended last, at a time or before; of what comes before them in the order of making. */
static uint32_t last_until(struct look *look, orch_time until, uint32_t before)
{
    uint32_t best = CORE_NONE;
    if (before > look->work) return CORE_NONE;
    look->work -= before;
    for (uint32_t i = 0; i < before; i++) {
        const struct core_instance *instance = core_get_instance(look->core, i);
        if (instance->task->kind != TASK_LEAF || instance->state == TASK_SKIPPED) continue;
        orch_time end = end_of(look, i);
        if (!end || end > until) continue;
        if (best == CORE_NONE || end >= end_of(look, best)) best = i;
    }
    return best;
}

/* Of an owner's frames before this one, the one that ended last before it began: its last leaf. */
static uint32_t frame_before(struct look *look, uint32_t at)
{
    const struct core_frame *frame = core_get_frame(look->core, at);
    orch_time begin = 0;
    for (uint32_t i = frame->first; i < frame->first + frame->block->task_count; i++) {
        orch_time one = begin_of(look, i);
        if (one && (!begin || one < begin)) begin = one;
    }
    uint32_t best = CORE_NONE;
    for (uint32_t f = core_frame_next_of(look->core, frame->owner, CORE_NONE); f != CORE_NONE && f != at;
         f = core_frame_next_of(look->core, frame->owner, f)) {
        if (look->work == 0) return CORE_NONE;
        look->work--;
        uint32_t last = last_in_frame(look, f);
        if (last == CORE_NONE || end_of(look, last) > begin) continue;
        if (best == CORE_NONE || end_of(look, last) >= end_of(look, best)) best = last;
    }
    return best;
}

/* A program that could begin, and did not at once: the leaf that made room for it. Not what took two commits. */
static uint32_t made_room(struct look *look, uint32_t leaf)
{
    const struct core_detail *detail = core_get_instance(look->core, leaf)->detail;
    if (!detail || !detail->ready_at || detail->started_at <= detail->ready_at + 2 * ORCH_MILLISECOND) return CORE_NONE;
    uint32_t best = last_until(look, detail->started_at, core_instance_count(look->core));
    return best == CORE_NONE || end_of(look, best) <= detail->ready_at ? CORE_NONE : best;
}

/* What a leaf had to wait for last; CORE_NONE when it could begin with the execution. */
static uint32_t predecessor(struct look *look, uint32_t leaf)
{
    uint32_t room = made_room(look, leaf);
    if (room != CORE_NONE) return room;
    for (uint32_t at = leaf;;) {
        const struct core_instance *instance = core_get_instance(look->core, at);
        const struct core_frame *frame = core_get_frame(look->core, instance->frame);
        const struct block *block = frame->block;
        uint32_t best = CORE_NONE, index = instance->task->index;
        for (uint32_t i = block->dependency_start[index]; i < block->dependency_start[index + 1]; i++) {
            uint32_t one = frame->first + block->dependencies[i];
            if (!end_of(look, one) || core_get_instance(look->core, one)->state == TASK_SKIPPED) continue;
            if (best == CORE_NONE || end_of(look, one) > end_of(look, best)) best = one;
        }
        if (best != CORE_NONE) return last_leaf(look, best);
        if (frame->role != BLOCK_BODY && frame->role != BLOCK_ON_ERROR)
            return last_until(look, begin_of(look, leaf), frame->first);
        if (frame->owner == CORE_NONE)
            return frame->role == BLOCK_BODY ? CORE_NONE : last_until(look, begin_of(look, leaf), frame->first);
        const struct task *owner = core_get_instance(look->core, frame->owner)->task;
        /* Items wait for each other only where there is a bound, and not the first ones. */
        bool is_after_items = owner->kind == TASK_FOR_EACH && owner->options->loop->parallel_max &&
                              frame->index >= owner->options->loop->parallel_max;
        uint8_t kind = owner->kind;
        uint32_t before = frame->role == BLOCK_ON_ERROR || is_after_items || kind == TASK_REPEAT
                              ? frame_before(look, instance->frame)
                              : CORE_NONE;
        if (before != CORE_NONE) return before;
        /* A leaf's on_error comes after the leaf. */
        if (frame->role == BLOCK_ON_ERROR && kind == TASK_LEAF) return frame->owner;
        at = frame->owner;
    }
}

static bool add_row(struct look *look, uint32_t row)
{
    if (row == SIMULATION_ROW_NONE) return false;
    for (uint32_t i = 0; i < look->rows_count; i++)
        if (look->rows[i] == row) return true;
    if (look->rows_count == look->rows_max) {
        uint32_t max = look->rows_max * 2;
        uint32_t *rows = ARENA_ARRAY(&look->s->run_arena, max, uint32_t);
        if (!rows) return false;
        memcpy(rows, look->rows, look->rows_count * sizeof *rows);
        look->rows = rows;
        look->rows_max = max;
    }
    look->rows[look->rows_count++] = row;
    return true;
}

/* A task that is a sub-workflow brings the path in it. */
static bool add_inner(struct look *look, uint32_t leaf)
{
    const struct core_instance *instance = core_get_instance(look->core, leaf);
    if (!instance->task->action || instance->task->action->kind != ACTION_WORKFLOW) return true;
    for (uint32_t i = 1; i < look->s->members_capacity; i++) {
        const struct simulation_member *member = &look->s->members[i];
        if (!member->is_known || member->parent != look->number || member->parent_instance != leaf ||
            !instance->detail || member->parent_fence != instance->detail->fence)
            continue;
        for (uint32_t n = 0; n < member->critical_count; n++)
            if (!add_row(look, member->critical[n])) return false;
    }
    return true;
}

static bool find_critical(struct look *look)
{
    struct simulation *s = look->s;
    uint32_t at = CORE_NONE;
    look->rows_max = 16;
    look->rows = ARENA_ARRAY(&s->run_arena, look->rows_max, uint32_t);
    if (!look->rows) return false;
    for (uint32_t i = 0; i < core_instance_count(look->core); i++) {
        const struct core_instance *instance = core_get_instance(look->core, i);
        if (instance->task->kind != TASK_LEAF || instance->state == TASK_SKIPPED || !end_of(look, i)) continue;
        if (at == CORE_NONE || end_of(look, i) >= end_of(look, at)) at = i;
    }
    if (at != CORE_NONE) at = last_leaf(look, at);
    /* Each step goes back in time or in the order of making; the count bounds it all the same. */
    for (uint32_t steps = core_instance_count(look->core); at != CORE_NONE && steps > 0; steps--) {
        const struct simulation_member *member = simulation_member_of(s, look->number);
        if (!member || !add_row(look, simulation_row_of(s, member, look->core, at)) || !add_inner(look, at))
            return false;
        at = predecessor(look, at);
    }
    return true;
}

/* ---- counting ---- */

bool simulation_count(struct simulation *s, const struct simulation_member *member, const struct core *core,
                      const struct core_transition *transition)
{
    uint8_t type = transition->type;
    if (type != TRANSITION_ATTEMPT_STARTED && type != TRANSITION_ATTEMPT_FAILED &&
        type != TRANSITION_TASK_COMPENSATING && type != TRANSITION_TASK_ENDED)
        return true;
    uint32_t row = simulation_row_of(s, member, core, transition->instance);
    if (row == SIMULATION_ROW_NONE) return false;
    struct simulation_task *task = &s->tasks[row];
    if (type == TRANSITION_ATTEMPT_STARTED) {
        task->attempts++;
        if (transition->attempt > 1) task->retries++;
    } else if (type == TRANSITION_ATTEMPT_FAILED) {
        if (transition->failure == FAILURE_LOST) task->lost++;
    } else if (type == TRANSITION_TASK_COMPENSATING)
        task->undo_began++;
    else if (transition->state == TASK_COMPENSATED)
        task->undone++;
    return true;
}

struct recount {
    struct simulation *s;
    struct orch_error *err;
    struct engine_view *view;
    int64_t number;
};

static bool recount_one(void *user, uint64_t sequence, const struct core_transition *transition)
{
    struct recount *recount = user;
    (void)sequence;
    if (transition->instance == CORE_NONE) return true;
    const struct simulation_member *member = simulation_member_of(recount->s, recount->number);
    if (member && simulation_count(recount->s, member, engine_view_core(recount->view), transition)) return true;
    (void)error_memory(recount->err);
    return false;
}

static int recount_execution(void *user, const struct store_execution *row)
{
    struct recount *recount = user;
    struct orch_error err = ORCH_ERROR_INIT;
    recount->number = row->number;
    recount->err = &err;
    int r = engine_view_open_at(sim_durable(recount->s->sim), row->number, 0, &recount->view, &err);
    if (!r) r = engine_view_advance(recount->view, UINT64_MAX, recount_one, recount, &err);
    recount->view = engine_view_close(recount->view);
    return r ? r : err.code;
}

int simulation_recount(struct simulation *s, struct orch_error *err)
{
    struct recount recount = {.s = s};
    for (uint32_t i = 0; i < s->rows.count; i++) {
        struct simulation_task *task = &s->tasks[i];
        task->attempts = task->retries = task->lost = task->undo_began = task->undone = 0;
    }
    struct store_filter filter = {.parent = -1, .count_max = UINT32_MAX};
    int r = store_each_execution(sim_durable(s->sim), &filter, recount_execution, &recount, err);
    return r ? error_memory(err) : 0;
}

static bool count_instance(struct look *look, const struct simulation_member *member, uint32_t at)
{
    struct simulation *s = look->s;
    const struct core_instance *instance = core_get_instance(look->core, at);
    const struct core_detail *detail = instance->detail;
    if (instance->task->kind != TASK_LEAF || core_get_frame(look->core, instance->frame)->dropped) return true;
    uint32_t row = simulation_row_of(s, member, look->core, at);
    if (row == SIMULATION_ROW_NONE) return false;
    struct simulation_task *task = &s->tasks[row];
    if (instance->state == TASK_SKIPPED) task->skipped++;
    if (instance->state == TASK_FAILED) task->failed++;
    if (instance->state == TASK_TIMED_OUT) task->timed_out++;
    if (instance->failure == FAILURE_EVALUATION && instance->state == TASK_FAILED) s->result.is_evaluation = true;
    if (!detail || instance->state == TASK_SKIPPED) return true;
    orch_time start = detail->started_at ? detail->started_at : detail->ended_at;
    if (!start || (instance->state == TASK_CANCELLED && !detail->started_at)) return true; /* it never began */
    if (!task_state_is_terminal(instance->state)) {
        task->ran++; /* and goes on for ever */
        return true;
    }
    start -= s->options.wall;
    orch_time end = detail->ended_at - s->options.wall;
    if (!task->ran || start < task->started_at) task->started_at = start;
    task->ran++;
    if (!s->crashes || !s->options.clock_jump) {
        /* What the clock says of a time in which it jumped is no duration. */
        task->timed++;
        task->busy += end > start ? end - start : 0;
    }
    if (end >= task->ended_at) {
        task->ended_at = end;
        task->state = instance->state;
    }
    return true;
}

static int look_at(struct simulation *s, int64_t number, const struct core *core)
{
    struct look look = {.s = s, .number = number, .core = core, .work = WORK_MAX};
    for (uint32_t i = 0; i < core_instance_count(core); i++) {
        const struct simulation_member *member = simulation_member_of(s, number);
        if (!member || !count_instance(&look, member, i)) return ORCH_ERR_NO_MEMORY;
    }
    if (!find_critical(&look)) return ORCH_ERR_NO_MEMORY;
    struct simulation_member *member = simulation_member_of(s, number);
    if (!member) return ORCH_ERR_NO_MEMORY;
    member->critical = look.rows;
    member->critical_count = look.rows_count;
    member->is_looked_at = true;
    return 0;
}

/* Sub-workflows that ended in the last moment of a life were told of to nobody. */
static int look_at_child(void *user, const struct store_execution *row)
{
    struct simulation *s = user;
    if (!execution_state_is_terminal(row->state)) return 0;
    const struct simulation_member *member = simulation_member_of(s, row->number);
    if (!member) return ORCH_ERR_NO_MEMORY;
    return member->is_looked_at ? 0 : simulation_look(s, row->number);
}

static int look_at_missed(struct simulation *s, int64_t number)
{
    struct store_filter filter = {.parent = number, .count_max = UINT32_MAX};
    if (!s->crashes) return 0;
    return store_each_execution(sim_durable(s->sim), &filter, look_at_child, s, NULL);
}

/* ---- the end ---- */

/* Items, iterations and numbers of runs are left out: ends that are alike read alike. */
static bool set_reason(struct simulation *s, struct orch_str text)
{
    buf_clear(&s->path);
    for (size_t i = 0; i < text.size; i++) {
        struct orch_str rest = str_of(text.data + i, text.size - i);
        if (str_starts_with(rest, STR("run r-"))) {
            size_t end = 6;
            while (end < rest.size && rest.data[end] != ' ') end++;
            buf_add_text(&s->path, "its run");
            i += end - 1;
            continue;
        }
        buf_add_char(&s->path, text.data[i]);
    }
    buf_clear(&s->stripped);
    simulation_strip(buf_str(&s->path), &s->stripped);
    s->result.reason = arena_str(&s->run_arena, buf_str(&s->stripped));
    return s->result.reason.data && !s->path.failed && !s->stripped.failed;
}

int simulation_look(struct simulation *s, int64_t number)
{
    int r = look_at_missed(s, number);
    const struct core *core = simulation_core(s, number);
    if (r || !core) return ORCH_ERR_NO_MEMORY;
    r = look_at(s, number, core);
    if (r || number != s->root) return r;
    const struct simulation_member *member = simulation_member_of(s, number);
    struct core_summary summary;
    core_get_summary(core, &summary);
    for (uint32_t i = 0; i < member->critical_count; i++) s->tasks[member->critical[i]].is_critical = true;
    s->result.state = summary.state;
    s->result.makespan = sim_now(s->sim);
    s->result.output = summary.output.size ? arena_str(&s->run_arena, summary.output) : STR_NONE;
    if (summary.output.size && !s->result.output.data) return ORCH_ERR_NO_MEMORY;
    struct orch_str reason = summary.error;
    if (!reason.size && summary.failure != FAILURE_NONE) reason = str_from(failure_to_string(summary.failure));
    return set_reason(s, reason) ? 0 : ORCH_ERR_NO_MEMORY;
}

int simulation_look_stuck(struct simulation *s, struct orch_error *err)
{
    s->result.is_stuck = true;
    s->result.makespan = sim_now(s->sim);
    struct buf text;
    buf_init(&text, NULL, 0);
    for (int64_t number = 1; number < s->members_capacity; number++) {
        if (!s->members[number].is_known) continue;
        const struct core *core = simulation_core(s, number);
        struct core_summary summary;
        if (!core) continue;
        core_get_summary(core, &summary);
        if (execution_state_is_terminal((uint8_t)summary.state)) continue;
        if (look_at(s, number, core)) {
            buf_done(&text);
            return error_memory(err);
        }
        for (uint32_t i = 0; i < core_instance_count(core) && !text.size; i++) {
            const struct core_instance *instance = core_get_instance(core, i);
            if (instance->task->kind != TASK_LEAF || core_get_frame(core, instance->frame)->dropped) continue;
            bool is_program = instance->state == TASK_RUNNING && instance->task->action->kind != ACTION_WORKFLOW;
            if (!is_program && instance->state != TASK_WAITING) continue;
            buf_add(&text, s->members[number].prefix);
            core_path(core, i, &text);
            if (is_program) {
                buf_add_text(&text, " hangs, and has no timeout");
                continue;
            }
            buf_add_text(&text, " waits for ever: ");
            core_why(core, i, core_now(core), &text);
        }
    }
    bool is_set = !text.failed && set_reason(s, text.size ? buf_str(&text) : STR("nothing goes on any more"));
    buf_done(&text);
    return is_set ? 0 : error_memory(err);
}
