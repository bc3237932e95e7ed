/*
 * init.c - orch init: a project from a template that the program brings along.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

struct template_file {
    const char *template, *file, *summary;
    const unsigned char *data;
    size_t size;
    unsigned mode;
    bool is_main;
};
#include "cli/templates_table.h"

#define FILES (sizeof template_files / sizeof *template_files)

static void list_templates(void)
{
    for (size_t i = 0; i < FILES; i++)
        if (template_files[i].is_main) printf("  %-14s %s\n", template_files[i].template, template_files[i].summary);
    puts("\nnext: orch init hello");
}

static int unknown(const char *name)
{
    struct orch_str names[FILES];
    struct orch_error err = ORCH_ERROR_INIT;
    for (size_t i = 0; i < FILES; i++) names[i] = str_from(template_files[i].template);
    struct orch_str near = str_nearest(str_from(name), names, FILES);
    error_set(&err, ORCH_ERR_NOT_FOUND, "there is no template \"%s\"", name);
    if (near.size) error_hint(&err, "did you mean \"%.*s\"?", STR_ARG(near));
    else error_hint(&err, "orch init  lists them");
    return cli_error(&err);
}

/* Nothing that is there is touched: all is looked at first, and each file is made anew or not at all. */
static int make(const char *name, const char *folder, struct orch_error *err)
{
    char path[4096];
    struct stat info;
    for (size_t i = 0; i < FILES; i++) {
        if (strcmp(template_files[i].template, name) != 0) continue;
        if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, template_files[i].file) >= sizeof path)
            return error_set(err, ORCH_ERR_USAGE, "the folder's name is too long");
        if (lstat(path, &info) == 0) {
            error_set(err, ORCH_ERR_STATE, "%s is there already; nothing was written", path);
            error_hint(err, "name another folder: orch init %s DIR", name);
            return ORCH_ERR_STATE;
        }
    }
    if (mkdir(folder, 0777) && errno != EEXIST) return error_errno(err, errno, "cannot make the folder %s", folder);
    for (size_t i = 0; i < FILES; i++) {
        const struct template_file *file = &template_files[i];
        if (strcmp(file->template, name) != 0) continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, file->file);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, file->mode | 0200);
        if (fd < 0) return error_errno(err, errno, "cannot write %s", path);
        size_t at = 0;
        while (at < file->size) {
            ssize_t n = write(fd, file->data + at, file->size - at);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) break;
            at += (size_t)n;
        }
        if (at < file->size || close(fd)) return error_errno(err, errno, "cannot write %s", path);
        printf("made  %s\n", path);
    }
    return 0;
}

int cli_init(int argc, char **argv)
{
    const struct cli_usage usage = {.verb = "init",
                                    .arguments = "[TEMPLATE] [DIR]",
                                    .summary = "Makes a project from a template, in a folder named like it or in DIR; without one, lists them. Nothing is overwritten",
                                    .examples = "  orch init                what there is\n  orch init hello          in ./hello\n  orch init etl .          here",
                                    .positionals_max = 2};
    int count, r = cli_parse(&usage, argc, argv, &count);
    if (r >= 0) return r;
    struct orch_error err = ORCH_ERROR_INIT;
    if (!count) {
        list_templates();
        return EXIT_OK;
    }
    for (size_t i = 0; i < FILES; i++)
        if (template_files[i].is_main && strcmp(template_files[i].template, argv[1]) == 0) {
            const char *folder = count > 1 ? argv[2] : argv[1];
            if (make(argv[1], folder, &err)) return cli_error(&err);
            printf("next: orch run %s%s%s\n", strcmp(folder, ".") == 0 ? "" : folder, strcmp(folder, ".") == 0 ? "" : "/", template_files[i].file);
            return EXIT_OK;
        }
    return unknown(argv[1]);
}
