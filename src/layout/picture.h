/*
 * picture.h - a workflow as boxes and lines with their places: what is drawn as SVG and told in JSON.
 *
 * A box for each task as the user wrote it; one with blocks inside has the boxes of their tasks inside, and a box for
 * each of its handlers below them. Text is measured in columns of a monospaced font.
 */
#ifndef LAYOUT_PICTURE_H
#define LAYOUT_PICTURE_H

#include "lang/model.h"
#include "layout/layered.h"
#include "layout/state.h"

#define PICTURE_LINES 4 /* id, kind, rules, state */

/* Of the SVG's fonts, in tenths of a pixel: a column is 0.6 em in every monospaced font there is, or less. */
#define PICTURE_COLUMN_ID   78 /* 13 px */
#define PICTURE_COLUMN_TEXT 66 /* 11 px */

struct picture_item {
    const struct task *task;              /* the outermost of those that go round one; NULL for a handler's box */
    const struct block *block;            /* a handler's box */
    bool holds;                           /* has boxes inside */
    bool has_rules;                       /* the line after the kind */
    struct orch_str lines[PICTURE_LINES]; /* as they are drawn, cut when they are long; empty: none */
    struct orch_str full;                 /* all of it */
    const struct layout_state *state;     /* or NULL */
};

struct picture_edge {
    const struct task *from, *to; /* outermost */
};

struct picture {
    const struct workflow *workflow;
    struct picture_item *items; /* layered.nodes[i] is where items[i] is */
    uint32_t item_count;
    struct picture_edge *edges; /* likewise */
    uint32_t edge_count;
    uint32_t *item_of; /* by task number: its item */
    enum layered_direction direction;
    struct layered layered;
};

/*
 * Makes it.
 *
 * @param states   by task number, or NULL
 * @param arena    the picture lives here; borrows workflow and states
 * @return 0, ORCH_ERR_NO_MEMORY or ORCH_ERR_LIMIT
 */
int picture_make(const struct workflow *workflow, const struct layout_state *states, enum layered_direction direction,
                 struct arena *arena, struct arena *scratch, struct picture *ret, struct orch_error *err);

/* Columns of a text; control characters count none. */
uint32_t picture_columns(struct orch_str text);

#endif
