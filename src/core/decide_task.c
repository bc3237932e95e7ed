/*
 * decide_task.c - the way of one task: when it may start, its attempts, a retry, its end.
 */
#include "core/internal.h"

/* ---- the end ---- */

int task_end(struct step *step, uint32_t instance, enum task_state state, const struct failing *failing)
{
    struct core_transition *t = step_add(step, TRANSITION_TASK_ENDED, instance);

    if (!t) return ORCH_ERR_NO_MEMORY;
    t->state = (uint8_t)state;
    t->attempt = instance_at(step->core, instance)->attempt;
    if (failing) {
        t->failure = (uint8_t)failing->failure;
        t->error = failing->error;
        t->output = failing->output;
        t->blob = failing->blob;
        t->blob_size = failing->blob_size;
        t->exit_code = failing->exit_code;
        t->signal = failing->signal;
        t->cpu_us = failing->cpu_us;
        t->memory_peak = failing->memory_peak;
    }
    return step_fold(step);
}

int task_succeed(struct step *step, uint32_t instance, struct orch_str output)
{
    return task_end(step, instance, TASK_SUCCEEDED, &(struct failing){.output = output});
}

int task_skip(struct step *step, uint32_t instance, enum reason reason, enum failure failure)
{
    struct core_transition *t = step_add(step, TRANSITION_TASK_ENDED, instance);

    if (!t) return ORCH_ERR_NO_MEMORY;
    t->state = TASK_SKIPPED;
    t->reason = (uint8_t)reason;
    t->failure = (uint8_t)failure;
    return step_fold(step);
}

static int tell_attempt_failed(struct step *step, uint32_t instance, const struct failing *failing)
{
    struct core_transition *t = step_add(step, TRANSITION_ATTEMPT_FAILED, instance);

    if (!t) return ORCH_ERR_NO_MEMORY;
    t->attempt = instance_at(step->core, instance)->attempt;
    t->failure = (uint8_t)failing->failure;
    t->error = failing->error;
    t->exit_code = failing->exit_code;
    t->signal = failing->signal;
    t->cpu_us = failing->cpu_us;
    t->memory_peak = failing->memory_peak;
    return step_fold(step);
}

/* ---- a retry ---- */

static uint64_t mix(uint64_t x)
{
    /* splitmix64's finisher, Steele, Lea and Flood 2014: near seeds give unrelated draws. */
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Attempts that count against the policy: those lost to a crash do not. */
static uint32_t attempts_counted(const struct core_instance *instance)
{
    uint32_t lost = instance->detail ? instance->detail->interrupts : 0;
    return instance->attempt > lost ? instance->attempt - lost : 0;
}

/* The chance is drawn from where the task stands, not from a stream: a replay need not know what was drawn before. */
static orch_time retry_wait(const struct step *step, uint32_t number, uint32_t attempt)
{
    const struct core *core = step->core;
    struct chance chance;

    chance_init(&chance, mix(core->seed ^ mix(((uint64_t)number << 32 | attempt) + mix(core->generation + 1))));
    return retry_delay(task_retry(instance_at(core, number)->task), attempt, &chance);
}

int task_fail(struct step *step, uint32_t number, const struct failing *failing)
{
    struct core_instance *instance = instance_at(step->core, number);
    const struct task *task = instance->task;
    bool stopping = frame_at(step->core, instance->frame)->stopping;
    bool cancelled = failing->failure == FAILURE_CANCELLED;
    struct failing last = *failing;
    int rc;

    uint32_t attempt = attempts_counted(instance);
    if (!stopping && !cancelled && attempt > 0 &&
        retry_is_due(task_retry(task), attempt, failing->failure, failing->exit_code)) {
        orch_time wait = retry_wait(step, number, attempt);
        orch_time started_at = instance->detail ? instance->detail->started_at : 0;
        orch_time due = time_add(step->now, wait);
        if (due < task_deadline_total(task, started_at)) {
            rc = tell_attempt_failed(step, number, failing);
            if (rc < 0) return rc;
            if (wait == 0 && task_is_external(task)) MARK("a retry without a wait");
            if (wait == 0 && task_is_external(task)) return step_tell(step, TRANSITION_TASK_READY, number);
            struct core_transition *t = step_add(step, TRANSITION_TASK_WAITING, number);
            if (!t) return ORCH_ERR_NO_MEMORY;
            MARK("a retry after a wait");
            t->reason = REASON_BACKOFF;
            t->due = due;
            return step_fold(step);
        }
        if (last.failure != FAILURE_TIMEOUT) {
            MARK("total_timeout leaves no time for a retry");
            last.failure = FAILURE_TIMEOUT;
            last.error = step_printf(step, "%.*s, and total_timeout leaves no time for another attempt",
                                     STR_ARG(failing->error));
        }
    }
    if (!stopping && !cancelled && task_block(task, BLOCK_ON_ERROR)) {
        MARK("on_error of a task");
        rc = tell_attempt_failed(step, number, &last);
        return rc < 0 ? rc : frame_open(step, number, BLOCK_ON_ERROR, 0);
    }
    return task_end(step, number,
                    cancelled                         ? TASK_CANCELLED
                    : last.failure == FAILURE_TIMEOUT ? TASK_TIMED_OUT
                                                      : TASK_FAILED,
                    &last);
}

/* An expression of the task cannot be evaluated. */
static int task_fail_evaluation(struct step *step, uint32_t number, const char *what, const struct orch_error *error)
{
    if (error->code == ORCH_ERR_NO_MEMORY) return error_memory(step->err);
    struct failing failing = {.failure = FAILURE_EVALUATION};
    failing.error = what ? step_printf(step, "%s: %s", what, error->message) : step_printf(step, "%s", error->message);
    return task_fail(step, number, &failing);
}

/* ---- the start ---- */

/* Asks `when`: 1 holds, 0 does not, negative is an error of the step; an error of the task has been dealt with, and
 * gives 2. */
static int when_holds(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    const struct task *task = instance_at(core, number)->task;
    struct scope scope;
    struct value value;
    struct orch_error error = ORCH_ERROR_INIT;

    scope_init(&scope, core, number, step->now);
    int rc = scope_eval(&scope, task->when, &core->scratch, &value, &error);
    if (rc == 0 && value.kind != VALUE_BOOL)
        rc = error_set(&error, ORCH_ERR_EVALUATION, "gives %s, not true or false", value_kind_name(value));
    bool holds = rc == 0 && value.boolean;
    arena_clear(&core->scratch);
    if (rc == 0) return holds ? 1 : 0;
    rc = task_fail_evaluation(step, number, "when", &error);
    return rc < 0 ? rc : 2;
}

static int transform_begin(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    const struct action *action = instance_at(core, number)->task->action;
    struct scope scope;
    struct value value = value_null();
    struct orch_error error = ORCH_ERROR_INIT;
    struct orch_str output = STR_NONE;
    int rc;

    scope_init(&scope, core, number, step->now);
    if (action->transform) {
        rc = scope_eval(&scope, action->transform, &core->scratch, &value, &error);
    } else {
        rc = scope_render(&scope, &action->config, &core->scratch, &value, &error);
        const struct value *result = rc == 0 ? value_get(value, STR("value")) : NULL;
        if (rc == 0) value = result ? *result : value_null();
    }
    if (rc == 0) rc = step_json(step, value, &output);
    arena_clear(&core->scratch);
    if (rc == ORCH_ERR_NO_MEMORY) return error_memory(step->err);
    return rc < 0 ? task_fail_evaluation(step, number, NULL, &error) : task_succeed(step, number, output);
}

/* Its join rule and condition are met, and nothing holds it back. */
int task_begin(struct step *step, uint32_t number)
{
    const struct core_instance *instance = instance_at(step->core, number);
    const struct task *task = instance->task;

    if (task->kind != TASK_LEAF) return block_begin(step, number);
    switch (task->action->kind) {
    case ACTION_TRANSFORM: return transform_begin(step, number);
    case ACTION_NOOP: return task_succeed(step, number, STR_NONE);
    case ACTION_WAIT: return wait_begin(step, number);
    case ACTION_APPROVAL: return approval_begin(step, number);
    case ACTION_SHELL:
    case ACTION_EXEC:
    case ACTION_SCRIPT:
    case ACTION_WORKFLOW:
    case ACTION_NOTIFICATION:
    case ACTION_FUNCTION:
    case ACTION_SERVICE_CALL:
    case ACTION_FACTORY: return instance->state == TASK_READY ? 0 : step_tell(step, TRANSITION_TASK_READY, number);
    case ACTION_NONE: break;
    }
    ORCH_ASSERT(!"a leaf has an action");
    return ORCH_ERR_INTERNAL;
}

static int examine_pending(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    struct core_instance *instance = instance_at(core, number);
    const struct core_frame *frame = frame_at(core, instance->frame);

    if (frame->dropped || frame->state != TASK_RUNNING) return 0;
    if (frame->stopping) return task_skip(step, number, REASON_STOPPED, FAILURE_NONE);
    switch (join_verdict(instance)) {
    case VERDICT_WAIT: return 0;
    case VERDICT_SKIP_WHEN: return task_skip(step, number, REASON_WHEN, FAILURE_NONE);
    case VERDICT_SKIP_DEPENDENCY: return task_skip(step, number, REASON_DEPENDENCY, FAILURE_DEPENDENCY);
    case VERDICT_GO: break;
    }
    if (instance->task->when) {
        int rc = when_holds(step, number);
        if (rc < 0 || rc == 2) return rc < 0 ? rc : 0;
        if (rc == 0) return task_skip(step, number, REASON_WHEN, FAILURE_NONE);
    }
    /* While paused nothing begins, whatever it is: it stays ready. */
    if (core->state == EXECUTION_PAUSED) return step_tell(step, TRANSITION_TASK_READY, number);
    return task_begin(step, number);
}

int examine_instance(struct step *step, uint32_t number)
{
    const struct core_instance *instance = instance_at(step->core, number);

    switch ((enum task_state)instance->state) {
    case TASK_PENDING: return examine_pending(step, number);
    case TASK_RUNNING:
    case TASK_COMPENSATING: return instance->list == LIST_RUNNING ? 0 : block_examine(step, number);
    case TASK_READY:
    case TASK_WAITING:
    case TASK_SUCCEEDED:
    case TASK_FAILED:
    case TASK_SKIPPED:
    case TASK_CANCELLED:
    case TASK_TIMED_OUT:
    case TASK_COMPENSATED: break;
    }
    return 0;
}

/* ---- attempts ---- */

int decide_admit(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    const struct core_instance *instance = instance_at(core, number);

    if (instance->state != TASK_READY || !task_is_external(instance->task))
        return error_set(step->err, ORCH_ERR_STATE, "the task is %s, not ready",
                         task_state_to_string((enum task_state)instance->state));
    if (core->state == EXECUTION_PAUSED) return error_set(step->err, ORCH_ERR_STATE, "the execution is paused");
    orch_time started_at = instance->detail->started_at != 0 ? instance->detail->started_at : step->now;
    orch_time due = task_deadline(instance->task, started_at, step->now);
    struct core_transition *t = step_add(step, TRANSITION_ATTEMPT_STARTED, number);
    if (!t) return ORCH_ERR_NO_MEMORY;
    t->attempt = (uint32_t)instance->attempt + 1;
    t->fence = core->fence + 1;
    t->due = due;
    return step_fold(step);
}

/* What a crash does to an attempt: its outcome is unknown. */
static int attempt_lost(struct step *step, uint32_t number, const struct failing *failing)
{
    const struct core_instance *instance = instance_at(step->core, number);
    const struct task_options *options = instance->task->options;
    enum on_interrupt then = options ? options->on_interrupt : INTERRUPT_RETRY;
    struct failing last = *failing;

    if (then == INTERRUPT_RETRY && instance->detail->interrupts + 1 >= step->core->env.interrupts_max) {
        last.error = step_printf(step, "interrupted %u times, each time with an unknown outcome",
                                 instance->detail->interrupts + 1);
        then = INTERRUPT_FAIL;
    }
    if (then == INTERRUPT_FAIL) {
        /* Not by way of task_fail's retry: who asks for at most once gets it. */
        if (task_block(instance->task, BLOCK_ON_ERROR) && !frame_at(step->core, instance->frame)->stopping) {
            int rc = tell_attempt_failed(step, number, &last);
            return rc < 0 ? rc : frame_open(step, number, BLOCK_ON_ERROR, 0);
        }
        return task_end(step, number, TASK_FAILED, &last);
    }
    int rc = tell_attempt_failed(step, number, &last);
    if (rc < 0) return rc;
    if (then == INTERRUPT_RETRY) return step_tell(step, TRANSITION_TASK_READY, number);
    struct core_transition *t = step_add(step, TRANSITION_TASK_WAITING, number);
    if (!t) return ORCH_ERR_NO_MEMORY;
    MARK("held after an interruption");
    t->reason = REASON_HELD;
    t->due = ORCH_TIME_NEVER;
    return step_fold(step);
}

struct orch_str timed_out_after(struct step *step, const struct core_instance *instance)
{
    const struct task_options *options = instance->task->options;
    const struct core_detail *detail = instance->detail;
    orch_time attempt_at = detail->attempt_at ? detail->attempt_at : detail->started_at;
    /* Which of the two it was, as in task_deadline. Between two attempts, only the time for all of them goes on. */
    bool is_one = instance->state != TASK_READY && options && options->timeout_us > 0 &&
                  time_add(attempt_at, options->timeout_us) <= task_deadline_total(instance->task, detail->started_at);
    struct buf buf;

    buf_init(&buf, step->core->allocator, 0);
    buf_add_text(&buf, "timed out after ");
    duration_format(!options ? 0 : is_one ? options->timeout_us : options->timeout_total_us, &buf);
    if (!is_one) buf_add_text(&buf, " in all");
    return step_take(step, &buf);
}

int attempt_done(struct step *step, uint32_t number, const struct failing *failing)
{
    const struct core_instance *instance = instance_at(step->core, number);
    struct failing last = *failing;

    if (instance->stopping) {
        MARK("an attempt that was told to stop ends");
        /* It was told to stop, and that is what counts, however it took it: a process cut off by SIGTERM may well exit
         * with 0. */
        last.failure = (enum failure)instance->failure;
        if (last.failure == FAILURE_TIMEOUT) {
            last.error = timed_out_after(step, instance);
        } else {
            last.error = STR_NONE;
        }
        last.output = STR_NONE;
        last.blob = last.blob_size = 0;
        return task_fail(step, number, &last);
    }
    if (last.failure == FAILURE_NONE) return task_end(step, number, TASK_SUCCEEDED, &last);
    if (last.failure == FAILURE_LOST) return attempt_lost(step, number, &last);
    return task_fail(step, number, &last);
}

int decide_attempt_done(struct step *step, const struct core_input *input)
{
    const struct core_instance *instance = instance_at(step->core, input->instance);

    /* An attempt of the past: what it did has been decided on without it. */
    if (instance->list != LIST_RUNNING || instance->detail->fence != input->done.fence) return 0;
    struct failing failing = {
        .failure = input->done.failure,
        .error = input->done.error,
        .output = input->done.output,
        .blob = input->done.blob,
        .blob_size = input->done.blob_size,
        .exit_code = input->done.exit_code,
        .signal = input->done.signal,
        .cpu_us = input->done.cpu_us,
        .memory_peak = input->done.memory_peak,
    };
    return attempt_done(step, input->instance, &failing);
}

/* ---- after a restart ---- */

int decide_recover(struct step *step)
{
    struct core *core = step->core;
    uint32_t count = 0;

    MARK("recovery");
    /* The list changes on the way. */
    uint32_t *lost = ARENA_ARRAY(step->arena, core->lists[LIST_RUNNING].count, uint32_t);
    if (!lost) return error_memory(step->err);
    for (uint32_t i = core->lists[LIST_RUNNING].first; i != CORE_NONE; i = instance_at(core, i)->next)
        if (instance_at(core, i)->task->action->kind != ACTION_WORKFLOW) lost[count++] = i;
    for (uint32_t i = 0; i < count; i++) {
        struct failing failing = {.failure = FAILURE_LOST,
                                  .error = STR("interrupted: the orchestrator stopped, the outcome is unknown")};
        int rc = attempt_done(step, lost[i], &failing);
        if (rc < 0) return rc;
    }
    /* Should the journal end in the middle of a step, the rest of it is decided now. */
    agenda_add_all(core);
    return 0;
}
