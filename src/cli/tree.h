/*
 * tree.h - how an execution stands, as text and JSON: what `show` and `replay` share.
 */
#ifndef CLI_TREE_H
#define CLI_TREE_H

#include "cli/cli.h"

struct cli_tree {
    const struct core *core;
    orch_time now;            /* what runs or waits is told as of then */
    bool all;                 /* however large it is */
    struct arena *arena;      /* for outputs */
    struct buf text;          /* for paths: whoever makes a tree inits and dones it */
    uint32_t lines, left_out; /* counted while it prints */
    struct orch_error err;    /* of an output that cannot be read: the first one; code 0: all could */
};

/* The whole tree on stdout; without `all` its first lines, and how many there are more. */
void cli_tree_print(struct cli_tree *tree);
void cli_tree_frame(struct cli_tree *tree, uint32_t frame, int depth);
/* One task as a JSON object. */
void cli_tree_json(struct cli_tree *tree, uint32_t instance, struct buf *out);

/* All of them: ,"tasks":[...] */
void cli_tree_json_tasks(struct cli_tree *tree, struct buf *out);

/*
 * A transition for people and for programs. The state has it already.
 */
/* "try 1 failed: exit code 75". Which task it is about is not said. */
void cli_transition_words(const struct core *core, const struct core_transition *transition, struct buf *out);
/* The path of the task it is about; nothing when it is about the whole run. */
void cli_transition_path(const struct core *core, const struct core_transition *transition, struct buf *out);
/* A JSON object, as a line of --progress jsonl; with its words when they are wanted. */
void cli_transition_json(const struct core *core, const char *id, uint64_t sequence,
                         const struct core_transition *transition, bool words, struct buf *out);

/* On stdout; a duration below 0 is 0, text from outside is made harmless (columns as cli_clean). */
void cli_put_duration(orch_time duration);
void cli_put_clean(struct orch_str text, uint32_t columns);
/* ,"name":value, or nothing when the text is empty or the time is 0. */
void cli_json_text(struct buf *out, const char *name, struct orch_str text);
void cli_json_raw(struct buf *out, const char *name, struct orch_str json);
void cli_json_time(struct buf *out, const char *name, orch_time time);

#endif
