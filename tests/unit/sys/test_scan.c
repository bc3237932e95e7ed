/*
 * test_scan.c - what /proc says of processes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/scan.h"

/* A child that waits; its name would fool who looks for the first parenthesis. */
static pid_t start_child(uint64_t tag)
{
    int fds[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        struct rlimit limit = {tag, RLIM_INFINITY};

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody */
        (void)prctl(PR_SET_NAME, "a) R 1 (b");
        (void)setpgid(0, 0);
        if (tag) (void)setrlimit(RLIMIT_RTTIME, &limit);
        if (write(fds[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
    }
    assert_int_equal(read(fds[0], &byte, 1), 1);
    close(fds[0]);
    close(fds[1]);
    return pid;
}

static void test_one(void **state)
{
    pid_t pid = start_child(scan_tag_store(STR("mark")) | 5);
    struct scan_process process;
    struct scan scan;

    assert_true(scan_one(pid, &process));
    assert_int_equal(process.pid, pid);
    assert_int_equal(process.parent, getpid());
    assert_int_equal(process.group, pid);
    assert_true(process.threads >= 1); /* the thread sanitizer adds one */
    assert_true(process.start > 0 && scan_is_alive(&process));
    assert_true(scan_tag(pid) == (scan_tag_store(STR("mark")) | 5));
    assert_true(scan_tag_store_of(scan_tag(pid)) == scan_tag_store(STR("mark")));
    assert_true(scan_tag_store(STR("mark")) != scan_tag_store(STR("other")));

    assert_int_equal(scan_open(&scan, 100000), 0);
    assert_int_equal(scan_read(&scan), 0);
    assert_non_null(scan_find(&scan, pid));
    assert_null(scan_find(&scan, getpid())); /* all but us */
    for (uint32_t i = 1; i < scan.count; i++) assert_true(scan.list[i - 1].pid < scan.list[i].pid);

    /* Not this very process: same number, another start. */
    process.start++;
    assert_int_equal(scan_signal(&process, SIGKILL), ESRCH);
    process.start--;
    assert_int_equal(scan_signal(&process, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
    assert_true(scan_one(pid, &process));
    assert_false(scan_is_alive(&process));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(scan_one(pid, &process));
    assert_int_equal(scan_tag(pid), 0);
    assert_int_equal(scan_tag(getpid()), 0);
    scan_close(&scan);
    (void)state;
}

static void test_owners(void **state)
{
    struct scan_process list[] = {{.pid = 5, .parent = 90, .owner = -1},  {.pid = 10, .parent = 1, .owner = 3},
                                  {.pid = 20, .parent = 10, .owner = -1}, {.pid = 30, .parent = 1, .owner = -1},
                                  {.pid = 80, .parent = 20, .owner = 4},  {.pid = 90, .parent = 80, .owner = -1}};
    struct scan scan = {.list = list, .count = 6, .capacity = 6};
    static const int32_t expected[] = {4, 3, 3, -1, 4, 4};

    scan_inherit_owners(&scan);
    for (int i = 0; i < 6; i++) assert_int_equal(list[i].owner, expected[i]);
    (void)state;
}

static void test_environ(void **state)
{
    static char big[100000];
    char bigger[100100], buf[65536], name[] = "sh", option[] = "-c", text[] = "kill -STOP $$; exit";
    char *argv[] = {name, option, text, NULL},
         *env[] = {(char[]){"XMARK=no"}, bigger, (char[]){"MARK=yes = it is"}, (char[]){"LAST="}, NULL};
    pid_t pid;
    int status;

    memset(big, 'x', sizeof(big) - 1);
    memcpy(bigger, "MARKER=", 7);
    memcpy(bigger + 7, big, sizeof(big));
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        execve("/bin/sh", argv, env);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    assert_string_equal(scan_environ(pid, "MARK=", buf, sizeof(buf)), "yes = it is");
    assert_string_equal(scan_environ(pid, "LAST=", buf, sizeof(buf)), "");
    assert_null(scan_environ(pid, "ARK=", buf, sizeof(buf)));
    assert_null(scan_environ(pid, "MARKER=", buf, 1000)); /* longer than the room: not taken for another */
    assert_string_equal(scan_environ(pid, "MARK=", buf, 1000), "yes = it is");
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_null(scan_environ(pid, "MARK=", buf, sizeof(buf)));
    (void)state;
}

static void test_clocks(void **state)
{
    orch_time before = clock_monotonic();

    assert_true(clock_wall() > INT64_C(1700000000) * ORCH_SECOND);
    assert_true(clock_monotonic() >= before);
    assert_true(chance_seed() != chance_seed());
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one), cmocka_unit_test(test_owners),
                                       cmocka_unit_test(test_environ), cmocka_unit_test(test_clocks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
