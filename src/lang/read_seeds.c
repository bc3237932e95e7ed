/*
 * read_seeds.c - spellings of others that are more than another name for a key, rewritten into ours before the table is
 * asked.
 *
 *   action_type: X, config: {...}                  X: {...}
 *   factory: f, action: a, params: {...}           factory: {factory: f, action: a, params: {...}}
 *   action: f                                      function: f
 *   parallel: true | false                         mode: parallel | sequence
 *   steps without mode and dependencies            mode: sequence
 *   max_retries, backoff_factor, ... on a task     retry: {...}
 *   factories: [...]                               checked against the steps, not kept
 *   shell: {command: c, working_dir: d}            shell: c, working_dir: d  (exec and script likewise)
 *   notification: {command: [...]}                 notification: {channels: [{command: [...]}]}
 *   workflow: {file: f}                            workflow: {name: ./f}
 *   a task in a list with a name but no id         the name is its id, when it can be one
 */
#include "lang/normal.h"

#include "base/error.h"
#include "base/map.h"
#include "lang/model.h"

static const char *const retry_words[] = {"max_retries",     "retries",        "max_attempts",
                                          "backoff_seconds", "backoff_factor", NULL};

static const struct doc_member *find(const struct doc_node *map, const char *key)
{
    for (uint32_t i = 0; i < map->count; i++)
        if (str_is(map->members[i].key.text, key)) return &map->members[i];
    return NULL;
}

static bool is_word(struct orch_str text, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        if (str_is(text, words[i])) return true;
    return false;
}

static bool is_scalar(const struct doc_node *node)
{
    return node->kind == DOC_STRING || node->kind == DOC_NUMBER || node->kind == DOC_BOOL;
}

static bool is_process(struct orch_str key)
{
    return str_is(key, "shell") || str_is(key, "exec") || str_is(key, "script");
}

bool seeds_has_task(const struct doc_node *task)
{
    for (uint32_t i = 0; i < task->count; i++) {
        struct orch_str key = task->members[i].key.text;
        const struct doc_node *value = &task->members[i].value;
        switch (key.size) {
        case 6: /* action, params */
            if (str_is(key, "action") || str_is(key, "params")) return true;
            break;
        case 5:
            if (str_is(key, "steps")) return true;
            break;
        case 7:
            if (str_is(key, "retries") || (str_is(key, "factory") && is_scalar(value))) return true;
            break;
        case 8:
            if (str_is(key, "parallel")) return true;
            break;
        case 11:
            if (str_is(key, "action_type") || str_is(key, "max_retries")) return true;
            break;
        case 12:
            if (str_is(key, "max_attempts")) return true;
            break;
        case 14:
            if (str_is(key, "backoff_factor")) return true;
            break;
        case 15:
            if (str_is(key, "backoff_seconds")) return true;
            break;
        }
        if (value->kind == DOC_MAP && (is_process(key) || str_is(key, "notification") || str_is(key, "workflow")))
            return true;
    }
    return false;
}

bool seeds_is_task(const struct doc_node *map)
{
    for (uint32_t i = 0; i < map->count; i++) {
        struct orch_str key = map->members[i].key.text;
        int index = schema_find(&schema_task, key, 0, NULL);
        if (index >= 0 && (schema_task.keys[index].flags & SCHEMA_ACTION)) return true;
        if (str_is(key, "action_type") || (str_is(key, "action") && is_scalar(&map->members[i].value))) return true;
    }
    return false;
}

static void two_spellings(struct normal *normal, const struct doc_node *at, const char *one, const char *other)
{
    diag_add(normal->diags, DIAG_ERROR, DIAG_TWO_SPELLINGS, doc_span(at), "\"%s\" and \"%s\" say the same thing", one,
             other);
}

static void remove_key(struct map_edit *edit, const char *key)
{
    for (uint32_t i = 0; i < edit->count; i++)
        if (str_is(edit->members[i].key.text, key)) {
            map_edit_remove(edit, i);
            return;
        }
}

/* A map of a few members. */
static int new_map(struct normal *normal, struct map_edit *ret)
{
    const struct doc_node empty = {.kind = DOC_MAP};
    return map_edit_init(normal, ret, &empty);
}

static struct doc_node map_node(const struct doc_node *at, const struct map_edit *edit)
{
    struct doc_node node = {.kind = DOC_MAP, .line = at->line, .column = at->column, .width = at->width};
    map_edit_done(edit, &node);
    return node;
}

static int action_type(struct normal *normal, struct map_edit *edit)
{
    struct doc_member *found = map_edit_find(edit, STR("action_type"));
    if (!found) return 0;
    struct doc_node type = found->value;
    found = map_edit_find(edit, STR("config"));
    struct doc_node config =
        found ? found->value
              : (struct doc_node){.kind = DOC_MAP, .line = type.line, .column = type.column, .width = type.width};
    remove_key(edit, "action_type");
    remove_key(edit, "config");
    if (type.kind != DOC_STRING || action_kind_from_string(type.text) == ACTION_NONE) {
        struct orch_str names[32];
        size_t count = 0;
#define NAME(name, number, text) names[count++] = STR(text);
        ACTION_LIST(NAME)
#undef NAME
        struct orch_str nearest = str_nearest(type.text, names, count);
        struct diag *diag = diag_add(normal->diags, DIAG_ERROR, DIAG_NOT_A_CHOICE, doc_span(&type),
                                     "unknown action type \"%.*s\"", STR_ARG(type.text));
        if (nearest.size) diag_help(normal->diags, diag, "did you mean \"%.*s\"?", STR_ARG(nearest));
        type.text = STR("noop");
        config = (struct doc_node){.kind = DOC_NULL, .line = type.line, .column = type.column};
    } else if (str_is(type.text, "transform") && config.kind == DOC_MAP && config.count == 1 &&
               str_is(config.members[0].key.text, "expression")) {
        config = config.members[0].value;
    }
    map_edit_add(edit, type.text, &type, &config);
    return 0;
}

static int factory_step(struct normal *normal, struct map_edit *edit)
{
    struct doc_member *factory = map_edit_find(edit, STR("factory"));
    struct doc_member *action = map_edit_find(edit, STR("action"));
    struct doc_member *params = map_edit_find(edit, STR("params"));
    bool is_step = factory && is_scalar(&factory->value);
    if (!is_step && !action) return 0;
    struct map_edit parts;
    int r = new_map(normal, &parts);
    if (r) return r;
    struct doc_node at;
    if (is_step) {
        at = factory->key;
        map_edit_add(&parts, STR("factory"), &factory->key, &factory->value);
        if (action) map_edit_add(&parts, STR("action"), &action->key, &action->value);
        if (params) map_edit_add(&parts, STR("params"), &params->key, &params->value);
    } else {
        at = action->key;
        map_edit_add(&parts, STR("name"), &action->key, &action->value);
        if (params) map_edit_add(&parts, STR("parameters"), &params->key, &params->value);
    }
    struct doc_node node = map_node(&at, &parts);
    remove_key(edit, "factory");
    remove_key(edit, "action");
    remove_key(edit, "params");
    map_edit_add(edit, is_step ? STR("factory") : STR("function"), &at, &node);
    return 0;
}

static int flat_retry(struct normal *normal, struct map_edit *edit)
{
    struct map_edit parts = {0};
    struct doc_node at = {0};
    for (uint32_t i = 0; i < edit->count;) {
        struct doc_member member = edit->members[i];
        if (!is_word(member.key.text, retry_words)) {
            i++;
            continue;
        }
        if (!parts.members) {
            struct doc_member *retry = map_edit_find(edit, STR("retry"));
            if (!retry) retry = map_edit_find(edit, STR("retry_policy"));
            int r = retry && retry->value.kind == DOC_MAP ? map_edit_init(normal, &parts, &retry->value)
                                                          : new_map(normal, &parts);
            if (r) return r;
            at = retry ? retry->key : member.key;
            if (retry && retry->value.kind != DOC_MAP) {
                two_spellings(normal, &member.key, "retry", "max_attempts");
            }
        }
        if (parts.count == parts.capacity)
            break; /* more spellings of one thing than there are: reported as double below */
        map_edit_add(&parts, member.key.text, &member.key, &member.value);
        map_edit_remove(edit, i);
    }
    if (!parts.members) return 0;
    struct doc_node node = map_node(&at, &parts);
    remove_key(edit, "retry");
    remove_key(edit, "retry_policy");
    map_edit_add(edit, STR("retry"), &at, &node);
    return 0;
}

static bool names_dependencies(const struct doc_node *steps)
{
    if (steps->kind != DOC_LIST) return true;
    for (uint32_t i = 0; i < steps->count; i++)
        if (steps->items[i].kind == DOC_MAP &&
            (find(&steps->items[i], "depends_on") || find(&steps->items[i], "dependencies")))
            return true;
    return false;
}

/* parallel, and the order that a list of steps implies. */
static void block_mode(struct normal *normal, struct map_edit *edit)
{
    struct doc_member *parallel = map_edit_find(edit, STR("parallel"));
    struct doc_member *mode = map_edit_find(edit, STR("mode"));
    struct doc_member *steps = map_edit_find(edit, STR("steps"));
    if (parallel) {
        struct doc_node key = parallel->key, value = parallel->value;
        remove_key(edit, "parallel");
        if (mode) {
            two_spellings(normal, &key, "parallel", "mode");
        } else if (value.kind != DOC_BOOL) {
            diag_add(normal->diags, DIAG_ERROR, DIAG_WRONG_KIND, doc_span(&value),
                     "\"parallel\" wants true or false, this is %s", doc_kind_text(&value));
        } else {
            struct doc_node word =
                node_text(&value, (value.text.data[0] | 0x20) == 't' ? STR("parallel") : STR("sequence"));
            map_edit_add(edit, STR("mode"), &key, &word);
        }
    } else if (steps && !mode && !names_dependencies(&steps->value)) {
        struct doc_node key = steps->key, word = node_text(&steps->key, STR("sequence"));
        map_edit_add(edit, STR("mode"), &key, &word);
    }
}

/* What stands inside an action but belongs to the task moves there. */
static int hoist(struct normal *normal, struct map_edit *edit)
{
    static const char *const words[] = {"working_dir", "stdin"};
    for (uint32_t i = 0; i < edit->count; i++) {
        struct doc_member *member = &edit->members[i];
        if (member->value.kind != DOC_MAP || !is_process(member->key.text)) continue;
        struct map_edit config = {0};
        for (int k = 0; k < 2; k++) {
            const struct doc_member *inner = find(&member->value, words[k]);
            if (!inner) continue;
            struct doc_member moved = *inner;
            if (map_edit_find(edit, str_from(words[k])))
                diag_add(normal->diags, DIAG_ERROR, DIAG_TWO_SPELLINGS, doc_span(&inner->key),
                         "\"%s\" stands inside and beside the action", words[k]);
            else if (edit->count < edit->capacity)
                map_edit_add(edit, moved.key.text, &moved.key, &moved.value);
            if (!config.members) {
                int r = map_edit_init(normal, &config, &member->value);
                if (r) return r;
            }
            remove_key(&config, words[k]);
        }
        if (config.members) map_edit_done(&config, &member->value);
    }
    return 0;
}

static int notification_command(struct normal *normal, struct map_edit *edit)
{
    struct doc_member *found = map_edit_find(edit, STR("notification"));
    const struct doc_member *command = found && found->value.kind == DOC_MAP ? find(&found->value, "command") : NULL;
    if (!command) return 0;
    struct map_edit config, channel;
    int r = map_edit_init(normal, &config, &found->value);
    if (!r) r = new_map(normal, &channel);
    if (r) return r;
    map_edit_add(&channel, STR("command"), &command->key, &command->value);
    const struct doc_node lone = map_node(&command->key, &channel);

    struct doc_member *channels = map_edit_find(&config, STR("channels"));
    const struct doc_node *old =
        channels ? channels->value.kind == DOC_LIST ? channels->value.items : &channels->value : NULL;
    uint32_t old_count = channels ? channels->value.kind == DOC_LIST ? channels->value.count : 1 : 0, count = 0;
    struct doc_node *items = ARENA_ARRAY(normal->scratch, (size_t)old_count + 1, struct doc_node);
    if (!items) return ORCH_ERR_NO_MEMORY;
    bool placed = false;
    for (uint32_t i = 0; i < old_count; i++) { /* the word `command` among the channels says where it goes */
        bool here = !placed && old[i].kind == DOC_STRING && str_is(old[i].text, "command");
        items[count++] = here ? lone : old[i];
        placed |= here;
    }
    if (!placed) items[count++] = lone;
    struct doc_node list = {.kind = DOC_LIST,
                            .line = command->key.line,
                            .column = command->key.column,
                            .width = command->key.width,
                            .count = count,
                            .items = items};
    remove_key(&config, "command");
    remove_key(&config, "channels");
    map_edit_add(&config, STR("channels"), &command->key, &list);
    map_edit_done(&config, &found->value);
    return 0;
}

static int workflow_file(struct normal *normal, struct map_edit *edit)
{
    struct doc_member *found = map_edit_find(edit, STR("workflow"));
    const struct doc_member *file = found && found->value.kind == DOC_MAP ? find(&found->value, "file") : NULL;
    if (!file || file->value.kind != DOC_STRING) return 0;
    struct map_edit config;
    int r = map_edit_init(normal, &config, &found->value);
    if (r) return r;
    struct doc_node path = file->value, key = file->key;
    if (path.text.size && str_find(path.text, STR("/"), 0) == SIZE_MAX) {
        path.text = arena_printf(normal->scratch, "./%.*s", STR_ARG(path.text));
        if (!path.text.data) return ORCH_ERR_NO_MEMORY;
    }
    if (map_edit_find(&config, STR("name")))
        two_spellings(normal, &key, "file", "name");
    else
        map_edit_add(&config, STR("name"), &key, &path);
    remove_key(&config, "file");
    map_edit_done(&config, &found->value);
    return 0;
}

int seeds_task(struct normal *normal, const struct doc_node *in, struct doc_node *out)
{
    struct map_edit edit;
    int r = map_edit_init(normal, &edit, in);
    if (!r) r = action_type(normal, &edit);
    if (!r) r = factory_step(normal, &edit);
    if (!r) r = flat_retry(normal, &edit);
    if (!r) r = hoist(normal, &edit);
    if (!r) r = notification_command(normal, &edit);
    if (!r) r = workflow_file(normal, &edit);
    if (r) return r;
    block_mode(normal, &edit);
    *out = *in;
    map_edit_done(&edit, out);
    return 0;
}

/* "- build: {shell: make}": the id as the only key. Says how it is written, and reads it as it was meant. */
static int lone_id(struct normal *normal, const struct doc_node *in, struct doc_node *out)
{
    const struct doc_member *only = in->members;
    struct diag *diag = diag_add(normal->diags, DIAG_ERROR, DIAG_UNKNOWN_KEY, doc_span(&only->key),
                                 "unknown key \"%.*s\" in a task", STR_ARG(only->key.text));
    diag_help(normal->diags, diag,
              "write  - id: %.*s  with the task's keys beside it, or tasks by their ids without the dashes",
              STR_ARG(only->key.text));
    struct map_edit edit;
    int r = map_edit_init(normal, &edit, &only->value);
    if (r) return r;
    struct doc_node id = node_text(&only->key, only->key.text);
    map_edit_add(&edit, STR("id"), &only->key, &id);
    *out = only->value;
    map_edit_done(&edit, out);
    return 0;
}

int seeds_list_task(struct normal *normal, const struct doc_node *in, struct doc_node *out)
{
    *out = *in;
    if (in->kind != DOC_MAP) return 0;
    if (in->count == 1 && in->members[0].value.kind == DOC_MAP && name_is_id(in->members[0].key.text) &&
        !schema_nearest(&schema_task, in->members[0].key.text).size && !seeds_has_task(in))
        return lone_id(normal, in, out);
    const struct doc_member *name = NULL;
    for (uint32_t i = 0; i < in->count; i++) {
        int key = schema_find(&schema_task, in->members[i].key.text, 0, NULL);
        if (key == TASK_KEY_ID) return 0;
        if (str_is(in->members[i].key.text, "name")) name = &in->members[i];
    }
    if (!name || name->value.kind != DOC_STRING || !name_is_id(name->value.text)) return 0;
    struct map_edit edit;
    int r = map_edit_init(normal, &edit, in);
    if (r) return r;
    edit.members[name - in->members].key.text = STR("id");
    map_edit_done(&edit, out);
    return 0;
}

static int collect_names(const struct doc_node *list, struct map *names)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (!map_add(names, list->items[i].text, NULL)) return ORCH_ERR_NO_MEMORY;
    return 0;
}

/* Steps may use the factories that are listed, and no others. */
static int check_factories(struct normal *normal, const struct doc_node *factories, const struct doc_node *steps)
{
    if (factories->kind != DOC_LIST) {
        diag_add(normal->diags, DIAG_ERROR, DIAG_WRONG_KIND, doc_span(factories),
                 "\"factories\" is a list of names, this is %s", doc_kind_text(factories));
        return 0;
    }
    struct map listed;
    map_init(&listed, normal->scratch->allocator);
    int r = collect_names(factories, &listed);
    for (uint32_t i = 0; !r && steps->kind == DOC_LIST && i < steps->count; i++) {
        const struct doc_node *factory = doc_get(&steps->items[i], STR("factory"));
        if (factory && factory->kind == DOC_MAP) factory = doc_get(factory, STR("factory"));
        if (!factory || factory->kind != DOC_STRING || map_find(&listed, factory->text)) continue;
        struct diag *diag = diag_add(normal->diags, DIAG_ERROR, DIAG_FACTORY_NOT_LISTED, doc_span(factory),
                                     "factory \"%.*s\" is not listed in factories", STR_ARG(factory->text));
        diag_help(normal->diags, diag, "add it to the list at line %u", factories->line);
    }
    map_done(&listed);
    return r;
}

int seeds_workflow(struct normal *normal, const struct doc_node *in, struct doc_node *out)
{
    *out = *in;
    const struct doc_member *factories = find(in, "factories");
    if (!factories && !find(in, "parallel") && !find(in, "steps")) return 0;
    struct map_edit edit;
    int r = map_edit_init(normal, &edit, in);
    if (r) return r;
    if (factories) {
        const struct doc_member *steps = find(in, "steps");
        if (!steps) steps = find(in, "actions");
        if (!steps) steps = find(in, "tasks");
        r = steps ? check_factories(normal, &factories->value, &steps->value) : 0;
        if (r) return r;
        remove_key(&edit, "factories");
    }
    block_mode(normal, &edit);
    map_edit_done(&edit, out);
    return 0;
}
