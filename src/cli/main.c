/*
 * main.c - the entry of the command line: finds the verb.
 */
#include "cli/cli.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "cli/help_errors.h"

const struct cli_verb cli_verbs[] = {
    {"run", "first use", "run a workflow file here, durably; or continue one", cli_run},
    {"init", "first use", "make a project from a template", cli_init},
    {"completion", "first use", "completion for bash, zsh and fish", cli_completion},
    {"doctor", "first use", "look at a whole store, name what is damaged, save what can be read", cli_doctor},
    {"version", "first use", "print the version", cli_version},
    {"help", "first use", "about orch, a verb, or an error code", cli_help},
    {"validate", "author", "check a workflow file and show all that is wrong with it", cli_validate},
    {"fmt", "author", "print the normal form of a workflow file", cli_fmt},
    {"graph", "author", "draw a workflow's graph", cli_graph},
    {"explain", "author", "a task in words: what it does, waits for, and who needs it", cli_explain},
    {"simulate", "author", "what may become of a workflow: many runs in virtual time, nothing is run", cli_simulate},
    {"schema", "author", "print the JSON Schema of workflow files", cli_schema},
    {"import", "author", "make a definition of another tool's file", cli_import},
    {"eval", "author", "evaluate an expression", cli_eval},
    {"ps", "runs", "what is active", cli_ps},
    {"runs", "runs", "what has run, newest first", cli_runs},
    {"show", "runs", "one run: its tasks, attempts, outputs, history", cli_show},
    {"watch", "runs", "follow a run that another process carries out", cli_watch},
    {"wait", "runs", "wait until runs have ended", cli_wait},
    {"logs", "runs", "what tasks wrote", cli_logs},
    {"replay", "runs", "how a run came to be as it is, and how it stood at any moment", cli_replay},
    {"export", "runs", "a report of a run: text, JSON, JUnit, or one HTML file with its time line", cli_export},
    {"cancel", "runs", "stop a run: running tasks are ended, compensations run", cli_cancel},
    {"pause", "runs", "let nothing new start in a run", cli_pause},
    {"resume", "runs", "let a paused run go on", cli_resume},
    {"retry", "runs", "run again what failed, or from one task on", cli_retry},
    {"rerun", "runs", "a new run of the same definition and parameters", cli_rerun},
    {"approve", "runs", "give or refuse an approval that a run waits for", cli_approve},
    {"signal", "runs", "send an event that a run waits for", cli_signal},
    {0},
};

static int print_overview(FILE *out)
{
    fputs("orch runs workflows: durably, side by side, from one file\n\n"
          "  orch run build.yaml                 run a workflow, see it run\n"
          "  orch run build.yaml --continue      go on with one that was interrupted\n"
          "  orch validate build.yaml            check it, see every mistake at once\n",
          out);
    const char *group = "";
    for (const struct cli_verb *verb = cli_verbs; verb->name; verb++) {
        if (strcmp(group, verb->group) != 0) fprintf(out, "\n%s\n", verb->group);
        group = verb->group;
        fprintf(out, "  %-11s %s\n", verb->name, verb->summary);
    }
    fputs("\norch VERB --help  explains a verb; orch help E0201  explains an error code\n", out);
    return EXIT_OK;
}

static const struct cli_verb *find(const char *name)
{
    for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
        if (strcmp(verb->name, name) == 0) return verb;
    return NULL;
}

static int unknown(const char *name)
{
    struct orch_str names[64];
    size_t count = 0;
    for (const struct cli_verb *verb = cli_verbs; verb->name && count < 64; verb++) names[count++] = str_from(verb->name);
    struct orch_str near = str_nearest(str_from(name), names, count);
    cli_say("orch: unknown verb \"%.*s\"", STR_ARG(str_from(name)));
    if (near.size) fprintf(stderr, "  = help: did you mean \"%.*s\"?\n", STR_ARG(near));
    else if (access(name, R_OK) == 0) cli_say("  = help: to run a file: orch run %s", name);
    else fputs("  = help: orch help\n", stderr);
    return EXIT_USAGE;
}

int cli_help(int argc, char **argv)
{
    const struct cli_usage usage = {.verb = "help",
                                    .arguments = "[VERB or CODE]",
                                    .summary = "Explains orch, a verb, or an error code",
                                    .examples = "  orch help\n  orch help run\n  orch help E0312",
                                    .positionals_max = 1};
    int count;
    int r = cli_parse(&usage, argc, argv, &count);
    if (r >= 0) return r;
    if (count == 0) return print_overview(stdout);
    const struct cli_verb *verb = find(argv[1]);
    if (verb) {
        char name[32], flag[] = "--help";
        snprintf(name, sizeof name, "%s", verb->name);
        char *help[] = {name, flag, NULL};
        return verb->run(2, help);
    }
    const struct help_error *page = help_error_find(argv[1]);
    if (!page) {
        cli_say("orch: no help for \"%s\"", argv[1]);
        fputs("  = help: orch help  lists the verbs; error codes look like E0312\n", stderr);
        return EXIT_NOT_FOUND;
    }
    printf("%s: %s\n\n%s", page->code, page->title, page->text);
    return EXIT_OK;
}

/*
 * Whoever starts us may have closed standard input, output or error. Their numbers are taken then, or the next file
 * opened (the store's, a pipe) would get one of them and be read or written as it. Output that was closed stays one
 * that cannot be written, so that what is lost is said.
 */
static bool hold_standard_files(void)
{
    for (int number = STDIN_FILENO; number <= STDERR_FILENO; number++) {
        if (fcntl(number, F_GETFD) >= 0) continue;
        /* The lowest free number is given, which is this one. */
        if (open("/dev/null", number == STDOUT_FILENO ? O_RDONLY : O_RDWR) != number) return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    /* A reader of our output that goes away ends us quietly; sockets say so themselves (MSG_NOSIGNAL). A file that may
     * not grow further is an error of the write, as a full disk is. */
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_IGN);
    if (!hold_standard_files()) return EXIT_INTERNAL;
    cli_style_init(&argc, argv);
    if (argc < 2) {
        print_overview(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) return print_overview(stdout);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        char name[] = "version";
        char *version[] = {name, NULL};
        return cli_version(1, version);
    }
    if (strcmp(argv[1], "__complete") == 0) return cli_complete(argc - 1, argv + 1);
    const struct cli_verb *verb = find(argv[1]);
    if (!verb) return unknown(argv[1]);
    int r = verb->run(argc - 1, argv + 1);
    if (fflush(stdout) != 0 && r == EXIT_OK) {
        perror("orch: standard output");
        return EXIT_INTERNAL;
    }
    return r;
}
