/*
 * orch.db-end: what it says, what a damaged one is taken for, and that a log which ends before it is refused.
 */
#include "common.h"

#include <signal.h>

#include "store/sqlite.h"

#define END_SIZE 24

static void put_file(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    (void)close(fd);
}

static size_t get_file(const char *path, unsigned char *bytes, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t got = read(fd, bytes, size);
    assert_true(got >= 0 && got < (ssize_t)size);
    (void)close(fd);
    return (size_t)got;
}

static enum log_end_state read_state(const char *dir, struct vfs_log *ret)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    enum log_end_state state = log_end_read(fd, ret);
    (void)close(fd);
    return state;
}

struct left {
    char end[140], log[140];
    unsigned char end_bytes[64];
    size_t end_size;
};

/* A store as a crash leaves it: its log has everything. */
static void make_left(struct fixture *f, struct left *left)
{
    fixture_init(f);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        fixture_open(f);
        for (int i = 0; i < 3; i++) (void)make_execution(f, "w", 1);
        (void)raise(SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    snprintf(left->end, sizeof left->end, "%s/orch.db-end", f->path);
    snprintf(left->log, sizeof left->log, "%s/orch.db-wal", f->path);
    left->end_size = get_file(left->end, left->end_bytes, sizeof left->end_bytes);
}

static int open_reader(struct fixture *f, struct orch_error *err)
{
    const struct store_options options = {.mode = STORE_READ};
    struct store *store = NULL;
    *err = (struct orch_error)ORCH_ERROR_INIT;
    int code = store_open(f->path, &options, &store, err);
    if (code == 0) (void)store_close(store);
    return code;
}

static void test_what_it_says(void **state)
{
    (void)state;
    struct fixture f;
    struct left left;
    struct vfs_log end;
    struct stat st;
    make_left(&f, &left);
    assert_int_equal(left.end_size, END_SIZE);
    assert_int_equal(read_state(f.path, &end), LOG_END_NOTED);
    assert_int_equal(stat(left.log, &st), 0);
    assert_true(LOG_HEADER_SIZE + (int64_t)end.frames * (4096 + FRAME_HEAD_SIZE) <= st.st_size);
    assert_true(end.frames > 3);

    put_file(left.end, "", 0); /* it was just made */
    assert_int_equal(read_state(f.path, &end), LOG_END_NONE);
    assert_int_equal(unlink(left.end), 0);
    assert_int_equal(read_state(f.path, &end), LOG_END_NONE);
    assert_int_equal(mkdir(left.end, 0700), 0);
    assert_int_equal(read_state(f.path, &end), LOG_END_DAMAGED);
    assert_int_equal(rmdir(left.end), 0);
    assert_int_equal(symlink("/dev/zero", left.end), 0); /* not followed */
    assert_int_equal(read_state(f.path, &end), LOG_END_DAMAGED);
    assert_int_equal(unlink(left.end), 0);

    /* Closed: the log is in the database, and nothing is noted. */
    fixture_open(&f);
    f.store = store_close(f.store);
    assert_int_equal(read_state(f.path, &end), LOG_END_NONE);
    fixture_done(&f);
}

static void test_damaged(void **state)
{
    (void)state;
    struct fixture f;
    struct left left;
    struct vfs_log end;
    make_left(&f, &left);
    for (size_t bit = 0; bit < END_SIZE * 8; bit++) {
        unsigned char bytes[END_SIZE];
        memcpy(bytes, left.end_bytes, END_SIZE);
        bytes[bit / 8] ^= (unsigned char)(1 << (bit % 8));
        put_file(left.end, bytes, END_SIZE);
        assert_int_equal(read_state(f.path, &end), LOG_END_DAMAGED);
        assert_int_equal(end.frames, 0);
    }
    left.end_bytes[END_SIZE] = 0;
    for (size_t size = 1; size <= END_SIZE + 1; size++) {
        put_file(left.end, left.end_bytes, size);
        assert_int_equal(read_state(f.path, &end), size == END_SIZE ? LOG_END_NOTED : LOG_END_DAMAGED);
    }
    /* One that cannot be believed refuses nothing. */
    struct orch_error err;
    assert_int_equal(open_reader(&f, &err), 0);
    fixture_done(&f);
}

/* A log that has lost its last frame, or all of them, does not open; one that has more than was noted does. */
static void test_log_ends_early(void **state)
{
    (void)state;
    struct fixture f;
    struct left left;
    struct vfs_log end;
    struct orch_error err;
    char text[80];
    make_left(&f, &left);
    assert_int_equal(open_reader(&f, &err), 0);
    assert_int_equal(read_state(f.path, &end), LOG_END_NOTED);
    off_t size = LOG_HEADER_SIZE + (off_t)(end.frames - 1) * (4096 + FRAME_HEAD_SIZE);
    unsigned char last[4096 + FRAME_HEAD_SIZE];
    int fd = open(left.log, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, last, sizeof last, size), (ssize_t)sizeof last);
    assert_int_equal(ftruncate(fd, size), 0);
    assert_int_equal(open_reader(&f, &err), ORCH_ERR_CORRUPT);
    snprintf(text, sizeof text, "it had %u frames and can be read up to frame ", end.frames);
    assert_non_null(strstr(err.message, "orch.db-wal is damaged"));
    assert_non_null(strstr(err.message, text));
    assert_int_equal(pwrite(fd, last, sizeof last, size), (ssize_t)sizeof last);
    (void)close(fd);
    assert_int_equal(open_reader(&f, &err), 0);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_it_says), cmocka_unit_test(test_damaged),
                                       cmocka_unit_test(test_log_ends_early)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
