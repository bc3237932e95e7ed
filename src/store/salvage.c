/*
 * salvage.c - what can be read of a damaged store is copied into a new one.
 *
 * Two readers: one that puts a wrong bit right where the checksums of pages and frames tell which it is, and, for what
 * that one cannot read, one that takes pages as they are. Of the latter only what proves itself is believed: records
 * have checksums, definitions and blobs digests. A row is the journal's in all that the journal tells.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "store/check_internal.h"
#include "sys/file.h"

#define MARK "salvaged: "

enum { MENDING, RAW, READERS };

struct known_definition {
    char digest[65];
    struct orch_str name;
};

struct salvage {
    struct check check; /* for telling */
    struct check_counts tell_counts;
    struct salvage_counts *counts;
    const char *from, *to;
    struct store *stores[READERS];
    struct journal_reader readers[READERS];
    struct store *target;
    int wake_fd;
    int status;             /* of appends: the first that failed */
    struct numbers numbers; /* of executions that there are */
    struct numbers saved;
    struct arena arena; /* definitions' names */
    struct known_definition *definitions;
    size_t definitions_count, definitions_capacity;
    struct numbers mended;    /* pages and frames that were told of; frames are negative */
    struct check_finding log; /* what is wrong with the log as it stands; is_damage: something is */
};

static void tell(struct salvage *salvage, enum check_subject subject, bool is_damage, const char *file, int64_t number,
                 const char *message)
{
    struct check_finding finding = {
        .subject = subject, .is_damage = is_damage, .file = file, .bit = -1, .number = number};
    check_tell(&salvage->check, &finding, "%s", message);
}

/* Each page and frame once, though it is read again and again. */
static void on_damage(void *user, const struct vfs_damage *damage)
{
    struct salvage *salvage = user;
    int64_t key = damage->is_log ? -(int64_t)damage->number - 1 : damage->number;
    for (size_t i = 0; i < salvage->mended.count; i++)
        if (salvage->mended.items[i] == key) return;
    /* Without memory it is told of again. */
    (void)numbers_add(&salvage->mended, key, NULL);
    struct check_finding finding = {.subject = damage->is_log ? CHECK_LOG : CHECK_PAGE,
                                    .is_damage = damage->bit < 0,
                                    .file = damage->is_log ? "orch.db-wal" : "orch.db",
                                    .offset = damage->offset,
                                    .bit = damage->bit < 0 ? -1 : damage->offset * 8 + damage->bit};
    if (damage->bit >= 0) salvage->counts->bits++;
    check_tell(&salvage->check, &finding, "%s %u: %s", damage->is_log ? "frame" : "page", damage->number,
               damage->bit >= 0 ? "one bit was wrong and was put right" : "its checksum is wrong");
}

/*
 * The new store.
 */

static void on_wake(void *user)
{
    const uint64_t one = 1;
    /* A full counter wakes as well. */
    (void)!write(((struct salvage *)user)->wake_fd, &one, sizeof one);
}

static void on_done(void *user, int status)
{
    struct salvage *salvage = user;
    if (salvage->status == 0) salvage->status = status;
}

static int drain(struct salvage *salvage, struct orch_error *err)
{
    while (store_pending(salvage->target) > 0) {
        uint64_t count;
        if (store_poll(salvage->target) > 0) continue;
        struct pollfd p = {.fd = salvage->wake_fd, .events = POLLIN};
        (void)poll(&p, 1, 1000); /* a signal or a second without news: looked at again */
        (void)!read(salvage->wake_fd, &count, sizeof count);
    }
    int code = store_failure(salvage->target, err);
    if (code == 0 && salvage->status < 0)
        code =
            error_set(err, salvage->status, "%s cannot be written: %s", salvage->to, orch_error_text(salvage->status));
    return code;
}

static int open_target(struct salvage *salvage, struct orch_error *err)
{
    struct stat st;
    struct store_options options = {.mode = STORE_OWN, .wake = on_wake, .user = salvage};
    if (lstat(salvage->to, &st) == 0 && rmdir(salvage->to) < 0) {
        (void)error_set(err, ORCH_ERR_EXISTS, "%s is there already", salvage->to);
        error_hint(err, "name a directory that is to be made");
        return ORCH_ERR_EXISTS;
    }
    salvage->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (salvage->wake_fd < 0) return error_errno(err, errno, "cannot copy");
    return store_open(salvage->to, &options, &salvage->target, err);
}

/*
 * Definitions: what has its digest is good, wherever it was read.
 */

static bool is_definition_known(const struct salvage *salvage, const char *digest)
{
    for (size_t i = 0; i < salvage->definitions_count; i++)
        if (strcmp(salvage->definitions[i].digest, digest) == 0) return true;
    return false;
}

static int keep_definition(struct salvage *salvage, const char *digest, struct orch_str name, struct orch_str normal,
                           struct orch_error *err)
{
    if (salvage->definitions_count == salvage->definitions_capacity) {
        size_t capacity = salvage->definitions_capacity ? salvage->definitions_capacity * 2 : 64;
        struct known_definition *items = mem_resize(
            NULL, salvage->definitions, salvage->definitions_capacity * sizeof *items, capacity * sizeof *items);
        if (!items) return error_memory(err);
        salvage->definitions = items;
        salvage->definitions_capacity = capacity;
    }
    struct known_definition *known = &salvage->definitions[salvage->definitions_count];
    known->name = arena_str(&salvage->arena, name);
    if (!known->name.data) return error_memory(err);
    memcpy(known->digest, digest, sizeof known->digest);
    int code = store_put_definition(salvage->target, str_from(digest), name, normal, err);
    if (code < 0) return code;
    salvage->definitions_count++;
    salvage->counts->definitions++;
    return 0;
}

static int copy_definitions(struct salvage *salvage, struct orch_error *err)
{
    static const char *const ways[] = {"SELECT digest, name, normal FROM definitions NOT INDEXED ORDER BY rowid",
                                       "SELECT digest, name, normal FROM definitions NOT INDEXED ORDER BY rowid DESC"};
    bool is_whole = false;
    int code = 0;
    for (int way = 0; way < 2 * READERS && code == 0 && !is_whole; way++) {
        sqlite3_stmt *statement = NULL;
        int rc = sqlite3_prepare_v2(sqlite_reader(salvage->stores[way / 2]), ways[way % 2], -1, &statement, NULL);
        while (code == 0 && (rc == SQLITE_OK || rc == SQLITE_ROW)) {
            rc = sqlite3_step(statement);
            if (rc != SQLITE_ROW) break;
            char digest[65];
            struct orch_str name =
                str_of(sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1));
            struct orch_str normal =
                str_of(sqlite3_column_blob(statement, 2), (size_t)sqlite3_column_bytes(statement, 2));
            const char *wanted = (const char *)sqlite3_column_text(statement, 0);
            store_digest(normal, digest);
            if (is_definition_known(salvage, digest)) continue;
            if (wanted && strcmp(wanted, digest) == 0) code = keep_definition(salvage, digest, name, normal, err);
        }
        is_whole = rc == SQLITE_DONE && way < 2;
        (void)sqlite3_finalize(statement); /* the step's code again */
    }
    if (code == 0 && !is_whole) {
        salvage->counts->definitions_lost++;
        tell(salvage, CHECK_DEFINITION, true, "orch.db", 0, "some of them cannot be read");
    }
    return code;
}

/*
 * Executions.
 */

struct copying {
    struct salvage *salvage;
    struct journal_reader *reader;
    const struct store_execution *row;
    uint64_t sequence_max; /* no more is copied: what was looked at */
    bool is_begun;
    struct arena arena; /* blobs of the record at hand */
};

static int take_blobs(struct copying *copying, const struct journal_record *record, struct store_blob **ret,
                      uint32_t *ret_count, struct orch_error *err)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < record->count; i++) count += record->items[i].blob != 0;
    struct store_blob *blobs = ARENA_ARRAY(&copying->arena, count ? count : 1, struct store_blob);
    if (!blobs) return error_memory(err);
    *ret_count = 0;
    for (uint32_t i = 0; i < record->count; i++) {
        if (!record->items[i].blob) continue;
        struct store_blob *blob = &blobs[(*ret_count)++];
        blob->blob = record->items[i].blob;
        int code = store_get_blob(copying->reader->store, copying->row->number, blob->blob, &copying->arena,
                                  &blob->content, err);
        if (code < 0) return code;
    }
    *ret = blobs;
    return 0;
}

static int copy_record(void *user, const struct journal_record *record, struct orch_error *err)
{
    struct copying *copying = user;
    struct salvage *salvage = copying->salvage;
    struct store_entry entry = {.number = copying->row->number,
                                .first_seq = record->first_seq,
                                .count = record->count,
                                .record = record->bytes,
                                .create = copying->is_begun ? NULL : copying->row};
    struct store_blob *blobs = NULL;
    struct buf bytes;
    buf_init(&bytes, NULL, STORE_RECORD_SIZE_MAX);
    arena_clear(&copying->arena);
    int code = take_blobs(copying, record, &blobs, &entry.blobs_count, err);
    entry.blobs = blobs;
    /* Part of a record, where a transition in its middle is bad: written as a record of its own. */
    if (record->is_part) {
        transitions_encode(record->items, record->count, &bytes);
        if (code == 0 && bytes.failed) code = error_memory(err);
        entry.record = buf_str(&bytes);
    }
    if (code == 0) code = store_append(salvage->target, &entry, 1, on_done, salvage, err);
    bool is_much = store_pending(salvage->target) >= 1000 || salvage->target->pending_size >= (64u << 20);
    if (code == 0 && is_much) code = drain(salvage, err);
    buf_done(&bytes);
    if (code < 0) return code;
    copying->is_begun = true;
    salvage->counts->records++;
    salvage->counts->blobs += entry.blobs_count;
    return 0;
}

/* What the journal tells of a row is the journal's. */
static void row_from_journal(struct store_execution *row, const struct journal_look *look)
{
    struct core_summary summary;
    core_get_summary(look->core, &summary);
    row->workflow = look->name;
    row->by = look->by;
    row->state = (uint8_t)summary.state;
    row->generation = summary.generation;
    row->tasks_total = summary.tasks_total;
    row->tasks_done = summary.tasks_done;
    row->tasks_failed = summary.states[TASK_FAILED] + summary.states[TASK_TIMED_OUT];
    row->started_at = summary.started_at;
    row->ended_at = summary.ended_at;
    row->error = summary.error;
    if (row->created_at == 0) row->created_at = summary.started_at;
    if (row->updated_at == 0) row->updated_at = summary.ended_at ? summary.ended_at : summary.started_at;
    if (execution_state_is_terminal((uint8_t)summary.state)) row->waiting = STR_NONE;
}

/*
 * The reader that sees more of a journal, and what it sees; the other's look is thrown away. Once a journal could not
 * be read, records are looked for in the table, in case it is the index that is damaged.
 */
static int look_best(struct salvage *salvage, int64_t number, struct orch_str digest, int *ret_which,
                     struct journal_look *ret, struct orch_error *err)
{
    *ret_which = MENDING;
    int code = journal_look(&salvage->readers[MENDING], number, digest, NULL, NULL, ret, err);
    if (code < 0 || ret->is_whole || ret->is_blob) return code;
    for (int i = 0; i < READERS && code == 0; i++) {
        struct journal_look look = {.core = NULL};
        code = query_map_records(salvage->stores[i], err);
        if (code == 0) code = journal_look(&salvage->readers[i], number, digest, NULL, NULL, &look, err);
        if (code == 0 && look.sequence_good > ret->sequence_good) {
            struct core *before = ret->core;
            *ret = look;
            look.core = before;
            *ret_which = i;
        }
        look.core = core_free(look.core);
    }
    if (code < 0) ret->core = core_free(ret->core);
    return code;
}

/* Which definition an execution ran whose row is gone: of its workflow's name, the one its journal follows furthest. */
static int guess_definition(struct salvage *salvage, int64_t number, struct orch_str *ret, struct orch_error *err)
{
    struct journal_look look;
    struct arena arena;
    int which = 0;
    uint64_t best = 0;
    int code = look_best(salvage, number, STR_NONE, &which, &look, err);
    if (code < 0) return code;
    look.core = core_free(look.core);
    arena_init(&arena, NULL, 0);
    struct orch_str name = arena_str(&arena, look.name);
    for (size_t i = 0; i < salvage->definitions_count && code == 0; i++) {
        const struct known_definition *known = &salvage->definitions[i];
        if (!str_equal(known->name, name)) continue;
        code = look_best(salvage, number, str_from(known->digest), &which, &look, err);
        if (code < 0) break;
        look.core = core_free(look.core);
        if (look.sequence_good <= best) continue;
        best = look.sequence_good;
        *ret = str_from(known->digest);
    }
    arena_done(&arena);
    return code;
}

/* As good as it can be had; *ret_why is what is wrong with it, or empty. */
static int find_row(struct salvage *salvage, int64_t number, struct arena *arena, struct store_execution *ret,
                    const char **ret_why, struct orch_error *err)
{
    *ret_why = "";
    int code = store_get_execution(salvage->stores[MENDING], number, arena, ret, NULL);
    if (code == 0 && is_definition_known(salvage, arena_str(arena, ret->digest).data)) return 0;
    *ret_why = "its row was damaged";
    if (code < 0 && code != ORCH_ERR_NOT_FOUND)
        code = store_get_execution(salvage->stores[RAW], number, arena, ret, NULL);
    struct orch_str digest = code == 0 ? arena_str(arena, ret->digest) : STR_NONE;
    if (code == 0 && digest.data && is_definition_known(salvage, digest.data)) return 0;
    *ret_why = "its row was lost";
    *ret = (struct store_execution){.number = number};
    return guess_definition(salvage, number, &ret->digest, err);
}

static void tell_execution(struct salvage *salvage, int64_t number, bool is_lost, const struct journal_look *look,
                           const char *message)
{
    struct check_finding finding = {.subject = is_lost ? CHECK_EXECUTION : CHECK_JOURNAL,
                                    .is_damage = true,
                                    .bit = -1,
                                    .number = number,
                                    .sequence = look->is_whole ? 0 : look->sequence_good + 1,
                                    .sequence_good = look->sequence_good};
    check_tell(&salvage->check, &finding, "%s", message);
}

/* The last records can be lost without a gap, when a page of the table is: a good row knows how the journal ended. */
static void compare_end(const struct store_execution *row, struct journal_look *look)
{
    struct core_summary summary;
    core_get_summary(look->core, &summary);
    uint32_t failed = summary.states[TASK_FAILED] + summary.states[TASK_TIMED_OUT];
    if (row->state == (uint8_t)summary.state && row->generation == summary.generation &&
        row->tasks_done == summary.tasks_done && row->tasks_failed == failed)
        return;
    look->is_whole = false;
    (void)snprintf(look->why, sizeof look->why, "its row tells of more than is left of its journal");
}

static int copy_found(struct salvage *salvage, struct store_execution *row, const char *row_why, int which,
                      struct journal_look *look, struct orch_error *err)
{
    char mark[700] = "", orphan[] = "; the run that started it is lost";
    struct copying copying = {.salvage = salvage, .reader = &salvage->readers[which], .row = row};
    bool is_orphan = row->parent != 0 && !numbers_has(&salvage->saved, row->parent);
    /* Texts of the look live until the next one, which the copying is. */
    struct arena arena;
    arena_init(&arena, NULL, 0);
    if (!row_why[0] && look->is_whole) compare_end(row, look);
    row_from_journal(row, look);
    /* A row that was read without its checksum may have those of a damaged page. */
    if (row_why[0] && look->parameters.data) row->parameters = look->parameters;
    if (!row->parameters.data) row->parameters = STR("{}");
    if (is_orphan) row->parent = 0;
    if (!look->is_whole)
        (void)snprintf(mark, sizeof mark, MARK "nothing behind sequence number %llu could be read: %s%s",
                       (unsigned long long)look->sequence_good, look->why, is_orphan ? orphan : "");
    else if (row_why[0] || is_orphan)
        (void)snprintf(mark, sizeof mark, MARK "%s%s", row_why, is_orphan ? orphan + (row_why[0] ? 0 : 2) : "");
    else if (salvage->counts->is_log_cut && !execution_state_is_terminal(row->state))
        (void)snprintf(mark, sizeof mark, MARK "it may have gone on: the end of the log was lost");
    if (mark[0]) row->error = str_from(mark);
    int code = store_execution_to_arena(row, &arena, row, err);
    uint64_t good = look->sequence_good;
    bool is_whole = look->is_whole;
    if (mark[0]) tell_execution(salvage, row->number, false, look, mark + sizeof MARK - 1);
    look->core = core_free(look->core);
    arena_init(&copying.arena, NULL, 0);
    struct journal_look again = {.core = NULL};
    if (code == 0) code = journal_look(copying.reader, row->number, row->digest, copy_record, &copying, &again, err);
    again.core = core_free(again.core);
    if (code == 0 && again.sequence_good != good)
        code = error_set(err, ORCH_ERR_IO, "%s changed while it was read", salvage->from);
    arena_done(&copying.arena);
    arena_done(&arena);
    if (code < 0) return code;
    salvage->counts->rows_made += row_why[0] != '\0';
    salvage->counts->executions += is_whole;
    salvage->counts->executions_cut += !is_whole;
    return numbers_add(&salvage->saved, row->number, err);
}

static int copy_execution(struct salvage *salvage, int64_t number, struct orch_error *err)
{
    struct arena arena;
    struct store_execution row;
    struct journal_look look = {.core = NULL};
    const char *row_why = "";
    int which = 0;
    arena_init(&arena, NULL, 0);
    int code = find_row(salvage, number, &arena, &row, &row_why, err);
    if (code == 0) code = look_best(salvage, number, row.digest, &which, &look, err);
    if (code == 0 && look.core && look.sequence_good > 0) {
        code = copy_found(salvage, &row, row_why, which, &look, err);
    } else if (code == 0) {
        salvage->counts->executions_lost++;
        look.is_whole = true;
        look.sequence_good = 0;
        tell_execution(salvage, number, true, &look, row.digest.size ? look.why : "no definition that is left fits it");
    }
    look.core = core_free(look.core);
    arena_done(&arena);
    return code;
}

static int copy_executions(struct salvage *salvage, struct orch_error *err)
{
    int code = numbers_gather(sqlite_reader(salvage->stores[MENDING]), &salvage->numbers, err);
    if (code == 0 && !salvage->numbers.is_complete) {
        struct numbers more;
        code = numbers_gather(sqlite_reader(salvage->stores[RAW]), &more, err);
        for (size_t i = 0; code == 0 && i < more.count; i++) code = numbers_add(&salvage->numbers, more.items[i], err);
        numbers_done(&more);
        numbers_unite(&salvage->numbers);
    }
    if (code == 0 && salvage->numbers.count > 0) {
        /* Each keeps its number and so its id. */
        int64_t last = salvage->numbers.items[salvage->numbers.count - 1];
        salvage->target->next_number = last < INT64_MAX ? last + 1 : INT64_MAX;
    }
    for (size_t i = 0; i < salvage->numbers.count && code == 0; i++)
        if (salvage->numbers.items[i] < INT64_MAX) code = copy_execution(salvage, salvage->numbers.items[i], err);
    return code;
}

/*
 * Logs: as they are.
 */

static int copy_file(int from_dir, int to_dir, const char *name)
{
    static const size_t size_max = 65536;
    struct stat st;
    int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (from < 0) return -1;
    int to = fstat(from, &st) == 0 && S_ISREG(st.st_mode)
                 ? openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)
                 : -1;
    char *bytes = mem_resize(NULL, NULL, 0, size_max);
    bool ok = to >= 0 && bytes;
    while (ok) {
        ssize_t size = read(from, bytes, size_max);
        if (size == 0) break;
        for (ssize_t done = 0; size > 0 && done < size;) {
            ssize_t n = write(to, bytes + done, (size_t)(size - done));
            if (n < 0) size = -1;
            done += n;
        }
        ok = size > 0;
    }
    if (bytes) (void)mem_resize(NULL, bytes, size_max, 0); /* freeing cannot fail */
    (void)close(from);                                     /* it was only read */
    if (to >= 0 && close(to) < 0) ok = false;
    return ok ? 0 : -1;
}

static void copy_log_dir(struct salvage *salvage, int from_logs, int to_logs, const char *name)
{
    int from = openat(from_logs, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), to = -1;
    if (from >= 0 && mkdirat(to_logs, name, 0700) == 0) to = openat(to_logs, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = from >= 0 && to >= 0 ? fdopendir(from) : NULL;
    if (!dir) {
        char file[300];
        (void)snprintf(file, sizeof file, "logs/%.255s", name);
        salvage->counts->logfiles_lost++;
        tell(salvage, CHECK_LOGFILE, true, file, 0, "it cannot be copied");
        if (from >= 0) (void)close(from); /* nothing was read */
    }
    const struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char file[600];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (copy_file(from, to, entry->d_name) == 0) {
            salvage->counts->logfiles++;
            continue;
        }
        (void)snprintf(file, sizeof file, "logs/%.255s/%.255s", name, entry->d_name);
        salvage->counts->logfiles_lost++;
        tell(salvage, CHECK_LOGFILE, true, file, 0, "it cannot be copied whole");
    }
    if (dir) (void)closedir(dir);
    if (to >= 0) (void)close(to);
}

static void copy_logs(struct salvage *salvage)
{
    int from = openat(((struct sqlite_store *)salvage->stores[MENDING])->dir_fd, "logs",
                      O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int to = openat(((struct sqlite_store *)salvage->target)->dir_fd, "logs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = from >= 0 && to >= 0 ? fdopendir(from) : NULL;
    const struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.') copy_log_dir(salvage, from, to, entry->d_name);
    if (dir)
        (void)closedir(dir);
    else if (from >= 0)
        (void)close(from);
    if (to >= 0) (void)close(to);
}

/*
 * All of it.
 */

static int open_readers(struct salvage *salvage, struct orch_error *err)
{
    static const enum vfs_mode modes[READERS] = {[MENDING] = VFS_MEND, [RAW] = VFS_RAW};
    uint32_t count = 0;
    const struct migration *list = migrate_list(&count);
    int code = 0;
    for (int i = 0; i < READERS && code == 0; i++) {
        code = sqlite_reader_open(salvage->from, modes[i], &salvage->stores[i], err);
        if (code < 0) break;
        journal_reader_init(&salvage->readers[i], salvage->stores[i]);
        if (i == MENDING) vfs_set_damaged(sqlite_reader(salvage->stores[i]), on_damage, salvage);
        code = migrate_check_known(sqlite_reader(salvage->stores[i]), list[count - 1].version, "orch.db", err);
        if (code == ORCH_ERR_CORRUPT) {
            (void)error_context(err, "nothing can be read of %s", salvage->from);
            error_hint(err, "restore a backup");
        }
    }
    return code;
}

static void keep_log_finding(void *user, const struct check_finding *finding)
{
    struct salvage *salvage = user;
    if (strcmp(finding->file, "orch.db-wal") == 0) salvage->log = *finding;
}

/* A log whose damage cannot be put right ends there. Which executions the rest of it was about is not known. */
static int look_at_log(struct salvage *salvage, struct orch_error *err)
{
    struct check_counts counts = {.owner = 0};
    struct vfs_log end, log = {.frames = 0};
    int dir_fd = ((struct sqlite_store *)salvage->stores[MENDING])->dir_fd;
    struct check check = {
        .path = salvage->from, .dir_fd = dir_fd, .report = keep_log_finding, .user = salvage, .counts = &counts};
    int code = check_log(&check, err);
    if (code < 0 || !salvage->log.is_damage) return code;
    bool is_noted = log_end_read(dir_fd, &end) == LOG_END_NOTED;
    if (vfs_get_index(sqlite_reader(salvage->stores[MENDING]), &log) && log.frames >= check.log_last &&
        (!is_noted || memcmp(log.salts, end.salts, sizeof end.salts) == 0))
        return 0; /* it was put right on the way */
    salvage->counts->is_log_cut = true;
    struct orch_str message = arena_str(&salvage->arena, str_from(salvage->log.message));
    if (!message.data) return error_memory(err);
    check_tell(&salvage->check, &salvage->log, "%s; runs that were not over may have gone on, or be missing",
               message.data);
    return 0;
}

static int copy_all(struct salvage *salvage, struct orch_error *err)
{
    int code = open_readers(salvage, err);
    if (code == 0) code = look_at_log(salvage, err);
    if (code == 0) code = open_target(salvage, err);
    for (int i = 0; i < READERS && code == 0; i++)
        salvage->readers[i].definitions = salvage->target; /* by then they are copied */
    if (code == 0) code = copy_definitions(salvage, err);
    if (code == 0) code = copy_executions(salvage, err);
    if (code == 0) copy_logs(salvage);
    if (code == 0) code = drain(salvage, err);
    return code;
}

int store_salvage(const char *from, const char *to, check_report report, void *user, struct salvage_counts *ret,
                  struct orch_error *err)
{
    *ret = (struct salvage_counts){.executions = 0};
    struct salvage salvage = {.counts = ret, .from = from, .to = to, .wake_fd = -1};
    salvage.check =
        (struct check){.path = from, .dir_fd = -1, .report = report, .user = user, .counts = &salvage.tell_counts};
    if (lock_is_held(from)) {
        (void)error_set(err, ORCH_ERR_CONCURRENCY, "a process owns the store %s", from);
        error_hint(err, "end it first, so that nothing is missed");
        return ORCH_ERR_CONCURRENCY;
    }
    arena_init(&salvage.arena, NULL, 0);
    int code = copy_all(&salvage, err);
    bool is_made = salvage.target != NULL;
    salvage.target = store_close(salvage.target);
    for (int i = 0; i < READERS; i++) {
        if (salvage.readers[i].store) journal_reader_done(&salvage.readers[i]);
        (void)store_close(salvage.stores[i]);
    }
    if (salvage.wake_fd >= 0) (void)close(salvage.wake_fd);
    numbers_done(&salvage.numbers);
    numbers_done(&salvage.saved);
    numbers_done(&salvage.mended);
    (void)mem_resize(NULL, salvage.definitions, salvage.definitions_capacity * sizeof *salvage.definitions, 0);
    arena_done(&salvage.arena);
    if (code < 0 && is_made) (void)file_remove_tree(to, NULL); /* what is half is of no use */
    return code;
}
