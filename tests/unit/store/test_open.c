/*
 * Opening: who may, what is made, what is refused and how it is said.
 */
#include "common.h"

#include <sqlite3.h>
#include <sys/prctl.h>
#include <signal.h>

#include "store/sqlite.h"

static int open_code(const char *path, enum store_mode mode, struct orch_error *err)
{
    struct store_options options = {.mode = mode};
    struct store *store = NULL;
    int code = store_open(path, &options, &store, err);
    (void)store_close(store);
    return code;
}

static void assert_refused(const char *path, enum store_mode mode, int code, const char *text)
{
    struct orch_error err = ORCH_ERROR_INIT;
    int got = open_code(path, mode, &err);
    if (got != code || !strstr(err.message, text))
        fail_msg("%s instead of %s: %s", orch_error_name(got), orch_error_name(code), err.message);
}

static void database(const struct fixture *f, char out[128])
{
    snprintf(out, 128, "%s/orch.db", f->path);
}

static void exec_on(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s", message);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void exec(const char *path, const char *sql)
{
    exec_on(open_database(path), sql);
}

/* As SQLite's own shell does it: without seals. */
static void exec_plain(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    exec_on(db, sql);
}

static void test_made(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    mode_t before = umask(0);
    snprintf(f.path, sizeof f.path, "%s/a/b", f.dir);
    fixture_open(&f);
    (void)make_execution(&f, "w", 1);
    static const struct {
        const char *name;
        unsigned mode;
    } cases[] = {{"", 040700},
                 {"/lock", 0100600},
                 {"/orch.db", 0100600},
                 {"/orch.db-wal", 0100600},
                 {"/orch.db-shm", 0100600},
                 {"/blobs", 040700},
                 {"/logs", 040700}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[128];
        struct stat st;
        snprintf(path, sizeof path, "%s%s", f.path, cases[i].name);
        assert_int_equal(stat(path, &st), 0);
        if (st.st_mode != cases[i].mode) fail_msg("%s has mode %o", path, st.st_mode);
    }
    assert_string_equal(store_path(f.store), f.path);
    (void)umask(before);
    fixture_done(&f);
}

static void test_mark_and_numbers_stay(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    char mark[40];
    snprintf(mark, sizeof mark, "%.*s", STR_ARG(store_mark(f.store)));
    assert_int_equal(strlen(mark), 32);
    assert_int_equal(make_execution(&f, "w", 1), 1);
    assert_int_equal(store_next_number(f.store), 2); /* never used */
    assert_int_equal(make_execution(&f, "w", 1), 3);
    f.store = store_close(f.store);
    fixture_open(&f);
    assert_true(str_is(store_mark(f.store), mark));
    assert_int_equal(store_next_number(f.store), 4);
    fixture_done(&f);
}

/* Nothing is taken over that does not fit; the store goes on. */
static void test_misuse(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    int64_t number = store_next_number(f.store);
    struct store_execution row = row_of(number, "w", 1), other = row_of(number + 1, "w", 1),
                           bad = row_of(number, "w", 16);
    struct store_entry cases[] = {
        {.number = number + 1, .first_seq = 1, .count = 1, .create = &other},
        {.number = 0, .first_seq = 1, .count = 1},
        {.number = number, .first_seq = 1, .count = 1, .create = &other},
        {.number = number, .first_seq = 1, .count = 1, .create = &row, .update = &row},
        {.number = number, .first_seq = 0, .count = 1, .create = &row},
        {.number = number, .first_seq = UINT64_MAX, .count = 1, .create = &row},
        {.number = number, .first_seq = 1, .count = 0, .record = STR("x"), .create = &row},
        {.number = number, .first_seq = 1, .count = 1, .create = &bad},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(append_wait(&f, &cases[i]), ORCH_ERR_MISUSE);
    assert_int_equal(store_put_definition(f.store, STR_NONE, STR("n"), STR("x"), NULL), ORCH_ERR_MISUSE);
    struct store_entry good = {.number = number, .first_seq = 1, .count = 1, .create = &row};
    assert_int_equal(append_wait(&f, &good), 0);
    fixture_done(&f);
}

static void test_second_owner(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    char text[64];
    snprintf(text, sizeof text, "process %ld owns", (long)getpid());
    /* In the same process, and the failed try leaves the first one its lock: */
    assert_refused(f.path, STORE_OWN, ORCH_ERR_CONCURRENCY, text);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct orch_error err = ORCH_ERROR_INIT;
        _exit(open_code(f.path, STORE_OWN, &err) == ORCH_ERR_CONCURRENCY && strstr(err.message, text) ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void)make_execution(&f, "w", 1);
    f.store = store_close(f.store);
    fixture_open(&f);
    fixture_done(&f);
}

static int count_row(void *user, const struct store_execution *execution)
{
    (void)execution;
    ++*(int *)user;
    return 0;
}

static int count_alive(struct store *store)
{
    int count = 0;
    assert_int_equal(store_each_alive(store, count_row, &count, NULL), 0);
    return count;
}

static void test_reader(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    assert_refused(f.path, STORE_READ, ORCH_ERR_NOT_FOUND, f.path);
    assert_int_equal(mkdir(f.path, 0700), 0);
    assert_refused(f.path, STORE_READ, ORCH_ERR_NOT_FOUND, "no store");
    fixture_open(&f);
    struct store_options options = {.mode = STORE_READ};
    struct store *reader = NULL;
    assert_int_equal(store_open(f.path, &options, &reader, NULL), 0);
    assert_true(store_is_owned(f.store) && store_is_owned(reader));
    assert_int_equal(count_alive(reader), 0);
    int64_t number = make_execution(&f, "w", 1);
    assert_int_equal(count_alive(reader), 1);
    assert_true(str_equal(store_mark(reader), store_mark(f.store)));

    struct store_entry entry = {.number = number, .first_seq = 2, .count = 1};
    assert_int_equal(store_append(reader, &entry, 1, NULL, NULL, NULL), ORCH_ERR_CONCURRENCY);
    assert_int_equal(store_put_definition(reader, STR("d"), STR("n"), STR("x"), NULL), ORCH_ERR_CONCURRENCY);
    assert_int_equal(store_poll(reader), 0);
    assert_int_equal(store_pending(reader), 0);
    assert_int_equal(store_failure(reader, NULL), 0);

    /* It outlives the owner, and needs none. */
    f.store = store_close(f.store);
    assert_false(store_is_owned(reader));
    assert_int_equal(count_alive(reader), 1);
    reader = store_close(reader);
    assert_int_equal(store_open(f.path, &options, &reader, NULL), 0);
    assert_int_equal(count_alive(reader), 1);
    fixture_open(&f); /* and keeps no owner out */
    (void)make_execution(&f, "w", 1);
    assert_int_equal(count_alive(reader), 2);
    reader = store_close(reader);
    fixture_done(&f);
}

/* Somebody writes to the database with a shell: appends wait for that. */
static void test_shell_in_the_way(void **state)
{
    (void)state;
    struct fixture f;
    char path[128];
    fixture_init(&f);
    fixture_open(&f);
    int64_t number = make_execution(&f, "w", 1);
    database(&f, path);
    sqlite3 *shell = NULL;
    assert_int_equal(sqlite3_open(path, &shell), SQLITE_OK);
    assert_int_equal(sqlite3_exec(shell, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    int status = 1;
    struct store_entry entry = {.number = number, .first_seq = 2, .count = 1, .record = STR("r")};
    assert_int_equal(store_append(f.store, &entry, 1, keep_status, &status, NULL), 0);
    struct pollfd p = {.fd = f.wake_fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 100), 0); /* no news while the lock is held */
    assert_int_equal(store_poll(f.store), 0);
    assert_int_equal(sqlite3_exec(shell, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    fixture_drain(&f);
    assert_int_equal(status, 0);
    assert_int_equal(sqlite3_close(shell), SQLITE_OK);
    fixture_done(&f);
}

/* With a log left by a crash and nobody who owns the store. */
static void test_reader_after_crash(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        fixture_open(&f);
        for (int i = 0; i < 5; i++) (void)make_execution(&f, "w", 1);
        (void)raise(SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    struct store_options options = {.mode = STORE_READ};
    struct store *reader = NULL;
    assert_int_equal(store_open(f.path, &options, &reader, NULL), 0);
    assert_int_equal(count_alive(reader), 5);
    reader = store_close(reader);
    fixture_open(&f);
    assert_int_equal(count_alive(f.store), 5);
    fixture_done(&f);
}

/* What waits when the store is closed is written. */
static void test_close_waits(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    fixture_open(&f);
    for (int i = 0; i < 1000; i++) {
        struct store_execution row = row_of(store_next_number(f.store), "w", 1);
        struct store_entry entry = {
            .number = row.number, .first_seq = 1, .count = 1, .record = STR("r"), .create = &row};
        assert_int_equal(store_append(f.store, &entry, 1, NULL, NULL, NULL), 0);
    }
    assert_int_equal(store_put_definition(f.store, STR("later"), STR("n"), STR("{}"), NULL), 0);
    f.store = store_close(f.store);
    fixture_open(&f);
    assert_int_equal(count_alive(f.store), 1000);
    struct arena arena;
    struct orch_str normal;
    arena_init(&arena, NULL, 0);
    assert_int_equal(store_get_definition(f.store, STR("later"), &arena, &normal, NULL), 0);
    assert_true(str_is(normal, "{}"));
    assert_int_equal(store_get_definition(f.store, STR("never"), &arena, &normal, NULL), ORCH_ERR_NOT_FOUND);
    /* Before it is durable, too. */
    assert_int_equal(store_put_definition(f.store, STR("now"), STR("n"), STR("[]"), NULL), 0);
    assert_int_equal(store_get_definition(f.store, STR("now"), &arena, &normal, NULL), 0);
    assert_true(str_is(normal, "[]"));
    arena_done(&arena);
    fixture_done(&f);
}

static void test_newer(void **state)
{
    (void)state;
    struct fixture f;
    char db[128];
    fixture_init(&f);
    fixture_open(&f);
    f.store = store_close(f.store);
    database(&f, db);
    exec(db, "PRAGMA user_version = 1000");
    assert_refused(f.path, STORE_OWN, ORCH_ERR_VERSION, "orch.db has schema 1000");
    assert_refused(f.path, STORE_READ, ORCH_ERR_VERSION, "orch.db has schema 1000");
    fixture_done(&f);
}

static void test_strange(void **state)
{
    (void)state;
    struct fixture f;
    char db[128];
    fixture_init(&f);
    database(&f, db);
    assert_int_equal(mkdir(f.path, 0700), 0);
    exec_plain(db, "CREATE TABLE groceries(name)");
    assert_refused(f.path, STORE_OWN, ORCH_ERR_CORRUPT, "orch.db is not a database of this program");
    assert_refused(f.path, STORE_READ, ORCH_ERR_CORRUPT, "orch.db is not a database of this program");
    exec_plain(db, "DROP TABLE groceries; PRAGMA application_id = 7");
    assert_refused(f.path, STORE_OWN, ORCH_ERR_CORRUPT, "orch.db is not a database of this program");
    fixture_done(&f);
}

enum damage { ZERO_HEADER, ONE_BIT, TEXT, CUT, EMPTY, GONE, OTHER_STORE, SCHEMA, DAMAGE_COUNT };

static void damage(const struct fixture *f, enum damage kind)
{
    char db[128];
    database(f, db);
    int fd = open(db, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    char zeros[100] = {0};
    switch (kind) {
    case ZERO_HEADER: assert_int_equal(pwrite(fd, zeros, 100, 0), 100); break;
    case ONE_BIT: assert_int_equal(pwrite(fd, "\x11", 1, 1), 1); break; /* of the first word, "SQLite" */
    case TEXT: assert_int_equal(pwrite(fd, "hello, this is no database", 26, 0), 26); break;
    case CUT: assert_int_equal(ftruncate(fd, 3 * 4096), 0); break;
    case EMPTY: assert_int_equal(ftruncate(fd, 0), 0); break;
    case GONE: assert_int_equal(unlink(db), 0); break;
    case OTHER_STORE: exec(db, "UPDATE meta SET value = '0123456789abcdef0123456789abcdef'"); break;
    case SCHEMA: exec(db, "DROP INDEX executions_alive; DROP TABLE journal"); break;
    case DAMAGE_COUNT: break;
    }
    (void)close(fd);
}

static void test_damaged(void **state)
{
    (void)state;
    for (enum damage kind = 0; kind < DAMAGE_COUNT; kind++) {
        struct fixture f;
        fixture_init(&f);
        fixture_open(&f);
        for (int i = 0; i < 30; i++) (void)make_execution(&f, "w", 1);
        f.store = store_close(f.store);
        damage(&f, kind);
        assert_refused(f.path, STORE_OWN, ORCH_ERR_CORRUPT, "orch.db");
        /* It says so again: the first try has repaired and made nothing. */
        assert_refused(f.path, STORE_OWN, ORCH_ERR_CORRUPT, "orch.db");
        fixture_done(&f);
    }
}

/* Damage that opening does not look for is found by whoever reads it. */
static void test_damaged_page(void **state)
{
    (void)state;
    struct fixture f;
    char db[128];
    fixture_init(&f);
    fixture_open(&f);
    for (int i = 0; i < 2000; i++) {
        struct store_execution row = row_of(store_next_number(f.store), "w", 1);
        struct store_entry entry = {
            .number = row.number, .first_seq = 1, .count = 1, .record = STR("r"), .create = &row};
        assert_int_equal(store_append(f.store, &entry, 1, NULL, NULL, NULL), 0);
    }
    f.store = store_close(f.store);
    database(&f, db);
    int fd = open(db, O_RDWR | O_CLOEXEC);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    char noise[4096];
    memset(noise, 0x5a, sizeof noise);
    for (off_t at = 20 * 4096; at < st.st_size; at += 4096) assert_int_equal(pwrite(fd, noise, 4096, at), 4096);
    (void)close(fd);
    struct store_options options = fixture_options(&f, STORE_OWN);
    struct orch_error err = ORCH_ERROR_INIT;
    int code = store_open(f.path, &options, &f.store, &err), count = 0;
    if (code == 0)
        code = store_each_execution(f.store, &(struct store_filter){.count_max = 1000}, count_row, &count, &err);
    assert_int_equal(code, ORCH_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "orch.db"));
    fixture_done(&f);
}

/* Cut short with a schema and without a mark: to a reader it is not there yet; that is no damage. */
static void test_half_made_reader(void **state)
{
    (void)state;
    struct fixture f;
    char db[128], lock[128];
    fixture_init(&f);
    fixture_open(&f);
    f.store = store_close(f.store);
    database(&f, db);
    exec(db, "DELETE FROM meta");
    assert_refused(f.path, STORE_READ, ORCH_ERR_CORRUPT, "no mark");
    snprintf(lock, sizeof lock, "%s/lock", f.path);
    int fd = open(lock, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "123\n", 4), 4);
    (void)close(fd);
    assert_refused(f.path, STORE_READ, ORCH_ERR_NOT_FOUND, "is not complete");
    fixture_open(&f);
    assert_int_equal(make_execution(&f, "w", 1), 1);
    fixture_done(&f);
}

/* A creation that a crash cut short is taken up: the file is there, but empty. */
static void test_half_made(void **state)
{
    (void)state;
    struct fixture f;
    char db[128];
    fixture_init(&f);
    database(&f, db);
    assert_int_equal(mkdir(f.path, 0700), 0);
    int fd = open(db, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_refused(f.path, STORE_READ, ORCH_ERR_NOT_FOUND, "orch.db is empty");
    fixture_open(&f);
    assert_int_equal(make_execution(&f, "w", 1), 1);
    fixture_done(&f);

    /* Between its tables and its mark, which comes last: not complete, and no damage. */
    char lock[128];
    fixture_init(&f);
    fixture_open(&f);
    f.store = store_close(f.store);
    database(&f, db);
    exec(db, "DELETE FROM meta");
    assert_refused(f.path, STORE_READ, ORCH_ERR_CORRUPT, "orch.db has no mark");
    snprintf(lock, sizeof lock, "%.100s/lock", f.path);
    fd = open(lock, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "1\n", 2), 2);
    (void)close(fd);
    assert_refused(f.path, STORE_READ, ORCH_ERR_NOT_FOUND, "is not complete yet");
    fixture_open(&f);
    fixture_done(&f);
}

/* SQLite would remove the log of an empty database, and with it what could be saved. */
static void test_emptied_keeps_log(void **state)
{
    (void)state;
    struct fixture f;
    struct stat st;
    char db[128], log[140];
    fixture_init(&f);
    fixture_open(&f);
    f.store = store_close(f.store);
    database(&f, db);
    snprintf(log, sizeof log, "%s-wal", db);
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "commits", 7), 7);
    (void)close(fd);
    assert_int_equal(truncate(db, 0), 0);
    assert_refused(f.path, STORE_READ, ORCH_ERR_CORRUPT, "was complete once");
    assert_refused(f.path, STORE_OWN, ORCH_ERR_CORRUPT, "was complete once");
    assert_int_equal(stat(log, &st), 0);
    assert_int_equal(st.st_size, 7);
    fixture_done(&f);
}

static void test_places(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    char path[128];
    snprintf(path, sizeof path, "%s/file", f.dir);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_refused(path, STORE_OWN, ORCH_ERR_INVALID, "not a directory");
    assert_refused("/proc/nothing/here", STORE_OWN, ORCH_ERR_NOT_FOUND, "/proc");
    /* A link of ours is followed. */
    fixture_open(&f);
    f.store = store_close(f.store);
    snprintf(path, sizeof path, "%s/link", f.dir);
    assert_int_equal(symlink(f.path, path), 0);
    assert_int_equal(open_code(path, STORE_OWN, NULL), 0);
    /* But not in place of the database or the lock. */
    snprintf(path, sizeof path, "%s/orch.db", f.path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_refused(f.path, STORE_OWN, ORCH_ERR_CORRUPT, "orch.db");
    assert_refused(f.path, STORE_READ, ORCH_ERR_CORRUPT, "orch.db");
    /* Nor a pipe: nobody waits for its other end. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(f.path, STORE_OWN, ORCH_ERR_CORRUPT, "orch.db is not a regular file");
    assert_refused(f.path, STORE_READ, ORCH_ERR_CORRUPT, "orch.db is not a regular file");
    snprintf(path, sizeof path, "%s/lock", f.path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(lock_is_held(f.path));
    assert_refused(f.path, STORE_OWN, ORCH_ERR_CORRUPT, "lock is no file");
    fixture_done(&f);
}

/* A directory of somebody else that others may write to, and a link of somebody else. Only root can make them. */
static void test_somebody_elses(void **state)
{
    (void)state;
    if (geteuid() != 0) skip();
    struct fixture f;
    fixture_init(&f);
    char link[128];
    snprintf(link, sizeof link, "%s/link", f.dir);
    assert_int_equal(mkdir(f.path, 0777), 0);
    assert_int_equal(chmod(f.path, 0777), 0);
    assert_int_equal(symlink(f.path, link), 0);
    assert_int_equal(chmod(f.dir, 0755), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct orch_error err = ORCH_ERROR_INIT;
        if (setuid(65534) < 0) _exit(1);
        if (open_code(f.path, STORE_OWN, &err) != ORCH_ERR_DENIED || !strstr(err.message, "others may write")) _exit(2);
        if (open_code(link, STORE_OWN, &err) != ORCH_ERR_DENIED || !strstr(err.message, "link")) _exit(3);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    fixture_done(&f);
}

/* What SQLite's own tools write is noticed; but a whole copy that they made is taken, and sealed. */
static void test_shell_writes(void **state)
{
    (void)state;
    struct fixture f;
    char db[128], sql[200];
    fixture_init(&f);
    fixture_open(&f);
    for (int i = 0; i < 30; i++) (void)make_execution(&f, "w", 1);
    f.store = store_close(f.store);
    database(&f, db);
    snprintf(sql, sizeof sql, "VACUUM INTO '%s/copy'", f.path);
    exec_plain(db, sql);
    exec_plain(db, "UPDATE executions SET error = 'x' WHERE number = 3");
    struct store_options options = {.mode = STORE_READ};
    struct orch_error err = ORCH_ERROR_INIT;
    struct arena arena;
    struct store_execution e;
    arena_init(&arena, NULL, 0);
    assert_int_equal(store_open(f.path, &options, &f.store, NULL), 0);
    assert_int_equal(store_get_execution(f.store, 3, &arena, &e, &err), ORCH_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "orch.db: page "));
    assert_non_null(strstr(err.message, "is damaged: its checksum is wrong"));
    assert_non_null(strstr(err.hint, "orch doctor --salvage"));
    f.store = store_close(f.store);
    arena_done(&arena);

    char copy[128];
    snprintf(copy, sizeof copy, "%s/copy", f.path);
    assert_int_equal(rename(copy, db), 0);
    assert_refused(f.path, STORE_READ, ORCH_ERR_VERSION, "orch.db is a copy without checksums");
    for (int round = 0; round < 2; round++) {
        fixture_open(&f);
        assert_int_equal(count_alive(f.store), 30);
        f.store = store_close(f.store);
    }
    assert_int_equal(store_open(f.path, &options, &f.store, NULL), 0);
    assert_int_equal(count_alive(f.store), 30);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made),
        cmocka_unit_test(test_mark_and_numbers_stay),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_second_owner),
        cmocka_unit_test(test_reader),
        cmocka_unit_test(test_reader_after_crash),
        cmocka_unit_test(test_shell_in_the_way),
        cmocka_unit_test(test_close_waits),
        cmocka_unit_test(test_newer),
        cmocka_unit_test(test_strange),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_damaged_page),
        cmocka_unit_test(test_half_made),
        cmocka_unit_test(test_emptied_keeps_log),
        cmocka_unit_test(test_shell_writes),
        cmocka_unit_test(test_half_made_reader),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_somebody_elses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
