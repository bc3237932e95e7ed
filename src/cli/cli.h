/*
 * cli.h - what the verbs of the command line share: the table of verbs, options, output, errors.
 *
 * One file for each verb. A verb's options are a table; the parser, --help and completion are made from it.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdio.h>

#include "engine/engine.h"

/* Exit codes that are no error code's: the rest come from orch_error_exit_code. */
enum {
    EXIT_OK = 0,
    EXIT_RUN_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_INVALID = 3,
    EXIT_NOT_FOUND = 4,
    EXIT_TIMED_OUT = 8,
    EXIT_CANCELLED = 9,
    EXIT_ALLOWED_FAILURES = 10,
    EXIT_INTERNAL = 13,
    EXIT_SIGINT = 130,
    EXIT_SIGTERM = 143,
};

enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_COUNT,  /* uint32_t, decimal, 1 and up */
    OPTION_TIME,   /* orch_time, a duration */
    OPTION_LIST,   /* struct option_list: may be given again */
    OPTION_CHOICE, /* const char *, one of `choices` */
};

struct option_list {
    const char **items;
    uint32_t count;
};

struct cli_option {
    const char *name;        /* long, without dashes; NULL ends the table */
    char letter;             /* or 0 */
    enum option_kind kind;
    void *target;
    const char *value;       /* what the value is called in help: "FILE", "K=V"; NULL for a flag */
    const char *help;        /* one line */
    const char *choices;     /* CHOICE: "auto,tty,plain" */
};

struct cli_verb {
    const char *name;
    const char *group;       /* in `orch help`: "first use", "author", "runs", ... */
    const char *summary;     /* one line */
    int (*run)(int argc, char **argv); /* argv[0] is the verb */
};
extern const struct cli_verb cli_verbs[]; /* name NULL ends it */

/* What a verb's parse needs for its --help. */
struct cli_usage {
    const char *verb;
    const char *arguments;   /* "FILE [TASK]" */
    const char *summary;
    const char *examples;    /* lines, shown first */
    const struct cli_option *options;
    uint32_t positionals_min, positionals_max;
};

/*
 * Parses argv: options anywhere, "--" ends them, -abc and -kVALUE and --name=VALUE as usual; -h and --help print the help and end
 * the program with 0. The positionals are moved to argv[1..] and their number set. Wrong usage is said on stderr, with the nearest option.
 *
 * @return -1 when the verb goes on; else the exit code to return
 */
int cli_parse(const struct cli_usage *usage, int argc, char **argv, int *ret_positionals);
/* Calls fn for each option of a verb: the verb is run just so far that it shows them. */
void cli_options_of(const struct cli_verb *verb, void (*fn)(void *user, const struct cli_option *option), void *user);

/* --color, --ascii, --width: taken out of argv before the verb sees it; also NO_COLOR, CLICOLOR_FORCE, TERM, LANG. */
struct cli_style {
    bool color_out, color_err;
    bool utf8;
    uint32_t width;          /* of the terminal on stderr; 0: none is there */
    bool tty_out, tty_err;
    bool json_err;           /* a program reads stderr: errors, findings and notes are JSON lines */
    bool quiet_err;          /* only errors are wanted on stderr */
};
extern struct cli_style cli_style;
void cli_style_init(int *argc, char **argv);
/* --progress, for what the verb itself has to tell: jsonl and quiet hold for that too. */
void cli_style_tell(const char *progress);
/* Width of the terminal now: it may have been resized. */
void cli_style_size(uint32_t *ret_columns, uint32_t *ret_rows);

enum cli_color { COLOR_NONE, COLOR_RED, COLOR_GREEN, COLOR_YELLOW, COLOR_BLUE, COLOR_GREY, COLOR_BOLD };
/* The sequence that begins a colour, or "" when off; cli_color_end ends it. */
const char *cli_color(bool on, enum cli_color color);
const char *cli_color_end(bool on, enum cli_color color);
/* Symbol and colour of a state: UTF-8 or ASCII. */
const char *cli_task_symbol(uint8_t task_state, uint8_t reason);
enum cli_color cli_task_color(uint8_t task_state, uint8_t reason);
enum cli_color cli_execution_color(uint8_t execution_state);
/* Text from outside for a terminal: control characters out (SGR sequences are kept when keep_sgr), cut to so many columns (0: not). */
void cli_clean(struct orch_str text, uint32_t columns, bool keep_sgr, struct buf *out);
/* One line on stderr, made harmless as a whole: arguments may be quoted in it. */
void cli_say(const char *format, ...) ORCH_PRINTF(1, 2);

/* "error[NOT_FOUND]: ..." with place and help on stderr, or a JSON line; returns the exit code. */
int cli_error(const struct orch_error *err);
/* A remark on stderr, "note: ...": or a JSON line; or nothing, where only errors are wanted. @param run  the run's id, or NULL */
void cli_note(const char *run, const char *format, ...) ORCH_PRINTF(2, 3);
/*
 * What a run is doing, in a word: "running", "held" (for a person), "retrying", "interrupted" (nobody runs it), or its state.
 *
 * @param waiting  gets what it waits for a person for ("approval: ship"); may be NULL
 */
const char *cli_activity(const struct core *core, bool owned, struct buf *waiting);
/* Findings of a definition on stderr, or one JSON line; returns EXIT_INVALID when there are errors, else 0. */
int cli_findings(const struct diags *diags, struct orch_str text, const char *file);

/* Where the store is: --store, ORCH_STORE_DIR, else .orch beside the file, or (file NULL) .orch in this folder or the nearest one above. In the arena. */
struct orch_str cli_store_path(const char *option, const char *file, struct arena *arena);
/* Opens a store for looking. Says what is wrong otherwise. */
int cli_store_read(const char *option, struct arena *arena, struct store **ret, struct orch_error *err);
/* A run's id or "last" or empty (the latest) to its number. */
int cli_run_number(struct store *store, const char *id, int64_t *ret, struct orch_error *err);
/* Says so and ends the program, where what is printed would lack a part. */
_Noreturn void cli_no_memory(void);
/* Who does it: $ORCH_USER, else the login name. */
struct orch_str cli_user(struct arena *arena);

/* The file that NAME means: itself, with an ending left out, or in a folder of that name (orch.yaml, or named like the folder). In the arena. */
int cli_find_definition(const char *name, struct arena *arena, struct orch_str *ret, struct orch_error *err);
/* Parameters as a MAP: those of a JSON file (NULL: none), and over them each "name=value" of the list. */
int cli_given_parameters(const char *file, const struct option_list *list, struct arena *arena, struct value *ret, struct orch_error *err);

/* Tables: columns that line up; wide characters count right. */
struct cli_table;
struct cli_table *cli_table_new(const char *headings);                   /* "RUN|WORKFLOW|STATE": a heading that begins with > is right-aligned */
void cli_table_cell(struct cli_table *table, enum cli_color color, const char *format, ...) ORCH_PRINTF(3, 4);
void cli_table_print(struct cli_table *table, FILE *out);
struct cli_table *cli_table_free(struct cli_table *table);

/* Verbs. */
int cli_run(int argc, char **argv);
int cli_validate(int argc, char **argv);
int cli_fmt(int argc, char **argv);
int cli_schema(int argc, char **argv);
int cli_eval(int argc, char **argv);
int cli_graph(int argc, char **argv);
int cli_import(int argc, char **argv);
int cli_ps(int argc, char **argv);
int cli_runs(int argc, char **argv);
int cli_show(int argc, char **argv);
int cli_logs(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_retry(int argc, char **argv);
int cli_cancel(int argc, char **argv);
int cli_pause(int argc, char **argv);
int cli_resume(int argc, char **argv);
int cli_approve(int argc, char **argv);
int cli_signal(int argc, char **argv);
int cli_simulate(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_version(int argc, char **argv);
int cli_help(int argc, char **argv);
int cli_export(int argc, char **argv);
int cli_rerun(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_init(int argc, char **argv);
int cli_completion(int argc, char **argv);
int cli_complete(int argc, char **argv); /* `orch __complete WORD...`: what the shells' scripts ask */
int cli_wait(int argc, char **argv);
int cli_watch(int argc, char **argv);

/*
 * Progress: how a run is shown while it goes on. One of these per mode; made by progress_open.
 */
enum progress_mode { PROGRESS_TTY, PROGRESS_PLAIN, PROGRESS_JSONL, PROGRESS_QUIET };
struct progress;
/* Observes the engine: put what progress_observer gives into engine_options before engine_open; progress_begin comes when the execution is known. */
struct progress *progress_new(enum progress_mode mode);
void progress_observer(struct progress *progress, struct engine_observer *ret);
void progress_begin(struct progress *progress, struct engine *engine, struct engine_execution *execution, bool resumed);
/* A remark of the program's own ("stopping 4 tasks, again to kill"). */
void progress_say(struct progress *progress, const char *format, ...) ORCH_PRINTF(2, 3);
/* True once the execution that was begun has ended; the state it ended in. */
bool progress_ended(const struct progress *progress, enum execution_state *ret_state, uint32_t *ret_failed_allowed);
/* Restores the terminal, prints the closing words. */
struct progress *progress_close(struct progress *progress);
/* "auto" and the rest to a mode: auto is tty when stderr is a terminal, TERM is not dumb and CI is unset. */
bool progress_mode_from_string(const char *text, enum progress_mode *ret);

#endif
