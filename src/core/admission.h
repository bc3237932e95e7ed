/*
 * admission.h - who may start now: limits shared by all executions. Pure.
 *
 * A request asks for one unit of each limit it names: the engine's jobs, its execution's and workflow's concurrency, the groups around it,
 * and slots of pools. It waits in a queue of those with the same needs; a queue that cannot go on is looked at again only when one of the limits it
 * failed on gets free, so blocked work is never scanned. Among those that may go: higher priority, then longest remaining
 * path, then first come.
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
    const struct admission_need *needs; /* copied */
    uint32_t needs_count;
};

struct admission *admission_new(const struct orch_allocator *allocator);
struct admission *admission_free(struct admission *admission);

/* Makes a limit of so many units, or changes it (units above what is taken simply let fewer in); named for messages. Returns 0 when memory is short. */
admission_limit admission_limit_add(struct admission *admission, struct orch_str name, uint32_t units);
void admission_limit_set(struct admission *admission, admission_limit limit, uint32_t units);
/* Nothing may hold or want it any more. */
void admission_limit_remove(struct admission *admission, admission_limit limit);
void admission_limit_get(const struct admission *admission, admission_limit limit, struct orch_str *ret_name, uint32_t *ret_units,
                         uint32_t *ret_taken);

/* Puts a request into its queue. ORCH_ERR_EXISTS when it is there; ORCH_ERR_INVALID when it can never be met (more units than the limit has); ORCH_ERR_NO_MEMORY. */
int admission_enqueue(struct admission *admission, const struct admission_request *request);
/* Takes the best request that may go now: its units are taken. False when none may. */
bool admission_next(struct admission *admission, uint64_t *ret_owner, uint32_t *ret_instance);
/* Takes units for something that already runs (recovery), beyond the limit if need be. ORCH_ERR_NO_MEMORY. */
int admission_take(struct admission *admission, const struct admission_request *request);
/* Gives back what an admitted request holds. False when it held nothing. */
bool admission_release(struct admission *admission, uint64_t owner, uint32_t instance);
/* Takes a request back that was not admitted. False when it was not waiting. */
bool admission_withdraw(struct admission *admission, uint64_t owner, uint32_t instance);
/* Holds back or lets go all waiting requests of an owner (pause). */
int admission_hold(struct admission *admission, uint64_t owner, bool hold);
/* The limit a waiting request was last held up by, 0 when it was not looked at or is not waiting. */
admission_limit admission_blocked_by(const struct admission *admission, uint64_t owner, uint32_t instance);
uint32_t admission_waiting_count(const struct admission *admission);

#endif
