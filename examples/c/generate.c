/*
 * generate.c - a workflow made by a program and written as a definition: `orch run` runs it, `orch graph` draws it.
 *
 *   ./generate a.txt b.txt >count.yaml && orch run count.yaml
 */
#include <orch/orch.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct orch_workflow *workflow = NULL;
    struct orch_str text;
    orch_task all = ORCH_NO_TASK, task;
    char name[32], expression[4000] = "0";
    size_t size = 1;
    int r = orch_workflow_new("count lines", NULL, &workflow, &err);

    for (int i = 1; i < argc && i < 100 && !r; i++) {
        snprintf(name, sizeof name, "count_%d", i);
        r = orch_workflow_add_shell(workflow, name, "wc -l <\"$FILE\"", &task, &err);
        if (!r) r = orch_workflow_set_env(workflow, task, "FILE", argv[i], &err);
        size += (size_t)snprintf(expression + size, sizeof expression - size, " + %s.output", name);
    }
    if (!r) r = orch_workflow_add_transform(workflow, "all", expression, &all, &err);
    for (task = 0; task < all && !r; task++) r = orch_workflow_depend(workflow, all, task, &err);
    if (!r) r = orch_workflow_set(workflow, "output", "'{{ all.output }}'", &err);
    if (!r) r = orch_workflow_definition(workflow, false, &text, &err);
    if (!r) fputs(text.data, stdout);
    if (r) fprintf(stderr, "generate: %s\n", err.message);
    orch_workflow_free(workflow);
    return r ? 1 : 0;
}
