/*
 * yaml_out.h - writing YAML that reads well and reads back the same: quotes only where they are needed, text of several
 * lines as a literal block.
 */
#ifndef LANG_YAML_OUT_H
#define LANG_YAML_OUT_H

#include "lang/doc.h"

/* A text as a scalar. `flow`: inside brackets; else `indent` is that of the line it stands on, and a literal block may
 * follow. */
void yaml_text(struct orch_str text, uint32_t indent, bool flow, struct buf *out);
/* A key with its colon. */
void yaml_key(struct orch_str key, bool flow, struct buf *out);
/*
 * Any value in flow style, `{a: 1, b: [x, y]}`. False, and nothing is written, when that is wider than `width` columns
 * or has text of several lines in it.
 */
bool yaml_flow(const struct doc_node *node, size_t width, struct buf *out);
/*
 * A value behind "key:" or "-" on a line with that indentation: on the same line when it is a scalar or short enough in
 * flow style, else on lines of its own. Ends the line. `column` is how far the line has come.
 */
void yaml_value(const struct doc_node *node, uint32_t indent, size_t column, struct buf *out);
/* True when a value is written as a scalar on one line. */
bool yaml_is_line(const struct doc_node *node);

#define YAML_WIDTH 100

#endif
