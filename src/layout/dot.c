/* dot.c - a workflow's graph for Graphviz. Source: the DOT language, graphviz.org/doc/info/lang.html. */
#include "layout/describe.h"
#include "layout/export.h"

/* A quoted DOT string: only the quote and the backslash are special; line ends become \n. */
static void add_string(struct buf *out, struct orch_str text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '"' || c == '\\') buf_add_char(out, '\\');
        if (c == '\n') {
            buf_add_text(out, "\\n");
        } else if ((unsigned char)c >= 0x20) {
            buf_add_char(out, c);
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

/* The blocks of a task as clusters; those of the loops around a task and of the task itself alike. Nesting is bounded
 * by the reader. */
static void add_inside(struct buf *out, const struct task *task, uint32_t depth)
{
    for (int role = 0; role < BLOCK_ROLES; role++) {
        const struct block *block = task_block(task, (enum block_role)role);
        if (!block) continue;
        if (block_is_wrapping(block)) {
            add_inside(out, &block->tasks[0], depth);
            continue;
        }
        add_indent(out, depth);
        buf_printf(out, "subgraph cluster_%u {\n", block->number);
        add_indent(out, depth + 1);
        buf_add_text(out, "label=\"");
        add_string(out, task->id);
        if (block->role != BLOCK_BODY) buf_printf(out, ": %s", describe_role(block->role));
        buf_printf(out, "\"; style=%s;\n", block->role == BLOCK_BODY ? "solid" : "dashed");
        add_block(out, block, depth + 1);
        add_indent(out, depth);
        buf_add_text(out, "}\n");
    }
}

static void add_block(struct buf *out, const struct block *block, uint32_t depth)
{
    for (uint32_t i = 0; i < block->task_count; i++) {
        const struct task *task = &block->tasks[i];
        add_indent(out, depth);
        buf_printf(out, "t%u [label=\"", task->number);
        add_label(out, task);
        buf_add_text(out, task->kind == TASK_LEAF ? "\"];\n" : "\", shape=folder];\n");
        add_inside(out, task, depth);
    }
    for (uint32_t i = 0; i < block->task_count; i++) {
        for (uint32_t e = block->dependency_start[i]; e < block->dependency_start[i + 1]; e++) {
            add_indent(out, depth);
            buf_printf(out, "t%u -> t%u;\n", block->tasks[block->dependencies[e]].number, block->tasks[i].number);
        }
    }
    /* What is inside hangs on its task by a dotted line to those that start first. */
    for (uint32_t i = 0; block->owner && i < block->task_count; i++) {
        if (block->dependency_start[i] != block->dependency_start[i + 1]) continue;
        const struct task *owner = block->owner;
        while (block_is_wrapping(owner->block)) owner = owner->block->owner;
        add_indent(out, depth);
        buf_printf(out, "t%u -> t%u [style=dotted, arrowhead=none];\n", owner->number, block->tasks[i].number);
    }
}

void layout_dot(const struct workflow *workflow, struct buf *out)
{
    buf_add_text(out, "digraph \"");
    add_string(out, workflow->name);
    buf_add_text(out, "\" {\n  rankdir=TB;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n");
    add_block(out, workflow->body, 0);
    const struct block *const handlers[] = {workflow->on_error, workflow->finally};
    for (size_t i = 0; i < 2; i++) {
        if (!handlers[i]) continue;
        buf_printf(out, "  subgraph cluster_%u {\n    label=\"%s\"; style=dashed;\n", handlers[i]->number,
                   describe_role(handlers[i]->role));
        add_block(out, handlers[i], 1);
        buf_add_text(out, "  }\n");
    }
    buf_add_text(out, "}\n");
}
