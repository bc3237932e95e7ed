/*
 * graph_states.h - how a run's tasks stand, for a drawing of its definition.
 */
#ifndef CLI_GRAPH_STATES_H
#define CLI_GRAPH_STATES_H

#include "core/core.h"
#include "layout/state.h"

/*
 * One state for each task of the definition, by its number. A task that a loop runs many times is told by counts, and
 * by the state that needs a look first: "✗ 3 failed, 180 succeeded". Symbols as cli_style says.
 *
 * @return 0 or ORCH_ERR_NO_MEMORY
 */
int graph_states(const struct core *core, const struct workflow *workflow, orch_time now, struct arena *arena,
                 const struct layout_state **ret);

#endif
