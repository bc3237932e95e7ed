/*
 * flip.c - every single bit of a small store is turned, one at a time: what is answered then must be the truth or an
 * error, never something else.
 *
 * usage: flip [--bits N] [--seed N] [--share I/N]
 *
 * Without --bits all of them; else N that are drawn. Three stores: one that was closed, one whose owner was killed,
 * with half of it in its log, and one with all of it in its log. Files: orch.db, orch.db-wal, orch.db-end, lock and the
 * blobs. For each bit:
 *
 * - a reader opens it and asks everything; each answer is the truth's or an error that says damage;
 * - an owner does the same (the files are put back after it; when it refuses, it has changed nothing but the lock);
 * - what is noticed is named by store_check as well;
 * - of each that was drawn, else of one in 64: store_salvage makes a store without damage, in which each execution is
 * the truth's, is marked, or is missing and was told of.
 *
 * The last line has the counts. "harmless": all answers were the truth's. Exits with 1 if one was silently different.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "engine/engine.h"
#include "small_store.h"
#include "store/check.h"
#include "sys/file.h"

#define FILES_MAX   16
#define ANSWERS_MAX 80
#define BIT_SECONDS 20 /* longer than any takes, by far */

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

static void make_image(struct image *image, const char *folder, const char *name, enum small_store_kind kind)
{
    snprintf(image->path, sizeof image->path, "%s/%s", folder, name);
    small_store_make(image->path, kind);
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
 * One bit.
 */

struct counts {
    uint64_t bits, noticed, harmless, silent, strange, unnamed, changed;
    uint64_t salvaged, salvaged_less, salvaged_badly;
};

static struct {
    const char *image, *file;
    uint64_t bit;
} at; /* for whoever gets the alarm */

static void on_alarm(int signal)
{
    (void)signal;
    char text[200];
    int size =
        snprintf(text, sizeof text, "flip: hangs: %s %s bit %llu\n", at.image, at.file, (unsigned long long)at.bit);
    if (size > 0 && write(2, text, (size_t)size) < 0) _exit(3);
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
            fprintf(stderr, "flip: %s %s bit %llu: the %s is given another answer %d\n", at.image, at.file,
                    (unsigned long long)at.bit, who, i);
            return 2;
        }
    }
    return answers->count == truth->count ? is_noticed : 2;
}

static void first_finding(void *user, const struct check_finding *finding)
{
    if (finding->is_damage) (*(int *)user)++;
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
    int named = 0;
    if (store_check(path, first_finding, &named, &checked, &err) < 0 || named > 0) return "the copy is damaged";
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
            if (!is_missing && !is_marked) wrong = "an execution is another one, and not marked";
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
        fprintf(stderr, "flip: %s %s bit %llu: salvage: %s\n", at.image, at.file, (unsigned long long)at.bit, wrong);
        counts->salvaged_badly++;
    }
    counts->salvaged++;
    counts->salvaged_less += is_less || code < 0;
    (void)file_remove_tree(path, NULL); /* only space */
}

static void try_bit(const struct image *image, const struct kept *kept, uint64_t bit, const struct answers *truth,
                    bool with_salvage, struct counts *counts)
{
    char path[300];
    struct answers answers;
    at.image = strrchr(image->path, '/') + 1;
    at.file = kept->name;
    at.bit = bit;
    (void)alarm(BIT_SECONDS);
    file_path(image, kept->name, path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    unsigned char byte = kept->bytes[bit / 8] ^ (unsigned char)(1 << (bit % 8));
    if (fd < 0 || pwrite(fd, &byte, 1, (off_t)(bit / 8)) != 1) die(path);
    close(fd);

    ask_all(image->path, STORE_READ, &answers);
    int reader = compare(&answers, truth, "reader");
    struct check_counts checked;
    struct orch_error err = ORCH_ERROR_INIT;
    int named = 0;
    if (store_check(image->path, first_finding, &named, &checked, &err) < 0) {
        fprintf(stderr, "flip: %s %s bit %llu: doctor: %s\n", at.image, at.file, (unsigned long long)bit, err.message);
        counts->strange++;
    }

    if (with_salvage) try_salvage(image, truth, strcmp(kept->name, "orch.db") == 0, counts);

    /* The owner, with the same bit. */
    kept->bytes[bit / 8] ^= (unsigned char)(1 << (bit % 8));
    ask_all(image->path, STORE_OWN, &answers);
    int owner = compare(&answers, truth, "owner");
    if (answers.items[0].is_noticed) {
        for (int i = 0; i < image->count; i++) {
            if (strcmp(image->files[i].name, "lock") == 0 || is_as_kept(image, &image->files[i])) continue;
            fprintf(stderr, "flip: %s %s bit %llu: %s was changed by an owner that refused it: %s\n", at.image, at.file,
                    (unsigned long long)bit, image->files[i].name, answers.error.message);
            counts->changed++;
        }
    }
    kept->bytes[bit / 8] ^= (unsigned char)(1 << (bit % 8));
    restore(image);

    counts->bits++;
    if (reader == 2 || owner == 2)
        counts->silent++;
    else if (reader == 1 || owner == 1)
        counts->noticed++;
    else
        counts->harmless++;
    if ((reader == 1 || owner == 1) && named == 0) {
        fprintf(stderr, "flip: %s %s bit %llu: noticed (%s) and not named by doctor\n", at.image, at.file,
                (unsigned long long)bit, answers.error.message);
        counts->unnamed++;
    }
}

static void add_counts(struct counts *sum, const struct counts *more)
{
    sum->bits += more->bits;
    sum->noticed += more->noticed;
    sum->harmless += more->harmless;
    sum->silent += more->silent;
    sum->unnamed += more->unnamed;
    sum->changed += more->changed;
    sum->strange += more->strange;
    sum->salvaged += more->salvaged;
    sum->salvaged_less += more->salvaged_less;
    sum->salvaged_badly += more->salvaged_badly;
}

static void print_counts(const char *name, const char *file, const struct counts *counts)
{
    printf("%-8s %-12s %9llu bits: %llu detected, %llu harmless, %llu silently different\n", name, file,
           (unsigned long long)counts->bits, (unsigned long long)counts->noticed, (unsigned long long)counts->harmless,
           (unsigned long long)counts->silent);
    fflush(stdout);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = *seed;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

struct options {
    uint64_t bits, seed, share, shares;
};

static void check_truth(const struct image *image, const struct answers *truth)
{
    struct check_counts checked;
    struct orch_error err = ORCH_ERROR_INIT;
    int named = 0;
    for (int i = 0; i < truth->count; i++)
        if (truth->items[i].is_noticed) {
            fprintf(stderr, "flip: the truth is damaged: %s\n", truth->error.message);
            exit(2);
        }
    if (store_check(image->path, first_finding, &named, &checked, &err) < 0 || named > 0 ||
        checked.executions != image->executions || (checked.blobs == 0) != (image->executions == 1)) {
        fprintf(stderr, "flip: doctor finds %d faults in the truth: %s\n", named, err.message);
        exit(2);
    }
}

/* Of a drawn number of bits each file gets its part, and at least 200. */
static struct counts try_image(const struct image *image, const struct options *options)
{
    struct counts sum = {0};
    struct answers truth;
    uint64_t total = 0, seed = options->seed;
    const char *name = strrchr(image->path, '/') + 1;
    ask_all(image->path, STORE_READ, &truth);
    restore(image);
    for (int i = 0; i < image->count; i++)
        printf("%-8s %-12s %zu bytes\n", name, image->files[i].name, image->files[i].size);
    check_truth(image, &truth);
    for (int i = 0; i < image->count; i++) total += image->files[i].size * 8;
    for (int i = 0; i < image->count; i++) {
        const struct kept *kept = &image->files[i];
        uint64_t size = kept->size * 8, wanted = size;
        struct counts counts = {0};
        if (options->bits > 0) {
            wanted = options->bits * size / total;
            if (wanted < 200) wanted = size < 200 ? size : 200;
        }
        for (uint64_t n = 0; n < wanted; n++) {
            if (n % options->shares != options->share) continue;
            try_bit(image, kept, options->bits > 0 && wanted < size ? next_random(&seed) % size : n, &truth,
                    options->bits > 0 || n / options->shares % 64 == 0, &counts);
        }
        print_counts(name, kept->name, &counts);
        add_counts(&sum, &counts);
    }
    return sum;
}

int main(int argc, char **argv)
{
    struct options options = {.seed = 1, .shares = 1};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1], *slash = strchr(value, '/');
        bool ok = true;
        if (strcmp(argv[i], "--bits") == 0)
            ok = str_to_uint64(str_from(value), &options.bits);
        else if (strcmp(argv[i], "--seed") == 0)
            ok = str_to_uint64(str_from(value), &options.seed);
        else if (strcmp(argv[i], "--share") == 0)
            ok = slash && str_to_uint64(str_of(value, (size_t)(slash - value)), &options.share) &&
                 str_to_uint64(str_from(slash + 1), &options.shares) && options.share < options.shares;
        else
            ok = false;
        if (!ok) {
            fprintf(stderr, "usage: flip [--bits N] [--seed N] [--share I/N]\n");
            return 2;
        }
    }
    char folder[100];
    struct image images[3] = {{.count = 0}};
    struct counts sum = {0};
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.60s/orch-flip-XXXXXX",
             tmp                             ? tmp
             : access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                                             : "/tmp");
    if (!mkdtemp(folder)) die(folder);
    (void)signal(SIGALRM, on_alarm);
    printf("seed %llu\n", (unsigned long long)options.seed);
    make_image(&images[0], folder, "closed", SMALL_CLOSED);
    make_image(&images[1], folder, "crashed", SMALL_CRASHED);
    make_image(&images[2], folder, "young", SMALL_YOUNG);
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        struct counts counts = try_image(&images[i], &options);
        add_counts(&sum, &counts);
        for (int j = 0; j < images[i].count; j++) free(images[i].files[j].bytes);
    }
    (void)alarm(0);
    (void)file_remove_tree(folder, NULL); /* only space */
    print_counts("all", "", &sum);
    printf("%llu noticed and not named by doctor, %llu files changed by an owner that refused, %llu other failures\n",
           (unsigned long long)sum.unnamed, (unsigned long long)sum.changed, (unsigned long long)sum.strange);
    printf("%llu salvaged: %llu whole, %llu with something missing and told, %llu wrongly\n",
           (unsigned long long)sum.salvaged,
           (unsigned long long)(sum.salvaged - sum.salvaged_less - sum.salvaged_badly),
           (unsigned long long)sum.salvaged_less, (unsigned long long)sum.salvaged_badly);
    return sum.silent || sum.unnamed || sum.changed || sum.strange || sum.salvaged_badly ? 1 : 0;
}
