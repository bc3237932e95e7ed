/*
 * runner.c - programs on an event loop.
 *
 * The output pipes are in an epoll set of our own, which is one descriptor to the loop: two system calls a pipe instead
 * of a handle each. A pipe is taken out of the set before it is closed: a vfork of somebody else may hold it open for a
 * moment longer, and then it would go on reporting.
 *
 * A program's pipes go into the set only when it has run for a moment. Most programs have ended by then, and what they
 * wrote is in the pipes: that saves four system calls and a wake-up for the pipes' ends, which come just before the
 * news of the program's. One that writes more than a pipe holds waits for that moment, once.
 */
#include "actions/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

#include "base/error.h"
#include "sys/clock.h"

#define BUCKETS    1024 /* a power of two */
#define READ_SIZE  (64u << 10)
#define DRAIN_MAX  (1u << 20) /* what a pipe can hold; more comes only from somebody who outlived the kill */
#define EVENTS_MAX 64
#define FRESH_MS   5 /* a program is watched after one to two of these */

/*
 * The spawner is of the programs' user, and so they can stop it. How often that is looked at, and how long after a
 * grace is over a spawner that is stopped then is killed: every program has to be gone a second after its grace.
 */
#define WATCH_MS      1000
#define WATCH_STOP_MS 100
#define WATCH_KILL_US (200 * ORCH_MILLISECOND)
#define SURVIVORS_US  ORCH_SECOND

struct runner {
    uv_poll_t *news;  /* the spawner's socket; of its own memory, since the next spawner may begin before the loop has
                         given it back */
    uv_poll_t output; /* the epoll set */
    uv_timer_t watch; /* while programs run */
    uv_timer_t fresh; /* while there are programs in the lists below */
    struct runner_program *fresh_new, *fresh_old;
    uv_loop_t *loop;
    struct spawner *spawner; /* NULL: died; made again at the next start */
    int epoll_fd;
    int handles_open; /* not yet given back by the loop */
    bool closing;
    uint32_t running;
    uint32_t stopping; /* of these: told to end */
    uint64_t id_last;
    struct orch_str mark;
    bool owns_mark;
    struct runner_program *buckets[BUCKETS];
    char read_buf[READ_SIZE];
};

static struct runner_program **bucket_of(struct runner *runner, uint64_t id)
{
    return &runner->buckets[id & (BUCKETS - 1)];
}

static struct runner_program *find(struct runner *runner, uint64_t id)
{
    struct runner_program *program = *bucket_of(runner, id);

    while (program && program->id != id) program = program->bucket_next;
    return program;
}

/*
 * Output.
 */
static void close_pipe(struct runner *runner, struct runner_program *program, int index)
{
    if (program->fds[index] < 0) return;
    if (program->is_watched) (void)epoll_ctl(runner->epoll_fd, EPOLL_CTL_DEL, program->fds[index], NULL);
    close(program->fds[index]);
    program->fds[index] = -1;
}

/* One read; false when there is nothing (more) now. Closes at the end. */
static bool read_pipe(struct runner *runner, struct runner_program *program, int index)
{
    ssize_t size;

    if (program->fds[index] < 0) return false;
    do {
        size = read(program->fds[index], runner->read_buf, READ_SIZE);
    } while (size < 0 && errno == EINTR);
    if (size > 0) {
        program->output(program, index + 1, runner->read_buf, (size_t)size);
        return true;
    }
    if (size == 0 || errno != EAGAIN) close_pipe(runner, program, index);
    return false;
}

static void on_output(uv_poll_t *handle, int status, int events)
{
    struct runner *runner = handle->data;
    struct epoll_event list[EVENTS_MAX];
    int count = epoll_wait(runner->epoll_fd, list, EVENTS_MAX, 0);

    (void)status;
    (void)events;
    for (int i = 0; i < count; i++) {
        /* Which program and which of its pipes: id * 2 + index. A pipe may be gone through what was done for one before
         * it. */
        struct runner_program *program = find(runner, list[i].data.u64 >> 1);

        if (program) (void)read_pipe(runner, program, (int)(list[i].data.u64 & 1));
    }
}

/*
 * Programs whose output is not watched yet.
 */
static void fresh_add(struct runner_program **list, struct runner_program *program)
{
    program->fresh_next = *list;
    program->fresh_link = list;
    if (*list) (*list)->fresh_link = &program->fresh_next;
    *list = program;
}

static void fresh_remove(struct runner_program *program)
{
    if (!program->fresh_link) return;
    *program->fresh_link = program->fresh_next;
    if (program->fresh_next) program->fresh_next->fresh_link = program->fresh_link;
    program->fresh_link = NULL;
}

/* False when the system has no room for it just now: then it is tried again. */
static bool watch_output(struct runner *runner, struct runner_program *program)
{
    for (int index = 0; index < 2; index++) {
        struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = program->id << 1 | (uint64_t)index}};

        if (epoll_ctl(runner->epoll_fd, EPOLL_CTL_ADD, program->fds[index], &event) != 0) {
            if (index == 1) (void)epoll_ctl(runner->epoll_fd, EPOLL_CTL_DEL, program->fds[0], NULL);
            return false;
        }
    }
    program->is_watched = true;
    return true;
}

static void on_fresh(uv_timer_t *timer)
{
    struct runner *runner = timer->data;
    struct runner_program *unwatched = NULL;

    while (runner->fresh_old) {
        struct runner_program *program = runner->fresh_old;

        fresh_remove(program);
        if (!watch_output(runner, program)) fresh_add(&unwatched, program);
    }
    while (runner->fresh_new) {
        struct runner_program *program = runner->fresh_new;

        fresh_remove(program);
        fresh_add(&runner->fresh_old, program);
    }
    while (unwatched) {
        struct runner_program *program = unwatched;

        fresh_remove(program);
        fresh_add(&runner->fresh_new, program);
    }
    if (runner->fresh_old || runner->fresh_new)
        (void)uv_timer_start(timer, on_fresh, FRESH_MS, 0); /* fails when closing */
}

/*
 * Ends.
 */
static void program_ended(struct runner *runner, struct runner_program *program, const struct runner_end *end)
{
    struct runner_program **at = bucket_of(runner, program->id);

    fresh_remove(program);
    for (int index = 0; index < 2; index++) {
        size_t drained = 0;

        while (drained < DRAIN_MAX && read_pipe(runner, program, index)) drained += READ_SIZE;
        close_pipe(runner, program, index);
    }
    while (*at != program) at = &(*at)->bucket_next;
    *at = program->bucket_next;
    if (program->is_stopped) runner->stopping--;
    if (--runner->running == 0 && !runner->closing) {
        if (runner->news) uv_unref((uv_handle_t *)runner->news);
        uv_unref((uv_handle_t *)&runner->output);
        (void)uv_timer_stop(&runner->watch); /* always 0 */
    }
    program->ended(program, end); /* which may start others */
}

static void all_lost(struct runner *runner)
{
    struct runner_end end = {.started = true, .lost = true};
    uint64_t last =
        runner->id_last; /* those started from within a callback (by way of a new spawner) have a higher one */

    for (uint32_t i = 0; i < BUCKETS; i++) {
        struct runner_program *program = runner->buckets[i];

        while (program) {
            while (program && program->id > last) program = program->bucket_next;
            if (!program) break;
            end.news.stopped = program->is_stopped;
            program_ended(runner, program, &end);
            program = runner->buckets[i];
        }
    }
}

static void handle_closed(uv_handle_t *handle)
{
    struct runner *runner = handle->data;

    runner->handles_open--;
    if (handle->type == UV_POLL && handle != (uv_handle_t *)&runner->output)
        (void)mem_resize(NULL, handle, sizeof(uv_poll_t), 0);
    if (runner->closing && runner->handles_open == 0) (void)mem_resize(NULL, runner, sizeof(*runner), 0);
}

/* Of a spawner that did not go in order, something may be left: that is ended before anybody is told of an end. */
static void close_spawner(struct runner *runner)
{
    bool in_order;

    (void)uv_poll_stop(runner->news); /* always 0 */
    uv_close((uv_handle_t *)runner->news, handle_closed);
    runner->news = NULL;
    in_order = spawner_end(runner->spawner);
    runner->spawner = NULL;
    if (!in_order && runner->owns_mark && runner->mark.size > 0)
        (void)process_kill_marked(runner->mark, SURVIVORS_US, NULL); /* tried again before anything new is started */
}

static void on_news(uv_poll_t *handle, int status, int events)
{
    struct runner *runner = handle->data;
    struct orch_error err = ORCH_ERROR_INIT;
    struct spawn_news news;

    (void)status;
    (void)events;
    while (runner->spawner && spawner_read(runner->spawner, &news, &err)) {
        struct runner_program *program = find(runner, news.id);
        struct runner_end end = {.started = news.type != SPAWN_FAILED, .news = news};

        if (program && news.type != SPAWN_STARTED) program_ended(runner, program, &end);
    }
    if (runner->spawner && err.code != 0) {
        close_spawner(runner);
        all_lost(runner);
    }
}

static bool is_overdue(const struct runner *runner, orch_time now)
{
    for (uint32_t i = 0; i < BUCKETS; i++) {
        for (const struct runner_program *program = runner->buckets[i]; program; program = program->bucket_next) {
            if (program->is_stopped && program->kill_at < now - WATCH_KILL_US) return true;
        }
    }
    return false;
}

static void on_watch(uv_timer_t *timer)
{
    struct runner *runner = timer->data;

    if (runner->spawner && spawner_is_stopped(runner->spawner) && is_overdue(runner, clock_monotonic()))
        spawner_kill(runner->spawner);                                                         /* the socket tells */
    (void)uv_timer_start(timer, on_watch, runner->stopping > 0 ? WATCH_STOP_MS : WATCH_MS, 0); /* fails when closing */
}

/*
 * Beginning and end.
 */
static int open_spawner(struct runner *runner, struct orch_error *err)
{
    struct spawner_options options = {.mark = runner->mark, .use_cgroup = true};
    uv_poll_t *news = mem_resize(NULL, NULL, 0, sizeof(*news));
    int result;

    if (!news) return error_memory(err);
    result = spawner_open(&options, &runner->spawner, err);
    if (result == 0 && uv_poll_init(runner->loop, news, spawner_fd(runner->spawner)) != 0) {
        runner->spawner = spawner_close(runner->spawner);
        result = error_set(err, ORCH_ERR_IO, "cannot watch the process spawner");
    }
    if (result != 0) {
        (void)mem_resize(NULL, news, sizeof(*news), 0);
        return result;
    }
    news->data = runner;
    runner->news = news;
    runner->handles_open++;
    (void)uv_poll_start(news, UV_READABLE, on_news); /* fails for a closing handle only */
    if (runner->running == 0) uv_unref((uv_handle_t *)news);
    return 0;
}

int runner_open(struct uv_loop_s *loop, struct orch_str mark, bool owns_mark, struct runner **ret,
                struct orch_error *err)
{
    struct runner *runner = mem_resize(NULL, NULL, 0, sizeof(*runner));
    int result;

    if (!runner) return error_memory(err);
    memset(runner, 0, offsetof(struct runner, read_buf));
    runner->loop = loop;
    runner->mark = mark;
    runner->owns_mark = owns_mark;
    runner->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (runner->epoll_fd < 0) {
        result = error_errno(err, errno, "cannot watch the output of programs");
        goto fail;
    }
    if (uv_poll_init(loop, &runner->output, runner->epoll_fd) != 0) {
        result = error_set(err, ORCH_ERR_IO, "cannot watch the output of programs");
        goto fail_epoll;
    }
    (void)uv_timer_init(loop, &runner->watch); /* always 0 */
    (void)uv_timer_init(loop, &runner->fresh);
    uv_unref((uv_handle_t *)&runner->watch);
    uv_unref((uv_handle_t *)&runner->fresh);
    runner->output.data = runner->watch.data = runner->fresh.data = runner;
    runner->handles_open = 3;
    result = open_spawner(runner, err);
    if (result != 0) {
        runner->closing = true; /* the loop gives the handles back, and the memory goes with them */
        uv_close((uv_handle_t *)&runner->output, handle_closed);
        uv_close((uv_handle_t *)&runner->watch, handle_closed);
        uv_close((uv_handle_t *)&runner->fresh, handle_closed);
        close(runner->epoll_fd);
        return result;
    }
    (void)uv_poll_start(&runner->output, UV_READABLE, on_output); /* fails for a closing handle only */
    uv_unref((uv_handle_t *)&runner->output);
    *ret = runner;
    return 0;

fail_epoll:
    close(runner->epoll_fd);
fail:
    (void)mem_resize(NULL, runner, sizeof(*runner), 0);
    return result;
}

struct runner *runner_close(struct runner *runner)
{
    if (!runner) return NULL;
    runner->closing = true;
    if (runner->spawner) close_spawner(runner);
    all_lost(runner);
    uv_poll_stop(&runner->output);
    uv_close((uv_handle_t *)&runner->output, handle_closed);
    uv_close((uv_handle_t *)&runner->watch, handle_closed);
    uv_close((uv_handle_t *)&runner->fresh, handle_closed);
    close(runner->epoll_fd);
    return NULL;
}

/* A file in memory that holds the text, at its beginning. */
static int stdin_of(struct orch_str text, struct orch_error *err)
{
    int fd = memfd_create("orch-stdin", MFD_CLOEXEC);
    size_t at = 0;

    if (fd < 0) return error_errno(err, errno, "cannot make the input of the program");
    while (at < text.size) {
        ssize_t size = write(fd, text.data + at, text.size - at);

        if (size < 0 && errno == EINTR) continue;
        if (size < 0) {
            int code = errno;

            close(fd);
            return error_errno(err, code, "cannot write the input of the program");
        }
        at += (size_t)size;
    }
    (void)lseek(fd, 0, SEEK_SET);
    return fd;
}

static int open_pipe(struct runner_program *program, int index, int *ret_write, struct orch_error *err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0) return error_errno(err, errno, "cannot make a pipe for the program's output");
    program->fds[index] = fds[0];
    *ret_write = fds[1];
    /* Only our end: a program that finds its stdout non-blocking would lose output. */
    if (fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0) return error_errno(err, errno, "cannot watch the program's output");
    return 0;
}

int runner_start(struct runner *runner, const struct runner_request *request, struct runner_program *program,
                 struct orch_error *err)
{
    struct spawn_request spawn = {.argv = request->argv,
                                  .argv_count = request->argv_count,
                                  .env = request->env,
                                  .env_count = request->env_count,
                                  .working_dir = request->working_dir,
                                  .stdin_fd = -1,
                                  .stdout_fd = -1,
                                  .stderr_fd = -1};
    struct runner_program **bucket;
    int result = 0;

    if (runner->closing) return error_set(err, ORCH_ERR_CANCELLED, "the orchestrator is closing");
    if (!runner->spawner) {
        /* It was killed. What its programs had started is ended before anything new starts. */
        if (runner->owns_mark && runner->mark.size > 0) result = process_kill_marked(runner->mark, SURVIVORS_US, err);
        if (result >= 0) result = open_spawner(runner, err);
        if (result < 0) return result;
    }
    program->id = spawn.id = ++runner->id_last;
    program->fds[0] = program->fds[1] = -1;
    program->is_stopped = program->is_watched = false;
    program->fresh_link = NULL;
    if (request->stdin_text.data) {
        spawn.stdin_fd = stdin_of(request->stdin_text, err);
        if (spawn.stdin_fd < 0) return spawn.stdin_fd;
    }
    result = open_pipe(program, 0, &spawn.stdout_fd, err);
    if (result == 0) result = open_pipe(program, 1, &spawn.stderr_fd, err);
    if (result == 0) result = spawner_start(runner->spawner, &spawn, err);
    if (spawn.stdin_fd >= 0) close(spawn.stdin_fd);
    if (spawn.stdout_fd >= 0) close(spawn.stdout_fd);
    if (spawn.stderr_fd >= 0) close(spawn.stderr_fd);
    if (result != 0) {
        close_pipe(runner, program, 0);
        close_pipe(runner, program, 1);
        return result;
    }
    bucket = bucket_of(runner, program->id);
    program->bucket_next = *bucket;
    *bucket = program;
    if (!runner->fresh_new && !runner->fresh_old)
        (void)uv_timer_start(&runner->fresh, on_fresh, FRESH_MS, 0); /* fails when closing */
    fresh_add(&runner->fresh_new, program);
    if (runner->running++ == 0) {
        uv_ref((uv_handle_t *)runner->news);
        uv_ref((uv_handle_t *)&runner->output);
        (void)uv_timer_start(&runner->watch, on_watch, WATCH_MS, 0); /* fails when closing */
    }
    return 0;
}

void runner_stop(struct runner *runner, struct runner_program *program, orch_time grace_us)
{
    orch_time now = clock_monotonic(), kill_at = grace_us < ORCH_TIME_NEVER - now ? now + grace_us : ORCH_TIME_NEVER;

    if (!runner->spawner) return;
    if (!program->is_stopped) runner->stopping++;
    if (!program->is_stopped || kill_at < program->kill_at) program->kill_at = kill_at;
    program->is_stopped = true;
    /* When it cannot be sent the spawner is gone, and that ends the program too. */
    (void)spawner_stop(runner->spawner, program->id, grace_us);
    (void)spawner_is_stopped(runner->spawner);                        /* goes on, if it was */
    (void)uv_timer_start(&runner->watch, on_watch, WATCH_STOP_MS, 0); /* fails when closing */
}
