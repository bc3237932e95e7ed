/*
 * format.c - the normal form of a workflow for people: YAML, or indented JSON.
 *
 * It is printed from workflow->normal, so that what is printed reads back as the same workflow. Tasks and parameters
 * stand in blocks, what is below them in flow style where it fits on its line.
 */
#include "base/error.h"
#include "lang/model.h"
#include "lang/normal.h"
#include "lang/yaml_out.h"

#define SMALL_TASK_WIDTH 80

static void put_indent(uint32_t indent, struct buf *out)
{
    for (uint32_t i = 0; i < indent; i++) buf_add_char(out, ' ');
}

static bool is_handler(struct orch_str key)
{
    return str_is(key, "on_error") || str_is(key, "compensate") || str_is(key, "finally");
}

static void put_tasks(const struct doc_node *tasks, uint32_t indent, bool nested, struct buf *out);
static void put_handler(const struct doc_node *node, uint32_t indent, size_t column, struct buf *out);

/* The keys of a task; the first stands behind a dash already when `placed`. */
static void put_task(const struct doc_node *task, uint32_t indent, bool placed, struct buf *out)
{
    for (uint32_t i = 0; i < task->count; i++) {
        struct orch_str key = task->members[i].key.text;
        const struct doc_node *value = &task->members[i].value;
        if (i || !placed) put_indent(indent, out);
        size_t start = out->size;
        yaml_key(key, false, out);
        if (str_is(key, "tasks"))
            put_tasks(value, indent, true, out);
        else if (is_handler(key))
            put_handler(value, indent, indent + (out->size - start), out);
        else if (value->kind == DOC_NULL)
            buf_add_char(out, '\n');
        else
            yaml_value(value, indent, indent + (out->size - start), out);
    }
}

/* A task of one or two short keys, on one line. */
static bool put_small_task(const struct doc_node *task, size_t column, struct buf *out)
{
    size_t before = out->size;
    if (task->count > 2 || column >= SMALL_TASK_WIDTH) return false;
    for (uint32_t i = 0; i < task->count; i++)
        if (str_is(task->members[i].key.text, "tasks")) return false;
    buf_add_char(out, ' ');
    if (!yaml_flow(task, SMALL_TASK_WIDTH - column, out)) {
        if (!out->failed) out->size = before;
        return false;
    }
    buf_add_char(out, '\n');
    return true;
}

/* Behind "tasks:" on a line with that indentation. */
static void put_tasks(const struct doc_node *tasks, uint32_t indent, bool nested, struct buf *out)
{
    if (tasks->count == 0) {
        buf_add_text(out, tasks->kind == DOC_LIST ? " []\n" : " {}\n");
        return;
    }
    buf_add_char(out, '\n');
    for (uint32_t i = 0; i < tasks->count; i++) {
        put_indent(indent + 2, out);
        size_t start = out->size;
        if (tasks->kind == DOC_LIST) {
            buf_add_text(out, "-");
            const struct doc_node *task = &tasks->items[i];
            if (put_small_task(task, indent + 3, out)) continue;
            buf_add_char(out, ' ');
            put_task(task, indent + 4, true, out);
            continue;
        }
        const struct doc_node *task = &tasks->members[i].value;
        yaml_key(tasks->members[i].key.text, false, out);
        if (nested && put_small_task(task, indent + 2 + (out->size - start), out)) continue;
        buf_add_char(out, '\n');
        put_task(task, indent + 4, false, out);
    }
}

/* One task, {tasks: ...}, or tasks by their ids: the key says which. */
static void put_handler(const struct doc_node *node, uint32_t indent, size_t column, struct buf *out)
{
    if (!seeds_is_task(node)) {
        put_tasks(node, indent, true, out);
        return;
    }
    if (put_small_task(node, column, out)) return;
    buf_add_char(out, '\n');
    put_task(node, indent + 2, false, out);
}

static void put_parameters(const struct doc_node *parameters, struct buf *out)
{
    buf_add_char(out, '\n');
    for (uint32_t i = 0; i < parameters->count; i++) {
        put_indent(2, out);
        size_t start = out->size;
        yaml_key(parameters->members[i].key.text, false, out);
        yaml_value(&parameters->members[i].value, 2, 2 + (out->size - start), out);
    }
}

static void put_workflow(const struct doc_node *root, struct buf *out)
{
    for (uint32_t i = 0; i < root->count; i++) {
        struct orch_str key = root->members[i].key.text;
        const struct doc_node *value = &root->members[i].value;
        size_t start = out->size;
        yaml_key(key, false, out);
        if (str_is(key, "tasks"))
            put_tasks(value, 0, false, out);
        else if (is_handler(key))
            put_handler(value, 0, out->size - start, out);
        else if (str_is(key, "parameters"))
            put_parameters(value, out);
        else
            yaml_value(value, 0, out->size - start, out);
    }
}

static void put_json(const struct doc_node *node, uint32_t indent, struct buf *out)
{
    if (node->kind < DOC_LIST || node->count == 0) {
        normal_json(node, out);
        return;
    }
    bool list = node->kind == DOC_LIST;
    buf_add_text(out, list ? "[\n" : "{\n");
    for (uint32_t i = 0; i < node->count; i++) {
        put_indent(indent + 2, out);
        if (!list) {
            json_format_string(node->members[i].key.text, out);
            buf_add_text(out, ": ");
        }
        put_json(list ? &node->items[i] : &node->members[i].value, indent + 2, out);
        buf_add_text(out, i + 1 < node->count ? ",\n" : "\n");
    }
    put_indent(indent, out);
    buf_add_char(out, list ? ']' : '}');
}

int workflow_format(const struct workflow *workflow, bool json, struct buf *out, struct orch_error *err)
{
    static const struct doc_limits limits = {.depth_max = 200, .nodes_max = UINT32_MAX};
    struct arena arena;
    struct diags diags;
    const struct doc_node *root;
    arena_init(&arena, workflow->arena->allocator, 0);
    diags_init(&diags, &arena);
    int r = doc_parse(workflow->normal, &limits, &arena, &diags, &root);
    if (!r && json) {
        put_json(root, 0, out);
        buf_add_char(out, '\n');
    } else if (!r) {
        put_workflow(root, out);
    }
    arena_done(&arena);
    if (r == ORCH_ERR_NO_MEMORY || out->failed) return error_memory(err);
    return r ? error_set(err, ORCH_ERR_INTERNAL, "the normal form cannot be read again") : 0;
}
