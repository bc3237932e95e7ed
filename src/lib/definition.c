/*
 * definition.c - workflows from text, and to text.
 *
 * What was built becomes the text of a definition and is read like any other: so there is one reader, one set of
 * checks, and a workflow that a program built runs from the command line too.
 */
#include "lib/internal.h"

#include <stdlib.h>

#include "sys/file.h"

#define FILE_SIZE_MAX ((size_t)1 << 30)

int findings_tell(struct diags *diags, const char *file, orch_finding_function on_finding, void *user, int code,
                  struct orch_error *err)
{
    diags_sort(diags);
    for (uint32_t i = 0; i < diags->count && on_finding; i++) {
        const struct diag *diag = &diags->items[i];
        struct orch_finding finding = {.is_warning = diag->severity == DIAG_WARNING,
                                       .line = diag->at.line,
                                       .column = diag->at.column,
                                       .length = diag->at.length,
                                       .message = text_copy(diags->arena, diag->message),
                                       .label = text_copy(diags->arena, diag->label),
                                       .help = text_copy(diags->arena, diag->help)};
        diag_code_format(diag, finding.code);
        if (!finding.message.data || !finding.label.data || !finding.help.data) return error_memory(err);
        on_finding(user, &finding);
    }
    if (diags->failed || code == ORCH_ERR_NO_MEMORY) return error_memory(err);
    return diags->error_count ? diags_to_error(diags, str_from(file), err) : code;
}

/* Reads a definition into an arena. */
static int read_definition(struct orch_str text, const char *file, struct arena *arena,
                           orch_finding_function on_finding, void *user, const struct workflow **ret,
                           struct orch_error *err)
{
    struct arena scratch;

    arena_init(&scratch, NULL, 0);
    struct diags *diags = ARENA_NEW(&scratch, struct diags);
    int r;
    if (!diags) {
        r = error_memory(err);
    } else {
        diags_init(diags, &scratch);
        r = workflow_read(text, str_from(file), arena, diags, ret);
        r = findings_tell(diags, file, on_finding, user, r, err);
    }
    arena_done(&scratch);
    return r;
}

static int from_text(struct orch_str text, const char *file, orch_finding_function on_finding, void *user,
                     struct orch_workflow **ret, struct orch_error *err)
{
    struct orch_workflow *workflow = NULL;
    int r = orch_workflow_new("?", NULL, &workflow, err); /* its name comes from the text */

    if (r) return r;
    workflow->is_text = true;
    workflow->is_plain = false;
    workflow->text = arena_str(&workflow->arena, text);
    workflow->file = arena_str(&workflow->arena, file ? str_from(file) : STR(""));
    if (!workflow->text.data || !workflow->file.data) r = error_memory(err);
    if (!r) r = read_definition(workflow->text, file, &workflow->arena, on_finding, user, &workflow->model, err);
    if (!r) workflow->name = arena_str(&workflow->arena, workflow->model->name);
    if (!r && !workflow->name.data) r = error_memory(err);
    if (r) {
        (void)orch_workflow_free(workflow);
        return r;
    }
    *ret = workflow;
    return 0;
}

int orch_workflow_parse(const char *text, size_t size, const char *file, orch_finding_function on_finding, void *user,
                        struct orch_workflow **ret, struct orch_error *err)
{
    if (!text && size != 0) return error_set(err, ORCH_ERR_MISUSE, "a text is wanted");
    return from_text(size == SIZE_MAX ? str_from(text) : str_of(text, size), file, on_finding, user, ret, err);
}

int orch_workflow_load(const char *file, orch_finding_function on_finding, void *user, struct orch_workflow **ret,
                       struct orch_error *err)
{
    struct arena scratch;
    struct orch_str text;

    if (!file) return error_set(err, ORCH_ERR_MISUSE, "a file is wanted");
    arena_init(&scratch, NULL, 0);
    int r = file_read(file, FILE_SIZE_MAX, &scratch, &text, err);
    if (!r) r = from_text(text, file, on_finding, user, ret, err);
    arena_done(&scratch);
    return r;
}

/*
 * To text: JSON, a task a line.
 */
static void put_member(struct buf *out, const char *before, struct orch_str key, struct orch_str json)
{
    buf_add_text(out, before);
    json_format_string(key, out);
    buf_add_char(out, ':');
    buf_add(out, json);
}

static void put_depends_on(const struct orch_workflow *workflow, orch_task task, const struct lib_extra *extra,
                           const struct lib_edge *edges, uint32_t count, struct buf *out)
{
    const char *before = "\"depends_on\":[";
    char room[24];
    orch_task last = ORCH_NO_TASK;

    if (count == 0 && !(extra && extra->depends_on.kind == VALUE_LIST)) return;
    (void)task;
    for (uint32_t i = 0; extra && extra->depends_on.kind == VALUE_LIST && i < extra->depends_on.size; i++) {
        buf_add_text(out, before);
        json_format(extra->depends_on.items[i], 0, out);
        before = ",";
    }
    for (uint32_t i = 0; i < count; i++) {
        if (edges[i].on == last) continue; /* said twice */
        last = edges[i].on;
        buf_add_text(out, before);
        json_format_string(workflow_task_name(workflow, last, room), out);
        before = ",";
    }
    buf_add_text(out, before[0] == ',' ? "]," : "\"depends_on\":[],");
}

static void put_task(const struct orch_workflow *workflow, orch_task task, const struct lib_edge *edges, uint32_t count,
                     struct buf *out)
{
    const struct lib_extra *extra = workflow_find_extra(workflow, task);
    char room[24];
    struct orch_str name = workflow_task_name(workflow, task, room);

    buf_add_text(out, task ? ",\n" : "\n");
    json_format_string(name, out);
    buf_add_text(out, ":{");
    put_depends_on(workflow, task, extra, edges, count, out);
    if (workflow->functions[task].function)
        buf_printf(out, "\"function\":\"" LIB_FUNCTION_PREFIX "%.*s\",", STR_ARG(name));
    for (const struct lib_member *member = extra ? extra->members : NULL; member; member = member->next) {
        put_member(out, "", member->key, member->json);
        buf_add_char(out, ',');
    }
    for (const struct lib_member *member = extra ? extra->env : NULL; member; member = member->next)
        put_member(out, member == extra->env ? "\"env\":{" : ",", member->key, member->json);
    if (extra && extra->env) buf_add_text(out, "},");
    /* Each of these ends with a comma. */
    if (out->size && out->data[out->size - 1] == ',') out->data[--out->size] = '\0';
    buf_add_char(out, '}');
}

static int by_task_and_on(const void *a, const void *b)
{
    const struct lib_edge *left = a, *right = b;
    if (left->task != right->task) return left->task < right->task ? -1 : 1;
    return (left->on > right->on) - (left->on < right->on);
}

/* A copy that does not hold the same twice. */
static int sorted_edges(const struct orch_workflow *workflow, struct lib_edge **ret, struct orch_error *err)
{
    size_t size = workflow->edges_count * sizeof **ret;

    *ret = mem_resize(workflow->allocator, NULL, 0, size ? size : 1);
    if (!*ret) return error_memory(err);
    if (size) memcpy(*ret, workflow->edges, size);
    bool is_sorted = true;
    for (uint32_t i = 1; i < workflow->edges_count && is_sorted; i++)
        is_sorted = by_task_and_on(&(*ret)[i - 1], &(*ret)[i]) <= 0;
    if (!is_sorted) qsort(*ret, workflow->edges_count, sizeof **ret, by_task_and_on);
    return 0;
}

int workflow_text(const struct orch_workflow *workflow, struct buf *out, struct orch_error *err)
{
    struct lib_edge *edges;

    if (workflow->is_text) {
        buf_add(out, workflow->text);
        return out->failed ? error_memory(err) : 0;
    }
    int r = sorted_edges(workflow, &edges, err);
    if (r) return r;
    put_member(out, "{", STR("name"), STR(""));
    json_format_string(workflow->name, out);
    for (const struct lib_member *member = workflow->members; member; member = member->next)
        put_member(out, ",\n", member->key, member->json);
    for (const struct lib_member *member = workflow->parameters; member; member = member->next)
        put_member(out, member == workflow->parameters ? ",\n\"parameters\":{" : ",", member->key, member->json);
    if (workflow->parameters) buf_add_char(out, '}');
    buf_add_text(out, ",\n\"tasks\":{");
    for (uint32_t task = 0, from = 0, to; task < workflow->count && !out->failed; task++, from = to) {
        for (to = from; to < workflow->edges_count && edges[to].task == task;) to++;
        put_task(workflow, task, edges + from, to - from, out);
    }
    buf_add_text(out, "}}\n");
    size_t size = workflow->edges_count * sizeof *edges;
    (void)mem_resize(workflow->allocator, edges, size ? size : 1, 0);
    if (out->failed && out->size >= FILE_SIZE_MAX / 2)
        return error_set(err, ORCH_ERR_LIMIT, "the definition of workflow \"%s\" is too long", workflow->name.data);
    return out->failed ? error_memory(err) : 0;
}

/* Reads what the tasks say. */
static int read_again(const struct orch_workflow *workflow, struct arena *arena, orch_finding_function on_finding,
                      void *user, const struct workflow **ret, struct orch_error *err)
{
    struct buf text;

    buf_init(&text, NULL, FILE_SIZE_MAX);
    int r = workflow_text(workflow, &text, err);
    if (!r)
        r = read_definition(buf_str(&text), workflow->is_text && workflow->file.size ? workflow->file.data : NULL,
                            arena, on_finding, user, ret, err);
    buf_done(&text);
    return r;
}

int orch_workflow_check(const struct orch_workflow *workflow, orch_finding_function on_finding, void *user,
                        struct orch_error *err)
{
    struct arena arena;
    const struct workflow *model;

    arena_init(&arena, NULL, 0);
    int r = read_again(workflow, &arena, on_finding, user, &model, err);
    arena_done(&arena);
    return r;
}

int orch_workflow_definition(struct orch_workflow *workflow, bool as_json, struct orch_str *ret, struct orch_error *err)
{
    struct arena arena;
    const struct workflow *model = workflow->model;
    struct buf out;

    arena_init(&arena, NULL, 0);
    buf_init(&out, workflow->allocator, 0);
    int r = workflow->is_text ? 0 : read_again(workflow, &arena, NULL, NULL, &model, err);
    if (!r) r = workflow_format(model, as_json, &out, err);
    if (!r && out.failed) r = error_memory(err);
    arena_done(&arena);
    if (r) {
        buf_done(&out);
        return r;
    }
    buf_done(&workflow->definition);
    workflow->definition = out;
    *ret = buf_str(&workflow->definition);
    return 0;
}
