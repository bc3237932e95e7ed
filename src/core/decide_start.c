/*
 * decide_start.c - the beginning of an execution: what it was started with, and its body.
 */
#include "core/internal.h"

static void member(struct buf *buf, const char *key, struct value value)
{
    buf_printf(buf, "%c\"%s\":", buf->size == 0 ? '{' : ',', key);
    json_format(value, 0, buf);
}

static int start_data(struct step *step, const struct core_input *input, struct orch_str *ret)
{
    struct buf buf;

    buf_init(&buf, step->core->allocator, 0);
    member(&buf, "id", value_string(input->start.id));
    member(&buf, "parameters", input->start.parameters);
    member(&buf, "env", input->start.env);
    if (input->start.labels.kind == VALUE_MAP) member(&buf, "labels", input->start.labels);
    if (input->start.subworkflows.kind == VALUE_MAP) member(&buf, "subworkflows", input->start.subworkflows);
    buf_add_char(&buf, '}');
    struct orch_str text = buf.failed ? STR_NONE : arena_str(step->arena, buf_str(&buf));
    buf_done(&buf);
    if (!text.data) return error_memory(step->err);
    *ret = text;
    return 0;
}

int decide_start(struct step *step, const struct core_input *input)
{
    struct core *core = step->core;
    struct orch_str data;

    if (core->state != EXECUTION_PENDING)
        return error_set(step->err, ORCH_ERR_STATE, "the execution was started already");
    if (core->workflow->body->task_count > core->env.instances_max)
        return error_set(step->err, ORCH_ERR_LIMIT, "%u tasks are more than an execution may have (%u)",
                         core->workflow->body->task_count, core->env.instances_max);
    int rc = start_data(step, input, &data);
    if (rc < 0) return rc;
    struct core_transition *t = step_add(step, TRANSITION_EXECUTION_STARTED, CORE_NONE);
    if (!t) return ORCH_ERR_NO_MEMORY;
    t->name = core->workflow->name;
    t->data = data;
    t->by = step->by;
    t->fence = 1;
    rc = step_fold(step);
    return rc < 0 ? rc : frame_open(step, CORE_NONE, BLOCK_BODY, 0);
}
