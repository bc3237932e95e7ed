/*
 * watch.c - the invariants.
 */
#include "watch.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

#define INTERRUPTS_MAX 10
#define STOP_SLACK     ORCH_SECOND
#define NUMBERS_MAX    1024

struct note {          /* of an instance */
    uint64_t fence;    /* highest */
    uint32_t attempts; /* of this generation */
    uint32_t interrupts;
    uint32_t ended_order; /* of its latest success; 0: none */
    orch_time not_before; /* of a retry or wait */
    orch_time stop_at;    /* its attempt was told to stop, in the world's time; NEVER */
    bool runs;            /* by the ledger */
};

struct shadow {
    int64_t number;
    struct arena arena;
    const struct workflow *workflow;
    struct core *core;
    uint64_t sequence;
    struct note *notes;
    uint32_t notes_count;
    uint32_t ended_order;
    orch_time at;
    uint8_t stopping_state; /* that it is to end in; 0: it is not stopping */
    bool has_cancel_answer;
    bool has_cleaned; /* the workflow's finally has begun in this generation */
    bool has_blob; /* the engine keeps its text, the journal its number: the states cannot be told apart by a digest */
};

struct running {
    struct shadow *shadow;
    uint32_t instance;
    uint64_t fence;
};

struct watch {
    struct sim *sim;
    uint32_t jobs;
    orch_time grace_us;
    struct shadow *shadows[NUMBERS_MAX];
    struct running *running;
    uint32_t running_count, running_capacity;
    char failure[512];
    uint64_t digest, transitions, progress;
};

void watch_fail(struct watch *watch, const char *format, ...)
{
    if (watch->failure[0]) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(watch->failure, sizeof watch->failure, format, arguments);
    va_end(arguments);
}

static void fail_at(struct watch *watch, const struct shadow *shadow, uint32_t instance, const char *rule,
                    const char *text)
{
    struct buf path;
    buf_init(&path, NULL, 0);
    if (instance != CORE_NONE) core_path(shadow->core, instance, &path);
    watch_fail(watch, "%s: run %lld, transition %llu, task \"%.*s\": %s", rule, (long long)shadow->number,
               (unsigned long long)shadow->sequence + 1, STR_ARG(buf_str(&path)), text);
    buf_done(&path);
}

static int shadow_blob(void *user, uint64_t blob, struct arena *arena, struct orch_str *ret, struct orch_error *err);

struct shadow_env {
    struct watch *watch;
    int64_t number;
};

static int shadow_blob(void *user, uint64_t blob, struct arena *arena, struct orch_str *ret, struct orch_error *err)
{
    struct shadow_env *env = user;
    return store_get_blob(sim_durable(env->watch->sim), env->number, blob, arena, ret, err);
}

static struct shadow *shadow_new(struct watch *watch, const struct store_execution *row)
{
    struct shadow *shadow = calloc(1, sizeof *shadow);
    struct orch_error err = ORCH_ERROR_INIT;
    struct orch_str normal;
    if (!shadow) abort();
    shadow->number = row->number;
    arena_init(&shadow->arena, NULL, 0);
    struct diags *diags = ARENA_NEW(&shadow->arena, struct diags);
    struct shadow_env *env = ARENA_NEW(&shadow->arena, struct shadow_env);
    if (!diags || !env) abort();
    *env = (struct shadow_env){watch, row->number};
    diags_init(diags, &shadow->arena);
    if (store_get_definition(sim_durable(watch->sim), row->digest, &shadow->arena, &normal, &err) ||
        workflow_read(normal, STR_NONE, &shadow->arena, diags, &shadow->workflow))
        watch_fail(watch, "I1: run %lld is durable, its definition is not", (long long)row->number);
    else {
        struct core_env core_env = {.blob = shadow_blob, .user = env};
        shadow->core = core_new(shadow->workflow, 0, &core_env, NULL);
    }
    return shadow;
}

static struct note *note_of(struct shadow *shadow, uint32_t instance)
{
    if (instance >= shadow->notes_count) {
        uint32_t count = shadow->notes_count ? shadow->notes_count * 2 : 64;
        while (count <= instance) count *= 2;
        shadow->notes = realloc(shadow->notes, count * sizeof *shadow->notes);
        if (!shadow->notes) abort();
        memset(shadow->notes + shadow->notes_count, 0, (count - shadow->notes_count) * sizeof *shadow->notes);
        for (uint32_t i = shadow->notes_count; i < count; i++) shadow->notes[i].stop_at = ORCH_TIME_NEVER;
        shadow->notes_count = count;
    }
    return &shadow->notes[instance];
}

/*
 * E4: nothing begins before those it depends on have ended as its join rule says.
 */
static bool ended_well(const struct core_instance *instance)
{
    switch ((enum task_state)instance->state) {
    case TASK_SUCCEEDED:
    case TASK_COMPENSATING:
    case TASK_COMPENSATED: return true;
    case TASK_FAILED:
    case TASK_TIMED_OUT:
    case TASK_CANCELLED: return instance->task->continue_on_error;
    default: return false;
    }
}

static bool ended_ill(const struct core_instance *instance)
{
    switch ((enum task_state)instance->state) {
    case TASK_FAILED:
    case TASK_TIMED_OUT:
    case TASK_CANCELLED: return !ended_well(instance);
    case TASK_SKIPPED: return instance->reason != REASON_WHEN;
    default: return false;
    }
}

static bool may_begin(const struct shadow *shadow, const struct core_instance *instance)
{
    const struct task *task = instance->task;
    const struct block *block = task->block;
    const struct core_frame *frame = core_get_frame(shadow->core, instance->frame);
    uint32_t from = block->dependency_start[task->index], to = block->dependency_start[task->index + 1];
    uint32_t well = 0, ill = 0, ended = 0, count = to - from;
    for (uint32_t i = from; i < to; i++) {
        const struct core_instance *other = core_get_instance(shadow->core, frame->first + block->dependencies[i]);
        bool is_over = task_state_is_terminal(other->state) || other->state == TASK_COMPENSATING;
        ended += is_over;
        well += is_over && ended_well(other);
        ill += is_over && ended_ill(other);
    }
    if (count == 0) return true;
    switch ((enum join_rule)task->join) {
    case JOIN_ALL_SUCCEEDED: return well == count;
    case JOIN_ALL_DONE: return ended == count;
    case JOIN_ANY_SUCCEEDED: return well > 0;
    case JOIN_NONE_FAILED: return ended == count && ill == 0;
    case JOIN_AT_LEAST: return well >= task->options->join_count;
    }
    return false;
}

/* In the body of the workflow and of nothing that handles, undoes or cleans up. */
static bool is_in_body(const struct shadow *shadow, uint32_t f)
{
    while (f != CORE_NONE) {
        const struct core_frame *frame = core_get_frame(shadow->core, f);
        if (frame->role != BLOCK_BODY) return false;
        f = frame->parent;
    }
    return true;
}

static orch_time backoff_max(const struct retry_policy *policy, uint32_t attempt)
{
    double wait = (double)policy->delay_us;
    if (policy->backoff == BACKOFF_LINEAR) wait *= attempt;
    if (policy->backoff == BACKOFF_EXPONENTIAL) wait *= pow(policy->factor, attempt - 1);
    if (policy->delay_max_us && wait > (double)policy->delay_max_us) wait = (double)policy->delay_max_us;
    return (orch_time)wait + 1;
}

static orch_time backoff_min(const struct retry_policy *policy, uint32_t attempt)
{
    return (orch_time)((double)(backoff_max(policy, attempt) - 1) * (1 - policy->jitter)) - 1;
}

static void check_begin(struct watch *watch, struct shadow *shadow, const struct core_transition *t)
{
    const struct core_instance *instance = core_get_instance(shadow->core, t->instance);
    if (!instance || instance->state != TASK_PENDING) return;
    if (!may_begin(shadow, instance))
        fail_at(watch, shadow, t->instance, "E4", "begins before its dependencies allow it");
}

static uint8_t execution_state(const struct shadow *shadow)
{
    struct core_summary summary;
    core_get_summary(shadow->core, &summary);
    return (uint8_t)summary.state;
}

static void check_attempt(struct watch *watch, struct shadow *shadow, const struct core_transition *t)
{
    const struct core_instance *instance = core_get_instance(shadow->core, t->instance);
    struct note *note = note_of(shadow, t->instance);
    if (!instance) return;
    if (t->fence <= note->fence)
        fail_at(watch, shadow, t->instance, "F1", "an attempt's fence is not higher than the one before");
    note->fence = t->fence;
    note->attempts++;
    note->stop_at = ORCH_TIME_NEVER;
    if (t->attempt != note->attempts) fail_at(watch, shadow, t->instance, "R1", "attempts are not counted one by one");
    const struct retry_policy *policy = task_retry(instance->task);
    uint32_t allowed = policy ? policy->attempts_max : 1;
    if (note->attempts - note->interrupts > allowed)
        fail_at(watch, shadow, t->instance, "R1", "more attempts than its policy allows");
    if (t->at < note->not_before)
        fail_at(watch, shadow, t->instance, "T2", "an attempt begins before its back-off is over");
    if (task_state_is_terminal(instance->state))
        fail_at(watch, shadow, t->instance, "E3", "a task with a result begins again");
    uint8_t state = execution_state(shadow);
    if (state == EXECUTION_PAUSED)
        fail_at(watch, shadow, t->instance, "P1", "an attempt begins while the run is paused");
    if (shadow->stopping_state && is_in_body(shadow, instance->frame))
        fail_at(watch, shadow, t->instance, "C1", "an attempt of the body begins while the run is stopping");
}

static void check_failed(struct watch *watch, struct shadow *shadow, const struct core_transition *t)
{
    struct note *note = note_of(shadow, t->instance);
    if (t->failure == FAILURE_LOST && ++note->interrupts > INTERRUPTS_MAX + 1)
        fail_at(watch, shadow, t->instance, "E6", "interrupted more often than allowed");
}

static void check_waiting(struct watch *watch, struct shadow *shadow, const struct core_transition *t)
{
    const struct core_instance *instance = core_get_instance(shadow->core, t->instance);
    struct note *note = note_of(shadow, t->instance);
    if (!instance) return;
    if (t->reason == REASON_BACKOFF) {
        const struct retry_policy *policy = task_retry(instance->task);
        uint32_t counted = note->attempts > note->interrupts ? note->attempts - note->interrupts : 1;
        if (!policy)
            fail_at(watch, shadow, t->instance, "R1", "a retry without a policy");
        else if (note->attempts &&
                 t->due - t->at > backoff_max(policy, note->attempts > counted ? note->attempts : counted))
            fail_at(watch, shadow, t->instance, "R1", "a back-off longer than its policy says");
        else if (t->due - t->at < backoff_min(policy, counted))
            fail_at(watch, shadow, t->instance, "R1", "a back-off shorter than its policy says");
        note->not_before = t->due;
    }
}

/* I6, E3: a result is that of the attempt with the highest fence, and there is one. */
static void check_ended(struct watch *watch, struct shadow *shadow, const struct core_transition *t)
{
    const struct core_instance *instance = core_get_instance(shadow->core, t->instance);
    struct note *note = note_of(shadow, t->instance);
    if (!instance) return;
    if (task_state_is_terminal(instance->state))
        fail_at(watch, shadow, t->instance, "I4", "a result is recorded twice");
    if (t->state == TASK_SUCCEEDED || t->state == TASK_FAILED) check_begin(watch, shadow, t);
    const struct action *action = instance->task->action;
    bool by_program = action && (action->kind == ACTION_SHELL || action->kind == ACTION_EXEC);
    if (by_program && t->state == TASK_SUCCEEDED && note->fence && instance->state == TASK_RUNNING && t->output.size) {
        /* Programs of this world say which attempt they are. */
        char expected[64];
        snprintf(expected, sizeof expected, "{\"fence\":%llu", (unsigned long long)note->fence);
        bool handled = task_block(instance->task, BLOCK_ON_ERROR) != NULL;
        if (!handled && !str_starts_with(t->output, str_from(expected)))
            fail_at(watch, shadow, t->instance, "I6", "a result is not that of the latest attempt");
    }
    if (action && action->kind == ACTION_WAIT && action->wait_kind == WAIT_DURATION && t->state == TASK_SUCCEEDED &&
        instance->detail && instance->state == TASK_WAITING && t->at < instance->detail->due)
        fail_at(watch, shadow, t->instance, "T2", "a wait ends before its time");
    if (by_program && t->state == TASK_SUCCEEDED && note->stop_at != ORCH_TIME_NEVER &&
        instance->state == TASK_RUNNING && !task_block(instance->task, BLOCK_ON_ERROR))
        fail_at(watch, shadow, t->instance, "C3", "it was stopped first and succeeds all the same");
    /* R1: nor fewer attempts than it has, when the failure is one that may be tried again. */
    const struct retry_policy *policy = task_retry(instance->task);
    bool again = t->failure == FAILURE_EXIT || t->failure == FAILURE_SIGNAL || t->failure == FAILURE_ERROR;
    if (by_program && policy && again && t->state == TASK_FAILED && !policy->on_mask && note->attempts > 0 &&
        note->attempts - note->interrupts < policy->attempts_max && !instance->task->options->timeout_total_us &&
        !core_get_frame(shadow->core, instance->frame)->stopping && instance->state != TASK_COMPENSATING)
        fail_at(watch, shadow, t->instance, "R1", "it is given up although its policy has attempts left");
    if (t->state == TASK_SUCCEEDED) note->ended_order = ++shadow->ended_order;
}

/* S1: the latest to complete is undone first, one at a time. */
static void check_undo(struct watch *watch, struct shadow *shadow, const struct core_transition *t)
{
    const struct note *note = note_of(shadow, t->instance);
    uint32_t order = note->ended_order;
    for (uint32_t i = 0; i < core_instance_count(shadow->core); i++) {
        const struct core_instance *other = core_get_instance(shadow->core, i);
        const struct core_frame *frame = core_get_frame(shadow->core, other->frame);
        if (frame->dropped || frame->undo || i == t->instance) continue;
        if (other->state == TASK_COMPENSATING)
            fail_at(watch, shadow, t->instance, "S1", "two tasks are undone at once");
        if (other->state == TASK_SUCCEEDED && task_block(other->task, BLOCK_COMPENSATE) &&
            note_of(shadow, i)->ended_order > order)
            fail_at(watch, shadow, t->instance, "S1", "undone before a task that completed later");
    }
}

static void check_over(struct watch *watch, struct shadow *shadow, const struct core_transition *t)
{
    bool has_failure = false;
    for (uint32_t i = 0; i < core_instance_count(shadow->core); i++) {
        const struct core_instance *instance = core_get_instance(shadow->core, i);
        const struct core_frame *frame = core_get_frame(shadow->core, instance->frame);
        if (frame->dropped) continue;
        if (instance->state == TASK_RUNNING || instance->state == TASK_WAITING || instance->state == TASK_READY ||
            instance->state == TASK_COMPENSATING)
            fail_at(watch, shadow, i, "I2", "the run has ended and a task has not");
        if (core_get_frame(shadow->core, 0)->state != TASK_SUCCEEDED && instance->state == TASK_SUCCEEDED &&
            task_block(instance->task, BLOCK_COMPENSATE) && is_in_body(shadow, instance->frame))
            fail_at(watch, shadow, i, "S1", "the run did not end well and this was not undone");
        if (frame->owner == CORE_NONE && frame->role == BLOCK_BODY && ended_ill(instance) &&
            instance->state != TASK_SKIPPED)
            has_failure = true;
    }
    if (shadow->workflow->finally && !shadow->has_cleaned)
        fail_at(watch, shadow, CORE_NONE, "S2", "the run has ended without its finally");
    for (uint32_t i = 0; i < watch->running_count; i++)
        if (watch->running[i].shadow == shadow)
            fail_at(watch, shadow, watch->running[i].instance, "I11", "the run has ended and a program has not");
    if (t->state == EXECUTION_SUCCEEDED && has_failure)
        fail_at(watch, shadow, CORE_NONE, "I2", "succeeded although a task failed");
    if (t->state == EXECUTION_SUCCEEDED && shadow->stopping_state)
        fail_at(watch, shadow, CORE_NONE, "C1", "succeeded although it was stopping");
    if (t->state == EXECUTION_FAILED && !has_failure && !shadow->stopping_state) {
        /* Then something that cleans up or undoes has failed, and says so. */
        bool handler_failed = false;
        for (uint32_t i = 0; i < core_instance_count(shadow->core) && !handler_failed; i++)
            handler_failed = ended_ill(core_get_instance(shadow->core, i));
        if (!handler_failed && t->failure != FAILURE_EVALUATION)
            fail_at(watch, shadow, CORE_NONE, "I2", "failed although nothing has");
    }
    if (shadow->stopping_state == EXECUTION_CANCELLED && t->state != EXECUTION_CANCELLED &&
        t->state != EXECUTION_FAILED)
        fail_at(watch, shadow, CORE_NONE, "C1", "a cancelled run ended otherwise");
}

static void check_transition(struct watch *watch, struct shadow *shadow, const struct core_transition *t)
{
    struct engine *engine = sim_engine(watch->sim);
    const struct engine_execution *execution = engine ? engine_find(engine, shadow->number) : NULL;
    if (execution && t->at > engine_execution_now(execution))
        fail_at(watch, shadow, t->instance, "T2", "decided before its time");
    if (t->at < shadow->at) fail_at(watch, shadow, t->instance, "O1", "time goes back in a journal");
    shadow->at = t->at;
    if (execution_state_is_terminal(execution_state(shadow)) && t->type != TRANSITION_EXECUTION_RETRIED)
        fail_at(watch, shadow, t->instance, "I2", "something follows the end of the run");
    switch ((enum transition_type)t->type) {
    case TRANSITION_TASK_READY:
        check_begin(watch, shadow, t);
        if (t->at < note_of(shadow, t->instance)->not_before)
            fail_at(watch, shadow, t->instance, "T2", "ready before its back-off is over");
        break;
    case TRANSITION_TASK_WAITING:
        check_begin(watch, shadow, t);
        check_waiting(watch, shadow, t);
        break;
    case TRANSITION_TASK_STARTED: check_begin(watch, shadow, t); break;
    case TRANSITION_ATTEMPT_STARTED:
        check_begin(watch, shadow, t);
        check_attempt(watch, shadow, t);
        break;
    case TRANSITION_ATTEMPT_FAILED: check_failed(watch, shadow, t); break;
    case TRANSITION_ATTEMPT_STOPPING: {
        const struct core_instance *instance = core_get_instance(shadow->core, t->instance);
        struct note *note = note_of(shadow, t->instance);
        note->stop_at = sim_now(watch->sim);
        if (t->failure == FAILURE_TIMEOUT && instance && instance->detail && instance->task->kind == TASK_LEAF &&
            instance->detail->due != ORCH_TIME_NEVER && t->at < instance->detail->due)
            fail_at(watch, shadow, t->instance, "T2", "timed out before its time");
        break;
    }
    case TRANSITION_TASK_ENDED: check_ended(watch, shadow, t); break;
    case TRANSITION_TASK_COMPENSATING: check_undo(watch, shadow, t); break;
    case TRANSITION_EXECUTION_STOPPING: shadow->stopping_state = t->state; break;
    case TRANSITION_EXECUTION_ENDED: check_over(watch, shadow, t); break;
    case TRANSITION_EXECUTION_RETRIED:
        shadow->stopping_state = 0;
        shadow->has_cancel_answer = shadow->has_cleaned = false;
        break;
    case TRANSITION_TASK_RESET: {
        struct note *note = note_of(shadow, t->instance);
        *note = (struct note){.fence = note->fence, .stop_at = ORCH_TIME_NEVER, .runs = note->runs};
        break;
    }
    case TRANSITION_EXECUTION_STARTED: break;
    case TRANSITION_FRAME_OPENED:
        shadow->has_cleaned = shadow->has_cleaned || (t->instance == CORE_NONE && t->role == BLOCK_FINALLY);
        break;
    case TRANSITION_FRAME_ENDED:
    case TRANSITION_EXECUTION_PAUSED:
    case TRANSITION_EXECUTION_RESUMED:
    case TRANSITION_COMPENSATION_STARTED:
    case TRANSITION_APPROVAL_GIVEN:
    case TRANSITION_SIGNAL_RECEIVED: break;
    }
}

static struct shadow *shadow_of(struct watch *watch, int64_t number)
{
    return number > 0 && number < NUMBERS_MAX ? watch->shadows[number] : NULL;
}

static void take_entry(struct watch *watch, const struct store_entry *entry)
{
    struct arena arena;
    struct core_transitions list = {0};
    struct orch_error err = ORCH_ERROR_INIT;
    if (entry->number >= NUMBERS_MAX) {
        watch_fail(watch, "too many runs for the watch");
        return;
    }
    if (entry->create) {
        if (watch->shadows[entry->number])
            watch_fail(watch, "I1: run %lld is made twice", (long long)entry->number);
        else
            watch->shadows[entry->number] = shadow_new(watch, entry->create);
    }
    struct shadow *shadow = shadow_of(watch, entry->number);
    if (!shadow || !shadow->core) {
        watch_fail(watch, "I1: a record of run %lld, which was never made", (long long)entry->number);
        return;
    }
    if (entry->count == 0) return;
    arena_init(&arena, NULL, 0);
    if (entry->first_seq != shadow->sequence + 1) fail_at(watch, shadow, CORE_NONE, "O1", "the sequence has a gap");
    if (transitions_decode(entry->record, &arena, &list, &err)) fail_at(watch, shadow, CORE_NONE, "D3", err.message);
    for (uint32_t i = 0; i < list.count && !watch->failure[0]; i++) {
        check_transition(watch, shadow, &list.items[i]);
        if (core_evolve(shadow->core, &list.items[i], &err))
            fail_at(watch, shadow, list.items[i].instance, "fold", err.message);
        shadow->sequence++;
        shadow->has_blob = shadow->has_blob || list.items[i].blob;
        watch->transitions++;
        watch->progress += list.items[i].type != TRANSITION_SIGNAL_RECEIVED;
    }
    watch->digest = (watch->digest ^ str_hash(entry->record)) * 0x9E3779B97F4A7C15u;
    arena_done(&arena);
}

void watch_durable(struct watch *watch, const struct store_entry *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count && !watch->failure[0]; i++) take_entry(watch, &entries[i]);
}

/*
 * The ledger.
 */
static uint32_t slots_of(const struct running *one, struct orch_str pool)
{
    const struct core_instance *instance = core_get_instance(one->shadow->core, one->instance);
    const struct task_options *options = instance->task->options;
    uint32_t slots = 0;
    for (uint32_t i = 0; options && i < options->pools_count; i++)
        if (str_equal(one->shadow->workflow->pools[options->pools[i].pool].name, pool))
            slots += options->pools[i].slots;
    return slots;
}

static bool is_under(const struct shadow *shadow, uint32_t frame, uint32_t top)
{
    while (frame != CORE_NONE && frame != top) frame = core_get_frame(shadow->core, frame)->parent;
    return frame == top;
}

/* Versions may differ in how much there is; any of those that were there may have said so. */
static uint32_t pool_units(const struct watch *watch, struct orch_str name)
{
    uint32_t units = 0;
    for (int64_t n = 0; n < NUMBERS_MAX; n++) {
        const struct workflow *workflow = watch->shadows[n] ? watch->shadows[n]->workflow : NULL;
        for (uint32_t i = 0; workflow && i < workflow->pools_count; i++)
            if (str_equal(workflow->pools[i].name, name) && workflow->pools[i].slots > units)
                units = workflow->pools[i].slots;
    }
    return units;
}

static uint32_t workflow_units(const struct watch *watch, const struct workflow *of)
{
    uint32_t units = 0;
    for (int64_t n = 0; n < NUMBERS_MAX; n++) {
        const struct workflow *workflow = watch->shadows[n] ? watch->shadows[n]->workflow : NULL;
        if (workflow && str_equal(workflow->name, of->name) && workflow->concurrency_workflow > units)
            units = workflow->concurrency_workflow;
    }
    return units;
}

static void check_limits(struct watch *watch, const struct running *newest)
{
    const struct shadow *shadow = newest->shadow;
    const struct workflow *workflow = shadow->workflow;
    uint32_t of_execution = 0, of_workflow = 0;
    if (watch->running_count > watch->jobs) fail_at(watch, shadow, newest->instance, "L1", "more programs than jobs");
    for (uint32_t i = 0; i < watch->running_count; i++) {
        const struct shadow *other = watch->running[i].shadow;
        of_execution += other == shadow;
        of_workflow += other->workflow->concurrency_workflow && str_equal(other->workflow->name, workflow->name);
    }
    if (workflow->concurrency && of_execution > workflow->concurrency)
        fail_at(watch, shadow, newest->instance, "L2", "more programs than the run's concurrency");
    if (workflow->concurrency_workflow && of_workflow > workflow_units(watch, workflow))
        fail_at(watch, shadow, newest->instance, "L3", "more programs than the workflow's concurrency");
    const struct core_instance *instance = core_get_instance(shadow->core, newest->instance);
    for (uint32_t p = 0; p < workflow->pools_count; p++) {
        struct orch_str pool = workflow->pools[p].name;
        uint32_t slots = 0;
        if (!slots_of(newest, pool)) continue;
        for (uint32_t i = 0; i < watch->running_count; i++) slots += slots_of(&watch->running[i], pool);
        if (slots > pool_units(watch, pool))
            fail_at(watch, shadow, newest->instance, "L4", "more slots taken than its pool has");
    }
    for (uint32_t f = instance->frame; f != CORE_NONE; f = core_get_frame(shadow->core, f)->parent) {
        const struct core_frame *frame = core_get_frame(shadow->core, f);
        if (frame->owner == CORE_NONE) break;
        const struct task_options *options = core_get_instance(shadow->core, frame->owner)->task->options;
        if (!options) continue;
        uint32_t inside = 0;
        for (uint32_t i = 0; i < watch->running_count; i++) {
            const struct running *one = &watch->running[i];
            inside +=
                one->shadow == shadow && is_under(shadow, core_get_instance(shadow->core, one->instance)->frame, f);
        }
        if (options->concurrency && inside > options->concurrency)
            fail_at(watch, shadow, newest->instance, "L5", "more programs than the group's concurrency");
        if (options->loop && options->loop->parallel_max && frame->role == BLOCK_BODY) {
            uint32_t open = 0;
            for (uint32_t g = core_frame_next_of(shadow->core, frame->owner, CORE_NONE); g != CORE_NONE;
                 g = core_frame_next_of(shadow->core, frame->owner, g))
                open += core_get_frame(shadow->core, g)->state == TASK_RUNNING &&
                        core_get_frame(shadow->core, g)->role == BLOCK_BODY;
            if (open > options->loop->parallel_max)
                fail_at(watch, shadow, newest->instance, "L6", "more items than max_parallel");
        }
    }
}

static bool number_of(const struct action_attempt *attempt, int64_t *ret)
{
    return store_execution_number(attempt->execution_id, ret);
}

/* Fences are given once in a run. */
static uint32_t find_fence(const struct core *core, uint64_t fence)
{
    for (uint32_t i = 0; i < core_instance_count(core); i++) {
        const struct core_detail *detail = core_get_instance(core, i)->detail;
        if (detail && detail->fence == fence) return i;
    }
    return CORE_NONE;
}

void watch_began(struct watch *watch, const struct action_attempt *attempt)
{
    int64_t number = 0;
    struct shadow *shadow = number_of(attempt, &number) ? shadow_of(watch, number) : NULL;
    uint32_t at = shadow && shadow->core ? find_fence(shadow->core, attempt->fence) : CORE_NONE;
    if (at == CORE_NONE) {
        watch_fail(watch, "I3: a program of run %lld, task \"%.*s\" runs and nothing durable says so",
                   (long long)number, STR_ARG(attempt->task_path));
        return;
    }
    if (core_find(shadow->core, attempt->task_path) != at)
        fail_at(watch, shadow, at, "E5", "two tasks have one path, so one key");
    const struct core_instance *instance = core_get_instance(shadow->core, at);
    struct note *note = note_of(shadow, at);
    if (instance->state != TASK_RUNNING || !instance->detail || instance->detail->fence != attempt->fence)
        fail_at(watch, shadow, at, "I3", "a program runs whose attempt is not durable");
    if (note->runs) fail_at(watch, shadow, at, "I7", "two attempts of a task run at once");
    note->runs = true;
    if (watch->running_count == watch->running_capacity) {
        watch->running_capacity = watch->running_capacity ? watch->running_capacity * 2 : 16;
        watch->running = realloc(watch->running, watch->running_capacity * sizeof *watch->running);
        if (!watch->running) abort();
    }
    watch->running[watch->running_count++] = (struct running){shadow, at, attempt->fence};
    check_limits(watch, &watch->running[watch->running_count - 1]);
}

void watch_ended(struct watch *watch, const struct action_attempt *attempt, bool by_crash)
{
    int64_t number = 0;
    struct shadow *shadow = number_of(attempt, &number) ? shadow_of(watch, number) : NULL;
    for (uint32_t i = 0; shadow && i < watch->running_count; i++) {
        struct running *one = &watch->running[i];
        if (one->shadow != shadow || one->fence != attempt->fence) continue;
        struct note *note = note_of(shadow, one->instance);
        note->runs = false;
        if (!by_crash && note->stop_at != ORCH_TIME_NEVER &&
            sim_now(watch->sim) - note->stop_at > watch->grace_us + STOP_SLACK)
            fail_at(watch, shadow, one->instance, "C2", "a program outlived its stop by more than the grace");
        *one = watch->running[--watch->running_count];
        return;
    }
}

/*
 * Answers, states, the end.
 */
void watch_answered(struct watch *watch, int64_t number, enum watch_command command, uint64_t sequence)
{
    struct shadow *shadow = shadow_of(watch, number);
    if (!shadow || shadow->sequence < sequence) {
        watch_fail(watch, "I1: a command to run %lld was answered and is not durable", (long long)number);
        return;
    }
    if (command == WATCH_CANCEL && !execution_state_is_terminal(execution_state(shadow))) {
        shadow->has_cancel_answer = true;
        if (!shadow->stopping_state)
            fail_at(watch, shadow, CORE_NONE, "C1", "a cancel was answered and the run does not stop");
    }
}

void watch_compare(struct watch *watch, struct engine *engine)
{
    for (struct engine_execution *e = engine->executions; e; e = e->next) {
        const struct shadow *shadow = shadow_of(watch, e->number);
        struct core_summary summary;
        core_get_summary(e->core, &summary);
        if (!shadow || shadow->has_blob || summary.sequence != shadow->sequence)
            continue; /* decided, not durable yet */
        if (core_digest(e->core) != core_digest(shadow->core))
            fail_at(watch, shadow, CORE_NONE, "fold", "the state is not what its journal folds to");
    }
}

static int see_alive(void *user, const struct store_execution *row)
{
    struct watch *watch = user;
    const struct shadow *shadow = shadow_of(watch, row->number);
    struct buf text;
    buf_init(&text, NULL, 0);
    for (uint32_t i = 0; shadow && i < core_instance_count(shadow->core) && text.size < 200; i++) {
        const struct core_instance *instance = core_get_instance(shadow->core, i);
        if (task_state_is_terminal(instance->state) || instance->state == TASK_PENDING) continue;
        buf_add_char(&text, ' ');
        core_path(shadow->core, i, &text);
        buf_printf(&text, "=%s", task_state_to_string((enum task_state)instance->state));
    }
    watch_fail(watch, "I8: run %lld has not ended long after the last fault:%.*s", (long long)row->number,
               STR_ARG(buf_str(&text)));
    buf_done(&text);
    return 0;
}

void watch_end(struct watch *watch, struct engine *engine)
{
    struct orch_error err = ORCH_ERROR_INIT;
    if (watch->failure[0]) return;
    if (store_each_alive(sim_durable(watch->sim), see_alive, watch, &err)) watch_fail(watch, "store: %s", err.message);
    if (watch->running_count) watch_fail(watch, "I11: %u programs run on", watch->running_count);
    if (watch->failure[0]) return;
    if (engine->executions_count) watch_fail(watch, "leak: %u executions stay loaded", engine->executions_count);
    if (admission_waiting_count(engine->admission) || admission_queue_count(engine->admission))
        watch_fail(watch, "leak: admission holds something of nobody");
    struct orch_str name;
    uint32_t units, taken;
    admission_limit_get(engine->admission, engine->jobs, &name, &units, &taken);
    if (taken) watch_fail(watch, "leak: %u jobs are taken by nobody", taken);
    if (engine->pools || engine->workflows) watch_fail(watch, "leak: a limit stays of an execution that is over");
    /* The rows people see agree with the journals. */
    for (int64_t number = 1; number < NUMBERS_MAX; number++) {
        struct shadow *shadow = watch->shadows[number];
        struct store_execution row;
        struct core_summary summary;
        if (!shadow || watch->failure[0]) continue;
        struct arena arena;
        arena_init(&arena, NULL, 0);
        core_get_summary(shadow->core, &summary);
        if (store_get_execution(sim_durable(watch->sim), number, &arena, &row, &err) || row.state != summary.state ||
            row.generation != summary.generation || row.tasks_total != summary.tasks_total ||
            row.tasks_done != summary.tasks_done)
            watch_fail(watch, "I12: the row of run %lld does not agree with its journal", (long long)number);
        arena_done(&arena);
    }
}

const char *watch_failure(const struct watch *watch)
{
    return watch->failure[0] ? watch->failure : NULL;
}

uint64_t watch_digest(const struct watch *watch)
{
    return watch->digest;
}

uint64_t watch_transitions(const struct watch *watch)
{
    return watch->transitions;
}

uint64_t watch_progress(const struct watch *watch)
{
    return watch->progress;
}

const struct core *watch_core(const struct watch *watch, int64_t number)
{
    return number > 0 && number < NUMBERS_MAX && watch->shadows[number] ? watch->shadows[number]->core : NULL;
}

struct watch *watch_new(uint32_t jobs, orch_time grace_us)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch) abort();
    watch->jobs = jobs;
    watch->grace_us = grace_us;
    return watch;
}

void watch_set_sim(struct watch *watch, struct sim *sim)
{
    watch->sim = sim;
}

struct watch *watch_free(struct watch *watch)
{
    for (int64_t i = 0; i < NUMBERS_MAX; i++) {
        struct shadow *shadow = watch->shadows[i];
        if (!shadow) continue;
        (void)core_free(shadow->core);
        arena_done(&shadow->arena);
        free(shadow->notes);
        free(shadow);
    }
    free(watch->running);
    free(watch);
    return NULL;
}
