/*
 * states.c - which state may follow which. Any other move is a bug, or a damaged journal.
 */
#include "core/internal.h"

#define TASK(name)      (1u << TASK_##name)
#define EXECUTION(name) (1u << EXECUTION_##name)

/* How a task may end that has begun. */
#define TASK_ENDS (TASK(SUCCEEDED) | TASK(FAILED) | TASK(CANCELLED) | TASK(TIMED_OUT))

static const uint16_t task_moves[TASK_STATE_COUNT] = {
    /* What is decided within one step never becomes ready; a condition that cannot be evaluated fails the task. */
    [TASK_PENDING] = TASK(READY) | TASK(WAITING) | TASK(RUNNING) | TASK(SUCCEEDED) | TASK(FAILED) | TASK(SKIPPED),
    /* Ready also holds what could not begin while the execution was paused, whatever it is. */
    [TASK_READY] = TASK(WAITING) | TASK(RUNNING) | TASK_ENDS | TASK(SKIPPED),
    /* A wait that timed out may be tried again after a delay: waiting follows waiting. */
    [TASK_WAITING] = TASK(READY) | TASK(WAITING) | TASK(RUNNING) | TASK_ENDS,
    /* A lost attempt makes ready again; a failed one waits for the next, or runs the handler. */
    [TASK_RUNNING] = TASK(READY) | TASK(WAITING) | TASK(RUNNING) | TASK_ENDS,
    /* Pending and running from here on: a person had it run again, or taken up again. */
    [TASK_SUCCEEDED] = TASK(COMPENSATING) | TASK(PENDING) | TASK(RUNNING),
    [TASK_FAILED] = TASK(PENDING) | TASK(RUNNING),
    [TASK_SKIPPED] = TASK(PENDING) | TASK(RUNNING),
    [TASK_CANCELLED] = TASK(PENDING) | TASK(RUNNING),
    [TASK_TIMED_OUT] = TASK(PENDING) | TASK(RUNNING),
    [TASK_COMPENSATING] = TASK(COMPENSATED) | TASK(FAILED),
    [TASK_COMPENSATED] = TASK(PENDING) | TASK(RUNNING),
};

#define EXECUTION_ENDS (EXECUTION(SUCCEEDED) | EXECUTION(FAILED) | EXECUTION(CANCELLED) | EXECUTION(TIMED_OUT))

static const uint16_t execution_moves[EXECUTION_STATE_COUNT] = {
    [EXECUTION_PENDING] = EXECUTION(RUNNING),
    [EXECUTION_RUNNING] = EXECUTION(PAUSED) | EXECUTION(COMPENSATING) | EXECUTION_ENDS,
    /* What runs goes on while paused, and may have been all there was. */
    [EXECUTION_PAUSED] = EXECUTION(RUNNING) | EXECUTION_ENDS,
    [EXECUTION_COMPENSATING] = EXECUTION(COMPENSATED) | EXECUTION(FAILED) | EXECUTION(CANCELLED),
    /* Only a person makes a finished one run again. */
    [EXECUTION_SUCCEEDED] = EXECUTION(RUNNING),
    [EXECUTION_FAILED] = EXECUTION(RUNNING),
    [EXECUTION_CANCELLED] = EXECUTION(RUNNING),
    [EXECUTION_TIMED_OUT] = EXECUTION(RUNNING),
    [EXECUTION_COMPENSATED] = EXECUTION(RUNNING),
};

bool task_state_may_become(enum task_state from, enum task_state to)
{
    return (unsigned)from < TASK_STATE_COUNT && (unsigned)to < TASK_STATE_COUNT && (task_moves[from] >> to & 1) != 0;
}

bool execution_state_may_become(enum execution_state from, enum execution_state to)
{
    return (unsigned)from < EXECUTION_STATE_COUNT && (unsigned)to < EXECUTION_STATE_COUNT &&
           (execution_moves[from] >> to & 1) != 0;
}
