/*
 * read.h - inside of lang: what the reader hands to the graph and to the check of names.
 */
#ifndef LANG_READ_H
#define LANG_READ_H

#include "lang/doc.h"
#include "lang/model.h"

/* Bounds of a definition's document. Groups take two levels of it each. */
#define DOC_DEPTH_MAX 128
#define DOC_NODES_MAX 100000000u

/* Where an expression is used: which names it may ask for follows from it (see names.c). */
enum site_kind {
    SITE_CONFIG,   /* an action's configuration: sees secrets */
    SITE_ENV,      /* env of a task, group or workflow: sees secrets */
    SITE_WHEN,
    SITE_ITEMS,    /* for_each.in: does not see its own loop variables */
    SITE_REPEAT,   /* until and while: sees the tasks of the body, iteration, previous */
    SITE_TRANSFORM,
    SITE_WAIT,
    SITE_FILTER,   /* of an awaited event: sees event */
    SITE_OUTPUT,   /* the workflow's output: sees all tasks of the body */
};

/* One expression in the text. */
struct site {
    const struct expr *expr;
    const struct task *task;   /* whose it is; NULL: the workflow's */
    const struct block *block; /* the block the task is in; the workflow's body when task is NULL */
    struct span at;            /* of the expression's first character in the file; length 0 when it is not on one line as it stands (block scalar with folding, escapes): then errors underline the whole scalar */
    struct span whole;         /* of the scalar it is in */
    uint8_t kind;              /* enum site_kind */
};

/* One entry of a depends_on. */
struct reference {
    uint32_t task;             /* index in the block: who depends */
    struct orch_str id;        /* on whom */
    struct span at;
};

/* A reading in progress. Scratch memory goes when it is over. */
struct reading {
    struct arena *arena;       /* the model's */
    struct arena *scratch;
    struct diags *diags;
    struct workflow *workflow;
    struct site *sites;
    size_t sites_count, sites_capacity;
    const struct doc_node *secrets; /* the list of the workflow's secrets, for their places; NULL when there is none */
};

/* read.c: notes an expression for names_check. Returns 0 or ORCH_ERR_NO_MEMORY. */
int reading_add_site(struct reading *reading, const struct site *site);

/*
 * graph.c: fills a block's rows, by_id, order, levels, width and the tasks' ranks from its references. Reports unknown ids (with the
 * nearest one), a task that depends on itself, double ids, and each cycle as a path. A block with errors is left without edges.
 * tasks and task_count are set before. O(tasks + edges). Returns 0 (also with diags) or ORCH_ERR_NO_MEMORY.
 */
int graph_link(struct reading *reading, struct block *block, const struct reference *references, size_t count);

/*
 * names.c: looks at every site once the whole model stands: unknown names (with the nearest), tasks that are not before the asker
 * ("add depends_on"), fields a task does not have, secrets where they may not be, parameters unused (warning), a parameter and
 * a task of one name, loop variables that hide something. Returns 0 (also with diags) or ORCH_ERR_NO_MEMORY.
 */
int names_check(struct reading *reading);

#endif
