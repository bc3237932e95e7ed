/*
 * scratch.h - directories for attempts, made once and used again as long as nobody put anything into them. (Internal to
 * actions.)
 *
 * Every attempt has a directory of its own (ORCH_SCRATCH), a place for its output file (ORCH_OUTPUT) and, when there
 * are any, its inputs. Most use none of it, and then all it costs is two stat() afterwards, since making and removing
 * directories costs as much as a tenth of a small program.
 */
#ifndef ACTIONS_SCRATCH_H
#define ACTIONS_SCRATCH_H

#include "actions/action.h"
#include "actions/remover.h"

struct scratch_slot {
    struct remover_item removal; /* first; of root */
    struct scratch_slot *next;
    bool root_untouched; /* already looked at, by scratch_has_output */
    bool made;           /* both directories are there, untouched */
    char *root;          /* <root>/output, <root>/inputs, <root>/script: ours; terminated, as the others */
    char *directory;     /* <root>/scratch: the task's */
    char *output;
    char *inputs;
    char *script;
};

struct scratch_pool {
    struct arena arena;
    struct orch_str home;        /* absolute; empty until the first use */
    struct orch_str home_parent; /* removed at the end when empty; empty for a temporary home */
    struct scratch_slot *free;
    uint32_t count;
    struct remover remover;          /* of what was left in slots */
    struct remover_item old_removal; /* of what earlier lives left */
};

void scratch_init(struct scratch_pool *pool);
/* Removes everything, and waits for that. */
void scratch_done(struct scratch_pool *pool);
/*
 * A slot whose directories exist and are empty.
 *
 * @param attempt_dir  where the engine would have the attempt's own directory: the pool lives beside it, and from its
 * first use on removes what is there from earlier lives. Empty (a store in memory): a temporary directory.
 */
int scratch_take(struct scratch_pool *pool, struct orch_str attempt_dir, struct scratch_slot **ret,
                 struct orch_error *err);
/* What was put into it is removed, beside the loop. */
void scratch_give_back(struct scratch_pool *pool, struct scratch_slot *slot);
/* Whether the program has written <root>/output (quick). To be asked when it is over: the answer is relied on when the
 * slot is given back. ODD: it is no file but a pipe, a device or a directory, and reading it might never end. */
enum scratch_output { SCRATCH_OUTPUT_NONE, SCRATCH_OUTPUT_FILE, SCRATCH_OUTPUT_ODD };
enum scratch_output scratch_has_output(struct scratch_slot *slot);
/* Writes the attempt's inputs: inputs/<task>.json each, or inputs/inputs.jsonl when there are more than
 * SCRATCH_INPUT_FILES_MAX. */
#define SCRATCH_INPUT_FILES_MAX 1000
int scratch_write_inputs(const struct scratch_slot *slot, const struct action_input *inputs, uint32_t count,
                         struct orch_error *err);
int scratch_write(const char *path, struct orch_str text, unsigned mode, struct orch_error *err);

#endif
