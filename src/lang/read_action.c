/*
 * read_action.c - what a leaf does: one function for each kind of action, from its normal form to its config.
 */
#include "lang/reader.h"

#include "base/error.h"
#include "base/time.h"

/* The config being put together: keys are constants, values templates. */
struct config {
    struct reader *reader;
    struct where where;
    struct template_member members[8];
    uint32_t count;
};

static int config_add(struct config *config, struct orch_str key, const struct doc_node *node)
{
    if (!node) return 0;
    ORCH_ASSERT(config->count < sizeof config->members / sizeof *config->members);
    struct template_member *member = &config->members[config->count++];
    member->key = key;
    return read_template(config->reader, node, config->where, &member->value);
}

static void config_add_text(struct config *config, struct orch_str key, const char *text)
{
    ORCH_ASSERT(config->count < sizeof config->members / sizeof *config->members);
    config->members[config->count++] =
        (struct template_member){key, {.kind = TEMPLATE_VALUE, .value = value_string(str_from(text))}};
}

/* Text that is never evaluated, whatever braces it holds. */
static int config_add_literal(struct config *config, struct orch_str key, const struct doc_node *node)
{
    struct orch_str text;
    int r = read_str(config->reader, node->text, &text);
    if (r) return r;
    ORCH_ASSERT(config->count < sizeof config->members / sizeof *config->members);
    config->members[config->count++] =
        (struct template_member){key, {.kind = TEMPLATE_VALUE, .value = value_string(text)}};
    return 0;
}

static int config_done(struct config *config, struct template *ret)
{
    bool constant = true;
    for (uint32_t i = 0; i < config->count; i++) constant &= config->members[i].value.kind == TEMPLATE_VALUE;
    return template_from_members(config->reader, config->members, config->count, constant, ret);
}

static struct diags *diags_of(struct config *config)
{
    return reader_diags(config->reader);
}

static const struct schema_map *map_of(enum task_key key)
{
    return schema_task.keys[key].value.map;
}

static int add_beside(struct config *config, const struct beside *beside)
{
    int r = config_add(config, STR("working_dir"), beside->working_dir);
    return r ? r : config_add(config, STR("stdin"), beside->stdin_text);
}

/* ---- processes ---- */

static int read_shell(struct config *config, const struct doc_node *node, const struct beside *beside)
{
    const struct doc_node *slots[PROCESS_KEYS];
    schema_slots(map_of(TASK_KEY_SHELL), node, slots);
    if (!slots[PROCESS_COMMAND]) return 0;
    (void)refuse_template(config->reader, slots[PROCESS_COMMAND],
                          "shell"); /* an error is all there is to do about it */
    int r = config_add_literal(config, STR("command"), slots[PROCESS_COMMAND]);
    return r ? r : add_beside(config, beside);
}

/* sh -c "... {{ x }}" is shell text as well. */
static void refuse_in_shell_arguments(struct config *config, const struct doc_node *list)
{
    static const char *const shells[] = {"sh", "bash", "dash", "zsh", "ksh", "ash"};
    struct orch_str program = list->items[0].text;
    for (size_t i = program.size; i > 0; i--)
        if (program.data[i - 1] == '/') {
            program = str_of(program.data + i, program.size - i);
            break;
        }
    bool shell = false;
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) shell |= str_is(program, shells[i]);
    if (!shell) return;
    for (uint32_t i = 1; i + 1 < list->count; i++) {
        struct orch_str option = list->items[i].text;
        if (option.size < 2 || option.data[0] != '-') return;
        if (option.data[option.size - 1] != 'c') continue;
        (void)refuse_template(config->reader, &list->items[i + 1], "exec");
        return;
    }
}

static int read_exec(struct config *config, const struct doc_node *node, const struct beside *beside)
{
    const struct doc_node *slots[PROCESS_KEYS];
    schema_slots(map_of(TASK_KEY_EXEC), node, slots);
    const struct doc_node *command = slots[PROCESS_COMMAND];
    if (!command) return 0;
    if (command->count == 0 || command->items[0].text.size == 0)
        diag_add(diags_of(config), DIAG_ERROR, DIAG_EMPTY_VALUE, doc_span(command), "\"exec\" needs a program");
    else
        refuse_in_shell_arguments(config, command);
    int r = config_add(config, STR("command"), command);
    return r ? r : add_beside(config, beside);
}

static int read_script(struct config *config, const struct doc_node *node, const struct beside *beside)
{
    const struct doc_node *slots[SCRIPT_KEYS];
    schema_slots(map_of(TASK_KEY_SCRIPT), node, slots);
    const struct doc_node *file = slots[SCRIPT_FILE], *text = slots[SCRIPT_TEXT];
    if (file && text)
        diag_add(diags_of(config), DIAG_ERROR, DIAG_KEYS_EXCLUDE, doc_span(text),
                 "\"file\" and \"text\" exclude each other");
    if (!file && !text)
        diag_add(diags_of(config), DIAG_ERROR, DIAG_MISSING_KEY, doc_span(node), "script needs \"file\" or \"text\"");
    if (file && file->text.size == 0)
        diag_add(diags_of(config), DIAG_ERROR, DIAG_EMPTY_VALUE, doc_span(file), "the script's path is empty");
    int r = file ? config_add_literal(config, STR("file"), file) : 0;
    if (!r && text) {
        (void)refuse_template(config->reader, text, "text"); /* an error is all there is to do about it */
        r = config_add_literal(config, STR("text"), text);
    }
    if (!r) r = config_add(config, STR("interpreter"), slots[SCRIPT_INTERPRETER]);
    if (!r) r = config_add(config, STR("args"), slots[SCRIPT_ARGS]);
    return r ? r : add_beside(config, beside);
}

/* ---- values and waiting ---- */

static int read_transform(struct config *config, const struct doc_node *node, struct action *action)
{
    config->where.kind = SITE_TRANSFORM;
    if (node->kind != DOC_STRING) return config_add(config, STR("value"), node);
    if (!template_is_in(node->text)) return read_expression(config->reader, node, config->where, &action->transform);
    struct template value = {0};
    int r = read_template(config->reader, node, config->where, &value);
    if (r) return r;
    if (value.kind == TEMPLATE_EXPR)
        action->transform = value.expr.expr;
    else
        config->members[config->count++] = (struct template_member){STR("value"), value};
    return 0;
}

static int wait_for(struct config *config, const struct doc_node *node, struct action *action)
{
    action->wait_kind = WAIT_DURATION;
    orch_time ignored;
    if (!template_is_in(node->text))
        read_duration(config->reader, node, true, &ignored); /* checked here, read when it starts */
    return read_template(config->reader, node, config->where, &action->wait);
}

static int wait_until(struct config *config, const struct doc_node *node, struct action *action)
{
    action->wait_kind = WAIT_UNTIL;
    orch_time ignored;
    if (!template_is_in(node->text) && time_parse(node->text, &ignored)) {
        struct diag *diag = diag_add(diags_of(config), DIAG_ERROR, DIAG_BAD_MOMENT, doc_span(node),
                                     "\"%.*s\" is no moment", STR_ARG(node->text));
        diag_help(diags_of(config), diag, "write it as 2026-03-01T06:00:00Z, or as a template");
    }
    return read_template(config->reader, node, config->where, &action->wait);
}

static int read_wait(struct config *config, const struct doc_node *node, struct action *action)
{
    const struct doc_node *slots[WAIT_KEYS];
    schema_slots(map_of(TASK_KEY_WAIT), node, slots);
    config->where.kind = SITE_WAIT;
    int given = (slots[WAIT_KEY_FOR] != NULL) + (slots[WAIT_KEY_UNTIL] != NULL) + (slots[WAIT_KEY_EVENT] != NULL);
    action->wait = (struct template){.kind = TEMPLATE_VALUE, .value = value_null()};
    if (given != 1) {
        struct diag *diag =
            diag_add(diags_of(config), DIAG_ERROR, given ? DIAG_KEYS_EXCLUDE : DIAG_MISSING_KEY, doc_span(node),
                     given ? "\"for\", \"until\" and \"event\" exclude each other"
                           : "wait needs \"for\", \"until\" or \"event\"");
        diag_help(diags_of(config), diag,
                  given ? "keep one of them; to wait twice make two tasks" : "as in  wait: {for: 10s}");
    }
    if (slots[WAIT_KEY_FILTER] && !slots[WAIT_KEY_EVENT])
        diag_add(diags_of(config), DIAG_ERROR, DIAG_KEY_NOT_HERE, doc_span(slots[WAIT_KEY_FILTER]),
                 "\"filter\" has no effect without \"event\"");
    if (slots[WAIT_KEY_FOR]) return wait_for(config, slots[WAIT_KEY_FOR], action);
    if (slots[WAIT_KEY_UNTIL]) return wait_until(config, slots[WAIT_KEY_UNTIL], action);
    if (!slots[WAIT_KEY_EVENT]) return 0;
    action->wait_kind = WAIT_EVENT;
    if (slots[WAIT_KEY_EVENT]->text.size == 0)
        diag_add(diags_of(config), DIAG_ERROR, DIAG_EMPTY_VALUE, doc_span(slots[WAIT_KEY_EVENT]),
                 "the event's name is empty");
    int r = read_template(config->reader, slots[WAIT_KEY_EVENT], config->where, &action->wait);
    if (r || !slots[WAIT_KEY_FILTER]) return r;
    config->where.kind = SITE_FILTER;
    return read_expression(config->reader, slots[WAIT_KEY_FILTER], config->where, &action->wait_filter);
}

static int read_approval(struct config *config, const struct doc_node *node)
{
    const struct doc_node *slots[APPROVAL_KEYS];
    if (node->kind == DOC_NULL) return 0;
    schema_slots(map_of(TASK_KEY_APPROVAL), node, slots);
    int r = config_add(config, STR("message"), slots[APPROVAL_MESSAGE]);
    return r ? r : config_add(config, STR("approvers"), slots[APPROVAL_APPROVERS]);
}

/* ---- calls ---- */

static int read_call(struct config *config, const struct doc_node *node, struct action *action)
{
    const struct doc_node *slots[CALL_KEYS];
    schema_slots(map_of(TASK_KEY_WORKFLOW), node, slots);
    if (!slots[CALL_NAME]) {
        diag_add(diags_of(config), DIAG_ERROR, DIAG_MISSING_KEY, doc_span(node), "workflow needs \"name\"");
        return 0;
    }
    int r = read_str(config->reader, slots[CALL_NAME]->text, &action->workflow);
    if (r) return r;
    /* They are recorded as the parameters of the other execution, so secrets have no place in them. */
    config->where.kind = SITE_TRANSFORM;
    if (slots[CALL_PARAMETERS])
        return read_template(config->reader, slots[CALL_PARAMETERS], config->where, &action->parameters);
    return template_from_members(config->reader, NULL, 0, true, &action->parameters);
}

static void check_channels(struct config *config, const struct doc_node *channels)
{
    for (uint32_t i = 0; i < channels->count; i++) {
        const struct doc_node *channel = &channels->items[i];
        if (channel->kind != DOC_STRING || str_is(channel->text, "log")) continue;
        if (str_is(channel->text, "command")) {
            struct diag *diag = diag_add(diags_of(config), DIAG_ERROR, DIAG_MISSING_KEY, doc_span(channel),
                                         "channel \"command\" needs a command");
            diag_help(diags_of(config), diag, "write  {command: [program, argument]}");
            continue;
        }
        struct diag *diag = diag_add(diags_of(config), DIAG_WARNING, DIAG_UNKNOWN_CHANNEL, doc_span(channel),
                                     "channel \"%.*s\" is not configured", STR_ARG(channel->text));
        diag_help(diags_of(config), diag, "the message goes to the log instead");
    }
}

static int read_notification(struct config *config, const struct doc_node *node)
{
    const struct doc_node *slots[NOTIFICATION_KEYS];
    schema_slots(map_of(TASK_KEY_NOTIFICATION), node, slots);
    if (slots[NOTIFICATION_CHANNELS]) check_channels(config, slots[NOTIFICATION_CHANNELS]);
    int r = config_add(config, STR("message"), slots[NOTIFICATION_MESSAGE]);
    if (!r) r = config_add(config, STR("title"), slots[NOTIFICATION_TITLE]);
    if (!r) r = config_add(config, STR("level"), slots[NOTIFICATION_LEVEL]);
    return r ? r : config_add(config, STR("channels"), slots[NOTIFICATION_CHANNELS]);
}

static int read_function(struct config *config, const struct doc_node *node)
{
    const struct doc_node *slots[FUNCTION_KEYS];
    schema_slots(map_of(TASK_KEY_FUNCTION), node, slots);
    int r = config_add(config, STR("name"), slots[FUNCTION_NAME]);
    return r ? r : config_add(config, STR("parameters"), slots[FUNCTION_PARAMETERS]);
}

static int read_service_call(struct config *config, const struct doc_node *node)
{
    const struct doc_node *slots[SERVICE_KEYS];
    schema_slots(map_of(TASK_KEY_SERVICE_CALL), node, slots);
    int r = config_add(config, STR("service"), slots[SERVICE_SERVICE]);
    if (slots[SERVICE_ENDPOINT] && !r)
        r = config_add(config, STR("endpoint"), slots[SERVICE_ENDPOINT]);
    else if (!r)
        config_add_text(config, STR("endpoint"), "/");
    if (slots[SERVICE_METHOD] && !r)
        r = config_add(config, STR("method"), slots[SERVICE_METHOD]);
    else if (!r)
        config_add_text(config, STR("method"), "POST");
    if (!r) r = config_add(config, STR("parameters"), slots[SERVICE_PARAMETERS]);
    return r ? r : config_add(config, STR("headers"), slots[SERVICE_HEADERS]);
}

static int read_factory(struct config *config, const struct doc_node *node)
{
    const struct doc_node *slots[FACTORY_KEYS];
    schema_slots(map_of(TASK_KEY_FACTORY), node, slots);
    int r = config_add(config, STR("factory"), slots[FACTORY_FACTORY]);
    if (!r) r = config_add(config, STR("action"), slots[FACTORY_ACTION]);
    return r ? r : config_add(config, STR("params"), slots[FACTORY_PARAMS]);
}

int read_action(struct reader *reader, enum action_kind kind, const struct doc_node *node, const struct beside *beside,
                struct where where, const struct action **ret)
{
    struct action *action = ARENA_NEW(reader->base.arena, struct action);
    if (!action) return ORCH_ERR_NO_MEMORY;
    action->kind = kind;
    action->at = doc_span(node);
    where.kind = SITE_CONFIG;
    struct config config = {.reader = reader, .where = where};
    int r = 0;
    switch (kind) {
    case ACTION_SHELL: r = read_shell(&config, node, beside); break;
    case ACTION_EXEC: r = read_exec(&config, node, beside); break;
    case ACTION_SCRIPT: r = read_script(&config, node, beside); break;
    case ACTION_TRANSFORM: r = read_transform(&config, node, action); break;
    case ACTION_WAIT: r = read_wait(&config, node, action); break;
    case ACTION_APPROVAL: r = read_approval(&config, node); break;
    case ACTION_WORKFLOW: r = read_call(&config, node, action); break;
    case ACTION_NOTIFICATION: r = read_notification(&config, node); break;
    case ACTION_FUNCTION: r = read_function(&config, node); break;
    case ACTION_SERVICE_CALL: r = read_service_call(&config, node); break;
    case ACTION_FACTORY: r = read_factory(&config, node); break;
    case ACTION_NOOP:
    case ACTION_NONE: break;
    }
    if (!r) r = config_done(&config, &action->config);
    if (!r) *ret = action;
    return r;
}
