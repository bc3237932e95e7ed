/*
 * fast.c - graphs of functions in memory, on the engine's lane: nothing is recorded, a byte tells how a task ended.
 *
 * What a task gives or why it fails is kept beside, by those that do. The run is a thread's of its own; it tells the
 * engine through the loop, so that callbacks come where all others do.
 */
#include "lib/internal.h"

#include <signal.h>
#include <stdlib.h>

#include "sys/clock.h"

#define LINES_MAX (256u << 10) /* bytes of a log that were not taken up: then functions wait */

struct output {
    size_t size;
    char text[]; /* JSON, terminated */
};

struct failed_task {
    orch_task task;
    int code;
    size_t size;
    char *text; /* terminated */
};

struct fast {
    pthread_t thread;
    bool has_thread;
    bool is_over; /* told; under the engine's lock, like all without a word of their own */
    bool is_cancelled;
    uint32_t generation;
    orch_time started_at, ended_at;
    uint8_t *states; /* enum lane_state, written by the lane while it runs */
    uint8_t *kept;   /* of a run again: 1 + the state that a task keeps, 0: runs; NULL: all run */
    struct arena texts;
    struct orch_str by, reason; /* of the start, of the cancel */
    atomic_bool stop;           /* no further task begins */
    atomic_bool is_paused;
    _Atomic(_Atomic(struct output *) *) outputs; /* by task, made with the first */
    pthread_cond_t changed;                      /* with fast_lock: goes on, is stopped, or lines were taken */
    /* Under the engine's fast_lock. */
    struct failed_task *failed;
    uint32_t failed_count, failed_capacity;
    bool failed_sorted;
    struct buf lines; /* task, size, bytes */
    bool is_done;     /* the thread has nothing more to tell */
    bool has_news;
    struct orch_execution *news_next;
};

bool fast_may(const struct orch_engine *engine, const struct orch_workflow *workflow,
              const struct orch_start_options *options)
{
    return engine->is_memory && workflow->is_plain && !workflow->is_text && workflow->count > 0 && !options->history &&
           !options->parameters && !engine->options.on_event;
}

/*
 * Inside of a task.
 */
bool fast_is_stopped(const struct orch_execution *execution)
{
    return atomic_load_explicit(&execution->fast->stop, memory_order_relaxed);
}

uint32_t fast_generation(const struct orch_execution *execution)
{
    return execution->fast->generation;
}

/* With fast_lock. */
static void add_news(struct orch_execution *execution)
{
    struct orch_engine *engine = execution->engine;

    if (!execution->fast->has_news) {
        execution->fast->has_news = true;
        execution->fast->news_next = engine->fast_news;
        engine->fast_news = execution;
    }
    (void)uv_async_send(&engine->wake);
}

void fast_log(struct orch_call *call, struct orch_str line)
{
    struct orch_execution *execution = call->execution;
    struct orch_engine *engine = execution->engine;
    struct fast *fast = execution->fast;
    uint32_t head[2] = {call->task, (uint32_t)line.size};

    if (!engine->options.on_log) return; /* nowhere to go: nothing is kept in memory */
    pthread_mutex_lock(&engine->fast_lock);
    while (fast->lines.size > LINES_MAX && !atomic_load(&fast->stop))
        pthread_cond_wait(&fast->changed, &engine->fast_lock);
    size_t before = fast->lines.size;
    if (before <= LINES_MAX) {
        buf_add(&fast->lines, str_of((const char *)head, sizeof head));
        buf_add(&fast->lines, line);
    }
    if (fast->lines.failed) { /* for want of memory: this line is lost, those before it are not */
        fast->lines.failed = false;
        fast->lines.size = before;
    }
    add_news(execution);
    pthread_mutex_unlock(&engine->fast_lock);
}

int fast_input(struct orch_call *call, struct orch_str name, struct orch_str *ret)
{
    const struct orch_workflow *workflow = call->execution->workflow;
    orch_task on = workflow_find_task(workflow, name);

    if (on == ORCH_NO_TASK) return ORCH_ERR_NOT_FOUND;
    uint32_t edge = workflow_first_edge(workflow, call->task);
    while (edge < workflow->edges_count && workflow->edges[edge].task == call->task && workflow->edges[edge].on != on)
        edge++;
    if (edge == workflow->edges_count || workflow->edges[edge].task != call->task) return ORCH_ERR_NOT_FOUND;
    _Atomic(struct output *) *outputs = atomic_load(&call->execution->fast->outputs);
    const struct output *output = outputs ? atomic_load(&outputs[on]) : NULL;
    if (!output) return ORCH_ERR_NOT_FOUND;
    *ret = str_of(output->text, output->size);
    return 0;
}

static _Atomic(struct output *) *outputs_of(struct orch_execution *execution)
{
    struct fast *fast = execution->fast;
    const struct orch_allocator *allocator = execution->engine->allocator;
    size_t size = execution->workflow->count * sizeof(_Atomic(struct output *));
    _Atomic(struct output *) *outputs = atomic_load(&fast->outputs), *nothing = NULL;

    if (outputs) return outputs;
    outputs = mem_resize(allocator, NULL, 0, size);
    if (!outputs) return NULL;
    for (uint32_t i = 0; i < execution->workflow->count; i++) atomic_init(&outputs[i], NULL);
    if (atomic_compare_exchange_strong(&fast->outputs, &nothing, outputs)) return outputs;
    (void)mem_resize(allocator, outputs, size, 0);
    return nothing; /* another thread was first */
}

static void output_free(const struct orch_allocator *allocator, struct output *output)
{
    if (output) (void)mem_resize(allocator, output, sizeof *output + output->size + 1, 0);
}

static int keep_output(struct orch_execution *execution, struct orch_call *call)
{
    const struct orch_allocator *allocator = execution->engine->allocator;
    struct value value;
    struct buf json;

    if (call_output(call, &value)) return ORCH_ERR_NO_MEMORY;
    if (value.kind == VALUE_NULL) return 0;
    _Atomic(struct output *) *outputs = outputs_of(execution);
    if (!outputs) return ORCH_ERR_NO_MEMORY;
    buf_init(&json, NULL, 0);
    json_format(value, 0, &json);
    struct output *output = json.failed ? NULL : mem_resize(allocator, NULL, 0, sizeof *output + json.size + 1);
    if (output) {
        output->size = json.size;
        memcpy(output->text, json.data, json.size + 1);
        atomic_store(&outputs[call->task], output);
    }
    buf_done(&json);
    return output ? 0 : ORCH_ERR_NO_MEMORY;
}

static void keep_failure(struct orch_execution *execution, orch_task task, int code, struct orch_str text)
{
    struct orch_engine *engine = execution->engine;
    struct fast *fast = execution->fast;
    char *copy = mem_resize(engine->allocator, NULL, 0, text.size + 1);

    if (copy) {
        if (text.size) memcpy(copy, text.data, text.size);
        copy[text.size] = '\0';
    }
    pthread_mutex_lock(&engine->fast_lock);
    if (copy && fast->failed_count == fast->failed_capacity) {
        uint32_t wanted = fast->failed_capacity ? fast->failed_capacity * 2 : 8;
        struct failed_task *grown =
            mem_resize(engine->allocator, fast->failed, fast->failed_capacity * sizeof *grown, wanted * sizeof *grown);
        if (grown) {
            fast->failed = grown;
            fast->failed_capacity = wanted;
        }
    }
    if (copy && fast->failed_count < fast->failed_capacity) {
        fast->failed[fast->failed_count++] = (struct failed_task){task, code, text.size, copy};
        copy = NULL;
        fast->failed_sorted = false;
    }
    pthread_mutex_unlock(&engine->fast_lock);
    (void)mem_resize(engine->allocator, copy, copy ? text.size + 1 : 0, 0);
}

/* True when it may go on. */
static bool wait_while_paused(struct orch_execution *execution)
{
    struct fast *fast = execution->fast;

    pthread_mutex_lock(&execution->engine->fast_lock);
    while (atomic_load(&fast->is_paused) && !atomic_load(&fast->stop))
        pthread_cond_wait(&fast->changed, &execution->engine->fast_lock);
    pthread_mutex_unlock(&execution->engine->fast_lock);
    return !atomic_load(&fast->stop);
}

/* What is rare: it gave something, failed, or was stopped. */
static int end_task(struct orch_execution *execution, struct orch_call *call, int code)
{
    struct fast *fast = execution->fast;
    struct orch_str message = call->message;

    if (code > 0 || (code < 0 && strcmp(orch_error_name(code), "UNKNOWN") == 0)) code = ORCH_ERR_TASK_FAILED;
    /* It was told to stop, and that is what counts. */
    bool was_stopped = atomic_load(&fast->stop);
    if (was_stopped) {
        code = ORCH_ERR_CANCELLED;
        message = STR_NONE;
    } else if (code == 0) {
        code = keep_output(execution, call);
        if (code) message = STR_NONE;
    }
    if (code && !message.size && !was_stopped) message = str_from(orch_error_text(code));
    /* "Not tried again" is all that the other codes would say here. */
    if (code && code != ORCH_ERR_CANCELLED && code != ORCH_ERR_TIMEOUT) code = ORCH_ERR_TASK_FAILED;
    if (code) {
        keep_failure(execution, call->task, code, message);
        if (execution->workflow->fail_fast) {
            pthread_mutex_lock(&execution->engine->fast_lock);
            atomic_store(&fast->stop, true);
            pthread_cond_broadcast(&fast->changed);
            pthread_mutex_unlock(&execution->engine->fast_lock);
        }
    }
    /* Nothing follows what was stopped, it is no reason to skip: end_stopped. */
    return was_stopped ? 0 : code;
}

/* What was stopped has not succeeded, whatever the lane was told. */
static void end_stopped(struct fast *fast)
{
    for (uint32_t i = 0; i < fast->failed_count; i++) fast->states[fast->failed[i].task] = LANE_FAILED;
}

static int run_task(void *user, uint32_t task)
{
    struct orch_execution *execution = user;
    struct fast *fast = execution->fast;
    const struct lib_function *function = &execution->workflow->functions[task];
    struct orch_call call;

    if (fast->kept && fast->kept[task]) return fast->kept[task] - 1 == LANE_SUCCEEDED ? 0 : ORCH_ERR_TASK_FAILED;
    call.base = NULL;
    call.execution = execution;
    call.task = task;
    call.has_arena = call.has_output = call.is_object = false;
    call.arena = NULL;
    call.members_count = call.members_capacity = 0;
    call.message = STR_NONE;
    if (atomic_load_explicit(&fast->is_paused, memory_order_relaxed) && !wait_while_paused(execution))
        return end_task(execution, &call, ORCH_ERR_CANCELLED);
    int code = function->function(&call, function->user);
    if (code != 0 || call.has_output || atomic_load_explicit(&fast->stop, memory_order_relaxed))
        code = end_task(execution, &call, code);
    if (call.has_arena) arena_done(&call.arena_own);
    return code;
}

/*
 * The run.
 */
static void *fast_main(void *user)
{
    struct orch_execution *execution = user;
    struct orch_engine *engine = execution->engine;
    struct orch_workflow *workflow = execution->workflow;
    struct fast *fast = execution->fast;
    const struct lane_graph graph = {workflow->count, workflow->first, workflow->next};
    const struct lane_options options = {.threads = engine->options.threads,
                                         .run = run_task,
                                         .user = execution,
                                         .stop = &fast->stop,
                                         .allocator = engine->allocator};
    struct orch_error err = ORCH_ERROR_INIT;
    int r = lane_run(&graph, &options, fast->states, &err);

    /* Nothing has run: the first task says why. */
    if (r) {
        keep_failure(execution, 0, ORCH_ERR_TASK_FAILED, str_from(err.message));
        fast->states[0] = LANE_FAILED;
    }
    end_stopped(fast);
    for (uint32_t i = 0; fast->kept && i < workflow->count; i++)
        if (fast->kept[i]) fast->states[i] = fast->kept[i] - 1;
    pthread_mutex_lock(&engine->fast_lock);
    fast->is_done = true;
    add_news(execution);
    pthread_mutex_unlock(&engine->fast_lock);
    return NULL;
}

static int begin(struct orch_execution *execution, struct orch_error *err)
{
    sigset_t all, before;
    struct fast *fast = execution->fast;

    fast->is_done = fast->is_over = fast->is_cancelled = false;
    atomic_store(&fast->stop, false);
    atomic_store(&fast->is_paused, false);
    fast->ended_at = 0;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&fast->thread, NULL, fast_main, execution);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) return error_set(err, ORCH_ERR_OVERLOADED, "cannot start a thread for functions");
    fast->has_thread = true;
    execution->engine->fasts_running++;
    execution->is_alive = true;
    execution->refs++;
    return 0;
}

int fast_start(struct orch_engine *engine, struct orch_workflow *workflow, const struct orch_start_options *options,
               struct orch_execution **ret, struct orch_error *err)
{
    const struct orch_allocator *allocator = engine->allocator;
    struct orch_execution *execution = execution_handle(engine, store_next_number(engine_store(engine->engine)), err);

    if (!execution) return ORCH_ERR_NO_MEMORY;
    execution->refs++; /* until it has its own */
    struct fast *fast = mem_resize(allocator, NULL, 0, sizeof *fast);
    uint8_t *states = fast ? mem_resize(allocator, NULL, 0, workflow->count) : NULL;
    if (states) *fast = (struct fast){.states = states, .started_at = clock_wall()};
    if (!states || pthread_cond_init(&fast->changed, NULL)) {
        (void)mem_resize(allocator, states, states ? workflow->count : 0, 0);
        (void)mem_resize(allocator, fast, fast ? sizeof *fast : 0, 0);
        execution_drop(execution, 1);
        return error_memory(err);
    }
    memset(states, LANE_PENDING, workflow->count);
    buf_init(&fast->lines, NULL, 0);
    arena_init(&fast->texts, allocator, 0);
    execution->fast = fast;
    execution->workflow = workflow_ref(workflow);
    execution->on_end = options->on_end;
    execution->user = options->user;
    execution->fast_next = engine->fasts;
    if (execution->fast_next) execution->fast_next->fast_previous = execution;
    engine->fasts = execution;
    fast->by = text_copy(&fast->texts, str_from(options->by));
    int r = fast->by.data ? begin(execution, err) : error_memory(err);
    execution_drop(execution, 1);
    if (!r) *ret = execution;
    return r;
}

static void tell_lines(struct orch_execution *execution, const struct buf *lines)
{
    struct orch_engine *engine = execution->engine;
    char room[24];

    for (size_t at = 0; at < lines->size;) {
        uint32_t head[2];
        memcpy(head, lines->data + at, sizeof head);
        at += sizeof head;
        struct arena_mark mark = arena_mark(&engine->scratch);
        struct orch_log_line line = {.execution = str_from(execution->id),
                                     .task = workflow_task_name(execution->workflow, head[0], room),
                                     .number = head[0],
                                     .attempt = 1,
                                     .stream = 'o',
                                     .line = text_copy(&engine->scratch, str_of(lines->data + at, head[1]))};
        at += head[1];
        engine->in_callback++;
        if (line.line.data && engine->options.on_log) engine->options.on_log(engine->options.user, &line);
        engine->in_callback--;
        arena_rewind(&engine->scratch, mark);
    }
}

static void end_run(struct orch_execution *execution)
{
    struct orch_engine *engine = execution->engine;
    struct fast *fast = execution->fast;

    (void)pthread_join(fast->thread, NULL);
    fast->has_thread = false;
    (void)mem_resize(engine->allocator, fast->kept, fast->kept ? execution->workflow->count : 0, 0);
    fast->kept = NULL;
    fast->ended_at = clock_wall();
    fast->is_over = true;
    engine->fasts_running--;
}

void fast_take_news(struct orch_engine *engine)
{
    for (;;) {
        pthread_mutex_lock(&engine->fast_lock);
        struct orch_execution *execution = engine->fast_news;
        if (!execution) {
            pthread_mutex_unlock(&engine->fast_lock);
            return;
        }
        struct fast *fast = execution->fast;
        engine->happened++;
        engine->fast_news = fast->news_next;
        fast->has_news = false;
        bool is_done = fast->is_done;
        struct buf lines = fast->lines;
        buf_init(&fast->lines, NULL, 0);
        pthread_cond_broadcast(&fast->changed);
        pthread_mutex_unlock(&engine->fast_lock);
        tell_lines(execution, &lines);
        buf_done(&lines);
        if (!is_done) continue;
        end_run(execution);
        execution_over(execution);
    }
}

/* Without the engine's lock: functions that still run may ask something of the engine. */
void fast_stop_all(struct orch_engine *engine)
{
    for (struct orch_execution *execution = engine->fasts; execution; execution = execution->fast_next) {
        struct fast *fast = execution->fast;
        if (!fast->has_thread) continue;
        pthread_mutex_lock(&engine->fast_lock);
        atomic_store(&fast->stop, true);
        fast->is_cancelled = true;
        pthread_cond_broadcast(&fast->changed);
        pthread_mutex_unlock(&engine->fast_lock);
    }
    for (struct orch_execution *execution = engine->fasts; execution; execution = execution->fast_next)
        if (execution->fast->has_thread) end_run(execution);
    engine->fast_news = NULL;
}

static void forget_outputs(struct orch_execution *execution, bool all)
{
    struct fast *fast = execution->fast;
    const struct orch_allocator *allocator = execution->engine->allocator;
    _Atomic(struct output *) *outputs = atomic_load(&fast->outputs);
    uint32_t count = execution->workflow->count;

    for (uint32_t i = 0; outputs && i < count; i++) {
        if (!all && fast->kept[i]) continue;
        output_free(allocator, atomic_load(&outputs[i]));
        atomic_store(&outputs[i], NULL);
    }
    uint32_t left = 0;
    for (uint32_t i = 0; i < fast->failed_count; i++) {
        struct failed_task *failed = &fast->failed[i];
        if (!all && fast->kept[failed->task])
            fast->failed[left++] = *failed;
        else
            (void)mem_resize(allocator, failed->text, failed->size + 1, 0);
    }
    fast->failed_count = left;
    if (all && outputs) (void)mem_resize(allocator, outputs, count * sizeof *outputs, 0);
}

void fast_free(struct orch_execution *execution)
{
    struct orch_engine *engine = execution->engine;
    struct fast *fast = execution->fast;

    if (execution->fast_next) execution->fast_next->fast_previous = execution->fast_previous;
    if (execution->fast_previous)
        execution->fast_previous->fast_next = execution->fast_next;
    else
        engine->fasts = execution->fast_next;
    forget_outputs(execution, true);
    buf_done(&fast->lines);
    arena_done(&fast->texts);
    (void)mem_resize(engine->allocator, fast->failed, fast->failed_capacity * sizeof *fast->failed, 0);
    (void)mem_resize(engine->allocator, fast->kept, fast->kept ? execution->workflow->count : 0, 0);
    (void)mem_resize(engine->allocator, fast->states, execution->workflow->count, 0);
    (void)pthread_cond_destroy(&fast->changed);
    (void)mem_resize(engine->allocator, fast, sizeof *fast, 0);
    execution->fast = NULL;
}

/*
 * Commands.
 */
static int error_over(const struct orch_execution *execution, struct orch_error *err)
{
    error_set(err, ORCH_ERR_STATE, "run %s is already finished (%s)", execution->id,
              orch_execution_state_name(fast_state(execution)));
    error_hint(err, "orch_execution_retry  runs it again");
    return ORCH_ERR_STATE;
}

int fast_cancel(struct orch_execution *execution, const char *reason, struct orch_error *err)
{
    struct orch_engine *engine = execution->engine;
    struct fast *fast = execution->fast;
    struct orch_str text = str_from(reason);
    int r = 0;

    engine_enter(engine);
    if (fast->is_over) {
        r = error_over(execution, err);
    } else if (!fast->is_cancelled) {
        struct orch_str copy = text_copy(&fast->texts, text);
        if (!copy.data) {
            r = error_memory(err);
        } else {
            fast->reason = copy;
            fast->is_cancelled = true;
            pthread_mutex_lock(&engine->fast_lock);
            atomic_store(&fast->stop, true);
            pthread_cond_broadcast(&fast->changed);
            pthread_mutex_unlock(&engine->fast_lock);
        }
    }
    engine_leave(engine);
    return r;
}

int fast_pause(struct orch_execution *execution, bool pause, struct orch_error *err)
{
    struct orch_engine *engine = execution->engine;
    struct fast *fast = execution->fast;
    int r = 0;

    engine_enter(engine);
    if (fast->is_over)
        r = error_over(execution, err);
    else if (pause && fast->is_cancelled)
        r = error_set(err, ORCH_ERR_STATE, "run %s is %s", execution->id,
                      orch_execution_state_name(fast_state(execution)));
    if (!r) {
        pthread_mutex_lock(&engine->fast_lock);
        atomic_store(&fast->is_paused, pause);
        pthread_cond_broadcast(&fast->changed);
        pthread_mutex_unlock(&engine->fast_lock);
    }
    engine_leave(engine);
    return r;
}

/* What is to run again: 0 in `kept`. */
static int choose(struct orch_execution *execution, const char *from, uint8_t *kept, struct orch_error *err)
{
    const struct orch_workflow *workflow = execution->workflow;
    struct fast *fast = execution->fast;
    bool any = false;

    for (uint32_t i = 0; i < workflow->count; i++) {
        bool keeps = from || fast->states[i] == LANE_SUCCEEDED;
        kept[i] = keeps ? (uint8_t)(fast->states[i] + 1) : 0;
        any = any || !keeps;
    }
    if (!from)
        return any ? 0 : error_set(err, ORCH_ERR_STATE, "it succeeded: there is nothing that failed to be run again");
    orch_task task = workflow_find_task(workflow, str_from(from));
    if (task == ORCH_NO_TASK)
        return error_set(err, ORCH_ERR_NOT_FOUND, "run %s has no task \"%s\"", execution->id, from);
    uint32_t *queue = mem_resize(execution->engine->allocator, NULL, 0, workflow->count * sizeof *queue), tail = 0;
    if (!queue) return error_memory(err);
    queue[tail++] = task;
    kept[task] = 0;
    for (uint32_t head = 0; head < tail; head++)
        for (uint32_t i = workflow->first[queue[head]]; i < workflow->first[queue[head] + 1]; i++) {
            uint32_t next = workflow->next[i];
            if (!kept[next]) continue;
            kept[next] = 0;
            queue[tail++] = next;
        }
    (void)mem_resize(execution->engine->allocator, queue, workflow->count * sizeof *queue, 0);
    return 0;
}

int fast_retry(struct orch_execution *execution, const char *from, struct orch_error *err)
{
    struct orch_engine *engine = execution->engine;
    struct fast *fast = execution->fast;

    int r = fast->is_over ? 0 : error_set(err, ORCH_ERR_STATE, "run %s is not over", execution->id);
    uint8_t *kept = r ? NULL : mem_resize(engine->allocator, NULL, 0, execution->workflow->count);
    if (!r && !kept) r = error_memory(err);
    if (!r) r = choose(execution, from, kept, err);
    if (!r) {
        fast->kept = kept;
        forget_outputs(execution, false);
        for (uint32_t i = 0; i < execution->workflow->count; i++)
            if (!kept[i]) fast->states[i] = LANE_PENDING;
        fast->generation++;
        r = begin(execution, err);
        if (r) {
            fast->generation--;
            fast->kept = NULL;
            fast->is_over = true;
        }
    }
    if (r) (void)mem_resize(engine->allocator, kept, kept ? execution->workflow->count : 0, 0);
    return r;
}

/*
 * Looking.
 */
static int lane_state_of(const struct fast *fast, orch_task task)
{
    return __atomic_load_n(&fast->states[task], __ATOMIC_RELAXED);
}

static int by_task(const void *a, const void *b)
{
    const struct failed_task *left = a, *right = b;
    return (left->task > right->task) - (left->task < right->task);
}

/* A copy of the struct; code 0: it has none. */
static struct failed_task find_failed(const struct orch_execution *execution, orch_task task)
{
    struct fast *fast = execution->fast;
    struct failed_task found = {0};

    pthread_mutex_lock(&execution->engine->fast_lock);
    if (!fast->failed_sorted && fast->failed_count)
        qsort(fast->failed, fast->failed_count, sizeof *fast->failed, by_task);
    fast->failed_sorted = true;
    const struct failed_task key = {.task = task};
    const struct failed_task *at =
        fast->failed_count ? bsearch(&key, fast->failed, fast->failed_count, sizeof *fast->failed, by_task) : NULL;
    if (at) found = *at;
    pthread_mutex_unlock(&execution->engine->fast_lock);
    return found;
}

static enum task_state state_of(const struct orch_execution *execution, orch_task task, struct failed_task *ret_failed)
{
    const struct fast *fast = execution->fast;

    *ret_failed = (struct failed_task){0};
    switch ((enum lane_state)lane_state_of(fast, task)) {
    case LANE_PENDING: return fast->is_over ? TASK_SKIPPED : TASK_PENDING;
    case LANE_SUCCEEDED:
        if (fast->is_over || !atomic_load(&fast->stop)) return TASK_SUCCEEDED;
        break; /* or it was stopped */
    case LANE_SKIPPED: return TASK_SKIPPED;
    case LANE_FAILED: break;
    }
    *ret_failed = find_failed(execution, task);
    if (!ret_failed->code && lane_state_of(fast, task) == LANE_SUCCEEDED) return TASK_SUCCEEDED;
    if (ret_failed->code == ORCH_ERR_CANCELLED) return TASK_CANCELLED;
    if (ret_failed->code == ORCH_ERR_TIMEOUT) return TASK_TIMED_OUT;
    return TASK_FAILED;
}

int fast_state(const struct orch_execution *execution)
{
    const struct fast *fast = execution->fast;
    bool all = true, failed = false;

    if (!fast->is_over)
        return atomic_load(&fast->is_paused) && !fast->is_cancelled ? EXECUTION_PAUSED : EXECUTION_RUNNING;
    for (uint32_t i = 0; i < execution->workflow->count && (all || !failed); i++) {
        all = all && fast->states[i] == LANE_SUCCEEDED;
        failed = failed || fast->states[i] == LANE_FAILED;
    }
    if (all) return EXECUTION_SUCCEEDED;
    return fast->is_cancelled ? EXECUTION_CANCELLED : EXECUTION_FAILED;
}

/* The first that failed; one that was cancelled only when there is no other. */
static void put_error(struct orch_execution *execution, struct orch_summary *ret)
{
    struct failed_task failed, first = {0};
    bool is_cancelled = true;
    char room[24];

    for (uint32_t i = 0; i < execution->workflow->count && is_cancelled; i++) {
        if (execution->fast->states[i] != LANE_FAILED) continue;
        enum task_state state = state_of(execution, i, &failed);
        if (first.text && state == TASK_CANCELLED) continue;
        is_cancelled = state == TASK_CANCELLED;
        first = failed;
        first.task = i;
    }
    struct orch_str name = workflow_task_name(execution->workflow, first.task, room);
    const char *what = is_cancelled ? "was cancelled" : "failed";
    ret->error = first.size ? arena_printf(&execution->of_summary, "%.*s %s: %s", STR_ARG(name), what, first.text)
                            : arena_printf(&execution->of_summary, "%.*s %s", STR_ARG(name), what);
    if (!ret->error.data) ret->error = STR("");
}

void fast_summary(struct orch_execution *execution, struct orch_summary *ret)
{
    const struct fast *fast = execution->fast;
    struct failed_task failed;

    ret->state = fast_state(execution);
    ret->error = STR("");
    ret->workflow = execution->workflow->name;
    ret->retries = fast->generation;
    ret->tasks_total = execution->workflow->count;
    for (uint32_t i = 0; i < execution->workflow->count; i++) {
        enum task_state state = state_of(execution, i, &failed);
        ret->tasks_done += task_state_is_terminal(state);
        ret->tasks_succeeded += state == TASK_SUCCEEDED;
        ret->tasks_failed += state == TASK_FAILED || state == TASK_TIMED_OUT;
        ret->tasks_skipped += state == TASK_SKIPPED;
        ret->tasks_cancelled += state == TASK_CANCELLED;
    }
    ret->started_at = fast->started_at;
    ret->ended_at = fast->ended_at;
    if (ret->state == EXECUTION_FAILED) put_error(execution, ret);
    if (ret->state == EXECUTION_CANCELLED && fast->reason.size) ret->error = fast->reason;
}

static struct orch_str output_text(const struct orch_execution *execution, orch_task task)
{
    _Atomic(struct output *) *outputs = atomic_load(&execution->fast->outputs);
    const struct output *output = outputs ? atomic_load(&outputs[task]) : NULL;
    return output ? str_of(output->text, output->size) : STR("null");
}

int fast_output(struct orch_execution *execution, struct buf *out)
{
    const struct orch_workflow *workflow = execution->workflow;
    const char *before = "{";
    char room[24];

    if (!execution->fast->is_over) return ORCH_ERR_STATE;
    if (fast_state(execution) != EXECUTION_SUCCEEDED) {
        buf_add_text(out, "null");
        return 0;
    }
    for (uint32_t i = 0; i < workflow->count; i++) {
        if (workflow->first[i] != workflow->first[i + 1]) continue; /* not a last one */
        buf_add_text(out, before);
        json_format_string(workflow_task_name(workflow, i, room), out);
        buf_add_char(out, ':');
        buf_add(out, output_text(execution, i));
        before = ",";
    }
    buf_add_char(out, '}');
    return 0;
}

int fast_task(struct orch_execution *execution, orch_task task, struct orch_task_result *ret, struct orch_error *err)
{
    struct fast *fast = execution->fast;
    struct failed_task failed;
    char room[24];

    if (task >= execution->workflow->count)
        return error_set(err, ORCH_ERR_NOT_FOUND, "run %s has no task number %u", execution->id, task);
    enum task_state state = state_of(execution, task, &failed);
    ret->task = task;
    ret->path = text_copy(&execution->of_task, workflow_task_name(execution->workflow, task, room));
    ret->state = state;
    ret->attempts = state == TASK_PENDING || state == TASK_SKIPPED ? 0 : 1;
    ret->output = state == TASK_SUCCEEDED ? text_copy(&execution->of_task, output_text(execution, task)) : STR("null");
    if (lane_state_of(fast, task) == LANE_FAILED) {
        ret->error_code = failed.code ? failed.code : ORCH_ERR_TASK_FAILED;
        ret->error =
            text_copy(&execution->of_task, failed.code ? str_of(failed.text, failed.size) : STR("out of memory"));
    } else {
        ret->error_code = lane_state_of(fast, task) == LANE_SKIPPED ? ORCH_ERR_DEPENDENCY : 0;
        ret->error = STR("");
    }
    ret->reason = state != TASK_SKIPPED                       ? STR("")
                  : lane_state_of(fast, task) == LANE_SKIPPED ? str_from(reason_to_string(REASON_DEPENDENCY))
                                                              : str_from(reason_to_string(REASON_STOPPED));
    return ret->path.data && ret->output.data && ret->error.data ? 0 : error_memory(err);
}

bool fast_row(const struct orch_execution *execution, const struct orch_filter *filter, struct orch_execution_row *ret)
{
    struct fast *fast = execution->fast;
    struct failed_task failed;
    int state = fast_state(execution);

    if (filter->workflow && !str_is(execution->workflow->name, filter->workflow)) return false;
    if (filter->states && !(filter->states & 1u << state)) return false;
    if (filter->since && fast->started_at < filter->since) return false;
    if (filter->until && fast->started_at >= filter->until) return false;
    *ret = (struct orch_execution_row){.id = str_from(execution->id),
                                       .workflow = execution->workflow->name,
                                       .state = state,
                                       .is_loaded = !fast->is_over,
                                       .tasks_total = execution->workflow->count,
                                       .started_at = fast->started_at,
                                       .ended_at = fast->ended_at,
                                       .by = fast->by,
                                       .error = STR("")};
    for (uint32_t i = 0; i < execution->workflow->count; i++) {
        enum task_state task = state_of(execution, i, &failed);
        ret->tasks_done += task_state_is_terminal(task);
        ret->tasks_failed += task == TASK_FAILED || task == TASK_TIMED_OUT;
    }
    return true;
}
