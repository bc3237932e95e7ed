/*
 * watch.c - orch watch: follows a run that another process carries out, as `run` shows its own.
 *
 * Its journal is read as it grows, and what its tasks write. Nothing is written: who watches may go at any moment.
 */
#include <signal.h>
#include <stdlib.h>

#include "base/error.h"
#include "cli/follow.h"
#include "cli/progress.h"
#include "sys/clock.h"
#include "sys/logfile.h"

/* The log of an attempt under way. */
struct source {
    uint32_t instance, attempt;
    uint64_t offset;
    struct orch_str file; /* allocated; data NULL: a free place */
};

struct watch {
    struct store *store;
    struct engine_view *view;
    struct progress *progress;
    struct follow follow;
    char id[20];
    uint32_t generation;
    orch_time since;  /* lines written before are not shown */
    struct source *sources;
    uint32_t sources_count;
    struct source *reading;
    struct buf text;
    bool left;        /* nobody runs it any more */
    struct orch_error err;
};

static enum log_stream stream_of(char letter)
{
    return letter == 'o' ? LOG_STDOUT : letter == 'e' ? LOG_STDERR : LOG_SYSTEM;
}

static int show_line(void *user, orch_time at, char stream, struct orch_str line)
{
    struct watch *watch = user;
    if (at >= watch->since) progress_told_log(watch->progress, watch->reading->instance, watch->reading->attempt, stream_of(stream), line);
    return 0;
}

static void read_source(struct watch *watch, struct source *source)
{
    watch->reading = source;
    /* An attempt that wrote nothing has no file. */
    if (source->file.data) (void)logfile_each(source->file.data, source->offset, &source->offset, show_line, watch, NULL);
}

static void source_end(struct watch *watch, uint32_t instance)
{
    for (uint32_t i = 0; i < watch->sources_count; i++) {
        struct source *source = &watch->sources[i];
        if (!source->file.data || source->instance != instance) continue;
        read_source(watch, source);
        free((char *)source->file.data);
        source->file = STR_NONE;
    }
}

static void source_begin(struct watch *watch, uint32_t instance, uint32_t attempt)
{
    uint32_t at = 0;
    while (at < watch->sources_count && watch->sources[at].file.data) at++;
    if (at == watch->sources_count) {
        struct source *sources = realloc(watch->sources, (size_t)(at + 64) * sizeof *sources);
        if (!sources) return; /* its lines are not shown; orch logs has them */
        memset(sources + at, 0, 64 * sizeof *sources);
        watch->sources = sources;
        watch->sources_count = at + 64;
    }
    struct buf path;
    buf_clear(&watch->text);
    core_path(engine_view_core(watch->view), instance, &watch->text);
    buf_init(&path, NULL, 16384);
    logfile_path(str_from(store_path(watch->store)), str_from(watch->id), buf_str(&watch->text), watch->generation, attempt, &path);
    char *file = path.failed ? NULL : strdup(path.data);
    buf_done(&path);
    if (file) watch->sources[at] = (struct source){.instance = instance, .attempt = attempt, .file = str_from(file)};
}

static bool tell(void *user, uint64_t sequence, const struct core_transition *transition)
{
    struct watch *watch = user;
    /* What an attempt wrote comes before how it ended. */
    if (transition->type == TRANSITION_ATTEMPT_FAILED || transition->type == TRANSITION_TASK_ENDED) source_end(watch, transition->instance);
    if (transition->type == TRANSITION_EXECUTION_RETRIED) watch->generation = transition->index;
    progress_told(watch->progress, sequence, transition);
    if (transition->type == TRANSITION_ATTEMPT_STARTED) source_begin(watch, transition->instance, transition->attempt);
    return true;
}

static bool is_over(const struct watch *watch, struct core_summary *summary)
{
    core_get_summary(engine_view_core(watch->view), summary);
    return execution_state_is_terminal((uint8_t)summary->state);
}

static void look(void *user)
{
    struct watch *watch = user;
    struct core_summary summary;
    /* First: what the last owner recorded before it went is read after it was seen to be gone. */
    bool owned = store_is_owned(watch->store);
    if (engine_view_advance(watch->view, UINT64_MAX, tell, watch, &watch->err)) return;
    struct buf folder;
    buf_init(&folder, NULL, 16384);
    buf_printf(&folder, "%s/logs/%s", store_path(watch->store), watch->id);
    if (!folder.failed) follow_logs(&watch->follow, folder.data);
    buf_done(&folder);
    for (uint32_t i = 0; i < watch->sources_count; i++) read_source(watch, &watch->sources[i]);
    if (!owned && !is_over(watch, &summary)) watch->left = true;
}

static bool is_done(void *user)
{
    struct watch *watch = user;
    struct core_summary summary;
    return watch->err.code || watch->left || is_over(watch, &summary);
}

static int each_running(void *user, uint32_t instance)
{
    struct watch *watch = user;
    source_begin(watch, instance, core_get_instance(engine_view_core(watch->view), instance)->attempt);
    return 0;
}

static int watch_run(struct watch *watch, enum progress_mode mode)
{
    struct core_summary summary;
    const struct core *core = engine_view_core(watch->view);
    int code = EXIT_OK;
    watch->progress = progress_new(mode);
    if (!watch->progress) return cli_error((error_memory(&watch->err), &watch->err));
    int r = follow_open(&watch->follow, store_path(watch->store), 0, look, watch, &watch->err);
    if (!r) {
        (void)is_over(watch, &summary);
        watch->generation = summary.generation;
        watch->since = clock_wall();
        progress_begin_watched(watch->progress, &watch->follow.loop, watch->store, core, watch->id);
        (void)core_each_running(core, each_running, watch);
        follow_run(&watch->follow, is_done);
        r = watch->err.code;
    }
    bool over = !r && is_over(watch, &summary);
    if (over) {
        code = cli_exit_code((uint8_t)summary.state);
        progress_told_end(watch->progress);
    } else if (!r && watch->follow.signal) {
        progress_say(watch->progress, "detached; orch watch %s comes back, orch cancel %s stops it", watch->id, watch->id);
        code = watch->follow.signal == SIGINT ? EXIT_SIGINT : EXIT_SIGTERM;
    }
    watch->progress = progress_close(watch->progress);
    follow_close(&watch->follow);
    if (!r && watch->left) {
        r = error_set(&watch->err, ORCH_ERR_UNAVAILABLE, "nobody runs %s now", watch->id);
        error_hint(&watch->err, "to go on with it: orch run --continue %s", watch->id);
    }
    return r ? cli_error(&watch->err) : code;
}

int cli_watch(int argc, char **argv)
{
    const char *store = NULL, *progress = "auto";
    const struct cli_option options[] = {{"progress", 0, OPTION_CHOICE, &progress, "MODE", "how the run is shown", "auto,tty,plain,jsonl,quiet"},
                                         {"store", 0, OPTION_TEXT, &store, "DIR", "where the run is kept", NULL},
                                         {0}};
    const struct cli_usage usage = {.verb = "watch",
                                    .arguments = "[RUN]",
                                    .summary = "Follows a run that another process carries out, until it ends, and exits as that does; Ctrl-C only stops watching",
                                    .examples = "  orch watch r-7Q2K\n  orch watch last --progress plain\n  orch watch --store etl/.orch",
                                    .options = options,
                                    .positionals_max = 1};
    int count, r = cli_parse(&usage, argc, argv, &count);
    if (r >= 0) return r;
    cli_style_tell(progress);
    struct watch watch = {0};
    struct arena arena;
    enum progress_mode mode = PROGRESS_PLAIN;
    int64_t number;
    arena_init(&arena, NULL, 0);
    buf_init(&watch.text, NULL, 1024u * 1024);
    r = cli_store_read(store, &arena, &watch.store, &watch.err);
    if (!r) r = cli_run_number(watch.store, count ? argv[1] : NULL, &number, &watch.err);
    if (!r) r = engine_view_open(watch.store, number, &watch.view, &watch.err);
    if (!r && !progress_mode_from_string(progress, &mode)) r = error_set(&watch.err, ORCH_ERR_USAGE, "--progress: unknown mode");
    if (!r) store_execution_id(number, watch.id);
    int code = r ? cli_error(&watch.err) : watch_run(&watch, mode);
    for (uint32_t i = 0; i < watch.sources_count; i++) free((char *)watch.sources[i].file.data);
    free(watch.sources);
    watch.view = engine_view_close(watch.view);
    if (watch.store) store_close(watch.store);
    buf_done(&watch.text);
    arena_done(&arena);
    return code;
}
