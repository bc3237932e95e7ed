/* names_check.c - the check of names over a whole workflow: every site, and what is declared but not used. */
#include "lang/names.h"

#include "lang/diag_codes.h"

static void same_names_check(struct names *names)
{
    const struct workflow *workflow = names->workflow;
    if (workflow->parameters_count == 0) return;
    for (uint32_t b = 0; b < workflow->block_count; b++) {
        const struct block *block = workflow->blocks[b];
        if (block_is_wrapping(block)) continue;
        for (uint32_t i = 0; i < block->task_count; i++) {
            const struct task *task = &block->tasks[i];
            const struct map_entry *entry = map_find(&names->parameters, task->id);
            if (!entry) continue;
            struct span at = {task->line, task->column, (uint32_t)utf8_count(task->id)};
            struct diag *diag = diag_add(names->diags, DIAG_ERROR, DIAG_SAME_NAME, at,
                                         "\"%.*s\" is a parameter and a task", STR_ARG(task->id));
            diag_label(names->diags, diag, "the parameter is on line %u", workflow->parameters[entry->number].line);
            diag_help(names->diags, diag, "rename one of them: in an expression the name could mean either");
        }
    }
}

/* What a loop's variable would hide, for the message; NULL when nothing. */
static const char *hidden_by(const struct names *names, const struct task *loop_task, struct orch_str variable)
{
    if (map_find(&names->parameters, variable)) return "a parameter";
    const struct block *body = task_block(loop_task, BLOCK_BODY);
    for (const struct block *block = body ? body : loop_task->block; block;
         block = block->owner ? block->owner->block : NULL) {
        const struct map_entry *entry = block->by_id.count > 0 ? map_find(&block->by_id, variable) : NULL;
        /* The loop's own id may be its variable too: inside, the loop cannot be asked for anyway. */
        if (entry && !block_is_wrapping(block) && &block->tasks[entry->number] != loop_task) return "a task";
    }
    if (str_is(variable, "item") || str_is(variable, "item_index"))
        return NULL; /* the usual names, rarely both needed */
    for (const struct task *task = loop_task->block->owner; task; task = task->block->owner) {
        const struct loop *loop = task->kind == TASK_FOR_EACH && task->options ? task->options->loop : NULL;
        if (loop && (str_equal(loop->as, variable) || str_equal(loop->as_index, variable))) {
            return "the variable of the loop around it";
        }
    }
    return NULL;
}

static void loops_check(struct names *names)
{
    for (uint32_t b = 0; b < names->workflow->block_count; b++) {
        const struct block *block = names->workflow->blocks[b];
        for (uint32_t i = 0; i < block->task_count; i++) {
            const struct task *task = &block->tasks[i];
            if (task->kind != TASK_FOR_EACH || !task->options || !task->options->loop) continue;
            const struct orch_str variables[] = {task->options->loop->as, task->options->loop->as_index};
            for (int k = 0; k < 2; k++) {
                const char *what = hidden_by(names, task, variables[k]);
                if (!what) continue;
                struct span at = {task->line, task->column, (uint32_t)utf8_count(task->id)};
                struct diag *diag = diag_add(names->diags, DIAG_ERROR, DIAG_HIDES_NAME, at,
                                             "the loop's variable \"%.*s\" hides %s", STR_ARG(variables[k]), what);
                diag_help(names->diags, diag, "give it another name with `as`");
                break;
            }
        }
    }
}

/* ---- unused ---- */

/* Looks through the texts of actions for ORCH_PARAM_<NAME>, by which a program reads a parameter. */
struct mentions {
    struct names *names;
    struct orch_str *variables; /* ORCH_PARAM_<NAME> of each parameter */
    bool hidden;                /* a program whose text is elsewhere may read any of them */
};

static void text_scan(struct mentions *mentions, struct orch_str text)
{
    static const char prefix[] = "ORCH_PARAM_";
    for (size_t at = 0; (at = str_find(text, STR("ORCH_PARAM_"), at)) != SIZE_MAX; at += sizeof(prefix) - 1) {
        struct orch_str rest = str_of(text.data + at, text.size - at);
        for (uint32_t i = 0; i < mentions->names->workflow->parameters_count; i++) {
            if (str_starts_with(rest, mentions->variables[i])) mentions->names->parameters_used[i] = true;
        }
    }
}

static void value_scan(struct mentions *mentions, struct value value)
{
    if (value.kind == VALUE_STRING) {
        text_scan(mentions, value_str(value));
    } else if (value.kind == VALUE_LIST) {
        for (uint32_t i = 0; i < value.size; i++) value_scan(mentions, value.items[i]);
    } else if (value.kind == VALUE_MAP) {
        const struct value_member *members = value_members(value);
        for (uint32_t i = 0; i < value.size; i++) value_scan(mentions, members[i].value);
    }
}

static void template_scan(struct mentions *mentions, const struct template *tmpl)
{
    switch (tmpl->kind) {
    case TEMPLATE_VALUE: value_scan(mentions, tmpl->value); break;
    case TEMPLATE_EXPR: break;
    case TEMPLATE_TEXT:
        for (uint32_t i = 0; i < tmpl->count; i++) {
            if (!tmpl->parts[i].expr) text_scan(mentions, tmpl->parts[i].text);
        }
        break;
    case TEMPLATE_LIST:
        for (uint32_t i = 0; i < tmpl->count; i++) template_scan(mentions, &tmpl->items[i]);
        break;
    case TEMPLATE_MAP:
        for (uint32_t i = 0; i < tmpl->count; i++) template_scan(mentions, &tmpl->members[i].value);
        break;
    }
}

static bool has_member(const struct template *tmpl, const char *key)
{
    if (tmpl->kind == TEMPLATE_VALUE) return value_get(tmpl->value, str_from(key)) != NULL;
    for (uint32_t i = 0; tmpl->kind == TEMPLATE_MAP && i < tmpl->count; i++) {
        if (str_is(tmpl->members[i].key, key)) return true;
    }
    return false;
}

static void actions_scan(struct mentions *mentions)
{
    const struct workflow *workflow = mentions->names->workflow;
    for (uint32_t b = 0; b < workflow->block_count && !mentions->hidden; b++) {
        const struct block *block = workflow->blocks[b];
        for (uint32_t i = 0; i < block->task_count && !mentions->hidden; i++) {
            const struct action *action = block->tasks[i].action;
            if (!action) continue;
            if (action->kind == ACTION_EXEC || (action->kind == ACTION_SCRIPT && has_member(&action->config, "file"))) {
                mentions->hidden = true;
            } else if (action->kind == ACTION_SHELL || action->kind == ACTION_SCRIPT) {
                template_scan(mentions, &action->config);
            }
        }
    }
}

static struct orch_str variable_of(struct arena *arena, struct orch_str parameter)
{
    struct orch_str name = arena_printf(arena, "ORCH_PARAM_%.*s", STR_ARG(parameter));
    if (!name.data) return name;
    for (char *c = (char *)name.data; *c; c++) {
        if (*c >= 'a' && *c <= 'z') {
            *c = (char)(*c - 'a' + 'A');
        } else if (*c == '-') {
            *c = '_';
        }
    }
    return name;
}

static int unused_parameters_report(struct names *names)
{
    const struct workflow *workflow = names->workflow;
    bool all = true;
    for (uint32_t i = 0; i < workflow->parameters_count; i++) all &= names->parameters_used[i];
    if (all) return 0;
    struct mentions mentions = {.names = names};
    mentions.variables = ARENA_ARRAY(names->scratch, workflow->parameters_count, struct orch_str);
    if (!mentions.variables) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < workflow->parameters_count; i++) {
        mentions.variables[i] = variable_of(names->scratch, workflow->parameters[i].name);
        if (!mentions.variables[i].data) return ORCH_ERR_NO_MEMORY;
    }
    actions_scan(&mentions);
    if (mentions.hidden) return 0;
    for (uint32_t i = 0; i < workflow->parameters_count; i++) {
        if (names->parameters_used[i]) continue;
        const struct parameter *parameter = &workflow->parameters[i];
        struct span at = {parameter->line, parameter->column, (uint32_t)utf8_count(parameter->name)};
        struct diag *diag = diag_add(names->diags, DIAG_WARNING, DIAG_UNUSED_PARAMETER, at,
                                     "parameter \"%.*s\" is not used", STR_ARG(parameter->name));
        diag_help(names->diags, diag, "no expression names it, and no command $%.*s", STR_ARG(mentions.variables[i]));
    }
    return 0;
}

static void unused_secrets_report(struct names *names, const struct doc_node *list)
{
    for (uint32_t i = 0; i < names->workflow->secrets_count; i++) {
        if (names->secrets_used[i]) continue;
        struct orch_str secret = names->workflow->secrets[i];
        struct span at = list && i < list->count ? doc_span(&list->items[i]) : (struct span){0};
        struct diag *diag = diag_add(names->diags, DIAG_WARNING, DIAG_UNUSED_SECRET, at,
                                     "secret \"%.*s\" is declared but not used", STR_ARG(secret));
        diag_help(names->diags, diag, "use it as {{ secrets.%.*s }} in env or in an action, or remove it",
                  STR_ARG(secret));
    }
}

/* ---- conditions that are always the same ---- */

static void constant_check(struct names *names, const struct site *site)
{
    struct value value;
    if (site->kind != SITE_WHEN && site->kind != SITE_REPEAT) return;
    if (!expr_is_constant(site->expr, &value) || value.kind != VALUE_BOOL) return;
    if (site->kind == SITE_WHEN && value.boolean) {
        struct diag *diag =
            diag_add(names->diags, DIAG_WARNING, DIAG_CONSTANT_CONDITION, site->whole, "the condition is always true");
        diag_help(names->diags, diag, "remove the `when`");
    }
    const struct repeat *repeat = site->task && site->task->options ? site->task->options->repeat : NULL;
    if (site->kind == SITE_REPEAT && repeat && repeat->until == site->expr && !value.boolean) {
        struct diag *diag =
            diag_add(names->diags, DIAG_WARNING, DIAG_CONSTANT_CONDITION, site->whole,
                     "the condition is never true: the task fails after %u iterations", repeat->iterations_max);
        diag_help(names->diags, diag, "to repeat a fixed number of times give only `max`");
    }
}

static int names_prepare(struct names *names, struct reading *reading)
{
    const struct workflow *workflow = reading->workflow;
    *names = (struct names){.workflow = workflow, .scratch = reading->scratch, .diags = reading->diags};
    map_init(&names->parameters, NULL);
    names->parameters_used = ARENA_ARRAY(names->scratch, workflow->parameters_count, bool);
    names->secrets_used = ARENA_ARRAY(names->scratch, workflow->secrets_count, bool);
    if (!names->parameters_used || !names->secrets_used) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < workflow->parameters_count; i++) {
        struct map_entry *entry = map_add(&names->parameters, workflow->parameters[i].name, NULL);
        if (!entry) return ORCH_ERR_NO_MEMORY;
        entry->number = i;
    }
    return reach_init(&names->reach, workflow, names->scratch, 0);
}

static int names_run(struct names *names, struct reading *reading)
{
    for (size_t i = 0; i < reading->sites_count; i++) {
        constant_check(names, &reading->sites[i]);
        int rc = names_look_at(names, &reading->sites[i]);
        if (rc < 0) return rc;
    }
    same_names_check(names);
    loops_check(names);
    int rc = names_check_flow(reading);
    if (rc < 0) return rc;
    if (names->diags->error_count == 0) { /* else what seems unused may stand in what could not be read */
        rc = unused_parameters_report(names);
        if (rc < 0) return rc;
        unused_secrets_report(names, reading->secrets);
    }
    if (names->unchecked > 0) {
        struct diag *diag =
            diag_add(names->diags, DIAG_WARNING, DIAG_NOT_CHECKED, (struct span){0},
                     "%llu uses of a task's result were not checked", (unsigned long long)names->unchecked);
        diag_help(names->diags, diag,
                  "the graph is too dense to see whether those tasks come before; if not, the run says so");
    }
    return 0;
}

int names_check(struct reading *reading)
{
    struct names names;
    struct arena_mark mark = arena_mark(reading->scratch);
    int rc = names_prepare(&names, reading);
    if (rc == 0) rc = names_run(&names, reading);
    map_done(&names.parameters);
    arena_rewind(reading->scratch, mark);
    return rc;
}
