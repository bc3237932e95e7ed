/*
 * limits.c - which limits a task needs a unit of.
 *
 * The engine's jobs, concurrency of a workflow over its executions, pools, concurrency of an execution, and of each
 * group around the task. The first three are shared and named, and live as long as a loaded execution uses them; a
 * group's lives as long as its frame.
 */
#include "internal.h"

/* Room for what every task may need: jobs, its workflow, its execution. */
#define NEEDS_COMMON 3

bool limits_apply(const struct task *task)
{
    if (task->kind != TASK_LEAF) return false;
    switch (task->action->kind) {
    case ACTION_TRANSFORM: /* these the core carries out at once, or they only wait */
    case ACTION_WAIT:
    case ACTION_APPROVAL:
    case ACTION_NOOP:
    case ACTION_NONE: return false;
    case ACTION_SHELL:
    case ACTION_EXEC:
    case ACTION_SCRIPT:
    case ACTION_WORKFLOW:
    case ACTION_NOTIFICATION:
    case ACTION_FUNCTION:
    case ACTION_SERVICE_CALL:
    case ACTION_FACTORY: return true;
    }
    return false;
}

/*
 * What a definition needs, once for all its executions.
 */
static uint32_t groups_around(const struct block *block)
{
    uint32_t count = 0;
    for (const struct task *owner = block->owner; owner; owner = owner->block->owner)
        count += owner->options && owner->options->concurrency;
    return count;
}

int limits_measure(struct engine_version *version, struct orch_error *err)
{
    const struct workflow *workflow = version->workflow;
    version->pool_needs = ARENA_ARRAY(&version->arena, workflow->pools_count, uint32_t);
    if (!version->pool_needs) return error_memory(err);
    for (uint32_t b = 0; b < workflow->block_count; b++) {
        const struct block *block = workflow->blocks[b];
        uint32_t around = groups_around(block);
        for (uint32_t t = 0; t < block->task_count; t++) {
            const struct task *task = &block->tasks[t];
            uint32_t pools = task->options ? task->options->pools_count : 0;
            if (limits_apply(task) && NEEDS_COMMON + pools + around > ADMISSION_LIMITS_MAX) {
                error_set(err, ORCH_ERR_LIMIT, "task \"%.*s\" stands under %u limits, more than %d", STR_ARG(task->id),
                          NEEDS_COMMON + pools + around, ADMISSION_LIMITS_MAX);
                error_hint(err, "name fewer pools, or drop `concurrency` of a group around it");
                if (err) {
                    err->line = task->line;
                    err->column = task->column;
                }
                return ORCH_ERR_LIMIT;
            }
            for (uint32_t i = 0; i < pools; i++) {
                uint32_t *need = &version->pool_needs[task->options->pools[i].pool];
                if (task->options->pools[i].slots > *need) *need = task->options->pools[i].slots;
            }
        }
    }
    return 0;
}

/*
 * Named limits.
 */
static struct named_limit *named_find(struct named_limit *list, struct orch_str name)
{
    while (list && !str_equal(list->name, name)) list = list->next;
    return list;
}

static struct named_limit *named_new(struct engine *engine, struct named_limit **list, struct orch_str name)
{
    struct named_limit *limit = mem_resize(engine->allocator, NULL, 0, sizeof *limit + name.size);
    if (!limit) return NULL;
    memset(limit, 0, sizeof *limit);
    if (name.size) memcpy(limit->bytes, name.data, name.size);
    limit->name = str_of(limit->bytes, name.size);
    limit->limit = admission_limit_add(engine->admission, limit->name, 1);
    if (!limit->limit) {
        mem_resize(engine->allocator, limit, sizeof *limit + name.size, 0);
        return NULL;
    }
    limit->next = *list;
    *list = limit;
    return limit;
}

/*
 * The latest definition says how large it is. But what a task that is loaded needs it keeps, or that one would wait for
 * ever.
 */
static void named_use(struct engine *engine, struct named_limit *limit, uint32_t units, uint32_t need)
{
    limit->users++;
    if (need > limit->need) limit->need = need;
    if (units < limit->need) units = limit->need;
    if (units == limit->units) return;
    limit->units = units;
    admission_limit_set(engine->admission, limit->limit, units);
}

static void named_leave(struct engine *engine, struct named_limit **list, struct named_limit *limit)
{
    if (--limit->users) return;
    while (*list != limit) list = &(*list)->next;
    *list = limit->next;
    if (engine->admission) admission_limit_remove(engine->admission, limit->limit);
    mem_resize(engine->allocator, limit, sizeof *limit + limit->name.size, 0);
}

static int open_pools(struct engine_execution *execution, struct orch_error *err)
{
    struct engine *engine = execution->engine;
    const struct workflow *workflow = execution->version->workflow;
    execution->pools = ARENA_ARRAY(&execution->arena, workflow->pools_count, struct named_limit *);
    if (!execution->pools) return error_memory(err);
    for (uint32_t i = 0; i < workflow->pools_count; i++) {
        const struct pool *pool = &workflow->pools[i];
        uint32_t need = execution->version->pool_needs[i];
        struct named_limit *limit = named_find(engine->pools, pool->name);
        if (!pool->declared && !limit) {
            error_set(err, ORCH_ERR_DEPENDENCY, "pool \"%.*s\" is not declared", STR_ARG(pool->name));
            error_hint(err, "add  pools: {%.*s: 1}  to the workflow", STR_ARG(pool->name));
            return ORCH_ERR_DEPENDENCY;
        }
        if (!pool->declared && need > limit->units) {
            error_set(err, ORCH_ERR_DEPENDENCY, "pool \"%.*s\" has %u slots, and a task needs %u", STR_ARG(pool->name),
                      limit->units, need);
            error_hint(err, "add  pools: {%.*s: %u}  to the workflow", STR_ARG(pool->name), need);
            return ORCH_ERR_DEPENDENCY;
        }
        if (!limit) limit = named_new(engine, &engine->pools, pool->name);
        if (!limit) return error_memory(err);
        named_use(engine, limit, pool->declared ? pool->slots : limit->units, need);
        execution->pools[i] = limit;
    }
    return 0;
}

int limits_open(struct engine_execution *execution, struct orch_error *err)
{
    struct engine *engine = execution->engine;
    const struct workflow *workflow = execution->version->workflow;
    if (workflow->concurrency) {
        execution->limit = admission_limit_add(engine->admission, str_from(execution->id), workflow->concurrency);
        if (!execution->limit) return error_memory(err);
    }
    if (workflow->concurrency_workflow) {
        struct named_limit *limit = named_find(engine->workflows, workflow->name);
        if (!limit) limit = named_new(engine, &engine->workflows, workflow->name);
        if (!limit) return error_memory(err);
        named_use(engine, limit, workflow->concurrency_workflow, 1);
        execution->workflow_limit = limit;
    }
    return open_pools(execution, err);
}

void limits_frame_ended(struct engine_execution *execution, uint32_t frame)
{
    if (frame >= execution->frame_limits_count || !execution->frame_limits[frame]) return;
    admission_limit_remove(execution->engine->admission, execution->frame_limits[frame]);
    execution->frame_limits[frame] = 0;
}

/* Nothing of it waits or holds any more; or the whole of admission is gone already. */
void limits_close(struct engine_execution *execution)
{
    struct engine *engine = execution->engine;
    if (engine->admission && execution->limit) admission_limit_remove(engine->admission, execution->limit);
    execution->limit = 0;
    for (uint32_t frame = 0; engine->admission && frame < execution->frame_limits_count; frame++)
        limits_frame_ended(execution, frame);
    mem_resize(engine->allocator, execution->frame_limits,
               execution->frame_limits_count * sizeof *execution->frame_limits, 0);
    execution->frame_limits = NULL;
    execution->frame_limits_count = 0;
    if (execution->workflow_limit) named_leave(engine, &engine->workflows, execution->workflow_limit);
    execution->workflow_limit = NULL;
    for (uint32_t i = 0; execution->pools && i < execution->version->workflow->pools_count; i++)
        if (execution->pools[i]) named_leave(engine, &engine->pools, execution->pools[i]);
    execution->pools = NULL;
}

void limits_forget(struct engine_execution *execution)
{
    struct admission *admission = execution->engine->admission;
    uint64_t owner = (uint64_t)execution->number;
    for (uint32_t i = 0; i < core_instance_count(execution->core); i++)
        if (!admission_release(admission, owner, i))
            (void)admission_withdraw(admission, owner, i); /* false: it never asked */
    (void)admission_hold(admission, owner, false);         /* letting go takes no memory */
}

/*
 * Requests.
 */
static admission_limit frame_limit(struct engine_execution *execution, uint32_t frame, uint32_t units)
{
    const struct engine *engine = execution->engine;
    if (frame >= execution->frame_limits_count) {
        uint32_t count = execution->frame_limits_count ? execution->frame_limits_count * 2 : 16;
        while (count <= frame) count *= 2; /* frames are fewer than 2^31 */
        admission_limit *limits = mem_resize(engine->allocator, execution->frame_limits,
                                             execution->frame_limits_count * sizeof *limits, count * sizeof *limits);
        if (!limits) return 0;
        memset(limits + execution->frame_limits_count, 0, (count - execution->frame_limits_count) * sizeof *limits);
        execution->frame_limits = limits;
        execution->frame_limits_count = count;
    }
    if (!execution->frame_limits[frame])
        execution->frame_limits[frame] = admission_limit_add(engine->admission, STR("group"), units);
    return execution->frame_limits[frame];
}

int limits_request(struct engine_execution *execution, uint32_t at, bool take, struct orch_error *err)
{
    struct engine *engine = execution->engine;
    const struct workflow *workflow = execution->version->workflow;
    const struct core_instance *instance = core_get_instance(execution->core, at);
    const struct task *task = instance->task;
    struct admission_need needs[ADMISSION_LIMITS_MAX];
    uint32_t count = 0;
    /*
     * A sub-workflow's own tasks take the jobs, and where it runs itself the workflow's units too; were the task that
     * waits for it to hold one meanwhile, a few of them nested could wait for each other for ever.
     */
    bool is_workflow = task->action->kind == ACTION_WORKFLOW;
    if (!is_workflow) needs[count++] = (struct admission_need){engine->jobs, 1};
    if (!is_workflow && execution->workflow_limit)
        needs[count++] = (struct admission_need){execution->workflow_limit->limit, 1};
    for (uint32_t i = 0; task->options && i < task->options->pools_count; i++)
        needs[count++] = (struct admission_need){execution->pools[task->options->pools[i].pool]->limit,
                                                 task->options->pools[i].slots};
    if (execution->limit) needs[count++] = (struct admission_need){execution->limit, 1};
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
            if (owner->task->options->concurrency) {
                admission_limit limit = frame_limit(execution, f, owner->task->options->concurrency);
                if (!limit) return error_memory(err);
                needs[count++] = (struct admission_need){limit, 1};
            }
        }
        f = frame->parent;
    }
    struct admission_request request = {.owner = (uint64_t)execution->number,
                                        .instance = at,
                                        .priority = priority,
                                        .rank = rank,
                                        .needs = needs,
                                        .needs_count = count};
    int r = take ? admission_take(engine->admission, &request) : admission_enqueue(engine->admission, &request);
    if (r == ORCH_ERR_NO_MEMORY) return error_memory(err);
    if (r)
        return error_set(err, ORCH_ERR_INTERNAL, "task \"%.*s\" cannot be queued (%s)", STR_ARG(task->id),
                         orch_error_name(r));
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
