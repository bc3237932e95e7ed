/*
 * test_nasty.c - programs that do not want to end are ended, all of them and in time, however they hide and whoever of
 * us dies.
 *
 * Survivors are looked for by the file they run, which is none of the marks that the spawner itself goes by.
 */
#include "../unit/actions/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sys/process.h"
#include "sys/scan.h"

static const char *directory; /* of the programs */
static const char *self;      /* this program */
static char mark[64];         /* of this very run: the same test may run elsewhere on this machine */

#define GRACE (150 * ORCH_MILLISECOND)

static const struct nasty {
    const char *name;
    enum failure failure; /* CANCELLED: when it is stopped, which it needs */
    bool needs_reader;    /* ends when nobody reads what it writes */
} programs[] = {
    {"ignore_term", FAILURE_CANCELLED, false},
    {"stopped", FAILURE_CANCELLED, false},
    {"setsid_daemon", FAILURE_CANCELLED, false},
    {"double_fork", FAILURE_CANCELLED, false},
    {"fork_storm", FAILURE_CANCELLED, false},
    {"holds_pipe", FAILURE_NONE, false},
    {"floods", FAILURE_CANCELLED, true},
    {"closes_stdout", FAILURE_CANCELLED, false},
    {"exits_writing", FAILURE_NONE, false},
    {"everything", FAILURE_CANCELLED, false},
    {"comet", FAILURE_CANCELLED, false},
    {"subreaper", FAILURE_CANCELLED, false},
    {"dead_leader", FAILURE_CANCELLED, false},
    {"exec_loop", FAILURE_CANCELLED, false},
    {"vfork_stopped", FAILURE_CANCELLED, false},
    {"traced", FAILURE_CANCELLED, false},
    {"stops_group", FAILURE_CANCELLED, false},
    {"other_user", FAILURE_CANCELLED, false},
    {"rewrites_mark", FAILURE_CANCELLED, false},
    {"sheds_marks", FAILURE_CANCELLED, false},
    {"forks_on_term", FAILURE_CANCELLED, false},
    {"many_fds", FAILURE_CANCELLED, false},
    {"eats_memory", FAILURE_CANCELLED, false},
    {"long_line", FAILURE_CANCELLED, true},
    {"drips", FAILURE_CANCELLED, false},
    {"zombies", FAILURE_CANCELLED, false},
    {"clone_parent", FAILURE_CANCELLED, false},
    {"leaves_group", FAILURE_CANCELLED, false},
    {"namespaces", FAILURE_CANCELLED, false},
    {"fills_scratch", FAILURE_CANCELLED, false},
    {"odd_output", FAILURE_PERMANENT, false},
    /* These are after the spawner itself: see test_spawner_broken. */
    {"kills_spawner", FAILURE_LOST, true},
    {"stops_spawner", FAILURE_LOST, true},
};
#define PROGRAMS (sizeof(programs) / sizeof(programs[0]))

static void path_of(const char *name, char path[PATH_MAX])
{
    (void)snprintf(path, PATH_MAX, "%s/nasty-%s", directory, name);
}

/* How many processes run this file; those that are dead but not waited for count too, by their (unchanged) name. */
static int count_running(const char *name)
{
    char path[PATH_MAX], real[PATH_MAX], file[300], link[PATH_MAX], comm[64];
    struct dirent *entry;
    DIR *proc = opendir("/proc");
    int count = 0;

    path_of(name, path);
    assert_non_null(proc);
    assert_non_null(realpath(path, real));
    while ((entry = readdir(proc)) != NULL) {
        struct scan_process process, parent;
        ssize_t size;

        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
        (void)snprintf(file, sizeof(file), "/proc/%s/exe", entry->d_name);
        size = readlink(file, link, sizeof(link) - 1);
        if (size > 0) {
            link[size] = '\0';
            count += strcmp(link, real) == 0;
            continue;
        }
        if (!scan_one(atoi(entry->d_name), &process) || process.state != 'Z') continue;
        if (!scan_one(process.parent, &parent) || (process.parent != getpid() && parent.parent != getpid()))
            continue; /* not of ours */
        (void)snprintf(file, sizeof(file), "/proc/%s/comm", entry->d_name);
        int fd = open(file, O_RDONLY | O_CLOEXEC);
        size = fd < 0 ? 0 : read(fd, comm, sizeof(comm) - 1);
        if (fd >= 0) close(fd);
        comm[size > 0 ? size : 0] = '\0';
        (void)snprintf(file, sizeof(file), "nasty-%.9s\n", name);
        count += strcmp(comm, file) == 0;
    }
    closedir(proc);
    return count;
}

static void check_none_running(const char *name)
{
    int count = count_running(name);

    if (count != 0) fail_msg("%s: %d processes are left", name, count);
}

static void allow_no_core(void)
{
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

static long resident_kib(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/*
 * Under the provider, with a control group where one can be made: stopped as soon as it says that it is ready.
 */
static struct host *running_host;
static orch_time stopped_at;

static void stop_when_ready(struct attempt *attempt)
{
    if (stopped_at != 0 || !strstr(text_of_buf(&attempt->log), "o ready\n")) return;
    stopped_at = clock_monotonic();
    running_host->provider->stop(running_host->context, &attempt->base, false);
}

static struct attempt *attempt_of(struct host *host, const char *name)
{
    char path[PATH_MAX], config[PATH_MAX + 64];
    struct attempt *attempt;

    path_of(name, path);
    (void)snprintf(config, sizeof(config), "{\"command\":[\"%s\"]}", path);
    attempt = attempt_new(host, ACTION_EXEC, config);
    attempt->base.grace_us = GRACE;
    stopped_at = 0;
    return attempt;
}

static void test_under_provider(void **state)
{
    struct host host;
    long resident_before;

    host_open(&host, &action_process_provider);
    running_host = &host;
    resident_before = resident_kib();
    for (size_t i = 0; i < PROGRAMS; i++) {
        struct attempt *attempt;
        orch_time begun = clock_monotonic();
        bool ends_by_itself = programs[i].failure != FAILURE_CANCELLED;

        if (programs[i].failure == FAILURE_LOST) continue;
        attempt = attempt_of(&host, programs[i].name);
        if (!ends_by_itself) attempt->on_log = stop_when_ready;
        attempt_start(&host, attempt);
        attempt_wait(&host, attempt);
        if (attempt->failure != programs[i].failure)
            fail_msg("%s: failure %d: %s", programs[i].name, attempt->failure, attempt->error);
        if (ends_by_itself) {
            if (attempt->done_at - begun > 3 * ORCH_SECOND)
                fail_msg("%s: held up for %lld µs", programs[i].name, (long long)(attempt->done_at - begun));
        } else {
            if (stopped_at == 0) fail_msg("%s: was never ready: %s", programs[i].name, attempt->error);
            if (attempt->done_at - stopped_at > GRACE + ORCH_SECOND) {
                fail_msg("%s: ended only after %lld µs", programs[i].name, (long long)(attempt->done_at - stopped_at));
            }
        }
        check_none_running(programs[i].name);
        if (strcmp(programs[i].name, "exits_writing") == 0)
            assert_string_equal(text_of_buf(&attempt->log), "o ready\no more\no more\no more\no more\no more\n");
        if (strcmp(programs[i].name, "holds_pipe") == 0)
            assert_non_null(strstr(attempt->log.data, "s 1 process still ran"));
        attempt_free(attempt);
    }
    /* The flood went through without being kept: the log that the test itself keeps is 4 MiB. */
    if (!getenv("ASAN_OPTIONS") && resident_kib() - resident_before > 64 * 1024)
        fail_msg("grew by %ld KiB", resident_kib() - resident_before);
    host_close(&host);
    (void)state;
}

static void wait_ready(struct host *host, struct attempt *attempt)
{
    while (!strstr(text_of_buf(&attempt->log), "o ready\n")) {
        assert_int_equal(attempt->done_count, 0);
        (void)uv_run(&host->loop, UV_RUN_ONCE);
    }
}

/*
 * A program can kill or stop the spawner, which is of its own user. Others are lost then; nothing survives, what is to
 * end does in time, and the next program starts as ever.
 */
static void test_spawner_broken(void **state)
{
    struct attempt *left[2];
    struct host host;

    host_open(&host, &action_process_provider);
    for (int round = 0; round < 3; round++) {
        bool kills = round == 0, closes = round == 2;
        const char *name = kills ? "kills_spawner" : "stops_spawner";
        struct attempt *other = attempt_of(&host, "double_fork"), *attempt = attempt_of(&host, name);
        orch_time begun, took;

        attempt_start(&host, other);
        wait_ready(&host, other);
        attempt_start(&host, attempt);
        wait_ready(&host, attempt);
        begun = clock_monotonic();
        if (closes) {
            left[0] = attempt;
            left[1] = other;
            break;
        }
        if (!kills) {
            for (int i = 0; i < 5; i++) (void)uv_run(&host.loop, UV_RUN_NOWAIT);
            host.provider->stop(host.context, &attempt->base, false);
        }
        attempt_wait(&host, attempt);
        took = attempt->done_at - begun;
        if (took > (kills ? ORCH_SECOND : GRACE + ORCH_SECOND)) fail_msg("%s: took %lld µs", name, (long long)took);
        assert_int_equal(attempt->failure, kills ? FAILURE_LOST : FAILURE_CANCELLED);
        check_none_running(name);
        attempt_wait(&host, other);
        assert_int_equal(other->failure, FAILURE_LOST);
        check_none_running("double_fork");
        attempt_free(attempt);
        attempt_free(other);

        attempt = attempt_new(&host, ACTION_SHELL, "{\"command\":\"echo on\"}");
        attempt_start(&host, attempt);
        attempt_wait(&host, attempt);
        assert_int_equal(attempt->failure, FAILURE_NONE);
        attempt_free(attempt);
    }
    orch_time begun = clock_monotonic();

    host_close(&host);
    if (clock_monotonic() - begun > 2 * ORCH_SECOND)
        fail_msg("closing took %lld µs", (long long)(clock_monotonic() - begun));
    attempt_free(left[0]);
    attempt_free(left[1]);
    check_none_running("stops_spawner");
    check_none_running("double_fork");
    (void)state;
}

/*
 * Without control groups, by groups, tree and marks; straight on the spawner.
 */
static struct spawner *open_spawner(bool use_cgroup)
{
    struct spawner_options options = {.mark = str_from(mark), .use_cgroup = use_cgroup};
    struct spawner *spawner = NULL;

    assert_int_equal(spawner_open(&options, &spawner, NULL), 0);
    return spawner;
}

/* Starts it and waits until it is ready; what it writes later goes nowhere but does not block (it is read and dropped
 * by nobody: /dev/null for floods). */
static pid_t start_ready(struct spawner *spawner, uint64_t id, const char *name)
{
    char path[PATH_MAX], text[6];
    struct orch_str argv[1], env[2] = {STR("PATH=/usr/bin:/bin"), STR("ORCH_ATTEMPT_ID=test/1")};
    struct spawn_request request = {
        .id = id, .argv = argv, .argv_count = 1, .env = env, .env_count = 2, .stdin_fd = -1, .stderr_fd = -1};
    struct spawn_news news = {0};
    struct orch_error err = ORCH_ERROR_INIT;
    int fds[2];
    size_t used = 0;

    path_of(name, path);
    argv[0] = str_from(path);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    request.stdout_fd = fds[1];
    assert_int_equal(spawner_start(spawner, &request, &err), 0);
    close(fds[1]);
    while (used < sizeof(text)) {
        ssize_t size = read(fds[0], text + used, sizeof(text) - used);

        if (size <= 0) fail_msg("%s: not ready", name);
        used += (size_t)size;
    }
    close(fds[0]);
    while (!spawner_read(spawner, &news, &err)) {
        struct pollfd fd = {.fd = spawner_fd(spawner), .events = POLLIN};

        if (err.code != 0) fail_msg("%s", err.message);
        (void)poll(&fd, 1, 1000);
    }
    assert_int_equal(news.type, SPAWN_STARTED);
    return news.pid;
}

static void wait_for_end(struct spawner *spawner, uint64_t id, orch_time at_most)
{
    orch_time deadline = clock_monotonic() + at_most;
    struct orch_error err = ORCH_ERROR_INIT;
    struct spawn_news news;

    for (;;) {
        struct pollfd fd = {.fd = spawner_fd(spawner), .events = POLLIN};

        while (spawner_read(spawner, &news, &err)) {
            if (news.type == SPAWN_ENDED && news.id == id) return;
        }
        if (err.code != 0) fail_msg("%s", err.message);
        if (clock_monotonic() > deadline) fail_msg("not ended within %lld µs", (long long)at_most);
        (void)poll(&fd, 1, 50);
    }
}

static void test_without_cgroup(void **state)
{
    struct spawner *spawner = open_spawner(false);

    for (size_t i = 0; i < PROGRAMS; i++) {
        if (programs[i].failure != FAILURE_CANCELLED || programs[i].needs_reader)
            continue; /* the latter ends with its pipe */
        (void)start_ready(spawner, i, programs[i].name);
        assert_int_equal(spawner_stop(spawner, i, GRACE), 0);
        wait_for_end(spawner, i, GRACE + ORCH_SECOND);
        check_none_running(programs[i].name);
    }
    assert_null(spawner_close(spawner));
    (void)state;
}

/* Whether the spawner has made a control group for it: not everybody may. */
static bool is_in_group(pid_t pid)
{
    char path[64], text[4096] = "";
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    return strstr(text, "/orch-") != NULL;
}

/* Several at once, each with hidden ones, only one is stopped: the others and theirs live on. */
static void test_only_its_own(void **state)
{
    for (int use_cgroup = 0; use_cgroup < 2; use_cgroup++) {
        struct spawner *spawner = open_spawner(use_cgroup);

        (void)start_ready(spawner, 1, "everything");
        pid_t first = start_ready(spawner, 2, "double_fork");
        (void)start_ready(spawner, 3, "subreaper");
        assert_int_equal(spawner_stop(spawner, 1, 0), 0);
        wait_for_end(spawner, 1, ORCH_SECOND);
        check_none_running("everything");
        assert_int_equal(count_running("double_fork"), 2);
        assert_int_equal(count_running("subreaper"), 4);
        assert_int_equal(spawner_stop(spawner, 3, 0), 0);
        wait_for_end(spawner, 3, ORCH_SECOND);
        check_none_running("subreaper");
        assert_int_equal(count_running("double_fork"), 2);
        if (is_in_group(first)) {
            /* Its first process ends at SIGTERM; what is left has no mark, and is still in the control group. */
            (void)start_ready(spawner, 4, "sheds_marks");
            assert_int_equal(spawner_stop(spawner, 4, GRACE), 0);
            wait_for_end(spawner, 4, GRACE + ORCH_SECOND);
            check_none_running("sheds_marks");
            assert_int_equal(count_running("double_fork"), 2);
        }
        assert_null(spawner_close(spawner));
        check_none_running("double_fork");
    }
    (void)state;
}

/*
 * kill -9 of an orchestrator: a process of its own that opens a spawner, starts what it is told, says "ready" and
 * waits.
 */
static const char *const hidden[] = {"ignore_term",   "setsid_daemon", "double_fork", "everything",
                                     "subreaper",     "stopped",       "fork_storm",  "dead_leader",
                                     "rewrites_mark", "other_user",    "namespaces"};
#define HIDDEN (sizeof(hidden) / sizeof(hidden[0]))

static int be_orchestrator(bool use_cgroup)
{
    struct spawner *spawner = open_spawner(use_cgroup);

    for (size_t i = 0; i < HIDDEN; i++) (void)start_ready(spawner, i, hidden[i]);
    if (write(1, "ready\n", 6) != 6) return 1;
    for (int i = 0; i < 120; i++) (void)sleep(1);
    return 0;
}

static pid_t start_orchestrator(bool use_cgroup, pid_t *ret_spawner)
{
    int fds[2];
    char text[6];
    pid_t pid;
    DIR *proc;
    struct dirent *entry;

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        (void)dup2(fds[1], 1);
        execl(self, self, directory, mark, use_cgroup ? "--orchestrator-cgroup" : "--orchestrator-plain", (char *)NULL);
        _exit(99);
    }
    close(fds[1]);
    for (size_t used = 0; used < sizeof(text);) {
        ssize_t size = read(fds[0], text + used, sizeof(text) - used);

        if (size <= 0) fail_msg("the orchestrator did not get ready");
        used += (size_t)size;
    }
    close(fds[0]);
    /* Its spawner is its only child. */
    *ret_spawner = 0;
    proc = opendir("/proc");
    assert_non_null(proc);
    while ((entry = readdir(proc)) != NULL) {
        struct scan_process process;

        if (scan_one(atoi(entry->d_name), &process) && process.parent == pid) *ret_spawner = process.pid;
    }
    closedir(proc);
    assert_true(*ret_spawner > 0);
    for (size_t i = 0; i < HIDDEN; i++) assert_true(count_running(hidden[i]) > 0);
    return pid;
}

static int count_hidden(void)
{
    int count = 0;

    for (size_t i = 0; i < HIDDEN; i++) count += count_running(hidden[i]);
    return count;
}

static void test_orchestrator_killed(void **state)
{
    for (int use_cgroup = 0; use_cgroup < 2; use_cgroup++) {
        pid_t spawner, pid = start_orchestrator(use_cgroup, &spawner);
        orch_time begin = clock_monotonic();
        struct scan_process process;
        int left;

        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        while ((left = count_hidden()) > 0 && clock_monotonic() - begin < 5 * ORCH_SECOND) (void)poll(NULL, 0, 5);
        if (left > 0) fail_msg("%d processes are left", left);
        if (clock_monotonic() - begin > ORCH_SECOND) fail_msg("took %lld µs", (long long)(clock_monotonic() - begin));
        while (scan_one(spawner, &process) && process.state != 'Z' && clock_monotonic() - begin < 5 * ORCH_SECOND)
            (void)poll(NULL, 0, 5);
        assert_true(!scan_one(spawner, &process) || process.state == 'Z');
        assert_int_equal(process_kill_marked(str_from(mark), ORCH_SECOND, NULL), 0);
    }
    (void)state;
}

/* It dies while its spawner is stopped, and stays so: both the spawner and what it runs are found by the next life. */
static void test_killed_while_stopped(void **state)
{
    pid_t spawner, pid = start_orchestrator(true, &spawner);
    struct scan_process process;
    struct orch_error err = ORCH_ERROR_INIT;
    int count;

    assert_int_equal(kill(spawner, SIGSTOP), 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(count_hidden() > 0);
    count = process_kill_marked(str_from(mark), 5 * ORCH_SECOND, &err);
    if (count < 5) fail_msg("%d: %s", count, err.message);
    if (count_hidden() != 0) fail_msg("%d processes are left", count_hidden());
    if (scan_one(spawner, &process) && scan_is_alive(&process)) fail_msg("the spawner is left");
    (void)state;
}

/* Both at one blow: what is left then is found by the next life. */
static void test_both_killed(void **state)
{
    for (int use_cgroup = 0; use_cgroup < 2; use_cgroup++) {
        pid_t spawner, pid = start_orchestrator(use_cgroup, &spawner);
        struct orch_error err = ORCH_ERROR_INIT;
        int count;

        assert_int_equal(kill(spawner, SIGSTOP), 0); /* it must not get to work in between */
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(kill(spawner, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_true(count_hidden() > 0);
        count = process_kill_marked(str_from(mark), 5 * ORCH_SECOND, &err);
        if (count < 5) fail_msg("%d: %s", count, err.message);
        if (count_hidden() != 0) fail_msg("%d processes are left", count_hidden());
        assert_int_equal(process_kill_marked(str_from(mark), ORCH_SECOND, NULL), 0);
    }
    (void)state;
}

/* The programs under a path that no other run of this test has: survivors are known by it. */
static char own_directory[] = "/tmp/orch-nasty-XXXXXX";

static int begin(void **state)
{
    struct arena arena;

    (void)state;
    if (!mkdtemp(own_directory)) return 1;
    for (size_t i = 0; i < PROGRAMS; i++) {
        char from[PATH_MAX], to[PATH_MAX];
        struct orch_str content;

        arena_init(&arena, NULL, 0);
        path_of(programs[i].name, from);
        (void)snprintf(to, sizeof(to), "%s/nasty-%s", own_directory, programs[i].name);
        if (file_read(from, 16 << 20, &arena, &content, NULL) != 0 || file_replace(to, content, 0700, NULL) != 0)
            return 1;
        arena_done(&arena);
    }
    directory = own_directory;
    return 0;
}

static int end(void **state)
{
    (void)state;
    return file_remove_tree(own_directory, NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_under_provider),       cmocka_unit_test(test_spawner_broken),
        cmocka_unit_test(test_without_cgroup),       cmocka_unit_test(test_only_its_own),
        cmocka_unit_test(test_orchestrator_killed),  cmocka_unit_test(test_both_killed),
        cmocka_unit_test(test_killed_while_stopped),
    };

    if (argc < 2) return 2;
    self = argv[0];
    directory = argv[1];
    allow_no_core();
    if (argc > 2)
        (void)snprintf(mark, sizeof(mark), "%s", argv[2]);
    else
        (void)snprintf(mark, sizeof(mark), "nasty/%d", (int)getpid());
    if (argc > 3) return be_orchestrator(strcmp(argv[3], "--orchestrator-cgroup") == 0);
    return cmocka_run_group_tests(tests, begin, end);
}
