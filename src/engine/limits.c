/*
 * limits.c - which limits a task needs a unit of.
 */
#include "internal.h"

static struct named_limit *named_find(struct named_limit *list, struct orch_str name)
{
    while (list && !str_equal(list->name, name)) list = list->next;
    return list;
}

/* Pools and workflows are few; they stay for the life of the engine, like a process's file table. */
static struct named_limit *named_get(struct engine *engine, struct named_limit **list, struct orch_str name, uint32_t units)
{
    struct named_limit *limit = named_find(*list, name);
    if (limit) {
        uint32_t now, taken;
        admission_limit_get(engine->admission, limit->limit, NULL, &now, &taken);
        /* The latest definition says how large it is. */
        if (now != units) admission_limit_set(engine->admission, limit->limit, units);
        return limit;
    }
    limit = ARENA_NEW(&engine->arena, struct named_limit);
    if (!limit) return NULL;
    limit->name = arena_str(&engine->arena, name);
    if (!limit->name.data) return NULL;
    limit->limit = admission_limit_add(engine->admission, limit->name, units);
    if (!limit->limit) return NULL;
    limit->next = *list;
    *list = limit;
    return limit;
}

int limits_open(struct engine_execution *execution, struct orch_error *err)
{
    struct engine *engine = execution->engine;
    const struct workflow *workflow = execution->version->workflow;
    if (workflow->concurrency) {
        execution->limit = admission_limit_add(engine->admission, str_from(execution->id), workflow->concurrency);
        if (!execution->limit) return error_memory(err);
    }
    if (workflow->concurrency_workflow && !named_get(engine, &engine->workflows, workflow->name, workflow->concurrency_workflow))
        return error_memory(err);
    for (uint32_t i = 0; i < workflow->pools_count; i++)
        if (workflow->pools[i].declared && !named_get(engine, &engine->pools, workflow->pools[i].name, workflow->pools[i].slots))
            return error_memory(err);
    for (uint32_t i = 0; i < workflow->pools_count; i++) {
        if (!named_find(engine->pools, workflow->pools[i].name)) {
            error_set(err, ORCH_ERR_DEPENDENCY, "pool \"%.*s\" is not declared", STR_ARG(workflow->pools[i].name));
            error_hint(err, "add  pools: {%.*s: 1}  to the workflow", STR_ARG(workflow->pools[i].name));
            return ORCH_ERR_DEPENDENCY;
        }
    }
    return 0;
}

void limits_close(struct engine_execution *execution)
{
    struct engine *engine = execution->engine;
    if (execution->limit) admission_limit_remove(engine->admission, execution->limit);
    for (struct execution_limit *limit = execution->group_limits; limit; limit = limit->next)
        admission_limit_remove(engine->admission, limit->limit);
    execution->limit = 0;
    execution->group_limits = NULL;
}

static admission_limit group_limit(struct engine_execution *execution, uint32_t frame, uint32_t units)
{
    for (struct execution_limit *limit = execution->group_limits; limit; limit = limit->next)
        if (limit->frame == frame) return limit->limit;
    struct execution_limit *limit = ARENA_NEW(&execution->arena, struct execution_limit);
    if (!limit) return 0;
    limit->frame = frame;
    limit->limit = admission_limit_add(execution->engine->admission, STR("group"), units);
    if (!limit->limit) return 0;
    limit->next = execution->group_limits;
    execution->group_limits = limit;
    return limit->limit;
}

int limits_request(struct engine_execution *execution, uint32_t at, bool take, struct orch_error *err)
{
    struct engine *engine = execution->engine;
    const struct workflow *workflow = execution->version->workflow;
    const struct core_instance *instance = core_get_instance(execution->core, at);
    const struct task *task = instance->task;
    struct admission_need needs[ADMISSION_LIMITS_MAX];
    uint32_t count = 0;
    /* A sub-workflow's own tasks take the jobs; were it to hold one meanwhile, a few of them nested could wait for each other for ever. */
    if (task->action->kind != ACTION_WORKFLOW) needs[count++] = (struct admission_need){engine->jobs, 1};
    if (execution->limit) needs[count++] = (struct admission_need){execution->limit, 1};
    if (workflow->concurrency_workflow) {
        struct named_limit *limit = named_find(engine->workflows, workflow->name);
        ORCH_ASSERT(limit);
        needs[count++] = (struct admission_need){limit->limit, 1};
    }
    if (task->options)
        for (uint32_t i = 0; i < task->options->pools_count && count < ADMISSION_LIMITS_MAX; i++) {
            struct named_limit *limit = named_find(engine->pools, workflow->pools[task->options->pools[i].pool].name);
            ORCH_ASSERT(limit);
            needs[count++] = (struct admission_need){limit->limit, task->options->pools[i].slots};
        }
    int32_t priority = workflow->priority;
    if (task->options) priority += task->options->priority;
    uint32_t rank = task->rank;
    for (uint32_t f = instance->frame; f != CORE_NONE;) {
        const struct core_frame *frame = core_get_frame(execution->core, f);
        if (frame->owner == CORE_NONE) break;
        const struct core_instance *owner = core_get_instance(execution->core, frame->owner);
        /* How long the way is from here: through this block, then on from its owner. */
        rank += owner->task->rank - 1;
        if (owner->task->options) {
            priority += owner->task->options->priority;
            if (owner->task->options->concurrency && count < ADMISSION_LIMITS_MAX) {
                admission_limit limit = group_limit(execution, f, owner->task->options->concurrency);
                if (!limit) return error_memory(err);
                needs[count++] = (struct admission_need){limit, 1};
            }
        }
        f = frame->parent;
    }
    struct admission_request request = {
        .owner = (uint64_t)execution->number, .instance = at, .priority = priority, .rank = rank, .needs = needs, .needs_count = count};
    int r = take ? admission_take(engine->admission, &request) : admission_enqueue(engine->admission, &request);
    if (r == ORCH_ERR_NO_MEMORY) return error_memory(err);
    if (r) return error_set(err, r, "task \"%.*s\" needs more of a pool than there is", STR_ARG(task->id));
    return 0;
}

bool engine_execution_blocked(const struct engine_execution *execution, uint32_t instance, struct buf *out)
{
    const struct admission *admission = execution->engine->admission;
    admission_limit limit = admission_blocked_by(admission, (uint64_t)execution->number, instance);
    if (!limit) return false;
    struct orch_str name;
    uint32_t units, taken;
    admission_limit_get(admission, limit, &name, &units, &taken);
    buf_printf(out, "%.*s %u/%u", STR_ARG(name), taken, units);
    return true;
}
