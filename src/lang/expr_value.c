/*
 * expr_value.c - what expressions do with whole values: names of kinds, equality, hashes, sizes, text.
 *
 * An expression can build a value that shares its parts many times over ([x, x] of [y, y] of ...), tiny in
 * memory and huge when walked. So every walk here pays, and ends at the bound.
 */
#include "lang/expr_internal.h"

static const struct {
    const char *kind; /* in messages */
    const char *type; /* CEL's name of the type */
} names[] = {
    [VALUE_NULL] = {"null", "null_type"},
    [VALUE_BOOL] = {"bool", "bool"},
    [VALUE_INT] = {"int", "int"},
    [VALUE_UINT] = {"uint", "uint"},
    [VALUE_DOUBLE] = {"double", "double"},
    [VALUE_NUMBER] = {"double", "double"},
    [VALUE_STRING] = {"string", "string"},
    [VALUE_BYTES] = {"bytes", "bytes"},
    [VALUE_LIST] = {"list", "list"},
    [VALUE_MAP] = {"map", "map"},
    [VALUE_TIMESTAMP] = {"timestamp", "google.protobuf.Timestamp"},
    [VALUE_DURATION] = {"duration", "google.protobuf.Duration"},
    [VALUE_TYPE] = {"type", "type"},
};

const char *expr_kind_name(enum value_kind kind)
{
    return names[kind].kind;
}

struct value expr_type_value(enum value_kind kind)
{
    struct value value = value_string(str_from(names[kind].type));
    value.kind = VALUE_TYPE;
    return value;
}

bool expr_type_find(struct orch_str name, struct value *ret)
{
    for (int kind = VALUE_NULL; kind <= VALUE_TYPE; kind++) {
        if (!str_is(name, names[kind].type)) continue;
        *ret = expr_type_value((enum value_kind)kind);
        return true;
    }
    return false;
}

/* ---- equality ---- */

static int equal_maps(struct eval *eval, const struct node *node, struct value a, struct value b, bool *ret)
{
    const struct value_member *members = value_members(a);
    for (uint32_t i = 0; i < a.size; i++) {
        const struct value *other = value_get_key(b, members[i].key);
        if (!other) {
            *ret = false;
            return 0;
        }
        int rc = expr_equal(eval, node, members[i].value, *other, ret);
        if (rc != 0 || !*ret) return rc;
    }
    *ret = true;
    return 0;
}

int expr_equal(struct eval *eval, const struct node *node, struct value a, struct value b, bool *ret)
{
    int rc;
    bool is_tree = a.kind == VALUE_LIST || a.kind == VALUE_MAP;
    if (a.kind != b.kind || !is_tree) {
        if ((a.kind == VALUE_STRING || a.kind == VALUE_BYTES) && a.kind == b.kind && a.size == b.size &&
            (rc = expr_cost(eval, node, a.size / EXPR_COST_BYTES)) != 0)
            return rc;
        *ret = expr_is_number(a) && expr_is_number(b) ? expr_compare(a, b) == 0 : value_equal(a, b);
        return 0;
    }
    if (a.size != b.size) {
        *ret = false;
        return 0;
    }
    if ((rc = expr_cost(eval, node, (uint64_t)a.size + 1)) != 0) return rc;
    if (a.kind == VALUE_MAP) return equal_maps(eval, node, a, b, ret);
    *ret = true;
    for (uint32_t i = 0; i < a.size; i++) {
        rc = expr_equal(eval, node, a.items[i], b.items[i], ret);
        if (rc != 0 || !*ret) return rc;
    }
    return 0;
}

static uint64_t mix(uint64_t h, uint64_t n)
{
    h ^= n + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
    return h * 0xbf58476d1ce4e5b9u;
}

/* Numbers that are equal hash alike whatever their kind: by the double nearest to them. */
static uint64_t hash_number(struct value v)
{
    double d = expr_to_double(v);
    if (d == 0) d = 0; /* -0.0 equals 0.0 */
    uint64_t bits;
    memcpy(&bits, &d, sizeof(bits));
    return mix(1, bits);
}

int expr_hash(struct eval *eval, const struct node *node, struct value v, uint64_t *ret)
{
    uint64_t h = mix(v.kind, v.size);
    int rc = 0;
    switch ((enum value_kind)v.kind) {
    case VALUE_NULL: break;
    case VALUE_BOOL: h = mix(h, v.boolean); break;
    case VALUE_INT:
    case VALUE_UINT:
    case VALUE_DOUBLE:
    case VALUE_NUMBER: h = hash_number(v); break;
    case VALUE_STRING:
    case VALUE_BYTES:
    case VALUE_TYPE:
        rc = expr_cost(eval, node, v.size / EXPR_COST_BYTES);
        h = mix(h, str_hash(value_str(v)));
        break;
    case VALUE_TIMESTAMP:
    case VALUE_DURATION: h = mix(h, (uint64_t)v.seconds); break;
    case VALUE_LIST:
        rc = expr_cost(eval, node, v.size);
        for (uint32_t i = 0; i < v.size && rc == 0; i++) {
            uint64_t item;
            rc = expr_hash(eval, node, v.items[i], &item);
            if (rc == 0) h = mix(h, item);
        }
        break;
    case VALUE_MAP: {
        /* The order of members does not count. */
        const struct value_member *members = value_members(v);
        uint64_t sum = 0;
        rc = expr_cost(eval, node, 2 * (uint64_t)v.size);
        for (uint32_t i = 0; i < v.size && rc == 0; i++) {
            uint64_t key = 0, value = 0;
            rc = expr_hash(eval, node, members[i].key, &key);
            if (rc == 0) rc = expr_hash(eval, node, members[i].value, &value);
            sum += mix(key, value);
        }
        h = mix(h, sum);
        break;
    }
    }
    *ret = h;
    return rc;
}

/* ---- size ---- */

/* Adds to *size; false above max. */
static bool measure(struct value v, size_t *size, size_t max)
{
    *size += sizeof(struct value);
    if (v.kind == VALUE_STRING || v.kind == VALUE_BYTES) *size += v.size;
    if (*size > max) return false;
    if (v.kind == VALUE_LIST) {
        for (uint32_t i = 0; i < v.size; i++) {
            if (!measure(v.items[i], size, max)) return false;
        }
    } else if (v.kind == VALUE_MAP) {
        const struct value_member *members = value_members(v);
        for (uint32_t i = 0; i < v.size; i++) {
            if (!measure(members[i].key, size, max) || !measure(members[i].value, size, max)) return false;
        }
    }
    return true;
}

int expr_measure(struct eval *eval, const struct node *node, struct value v)
{
    size_t size = 0;
    if (measure(v, &size, eval->size_max)) return 0;
    return expr_fail_limit(eval, node, "the result is larger than %zu bytes", eval->size_max);
}

int expr_make_map(struct eval *eval, const struct node *node, struct value_member *members, uint32_t count,
                  struct value *ret)
{
    int rc = expr_cost(eval, node, count);
    if (rc != 0) return rc;
    /* The index of value_map: at most two slots of 4 bytes for a member, rounded up to a power of two. */
    size_t index_size = (size_t)count * 16;
    if (index_size > eval->size_max - eval->size)
        return expr_fail_limit(eval, node, "this expression builds more than %zu bytes", eval->size_max);
    eval->size += index_size;
    rc = value_map(members, count, eval->arena, ret);
    if (rc == ORCH_ERR_NO_MEMORY) return expr_fail_memory(eval);
    eval->has_built = true;
    if (rc == 0) return 0;
    /* Which key it is: the message is worth a slow look, but not an endless one. */
    for (uint32_t i = 1; i < count && i < 256; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (!value_equal(members[i].key, members[j].key)) continue;
            struct text text;
            struct value key;
            text_init(&text, eval, node);
            expr_text_scalar(&text, members[i].key);
            if ((rc = text_take(&text, &key)) != 0) return rc;
            return expr_fail(eval, node, "failed with repeated key: %.*s", STR_ARG(value_str(key)));
        }
    }
    return expr_fail(eval, node, "failed with repeated key");
}

/* ---- text ---- */

void text_init(struct text *text, struct eval *eval, const struct node *node)
{
    *text = (struct text){.eval = eval, .node = node};
}

static bool text_reserve(struct text *text, size_t size)
{
    if (text->failure != 0) return false;
    if (size <= text->capacity - text->size) return true;
    size_t capacity = text->capacity ? text->capacity * 2 : 64;
    while (capacity < text->size + size) capacity *= 2;
    text->failure = expr_cost(text->eval, text->node, capacity / EXPR_COST_BYTES);
    if (text->failure != 0) return false;
    char *data = expr_alloc(text->eval, text->node, capacity, 1);
    if (!data) {
        text->failure = text->eval->failure;
        return false;
    }
    if (text->size > 0) memcpy(data, text->data, text->size);
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_add(struct text *text, struct orch_str s)
{
    if (s.size == 0 || s.size > SIZE_MAX / 4 || !text_reserve(text, s.size)) return;
    memcpy(text->data + text->size, s.data, s.size);
    text->size += s.size;
}

void text_add_char(struct text *text, char c)
{
    text_add(text, str_of(&c, 1));
}

void text_add_code_point(struct text *text, uint32_t code_point)
{
    char encoded[4];
    text_add(text, str_of(encoded, utf8_put(code_point, encoded)));
}

int text_take(struct text *text, struct value *ret)
{
    if (text->failure != 0) return text->failure;
    if (text->size > UINT32_MAX) return expr_fail_limit(text->eval, text->node, "this text is too long");
    *ret = value_string(str_of(text->data ? text->data : "", text->size));
    return 0;
}

void expr_text_scalar(struct text *text, struct value v)
{
    char out[64];
    switch ((enum value_kind)v.kind) {
    case VALUE_NULL: text_add(text, STR("null")); return;
    case VALUE_BOOL: text_add(text, v.boolean ? STR("true") : STR("false")); return;
    case VALUE_INT:
        text_add(text, str_of(out, (size_t)snprintf(out, sizeof(out), "%lld", (long long)v.integer)));
        return;
    case VALUE_UINT:
        text_add(text, str_of(out, (size_t)snprintf(out, sizeof(out), "%llu", (unsigned long long)v.uinteger)));
        return;
    case VALUE_DOUBLE:
        if (v.real != v.real)
            text_add(text, STR("NaN"));
        else if (v.real - v.real != 0)
            text_add(text, v.real > 0 ? STR("Infinity") : STR("-Infinity"));
        else
            text_add(text, str_of(out, double_format(v.real, out)));
        return;
    case VALUE_NUMBER:
    case VALUE_STRING:
    case VALUE_BYTES:
    case VALUE_TYPE: text_add(text, value_str(v)); return;
    case VALUE_TIMESTAMP: {
        struct buf buf;
        buf_init(&buf, text->eval->arena->allocator, sizeof(out));
        time_format_rfc3339(v.seconds, value_nanos(v), &buf);
        if (buf.failed)
            text->failure = expr_fail_memory(text->eval);
        else
            text_add(text, buf_str(&buf));
        buf_done(&buf);
        return;
    }
    case VALUE_DURATION: {
        /* Seconds, with as many digits after the point as count. */
        int32_t nanos = value_nanos(v);
        bool negative = v.seconds < 0 || nanos < 0;
        uint64_t seconds = negative ? 0 - (uint64_t)v.seconds : (uint64_t)v.seconds;
        int size = snprintf(out, sizeof(out), "%s%llu", negative ? "-" : "", (unsigned long long)seconds);
        if (nanos != 0) {
            size += snprintf(out + size, sizeof(out) - (size_t)size, ".%09d", nanos < 0 ? -nanos : nanos);
            while (out[size - 1] == '0') size--;
        }
        out[size++] = 's';
        text_add(text, str_of(out, (size_t)size));
        return;
    }
    case VALUE_LIST:
    case VALUE_MAP: return; /* no scalars */
    }
}
