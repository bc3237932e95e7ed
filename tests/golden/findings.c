/*
 * findings.c - reads a definition and prints its findings, as `orch validate FILE` does: what the golden messages are
 * compared with, so that the comparison needs no more than the language.
 */
#include <stdio.h>

#include "lang/model.h"
#include "sys/file.h"

static void add_count(uint32_t count, const char *what)
{
    printf(", %u %s%s", count, what, count == 1 ? "" : "s");
}

static bool say_ok(const struct workflow *workflow, uint32_t warnings)
{
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    struct analysis analysis;
    int rc = workflow_analyze(workflow, &scratch, &analysis, NULL);
    arena_done(&scratch);
    if (rc < 0) return false;
    printf("ok: %.*s", STR_ARG(workflow->name));
    add_count(analysis.task_count, "task");
    if (workflow->parameters_count > 0) add_count(workflow->parameters_count, "parameter");
    if (warnings > 0) add_count(warnings, "warning");
    return putchar('\n') != EOF;
}

static int show(const char *file, struct arena *arena)
{
    struct orch_str text;
    struct orch_error err = ORCH_ERROR_INIT;
    int rc = file_read(file, (size_t)1 << 30, arena, &text, &err);
    if (rc < 0) {
        fprintf(stderr, "error[%s]: %s\n", orch_error_name(rc), err.message);
        return orch_error_exit_code(rc);
    }
    struct diags diags;
    diags_init(&diags, arena);
    const struct workflow *workflow = NULL;
    rc = workflow_read(text, str_from(file), arena, &diags, &workflow);
    diags_sort(&diags);
    struct buf out;
    buf_init(&out, NULL, 0);
    diags_render(&diags, text, str_from(file), NULL, &out);
    if (rc == 0 && !say_ok(workflow, diags.warning_count)) return 13;
    bool written = out.size == 0 || fwrite(out.data, 1, out.size, stderr) == out.size;
    buf_done(&out);
    return written && !out.failed ? orch_error_exit_code(rc) : 13;
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2; /* validate FILE */
    struct arena arena;
    arena_init(&arena, NULL, 0);
    int exit_code = show(argv[2], &arena);
    arena_done(&arena);
    return exit_code;
}
