/*
 * whatif_history.c - what a run's journal knows of each attempt: the action as it was rendered, and its result.
 */
#include "cli/whatif.h"

#include <stdlib.h>

#include "base/error.h"

#define WAS_SLOW 2 /* what was stopped for taking too long is taken to need so many times as long */

/* A sub-workflow's execution, as the parent's journal names it. */
struct sub {
    struct orch_str path; /* of its task, from the outermost run in */
    uint32_t instance;
    uint64_t fence;
    struct sub *next;
};

struct reading {
    struct whatif_history *history;
    struct engine_view *view;
    int64_t number;
    struct orch_str id, prefix;
    orch_time until;
    struct sub *subs;
    struct arena scratch;
    struct buf path;
    struct orch_error *err;
    int r;
};

/* ---- actions ---- */

struct orch_str whatif_action(struct value config, struct value env, struct orch_str execution_id, struct arena *arena)
{
    struct buf text, out;
    struct value_member members[2] = {{value_string(STR("action")), config}, {value_string(STR("env")), env}};
    struct value both;
    if (value_map(members, 2, arena, &both)) return STR_NONE;
    buf_init(&text, NULL, 0);
    buf_init(&out, NULL, 0);
    json_format(both, 0, &text);
    struct orch_str whole = buf_str(&text);
    for (size_t at = 0; at < whole.size;) {
        size_t id = execution_id.size ? str_find(whole, execution_id, at) : SIZE_MAX;
        if (id == SIZE_MAX) id = whole.size;
        buf_add(&out, str_of(whole.data + at, id - at));
        at = id;
        if (at == whole.size) break;
        buf_add_text(&out, "r-");
        at += execution_id.size;
    }
    struct orch_str made = text.failed || out.failed ? STR_NONE : arena_str(arena, buf_str(&out));
    buf_done(&text);
    buf_done(&out);
    return made;
}

static void differ(struct value before, struct value after, const char *what, struct buf *out)
{
    if (before.kind != VALUE_MAP || after.kind != VALUE_MAP) return;
    for (int pass = 0; pass < 2; pass++) {
        struct value from = pass ? after : before, other = pass ? before : after;
        for (uint32_t i = 0; i < from.size; i++) {
            const struct value_member *member = &value_members(from)[i];
            const struct value *twin = value_get(other, value_str(member->key));
            /* What is in both was told in the first pass. */
            if (twin && (pass || value_equal(*twin, member->value))) continue;
            if (out->size) buf_add_text(out, ", ");
            buf_add_text(out, what);
            cli_clean(value_str(member->key), 40, false, out);
        }
    }
}

void whatif_action_difference(struct orch_str before, struct orch_str after, struct arena *arena, struct buf *out)
{
    struct value one, other;
    if (json_parse(before, NULL, arena, &one, NULL) || json_parse(after, NULL, arena, &other, NULL)) return;
    const struct value *one_action = value_get(one, STR("action")), *other_action = value_get(other, STR("action"));
    const struct value *one_env = value_get(one, STR("env")), *other_env = value_get(other, STR("env"));
    if (one_action && other_action) differ(*one_action, *other_action, "", out);
    if (one_env && other_env) differ(*one_env, *other_env, "env ", out);
}

/* ---- tasks ---- */

struct whatif_task *whatif_history_find(const struct whatif_history *history, struct orch_str path)
{
    const struct map_entry *entry = map_find(&history->tasks, path);
    return entry ? entry->pointer : NULL;
}

static struct whatif_task *task_of(struct reading *reading, uint32_t instance)
{
    struct whatif_history *history = reading->history;
    buf_clear(&reading->path);
    buf_add(&reading->path, reading->prefix);
    core_path(engine_view_core(reading->view), instance, &reading->path);
    if (reading->path.failed) {
        reading->r = error_memory(reading->err);
        return NULL;
    }
    struct whatif_task *task = whatif_history_find(history, buf_str(&reading->path));
    if (task) return task;
    struct orch_str path = arena_str(&history->arena, buf_str(&reading->path));
    task = path.data ? ARENA_NEW(&history->arena, struct whatif_task) : NULL;
    struct map_entry *entry = task ? map_add(&history->tasks, path, NULL) : NULL;
    if (!entry) {
        reading->r = error_memory(reading->err);
        return NULL;
    }
    task->path = path;
    entry->pointer = task;
    return task;
}

static bool keep(struct reading *reading, struct orch_str text, struct orch_str *ret)
{
    *ret = text.size ? arena_str(&reading->history->arena, text) : STR_NONE;
    if (text.size && !ret->data) reading->r = error_memory(reading->err);
    return reading->r == 0;
}

static struct whatif_attempt *add_attempt(struct reading *reading, struct whatif_task *task)
{
    if (task->count == task->capacity) {
        uint32_t capacity = task->capacity ? task->capacity * 2 : 2;
        struct whatif_attempt *attempts = ARENA_ARRAY(&reading->history->arena, capacity, struct whatif_attempt);
        if (!attempts) {
            reading->r = error_memory(reading->err);
            return NULL;
        }
        if (task->count) memcpy(attempts, task->attempts, task->count * sizeof *attempts);
        task->attempts = attempts;
        task->capacity = capacity;
    }
    struct whatif_attempt *attempt = &task->attempts[task->count++];
    *attempt = (struct whatif_attempt){.action = task->open_action};
    return attempt;
}

/* The attempt under way, or what was waited for, has come to its end. What is not known then is not kept: it was lost,
 * or stopped for something else. */
static void end_attempt(struct reading *reading, struct whatif_task *task, const struct core_transition *transition,
                        enum failure failure)
{
    if (!task->is_open) return;
    task->is_open = false;
    orch_time took = transition->at > task->open_at ? transition->at - task->open_at : 0;
    switch (failure) {
    case FAILURE_LOST:
    case FAILURE_CANCELLED:
    case FAILURE_EVALUATION:
    case FAILURE_CHILD:
    case FAILURE_DEPENDENCY: return;
    case FAILURE_TIMEOUT:
        failure = FAILURE_NONE;
        took = task->is_wait ? ORCH_TIME_NEVER : took * WAS_SLOW;
        break;
    case FAILURE_NONE:
    case FAILURE_EXIT:
    case FAILURE_SIGNAL:
    case FAILURE_ERROR:
    case FAILURE_PERMANENT:
    case FAILURE_REJECTED:
    case FAILURE_START: break;
    }
    struct whatif_attempt *attempt = add_attempt(reading, task);
    if (!attempt) return;
    attempt->answer = (struct simulation_answer){.duration = took,
                                                 .failure = failure,
                                                 .exit_code = transition->exit_code > 0 ? transition->exit_code : 0,
                                                 .signal = transition->signal};
    struct orch_str output = transition->output;
    if (transition->type == TRANSITION_APPROVAL_GIVEN) {
        (void)(keep(reading, transition->by, &attempt->answer.by) &&
               keep(reading, transition->data, &attempt->answer.comment));
        return;
    }
    if (!output.size && transition->blob)
        reading->r = store_get_blob(reading->history->store, reading->number, transition->blob,
                                    &reading->history->arena, &output, reading->err);
    if (!reading->r)
        (void)(keep(reading, output, &attempt->answer.output) &&
               keep(reading, transition->error, &attempt->answer.error));
}

/* It is run again: what there was of it and in it stands no more. */
static void forget(struct reading *reading, uint32_t instance)
{
    struct whatif_history *history = reading->history;
    buf_clear(&reading->path);
    buf_add(&reading->path, reading->prefix);
    core_path(engine_view_core(reading->view), instance, &reading->path);
    if (reading->path.failed) reading->r = error_memory(reading->err);
    struct orch_str path = buf_str(&reading->path);
    for (uint32_t i = 0; i < history->tasks.count; i++) {
        struct whatif_task *task = history->tasks.entries[i].pointer;
        if (!str_starts_with(task->path, path)) continue;
        if (task->path.size > path.size && !strchr("/[#", task->path.data[path.size])) continue;
        task->count = 0;
        task->is_open = task->is_over = false;
    }
    for (struct sub **at = &reading->subs; *at;) {
        struct orch_str one = (*at)->path;
        bool is_in = str_starts_with(one, path) && (one.size == path.size || strchr("/[#", one.data[path.size]));
        if (is_in)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
}

static void begin_attempt(struct reading *reading, const struct core_transition *transition)
{
    const struct core *core = engine_view_core(reading->view);
    const struct task *definition = core_get_instance(core, transition->instance)->task;
    struct whatif_task *task = task_of(reading, transition->instance);
    if (!task || !definition->action) return;
    if (definition->action->kind == ACTION_WORKFLOW) {
        struct sub *sub = ARENA_NEW(&reading->history->arena, struct sub);
        if (!sub) {
            reading->r = error_memory(reading->err);
            return;
        }
        *sub = (struct sub){task->path, transition->instance, transition->fence, reading->subs};
        reading->subs = sub;
        return;
    }
    struct value config, env;
    arena_clear(&reading->scratch);
    task->is_open = true;
    task->is_wait = false;
    task->open_at = transition->at;
    task->open_action = STR_NONE;
    /* One that could not be rendered failed of that. */
    if (core_render(core, transition->instance, transition->at, &reading->scratch, &config, &env, NULL)) return;
    struct orch_str action = whatif_action(config, env, reading->id, &reading->scratch);
    if (!action.data)
        reading->r = error_memory(reading->err);
    else
        (void)keep(reading, action, &task->open_action);
}

static bool on_transition(void *user, uint64_t sequence, const struct core_transition *transition)
{
    struct reading *reading = user;
    struct whatif_history *history = reading->history;
    bool is_outermost = reading->prefix.size == 0;
    if (transition->at > reading->until) return false;
    struct whatif_task *task = NULL;
    switch ((enum transition_type)transition->type) {
    case TRANSITION_EXECUTION_STARTED:
        if (!is_outermost) break;
        history->started_at = transition->at;
        struct orch_str data;
        if (keep(reading, transition->data, &data) &&
            (reading->r = json_parse(data, NULL, &history->arena, &history->started, reading->err)))
            break;
        break;
    case TRANSITION_ATTEMPT_STARTED: begin_attempt(reading, transition); break;
    case TRANSITION_TASK_WAITING:
        if (transition->reason != REASON_APPROVAL && transition->reason != REASON_EVENT) break;
        task = task_of(reading, transition->instance);
        if (!task) break;
        task->is_open = task->is_wait = true;
        task->open_at = transition->at;
        task->open_action = STR_NONE;
        break;
    case TRANSITION_APPROVAL_GIVEN:
        task = task_of(reading, transition->instance);
        if (task)
            end_attempt(reading, task, transition,
                        transition->state == TASK_SUCCEEDED ? FAILURE_NONE : FAILURE_REJECTED);
        break;
    case TRANSITION_ATTEMPT_FAILED:
        task = task_of(reading, transition->instance);
        if (task) end_attempt(reading, task, transition, (enum failure)transition->failure);
        break;
    case TRANSITION_TASK_ENDED:
        task = task_of(reading, transition->instance);
        if (!task) break;
        end_attempt(reading, task, transition,
                    transition->state == TASK_SUCCEEDED   ? FAILURE_NONE
                    : transition->state == TASK_FAILED    ? (enum failure)transition->failure
                    : transition->state == TASK_TIMED_OUT ? FAILURE_TIMEOUT
                                                          : FAILURE_CANCELLED);
        task->is_over = true;
        break;
    case TRANSITION_TASK_RESET:
        if (transition->state != TASK_RUNNING) forget(reading, transition->instance);
        break;
    case TRANSITION_EXECUTION_STOPPING:
        if (is_outermost && transition->state == EXECUTION_CANCELLED && !history->stopped_by.size)
            (void)keep(reading, transition->by.size ? transition->by : STR("somebody"), &history->stopped_by);
        break;
    case TRANSITION_FRAME_OPENED:
    case TRANSITION_TASK_READY:
    case TRANSITION_ATTEMPT_STOPPING:
    case TRANSITION_TASK_STARTED:
    case TRANSITION_FRAME_ENDED:
    case TRANSITION_EXECUTION_PAUSED:
    case TRANSITION_EXECUTION_RESUMED:
    case TRANSITION_COMPENSATION_STARTED:
    case TRANSITION_TASK_COMPENSATING:
    case TRANSITION_EXECUTION_ENDED:
    case TRANSITION_SIGNAL_RECEIVED:
    case TRANSITION_EXECUTION_RETRIED: break;
    }
    if (is_outermost) {
        history->at = transition->at;
        history->sequence = sequence;
    }
    return reading->r == 0;
}

/* ---- executions ---- */

static int read_execution(struct whatif_history *history, int64_t number, uint64_t sequence, orch_time until,
                          struct orch_str prefix, struct orch_error *err);

struct children {
    const struct reading *reading;
    int64_t *numbers; /* of those whose attempts stand, newest first */
    struct orch_str *paths;
    uint32_t count, capacity;
    bool failed;
};

static int note_child(void *user, const struct store_execution *row)
{
    struct children *children = user;
    const struct sub *sub = children->reading->subs;
    while (sub && (sub->instance != row->parent_instance || sub->fence != row->parent_fence)) sub = sub->next;
    if (!sub) return 0;
    if (children->count == children->capacity) {
        uint32_t capacity = children->capacity ? children->capacity * 2 : 16;
        int64_t *numbers = realloc(children->numbers, capacity * sizeof *numbers);
        if (numbers) children->numbers = numbers;
        struct orch_str *paths = numbers ? realloc(children->paths, capacity * sizeof *paths) : NULL;
        if (!paths) return ORCH_ERR_NO_MEMORY;
        children->paths = paths;
        children->capacity = capacity;
    }
    children->numbers[children->count] = row->number;
    children->paths[children->count++] = sub->path;
    return 0;
}

static int read_children(struct reading *reading, orch_time until)
{
    struct whatif_history *history = reading->history;
    struct children children = {.reading = reading};
    struct store_filter filter = {.parent = reading->number, .count_max = UINT32_MAX};
    if (!reading->subs) return 0;
    int r = store_each_execution(history->store, &filter, note_child, &children, reading->err);
    if (r == ORCH_ERR_NO_MEMORY) r = error_memory(reading->err);
    for (uint32_t i = children.count; i-- > 0 && !r;) {
        struct orch_str prefix = arena_printf(&history->arena, "%.*s/", STR_ARG(children.paths[i]));
        r = prefix.data ? read_execution(history, children.numbers[i], UINT64_MAX, until, prefix, reading->err)
                        : error_memory(reading->err);
    }
    free(children.numbers);
    free(children.paths);
    return r;
}

static int keep_summary(struct reading *reading)
{
    struct whatif_history *history = reading->history;
    core_get_summary(engine_view_core(reading->view), &history->summary);
    struct core_summary *summary = &history->summary;
    history->last = engine_view_last(reading->view);
    (void)(keep(reading, summary->error, &summary->error) && keep(reading, summary->output, &summary->output) &&
           keep(reading, summary->id, &summary->id) && keep(reading, summary->parameters, &summary->parameters));
    return reading->r;
}

/* As deep as executions are nested, which the engine bounds. */
static int read_execution(struct whatif_history *history, int64_t number, uint64_t sequence, orch_time until,
                          struct orch_str prefix, struct orch_error *err)
{
    char id[20];
    struct reading reading = {.history = history, .number = number, .prefix = prefix, .until = until, .err = err};
    store_execution_id(number, id);
    reading.id = str_from(id);
    arena_init(&reading.scratch, NULL, 0);
    buf_init(&reading.path, NULL, 0);
    int r = engine_view_open_at(history->store, number, 0, &reading.view, err);
    if (!r) r = engine_view_advance(reading.view, sequence, on_transition, &reading, err);
    if (!r) r = reading.r;
    if (!r && !prefix.size) r = keep_summary(&reading);
    /* Of the sub-workflows, what had become of them by then. */
    if (!r) r = read_children(&reading, prefix.size || sequence == UINT64_MAX ? until : history->at);
    engine_view_close(reading.view);
    buf_done(&reading.path);
    arena_done(&reading.scratch);
    return r;
}

int whatif_history_read(struct whatif_history *history, struct store *store, int64_t number, uint64_t sequence,
                        struct orch_error *err)
{
    *history = (struct whatif_history){.store = store};
    arena_init(&history->arena, NULL, 0);
    map_init(&history->tasks, NULL);
    int r = store_get_execution(store, number, &history->arena, &history->row, err);
    if (!r) r = store_get_definition(store, history->row.digest, &history->arena, &history->normal, err);
    if (!r) r = read_execution(history, number, sequence, INT64_MAX, STR_NONE, err);
    return r;
}

void whatif_history_done(struct whatif_history *history)
{
    map_done(&history->tasks);
    arena_done(&history->arena);
}
