/*
 * lib.c - out of memory in the library: workflows built and read, run on the lane and with a history, looked at, run
 * again.
 *
 * Each call answers what it answers when nothing fails, or that memory is short; a task may fail of it instead, and
 * says so.
 */
#include "oom.h"

struct kind {
    bool history, is_text;
};

static int give(struct orch_call *call, void *user)
{
    int r = orch_call_set_int(call, "n", (int64_t)(size_t)user);
    if (!r) r = orch_call_set_string(call, "text", "some of it", SIZE_MAX);
    orch_call_log(call, "two\nlines");
    return r ? orch_call_fail(call, r, "out of memory") : 0;
}

static int take(struct orch_call *call, void *user)
{
    int64_t n = 0;
    struct orch_str key = orch_call_key(call);
    (void)user;
    int r = orch_call_get_int(call, "a.output.n", &n);
    if (r) return orch_call_fail(call, r, "nothing given");
    bool is_first = key.size && key.data[key.size - 1] == '0';
    if (is_first) return orch_call_fail(call, ORCH_ERR_INVALID, "not at first");
    return orch_call_set_int(call, NULL, n + 1);
}

static void on_log(void *user, const struct orch_log_line *line)
{
    (void)user;
    OOM_CHECK(line->task.data && line->line.data);
}

static int build(const struct kind *kind, struct orch_workflow **ret, struct orch_error *err)
{
    if (kind->is_text)
        return orch_workflow_parse("name: t\nparameters: {p: {default: 3}}\ntasks:\n"
                                   "  a: {transform: '{\"n\": params.p}'}\n"
                                   "  b: {depends_on: a, function: give}\n"
                                   "  c: {depends_on: b, for_each: {in: [1, 2], as: i}, transform: i + a.output.n}\n",
                                   SIZE_MAX, "t.yaml", NULL, NULL, ret, err);
    struct orch_workflow *workflow;
    struct orch_str text;
    int r = orch_workflow_new("built", NULL, &workflow, err);
    if (r) return r;
    r = orch_workflow_add_function(workflow, "a", give, (void *)7, NULL, err);
    for (int i = 0; i < 40 && !r; i++) r = orch_workflow_add_function(workflow, NULL, give, NULL, NULL, err);
    if (!r) r = orch_workflow_add_function(workflow, "b", take, NULL, NULL, err);
    for (orch_task i = 1; i < 42 && !r; i++) r = orch_workflow_depend(workflow, i, 0, err);
    if (!r) r = orch_workflow_depend(workflow, 3, 9, err); /* not in order */
    if (!r) r = orch_workflow_definition(workflow, true, &text, err);
    if (r)
        (void)orch_workflow_free(workflow);
    else
        *ret = workflow;
    return r;
}

static int look(struct orch_execution *execution, uint64_t *digest, struct orch_error *err)
{
    struct orch_summary summary = ORCH_SUMMARY_INIT;
    struct orch_task_result result = ORCH_TASK_RESULT_INIT;
    struct orch_str output;
    int r = orch_execution_get_summary(execution, &summary, err);
    if (!r) r = orch_execution_get_output(execution, &output, err);
    if (!r) digest_str(digest, output);
    for (orch_task i = 0; !r && i < orch_execution_count(execution); i++) {
        r = orch_execution_get_task(execution, i, &result, err);
        if (!r) digest_number(digest, (uint64_t)result.state);
        if (!r) digest_str(digest, result.path);
    }
    return r;
}

static int run(const void *arg, uint64_t *digest)
{
    const struct kind *kind = arg;
    struct orch_error err = ORCH_ERROR_INIT;
    struct orch_engine_options options = ORCH_ENGINE_OPTIONS_INIT;
    struct orch_start_options start = ORCH_START_OPTIONS_INIT;
    struct orch_engine *engine = NULL;
    struct orch_workflow *workflow = NULL;
    struct orch_execution *execution = NULL;
    options.threads = 1;
    options.on_log = on_log;
    start.history = kind->history;
    start.by = "somebody";
    int r = orch_engine_open(NULL, &options, &engine, &err);
    if (!r) r = orch_engine_add_function(engine, "give", give, NULL, &err);
    if (!r) r = build(kind, &workflow, &err);
    if (!r) r = orch_execution_run(engine, workflow, &start, &execution, &err);
    if (r == ORCH_ERR_TASK_FAILED && execution) {
        r = orch_execution_retry(execution, NULL, &err);
        if (!r) r = orch_execution_wait(execution, ORCH_TIME_NEVER, &err);
        if (!r) r = orch_execution_result(execution, &err);
    }
    if (!r) r = look(execution, digest, &err);
    OOM_CHECK(!r || err.message[0]);
    (void)orch_execution_free(execution);
    (void)orch_workflow_free(workflow);
    (void)orch_engine_close(engine);
    /* What memory was short for may be a task, a thread, or the engine as a whole. */
    if (fail_has_failed() && (r == ORCH_ERR_TASK_FAILED || r == ORCH_ERR_OVERLOADED || r == ORCH_ERR_STATE))
        r = ORCH_ERR_NO_MEMORY;
    return r;
}

int main(int argc, char **argv)
{
    static const struct kind lane = {false, false}, usual = {true, false}, text = {true, true};
    static const struct oom_scenario scenarios[] = {
        {.group = "library, lane", .name = "lane", .run = run, .arg = &lane, .has_threads = true, .may_differ = true},
        {.group = "library, with a history",
         .name = "usual",
         .run = run,
         .arg = &usual,
         .has_threads = true,
         .may_differ = true},
        {.group = "library, from text",
         .name = "text",
         .run = run,
         .arg = &text,
         .has_threads = true,
         .may_differ = true},
    };
    return oom_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
}
