/*
 * transition_json.c - transitions as JSON, for history, live events and people with jq.
 */
#include "base/time.h"
#include "core/transition_fields.h"

static void put_key(struct buf *out, const char *key)
{
    buf_add(out, STR(",\""));
    buf_add_text(out, key);
    buf_add(out, STR("\":"));
}

/* A constant of ours: nothing in it to escape. */
static void put_name(struct buf *out, const char *key, const char *name)
{
    put_key(out, key);
    buf_add_char(out, '"');
    buf_add_text(out, name);
    buf_add_char(out, '"');
}

static void put_unsigned(struct buf *out, const char *key, uint64_t v)
{
    put_key(out, key);
    buf_printf(out, "%llu", (unsigned long long)v);
}

static void put_signed(struct buf *out, const char *key, int64_t v)
{
    put_key(out, key);
    buf_printf(out, "%lld", (long long)v);
}

static void put_time(struct buf *out, const char *key, orch_time time, bool millis)
{
    put_key(out, key);
    buf_add_char(out, '"');
    time_format(time, millis, out);
    buf_add_char(out, '"');
}

/*
 * JSON text as it stands, on one line: a line break in valid JSON is white space between tokens, for inside strings it
 * is escaped. That keeps JSON Lines one line each.
 */
static void put_json(struct buf *out, const char *key, struct orch_str json)
{
    size_t start = 0;

    put_key(out, key);
    for (size_t i = 0; i < json.size; i++) {
        if (json.data[i] != '\n' && json.data[i] != '\r') continue;
        buf_add(out, str_of(json.data + start, i - start));
        buf_add_char(out, ' ');
        start = i + 1;
    }
    buf_add(out, str_of(json.data + start, json.size - start));
}

static const char *role_text(uint8_t role)
{
    switch ((enum block_role)role) {
    case BLOCK_BODY: return "body";
    case BLOCK_ON_ERROR: return "on_error";
    case BLOCK_COMPENSATE: return "compensate";
    case BLOCK_FINALLY: return "finally";
    }
    return "unknown";
}

static const char *state_text(const struct core_transition *transition)
{
    return transition_has_task_state(transition->type) ? task_state_to_string(transition->state)
                                                       : execution_state_to_string(transition->state);
}

/* Fields that are written even when they are 0, since for this type 0 says something. */
static uint64_t fields_always(uint8_t type)
{
    return type == TRANSITION_FRAME_OPENED
               ? UINT64_C(1) << TRANSITION_FIELD_role | UINT64_C(1) << TRANSITION_FIELD_index
               : 0;
}

#define JSON_MOMENT(key, v) (void)0 /* "t", written by the caller */
#define JSON_REF(key, v) \
    if ((v) != CORE_NONE) put_unsigned(out, key, v)
#define JSON_TEXT(key, v) \
    if ((v).size != 0) put_key(out, key), json_format_string(v, out)
#define JSON_JSON(key, v) \
    if ((v).size != 0) put_json(out, key, v)
#define JSON_TIME(key, v) \
    if ((v) != 0 && (v) != ORCH_TIME_NEVER) put_time(out, key, v, false)
#define JSON_U32(key, v) \
    if ((v) != 0 || always) put_unsigned(out, key, v)
#define JSON_U64(key, v) \
    if ((v) != 0 || always) put_unsigned(out, key, v)
#define JSON_I32(key, v) \
    if ((v) != 0 || always) put_signed(out, key, v)
#define JSON_STATE(key, v) \
    if ((v) != 0) put_name(out, key, state_text(transition))
#define JSON_REASON(key, v) \
    if ((v) != 0) put_name(out, key, reason_to_string((enum reason)(v)))
#define JSON_FAILURE(key, v) \
    if ((v) != 0) put_name(out, key, failure_to_string((enum failure)(v)))
#define JSON_ROLE(key, v) \
    if ((v) != 0 || always) put_name(out, key, role_text(v))

void transition_format_json_members(const struct core_transition *transition, uint64_t seq, struct buf *out)
{
    uint64_t mask = fields_always(transition->type);

    buf_add(out, STR("\"type\":\""));
    buf_add_text(out, transition_type_to_string((enum transition_type)transition->type));
    buf_add_char(out, '"');
    if (seq != 0) put_unsigned(out, "seq", seq);
    put_time(out, "t", transition->at, true);
#define FIELD(number, member, kind)               \
    {                                             \
        bool always = (mask >> (number)&1) != 0;  \
        (void)always;                             \
        JSON_##kind(#member, transition->member); \
    }
    TRANSITION_FIELD_LIST(FIELD)
#undef FIELD
}

void transition_format_json(const struct core_transition *transition, uint64_t seq, struct buf *out)
{
    buf_add_char(out, '{');
    transition_format_json_members(transition, seq, out);
    buf_add_char(out, '}');
}
