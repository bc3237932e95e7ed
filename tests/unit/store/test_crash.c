/*
 * kill -9 in the middle of appends: everything that was acknowledged is there afterwards, in order, whole, and with
 * what it came with.
 */
#include "common.h"

#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#define ROUNDS     100
#define EXECUTIONS 24

/* The record of an execution's seq: its bytes follow from both, so that a mixed-up or torn one shows. */
static size_t fill_record(int64_t number, uint64_t seq, char out[600])
{
    size_t size = 20 + (size_t)((uint64_t)number * 37 + seq * 101) % 500;
    for (size_t i = 0; i < size; i++) out[i] = (char)((uint64_t)number * 31 + seq * 7 + i);
    return size;
}

static size_t fill_blob(int64_t number, uint64_t seq, char out[3000])
{
    size_t size = 1000 + (size_t)seq * 13 % 2000;
    for (size_t i = 0; i < size; i++) out[i] = (char)((uint64_t)number + seq * 3 + i * 5);
    return size;
}

#define HAS_BLOB(seq) ((seq) % 16 == 9)

struct ack {
    int64_t number;
    uint64_t seq;
};

struct lane {
    struct fixture *f;
    int pipe;
    int64_t number;
    uint64_t seq;
};

static void lane_append(struct lane *lane);

static void lane_done(void *user, int status)
{
    struct lane *lane = user;
    struct ack ack = {lane->number, lane->seq};
    if (status != 0 || write(lane->pipe, &ack, sizeof ack) != (ssize_t)sizeof ack) _exit(3);
    lane->seq++;
    lane_append(lane);
}

static void lane_append(struct lane *lane)
{
    static char bytes[600], content[3000];
    struct store_execution row = row_of(lane->number, "crash", 1);
    row.tasks_done = (uint32_t)lane->seq;
    struct store_blob blob = {lane->seq, str_of(content, fill_blob(lane->number, lane->seq, content))};
    struct store_entry entry = {.number = lane->number,
                                .first_seq = lane->seq,
                                .count = 1,
                                .record = str_of(bytes, fill_record(lane->number, lane->seq, bytes)),
                                .blobs = &blob,
                                .blobs_count = HAS_BLOB(lane->seq)};
    *(lane->seq == 1 ? &entry.create : &entry.update) = &row;
    if (lane->seq == 1 && store_put_definition(lane->f->store, STR("d1"), STR("crash"), STR("{}"), NULL) < 0) _exit(3);
    if (store_append(lane->f->store, &entry, 1, lane_done, lane, NULL) < 0) _exit(3);
}

/* Takes up the executions that are there, makes those that are missing, and appends until it is killed. */
static int find_end(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    (void)record;
    *(uint64_t *)user = first_seq + count;
    return 0;
}

static _Noreturn void child(struct fixture *f, int pipe)
{
    struct store_options options = fixture_options(f, STORE_OWN);
    static struct lane lanes[EXECUTIONS];
    if (store_open(f->path, &options, &f->store, NULL) < 0) _exit(2);
    for (int i = 0; i < EXECUTIONS; i++) {
        lanes[i] = (struct lane){.f = f, .pipe = pipe, .number = i + 1, .seq = 1};
        if (store_each_record(f->store, i + 1, 0, find_end, &lanes[i].seq, NULL) < 0) _exit(4);
    }
    for (int i = 0; i < EXECUTIONS; i++) {
        if (lanes[i].seq == 1) lanes[i].number = store_next_number(f->store);
        lane_append(&lanes[i]);
    }
    for (;;) {
        struct pollfd p = {.fd = f->wake_fd, .events = POLLIN};
        uint64_t n;
        if (poll(&p, 1, -1) == 1 && read(f->wake_fd, &n, sizeof n) == (ssize_t)sizeof n) (void)store_poll(f->store);
    }
}

struct check {
    struct fixture *f;
    int64_t number;
    uint64_t next_seq;
};

static int check_record(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    struct check *check = user;
    char bytes[600];
    assert_int_equal(first_seq, check->next_seq);
    assert_int_equal(count, 1);
    assert_int_equal(record.size, fill_record(check->number, first_seq, bytes));
    assert_memory_equal(record.data, bytes, record.size);
    if (HAS_BLOB(first_seq)) {
        char content[3000];
        struct arena arena;
        struct orch_str blob;
        arena_init(&arena, NULL, 0);
        assert_int_equal(store_get_blob(check->f->store, check->number, first_seq, &arena, &blob, NULL), 0);
        assert_int_equal(blob.size, fill_blob(check->number, first_seq, content));
        assert_memory_equal(blob.data, content, blob.size);
        arena_done(&arena);
    }
    check->next_seq++;
    return 0;
}

/* All there is follows from the numbers; all acknowledged ones are there. */
static void check_store(struct fixture *f, const uint64_t acknowledged[EXECUTIONS + 1], uint64_t *ret_records)
{
    struct arena arena;
    arena_init(&arena, NULL, 0);
    *ret_records = 0;
    for (int64_t number = 1; number <= EXECUTIONS; number++) {
        struct check check = {f, number, 1};
        assert_int_equal(store_each_record(f->store, number, 0, check_record, &check, NULL), 0);
        assert_true(check.next_seq > acknowledged[number]);
        *ret_records += check.next_seq - 1;
        struct store_execution row;
        int code = store_get_execution(f->store, number, &arena, &row, NULL);
        assert_int_equal(code, check.next_seq > 1 ? 0 : ORCH_ERR_NOT_FOUND);
        /* The row came with the last record. */
        if (code == 0) assert_int_equal(row.tasks_done, check.next_seq - 1);
    }
    struct orch_str normal;
    if (*ret_records > 0) assert_int_equal(store_get_definition(f->store, STR("d1"), &arena, &normal, NULL), 0);
    arena_done(&arena);
}

static void test_kill(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    uint64_t acknowledged[EXECUTIONS + 1] = {0}, records = 0, random = 0x2545F4914F6CDD1Du;
    for (int round = 0; round < ROUNDS; round++) {
        int pipes[2];
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            (void)close(pipes[0]);
            child(&f, pipes[1]);
        }
        (void)close(pipes[1]);
        /* Somewhere between the opening and a few hundred transactions; each other time not before the first. */
        struct pollfd first = {.fd = pipes[0], .events = POLLIN};
        if (round % 2) assert_int_equal(poll(&first, 1, 60000), 1);
        random = random * 6364136223846793005u + 1442695040888963407u;
        struct timespec delay = {0, (long)(random >> 33) % 30000000};
        (void)nanosleep(&delay, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status)); /* and did not give up by itself */
        struct ack ack;
        while (read(pipes[0], &ack, sizeof ack) == (ssize_t)sizeof ack) {
            assert_in_range(ack.number, 1, EXECUTIONS);
            acknowledged[ack.number] = ack.seq;
        }
        (void)close(pipes[0]);
        fixture_open(&f); /* the lock went with the process */
        check_store(&f, acknowledged, &records);
        f.store = store_close(f.store);
    }
    print_message("%llu records\n", (unsigned long long)records);
    assert_true(records > ROUNDS);
    fixture_done(&f);
}

/* Killed while the store is being made: the next one to open it takes that up, and it is a store like any other. */
static void test_kill_while_making(void **state)
{
    (void)state;
    uint64_t random = 0x9E3779B97F4A7C15u;
    int unfinished = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct fixture f;
        fixture_init(&f);
        int pipes[2];
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            struct store_options options = fixture_options(&f, STORE_OWN);
            if (write(pipes[1], "b", 1) != 1 || store_open(f.path, &options, &f.store, NULL) < 0) _exit(1);
            if (write(pipes[1], "e", 1) != 1) _exit(1);
            for (;;) (void)pause();
        }
        (void)close(pipes[1]);
        char begin = 0, end = 0;
        assert_int_equal(read(pipes[0], &begin, 1), 1);
        random = random * 6364136223846793005u + 1442695040888963407u;
        struct timespec delay = {0, (long)(random >> 33) % 3000000};
        (void)nanosleep(&delay, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        unfinished += read(pipes[0], &end, 1) == 0;
        (void)close(pipes[0]);
        for (int i = 0; i < 2; i++) {
            fixture_open(&f);
            assert_int_equal(make_execution(&f, "w", 1), i + 1);
            f.store = store_close(f.store);
        }
        fixture_done(&f);
    }
    print_message("%d of %d were not finished\n", unfinished, ROUNDS);
    assert_true(unfinished > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill), cmocka_unit_test(test_kill_while_making)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
