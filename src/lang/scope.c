/* scope.c - what an expression sees, from the inside out. */
#include "lang/scope.h"

/* What the way out of `block` brings along: the variables of a loop whose body it is, the error that it handles. */
static void add_names_of(struct scope *scope, const struct block *block)
{
    const struct task *owner = block->owner;
    if (block->role == BLOCK_ON_ERROR) scope->has_error = true;
    if (!owner || block->role != BLOCK_BODY) return;
    if (owner->kind == TASK_FOR_EACH && owner->options) scope->loop = owner->options->loop;
    if (owner->kind == TASK_REPEAT) scope->has_iteration = true;
}

static struct scope before(const struct task *task, bool self)
{
    struct scope scope = {.block = task->block, .asker = task->index, .self = self};
    add_names_of(&scope, task->block);
    return scope;
}

static struct scope all_of(const struct block *block)
{
    struct scope scope = {.block = block, .asker = UINT32_MAX, .all = true};
    add_names_of(&scope, block);
    return scope;
}

struct scope scope_of(const struct site *site, const struct workflow *workflow)
{
    switch ((enum site_kind)site->kind) {
    case SITE_OUTPUT: return all_of(workflow->body);
    case SITE_REPEAT: {
        const struct block *body = site->task ? task_block(site->task, BLOCK_BODY) : NULL;
        /* The repeat of a group is one with it to the user: its condition names the group's tasks. */
        if (body && block_is_wrapping(body) && body->tasks[0].kind == TASK_GROUP) body = task_block(&body->tasks[0], BLOCK_BODY);
        if (body) return all_of(body);
        break;
    }
    case SITE_CONFIG:
    case SITE_ENV:
    case SITE_WHEN:
    case SITE_ITEMS:
    case SITE_TRANSFORM:
    case SITE_WAIT:
    case SITE_FILTER: break;
    }
    return site->task ? before(site->task, false) : (struct scope){0};
}

struct scope scope_outer(const struct scope *scope)
{
    const struct block *block = scope->block;
    const struct task *owner = block->owner;
    switch (block->role) {
    case BLOCK_BODY: return owner ? before(owner, false) : (struct scope){0};
    case BLOCK_COMPENSATE: return owner ? before(owner, true) : (struct scope){0};
    case BLOCK_ON_ERROR: return owner ? before(owner, true) : all_of(block->workflow->body);
    case BLOCK_FINALLY: {
        const struct block *body = owner ? task_block(owner, BLOCK_BODY) : block->workflow->body;
        if (body) return all_of(body);
        return owner ? before(owner, false) : (struct scope){0};
    }
    }
    return (struct scope){0};
}
