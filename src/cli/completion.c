/*
 * completion.c - orch completion: what shells ask while a command is being written.
 *
 * The scripts are small: they hand the words to `orch __complete`, which answers one candidate a line, within a tenth of a second and
 * without a word about what went wrong. Only harmless characters are answered: a name is put into a command line as it stands.
 */
#include "cli/definition.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/error.h"

#define BUDGET_US 90000
#define RUNS_MAX  50
#define TASKS_MAX 2000

static const char bash_script[] =
    "# orch completion bash > /etc/bash_completion.d/orch, or: eval \"$(orch completion bash)\"\n"
    "_orch() {\n"
    "    mapfile -t COMPREPLY < <(command \"${COMP_WORDS[0]}\" __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "}\n"
    "complete -o bashdefault -o default -F _orch orch\n";
static const char zsh_script[] =
    "#compdef orch\n"
    "# orch completion zsh > \"${fpath[1]}/_orch\", or: source <(orch completion zsh)\n"
    "_orch() {\n"
    "    local -a found\n"
    "    found=(\"${(@f)$(command \"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
    "    if [[ -n \"${found[1]}\" ]]; then compadd -- \"${found[@]}\"; else _files; fi\n"
    "}\n"
    "if [[ \"${funcstack[1]}\" = _orch ]]; then _orch; else compdef _orch orch; fi\n";
static const char fish_script[] =
    "# orch completion fish > ~/.config/fish/completions/orch.fish\n"
    "complete -c orch -a '(set -l words (commandline -opc); command $words[1] __complete $words[2..-1] (commandline -ct) 2>/dev/null)'\n";

static bool is_harmless(struct orch_str text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80 || (c && strchr("_-./#[]", c));
        if (!fine) return false;
    }
    return text.size > 0 && text.size < 1000;
}

struct answer {
    struct orch_str begun; /* of the word */
    struct buf out;
    uint32_t count;
};

static void add(struct answer *answer, struct orch_str text)
{
    if (!str_starts_with(text, answer->begun) || !is_harmless(text)) return;
    buf_add(&answer->out, text);
    buf_add_char(&answer->out, '\n');
    answer->count++;
}

static int add_run(void *user, const struct store_execution *row)
{
    add(user, row->id);
    return 0;
}

static void add_runs(struct answer *answer, const char *store_option)
{
    struct arena arena;
    struct store *store;
    arena_init(&arena, NULL, 0);
    add(answer, STR("last"));
    if (cli_store_read(store_option, &arena, &store, NULL) == 0) {
        struct store_filter filter = {.count_max = RUNS_MAX};
        (void)store_each_execution(store, &filter, add_run, answer, NULL);
        store_close(store);
    }
    arena_done(&arena);
}

static void add_tasks_of_run(struct answer *answer, const char *store_option, const char *run)
{
    struct arena arena;
    struct store *store;
    struct engine_view *view;
    int64_t number;
    arena_init(&arena, NULL, 0);
    if (cli_store_read(store_option, &arena, &store, NULL) == 0) {
        if (cli_run_number(store, run, &number, NULL) == 0 && engine_view_open(store, number, &view, NULL) == 0) {
            struct buf path;
            buf_init(&path, NULL, 16384);
            for (uint32_t i = 0; i < core_instance_count(engine_view_core(view)) && answer->count < TASKS_MAX; i++) {
                buf_clear(&path);
                core_path(engine_view_core(view), i, &path);
                if (!path.failed) add(answer, buf_str(&path));
            }
            buf_done(&path);
            engine_view_close(view);
        }
        store_close(store);
    }
    arena_done(&arena);
}

static void add_tasks_of_file(struct answer *answer, const char *file)
{
    struct definition definition;
    struct buf path;
    buf_init(&path, NULL, 16384);
    if (strcmp(file, "-") != 0 && definition_read(&definition, file, NULL) == 0) {
        const struct workflow *workflow = definition.workflow;
        for (uint32_t b = 0; workflow && b < workflow->block_count; b++)
            for (uint32_t i = 0; i < workflow->blocks[b]->task_count && !block_is_wrapping(workflow->blocks[b]) && answer->count < TASKS_MAX; i++) {
                buf_clear(&path);
                task_path(&workflow->blocks[b]->tasks[i], &path);
                if (!path.failed) add(answer, buf_str(&path));
            }
        definition_done(&definition);
    }
    buf_done(&path);
}

/* What the positionals of a verb are: R a run, T a task of the run, F a file, t a task of the file; the last stays for more. */
static const char *shape_of(const char *verb)
{
    static const struct {
        const char *verb, *shape;
    } shapes[] = {{"show", "RT"},    {"logs", "RT"},   {"approve", "RT"}, {"signal", "R-"}, {"cancel", "R-"}, {"pause", "R-"},   {"resume", "R-"},
                  {"retry", "R-"},   {"rerun", "R-"},  {"watch", "R-"},   {"wait", "R"},    {"export", "R-"}, {"replay", "RT"},  {"run", "F"},
                  {"validate", "F"}, {"fmt", "F"},     {"graph", "F"},    {"explain", "Ft-"}, {"simulate", "F"}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(verb, shapes[i].verb) == 0) return shapes[i].shape;
    return "-";
}

static const struct cli_verb *find(const char *name)
{
    for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
        if (strcmp(verb->name, name) == 0) return verb;
    return NULL;
}

struct flags {
    struct answer *answer;
    const char *before; /* the word before, when it may be an option that wants a value */
    bool wants_value, chosen;
};

static void each_option(void *user, const struct cli_option *option)
{
    struct flags *flags = user;
    char text[80];
    bool is_before = flags->before && option->kind != OPTION_FLAG &&
                     ((strncmp(flags->before, "--", 2) == 0 && strcmp(flags->before + 2, option->name) == 0) ||
                      (flags->before[0] == '-' && option->letter && flags->before[1] == option->letter && !flags->before[2]));
    if (is_before) {
        flags->wants_value = true;
        for (struct orch_str rest = option->choices ? str_from(option->choices) : STR_NONE; rest.size;) {
            size_t end = str_find(rest, STR(","), 0);
            add(flags->answer, str_of(rest.data, end == SIZE_MAX ? rest.size : end));
            if (end == SIZE_MAX) break;
            rest = str_of(rest.data + end + 1, rest.size - end - 1);
        }
        return;
    }
    snprintf(text, sizeof text, "--%s", option->name);
    if (flags->answer->begun.size && flags->answer->begun.data[0] == '-') add(flags->answer, str_from(text));
}

static void complete(struct answer *answer, int count, char **words)
{
    const char *last = count > 0 ? words[count - 1] : "", *store = NULL;
    answer->begun = str_from(last);
    if (count <= 1) {
        for (const struct cli_verb *verb = cli_verbs; verb->name; verb++) add(answer, str_from(verb->name));
        return;
    }
    const struct cli_verb *verb = find(words[0]);
    if (!verb) return;
    if (strcmp(words[0], "help") == 0) {
        for (const struct cli_verb *one = cli_verbs; one->name; one++) add(answer, str_from(one->name));
        return;
    }
    if (strcmp(words[0], "completion") == 0) {
        add(answer, STR("bash"));
        add(answer, STR("fish"));
        add(answer, STR("zsh"));
    }
    struct flags flags = {.answer = answer, .before = count > 2 ? words[count - 2] : NULL};
    cli_options_of(verb, each_option, &flags);
    if (flags.wants_value || (last[0] == '-' && last[1])) return;
    const char *given[8];
    int positionals = 0;
    for (int i = 1; i < count - 1; i++) {
        if (strcmp(words[i], "--store") == 0 && i + 1 < count - 1) store = words[++i];
        else if (strncmp(words[i], "--store=", 8) == 0) store = words[i] + 8;
        else if (words[i][0] != '-' && positionals < 8) {
            /* The word behind an option that wants a value is no positional. */
            struct answer none = {.begun = STR("\x01")};
            struct flags value = {.answer = &none, .before = i > 1 ? words[i - 1] : NULL};
            if (i > 1) cli_options_of(verb, each_option, &value);
            if (!value.wants_value) given[positionals++] = words[i];
        }
    }
    const char *shape = shape_of(words[0]);
    size_t at = (size_t)positionals < strlen(shape) ? (size_t)positionals : strlen(shape) - 1;
    if (shape[at] == 'R') add_runs(answer, store);
    else if (shape[at] == 'T' && positionals) add_tasks_of_run(answer, store, given[0]);
    else if (shape[at] == 't' && positionals) add_tasks_of_file(answer, given[0]);
}

static void out_of_time(int number)
{
    (void)number;
    _exit(EXIT_OK);
}

int cli_complete(int argc, char **argv)
{
    struct answer answer = {.count = 0};
    struct itimerval budget = {.it_value = {.tv_usec = BUDGET_US}};
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) (void)dup2(nowhere, STDERR_FILENO);
    (void)signal(SIGALRM, out_of_time);
    (void)setitimer(ITIMER_REAL, &budget, NULL);
    buf_init(&answer.out, NULL, 1024u * 1024);
    complete(&answer, argc - 1, argv + 1);
    if (answer.out.size && !answer.out.failed) fwrite(answer.out.data, 1, answer.out.size, stdout);
    buf_done(&answer.out);
    return EXIT_OK;
}

int cli_completion(int argc, char **argv)
{
    const struct cli_usage usage = {.verb = "completion",
                                    .arguments = "SHELL",
                                    .summary = "Prints what makes bash, zsh or fish complete verbs, options, runs, tasks and files",
                                    .examples = "  eval \"$(orch completion bash)\"                          now, in this shell\n"
                                                "  orch completion bash > ~/.local/share/bash-completion/completions/orch\n"
                                                "  orch completion fish > ~/.config/fish/completions/orch.fish",
                                    .positionals_min = 1,
                                    .positionals_max = 1};
    int count, r = cli_parse(&usage, argc, argv, &count);
    if (r >= 0) return r;
    const char *script = strcmp(argv[1], "bash") == 0 ? bash_script : strcmp(argv[1], "zsh") == 0 ? zsh_script : strcmp(argv[1], "fish") == 0 ? fish_script : NULL;
    if (!script) {
        cli_say("orch completion: unknown shell \"%s\"", argv[1]);
        fputs("  = help: one of bash, zsh, fish\n", stderr);
        return EXIT_USAGE;
    }
    fputs(script, stdout);
    return EXIT_OK;
}
