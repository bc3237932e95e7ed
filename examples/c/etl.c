/*
 * etl.c - fetch, transform, report: three C functions, each with what the one before it gave; the second is tried again
 * when it fails.
 *
 *   cc etl.c $(pkg-config --cflags --libs orch) -o etl && ./etl
 */
#include <orch/orch.h>

#include <stdio.h>

static int fetch(struct orch_call *call, void *user)
{
    (void)user;
    return orch_call_set_int(call, "users", 150);
}

static int transform(struct orch_call *call, void *user)
{
    int64_t users;
    int r = orch_call_get_int(call, "fetch.output.users", &users);
    (void)user;
    if (r)
        return orch_call_fail(call, ORCH_ERR_INVALID, "no users were fetched"); /* would fail again: not tried again */
    if (orch_call_attempt(call) == 1) return orch_call_fail(call, ORCH_ERR_UNAVAILABLE, "the warehouse sleeps");
    orch_call_log(call, "%lld users, at the second try", (long long)users);
    return orch_call_set_int(call, "users", users * 2);
}

static int report(struct orch_call *call, void *user)
{
    struct orch_str result;
    (void)user;
    if (orch_call_get_json(call, "transform.output", &result))
        return orch_call_fail(call, ORCH_ERR_INVALID, "nothing to report");
    return orch_call_set_json(call, NULL, result.data);
}

static void show_line(void *user, const struct orch_log_line *line)
{
    (void)user;
    printf("%s: %s\n", line->task.data, line->line.data);
}

int main(void)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct orch_engine_options options = ORCH_ENGINE_OPTIONS_INIT;
    struct orch_retry retry = ORCH_RETRY_INIT;
    struct orch_summary summary = ORCH_SUMMARY_INIT;
    struct orch_engine *engine = NULL;
    struct orch_workflow *workflow = NULL;
    struct orch_execution *execution = NULL;
    struct orch_str output;
    orch_task tasks[3];
    int r;

    options.on_log = show_line;
    retry.attempts_max = 3;
    retry.delay_us = 10 * ORCH_MILLISECOND;
    r = orch_engine_open(NULL, &options, &engine, &err); /* a path instead of NULL: it survives crashes */
    if (!r) r = orch_workflow_new("etl", NULL, &workflow, &err);
    if (!r) r = orch_workflow_add_function(workflow, "fetch", fetch, NULL, &tasks[0], &err);
    if (!r) r = orch_workflow_add_function(workflow, "transform", transform, NULL, &tasks[1], &err);
    if (!r) r = orch_workflow_add_function(workflow, "report", report, NULL, &tasks[2], &err);
    if (!r) r = orch_workflow_set_retry(workflow, tasks[1], &retry, &err);
    if (!r) r = orch_chain(workflow, tasks, 3, &err);
    if (!r) r = orch_execution_run(engine, workflow, NULL, &execution, &err);
    if (!r) r = orch_execution_get_summary(execution, &summary, &err);
    if (!r) r = orch_execution_get_output(execution, &output, &err);
    if (!r)
        printf("%s, %u of %u tasks: %s\n", orch_execution_state_name(summary.state), summary.tasks_succeeded,
               summary.tasks_total, output.data);
    if (r) fprintf(stderr, "etl: %s\n", err.message);
    orch_execution_free(execution);
    orch_workflow_free(workflow);
    orch_engine_close(engine);
    return r ? 1 : 0;
}
