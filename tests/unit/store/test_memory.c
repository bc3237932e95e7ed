/*
 * Running out of memory at any point: it is said, nothing is half done, and nothing leaks. The memory store, and the
 * owner's side of the SQLite store.
 */
#include "common.h"

#include "../base/torture.h"

static int on_row(void *user, const struct store_execution *e)
{
    *(uint64_t *)user = *(uint64_t *)user * 31 + (uint64_t)e->number + e->state;
    return 0;
}

static int on_record(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    *(uint64_t *)user += first_seq * 1000 + count + record.size;
    return 0;
}

/* What can be seen, as one number: a failed append must not change it. */
static uint64_t look(struct store *store, bool *ret_ok)
{
    uint64_t sum = 0;
    uint64_t counts[16];
    struct store_filter filter = {.parent = -1};
    *ret_ok = store_each_alive(store, on_row, &sum, NULL) == 0 &&
              store_each_execution(store, &filter, on_row, &sum, NULL) == 0 &&
              store_count_states(store, counts, NULL) == 0;
    for (int64_t number = 1; number <= 200 && *ret_ok; number++)
        *ret_ok = store_each_record(store, number, 0, on_record, &sum, NULL) == 0;
    for (int i = 0; i < 16 && *ret_ok; i++) sum = sum * 17 + counts[i];
    return sum;
}

static void on_done(void *user, int status)
{
    assert_int_equal(status, 0);
    ++*(int *)user;
}

static void wait_all(struct fixture *f)
{
    if (f->wake_fd >= 0) {
        fixture_drain(f);
        return;
    }
    while (store_pending(f->store) > 0) (void)store_poll(f->store);
}

/* One of several entries fails in the middle. */
static bool append_three(struct fixture *f, bool is_memory, int *done)
{
    struct store *store = f->store;
    struct store_blob blobs[2] = {{1, STR("one")}, {2, STR("two")}};
    int64_t a = store_next_number(store), b = store_next_number(store);
    struct store_execution row_a = row_of(a, "w", 1), row_b = row_of(b, "v", 4);
    struct store_entry entries[3] = {
        {.number = a,
         .first_seq = 1,
         .count = 2,
         .record = STR("r1"),
         .create = &row_a,
         .blobs = blobs,
         .blobs_count = 2},
        {.number = b, .first_seq = 1, .count = 1, .record = STR("r2"), .create = &row_b},
        {.number = a,
         .first_seq = 3,
         .count = 1,
         .record = STR("r3"),
         .update = &row_b,
         .blobs = blobs,
         .blobs_count = 1},
    };
    bool ok_before = true, ok_after = true;
    uint64_t before = is_memory ? look(store, &ok_before) : 0;
    uint32_t pending = store_pending(store);
    int code = store_append(store, entries, 3, on_done, done, NULL);
    if (code == 0) return true;
    assert_int_equal(code, ORCH_ERR_NO_MEMORY);
    assert_int_equal(store_pending(store), pending);
    uint64_t after = is_memory ? look(store, &ok_after) : 0;
    assert_int_equal(before, after);
    assert_true(ok_before && ok_after);
    return false;
}

static bool run(const struct orch_allocator *allocator, struct fixture *f, bool is_memory)
{
    struct store_options options = {.mode = STORE_OWN, .allocator = allocator};
    if (!is_memory) {
        options.wake = fixture_wake;
        options.user = f;
    }
    int code = store_open(is_memory ? NULL : f->path, &options, &f->store, NULL);
    if (code < 0) {
        assert_int_equal(code, ORCH_ERR_NO_MEMORY);
        return false;
    }
    bool ok = true;
    int done = 0, appended = 0;
    for (int i = 0; i < 40 && ok; i++) {
        char digest[8];
        snprintf(digest, sizeof digest, "d%d", i);
        code = store_put_definition(f->store, str_from(digest), STR("n"), STR("{}"), NULL);
        ok = code == 0 && append_three(f, is_memory, &done);
        appended += ok;
        if (ok && i % 2) wait_all(f);
    }
    if (ok) {
        uint64_t sum = 0;
        struct store_filter filter = {.parent = -1, .since = 1};
        code = store_each_execution(f->store, &filter, on_row, &sum, NULL);
        assert_true(code == 0 || code == ORCH_ERR_NO_MEMORY);
        ok = code == 0;
    }
    if (ok) {
        wait_all(f);
        assert_int_equal(done, appended);
    }
    f->store = store_close(f->store); /* with completions nobody asked for, when it failed */
    return ok;
}

static bool run_memory(const struct orch_allocator *allocator)
{
    struct fixture f = {.wake_fd = -1};
    return run(allocator, &f, true);
}

static bool run_sqlite(const struct orch_allocator *allocator)
{
    struct fixture f;
    fixture_init(&f);
    bool ok = run(allocator, &f, false);
    fixture_done(&f);
    return ok;
}

static void test_memory_store(void **state)
{
    (void)state;
    torture_all(run_memory);
}

static void test_sqlite_store(void **state)
{
    (void)state;
    torture_all(run_sqlite);
}

/* In memory there is nothing for a reader, and what does not follow is refused. */
static void test_misuse(void **state)
{
    (void)state;
    struct store_options options = {.mode = STORE_READ};
    struct fixture f = {.wake_fd = -1};
    assert_int_equal(store_open(NULL, &options, &f.store, NULL), ORCH_ERR_NOT_FOUND);
    options.mode = STORE_OWN;
    assert_int_equal(store_open(NULL, &options, &f.store, NULL), 0);
    assert_null(store_path(f.store));
    assert_int_equal(store_mark(f.store).size, 32);
    int64_t number = store_next_number(f.store);
    struct store_execution row = row_of(number, "w", 1);
    struct store_entry create = {.number = number, .first_seq = 1, .count = 3, .record = STR("r"), .create = &row};
    struct store_entry cases[] = {
        create,
        {.number = number, .first_seq = 3, .count = 1, .record = STR("r")},
        {.number = store_next_number(f.store), .first_seq = 1, .count = 1, .record = STR("r")},
    };
    assert_int_equal(store_append(f.store, &create, 1, NULL, NULL, NULL), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(store_append(f.store, &cases[i], 1, NULL, NULL, NULL), ORCH_ERR_MISUSE);
    assert_int_equal(store_poll(f.store), 1);
    f.store = store_close(f.store);
    assert_null(store_close(NULL));
}

/* A completion that appends is told of that with the next poll: an endless chain does not keep the loop. */
struct chain {
    struct store *store;
    int64_t number;
    uint64_t seq;
};

static void chain_on(void *user, int status)
{
    struct chain *chain = user;
    assert_int_equal(status, 0);
    struct store_entry entry = {.number = chain->number, .first_seq = ++chain->seq, .count = 1, .record = STR("r")};
    assert_int_equal(store_append(chain->store, &entry, 1, chain_on, chain, NULL), 0);
}

static void test_poll_ends(void **state)
{
    (void)state;
    struct store_options options = {.mode = STORE_OWN};
    struct chain chain = {0};
    assert_int_equal(store_open(NULL, &options, &chain.store, NULL), 0);
    chain.number = store_next_number(chain.store);
    struct store_execution row = row_of(chain.number, "w", 1);
    chain.seq = 1;
    struct store_entry entry = {.number = chain.number, .first_seq = 1, .count = 1, .record = STR("r"), .create = &row};
    assert_int_equal(store_append(chain.store, &entry, 1, chain_on, &chain, NULL), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(store_pending(chain.store), 1);
        assert_int_equal(store_poll(chain.store), 1);
    }
    assert_int_equal(chain.seq, 11);
    chain.store = store_close(chain.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_store),
        cmocka_unit_test(test_sqlite_store),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_poll_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
