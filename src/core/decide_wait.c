/*
 * decide_wait.c - tasks that wait for a moment, an event or a person.
 */
#include "core/internal.h"

/* ---- beginning to wait ---- */

struct waiting {
    enum reason reason;
    orch_time due;        /* when the wait is over by itself */
    struct orch_str name; /* of the event */
};

static int waiting_begin(struct step *step, uint32_t number, const struct waiting *waiting)
{
    const struct core_instance *instance = instance_at(step->core, number);
    orch_time started_at =
        instance->detail && instance->detail->started_at != 0 ? instance->detail->started_at : step->now;
    orch_time deadline = task_deadline(instance->task, started_at, step->now);
    struct core_transition *t = step_add(step, TRANSITION_TASK_WAITING, number);

    if (!t) return ORCH_ERR_NO_MEMORY;
    t->reason = (uint8_t)waiting->reason;
    t->name = waiting->name;
    t->attempt = (uint32_t)instance->attempt + 1;
    /* Which of the two it is when the moment comes, is said here. */
    t->due = waiting->due;
    if (deadline < waiting->due) {
        t->due = deadline;
        t->failure = FAILURE_TIMEOUT;
    }
    return step_fold(step);
}

static int bad_wait(struct orch_error *err, const char *want, struct value value)
{
    return error_set(err, ORCH_ERR_EVALUATION, "wait: %s is wanted, not %s", want, value_kind_name(value));
}

/* Seconds with a fraction, at most so many that a moment stays one. */
static orch_time seconds_to_time(double seconds)
{
    if (!(seconds > 0)) return 0;
    return seconds > 1e11 ? ORCH_TIME_NEVER / 8 : (orch_time)(seconds * 1e6);
}

static int wait_duration(struct value value, orch_time *ret, struct orch_error *err)
{
    switch (value.kind) {
    case VALUE_STRING: return duration_parse(value_str(value), ret, err);
    case VALUE_INT: *ret = seconds_to_time((double)value.integer); return 0;
    case VALUE_UINT: *ret = seconds_to_time((double)value.uinteger); return 0;
    case VALUE_DOUBLE: *ret = seconds_to_time(value.real); return 0;
    case VALUE_DURATION:
        *ret = seconds_to_time((double)value.seconds) + (value.seconds >= 0 ? value_nanos(value) / 1000 : 0);
        if (*ret < 0) *ret = 0;
        return 0;
    default: return bad_wait(err, "a duration or a number of seconds", value);
    }
}

static int wait_moment(struct value value, orch_time *ret, struct orch_error *err)
{
    if (value.kind == VALUE_TIMESTAMP) {
        *ret = value.seconds * ORCH_SECOND + value_nanos(value) / 1000;
        return 0;
    }
    if (value.kind != VALUE_STRING) return bad_wait(err, "a moment", value);
    if (time_parse(value_str(value), ret) == 0) return 0;
    return error_set(err, ORCH_ERR_EVALUATION, "wait: \"%.*s\" is no moment such as 2026-03-01T06:00:00Z",
                     STR_ARG(value_str(value)));
}

/* Whether the event is one the task waits for. A filter that cannot be evaluated on it does not hold: what strangers
 * send must not fail the task. */
static int event_matches(struct step *step, uint32_t number, struct orch_str name, struct orch_str event_name,
                         struct orch_str data, bool *ret)
{
    struct core *core = step->core;
    const struct action *action = instance_at(core, number)->task->action;
    int rc = 0;

    *ret = str_equal(name, event_name);
    if (!*ret || !action->wait_filter) return 0;
    struct value event = value_null(), value = value_null();
    struct orch_error error = ORCH_ERROR_INIT;
    if (data.size > 0) rc = json_parse(data, NULL, &core->scratch, &event, &error);
    if (rc == 0) {
        struct scope scope;
        scope_init(&scope, core, number, step->now);
        scope.event = &event;
        rc = scope_eval(&scope, action->wait_filter, &core->scratch, &value, &error);
    }
    *ret = rc == 0 && value.kind == VALUE_BOOL && value.boolean;
    arena_clear(&core->scratch);
    return rc == ORCH_ERR_NO_MEMORY ? error_memory(step->err) : 0;
}

static int event_take(struct step *step, uint32_t number, const struct core_signal *signal)
{
    struct core_transition *t = step_add(step, TRANSITION_TASK_ENDED, number);

    if (!t) return ORCH_ERR_NO_MEMORY;
    t->state = TASK_SUCCEEDED;
    t->attempt = instance_at(step->core, number)->attempt;
    if (t->attempt == 0) t->attempt = 1;
    t->output = signal->data;
    t->index = signal->number;
    return step_fold(step);
}

static int event_begin(struct step *step, uint32_t number, struct orch_str name)
{
    for (const struct core_signal *signal = step->core->signal_first; signal; signal = signal->next) {
        bool matches;
        int rc = event_matches(step, number, name, signal->name, signal->data, &matches);
        if (rc < 0) return rc;
        if (matches) MARK("an event that came before somebody waited");
        if (matches) return event_take(step, number, signal);
    }
    return waiting_begin(step, number, &(struct waiting){REASON_EVENT, ORCH_TIME_NEVER, name});
}

int wait_begin(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    const struct action *action = instance_at(core, number)->task->action;
    struct scope scope;
    struct value value;
    struct orch_error error = ORCH_ERROR_INIT;
    struct orch_str name = STR_NONE;
    orch_time due = 0;

    scope_init(&scope, core, number, step->now);
    int rc = scope_render(&scope, &action->wait, &core->scratch, &value, &error);
    if (rc == 0) {
        switch (action->wait_kind) {
        case WAIT_DURATION:
            rc = wait_duration(value, &due, &error);
            due = time_add(step->now, due);
            break;
        case WAIT_UNTIL: rc = wait_moment(value, &due, &error); break;
        case WAIT_EVENT:
            if (value.kind != VALUE_STRING || value.size == 0)
                rc = bad_wait(&error, "the name of an event", value);
            else if (!(name = arena_str(step->arena, value_str(value))).data)
                rc = error_memory(&error);
            break;
        }
    }
    arena_clear(&core->scratch);
    if (rc == ORCH_ERR_NO_MEMORY) return error_memory(step->err);
    if (rc < 0) {
        struct failing failing = {.failure = FAILURE_EVALUATION, .error = step_printf(step, "%s", error.message)};
        return task_fail(step, number, &failing);
    }
    if (action->wait_kind == WAIT_EVENT) return event_begin(step, number, name);
    if (due <= step->now) return task_succeed(step, number, STR_NONE);
    return waiting_begin(step, number, &(struct waiting){REASON_TIMER, due, STR_NONE});
}

int approval_begin(struct step *step, uint32_t number)
{
    return waiting_begin(step, number, &(struct waiting){REASON_APPROVAL, ORCH_TIME_NEVER, STR_NONE});
}

/* ---- an approval is given or refused ---- */

/* Whether `by` is among those the definition names; without such a list everyone may. */
static int approver_check(struct step *step, uint32_t number)
{
    struct core *core = step->core;
    const struct action *action = instance_at(core, number)->task->action;
    struct scope scope;
    struct value config;
    struct orch_error error = ORCH_ERROR_INIT;

    scope_init(&scope, core, number, step->now);
    int rc = scope_render(&scope, &action->config, &core->scratch, &config, &error);
    const struct value *approvers = rc == 0 ? value_get(config, STR("approvers")) : NULL;
    bool may = !approvers || approvers->kind != VALUE_LIST || approvers->size == 0;
    for (uint32_t i = 0; !may && i < approvers->size; i++)
        may = approvers->items[i].kind == VALUE_STRING && str_equal(value_str(approvers->items[i]), step->by);
    arena_clear(&core->scratch);
    if (rc == ORCH_ERR_NO_MEMORY) return error_memory(step->err);
    if (rc < 0) return error_set(step->err, rc, "approvers: %s", error.message);
    if (may) return 0;
    return error_set(step->err, ORCH_ERR_DENIED, "\"%.*s\" is not among the approvers of this task", STR_ARG(step->by));
}

static int approval_output(struct step *step, const struct core_input *input, struct orch_str *ret)
{
    struct buf buf;

    buf_init(&buf, step->core->allocator, 0);
    buf_printf(&buf, "{\"approved\":%s,\"by\":", input->approve.approved ? "true" : "false");
    json_format_string(step->by, &buf);
    buf_add_text(&buf, ",\"comment\":");
    buf_add(&buf, input->approve.comment.size > 0 ? input->approve.comment : STR("null"));
    buf_add_char(&buf, '}');
    struct orch_str text = buf.failed ? STR_NONE : arena_str(step->arena, buf_str(&buf));
    buf_done(&buf);
    if (!text.data) return error_memory(step->err);
    *ret = text;
    return 0;
}

int decide_approve(struct step *step, const struct core_input *input)
{
    const struct core_instance *instance = instance_at(step->core, input->instance);
    struct orch_str output;

    if (instance->state != TASK_WAITING || instance->reason != REASON_APPROVAL)
        return error_set(step->err, ORCH_ERR_STATE, "the task does not wait for an approval");
    int rc = approver_check(step, input->instance);
    if (rc == 0) rc = approval_output(step, input, &output);
    if (rc < 0) return rc;
    struct core_transition *t = step_add(step, TRANSITION_APPROVAL_GIVEN, input->instance);
    if (!t) return ORCH_ERR_NO_MEMORY;
    t->state = input->approve.approved ? TASK_SUCCEEDED : TASK_FAILED;
    t->by = step->by;
    t->data = input->approve.comment;
    rc = step_fold(step);
    if (rc < 0) return rc;
    if (input->approve.approved) return task_succeed(step, input->instance, output);
    MARK("an approval is refused");
    struct failing failing = {.failure = FAILURE_REJECTED, .output = output};
    failing.error = step->by.size > 0 ? step_printf(step, "refused by %.*s", STR_ARG(step->by)) : STR("refused");
    return task_fail(step, input->instance, &failing);
}

/* ---- an event arrives ---- */

int decide_signal(struct step *step, const struct core_input *input)
{
    struct core *core = step->core;

    if (execution_state_is_terminal(core->state))
        return error_set(step->err, ORCH_ERR_STATE, "the execution is over (%s)",
                         execution_state_to_string((enum execution_state)core->state));
    if (input->signal.name.size == 0) return error_set(step->err, ORCH_ERR_INVALID, "an event needs a name");
    if (core->signal_count >= SIGNALS_MAX)
        return error_set(step->err, ORCH_ERR_OVERLOADED, "%u events are kept already that no task has waited for",
                         core->signal_count);
    struct core_transition *t = step_add(step, TRANSITION_SIGNAL_RECEIVED, CORE_NONE);
    if (!t) return ORCH_ERR_NO_MEMORY;
    t->name = input->signal.name;
    t->data = input->signal.data;
    t->by = step->by;
    int rc = step_fold(step);
    if (rc < 0) return rc;
    /* Who has waited longest takes it. */
    for (uint32_t i = core->lists[LIST_EVENT].first; i != CORE_NONE; i = instance_at(core, i)->next) {
        bool matches;
        rc = event_matches(step, i, instance_at(core, i)->detail->event, input->signal.name, input->signal.data,
                           &matches);
        if (rc < 0) return rc;
        if (matches) MARK("an event that somebody waited for");
        if (matches) return event_take(step, i, core->signal_last);
    }
    return 0;
}
