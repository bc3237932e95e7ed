/*
 * flip.c - every single bit of a small store is turned, one at a time: what is answered then must be the truth or an
 * error, never something else.
 *
 * usage: flip [--bits N] [--pieces N] [--seed N] [--jobs N] [--pages small|usual] [--sample N] [--deep N]
 *
 * Without --bits all of them; else N that are drawn. Three stores: one that was closed, one whose owner was killed,
 * with half of it in its log, and one with all of it in its log. Files: orch.db, orch.db-wal, orch.db-end, lock and the
 * blobs. With small pages (512 bytes instead of SQLite's usual 4096) a store of the same rows has fewer bits, and more
 * pages. --pieces draws as many other damages for each file: bytes written over with noise or zeros, and files cut off.
 * For each damage:
 *
 * - a reader opens it and asks everything; each answer is the truth's or an error that says damage;
 * - an owner does the same (the files are put back after it; when it refuses, it has changed nothing but the lock);
 * - of one in as many as --sample says (1), what was noticed is named by store_check as well, with the file and the
 * place in it; and store_salvage makes a store without damage, in which each execution is the truth's, is marked, or is
 * missing and was told of.
 *
 * With --deep N only one in N of the bits in pages and in frames of the log is tried like that, and the first of each
 * page and frame. The others are turned too, in the file, and the page is read through the store's own file layer, or
 * the log as it is when a store is opened: these must refuse it. They look at nothing but checksums, so what comes
 * above them is the same for each bit of a page; that, too, is checked with those that are tried whole. What is read
 * without a checksum (the head of page 1, the log's header) or has a meaning of its own (heads of frames) is always
 * tried whole.
 *
 * The last lines have the counts. "harmless": all answers were the truth's. Exits with 1 if one was silently different.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "engine/engine.h"
#include "small_store.h"
#include "store/check_internal.h"
#include "store/sqlite.h"
#include "sys/file.h"

#define FILES_MAX      16
#define ANSWERS_MAX    80
#define DAMAGE_SECONDS 60 /* longer than any takes, by far */
#define JOBS_MAX       64
#define IMAGES         3

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "flip: %s: %s\n", what, strerror(errno));
    exit(2);
}

/*
 * Files, kept in memory to be put back.
 */

struct kept {
    char name[80];
    unsigned char *bytes;
    size_t size;
};

struct image {
    char path[200];
    uint64_t executions; /* that it has */
    struct kept files[FILES_MAX];
    int count;
};

static void file_path(const struct image *image, const char *name, char out[300])
{
    snprintf(out, 300, "%.199s/%.79s", image->path, name);
}

static void keep(struct image *image, const char *name)
{
    char path[300];
    struct stat st;
    struct kept *kept = &image->files[image->count];
    file_path(image, name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return;
    if (fd < 0 || fstat(fd, &st) < 0 || image->count == FILES_MAX) die(path);
    snprintf(kept->name, sizeof kept->name, "%s", name);
    kept->size = (size_t)st.st_size;
    kept->bytes = malloc(kept->size + 1);
    if (!kept->bytes || read(fd, kept->bytes, kept->size) != st.st_size) die(path);
    close(fd);
    image->count++;
}

static void put_back(const struct image *image, const struct kept *kept)
{
    char path[300];
    file_path(image, kept->name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, kept->bytes, kept->size) != (ssize_t)kept->size) die(path);
    close(fd);
}

static bool is_as_kept(const struct image *image, const struct kept *kept)
{
    static unsigned char bytes[1 << 20];
    char path[300];
    file_path(image, kept->name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    if (fd >= 0) close(fd);
    return size == (ssize_t)kept->size && memcmp(bytes, kept->bytes, kept->size) == 0;
}

/* As it was, with the bit still turned. */
static void restore(const struct image *image)
{
    static const char *const others[] = {"orch.db-wal", "orch.db-shm", "orch.db-end", "orch.db.new"};
    char path[300];
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        file_path(image, others[i], path);
        (void)unlink(path); /* most are not there */
    }
    for (int i = 0; i < image->count; i++)
        if (strncmp(image->files[i].name, "blobs/", 6) != 0 || !is_as_kept(image, &image->files[i]))
            put_back(image, &image->files[i]);
}

static void make_image(struct image *image, const char *folder, const char *name, enum small_store_kind kind,
                       bool has_small_pages)
{
    snprintf(image->path, sizeof image->path, "%s/%s", folder, name);
    small_store_make(image->path, kind, has_small_pages);
    image->executions = kind == SMALL_YOUNG ? 1 : SMALL_EXECUTIONS;
    keep(image, "orch.db");
    keep(image, "orch.db-wal");
    keep(image, "orch.db-end");
    keep(image, "lock");
    for (int number = 1; number <= SMALL_EXECUTIONS; number++) {
        char blob[80];
        snprintf(blob, sizeof blob, "blobs/%d/1", number);
        keep(image, blob);
    }
}

/* Another store with the same files, for a process of its own. */
static void copy_image(struct image *image, uint64_t job)
{
    char path[300];
    size_t size = strlen(image->path);
    snprintf(image->path + size, sizeof image->path - size, ".%llu", (unsigned long long)job);
    if (mkdir(image->path, 0700) < 0) die(image->path);
    file_path(image, "blobs", path);
    if (mkdir(path, 0700) < 0) die(path);
    for (int i = 0; i < image->count; i++) {
        char *slash = strrchr(image->files[i].name, '/');
        if (slash) {
            *slash = '\0';
            file_path(image, image->files[i].name, path);
            *slash = '/';
            if (mkdir(path, 0700) < 0) die(path);
        }
        put_back(image, &image->files[i]);
    }
}

/*
 * Answers: one for each thing that can be asked. An error that says damage is "noticed"; a "not found" is an answer.
 */

struct answer {
    bool is_noticed;
    uint64_t hash;
};

struct answers {
    struct answer items[ANSWERS_MAX];
    int count;
    int other_errors;        /* neither */
    struct orch_error error; /* the first one noticed */
};

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    return (hash ^ str_hash(str_of(data ? data : "", size)) ^ size) * UINT64_C(0x9E3779B97F4A7C15) + 1;
}

static uint64_t mix_str(uint64_t hash, struct orch_str s)
{
    return mix(hash, s.data, s.size);
}

static uint64_t mix_number(uint64_t hash, int64_t number)
{
    return mix(hash, &number, sizeof number);
}

static void add_answer(struct answers *answers, int code, uint64_t hash, const struct orch_error *err)
{
    if (answers->count == ANSWERS_MAX) die("answers");
    bool is_noticed = code == ORCH_ERR_CORRUPT || code == ORCH_ERR_VERSION;
    if (code < 0 && !is_noticed && code != ORCH_ERR_NOT_FOUND) {
        fprintf(stderr, "flip: %s: %s\n", orch_error_name(code), err->message);
        answers->other_errors++;
    }
    if (is_noticed && answers->error.code == 0) answers->error = *err;
    answers->items[answers->count++] = (struct answer){is_noticed, is_noticed ? 0 : mix_number(hash, code)};
}

static int hash_row(void *user, const struct store_execution *e)
{
    uint64_t *hash = user;
    const int64_t numbers[] = {
        e->number,       e->state,           e->generation,           e->tasks_total, e->tasks_done,
        e->tasks_failed, e->created_at,      e->started_at,           e->ended_at,    e->updated_at,
        e->parent,       e->parent_instance, (int64_t)e->parent_fence};
    const struct orch_str texts[] = {e->id,         e->workflow, e->digest, e->base_dir, e->file,
                                     e->parameters, e->by,       e->error,  e->waiting};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) *hash = mix_number(*hash, numbers[i]);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) *hash = mix_str(*hash, texts[i]);
    return 0;
}

static int hash_record(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    uint64_t *hash = user;
    *hash = mix_str(mix_number(mix_number(*hash, (int64_t)first_seq), count), record);
    return 0;
}

static void ask_view(struct store *store, int64_t number, struct answers *answers)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct engine_view *view = NULL;
    struct arena arena;
    struct buf out;
    uint64_t hash = 0;
    int code = engine_view_open(store, number, &view, &err);
    arena_init(&arena, NULL, 0);
    buf_init(&out, NULL, 1 << 20);
    if (code == 0) {
        const struct core *core = engine_view_core(view);
        hash = core_digest(core);
        for (uint32_t i = 0; i < core_instance_count(core) && code == 0; i++) {
            buf_add_char(&out, '\n');
            code = core_output(core, i, &arena, &out, &err);
        }
        hash = mix_str(hash, buf_str(&out));
        engine_view_close(view);
    }
    add_answer(answers, code, hash, &err);
    buf_done(&out);
    arena_done(&arena);
}

static void ask_execution(struct store *store, int64_t number, struct answers *answers)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct store_execution row;
    struct orch_str text;
    struct arena arena;
    uint64_t hash = 0;
    arena_init(&arena, NULL, 0);
    int code = store_get_execution(store, number, &arena, &row, &err);
    if (code == 0) (void)hash_row(&hash, &row);
    add_answer(answers, code, hash, &err);
    if (code == 0) code = store_get_definition(store, row.digest, &arena, &text, &err);
    add_answer(answers, code, code == 0 ? mix_str(0, text) : 0, &err);
    hash = 0;
    code = store_each_record(store, number, 1, hash_record, &hash, &err);
    add_answer(answers, code, hash, &err);
    hash = 0;
    code = store_each_record(store, number, 7, hash_record, &hash, &err);
    add_answer(answers, code, hash, &err);
    code = store_get_blob(store, number, 1, &arena, &text, &err);
    add_answer(answers, code, code == 0 ? mix_str(0, text) : 0, &err);
    arena_done(&arena);
    ask_view(store, number, answers);
}

/* The mark stands for opening, which says damage of what it looks at. */
static void ask_all(const char *path, enum store_mode mode, struct answers *answers)
{
    static const struct store_filter filters[] = {
        {.parent = -1}, {.workflow = {"w", 1}},     {.state_mask = 0xF0},        {.state_mask = 0x0F},
        {.parent = 1},  {.since = 1, .parent = -1}, {.parent = -1, .before = 4}, {.state_mask = 1 << 5},
    };
    const struct store_options options = {.mode = mode};
    struct orch_error err = ORCH_ERROR_INIT;
    struct store *store = NULL;
    uint64_t counts[16] = {0}, hash = 0;
    int64_t number = 0;
    *answers = (struct answers){.count = 0};
    int code = store_open(path, &options, &store, &err);
    add_answer(answers, code, code == 0 ? mix_str(0, store_mark(store)) : 0, &err);
    if (code < 0) return;
    code = store_each_alive(store, hash_row, &hash, &err);
    add_answer(answers, code, hash, &err);
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        hash = 0;
        code = store_each_execution(store, &filters[i], hash_row, &hash, &err);
        add_answer(answers, code, hash, &err);
    }
    code = store_count_states(store, counts, &err);
    add_answer(answers, code, mix(0, counts, sizeof counts), &err);
    for (int alive = 0; alive < 2; alive++) {
        code = store_find_latest(store, STR("/srv/w/w.yaml"), alive, &number, &err);
        add_answer(answers, code, mix_number(0, number), &err);
    }
    for (number = 1; number <= SMALL_EXECUTIONS + 1; number++) ask_execution(store, number, answers);
    (void)store_close(store);
}

/*
 * One damage.
 */

enum damage_kind { DAMAGE_BIT, DAMAGE_NOISE, DAMAGE_ZEROS, DAMAGE_CUT };
static const char *const damage_texts[] = {"bit", "noise at bit", "zeros at bit", "cut at bit"};

struct damage {
    enum damage_kind kind;
    uint64_t bit;  /* the first one */
    size_t size;   /* bytes of noise or zeros */
    uint64_t seed; /* of the noise */
};

struct counts {
    uint64_t bits, deep, noticed, harmless, silent, strange, asked, unnamed, misplaced, changed;
    uint64_t salvaged, salvaged_less, salvaged_badly;
};

static struct {
    const char *image, *file, *kind;
    uint64_t bit;
} at; /* for whoever gets the alarm */

static void tell(const char *text, const char *more)
{
    fprintf(stderr, "flip: %s %s %s %llu: %s%s\n", at.image, at.file, at.kind, (unsigned long long)at.bit, text, more);
}

static void on_alarm(int signal)
{
    (void)signal;
    tell("hangs", "");
    _exit(3);
}

/* 0: all the truth; 1: noticed; 2: something else. */
static int compare(const struct answers *answers, const struct answers *truth, const char *who)
{
    bool is_noticed = false;
    if (answers->items[0].is_noticed) return 1; /* it was not opened */
    if (answers->other_errors > 0) return 2;
    for (int i = 0; i < answers->count; i++) {
        if (answers->items[i].is_noticed) {
            is_noticed = true;
        } else if (i >= truth->count || answers->items[i].hash != truth->items[i].hash) {
            char text[60];
            snprintf(text, sizeof text, " is given another answer %d", i);
            tell(who, text);
            return 2;
        }
    }
    return answers->count == truth->count ? is_noticed : 2;
}

struct named {
    const char *file; /* that is damaged */
    int64_t from, to; /* what is damaged of it, in bytes */
    int count, placed;
    char other[120]; /* another place that was named */
};

static void note_finding(void *user, const struct check_finding *finding)
{
    struct named *named = user;
    if (!finding->is_damage) return;
    named->count++;
    bool is_place =
        finding->size == 0 || (finding->offset < named->to && finding->offset + finding->size > named->from);
    if (is_place && named->file && strcmp(finding->file, named->file) == 0)
        named->placed++;
    else
        snprintf(named->other, sizeof named->other, "%s at %lld, %lld bytes: %.60s", finding->file,
                 (long long)finding->offset, (long long)finding->size, finding->message);
}

struct lost {
    bool is_told[SMALL_EXECUTIONS + 2];
    bool is_log_told; /* of all of them */
};

static void note_lost(void *user, const struct check_finding *finding)
{
    if (finding->subject == CHECK_LOG && finding->is_damage) ((struct lost *)user)->is_log_told = true;
    if (finding->number >= 1 && finding->number <= SMALL_EXECUTIONS)
        ((struct lost *)user)->is_told[finding->number] = true;
}

/* The six answers about an execution. */
static bool is_as_truth(const struct answers *answers, const struct answers *truth, int64_t number)
{
    int first = truth->count - 6 * (SMALL_EXECUTIONS + 1) + 6 * (int)(number - 1);
    for (int i = 0; i < 6; i++)
        if (answers->items[i].hash != truth->items[first + i].hash) return false;
    return true;
}

/* Returns what is wrong with a copy; NULL. */
static const char *judge_copy(const char *path, const struct answers *truth, const struct lost *lost, bool *ret_less)
{
    const struct store_options options = {.mode = STORE_READ};
    struct store *store = NULL;
    struct check_counts checked;
    struct orch_error err = ORCH_ERROR_INIT;
    const char *wrong = NULL;
    struct named named = {.file = NULL};
    if (store_check(path, note_finding, &named, &checked, &err) < 0 || named.count > 0) {
        tell("the copy: ", named.other);
        return "the copy is damaged";
    }
    if (store_open(path, &options, &store, &err) < 0) return "the copy cannot be opened";
    for (int64_t number = 1; number <= SMALL_EXECUTIONS && !wrong; number++) {
        struct answers answers = {.count = 0};
        struct store_execution row;
        struct arena arena;
        arena_init(&arena, NULL, 0);
        ask_execution(store, number, &answers);
        bool is_missing = store_get_execution(store, number, &arena, &row, &err) < 0;
        bool is_marked = !is_missing && str_starts_with(row.error, STR("salvaged: "));
        if (!is_as_truth(&answers, truth, number)) {
            *ret_less = true;
            if (!lost->is_told[number] && !lost->is_log_told)
                wrong = "an execution is another one, and nobody was told";
            if (!is_missing && !is_marked) {
                char text[60];
                snprintf(text, sizeof text, "number %d, state %u", (int)number, row.state);
                tell("not marked: ", text);
                wrong = "an execution is another one, and not marked";
            }
        }
        arena_done(&arena);
    }
    (void)store_close(store);
    return wrong;
}

static void try_salvage(const struct image *image, const struct answers *truth, bool must_work, struct counts *counts)
{
    char path[220];
    struct salvage_counts saved;
    struct lost lost = {.is_told = {false}};
    struct orch_error err = ORCH_ERROR_INIT;
    bool is_less = false;
    snprintf(path, sizeof path, "%.199s-saved", image->path);
    int code = store_salvage(image->path, path, note_lost, &lost, &saved, &err);
    /* Without the first page there is nothing to go by; but a single bit of it is put right. */
    const char *wrong = code == 0 ? judge_copy(path, truth, &lost, &is_less) : must_work ? err.message : NULL;
    if (wrong) {
        tell("salvage: ", wrong);
        counts->salvaged_badly++;
    }
    counts->salvaged++;
    counts->salvaged_less += is_less || code < 0;
    (void)file_remove_tree(path, NULL); /* only space */
}

static uint64_t next_random(uint64_t *seed)
{
    *seed += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = *seed;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* The file with its damage; false when it is no other than before. */
static bool make_damaged(const struct kept *kept, const struct damage *damage, struct kept *ret)
{
    size_t first = (size_t)(damage->bit / 8);
    uint64_t seed = damage->seed;
    *ret = *kept;
    ret->bytes = malloc(kept->size + 1);
    if (!ret->bytes) die("memory");
    memcpy(ret->bytes, kept->bytes, kept->size);
    if (damage->kind == DAMAGE_BIT) ret->bytes[first] ^= (unsigned char)(1 << (damage->bit % 8));
    if (damage->kind == DAMAGE_CUT) ret->size = first;
    for (size_t i = first; i < first + damage->size && i < kept->size; i++)
        ret->bytes[i] = damage->kind == DAMAGE_ZEROS ? 0 : (unsigned char)next_random(&seed);
    return ret->size != kept->size || memcmp(ret->bytes, kept->bytes, kept->size) != 0;
}

static void put_damaged(const struct image *image, const struct kept *damaged, const struct damage *damage)
{
    char path[300];
    if (damage->kind != DAMAGE_BIT) {
        put_back(image, damaged);
        return;
    }
    file_path(image, damaged->name, path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || pwrite(fd, damaged->bytes + damage->bit / 8, 1, (off_t)(damage->bit / 8)) != 1) die(path);
    close(fd);
}

static void ask_doctor(const struct image *image, const struct kept *kept, const struct damage *damage,
                       struct named *named, struct counts *counts)
{
    struct check_counts checked;
    struct orch_error err = ORCH_ERROR_INIT;
    int64_t first = (int64_t)(damage->bit / 8);
    *named =
        (struct named){.file = kept->name, .from = first, .to = first + (int64_t)(damage->size ? damage->size : 1)};
    if (damage->kind == DAMAGE_CUT) named->to = INT64_MAX;
    counts->asked++;
    if (store_check(image->path, note_finding, named, &checked, &err) < 0) {
        tell("doctor: ", err.message);
        counts->strange++;
    }
}

static void add_outcome(struct counts *counts, int outcome)
{
    counts->bits++;
    (*(outcome == 2 ? &counts->silent : outcome == 1 ? &counts->noticed : &counts->harmless))++;
}

/* Gives 0 when it was harmless, 1 when it was noticed, 2 when something else was answered. */
static int try_damage(struct image *image, int index, const struct damage *damage, const struct answers *truth,
                      bool is_sample, struct counts *counts)
{
    struct answers answers;
    struct kept *kept = &image->files[index], whole = *kept, damaged;
    at.image = strrchr(image->path, '/') + 1;
    at.file = kept->name;
    at.kind = damage_texts[damage->kind];
    at.bit = damage->bit;
    if (!make_damaged(&whole, damage, &damaged)) {
        free(damaged.bytes);
        return 0;
    }
    (void)alarm(DAMAGE_SECONDS);
    put_damaged(image, &damaged, damage);

    ask_all(image->path, STORE_READ, &answers);
    int reader = compare(&answers, truth, "the reader");
    struct orch_error noticed = answers.error;
    struct named named = {.count = 0};
    if (is_sample) {
        ask_doctor(image, &whole, damage, &named, counts);
        /* Without its first page, or with too little of it, there is nothing to go by. */
        try_salvage(image, truth, strcmp(whole.name, "orch.db") == 0 && damage->kind == DAMAGE_BIT, counts);
    }

    /* The owner, with the same damage. */
    *kept = damaged;
    ask_all(image->path, STORE_OWN, &answers);
    int owner = compare(&answers, truth, "the owner");
    if (answers.items[0].is_noticed) {
        for (int i = 0; i < image->count; i++) {
            if (strcmp(image->files[i].name, "lock") == 0 || is_as_kept(image, &image->files[i])) continue;
            tell(image->files[i].name, " was changed by an owner that refused it");
            counts->changed++;
        }
    }
    *kept = whole;
    free(damaged.bytes);
    restore(image);

    if (noticed.code == 0) noticed = answers.error;
    int outcome = reader == 2 || owner == 2 ? 2 : reader == 1 || owner == 1;
    add_outcome(counts, outcome);
    if (!is_sample || outcome != 1) return outcome;
    if (named.count == 0) {
        tell("noticed and not named by doctor: ", noticed.message);
        counts->unnamed++;
    } else if (named.placed == 0) {
        tell("doctor names another place: ", named.other);
        counts->misplaced++;
    }
    return outcome;
}

/*
 * Bits behind a checksum.
 */

#define CLASSES_MAX 256

/* The database is not a connection's: one that stays would keep the index of the log for all others of the process. */
struct classes {
    sqlite3_file *database;
    const char *path;
    size_t page_size;
    signed char outcomes[CLASSES_MAX]; /* of each page or frame: -1 not known yet */
};

static void classes_open(struct classes *classes, const struct image *image)
{
    char path[300];
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB;
    sqlite3_vfs *vfs = sqlite3_vfs_find(vfs_name(VFS_STRICT));
    const unsigned char *head = image->files[0].bytes;
    file_path(image, "orch.db", path);
    classes->page_size = (size_t)head[16] << 8 | (size_t)head[17];
    classes->path = sqlite3_create_filename(path, "", "", 0, NULL);
    classes->database = vfs ? calloc(1, (size_t)vfs->szOsFile) : NULL;
    if (!classes->path || !classes->database || !page_size_is_valid((int64_t)classes->page_size) ||
        vfs->xOpen(vfs, classes->path, classes->database, flags, &flags) != SQLITE_OK)
        die(path);
}

static void classes_close(struct classes *classes)
{
    (void)classes->database->pMethods->xClose(classes->database); /* it was only read */
    free(classes->database);
    sqlite3_free_filename(classes->path);
}

/* The number of the page or frame that a bit is in; -1 when it has to be tried whole. */
static int class_of(const struct classes *classes, const struct kept *kept, uint64_t bit)
{
    uint64_t byte = bit / 8, frame_size = classes->page_size + FRAME_HEAD_SIZE, number = CLASSES_MAX;
    if (strcmp(kept->name, "orch.db") == 0 && byte >= 100) number = byte / classes->page_size;
    if (strcmp(kept->name, "orch.db-wal") == 0 && byte >= LOG_HEADER_SIZE &&
        (byte - LOG_HEADER_SIZE) % frame_size >= FRAME_HEAD_SIZE)
        number = (byte - LOG_HEADER_SIZE) / frame_size;
    return number < CLASSES_MAX ? (int)number : -1;
}

static bool page_is_refused(const struct classes *classes, int number)
{
    static unsigned char page[PAGE_SIZE_MAX];
    return classes->database->pMethods->xRead(classes->database, page, (int)classes->page_size,
                                              number * (sqlite3_int64)classes->page_size) == SQLITE_IOERR_DATA;
}

/* As it is when a store is opened: SQLite takes the log for as long as it is right, and that has to be far enough. */
static bool log_is_refused(const struct image *image)
{
    struct store *store = NULL;
    struct orch_error err = ORCH_ERROR_INIT;
    char path[300];
    int dir_fd = open(image->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0 || sqlite_reader_open(image->path, VFS_STRICT, &store, &err) < 0) die(err.message);
    int code = sqlite3_exec(sqlite_reader(store), "PRAGMA user_version", NULL, NULL, NULL) != SQLITE_OK
                   ? 0
                   : log_end_check(dir_fd, sqlite_reader(store), image->path, &err);
    (void)store_close(store);
    close(dir_fd);
    file_path(image, "orch.db-shm", path);
    (void)unlink(path); /* as after a crash */
    return code == ORCH_ERR_CORRUPT;
}

static bool is_refused(const struct image *image, const struct classes *classes, const struct kept *kept, uint64_t bit,
                       int number)
{
    char path[300];
    file_path(image, kept->name, path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    unsigned char byte = kept->bytes[bit / 8] ^ (unsigned char)(1 << (bit % 8));
    if (fd < 0 || pwrite(fd, &byte, 1, (off_t)(bit / 8)) != 1) die(path);
    bool refused = strcmp(kept->name, "orch.db") == 0 ? page_is_refused(classes, number) : log_is_refused(image);
    if (pwrite(fd, kept->bytes + bit / 8, 1, (off_t)(bit / 8)) != 1) die(path);
    close(fd);
    return refused;
}

static void try_bit(struct image *image, int index, uint64_t bit, const struct answers *truth, bool is_deep,
                    bool is_sample, struct classes *classes, struct counts *counts)
{
    const struct damage damage = {.kind = DAMAGE_BIT, .bit = bit};
    int number = class_of(classes, &image->files[index], bit);
    if (number >= 0 && !is_deep && classes->outcomes[number] >= 0 &&
        is_refused(image, classes, &image->files[index], bit, number)) {
        add_outcome(counts, classes->outcomes[number]);
        return;
    }
    int outcome = try_damage(image, index, &damage, truth, is_sample, counts);
    counts->deep++;
    if (number < 0) return;
    if (classes->outcomes[number] >= 0 && classes->outcomes[number] != outcome) {
        tell("other bits of the page ended otherwise", "");
        counts->strange++;
    }
    classes->outcomes[number] = (signed char)outcome;
}

static void add_counts(struct counts *sum, const struct counts *more)
{
    sum->bits += more->bits;
    sum->deep += more->deep;
    sum->noticed += more->noticed;
    sum->harmless += more->harmless;
    sum->silent += more->silent;
    sum->asked += more->asked;
    sum->unnamed += more->unnamed;
    sum->misplaced += more->misplaced;
    sum->changed += more->changed;
    sum->strange += more->strange;
    sum->salvaged += more->salvaged;
    sum->salvaged_less += more->salvaged_less;
    sum->salvaged_badly += more->salvaged_badly;
}

static void print_counts(const char *name, const char *file, const char *what, const struct counts *counts)
{
    printf("%-8s %-12s %9llu %s: %llu detected, %llu harmless, %llu silently different\n", name, file,
           (unsigned long long)counts->bits, what, (unsigned long long)counts->noticed,
           (unsigned long long)counts->harmless, (unsigned long long)counts->silent);
}

/* What comes of a file, shared by all processes. */
struct result {
    struct counts bits, pieces;
};

struct options {
    uint64_t bits, pieces, seed, jobs, sample, deep;
    bool has_small_pages;
};

static void check_truth(const struct image *image, const struct answers *truth)
{
    struct check_counts checked;
    struct orch_error err = ORCH_ERROR_INIT;
    struct named named = {.file = NULL};
    for (int i = 0; i < truth->count; i++)
        if (truth->items[i].is_noticed) {
            fprintf(stderr, "flip: the truth is damaged: %s\n", truth->error.message);
            exit(2);
        }
    if (store_check(image->path, note_finding, &named, &checked, &err) < 0 || named.count > 0 ||
        checked.executions != image->executions || (checked.blobs == 0) != (image->executions == 1)) {
        fprintf(stderr, "flip: doctor finds %d faults in the truth: %s\n", named.count, err.message);
        exit(2);
    }
}

/* Cuts at any byte; spans of up to a page and more. */
static struct damage draw_piece(uint64_t *seed, size_t size)
{
    static const size_t spans[] = {1, 2, 8, 24, 512, 536, 4096, 20000};
    struct damage damage = {.kind = DAMAGE_NOISE + (enum damage_kind)(next_random(seed) % 3)};
    damage.bit = next_random(seed) % size * 8;
    damage.seed = next_random(seed);
    size_t span = spans[next_random(seed) % (sizeof spans / sizeof *spans)];
    if (damage.kind != DAMAGE_CUT) damage.size = span;
    return damage;
}

/* One job's share. Of a drawn number of bits each file gets its part, and at least 200. */
static void try_image(struct image *image, const struct options *options, uint64_t job, struct result *results)
{
    struct answers truth;
    struct classes classes = {.page_size = 0};
    uint64_t total = 0, seed = options->seed;
    copy_image(image, job);
    ask_all(image->path, STORE_READ, &truth);
    restore(image);
    check_truth(image, &truth);
    classes_open(&classes, image);
    for (int i = 0; i < image->count; i++) total += image->files[i].size * 8;
    for (int i = 0; i < image->count; i++) {
        uint64_t size = image->files[i].size * 8, wanted = size;
        if (size == 0) continue;
        if (options->bits > 0) {
            wanted = options->bits * size / total;
            if (wanted < 200) wanted = size < 200 ? size : 200;
        }
        memset(classes.outcomes, -1, sizeof classes.outcomes);
        for (uint64_t n = 0; n < wanted; n++) {
            uint64_t dice = n, bit = options->bits > 0 && wanted < size ? next_random(&seed) % size : n;
            if (n % options->jobs != job) continue;
            bool is_deep = next_random(&dice) % options->deep == 0;
            bool is_sample = next_random(&dice) % options->sample == 0;
            try_bit(image, i, bit, &truth, is_deep, is_sample, &classes, &results[i].bits);
        }
        for (uint64_t n = 0; n < options->pieces; n++) {
            struct damage damage = draw_piece(&seed, image->files[i].size);
            if (n % options->jobs == job) (void)try_damage(image, i, &damage, &truth, true, &results[i].pieces);
        }
    }
    classes_close(&classes);
}

static bool read_options(int argc, char **argv, struct options *options)
{
    bool ok = argc % 2 == 1;
    for (int i = 1; i + 1 < argc && ok; i += 2) {
        struct orch_str value = str_from(argv[i + 1]);
        if (strcmp(argv[i], "--bits") == 0)
            ok = str_to_uint64(value, &options->bits);
        else if (strcmp(argv[i], "--pieces") == 0)
            ok = str_to_uint64(value, &options->pieces);
        else if (strcmp(argv[i], "--seed") == 0)
            ok = str_to_uint64(value, &options->seed);
        else if (strcmp(argv[i], "--jobs") == 0)
            ok = str_to_uint64(value, &options->jobs) && options->jobs >= 1 && options->jobs <= JOBS_MAX;
        else if (strcmp(argv[i], "--sample") == 0)
            ok = str_to_uint64(value, &options->sample) && options->sample >= 1;
        else if (strcmp(argv[i], "--deep") == 0)
            ok = str_to_uint64(value, &options->deep) && options->deep >= 1;
        else if (strcmp(argv[i], "--pages") == 0)
            ok = (options->has_small_pages = str_is(value, "small")) || str_is(value, "usual");
        else
            ok = false;
    }
    if (!ok)
        fprintf(stderr, "usage: flip [--bits N] [--pieces N] [--seed N] [--jobs N] [--pages small|usual] [--sample N] "
                        "[--deep N]\n");
    return ok;
}

/* Every job in a process of its own, with stores of its own. */
static bool run_jobs(struct image images[IMAGES], const struct options *options,
                     struct result results[][IMAGES][FILES_MAX])
{
    bool ok = true;
    fflush(stdout);
    for (uint64_t job = 0; job < options->jobs; job++) {
        pid_t pid = fork();
        if (pid < 0) die("fork");
        if (pid > 0) continue;
        (void)signal(SIGALRM, on_alarm);
        for (int i = 0; i < IMAGES; i++) try_image(&images[i], options, job, results[job][i]);
        _exit(0);
    }
    for (uint64_t job = 0; job < options->jobs; job++) {
        int status = 0;
        if (wait(&status) < 0 || status != 0) ok = false;
    }
    return ok;
}

int main(int argc, char **argv)
{
    struct options options = {.seed = 1, .jobs = 1, .sample = 1, .deep = 1};
    if (!read_options(argc, argv, &options)) return 2;
    /* It opens some millions of databases, each in one thread at a time, and nobody asks how much memory it has. */
    if (sqlite3_config(SQLITE_CONFIG_MULTITHREAD) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK)
        die("SQLite");
    char folder[100];
    static struct image images[IMAGES];
    struct counts bits = {0}, pieces = {0}, sum = {0};
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.60s/orch-flip-XXXXXX",
             tmp                             ? tmp
             : access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                                             : "/tmp");
    if (!mkdtemp(folder)) die(folder);
    size_t size = sizeof(struct result) * JOBS_MAX * IMAGES * FILES_MAX;
    struct result(*results)[IMAGES][FILES_MAX] =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (results == MAP_FAILED) die("mmap");
    printf("seed %llu\n", (unsigned long long)options.seed);
    make_image(&images[0], folder, "closed", SMALL_CLOSED, options.has_small_pages);
    make_image(&images[1], folder, "crashed", SMALL_CRASHED, options.has_small_pages);
    make_image(&images[2], folder, "young", SMALL_YOUNG, options.has_small_pages);
    bool ok = run_jobs(images, &options, results);
    (void)file_remove_tree(folder, NULL); /* only space */
    for (int i = 0; i < IMAGES; i++) {
        const char *name = strrchr(images[i].path, '/') + 1;
        for (int j = 0; j < images[i].count; j++) {
            struct result file = {0};
            for (uint64_t job = 0; job < options.jobs; job++) {
                add_counts(&file.bits, &results[job][i][j].bits);
                add_counts(&file.pieces, &results[job][i][j].pieces);
            }
            printf("%-8s %-12s %9zu bytes\n", name, images[i].files[j].name, images[i].files[j].size);
            print_counts(name, images[i].files[j].name, "bits", &file.bits);
            if (options.pieces > 0) print_counts(name, images[i].files[j].name, "pieces", &file.pieces);
            add_counts(&bits, &file.bits);
            add_counts(&pieces, &file.pieces);
            free(images[i].files[j].bytes);
        }
    }
    print_counts("all", "", "bits", &bits);
    if (options.pieces > 0) print_counts("all", "", "pieces", &pieces);
    printf("%llu bits were tried whole, %llu by the checksum of their page or frame\n", (unsigned long long)bits.deep,
           (unsigned long long)(bits.bits - bits.deep));
    add_counts(&sum, &bits);
    add_counts(&sum, &pieces);
    printf("doctor asked of %llu: %llu noticed and not named by doctor, %llu named at another place, %llu files "
           "changed by an owner that "
           "refused, %llu other failures\n",
           (unsigned long long)sum.asked, (unsigned long long)sum.unnamed, (unsigned long long)sum.misplaced,
           (unsigned long long)sum.changed, (unsigned long long)sum.strange);
    printf("%llu salvaged: %llu whole, %llu with something missing and told, %llu wrongly\n",
           (unsigned long long)sum.salvaged,
           (unsigned long long)(sum.salvaged - sum.salvaged_less - sum.salvaged_badly),
           (unsigned long long)sum.salvaged_less, (unsigned long long)sum.salvaged_badly);
    if (!ok) printf("not all was tried\n");
    bool is_wrong = sum.silent || sum.unnamed || sum.misplaced || sum.changed || sum.strange || sum.salvaged_badly;
    return is_wrong || !ok ? 1 : 0;
}
