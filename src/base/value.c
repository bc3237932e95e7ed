/*
 * value.c - maps of values, equality, order, copies.
 */
#include "value.h"

#include "number.h"

/* Up to here looking at every member is as quick as hashing. */
#define LINEAR_MAX 8U
/* At most half of an index is used; a chain this long does not come about by itself. */
#define STEPS_MAX  128U

static bool is_number(struct value v)
{
    return v.kind == VALUE_INT || v.kind == VALUE_UINT || v.kind == VALUE_DOUBLE || v.kind == VALUE_NUMBER;
}

static bool is_key(struct value v)
{
    return v.kind == VALUE_STRING || v.kind == VALUE_INT || v.kind == VALUE_UINT || v.kind == VALUE_BOOL;
}

/* What a key is hashed as: equal keys give equal bytes and the same tag. */
static uint64_t hash_key(struct value key, uint64_t seed)
{
    if (key.kind == VALUE_STRING) return seed ? str_hash_keyed(value_str(key), seed) : str_hash(value_str(key));
    uint64_t words[2] = {key.kind, 0};
    if (key.kind == VALUE_BOOL) {
        words[1] = key.boolean;
    } else {
        words[0] = key.kind == VALUE_INT && key.integer < 0 ? VALUE_INT : VALUE_UINT;
        words[1] = key.uinteger; /* the same bits for an int and a uint of one value */
    }
    struct orch_str bytes = {(const char *)words, sizeof(words)};
    return seed ? str_hash_keyed(bytes, seed) : str_hash(bytes);
}

static inline bool keys_equal(struct value a, struct value b)
{
    if (a.kind == VALUE_STRING || b.kind == VALUE_STRING) {
        return a.kind == b.kind && str_equal(value_str(a), value_str(b));
    }
    return value_equal(a, b);
}

/* Enters all members. ORCH_ERR_EXISTS for a key that is there twice, ORCH_ERR_LIMIT when a chain got too long. */
static int fill_index(uint32_t *index, uint32_t mask, const struct value_member *members, uint32_t count, uint64_t seed,
                      uint32_t steps_max, uint32_t *ret_at)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = (uint32_t)hash_key(members[i].key, seed) & mask;
        uint32_t steps = 0;
        for (; index[slot]; slot = (slot + 1) & mask) {
            if (keys_equal(members[index[slot] - 1].key, members[i].key)) {
                *ret_at = i;
                return ORCH_ERR_EXISTS;
            }
            if (++steps > steps_max) return ORCH_ERR_LIMIT;
        }
        index[slot] = i + 1;
    }
    return 0;
}

static int find_duplicate(const struct value_member *members, uint32_t count, uint32_t *ret_at)
{
    for (uint32_t i = 1; i < count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (keys_equal(members[i].key, members[j].key)) {
                *ret_at = i;
                return ORCH_ERR_EXISTS;
            }
        }
    }
    return 0;
}

static int build_index(struct value_map *map, uint32_t count, struct arena *arena, uint32_t *ret_at)
{
    uint64_t size = 16;
    while (size < (uint64_t)count * 2) size *= 2;
    if (size > UINT32_MAX / 2) return ORCH_ERR_NO_MEMORY;
    uint32_t *index = ARENA_ARRAY(arena, size, uint32_t);
    if (!index) return ORCH_ERR_NO_MEMORY;
    map->index = index;
    map->index_mask = (uint32_t)(size - 1);
    int r = fill_index(index, map->index_mask, map->members, count, 0, STEPS_MAX, ret_at);
    if (r != ORCH_ERR_LIMIT) return r;
    /*
     * Keys that were chosen to collide. A seed made of all of them scatters them: a set that collides under
     * the seed it makes itself is not to be found. See map.c.
     */
    for (uint32_t i = 0; i < count; i++) map->seed = hash_key(map->members[i].key, map->seed + 1) | 1;
    memset(index, 0, size * sizeof(*index));
    return fill_index(index, map->index_mask, map->members, count, map->seed, UINT32_MAX, ret_at);
}

int value_map_at(const struct value_member *members, uint32_t count, struct arena *arena, struct value *ret,
                 uint32_t *ret_at)
{
    struct value_map *map = ARENA_NEW(arena, struct value_map);
    if (!map) return ORCH_ERR_NO_MEMORY;
    map->members = members;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_key(members[i].key)) {
            *ret_at = i;
            return ORCH_ERR_INVALID;
        }
    }
    int r = count <= LINEAR_MAX ? find_duplicate(members, count, ret_at) : build_index(map, count, arena, ret_at);
    if (r < 0) return r;
    *ret = (struct value){.kind = VALUE_MAP, .size = count, .map = map};
    return 0;
}

int value_map(const struct value_member *members, uint32_t count, struct arena *arena, struct value *ret)
{
    uint32_t at;
    return value_map_at(members, count, arena, ret, &at);
}

static const struct value *find_member(struct value v, struct value key)
{
    if (v.kind != VALUE_MAP || !v.map) return NULL;
    const struct value_map *map = v.map;
    if (!map->index) {
        for (uint32_t i = 0; i < v.size; i++) {
            if (keys_equal(map->members[i].key, key)) return &map->members[i].value;
        }
        return NULL;
    }
    for (uint32_t slot = (uint32_t)hash_key(key, map->seed) & map->index_mask; map->index[slot];
         slot = (slot + 1) & map->index_mask) {
        const struct value_member *member = &map->members[map->index[slot] - 1];
        if (keys_equal(member->key, key)) return &member->value;
    }
    return NULL;
}

const struct value *value_get(struct value v, struct orch_str key)
{
    if (key.size > UINT32_MAX) return NULL;
    return find_member(v, value_string(key));
}

#define TWO_POW_63 9223372036854775808.0
#define TWO_POW_64 18446744073709551616.0

const struct value *value_get_key(struct value v, struct value key)
{
    if (key.kind == VALUE_DOUBLE) {
        /* Keys are whole, so a double matches as the whole number it is. */
        double d = key.real;
        if (d >= -TWO_POW_63 && d < TWO_POW_63 && d == (double)(int64_t)d) {
            key = value_int((int64_t)d);
        } else if (d >= TWO_POW_63 && d < TWO_POW_64) {
            key = value_uint((uint64_t)d);
        } else {
            return NULL;
        }
    }
    return is_key(key) ? find_member(v, key) : NULL;
}

static int order_of(bool less, bool greater)
{
    return greater - less;
}

/* Exact: the whole part as an integer, then what is behind the point. */
static int compare_int_double(int64_t i, double d)
{
    if (d != d) return 2;
    if (d >= TWO_POW_63) return -1;
    if (d < -TWO_POW_63) return 1;
    int64_t whole = (int64_t)d;
    if (i != whole) return i < whole ? -1 : 1;
    double rest = d - (double)whole;
    return order_of(rest > 0, rest < 0);
}

static int compare_uint_double(uint64_t u, double d)
{
    if (d != d) return 2;
    if (d >= TWO_POW_64) return -1;
    if (d < 0) return 1;
    uint64_t whole = (uint64_t)d;
    if (u != whole) return u < whole ? -1 : 1;
    double rest = d - (double)whole;
    return rest > 0 ? -1 : 0;
}

static bool is_finite(double d)
{
    return d - d == 0;
}

/* At least one is a number text. */
static int compare_texts(struct value a, struct value b)
{
    char digits[2][NUMBER_DIGITS_MAX];
    struct number_text numbers[2];
    struct value v[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        if (v[i].kind == VALUE_NUMBER) {
            if (!number_scan(value_str(v[i]), &numbers[i])) return 2;
        } else if (v[i].kind == VALUE_DOUBLE) {
            if (v[i].real != v[i].real) return 2;
            if (!is_finite(v[i].real)) return (v[i].real < 0) == (i == 0) ? -1 : 1;
            number_from_double(v[i].real, digits[i], &numbers[i]);
        } else {
            bool negative = v[i].kind == VALUE_INT && v[i].integer < 0;
            number_from_uint(negative ? 0 - v[i].uinteger : v[i].uinteger, negative, digits[i], &numbers[i]);
        }
    }
    return number_compare(&numbers[0], &numbers[1]);
}

static int compare_numbers(struct value a, struct value b)
{
    if (a.kind == VALUE_NUMBER || b.kind == VALUE_NUMBER) return compare_texts(a, b);
    if (a.kind == VALUE_DOUBLE && b.kind == VALUE_DOUBLE) {
        if (a.real != a.real || b.real != b.real) return 2;
        return order_of(a.real<b.real, a.real> b.real);
    }
    if (a.kind == VALUE_DOUBLE || b.kind == VALUE_DOUBLE) {
        bool swapped = a.kind == VALUE_DOUBLE;
        struct value whole = swapped ? b : a;
        double d = swapped ? a.real : b.real;
        int order =
            whole.kind == VALUE_INT ? compare_int_double(whole.integer, d) : compare_uint_double(whole.uinteger, d);
        return swapped && order != 2 ? -order : order;
    }
    bool negative_a = a.kind == VALUE_INT && a.integer < 0;
    bool negative_b = b.kind == VALUE_INT && b.integer < 0;
    if (negative_a != negative_b) return negative_a ? -1 : 1;
    /* Of one sign, so the bits compare as unsigned, for two negatives as well. */
    return order_of(a.uinteger<b.uinteger, a.uinteger> b.uinteger);
}

int value_compare(struct value a, struct value b)
{
    if (is_number(a) && is_number(b)) return compare_numbers(a, b);
    if (a.kind != b.kind) return 2;
    int order;
    switch ((enum value_kind)a.kind) {
    case VALUE_BOOL: return order_of(a.boolean<b.boolean, a.boolean> b.boolean);
    case VALUE_STRING:
    case VALUE_BYTES: order = str_compare(value_str(a), value_str(b)); return order_of(order<0, order> 0);
    case VALUE_TIMESTAMP:
    case VALUE_DURATION:
        if (a.seconds != b.seconds) return order_of(a.seconds<b.seconds, a.seconds> b.seconds);
        return order_of(value_nanos(a) < value_nanos(b), value_nanos(a) > value_nanos(b));
    case VALUE_NULL:
    case VALUE_LIST:
    case VALUE_MAP:
    case VALUE_TYPE:
    case VALUE_INT:
    case VALUE_UINT:
    case VALUE_DOUBLE:
    case VALUE_NUMBER: return 2;
    }
    return 2;
}

static bool lists_equal(struct value a, struct value b)
{
    if (a.size != b.size) return false;
    for (uint32_t i = 0; i < a.size; i++) {
        if (!value_equal(a.items[i], b.items[i])) return false;
    }
    return true;
}

static bool maps_equal(struct value a, struct value b)
{
    if (a.size != b.size) return false;
    const struct value_member *members = value_members(a);
    for (uint32_t i = 0; i < a.size; i++) {
        const struct value *other = find_member(b, members[i].key);
        if (!other || !value_equal(members[i].value, *other)) return false;
    }
    return true;
}

bool value_equal(struct value a, struct value b)
{
    if (is_number(a) && is_number(b)) return compare_numbers(a, b) == 0;
    if (a.kind != b.kind) return false;
    switch ((enum value_kind)a.kind) {
    case VALUE_NULL: return true;
    case VALUE_BOOL: return a.boolean == b.boolean;
    case VALUE_STRING:
    case VALUE_BYTES:
    case VALUE_TYPE: return str_equal(value_str(a), value_str(b));
    case VALUE_LIST: return lists_equal(a, b);
    case VALUE_MAP: return maps_equal(a, b);
    case VALUE_TIMESTAMP:
    case VALUE_DURATION: return a.seconds == b.seconds && a.size == b.size;
    case VALUE_INT:
    case VALUE_UINT:
    case VALUE_DOUBLE:
    case VALUE_NUMBER: return false; /* two numbers were compared above */
    }
    return false;
}

static int copy_list(struct value v, struct arena *arena, struct value *ret)
{
    struct value *items = ARENA_ARRAY(arena, v.size, struct value);
    if (!items) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < v.size; i++) {
        int r = value_copy(v.items[i], arena, &items[i]);
        if (r < 0) return r;
    }
    v.items = items;
    *ret = v;
    return 0;
}

static int copy_map(struct value v, struct arena *arena, struct value *ret)
{
    struct value_map *map = ARENA_NEW(arena, struct value_map);
    struct value_member *members = ARENA_ARRAY(arena, v.size, struct value_member);
    if (!map || !members) return ORCH_ERR_NO_MEMORY;
    if (v.map) *map = *v.map;
    for (uint32_t i = 0; i < v.size; i++) {
        int r = value_copy(v.map->members[i].key, arena, &members[i].key);
        if (r == 0) r = value_copy(v.map->members[i].value, arena, &members[i].value);
        if (r < 0) return r;
    }
    map->members = members;
    if (map->index) {
        /* Positions stay, so the index is the same. */
        size_t size = ((size_t)map->index_mask + 1) * sizeof(*map->index);
        uint32_t *index = arena_alloc(arena, size);
        if (!index) return ORCH_ERR_NO_MEMORY;
        memcpy(index, map->index, size);
        map->index = index;
    }
    v.map = map;
    *ret = v;
    return 0;
}

int value_copy(struct value v, struct arena *arena, struct value *ret)
{
    switch ((enum value_kind)v.kind) {
    case VALUE_STRING:
    case VALUE_BYTES:
    case VALUE_NUMBER:
    case VALUE_TYPE:
        v.text = arena_str(arena, value_str(v)).data;
        if (!v.text) return ORCH_ERR_NO_MEMORY;
        *ret = v;
        return 0;
    case VALUE_LIST: return copy_list(v, arena, ret);
    case VALUE_MAP: return copy_map(v, arena, ret);
    case VALUE_NULL:
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_UINT:
    case VALUE_DOUBLE:
    case VALUE_TIMESTAMP:
    case VALUE_DURATION: break;
    }
    *ret = v;
    return 0;
}

const char *value_kind_name(struct value v)
{
    switch ((enum value_kind)v.kind) {
    case VALUE_NULL: return "null";
    case VALUE_BOOL: return "bool";
    case VALUE_INT: return "int";
    case VALUE_UINT: return "uint";
    case VALUE_DOUBLE:
    case VALUE_NUMBER: return "double";
    case VALUE_STRING: return "string";
    case VALUE_BYTES: return "bytes";
    case VALUE_LIST: return "list";
    case VALUE_MAP: return "map";
    case VALUE_TIMESTAMP: return "google.protobuf.Timestamp";
    case VALUE_DURATION: return "google.protobuf.Duration";
    case VALUE_TYPE: return "type";
    }
    return "unknown";
}
