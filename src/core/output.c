/*
 * output.c - what blocks give, put together as JSON text from what their tasks gave.
 *
 * Nothing is parsed, and nothing of it is kept: a group's output would be in the journal once for each block around it.
 */
#include "core/internal.h"

static int text_add(const struct core *core, const struct core_detail *detail, struct arena *arena, struct buf *out,
                    struct orch_error *err)
{
    struct orch_str text;

    if (!detail) {
        buf_add_text(out, "null");
        return 0;
    }
    if (detail->blob == 0) {
        buf_add(out, detail->output.size > 0 ? detail->output : STR("null"));
        return 0;
    }
    if (!core->env.blob) return error_set(err, ORCH_ERR_INTERNAL, "nobody can read blobs here");
    int rc = core->env.blob(core->env.user, detail->blob, arena, &text, err);
    /* "Not found" would read as if a name were unknown. */
    if (rc == ORCH_ERR_NOT_FOUND) return error_set(err, ORCH_ERR_CORRUPT, "a large output is missing in the store");
    if (rc < 0) return rc;
    buf_add(out, text);
    return 0;
}

static int add_if_succeeded(const struct core *core, uint32_t number, struct arena *arena, struct buf *out,
                            struct orch_error *err)
{
    const struct core_instance *instance = instance_at(core, number);

    if (instance_worth(instance) == WORTH_SUCCESS && instance->state != TASK_FAILED &&
        instance->state != TASK_TIMED_OUT && instance->state != TASK_CANCELLED)
        return output_of_instance(core, number, arena, out, err);
    buf_add_text(out, "null");
    return 0;
}

int output_of_frame(const struct core *core, uint32_t number, struct arena *arena, struct buf *out,
                    struct orch_error *err)
{
    const struct core_frame *frame = frame_at(core, number);

    if (block_is_wrapped(frame->block) || block_is_lone_handler(frame->block))
        return add_if_succeeded(core, frame->first, arena, out, err);
    buf_add_char(out, '{');
    for (uint32_t i = 0; i < frame->block->task_count; i++) {
        if (i > 0) buf_add_char(out, ',');
        json_format_string(frame->block->tasks[i].id, out);
        buf_add_char(out, ':');
        int rc = output_of_instance(core, frame->first + i, arena, out, err);
        if (rc < 0) return rc;
    }
    buf_add_char(out, '}');
    return 0;
}

static int output_of_loop(const struct core *core, const struct core_detail *detail, struct arena *arena,
                          struct buf *out, struct orch_error *err)
{
    uint32_t next = 0;

    buf_add_char(out, '[');
    for (uint32_t i = detail->frame_first; i != CORE_NONE; i = frame_at(core, i)->next_of) {
        if (frame_at(core, i)->role != BLOCK_BODY) continue;
        if (next++ > 0) buf_add_char(out, ',');
        int rc = 0;
        if (frame_at(core, i)->state == TASK_SUCCEEDED)
            rc = output_of_frame(core, i, arena, out, err);
        else
            buf_add_text(out, "null");
        if (rc < 0) return rc;
    }
    for (; next < detail->item_count; next++) buf_add_text(out, next > 0 ? ",null" : "null");
    buf_add_char(out, ']');
    return 0;
}

int output_of_instance(const struct core *core, uint32_t number, struct arena *arena, struct buf *out,
                       struct orch_error *err)
{
    const struct core_instance *instance = instance_at(core, number);
    const struct core_detail *detail = instance->detail;
    const struct core_inner *inner = detail ? detail->inner : NULL;

    /* A failure that was handled gives what the handler gave. It may have been undone since. */
    if (inner && instance->state != TASK_RUNNING && inner->handled != CORE_NONE)
        return output_of_frame(core, inner->handled, arena, out, err);
    switch ((enum task_kind)instance->task->kind) {
    case TASK_LEAF: return text_add(core, detail, arena, out, err);
    case TASK_GROUP:
    case TASK_REPEAT:
        if (inner && inner->body != CORE_NONE) return output_of_frame(core, inner->body, arena, out, err);
        break;
    case TASK_FOR_EACH:
        if (inner) return output_of_loop(core, detail, arena, out, err);
        break;
    }
    buf_add_text(out, "null");
    return 0;
}

int core_output(const struct core *core, uint32_t instance, struct arena *arena, struct buf *out,
                struct orch_error *err)
{
    if (instance >= core->instances.count)
        return error_set(err, ORCH_ERR_NOT_FOUND, "there is no task number %u", instance);
    int rc = output_of_instance(core, instance, arena, out, err);
    return rc == 0 && out->failed ? error_memory(err) : rc;
}

/* A map of what the tasks gave that nothing depends on. */
static int output_of_last_tasks(const struct core *core, struct arena *arena, struct buf *out, struct orch_error *err)
{
    const struct block *block = core->workflow->body;
    uint32_t count = 0;

    buf_add_char(out, '{');
    for (uint32_t i = 0; i < block->task_count; i++) {
        if (block->successor_start[i] != block->successor_start[i + 1]) continue;
        if (count++ > 0) buf_add_char(out, ',');
        json_format_string(block->tasks[i].id, out);
        buf_add_char(out, ':');
        int rc = output_of_instance(core, i, arena, out, err);
        if (rc < 0) return rc;
    }
    buf_add_char(out, '}');
    return 0;
}

int output_of_execution(const struct core *core, orch_time now, struct arena *arena, struct buf *out,
                        struct orch_error *err)
{
    int rc;

    if (core->workflow->output) {
        struct scope scope;
        struct value value;
        scope_init_frame(&scope, core, 0, now);
        rc = scope_render(&scope, core->workflow->output, arena, &value, err);
        if (rc == 0) json_format(value, 0, out);
    } else {
        rc = output_of_last_tasks(core, arena, out, err);
    }
    if (rc == 0 && out->failed) return error_memory(err);
    return rc;
}
