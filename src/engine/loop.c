/*
 * loop.c - the engine on the machine: its event loop, clock and environment. An engine in a world of its own uses none
 * of it.
 */
#include "internal.h"

#include <stdlib.h>

#include "sys/file.h"

#define TIMER_MAX (60 * ORCH_SECOND)

static orch_time machine_monotonic(void *user)
{
    (void)user;
    return clock_monotonic();
}

static orch_time machine_wall(void *user)
{
    (void)user;
    return clock_wall();
}

static const char *machine_environment(void *user, const char *name)
{
    (void)user;
    return getenv(name);
}

static int machine_read_file(void *user, const char *path, size_t size_max, struct arena *arena, struct orch_str *ret,
                             struct orch_error *err)
{
    (void)user;
    return file_read(path, size_max, arena, ret, err);
}

const struct engine_world world_of_the_machine = {
    .monotonic = machine_monotonic,
    .wall = machine_wall,
    .environment = machine_environment,
    .read_file = machine_read_file,
};

static void on_idle(uv_idle_t *handle)
{
    uv_idle_stop(handle);
}

void engine_stir(struct engine *engine)
{
    engine->stirred = true;
    /* A moment's idling makes the loop come round without blocking: the flush is in prepare and check. Not uv_stop: it
     * would hold for the next uv_run, and that may be the one that closes the handles. */
    if (engine->has_loop && !engine->polls && !uv_is_active((uv_handle_t *)&engine->idle))
        uv_idle_start(&engine->idle, on_idle);
}

static void on_timer(uv_timer_t *timer)
{
    engine_look_at_time(timer->data);
}

static void timer_arm(struct engine *engine)
{
    orch_time due = engine_due(engine);
    if (due == ORCH_TIME_NEVER) {
        uv_timer_stop(&engine->timer);
        return;
    }
    orch_time left = due - engine_now(engine);
    /* Rounded up: never early. Looked at again after a while: the loop's clock stands still while the machine sleeps.
     */
    if (left > TIMER_MAX) left = TIMER_MAX;
    uint64_t milliseconds = left <= 0 ? 0 : (uint64_t)((left + 999) / 1000);
    uv_update_time(&engine->loop);
    uv_timer_start(&engine->timer, on_timer, milliseconds, 0);
}

static void on_prepare(uv_prepare_t *handle)
{
    struct engine *engine = handle->data;
    engine_flush(engine);
    attempts_flush_logs(engine);
    timer_arm(engine);
    engine->polls = true;
}

static void on_check(uv_check_t *handle)
{
    struct engine *engine = handle->data;
    engine_flush(engine);
    engine->polls = false;
}

static void on_wake(uv_async_t *handle)
{
    (void)handle; /* the loop comes round, and the flush asks the store */
}

void loop_wake(struct engine *engine)
{
    uv_async_send(&engine->wake);
}

static void close_handle(uv_handle_t *handle, void *ignored)
{
    (void)ignored;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static int error_loop(struct orch_error *err, int r)
{
    if (r == UV_ENOMEM) return error_memory(err);
    return error_set(err, ORCH_ERR_IO, "cannot make an event loop: %s", uv_strerror(r));
}

int loop_open(struct engine *engine, struct orch_error *err)
{
    int r = uv_loop_init(&engine->loop);
    if (r) return error_loop(err, r);
    uv_timer_init(&engine->loop, &engine->timer);
    uv_prepare_init(&engine->loop, &engine->prepare);
    uv_check_init(&engine->loop, &engine->check);
    uv_idle_init(&engine->loop, &engine->idle);
    engine->has_loop = true;
    r = uv_async_init(&engine->loop, &engine->wake, on_wake);
    if (r) {
        loop_close(engine);
        return error_loop(err, r);
    }
    engine->timer.data = engine->prepare.data = engine->check.data = engine->wake.data = engine->idle.data = engine;
    uv_prepare_start(&engine->prepare, on_prepare);
    uv_check_start(&engine->check, on_check);
    return 0;
}

void loop_close(struct engine *engine)
{
    if (!engine->has_loop) return;
    uv_walk(&engine->loop, close_handle, NULL);
    uv_run(&engine->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&engine->loop); /* every handle was closed just now */
    engine->has_loop = false;
}

struct uv_loop_s *engine_loop(struct engine *engine)
{
    return &engine->loop;
}

static int end_if_failed(struct engine *engine, struct orch_error *err)
{
    if (!engine->failed) return 0;
    engine_end_failed(engine);
    if (err) *err = engine->failure;
    return engine->failure.code;
}

int engine_poll(struct engine *engine, struct orch_error *err)
{
    engine_flush(engine);
    if (!engine->failed) uv_run(&engine->loop, UV_RUN_NOWAIT);
    return end_if_failed(engine, err);
}

int engine_run(struct engine *engine, bool (*done)(void *user), void *user, struct orch_error *err)
{
    for (;;) {
        engine_flush(engine);
        int r = end_if_failed(engine, err);
        if (r) return r;
        if (done && done(user)) return 0;
        if (!done && engine->executions_count == 0 && !engine->committing) return 0;
        uv_run(&engine->loop, UV_RUN_ONCE);
    }
}
