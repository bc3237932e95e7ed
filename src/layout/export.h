/*
 * export.h - a workflow's graph for other programs: SVG, Graphviz, Mermaid, JSON. All of it, whatever its size.
 *
 * Failure shows in out->failed.
 */
#ifndef LAYOUT_EXPORT_H
#define LAYOUT_EXPORT_H

#include "layout/picture.h"

/* One file, with style for light and dark. */
void layout_svg(const struct picture *picture, struct buf *out);
/* Graphviz: a cluster for each block inside a task, dashed for handlers. */
void layout_dot(const struct workflow *workflow, struct buf *out);
/* Mermaid flowchart: a subgraph for each block inside a task. */
void layout_mermaid(const struct workflow *workflow, struct buf *out);
/*
 * {"v":1, "name", "tasks":[{"path", "id", "kind", "action"?, "parent"?, "role"?, "rank", "line", "depends_on":[paths],
 * "describe", "rules"?, "state"?, "x", "y", "width", "height"}], "width", "height", "edges":[{"from", "to",
 * "points":[[x, y], ...]}], "handlers":[{"role", "parent"?, "x", "y", "width", "height"}], "crossings"}: one object for
 * each task as the user wrote it, `parent` the path of the task it is inside of; `handlers` are the boxes around their
 * tasks, for those that are more than one plain task; places in pixels.
 */
void layout_json(const struct picture *picture, struct buf *out);

#endif
