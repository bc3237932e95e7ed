/*
 * describe.h - a task in a few words, for every kind of drawing.
 */
#ifndef LAYOUT_DESCRIBE_H
#define LAYOUT_DESCRIBE_H

#include "lang/model.h"

/* "shell", "for each region in params.regions: workflow region-report", "repeat until score > 0.9, at most 10 times:
 * group of 2". */
void describe_kind(const struct task *task, struct buf *out);
/* What is beyond the kind: "when x > 1, after any succeeded, up to 5 attempts"; nothing for a plain task. */
void describe_rules(const struct task *task, struct buf *out);
/* The task inside the loops around it: itself when it is none. */
const struct task *describe_inner(const struct task *task);
/* "on error", "compensate", "finally", "" for a body. */
const char *describe_role(enum block_role role);

#endif
