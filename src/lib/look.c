/*
 * look.c - how executions and their tasks stand.
 *
 * One that the engine has loaded is looked at as it is; any other is folded from its history, once, and kept with its
 * handle.
 */
#include "lib/internal.h"

#include "sys/clock.h"

int execution_core(struct orch_execution *execution, const struct core **ret, struct orch_error *err)
{
    struct orch_engine *engine = execution->engine;

    if (!engine->engine) return error_set(err, ORCH_ERR_STATE, "the engine is closed");
    const struct engine_execution *inner = engine_find(engine->engine, execution->number);
    if (inner) {
        *ret = engine_execution_core(inner);
        return 0;
    }
    if (!execution->view) {
        int r = engine_view_open(engine_store(engine->engine), execution->number, &execution->view, err);
        if (r) return r;
    }
    *ret = engine_view_core(execution->view);
    return 0;
}

/* What is decided and not told yet is not over. */
static int told_state(const struct orch_execution *execution, enum execution_state state)
{
    return execution->is_alive && execution_state_is_terminal((uint8_t)state) ? EXECUTION_RUNNING : state;
}

int execution_state(struct orch_execution *execution, struct orch_error *err)
{
    const struct core *core;
    struct core_summary summary;
    int r = execution_core(execution, &core, err);

    if (r) return r;
    core_get_summary(core, &summary);
    return told_state(execution, summary.state);
}

int orch_execution_get_state(struct orch_execution *execution)
{
    engine_enter(execution->engine);
    int state = execution->fast ? fast_state(execution) : execution_state(execution, NULL);
    engine_leave(execution->engine);
    return state;
}

static int code_of(int state)
{
    switch ((enum execution_state)state) {
    case EXECUTION_PENDING:
    case EXECUTION_RUNNING:
    case EXECUTION_PAUSED:
    case EXECUTION_COMPENSATING:
    case EXECUTION_SUCCEEDED: return 0;
    case EXECUTION_FAILED:
    case EXECUTION_COMPENSATED: return ORCH_ERR_TASK_FAILED;
    case EXECUTION_CANCELLED: return ORCH_ERR_CANCELLED;
    case EXECUTION_TIMED_OUT: return ORCH_ERR_TIMEOUT;
    }
    return ORCH_ERR_TASK_FAILED;
}

static int summarize(struct orch_execution *execution, struct orch_summary *ret, struct orch_error *err)
{
    const struct core *core;
    struct core_summary summary;
    int r = execution_core(execution, &core, err);

    if (r) return r;
    core_get_summary(core, &summary);
    ret->state = told_state(execution, summary.state);
    ret->is_interrupted = !execution->is_alive && !execution_state_is_terminal((uint8_t)ret->state);
    ret->error_code = code_of(ret->state);
    ret->error = text_copy(&execution->of_summary, summary.error);
    ret->workflow = text_copy(&execution->of_summary, core_workflow(core)->name);
    if (!ret->error.data || !ret->workflow.data) return error_memory(err);
    ret->retries = summary.generation;
    ret->tasks_total = summary.tasks_total;
    ret->tasks_done = summary.tasks_done;
    ret->tasks_succeeded = summary.states[TASK_SUCCEEDED];
    ret->tasks_failed = summary.states[TASK_FAILED] + summary.states[TASK_TIMED_OUT];
    ret->tasks_skipped = summary.states[TASK_SKIPPED];
    ret->tasks_cancelled = summary.states[TASK_CANCELLED];
    ret->tasks_running = summary.states[TASK_RUNNING];
    ret->tasks_waiting = summary.states[TASK_WAITING];
    ret->started_at = summary.started_at;
    ret->ended_at = summary.ended_at;
    return 0;
}

int orch_execution_get_summary(struct orch_execution *execution, struct orch_summary *given, struct orch_error *err)
{
    struct orch_summary summary = ORCH_SUMMARY_INIT;
    int r = 0;

    engine_enter(execution->engine);
    arena_clear(&execution->of_summary);
    if (execution->fast)
        fast_summary(execution, &summary);
    else
        r = summarize(execution, &summary, err);
    if (!r && summary.started_at) {
        orch_time until = summary.ended_at ? summary.ended_at : clock_wall();
        summary.duration_us = until > summary.started_at ? until - summary.started_at : 0;
    }
    if (!r && execution->fast) summary.error_code = code_of(summary.state);
    if (!r) r = result_give(given, &summary, sizeof summary, err);
    engine_leave(execution->engine);
    return r;
}

static int output_of(struct orch_execution *execution, struct orch_str *ret, struct orch_error *err)
{
    const struct core *core;
    struct core_summary summary;
    int r = execution_core(execution, &core, err);

    if (r) return r;
    core_get_summary(core, &summary);
    if (!execution_state_is_terminal((uint8_t)told_state(execution, summary.state)))
        return error_set(err, ORCH_ERR_STATE, "run %s is not over", execution->id);
    struct orch_str output = summary.output;
    if (!output.size && summary.output_blob)
        r = store_get_blob(engine_store(execution->engine->engine), execution->number, summary.output_blob,
                           &execution->of_output, &output, err);
    if (r) return r;
    *ret = text_copy(&execution->of_output, output.size ? output : STR("null"));
    return ret->data ? 0 : error_memory(err);
}

int orch_execution_get_output(struct orch_execution *execution, struct orch_str *ret, struct orch_error *err)
{
    struct orch_str output = STR_NONE;
    struct buf text;
    int r;

    engine_enter(execution->engine);
    arena_clear(&execution->of_output);
    if (execution->fast) {
        buf_init(&text, NULL, 0);
        r = fast_output(execution, &text);
        if (r == ORCH_ERR_STATE) error_set(err, r, "run %s is not over", execution->id);
        if (!r) output = text_copy(&execution->of_output, text.failed ? STR_NONE : buf_str(&text));
        if (!r && (text.failed || !output.data)) r = error_memory(err);
        buf_done(&text);
    } else {
        r = output_of(execution, &output, err);
    }
    if (!r) *ret = output;
    engine_leave(execution->engine);
    return r;
}

/*
 * Tasks.
 */
uint32_t orch_execution_count(struct orch_execution *execution)
{
    const struct core *core;

    if (execution->fast) return execution->workflow->count;
    engine_enter(execution->engine);
    uint32_t count = execution_core(execution, &core, NULL) ? 0 : core_instance_count(core);
    engine_leave(execution->engine);
    return count;
}

static int task_of(struct orch_execution *execution, orch_task task, struct orch_task_result *ret,
                   struct orch_error *err)
{
    const struct core *core;
    struct arena *arena = &execution->of_task;
    struct buf text;
    int r = execution_core(execution, &core, err);

    if (r) return r;
    if (task >= core_instance_count(core))
        return error_set(err, ORCH_ERR_NOT_FOUND, "run %s has no task number %u", execution->id, task);
    const struct core_instance *instance = core_get_instance(core, task);
    const struct core_detail *detail = instance->detail;
    buf_init(&text, NULL, 0);
    core_path(core, task, &text);
    ret->path = text.failed ? STR_NONE : text_copy(arena, buf_str(&text));
    buf_clear(&text);
    ret->task = task;
    ret->state = instance->state;
    ret->attempts = instance->attempt;
    ret->reason = text_copy(arena, str_from(reason_to_string((enum reason)instance->reason)));
    ret->error = text_copy(arena, detail ? detail->error : STR_NONE);
    /* What waits for an answer has noted what it will have failed of when none comes: no failure yet. */
    if (instance->state != TASK_WAITING || instance->reason == REASON_BACKOFF)
        ret->error_code = failure_code((enum failure)instance->failure);
    if (detail) {
        ret->exit_code = detail->exit_code;
        ret->signal = detail->signal;
        ret->started_at = detail->started_at;
        ret->ended_at = detail->ended_at;
    }
    /* What a block gave is put together from its tasks; one that failed gave nothing. */
    if (detail && (instance->state == TASK_SUCCEEDED || detail->output.size || detail->blob))
        r = core_output(core, task, arena, &text, err);
    else
        buf_add_text(&text, "null");
    ret->output = text.failed ? STR_NONE : text_copy(arena, text.size ? buf_str(&text) : STR("null"));
    if (!r && (!ret->path.data || !ret->reason.data || !ret->error.data || !ret->output.data)) r = error_memory(err);
    buf_done(&text);
    return r;
}

int orch_execution_get_task(struct orch_execution *execution, orch_task task, struct orch_task_result *given,
                            struct orch_error *err)
{
    struct orch_task_result result = ORCH_TASK_RESULT_INIT;

    engine_enter(execution->engine);
    arena_clear(&execution->of_task);
    int r = execution->fast ? fast_task(execution, task, &result, err) : task_of(execution, task, &result, err);
    if (!r) r = result_give(given, &result, sizeof result, err);
    engine_leave(execution->engine);
    return r;
}

int orch_execution_find_task(struct orch_execution *execution, const char *path, orch_task *ret_task,
                             struct orch_error *err)
{
    const struct core *core;
    orch_task task = ORCH_NO_TASK;
    int r = 0;

    if (!path || !ret_task) return error_set(err, ORCH_ERR_MISUSE, "a path and a place for the task are wanted");
    engine_enter(execution->engine);
    if (execution->fast)
        task = workflow_find_task(execution->workflow, str_from(path));
    else
        r = execution_core(execution, &core, err);
    if (!r && !execution->fast) task = core_find(core, str_from(path));
    if (!r && task == ORCH_NO_TASK)
        r = error_set(err, ORCH_ERR_NOT_FOUND, "run %s has no task \"%s\"", execution->id, path);
    if (!r) *ret_task = task;
    engine_leave(execution->engine);
    return r;
}

/*
 * Lists.
 */
struct listing {
    struct orch_engine *engine;
    const struct orch_filter *filter;
    const struct orch_execution *fast; /* the next of the lane */
    uint32_t left;
    struct arena arena;
    int (*fn)(void *user, const struct orch_execution_row *row);
    void *user;
    int told; /* what fn returned */
    bool is_full;
};

static int tell_row(struct listing *listing, const struct orch_execution_row *row)
{
    listing->left--;
    listing->engine->in_callback++;
    listing->told = listing->fn(listing->user, row);
    listing->engine->in_callback--;
    listing->is_full = listing->left == 0;
    return listing->told || listing->is_full;
}

/* Those of the lane that are newer than one of the store. */
static int tell_fasts(struct listing *listing, int64_t newer_than)
{
    int stop = 0;

    while (!stop && listing->left && listing->fast && listing->fast->number > newer_than) {
        struct orch_execution_row row;
        const struct orch_execution *execution = listing->fast;
        listing->fast = execution->fast_next;
        if (fast_row(execution, listing->filter, &row)) stop = tell_row(listing, &row);
    }
    return stop || listing->left == 0;
}

static int on_row(void *user, const struct store_execution *row)
{
    struct listing *listing = user;
    struct arena *arena = &listing->arena;

    if (tell_fasts(listing, row->number)) return 1;
    arena_clear(arena);
    struct orch_execution_row told = {.id = text_copy(arena, row->id),
                                      .workflow = text_copy(arena, row->workflow),
                                      .state = row->state,
                                      .is_loaded = engine_find(listing->engine->engine, row->number) != NULL,
                                      .tasks_total = row->tasks_total,
                                      .tasks_done = row->tasks_done,
                                      .tasks_failed = row->tasks_failed,
                                      .started_at = row->started_at,
                                      .ended_at = row->ended_at,
                                      .by = text_copy(arena, row->by),
                                      .error = text_copy(arena, row->error)};
    if (!told.id.data || !told.workflow.data || !told.by.data || !told.error.data) return ORCH_ERR_NO_MEMORY;
    return tell_row(listing, &told);
}

int orch_engine_each_execution(struct orch_engine *engine, const struct orch_filter *given,
                               int (*fn)(void *user, const struct orch_execution_row *row), void *user,
                               struct orch_error *err)
{
    struct orch_filter filter;
    int r = options_take(&filter, sizeof filter, given, err);

    if (r) return r;
    if (!filter.count_max) filter.count_max = 100;
    engine_enter(engine);
    r = engine->engine ? 0 : engine_check(engine, err);
    if (!r) {
        struct listing listing = {.engine = engine,
                                  .filter = &filter,
                                  .fast = engine->fasts,
                                  .left = filter.count_max,
                                  .fn = fn,
                                  .user = user};
        struct store_filter wanted = {.workflow = str_from(filter.workflow),
                                      .state_mask = filter.states,
                                      .since = filter.since,
                                      .until = filter.until,
                                      .count_max = filter.count_max};
        arena_init(&listing.arena, NULL, 0);
        r = store_each_execution(engine_store(engine->engine), &wanted, on_row, &listing, err);
        if (!r) (void)tell_fasts(&listing, 0);
        if (listing.told)
            r = listing.told;
        else if (listing.left == 0 || r > 0)
            r = 0;
        if (r == ORCH_ERR_NO_MEMORY && !listing.told) error_memory(err);
        arena_done(&listing.arena);
    }
    engine_leave(engine);
    return r;
}

/*
 * History.
 */
struct reading {
    struct orch_execution *execution;
    const struct core *core;
    uint64_t from;
    int (*fn)(void *user, uint64_t sequence, struct orch_str line);
    void *user;
    struct arena arena;
    struct orch_error *err;
};

static void put_line(const struct reading *reading, uint64_t sequence, const struct core_transition *transition,
                     struct buf *out)
{
    struct buf text;

    buf_init(&text, NULL, 0);
    buf_printf(out, "{\"v\":1,\"run\":\"%s\",", reading->execution->id);
    if (transition->instance != CORE_NONE && transition->instance < core_instance_count(reading->core)) {
        core_path(reading->core, transition->instance, &text);
        buf_add_text(out, "\"step\":");
        json_format_string(buf_str(&text), out);
        buf_add_char(out, ',');
    }
    transition_format_json_members(transition, sequence, out);
    buf_add_char(out, '}');
    if (text.failed) out->failed = true;
    buf_done(&text);
}

static int read_record(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    struct reading *reading = user;
    struct core_transitions list = {0};

    arena_clear(&reading->arena);
    int r = transitions_decode(record, &reading->arena, &list, reading->err);
    for (uint32_t i = 0; i < list.count && i < count && !r; i++) {
        if (first_seq + i < reading->from) continue;
        struct buf line;
        buf_init(&line, NULL, 0);
        put_line(reading, first_seq + i, &list.items[i], &line);
        struct orch_engine *engine = reading->execution->engine;
        engine->in_callback++;
        r = line.failed ? error_memory(reading->err) : reading->fn(reading->user, first_seq + i, buf_str(&line));
        engine->in_callback--;
        buf_done(&line);
    }
    return r;
}

int orch_execution_history(struct orch_execution *execution, uint64_t from,
                           int (*fn)(void *user, uint64_t sequence, struct orch_str line), void *user,
                           struct orch_error *err)
{
    if (execution->fast) {
        error_set(err, ORCH_ERR_UNSUPPORTED, "run %s keeps no history", execution->id);
        error_hint(err, "start it with .history = true");
        return ORCH_ERR_UNSUPPORTED;
    }
    engine_enter(execution->engine);
    struct reading reading = {.execution = execution, .from = from, .fn = fn, .user = user, .err = err};
    int r = execution_core(execution, &reading.core, err);
    arena_init(&reading.arena, NULL, 0);
    if (!r)
        r = store_each_record(engine_store(execution->engine->engine), execution->number, from ? from : 1, read_record,
                              &reading, err);
    arena_done(&reading.arena);
    engine_leave(execution->engine);
    return r;
}
