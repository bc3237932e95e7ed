/* picture.c - a workflow as boxes and lines with their places. */
#include "layout/picture.h"

#include "base/error.h"
#include "layout/describe.h"

#define ID_COLUMNS_MAX   32
#define TEXT_COLUMNS_MAX 42
#define TEXT_SIZE_MAX    (256 * 1024)
#define WIDTH_MIN        96
#define PAD_ACROSS       12
#define PAD_ALONG        9
#define LINE_ID          17
#define LINE_TEXT        15

struct maker {
    const struct workflow *workflow;
    const struct layout_state *states;
    struct arena *arena, *scratch;
    struct picture *picture;
    struct layered_node *nodes;
    struct layered_edge *edges;
    struct buf text, full;
};

uint32_t picture_columns(struct orch_str text)
{
    uint32_t columns = 0;
    for (size_t at = 0; at < text.size;) columns += (uint32_t)utf8_width(utf8_next(text, &at));
    return columns;
}

/* A copy that is at most so wide; what was cut ends in an ellipsis. data NULL: no memory. */
static struct orch_str cut(struct maker *maker, struct orch_str text, uint32_t columns_max)
{
    uint32_t columns = 0;
    size_t end = 0;
    if (picture_columns(text) <= columns_max) return arena_str(maker->arena, text);
    for (size_t at = 0; at < text.size;) {
        columns += (uint32_t)utf8_width(utf8_next(text, &at));
        if (columns > columns_max - 1) break;
        end = at;
    }
    return arena_printf(maker->arena, "%.*s\xe2\x80\xa6", (int)end, text.data);
}

static int item_lines(struct maker *maker, struct picture_item *item)
{
    struct buf *text = &maker->text, *full = &maker->full;
    uint32_t line = 0;
    buf_clear(text);
    buf_clear(full);
    if (!item->task) {
        item->lines[0] = item->full = str_from(describe_role(item->block->role));
        return 0;
    }
    item->lines[line++] = cut(maker, item->task->id, ID_COLUMNS_MAX);
    buf_add(full, item->task->id);
    for (int part = 0; part < 3; part++) {
        buf_clear(text);
        if (part == 0)
            describe_kind(item->task, text);
        else if (part == 1)
            describe_rules(item->task, text);
        else if (item->state && item->state->word)
            buf_add(text, item->state->text);
        if (text->failed) return ORCH_ERR_NO_MEMORY;
        if (text->size == 0) continue;
        if (part == 1) item->has_rules = true;
        item->lines[line++] = cut(maker, buf_str(text), TEXT_COLUMNS_MAX);
        buf_add_char(full, '\n');
        buf_add(full, buf_str(text));
    }
    item->full = arena_str(maker->arena, buf_str(full));
    if (full->failed || !item->full.data) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < line; i++)
        if (!item->lines[i].data) return ORCH_ERR_NO_MEMORY;
    return 0;
}

static void node_measure(const struct picture_item *item, struct layered_node *node)
{
    int32_t height = 2 * PAD_ALONG, width = WIDTH_MIN;
    for (uint32_t i = 0; i < PICTURE_LINES; i++) {
        if (item->lines[i].size == 0 && i > 0) continue;
        bool is_id = i == 0 && item->task;
        int32_t across = (int32_t)(picture_columns(item->lines[i]) * (is_id ? PICTURE_COLUMN_ID : PICTURE_COLUMN_TEXT));
        across = (across + 9) / 10 + 2 * PAD_ACROSS;
        if (across > width) width = across;
        height += is_id ? LINE_ID : LINE_TEXT;
    }
    node->width = width;
    node->height = height;
    node->header = height - PAD_ALONG - 4; /* the padding of what is inside follows */
}

static int item_add(struct maker *maker, const struct task *task, const struct block *block, uint32_t parent,
                    uint32_t *ret)
{
    uint32_t number = maker->picture->item_count++;
    struct picture_item *item = &maker->picture->items[number];
    *item = (struct picture_item){.task = task, .block = block};
    if (task && maker->states) item->state = &maker->states[task->number];
    if (item_lines(maker, item) < 0) return ORCH_ERR_NO_MEMORY;
    maker->nodes[number] = (struct layered_node){.parent = parent, .is_below = block != NULL};
    node_measure(item, &maker->nodes[number]);
    if (parent != LAYERED_NONE) maker->picture->items[parent].holds = true;
    *ret = number;
    return 0;
}

static int block_add(struct maker *maker, const struct block *block, uint32_t parent);

/* A handler that is one plain task with a made-up id: "on_error: {shell: ./mend}". It needs no box of its own. */
static bool is_one_task(const struct block *block)
{
    const struct task *task = &block->tasks[0];
    if (block->role == BLOCK_BODY || block->task_count != 1 || task->kind != TASK_LEAF) return false;
    for (int role = 0; role < BLOCK_ROLES; role++)
        if (task_block(task, (enum block_role)role)) return false;
    return str_is(task->id, block->role == BLOCK_ON_ERROR ? "on_error" : describe_role(block->role));
}

static int handler_add(struct maker *maker, const struct block *block, uint32_t parent)
{
    bool is_one = is_one_task(block);
    uint32_t node;
    int rc = item_add(maker, is_one ? &block->tasks[0] : NULL, block, parent, &node);
    if (rc < 0 || !is_one) return rc < 0 ? rc : block_add(maker, block, node);
    maker->picture->item_of[block->tasks[0].number] = node;
    return 0;
}

/* What is inside of a task, and of those that it only goes round. Nesting is bounded by the reader. */
static int inside_add(struct maker *maker, const struct task *task, uint32_t node)
{
    for (int role = 0; role < BLOCK_ROLES; role++) {
        const struct block *block = task_block(task, (enum block_role)role);
        int rc;
        if (!block) continue;
        if (block_is_wrapping(block)) {
            maker->picture->item_of[block->tasks[0].number] = node;
            rc = inside_add(maker, &block->tasks[0], node);
        } else {
            rc = block->role == BLOCK_BODY ? block_add(maker, block, node) : handler_add(maker, block, node);
        }
        if (rc < 0) return rc;
    }
    return 0;
}

static int block_add(struct maker *maker, const struct block *block, uint32_t parent)
{
    struct picture *picture = maker->picture;
    for (uint32_t i = 0; i < block->task_count; i++) {
        const struct task *task = &block->tasks[i];
        uint32_t node;
        int rc = item_add(maker, task, NULL, parent, &node);
        if (rc < 0) return rc;
        picture->item_of[task->number] = node;
        rc = inside_add(maker, task, node);
        if (rc < 0) return rc;
    }
    for (uint32_t i = 0; i < block->task_count; i++) {
        for (uint32_t e = block->dependency_start[i]; e < block->dependency_start[i + 1]; e++) {
            const struct task *from = &block->tasks[block->dependencies[e]], *to = &block->tasks[i];
            picture->edges[picture->edge_count] = (struct picture_edge){from, to};
            maker->edges[picture->edge_count++] =
                (struct layered_edge){picture->item_of[from->number], picture->item_of[to->number]};
        }
    }
    return 0;
}

static int workflow_add(struct maker *maker)
{
    const struct workflow *workflow = maker->workflow;
    const struct block *const handlers[] = {workflow->on_error, workflow->finally};
    int rc = block_add(maker, workflow->body, LAYERED_NONE);
    for (size_t i = 0; i < 2 && rc == 0; i++) {
        if (handlers[i]) rc = handler_add(maker, handlers[i], LAYERED_NONE);
    }
    return rc;
}

static int arrays_make(struct maker *maker)
{
    const struct workflow *workflow = maker->workflow;
    struct picture *picture = maker->picture;
    size_t items = (size_t)workflow->task_count + workflow->block_count, edges = 0;
    for (uint32_t b = 0; b < workflow->block_count; b++)
        edges += workflow->blocks[b]->dependency_start[workflow->blocks[b]->task_count];
    if (items > LAYERED_NODES_MAX || edges > LAYERED_NODES_MAX) return ORCH_ERR_LIMIT;
    picture->items = ARENA_ARRAY(maker->arena, items, struct picture_item);
    picture->edges = ARENA_ARRAY(maker->arena, edges, struct picture_edge);
    picture->item_of = ARENA_ARRAY(maker->arena, workflow->task_count, uint32_t);
    maker->nodes = ARENA_ARRAY(maker->scratch, items, struct layered_node);
    maker->edges = ARENA_ARRAY(maker->scratch, edges, struct layered_edge);
    return picture->items && picture->edges && picture->item_of && maker->nodes && maker->edges ? 0
                                                                                                : ORCH_ERR_NO_MEMORY;
}

int picture_make(const struct workflow *workflow, const struct layout_state *states, enum layered_direction direction,
                 struct arena *arena, struct arena *scratch, struct picture *ret, struct orch_error *err)
{
    struct picture picture = {.workflow = workflow, .direction = direction};
    struct maker maker = {
        .workflow = workflow, .states = states, .arena = arena, .scratch = scratch, .picture = &picture};
    struct arena_mark mark = arena_mark(scratch);
    buf_init(&maker.text, arena->allocator, TEXT_SIZE_MAX);
    buf_init(&maker.full, arena->allocator, 4 * TEXT_SIZE_MAX);
    int rc = arrays_make(&maker);
    if (rc == 0) rc = workflow_add(&maker);
    buf_done(&maker.full);
    buf_done(&maker.text);
    if (rc == 0) {
        struct layered_input input = {.nodes = maker.nodes,
                                      .node_count = picture.item_count,
                                      .edges = maker.edges,
                                      .edge_count = picture.edge_count,
                                      .options = {.direction = direction}};
        rc = layered_layout(&input, arena, scratch, &picture.layered, err);
    } else if (rc == ORCH_ERR_LIMIT) {
        rc = error_set(err, rc, "the graph is larger than can be drawn");
    } else {
        rc = error_memory(err);
    }
    arena_rewind(scratch, mark);
    if (rc == 0) *ret = picture;
    return rc;
}
