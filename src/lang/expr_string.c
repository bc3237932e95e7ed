/*
 * expr_string.c - functions on text. Source: langdef.md and cel-go's ext/strings. Positions count code points.
 */
#include "lang/expr_internal.h"

/* Pays for reading `s` once. */
static int pay(struct eval *eval, const struct node *node, struct orch_str s)
{
    return expr_cost(eval, node, s.size / EXPR_COST_BYTES);
}

static int index_error(struct eval *eval, const struct node *node, int64_t index)
{
    return expr_fail(eval, node, "index out of range: %lld", (long long)index);
}

/* Byte offset of code point `index`; the one after the last is allowed. False when it is beyond. */
static bool byte_offset(struct orch_str s, int64_t index, size_t *ret)
{
    size_t at = 0;
    if (index < 0) return false;
    for (; index > 0; index--) {
        if (at >= s.size) return false;
        (void)utf8_next(s, &at); /* only to move on */
    }
    *ret = at;
    return true;
}

static int64_t code_points(struct orch_str s, size_t bytes)
{
    return (int64_t)utf8_count(str_of(s.data, bytes));
}

FUNCTION(function_size)
{
    (void)count;
    struct value v = args[0];
    if (v.kind == VALUE_STRING) {
        int rc = pay(eval, node, value_str(v));
        if (rc == 0) *ret = value_int((int64_t)utf8_count(value_str(v)));
        return rc;
    }
    *ret = value_int(v.size);
    return 0;
}

FUNCTION(function_contains)
{
    (void)count;
    struct orch_str s = value_str(args[0]);
    int rc = pay(eval, node, s);
    if (rc == 0) *ret = value_bool(str_find(s, value_str(args[1]), 0) != SIZE_MAX);
    return rc;
}

FUNCTION(function_starts_with)
{
    (void)count;
    int rc = pay(eval, node, value_str(args[1]));
    if (rc == 0) *ret = value_bool(str_starts_with(value_str(args[0]), value_str(args[1])));
    return rc;
}

FUNCTION(function_ends_with)
{
    (void)count;
    int rc = pay(eval, node, value_str(args[1]));
    if (rc == 0) *ret = value_bool(str_ends_with(value_str(args[0]), value_str(args[1])));
    return rc;
}

FUNCTION(function_char_at)
{
    (void)count;
    struct orch_str s = value_str(args[0]);
    size_t at;
    int rc = pay(eval, node, s);
    if (rc != 0) return rc;
    if (!byte_offset(s, args[1].integer, &at)) return index_error(eval, node, args[1].integer);
    size_t end = at;
    if (at < s.size) (void)utf8_next(s, &end);
    *ret = value_string(str_of(s.data + at, end - at));
    return 0;
}

FUNCTION(function_index_of)
{
    struct orch_str s = value_str(args[0]);
    size_t from = 0;
    int rc = pay(eval, node, s);
    if (rc != 0) return rc;
    if (count > 2 && !byte_offset(s, args[2].integer, &from)) return index_error(eval, node, args[2].integer);
    size_t found = str_find(s, value_str(args[1]), from);
    *ret = value_int(found == SIZE_MAX ? -1 : code_points(s, found));
    return 0;
}

FUNCTION(function_last_index_of)
{
    struct orch_str s = value_str(args[0]), needle = value_str(args[1]);
    size_t from = s.size;
    int rc = pay(eval, node, s);
    if (rc != 0) return rc;
    if (count > 2 && !byte_offset(s, args[2].integer, &from)) return index_error(eval, node, args[2].integer);
    *ret = value_int(-1);
    if (needle.size > s.size) return 0;
    if (from > s.size - needle.size) from = s.size - needle.size;
    for (size_t at = from + 1; at-- > 0;) {
        if (at % 64 == 0 && (rc = expr_cost(eval, node, 1 + needle.size / 16)) != 0) return rc;
        if (needle.size > 0 && memcmp(s.data + at, needle.data, needle.size) != 0) continue;
        *ret = value_int(code_points(s, at));
        return 0;
    }
    return 0;
}

FUNCTION(function_substring)
{
    struct orch_str s = value_str(args[0]);
    size_t start, end = s.size;
    int rc = pay(eval, node, s);
    if (rc != 0) return rc;
    if (!byte_offset(s, args[1].integer, &start)) return index_error(eval, node, args[1].integer);
    if (count > 2) {
        if (!byte_offset(s, args[2].integer, &end)) return index_error(eval, node, args[2].integer);
        if (start > end)
            return expr_fail(eval, node, "invalid substring range. start: %lld, end: %lld", (long long)args[1].integer,
                             (long long)args[2].integer);
    }
    *ret = value_string(str_of(s.data + start, end - start));
    return 0;
}

static int change_case(struct eval *eval, const struct node *node, struct orch_str s, char from, struct value *ret)
{
    int rc = pay(eval, node, s);
    if (rc != 0) return rc;
    char *out = expr_alloc(eval, node, s.size, 1);
    if (!out) return eval->failure;
    for (size_t i = 0; i < s.size; i++) {
        char c = s.data[i];
        out[i] = c >= from && c < from + 26 ? (char)(c ^ 0x20) : c;
    }
    *ret = value_string(str_of(out, s.size));
    return 0;
}

FUNCTION(function_lower_ascii)
{
    (void)count;
    return change_case(eval, node, value_str(args[0]), 'A', ret);
}

FUNCTION(function_upper_ascii)
{
    (void)count;
    return change_case(eval, node, value_str(args[0]), 'a', ret);
}

/* Unicode's White_Space. */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

FUNCTION(function_trim)
{
    (void)count;
    struct orch_str s = value_str(args[0]);
    int rc = pay(eval, node, s);
    if (rc != 0) return rc;
    size_t start = SIZE_MAX, end = 0;
    for (size_t at = 0; at < s.size;) {
        size_t before = at;
        if (is_space(utf8_next(s, &at))) continue;
        if (start == SIZE_MAX) start = before;
        end = at;
    }
    *ret = start == SIZE_MAX ? value_string(STR("")) : value_string(str_of(s.data + start, end - start));
    return 0;
}

FUNCTION(function_reverse)
{
    (void)count;
    struct orch_str s = value_str(args[0]);
    int rc = pay(eval, node, s);
    if (rc != 0) return rc;
    char *out = expr_alloc(eval, node, s.size, 1);
    if (!out) return eval->failure;
    for (size_t at = 0; at < s.size;) {
        size_t before = at;
        (void)utf8_next(s, &at);
        memcpy(out + s.size - at, s.data + before, at - before);
    }
    *ret = value_string(str_of(out, s.size));
    return 0;
}

/* The next piece of `s` at *at that ends before a separator (or, when that is empty, one code point). */
static bool next_piece(struct orch_str s, struct orch_str separator, size_t *at, struct orch_str *ret)
{
    if (*at > s.size || (separator.size == 0 && *at == s.size)) return false;
    size_t end;
    if (separator.size == 0) {
        end = *at;
        (void)utf8_next(s, &end);
        *ret = str_of(s.data + *at, end - *at);
        *at = end;
        return true;
    }
    end = str_find(s, separator, *at);
    if (end == SIZE_MAX) {
        *ret = str_of(s.data + *at, s.size - *at);
        *at = s.size + 1;
    } else {
        *ret = str_of(s.data + *at, end - *at);
        *at = end + separator.size;
    }
    return true;
}

FUNCTION(function_split)
{
    struct orch_str s = value_str(args[0]), separator = value_str(args[1]), piece;
    int64_t limit = count > 2 ? args[2].integer : -1;
    int rc = pay(eval, node, s);
    if (rc != 0) return rc;
    uint32_t pieces = 0;
    for (size_t at = 0; (limit < 0 || pieces < limit) && next_piece(s, separator, &at, &piece);) pieces++;
    if ((rc = expr_cost(eval, node, pieces)) != 0) return rc;
    struct value *items = expr_alloc(eval, node, pieces, sizeof(struct value));
    if (!items) return eval->failure;
    size_t at = 0;
    for (uint32_t i = 0; i < pieces; i++) {
        size_t start = at;
        (void)next_piece(s, separator, &at, &piece); /* counted above */
        /* The last one allowed takes all that is left. */
        if (limit > 0 && i + 1 == limit) piece = str_of(s.data + start, s.size - start);
        items[i] = value_string(piece);
    }
    eval->has_built = true;
    *ret = value_list(items, pieces);
    return 0;
}

FUNCTION(function_join)
{
    struct orch_str separator = count > 1 ? value_str(args[1]) : STR("");
    struct text text;
    text_init(&text, eval, node);
    int rc = expr_cost(eval, node, args[0].size);
    if (rc != 0) return rc;
    for (uint32_t i = 0; i < args[0].size && text.failure == 0; i++) {
        struct value item = args[0].items[i];
        if (item.kind != VALUE_STRING) {
            rc = expr_fail(eval, node, "no matching overload: join of a list with %s",
                           expr_kind_name((enum value_kind)item.kind));
            expr_hint(eval, "join takes strings: list.map(x, string(x)).join()");
            return rc;
        }
        if (i > 0) text_add(&text, separator);
        text_add(&text, value_str(item));
    }
    return text_take(&text, ret);
}

FUNCTION(function_replace)
{
    struct orch_str s = value_str(args[0]), old = value_str(args[1]), new = value_str(args[2]);
    int64_t limit = count > 3 ? args[3].integer : -1;
    struct text text;
    text_init(&text, eval, node);
    int rc = pay(eval, node, s);
    if (rc != 0) return rc;
    size_t at = 0;
    while (limit != 0 && text.failure == 0) {
        size_t found = at;
        if (old.size > 0) {
            found = str_find(s, old, at);
            if (found == SIZE_MAX) break;
        }
        text_add(&text, str_of(s.data + at, found - at));
        text_add(&text, new);
        at = found + old.size;
        if (limit > 0) limit--;
        if (old.size == 0) {
            /* An empty text stands before each code point and at the end. */
            if (at >= s.size) break;
            size_t end = at;
            (void)utf8_next(s, &end);
            text_add(&text, str_of(s.data + at, end - at));
            at = end;
        }
    }
    text_add(&text, str_of(s.data + at, s.size - at));
    return text_take(&text, ret);
}

FUNCTION(function_quote)
{
    (void)count;
    static const char meanings[] = "\a\b\f\n\r\t\v\\\"", letters[] = "abfnrtv\\\"";
    struct orch_str s = value_str(args[0]);
    struct text text;
    text_init(&text, eval, node);
    text_add_char(&text, '"');
    for (size_t at = 0; at < s.size && text.failure == 0;) {
        uint32_t c = utf8_next(s, &at);
        const char *found = c > 0 && c < 128 ? strchr(meanings, (int)c) : NULL;
        if (found) {
            text_add_char(&text, '\\');
            text_add_char(&text, letters[found - meanings]);
        } else {
            text_add_code_point(&text, c);
        }
    }
    text_add_char(&text, '"');
    return text_take(&text, ret);
}
