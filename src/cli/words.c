/*
 * words.c - what a transition says, in words.
 */
#include "cli/tree.h"

#include "base/time.h"

#define ERROR_WIDTH 120 /* columns of a message in a list */

static void put_error(const struct core_transition *transition, struct buf *out)
{
    if (!transition->error.size) return;
    buf_add_text(out, ": ");
    cli_clean(transition->error, ERROR_WIDTH, false, out);
}

static void put_by(const struct core_transition *transition, struct buf *out)
{
    if (!transition->by.size) return;
    buf_add_text(out, " by ");
    cli_clean(transition->by, 60, false, out);
}

static void put_until(const struct core_transition *transition, struct buf *out)
{
    if (transition->due == ORCH_TIME_NEVER || transition->due <= transition->at) return;
    buf_add_text(out, ", for ");
    duration_format_short(transition->due - transition->at, out);
    buf_add_text(out, " at most");
}

static void put_waiting(const struct core_transition *transition, struct buf *out)
{
    orch_time span = transition->due > transition->at ? transition->due - transition->at : 0;
    switch ((enum reason)transition->reason) {
    case REASON_TIMER:
        buf_add_text(out, "waits ");
        duration_format_short(span, out);
        return;
    case REASON_EVENT:
        buf_add_text(out, "waits for event \"");
        cli_clean(transition->name, 60, false, out);
        buf_add_char(out, '"');
        put_until(transition, out);
        return;
    case REASON_APPROVAL:
        buf_add_text(out, "waits for an approval");
        put_until(transition, out);
        return;
    case REASON_BACKOFF:
    case REASON_DELAY:
        buf_add_text(out, "waits ");
        duration_format_short(span, out);
        buf_add_text(out, transition->reason == REASON_DELAY ? " before the next iteration" : " before the next try");
        return;
    case REASON_HELD: buf_add_text(out, "held: it was interrupted, and a person decides"); return;
    case REASON_NONE:
    case REASON_WHEN:
    case REASON_DEPENDENCY:
    case REASON_STOPPED: buf_add_text(out, "waits"); return;
    }
}

static void put_ended(const struct core *core, const struct core_transition *transition, struct buf *out)
{
    const struct core_detail *detail = core_get_instance(core, transition->instance)->detail;
    switch ((enum task_state)transition->state) {
    case TASK_SKIPPED:
        buf_add_text(out, transition->reason == REASON_WHEN ? "skipped: " : "not started: ");
        core_why(core, transition->instance, transition->at, out);
        return;
    case TASK_SUCCEEDED: buf_add_text(out, "succeeded"); break;
    case TASK_FAILED: buf_add_text(out, "failed"); break;
    case TASK_TIMED_OUT: buf_add_text(out, "timed out"); break;
    case TASK_CANCELLED: buf_add_text(out, "cancelled"); break;
    case TASK_COMPENSATED: buf_add_text(out, "undone"); return;
    case TASK_PENDING:
    case TASK_READY:
    case TASK_WAITING:
    case TASK_RUNNING:
    case TASK_COMPENSATING: buf_add_text(out, task_state_to_string((enum task_state)transition->state)); break;
    }
    if (detail && detail->started_at) {
        buf_add_text(out, " after ");
        duration_format_short(transition->at > detail->started_at ? transition->at - detail->started_at : 0, out);
    }
    put_error(transition, out);
}

/* "item 2", "iteration 3", "its on_error": what a frame is to its owner. */
static void put_frame(const struct core *core, uint32_t at, struct buf *out)
{
    const struct core_frame *frame = core_get_frame(core, at);
    if (frame->role == BLOCK_BODY && frame->owner == CORE_NONE)
        buf_add_text(out, "the workflow's body");
    else if (frame->role == BLOCK_BODY) {
        uint8_t kind = core_get_instance(core, frame->owner)->task->kind;
        if (kind == TASK_FOR_EACH)
            buf_printf(out, "item %u", frame->index);
        else if (kind == TASK_REPEAT)
            buf_printf(out, "iteration %u", frame->index);
        else
            buf_add_text(out, "its body");
    } else {
        const char *whose = frame->owner == CORE_NONE ? "the workflow's" : "its";
        const char *role = frame->role == BLOCK_ON_ERROR     ? "on_error"
                           : frame->role == BLOCK_COMPENSATE ? "compensate"
                                                             : "finally";
        buf_printf(out, "%s %s", whose, role);
    }
}

void cli_transition_words(const struct core *core, const struct core_transition *transition, struct buf *out)
{
    switch ((enum transition_type)transition->type) {
    case TRANSITION_EXECUTION_STARTED:
        buf_add_text(out, "workflow ");
        cli_clean(transition->name, 60, false, out);
        buf_add_text(out, " started");
        put_by(transition, out);
        return;
    case TRANSITION_FRAME_OPENED: {
        uint32_t count = core_get_frame(core, transition->frame)->block->task_count;
        put_frame(core, transition->frame, out);
        buf_printf(out, " begins: %u task%s", count, count == 1 ? "" : "s");
        return;
    }
    case TRANSITION_TASK_READY: buf_add_text(out, "may start"); return;
    case TRANSITION_TASK_WAITING: put_waiting(transition, out); return;
    case TRANSITION_ATTEMPT_STARTED: {
        const struct task *task = core_get_instance(core, transition->instance)->task;
        buf_printf(out, "try %u starts", transition->attempt);
        if (task->action && task->action->kind == ACTION_WORKFLOW) {
            buf_add_text(out, ": workflow ");
            cli_clean(task->action->workflow, 60, false, out);
        }
        return;
    }
    case TRANSITION_ATTEMPT_FAILED:
        buf_printf(out, "try %u %s", transition->attempt, transition->failure == FAILURE_LOST ? "was lost" : "failed");
        put_error(transition, out);
        return;
    case TRANSITION_ATTEMPT_STOPPING:
        buf_printf(out, "try %u is told to stop: %s", transition->attempt,
                   failure_to_string((enum failure)transition->failure));
        return;
    case TRANSITION_TASK_STARTED:
        buf_add_text(out, "begins");
        if (core_get_instance(core, transition->instance)->task->kind == TASK_FOR_EACH)
            buf_printf(out, ": %u item%s", transition->count, transition->count == 1 ? "" : "s");
        return;
    case TRANSITION_TASK_ENDED: put_ended(core, transition, out); return;
    case TRANSITION_FRAME_ENDED:
        put_frame(core, transition->frame, out);
        buf_printf(out, " ended: %s", task_state_to_string((enum task_state)transition->state));
        return;
    case TRANSITION_EXECUTION_PAUSED:
        buf_add_text(out, "paused");
        put_by(transition, out);
        return;
    case TRANSITION_EXECUTION_RESUMED:
        buf_add_text(out, "goes on: the pause was ended");
        put_by(transition, out);
        return;
    case TRANSITION_EXECUTION_STOPPING:
        buf_printf(out, "stopping, to end as %s", execution_state_to_string((enum execution_state)transition->state));
        put_by(transition, out);
        put_error(transition, out);
        return;
    case TRANSITION_COMPENSATION_STARTED:
        buf_printf(out, "undoing %u task%s", transition->count, transition->count == 1 ? "" : "s");
        return;
    case TRANSITION_TASK_COMPENSATING: buf_add_text(out, "is being undone"); return;
    case TRANSITION_EXECUTION_ENDED:
        buf_printf(out, "ended: %s", execution_state_to_string((enum execution_state)transition->state));
        put_error(transition, out);
        return;
    case TRANSITION_APPROVAL_GIVEN:
        buf_add_text(out, transition->state == TASK_SUCCEEDED ? "approved" : "refused");
        put_by(transition, out);
        if (transition->data.size) {
            buf_add_text(out, ": ");
            cli_clean(transition->data, ERROR_WIDTH, false, out);
        }
        return;
    case TRANSITION_SIGNAL_RECEIVED:
        buf_add_text(out, "event \"");
        cli_clean(transition->name, 60, false, out);
        buf_add_text(out, "\" came");
        put_by(transition, out);
        return;
    case TRANSITION_EXECUTION_RETRIED:
        buf_printf(out, "run again, for the %u. time", transition->index);
        put_by(transition, out);
        return;
    case TRANSITION_TASK_RESET:
        buf_add_text(out, transition->state == TASK_RUNNING ? "taken up again: it had begun"
                                                            : "set back: as if it had not run");
        return;
    }
}

void cli_transition_path(const struct core *core, const struct core_transition *transition, struct buf *out)
{
    uint32_t instance = transition->instance;
    if (transition->type == TRANSITION_FRAME_ENDED && transition->frame < core_frame_count(core))
        instance = core_get_frame(core, transition->frame)->owner;
    if (instance != CORE_NONE) core_path(core, instance, out);
}

void cli_transition_json(const struct core *core, const char *id, uint64_t sequence,
                         const struct core_transition *transition, bool words, struct buf *out)
{
    struct buf text;
    buf_init(&text, NULL, 0);
    buf_printf(out, "{\"v\":1,\"run\":\"%s\",", id);
    if (transition->instance != CORE_NONE && transition->instance < core_instance_count(core)) {
        core_path(core, transition->instance, &text);
        if (text.failed) out->failed = true;
        buf_add_text(out, "\"step\":");
        json_format_string(buf_str(&text), out);
        buf_add_char(out, ',');
    }
    if (words) {
        buf_clear(&text);
        cli_transition_words(core, transition, &text);
        if (text.failed) out->failed = true;
        buf_add_text(out, "\"words\":");
        json_format_string(buf_str(&text), out);
        buf_add_char(out, ',');
    }
    buf_clear(&text);
    transition_format_json(transition, sequence, &text);
    if (text.size)
        buf_add(out, str_of(text.data + 1, text.size - 1));
    else
        buf_add_char(out, '}');
    if (text.failed) out->failed = true;
    buf_done(&text);
}
