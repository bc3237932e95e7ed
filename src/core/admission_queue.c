/*
 * admission_queue.c - the tree of queues: heaps, places, and what is made and released with the requests.
 */
#include "core/admission_internal.h"

/*
 * Small helpers.
 */
/* Room for `wanted` things of `size` bytes in *array, at least doubling. */
bool admission_grow(const struct admission *admission, void **array, uint32_t *capacity, uint32_t wanted, size_t size)
{
    uint32_t bigger = *capacity < 2 ? 2 : *capacity;
    void *block;

    if (wanted <= *capacity) return true;
    if (wanted > UINT32_MAX / 4) return false;
    while (bigger < wanted) bigger *= 2;
    block = mem_resize(admission->allocator, *array, *capacity * size, bigger * size);
    if (!block) return false;
    *array = block;
    *capacity = bigger;
    return true;
}

void *admission_zalloc(const struct admission *admission, size_t size)
{
    void *block = mem_resize(admission->allocator, NULL, 0, size);

    if (block) memset(block, 0, size);
    return block;
}

/*
 * Heaps: of requests in a leaf, of children in a branch. Binary, with the place of each kept in it.
 */
static struct order request_order(const struct admission *admission, uint32_t number)
{
    const struct request *request = request_at(admission, number);

    return (struct order){request->priority, request->rank, request->arrival};
}

static struct order heap_order(const struct admission *admission, const struct queue *queue, uint32_t position)
{
    return queue->owner ? request_order(admission, queue->requests[position]) : queue->children[position]->best;
}

union heap_item {
    struct queue *child;
    uint32_t request;
};

static union heap_item heap_get(const struct queue *queue, uint32_t position)
{
    return queue->owner ? (union heap_item){.request = queue->requests[position]}
                        : (union heap_item){.child = queue->children[position]};
}

static void heap_put(const struct admission *admission, struct queue *queue, uint32_t position, union heap_item item)
{
    if (queue->owner) {
        queue->requests[position] = item.request;
        request_at(admission, item.request)->position = position;
    } else {
        queue->children[position] = item.child;
        item.child->position = position;
    }
}

/* Puts the item where it belongs, beginning at a position that is free. */
static void heap_sift(const struct admission *admission, struct queue *queue, uint32_t position, union heap_item item)
{
    struct order order = queue->owner ? request_order(admission, item.request) : item.child->best;

    while (position > 0) {
        uint32_t above = (position - 1) / 2;
        struct order other = heap_order(admission, queue, above);

        if (!goes_before(&order, &other)) break;
        heap_put(admission, queue, position, heap_get(queue, above));
        position = above;
    }
    for (;;) {
        uint32_t below = 2 * position + 1;
        struct order other;

        if (below >= queue->count) break;
        other = heap_order(admission, queue, below);
        if (below + 1 < queue->count) {
            struct order right = heap_order(admission, queue, below + 1);

            if (goes_before(&right, &other)) {
                below++;
                other = right;
            }
        }
        if (!goes_before(&other, &order)) break;
        heap_put(admission, queue, position, heap_get(queue, below));
        position = below;
    }
    heap_put(admission, queue, position, item);
}

static void heap_add(const struct admission *admission, struct queue *queue, union heap_item item)
{
    ORCH_ASSERT(queue->count < queue->capacity);
    queue->count++;
    heap_sift(admission, queue, queue->count - 1, item);
}

static void heap_remove(const struct admission *admission, struct queue *queue, uint32_t position)
{
    union heap_item last = heap_get(queue, --queue->count);

    if (position < queue->count) heap_sift(admission, queue, position, last);
}

/*
 * Places of queues.
 */
static void list_add(struct queue **list, struct queue *queue)
{
    queue->next = *list;
    queue->link = list;
    if (queue->next) queue->next->link = &queue->next;
    *list = queue;
}

static void list_remove(struct queue *queue)
{
    if (queue->next) queue->next->link = queue->link;
    *queue->link = queue->next;
    queue->next = NULL;
    queue->link = NULL;
}

/*
 * After a queue's heap, place or hold has changed: puts it into its parent's heap, moves it there or takes it out, and
 * goes on upwards as long as the first of a heap changes.
 */
void queue_settle(const struct admission *admission, struct queue *queue)
{
    for (struct queue *parent; (parent = queue->parent) != NULL; queue = parent) {
        struct order before = parent->best;
        uint32_t count = parent->count;
        bool wanted = queue->count > 0 && !(queue->owner && queue->owner->held);

        if (queue->count > 0) queue->best = heap_order(admission, queue, 0);
        if (queue->place == PLACE_LIMIT || queue->place == PLACE_ASIDE) return;
        if (queue->place == PLACE_PARENT && wanted) {
            heap_sift(admission, parent, queue->position, (union heap_item){.child = queue});
        } else if (queue->place == PLACE_PARENT) {
            queue->place = PLACE_IDLE;
            queue->passed_over = false;
            heap_remove(admission, parent, queue->position);
        } else if (wanted) {
            queue->place = PLACE_PARENT;
            heap_add(admission, parent, (union heap_item){.child = queue});
        } else {
            return;
        }
        if (parent->count > 0) parent->best = heap_order(admission, parent, 0);
        if ((count > 0) == (parent->count > 0) && (count == 0 || memcmp(&before, &parent->best, sizeof(before)) == 0))
            return;
    }
}

/* Takes a branch out of its parent's heap, to hang on its limit or on a list of those set aside. */
void queue_detach(const struct admission *admission, struct queue *branch, enum queue_place place, struct queue **list)
{
    struct queue *parent = branch->parent;
    struct limit *limit = limit_of(admission, branch->limit);

    ORCH_ASSERT(branch->place == PLACE_PARENT);
    branch->place = (uint8_t)place;
    branch->passed_over = place == PLACE_ASIDE;
    heap_remove(admission, parent, branch->position);
    list_add(list, branch);
    if (place == PLACE_LIMIT && branch->units > 1) limit->waiting_several++;
    if (parent->count > 0) parent->best = heap_order(admission, parent, 0);
    queue_settle(admission, parent);
}

/* Puts a branch that hangs somewhere back. */
void queue_attach(const struct admission *admission, struct queue *branch)
{
    if (branch->place == PLACE_LIMIT && branch->units > 1) limit_of(admission, branch->limit)->waiting_several--;
    list_remove(branch);
    branch->place = PLACE_IDLE;
    queue_settle(admission, branch);
}

/* Units have come back: branches for which there is room now are looked at again. */
void queue_wake(const struct admission *admission, struct limit *limit)
{
    uint64_t room = limit_room(limit);

    for (struct queue *branch = limit->waiting, *next; branch; branch = next) {
        next = branch->next;
        if (branch->units <= room) queue_attach(admission, branch);
    }
}

void queue_add(struct admission *admission, struct queue *leaf, uint32_t request)
{
    heap_add(admission, leaf, (union heap_item){.request = request});
    queue_settle(admission, leaf);
    admission->waiting_count++;
}

void queue_remove(struct admission *admission, struct queue *leaf, uint32_t position)
{
    request_at(admission, leaf->requests[position])->position = NO_POSITION;
    heap_remove(admission, leaf, position);
    queue_settle(admission, leaf);
    admission->waiting_count--;
}

/*
 * Making and releasing queues.
 */
static uint64_t queue_hash(const struct queue *parent, uint64_t key, bool is_leaf)
{
    return mix(mix((uint64_t)(uintptr_t)parent) + key * 2 + is_leaf);
}

static uint64_t queue_key(const struct queue *queue)
{
    return queue->owner ? queue->owner->id : (uint64_t)queue->limit << 32 | queue->units;
}

/* Twice the size of a chained table when it is full. Failure is no harm but longer chains, unless there is no table
 * yet. */
static bool queues_reserve(struct admission *admission)
{
    uint32_t size = admission->queues ? (admission->queues_mask + 1) * 2 : 16;
    struct queue **table;

    if (admission->queues && (admission->queues_count <= admission->queues_mask || size == 0)) return true;
    table = admission_zalloc(admission, size * sizeof(struct queue *));
    if (!table) return admission->queues != NULL;
    for (uint32_t i = 0; admission->queues && i <= admission->queues_mask; i++) {
        for (struct queue *queue = admission->queues[i], *next; queue; queue = next) {
            uint64_t hash = queue_hash(queue->parent, queue_key(queue), queue->owner != NULL);

            next = queue->chain;
            queue->chain = table[hash & (size - 1)];
            table[hash & (size - 1)] = queue;
        }
    }
    release_block(admission, admission->queues, ((size_t)admission->queues_mask + 1) * sizeof(struct queue *));
    admission->queues = table;
    admission->queues_mask = size - 1;
    return true;
}

static bool owners_reserve(struct admission *admission)
{
    uint32_t size = admission->owners ? (admission->owners_mask + 1) * 2 : 16;
    struct owner **table;

    if (admission->owners && (admission->owners_count <= admission->owners_mask || size == 0)) return true;
    table = admission_zalloc(admission, size * sizeof(struct owner *));
    if (!table) return admission->owners != NULL;
    for (uint32_t i = 0; admission->owners && i <= admission->owners_mask; i++) {
        for (struct owner *owner = admission->owners[i], *next; owner; owner = next) {
            next = owner->chain;
            owner->chain = table[mix(owner->id) & (size - 1)];
            table[mix(owner->id) & (size - 1)] = owner;
        }
    }
    release_block(admission, admission->owners, ((size_t)admission->owners_mask + 1) * sizeof(struct owner *));
    admission->owners = table;
    admission->owners_mask = size - 1;
    return true;
}

struct owner *owner_find(const struct admission *admission, uint64_t id)
{
    struct owner *owner = admission->owners ? admission->owners[mix(id) & admission->owners_mask] : NULL;

    while (owner && owner->id != id) owner = owner->chain;
    return owner;
}

struct owner *owner_get(struct admission *admission, uint64_t id)
{
    struct owner *owner = owner_find(admission, id), **bucket;

    if (owner) return owner;
    if (!owners_reserve(admission)) return NULL;
    owner = admission_zalloc(admission, sizeof(*owner));
    if (!owner) return NULL;
    bucket = &admission->owners[mix(id) & admission->owners_mask];
    owner->id = id;
    owner->chain = *bucket;
    *bucket = owner;
    admission->owners_count++;
    return owner;
}

/* An owner that neither has requests nor is held is forgotten. */
void owner_release(struct admission *admission, struct owner *owner)
{
    struct owner **at = &admission->owners[mix(owner->id) & admission->owners_mask];

    if (owner->held || owner->leaves) return;
    while (*at != owner) at = &(*at)->chain;
    *at = owner->chain;
    admission->owners_count--;
    release_block(admission, owner, sizeof(*owner));
}

static struct queue *queue_find(const struct admission *admission, const struct queue *parent, uint64_t key,
                                bool is_leaf)
{
    struct queue *queue =
        admission->queues ? admission->queues[queue_hash(parent, key, is_leaf) & admission->queues_mask] : NULL;

    while (queue && !(queue->parent == parent && (queue->owner != NULL) == is_leaf && queue_key(queue) == key))
        queue = queue->chain;
    return queue;
}

void queue_free(struct admission *admission, struct queue *queue)
{
    release_block(admission, queue->owner ? (void *)queue->requests : (void *)queue->children,
                  queue->capacity * (queue->owner ? sizeof(uint32_t) : sizeof(struct queue *)));
    release_block(admission, queue, sizeof(*queue));
}

/* Removes a queue without children or requests, and then those above it that were there for it alone. */
void queue_release(struct admission *admission, struct queue *queue)
{
    while (queue->parent && queue->references == 0) {
        struct owner *owner;
        struct queue *parent = queue->parent;
        struct queue **at =
            &admission->queues[queue_hash(parent, queue_key(queue), queue->owner != NULL) & admission->queues_mask];

        if (queue->place == PLACE_LIMIT || queue->place == PLACE_ASIDE) queue_attach(admission, queue);
        ORCH_ASSERT(queue->count == 0 && queue->place == PLACE_IDLE);
        while (*at != queue) at = &(*at)->chain;
        *at = queue->chain;
        admission->queues_count--;
        owner = queue->owner;
        if (owner)
            list_remove(queue);
        else
            limit_of(admission, queue->limit)->branches--;
        queue_free(admission, queue);
        if (owner) owner_release(admission, owner);
        parent->references--;
        queue = parent;
    }
}

/* A new child of parent: a leaf when owner is given, else a branch. NULL when memory is short. */
static struct queue *queue_new(struct admission *admission, struct queue *parent, struct owner *owner,
                               const struct admission_need *need)
{
    struct queue *queue, **bucket;

    if (!queues_reserve(admission)) return NULL;
    if (!admission_grow(admission, (void **)&parent->children, &parent->capacity, parent->references + 1,
                        sizeof(struct queue *)))
        return NULL;
    queue = admission_zalloc(admission, sizeof(*queue));
    if (!queue) return NULL;
    queue->parent = parent;
    queue->owner = owner;
    if (owner) {
        list_add(&owner->leaves, queue);
    } else {
        queue->limit = need->limit;
        queue->units = need->units;
        limit_of(admission, need->limit)->branches++;
    }
    bucket = &admission->queues[queue_hash(parent, queue_key(queue), owner != NULL) & admission->queues_mask];
    queue->chain = *bucket;
    *bucket = queue;
    admission->queues_count++;
    parent->references++;
    return queue;
}

/* The leaf of an owner's requests with these needs, made when it is not there. Call queue_release when it stays empty.
 */
struct queue *queue_leaf(struct admission *admission, uint64_t owner_id, const struct admission_need *needs,
                         uint32_t count)
{
    struct queue *queue = &admission->root, *child;
    struct owner *owner;

    for (uint32_t i = 0; i < count; i++) {
        child = queue_find(admission, queue, (uint64_t)needs[i].limit << 32 | needs[i].units, false);
        if (!child) child = queue_new(admission, queue, NULL, &needs[i]);
        if (!child) {
            queue_release(admission, queue);
            return NULL;
        }
        queue = child;
    }
    child = queue_find(admission, queue, owner_id, true);
    if (child) return child;
    owner = owner_get(admission, owner_id);
    child = owner ? queue_new(admission, queue, owner, NULL) : NULL;
    if (!child) {
        if (owner) owner_release(admission, owner);
        queue_release(admission, queue);
    }
    return child;
}
