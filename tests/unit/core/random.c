/*
 * random.c - definitions and inputs drawn from a seed.
 */
#include "random.h"

uint32_t draw(struct draws *draws, uint32_t below)
{
    return (uint32_t)(chance_next(&draws->chance) % below);
}

bool one_in(struct draws *draws, uint32_t n)
{
    return draw(draws, n) == 0;
}

/* ---- definitions ---- */

static void add_block(struct draws *draws, struct buf *out, uint32_t depth, bool in_handler);

static void add_action(struct draws *draws, struct buf *out)
{
    switch (draw(draws, 12)) {
    case 0: buf_add_text(out, "noop: "); return;
    case 1: buf_add_text(out, "transform: yes"); return;
    case 2: buf_add_text(out, "transform: 'list[7]'"); return;
    case 3: buf_printf(out, "wait: %us", 1 + draw(draws, 20)); return;
    case 4: buf_printf(out, "wait: {event: e%u}", draw(draws, 2)); return;
    case 5: buf_add_text(out, "approval: ok"); return;
    case 6: buf_add_text(out, "workflow: other"); return;
    default: buf_add_text(out, "shell: x"); return;
    }
}

static void add_handler(struct draws *draws, struct buf *out, uint32_t depth)
{
    buf_add_char(out, '{');
    if (one_in(draws, 3) && depth > 0) {
        buf_add_text(out, "tasks: ");
        add_block(draws, out, depth - 1, true);
    } else {
        add_action(draws, out);
    }
    buf_add_char(out, '}');
}

static void add_options(struct draws *draws, struct buf *out, uint32_t index, uint32_t depth, bool in_handler)
{
    uint32_t dependencies = index > 0 ? draw(draws, index < 3 ? index + 1 : 4) : 0;

    if (dependencies > 0) {
        static const char *const joins[] = {"all_succeeded", "all_done", "any_succeeded", "none_failed", "{at_least: 1}"};
        uint64_t taken = 0;
        buf_add_text(out, ", depends_on: [");
        for (uint32_t i = 0; i < dependencies; i++) {
            uint32_t before = draw(draws, index);
            if (taken >> before & 1) continue;
            buf_printf(out, "%st%u", taken ? ", " : "", before);
            taken |= UINT64_C(1) << before;
        }
        buf_add_text(out, "]");
        if (one_in(draws, 2)) buf_printf(out, ", join: %s", joins[draw(draws, 5)]);
    }
    if (one_in(draws, 8)) buf_printf(out, ", when: %s", one_in(draws, 3) ? "'list[9]'" : one_in(draws, 2) ? "no_" : "yes");
    if (one_in(draws, 6)) buf_add_text(out, ", continue_on_error: true");
    if (one_in(draws, 4))
        buf_printf(out, ", retry: {max_attempts: %u, delay: %us}", 1 + draw(draws, 3), draw(draws, 4));
    if (one_in(draws, 6)) buf_printf(out, ", timeout: %us", 1 + draw(draws, 15));
    if (one_in(draws, 8)) buf_printf(out, ", total_timeout: %us", 1 + draw(draws, 25));
    if (one_in(draws, 6)) buf_printf(out, ", on_interrupt: %s", one_in(draws, 2) ? "fail" : "hold");
    if (one_in(draws, 6) && depth > 0) {
        buf_add_text(out, ", on_error: ");
        add_handler(draws, out, depth - 1);
    }
    if (one_in(draws, in_handler ? 12 : 4) && depth > 0) {
        buf_add_text(out, ", compensate: ");
        add_handler(draws, out, depth - 1);
    }
    if (one_in(draws, 8)) {
        buf_printf(out, ", for_each: {in: [1, 2, 3], fail_fast: %s", one_in(draws, 2) ? "true" : "false");
        if (one_in(draws, 2)) buf_printf(out, ", max_parallel: %u", 1 + draw(draws, 2));
        buf_add_text(out, "}");
    }
    if (one_in(draws, 8)) {
        static const char *const ends[] = {"max: 2", "until: 'iteration > 1', max: 3", "while: iteration < 3", "until: no_, max: 2"};
        buf_printf(out, ", repeat: {%s", ends[draw(draws, 4)]);
        if (one_in(draws, 2)) buf_printf(out, ", delay: %us", 1 + draw(draws, 5));
        buf_add_text(out, "}");
    }
}

static void add_task(struct draws *draws, struct buf *out, uint32_t index, uint32_t depth, bool in_handler)
{
    buf_printf(out, "t%u: {", index);
    if (depth > 0 && one_in(draws, 4)) {
        buf_add_text(out, "tasks: ");
        add_block(draws, out, depth - 1, in_handler);
        if (one_in(draws, 3)) {
            buf_add_text(out, ", finally: {tasks: ");
            add_block(draws, out, 0, in_handler);
            buf_add_char(out, '}');
        }
        if (one_in(draws, 4)) buf_add_text(out, ", fail_fast: true");
    } else {
        add_action(draws, out);
    }
    add_options(draws, out, index, depth, in_handler);
    buf_add_char(out, '}');
}

static void add_block(struct draws *draws, struct buf *out, uint32_t depth, bool in_handler)
{
    uint32_t count = 1 + draw(draws, depth > 1 ? 5 : 3);

    buf_add_char(out, '{');
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) buf_add_text(out, ", ");
        add_task(draws, out, i, depth, in_handler);
    }
    buf_add_char(out, '}');
}

void random_definition(struct draws *draws, struct buf *out)
{
    buf_add_text(out, "parameters: {yes: {default: true}, no_: {default: false}, list: {default: []}}\n");
    if (one_in(draws, 4)) buf_add_text(out, "fail_fast: true\n");
    if (one_in(draws, 6)) buf_printf(out, "timeout: %us\n", 1 + draw(draws, 60));
    buf_add_text(out, "tasks: ");
    add_block(draws, out, 3, false);
    if (one_in(draws, 3)) {
        buf_add_text(out, "\non_error: {tasks: ");
        add_block(draws, out, 1, false);
        buf_add_char(out, '}');
    }
    if (one_in(draws, 3)) {
        buf_add_text(out, "\nfinally: {tasks: ");
        add_block(draws, out, 1, true);
        buf_add_char(out, '}');
    }
    buf_add_char(out, '\n');
}

/* ---- inputs ---- */

static uint32_t list_pick(struct draws *draws, const struct core *core, enum core_list which)
{
    uint32_t count = core->lists[which].count;
    if (count == 0) return CORE_NONE;
    uint32_t at = core->lists[which].first;
    for (uint32_t i = draw(draws, count); i > 0; i--) at = instance_at(core, at)->next;
    return at;
}

static uint32_t waiting_pick(struct draws *draws, const struct core *core, enum reason reason)
{
    uint32_t found = CORE_NONE, seen = 0;

    for (uint32_t i = 0; i < core->instances.count; i++) {
        const struct core_instance *instance = instance_at(core, i);
        if (instance->state != TASK_WAITING || instance->reason != reason || frame_at(core, instance->frame)->dropped) continue;
        if (one_in(draws, ++seen)) found = i;
    }
    return found;
}

static void input_done(struct core_input *input, const struct core *core, uint32_t instance)
{
    input->type = INPUT_ATTEMPT_DONE;
    input->instance = instance;
    input->done.fence = instance_at(core, instance)->detail->fence;
    input->done.output = STR("1");
}

static bool may_admit(const struct core *core, uint32_t instance)
{
    return instance != CORE_NONE && core->state != EXECUTION_PAUSED && task_is_external(instance_at(core, instance)->task);
}

bool random_input(struct draws *draws, struct harness *harness, struct core_input *ret)
{
    static const enum failure failures[] = {FAILURE_EXIT, FAILURE_SIGNAL, FAILURE_ERROR, FAILURE_PERMANENT, FAILURE_LOST, FAILURE_CANCELLED,
                                            FAILURE_EVALUATION, FAILURE_TIMEOUT, FAILURE_START};
    const struct core *core = harness->core;
    struct core_input input = {.type = INPUT_TIMER, .instance = CORE_NONE, .by = STR("ann")};
    uint32_t picked;

    switch (draw(draws, 40)) {
    case 0: input.type = INPUT_RECOVER; break;
    case 1:
        if (!one_in(draws, 6)) return false;
        input.type = INPUT_CANCEL;
        input.cancel.reason = STR("enough");
        break;
    case 2: input.type = INPUT_PAUSE; break;
    case 3:
    case 4: input.type = INPUT_RESUME; break;
    case 5:
    case 6:
        input.type = INPUT_SIGNAL;
        input.signal.name = one_in(draws, 2) ? STR("e0") : STR("e1");
        input.signal.data = STR("{\"n\":1}");
        break;
    case 7:
    case 8:
        input.type = INPUT_APPROVE;
        input.instance = waiting_pick(draws, core, REASON_APPROVAL);
        if (input.instance == CORE_NONE) return false;
        input.approve.approved = !one_in(draws, 3);
        break;
    case 9:
        input.type = INPUT_RETRY;
        if (execution_state_is_terminal(core->state) ? !one_in(draws, 2) : waiting_pick(draws, core, REASON_HELD) == CORE_NONE) return false;
        if (one_in(draws, 2)) input.instance = draw(draws, core->instances.count);
        break;
    case 10:
    case 11:
    case 12:
    case 13: harness->now += draw(draws, 3) * ORCH_SECOND; break;
    case 14:
        if (core_deadline(core) != ORCH_TIME_NEVER && core_deadline(core) > harness->now) harness->now = core_deadline(core);
        break;
    case 15:
    case 16:
    case 17:
    case 18:
    case 19:
    case 20:
    case 21:
    case 22:
    case 23:
    case 24:
    case 25:
        picked = list_pick(draws, core, LIST_READY);
        if (!may_admit(core, picked)) return false;
        input.type = INPUT_ADMIT;
        input.instance = picked;
        break;
    default:
        picked = list_pick(draws, core, LIST_RUNNING);
        if (picked == CORE_NONE) return false;
        input_done(&input, core, picked);
        if (one_in(draws, 4)) {
            input.done.failure = failures[draw(draws, sizeof(failures) / sizeof(failures[0]))];
            input.done.error = STR("it broke");
            input.done.output = STR_NONE;
            input.done.exit_code = 3;
        }
        if (one_in(draws, 20)) input.done.fence--;
        break;
    }
    input.now = harness->now;
    *ret = input;
    return true;
}

bool helpful_input(struct draws *draws, struct harness *harness, struct core_input *ret)
{
    const struct core *core = harness->core;
    struct core_input input = {.type = INPUT_TIMER, .instance = CORE_NONE};
    uint32_t picked;

    if (execution_state_is_terminal(core->state)) return false;
    if (core->state == EXECUTION_PAUSED) {
        input.type = INPUT_RESUME;
    } else if ((picked = list_pick(draws, core, LIST_RUNNING)) != CORE_NONE) {
        input_done(&input, core, picked);
    } else if (may_admit(core, picked = list_pick(draws, core, LIST_READY))) {
        input.type = INPUT_ADMIT;
        input.instance = picked;
    } else if ((picked = list_pick(draws, core, LIST_EVENT)) != CORE_NONE) {
        input.type = INPUT_SIGNAL;
        input.signal.name = instance_at(core, picked)->detail->event;
    } else if ((picked = waiting_pick(draws, core, REASON_APPROVAL)) != CORE_NONE) {
        input.type = INPUT_APPROVE;
        input.instance = picked;
        input.approve.approved = true;
    } else if (waiting_pick(draws, core, REASON_HELD) != CORE_NONE) {
        input.type = INPUT_RETRY;
    } else if (core_deadline(core) != ORCH_TIME_NEVER) {
        if (core_deadline(core) > harness->now) harness->now = core_deadline(core);
    } else {
        return false;
    }
    input.now = harness->now;
    *ret = input;
    return true;
}
