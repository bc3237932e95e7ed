/*
 * transition.c - names of states, reasons and types, and the list of transitions.
 */
#include "core/transition.h"

static const char *const task_state_texts[] = {
#define TEXT(name, number, text) [number] = (text),
    TASK_STATE_LIST(TEXT)};
static const char *const execution_state_texts[] = {EXECUTION_STATE_LIST(TEXT)};
static const char *const reason_texts[] = {REASON_LIST(TEXT)};
static const char *const transition_type_texts[] = {TRANSITION_LIST(TEXT)};
#undef TEXT

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

_Static_assert(COUNT(task_state_texts) == TASK_STATE_COUNT, "TASK_STATE_COUNT is the list's length");
_Static_assert(COUNT(execution_state_texts) == EXECUTION_STATE_COUNT, "EXECUTION_STATE_COUNT is the list's length");

static const char *text_at(const char *const *texts, size_t count, size_t number)
{
    return number < count && texts[number] ? texts[number] : "unknown";
}

/* The number of a text, or -1. The lists are short: no need for more than looking through them. */
static int number_of(const char *const *texts, size_t count, struct orch_str text)
{
    for (size_t i = 0; i < count; i++)
        if (texts[i] && str_is(text, texts[i])) return (int)i;
    return -1;
}

const char *task_state_to_string(enum task_state state)
{
    return text_at(task_state_texts, COUNT(task_state_texts), (size_t)state);
}

const char *execution_state_to_string(enum execution_state state)
{
    return text_at(execution_state_texts, COUNT(execution_state_texts), (size_t)state);
}

bool task_state_from_string(struct orch_str text, enum task_state *ret)
{
    int number = number_of(task_state_texts, COUNT(task_state_texts), text);

    if (number < 0) return false;
    *ret = (enum task_state)number;
    return true;
}

bool execution_state_from_string(struct orch_str text, enum execution_state *ret)
{
    int number = number_of(execution_state_texts, COUNT(execution_state_texts), text);

    if (number < 0) return false;
    *ret = (enum execution_state)number;
    return true;
}

const char *reason_to_string(enum reason reason)
{
    return text_at(reason_texts, COUNT(reason_texts), (size_t)reason);
}

const char *transition_type_to_string(enum transition_type type)
{
    return text_at(transition_type_texts, COUNT(transition_type_texts), (size_t)type);
}

struct core_transition *transitions_add(struct core_transitions *list, struct arena *arena, enum transition_type type,
                                        orch_time at)
{
    struct core_transition *transition;

    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        struct core_transition *items;

        if (list->capacity > UINT32_MAX / 2) return NULL;
        items = arena_alloc(arena, (size_t)capacity * sizeof(*items));
        if (!items) return NULL;
        if (list->count > 0) memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->capacity = capacity;
    }
    transition = &list->items[list->count++];
    *transition = (struct core_transition){.type = (uint8_t)type, .instance = CORE_NONE, .frame = CORE_NONE, .at = at};
    return transition;
}
