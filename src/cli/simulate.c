/*
 * simulate.c - orch simulate: what may become of a workflow, found out in virtual time; nothing is run, nothing
 * written.
 */
#include <stdlib.h>

#include "base/error.h"
#include "base/time.h"
#include "cli/simulate_plan.h"
#include "cli/simulate_report.h"
#include "cli/tree.h"
#include "sys/clock.h"
#include "sys/file.h"

#define DEFINITION_SIZE_MAX ((size_t)1 << 30)
#define RUNS_USUAL          1000
#define RUNS_MAX            10000000
#define WALL_BEGIN          (INT64_C(1767225600) * ORCH_SECOND) /* 2026-01-01: each run begins then */

struct simulate {
    struct option_list parameters, fails, durations, outputs;
    const char *parameters_file, *seed_text, *crash_text, *store_option, *format;
    uint32_t runs, jobs;
    orch_time clock_jump;
    bool learn, trace, all, is_json;
    uint64_t seed;
    double crash;
    struct arena arena;
    struct orch_str file, text;
    struct value given;
    const struct workflow *workflow;
    struct simulate_plan *plan;
    uint32_t learned_runs;
    struct simulate_stats stats;
    struct buf out, path; /* what is printed in the end; of a trace */
    struct orch_error err;
};

/* ---- step by step ---- */

static void put_clock(orch_time at, struct buf *out)
{
    int64_t ms = at / ORCH_MILLISECOND;
    size_t begin = out->size;
    if (ms >= 3600000)
        buf_printf(out, "%lld:%02lld", (long long)(ms / 3600000), (long long)(ms / 60000 % 60));
    else
        buf_printf(out, "%lld", (long long)(ms / 60000));
    buf_printf(out, ":%02lld.%03lld", (long long)(ms / 1000 % 60), (long long)(ms % 1000));
    size_t size = out->size - begin;
    for (size_t i = size; i < 12; i++) buf_add_char(out, ' ');
}

static void trace_line(struct simulate *simulate, orch_time at, struct orch_str path, struct orch_str words)
{
    struct buf *out = &simulate->out;
    if (simulate->is_json) {
        buf_printf(out, "%s{\"t_ms\":%lld", out->size ? ",\n " : "\n ", (long long)(at / ORCH_MILLISECOND));
        cli_json_text(out, "step", path);
        cli_json_text(out, "words", words);
        buf_add_char(out, '}');
        return;
    }
    put_clock(at, out);
    size_t begin = out->size;
    if (path.size)
        cli_clean(path, 0, false, out);
    else
        buf_add_char(out, '-');
    do buf_add_char(out, ' ');
    while (out->size < begin + 24 && !out->failed);
    buf_add_char(out, ' ');
    buf_add(out, words);
    buf_add_char(out, '\n');
}

static void on_tell(void *user, orch_time at, struct orch_str prefix, const struct core *core,
                    const struct core_transition *transition)
{
    struct simulate *simulate = user;
    struct buf words;
    buf_init(&words, NULL, 0);
    buf_clear(&simulate->path);
    cli_transition_path(core, transition, &simulate->path);
    if (prefix.size) {
        struct buf whole;
        buf_init(&whole, NULL, 0);
        buf_add(&whole, simulate->path.size ? prefix : str_of(prefix.data, prefix.size - 1));
        buf_add(&whole, buf_str(&simulate->path));
        buf_clear(&simulate->path);
        buf_add(&simulate->path, buf_str(&whole));
        buf_done(&whole);
    }
    cli_transition_words(core, transition, &words);
    trace_line(simulate, at, buf_str(&simulate->path), buf_str(&words));
    buf_done(&words);
}

static void on_tell_crash(void *user, orch_time at, bool is_up)
{
    trace_line(user, at, STR_NONE, is_up ? STR("! orch is up again, and takes the run up") : STR("! orch is killed"));
}

static void on_ask(void *user, const struct simulation_question *question, struct simulation_answer *ret)
{
    simulate_plan_ask(((struct simulate *)user)->plan, question, ret);
}

/* ---- before ---- */

static int read_options(struct simulate *simulate)
{
    struct orch_error *err = &simulate->err;
    if (simulate->seed_text && !str_to_uint64(str_from(simulate->seed_text), &simulate->seed))
        return error_set(err, ORCH_ERR_USAGE, "--seed wants a number, not \"%s\"", simulate->seed_text);
    if (!simulate->seed_text) simulate->seed = 1;
    /* A seed alone is one run, step by step. */
    if (!simulate->runs && simulate->seed_text) simulate->trace = true;
    if (!simulate->runs) simulate->runs = simulate->trace ? 1 : RUNS_USUAL;
    if (simulate->runs > RUNS_MAX) return error_set(err, ORCH_ERR_USAGE, "--runs: at most %d", RUNS_MAX);
    if (simulate->trace && simulate->runs > 1)
        return error_set(err, ORCH_ERR_USAGE, "--trace shows one run: name it with --seed, without --runs");
    if (simulate->seed > UINT64_MAX - simulate->runs) return error_set(err, ORCH_ERR_USAGE, "--seed is too large");
    if (simulate->crash_text && (!str_to_double(str_from(simulate->crash_text), &simulate->crash) ||
                                 !(simulate->crash >= 0 && simulate->crash <= 1)))
        return error_set(err, ORCH_ERR_USAGE, "--crash wants a chance from 0 to 1, not \"%s\"", simulate->crash_text);
    if (simulate->clock_jump && !(simulate->crash > 0)) {
        error_set(err, ORCH_ERR_USAGE, "--clock-jump is noticed by who begins anew only: give --crash with it");
        error_hint(err, "orch goes by its own clock while it is up");
        return ORCH_ERR_USAGE;
    }
    if (!simulate->jobs) {
        simulate->jobs = 4; /* the same on every machine, so that a seed is */
    }
    simulate->plan = simulate_plan_new();
    if (!simulate->plan) return error_memory(err);
    int r = 0;
    for (uint32_t i = 0; i < simulate->fails.count && !r; i++)
        r = simulate_plan_fail(simulate->plan, str_from(simulate->fails.items[i]), err);
    for (uint32_t i = 0; i < simulate->durations.count && !r; i++)
        r = simulate_plan_duration(simulate->plan, str_from(simulate->durations.items[i]), err);
    for (uint32_t i = 0; i < simulate->outputs.count && !r; i++)
        r = simulate_plan_output(simulate->plan, str_from(simulate->outputs.items[i]), err);
    return r;
}

static int learn(struct simulate *simulate)
{
    struct orch_str path = cli_store_path(simulate->store_option, simulate->file.data, &simulate->arena);
    struct store *store;
    if (!path.data) return error_memory(&simulate->err);
    int r = cli_store_read(path.data, &simulate->arena, &store, &simulate->err);
    if (r) return r;
    r = simulate_plan_learn(simulate->plan, store, simulate->workflow->name, &simulate->learned_runs, &simulate->err);
    store_close(store);
    if (!r && !simulate->learned_runs) {
        error_set(&simulate->err, ORCH_ERR_NOT_FOUND, "--learn: no run of %.*s is in %.*s",
                  STR_ARG(simulate->workflow->name), STR_ARG(path));
        error_hint(&simulate->err, "run it first, or name the store with --store DIR");
        r = ORCH_ERR_NOT_FOUND;
    }
    return r;
}

/* 0; an error in err; or the exit code of findings that were printed, positive. */
static int prepare(struct simulate *simulate, const char *name)
{
    struct orch_error *err = &simulate->err;
    struct value parameters;
    int r = cli_find_definition(name, &simulate->arena, &simulate->file, err);
    if (!r) r = file_read(simulate->file.data, DEFINITION_SIZE_MAX, &simulate->arena, &simulate->text, err);
    struct diags *diags = r ? NULL : ARENA_NEW(&simulate->arena, struct diags);
    if (!r && !diags) r = error_memory(err);
    if (r) return r;
    diags_init(diags, &simulate->arena);
    r = workflow_read(simulate->text, simulate->file, &simulate->arena, diags, &simulate->workflow);
    if (r == ORCH_ERR_NO_MEMORY) return error_memory(err);
    diags_sort(diags);
    int code = cli_findings(diags, simulate->text, simulate->file.data);
    if (code) return code;
    r = cli_given_parameters(simulate->parameters_file, &simulate->parameters, &simulate->arena, &simulate->given, err);
    if (r) return r;
    diags_init(diags, &simulate->arena);
    r = workflow_parameters(simulate->workflow, simulate->given, true, &simulate->arena, diags, &parameters, err);
    if (r && diags->count) return cli_findings(diags, simulate->text, simulate->file.data);
    if (r) return r;
    simulate->given = parameters;
    r = simulate_plan_check(simulate->plan, simulate->workflow, err);
    if (!r && simulate->learn) r = learn(simulate);
    return r;
}

/* ---- after ---- */

static void put_list(const char *option, const struct option_list *list, struct buf *out)
{
    for (uint32_t i = 0; i < list->count; i++) {
        buf_printf(out, "; --%s ", option);
        cli_clean(str_from(list->items[i]), 60, false, out);
    }
}

static void put_assumed(const struct simulate *simulate, struct buf *out)
{
    if (simulate->learned_runs)
        buf_printf(out, "durations and outputs as in %u run%s before, else ", simulate->learned_runs,
                   simulate->learned_runs == 1 ? "" : "s");
    buf_add_text(out, "a program takes ");
    duration_format_short(SIMULATE_DURATION_USUAL, out);
    buf_printf(out, " and succeeds, %u at once", simulate->jobs);
    put_list("duration", &simulate->durations, out);
    put_list("fail", &simulate->fails, out);
    put_list("output-of", &simulate->outputs, out);
    if (simulate->crash > 0) buf_printf(out, "; orch is killed in %.4g%% of the runs", simulate->crash * 100);
    if (simulate->clock_jump) {
        buf_add_text(out, ", and the clock jumps by up to ");
        duration_format_short(simulate->clock_jump, out);
    }
}

static void print_report(struct simulate *simulate, const struct simulation *simulation,
                         const struct simulation_result *last)
{
    struct buf assumed, report_text;
    buf_init(&assumed, NULL, 0);
    buf_init(&report_text, NULL, 0);
    put_assumed(simulate, &assumed);
    simulate_stats_sort(&simulate->stats);
    struct simulate_report report = {.workflow = simulate->workflow->name,
                                     .first_seed = simulate->seed,
                                     .assumed = buf_str(&assumed),
                                     .stats = &simulate->stats,
                                     .all = simulate->all};
    if (simulate->is_json) {
        simulate_report_json(&report, &report_text);
        if (simulate->trace) {
            buf_add_text(&report_text, ",\n\"trace\":[");
            buf_add(&report_text, buf_str(&simulate->out));
            buf_add_text(&report_text, "\n]");
        }
        buf_add_text(&report_text, "}\n");
    } else if (simulate->trace) {
        cli_clean(report.workflow, 80, false, &report_text);
        buf_printf(&report_text, ": seed %llu, in virtual time; nothing was run\nassumed: %.*s\n\n",
                   (unsigned long long)simulate->seed, STR_ARG(report.assumed));
        buf_add(&report_text, buf_str(&simulate->out));
        simulate_report_one(last, simulation, &report_text);
    } else
        simulate_report_text(&report, &report_text);
    if (report_text.failed || assumed.failed || simulate->out.failed)
        (void)error_memory(&simulate->err);
    else
        fwrite(report_text.data, 1, report_text.size, stdout);
    buf_done(&report_text);
    buf_done(&assumed);
}

static struct orch_str path_of(const void *user, uint32_t row)
{
    return simulation_path(user, row);
}

static int run_all(struct simulate *simulate)
{
    struct orch_error *err = &simulate->err;
    struct simulation_options options = {.text = simulate->text,
                                         .file = simulate->file,
                                         .parameters = simulate->given,
                                         .wall = WALL_BEGIN,
                                         .jobs = simulate->jobs,
                                         .crash = simulate->crash,
                                         .clock_jump = simulate->clock_jump,
                                         .ask = on_ask,
                                         .tell = simulate->trace ? on_tell : NULL,
                                         .tell_crash = simulate->trace ? on_tell_crash : NULL,
                                         .user = simulate};
    struct simulation *simulation = simulation_new(&options);
    struct simulation_result result;
    int r = simulation ? 0 : error_memory(err);
    for (uint32_t i = 0; i < simulate->runs && !r; i++) {
        r = simulation_run(simulation, simulate->seed + i, NULL, &result, err);
        if (!r && simulate_stats_add(&simulate->stats, &result, path_of, simulation)) r = error_memory(err);
        if (r) (void)error_context(err, "seed %llu", (unsigned long long)(simulate->seed + i));
    }
    if (!r) print_report(simulate, simulation, &result);
    simulation_free(simulation);
    return r ? r : err->code;
}

int cli_simulate(int argc, char **argv)
{
    struct simulate simulate = {.format = "text"};
    const struct cli_option options[] = {
        {"runs", 0, OPTION_COUNT, &simulate.runs, "N", "so many runs, seed by seed; 1000 unless a seed is given", NULL},
        {"seed", 0, OPTION_TEXT, &simulate.seed_text, "S", "the first seed; alone: that run, step by step", NULL},
        {"fail", 0, OPTION_LIST, &simulate.fails, "TASK=P",
         "the chance that an attempt fails, an approval is refused, an event does not come", NULL},
        {"duration", 0, OPTION_LIST, &simulate.durations, "TASK=D", "5s, anything between: 5s..2m, or never", NULL},
        {"output-of", 0, OPTION_LIST, &simulate.outputs, "TASK=JSON", "what a task gives; nothing unless said", NULL},
        {"learn", 0, OPTION_FLAG, &simulate.learn, NULL, "durations and outputs from the runs in the store", NULL},
        {"crash", 0, OPTION_TEXT, &simulate.crash_text, "P",
         "the chance that orch is killed in a run, at any moment, and taken up again", NULL},
        {"clock-jump", 0, OPTION_TIME, &simulate.clock_jump, "D", "with --crash: the clock is off by up to D then",
         NULL},
        {"jobs", 'j', OPTION_COUNT, &simulate.jobs, "N", "programs at once; 4 unless said", NULL},
        {"param", 'p', OPTION_LIST, &simulate.parameters, "K=V", "a parameter; may be given again", NULL},
        {"params", 0, OPTION_TEXT, &simulate.parameters_file, "FILE", "parameters as a JSON object", NULL},
        {"trace", 0, OPTION_FLAG, &simulate.trace, NULL, "one run, step by step", NULL},
        {"all", 'a', OPTION_FLAG, &simulate.all, NULL, "all tasks and ends, however many there are", NULL},
        {"store", 0, OPTION_TEXT, &simulate.store_option, "DIR", "with --learn: where the runs are kept", NULL},
        {"output", 'o', OPTION_CHOICE, &simulate.format, "FORMAT", "how to print", "text,json"},
        {0}};
    const struct cli_usage usage = {
        .verb = "simulate",
        .arguments = "FILE",
        .summary = "Finds out what may become of a workflow: many runs in virtual time; nothing is run, nothing is "
                   "written",
        .examples =
            "  orch simulate deploy.yaml --fail charge=0.3 --duration 'build=5s..2m'\n"
            "  orch simulate deploy.yaml --learn --crash 0.1    as long as it took before; orch is killed at times\n"
            "  orch simulate deploy.yaml --fail charge=0.3 --seed 17    the 17th run, step by step",
        .options = options,
        .positionals_min = 1,
        .positionals_max = 1};
    int count, code = cli_parse(&usage, argc, argv, &count);
    if (code >= 0) return code;
    arena_init(&simulate.arena, NULL, 0);
    buf_init(&simulate.out, NULL, 0);
    buf_init(&simulate.path, NULL, 0);
    simulate_stats_init(&simulate.stats);
    simulate.is_json = strcmp(simulate.format, "json") == 0;
    int r = read_options(&simulate);
    if (!r) r = prepare(&simulate, argv[1]);
    if (!r) r = run_all(&simulate);
    code = r < 0 ? cli_error(&simulate.err) : r;
    simulate_stats_done(&simulate.stats);
    simulate.plan = simulate_plan_free(simulate.plan);
    buf_done(&simulate.path);
    buf_done(&simulate.out);
    arena_done(&simulate.arena);
    free(simulate.parameters.items);
    free(simulate.fails.items);
    free(simulate.durations.items);
    free(simulate.outputs.items);
    return code;
}
