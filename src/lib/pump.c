/*
 * pump.c - keeping an engine going: by who waits, by an event loop, or by a thread of its own.
 *
 * One thread at a time turns the loop, with the engine's lock held, and waits for the loop's descriptor with the lock
 * let go. Others who wait then wait for the end of its turns; when it leaves, one of them goes on in its place.
 */
#include "lib/internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

#include "sys/clock.h"

static struct timespec timespec_of(orch_time us)
{
    return (struct timespec){.tv_sec = us / ORCH_SECOND, .tv_nsec = (us % ORCH_SECOND) * 1000};
}

/* Until the loop has something to do by itself; ORCH_TIME_NEVER. */
static orch_time loop_due(struct orch_engine *engine)
{
    uv_loop_t *loop = engine_loop(engine->engine);

    uv_update_time(loop);
    int milliseconds = uv_backend_timeout(loop);
    return milliseconds < 0 ? ORCH_TIME_NEVER : milliseconds * ORCH_MILLISECOND;
}

static int turn(struct orch_engine *engine, struct orch_error *err)
{
    if (engine->failure.code) return engine_check(engine, err);
    struct orch_error failure = ORCH_ERROR_INIT;
    int r = engine_poll(engine->engine, &failure);
    if (r) {
        engine->failure = failure;
        if (!engine->failure.code) engine->failure.code = r;
        if (err) *err = engine->failure;
    }
    return r;
}

/* Waits for another thread's turn to end. */
static void wait_changed(struct orch_engine *engine, orch_time wait_us)
{
    struct timespec until;

    if (wait_us == ORCH_TIME_NEVER) {
        (void)pthread_cond_wait(&engine->changed, &engine->lock);
        return;
    }
    until = timespec_of(clock_monotonic() + wait_us);
    (void)pthread_cond_timedwait(&engine->changed, &engine->lock, &until); /* on time or not: the caller looks */
}

int engine_turn_once(struct orch_engine *engine, orch_time wait_us, struct orch_error *err)
{
    if (engine->is_pumping) {
        if (wait_us > 0) wait_changed(engine, wait_us);
        return engine_check(engine, err);
    }
    engine->is_pumping = true;
    engine->pump = pthread_self();
    uint64_t before = engine->happened;
    int r = turn(engine, err);
    orch_time due = r || engine->happened != before ? 0 : loop_due(engine);
    if (due > wait_us) due = wait_us;
    if (!r && due > 0) {
        struct pollfd poll = {.fd = engine->descriptor, .events = POLLIN};
        struct timespec timeout = timespec_of(due);
        (void)pthread_cond_broadcast(&engine->changed);
        pthread_mutex_unlock(&engine->lock);
        (void)ppoll(&poll, 1, due == ORCH_TIME_NEVER ? NULL : &timeout,
                    NULL); /* also early, by a signal: the caller looks */
        pthread_mutex_lock(&engine->lock);
        r = turn(engine, err);
    }
    engine->is_pumping = false;
    (void)pthread_cond_broadcast(&engine->changed);
    return r;
}

int orch_engine_step(struct orch_engine *engine, orch_time max_us, struct orch_error *err)
{
    engine_enter(engine);
    int r = engine_check(engine, err);
    if (!r) r = engine_check_wait(engine, err);
    if (!r) r = engine_turn_once(engine, max_us < 0 ? 0 : max_us, err);
    engine_leave(engine);
    return r;
}

int orch_engine_run(struct orch_engine *engine, struct orch_error *err)
{
    engine_enter(engine);
    int r = engine_check(engine, err);
    if (!r) r = engine_check_wait(engine, err);
    while (!r && (engine_count(engine->engine) || engine->fasts_running))
        r = engine_turn_once(engine, ORCH_TIME_NEVER, err);
    engine_leave(engine);
    return r;
}

int orch_engine_descriptor(const struct orch_engine *engine)
{
    return engine->descriptor;
}

orch_time orch_engine_timeout(struct orch_engine *engine)
{
    engine_enter(engine);
    orch_time due = engine->engine && !engine->failure.code ? loop_due(engine) : ORCH_TIME_NEVER;
    engine_leave(engine);
    return due;
}

/*
 * A thread of its own.
 */
static void *thread_main(void *user)
{
    struct orch_engine *engine = user;

    engine_enter(engine);
    while (!engine->thread_stop && !engine->failure.code) (void)engine_turn_once(engine, ORCH_TIME_NEVER, NULL);
    engine_leave(engine);
    return NULL;
}

int orch_engine_start_thread(struct orch_engine *engine, struct orch_error *err)
{
    sigset_t all, before;

    engine_enter(engine);
    int r = engine_check(engine, err);
    if (!r && engine->has_thread) r = error_set(err, ORCH_ERR_STATE, "the engine has a thread");
    if (!r) {
        engine->thread_stop = false;
        /* Signals are for the threads of the program. */
        sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        int failed = pthread_create(&engine->thread, NULL, thread_main, engine);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (failed)
            r = error_set(err, ORCH_ERR_OVERLOADED, "cannot make a thread");
        else
            engine->has_thread = true;
    }
    engine_leave(engine);
    return r;
}

int orch_engine_stop_thread(struct orch_engine *engine, struct orch_error *err)
{
    engine_enter(engine);
    int r = engine_check_wait(engine, err);
    if (!r && !engine->has_thread) r = error_set(err, ORCH_ERR_STATE, "the engine has no thread");
    pthread_t thread = engine->thread;
    if (!r) {
        engine->thread_stop = true;
        engine->has_thread = false;
        if (engine->has_wake) (void)uv_async_send(&engine->wake);
        (void)pthread_cond_broadcast(&engine->changed);
    }
    engine_leave(engine);
    if (r) return r;
    (void)pthread_join(thread, NULL);
    engine_enter(engine);
    r = engine_check(engine, err);
    engine_leave(engine);
    return r;
}
