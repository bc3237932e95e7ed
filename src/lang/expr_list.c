/*
 * expr_list.c - what is said about a whole list or map: sum, min, max, avg, sort, distinct, flatten, keys, values,
 * merge. All of them are extensions.
 *
 * Unlike operators, sum and avg take ints and doubles mixed: amounts in JSON are 10 and 2.5 in one list.
 */
#include "lang/expr_internal.h"

static int wrong_item(struct eval *eval, const struct node *node, struct value item)
{
    return expr_fail(eval, node, "no matching overload: %s of a list with %s", node->call.function->name,
                     expr_kind_name((enum value_kind)item.kind));
}

static int empty_list(struct eval *eval, const struct node *node)
{
    int rc = expr_fail(eval, node, "%s of an empty list", node->call.function->name);
    expr_hint(eval, "test it first: size(list) > 0 ? ... : ...");
    return rc;
}

/* ---- sum, avg ---- */

/* Exact as long as all are integers; as soon as one is a double, the sum is. */
static int sum_numbers(struct eval *eval, const struct node *node, struct value list, struct value *ret)
{
    __int128 whole = 0;
    double real = 0;
    bool is_real = false, is_uint = list.size > 0;
    for (uint32_t i = 0; i < list.size; i++) {
        struct value item = list.items[i];
        if (item.kind == VALUE_INT)
            whole += item.integer;
        else if (item.kind == VALUE_UINT)
            whole += item.uinteger;
        else if (K_DOUBLE >> item.kind & 1) {
            real += expr_to_double(item);
            is_real = true;
        } else
            return wrong_item(eval, node, item);
        if (item.kind != VALUE_UINT) is_uint = false;
    }
    if (is_real)
        *ret = value_double(real + (double)whole);
    else if (is_uint && whole <= UINT64_MAX)
        *ret = value_uint((uint64_t)whole);
    else if (!is_uint && whole >= INT64_MIN && whole <= INT64_MAX)
        *ret = value_int((int64_t)whole);
    else
        return expr_fail(eval, node, "return error for overflow: integer overflow");
    return 0;
}

FUNCTION(function_sum)
{
    (void)count;
    struct value list = args[0];
    int rc = expr_cost(eval, node, list.size);
    if (rc != 0) return rc;
    if (list.size == 0 || list.items[0].kind != VALUE_DURATION) return sum_numbers(eval, node, list, ret);
    struct value sum = list.items[0];
    for (uint32_t i = 1; i < list.size; i++) {
        bool done;
        if (list.items[i].kind != VALUE_DURATION) return wrong_item(eval, node, list.items[i]);
        if ((rc = expr_time_add(eval, node, sum, list.items[i], false, &sum, &done)) != 0) return rc;
    }
    *ret = sum;
    return 0;
}

FUNCTION(function_avg)
{
    (void)count;
    struct value sum = value_null();
    int rc = expr_cost(eval, node, args[0].size);
    if (rc != 0) return rc;
    if (args[0].size == 0) return empty_list(eval, node);
    if ((rc = sum_numbers(eval, node, args[0], &sum)) != 0) return rc;
    *ret = value_double(expr_to_double(sum) / args[0].size);
    return 0;
}

/* ---- order ---- */

/* Orders two items; an error when they have none. */
static int compare(struct eval *eval, const struct node *node, struct value a, struct value b, int *ret)
{
    *ret = value_compare(a, b);
    if (*ret != 2) return 0;
    const char *kind_a = a.kind == VALUE_DOUBLE && a.real != a.real ? "NaN" : expr_kind_name((enum value_kind)a.kind);
    const char *kind_b = b.kind == VALUE_DOUBLE && b.real != b.real ? "NaN" : expr_kind_name((enum value_kind)b.kind);
    return expr_fail(eval, node, "no matching overload: %s cannot order %s and %s", node->call.function->name, kind_a,
                     kind_b);
}

/* The least (sign -1) or greatest (sign 1) of a list or of the arguments; the first of those that are equal. */
static int extreme(struct eval *eval, const struct node *node, const struct value *args, uint32_t count, int sign,
                   struct value *ret)
{
    const struct value *items = args;
    if (count == 1 && args[0].kind == VALUE_LIST) {
        items = args[0].items;
        count = args[0].size;
    } else if (count == 1) {
        return expr_fail_call(eval, node, args, count);
    }
    int rc = expr_cost(eval, node, count);
    if (rc != 0) return rc;
    if (count == 0) return empty_list(eval, node);
    struct value best = items[0];
    /* One item is compared with itself, so that a list of maps has no least one, however short. */
    for (uint32_t i = count > 1 ? 1 : 0; i < count; i++) {
        int order;
        if ((rc = compare(eval, node, items[i], best, &order)) != 0) return rc;
        if (order * sign > 0) best = items[i];
    }
    *ret = best;
    return 0;
}

FUNCTION(function_min)
{
    return extreme(eval, node, args, count, -1, ret);
}

FUNCTION(function_max)
{
    return extreme(eval, node, args, count, 1, ret);
}

/* Bottom-up merge sort: stable, and never worse than n log n whatever the data. */
static int merge_sort(struct eval *eval, const struct node *node, struct value **items, struct value **spare,
                      uint32_t count)
{
    for (uint64_t width = 1; width < count; width *= 2) {
        int rc = expr_cost(eval, node, count);
        if (rc != 0) return rc;
        for (uint64_t start = 0; start < count; start += 2 * width) {
            uint64_t middle = start + width < count ? start + width : count;
            uint64_t end = start + 2 * width < count ? start + 2 * width : count;
            uint64_t a = start, b = middle;
            for (uint64_t i = start; i < end; i++) {
                int order = -1;
                if (a < middle && b < end && (rc = compare(eval, node, (*items)[a], (*items)[b], &order)) != 0)
                    return rc;
                bool first = b >= end || (a < middle && order <= 0);
                (*spare)[i] = first ? (*items)[a++] : (*items)[b++];
            }
        }
        struct value *swap = *items;
        *items = *spare;
        *spare = swap;
    }
    return 0;
}

FUNCTION(function_sort)
{
    (void)count;
    struct value list = args[0];
    struct value *items = expr_alloc(eval, node, list.size, sizeof(struct value));
    if (!items) return eval->failure;
    struct value *spare = expr_alloc(eval, node, list.size, sizeof(struct value));
    if (!spare) return eval->failure;
    if (list.size > 0) memcpy(items, list.items, list.size * sizeof(struct value));
    int order, rc = expr_cost(eval, node, list.size);
    if (rc == 0 && list.size == 1) rc = compare(eval, node, items[0], items[0], &order);
    if (rc == 0) rc = merge_sort(eval, node, &items, &spare, list.size);
    if (rc != 0) return rc;
    eval->has_built = true;
    *ret = value_list(items, list.size);
    return 0;
}

/* ---- distinct, flatten ---- */

/* Index of a value equal to `item` among `kept`, or count when it is new; slots hold index + 1. */
static int find_kept(struct eval *eval, const struct node *node, const struct value *kept, uint32_t *slots,
                     uint32_t mask, struct value item, uint32_t count, bool *ret_found)
{
    uint64_t hash;
    int rc = expr_hash(eval, node, item, &hash);
    if (rc != 0) return rc;
    uint32_t at = (uint32_t)(hash >> 32) & mask;
    for (; slots[at] != 0; at = (at + 1) & mask) {
        if ((rc = expr_cost(eval, node, 1)) != 0) return rc;
        if ((rc = expr_equal(eval, node, kept[slots[at] - 1], item, ret_found)) != 0 || *ret_found) return rc;
    }
    slots[at] = count + 1;
    *ret_found = false;
    return 0;
}

FUNCTION(function_distinct)
{
    (void)count;
    struct value list = args[0];
    size_t slots_count = 4;
    while (slots_count < 2 * (size_t)list.size) slots_count *= 2;
    struct value *kept = expr_alloc(eval, node, list.size, sizeof(struct value));
    if (!kept) return eval->failure;
    uint32_t *slots = expr_alloc(eval, node, slots_count, sizeof(uint32_t));
    if (!slots) return eval->failure;
    memset(slots, 0, slots_count * sizeof(uint32_t));
    uint32_t kept_count = 0;
    int rc = expr_cost(eval, node, list.size);
    for (uint32_t i = 0; i < list.size && rc == 0; i++) {
        bool found = false;
        rc = find_kept(eval, node, kept, slots, (uint32_t)(slots_count - 1), list.items[i], kept_count, &found);
        if (rc == 0 && !found) kept[kept_count++] = list.items[i];
    }
    if (rc != 0) return rc;
    eval->has_built = true;
    *ret = value_list(kept, kept_count);
    return 0;
}

/* Counts the items of a list flattened to `depth`; with out, writes them. */
static int flatten(struct eval *eval, const struct node *node, struct value list, int64_t depth, struct value *out,
                   uint64_t *count)
{
    int rc = expr_cost(eval, node, list.size);
    for (uint32_t i = 0; i < list.size && rc == 0; i++) {
        if (depth > 0 && list.items[i].kind == VALUE_LIST) {
            rc = flatten(eval, node, list.items[i], depth - 1, out, count);
        } else {
            if (out) out[*count] = list.items[i];
            ++*count;
        }
    }
    return rc;
}

FUNCTION(function_flatten)
{
    int64_t depth = count > 1 ? args[1].integer : 1;
    uint64_t total = 0;
    if (depth < 0) return expr_fail(eval, node, "flatten of a negative depth: %lld", (long long)depth);
    int rc = flatten(eval, node, args[0], depth, NULL, &total);
    if (rc != 0) return rc;
    if (total > UINT32_MAX) return expr_fail_limit(eval, node, "this list is too long");
    struct value *items = expr_alloc(eval, node, total, sizeof(struct value));
    if (!items) return eval->failure;
    uint64_t written = 0;
    if ((rc = flatten(eval, node, args[0], depth, items, &written)) != 0) return rc;
    eval->has_built = true;
    *ret = value_list(items, (uint32_t)total);
    return 0;
}

/* ---- maps ---- */

static int map_side(struct eval *eval, const struct node *node, struct value map, bool keys, struct value *ret)
{
    int rc = expr_cost(eval, node, map.size);
    if (rc != 0) return rc;
    struct value *items = expr_alloc(eval, node, map.size, sizeof(struct value));
    if (!items) return eval->failure;
    const struct value_member *members = value_members(map);
    for (uint32_t i = 0; i < map.size; i++) items[i] = keys ? members[i].key : members[i].value;
    eval->has_built = true;
    *ret = value_list(items, map.size);
    return 0;
}

FUNCTION(function_keys)
{
    (void)count;
    return map_side(eval, node, args[0], true, ret);
}

FUNCTION(function_values)
{
    (void)count;
    return map_side(eval, node, args[0], false, ret);
}

/* Maps one after the other (or a list of maps); a later value for a key replaces an earlier one at its place. */
FUNCTION(function_merge)
{
    const struct value *maps = args;
    uint32_t maps_count = count;
    if (count == 1 && args[0].kind == VALUE_LIST) {
        maps = args[0].items;
        maps_count = args[0].size;
    }
    uint64_t total = 0;
    for (uint32_t i = 0; i < maps_count; i++) {
        if (maps[i].kind != VALUE_MAP) {
            if (count > 1) return expr_fail_call(eval, node, args, count);
            return wrong_item(eval, node, maps[i]);
        }
        total += maps[i].size;
    }
    if (total > UINT32_MAX / 4) return expr_fail_limit(eval, node, "this map is too large");
    int rc = expr_cost(eval, node, 2 * total + maps_count);
    if (rc != 0) return rc;
    size_t slots_count = 4;
    while (slots_count < 2 * total) slots_count *= 2;
    struct value_member *members = expr_alloc(eval, node, total, sizeof(struct value_member));
    if (!members) return eval->failure;
    struct value *keys = expr_alloc(eval, node, total, sizeof(struct value));
    if (!keys) return eval->failure;
    uint32_t *slots = expr_alloc(eval, node, slots_count, sizeof(uint32_t));
    if (!slots) return eval->failure;
    memset(slots, 0, slots_count * sizeof(uint32_t));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < maps_count; i++) {
        const struct value_member *from = value_members(maps[i]);
        for (uint32_t j = 0; j < maps[i].size; j++) {
            uint64_t hash;
            if ((rc = expr_hash(eval, node, from[j].key, &hash)) != 0) return rc;
            uint32_t mask = (uint32_t)(slots_count - 1), at = (uint32_t)(hash >> 32) & mask;
            while (slots[at] != 0 && !value_equal(keys[slots[at] - 1], from[j].key)) {
                if ((rc = expr_cost(eval, node, 1)) != 0) return rc;
                at = (at + 1) & mask;
            }
            if (slots[at] == 0) {
                keys[kept] = from[j].key;
                slots[at] = kept + 1;
                members[kept++].key = from[j].key;
            }
            members[slots[at] - 1].value = from[j].value;
        }
    }
    return expr_make_map(eval, node, members, kept, ret);
}
