/*
 * test_file.c - reading whole, replacing, making and removing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "sys/file.h"

static char home[64];
static char path_buf[256];

static const char *path(const char *name)
{
    (void)snprintf(path_buf, sizeof(path_buf), "%s/%s", home, name);
    return path_buf;
}

static int begin(void **state)
{
    (void)state;
    (void)snprintf(home, sizeof(home), "/tmp/orch-file-XXXXXX");
    return mkdtemp(home) ? 0 : 1;
}

static int end(void **state)
{
    (void)state;
    return file_remove_tree(home, NULL);
}

static void test_read(void **state)
{
    struct arena arena;
    struct orch_str text = STR("?");
    struct orch_error err = ORCH_ERROR_INIT;
    int fds[2];

    arena_init(&arena, NULL, 0);
    assert_int_equal(file_replace(path("a"), STR("12345"), 0600, &err), 0);
    assert_int_equal(file_read(path("a"), 5, &arena, &text, &err), 0);
    assert_true(str_is(text, "12345") && text.data[5] == '\0');
    text = STR("?");
    assert_int_equal(file_read(path("a"), 4, &arena, &text, &err), ORCH_ERR_LIMIT);
    assert_int_equal(file_read(path("nowhere"), 4, &arena, &text, &err), ORCH_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "nowhere"));
    assert_int_equal(file_read(home, 4, &arena, &text, &err), ORCH_ERR_INVALID);
    assert_true(str_is(text, "?"));
    assert_int_equal(file_replace(path("empty"), STR(""), 0600, &err), 0);
    assert_int_equal(file_read(path("empty"), 0, &arena, &text, &err), 0);
    assert_int_equal(text.size, 0);
    /* What has no size beforehand. */
    assert_int_equal(file_read("/proc/self/status", 1 << 20, &arena, &text, &err), 0);
    assert_true(str_starts_with(text, STR("Name:")));
    assert_int_equal(file_read("/proc/self/status", 10, &arena, &text, &err), ORCH_ERR_LIMIT);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "pipe", 4), 4);
    close(fds[1]);
    assert_int_equal(file_read_fd(fds[0], "pipe", 4, &arena, &text, &err), 0);
    assert_true(str_is(text, "pipe"));
    close(fds[0]);
    arena_done(&arena);
    (void)state;
}

static void test_replace(void **state)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct arena arena;
    struct orch_str text;
    struct stat status;

    arena_init(&arena, NULL, 0);
    assert_int_equal(file_replace(path("r"), STR("old"), 0644, &err), 0);
    assert_int_equal(file_replace(path("r"), STR("new"), 0600, &err), 0);
    assert_int_equal(file_read(path("r"), 100, &arena, &text, &err), 0);
    assert_true(str_is(text, "new"));
    assert_int_equal(stat(path("r"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(file_replace(path("no/such/dir"), STR("x"), 0600, &err), ORCH_ERR_NOT_FOUND);
    /* A directory in the way: refused, and nothing is left beside it. */
    assert_int_equal(file_make_dirs(path("d/full"), &err), 0);
    assert_true(file_replace(path("d"), STR("x"), 0600, &err) < 0);
    (void)snprintf(path_buf, sizeof(path_buf), "%s/d.tmp.%d", home, (int)getpid());
    assert_int_equal(access(path_buf, F_OK), -1);
    arena_done(&arena);
    (void)state;
}

/* Deeper than any path can name, with siblings all the way, and some that may not be written to. */
static void make_deep(int depth)
{
    int fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (int i = 0; i < depth; i++) {
        int inner;

        assert_int_equal(mkdirat(fd, i == 0 ? "deep" : "d", 0700), 0);
        if (i > 0) assert_int_equal(mkdirat(fd, "beside", 0500), 0);
        inner = openat(fd, i == 0 ? "deep" : "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(inner >= 0);
        if (i % 50 == 49) assert_int_equal(fchmod(fd, 0500), 0);
        close(fd);
        fd = inner;
    }
    close(fd);
}

static void test_make_and_remove(void **state)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct stat status;
    char deep[3000], target[128];

    assert_int_equal(file_make_dirs(path("x/y//z/"), &err), 0);
    assert_int_equal(file_make_dirs(path("x/y/z"), &err), 0);
    assert_int_equal(stat(path("x/y"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(file_replace(path("x/file"), STR("x"), 0400, &err), 0);
    assert_true(file_make_dirs(path("x/file/below"), &err) < 0);
    assert_int_equal(file_make_dirs("", &err), ORCH_ERR_INVALID);

    /* Links are removed, not what they point to. */
    assert_int_equal(file_make_dirs(path("kept"), &err), 0);
    assert_int_equal(file_replace(path("kept/file"), STR("x"), 0600, &err), 0);
    (void)snprintf(target, sizeof(target), "%s/kept", home);
    assert_int_equal(symlink(target, path("x/y/link")), 0);
    assert_int_equal(chmod(path("x/y"), 0500), 0);
    assert_int_equal(file_remove_tree(path("x"), &err), 0);
    assert_int_equal(access(path("x"), F_OK), -1);
    assert_int_equal(access(path("kept/file"), F_OK), 0);
    assert_int_equal(file_remove_tree(path("x"), &err), 0);
    assert_int_equal(symlink(target, path("link")), 0);
    assert_int_equal(file_remove_tree(path("link"), &err), 0);
    assert_int_equal(access(path("kept/file"), F_OK), 0);
    assert_int_equal(access(path("link"), F_OK), -1);

    /* Many entries, so that they do not come in one piece, and depth. */
    for (int i = 0; i < 1000; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "many/a-rather-long-name-%d", i);
        assert_int_equal(file_make_dirs(path(name), &err), 0);
    }
    assert_int_equal(file_remove_tree(path("many"), &err), 0);
    assert_int_equal(access(path("many"), F_OK), -1);
    (void)snprintf(deep, sizeof(deep), "%s/deep", home);
    for (int i = 0; i < 100; i++) (void)snprintf(deep + strlen(deep), sizeof(deep) - strlen(deep), "/d%d", i);
    assert_int_equal(file_make_dirs(deep, &err), 0);
    assert_int_equal(file_remove_tree(path("deep"), &err), 0);
    make_deep(5000);
    assert_int_equal(file_remove_tree(path("deep"), &err), 0);
    assert_int_equal(access(path("deep"), F_OK), -1);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read), cmocka_unit_test(test_replace),
                                       cmocka_unit_test(test_make_and_remove)};
    return cmocka_run_group_tests(tests, begin, end);
}
