/*
 * child.c - a task that is a workflow: an execution of its own, durable like any other.
 *
 * Which child belongs to which attempt is told by the child's row: parent, instance and fence. So a crash between the child's end and
 * the parent's record of it loses nothing: on resume the parent looks for its child, and takes its result, takes it up, or starts it.
 */
#include "internal.h"

static struct orch_str pinned_key(const struct engine_execution *execution, const struct task *task, struct arena *arena)
{
    return arena_printf(arena, "%s/%.*s", execution->version->digest, STR_ARG(task->action->workflow));
}

int child_start(struct attempt *attempt, struct value config, struct orch_error *err)
{
    struct engine_execution *parent = attempt->execution;
    struct engine *engine = parent->engine;
    const struct core_instance *instance = core_get_instance(parent->core, attempt->instance);
    struct orch_str key = pinned_key(parent, instance->task, &attempt->arena);
    if (!key.data) return error_memory(err);
    const struct value *pinned = value_get(parent->pinned, key);
    const struct value *digest = pinned ? value_get(*pinned, STR("digest")) : NULL;
    const struct value *base_dir = pinned ? value_get(*pinned, STR("base_dir")) : NULL;
    const struct value *file = pinned ? value_get(*pinned, STR("file")) : NULL;
    if (!digest || !base_dir || !file)
        return error_set(err, ORCH_ERR_NOT_FOUND, "workflow \"%.*s\" was not pinned when the execution started", STR_ARG(instance->task->action->workflow));
    struct engine_version *version;
    int r = version_by_digest(engine, value_str(*digest), value_str(*base_dir), value_str(*file), parent->pinned, &version, err);
    if (r) return r;
    const struct value *given = value_get(config, STR("parameters"));
    struct value parameters;
    r = workflow_parameters(engine_version_workflow(version), given ? *given : value_null(), false, &attempt->arena, NULL, &parameters, err);
    struct engine_execution *child;
    if (!r) {
        struct engine_start start = {.version = version, .parameters = parameters, .by = parent->by};
        r = execution_start(engine, &start, parent, attempt->instance, attempt->fence, &child, err);
    }
    (void)engine_version_unref(version);
    return r;
}

static struct engine_execution *child_of(const struct attempt *attempt)
{
    for (struct engine_execution *child = attempt->execution->engine->executions; child; child = child->next)
        if (child->parent == attempt->execution->number && child->parent_instance == attempt->instance && child->parent_fence == attempt->fence)
            return child;
    return NULL;
}

void child_stop(struct attempt *attempt)
{
    struct engine_execution *child = child_of(attempt);
    if (!child || child->ended) return; /* its end is on the way */
    struct orch_error err = ORCH_ERROR_INIT;
    struct core_input input = {.type = INPUT_CANCEL, .instance = CORE_NONE, .by = STR("orch"), .cancel = {.reason = STR("its parent was stopped")}};
    int r = execution_feed(child, &input, &err);
    if (r && r != ORCH_ERR_STATE && !child->engine->failed) engine_fail(child->engine, &err);
}

static void feed_outcome(struct engine_execution *parent, uint32_t instance, uint64_t fence, const char *id, uint8_t state, struct orch_str output,
                         struct orch_str error)
{
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct core_input input = {.type = INPUT_ATTEMPT_DONE, .instance = instance, .done = {.fence = fence}};
    if (state == EXECUTION_SUCCEEDED) {
        input.done.output = output;
    } else {
        input.done.failure = state == EXECUTION_CANCELLED ? FAILURE_CANCELLED : state == EXECUTION_TIMED_OUT ? FAILURE_TIMEOUT : FAILURE_CHILD;
        input.done.error = arena_printf(&arena, "run %s %s%s%.*s", id, execution_state_to_string((enum execution_state)state), error.size ? ": " : "",
                                        STR_ARG(error));
    }
    struct orch_error err = ORCH_ERROR_INIT;
    int r = execution_feed(parent, &input, &err);
    if (r && !parent->engine->failed) engine_fail(parent->engine, &err);
    arena_done(&arena);
}

void child_ended(struct engine_execution *child)
{
    struct engine *engine = child->engine;
    struct engine_execution *parent = engine_find(engine, child->parent);
    if (!parent || parent->closing) return;
    struct attempt *attempt = attempt_find(engine, parent, child->parent_instance);
    if (!attempt || attempt->fence != child->parent_fence) return; /* a child of an earlier attempt: its result is history */
    struct core_summary summary;
    core_get_summary(child->core, &summary);
    uint32_t instance = attempt->instance;
    uint64_t fence = attempt->fence;
    attempt_remove(attempt);
    feed_outcome(parent, instance, fence, child->id, (uint8_t)summary.state, summary.output, summary.error);
}

struct search {
    uint32_t instance;
    uint64_t fence;
    int64_t number;
    uint8_t state;
};

static int look(void *user, const struct store_execution *row)
{
    struct search *search = user;
    if (row->parent_instance != search->instance || row->parent_fence != search->fence) return 0;
    search->number = row->number;
    search->state = row->state;
    return 1;
}

struct resuming {
    struct engine_execution *execution;
    uint32_t *instances;
    uint32_t count, capacity;
};

static int note_running(void *user, uint32_t instance)
{
    struct resuming *resuming = user;
    const struct core_instance *one = core_get_instance(resuming->execution->core, instance);
    if (one->task->action->kind != ACTION_WORKFLOW) return 0;
    if (resuming->count < resuming->capacity) resuming->instances[resuming->count] = instance;
    resuming->count++;
    return 0;
}

static int resume_one(struct engine_execution *parent, uint32_t at, struct orch_error *err)
{
    struct engine *engine = parent->engine;
    const struct core_instance *instance = core_get_instance(parent->core, at);
    uint64_t fence = instance->detail->fence;
    struct search search = {.instance = at, .fence = fence};
    struct store_filter filter = {.parent = parent->number, .count_max = UINT32_MAX};
    int r = store_each_execution(engine->store, &filter, look, &search, err);
    if (r < 0) return r;
    if (search.number && execution_state_is_terminal(search.state)) {
        struct engine_view *view;
        r = engine_view_open(engine->store, search.number, &view, err);
        if (r) return r;
        struct core_summary summary;
        core_get_summary(engine_view_core(view), &summary);
        char id[20];
        store_execution_id(search.number, id);
        struct orch_str output = summary.output;
        struct arena arena;
        arena_init(&arena, NULL, 0);
        if (!output.size && summary.output_blob) r = store_get_blob(engine->store, search.number, summary.output_blob, &arena, &output, err);
        if (!r) feed_outcome(parent, at, fence, id, (uint8_t)summary.state, output, summary.error);
        arena_done(&arena);
        engine_view_close(view);
        return r;
    }
    if (!search.number) {
        if (instance->stopping) attempt_stop(parent, at);
        else attempt_start(parent, at, fence);
        return 0;
    }
    struct attempt *attempt = attempt_new(parent, at, fence);
    if (!attempt) return error_memory(err);
    struct engine_execution *child;
    r = engine_resume(engine, search.number, &child, err);
    if (r) return r;
    child->nest = parent->nest + 1;
    if (instance->stopping) child_stop(attempt);
    return 0;
}

int children_resume(struct engine_execution *execution, struct orch_error *err)
{
    struct resuming resuming = {.execution = execution};
    int r = core_each_running(execution->core, note_running, &resuming);
    if (r || resuming.count == 0) return r;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    resuming.capacity = resuming.count;
    resuming.instances = ARENA_ARRAY(&arena, resuming.count, uint32_t);
    resuming.count = 0;
    r = resuming.instances ? core_each_running(execution->core, note_running, &resuming) : error_memory(err);
    for (uint32_t i = 0; i < resuming.count && !r; i++) r = resume_one(execution, resuming.instances[i], err);
    arena_done(&arena);
    return r;
}
