/*
 * engine.c - the life of an engine, what it knows, and the lock around it.
 */
#include "lib/internal.h"

#include <time.h>
#include <unistd.h>

#define KNOWN_MAX 4096

/*
 * The lock.
 */
void engine_enter(struct orch_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
}

void engine_leave(struct orch_engine *engine)
{
    /* It may wait for something else than what was just asked for. */
    if (engine->is_pumping && engine->has_wake && !pthread_equal(engine->pump, pthread_self()))
        (void)uv_async_send(&engine->wake); /* of a handle that is open it does not fail */
    pthread_mutex_unlock(&engine->lock);
}

int engine_check(struct orch_engine *engine, struct orch_error *err)
{
    if (!engine->engine) return error_set(err, ORCH_ERR_STATE, "the engine is closed");
    if (!engine->failure.code) return 0;
    if (err) *err = engine->failure;
    return engine->failure.code;
}

int engine_check_wait(struct orch_engine *engine, struct orch_error *err)
{
    if (!engine->in_callback) return 0;
    return error_set(err, ORCH_ERR_MISUSE, "nobody waits in a callback: it is what the engine is doing");
}

static int locks_init(struct orch_engine *engine)
{
    pthread_mutexattr_t mutex;
    pthread_condattr_t condition;
    int r = pthread_mutexattr_init(&mutex);

    if (r) return r;
    (void)pthread_mutexattr_settype(&mutex, PTHREAD_MUTEX_RECURSIVE); /* fails for an unknown type only */
    r = pthread_mutex_init(&engine->lock, &mutex);
    (void)pthread_mutexattr_destroy(&mutex);
    if (r) return r;
    r = pthread_mutex_init(&engine->fast_lock, NULL);
    if (r) goto no_fast_lock;
    r = pthread_condattr_init(&condition);
    if (r) goto no_condition;
    (void)pthread_condattr_setclock(&condition, CLOCK_MONOTONIC); /* likewise */
    r = pthread_cond_init(&engine->changed, &condition);
    (void)pthread_condattr_destroy(&condition);
    if (r == 0) return 0;
no_condition:
    (void)pthread_mutex_destroy(&engine->fast_lock);
no_fast_lock:
    (void)pthread_mutex_destroy(&engine->lock);
    return r;
}

static void engine_free(struct orch_engine *engine)
{
    const struct orch_allocator kept = engine->allocator_kept;
    const struct orch_allocator *allocator = engine->allocator ? &kept : NULL;

    engine->functions = action_functions_free(engine->functions);
    while (engine->known) {
        struct lib_known *known = engine->known;
        engine->known = known->next;
        (void)orch_workflow_free(known->workflow);
        (void)mem_resize(allocator, known, sizeof *known, 0);
    }
    arena_done(&engine->scratch);
    arena_done(&engine->kept);
    (void)pthread_cond_destroy(&engine->changed);
    (void)pthread_mutex_destroy(&engine->fast_lock);
    (void)pthread_mutex_destroy(&engine->lock);
    (void)mem_resize(allocator, engine, sizeof *engine, 0);
}

struct orch_engine *engine_unref(struct orch_engine *engine)
{
    engine_enter(engine);
    bool is_last = --engine->refs == 0;
    engine_leave(engine);
    if (is_last) engine_free(engine);
    return NULL;
}

/*
 * Opening and closing.
 */
static void on_wake(uv_async_t *handle)
{
    struct orch_engine *engine = handle->data;
    if (engine->engine) fast_take_news(engine);
}

static int open_wake(struct orch_engine *engine, struct orch_error *err)
{
    uv_loop_t *loop = engine_loop(engine->engine);
    int r = uv_async_init(loop, &engine->wake, on_wake);

    if (r == UV_ENOMEM) return error_memory(err);
    if (r) return error_set(err, ORCH_ERR_IO, "cannot make an event loop: %s", uv_strerror(r));
    engine->wake.data = engine;
    engine->has_wake = true;
    engine->descriptor = uv_backend_fd(loop);
    return 0;
}

static int engine_make(const struct orch_engine_options *options, struct orch_engine **ret, struct orch_error *err)
{
    struct orch_engine *engine = mem_resize(options->allocator, NULL, 0, sizeof *engine);

    if (!engine) return error_memory(err);
    memset(engine, 0, sizeof *engine);
    engine->options = *options;
    engine->refs = 1;
    if (options->allocator) {
        engine->allocator_kept = *options->allocator;
        engine->allocator = &engine->allocator_kept;
    }
    if (locks_init(engine)) {
        (void)mem_resize(options->allocator, engine, sizeof *engine, 0);
        return error_set(err, ORCH_ERR_OVERLOADED, "cannot make a lock");
    }
    arena_init(&engine->scratch, engine->allocator, 0);
    arena_init(&engine->kept, engine->allocator, 0);
    engine->functions = action_functions_new(engine->allocator);
    if (!engine->functions) {
        engine_free(engine);
        return error_memory(err);
    }
    action_functions_set_find(engine->functions, engine_find_function, engine);
    *ret = engine;
    return 0;
}

int orch_engine_open(const char *path, const struct orch_engine_options *given, struct orch_engine **ret,
                     struct orch_error *err)
{
    struct orch_engine_options options;
    struct orch_engine *engine = NULL;
    int r = options_take(&options, sizeof options, given, err);

    if (!r && (!ret || (path && !path[0])))
        r = error_set(err, ORCH_ERR_MISUSE, "a folder, or NULL, and a place for the engine are wanted");
    if (!r) r = engine_make(&options, &engine, err);
    if (r) return r;
    if (!options.threads) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        engine->options.threads = processors > 0 ? (uint32_t)processors : 1;
    }
    engine->is_memory = !path;
    struct engine_options inner = {.store_path = path,
                                   .no_sync = options.no_sync,
                                   .jobs = options.jobs,
                                   .threads = engine->options.threads,
                                   .allocator = engine->allocator,
                                   .grace_us = options.grace_us,
                                   .functions = engine->functions,
                                   .control = options.control && path,
                                   .secrets_dir = options.secrets_folder};
    engine_observe(engine, &inner.observer);
    r = engine_open(&inner, &engine->engine, err);
    if (!r) r = open_wake(engine, err);
    if (r) {
        if (engine->engine) engine->engine = engine_close(engine->engine);
        (void)engine_unref(engine);
        return r;
    }
    *ret = engine;
    return 0;
}

/* No handle is told anything any more. */
static void forget_executions(struct orch_engine *engine)
{
    for (uint32_t i = 0; i < LIB_BUCKETS; i++)
        for (struct orch_execution *execution = engine->buckets[i], *next; execution; execution = next) {
            next = execution->bucket_next;
            if (!execution->is_alive) continue;
            execution->is_alive = false;
            execution_drop(execution, 1);
        }
}

struct orch_engine *orch_engine_close(struct orch_engine *engine)
{
    if (!engine) return NULL;
    if (engine->has_thread) (void)orch_engine_stop_thread(engine, NULL);
    engine_enter(engine);
    /* What is recorded while it closes is told nobody, but functions may still log. */
    engine->options.on_event = NULL;
    engine_forget_versions(engine);
    engine->has_wake = false; /* goes with the loop */
    struct engine *inner = engine->engine;
    /* Handles look into the store, which goes first of all. */
    for (uint32_t i = 0; i < LIB_BUCKETS; i++)
        for (struct orch_execution *execution = engine->buckets[i]; execution; execution = execution->bucket_next)
            if (execution->view) execution->view = engine_view_close(execution->view);
    /* Functions that still run may ask something of the engine: they are told that it is closed. */
    engine->engine = NULL;
    engine_leave(engine);
    fast_stop_all(engine);
    (void)engine_close(inner);
    engine_enter(engine);
    forget_executions(engine);
    engine_leave(engine);
    return engine_unref(engine);
}

/*
 * What it knows.
 */
int orch_engine_add_function(struct orch_engine *engine, const char *name, orch_function function, void *user,
                             struct orch_error *err)
{
    if (!name || !name[0] || !function) return error_set(err, ORCH_ERR_MISUSE, "a name and a function are wanted");
    if (str_starts_with(str_from(name), STR(LIB_FUNCTION_PREFIX)))
        return error_set(err, ORCH_ERR_INVALID,
                         "names that begin with " LIB_FUNCTION_PREFIX " are for functions of tasks");
    engine_enter(engine);
    int r = engine_check(engine, err);
    struct lib_function *kept = r ? NULL : ARENA_NEW(&engine->kept, struct lib_function);
    if (!r && !kept) r = error_memory(err);
    if (!r) {
        *kept = (struct lib_function){function, user};
        r = action_functions_add(engine->functions, str_from(name), call_trampoline, kept, err);
    }
    engine_leave(engine);
    return r;
}

int orch_engine_add_workflow(struct orch_engine *engine, struct orch_workflow *workflow, struct orch_error *err)
{
    struct lib_known **at, *known;
    uint32_t count = 0;

    engine_enter(engine);
    int r = engine_check(engine, err);
    if (!r) r = workflow_freeze(workflow, err);
    for (at = &engine->known; !r && *at && !str_equal((*at)->workflow->name, workflow->name); at = &(*at)->next)
        count++;
    if (!r && *at) {
        struct orch_workflow *earlier = (*at)->workflow;
        (*at)->workflow = workflow_ref(workflow);
        (void)orch_workflow_free(earlier);
    } else if (!r && count == KNOWN_MAX) {
        r = error_set(err, ORCH_ERR_LIMIT, "more than %d workflows", KNOWN_MAX);
    } else if (!r) {
        known = mem_resize(engine->allocator, NULL, 0, sizeof *known);
        if (known) {
            *known = (struct lib_known){workflow_ref(workflow), NULL};
            *at = known;
        } else {
            r = error_memory(err);
        }
    }
    engine_leave(engine);
    return r;
}

/* Whose function is wanted: the execution's own workflow, the one that is being started, or none. */
bool engine_find_function(void *user, struct orch_str execution_id, struct orch_str name, struct arena *arena,
                          action_function *ret_fn, void **ret_user)
{
    const struct orch_engine *engine = user;
    const struct orch_workflow *workflow = engine->starting;
    size_t prefix = strlen(LIB_FUNCTION_PREFIX);
    int64_t number;

    *ret_fn = NULL;
    *ret_user = NULL;
    if (!str_starts_with(name, STR(LIB_FUNCTION_PREFIX))) return false;
    if (execution_id.size && store_execution_number(execution_id, &number)) {
        const struct orch_execution *execution = execution_of((struct orch_engine *)user, number);
        workflow = execution ? execution->workflow : NULL;
    }
    if (!workflow || workflow->is_text) return false;
    orch_task task = workflow_find_task(workflow, str_of(name.data + prefix, name.size - prefix));
    if (task == ORCH_NO_TASK || !workflow->functions[task].function) return false;
    if (!arena) return true;
    /* The call may outlast the execution, and that the workflow. */
    struct lib_function *kept = ARENA_NEW(arena, struct lib_function);
    if (!kept) return true;
    *kept = workflow->functions[task];
    *ret_fn = call_trampoline;
    *ret_user = kept;
    return true;
}

/*
 * Workflows as the engine has read them: the latest, so that one that is started often is read once.
 */
void engine_forget_versions(struct orch_engine *engine)
{
    for (uint32_t i = 0; i < LIB_VERSIONS; i++) {
        struct lib_version *version = &engine->versions[i];
        if (!version->workflow) continue;
        (void)engine_version_unref(version->version);
        (void)orch_workflow_free(version->workflow);
        *version = (struct lib_version){0};
    }
}

static int read_version(struct orch_engine *engine, struct orch_workflow *workflow, struct engine_version **ret,
                        struct orch_error *err)
{
    struct arena scratch;
    struct buf text;

    arena_init(&scratch, NULL, 0);
    buf_init(&text, NULL, 0);
    struct diags *diags = ARENA_NEW(&scratch, struct diags);
    int r = diags ? workflow_text(workflow, &text, err) : error_memory(err);
    if (!r) {
        diags_init(diags, &scratch);
        struct orch_error found = ORCH_ERROR_INIT;
        r = engine_load(engine->engine, buf_str(&text), workflow->file, diags, ret, &found);
        if (r && diags->error_count)
            r = findings_tell(diags, workflow->file.size ? workflow->file.data : NULL, NULL, NULL, r, err);
        else if (r && err)
            *err = found;
    }
    buf_done(&text);
    arena_done(&scratch);
    return r;
}

int engine_version_of(struct orch_engine *engine, struct orch_workflow *workflow, struct engine_version **ret,
                      struct orch_error *err)
{
    struct lib_version *oldest = &engine->versions[0];

    for (uint32_t i = 0; i < LIB_VERSIONS; i++) {
        struct lib_version *version = &engine->versions[i];
        if (version->workflow == workflow) {
            version->used = ++engine->versions_used;
            *ret = version->version;
            return 0;
        }
        if (version->used < oldest->used) oldest = version;
    }
    struct engine_version *fresh;
    int r = read_version(engine, workflow, &fresh, err);
    if (r) return r;
    if (oldest->workflow) {
        (void)engine_version_unref(oldest->version);
        (void)orch_workflow_free(oldest->workflow);
    }
    *oldest = (struct lib_version){workflow_ref(workflow), fresh, ++engine->versions_used};
    *ret = fresh;
    return 0;
}
