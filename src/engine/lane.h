/*
 * lane.h - a graph of C functions, run to its end on threads, with nothing recorded.
 *
 * The fast lane of the library: when an execution is kept in memory only and all its tasks are functions without a rule
 * beyond "after these have succeeded", what the state machine would decide is known beforehand: a task runs once all it
 * depends on have succeeded, and never when one of them has not. The lane does only that, in some dozens of bytes and
 * nanoseconds a task. Whatever has a retry, a timeout, a condition, a handler or an output that another task reads goes
 * the way of every other execution. A test runs drawn graphs both ways and compares how each task ended.
 */
#ifndef ENGINE_LANE_H
#define ENGINE_LANE_H

#include <orch/orch.h>

enum lane_state {
    LANE_PENDING, /* not begun: the run was stopped before */
    LANE_SUCCEEDED,
    LANE_FAILED, /* its function returned other than 0 */
    LANE_SKIPPED /* a task it depends on, directly or not, has failed */
};

/* Tasks are numbered from 0. Borrowed for the call; nothing in it is changed. */
struct lane_graph {
    uint32_t count;
    const uint32_t
        *first; /* count + 1 entries: task i is followed by the tasks next[first[i]] .. next[first[i + 1] - 1] */
    const uint32_t *next; /* those that depend on i */
};

struct lane_options {
    uint32_t threads; /* that run tasks, the caller's among them; 0 and 1: only the caller's. Fewer when the system
                         gives no more. Signals are blocked in those made here */
    bool fail_fast;   /* after a failure no further task begins: what had not begun is LANE_PENDING or LANE_SKIPPED */
    /*
     * Runs a task, on any of the threads, several at once. 0: it succeeded; else ORCH_ERR_*.
     */
    int (*run)(void *user, uint32_t task);
    void *user;
    const _Atomic bool *stop;               /* asked before each task: once true no further one begins; may be NULL */
    const struct orch_allocator *allocator; /* asked on the caller's thread only; NULL: the C library's */
};

/*
 * Runs the graph and returns when no task is under way any more and none can begin.
 *
 * @param ret_states  count bytes of enum lane_state, the caller's
 * @return 0, also when tasks have failed; ORCH_ERR_CYCLE when the graph has one (found before a task begins: nothing
 *         has run then); ORCH_ERR_NO_MEMORY before a task begins
 * Memory: 4 bytes a task and 128 a thread, given back. Threads: any, several runs at once.
 */
int lane_run(const struct lane_graph *graph, const struct lane_options *options, uint8_t *ret_states,
             struct orch_error *err);

#endif
