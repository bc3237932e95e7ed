/*
 * harness.c - plays scripts against the state machine, and holds it to its promises after every step.
 */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

/* ---- life ---- */

void harness_init(struct harness *harness, const char *definition)
{
    struct diags *diags = malloc(sizeof(*diags));

    *harness = (struct harness){.now = HARNESS_START, .seed = 1, .replay = true};
    arena_init(&harness->model, NULL, 0);
    arena_init(&harness->step, NULL, 0);
    buf_init(&harness->journal, NULL, 0);
    assert_non_null(diags);
    diags_init(diags, &harness->model);
    if (workflow_read(str_from(definition), STR("test.yaml"), &harness->model, diags, &harness->workflow) != 0) {
        struct buf text;
        struct diag_style style = {0};
        buf_init(&text, NULL, 0);
        diags_render(diags, str_from(definition), STR("test.yaml"), &style, &text);
        fail_msg("the definition is refused: %.900s", text.data);
    }
    free(diags);
    harness->core = core_new(harness->workflow, harness->seed, &harness->env, NULL);
    assert_non_null(harness->core);
}

void harness_done(struct harness *harness)
{
    core_free(harness->core);
    buf_done(&harness->journal);
    arena_done(&harness->step);
    arena_done(&harness->model);
}

const char *harness_path(const struct core *core, uint32_t instance)
{
    static char text[4][512];
    static int turn;
    struct buf buf;
    char *out = text[turn = (turn + 1) % 4];

    buf_init(&buf, NULL, 0);
    core_path(core, instance, &buf);
    snprintf(out, sizeof(text[0]), "%.*s", STR_ARG(buf_str(&buf)));
    buf_done(&buf);
    return out;
}

/* ---- transitions as text ---- */

static void add_duration(const struct harness *harness, orch_time due, struct buf *out)
{
    if (due == 0 || due == ORCH_TIME_NEVER) return;
    buf_add_text(out, " +");
    duration_format(due - harness->now, out);
}

static void add_frame_name(const struct core *core, uint32_t number, struct buf *out)
{
    const struct core_frame *frame = core_get_frame(core, number);
    const char *role = block_role_text((enum block_role)frame->role);

    if (frame->owner != CORE_NONE) buf_printf(out, " %s", harness_path(core, frame->owner));
    if (frame->owner == CORE_NONE && frame->role != BLOCK_BODY) buf_printf(out, " %s", role);
    if (frame->owner == CORE_NONE) return;
    enum task_kind kind = (enum task_kind)core_get_instance(core, frame->owner)->task->kind;
    if (frame->role != BLOCK_BODY)
        buf_printf(out, "/%s", role);
    else if (kind == TASK_FOR_EACH)
        buf_printf(out, "[%u]", frame->index);
    else if (kind == TASK_REPEAT)
        buf_printf(out, "#%u", frame->index);
}

static void add_failure(const struct core_transition *t, struct buf *out)
{
    if (t->failure != FAILURE_NONE) buf_printf(out, " %s", failure_to_string((enum failure)t->failure));
}

static void format_one(const struct harness *harness, const struct core_transition *t, struct buf *out)
{
    const struct core *core = harness->core;
    const char *path = t->instance != CORE_NONE ? harness_path(core, t->instance) : "";

    switch ((enum transition_type)t->type) {
    case TRANSITION_EXECUTION_STARTED: buf_add_text(out, "started"); break;
    case TRANSITION_FRAME_OPENED:
        buf_add_text(out, "open");
        add_frame_name(core, t->frame, out);
        break;
    case TRANSITION_TASK_READY: buf_printf(out, "ready %s", path); break;
    case TRANSITION_TASK_WAITING:
        buf_printf(out, "waiting %s %s", path, reason_to_string((enum reason)t->reason));
        if (t->name.size > 0) buf_printf(out, " %.*s", STR_ARG(t->name));
        add_duration(harness, t->due, out);
        add_failure(t, out);
        break;
    case TRANSITION_ATTEMPT_STARTED:
        buf_printf(out, "attempt %s %u", path, t->attempt);
        add_duration(harness, t->due, out);
        break;
    case TRANSITION_ATTEMPT_FAILED:
        buf_printf(out, "failed %s %u", path, t->attempt);
        add_failure(t, out);
        break;
    case TRANSITION_ATTEMPT_STOPPING:
        buf_printf(out, "stop %s", path);
        add_failure(t, out);
        break;
    case TRANSITION_TASK_STARTED:
        buf_printf(out, "begin %s", path);
        if (t->count > 0) buf_printf(out, " %u", t->count);
        add_duration(harness, t->due, out);
        break;
    case TRANSITION_TASK_ENDED:
        buf_printf(out, "ended %s %s", path, task_state_to_string((enum task_state)t->state));
        if (t->reason != REASON_NONE)
            buf_printf(out, " %s", reason_to_string((enum reason)t->reason));
        else if (t->state != TASK_CANCELLED && t->state != TASK_TIMED_OUT)
            add_failure(t, out);
        if (t->output.size > 0) buf_printf(out, " %.*s", STR_ARG(t->output));
        break;
    case TRANSITION_FRAME_ENDED:
        buf_add_text(out, "close");
        add_frame_name(core, t->frame, out);
        buf_printf(out, " %s", task_state_to_string((enum task_state)t->state));
        break;
    case TRANSITION_EXECUTION_PAUSED: buf_add_text(out, "paused"); break;
    case TRANSITION_EXECUTION_RESUMED: buf_add_text(out, "resumed"); break;
    case TRANSITION_EXECUTION_STOPPING:
        buf_printf(out, "stopping %s", execution_state_to_string((enum execution_state)t->state));
        break;
    case TRANSITION_COMPENSATION_STARTED: buf_printf(out, "compensating %u", t->count); break;
    case TRANSITION_TASK_COMPENSATING: buf_printf(out, "undo %s", path); break;
    case TRANSITION_EXECUTION_ENDED:
        buf_printf(out, "end %s", execution_state_to_string((enum execution_state)t->state));
        if (t->output.size > 0) buf_printf(out, " %.*s", STR_ARG(t->output));
        break;
    case TRANSITION_APPROVAL_GIVEN: buf_printf(out, "approval %s", path); break;
    case TRANSITION_SIGNAL_RECEIVED: buf_printf(out, "signal %.*s", STR_ARG(t->name)); break;
    case TRANSITION_EXECUTION_RETRIED: buf_printf(out, "retried %u", t->index); break;
    case TRANSITION_TASK_RESET: buf_printf(out, "%s %s", t->state == TASK_RUNNING ? "again" : "reset", path); break;
    }
}

void harness_format(const struct harness *harness, struct buf *out)
{
    for (uint32_t i = 0; i < harness->out.count; i++) {
        if (i > 0) buf_add_text(out, "; ");
        format_one(harness, &harness->out.items[i], out);
    }
}

/* ---- steps ---- */

struct core *harness_fold(struct harness *harness)
{
    struct core *core = core_new(harness->workflow, harness->seed, &harness->env, NULL);
    struct arena arena;
    size_t at = 0;

    assert_non_null(core);
    arena_init(&arena, NULL, 0);
    while (at < harness->journal.size) {
        uint32_t size;
        struct core_transitions list = {0};
        memcpy(&size, harness->journal.data + at, sizeof(size));
        at += sizeof(size);
        assert_int_equal(transitions_decode(str_of(harness->journal.data + at, size), &arena, &list, NULL), 0);
        at += size;
        for (uint32_t i = 0; i < list.count; i++) {
            struct orch_error error = ORCH_ERROR_INIT;
            if (core_evolve(core, &list.items[i], &error) != 0) fail_msg("replay: %s", error.message);
        }
        arena_clear(&arena);
    }
    arena_done(&arena);
    return core;
}

static void record(struct harness *harness)
{
    struct buf bytes;

    if (harness->out.count == 0) return;
    buf_init(&bytes, NULL, 0);
    transitions_encode(harness->out.items, harness->out.count, &bytes);
    assert_false(bytes.failed);
    uint32_t size = (uint32_t)bytes.size;
    buf_add(&harness->journal, str_of((const char *)&size, sizeof(size)));
    buf_add(&harness->journal, buf_str(&bytes));
    buf_done(&bytes);
}

static uint32_t count_list(const struct core *core, enum core_list which)
{
    uint32_t count = 0, last = CORE_NONE;

    for (uint32_t i = core->lists[which].first; i != CORE_NONE; i = instance_at(core, i)->next) {
        assert_int_equal(instance_at(core, i)->list, which);
        assert_int_equal(instance_at(core, i)->previous, last);
        last = i;
        count++;
    }
    assert_int_equal(core->lists[which].last, last);
    assert_int_equal(core->lists[which].count, count);
    return count;
}

static void check_instance(const struct core *core, uint32_t number, uint32_t *timers)
{
    const struct core_instance *instance = instance_at(core, number);
    const struct core_frame *frame = frame_at(core, instance->frame);
    const struct block *block = frame->block;
    uint32_t unmet = 0, succeeded = 0, missed = 0;

    assert_ptr_equal(instance->task->block, block);
    assert_int_equal(instance_number(core, instance), number);
    if (instance->detail && instance->detail->timer != 0) {
        assert_int_equal(core->timers.heap[instance->detail->timer - 1].instance, number);
        assert_int_equal(core->timers.heap[instance->detail->timer - 1].due, instance->detail->due);
        (*timers)++;
    }
    if (frame->dropped) return;
    for (uint32_t i = block->dependency_start[instance->task->index];
         i < block->dependency_start[instance->task->index + 1]; i++) {
        const struct core_instance *before = instance_at(core, frame->first + block->dependencies[i]);
        if (!task_state_is_terminal(before->state) && before->state != TASK_COMPENSATING)
            unmet++;
        else if (instance_worth(before) == WORTH_SUCCESS)
            succeeded++;
        else if (instance_worth(before) == WORTH_MISSED)
            missed++;
    }
    assert_int_equal(instance->unmet, unmet);
    assert_int_equal(instance->succeeded, succeeded);
    assert_int_equal(instance->missed, missed);
    /* No task starts before its dependencies allow it. */
    if (instance->state != TASK_PENDING && instance->state != TASK_SKIPPED)
        assert_int_equal(join_verdict(instance), VERDICT_GO);
    if (instance->state == TASK_READY) assert_int_equal(instance->list, LIST_READY);
    if (instance->list == LIST_RUNNING) assert_int_equal(instance->state, TASK_RUNNING);
    /* Whatever is not over belongs to a block that is not over either. */
    if (!task_state_is_terminal(instance->state) && instance->state != TASK_COMPENSATING)
        assert_int_equal(frame->state, TASK_RUNNING);
}

void harness_check(const struct core *core)
{
    uint32_t states[TASK_STATE_COUNT] = {0}, timers = 0;

    for (uint32_t i = 0; i < core->instances.count; i++) {
        const struct core_instance *instance = instance_at(core, i);
        check_instance(core, i, &timers);
        if (!frame_at(core, instance->frame)->dropped && instance->task->kind == TASK_LEAF) states[instance->state]++;
    }
    assert_memory_equal(states, core->states, sizeof(states));
    for (uint32_t i = 0; i < core->frames.count; i++) {
        const struct core_frame *frame = frame_at(core, i);
        uint32_t open = 0, failed = 0;
        if (frame->dropped) continue;
        for (uint32_t k = 0; k < frame->block->task_count; k++) {
            const struct core_instance *instance = instance_at(core, frame->first + k);
            if (!task_state_is_terminal(instance->state) && instance->state != TASK_COMPENSATING)
                open++;
            else if (instance_counts_as_failure(instance))
                failed++;
        }
        assert_int_equal(frame->open, open);
        assert_int_equal(frame->failed, failed);
        if (frame->state == TASK_RUNNING && frame->owner != CORE_NONE) {
            uint8_t owner = instance_at(core, frame->owner)->state;
            assert_true(owner == TASK_RUNNING || owner == TASK_COMPENSATING);
        }
        if (execution_state_is_terminal(core->state)) assert_int_not_equal(frame->state, TASK_RUNNING);
    }
    if (core->timer != 0) timers++;
    assert_int_equal(core->timers.count, timers);
    for (uint32_t i = 1; i < core->timers.count; i++)
        assert_true(core->timers.heap[(i - 1) / 4].due <= core->timers.heap[i].due);
    for (int list = LIST_AGENDA; list < LIST_COUNT; list++) count_list(core, (enum core_list)list);
    if (!execution_state_is_terminal(core->state)) return;
    assert_int_equal(core->lists[LIST_READY].count + core->lists[LIST_RUNNING].count + core->lists[LIST_EVENT].count,
                     0);
    assert_int_equal(core->timers.count, 0);
}

static void check_replay(struct harness *harness)
{
    struct core *core = harness_fold(harness);
    struct core_transitions owed = {0};

    assert_true(core_digest(core) == core_digest(harness->core));
    assert_int_equal(core_owed(core, &harness->step, &owed, NULL), 0);
    if (owed.count > 0)
        fail_msg("the state owes %s of %s", transition_type_to_string((enum transition_type)owed.items[0].type),
                 harness_path(core, owed.items[0].instance));
    core_free(core);
}

int harness_step(struct harness *harness, const struct core_input *input)
{
    uint64_t before = core_digest(harness->core);

    arena_clear(&harness->step);
    harness->out = (struct core_transitions){0};
    harness->error = (struct orch_error)ORCH_ERROR_INIT;
    int rc = core_step(harness->core, input, &harness->step, &harness->out, &harness->error);
    if (rc != 0) {
        assert_int_equal(harness->error.code, rc);
        assert_int_equal(harness->out.count, 0);
        assert_true(core_digest(harness->core) == before);
        return rc;
    }
    record(harness);
    harness_check(harness->core);
    if (harness->replay) check_replay(harness);
    return 0;
}

/* ---- scripts ---- */

void harness_input_start(struct harness *harness, struct core_input *input)
{
    struct value env;

    assert_int_equal(value_map(NULL, 0, &harness->step, &env), 0);
    *input = (struct core_input){.type = INPUT_START, .now = harness->now, .instance = CORE_NONE};
    input->start.env = env;
    input->start.id = STR("r-1");
}

static struct orch_str take_word(struct orch_str *rest)
{
    *rest = str_trim(*rest);
    size_t end = str_find(*rest, STR(" "), 0);
    struct orch_str word = end == SIZE_MAX ? *rest : str_of(rest->data, end);
    *rest = str_trim(str_of(rest->data + word.size, rest->size - word.size));
    return word;
}

static enum failure failure_named(struct orch_str name)
{
    for (int i = 0; i <= FAILURE_DEPENDENCY; i++)
        if (str_is(name, failure_to_string((enum failure)i))) return (enum failure)i;
    fail_msg("no failure %.*s", STR_ARG(name));
    return FAILURE_NONE;
}

static void parse_start(struct harness *harness, struct core_input *input, struct orch_str rest)
{
    static struct arena arena; /* outlives the step's, which is cleared */
    static struct diags diags;
    struct value given = value_null();

    arena_done(&arena);
    arena_init(&arena, NULL, 0);
    diags_init(&diags, &arena);
    harness_input_start(harness, input);
    assert_int_equal(value_map(NULL, 0, &arena, &input->start.env), 0);
    if (rest.size > 0) assert_int_equal(json_parse(rest, NULL, &arena, &given, NULL), 0);
    struct orch_error error = ORCH_ERROR_INIT;
    if (workflow_parameters(harness->workflow, given, false, &arena, &diags, &input->start.parameters, &error) != 0)
        fail_msg("parameters: %s", error.message);
}

static uint32_t find(struct harness *harness, struct orch_str path)
{
    uint32_t found = core_find(harness->core, path);
    if (found == CORE_NONE) return CORE_NONE - 1; /* for tests of tasks that are not there */
    assert_true(str_is(path, harness_path(harness->core, found)));
    return found;
}

static struct core_input parse_input(struct harness *harness, struct orch_str line)
{
    struct core_input input = {.instance = CORE_NONE, .by = STR("ann")};
    struct orch_str verb = take_word(&line);

    if (str_is(verb, "start")) {
        parse_start(harness, &input, line);
    } else if (str_is(verb, "admit")) {
        input.type = INPUT_ADMIT;
        input.instance = find(harness, take_word(&line));
    } else if (str_is(verb, "done") || str_is(verb, "fail") || str_is(verb, "stale")) {
        input.type = INPUT_ATTEMPT_DONE;
        input.instance = find(harness, take_word(&line));
        const struct core_instance *instance = core_get_instance(harness->core, input.instance);
        input.done.fence = instance && instance->detail ? instance->detail->fence : 0;
        if (str_is(verb, "stale")) input.done.fence--;
        if (str_is(verb, "fail")) {
            input.done.failure = failure_named(take_word(&line));
            input.done.error = STR("it broke");
            int64_t code = 0;
            if (line.size > 0) assert_true(str_to_int64(take_word(&line), &code));
            input.done.exit_code = (int32_t)code;
        } else {
            input.done.output = line;
        }
    } else if (str_is(verb, "timer")) {
        orch_time by;
        input.type = INPUT_TIMER;
        assert_int_equal(duration_parse(take_word(&line), &by, NULL), 0);
        harness->now += by;
    } else if (str_is(verb, "cancel")) {
        input.type = INPUT_CANCEL;
        input.cancel.reason = line;
    } else if (str_is(verb, "pause")) {
        input.type = INPUT_PAUSE;
    } else if (str_is(verb, "resume")) {
        input.type = INPUT_RESUME;
    } else if (str_is(verb, "approve") || str_is(verb, "reject")) {
        input.type = INPUT_APPROVE;
        input.instance = find(harness, take_word(&line));
        input.approve.approved = str_is(verb, "approve");
        if (line.size > 0) input.by = take_word(&line);
    } else if (str_is(verb, "signal")) {
        input.type = INPUT_SIGNAL;
        input.signal.name = take_word(&line);
        input.signal.data = line;
    } else if (str_is(verb, "recover")) {
        input.type = INPUT_RECOVER;
    } else if (str_is(verb, "retry")) {
        input.type = INPUT_RETRY;
        if (line.size > 0) input.instance = find(harness, take_word(&line));
    } else {
        fail_msg("no input %.*s", STR_ARG(verb));
    }
    input.now = harness->now;
    return input;
}

static void play_line(struct harness *harness, struct orch_str line)
{
    size_t arrow = str_find(line, STR("->"), 0);
    if (arrow == SIZE_MAX) fail_msg("no arrow in: %.*s", STR_ARG(line));
    struct orch_str want = str_trim(str_of(line.data + arrow + 2, line.size - arrow - 2));
    struct core_input input = parse_input(harness, str_of(line.data, arrow));
    int rc = harness_step(harness, &input);

    struct buf got;
    buf_init(&got, NULL, 0);
    if (rc != 0)
        buf_printf(&got, "!%s", orch_error_name(rc));
    else
        harness_format(harness, &got);
    bool open_start = str_starts_with(want, STR("..."));
    struct orch_str tail = open_start ? str_trim(str_of(want.data + 3, want.size - 3)) : want;
    bool same = open_start ? rc == 0 && str_ends_with(buf_str(&got), tail) : str_equal(buf_str(&got), tail);
    if (!same)
        fail_msg("%.*s\n  want: %.*s\n  got:  %.*s%s%s", STR_ARG(str_of(line.data, arrow)), STR_ARG(want),
                 STR_ARG(buf_str(&got)), rc != 0 ? "\n  " : "", rc != 0 ? harness->error.message : "");
    buf_done(&got);
}

void harness_play(struct harness *harness, const char *script)
{
    struct orch_str rest = str_from(script);

    while (rest.size > 0) {
        size_t end = str_find(rest, STR("\n"), 0);
        struct orch_str line = end == SIZE_MAX ? rest : str_of(rest.data, end);
        rest = end == SIZE_MAX ? STR_NONE : str_of(rest.data + end + 1, rest.size - end - 1);
        if (str_trim(line).size > 0) play_line(harness, str_trim(line));
    }
}

void harness_run_rows(const struct harness_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct harness harness;
        harness_init(&harness, rows[i].definition);
        print_message("  %s\n", rows[i].name);
        harness_play(&harness, rows[i].script);
        harness_done(&harness);
    }
}
