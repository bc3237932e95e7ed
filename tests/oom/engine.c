/*
 * engine.c - out of memory in whole runs: definitions loaded, tasks of every kind carried out, commands given,
 * everything recorded.
 *
 * An engine that is out of memory may fail; then it is closed, opened again with memory, and what is alive is taken up.
 * Either way each execution ends: as it does when nothing fails, with the same output, or, when memory stayed away for
 * good, failed with an error that says so. What was acknowledged is there. No secret is in a log.
 */
#include "oom.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions/output.h"
#include "engine/engine.h"
#include "store/internal.h"
#include "sys/mask.h"

#define SECRET "hunter22-of-this-test"

struct kind {
    const char *definition;
    bool is_on_disk;
};

struct world {
    const struct kind *kind;
    char folder[64], store[80], file[80];
    struct engine *engine;
    struct action_functions *functions;
    int64_t number; /* of the execution; 0: not started */
    bool ended, signalled, approved;
    uint8_t state;
    char output[400], error[400];
    int worst;
};

/* What comes out when nothing fails. */
static char expected[2][400];

/* ---- files ---- */

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(name);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    OOM_CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static int look_for_secret(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
    static char text[1 << 16];
    (void)st;
    (void)ftw;
    if (type != FTW_F || !strstr(name, "/logs/")) return 0;
    FILE *file = fopen(name, "r");
    OOM_CHECK(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    if (strstr(text, SECRET)) oom_wrong("the secret is in a log: %s", text);
    return 0;
}

/* ---- functions ---- */

static int fn_echo(const struct action_function_call *call, void *user, struct value *ret, struct orch_error *err)
{
    const struct value *value = value_get(call->parameters, STR("value"));
    (void)user;
    (void)err;
    if (value) *ret = *value;
    return 0;
}

/* Fails at first. */
static int fn_flaky(const struct action_function_call *call, void *user, struct value *ret, struct orch_error *err)
{
    (void)user;
    if (call->attempt_number < 2) return error_set(err, ORCH_ERR_IO, "not yet");
    *ret = value_int(1);
    return 0;
}

static int fn_big(const struct action_function_call *call, void *user, struct value *ret, struct orch_error *err)
{
    size_t size = 70000;
    char *text = arena_bytes(call->arena, size);
    (void)user;
    if (!text) return error_memory(err);
    memset(text, 'x', size);
    *ret = value_string(str_of(text, size));
    return 0;
}

/* ---- an engine ---- */

static void on_ended(void *user, struct engine_execution *execution)
{
    struct world *world = user;
    struct core_summary summary;

    if (engine_execution_number(execution) != world->number) return;
    core_get_summary(engine_execution_core(execution), &summary);
    world->ended = true;
    world->state = (uint8_t)summary.state;
    snprintf(world->output, sizeof world->output, "%.*s", STR_ARG(summary.output));
    snprintf(world->error, sizeof world->error, "%.*s", STR_ARG(summary.error));
}

static void on_transitions(void *user, struct engine_execution *execution, uint64_t first_seq,
                           const struct core_transition *items, uint32_t count)
{
    struct buf text;
    (void)user;
    if (!getenv("OOM_TELL")) return;
    fail_pause();
    buf_init(&text, NULL, 0);
    for (uint32_t i = 0; i < count; i++) {
        transition_format_json(&items[i], first_seq + i, &text);
        buf_add_char(&text, '\n');
    }
    fprintf(stderr, "%s:\n%.*s", engine_execution_id(execution), STR_ARG(buf_str(&text)));
    buf_done(&text);
    fail_resume();
}

static int open_engine(struct world *world)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct engine_options options = {.store_path = world->kind->is_on_disk ? world->store : NULL,
                                     .no_sync = true,
                                     .jobs = 4,
                                     .functions = world->functions,
                                     .control = world->kind->is_on_disk,
                                     .observer = {.transitions = on_transitions, .ended = on_ended, .user = world}};
    int r = engine_open(&options, &world->engine, &err);

    if (r != 0) {
        world->engine = NULL;
        if (r != ORCH_ERR_NO_MEMORY || !fail_has_failed())
            oom_wrong("the engine cannot be opened: %s: %s", orch_error_name(r), err.message);
    }
    return r;
}

static int start(struct world *world)
{
    static struct diags diags;
    struct orch_error err = ORCH_ERROR_INIT;
    struct engine_version *version = NULL;
    struct engine_execution *execution;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    diags_init(&diags, &arena);
    int r =
        engine_load(world->engine, str_from(world->kind->definition), str_from(world->file), &diags, &version, &err);
    if (r == 0) {
        struct engine_start start = {.version = version, .by = STR("me"), .file = str_from(world->file)};
        r = workflow_parameters(engine_version_workflow(version), value_null(), false, &arena, NULL, &start.parameters,
                                &err);
        if (r == 0) r = engine_start(world->engine, &start, &execution, &err);
        if (r == 0) world->number = engine_execution_number(execution);
        (void)engine_version_unref(version);
    }
    if (r != 0 && (r != ORCH_ERR_NO_MEMORY || !fail_has_failed()))
        oom_wrong("it cannot be started: %s: %s", orch_error_name(r), err.message);
    arena_done(&arena);
    return r;
}

/* A command that is out of memory is given again, with memory. */
static bool was_taken(struct world *world, int r)
{
    if (r == 0) return true;
    if (r == ORCH_ERR_NO_MEMORY) {
        OOM_CHECK(fail_has_failed());
        world->worst = r;
        fail_disarm();
    } else if (r != ORCH_ERR_STATE) { /* the engine has stopped meanwhile, or the task is over */
        oom_wrong("a command gives %s", orch_error_name(r));
    }
    return false;
}

static bool is_done(void *user)
{
    struct world *world = user;
    struct engine_execution *execution = engine_find(world->engine, world->number);

    if (!execution) return engine_count(world->engine) == 0;
    const struct core *core = engine_execution_core(execution);
    for (uint32_t i = 0; i < core_instance_count(core); i++) {
        const struct core_instance *instance = core_get_instance(core, i);
        if (instance->state != TASK_WAITING) continue;
        if (instance->reason == REASON_EVENT && !world->signalled)
            world->signalled = was_taken(world, engine_signal(world->engine, execution, STR("go"), STR("{\"n\":2}"),
                                                              STR("me"), NULL, NULL, NULL));
        if (instance->reason == REASON_APPROVAL && !world->approved)
            world->approved = was_taken(world, engine_approve(world->engine, execution, STR("ask"), true, STR("me"),
                                                              STR_NONE, NULL, NULL, NULL));
    }
    return false;
}

static void run(struct world *world)
{
    struct orch_error err = ORCH_ERROR_INIT;
    int r = engine_run(world->engine, is_done, world, &err);

    if (r == 0) return;
    OOM_CHECK(r == err.code);
    if (r != ORCH_ERR_NO_MEMORY || !fail_has_failed()) oom_wrong("it stops: %s: %s", orch_error_name(r), err.message);
    world->worst = r;
}

static int keep_number(void *user, const struct store_execution *execution)
{
    if (execution->parent == 0) *(int64_t *)user = execution->number;
    return 0;
}

/* With memory: what is alive is taken up, or it is started once more when nothing of it is there. */
static void run_again(struct world *world)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct engine_execution *execution;
    int64_t alive = 0;

    fail_disarm();
    world->engine = engine_close(world->engine);
    world->signalled = world->approved = false;
    OOM_CHECK(open_engine(world) == 0);
    OOM_CHECK(store_each_alive(engine_store(world->engine), keep_number, &alive, &err) == 0);
    if (alive == 0) {
        OOM_CHECK(start(world) == 0);
    } else {
        OOM_CHECK(world->number == 0 || world->number == alive);
        world->number = alive;
        if (engine_resume(world->engine, alive, &execution, &err) != 0) oom_wrong("resume: %s", err.message);
    }
    run(world);
}

/* It is recorded as it was told. */
static void check_record(struct world *world)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct engine_view *view;
    struct core_summary summary;

    if (engine_view_open(engine_store(world->engine), world->number, &view, &err) != 0)
        oom_wrong("it cannot be looked at: %s", err.message);
    core_get_summary(engine_view_core(view), &summary);
    OOM_CHECK(summary.state == world->state && str_equal(summary.output, str_from(world->output)));
    engine_view_close(view);
}

static int play(const void *arg, uint64_t *digest)
{
    struct world world = {.kind = arg};
    char *is = expected[world.kind->is_on_disk], name[120];

    fail_pause();
    snprintf(world.folder, sizeof world.folder, "%s/orch-oom-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    OOM_CHECK(mkdtemp(world.folder));
    snprintf(world.store, sizeof world.store, "%s/store", world.folder);
    snprintf(world.file, sizeof world.file, "%s/main.yaml", world.folder);
    snprintf(name, sizeof name, "%s/sub.yaml", world.folder);
    write_file(name, "parameters: {n: {type: integer}}\ntasks: {s: {transform: 'n * 2'}}\noutput: '{{ s.output }}'\n");
    write_file(world.file, world.kind->definition);
    world.functions = action_functions_new(NULL);
    OOM_CHECK(world.functions && action_functions_add(world.functions, STR("echo"), fn_echo, NULL, NULL) == 0 &&
              action_functions_add(world.functions, STR("flaky"), fn_flaky, NULL, NULL) == 0 &&
              action_functions_add(world.functions, STR("big"), fn_big, NULL, NULL) == 0);
    fail_resume();

    world.worst = open_engine(&world);
    if (world.worst == 0) world.worst = start(&world);
    if (world.worst == 0) run(&world);
    if (!world.ended) run_again(&world);
    fail_disarm();
    OOM_CHECK(world.ended);
    check_record(&world);
    world.engine = engine_close(world.engine);
    action_functions_free(world.functions);
    (void)nftw(world.folder, look_for_secret, 16, FTW_PHYS);
    (void)nftw(world.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);

    if (!is[0]) memcpy(is, world.output, sizeof world.output);
    if (world.state == EXECUTION_SUCCEEDED && strcmp(world.output, is) != 0) oom_wrong("it gives %s", world.output);
    if (world.state != EXECUTION_SUCCEEDED) {
        /* Every attempt was short of memory, or what the core evaluates was. */
        if (!fail_has_failed() || !strstr(world.error, "memory"))
            oom_wrong("it is %s: %s", execution_state_to_string((enum execution_state)world.state), world.error);
        world.worst = ORCH_ERR_NO_MEMORY;
    }
    digest_str(digest, str_from(world.output));
    return world.worst;
}

/* ---- looking at a run that is over ---- */

static char there[64], there_path[80];

/* A store with one run in it. */
static void prepare(void)
{
    struct world world = {.kind = &(const struct kind){"tasks:\n  a: {transform: '[1, 2]'}\n  b: {depends_on: [a], "
                                                       "for_each: {in: '{{ a.output }}', as: i}, transform: i}\n",
                                                       true}};

    snprintf(there, sizeof there, "%s/orch-oom-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    OOM_CHECK(mkdtemp(there));
    snprintf(there_path, sizeof there_path, "%s/store", there);
    snprintf(world.store, sizeof world.store, "%s", there_path);
    snprintf(world.file, sizeof world.file, "%s/main.yaml", there);
    write_file(world.file, world.kind->definition);
    OOM_CHECK(open_engine(&world) == 0 && start(&world) == 0);
    run(&world);
    OOM_CHECK(world.ended && world.state == EXECUTION_SUCCEEDED);
    engine_close(world.engine);
}

static int look(const void *arg, uint64_t *digest)
{
    struct store_options options = {.mode = STORE_READ};
    struct orch_error err = ORCH_ERROR_INIT;
    struct engine_view *view;
    struct store *store;

    (void)arg;
    int r = store_open(there_path, &options, &store, &err);
    OOM_CHECK(r == err.code);
    if (r != 0) return r;
    r = engine_view_open(store, 1, &view, &err);
    OOM_CHECK(r == err.code);
    if (r == 0) {
        digest_number(digest, core_digest(engine_view_core(view)));
        digest_str(digest, engine_view_row(view)->file);
        engine_view_close(view);
    }
    store_close(store);
    return r;
}

/* ---- what a process wrote ---- */

struct written {
    struct output_capture capture;
    struct buf log; /* the test's own */
    const struct orch_str *secrets;
};

static void on_line(void *user, struct orch_str text, bool is_whole)
{
    struct written *written = user;
    struct arena arena;

    output_capture_add(&written->capture, text, is_whole);
    fail_pause();
    arena_init(&arena, NULL, 0);
    buf_add(&written->log, mask_secrets(text, written->secrets, 1, &arena));
    buf_add_char(&written->log, '\n');
    arena_done(&arena);
    fail_resume();
}

/* Lines in pieces, with a secret across them: no part of it is seen, and the value is whole or out of memory. */
static int output(const void *arg, uint64_t *digest)
{
    static const char *const pieces[] = {
        "one li", "ne\nthe hunter", "22-of-this-test is", " said\nhunter2", "2-of-this-test\n", "{\"n\":", "[1,2]}",
        "\n"};
    struct orch_str secret = STR(SECRET), value = STR_NONE, remark;
    struct written written = {.secrets = &secret};
    struct output_lines lines = {.secrets = &secret, .secrets_count = 1};
    struct orch_error err = ORCH_ERROR_INIT;
    struct arena arena;

    (void)arg;
    arena_init(&arena, NULL, 0);
    buf_init(&written.log, NULL, 0);
    buf_init(&written.capture.kept, NULL, OUTPUT_STDOUT_MAX + 1);
    buf_init(&lines.partial, NULL, OUTPUT_LINE_MAX);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        output_lines_feed(&lines, pieces[i], strlen(pieces[i]), on_line, &written);
    output_lines_finish(&lines, on_line, &written);
    int r = lines.failed ? ORCH_ERR_NO_MEMORY : output_parse(STR_NONE, &written.capture, &arena, &value, &remark, &err);
    for (size_t size = 5; size <= secret.size; size++) {
        OOM_CHECK(str_find(buf_str(&written.log), str_of(secret.data, size), 0) == SIZE_MAX);
        OOM_CHECK(str_find(buf_str(&written.log), str_of(secret.data + secret.size - size, size), 0) == SIZE_MAX);
    }
    if (r == 0) digest_str(digest, value);
    fail_pause();
    buf_done(&written.log);
    fail_resume();
    buf_done(&written.capture.kept);
    arena_done(&arena);
    return r;
}

#define RETRY "retry: {max_attempts: 4, delay: 1ms}"

static const char in_memory[] =
    "parameters: {n: {type: integer, default: 3}}\n"
    "tasks:\n"
    "  flaky: {function: {name: flaky}, " RETRY "}\n"
    "  big: {function: {name: big}, " RETRY "}\n"
    "  each: {for_each: {in: [1, 2, 3], as: i}, function: {name: echo, parameters: {value: '{{ i * n }}'}}, " RETRY
    "}\n"
    "  sub: {workflow: {name: sub, parameters: {n: '{{ n }}'}}, " RETRY "}\n"
    "  go: {wait: {event: go, filter: event.n > 1}}\n"
    "  ask: {approval: 'ready for {{ n }}?'}\n"
    "  late: {wait: 2ms}\n"
    "  last: {depends_on: [flaky, big, each, sub, go, ask, late], transform:"
    " '[flaky.output, size(big.output), each.output, sub.output, go.output.n, ask.status]'}\n"
    "output: '{{ last.output }}'\n";

static const char on_disk[] = "secrets: [KEY]\n"
                              "parameters: {n: {type: integer, default: 3}}\n"
                              "tasks:\n"
                              "  shell: {shell: 'echo \"::orch progress 1/2 half\"; echo \"key $K\"; echo "
                              "\"{\\\"n\\\": 3}\"', env: {K: '{{ secrets.KEY }}'}, " RETRY "}\n"
                              "  script: {depends_on: [shell], script: {text: \"read x; echo \\\"$x\\\"\\necho err "
                              ">&2\\n\", interpreter: sh}, stdin: '{{ shell.output }}', " RETRY "}\n"
                              "  file: {depends_on: [shell], exec: [sh, -c, 'cat \"$ORCH_INPUTS\"/* >/dev/null; echo 7 "
                              ">\"$ORCH_OUTPUT\"'], " RETRY "}\n"
                              "  big: {function: {name: big}, " RETRY "}\n"
                              "  note: {notification: {message: 'n is {{ n }}', channels: [log]}, " RETRY "}\n"
                              "  sub: {workflow: {name: sub, parameters: {n: '{{ n }}'}}, " RETRY "}\n"
                              "  last: {depends_on: [script, file, big, note, sub], transform: '[script.output, "
                              "file.output, size(big.output), sub.output]'}\n"
                              "output: '{{ last.output }}'\n";

int main(int argc, char **argv)
{
    static const struct kind kinds[] = {{in_memory, false}, {on_disk, true}};
    static const struct oom_scenario scenarios[] = {
        {.group = "output of processes", .name = "output", .run = output},
        {.group = "looking at a run", .name = "look", .run = look},
        {.group = "engine, memory store",
         .name = "memory",
         .run = play,
         .arg = &kinds[0],
         .has_threads = true,
         .may_differ = true},
        {.group = "engine, SQLite store",
         .name = "disk",
         .run = play,
         .arg = &kinds[1],
         .has_threads = true,
         .may_differ = true},
    };

    setenv("ORCH_SECRET_KEY", SECRET, 1);
    oom_init();
    prepare();
    int code = oom_main(argc, argv, scenarios, sizeof scenarios / sizeof scenarios[0]);
    (void)nftw(there, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return code;
}
