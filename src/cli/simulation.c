/*
 * simulation.c - one run of a workflow in a made-up world: begun, answered, perhaps killed and taken up, looked at.
 */
#include "cli/simulation_internal.h"

#include <stdlib.h>

#include "base/error.h"
#include "sys/file.h"

#define STEPS_MAX     10000000
#define MEMBERS_MAX   1000000 /* executions of one run: sub-workflows in it */
#define DOWN_MIN      ORCH_SECOND
#define DOWN_MAX      (30 * ORCH_SECOND)
#define DRAW_CRASH    1 /* what the draws of a seed are for */
#define DRAW_MOMENT   2
#define DRAW_DOWNTIME 3
#define DRAW_JUMP     4

uint64_t simulation_mix(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t z = a + b * UINT64_C(0x9e3779b97f4a7c15) + c * UINT64_C(0xc2b2ae3d27d4eb4f);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

double simulation_unit(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

static double draw(const struct simulation *s, uint64_t what)
{
    return simulation_unit(simulation_mix(s->seed, what, UINT64_C(0x6f726368)));
}

/* ---- tasks of the definition ---- */

void simulation_strip(struct orch_str path, struct buf *out)
{
    for (size_t i = 0; i < path.size; i++) {
        char c = path.data[i];
        if (c == '[' || c == '#') {
            size_t end = i + 1;
            while (end < path.size && path.data[end] >= '0' && path.data[end] <= '9') end++;
            bool is_index = end > i + 1 && (c == '#' || (end < path.size && path.data[end] == ']'));
            if (is_index) {
                i = c == '#' ? end - 1 : end;
                continue;
            }
        }
        buf_add_char(out, c);
    }
}

uint32_t simulation_row_count(const struct simulation *s)
{
    return s->rows.count;
}

struct orch_str simulation_path(const struct simulation *s, uint32_t row)
{
    return s->rows.entries[row].key;
}

static bool grow_tasks(struct simulation *s)
{
    if (s->rows.count <= s->tasks_capacity) return true;
    uint32_t capacity = s->tasks_capacity ? s->tasks_capacity * 2 : 64;
    struct simulation_task *tasks = realloc(s->tasks, capacity * sizeof *tasks);
    if (!tasks) return false;
    memset(tasks + s->tasks_capacity, 0, (capacity - s->tasks_capacity) * sizeof *tasks);
    s->tasks = tasks;
    s->tasks_capacity = capacity;
    return true;
}

/* Of a path from the outermost run in. */
static uint32_t row_of_path(struct simulation *s, struct orch_str path)
{
    buf_clear(&s->stripped);
    simulation_strip(path, &s->stripped);
    struct map_entry *entry = map_find(&s->rows, buf_str(&s->stripped));
    if (!entry) {
        struct orch_str kept = arena_str(&s->arena, buf_str(&s->stripped));
        entry = kept.data && !s->stripped.failed ? map_add(&s->rows, kept, NULL) : NULL;
        if (!entry || !grow_tasks(s)) return SIMULATION_ROW_NONE;
    }
    return (uint32_t)(entry - s->rows.entries);
}

/* ---- executions of a run: the workflow's own, and those of its sub-workflows ---- */

static bool grow_members(struct simulation *s, int64_t number)
{
    if (number < s->members_capacity) return true;
    if (number >= MEMBERS_MAX) return false;
    uint32_t capacity = s->members_capacity ? s->members_capacity : 16;
    while (capacity <= number) capacity *= 2;
    struct simulation_member *members = realloc(s->members, capacity * sizeof *members);
    if (!members) return false;
    memset(members + s->members_capacity, 0, (capacity - s->members_capacity) * sizeof *members);
    s->members = members;
    s->members_capacity = capacity;
    return true;
}

/* The rows of one place where a workflow is named are the same in each run. */
static struct simulation_scope *scope_of(struct simulation *s, struct orch_str prefix, uint32_t task_count)
{
    buf_clear(&s->stripped);
    simulation_strip(prefix, &s->stripped);
    struct map_entry *entry = map_find(&s->scopes, buf_str(&s->stripped));
    if (entry) return entry->pointer;
    struct orch_str key = arena_str(&s->arena, buf_str(&s->stripped));
    struct simulation_scope *scope = ARENA_NEW(&s->arena, struct simulation_scope);
    if (!key.data || !scope) return NULL;
    scope->rows = ARENA_ARRAY(&s->arena, task_count, uint32_t);
    scope->count = task_count;
    entry = scope->rows ? map_add(&s->scopes, key, NULL) : NULL;
    if (!entry) return NULL;
    for (uint32_t i = 0; i < task_count; i++) scope->rows[i] = SIMULATION_ROW_NONE;
    entry->pointer = scope;
    return scope;
}

/* An execution's state: of the engine while it is loaded, else out of its journal. NULL when neither can be had. */
const struct core *simulation_core(struct simulation *s, int64_t number)
{
    struct engine *engine = sim_engine(s->sim);
    const struct engine_execution *execution = engine ? engine_find(engine, number) : NULL;
    if (execution) return engine_execution_core(execution);
    for (struct simulation_view *known = s->views; known; known = known->next)
        if (known->number == number) return engine_view_core(known->view);
    struct simulation_view *view = ARENA_NEW(&s->run_arena, struct simulation_view);
    if (!view || engine_view_open(sim_durable(s->sim), number, &view->view, NULL)) return NULL;
    view->number = number;
    view->next = s->views;
    s->views = view;
    return engine_view_core(view->view);
}

struct simulation_member *simulation_member_of(struct simulation *s, int64_t number)
{
    if (number <= 0 || !grow_members(s, number)) return NULL;
    if (s->members[number].is_known) return &s->members[number];
    struct store_execution row;
    const struct core *core = simulation_core(s, number);
    if (!core || store_get_execution(sim_durable(s->sim), number, &s->run_arena, &row, NULL)) return NULL;
    struct orch_str prefix = STR_NONE;
    if (row.parent) {
        const struct core *parent = simulation_core(s, row.parent);
        const struct simulation_member *above = simulation_member_of(s, row.parent);
        if (!parent || !above) return NULL;
        struct buf path;
        buf_init(&path, NULL, 0);
        buf_add(&path, above->prefix);
        core_path(parent, row.parent_instance, &path);
        buf_add_char(&path, '/');
        prefix = path.failed ? STR_NONE : arena_str(&s->run_arena, buf_str(&path));
        buf_done(&path);
        if (!prefix.data) return NULL;
    }
    struct simulation_scope *scope = scope_of(s, prefix, core_workflow(core)->task_count);
    if (!scope) return NULL;
    struct simulation_member *member = &s->members[number];
    *member = (struct simulation_member){.prefix = prefix,
                                         .scope = scope,
                                         .parent = row.parent,
                                         .parent_instance = row.parent_instance,
                                         .parent_fence = row.parent_fence,
                                         .is_known = true};
    return member;
}

static int fail(struct simulation *s)
{
    if (!s->err.code) error_memory(&s->err);
    return s->err.code;
}

uint32_t simulation_row_of(struct simulation *s, const struct simulation_member *member, const struct core *core,
                           uint32_t instance)
{
    uint32_t number = core_get_instance(core, instance)->task->number;
    if (number >= member->scope->count) return SIMULATION_ROW_NONE;
    uint32_t *row = &member->scope->rows[number];
    if (*row != SIMULATION_ROW_NONE) return *row;
    buf_clear(&s->path);
    buf_add(&s->path, member->prefix);
    core_path(core, instance, &s->path);
    if (s->path.failed) {
        (void)fail(s);
        return SIMULATION_ROW_NONE;
    }
    *row = row_of_path(s, buf_str(&s->path));
    return *row;
}

/* How often it was asked about a path in this run, this time included; 0 when memory is short. */
static uint32_t count_asked(struct simulation *s, struct orch_str path)
{
    struct map_entry *entry = map_find(&s->asked, path);
    if (!entry) {
        struct orch_str kept = arena_str(&s->run_arena, path);
        entry = kept.data ? map_add(&s->asked, kept, NULL) : NULL;
        if (!entry) return 0;
    }
    return (uint32_t)++entry->number;
}

/* ---- what the world asks ---- */

static void on_attempt(void *user, const struct action_attempt *attempt, struct sim_attempt *ret)
{
    struct simulation *s = user;
    int64_t number;
    *ret = (struct sim_attempt){0};
    const struct simulation_member *member =
        store_execution_number(attempt->execution_id, &number) ? simulation_member_of(s, number) : NULL;
    if (!member) {
        (void)fail(s);
        return;
    }
    buf_clear(&s->path);
    buf_add(&s->path, member->prefix);
    buf_add(&s->path, attempt->task_path);
    struct simulation_question question = {.seed = s->seed,
                                           .path = buf_str(&s->path),
                                           .row = row_of_path(s, buf_str(&s->path)),
                                           .kind = attempt->kind,
                                           .attempt = count_asked(s, buf_str(&s->path)),
                                           .program = attempt,
                                           .arena = attempt->arena};
    struct simulation_answer answer = {0};
    if (question.row == SIMULATION_ROW_NONE || !question.attempt) {
        (void)fail(s);
        return;
    }
    s->options.ask(s->options.user, &question, &answer);
    ret->duration = answer.duration;
    ret->failure = answer.failure;
    ret->exit_code = answer.exit_code;
    ret->signal = answer.signal;
    ret->error = answer.error;
    ret->is_refused = answer.failure == FAILURE_START;
    if (answer.failure == FAILURE_NONE) ret->output = answer.output;
}

static void on_append(void *user, struct sim_append *ret)
{
    struct simulation *s = user;
    ret->latency = ORCH_MILLISECOND;
    if (++s->appends != s->crash_append) return;
    ret->is_kept = simulation_mix(s->seed, DRAW_MOMENT, s->appends) & 1;
    sim_crash(s->sim);
}

/* Expressions see the environment that a run would see; a secret has a value that is none. */
static const char *on_environment(void *user, const char *name)
{
    struct simulation *s = user;
    if (str_starts_with(str_from(name), STR("ORCH_SECRET_"))) return ENGINE_VIEW_SECRET;
    return s->options.environment ? s->options.environment(s->options.user, name) : getenv(name);
}

static int on_read_file(void *user, const char *path, size_t size_max, struct arena *arena, struct orch_str *ret,
                        struct orch_error *err)
{
    struct simulation *s = user;
    const struct map_entry *known = map_find(&s->files, str_from(path));
    if (known) {
        *ret = *(const struct orch_str *)known->pointer;
        return 0;
    }
    struct orch_str text;
    int r = s->options.read_file ? s->options.read_file(s->options.user, path, size_max, arena, &text, err)
                                 : file_read(path, size_max, arena, &text, err);
    if (r) return r;
    struct orch_str key = arena_str(&s->arena, str_from(path));
    struct orch_str *kept = ARENA_NEW(&s->arena, struct orch_str);
    struct map_entry *entry = NULL;
    if (key.data && kept) {
        *kept = arena_str(&s->arena, text);
        entry = kept->data ? map_add(&s->files, key, NULL) : NULL;
    }
    if (!entry) return error_memory(err);
    entry->pointer = kept;
    *ret = text;
    return 0;
}

/* ---- people and events ---- */

struct waiting {
    struct simulation *simulation;
    int64_t number;
    uint32_t instance;
    struct simulation_answer answer;
    struct orch_str event;
    struct waiting *next;
};

static void on_answer(void *user, uint64_t argument)
{
    struct waiting *waiting = user;
    struct simulation *s = waiting->simulation;
    struct engine *engine = sim_engine(s->sim);
    if (!engine) {
        /* Who finds nobody comes back. */
        if (!sim_at(s->sim, sim_now(s->sim) + ORCH_SECOND, on_answer, waiting, argument)) (void)fail(s);
        return;
    }
    struct engine_execution *execution = engine_find(engine, waiting->number);
    if (!execution) return;
    const struct core *core = engine_execution_core(execution);
    const struct core_instance *instance = core_get_instance(core, waiting->instance);
    if (instance->state != TASK_WAITING) return;
    struct orch_error err = ORCH_ERROR_INIT;
    struct orch_str by = waiting->answer.by.size ? waiting->answer.by : STR("somebody");
    int r = 0;
    if (instance->reason == REASON_APPROVAL) {
        buf_clear(&s->path);
        core_path(core, waiting->instance, &s->path);
        r = s->path.failed ? error_memory(&err) : engine_approve(engine, execution, buf_str(&s->path), waiting->answer.failure == FAILURE_NONE, by,
                           waiting->answer.comment, NULL, NULL, &err);
    } else if (instance->reason == REASON_EVENT) {
        r = engine_signal(engine, execution, waiting->event,
                          waiting->answer.output.size ? waiting->answer.output : STR("null"), by, NULL, NULL, &err);
    }
    /* The execution may be stopping already. */
    if (r && r != ORCH_ERR_STATE && !s->err.code) s->err = err;
}

static void await(struct simulation *s, const struct simulation_member *member, int64_t number, const struct core *core,
                  uint32_t instance, struct orch_str event)
{
    buf_clear(&s->path);
    buf_add(&s->path, member->prefix);
    core_path(core, instance, &s->path);
    const struct core_instance *one = core_get_instance(core, instance);
    struct waiting *waiting = ARENA_NEW(&s->run_arena, struct waiting);
    struct simulation_question question = {.seed = s->seed,
                                           .path = buf_str(&s->path),
                                           .row = row_of_path(s, buf_str(&s->path)),
                                           .kind = one->task->action->kind,
                                           .attempt = count_asked(s, buf_str(&s->path)),
                                           .arena = &s->run_arena};
    if (!waiting || s->path.failed || question.row == SIMULATION_ROW_NONE || !question.attempt) {
        (void)fail(s);
        return;
    }
    waiting->simulation = s;
    waiting->number = number;
    waiting->instance = instance;
    s->options.ask(s->options.user, &question, &waiting->answer);
    if (waiting->answer.duration == ORCH_TIME_NEVER) return;
    if (question.kind == ACTION_WAIT && waiting->answer.failure != FAILURE_NONE) return; /* it does not come */
    waiting->event = arena_str(&s->run_arena, event);
    if (!waiting->event.data || !sim_at(s->sim, sim_now(s->sim) + waiting->answer.duration, on_answer, waiting, 0))
        (void)fail(s);
}

static bool is_awaited(uint8_t reason)
{
    return reason == REASON_APPROVAL || reason == REASON_EVENT;
}

/* What was recorded in the last moment of a life was told to nobody. */
static void await_all(struct simulation *s, struct engine *engine)
{
    for (int64_t number = 1; number < s->members_capacity; number++) {
        const struct engine_execution *execution = engine_find(engine, number);
        const struct simulation_member *member = execution ? simulation_member_of(s, number) : NULL;
        if (!member) continue;
        const struct core *core = engine_execution_core(execution);
        for (uint32_t i = 0; i < core_instance_count(core); i++) {
            const struct core_instance *instance = core_get_instance(core, i);
            if (instance->state != TASK_WAITING || !is_awaited(instance->reason)) continue;
            await(s, member, number, core, i, instance->detail->event);
        }
    }
}

/* ---- what the engine tells ---- */

static void on_transitions(void *user, struct engine_execution *execution, uint64_t first_seq,
                           const struct core_transition *items, uint32_t count)
{
    struct simulation *s = user;
    (void)first_seq;
    if (sim_is_crashed(s->sim)) return;
    int64_t number = engine_execution_number(execution);
    const struct core *core = engine_execution_core(execution);
    const struct simulation_member *member = simulation_member_of(s, number);
    if (!member) {
        (void)fail(s);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct core_transition *transition = &items[i];
        if (s->options.tell && !s->is_pilot)
            s->options.tell(s->options.user, sim_now(s->sim), member->prefix, core, transition);
        if (transition->instance == CORE_NONE) continue;
        if (!simulation_count(s, member, core, transition)) (void)fail(s);
        if (transition->type == TRANSITION_TASK_WAITING && is_awaited(transition->reason))
            await(s, member, number, core, transition->instance, transition->name);
    }
}

static void on_ended(void *user, struct engine_execution *execution)
{
    struct simulation *s = user;
    if (sim_is_crashed(s->sim)) return;
    int64_t number = engine_execution_number(execution);
    if (simulation_look(s, number)) {
        (void)fail(s);
        return;
    }
    if (number == s->root) s->is_over = true;
}

/* ---- lives ---- */

static int begin(struct simulation *s, struct diags *diags, struct orch_error *err)
{
    struct engine_version *version;
    struct engine *engine = sim_engine(s->sim);
    diags_init(diags, diags->arena);
    int r = engine_load(engine, s->normal.size ? s->normal : s->options.text, s->options.file, diags, &version, err);
    if (r) return r;
    if (!s->normal.size) {
        /* It is read faster than what a person wrote. */
        s->normal = arena_str(&s->arena, engine_version_workflow(version)->normal);
        if (!s->normal.data) r = error_memory(err);
    }
    struct engine_execution *execution = NULL;
    struct engine_start start = {.version = version, .parameters = s->options.parameters, .by = STR("simulation")};
    if (!r) r = engine_start(engine, &start, &execution, err);
    if (!r) s->root = engine_execution_number(execution);
    (void)engine_version_unref(version);
    return r;
}

static void on_crash(void *user, uint64_t argument)
{
    struct simulation *s = user;
    (void)argument;
    if (!s->is_over) sim_crash(s->sim);
}

static void on_up(void *user, uint64_t argument)
{
    struct simulation *s = user;
    struct store_execution row;
    struct orch_error err = ORCH_ERROR_INIT;
    (void)argument;
    s->is_down = false;
    if (s->options.clock_jump) {
        double way = draw(s, DRAW_JUMP) * 2 - 1;
        sim_jump_wall(s->sim, (orch_time)(way * (double)s->options.clock_jump));
    }
    if (s->options.tell_crash && !s->is_pilot) s->options.tell_crash(s->options.user, sim_now(s->sim), true);
    int r = sim_open(s->sim, &err);
    if (!r && store_get_execution(sim_durable(s->sim), s->root, &s->run_arena, &row, NULL)) {
        /* Nothing of it was recorded: it was not begun, and whoever began it knows. */
        struct diags *diags = ARENA_NEW(&s->run_arena, struct diags);
        if (diags) diags->arena = &s->run_arena;
        r = diags ? begin(s, diags, &err) : error_memory(&err);
    } else if (!r && !execution_state_is_terminal(row.state)) {
        struct engine_execution *execution;
        r = engine_resume(sim_engine(s->sim), s->root, &execution, &err);
        if (!r) await_all(s, sim_engine(s->sim));
    } else if (!r) {
        /* It has ended in the last moment of its life. */
        r = simulation_look(s, s->root) ? fail(s) : 0;
        s->is_over = true;
    }
    if (r && !s->err.code) s->err = err;
}

static int live(struct simulation *s, struct orch_error *err)
{
    for (uint32_t steps = 0; !s->is_over; steps++) {
        if (steps == STEPS_MAX)
            return error_set(err, ORCH_ERR_LIMIT, "the run does not end within %d steps", STEPS_MAX);
        int r = sim_step(s->sim, err);
        if (r < 0) return r;
        if (s->err.code) {
            if (err) *err = s->err;
            return s->err.code;
        }
        if (!sim_engine(s->sim) && !s->is_down && !s->is_over) {
            s->is_down = true;
            s->crashes++;
            if (s->options.tell_crash && !s->is_pilot) s->options.tell_crash(s->options.user, sim_now(s->sim), false);
            orch_time down = DOWN_MIN + (orch_time)(draw(s, DRAW_DOWNTIME) * (double)(DOWN_MAX - DOWN_MIN));
            if (!sim_at(s->sim, sim_now(s->sim) + down, on_up, s, 0)) return error_memory(err);
            r = 1;
        }
        if (r == 0) return 0;
    }
    return 0;
}

/* One run from begin to end; without is_pilot what happens is told. */
static int play(struct simulation *s, struct diags *diags, struct orch_error *err)
{
    struct sim_options options = {
        .hooks = {.user = s,
                  .attempt = on_attempt,
                  .append = on_append,
                  .environment = on_environment,
                  .read_file = on_read_file},
        .mark = s->seed,
        .wall = s->options.wall,
        .jobs = s->options.jobs,
        .observer = {.transitions = on_transitions, .ended = on_ended, .user = s},
    };
    map_clear(&s->asked);
    arena_clear(&s->run_arena);
    memset(s->tasks, 0, s->tasks_capacity * sizeof *s->tasks);
    if (s->members) memset(s->members, 0, s->members_capacity * sizeof *s->members);
    s->err = (struct orch_error)ORCH_ERROR_INIT;
    s->appends = s->crashes = 0;
    s->is_over = s->is_down = false;
    s->result = (struct simulation_result){.seed = s->seed};
    s->sim = sim_new(&options);
    if (!s->sim) return error_memory(err);
    int r = sim_open(s->sim, err);
    if (!r) r = begin(s, diags, err);
    if (!r && s->crash_at && !sim_at(s->sim, s->crash_at, on_crash, s, 0)) r = error_memory(err);
    if (!r) r = live(s, err);
    if (!r && !s->is_over) r = simulation_look_stuck(s, err);
    if (!r && s->crashes) r = simulation_recount(s, err);
    s->result.crashes = s->crashes;
    for (; s->views; s->views = s->views->next) engine_view_close(s->views->view);
    s->sim = sim_free(s->sim);
    return r;
}

int simulation_run(struct simulation *s, uint64_t seed, struct diags *diags, struct simulation_result *ret,
                   struct orch_error *err)
{
    s->seed = seed;
    s->crash_append = 0;
    s->crash_at = 0;
    s->is_pilot = s->options.crash > 0 && draw(s, DRAW_CRASH) < s->options.crash;
    if (!diags) {
        arena_clear(&s->diags_arena);
        diags = ARENA_NEW(&s->diags_arena, struct diags);
        if (!diags) return error_memory(err);
        diags->arena = &s->diags_arena;
    }
    int r = play(s, diags, err);
    if (!r && s->is_pilot) {
        /* How long it lasts is known now: it is killed at a moment of that time, or in the middle of writing. */
        uint64_t bits = simulation_mix(seed, DRAW_MOMENT, 0);
        s->is_pilot = false;
        if (bits & 1)
            s->crash_append = 1 + (bits >> 1) % (s->appends ? s->appends : 1);
        else
            s->crash_at = 1 + (orch_time)(simulation_unit(bits) * (double)s->result.makespan);
        r = play(s, diags, err);
    }
    if (r) return r;
    s->result.tasks = s->tasks;
    s->result.tasks_count = s->rows.count;
    *ret = s->result;
    return 0;
}

struct simulation *simulation_new(const struct simulation_options *options)
{
    struct simulation *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->options = *options;
    arena_init(&s->arena, NULL, 0);
    arena_init(&s->run_arena, NULL, 0);
    arena_init(&s->diags_arena, NULL, 0);
    map_init(&s->rows, NULL);
    map_init(&s->scopes, NULL);
    map_init(&s->files, NULL);
    map_init(&s->asked, NULL);
    buf_init(&s->path, NULL, 0);
    buf_init(&s->stripped, NULL, 0);
    s->tasks = calloc(64, sizeof *s->tasks);
    s->tasks_capacity = 64;
    return s->tasks ? s : simulation_free(s);
}

struct simulation *simulation_free(struct simulation *s)
{
    if (!s) return NULL;
    free(s->tasks);
    free(s->members);
    buf_done(&s->path);
    buf_done(&s->stripped);
    map_done(&s->rows);
    map_done(&s->scopes);
    map_done(&s->files);
    map_done(&s->asked);
    arena_done(&s->diags_arena);
    arena_done(&s->run_arena);
    arena_done(&s->arena);
    free(s);
    return NULL;
}
