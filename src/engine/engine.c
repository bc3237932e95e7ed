/*
 * engine.c - the life of the engine and its loop.
 */
#include "internal.h"

#include <stdlib.h>
#include <unistd.h>

#define TIMER_MAX (60 * ORCH_SECOND)

orch_time engine_now(const struct engine *engine)
{
    /* The wall clock as it was at the start, moved on by the monotonic one: a jump of the wall clock hurts no timer. */
    return clock_monotonic() + engine->wall_minus_monotonic;
}

static void on_idle(uv_idle_t *handle)
{
    uv_idle_stop(handle);
}

void engine_stir(struct engine *engine)
{
    /* A moment's idling makes the loop come round without blocking: the flush is in prepare and check. */
    if (engine->handles_open && !uv_is_active((uv_handle_t *)&engine->idle)) uv_idle_start(&engine->idle, on_idle);
}

void engine_fail(struct engine *engine, const struct orch_error *err)
{
    if (engine->failed) return;
    engine->failed = true;
    engine->failure = *err;
    engine_stir(
        engine); /* not uv_stop: it would hold for the next uv_run, and that is the one that closes the handles */
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
 * Timers: a binary heap of executions by deadline, and one timer of the loop.
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

static void timer_fired(uv_timer_t *timer)
{
    struct engine *engine = timer->data;
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
}

static void timer_arm(struct engine *engine)
{
    if (engine->heap_count == 0) {
        uv_timer_stop(&engine->timer);
        return;
    }
    orch_time left = engine->heap[1]->deadline - engine_now(engine);
    /* Rounded up: never early. Looked at again after a while: the loop's clock stands still while the machine sleeps.
     */
    if (left > TIMER_MAX) left = TIMER_MAX;
    uint64_t milliseconds = left <= 0 ? 0 : (uint64_t)((left + 999) / 1000);
    uv_update_time(&engine->loop);
    uv_timer_start(&engine->timer, timer_fired, milliseconds, 0);
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
 * The loop.
 */
static void on_prepare(uv_prepare_t *handle)
{
    struct engine *engine = handle->data;
    engine_flush(engine);
    attempts_flush_logs(engine);
    timer_arm(engine);
}

static void on_check(uv_check_t *handle)
{
    engine_flush(handle->data);
}

static void on_wake(uv_async_t *handle)
{
    (void)handle; /* the loop comes round, and the flush asks the store */
}

static void store_wake(void *user)
{
    uv_async_send(&((struct engine *)user)->wake);
}

static void close_handle(uv_handle_t *handle, void *ignored)
{
    (void)ignored;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static int open_loop(struct engine *engine, struct orch_error *err)
{
    int r = uv_loop_init(&engine->loop);
    if (r) return error_set(err, ORCH_ERR_IO, "cannot make an event loop: %s", uv_strerror(r));
    uv_timer_init(&engine->loop, &engine->timer);
    uv_timer_init(&engine->loop, &engine->retry);
    uv_prepare_init(&engine->loop, &engine->prepare);
    uv_check_init(&engine->loop, &engine->check);
    uv_idle_init(&engine->loop, &engine->idle);
    r = uv_async_init(&engine->loop, &engine->wake, on_wake);
    if (r) {
        uv_walk(&engine->loop, close_handle, NULL);
        uv_run(&engine->loop, UV_RUN_DEFAULT);
        uv_loop_close(&engine->loop);
        return error_set(err, ORCH_ERR_IO, "cannot make an event loop: %s", uv_strerror(r));
    }
    engine->handles_open = true;
    engine->timer.data = engine->retry.data = engine->prepare.data = engine->check.data = engine->wake.data =
        engine->idle.data = engine;
    uv_prepare_start(&engine->prepare, on_prepare);
    uv_check_start(&engine->check, on_check);
    return 0;
}

static uint32_t jobs_default(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors > 4 ? (uint32_t)processors : 4;
}

int engine_open(const struct engine_options *options, struct engine **ret, struct orch_error *err)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine) return error_memory(err);
    engine->options = *options;
    if (!engine->options.jobs) engine->options.jobs = jobs_default();
    if (!engine->options.grace_us) engine->options.grace_us = 10 * ORCH_SECOND;
    engine->wall_minus_monotonic = clock_wall() - clock_monotonic();
    arena_init(&engine->arena, NULL, 0);
    arena_init(&engine->scratch, NULL, 0);
    zonefiles_init(&engine->zones, NULL, NULL);
    int r = open_loop(engine, err);
    if (r) goto fail;
    struct store_options store_options = {.mode = STORE_OWN,
                                          .no_sync = options->no_sync,
                                          .reserve_size = options->reserve_size,
                                          .wake = store_wake,
                                          .user = engine};
    r = store_open(options->store_path, &store_options, &engine->store, err);
    if (r) goto fail;
    const char *path = store_path(engine->store);
    engine->store_dir = path ? arena_str(&engine->arena, str_from(path)) : STR_NONE;
    engine->mark = arena_str(&engine->arena, store_mark(engine->store));
    engine->admission = admission_new(NULL);
    engine->gathering = batch_new(engine);
    if (!engine->mark.data || !engine->admission || !engine->gathering) {
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
    if (engine->handles_open) {
        uv_walk(&engine->loop, close_handle, NULL);
        uv_run(&engine->loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&engine->loop); /* every handle was closed just now */
    }
    mem_resize(engine->allocator, engine->heap, engine->heap_capacity * sizeof *engine->heap, 0);
    zonefiles_done(&engine->zones);
    arena_done(&engine->scratch);
    arena_done(&engine->arena);
    free(engine);
    return NULL;
}

struct uv_loop_s *engine_loop(struct engine *engine)
{
    return &engine->loop;
}

struct store *engine_store(struct engine *engine)
{
    return engine->store;
}

uint32_t engine_count(const struct engine *engine)
{
    return engine->executions_count;
}

int engine_run(struct engine *engine, bool (*done)(void *user), void *user, struct orch_error *err)
{
    for (;;) {
        engine_flush(engine);
        if (engine->failed) {
            engine_end_failed(engine);
            if (err) *err = engine->failure;
            return engine->failure.code;
        }
        if (done && done(user)) return 0;
        if (!done && engine->executions_count == 0 && !engine->committing) return 0;
        uv_run(&engine->loop, UV_RUN_ONCE);
    }
}
