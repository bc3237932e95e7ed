/*
 * replay.c - orch replay: how a run came to be as it is; its transitions one by one, or how it stood at one of them.
 *
 * Nothing is run: the journal is folded, as it is when a run is taken up after a crash.
 */
#include "cli/tree.h"
#include "cli/whatif.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/time.h"

/* The run that an attempt of a `workflow` action is. */
struct child {
    uint32_t instance;
    uint64_t fence;
    int64_t number;
};

struct replay {
    const char *store_option, *format, *at_text, *from_text, *to_text, *task, *what_if;
    struct option_list parameters;
    uint32_t jobs;
    uint64_t at, from, to; /* at UINT64_MAX: the list is wanted */
    struct arena arena;
    struct store *store;
    struct engine_view *view;
    const struct core *core;
    char id[20];
    struct cli_tree tree;
    struct buf line;
    struct child *children; /* by instance, then fence */
    uint32_t children_count, children_capacity;
    uint64_t shown;
    bool is_task_known; /* the task of --task was met */
    bool is_json, is_list;
    struct orch_error err;
};

static int read_sequence(const char *option, const char *text, uint64_t *ret, struct orch_error *err)
{
    if (!text || (str_to_uint64(str_from(text), ret) && *ret < UINT64_MAX)) return 0;
    return error_set(err, ORCH_ERR_USAGE, "--%s wants the number of a transition, not \"%s\"", option, text);
}

/* ---- sub-workflows ---- */

static int add_child(void *user, const struct store_execution *row)
{
    struct replay *replay = user;
    if (replay->children_count == replay->children_capacity) {
        uint32_t capacity = replay->children_capacity ? replay->children_capacity * 2 : 16;
        struct child *children = realloc(replay->children, capacity * sizeof *children);
        if (!children) return error_memory(&replay->err);
        replay->children = children;
        replay->children_capacity = capacity;
    }
    replay->children[replay->children_count++] = (struct child){row->parent_instance, row->parent_fence, row->number};
    return 0;
}

static int compare_children(const void *a, const void *b)
{
    const struct child *x = a, *y = b;
    if (x->instance != y->instance) return x->instance < y->instance ? -1 : 1;
    return x->fence < y->fence ? -1 : x->fence > y->fence;
}

static int gather_children(struct replay *replay, int64_t number)
{
    struct store_filter filter = {.parent = number, .count_max = UINT32_MAX};
    int r = store_each_execution(replay->store, &filter, add_child, replay, &replay->err);
    if (!r && replay->children_count)
        qsort(replay->children, replay->children_count, sizeof *replay->children, compare_children);
    return r;
}

/* ", run r-7Q2K" */
static void put_child(const struct replay *replay, const struct core_transition *transition, struct buf *out)
{
    char id[20];
    struct child key = {.instance = transition->instance, .fence = transition->fence};
    if (transition->type != TRANSITION_ATTEMPT_STARTED || !replay->children_count) return;
    const struct child *child = bsearch(&key, replay->children, replay->children_count, sizeof key, compare_children);
    if (!child) return;
    store_execution_id(child->number, id);
    buf_printf(out, ", run %s", id);
}

/* ---- the list ---- */

/* Whether a path is the task, or something inside of it: "clean" has "clean[3]" and "clean[3]/fetch". */
static bool is_within(struct orch_str path, struct orch_str task)
{
    return str_starts_with(path, task) && (path.size == task.size || strchr("/[#", path.data[task.size]));
}

static void print_line(struct replay *replay, uint64_t sequence, const struct core_transition *transition)
{
    struct buf *line = &replay->line;
    struct orch_str path = buf_str(&replay->tree.text);
    buf_clear(line);
    if (replay->is_json) {
        if (replay->is_list) buf_add_text(line, replay->shown ? ",\n " : "[\n ");
        cli_transition_json(replay->core, replay->id, sequence, transition, true, line);
        if (!replay->is_list) buf_add_char(line, '\n');
    } else {
        buf_printf(line, "%6llu  ", (unsigned long long)sequence);
        time_format(transition->at, true, line);
        buf_add_text(line, "  ");
        size_t begin = line->size;
        if (path.size)
            cli_clean(path, 0, false, line);
        else
            buf_add_char(line, '-');
        do buf_add_char(line, ' ');
        while (line->size < begin + 24 && !line->failed);
        buf_add_char(line, ' ');
        cli_transition_words(replay->core, transition, line);
        put_child(replay, transition, line);
        buf_add_char(line, '\n');
    }
    if (line->failed)
        error_memory(&replay->err);
    else
        fwrite(line->data, 1, line->size, stdout);
    replay->shown++;
}

static bool on_transition(void *user, uint64_t sequence, const struct core_transition *transition)
{
    struct replay *replay = user;
    buf_clear(&replay->tree.text);
    cli_transition_path(replay->core, transition, &replay->tree.text);
    bool is_wanted = !replay->task || is_within(buf_str(&replay->tree.text), str_from(replay->task));
    if (replay->task && is_wanted) replay->is_task_known = true;
    if (sequence >= replay->from && is_wanted) print_line(replay, sequence, transition);
    return replay->err.code == 0 && !ferror(stdout);
}

static int print_list(struct replay *replay)
{
    int r = gather_children(replay, engine_view_row(replay->view)->number);
    if (!r) r = engine_view_advance(replay->view, replay->to, on_transition, replay, &replay->err);
    if (!r) r = replay->err.code;
    if (r) return r;
    /* One that has not run in this part of the history is a task all the same. */
    if (replay->task && !replay->is_task_known && core_find(replay->core, str_from(replay->task)) == CORE_NONE) {
        error_set(&replay->err, ORCH_ERR_NOT_FOUND, "run %s has no task \"%s\"", replay->id, replay->task);
        error_hint(&replay->err, "orch show %s  lists its tasks", replay->id);
        return ORCH_ERR_NOT_FOUND;
    }
    if (replay->is_json && replay->is_list) puts(replay->shown ? "\n]" : "[]");
    return 0;
}

/* ---- one moment ---- */

struct moment {
    struct replay *replay;
    struct buf words, path, json;
    orch_time at;
};

static bool on_last(void *user, uint64_t sequence, const struct core_transition *transition)
{
    struct moment *moment = user;
    moment->at = transition->at;
    cli_transition_words(moment->replay->core, transition, &moment->words);
    cli_transition_path(moment->replay->core, transition, &moment->path);
    cli_transition_json(moment->replay->core, moment->replay->id, sequence, transition, true, &moment->json);
    return true;
}

static void print_moment_json(const struct replay *replay, const struct moment *moment, struct cli_tree *tree)
{
    struct buf out;
    struct core_summary summary;
    core_get_summary(replay->core, &summary);
    buf_init(&out, NULL, 0);
    buf_printf(&out, "{\"v\":1,\"run\":\"%s\"", replay->id);
    cli_json_text(&out, "workflow", engine_view_row(replay->view)->workflow);
    buf_printf(&out, ",\"sequence\":%llu,\"last\":%llu", (unsigned long long)replay->at,
               (unsigned long long)engine_view_last(replay->view));
    cli_json_time(&out, "t", moment->at);
    cli_json_raw(&out, "transition", buf_str(&moment->json));
    buf_printf(&out, ",\"state\":\"%s\",\"generation\":%u,\"done\":%u,\"total\":%u",
               execution_state_to_string(summary.state), summary.generation, summary.tasks_done, summary.tasks_total);
    cli_json_time(&out, "started_at", summary.started_at);
    cli_json_time(&out, "ended_at", summary.ended_at);
    cli_json_raw(&out, "parameters", summary.parameters);
    cli_json_text(&out, "error", summary.error);
    cli_tree_json_tasks(tree, &out);
    buf_add_text(&out, "}\n");
    if (!tree->err.code) fwrite(out.data, 1, out.size, stdout);
    buf_done(&out);
}

static void print_moment_text(const struct replay *replay, const struct moment *moment, struct cli_tree *tree)
{
    struct core_summary summary;
    struct buf time;
    core_get_summary(replay->core, &summary);
    buf_init(&time, NULL, 64);
    time_format(moment->at, true, &time);
    cli_put_clean(engine_view_row(replay->view)->workflow, 80);
    printf("  #%s  transition %llu of %llu", replay->id, (unsigned long long)replay->at,
           (unsigned long long)engine_view_last(replay->view));
    if (replay->at == 0) {
        puts(": nothing was recorded yet");
    } else {
        printf("  %.*s, ", STR_ARG(buf_str(&time)));
        cli_put_duration(moment->at - summary.started_at);
        fputs(" after the start\nlast   ", stdout);
        if (moment->path.size) {
            cli_put_clean(buf_str(&moment->path), 0);
            fputs("  ", stdout);
        }
        printf("%.*s\n", STR_ARG(buf_str(&moment->words)));
        enum cli_color shade = cli_execution_color((uint8_t)summary.state);
        printf("state  %s%s%s  %u/%u tasks\n\n", cli_color(cli_style.color_out, shade),
               execution_state_to_string(summary.state), cli_color_end(cli_style.color_out, shade), summary.tasks_done,
               summary.tasks_total);
        cli_tree_print(tree);
    }
    buf_done(&time);
}

static int print_moment(struct replay *replay)
{
    struct moment moment = {.replay = replay};
    buf_init(&moment.words, NULL, 0);
    buf_init(&moment.path, NULL, 0);
    buf_init(&moment.json, NULL, 0);
    int r = replay->at ? engine_view_advance(replay->view, replay->at, on_last, &moment, &replay->err) : 0;
    if (!r && (moment.words.failed || moment.path.failed || moment.json.failed)) r = error_memory(&replay->err);
    if (!r) {
        replay->tree.now = moment.at;
        if (replay->is_json)
            print_moment_json(replay, &moment, &replay->tree);
        else
            print_moment_text(replay, &moment, &replay->tree);
        if (replay->tree.err.code) { /* an answer without that output would be another answer */
            replay->err = replay->tree.err;
            r = replay->err.code;
        }
    }
    buf_done(&moment.words);
    buf_done(&moment.path);
    buf_done(&moment.json);
    return r;
}

/* ---- the verb ---- */

static int check_options(struct replay *replay)
{
    int r = read_sequence("at", replay->at_text, &replay->at, &replay->err);
    if (!r) r = read_sequence("from", replay->from_text, &replay->from, &replay->err);
    if (!r) r = read_sequence("to", replay->to_text, &replay->to, &replay->err);
    if (!r && replay->at_text && (replay->from_text || replay->to_text || replay->task))
        r = error_set(&replay->err, ORCH_ERR_USAGE, "--at shows one moment; --from, --to and --task are for the list");
    if (!r && (replay->at_text || replay->what_if) && strcmp(replay->format, "jsonl") == 0)
        r = error_set(&replay->err, ORCH_ERR_USAGE, "-o jsonl is for the list");
    if (!r && replay->what_if && (replay->from_text || replay->to_text || replay->task))
        r = error_set(&replay->err, ORCH_ERR_USAGE, "--from, --to and --task are for the list");
    if (!r && !replay->what_if && (replay->parameters.count || replay->jobs))
        r = error_set(&replay->err, ORCH_ERR_USAGE, "-p and -j are for --what-if");
    if (!r && !replay->at_text && !replay->what_if && replay->tree.all)
        r = error_set(&replay->err, ORCH_ERR_USAGE, "--all is for the tree that --at shows; the list is always whole");
    return r;
}

static int look(struct replay *replay, int64_t number)
{
    /* One before, so that the transition itself is seen when it is folded. */
    uint64_t begin = replay->at_text && replay->at ? replay->at - 1 : 0;
    int r = engine_view_open_at(replay->store, number, begin, &replay->view, &replay->err);
    if (r) return r;
    store_execution_id(number, replay->id);
    replay->core = engine_view_core(replay->view);
    replay->tree.core = replay->core;
    replay->tree.arena = &replay->arena;
    if (!replay->at_text) return print_list(replay);
    if (replay->at <= engine_view_last(replay->view)) return print_moment(replay);
    error_set(&replay->err, ORCH_ERR_NOT_FOUND, "the history of run %s ends with transition %llu", replay->id,
              (unsigned long long)engine_view_last(replay->view));
    error_hint(&replay->err, "orch replay %s  lists them", replay->id);
    return ORCH_ERR_NOT_FOUND;
}

static int what_if(struct replay *replay, int64_t number)
{
    struct whatif_options options = {.file = replay->what_if,
                                     .sequence = replay->at_text ? replay->at : UINT64_MAX,
                                     .parameters = replay->parameters,
                                     .jobs = replay->jobs ? replay->jobs : 4,
                                     .json = replay->is_json,
                                     .all = replay->tree.all};
    return whatif_run(&options, replay->store, number, &replay->err);
}

int cli_replay(int argc, char **argv)
{
    struct replay replay = {.format = "text", .at = UINT64_MAX, .to = UINT64_MAX};
    const struct cli_option options[] = {
        {"at", 0, OPTION_TEXT, &replay.at_text, "SEQ", "how it stood after this transition; 0: before the first", NULL},
        {"from", 0, OPTION_TEXT, &replay.from_text, "SEQ", "the list begins here", NULL},
        {"to", 0, OPTION_TEXT, &replay.to_text, "SEQ", "the list ends here", NULL},
        {"task", 0, OPTION_TEXT, &replay.task, "PATH", "of this task, and what is inside of it, alone", NULL},
        {"what-if", 0, OPTION_TEXT, &replay.what_if, "FILE",
         "what this version of the definition would have done from there; nothing is run", NULL},
        {"param", 'p', OPTION_LIST, &replay.parameters, "K=V", "with --what-if: another parameter; may be given again",
         NULL},
        {"jobs", 'j', OPTION_COUNT, &replay.jobs, "N", "with --what-if: programs at once; 4 unless said", NULL},
        {"all", 'a', OPTION_FLAG, &replay.tree.all, NULL, "with --at or --what-if: everything, however much it is",
         NULL},
        {"store", 0, OPTION_TEXT, &replay.store_option, "DIR", "where the run is kept", NULL},
        {"output", 'o', OPTION_CHOICE, &replay.format, "FORMAT", "how to print", "text,json,jsonl"},
        {0}};
    const struct cli_usage usage = {
        .verb = "replay",
        .arguments = "[RUN]",
        .summary = "Shows how a run (the latest when none is named) came to be as it is: its transitions, or how it "
                   "stood at one of them",
        .examples = "  orch replay r-7Q2K                       everything that was recorded, in words\n"
                    "  orch replay r-7Q2K --task 'clean[183]'   of one task\n"
                    "  orch replay r-7Q2K --at 12               how the run stood after its 12th transition\n"
                    "  orch replay r-7Q2K --what-if new.yaml    where another version of the definition parts from it",
        .options = options,
        .positionals_max = 1};
    int count, r = cli_parse(&usage, argc, argv, &count);
    if (r >= 0) return r;
    int64_t number = 0;
    arena_init(&replay.arena, NULL, 0);
    buf_init(&replay.tree.text, NULL, 0);
    buf_init(&replay.line, NULL, 0);
    replay.is_json = strcmp(replay.format, "text") != 0;
    replay.is_list = strcmp(replay.format, "json") == 0;
    r = check_options(&replay);
    if (!r) r = cli_store_read(replay.store_option, &replay.arena, &replay.store, &replay.err);
    if (!r) r = cli_run_number(replay.store, count ? argv[1] : NULL, &number, &replay.err);
    if (!r) r = replay.what_if ? what_if(&replay, number) : look(&replay, number);
    replay.view = engine_view_close(replay.view);
    if (replay.store) store_close(replay.store);
    free(replay.children);
    buf_done(&replay.line);
    buf_done(&replay.tree.text);
    arena_done(&replay.arena);
    free(replay.parameters.items);
    return r < 0 ? cli_error(&replay.err) : r;
}
