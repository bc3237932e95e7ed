/*
 * read_task.c - blocks and the tasks in them: ids, order, references, wrappers for loops, handlers.
 */
#include "lang/reader.h"

#include "base/error.h"

/* The references of one block, counted before and then filled in. */
struct references {
    struct reference *items;
    size_t count;
};

enum block_mode read_mode(const struct doc_node *node)
{
    if (!node) return MODE_DAG;
    return str_is(node->text, "sequence") ? MODE_SEQUENCE : str_is(node->text, "parallel") ? MODE_PARALLEL : MODE_DAG;
}

/* ---- ids ---- */

static void set_place(struct task *task, const struct doc_node *node)
{
    task->line = node->line;
    task->column = node->column;
}

static int set_id(struct reader *reader, struct task *task, const struct doc_node *node)
{
    set_place(task, node);
    task->has_id = true;
    if (name_is_reserved(node->text)) {
        struct diag *diag = diag_add(reader_diags(reader), DIAG_ERROR, DIAG_RESERVED_NAME, doc_span(node),
                                     "\"%.*s\" is a reserved name", STR_ARG(node->text));
        diag_help(reader_diags(reader), diag, "call the task something else, such as %.*s_task", STR_ARG(node->text));
    }
    return read_str(reader, node->text, &task->id);
}

/* "<factory>_<action>" for a factory's step, else "task_<n>". */
static struct orch_str made_up_base(struct reader *reader, const struct doc_node *node, uint32_t index)
{
    const struct doc_node *factory = doc_get(node, STR("factory"));
    const struct doc_node *name = factory ? doc_get(factory, STR("factory")) : NULL,
                          *action = factory ? doc_get(factory, STR("action")) : NULL;
    if (name && action && name->text.size + action->text.size < 100) {
        char id[128];
        size_t size = 0;
        for (size_t i = 0; i < name->text.size; i++) id[size++] = name->text.data[i];
        id[size++] = '_';
        for (size_t i = 0; i < action->text.size; i++) id[size++] = action->text.data[i];
        for (size_t i = 0; i < size; i++) {
            char c = id[i];
            bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i && c >= '0' && c <= '9');
            if (!fits) id[i] = '_';
        }
        return arena_str(reader->base.scratch, str_of(id, size));
    }
    return arena_printf(reader->base.scratch, "task_%u", index + 1);
}

/* The base itself, or with the first number from 2 on that makes it free. */
static int make_up_id(struct reader *reader, struct map *taken, struct map *next, struct orch_str base,
                      struct orch_str *ret)
{
    struct map_entry *counter = map_add(next, base, NULL);
    if (!counter) return ORCH_ERR_NO_MEMORY;
    if (counter->number == 0) counter->number = 1;
    for (;;) {
        struct orch_str id = counter->number == 1 ? arena_str(reader->base.arena, base)
                                                  : arena_printf(reader->base.arena, "%.*s_%llu", STR_ARG(base),
                                                                 (unsigned long long)counter->number);
        if (!id.data) return ORCH_ERR_NO_MEMORY;
        counter->number++;
        bool added;
        if (!map_add(taken, id, &added)) return ORCH_ERR_NO_MEMORY;
        if (!added) continue;
        *ret = id;
        return 0;
    }
}

static int set_list_ids(struct reader *reader, struct task *made, const struct doc_node *list)
{
    struct map taken, next;
    map_init(&taken, reader->base.scratch->allocator);
    map_init(&next, reader->base.scratch->allocator);
    int r = 0;
    for (uint32_t i = 0; i < list->count && !r; i++) {
        const struct doc_node *id = doc_get(&list->items[i], STR("id"));
        if (!id) continue;
        r = set_id(reader, &made[i], id);
        if (!r && !map_add(&taken, made[i].id, NULL)) r = ORCH_ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < list->count && !r; i++) {
        if (made[i].has_id) continue;
        set_place(&made[i], &list->items[i]);
        struct orch_str base = made_up_base(reader, &list->items[i], i);
        r = base.data ? make_up_id(reader, &taken, &next, base, &made[i].id) : ORCH_ERR_NO_MEMORY;
    }
    map_done(&taken);
    map_done(&next);
    return r;
}

static int set_ids(struct reader *reader, struct task *made, const struct doc_node *node)
{
    if (node->kind == DOC_LIST) return set_list_ids(reader, made, node);
    for (uint32_t i = 0; i < node->count; i++) {
        int r = set_id(reader, &made[i], &node->members[i].key);
        if (r) return r;
    }
    return 0;
}

/* ---- dependencies ---- */

static const struct doc_node *task_node(const struct doc_node *tasks, uint32_t index)
{
    return tasks->kind == DOC_MAP ? &tasks->members[index].value : &tasks->items[index];
}

static size_t count_references(const struct doc_node *tasks, enum block_mode mode)
{
    size_t count = 0;
    for (uint32_t i = 0; i < tasks->count; i++) {
        const struct doc_node *list = doc_get(task_node(tasks, i), STR("depends_on"));
        count += (list ? list->count : 0) + (mode == MODE_SEQUENCE);
    }
    return count;
}

static void add_references(struct reader *reader, const struct task *tasks, uint32_t index, const struct doc_node *list,
                           enum block_mode mode, struct references *references)
{
    bool before = mode != MODE_SEQUENCE || index == 0; /* whether the one before is among them */
    for (uint32_t i = 0; list && i < list->count; i++) {
        const struct doc_node *id = &list->items[i];
        if (!name_is_id(id->text)) continue; /* reported */
        references->items[references->count++] = (struct reference){index, id->text, doc_span(id)};
        if (!before && str_equal(id->text, tasks[index - 1].id)) before = true;
    }
    if (list && mode == MODE_PARALLEL) {
        struct diag *diag = diag_add(reader_diags(reader), DIAG_ERROR, DIAG_KEYS_EXCLUDE, doc_span(list),
                                     "depends_on in a block with mode: parallel");
        diag_help(reader_diags(reader), diag, "leave out mode: tasks without depends_on run at once anyway");
    }
    if (before) return;
    const struct task *task = &tasks[index];
    references->items[references->count++] =
        (struct reference){index, tasks[index - 1].id, {task->line, task->column, 1}};
}

/* ---- tasks ---- */

/* A task's slots, and the tasks it becomes: `outer` is in its block; a loop puts `inner`, which carries the action, in
 * a body of its own. */
struct making {
    struct reader *reader;
    const struct doc_node *node;
    const struct doc_node *slots[TASK_KEYS];
    struct task *outer;
    struct task *second; /* in the body of a for_each, or outer */
    struct task *inner;  /* in the innermost body, or outer */
    struct block *bodies[2];
    int body_count;
};

static struct task_options *options_of(struct reader *reader, struct task *task)
{
    if (task->options) return (struct task_options *)task->options; /* ours until the reading is over */
    struct task_options *options = ARENA_NEW(reader->base.arena, struct task_options);
    task->options = options;
    return options;
}

static struct where where_is(const struct task *task, enum site_kind kind)
{
    return (struct where){task, task->block, kind};
}

/* Puts a body with one task of the same id into a loop; returns that task, NULL when memory is short. */
static struct task *wrap(struct making *making, struct task *loop, enum task_kind kind)
{
    struct task_options *options = options_of(making->reader, loop);
    struct block *body = options ? reader_block(making->reader, loop, BLOCK_BODY, 1) : NULL;
    if (!body) return NULL;
    loop->kind = (uint8_t)kind;
    options->blocks[BLOCK_BODY] = body;
    making->bodies[making->body_count++] = body;
    struct task *task = (struct task *)body->tasks; /* ours until the reading is over */
    task->id = loop->id;
    task->has_id = loop->has_id;
    task->line = loop->line;
    task->column = loop->column;
    task->number = making->reader->task_count++;
    return task;
}

static int make_loops(struct making *making)
{
    struct reader *reader = making->reader;
    const struct doc_node *for_each = making->slots[TASK_KEY_FOR_EACH], *repeat = making->slots[TASK_KEY_REPEAT];
    struct task *task = making->outer;
    if (for_each) {
        if (!(task = wrap(making, task, TASK_FOR_EACH))) return ORCH_ERR_NO_MEMORY;
        struct task_options *options = options_of(reader, making->outer);
        int r = read_loop(reader, for_each, where_is(making->outer, SITE_ITEMS), &options->loop, &options->fail_fast);
        if (r) return r;
    }
    making->second = task;
    if (repeat) {
        if (!(task = wrap(making, making->second, TASK_REPEAT))) return ORCH_ERR_NO_MEMORY;
        struct task_options *options = options_of(reader, making->second);
        int r = read_repeat(reader, repeat, where_is(making->second, SITE_REPEAT), &options->repeat);
        if (r) return r;
    }
    making->inner = task;
    return 0;
}

struct loop_names {
    const struct loop *loop;
    bool found;
};

static int look_for_loop(void *user, const struct expr_name *name)
{
    struct loop_names *names = user;
    names->found |= str_equal(name->name, names->loop->as) || str_equal(name->name, names->loop->as_index);
    return 0;
}

/* A condition that names the loop's variables is asked for each item, any other once. */
static int read_when(struct making *making)
{
    const struct doc_node *node = making->slots[TASK_KEY_WHEN];
    if (!node) return 0;
    struct reader *reader = making->reader;
    size_t site = reader->base.sites_count;
    const struct expr *when = NULL;
    int r = read_expression(reader, node, where_is(making->outer, SITE_WHEN), &when);
    if (r || !when) return r;
    struct loop_names names = {.loop = making->outer->options ? making->outer->options->loop : NULL};
    if (names.loop) (void)expr_each_name(when, look_for_loop, &names); /* it returns what the callback does: 0 */
    struct task *asker = names.found ? making->second : making->outer;
    asker->when = when;
    reader->base.sites[site].task = asker;
    reader->base.sites[site].block = asker->block;
    return 0;
}

static int read_join(struct making *making)
{
    const struct doc_node *node = making->slots[TASK_KEY_JOIN];
    if (!node) return 0;
    static const enum join_rule rules[] = {JOIN_ALL_SUCCEEDED, JOIN_ALL_DONE, JOIN_ANY_SUCCEEDED,
                                           JOIN_NONE_FAILED}; /* as schema_joins */
    if (node->kind == DOC_STRING) {
        for (int i = 0; schema_joins[i]; i++)
            if (str_is(node->text, schema_joins[i])) making->outer->join = (uint8_t)rules[i];
        return 0;
    }
    const struct doc_node *count = doc_get(node, STR("at_least"));
    struct task_options *options = options_of(making->reader, making->outer);
    if (!options) return ORCH_ERR_NO_MEMORY;
    making->outer->join = JOIN_AT_LEAST;
    if (count) options->join_count = (uint32_t)read_integer(count);
    return 0;
}

static int read_handlers(struct making *making)
{
    static const struct {
        enum task_key key;
        enum block_role role;
    } handlers[] = {{TASK_KEY_ON_ERROR, BLOCK_ON_ERROR}, {TASK_KEY_COMPENSATE, BLOCK_COMPENSATE}};
    making->outer->continue_on_error =
        making->slots[TASK_KEY_CONTINUE_ON_ERROR] && read_bool(making->slots[TASK_KEY_CONTINUE_ON_ERROR]);
    for (size_t i = 0; i < 2; i++) {
        const struct doc_node *node = making->slots[handlers[i].key];
        if (!node) continue;
        struct task_options *options = options_of(making->reader, making->outer);
        if (!options) return ORCH_ERR_NO_MEMORY;
        int r = read_handler(making->reader, node, handlers[i].role, making->outer, &options->blocks[handlers[i].role]);
        if (r) return r;
    }
    return 0;
}

static int read_texts(struct making *making)
{
    const struct doc_node *name = making->slots[TASK_KEY_NAME], *description = making->slots[TASK_KEY_DESCRIPTION];
    if (!name && !description) return 0;
    struct task_options *options = options_of(making->reader, making->outer);
    if (!options) return ORCH_ERR_NO_MEMORY;
    int r = name ? read_str(making->reader, name->text, &options->title) : 0;
    if (!r && description) r = read_str(making->reader, description->text, &options->description);
    if (r || making->inner == making->outer) return r;
    /* What shows an item shows the same words. */
    struct task_options *inner = options_of(making->reader, making->inner);
    if (!inner) return ORCH_ERR_NO_MEMORY;
    inner->title = options->title;
    inner->description = options->description;
    return 0;
}

static int read_limits(struct making *making)
{
    const struct doc_node **slots = making->slots;
    struct reader *reader = making->reader;
    if (!slots[TASK_KEY_ENV] && !slots[TASK_KEY_SECRETS] && !slots[TASK_KEY_RETRY] && !slots[TASK_KEY_TIMEOUT] &&
        !slots[TASK_KEY_TOTAL_TIMEOUT] && !slots[TASK_KEY_POOL] && !slots[TASK_KEY_PRIORITY] &&
        !slots[TASK_KEY_ON_INTERRUPT])
        return 0;
    struct task_options *options = options_of(reader, making->inner);
    if (!options) return ORCH_ERR_NO_MEMORY;
    int r = 0;
    if (slots[TASK_KEY_ENV])
        r = read_env(reader, slots[TASK_KEY_ENV], where_is(making->inner, SITE_ENV), &options->env,
                     &options->env_count);
    if (!r && slots[TASK_KEY_SECRETS])
        r = read_names(reader, slots[TASK_KEY_SECRETS], &options->secrets, &options->secrets_count);
    if (!r && slots[TASK_KEY_RETRY]) r = read_retry(reader, slots[TASK_KEY_RETRY], &options->retry);
    if (!r && slots[TASK_KEY_POOL])
        r = read_pools(reader, slots[TASK_KEY_POOL], &options->pools, &options->pools_count);
    if (r) return r;
    if (slots[TASK_KEY_TIMEOUT]) read_duration(reader, slots[TASK_KEY_TIMEOUT], false, &options->timeout_us);
    if (slots[TASK_KEY_TOTAL_TIMEOUT])
        read_duration(reader, slots[TASK_KEY_TOTAL_TIMEOUT], false, &options->timeout_total_us);
    if (slots[TASK_KEY_PRIORITY]) options->priority = (int32_t)read_integer(slots[TASK_KEY_PRIORITY]);
    if (slots[TASK_KEY_ON_INTERRUPT])
        options->on_interrupt = str_is(slots[TASK_KEY_ON_INTERRUPT]->text, "fail")   ? INTERRUPT_FAIL
                                : str_is(slots[TASK_KEY_ON_INTERRUPT]->text, "hold") ? INTERRUPT_HOLD
                                                                                     : INTERRUPT_RETRY;
    return 0;
}

static void not_here(struct making *making, enum task_key key, const char *help)
{
    const struct doc_node *node = making->slots[key];
    if (!node) return;
    struct diag *diag = diag_add(reader_diags(making->reader), DIAG_ERROR, DIAG_KEY_NOT_HERE, doc_span(node),
                                 "\"%.*s\" has no effect here", STR_ARG(schema_task.keys[key].name));
    diag_help(reader_diags(making->reader), diag, "%s", help);
}

static int read_group(struct making *making)
{
    struct reader *reader = making->reader;
    struct task *task = making->inner;
    const struct doc_node **slots = making->slots;
    struct task_options *options = options_of(reader, task);
    if (!options) return ORCH_ERR_NO_MEMORY;
    task->kind = TASK_GROUP;
    not_here(making, TASK_KEY_WORKING_DIR, "only shell, exec and script have it");
    not_here(making, TASK_KEY_STDIN, "only shell, exec and script have it");
    not_here(making, TASK_KEY_POOL, "give it to the tasks inside; concurrency: limits how many of them run at once");
    if (slots[TASK_KEY_CONCURRENCY]) options->concurrency = (uint32_t)read_integer(slots[TASK_KEY_CONCURRENCY]);
    if (slots[TASK_KEY_FAIL_FAST]) options->fail_fast = read_bool(slots[TASK_KEY_FAIL_FAST]);
    if (slots[TASK_KEY_TASKS]->count == 0) {
        struct diag *diag = diag_add(reader_diags(reader), DIAG_ERROR, DIAG_NO_TASKS, doc_span(slots[TASK_KEY_TASKS]),
                                     "a group without tasks");
        diag_help(reader_diags(reader), diag, "write  noop:  for a point to join at");
    }
    int r = read_block(reader, slots[TASK_KEY_TASKS], read_mode(slots[TASK_KEY_MODE]), BLOCK_BODY, task,
                       &options->blocks[BLOCK_BODY]);
    if (r || !slots[TASK_KEY_FINALLY]) return r;
    return read_handler(reader, slots[TASK_KEY_FINALLY], BLOCK_FINALLY, task, &options->blocks[BLOCK_FINALLY]);
}

static int read_leaf(struct making *making, enum task_key key)
{
    static const enum action_kind kinds[TASK_KEYS] = {
        [TASK_KEY_SHELL] = ACTION_SHELL,       [TASK_KEY_EXEC] = ACTION_EXEC,
        [TASK_KEY_SCRIPT] = ACTION_SCRIPT,     [TASK_KEY_TRANSFORM] = ACTION_TRANSFORM,
        [TASK_KEY_WAIT] = ACTION_WAIT,         [TASK_KEY_APPROVAL] = ACTION_APPROVAL,
        [TASK_KEY_WORKFLOW] = ACTION_WORKFLOW, [TASK_KEY_NOTIFICATION] = ACTION_NOTIFICATION,
        [TASK_KEY_FUNCTION] = ACTION_FUNCTION, [TASK_KEY_SERVICE_CALL] = ACTION_SERVICE_CALL,
        [TASK_KEY_FACTORY] = ACTION_FACTORY,   [TASK_KEY_NOOP] = ACTION_NOOP,
    };
    enum action_kind kind = kinds[key];
    bool loop = making->outer != making->inner;
    making->inner->kind = TASK_LEAF;
    not_here(making, TASK_KEY_MODE, "only a group (tasks:) has a mode");
    not_here(making, TASK_KEY_FINALLY, "only a group (tasks:) and the workflow have it");
    not_here(making, TASK_KEY_CONCURRENCY,
             loop ? "write max_parallel inside for_each" : "only a group (tasks:) has it");
    not_here(making, TASK_KEY_FAIL_FAST, loop ? "write it inside for_each" : "only a group (tasks:) has it");
    struct beside beside = {making->slots[TASK_KEY_WORKING_DIR], making->slots[TASK_KEY_STDIN]};
    if (kind != ACTION_SHELL && kind != ACTION_EXEC && kind != ACTION_SCRIPT) {
        not_here(making, TASK_KEY_WORKING_DIR, "only shell, exec and script have it");
        not_here(making, TASK_KEY_STDIN, "only shell, exec and script have it");
    }
    if (kind == ACTION_TRANSFORM || kind == ACTION_WAIT || kind == ACTION_APPROVAL || kind == ACTION_NOOP)
        not_here(making, TASK_KEY_POOL, "only what runs something takes slots of a pool");
    static const struct doc_node nothing = {.kind = DOC_NULL};
    return read_action(making->reader, kind, making->slots[key] ? making->slots[key] : &nothing, &beside,
                       where_is(making->inner, SITE_CONFIG), &making->inner->action);
}

/* The one key that says what the task does. */
static enum task_key find_action(struct making *making)
{
    struct diags *diags = reader_diags(making->reader);
    int found = -1;
    for (int key = 0; key < TASK_KEYS; key++) {
        if (!making->slots[key] || !(schema_task.keys[key].flags & SCHEMA_ACTION)) continue;
        if (found < 0) {
            found = key;
            continue;
        }
        struct diag *diag = diag_add(diags, DIAG_ERROR, DIAG_TWO_ACTIONS, doc_span(making->slots[key]),
                                     "task \"%.*s\" has two actions: %.*s and %.*s", STR_ARG(making->outer->id),
                                     STR_ARG(schema_task.keys[found].name), STR_ARG(schema_task.keys[key].name));
        diag_help(diags, diag, "make two tasks of it, the second with depends_on: [%.*s]", STR_ARG(making->outer->id));
    }
    if (found >= 0) return (enum task_key)found;
    struct span at = {making->outer->line, making->outer->column,
                      making->outer->has_id ? (uint32_t)utf8_count(making->outer->id) : 1};
    struct diag *diag =
        diag_add(diags, DIAG_ERROR, DIAG_NO_ACTION, at, "task \"%.*s\" has nothing to do", STR_ARG(making->outer->id));
    diag_help(diags, diag, "give it shell:, exec:, script:, transform:, ... or tasks:");
    return TASK_KEY_NOOP;
}

static int link_bodies(struct making *making)
{
    while (making->body_count > 0) {
        int r = graph_link(&making->reader->base, making->bodies[--making->body_count], NULL, 0);
        if (r) return r;
    }
    return 0;
}

static int read_task(struct reader *reader, struct task *task, const struct doc_node *node)
{
    struct making making = {.reader = reader, .node = node, .outer = task};
    schema_slots(&schema_task, node, making.slots);
    task->number = reader->task_count++;
    int r = make_loops(&making);
    if (!r) r = read_join(&making);
    if (!r) r = read_when(&making);
    if (!r) r = read_texts(&making);
    if (r) return r;
    enum task_key action = find_action(&making);
    r = action == TASK_KEY_TASKS ? read_group(&making) : read_leaf(&making, action);
    if (!r) r = read_limits(&making);
    if (!r) r = read_handlers(&making);
    return r ? r : link_bodies(&making);
}

/* ---- blocks ---- */

static bool is_full(struct reader *reader, const struct doc_node *tasks, size_t references)
{
    if (reader->full) return true;
    bool too_many = tasks->count > TASKS_MAX - reader->task_count;
    if (!too_many && references <= EDGES_MAX - reader->edge_count) return false;
    reader->full = true;
    if (too_many)
        diag_add(reader_diags(reader), DIAG_ERROR, DIAG_TOO_MANY_TASKS, doc_span(tasks), "more than %u tasks",
                 TASKS_MAX);
    else
        diag_add(reader_diags(reader), DIAG_ERROR, DIAG_TOO_MANY_EDGES, doc_span(tasks), "more than %u dependencies",
                 EDGES_MAX);
    return true;
}

/* `lone_id`: the id when it is a handler of one task, which the author did not name. */
static int read_block_named(struct reader *reader, const struct doc_node *tasks, enum block_mode mode,
                            enum block_role role, const struct task *owner, bool lone, const struct block **ret)
{
    size_t reference_count = count_references(tasks, mode);
    if (is_full(reader, tasks, reference_count)) {
        *ret = reader_block(reader, owner, role, 0);
        return *ret ? graph_link(&reader->base, (struct block *)*ret, NULL, 0) : ORCH_ERR_NO_MEMORY;
    }
    reader->edge_count += (uint32_t)reference_count;
    struct block *block = reader_block(reader, owner, role, tasks->count);
    if (!block) return ORCH_ERR_NO_MEMORY;
    *ret = block;
    struct task *made = (struct task *)block->tasks; /* ours until the reading is over */
    struct references references = {
        .items = mem_resize(reader->base.scratch->allocator, NULL, 0, reference_count * sizeof(struct reference) + 1)};
    int r = references.items ? set_ids(reader, made, tasks) : ORCH_ERR_NO_MEMORY;
    if (lone && !r) made[0].has_id = false;
    for (uint32_t i = 0; i < tasks->count && !r; i++) {
        const struct doc_node *node = task_node(tasks, i);
        add_references(reader, made, i, doc_get(node, STR("depends_on")), mode, &references);
        r = read_task(reader, &made[i], node);
    }
    if (!r) r = graph_link(&reader->base, block, references.items, references.count);
    mem_resize(reader->base.scratch->allocator, references.items, reference_count * sizeof(struct reference) + 1, 0);
    return r;
}

int read_block(struct reader *reader, const struct doc_node *tasks, enum block_mode mode, enum block_role role,
               const struct task *owner, const struct block **ret)
{
    return read_block_named(reader, tasks, mode, role, owner, false, ret);
}

static const char *role_name(enum block_role role)
{
    switch (role) {
    case BLOCK_ON_ERROR: return "on_error";
    case BLOCK_COMPENSATE: return "compensate";
    case BLOCK_FINALLY: return "finally";
    case BLOCK_BODY: break;
    }
    return "task";
}

/* Whether a handler's map is a block: {tasks: ...} and no more than how they follow each other. */
static bool is_block(const struct doc_node *node)
{
    bool tasks = false;
    for (uint32_t i = 0; i < node->count; i++) {
        struct orch_str key = node->members[i].key.text;
        if (str_is(key, "tasks"))
            tasks = true;
        else if (!str_is(key, "mode"))
            return false;
    }
    return tasks;
}

int read_handler(struct reader *reader, const struct doc_node *node, enum block_role role, const struct task *owner,
                 const struct block **ret)
{
    if (is_block(node)) {
        const struct doc_node *tasks = doc_get(node, STR("tasks"));
        if (tasks->count == 0)
            diag_add(reader_diags(reader), DIAG_ERROR, DIAG_NO_TASKS, doc_span(tasks), "\"%s\" without tasks",
                     role_name(role));
        return read_block(reader, tasks, read_mode(doc_get(node, STR("mode"))), role, owner, ret);
    }
    if (node->count > 0 && !seeds_is_task(node)) return read_block(reader, node, MODE_DAG, role, owner, ret);

    const struct doc_node *id = doc_get(node, STR("id"));
    const struct doc_member only = {id ? *id : node_text(node, str_from(role_name(role))), *node};
    const struct doc_node tasks = {.kind = DOC_MAP,
                                   .count = 1,
                                   .line = node->line,
                                   .column = node->column,
                                   .width = node->width,
                                   .members = &only};
    return read_block_named(reader, &tasks, MODE_DAG, role, owner, id == NULL, ret);
}
