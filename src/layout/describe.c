/* describe.c - a task in a few words. */
#include "layout/describe.h"

#include "base/time.h"

/* White space of any kind becomes one space: sources may go over several lines. */
static void add_source(struct buf *out, const struct expr *expr)
{
    struct orch_str source = str_trim(expr_source(expr));
    bool space = false;
    for (size_t i = 0; i < source.size; i++) {
        char c = source.data[i];
        bool is_space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        if (is_space && !space) buf_add_char(out, ' ');
        if (!is_space) buf_add_char(out, c);
        space = is_space;
    }
}

const struct task *describe_inner(const struct task *task)
{
    for (;;) {
        const struct block *body = task_block(task, BLOCK_BODY);
        if (!body || !block_is_wrapping(body)) return task;
        task = &body->tasks[0];
    }
}

static void describe_loop(const struct task *task, struct buf *out)
{
    const struct loop *loop = task->options ? task->options->loop : NULL;
    if (!loop) return;
    buf_printf(out, "for each %.*s", STR_ARG(loop->as));
    if (loop->items.kind == TEMPLATE_EXPR) {
        buf_add_text(out, " in ");
        add_source(out, loop->items.expr.expr);
    } else if (loop->items.kind == TEMPLATE_LIST) {
        buf_printf(out, " of %u", loop->items.count);
    } else if (loop->items.kind == TEMPLATE_VALUE) {
        buf_printf(out, " of %u", loop->items.value.size);
    }
    if (loop->parallel_max > 0) buf_printf(out, ", %u at once", loop->parallel_max);
}

static void describe_repeat(const struct task *task, struct buf *out)
{
    const struct repeat *repeat = task->options ? task->options->repeat : NULL;
    if (!repeat) return;
    buf_add_text(out, "repeat");
    if (repeat->until) {
        buf_add_text(out, " until ");
        add_source(out, repeat->until);
    } else if (repeat->while_) {
        buf_add_text(out, " while ");
        add_source(out, repeat->while_);
    }
    buf_printf(out, "%s %u times", repeat->until || repeat->while_ ? ", at most" : "", repeat->iterations_max);
}

void describe_kind(const struct task *task, struct buf *out)
{
    switch ((enum task_kind)task->kind) {
    case TASK_LEAF:
        buf_add_text(out, task->action ? action_kind_to_string(task->action->kind) : "noop");
        if (task->action && task->action->kind == ACTION_WORKFLOW) {
            buf_printf(out, " %.*s", STR_ARG(task->action->workflow));
        }
        return;
    case TASK_GROUP: {
        const struct block *body = task_block(task, BLOCK_BODY);
        buf_printf(out, "group of %u", body ? body->task_count : 0);
        return;
    }
    case TASK_FOR_EACH: describe_loop(task, out); break;
    case TASK_REPEAT: describe_repeat(task, out); break;
    }
    const struct block *body = task_block(task, BLOCK_BODY);
    if (!body) return;
    buf_add_text(out, ": ");
    if (block_is_wrapping(body)) {
        describe_kind(&body->tasks[0], out);
    } else {
        buf_printf(out, "group of %u", body->task_count);
    }
}

static void separate(struct buf *out, size_t start)
{
    if (out->size > start) buf_add_text(out, ", ");
}

void describe_rules(const struct task *task, struct buf *out)
{
    size_t start = out->size;
    const struct task *inner = describe_inner(task);
    if (task->when) {
        buf_add_text(out, "when ");
        add_source(out, task->when);
    }
    if (inner != task && inner->when) {
        separate(out, start);
        buf_add_text(out, "each when ");
        add_source(out, inner->when);
    }
    if (task->join != JOIN_ALL_SUCCEEDED) separate(out, start);
    switch ((enum join_rule)task->join) {
    case JOIN_ALL_SUCCEEDED: break;
    case JOIN_ALL_DONE: buf_add_text(out, "once all are done"); break;
    case JOIN_ANY_SUCCEEDED: buf_add_text(out, "once any has succeeded"); break;
    case JOIN_NONE_FAILED: buf_add_text(out, "if none failed"); break;
    case JOIN_AT_LEAST: buf_printf(out, "once %u have succeeded", task->options ? task->options->join_count : 0); break;
    }
    const struct retry_policy *retry = task_retry(inner);
    if (retry && retry->attempts_max > 1) {
        separate(out, start);
        buf_printf(out, "up to %u attempts", retry->attempts_max);
    }
    if (inner->options && inner->options->timeout_us > 0) {
        separate(out, start);
        buf_add_text(out, "timeout ");
        duration_format(inner->options->timeout_us, out);
    }
    if (task->continue_on_error) {
        separate(out, start);
        buf_add_text(out, "may fail");
    }
}

const char *describe_role(enum block_role role)
{
    switch (role) {
    case BLOCK_BODY: return "";
    case BLOCK_ON_ERROR: return "on error";
    case BLOCK_COMPENSATE: return "compensate";
    case BLOCK_FINALLY: return "finally";
    }
    return "";
}
