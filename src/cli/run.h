/*
 * run.h - running in the foreground: what `run`, `retry` and `cancel` share.
 */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "cli/cli.h"

/* Kept back on the disk so that what runs is recorded when the disk is full: some thousand records. A store is often a folder beside the user's files. */
#define RUN_RESERVE_SIZE ((uint64_t)1 << 20)

struct foreground_options {
    struct orch_str store;      /* directory */
    enum progress_mode mode;
    uint32_t jobs;
    orch_time grace_us;
    const char *secrets_dir;
    bool strict;
    bool json;                  /* the outcome as JSON on stdout */
};

/* `run --dry`: the plan on stdout; nothing is run. */
int run_dry(const char *file, const char *parameters_file, const struct option_list *list);

struct foreground;

/* Opens the engine on the store. Returns 0 or an error. */
int foreground_open(const struct foreground_options *options, struct foreground **ret, struct orch_error *err);
struct engine *foreground_engine(struct foreground *foreground);
/* Runs until the execution has ended, with progress, Ctrl-C and all; returns the exit code. */
int foreground_run(struct foreground *foreground, struct engine_execution *execution, bool resumed);
struct foreground *foreground_close(struct foreground *foreground);

/* Options that all of these verbs have; fills a table of at most FOREGROUND_OPTIONS entries. */
struct foreground_flags {
    const char *store, *progress, *secrets, *format;
    uint32_t jobs;
    orch_time grace_us;
    bool strict, json;
};
#define FOREGROUND_FLAGS_INIT {.progress = "auto", .format = "table"}
#define FOREGROUND_OPTIONS(flags)                                                                                             \
    {"jobs", 'j', OPTION_COUNT, &(flags).jobs, "N", "processes at once (default: processors, at least 4)", NULL},             \
    {"store", 0, OPTION_TEXT, &(flags).store, "DIR", "where runs are kept (default: .orch beside the file)", NULL},           \
    {"progress", 0, OPTION_CHOICE, &(flags).progress, "MODE", "how the run is shown", "auto,tty,plain,jsonl,quiet"},          \
    {"secrets", 0, OPTION_TEXT, &(flags).secrets, "DIR", "files named like the secrets", NULL},                               \
    {"grace", 0, OPTION_TIME, &(flags).grace_us, "TIME", "between SIGTERM and SIGKILL (default: 10s)", NULL},                 \
    {"strict", 0, OPTION_FLAG, &(flags).strict, NULL, "exit with 10 when a failure was allowed", NULL},                       \
    {"output", 'o', OPTION_CHOICE, &(flags).format, "FORMAT", "the outcome on stdout", "table,json"}
/* The flags as options; false (said on stderr) when they do not fit together. */
bool foreground_from_flags(const struct foreground_flags *flags, struct orch_str store, struct foreground_options *ret);

#endif
