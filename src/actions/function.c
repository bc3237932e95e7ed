/*
 * function.c - functions of the embedding program, on worker threads.
 *
 * A call owns its memory (parameters are copied into its arena), so that the loop and the worker share nothing but the
 * queue under its lock and the flag that asks it to stop. A thread cannot be killed: a function that does not return
 * within the grace after it was asked to is given up, its attempt is reported as cancelled, and its result is thrown
 * away when it comes.
 */
#include "actions/action.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>
#include <uv.h>

#include "base/error.h"
#include "sys/clock.h"

#define THREADS_MAX 256
#define LINES_MAX   (256u << 10) /* bytes of a call's log that the loop has not taken up: then the function waits */

struct function {
    action_function fn;
    void *user;
};

struct action_functions {
    struct map by_name;         /* name -> struct function */
    action_functions_find find; /* or NULL */
    void *find_user;
    struct arena arena;
    const struct orch_allocator *allocator;
};

struct action_functions *action_functions_new(const struct orch_allocator *allocator)
{
    struct action_functions *functions = mem_resize(allocator, NULL, 0, sizeof(*functions));

    if (!functions) return NULL;
    *functions = (struct action_functions){.allocator = allocator};
    arena_init(&functions->arena, allocator, 0);
    map_init(&functions->by_name, allocator);
    return functions;
}

struct action_functions *action_functions_free(struct action_functions *functions)
{
    if (!functions) return NULL;
    map_done(&functions->by_name);
    arena_done(&functions->arena);
    return mem_resize(functions->allocator, functions, sizeof(*functions), 0);
}

int action_functions_add(struct action_functions *functions, struct orch_str name, action_function fn, void *user,
                         struct orch_error *err)
{
    struct function *function = ARENA_NEW(&functions->arena, struct function);
    struct orch_str kept = arena_str(&functions->arena, name);
    struct map_entry *entry;

    if (name.size == 0 || !fn) return error_set(err, ORCH_ERR_MISUSE, "a function needs a name and a body");
    if (!function || !kept.data) return error_memory(err);
    if (map_find(&functions->by_name, name))
        return error_set(err, ORCH_ERR_EXISTS, "there is a function \"%.*s\" already", STR_ARG(name));
    entry = map_add(&functions->by_name, kept, NULL);
    if (!entry) return error_memory(err);
    *function = (struct function){fn, user};
    entry->pointer = function;
    return 0;
}

void action_functions_set_find(struct action_functions *functions, action_functions_find find, void *user)
{
    functions->find = find;
    functions->find_user = user;
}

bool action_functions_has(const struct action_functions *functions, struct orch_str name)
{
    struct function function;

    if (functions->find && functions->find(functions->find_user, STR_NONE, name, NULL, &function.fn, &function.user))
        return true;
    return map_find(&functions->by_name, name) != NULL;
}

static int find_function(const struct action_functions *functions, struct orch_str execution_id, struct orch_str name,
                         struct arena *arena, struct function *ret, struct orch_error *err)
{
    const struct map_entry *entry;

    *ret = (struct function){0};
    if (functions->find && functions->find(functions->find_user, execution_id, name, arena, &ret->fn, &ret->user))
        return ret->fn ? 0 : error_memory(err);
    entry = map_find(&functions->by_name, name);
    if (!entry) return error_set(err, ORCH_ERR_NOT_FOUND, "there is no function \"%.*s\"", STR_ARG(name));
    *ret = *(const struct function *)entry->pointer;
    return 0;
}

/*
 * Calls.
 */
enum call_state { CALL_QUEUED, CALL_RUNNING, CALL_RETURNED };

struct call {
    struct action_function_call base; /* first */
    struct context *context;
    struct action_attempt *attempt; /* the loop's; NULL: given up */
    struct function function;
    struct arena arena;
    struct call *next;                    /* in the queue, or among those that returned; under the lock */
    struct call *all_next, *all_previous; /* the loop's list of all */
    enum call_state state;                /* under the lock */
    struct buf lines;                     /* logged and not taken up, each with its size before it; under the lock */
    struct call *log_next;                /* among those with lines; under the lock */
    struct call *taking_next;             /* among those whose lines are being taken; the loop's */
    bool log_waits;                       /* it is there; under the lock */
    atomic_bool is_stopped;
    orch_time give_up_at; /* monotonic; the loop's; 0: not asked to stop */
    int code;             /* of the function */
    struct orch_error err;
    struct orch_str output; /* JSON */
};

struct context {
    uv_loop_t *loop;
    uv_async_t wake;
    uv_timer_t timer; /* for those that were asked to stop */
    int handles_open;
    uint32_t running; /* attempts not reported */
    struct action_functions *functions;
    struct call *all;
    uv_thread_t *threads;
    uint32_t threads_count, threads_started;
    uv_mutex_t lock;
    uv_cond_t wanted; /* there is something in the queue, or it is the end */
    uv_cond_t taken;  /* lines were taken up, or somebody is to stop */
    struct call *queue_first, *queue_last;
    struct call *returned; /* newest first */
    struct call *logging;  /* have lines, newest first */
    uint32_t idle;         /* threads that wait for a call */
    uint32_t queued;
    bool waking; /* a thread was woken and has not come yet: it wakes the next, if there is need */
    bool closing;
};

static bool call_is_stopped(const struct action_function_call *base)
{
    return atomic_load(&((struct call *)(uintptr_t)base)->is_stopped);
}

static void call_log(const struct action_function_call *base, struct orch_str line)
{
    struct call *call = (struct call *)(uintptr_t)base;
    struct context *context = call->context;
    uint32_t size = (uint32_t)(line.size < LINES_MAX ? line.size : LINES_MAX);

    uv_mutex_lock(&context->lock);
    while (call->lines.size > LINES_MAX && !context->closing && !atomic_load(&call->is_stopped))
        uv_cond_wait(&context->taken, &context->lock);
    size_t before = call->lines.size;
    if (before <= LINES_MAX) {
        buf_add(&call->lines, str_of((const char *)&size, sizeof size));
        buf_add(&call->lines, str_of(line.data, size));
    }
    if (call->lines.failed) { /* for want of memory: this line is lost, those before it are not */
        call->lines.failed = false;
        call->lines.size = before;
    }
    if (call->lines.size > 0 && !call->log_waits) {
        call->log_waits = true;
        call->log_next = context->logging;
        context->logging = call;
        uv_async_send(&context->wake);
    }
    uv_mutex_unlock(&context->lock);
}

static void call_run(struct call *call)
{
    struct value output = {.kind = VALUE_NULL};
    struct buf buf;

    call->code = call->function.fn(&call->base, call->function.user, &output, &call->err);
    if (call->code != 0 || output.kind == VALUE_NULL) return;
    buf_init(&buf, NULL, 0);
    json_format(output, 0, &buf);
    call->output = buf.failed ? STR_NONE : arena_str(&call->arena, buf_str(&buf));
    if (!call->output.data) call->code = error_memory(&call->err);
    buf_done(&buf);
}

/*
 * Whether a thread is to be woken, which the caller does when it has given the lock back. One at a time: each wakes the
 * next while there is work. Short functions are then all done by the one that came first, and a wake-up costs more than
 * they do.
 */
static bool wants_waking(struct context *context)
{
    if (context->waking || context->idle == 0 || !context->queue_first) return false;
    context->waking = true;
    return true;
}

static void worker_main(void *user)
{
    struct context *context = user;

    uv_mutex_lock(&context->lock);
    for (;;) {
        struct call *call = context->queue_first;
        bool wakes, is_first;

        if (!call) {
            if (context->closing) break;
            context->idle++;
            uv_cond_wait(&context->wanted, &context->lock);
            context->idle--;
            context->waking = false;
            continue;
        }
        context->queue_first = call->next;
        if (!context->queue_first) context->queue_last = NULL;
        context->queued--;
        call->state = CALL_RUNNING;
        wakes = wants_waking(context);
        uv_mutex_unlock(&context->lock);
        if (wakes) uv_cond_signal(&context->wanted);
        call_run(call);
        uv_mutex_lock(&context->lock);
        call->state = CALL_RETURNED;
        call->next = context->returned;
        is_first = !call->next;
        context->returned = call;
        if (is_first) { /* not under the lock, which the loop wants at once */
            uv_mutex_unlock(&context->lock);
            uv_async_send(&context->wake);
            uv_mutex_lock(&context->lock);
        }
    }
    uv_mutex_unlock(&context->lock);
}

/* A thread with all signals blocked: they are for the threads of the embedding program. */
static int start_thread(struct context *context)
{
    sigset_t all, before;
    int result;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    result = uv_thread_create(&context->threads[context->threads_started], worker_main, context);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result == 0) context->threads_started++;
    return result;
}

static void call_free(struct call *call)
{
    if (call->all_next) call->all_next->all_previous = call->all_previous;
    if (call->all_previous)
        call->all_previous->all_next = call->all_next;
    else
        call->context->all = call->all_next;
    buf_done(&call->lines);
    arena_done(&call->arena);
    (void)mem_resize(NULL, call, sizeof(*call), 0);
}

/* Reports; the attempt is gone afterwards. */
static void report(struct call *call, const struct action_result *result)
{
    struct context *context = call->context;
    struct action_attempt *attempt = call->attempt;

    call->attempt = NULL;
    attempt->state = NULL;
    if (--context->running == 0) {
        uv_unref((uv_handle_t *)&context->wake);
        uv_timer_stop(&context->timer);
    }
    attempt->host->done(attempt, result);
}

static void report_return(struct call *call)
{
    struct action_result result = {.exit_code = -1};

    if (call->code == 0) {
        result.output = call->output;
    } else {
        result.error = str_from(call->err.message[0] ? call->err.message : orch_error_text(call->code));
        if (atomic_load(&call->is_stopped) || call->code == ORCH_ERR_CANCELLED)
            result.failure = FAILURE_CANCELLED;
        else if (call->code == ORCH_ERR_TIMEOUT)
            result.failure = FAILURE_TIMEOUT;
        else if (!orch_error_can_retry(call->code))
            result.failure = FAILURE_PERMANENT;
        else
            result.failure = FAILURE_ERROR;
    }
    report(call, &result);
}

/* Hands over what a call has logged. Its function may go on to log meanwhile. */
static void take_lines(struct context *context, struct call *call)
{
    struct buf lines;
    uint32_t size;

    uv_mutex_lock(&context->lock);
    lines = call->lines;
    buf_init(&call->lines, NULL, 0);
    uv_cond_broadcast(&context->taken);
    uv_mutex_unlock(&context->lock);
    for (size_t at = 0; at < lines.size; at += size) {
        memcpy(&size, lines.data + at, sizeof size);
        at += sizeof size;
        if (call->attempt) call->attempt->host->log(call->attempt, LOG_STDOUT, str_of(lines.data + at, size));
    }
    buf_done(&lines);
}

static void take_returned(struct context *context)
{
    struct call *call, *logging, *ordered = NULL;

    /* Both at once: who has returned has logged before, and is freed below. */
    uv_mutex_lock(&context->lock);
    call = context->returned;
    context->returned = NULL;
    logging = context->logging;
    context->logging = NULL;
    for (struct call *at = logging; at; at = at->log_next) {
        at->log_waits = false;
        at->taking_next = at->log_next;
    }
    uv_mutex_unlock(&context->lock);
    for (struct call *at = logging; at; at = at->taking_next) take_lines(context, at);
    while (call) { /* oldest first */
        struct call *next = call->next;

        call->next = ordered;
        ordered = call;
        call = next;
    }
    while (ordered) {
        struct call *next = ordered->next;

        if (ordered->attempt) report_return(ordered);
        call_free(ordered);
        ordered = next;
    }
}

static void on_wake(uv_async_t *handle)
{
    take_returned(handle->data);
}

static void on_timer(uv_timer_t *handle)
{
    struct context *context = handle->data;
    orch_time now = clock_monotonic();
    bool more = false;

    take_returned(context);
    for (struct call *call = context->all, *next; call; call = next) {
        next = call->all_next;
        if (!call->attempt || call->give_up_at == 0) continue;
        if (call->give_up_at > now) {
            more = true;
            continue;
        }
        const struct action_result result = {
            .failure = FAILURE_CANCELLED,
            .exit_code = -1,
            .error = STR("stopped: the function did not return; its thread goes on until it does")};
        report(call, &result);
        next = context->all; /* done may have started or stopped others: from the beginning, each is given up once */
    }
    if (!more) uv_timer_stop(handle);
}

/* Everything the function is given is the call's own: the attempt belongs to the loop. */
static int fill_call(struct call *call, struct orch_str name, const struct value *parameters, struct orch_error *err)
{
    const struct action_attempt *attempt = call->attempt;
    struct arena *arena = &call->arena;
    struct action_input *inputs = ARENA_ARRAY(arena, attempt->inputs_count, struct action_input);
    struct value empty;

    call->base = (struct action_function_call){.name = arena_str(arena, name),
                                               .execution_id = arena_str(arena, attempt->execution_id),
                                               .task_path = arena_str(arena, attempt->task_path),
                                               .key = arena_str(arena, attempt->key),
                                               .attempt_number = attempt->attempt_number,
                                               .inputs = inputs,
                                               .inputs_count = attempt->inputs_count,
                                               .arena = arena,
                                               .is_stopped = call_is_stopped,
                                               .log = call_log,
                                               .internal = call};
    if (!inputs || !call->base.name.data || !call->base.execution_id.data || !call->base.task_path.data ||
        !call->base.key.data || value_map(NULL, 0, arena, &empty) != 0)
        return error_memory(err);
    for (uint32_t i = 0; i < attempt->inputs_count; i++) {
        inputs[i].task = arena_str(arena, attempt->inputs[i].task);
        inputs[i].output = arena_str(arena, attempt->inputs[i].output);
        if (!inputs[i].task.data || !inputs[i].output.data) return error_memory(err);
    }
    call->base.parameters = empty;
    call->base.execution_parameters = empty;
    if (parameters && parameters->kind == VALUE_MAP && value_copy(*parameters, arena, &call->base.parameters) != 0)
        return error_memory(err);
    if (attempt->parameters.kind == VALUE_MAP &&
        value_copy(attempt->parameters, arena, &call->base.execution_parameters) != 0)
        return error_memory(err);
    return 0;
}

static int function_start(void *context_pointer, struct action_attempt *attempt, struct orch_error *err)
{
    struct context *context = context_pointer;
    const struct value *name = value_get(attempt->config, STR("name")),
                       *parameters = value_get(attempt->config, STR("parameters"));
    struct call *call;
    int result;

    if (!name || name->kind != VALUE_STRING)
        return error_set(err, ORCH_ERR_INVALID, "a function is called by its name");
    call = mem_resize(NULL, NULL, 0, sizeof(*call));
    if (!call) return error_memory(err);
    *call = (struct call){.context = context, .attempt = attempt};
    atomic_init(&call->is_stopped, false);
    arena_init(&call->arena, NULL, 0);
    buf_init(&call->lines, NULL, 0);
    result =
        find_function(context->functions, attempt->execution_id, value_str(*name), &call->arena, &call->function, err);
    if (result == 0) result = fill_call(call, value_str(*name), parameters, err);
    if (result == 0 && context->threads_started == 0 && start_thread(context) != 0)
        result = error_set(err, ORCH_ERR_OVERLOADED, "cannot start a thread for functions");
    if (result != 0) {
        buf_done(&call->lines);
        arena_done(&call->arena);
        (void)mem_resize(NULL, call, sizeof(*call), 0);
        return result;
    }
    call->all_next = context->all;
    if (call->all_next) call->all_next->all_previous = call;
    context->all = call;
    attempt->state = call;
    if (context->running++ == 0) uv_ref((uv_handle_t *)&context->wake);
    uv_mutex_lock(&context->lock);
    if (context->queue_last)
        context->queue_last->next = call;
    else
        context->queue_first = call;
    context->queue_last = call;
    context->queued++;
    bool wakes = wants_waking(context), is_busy = context->queued > context->idle;
    uv_mutex_unlock(&context->lock);
    if (wakes) uv_cond_signal(&context->wanted);
    /* One more thread, as long as there may be one, when all will be at work. Without it the call waits its turn. */
    if (is_busy && context->threads_started < context->threads_count) (void)start_thread(context);
    return 0;
}

/* Takes a call out of the queue when no thread has it yet. */
static bool unqueue(struct context *context, struct call *call)
{
    bool found = false;

    uv_mutex_lock(&context->lock);
    if (call->state == CALL_QUEUED) {
        struct call *before = NULL, *at = context->queue_first;

        while (at != call) {
            before = at;
            at = at->next;
        }
        if (before)
            before->next = call->next;
        else
            context->queue_first = call->next;
        if (context->queue_last == call) context->queue_last = before;
        context->queued--;
        found = true;
    }
    uv_mutex_unlock(&context->lock);
    return found;
}

static void function_stop(void *context_pointer, struct action_attempt *attempt, bool hasten)
{
    struct context *context = context_pointer;
    struct call *call = attempt->state;
    orch_time give_up_at;

    if (!call) return;
    uv_mutex_lock(&context->lock);
    atomic_store(&call->is_stopped, true);
    uv_cond_broadcast(&context->taken);
    uv_mutex_unlock(&context->lock);
    if (unqueue(context, call)) {
        const struct action_result result = {
            .failure = FAILURE_CANCELLED, .exit_code = -1, .error = STR("stopped before it began")};

        report(call, &result);
        call_free(call);
        return;
    }
    give_up_at = clock_monotonic() + (hasten ? 0 : attempt->grace_us);
    if (call->give_up_at == 0 || give_up_at < call->give_up_at) call->give_up_at = give_up_at;
    uv_timer_start(&context->timer, on_timer, hasten ? 0 : 20, 20); /* fails for a closing handle only */
}

/*
 * Beginning and end.
 */
static void handle_closed(uv_handle_t *handle)
{
    struct context *context = handle->data;

    if (--context->handles_open == 0) (void)mem_resize(NULL, context, sizeof(*context), 0);
}

static void function_close(void *context_pointer)
{
    struct context *context = context_pointer;

    for (struct call *call = context->all; call; call = call->all_next) atomic_store(&call->is_stopped, true);
    uv_mutex_lock(&context->lock);
    context->closing = true;
    uv_cond_broadcast(&context->wanted);
    uv_cond_broadcast(&context->taken);
    uv_mutex_unlock(&context->lock);
    /* What is queued is still called (and sees that it is to stop); there is no other end for a thread than its own. */
    for (uint32_t i = 0; i < context->threads_started; i++) uv_thread_join(&context->threads[i]);
    take_returned(context);
    uv_mutex_destroy(&context->lock);
    uv_cond_destroy(&context->wanted);
    uv_cond_destroy(&context->taken);
    (void)mem_resize(NULL, context->threads, context->threads_count * sizeof(uv_thread_t), 0);
    uv_close((uv_handle_t *)&context->timer, handle_closed);
    uv_close((uv_handle_t *)&context->wake, handle_closed);
}

int action_function_open(struct uv_loop_s *loop, struct action_functions *functions, uint32_t threads,
                         void **ret_context, struct orch_error *err)
{
    struct context *context = mem_resize(NULL, NULL, 0, sizeof(*context));

    if (!context) return error_memory(err);
    if (threads == 0) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);

        threads = processors > 0 ? (uint32_t)processors : 1;
    }
    if (threads > THREADS_MAX) threads = THREADS_MAX;
    *context = (struct context){.loop = loop, .functions = functions, .threads_count = threads};
    context->threads = mem_resize(NULL, NULL, 0, threads * sizeof(uv_thread_t));
    if (!context->threads) goto no_memory;
    if (uv_mutex_init(&context->lock) != 0) goto no_lock;
    if (uv_cond_init(&context->wanted) != 0) goto no_condition;
    if (uv_cond_init(&context->taken) != 0) goto no_taken;
    if (uv_async_init(loop, &context->wake, on_wake) != 0) goto no_wake;
    (void)uv_timer_init(loop, &context->timer); /* cannot fail */
    context->wake.data = context->timer.data = context;
    context->handles_open = 2;
    uv_unref((uv_handle_t *)&context->wake);
    *ret_context = context;
    return 0;

no_wake:
    uv_cond_destroy(&context->taken);
no_taken:
    uv_cond_destroy(&context->wanted);
no_condition:
    uv_mutex_destroy(&context->lock);
no_lock:
    (void)mem_resize(NULL, context->threads, threads * sizeof(uv_thread_t), 0);
no_memory:
    (void)mem_resize(NULL, context, sizeof(*context), 0);
    return error_memory(err);
}

static const enum action_kind function_kinds[] = {ACTION_FUNCTION, ACTION_NONE};

const struct action_provider action_function_provider = {
    .name = "function",
    .kinds = function_kinds,
    .open = NULL,
    .close = function_close,
    .start = function_start,
    .stop = function_stop,
};
