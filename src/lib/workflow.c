/*
 * workflow.c - a workflow as compact arrays: tasks, and what they wait for.
 *
 * A function task is sixteen bytes and a dependency eight, whatever is rarer stands beside. When an engine first sees
 * the workflow it is frozen: dependencies are ordered, and turned round for the lane when it may go there.
 */
#include "lib/internal.h"

#include <stdio.h>

#define EDGES_MAX     20000000u /* as many as a definition may have */
#define NAME_SIZE_MAX 128
#define MADE_UP       "task_"

/*
 * Its life.
 */
static struct orch_workflow *workflow_make(const struct orch_allocator *allocator)
{
    struct orch_workflow *workflow = mem_resize(allocator, NULL, 0, sizeof *workflow);

    if (!workflow) return NULL;
    memset(workflow, 0, sizeof *workflow);
    atomic_init(&workflow->refs, 1);
    if (allocator) {
        workflow->allocator_kept = *allocator;
        workflow->allocator = &workflow->allocator_kept;
    }
    arena_init(&workflow->arena, workflow->allocator, 0);
    map_init(&workflow->by_name, workflow->allocator);
    buf_init(&workflow->definition, workflow->allocator, 0);
    workflow->is_ordered = workflow->is_forward = workflow->is_plain = true;
    workflow->members_tail = &workflow->members;
    workflow->parameters_tail = &workflow->parameters;
    return workflow;
}

int orch_workflow_new(const char *name, const struct orch_allocator *allocator, struct orch_workflow **ret,
                      struct orch_error *err)
{
    if (!name || !name[0]) return error_set(err, ORCH_ERR_MISUSE, "a workflow needs a name");
    if (!utf8_is_valid(str_from(name), NULL))
        return error_set(err, ORCH_ERR_INVALID, "the workflow's name is not UTF-8");
    struct orch_workflow *workflow = workflow_make(allocator);
    if (!workflow) return error_memory(err);
    workflow->name = arena_str(&workflow->arena, str_from(name));
    if (!workflow->name.data) {
        (void)orch_workflow_free(workflow);
        return error_memory(err);
    }
    *ret = workflow;
    return 0;
}

struct orch_workflow *workflow_ref(struct orch_workflow *workflow)
{
    if (workflow) atomic_fetch_add(&workflow->refs, 1);
    return workflow;
}

struct orch_workflow *orch_workflow_free(struct orch_workflow *workflow)
{
    if (!workflow || atomic_fetch_sub(&workflow->refs, 1) > 1) return NULL;
    struct orch_allocator kept = workflow->allocator_kept;
    const struct orch_allocator *allocator = workflow->allocator ? &kept : NULL;
    buf_done(&workflow->definition);
    map_done(&workflow->by_name);
    (void)mem_resize(allocator, workflow->functions, workflow->capacity * sizeof *workflow->functions, 0);
    (void)mem_resize(allocator, workflow->edges, workflow->edges_capacity * sizeof *workflow->edges, 0);
    (void)mem_resize(allocator, workflow->extras, workflow->extras_capacity * sizeof *workflow->extras, 0);
    if (workflow->first) {
        (void)mem_resize(allocator, workflow->first, (workflow->count + 1) * sizeof *workflow->first, 0);
        size_t next_size = workflow->edges_count * sizeof *workflow->next;
        (void)mem_resize(allocator, workflow->next, next_size ? next_size : 1, 0);
    }
    arena_done(&workflow->arena);
    return mem_resize(allocator, workflow, sizeof *workflow, 0);
}

int workflow_may_change(const struct orch_workflow *workflow, struct orch_error *err)
{
    if (workflow->is_text) {
        error_set(err, ORCH_ERR_STATE, "workflow \"%s\" was read from a definition: it cannot be changed",
                  workflow->name.data);
        return ORCH_ERR_STATE;
    }
    if (workflow->is_frozen) {
        error_set(err, ORCH_ERR_STATE, "workflow \"%s\" was started: it can be changed no more", workflow->name.data);
        error_hint(err, "build another one");
        return ORCH_ERR_STATE;
    }
    return 0;
}

const char *orch_workflow_name(const struct orch_workflow *workflow)
{
    return workflow->name.data;
}

uint32_t orch_workflow_count(const struct orch_workflow *workflow)
{
    return workflow->is_text ? workflow->model->body->task_count : workflow->count;
}

/*
 * Names.
 */
static bool is_name(struct orch_str text)
{
    if (text.size == 0 || text.size > NAME_SIZE_MAX) return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && (i == 0 || !((c >= '0' && c <= '9') || c == '-'))) return false;
    }
    return true;
}

/* The task whose made-up name this is, whether or not there is one; ORCH_NO_TASK when it is none. */
static orch_task made_up_task(struct orch_str name)
{
    struct orch_str digits = {name.data + strlen(MADE_UP), name.size - strlen(MADE_UP)};
    uint64_t number;

    if (!str_starts_with(name, STR(MADE_UP)) || digits.size == 0 || digits.data[0] < '1' || digits.data[0] > '9')
        return ORCH_NO_TASK;
    if (!str_to_uint64(digits, &number) || number > LIB_TASKS_MAX) return ORCH_NO_TASK;
    return (orch_task)(number - 1);
}

struct orch_str workflow_task_name(const struct orch_workflow *workflow, orch_task task, char room[24])
{
    const struct lib_extra *extra = workflow_find_extra(workflow, task);

    if (extra && extra->name.size) return extra->name;
    int size = snprintf(room, 24, MADE_UP "%u", task + 1);
    return str_of(room, (size_t)size);
}

orch_task workflow_find_task(const struct orch_workflow *workflow, struct orch_str name)
{
    const struct map_entry *entry = map_find(&workflow->by_name, name);

    if (entry) return (orch_task)entry->number;
    orch_task task = made_up_task(name);
    if (task >= workflow->count) return ORCH_NO_TASK;
    const struct lib_extra *extra = workflow_find_extra(workflow, task);
    return extra && extra->name.size ? ORCH_NO_TASK : task;
}

int orch_workflow_find(const struct orch_workflow *workflow, const char *name, orch_task *ret_task,
                       struct orch_error *err)
{
    orch_task task = ORCH_NO_TASK;

    if (!name || !ret_task) return error_set(err, ORCH_ERR_MISUSE, "a name and a place for the task are wanted");
    if (workflow->is_text) {
        const struct map_entry *entry = map_find(&workflow->model->body->by_id, str_from(name));
        if (entry) task = (orch_task)entry->number;
    } else {
        task = workflow_find_task(workflow, str_from(name));
    }
    if (task == ORCH_NO_TASK)
        return error_set(err, ORCH_ERR_NOT_FOUND, "workflow \"%s\" has no task \"%s\"", workflow->name.data, name);
    *ret_task = task;
    return 0;
}

/*
 * Tasks.
 */

/* Room for one more; sizes double. */
static int grow(const struct orch_workflow *workflow, void **array, uint32_t *capacity, uint32_t count, size_t size)
{
    if (count < *capacity) return 0;
    uint32_t wanted = *capacity ? *capacity * 2 : 16;
    void *grown = mem_resize(workflow->allocator, *array, *capacity * size, wanted * size);
    if (!grown) return ORCH_ERR_NO_MEMORY;
    *array = grown;
    *capacity = wanted;
    return 0;
}

const struct lib_extra *workflow_find_extra(const struct orch_workflow *workflow, orch_task task)
{
    return task < workflow->extras_capacity ? workflow->extras[task] : NULL;
}

struct lib_extra *workflow_extra(struct orch_workflow *workflow, orch_task task)
{
    if (task >= workflow->extras_capacity) {
        uint32_t wanted = workflow->extras_capacity * 2 > task + 1 ? workflow->extras_capacity * 2 : task + 16;
        struct lib_extra **grown = mem_resize(workflow->allocator, workflow->extras,
                                              workflow->extras_capacity * sizeof *grown, wanted * sizeof *grown);
        if (!grown) return NULL;
        memset(grown + workflow->extras_capacity, 0, (wanted - workflow->extras_capacity) * sizeof *grown);
        workflow->extras = grown;
        workflow->extras_capacity = wanted;
    }
    if (workflow->extras[task]) return workflow->extras[task];
    struct lib_extra *extra = ARENA_NEW(&workflow->arena, struct lib_extra);
    if (!extra) return NULL;
    extra->task = task;
    extra->members_tail = &extra->members;
    extra->env_tail = &extra->env;
    return workflow->extras[task] = extra;
}

static int keep_name(struct orch_workflow *workflow, orch_task task, struct orch_str name, struct orch_error *err)
{
    if (!is_name(name)) {
        error_set(err, ORCH_ERR_INVALID, "\"%.*s\" cannot be the name of a task", STR_ARG(name));
        error_hint(err, "letters, digits, _ and -, the first no digit and no -, at most %d", NAME_SIZE_MAX);
        return ORCH_ERR_INVALID;
    }
    orch_task other = made_up_task(name);
    if (map_find(&workflow->by_name, name) || (other != ORCH_NO_TASK && other != task)) {
        error_set(err, ORCH_ERR_EXISTS, "workflow \"%s\" has a task \"%.*s\" already", workflow->name.data,
                  STR_ARG(name));
        if (other != ORCH_NO_TASK) error_hint(err, "names like task_1 are for tasks without a name");
        return ORCH_ERR_EXISTS;
    }
    struct lib_extra *extra = workflow_extra(workflow, task);
    struct orch_str kept = arena_str(&workflow->arena, name);
    struct map_entry *entry = extra && kept.data ? map_add(&workflow->by_name, kept, NULL) : NULL;
    if (!entry) return error_memory(err);
    entry->number = task;
    extra->name = kept;
    return 0;
}

int workflow_add(struct orch_workflow *workflow, const char *name, const struct lib_function *function,
                 orch_task *ret_task, struct orch_error *err)
{
    int r = workflow_may_change(workflow, err);

    if (r) return r;
    if (workflow->count >= LIB_TASKS_MAX)
        return error_set(err, ORCH_ERR_LIMIT, "workflow \"%s\" would have more than %u tasks", workflow->name.data,
                         LIB_TASKS_MAX);
    if (grow(workflow, (void **)&workflow->functions, &workflow->capacity, workflow->count,
             sizeof *workflow->functions))
        return error_memory(err);
    if (name) {
        r = keep_name(workflow, workflow->count, str_from(name), err);
        if (r) return r;
    }
    workflow->functions[workflow->count] = *function;
    if (ret_task) *ret_task = workflow->count;
    workflow->count++;
    return 0;
}

int orch_workflow_add_function(struct orch_workflow *workflow, const char *name, orch_function function, void *user,
                               orch_task *ret_task, struct orch_error *err)
{
    if (!function) return error_set(err, ORCH_ERR_MISUSE, "a function is wanted");
    return workflow_add(workflow, name, &(struct lib_function){function, user}, ret_task, err);
}

/*
 * What waits for what.
 */
static int depend(struct orch_workflow *workflow, orch_task task, orch_task on, struct orch_error *err)
{
    char room[24];

    if (task >= workflow->count || on >= workflow->count)
        return error_set(err, ORCH_ERR_NOT_FOUND, "workflow \"%s\" has no task number %u", workflow->name.data,
                         task >= workflow->count ? task : on);
    if (task == on) {
        struct orch_str name = workflow_task_name(workflow, task, room);
        return error_set(err, ORCH_ERR_CYCLE, "task \"%.*s\" would wait for itself", STR_ARG(name));
    }
    if (workflow->edges_count >= EDGES_MAX)
        return error_set(err, ORCH_ERR_LIMIT, "workflow \"%s\" would have more than %u dependencies",
                         workflow->name.data, EDGES_MAX);
    if (grow(workflow, (void **)&workflow->edges, &workflow->edges_capacity, workflow->edges_count,
             sizeof *workflow->edges))
        return error_memory(err);
    if (workflow->edges_count && workflow->edges[workflow->edges_count - 1].task > task) workflow->is_ordered = false;
    if (on > task) workflow->is_forward = false;
    workflow->edges[workflow->edges_count++] = (struct lib_edge){task, on};
    return 0;
}

int orch_workflow_depend(struct orch_workflow *workflow, orch_task task, orch_task on, struct orch_error *err)
{
    int r = workflow_may_change(workflow, err);
    return r ? r : depend(workflow, task, on, err);
}

int orch_chain(struct orch_workflow *workflow, const orch_task *tasks, size_t count, struct orch_error *err)
{
    int r = workflow_may_change(workflow, err);
    for (size_t i = 1; i < count && !r; i++) r = depend(workflow, tasks[i], tasks[i - 1], err);
    return r;
}

int orch_parallel(struct orch_workflow *workflow, orch_task after, const orch_task *tasks, size_t count,
                  struct orch_error *err)
{
    int r = workflow_may_change(workflow, err);
    for (size_t i = 0; i < count && !r && after != ORCH_NO_TASK; i++) r = depend(workflow, tasks[i], after, err);
    return r;
}

int orch_fan_out_fan_in(struct orch_workflow *workflow, orch_task first, const orch_task *tasks, size_t count,
                        orch_task last, struct orch_error *err)
{
    int r = orch_parallel(workflow, first, tasks, count, err);
    for (size_t i = 0; i < count && !r && last != ORCH_NO_TASK; i++) r = depend(workflow, last, tasks[i], err);
    /* Nothing in between: they follow one another all the same. */
    if (!r && count == 0 && first != ORCH_NO_TASK && last != ORCH_NO_TASK) r = depend(workflow, last, first, err);
    return r;
}

/*
 * Frozen.
 */
uint32_t workflow_first_edge(const struct orch_workflow *workflow, orch_task task)
{
    uint32_t low = 0, high = workflow->edges_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (workflow->edges[middle].task < task)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Edges by task; those of one task stay in their order. */
static int order_edges(struct orch_workflow *workflow)
{
    if (workflow->is_ordered) return 0;
    size_t starts_size = ((size_t)workflow->count + 1) * sizeof(uint32_t);
    size_t edges_size = workflow->edges_capacity * sizeof *workflow->edges;
    uint32_t *starts = mem_resize(workflow->allocator, NULL, 0, starts_size);
    struct lib_edge *ordered = starts ? mem_resize(workflow->allocator, NULL, 0, edges_size) : NULL;
    if (ordered) {
        memset(starts, 0, starts_size);
        for (uint32_t i = 0; i < workflow->edges_count; i++) starts[workflow->edges[i].task + 1]++;
        for (uint32_t i = 0; i < workflow->count; i++) starts[i + 1] += starts[i];
        for (uint32_t i = 0; i < workflow->edges_count; i++)
            ordered[starts[workflow->edges[i].task]++] = workflow->edges[i];
        (void)mem_resize(workflow->allocator, workflow->edges, edges_size, 0);
        workflow->edges = ordered;
        workflow->is_ordered = true;
    }
    (void)mem_resize(workflow->allocator, starts, starts ? starts_size : 0, 0);
    return ordered ? 0 : ORCH_ERR_NO_MEMORY;
}

/* Who depends on whom: the other way round. */
static int turn_round(struct orch_workflow *workflow)
{
    size_t first_size = ((size_t)workflow->count + 1) * sizeof(uint32_t),
           next_size = workflow->edges_count * sizeof(uint32_t);
    uint32_t *first = mem_resize(workflow->allocator, NULL, 0, first_size);
    uint32_t *next = mem_resize(workflow->allocator, NULL, 0, next_size ? next_size : 1);

    if (!first || !next) {
        (void)mem_resize(workflow->allocator, first, first ? first_size : 0, 0);
        (void)mem_resize(workflow->allocator, next, next ? (next_size ? next_size : 1) : 0, 0);
        return ORCH_ERR_NO_MEMORY;
    }
    /* Counted one row too far, so that filling them in leaves each row where it begins. */
    memset(first, 0, first_size);
    for (uint32_t i = 0; i < workflow->edges_count; i++)
        if (workflow->edges[i].on + 2 <= workflow->count) first[workflow->edges[i].on + 2]++;
    for (uint32_t i = 1; i < workflow->count; i++) first[i + 1] += first[i];
    for (uint32_t i = 0; i < workflow->edges_count; i++)
        next[first[workflow->edges[i].on + 1]++] = workflow->edges[i].task;
    workflow->first = first;
    workflow->next = next;
    return 0;
}

/* Whether every task can be taken away once those it waits for are. */
static int find_cycle(const struct orch_workflow *workflow, bool *ret_found)
{
    *ret_found = false;
    if (workflow->is_forward) return 0;
    size_t size = workflow->count * sizeof(uint32_t);
    uint32_t *unmet = mem_resize(workflow->allocator, NULL, 0, size),
             *queue = unmet ? mem_resize(workflow->allocator, NULL, 0, size) : NULL;
    uint32_t head = 0, tail = 0;
    if (queue) {
        memset(unmet, 0, size);
        for (uint32_t i = 0; i < workflow->edges_count; i++) unmet[workflow->edges[i].task]++;
        for (uint32_t i = 0; i < workflow->count; i++)
            if (unmet[i] == 0) queue[tail++] = i;
        for (; head < tail; head++)
            for (uint32_t i = workflow->first[queue[head]]; i < workflow->first[queue[head] + 1]; i++)
                if (--unmet[workflow->next[i]] == 0) queue[tail++] = workflow->next[i];
        *ret_found = tail < workflow->count;
    }
    int r = queue ? 0 : ORCH_ERR_NO_MEMORY;
    (void)mem_resize(workflow->allocator, queue, queue ? size : 0, 0);
    (void)mem_resize(workflow->allocator, unmet, unmet ? size : 0, 0);
    return r;
}

int workflow_freeze(struct orch_workflow *workflow, struct orch_error *err)
{
    bool has_cycle = false;

    if (workflow->is_frozen) return 0;
    if (!workflow->is_text) {
        if (order_edges(workflow)) return error_memory(err);
        if (workflow->is_plain) {
            int r = workflow->first ? 0 : turn_round(workflow);
            if (!r) r = find_cycle(workflow, &has_cycle);
            /* Thrown away: it can still be changed. */
            if (r || has_cycle) {
                size_t next_size = workflow->edges_count * sizeof(uint32_t);
                if (workflow->first) {
                    (void)mem_resize(workflow->allocator, workflow->first,
                                     ((size_t)workflow->count + 1) * sizeof(uint32_t), 0);
                    (void)mem_resize(workflow->allocator, workflow->next, next_size ? next_size : 1, 0);
                    workflow->first = workflow->next = NULL;
                }
                return r ? error_memory(err) : orch_workflow_check(workflow, NULL, NULL, err);
            }
        }
    }
    workflow->is_frozen = true;
    return 0;
}
