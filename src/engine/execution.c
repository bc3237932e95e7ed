/*
 * execution.c - a loaded execution: made, found, shown in its row, ended. How one begins: start.c, resume.c.
 */
#include "internal.h"

#include "sys/zone.h"

static struct engine_execution **bucket_of(struct engine *engine, int64_t number)
{
    return &engine->execution_buckets[(uint64_t)number * 0x9E3779B97F4A7C15u >> 52];
}

struct engine_execution *engine_find(struct engine *engine, int64_t number)
{
    struct engine_execution *execution = *bucket_of(engine, number);
    while (execution && execution->number != number) execution = execution->bucket_next;
    return execution;
}

orch_time engine_execution_now(const struct engine_execution *execution)
{
    return engine_now(execution->engine) + execution->time_ahead;
}

static int blob_of(void *user, uint64_t blob, struct arena *arena, struct orch_str *ret, struct orch_error *err)
{
    struct engine_execution *execution = user;
    return store_get_blob(execution->engine->store, execution->number, blob, arena, ret, err);
}

static int zone_of(void *user, struct orch_str name, struct orch_str *ret_tzif)
{
    struct engine_execution *execution = user;
    return zonefiles_load(&execution->engine->zones, name, ret_tzif);
}

static int secret_of(void *user, struct orch_str name, struct arena *arena, struct orch_str *ret,
                     struct orch_error *err)
{
    struct engine_execution *execution = user;
    (void)arena; /* they live as long as the execution */
    for (struct secret *secret = execution->secrets; secret; secret = secret->next)
        if (str_equal(secret->name, name)) {
            *ret = secret->value;
            return 0;
        }
    return error_set(err, ORCH_ERR_NOT_FOUND, "secret \"%.*s\" is not declared", STR_ARG(name));
}

struct engine_execution *execution_new(struct engine *engine, struct engine_version *version, int64_t number,
                                       struct orch_error *err)
{
    struct engine_execution *execution = mem_resize(engine->allocator, NULL, 0, sizeof *execution);
    if (!execution) {
        error_memory(err);
        return NULL;
    }
    memset(execution, 0, sizeof *execution);
    execution->engine = engine;
    execution->number = number;
    execution->next_seq = 1;
    execution->deadline = ORCH_TIME_NEVER;
    store_execution_id(number, execution->id);
    arena_init(&execution->arena, engine->allocator, 0);
    struct core_env env = {.blob = blob_of, .zone = zone_of, .secret = secret_of, .user = execution};
    /* The seed follows from the store's mark and the number: chance that can be told afterwards. */
    uint64_t seed = str_hash(engine->mark) ^ (uint64_t)number * 0x9E3779B97F4A7C15u;
    execution->core = core_new(version->workflow, seed, &env, engine->allocator);
    execution->version = version_ref(version);
    execution->next = engine->executions;
    if (execution->next) execution->next->previous = execution;
    engine->executions = execution;
    engine->executions_count++;
    struct engine_execution **bucket = bucket_of(engine, number);
    execution->bucket_next = *bucket;
    *bucket = execution;
    if (!execution->core) {
        error_memory(err);
        execution_free(execution);
        return NULL;
    }
    return execution;
}

void execution_free(struct engine_execution *execution)
{
    struct engine *engine = execution->engine;
    ORCH_ASSERT(!execution->dirty || engine->closing);
    while (execution->attempts) {
        /* Only sub-workflows: a provider would report an end to what is gone. */
        ORCH_ASSERT(!execution->attempts->provider);
        attempt_remove(execution->attempts);
    }
    engine_timer_set(engine, execution, ORCH_TIME_NEVER);
    limits_close(execution);
    if (execution->next) execution->next->previous = execution->previous;
    if (execution->previous)
        execution->previous->next = execution->next;
    else
        engine->executions = execution->next;
    struct engine_execution **at = bucket_of(engine, execution->number);
    while (*at != execution) at = &(*at)->bucket_next;
    *at = execution->bucket_next;
    engine->executions_count--;
    execution->core = core_free(execution->core);
    (void)engine_version_unref(execution->version);
    arena_done(&execution->arena);
    mem_resize(engine->allocator, execution, sizeof *execution, 0);
}

const struct core *engine_execution_core(const struct engine_execution *execution)
{
    return execution->core;
}

int64_t engine_execution_number(const struct engine_execution *execution)
{
    return execution->number;
}

const char *engine_execution_id(const struct engine_execution *execution)
{
    return execution->id;
}

static struct orch_str waiting_text(const struct engine_execution *execution, struct arena *arena)
{
    /* What people have to act on comes first; there are few waiting tasks, and the row is told seldom. */
    uint32_t count = core_instance_count(execution->core);
    for (uint32_t i = 0; i < count && i < 10000; i++) {
        const struct core_instance *instance = core_get_instance(execution->core, i);
        if (instance->state != TASK_WAITING) continue;
        if (instance->reason != REASON_APPROVAL && instance->reason != REASON_HELD && instance->reason != REASON_EVENT)
            continue;
        struct buf path;
        buf_init(&path, NULL, 4096);
        core_path(execution->core, i, &path);
        struct orch_str text =
            arena_printf(arena, "%s: %.*s", reason_to_string((enum reason)instance->reason), STR_ARG(buf_str(&path)));
        buf_done(&path);
        return text;
    }
    return STR_NONE;
}

void execution_row(const struct engine_execution *execution, struct arena *arena, struct store_execution *ret)
{
    struct core_summary summary;
    core_get_summary(execution->core, &summary);
    bool may_wait = summary.states[TASK_WAITING] && !execution_state_is_terminal((uint8_t)summary.state);
    *ret = (struct store_execution){
        .number = execution->number,
        .id = str_from(execution->id),
        .workflow = execution->version->workflow->name,
        .digest = str_from(execution->version->digest),
        .base_dir = execution->base_dir,
        .file = execution->file,
        .parameters = execution->parameters,
        .by = execution->by,
        .state = (uint8_t)summary.state,
        .generation = summary.generation,
        .tasks_total = summary.tasks_total,
        .tasks_done = summary.tasks_done,
        .tasks_failed = summary.states[TASK_FAILED] + summary.states[TASK_TIMED_OUT],
        .created_at = summary.started_at,
        .started_at = summary.started_at,
        .ended_at = summary.ended_at,
        .updated_at = engine_execution_now(execution),
        .error = summary.error,
        .waiting = may_wait ? waiting_text(execution, arena) : STR_NONE,
        .parent = execution->parent,
        .parent_instance = execution->parent_instance,
        .parent_fence = execution->parent_fence,
    };
}

void execution_after_end(struct engine_execution *execution)
{
    struct engine *engine = execution->engine;
    if (engine->options.observer.ended) engine->options.observer.ended(engine->options.observer.user, execution);
    if (execution->parent) child_ended(execution);
    execution_free(execution);
}
