/*
 * expr_convert.c - from one type to another: int() uint() double() string() bytes() bool() type() dyn().
 */
#include "lang/expr_internal.h"

#include <math.h>

#define SHOWN(s) (int)((s).size > 60 ? 60 : (s).size), (s).data

static int malformed(struct eval *eval, const struct node *node, struct value v)
{
    struct orch_str s = value_str(v);
    return expr_fail(eval, node, "type conversion error: '%.*s' is no %s", SHOWN(s), node->call.function->name);
}

static int out_of_range(struct eval *eval, const struct node *node)
{
    return expr_fail(eval, node, "range error: the number does not fit into %s", node->call.function->name);
}

FUNCTION(function_int)
{
    (void)count;
    struct value v = args[0];
    int64_t i;
    switch ((enum value_kind)v.kind) {
    case VALUE_INT: *ret = v; return 0;
    case VALUE_UINT:
        if (v.uinteger > INT64_MAX) return out_of_range(eval, node);
        *ret = value_int((int64_t)v.uinteger);
        return 0;
    case VALUE_DOUBLE:
    case VALUE_NUMBER: {
        /* As cel-go: -2^63 counts as outside too, since it may have been rounded to. NaN fails both tests. */
        double d = expr_to_double(v);
        if (!(d > -9223372036854775808.0 && d < 9223372036854775808.0)) return out_of_range(eval, node);
        *ret = value_int((int64_t)d);
        return 0;
    }
    case VALUE_STRING:
        if (!str_to_int64(value_str(v), &i)) return malformed(eval, node, v);
        *ret = value_int(i);
        return 0;
    case VALUE_TIMESTAMP: *ret = value_int(v.seconds); return 0;
    default: return expr_fail_call(eval, node, args, 1);
    }
}

FUNCTION(function_uint)
{
    (void)count;
    struct value v = args[0];
    uint64_t u;
    switch ((enum value_kind)v.kind) {
    case VALUE_UINT: *ret = v; return 0;
    case VALUE_INT:
        if (v.integer < 0) return out_of_range(eval, node);
        *ret = value_uint((uint64_t)v.integer);
        return 0;
    case VALUE_DOUBLE:
    case VALUE_NUMBER: {
        double d = expr_to_double(v);
        if (!(d >= 0 && d < 18446744073709551616.0)) return out_of_range(eval, node);
        *ret = value_uint((uint64_t)d);
        return 0;
    }
    case VALUE_STRING:
        if (!str_to_uint64(value_str(v), &u)) return malformed(eval, node, v);
        *ret = value_uint(u);
        return 0;
    default: return expr_fail_call(eval, node, args, 1);
    }
}

static bool equal_ignoring_case(struct orch_str s, const char *lower)
{
    size_t i = 0;
    for (; i < s.size && lower[i]; i++) {
        char c = s.data[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c + 32);
        if (c != lower[i]) return false;
    }
    return i == s.size && !lower[i];
}

static bool parse_double(struct orch_str s, double *ret)
{
    struct orch_str digits = s;
    bool negative = false;
    if (digits.size > 0 && (digits.data[0] == '+' || digits.data[0] == '-')) {
        negative = digits.data[0] == '-';
        digits = str_of(digits.data + 1, digits.size - 1);
    }
    if (digits.size == 0) return false;
    if (equal_ignoring_case(digits, "inf") || equal_ignoring_case(digits, "infinity"))
        *ret = INFINITY;
    else if (equal_ignoring_case(digits, "nan"))
        *ret = NAN;
    else if (digits.data[0] == '+' || digits.data[0] == '-' || !str_to_double(digits, ret))
        return false;
    if (negative) *ret = -*ret;
    return true;
}

FUNCTION(function_double)
{
    (void)count;
    struct value v = args[0];
    double d;
    switch ((enum value_kind)v.kind) {
    case VALUE_DOUBLE: *ret = v; return 0;
    case VALUE_INT:
    case VALUE_UINT:
    case VALUE_NUMBER: *ret = value_double(expr_to_double(v)); return 0;
    case VALUE_STRING:
        if (!parse_double(value_str(v), &d)) return malformed(eval, node, v);
        *ret = value_double(d);
        return 0;
    default: return expr_fail_call(eval, node, args, 1);
    }
}

FUNCTION(function_string)
{
    (void)count;
    struct value v = args[0];
    if (v.kind == VALUE_STRING) {
        *ret = v;
        return 0;
    }
    if (v.kind == VALUE_BYTES) {
        int rc = expr_cost(eval, node, v.size / EXPR_COST_BYTES);
        if (rc != 0) return rc;
        if (!utf8_is_valid(value_str(v), NULL))
            return expr_fail(eval, node, "invalid UTF-8 in bytes, cannot convert to string");
        *ret = value_string(value_str(v));
        return 0;
    }
    struct text text;
    text_init(&text, eval, node);
    expr_text_scalar(&text, v);
    return text_take(&text, ret);
}

FUNCTION(function_bytes)
{
    (void)eval;
    (void)node;
    (void)count;
    *ret = value_string(value_str(args[0]));
    ret->kind = VALUE_BYTES;
    return 0;
}

FUNCTION(function_bool)
{
    (void)count;
    /* The spellings of Go's strconv.ParseBool, which the conformance tests ask for. */
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    struct value v = args[0];
    if (v.kind == VALUE_BOOL) {
        *ret = v;
        return 0;
    }
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        bool is_yes = str_is(value_str(v), yes[i]);
        if (!is_yes && !str_is(value_str(v), no[i])) continue;
        *ret = value_bool(is_yes);
        return 0;
    }
    return malformed(eval, node, v);
}

FUNCTION(function_type)
{
    (void)eval;
    (void)node;
    (void)count;
    *ret = expr_type_value((enum value_kind)args[0].kind);
    return 0;
}

FUNCTION(function_dyn)
{
    (void)eval;
    (void)node;
    (void)count;
    *ret = args[0];
    return 0;
}
