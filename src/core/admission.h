/*
 * admission.h - who may start now: limits shared by all executions. Pure.
 *
 * A request asks for units of each limit it names: the engine's jobs, slots of pools, its workflow's and execution's
 * concurrency, the groups around it. It waits in a queue of those with the same owner and needs; queues stand in a tree by
 * their needs, so that whatever cannot go on for want of one limit hangs on that limit as one branch and is looked at again
 * only when units of it come back: blocked work is never scanned. Name the needs from the most shared (jobs) to the most
 * private (a group in an execution): the order does not matter for what is admitted, but it keeps the branches of a limit
 * few, and every call pays for those.
 *
 * Among those that may go: higher priority, then longest remaining path, then first come. A request for several units of a
 * limit that lacks room there only keeps its place: those after it do not take what comes back of that limit
 * until it had its turn, else small ones would starve it. Lower priorities do starve as long as higher ones fill the limits:
 * that is what priority means here.
 *
 * Whoever holds units while waiting for others to be admitted can wait for ever for itself: a task that runs another
 * workflow should hold none of the limits that workflow's tasks need.
 */
#ifndef CORE_ADMISSION_H
#define CORE_ADMISSION_H

#include "base/arena.h"

struct admission;
typedef uint32_t admission_limit; /* a limit's handle; 0 is none */

#define ADMISSION_LIMITS_MAX 24 /* of one request */

struct admission_need { admission_limit limit; uint32_t units; };

struct admission_request {
    uint64_t owner;      /* the execution; with `instance` it names the request */
    uint32_t instance;
    int32_t priority;
    uint32_t rank;       /* longest remaining path */
    const struct admission_need *needs; /* copied; most shared first; the units of a limit named twice add up */
    uint32_t needs_count;
};

struct admission *admission_new(const struct orch_allocator *allocator);
struct admission *admission_free(struct admission *admission);

/* Makes a limit of so many units; named for messages (copied). Returns 0 when memory is short. */
admission_limit admission_limit_add(struct admission *admission, struct orch_str name, uint32_t units);
/* Changes it; fewer units than are taken simply let nobody in until enough came back. */
void admission_limit_set(struct admission *admission, admission_limit limit, uint32_t units);
/* Nothing may hold or want it any more. */
void admission_limit_remove(struct admission *admission, admission_limit limit);
void admission_limit_get(const struct admission *admission, admission_limit limit, struct orch_str *ret_name, uint32_t *ret_units,
                         uint32_t *ret_taken);

/*
 * Puts a request into its queue. ORCH_ERR_EXISTS when it waits or was admitted and not released; ORCH_ERR_INVALID when it can
 * never be met (more units than the limit has, no such limit, too many needs); ORCH_ERR_NO_MEMORY. On failure nothing has changed.
 */
int admission_enqueue(struct admission *admission, const struct admission_request *request);
/* Takes the best request that may go now: its units are taken. False when none may. */
bool admission_next(struct admission *admission, uint64_t *ret_owner, uint32_t *ret_instance);
/* Takes units for something that already runs (recovery), beyond the limit if need be. ORCH_ERR_EXISTS, _INVALID (no such limit), _NO_MEMORY. */
int admission_take(struct admission *admission, const struct admission_request *request);
/* Gives back what an admitted request holds. False when it held nothing. */
bool admission_release(struct admission *admission, uint64_t owner, uint32_t instance);
/* Takes a request back that was not admitted. False when it was not waiting. */
bool admission_withdraw(struct admission *admission, uint64_t owner, uint32_t instance);
/* Holds back or lets go all requests of an owner, those to come too (pause). Let go before forgetting an owner. ORCH_ERR_NO_MEMORY. */
int admission_hold(struct admission *admission, uint64_t owner, bool hold);
/* The limit a waiting request (or the one before it in its queue) is held up by, 0 when it was not looked at or is not waiting. */
admission_limit admission_blocked_by(const struct admission *admission, uint64_t owner, uint32_t instance);
uint32_t admission_waiting_count(const struct admission *admission);
/* Queues and branches there are: 0 when nothing waits and nothing is held. For tests. */
uint32_t admission_queue_count(const struct admission *admission);

#endif
