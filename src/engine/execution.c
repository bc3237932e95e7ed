/*
 * execution.c - the life of a loaded execution: started, taken up again, run again, ended.
 */
#include "internal.h"

#include <stdlib.h>

#include "sys/process.h"
#include "sys/zone.h"

#define SURVIVORS_TIMEOUT (10 * ORCH_SECOND)

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

static int secret_of(void *user, struct orch_str name, struct arena *arena, struct orch_str *ret, struct orch_error *err)
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

struct engine_execution *execution_new(struct engine *engine, struct engine_version *version, int64_t number, struct orch_error *err)
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
    attempt_drop_all(execution, true);
    while (execution->attempts) attempt_remove(execution->attempts);
    engine_timer_set(engine, execution, ORCH_TIME_NEVER);
    if (engine->admission) limits_close(execution);
    if (execution->next) execution->next->previous = execution->previous;
    if (execution->previous) execution->previous->next = execution->next;
    else engine->executions = execution->next;
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
        if (instance->reason != REASON_APPROVAL && instance->reason != REASON_HELD && instance->reason != REASON_EVENT) continue;
        struct buf path;
        buf_init(&path, NULL, 4096);
        core_path(execution->core, i, &path);
        struct orch_str text = arena_printf(arena, "%s: %.*s", reason_to_string((enum reason)instance->reason), STR_ARG(buf_str(&path)));
        buf_done(&path);
        return text;
    }
    return STR_NONE;
}

void execution_row(const struct engine_execution *execution, struct arena *arena, struct store_execution *ret)
{
    struct core_summary summary;
    core_get_summary(execution->core, &summary);
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
        .updated_at = engine_now(execution->engine),
        .error = summary.error,
        .waiting = execution_state_is_terminal((uint8_t)summary.state) ? STR_NONE : waiting_text(execution, arena),
        .parent = execution->parent,
        .parent_instance = execution->parent_instance,
        .parent_fence = execution->parent_fence,
    };
}

/* The variables of the environment that the definition's expressions mention: recorded at the start, the same for ever after. */
struct env_gather {
    struct map names;
    bool failed;
};

static int gather_name(void *user, const struct expr_name *name)
{
    struct env_gather *gather = user;
    if (str_is(name->name, "env") && name->field.size && !map_add(&gather->names, name->field, NULL)) gather->failed = true;
    return gather->failed ? ORCH_ERR_NO_MEMORY : 0;
}

static int gather_expr(const struct expr *expr, struct env_gather *gather)
{
    return expr ? expr_each_name(expr, gather_name, gather) : 0;
}

static int gather_part(void *user, const struct template_part *part)
{
    return gather_expr(part->expr, user);
}

static int gather_template(const struct template *tmpl, struct env_gather *gather)
{
    return template_each_expr(tmpl, gather_part, gather);
}

static int gather_env(const struct env_entry *env, uint32_t count, struct env_gather *gather)
{
    for (uint32_t i = 0; i < count; i++) {
        int r = gather_template(&env[i].value, gather);
        if (r) return r;
    }
    return 0;
}

static int gather_task(const struct task *task, struct env_gather *gather)
{
    const struct action *action = task->action;
    int r = gather_expr(task->when, gather);
    if (!r && action) r = gather_template(&action->config, gather);
    if (!r && action && action->kind == ACTION_TRANSFORM) r = gather_expr(action->transform, gather);
    if (!r && action && action->kind == ACTION_WORKFLOW) r = gather_template(&action->parameters, gather);
    if (!r && action && action->kind == ACTION_WAIT) {
        r = gather_template(&action->wait, gather);
        if (!r) r = gather_expr(action->wait_filter, gather);
    }
    const struct task_options *options = task->options;
    if (r || !options) return r;
    if (options->loop) r = gather_template(&options->loop->items, gather);
    if (!r && options->repeat) {
        r = gather_expr(options->repeat->until, gather);
        if (!r) r = gather_expr(options->repeat->while_, gather);
    }
    return r ? r : gather_env(options->env, options->env_count, gather);
}

static int capture_env(const struct workflow *workflow, struct arena *arena, struct value *ret, struct orch_error *err)
{
    struct env_gather gather = {0};
    map_init(&gather.names, NULL);
    int r = gather_env(workflow->env, workflow->env_count, &gather);
    if (!r && workflow->output) r = gather_template(workflow->output, &gather);
    for (uint32_t b = 0; b < workflow->block_count && !r; b++)
        for (uint32_t t = 0; t < workflow->blocks[b]->task_count && !r; t++) r = gather_task(&workflow->blocks[b]->tasks[t], &gather);
    struct value_member *members = r ? NULL : ARENA_ARRAY(arena, gather.names.count, struct value_member);
    uint32_t count = 0;
    for (uint32_t i = 0; members && i < gather.names.count; i++) {
        struct orch_str name = arena_str(arena, gather.names.entries[i].key);
        const char *value = name.data ? getenv(name.data) : NULL;
        if (!name.data) {
            members = NULL;
            break;
        }
        if (!value || !utf8_is_valid(str_from(value), NULL)) continue; /* not there: `has(env.X)` is false */
        struct orch_str copy = arena_str(arena, str_from(value));
        if (!copy.data) members = NULL;
        else members[count++] = (struct value_member){value_string(name), value_string(copy)};
    }
    map_done(&gather.names);
    if (!members || value_map(members, count, arena, ret)) return error_memory(err);
    return 0;
}

static int keep(struct arena *arena, struct orch_str text, struct orch_str *ret)
{
    *ret = text.size ? arena_str(arena, text) : STR_NONE;
    return text.size && !ret->data ? ORCH_ERR_NO_MEMORY : 0;
}

static int keep_json(struct arena *arena, struct value value, struct orch_str *ret)
{
    struct buf json;
    buf_init(&json, NULL, 0);
    json_format(value, 0, &json);
    int r = json.failed ? ORCH_ERR_NO_MEMORY : keep(arena, buf_str(&json), ret);
    buf_done(&json);
    return r;
}

/* What the definition needs of this engine, checked before anything is recorded. */
static int check_providers(struct engine *engine, const struct workflow *workflow, struct orch_error *err)
{
    for (uint32_t b = 0; b < workflow->block_count; b++)
        for (uint32_t t = 0; t < workflow->blocks[b]->task_count; t++) {
            const struct task *task = &workflow->blocks[b]->tasks[t];
            if (!task->action || attempt_kind_has_provider(engine, task->action->kind)) continue;
            error_set(err, ORCH_ERR_UNSUPPORTED, "task \"%.*s\": nothing here carries out a %s", STR_ARG(task->id),
                      action_kind_to_string(task->action->kind));
            if (task->action->kind == ACTION_FUNCTION)
                error_hint(err, "functions are part of the program that embeds liborch; the command line has none");
            else error_hint(err, "no provider is registered for it");
            if (err) {
                err->line = task->line;
                err->column = task->column;
            }
            return ORCH_ERR_UNSUPPORTED;
        }
    return 0;
}

int execution_start(struct engine *engine, const struct engine_start *start, struct engine_execution *parent, uint32_t parent_instance,
                    uint64_t parent_fence, struct engine_execution **ret, struct orch_error *err)
{
    struct engine_version *version = start->version;
    int r = check_providers(engine, version->workflow, err);
    if (r) return r;
    if (parent && parent->nest + 1 > ENGINE_NEST_MAX)
        return error_set(err, ORCH_ERR_LIMIT, "workflows are nested more than %d deep", ENGINE_NEST_MAX);
    struct engine_execution *execution = execution_new(engine, version, store_next_number(engine->store), err);
    if (!execution) return ORCH_ERR_NO_MEMORY;
    struct arena *arena = &execution->arena;
    struct value env;
    execution->creating = true;
    if (parent) {
        execution->parent = parent->number;
        execution->parent_instance = parent_instance;
        execution->parent_fence = parent_fence;
        execution->nest = parent->nest + 1;
    }
    r = keep(arena, version->base_dir, &execution->base_dir);
    /* A child has no file: it is not what `run FILE --continue` looks for. */
    if (!r && !parent) r = keep(arena, start->file.size ? start->file : version->file, &execution->file);
    if (!r) r = keep(arena, start->by, &execution->by);
    if (!r) r = value_copy(start->parameters, arena, &execution->parameters_value);
    if (!r) r = keep_json(arena, start->parameters, &execution->parameters);
    if (!r) r = value_copy(version->pinned, arena, &execution->pinned);
    if (r) error_memory(err);
    if (!r) r = capture_env(version->workflow, arena, &env, err);
    if (!r) r = secrets_load(execution, err);
    if (!r) r = limits_open(execution, err);
    if (!r) r = version_store(version, err);
    if (!r) {
        struct core_input input = {.type = INPUT_START,
                                   .instance = CORE_NONE,
                                   .by = execution->by,
                                   .start = {.parameters = execution->parameters_value,
                                             .env = env,
                                             .labels = value_null(),
                                             .subworkflows = execution->pinned,
                                             .id = str_from(execution->id)}};
        r = execution_feed(execution, &input, err);
    }
    if (r) {
        execution_free(execution);
        return r;
    }
    *ret = execution;
    return 0;
}

int engine_start(struct engine *engine, const struct engine_start *start, struct engine_execution **ret, struct orch_error *err)
{
    return execution_start(engine, start, NULL, CORE_NONE, 0, ret, err);
}

void execution_after_end(struct engine_execution *execution)
{
    struct engine *engine = execution->engine;
    if (engine->options.observer.ended) engine->options.observer.ended(engine->options.observer.user, execution);
    if (execution->parent) child_ended(execution);
    execution_free(execution);
}

/*
 * Taking up.
 */
struct fold {
    struct engine_execution *execution;
    struct core *core;
    struct arena *arena;       /* of the records' texts, for a moment */
    struct arena *keep;        /* pinned versions */
    struct value pinned;
    uint64_t next_seq;
    struct orch_error *err;
};

static int fold_record(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    struct fold *fold = user;
    struct core_transitions list = {0};
    if (first_seq != fold->next_seq)
        return error_set(fold->err, ORCH_ERR_CORRUPT, "the journal has no record %llu", (unsigned long long)fold->next_seq);
    arena_clear(fold->arena);
    int r = transitions_decode(record, fold->arena, &list, fold->err);
    if (r) return r;
    if (list.count != count) return error_set(fold->err, ORCH_ERR_CORRUPT, "a record of the journal is not what it says");
    for (uint32_t i = 0; i < list.count; i++) {
        const struct core_transition *transition = &list.items[i];
        if (transition->type == TRANSITION_EXECUTION_STARTED && fold->keep) {
            struct value data;
            struct orch_str text = arena_str(fold->keep, transition->data);
            if (!text.data) return error_memory(fold->err);
            r = json_parse(text, NULL, fold->keep, &data, fold->err);
            if (r) return r;
            const struct value *pinned = value_get(data, STR("subworkflows"));
            fold->pinned = pinned ? *pinned : value_null();
        }
        r = core_evolve(fold->core, transition, fold->err);
        if (r) return r;
    }
    fold->next_seq += count;
    return 0;
}

static int fold_journal(struct store *store, int64_t number, struct core *core, struct arena *keep_in, struct value *ret_pinned,
                        uint64_t *ret_next_seq, struct orch_error *err)
{
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    struct fold fold = {.core = core, .arena = &scratch, .keep = keep_in, .next_seq = 1, .err = err};
    int r = store_each_record(store, number, 1, fold_record, &fold, err);
    arena_done(&scratch);
    if (r) return r;
    if (ret_pinned) *ret_pinned = fold.pinned;
    *ret_next_seq = fold.next_seq;
    return 0;
}

/* Makes an execution from its row and journal; nothing is decided yet. */
static int take_up(struct engine *engine, int64_t number, uint32_t nest, struct engine_execution **ret, struct orch_error *err)
{
    struct arena scratch;
    struct store_execution row;
    struct engine_version *version = NULL;
    struct engine_execution *execution = NULL;
    arena_init(&scratch, NULL, 0);
    int r = store_get_execution(engine->store, number, &scratch, &row, err);
    if (!r) r = version_by_digest(engine, row.digest, row.base_dir, row.file, value_null(), &version, err);
    if (!r) {
        execution = execution_new(engine, version, number, err);
        if (!execution) r = ORCH_ERR_NO_MEMORY;
    }
    (void)engine_version_unref(version); /* the execution has its own; NULL is fine */
    if (!r) {
        struct arena *arena = &execution->arena;
        execution->nest = nest;
        execution->parent = row.parent;
        execution->parent_instance = row.parent_instance;
        execution->parent_fence = row.parent_fence;
        execution->row_state = row.state;
        if (keep(arena, row.base_dir, &execution->base_dir) || keep(arena, row.file, &execution->file) || keep(arena, row.by, &execution->by) ||
            keep(arena, row.parameters, &execution->parameters))
            r = error_memory(err);
        if (!r) r = json_parse(execution->parameters, NULL, arena, &execution->parameters_value, err);
        if (!r) r = fold_journal(engine->store, number, execution->core, arena, &execution->pinned, &execution->next_seq, err);
        if (!r) r = secrets_load(execution, err);
        if (!r) r = limits_open(execution, err);
        if (r) execution_free(execution);
    }
    arena_done(&scratch);
    if (r) return error_context(err, "cannot take up execution %lld", (long long)number), r;
    *ret = execution;
    return 0;
}

struct taking {
    struct engine_execution *execution;
    struct orch_error *err;
};

static int take_ready(void *user, uint32_t instance)
{
    struct taking *taking = user;
    return limits_request(taking->execution, instance, false, taking->err);
}

static int take_running(void *user, uint32_t instance)
{
    struct taking *taking = user;
    return limits_request(taking->execution, instance, true, taking->err);
}

/*
 * Two attempts of one task never overlap: what an earlier life of the store left running is ended before anything is taken up. Once is enough, and
 * only before this life has started something, since that carries the same mark.
 */
static int end_survivors(struct engine *engine, struct orch_error *err)
{
    if (engine->survivors_ended || engine->serial > 0 || !engine->store_dir.size) return 0;
    int r = process_kill_marked(engine->mark, SURVIVORS_TIMEOUT, err);
    if (r < 0) return r;
    engine->survivors_ended = true;
    return 0;
}

int engine_resume(struct engine *engine, int64_t number, struct engine_execution **ret, struct orch_error *err)
{
    struct engine_execution *execution = engine_find(engine, number);
    if (execution) {
        *ret = execution;
        return 0;
    }
    int r = end_survivors(engine, err);
    if (!r) r = take_up(engine, number, 0, &execution, err);
    if (r) return r;
    struct core_summary summary;
    core_get_summary(execution->core, &summary);
    if (execution_state_is_terminal((uint8_t)summary.state)) {
        error_set(err, ORCH_ERR_STATE, "run %s is already finished (%s)", execution->id, execution_state_to_string(summary.state));
        error_hint(err, "orch retry %s --failed  runs what failed again", execution->id);
        execution_free(execution);
        return ORCH_ERR_STATE;
    }
    /* What ran holds its units until recovery has said what became of it; what was ready asks anew. */
    struct taking taking = {execution, err};
    r = core_each_running(execution->core, take_running, &taking);
    if (!r) r = core_each_ready(execution->core, take_ready, &taking);
    if (!r && summary.state == EXECUTION_PAUSED && admission_hold(engine->admission, (uint64_t)number, true)) r = error_memory(err);
    struct core_input input = {.type = INPUT_RECOVER, .instance = CORE_NONE};
    if (!r) r = execution_feed(execution, &input, err);
    if (!r) r = children_resume(execution, err);
    if (r) {
        if (!engine->failed) execution_free(execution);
        return r;
    }
    engine_timer_set(engine, execution, execution->ended ? ORCH_TIME_NEVER : core_deadline(execution->core));
    *ret = execution;
    return 0;
}

int engine_retry(struct engine *engine, int64_t number, struct orch_str from_path, struct orch_str by, struct engine_execution **ret,
                 struct orch_error *err)
{
    struct engine_execution *execution = engine_find(engine, number);
    bool loaded = execution != NULL;
    if (!loaded) {
        int r = take_up(engine, number, 0, &execution, err);
        if (r) return r;
        struct core_summary summary;
        core_get_summary(execution->core, &summary);
        if (!execution_state_is_terminal((uint8_t)summary.state)) {
            /* Interrupted: taken up first, so that what was lost is known. */
            execution_free(execution);
            r = engine_resume(engine, number, &execution, err);
            if (r) return r;
            loaded = true;
        } else execution->parent = 0; /* run again on its own: the one that started it is over, or has its result */
    }
    struct core_input input = {.type = INPUT_RETRY, .instance = CORE_NONE, .by = by};
    int r = 0;
    if (from_path.size) {
        input.instance = core_find(execution->core, from_path);
        if (input.instance == CORE_NONE) {
            r = error_set(err, ORCH_ERR_NOT_FOUND, "run %s has no task \"%.*s\"", execution->id, STR_ARG(from_path));
            error_hint(err, "orch show %s  lists its tasks", execution->id);
        }
    }
    if (!r) r = execution_feed(execution, &input, err);
    if (r) {
        if (!loaded && !engine->failed) execution_free(execution);
        return r;
    }
    *ret = execution;
    return 0;
}

/*
 * Looking without running.
 */
struct engine_view {
    struct store *store;
    int64_t number;
    struct arena arena;
    struct store_execution row;
    const struct workflow *workflow;
    struct zonefiles zones;
    struct core *core;
};

static int view_zone(void *user, struct orch_str name, struct orch_str *ret_tzif)
{
    struct engine_view *view = user;
    return zonefiles_load(&view->zones, name, ret_tzif);
}

static int view_blob(void *user, uint64_t blob, struct arena *arena, struct orch_str *ret, struct orch_error *err)
{
    struct engine_view *view = user;
    return store_get_blob(view->store, view->number, blob, arena, ret, err);
}

int engine_view_open(struct store *store, int64_t number, struct engine_view **ret, struct orch_error *err)
{
    struct engine_view *view = calloc(1, sizeof *view);
    if (!view) return error_memory(err);
    view->store = store;
    view->number = number;
    zonefiles_init(&view->zones, NULL, NULL);
    arena_init(&view->arena, NULL, 0);
    int r = store_get_execution(store, number, &view->arena, &view->row, err);
    struct orch_str normal;
    if (!r) r = store_get_definition(store, view->row.digest, &view->arena, &normal, err);
    if (!r) {
        struct diags *diags = ARENA_NEW(&view->arena, struct diags);
        if (!diags) r = error_memory(err);
        else {
            diags_init(diags, &view->arena);
            r = workflow_read(normal, view->row.file, &view->arena, diags, &view->workflow);
            if (r) r = diags_to_error(diags, view->row.file, err);
        }
    }
    if (!r) {
        struct core_env env = {.blob = view_blob, .zone = view_zone, .user = view};
        view->core = core_new(view->workflow, 0, &env, NULL);
        uint64_t next;
        r = view->core ? fold_journal(store, number, view->core, NULL, NULL, &next, err) : error_memory(err);
    }
    if (r) {
        engine_view_close(view);
        return r;
    }
    *ret = view;
    return 0;
}

struct engine_view *engine_view_close(struct engine_view *view)
{
    if (!view) return NULL;
    view->core = core_free(view->core);
    zonefiles_done(&view->zones);
    arena_done(&view->arena);
    free(view);
    return NULL;
}

const struct core *engine_view_core(const struct engine_view *view)
{
    return view->core;
}

const struct store_execution *engine_view_row(const struct engine_view *view)
{
    return &view->row;
}
