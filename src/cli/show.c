/*
 * show.c - one run: how it stands, its tasks, one task in detail, why something waits, its history.
 */
#include "cli/cli.h"

#include "base/error.h"
#include "base/time.h"
#include "sys/clock.h"
#include "sys/logfile.h"

#define TREE_MAX 500      /* lines of the tree, unless --all */
#define OUTPUT_WIDTH 160  /* columns of an output in the overview */

#define OUTPUT_SHOWN_MAX (64u << 20) /* of one task, in JSON */

struct show {
    const char *store_option, *format, *why;
    bool history, all;
    const char *run, *task;
    struct arena arena;
    struct store *store;
    struct engine_view *view;
    const struct core *core;
    struct core_summary summary;
    char id[20];
    bool owned;
    uint32_t lines, left_out;
    struct buf text;
    struct orch_error err;
};

/* ---- the tree ---- */

static void put_duration(orch_time time)
{
    struct buf out;
    buf_init(&out, NULL, 64);
    duration_format_short(time < 0 ? 0 : time, &out);
    printf("%.*s", STR_ARG(buf_str(&out)));
    buf_done(&out);
}

static void put_clean(struct orch_str text, uint32_t columns)
{
    struct buf out;
    buf_init(&out, NULL, 0);
    cli_clean(text, columns, false, &out);
    printf("%.*s", STR_ARG(buf_str(&out)));
    buf_done(&out);
}

static void print_instance(struct show *show, uint32_t at, int depth)
{
    const struct core_instance *instance = core_get_instance(show->core, at);
    const struct core_detail *detail = instance->detail;
    bool color = cli_style.color_out;
    enum cli_color shade = cli_task_color(instance->state, instance->reason);
    if (!show->all && show->lines >= TREE_MAX) {
        show->left_out++;
        return;
    }
    show->lines++;
    buf_clear(&show->text);
    core_path(show->core, at, &show->text);
    struct orch_str path = buf_str(&show->text);
    size_t slash = path.size;
    while (depth > 0 && slash > 0 && path.data[slash - 1] != '/') slash--;
    if (depth == 0) slash = 0;
    printf("%*s%s%s%s ", 2 + depth * 2, "", cli_color(color, shade), cli_task_symbol(instance->state, instance->reason), cli_color_end(color, shade));
    int width = (int)(path.size - slash);
    printf("%.*s%*s", width, path.data + slash, width < 28 - depth * 2 ? 28 - depth * 2 - width : 1, "");
    printf(" %-12s", instance->state == TASK_WAITING ? reason_to_string((enum reason)instance->reason) : task_state_to_string((enum task_state)instance->state));
    if (detail && detail->started_at) {
        fputs("  ", stdout);
        put_duration((detail->ended_at ? detail->ended_at : clock_wall()) - detail->started_at);
    }
    if (instance->attempt > 1) printf("  try %u", instance->attempt);
    if (detail && detail->item_count) printf("  %u items", detail->item_count);
    if (detail && detail->error.size && instance->state != TASK_SUCCEEDED) {
        fputs("  ", stdout);
        put_clean(detail->error, 80);
    } else if (instance->state == TASK_SKIPPED) {
        printf("  %s", instance->reason == REASON_WHEN ? "its condition was false" : "something before it failed");
    } else if (instance->state == TASK_PENDING || instance->state == TASK_WAITING) {
        struct buf why;
        buf_init(&why, NULL, 1024);
        core_why(show->core, at, clock_wall(), &why);
        if (why.size) {
            fputs("  ", stdout);
            put_clean(buf_str(&why), 80);
        }
        buf_done(&why);
    }
    fputc('\n', stdout);
}

static void print_frame(struct show *show, uint32_t frame, int depth);

static void print_task(struct show *show, uint32_t at, int depth)
{
    print_instance(show, at, depth);
    for (uint32_t f = core_frame_next_of(show->core, at, CORE_NONE); f != CORE_NONE; f = core_frame_next_of(show->core, at, f))
        print_frame(show, f, depth + 1);
}

static void print_frame(struct show *show, uint32_t at, int depth)
{
    const struct core_frame *frame = core_get_frame(show->core, at);
    for (uint32_t i = 0; i < frame->block->task_count; i++) print_task(show, frame->first + i, depth);
}

static void print_overview(struct show *show)
{
    const struct store_execution *row = engine_view_row(show->view);
    const struct core_summary *summary = &show->summary;
    bool color = cli_style.color_out;
    bool interrupted = !execution_state_is_terminal((uint8_t)summary->state) && !show->owned;
    enum cli_color shade = interrupted ? COLOR_YELLOW : cli_execution_color((uint8_t)summary->state);
    put_clean(row->workflow, 80);
    printf("  #%s  %s%s%s", show->id, cli_color(color, shade), cli_activity(show->core, show->owned, NULL), cli_color_end(color, shade));
    if (summary->started_at) {
        fputs("  ", stdout);
        put_duration((summary->ended_at ? summary->ended_at : clock_wall()) - summary->started_at);
    }
    printf("  %u/%u tasks", summary->tasks_done, summary->tasks_total);
    if (summary->generation) printf("  retried %u times", summary->generation);
    struct buf time;
    buf_init(&time, NULL, 64);
    time_format(summary->started_at, false, &time);
    printf("\nstarted %.*s by ", STR_ARG(buf_str(&time)));
    buf_done(&time);
    put_clean(row->by, 60);
    if (row->file.size) {
        fputs(", from ", stdout);
        put_clean(row->file, 0);
    }
    if (summary->parameters.size > 2) {
        fputs("\nparameters ", stdout);
        put_clean(summary->parameters, OUTPUT_WIDTH);
    }
    if (summary->error.size) {
        fputs("\nerror ", stdout);
        put_clean(summary->error, 0);
    }
    if (summary->output.size > 2) {
        fputs("\noutput ", stdout);
        put_clean(summary->output, OUTPUT_WIDTH);
    }
    puts("\n");
    /* Frame 0 is the body; the workflow's handlers are frames without an owner. */
    for (uint32_t f = 0; f < core_frame_count(show->core); f++)
        if (core_get_frame(show->core, f)->owner == CORE_NONE) print_frame(show, f, 0);
    if (show->left_out) printf("  ... %u more: --all shows them\n", show->left_out);
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
    buf_clear(&show->text);
    core_path(show->core, at, &show->text);
    bool color = cli_style.color_out;
    enum cli_color shade = cli_task_color(instance->state, instance->reason);
    put_clean(buf_str(&show->text), 0);
    printf("  %s%s%s", cli_color(color, shade), task_state_to_string((enum task_state)instance->state), cli_color_end(color, shade));
    if (instance->task->action) printf("  %s", action_kind_to_string(instance->task->action->kind));
    printf("  attempts %u", instance->attempt);
    if (detail && detail->started_at) {
        fputs("  took ", stdout);
        put_duration((detail->ended_at ? detail->ended_at : clock_wall()) - detail->started_at);
    }
    puts("");
    struct buf why;
    buf_init(&why, NULL, 4096);
    core_why(show->core, at, clock_wall(), &why);
    if (why.size) {
        fputs("why      ", stdout);
        put_clean(buf_str(&why), 0);
        puts("");
    }
    buf_done(&why);
    if (detail) {
        if (detail->error.size) {
            fputs("error    ", stdout);
            put_clean(detail->error, 0);
            puts("");
        }
        if (instance->failure == FAILURE_EXIT) printf("exit     %d\n", detail->exit_code);
        if (detail->signal) printf("signal   %d\n", detail->signal);
        if (detail->cpu_us || detail->memory_peak) {
            fputs("used     cpu ", stdout);
            put_duration((orch_time)detail->cpu_us);
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
            put_clean(output, 0);
            puts("");
        }
    }
    for (uint32_t f = core_frame_next_of(show->core, at, CORE_NONE); f != CORE_NONE; f = core_frame_next_of(show->core, at, f)) print_frame(show, f, 0);
    if (instance->task->action) printf("logs     orch logs %s %.*s\n", show->id, STR_ARG(buf_str(&show->text)));
    return 0;
}

static int print_why(struct show *show)
{
    uint32_t at = core_find(show->core, str_from(show->why));
    if (at == CORE_NONE) return error_set(&show->err, ORCH_ERR_NOT_FOUND, "run %s has no task \"%s\"", show->id, show->why);
    struct buf why;
    buf_init(&why, NULL, 4096);
    core_why(show->core, at, clock_wall(), &why);
    const struct core_instance *instance = core_get_instance(show->core, at);
    if (why.size) {
        put_clean(buf_str(&why), 0);
        puts("");
    } else printf("it is %s\n", task_state_to_string((enum task_state)instance->state));
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
            /* As the lines of --progress jsonl. */
            struct buf body;
            buf_init(&body, NULL, 0);
            buf_printf(&line, "{\"v\":1,\"run\":\"%s\",", show->id);
            if (transition->instance != CORE_NONE && transition->instance < core_instance_count(show->core)) {
                buf_clear(&show->text);
                core_path(show->core, transition->instance, &show->text);
                buf_add_text(&line, "\"step\":");
                json_format_string(buf_str(&show->text), &line);
                buf_add_char(&line, ',');
            }
            transition_format_json(transition, first_seq + i, &body);
            if (body.size) buf_add(&line, str_of(body.data + 1, body.size - 1));
            buf_done(&body);
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
            if (transition->error.size) {
                buf_add_text(&line, "  ");
                cli_clean(transition->error, 100, false, &line);
            }
            if (transition->by.size) {
                buf_add_text(&line, "  by ");
                cli_clean(transition->by, 60, false, &line);
            }
        }
        printf("%.*s\n", (int)line.size, line.data);
        buf_done(&line);
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

static void put_text(struct buf *out, const char *name, struct orch_str text)
{
    if (!text.size) return;
    buf_printf(out, ",\"%s\":", name);
    json_format_string(text, out);
}

static void put_raw(struct buf *out, const char *name, struct orch_str json)
{
    if (!json.size) return;
    buf_printf(out, ",\"%s\":", name);
    buf_add(out, json);
}

static void put_time(struct buf *out, const char *name, orch_time time)
{
    if (!time) return;
    buf_printf(out, ",\"%s\":\"", name);
    time_format(time, true, out);
    buf_add_char(out, '"');
}

static void json_instance(struct show *show, uint32_t at, struct buf *out)
{
    const struct core_instance *instance = core_get_instance(show->core, at);
    const struct core_detail *detail = instance->detail;
    buf_clear(&show->text);
    core_path(show->core, at, &show->text);
    buf_add_text(out, "{\"task\":");
    json_format_string(buf_str(&show->text), out);
    buf_printf(out, ",\"state\":\"%s\",\"attempts\":%u", task_state_to_string((enum task_state)instance->state), instance->attempt);
    if (instance->task->action) buf_printf(out, ",\"action\":\"%s\"", action_kind_to_string(instance->task->action->kind));
    if (instance->reason) buf_printf(out, ",\"reason\":\"%s\"", reason_to_string((enum reason)instance->reason));
    if (detail) {
        put_time(out, "started_at", detail->started_at);
        put_time(out, "ended_at", detail->ended_at);
        if (detail->started_at && detail->ended_at) buf_printf(out, ",\"duration_ms\":%lld", (long long)((detail->ended_at - detail->started_at) / ORCH_MILLISECOND));
        /* What waits for an answer has noted what it will have failed of when none comes: no failure yet. */
        if (instance->failure && (instance->state != TASK_WAITING || instance->reason == REASON_BACKOFF)) {
            buf_printf(out, ",\"error\":{\"kind\":\"%s\",\"exit_code\":%d,\"signal\":%d", failure_to_string((enum failure)instance->failure), detail->exit_code, detail->signal);
            put_text(out, "message", detail->error);
            buf_add_char(out, '}');
        }
        /* What a block gave is put together from its tasks; one that failed gave nothing. */
        struct buf output;
        buf_init(&output, NULL, OUTPUT_SHOWN_MAX);
        if (instance->state == TASK_SUCCEEDED || detail->output.size || detail->blob) {
            if (core_output(show->core, at, &show->arena, &output, &show->err) == 0 && !output.failed && !str_is(buf_str(&output), "null"))
                put_raw(out, "output", buf_str(&output));
            else if (output.failed) buf_printf(out, ",\"output_omitted\":true");
        }
        buf_done(&output);
        if (detail->cpu_us || detail->memory_peak)
            buf_printf(out, ",\"cpu_us\":%llu,\"memory_peak\":%llu", (unsigned long long)detail->cpu_us, (unsigned long long)detail->memory_peak);
    }
    buf_add_char(out, '}');
}

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
        json_instance(show, at, &out);
    } else {
        buf_printf(&out, "{\"v\":1,\"run\":\"%s\"", show->id);
        put_text(&out, "workflow", row->workflow);
        buf_printf(&out, ",\"state\":\"%s\",\"interrupted\":%s,\"generation\":%u,\"done\":%u,\"total\":%u", cli_activity(show->core, show->owned, NULL),
                   !execution_state_is_terminal((uint8_t)summary->state) && !show->owned ? "true" : "false", summary->generation, summary->tasks_done,
                   summary->tasks_total);
        put_time(&out, "started_at", summary->started_at);
        put_time(&out, "ended_at", summary->ended_at);
        put_text(&out, "by", row->by);
        put_text(&out, "file", row->file);
        put_text(&out, "digest", row->digest);
        put_raw(&out, "parameters", summary->parameters);
        put_text(&out, "error", summary->error);
        struct orch_str output = summary->output;
        if (!output.size && summary->output_blob &&
            store_get_blob(show->store, row->number, summary->output_blob, &show->arena, &output, &show->err))
            output = STR_NONE;
        put_raw(&out, "output", output);
        buf_add_text(&out, ",\"tasks\":[");
        uint32_t count = core_instance_count(show->core);
        for (uint32_t i = 0; i < count; i++) {
            buf_add_text(&out, i ? ",\n " : "\n ");
            json_instance(show, i, &out);
        }
        buf_add_text(&out, "\n]}");
    }
    int r = out.failed ? error_set(&show->err, ORCH_ERR_LIMIT, "the answer is larger than 1 GiB") : 0;
    if (!r) printf("%.*s\n", (int)out.size, out.data);
    buf_done(&out);
    return r;
}

int cli_show(int argc, char **argv)
{
    struct show show = {.format = "table"};
    const struct cli_option options[] = {{"why", 0, OPTION_TEXT, &show.why, "TASK", "why it is not running", NULL},
                                         {"history", 0, OPTION_FLAG, &show.history, NULL, "the journal: everything that was recorded", NULL},
                                         {"all", 'a', OPTION_FLAG, &show.all, NULL, "the whole tree, however large", NULL},
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
    buf_init(&show.text, NULL, 0);
    r = cli_store_read(show.store_option, &show.arena, &show.store, &show.err);
    if (!r) r = cli_run_number(show.store, show.run, &number, &show.err);
    if (!r) r = engine_view_open(show.store, number, &show.view, &show.err);
    if (!r) {
        store_execution_id(number, show.id);
        show.owned = store_is_owned(show.store);
        show.core = engine_view_core(show.view);
        core_get_summary(show.core, &show.summary);
        if (show.history) r = print_history(&show);
        else if (show.why) r = print_why(&show);
        else if (strcmp(show.format, "json") == 0) r = print_json(&show);
        else if (show.task) r = print_one(&show);
        else print_overview(&show);
    }
    show.view = engine_view_close(show.view);
    if (show.store) store_close(show.store);
    buf_done(&show.text);
    arena_done(&show.arena);
    return r ? cli_error(&show.err) : EXIT_OK;
}
