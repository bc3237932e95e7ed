/* mermaid.c - a workflow's graph as a Mermaid flowchart. Source: mermaid.js.org/syntax/flowchart.html. */
#include "layout/describe.h"
#include "layout/export.h"

/* A quoted label: what has a meaning in Mermaid or HTML is written as an entity. */
static void add_string(struct buf *out, struct orch_str text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        switch (c) {
        case '"': buf_add_text(out, "#quot;"); break;
        case '#': buf_add_text(out, "#35;"); break;
        case '<': buf_add_text(out, "#lt;"); break;
        case '>': buf_add_text(out, "#gt;"); break;
        case '&': buf_add_text(out, "#amp;"); break;
        case '`': buf_add_text(out, "#96;"); break;
        case '\\': buf_add_text(out, "#92;"); break;
        case '\n': buf_add_text(out, "<br/>"); break;
        default:
            if ((unsigned char)c >= 0x20) buf_add_char(out, c);
        }
    }
}

static void add_indent(struct buf *out, uint32_t depth)
{
    for (uint32_t i = 0; i <= depth; i++) buf_add_text(out, "  ");
}

static void add_label(struct buf *out, const struct task *task)
{
    struct buf text;
    buf_init(&text, out->allocator, 256 * 1024);
    buf_add(&text, task->id);
    buf_add_char(&text, '\n');
    describe_kind(task, &text);
    size_t size = text.size;
    buf_add_char(&text, '\n');
    describe_rules(task, &text);
    if (text.size == size + 1) text.size = size;
    add_string(out, buf_str(&text));
    if (text.failed) out->failed = true;
    buf_done(&text);
}

static void add_block(struct buf *out, const struct block *block, uint32_t depth);

static void add_inside(struct buf *out, const struct task *outer, const struct task *task, uint32_t depth)
{
    for (int role = 0; role < BLOCK_ROLES; role++) {
        const struct block *block = task_block(task, (enum block_role)role);
        if (!block) continue;
        if (block_is_wrapping(block)) {
            add_inside(out, outer, &block->tasks[0], depth);
            continue;
        }
        add_indent(out, depth);
        buf_printf(out, "subgraph b%u[\"", block->number);
        add_string(out, task->id);
        if (block->role != BLOCK_BODY) buf_printf(out, ": %s", describe_role(block->role));
        buf_add_text(out, "\"]\n");
        add_block(out, block, depth + 1);
        add_indent(out, depth);
        buf_add_text(out, "end\n");
        add_indent(out, depth);
        buf_printf(out, "t%u -.- b%u\n", outer->number, block->number);
    }
}

static void add_block(struct buf *out, const struct block *block, uint32_t depth)
{
    for (uint32_t i = 0; i < block->task_count; i++) {
        const struct task *task = &block->tasks[i];
        add_indent(out, depth);
        buf_printf(out, "t%u[\"", task->number);
        add_label(out, task);
        buf_add_text(out, "\"]\n");
        add_inside(out, task, task, depth);
    }
    for (uint32_t i = 0; i < block->task_count; i++) {
        for (uint32_t e = block->dependency_start[i]; e < block->dependency_start[i + 1]; e++) {
            add_indent(out, depth);
            buf_printf(out, "t%u --> t%u\n", block->tasks[block->dependencies[e]].number, block->tasks[i].number);
        }
    }
}

void layout_mermaid(const struct workflow *workflow, struct buf *out)
{
    buf_add_text(out, "flowchart TD\n");
    add_block(out, workflow->body, 0);
    const struct block *const handlers[] = {workflow->on_error, workflow->finally};
    for (size_t i = 0; i < 2; i++) {
        if (!handlers[i]) continue;
        buf_printf(out, "  subgraph b%u[\"%s\"]\n", handlers[i]->number, describe_role(handlers[i]->role));
        add_block(out, handlers[i], 1);
        buf_add_text(out, "  end\n");
    }
}
