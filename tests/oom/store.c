/*
 * store.c - out of memory in both stores: opening, appending, reading, closing, opening again.
 *
 * A fixed series of appends is made, with everything read in between. What was acknowledged must be there afterwards,
 * also in a store that was closed and opened again; what was not is there as a whole or not at all; and the series can
 * be gone on with to its end.
 */
#include "oom.h"

#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/internal.h"

#define STEPS 6

static char large[9000];
/* Everything there is after so many steps, as text: from a run with memory. */
static struct buf expected[STEPS + 1];

/* ---- folders ---- */

static void folder_make(char folder[64])
{
    snprintf(folder, 64, "%s/orch-oom-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    OOM_CHECK(mkdtemp(folder));
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(name);
}

static void folder_remove(const char *folder)
{
    (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- reading everything ---- */

static int on_row(void *user, const struct store_execution *e)
{
    buf_printf(user, "%lld %.*s %.*s %u %u %u %lld <%.*s> <%.*s> %zu %lld\n", (long long)e->number, STR_ARG(e->id),
               STR_ARG(e->workflow), e->state, e->tasks_total, e->tasks_done, (long long)e->ended_at, STR_ARG(e->error),
               STR_ARG(e->waiting), e->parameters.size, (long long)e->parent);
    return 0;
}

static int on_record(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    buf_printf(user, "%llu+%u %.*s\n", (unsigned long long)first_seq, count, STR_ARG(record));
    return 0;
}

/* The first answer that is out of memory; any other wrong one ends the run. */
static void note(int r, int *worst, const struct orch_error *err, struct buf *out)
{
    OOM_CHECK(r == 0 || r == err->code);
    OOM_CHECK(r == 0 || r == ORCH_ERR_NOT_FOUND || (r == ORCH_ERR_NO_MEMORY && fail_has_failed()));
    if (r == ORCH_ERR_NO_MEMORY) *worst = r;
    if (r == ORCH_ERR_NOT_FOUND) buf_add_text(out, "none\n");
}

static int read_all(struct store *store, struct buf *out)
{
    static const struct store_filter filters[] = {{.parent = -1},
                                                  {.workflow = {"w", 1}},
                                                  {.state_mask = 0xF0},
                                                  {.since = 1, .until = 10000, .parent = -1},
                                                  {.parent = 1}};
    struct orch_error err = ORCH_ERROR_INIT;
    struct store_execution row;
    struct orch_str text;
    struct arena arena;
    uint64_t counts[16];
    int64_t number;
    int worst = 0;

    arena_init(&arena, NULL, 0);
    for (number = 1; number <= 4; number++) {
        int r = store_get_execution(store, number, &arena, &row, &err);
        note(r, &worst, &err, out);
        if (r == 0) (void)on_row(out, &row);
        note(store_each_record(store, number, 1, on_record, out, &err), &worst, &err, out);
        /* Before its record is committed the blob's file may be there: nobody asks for it. */
        if (number != 1 || str_find(buf_str(out), STR("with a blob"), 0) == SIZE_MAX) continue;
        r = store_get_blob(store, number, 7, &arena, &text, &err);
        note(r, &worst, &err, out);
        if (r == 0) buf_printf(out, "blob %zu\n", text.size);
    }
    int r = store_get_definition(store, STR("digest"), &arena, &text, &err);
    note(r, &worst, &err, out);
    if (r == 0) buf_add(out, text);
    note(store_each_alive(store, on_row, out, &err), &worst, &err, out);
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        note(store_each_execution(store, &filters[i], on_row, out, &err), &worst, &err, out);
    r = store_count_states(store, counts, &err);
    note(r, &worst, &err, out);
    for (int i = 0; i < 16 && r == 0; i++) buf_printf(out, "%llu ", (unsigned long long)counts[i]);
    for (int alive = 0; alive < 2; alive++) {
        r = store_find_latest(store, STR("a.yaml"), alive, &number, &err);
        note(r, &worst, &err, out);
        if (r == 0) buf_printf(out, "latest %lld\n", (long long)number);
    }
    arena_done(&arena);
    return out->failed ? ORCH_ERR_NO_MEMORY : worst;
}

/* ---- the series ---- */

static void keep_status(void *user, int status)
{
    *(int *)user = status;
}

static int append(struct store *store, const struct store_entry *entries, uint32_t count, struct orch_error *err)
{
    int status = 1;
    int r = store_append(store, entries, count, keep_status, &status, err);

    if (r != 0) return r;
    while (status == 1)
        if (store_poll(store) == 0) usleep(20);
    if (status != 0) error_set(err, status, "told so");
    return status;
}

/* One step: all of it or nothing. */
static int step(struct store *store, int number, struct orch_error *err)
{
    struct store_execution row = {.number = 1,
                                  .workflow = STR("w"),
                                  .digest = STR("digest"),
                                  .base_dir = STR("/"),
                                  .file = STR("a.yaml"),
                                  .parameters = STR("{\"n\":1}"),
                                  .by = STR("me"),
                                  .state = 1,
                                  .created_at = 1000,
                                  .updated_at = 1000,
                                  .tasks_total = 3};
    struct store_execution second = row;
    struct store_blob blob = {7, str_of(large, sizeof large)};
    struct store_entry entries[2] = {{.number = 1, .first_seq = 1, .count = 2, .record = STR("first"), .create = &row}};

    while (store->next_number <= 3) (void)store_next_number(store);
    second.number = 2;
    second.parameters = str_of(large, sizeof large);
    switch (number) {
    case 0: return store_put_definition(store, STR("digest"), STR("w"), STR("{\"name\":\"w\"}"), err);
    case 1: return append(store, entries, 1, err);
    case 2:
        entries[0] = (struct store_entry){
            .number = 1, .first_seq = 3, .count = 1, .record = STR("with a blob"), .blobs = &blob, .blobs_count = 1};
        entries[1] =
            (struct store_entry){.number = 2, .first_seq = 1, .count = 1, .record = STR("another"), .create = &second};
        return append(store, entries, 2, err);
    case 3:
        row.state = 4;
        row.ended_at = 2000;
        row.error = STR("no error");
        entries[0] =
            (struct store_entry){.number = 1, .first_seq = 4, .count = 1, .record = STR("ended"), .update = &row};
        return append(store, entries, 1, err);
    case 4:
        row.number = 3;
        row.parent = 1;
        entries[0].number = 3;
        return append(store, entries, 1, err);
    case 5:
        second.state = 5;
        second.waiting = STR("approval: x");
        entries[0] = (struct store_entry){
            .number = 2, .first_seq = 2, .count = 1, .record = str_of(large, sizeof large), .update = &second};
        return append(store, entries, 1, err);
    }
    return 0;
}

static int open_store(const char *path, struct store **ret, struct orch_error *err)
{
    struct store_options options = {.mode = STORE_OWN, .no_sync = true};
    int r = store_open(path, &options, ret, err);
    OOM_CHECK(r == 0 || r == err->code);
    return r;
}

/* What is there is the first so many steps; or one more, when that was not acknowledged. Gives which. */
static int steps_there(struct store *store, int acknowledged)
{
    struct buf out;
    int found = -1;

    buf_init(&out, NULL, 0);
    OOM_CHECK(read_all(store, &out) == 0);
    for (int i = acknowledged; i <= STEPS && i <= acknowledged + 1 && found < 0; i++)
        if (str_equal(buf_str(&out), buf_str(&expected[i]))) found = i;
    /* A definition alone is durable with the next append only. */
    if (found < 0 && acknowledged == 1 && str_equal(buf_str(&out), buf_str(&expected[0]))) found = 0;
    if (found < 0) oom_wrong("after %d steps there is: %.*s", acknowledged, STR_ARG(buf_str(&out)));
    buf_done(&out);
    return found;
}

/* With memory again: what was acknowledged is there, and it goes on to the end. */
static void go_on(const char *path, struct store *store, int done, uint64_t *digest)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct buf out;

    fail_disarm();
    if (path) {
        store = store_close(store);
        if (open_store(path, &store, &err) != 0) oom_wrong("it cannot be opened again: %s", err.message);
    }
    done = store ? steps_there(store, done) : 0;
    if (!store && open_store(NULL, &store, &err) != 0) oom_wrong("it cannot be opened: %s", err.message);
    for (; done < STEPS; done++)
        if (step(store, done, &err) != 0) oom_wrong("step %d cannot be made: %s", done, err.message);
    buf_init(&out, NULL, 0);
    OOM_CHECK(read_all(store, &out) == 0);
    OOM_CHECK(str_equal(buf_str(&out), buf_str(&expected[STEPS])));
    digest_str(digest, buf_str(&out));
    buf_done(&out);
    store_close(store);
}

static int series(const char *path, uint64_t *digest)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct store *store = NULL;
    int done = 0, worst = 0;
    int r = open_store(path, &store, &err);

    if (r != 0) {
        OOM_CHECK(r == ORCH_ERR_NO_MEMORY && fail_has_failed());
        store = NULL;
        worst = r;
    }
    for (; r == 0 && done < STEPS; done++) {
        struct buf out;
        r = step(store, done, &err);
        if (r == ORCH_ERR_NO_MEMORY && store_failure(store, NULL) == 0) {
            /* Nothing was taken over: the same store goes on. */
            OOM_CHECK(fail_has_failed());
            worst = r;
            fail_pause();
            r = step(store, done, &err);
            fail_resume();
        }
        if (r != 0) {
            if (r != ORCH_ERR_NO_MEMORY || !fail_has_failed())
                oom_wrong("step %d: %s: %s", done, orch_error_name(r), err.message);
            worst = r;
            OOM_CHECK(store_failure(store, &err) != 0);
            break;
        }
        buf_init(&out, NULL, 0);
        r = read_all(store, &out);
        if (r == 0) OOM_CHECK(path == NULL || str_equal(buf_str(&out), buf_str(&expected[done + 1])) || done == 0);
        if (r != 0) worst = r;
        r = 0;
        buf_done(&out);
    }
    go_on(path, store, done, digest);
    return worst;
}

static int on_disk(const void *arg, uint64_t *digest)
{
    char folder[64], path[80];

    (void)arg;
    fail_pause();
    folder_make(folder);
    fail_resume();
    snprintf(path, sizeof path, "%s/store", folder);
    int r = series(path, digest);
    fail_pause();
    folder_remove(folder);
    fail_resume();
    return r;
}

static int in_memory(const void *arg, uint64_t *digest)
{
    (void)arg;
    return series(NULL, digest);
}

/* ---- a store that is there ---- */

static char there[64], there_path[80];

/* Opening for reading and reading all of it. */
static int look(const void *arg, uint64_t *digest)
{
    struct store_options options = {.mode = STORE_READ};
    struct orch_error err = ORCH_ERROR_INIT;
    struct store *store;
    struct buf out;

    (void)arg;
    int r = store_open(there_path, &options, &store, &err);
    OOM_CHECK(r == err.code);
    if (r != 0) return r;
    buf_init(&out, NULL, 0);
    r = read_all(store, &out);
    if (r == 0) {
        OOM_CHECK(str_equal(buf_str(&out), buf_str(&expected[STEPS])));
        digest_str(digest, buf_str(&out));
    }
    buf_done(&out);
    store_close(store);
    return r;
}

/* Owning it, and giving it up again. */
static int own(const void *arg, uint64_t *digest)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct store *store;

    (void)arg;
    int r = open_store(there_path, &store, &err);
    if (r == 0) {
        digest_str(digest, store_mark(store));
        digest_number(digest, (uint64_t)store_next_number(store));
        store_close(store);
    }
    return r;
}

static void prepare(void)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct store *store;

    memset(large, 'x', sizeof large);
    folder_make(there);
    snprintf(there_path, sizeof there_path, "%s/store", there);
    if (open_store(there_path, &store, &err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    for (int i = 0; i <= STEPS; i++) {
        buf_init(&expected[i], NULL, 0);
        int r = read_all(store, &expected[i]);
        if (r == 0 && i < STEPS) r = step(store, i, &err);
        if (r != 0) {
            fprintf(stderr, "step %d: %s: %s\n", i, orch_error_name(r), err.message);
            exit(1);
        }
    }
    /* What is handed in alone is seen once something else is durable. */
    store_close(store);
}

int main(int argc, char **argv)
{
    static const struct oom_scenario scenarios[] = {
        {.group = "memory store", .name = "memory", .run = in_memory},
        {.group = "SQLite store", .name = "disk", .run = on_disk, .has_threads = true},
        {.group = "SQLite store, there", .name = "read", .run = look},
        {.group = "SQLite store, there", .name = "own", .run = own, .has_threads = true},
    };

    oom_init();
    prepare();
    int code = oom_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
    for (int i = 0; i <= STEPS; i++) buf_done(&expected[i]);
    folder_remove(there);
    return code;
}
