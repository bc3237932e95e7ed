/*
 * render.c - the configuration and environment of a leaf, everything evaluated, for an attempt that is about to start.
 *
 * Secrets are asked for here only. The result must not be recorded.
 */
#include "core/internal.h"

struct env_map {
    struct map seen; /* name -> member */
    struct value_member *members;
    uint32_t count, capacity;
    struct arena *arena;
};

static int env_add(struct env_map *env, struct orch_str name, struct value value)
{
    bool added;
    struct map_entry *entry = map_add(&env->seen, name, &added);

    if (!entry) return ORCH_ERR_NO_MEMORY;
    if (!added) {
        env->members[entry->number].value = value; /* inner wins */
        return 0;
    }
    if (env->count == env->capacity) {
        uint32_t capacity = env->capacity ? env->capacity * 2 : 16;
        struct value_member *members = ARENA_ARRAY(env->arena, capacity, struct value_member);
        if (!members) return ORCH_ERR_NO_MEMORY;
        if (env->count > 0) memcpy(members, env->members, env->count * sizeof(*members));
        env->members = members;
        env->capacity = capacity;
    }
    entry->number = env->count;
    env->members[env->count++] = (struct value_member){value_string(name), value};
    return 0;
}

/* Variables are text. */
static int env_text(struct value value, struct arena *arena, struct value *ret)
{
    struct buf buf;

    if (value.kind == VALUE_STRING) {
        *ret = value;
        return 0;
    }
    buf_init(&buf, NULL, 0);
    template_add_text(&buf, value);
    struct orch_str text = buf.failed ? STR_NONE : arena_str(arena, buf_str(&buf));
    buf_done(&buf);
    if (!text.data) return ORCH_ERR_NO_MEMORY;
    *ret = value_string(text);
    return 0;
}

static int env_add_all(struct env_map *env, struct scope *scope, const struct env_entry *entries, uint32_t count,
                       struct orch_error *err)
{
    scope->secrets = true;
    for (uint32_t i = 0; i < count; i++) {
        struct value value;
        int rc = scope_render(scope, &entries[i].value, env->arena, &value, err);
        if (rc < 0) {
            (void)error_context(err, "env %.*s", STR_ARG(entries[i].name));
            return rc;
        }
        rc = env_text(value, env->arena, &value);
        if (rc == 0) rc = env_add(env, entries[i].name, value);
        if (rc < 0) return error_memory(err);
    }
    return 0;
}

/* The blocks around a task hand their env down. Recursive by nesting, which the reader bounds. */
static int env_of_task(struct env_map *env, const struct core *core, uint32_t number, orch_time now,
                       struct orch_error *err)
{
    const struct core_instance *instance = instance_at(core, number);
    const struct task_options *options = instance->task->options;
    uint32_t frame = instance->frame;
    struct scope scope;

    /* A handler's owner is no block around it: what is around the owner is. */
    while (frame_at(core, frame)->owner != CORE_NONE &&
           (frame_at(core, frame)->role == BLOCK_ON_ERROR || frame_at(core, frame)->role == BLOCK_COMPENSATE))
        frame = frame_at(core, frame)->parent;
    int rc =
        frame_at(core, frame)->owner != CORE_NONE ? env_of_task(env, core, frame_at(core, frame)->owner, now, err) : 0;
    if (rc < 0 || !options || options->env_count == 0) return rc;
    scope_init(&scope, core, number, now);
    return env_add_all(env, &scope, options->env, options->env_count, err);
}

static int render_env(const struct core *core, uint32_t number, orch_time now, struct arena *arena, struct value *ret,
                      struct orch_error *err)
{
    struct env_map env = {.arena = arena};
    struct scope scope;

    map_init(&env.seen, core->allocator);
    scope_init_frame(&scope, core, CORE_NONE, now);
    int rc = env_add_all(&env, &scope, core->workflow->env, core->workflow->env_count, err);
    if (rc == 0) rc = env_of_task(&env, core, number, now, err);
    map_done(&env.seen);
    if (rc < 0) return rc;
    rc = value_map(env.members, env.count, arena, ret);
    return rc < 0 ? error_memory(err) : 0;
}

static int render_config(const struct core *core, uint32_t number, orch_time now, struct arena *arena,
                         struct value *ret, struct orch_error *err)
{
    const struct action *action = instance_at(core, number)->task->action;
    struct scope scope;

    scope_init(&scope, core, number, now);
    if (action->kind != ACTION_WORKFLOW) {
        scope.secrets = true;
        return scope_render(&scope, &action->config, arena, ret, err);
    }
    /* Its parameters are recorded with the execution it starts: no secrets. */
    struct value_member *members = ARENA_ARRAY(arena, 2, struct value_member);
    if (!members) return error_memory(err);
    members[0] = (struct value_member){value_string(STR("name")), value_string(action->workflow)};
    members[1].key = value_string(STR("parameters"));
    int rc = scope_render(&scope, &action->parameters, arena, &members[1].value, err);
    if (rc < 0) return rc;
    rc = value_map(members, 2, arena, ret);
    return rc < 0 ? error_memory(err) : 0;
}

int core_render(const struct core *core, uint32_t instance, orch_time now, struct arena *arena,
                struct value *ret_config, struct value *ret_env, struct orch_error *err)
{
    struct value config, env;

    if (instance >= core->instances.count || instance_at(core, instance)->task->kind != TASK_LEAF)
        return error_set(err, ORCH_ERR_NOT_FOUND, "there is no action number %u", instance);
    int rc = render_config(core, instance, now, arena, &config, err);
    if (rc == 0) rc = render_env(core, instance, now, arena, &env, err);
    if (rc < 0) return rc;
    *ret_config = config;
    *ret_env = env;
    return 0;
}
