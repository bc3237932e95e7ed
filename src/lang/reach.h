/*
 * reach.h - which tasks of a block come before which: "does b depend on a, directly or not?"
 *
 * Asked for each name of a task in an expression. Answers come, in this order, from the row of direct dependencies,
 * from the levels (what comes before has a smaller one), from a spanning forest of the dependencies (constant time; all
 * of a chain or a tree), and only then from a search backwards that leaves out everything not above the level of the
 * task that is looked for. The worst case is a search along all edges for each question, as in a dense graph in which
 * thousands of tasks name one that is not before them; a budget for all questions together bounds it, and the answer is
 * then REACH_UNKNOWN.
 */
#ifndef LANG_REACH_H
#define LANG_REACH_H

#include "lang/model.h"

enum reach_answer { REACH_NO, REACH_YES, REACH_UNKNOWN };

struct reach_block;

struct reach {
    const struct workflow *workflow;
    struct arena *scratch;       /* borrowed */
    struct reach_block **blocks; /* by block number; made when first needed */
    uint64_t steps;              /* edges looked at in searches so far */
    uint64_t steps_max;
};

/* steps_max 0 means 200 million, about a second. Returns 0 or ORCH_ERR_NO_MEMORY. */
int reach_init(struct reach *reach, const struct workflow *workflow, struct arena *scratch, uint64_t steps_max);
/* Whether `task` waits for `before`, both indexes in the block, which has an order. Returns 0 or ORCH_ERR_NO_MEMORY. */
int reach_find(struct reach *reach, const struct block *block, uint32_t before, uint32_t task, enum reach_answer *ret);

#endif
