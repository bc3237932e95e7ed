/*
 * start.c - how an execution begins: what it needs is looked for, what it depends on is captured, and it is fed its
 * start.
 */
#include "internal.h"

/* The variables of the environment that the definition's expressions mention: recorded at the start, the same for ever
 * after. */
struct env_gather {
    struct map names;
    bool failed;
};

static int gather_name(void *user, const struct expr_name *name)
{
    struct env_gather *gather = user;
    if (str_is(name->name, "env") && name->field.size && !map_add(&gather->names, name->field, NULL))
        gather->failed = true;
    return gather->failed ? ORCH_ERR_NO_MEMORY : 0;
}

static int gather_expr(const struct expr *expr, struct env_gather *gather)
{
    return expr ? expr_each_name(expr, gather_name, gather) : 0;
}

static int gather_part(void *user, const struct template_part *part)
{
    return gather_expr(part->expr, user);
}

static int gather_template(const struct template *tmpl, struct env_gather *gather)
{
    return template_each_expr(tmpl, gather_part, gather);
}

static int gather_env(const struct env_entry *env, uint32_t count, struct env_gather *gather)
{
    for (uint32_t i = 0; i < count; i++) {
        int r = gather_template(&env[i].value, gather);
        if (r) return r;
    }
    return 0;
}

static int gather_task(const struct task *task, struct env_gather *gather)
{
    const struct action *action = task->action;
    int r = gather_expr(task->when, gather);
    if (!r && action) r = gather_template(&action->config, gather);
    if (!r && action && action->kind == ACTION_TRANSFORM) r = gather_expr(action->transform, gather);
    if (!r && action && action->kind == ACTION_WORKFLOW) r = gather_template(&action->parameters, gather);
    if (!r && action && action->kind == ACTION_WAIT) {
        r = gather_template(&action->wait, gather);
        if (!r) r = gather_expr(action->wait_filter, gather);
    }
    const struct task_options *options = task->options;
    if (r || !options) return r;
    if (options->loop) r = gather_template(&options->loop->items, gather);
    if (!r && options->repeat) {
        r = gather_expr(options->repeat->until, gather);
        if (!r) r = gather_expr(options->repeat->while_, gather);
    }
    return r ? r : gather_env(options->env, options->env_count, gather);
}

static int capture_env(const struct engine *engine, const struct workflow *workflow, struct arena *arena,
                       struct value *ret, struct orch_error *err)
{
    struct env_gather gather = {0};
    map_init(&gather.names, NULL);
    int r = gather_env(workflow->env, workflow->env_count, &gather);
    if (!r && workflow->output) r = gather_template(workflow->output, &gather);
    for (uint32_t b = 0; b < workflow->block_count && !r; b++)
        for (uint32_t t = 0; t < workflow->blocks[b]->task_count && !r; t++)
            r = gather_task(&workflow->blocks[b]->tasks[t], &gather);
    struct value_member *members = r ? NULL : ARENA_ARRAY(arena, gather.names.count, struct value_member);
    uint32_t count = 0;
    for (uint32_t i = 0; members && i < gather.names.count; i++) {
        struct orch_str name = arena_str(arena, gather.names.entries[i].key);
        const char *value = name.data ? engine->world.environment(engine->world.user, name.data) : NULL;
        if (!name.data) {
            members = NULL;
            break;
        }
        if (!value || !utf8_is_valid(str_from(value), NULL)) continue; /* not there: `has(env.X)` is false */
        struct orch_str copy = arena_str(arena, str_from(value));
        if (!copy.data)
            members = NULL;
        else
            members[count++] = (struct value_member){value_string(name), value_string(copy)};
    }
    map_done(&gather.names);
    if (!members || value_map(members, count, arena, ret)) return error_memory(err);
    return 0;
}

int text_keep(struct arena *arena, struct orch_str text, struct orch_str *ret)
{
    *ret = text.size ? arena_str(arena, text) : STR_NONE;
    return text.size && !ret->data ? ORCH_ERR_NO_MEMORY : 0;
}

static int keep_json(struct arena *arena, struct value value, struct orch_str *ret)
{
    struct buf json;
    buf_init(&json, NULL, 0);
    json_format(value, 0, &json);
    int r = json.failed ? ORCH_ERR_NO_MEMORY : text_keep(arena, buf_str(&json), ret);
    buf_done(&json);
    return r;
}

/* A function's name is literal: what is not there is known before anything runs. */
static bool has_function(const struct engine *engine, const struct action *action)
{
    for (uint32_t i = 0; action->config.kind == TEMPLATE_MAP && i < action->config.count; i++) {
        const struct template_member *member = &action->config.members[i];
        if (str_is(member->key, "name") && member->value.kind == TEMPLATE_VALUE &&
            member->value.value.kind == VALUE_STRING)
            return action_functions_has(engine->options.functions, value_str(member->value.value));
    }
    const struct value *name =
        action->config.kind == TEMPLATE_VALUE ? value_get(action->config.value, STR("name")) : NULL;
    return !name || name->kind != VALUE_STRING || action_functions_has(engine->options.functions, value_str(*name));
}

static int error_provider(const struct task *task, bool has_provider, struct orch_error *err)
{
    if (has_provider) {
        error_set(err, ORCH_ERR_UNSUPPORTED, "task \"%.*s\": this program has no such function", STR_ARG(task->id));
        error_hint(err, "register it before the workflow is started, or mend its name");
    } else {
        error_set(err, ORCH_ERR_UNSUPPORTED, "task \"%.*s\": nothing here carries out a %s", STR_ARG(task->id),
                  action_kind_to_string(task->action->kind));
        error_hint(err, task->action->kind == ACTION_FUNCTION
                            ? "functions are part of the program that embeds liborch; the command line has none"
                            : "no provider is registered for it");
    }
    if (err) {
        err->line = task->line;
        err->column = task->column;
    }
    return ORCH_ERR_UNSUPPORTED;
}

/* What the definition needs of this engine, checked before anything is recorded. */
int providers_check(struct engine *engine, const struct workflow *workflow, struct orch_error *err)
{
    for (uint32_t b = 0; b < workflow->block_count; b++)
        for (uint32_t t = 0; t < workflow->blocks[b]->task_count; t++) {
            const struct task *task = &workflow->blocks[b]->tasks[t];
            if (!task->action) continue;
            bool has_provider = attempt_kind_has_provider(engine, task->action->kind);
            if (!has_provider ||
                (task->action->kind == ACTION_FUNCTION && engine->has_loop && !has_function(engine, task->action)))
                return error_provider(task, has_provider, err);
        }
    return 0;
}

int execution_start(struct engine *engine, const struct engine_start *start, struct engine_execution *parent,
                    uint32_t parent_instance, uint64_t parent_fence, struct engine_execution **ret,
                    struct orch_error *err)
{
    struct engine_version *version = start->version;
    if (engine->failed || engine->closing) return error_set(err, ORCH_ERR_STATE, "the engine has stopped");
    /* What runs is recorded from the reserve, and so are its sub-workflows; nothing else begins. */
    if (!parent && store_is_short(engine->store)) {
        error_set(err, ORCH_ERR_FULL, "no space left for %s: nothing new is started", engine->store_dir.data);
        error_hint(err, "what runs goes on; make room, then start it again");
        return ORCH_ERR_FULL;
    }
    int r = providers_check(engine, version->workflow, err);
    if (r) return r;
    if (parent && parent->nest + 1 > ENGINE_NEST_MAX)
        return error_set(err, ORCH_ERR_LIMIT, "workflows are nested more than %d deep", ENGINE_NEST_MAX);
    struct engine_execution *execution = execution_new(engine, version, store_next_number(engine->store), err);
    if (!execution) return ORCH_ERR_NO_MEMORY;
    struct arena *arena = &execution->arena;
    struct value env;
    execution->creating = true;
    if (parent) {
        execution->parent = parent->number;
        execution->parent_instance = parent_instance;
        execution->parent_fence = parent_fence;
        execution->nest = parent->nest + 1;
    }
    r = text_keep(arena, version->base_dir, &execution->base_dir);
    /* A child has no file: it is not what `run FILE --continue` looks for. */
    if (!r && !parent) r = text_keep(arena, start->file.size ? start->file : version->file, &execution->file);
    if (!r) r = text_keep(arena, start->by, &execution->by);
    if (!r) r = value_copy(start->parameters, arena, &execution->parameters_value);
    if (!r) r = keep_json(arena, start->parameters, &execution->parameters);
    /* What a sub-workflow names was pinned with the first of its parents. */
    if (!r) r = value_copy(parent ? parent->pinned : version->pinned, arena, &execution->pinned);
    if (r) error_memory(err);
    if (!r) r = capture_env(engine, version->workflow, arena, &env, err);
    if (!r) r = secrets_load(execution, err);
    if (!r) r = limits_open(execution, err);
    if (!r) r = version_store(version, err);
    if (!r) {
        struct core_input input = {.type = INPUT_START,
                                   .instance = CORE_NONE,
                                   .by = execution->by,
                                   .start = {.parameters = execution->parameters_value,
                                             .env = env,
                                             .labels = value_null(),
                                             .subworkflows = execution->pinned,
                                             .id = str_from(execution->id)}};
        r = execution_feed(execution, &input, err);
    }
    if (r) {
        /* Something may have been decided before the engine failed: nothing of it was recorded. */
        batch_drop(execution);
        limits_forget(execution);
        execution_free(execution);
        return r;
    }
    *ret = execution;
    return 0;
}

int engine_start(struct engine *engine, const struct engine_start *start, struct engine_execution **ret,
                 struct orch_error *err)
{
    return execution_start(engine, start, NULL, CORE_NONE, 0, ret, err);
}
