/*
 * fmt.c - `orch fmt`: definitions in normal form.
 */
#include <sys/stat.h>

#include "base/error.h"
#include "cli/definition.h"
#include "lang/doc.h"
#include "sys/file.h"

struct formatting {
    bool json, check, write, force;
    struct buf out;  /* for stdout */
    struct buf text; /* of one file */
    bool differs;    /* with --check: a file is not in normal form */
};

static bool is_json(const struct definition *definition)
{
    struct orch_str text = str_trim(definition->text);
    return str_ends_with(str_from(definition->file), STR(".json")) || (text.size && text.data[0] == '{');
}

static int write_back(const struct formatting *formatting, const struct definition *definition, bool lost,
                      struct orch_error *err)
{
    struct stat status;
    if (lost && !formatting->force) {
        (void)error_set(err, ORCH_ERR_INVALID, "%s has comments, which would be lost", definition->file);
        error_hint(err, "leave out -w to print it; orch fmt -w --force writes it without its comments");
        return err->code;
    }
    unsigned mode = stat(definition->file, &status) == 0 ? (unsigned)status.st_mode & 0777 : 0644;
    return file_replace(definition->file, buf_str(&formatting->text), mode, err);
}

/* The normal form in formatting->text. *ret_lost: the file has comments that are not in it. */
static int print_normal(struct formatting *formatting, struct definition *definition, bool json, bool *ret_lost,
                        struct orch_error *err)
{
    uint32_t comments = 0;
    buf_clear(&formatting->text);
    *ret_lost = false;
    if (!json) {
        int r = workflow_format_commented(definition->workflow, definition->text, &formatting->text, NULL, err);
        if (r != ORCH_ERR_UNSUPPORTED) return r;
        *ret_lost = true;
    } else if (!is_json(definition)) {
        const struct doc_comment *list;
        if (doc_comments(definition->text, &definition->arena, &list, &comments)) return error_memory(err);
        *ret_lost = comments > 0;
    }
    return workflow_format(definition->workflow, json, &formatting->text, err);
}

static int format(struct formatting *formatting, struct definition *definition, struct orch_error *err)
{
    /* What is written back, or compared, stays what it is: YAML or JSON. */
    bool json = formatting->json || ((formatting->write || formatting->check) && is_json(definition));
    bool lost;
    int r = print_normal(formatting, definition, json, &lost, err);
    if (r) return r;
    if (!formatting->write && !formatting->check) {
        if (lost) cli_note(NULL, "the comments of %s are not carried over", definition->file);
        buf_add(&formatting->out, buf_str(&formatting->text));
        return 0;
    }
    if (str_equal(buf_str(&formatting->text), definition->text)) return 0;
    if (formatting->check) {
        buf_printf(&formatting->out, "%s\n", definition->file);
        formatting->differs = true;
    }
    return formatting->write ? write_back(formatting, definition, lost, err) : 0;
}

static int format_file(struct formatting *formatting, const char *file)
{
    struct definition definition;
    struct orch_error err = ORCH_ERROR_INIT;
    int exit_code = EXIT_OK;
    int r = definition_read(&definition, file, &err);
    if (!r && !definition.workflow)
        exit_code = cli_findings(&definition.diags, definition.text, file);
    else if (!r)
        r = format(formatting, &definition, &err);
    if (r) exit_code = cli_error(&err);
    definition_done(&definition);
    return exit_code;
}

static int check_usage(const struct formatting *formatting, int files, char **argv, struct orch_error *err)
{
    if (files > 1 && !formatting->write && !formatting->check) {
        (void)error_set(err, ORCH_ERR_USAGE, "one file at a time is printed");
        error_hint(err, "add --check to compare several, -w to write them");
        return err->code;
    }
    for (int i = 1; i <= files; i++) {
        if (!formatting->write || strcmp(argv[i], "-") != 0) continue;
        (void)error_set(err, ORCH_ERR_USAGE, "the standard input cannot be written back");
        error_hint(err, "leave out -w");
        return err->code;
    }
    return 0;
}

int cli_fmt(int argc, char **argv)
{
    struct formatting formatting = {0};
    const struct cli_option options[] = {
        {.name = "json", .kind = OPTION_FLAG, .target = &formatting.json, .help = "indented JSON instead of YAML"},
        {.name = "check",
         .kind = OPTION_FLAG,
         .target = &formatting.check,
         .help = "name the files that are not in normal form; exit 1 when there are any"},
        {.name = "write",
         .letter = 'w',
         .kind = OPTION_FLAG,
         .target = &formatting.write,
         .help = "write the files back, as YAML or JSON as they are, comments and all"},
        {.name = "force",
         .kind = OPTION_FLAG,
         .target = &formatting.force,
         .help = "with -w: also where comments would be lost, as in JSON"},
        {.name = NULL},
    };
    const struct cli_usage usage = {
        .verb = "fmt",
        .arguments = "FILE...",
        .summary = "Prints a definition in normal form: our spelling and order of keys; - is the standard input",
        .examples = "orch fmt etl.yaml\n"
                    "orch fmt --json etl.yaml\n"
                    "orch fmt --check *.yaml\n"
                    "orch fmt -w etl.yaml",
        .options = options,
        .positionals_min = 1,
        .positionals_max = UINT32_MAX,
    };
    int positionals;
    int exit_code = cli_parse(&usage, argc, argv, &positionals);
    if (exit_code >= 0) return exit_code;
    struct orch_error err = ORCH_ERROR_INIT;
    if (check_usage(&formatting, positionals, argv, &err)) return cli_error(&err);

    buf_init(&formatting.out, NULL, 0);
    buf_init(&formatting.text, NULL, 0);
    exit_code = EXIT_OK;
    for (int i = 1; i <= positionals; i++) {
        int code = format_file(&formatting, argv[i]);
        if (exit_code == EXIT_OK) exit_code = code;
    }
    int print_code = definition_print(&formatting.out);
    buf_done(&formatting.out);
    buf_done(&formatting.text);
    if (exit_code == EXIT_OK) exit_code = print_code;
    return exit_code == EXIT_OK && formatting.differs ? 1 : exit_code;
}
