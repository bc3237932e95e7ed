/*
 * show.c - one run: how it stands, its tasks, one task in detail, why something waits, its history.
 */
#include "cli/tree.h"

#include "base/error.h"
#include "base/time.h"
#include "sys/clock.h"
#include "sys/logfile.h"

#define OUTPUT_WIDTH 160  /* columns of an output in the overview */

struct show {
    const char *store_option, *format, *why;
    bool history;
    const char *run, *task;
    struct arena arena;
    struct store *store;
    struct engine_view *view;
    const struct core *core;
    struct core_summary summary;
    char id[20];
    bool owned;
    struct cli_tree tree;
    struct orch_error err;
};

static void print_overview(struct show *show)
{
    const struct store_execution *row = engine_view_row(show->view);
    const struct core_summary *summary = &show->summary;
    bool color = cli_style.color_out;
    bool interrupted = !execution_state_is_terminal((uint8_t)summary->state) && !show->owned;
    enum cli_color shade = interrupted ? COLOR_YELLOW : cli_execution_color((uint8_t)summary->state);
    cli_put_clean(row->workflow, 80);
    printf("  #%s  %s%s%s", show->id, cli_color(color, shade), cli_activity(show->core, show->owned, NULL), cli_color_end(color, shade));
    if (summary->started_at) {
        fputs("  ", stdout);
        cli_put_duration((summary->ended_at ? summary->ended_at : show->tree.now) - summary->started_at);
    }
    printf("  %u/%u tasks", summary->tasks_done, summary->tasks_total);
    if (summary->generation) printf("  retried %u times", summary->generation);
    struct buf time;
    buf_init(&time, NULL, 64);
    time_format(summary->started_at, false, &time);
    if (time.failed) cli_no_memory();
    printf("\nstarted %.*s by ", STR_ARG(buf_str(&time)));
    buf_done(&time);
    cli_put_clean(row->by, 60);
    if (row->file.size) {
        fputs(", from ", stdout);
        cli_put_clean(row->file, 0);
    }
    if (summary->parameters.size > 2) {
        fputs("\nparameters ", stdout);
        cli_put_clean(summary->parameters, OUTPUT_WIDTH);
    }
    if (summary->error.size) {
        fputs("\nerror ", stdout);
        cli_put_clean(summary->error, 0);
    }
    if (summary->output.size > 2) {
        fputs("\noutput ", stdout);
        cli_put_clean(summary->output, OUTPUT_WIDTH);
    }
    puts("\n");
    cli_tree_print(&show->tree);
    if (interrupted) printf("\nnobody runs it now; to go on: orch run --continue %s\n", show->id);
}

/* ---- one task ---- */

static int print_one(struct show *show)
{
    uint32_t at = core_find(show->core, str_from(show->task));
    if (at == CORE_NONE) {
        error_set(&show->err, ORCH_ERR_NOT_FOUND, "run %s has no task \"%s\"", show->id, show->task);
        error_hint(&show->err, "orch show %s  lists its tasks", show->id);
        return ORCH_ERR_NOT_FOUND;
    }
    const struct core_instance *instance = core_get_instance(show->core, at);
    const struct core_detail *detail = instance->detail;
    buf_clear(&show->tree.text);
    core_path(show->core, at, &show->tree.text);
    if (show->tree.text.failed) cli_no_memory();
    bool color = cli_style.color_out;
    enum cli_color shade = cli_task_color(instance->state, instance->reason);
    cli_put_clean(buf_str(&show->tree.text), 0);
    printf("  %s%s%s", cli_color(color, shade), task_state_to_string((enum task_state)instance->state), cli_color_end(color, shade));
    if (instance->task->action) printf("  %s", action_kind_to_string(instance->task->action->kind));
    printf("  attempts %u", instance->attempt);
    if (detail && detail->started_at) {
        fputs("  took ", stdout);
        cli_put_duration((detail->ended_at ? detail->ended_at : show->tree.now) - detail->started_at);
    }
    puts("");
    struct buf why;
    buf_init(&why, NULL, 4096);
    core_why(show->core, at, show->tree.now, &why);
    if (why.size) {
        fputs("why      ", stdout);
        cli_put_clean(buf_str(&why), 0);
        puts("");
    }
    buf_done(&why);
    if (detail) {
        if (detail->error.size) {
            fputs("error    ", stdout);
            cli_put_clean(detail->error, 0);
            puts("");
        }
        if (instance->failure == FAILURE_EXIT) printf("exit     %d\n", detail->exit_code);
        if (detail->signal) printf("signal   %d\n", detail->signal);
        if (detail->cpu_us || detail->memory_peak) {
            fputs("used     cpu ", stdout);
            cli_put_duration((orch_time)detail->cpu_us);
            struct buf size;
            buf_init(&size, NULL, 64);
            size_format(detail->memory_peak, &size);
            printf(", memory %.*s\n", STR_ARG(buf_str(&size)));
            buf_done(&size);
        }
        struct orch_str output = detail->output;
        if (!output.size && detail->blob) {
            int r = store_get_blob(show->store, engine_view_row(show->view)->number, detail->blob, &show->arena, &output, &show->err);
            if (r) return r;
        }
        if (output.size) {
            fputs("output   ", stdout);
            cli_put_clean(output, 0);
            puts("");
        }
    }
    for (uint32_t f = core_frame_next_of(show->core, at, CORE_NONE); f != CORE_NONE; f = core_frame_next_of(show->core, at, f)) cli_tree_frame(&show->tree, f, 0);
    if (instance->task->action) printf("logs     orch logs %s %.*s\n", show->id, STR_ARG(buf_str(&show->tree.text)));
    return 0;
}

/* The task that a pending one waits for, of those before it in its block: the first that is not over. CORE_NONE: none. */
static uint32_t blocking(const struct core *core, uint32_t at)
{
    const struct core_instance *instance = core_get_instance(core, at);
    const struct core_frame *frame = core_get_frame(core, instance->frame);
    const struct block *block = frame->block;
    for (uint32_t i = block->dependency_start[instance->task->index]; i < block->dependency_start[instance->task->index + 1]; i++) {
        uint32_t before = frame->first + block->dependencies[i];
        if (!task_state_is_terminal(core_get_instance(core, before)->state)) return before;
    }
    if (frame->owner == CORE_NONE || task_state_is_terminal(core_get_instance(core, frame->owner)->state)) return CORE_NONE;
    return core_get_instance(core, frame->owner)->state == TASK_RUNNING ? CORE_NONE : frame->owner;
}

/* Inside of a block under way, what in it waits for somebody. */
static uint32_t held_inside(const struct core *core, uint32_t at)
{
    for (uint32_t f = core_frame_next_of(core, at, CORE_NONE); f != CORE_NONE; f = core_frame_next_of(core, at, f)) {
        const struct core_frame *frame = core_get_frame(core, f);
        for (uint32_t i = 0; i < frame->block->task_count; i++) {
            uint32_t one = frame->first + i;
            const struct core_instance *instance = core_get_instance(core, one);
            if (instance->state == TASK_WAITING) return one;
            uint32_t deeper = instance->state == TASK_RUNNING ? held_inside(core, one) : CORE_NONE;
            if (deeper != CORE_NONE) return deeper;
        }
    }
    return CORE_NONE;
}

/* The command that changes what an instance waits for. */
static void print_next(struct show *show, uint32_t at)
{
    const struct core_instance *instance = core_get_instance(show->core, at);
    bool over = execution_state_is_terminal((uint8_t)show->summary.state);
    struct buf path;
    buf_init(&path, NULL, 16384);
    core_path(show->core, at, &path);
    bool as_it_should = instance->state == TASK_SUCCEEDED || (instance->state == TASK_SKIPPED && instance->reason == REASON_WHEN);
    if (over && !as_it_should) printf("next: orch retry %s --failed\n", show->id);
    else if (instance->state == TASK_WAITING && instance->reason == REASON_APPROVAL) printf("next: orch approve %s %.*s\n", show->id, STR_ARG(buf_str(&path)));
    else if (instance->state == TASK_WAITING && instance->reason == REASON_EVENT && instance->detail) {
        printf("next: orch signal %s ", show->id);
        cli_put_clean(instance->detail->event, 0);
        puts("");
    } else if (instance->state == TASK_WAITING && instance->reason == REASON_HELD) printf("next: orch retry %s --from %.*s\n", show->id, STR_ARG(buf_str(&path)));
    else if (!over && !show->owned) printf("next: orch run --continue %s\n", show->id);
    else if (!over && show->summary.state == EXECUTION_PAUSED) printf("next: orch resume %s\n", show->id);
    else if (instance->state == TASK_RUNNING && instance->task->action) printf("next: orch logs %s %.*s -f\n", show->id, STR_ARG(buf_str(&path)));
    buf_done(&path);
}

static int print_why(struct show *show)
{
    uint32_t at = core_find(show->core, str_from(show->why));
    if (at == CORE_NONE) return error_set(&show->err, ORCH_ERR_NOT_FOUND, "run %s has no task \"%s\"", show->id, show->why);
    struct buf why;
    buf_init(&why, NULL, 4096);
    core_why(show->core, at, show->tree.now, &why);
    const struct core_instance *instance = core_get_instance(show->core, at);
    if (why.size) cli_put_clean(buf_str(&why), 0);
    else printf("it is %s", task_state_to_string((enum task_state)instance->state));
    /* What blocks it may itself be blocked: the last of the chain is what can be changed. */
    uint32_t last = at;
    for (uint32_t steps = 0; steps < core_instance_count(show->core); steps++) {
        instance = core_get_instance(show->core, last);
        uint32_t before = instance->state == TASK_PENDING ? blocking(show->core, last) : instance->state == TASK_RUNNING ? held_inside(show->core, last) : CORE_NONE;
        if (before == CORE_NONE) break;
        last = before;
    }
    instance = core_get_instance(show->core, last);
    if (last != at) {
        buf_clear(&why);
        core_path(show->core, last, &why);
        if (instance->state == TASK_RUNNING) buf_add_text(&why, " is running");
        else if (instance->state != TASK_PENDING) {
            buf_add_text(&why, ": ");
            core_why(show->core, last, show->tree.now, &why);
        }
        fputs("; ", stdout);
        cli_put_clean(buf_str(&why), 0);
    }
    if (!show->owned && !execution_state_is_terminal((uint8_t)show->summary.state)) fputs("; nobody runs it now", stdout);
    puts("");
    print_next(show, last);
    buf_done(&why);
    return 0;
}

/* ---- history ---- */

struct history {
    struct show *show;
    struct arena arena;
    uint64_t count;
};

static int print_record(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    struct history *history = user;
    struct show *show = history->show;
    struct core_transitions list = {0};
    arena_clear(&history->arena);
    int r = transitions_decode(record, &history->arena, &list, &show->err);
    if (r) return r;
    bool json = strcmp(show->format, "json") == 0;
    for (uint32_t i = 0; i < list.count && i < count; i++) {
        const struct core_transition *transition = &list.items[i];
        struct buf line;
        buf_init(&line, NULL, 0);
        if (json) {
            cli_transition_json(show->core, show->id, first_seq + i, transition, false, &line);
        } else {
            buf_printf(&line, "%6llu  ", (unsigned long long)(first_seq + i));
            time_format(transition->at, true, &line);
            buf_printf(&line, "  %-24s", transition_type_to_string((enum transition_type)transition->type));
            if (transition->instance != CORE_NONE && transition->instance < core_instance_count(show->core)) {
                buf_add_char(&line, ' ');
                core_path(show->core, transition->instance, &line);
            }
            if (transition->type == TRANSITION_TASK_ENDED || transition->type == TRANSITION_FRAME_ENDED)
                buf_printf(&line, " %s", task_state_to_string((enum task_state)transition->state));
            if (transition->type == TRANSITION_EXECUTION_ENDED || transition->type == TRANSITION_EXECUTION_STOPPING)
                buf_printf(&line, " %s", execution_state_to_string((enum execution_state)transition->state));
            if (transition->attempt) buf_printf(&line, " try %u", transition->attempt);
            if (transition->reason) buf_printf(&line, " %s", reason_to_string((enum reason)transition->reason));
            if (transition->type == TRANSITION_SIGNAL_RECEIVED || transition->reason == REASON_EVENT) {
                buf_add_char(&line, ' ');
                cli_clean(transition->name, 60, false, &line);
            }
            if (transition->error.size) {
                buf_add_text(&line, "  ");
                cli_clean(transition->error, 100, false, &line);
            }
            if (transition->by.size) {
                buf_add_text(&line, "  by ");
                cli_clean(transition->by, 60, false, &line);
            }
        }
        if (line.failed) r = error_memory(&show->err);
        if (!r) printf("%.*s\n", (int)line.size, line.data);
        buf_done(&line);
        if (r) return r;
        history->count++;
    }
    return 0;
}

static int print_history(struct show *show)
{
    struct history history = {.show = show};
    arena_init(&history.arena, NULL, 0);
    int r = store_each_record(show->store, engine_view_row(show->view)->number, 1, print_record, &history, &show->err);
    arena_done(&history.arena);
    return r;
}

/* ---- JSON ---- */

static int print_json(struct show *show)
{
    struct buf out;
    const struct store_execution *row = engine_view_row(show->view);
    const struct core_summary *summary = &show->summary;
    buf_init(&out, NULL, 0);
    if (show->task) {
        uint32_t at = core_find(show->core, str_from(show->task));
        if (at == CORE_NONE) {
            buf_done(&out);
            return error_set(&show->err, ORCH_ERR_NOT_FOUND, "run %s has no task \"%s\"", show->id, show->task);
        }
        cli_tree_json(&show->tree, at, &out);
    } else {
        buf_printf(&out, "{\"v\":1,\"run\":\"%s\"", show->id);
        cli_json_text(&out, "workflow", row->workflow);
        buf_printf(&out, ",\"state\":\"%s\",\"interrupted\":%s,\"generation\":%u,\"done\":%u,\"total\":%u", cli_activity(show->core, show->owned, NULL),
                   !execution_state_is_terminal((uint8_t)summary->state) && !show->owned ? "true" : "false", summary->generation, summary->tasks_done,
                   summary->tasks_total);
        cli_json_time(&out, "started_at", summary->started_at);
        cli_json_time(&out, "ended_at", summary->ended_at);
        cli_json_text(&out, "by", row->by);
        cli_json_text(&out, "file", row->file);
        cli_json_text(&out, "digest", row->digest);
        cli_json_raw(&out, "parameters", summary->parameters);
        cli_json_text(&out, "error", summary->error);
        struct orch_str output = summary->output;
        if (!output.size && summary->output_blob &&
            store_get_blob(show->store, row->number, summary->output_blob, &show->arena, &output, &show->tree.err))
            output = STR_NONE;
        cli_json_raw(&out, "output", output);
        cli_tree_json_tasks(&show->tree, &out);
        buf_add_char(&out, '}');
    }
    int r = out.failed ? error_set(&show->err, ORCH_ERR_LIMIT, "the answer is larger than 1 GiB") : 0;
    if (!r && show->tree.err.code) { /* an answer without it would be another answer */
        show->err = show->tree.err;
        r = show->err.code;
    }
    if (!r) printf("%.*s\n", (int)out.size, out.data);
    buf_done(&out);
    return r;
}

int cli_show(int argc, char **argv)
{
    struct show show = {.format = "table"};
    const struct cli_option options[] = {{"why", 0, OPTION_TEXT, &show.why, "TASK", "why it is not running", NULL},
                                         {"history", 0, OPTION_FLAG, &show.history, NULL, "the journal: everything that was recorded", NULL},
                                         {"all", 'a', OPTION_FLAG, &show.tree.all, NULL, "the whole tree, however large", NULL},
                                         {"store", 0, OPTION_TEXT, &show.store_option, "DIR", "where the run is kept", NULL},
                                         {"output", 'o', OPTION_CHOICE, &show.format, "FORMAT", "how to print", "table,json"},
                                         {0}};
    const struct cli_usage usage = {.verb = "show",
                                    .arguments = "[RUN] [TASK]",
                                    .summary = "Shows a run (the latest when none is named), or one of its tasks",
                                    .examples = "  orch show r-7Q2K\n  orch show r-7Q2K 'clean[183]'\n  orch show last --why deploy",
                                    .options = options,
                                    .positionals_max = 2};
    int count, r = cli_parse(&usage, argc, argv, &count);
    if (r >= 0) return r;
    int64_t number;
    show.run = count > 0 ? argv[1] : NULL;
    show.task = count > 1 ? argv[2] : NULL;
    arena_init(&show.arena, NULL, 0);
    buf_init(&show.tree.text, NULL, 0);
    r = cli_store_read(show.store_option, &show.arena, &show.store, &show.err);
    if (!r) r = cli_run_number(show.store, show.run, &number, &show.err);
    if (!r) r = engine_view_open(show.store, number, &show.view, &show.err);
    if (!r) {
        store_execution_id(number, show.id);
        show.owned = store_is_owned(show.store);
        show.core = engine_view_core(show.view);
        show.tree.core = show.core;
        show.tree.now = clock_wall();
        show.tree.arena = &show.arena;
        core_get_summary(show.core, &show.summary);
        if (show.history) r = print_history(&show);
        else if (show.why) r = print_why(&show);
        else if (strcmp(show.format, "json") == 0) r = print_json(&show);
        else if (show.task) r = print_one(&show);
        else print_overview(&show);
    }
    show.view = engine_view_close(show.view);
    if (show.store) store_close(show.store);
    buf_done(&show.tree.text);
    arena_done(&show.arena);
    return r ? cli_error(&show.err) : EXIT_OK;
}
