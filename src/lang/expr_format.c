/*
 * expr_format.c - "%s took %.1f s".format([name, seconds]). Source: cel-go's ext/strings, its conformance tests.
 */
#include "lang/expr_internal.h"

#include <math.h>

#define PRECISION_MAX 1000

static int bad_argument(struct eval *eval, const struct node *node, const char *what, struct value v)
{
    struct orch_str type = value_str(expr_type_value((enum value_kind)v.kind));
    return expr_fail(eval, node, "error during formatting: %s, was given %.*s", what, STR_ARG(type));
}

/* ---- %s ---- */

static int add_value(struct text *text, struct value v);

static int add_list(struct text *text, struct value v)
{
    text_add_char(text, '[');
    for (uint32_t i = 0; i < v.size; i++) {
        if (i > 0) text_add(text, STR(", "));
        int rc = add_value(text, v.items[i]);
        if (rc != 0) return rc;
    }
    text_add_char(text, ']');
    return text->failure;
}

struct entry {
    struct orch_str key;
    struct value value;
};

/* Merge sort of entries by key: bounded stack, no worst case. `spare` is as large as `entries`. */
static void sort_entries(struct entry *entries, struct entry *spare, uint32_t count)
{
    if (count < 2) return;
    uint32_t half = count / 2, a = 0, b = half;
    sort_entries(entries, spare, half);
    sort_entries(entries + half, spare, count - half);
    for (uint32_t i = 0; i < count; i++) {
        bool first = b >= count || (a < half && str_compare(entries[a].key, entries[b].key) <= 0);
        spare[i] = first ? entries[a++] : entries[b++];
    }
    memcpy(entries, spare, count * sizeof(entries[0]));
}

/* Members in the order of their keys as text, so that equal maps give equal texts. */
static int add_map(struct text *text, struct value v)
{
    struct entry *entries = expr_alloc(text->eval, text->node, v.size, 2 * sizeof(struct entry));
    if (!entries) return text->eval->failure;
    const struct value_member *members = value_members(v);
    int rc = expr_cost(text->eval, text->node, 8 * (uint64_t)v.size);
    for (uint32_t i = 0; i < v.size && rc == 0; i++) {
        struct text key;
        struct value key_value;
        text_init(&key, text->eval, text->node);
        expr_text_scalar(&key, members[i].key);
        rc = text_take(&key, &key_value);
        if (rc == 0) entries[i] = (struct entry){value_str(key_value), members[i].value};
    }
    if (rc != 0) return rc;
    sort_entries(entries, entries + v.size, v.size);
    text_add_char(text, '{');
    for (uint32_t i = 0; i < v.size; i++) {
        if (i > 0) text_add(text, STR(", "));
        text_add(text, entries[i].key);
        text_add(text, STR(": "));
        if ((rc = add_value(text, entries[i].value)) != 0) return rc;
    }
    text_add_char(text, '}');
    return text->failure;
}

static int add_value(struct text *text, struct value v)
{
    int rc = expr_cost(text->eval, text->node, 1);
    if (rc != 0) return rc;
    if (v.kind == VALUE_LIST) return add_list(text, v);
    if (v.kind == VALUE_MAP) return add_map(text, v);
    if (v.kind == VALUE_BYTES && !utf8_is_valid(value_str(v), NULL)) {
        struct orch_str s = value_str(v);
        for (size_t at = 0; at < s.size && text->failure == 0;) text_add_code_point(text, utf8_next(s, &at));
        return text->failure;
    }
    expr_text_scalar(text, v);
    return text->failure;
}

/* ---- numbers ---- */

/* NaN and the infinities have their names in every clause. */
static bool add_special(struct text *text, struct value v)
{
    if (v.kind != VALUE_DOUBLE || v.real - v.real == 0) return false;
    expr_text_scalar(text, v);
    return true;
}

static int add_decimal(struct text *text, struct value v)
{
    if (add_special(text, v)) return text->failure;
    if (v.kind != VALUE_INT && v.kind != VALUE_UINT)
        return bad_argument(text->eval, text->node, "decimal clause can only be used on integers", v);
    expr_text_scalar(text, v);
    return text->failure;
}

/* %f and %e, from C's conversion: exact, and rounded half to even on the exact value, as Go does. */
static int add_real(struct text *text, struct value v, int precision, bool scientific)
{
    if (add_special(text, v)) return text->failure;
    if (!(K_NUMBERS >> v.kind & 1))
        return bad_argument(text->eval, text->node,
                            scientific ? "scientific clause can only be used on doubles"
                                       : "fixed-point clause can only be used on doubles",
                            v);
    char out[400 + PRECISION_MAX];
    int size = scientific ? snprintf(out, sizeof(out), "%.*e", precision, expr_to_double(v))
                          : snprintf(out, sizeof(out), "%.*f", precision, expr_to_double(v));
    /* The point is the only character that a locale could have changed. */
    for (int i = 0; i < size; i++) {
        char c = out[i];
        if (!(c >= '0' && c <= '9') && c != '-' && c != '+' && c != 'e') out[i] = '.';
    }
    text_add(text, str_of(out, (size_t)size));
    return text->failure;
}

static void add_digits(struct text *text, struct value v, unsigned base, bool upper)
{
    char out[66];
    size_t at = sizeof(out);
    bool negative = v.kind == VALUE_INT && v.integer < 0;
    uint64_t n = v.kind == VALUE_BOOL ? v.boolean : negative ? 0 - (uint64_t)v.integer : v.uinteger;
    do {
        out[--at] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[n % base];
        n /= base;
    } while (n > 0);
    if (negative) out[--at] = '-';
    text_add(text, str_of(out + at, sizeof(out) - at));
}

static int add_binary(struct text *text, struct value v)
{
    if (v.kind != VALUE_INT && v.kind != VALUE_UINT && v.kind != VALUE_BOOL)
        return bad_argument(text->eval, text->node, "only integers and bools can be formatted as binary", v);
    add_digits(text, v, 2, false);
    return text->failure;
}

static int add_octal(struct text *text, struct value v)
{
    if (v.kind != VALUE_INT && v.kind != VALUE_UINT)
        return bad_argument(text->eval, text->node, "octal clause can only be used on integers", v);
    add_digits(text, v, 8, false);
    return text->failure;
}

static int add_hex(struct text *text, struct value v, bool upper)
{
    if (v.kind == VALUE_INT || v.kind == VALUE_UINT) {
        add_digits(text, v, 16, upper);
        return text->failure;
    }
    if (v.kind != VALUE_STRING && v.kind != VALUE_BYTES)
        return bad_argument(text->eval, text->node, "only integers, byte buffers, and strings can be formatted as hex",
                            v);
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    for (uint32_t i = 0; i < v.size && text->failure == 0; i++) {
        unsigned char c = (unsigned char)v.text[i];
        text_add(text, str_of((char[2]){digits[c >> 4], digits[c & 15]}, 2));
    }
    return text->failure;
}

/* ---- clauses ---- */

/* One clause, after its '%'; moves *at past it. */
static int add_clause(struct text *text, struct orch_str format, size_t *at, struct value args, uint32_t *index)
{
    struct eval *eval = text->eval;
    const struct node *node = text->node;
    int precision = 6;
    if (*at < format.size && format.data[*at] == '.') {
        precision = 0;
        size_t digits = ++*at;
        for (; *at < format.size && format.data[*at] >= '0' && format.data[*at] <= '9'; ++*at) {
            precision = precision * 10 + (format.data[*at] - '0');
            if (precision > PRECISION_MAX)
                return expr_fail(eval, node, "could not parse formatting clause: a precision above %d", PRECISION_MAX);
        }
        if (*at == digits) return expr_fail(eval, node, "could not parse formatting clause: no precision after '.'");
    }
    if (*at >= format.size)
        return expr_fail(eval, node, "could not parse formatting clause: unexpected end of the string");
    size_t start = *at;
    (void)utf8_next(format, at); /* the letter is shown whole */
    char letter = format.data[start];
    if (!strchr("sdfebxXo", letter) || letter == '\0') {
        int rc = expr_fail(eval, node, "could not parse formatting clause: unrecognized formatting clause \"%.*s\"",
                           (int)(*at - start), format.data + start);
        expr_hint(eval, "there are %%s %%d %%f %%e %%b %%o %%x %%X and %%%%");
        return rc;
    }
    if (*index >= args.size) return expr_fail(eval, node, "index %u out of range", *index);
    struct value v = args.items[(*index)++];
    switch (letter) {
    case 'd': return add_decimal(text, v);
    case 'f': return add_real(text, v, precision, false);
    case 'e': return add_real(text, v, precision, true);
    case 'b': return add_binary(text, v);
    case 'o': return add_octal(text, v);
    case 'x': return add_hex(text, v, false);
    case 'X': return add_hex(text, v, true);
    default: return add_value(text, v);
    }
}

FUNCTION(function_format)
{
    (void)count;
    struct orch_str format = value_str(args[0]);
    struct text text;
    uint32_t index = 0;
    text_init(&text, eval, node);
    for (size_t at = 0; at < format.size && text.failure == 0;) {
        const char *percent = memchr(format.data + at, '%', format.size - at);
        size_t end = percent ? (size_t)(percent - format.data) : format.size;
        text_add(&text, str_of(format.data + at, end - at));
        if (!percent) break;
        at = end + 1;
        if (at < format.size && format.data[at] == '%') {
            text_add_char(&text, '%');
            at++;
            continue;
        }
        int rc = add_clause(&text, format, &at, args[1], &index);
        if (rc != 0) return rc;
    }
    return text_take(&text, ret);
}
