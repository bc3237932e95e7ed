/*
 * view.c - the state of an execution from its journal: for taking it up, and for looking at it without running it.
 */
#include "internal.h"

#include <stdlib.h>

struct fold {
    struct core *core;
    struct arena *arena; /* of the records' texts, for a moment */
    struct arena *keep;  /* pinned versions */
    struct value pinned;
    uint64_t next_seq;
    struct orch_error *err;
};

static int fold_record(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    struct fold *fold = user;
    struct core_transitions list = {0};
    if (first_seq != fold->next_seq)
        return error_set(fold->err, ORCH_ERR_CORRUPT, "the journal has no record %llu",
                         (unsigned long long)fold->next_seq);
    arena_clear(fold->arena);
    int r = transitions_decode(record, fold->arena, &list, fold->err);
    if (r) return r;
    if (list.count != count)
        return error_set(fold->err, ORCH_ERR_CORRUPT, "a record of the journal is not what it says");
    for (uint32_t i = 0; i < list.count; i++) {
        const struct core_transition *transition = &list.items[i];
        if (transition->type == TRANSITION_EXECUTION_STARTED && fold->keep) {
            struct value data;
            struct orch_str text = arena_str(fold->keep, transition->data);
            if (!text.data) return error_memory(fold->err);
            r = json_parse(text, NULL, fold->keep, &data, fold->err);
            if (r) return r;
            const struct value *pinned = value_get(data, STR("subworkflows"));
            fold->pinned = pinned ? *pinned : value_null();
        }
        r = core_evolve(fold->core, transition, fold->err);
        if (r) return r;
    }
    fold->next_seq += count;
    return 0;
}

int journal_fold(struct store *store, int64_t number, struct core *core, struct arena *keep_in,
                 struct value *ret_pinned, uint64_t *ret_next_seq, struct orch_error *err)
{
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    struct fold fold = {.core = core, .arena = &scratch, .keep = keep_in, .next_seq = 1, .err = err};
    int r = store_each_record(store, number, 1, fold_record, &fold, err);
    arena_done(&scratch);
    if (!r && fold.next_seq == 1) r = error_set(err, ORCH_ERR_CORRUPT, "the journal has no record 1");
    if (r) return r;
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

int engine_view_open(struct store *store, int64_t number, struct engine_view **ret, struct orch_error *err)
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
            if (r) r = diags_to_error(diags, view->row.file, err);
        }
    }
    if (!r) {
        struct core_env env = {.blob = view_blob, .zone = view_zone, .user = view};
        view->core = core_new(view->workflow, 0, &env, NULL);
        uint64_t next;
        r = view->core ? journal_fold(store, number, view->core, NULL, NULL, &next, err) : error_memory(err);
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
