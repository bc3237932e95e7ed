/* json.c - a workflow's graph as JSON. */
#include "base/value.h"
#include "layout/describe.h"
#include "layout/export.h"

struct writer {
    struct buf *out;
    struct buf text;
    bool any;
};

/* Empties the text; that it fell short once is not forgotten. */
static void text_clear(struct writer *writer)
{
    if (writer->text.failed) writer->out->failed = true;
    buf_clear(&writer->text);
}

static void add_text(struct writer *writer, const char *key)
{
    buf_printf(writer->out, ",\"%s\":", key);
    json_format_string(buf_str(&writer->text), writer->out);
}

static void add_path(struct writer *writer, const struct task *task)
{
    text_clear(writer);
    task_path(task, &writer->text);
    json_format_string(buf_str(&writer->text), writer->out);
}

/* The task as the user sees it: the outermost of those that go round one. */
static const struct task *outermost(const struct task *task)
{
    while (block_is_wrapping(task->block)) task = task->block->owner;
    return task;
}

static const char *kind_of(const struct task *task)
{
    switch ((enum task_kind)task->kind) {
    case TASK_LEAF: return "leaf";
    case TASK_GROUP: return "group";
    case TASK_FOR_EACH: return "for_each";
    case TASK_REPEAT: return "repeat";
    }
    return "";
}

static void add_task(struct writer *writer, const struct task *task)
{
    struct buf *out = writer->out;
    const struct block *block = task->block;
    buf_add_text(out, writer->any ? ",\n" : "\n");
    writer->any = true;
    buf_add_text(out, "{\"path\":");
    add_path(writer, task);
    buf_add_text(out, ",\"id\":");
    json_format_string(task->id, out);
    buf_printf(out, ",\"kind\":\"%s\"", kind_of(task));
    const struct task *inner = describe_inner(task);
    if (inner->action) buf_printf(out, ",\"action\":\"%s\"", action_kind_to_string(inner->action->kind));
    if (block->owner) {
        buf_add_text(out, ",\"parent\":");
        add_path(writer, outermost(block->owner));
    }
    if (block->role != BLOCK_BODY) buf_printf(out, ",\"role\":\"%s\"", describe_role(block->role));
    buf_printf(out, ",\"rank\":%u,\"line\":%u,\"depends_on\":[", task->rank, task->line);
    for (uint32_t e = block->dependency_start[task->index]; e < block->dependency_start[task->index + 1]; e++) {
        if (e > block->dependency_start[task->index]) buf_add_char(out, ',');
        add_path(writer, &block->tasks[block->dependencies[e]]);
    }
    buf_add_char(out, ']');
    text_clear(writer);
    describe_kind(task, &writer->text);
    add_text(writer, "describe");
    text_clear(writer);
    describe_rules(task, &writer->text);
    if (writer->text.size > 0) add_text(writer, "rules");
    buf_add_char(out, '}');
}

void layout_json(const struct workflow *workflow, struct buf *out)
{
    struct writer writer = {.out = out};
    buf_init(&writer.text, out->allocator, 1024 * 1024);
    buf_add_text(out, "{\"v\":1,\"name\":");
    json_format_string(workflow->name, out);
    buf_add_text(out, ",\"tasks\":[");
    for (uint32_t b = 0; b < workflow->block_count; b++) {
        const struct block *block = workflow->blocks[b];
        for (uint32_t i = 0; !block_is_wrapping(block) && i < block->task_count; i++)
            add_task(&writer, &block->tasks[i]);
    }
    buf_add_text(out, "\n]}\n");
    if (writer.text.failed) out->failed = true;
    buf_done(&writer.text);
}
