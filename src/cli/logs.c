/*
 * logs.c - what tasks wrote: one attempt, one task, or a whole run merged by time.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <time.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"
#include "base/time.h"
#include "sys/clock.h"
#include "sys/logfile.h"

#define FOLLOW_MS 100
#define LINES_MAX 5000000 /* of a whole run, in memory to be merged */

struct line {
    orch_time at;
    struct orch_str text;
    uint32_t source;
    uint32_t order; /* as read */
    char stream;
};

struct source {
    struct orch_str path;    /* of the task */
    struct orch_str file;
    uint64_t offset;
    uint32_t attempt;
};

struct logs {
    const char *store_option, *grep, *since;
    uint32_t attempt, tail;
    bool follow, times, raw;
    const char *run, *task;
    struct arena arena, lines_arena;
    struct store *store;
    struct orch_str dir;
    char id[20];
    int64_t number;
    struct source *sources;
    uint32_t sources_count, sources_capacity;
    struct line *lines;
    uint32_t lines_count, lines_capacity;
    uint32_t reading; /* the source being read */
    orch_time from;
    pcre2_code *pattern;
    pcre2_match_data *match;
    bool any;
    uint64_t damaged;         /* lines that cannot be read */
    uint32_t attempts_known;  /* of what is looked at; attempts count from 1 */
    struct orch_error err;
};

static int add_line(void *user, orch_time at, char stream, struct orch_str text)
{
    struct logs *logs = user;
    if (at < logs->from) return 0;
    if (logs->pattern && pcre2_match(logs->pattern, (PCRE2_SPTR)text.data, text.size, 0, 0, logs->match, NULL) < 0) return 0;
    if (logs->lines_count == logs->lines_capacity) {
        uint32_t capacity = logs->lines_capacity ? logs->lines_capacity * 2 : 1024;
        struct line *lines = capacity > LINES_MAX ? NULL : realloc(logs->lines, capacity * sizeof *lines);
        if (!lines && capacity <= LINES_MAX) return error_memory(&logs->err);
        if (!lines) {
            error_set(&logs->err, ORCH_ERR_LIMIT, "more than %d lines", LINES_MAX);
            error_hint(&logs->err, "name a task, or use --tail, --since or --grep");
            return ORCH_ERR_LIMIT;
        }
        logs->lines = lines;
        logs->lines_capacity = capacity;
    }
    struct orch_str copy = arena_str(&logs->lines_arena, text);
    if (!copy.data) return error_memory(&logs->err);
    logs->lines[logs->lines_count] = (struct line){.at = at, .text = copy, .source = logs->reading, .order = logs->lines_count, .stream = stream};
    logs->lines_count++;
    return 0;
}

static int add_source(struct logs *logs, struct orch_str path, uint32_t generation, uint32_t attempt)
{
    for (uint32_t i = 0; i < logs->sources_count; i++)
        if (logs->sources[i].attempt == attempt && str_equal(logs->sources[i].path, path)) return 0;
    if (logs->sources_count == logs->sources_capacity) {
        uint32_t capacity = logs->sources_capacity ? logs->sources_capacity * 2 : 64;
        struct source *sources = realloc(logs->sources, capacity * sizeof *sources);
        if (!sources) return error_memory(&logs->err);
        logs->sources = sources;
        logs->sources_capacity = capacity;
    }
    struct buf file;
    buf_init(&file, NULL, 16384);
    logfile_path(logs->dir, str_from(logs->id), path, generation, attempt, &file);
    struct source *source = &logs->sources[logs->sources_count];
    *source = (struct source){.path = arena_str(&logs->arena, path), .attempt = attempt};
    if (!file.failed) source->file = arena_str(&logs->arena, buf_str(&file));
    buf_done(&file);
    if (!source->path.data || !source->file.data) return error_memory(&logs->err);
    logs->sources_count++;
    return 0;
}

/* The attempts that there were: told by the journal, since a task that wrote nothing has no file. */
struct scan {
    struct logs *logs;
    const struct core *core;
    uint32_t generation;
    uint32_t wanted; /* instance, or CORE_NONE */
    struct arena arena;
    struct buf path;
};

static bool is_below(const struct core *core, uint32_t instance, uint32_t above)
{
    while (instance != above) {
        uint32_t owner = core_get_frame(core, core_get_instance(core, instance)->frame)->owner;
        if (owner == CORE_NONE) return false;
        instance = owner;
    }
    return true;
}

static int scan_record(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    struct scan *scan = user;
    struct core_transitions list = {0};
    (void)first_seq;
    (void)count;
    arena_clear(&scan->arena);
    int r = transitions_decode(record, &scan->arena, &list, &scan->logs->err);
    for (uint32_t i = 0; i < list.count && !r; i++) {
        const struct core_transition *transition = &list.items[i];
        if (transition->type == TRANSITION_EXECUTION_RETRIED) scan->generation = transition->index;
        if (transition->type != TRANSITION_ATTEMPT_STARTED) continue;
        if (scan->wanted != CORE_NONE && !is_below(scan->core, transition->instance, scan->wanted)) continue;
        if (transition->attempt > scan->logs->attempts_known) scan->logs->attempts_known = transition->attempt;
        if (scan->logs->attempt && transition->attempt != scan->logs->attempt) continue;
        buf_clear(&scan->path);
        core_path(scan->core, transition->instance, &scan->path);
        r = scan->path.failed ? error_memory(&scan->logs->err)
                              : add_source(scan->logs, buf_str(&scan->path), scan->generation, transition->attempt);
    }
    return r;
}

static int find_sources(struct logs *logs, bool *ret_alive)
{
    struct engine_view *view;
    int r = engine_view_open(logs->store, logs->number, &view, &logs->err);
    if (r) return r;
    struct core_summary summary;
    struct scan scan = {.logs = logs, .core = engine_view_core(view), .wanted = CORE_NONE};
    core_get_summary(scan.core, &summary);
    *ret_alive = !execution_state_is_terminal((uint8_t)summary.state);
    if (logs->task) {
        scan.wanted = core_find(scan.core, str_from(logs->task));
        if (scan.wanted == CORE_NONE) {
            r = error_set(&logs->err, ORCH_ERR_NOT_FOUND, "run %s has no task \"%s\"", logs->id, logs->task);
            error_hint(&logs->err, "orch show %s  lists its tasks", logs->id);
        }
    }
    arena_init(&scan.arena, NULL, 0);
    buf_init(&scan.path, NULL, 0);
    if (!r) r = store_each_record(logs->store, logs->number, 1, scan_record, &scan, &logs->err);
    buf_done(&scan.path);
    arena_done(&scan.arena);
    engine_view_close(view);
    return r;
}

static int by_time(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    if (x->source != y->source) return x->source < y->source ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void print_line(struct logs *logs, const struct line *line)
{
    static const enum cli_color shades[] = {COLOR_BLUE, COLOR_GREEN, COLOR_YELLOW, COLOR_NONE};
    bool color = cli_style.color_out;
    struct buf out;
    buf_init(&out, NULL, 0);
    if (logs->times) {
        time_format(line->at, true, &out);
        buf_add_char(&out, ' ');
    }
    if (!logs->task || logs->sources_count > 1) {
        const struct source *source = &logs->sources[line->source];
        enum cli_color shade = shades[str_hash(source->path) % 4];
        buf_printf(&out, "%s%.*s%s | ", cli_color(color, shade), STR_ARG(source->path), cli_color_end(color, shade));
    }
    if (logs->raw) buf_add(&out, line->text);
    else cli_clean(line->text, 0, color, &out);
    buf_add_char(&out, '\n');
    fwrite(out.data, 1, out.size, stdout);
    buf_done(&out);
}

static int read_new(struct logs *logs)
{
    int r = 0;
    logs->lines_count = 0;
    arena_clear(&logs->lines_arena);
    for (uint32_t i = 0; i < logs->sources_count && !r; i++) {
        struct source *source = &logs->sources[i];
        logs->reading = i;
        r = logfile_each_counted(source->file.data, source->offset, &source->offset, add_line, logs, &logs->damaged, &logs->err);
        if (r == ORCH_ERR_NOT_FOUND) r = 0;
    }
    if (r) return r;
    if (logs->sources_count > 1) qsort(logs->lines, logs->lines_count, sizeof *logs->lines, by_time);
    uint32_t from = logs->tail && logs->lines_count > logs->tail && !logs->any ? logs->lines_count - logs->tail : 0;
    for (uint32_t i = from; i < logs->lines_count; i++) print_line(logs, &logs->lines[i]);
    if (logs->lines_count) logs->any = true;
    return fflush(stdout) == 0 ? 0 : error_set(&logs->err, ORCH_ERR_IO, "standard output is closed");
}

static int show_logs(struct logs *logs)
{
    bool alive = false;
    int r = find_sources(logs, &alive);
    if (!r && logs->attempt && !logs->sources_count && !(logs->follow && alive)) {
        r = error_set(&logs->err, ORCH_ERR_NOT_FOUND, "there is no attempt %u of %s", logs->attempt, logs->task ? logs->task : "any task");
        if (!logs->attempts_known) error_hint(&logs->err, "nothing of it was started");
        else if (logs->attempts_known == 1) error_hint(&logs->err, "there was attempt 1");
        else error_hint(&logs->err, "there were attempts 1 to %u", logs->attempts_known);
    }
    if (!r) r = read_new(logs);
    while (!r && logs->follow && alive && store_is_owned(logs->store)) {
        struct timespec pause = {.tv_nsec = FOLLOW_MS * 1000000L};
        nanosleep(&pause, NULL);
        r = find_sources(logs, &alive);
        if (!r) r = read_new(logs);
    }
    return r;
}

static int compile_pattern(struct logs *logs)
{
    int code;
    PCRE2_SIZE offset;
    if (!logs->grep) return 0;
    logs->pattern = pcre2_compile((PCRE2_SPTR)logs->grep, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &code, &offset, NULL);
    if (!logs->pattern) {
        PCRE2_UCHAR text[120];
        pcre2_get_error_message(code, text, sizeof text);
        return error_set(&logs->err, ORCH_ERR_USAGE, "--grep: %s at %zu", (const char *)text, (size_t)offset);
    }
    logs->match = pcre2_match_data_create_from_pattern(logs->pattern, NULL);
    return logs->match ? 0 : error_memory(&logs->err);
}

int cli_logs(int argc, char **argv)
{
    struct logs logs = {0};
    const struct cli_option options[] = {{"follow", 'f', OPTION_FLAG, &logs.follow, NULL, "go on as more is written, until the run ends", NULL},
                                         {"attempt", 0, OPTION_COUNT, &logs.attempt, "N", "this attempt only", NULL},
                                         {"tail", 0, OPTION_COUNT, &logs.tail, "N", "the last N lines", NULL},
                                         {"since", 0, OPTION_TEXT, &logs.since, "TIME", "written since: 5m, or a moment", NULL},
                                         {"grep", 0, OPTION_TEXT, &logs.grep, "RE", "lines that match", NULL},
                                         {"times", 't', OPTION_FLAG, &logs.times, NULL, "the time before each line", NULL},
                                         {"raw", 0, OPTION_FLAG, &logs.raw, NULL, "as written, with control characters", NULL},
                                         {"store", 0, OPTION_TEXT, &logs.store_option, "DIR", "where the run is kept", NULL},
                                         {0}};
    const struct cli_usage usage = {.verb = "logs",
                                    .arguments = "[RUN] [TASK]",
                                    .summary = "Prints what a run's tasks wrote, by time; of the latest run when none is named",
                                    .examples = "  orch logs r-7Q2K\n  orch logs r-7Q2K 'clean[183]' --tail 20\n  orch logs last -f --grep error",
                                    .options = options,
                                    .positionals_max = 2};
    int count, r = cli_parse(&usage, argc, argv, &count);
    if (r >= 0) return r;
    logs.run = count > 0 ? argv[1] : NULL;
    logs.task = count > 1 ? argv[2] : NULL;
    arena_init(&logs.arena, NULL, 0);
    arena_init(&logs.lines_arena, NULL, 0);
    r = compile_pattern(&logs);
    orch_time since;
    if (!r && logs.since) {
        if (duration_parse(str_from(logs.since), &since, NULL) == 0) logs.from = clock_wall() - since;
        else if (time_parse(str_from(logs.since), &logs.from))
            r = error_set(&logs.err, ORCH_ERR_USAGE, "--since wants a duration (5m) or a moment, not \"%s\"", logs.since);
    }
    if (!r) r = cli_store_read(logs.store_option, &logs.arena, &logs.store, &logs.err);
    if (!r) r = cli_run_number(logs.store, logs.run, &logs.number, &logs.err);
    if (!r) {
        store_execution_id(logs.number, logs.id);
        logs.dir = str_from(store_path(logs.store));
        r = show_logs(&logs);
        if (!r && logs.damaged)
            cli_note(logs.id, "%llu damaged line%s left out: what was written there cannot be read", (unsigned long long)logs.damaged,
                     logs.damaged == 1 ? " is" : "s are");
    }
    if (logs.store) store_close(logs.store);
    pcre2_match_data_free(logs.match);
    pcre2_code_free(logs.pattern);
    free(logs.sources);
    free(logs.lines);
    arena_done(&logs.lines_arena);
    arena_done(&logs.arena);
    return r ? cli_error(&logs.err) : EXIT_OK;
}
