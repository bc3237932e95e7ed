/*
 * validate.c - `orch validate`: everything that is wrong with definitions, and what could be better.
 */
#include "base/error.h"
#include "cli/definition.h"

struct validation {
    bool json;
    struct buf out;
    uint32_t files;
    bool any_invalid;
    int trouble; /* the exit code of the first file that cannot be read, or 0 */
};

static int count_tasks(struct definition *definition, struct analysis *analysis, struct orch_error *err)
{
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    int r = workflow_analyze(definition->workflow, &scratch, analysis, err);
    arena_done(&scratch);
    return r;
}

static void add_count(struct buf *out, uint32_t count, const char *what)
{
    buf_printf(out, ", %u %s%s", count, what, count == 1 ? "" : "s");
}

static int say_text(struct validation *validation, struct definition *definition, struct orch_error *err)
{
    (void)cli_findings(&definition->diags, definition->text,
                       definition->file); /* its exit code is worked out for all files together */
    if (!definition->workflow) return 0;
    struct analysis analysis;
    int r = count_tasks(definition, &analysis, err);
    if (r) return r;
    buf_add_text(&validation->out, "ok: ");
    cli_clean(definition->workflow->name, 0, false, &validation->out);
    add_count(&validation->out, analysis.task_count, "task");
    if (definition->workflow->parameters_count)
        add_count(&validation->out, definition->workflow->parameters_count, "parameter");
    if (definition->diags.warning_count) add_count(&validation->out, definition->diags.warning_count, "warning");
    buf_add_char(&validation->out, '\n');
    return 0;
}

static int say_json(struct validation *validation, struct definition *definition, struct orch_error *err)
{
    struct buf *out = &validation->out;
    buf_add_text(out, validation->files > 1 ? ",\n  " : "\n  ");
    buf_add_text(out, "{\"file\":");
    json_format_string(str_from(definition->file), out);
    buf_printf(out, ",\"ok\":%s", definition->workflow ? "true" : "false");
    if (definition->workflow) {
        struct analysis analysis;
        int r = count_tasks(definition, &analysis, err);
        if (r) return r;
        buf_add_text(out, ",\"name\":");
        json_format_string(definition->workflow->name, out);
        buf_printf(out, ",\"tasks\":%u,\"parameters\":%u", analysis.task_count, definition->workflow->parameters_count);
    }
    buf_printf(out, ",\"errors\":%u,\"warnings\":%u,\"findings\":", definition->diags.error_count,
               definition->diags.warning_count);
    diags_render_json(&definition->diags, out);
    buf_add_char(out, '}');
    return 0;
}

static void validate(struct validation *validation, const char *file)
{
    struct definition definition;
    struct orch_error err = ORCH_ERROR_INIT;
    int r = definition_read(&definition, file, &err);
    if (!r) {
        validation->files++;
        validation->any_invalid |= !definition.workflow;
        r = validation->json ? say_json(validation, &definition, &err) : say_text(validation, &definition, &err);
    }
    if (r) {
        int code = cli_error(&err);
        if (!validation->trouble) validation->trouble = code;
    }
    definition_done(&definition);
}

int cli_validate(int argc, char **argv)
{
    const char *output = "text";
    const struct cli_option options[] = {
        {.name = "output",
         .letter = 'o',
         .kind = OPTION_CHOICE,
         .target = &output,
         .value = "FORM",
         .help = "text (the usual) or json",
         .choices = "text,json"},
        {.name = NULL},
    };
    const struct cli_usage usage = {
        .verb = "validate",
        .arguments = "FILE...",
        .summary =
            "Checks definitions: all errors and warnings, each with its place and the mend; - is the standard input",
        .examples = "orch validate etl.yaml\n"
                    "orch validate *.yaml -o json\n"
                    "generate | orch validate -",
        .options = options,
        .positionals_min = 1,
        .positionals_max = UINT32_MAX,
    };
    int positionals;
    int exit_code = cli_parse(&usage, argc, argv, &positionals);
    if (exit_code >= 0) return exit_code;

    struct validation validation = {.json = strcmp(output, "json") == 0};
    buf_init(&validation.out, NULL, 0);
    if (validation.json) buf_add_text(&validation.out, "[");
    for (int i = 1; i <= positionals; i++) validate(&validation, argv[i]);
    if (validation.json) buf_add_text(&validation.out, validation.files ? "\n]\n" : "]\n");
    exit_code = definition_print(&validation.out);
    buf_done(&validation.out);
    if (exit_code != EXIT_OK) return exit_code;
    return validation.any_invalid ? EXIT_INVALID : validation.trouble;
}
