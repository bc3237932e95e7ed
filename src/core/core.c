/*
 * core.c - one execution: making and freeing its state, one step of it, looking at it.
 */
#include "core/internal.h"

/* ---- tables ---- */

static size_t piece_count(int piece)
{
    return (size_t)1 << (piece == 0 ? TABLE_FIRST_BITS : TABLE_FIRST_BITS + piece - 1);
}

/* Makes room for `count` elements; what is new is not set. Returns 0 or ORCH_ERR_NO_MEMORY. */
int table_grow(struct table *table, const struct orch_allocator *allocator, uint32_t count)
{
    size_t room = 0;

    for (int piece = 0; piece < TABLE_PIECES && room < count; piece++) {
        size_t size = piece_count(piece) * table->element_size;
        if (!table->pieces[piece]) table->pieces[piece] = mem_resize(allocator, NULL, 0, size);
        if (!table->pieces[piece]) return ORCH_ERR_NO_MEMORY;
        room += piece_count(piece);
    }
    return room >= count ? 0 : ORCH_ERR_NO_MEMORY;
}

static void table_done(struct table *table, const struct orch_allocator *allocator)
{
    for (int piece = 0; piece < TABLE_PIECES; piece++)
        if (table->pieces[piece])
            (void)mem_resize(allocator, table->pieces[piece], piece_count(piece) * table->element_size, 0);
}

/* ---- life ---- */

struct core *core_new(const struct workflow *workflow, uint64_t seed, const struct core_env *env,
                      const struct orch_allocator *allocator)
{
    struct core *core = mem_resize(allocator, NULL, 0, sizeof(*core));

    if (!core) return NULL;
    *core = (struct core){
        .workflow = workflow,
        .allocator = allocator,
        .env = *env,
        .seed = seed,
        .instances = {.element_size = sizeof(struct core_instance)},
        .frames = {.element_size = sizeof(struct core_frame)},
        .frame_first = CORE_NONE,
        .frame_last = CORE_NONE,
        .top_last = CORE_NONE,
        .handler = CORE_NONE,
        .undoing = CORE_NONE,
        .undo_failed = CORE_NONE,
    };
    for (int i = 0; i < LIST_COUNT; i++) core->lists[i] = (struct list){.first = CORE_NONE, .last = CORE_NONE};
    if (core->env.interrupts_max == 0) core->env.interrupts_max = 10;
    if (core->env.instances_max == 0) core->env.instances_max = 20000000;
    arena_init(&core->arena, allocator, 0);
    arena_init(&core->scratch, allocator, 0);
    return core;
}

struct core *core_free(struct core *core)
{
    if (!core) return NULL;
    const struct orch_allocator *allocator = core->allocator;
    table_done(&core->instances, allocator);
    table_done(&core->frames, allocator);
    if (core->timers.heap)
        (void)mem_resize(allocator, core->timers.heap, core->timers.capacity * sizeof(*core->timers.heap), 0);
    arena_done(&core->scratch);
    arena_done(&core->arena);
    (void)mem_resize(allocator, core, sizeof(*core), 0);
    return NULL;
}

/* ---- a step ---- */

struct core_transition *step_add(struct step *step, enum transition_type type, uint32_t instance)
{
    struct core_transition *t = transitions_add(step->out, step->arena, type, step->now);

    if (!t) {
        (void)error_memory(step->err);
        return NULL;
    }
    t->instance = instance;
    return t;
}

int step_fold(struct step *step)
{
    int rc = core_evolve(step->core, &step->out->items[step->out->count - 1], step->err);

    /* What was decided just now from this very state can be folded into it. */
    ORCH_ASSERT(rc == 0 || rc == ORCH_ERR_NO_MEMORY);
    return rc;
}

int step_tell(struct step *step, enum transition_type type, uint32_t instance)
{
    return step_add(step, type, instance) ? step_fold(step) : ORCH_ERR_NO_MEMORY;
}

struct orch_str step_take(struct step *step, struct buf *buf)
{
    struct orch_str text = buf->size > 0 ? arena_str(step->arena, buf_str(buf)) : STR_NONE;

    if (buf->failed || (buf->size > 0 && !text.data)) step->is_short = true;
    buf_done(buf);
    return text;
}

struct orch_str step_printf(struct step *step, const char *format, ...)
{
    struct buf buf;
    va_list args;

    buf_init(&buf, step->core->allocator, 0); /* as long as what is told of */
    va_start(args, format);
    buf_vprintf(&buf, format, args);
    va_end(args);
    return step_take(step, &buf);
}

int step_json(struct step *step, struct value value, struct orch_str *ret)
{
    struct buf buf;

    buf_init(&buf, step->core->allocator, 0);
    json_format(value, 0, &buf);
    struct orch_str text = buf.failed ? STR_NONE : arena_str(step->arena, buf_str(&buf));
    buf_done(&buf);
    if (!text.data) return error_memory(step->err);
    *ret = text;
    return 0;
}

void agenda_add_all(struct core *core)
{
    for (uint32_t i = 0; i < core->frames.count; i++) {
        struct core_frame *frame = frame_at(core, i);
        if (frame->dropped || frame->state != TASK_RUNNING) continue;
        agenda_add_frame(core, i);
        for (uint32_t k = 0; k < frame->block->task_count; k++) {
            struct core_instance *instance = instance_at(core, frame->first + k);
            if (instance->state == TASK_RUNNING || instance->state == TASK_COMPENSATING ||
                (instance->state == TASK_PENDING && join_verdict(instance) != VERDICT_WAIT))
                agenda_add(core, frame->first + k);
        }
    }
    if (core->undoing != CORE_NONE) agenda_add(core, core->undoing);
    core->execution_due = true;
}

/* Everything that was owed at the end of the last step has been looked at; a replay only could not know. */
static void agenda_clear(struct core *core)
{
    while (agenda_take(core) != CORE_NONE) continue;
    while (agenda_take_frame(core) != CORE_NONE) continue;
    core->execution_due = false;
}

/* Examines what is on the agenda until nothing more follows. Tasks first, so that a block is looked at when all in it
 * is said. */
static int settle(struct step *step)
{
    struct core *core = step->core;

    for (;;) {
        uint32_t number = agenda_take(core);
        int rc;
        if (number != CORE_NONE) {
            rc = examine_instance(step, number);
        } else if ((number = agenda_take_frame(core)) != CORE_NONE) {
            rc = frame_examine(step, number);
        } else if (core->execution_due) {
            core->execution_due = false;
            rc = execution_examine(step);
        } else {
            return 0;
        }
        if (rc < 0) return rc;
    }
}

int core_owed(struct core *core, struct arena *arena, struct core_transitions *ret, struct orch_error *err)
{
    struct step step = {.core = core, .arena = arena, .out = ret, .now = core->now, .err = err};

    agenda_add_all(core);
    return settle(&step);
}

static bool names_instance(enum core_input_type type)
{
    return type == INPUT_ADMIT || type == INPUT_ATTEMPT_DONE || type == INPUT_APPROVE;
}

static int decide(struct step *step, const struct core_input *input)
{
    struct core *core = step->core;

    if (input->type != INPUT_START && core->state == EXECUTION_PENDING)
        return error_set(step->err, ORCH_ERR_STATE, "the execution has not been started");
    if ((names_instance(input->type) || (input->type == INPUT_RETRY && input->instance != CORE_NONE)) &&
        (input->instance >= core->instances.count ||
         frame_at(core, instance_at(core, input->instance)->frame)->dropped))
        return error_set(step->err, ORCH_ERR_NOT_FOUND, "there is no task number %u", input->instance);
    switch (input->type) {
    case INPUT_START: return decide_start(step, input);
    case INPUT_ADMIT: return decide_admit(step, input->instance);
    case INPUT_ATTEMPT_DONE: return decide_attempt_done(step, input);
    case INPUT_TIMER: return decide_timer(step);
    case INPUT_CANCEL: return decide_cancel(step, input);
    case INPUT_PAUSE: return decide_pause(step);
    case INPUT_RESUME: return decide_resume(step);
    case INPUT_APPROVE: return decide_approve(step, input);
    case INPUT_SIGNAL: return decide_signal(step, input);
    case INPUT_RECOVER: return decide_recover(step);
    case INPUT_RETRY: return decide_retry_run(step, input);
    }
    return error_set(step->err, ORCH_ERR_MISUSE, "no such input");
}

int core_step(struct core *core, const struct core_input *input, struct arena *arena, struct core_transitions *ret,
              struct orch_error *err)
{
    struct step step = {
        .core = core,
        .arena = arena,
        .out = ret,
        .now = input->now > core->now ? input->now : core->now,
        .by = input->by,
        .err = err,
    };

    agenda_clear(core);
    int rc = decide(&step, input);
    if (rc == 0) rc = settle(&step);
    return step.is_short && rc == 0 ? error_memory(err) : rc;
}

/* ---- looking ---- */

orch_time core_deadline(const struct core *core)
{
    return core->timers.count > 0 ? core->timers.heap[0].due : ORCH_TIME_NEVER;
}

int core_each_ready(const struct core *core, int (*fn)(void *user, uint32_t instance), void *user)
{
    if (core->state == EXECUTION_PAUSED) return 0;
    for (uint32_t i = core->lists[LIST_READY].first, next; i != CORE_NONE; i = next) {
        next = instance_at(core, i)->next;
        if (!task_is_external(instance_at(core, i)->task)) continue;
        int rc = fn(user, i);
        if (rc != 0) return rc;
    }
    return 0;
}

int core_each_running(const struct core *core, int (*fn)(void *user, uint32_t instance), void *user)
{
    for (uint32_t i = core->lists[LIST_RUNNING].first, next; i != CORE_NONE; i = next) {
        next = instance_at(core, i)->next;
        int rc = fn(user, i);
        if (rc != 0) return rc;
    }
    return 0;
}

orch_time core_now(const struct core *core)
{
    return core->now;
}

void core_get_summary(const struct core *core, struct core_summary *ret)
{
    *ret = (struct core_summary){
        .state = (enum execution_state)core->state,
        .failure = (enum failure)core->failure,
        .error = core->error,
        .output = core->output,
        .output_blob = core->output_blob,
        .output_blob_size = core->output_blob_size,
        .id = core->id,
        .parameters = core->parameters_text,
        .started_at = core->started_at,
        .ended_at = core->ended_at,
        .generation = core->generation,
        .sequence = core->sequence,
        .failed_allowed = core->failed_allowed,
    };
    for (int state = 0; state < TASK_STATE_COUNT; state++) {
        ret->states[state] = core->states[state];
        ret->tasks_total += core->states[state];
        if (task_state_is_terminal((uint8_t)state)) ret->tasks_done += core->states[state];
    }
}

const struct workflow *core_workflow(const struct core *core)
{
    return core->workflow;
}

uint32_t core_instance_count(const struct core *core)
{
    return core->instances.count;
}

uint32_t core_frame_count(const struct core *core)
{
    return core->frames.count;
}

const struct core_instance *core_get_instance(const struct core *core, uint32_t instance)
{
    return instance < core->instances.count ? instance_at(core, instance) : NULL;
}

const struct core_frame *core_get_frame(const struct core *core, uint32_t frame)
{
    return frame < core->frames.count ? frame_at(core, frame) : NULL;
}

uint32_t core_frame_next_of(const struct core *core, uint32_t instance, uint32_t frame)
{
    if (frame != CORE_NONE) return frame < core->frames.count ? frame_at(core, frame)->next_of : CORE_NONE;
    if (instance == CORE_NONE) return core->frames.count > 0 ? 0 : CORE_NONE;
    if (instance >= core->instances.count || !instance_at(core, instance)->detail) return CORE_NONE;
    return instance_at(core, instance)->detail->frame_first;
}

struct orch_str core_frame_item(const struct core *core, uint32_t number, struct arena *arena)
{
    (void)arena; /* items stand in the state as they are */
    const struct core_frame *frame = core_get_frame(core, number);
    if (!frame || frame->owner == CORE_NONE || frame->role != BLOCK_BODY) return STR_NONE;
    const struct core_detail *detail = instance_at(core, frame->owner)->detail;
    if (!detail || !detail->inner || !detail->inner->item_at || frame->index >= detail->item_count) return STR_NONE;
    return items_get(detail->items, detail->inner->item_at, frame->index);
}
