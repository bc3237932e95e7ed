/*
 * programs.c - programs that are only said to run: they begin, last a while, obey or do not, and end.
 */
#include "sim/world.h"

#include <string.h>

#include "base/error.h"

#define KILL_TAKES (ORCH_SECOND / 100) /* from SIGKILL until all of it is gone */

struct program {
    struct sim *sim;
    struct action_attempt *attempt;
    struct sim_attempt way;
    uint64_t serial;
    orch_time ends_at;
    bool is_stopped, is_killed; /* stopped: and does not end by itself any more */
    struct program *next, *previous;
};

static void program_remove(struct program *program, bool by_crash)
{
    struct sim *sim = program->sim;
    if (sim->options.hooks.attempt_ended)
        sim->options.hooks.attempt_ended(sim->options.hooks.user, program->attempt, by_crash);
    if (program->next) program->next->previous = program->previous;
    *(program->previous ? &program->previous->next : &sim->programs) = program->next;
    sim->programs_count--;
    program->attempt->state = NULL;
    (void)mem_resize(NULL, program, sizeof *program, 0); /* freeing cannot fail */
}

static void fill(const struct program *program, struct action_result *ret)
{
    *ret = (struct action_result){.failure = program->way.failure, .exit_code = -1};
    if (program->is_stopped) {
        ret->failure = FAILURE_CANCELLED;
        ret->error = program->is_killed ? STR("stopped: SIGTERM was not enough, ended by SIGKILL") : STR("stopped");
        return;
    }
    switch (program->way.failure) {
    case FAILURE_NONE:
        ret->exit_code = 0;
        ret->output = program->way.output;
        break;
    case FAILURE_EXIT:
        ret->exit_code = program->way.exit_code ? program->way.exit_code : 1;
        ret->error = STR("exit code 1");
        break;
    case FAILURE_SIGNAL:
        ret->signal = program->way.signal ? program->way.signal : 11;
        ret->error = STR("killed by SIGSEGV");
        break;
    default: ret->error = STR("failed"); break;
    }
    if (program->way.failure != FAILURE_NONE && program->way.error.size) ret->error = program->way.error;
}

static void on_end(void *user, uint64_t serial)
{
    struct sim *sim = user;
    struct program *program = sim->programs;
    while (program && program->serial != serial) program = program->next;
    /* Told to end at another time, or killed by a crash. */
    if (!program || program->ends_at > sim->now) return;
    struct action_attempt *attempt = program->attempt;
    struct action_result result;
    fill(program, &result);
    program_remove(program, false);
    attempt->host->done(attempt, &result);
}

static bool end_at(struct program *program, orch_time at)
{
    program->ends_at = at;
    return at == ORCH_TIME_NEVER || sim_at(program->sim, at, on_end, program->sim, program->serial);
}

static int start(void *context, struct action_attempt *attempt, struct orch_error *err)
{
    struct sim *sim = context;
    /* In its last moment a life starts nothing any more. */
    if (sim->is_crashed) return error_set(err, ORCH_ERR_STATE, "crashed");
    struct program *program = mem_resize(NULL, NULL, 0, sizeof *program);
    if (!program) return error_memory(err);
    memset(program, 0, sizeof *program);
    program->sim = sim;
    program->attempt = attempt;
    program->serial = ++sim->programs_serial;
    sim->options.hooks.attempt(sim->options.hooks.user, attempt, &program->way);
    if (program->way.is_refused ||
        !end_at(program,
                program->way.duration == ORCH_TIME_NEVER ? ORCH_TIME_NEVER : sim->now + program->way.duration)) {
        bool is_refused = program->way.is_refused;
        (void)mem_resize(NULL, program, sizeof *program, 0); /* freeing cannot fail */
        return is_refused ? error_set(err, ORCH_ERR_IO, "cannot start: the simulated machine refuses")
                          : error_memory(err);
    }
    program->next = sim->programs;
    if (program->next) program->next->previous = program;
    sim->programs = program;
    sim->programs_count++;
    attempt->state = program;
    if (sim->options.hooks.attempt_began) sim->options.hooks.attempt_began(sim->options.hooks.user, attempt);
    return 0;
}

static void stop(void *context, struct action_attempt *attempt, bool hasten)
{
    struct sim *sim = context;
    struct program *program = attempt->state;
    if (!program || sim->is_crashed) return;
    orch_time killed = sim->now + attempt->grace_us + KILL_TAKES, obeys = killed;
    if (program->way.stop_duration < attempt->grace_us) obeys = sim->now + program->way.stop_duration;
    if (hasten) obeys = sim->now + KILL_TAKES;
    if (program->ends_at <= obeys) return; /* it ends by itself, or is about to obey */
    program->is_stopped = true;
    program->is_killed = hasten || obeys == killed;
    (void)end_at(program, obeys); /* false: it hangs on, as far as this world has memory */
}

static void close(void *context)
{
    struct sim *sim = context;
    struct action_result lost = {.failure = FAILURE_LOST};
    while (sim->programs) {
        struct action_attempt *attempt = sim->programs->attempt;
        program_remove(sim->programs, true);
        attempt->host->done(attempt, &lost);
    }
}

static const enum action_kind kinds[] = {ACTION_SHELL,    ACTION_EXEC,         ACTION_SCRIPT,  ACTION_NOTIFICATION,
                                         ACTION_FUNCTION, ACTION_SERVICE_CALL, ACTION_FACTORY, ACTION_NONE};

const struct action_provider sim_provider = {
    .name = "simulated", .kinds = kinds, .start = start, .stop = stop, .close = close};

void sim_end_hangs(struct sim *sim, orch_time within)
{
    for (struct program *program = sim->programs; program; program = program->next)
        if (program->ends_at == ORCH_TIME_NEVER || program->ends_at > sim->now + within)
            (void)end_at(program, sim->now + within);
}

uint32_t sim_running(const struct sim *sim)
{
    return sim->programs_count;
}
