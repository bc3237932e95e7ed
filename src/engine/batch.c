/*
 * batch.c - decide, record, then act: the way of every step.
 *
 * Inputs are decided as they come, and their transitions gathered. When the loop has nothing more at hand, or the append under way is
 * durable, all that was gathered is appended at once. Only then is it acted on.
 */
#include "internal.h"

struct batch *batch_new(struct engine *engine)
{
    struct batch *batch = mem_resize(engine->allocator, NULL, 0, sizeof *batch);
    if (!batch) return NULL;
    memset(batch, 0, sizeof *batch);
    arena_init(&batch->arena, engine->allocator, 0);
    batch->dirty_tail = &batch->dirty;
    batch->waiters_tail = &batch->waiters;
    return batch;
}

struct batch *batch_free(struct batch *batch)
{
    if (!batch) return NULL;
    const struct orch_allocator *allocator = batch->arena.allocator;
    arena_done(&batch->arena);
    mem_resize(allocator, batch, sizeof *batch, 0);
    return NULL;
}

static void batch_clear(struct batch *batch)
{
    arena_clear(&batch->arena);
    batch->dirty = NULL;
    batch->dirty_tail = &batch->dirty;
    batch->waiters = NULL;
    batch->waiters_tail = &batch->waiters;
    batch->items = NULL;
    batch->entries = NULL;
    batch->items_count = 0;
}

int batch_wait(struct engine *engine, engine_done done, void *user, struct orch_error *err)
{
    if (!done) return 0;
    struct waiter *waiter = ARENA_NEW(&engine->gathering->arena, struct waiter);
    if (!waiter) return error_memory(err);
    waiter->done = done;
    waiter->user = user;
    *engine->gathering->waiters_tail = waiter;
    engine->gathering->waiters_tail = &waiter->next;
    engine_stir(engine);
    return 0;
}

/* What the engine keeps in step with the state as soon as something is decided: the queue of admission. Nothing in the world is touched. */
static int follow(struct engine_execution *execution, const struct core_transition *transition, struct orch_error *err)
{
    struct engine *engine = execution->engine;
    switch ((enum transition_type)transition->type) {
    case TRANSITION_TASK_READY: return limits_request(execution, transition->instance, false, err);
    case TRANSITION_ATTEMPT_FAILED:
    case TRANSITION_TASK_ENDED:
        if (!admission_release(engine->admission, (uint64_t)execution->number, transition->instance))
            (void)admission_withdraw(engine->admission, (uint64_t)execution->number, transition->instance); /* false: it never asked */
        return 0;
    case TRANSITION_EXECUTION_PAUSED:
        return admission_hold(engine->admission, (uint64_t)execution->number, true) ? error_memory(err) : 0;
    case TRANSITION_EXECUTION_RESUMED:
        return admission_hold(engine->admission, (uint64_t)execution->number, false) ? error_memory(err) : 0;
    case TRANSITION_EXECUTION_ENDED: execution->ended = true; return 0;
    case TRANSITION_EXECUTION_RETRIED: execution->ended = false; return 0;
    case TRANSITION_EXECUTION_STARTED:
    case TRANSITION_FRAME_OPENED:
    case TRANSITION_TASK_WAITING:
    case TRANSITION_ATTEMPT_STARTED:
    case TRANSITION_ATTEMPT_STOPPING:
    case TRANSITION_TASK_STARTED:
    case TRANSITION_FRAME_ENDED:
    case TRANSITION_EXECUTION_STOPPING:
    case TRANSITION_COMPENSATION_STARTED:
    case TRANSITION_TASK_COMPENSATING:
    case TRANSITION_APPROVAL_GIVEN:
    case TRANSITION_SIGNAL_RECEIVED:
    case TRANSITION_TASK_RESET: return 0;
    }
    return 0;
}

static int copy_text(struct arena *arena, struct orch_str *text)
{
    if (text->size == 0) return 0;
    *text = arena_str(arena, *text);
    return text->data ? 0 : ORCH_ERR_NO_MEMORY;
}

/* Transitions may borrow from the input; the input is gone before they are recorded. */
static int copy_input(struct arena *arena, struct core_input *input)
{
    int r = copy_text(arena, &input->by);
    if (r) return r;
    switch (input->type) {
    case INPUT_ATTEMPT_DONE:
        r = copy_text(arena, &input->done.output);
        return r ? r : copy_text(arena, &input->done.error);
    case INPUT_APPROVE: return copy_text(arena, &input->approve.comment);
    case INPUT_SIGNAL:
        r = copy_text(arena, &input->signal.name);
        return r ? r : copy_text(arena, &input->signal.data);
    case INPUT_CANCEL: return copy_text(arena, &input->cancel.reason);
    case INPUT_START: /* its values live in the execution's arena */
    case INPUT_ADMIT:
    case INPUT_TIMER:
    case INPUT_PAUSE:
    case INPUT_RESUME:
    case INPUT_RECOVER:
    case INPUT_RETRY: return 0;
    }
    return 0;
}

int execution_feed(struct engine_execution *execution, const struct core_input *given, struct orch_error *err)
{
    struct engine *engine = execution->engine;
    if (engine->failed) return error_set(err, ORCH_ERR_STATE, "the engine has stopped: %s", engine->failure.message);
    struct batch *batch = engine->gathering;
    struct core_input input = *given;
    struct orch_error local = ORCH_ERROR_INIT;
    if (!err) err = &local;
    input.now = engine_now(engine);
    if (copy_input(&batch->arena, &input)) return error_memory(err);
    uint32_t before = execution->turn.count;
    int r = core_step(execution->core, &input, &batch->arena, &execution->turn, err);
    if (r) {
        /* A decision that fails for want of memory leaves a state that must be thrown away: the journal has all of it. */
        if (r == ORCH_ERR_NO_MEMORY) engine_fail(engine, err);
        return r;
    }
    if (execution->turn.count > before && !execution->dirty) {
        execution->dirty = true;
        execution->dirty_next = NULL;
        *batch->dirty_tail = execution;
        batch->dirty_tail = &execution->dirty_next;
    }
    for (uint32_t i = before; i < execution->turn.count; i++) {
        r = follow(execution, &execution->turn.items[i], err);
        if (r) {
            engine_fail(engine, err);
            return r;
        }
    }
    engine_timer_set(engine, execution, execution->ended ? ORCH_TIME_NEVER : core_deadline(execution->core));
    engine_stir(engine);
    return 0;
}

/* Who may start now is decided before the append, so that an end and the starts that follow are one record. */
static void admit(struct engine *engine)
{
    uint64_t owner;
    uint32_t instance;
    if (engine->options.record_only) return;
    while (!engine->failed && admission_next(engine->admission, &owner, &instance)) {
        struct engine_execution *execution = engine_find(engine, (int64_t)owner);
        struct orch_error err = ORCH_ERROR_INIT;
        ORCH_ASSERT(execution);
        struct core_input input = {.type = INPUT_ADMIT, .instance = instance};
        if (execution_feed(execution, &input, &err)) {
            /* Not ready any more: its units go back. */
            (void)admission_release(engine->admission, owner, instance);
            if (engine->failed) return;
        }
    }
}

static void act(struct engine_execution *execution, const struct core_transition *transition)
{
    if (transition->type == TRANSITION_ATTEMPT_STARTED)
        attempt_start(execution, transition->instance, transition->fence);
    else if (transition->type == TRANSITION_ATTEMPT_STOPPING)
        attempt_stop(execution, transition->instance);
}

static void committed(struct engine *engine, struct batch *batch)
{
    for (uint32_t i = 0; i < batch->items_count; i++) {
        struct commit_item *item = &batch->items[i];
        struct engine_execution *execution = item->execution;
        const struct engine_observer *observer = &engine->options.observer;
        if (observer->transitions)
            observer->transitions(observer->user, execution, item->first_seq, item->turn.items, item->turn.count);
        for (uint32_t n = 0; n < item->turn.count && !engine->failed; n++) act(execution, &item->turn.items[n]);
    }
    for (struct waiter *waiter = batch->waiters; waiter; waiter = waiter->next) waiter->done(waiter->user, 0);
    for (uint32_t i = 0; i < batch->items_count; i++) {
        struct engine_execution *execution = batch->items[i].execution;
        if (execution->ended && !execution->dirty) execution_after_end(execution);
    }
}

static void append_done(void *user, int status)
{
    struct engine *engine = user;
    struct batch *batch = engine->committing;
    ORCH_ASSERT(batch);
    if (status == ORCH_ERR_FULL && !engine->closing) {
        /* Nothing was written. What runs goes on; the same append is tried again until there is room. */
        struct orch_error err = ORCH_ERROR_INIT;
        if (!engine->stalled && engine->options.observer.trouble) {
            error_set(&err, status, "no space left for %s", engine->store_dir.data ? engine->store_dir.data : "the store");
            error_hint(&err, "what runs goes on; recording continues by itself when there is room");
            engine->options.observer.trouble(engine->options.observer.user, &err);
        }
        engine->stalled = true;
        uv_timer_start(&engine->retry, engine_retry_commit, 500, 0);
        return;
    }
    engine->committing = NULL;
    if (status) {
        struct orch_error err = ORCH_ERROR_INIT;
        error_set(&err, status, "the store cannot be written: %s", orch_error_text(status));
        error_hint(&err, "nothing that was acknowledged is lost; free or mend the disk, then run again with --continue");
        for (struct waiter *waiter = batch->waiters; waiter; waiter = waiter->next) waiter->done(waiter->user, status);
        engine_fail(engine, &err);
    } else {
        engine->stalled = false;
        committed(engine, batch);
    }
    batch_clear(batch);
    if (engine->spare) (void)batch_free(batch);
    else engine->spare = batch;
    engine_stir(engine);
}

/* The rows' texts and the records live in the batch's arena until the store has copied them. */
static int prepare(struct engine *engine, struct batch *batch, struct orch_error *err)
{
    uint32_t count = 0;
    for (struct engine_execution *e = batch->dirty; e; e = e->dirty_next) count++;
    batch->items = ARENA_ARRAY(&batch->arena, count, struct commit_item);
    batch->entries = ARENA_ARRAY(&batch->arena, count, struct store_entry);
    if (!batch->items || !batch->entries) return error_memory(err);
    batch->items_count = count;
    uint32_t i = 0;
    for (struct engine_execution *e = batch->dirty, *next; e; e = next, i++) {
        next = e->dirty_next;
        struct store_entry *entry = &batch->entries[i];
        const struct core_transition *items = e->turn.items;
        uint32_t blobs = 0;
        for (uint32_t n = 0; n < e->turn.count; n++) blobs += items[n].output.size > ENGINE_BLOB_SIZE;
        if (blobs) {
            /* The record names the blob; the copy that is shown and folded keeps the text. */
            struct store_blob *list = ARENA_ARRAY(&batch->arena, blobs, struct store_blob);
            struct core_transition *copy = ARENA_ARRAY(&batch->arena, e->turn.count, struct core_transition);
            if (!list || !copy) return error_memory(err);
            memcpy(copy, items, e->turn.count * sizeof *copy);
            uint32_t at = 0;
            for (uint32_t n = 0; n < e->turn.count; n++) {
                if (copy[n].output.size <= ENGINE_BLOB_SIZE) continue;
                list[at++] = (struct store_blob){.blob = e->next_seq + n, .content = copy[n].output};
                copy[n].blob = e->next_seq + n;
                copy[n].blob_size = copy[n].output.size;
                copy[n].output = STR_NONE;
            }
            entry->blobs = list;
            entry->blobs_count = blobs;
            items = copy;
        }
        struct buf record;
        buf_init(&record, engine->allocator, 0);
        transitions_encode(items, e->turn.count, &record);
        struct orch_str kept = record.failed ? STR_NONE : arena_str(&batch->arena, buf_str(&record));
        buf_done(&record);
        if (!kept.data) return error_memory(err);
        entry->number = e->number;
        entry->first_seq = e->next_seq;
        entry->count = e->turn.count;
        entry->record = kept;
        struct core_summary summary;
        core_get_summary(e->core, &summary);
        orch_time now = engine_now(engine);
        if (e->creating || summary.state != e->row_state || now - e->row_at > ENGINE_ROW_INTERVAL) {
            struct store_execution *row = ARENA_NEW(&batch->arena, struct store_execution);
            if (!row) return error_memory(err);
            execution_row(e, &batch->arena, row);
            if (e->creating) entry->create = row;
            else entry->update = row;
            e->row_state = (uint8_t)summary.state;
            e->row_at = now;
            e->creating = false;
        }
        batch->items[i] = (struct commit_item){.execution = e, .first_seq = e->next_seq, .turn = e->turn};
        e->next_seq += e->turn.count;
        e->turn = (struct core_transitions){0};
        e->dirty = false;
        e->dirty_next = NULL;
    }
    return 0;
}

void engine_retry_commit(uv_timer_t *timer)
{
    struct engine *engine = timer->data;
    struct orch_error err = ORCH_ERROR_INIT;
    struct batch *batch = engine->committing;
    if (!batch || engine->failed) return;
    if (store_append(engine->store, batch->entries, batch->items_count, append_done, engine, &err)) engine_fail(engine, &err);
    store_poll(engine->store);
}

void engine_flush(struct engine *engine)
{
    if (engine->flushing) return; /* called from within an act: the outer one goes round again */
    engine->flushing = true;
    for (;;) {
        struct orch_error err = ORCH_ERROR_INIT;
        store_poll(engine->store);
        if (engine->failed || engine->committing) break;
        admit(engine);
        if (engine->failed) break;
        struct batch *batch = engine->gathering;
        if (!batch->dirty && !batch->waiters) break;
        struct batch *fresh = engine->spare ? engine->spare : batch_new(engine);
        engine->spare = NULL;
        if (!fresh || prepare(engine, batch, &err)) {
            if (!fresh) error_memory(&err);
            else (void)batch_free(fresh);
            engine_fail(engine, &err);
            break;
        }
        engine->gathering = fresh;
        engine->committing = batch;
        if (batch->items_count == 0) {
            append_done(engine, 0); /* waiters of what changed nothing: all before them is durable already */
            continue;
        }
        if (store_append(engine->store, batch->entries, batch->items_count, append_done, engine, &err)) {
            engine_fail(engine, &err);
            break;
        }
    }
    engine->flushing = false;
}
