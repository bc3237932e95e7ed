/*
 * tell.h - a task of a definition in words: what `explain` and `run --dry` share.
 */
#ifndef CLI_TELL_H
#define CLI_TELL_H

#include "cli/cli.h"

/* A template as the user wrote it: text, or JSON with {{ expressions }} in it. */
void tell_template(const struct template *tmpl, struct buf *out);
/* "runs a shell command". */
const char *tell_action(const struct task *task);
/* What carries it out: of a loop or repeat around one task, that task. */
const struct task *tell_inner(const struct task *task);

#endif
