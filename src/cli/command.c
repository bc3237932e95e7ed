/*
 * command.c - what is said to a run: cancel, pause, resume, approve, signal, retry.
 *
 * When a process owns the store, it is asked over its socket. When none does, this one becomes the owner: for as long as recording the command takes, or,
 * where the command means work (cancel, retry), until that is done.
 */
#include "cli/run.h"

#include "base/error.h"

struct command {
    const char *name;           /* as the socket knows it */
    struct foreground_flags flags;
    const char *run;
    const char *task;
    const char *text;           /* reason, comment or the signal's data */
    const char *event;
    orch_time timeout;          /* for the owner's answer */
    bool approved;
    bool failed_only;
    struct arena arena;
    struct orch_str store, user;
    int64_t number;
    char id[20];
};

/* Which run is meant is found before anybody is asked. */
static int find_run(struct command *command, struct orch_error *err)
{
    struct store *store;
    arena_init(&command->arena, NULL, 0);
    command->store = cli_store_path(command->flags.store, NULL, &command->arena);
    command->user = cli_user(&command->arena);
    if (!command->store.data || !command->user.data) return error_memory(err);
    int r = cli_store_read(command->flags.store, &command->arena, &store, err);
    if (r) return r;
    r = cli_run_number(store, command->run, &command->number, err);
    store_close(store);
    if (!r) store_execution_id(command->number, command->id);
    return r;
}

static int add(struct value_member *members, uint32_t *count, const char *key, struct value value)
{
    members[(*count)++] = (struct value_member){value_string(str_from(key)), value};
    return 0;
}

#define TELL_AFTER (2 * ORCH_SECOND)
#define TIMEOUT_OPTION(command) {"timeout", 0, OPTION_TIME, &(command).timeout, "TIME", "how long to wait for the answer of who runs it (default: 30s)", NULL}

static void tell_waiting(void *user, int pid)
{
    const struct command *command = user;
    if (pid > 0) cli_note(command->id, "waiting for the process that runs it (pid %d) to answer; if it is stopped: kill -CONT %d", pid, pid);
    else cli_note(command->id, "waiting for the process that runs it to answer; it may be stopped");
}

static int ask_owner(struct command *command, struct orch_error *err)
{
    struct value_member members[8];
    struct value request, answer;
    uint32_t count = 0;
    add(members, &count, "command", value_string(str_from(command->name)));
    add(members, &count, "execution", value_string(str_from(command->id)));
    add(members, &count, "by", value_string(command->user));
    if (strcmp(command->name, "retry") == 0) {
        if (command->task) add(members, &count, "from", value_string(str_from(command->task)));
    } else if (strcmp(command->name, "cancel") == 0) {
        if (command->text) add(members, &count, "reason", value_string(str_from(command->text)));
    } else if (strcmp(command->name, "approve") == 0) {
        add(members, &count, "approved", value_bool(command->approved));
        if (command->task) add(members, &count, "task", value_string(str_from(command->task)));
        if (command->text) add(members, &count, "comment", value_string(str_from(command->text)));
    } else if (strcmp(command->name, "signal") == 0) {
        add(members, &count, "name", value_string(str_from(command->event)));
        if (command->text) {
            struct value data;
            int r = json_parse(str_from(command->text), NULL, &command->arena, &data, err);
            if (r) {
                error_context(err, "--data is no JSON");
                snprintf(err->file, sizeof err->file, "--data");
                return r;
            }
            add(members, &count, "data", data);
        }
    }
    if (value_map(members, count, &command->arena, &request)) return error_memory(err);
    const struct engine_control_wait wait = {.tell_after = TELL_AFTER, .timeout = command->timeout, .tell = tell_waiting, .user = command};
    return engine_control_ask(command->store.data, request, &wait, &command->arena, &answer, err);
}

struct recorded {
    bool done;
    int status;
};

static void on_recorded(void *user, int status)
{
    struct recorded *recorded = user;
    recorded->done = true;
    recorded->status = status;
}

static bool is_recorded(void *user)
{
    return ((struct recorded *)user)->done;
}

static int give(struct command *command, struct engine *engine, struct engine_execution *execution, struct recorded *recorded, struct orch_error *err)
{
    struct orch_str text = command->text ? str_from(command->text) : STR_NONE;
    if (strcmp(command->name, "pause") == 0) return engine_pause(engine, execution, command->user, on_recorded, recorded, err);
    if (strcmp(command->name, "resume") == 0) return engine_unpause(engine, execution, command->user, on_recorded, recorded, err);
    if (strcmp(command->name, "signal") == 0)
        return engine_signal(engine, execution, str_from(command->event), text, command->user, on_recorded, recorded, err);
    return engine_approve(engine, execution, command->task ? str_from(command->task) : STR_NONE, command->approved, command->user, text,
                          on_recorded, recorded, err);
}

/* Nobody runs it: the command is recorded, and takes effect when somebody goes on with the run. */
static int record_alone(struct command *command, struct orch_error *err)
{
    struct engine_options options = {.store_path = command->store.data, .jobs = 1, .secrets_dir = command->flags.secrets, .record_only = true,
                                     .reserve_size = RUN_RESERVE_SIZE};
    struct engine *engine;
    struct engine_execution *execution;
    struct recorded recorded = {0};
    int r = engine_open(&options, &engine, err);
    if (r) return r;
    r = engine_resume(engine, command->number, &execution, err);
    if (!r) r = give(command, engine, execution, &recorded, err);
    if (!r) r = engine_run(engine, is_recorded, &recorded, err);
    if (!r && recorded.status) r = error_set(err, recorded.status, "it could not be recorded");
    engine_close(engine);
    return r;
}

/* Nobody runs it, and there is work to do: it is done here. */
static int work_alone(struct command *command, struct orch_error *err)
{
    struct foreground *foreground;
    struct foreground_options how;
    struct engine_execution *execution;
    if (!foreground_from_flags(&command->flags, command->store, &how)) return cli_error((error_set(err, ORCH_ERR_USAGE, "--progress: unknown mode"), err));
    int r = foreground_open(&how, &foreground, err);
    if (r) return cli_error(err);
    struct engine *engine = foreground_engine(foreground);
    if (strcmp(command->name, "retry") == 0)
        r = engine_retry(engine, command->number, command->task ? str_from(command->task) : STR_NONE, command->user, &execution, err);
    else {
        r = engine_resume(engine, command->number, &execution, err);
        if (!r) r = engine_cancel(engine, execution, command->user, command->text ? str_from(command->text) : STR_NONE, NULL, NULL, err);
    }
    int code = r ? cli_error(err) : foreground_run(foreground, execution, true);
    foreground_close(foreground);
    return code;
}

static int carry_out(struct command *command, const char *said)
{
    struct orch_error err = ORCH_ERROR_INIT;
    bool works = strcmp(command->name, "retry") == 0 || strcmp(command->name, "cancel") == 0;
    int code = EXIT_OK;
    int r = find_run(command, &err);
    if (!r) {
        r = ask_owner(command, &err);
        if (r == 0) {
            printf("%s %s\n", command->id, said);
        } else if (r == ORCH_ERR_UNAVAILABLE) {
            r = 0;
            if (works) {
                code = work_alone(command, &err);
                if (code == EXIT_CANCELLED && strcmp(command->name, "cancel") == 0) code = EXIT_OK; /* that is what was asked for */
            } else {
                r = record_alone(command, &err);
                if (!r) printf("%s %s; nobody runs it now: orch run --continue %s\n", command->id, said, command->id);
            }
        }
    }
    if (r) code = cli_error(&err);
    arena_done(&command->arena);
    return code;
}

int cli_cancel(int argc, char **argv)
{
    struct command command = {.name = "cancel", .flags = FOREGROUND_FLAGS_INIT};
    const struct cli_option options[] = {
        {"reason", 0, OPTION_TEXT, &command.text, "TEXT", "kept in the run's history", NULL}, TIMEOUT_OPTION(command), FOREGROUND_OPTIONS(command.flags), {0}};
    const struct cli_usage usage = {.verb = "cancel",
                                    .arguments = "RUN",
                                    .summary = "Stops a run: nothing new starts, running tasks are ended, compensations and finally tasks run",
                                    .examples = "  orch cancel r-7Q2K\n  orch cancel last --reason 'wrong day'\n  orch cancel r-7Q2K --store etl/.orch",
                                    .options = options,
                                    .positionals_min = 1,
                                    .positionals_max = 1};
    int count, r = cli_parse(&usage, argc, argv, &count);
    if (r >= 0) return r;
    cli_style_tell(command.flags.progress);
    command.run = argv[1];
    return carry_out(&command, "is being cancelled");
}

int cli_retry(int argc, char **argv)
{
    struct command command = {.name = "retry", .flags = FOREGROUND_FLAGS_INIT};
    const struct cli_option options[] = {
        {"failed", 0, OPTION_FLAG, &command.failed_only, NULL, "what failed and what follows it (the default)", NULL},
        {"from", 0, OPTION_TEXT, &command.task, "TASK", "this task and all that follows it", NULL},
        TIMEOUT_OPTION(command),
        FOREGROUND_OPTIONS(command.flags),
        {0}};
    const struct cli_usage usage = {.verb = "retry",
                                    .arguments = "RUN",
                                    .summary = "Runs a finished run again where it failed; what succeeded keeps its result",
                                    .examples = "  orch retry r-7Q2K --failed\n  orch retry r-7Q2K --from transform\n  orch retry last --from 'clean[183]'",
                                    .options = options,
                                    .positionals_min = 1,
                                    .positionals_max = 1};
    int count, r = cli_parse(&usage, argc, argv, &count);
    if (r >= 0) return r;
    cli_style_tell(command.flags.progress);
    if (command.failed_only && command.task) {
        fputs("orch retry: --failed and --from exclude each other\n", stderr);
        return EXIT_USAGE;
    }
    command.run = argv[1];
    return carry_out(&command, "runs again");
}

static int simple(int argc, char **argv, const char *name, const char *summary, const char *examples, const char *said)
{
    struct command command = {.name = name, .flags = FOREGROUND_FLAGS_INIT};
    const struct cli_option options[] = {{"store", 0, OPTION_TEXT, &command.flags.store, "DIR", "where the run is kept", NULL},
                                         TIMEOUT_OPTION(command),
                                         {0}};
    const struct cli_usage usage = {
        .verb = name, .arguments = "RUN", .summary = summary, .examples = examples, .options = options, .positionals_min = 1, .positionals_max = 1};
    int count, r = cli_parse(&usage, argc, argv, &count);
    if (r >= 0) return r;
    command.run = argv[1];
    return carry_out(&command, said);
}

int cli_pause(int argc, char **argv)
{
    return simple(argc, argv, "pause", "Lets nothing new start in a run; what runs goes on", "  orch pause r-7Q2K\n  orch pause last", "is paused");
}

int cli_resume(int argc, char **argv)
{
    return simple(argc, argv, "resume", "Lets a paused run go on", "  orch resume r-7Q2K\n  orch resume last", "goes on");
}

int cli_approve(int argc, char **argv)
{
    struct command command = {.name = "approve", .flags = FOREGROUND_FLAGS_INIT};
    bool reject = false;
    const struct cli_option options[] = {
        {"reject", 0, OPTION_FLAG, &reject, NULL, "refuse it", NULL},
        {"comment", 'm', OPTION_TEXT, &command.text, "TEXT", "kept with the answer", NULL},
        {"store", 0, OPTION_TEXT, &command.flags.store, "DIR", "where the run is kept", NULL},
        TIMEOUT_OPTION(command),
        {0}};
    const struct cli_usage usage = {.verb = "approve",
                                    .arguments = "RUN [TASK]",
                                    .summary = "Gives the approval that a run waits for; TASK when it waits for several",
                                    .examples = "  orch approve r-7Q2K\n  orch approve r-7Q2K deploy_ok -m 'looks good'\n  orch approve r-7Q2K deploy_ok --reject -m 'not on a Friday'",
                                    .options = options,
                                    .positionals_min = 1,
                                    .positionals_max = 2};
    int count, r = cli_parse(&usage, argc, argv, &count);
    if (r >= 0) return r;
    command.run = argv[1];
    command.task = count == 2 ? argv[2] : NULL;
    command.approved = !reject;
    return carry_out(&command, reject ? "is told no" : "is told yes");
}

int cli_signal(int argc, char **argv)
{
    struct command command = {.name = "signal", .flags = FOREGROUND_FLAGS_INIT};
    const struct cli_option options[] = {{"data", 'd', OPTION_TEXT, &command.text, "JSON", "what the event carries", NULL},
                                         {"store", 0, OPTION_TEXT, &command.flags.store, "DIR", "where the run is kept", NULL},
                                         TIMEOUT_OPTION(command),
                                         {0}};
    const struct cli_usage usage = {.verb = "signal",
                                    .arguments = "RUN EVENT",
                                    .summary = "Sends an event to a run; a task that waits for it goes on, now or when it comes to wait",
                                    .examples = "  orch signal r-7Q2K delivered\n  orch signal r-7Q2K paid --data '{\"amount\": 12.5}'\n  orch signal last ready",
                                    .options = options,
                                    .positionals_min = 2,
                                    .positionals_max = 2};
    int count, r = cli_parse(&usage, argc, argv, &count);
    if (r >= 0) return r;
    command.run = argv[1];
    command.event = argv[2];
    return carry_out(&command, "has the event");
}
