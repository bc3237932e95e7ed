/*
 * execution.c - executions: started, waited for, commanded.
 */
#include "lib/internal.h"

#include "sys/clock.h"

/*
 * Handles.
 */
struct orch_execution *execution_of(struct orch_engine *engine, int64_t number)
{
    struct orch_execution *execution = engine->buckets[(uint64_t)number % LIB_BUCKETS];
    while (execution && execution->number != number) execution = execution->bucket_next;
    return execution;
}

struct orch_execution *execution_handle(struct orch_engine *engine, int64_t number, struct orch_error *err)
{
    struct orch_execution *execution = execution_of(engine, number);

    if (execution) return execution;
    execution = mem_resize(engine->allocator, NULL, 0, sizeof *execution);
    if (!execution) {
        error_memory(err);
        return NULL;
    }
    memset(execution, 0, sizeof *execution);
    execution->engine = engine;
    execution->number = number;
    store_execution_id(number, execution->id);
    arena_init(&execution->of_task, engine->allocator, 0);
    arena_init(&execution->of_summary, engine->allocator, 0);
    arena_init(&execution->of_output, engine->allocator, 0);
    struct orch_execution **bucket = &engine->buckets[(uint64_t)number % LIB_BUCKETS];
    execution->bucket_next = *bucket;
    *bucket = execution;
    engine->refs++;
    return execution;
}

/* With the lock. The engine is freed by who lets the lock go: see orch_execution_free. */
void execution_drop(struct orch_execution *execution, uint32_t refs)
{
    struct orch_engine *engine = execution->engine;

    execution->refs -= refs;
    if (execution->refs > 0) return;
    struct orch_execution **at = &engine->buckets[(uint64_t)execution->number % LIB_BUCKETS];
    while (*at != execution) at = &(*at)->bucket_next;
    *at = execution->bucket_next;
    if (execution->view) execution->view = engine_view_close(execution->view);
    if (execution->fast) fast_free(execution);
    (void)orch_workflow_free(execution->workflow);
    arena_done(&execution->of_task);
    arena_done(&execution->of_summary);
    arena_done(&execution->of_output);
    (void)mem_resize(engine->allocator, execution, sizeof *execution, 0);
    engine->refs--;
}

struct orch_execution *orch_execution_free(struct orch_execution *execution)
{
    if (!execution) return NULL;
    struct orch_engine *engine = execution->engine;
    engine_enter(engine);
    engine->refs++; /* until the lock is let go */
    execution_drop(execution, 1);
    engine_leave(engine);
    return (void *)engine_unref(engine);
}

/* It runs: it has a reference of its own until it is over. */
static void come_alive(struct orch_execution *execution)
{
    if (execution->view) execution->view = engine_view_close(execution->view);
    if (execution->is_alive) return;
    execution->is_alive = true;
    execution->refs++;
}

void execution_over(struct orch_execution *execution)
{
    struct orch_engine *engine = execution->engine;

    /* What was seen of it before is old, whoever ran it again. */
    if (execution->view) execution->view = engine_view_close(execution->view);
    if (!execution->is_alive) return;
    execution->is_alive = false;
    if (execution->on_end) {
        engine->in_callback++;
        execution->is_ending = true;
        execution->on_end(execution->user, execution);
        execution->is_ending = false;
        engine->in_callback--;
    }
    execution_drop(execution, 1);
}

const char *orch_execution_id(const struct orch_execution *execution)
{
    return execution->id;
}

/* The one that the engine has loaded. */
static int loaded(struct orch_execution *execution, struct engine_execution **ret, struct orch_error *err)
{
    struct orch_engine *engine = execution->engine;
    int r = engine_check(engine, err);

    if (r) return r;
    *ret = engine_find(engine->engine, execution->number);
    if (*ret) {
        struct core_summary summary;
        core_get_summary(engine_execution_core(*ret), &summary);
        if (!execution_state_is_terminal((uint8_t)summary.state))
            come_alive(execution); /* perhaps asked for from outside */
        if (execution->is_alive) return 0;
    }
    int state = execution_state(execution, err);
    if (state < 0) return state;
    if (execution_state_is_terminal((uint8_t)state)) {
        error_set(err, ORCH_ERR_STATE, "run %s is already finished (%s)", execution->id,
                  orch_execution_state_name(state));
        error_hint(err, "orch_execution_retry  runs it again");
    } else {
        error_set(err, ORCH_ERR_STATE, "run %s was interrupted", execution->id);
        error_hint(err, "orch_execution_continue  goes on with it");
    }
    return ORCH_ERR_STATE;
}

/*
 * Starting.
 */
static int parameters_of(const struct workflow *workflow, const char *text, struct arena *arena, struct value *ret,
                         struct orch_error *err)
{
    struct value given = value_null();
    struct diags *diags = ARENA_NEW(arena, struct diags);
    int r = diags ? 0 : error_memory(err);

    if (!r && text) {
        r = json_parse(str_from(text), NULL, arena, &given, err);
        if (!r && given.kind != VALUE_MAP) r = error_set(err, ORCH_ERR_INVALID, "parameters are a JSON object");
        if (r == ORCH_ERR_INVALID || r == ORCH_ERR_LIMIT) error_context(err, "the parameters");
    }
    if (r) return r;
    diags_init(diags, arena);
    return workflow_parameters(workflow, given, false, arena, diags, ret, err);
}

static int start(struct orch_engine *engine, struct orch_workflow *workflow, const struct orch_start_options *options,
                 struct orch_execution **ret, struct orch_error *err)
{
    struct engine_version *version;
    struct engine_execution *started;
    struct arena scratch;
    struct value parameters;
    int r = engine_version_of(engine, workflow, &version, err);

    if (r) return r;
    arena_init(&scratch, NULL, 0);
    r = parameters_of(engine_version_workflow(version), options->parameters, &scratch, &parameters, err);
    if (!r) {
        struct engine_start request = {.version = version, .parameters = parameters, .by = str_from(options->by)};
        engine->starting = workflow;
        r = engine_start(engine->engine, &request, &started, err);
        engine->starting = NULL;
    }
    arena_done(&scratch);
    if (r) return r;
    struct orch_execution *execution = execution_handle(engine, engine_execution_number(started), err);
    if (!execution) {
        /* It is on its way, and nobody could ever ask for its functions: it is stopped before it begins. */
        struct orch_error ignored = ORCH_ERROR_INIT;
        (void)engine_cancel(engine->engine, started, STR_NONE, STR("out of memory"), NULL, NULL, &ignored);
        return ORCH_ERR_NO_MEMORY;
    }
    execution->workflow = workflow_ref(workflow);
    execution->on_end = options->on_end;
    execution->user = options->user;
    come_alive(execution);
    *ret = execution;
    return 0;
}

int orch_execution_start(struct orch_engine *engine, struct orch_workflow *workflow,
                         const struct orch_start_options *given, struct orch_execution **ret, struct orch_error *err)
{
    struct orch_start_options options;
    struct orch_execution *execution = NULL;
    int r = options_take(&options, sizeof options, given, err);

    if (!r && options.by && !utf8_is_valid(str_from(options.by), NULL))
        r = error_set(err, ORCH_ERR_INVALID, "who starts it is not UTF-8");
    if (r) return r;
    engine_enter(engine);
    r = engine_check(engine, err);
    if (!r) r = workflow_freeze(workflow, err);
    if (!r)
        r = fast_may(engine, workflow, &options) ? fast_start(engine, workflow, &options, &execution, err)
                                                 : start(engine, workflow, &options, &execution, err);
    if (!r && ret) {
        execution->refs++;
        *ret = execution;
    }
    engine_leave(engine);
    return r;
}

int orch_execution_run(struct orch_engine *engine, struct orch_workflow *workflow,
                       const struct orch_start_options *options, struct orch_execution **ret, struct orch_error *err)
{
    struct orch_execution *execution;

    engine_enter(engine);
    int r = engine_check_wait(engine, err);
    engine_leave(engine);
    if (!r) r = orch_execution_start(engine, workflow, options, &execution, err);
    if (r) return r;
    r = orch_execution_wait(execution, ORCH_TIME_NEVER, err);
    if (!r) r = orch_execution_result(execution, err);
    if (ret)
        *ret = execution;
    else
        (void)orch_execution_free(execution);
    return r;
}

int orch_execution_open(struct orch_engine *engine, const char *id, struct orch_execution **ret, struct orch_error *err)
{
    int64_t number;

    if (!id || !ret) return error_set(err, ORCH_ERR_MISUSE, "an id and a place for the execution are wanted");
    if (!store_execution_number(str_from(id), &number))
        return error_set(err, ORCH_ERR_NOT_FOUND, "\"%s\" is no run", id);
    engine_enter(engine);
    int r = engine_check(engine, err);
    struct orch_execution *execution = r ? NULL : execution_of(engine, number);
    if (!r && !execution) {
        struct arena scratch;
        struct store_execution row;
        arena_init(&scratch, NULL, 0);
        bool is_loaded = engine_find(engine->engine, number) != NULL;
        if (!is_loaded) r = store_get_execution(engine_store(engine->engine), number, &scratch, &row, err);
        arena_done(&scratch);
        execution = r ? NULL : execution_handle(engine, number, err);
        if (!r && !execution) r = ORCH_ERR_NO_MEMORY;
        if (!r && is_loaded) come_alive(execution); /* a sub-workflow, or retried from outside */
    }
    if (!r) {
        execution->refs++;
        *ret = execution;
    }
    engine_leave(engine);
    return r;
}

/*
 * Waiting.
 */
int orch_execution_wait(struct orch_execution *execution, orch_time timeout_us, struct orch_error *err)
{
    struct orch_engine *engine = execution->engine;
    orch_time until = ORCH_TIME_NEVER;

    if (timeout_us < 0) return error_set(err, ORCH_ERR_MISUSE, "a timeout is not negative");
    if (timeout_us < ORCH_TIME_NEVER - clock_monotonic()) until = clock_monotonic() + timeout_us;
    engine_enter(engine);
    int r = execution->is_alive || !engine->engine ? engine_check(engine, err) : 0;
    if (!r) r = engine_check_wait(engine, err);
    execution->refs++; /* on_end may free it */
    engine->refs++;
    while (!r && execution->is_alive) {
        orch_time left = until == ORCH_TIME_NEVER ? until : until - clock_monotonic();
        r = engine_turn_once(engine, left > 0 ? left : 0, err);
        if (!r && execution->is_alive && left <= 0)
            r = error_set(err, ORCH_ERR_TIMEOUT, "run %s is not over yet", execution->id);
    }
    if (!r && !execution->fast) {
        int state = execution_state(execution, err);
        if (state < 0)
            r = state;
        else if (!execution_state_is_terminal((uint8_t)state))
            r = error_set(err, ORCH_ERR_STATE, "run %s was interrupted", execution->id);
    }
    execution_drop(execution, 1);
    engine_leave(engine);
    (void)engine_unref(engine);
    return r;
}

int orch_execution_result(struct orch_execution *execution, struct orch_error *err)
{
    struct orch_summary summary = ORCH_SUMMARY_INIT;
    int r = orch_execution_get_summary(execution, &summary, err);

    if (r) return r;
    if (!execution_state_is_terminal((uint8_t)summary.state))
        return error_set(err, ORCH_ERR_STATE, "run %s is not over (%s)", execution->id,
                         orch_execution_state_name(summary.state));
    if (!summary.error_code) return 0;
    if (summary.error.size)
        return error_set(err, summary.error_code, "run %s %s: %.*s", execution->id,
                         orch_execution_state_name(summary.state), STR_ARG(summary.error));
    return error_set(err, summary.error_code, "run %s %s", execution->id, orch_execution_state_name(summary.state));
}

/*
 * Commands.
 */
static int begin(struct orch_execution *execution, struct engine_execution **ret, struct orch_error *err)
{
    engine_enter(execution->engine);
    return loaded(execution, ret, err);
}

int orch_execution_cancel(struct orch_execution *execution, const char *reason, struct orch_error *err)
{
    struct engine_execution *inner;

    if (reason && !utf8_is_valid(str_from(reason), NULL))
        return error_set(err, ORCH_ERR_INVALID, "the reason is not UTF-8");
    if (execution->fast) return fast_cancel(execution, reason, err);
    int r = begin(execution, &inner, err);
    if (!r) r = engine_cancel(execution->engine->engine, inner, STR_NONE, str_from(reason), NULL, NULL, err);
    engine_leave(execution->engine);
    return r;
}

int orch_execution_pause(struct orch_execution *execution, struct orch_error *err)
{
    struct engine_execution *inner;

    if (execution->fast) return fast_pause(execution, true, err);
    int r = begin(execution, &inner, err);
    if (!r) r = engine_pause(execution->engine->engine, inner, STR_NONE, NULL, NULL, err);
    engine_leave(execution->engine);
    return r;
}

int orch_execution_unpause(struct orch_execution *execution, struct orch_error *err)
{
    struct engine_execution *inner;

    if (execution->fast) return fast_pause(execution, false, err);
    int r = begin(execution, &inner, err);
    if (!r) r = engine_unpause(execution->engine->engine, inner, STR_NONE, NULL, NULL, err);
    engine_leave(execution->engine);
    return r;
}

/* What waits for nobody: no task of a graph of functions does. */
static int fast_waits_for_nothing(const struct orch_execution *execution, struct orch_error *err)
{
    return error_set(err, ORCH_ERR_STATE, "no task of run %s waits for that", execution->id);
}

int orch_execution_approve(struct orch_execution *execution, const char *task, bool approved, const char *comment,
                           struct orch_error *err)
{
    struct engine_execution *inner;

    if (comment && !utf8_is_valid(str_from(comment), NULL))
        return error_set(err, ORCH_ERR_INVALID, "the comment is not UTF-8");
    if (execution->fast) return fast_waits_for_nothing(execution, err);
    int r = begin(execution, &inner, err);
    if (!r)
        r = engine_approve(execution->engine->engine, inner, str_from(task), approved, STR_NONE, str_from(comment),
                           NULL, NULL, err);
    engine_leave(execution->engine);
    return r;
}

int orch_execution_signal(struct orch_execution *execution, const char *name, const char *data, struct orch_error *err)
{
    struct engine_execution *inner;

    if (!name || !name[0]) return error_set(err, ORCH_ERR_MISUSE, "an event has a name");
    if (!utf8_is_valid(str_from(name), NULL)) return error_set(err, ORCH_ERR_INVALID, "the event's name is not UTF-8");
    if (execution->fast) return fast_waits_for_nothing(execution, err);
    int r = begin(execution, &inner, err);
    if (!r)
        r = engine_signal(execution->engine->engine, inner, str_from(name), str_from(data), STR_NONE, NULL, NULL, err);
    engine_leave(execution->engine);
    return r;
}

/* Whose functions it calls, when its workflow is one that the engine was told of. */
static struct orch_workflow *known_workflow(struct orch_execution *execution)
{
    struct orch_engine *engine = execution->engine;
    struct arena scratch;
    struct store_execution row;
    struct orch_workflow *found = NULL;

    if (execution->workflow) return execution->workflow;
    arena_init(&scratch, NULL, 0);
    if (store_get_execution(engine_store(engine->engine), execution->number, &scratch, &row, NULL) == 0)
        for (struct lib_known *known = engine->known; known && !found; known = known->next)
            if (str_equal(known->workflow->name, row.workflow)) found = known->workflow;
    arena_done(&scratch);
    return found;
}

/* Loads it, by `load`; its functions are those of its own workflow, or of one that is known. */
static int take_up(struct orch_execution *execution,
                   int (*load)(struct orch_execution *execution, const char *from, struct engine_execution **ret,
                               struct orch_error *err),
                   const char *from, struct orch_error *err)
{
    struct orch_engine *engine = execution->engine;
    struct engine_execution *inner;
    struct orch_workflow *workflow = known_workflow(execution);

    engine->starting = workflow;
    int r = load(execution, from, &inner, err);
    engine->starting = NULL;
    if (r) return r;
    if (!execution->workflow) execution->workflow = workflow_ref(workflow);
    come_alive(execution);
    return 0;
}

static int load_retry(struct orch_execution *execution, const char *from, struct engine_execution **ret,
                      struct orch_error *err)
{
    return engine_retry(execution->engine->engine, execution->number, str_from(from), STR_NONE, ret, err);
}

static int load_resume(struct orch_execution *execution, const char *from, struct engine_execution **ret,
                       struct orch_error *err)
{
    (void)from;
    return engine_resume(execution->engine->engine, execution->number, ret, err);
}

int orch_execution_retry(struct orch_execution *execution, const char *from, struct orch_error *err)
{
    engine_enter(execution->engine);
    int r = engine_check(execution->engine, err);
    /* The engine lets go of it when the callback returns. */
    if (!r && execution->is_ending)
        r = error_set(err, ORCH_ERR_MISUSE, "run %s is not run again in its on_end", execution->id);
    if (!r) r = execution->fast ? fast_retry(execution, from, err) : take_up(execution, load_retry, from, err);
    engine_leave(execution->engine);
    return r;
}

int orch_execution_continue(struct orch_execution *execution, struct orch_error *err)
{
    engine_enter(execution->engine);
    int r = engine_check(execution->engine, err);
    if (!r && execution->fast && !execution->is_alive)
        r = error_set(err, ORCH_ERR_STATE, "run %s is already finished", execution->id);
    if (!r && !execution->is_alive) r = take_up(execution, load_resume, NULL, err);
    engine_leave(execution->engine);
    return r;
}

/*
 * Everything that was interrupted.
 */
struct alive {
    struct arena arena;
    int64_t *numbers;
    uint32_t count, capacity;
};

static int note_alive(void *user, const struct store_execution *row)
{
    struct alive *alive = user;

    if (row->parent) return 0; /* comes with its parent */
    if (alive->count == alive->capacity) {
        uint32_t wanted = alive->capacity ? alive->capacity * 2 : 64;
        int64_t *grown = ARENA_ARRAY(&alive->arena, wanted, int64_t);
        if (!grown) return ORCH_ERR_NO_MEMORY;
        if (alive->count) memcpy(grown, alive->numbers, alive->count * sizeof *grown);
        alive->numbers = grown;
        alive->capacity = wanted;
    }
    alive->numbers[alive->count++] = row->number;
    return 0;
}

static int resume_one(struct orch_engine *engine, int64_t number, struct orch_error *err)
{
    struct orch_execution *execution = execution_handle(engine, number, err);

    if (!execution) return ORCH_ERR_NO_MEMORY;
    execution->refs++;
    int r = execution->is_alive ? 0 : take_up(execution, load_resume, NULL, err);
    execution_drop(execution, 1);
    return r;
}

int orch_engine_resume(struct orch_engine *engine, uint32_t *ret_count, struct orch_error *err)
{
    struct alive alive = {.count = 0};
    uint32_t count = 0;

    engine_enter(engine);
    int r = engine_check(engine, err);
    arena_init(&alive.arena, NULL, 0);
    if (!r) r = store_each_alive(engine_store(engine->engine), note_alive, &alive, err);
    if (r == ORCH_ERR_NO_MEMORY) error_memory(err);
    for (uint32_t i = 0; i < alive.count && !engine->failure.code; i++) {
        struct orch_error one = ORCH_ERROR_INIT;
        if (engine_find(engine->engine, alive.numbers[i])) continue;
        int failed = resume_one(engine, alive.numbers[i], &one);
        if (!failed) count++;
        if (failed && !r) {
            r = failed;
            if (err) *err = one;
        }
    }
    arena_done(&alive.arena);
    if (!r && ret_count) *ret_count = count;
    engine_leave(engine);
    return r;
}
