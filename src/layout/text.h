/*
 * text.h - a workflow drawn with characters.
 *
 *     ● fetch      shell
 *     ├─● total    transform
 *     │ ○ alert    notification, when total.output.sum < 1000
 *     ○ report     shell
 *
 * One row for each task, in topological order. A line goes down from a task to the last one that depends on it, and each
 * that does is joined to the line in its row; ○ is a task on which nothing depends. Blocks inside a task are drawn below
 * it, indented. A block that is too large or too tangled for this is told level by level instead.
 */
#ifndef LAYOUT_TEXT_H
#define LAYOUT_TEXT_H

#include "lang/model.h"
#include "layout/state.h"

struct layout_text_options {
    bool ascii;        /* only ASCII characters in the drawing */
    uint32_t width;    /* columns after which a row is cut; 0 means 100 */
    const struct layout_state *states; /* by task number: told in each row; or NULL */
    uint32_t rows_max; /* 0 means 200; what is left out is counted in a last row */
};

/* Draws the body and the handlers. `scratch` is given back. Returns 0 or ORCH_ERR_NO_MEMORY; a full buffer shows in
 * out->failed. */
int layout_text(const struct workflow *workflow, const struct layout_text_options *options, struct arena *scratch,
                struct buf *out);

/* Draws a cycle that a finding carries: one row for each task, with the line of the dependency that closes it. */
void layout_cycle(const struct diag_step *path, uint32_t count, bool ascii, struct buf *out);

#endif
