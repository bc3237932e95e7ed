/*
 * event_loop.c - an engine inside of a program's own epoll loop, beside a timer of the program's: no thread waits for
 * anything else.
 */
#include <orch/orch.h>

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static const char definition[] = "name: in a loop\n"
                                 "tasks:\n"
                                 "  program: {shell: 'echo 20'}\n"
                                 "  pause: {depends_on: program, wait: 30ms}\n"
                                 "  double: {depends_on: [program, pause], transform: program.output * 2}\n";

static void on_end(void *user, struct orch_execution *execution)
{
    struct orch_str output;
    int *left = (int *)user;
    if (orch_execution_get_output(execution, &output, NULL) == 0)
        printf("%s: %s\n", orch_execution_state_name(orch_execution_get_state(execution)), output.data);
    (*left)--;
}

/* Milliseconds until the engine is to be asked again, for epoll_wait. */
static int timeout_of(struct orch_engine *engine)
{
    orch_time timeout = orch_engine_timeout(engine);
    return timeout == ORCH_TIME_NEVER ? -1 : (int)((timeout + 999) / 1000);
}

int main(void)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct orch_start_options options = ORCH_START_OPTIONS_INIT;
    struct orch_engine *engine = NULL;
    struct orch_workflow *workflow = NULL;
    struct epoll_event event;
    struct itimerspec every = {{0, 5000000}, {0, 5000000}};
    int left = 3, ticks = 0, epoll = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    int r = orch_engine_open(NULL, NULL, &engine, &err);

    if (!r) r = orch_workflow_parse(definition, SIZE_MAX, NULL, NULL, NULL, &workflow, &err);
    options.on_end = on_end;
    options.user = &left;
    for (int i = 0; i < 3 && !r; i++) r = orch_execution_start(engine, workflow, &options, NULL, &err);
    event.events = EPOLLIN;
    event.data.fd = timer;
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
    timerfd_settime(timer, 0, &every, NULL);
    if (!r) {
        event.data.fd = orch_engine_descriptor(engine);
        epoll_ctl(epoll, EPOLL_CTL_ADD, orch_engine_descriptor(engine), &event);
    }
    while (left > 0 && !r) {
        if (epoll_wait(epoll, &event, 1, timeout_of(engine)) == 1 && event.data.fd == timer) {
            uint64_t count;
            if (read(timer, &count, sizeof count) == sizeof count) ticks++;
        }
        r = orch_engine_step(engine, 0, &err); /* never waits */
    }
    if (!r) printf("%s meanwhile\n", ticks > 1 ? "the timer ticked" : "the timer stood still");
    if (r) fprintf(stderr, "event_loop: %s\n", err.message);
    orch_workflow_free(workflow);
    orch_engine_close(engine);
    close(timer);
    close(epoll);
    return r ? 1 : 0;
}
