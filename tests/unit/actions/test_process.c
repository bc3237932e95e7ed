/*
 * test_process.c - shell, exec and script through the provider, with real programs.
 */
#include "host.h"

#include "sys/process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* What a task writes and how it ends: its value, its log, its failure. */
static void test_results(void **state)
{
    static const struct {
        enum action_kind kind;
        const char *config;
        enum failure failure;
        int32_t exit_code;
        const char *error;
        const char *output;
        const char *log; /* NULL: not looked at */
    } table[] = {
        {ACTION_SHELL, "{\"command\":\"true\"}", FAILURE_NONE, 0, "", "", ""},
        {ACTION_SHELL, "{\"command\":\"echo hello there\"}", FAILURE_NONE, 0, "", "\"hello there\"", "o hello there\n"},
        {ACTION_SHELL, "{\"command\":\"echo 42\"}", FAILURE_NONE, 0, "", "42", "o 42\n"},
        {ACTION_SHELL, "{\"command\":\"printf 'a\\\\nb'\"}", FAILURE_NONE, 0, "", "\"a\\nb\"", "o a\no b\n"},
        {ACTION_SHELL, "{\"command\":\"echo note >&2; echo '{\\\"n\\\": 1}'\"}", FAILURE_NONE, 0, "", "{\"n\": 1}",
         NULL},
        {ACTION_SHELL, "{\"command\":\"echo working; echo '[1,2]'\"}", FAILURE_NONE, 0, "", "[1,2]",
         "o working\no [1,2]\n"},
        {ACTION_SHELL, "{\"command\":\"echo log; echo '{\\\"from\\\":\\\"file\\\"}' > $ORCH_OUTPUT\"}", FAILURE_NONE, 0,
         "", "{\"from\":\"file\"}", "o log\n"},
        {ACTION_SHELL, "{\"command\":\"echo plain > $ORCH_OUTPUT; echo no\"}", FAILURE_NONE, 0, "", "\"plain\"",
         "o no\n"},
        {ACTION_SHELL, "{\"command\":\"exit 75\"}", FAILURE_EXIT, 75, "exit code 75", "", ""},
        {ACTION_SHELL, "{\"command\":\"echo half; false\"}", FAILURE_EXIT, 1, "exit code 1", "", "o half\n"},
        {ACTION_SHELL, "{\"command\":\"kill -SEGV $$\"}", FAILURE_SIGNAL, -1, "killed by SIGSEGV", "", ""},
        {ACTION_SHELL, "{\"command\":\"no-such-program --x\"}", FAILURE_START, -1,
         "cannot start no-such-program: no such file or directory", "", ""},
        {ACTION_SHELL, "{\"command\":\"true\",\"working_dir\":\"nowhere\"}", FAILURE_START, -1, NULL, "", ""},
        {ACTION_SHELL, "{\"command\":\"pwd\",\"working_dir\":\"/usr\"}", FAILURE_NONE, 0, "", "\"/usr\"", "o /usr\n"},
        {ACTION_SHELL, "{\"command\":\"cat\",\"stdin\":\"from here\"}", FAILURE_NONE, 0, "", "\"from here\"",
         "o from here\n"},
        {ACTION_SHELL, "{\"command\":\"cat\",\"stdin\":{\"a\":[1,2]}}", FAILURE_NONE, 0, "", "{\"a\":[1,2]}", NULL},
        {ACTION_SHELL, "{\"command\":\"cat\"}", FAILURE_NONE, 0, "", "", ""},
        {ACTION_EXEC, "{\"command\":[\"printf\",\"%s|\",\"a b\",\"$HOME\",7]}", FAILURE_NONE, 0, "", "\"a b|$HOME|7|\"",
         NULL},
        {ACTION_EXEC, "{\"command\":[\"/nonexistent/x\"]}", FAILURE_START, -1,
         "cannot start /nonexistent/x: no such file or directory", "", ""},
        {ACTION_SCRIPT, "{\"text\":\"echo $1-$2\",\"args\":[\"x\",\"y z\"]}", FAILURE_NONE, 0, "", "\"x-y z\"", NULL},
        {ACTION_SCRIPT,
         "{\"text\":\"import sys, json\\nprint(json.dumps(sys.argv[1:]))\",\"interpreter\":\"python3 "
         "-u\",\"args\":[\"q\"]}",
         FAILURE_NONE, 0, "", "[\"q\"]", NULL},
        {ACTION_SCRIPT, "{\"text\":\"#!/usr/bin/env -S python3 -u\\nprint(6 * 7)\"}", FAILURE_NONE, 0, "", "42", NULL},
        {ACTION_SCRIPT, "{\"text\":\"print(1)\",\"interpreter\":[\"python3\",\"-u\"]}", FAILURE_NONE, 0, "", "1", NULL},
        {ACTION_SHELL, "{\"command\":\"printf '\\\\377'\"}", FAILURE_NONE, 0, "", "\"\xEF\xBF\xBD\"", NULL},
        {ACTION_SHELL, "{\"command\":\"printf 'a\\\\r\\\\n'\"}", FAILURE_NONE, 0, "", "\"a\"", "o a\n"},
        {ACTION_SHELL, "{\"command\":\"exec >&-; sleep 0.05; exit 3\"}", FAILURE_EXIT, 3, "exit code 3", "", ""},
    };
    struct host host;

    host_open(&host, &action_process_provider);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct attempt *attempt = attempt_new(&host, table[i].kind, table[i].config);

        attempt_start(&host, attempt);
        attempt_wait(&host, attempt);
        if (attempt->failure != table[i].failure || attempt->exit_code != table[i].exit_code) {
            fail_msg("%s: failure %d, exit code %d, \"%s\"", table[i].config, attempt->failure, attempt->exit_code,
                     attempt->error);
        }
        if (table[i].error && strcmp(attempt->error, table[i].error) != 0)
            fail_msg("%s: \"%s\"", table[i].config, attempt->error);
        if (!table[i].error) assert_non_null(strstr(attempt->error, "cannot enter the working directory"));
        if (strcmp(text_of_buf(&attempt->output), table[i].output) != 0)
            fail_msg("%s: output %s", table[i].config, text_of_buf(&attempt->output));
        if (table[i].log && strcmp(text_of_buf(&attempt->log), table[i].log) != 0)
            fail_msg("%s: log %s", table[i].config, text_of_buf(&attempt->log));
        if (table[i].failure == FAILURE_NONE) assert_true(attempt->memory_peak > 0);
        attempt_free(attempt);
    }
    host_close(&host);
    (void)state;
}

/* What start itself refuses: done is never called. */
static void test_refused(void **state)
{
    static const struct {
        enum action_kind kind;
        const char *config, *env;
        int code;
    } table[] = {
        {ACTION_SHELL, "{\"command\":\"  \"}", "{}", ORCH_ERR_INVALID},
        {ACTION_SHELL, "{}", "{}", ORCH_ERR_INVALID},
        {ACTION_EXEC, "{\"command\":[]}", "{}", ORCH_ERR_INVALID},
        {ACTION_EXEC, "{\"command\":[\"echo\",[1]]}", "{}", ORCH_ERR_INVALID},
        {ACTION_SCRIPT, "{}", "{}", ORCH_ERR_INVALID},
        {ACTION_SCRIPT, "{\"file\":\"nowhere.sh\"}", "{}", ORCH_ERR_NOT_FOUND},
        {ACTION_SCRIPT, "{\"file\":\"/etc/passwd\"}", "{}", ORCH_ERR_DENIED},
        {ACTION_SHELL, "{\"command\":\"true\"}", "{\"A=B\":\"x\"}", ORCH_ERR_INVALID},
        {ACTION_SHELL, "{\"command\":\"true\"}", "{\"ORCH_FENCE\":\"x\"}", ORCH_ERR_INVALID},
        {ACTION_SHELL, "{\"command\":\"true\"}", "{\"A\":\"x\\u0000y\"}", ORCH_ERR_INVALID},
        {ACTION_SHELL, "{\"command\":\"true\",\"working_dir\":7}", "{}", ORCH_ERR_INVALID},
    };
    struct host host;

    host_open(&host, &action_process_provider);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct attempt *attempt = attempt_new(&host, table[i].kind, table[i].config);
        struct orch_error err = ORCH_ERROR_INIT;
        int code;

        attempt->base.env = json_value(attempt, table[i].env);
        code = host.provider->start(host.context, &attempt->base, &err);
        if (code != table[i].code) fail_msg("%s %s: %d %s", table[i].config, table[i].env, code, err.message);
        assert_true(err.message[0] != '\0');
        assert_int_equal(attempt->done_count, 0);
        attempt_free(attempt);
    }
    host_close(&host);
    (void)state;
}

static void test_environment(void **state)
{
    struct host host;
    struct attempt *attempt;
    char expected[512];
    const struct action_input inputs[] = {{STR("fetch-it"), STR("{\"rows\":3}")},
                                          {STR("name"), STR("\"Ada \\\"L\\\"\"")}};

    setenv("SECRET_OF_THE_ORCHESTRATOR", "x", 1);
    setenv("LC_TIME", "C", 1);
    host_open(&host, &action_process_provider);
    attempt = attempt_new(&host, ACTION_SHELL,
                          "{\"command\":\"env | sort > all; ls -a $ORCH_SCRATCH >> all; cat $ORCH_INPUTS/fetch-it.json "
                          "$ORCH_INPUTS/name.json >> all\"}");
    attempt->base.env =
        json_value(attempt, "{\"DAY\":\"2026-01-01\",\"PATH\":\"/usr/bin:/bin\",\"GONE\":null,\"N\":5}");
    attempt->base.parameters =
        json_value(attempt, "{\"page-count\":3,\"who\":\"a b\",\"none\":null,\"list\":[1,\"x\"]}");
    attempt->base.inputs = inputs;
    attempt->base.inputs_count = 2;
    attempt_start(&host, attempt);
    attempt_wait(&host, attempt);
    assert_int_equal(attempt->failure, FAILURE_NONE);
    attempt_free(attempt);

    struct arena arena;
    struct orch_str all;

    arena_init(&arena, NULL, 0);
    (void)snprintf(expected, sizeof(expected), "%s/all", host.home);
    assert_int_equal(file_read(expected, 1 << 20, &arena, &all, NULL), 0);
    static const char *const wanted[] = {
        "DAY=2026-01-01\n",
        "\nPATH=/usr/bin:/bin\n",
        "N=5\n",
        "LC_TIME=C\n",
        "ORCH_PARAM_PAGE_COUNT=3\n",
        "ORCH_PARAM_WHO=a b\n",
        "ORCH_PARAM_LIST=[1,\"x\"]\n",
        "ORCH_OUTPUT_FETCH_IT={\"rows\":3}\n",
        "ORCH_OUTPUT_NAME=Ada \"L\"\n",
        "ORCH_EXECUTION_ID=r-test\n",
        "ORCH_WORKFLOW=test\n",
        "ORCH_TASK=task\n",
        "ORCH_ATTEMPT=1\n",
        "ORCH_ATTEMPT_ID=r-test/task/1/1\n",
        "ORCH_IDEMPOTENCY_KEY=r-test/task/1\n",
        "ORCH_FENCE=7\n",
        "ORCH_STORE=",
        "\n.\n..\n{\"rows\":3}\"Ada \\\"L\\\"\"",
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (!strstr(all.data, wanted[i])) fail_msg("no %s in\n%s", wanted[i], all.data);
    }
    static const char *const unwanted[] = {"SECRET_OF", "GONE", "ORCH_PARAM_NONE"};
    for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++) assert_null(strstr(all.data, unwanted[i]));
    arena_done(&arena);
    host_close(&host);
    (void)state;
}

/* A parameter that no process can be given is refused with its name. */
static void test_environment_limits(void **state)
{
    struct host host;
    struct attempt *attempt;
    struct orch_error err = ORCH_ERROR_INIT;
    static char big[200000], json[200100];
    struct action_input inputs[20];

    host_open(&host, &action_process_provider);
    memset(big, 'x', sizeof(big) - 1);
    (void)snprintf(json, sizeof(json), "{\"big\":\"%s\"}", big);
    attempt = attempt_new(&host, ACTION_SHELL, "{\"command\":\"true\"}");
    attempt->base.parameters = json_value(attempt, json);
    assert_int_equal(host.provider->start(host.context, &attempt->base, &err), ORCH_ERR_LIMIT);
    assert_non_null(strstr(err.message, "ORCH_PARAM_BIG"));
    assert_true(err.hint[0] != '\0');
    attempt_free(attempt);

    /* Large outputs are in files only; of many middling ones as many as there is room for. */
    (void)snprintf(json, sizeof(json), "\"%.30000s\"", big);
    attempt =
        attempt_new(&host, ACTION_SHELL, "{\"command\":\"env | grep -c ^ORCH_OUTPUT_T; ls $ORCH_INPUTS | wc -l\"}");
    for (int i = 0; i < 20; i++)
        inputs[i] = (struct action_input){arena_printf(&attempt->arena, "t%d", i), str_from(json)};
    attempt->base.inputs = inputs;
    attempt->base.inputs_count = 20;
    attempt_start(&host, attempt);
    attempt_wait(&host, attempt);
    assert_string_equal(text_of_buf(&attempt->output), "\"8\\n20\"");
    attempt_free(attempt);
    host_close(&host);
    (void)state;
}

static void test_progress(void **state)
{
    struct host host;
    struct attempt *attempt;

    host_open(&host, &action_process_provider);
    attempt =
        attempt_new(&host, ACTION_SHELL,
                    "{\"command\":\"echo ::orch progress 3/10 copying files; echo result; echo ::orch progress x\"}");
    attempt_start(&host, attempt);
    attempt_wait(&host, attempt);
    assert_true(attempt->fraction > 0.29 && attempt->fraction < 0.31);
    assert_string_equal(attempt->progress, "copying files");
    assert_string_equal(text_of_buf(&attempt->log), "o result\no ::orch progress x\n");
    attempt_free(attempt);
    host_close(&host);
    (void)state;
}

/* More than a pipe holds, lines longer than the bound, and the bound of what is kept for the value. */
static void test_much_output(void **state)
{
    struct host host;
    struct attempt *attempt;

    host_open(&host, &action_process_provider);
    attempt = attempt_new(&host, ACTION_SHELL, "{\"command\":\"seq 1 200000; echo '{\\\"last\\\":true}'\"}");
    attempt_start(&host, attempt);
    attempt_wait(&host, attempt);
    assert_int_equal(attempt->log_lines, 200001);
    assert_string_equal(text_of_buf(&attempt->output), "{\"last\":true}");
    attempt_free(attempt);

    attempt = attempt_new(&host, ACTION_SHELL, "{\"command\":\"seq 1 200000\"}");
    attempt_start(&host, attempt);
    attempt_wait(&host, attempt);
    assert_int_equal(attempt->failure, FAILURE_NONE);
    assert_int_equal(attempt->log_lines, 200001); /* with the remark that there is no output */
    assert_int_equal(attempt->output.size, 0);
    attempt_free(attempt);

    attempt =
        attempt_new(&host, ACTION_SHELL, "{\"command\":\"head -c 300000 /dev/zero | tr '\\\\0' x; echo; echo end\"}");
    attempt_start(&host, attempt);
    attempt_wait(&host, attempt);
    assert_int_equal(attempt->log_lines, 5 + 1 + 1); /* pieces, the remark, the end */
    assert_non_null(strstr(attempt->log.data, "s a line longer than 64 KiB was split\n"));
    assert_int_equal(attempt->output.size, 300000 + 2 + 5); /* still one line in the value: quotes, \n and "end" */
    attempt_free(attempt);
    host_close(&host);
    (void)state;
}

static void test_script_file(void **state)
{
    struct host host;
    struct attempt *attempt;
    char path[128];
    static const struct {
        const char *text;
        unsigned mode;
        const char *config, *output;
    } table[] = {
        {"#!/bin/sh\necho \"run $1\"\n", 0755, "{\"file\":\"s\",\"args\":\"one two\"}", "\"run one two\""},
        {"#!/bin/sh\necho \"read $1\"\n", 0644, "{\"file\":\"./s\",\"args\":[1]}", "\"read 1\""},
        {"print('py')", 0644, "{\"file\":\"s\",\"interpreter\":\"python3\"}", "\"py\""},
    };

    host_open(&host, &action_process_provider);
    (void)snprintf(path, sizeof(path), "%s/s", host.home);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_int_equal(file_replace(path, str_from(table[i].text), table[i].mode, NULL), 0);
        attempt = attempt_new(&host, ACTION_SCRIPT, table[i].config);
        attempt_start(&host, attempt);
        attempt_wait(&host, attempt);
        if (strcmp(text_of_buf(&attempt->output), table[i].output) != 0)
            fail_msg("%s: %s %s", table[i].config, text_of_buf(&attempt->output), attempt->error);
        attempt_free(attempt);
    }
    host_close(&host);
    (void)state;
}

static struct host *stopping_host;

static void stop_at_first_line(struct attempt *attempt)
{
    if (attempt->log_lines == 1) stopping_host->provider->stop(stopping_host->context, &attempt->base, false);
}

static void test_stop(void **state)
{
    static const struct {
        const char *config;
        const char *error;
    } table[] = {
        {"{\"command\":\"echo ready; exec sleep 1000\"}", "stopped: ended by SIGTERM"},
        {"{\"command\":\"trap 'exit 5' TERM; echo ready; sleep 1000 & wait\"}", "stopped: exit code 5"},
        {"{\"command\":\"trap '' TERM; echo ready; while :; do sleep 1; done\"}",
         "stopped: SIGTERM was not enough, ended by SIGKILL"},
    };
    struct host host;

    host_open(&host, &action_process_provider);
    stopping_host = &host;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct attempt *attempt = attempt_new(&host, ACTION_SHELL, table[i].config);

        attempt->on_log = stop_at_first_line;
        attempt_start(&host, attempt);
        attempt_wait(&host, attempt);
        if (attempt->failure != FAILURE_CANCELLED || strcmp(attempt->error, table[i].error) != 0) {
            fail_msg("%s: %d %s\n%s", table[i].config, attempt->failure, attempt->error, text_of_buf(&attempt->log));
        }
        attempt_free(attempt);
    }
    host_close(&host);
    (void)state;
}

/* Closing with programs under way: each is reported, none is left. */
static void test_close_under_way(void **state)
{
    struct host host;
    struct attempt *attempts[10];
    struct orch_error err = ORCH_ERROR_INIT;

    host_open(&host, &action_process_provider);
    for (int i = 0; i < 10; i++) {
        attempts[i] =
            attempt_new(&host, ACTION_SHELL, "{\"command\":\"trap '' TERM; setsid sleep 1000 & sleep 1000\"}");
        attempt_start(&host, attempts[i]);
    }
    uv_run(&host.loop, UV_RUN_ONCE);
    host_close(&host);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(attempts[i]->done_count, 1);
        assert_int_equal(attempts[i]->failure, FAILURE_LOST);
        attempt_free(attempts[i]);
    }

    assert_int_equal(process_kill_marked(str_from(host.mark), ORCH_SECOND, &err), 0);
    (void)state;
}

/* .../3/scratch" -> .../scratch": one that is being emptied is not waited for. */
static void without_number(const char *text, char ret[256])
{
    const char *at = strstr(text, "/scratch\"");
    size_t size = at ? (size_t)(at - text) : 0;

    assert_non_null(at);
    while (size > 0 && text[size - 1] >= '0' && text[size - 1] <= '9') size--;
    (void)snprintf(ret, 256, "%.*s%s", (int)size, text, at);
}

/* Directories are used again when nobody put anything into them, and never show what somebody did put there. */
static void test_scratch(void **state)
{
    struct host host;
    char first[256] = "", expected[256], got[256];

    host_open(&host, &action_process_provider);
    for (int i = 0; i < 6; i++) {
        struct attempt *attempt =
            attempt_new(&host, ACTION_SHELL,
                        i % 2 ? "{\"command\":\"ls -A $ORCH_SCRATCH; ls -A $ORCH_SCRATCH/..; echo $ORCH_SCRATCH; touch "
                                "$ORCH_SCRATCH/left; mkdir -p $ORCH_SCRATCH/d/e; chmod 500 $ORCH_SCRATCH/d\"}"
                              : "{\"command\":\"ls -A $ORCH_SCRATCH; ls -A $ORCH_SCRATCH/..; echo $ORCH_SCRATCH\"}");

        attempt_start(&host, attempt);
        attempt_wait(&host, attempt);
        assert_int_equal(attempt->failure, FAILURE_NONE);
        if (i == 0) (void)snprintf(first, sizeof(first), "%s", text_of_buf(&attempt->output));
        assert_non_null(strstr(first, "\"scratch\\n/"));
        without_number(first, expected);
        without_number(text_of_buf(&attempt->output), got);
        assert_string_equal(got, expected);
        attempt_free(attempt);
    }
    host_close(&host);
    (void)state;
}

/* What stands where the output should be is no file: told, and not read (nobody would ever write to that pipe). */
static void test_odd_output(void **state)
{
    static const char *const table[] = {
        "{\"command\":\"mkfifo $ORCH_OUTPUT\"}",
        "{\"command\":\"mkdir $ORCH_OUTPUT\"}",
        "{\"command\":\"ln -s /dev/zero $ORCH_OUTPUT\"}",
        "{\"command\":\"ln -s $PIPE $ORCH_OUTPUT\"}",
    };
    struct host host;
    char pipe_path[128], env[256];
    int fd;

    host_open(&host, &action_process_provider);
    (void)snprintf(pipe_path, sizeof(pipe_path), "%s/pipe", host.home);
    (void)snprintf(env, sizeof(env), "{\"PIPE\":\"%s\"}", pipe_path);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    fd = open(pipe_path, O_RDWR | O_CLOEXEC); /* somebody holds it and says nothing */
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct attempt *attempt = attempt_new(&host, ACTION_SHELL, table[i]);

        attempt->base.env = json_value(attempt, env);
        attempt_start(&host, attempt);
        attempt_wait(&host, attempt);
        assert_int_equal(attempt->failure, FAILURE_PERMANENT);
        assert_string_equal(attempt->error, "cannot take the output: $ORCH_OUTPUT is not a file");
        attempt_free(attempt);
    }
    close(fd);
    host_close(&host);
    (void)state;
}

/*
 * A task that leaves very many files holds up nobody: the loop comes round while they are removed, and when the store
 * is closed they are gone.
 */
static void test_scratch_large(void **state)
{
    struct host host;
    struct attempt *attempt;
    orch_time begun, removal, took;
    char path[160], files[256];

    /* How long it takes here, when one waits for it. */
    host_open(&host, &action_process_provider);
    (void)snprintf(files, sizeof(files), "%s/files", host.home);
    attempt = attempt_new(&host, ACTION_SHELL, "{\"command\":\"mkdir files && cd files && seq 20000 | xargs touch\"}");
    attempt_start(&host, attempt);
    attempt_wait(&host, attempt);
    attempt_free(attempt);
    begun = clock_monotonic();
    assert_int_equal(file_remove_tree(files, NULL), 0);
    removal = clock_monotonic() - begun;

    attempt =
        attempt_new(&host, ACTION_SHELL, "{\"command\":\"cd $ORCH_SCRATCH && seq 20000 | xargs touch; date +%s%N\"}");
    attempt_start(&host, attempt);
    attempt_wait(&host, attempt);
    assert_int_equal(attempt->failure, FAILURE_NONE);
    attempt_free(attempt);
    begun = clock_monotonic();
    attempt = attempt_new(&host, ACTION_EXEC, "{\"command\":[\"true\"]}");
    attempt_start(&host, attempt);
    attempt_wait(&host, attempt);
    assert_int_equal(attempt->failure, FAILURE_NONE);
    attempt_free(attempt);
    took = clock_monotonic() - begun;
    if (removal > 50 * ORCH_MILLISECOND && took > removal / 2)
        fail_msg("removed in %lld µs, and another task took %lld µs meanwhile", (long long)removal, (long long)took);
    (void)snprintf(path, sizeof(path), "%s/store/scratch", host.home);
    host.provider->close(host.context);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(uv_run(&host.loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&host.loop), 0);
    assert_int_equal(file_remove_tree(host.home, NULL), 0);
    (void)state;
}

/* Something in an earlier life's directory that cannot be removed stops nobody. A mount, in a name space of its own. */
static void test_scratch_resists(void **state)
{
    pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0) {
        char there[160];
        struct host host;
        struct attempt *attempt;
        enum failure failure;

        if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) _exit(77);
        host_open(&host, &action_process_provider);
        (void)snprintf(there, sizeof(there), "%s/store/scratch/1/0", host.home);
        if (file_make_dirs(there, NULL) != 0 || mount("tmpfs", there, "tmpfs", 0, NULL) != 0) _exit(77);
        attempt = attempt_new(&host, ACTION_SHELL, "{\"command\":\"touch $ORCH_SCRATCH/x\"}");
        attempt_start(&host, attempt);
        attempt_wait(&host, attempt);
        failure = attempt->failure;
        if (failure != FAILURE_NONE) print_message("%s\n", attempt->error);
        attempt_free(attempt);
        if (umount(there) != 0) _exit(1);
        host_close(&host);
        _exit(failure == FAILURE_NONE ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),         cmocka_unit_test(test_refused),
        cmocka_unit_test(test_environment),     cmocka_unit_test(test_environment_limits),
        cmocka_unit_test(test_progress),        cmocka_unit_test(test_much_output),
        cmocka_unit_test(test_script_file),     cmocka_unit_test(test_stop),
        cmocka_unit_test(test_close_under_way), cmocka_unit_test(test_scratch),
        cmocka_unit_test(test_odd_output),      cmocka_unit_test(test_scratch_resists),
        cmocka_unit_test(test_scratch_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
