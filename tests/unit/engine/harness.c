#include "harness.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GIVE_UP_US (60 * ORCH_SECOND)

/*
 * What the functions note.
 */
static struct tally *tally_get(struct world *world, struct orch_str key)
{
    struct tally *tally = world->tallies;
    while (tally && !str_is(key, tally->key)) tally = tally->next;
    if (tally) return tally;
    tally = calloc(1, sizeof *tally);
    if (!tally || key.size >= sizeof tally->key) abort();
    memcpy(tally->key, key.data, key.size);
    tally->next = world->tallies;
    world->tallies = tally;
    return tally;
}

struct tally *world_tally(struct world *world, const char *key)
{
    pthread_mutex_lock(&world->lock);
    struct tally *tally = tally_get(world, str_from(key));
    pthread_mutex_unlock(&world->lock);
    return tally;
}

void world_open_gate(struct world *world, const char *key)
{
    pthread_mutex_lock(&world->lock);
    tally_get(world, str_from(key))->is_open = true;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->lock);
}

int world_count(struct world *world, const char *key)
{
    pthread_mutex_lock(&world->lock);
    int total = tally_get(world, str_from(key))->total;
    pthread_mutex_unlock(&world->lock);
    return total;
}

static struct orch_str text_of(const struct action_function_call *call, const char *key)
{
    const struct value *value = value_get(call->parameters, str_from(key));
    return value && value->kind == VALUE_STRING ? value_str(*value) : STR_NONE;
}

static int64_t number_of(const struct action_function_call *call, const char *key)
{
    const struct value *value = value_get(call->parameters, str_from(key));
    return value && value->kind == VALUE_INT ? value->integer : 0;
}

static void wait_ms(int64_t ms)
{
    struct timespec span = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&span, &span) != 0) continue;
}

/* With the lock held: waits for a change, a moment at most. */
static void wait_change(struct world *world)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 2000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_cond_timedwait(&world->changed, &world->lock, &until);
}

/* Gives back its parameter `value`. */
static int fn_echo(const struct action_function_call *call, void *user, struct value *ret, struct orch_error *err)
{
    const struct value *value = value_get(call->parameters, STR("value"));
    (void)user;
    (void)err;
    if (value) *ret = *value;
    return 0;
}

static int fn_fail(const struct action_function_call *call, void *user, struct value *ret, struct orch_error *err)
{
    struct world *world = user;
    (void)ret;
    pthread_mutex_lock(&world->lock);
    tally_get(world, STR("fail"))->total++;
    pthread_mutex_unlock(&world->lock);
    struct orch_str text = text_of(call, "text");
    return error_set(err, str_is(text_of(call, "as"), "invalid") ? ORCH_ERR_INVALID : ORCH_ERR_IO, "%.*s",
                     STR_ARG(text.size ? text : STR("told to fail")));
}

/* Fails so many `times` for each `key`, then gives how often it was called. */
static int fn_flaky(const struct action_function_call *call, void *user, struct value *ret, struct orch_error *err)
{
    struct world *world = user;
    pthread_mutex_lock(&world->lock);
    int total = ++tally_get(world, text_of(call, "key"))->total;
    pthread_mutex_unlock(&world->lock);
    if (total <= number_of(call, "times")) return error_set(err, ORCH_ERR_IO, "not yet");
    *ret = value_int(total);
    return 0;
}

/* Counts how many are inside at once; waits until `want` are, then `ms`. */
static int fn_inside(const struct action_function_call *call, void *user, struct value *ret, struct orch_error *err)
{
    struct world *world = user;
    (void)ret;
    (void)err;
    pthread_mutex_lock(&world->lock);
    struct tally *tally = tally_get(world, text_of(call, "key"));
    tally->total++;
    if (++tally->now > tally->max) tally->max = tally->now;
    pthread_cond_broadcast(&world->changed);
    orch_time until = clock_monotonic() + 5 * ORCH_SECOND;
    while (tally->max < number_of(call, "want") && clock_monotonic() < until && !call->is_stopped(call))
        wait_change(world);
    pthread_mutex_unlock(&world->lock);
    wait_ms(number_of(call, "ms"));
    pthread_mutex_lock(&world->lock);
    tally->now--;
    pthread_mutex_unlock(&world->lock);
    return 0;
}

static int fn_note(const struct action_function_call *call, void *user, struct value *ret, struct orch_error *err)
{
    struct world *world = user;
    struct orch_str name = text_of(call, "name");
    (void)ret;
    (void)err;
    pthread_mutex_lock(&world->lock);
    size_t used = strlen(world->order);
    snprintf(world->order + used, sizeof world->order - used, "%.*s ", STR_ARG(name));
    tally_get(world, STR("note"))->total++;
    pthread_mutex_unlock(&world->lock);
    return 0;
}

/* Waits until the gate is opened, or it is stopped. */
static int fn_gate(const struct action_function_call *call, void *user, struct value *ret, struct orch_error *err)
{
    struct world *world = user;
    (void)ret;
    pthread_mutex_lock(&world->lock);
    struct tally *tally = tally_get(world, text_of(call, "key"));
    tally->total++;
    tally->now++;
    pthread_cond_broadcast(&world->changed);
    while (!tally->is_open && !call->is_stopped(call)) wait_change(world);
    tally->now--;
    bool is_open = tally->is_open;
    pthread_mutex_unlock(&world->lock);
    return is_open ? 0 : error_set(err, ORCH_ERR_CANCELLED, "stopped");
}

/* A string of `size` bytes. */
static int fn_big(const struct action_function_call *call, void *user, struct value *ret, struct orch_error *err)
{
    size_t size = (size_t)number_of(call, "size");
    (void)user;
    char *text = arena_bytes(call->arena, size + 1);
    if (!text) return error_memory(err);
    memset(text, 'x', size);
    *ret = value_string(str_of(text, size));
    return 0;
}

/* Looks at no stop. */
static int fn_stubborn(const struct action_function_call *call, void *user, struct value *ret, struct orch_error *err)
{
    (void)user;
    (void)ret;
    (void)err;
    wait_ms(number_of(call, "ms"));
    return 0;
}

/*
 * What the observer is told.
 */
static void on_transitions(void *user, struct engine_execution *execution, uint64_t first_seq,
                           const struct core_transition *items, uint32_t count)
{
    struct world *world = user;
    (void)first_seq;
    for (uint32_t i = 0; i < count; i++) {
        const struct core_transition *t = &items[i];
        buf_printf(&world->trace, "%s ", engine_execution_id(execution));
        if (t->instance != CORE_NONE && t->type != TRANSITION_FRAME_OPENED) {
            core_path(engine_execution_core(execution), t->instance, &world->trace);
            buf_add_char(&world->trace, ' ');
        }
        buf_add_text(&world->trace, transition_type_to_string(t->type));
        if (t->type == TRANSITION_TASK_ENDED) buf_printf(&world->trace, " %s", task_state_to_string(t->state));
        if (t->type == TRANSITION_EXECUTION_ENDED)
            buf_printf(&world->trace, " %s", execution_state_to_string(t->state));
        if (t->type == TRANSITION_TASK_WAITING) buf_printf(&world->trace, " %s", reason_to_string(t->reason));
        if (t->type == TRANSITION_ATTEMPT_FAILED) buf_printf(&world->trace, " %s", failure_to_string(t->failure));
        buf_add_char(&world->trace, '\n');
        if (world->on_transition) world->on_transition(world, execution, t);
    }
}

static void on_log(void *user, struct engine_execution *execution, uint32_t instance, uint32_t attempt,
                   enum log_stream stream, struct orch_str line)
{
    struct world *world = user;
    (void)attempt;
    (void)stream;
    core_path(engine_execution_core(execution), instance, &world->log);
    buf_printf(&world->log, " | %.*s\n", STR_ARG(line));
}

static void on_progress(void *user, struct engine_execution *execution, uint32_t instance, double fraction,
                        struct orch_str text)
{
    struct world *world = user;
    core_path(engine_execution_core(execution), instance, &world->progress);
    buf_printf(&world->progress, " %d%% %.*s\n", (int)(fraction * 100), STR_ARG(text));
}

static char *copy(struct orch_str text)
{
    char *made = calloc(1, text.size + 1);
    if (!made) abort();
    if (text.size) memcpy(made, text.data, text.size);
    return made;
}

static void on_ended(void *user, struct engine_execution *execution)
{
    struct world *world = user;
    const struct core *core = engine_execution_core(execution);
    struct core_summary summary;
    struct arena arena;
    struct ended *ended = calloc(1, sizeof *ended);
    if (!ended) abort();
    arena_init(&arena, NULL, 0);
    core_get_summary(core, &summary);
    ended->number = engine_execution_number(execution);
    snprintf(ended->id, sizeof ended->id, "%s", engine_execution_id(execution));
    ended->state = summary.state;
    ended->generation = summary.generation;
    ended->digest = core_digest(core);
    ended->error = copy(summary.error);
    struct orch_str output = summary.output;
    if (!output.size && summary.output_blob)
        (void)store_get_blob(engine_store(world->engine), ended->number, summary.output_blob, &arena, &output, NULL);
    ended->output = copy(output);
    struct buf tasks;
    buf_init(&tasks, NULL, 0);
    buf_add_char(&tasks, ' ');
    for (uint32_t i = 0; i < core_instance_count(core); i++) {
        const struct core_instance *instance = core_get_instance(core, i);
        if (core_get_frame(core, instance->frame)->dropped) continue;
        core_path(core, i, &tasks);
        buf_printf(&tasks, "=%s ", task_state_to_string(instance->state));
    }
    ended->tasks = copy(buf_str(&tasks));
    buf_done(&tasks);
    arena_done(&arena);
    ended->next = world->ended;
    world->ended = ended;
    world->ended_count++;
    if (world->on_ended) world->on_ended(world, execution);
}

static void on_trouble(void *user, const struct orch_error *err)
{
    struct world *world = user;
    world->troubles++;
    world->trouble = *err;
}

/*
 * The world.
 */
void world_init(struct world *world, enum world_kind kind)
{
    static const struct {
        const char *name;
        action_function fn;
    } functions[] = {{"echo", fn_echo}, {"fail", fn_fail}, {"flaky", fn_flaky}, {"inside", fn_inside},
                     {"note", fn_note}, {"gate", fn_gate}, {"big", fn_big},     {"stubborn", fn_stubborn}};
    memset(world, 0, sizeof *world);
    const char *tmp = getenv("TMPDIR");
    snprintf(world->folder, sizeof world->folder, "%.40s/orch-engine-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->store_path, sizeof world->store_path, "%s/store", world->folder);
    world->on_disk = kind == WORLD_DISK;
    pthread_mutex_init(&world->lock, NULL);
    pthread_cond_init(&world->changed, NULL);
    buf_init(&world->trace, NULL, 0);
    buf_init(&world->log, NULL, 0);
    buf_init(&world->progress, NULL, 0);
    world->functions = action_functions_new(NULL);
    assert_non_null(world->functions);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        assert_int_equal(
            0, action_functions_add(world->functions, str_from(functions[i].name), functions[i].fn, world, NULL));
    world->options = (struct engine_options){
        .jobs = 8,
        .no_sync = true,
        .grace_us = 200 * ORCH_MILLISECOND,
        .functions = world->functions,
        .observer = {.transitions = on_transitions,
                     .log = on_log,
                     .progress = on_progress,
                     .ended = on_ended,
                     .trouble = on_trouble,
                     .user = world},
    };
}

static void on_watch(uv_timer_t *timer)
{
    (void)timer; /* only makes the loop come round */
}

void world_open(struct world *world)
{
    struct orch_error err = ORCH_ERROR_INIT;
    world->options.store_path = world->on_disk ? world->store_path : NULL;
    if (engine_open(&world->options, &world->engine, &err)) fail_msg("engine_open: %s", err.message);
    uv_timer_init(engine_loop(world->engine), &world->watch);
    uv_timer_start(&world->watch, on_watch, 500, 500);
    uv_unref((uv_handle_t *)&world->watch);
}

void world_close(struct world *world)
{
    world->engine = engine_close(world->engine);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void world_done(struct world *world)
{
    world_close(world);
    world->functions = action_functions_free(world->functions);
    while (world->ended) {
        struct ended *ended = world->ended;
        world->ended = ended->next;
        free(ended->error);
        free(ended->output);
        free(ended->tasks);
        free(ended);
    }
    while (world->tallies) {
        struct tally *tally = world->tallies;
        world->tallies = tally->next;
        free(tally);
    }
    buf_done(&world->trace);
    buf_done(&world->log);
    buf_done(&world->progress);
    pthread_mutex_destroy(&world->lock);
    pthread_cond_destroy(&world->changed);
    (void)nftw(world->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void world_new(struct world *world, enum world_kind kind)
{
    world_init(world, kind);
    world_open(world);
}

void world_file(const struct world *world, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", world->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

int world_try(struct world *world, const char *yaml, const char *parameters, struct engine_execution **ret,
              struct orch_error *err)
{
    struct arena arena;
    struct diags *diags;
    struct engine_version *version = NULL;
    char file[100];
    world_file(world, "main.yaml", yaml);
    snprintf(file, sizeof file, "%s/main.yaml", world->folder);
    arena_init(&arena, NULL, 0);
    diags = ARENA_NEW(&arena, struct diags);
    assert_non_null(diags);
    diags_init(diags, &arena);
    int r = engine_load(world->engine, str_from(yaml), str_from(file), diags, &version, err);
    struct value given = value_null(), all;
    if (!r && parameters) r = json_parse(str_from(parameters), NULL, &arena, &given, err);
    if (!r) r = workflow_parameters(engine_version_workflow(version), given, false, &arena, NULL, &all, err);
    if (!r) {
        struct engine_start start = {
            .version = version, .parameters = all, .by = STR("tester"), .file = str_from(file)};
        r = engine_start(world->engine, &start, ret, err);
    }
    (void)engine_version_unref(version);
    arena_done(&arena);
    return r;
}

struct engine_execution *world_start(struct world *world, const char *yaml, const char *parameters)
{
    struct engine_execution *execution = NULL;
    struct orch_error err = ORCH_ERROR_INIT;
    if (world_try(world, yaml, parameters, &execution, &err))
        fail_msg("%s:%u:%u %s (%s)\n%s", err.file, err.line, err.column, err.message, err.hint, yaml);
    return execution;
}

struct condition {
    struct world *world;
    bool (*holds)(struct world *world);
};

static bool is_due(void *user)
{
    struct condition *condition = user;
    if (condition->holds(condition->world)) return true;
    return clock_monotonic() > condition->world->give_up_at;
}

void world_until(struct world *world, bool (*holds)(struct world *world))
{
    struct condition condition = {world, holds};
    struct orch_error err = ORCH_ERROR_INIT;
    world->give_up_at = clock_monotonic() + GIVE_UP_US;
    if (engine_run(world->engine, is_due, &condition, &err)) fail_msg("engine_run: %s", err.message);
    if (!holds(world))
        fail_msg("it never came to that:\n%s", world->trace.size ? world->trace.data : "(nothing happened)");
}

static bool is_idle(struct world *world)
{
    return engine_count(world->engine) == 0;
}

void world_run(struct world *world)
{
    world_until(world, is_idle);
}

static bool has_trace(struct world *world)
{
    return world->trace.size && strstr(world->trace.data, world->user);
}

void world_until_trace(struct world *world, const char *text)
{
    void *before = world->user;
    world->user = (void *)(uintptr_t)text;
    world_until(world, has_trace);
    world->user = before;
}

static bool has_ended(struct world *world)
{
    return world->ended_count >= *(int *)world->user;
}

void world_until_ended(struct world *world, int count)
{
    void *before = world->user;
    world->user = &count;
    world_until(world, has_ended);
    world->user = before;
}

const struct ended *world_ended(const struct world *world, int64_t number)
{
    const struct ended *ended = world->ended;
    while (ended && ended->number != number) ended = ended->next;
    if (!ended) fail_msg("execution %lld has not ended", (long long)number);
    return ended;
}

const struct ended *world_play(struct world *world, const char *yaml, const char *parameters)
{
    int64_t number = engine_execution_number(world_start(world, yaml, parameters));
    world_run(world);
    return world_ended(world, number);
}

void world_check_idle(struct world *world)
{
    struct engine *engine = world->engine;
    assert_int_equal(0, engine->executions_count);
    assert_int_equal(0, engine->heap_count);
    assert_int_equal(0, admission_waiting_count(engine->admission));
    assert_int_equal(0, admission_queue_count(engine->admission));
    struct orch_str name;
    uint32_t units, taken;
    admission_limit_get(engine->admission, engine->jobs, &name, &units, &taken);
    assert_int_equal(0, taken);
    for (int i = 0; i < ENGINE_BUCKETS; i++) {
        assert_null(engine->attempt_buckets[i]);
        assert_null(engine->execution_buckets[i]);
    }
}

void expect_tasks(const char *name, const struct ended *ended, const char *expected)
{
    char token[200];
    while (*expected) {
        while (*expected == ' ') expected++;
        size_t size = strcspn(expected, " ");
        if (size == 0) break;
        snprintf(token, sizeof token, " %.*s ", (int)size, expected);
        if (!strstr(ended->tasks, token)) fail_msg("%s: no%sin\n  %s", name, token, ended->tasks);
        expected += size;
    }
}

int count_text(const char *text, const char *needle)
{
    int count = 0;
    for (const char *at = text; at && (at = strstr(at, needle)); at += strlen(needle)) count++;
    return count;
}

struct fault_store the_fault;

static int fault_append(struct store *store, const struct store_entry *entries, uint32_t count,
                        void (*done)(void *user, int status), void *user, struct orch_error *err)
{
    the_fault.appends++;
    bool is_due = the_fault.after == 0;
    if (the_fault.after > 0) the_fault.after--;
    if (!is_due || the_fault.fault == FAULT_NONE || the_fault.fault == FAULT_HOLD)
        return the_fault.real->append(store, entries, count, done, user, err);
    if (the_fault.fault == FAULT_REFUSE) return error_set(err, ORCH_ERR_NO_MEMORY, "told to refuse");
    assert_true(the_fault.due_count < 16);
    the_fault.due[the_fault.due_count].done = done;
    the_fault.due[the_fault.due_count].user = user;
    the_fault.due[the_fault.due_count++].status = the_fault.fault == FAULT_FULL ? ORCH_ERR_FULL : ORCH_ERR_IO;
    if (store->wake) store->wake(store->wake_user);
    return 0;
}

static uint32_t fault_poll(struct store *store)
{
    uint32_t count = 0;
    while (the_fault.due_count > 0) {
        void (*done)(void *user, int status) = the_fault.due[0].done;
        void *user = the_fault.due[0].user;
        int status = the_fault.due[0].status;
        memmove(the_fault.due, the_fault.due + 1, --the_fault.due_count * sizeof *the_fault.due);
        done(user, status);
        count++;
    }
    return count + (the_fault.fault == FAULT_HOLD ? 0 : the_fault.real->poll(store));
}

void world_fault(struct world *world, enum fault fault, uint32_t after)
{
    struct store *store = engine_store(world->engine);
    if (store->methods != &the_fault.methods) {
        the_fault = (struct fault_store){.methods = *store->methods, .real = store->methods};
        the_fault.methods.append = fault_append;
        the_fault.methods.poll = fault_poll;
        store->methods = &the_fault.methods;
    }
    the_fault.fault = fault;
    the_fault.after = after;
    if (fault == FAULT_NONE && store->wake) store->wake(store->wake_user);
}

int in_child(struct world *world, void (*fn)(struct world *world))
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        world_open(world);
        fn(world);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(pid, waitpid(pid, &status, 0));
    return status;
}
