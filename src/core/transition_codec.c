/*
 * transition_codec.c - transitions as bytes and back.
 *
 * A record: one byte FORMAT; for each transition its length and as many bytes; CRC-32C of all that, little-endian. A
 * transition: its type, the mask of the fields it uses, those fields in the order of their numbers. Numbers are LEB128
 * of at most 64 bits in their shortest form, signed ones zigzag. A field that a reader does not know has a higher
 * number than all it knows and so stands behind them: the length tells how much to skip.
 */
#include "core/transition.h"

#include "base/crc32c.h"
#include "base/error.h"
#include "core/transition_fields.h"

#define FORMAT        1
#define CHECKSUM_SIZE 4
#define VARINT_MAX    10
/* More than anything but the texts' bytes can take. */
#define FIXED_MAX     288
_Static_assert(FIXED_MAX >= VARINT_MAX * (TRANSITION_FIELD_COUNT + 3), "a transition's numbers and lengths fit");
_Static_assert(TRANSITION_FIELD_COUNT <= 64, "the mask is 64 bits");

#define BIT(number) (UINT64_C(1) << (number))

static inline uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

static inline int64_t unzigzag(uint64_t u)
{
    return (int64_t)(u >> 1 ^ (u & 1 ? UINT64_MAX : 0));
}

/*
 * Writing. The room was reserved: nothing below can fail.
 */
static inline unsigned char *put_varint(unsigned char *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (unsigned char)(v | 0x80);
        v >>= 7;
    }
    *p++ = (unsigned char)v;
    return p;
}

static inline unsigned char *put_text(unsigned char *p, struct orch_str s)
{
    p = put_varint(p, s.size);
    memcpy(p, s.data, s.size);
    return p + s.size;
}

#define USED_MOMENT(v)  ((v) != before)
#define USED_REF(v)     ((v) != CORE_NONE)
#define USED_TEXT(v)    ((v).size != 0)
#define USED_JSON(v)    ((v).size != 0)
#define USED_TIME(v)    ((v) != 0)
#define USED_U32(v)     ((v) != 0)
#define USED_U64(v)     ((v) != 0)
#define USED_I32(v)     ((v) != 0)
#define USED_STATE(v)   ((v) != 0)
#define USED_REASON(v)  ((v) != 0)
#define USED_FAILURE(v) ((v) != 0)
#define USED_ROLE(v)    ((v) != 0)

/* The difference wraps: any two moments have one. */
#define PUT_MOMENT(p, v)  put_varint(p, zigzag((int64_t)((uint64_t)(v) - (uint64_t)before)))
#define PUT_REF(p, v)     put_varint(p, v)
#define PUT_TEXT(p, v)    put_text(p, v)
#define PUT_JSON(p, v)    put_text(p, v)
#define PUT_TIME(p, v)    put_varint(p, zigzag(v))
#define PUT_U32(p, v)     put_varint(p, v)
#define PUT_U64(p, v)     put_varint(p, v)
#define PUT_I32(p, v)     put_varint(p, zigzag(v))
#define PUT_STATE(p, v)   put_varint(p, v)
#define PUT_REASON(p, v)  put_varint(p, v)
#define PUT_FAILURE(p, v) put_varint(p, v)
#define PUT_ROLE(p, v)    put_varint(p, v)

static unsigned char *put_transition(unsigned char *p, const struct core_transition *transition, orch_time before)
{
    uint64_t mask = 0;

#define MASK(number, member, kind) mask |= (uint64_t)USED_##kind(transition->member) << (number);
    TRANSITION_FIELD_LIST(MASK)
#undef MASK
    p = put_varint(p, transition->type);
    p = put_varint(p, mask);
#define PUT(number, member, kind) \
    if (mask & BIT(number)) p = PUT_##kind(p, transition->member);
    TRANSITION_FIELD_LIST(PUT)
#undef PUT
    return p;
}

static size_t texts_size(const struct core_transition *transition)
{
    size_t size = 0;

#define SIZE_MOMENT(v)  0
#define SIZE_REF(v)     0
#define SIZE_TEXT(v)    (v).size
#define SIZE_JSON(v)    (v).size
#define SIZE_TIME(v)    0
#define SIZE_U32(v)     0
#define SIZE_U64(v)     0
#define SIZE_I32(v)     0
#define SIZE_STATE(v)   0
#define SIZE_REASON(v)  0
#define SIZE_FAILURE(v) 0
#define SIZE_ROLE(v)    0
#define ADD(number, member, kind) \
    if (__builtin_add_overflow(size, SIZE_##kind(transition->member), &size)) return SIZE_MAX;
    TRANSITION_FIELD_LIST(ADD)
#undef ADD
    return size;
}

static size_t varint_size(uint64_t v)
{
    size_t size = 1;

    for (; v >= 0x80; v >>= 7) size++;
    return size;
}

void transitions_encode(const struct core_transition *items, uint32_t count, struct buf *out)
{
    size_t start = out->size;
    orch_time before = 0;
    uint32_t sum;

    buf_add_char(out, FORMAT);
    for (uint32_t i = 0; i < count; i++) {
        size_t texts = texts_size(&items[i]);
        unsigned char *room =
            (unsigned char *)(texts <= SIZE_MAX - FIXED_MAX ? buf_reserve(out, texts + FIXED_MAX) : NULL);
        /* The length goes before what it counts: guess how long it will be, and move the rest when that was wrong. */
        size_t guess = varint_size(texts + 16), actual, size;

        if (!room) {
            out->failed = true;
            return;
        }
        size = (size_t)(put_transition(room + guess, &items[i], before) - (room + guess));
        actual = varint_size(size);
        if (actual != guess) memmove(room + actual, room + guess, size);
        put_varint(room, size);
        out->size += actual + size;
        before = items[i].at;
    }
    if (out->failed) return;
    sum = crc32c(str_of(out->data + start, out->size - start));
    buf_add(out,
            str_of((const char[]){(char)sum, (char)(sum >> 8), (char)(sum >> 16), (char)(sum >> 24)}, CHECKSUM_SIZE));
}

/*
 * Reading. A record is believed after its checksum only, but nothing relies on that: whatever the bytes say, nothing
 * outside them is touched and memory is bounded by their number.
 */
struct reader {
    const unsigned char *next, *end;
};

static inline bool get_varint(struct reader *reader, uint64_t *ret)
{
    uint64_t v = 0;
    int shift = 0;

    while (reader->next < reader->end && shift < 64) {
        unsigned char byte = *reader->next++;

        if (shift == 63 && byte > 1) return false;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = v;
            return byte != 0 || shift == 0; /* the shortest form only */
        }
        shift += 7;
    }
    return false;
}

static inline bool get_u32(struct reader *reader, uint32_t *ret)
{
    uint64_t v;

    if (!get_varint(reader, &v) || v > UINT32_MAX) return false;
    *ret = (uint32_t)v;
    return true;
}

static inline bool get_u8(struct reader *reader, uint8_t *ret)
{
    uint64_t v;

    if (!get_varint(reader, &v) || v > UINT8_MAX) return false;
    *ret = (uint8_t)v;
    return true;
}

static inline bool get_i64(struct reader *reader, int64_t *ret)
{
    uint64_t v;

    if (!get_varint(reader, &v)) return false;
    *ret = unzigzag(v);
    return true;
}

static inline bool get_i32(struct reader *reader, int32_t *ret)
{
    int64_t v;

    if (!get_i64(reader, &v) || v < INT32_MIN || v > INT32_MAX) return false;
    *ret = (int32_t)v;
    return true;
}

static inline bool get_moment(struct reader *reader, orch_time *value)
{
    int64_t difference;

    if (!get_i64(reader, &difference)) return false;
    *value = (orch_time)((uint64_t)*value + (uint64_t)difference);
    return true;
}

static inline bool get_text(struct reader *reader, struct orch_str *ret)
{
    uint64_t size;

    if (!get_varint(reader, &size) || size > (uint64_t)(reader->end - reader->next)) return false;
    *ret = str_of((const char *)reader->next, (size_t)size);
    reader->next += size;
    return true;
}

#define GET_MOMENT(member)  get_moment(reader, member)
#define GET_REF(member)     get_u32(reader, member)
#define GET_TEXT(member)    get_text(reader, member)
#define GET_JSON(member)    get_text(reader, member)
#define GET_TIME(member)    get_i64(reader, member)
#define GET_U32(member)     get_u32(reader, member)
#define GET_U64(member)     get_varint(reader, member)
#define GET_I32(member)     get_i32(reader, member)
#define GET_STATE(member)   get_u8(reader, member)
#define GET_REASON(member)  get_u8(reader, member)
#define GET_FAILURE(member) get_u8(reader, member)
#define GET_ROLE(member)    get_u8(reader, member)

#define COUNT_ONE(name, number, text) +1
#define TYPE_MAX                      (TRANSITION_LIST(COUNT_ONE)) /* numbered from 1 without gaps, as all the lists are */
#define REASON_COUNT                  (REASON_LIST(COUNT_ONE))
#define FAILURE_COUNT                 (FAILURE_LIST(COUNT_ONE))

/* Numbers that a later version may have added. */
static bool is_known(const struct core_transition *transition)
{
    return transition->reason < REASON_COUNT && transition->failure < FAILURE_COUNT && transition->role < BLOCK_ROLES &&
           transition->state < (transition_has_task_state(transition->type) ? TASK_STATE_COUNT : EXECUTION_STATE_COUNT);
}

/* reader stands at a transition's type and ends at its end. */
static int get_transition(struct reader *reader, orch_time before, struct core_transition *ret)
{
    uint64_t mask;

    *ret = (struct core_transition){.instance = CORE_NONE, .frame = CORE_NONE, .at = before};
    if (!get_u8(reader, &ret->type)) return ORCH_ERR_CORRUPT;
    if (ret->type == 0) return ORCH_ERR_CORRUPT;
    if (ret->type > TYPE_MAX) return ORCH_ERR_VERSION;
    if (!get_varint(reader, &mask)) return ORCH_ERR_CORRUPT;
#define GET(number, member, kind) \
    if ((mask & BIT(number)) && !GET_##kind(&ret->member)) return ORCH_ERR_CORRUPT;
    TRANSITION_FIELD_LIST(GET)
#undef GET
    /* Bytes are left over only for fields of a later version. */
    if (mask >> TRANSITION_FIELD_COUNT == 0 && reader->next != reader->end) return ORCH_ERR_CORRUPT;
    return is_known(ret) ? 0 : ORCH_ERR_VERSION;
}

static int damaged(struct orch_error *err, const char *what)
{
    return error_set(err, ORCH_ERR_CORRUPT, "record of transitions is damaged: %s", what);
}

/* How many transitions their lengths say there are, or false when the lengths do not fit. */
static bool count_transitions(struct reader reader, uint32_t *ret)
{
    uint32_t count = 0;

    while (reader.next < reader.end) {
        uint64_t size;

        if (!get_varint(&reader, &size) || size == 0 || size > (uint64_t)(reader.end - reader.next)) return false;
        reader.next += size;
        if (++count == UINT32_MAX) return false;
    }
    *ret = count;
    return true;
}

/* Room for `more` further transitions. */
static bool reserve(struct core_transitions *list, uint32_t more, struct arena *arena)
{
    struct core_transition *items;

    if (more <= list->capacity - list->count) return true;
    if (more > UINT32_MAX - list->count) return false;
    items = arena_array(arena, (size_t)list->count + more, sizeof(*items));
    if (!items) return false;
    if (list->count > 0) memcpy(items, list->items, list->count * sizeof(*items));
    list->items = items;
    list->capacity = list->count + more;
    return true;
}

int transitions_decode(struct orch_str record, struct arena *arena, struct core_transitions *ret,
                       struct orch_error *err)
{
    struct reader all = {(const unsigned char *)record.data, (const unsigned char *)record.data};
    const unsigned char *sum;
    orch_time before = 0;
    uint32_t count;

    if (record.size < 1 + CHECKSUM_SIZE) return damaged(err, "too short");
    all.end += record.size - CHECKSUM_SIZE;
    sum = all.end;
    if (crc32c(str_of(record.data, record.size - CHECKSUM_SIZE)) !=
        ((uint32_t)sum[0] | (uint32_t)sum[1] << 8 | (uint32_t)sum[2] << 16 | (uint32_t)sum[3] << 24))
        return damaged(err, "its checksum does not match");
    if (*all.next != FORMAT)
        return error_set(err, ORCH_ERR_VERSION, "record of transitions has format %u, this version reads %u", *all.next,
                         FORMAT);
    all.next++;
    if (!count_transitions(all, &count)) return damaged(err, "a length does not fit");
    if (!reserve(ret, count, arena)) return error_memory(err);
    for (uint32_t i = 0; i < count; i++) {
        struct core_transition *transition = &ret->items[ret->count + i];
        struct reader one = all;
        uint64_t size = 0;
        int r;

        ORCH_ASSERT(get_varint(&one, &size)); /* counted above */
        one.end = all.next = one.next + size;
        r = get_transition(&one, before, transition);
        if (r == ORCH_ERR_VERSION)
            return error_set(err, r, "transition %u of a record was written by a newer version (type %u)", i + 1,
                             transition->type);
        if (r != 0) return damaged(err, "a transition does not end where it should");
        before = transition->at;
    }
    ret->count += count; /* only now: nothing is added on failure */
    return 0;
}
