/*
 * store.c - what both stores share: checking what is handed in, choosing the store, digests and copies of rows.
 */
#include "store/store.h"

#include <errno.h>
#include <sys/random.h>

#include "base/error.h"
#include "store/internal.h"
#include "store/sqlite.h"

int store_open(const char *path, const struct store_options *options, struct store **ret, struct orch_error *err)
{
    if (path) return sqlite_store_open(path, options, ret, err);
    return memory_store_open(options, ret, err);
}

struct store *store_close(struct store *store)
{
    if (store) store->methods->close(store);
    return NULL;
}

bool store_is_owned(const struct store *store)
{
    const char *path = store_path(store);
    return !path || lock_is_held(path);
}

struct orch_str store_mark(const struct store *store)
{
    return str_from(store->mark);
}

static bool text_fits(struct orch_str s)
{
    return s.size <= STORE_RECORD_SIZE_MAX;
}

static int check_execution(const struct store_execution *e, struct orch_error *err)
{
    if (e->state >= STORE_STATE_COUNT) return error_set(err, ORCH_ERR_MISUSE, "state %u of an execution", e->state);
    if (!text_fits(e->workflow) || !text_fits(e->digest) || !text_fits(e->base_dir) || !text_fits(e->file) ||
        !text_fits(e->parameters) || !text_fits(e->by) || !text_fits(e->error) || !text_fits(e->waiting))
        return error_set(err, ORCH_ERR_LIMIT, "a text of an execution is longer than %u bytes", STORE_RECORD_SIZE_MAX);
    return 0;
}

static int check_entry(const struct store *store, const struct store_entry *entry, struct orch_error *err)
{
    if (entry->number < 1 || entry->number >= store->next_number)
        return error_set(err, ORCH_ERR_MISUSE, "execution number %lld was not handed out", (long long)entry->number);
    if (entry->create && entry->create->number != entry->number)
        return error_set(err, ORCH_ERR_MISUSE, "the row of execution %lld has another number",
                         (long long)entry->number);
    if (entry->create && entry->update)
        return error_set(err, ORCH_ERR_MISUSE, "execution %lld is both made and updated", (long long)entry->number);
    if (entry->count == 0 ? entry->record.size > 0
                          : entry->first_seq < 1 || entry->first_seq > (uint64_t)INT64_MAX - entry->count)
        return error_set(err, ORCH_ERR_MISUSE, "sequence %llu of execution %lld", (unsigned long long)entry->first_seq,
                         (long long)entry->number);
    if (!text_fits(entry->record))
        return error_set(err, ORCH_ERR_LIMIT, "a record of %zu bytes is longer than %u", entry->record.size,
                         STORE_RECORD_SIZE_MAX);
    for (uint32_t i = 0; i < entry->blobs_count; i++)
        if (entry->blobs[i].content.size > STORE_BLOB_SIZE_MAX)
            return error_set(err, ORCH_ERR_LIMIT, "a blob of %zu bytes is longer than %u", entry->blobs[i].content.size,
                             STORE_BLOB_SIZE_MAX);
    int code = entry->create ? check_execution(entry->create, err) : 0;
    if (code == 0 && entry->update) code = check_execution(entry->update, err);
    return code;
}

int store_append(struct store *store, const struct store_entry *entries, uint32_t count,
                 void (*done)(void *user, int status), void *user, struct orch_error *err)
{
    if (store->mode == STORE_READ) return error_set(err, ORCH_ERR_CONCURRENCY, "the store is open for reading only");
    for (uint32_t i = 0; i < count; i++) {
        int code = check_entry(store, &entries[i], err);
        if (code < 0) return code;
    }
    return store->methods->append(store, entries, count, done, user, err);
}

uint32_t store_poll(struct store *store)
{
    return store->methods->poll(store);
}

uint32_t store_pending(const struct store *store)
{
    return store->pending;
}

int64_t store_next_number(struct store *store)
{
    ORCH_ASSERT(store->next_number < INT64_MAX);
    return store->next_number++;
}

int store_put_definition(struct store *store, struct orch_str digest, struct orch_str name, struct orch_str normal,
                         struct orch_error *err)
{
    if (store->mode == STORE_READ) return error_set(err, ORCH_ERR_CONCURRENCY, "the store is open for reading only");
    if (digest.size == 0) return error_set(err, ORCH_ERR_MISUSE, "a definition without a digest");
    if (!text_fits(digest) || !text_fits(name) || !text_fits(normal))
        return error_set(err, ORCH_ERR_LIMIT, "a definition is longer than %u bytes", STORE_RECORD_SIZE_MAX);
    return store->methods->put_definition(store, digest, name, normal, err);
}

int store_get_definition(struct store *store, struct orch_str digest, struct arena *arena, struct orch_str *ret_normal,
                         struct orch_error *err)
{
    return store->methods->get_definition(store, digest, arena, ret_normal, err);
}

int store_get_blob(struct store *store, int64_t number, uint64_t blob, struct arena *arena, struct orch_str *ret,
                   struct orch_error *err)
{
    return store->methods->get_blob(store, number, blob, arena, ret, err);
}

int store_each_alive(struct store *store, int (*fn)(void *user, const struct store_execution *execution), void *user,
                     struct orch_error *err)
{
    return store->methods->each_alive(store, fn, user, err);
}

int store_get_execution(struct store *store, int64_t number, struct arena *arena, struct store_execution *ret,
                        struct orch_error *err)
{
    return store->methods->get_execution(store, number, arena, ret, err);
}

int store_each_record(struct store *store, int64_t number, uint64_t from_seq,
                      int (*fn)(void *user, uint64_t first_seq, uint32_t count, struct orch_str record), void *user,
                      struct orch_error *err)
{
    return store->methods->each_record(store, number, from_seq > INT64_MAX ? INT64_MAX : from_seq, fn, user, err);
}

int store_each_execution(struct store *store, const struct store_filter *filter,
                         int (*fn)(void *user, const struct store_execution *execution), void *user,
                         struct orch_error *err)
{
    struct store_filter f = *filter;
    uint32_t all = (1u << STORE_STATE_COUNT) - 1;
    f.state_mask &= all;
    if (filter->state_mask == 0) f.state_mask = all;
    if (f.count_max == 0) f.count_max = STORE_LIST_COUNT_DEFAULT;
    if (f.before < 0) f.before = 0;
    return store->methods->each_execution(store, &f, fn, user, err);
}

int store_count_states(struct store *store, uint64_t ret_counts[16], struct orch_error *err)
{
    return store->methods->count_states(store, ret_counts, err);
}

int store_find_latest(struct store *store, struct orch_str file, bool alive, int64_t *ret_number,
                      struct orch_error *err)
{
    if (file.size == 0) return error_set(err, ORCH_ERR_NOT_FOUND, "no file is named");
    return store->methods->find_latest(store, file, alive, ret_number, err);
}

int store_failure(struct store *store, struct orch_error *err)
{
    return store->methods->failure(store, err);
}

bool store_is_short(struct store *store)
{
    return store->methods->is_short(store);
}

void store_digest(struct orch_str normal, char out[65])
{
    unsigned char digest[32];
    store_sha256(normal, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        out[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    out[64] = '\0';
}

int store_make_mark(char out[33], struct orch_error *err)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return error_errno(err, errno, "cannot get random bytes");
    for (size_t i = 0; i < sizeof bytes; i++) {
        out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    out[32] = '\0';
    return 0;
}

size_t store_execution_texts_size(const struct store_execution *e)
{
    return e->id.size + e->workflow.size + e->digest.size + e->base_dir.size + e->file.size + e->parameters.size +
           e->by.size + e->error.size + e->waiting.size;
}

void store_execution_copy(struct copy *copy, const struct store_execution *execution, struct store_execution *ret)
{
    *ret = *execution;
    ret->id = copy_str(copy, execution->id);
    ret->workflow = copy_str(copy, execution->workflow);
    ret->digest = copy_str(copy, execution->digest);
    ret->base_dir = copy_str(copy, execution->base_dir);
    ret->file = copy_str(copy, execution->file);
    ret->parameters = copy_str(copy, execution->parameters);
    ret->by = copy_str(copy, execution->by);
    ret->error = copy_str(copy, execution->error);
    ret->waiting = copy_str(copy, execution->waiting);
}

int store_execution_to_arena(const struct store_execution *execution, struct arena *arena, struct store_execution *ret,
                             struct orch_error *err)
{
    struct copy copy = {arena_bytes(arena, store_execution_texts_size(execution))};
    if (!copy.next) return error_memory(err);
    store_execution_copy(&copy, execution, ret);
    return 0;
}
