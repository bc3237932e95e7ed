/*
 * normal_tasks.c - what has a shape of its own in normal form: tasks, handlers, parameters.
 */
#include "lang/normal_inside.h"

/* ---- tasks ---- */

static int normal_task(struct normal *normal, struct orch_str what, const struct doc_node *in, struct doc_node *out)
{
    if (in->kind != DOC_MAP) {
        struct diag *diag;
        if (in->kind == DOC_NULL)
            diag = diag_add(normal->diags, DIAG_ERROR, DIAG_NO_ACTION, doc_span(in), "task \"%.*s\" has nothing to do",
                            STR_ARG(what));
        else
            diag = diag_add(normal->diags, DIAG_ERROR, DIAG_WRONG_KIND, doc_span(in), "a task is a map, this is %s",
                            doc_kind_text(in));
        diag_help(normal->diags, diag, "write  {shell: ...}  or another action");
        struct doc_member *member = ARENA_NEW(normal->scratch, struct doc_member);
        if (!member) return ORCH_ERR_NO_MEMORY;
        *member = normal_without_action(in);
        *out =
            (struct doc_node){.kind = DOC_MAP, .line = in->line, .column = in->column, .count = 1, .members = member};
        return 0;
    }
    struct doc_node ours = *in;
    if (seeds_has_task(in)) {
        int r = seeds_task(normal, in, &ours);
        if (r) return r;
    }
    return normal_map(normal, &schema_task, &ours, out);
}

static int enter_block(struct normal *normal, const struct doc_node *at)
{
    if (normal->depth < GROUPS_MAX) {
        normal->depth++;
        return 1;
    }
    diag_add(normal->diags, DIAG_ERROR, DIAG_NESTED_TOO_DEEP, doc_span(at), "groups are nested deeper than %d levels",
             GROUPS_MAX);
    return 0;
}

static int tasks_by_id(struct normal *normal, const struct doc_node *in, struct doc_node *out)
{
    *out = *in;
    struct members_out members = {.in = in};
    for (uint32_t i = 0; i < in->count; i++) {
        const struct doc_member *member = &in->members[i];
        struct doc_node task;
        normal_check_name(normal, member->key.text, &member->key, TEXT_ID);
        int r = normal_task(normal, member->key.text, &member->value, &task);
        if (r) return r;
        if (task.kind == DOC_MAP && task.count &&
            str_is(task.members[0].key.text, "id")) { /* the key says it already */
            if (!str_equal(task.members[0].value.text, member->key.text))
                diag_add(normal->diags, DIAG_ERROR, DIAG_TWO_SPELLINGS, doc_span(&task.members[0].value),
                         "the id of this task is \"%.*s\" already", STR_ARG(member->key.text));
            task.members++;
            task.count--;
        }
        if ((r = normal_members_put(normal, &members, i, &task))) return r;
    }
    normal_members_done(&members, out);
    return 0;
}

/* A list of tasks becomes a map when each has an id; otherwise the list stays, since the author named no ids. */
static int tasks_in_list(struct normal *normal, const struct doc_node *in, struct doc_node *out)
{
    *out = *in;
    struct items_out items = {.in = in};
    bool all_have_ids = true;
    for (uint32_t i = 0; i < in->count; i++) {
        struct doc_node named, task;
        int r = seeds_list_task(normal, &in->items[i], &named);
        if (!r) r = normal_task(normal, STR("in a list"), &named, &task);
        if (!r) r = normal_items_put(normal, &items, i, &task);
        if (r) return r;
        if (task.kind == DOC_MAP && !(task.count && str_is(task.members[0].key.text, "id"))) all_have_ids = false;
    }
    normal_items_done(&items, out);
    if (!all_have_ids) return 0;
    struct doc_member *members = ARENA_ARRAY(normal->scratch, out->count, struct doc_member);
    if (!members) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < out->count; i++) {
        struct doc_node task = out->items[i];
        members[i].key = task.members[0].value;
        task.members++;
        task.count--;
        members[i].value = task;
    }
    out->kind = DOC_MAP;
    out->members = members;
    return 0;
}

int normal_tasks(struct normal *normal, const struct schema_value *want, struct orch_str what,
                 const struct doc_node *in, struct doc_node *out)
{
    *out = *in;
    if (in->kind != DOC_MAP && in->kind != DOC_LIST) {
        normal_wrong_kind(normal, want, what, in);
        out->kind = DOC_ABSENT;
        return 0;
    }
    if (!enter_block(normal, in)) {
        out->kind = DOC_ABSENT;
        return 0;
    }
    int r = in->kind == DOC_MAP ? tasks_by_id(normal, in, out) : tasks_in_list(normal, in, out);
    normal->depth--;
    return r;
}

/* {tasks: {...}} of a handler says no more than the tasks do, unless their ids look like the keys of one task. */
static void shorten_handler(struct doc_node *out)
{
    if (out->count != 1 || !str_is(out->members[0].key.text, "tasks") || out->members[0].value.kind != DOC_MAP) return;
    const struct doc_node *tasks = &out->members[0].value;
    if (tasks->count == 0) return;
    for (uint32_t i = 0; i < tasks->count; i++)
        if (schema_find(&schema_task, tasks->members[i].key.text, 0, NULL) >= 0 || seeds_has_task(tasks)) return;
    struct doc_node lone = *tasks;
    *out = lone;
}

int normal_handler(struct normal *normal, const struct schema_value *want, struct orch_str what,
                   const struct doc_node *in, struct doc_node *out)
{
    if (in->kind == DOC_LIST) {
        struct doc_member *member = ARENA_NEW(normal->scratch, struct doc_member);
        if (!member) return ORCH_ERR_NO_MEMORY;
        member->key = node_text(in, STR("tasks"));
        int r = normal_tasks(normal, want, what, in, &member->value);
        if (r) return r;
        *out = (struct doc_node){
            .kind = DOC_MAP, .line = in->line, .column = in->column, .width = in->width, .count = 1, .members = member};
        if (member->value.kind == DOC_ABSENT) out->kind = DOC_ABSENT;
    } else if (in->kind == DOC_MAP && (in->count == 0 || seeds_is_task(in))) {
        if (!enter_block(normal, in)) {
            out->kind = DOC_ABSENT;
            return 0;
        }
        int r = normal_task(normal, what, in, out);
        normal->depth--;
        if (r) return r;
    } else if (in->kind == DOC_MAP) {
        return normal_tasks(normal, want, what, in, out);
    } else {
        normal_wrong_kind(normal, want, what, in);
        out->kind = DOC_ABSENT;
    }
    if (out->kind == DOC_MAP) shorten_handler(out);
    return 0;
}

/* ---- parameters ---- */

static int normal_parameter(struct normal *normal, struct orch_str what, const struct doc_node *in,
                            struct doc_node *out)
{
    static const struct {
        const char *theirs, *ours;
    } types[] = {{"array", "list"},   {"object", "map"},    {"dict", "map"},   {"int", "integer"},
                 {"float", "number"}, {"double", "number"}, {"str", "string"}, {"bool", "boolean"}};
    if (in->kind == DOC_NULL) {
        *out = (struct doc_node){.kind = DOC_MAP, .line = in->line, .column = in->column};
        return 0;
    }
    if (in->kind != DOC_MAP) {
        struct diag *diag = diag_add(normal->diags, DIAG_ERROR, DIAG_WRONG_KIND, doc_span(in),
                                     "parameter \"%.*s\" is a map, this is %s", STR_ARG(what), doc_kind_text(in));
        diag_help(normal->diags, diag, "write  {type: string}  or  {default: ...}");
        out->kind = DOC_ABSENT;
        return 0;
    }
    for (uint32_t i = 0; i < in->count; i++) {
        if (!str_is(in->members[i].key.text, "type")) continue;
        for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
            if (!str_is(in->members[i].value.text, types[k].theirs)) continue;
            struct map_edit edit;
            struct doc_node ours = *in;
            int r = map_edit_init(normal, &edit, in);
            if (r) return r;
            edit.members[i].value.text = str_from(types[k].ours);
            map_edit_done(&edit, &ours);
            return normal_map(normal, &schema_parameter, &ours, out);
        }
    }
    return normal_map(normal, &schema_parameter, in, out);
}

static int parameters_in_list(struct normal *normal, const struct doc_node *in, struct doc_node *out)
{
    struct doc_member *members = ARENA_ARRAY(normal->scratch, in->count, struct doc_member);
    if (!members) return ORCH_ERR_NO_MEMORY;
    uint32_t count = 0;
    for (uint32_t i = 0; i < in->count; i++) {
        struct doc_node parameter;
        int r = normal_parameter(normal, STR("in a list"), &in->items[i], &parameter);
        if (r) return r;
        if (parameter.kind == DOC_ABSENT) continue;
        if (parameter.count == 0 || !str_is(parameter.members[0].key.text, "name")) {
            diag_add(normal->diags, DIAG_ERROR, DIAG_MISSING_KEY, doc_span(&in->items[i]),
                     "a parameter in a list needs \"name\"");
            continue;
        }
        members[count].key = parameter.members[0].value;
        parameter.members++;
        parameter.count--;
        members[count++].value = parameter;
    }
    *out = *in;
    out->kind = DOC_MAP;
    out->members = members;
    out->count = count;
    return 0;
}

int normal_parameters(struct normal *normal, const struct schema_value *want, struct orch_str what,
                      const struct doc_node *in, struct doc_node *out)
{
    *out = *in;
    if (in->kind == DOC_LIST) return parameters_in_list(normal, in, out);
    if (in->kind == DOC_NULL) {
        out->kind = DOC_ABSENT;
        return 0;
    }
    if (in->kind != DOC_MAP) {
        normal_wrong_kind(normal, want, what, in);
        out->kind = DOC_ABSENT;
        return 0;
    }
    struct members_out members = {.in = in};
    for (uint32_t i = 0; i < in->count; i++) {
        const struct doc_member *member = &in->members[i];
        struct doc_node parameter;
        normal_check_name(normal, member->key.text, &member->key, TEXT_NAME);
        int r = normal_parameter(normal, member->key.text, &member->value, &parameter);
        if (r) return r;
        if (parameter.kind == DOC_MAP && parameter.count && str_is(parameter.members[0].key.text, "name")) {
            parameter.members++;
            parameter.count--;
        }
        if ((r = normal_members_put(normal, &members, i, &parameter))) return r;
    }
    normal_members_done(&members, out);
    return 0;
}
