/*
 * run.c - orch run: a workflow file, here and now, durably.
 */
#include "cli/run.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "sys/file.h"

#define FILE_SIZE_MAX ((size_t)1 << 30)

struct run {
    struct foreground_flags flags;
    struct option_list parameters;
    const char *parameters_file;
    bool go_on, dry;
    const char *name;           /* as given */
    struct arena arena;
    struct orch_str file;       /* found */
    struct orch_str text;
    struct orch_str path;       /* real, absolute: what `--continue` looks for */
};

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

static int read_file(struct run *run, struct orch_error *err)
{
    int r = cli_find_definition(run->name, &run->arena, &run->file, err);
    if (!r) r = file_read(run->file.data, FILE_SIZE_MAX, &run->arena, &run->text, err);
    if (r) return r;
    char *real = realpath(run->file.data, NULL);
    run->path = arena_str(&run->arena, real ? str_from(real) : run->file);
    free(real);
    return run->path.data ? 0 : error_memory(err);
}

static void note_interrupted(const struct run *run, struct store *store)
{
    int64_t number;
    char id[20];
    if (store_find_latest(store, run->path, true, &number, NULL)) return;
    store_execution_id(number, id);
    cli_note(id, "run %s of this file was interrupted; to go on with it: orch run %s --continue", id, run->name);
}

static int start(struct run *run, struct foreground *foreground, struct engine_execution **ret, struct orch_error *err)
{
    struct engine *engine = foreground_engine(foreground);
    struct diags *diags = ARENA_NEW(&run->arena, struct diags);
    if (!diags) return cli_error((error_memory(err), err));
    diags_init(diags, &run->arena);
    struct engine_version *version;
    int r = engine_load(engine, run->text, run->file, diags, &version, err);
    diags_sort(diags);
    if (cli_findings(diags, run->text, run->file.data)) return EXIT_INVALID;
    if (r) return cli_error(err);
    struct value given, parameters;
    r = cli_given_parameters(run->parameters_file, &run->parameters, &run->arena, &given, err);
    if (!r) {
        struct diags *wrong = ARENA_NEW(&run->arena, struct diags);
        if (!wrong) r = error_memory(err);
        else {
            diags_init(wrong, &run->arena);
            r = workflow_parameters(engine_version_workflow(version), given, true, &run->arena, wrong, &parameters, err);
            if (r && wrong->count) {
                (void)engine_version_unref(version);
                return cli_findings(wrong, run->text, run->file.data);
            }
        }
    }
    if (!r) {
        note_interrupted(run, engine_store(engine));
        struct engine_start request = {.version = version, .parameters = parameters, .by = cli_user(&run->arena), .file = run->path};
        r = engine_start(engine, &request, ret, err);
    }
    (void)engine_version_unref(version);
    if (r && err->line && !err->file[0]) snprintf(err->file, sizeof err->file, "%s", run->file.data);
    return r ? cli_error(err) : -1;
}

static int keep_latest(void *user, const struct store_execution *row)
{
    struct store_execution *latest = user;
    if (!row->parent) latest->number = row->number; /* the oldest comes first */
    return 0;
}

static int go_on(struct run *run, struct foreground *foreground, const char *id, struct engine_execution **ret, struct orch_error *err)
{
    struct engine *engine = foreground_engine(foreground);
    struct store *store = engine_store(engine);
    int64_t number;
    int r;
    if (id) r = cli_run_number(store, id, &number, err);
    else if (!run->name) {
        struct store_execution row = {0};
        r = store_each_alive(store, keep_latest, &row, err);
        number = row.number;
        if (!r && !number) {
            r = error_set(err, ORCH_ERR_NOT_FOUND, "there is nothing to continue: no run in %s was interrupted", store_path(store));
            error_hint(err, "orch run FILE  starts one");
        }
    } else {
        r = store_find_latest(store, run->path, true, &number, err);
        if (r == ORCH_ERR_NOT_FOUND) {
            error_set(err, r, "there is nothing to continue: no run of %s was interrupted", run->name);
            error_hint(err, "orch run %s  starts one", run->name);
        }
    }
    if (!r) r = engine_resume(engine, number, ret, err);
    if (r) return cli_error(err);
    /* A definition is pinned: say so when the file has moved on. */
    if (run->text.size) {
        struct arena scratch;
        const struct workflow *workflow;
        arena_init(&scratch, NULL, 0);
        struct diags *diags = ARENA_NEW(&scratch, struct diags);
        if (diags) {
            diags_init(diags, &scratch);
            if (workflow_read(run->text, run->file, &scratch, diags, &workflow) ||
                !str_equal(workflow->normal, core_workflow(engine_execution_core(*ret))->normal))
                cli_note(engine_execution_id(*ret), "the file has changed since; the run goes on with the definition it was started with");
        }
        arena_done(&scratch);
    }
    return -1;
}

int cli_run(int argc, char **argv)
{
    struct run run = {.flags = FOREGROUND_FLAGS_INIT};
    const struct cli_option options[] = {
        {"param", 'p', OPTION_LIST, &run.parameters, "K=V", "a parameter; may be given again", NULL},
        {"params", 0, OPTION_TEXT, &run.parameters_file, "FILE", "parameters as a JSON object", NULL},
        {"continue", 0, OPTION_FLAG, &run.go_on, NULL, "go on with the run that was interrupted", NULL},
        {"dry", 0, OPTION_FLAG, &run.dry, NULL, "show the plan, run nothing: order, commands with secrets masked, critical path", NULL},
        FOREGROUND_OPTIONS(run.flags),
        {0},
    };
    const struct cli_usage usage = {
        .verb = "run",
        .arguments = "FILE",
        .summary = "Runs a workflow: FILE, or with --continue [FILE] [RUN] the run that was interrupted (the latest of the file or folder, or RUN)",
        .examples = "  orch run build.yaml                      run it, see it run\n"
                    "  orch run etl.yaml -p day=2026-03-01      with a parameter\n"
                    "  orch run etl.yaml --continue             after a crash: nothing recorded is run again\n"
                    "  orch run --continue r-7Q2K               the same, by its number",
        .options = options,
        .positionals_max = 2,
    };
    int count;
    int code = cli_parse(&usage, argc, argv, &count);
    if (code >= 0) return code;
    cli_style_tell(run.flags.progress);
    if (count == 0 && !run.go_on) {
        fputs("orch run: FILE is missing\n  = help: orch run --help\n", stderr);
        return EXIT_USAGE;
    }
    if (count == 2 && !run.go_on) {
        cli_say("orch run: too much: \"%s\"", argv[2]);
        fputs("  = help: parameters are given as -p name=value\n", stderr);
        return EXIT_USAGE;
    }
    struct orch_error err = ORCH_ERROR_INIT;
    struct foreground *foreground = NULL;
    struct foreground_options how;
    struct engine_execution *execution;
    const char *id = NULL;
    int64_t number;
    arena_init(&run.arena, NULL, 0);
    /* `--continue` needs no file: the run knows its own. A word that is no file may be the run's number. */
    if (run.go_on && count == 1 && !is_file(argv[1]) && store_execution_number(str_from(argv[1]), &number)) id = argv[1];
    else if (count > 0) run.name = argv[1];
    if (count == 2) id = argv[2];
    int r = run.name ? read_file(&run, &err) : 0;
    if (run.dry) {
        if (!r && run.go_on) r = error_set(&err, ORCH_ERR_USAGE, "--dry and --continue exclude each other");
        code = r ? cli_error(&err) : run_dry(run.file.data, run.parameters_file, &run.parameters);
        arena_done(&run.arena);
        free(run.parameters.items);
        return code;
    }
    struct orch_str store = r ? STR_NONE : cli_store_path(run.flags.store, run.name ? run.file.data : NULL, &run.arena);
    if (!r && !run.name) {
        struct store *looked;
        r = cli_store_read(run.flags.store, &run.arena, &looked, &err); /* nothing is made where there is nothing */
        if (!r) store_close(looked);
    }
    if (!r && !store.data) r = error_memory(&err);
    if (!r && !foreground_from_flags(&run.flags, store, &how)) r = error_set(&err, ORCH_ERR_USAGE, "--progress: unknown mode");
    if (!r) r = foreground_open(&how, &foreground, &err);
    if (r) code = cli_error(&err);
    else {
        code = run.go_on ? go_on(&run, foreground, id, &execution, &err) : start(&run, foreground, &execution, &err);
        if (code < 0) code = foreground_run(foreground, execution, run.go_on);
    }
    foreground = foreground_close(foreground);
    arena_done(&run.arena);
    free(run.parameters.items);
    return code;
}
