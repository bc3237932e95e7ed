/*
 * check_journal.c - the journal of one execution, folded as far as it goes: sequence, checksum, form, whether each
 * transition can follow the state there is, and whether the blobs it names can be read.
 */
#include <stdio.h>

#include "base/error.h"
#include "lang/diag.h"
#include "store/check_internal.h"

void journal_reader_init(struct journal_reader *reader, struct store *store)
{
    *reader = (struct journal_reader){.store = store, .definitions = store};
    zonefiles_init(&reader->zones, NULL, NULL);
    arena_init(&reader->arena, NULL, 0);
    arena_init(&reader->texts, NULL, 0);
}

void journal_reader_done(struct journal_reader *reader)
{
    zonefiles_done(&reader->zones);
    arena_done(&reader->arena);
    arena_done(&reader->texts);
}

/* The workflow of a definition, from the last call if it is the same one. NULL with err filled. */
static int read_workflow(struct journal_reader *reader, struct orch_str digest, struct orch_error *err)
{
    struct orch_str normal;
    char found[65];
    if (reader->workflow && str_is(digest, reader->digest)) return 0;
    reader->workflow = NULL;
    reader->digest[0] = '\0';
    arena_clear(&reader->arena);
    if (digest.size >= sizeof reader->digest)
        return error_set(err, ORCH_ERR_CORRUPT, "the name of its definition is none");
    int code = store_get_definition(reader->definitions, digest, &reader->arena, &normal, err);
    if (code < 0) return code;
    store_digest(normal, found);
    if (!str_is(digest, found))
        return error_set(err, ORCH_ERR_CORRUPT, "its definition %.12s is another one now: %.12s", digest.data, found);
    struct diags *diags = ARENA_NEW(&reader->arena, struct diags);
    if (!diags) return error_memory(err);
    diags_init(diags, &reader->arena);
    code = workflow_read(normal, STR_NONE, &reader->arena, diags, &reader->workflow);
    if (code < 0) {
        reader->workflow = NULL;
        return code == ORCH_ERR_NO_MEMORY ? code : diags_to_error(diags, STR_NONE, err);
    }
    memcpy(reader->digest, digest.data, digest.size);
    reader->digest[digest.size] = '\0';
    return 0;
}

struct look {
    struct journal_reader *reader;
    struct journal_look *ret;
    int64_t number;
    uint64_t next_seq;
    struct arena arena; /* of the record at hand */
    journal_fn fn;
    void *user;
    int failure;   /* what the caller is told */
    bool is_ended; /* the journal is damaged here */
    struct orch_error *err;
};

static int look_zone(void *user, struct orch_str name, struct orch_str *ret_tzif)
{
    return zonefiles_load(&((struct look *)user)->reader->zones, name, ret_tzif);
}

static int look_blob(void *user, uint64_t blob, struct arena *arena, struct orch_str *ret, struct orch_error *err)
{
    struct look *look = user;
    return store_get_blob(look->reader->store, look->number, blob, arena, ret, err);
}

/* The journal ends here. Returns what stops the reading. */
static int end(struct look *look, int code, const struct orch_error *error)
{
    if (code == ORCH_ERR_NO_MEMORY) {
        look->failure = error_memory(look->err);
    } else {
        look->is_ended = true;
        (void)snprintf(look->ret->why, sizeof look->ret->why, "%s", error->message);
    }
    return 1;
}

static int keep_start(struct look *look, const struct core_transition *transition)
{
    struct journal_look *ret = look->ret;
    struct orch_error error = ORCH_ERROR_INIT;
    struct value data;
    ret->name = arena_str(&look->reader->texts, transition->name);
    ret->by = arena_str(&look->reader->texts, transition->by);
    if (!ret->name.data || !ret->by.data) return ORCH_ERR_NO_MEMORY;
    int code = transition->data.size ? json_parse(transition->data, NULL, &look->arena, &data, &error) : -1;
    const struct value *parameters = code == 0 ? value_get(data, STR("parameters")) : NULL;
    if (code == ORCH_ERR_NO_MEMORY) return code;
    if (!parameters) return 0;
    struct buf text;
    buf_init(&text, NULL, STORE_RECORD_SIZE_MAX);
    json_format(*parameters, 0, &text);
    ret->parameters = text.failed ? STR_NONE : arena_str(&look->reader->texts, buf_str(&text));
    code = text.failed || !ret->parameters.data ? ORCH_ERR_NO_MEMORY : 0;
    buf_done(&text);
    return code;
}

/* One transition: its blob, then what it makes of the state. */
static int look_at_transition(struct look *look, const struct core_transition *transition, struct orch_error *error)
{
    struct journal_look *ret = look->ret;
    if (transition->type == TRANSITION_EXECUTION_STARTED && !ret->name.data) {
        int code = keep_start(look, transition);
        if (code < 0) return code;
    }
    if (transition->blob) {
        struct orch_str content;
        struct arena arena;
        arena_init(&arena, NULL, 0);
        int code = store_get_blob(look->reader->store, look->number, transition->blob, &arena, &content, error);
        if (code == 0 && content.size != transition->blob_size)
            code = error_set(error, ORCH_ERR_CORRUPT, "blob %llu has %zu bytes instead of %llu",
                             (unsigned long long)transition->blob, content.size,
                             (unsigned long long)transition->blob_size);
        arena_done(&arena);
        ret->is_blob = code < 0;
        ret->blob = transition->blob;
        if (code < 0) return code;
    }
    return ret->core ? core_evolve(ret->core, transition, error) : 0;
}

static int look_at_record(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    struct look *look = user;
    struct orch_error error = ORCH_ERROR_INIT;
    struct core_transitions list = {0};
    if (first_seq != look->next_seq)
        return end(
            look,
            error_set(&error, ORCH_ERR_CORRUPT, "sequence number %llu is missing", (unsigned long long)look->next_seq),
            &error);
    arena_clear(&look->arena);
    int code = transitions_decode(record, &look->arena, &list, &error);
    if (code == 0 && list.count != count)
        code = error_set(&error, ORCH_ERR_CORRUPT, "a record has %u transitions instead of %u", list.count, count);
    if (code < 0) return end(look, code, &error);
    uint32_t good = 0;
    while (good < list.count && code == 0) {
        code = look_at_transition(look, &list.items[good], &error);
        good += code == 0;
    }
    look->ret->sequence_good += good;
    look->ret->transitions += good;
    look->ret->records += good > 0;
    look->next_seq += good;
    if (good > 0 && look->fn) {
        struct journal_record told = {
            .first_seq = first_seq, .count = good, .bytes = record, .items = list.items, .is_part = good < list.count};
        int r = look->fn(look->user, &told, look->err);
        if (r != 0) {
            look->failure = r;
            return 1;
        }
    }
    return code < 0 ? end(look, code, &error) : 0;
}

int journal_look(struct journal_reader *reader, int64_t number, struct orch_str digest, journal_fn fn, void *user,
                 struct journal_look *ret, struct orch_error *err)
{
    struct look look = {
        .reader = reader, .ret = ret, .number = number, .next_seq = 1, .fn = fn, .user = user, .err = err};
    struct orch_error error = ORCH_ERROR_INIT;
    *ret = (struct journal_look){.is_whole = true};
    arena_clear(&reader->texts);
    int code = read_workflow(reader, digest, &error);
    if (code == ORCH_ERR_NO_MEMORY) return error_memory(err);
    bool has_definition = code == 0;
    if (has_definition) {
        struct core_env env = {.blob = look_blob, .zone = look_zone, .user = &look};
        ret->core = core_new(reader->workflow, 0, &env, NULL);
        if (!ret->core) return error_memory(err);
    } else {
        (void)snprintf(ret->why, sizeof ret->why, "%s", error.message);
    }
    arena_init(&look.arena, NULL, 0);
    code = store_each_record(reader->store, number, 1, look_at_record, &look, &error);
    if (code < 0 && look.failure == 0) (void)end(&look, code, &error);
    if (code == 0 && look.next_seq == 1)
        (void)end(&look, error_set(&error, ORCH_ERR_CORRUPT, "sequence number 1 is missing"), &error);
    arena_done(&look.arena);
    ret->is_whole = has_definition && !look.is_ended && look.failure == 0;
    if (look.failure != 0) ret->core = core_free(ret->core);
    return look.failure;
}
