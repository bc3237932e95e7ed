/*
 * dry.c - orch run --dry: what a run would do, in what order. Nothing is run and nothing is recorded.
 */
#include "cli/definition.h"
#include "cli/run.h"
#include "cli/tell.h"
#include "cli/tree.h"

#include "base/error.h"
#include "sys/clock.h"

#define SHOWN_WIDTH 160

struct dry {
    struct definition definition;
    struct core *core;
    uint32_t number;
};

/* A secret is shown as it is in logs. */
static int no_secret(void *user, struct orch_str name, struct arena *arena, struct orch_str *ret, struct orch_error *err)
{
    (void)user;
    (void)name;
    *ret = arena_str(arena, STR("***"));
    return ret->data ? 0 : error_memory(err);
}

static void put_member(struct orch_str key, struct orch_str text)
{
    struct buf line;
    buf_init(&line, NULL, 1024u * 1024);
    buf_printf(&line, "%.*s: ", STR_ARG(key));
    buf_add(&line, str_of(text.data, text.size < 100000 ? text.size : 100000));
    fputs("       ", stdout);
    cli_put_clean(buf_str(&line), SHOWN_WIDTH);
    puts("");
    buf_done(&line);
}

static void put_value(struct orch_str key, struct value value)
{
    struct buf text;
    struct template tmpl = {.kind = TEMPLATE_VALUE, .value = value};
    if (value.kind == VALUE_NULL) return;
    buf_init(&text, NULL, 1024u * 1024);
    tell_template(&tmpl, &text);
    put_member(key, buf_str(&text));
    buf_done(&text);
}

/* What is not known before something has run stays as it was written. */
static void put_written(const struct template *config)
{
    struct buf text;
    buf_init(&text, NULL, 1024u * 1024);
    if (config->kind == TEMPLATE_VALUE && config->value.kind == VALUE_MAP)
        for (uint32_t i = 0; i < config->value.size; i++) put_value(value_str(value_members(config->value)[i].key), value_members(config->value)[i].value);
    if (config->kind == TEMPLATE_MAP)
        for (uint32_t i = 0; i < config->count; i++) {
            buf_clear(&text);
            tell_template(&config->members[i].value, &text);
            put_member(config->members[i].key, buf_str(&text));
        }
    buf_done(&text);
}

static void put_action(struct dry *dry, const struct task *task, uint32_t instance)
{
    struct value config = value_null(), env = value_null();
    struct arena arena;
    struct buf text;
    arena_init(&arena, NULL, 0);
    buf_init(&text, NULL, 1024u * 1024);
    /* What reads another task's result has none yet: null would be taken for it. */
    const struct block *block = task->block;
    bool first = block->dependency_start[task->index + 1] == block->dependency_start[task->index];
    bool known = first && instance != CORE_NONE && core_render(dry->core, instance, clock_wall(), &arena, &config, &env, NULL) == 0 && config.kind == VALUE_MAP;
    if (known)
        for (uint32_t i = 0; i < config.size; i++) put_value(value_str(value_members(config)[i].key), value_members(config)[i].value);
    else put_written(&task->action->config);
    if (known && env.kind == VALUE_MAP && env.size) {
        for (uint32_t i = 0; i < env.size; i++) {
            struct template one = {.kind = TEMPLATE_VALUE, .value = value_members(env)[i].value};
            buf_printf(&text, "%s%.*s=", i ? " " : "", STR_ARG(value_str(value_members(env)[i].key)));
            tell_template(&one, &text);
        }
        put_member(STR("env"), buf_str(&text));
    } else
        for (uint32_t i = 0; !known && task->options && i < task->options->env_count; i++) {
            buf_clear(&text);
            buf_printf(&text, "%.*s=", STR_ARG(task->options->env[i].name));
            tell_template(&task->options->env[i].value, &text);
            put_member(STR("env"), buf_str(&text));
        }
    if (task->action->kind == ACTION_TRANSFORM && task->action->transform) put_member(STR("value"), expr_source(task->action->transform));
    if (task->action->kind == ACTION_WORKFLOW) put_member(STR("workflow"), task->action->workflow);
    buf_done(&text);
    arena_done(&arena);
}

static void put_block(struct dry *dry, const struct block *block, uint32_t first)
{
    for (uint32_t k = 0; k < block->task_count; k++) {
        const struct task *task = &block->tasks[block->order[k]], *inner = tell_inner(task);
        struct buf path;
        buf_init(&path, NULL, 64u * 1024);
        task_path(task, &path);
        printf("%4u. ", ++dry->number);
        cli_put_clean(buf_str(&path), 0);
        buf_done(&path);
        printf("  %s", inner->action ? action_kind_to_string(inner->action->kind) : task->kind == TASK_GROUP ? "group" : "block");
        if (task->kind == TASK_FOR_EACH) fputs(", for each item", stdout);
        if (task->kind == TASK_REPEAT) fputs(", repeated", stdout);
        uint32_t from = block->dependency_start[task->index], count = block->dependency_start[task->index + 1] - from;
        if (count) fputs("  after ", stdout);
        for (uint32_t i = 0; i < count && i < 20; i++) printf("%s%.*s", i ? ", " : "", STR_ARG(block->tasks[block->dependencies[from + i]].id));
        if (count > 20) printf(" and %u more", count - 20);
        puts("");
        if (task->when) put_member(STR("only if"), expr_source(task->when));
        if (inner->action) put_action(dry, inner, inner == task && first != CORE_NONE ? first + task->index : CORE_NONE);
        const struct block *body = task_block(inner, BLOCK_BODY);
        if (body && !block_is_wrapping(body)) put_block(dry, body, CORE_NONE);
    }
}

static int plan(struct dry *dry, struct value parameters, struct orch_error *err)
{
    const struct workflow *workflow = dry->definition.workflow;
    struct arena *arena = &dry->definition.arena;
    struct core_env env = {.secret = no_secret};
    struct core_transitions list = {0};
    struct analysis analysis;
    struct value nothing;
    dry->core = core_new(workflow, 0, &env, NULL);
    if (!dry->core || value_map(NULL, 0, arena, &nothing)) return error_memory(err);
    struct core_input input = {.type = INPUT_START,
                               .now = clock_wall(),
                               .instance = CORE_NONE,
                               .start = {.parameters = parameters, .env = nothing, .labels = value_null(), .subworkflows = nothing, .id = STR("r-dry")}};
    int r = core_step(dry->core, &input, arena, &list, err);
    if (!r) r = workflow_analyze(workflow, arena, &analysis, err);
    if (r) return r;
    cli_put_clean(workflow->name, 0);
    printf(": %u task%s, %u level%s, at most %u side by side; nothing is run\n", analysis.task_count, analysis.task_count == 1 ? "" : "s", analysis.level_count,
           analysis.level_count == 1 ? "" : "s", analysis.width);
    put_block(dry, workflow->body, core_frame_count(dry->core) ? core_get_frame(dry->core, 0)->first : CORE_NONE);
    if (workflow->finally) {
        puts("at the end, however it ends:");
        put_block(dry, workflow->finally, CORE_NONE);
    }
    fputs("critical path: ", stdout);
    for (uint32_t i = 0; i < analysis.critical_path_count; i++) {
        struct buf path;
        buf_init(&path, NULL, 64u * 1024);
        task_path(analysis.critical_path[i], &path);
        if (i) fputs(" -> ", stdout);
        cli_put_clean(buf_str(&path), 0);
        buf_done(&path);
    }
    puts("");
    return 0;
}

int run_dry(const char *file, const char *parameters_file, const struct option_list *list)
{
    struct dry dry = {.number = 0};
    struct orch_error err = ORCH_ERROR_INIT;
    int r = definition_read(&dry.definition, file, &err), code = 0;
    if (!r && !dry.definition.workflow) code = cli_findings(&dry.definition.diags, dry.definition.text, file);
    if (!r && !code) {
        struct arena *arena = &dry.definition.arena;
        struct value given, parameters;
        struct diags *wrong = ARENA_NEW(arena, struct diags);
        r = wrong ? cli_given_parameters(parameters_file, list, arena, &given, &err) : error_memory(&err);
        if (!r) {
            diags_init(wrong, arena);
            r = workflow_parameters(dry.definition.workflow, given, true, arena, wrong, &parameters, &err);
            if (r && wrong->count) code = cli_findings(wrong, dry.definition.text, file);
        }
        if (!r) r = plan(&dry, parameters, &err);
    }
    dry.core = dry.core ? core_free(dry.core) : NULL;
    definition_done(&dry.definition);
    if (code) return code;
    return r ? cli_error(&err) : EXIT_OK;
}
