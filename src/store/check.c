/*
 * check.c - everything a store holds is looked at: files, pages, what SQLite says, definitions, rows, journals, blobs,
 * logs. Each is told of by itself; damage in one keeps nothing else from being looked at.
 */
#include "store/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "store/check_internal.h"
#include "sys/logfile.h"

static const char salvage[] = "orch doctor --salvage DIR  copies what can be read; or restore a backup";

const char *check_subject_to_string(enum check_subject subject)
{
    static const char *const texts[] = {
#define CHECK_SUBJECT_TEXT(name, text) [CHECK_##name] = (text),
        CHECK_SUBJECT_LIST(CHECK_SUBJECT_TEXT)
#undef CHECK_SUBJECT_TEXT
    };
    return texts[subject];
}

void check_tell(struct check *check, struct check_finding *finding, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(finding->message, sizeof finding->message, format, args); /* cut where it is too long */
    va_end(args);
    if (!finding->file) finding->file = "";
    if (!finding->mend) finding->mend = "";
    if (finding->size == 0 && finding->bit == 0) finding->bit = -1;
    if (finding->is_damage) check->counts->damaged++;
    if (check->report) check->report(check->user, finding);
}

/* What belongs to one file or to none. */
static void tell(struct check *check, enum check_subject subject, bool is_damage, const char *file, const char *mend,
                 const char *message)
{
    struct check_finding finding = {.subject = subject, .is_damage = is_damage, .file = file, .bit = -1, .mend = mend};
    check_tell(check, &finding, "%s", message);
}

static void tell_execution(struct check *check, enum check_subject subject, int64_t number, const char *message)
{
    struct check_finding finding = {
        .subject = subject, .is_damage = true, .file = "orch.db", .bit = -1, .number = number, .mend = salvage};
    check_tell(check, &finding, "%s", message);
}

/* Whether it is for want of memory that something cannot be read. */
static bool is_short(struct check *check, int code)
{
    if (code == ORCH_ERR_NO_MEMORY) check->is_short = true;
    return code == ORCH_ERR_NO_MEMORY;
}

static bool is_short_sqlite(struct check *check, int rc)
{
    return is_short(check, (rc & 0xff) == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM ? ORCH_ERR_NO_MEMORY : 0);
}

/*
 * The directory and the lock.
 */

static void check_mode(struct check *check, const char *name)
{
    struct stat st;
    if (fstatat(check->dir_fd, name[0] ? name : ".", &st, AT_SYMLINK_NOFOLLOW) < 0) return; /* not every one is there */
    if ((st.st_mode & 077) != 0) {
        struct check_finding finding = {.subject = CHECK_DIRECTORY,
                                        .file = name,
                                        .bit = -1,
                                        .mend = S_ISDIR(st.st_mode) ? "chmod 700 it" : "chmod 600 it"};
        check_tell(check, &finding, "others may look at it or change it: its mode is %03o", st.st_mode & 0777);
    }
    if (st.st_uid != geteuid() && geteuid() != 0)
        tell(check, CHECK_DIRECTORY, false, name, "", "it belongs to somebody else");
    if (faccessat(check->dir_fd, name[0] ? name : ".", R_OK | W_OK, AT_EACCESS) < 0)
        tell(check, CHECK_DIRECTORY, false, name, "", "it cannot be written to");
}

static void check_directory(struct check *check)
{
    static const char *const names[] = {"",     "orch.db", "orch.db-wal", "orch.db-shm", "orch.db-end",
                                        "lock", "blobs",   "logs"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) check_mode(check, names[i]);
}

/* Reads the lock as an owner would; the mark is compared with the database's later. */
static void check_lock(struct check *check, char ret_mark[33])
{
    char text[129];
    ret_mark[0] = '\0';
    check->counts->is_owned = lock_is_held(check->path);
    int fd = openat(check->dir_fd, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t size = fd >= 0 ? pread(fd, text, sizeof text - 1, 0) : -1;
    if (fd >= 0) (void)close(fd); /* it was only read */
    if (size < 0) {
        tell(check, CHECK_LOCK, false, "lock", "the next command that writes to the store makes it",
             "it cannot be read");
        return;
    }
    int64_t pid = 0;
    struct orch_str s = str_of(text, (size_t)size);
    size_t line = str_find(s, STR("\n"), 0);
    bool is_right = line != SIZE_MAX && str_to_int64(str_of(text, line), &pid) && pid > 0 && pid <= INT32_MAX &&
                    s.size == line + 1 + 32 + 1;
    if (is_right) {
        check->counts->owner = (int)pid;
        memcpy(ret_mark, text + line + 1, 32);
        ret_mark[32] = '\0';
    } else if (!check->counts->is_owned) {
        tell(check, CHECK_LOCK, true, "lock",
             "harmless if the rest is well: the next command that writes to the store writes it anew",
             "it is not as an owner writes it");
    }
}

/*
 * The database as a whole.
 */

static bool is_page_damage(sqlite3 *db)
{
    struct vfs_damage damage;
    return vfs_get_damage(db, &damage);
}

/* SQLite's own check. What it stumbles over because a page cannot be read was told of by page. */
static void check_integrity(struct check *check, sqlite3 *db)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL), told = 0;
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(statement);
        const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
        if (rc == SQLITE_ROW && !text) (void)is_short_sqlite(check, sqlite3_errcode(db));
        if (!text || strcmp(text, "ok") == 0 || (is_page_damage(db) && strstr(text, "unable to get the page")))
            continue;
        if (told++ < 20) tell(check, CHECK_DATABASE, true, "orch.db", salvage, text);
    }
    if (rc != SQLITE_DONE && !is_short_sqlite(check, rc) && !is_page_damage(db))
        tell(check, CHECK_DATABASE, true, "orch.db", salvage, sqlite3_errmsg(db));
    (void)sqlite3_finalize(statement); /* the step's code again */
}

/* Whether it is a database of ours, of this version. */
static bool check_schema(struct check *check, sqlite3 *db, const char *noted_mark)
{
    uint32_t count = 0;
    const struct migration *list = migrate_list(&count);
    struct orch_error error = ORCH_ERROR_INIT;
    char database[] = "orch.db";
    int code = migrate_check(db, list[count - 1].version, database, &error);
    if (is_short(check, code)) return false;
    if (code < 0) {
        struct check_finding finding = {.subject = CHECK_DATABASE,
                                        .is_damage = error.code != ORCH_ERR_VERSION,
                                        .file = database,
                                        .bit = -1,
                                        .mend = error.hint};
        check_tell(check, &finding, "%s", error.message);
        return false;
    }
    check->counts->schema = list[count - 1].version;
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE key = 'mark'", -1, &statement, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(statement);
    const char *mark = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    if (!mark && is_short_sqlite(check, rc == SQLITE_ROW ? sqlite3_errcode(db) : rc)) {
        (void)sqlite3_finalize(statement); /* the step's code again */
        return false;
    }
    if (mark && strlen(mark) == 32) memcpy(check->counts->mark, mark, 33);
    bool is_there = check->counts->mark[0];
    if (!is_there) tell(check, CHECK_DATABASE, true, database, salvage, "its mark cannot be read");
    (void)sqlite3_finalize(statement); /* the step's code again */
    if (is_there && noted_mark[0] && strcmp(noted_mark, check->counts->mark) != 0)
        tell(check, CHECK_LOCK, true, "lock", "restore both from the same backup",
             "it is of another store than orch.db, or one of them is damaged");
    return true;
}

static bool get_number(struct check *check, sqlite3 *db, const char *sql, int64_t *ret)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(statement);
    bool found = rc == SQLITE_ROW;
    if (found)
        *ret = sqlite3_column_int64(statement, 0);
    else
        (void)is_short_sqlite(check, rc);
    (void)sqlite3_finalize(statement); /* the step's code again */
    return found;
}

/* Rows that belong together, across tables. */
static void check_relations(struct check *check, sqlite3 *db)
{
    static const struct {
        const char *sql, *message;
    } relations[] = {
        {"SELECT count(*) FROM (SELECT state, count FROM finished WHERE count <> 0 EXCEPT SELECT state, count(*) FROM "
         "executions WHERE state >= 4 GROUP BY state)",
         "the counts of finished runs are not those of the runs there are"},
        {"SELECT count(*) FROM (SELECT state, count(*) FROM executions WHERE state >= 4 GROUP BY state EXCEPT SELECT "
         "state, count FROM finished)",
         "the counts of finished runs leave some out"},
        {"SELECT count(*) FROM large_parameters l WHERE NOT EXISTS (SELECT 1 FROM executions e WHERE e.number = "
         "l.number AND e.parameters IS NULL)",
         "there are parameters of runs that there are not"},
        {"SELECT count(*) FROM executions e WHERE e.parameters IS NULL AND NOT EXISTS (SELECT 1 FROM large_parameters "
         "l WHERE l.number = e.number)",
         "there are runs whose parameters are missing"},
        {"SELECT count(*) FROM executions e WHERE e.parent <> 0 AND NOT EXISTS (SELECT 1 FROM executions p WHERE "
         "p.number = e.parent)",
         "there are runs whose parent is missing"},
    };
    for (size_t i = 0; i < sizeof relations / sizeof *relations; i++) {
        int64_t count = 0;
        if (get_number(check, db, relations[i].sql, &count) && count > 0)
            tell(check, CHECK_DATABASE, true, "orch.db", salvage, relations[i].message);
    }
}

static int check_definitions(struct check *check, struct store *store, struct orch_error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(sqlite_reader(store), "SELECT digest, normal FROM definitions", -1, &statement, NULL);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(statement);
        if (rc != SQLITE_ROW) continue;
        char found[65];
        const char *digest = (const char *)sqlite3_column_text(statement, 0);
        const void *normal = sqlite3_column_blob(statement, 1);
        if ((!digest || !normal) && is_short_sqlite(check, sqlite3_errcode(sqlite_reader(store)))) continue;
        store_digest(str_of(normal, (size_t)sqlite3_column_bytes(statement, 1)), found);
        check->counts->definitions++;
        if (digest && strcmp(digest, found) == 0) continue;
        struct check_finding finding = {
            .subject = CHECK_DEFINITION, .is_damage = true, .file = "orch.db", .bit = -1, .mend = salvage};
        check_tell(check, &finding, "definition %.12s is another one now: %.12s", digest ? digest : "?", found);
    }
    if (rc != SQLITE_DONE && !is_short_sqlite(check, rc)) {
        (void)sqlite_error(err, sqlite_reader(store), rc, "orch.db", "definitions cannot all be read");
        tell(check, CHECK_DEFINITION, true, "orch.db", salvage, err ? err->message : "they cannot all be read");
    }
    (void)sqlite3_finalize(statement); /* the step's code again */
    return check->is_short ? error_memory(err) : 0;
}

/*
 * Executions: row, journal and blobs of each.
 */

struct blobs {
    uint64_t *items;
    size_t count, capacity;
};

static int keep_blobs(void *user, const struct journal_record *record, struct orch_error *err)
{
    struct blobs *blobs = user;
    for (uint32_t i = 0; i < record->count; i++) {
        if (!record->items[i].blob) continue;
        if (blobs->count == blobs->capacity) {
            size_t capacity = blobs->capacity ? blobs->capacity * 2 : 64;
            uint64_t *items = mem_resize(NULL, blobs->items, blobs->capacity * sizeof *items, capacity * sizeof *items);
            if (!items) return error_memory(err);
            blobs->items = items;
            blobs->capacity = capacity;
        }
        blobs->items[blobs->count++] = record->items[i].blob;
    }
    return 0;
}

static bool is_kept(const struct blobs *blobs, const char *name)
{
    uint64_t blob = 0;
    if (!str_to_uint64(str_from(name), &blob)) return false;
    for (size_t i = 0; i < blobs->count; i++)
        if (blobs->items[i] == blob) return true;
    return false;
}

/* Calls fn for each entry but . and .., until it gives an error. A directory that is missing is an empty one. */
static int each_entry(int dir_fd, const char *name, int (*fn)(void *user, int fd, const char *entry), void *user,
                      struct orch_error *err)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return errno == ENOENT ? 0 : error_errno(err, errno, "%s", name);
    DIR *dir = fdopendir(fd);
    if (!dir) {
        (void)close(fd); /* nothing was read */
        return error_memory(err);
    }
    int code = 0;
    const struct dirent *entry;
    while (code == 0 && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) code = fn(user, fd, entry->d_name);
    (void)closedir(dir); /* it was only read */
    return code;
}

struct unused {
    struct check *check;
    const struct blobs *blobs; /* NULL: none is used */
    const char *dir;
};

static int note_unused(void *user, int fd, const char *entry)
{
    struct unused *unused = user;
    (void)fd;
    if (!unused->blobs || !is_kept(unused->blobs, entry)) unused->check->counts->blobs_unused++;
    return 0;
}

static void tell_journal(struct check *check, int64_t number, const struct journal_look *look)
{
    char file[80] = "orch.db";
    struct check_finding finding = {.subject = look->is_blob ? CHECK_BLOB : CHECK_JOURNAL,
                                    .is_damage = true,
                                    .file = file,
                                    .bit = -1,
                                    .number = number,
                                    .sequence = look->core ? look->sequence_good + 1 : 0,
                                    .sequence_good = look->sequence_good,
                                    .mend = salvage};
    if (look->is_blob)
        (void)snprintf(file, sizeof file, "blobs/%lld/%llu", (long long)number, (unsigned long long)look->blob);
    check_tell(check, &finding, "%s", look->why);
}

/* Whether two texts are the same JSON. */
static bool is_same_json(struct check *check, struct orch_str a, struct orch_str b)
{
    struct arena arena;
    struct value value;
    struct buf text;
    arena_init(&arena, NULL, 0);
    buf_init(&text, NULL, STORE_RECORD_SIZE_MAX);
    int code = json_parse(a, NULL, &arena, &value, NULL);
    bool is_same = code == 0;
    if (is_same) json_format(value, 0, &text);
    is_same = is_same && !text.failed && str_equal(buf_str(&text), b);
    /* As large as the one it is compared with there was room for it. */
    if (code == ORCH_ERR_NO_MEMORY || (text.failed && text.size <= b.size)) check->is_short = true;
    buf_done(&text);
    arena_done(&arena);
    return is_same;
}

/* A row is told of an execution's state whenever that changes, of its counts now and then; of its end exactly. */
static void check_row(struct check *check, const struct store_execution *row, const struct journal_look *look)
{
    struct core_summary summary;
    core_get_summary(look->core, &summary);
    const char *wrong = NULL;
    bool is_over = execution_state_is_terminal((uint8_t)summary.state);
    bool is_salvaged = str_starts_with(row->error, STR("salvaged: "));
    if (row->state != (uint8_t)summary.state) wrong = "state";
    if (!str_equal(row->workflow, look->name)) wrong = "workflow";
    if (!str_equal(row->by, look->by)) wrong = "started_by";
    if (look->parameters.data && !is_same_json(check, row->parameters, look->parameters)) wrong = "parameters";
    if (row->started_at != summary.started_at) wrong = "started_at";
    if (is_over) {
        if (row->generation != summary.generation) wrong = "generation";
        if (row->tasks_total != summary.tasks_total || row->tasks_done != summary.tasks_done ||
            row->tasks_failed != summary.states[TASK_FAILED] + summary.states[TASK_TIMED_OUT])
            wrong = "counts of tasks";
        if (row->ended_at != summary.ended_at) wrong = "ended_at";
        if (!is_salvaged && !str_equal(row->error, summary.error)) wrong = "error";
    }
    if (!wrong || check->is_short) return;
    struct check_finding finding = {.subject = CHECK_EXECUTION,
                                    .is_damage = true,
                                    .file = "orch.db",
                                    .bit = -1,
                                    .number = row->number,
                                    .sequence_good = look->sequence_good,
                                    .mend = salvage};
    check_tell(check, &finding, "its row does not agree with its journal: %s", wrong);
}

static int check_execution(struct check *check, struct journal_reader *reader, int64_t number, struct orch_error *err)
{
    struct arena arena;
    struct store_execution row;
    struct orch_error error = ORCH_ERROR_INIT;
    struct journal_look look;
    struct blobs blobs = {.items = NULL};
    arena_init(&arena, NULL, 0);
    check->counts->executions++;
    int code = store_get_execution(reader->store, number, &arena, &row, &error);
    bool has_row = code == 0;
    if (!has_row && !is_short(check, code)) {
        bool is_missing = code == ORCH_ERR_NOT_FOUND;
        tell_execution(check, CHECK_EXECUTION, number, is_missing ? "it has a journal and no row" : error.message);
        row = (struct store_execution){.number = number};
    }
    code = code == ORCH_ERR_NO_MEMORY ? error_memory(err) : 0;
    if (code == 0 && has_row && row.state < STORE_STATE_FINISHED) check->counts->alive++;
    if (code == 0) code = journal_look(reader, number, row.digest, keep_blobs, &blobs, &look, err);
    if (code == 0) {
        check->counts->records += look.records;
        check->counts->transitions += look.transitions;
        check->counts->blobs += blobs.count;
        if (has_row && !look.is_whole) tell_journal(check, number, &look);
        if (has_row && look.is_whole) check_row(check, &row, &look);
        look.core = core_free(look.core);
        char dir[48];
        struct unused unused = {check, &blobs, dir};
        (void)snprintf(dir, sizeof dir, "blobs/%lld", (long long)number);
        /* What cannot be listed was told of by the journal that names it. */
        (void)is_short(check, each_entry(check->dir_fd, dir, note_unused, &unused, NULL));
    }
    (void)mem_resize(NULL, blobs.items, blobs.capacity * sizeof *blobs.items, 0); /* freeing cannot fail */
    arena_done(&arena);
    return code;
}

struct blob_dirs {
    struct check *check;
    const struct numbers *numbers;
};

/* Blobs of executions that there are not: left from a crash before their first commit. */
static int note_blob_dir(void *user, int fd, const char *entry)
{
    struct blob_dirs *dirs = user;
    int64_t number = 0;
    if (str_to_int64(str_from(entry), &number) && numbers_has(dirs->numbers, number)) return 0;
    struct unused unused = {dirs->check, NULL, entry};
    /* Not our business if it is no directory. */
    (void)is_short(dirs->check, each_entry(fd, entry, note_unused, &unused, NULL));
    return 0;
}

static int check_executions(struct check *check, struct store *store, struct orch_error *err)
{
    struct numbers numbers;
    int code = numbers_gather(sqlite_reader(store), &numbers, err);
    if (code < 0) return code;
    struct journal_reader reader;
    journal_reader_init(&reader, store);
    for (size_t i = 0; i < numbers.count && code == 0; i++)
        code = check_execution(check, &reader, numbers.items[i], err);
    journal_reader_done(&reader);
    struct blob_dirs dirs = {check, &numbers};
    if (code == 0) {
        struct orch_error error = ORCH_ERROR_INIT;
        int listed = each_entry(check->dir_fd, "blobs", note_blob_dir, &dirs, &error);
        if (listed < 0 && !is_short(check, listed)) tell(check, CHECK_BLOB, false, "blobs", "", error.message);
    }
    numbers_done(&numbers);
    return code;
}

/*
 * Logs of tasks: no checksum, but every line has its time and stream in front.
 */

struct logs {
    struct check *check;
    const char *dir;
};

static int skip_line(void *user, orch_time at, char stream, struct orch_str line)
{
    (void)at;
    (void)stream;
    ((struct logs *)user)->check->counts->bytes += line.size;
    return 0;
}

static int check_logfile(void *user, int fd, const char *entry)
{
    struct logs *logs = user;
    struct orch_error error = ORCH_ERROR_INIT;
    char path[4096 + 600], name[600];
    (void)fd;
    if (snprintf(name, sizeof name, "logs/%.255s/%.255s", logs->dir, entry) >= (int)sizeof name ||
        snprintf(path, sizeof path, "%s/%s", logs->check->path, name) >= (int)sizeof path)
        return 0;
    logs->check->counts->logfiles++;
    int code = logfile_each(path, 0, NULL, skip_line, logs, &error);
    if (code < 0 && !is_short(logs->check, code))
        tell(logs->check, CHECK_LOGFILE, true, name, "what tasks wrote is kept nowhere else", error.message);
    return 0;
}

static int check_log_dir(void *user, int fd, const char *entry)
{
    struct logs logs = {user, entry};
    struct orch_error error = ORCH_ERROR_INIT;
    int code = each_entry(fd, entry, check_logfile, &logs, &error);
    if (code < 0 && !is_short(logs.check, code)) tell(user, CHECK_LOGFILE, true, "logs", "", error.message);
    return 0;
}

static void check_logs(struct check *check)
{
    struct orch_error error = ORCH_ERROR_INIT;
    int code = each_entry(check->dir_fd, "logs", check_log_dir, check, &error);
    if (code < 0 && !is_short(check, code)) tell(check, CHECK_LOGFILE, true, "logs", "", error.message);
}

/* What SQLite reads. */
static int check_content(struct check *check, struct store *store, const char *noted_mark, struct orch_error *err)
{
    sqlite3 *db = sqlite_reader(store);
    int code = 0;
    bool is_ours = check_schema(check, db, noted_mark);
    if (is_ours && vfs_is_unsealed(db)) {
        tell(check, CHECK_DATABASE, false, "orch.db", "the next command that writes to the store makes them",
             "it is a copy without checksums");
    }
    if (is_ours) {
        check_integrity(check, db);
        check_relations(check, db);
        code = check_definitions(check, store, err);
        if (code == 0) code = check_executions(check, store, err);
    }
    return code;
}

static int check_database(struct check *check, const char *noted_mark, struct orch_error *err)
{
    struct store *store = NULL;
    struct orch_error error = ORCH_ERROR_INIT;
    int code = sqlite_reader_open(check->path, VFS_STRICT, &store, &error);
    if (code == ORCH_ERR_NO_MEMORY) return error_memory(err);
    bool is_open = code == 0;
    if (!is_open) tell(check, CHECK_DATABASE, true, "orch.db", salvage, error.message);
    code = is_open && vfs_is_unsealed(sqlite_reader(store)) ? 0 : check_pages(check, err);
    if (code == 0) code = check_log(check, err);
    if (code == 0 && is_open) code = check_content(check, store, noted_mark, err);
    (void)store_close(store);
    return code;
}

int store_check(const char *path, check_report report, void *user, struct check_counts *ret, struct orch_error *err)
{
    bool made = false;
    char noted_mark[33];
    struct stat st;
    *ret = (struct check_counts){.owner = 0};
    struct check check = {.path = path, .dir_fd = -1, .report = report, .user = user, .counts = ret};
    int code = directory_open(path, false, &made, &check.dir_fd, err);
    if (code < 0) return code;
    bool is_there = fstatat(check.dir_fd, "orch.db", &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!is_there && faccessat(check.dir_fd, "lock", F_OK, 0) < 0) {
        (void)close(check.dir_fd);
        return error_set(err, ORCH_ERR_NOT_FOUND, "there is no store in %s", path);
    }
    check_directory(&check);
    check_lock(&check, noted_mark);
    if (!is_there || !S_ISREG(st.st_mode) || st.st_size == 0) {
        tell(&check, CHECK_DATABASE, true, "orch.db", "restore a backup",
             is_there ? "it is empty or no file" : "it is missing");
    } else {
        code = check_database(&check, noted_mark, err);
    }
    if (code == 0) check_logs(&check);
    (void)close(check.dir_fd); /* it was only read */
    if (code == 0 && check.is_short) code = error_memory(err);
    return code;
}
