/*
 * admission.c - requests, and which may go. The tree they wait in: admission_internal.h.
 */
#include "core/admission_internal.h"

/*
 * Requests: memory in chunks that never move, found by owner and instance.
 */
static uint64_t request_hash(uint64_t owner, uint32_t instance)
{
    return mix(mix(owner) + instance);
}

/* The slot of the request, or the free one where it would go. */
static uint32_t slot_find(const struct admission *admission, uint64_t owner, uint32_t instance)
{
    uint32_t slot = (uint32_t)request_hash(owner, instance) & admission->slots_mask;

    for (; admission->slots[slot] != 0; slot = (slot + 1) & admission->slots_mask) {
        const struct request *request = request_at(admission, admission->slots[slot] - 1);

        if (request->instance == instance && request->leaf->owner->id == owner) break;
    }
    return slot;
}

static struct request *request_find(const struct admission *admission, uint64_t owner, uint32_t instance)
{
    uint32_t found = admission->slots ? admission->slots[slot_find(admission, owner, instance)] : 0;

    return found ? request_at(admission, found - 1) : NULL;
}

/* Room for one more request and its slot. At most 3/4 of the slots are used. */
static bool requests_reserve(struct admission *admission)
{
    uint32_t size = admission->slots ? (admission->slots_mask + 1) * 2 : 64;
    uint32_t *slots, *old = admission->slots;
    uint32_t old_mask = admission->slots_mask;

    if (admission->requests_free == 0 && admission->requests_used == admission->chunks_count * CHUNK_SIZE) {
        struct request *chunk;

        if (admission->requests_used > UINT32_MAX / 4) return false;
        if (!admission_grow(admission, (void **)&admission->chunks, &admission->chunks_capacity,
                            admission->chunks_count + 1, sizeof(struct request *)))
            return false;
        chunk = mem_resize(admission->allocator, NULL, 0, CHUNK_SIZE * sizeof(struct request));
        if (!chunk) return false;
        admission->chunks[admission->chunks_count++] = chunk;
    }
    if (old && admission->requests_count < (old_mask + 1) / 4 * 3) return true;
    slots = admission_zalloc(admission, size * sizeof(uint32_t));
    if (!slots) return false;
    admission->slots = slots;
    admission->slots_mask = size - 1;
    for (uint32_t i = 0; old && i <= old_mask; i++) {
        const struct request *request;

        if (old[i] == 0) continue;
        request = request_at(admission, old[i] - 1);
        slots[slot_find(admission, request->leaf->owner->id, request->instance)] = old[i];
    }
    release_block(admission, old, ((size_t)old_mask + 1) * sizeof(uint32_t));
    return true;
}

/* requests_reserve was called. */
static uint32_t request_add(struct admission *admission, struct queue *leaf, const struct admission_request *from)
{
    uint32_t number = admission->requests_free;

    if (number != 0) {
        number--;
        admission->requests_free = request_at(admission, number)->next_free;
    } else {
        number = admission->requests_used++;
    }
    *request_at(admission, number) = (struct request){.leaf = leaf,
                                                      .instance = from->instance,
                                                      .priority = from->priority,
                                                      .rank = from->rank,
                                                      .arrival = ++admission->arrivals,
                                                      .position = NO_POSITION};
    leaf->references++;
    admission->requests_count++;
    admission->slots[slot_find(admission, from->owner, from->instance)] = number + 1;
    return number;
}

/* Forgets a request that is in no heap. */
static void request_remove(struct admission *admission, struct request *request)
{
    struct queue *leaf = request->leaf;
    uint32_t mask = admission->slots_mask, slot = slot_find(admission, leaf->owner->id, request->instance);
    uint32_t number = admission->slots[slot] - 1;

    /* Those after it in its run move up, so that no marks of the deleted are needed (Knuth 6.4, algorithm R). */
    for (uint32_t next = (slot + 1) & mask; admission->slots[next] != 0; next = (next + 1) & mask) {
        const struct request *other = request_at(admission, admission->slots[next] - 1);
        uint32_t home = (uint32_t)request_hash(other->leaf->owner->id, other->instance) & mask;

        if (((next - home) & mask) < ((next - slot) & mask)) continue;
        admission->slots[slot] = admission->slots[next];
        slot = next;
    }
    admission->slots[slot] = 0;
    request->leaf = NULL;
    request->next_free = admission->requests_free;
    admission->requests_free = number + 1;
    admission->requests_count--;
    leaf->references--;
    queue_release(admission, leaf);
}

/*
 * Who may go.
 */
static bool has_room(const struct admission *admission, const struct queue *branch)
{
    return branch->units <= limit_room(limit_of(admission, branch->limit));
}

/* Whether a branch that hangs on its limit lacks nothing else. Finds out for what is below it, so its best request may
 * change. */
static bool lacks_only_this(const struct admission *admission, struct queue *branch)
{
    for (const struct queue *above = branch->parent; above->parent; above = above->parent)
        if (above->place == PLACE_LIMIT || !has_room(admission, above)) return false;
    for (struct queue *at = branch; !at->owner;) {
        struct queue *first;

        if (at->count == 0) return false; /* branch itself: all that is below it turned out to be blocked */
        first = at->children[0];
        if (!first->owner && !has_room(admission, first)) {
            queue_detach(admission, first, PLACE_LIMIT, &limit_of(admission, first->limit)->waiting);
            at = branch;
        } else {
            at = first;
        }
    }
    return true;
}

/* Whether one that waits for several units of the branch's limit comes first. */
static bool is_claimed(const struct admission *admission, const struct queue *branch)
{
    struct limit *limit = limit_of(admission, branch->limit);

    if (limit->waiting_several == 0) return false;
    for (struct queue *other = limit->waiting; other; other = other->next) {
        if (other->units == 1 || other->units > limit->units || other->count == 0) continue;
        if (!goes_before(&other->best, &branch->best)) continue;
        if (lacks_only_this(admission, other) && goes_before(&other->best, &branch->best)) return true;
    }
    return false;
}

/* The leaf of the best request that may go now, or NULL. Branches passed over because of a claim are put on a list. */
static struct queue *leaf_next(struct admission *admission, struct queue **aside)
{
    struct queue *queue = &admission->root;

    while (!queue->owner) {
        struct queue *first;

        if (queue->count == 0) return NULL; /* the root: what is in a heap is never empty */
        first = queue->children[0];
        if (first->owner) {
            queue = first;
        } else if (!has_room(admission, first)) {
            queue_detach(admission, first, PLACE_LIMIT, &limit_of(admission, first->limit)->waiting);
            queue = &admission->root; /* another may be the best now */
        } else if (is_claimed(admission, first)) {
            queue_detach(admission, first, PLACE_ASIDE, aside);
            queue = &admission->root;
        } else {
            first->passed_over = false;
            queue = first;
        }
    }
    return queue;
}

static void take_units(const struct admission *admission, const struct queue *leaf)
{
    for (const struct queue *at = leaf->parent; at->parent; at = at->parent)
        limit_of(admission, at->limit)->taken += at->units;
}

bool admission_next(struct admission *admission, uint64_t *ret_owner, uint32_t *ret_instance)
{
    struct queue *aside = NULL, *leaf = leaf_next(admission, &aside);

    if (leaf) {
        *ret_owner = leaf->owner->id;
        *ret_instance = request_at(admission, leaf->requests[0])->instance;
        queue_remove(admission, leaf, 0);
        take_units(admission, leaf);
    }
    while (aside) queue_attach(admission, aside);
    return leaf != NULL;
}

/*
 * Requests in and out.
 */

/* Units of a limit named twice are added up, in the first one's place. False when there is no such limit or too many
 * are named. */
static bool needs_merge(const struct admission *admission, const struct admission_request *request,
                        struct admission_need merged[ADMISSION_LIMITS_MAX], uint32_t *ret_count)
{
    uint32_t count = 0;

    if (request->needs_count > ADMISSION_LIMITS_MAX) return false;
    for (uint32_t i = 0; i < request->needs_count; i++) {
        const struct admission_need *need = &request->needs[i];
        uint32_t at = 0;

        if (!limit_is(admission, need->limit) || need->units == 0) return false;
        while (at < count && merged[at].limit != need->limit) at++;
        if (at == count) {
            merged[count++] = *need;
        } else if (__builtin_add_overflow(merged[at].units, need->units, &merged[at].units)) {
            return false;
        }
    }
    *ret_count = count;
    return true;
}

int admission_enqueue(struct admission *admission, const struct admission_request *request)
{
    struct admission_need needs[ADMISSION_LIMITS_MAX];
    struct queue *leaf;
    uint32_t count, number;

    if (request_find(admission, request->owner, request->instance)) return ORCH_ERR_EXISTS;
    if (!needs_merge(admission, request, needs, &count)) return ORCH_ERR_INVALID;
    for (uint32_t i = 0; i < count; i++)
        if (needs[i].units > limit_of(admission, needs[i].limit)->units) return ORCH_ERR_INVALID;
    if (!requests_reserve(admission)) return ORCH_ERR_NO_MEMORY;
    leaf = queue_leaf(admission, request->owner, needs, count);
    if (!leaf) return ORCH_ERR_NO_MEMORY;
    if (!admission_grow(admission, (void **)&leaf->requests, &leaf->capacity, leaf->count + 1, sizeof(uint32_t))) {
        queue_release(admission, leaf);
        return ORCH_ERR_NO_MEMORY;
    }
    number = request_add(admission, leaf, request);
    queue_add(admission, leaf, number);
    return 0;
}

int admission_take(struct admission *admission, const struct admission_request *request)
{
    struct admission_need needs[ADMISSION_LIMITS_MAX];
    struct queue *leaf;
    uint32_t count;

    if (request_find(admission, request->owner, request->instance)) return ORCH_ERR_EXISTS;
    if (!needs_merge(admission, request, needs, &count)) return ORCH_ERR_INVALID;
    if (!requests_reserve(admission)) return ORCH_ERR_NO_MEMORY;
    leaf = queue_leaf(admission, request->owner, needs, count);
    if (!leaf) return ORCH_ERR_NO_MEMORY;
    (void)request_add(admission, leaf, request);
    take_units(admission, leaf);
    return 0;
}

bool admission_release(struct admission *admission, uint64_t owner, uint32_t instance)
{
    struct request *request = request_find(admission, owner, instance);

    if (!request || request->position != NO_POSITION) return false;
    for (const struct queue *at = request->leaf->parent; at->parent; at = at->parent) {
        struct limit *limit = limit_of(admission, at->limit);

        limit->taken -= at->units;
        queue_wake(admission, limit);
    }
    request_remove(admission, request);
    return true;
}

bool admission_withdraw(struct admission *admission, uint64_t owner, uint32_t instance)
{
    struct request *request = request_find(admission, owner, instance);

    if (!request || request->position == NO_POSITION) return false;
    queue_remove(admission, request->leaf, request->position);
    request_remove(admission, request);
    return true;
}

int admission_hold(struct admission *admission, uint64_t owner_id, bool hold)
{
    struct owner *owner = hold ? owner_get(admission, owner_id) : owner_find(admission, owner_id);

    if (!owner) return hold ? ORCH_ERR_NO_MEMORY : 0;
    if (owner->held == hold) return 0;
    owner->held = hold;
    for (struct queue *leaf = owner->leaves; leaf; leaf = leaf->next) queue_settle(admission, leaf);
    owner_release(admission, owner);
    return 0;
}

admission_limit admission_blocked_by(const struct admission *admission, uint64_t owner, uint32_t instance)
{
    const struct request *request = request_find(admission, owner, instance);
    admission_limit found = 0;

    if (!request || request->position == NO_POSITION) return 0;
    /* The one nearest to the root: it holds up all the rest. */
    for (const struct queue *at = request->leaf->parent; at->parent; at = at->parent)
        if (at->place == PLACE_LIMIT || at->passed_over) found = at->limit;
    return found;
}

uint32_t admission_waiting_count(const struct admission *admission)
{
    return admission->waiting_count;
}

uint32_t admission_queue_count(const struct admission *admission)
{
    return admission->queues_count;
}

/*
 * Limits.
 */
admission_limit admission_limit_add(struct admission *admission, struct orch_str name, uint32_t units)
{
    admission_limit handle = admission->limits_free;
    char *copy = mem_resize(admission->allocator, NULL, 0, name.size + 1);

    if (!copy) return 0;
    if (handle == 0) {
        if (!admission_grow(admission, (void **)&admission->limits, &admission->limits_capacity,
                            admission->limits_count + 1, sizeof(struct limit))) {
            release_block(admission, copy, name.size + 1);
            return 0;
        }
        /* The first branch in each list points back into the array, which may have moved. */
        for (uint32_t i = 0; i < admission->limits_count; i++)
            if (admission->limits[i].waiting) admission->limits[i].waiting->link = &admission->limits[i].waiting;
        handle = ++admission->limits_count;
    } else {
        admission->limits_free = admission->limits[handle - 1].next_free;
    }
    if (name.size > 0) memcpy(copy, name.data, name.size);
    copy[name.size] = '\0';
    admission->limits[handle - 1] = (struct limit){.name = str_of(copy, name.size), .units = units, .used = true};
    return handle;
}

void admission_limit_set(struct admission *admission, admission_limit handle, uint32_t units)
{
    struct limit *limit = limit_of(admission, handle);

    limit->units = units;
    queue_wake(admission, limit);
}

void admission_limit_remove(struct admission *admission, admission_limit handle)
{
    struct limit *limit = limit_of(admission, handle);

    ORCH_ASSERT(limit->branches == 0 && limit->taken == 0);
    release_block(admission, (char *)limit->name.data, limit->name.size + 1);
    *limit = (struct limit){.next_free = admission->limits_free};
    admission->limits_free = handle;
}

void admission_limit_get(const struct admission *admission, admission_limit handle, struct orch_str *ret_name,
                         uint32_t *ret_units, uint32_t *ret_taken)
{
    const struct limit *limit = limit_of(admission, handle);

    *ret_name = limit->name;
    *ret_units = limit->units;
    *ret_taken = limit->taken < UINT32_MAX ? (uint32_t)limit->taken : UINT32_MAX;
}

struct admission *admission_new(const struct orch_allocator *allocator)
{
    struct admission *admission = mem_resize(allocator, NULL, 0, sizeof(*admission));

    if (!admission) return NULL;
    *admission = (struct admission){.allocator = allocator};
    return admission;
}

struct admission *admission_free(struct admission *admission)
{
    if (!admission) return NULL;
    for (uint32_t i = 0; admission->queues && i <= admission->queues_mask; i++) {
        for (struct queue *queue = admission->queues[i], *next; queue; queue = next) {
            next = queue->chain;
            queue_free(admission, queue);
        }
    }
    for (uint32_t i = 0; admission->owners && i <= admission->owners_mask; i++) {
        for (struct owner *owner = admission->owners[i], *next; owner; owner = next) {
            next = owner->chain;
            release_block(admission, owner, sizeof(*owner));
        }
    }
    for (uint32_t i = 0; i < admission->limits_count; i++) {
        const struct limit *limit = &admission->limits[i];

        if (limit->used) release_block(admission, (char *)limit->name.data, limit->name.size + 1);
    }
    for (uint32_t i = 0; i < admission->chunks_count; i++)
        release_block(admission, admission->chunks[i], CHUNK_SIZE * sizeof(struct request));
    release_block(admission, admission->chunks, admission->chunks_capacity * sizeof(struct request *));
    release_block(admission, admission->limits, admission->limits_capacity * sizeof(struct limit));
    release_block(admission, admission->slots, ((size_t)admission->slots_mask + 1) * sizeof(uint32_t));
    release_block(admission, admission->queues, ((size_t)admission->queues_mask + 1) * sizeof(struct queue *));
    release_block(admission, admission->owners, ((size_t)admission->owners_mask + 1) * sizeof(struct owner *));
    release_block(admission, admission->root.children, admission->root.capacity * sizeof(struct queue *));
    return mem_resize(admission->allocator, admission, sizeof(*admission), 0);
}
