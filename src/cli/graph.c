/* graph.c - `orch graph`: a workflow's graph, drawn or for other programs, with what can be said about it. */
#include "cli/definition.h"

#include "base/error.h"
#include "cli/graph_states.h"
#include "lang/diag_codes.h"
#include "layout/export.h"
#include "layout/text.h"
#include "sys/clock.h"

#define NAMED_MAX   12 /* tasks that a line of the summary names */
#define WIDTH_USUAL 100

struct graph_command {
    const char *format, *direction;
    const char *run, *store; /* a run instead of a file */
    bool cycle;
    const struct layout_state *states; /* of the run; or NULL */
    struct definition definition;
    const struct workflow *workflow; /* the definition's; NULL when it has errors */
    struct arena scratch, drawing;
    struct buf out;
};

static int findings(struct graph_command *command)
{
    return cli_findings(&command->definition.diags, command->definition.text, command->definition.file);
}

/* ---- the summary ---- */

static void add_names(struct buf *out, const struct task *const *tasks, uint32_t count, const char *between)
{
    uint32_t shown = count <= NAMED_MAX + 1 ? count : NAMED_MAX;
    for (uint32_t i = 0; i < shown; i++) buf_printf(out, "%s%.*s", i > 0 ? between : "", STR_ARG(tasks[i]->id));
    if (shown < count) buf_printf(out, "%s... %u more", between, count - shown);
}

static int add_order(struct graph_command *command)
{
    const struct block *body = command->workflow->body;
    uint32_t count = body->task_count <= NAMED_MAX + 1 ? body->task_count : NAMED_MAX;
    const struct task **tasks = ARENA_ARRAY(&command->scratch, (size_t)count + 1, const struct task *);
    if (!tasks) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) tasks[i] = &body->tasks[body->order[i]];
    buf_add_text(&command->out, "order    ");
    add_names(&command->out, tasks, count, ", ");
    if (count < body->task_count) buf_printf(&command->out, ", ... %u more", body->task_count - count);
    buf_add_char(&command->out, '\n');
    return 0;
}

static void add_unused(struct graph_command *command)
{
    bool any = false;
    for (uint32_t i = 0; i < command->definition.diags.count; i++) {
        const struct diag *diag = &command->definition.diags.items[i];
        if (diag->severity != DIAG_WARNING || diag->code != DIAG_UNUSED_PARAMETER) continue;
        buf_printf(&command->out, "%s%.*s (line %u)\n", any ? "         " : "unused   ", STR_ARG(diag->message),
                   diag->at.line);
        any = true;
    }
}

static int draw(struct graph_command *command, struct orch_error *err)
{
    struct analysis analysis;
    int rc = workflow_analyze(command->workflow, &command->scratch, &analysis, err);
    if (rc < 0) return rc;
    struct buf *out = &command->out;
    buf_printf(out, "%.*s: %u %s, %u %s\n\n", STR_ARG(command->workflow->name), analysis.task_count,
               analysis.task_count == 1 ? "task" : "tasks", analysis.edge_count,
               analysis.edge_count == 1 ? "dependency" : "dependencies");
    struct layout_text_options options = {
        .ascii = !cli_style.utf8, .width = cli_style.width ? cli_style.width : WIDTH_USUAL, .states = command->states};
    rc = layout_text(command->workflow, &options, &command->scratch, out);
    if (rc < 0) return error_memory(err);
    buf_printf(out, "\nlevels   %u, at most %u %s side by side\n", analysis.level_count, analysis.width,
               analysis.width == 1 ? "task" : "tasks");
    if (add_order(command) < 0) return error_memory(err);
    buf_add_text(out, "longest  ");
    add_names(out, analysis.critical_path, analysis.critical_path_count, " -> ");
    buf_printf(out, " (%u)\n", analysis.critical_path_count);
    add_unused(command);
    return 0;
}

/* ---- cycles ---- */

/* Draws what is known of the cycles in a file that has some. */
static uint32_t draw_cycles(struct graph_command *command)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < command->definition.diags.count; i++) {
        const struct diag *diag = &command->definition.diags.items[i];
        if (diag->code != DIAG_CYCLE || diag->path_count == 0) continue;
        if (count++ > 0) buf_add_char(&command->out, '\n');
        layout_cycle(diag->path, diag->path_count, !cli_style.utf8, &command->out);
    }
    return count;
}

static int show_cycles(struct graph_command *command)
{
    if (draw_cycles(command) > 0) return EXIT_INVALID;
    if (!command->workflow) return findings(command);
    buf_add_text(&command->out, "no cycle: every task can run\n");
    return EXIT_OK;
}

/* ---- the verb ---- */

static int show_graph(struct graph_command *command, struct orch_error *err)
{
    if (!command->workflow) return findings(command);
    if (strcmp(command->format, "dot") == 0) {
        layout_dot(command->workflow, &command->out);
    } else if (strcmp(command->format, "mermaid") == 0) {
        layout_mermaid(command->workflow, &command->out);
    } else if (strcmp(command->format, "json") == 0 || strcmp(command->format, "svg") == 0) {
        struct picture picture;
        enum layered_direction direction = strcmp(command->direction, "right") == 0 ? LAYERED_RIGHT : LAYERED_DOWN;
        if (picture_make(command->workflow, command->states, direction, &command->drawing, &command->scratch, &picture,
                         err) < 0)
            return cli_error(err);
        if (command->format[0] == 's')
            layout_svg(&picture, &command->out);
        else
            layout_json(&picture, &command->out);
    } else if (draw(command, err) < 0) {
        return cli_error(err);
    }
    return EXIT_OK;
}

static int format_check(const char *format, struct orch_error *err)
{
    static const char *const known[] = {"text", "svg", "dot", "mermaid", "json"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(format, known[i]) == 0) return 0;
    }
    (void)error_set(err, ORCH_ERR_USAGE, "unknown format \"%.40s\"", format);
    error_hint(err, "formats are text, svg, dot, mermaid and json");
    return err->code;
}

/* The definition is the one that the run was started with, whatever has become of its file. */
static int show_run(struct graph_command *command, struct orch_error *err)
{
    struct store *store = NULL;
    struct engine_view *view = NULL;
    int64_t number;
    int exit_code = EXIT_OK;
    bool is_file = strcmp(command->format, "dot") == 0 || strcmp(command->format, "mermaid") == 0;
    if (is_file || command->cycle) {
        (void)error_set(err, ORCH_ERR_USAGE, "a run is drawn as text, svg or json");
        return cli_error(err);
    }
    if (strcmp(command->format, "text") != 0) cli_style.utf8 = true; /* symbols in a file, not on this terminal */
    int rc = cli_store_read(command->store, &command->scratch, &store, err);
    if (rc == 0) rc = cli_run_number(store, command->run, &number, err);
    if (rc == 0) rc = engine_view_open(store, number, &view, err);
    if (rc == 0) {
        const struct core *core = engine_view_core(view);
        command->workflow = core_workflow(core);
        rc = graph_states(core, command->workflow, clock_wall(), &command->drawing, &command->states);
        if (rc < 0) rc = error_memory(err);
    }
    if (rc == 0) {
        exit_code = show_graph(command, err);
        int printed = definition_print(&command->out);
        if (printed != EXIT_OK) exit_code = printed;
    } else {
        exit_code = cli_error(err);
    }
    engine_view_close(view);
    if (store) store_close(store);
    return exit_code;
}

static int run(struct graph_command *command, const char *file)
{
    struct orch_error err = ORCH_ERROR_INIT;
    if (format_check(command->format, &err) < 0) return cli_error(&err);
    if (command->run && file) {
        (void)error_set(&err, ORCH_ERR_USAGE, "a run or a file, not both");
        error_hint(&err, "a run is drawn with the definition that it was started with");
        return cli_error(&err);
    }
    if (command->run) return show_run(command, &err);
    if (!file) {
        (void)error_set(&err, ORCH_ERR_USAGE, "no file is named");
        error_hint(&err, "orch graph FILE, or orch graph --run RUN");
        return cli_error(&err);
    }
    int rc = definition_read(&command->definition, file, &err);
    int exit_code;
    if (rc < 0) {
        exit_code = cli_error(&err);
    } else {
        diags_sort(&command->definition.diags);
        command->workflow = command->definition.workflow;
        exit_code = command->cycle ? show_cycles(command) : show_graph(command, &err);
        int printed = definition_print(&command->out);
        if (printed != EXIT_OK) exit_code = printed;
    }
    definition_done(&command->definition);
    return exit_code;
}

int cli_graph(int argc, char **argv)
{
    struct graph_command command = {.format = "text", .direction = "down"};
    const struct cli_option options[] = {
        {.name = "format",
         .letter = 'f',
         .kind = OPTION_TEXT,
         .target = &command.format,
         .value = "FORMAT",
         .help = "text (the usual), svg, dot, mermaid or json"},
        {.name = "direction",
         .kind = OPTION_CHOICE,
         .target = &command.direction,
         .value = "WHERE",
         .help = "where svg and json go",
         .choices = "down,right"},
        {.name = "run",
         .kind = OPTION_TEXT,
         .target = &command.run,
         .value = "RUN",
         .help = "draw a run with how its tasks stand (an id, or last)"},
        {.name = "store",
         .kind = OPTION_TEXT,
         .target = &command.store,
         .value = "DIR",
         .help = "where the run is kept"},
        {.name = "cycle",
         .kind = OPTION_FLAG,
         .target = &command.cycle,
         .help = "draw only the cycles of a definition that has some"},
        {.name = NULL},
    };
    const struct cli_usage usage = {
        .verb = "graph",
        .arguments = "[FILE]",
        .summary = "Draws the graph of a workflow and says how long and how wide it is",
        .examples = "  orch graph etl.yaml\n"
                    "  orch graph --run last --format svg > run.svg\n"
                    "  orch graph etl.yaml --format svg > etl.svg\n"
                    "  orch graph etl.yaml --cycle",
        .options = options,
        .positionals_max = 1,
    };
    int positionals;
    int exit_code = cli_parse(&usage, argc, argv, &positionals);
    if (exit_code >= 0) return exit_code;

    arena_init(&command.scratch, NULL, 0);
    arena_init(&command.drawing, NULL, 0);
    buf_init(&command.out, NULL, 0);
    exit_code = run(&command, positionals > 0 ? argv[1] : NULL);
    buf_done(&command.out);
    arena_done(&command.drawing);
    arena_done(&command.scratch);
    return exit_code;
}
