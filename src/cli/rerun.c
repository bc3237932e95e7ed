/*
 * rerun.c - orch rerun: a new run of what another one was a run of.
 */
#include "cli/run.h"

#include <stdlib.h>

#include "base/error.h"

/* The parameters of then, and over them those given now. */
static int merge(struct value old, struct value given, struct arena *arena, struct value *ret, struct orch_error *err)
{
    uint32_t count = 0;
    struct value_member *members = ARENA_ARRAY(arena, old.size + given.size + 1, struct value_member);
    if (!members) return error_memory(err);
    for (uint32_t i = 0; i < old.size; i++)
        if (!value_get(given, value_str(value_members(old)[i].key))) members[count++] = value_members(old)[i];
    for (uint32_t i = 0; i < given.size; i++) members[count++] = value_members(given)[i];
    return value_map(members, count, arena, ret) ? error_memory(err) : 0;
}

static int start(struct foreground *foreground, int64_t number, const char *file, const struct option_list *list, struct arena *arena,
                 struct engine_execution **ret, struct orch_error *err)
{
    struct engine *engine = foreground_engine(foreground);
    struct engine_version *version;
    struct store_execution row;
    struct value old, given, merged, parameters;
    int r = store_get_execution(engine_store(engine), number, arena, &row, err);
    if (!r && row.parent) {
        r = error_set(err, ORCH_ERR_STATE, "run %.*s is a sub-workflow's", STR_ARG(row.id));
        error_hint(err, "run its parent again, or its file: orch run FILE");
    }
    if (r) return cli_error(err);
    r = engine_load_recorded(engine, number, &version, err);
    if (r) return cli_error(err);
    r = json_parse(row.parameters, NULL, arena, &old, err);
    if (!r) r = cli_given_parameters(file, list, arena, &given, err);
    if (!r) r = merge(old, given, arena, &merged, err);
    struct diags *wrong = r ? NULL : ARENA_NEW(arena, struct diags);
    const char *name = r ? NULL : arena_printf(arena, "%.*s", STR_ARG(row.file.size ? row.file : STR("definition"))).data;
    if (!r && (!wrong || !name)) r = error_memory(err);
    if (!r) {
        diags_init(wrong, arena);
        r = workflow_parameters(engine_version_workflow(version), merged, true, arena, wrong, &parameters, err);
        if (r && wrong->count) {
            (void)engine_version_unref(version);
            return cli_findings(wrong, STR_NONE, name);
        }
    }
    if (!r) {
        struct engine_start request = {.version = version, .parameters = parameters, .by = cli_user(arena), .file = row.file};
        r = engine_start(engine, &request, ret, err);
    }
    (void)engine_version_unref(version);
    return r ? cli_error(err) : -1;
}

int cli_rerun(int argc, char **argv)
{
    struct foreground_flags flags = FOREGROUND_FLAGS_INIT;
    struct option_list parameters = {0};
    const char *file = NULL;
    const struct cli_option options[] = {{"param", 'p', OPTION_LIST, &parameters, "K=V", "another value for a parameter; may be given again", NULL},
                                         {"params", 0, OPTION_TEXT, &file, "FILE", "other values as a JSON object", NULL},
                                         FOREGROUND_OPTIONS(flags),
                                         {0}};
    const struct cli_usage usage = {.verb = "rerun",
                                    .arguments = "RUN",
                                    .summary = "Starts a new run of the definition that RUN was started with, with its parameters; the file is not read again",
                                    .examples = "  orch rerun r-7Q2K\n  orch rerun last -p day=2026-03-02\n  orch rerun r-7Q2K --store etl/.orch --progress plain",
                                    .options = options,
                                    .positionals_min = 1,
                                    .positionals_max = 1};
    int count, code = cli_parse(&usage, argc, argv, &count);
    if (code >= 0) return code;
    cli_style_tell(flags.progress);
    struct orch_error err = ORCH_ERROR_INIT;
    struct foreground *foreground = NULL;
    struct foreground_options how;
    struct engine_execution *execution;
    struct store *store = NULL;
    struct arena arena;
    int64_t number;
    arena_init(&arena, NULL, 0);
    int r = cli_store_read(flags.store, &arena, &store, &err); /* nothing is made where there is nothing */
    if (!r) r = cli_run_number(store, argv[1], &number, &err);
    if (store) store_close(store);
    struct orch_str path = r ? STR_NONE : cli_store_path(flags.store, NULL, &arena);
    if (!r && !path.data) r = error_memory(&err);
    if (!r && !foreground_from_flags(&flags, path, &how)) r = error_set(&err, ORCH_ERR_USAGE, "--progress: unknown mode");
    if (!r) r = foreground_open(&how, &foreground, &err);
    if (r) code = cli_error(&err);
    else {
        code = start(foreground, number, file, &parameters, &arena, &execution, &err);
        if (code < 0) code = foreground_run(foreground, execution, false);
    }
    foreground = foreground_close(foreground);
    arena_done(&arena);
    free(parameters.items);
    return code;
}
