/*
 * import_wfformat.c - instances of scientific workflows as WfCommons publishes them.
 *
 * Source: WfFormat, the WfCommons JSON schema, 1.5 (https://github.com/wfcommons/WfFormat): tasks and their parents and
 * children under workflow.specification, how long they took and by which command under workflow.execution. Up to 1.4
 * both stood together under workflow.tasks, and tasks named each other by `name`.
 */
#include <stdio.h>

#include "base/error.h"
#include "base/number.h"
#include "lang/import.h"

#define PRIORITY_MAX 1000000
#define SLEEP_MAX    31536000.0 /* seconds: a year */

struct task {
    struct orch_str name; /* by which others know it */
    struct orch_str id;
    const struct value *specification;
    const struct value *execution; /* what is known of how it ran; or NULL */
    uint32_t first_parent, parents_count;
};

struct edge {
    uint32_t parent, child;
};

struct instance {
    const struct import_options *options;
    struct arena *arena;
    struct import_names *names;
    struct import_result *result;
    struct orch_error *err;
    const struct value *execution;
    struct task *tasks;
    uint32_t count;
    struct edge *edges; /* both as parents and as children say: sorted, none twice */
    uint32_t edges_count, edges_capacity;
};

static const struct value *get(const struct value *map, const char *key)
{
    return map ? value_get(*map, str_from(key)) : NULL;
}

static bool is_kind(const struct value *value, enum value_kind kind)
{
    return value && value->kind == kind;
}

/* The first of two keys that is there: newer and older spelling. */
static const struct value *either(const struct value *map, const char *newer, const char *older)
{
    const struct value *value = get(map, newer);
    return value ? value : get(map, older);
}

static struct orch_str text_of(const struct value *value)
{
    return is_kind(value, VALUE_STRING) ? value_str(*value) : STR_NONE;
}

static bool number_of(const struct value *value, double *ret)
{
    if (is_kind(value, VALUE_INT))
        *ret = (double)value->integer;
    else if (is_kind(value, VALUE_UINT))
        *ret = (double)value->uinteger;
    else if (is_kind(value, VALUE_DOUBLE))
        *ret = value->real;
    else
        return is_kind(value, VALUE_NUMBER) && str_to_double(value_str(*value), ret);
    return true;
}

static const struct value *tasks_of(struct value json)
{
    const struct value *workflow = value_get(json, STR("workflow"));
    const struct value *specification = get(workflow, "specification");
    const struct value *tasks = specification ? get(specification, "tasks") : either(workflow, "tasks", "jobs");
    return is_kind(tasks, VALUE_LIST) ? tasks : NULL;
}

static bool is_wfformat(struct value json)
{
    return json.kind == VALUE_MAP && value_get(json, STR("schemaVersion")) && tasks_of(json);
}

/* ---- reading ---- */

static int add_task(struct instance *in, const struct value *value)
{
    struct task *task = &in->tasks[in->count];
    /* Since 1.4 tasks are known by id; before that an id was a number for people, if there was one. */
    struct orch_str id = text_of(get(value, "id")), name = text_of(get(value, "name"));
    if (value->kind != VALUE_MAP || (!id.size && !name.size))
        return error_set(in->err, ORCH_ERR_INVALID, "task %u has neither id nor name", in->count + 1);
    task->specification = value;
    task->name = id.size ? id : name;
    int r = import_names_add(in->names, task->name, in->count, &task->id);
    if (r == ORCH_ERR_EXISTS)
        return error_set(in->err, ORCH_ERR_INVALID, "two tasks are called \"%.*s\"", STR_ARG(task->name));
    if (r) return error_memory(in->err);
    in->count++;
    return 0;
}

static int add_edge(struct instance *in, uint32_t parent, uint32_t child)
{
    if (in->edges_count == in->edges_capacity) {
        uint32_t capacity = in->edges_capacity ? in->edges_capacity * 2 : 1024;
        struct edge *edges = arena_alloc(in->arena, capacity * sizeof *edges);
        if (!edges) return error_memory(in->err);
        if (in->edges_count) memcpy(edges, in->edges, in->edges_count * sizeof *edges);
        in->edges = edges;
        in->edges_capacity = capacity;
    }
    in->edges[in->edges_count++] = (struct edge){parent, child};
    return 0;
}

/* Those that a task names as its parents, or its children. */
static int add_edges(struct instance *in, uint32_t number, const char *key)
{
    const struct value *list = get(in->tasks[number].specification, key);
    bool is_parents = strcmp(key, "parents") == 0;
    if (!list) return 0;
    if (list->kind != VALUE_LIST)
        return error_set(in->err, ORCH_ERR_INVALID, "%s of \"%.*s\" are no list", key, STR_ARG(in->tasks[number].name));
    for (uint32_t i = 0; i < list->size; i++) {
        struct orch_str name = text_of(&list->items[i]);
        uint32_t other;
        if (!import_names_find(in->names, name, &other))
            return error_set(in->err, ORCH_ERR_INVALID, "%s of \"%.*s\": there is no task \"%.*s\"", key,
                             STR_ARG(in->tasks[number].name), STR_ARG(name));
        int r = is_parents ? add_edge(in, other, number) : add_edge(in, number, other);
        if (r) return r;
    }
    return 0;
}

/* By child, then by parent: a counting sort by the one after the other keeps it linear. */
static int sort_edges(struct instance *in)
{
    struct edge *from = in->edges, *sorted = arena_alloc(in->arena, (in->edges_count + 1) * sizeof *sorted);
    uint32_t *starts = arena_alloc(in->arena, (in->count + 1) * sizeof *starts), kept = 0;
    if (!sorted || !starts) return error_memory(in->err);
    for (int by_child = 0; by_child < 2; by_child++) {
        memset(starts, 0, (in->count + 1) * sizeof *starts);
        for (uint32_t i = 0; i < in->edges_count; i++) starts[(by_child ? from[i].child : from[i].parent) + 1]++;
        for (uint32_t i = 0; i < in->count; i++) starts[i + 1] += starts[i];
        for (uint32_t i = 0; i < in->edges_count; i++)
            sorted[starts[by_child ? from[i].child : from[i].parent]++] = from[i];
        struct edge *other = from;
        from = sorted;
        sorted = other;
    }
    for (uint32_t i = 0; i < in->edges_count; i++) {
        if (kept && from[kept - 1].parent == from[i].parent && from[kept - 1].child == from[i].child) continue;
        from[kept++] = from[i];
    }
    in->edges = from;
    in->edges_count = kept;
    for (uint32_t i = 0; i < kept; i++) {
        struct task *task = &in->tasks[from[i].child];
        if (!task->parents_count++) task->first_parent = i;
    }
    return 0;
}

static int read_executions(struct instance *in)
{
    const struct value *list = get(in->execution, "tasks");
    if (!is_kind(list, VALUE_LIST)) {
        for (uint32_t i = 0; i < in->count; i++) in->tasks[i].execution = in->tasks[i].specification; /* up to 1.4 */
        return 0;
    }
    for (uint32_t i = 0; i < list->size; i++) {
        struct orch_str id = text_of(get(&list->items[i], "id"));
        uint32_t number;
        if (list->items[i].kind != VALUE_MAP || !import_names_find(in->names, id, &number)) {
            import_note(in->result, "executions of tasks that the specification does not name", id);
            continue;
        }
        in->tasks[number].execution = &list->items[i];
    }
    return 0;
}

/* ---- writing ---- */

static void put_sleep(struct instance *in, const struct task *task, struct buf *out)
{
    double seconds;
    char text[32];
    if (!number_of(either(task->execution, "runtimeInSeconds", "runtime"), &seconds) || !(seconds >= 0)) {
        import_note(in->result, "tasks without a run time, which do nothing now", task->name);
        buf_add_text(out, "\"noop\":null");
        return;
    }
    seconds *= in->options->scale;
    if (seconds > SLEEP_MAX) {
        import_note(in->result, "sleeps of more than a year, cut to that", task->name);
        seconds = SLEEP_MAX;
    }
    /* In whole microseconds, so that it is short and has no exponent. */
    double micros = seconds * 1e6 + 0.5;
    size_t size = double_format((double)(uint64_t)micros / 1e6, text);
    if (micros < 1) size = 1, text[0] = '0';
    for (size_t i = 0; i < size; i++) {
        if (text[i] != 'e') continue;
        snprintf(text, sizeof text, "0.%06u", (unsigned)(uint64_t)micros);
        size = strlen(text);
        break;
    }
    buf_printf(out, "\"exec\":[\"sleep\",\"%.*s\"]", (int)size, text);
}

static void put_command(struct instance *in, const struct task *task, struct buf *out)
{
    const struct value *command = get(task->execution, "command"), *arguments = get(command, "arguments");
    struct orch_str program = text_of(get(command, "program"));
    if (!program.size) {
        import_note(in->result, "tasks without a command, which do nothing now", task->name);
        buf_add_text(out, "\"noop\":null");
        return;
    }
    buf_add_text(out, "\"exec\":[");
    import_literal(program, out);
    for (uint32_t i = 0; is_kind(arguments, VALUE_LIST) && i < arguments->size; i++) {
        if (arguments->items[i].kind != VALUE_STRING) {
            import_note(in->result, "arguments that are no text", task->name);
            continue;
        }
        buf_add_char(out, ',');
        import_literal(value_str(arguments->items[i]), out);
    }
    buf_add_char(out, ']');
}

/* Said once for each task that has it. */
static void note_rest(struct instance *in, const struct task *task)
{
    static const struct {
        const char *key, *what;
    } keys[] = {
        {"inputFiles", "lists of input files"},
        {"outputFiles", "lists of output files"},
        {"files", "lists of files"},
        {"memoryInBytes", "memory that tasks took"},
        {"memory", "memory that tasks took"},
        {"energyInKWh", "energy that tasks took"},
        {"energy", "energy that tasks took"},
        {"avgCPU", "use of the processor by tasks"},
        {"machine", "machines that tasks ran on"},
        {"machines", "machines that tasks ran on"},
    };
    double cores;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct value *value = get(task->specification, keys[i].key);
        if (!value) value = get(task->execution, keys[i].key);
        if (value && !(value->kind == VALUE_LIST && value->size == 0))
            import_note(in->result, keys[i].what, task->name);
    }
    if (number_of(either(task->execution, "coreCount", "cores"), &cores) && cores > 1)
        import_note(in->result, "tasks on several cores: they count as one job", task->name);
}

static void put_task(struct instance *in, const struct task *task, struct buf *out)
{
    double priority;
    struct orch_str name = text_of(get(task->specification, "name"));
    json_format_string(task->id, out);
    buf_add_text(out, ":{");
    if (!str_equal(task->name, task->id) || (name.size && !str_equal(name, task->name))) {
        /* What people called it; the id where it had to be made. */
        struct orch_str shown = !str_equal(task->name, task->id) ? task->name : name;
        if (shown.size <= 256) {
            buf_add_text(out, "\"name\":");
            import_literal(shown, out);
            buf_add_char(out, ',');
        } else
            import_note(in->result, "names longer than 256 bytes", shown);
    }
    if (task->parents_count) {
        buf_add_text(out, "\"depends_on\":[");
        for (uint32_t i = 0; i < task->parents_count; i++) {
            if (i) buf_add_char(out, ',');
            json_format_string(in->tasks[in->edges[task->first_parent + i].parent].id, out);
        }
        buf_add_text(out, "],");
    }
    if (number_of(get(task->execution, "priority"), &priority) && priority == priority) {
        if (priority > PRIORITY_MAX) priority = PRIORITY_MAX;
        if (priority < -PRIORITY_MAX) priority = -PRIORITY_MAX;
        if ((int)priority != 0) buf_printf(out, "\"priority\":%d,", (int)priority);
    }
    switch (in->options->tasks) {
    case IMPORT_NOOP: buf_add_text(out, "\"noop\":null"); break;
    case IMPORT_SLEEP: put_sleep(in, task, out); break;
    case IMPORT_COMMAND: put_command(in, task, out); break;
    }
    buf_add_char(out, '}');
    note_rest(in, task);
}

static int put_definition(struct instance *in, struct value json, struct buf *out)
{
    struct import_names *names = import_names_new();
    struct orch_str name = text_of(value_get(json, STR("name"))), id;
    struct orch_str description = text_of(value_get(json, STR("description")));
    int r = names ? import_names_add(names, name.size ? name : STR("workflow"), 0, &id) : ORCH_ERR_NO_MEMORY;
    if (r) {
        (void)import_names_free(names);
        return error_memory(in->err);
    }
    buf_add_text(out, "{\"name\":");
    json_format_string(id, out);
    (void)import_names_free(names);
    if (description.size) {
        buf_add_text(out, ",\"description\":");
        json_format_string(description, out);
    }
    buf_add_text(out, ",\"tasks\":{");
    for (uint32_t i = 0; i < in->count; i++) {
        if (i) buf_add_char(out, ',');
        put_task(in, &in->tasks[i], out);
    }
    buf_add_text(out, "}}");
    return out->failed ? error_memory(in->err) : 0;
}

static void note_instance(struct instance *in, struct value json)
{
    const struct value *workflow = value_get(json, STR("workflow"));
    static const struct {
        const char *key, *what;
    } keys[] = {{"author", "author"},
                {"createdAt", "date of creation"},
                {"runtimeSystem", "run-time system"},
                {"wms", "run-time system"}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct value *value = value_get(json, str_from(keys[i].key));
        if (value) import_note(in->result, keys[i].what, text_of(value));
    }
    if (get(get(workflow, "specification"), "files")) import_note(in->result, "sizes of files", STR_NONE);
    if (either(in->execution, "machines", "machine")) import_note(in->result, "descriptions of machines", STR_NONE);
    if (either(in->execution, "makespanInSeconds", "makespan"))
        import_note(in->result, "how long the whole took", STR_NONE);
}

static int import(struct value json, const struct import_options *options, struct arena *arena, struct buf *out,
                  struct import_result *ret, struct orch_error *err)
{
    const struct value *tasks = json.kind == VALUE_MAP ? tasks_of(json) : NULL;
    if (!tasks) return error_set(err, ORCH_ERR_INVALID, "no list of tasks under workflow.specification, or workflow");
    if (tasks->size == 0) return error_set(err, ORCH_ERR_INVALID, "the list of tasks is empty");
    const struct value *workflow = value_get(json, STR("workflow")), *execution = get(workflow, "execution");
    struct instance in = {.options = options,
                          .arena = arena,
                          .names = import_names_new(),
                          .result = ret,
                          .err = err,
                          .execution = execution ? execution : workflow};
    *ret = (struct import_result){0};
    int r = 0;
    in.tasks = arena_alloc(arena, (tasks->size + 1) * sizeof *in.tasks);
    if (!in.names || !in.tasks)
        r = error_memory(err);
    else
        memset(in.tasks, 0, (tasks->size + 1) * sizeof *in.tasks);
    for (uint32_t i = 0; !r && i < tasks->size; i++) r = add_task(&in, &tasks->items[i]);
    for (uint32_t i = 0; !r && i < in.count; i++) r = add_edges(&in, i, "parents");
    for (uint32_t i = 0; !r && i < in.count; i++) r = add_edges(&in, i, "children");
    if (!r) r = sort_edges(&in);
    if (!r && execution) r = read_executions(&in);
    for (uint32_t i = 0; !r && !execution && i < in.count; i++) in.tasks[i].execution = in.tasks[i].specification;
    if (!r) r = put_definition(&in, json, out);
    if (!r) note_instance(&in, json);
    (void)import_names_free(in.names);
    ret->tasks = in.count;
    ret->dependencies = in.edges_count;
    return r;
}

const struct importer import_wfformat = {
    .name = "wfformat",
    .summary = "instances of scientific workflows (WfCommons WfFormat, JSON)",
    .is_it = is_wfformat,
    .import = import,
};
