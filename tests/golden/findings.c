/*
 * findings.c - reads a definition and prints its findings, as `orch validate FILE` does: what the golden messages are
 * compared with, so that the comparison needs no more than the language.
 */
#include <stdio.h>

#include "lang/model.h"
#include "sys/file.h"

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
