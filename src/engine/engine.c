/*
 * engine.c - the life of the engine, and its timers.
 */
#include "internal.h"

#include <stdlib.h>
#include <unistd.h>

orch_time engine_now(const struct engine *engine)
{
    /* The wall clock as it was at the start, moved on by the monotonic one: a jump of the wall clock hurts no timer. */
    return engine->world.monotonic(engine->world.user) + engine->wall_minus_monotonic;
}

void engine_fail(struct engine *engine, const struct orch_error *err)
{
    if (engine->failed) return;
    MARK("the engine fails");
    engine->failed = true;
    engine->failure = *err;
    engine_stir(engine);
}

void engine_end_failed(struct engine *engine)
{
    if (engine->failure_told) return;
    engine->failure_told = true;
    if (engine->options.observer.trouble)
        engine->options.observer.trouble(engine->options.observer.user, &engine->failure);
    /* What runs could not be recorded any more: it is ended, and found lost when the execution is taken up again. */
    for (struct engine_execution *execution = engine->executions; execution; execution = execution->next)
        attempt_drop_all(execution, true);
    if (engine->committing) batch_tell(engine->committing, engine->failure.code);
    if (engine->gathering) batch_tell(engine->gathering, engine->failure.code);
}

/*
 * Timers: a binary heap of executions by deadline.
 */
static void heap_place(struct engine *engine, uint32_t at, struct engine_execution *execution)
{
    engine->heap[at] = execution;
    execution->heap_at = at;
}

static void heap_up(struct engine *engine, uint32_t at)
{
    struct engine_execution *execution = engine->heap[at];
    for (; at > 1 && engine->heap[at / 2]->deadline > execution->deadline; at /= 2)
        heap_place(engine, at, engine->heap[at / 2]);
    heap_place(engine, at, execution);
}

static void heap_down(struct engine *engine, uint32_t at)
{
    struct engine_execution *execution = engine->heap[at];
    for (uint32_t child; (child = at * 2) <= engine->heap_count; at = child) {
        if (child < engine->heap_count && engine->heap[child + 1]->deadline < engine->heap[child]->deadline) child++;
        if (engine->heap[child]->deadline >= execution->deadline) break;
        heap_place(engine, at, engine->heap[child]);
    }
    heap_place(engine, at, execution);
}

orch_time engine_due(const struct engine *engine)
{
    orch_time due = engine->heap_count ? engine->heap[1]->deadline : ORCH_TIME_NEVER;
    if (engine->stalled && engine->retry_at < due) due = engine->retry_at;
    if (engine->roomless && engine->room_at < due) due = engine->room_at;
    return due;
}

void engine_look_at_time(struct engine *engine)
{
    orch_time now = engine_now(engine);
    while (!engine->failed && !engine->closing && engine->heap_count && engine->heap[1]->deadline <= now) {
        struct engine_execution *execution = engine->heap[1];
        struct core_input input = {.type = INPUT_TIMER, .instance = CORE_NONE};
        struct orch_error err = ORCH_ERROR_INIT;
        orch_time before = execution->deadline;
        int r = execution_feed(execution, &input, &err);
        if (r && !engine->failed) engine_fail(engine, &err);
        if (engine->failed) return;
        /* The core has dealt with what was due, or a deadline would come again at once, for ever. */
        ORCH_ASSERT(execution->deadline > now || execution->deadline > before || execution->turn.count > 0);
        if (execution->deadline <= now) engine_timer_set(engine, execution, now + 1000);
    }
    if (engine->stalled && engine->retry_at <= now) engine_retry_commit(engine);
    if (engine->roomless && engine->room_at <= now && !engine->failed && !engine->closing) attempts_try_room(engine);
}

void engine_timer_set(struct engine *engine, struct engine_execution *execution, orch_time deadline)
{
    if (deadline == ORCH_TIME_NEVER) {
        if (!execution->heap_at) return;
        uint32_t at = execution->heap_at;
        struct engine_execution *last = engine->heap[engine->heap_count--];
        execution->heap_at = 0;
        execution->deadline = deadline;
        if (last != execution) {
            heap_place(engine, at, last);
            heap_up(engine, at);
            heap_down(engine, last->heap_at);
        }
        return;
    }
    if (execution->heap_at && execution->deadline == deadline) return;
    execution->deadline = deadline;
    if (!execution->heap_at) {
        if (engine->heap_count + 1 >= engine->heap_capacity) {
            uint32_t capacity = engine->heap_capacity ? engine->heap_capacity * 2 : 64;
            struct engine_execution **heap = mem_resize(engine->allocator, engine->heap,
                                                        engine->heap_capacity * sizeof *heap, capacity * sizeof *heap);
            if (!heap) {
                struct orch_error err = ORCH_ERROR_INIT;
                error_memory(&err);
                engine_fail(engine, &err);
                return;
            }
            engine->heap = heap;
            engine->heap_capacity = capacity;
        }
        heap_place(engine, ++engine->heap_count, execution);
    }
    heap_up(engine, execution->heap_at);
    heap_down(engine, execution->heap_at);
}

/*
 * Its life.
 */
static void store_wake(void *user)
{
    loop_wake(user);
}

uint32_t engine_jobs_default(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors > 4 ? (uint32_t)processors : 4;
}

static int open_on_machine(struct engine *engine, struct orch_error *err)
{
    engine->world = world_of_the_machine;
    int r = loop_open(engine, err);
    if (r) return r;
    struct store_options options = {.mode = STORE_OWN,
                                    .no_sync = engine->options.no_sync,
                                    .reserve_size = engine->options.reserve_size,
                                    .wake = store_wake,
                                    .user = engine};
    return store_open(engine->options.store_path, &options, &engine->store, err);
}

static int take_world(struct engine *engine, const struct engine_world *world)
{
    engine->world = *world;
    engine->store = world->store;
    engine->options.functions = NULL;
    engine->options.control = false;
    engine->options.secrets_dir = NULL;
    return 0;
}

int engine_open(const struct engine_options *options, struct engine **ret, struct orch_error *err)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine) {
        if (options->world) (void)store_close(options->world->store);
        return error_memory(err);
    }
    engine->options = *options;
    engine->options.world = NULL; /* copied */
    engine->allocator = options->allocator;
    if (!engine->options.jobs) engine->options.jobs = engine_jobs_default();
    if (!engine->options.grace_us) engine->options.grace_us = 10 * ORCH_SECOND;
    arena_init(&engine->arena, NULL, 0);
    arena_init(&engine->scratch, NULL, 0);
    zonefiles_init(&engine->zones, NULL, NULL);
    int r = options->world ? take_world(engine, options->world) : open_on_machine(engine, err);
    if (r) goto fail;
    engine->wall_minus_monotonic = engine->world.wall(engine->world.user) - engine->world.monotonic(engine->world.user);
    const char *path = store_path(engine->store);
    engine->store_dir = path ? arena_str(&engine->arena, str_from(path)) : STR_NONE;
    engine->mark = arena_str(&engine->arena, store_mark(engine->store));
    engine->admission = admission_new(NULL);
    engine->gathering = batch_new(engine);
    if ((path && !engine->store_dir.data) || !engine->mark.data || !engine->admission || !engine->gathering) {
        r = error_memory(err);
        goto fail;
    }
    engine->jobs = admission_limit_add(engine->admission, STR("jobs"), engine->options.jobs);
    if (!engine->jobs) {
        r = error_memory(err);
        goto fail;
    }
    r = attempts_open(engine, err);
    if (r) goto fail;
    if (options->control && path) {
        r = control_open(engine, err);
        if (r) goto fail;
    }
    *ret = engine;
    return 0;
fail:
    engine_close(engine);
    return r;
}

/* What was decided is recorded, and those who wait for it are told. Nothing new is decided meanwhile, so this ends. */
static void drain(struct engine *engine)
{
    if (engine->failed || !engine->gathering) return;
    if (!engine->has_loop) {
        engine_flush(engine); /* a disk of another world makes it durable when it is closed, or does not */
        return;
    }
    while (engine->store && engine->gathering) {
        engine_flush(engine);
        if (engine->failed || (!engine->committing && !engine->gathering->waiters && !engine->gathering->dirty)) break;
        uv_run(&engine->loop, engine->committing ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    }
}

struct engine *engine_close(struct engine *engine)
{
    if (!engine) return NULL;
    engine->closing = true;
    engine->options.observer = (struct engine_observer){0}; /* who closes looks no more */
    drain(engine);
    if (engine->control) control_close(engine);
    for (struct engine_execution *execution = engine->executions; execution; execution = execution->next)
        attempt_drop_all(execution, true);
    attempts_close(engine);
    if (engine->store) engine->store = store_close(engine->store);
    engine->admission = admission_free(engine->admission);
    while (engine->executions) execution_free(engine->executions);
    engine->gathering = batch_free(engine->gathering);
    engine->committing = batch_free(engine->committing);
    engine->spare = batch_free(engine->spare);
    versions_forget_recent(engine);
    while (engine->versions) {
        engine->versions->refs = 1;
        (void)engine_version_unref(engine->versions);
    }
    loop_close(engine);
    mem_resize(engine->allocator, engine->heap, engine->heap_capacity * sizeof *engine->heap, 0);
    zonefiles_done(&engine->zones);
    arena_done(&engine->scratch);
    arena_done(&engine->arena);
    free(engine);
    return NULL;
}

struct store *engine_store(struct engine *engine)
{
    return engine->store;
}

uint32_t engine_count(const struct engine *engine)
{
    return engine->executions_count;
}

struct engine *engine_crash(struct engine *engine)
{
    /* What has failed decides, records and tells nothing any more. */
    engine->failed = engine->failure_told = true;
    return engine_close(engine);
}

int engine_turn(struct engine *engine, struct orch_error *err)
{
    do {
        engine->stirred = false;
        engine_look_at_time(engine);
        engine_flush(engine);
    } while (engine->stirred && !engine->failed);
    if (!engine->failed) return 0;
    if (err) *err = engine->failure;
    return engine->failure.code;
}
