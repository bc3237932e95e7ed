/*
 * A disk that is full or broken: what is told, what is kept, and what goes on.
 */
#include "common.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <time.h>

#include "faulty.h"
#include "store/sqlite.h"

static struct store_entry record_of(int64_t number, uint64_t seq, struct orch_str record)
{
    return (struct store_entry){.number = number, .first_seq = seq, .count = 1, .record = record};
}

static char large[100000];

static int no_gap(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    (void)record;
    uint64_t *next = user;
    assert_int_equal(first_seq, *next);
    *next += count;
    return 0;
}

static uint64_t count_records(struct store *store, int64_t number)
{
    uint64_t next = 1;
    assert_int_equal(store_each_record(store, number, 0, no_gap, &next, NULL), 0);
    return next - 1;
}

static void test_full_and_on(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    int64_t number = make_execution(&f, "w", 1);
    sqlite_limit_pages(f.store, 60);
    uint64_t seq = 2;
    int status = 0;
    while (seq < 100) {
        struct store_entry entry = record_of(number, seq, str_of(large, 20000));
        status = append_wait(&f, &entry);
        if (status != 0) break;
        seq++;
    }
    assert_int_equal(status, ORCH_ERR_FULL);
    assert_true(seq > 2);
    assert_int_equal(store_failure(f.store, NULL), 0);
    assert_int_equal(count_records(f.store, number), seq - 1);
    /* A definition handed in meanwhile is not forgotten. */
    assert_int_equal(store_put_definition(f.store, STR("d"), STR("n"), str_of(large, 90000), NULL), 0);
    struct store_entry entry = record_of(number, seq, str_of(large, 20000));
    assert_int_equal(append_wait(&f, &entry), ORCH_ERR_FULL);

    sqlite_limit_pages(f.store, 1000000);
    assert_int_equal(append_wait(&f, &entry), 0);
    assert_int_equal(count_records(f.store, number), seq);
    f.store = store_close(f.store);
    fixture_open(&f);
    assert_int_equal(count_records(f.store, number), seq);
    struct arena arena;
    struct orch_str normal;
    arena_init(&arena, NULL, 0);
    assert_int_equal(store_get_definition(f.store, STR("d"), &arena, &normal, NULL), 0);
    assert_int_equal(normal.size, 90000);
    arena_done(&arena);
    fixture_done(&f);
}

/* Hands each failed append in again, as an owner does. */
struct again {
    struct fixture *f;
    int64_t number;
    uint64_t seq;
    unsigned fulls;
    unsigned durables;
};

static void on_again(void *user, int status)
{
    struct again *again = user;
    if (status == 0) {
        again->durables++;
        return;
    }
    assert_int_equal(status, ORCH_ERR_FULL);
    /* Space comes back in the middle of being told. */
    if (++again->fulls == 1) sqlite_limit_pages(again->f->store, 1000000);
    struct store_entry entry = record_of(again->number, again->seq, str_of(large, 50000));
    assert_int_equal(store_append(again->f->store, &entry, 1, on_again, again, NULL), 0);
}

/*
 * Appends that were on their way behind the failed one fail as well, even when there is room by then: otherwise their
 * records would stand without what comes before them.
 */
static void test_no_gap_behind_full(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    int64_t number = make_execution(&f, "w", 1);
    sqlite_limit_pages(f.store, 30);
    static struct again all[40];
    for (uint64_t i = 0; i < 40; i++) {
        all[i] = (struct again){&f, number, i + 2, 0, 0};
        /* From the second on they are small and would fit. */
        struct store_entry entry = record_of(number, i + 2, str_of(large, i == 0 ? 90000 : 10));
        assert_int_equal(store_append(f.store, &entry, 1, on_again, &all[i], NULL), 0);
    }
    fixture_drain(&f);
    unsigned fulls = 0;
    for (int i = 0; i < 40; i++) {
        assert_int_equal(all[i].durables, 1);
        fulls += all[i].fulls;
    }
    assert_int_equal(fulls, 40);
    assert_int_equal(count_records(f.store, number), 41);
    fixture_done(&f);
}

/* The blobs of a transaction that did not come about go away with it. */
static void test_full_blobs(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    int64_t number = make_execution(&f, "w", 1);
    sqlite_limit_pages(f.store, 40);
    struct store_blob blob = {1, str_of(large, 1000)};
    struct store_entry entry = record_of(number, 2, str_of(large, sizeof large));
    struct store_entry more = record_of(number, 3, str_of(large, sizeof large));
    entry.blobs = &blob;
    entry.blobs_count = 1;
    struct store_entry both[2] = {entry, more};
    int status = 1;
    assert_int_equal(store_append(f.store, both, 2, keep_status, &status, NULL), 0);
    fixture_drain(&f);
    assert_int_equal(status, ORCH_ERR_FULL);
    struct arena arena;
    struct orch_str content;
    arena_init(&arena, NULL, 0);
    assert_int_equal(store_get_blob(f.store, number, 1, &arena, &content, NULL), ORCH_ERR_NOT_FOUND);
    sqlite_limit_pages(f.store, 1000000);
    assert_int_equal(store_append(f.store, both, 2, keep_status, &status, NULL), 0);
    fixture_drain(&f);
    assert_int_equal(status, 0);
    assert_int_equal(store_get_blob(f.store, number, 1, &arena, &content, NULL), 0);
    arena_done(&arena);
    fixture_done(&f);
}

/* After a failed sync the store is dead, says why, and starts again with all that was acknowledged. */
static void run_until_fault(enum fault fault, long fail_at, bool *ret_reached)
{
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    int64_t number = make_execution(&f, "w", 1);
    uint64_t seq = 2;
    faulty_arm(fault, fail_at);
    int status = 0;
    for (; seq < 30; seq++) {
        struct store_entry entry = record_of(number, seq, str_of(large, 3000));
        status = append_wait(&f, &entry);
        if (status != 0) break;
    }
    *ret_reached = status != 0;
    struct orch_error err = ORCH_ERROR_INIT;
    if (status == ORCH_ERR_FULL) {
        assert_int_equal(fault, FAULT_FULL);
        faulty_arm(FAULT_NONE, 0);
        struct store_entry entry = record_of(number, seq++, STR("on"));
        assert_int_equal(append_wait(&f, &entry), 0);
    } else if (status != 0) {
        assert_int_not_equal(fault, FAULT_FULL);
        assert_int_equal(status, ORCH_ERR_IO);
        assert_int_equal(store_failure(f.store, &err), ORCH_ERR_IO);
        assert_non_null(strstr(err.message, "orch.db"));
        faulty_arm(FAULT_NONE, 0);
        /* For good: it is not tried again, though it would work now. */
        struct store_entry entry = record_of(number, seq, STR("on"));
        assert_int_equal(append_wait(&f, &entry), ORCH_ERR_IO);
    }
    faulty_arm(FAULT_NONE, 0);
    f.store = store_close(f.store);
    fixture_open(&f);
    uint64_t count = count_records(f.store, number);
    /* The failed one was not acknowledged: it may be there or not. */
    assert_in_range(count, seq - 1, seq);
    fixture_done(&f);
}

static void test_faults(void **state)
{
    (void)state;
    for (enum fault fault = FAULT_SYNC; fault <= FAULT_FULL; fault++) {
        long n = 1;
        for (bool reached = true; reached; n++) {
            assert_true(n < 500);
            run_until_fault(fault, n, &reached);
        }
        print_message("fault %d: %ld\n", (int)fault, n);
        assert_true(n > 20);
    }
}

/* Everything behind a failure fails with it. */
static void test_all_behind_fail(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    int64_t number = make_execution(&f, "w", 1);
    faulty_arm(FAULT_SYNC, 1);
    int statuses[50];
    int taken = 0;
    for (int i = 0; i < 50; i++) {
        struct store_entry entry = record_of(number, (uint64_t)i + 2, STR("x"));
        statuses[i] = 1;
        int code = store_append(f.store, &entry, 1, keep_status, &statuses[i], NULL);
        if (code == ORCH_ERR_IO) break; /* it has failed meanwhile */
        assert_int_equal(code, 0);
        taken++;
    }
    fixture_drain(&f);
    assert_true(taken > 0);
    for (int i = 0; i < taken; i++) assert_int_equal(statuses[i], ORCH_ERR_IO);
    faulty_arm(FAULT_NONE, 0);
    fixture_done(&f);
}

/* In a child: a failure must not go on as a second runner of the tests. */
#define CHECK(condition)                                          \
    do {                                                          \
        if (!(condition)) {                                       \
            print_message("line %d: %s\n", __LINE__, #condition); \
            _exit(1);                                             \
        }                                                         \
    } while (0)

static void fill(const char *filler)
{
    int fd = open(filler, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    while (write(fd, large, 4096) == 4096) continue;
    (void)close(fd);
}

/* With a reserve: from the first moment it is known whether there is room; who only reads needs none. */
static int full_at_opening(struct fixture *f, const char *filler)
{
    char reserve[160];
    struct stat st;
    struct store_options own = fixture_options(f, STORE_OWN), look = {.mode = STORE_READ};
    own.reserve_size = 200000;
    snprintf(reserve, sizeof reserve, "%.60s/reserve", f->path);
    CHECK(unlink(reserve) == 0 || errno == ENOENT);
    CHECK(store_open(f->path, &own, &f->store, NULL) == 0);
    CHECK(stat(reserve, &st) == 0); /* at once: most runs are short */
    CHECK(!store_is_short(f->store));
    f->store = store_close(f->store);

    /* Full but for the index of the log: it opens, and says so before anything is tried. */
    fill(filler);
    CHECK(stat(filler, &st) == 0 && truncate(filler, st.st_size - 100000) == 0);
    CHECK(store_open(f->path, &own, &f->store, NULL) == 0);
    CHECK(store_is_short(f->store));
    CHECK(stat(reserve, &st) == 0 && st.st_size == 200000);
    int64_t number = make_execution(f, "w", 1);
    CHECK(number > 0);
    /* Room again, and it is known soon, though work goes on all the time. */
    CHECK(unlink(filler) == 0);
    for (int i = 0; i < 1000 && store_is_short(f->store); i++) {
        struct store_entry entry = record_of(number, (uint64_t)i + 2, STR("x"));
        CHECK(append_wait(f, &entry) == 0);
        (void)nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    CHECK(!store_is_short(f->store));
    f->store = store_close(f->store);

    /* Not a page left. */
    fill(filler);
    struct orch_error err = ORCH_ERROR_INIT;
    CHECK(store_open(f->path, &own, &f->store, &err) == ORCH_ERR_FULL);
    CHECK(strstr(err.message, "no space left") != NULL);
    CHECK(stat(reserve, &st) == 0);
    CHECK(store_open(f->path, &look, &f->store, NULL) == 0);
    CHECK(count_records(f->store, number) > 1);
    f->store = store_close(f->store);
    return 0;
}

/* A real file system of 4 MB, in a name space of its own. Exit codes: 0 fine, 77 cannot be made here. */
static int in_small_disk(const char *dir, uint64_t reserve_size)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return 77;
    char path[128];
    snprintf(path, sizeof path, "%s/disk", dir);
    if (mkdir(path, 0700) < 0 || mount("tmpfs", path, "tmpfs", 0, "size=4m") < 0) return 77;
    struct fixture f = {.wake_fd = eventfd(0, EFD_CLOEXEC)};
    snprintf(f.path, sizeof f.path, "%.60s/s", path);
    struct store_options options = fixture_options(&f, STORE_OWN);
    options.reserve_size = reserve_size;
    CHECK(store_open(f.path, &options, &f.store, NULL) == 0);
    int64_t number = make_execution(&f, "w", 1);
    char filler[160];
    snprintf(filler, sizeof filler, "%s/filler", path);
    if (reserve_size > 0) {
        /* It is made when the store has nothing to do; wait for that. */
        char reserve[160];
        struct stat st;
        snprintf(reserve, sizeof reserve, "%s/reserve", f.path);
        for (int i = 0; i < 1000 && stat(reserve, &st) < 0; i++) (void)nanosleep(&(struct timespec){0, 10000000}, NULL);
        CHECK(stat(reserve, &st) == 0);
        CHECK(st.st_size == (off_t)reserve_size);
    }
    int fd = open(filler, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    while (write(fd, large, 4096) == 4096) continue;
    CHECK(!store_is_short(f.store));
    uint64_t seq = 2;
    int status = 0;
    for (; seq < 1000 && status == 0; seq++) {
        struct store_blob blob = {seq, str_of(large, 10000)};
        struct store_entry entry = record_of(number, seq, str_of(large, 4000));
        entry.blobs = &blob;
        entry.blobs_count = 1;
        status = append_wait(&f, &entry);
    }
    seq--;
    CHECK(status == ORCH_ERR_FULL);
    CHECK(store_failure(f.store, NULL) == 0);
    CHECK(store_is_short(f.store) == (reserve_size > 0));
    /* The reserve lets several more through. */
    CHECK(seq >= (reserve_size > 0 ? 6u : 2u) && seq <= 500);
    CHECK(count_records(f.store, number) == seq - 1);
    /* Room again: it goes on by itself, and the reserve comes back. */
    (void)close(fd);
    CHECK(unlink(filler) == 0);
    struct store_entry entry = record_of(number, seq, str_of(large, 4000));
    CHECK(append_wait(&f, &entry) == 0);
    for (int i = 0; i < 1000 && store_is_short(f.store); i++) (void)nanosleep(&(struct timespec){0, 10000000}, NULL);
    CHECK(!store_is_short(f.store));
    f.store = store_close(f.store);
    fixture_open(&f);
    CHECK(count_records(f.store, number) == seq);
    f.store = store_close(f.store);
    return reserve_size > 0 ? full_at_opening(&f, filler) : 0;
}

static void run_small_disk(uint64_t reserve_size)
{
    struct fixture f;
    fixture_init(&f);
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) _exit(in_small_disk(f.dir, reserve_size));
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    fixture_done(&f);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_small_disk(void **state)
{
    (void)state;
    run_small_disk(0);
}

static void test_reserve(void **state)
{
    (void)state;
    run_small_disk(200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_and_on),     cmocka_unit_test(test_no_gap_behind_full),
        cmocka_unit_test(test_full_blobs),      cmocka_unit_test(test_faults),
        cmocka_unit_test(test_all_behind_fail), cmocka_unit_test(test_small_disk),
        cmocka_unit_test(test_reserve),
    };
    faulty_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
