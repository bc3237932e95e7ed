/*
 * wait.c - orch wait: until runs have ended.
 */
#include <stdlib.h>

#include "base/error.h"
#include "cli/follow.h"

#define RUNS_MAX 1000

struct waiting {
    struct store *store;
    int64_t numbers[RUNS_MAX];
    uint8_t states[RUNS_MAX];
    uint32_t count, over;
    bool any, told;
    int code;
    struct orch_error err;
};

static void look(void *user)
{
    struct waiting *waiting = user;
    struct arena arena;
    for (uint32_t i = 0; i < waiting->count && !waiting->err.code; i++) {
        struct store_execution row;
        if (execution_state_is_terminal(waiting->states[i])) continue;
        arena_init(&arena, NULL, 0);
        if (store_get_execution(waiting->store, waiting->numbers[i], &arena, &row, &waiting->err) == 0) {
            waiting->states[i] = row.state;
            if (execution_state_is_terminal(row.state)) {
                int code = cli_exit_code(row.state);
                printf("%.*s %s\n", STR_ARG(row.id), execution_state_to_string((enum execution_state)row.state));
                fflush(stdout);
                waiting->over++;
                /* A failure says more than a cancel, and that more than success. */
                if (code == EXIT_RUN_FAILED || waiting->code == EXIT_OK) waiting->code = code;
                if (waiting->any) {
                    arena_done(&arena);
                    return;
                }
            }
        }
        arena_done(&arena);
    }
    if (waiting->over < waiting->count && !waiting->told && !store_is_owned(waiting->store)) {
        waiting->told = true;
        cli_note(NULL, "nobody runs it now; to go on: orch run --continue RUN");
    }
}

static bool is_done(void *user)
{
    const struct waiting *waiting = user;
    return waiting->err.code || waiting->over == waiting->count || (waiting->any && waiting->over);
}

int cli_wait(int argc, char **argv)
{
    const char *store = NULL;
    orch_time timeout = 0;
    bool any = false;
    const struct cli_option options[] = {{"timeout", 0, OPTION_TIME, &timeout, "TIME", "at most so long; then exit with 8", NULL},
                                         {"any", 0, OPTION_FLAG, &any, NULL, "until one of them has ended", NULL},
                                         {"store", 0, OPTION_TEXT, &store, "DIR", "where the runs are kept", NULL},
                                         {0}};
    const struct cli_usage usage = {.verb = "wait",
                                    .arguments = "RUN...",
                                    .summary = "Waits until the runs have ended: 0 all succeeded, 1 one failed, 9 one was cancelled, 8 it took too long",
                                    .examples = "  orch wait r-7Q2K\n  orch wait r-7Q2K r-7Q1A --timeout 5m\n  orch wait --any r-7Q2K r-7Q1A",
                                    .options = options,
                                    .positionals_min = 1,
                                    .positionals_max = RUNS_MAX};
    int count, r = cli_parse(&usage, argc, argv, &count);
    if (r >= 0) return r;
    struct waiting *waiting = calloc(1, sizeof *waiting);
    struct orch_error err = ORCH_ERROR_INIT;
    if (!waiting) return cli_error((error_memory(&err), &err));
    struct follow follow = {0};
    struct arena arena;
    arena_init(&arena, NULL, 0);
    waiting->any = any;
    r = cli_store_read(store, &arena, &waiting->store, &waiting->err);
    for (int i = 0; !r && i < count; i++) {
        int64_t number;
        bool known = false;
        r = cli_run_number(waiting->store, argv[1 + i], &number, &waiting->err);
        for (uint32_t k = 0; !r && k < waiting->count; k++) known |= waiting->numbers[k] == number;
        if (!r && !known) waiting->numbers[waiting->count++] = number;
    }
    if (!r) r = follow_open(&follow, store_path(waiting->store), timeout, look, waiting, &waiting->err);
    if (!r) {
        follow_run(&follow, is_done);
        r = waiting->err.code;
    }
    int code = r ? cli_error(&waiting->err) : waiting->code;
    if (!r && !is_done(waiting)) {
        if (follow.signal) code = follow.signal == SIGINT ? EXIT_SIGINT : EXIT_SIGTERM;
        else {
            cli_note(NULL, "%u of %u had not ended in time", waiting->count - waiting->over, waiting->count);
            code = EXIT_TIMED_OUT;
        }
    }
    follow_close(&follow);
    if (waiting->store) store_close(waiting->store);
    arena_done(&arena);
    free(waiting);
    return code;
}
