/*
 * attempt.c - from a recorded attempt to a running provider and back.
 */
#include "internal.h"

#include <stdlib.h>

#include "sys/mask.h"

#define ROOM_RETRY (200 * ORCH_MILLISECOND) /* of what could not be started for want of disk space */

static struct attempt **bucket_of(struct engine *engine, const struct engine_execution *execution, uint32_t instance)
{
    uint64_t key = ((uint64_t)execution->number << 32 ^ instance) * 0x9E3779B97F4A7C15u;
    return &engine->attempt_buckets[key >> 52];
}

struct attempt *attempt_find(struct engine *engine, const struct engine_execution *execution, uint32_t instance)
{
    struct attempt *attempt = *bucket_of(engine, execution, instance);
    while (attempt && (attempt->execution != execution || attempt->instance != instance))
        attempt = attempt->bucket_next;
    return attempt;
}

struct attempt *attempt_new(struct engine_execution *execution, uint32_t instance, uint64_t fence)
{
    struct engine *engine = execution->engine;
    struct attempt *attempt = mem_resize(engine->allocator, NULL, 0, sizeof *attempt);
    if (!attempt) return NULL;
    memset(attempt, 0, sizeof *attempt);
    arena_init(&attempt->arena, engine->allocator, 0);
    attempt->execution = execution;
    attempt->instance = instance;
    attempt->fence = fence;
    attempt->base.host = &engine->host;
    attempt->base.engine = engine;
    attempt->base.arena = &attempt->arena;
    attempt->base.serial = ++engine->serial;
    struct attempt **bucket = bucket_of(engine, execution, instance);
    attempt->bucket_next = *bucket;
    *bucket = attempt;
    attempt->next = execution->attempts;
    if (attempt->next) attempt->next->previous = attempt;
    execution->attempts = attempt;
    return attempt;
}

static void room_is_found(struct attempt *attempt)
{
    if (attempt->waits_for_room) attempt->execution->engine->roomless--;
    attempt->waits_for_room = false;
}

void attempt_remove(struct attempt *attempt)
{
    struct engine_execution *execution = attempt->execution;
    struct engine *engine = execution->engine;
    struct attempt **at = bucket_of(engine, execution, attempt->instance);
    while (*at != attempt) at = &(*at)->bucket_next;
    *at = attempt->bucket_next;
    if (attempt->next) attempt->next->previous = attempt->previous;
    if (attempt->previous)
        attempt->previous->next = attempt->next;
    else
        execution->attempts = attempt->next;
    if (attempt->log_waits) {
        struct attempt **log_at = &engine->logs_waiting;
        while (*log_at != attempt) log_at = &(*log_at)->log_next;
        *log_at = attempt->log_next;
    }
    room_is_found(attempt);
    attempt->log = logfile_close(attempt->log);
    arena_done(&attempt->arena);
    mem_resize(engine->allocator, attempt, sizeof *attempt, 0);
}

static struct core_input input_of(uint32_t instance, uint64_t fence, const struct action_result *result)
{
    return (struct core_input){.type = INPUT_ATTEMPT_DONE,
                               .instance = instance,
                               .done = {.fence = fence,
                                        .failure = result->failure,
                                        .output = result->output,
                                        .error = result->error,
                                        .exit_code = result->exit_code,
                                        .signal = result->signal,
                                        .cpu_us = result->cpu_us,
                                        .memory_peak = result->memory_peak}};
}

static void feed_result(struct engine_execution *execution, uint32_t instance, uint64_t fence,
                        const struct action_result *result)
{
    struct core_input input = input_of(instance, fence, result);
    struct orch_error err = ORCH_ERROR_INIT;
    int r = execution_feed(execution, &input, &err);
    if (r && !execution->engine->failed) engine_fail(execution->engine, &err);
}

void attempt_feed_failure(struct engine_execution *execution, uint32_t instance, uint64_t fence, enum failure failure,
                          const char *message)
{
    struct action_result result = {.failure = failure, .error = str_from(message), .exit_code = -1};
    feed_result(execution, instance, fence, &result);
}

int engine_report(struct engine *engine, struct engine_execution *execution, uint32_t instance, uint64_t fence,
                  const struct action_result *result, struct orch_error *err)
{
    const struct attempt *attempt = attempt_find(engine, execution, instance);
    if (attempt && attempt->fence == fence && attempt->provider)
        return error_set(err, ORCH_ERR_MISUSE, "that attempt's end is told by who carries it out");
    uint32_t before = execution->turn.count;
    struct core_input input = input_of(instance, fence, result);
    int r = execution_feed(execution, &input, err);
    if (r) return r;
    if (execution->turn.count == before) return error_set(err, ORCH_ERR_STATE, "that attempt is not under way");
    return 0;
}

/*
 * What providers say.
 */

/* What cannot be hidden for want of memory is not shown; and those that depend on it would go on with nothing. */
static void mask_result(struct attempt *attempt, struct action_result *result)
{
    struct orch_str output = secrets_mask_json(attempt, result->output, &attempt->arena);
    struct orch_str error = secrets_mask(attempt, result->error, &attempt->arena);
    if (result->output.size && !output.data) {
        if (result->failure == FAILURE_NONE) {
            result->failure = FAILURE_ERROR;
            error = STR("cannot take the output: out of memory");
        }
        output = STR_NONE;
    }
    if (result->error.size && !error.data) error = STR("what failed cannot be said: out of memory");
    result->output = output;
    result->error = error;
}

static void host_done(struct action_attempt *base, const struct action_result *given)
{
    struct attempt *attempt = (struct attempt *)base;
    struct engine_execution *execution = attempt->execution;
    const struct engine *engine = execution->engine;
    struct action_result result = *given;
    if (base->secrets_count) mask_result(attempt, &result);
    if (!engine->closing && !engine->failed) feed_result(execution, attempt->instance, attempt->fence, &result);
    attempt_remove(attempt);
}

static char stream_letter(enum log_stream stream)
{
    switch (stream) {
    case LOG_STDOUT: return 'o';
    case LOG_STDERR: return 'e';
    case LOG_SYSTEM: return 's';
    }
    return 's';
}

/* Lines come by the million: what they need in between is given back after each. */
static void host_log(struct action_attempt *base, enum log_stream stream, struct orch_str line)
{
    struct attempt *attempt = (struct attempt *)base;
    struct engine_execution *execution = attempt->execution;
    struct engine *engine = execution->engine;
    const struct engine_observer *observer = &engine->options.observer;
    struct arena_mark mark = arena_mark(&engine->scratch);
    line = secrets_mask(attempt, line, &engine->scratch);
    if (engine->store_dir.size) {
        if (!attempt->log) {
            struct core_summary summary;
            core_get_summary(execution->core, &summary);
            attempt->log = logfile_new(engine->store_dir, str_from(execution->id), base->task_path, summary.generation,
                                       base->attempt_number);
        }
        struct orch_error err = ORCH_ERROR_INIT;
        if (attempt->log && logfile_add(attempt->log, engine_now(engine), stream_letter(stream), line, &err) &&
            observer->trouble)
            observer->trouble(observer->user, &err); /* a lost log line costs no result */
        if (attempt->log && !attempt->log_waits) {
            attempt->log_waits = true;
            attempt->log_next = engine->logs_waiting;
            engine->logs_waiting = attempt;
        }
    }
    if (observer->log) observer->log(observer->user, execution, attempt->instance, base->attempt_number, stream, line);
    arena_rewind(&engine->scratch, mark);
}

void attempts_flush_logs(struct engine *engine)
{
    while (engine->logs_waiting) {
        struct attempt *attempt = engine->logs_waiting;
        struct orch_error err = ORCH_ERROR_INIT;
        engine->logs_waiting = attempt->log_next;
        attempt->log_waits = false;
        if (logfile_flush(attempt->log, &err) && engine->options.observer.trouble)
            engine->options.observer.trouble(engine->options.observer.user, &err);
    }
}

static void host_progress(struct action_attempt *base, double fraction, struct orch_str text)
{
    struct attempt *attempt = (struct attempt *)base;
    struct engine *engine = attempt->execution->engine;
    const struct engine_observer *observer = &engine->options.observer;
    struct arena_mark mark = arena_mark(&engine->scratch);
    text = secrets_mask(attempt, text, &engine->scratch);
    size_t size = text.size;
    if (size > sizeof attempt->progress_text) {
        size = sizeof attempt->progress_text;
        while (size > 0 && (text.data[size] & 0xC0) == 0x80) size--; /* no half characters */
    }
    if (size) memcpy(attempt->progress_text, text.data, size);
    attempt->progress_size = (uint16_t)size;
    attempt->progress = fraction;
    attempt->has_progress = true;
    if (observer->progress) observer->progress(observer->user, attempt->execution, attempt->instance, fraction, text);
    arena_rewind(&engine->scratch, mark);
}

bool engine_execution_progress(const struct engine_execution *execution, uint32_t instance, double *ret_fraction,
                               struct orch_str *ret_text)
{
    const struct attempt *attempt = attempt_find(execution->engine, execution, instance);
    if (!attempt || !attempt->has_progress) return false;
    *ret_fraction = attempt->progress;
    *ret_text = str_of(attempt->progress_text, attempt->progress_size);
    return true;
}

/*
 * Providers.
 */
static int provider_add(struct engine *engine, const struct action_provider *provider, void *context,
                        struct orch_error *err)
{
    ORCH_ASSERT(engine->providers_count < ENGINE_PROVIDERS_MAX);
    if (!context && provider->open && engine->has_loop) {
        int r = provider->open(&engine->loop, engine->mark, &context, err);
        if (r) return r;
    }
    engine->providers[engine->providers_count].provider = provider;
    engine->providers[engine->providers_count].context = context;
    engine->providers[engine->providers_count++].open = true;
    return 0;
}

int attempts_open(struct engine *engine, struct orch_error *err)
{
    engine->host = (struct action_host){.done = host_done, .log = host_log, .progress = host_progress};
    if (!engine->has_loop) return provider_add(engine, engine->world.provider, engine->world.provider_context, err);
    int r = provider_add(engine, &action_process_provider, NULL, err);
    if (!r) r = provider_add(engine, &action_notification_provider, NULL, err);
    if (!r && engine->options.functions) {
        void *context;
        uint32_t threads = engine->options.threads ? engine->options.threads : engine->options.jobs;
        r = action_function_open(&engine->loop, engine->options.functions, threads, &context, err);
        if (!r) r = provider_add(engine, &action_function_provider, context, err);
    }
    return r;
}

void attempts_close(struct engine *engine)
{
    for (uint32_t i = engine->providers_count; i-- > 0;)
        if (engine->providers[i].open && engine->providers[i].provider->close)
            engine->providers[i].provider->close(engine->providers[i].context);
    engine->providers_count = 0;
}

static uint32_t provider_of(const struct engine *engine, enum action_kind kind)
{
    for (uint32_t i = 0; i < engine->providers_count; i++)
        for (const enum action_kind *k = engine->providers[i].provider->kinds; *k != ACTION_NONE; k++)
            if (*k == kind) return i;
    return UINT32_MAX;
}

bool attempt_kind_has_provider(const struct engine *engine, enum action_kind kind)
{
    switch (kind) {
    case ACTION_TRANSFORM: /* these the core does */
    case ACTION_WAIT:
    case ACTION_APPROVAL:
    case ACTION_NOOP:
    case ACTION_WORKFLOW: /* and this the engine */ return true;
    case ACTION_SHELL:
    case ACTION_EXEC:
    case ACTION_SCRIPT:
    case ACTION_NOTIFICATION:
    case ACTION_FUNCTION:
    case ACTION_SERVICE_CALL:
    case ACTION_FACTORY: return provider_of(engine, kind) != UINT32_MAX;
    case ACTION_NONE: return false;
    }
    return false;
}

static int gather_inputs(struct attempt *attempt, struct orch_error *err)
{
    const struct engine_execution *execution = attempt->execution;
    const struct core_instance *instance = core_get_instance(execution->core, attempt->instance);
    const struct block *block = instance->task->block;
    const struct core_frame *frame = core_get_frame(execution->core, instance->frame);
    uint32_t from = block->dependency_start[instance->task->index],
             to = block->dependency_start[instance->task->index + 1];
    struct action_input *inputs = ARENA_ARRAY(&attempt->arena, to - from, struct action_input);
    if (!inputs) return error_memory(err);
    uint32_t count = 0;
    for (uint32_t i = from; i < to; i++) {
        const struct core_instance *dependency =
            core_get_instance(execution->core, frame->first + block->dependencies[i]);
        if (!dependency->detail) continue;
        struct orch_str output = dependency->detail->output;
        if (!output.size && dependency->detail->blob) {
            int r = store_get_blob(execution->engine->store, execution->number, dependency->detail->blob,
                                   &attempt->arena, &output, err);
            if (r) return r;
        }
        if (output.size) inputs[count++] = (struct action_input){dependency->task->id, output};
    }
    attempt->base.inputs = inputs;
    attempt->base.inputs_count = count;
    return 0;
}

static int gather_secrets(struct attempt *attempt, struct orch_error *err)
{
    uint32_t count = 0;
    for (struct secret *secret = attempt->execution->secrets; secret; secret = secret->next)
        count += secret->escaped.size ? 2 : 1;
    if (count == 0) return 0;
    struct orch_str *values = ARENA_ARRAY(&attempt->arena, count, struct orch_str);
    if (!values) return error_memory(err);
    uint32_t i = 0;
    for (struct secret *secret = attempt->execution->secrets; secret; secret = secret->next) {
        values[i++] = secret->value;
        if (secret->escaped.size) values[i++] = secret->escaped;
    }
    attempt->base.secrets = values;
    attempt->base.secrets_count = count;
    return 0;
}

static bool has_scratch(enum action_kind kind)
{
    return kind == ACTION_SHELL || kind == ACTION_EXEC || kind == ACTION_SCRIPT;
}

static int attempt_fill(struct attempt *attempt, struct orch_error *err)
{
    struct engine_execution *execution = attempt->execution;
    struct engine *engine = execution->engine;
    const struct core_instance *instance = core_get_instance(execution->core, attempt->instance);
    struct action_attempt *base = &attempt->base;
    base->kind = instance->task->action->kind;
    base->attempt_number = instance->attempt;
    base->fence = attempt->fence;
    base->execution_id = str_from(execution->id);
    base->workflow_name = execution->version->workflow->name;
    base->parameters = execution->parameters_value;
    base->grace_us = engine->options.grace_us;
    base->base_dir = execution->base_dir;
    struct buf path;
    buf_init(&path, engine->allocator, 0);
    core_path(execution->core, attempt->instance, &path);
    base->task_path = path.failed ? STR_NONE : arena_str(&attempt->arena, buf_str(&path));
    buf_done(&path);
    if (!base->task_path.data) return error_memory(err);
    struct core_summary summary;
    core_get_summary(execution->core, &summary);
    base->key =
        arena_printf(&attempt->arena, "%s/%.*s/%u", execution->id, STR_ARG(base->task_path), summary.generation);
    bool wants_scratch = engine->store_dir.size && has_scratch(base->kind);
    if (wants_scratch) {
        static const char rest[] = "/scratch/attempt";
        char *text = arena_bytes(&attempt->arena, engine->store_dir.size + sizeof rest);
        if (!text) return error_memory(err);
        memcpy(text, engine->store_dir.data, engine->store_dir.size);
        memcpy(text + engine->store_dir.size, rest, sizeof rest);
        base->scratch_dir = str_of(text, engine->store_dir.size + sizeof rest - 1);
    }
    if (!base->key.data || (wants_scratch && !base->scratch_dir.data)) return error_memory(err);
    int r = gather_secrets(attempt, err);
    if (!r) r = gather_inputs(attempt, err);
    if (!r)
        r = core_render(execution->core, attempt->instance, engine_execution_now(execution), &attempt->arena,
                        &base->config, &base->env, err);
    return r;
}

static enum failure failure_of(int code)
{
    switch (code) {
    case ORCH_ERR_EVALUATION: return FAILURE_EVALUATION;
    case ORCH_ERR_INVALID:
    case ORCH_ERR_UNSUPPORTED:
    case ORCH_ERR_NOT_FOUND:
    case ORCH_ERR_LIMIT: return FAILURE_PERMANENT;
    default: return FAILURE_START;
    }
}

static void start_failed(struct engine_execution *execution, uint32_t at, uint64_t fence, struct attempt *attempt,
                         int code, const struct orch_error *err)
{
    MARK("an attempt cannot be started");
    struct action_result result = {.failure = failure_of(code), .error = str_from(err->message), .exit_code = -1};
    if (attempt)
        result.error =
            secrets_mask(attempt, result.error, &attempt->arena); /* what could not be started may name one */
    feed_result(execution, at, fence, &result);
    if (attempt) attempt_remove(attempt);
}

/*
 * A full disk is no fault of the task: it waits for room, as everything does then. Its attempt is recorded as under
 * way, so its timeout runs and it can be stopped.
 */
static void wait_for_room(struct attempt *attempt)
{
    struct engine *engine = attempt->execution->engine;
    attempt->provider = NULL;
    if (attempt->waits_for_room) return;
    attempt->waits_for_room = true;
    if (engine->roomless++ > 0) return;
    struct orch_error err = ORCH_ERROR_INIT;
    engine->room_at = engine_now(engine) + ROOM_RETRY;
    error_set(&err, ORCH_ERR_FULL, "no space left for %s: %.*s cannot begin yet",
              engine->store_dir.data ? engine->store_dir.data : "the store", STR_ARG(attempt->base.task_path));
    error_hint(&err, "it begins by itself when there is room");
    if (engine->options.observer.trouble) engine->options.observer.trouble(engine->options.observer.user, &err);
    engine_stir(engine); /* for the timer */
}

/* Done may come from within, and the attempt is gone then. */
static void hand_to_provider(struct attempt *attempt)
{
    struct engine_execution *execution = attempt->execution;
    struct engine *engine = execution->engine;
    uint32_t provider = provider_of(engine, attempt->base.kind);
    bool waited = attempt->waits_for_room;
    struct arena_mark mark = arena_mark(&attempt->arena);
    struct orch_error err = ORCH_ERROR_INIT;
    ORCH_ASSERT(provider != UINT32_MAX);
    room_is_found(attempt);
    attempt->provider = engine->providers[provider].provider;
    attempt->context = engine->providers[provider].context;
    int r = attempt->provider->start(attempt->context, &attempt->base, &err);
    if (r == 0) return;
    if (r != ORCH_ERR_FULL) {
        start_failed(execution, attempt->instance, attempt->fence, attempt, r, &err);
        return;
    }
    arena_rewind(&attempt->arena, mark);
    if (waited) { /* told already */
        attempt->waits_for_room = true;
        engine->roomless++;
    }
    wait_for_room(attempt);
}

void attempt_start(struct engine_execution *execution, uint32_t at, uint64_t fence)
{
    const struct core_instance *instance = core_get_instance(execution->core, at);
    /* Decided meanwhile to stop, or already over: what was to start never does. The stop that follows reports it. */
    if (instance->state != TASK_RUNNING || !instance->detail || instance->detail->fence != fence || instance->stopping)
        return;
    struct orch_error err = ORCH_ERROR_INIT;
    struct attempt *attempt = attempt_new(execution, at, fence);
    int r = attempt ? attempt_fill(attempt, &err) : error_memory(&err);
    if (!r && attempt->base.kind != ACTION_WORKFLOW) {
        hand_to_provider(attempt);
        return;
    }
    if (!r) r = child_start(attempt, attempt->base.config, &err);
    if (r) start_failed(execution, at, fence, attempt, r, &err);
}

void attempts_try_room(struct engine *engine)
{
    engine->room_at = engine_now(engine) + ROOM_RETRY;
    for (struct engine_execution *execution = engine->executions; execution; execution = execution->next)
        for (struct attempt *attempt = execution->attempts, *next; attempt; attempt = next) {
            next = attempt->next;
            if (attempt->waits_for_room) hand_to_provider(attempt);
        }
}

void attempt_stop(struct engine_execution *execution, uint32_t at)
{
    const struct core_instance *instance = core_get_instance(execution->core, at);
    struct attempt *attempt = attempt_find(execution->engine, execution, at);
    /* Of one that ended meanwhile, the next is another attempt. */
    if (attempt && instance->stopping && attempt->waits_for_room) {
        attempt_remove(attempt); /* reported below, as one that never began */
        attempt = NULL;
    }
    if (attempt && instance->stopping) {
        if (attempt->provider)
            attempt->provider->stop(attempt->context, &attempt->base, false);
        else
            child_stop(attempt);
    }
    if (attempt) return;
    if (instance->state == TASK_RUNNING && instance->stopping && instance->detail) {
        MARK("stopped before it began");
        attempt_feed_failure(execution, at, instance->detail->fence, FAILURE_CANCELLED, "stopped before it began");
    }
}

void attempt_drop_all(struct engine_execution *execution, bool hasten)
{
    for (struct attempt *attempt = execution->attempts, *next; attempt; attempt = next) {
        next = attempt->next; /* stop may report at once */
        if (attempt->provider) attempt->provider->stop(attempt->context, &attempt->base, hasten);
    }
}

void engine_hasten(struct engine *engine, struct engine_execution *execution)
{
    for (struct attempt *attempt = execution->attempts, *next; attempt; attempt = next) {
        next = attempt->next;
        if (attempt->provider) attempt->provider->stop(attempt->context, &attempt->base, true);
    }
    for (struct engine_execution *other = engine->executions; other; other = other->next)
        if (other->parent == execution->number) engine_hasten(engine, other);
}
