/*
 * lib_test.h - for tests of the library: through the public header only, as any program would.
 */
#ifndef LIB_TEST_H
#define LIB_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <orch/orch.h>

#define OK(call)          (lib_test_clear(), lib_test_ok((call), #call, __FILE__, __LINE__))
#define FAILS(code, call) (lib_test_clear(), lib_test_fails((code), (call), #call, __FILE__, __LINE__))

static struct orch_error lib_err;

static inline void lib_test_clear(void)
{
    lib_err = (struct orch_error)ORCH_ERROR_INIT;
}

static inline void lib_test_ok(int got, const char *what, const char *file, int line)
{
    if (got) fail_msg("%s:%d: %s: %s: %s", file, line, what, orch_error_name(got), lib_err.message);
}

static inline void lib_test_fails(int wanted, int got, const char *what, const char *file, int line)
{
    if (wanted != got)
        fail_msg("%s:%d: %s: %s, not %s: %s", file, line, what, orch_error_name(got), orch_error_name(wanted),
                 lib_err.message);
    if (lib_err.code != wanted || !lib_err.message[0]) fail_msg("%s:%d: %s: no message", file, line, what);
}

static inline struct orch_engine *memory_engine(void)
{
    struct orch_engine *engine;
    OK(orch_engine_open(NULL, NULL, &engine, &lib_err));
    return engine;
}

static inline struct orch_workflow *new_workflow(const char *name)
{
    struct orch_workflow *workflow;
    OK(orch_workflow_new(name, NULL, &workflow, &lib_err));
    return workflow;
}

static inline struct orch_workflow *parsed(const char *text)
{
    struct orch_workflow *workflow;
    OK(orch_workflow_parse(text, SIZE_MAX, NULL, NULL, NULL, &workflow, &lib_err));
    return workflow;
}

/* A task by its path. Texts until the next one. */
static inline struct orch_task_result result_of(struct orch_execution *execution, const char *path)
{
    struct orch_task_result result = ORCH_TASK_RESULT_INIT;
    orch_task task;
    OK(orch_execution_find_task(execution, path, &task, &lib_err));
    OK(orch_execution_get_task(execution, task, &result, &lib_err));
    return result;
}

static inline const char *output_of(struct orch_execution *execution)
{
    struct orch_str output;
    OK(orch_execution_get_output(execution, &output, &lib_err));
    assert_int_equal(strlen(output.data), output.size);
    return output.data;
}

/* A folder of its own, below the build's. */
static inline char *temporary_folder(char room[64])
{
    snprintf(room, 64, "/tmp/orch-lib-test-XXXXXX");
    assert_non_null(mkdtemp(room));
    return room;
}

static inline void remove_folder(const char *folder)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(0, system(command));
}

#endif
