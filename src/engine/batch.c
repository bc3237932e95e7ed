/*
 * batch.c - decide, record, then act: the way of every step.
 *
 * Inputs are decided as they come, and their transitions gathered. When the loop has nothing more at hand, or the
 * append under way is durable, all that was gathered is appended at once. Only then is it acted on.
 */
#include "internal.h"

#define RETRY_MS_MIN 20 /* after ORCH_ERR_FULL */
#define RETRY_MS_MAX 1000

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
    batch->items_count = 0;
    batch->entries = NULL;
    batch->entries_count = 0;
}

void batch_tell(struct batch *batch, int status)
{
    /* Taken off before it is called: it may ask for more, and that is for another batch. */
    while (batch->waiters) {
        struct waiter *waiter = batch->waiters;
        batch->waiters = waiter->next;
        if (!batch->waiters) batch->waiters_tail = &batch->waiters;
        waiter->done(waiter->user, status);
    }
}

void batch_drop(struct engine_execution *execution)
{
    struct batch *batch = execution->engine->gathering;
    if (!execution->dirty) return;
    struct engine_execution **at = &batch->dirty;
    while (*at != execution) at = &(*at)->dirty_next;
    *at = execution->dirty_next;
    if (!*at) batch->dirty_tail = at;
    execution->dirty = false;
    execution->turn = (struct core_transitions){0};
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

/* Not only a resume ends a pause: so does whatever stops the execution. */
static int follow_pause(struct engine_execution *execution, struct orch_error *err)
{
    struct core_summary summary;
    core_get_summary(execution->core, &summary);
    bool hold = summary.state == EXECUTION_PAUSED;
    if (hold == execution->held) return 0;
    if (admission_hold(execution->engine->admission, (uint64_t)execution->number, hold)) return error_memory(err);
    execution->held = hold;
    return 0;
}

/* What the engine keeps in step with the state as soon as something is decided: the queue of admission. Nothing in the
 * world is touched. */
static int follow(struct engine_execution *execution, const struct core_transition *transition, struct orch_error *err)
{
    struct engine *engine = execution->engine;
    switch ((enum transition_type)transition->type) {
    case TRANSITION_TASK_READY:
        /* While paused, a task that needs no admission stands ready too. */
        if (!limits_apply(core_get_instance(execution->core, transition->instance)->task)) return 0;
        return limits_request(execution, transition->instance, false, err);
    case TRANSITION_ATTEMPT_FAILED:
    case TRANSITION_TASK_ENDED:
        if (!admission_release(engine->admission, (uint64_t)execution->number, transition->instance))
            (void)admission_withdraw(engine->admission, (uint64_t)execution->number,
                                     transition->instance); /* false: it never asked */
        return 0;
    case TRANSITION_FRAME_ENDED: limits_frame_ended(execution, transition->frame); return 0;
    case TRANSITION_EXECUTION_ENDED:
    case TRANSITION_EXECUTION_RETRIED:
        execution->ended = transition->type == TRANSITION_EXECUTION_ENDED;
        return follow_pause(execution, err);
    case TRANSITION_EXECUTION_PAUSED:
    case TRANSITION_EXECUTION_RESUMED:
    case TRANSITION_EXECUTION_STOPPING: return follow_pause(execution, err);
    case TRANSITION_EXECUTION_STARTED:
    case TRANSITION_FRAME_OPENED:
    case TRANSITION_TASK_WAITING:
    case TRANSITION_ATTEMPT_STARTED:
    case TRANSITION_ATTEMPT_STOPPING:
    case TRANSITION_TASK_STARTED:
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
    case INPUT_SIGNAL: r = copy_text(arena, &input->signal.name); return r ? r : copy_text(arena, &input->signal.data);
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
    if (engine->closing) return error_set(err, ORCH_ERR_STATE, "the engine is closing");
    struct batch *batch = engine->gathering;
    struct core_input input = *given;
    struct orch_error local = ORCH_ERROR_INIT;
    if (!err) err = &local;
    input.now = engine_execution_now(execution);
    if (copy_input(&batch->arena, &input)) return error_memory(err);
    uint32_t before = execution->turn.count;
    int r = core_step(execution->core, &input, &batch->arena, &execution->turn, err);
    if (r) {
        /* A decision that fails for want of memory leaves a state that must be thrown away: the journal has all of it.
         */
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
    orch_time deadline = execution->ended ? ORCH_TIME_NEVER : core_deadline(execution->core);
    engine_timer_set(engine, execution, deadline == ORCH_TIME_NEVER ? deadline : deadline - execution->time_ahead);
    engine_stir(engine);
    return 0;
}

/* Who may start now is decided before the append, so that an end and the starts that follow are one record. */
static void admit(struct engine *engine)
{
    uint64_t owner;
    uint32_t instance;
    if (engine->options.record_only || engine->closing) return;
    while (!engine->failed && admission_next(engine->admission, &owner, &instance)) {
        struct engine_execution *execution = engine_find(engine, (int64_t)owner);
        struct orch_error err = ORCH_ERROR_INIT;
        ORCH_ASSERT(execution);
        struct core_input input = {.type = INPUT_ADMIT, .instance = instance};
        if (execution_feed(execution, &input, &err)) {
            /* Not ready any more: its units go back. */
            MARK("admitted and not ready any more");
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
        const struct engine_observer *observer = &engine->options.observer;
        if (observer->transitions)
            observer->transitions(observer->user, item->execution, item->first_seq, item->turn.items, item->turn.count);
        /* Once it is failed or closing nothing starts; what was to start is found lost when the execution is taken up
         * again. */
        for (uint32_t n = 0; n < item->turn.count && !engine->failed && !engine->closing; n++)
            act(item->execution, &item->turn.items[n]);
    }
    batch_tell(batch, 0);
    for (uint32_t i = 0; i < batch->items_count; i++) {
        struct engine_execution *execution = batch->items[i].execution;
        if (execution->ended && !execution->dirty) execution_after_end(execution);
    }
}

bool engine_is_stalled(const struct engine *engine)
{
    return engine->stalled;
}

/* It was recorded from what was kept back: nothing waits yet, but soon everything will. */
static void tell_short(struct engine *engine)
{
    bool is_short = store_is_short(engine->store);
    if (is_short && !engine->was_short && engine->options.observer.trouble) {
        struct orch_error err = ORCH_ERROR_INIT;
        error_set(&err, ORCH_ERR_FULL, "no space left for %s: recording goes on from what was kept back",
                  engine->store_dir.data ? engine->store_dir.data : "the store");
        error_hint(&err, "make room; nothing new is started until then");
        engine->options.observer.trouble(engine->options.observer.user, &err);
    }
    engine->was_short = is_short;
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
            error_set(&err, status, "no space left for %s",
                      engine->store_dir.data ? engine->store_dir.data : "the store");
            error_hint(&err, "what runs goes on; recording continues by itself when there is room");
            engine->options.observer.trouble(engine->options.observer.user, &err);
        }
        /* Often at first: a log that is rotated away makes room at once. */
        engine->retry_ms = !engine->stalled                      ? RETRY_MS_MIN
                           : engine->retry_ms * 2 < RETRY_MS_MAX ? engine->retry_ms * 2
                                                                 : RETRY_MS_MAX;
        MARK("no space left, tried again");
        engine->stalled = true;
        engine->retry_at = engine_now(engine) + engine->retry_ms * (ORCH_SECOND / 1000);
        return;
    }
    engine->committing = NULL;
    if (status) {
        struct orch_error err = ORCH_ERROR_INIT;
        /* The store knows which file, and what the system said of it. */
        if (store_failure(engine->store, &err))
            error_context(&err, "the store %s cannot be written", engine->store_dir.data ? engine->store_dir.data : "in memory");
        else
            error_set(&err, status, "the store cannot be written: %s", orch_error_text(status));
        error_hint(&err,
                   "nothing that was acknowledged is lost; free or mend the disk, then run again with --continue");
        engine_fail(engine, &err);
        batch_tell(batch, status);
    } else {
        engine->stalled = false;
        tell_short(engine);
        committed(engine, batch);
    }
    batch_clear(batch);
    if (engine->spare)
        (void)batch_free(batch);
    else
        engine->spare = batch;
    engine_stir(engine);
}

static size_t texts_size(const struct core_transition *transition)
{
    size_t output = transition->output.size > ENGINE_BLOB_SIZE ? 0 : transition->output.size;
    return 64 + output + transition->error.size + transition->name.size + transition->data.size + transition->by.size;
}

/* How many of the transitions go into the next record: one step may decide a loop over very many items. */
static uint32_t record_length(const struct core_transition *items, uint32_t count)
{
    size_t size = 0;
    uint32_t length = 0;
    while (length < count && (length == 0 || size < ENGINE_RECORD_SIZE)) size += texts_size(&items[length++]);
    return length;
}

/* The record names the blobs; the copy that is shown and folded keeps the texts. */
static int take_blobs(struct batch *batch, const struct core_transition **items, uint32_t count,
                      struct store_entry *entry, struct orch_error *err)
{
    uint32_t blobs = 0;
    for (uint32_t n = 0; n < count; n++) blobs += (*items)[n].output.size > ENGINE_BLOB_SIZE;
    if (blobs == 0) return 0;
    struct store_blob *list = ARENA_ARRAY(&batch->arena, blobs, struct store_blob);
    struct core_transition *copy = ARENA_ARRAY(&batch->arena, count, struct core_transition);
    if (!list || !copy) return error_memory(err);
    memcpy(copy, *items, count * sizeof *copy);
    uint32_t at = 0;
    for (uint32_t n = 0; n < count; n++) {
        if (copy[n].output.size <= ENGINE_BLOB_SIZE) continue;
        list[at++] = (struct store_blob){.blob = entry->first_seq + n, .content = copy[n].output};
        MARK("an output goes to a blob");
        copy[n].blob = entry->first_seq + n;
        copy[n].blob_size = copy[n].output.size;
        copy[n].output = STR_NONE;
    }
    entry->blobs = list;
    entry->blobs_count = blobs;
    *items = copy;
    return 0;
}

static int encode(struct batch *batch, const struct core_transition *items, uint32_t count, struct store_entry *entry,
                  struct orch_error *err)
{
    struct buf record;
    int r = take_blobs(batch, &items, count, entry, err);
    if (r) return r;
    buf_init(&record, batch->arena.allocator, 0);
    transitions_encode(items, count, &record);
    entry->count = count;
    entry->record = record.failed ? STR_NONE : arena_str(&batch->arena, buf_str(&record));
    buf_done(&record);
    return entry->record.data ? 0 : error_memory(err);
}

/* Its row with the first record, or when there is something to tell. */
static int add_row(struct batch *batch, struct engine_execution *execution, struct store_entry *entry,
                   struct orch_error *err)
{
    struct core_summary summary;
    core_get_summary(execution->core, &summary);
    orch_time now = engine_now(execution->engine);
    if (!execution->creating && summary.state == execution->row_state &&
        summary.generation == execution->row_generation && now - execution->row_at <= ENGINE_ROW_INTERVAL)
        return 0;
    struct store_execution *row = ARENA_NEW(&batch->arena, struct store_execution);
    if (!row) return error_memory(err);
    execution_row(execution, &batch->arena, row);
    if (execution->creating)
        entry->create = row;
    else
        entry->update = row;
    execution->row_state = (uint8_t)summary.state;
    execution->row_generation = summary.generation;
    execution->row_at = now;
    execution->creating = false;
    return 0;
}

/* The rows' texts and the records live in the batch's arena until the store has copied them. */
static int prepare(struct batch *batch, struct orch_error *err)
{
    uint32_t count = 0, entries = 0;
    for (struct engine_execution *e = batch->dirty; e; e = e->dirty_next, count++)
        for (uint32_t n = 0; n < e->turn.count; entries++) n += record_length(e->turn.items + n, e->turn.count - n);
    batch->items = ARENA_ARRAY(&batch->arena, count, struct commit_item);
    batch->entries = ARENA_ARRAY(&batch->arena, entries, struct store_entry);
    if (!batch->items || !batch->entries) return error_memory(err);
    for (struct engine_execution *e = batch->dirty, *next; e; e = next) {
        next = e->dirty_next;
        batch->items[batch->items_count++] =
            (struct commit_item){.execution = e, .first_seq = e->next_seq, .turn = e->turn};
        int r = add_row(batch, e, &batch->entries[batch->entries_count], err);
        for (uint32_t n = 0, length; n < e->turn.count && !r; n += length) {
            struct store_entry *entry = &batch->entries[batch->entries_count++];
            length = record_length(e->turn.items + n, e->turn.count - n);
            entry->number = e->number;
            entry->first_seq = e->next_seq + n;
            r = encode(batch, e->turn.items + n, length, entry, err);
        }
        if (r) return r;
        e->next_seq += e->turn.count;
        e->turn = (struct core_transitions){0};
        e->dirty = false;
        e->dirty_next = NULL;
    }
    batch->dirty = NULL;
    batch->dirty_tail = &batch->dirty;
    return 0;
}

static int append(struct engine *engine, struct orch_error *err)
{
    const struct batch *batch = engine->committing;
    return store_append(engine->store, batch->entries, batch->entries_count, append_done, engine, err);
}

void engine_retry_commit(struct engine *engine)
{
    struct orch_error err = ORCH_ERROR_INIT;
    engine->retry_at = ORCH_TIME_NEVER;
    if (!engine->committing || engine->failed) return;
    if (append(engine, &err)) engine_fail(engine, &err);
    engine_stir(engine);
}

/* Hands over what was gathered. */
static int hand_over(struct engine *engine, struct orch_error *err)
{
    struct batch *batch = engine->gathering, *fresh = engine->spare ? engine->spare : batch_new(engine);
    engine->spare = NULL;
    if (!fresh) return error_memory(err);
    engine->gathering = fresh;
    engine->committing = batch;
    int r = prepare(batch, err);
    if (r) return r;
    if (batch->items_count > 0) return append(engine, err);
    append_done(engine, 0); /* those who wait for what changed nothing: all before them is durable already */
    return 0;
}

void engine_flush(struct engine *engine)
{
    if (engine->flushing) return; /* called from within an act: the outer one goes round again */
    engine->flushing = true;
    for (int turns = 0;; turns++) {
        struct orch_error err = ORCH_ERROR_INIT;
        store_poll(engine->store);
        if (engine->failed || engine->committing) break;
        admit(engine);
        if (engine->failed || (!engine->gathering->dirty && !engine->gathering->waiters)) break;
        if (turns == ENGINE_FLUSHES_MAX) {
            engine_stir(engine);
            break;
        }
        if (hand_over(engine, &err)) {
            engine_fail(engine, &err);
            break;
        }
    }
    engine->flushing = false;
    if (engine->failed) engine_end_failed(engine);
}
