/*
 * child.c - a task that is a workflow: an execution of its own, durable like any other.
 *
 * Which child belongs to which attempt is told by the child's row: parent, instance and fence. So a crash between the
 * child's end and the parent's record of it loses nothing: on resume the parent looks for its child, and takes its
 * result, takes it up, or starts it.
 */
#include "internal.h"

#include <stdlib.h>

static struct orch_str pinned_key(const struct engine_execution *execution, const struct task *task,
                                  struct arena *arena)
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
        return error_set(err, ORCH_ERR_NOT_FOUND, "workflow \"%.*s\" was not pinned when the execution started",
                         STR_ARG(instance->task->action->workflow));
    struct engine_version *version;
    int r = version_by_digest(engine, value_str(*digest), value_str(*base_dir), value_str(*file), &version, err);
    if (r) return r;
    const struct value *given = value_get(config, STR("parameters"));
    struct value parameters;
    r = workflow_parameters(engine_version_workflow(version), given ? *given : value_null(), false, &attempt->arena,
                            NULL, &parameters, err);
    struct engine_execution *child;
    if (!r) {
        struct engine_start start = {.version = version, .parameters = parameters, .by = parent->by};
        r = execution_start(engine, &start, parent, attempt->instance, attempt->fence, &child, err);
    }
    if (!r) attempt->child = child->number;
    (void)engine_version_unref(version);
    return r;
}

void child_stop(struct attempt *attempt)
{
    struct engine_execution *child = engine_find(attempt->execution->engine, attempt->child);
    MARK("a sub-workflow is stopped");
    if (!child || child->ended) return; /* its end is on the way */
    struct orch_error err = ORCH_ERROR_INIT;
    struct core_input input = {.type = INPUT_CANCEL,
                               .instance = CORE_NONE,
                               .by = STR("orch"),
                               .cancel = {.reason = STR("its parent was stopped")}};
    int r = execution_feed(child, &input, &err);
    if (r && r != ORCH_ERR_STATE) engine_fail(child->engine, &err);
}

static void feed_outcome(struct engine_execution *parent, uint32_t instance, uint64_t fence, const char *id,
                         uint8_t state, struct orch_str output, struct orch_str error)
{
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct core_input input = {
        .type = INPUT_ATTEMPT_DONE, .instance = instance, .done = {.fence = fence, .exit_code = -1}};
    if (state == EXECUTION_SUCCEEDED) {
        input.done.output = output;
    } else {
        input.done.failure = state == EXECUTION_CANCELLED   ? FAILURE_CANCELLED
                             : state == EXECUTION_TIMED_OUT ? FAILURE_TIMEOUT
                                                            : FAILURE_CHILD;
        input.done.error =
            arena_printf(&arena, "run %s %s%s%.*s", id, execution_state_to_string((enum execution_state)state),
                         error.size ? ": " : "", STR_ARG(error));
    }
    struct orch_error err = ORCH_ERROR_INIT;
    int r = execution_feed(parent, &input, &err);
    if (r && !parent->engine->closing) engine_fail(parent->engine, &err);
    arena_done(&arena);
}

/* A large output that was recorded before a restart is in a blob only. */
static int outcome(struct store *store, int64_t number, const struct core *core, struct arena *arena,
                   struct core_summary *ret, struct orch_error *err)
{
    core_get_summary(core, ret);
    if (ret->output.size || !ret->output_blob) return 0;
    return store_get_blob(store, number, ret->output_blob, arena, &ret->output, err);
}

void child_ended(struct engine_execution *child)
{
    struct engine *engine = child->engine;
    struct engine_execution *parent = engine_find(engine, child->parent);
    if (!parent || engine->closing) return; /* who takes the parent up finds the result in the child's row */
    struct attempt *attempt = attempt_find(engine, parent, child->parent_instance);
    if (!attempt || attempt->fence != child->parent_fence) {
        MARK("the end of an earlier attempt's sub-workflow");
        return; /* a child of an earlier attempt: its result is history */
    }
    struct core_summary summary;
    struct orch_error err = ORCH_ERROR_INIT;
    struct arena arena;
    uint32_t instance = attempt->instance;
    uint64_t fence = attempt->fence;
    arena_init(&arena, NULL, 0);
    attempt_remove(attempt);
    if (outcome(engine->store, child->number, child->core, &arena, &summary, &err))
        attempt_feed_failure(parent, instance, fence, FAILURE_CHILD, err.message);
    else
        feed_outcome(parent, instance, fence, child->id, (uint8_t)summary.state, summary.output, summary.error);
    arena_done(&arena);
}

/*
 * Taking up: which child belongs to which attempt that was under way.
 */
struct running {
    uint32_t instance;
    uint64_t fence;
    int64_t child; /* 0: not started */
    uint8_t state;
};

struct resuming {
    struct engine_execution *execution;
    struct running *list; /* by instance */
    uint32_t count, capacity;
};

static int note_running(void *user, uint32_t instance)
{
    struct resuming *resuming = user;
    const struct core_instance *one = core_get_instance(resuming->execution->core, instance);
    if (one->task->action->kind != ACTION_WORKFLOW) return 0;
    if (resuming->count < resuming->capacity)
        resuming->list[resuming->count] = (struct running){.instance = instance, .fence = one->detail->fence};
    resuming->count++;
    return 0;
}

static int by_instance(const void *a, const void *b)
{
    uint32_t x = ((const struct running *)a)->instance, y = ((const struct running *)b)->instance;
    return (x > y) - (x < y);
}

/* Every child of the execution goes by once, however many there are. */
static int match(void *user, const struct store_execution *row)
{
    struct resuming *resuming = user;
    struct running key = {.instance = row->parent_instance};
    struct running *running = bsearch(&key, resuming->list, resuming->count, sizeof key, by_instance);
    if (!running || running->fence != row->parent_fence) return 0;
    running->child = row->number;
    running->state = row->state;
    return 0;
}

static int take_result(struct engine_execution *parent, const struct running *running, struct orch_error *err)
{
    struct engine *engine = parent->engine;
    struct engine_view *view;
    struct core_summary summary;
    struct arena arena;
    char id[20];
    int r = engine_view_open(engine->store, running->child, &view, err);
    if (r) return r;
    arena_init(&arena, NULL, 0);
    store_execution_id(running->child, id);
    r = outcome(engine->store, running->child, engine_view_core(view), &arena, &summary, err);
    if (!r)
        feed_outcome(parent, running->instance, running->fence, id, (uint8_t)summary.state, summary.output,
                     summary.error);
    arena_done(&arena);
    engine_view_close(view);
    return r;
}

static int resume_one(struct engine_execution *parent, const struct running *running, struct orch_error *err)
{
    struct engine *engine = parent->engine;
    const struct core_instance *instance = core_get_instance(parent->core, running->instance);
    if (running->child && execution_state_is_terminal(running->state))
        MARK("a sub-workflow had ended before the crash");
    if (running->child && execution_state_is_terminal(running->state)) return take_result(parent, running, err);
    if (!running->child) {
        MARK("a sub-workflow had not begun before the crash");
        if (instance->stopping)
            attempt_stop(parent, running->instance);
        else if (!engine->options.record_only)
            attempt_start(parent, running->instance, running->fence);
        return 0;
    }
    struct attempt *attempt = attempt_new(parent, running->instance, running->fence);
    if (!attempt) return error_memory(err);
    MARK("a sub-workflow is taken up");
    attempt->child = running->child;
    struct engine_execution *child;
    int r = execution_resume(engine, running->child, parent->nest + 1, &child, err);
    if (!r && instance->stopping) child_stop(attempt);
    return r;
}

int children_resume(struct engine_execution *execution, struct orch_error *err)
{
    struct resuming resuming = {.execution = execution};
    int r = core_each_running(execution->core, note_running, &resuming);
    if (r || resuming.count == 0) return r;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    resuming.capacity = resuming.count;
    resuming.list = ARENA_ARRAY(&arena, resuming.count, struct running);
    resuming.count = 0;
    struct store_filter filter = {.parent = execution->number, .count_max = UINT32_MAX};
    r = resuming.list ? core_each_running(execution->core, note_running, &resuming) : error_memory(err);
    if (!r) qsort(resuming.list, resuming.count, sizeof *resuming.list, by_instance);
    if (!r) r = store_each_execution(execution->engine->store, &filter, match, &resuming, err);
    for (uint32_t i = 0; i < resuming.count && !r; i++) r = resume_one(execution, &resuming.list[i], err);
    arena_done(&arena);
    return r;
}
