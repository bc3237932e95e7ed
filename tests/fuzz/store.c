/*
 * store.c - fuzzes the files of a store: a damaged one is refused or read as far as it goes. Everything is read in
 * every way there is, also the state of each execution, folded from its journal.
 *
 * The first byte chooses what the rest is:
 *   0 a whole database
 *   1 changes of bytes of a good database (place, value)
 *   2 rows of a good database, changed by SQL to values of any type (the journal's checksums put right)
 *   3 a blob's file
 *   4 the log of an attempt
 *   5 like 1, opened by an owner, who may write
 *   6 changes of bytes of a log that a crash left (place, value; its checksums put right or not), by a reader or an
 * owner
 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#include "base/crc32c.h"
#include "engine/engine.h"
#include "store/internal.h"
#include "store/vfs.h"
#include "sys/logfile.h"
#include "take.h"

#define DATABASE_SIZE_MAX (256 * 1024)
#define EXECUTIONS_MAX    20

static char folder[64], path[80];
static unsigned char good[DATABASE_SIZE_MAX];
static size_t good_size;
/* As a crash leaves it: the database, its log, the note of the log's end. */
static struct {
    const char *name;
    unsigned char bytes[DATABASE_SIZE_MAX];
    size_t size;
} crashed[] = {{.name = "orch.db"}, {.name = "orch.db-wal"}, {.name = "orch.db-end"}};

/* ---- files ---- */

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(name);
}

static void remove_folder(void)
{
    (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *name, const void *data, size_t size)
{
    char file[160];

    snprintf(file, sizeof(file), "%s/%s", path, name);
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    PROPERTY(fd >= 0);
    PROPERTY(write(fd, data, size) == (ssize_t)size);
    close(fd);
}

static size_t read_whole(const char *name, unsigned char bytes[DATABASE_SIZE_MAX])
{
    char file[160];

    snprintf(file, sizeof(file), "%s/%s", path, name);
    int fd = open(file, O_RDONLY);
    if (fd < 0) return 0;
    ssize_t size = read(fd, bytes, DATABASE_SIZE_MAX);
    PROPERTY(size >= 0 && size < DATABASE_SIZE_MAX);
    close(fd);
    return (size_t)size;
}

static void remove_file(const char *name)
{
    char file[160];

    snprintf(file, sizeof(file), "%s/%s", path, name);
    (void)unlink(file);
}

/* ---- a good store ---- */

static const char definition[] = "name: w\nparameters: {n: {type: integer, default: 3}}\ntasks:\n"
                                 "  a: {shell: x, retry: {max_attempts: 2}}\n"
                                 "  l: {depends_on: [a], for_each: {in: [1, 2]}, shell: y, compensate: {shell: z}}\n"
                                 "  w: {depends_on: [a], approval: ok}\n";

static void append(struct store *store, const struct store_entry *entry)
{
    struct orch_error err = ORCH_ERROR_INIT;
    PROPERTY(store_append(store, entry, 1, NULL, NULL, &err) == 0);
    while (store_pending(store) > 0)
        if (store_poll(store) == 0) usleep(100);
}

/* One execution: its first steps, as the engine records them. */
static void make_execution(struct store *store, const struct workflow *workflow, struct orch_str digest, int step_count)
{
    struct core_env env = {0};
    struct core *core = core_new(workflow, 1, &env, NULL);
    struct store_execution row = {.number = store_next_number(store),
                                  .workflow = STR("w"),
                                  .digest = digest,
                                  .base_dir = STR("/"),
                                  .file = STR("w.yaml"),
                                  .parameters = STR("{\"n\":3}"),
                                  .by = STR("me"),
                                  .created_at = 5,
                                  .updated_at = 6};
    struct arena arena;
    uint64_t seq = 1;

    arena_init(&arena, NULL, 0);
    for (int i = 0; i < step_count; i++) {
        struct core_input input = {.type = INPUT_ADMIT, .now = 1000 + i, .instance = 0};
        struct core_transitions out = {0};
        struct core_summary summary;
        struct buf record;

        if (i == 0) {
            input = (struct core_input){.type = INPUT_START, .now = 1000, .instance = CORE_NONE};
            PROPERTY(value_map(NULL, 0, &arena, &input.start.env) == 0);
            PROPERTY(workflow_parameters(workflow, value_null(), false, &arena, NULL, &input.start.parameters, NULL) ==
                     0);
            input.start.id = STR("r-1");
        } else if (i == 2) {
            input.type = INPUT_ATTEMPT_DONE;
            input.done.fence = core_get_instance(core, 0)->detail->fence;
            input.done.blob = 1;
            input.done.blob_size = 9;
        } else if (i == 3) {
            input = (struct core_input){.type = INPUT_CANCEL, .now = 1003, .instance = CORE_NONE};
        }
        PROPERTY(core_step(core, &input, &arena, &out, NULL) == 0);
        core_get_summary(core, &summary);
        row.state = (uint8_t)summary.state;
        row.tasks_total = summary.tasks_total;
        row.ended_at = summary.ended_at;
        buf_init(&record, NULL, 0);
        transitions_encode(out.items, out.count, &record);
        struct store_blob blob = {1, STR("[1,2,\"x\"]")};
        struct store_entry entry = {.number = row.number,
                                    .first_seq = seq,
                                    .count = out.count,
                                    .record = buf_str(&record),
                                    .create = i == 0 ? &row : NULL,
                                    .update = i == 0 ? NULL : &row,
                                    .blobs = &blob,
                                    .blobs_count = i == 2};
        append(store, &entry);
        seq += out.count;
        buf_done(&record);
    }
    arena_done(&arena);
    core_free(core);
}

/* Small pages make a small file, of which more of the bytes mean something. */
static void shrink(void)
{
    char file[160], small[170], sql[300];
    sqlite3 *db;

    snprintf(file, sizeof(file), "%s/orch.db", path);
    snprintf(small, sizeof(small), "%s.small", file);
    snprintf(sql, sizeof(sql), "PRAGMA journal_mode=DELETE; PRAGMA page_size=512; VACUUM INTO '%s'", small);
    PROPERTY(sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, vfs_name(VFS_STRICT)) == SQLITE_OK);
    PROPERTY(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    PROPERTY(sqlite3_close(db) == SQLITE_OK);
    PROPERTY(rename(small, file) == 0);
    PROPERTY(sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, vfs_name(VFS_STRICT)) == SQLITE_OK);
    PROPERTY(sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL) == SQLITE_OK);
    PROPERTY(sqlite3_close(db) == SQLITE_OK);
    good_size = read_whole("orch.db", good);
}

static void make_good(void)
{
    static struct diags diags;
    struct store_options options = {.mode = STORE_OWN, .no_sync = true};
    struct orch_error err = ORCH_ERROR_INIT;
    const struct workflow *workflow;
    struct store *store;
    struct arena arena;
    char digest[65], file[160];

    snprintf(folder, sizeof(folder), "%s/orch-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    PROPERTY(mkdtemp(folder));
    (void)atexit(remove_folder);
    snprintf(path, sizeof(path), "%s/store", folder);
    arena_init(&arena, NULL, 0);
    diags_init(&diags, &arena);
    PROPERTY(workflow_read(str_from(definition), STR("w.yaml"), &arena, &diags, &workflow) == 0);
    store_digest(workflow->normal, digest);
    PROPERTY(store_open(path, &options, &store, &err) == 0);
    PROPERTY(store_put_definition(store, str_from(digest), STR("w"), workflow->normal, &err) == 0);
    make_execution(store, workflow, str_from(digest), 1);
    for (size_t i = 0; i < sizeof(crashed) / sizeof(crashed[0]); i++)
        crashed[i].size = read_whole(crashed[i].name, crashed[i].bytes);
    for (int i = 2; i <= 4; i++) make_execution(store, workflow, str_from(digest), i);
    PROPERTY(crashed[1].size > 32);
    store_close(store);
    arena_done(&arena);
    snprintf(file, sizeof(file), "%s/logs/r-1", path);
    PROPERTY(mkdir(file, 0700) == 0);
    shrink();
    /* The chance in the store's making, and the clock's time, would make the same input mean different things. */
    PROPERTY(good_size > 512);
}

/* ---- reading all of it ---- */

struct numbers {
    int64_t number[EXECUTIONS_MAX];
    uint32_t count;
};

static int note(void *user, const struct store_execution *execution)
{
    struct numbers *numbers = user;
    int64_t number;

    PROPERTY(execution->number >= 1 && execution->state < STORE_STATE_COUNT);
    PROPERTY(store_execution_number(execution->id, &number) && number == execution->number);
    for (uint32_t i = 0; i < numbers->count; i++)
        if (numbers->number[i] == execution->number) return 0;
    if (numbers->count < EXECUTIONS_MAX) numbers->number[numbers->count++] = execution->number;
    return 0;
}

static int on_record(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    struct arena *arena = user;
    struct core_transitions list = {0};
    struct buf text;

    (void)first_seq;
    (void)count;
    if (transitions_decode(record, arena, &list, NULL) != 0) return 0;
    buf_init(&text, NULL, FUZZ_MEMORY_MAX);
    for (uint32_t i = 0; i < list.count; i++) transition_format_json(&list.items[i], i + 1, &text);
    buf_done(&text);
    return 0;
}

static void expect(int r, const struct orch_error *err)
{
    if (r != 0) PROPERTY(r == err->code && err->message[0] != '\0' && r != ORCH_ERR_MISUSE);
}

static void read_execution(struct store *store, int64_t number)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct store_execution row;
    struct engine_view *view;
    struct orch_str text;
    struct arena arena;
    int r;

    arena_init(&arena, NULL, FUZZ_MEMORY_MAX);
    r = store_get_execution(store, number, &arena, &row, &err);
    expect(r, &err);
    if (r == 0) expect(store_get_definition(store, row.digest, &arena, &text, &err), &err);
    expect(store_each_record(store, number, 1, on_record, &arena, &err), &err);
    expect(store_each_record(store, number, 7, on_record, &arena, &err), &err);
    expect(store_get_blob(store, number, 1, &arena, &text, &err), &err);
    r = engine_view_open(store, number, &view, &err);
    expect(r, &err);
    if (r == 0) {
        const struct core *core = engine_view_core(view);
        struct core_summary summary;
        struct buf out;
        buf_init(&out, NULL, FUZZ_MEMORY_MAX);
        core_get_summary(core, &summary);
        for (uint32_t i = 0; i < core_instance_count(core) && i < 50; i++) {
            core_why(core, i, 2000, &out);
            (void)core_output(core, i, &arena, &out, NULL);
        }
        buf_done(&out);
        engine_view_close(view);
    }
    arena_done(&arena);
}

static void read_store(enum store_mode mode)
{
    static const struct store_filter filters[] = {
        {.parent = -1, .count_max = EXECUTIONS_MAX}, {.workflow = {"w", 1}},     {.state_mask = 0xF0},
        {.since = 1, .until = 1000, .parent = -1},   {.parent = 1, .before = 3},
    };
    struct store_options options = {.mode = mode, .no_sync = true};
    struct orch_error err = ORCH_ERROR_INIT;
    struct numbers numbers = {.number = {1}, .count = 1};
    uint64_t counts[16];
    struct store *store;
    int64_t number;
    int r = store_open(path, &options, &store, &err);

    expect(r, &err);
    if (r != 0) return;
    PROPERTY(store_mark(store).size == 32);
    expect(store_each_alive(store, note, &numbers, &err), &err);
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
        expect(store_each_execution(store, &filters[i], note, &numbers, &err), &err);
    expect(store_count_states(store, counts, &err), &err);
    expect(store_find_latest(store, STR("w.yaml"), true, &number, &err), &err);
    expect(store_find_latest(store, STR("w.yaml"), false, &number, &err), &err);
    for (uint32_t i = 0; i < numbers.count; i++) read_execution(store, numbers.number[i]);
    store_close(store);
}

/* ---- damage ---- */

/* With checksums that are right, or nothing of what was changed would be looked at. */
static void write_database(const void *data, size_t size, bool is_sealed)
{
    static unsigned char bytes[DATABASE_SIZE_MAX];

    if (size > sizeof(bytes)) size = sizeof(bytes);
    if (size > 0) memcpy(bytes, data, size);
    for (size_t at = 0; is_sealed && at + PAGE_SIZE_MIN <= size; at += PAGE_SIZE_MIN)
        seal_put(bytes + at, PAGE_SIZE_MIN, (uint32_t)(at / PAGE_SIZE_MIN) + 1);
    remove_file("orch.db-wal");
    remove_file("orch.db-shm");
    remove_file("orch.db-end");
    write_file("orch.db", bytes, size);
}

static void change_bytes(struct take *take)
{
    static unsigned char bytes[DATABASE_SIZE_MAX];
    size_t size = good_size;
    bool is_sealed = true;

    memcpy(bytes, good, good_size);
    while (take->size > 0) {
        size_t at = (take_byte(take) | take_byte(take) << 8) % good_size;
        if (at == 511) /* and sometimes it is cut */
            size = take_below(take, 100) * good_size / 100;
        else if (at == 510) /* or the change is noticed */
            is_sealed = false;
        else
            bytes[at] = (unsigned char)take_byte(take);
    }
    write_database(bytes, size, is_sealed);
}

/* What SQLite itself would have written after the changes. */
static void seal_log(unsigned char *log, size_t size)
{
    size_t page_size = load_be32(log + 8);
    bool is_big_endian = log[3] & 1;

    if (!page_size_is_valid((int64_t)page_size)) return;
    struct log_sum sum = log_sum_load(log + LOG_HEADER_SUM_AT);
    for (size_t at = LOG_HEADER_SIZE; at + FRAME_HEAD_SIZE + page_size <= size; at += FRAME_HEAD_SIZE + page_size) {
        unsigned char *head = log + at;
        memcpy(head + FRAME_SALTS_AT, log + LOG_HEADER_SALTS_AT, 8);
        sum = frame_sum(is_big_endian, sum, head, head + FRAME_HEAD_SIZE, page_size);
        for (int i = 0; i < 4; i++) {
            head[FRAME_SUM_AT + i] = (unsigned char)(sum.a >> (24 - 8 * i));
            head[FRAME_SUM_AT + 4 + i] = (unsigned char)(sum.b >> (24 - 8 * i));
        }
    }
}

static void change_log(struct take *take)
{
    static unsigned char bytes[DATABASE_SIZE_MAX];
    uint32_t bits = take_byte(take);
    size_t changed = bits & 2 ? 2 : 1, size = crashed[changed].size;

    for (size_t i = 0; i < sizeof(crashed) / sizeof(crashed[0]); i++) {
        remove_file(crashed[i].name);
        if (crashed[i].size > 0 && !(i == 2 && bits & 4))
            write_file(crashed[i].name, crashed[i].bytes, crashed[i].size);
    }
    remove_file("orch.db-shm");
    if (size == 0) return;
    memcpy(bytes, crashed[changed].bytes, size);
    while (take->size > 0) {
        size_t at = (take_byte(take) | take_byte(take) << 8 | (take_byte(take) & 3) << 16) % crashed[changed].size;
        if (at == 31) /* and sometimes it is cut */
            size = take_below(take, 100) * crashed[changed].size / 100;
        else
            bytes[at] = (unsigned char)take_byte(take);
    }
    if (changed == 1 && bits & 1 && size > LOG_HEADER_SIZE) seal_log(bytes, size);
    write_file(crashed[changed].name, bytes, size);
    read_store(bits & 8 ? STORE_OWN : STORE_READ);
}

static const struct column {
    const char *table, *name;
} columns[] = {
    {"journal", "record"},
    {"journal", "seq"},
    {"journal", "count"},
    {"journal", "execution"},
    {"executions", "state"},
    {"executions", "generation"},
    {"executions", "digest"},
    {"executions", "parameters"},
    {"executions", "created_at"},
    {"executions", "number"},
    {"executions", "parent"},
    {"executions", "workflow"},
    {"executions", "error"},
    {"executions", "file"},
    {"definitions", "normal"},
    {"definitions", "digest"},
    {"finished", "count"},
    {"finished", "state"},
    {"meta", "value"},
    {"large_parameters", "parameters"},
};

static void change_row(sqlite3 *db, struct take *take)
{
    const struct column *column = &columns[take_below(take, sizeof(columns) / sizeof(columns[0]))];
    uint32_t row = take_below(take, 12), kind = take_below(take, 6);
    char sql[256];
    sqlite3_stmt *statement;
    struct buf bytes;

    buf_init(&bytes, NULL, 0);
    if (strcmp(column->table, "meta") == 0)
        snprintf(sql, sizeof(sql), "UPDATE meta SET value = ?1");
    else if (kind == 5)
        snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE rowid = (SELECT rowid FROM %s LIMIT 1 OFFSET %u)",
                 column->table, column->table, row);
    else
        snprintf(sql, sizeof(sql),
                 "UPDATE OR REPLACE %s SET %s = ?1 WHERE rowid = (SELECT rowid FROM %s LIMIT 1 OFFSET %u)",
                 column->table, column->name, column->table, row);
    PROPERTY(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK);
    if (sqlite3_bind_parameter_count(statement) == 1) {
        size_t size = take_byte(take);
        switch (kind) {
        case 0: sqlite3_bind_int64(statement, 1, (int64_t)take_number(take)); break;
        case 1: sqlite3_bind_int64(statement, 1, (int64_t)take_below(take, 18) - 1); break;
        case 2: buf_add(&bytes, take_str(take, size)); break;
        case 3: sqlite3_bind_double(statement, 1, (double)take_number(take)); break;
        default: { /* a record whose checksum is right */
            buf_add(&bytes, take_str(take, size));
            uint32_t sum = crc32c(buf_str(&bytes));
            for (int i = 0; i < 4; i++) buf_add_char(&bytes, (char)(sum >> (8 * i)));
        }
        }
        if (kind == 2 && row % 2 == 0)
            sqlite3_bind_text(statement, 1, bytes.data, (int)bytes.size, SQLITE_STATIC);
        else if (bytes.size > 0)
            sqlite3_bind_blob(statement, 1, bytes.data, (int)bytes.size, SQLITE_STATIC);
    }
    (void)sqlite3_step(statement); /* what a constraint forbids does not happen */
    sqlite3_finalize(statement);
    buf_done(&bytes);
}

static void change_rows(struct take *take)
{
    sqlite3 *db;
    unsigned char *bytes = sqlite3_malloc64(good_size);

    PROPERTY(bytes && sqlite3_open(":memory:", &db) == SQLITE_OK);
    memcpy(bytes, good, good_size);
    bytes[18] = bytes[19] = 1; /* a database in memory has no log */
    PROPERTY(sqlite3_deserialize(db, "main", bytes, (int64_t)good_size, (int64_t)good_size,
                                 SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) == SQLITE_OK);
    for (int i = 0; i < 20 && take->size > 0; i++) change_row(db, take);
    sqlite3_int64 size;
    unsigned char *changed = sqlite3_serialize(db, "main", &size, 0);
    PROPERTY(changed && size >= 512);
    changed[18] = changed[19] = 2;
    write_database(changed, (size_t)size, true);
    sqlite3_free(changed);
    sqlite3_close(db);
}

/* ---- */

static int on_log_line(void *user, orch_time at, char stream, struct orch_str line)
{
    (void)at;
    PROPERTY(stream == 'o' || stream == 'e' || stream == 's');
    PROPERTY(line.size == 0 || !memchr(line.data, '\n', line.size));
    *(uint64_t *)user += line.size + 1;
    return 0;
}

static void read_log(struct orch_str content)
{
    struct orch_error err = ORCH_ERROR_INIT;
    uint64_t lines = 0, offset = 0, again;
    char file[160];

    write_file("logs/r-1/a.0.1.log", content.data ? content.data : "", content.size);
    snprintf(file, sizeof(file), "%s/logs/r-1/a.0.1.log", path);
    int r = logfile_each(file, 0, &offset, on_log_line, &lines, &err);
    expect(r, &err);
    PROPERTY(r != 0 || (offset <= content.size && lines <= offset));
    expect(logfile_each(file, content.size / 2, &again, on_log_line, &lines, &err), &err);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct take take = {data, size};

    if (good_size == 0) make_good();
    switch (take_below(&take, 7)) {
    case 0:
        write_database(take.next, take.size, true);
        read_store(STORE_READ);
        break;
    case 1:
        change_bytes(&take);
        read_store(STORE_READ);
        break;
    case 2:
        change_rows(&take);
        read_store(STORE_READ);
        break;
    case 3: {
        struct orch_error err = ORCH_ERROR_INIT;
        struct store_options options = {.mode = STORE_READ};
        struct store *store;
        struct orch_str text;
        struct arena arena;
        write_database(good, good_size, true);
        write_file("blobs/3/1", take.next, take.size);
        arena_init(&arena, NULL, FUZZ_MEMORY_MAX);
        PROPERTY(store_open(path, &options, &store, &err) == 0);
        expect(store_get_blob(store, 3, 1, &arena, &text, &err), &err);
        store_close(store);
        arena_done(&arena);
        break;
    }
    case 4: read_log(take_str(&take, take.size)); break;
    case 5:
        change_bytes(&take);
        read_store(STORE_OWN);
        break;
    case 6: change_log(&take); break;
    }
    return 0;
}
