/*
 * spawn_cost.c - what a program costs through the spawner and through the process provider, beside a bare posix_spawn
 * loop in the same run.
 *
 *     spawn_cost [programs]      2,000 `true` each way, two at a time, in turns so that a busy machine bothers all
 * alike
 */
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "actions/action.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/process.h"

#define AT_ONCE   2
#define TURN      100 /* programs of each way in a turn */
#define TURNS_MAX 1000

static const char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void run_bare(void)
{
    char name[] = "true", variable[sizeof(path)];
    char *argv[] = {name, NULL}, *env[] = {variable, NULL};

    memcpy(variable, path, sizeof(path));
    for (int started = 0, ended = 0; ended < TURN;) {
        int status;
        pid_t pid;

        if (started < TURN && started - ended < AT_ONCE) {
            if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, env) != 0) give_up("posix_spawn");
            started++;
            continue;
        }
        pid = waitpid(-1, &status, 0);
        if (pid < 0) give_up("waitpid");
        ended += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
}

static void run_spawner(struct spawner *spawner)
{
    const struct orch_str argv[] = {STR("/bin/true")}, env[] = {str_from(path)};
    struct orch_error err = ORCH_ERROR_INIT;

    for (int started = 0, ended = 0; ended < TURN;) {
        struct pollfd fd = {.fd = spawner_fd(spawner), .events = POLLIN};
        struct spawn_news news;

        while (started < TURN && started - ended < AT_ONCE) {
            struct spawn_request request = {.id = (uint64_t)started,
                                            .argv = argv,
                                            .argv_count = 1,
                                            .env = env,
                                            .env_count = 1,
                                            .stdin_fd = -1,
                                            .stdout_fd = -1,
                                            .stderr_fd = -1};

            if (spawner_start(spawner, &request, &err) != 0) give_up(err.message);
            started++;
        }
        (void)poll(&fd, 1, -1);
        while (spawner_read(spawner, &news, &err)) {
            if (news.type == SPAWN_FAILED || (news.type == SPAWN_ENDED && news.exit_code != 0)) give_up("true failed");
            ended += news.type == SPAWN_ENDED;
        }
        if (err.code != 0) give_up(err.message);
    }
}

/* The provider with an engine that does nothing. */
struct bench_attempt {
    struct action_attempt base;
    struct arena arena;
    int *ended;
};

static void on_done(struct action_attempt *base, const struct action_result *result)
{
    struct bench_attempt *attempt = (struct bench_attempt *)base;

    if (result->failure != FAILURE_NONE) give_up("true failed under the provider");
    (*attempt->ended)++;
    arena_done(&attempt->arena);
    free(attempt);
}

static void on_log(struct action_attempt *attempt, enum log_stream stream, struct orch_str line)
{
    (void)attempt;
    (void)stream;
    (void)line;
}

static void on_progress(struct action_attempt *attempt, double fraction, struct orch_str text)
{
    (void)attempt;
    (void)fraction;
    (void)text;
}

static const struct action_host bench_host = {.done = on_done, .log = on_log, .progress = on_progress};

static void run_provider(uv_loop_t *loop, void *context, const char *home)
{
    static uint64_t serial;
    int started = 0, ended = 0;

    while (ended < TURN) {
        while (started < TURN && started - ended < AT_ONCE) {
            struct bench_attempt *attempt = calloc(1, sizeof(*attempt));
            struct orch_error err = ORCH_ERROR_INIT;

            if (!attempt) give_up("out of memory");
            arena_init(&attempt->arena, NULL, 0);
            attempt->ended = &ended;
            serial++;
            attempt->base = (struct action_attempt){.host = &bench_host,
                                                    .arena = &attempt->arena,
                                                    .serial = serial,
                                                    .kind = ACTION_SHELL,
                                                    .env = {.kind = VALUE_MAP},
                                                    .parameters = {.kind = VALUE_MAP},
                                                    .execution_id = STR("r-bench"),
                                                    .workflow_name = STR("bench"),
                                                    .task_path = STR("t"),
                                                    .key = STR("r-bench/t/1"),
                                                    .attempt_number = 1,
                                                    .fence = serial,
                                                    .grace_us = ORCH_SECOND,
                                                    .base_dir = str_from(home)};
            attempt->base.scratch_dir =
                arena_printf(&attempt->arena, "%s/scratch/%llu", home, (unsigned long long)serial);
            if (json_parse(STR("{\"command\":\"true\"}"), NULL, &attempt->arena, &attempt->base.config, &err) != 0 ||
                action_process_provider.start(context, &attempt->base, &err) != 0) {
                give_up(err.message);
            }
            started++;
        }
        (void)uv_run(loop, UV_RUN_ONCE);
    }
}

static int compare_times(const void *a, const void *b)
{
    orch_time x = *(const orch_time *)a, y = *(const orch_time *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"bare posix_spawn", "spawner", "spawner, control groups", "provider"};
    static orch_time times[4][TURNS_MAX];
    uint64_t programs = 2000;
    char home[] = "/tmp/orch-bench-XXXXXX";
    struct spawner_options options = {.mark = STR("bench")};
    struct spawner *plain, *grouped;
    struct orch_error err = ORCH_ERROR_INIT;
    uv_loop_t loop;
    void *context;
    int turns;

    if (argc > 1 && (!str_to_uint64(str_from(argv[1]), &programs) || programs < TURN))
        give_up("usage: spawn_cost [programs, at least 100]");
    turns = (int)(programs / TURN < TURNS_MAX ? programs / TURN : TURNS_MAX);
    if (!mkdtemp(home)) give_up("mkdtemp");
    if (spawner_open(&options, &plain, &err) != 0) give_up(err.message);
    options.use_cgroup = true;
    if (spawner_open(&options, &grouped, &err) != 0) give_up(err.message);
    if (uv_loop_init(&loop) != 0 || action_process_provider.open(&loop, STR_NONE, &context, &err) != 0)
        give_up(err.message);
    for (int turn = 0; turn < turns; turn++) {
        for (int way = 0; way < 4; way++) {
            orch_time begin = clock_monotonic();

            switch (way) {
            case 0: run_bare(); break;
            case 1: run_spawner(plain); break;
            case 2: run_spawner(grouped); break;
            case 3: run_provider(&loop, context, home); break;
            }
            times[way][turn] = clock_monotonic() - begin;
        }
    }
    printf("%d x %d of `true`, %d at a time; median turn, µs a program, and its ratio to the bare loop\n", turns, TURN,
           AT_ONCE);
    for (int way = 0; way < 4; way++) qsort(times[way], (size_t)turns, sizeof(orch_time), compare_times);
    for (int way = 0; way < 4; way++) {
        printf("  %-26s %7.1f   %.3f   (least %.1f)\n", names[way], (double)times[way][turns / 2] / TURN,
               (double)times[way][turns / 2] / (double)times[0][turns / 2], (double)times[way][0] / TURN);
    }
    action_process_provider.close(context);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    (void)spawner_close(plain);
    (void)spawner_close(grouped);
    (void)file_remove_tree(home, NULL);
    return 0;
}
