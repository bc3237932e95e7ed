/*
 * admission_internal.h - inside of admission: the tree of queues before limits.
 *
 * The tree. A branch stands for "and so many units of this limit" after the needs of the branches above it; a leaf,
 * below the branch of the last need, is the queue of one owner's requests with exactly these needs. A leaf orders its
 * requests in a heap, a branch its children by their best request. So the best of all is found by going down from the
 * root along the first children; on the way each branch is asked whether its limit has room. One that has none is taken
 * out of its parent's heap and hangs on its limit, with all that is below it, until units come back. Each such move is
 * paid for by the one event that put the branch back, so a call costs O(log n) for each level, and the number of
 * branches that hang on the limits it gives back to.
 *
 * Claims. A branch for several units that hangs for want of room, while everything else on the way to its best request
 * has room, claims its limit: a later request is set aside as long as that is so. This is worked out anew in each call,
 * so nothing has to be undone when it ceases to hold.
 *
 * Memory is taken when something is added only: putting back what was taken out cannot fail.
 */
#ifndef CORE_ADMISSION_INTERNAL_H
#define CORE_ADMISSION_INTERNAL_H

#include "core/admission.h"

#include "base/error.h"

#define NO_POSITION UINT32_MAX
#define CHUNK_SIZE  1024 /* requests whose memory is taken at once */

struct queue;

/* Which of two requests goes first. */
struct order {
    int32_t priority;
    uint32_t rank;
    uint64_t arrival;
};

/* One request, waiting or admitted. There may be millions: 32 bytes. */
struct request {
    struct queue *leaf;
    union {
        uint64_t arrival;
        uint32_t next_free;
    };
    uint32_t instance;
    int32_t priority;
    uint32_t rank;
    uint32_t position; /* in the leaf's heap; NO_POSITION: admitted */
};
_Static_assert(sizeof(struct request) <= 32, "a request is small");

enum queue_place {
    PLACE_IDLE,   /* nothing in it that may go */
    PLACE_PARENT, /* in its parent's heap */
    PLACE_LIMIT,  /* hangs on its limit: a branch that lacks room */
    PLACE_ASIDE,  /* set aside until the end of this call: room, but claimed by an earlier one */
};

struct owner {
    uint64_t id;
    struct owner *chain; /* in the table */
    struct queue *leaves;
    bool held;
};

/* A branch or a leaf. */
struct queue {
    struct queue *parent;       /* NULL: the root */
    struct queue *chain;        /* in the table */
    struct queue *next, **link; /* leaf: its owner's leaves; branch: those that hang on its limit or are set aside; link
                                   NULL: in none */
    struct owner *owner;        /* NULL: a branch */
    admission_limit limit;      /* of a branch; 0 is the root's */
    uint32_t units;
    uint32_t references;      /* children; or requests, waiting and admitted */
    uint32_t position;        /* in the parent's heap, with PLACE_PARENT */
    uint8_t place;            /* enum queue_place */
    bool passed_over;         /* set aside when it was looked at last */
    struct order best;        /* of the first in the heap, when there is one */
    uint32_t count, capacity; /* of the heap */
    union {
        struct queue **children; /* capacity for all children there are: putting one back cannot fail */
        uint32_t *requests;
    };
};

struct limit {
    struct orch_str name;
    uint32_t units;
    uint64_t taken;           /* may be beyond units after recovery */
    uint32_t branches;        /* that name it */
    uint32_t waiting_several; /* branches for more than one unit that hang on it */
    struct queue *waiting;    /* branches that lack room */
    bool used;
    admission_limit next_free;
};

struct admission {
    const struct orch_allocator *allocator;
    struct limit *limits; /* handle - 1 */
    uint32_t limits_count, limits_capacity;
    admission_limit limits_free;
    struct request **chunks;
    uint32_t chunks_count, chunks_capacity;
    uint32_t requests_used; /* ever used, of all chunks */
    uint32_t requests_free; /* number + 1 of the first free one, 0: none */
    uint32_t requests_count;
    uint32_t *slots; /* by owner and instance: number + 1; 0 is free */
    uint32_t slots_mask;
    struct queue **queues; /* table by parent and what follows */
    uint32_t queues_mask, queues_count;
    struct owner **owners;
    uint32_t owners_mask, owners_count;
    uint32_t waiting_count;
    uint64_t arrivals;
    struct queue root;
};

static inline uint64_t mix(uint64_t x) /* the finalizer of splitmix64 */
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static inline bool goes_before(const struct order *a, const struct order *b)
{
    if (a->priority != b->priority) return a->priority > b->priority;
    if (a->rank != b->rank) return a->rank > b->rank;
    return a->arrival < b->arrival;
}

static inline struct limit *limit_of(const struct admission *admission, admission_limit limit)
{
    ORCH_ASSERT(limit > 0 && limit <= admission->limits_count && admission->limits[limit - 1].used);
    return &admission->limits[limit - 1];
}

static inline bool limit_is(const struct admission *admission, admission_limit limit)
{
    return limit > 0 && limit <= admission->limits_count && admission->limits[limit - 1].used;
}

static inline uint64_t limit_room(const struct limit *limit)
{
    return limit->units > limit->taken ? limit->units - limit->taken : 0;
}

static inline struct request *request_at(const struct admission *admission, uint32_t number)
{
    return &admission->chunks[number / CHUNK_SIZE][number % CHUNK_SIZE];
}

static inline void release_block(const struct admission *admission, void *block, size_t size)
{
    if (block) (void)mem_resize(admission->allocator, block, size, 0);
}

/* Memory, zeroed. NULL when it is short. */
void *admission_zalloc(const struct admission *admission, size_t size);
/* Room for `wanted` things of `size` bytes in *array, at least doubling. */
bool admission_grow(const struct admission *admission, void **array, uint32_t *capacity, uint32_t wanted, size_t size);

/* The leaf of an owner's requests with these needs, made when it is not there. Call queue_release when it stays empty.
 * NULL when memory is short. */
struct queue *queue_leaf(struct admission *admission, uint64_t owner, const struct admission_need *needs,
                         uint32_t count);
/* Removes a queue without children or requests, and then those above it that were there for it alone. */
void queue_release(struct admission *admission, struct queue *queue);
void queue_free(struct admission *admission, struct queue *queue);
/* Puts a request into its leaf's heap, which has room for it; takes the one at a position out. */
void queue_add(struct admission *admission, struct queue *leaf, uint32_t request);
void queue_remove(struct admission *admission, struct queue *leaf, uint32_t position);
/* After a leaf's owner was held or let go. */
void queue_settle(const struct admission *admission, struct queue *queue);
/* Takes a branch out of its parent's heap, to hang on its limit or on a list of those set aside. */
void queue_detach(const struct admission *admission, struct queue *branch, enum queue_place place, struct queue **list);
/* Puts a branch that hangs somewhere back. */
void queue_attach(const struct admission *admission, struct queue *branch);
/* Units have come back: branches for which there is room now are looked at again. */
void queue_wake(const struct admission *admission, struct limit *limit);

struct owner *owner_find(const struct admission *admission, uint64_t id);
/* Made when it is not there; NULL when memory is short. */
struct owner *owner_get(struct admission *admission, uint64_t id);
/* An owner that neither has requests nor is held is forgotten. */
void owner_release(struct admission *admission, struct owner *owner);

#endif
