/*
 * whatif.c - the old and the new definition go through a run in virtual time.
 *
 * What is recorded of an attempt whose rendered action is the same is taken as it is; everything else is made up:
 * it succeeds, and takes as long as it usually took. The old definition goes the same way, so that what differs between
 * the two comes from the definition alone.
 */
#include "cli/whatif.h"

#include <stdlib.h>

#include "base/error.h"
#include "cli/simulate_plan.h"
#include "sys/file.h"

#define DEFINITION_SIZE_MAX ((size_t)1 << 30)

struct going {
    struct whatif *whatif;
    struct whatif_side *side;
    struct simulate_plan *plan; /* what was learned */
    struct buf stripped;
    bool failed; /* memory is short */
    uint32_t order;
};

static struct whatif_outcome *outcome_of(struct going *going, struct orch_str path)
{
    struct map_entry *entry = map_find(&going->side->outcomes, path);
    if (entry) return entry->pointer;
    struct orch_str key = arena_str(&going->whatif->arena, path);
    struct whatif_outcome *outcome = key.data ? ARENA_NEW(&going->whatif->arena, struct whatif_outcome) : NULL;
    entry = outcome ? map_add(&going->side->outcomes, key, NULL) : NULL;
    if (!entry) {
        going->failed = true;
        return NULL;
    }
    outcome->path = key;
    entry->pointer = outcome;
    return outcome;
}

static void make_up(struct going *going, const struct simulation_question *question, struct simulation_answer *ret)
{
    buf_clear(&going->stripped);
    simulation_strip(question->path, &going->stripped);
    *ret = (struct simulation_answer){.duration = SIMULATE_DURATION_USUAL};
    (void)simulate_plan_learned(going->plan, buf_str(&going->stripped), &ret->duration, &ret->output);
}

static void on_ask(void *user, const struct simulation_question *question, struct simulation_answer *ret)
{
    struct going *going = user;
    struct whatif_outcome *outcome = outcome_of(going, question->path);
    const struct whatif_task *task = whatif_history_find(&going->whatif->history, question->path);
    const struct whatif_attempt *attempt =
        task && question->attempt <= task->count ? &task->attempts[question->attempt - 1] : NULL;
    make_up(going, question, ret);
    if (!outcome) return;
    if (attempt && question->program) {
        struct orch_str action = whatif_action(question->program->config, question->program->env,
                                               question->program->execution_id, question->arena);
        if (!action.data) going->failed = true;
        if (!str_equal(action, attempt->action)) {
            struct buf difference;
            buf_init(&difference, NULL, 0);
            whatif_action_difference(attempt->action, action, question->arena, &difference);
            outcome->difference =
                arena_str(&going->whatif->arena, difference.size ? buf_str(&difference) : STR("its action"));
            if (!outcome->difference.data) going->failed = true;
            buf_done(&difference);
            attempt = NULL;
        }
    }
    if (!attempt) {
        outcome->fresh++;
        return;
    }
    outcome->taken++;
    *ret = attempt->answer;
}

static void on_tell(void *user, orch_time at, struct orch_str prefix, const struct core *core,
                    const struct core_transition *transition)
{
    struct going *going = user;
    uint8_t type = transition->type;
    if (type != TRANSITION_ATTEMPT_STARTED && type != TRANSITION_TASK_WAITING && type != TRANSITION_TASK_ENDED) return;
    if (core_get_instance(core, transition->instance)->task->kind != TASK_LEAF) return;
    struct buf path;
    buf_init(&path, NULL, 0);
    buf_add(&path, prefix);
    core_path(core, transition->instance, &path);
    struct whatif_outcome *outcome = path.failed ? NULL : outcome_of(going, buf_str(&path));
    buf_done(&path);
    if (!outcome) return;
    bool is_end = type == TRANSITION_TASK_ENDED;
    bool never_ran = is_end && (transition->state == TASK_SKIPPED || transition->state == TASK_CANCELLED);
    if (!outcome->ran && !never_ran && transition->state != TASK_COMPENSATED) {
        outcome->ran = true;
        outcome->begin = at;
        outcome->order = going->order++;
        going->side->ran++;
    }
    if (!is_end) return;
    outcome->state = transition->state;
    outcome->reason = transition->reason;
    outcome->end = at;
    outcome->error = transition->error.size ? arena_str(&going->whatif->arena, transition->error) : STR_NONE;
    if (transition->error.size && !outcome->error.data) going->failed = true;
}

/* Variables as they were captured when the run began. */
static const char *on_environment(void *user, const char *name)
{
    const struct going *going = user;
    const struct value *env = value_get(going->whatif->history.started, STR("env"));
    const struct value *value = env ? value_get(*env, str_from(name)) : NULL;
    if (!value || value->kind != VALUE_STRING) return getenv(name);
    struct orch_str text = arena_str(&going->whatif->arena, value_str(*value)); /* ends in a NUL */
    return text.data;
}

static struct orch_str base_of(struct orch_str path)
{
    size_t at = path.size;
    while (at > 0 && path.data[at - 1] != '/') at--;
    return str_of(path.data + at, path.size - at);
}

/* The sub-workflows of the old definition are those that were pinned; their files may be others by now, or gone. */
static int on_read_pinned(void *user, const char *path, size_t size_max, struct arena *arena, struct orch_str *ret,
                          struct orch_error *err)
{
    const struct going *going = user;
    const struct value *pinned = value_get(going->whatif->history.started, STR("subworkflows"));
    const struct value *digest = NULL;
    (void)size_max;
    for (uint32_t i = 0; pinned && pinned->kind == VALUE_MAP && i < pinned->size; i++) {
        const struct value *file = value_get(value_members(*pinned)[i].value, STR("file"));
        if (!file || file->kind != VALUE_STRING) continue;
        bool is_it = str_is(value_str(*file), path);
        if (is_it || (!digest && str_equal(base_of(value_str(*file)), base_of(str_from(path)))))
            digest = value_get(value_members(*pinned)[i].value, STR("digest"));
        if (is_it) break;
    }
    if (!digest) return error_set(err, ORCH_ERR_NOT_FOUND, "%s was not pinned", path);
    return store_get_definition(going->whatif->history.store, value_str(*digest), arena, ret, err);
}

static int go(struct whatif *whatif, struct whatif_side *side, struct simulate_plan *plan,
              const struct simulation_options *given, struct orch_error *err)
{
    struct going going = {.whatif = whatif, .side = side, .plan = plan};
    struct simulation_options options = *given;
    options.wall = whatif->history.started_at;
    options.ask = on_ask;
    options.tell = on_tell;
    options.environment = on_environment;
    options.user = &going;
    struct simulation *simulation = simulation_new(&options);
    if (!simulation) return error_memory(err);
    buf_init(&going.stripped, NULL, 0);
    int r = simulation_run(simulation, 1, NULL, &side->result, err);
    if (!r) {
        side->result.tasks = NULL; /* it goes with the simulation; so do the texts */
        struct orch_str *texts[] = {&side->result.reason, &side->result.output};
        for (size_t i = 0; i < 2; i++) {
            if (!texts[i]->size) continue;
            *texts[i] = arena_str(&whatif->arena, *texts[i]);
            if (!texts[i]->data) going.failed = true;
        }
    }
    if (!r && going.failed) r = error_memory(err);
    buf_done(&going.stripped);
    simulation_free(simulation);
    return r;
}

/* The recorded parameters that the new definition still has, and over them what is given now. Like findings, what is
 * wrong is printed: then the exit code. */
static int parameters_of(struct whatif *whatif, const struct whatif_options *options, struct orch_str text,
                         struct value *ret, struct orch_error *err)
{
    struct value given;
    const struct workflow *workflow = whatif->workflow;
    const struct value *recorded = value_get(whatif->history.started, STR("parameters"));
    int r = cli_given_parameters(NULL, &options->parameters, &whatif->arena, &given, err);
    if (r) return r;
    struct value_member *members =
        ARENA_ARRAY(&whatif->arena, (size_t)given.size + workflow->parameters_count, struct value_member);
    struct diags *diags = ARENA_NEW(&whatif->arena, struct diags);
    if (!members || !diags) return error_memory(err);
    uint32_t count = 0;
    for (uint32_t i = 0; i < workflow->parameters_count && recorded; i++) {
        const struct parameter *parameter = &workflow->parameters[i];
        const struct value *value = value_get(*recorded, parameter->name);
        if (!value || value->kind == VALUE_NULL || value_get(given, parameter->name)) continue;
        members[count++] = (struct value_member){value_string(parameter->name), *value};
    }
    for (uint32_t i = 0; i < given.size; i++) members[count++] = value_members(given)[i];
    if (value_map(members, count, &whatif->arena, &given)) return error_memory(err);
    diags_init(diags, &whatif->arena);
    r = workflow_parameters(workflow, given, true, &whatif->arena, diags, ret, err);
    if (r && diags->count) return cli_findings(diags, text, whatif->file);
    return r;
}

static int read_new(struct whatif *whatif, struct orch_str *ret_text, struct orch_error *err)
{
    struct diags *diags = ARENA_NEW(&whatif->arena, struct diags);
    if (!diags) return error_memory(err);
    int r = file_read(whatif->file, DEFINITION_SIZE_MAX, &whatif->arena, ret_text, err);
    if (r) return r;
    diags_init(diags, &whatif->arena);
    r = workflow_read(*ret_text, str_from(whatif->file), &whatif->arena, diags, &whatif->workflow);
    if (r == ORCH_ERR_NO_MEMORY) return error_memory(err);
    diags_sort(diags);
    return cli_findings(diags, *ret_text, whatif->file);
}

static int compare(struct whatif *whatif, const struct whatif_options *options, struct orch_error *err)
{
    struct whatif_history *history = &whatif->history;
    struct value parameters;
    struct orch_str text;
    uint32_t runs;
    int r = read_new(whatif, &text, err);
    if (!r) r = parameters_of(whatif, options, text, &parameters, err);
    if (r) return r;
    const struct value *recorded = value_get(history->started, STR("parameters"));
    struct simulate_plan *plan = simulate_plan_new();
    if (!plan) return error_memory(err);
    r = simulate_plan_learn(plan, history->store, history->row.workflow, &runs, err);
    struct simulation_options before = {.text = history->normal,
                                        .file = history->row.file.size ? history->row.file : history->row.workflow,
                                        .jobs = options->jobs,
                                        .read_file = on_read_pinned};
    struct simulation_options after = {
        .text = text, .file = str_from(whatif->file), .parameters = parameters, .jobs = options->jobs};
    if (!r && recorded) before.parameters = *recorded;
    if (!r && !recorded) r = value_map(NULL, 0, &whatif->arena, &before.parameters) ? error_memory(err) : 0;
    if (!r) r = go(whatif, &whatif->before, plan, &before, err);
    if (!r) r = go(whatif, &whatif->after, plan, &after, err);
    simulate_plan_free(plan);
    return r;
}

int whatif_run(const struct whatif_options *options, struct store *store, int64_t number, struct orch_error *err)
{
    struct whatif whatif = {.file = options->file};
    struct buf out;
    arena_init(&whatif.arena, NULL, 0);
    map_init(&whatif.before.outcomes, NULL);
    map_init(&whatif.after.outcomes, NULL);
    buf_init(&out, NULL, 0);
    int r = whatif_history_read(&whatif.history, store, number, options->sequence, err);
    if (!r && options->sequence != UINT64_MAX && options->sequence > whatif.history.last) {
        error_set(err, ORCH_ERR_NOT_FOUND, "the history of run %.*s ends with transition %llu",
                  STR_ARG(whatif.history.row.id), (unsigned long long)whatif.history.last);
        r = ORCH_ERR_NOT_FOUND;
    }
    if (!r && whatif.history.sequence == 0) {
        error_set(err, ORCH_ERR_USAGE, "--what-if wants a moment at which the run has begun: --at 1 or later");
        r = ORCH_ERR_USAGE;
    }
    if (!r) r = compare(&whatif, options, err);
    if (!r) {
        whatif_report(&whatif, options->json, options->all, &out);
        if (out.failed)
            r = error_memory(err);
        else
            fwrite(out.data, 1, out.size, stdout);
    }
    buf_done(&out);
    map_done(&whatif.before.outcomes);
    map_done(&whatif.after.outcomes);
    whatif_history_done(&whatif.history);
    arena_done(&whatif.arena);
    return r;
}
