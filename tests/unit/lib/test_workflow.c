/*
 * test_workflow.c - workflows that are read or built, and what is wrong with them.
 */
#include "lib_test.h"

static int nothing(struct orch_call *call, void *user)
{
    (void)call;
    (void)user;
    return 0;
}

static const char *definition_of(struct orch_workflow *workflow, bool as_json)
{
    struct orch_str text;
    OK(orch_workflow_definition(workflow, as_json, &text, &lib_err));
    assert_int_equal(strlen(text.data), text.size);
    return text.data;
}

static void test_names(void **state)
{
    struct orch_workflow *workflow = new_workflow("names");
    orch_task task;
    (void)state;
    OK(orch_workflow_add_function(workflow, NULL, nothing, NULL, &task, &lib_err));
    assert_int_equal(0, task);
    OK(orch_workflow_add_function(workflow, "b-2", nothing, NULL, &task, &lib_err));
    assert_int_equal(1, task);
    static const struct {
        const char *name;
        int code;
    } bad[] = {{"b-2", ORCH_ERR_EXISTS},    {"", ORCH_ERR_INVALID},      {"2b", ORCH_ERR_INVALID},
               {"a b", ORCH_ERR_INVALID},   {"-a", ORCH_ERR_INVALID},    {"\xc3\xa4", ORCH_ERR_INVALID},
               {"task_1", ORCH_ERR_EXISTS}, {"task_99", ORCH_ERR_EXISTS}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        FAILS(bad[i].code, orch_workflow_add_function(workflow, bad[i].name, nothing, NULL, &task, &lib_err));
        assert_int_equal(1, task); /* untouched */
    }
    OK(orch_workflow_add_function(workflow, "task_3", nothing, NULL, &task, &lib_err)); /* its own number */
    OK(orch_workflow_add_function(workflow, "task_01", nothing, NULL, NULL, &lib_err));
    assert_int_equal(4, orch_workflow_count(workflow));
    OK(orch_workflow_find(workflow, "task_1", &task, &lib_err));
    assert_int_equal(0, task);
    OK(orch_workflow_find(workflow, "b-2", &task, &lib_err));
    assert_int_equal(1, task);
    FAILS(ORCH_ERR_NOT_FOUND, orch_workflow_find(workflow, "task_2", &task, &lib_err)); /* it has a name */
    FAILS(ORCH_ERR_NOT_FOUND, orch_workflow_find(workflow, "task_5", &task, &lib_err));
    assert_string_equal("names", orch_workflow_name(workflow));
    orch_workflow_free(workflow);
    FAILS(ORCH_ERR_MISUSE, orch_workflow_new("", NULL, &workflow, &lib_err));
    FAILS(ORCH_ERR_INVALID, orch_workflow_new("\xff", NULL, &workflow, &lib_err));
    assert_null(orch_workflow_free(NULL));
}

/* Everything that can be added, and the definition it becomes; read again, it becomes the same. */
static void test_definition(void **state)
{
    static const char expected[] = "name: all of it\n"
                                   "parameters:\n"
                                   "  day: {type: string, required: true}\n"
                                   "  any: {}\n"
                                   "timeout: 1h\n"
                                   "tasks:\n"
                                   "  first:\n"
                                   "    shell: echo \"$DAY\"\n"
                                   "    env: {DAY: \"{{ day }}\"}\n"
                                   "    retry: {max_attempts: 5, backoff: constant, delay: 250ms}\n"
                                   "    timeout: 1500ms\n"
                                   "  task_2:\n"
                                   "    depends_on: [first]\n"
                                   "    exec: [ls, -l]\n"
                                   "  task_3:\n"
                                   "    depends_on: [first]\n"
                                   "    script: {file: x.py, interpreter: python3}\n"
                                   "  sum:\n"
                                   "    depends_on: [task_2, task_3]\n"
                                   "    when: day != 'x'\n"
                                   "    transform: 1 + 1\n"
                                   "  call:\n"
                                   "    function: {name: f, parameters: {a: [1, two]}}\n"
                                   "  ask:\n"
                                   "    depends_on: [call, sum]\n"
                                   "    approval: Ship it?\n"
                                   "  fn:\n"
                                   "    function: c:fn\n"
                                   "    continue_on_error: true\n"
                                   "finally:\n"
                                   "  clean: {noop: {}}\n";
    struct orch_workflow *workflow = new_workflow("all of it"), *again;
    const char *const argv[] = {"ls", "-l", NULL};
    struct orch_retry retry = ORCH_RETRY_INIT;
    orch_task tasks[7];
    char *kept;
    (void)state;
    retry.attempts_max = 5;
    retry.delay_us = 250 * ORCH_MILLISECOND;
    retry.factor = 1;
    OK(orch_workflow_add_parameter(workflow, "day", "{type: string, required: true}", &lib_err));
    OK(orch_workflow_add_parameter(workflow, "any", NULL, &lib_err));
    OK(orch_workflow_set(workflow, "timeout", "1h", &lib_err));
    OK(orch_workflow_set(workflow, "finally", "{clean: {noop: {}}}", &lib_err));
    OK(orch_workflow_add_shell(workflow, "first", "echo \"$DAY\"", &tasks[0], &lib_err));
    OK(orch_workflow_set_env(workflow, tasks[0], "DAY", "{{ day }}", &lib_err));
    OK(orch_workflow_set_retry(workflow, tasks[0], &retry, &lib_err));
    OK(orch_workflow_set_timeout(workflow, tasks[0], 1500 * ORCH_MILLISECOND, &lib_err));
    OK(orch_workflow_add_exec(workflow, NULL, argv, &tasks[1], &lib_err));
    OK(orch_workflow_add_script(workflow, NULL, "x.py", "python3", &tasks[2], &lib_err));
    OK(orch_workflow_add_transform(workflow, "sum", "1 + 1", &tasks[3], &lib_err));
    OK(orch_workflow_set_when(workflow, tasks[3], "day != 'x'", &lib_err));
    OK(orch_fan_out_fan_in(workflow, tasks[0], tasks + 1, 2, tasks[3], &lib_err));
    OK(orch_workflow_depend(workflow, tasks[3], tasks[1], &lib_err)); /* said twice */
    OK(orch_workflow_add_call(workflow, "call", "f", "{a: [1, two]}", &tasks[4], &lib_err));
    OK(orch_workflow_add_task(workflow, "ask", "{approval: 'Ship it?', depends_on: call}", &tasks[5], &lib_err));
    OK(orch_workflow_depend(workflow, tasks[5], tasks[3], &lib_err));
    OK(orch_workflow_add_function(workflow, "fn", nothing, NULL, &tasks[6], &lib_err));
    OK(orch_workflow_set_task(workflow, tasks[6], "continue_on_error", "true", &lib_err));
    OK(orch_workflow_check(workflow, NULL, NULL, &lib_err));
    assert_string_equal(expected, definition_of(workflow, false));
    kept = strdup(definition_of(workflow, true));
    again = parsed(kept);
    assert_int_equal(7, orch_workflow_count(again));
    OK(orch_workflow_find(again, "sum", &tasks[0], &lib_err));
    assert_int_equal(3, tasks[0]);
    assert_string_equal(expected, definition_of(again, false));
    assert_string_equal(kept, definition_of(again, true));
    FAILS(ORCH_ERR_STATE, orch_workflow_add_shell(again, NULL, "true", NULL, &lib_err));
    free(kept);
    orch_workflow_free(workflow);
    orch_workflow_free(again);
}

static void test_wrong(void **state)
{
    struct orch_workflow *workflow = new_workflow("wrong");
    struct orch_retry retry = ORCH_RETRY_INIT;
    orch_task a, b;
    (void)state;
    OK(orch_workflow_add_function(workflow, "a", nothing, NULL, &a, &lib_err));
    OK(orch_workflow_add_shell(workflow, "b", "true", &b, &lib_err));
    FAILS(ORCH_ERR_CYCLE, orch_workflow_depend(workflow, a, a, &lib_err));
    FAILS(ORCH_ERR_NOT_FOUND, orch_workflow_depend(workflow, a, 2, &lib_err));
    FAILS(ORCH_ERR_NOT_FOUND, orch_workflow_set_when(workflow, ORCH_NO_TASK, "true", &lib_err));
    FAILS(ORCH_ERR_MISUSE, orch_workflow_add_function(workflow, NULL, NULL, NULL, NULL, &lib_err));
    FAILS(ORCH_ERR_MISUSE, orch_workflow_add_shell(workflow, NULL, NULL, NULL, &lib_err));
    FAILS(ORCH_ERR_INVALID, orch_workflow_add_shell(workflow, NULL, "\xff", NULL, &lib_err));
    FAILS(ORCH_ERR_INVALID, orch_workflow_add_task(workflow, NULL, "a list?: [", NULL, &lib_err));
    FAILS(ORCH_ERR_INVALID, orch_workflow_add_task(workflow, NULL, "just text", NULL, &lib_err));
    FAILS(ORCH_ERR_INVALID, orch_workflow_add_call(workflow, NULL, "f", "{a: 1, a: 2}", NULL, &lib_err));
    FAILS(ORCH_ERR_INVALID, orch_workflow_set_timeout(workflow, b, 0, &lib_err));
    retry.jitter = 2;
    FAILS(ORCH_ERR_INVALID, orch_workflow_set_retry(workflow, b, &retry, &lib_err));
    retry.size = 3;
    FAILS(ORCH_ERR_MISUSE, orch_workflow_set_retry(workflow, b, &retry, &lib_err));
    OK(orch_workflow_set_retry(workflow, b, NULL, &lib_err));
    FAILS(ORCH_ERR_EXISTS, orch_workflow_set_retry(workflow, b, NULL, &lib_err));
    OK(orch_workflow_set_env(workflow, b, "X", "1", &lib_err));
    FAILS(ORCH_ERR_EXISTS, orch_workflow_set_env(workflow, b, "X", "2", &lib_err));
    FAILS(ORCH_ERR_EXISTS, orch_workflow_set_task(workflow, b, "env", "{Y: 1}", &lib_err));
    FAILS(ORCH_ERR_INVALID, orch_workflow_set_task(workflow, b, "depends_on", "[a]", &lib_err));
    FAILS(ORCH_ERR_INVALID, orch_workflow_set(workflow, "tasks", "{}", &lib_err));
    OK(orch_workflow_add_parameter(workflow, "p", NULL, &lib_err));
    FAILS(ORCH_ERR_EXISTS, orch_workflow_add_parameter(workflow, "p", NULL, &lib_err));
    assert_int_equal(2, orch_workflow_count(workflow));
    OK(orch_workflow_check(workflow, NULL, NULL, &lib_err));
    OK(orch_workflow_depend(workflow, a, b, &lib_err));
    OK(orch_workflow_depend(workflow, b, a, &lib_err));
    FAILS(ORCH_ERR_CYCLE, orch_workflow_check(workflow, NULL, NULL, &lib_err));
    assert_non_null(strstr(lib_err.message, "a -> b"));
    orch_workflow_free(workflow);
}

/* A cycle of plain functions is found at the start, told with its tasks, and leaves the workflow as it was. */
static void test_cycle(void **state)
{
    struct orch_engine *engine = memory_engine();
    struct orch_workflow *workflow = new_workflow("round");
    struct orch_execution *execution = NULL;
    orch_task tasks[4];
    (void)state;
    for (int i = 0; i < 4; i++) OK(orch_workflow_add_function(workflow, NULL, nothing, NULL, &tasks[i], &lib_err));
    OK(orch_chain(workflow, tasks, 4, &lib_err));
    OK(orch_workflow_depend(workflow, tasks[1], tasks[3], &lib_err));
    FAILS(ORCH_ERR_CYCLE, orch_execution_start(engine, workflow, NULL, &execution, &lib_err));
    assert_non_null(strstr(lib_err.message, "task_2 -> task_3"));
    assert_null(execution);
    OK(orch_workflow_add_function(workflow, NULL, nothing, NULL, NULL, &lib_err)); /* not frozen */
    orch_workflow_free(workflow);
    orch_engine_close(engine);
}

static int findings_count;
static char findings[2000];

static void on_finding(void *user, const struct orch_finding *finding)
{
    size_t size = strlen(findings);
    assert_ptr_equal(&findings_count, user);
    findings_count++;
    snprintf(findings + size, sizeof findings - size, "%s %u:%u %s|%s\n", finding->code, finding->line, finding->column,
             finding->message.data, finding->help.data);
    assert_int_equal(finding->code[0] == 'W', finding->is_warning);
}

static void test_findings(void **state)
{
    struct orch_workflow *workflow = NULL;
    (void)state;
    findings_count = 0;
    findings[0] = '\0';
    FAILS(ORCH_ERR_DEPENDENCY,
          orch_workflow_parse("parameters: {unused: {}}\ntasks:\n  a: {shell: x, depends_on: bb}\n  b: {shel: y}\n",
                              SIZE_MAX, "w.yaml", on_finding, &findings_count, &workflow, &lib_err));
    assert_null(workflow);
    if (findings_count < 2) fail_msg("%s", findings);
    assert_string_equal("w.yaml", lib_err.file);
    assert_int_equal(3, lib_err.line);
    assert_non_null(strstr(findings, "E0107 3:29 unknown task \"bb\" in depends_on|did you mean \"b\" (line 4)?"));
    assert_non_null(strstr(findings, "E0101 4:7"));
    findings[0] = '\0';
    OK(orch_workflow_parse("parameters: {unused: {}}\ntasks: {a: {noop: {}}}", SIZE_MAX, NULL, on_finding,
                           &findings_count, &workflow, &lib_err));
    assert_int_equal('W', findings[0]);
    orch_workflow_free(workflow);
    workflow = NULL;
    FAILS(ORCH_ERR_INVALID, orch_workflow_parse("tasks: [", SIZE_MAX, NULL, NULL, NULL, &workflow, &lib_err));
    FAILS(ORCH_ERR_NOT_FOUND, orch_workflow_load("/nowhere/x.yaml", NULL, NULL, &workflow, &lib_err));
    OK(orch_workflow_parse("tasks: {a: {noop: {}}}garbage", 22, "dir/some.yaml", NULL, NULL, &workflow, &lib_err));
    assert_string_equal("some", orch_workflow_name(workflow));
    orch_workflow_free(workflow);
}

/* An allocator of one's own has everything given back, and may fail. */
static size_t allocated, allocations_left;

static void *resize(void *user, void *block, size_t size_old, size_t size_new)
{
    assert_ptr_equal(&allocated, user);
    if (size_new == 0) {
        allocated -= size_old;
        free(block);
        return NULL;
    }
    if (size_new > size_old && allocations_left-- == 0) {
        allocations_left = 0;
        return NULL;
    }
    void *grown = realloc(block, size_new);
    assert_non_null(grown);
    allocated += size_new - size_old;
    return grown;
}

static int build(struct orch_workflow *workflow)
{
    orch_task tasks[100];
    struct orch_error err = ORCH_ERROR_INIT;
    char name[16];
    int r = 0;
    for (int i = 0; i < 100 && !r; i++) {
        snprintf(name, sizeof name, "n%d", i);
        r = orch_workflow_add_function(workflow, i % 3 ? name : NULL, nothing, NULL, &tasks[i], &err);
    }
    if (!r) r = orch_chain(workflow, tasks, 100, &err);
    if (!r) r = orch_workflow_set_retry(workflow, tasks[50], NULL, &err);
    if (!r) r = orch_workflow_check(workflow, NULL, NULL, &err);
    assert_int_equal(r, err.code);
    return r;
}

static void test_allocator(void **state)
{
    const struct orch_allocator allocator = {resize, &allocated};
    (void)state;
    for (size_t points = 0;; points++) {
        struct orch_workflow *workflow = NULL;
        allocations_left = points;
        int r = orch_workflow_new("mine", &allocator, &workflow, NULL);
        if (!r) r = build(workflow);
        if (r) assert_int_equal(ORCH_ERR_NO_MEMORY, r);
        orch_workflow_free(workflow);
        assert_int_equal(0, allocated);
        if (!r) break;
        assert_true(points < 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names),    cmocka_unit_test(test_definition),
                                       cmocka_unit_test(test_wrong),    cmocka_unit_test(test_cycle),
                                       cmocka_unit_test(test_findings), cmocka_unit_test(test_allocator)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
