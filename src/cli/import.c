/*
 * import.c - `orch import`: a definition made of another tool's file, and what did not carry over.
 */
#include <unistd.h>

#include "base/error.h"
#include "cli/definition.h"
#include "lang/import.h"
#include "sys/file.h"

#define SIZE_MAX_IN (UINT64_C(512) * 1024 * 1024)

struct importing {
    const char *format, *tasks, *scale, *output;
    bool json, force;
    struct import_options options;
    struct arena arena;
    struct buf made; /* JSON as the importer writes it */
    struct buf text; /* the normal form of that */
    struct import_result result;
};

static int read_options(struct importing *importing, struct orch_error *err)
{
    if (strcmp(importing->tasks, "noop") == 0)
        importing->options.tasks = IMPORT_NOOP;
    else if (strcmp(importing->tasks, "command") == 0)
        importing->options.tasks = IMPORT_COMMAND;
    else
        importing->options.tasks = IMPORT_SLEEP;
    if (!str_to_double(str_from(importing->scale), &importing->options.scale) || !(importing->options.scale > 0) ||
        importing->options.scale > 1e9) {
        (void)error_set(err, ORCH_ERR_USAGE, "--scale: expected a number above 0, got \"%s\"", importing->scale);
        error_hint(err, "--scale 0.01 makes a second of 100");
        return err->code;
    }
    if (importing->output && !importing->force && access(importing->output, F_OK) == 0) {
        (void)error_set(err, ORCH_ERR_EXISTS, "%s is there already", importing->output);
        error_hint(err, "choose another name, or say --force to replace it");
        return err->code;
    }
    return 0;
}

static const struct importer *find_importer(const struct importing *importing, struct value json)
{
    for (const struct importer *const *at = importers; *at; at++)
        if (importing->format ? strcmp((*at)->name, importing->format) == 0 : (*at)->is_it(json)) return *at;
    return NULL;
}

static int read_input(struct importing *importing, const char *file, struct value *ret, struct orch_error *err)
{
    struct json_limits limits = {.nodes_max = 100000000};
    struct orch_str text;
    bool is_stdin = strcmp(file, "-") == 0;
    int r = is_stdin ? file_read_fd(STDIN_FILENO, "standard input", SIZE_MAX_IN, &importing->arena, &text, err)
                     : file_read(file, SIZE_MAX_IN, &importing->arena, &text, err);
    if (!r) r = json_parse(text, &limits, &importing->arena, ret, err);
    if (r && err->line && !is_stdin) snprintf(err->file, sizeof err->file, "%s", file);
    return r;
}

/* What the importer wrote is read like any other definition, so that what it makes is sound or is refused here. */
static int make_normal(struct importing *importing, int *ret_exit, struct orch_error *err)
{
    const struct workflow *workflow;
    struct diags diags;
    diags_init(&diags, &importing->arena);
    int r = workflow_read(buf_str(&importing->made), STR("imported"), &importing->arena, &diags, &workflow);
    if (r == ORCH_ERR_NO_MEMORY) return error_memory(err);
    if (r) {
        *ret_exit = cli_findings(&diags, buf_str(&importing->made), "imported");
        return 0;
    }
    return workflow_format(workflow, importing->json, &importing->text, err);
}

static void report(const struct importing *importing, const char *file)
{
    const struct import_result *result = &importing->result;
    const char *what = importing->options.tasks == IMPORT_NOOP      ? "that do nothing"
                       : importing->options.tasks == IMPORT_COMMAND ? "with their commands"
                                                                    : "that sleep";
    if (importing->options.tasks == IMPORT_SLEEP)
        cli_note(NULL, "%s: %u tasks %s %s of their run times, %u dependencies", file, result->tasks, what,
                 strcmp(importing->scale, "1") == 0 ? "all" : importing->scale, result->dependencies);
    else
        cli_note(NULL, "%s: %u tasks %s, %u dependencies", file, result->tasks, what, result->dependencies);
    for (uint32_t i = 0; i < result->notes_count; i++) {
        const struct import_note *note = &result->notes[i];
        if (note->count == 1 && note->example.size)
            cli_note(NULL, "not carried over: %.*s (%.*s)", STR_ARG(note->what), STR_ARG(note->example));
        else if (note->count == 1)
            cli_note(NULL, "not carried over: %.*s", STR_ARG(note->what));
        else if (note->example.size)
            cli_note(NULL, "not carried over: %.*s, %llu times (first: %.*s)", STR_ARG(note->what),
                     (unsigned long long)note->count, STR_ARG(note->example));
        else
            cli_note(NULL, "not carried over: %.*s, %llu times", STR_ARG(note->what), (unsigned long long)note->count);
    }
    if (importing->output) cli_note(NULL, "written to %s: orch run %s", importing->output, importing->output);
}

static int make(struct importing *importing, const char *file, int *ret_exit, struct orch_error *err)
{
    struct value json;
    int r = read_options(importing, err);
    if (!r) r = read_input(importing, file, &json, err);
    if (r) return r;
    const struct importer *importer = find_importer(importing, json);
    if (!importer && importing->format) {
        (void)error_set(err, ORCH_ERR_USAGE, "unknown format \"%s\"", importing->format);
        error_hint(err, "orch import --list names those there are");
        return err->code;
    }
    if (!importer) {
        (void)error_set(err, ORCH_ERR_INVALID, "%s is of no format that can be imported", file);
        error_hint(err, "orch import --list names those there are; --format chooses one");
        return err->code;
    }
    r = importer->import(json, &importing->options, &importing->arena, &importing->made, &importing->result, err);
    if (r) return r;
    r = make_normal(importing, ret_exit, err);
    if (r || *ret_exit) return r;
    if (importing->output)
        r = file_replace(importing->output, buf_str(&importing->text), 0644, err);
    else
        *ret_exit = definition_print(&importing->text);
    if (!r && !*ret_exit) report(importing, file);
    return r;
}

int cli_import(int argc, char **argv)
{
    struct importing importing = {.tasks = "sleep", .scale = "1"};
    bool list = false;
    const struct cli_option options[] = {
        {.name = "format",
         .kind = OPTION_TEXT,
         .target = &importing.format,
         .value = "FORMAT",
         .help = "what the file is (default: found out)"},
        {.name = "tasks",
         .kind = OPTION_CHOICE,
         .target = &importing.tasks,
         .value = "WHAT",
         .help = "what tasks do",
         .choices = "sleep,noop,command"},
        {.name = "scale",
         .kind = OPTION_TEXT,
         .target = &importing.scale,
         .value = "X",
         .help = "length of a sleep beside the run time (default: 1)"},
        {.name = "out",
         .letter = 'O',
         .kind = OPTION_TEXT,
         .target = &importing.output,
         .value = "FILE",
         .help = "write the definition there instead of stdout"},
        {.name = "force", .kind = OPTION_FLAG, .target = &importing.force, .help = "replace that file"},
        {.name = "json", .kind = OPTION_FLAG, .target = &importing.json, .help = "indented JSON instead of YAML"},
        {.name = "list", .kind = OPTION_FLAG, .target = &list, .help = "the formats there are"},
        {.name = NULL},
    };
    const struct cli_usage usage = {
        .verb = "import",
        .arguments = "FILE",
        .summary =
            "Makes a definition of another tool's file, and says what did not carry over; - is the standard input",
        .examples = "orch import montage.json > montage.yaml\n"
                    "orch import montage.json --scale 0.01 --out montage.yaml\n"
                    "orch import montage.json --tasks noop | orch graph -",
        .options = options,
        .positionals_min = 0,
        .positionals_max = 1,
    };
    int positionals;
    int exit_code = cli_parse(&usage, argc, argv, &positionals);
    if (exit_code >= 0) return exit_code;
    struct orch_error err = ORCH_ERROR_INIT;
    if (list) {
        for (const struct importer *const *at = importers; *at; at++) printf("%-10s %s\n", (*at)->name, (*at)->summary);
        return EXIT_OK;
    }
    if (positionals == 0) {
        (void)error_set(&err, ORCH_ERR_USAGE, "which file?");
        error_hint(&err, "orch import --help");
        return cli_error(&err);
    }
    arena_init(&importing.arena, NULL, 0);
    buf_init(&importing.made, NULL, 0);
    buf_init(&importing.text, NULL, 0);
    exit_code = EXIT_OK;
    if (make(&importing, argv[1], &exit_code, &err)) exit_code = cli_error(&err);
    buf_done(&importing.text);
    buf_done(&importing.made);
    arena_done(&importing.arena);
    return exit_code;
}
