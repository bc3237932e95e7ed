/*
 * timers.c - what is due when: a 4-ary heap inside the state. Each owner knows its place, so that moving and taking
 * away cost O(log n).
 *
 * Equal times come out in the order they were set. The order is the same in a replay, since evolve alone sets timers.
 */
#include "core/internal.h"

static bool is_before(const struct timer *a, const struct timer *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void put(struct core *core, uint32_t at, struct timer timer)
{
    core->timers.heap[at] = timer;
    if (timer.instance == CORE_NONE)
        core->timer = at + 1;
    else
        instance_at(core, timer.instance)->detail->timer = at + 1;
}

/* Places a timer at a hole, which moves up or down until the heap is one again. */
static void sift(struct core *core, uint32_t hole, struct timer timer)
{
    struct timers *timers = &core->timers;

    while (hole > 0) {
        uint32_t parent = (hole - 1) / 4;
        if (!is_before(&timer, &timers->heap[parent])) break;
        put(core, hole, timers->heap[parent]);
        hole = parent;
    }
    for (;;) {
        uint64_t first = (uint64_t)hole * 4 + 1;
        uint64_t end = first + 4 < timers->count ? first + 4 : timers->count;
        if (first >= end) break;
        uint32_t best = (uint32_t)first;
        for (uint32_t i = (uint32_t)first + 1; i < end; i++)
            if (is_before(&timers->heap[i], &timers->heap[best])) best = i;
        if (!is_before(&timers->heap[best], &timer)) break;
        put(core, hole, timers->heap[best]);
        hole = best;
    }
    put(core, hole, timer);
}

int timers_set(struct core *core, uint32_t instance, uint32_t *place, orch_time due)
{
    struct timers *timers = &core->timers;

    if (due == ORCH_TIME_NEVER) {
        if (*place == 0) return 0;
        uint32_t hole = *place - 1;
        struct timer last = timers->heap[--timers->count];
        *place = 0;
        if (hole < timers->count) sift(core, hole, last);
        return 0;
    }
    struct timer timer = {.due = due, .order = ++timers->order, .instance = instance};
    if (*place > 0) {
        sift(core, *place - 1, timer);
        return 0;
    }
    if (timers->count == timers->capacity) {
        uint32_t capacity = timers->capacity ? timers->capacity * 2 : 8;
        struct timer *heap;
        if (timers->capacity > UINT32_MAX / 2) return ORCH_ERR_NO_MEMORY;
        heap = mem_resize(core->allocator, timers->heap, timers->capacity * sizeof(*heap), capacity * sizeof(*heap));
        if (!heap) return ORCH_ERR_NO_MEMORY;
        timers->heap = heap;
        timers->capacity = capacity;
    }
    sift(core, timers->count++, timer);
    return 0;
}
