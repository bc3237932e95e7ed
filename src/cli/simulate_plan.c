/*
 * simulate_plan.c - how the tasks of a simulation go.
 */
#include "cli/simulate_plan.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/map.h"
#include "base/time.h"

#define LEARN_RUNS_MAX    50
#define LEARN_SAMPLES_MAX 200   /* of one task */
#define LEARN_OUTPUT_MAX  65536 /* larger ones are not kept */
#define DRAW_FAIL         0x6661
#define DRAW_DURATION     0x6475

enum rule_kind { RULE_FAIL, RULE_DURATION, RULE_OUTPUT };

struct rule {
    enum rule_kind kind;
    struct orch_str pattern;
    double chance;
    orch_time from, to;
    struct orch_str output;
};

/* What was learned of one task. */
struct learned {
    orch_time durations[LEARN_SAMPLES_MAX];
    uint32_t count;
    struct orch_str output;
};

/* The rules that fit a task; worked out once where no rule names an item. */
struct row {
    bool is_known;
    const struct rule *fail, *duration, *output;
    const struct learned *learned;
};

struct simulate_plan {
    struct arena arena;
    struct rule *rules;
    uint32_t rules_count;
    bool names_items; /* some rule has an index in it */
    struct row *rows;
    uint32_t rows_count;
    struct map learned; /* stripped path -> struct learned */
    struct buf stripped;
};

struct simulate_plan *simulate_plan_new(void)
{
    struct simulate_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return NULL;
    arena_init(&plan->arena, NULL, 0);
    map_init(&plan->learned, NULL);
    buf_init(&plan->stripped, NULL, 0);
    return plan;
}

struct simulate_plan *simulate_plan_free(struct simulate_plan *plan)
{
    if (!plan) return NULL;
    free(plan->rules);
    free(plan->rows);
    map_done(&plan->learned);
    buf_done(&plan->stripped);
    arena_done(&plan->arena);
    free(plan);
    return NULL;
}

/* ---- what the user says ---- */

bool simulate_plan_fits(struct orch_str pattern, struct orch_str text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, from = 0;
    while (t < text.size) {
        if (p < pattern.size && pattern.data[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern.size && (pattern.data[p] == '?' || pattern.data[p] == text.data[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++from;
        } else
            return false;
    }
    while (p < pattern.size && pattern.data[p] == '*') p++;
    return p == pattern.size;
}

/* What is wrong with a value is wrong usage. */
static int error_value(struct orch_error *err, const char *option, struct orch_str pattern, const char *hint)
{
    if (!err) return ORCH_ERR_USAGE;
    err->code = ORCH_ERR_USAGE;
    (void)error_context(err, "--%s %.*s", option, STR_ARG(pattern));
    error_hint(err, "%s", hint);
    return ORCH_ERR_USAGE;
}

/* "TASK=VALUE": a new rule for TASK. */
static int add_rule(struct simulate_plan *plan, enum rule_kind kind, const char *option, struct orch_str text,
                    struct rule **ret, struct orch_str *ret_value, struct orch_error *err)
{
    size_t equals = str_find(text, STR("="), 0);
    if (equals == SIZE_MAX || equals == 0)
        return error_set(err, ORCH_ERR_USAGE, "--%s wants TASK=..., not \"%.*s\"", option, STR_ARG(text));
    struct rule *rules = realloc(plan->rules, (plan->rules_count + 1) * sizeof *rules);
    if (!rules) return error_memory(err);
    plan->rules = rules;
    *ret = &rules[plan->rules_count++];
    **ret = (struct rule){.kind = kind, .pattern = str_of(text.data, equals)};
    *ret_value = str_of(text.data + equals + 1, text.size - equals - 1);
    if (str_find((*ret)->pattern, STR("["), 0) != SIZE_MAX || str_find((*ret)->pattern, STR("#"), 0) != SIZE_MAX)
        plan->names_items = true;
    return 0;
}

int simulate_plan_fail(struct simulate_plan *plan, struct orch_str text, struct orch_error *err)
{
    struct rule *rule;
    struct orch_str value;
    int r = add_rule(plan, RULE_FAIL, "fail", text, &rule, &value, err);
    if (r) return r;
    if (!str_to_double(value, &rule->chance) || !(rule->chance >= 0 && rule->chance <= 1))
        return error_set(err, ORCH_ERR_USAGE, "--fail %.*s: a chance is a number from 0 to 1, not \"%.*s\"",
                         STR_ARG(rule->pattern), STR_ARG(value));
    return 0;
}

int simulate_plan_duration(struct simulate_plan *plan, struct orch_str text, struct orch_error *err)
{
    struct rule *rule;
    struct orch_str value;
    int r = add_rule(plan, RULE_DURATION, "duration", text, &rule, &value, err);
    if (r) return r;
    if (str_is(value, "never")) {
        rule->from = rule->to = ORCH_TIME_NEVER;
        return 0;
    }
    size_t dots = str_find(value, STR(".."), 0);
    struct orch_str from = dots == SIZE_MAX ? value : str_of(value.data, dots);
    struct orch_str to = dots == SIZE_MAX ? value : str_of(value.data + dots + 2, value.size - dots - 2);
    r = duration_parse(from, &rule->from, err);
    if (!r) r = duration_parse(to, &rule->to, err);
    if (r) return error_value(err, "duration", rule->pattern, "one duration, two as in 5s..2m, or never");
    if (rule->from > rule->to)
        return error_set(err, ORCH_ERR_USAGE, "--duration %.*s: %.*s is more than %.*s", STR_ARG(rule->pattern),
                         STR_ARG(from), STR_ARG(to));
    return 0;
}

int simulate_plan_output(struct simulate_plan *plan, struct orch_str text, struct orch_error *err)
{
    struct rule *rule;
    struct orch_str value;
    struct value parsed;
    int r = add_rule(plan, RULE_OUTPUT, "output-of", text, &rule, &value, err);
    if (r) return r;
    rule->output = value;
    r = json_parse(value, NULL, &plan->arena, &parsed, err);
    if (!r) return 0;
    return error_value(err, "output-of", rule->pattern,
                       "it is JSON: --output-of 'fetch=[1, 2]', --output-of 'name=\"text\"'");
}

/* ---- is there such a task ---- */

struct names {
    struct orch_str *items;
    uint32_t count;
};

/* A pattern that goes on after a sub-workflow's task may mean what is in there: "deploy/test" behind "deploy". */
static bool may_be_behind(struct orch_str pattern, struct orch_str path)
{
    for (size_t i = 0; i < pattern.size; i++)
        if ((pattern.data[i] == '/' || pattern.data[i] == '*') &&
            simulate_plan_fits(str_of(pattern.data, pattern.data[i] == '*' ? i + 1 : i), path))
            return true;
    return false;
}

static bool is_there(const struct workflow *workflow, struct orch_str pattern, struct names *names, struct arena *arena)
{
    struct buf path, stripped;
    bool found = false;
    buf_init(&path, NULL, 0);
    buf_init(&stripped, NULL, 0);
    simulation_strip(pattern, &stripped);
    for (uint32_t b = 0; b < workflow->block_count && !found; b++)
        for (uint32_t t = 0; t < workflow->blocks[b]->task_count && !found; t++) {
            const struct task *task = &workflow->blocks[b]->tasks[t];
            buf_clear(&path);
            task_path(task, &path);
            /* The only task of a handler goes by the handler's name: "booked/compensate". */
            struct orch_str whole = buf_str(&path), lone = whole;
            if (task->block->role != BLOCK_BODY && task->block->task_count == 1) lone.size -= task->id.size + 1;
            found = simulate_plan_fits(buf_str(&stripped), whole) || simulate_plan_fits(buf_str(&stripped), lone) ||
                    (task->action && task->action->kind == ACTION_WORKFLOW && may_be_behind(buf_str(&stripped), whole));
            if (names->items) names->items[names->count++] = arena_str(arena, whole);
        }
    buf_done(&path);
    buf_done(&stripped);
    return found;
}

int simulate_plan_check(const struct simulate_plan *plan, const struct workflow *workflow, struct orch_error *err)
{
    static const char *const options[] = {"fail", "duration", "output-of"};
    for (uint32_t i = 0; i < plan->rules_count; i++) {
        struct arena arena;
        struct names names = {0};
        const struct rule *rule = &plan->rules[i];
        arena_init(&arena, NULL, 0);
        names.items = ARENA_ARRAY(&arena, workflow->task_count, struct orch_str);
        bool found = is_there(workflow, rule->pattern, &names, &arena);
        if (!found) {
            error_set(err, ORCH_ERR_NOT_FOUND, "--%s %.*s: the workflow has no such task", options[rule->kind],
                      STR_ARG(rule->pattern));
            struct orch_str near = names.items ? str_nearest(rule->pattern, names.items, names.count) : STR_NONE;
            if (near.size) error_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
        }
        arena_done(&arena);
        if (!found) return ORCH_ERR_NOT_FOUND;
    }
    return 0;
}

/* ---- what history says ---- */

struct learning {
    struct simulate_plan *plan;
    struct store *store;
    int64_t *numbers;
    uint32_t numbers_count;
    struct orch_error *err;
};

static int note_number(void *user, const struct store_execution *row)
{
    struct learning *learning = user;
    learning->numbers[learning->numbers_count++] = row->number;
    return 0;
}

static struct learned *learned_of(struct simulate_plan *plan, struct orch_str path)
{
    buf_clear(&plan->stripped);
    simulation_strip(path, &plan->stripped);
    if (plan->stripped.failed) return NULL;
    struct map_entry *entry = map_find(&plan->learned, buf_str(&plan->stripped));
    if (entry) return entry->pointer;
    struct orch_str key = arena_str(&plan->arena, buf_str(&plan->stripped));
    struct learned *learned = key.data ? ARENA_NEW(&plan->arena, struct learned) : NULL;
    entry = learned ? map_add(&plan->learned, key, NULL) : NULL;
    if (!entry) return NULL;
    entry->pointer = learned;
    return learned;
}

static int learn_instance(struct learning *learning, const struct core *core, uint32_t at, struct orch_str path)
{
    const struct core_instance *instance = core_get_instance(core, at);
    const struct core_detail *detail = instance->detail;
    if (instance->task->kind != TASK_LEAF || !detail || instance->state != TASK_SUCCEEDED) return 0;
    orch_time begin = detail->attempt_at   ? detail->attempt_at
                      : detail->started_at ? detail->started_at
                                           : detail->ready_at;
    if (!begin || detail->ended_at < begin) return 0;
    struct learned *learned = learned_of(learning->plan, path);
    if (!learned) return error_memory(learning->err);
    if (learned->count < LEARN_SAMPLES_MAX) learned->durations[learned->count++] = detail->ended_at - begin;
    /* The latest runs come first. */
    if (learned->output.size || !detail->output.size || detail->output.size > LEARN_OUTPUT_MAX) return 0;
    learned->output = arena_str(&learning->plan->arena, detail->output);
    return learned->output.data ? 0 : error_memory(learning->err);
}

static int learn_run(struct learning *learning, int64_t number, struct orch_str prefix);

struct child {
    struct learning *learning;
    const struct core *core;
    struct orch_str prefix;
};

static int learn_child(void *user, const struct store_execution *row)
{
    struct child *child = user;
    struct buf path;
    if (row->parent_instance >= core_instance_count(child->core)) return 0;
    buf_init(&path, NULL, 0);
    buf_add(&path, child->prefix);
    core_path(child->core, row->parent_instance, &path);
    buf_add_char(&path, '/');
    int r = path.failed ? error_memory(child->learning->err) : learn_run(child->learning, row->number, buf_str(&path));
    buf_done(&path);
    return r;
}

/* As deep as executions are nested, which the engine bounds. */
static int learn_run(struct learning *learning, int64_t number, struct orch_str prefix)
{
    struct engine_view *view;
    struct buf path;
    int r = engine_view_open(learning->store, number, &view, learning->err);
    if (r) return r;
    const struct core *core = engine_view_core(view);
    buf_init(&path, NULL, 0);
    for (uint32_t i = 0; i < core_instance_count(core) && !r; i++) {
        buf_clear(&path);
        buf_add(&path, prefix);
        core_path(core, i, &path);
        r = path.failed ? error_memory(learning->err) : learn_instance(learning, core, i, buf_str(&path));
    }
    buf_done(&path);
    struct child child = {.learning = learning, .core = core, .prefix = prefix};
    struct store_filter filter = {.parent = number, .count_max = LEARN_SAMPLES_MAX};
    if (!r) r = store_each_execution(learning->store, &filter, learn_child, &child, learning->err);
    engine_view_close(view);
    return r;
}

int simulate_plan_learn(struct simulate_plan *plan, struct store *store, struct orch_str workflow, uint32_t *ret_runs,
                        struct orch_error *err)
{
    int64_t numbers[LEARN_RUNS_MAX];
    struct learning learning = {.plan = plan, .store = store, .numbers = numbers, .err = err};
    struct store_filter filter = {.workflow = workflow, .count_max = LEARN_RUNS_MAX};
    int r = store_each_execution(store, &filter, note_number, &learning, err);
    for (uint32_t i = 0; i < learning.numbers_count && !r; i++) r = learn_run(&learning, numbers[i], STR_NONE);
    if (!r) *ret_runs = learning.numbers_count;
    return r;
}

static int compare_times(const void *a, const void *b)
{
    orch_time x = *(const orch_time *)a, y = *(const orch_time *)b;
    return (x > y) - (x < y);
}

bool simulate_plan_learned(const struct simulate_plan *plan, struct orch_str stripped, orch_time *ret_duration,
                           struct orch_str *ret_output)
{
    orch_time durations[LEARN_SAMPLES_MAX];
    const struct map_entry *entry = map_find(&plan->learned, stripped);
    const struct learned *learned = entry ? entry->pointer : NULL;
    if (!learned || !learned->count) return false;
    memcpy(durations, learned->durations, learned->count * sizeof *durations);
    qsort(durations, learned->count, sizeof *durations, compare_times);
    *ret_duration = durations[(learned->count - 1) / 2];
    *ret_output = learned->output;
    return true;
}

/* ---- answering ---- */

static void fit(const struct simulate_plan *plan, struct orch_str path, struct orch_str stripped, struct row *ret)
{
    *ret = (struct row){.is_known = true};
    for (uint32_t i = 0; i < plan->rules_count; i++) {
        const struct rule *rule = &plan->rules[i];
        if (!simulate_plan_fits(rule->pattern, path) && !simulate_plan_fits(rule->pattern, stripped)) continue;
        *(rule->kind == RULE_FAIL ? &ret->fail : rule->kind == RULE_DURATION ? &ret->duration : &ret->output) = rule;
    }
    const struct map_entry *entry = map_find(&plan->learned, stripped);
    if (entry) ret->learned = entry->pointer;
}

/* When memory is short it is worked out each time. */
static const struct row *row_of(struct simulate_plan *plan, const struct simulation_question *question,
                                struct row *spare)
{
    struct row *row = spare;
    if (!plan->names_items) {
        if (question->row >= plan->rows_count) {
            uint32_t count = plan->rows_count ? plan->rows_count : 64;
            while (count <= question->row) count *= 2;
            struct row *rows = realloc(plan->rows, count * sizeof *rows);
            if (rows) {
                memset(rows + plan->rows_count, 0, (count - plan->rows_count) * sizeof *rows);
                plan->rows = rows;
                plan->rows_count = count;
            }
        }
        if (question->row < plan->rows_count) row = &plan->rows[question->row];
        if (row != spare && row->is_known) return row;
    }
    buf_clear(&plan->stripped);
    simulation_strip(question->path, &plan->stripped);
    fit(plan, question->path, buf_str(&plan->stripped), row);
    return row;
}

void simulate_plan_ask(void *user, const struct simulation_question *question, struct simulation_answer *ret)
{
    struct simulate_plan *plan = user;
    struct row spare;
    const struct row *row = row_of(plan, question, &spare);
    uint64_t bits = simulation_mix(question->seed, str_hash(question->path), question->attempt);
    ret->duration = SIMULATE_DURATION_USUAL;
    if (row->learned && row->learned->count) {
        ret->duration = row->learned->durations[simulation_mix(bits, DRAW_DURATION, 0) % row->learned->count];
        ret->output = row->learned->output;
    }
    if (row->output) ret->output = row->output->output;
    if (row->duration && row->duration->from == ORCH_TIME_NEVER)
        ret->duration = ORCH_TIME_NEVER;
    else if (row->duration) {
        double span = (double)(row->duration->to - row->duration->from);
        ret->duration =
            row->duration->from + (orch_time)(simulation_unit(simulation_mix(bits, DRAW_DURATION, 1)) * span);
    }
    if (row->fail && simulation_unit(simulation_mix(bits, DRAW_FAIL, 0)) < row->fail->chance)
        ret->failure =
            question->kind == ACTION_SHELL || question->kind == ACTION_EXEC || question->kind == ACTION_SCRIPT
                ? FAILURE_EXIT
                : FAILURE_ERROR;
}
