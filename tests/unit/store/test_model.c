/*
 * The memory store and the SQLite store give the same answers to the same random series of calls, also after the latter
 * was closed and opened again.
 */
#include "common.h"

struct random {
    uint64_t state;
};

static uint64_t next(struct random *r)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state;
}

static uint64_t below(struct random *r, uint64_t n)
{
    return next(r) % n;
}

/* What was appended, to make series that fit together. */
struct model_execution {
    struct store_execution row;
    uint64_t next_seq;
    uint64_t blobs;
};

struct pair {
    struct fixture memory, disk;
    struct model_execution executions[400];
    int64_t count;
    struct random random;
};

static const char *const words[] = {"",          "a",           "build",
                                    "deploy it", "caf\xc3\xa9", "long text that says what it waits for"};
#define WORD(r) str_from(words[below(r, 6)])
static const char *const files[] = {"", "a.yaml", "/srv/b.yaml"};
static char large[9000];

/* Answers as text, to be compared. */
static void add_row(struct buf *buf, const struct store_execution *e)
{
    buf_printf(
        buf, "%lld %.*s %.*s %.*s %.*s %.*s %.*s %.*s %u %u %u %u %u %lld %lld %lld %lld <%.*s> <%.*s> %lld %u %llu\n",
        (long long)e->number, STR_ARG(e->id), STR_ARG(e->workflow), STR_ARG(e->digest), STR_ARG(e->base_dir),
        STR_ARG(e->file), STR_ARG(e->parameters), STR_ARG(e->by), e->state, e->generation, e->tasks_total,
        e->tasks_done, e->tasks_failed, (long long)e->created_at, (long long)e->started_at, (long long)e->ended_at,
        (long long)e->updated_at, STR_ARG(e->error), STR_ARG(e->waiting), (long long)e->parent, e->parent_instance,
        (unsigned long long)e->parent_fence);
}

static int on_row(void *user, const struct store_execution *e)
{
    add_row(user, e);
    return 0;
}

/* Stops at the third. */
struct stopper {
    struct buf *buf;
    int left;
};

static int on_row_stop(void *user, const struct store_execution *e)
{
    struct stopper *stopper = user;
    add_row(stopper->buf, e);
    return --stopper->left == 0 ? 77 : 0;
}

static int on_record(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    buf_printf(user, "%llu+%u ", (unsigned long long)first_seq, count);
    buf_add(user, record);
    buf_add_char(user, '\n');
    return 0;
}

/* The same questions to one of the stores; what is asked comes from the random numbers only. */
static void ask(struct store *store, struct random r, int64_t count, struct buf *buf)
{
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct store_execution e;
    struct orch_str text;
    int64_t number = (int64_t)below(&r, (uint64_t)count + 3);
    buf_printf(buf, "get %d\n", store_get_execution(store, number, &arena, &e, NULL));
    if (store_get_execution(store, number, &arena, &e, NULL) == 0) add_row(buf, &e);
    buf_printf(buf, "records %d\n", store_each_record(store, number, below(&r, 40), on_record, buf, NULL));
    int code = store_get_blob(store, number, below(&r, 3), &arena, &text, NULL);
    buf_printf(buf, "blob %d\n", code);
    if (code == 0) buf_add(buf, text);
    code = store_get_definition(store, str_from(words[below(&r, 6)]), &arena, &text, NULL);
    buf_printf(buf, "definition %d\n", code);
    if (code == 0) buf_add(buf, text);
    buf_printf(buf, "alive %d\n", store_each_alive(store, on_row, buf, NULL));
    struct stopper stopper = {buf, 3};
    buf_printf(buf, "stopped %d\n", store_each_alive(store, on_row_stop, &stopper, NULL));
    for (int i = 0; i < 8; i++) {
        struct store_filter filter = {.parent = -1};
        if (below(&r, 2)) filter.workflow = WORD(&r);
        if (below(&r, 2)) filter.state_mask = (uint32_t)below(&r, 512);
        if (below(&r, 4) == 0) filter.since = 1000 + (orch_time)below(&r, 200);
        if (below(&r, 4) == 0) filter.until = 1000 + (orch_time)below(&r, 200);
        if (below(&r, 2)) filter.before = (int64_t)below(&r, (uint64_t)count + 5);
        if (below(&r, 2)) filter.count_max = (uint32_t)below(&r, 20);
        if (below(&r, 2)) filter.parent = (int64_t)below(&r, 4);
        buf_printf(buf, "list %d\n", store_each_execution(store, &filter, on_row, buf, NULL));
        stopper = (struct stopper){buf, 3};
        buf_printf(buf, "stopped %d\n", store_each_execution(store, &filter, on_row_stop, &stopper, NULL));
    }
    uint64_t counts[16];
    assert_int_equal(store_count_states(store, counts, NULL), 0);
    for (int i = 0; i < 16; i++) buf_printf(buf, "%llu ", (unsigned long long)counts[i]);
    for (int i = 0; i < 6; i++) {
        int64_t latest = 0;
        code = store_find_latest(store, str_from(files[i % 3]), i < 3, &latest, NULL);
        buf_printf(buf, "latest %d %lld\n", code, (long long)latest);
    }
    arena_done(&arena);
}

static void compare(struct pair *p)
{
    fixture_drain(&p->memory);
    fixture_drain(&p->disk);
    struct buf a, b;
    buf_init(&a, NULL, 0);
    buf_init(&b, NULL, 0);
    ask(p->memory.store, p->random, p->count, &a);
    ask(p->disk.store, p->random, p->count, &b);
    (void)next(&p->random);
    assert_false(a.failed || b.failed);
    if (strcmp(a.data, b.data) != 0) {
        size_t at = 0;
        while (a.data[at] == b.data[at]) at++;
        while (at > 0 && a.data[at - 1] != '\n') at--;
        fail_msg("memory: %.300s\ndisk: %.300s", a.data + at, b.data + at);
    }
    buf_done(&a);
    buf_done(&b);
}

static void change_row(struct random *r, struct store_execution *row)
{
    row->state = (uint8_t)below(r, 9);
    row->generation = (uint32_t)below(r, 4);
    row->tasks_total = (uint32_t)below(r, UINT32_MAX);
    row->tasks_done = (uint32_t)below(r, 10);
    row->tasks_failed = (uint32_t)below(r, 10);
    row->started_at = (orch_time)below(r, 5000);
    row->ended_at = (orch_time)below(r, 5000);
    row->updated_at = (orch_time)below(r, 5000);
    row->error = WORD(r);
    row->waiting = WORD(r);
}

static void make_row(struct random *r, int64_t number, struct store_execution *row)
{
    *row = (struct store_execution){.number = number,
                                    .workflow = WORD(r),
                                    .digest = WORD(r),
                                    .base_dir = WORD(r),
                                    .file = str_from(files[below(r, 3)]),
                                    .parameters = str_of(large, below(r, 3) ? below(r, 50) : below(r, sizeof large)),
                                    .by = WORD(r),
                                    .created_at = 1000 + (orch_time)below(r, 200),
                                    .parent = below(r, 2) ? 0 : (int64_t)below(r, 4),
                                    .parent_instance = (uint32_t)next(r),
                                    .parent_fence = next(r)};
    change_row(r, row);
}

static int statuses_bad;

static void count_bad(void *user, int status)
{
    (void)user;
    if (status != 0) statuses_bad++;
}

static void append(struct pair *p)
{
    struct random *r = &p->random;
    struct store_entry entries[4];
    struct store_blob blobs[4];
    memset(entries, 0, sizeof entries);
    uint32_t count = 1 + (uint32_t)below(r, 4), made = 0;
    for (; made < count; made++) {
        struct store_entry *entry = &entries[made];
        bool create = p->count == 0 || (p->count < 400 && below(r, 3) == 0);
        int64_t number = create ? store_next_number(p->memory.store) : 1 + (int64_t)below(r, (uint64_t)p->count);
        struct model_execution *e = &p->executions[number - 1];
        bool is_twice = false;
        for (uint32_t i = 0; i < made; i++) is_twice = is_twice || entries[i].number == number;
        if (is_twice) break; /* the rows of the model stand for one update each */
        *entry = (struct store_entry){.number = number};
        if (create) {
            assert_int_equal(number, store_next_number(p->disk.store));
            assert_int_equal(number, p->count + 1);
            p->count++;
            e->next_seq = 1;
            make_row(r, number, &e->row);
            entry->create = &e->row;
        } else if (below(r, 2)) {
            change_row(r, &e->row);
            entry->update = &e->row;
        }
        entry->first_seq = e->next_seq;
        entry->count = 1 + (uint32_t)below(r, 5);
        entry->record = str_of(large, below(r, 300));
        e->next_seq += entry->count;
        if (below(r, 10) == 0) {
            blobs[made] = (struct store_blob){below(r, 3), str_of(large, below(r, sizeof large))};
            entry->blobs = &blobs[made];
            entry->blobs_count = 1;
        }
    }
    assert_int_equal(store_append(p->memory.store, entries, made, count_bad, NULL, NULL), 0);
    assert_int_equal(store_append(p->disk.store, entries, made, count_bad, NULL, NULL), 0);
}

static void run_series(uint64_t seed)
{
    static struct pair p;
    p = (struct pair){.random = {seed}};
    fixture_init(&p.memory);
    fixture_init(&p.disk);
    struct store_options options = fixture_options(&p.memory, STORE_OWN);
    assert_int_equal(store_open(NULL, &options, &p.memory.store, NULL), 0);
    fixture_open(&p.disk);
    statuses_bad = 0;
    for (int step = 0; step < 600; step++) {
        switch (below(&p.random, 12)) {
        case 0: compare(&p); break;
        case 1: {
            struct orch_str digest = str_from(words[1 + below(&p.random, 5)]);
            assert_int_equal(store_put_definition(p.memory.store, digest, STR("n"), digest, NULL), 0);
            assert_int_equal(store_put_definition(p.disk.store, digest, STR("n"), digest, NULL), 0);
            break;
        }
        case 2:
            if (below(&p.random, 8)) break;
            p.disk.store = store_close(p.disk.store);
            fixture_open(&p.disk);
            break;
        default: append(&p);
        }
    }
    compare(&p);
    p.disk.store = store_close(p.disk.store);
    fixture_open(&p.disk);
    compare(&p);
    assert_int_equal(statuses_bad, 0);
    fixture_done(&p.disk);
    fixture_done(&p.memory);
}

static void test_same_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof large; i++) large[i] = (char)('a' + i % 26);
    for (uint64_t seed = 1; seed <= 6; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        run_series(seed * 0x9E3779B97F4A7C15u);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
