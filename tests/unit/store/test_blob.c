/*
 * Blobs: what goes in comes out, and damage is noticed.
 */
#include "common.h"

static char content[300000];

static int put(struct fixture *f, int64_t number, uint64_t seq, uint64_t blob, size_t size)
{
    struct store_blob b = {blob, str_of(content, size)};
    struct store_entry entry = {
        .number = number, .first_seq = seq, .count = 1, .record = STR("r"), .blobs = &b, .blobs_count = 1};
    return append_wait(f, &entry);
}

static int get(struct fixture *f, int64_t number, uint64_t blob, size_t *ret_size)
{
    struct arena arena;
    struct orch_str s = STR_NONE;
    struct orch_error err = ORCH_ERROR_INIT;
    arena_init(&arena, NULL, 0);
    int code = store_get_blob(f->store, number, blob, &arena, &s, &err);
    if (code == 0) {
        *ret_size = s.size;
        assert_memory_equal(s.data, content, s.size);
        assert_int_equal(s.data[s.size], '\0');
    } else {
        assert_int_equal(err.code, code);
        assert_true(err.message[0]);
    }
    arena_done(&arena);
    return code;
}

static void test_round_trip(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 47, 48, 49, 4096, 65537, sizeof content};
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    int64_t number = make_execution(&f, "w", 1);
    size_t size = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        assert_int_equal(put(&f, number, 2 + i, 1 + i, sizes[i]), 0);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            assert_int_equal(get(&f, number, 1 + i, &size), 0);
            assert_int_equal(size, sizes[i]);
        }
        assert_int_equal(get(&f, number, 100, &size), ORCH_ERR_NOT_FOUND);
        assert_int_equal(get(&f, number + 1, 1, &size), ORCH_ERR_NOT_FOUND);
        f.store = store_close(f.store);
        fixture_open(&f);
    }
    /* Also for a reader. */
    struct store *own = f.store, *reader = NULL;
    struct store_options options = {.mode = STORE_READ};
    assert_int_equal(store_open(f.path, &options, &reader, NULL), 0);
    f.store = reader;
    assert_int_equal(get(&f, number, 3, &size), 0);
    f.store = own;
    reader = store_close(reader);
    fixture_done(&f);
}

/* What a crash before the commit has left under the same name, longer than what comes now. */
static void test_left_over(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    int64_t number = make_execution(&f, "w", 1);
    char path[128];
    snprintf(path, sizeof path, "%s/blobs/%lld", f.path, (long long)number);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/blobs/%lld/5", f.path, (long long)number);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, content + 7, 9999), 9999);
    (void)close(fd);
    size_t size = 0;
    assert_int_equal(get(&f, number, 5, &size), ORCH_ERR_CORRUPT);
    assert_int_equal(put(&f, number, 2, 5, 100), 0);
    assert_int_equal(get(&f, number, 5, &size), 0);
    assert_int_equal(size, 100);
    fixture_done(&f);
}

/* Any byte that is changed, and any length that it is cut to or grown to. */
static void test_damage(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    int64_t number = make_execution(&f, "w", 1);
    assert_int_equal(put(&f, number, 2, 1, 200), 0);
    char path[128];
    snprintf(path, sizeof path, "%s/blobs/%lld/1", f.path, (long long)number);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    size_t size = 0;
    char whole[248];
    assert_int_equal(pread(fd, whole, sizeof whole, 0), sizeof whole);
    for (off_t at = 0; at < (off_t)sizeof whole; at++) {
        char wrong = (char)(whole[at] ^ 4);
        assert_int_equal(pwrite(fd, &wrong, 1, at), 1);
        assert_int_equal(get(&f, number, 1, &size), ORCH_ERR_CORRUPT);
        assert_int_equal(pwrite(fd, &whole[at], 1, at), 1);
    }
    assert_int_equal(get(&f, number, 1, &size), 0);
    assert_int_equal(pwrite(fd, "x", 1, sizeof whole), 1);
    assert_int_equal(get(&f, number, 1, &size), ORCH_ERR_CORRUPT);
    for (off_t length = (off_t)sizeof whole - 1; length >= 0; length--) {
        assert_int_equal(ftruncate(fd, length), 0);
        assert_int_equal(get(&f, number, 1, &size), ORCH_ERR_CORRUPT);
    }
    (void)close(fd);
    fixture_done(&f);
}

/* A link or a pipe in place of the file is not followed and not waited for. */
static void test_strange_files(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    int64_t number = make_execution(&f, "w", 1);
    assert_int_equal(put(&f, number, 2, 1, 200), 0);
    char path[128];
    size_t size = 0;
    snprintf(path, sizeof path, "%s/blobs/%lld/2", f.path, (long long)number);
    assert_int_equal(symlink("1", path), 0);
    assert_true(get(&f, number, 2, &size) < 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(get(&f, number, 2, &size), ORCH_ERR_CORRUPT);
    fixture_done(&f);
}

int main(void)
{
    for (size_t i = 0; i < sizeof content; i++) content[i] = (char)(i * 7 + i / 251);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_left_over),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_strange_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
