/*
 * export.h - a workflow's graph for other programs: Graphviz, Mermaid, JSON. All of it, whatever its size.
 *
 * Failure shows in out->failed.
 */
#ifndef LAYOUT_EXPORT_H
#define LAYOUT_EXPORT_H

#include "lang/model.h"

/* Graphviz: a cluster for each block inside a task, dashed for handlers. */
void layout_dot(const struct workflow *workflow, struct buf *out);
/* Mermaid flowchart: a subgraph for each block inside a task. */
void layout_mermaid(const struct workflow *workflow, struct buf *out);
/*
 * {"v":1, "name", "tasks":[{"path", "id", "kind", "action"?, "parent"?, "role"?, "rank", "line", "depends_on":[paths],
 * "describe", "rules"?}]}: one object for each task as the user wrote it, `parent` the path of the task it is inside
 * of.
 */
void layout_json(const struct workflow *workflow, struct buf *out);

#endif
