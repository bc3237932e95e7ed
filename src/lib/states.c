/*
 * states.c - the names of states, and the structs that callers fill in.
 */
#include "lib/internal.h"

#define SAME_TASK(name, number, text) _Static_assert((int)TASK_##name == (int)ORCH_TASK_##name, text);
ORCH_TASK_STATE_LIST(SAME_TASK)
#define SAME_EXECUTION(name, number, text) _Static_assert((int)EXECUTION_##name == (int)ORCH_EXECUTION_##name, text);
ORCH_EXECUTION_STATE_LIST(SAME_EXECUTION)

const char *orch_task_state_name(int state)
{
    return state >= 0 && state < TASK_STATE_COUNT ? task_state_to_string((enum task_state)state) : "unknown";
}

const char *orch_execution_state_name(int state)
{
    return state >= 0 && state < EXECUTION_STATE_COUNT ? execution_state_to_string((enum execution_state)state)
                                                       : "unknown";
}

bool orch_task_state_is_over(int state)
{
    return state >= 0 && state < TASK_STATE_COUNT && task_state_is_terminal((uint8_t)state);
}

bool orch_execution_state_is_over(int state)
{
    return state >= 0 && state < EXECUTION_STATE_COUNT && execution_state_is_terminal((uint8_t)state);
}

/* Each begins with its size, and its members were 0 before they meant something. */
int options_take(void *known, size_t known_size, const void *given, struct orch_error *err)
{
    size_t size = known_size;

    if (given) memcpy(&size, given, sizeof size);
    if (size < sizeof size) return error_set(err, ORCH_ERR_MISUSE, "options begin with their size: use their _INIT");
    memset(known, 0, known_size);
    for (size_t i = known_size; i < size; i++)
        if (((const char *)given)[i] != 0)
            return error_set(err, ORCH_ERR_UNSUPPORTED,
                             "an option is set that this version of the library does not know");
    if (given) memcpy(known, given, size < known_size ? size : known_size);
    return 0;
}

int result_give(void *given, const void *known, size_t known_size, struct orch_error *err)
{
    size_t size;

    memcpy(&size, given, sizeof size);
    if (size < sizeof size) return error_set(err, ORCH_ERR_MISUSE, "a result begins with its size: use its _INIT");
    size_t both = size < known_size ? size : known_size;
    memcpy((char *)given + sizeof size, (const char *)known + sizeof size, both - sizeof size);
    return 0;
}

int failure_code(enum failure failure)
{
    switch (failure) {
    case FAILURE_NONE: return 0;
    case FAILURE_EXIT:
    case FAILURE_SIGNAL:
    case FAILURE_ERROR:
    case FAILURE_PERMANENT:
    case FAILURE_START:
    case FAILURE_CHILD: return ORCH_ERR_TASK_FAILED;
    case FAILURE_TIMEOUT: return ORCH_ERR_TIMEOUT;
    case FAILURE_LOST: return ORCH_ERR_UNAVAILABLE;
    case FAILURE_CANCELLED: return ORCH_ERR_CANCELLED;
    case FAILURE_REJECTED: return ORCH_ERR_DENIED;
    case FAILURE_EVALUATION: return ORCH_ERR_EVALUATION;
    case FAILURE_DEPENDENCY: return ORCH_ERR_DEPENDENCY;
    }
    return ORCH_ERR_TASK_FAILED;
}

struct orch_str text_copy(struct arena *arena, struct orch_str text)
{
    return arena_str(arena, text.data ? text : STR(""));
}
