/*
 * model.c - names of kinds and failures, and the paths of tasks.
 */
#include "lang/model.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const action_kind_texts[] = {
#define TEXT(name, number, text) [number] = (text),
    ACTION_LIST(TEXT)};
static const char *const failure_texts[] = {FAILURE_LIST(TEXT)};
#undef TEXT

const char *action_kind_to_string(enum action_kind kind)
{
    return (size_t)kind < COUNT(action_kind_texts) && action_kind_texts[kind] ? action_kind_texts[kind] : "none";
}

enum action_kind action_kind_from_string(struct orch_str text)
{
    for (size_t i = 0; i < COUNT(action_kind_texts); i++)
        if (action_kind_texts[i] && str_is(text, action_kind_texts[i])) return (enum action_kind)i;
    return ACTION_NONE;
}

const char *failure_to_string(enum failure failure)
{
    return (size_t)failure < COUNT(failure_texts) ? failure_texts[failure] : "unknown";
}

/* A for_each or repeat and the one task inside it that carries its id are one to the user. */
static bool is_wrapper_of(const struct task *owner, const struct task *task)
{
    return (owner->kind == TASK_FOR_EACH || owner->kind == TASK_REPEAT) && task->block->role == BLOCK_BODY &&
           task->block->task_count == 1 && str_equal(owner->id, task->id);
}

/* Recursive by nesting, which the reader bounds. */
void task_path(const struct task *task, struct buf *out)
{
    const struct task *owner = task->block->owner;

    if (owner) {
        task_path(owner, out);
        if (is_wrapper_of(owner, task)) return;
        buf_add_char(out, '/');
    }
    /* A handler's tasks may be named as those of the body. */
    switch (task->block->role) {
    case BLOCK_BODY: break;
    case BLOCK_ON_ERROR: buf_add(out, STR("on_error/")); break;
    case BLOCK_COMPENSATE: buf_add(out, STR("compensate/")); break;
    case BLOCK_FINALLY: buf_add(out, STR("finally/")); break;
    }
    buf_add(out, task->id);
}
