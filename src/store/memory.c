/*
 * memory.c - the store that is gone with the process: for runs that ask for it, for tests and for the simulator.
 *
 * What is appended can be read at once; its completion waits for store_poll, as with a disk. An append makes every copy
 * it needs before it changes anything, so that running out of memory in the middle leaves the store as it was.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/map.h"
#include "store/internal.h"

struct memory_record {
    struct memory_record *next;
    uint64_t first_seq;
    uint32_t count;
    size_t size;
    char bytes[];
};

struct memory_blob {
    struct memory_blob *next;
    uint64_t blob;
    size_t size;
    char bytes[];
};

/* The texts of the newest update. */
struct memory_texts {
    size_t size;
    char bytes[];
};

struct memory_execution {
    struct store_execution row; /* texts in `bytes`, error and waiting in `texts` once updated */
    char id[20];
    struct memory_texts *texts;
    struct memory_record *records, *records_last;
    struct memory_blob *blobs;
    struct memory_execution *alive_before, *alive_after; /* by number; linked while alive */
    size_t size;
    char bytes[];
};

struct memory_definition {
    size_t size;
    struct orch_str digest, normal;
    char bytes[];
};

struct memory_completion {
    struct memory_completion *next;
    void (*done)(void *user, int status);
    void *user;
};

struct memory_store {
    struct store base;
    struct memory_execution **rows; /* by number; NULL where there is none */
    size_t rows_capacity;
    int64_t number_max; /* of a row that exists */
    struct memory_execution *alive_first, *alive_last;
    uint64_t states[STORE_STATE_COUNT];
    struct map definitions; /* digest -> struct memory_definition */
    struct memory_completion *due, *due_last;
};

/* What one entry of an append needs, made before anything is changed. */
struct staged {
    struct memory_record *record;
    struct memory_execution *row;
    struct memory_texts *texts;
    struct memory_blob *blobs;
};

static void *take(struct memory_store *store, size_t size)
{
    return mem_resize(store->base.allocator, NULL, 0, size);
}

static void give(struct memory_store *store, void *block, size_t size)
{
    if (block) (void)mem_resize(store->base.allocator, block, size, 0); /* freeing cannot fail */
}

static void copy_bytes(char *to, struct orch_str s)
{
    if (s.size > 0) memcpy(to, s.data, s.size);
}

static struct memory_execution *row_find(struct memory_store *store, int64_t number)
{
    if (number < 1 || (uint64_t)number >= store->rows_capacity) return NULL;
    return store->rows[number];
}

static bool is_alive(const struct memory_execution *row)
{
    return row->row.state < STORE_STATE_FINISHED;
}

/*
 * Staging.
 */

static void blobs_free(struct memory_store *store, struct memory_blob *blob)
{
    while (blob) {
        struct memory_blob *next = blob->next;
        give(store, blob, sizeof *blob + blob->size);
        blob = next;
    }
}

static void staged_free(struct memory_store *store, struct staged *staged)
{
    if (staged->record) give(store, staged->record, sizeof *staged->record + staged->record->size);
    if (staged->row) give(store, staged->row, sizeof *staged->row + staged->row->size);
    if (staged->texts) give(store, staged->texts, sizeof *staged->texts + staged->texts->size);
    blobs_free(store, staged->blobs);
}

/* False when memory is short; what was made is in *staged either way. */
static bool stage_entry(struct memory_store *store, const struct store_entry *entry, struct staged *staged)
{
    if (entry->count > 0) {
        struct memory_record *record = take(store, sizeof *record + entry->record.size);
        if (!record) return false;
        *record =
            (struct memory_record){.first_seq = entry->first_seq, .count = entry->count, .size = entry->record.size};
        copy_bytes(record->bytes, entry->record);
        staged->record = record;
    }
    if (entry->create) {
        size_t size = store_execution_texts_size(entry->create);
        struct memory_execution *row = take(store, sizeof *row + size);
        if (!row) return false;
        memset(row, 0, sizeof *row);
        row->size = size;
        struct copy copy = {row->bytes};
        store_execution_copy(&copy, entry->create, &row->row);
        store_execution_id(entry->number, row->id);
        row->row.id = str_from(row->id);
        staged->row = row;
    }
    if (entry->update) {
        size_t size = entry->update->error.size + entry->update->waiting.size;
        struct memory_texts *texts = take(store, sizeof *texts + size);
        if (!texts) return false;
        texts->size = size;
        copy_bytes(texts->bytes, entry->update->error);
        copy_bytes(texts->bytes + entry->update->error.size, entry->update->waiting);
        staged->texts = texts;
    }
    for (uint32_t i = 0; i < entry->blobs_count; i++) {
        struct orch_str content = entry->blobs[i].content;
        struct memory_blob *blob = take(store, sizeof *blob + content.size);
        if (!blob) return false;
        *blob = (struct memory_blob){.next = staged->blobs, .blob = entry->blobs[i].blob, .size = content.size};
        copy_bytes(blob->bytes, content);
        staged->blobs = blob;
    }
    return true;
}

/* Room for the row of a number; numbers are handed out one by one, so this is dense. */
static bool reserve_row(struct memory_store *store, int64_t number)
{
    if ((uint64_t)number < store->rows_capacity) return true;
    size_t capacity = store->rows_capacity ? store->rows_capacity : 64;
    while (capacity <= (uint64_t)number) {
        if (capacity > SIZE_MAX / 4 / sizeof(void *)) return false;
        capacity *= 2;
    }
    struct memory_execution **rows = mem_resize(store->base.allocator, store->rows,
                                                store->rows_capacity * sizeof(void *), capacity * sizeof(void *));
    if (!rows) return false;
    memset(rows + store->rows_capacity, 0, (capacity - store->rows_capacity) * sizeof(void *));
    store->rows = rows;
    store->rows_capacity = capacity;
    return true;
}

/* What SQLite's keys and the committer would refuse. */
static int check_fits(struct memory_store *store, const struct store_entry *entries, uint32_t count,
                      struct orch_error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct store_entry *entry = &entries[i];
        const struct memory_execution *row = row_find(store, entry->number);
        bool exists = row != NULL;
        uint64_t next_seq = row && row->records_last ? row->records_last->first_seq + row->records_last->count : 0;
        for (uint32_t j = 0; j < i; j++) {
            if (entries[j].number != entry->number) continue;
            exists = exists || entries[j].create;
            if (entries[j].count > 0) next_seq = entries[j].first_seq + entries[j].count;
        }
        if (exists == (entry->create != NULL) || (entry->count > 0 && entry->first_seq < next_seq))
            return error_set(err, ORCH_ERR_MISUSE, "execution %lld: an append that does not follow what is stored",
                             (long long)entry->number);
    }
    return 0;
}

/*
 * Applying: nothing here fails.
 */

static void alive_link(struct memory_store *store, struct memory_execution *row)
{
    struct memory_execution *before = store->alive_last;
    while (before && before->row.number > row->row.number) before = before->alive_before;
    struct memory_execution *after = before ? before->alive_after : store->alive_first;
    row->alive_before = before;
    row->alive_after = after;
    *(before ? &before->alive_after : &store->alive_first) = row;
    *(after ? &after->alive_before : &store->alive_last) = row;
}

static void alive_unlink(struct memory_store *store, struct memory_execution *row)
{
    *(row->alive_before ? &row->alive_before->alive_after : &store->alive_first) = row->alive_after;
    *(row->alive_after ? &row->alive_after->alive_before : &store->alive_last) = row->alive_before;
    row->alive_before = row->alive_after = NULL;
}

static void apply_update(struct memory_store *store, struct memory_execution *row, const struct store_execution *update,
                         struct memory_texts *texts)
{
    bool was_alive = is_alive(row);
    store->states[row->row.state]--;
    store->states[update->state]++;
    row->row.state = update->state;
    row->row.generation = update->generation;
    row->row.tasks_total = update->tasks_total;
    row->row.tasks_done = update->tasks_done;
    row->row.tasks_failed = update->tasks_failed;
    row->row.started_at = update->started_at;
    row->row.ended_at = update->ended_at;
    row->row.updated_at = update->updated_at;
    if (row->texts) give(store, row->texts, sizeof *row->texts + row->texts->size);
    row->texts = texts;
    row->row.error = str_of(texts->bytes, update->error.size);
    row->row.waiting = str_of(texts->bytes + update->error.size, update->waiting.size);
    if (was_alive && !is_alive(row)) alive_unlink(store, row);
    if (!was_alive && is_alive(row)) alive_link(store, row);
}

static void apply_blobs(struct memory_store *store, struct memory_execution *row, struct memory_blob *blobs)
{
    while (blobs) {
        struct memory_blob *blob = blobs;
        blobs = blob->next;
        for (struct memory_blob **at = &row->blobs; *at; at = &(*at)->next) {
            if ((*at)->blob != blob->blob) continue;
            struct memory_blob *old = *at;
            *at = old->next;
            give(store, old, sizeof *old + old->size);
            break;
        }
        blob->next = row->blobs;
        row->blobs = blob;
    }
}

static void apply_entry(struct memory_store *store, const struct store_entry *entry, struct staged *staged)
{
    if (staged->row) {
        store->rows[entry->number] = staged->row;
        if (entry->number > store->number_max) store->number_max = entry->number;
        store->states[staged->row->row.state]++;
        if (is_alive(staged->row)) alive_link(store, staged->row);
    }
    struct memory_execution *row = store->rows[entry->number];
    if (entry->update) apply_update(store, row, entry->update, staged->texts);
    if (staged->record) {
        *(row->records_last ? &row->records_last->next : &row->records) = staged->record;
        row->records_last = staged->record;
    }
    apply_blobs(store, row, staged->blobs);
}

static int memory_append(struct store *base, const struct store_entry *entries, uint32_t count,
                         void (*done)(void *user, int status), void *user, struct orch_error *err)
{
    struct memory_store *store = (struct memory_store *)base;
    int code = check_fits(store, entries, count, err);
    if (code < 0) return code;
    size_t staged_size = ((size_t)count + 1) * sizeof(struct staged);
    struct staged *staged = take(store, staged_size);
    if (!staged) return error_memory(err);
    memset(staged, 0, staged_size);
    struct memory_completion *completion = take(store, sizeof *completion);
    bool ok = completion != NULL;
    for (uint32_t i = 0; ok && i < count; i++)
        ok = reserve_row(store, entries[i].number) && stage_entry(store, &entries[i], &staged[i]);
    if (!ok) {
        for (uint32_t i = 0; i < count; i++) staged_free(store, &staged[i]);
        give(store, completion, sizeof *completion);
        give(store, staged, staged_size);
        return error_memory(err);
    }
    for (uint32_t i = 0; i < count; i++) apply_entry(store, &entries[i], &staged[i]);
    give(store, staged, staged_size);
    *completion = (struct memory_completion){.done = done, .user = user};
    *(store->due_last ? &store->due_last->next : &store->due) = completion;
    store->due_last = completion;
    base->pending++;
    if (base->wake) base->wake(base->wake_user);
    return 0;
}

static uint32_t memory_poll(struct store *base)
{
    struct memory_store *store = (struct memory_store *)base;
    uint32_t count = 0;
    /* What a completion appends is left for the next poll. */
    for (uint32_t due = base->pending; due > 0 && store->due; due--, count++) {
        struct memory_completion completion = *store->due;
        give(store, store->due, sizeof completion);
        store->due = completion.next;
        if (!store->due) store->due_last = NULL;
        base->pending--;
        if (completion.done) completion.done(completion.user, 0);
    }
    return count;
}

/*
 * Definitions and blobs.
 */

static int memory_put_definition(struct store *base, struct orch_str digest, struct orch_str name,
                                 struct orch_str normal, struct orch_error *err)
{
    struct memory_store *store = (struct memory_store *)base;
    (void)name; /* for people who look into a database; there is none */
    if (map_find(&store->definitions, digest)) return 0;
    struct memory_definition *definition = take(store, sizeof *definition + digest.size + normal.size);
    if (!definition) return error_memory(err);
    struct copy copy = {definition->bytes};
    definition->size = digest.size + normal.size;
    definition->digest = copy_str(&copy, digest);
    definition->normal = copy_str(&copy, normal);
    struct map_entry *entry = map_add(&store->definitions, definition->digest, NULL);
    if (!entry) {
        give(store, definition, sizeof *definition + definition->size);
        return error_memory(err);
    }
    entry->pointer = definition;
    return 0;
}

static int memory_get_definition(struct store *base, struct orch_str digest, struct arena *arena,
                                 struct orch_str *ret_normal, struct orch_error *err)
{
    struct memory_store *store = (struct memory_store *)base;
    const struct map_entry *entry = map_find(&store->definitions, digest);
    if (!entry) return error_set(err, ORCH_ERR_NOT_FOUND, "there is no definition %.*s", STR_ARG(digest));
    struct orch_str normal = arena_str(arena, ((const struct memory_definition *)entry->pointer)->normal);
    if (!normal.data) return error_memory(err);
    *ret_normal = normal;
    return 0;
}

static int memory_get_blob(struct store *base, int64_t number, uint64_t blob, struct arena *arena, struct orch_str *ret,
                           struct orch_error *err)
{
    const struct memory_execution *row = row_find((struct memory_store *)base, number);
    const struct memory_blob *found = row ? row->blobs : NULL;
    while (found && found->blob != blob) found = found->next;
    if (!found)
        return error_set(err, ORCH_ERR_NOT_FOUND, "execution %lld has no blob %llu", (long long)number,
                         (unsigned long long)blob);
    struct orch_str content = arena_str(arena, str_of(found->bytes, found->size));
    if (!content.data) return error_memory(err);
    *ret = content;
    return 0;
}

/*
 * Reading.
 */

static int memory_each_alive(struct store *base, int (*fn)(void *user, const struct store_execution *execution),
                             void *user, struct orch_error *err)
{
    (void)err; /* nothing fails */
    int code = 0;
    const struct memory_execution *row = ((struct memory_store *)base)->alive_first;
    while (row && code == 0) {
        const struct memory_execution *next = row->alive_after;
        code = fn(user, &row->row);
        row = next;
    }
    return code;
}

static int memory_get_execution(struct store *base, int64_t number, struct arena *arena, struct store_execution *ret,
                                struct orch_error *err)
{
    const struct memory_execution *row = row_find((struct memory_store *)base, number);
    if (!row) return error_set(err, ORCH_ERR_NOT_FOUND, "there is no execution %lld", (long long)number);
    return store_execution_to_arena(&row->row, arena, ret, err);
}

static int memory_each_record(struct store *base, int64_t number, uint64_t from_seq,
                              int (*fn)(void *user, uint64_t first_seq, uint32_t count, struct orch_str record),
                              void *user, struct orch_error *err)
{
    (void)err; /* nothing fails */
    int code = 0;
    const struct memory_execution *row = row_find((struct memory_store *)base, number);
    for (const struct memory_record *record = row ? row->records : NULL; record && code == 0; record = record->next)
        if (record->first_seq + record->count > from_seq)
            code = fn(user, record->first_seq, record->count, str_of(record->bytes, record->size));
    return code;
}

static bool filter_matches(const struct store_filter *filter, const struct store_execution *row)
{
    return (filter->state_mask >> row->state & 1) && (filter->parent < 0 || row->parent == filter->parent) &&
           (filter->workflow.size == 0 || str_equal(filter->workflow, row->workflow)) &&
           (filter->since == 0 || row->created_at >= filter->since) &&
           (filter->until == 0 || row->created_at < filter->until);
}

/* By time of creation, newest first; by number where that is equal. */
static int compare_created(const void *a, const void *b)
{
    const struct store_execution *x = *(const struct store_execution *const *)a;
    const struct store_execution *y = *(const struct store_execution *const *)b;
    if (x->created_at != y->created_at) return x->created_at > y->created_at ? -1 : 1;
    return x->number > y->number ? -1 : x->number < y->number;
}

/* With a span of time the order is that of the times, as in query.c, and a page begins behind the row `before`. */
static int each_in_span(struct memory_store *store, const struct store_filter *filter,
                        int (*fn)(void *user, const struct store_execution *execution), void *user,
                        struct orch_error *err)
{
    size_t size = ((size_t)store->number_max + 1) * sizeof(void *);
    const struct store_execution **found = take(store, size);
    if (!found) return error_memory(err);
    size_t count = 0;
    const struct memory_execution *before = filter->before > 0 ? row_find(store, filter->before) : NULL;
    for (int64_t number = 1; number <= store->number_max; number++) {
        const struct memory_execution *row = store->rows[number];
        if (!row || !filter_matches(filter, &row->row)) continue;
        const struct store_execution *a = &row->row, *b = before ? &before->row : NULL;
        if (b ? compare_created(&a, &b) <= 0 : filter->before > 0 && number >= filter->before) continue;
        found[count++] = a;
    }
    qsort(found, count, sizeof *found, compare_created);
    int code = 0;
    for (size_t i = 0; i < count && i < filter->count_max && code == 0; i++) code = fn(user, found[i]);
    give(store, found, size);
    return code;
}

static int memory_each_execution(struct store *base, const struct store_filter *filter,
                                 int (*fn)(void *user, const struct store_execution *execution), void *user,
                                 struct orch_error *err)
{
    struct memory_store *store = (struct memory_store *)base;
    if (filter->since != 0 || filter->until != 0) return each_in_span(store, filter, fn, user, err);
    int64_t number = store->number_max;
    if (filter->before > 0 && filter->before <= number) number = filter->before - 1;
    int code = 0;
    for (uint32_t left = filter->count_max; number >= 1 && left > 0 && code == 0; number--) {
        const struct memory_execution *row = store->rows[number];
        if (!row || !filter_matches(filter, &row->row)) continue;
        left--;
        code = fn(user, &row->row);
    }
    return code;
}

static int memory_count_states(struct store *base, uint64_t ret_counts[16], struct orch_error *err)
{
    (void)err; /* nothing fails */
    memcpy(ret_counts, ((struct memory_store *)base)->states, sizeof((struct memory_store *)base)->states);
    return 0;
}

static int memory_find_latest(struct store *base, struct orch_str file, bool alive, int64_t *ret_number,
                              struct orch_error *err)
{
    struct memory_store *store = (struct memory_store *)base;
    for (int64_t number = store->number_max; number >= 1; number--) {
        const struct memory_execution *row = store->rows[number];
        if (!row || (alive && !is_alive(row)) || !str_equal(row->row.file, file)) continue;
        *ret_number = number;
        return 0;
    }
    return error_set(err, ORCH_ERR_NOT_FOUND, "no %sexecution of %.*s", alive ? "unfinished " : "", STR_ARG(file));
}

static int memory_failure(struct store *base, struct orch_error *err)
{
    (void)base;
    (void)err; /* it never fails for good */
    return 0;
}

static bool memory_is_short(struct store *base)
{
    (void)base;
    return false;
}

static void memory_close(struct store *base)
{
    struct memory_store *store = (struct memory_store *)base;
    const struct orch_allocator *allocator = base->allocator;
    for (int64_t number = 1; number <= store->number_max; number++) {
        struct memory_execution *row = store->rows[number];
        if (!row) continue;
        while (row->records) {
            struct memory_record *record = row->records;
            row->records = record->next;
            give(store, record, sizeof *record + record->size);
        }
        blobs_free(store, row->blobs);
        if (row->texts) give(store, row->texts, sizeof *row->texts + row->texts->size);
        give(store, row, sizeof *row + row->size);
    }
    give(store, store->rows, store->rows_capacity * sizeof(void *));
    for (uint32_t i = 0; i < store->definitions.count; i++) {
        struct memory_definition *definition = store->definitions.entries[i].pointer;
        give(store, definition, sizeof *definition + definition->size);
    }
    map_done(&store->definitions);
    while (store->due) {
        struct memory_completion *completion = store->due;
        store->due = completion->next;
        give(store, completion, sizeof *completion);
    }
    (void)mem_resize(allocator, store, sizeof *store, 0); /* freeing cannot fail */
}

static const struct store_methods memory_methods = {
    .close = memory_close,
    .append = memory_append,
    .poll = memory_poll,
    .put_definition = memory_put_definition,
    .get_definition = memory_get_definition,
    .get_blob = memory_get_blob,
    .each_alive = memory_each_alive,
    .get_execution = memory_get_execution,
    .each_record = memory_each_record,
    .each_execution = memory_each_execution,
    .count_states = memory_count_states,
    .find_latest = memory_find_latest,
    .failure = memory_failure,
    .is_short = memory_is_short,
};

int memory_store_open(const struct store_options *options, struct store **ret, struct orch_error *err)
{
    if (options->mode == STORE_READ) return error_set(err, ORCH_ERR_NOT_FOUND, "a store in memory has nothing to read");
    struct memory_store *store = mem_resize(options->allocator, NULL, 0, sizeof *store);
    if (!store) return error_memory(err);
    *store = (struct memory_store){.base = {.methods = &memory_methods,
                                            .allocator = options->allocator,
                                            .wake = options->wake,
                                            .wake_user = options->user,
                                            .next_number = 1}};
    int code = store_make_mark(store->base.mark, err);
    if (code < 0) {
        (void)mem_resize(options->allocator, store, sizeof *store, 0); /* freeing cannot fail */
        return code;
    }
    map_init(&store->definitions, options->allocator);
    *ret = &store->base;
    return 0;
}
