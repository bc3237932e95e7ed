/*
 * follow.c - being told when another process has written to a store.
 */
#include "cli/follow.h"

#include <signal.h>

#include "base/error.h"

#define GATHER_MS       30
#define NOW_AND_THEN_MS 1000

int cli_exit_code(uint8_t state)
{
    if (state == EXECUTION_SUCCEEDED) return EXIT_OK;
    return state == EXECUTION_CANCELLED ? EXIT_CANCELLED : EXIT_RUN_FAILED;
}

static void on_gathered(uv_timer_t *timer)
{
    struct follow *follow = timer->data;
    follow->look(follow->user);
}

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct follow *follow = event->data;
    (void)name;
    (void)events;
    (void)status;
    if (!uv_is_active((uv_handle_t *)&follow->gather)) uv_timer_start(&follow->gather, on_gathered, GATHER_MS, 0);
}

static void on_late(uv_timer_t *timer)
{
    ((struct follow *)timer->data)->late = true;
}

static void on_signal(uv_signal_t *handle, int number)
{
    ((struct follow *)handle->data)->signal = number;
}

static void watch_folder(struct follow *follow, int at, const char *folder)
{
    if (follow->watching[at]) return;
    /* Where the kernel has no watches left, the look now and then has to do. */
    follow->watching[at] = uv_fs_event_start(&follow->events[at], on_event, folder, 0) == 0;
}

int follow_open(struct follow *follow, const char *store, orch_time deadline, void (*look)(void *user), void *user, struct orch_error *err)
{
    *follow = (struct follow){.look = look, .user = user};
    int r = uv_loop_init(&follow->loop);
    if (r) return error_set(err, ORCH_ERR_IO, "cannot wait: %s", uv_strerror(r));
    follow->open = true;
    for (int i = 0; i < FOLLOW_FOLDERS; i++) {
        (void)uv_fs_event_init(&follow->loop, &follow->events[i]);
        follow->events[i].data = follow;
    }
    uv_timer_t *timers[] = {&follow->gather, &follow->now_and_then, &follow->deadline};
    for (int i = 0; i < 3; i++) {
        (void)uv_timer_init(&follow->loop, timers[i]);
        timers[i]->data = follow;
    }
    (void)uv_timer_start(&follow->now_and_then, on_gathered, NOW_AND_THEN_MS, NOW_AND_THEN_MS);
    if (deadline) (void)uv_timer_start(&follow->deadline, on_late, (uint64_t)(deadline / ORCH_MILLISECOND) + 1, 0);
    r = uv_signal_init(&follow->loop, &follow->interrupt);
    if (!r) r = uv_signal_init(&follow->loop, &follow->terminate);
    follow->interrupt.data = follow->terminate.data = follow;
    if (!r) r = uv_signal_start(&follow->interrupt, on_signal, SIGINT);
    if (!r) r = uv_signal_start(&follow->terminate, on_signal, SIGTERM);
    if (r) {
        follow_close(follow);
        return error_set(err, ORCH_ERR_IO, "cannot watch for signals: %s", uv_strerror(r));
    }
    watch_folder(follow, 0, store);
    return 0;
}

void follow_logs(struct follow *follow, const char *folder)
{
    watch_folder(follow, 1, folder);
}

void follow_run(struct follow *follow, bool (*done)(void *user))
{
    follow->look(follow->user);
    while (!done(follow->user) && !follow->late && !follow->signal) (void)uv_run(&follow->loop, UV_RUN_ONCE);
}

static void close_handle(uv_handle_t *handle, void *user)
{
    (void)user;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void follow_close(struct follow *follow)
{
    if (!follow->open) return;
    follow->open = false;
    uv_walk(&follow->loop, close_handle, NULL);
    (void)uv_run(&follow->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&follow->loop);
}
