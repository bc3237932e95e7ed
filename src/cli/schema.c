/*
 * schema.c - `orch schema`: the JSON Schema of definitions, for editors and generators.
 */
#include "base/error.h"
#include "cli/definition.h"

static int put_schema(bool compact, struct buf *out, struct orch_error *err)
{
    struct buf text;
    struct arena arena;
    struct value schema;
    buf_init(&text, NULL, 0);
    arena_init(&arena, NULL, 0);
    workflow_schema(&text);
    int r = text.failed ? error_memory(err) : json_parse(buf_str(&text), NULL, &arena, &schema, err);
    if (!r) json_format(schema, compact ? 0 : 2, out);
    if (!r) buf_add_char(out, '\n');
    arena_done(&arena);
    buf_done(&text);
    return r;
}

int cli_schema(int argc, char **argv)
{
    bool compact = false;
    const struct cli_option options[] = {
        {.name = "compact", .kind = OPTION_FLAG, .target = &compact, .help = "on one line"},
        {.name = NULL},
    };
    const struct cli_usage usage = {
        .verb = "schema",
        .arguments = "",
        .summary = "Prints a JSON Schema (2020-12) of definitions in normal form",
        .examples = "orch schema > orch.schema.json\n"
                    "# first line of a definition, for editors:  # yaml-language-server: $schema=orch.schema.json",
        .options = options,
        .positionals_max = 0,
    };
    int positionals;
    int exit_code = cli_parse(&usage, argc, argv, &positionals);
    if (exit_code >= 0) return exit_code;
    struct orch_error err = ORCH_ERROR_INIT;
    struct buf out;
    buf_init(&out, NULL, 0);
    exit_code = put_schema(compact, &out, &err) ? cli_error(&err) : definition_print(&out);
    buf_done(&out);
    return exit_code;
}
