/*
 * test_logfile.c - names, lines and bounds of logs.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/map.h"
#include "sys/file.h"
#include "sys/logfile.h"

static char home[64];

static int begin(void **state)
{
    (void)state;
    (void)snprintf(home, sizeof(home), "/tmp/orch-log-XXXXXX");
    return mkdtemp(home) ? 0 : 1;
}

static int end(void **state)
{
    (void)state;
    return file_remove_tree(home, NULL);
}

static void test_names(void **state)
{
    static const struct {
        const char *path, *name;
    } table[] = {
        {"build", "build.1.2.log"},
        {"group/build", "group.build.1.2.log"},
        {"clean[183]", "clean@183.1.2.log"},
        {"regions[2]/fetch", "regions@2.fetch.1.2.log"},
        {"polish#3/draft", "polish+3.draft.1.2.log"},
        {"a.b", "a%2Eb.1.2.log"},
        {"a@1", "a%401.1.2.log"},
        {"a[x]", "a%5Bx%5D.1.2.log"},
        {"a[1]2", "a%5B1%5D2.1.2.log"},
        {"a[]", "a%5B%5D.1.2.log"},
        {"a[1", "a%5B1.1.2.log"},
        {"/etc/passwd", "%2Fetc.passwd.1.2.log"},
        {"..", "%2E%2E.1.2.log"},
        {"", ".1.2.log"},
        {"\xC3\xA9 ~", "%C3%A9%20%7E.1.2.log"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct buf buf;
        char expected[256];

        buf_init(&buf, NULL, 0);
        logfile_path(STR("/s"), STR("r-1"), str_from(table[i].path), 1, 2, &buf);
        (void)snprintf(expected, sizeof(expected), "/s/logs/r-1/%s", table[i].name);
        assert_string_equal(buf.data, expected);
        buf_done(&buf);
    }
    (void)state;
}

/* Different paths have different names, long ones too, and none is longer than 200 bytes. */
static void test_names_differ(void **state)
{
    static const char *const pieces[] = {"a", "b", "/", "[1]", "[", "]", "#", "2", ".", "@", "+", "%", "~", "%2E"};
    enum { PIECES = sizeof(pieces) / sizeof(pieces[0]) };
    struct arena arena;
    struct map names, paths;
    char long_path[1000];

    arena_init(&arena, NULL, 0);
    map_init(&names, NULL);
    map_init(&paths, NULL);
    for (int i = 0; i < PIECES * PIECES * PIECES * PIECES; i++) {
        struct orch_str text = arena_printf(&arena, "%s%s%s%s", pieces[i % PIECES], pieces[i / PIECES % PIECES],
                                            pieces[i / PIECES / PIECES % PIECES], pieces[i / PIECES / PIECES / PIECES]);
        struct buf buf;
        bool added;

        assert_non_null(map_add(&paths, text, &added));
        if (!added) continue; /* the same text by other pieces */
        buf_init(&buf, NULL, 0);
        logfile_path(STR(""), STR("r"), text, 1, 1, &buf);
        assert_non_null(map_add(&names, arena_str(&arena, buf_str(&buf)), &added));
        if (!added) fail_msg("<%s> has a name that another has: %s", text.data, buf.data);
        buf_done(&buf);
    }
    memset(long_path, 'x', sizeof(long_path));
    for (size_t size = 150; size < sizeof(long_path); size++) {
        struct buf buf;
        bool added;

        buf_init(&buf, NULL, 0);
        logfile_path(STR(""), STR("r"), str_of(long_path, size), 4000000000u, 4000000000u, &buf);
        assert_true(buf.size - strlen("/logs/r/") <= 200);
        assert_non_null(map_add(&names, arena_str(&arena, buf_str(&buf)), &added));
        assert_true(added);
        buf_done(&buf);
    }
    map_done(&names);
    map_done(&paths);
    arena_done(&arena);
    (void)state;
}

struct seen {
    struct buf text;
    uint64_t lines;
    uint64_t stop_after;
};

static int see(void *user, orch_time at, char stream, struct orch_str line)
{
    struct seen *seen = user;

    seen->lines++;
    if (line.size > 1000)
        buf_printf(&seen->text, "%lld %c %zu bytes|", (long long)at, stream, line.size);
    else
        buf_printf(&seen->text, "%lld %c %.*s|", (long long)at, stream, STR_ARG(line));
    return seen->stop_after && seen->lines == seen->stop_after ? 77 : 0;
}

static void read_all(const char *file, uint64_t offset, uint64_t *ret_offset, struct seen *seen)
{
    struct orch_error err = ORCH_ERROR_INIT;

    *seen = (struct seen){0};
    buf_init(&seen->text, NULL, 0);
    if (logfile_each(file, offset, ret_offset, see, seen, &err) != 0) fail_msg("%s", err.message);
}

static void test_lines(void **state)
{
    struct logfile *log = logfile_new(str_from(home), STR("r-1"), STR("t"), 1, 1);
    struct buf file;
    struct seen seen;
    struct orch_error err = ORCH_ERROR_INIT;
    uint64_t offset;
    static char big[150000];
    int fd;

    buf_init(&file, NULL, 0);
    logfile_path(str_from(home), STR("r-1"), STR("t"), 1, 1, &file);
    assert_non_null(log);
    assert_int_equal(logfile_flush(log, &err), 0);
    assert_int_equal(access(file.data, F_OK), -1); /* made at the first line */
    assert_int_equal(logfile_each(file.data, 0, NULL, see, &seen, &err), ORCH_ERR_NOT_FOUND);
    assert_int_equal(logfile_add(log, 1000, 'o', STR("one"), &err), 0);
    assert_int_equal(logfile_add(log, 1001, 'e', STR(""), &err), 0);
    assert_int_equal(logfile_add(log, 1002, 's', STR("a\nb\tc\r \x01"), &err), 0);
    assert_int_equal(logfile_add(log, -5, 'o', STR("o+ 5 e x"), &err), 0);
    assert_int_equal(logfile_flush(log, &err), 0);
    read_all(file.data, 0, &offset, &seen);
    assert_string_equal(seen.text.data, "1000 o one|1001 e |1002 s a|1002 s b\tc\r \x01|-5 o o+ 5 e x|");
    buf_done(&seen.text);

    /* From where one was, and a line that is half written is left for later. */
    assert_int_equal(logfile_add(log, 1003, 'o', STR("two"), &err), 0);
    assert_int_equal(logfile_flush(log, &err), 0);
    fd = open(file.data, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "1004 o ha", 9), 9);
    read_all(file.data, offset, &offset, &seen);
    assert_string_equal(seen.text.data, "1003 o two|");
    buf_done(&seen.text);
    assert_int_equal(write(fd, "lf\nnonsense\n\n5\n5 x y\n1005 e fine\n", 33), 33);
    close(fd);
    read_all(file.data, offset, &offset, &seen);
    assert_string_equal(seen.text.data, "1004 o half|1005 e fine|");
    buf_done(&seen.text);

    /* A long line is several; one that stops the reading is read again. */
    memset(big, 'x', sizeof(big));
    assert_int_equal(logfile_add(log, 1006, 'o', str_of(big, sizeof(big)), &err), 0);
    log = logfile_close(log);
    seen = (struct seen){.stop_after = 2};
    buf_init(&seen.text, NULL, 0);
    assert_int_equal(logfile_each(file.data, offset, NULL, see, &seen, &err), 77);
    assert_string_equal(seen.text.data, "1006 o 65536 bytes|1006 o 65536 bytes|");
    buf_done(&seen.text);
    read_all(file.data, offset, &offset, &seen);
    assert_string_equal(seen.text.data, "1006 o 65536 bytes|1006 o 65536 bytes|1006 o 18928 bytes|");
    buf_done(&seen.text);

    /* The same log opened once more goes on. */
    log = logfile_new(str_from(home), STR("r-1"), STR("t"), 1, 1);
    assert_int_equal(logfile_add(log, 1007, 'o', STR("again"), &err), 0);
    log = logfile_close(log);
    read_all(file.data, offset, &offset, &seen);
    assert_string_equal(seen.text.data, "1007 o again|");
    buf_done(&seen.text);
    buf_done(&file);
    (void)state;
}

static void test_bound(void **state)
{
    struct logfile *log = logfile_new(str_from(home), STR("r-2"), STR("t"), 1, 1);
    struct buf file;
    struct seen seen;
    struct stat status;
    static char line[60000];

    buf_init(&file, NULL, 0);
    logfile_path(str_from(home), STR("r-2"), STR("t"), 1, 1, &file);
    memset(line, 'x', sizeof(line));
    for (int i = 0; i < 1200; i++) assert_int_equal(logfile_add(log, i, 'o', str_of(line, sizeof(line)), NULL), 0);
    assert_int_equal(logfile_add(log, 2000, 'e', STR("short"), NULL), 0);
    log = logfile_close(log);
    assert_int_equal(stat(file.data, &status), 0);
    assert_true(status.st_size <= (64 << 20) + 1000 && status.st_size > (63 << 20));
    read_all(file.data, 0, NULL, &seen);
    assert_non_null(strstr(seen.text.data, " s the log has reached its limit of 64 MiB"));
    assert_non_null(strstr(seen.text.data, "2000 s 83 lines (4920005 bytes) were dropped|"));
    assert_int_equal(seen.lines, 1118 + 2);
    buf_done(&seen.text);
    buf_done(&file);
    (void)state;
}

/* An error is said once; what follows is dropped in silence. */
static void test_error(void **state)
{
    struct orch_error err = ORCH_ERROR_INIT;
    char dir[128];
    struct logfile *log;

    (void)snprintf(dir, sizeof(dir), "%s/file", home);
    assert_int_equal(file_replace(dir, STR("in the way"), 0600, NULL), 0);
    log = logfile_new(str_from(dir), STR("r"), STR("t"), 1, 1);
    assert_int_equal(logfile_add(log, 1, 'o', STR("x"), &err), 0);
    assert_true(logfile_flush(log, &err) < 0);
    assert_true(err.message[0] != '\0');
    assert_int_equal(logfile_add(log, 1, 'o', STR("x"), &err), 0);
    assert_int_equal(logfile_flush(log, &err), 0);
    assert_null(logfile_close(log));
    assert_null(logfile_close(NULL));
    (void)state;
}

static int no_line(void *user, orch_time at, char stream, struct orch_str line)
{
    (void)at;
    (void)stream;
    (void)line;
    ++*(int *)user;
    return 0;
}

/* A pipe or a link in a log's place is not waited for, not read and not written. */
static void test_no_file(void **state)
{
    static const struct {
        bool is_link;
        int code;
    } table[] = {{false, ORCH_ERR_CORRUPT}, {true, ORCH_ERR_IO}};
    struct buf path;
    char kept[128];

    (void)snprintf(kept, sizeof(kept), "%s/kept", home);
    assert_int_equal(file_replace(kept, STR("1 o kept\n"), 0600, NULL), 0);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct orch_error err = ORCH_ERROR_INIT;
        struct logfile *log;
        struct arena arena;
        struct orch_str text;
        int lines = 0;

        buf_init(&path, NULL, 0);
        logfile_path(str_from(home), STR("odd"), STR("t"), 0, (uint32_t)i, &path);
        *strrchr(path.data, '/') = '\0';
        assert_int_equal(file_make_dirs(path.data, NULL), 0);
        path.data[strlen(path.data)] = '/';
        assert_int_equal(table[i].is_link ? symlink(kept, path.data) : mkfifo(path.data, 0600), 0);
        assert_int_equal(logfile_each(path.data, 0, NULL, no_line, &lines, &err), table[i].code);
        assert_int_equal(lines, 0);
        log = logfile_new(str_from(home), STR("odd"), STR("t"), 0, (uint32_t)i);
        assert_int_equal(logfile_add(log, 1, 'o', STR("x"), &err), 0);
        assert_true(logfile_flush(log, &err) < 0);
        assert_null(logfile_close(log));
        arena_init(&arena, NULL, 0);
        assert_int_equal(file_read(kept, 100, &arena, &text, NULL), 0);
        assert_true(str_is(text, "1 o kept\n"));
        arena_done(&arena);
        buf_done(&path);
    }
    (void)state;
}

static int count_kinds(void *user, orch_time at, char stream, struct orch_str line)
{
    uint64_t *counts = user; /* whole lines, lines that are said to be lost, others */
    int64_t lost = 0;
    size_t end = str_find(line, STR(" lines were lost: no space left on the disk"), 0);

    (void)at;
    if (stream == 'o' && line.size == 100)
        counts[0]++;
    else if (stream == 's' && end != SIZE_MAX && str_to_int64(str_of(line.data, end), &lost))
        counts[1] += (uint64_t)lost;
    else
        counts[2]++;
    return 0;
}

/* Exit codes: 0 fine, 77 cannot be made here, else the line of what failed. A failure must not go on as a second
 * runner. */
static int on_small_disk(void)
{
    char dir[128], filler[160], line[100];
    struct logfile *log;
    struct buf file;
    uint64_t counts[3] = {0};
    int fd, errors = 0;

    (void)snprintf(dir, sizeof(dir), "%s/disk", home);
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return 77;
    if (mkdir(dir, 0700) != 0 || mount("tmpfs", dir, "tmpfs", 0, "size=1m") != 0) return 77;
    memset(line, 'x', sizeof(line));
    buf_init(&file, NULL, 0);
    logfile_path(str_from(dir), STR("r"), STR("t"), 1, 1, &file);
    (void)snprintf(filler, sizeof(filler), "%s/filler", dir);
    log = logfile_new(str_from(dir), STR("r"), STR("t"), 1, 1);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 300; i++) errors += logfile_add(log, i, 'o', str_of(line, sizeof(line)), NULL) != 0;
        errors += logfile_flush(log, NULL) != 0;
        fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        while (write(fd, line, sizeof(line)) > 0) {
        }
        close(fd);
        for (int i = 0; i < 1000; i++) errors += logfile_add(log, i, 'o', str_of(line, sizeof(line)), NULL) != 0;
        errors += logfile_flush(log, NULL) != 0;
        if (unlink(filler) != 0) return 1;
    }
    (void)logfile_close(log);
    if (errors != 1) return 2;
    if (logfile_each(file.data, 0, NULL, count_kinds, counts, NULL) != 0) return 3;
    if (counts[2] != 0) return 4;
    if (counts[1] == 0) return 5;
    return counts[0] + counts[1] == 5 * 1300 ? 0 : 6;
}

/* A full disk costs lines, never half ones, and the log says how many and goes on when there is room. */
static void test_full(void **state)
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) _exit(on_small_disk());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) skip();
    assert_int_equal(WEXITSTATUS(status), 0);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_names_differ),
                                       cmocka_unit_test(test_lines), cmocka_unit_test(test_bound),
                                       cmocka_unit_test(test_error), cmocka_unit_test(test_no_file),
                                       cmocka_unit_test(test_full)};
    return cmocka_run_group_tests(tests, begin, end);
}
