/*
 * resume.c - taking up what was interrupted, and running again what is over.
 */
#include "internal.h"

/* Makes an execution from its row and journal; nothing is decided yet. */
static int take_up(struct engine *engine, int64_t number, uint32_t nest, struct engine_execution **ret,
                   struct orch_error *err)
{
    struct arena scratch;
    struct store_execution row;
    struct engine_version *version = NULL;
    struct engine_execution *execution = NULL;
    char id[20];
    arena_init(&scratch, NULL, 0);
    store_execution_id(number, id);
    int r = store_get_execution(engine->store, number, &scratch, &row, err);
    if (!r) r = version_by_digest(engine, row.digest, row.base_dir, row.file, &version, err);
    if (!r) {
        execution = execution_new(engine, version, number, err);
        if (!execution) r = ORCH_ERR_NO_MEMORY;
    }
    if (!r) {
        struct arena *arena = &execution->arena;
        execution->nest = nest;
        execution->parent = row.parent;
        execution->parent_instance = row.parent_instance;
        execution->parent_fence = row.parent_fence;
        execution->row_state = row.state;
        execution->row_generation = row.generation;
        if (text_keep(arena, row.base_dir, &execution->base_dir) || text_keep(arena, row.file, &execution->file) ||
            text_keep(arena, row.by, &execution->by) || text_keep(arena, row.parameters, &execution->parameters))
            r = error_memory(err);
        if (!r) r = json_parse(execution->parameters, NULL, arena, &execution->parameters_value, err);
        if (!r)
            r = journal_fold(engine->store, number, execution->core, arena, &execution->pinned, &execution->next_seq,
                             err);
        /* A wall clock that went back meanwhile must not hold up what was due by the old one. */
        orch_time behind = r ? 0 : core_now(execution->core) - engine_now(engine);
        if (behind > 0) MARK("the wall clock went back between two lives");
        execution->time_ahead = behind > 0 ? behind : 0;
        /* Who only records a command needs nothing to carry tasks out with. */
        if (!r && !engine->options.record_only) r = providers_check(engine, version->workflow, err);
        if (!r && !engine->options.record_only) r = secrets_load(execution, err);
        if (!r) r = limits_open(execution, err);
        if (r) execution_free(execution);
    }
    (void)engine_version_unref(version); /* the execution has its own; NULL is fine */
    arena_done(&scratch);
    if (r) return error_context(err, "run %s cannot be taken up", id), r;
    *ret = execution;
    return 0;
}

/* Takes back executions that were loaded since: what was decided about them is forgotten, and nothing of it was
 * recorded. */
static void discard_until(struct engine *engine, const struct engine_execution *before)
{
    while (engine->executions != before) {
        struct engine_execution *execution = engine->executions;
        batch_drop(execution);
        limits_forget(execution);
        execution_free(execution);
    }
}

struct taking {
    struct engine_execution *execution;
    struct orch_error *err;
};

static int take_running(void *user, uint32_t instance)
{
    struct taking *taking = user;
    if (!limits_apply(core_get_instance(taking->execution->core, instance)->task)) return 0;
    return limits_request(taking->execution, instance, true, taking->err);
}

/*
 * An attempt that was under way holds its units until recovery has said what became of it; a task whose handler runs
 * has none any more. What was ready asks anew, also when it is paused.
 */
static int take_limits(struct engine_execution *execution, struct orch_error *err)
{
    struct taking taking = {execution, err};
    int r = core_each_running(execution->core, take_running, &taking);
    for (uint32_t i = 0; i < core_instance_count(execution->core) && !r; i++) {
        const struct core_instance *instance = core_get_instance(execution->core, i);
        if (instance->state != TASK_READY || !limits_apply(instance->task)) continue;
        if (core_get_frame(execution->core, instance->frame)->dropped) continue;
        r = limits_request(execution, i, false, err);
    }
    return r;
}

static int error_finished(const struct engine_execution *execution, const struct core_summary *summary,
                          struct orch_error *err)
{
    error_set(err, ORCH_ERR_STATE, "run %s is already finished (%s)", execution->id,
              execution_state_to_string(summary->state));
    error_hint(err, "orch retry %s --failed  runs what failed again", execution->id);
    return ORCH_ERR_STATE;
}

int execution_resume(struct engine *engine, int64_t number, uint32_t nest, struct engine_execution **ret,
                     struct orch_error *err)
{
    struct engine_execution *execution = engine_find(engine, number);
    struct core_summary summary;
    if (execution) {
        core_get_summary(execution->core, &summary);
        if (execution->ended) return error_finished(execution, &summary, err);
        *ret = execution;
        return 0;
    }
    int r = take_up(engine, number, nest, &execution, err);
    if (r) return r;
    core_get_summary(execution->core, &summary);
    if (execution_state_is_terminal((uint8_t)summary.state)) return error_finished(execution, &summary, err);
    /* What an earlier life of the store left running was ended when the provider of processes was opened: two attempts
     * never overlap. */
    if (summary.state == EXECUTION_PAUSED) {
        MARK("taken up while paused");
        if (admission_hold(engine->admission, (uint64_t)number, true)) return error_memory(err);
        execution->held = true;
    }
    r = take_limits(execution, err);
    struct core_input input = {.type = INPUT_RECOVER, .instance = CORE_NONE};
    if (!r) r = execution_feed(execution, &input, err);
    if (!r) r = children_resume(execution, err);
    if (!r) *ret = execution;
    return r;
}

int engine_resume(struct engine *engine, int64_t number, struct engine_execution **ret, struct orch_error *err)
{
    const struct engine_execution *before = engine->executions;
    int r = execution_resume(engine, number, 0, ret, err);
    if (r && !engine->failed) discard_until(engine, before);
    return r;
}

/* A sub-workflow's result belongs to the task of its parent, which may have gone on with it: that one is to run again.
 */
static int refuse_child(const struct engine_execution *execution, struct orch_error *err)
{
    char parent[20];
    store_execution_id(execution->parent, parent);
    error_set(err, ORCH_ERR_STATE, "run %s is a sub-workflow of run %s", execution->id, parent);
    error_hint(err, "orch retry %s --failed  runs it again with its parent", parent);
    return ORCH_ERR_STATE;
}

static int retry(struct engine *engine, int64_t number, struct orch_str from_path, struct orch_str by,
                 struct engine_execution **ret, struct orch_error *err)
{
    struct engine_execution *execution = engine_find(engine, number);
    struct core_summary summary;
    bool was_loaded = execution != NULL;
    int r = was_loaded ? 0 : take_up(engine, number, 0, &execution, err);
    if (r) return r;
    core_get_summary(execution->core, &summary);
    bool is_over = execution_state_is_terminal((uint8_t)summary.state), is_interrupted = !is_over && !was_loaded;
    if (execution->parent && (is_over || is_interrupted)) return refuse_child(execution, err);
    if (is_interrupted) {
        /* That was for a look: properly now, so that what was lost is known. */
        execution_free(execution);
        r = execution_resume(engine, number, 0, &execution, err);
        if (r) return r;
    }
    struct core_input input = {.type = INPUT_RETRY, .instance = CORE_NONE, .by = by};
    if (from_path.size) {
        input.instance = core_find(execution->core, from_path);
        if (input.instance == CORE_NONE) {
            error_set(err, ORCH_ERR_NOT_FOUND, "run %s has no task \"%.*s\"", execution->id, STR_ARG(from_path));
            error_hint(err, "orch show %s  lists its tasks", execution->id);
            return ORCH_ERR_NOT_FOUND;
        }
    }
    r = execution_feed(execution, &input, err);
    /* To go on was what was asked for, when nothing is held. */
    if (r == ORCH_ERR_STATE && is_interrupted && !from_path.size) r = 0;
    if (!r) *ret = execution;
    return r;
}

int engine_retry(struct engine *engine, int64_t number, struct orch_str from_path, struct orch_str by,
                 struct engine_execution **ret, struct orch_error *err)
{
    const struct engine_execution *before = engine->executions;
    int r = retry(engine, number, from_path, by, ret, err);
    if (r && !engine->failed) discard_until(engine, before);
    return r;
}
