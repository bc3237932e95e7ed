/*
 * definition.c - a definition's file, read for a verb.
 */
#include "cli/definition.h"

#include <errno.h>
#include <unistd.h>

#include "base/error.h"
#include "sys/file.h"

#define FILE_SIZE_MAX ((size_t)1 << 30)

int definition_read(struct definition *definition, const char *file, struct orch_error *err)
{
    definition->file = file;
    definition->workflow = NULL;
    definition->text = STR_NONE;
    arena_init(&definition->arena, NULL, 0);
    diags_init(&definition->diags, &definition->arena);
    int r = strcmp(file, "-") == 0 ? file_read_fd(STDIN_FILENO, "standard input", FILE_SIZE_MAX, &definition->arena,
                                                  &definition->text, err)
                                   : file_read(file, FILE_SIZE_MAX, &definition->arena, &definition->text, err);
    if (r) return r;
    r = workflow_read(definition->text, str_from(file), &definition->arena, &definition->diags, &definition->workflow);
    if (r == ORCH_ERR_NO_MEMORY) return error_memory(err);
    if (r) definition->workflow = NULL;
    return 0;
}

void definition_done(struct definition *definition)
{
    arena_done(&definition->arena);
}

int definition_print(const struct buf *out)
{
    struct orch_error err = ORCH_ERROR_INIT;
    if (out->failed) {
        (void)error_memory(&err);
        return cli_error(&err);
    }
    size_t written = out->size > 0 ? fwrite(out->data, 1, out->size, stdout) : 0;
    if (written == out->size && fflush(stdout) == 0) return EXIT_OK;
    (void)error_errno(&err, errno, "cannot write the output");
    return cli_error(&err);
}
