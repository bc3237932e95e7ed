/*
 * transition_fields.h - the table of a transition's fields, from which the binary form and the JSON are made. Inside of
 * core.
 */
#ifndef CORE_TRANSITION_FIELDS_H
#define CORE_TRANSITION_FIELDS_H

#include "core/transition.h"

/*
 * X(number, member, kind). The number is the bit in the field mask and the place in the record, is stored and never
 * reused, and at most 63; new fields get the next one, so a reader meets those it does not know after all it does.
 * Those in most transitions come first: the mask is a byte for every seven numbers up to the highest one set.
 *
 * Kinds, how they are stored, and when they count as unused:
 *   MOMENT   signed difference to the same field of the transition before it in the record (to 0 in the first); never
 * unused as JSON TIME     signed; 0 REF      unsigned 32 bits; CORE_NONE U32 U64  unsigned; 0 I32      signed; 0 STATE
 * REASON FAILURE ROLE  a stored number of that list; 0 TEXT     length and bytes; empty JSON     likewise, its text is
 * JSON
 */
#define TRANSITION_FIELD_LIST(X) \
    X(0, at, MOMENT)             \
    X(1, instance, REF)          \
    X(2, attempt, U32)           \
    X(3, fence, U64)             \
    X(4, state, STATE)           \
    X(5, frame, REF)             \
    X(6, index, U32)             \
    X(7, cpu_us, U64)            \
    X(8, memory_peak, U64)       \
    X(9, output, JSON)           \
    X(10, reason, REASON)        \
    X(11, due, TIME)             \
    X(12, failure, FAILURE)      \
    X(13, exit_code, I32)        \
    X(14, signal, I32)           \
    X(15, error, TEXT)           \
    X(16, name, TEXT)            \
    X(17, data, JSON)            \
    X(18, by, TEXT)              \
    X(19, count, U32)            \
    X(20, role, ROLE)            \
    X(21, blob, U64)             \
    X(22, blob_size, U64)
#define TRANSITION_FIELD_COUNT 23

enum transition_field {
#define FIELD_ENUM(number, member, kind) TRANSITION_FIELD_##member = (number),
    TRANSITION_FIELD_LIST(FIELD_ENUM)
#undef FIELD_ENUM
};

/* Whether a stored state is one of its type's. */
static inline bool transition_has_task_state(uint8_t type)
{
    return type != TRANSITION_EXECUTION_STOPPING && type != TRANSITION_EXECUTION_ENDED;
}

#endif
