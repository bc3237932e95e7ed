/*
 * disk.c - the store of a life in front of what is durable.
 */
#include "sim/disk.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "store/internal.h"

struct pending {
    struct disk *disk;
    struct arena arena;
    struct store_entry *entries;
    uint32_t count;
    struct sim_append fate;
    bool is_due;
    uint64_t serial;
    void (*done)(void *user, int status);
    void *user;
    struct pending *next;
};

/* Durable with the next append. */
struct definition {
    struct orch_str digest, name, normal;
    struct definition *next;
};

struct front {
    struct store base;
    struct disk *disk;
    bool failed; /* a sync has failed: nothing more is written in this life */
};

struct disk {
    const struct sim_hooks *hooks;
    struct sim *sim;
    char mark[33];
    struct store *durable;
    int64_t number_max;
    struct front *front; /* the store of this life; NULL between lives */
    struct pending *first, **last;
    uint64_t serial;
    bool is_short; /* there was no memory for what has become durable */
    struct definition *definitions;
    struct arena definitions_arena;
};

static struct disk *disk_of(struct store *store)
{
    return ((struct front *)store)->disk;
}

static struct store *durable_of(struct store *store)
{
    return disk_of(store)->durable;
}

/*
 * Copies: the engine's texts are gone when an append returns.
 */
static int copy_row(const struct store_execution *row, struct arena *arena, const struct store_execution **ret)
{
    if (!row) return 0;
    struct store_execution *copy = ARENA_NEW(arena, struct store_execution);
    if (!copy || store_execution_to_arena(row, arena, copy, NULL)) return ORCH_ERR_NO_MEMORY;
    *ret = copy;
    return 0;
}

static int copy_text(struct orch_str text, struct arena *arena, struct orch_str *ret)
{
    *ret = text.size ? arena_str(arena, text) : text;
    return ret->data || !text.size ? 0 : ORCH_ERR_NO_MEMORY;
}

static int copy_entry(const struct store_entry *entry, struct arena *arena, struct store_entry *ret)
{
    struct store_blob *blobs = ARENA_ARRAY(arena, entry->blobs_count, struct store_blob);
    *ret = *entry;
    int r = blobs ? 0 : ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < entry->blobs_count && !r; i++) {
        blobs[i].blob = entry->blobs[i].blob;
        r = copy_text(entry->blobs[i].content, arena, &blobs[i].content);
    }
    ret->blobs = blobs;
    if (!r) r = copy_text(entry->record, arena, &ret->record);
    if (!r) r = copy_row(entry->create, arena, &ret->create);
    if (!r) r = copy_row(entry->update, arena, &ret->update);
    return r;
}

static void pending_free(struct pending *pending)
{
    arena_done(&pending->arena);
    (void)mem_resize(NULL, pending, sizeof *pending, 0); /* freeing cannot fail */
}

/*
 * What reaches the disk. A world that has no memory for itself tells nothing: it ends.
 */
static void make_durable(struct disk *disk, struct pending *pending)
{
    struct store *durable = disk->durable;
    int r = 0;
    for (const struct definition *d = disk->definitions; d && !r; d = d->next)
        r = durable->methods->put_definition(durable, d->digest, d->name, d->normal, NULL);
    if (!r) r = durable->methods->append(durable, pending->entries, pending->count, NULL, NULL, NULL);
    if (r) {
        disk->is_short = true;
        return;
    }
    disk->definitions = NULL;
    arena_clear(&disk->definitions_arena);
    (void)durable->methods->poll(durable);
    for (uint32_t i = 0; i < pending->count; i++)
        if (pending->entries[i].number > disk->number_max) disk->number_max = pending->entries[i].number;
    if (disk->hooks->durable) disk->hooks->durable(disk->hooks->user, pending->entries, pending->count);
}

/* The time of the oldest append under way has come: they end in order. */
static void on_due(void *user, uint64_t argument)
{
    struct disk *disk = user;
    struct pending *pending = disk->first;
    /* Those of an earlier life are gone. */
    if (!pending || pending->serial != argument || pending->is_due) return;
    pending->is_due = true;
    if (pending->fate.status == 0 || (pending->fate.status == ORCH_ERR_IO && pending->fate.is_kept))
        make_durable(disk, pending);
    if (pending->fate.status == ORCH_ERR_IO) disk->front->failed = true;
}

static int front_append(struct store *base, const struct store_entry *entries, uint32_t count,
                        void (*done)(void *user, int status), void *user, struct orch_error *err)
{
    struct front *front = (struct front *)base;
    struct disk *disk = front->disk;
    if (front->failed) return error_set(err, ORCH_ERR_STATE, "the simulated disk has failed");
    /* The engine has one append under way at a time; that is all this world knows of. */
    if (disk->first) return error_set(err, ORCH_ERR_MISUSE, "an append is under way");
    struct pending *pending = mem_resize(NULL, NULL, 0, sizeof *pending);
    if (!pending) return error_memory(err);
    memset(pending, 0, sizeof *pending);
    arena_init(&pending->arena, NULL, 0);
    pending->disk = disk;
    pending->serial = ++disk->serial;
    pending->count = count;
    pending->done = done;
    pending->user = user;
    pending->entries = ARENA_ARRAY(&pending->arena, count, struct store_entry);
    int r = pending->entries ? 0 : ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < count && !r; i++) r = copy_entry(&entries[i], &pending->arena, &pending->entries[i]);
    pending->fate = (struct sim_append){.latency = ORCH_SECOND / 1000};
    if (!r && disk->hooks->append) disk->hooks->append(disk->hooks->user, &pending->fate);
    if (!r && !sim_at(disk->sim, sim_now(disk->sim) + pending->fate.latency, on_due, disk, pending->serial))
        r = ORCH_ERR_NO_MEMORY;
    if (r) {
        pending_free(pending);
        return error_memory(err);
    }
    *disk->last = pending;
    disk->last = &pending->next;
    base->pending++;
    return 0;
}

static uint32_t front_poll(struct store *base)
{
    struct disk *disk = disk_of(base);
    struct pending *pending = disk->first;
    if (!pending || !pending->is_due) return 0;
    disk->first = pending->next;
    if (!disk->first) disk->last = &disk->first;
    base->pending--;
    int status = pending->fate.status;
    void (*done)(void *user, int status) = pending->done;
    void *user = pending->user;
    pending_free(pending);
    if (done) done(user, status);
    return 1;
}

static int front_put_definition(struct store *base, struct orch_str digest, struct orch_str name,
                                struct orch_str normal, struct orch_error *err)
{
    struct disk *disk = disk_of(base);
    struct arena *arena = &disk->definitions_arena;
    struct definition *definition = ARENA_NEW(arena, struct definition);
    if (!definition || copy_text(digest, arena, &definition->digest) || copy_text(name, arena, &definition->name) ||
        copy_text(normal, arena, &definition->normal))
        return error_memory(err);
    definition->next = disk->definitions;
    disk->definitions = definition;
    return 0;
}

static int front_get_definition(struct store *base, struct orch_str digest, struct arena *arena,
                                struct orch_str *ret_normal, struct orch_error *err)
{
    for (const struct definition *d = disk_of(base)->definitions; d; d = d->next) {
        if (!str_equal(d->digest, digest)) continue;
        return copy_text(d->normal, arena, ret_normal) ? error_memory(err) : 0;
    }
    return store_get_definition(durable_of(base), digest, arena, ret_normal, err);
}

/* Reading: what is durable. */
static int front_get_blob(struct store *base, int64_t number, uint64_t blob, struct arena *arena, struct orch_str *ret,
                          struct orch_error *err)
{
    return store_get_blob(durable_of(base), number, blob, arena, ret, err);
}

static int front_each_alive(struct store *base, int (*fn)(void *user, const struct store_execution *execution),
                            void *user, struct orch_error *err)
{
    return store_each_alive(durable_of(base), fn, user, err);
}

static int front_get_execution(struct store *base, int64_t number, struct arena *arena, struct store_execution *ret,
                               struct orch_error *err)
{
    return store_get_execution(durable_of(base), number, arena, ret, err);
}

static int front_each_record(struct store *base, int64_t number, uint64_t from_seq,
                             int (*fn)(void *user, uint64_t first_seq, uint32_t count, struct orch_str record),
                             void *user, struct orch_error *err)
{
    return store_each_record(durable_of(base), number, from_seq, fn, user, err);
}

static int front_each_execution(struct store *base, const struct store_filter *filter,
                                int (*fn)(void *user, const struct store_execution *execution), void *user,
                                struct orch_error *err)
{
    return store_each_execution(durable_of(base), filter, fn, user, err);
}

static int front_count_states(struct store *base, uint64_t ret_counts[16], struct orch_error *err)
{
    return store_count_states(durable_of(base), ret_counts, err);
}

static int front_find_latest(struct store *base, struct orch_str file, bool alive, int64_t *ret_number,
                             struct orch_error *err)
{
    return store_find_latest(durable_of(base), file, alive, ret_number, err);
}

static int front_failure(struct store *base, struct orch_error *err)
{
    if (!((struct front *)base)->failed) return 0;
    return error_set(err, ORCH_ERR_IO, "the simulated disk has failed");
}

static bool front_is_short(struct store *base)
{
    (void)base;
    return false;
}

static void drop_pending(struct disk *disk)
{
    for (struct pending *pending = disk->first, *next; pending; pending = next) {
        next = pending->next;
        pending_free(pending);
    }
    disk->first = NULL;
    disk->last = &disk->first;
    disk->definitions = NULL;
    arena_clear(&disk->definitions_arena);
}

static void front_close(struct store *base)
{
    struct front *front = (struct front *)base;
    drop_pending(front->disk);
    front->disk->front = NULL;
    (void)mem_resize(NULL, front, sizeof *front, 0); /* freeing cannot fail */
}

static const struct store_methods front_methods = {
    .close = front_close,
    .append = front_append,
    .poll = front_poll,
    .put_definition = front_put_definition,
    .get_definition = front_get_definition,
    .get_blob = front_get_blob,
    .each_alive = front_each_alive,
    .get_execution = front_get_execution,
    .each_record = front_each_record,
    .each_execution = front_each_execution,
    .count_states = front_count_states,
    .find_latest = front_find_latest,
    .failure = front_failure,
    .is_short = front_is_short,
};

/*
 * The disk.
 */
struct disk *disk_new(const char *mark, const struct sim_hooks *hooks, struct sim *sim)
{
    struct disk *disk = mem_resize(NULL, NULL, 0, sizeof *disk);
    if (!disk) return NULL;
    memset(disk, 0, sizeof *disk);
    struct store_options options = {.mode = STORE_OWN};
    struct orch_error err = ORCH_ERROR_INIT;
    if (store_open(NULL, &options, &disk->durable, &err)) {
        (void)mem_resize(NULL, disk, sizeof *disk, 0); /* freeing cannot fail */
        return NULL;
    }
    disk->hooks = hooks;
    disk->sim = sim;
    snprintf(disk->mark, sizeof disk->mark, "%s", mark);
    disk->last = &disk->first;
    arena_init(&disk->definitions_arena, NULL, 0);
    return disk;
}

struct disk *disk_free(struct disk *disk)
{
    if (!disk) return NULL;
    ORCH_ASSERT(!disk->front); /* the life that used it is over */
    drop_pending(disk);
    arena_done(&disk->definitions_arena);
    disk->durable = store_close(disk->durable);
    (void)mem_resize(NULL, disk, sizeof *disk, 0); /* freeing cannot fail */
    return NULL;
}

int disk_open(struct disk *disk, struct store **ret, struct orch_error *err)
{
    ORCH_ASSERT(!disk->front);
    struct front *front = mem_resize(NULL, NULL, 0, sizeof *front);
    if (!front) return error_memory(err);
    *front = (struct front){.base = {.methods = &front_methods, .mode = STORE_OWN, .next_number = disk->number_max + 1},
                            .disk = disk};
    memcpy(front->base.mark, disk->mark, sizeof disk->mark);
    disk->front = front;
    *ret = &front->base;
    return 0;
}

struct store *disk_durable(struct disk *disk)
{
    return disk->durable;
}

bool disk_is_short(const struct disk *disk)
{
    return disk->is_short;
}

void disk_crash(struct disk *disk)
{
    struct pending *pending = disk->first;
    if (!pending || pending->is_due) return;
    if (pending->fate.is_kept && pending->fate.status != ORCH_ERR_FULL) {
        pending->is_due = true;
        make_durable(disk, pending);
    }
}
