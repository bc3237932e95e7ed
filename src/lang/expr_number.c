/*
 * expr_number.c - operators: arithmetic, order, equality, membership.
 *
 * CEL converts nothing silently in arithmetic (int + double has no overload), but compares numbers of any
 * kinds by their value, int and uint exactly, a double with the other two as doubles. A JSON number that only its text
 * holds counts as a double in arithmetic and compares exactly.
 */
#include "lang/expr_internal.h"

#include <math.h>

static const char *const operator_texts[] = {
    [OPERATOR_ADD] = "+",         [OPERATOR_SUBTRACT] = "-", [OPERATOR_MULTIPLY] = "*",       [OPERATOR_DIVIDE] = "/",
    [OPERATOR_MODULO] = "%",      [OPERATOR_EQUAL] = "==",   [OPERATOR_NOT_EQUAL] = "!=",     [OPERATOR_LESS] = "<",
    [OPERATOR_LESS_EQUAL] = "<=", [OPERATOR_GREATER] = ">",  [OPERATOR_GREATER_EQUAL] = ">=", [OPERATOR_IN] = "in",
};

const char *expr_operator_text(enum operator op)
{
    return operator_texts[op];
}

double expr_to_double(struct value v)
{
    double d = 0;
    switch (v.kind) {
    case VALUE_INT: return (double)v.integer;
    case VALUE_UINT: return (double)v.uinteger;
    case VALUE_DOUBLE: return v.real;
    case VALUE_NUMBER: return str_to_double(value_str(v), &d) ? d : NAN;
    default: return NAN;
    }
}

/* ---- numbers of different kinds ---- */

static int compare_doubles(double a, double b)
{
    return a < b ? -1 : a > b ? 1 : a == b ? 0 : 2;
}

/*
 * A whole number against a double: where the double is within the whole numbers' range, both as doubles. That is lossy
 * beyond 2^53, and what the conformance tests ask for (not_lt_dyn_int_big_lossy_double).
 */
static int compare_whole_double(struct value whole, double d)
{
    double least = whole.kind == VALUE_INT ? -9223372036854775808.0 : 0;
    double most = whole.kind == VALUE_INT ? 9223372036854775808.0 : 18446744073709551616.0;
    if (d < least) return 1;
    if (d > most) return -1;
    return compare_doubles(expr_to_double(whole), d);
}

int expr_compare(struct value a, struct value b)
{
    bool a_whole = a.kind == VALUE_INT || a.kind == VALUE_UINT, b_whole = b.kind == VALUE_INT || b.kind == VALUE_UINT;
    if (a_whole && b.kind == VALUE_DOUBLE) return compare_whole_double(a, b.real);
    if (a.kind == VALUE_DOUBLE && b_whole) {
        int c = compare_whole_double(b, a.real);
        return c == 2 ? 2 : -c;
    }
    return value_compare(a, b);
}

/* ---- what fits, for the check ---- */

/* All kinds of one letter: a value of these can be ordered against each other. */
static const uint16_t ordered[] = {K_NUMBERS, K(STRING), K(BYTES), K(BOOL), K(TIMESTAMP), K(DURATION)};

static uint16_t arithmetic_kinds(enum operator op, uint16_t a, uint16_t b)
{
    uint16_t same = a & b, result = same & (K(INT) | K(UINT));
    if (op == OPERATOR_MODULO) return result;
    if ((a & K_DOUBLE) && (b & K_DOUBLE)) result |= K(DOUBLE);
    if (op == OPERATOR_ADD) {
        result |= same & (K(STRING) | K(BYTES) | K(LIST) | K(DURATION));
        if ((a & K(TIMESTAMP) && b & K(DURATION)) || (a & K(DURATION) && b & K(TIMESTAMP))) result |= K(TIMESTAMP);
    } else if (op == OPERATOR_SUBTRACT) {
        result |= same & K(DURATION);
        if (same & K(TIMESTAMP)) result |= K(DURATION);
        if (a & K(TIMESTAMP) && b & K(DURATION)) result |= K(TIMESTAMP);
    }
    return result;
}

uint16_t expr_operator_kinds(enum operator op, uint16_t a, uint16_t b)
{
    switch (op) {
    case OPERATOR_ADD:
    case OPERATOR_SUBTRACT:
    case OPERATOR_MULTIPLY:
    case OPERATOR_DIVIDE:
    case OPERATOR_MODULO: return arithmetic_kinds(op, a, b);
    case OPERATOR_EQUAL:
    case OPERATOR_NOT_EQUAL: return K(BOOL);
    case OPERATOR_IN: return b & (K(LIST) | K(MAP)) ? K(BOOL) : 0;
    case OPERATOR_LESS:
    case OPERATOR_LESS_EQUAL:
    case OPERATOR_GREATER:
    case OPERATOR_GREATER_EQUAL:
        for (size_t i = 0; i < sizeof(ordered) / sizeof(ordered[0]); i++) {
            if (a & ordered[i] && b & ordered[i]) return K(BOOL);
        }
        return 0;
    }
    return 0;
}

/* ---- arithmetic ---- */

static int overflow(struct eval *eval, const struct node *node)
{
    return expr_fail(eval, node, "return error for overflow: integer overflow");
}

static int divide_by_zero(struct eval *eval, const struct node *node)
{
    return node->op == OPERATOR_MODULO ? expr_fail(eval, node, "modulus by zero")
                                       : expr_fail(eval, node, "divide by zero");
}

static int int_arithmetic(struct eval *eval, const struct node *node, int64_t a, int64_t b, struct value *ret)
{
    int64_t result = 0;
    bool failed = false;
    switch ((enum operator)node->op) {
    case OPERATOR_ADD: failed = __builtin_add_overflow(a, b, &result); break;
    case OPERATOR_SUBTRACT: failed = __builtin_sub_overflow(a, b, &result); break;
    case OPERATOR_MULTIPLY: failed = __builtin_mul_overflow(a, b, &result); break;
    case OPERATOR_DIVIDE:
    case OPERATOR_MODULO:
        if (b == 0) return divide_by_zero(eval, node);
        failed = a == INT64_MIN && b == -1;
        if (!failed) result = node->op == OPERATOR_DIVIDE ? a / b : a % b;
        break;
    default: return expr_fail(eval, node, "internal error");
    }
    if (failed) return overflow(eval, node);
    *ret = value_int(result);
    return 0;
}

static int uint_arithmetic(struct eval *eval, const struct node *node, uint64_t a, uint64_t b, struct value *ret)
{
    uint64_t result = 0;
    bool failed = false;
    switch ((enum operator)node->op) {
    case OPERATOR_ADD: failed = __builtin_add_overflow(a, b, &result); break;
    case OPERATOR_SUBTRACT: failed = __builtin_sub_overflow(a, b, &result); break;
    case OPERATOR_MULTIPLY: failed = __builtin_mul_overflow(a, b, &result); break;
    case OPERATOR_DIVIDE:
    case OPERATOR_MODULO:
        if (b == 0) return divide_by_zero(eval, node);
        result = node->op == OPERATOR_DIVIDE ? a / b : a % b;
        break;
    default: return expr_fail(eval, node, "internal error");
    }
    if (failed) return overflow(eval, node);
    *ret = value_uint(result);
    return 0;
}

static int double_arithmetic(struct eval *eval, const struct node *node, struct value a, struct value b,
                             struct value *ret)
{
    double x = expr_to_double(a), y = expr_to_double(b);
    switch ((enum operator)node->op) {
    case OPERATOR_ADD: *ret = value_double(x + y); return 0;
    case OPERATOR_SUBTRACT: *ret = value_double(x - y); return 0;
    case OPERATOR_MULTIPLY: *ret = value_double(x * y); return 0;
    case OPERATOR_DIVIDE: *ret = value_double(x / y); return 0; /* IEEE 754: 1.0 / 0.0 is infinity */
    default: return expr_fail_operator(eval, node, operator_texts[node->op], a, b);
    }
}

static int concatenate(struct eval *eval, const struct node *node, struct value a, struct value b, struct value *ret)
{
    uint32_t size;
    int rc;
    if (__builtin_add_overflow(a.size, b.size, &size))
        return expr_fail_limit(eval, node, "this list or text is too long");
    if (a.size == 0 || b.size == 0) {
        *ret = a.size == 0 ? b : a;
        return 0;
    }
    if (a.kind == VALUE_LIST) {
        if ((rc = expr_cost(eval, node, size)) != 0) return rc;
        struct value *items = expr_alloc(eval, node, size, sizeof(struct value));
        if (!items) return eval->failure;
        memcpy(items, a.items, a.size * sizeof(struct value));
        memcpy(items + a.size, b.items, b.size * sizeof(struct value));
        eval->has_built = true;
        *ret = value_list(items, size);
        return 0;
    }
    if ((rc = expr_cost(eval, node, size / EXPR_COST_BYTES)) != 0) return rc;
    char *data = expr_alloc(eval, node, size, 1);
    if (!data) return eval->failure;
    memcpy(data, a.text, a.size);
    memcpy(data + a.size, b.text, b.size);
    uint8_t kind = a.kind;
    *ret = value_string(str_of(data, size));
    ret->kind = kind;
    return 0;
}

static int arithmetic(struct eval *eval, const struct node *node, struct value a, struct value b, struct value *ret)
{
    bool is_add = node->op == OPERATOR_ADD, is_subtract = node->op == OPERATOR_SUBTRACT;
    if (a.kind == VALUE_INT && b.kind == VALUE_INT) return int_arithmetic(eval, node, a.integer, b.integer, ret);
    if (a.kind == VALUE_UINT && b.kind == VALUE_UINT) return uint_arithmetic(eval, node, a.uinteger, b.uinteger, ret);
    if ((K_DOUBLE >> a.kind & 1) && (K_DOUBLE >> b.kind & 1)) return double_arithmetic(eval, node, a, b, ret);
    if (is_add && a.kind == b.kind && ((K(STRING) | K(BYTES) | K(LIST)) >> a.kind & 1))
        return concatenate(eval, node, a, b, ret);
    if (is_add || is_subtract) {
        bool done;
        int rc = expr_time_add(eval, node, a, b, is_subtract, ret, &done);
        if (done) return rc;
    }
    return expr_fail_operator(eval, node, operator_texts[node->op], a, b);
}

int expr_negate(struct eval *eval, const struct node *node, struct value a, struct value *ret)
{
    if (a.kind == VALUE_INT) {
        if (a.integer == INT64_MIN) return overflow(eval, node);
        *ret = value_int(-a.integer);
        return 0;
    }
    if (K_DOUBLE >> a.kind & 1) {
        *ret = value_double(-expr_to_double(a));
        return 0;
    }
    return expr_fail(eval, node, "no matching overload: -%s", expr_kind_name((enum value_kind)a.kind));
}

/* ---- order, equality, membership ---- */

static int order(struct eval *eval, const struct node *node, struct value a, struct value b, struct value *ret)
{
    int c;
    if (a.kind == VALUE_INT && b.kind == VALUE_INT) {
        c = (a.integer > b.integer) - (a.integer < b.integer);
    } else {
        if (a.kind == VALUE_STRING || a.kind == VALUE_BYTES) {
            int rc = expr_cost(eval, node, (a.size < b.size ? a.size : b.size) / EXPR_COST_BYTES);
            if (rc != 0) return rc;
        }
        c = expr_compare(a, b);
    }
    if (c == 2) {
        if (!expr_is_number(a) || !expr_is_number(b))
            return expr_fail_operator(eval, node, operator_texts[node->op], a, b);
        *ret = value_bool(false); /* NaN */
        return 0;
    }
    switch ((enum operator)node->op) {
    case OPERATOR_LESS: *ret = value_bool(c < 0); return 0;
    case OPERATOR_LESS_EQUAL: *ret = value_bool(c <= 0); return 0;
    case OPERATOR_GREATER: *ret = value_bool(c > 0); return 0;
    default: *ret = value_bool(c >= 0); return 0;
    }
}

static int is_in(struct eval *eval, const struct node *node, struct value item, struct value container,
                 struct value *ret)
{
    bool found = false;
    int rc;
    if (container.kind == VALUE_MAP) {
        found = value_get_key(container, item) != NULL;
    } else if (container.kind == VALUE_LIST) {
        for (uint32_t i = 0; i < container.size && !found; i++) {
            if ((rc = expr_cost(eval, node, 1)) != 0) return rc;
            if ((rc = expr_equal(eval, node, item, container.items[i], &found)) != 0) return rc;
        }
    } else {
        rc = expr_fail_operator(eval, node, "in", item, container);
        if (container.kind == VALUE_STRING) expr_hint(eval, "for a part of a text, write text.contains(part)");
        return rc;
    }
    *ret = value_bool(found);
    return 0;
}

int expr_binary(struct eval *eval, const struct node *node, struct value a, struct value b, struct value *ret)
{
    switch ((enum operator)node->op) {
    case OPERATOR_ADD:
    case OPERATOR_SUBTRACT:
    case OPERATOR_MULTIPLY:
    case OPERATOR_DIVIDE:
    case OPERATOR_MODULO: return arithmetic(eval, node, a, b, ret);
    case OPERATOR_EQUAL:
    case OPERATOR_NOT_EQUAL: {
        bool equal;
        int rc = expr_equal(eval, node, a, b, &equal);
        if (rc == 0) *ret = value_bool(equal == (node->op == OPERATOR_EQUAL));
        return rc;
    }
    case OPERATOR_LESS:
    case OPERATOR_LESS_EQUAL:
    case OPERATOR_GREATER:
    case OPERATOR_GREATER_EQUAL: return order(eval, node, a, b, ret);
    case OPERATOR_IN: return is_in(eval, node, a, b, ret);
    }
    return expr_fail(eval, node, "internal error");
}
