/*
 * test_process.c - the spawner: what it starts, what it tells, and that nothing of it is left.
 */
#include "sys/process.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "sys/clock.h"
#include "sys/scan.h"

/* A mark of this very run: the same test may run elsewhere on this machine, and each ends what carries its mark. */
static struct orch_str mark_of(const char *name)
{
    static char mark[128];

    (void)snprintf(mark, sizeof(mark), "test/%s/%d", name, (int)getpid());
    return str_from(mark);
}

static struct spawner *open_spawner(bool use_cgroup, const char *name)
{
    struct spawner_options options = {.mark = mark_of(name), .use_cgroup = use_cgroup};
    struct spawner *spawner = NULL;
    struct orch_error err = ORCH_ERROR_INIT;

    if (spawner_open(&options, &spawner, &err) != 0) fail_msg("%s", err.message);
    return spawner;
}

/* The next piece of news, waited for. */
static struct spawn_news next_news(struct spawner *spawner)
{
    struct spawn_news news = {.id = UINT64_MAX};
    struct orch_error err = ORCH_ERROR_INIT;
    orch_time deadline = clock_monotonic() + 30 * ORCH_SECOND;

    while (!spawner_read(spawner, &news, &err)) {
        struct pollfd fd = {.fd = spawner_fd(spawner), .events = POLLIN};

        if (err.code != 0) fail_msg("%s", err.message);
        if (clock_monotonic() > deadline) fail_msg("no news for 30 s");
        (void)poll(&fd, 1, 1000);
    }
    return news;
}

static struct spawn_news next_of(struct spawner *spawner, enum spawn_news_type type)
{
    struct spawn_news news = next_news(spawner);

    if (news.type != type) fail_msg("news of type %d instead of %d (error %d)", news.type, type, news.error);
    return news;
}

static struct orch_str path_env(void)
{
    return STR("PATH=/usr/local/bin:/usr/bin:/bin");
}

static int start_argv(struct spawner *spawner, uint64_t id, const char *const *argv, int out, const char *directory,
                      struct orch_error *err)
{
    struct orch_str list[16], env[1] = {path_env()};
    struct spawn_request request = {.id = id,
                                    .argv = list,
                                    .env = env,
                                    .env_count = 1,
                                    .working_dir = str_from(directory),
                                    .stdin_fd = -1,
                                    .stdout_fd = out,
                                    .stderr_fd = -1};

    for (; argv[request.argv_count]; request.argv_count++)
        list[request.argv_count] = str_from(argv[request.argv_count]);
    return spawner_start(spawner, &request, err);
}

static void start_shell(struct spawner *spawner, uint64_t id, const char *text, int out)
{
    const char *argv[] = {"sh", "-c", text, NULL};
    struct orch_error err = ORCH_ERROR_INIT;

    if (start_argv(spawner, id, argv, out, NULL, &err) != 0) fail_msg("%s", err.message);
}

static void check_nothing_marked(const char *name)
{
    struct orch_error err = ORCH_ERROR_INIT;
    int count = process_kill_marked(mark_of(name), 5 * ORCH_SECOND, &err);

    if (count != 0) fail_msg("%d processes were left (%s)", count, err.message);
}

static void test_exit_codes(void **state)
{
    static const struct {
        const char *text;
        int32_t exit_code, signal;
    } table[] = {
        {"true", 0, 0},
        {"exit 75", 75, 0},
        {"exit 255", 255, 0},
        {"kill -9 $$", -1, SIGKILL},
        {"kill -SEGV $$", -1, SIGSEGV},
    };
    for (int use_cgroup = 0; use_cgroup < 2; use_cgroup++) {
        struct spawner *spawner = open_spawner(use_cgroup, "exit");

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
            struct spawn_news news;

            start_shell(spawner, 100 + i, table[i].text, -1);
            news = next_of(spawner, SPAWN_STARTED);
            assert_int_equal(news.id, 100 + i);
            assert_true(news.pid > 1);
            news = next_of(spawner, SPAWN_ENDED);
            assert_int_equal(news.id, 100 + i);
            assert_int_equal(news.exit_code, table[i].exit_code);
            assert_int_equal(news.signal, table[i].signal & 0x7f);
            assert_false(news.stopped);
            assert_true(news.memory_peak > 100000);
        }
        assert_null(spawner_close(spawner));
    }
    (void)state;
}

static void test_start_errors(void **state)
{
    static const struct {
        const char *argv[3];
        const char *directory;
        int error;
        enum spawn_stage stage;
    } table[] = {
        {{"/nonexistent/x"}, NULL, ENOENT, SPAWN_STAGE_EXEC},
        {{"no-such-program-here"}, NULL, ENOENT, SPAWN_STAGE_EXEC},
        {{""}, NULL, ENOENT, SPAWN_STAGE_EXEC},
        {{"/etc/passwd"}, NULL, EACCES, SPAWN_STAGE_EXEC},
        {{"/"}, NULL, EACCES, SPAWN_STAGE_EXEC},
        {{"true"}, "/nonexistent", ENOENT, SPAWN_STAGE_DIRECTORY},
        {{"true"}, "/etc/passwd", ENOTDIR, SPAWN_STAGE_DIRECTORY},
    };
    struct spawner *spawner = open_spawner(true, "start");

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct spawn_news news;

        assert_int_equal(start_argv(spawner, i, table[i].argv, -1, table[i].directory, NULL), 0);
        news = next_of(spawner, SPAWN_FAILED);
        assert_int_equal(news.id, i);
        assert_int_equal(news.error, table[i].error);
        assert_int_equal(news.stage, table[i].stage);
    }
    assert_null(spawner_close(spawner));
    (void)state;
}

/* Runs a program with stdout in a pipe and gives its first bytes. */
static void output_of(struct spawner *spawner, const char *const *argv, const char *directory, char *ret, size_t size)
{
    int fds[2];
    size_t used = 0;
    ssize_t got;

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(start_argv(spawner, 1, argv, fds[1], directory, NULL), 0);
    close(fds[1]);
    while ((got = read(fds[0], ret + used, size - 1 - used)) > 0) used += (size_t)got;
    ret[used] = '\0';
    close(fds[0]);
    (void)next_of(spawner, SPAWN_STARTED);
    (void)next_of(spawner, SPAWN_ENDED);
}

static void test_surroundings(void **state)
{
    struct spawner *spawner = open_spawner(true, "surroundings");
    char text[4096], expected[256];
    const char *env[] = {"env", NULL}, *pwd[] = {"pwd", NULL}, *fds[] = {"ls", "/proc/self/fd", NULL};
    const char *signals[] = {"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status", NULL};

    output_of(spawner, env, NULL, text, sizeof(text));
    (void)snprintf(expected, sizeof(expected), "PATH=/usr/local/bin:/usr/bin:/bin\nORCH_STORE=%s\n",
                   mark_of("surroundings").data);
    assert_string_equal(text, expected);
    output_of(spawner, pwd, "/usr/bin", text, sizeof(text));
    assert_string_equal(text, "/usr/bin\n");
    output_of(spawner, fds, NULL, text, sizeof(text));
    assert_string_equal(text, "0\n1\n2\n3\n"); /* 3 is ls reading the directory */
    (void)signal(SIGPIPE, SIG_IGN);
    output_of(spawner, signals, NULL, text, sizeof(text));
    assert_string_equal(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    assert_null(spawner_close(spawner));
    (void)state;
}

static void test_script_without_interpreter(void **state)
{
    struct spawner *spawner = open_spawner(false, "enoexec");
    char name[] = "/tmp/orch-test-XXXXXX", text[256];
    int fd = mkstemp(name);
    const char *argv[] = {name, "a b", NULL};

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "echo \"got $1\"\n", 14), 14);
    assert_int_equal(fchmod(fd, 0700), 0);
    close(fd);
    output_of(spawner, argv, NULL, text, sizeof(text));
    assert_string_equal(text, "got a b\n");
    unlink(name);
    assert_null(spawner_close(spawner));
    (void)state;
}

static void test_large_arguments(void **state)
{
    struct spawner *spawner = open_spawner(true, "large");
    static char big[100000], text[200000];
    const char *argv[] = {"printf", "%s", big, NULL};
    struct orch_str many[40], env[1] = {path_env()};
    struct spawn_request request = {.id = 7,
                                    .argv = many,
                                    .argv_count = 40,
                                    .env = env,
                                    .env_count = 1,
                                    .stdin_fd = -1,
                                    .stdout_fd = -1,
                                    .stderr_fd = -1};

    memset(big, 'x', sizeof(big) - 1);
    output_of(spawner, argv, NULL, text, sizeof(text));
    assert_int_equal(strlen(text), sizeof(big) - 1);
    for (int i = 0; i < 40; i++) many[i] = str_from(big);
    assert_int_equal(spawner_start(spawner, &request, NULL), ORCH_ERR_LIMIT);
    assert_null(spawner_close(spawner));
    (void)state;
}

static void test_many(void **state)
{
    struct spawner *spawner = open_spawner(true, "many");
    int started = 0, ended = 0;

    /* More than the socket holds: they are queued. */
    for (int i = 0; i < 500; i++) start_shell(spawner, (uint64_t)i, "exit 3", -1);
    while (ended < 500) {
        struct spawn_news news = next_news(spawner);

        if (news.type == SPAWN_STARTED) {
            started++;
        } else {
            assert_int_equal(news.type, SPAWN_ENDED);
            assert_int_equal(news.exit_code, 3);
            ended++;
        }
    }
    assert_int_equal(started, 500);
    assert_null(spawner_close(spawner));
    (void)state;
}

/* An orchestrator that does not read for a while: the news wait in the spawner. */
static void test_slow_reader(void **state)
{
    struct spawner *spawner = open_spawner(false, "slow");
    const char *argv[] = {"/nonexistent", NULL};
    int failed = 0;

    for (int i = 0; i < 1000; i++) {
        assert_int_equal(start_argv(spawner, (uint64_t)i, argv, -1, NULL, NULL), 0);
        /* So that all have failed before the first is read; the test holds either way. */
        if (i % 100 == 99) (void)poll(NULL, 0, 50);
    }
    while (failed < 1000) {
        assert_int_equal(next_news(spawner).type, SPAWN_FAILED);
        failed++;
    }
    assert_null(spawner_close(spawner));
    (void)state;
}

static void test_stop(void **state)
{
    /* What it does with SIGTERM, and whether the kill was needed. */
    static const struct {
        const char *text;
        bool needs_kill;
        int32_t exit_code, signal;
    } table[] = {
        {"echo; exec sleep 1000", false, -1, SIGTERM},
        {"trap 'exit 9' TERM; echo; sleep 1000 & wait", false, 9, 0},
        {"trap '' TERM; echo; while :; do sleep 1; done", true, -1, SIGKILL},
        {"echo; kill -STOP $$; exit 0", false, -1, SIGTERM},
        {"(trap '' TERM; echo; while :; do sleep 1; done) & sleep 1000", true, -1, SIGTERM},
    };
    for (int use_cgroup = 0; use_cgroup < 2; use_cgroup++) {
        struct spawner *spawner = open_spawner(use_cgroup, "stop");

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
            int fds[2];
            char byte;
            struct spawn_news news;
            orch_time begin, took, grace = 300 * ORCH_MILLISECOND;

            assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
            start_shell(spawner, i, table[i].text, fds[1]);
            close(fds[1]);
            assert_int_equal(read(fds[0], &byte, 1), 1);
            begin = clock_monotonic();
            assert_int_equal(spawner_stop(spawner, i, grace), 0);
            (void)next_of(spawner, SPAWN_STARTED);
            news = next_of(spawner, SPAWN_ENDED);
            took = clock_monotonic() - begin;
            assert_true(news.stopped);
            assert_int_equal(news.exit_code, table[i].exit_code);
            assert_int_equal(news.signal, table[i].signal);
            if (table[i].needs_kill && took < grace)
                fail_msg("%s: cgroup %d: %lld µs", table[i].text, use_cgroup, (long long)took);
            assert_true(took < grace + ORCH_SECOND);
            close(fds[0]);
            check_nothing_marked("stop");
        }
        assert_null(spawner_close(spawner));
    }
    (void)state;
}

static void test_hasten(void **state)
{
    struct spawner *spawner = open_spawner(true, "hasten");
    orch_time begin = clock_monotonic();
    int fds[2];
    char byte;
    struct spawn_news news;

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    start_shell(spawner, 1, "trap '' TERM; echo; while :; do sleep 1; done", fds[1]);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(spawner_stop(spawner, 1, 600 * ORCH_SECOND), 0);
    assert_int_equal(spawner_stop(spawner, 1, 0), 0);
    assert_int_equal(spawner_stop(spawner, 99, 0), 0); /* unknown: ignored */
    (void)next_of(spawner, SPAWN_STARTED);
    news = next_of(spawner, SPAWN_ENDED);
    assert_int_equal(news.signal, SIGKILL);
    assert_true(clock_monotonic() - begin < 10 * ORCH_SECOND);
    assert_null(spawner_close(spawner));
    (void)state;
}

/* After one had to be killed the next ones live: a control group that was killed is not used again (see
 * group_give_back). */
static void test_after_kill(void **state)
{
    for (int use_cgroup = 0; use_cgroup < 2; use_cgroup++) {
        struct spawner *spawner = open_spawner(use_cgroup, "after");

        for (uint64_t i = 0; i < 5; i++) {
            start_shell(spawner, 2 * i, "sleep 1000", -1);
            (void)next_of(spawner, SPAWN_STARTED);
            assert_int_equal(spawner_stop(spawner, 2 * i, 0), 0);
            (void)next_of(spawner, SPAWN_ENDED);
            start_shell(spawner, 2 * i + 1, "exit 3", -1);
            (void)next_of(spawner, SPAWN_STARTED);
            assert_int_equal(next_of(spawner, SPAWN_ENDED).exit_code, 3);
        }
        assert_null(spawner_close(spawner));
    }
    (void)state;
}

/* A program that exits but leaves something behind: what is quick may finish, the rest is ended and told of. */
static void test_left_behind(void **state)
{
    for (int use_cgroup = 0; use_cgroup < 2; use_cgroup++) {
        struct spawner *spawner = open_spawner(use_cgroup, "left");
        struct spawn_news news;

        start_shell(spawner, 1, "sleep 0.05 &", -1);
        start_shell(spawner, 2, "setsid sh -c 'trap \"\" TERM; sleep 1000; sleep 1000' & sleep 1000 & exit 4", -1);
        for (int ended = 0; ended < 2;) {
            news = next_news(spawner);
            if (news.type != SPAWN_ENDED) continue;
            ended++;
            assert_int_equal(news.exit_code, news.id == 1 ? 0 : 4);
            if (news.id == 1)
                assert_int_equal(news.left_behind, 0);
            else
                assert_true(news.left_behind >= 2);
            assert_false(news.stopped);
        }
        check_nothing_marked("left");
        assert_null(spawner_close(spawner));
    }
    (void)state;
}

static void test_close_ends_all(void **state)
{
    for (int use_cgroup = 0; use_cgroup < 2; use_cgroup++) {
        struct spawner *spawner = open_spawner(use_cgroup, "close");
        orch_time begin;

        for (int i = 0; i < 20; i++)
            start_shell(spawner, (uint64_t)i, "trap '' TERM; setsid sleep 1000 & sleep 1000", -1);
        for (int i = 0; i < 20; i++) (void)next_of(spawner, SPAWN_STARTED);
        begin = clock_monotonic();
        assert_null(spawner_close(spawner));
        assert_true(clock_monotonic() - begin < 3 * ORCH_SECOND);
        check_nothing_marked("close");
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie of ours either */
    }
    (void)state;
}

/* The spawner itself killed: we are told, its programs die with it, what they started is found by its mark. */
static void test_spawner_killed(void **state)
{
    struct spawner *spawner = open_spawner(true, "killed");
    struct scan_process process;
    struct spawn_news news;
    struct orch_error err = ORCH_ERROR_INIT;
    int fds[2], count;
    char byte;

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    start_shell(spawner, 1, "setsid env -i sh -c 'trap \"\" TERM; echo; sleep 1000; sleep 1000' & sleep 1000", fds[1]);
    news = next_of(spawner, SPAWN_STARTED);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    close(fds[0]);
    close(fds[1]);
    assert_true(scan_one(news.pid, &process));
    assert_int_equal(kill(process.parent, SIGKILL), 0);
    while (!spawner_read(spawner, &news, &err) && err.code == 0) {
        struct pollfd fd = {.fd = spawner_fd(spawner), .events = POLLIN};

        (void)poll(&fd, 1, 1000);
    }
    assert_int_equal(err.code, ORCH_ERR_IO);
    assert_int_equal(spawner_start(spawner,
                                   &(struct spawn_request){.argv = (struct orch_str[]){STR("true")}, .argv_count = 1},
                                   NULL),
                     ORCH_ERR_IO);
    assert_null(spawner_close(spawner));
    count = process_kill_marked(mark_of("killed"), 5 * ORCH_SECOND, &err);
    if (count < 1) fail_msg("found %d", count);
    check_nothing_marked("killed");
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_codes),      cmocka_unit_test(test_start_errors),
        cmocka_unit_test(test_surroundings),    cmocka_unit_test(test_script_without_interpreter),
        cmocka_unit_test(test_large_arguments), cmocka_unit_test(test_many),
        cmocka_unit_test(test_slow_reader),     cmocka_unit_test(test_stop),
        cmocka_unit_test(test_hasten),          cmocka_unit_test(test_after_kill),
        cmocka_unit_test(test_left_behind),     cmocka_unit_test(test_close_ends_all),
        cmocka_unit_test(test_spawner_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
