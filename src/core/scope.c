/*
 * scope.c - the names that expressions see in a running execution.
 *
 * They are looked for from the inside out: in the frame of the one who asks, in that of its owner, and so on; then what
 * is seen everywhere. Whether a name may be asked for at all was checked when the definition was read (lang/names.c);
 * here a task that is not before the asker only has to be told from one further out that is.
 *
 * Outputs stay text until an expression asks for them: what is asked for is read off the expression.
 */
#include "core/internal.h"

/* ---- the way out ---- */

struct place {
    uint32_t frame; /* CORE_NONE: outside of everything */
    uint32_t asker; /* index in its block; CORE_NONE: all tasks of the block are seen */
    bool self;      /* the asker too; with all tasks seen: what the block as a whole gives, too */
};

static struct place place_of_owner(const struct core *core, const struct core_frame *frame, bool self)
{
    const struct core_instance *owner = instance_at(core, frame->owner);
    return (struct place){owner->frame, owner->task->index, self};
}

static struct place place_outer(const struct core *core, const struct place *place)
{
    const struct core_frame *frame = frame_at(core, place->frame);
    const struct place outside = {.frame = CORE_NONE};

    switch ((enum block_role)frame->role) {
    case BLOCK_BODY:
        return frame->owner == CORE_NONE ? outside
                                         : place_of_owner(core, frame, place->asker == CORE_NONE && place->self);
    case BLOCK_COMPENSATE: return frame->owner == CORE_NONE ? outside : place_of_owner(core, frame, true);
    case BLOCK_ON_ERROR:
        return frame->owner == CORE_NONE ? (struct place){0, CORE_NONE, false} : place_of_owner(core, frame, true);
    case BLOCK_FINALLY: {
        if (frame->owner == CORE_NONE) return (struct place){0, CORE_NONE, false};
        const struct core_inner *inner = instance_at(core, frame->owner)->detail->inner;
        if (inner->body != CORE_NONE) return (struct place){inner->body, CORE_NONE, false};
        return place_of_owner(core, frame, false);
    }
    }
    return outside;
}

/* Marks all tasks of a block that come before `asker`; NULL when memory is short. */
static bool *mark_before(const struct block *block, uint32_t asker, struct arena *arena)
{
    bool *marks = ARENA_ARRAY(arena, block->task_count, bool);
    uint32_t *stack = ARENA_ARRAY(arena, block->task_count, uint32_t);
    uint32_t depth = 0;

    if (!marks || !stack) return NULL;
    stack[depth++] = asker;
    while (depth > 0) {
        uint32_t task = stack[--depth];
        for (uint32_t i = block->dependency_start[task]; i < block->dependency_start[task + 1]; i++) {
            uint32_t before = block->dependencies[i];
            if (marks[before]) continue;
            marks[before] = true;
            stack[depth++] = before;
        }
    }
    return marks;
}

static const struct map_entry *entry_at(const struct core *core, const struct place *place, struct orch_str id)
{
    const struct block *block = frame_at(core, place->frame)->block;
    const struct map_entry *entry = block->by_id.count > 0 ? map_find(&block->by_id, id) : NULL;

    if (!entry || place->asker == CORE_NONE) return entry;
    return entry->number != place->asker || place->self ? entry : NULL;
}

/* Whether the task at a place is before the asker there. Asked only when there is another of that id further out. */
static int is_before(const struct core *core, const struct place *place, uint32_t index, struct arena *arena, bool *ret)
{
    const struct block *block = frame_at(core, place->frame)->block;

    *ret = true;
    if (place->asker == CORE_NONE || index == place->asker) return 0;
    const bool *marks = mark_before(block, place->asker, arena);
    if (!marks) return ORCH_ERR_NO_MEMORY;
    *ret = marks[index];
    return 0;
}

/* The instance that a name means at a place or further out. Returns 0, ORCH_ERR_NOT_FOUND, ORCH_ERR_NO_MEMORY. */
static int task_find(const struct core *core, struct place place, struct orch_str id, struct arena *arena,
                     uint32_t *ret)
{
    uint32_t found = CORE_NONE, found_index = 0;
    struct place found_at = {.frame = CORE_NONE};

    for (; place.frame != CORE_NONE; place = place_outer(core, &place)) {
        const struct map_entry *entry = entry_at(core, &place, id);
        if (!entry) continue;
        if (found != CORE_NONE) {
            bool before;
            int rc = is_before(core, &found_at, found_index, arena, &before);
            if (rc < 0) return rc;
            if (before) break;
        }
        found_index = (uint32_t)entry->number;
        found_at = place;
        found = frame_at(core, place.frame)->first + found_index;
    }
    if (found == CORE_NONE) return ORCH_ERR_NOT_FOUND;
    *ret = found;
    return 0;
}

/* ---- what is asked for ---- */

struct asked {
    struct orch_str name;
    int (*fn)(void *user, const struct expr_name *name);
    void *user;
};

static int asked_name(void *user, const struct expr_name *name)
{
    struct asked *asked = user;
    return str_equal(name->name, asked->name) ? asked->fn(asked->user, name) : 0;
}

static int asked_part(void *user, const struct template_part *part)
{
    return expr_each_name(part->expr, asked_name, user);
}

/* Calls fn for each mention of a name in what is evaluated. */
static int each_mention(const struct scope *scope, struct orch_str name,
                        int (*fn)(void *user, const struct expr_name *name), void *user)
{
    struct asked asked = {name, fn, user};

    if (scope->expr) return expr_each_name(scope->expr, asked_name, &asked);
    return scope->tmpl ? template_each_expr(scope->tmpl, asked_part, &asked) : 0;
}

/* Anything but a plain field other than the output asks for the output. */
static bool asks_output(struct orch_str field)
{
    static const char *const others[] = {"status", "error", "attempts", "exit_code", "started_at", "ended_at"};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (str_is(field, others[i])) return false;
    return true;
}

static int mention_asks_output(void *user, const struct expr_name *name)
{
    (void)user;
    return asks_output(name->field) ? 1 : 0;
}

/* ---- values ---- */

static struct value value_of_time(orch_time time)
{
    if (time == 0) return value_null();
    int64_t seconds = time / ORCH_SECOND, rest = time % ORCH_SECOND;
    if (rest < 0) seconds--, rest += ORCH_SECOND;
    return value_timestamp(seconds, (int32_t)rest * 1000);
}

int scope_error_value(const struct core *core, uint32_t number, struct arena *arena, struct value *ret)
{
    const struct core_instance *instance = number != CORE_NONE ? instance_at(core, number) : NULL;
    const struct core_detail *detail = instance ? instance->detail : NULL;
    enum failure failure = (enum failure)(instance ? instance->failure : core->failure);
    struct value_member *members = ARENA_ARRAY(arena, 4, struct value_member);

    if (!members) return ORCH_ERR_NO_MEMORY;
    members[0] = (struct value_member){value_string(STR("kind")), value_string(str_from(failure_to_string(failure)))};
    members[1] = (struct value_member){value_string(STR("message")),
                                       value_string(instance ? (detail ? detail->error : STR_NONE) : core->error)};
    members[2] = (struct value_member){value_string(STR("exit_code")),
                                       failure == FAILURE_EXIT && detail ? value_int(detail->exit_code) : value_null()};
    members[3] = (struct value_member){value_string(STR("signal")),
                                       failure == FAILURE_SIGNAL && detail ? value_int(detail->signal) : value_null()};
    return value_map(members, 4, arena, ret);
}

static int output_value(const struct core *core, uint32_t number, struct arena *arena, struct value *ret,
                        struct orch_error *err)
{
    const struct core_instance *instance = instance_at(core, number);
    struct orch_str text;

    if (instance->task->kind == TASK_LEAF && !(instance->detail && instance->detail->inner)) {
        if (!instance->detail) return 0;
        if (instance->detail->blob == 0) {
            if (instance->detail->output.size == 0) return 0;
            return json_parse(instance->detail->output, NULL, arena, ret, err);
        }
    }
    struct buf buf;
    buf_init(&buf, core->allocator, 0);
    int rc = output_of_instance(core, number, arena, &buf, err);
    text = rc == 0 && !buf.failed ? arena_str(arena, buf_str(&buf)) : STR_NONE;
    buf_done(&buf);
    if (rc < 0) return rc;
    return text.data ? json_parse(text, NULL, arena, ret, err) : error_memory(err);
}

/* As a task's handler sees it, it has ended, although the handler decides how. */
static enum task_state state_seen(const struct core_instance *instance)
{
    if (instance->state == TASK_RUNNING && instance->detail && instance->detail->inner &&
        instance->detail->inner->phase == PHASE_ON_ERROR)
        return instance->failure == FAILURE_TIMEOUT ? TASK_TIMED_OUT : TASK_FAILED;
    return (enum task_state)instance->state;
}

static bool has_exit_code(const struct core_instance *instance)
{
    if (instance->task->kind != TASK_LEAF || !instance->detail || instance->attempt == 0) return false;
    enum action_kind kind = instance->task->action->kind;
    return kind == ACTION_SHELL || kind == ACTION_EXEC || kind == ACTION_SCRIPT;
}

static int task_value_new(const struct core *core, uint32_t number, bool with_output, struct arena *arena,
                          struct value *ret, struct orch_error *err)
{
    const struct core_instance *instance = instance_at(core, number);
    const struct core_detail *detail = instance->detail;
    struct value output = value_null(), error = value_null();
    enum task_state state = state_seen(instance);
    struct value_member *members = ARENA_ARRAY(arena, 8, struct value_member);
    int rc = 0;

    if (!members) return error_memory(err);
    if (with_output) rc = output_value(core, number, arena, &output, err);
    if (rc < 0) return rc;
    if (instance->failure != FAILURE_NONE &&
        (state == TASK_FAILED || state == TASK_TIMED_OUT || state == TASK_CANCELLED))
        rc = scope_error_value(core, number, arena, &error);
    if (rc < 0) return error_memory(err);
    members[0] = (struct value_member){value_string(STR("output")), output};
    members[1] = (struct value_member){value_string(STR("response")), output};
    members[2] =
        (struct value_member){value_string(STR("status")), value_string(str_from(task_state_to_string(state)))};
    members[3] = (struct value_member){value_string(STR("error")), error};
    members[4] = (struct value_member){value_string(STR("attempts")), value_int(instance->attempt)};
    members[5] = (struct value_member){value_string(STR("exit_code")),
                                       has_exit_code(instance) ? value_int(detail->exit_code) : value_null()};
    members[6] = (struct value_member){value_string(STR("started_at")), value_of_time(detail ? detail->started_at : 0)};
    members[7] = (struct value_member){value_string(STR("ended_at")), value_of_time(detail ? detail->ended_at : 0)};
    rc = value_map(members, 8, arena, ret);
    return rc < 0 ? error_memory(err) : 0;
}

static int task_value(struct scope *scope, uint32_t number, bool with_output, struct value *ret, struct orch_error *err)
{
    for (uint32_t i = 0; i < scope->cache_count; i++) {
        if (scope->cache[i].instance != number || (with_output && !scope->cache[i].with_output)) continue;
        *ret = scope->cache[i].value;
        return 0;
    }
    int rc = task_value_new(scope->core, number, with_output, scope->arena, ret, err);
    if (rc == 0 && scope->cache_count < sizeof(scope->cache) / sizeof(scope->cache[0]))
        scope->cache[scope->cache_count++] = (struct scope_cached){number, with_output, *ret};
    return rc;
}

/* ---- the map `tasks` ---- */

struct tasks_map {
    struct scope *scope;
    struct map seen; /* id -> instance */
    struct value_member *members;
    uint32_t count, capacity;
    bool all; /* not only those with a plain field */
    struct orch_error *err;
};

static int tasks_add(struct tasks_map *tasks, struct orch_str id, uint32_t number)
{
    bool added;
    struct value value;

    if (!map_add(&tasks->seen, id, &added)) return error_memory(tasks->err);
    if (!added) return 0;
    int rc = task_value(tasks->scope, number, true, &value, tasks->err);
    if (rc < 0) return rc;
    if (tasks->count == tasks->capacity) {
        uint32_t capacity = tasks->capacity ? tasks->capacity * 2 : 8;
        struct value_member *members = ARENA_ARRAY(tasks->scope->arena, capacity, struct value_member);
        if (!members) return error_memory(tasks->err);
        if (tasks->count > 0) memcpy(members, tasks->members, tasks->count * sizeof(*members));
        tasks->members = members;
        tasks->capacity = capacity;
    }
    tasks->members[tasks->count++] = (struct value_member){value_string(id), value};
    return 0;
}

static int tasks_mention(void *user, const struct expr_name *name)
{
    struct tasks_map *tasks = user;
    struct place place = {tasks->scope->frame, tasks->scope->asker, tasks->scope->self};
    uint32_t number;

    if (name->field.size == 0) {
        tasks->all = true;
        return 0;
    }
    int rc = task_find(tasks->scope->core, place, name->field, tasks->scope->arena, &number);
    if (rc < 0) return rc == ORCH_ERR_NOT_FOUND ? 0 : error_memory(tasks->err);
    return tasks_add(tasks, name->field, number);
}

/* Every task that is seen, from the inside out. */
static int tasks_add_all(struct tasks_map *tasks)
{
    const struct core *core = tasks->scope->core;
    struct place place = {tasks->scope->frame, tasks->scope->asker, tasks->scope->self};

    for (; place.frame != CORE_NONE; place = place_outer(core, &place)) {
        const struct core_frame *frame = frame_at(core, place.frame);
        const bool *marks = NULL;
        if (place.asker != CORE_NONE && !(marks = mark_before(frame->block, place.asker, tasks->scope->arena)))
            return error_memory(tasks->err);
        for (uint32_t i = 0; i < frame->block->task_count; i++) {
            if (marks && !marks[i] && !(i == place.asker && place.self)) continue;
            int rc = tasks_add(tasks, frame->block->tasks[i].id, frame->first + i);
            if (rc < 0) return rc;
        }
    }
    return 0;
}

static int tasks_value(struct scope *scope, struct value *ret, struct orch_error *err)
{
    struct tasks_map tasks = {.scope = scope, .err = err};

    map_init(&tasks.seen, scope->core->allocator);
    int rc = each_mention(scope, STR("tasks"), tasks_mention, &tasks);
    if (rc == 0 && tasks.all) rc = tasks_add_all(&tasks);
    map_done(&tasks.seen);
    if (rc < 0) return rc;
    rc = value_map(tasks.members, tasks.count, scope->arena, ret);
    return rc < 0 ? error_memory(err) : 0;
}

/* ---- secrets ---- */

struct secrets_map {
    struct scope *scope;
    struct value_member members[32];
    uint32_t count;
    struct orch_error *err;
};

static int secrets_mention(void *user, const struct expr_name *name)
{
    struct secrets_map *secrets = user;
    const struct core_env *env = &secrets->scope->core->env;
    struct orch_str text;

    if (name->field.size == 0)
        return error_set(secrets->err, ORCH_ERR_EVALUATION, "secrets are asked for by name: secrets.NAME");
    for (uint32_t i = 0; i < secrets->count; i++)
        if (str_equal(value_str(secrets->members[i].key), name->field)) return 0;
    if (secrets->count == sizeof(secrets->members) / sizeof(secrets->members[0]))
        return error_set(secrets->err, ORCH_ERR_LIMIT, "more than %u secrets in one place", secrets->count);
    if (!env->secret)
        return error_set(secrets->err, ORCH_ERR_EVALUATION, "secret %.*s: there is none here", STR_ARG(name->field));
    int rc = env->secret(env->user, name->field, secrets->scope->arena, &text, secrets->err);
    if (rc < 0) return rc;
    secrets->members[secrets->count++] = (struct value_member){value_string(name->field), value_string(text)};
    return 0;
}

static int secrets_value(struct scope *scope, struct value *ret, struct orch_error *err)
{
    struct secrets_map secrets = {.scope = scope, .err = err};
    int rc = each_mention(scope, STR("secrets"), secrets_mention, &secrets);

    if (rc < 0) return rc;
    struct value_member *members = ARENA_ARRAY(scope->arena, secrets.count, struct value_member);
    if (!members) return error_memory(err);
    if (secrets.count > 0) memcpy(members, secrets.members, secrets.count * sizeof(*members));
    rc = value_map(members, secrets.count, scope->arena, ret);
    return rc < 0 ? error_memory(err) : 0;
}

/* ---- looking up ---- */

/* Names that a frame brings along: a loop's item, a repeat's iteration, a handler's error. ORCH_ERR_NOT_FOUND when it
 * is none. */
static int frame_name(struct scope *scope, uint32_t number, struct orch_str name, struct value *ret,
                      struct orch_error *err)
{
    const struct core *core = scope->core;
    const struct core_frame *frame = frame_at(core, number);

    if (frame->role == BLOCK_ON_ERROR && str_is(name, "error")) {
        int rc = scope_error_value(core, frame->owner, scope->arena, ret);
        return rc < 0 ? error_memory(err) : 0;
    }
    if (frame->role != BLOCK_BODY || frame->owner == CORE_NONE) return ORCH_ERR_NOT_FOUND;
    const struct core_instance *owner = instance_at(core, frame->owner);
    if (owner->task->kind == TASK_FOR_EACH) {
        const struct loop *loop = owner->task->options->loop;
        if (str_equal(name, loop->as))
            return json_parse(core_frame_item(core, number, NULL), NULL, scope->arena, ret, err);
        if (!str_equal(name, loop->as_index)) return ORCH_ERR_NOT_FOUND;
        *ret = value_int(frame->index);
        return 0;
    }
    if (owner->task->kind != TASK_REPEAT) return ORCH_ERR_NOT_FOUND;
    if (str_is(name, "iteration")) {
        *ret = value_int(frame->index);
        return 0;
    }
    if (!str_is(name, "previous")) return ORCH_ERR_NOT_FOUND;
    *ret = value_null();
    const struct core_inner *inner = owner->detail->inner;
    if (inner->body != number || inner->before == CORE_NONE) return 0;
    struct buf buf;
    buf_init(&buf, core->allocator, 0);
    int rc = output_of_frame(core, inner->before, scope->arena, &buf, err);
    struct orch_str text = rc == 0 && !buf.failed ? arena_str(scope->arena, buf_str(&buf)) : STR_NONE;
    buf_done(&buf);
    if (rc < 0) return rc;
    return text.data ? json_parse(text, NULL, scope->arena, ret, err) : error_memory(err);
}

static int map_of(struct scope *scope, const struct value_member *given, uint32_t count, struct value *ret,
                  struct orch_error *err)
{
    struct value_member *members = ARENA_ARRAY(scope->arena, count, struct value_member);

    if (!members) return error_memory(err);
    memcpy(members, given, count * sizeof(*members));
    int rc = value_map(members, count, scope->arena, ret);
    return rc < 0 ? error_memory(err) : 0;
}

static int everywhere(struct scope *scope, struct orch_str name, struct value *ret, struct orch_error *err)
{
    const struct core *core = scope->core;
    const struct value *parameter = value_get(core->parameters, name);

    if (parameter) {
        *ret = *parameter;
        return 0;
    }
    if (str_is(name, "params")) {
        *ret = core->parameters;
        return 0;
    }
    if (str_is(name, "env")) {
        *ret = core->variables;
        return 0;
    }
    if (str_is(name, "tasks")) return tasks_value(scope, ret, err);
    if (str_is(name, "secrets") && scope->secrets) return secrets_value(scope, ret, err);
    if (str_is(name, "execution")) {
        const struct value_member members[] = {
            {value_string(STR("id")), value_string(core->id)},
            {value_string(STR("started_at")), value_of_time(core->started_at)},
            {value_string(STR("name")), value_string(core->workflow->name)},
        };
        return map_of(scope, members, 3, ret, err);
    }
    if (str_is(name, "workflow")) {
        const struct value_member members[] = {
            {value_string(STR("name")), value_string(core->workflow->name)},
            {value_string(STR("version")), value_string(core->workflow->version)},
        };
        return map_of(scope, members, 2, ret, err);
    }
    return ORCH_ERR_NOT_FOUND;
}

static int lookup(void *user, struct orch_str name, struct arena *arena, struct value *ret, struct orch_error *err)
{
    struct scope *scope = user;
    const struct core *core = scope->core;
    uint32_t number;

    (void)arena; /* what is looked up is kept for all of a template */
    if (scope->event && str_is(name, "event")) {
        *ret = *scope->event;
        return 0;
    }
    struct place place = {scope->frame, scope->asker, scope->self};
    for (; place.frame != CORE_NONE; place = place_outer(core, &place)) {
        if (entry_at(core, &place, name)) {
            int rc = task_find(core, place, name, scope->arena, &number);
            if (rc < 0) return rc == ORCH_ERR_NO_MEMORY ? error_memory(err) : rc;
            return task_value(scope, number, each_mention(scope, name, mention_asks_output, NULL) != 0, ret, err);
        }
        int rc = frame_name(scope, place.frame, name, ret, err);
        if (rc != ORCH_ERR_NOT_FOUND) return rc;
    }
    return everywhere(scope, name, ret, err);
}

/* ---- evaluating ---- */

static int zone_of(void *user, struct orch_str name, struct orch_str *ret_tzif)
{
    const struct core_env *env = &((struct scope *)user)->core->env;
    return env->zone(env->user, name, ret_tzif);
}

void scope_init_frame(struct scope *scope, const struct core *core, uint32_t frame, orch_time now)
{
    *scope = (struct scope){.core = core, .frame = frame, .asker = CORE_NONE, .now = now};
}

void scope_init_iteration(struct scope *scope, const struct core *core, uint32_t body, orch_time now)
{
    const struct core_frame *frame = frame_at(core, body);

    scope_init_frame(scope, core, body, now);
    if (!block_is_wrapped(frame->block) || frame->block->tasks[0].kind != TASK_GROUP) return;
    const struct core_detail *group = instance_at(core, frame->first)->detail;
    if (!group || !group->inner || group->inner->body == CORE_NONE) return;
    scope->frame = group->inner->body;
    scope->self = true;
}

void scope_init(struct scope *scope, const struct core *core, uint32_t number, orch_time now)
{
    const struct core_instance *instance = instance_at(core, number);
    *scope = (struct scope){.core = core, .frame = instance->frame, .asker = instance->task->index, .now = now};
}

static struct expr_env env_of(struct scope *scope, struct arena *arena)
{
    scope->arena = arena;
    scope->cache_count = 0;
    return (struct expr_env){
        .lookup = lookup,
        .zone = scope->core->env.zone ? zone_of : NULL,
        .user = scope,
        .now = scope->now,
        .limits = &scope->core->env.expr_limits,
    };
}

int scope_eval(struct scope *scope, const struct expr *expr, struct arena *arena, struct value *ret,
               struct orch_error *err)
{
    struct expr_env env = env_of(scope, arena);

    scope->expr = expr;
    scope->tmpl = NULL;
    return expr_eval(expr, &env, arena, ret, err);
}

int scope_render(struct scope *scope, const struct template *tmpl, struct arena *arena, struct value *ret,
                 struct orch_error *err)
{
    struct expr_env env = env_of(scope, arena);

    scope->expr = NULL;
    scope->tmpl = tmpl;
    return template_render(tmpl, &env, arena, ret, err);
}

int core_eval(const struct core *core, uint32_t instance, const struct expr *expr, orch_time now, struct arena *arena,
              struct value *ret, struct orch_error *err)
{
    struct scope scope;

    if (instance != CORE_NONE && instance >= core->instances.count)
        return error_set(err, ORCH_ERR_NOT_FOUND, "there is no task number %u", instance);
    if (instance != CORE_NONE)
        scope_init(&scope, core, instance, now);
    else
        scope_init_frame(&scope, core, core->frames.count > 0 ? 0 : CORE_NONE, now);
    return scope_eval(&scope, expr, arena, ret, err);
}
