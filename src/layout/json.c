/* json.c - a workflow's graph as JSON. */
#include "base/value.h"
#include "layout/describe.h"
#include "layout/export.h"

struct writer {
    const struct picture *picture;
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

static void add_box(struct buf *out, const struct layered_box *box)
{
    buf_printf(out, ",\"x\":%lld,\"y\":%lld,\"width\":%lld,\"height\":%lld", (long long)box->x, (long long)box->y,
               (long long)box->width, (long long)box->height);
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
    uint32_t item = writer->picture->item_of[task->number];
    const struct layout_state *state = writer->picture->items[item].state;
    if (state && state->word) buf_printf(out, ",\"state\":\"%s\"", state->word);
    add_box(out, &writer->picture->layered.nodes[item]);
    buf_add_char(out, '}');
}

static void add_edges(struct writer *writer)
{
    const struct picture *picture = writer->picture;
    struct buf *out = writer->out;
    buf_add_text(out, ",\"edges\":[");
    for (uint32_t e = 0; e < picture->edge_count; e++) {
        buf_add_text(out, e > 0 ? ",\n{\"from\":" : "\n{\"from\":");
        add_path(writer, picture->edges[e].from);
        buf_add_text(out, ",\"to\":");
        add_path(writer, picture->edges[e].to);
        buf_add_text(out, ",\"points\":[");
        uint32_t begin = picture->layered.point_start[e], end = picture->layered.point_start[e + 1];
        for (uint32_t i = begin; i < end; i++)
            buf_printf(out, "%s[%lld,%lld]", i > begin ? "," : "", (long long)picture->layered.points[i].x,
                       (long long)picture->layered.points[i].y);
        buf_add_text(out, "]}");
    }
    buf_add_text(out, "\n]");
}

static void add_handlers(struct writer *writer)
{
    const struct picture *picture = writer->picture;
    struct buf *out = writer->out;
    bool any = false;
    buf_add_text(out, ",\"handlers\":[");
    for (uint32_t i = 0; i < picture->item_count; i++) {
        const struct block *block = picture->items[i].block;
        if (!block || picture->items[i].task) continue;
        buf_printf(out, "%s\n{\"role\":\"%s\"", any ? "," : "", describe_role(block->role));
        any = true;
        if (block->owner) {
            buf_add_text(out, ",\"parent\":");
            add_path(writer, outermost(block->owner));
        }
        add_box(out, &picture->layered.nodes[i]);
        buf_add_char(out, '}');
    }
    buf_add_text(out, any ? "\n]" : "]");
}

void layout_json(const struct picture *picture, struct buf *out)
{
    const struct workflow *workflow = picture->workflow;
    struct writer writer = {.picture = picture, .out = out};
    buf_init(&writer.text, out->allocator, 1024 * 1024);
    buf_add_text(out, "{\"v\":1,\"name\":");
    json_format_string(workflow->name, out);
    buf_add_text(out, ",\"tasks\":[");
    for (uint32_t b = 0; b < workflow->block_count; b++) {
        const struct block *block = workflow->blocks[b];
        for (uint32_t i = 0; !block_is_wrapping(block) && i < block->task_count; i++)
            add_task(&writer, &block->tasks[i]);
    }
    buf_printf(out, "\n],\"width\":%lld,\"height\":%lld", (long long)picture->layered.width,
               (long long)picture->layered.height);
    add_edges(&writer);
    add_handlers(&writer);
    buf_printf(out, ",\"crossings\":%llu}\n", (unsigned long long)picture->layered.crossings);
    if (writer.text.failed) out->failed = true;
    buf_done(&writer.text);
}
