/*
 * main.c - the simulator's command: seeds, one after the other; a failure is shown with the way to see it again.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mark.h"
#include "scenario.h"
#include "shrink.h"
#include "sys/clock.h"

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    (void)number;
    is_interrupted = 1;
}

static void usage(FILE *to)
{
    fputs(
        "usage: orch-sim [--seeds N] [--from SEED] [--seed SEED] [--trace] [--twice] [--first] [--no-shrink] [--marks] "
        "[--quiet]\n"
        "\n"
        "Runs the engine in a simulated world, under faults drawn from each seed, and checks what must hold.\n"
        "\n"
        "  --seeds N     so many seeds; 0, as when not given: until interrupted\n"
        "  --from SEED   the first one; 1 when not given\n"
        "  --seed SEED   only this one\n"
        "  --trace       show everything that happens\n"
        "  --twice       run each seed twice: the same bytes must come out\n"
        "  --first       stop at the first failure, not at the twentieth\n"
        "  --no-shrink   do not look for a shorter way to a failure\n"
        "  --marks       show how often each marked place in the code was reached\n"
        "\n"
        "Exit code: 0 all was well, 1 something was not, 2 wrong usage.\n",
        to);
}

extern struct mark __start_orch_marks[], __stop_orch_marks[];

/* What was reached, and what never was. Marks of one name in several places are one each. */
static uint32_t show_marks(bool all)
{
    uint32_t missed = 0, count = 0;
    for (struct mark *mark = __start_orch_marks; mark < __stop_orch_marks; mark++, count++) {
        if (all) printf("%12lu  %s\n", mark->count, mark->name);
        if (mark->count) continue;
        missed++;
        if (!all) printf("never reached: %s\n", mark->name);
    }
    printf("%u of %u marks reached\n", count - missed, count);
    return missed;
}

static bool number(const char *text, uint64_t *ret)
{
    char *end;
    *ret = strtoull(text, &end, 10);
    return *text && !*end;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seeds", required_argument, NULL, 'n'},
                                            {"from", required_argument, NULL, 'f'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"trace", no_argument, NULL, 't'},
                                            {"twice", no_argument, NULL, '2'},
                                            {"no-shrink", no_argument, NULL, 'x'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"first", no_argument, NULL, '1'},
                                            {"marks", no_argument, NULL, 'm'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    uint64_t seeds = 0, from = 1, failures_max = 20;
    bool trace = false, twice = false, shrinks = true, quiet = false, marks = false;
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        bool good = true;
        switch (c) {
        case 'n': good = number(optarg, &seeds); break;
        case 'f': good = number(optarg, &from); break;
        case 's':
            good = number(optarg, &from);
            seeds = 1;
            break;
        case 't': trace = true; break;
        case '2': twice = true; break;
        case 'x': shrinks = false; break;
        case 'q': quiet = true; break;
        case '1': failures_max = 1; break;
        case 'm': marks = true; break;
        case 'h': usage(stdout); return 0;
        default: good = false;
        }
        if (!good) {
            usage(stderr);
            return 2;
        }
    }
    /* Paths are recorded: the same bytes come out wherever it is called. */
    if (chdir("/")) return 1;
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    orch_time begin = clock_monotonic(), shown = begin, simulated = 0;
    uint64_t done = 0, transitions = 0, lives = 0, runs = 0, faults = 0, failures = 0;
    for (uint64_t seed = from; (seeds == 0 || done < seeds) && !is_interrupted; seed++, done++) {
        struct scenario_options scenario = {.seed = seed, .trace = trace};
        struct scenario_result result, again;
        scenario_run(&scenario, &result);
        if (twice && !result.failure[0]) {
            scenario_run(&scenario, &again);
            if (again.digest != result.digest || again.transitions != result.transitions)
                snprintf(result.failure, sizeof result.failure, "the same seed gave other bytes");
            scenario_result_done(&again);
        }
        simulated += result.time;
        transitions += result.transitions;
        lives += result.lives;
        runs += result.runs;
        faults += result.happened_count;
        if (result.failure[0]) {
            failures++;
            printf("seed %llu: %s\n", (unsigned long long)seed, result.failure);
            if (shrinks) shrink(&scenario, &result);
            printf("again: orch-sim --seed %llu --trace\n", (unsigned long long)seed);
            fflush(stdout);
        }
        scenario_result_done(&result);
        orch_time now = clock_monotonic();
        if (!quiet && seeds == 0 && now - shown > 2 * ORCH_SECOND) {
            double seconds = (double)(now - begin) / 1e6;
            printf("%llu seeds, %.0f/s, %.0f simulated s/s, %llu lives, %llu failures\n", (unsigned long long)done + 1,
                   (double)(done + 1) / seconds, (double)simulated / 1e6 / seconds, (unsigned long long)lives,
                   (unsigned long long)failures);
            fflush(stdout);
            shown = now;
        }
        if (failures >= failures_max) break;
    }
    double seconds = (double)(clock_monotonic() - begin) / 1e6;
    printf("%llu seeds in %.1f s (%.0f/s): %llu runs, %llu lives, %llu faults, %llu transitions, %.1f simulated hours; "
           "%llu failed\n",
           (unsigned long long)done, seconds, (double)done / seconds, (unsigned long long)runs,
           (unsigned long long)lives, (unsigned long long)faults, (unsigned long long)transitions,
           (double)simulated / 3.6e9, (unsigned long long)failures);
    if (done > 1) (void)show_marks(marks);
    return failures ? 1 : 0;
}
