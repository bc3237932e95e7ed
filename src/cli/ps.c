/*
 * ps.c - what is active, and what has run: orch ps, orch runs.
 */
#include "cli/cli.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/time.h"
#include "sys/clock.h"

struct list {
    const char *store_option, *format, *state, *workflow, *since;
    uint32_t limit;
    bool active;             /* ps */
    bool children;
    struct store *store;
    bool owned;              /* a process runs them */
    struct cli_table *table;
    struct buf json;
    uint32_t count;
    uint32_t interrupted;
    struct orch_error err;
    orch_time now;
};

static void put_ago(struct buf *out, orch_time now, orch_time at)
{
    if (!at) {
        buf_add_text(out, "-");
        return;
    }
    duration_format_short(now > at ? now - at : 0, out);
    buf_add_text(out, " ago");
}

/* What is shown of an active run is folded from its journal: its row is told now and then only. */
struct active {
    struct core_summary summary;
    struct orch_str state;
    struct orch_str waiting;
    bool known;              /* else its journal cannot be read: what is shown is its row's */
};

static void look_at(struct list *list, const struct store_execution *row, struct arena *arena, struct active *ret)
{
    struct engine_view *view;
    *ret = (struct active){.state = str_from(execution_state_to_string((enum execution_state)row->state))};
    if (execution_state_is_terminal(row->state)) return;
    struct orch_error err = ORCH_ERROR_INIT;
    if (engine_view_open(list->store, row->number, &view, &err)) {
        if (!list->err.code) list->err = err;
        ret->state = STR("damaged");
        ret->waiting = arena_str(arena, str_from(err.message));
        return;
    }
    const struct core *core = engine_view_core(view);
    core_get_summary(core, &ret->summary);
    ret->known = true;
    struct buf text;
    buf_init(&text, NULL, 4096);
    ret->state = str_from(cli_activity(core, list->owned, &text));
    ret->waiting = arena_str(arena, buf_str(&text));
    buf_done(&text);
    engine_view_close(view);
}

static void put_json(struct list *list, const struct store_execution *row, const struct active *active, uint32_t done, uint32_t total)
{
    struct buf *out = &list->json;
    buf_add_text(out, list->count ? ",\n " : "\n ");
    buf_printf(out, "{\"run\":\"%.*s\",\"workflow\":", STR_ARG(row->id));
    json_format_string(row->workflow, out);
    buf_printf(out, ",\"state\":\"%.*s\",\"done\":%u,\"total\":%u,\"failed\":%u,\"started_at\":\"", STR_ARG(active->state), done, total, row->tasks_failed);
    time_format(row->started_at, true, out);
    buf_add_char(out, '"');
    if (row->ended_at) {
        buf_add_text(out, ",\"ended_at\":\"");
        time_format(row->ended_at, true, out);
        buf_printf(out, "\",\"duration_ms\":%lld", (long long)((row->ended_at - row->started_at) / ORCH_MILLISECOND));
    }
    buf_add_text(out, ",\"by\":");
    json_format_string(row->by, out);
    if (row->file.size) {
        buf_add_text(out, ",\"file\":");
        json_format_string(row->file, out);
    }
    if (active->waiting.size) {
        buf_add_text(out, ",\"waiting_on\":");
        json_format_string(active->waiting, out);
    }
    if (row->error.size) {
        buf_add_text(out, ",\"error\":");
        json_format_string(row->error, out);
    }
    if (row->parent) {
        char parent[20];
        store_execution_id(row->parent, parent);
        buf_printf(out, ",\"parent\":\"%s\"", parent);
    }
    buf_add_char(out, '}');
}

static int add_row(void *user, const struct store_execution *row)
{
    struct list *list = user;
    struct arena arena;
    struct active active;
    if (list->active && row->parent && !list->children) return 0;
    arena_init(&arena, NULL, 0);
    look_at(list, row, &arena, &active);
    uint32_t done = active.known ? active.summary.tasks_done : row->tasks_done, total = active.known ? active.summary.tasks_total : row->tasks_total;
    if (active.known && !list->owned) list->interrupted++;
    if (strcmp(list->format, "json") == 0) put_json(list, row, &active, done, total);
    else if (strcmp(list->format, "name") == 0) printf("%.*s\n", STR_ARG(row->id));
    else {
        struct buf started, elapsed;
        buf_init(&started, NULL, 64);
        buf_init(&elapsed, NULL, 64);
        put_ago(&started, list->now, row->started_at);
        if (row->started_at) duration_format_short((row->ended_at ? row->ended_at : list->now) - row->started_at, &elapsed);
        cli_table_cell(list->table, COLOR_BOLD, "%.*s", STR_ARG(row->id));
        cli_table_cell(list->table, COLOR_NONE, "%.*s", STR_ARG(row->workflow));
        cli_table_cell(list->table, str_is(active.state, "damaged") ? COLOR_RED : str_is(active.state, "interrupted") ? COLOR_YELLOW : cli_execution_color(row->state), "%.*s", STR_ARG(active.state));
        cli_table_cell(list->table, COLOR_NONE, "%u/%u", done, total);
        cli_table_cell(list->table, COLOR_NONE, "%.*s", STR_ARG(buf_str(&started)));
        cli_table_cell(list->table, COLOR_NONE, "%.*s", STR_ARG(buf_str(&elapsed)));
        cli_table_cell(list->table, COLOR_NONE, "%.*s", STR_ARG(row->by));
        struct orch_str last = list->active ? active.waiting : row->error;
        cli_table_cell(list->table, COLOR_NONE, "%.*s", last.size ? (int)last.size : 1, last.size ? last.data : "-");
        buf_done(&started);
        buf_done(&elapsed);
    }
    list->count++;
    arena_done(&arena);
    return 0;
}

static int state_mask(const char *text, uint32_t *ret)
{
    *ret = 0;
    for (struct orch_str rest = str_from(text); rest.size;) {
        size_t end = str_find(rest, STR(","), 0);
        struct orch_str one = str_of(rest.data, end == SIZE_MAX ? rest.size : end);
        enum execution_state state;
        if (!execution_state_from_string(one, &state)) {
            cli_say("orch runs: unknown state \"%.*s\"", STR_ARG(one));
            fputs("  = help: one of", stderr);
            for (int i = 0; i < EXECUTION_STATE_COUNT; i++) fprintf(stderr, " %s", execution_state_to_string((enum execution_state)i));
            fputc('\n', stderr);
            return EXIT_USAGE;
        }
        *ret |= 1u << state;
        if (end == SIZE_MAX) break;
        rest = str_of(rest.data + end + 1, rest.size - end - 1);
    }
    return 0;
}

static int print(struct list *list)
{
    if (strcmp(list->format, "json") == 0) {
        buf_add_text(&list->json, list->count ? "\n]}\n" : "]}\n");
        if (list->json.failed) return ORCH_ERR_NO_MEMORY;
        fwrite(list->json.data, 1, list->json.size, stdout);
        return 0;
    }
    if (strcmp(list->format, "name") == 0) return 0;
    if (list->count) cli_table_print(list->table, stdout);
    if (list->active) printf("%u active%s\n", list->count, list->interrupted ? "; interrupted ones go on with: orch run --continue RUN" : "");
    else if (!list->count) puts("no runs");
    return 0;
}

static int show_list(struct list *list)
{
    struct arena arena;
    uint32_t mask = 0;
    arena_init(&arena, NULL, 0);
    list->now = clock_wall();
    if (list->state && state_mask(list->state, &mask)) return EXIT_USAGE;
    struct store_filter filter = {.workflow = list->workflow ? str_from(list->workflow) : STR_NONE,
                                  .state_mask = mask,
                                  .count_max = list->limit ? list->limit : 20,
                                  .parent = list->children ? -1 : 0};
    orch_time since;
    int r = 0;
    if (list->since) {
        if (duration_parse(str_from(list->since), &since, NULL) == 0) filter.since = list->now - since;
        else if (time_parse(str_from(list->since), &filter.since))
            r = error_set(&list->err, ORCH_ERR_USAGE, "--since wants a duration (2h) or a moment (2026-03-01T06:00:00Z), not \"%s\"", list->since);
    }
    if (!r) r = cli_store_read(list->store_option, &arena, &list->store, &list->err);
    if (!r) {
        list->owned = store_is_owned(list->store);
        list->table = cli_table_new(list->active ? "RUN|WORKFLOW|STATE|PROGRESS|STARTED|ELAPSED|BY|WAITING ON" : "RUN|WORKFLOW|STATE|TASKS|STARTED|TOOK|BY|ERROR");
        buf_init(&list->json, NULL, 0);
        buf_add_text(&list->json, "{\"v\":1,\"runs\":[");
        r = list->active ? store_each_alive(list->store, add_row, list, &list->err) : store_each_execution(list->store, &filter, add_row, list, &list->err);
        if (!r) r = print(list);
        buf_done(&list->json);
        list->table = cli_table_free(list->table);
        store_close(list->store);
    }
    arena_done(&arena);
    /* Also when all that could be shown was: of a run that cannot be read. */
    return r || list->err.code ? cli_error(&list->err) : EXIT_OK;
}

int cli_ps(int argc, char **argv)
{
    struct list list = {.active = true, .format = "table"};
    const struct cli_option options[] = {{"store", 0, OPTION_TEXT, &list.store_option, "DIR", "where runs are kept", NULL},
                                         {"all", 'a', OPTION_FLAG, &list.children, NULL, "sub-workflows too", NULL},
                                         {"output", 'o', OPTION_CHOICE, &list.format, "FORMAT", "how to print", "table,json,name"},
                                         {0}};
    const struct cli_usage usage = {.verb = "ps",
                                    .arguments = "",
                                    .summary = "What is active: running, waiting or interrupted",
                                    .examples = "  orch ps\n  orch ps --store etl/.orch\n  orch ps -o json",
                                    .options = options};
    int count, r = cli_parse(&usage, argc, argv, &count);
    return r >= 0 ? r : show_list(&list);
}

int cli_runs(int argc, char **argv)
{
    struct list list = {.format = "table"};
    const struct cli_option options[] = {{"workflow", 'w', OPTION_TEXT, &list.workflow, "NAME", "of this workflow only", NULL},
                                         {"state", 's', OPTION_TEXT, &list.state, "STATE,...", "in one of these states only", NULL},
                                         {"since", 0, OPTION_TEXT, &list.since, "TIME", "started since: 2h, or a moment", NULL},
                                         {"limit", 'n', OPTION_COUNT, &list.limit, "N", "at most so many (default: 20)", NULL},
                                         {"all", 'a', OPTION_FLAG, &list.children, NULL, "sub-workflows too", NULL},
                                         {"store", 0, OPTION_TEXT, &list.store_option, "DIR", "where runs are kept", NULL},
                                         {"output", 'o', OPTION_CHOICE, &list.format, "FORMAT", "how to print", "table,json,name"},
                                         {0}};
    const struct cli_usage usage = {.verb = "runs",
                                    .arguments = "",
                                    .summary = "What has run, newest first",
                                    .examples = "  orch runs\n  orch runs --state failed,timed_out --since 24h\n  orch runs -w etl -n 100 -o json",
                                    .options = options};
    int count, r = cli_parse(&usage, argc, argv, &count);
    return r >= 0 ? r : show_list(&list);
}
