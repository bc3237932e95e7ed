/*
 * digest.c - one number for everything that matters in a state, so that two folds of one journal can be compared.
 *
 * Left out is what does not matter: addresses, sizes of memory, and the agenda, on which a fold without decisions
 * leaves things that are owed nothing.
 */
#include "core/internal.h"

static void add(uint64_t *digest, uint64_t value)
{
    uint64_t x = *digest ^ value;
    x *= UINT64_C(0x9e3779b97f4a7c15);
    *digest = x ^ x >> 29;
}

static void add_str(uint64_t *digest, struct orch_str text)
{
    add(digest, text.size);
    add(digest, str_hash(text));
}

static void add_detail(uint64_t *digest, const struct core_detail *detail)
{
    add(digest, (uint64_t)detail->ready_at);
    add(digest, (uint64_t)detail->started_at);
    add(digest, (uint64_t)detail->attempt_at);
    add(digest, (uint64_t)detail->ended_at);
    add(digest, (uint64_t)detail->due);
    add(digest, detail->fence);
    add(digest, detail->interrupts);
    add(digest, (uint64_t)detail->exit_code);
    add(digest, (uint64_t)detail->signal);
    add(digest, detail->cpu_us);
    add(digest, detail->memory_peak);
    add_str(digest, detail->output);
    add(digest, detail->blob);
    add(digest, detail->blob_size);
    add_str(digest, detail->error);
    add(digest, detail->frame_first);
    add(digest, detail->frame_last);
    add(digest, detail->item_count);
    add_str(digest, detail->items);
    add_str(digest, detail->event);
    add(digest, detail->timer);
    const struct core_inner *inner = detail->inner;
    add(digest, inner != NULL);
    if (!inner) return;
    add(digest, inner->body);
    add(digest, inner->before);
    add(digest, inner->handler);
    add(digest, inner->handled);
    add(digest, inner->opened);
    add(digest, inner->open);
    add(digest, inner->failed);
    add(digest, inner->redo);
    add(digest, inner->phase);
}

static void add_instance(uint64_t *digest, const struct core_instance *instance)
{
    add(digest, instance->task->number);
    add(digest, instance->frame);
    add(digest, instance->unmet);
    add(digest, instance->succeeded);
    add(digest, instance->missed);
    add(digest, instance->attempt);
    add(digest, instance->state);
    add(digest, instance->reason);
    add(digest, instance->failure);
    add(digest, instance->stopping);
    add(digest, instance->detail != NULL);
    if (instance->detail) add_detail(digest, instance->detail);
}

static void add_frame(uint64_t *digest, const struct core_frame *frame)
{
    add(digest, frame->block->number);
    add(digest, frame->owner);
    add(digest, frame->parent);
    add(digest, frame->first);
    add(digest, frame->index);
    add(digest, frame->open);
    add(digest, frame->failed);
    add(digest, frame->role);
    add(digest, frame->state);
    add(digest, (uint64_t)frame->stopping | (uint64_t)frame->undo << 1 | (uint64_t)frame->dropped << 2);
    add(digest, frame->next_of);
}

static void add_execution(uint64_t *digest, const struct core *core)
{
    add(digest, core->state);
    add(digest, core->outcome);
    add(digest, core->failure);
    add(digest, core->phase);
    add(digest, core->stopping);
    add_str(digest, core->error);
    add_str(digest, core->finally_error);
    add_str(digest, core->output);
    add(digest, core->output_blob);
    add(digest, core->output_blob_size);
    add(digest, core->top_last);
    add(digest, core->handler);
    add(digest, core->undoing);
    add(digest, core->undone);
    add(digest, core->undo_failed);
    add(digest, (uint64_t)core->now);
    add(digest, (uint64_t)core->started_at);
    add(digest, (uint64_t)core->ended_at);
    add(digest, core->generation);
    add(digest, core->sequence);
    add(digest, core->fence);
    add_str(digest, core->id);
    add_str(digest, core->parameters_text);
    add(digest, core->timer);
    for (int state = 0; state < TASK_STATE_COUNT; state++) add(digest, core->states[state]);
    add(digest, core->failed_allowed);
}

uint64_t core_digest(const struct core *core)
{
    uint64_t digest = 0;

    add_execution(&digest, core);
    for (uint32_t i = 0; i < core->frames.count; i++) add_frame(&digest, frame_at(core, i));
    for (uint32_t i = 0; i < core->instances.count; i++) add_instance(&digest, instance_at(core, i));
    for (int list = LIST_READY; list < LIST_COUNT; list++) {
        add(&digest, core->lists[list].count);
        for (uint32_t i = core->lists[list].first; i != CORE_NONE; i = instance_at(core, i)->next) add(&digest, i);
    }
    for (uint32_t i = 0; i < core->timers.count; i++) {
        add(&digest, (uint64_t)core->timers.heap[i].due);
        add(&digest, core->timers.heap[i].instance);
    }
    for (const struct core_signal *signal = core->signal_first; signal; signal = signal->next) {
        add(&digest, signal->number);
        add_str(&digest, signal->name);
        add_str(&digest, signal->data);
    }
    add(&digest, core->signal_number);
    return digest;
}
