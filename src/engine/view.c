/*
 * view.c - the state of an execution from its journal: for taking it up, and for looking at it without running it.
 */
#include "internal.h"

#include <stdlib.h>

struct fold {
    struct core *core;
    struct arena *arena; /* of the records' texts, for a moment */
    struct arena *keep;  /* pinned versions; or NULL */
    struct value pinned;
    uint64_t next_seq;  /* of the next transition to fold; what is in front of it in its record was folded before */
    uint64_t last_seq;  /* nothing behind it is folded */
    uint64_t known_seq; /* of the latest transition seen, folded or not */
    bool is_begun;      /* a record was seen */
    bool (*told)(void *user, uint64_t sequence, const struct core_transition *transition);
    void *user;
    struct orch_error *err;
};

#define FOLD_ENOUGH 1 /* ends store_each_record: who is told of the transitions wants no more */

static int fold_one(struct fold *fold, const struct core_transition *transition)
{
    if (transition->type == TRANSITION_EXECUTION_STARTED && fold->keep) {
        struct value data;
        struct orch_str text = arena_str(fold->keep, transition->data);
        if (!text.data) return error_memory(fold->err);
        int r = json_parse(text, NULL, fold->keep, &data, fold->err);
        if (r) return r;
        const struct value *pinned = value_get(data, STR("subworkflows"));
        fold->pinned = pinned ? *pinned : value_null();
    }
    int r = core_evolve(fold->core, transition, fold->err);
    if (r) return r;
    uint64_t sequence = fold->next_seq++;
    return fold->told && !fold->told(fold->user, sequence, transition) ? FOLD_ENOUGH : 0;
}

static int fold_record(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    struct fold *fold = user;
    struct core_transitions list = {0};
    /* Part of the first one may have been folded before. */
    if (fold->is_begun || first_seq == 0 ? first_seq != fold->known_seq + 1 : first_seq > fold->known_seq + 1)
        return error_set(fold->err, ORCH_ERR_CORRUPT, "the journal has no record %llu",
                         (unsigned long long)fold->known_seq + 1);
    fold->is_begun = true;
    fold->known_seq = first_seq + count - 1;
    if (fold->next_seq > fold->last_seq) return fold->told ? FOLD_ENOUGH : 0;
    arena_clear(fold->arena);
    int r = transitions_decode(record, fold->arena, &list, fold->err);
    if (r) return r;
    if (list.count != count)
        return error_set(fold->err, ORCH_ERR_CORRUPT, "a record of the journal is not what it says");
    for (uint32_t i = (uint32_t)(fold->next_seq - first_seq); i < list.count && fold->next_seq <= fold->last_seq; i++) {
        r = fold_one(fold, &list.items[i]);
        if (r) return r;
    }
    return 0;
}

/* Where damage begins; the hint says what to do. */
static int damaged(int64_t number, uint64_t good, int code, struct orch_error *err)
{
    char id[20];
    if (code != ORCH_ERR_CORRUPT) return code;
    store_execution_id(number, id);
    error_context(err, "the journal of run %s is damaged behind sequence number %llu, the last good one", id,
                  (unsigned long long)good);
    error_hint(err, "nothing was changed; orch doctor  names what is damaged, orch doctor --salvage DIR  copies what "
                    "can be read; or restore a backup");
    return code;
}

int journal_fold(struct store *store, int64_t number, struct core *core, struct arena *keep_in,
                 struct value *ret_pinned, uint64_t *ret_next_seq, struct orch_error *err)
{
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    struct fold fold = {
        .core = core, .arena = &scratch, .keep = keep_in, .next_seq = 1, .last_seq = UINT64_MAX, .err = err};
    int r = store_each_record(store, number, 1, fold_record, &fold, err);
    arena_done(&scratch);
    if (!r && fold.next_seq == 1) r = error_set(err, ORCH_ERR_CORRUPT, "the journal has no record 1");
    if (r) return damaged(number, fold.next_seq - 1, r, err);
    if (ret_pinned) *ret_pinned = fold.pinned;
    *ret_next_seq = fold.next_seq;
    return 0;
}

/*
 * Looking without running.
 */
struct engine_view {
    struct store *store;
    int64_t number;
    struct arena arena;
    struct store_execution row;
    const struct workflow *workflow;
    struct zonefiles zones;
    struct core *core;
    uint64_t sequence, last;
};

static int view_zone(void *user, struct orch_str name, struct orch_str *ret_tzif)
{
    struct engine_view *view = user;
    return zonefiles_load(&view->zones, name, ret_tzif);
}

static int view_blob(void *user, uint64_t blob, struct arena *arena, struct orch_str *ret, struct orch_error *err)
{
    struct engine_view *view = user;
    return store_get_blob(view->store, view->number, blob, arena, ret, err);
}

static int view_secret(void *user, struct orch_str name, struct arena *arena, struct orch_str *ret,
                       struct orch_error *err)
{
    (void)user;
    (void)name;
    *ret = arena_str(arena, STR(ENGINE_VIEW_SECRET));
    return ret->data ? 0 : error_memory(err);
}

static int advance(struct engine_view *view, struct fold *fold, struct orch_error *err)
{
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    fold->core = view->core;
    fold->arena = &scratch;
    fold->next_seq = view->sequence + 1;
    fold->known_seq = view->sequence;
    fold->err = err;
    int r = store_each_record(view->store, view->number, fold->next_seq, fold_record, fold, err);
    arena_done(&scratch);
    view->sequence = fold->next_seq - 1;
    return r == FOLD_ENOUGH ? 0 : damaged(view->number, view->sequence, r, err);
}

int engine_view_advance(struct engine_view *view, uint64_t sequence,
                        bool (*fn)(void *user, uint64_t sequence, const struct core_transition *transition), void *user,
                        struct orch_error *err)
{
    struct fold fold = {.last_seq = sequence, .told = fn, .user = user};
    return advance(view, &fold, err);
}

int engine_view_open(struct store *store, int64_t number, struct engine_view **ret, struct orch_error *err)
{
    return engine_view_open_at(store, number, UINT64_MAX, ret, err);
}

int engine_view_open_at(struct store *store, int64_t number, uint64_t sequence, struct engine_view **ret,
                        struct orch_error *err)
{
    struct engine_view *view = calloc(1, sizeof *view);
    if (!view) return error_memory(err);
    view->store = store;
    view->number = number;
    zonefiles_init(&view->zones, NULL, NULL);
    arena_init(&view->arena, NULL, 0);
    int r = store_get_execution(store, number, &view->arena, &view->row, err);
    struct orch_str normal;
    if (!r) r = store_get_definition(store, view->row.digest, &view->arena, &normal, err);
    if (!r) {
        struct diags *diags = ARENA_NEW(&view->arena, struct diags);
        if (!diags)
            r = error_memory(err);
        else {
            diags_init(diags, &view->arena);
            r = workflow_read(normal, view->row.file, &view->arena, diags, &view->workflow);
            if (r) r = r == ORCH_ERR_NO_MEMORY ? error_memory(err) : diags_to_error(diags, view->row.file, err);
        }
    }
    if (!r) {
        struct core_env env = {.blob = view_blob, .zone = view_zone, .secret = view_secret, .user = view};
        view->core = core_new(view->workflow, 0, &env, NULL);
        struct fold fold = {.last_seq = sequence};
        r = view->core ? advance(view, &fold, err) : error_memory(err);
        view->last = fold.known_seq;
    }
    if (!r && view->last == 0) r = error_set(err, ORCH_ERR_CORRUPT, "the journal has no record 1");
    if (!r && sequence != UINT64_MAX && sequence > view->last) {
        error_set(err, ORCH_ERR_NOT_FOUND, "the history of run %.*s ends with transition %llu", STR_ARG(view->row.id),
                  (unsigned long long)view->last);
        r = ORCH_ERR_NOT_FOUND;
    }
    if (r) {
        engine_view_close(view);
        return r;
    }
    *ret = view;
    return 0;
}

struct engine_view *engine_view_close(struct engine_view *view)
{
    if (!view) return NULL;
    view->core = core_free(view->core);
    zonefiles_done(&view->zones);
    arena_done(&view->arena);
    free(view);
    return NULL;
}

const struct core *engine_view_core(const struct engine_view *view)
{
    return view->core;
}

const struct store_execution *engine_view_row(const struct engine_view *view)
{
    return &view->row;
}

uint64_t engine_view_sequence(const struct engine_view *view)
{
    return view->sequence;
}

uint64_t engine_view_last(const struct engine_view *view)
{
    return view->last;
}
