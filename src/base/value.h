/*
 * value.h - the values that definitions, outputs and expressions are made of, and JSON in and out.
 *
 * A value is immutable, 16 bytes, and its parts live in an arena (or in the source text it was parsed
 * from: strings without escapes are borrowed from it). It is passed by value. Nothing is freed singly.
 */
#ifndef BASE_VALUE_H
#define BASE_VALUE_H

#include "arena.h"

enum value_kind {
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_INT,  /* int64 */
    VALUE_UINT, /* uint64: a CEL uint, or a JSON integer above INT64_MAX */
    VALUE_DOUBLE,
    VALUE_NUMBER, /* a JSON number that none of the three holds exactly: its text, kept as it stands */
    VALUE_STRING, /* UTF-8 */
    VALUE_BYTES,
    VALUE_LIST,
    VALUE_MAP,       /* keeps the order of its members; keys are string, int, uint or bool, each once */
    VALUE_TIMESTAMP, /* seconds since 1970 UTC and nanoseconds 0..999,999,999, years 1 to 9999 */
    VALUE_DURATION,  /* seconds and nanoseconds, both with the sign of the whole */
    VALUE_TYPE,      /* the type of a value, by name: `type(1)` is "int" */
};

struct value_map;

struct value {
    uint8_t kind;  /* enum value_kind */
    uint8_t flags; /* internal to value.c and json.c; 0 in a value built by hand */
    uint32_t size; /* STRING, BYTES, NUMBER, TYPE: bytes; LIST: items; MAP: members; TIMESTAMP, DURATION: nanoseconds as
                      int32_t */
    union {
        bool boolean;
        int64_t integer;
        uint64_t uinteger;
        double real;
        const char *text;
        const struct value *items;
        const struct value_map *map;
        int64_t seconds;
    };
};

struct value_member {
    struct value key;
    struct value value;
};

struct value_map {
    const struct value_member *members;
    const uint32_t *index; /* hash table over members, NULL for small maps */
    uint32_t index_mask;
    uint64_t seed; /* of the index's hash; 0 unless the keys collided more than chance explains */
};

static inline struct value value_null(void)
{
    return (struct value){.kind = VALUE_NULL};
}
static inline struct value value_bool(bool b)
{
    return (struct value){.kind = VALUE_BOOL, .boolean = b};
}
static inline struct value value_int(int64_t i)
{
    return (struct value){.kind = VALUE_INT, .integer = i};
}
static inline struct value value_uint(uint64_t u)
{
    return (struct value){.kind = VALUE_UINT, .uinteger = u};
}
static inline struct value value_double(double d)
{
    return (struct value){.kind = VALUE_DOUBLE, .real = d};
}
/* Borrows the text, which must be valid UTF-8 and shorter than 4 GiB. */
static inline struct value value_string(struct orch_str s)
{
    return (struct value){.kind = VALUE_STRING, .size = (uint32_t)s.size, .text = s.data};
}
static inline struct value value_timestamp(int64_t seconds, int32_t nanos)
{
    return (struct value){.kind = VALUE_TIMESTAMP, .size = (uint32_t)nanos, .seconds = seconds};
}
static inline struct value value_duration(int64_t seconds, int32_t nanos)
{
    return (struct value){.kind = VALUE_DURATION, .size = (uint32_t)nanos, .seconds = seconds};
}
/* Borrows items. */
static inline struct value value_list(const struct value *items, uint32_t count)
{
    return (struct value){.kind = VALUE_LIST, .size = count, .items = items};
}
/*
 * A map over members (borrowed, in their order); builds an index in the arena when there are many.
 * Returns 0; ORCH_ERR_EXISTS when a key occurs twice (numbers compare across int and uint);
 * ORCH_ERR_INVALID for a key of another kind than string, int, uint and bool; ORCH_ERR_NO_MEMORY.
 */
int value_map(const struct value_member *members, uint32_t count, struct arena *arena, struct value *ret);
/* The same; *ret_at is the member whose key occurs for the second time or is of a wrong kind, set on ORCH_ERR_EXISTS
 * and ORCH_ERR_INVALID. */
int value_map_at(const struct value_member *members, uint32_t count, struct arena *arena, struct value *ret,
                 uint32_t *ret_at);

static inline struct orch_str value_str(struct value v)
{
    return (struct orch_str){v.text, v.size};
} /* STRING, BYTES, NUMBER, TYPE */
static inline int32_t value_nanos(struct value v)
{
    return (int32_t)v.size;
}
static inline const struct value_member *value_members(struct value v)
{
    return v.map ? v.map->members : NULL;
}

/* The value of a string key, NULL when v is no map or has no such key. Lives as long as v. */
const struct value *value_get(struct value v, struct orch_str key);
/* The same for a key of any kind; numbers match across int, uint and double (CEL). */
const struct value *value_get_key(struct value v, struct value key);
/* CEL equality: numbers by value across int, uint, double and number text; NaN equals nothing; kinds that differ are
 * unequal. */
bool value_equal(struct value a, struct value b);
/* -1, 0, 1 for two numbers, strings, bytes, bools, timestamps or durations; 2 when not comparable (other kinds, NaN).
 * Exact across int, uint and double. */
int value_compare(struct value a, struct value b);
/* Deep copy into another arena, nothing borrowed. Returns 0 or ORCH_ERR_NO_MEMORY. */
int value_copy(struct value v, struct arena *arena, struct value *ret);
/* "null", "bool", "int", ... as CEL names types; "number" counts as "double". */
const char *value_kind_name(struct value v);

/*
 * JSON (RFC 8259).
 */
struct json_limits {
    uint32_t depth_max; /* 0 means 64; more than 10,000 counts as 10,000 */
    uint32_t nodes_max; /* values of any kind, keys not counted; 0 means 10,000,000 */
};
/*
 * Parses one JSON text, with nothing but white space around it. Strings without escapes borrow from
 * `text`, the rest is in the arena. A key that occurs twice is an error, as are a lone surrogate,
 * invalid UTF-8 and a control character in a string. Integers that fit become INT, above INT64_MAX
 * UINT; other numbers DOUBLE when it gives the same decimal back, else NUMBER. "-0" is DOUBLE.
 *
 * @param limits  may be NULL
 * @return 0; ORCH_ERR_INVALID with line and column; ORCH_ERR_LIMIT; ORCH_ERR_NO_MEMORY
 */
int json_parse(struct orch_str text, const struct json_limits *limits, struct arena *arena, struct value *ret,
               struct orch_error *err);
/*
 * Writes compact JSON; indent > 0 writes one member a line with that many spaces a level. Doubles are
 * the shortest text that reads back the same, a whole double below 1e15 is written "2.0" so that it
 * stays a double; infinities and NaN are written as strings "Infinity", "-Infinity", "NaN" (protobuf's
 * JSON mapping); bytes as base64; timestamps as RFC 3339; durations as "1.5s"; keys that are no strings as text.
 * Failure shows in buf->failed, also for nesting beyond 10,000.
 */
void json_format(struct value v, int indent, struct buf *buf);
/* One JSON string with its quotes and escapes; invalid UTF-8 becomes U+FFFD. */
void json_format_string(struct orch_str s, struct buf *buf);
/*
 * The shortest decimal that reads back as the same double, JSON number syntax; no ".0" is added. Below 1e-7 and from
 * 1e15 on it has an exponent ("1e15", "2.5e-8"). "Infinity", "-Infinity" and "NaN" for these. out is not terminated;
 * returns its length.
 */
size_t double_format(double d, char out[32]);
/* RFC 4648, with padding. */
void base64_format(struct orch_str bytes, struct buf *buf);

#endif
