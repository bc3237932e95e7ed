/*
 * small_store.c - see small_store.h. The executions are stepped by the core as the engine does it.
 */
#include "small_store.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/core.h"
#include "lang/diag.h"

static const char definition[] =
    "name: w\nparameters: {n: {type: integer, default: 3}, text: {type: string, default: ''}}\ntasks:\n"
    "  a: {shell: x, retry: {max_attempts: 2}}\n"
    "  l: {depends_on: [a], for_each: {in: [1, 2]}, shell: y, compensate: {shell: z}}\n"
    "  w: {depends_on: [a], approval: ok}\n";

_Noreturn static void die(const char *what, const struct orch_error *err)
{
    fprintf(stderr, "small store: %s: %s\n", what, err ? err->message : "");
    abort();
}

static void append(struct store *store, const struct store_entry *entry)
{
    struct orch_error err = ORCH_ERROR_INIT;
    if (store_append(store, entry, 1, NULL, NULL, &err)) die("append", &err);
    while (store_pending(store) > 0)
        if (store_poll(store) == 0) usleep(50);
}

struct making {
    struct store *store;
    const struct workflow *workflow;
    char digest[65];
    struct core *core;
    struct store_execution row;
    uint64_t seq;
    struct arena arena;
};

static char blob_text[600];

static void step(struct making *making, const struct core_input *input, bool has_blob)
{
    struct core_transitions out = {0};
    struct core_summary summary;
    struct orch_error err = ORCH_ERROR_INIT;
    struct buf record;
    if (core_step(making->core, input, &making->arena, &out, &err)) die("step", &err);
    core_get_summary(making->core, &summary);
    bool is_first = making->seq == 1;
    making->row.state = (uint8_t)summary.state;
    making->row.generation = summary.generation;
    making->row.tasks_total = summary.tasks_total;
    making->row.tasks_done = summary.tasks_done;
    making->row.tasks_failed = summary.states[TASK_FAILED] + summary.states[TASK_TIMED_OUT];
    making->row.created_at = making->row.started_at = summary.started_at;
    making->row.ended_at = summary.ended_at;
    making->row.updated_at = input->now;
    making->row.error = summary.error;
    buf_init(&record, NULL, 0);
    transitions_encode(out.items, out.count, &record);
    struct store_blob blob = {1, str_of(blob_text, sizeof blob_text)};
    struct store_entry entry = {.number = making->row.number,
                                .first_seq = making->seq,
                                .count = out.count,
                                .record = buf_str(&record),
                                .create = is_first ? &making->row : NULL,
                                .update = is_first ? NULL : &making->row,
                                .blobs = &blob,
                                .blobs_count = has_blob};
    append(making->store, &entry);
    making->seq += out.count;
    buf_done(&record);
}

static uint64_t fence_of(const struct making *making, uint32_t instance)
{
    return core_get_instance(making->core, instance)->detail->fence;
}

static void done(struct making *making, uint32_t instance, enum failure failure, orch_time now)
{
    struct core_input input = {.type = INPUT_ATTEMPT_DONE, .now = now, .instance = instance};
    bool has_blob = instance == 0 && failure == FAILURE_NONE;
    input.done.fence = fence_of(making, instance);
    input.done.failure = failure;
    input.done.exit_code = failure == FAILURE_EXIT ? 7 : 0;
    input.done.error = failure == FAILURE_NONE ? STR_NONE : STR("exit code 7");
    if (has_blob) {
        input.done.blob = 1;
        input.done.blob_size = sizeof blob_text;
    }
    step(making, &input, has_blob);
}

static void admit(struct making *making, uint32_t instance, orch_time now)
{
    struct core_input input = {.type = INPUT_ADMIT, .now = now, .instance = instance};
    step(making, &input, false);
}

/* kind 0: just started; 1: its first task runs; 2: it was cancelled; 3: failed at its first task, twice; 4: waits, with
 * a large output. */
static void make_execution(struct making *making, int kind)
{
    struct core_env env = {0};
    struct value given = value_null();
    char text[1100]; /* longer than what a row keeps */
    making->core = core_new(making->workflow, 1, &env, NULL);
    making->seq = 1;
    arena_init(&making->arena, NULL, 0);
    if (!making->core) die("core", NULL);
    memset(text, 'p', sizeof text);
    struct value_member member = {value_string(STR("text")), value_string(str_of(text, sizeof text))};
    if (kind == 2 && value_map(&member, 1, &making->arena, &given)) die("parameters", NULL);
    struct core_input input = {
        .type = INPUT_START, .now = 1000000 * (kind + 1), .instance = CORE_NONE, .by = STR("me")};
    struct orch_error err = ORCH_ERROR_INIT;
    struct buf parameters;
    char id[20];
    if (value_map(NULL, 0, &making->arena, &input.start.env) ||
        workflow_parameters(making->workflow, given, false, &making->arena, NULL, &input.start.parameters, &err))
        die("parameters", &err);
    buf_init(&parameters, NULL, 0);
    json_format(input.start.parameters, 0, &parameters);
    making->row = (struct store_execution){.number = store_next_number(making->store),
                                           .workflow = making->workflow->name,
                                           .digest = str_from(making->digest),
                                           .base_dir = STR("/srv/w"),
                                           .file = STR("/srv/w/w.yaml"),
                                           .parameters = buf_str(&parameters),
                                           .by = STR("me"),
                                           .parent = kind == 1 ? 1 : 0};
    store_execution_id(making->row.number, id);
    input.start.id = str_from(id);
    step(making, &input, false);
    orch_time now = input.now + 5000;
    if (kind >= 1) admit(making, 0, now);
    if (kind == 2) {
        input = (struct core_input){.type = INPUT_CANCEL, .now = now + 1, .instance = CORE_NONE, .by = STR("me")};
        step(making, &input, false);
        done(making, 0, FAILURE_CANCELLED, now + 2);
    }
    if (kind == 3) {
        done(making, 0, FAILURE_EXIT, now + 1);
        input = (struct core_input){.type = INPUT_TIMER, .now = now + 600 * ORCH_SECOND, .instance = CORE_NONE};
        step(making, &input, false);
        admit(making, 0, now + 601 * ORCH_SECOND);
        done(making, 0, FAILURE_EXIT, now + 602 * ORCH_SECOND);
    }
    if (kind == 4) done(making, 0, FAILURE_NONE, now + 1);
    buf_done(&parameters);
    making->core = core_free(making->core);
    arena_done(&making->arena);
}

/* Called by SQLite with each connection that is opened. A database that is there keeps the size it has. */
static int set_page_size(sqlite3 *db, char **message, const struct sqlite3_api_routines *routines)
{
    (void)message, (void)routines;
    return sqlite3_exec(db, "PRAGMA page_size=512", NULL, NULL, NULL);
}

void small_store_make(const char *path, enum small_store_kind store_kind, bool has_small_pages)
{
    pid_t pid = fork();
    if (pid < 0) die("fork", NULL);
    if (pid > 0) {
        int status = 0;
        bool is_waited = waitpid(pid, &status, 0) == pid;
        if (!is_waited || (store_kind != SMALL_CLOSED ? !WIFSIGNALED(status) : status != 0)) die("child", NULL);
        return;
    }
    struct orch_error err = ORCH_ERROR_INIT;
    struct store_options options = {.mode = STORE_OWN};
    struct making making = {.store = NULL};
    struct arena arena;
    if (has_small_pages && sqlite3_auto_extension((void (*)(void))set_page_size) != SQLITE_OK) die("page size", NULL);
    arena_init(&arena, NULL, 0);
    memset(blob_text, 'b', sizeof blob_text);
    blob_text[0] = blob_text[sizeof blob_text - 1] = '"';
    struct diags *diags = ARENA_NEW(&arena, struct diags);
    if (!diags) die("memory", NULL);
    diags_init(diags, &arena);
    if (workflow_read(str_from(definition), STR("w.yaml"), &arena, diags, &making.workflow)) die("definition", NULL);
    store_digest(making.workflow->normal, making.digest);
    if (store_open(path, &options, &making.store, &err)) die("open", &err);
    if (store_put_definition(making.store, str_from(making.digest), making.workflow->name, making.workflow->normal,
                             &err))
        die("definition", &err);
    for (int kind = 0; kind < (store_kind == SMALL_YOUNG ? 1 : SMALL_EXECUTIONS); kind++) {
        make_execution(&making, kind);
        if (store_kind == SMALL_CRASHED && kind == 2) {
            making.store = store_close(making.store);
            if (store_open(path, &options, &making.store, &err)) die("open", &err);
        }
    }
    if (store_kind != SMALL_CLOSED) (void)raise(SIGKILL);
    (void)store_close(making.store);
    arena_done(&arena);
    _exit(0);
}
