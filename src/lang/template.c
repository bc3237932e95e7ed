/*
 * template.c - text and values with {{ expressions }} in them.
 */
#include "lang/template.h"

#include <stdio.h>

#include "base/error.h"

/* Deeper values come only from bugs: definitions are read with a bound of 64. */
#define TEMPLATE_DEPTH_MAX 200
#define TEMPLATE_PARTS_MAX 10000

bool template_is_in(struct orch_str text)
{
    return str_find(text, STR("{{"), 0) != SIZE_MAX;
}

/* ---- where a placeholder ends ---- */

/* Past the string literal at `at`, or the end of the text when it is not closed. */
static size_t skip_string(struct orch_str s, size_t at)
{
    char quote = s.data[at];
    bool is_raw = false;
    for (size_t i = at; i > 0 && at - i < 2; i--) {
        char before = s.data[i - 1];
        if (before == 'r' || before == 'R')
            is_raw = true;
        else if (before != 'b' && before != 'B')
            break;
    }
    bool triple = at + 2 < s.size && s.data[at + 1] == quote && s.data[at + 2] == quote;
    for (size_t i = at + (triple ? 3 : 1); i < s.size; i++) {
        if (s.data[i] == '\\' && !is_raw) {
            i++;
        } else if (s.data[i] == quote) {
            if (!triple) return i + 1;
            if (i + 2 < s.size && s.data[i + 1] == quote && s.data[i + 2] == quote) return i + 3;
        }
    }
    return s.size;
}

/* Offset of the "}}" that closes a placeholder whose expression begins at `at`; SIZE_MAX when there is none. */
static size_t find_close(struct orch_str s, size_t at)
{
    size_t depth = 0;
    while (at < s.size) {
        char c = s.data[at];
        if (c == '"' || c == '\'') {
            at = skip_string(s, at);
            continue;
        }
        if (c == '{') depth++;
        if (c == '}') {
            if (depth == 0 && at + 1 < s.size && s.data[at + 1] == '}') return at;
            if (depth > 0) depth--;
        }
        at++;
    }
    return SIZE_MAX;
}

/* ---- compiling ---- */

static int compile_placeholder(struct orch_str text, size_t open, size_t close, const struct expr_limits *limits,
                               struct arena *arena, struct template_part *ret, struct orch_error *err)
{
    size_t start = open + 2, end = close;
    while (start < end && strchr(" \t\r\n", text.data[start])) start++;
    while (end > start && strchr(" \t\r\n", text.data[end - 1])) end--;
    uint32_t column = (uint32_t)utf8_count(str_of(text.data, start)) + 1;
    struct template_part part = {.column = column};
    if (start == end) {
        error_set(err, ORCH_ERR_INVALID, "this placeholder is empty");
        if (err) err->column = (uint32_t)utf8_count(str_of(text.data, open)) + 1;
        return ORCH_ERR_INVALID;
    }
    int rc = expr_compile(str_of(text.data + start, end - start), limits, arena, &part.expr, err);
    if (rc == 0)
        *ret = part;
    else if (err && err->column > 0)
        err->column += column - 1;
    return rc;
}

static int not_closed(struct orch_str text, size_t open, const struct expr_limits *limits, struct arena *arena,
                      struct orch_error *err)
{
    /* Often a quote is missing and swallows the end: then the expression's own error says more. */
    size_t close = str_find(text, STR("}}"), open + 2);
    struct template_part part;
    if (close != SIZE_MAX) {
        int rc = compile_placeholder(text, open, close, limits, arena, &part, err);
        if (rc != 0) return rc;
    }
    error_set(err, ORCH_ERR_INVALID, "placeholder is not closed");
    error_hint(err, "end it with }}, or write a literal {{ as {{ \"{{\" }}");
    if (err) err->column = (uint32_t)utf8_count(str_of(text.data, open)) + 1;
    return ORCH_ERR_INVALID;
}

int template_compile_text(struct orch_str text, const struct expr_limits *limits, struct arena *arena,
                          struct template *ret, struct orch_error *err)
{
    uint32_t count = 0, capacity = 0;
    struct template_part *parts = NULL;
    for (size_t at = 0; at < text.size;) {
        size_t open = str_find(text, STR("{{"), at);
        if (open == SIZE_MAX) open = text.size;
        struct template_part found[2];
        uint32_t found_count = 0;
        int rc = 0;
        if (open > at) {
            struct orch_str literal = arena_str(arena, str_of(text.data + at, open - at));
            if (!literal.data) return error_memory(err);
            found[found_count++] = (struct template_part){.text = literal};
        }
        at = open;
        if (open < text.size) {
            size_t close = find_close(text, open + 2);
            if (close == SIZE_MAX) return not_closed(text, open, limits, arena, err);
            rc = compile_placeholder(text, open, close, limits, arena, &found[found_count++], err);
            if (rc != 0) return rc;
            at = close + 2;
        }
        if (count + found_count > TEMPLATE_PARTS_MAX)
            return error_set(err, ORCH_ERR_LIMIT, "this text has more than %d placeholders", TEMPLATE_PARTS_MAX / 2);
        if (count + found_count > capacity) {
            capacity = capacity ? capacity * 2 : 4;
            struct template_part *more = ARENA_ARRAY(arena, capacity, struct template_part);
            if (!more) return error_memory(err);
            if (count > 0) memcpy(more, parts, count * sizeof(parts[0]));
            parts = more;
        }
        memcpy(parts + count, found, found_count * sizeof(found[0]));
        count += found_count;
    }
    if (count == 1 && parts[0].expr) {
        *ret = (struct template){.kind = TEMPLATE_EXPR, .expr = parts[0]};
        return 0;
    }
    if (count == 0 || (count == 1 && !parts[0].expr)) {
        *ret = (struct template){.kind = TEMPLATE_VALUE, .value = value_string(count ? parts[0].text : STR(""))};
        return 0;
    }
    *ret = (struct template){.kind = TEMPLATE_TEXT, .count = count, .parts = parts};
    return 0;
}

/* Puts "in a.b[2]: " before the message, from the inside out. */
static int in_key(struct orch_error *err, int rc, struct orch_str key)
{
    if (!err || rc == ORCH_ERR_NO_MEMORY) return rc;
    char path[160];
    int shown = (int)(key.size > 60 ? 60 : key.size);
    bool is_path = str_starts_with(str_from(err->message), STR("in ")) && strchr(err->message, ':');
    snprintf(path, sizeof(path), "in %.*s", shown, key.data);
    if (is_path) {
        /* An inner place: "in b: ..." becomes "in a.b: ...", "in [2]: ..." becomes "in a[2]: ...". */
        char inner[sizeof(err->message)];
        snprintf(inner, sizeof(inner), "%s", err->message + 3);
        snprintf(err->message, sizeof(err->message), "%s%s%.300s", path, inner[0] == '[' ? "" : ".", inner);
    } else {
        error_context(err, "%s", path);
    }
    return rc;
}

static int in_item(struct orch_error *err, int rc, uint32_t index)
{
    char key[16];
    int size = snprintf(key, sizeof(key), "[%u]", index);
    return in_key(err, rc, str_of(key, (size_t)size));
}

static int compile_value(struct value value, const struct expr_limits *limits, struct arena *arena, uint32_t depth,
                         struct template *ret, struct orch_error *err);

static int compile_list(struct value value, const struct expr_limits *limits, struct arena *arena, uint32_t depth,
                        struct template *ret, struct orch_error *err)
{
    struct template *items = ARENA_ARRAY(arena, value.size, struct template);
    if (!items) return error_memory(err);
    bool is_plain = true;
    for (uint32_t i = 0; i < value.size; i++) {
        int rc = compile_value(value.items[i], limits, arena, depth + 1, &items[i], err);
        if (rc != 0) return in_item(err, rc, i);
        if (items[i].kind != TEMPLATE_VALUE) is_plain = false;
    }
    if (is_plain)
        *ret = (struct template){.kind = TEMPLATE_VALUE, .value = value};
    else
        *ret = (struct template){.kind = TEMPLATE_LIST, .count = value.size, .items = items};
    return 0;
}

static int compile_map(struct value value, const struct expr_limits *limits, struct arena *arena, uint32_t depth,
                       struct template *ret, struct orch_error *err)
{
    struct template_member *members = ARENA_ARRAY(arena, value.size, struct template_member);
    if (!members) return error_memory(err);
    const struct value_member *from = value_members(value);
    bool is_plain = true;
    for (uint32_t i = 0; i < value.size; i++) {
        if (from[i].key.kind != VALUE_STRING)
            return error_set(err, ORCH_ERR_INVALID, "a key of a map with placeholders must be a string");
        members[i].key = value_str(from[i].key);
        int rc = compile_value(from[i].value, limits, arena, depth + 1, &members[i].value, err);
        if (rc != 0) return in_key(err, rc, members[i].key);
        if (members[i].value.kind != TEMPLATE_VALUE) is_plain = false;
    }
    if (is_plain)
        *ret = (struct template){.kind = TEMPLATE_VALUE, .value = value};
    else
        *ret = (struct template){.kind = TEMPLATE_MAP, .count = value.size, .members = members};
    return 0;
}

static int compile_value(struct value value, const struct expr_limits *limits, struct arena *arena, uint32_t depth,
                         struct template *ret, struct orch_error *err)
{
    if (depth > TEMPLATE_DEPTH_MAX)
        return error_set(err, ORCH_ERR_LIMIT, "this value is nested deeper than %d levels", TEMPLATE_DEPTH_MAX);
    if (value.kind == VALUE_STRING && template_is_in(value_str(value)))
        return template_compile_text(value_str(value), limits, arena, ret, err);
    if (value.kind == VALUE_LIST) return compile_list(value, limits, arena, depth, ret, err);
    if (value.kind == VALUE_MAP) return compile_map(value, limits, arena, depth, ret, err);
    *ret = (struct template){.kind = TEMPLATE_VALUE, .value = value};
    return 0;
}

int template_compile(struct value value, const struct expr_limits *limits, struct arena *arena, struct template *ret,
                     struct orch_error *err)
{
    /* What stays plain must not borrow from the caller. */
    struct value own;
    if (value_copy(value, arena, &own) != 0) return error_memory(err);
    return compile_value(own, limits, arena, 0, ret, err);
}

/* ---- rendering ---- */

static int render_expr(const struct template_part *part, const struct expr_env *env, struct arena *arena,
                       struct value *ret, struct orch_error *err)
{
    int rc = expr_eval(part->expr, env, arena, ret, err);
    if (rc != 0 && err && err->column > 0) err->column += part->column - 1;
    return rc;
}

void template_add_text(struct buf *buf, struct value v)
{
    switch ((enum value_kind)v.kind) {
    case VALUE_NULL: return;
    case VALUE_STRING:
    case VALUE_TYPE: buf_add(buf, value_str(v)); return;
    case VALUE_BYTES: base64_format(value_str(v), buf); return;
    case VALUE_TIMESTAMP: time_format_rfc3339(v.seconds, value_nanos(v), buf); return;
    case VALUE_DOUBLE:
        if (v.real != v.real)
            buf_add_text(buf, "NaN");
        else if (v.real - v.real != 0)
            buf_add_text(buf, v.real > 0 ? "Infinity" : "-Infinity");
        else
            json_format(v, 0, buf);
        return;
    case VALUE_DURATION: {
        /* As JSON, "1.5s", without its quotes. */
        struct buf quoted;
        buf_init(&quoted, buf->allocator, 64);
        json_format(v, 0, &quoted);
        if (quoted.failed || quoted.size < 2)
            buf->failed = true;
        else
            buf_add(buf, str_of(quoted.data + 1, quoted.size - 2));
        buf_done(&quoted);
        return;
    }
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_UINT:
    case VALUE_NUMBER:
    case VALUE_LIST:
    case VALUE_MAP: json_format(v, 0, buf); return;
    }
}

static int render_text(const struct template *tmpl, const struct expr_env *env, struct arena *arena, struct value *ret,
                       struct orch_error *err)
{
    size_t size_max = env->limits && env->limits->result_max ? env->limits->result_max : (size_t)64 << 20;
    struct buf buf;
    int rc = 0;
    buf_init(&buf, arena->allocator, size_max);
    for (uint32_t i = 0; i < tmpl->count && rc == 0 && !buf.failed; i++) {
        const struct template_part *part = &tmpl->parts[i];
        if (!part->expr) {
            buf_add(&buf, part->text);
            continue;
        }
        struct value value;
        rc = render_expr(part, env, arena, &value, err);
        if (rc == 0) template_add_text(&buf, value);
    }
    if (rc == 0 && buf.failed) {
        /* Which of the two it was: the content stops before the piece that did not fit. */
        bool too_large = buf.size + buf.capacity >= size_max;
        rc = too_large ? error_set(err, ORCH_ERR_LIMIT, "the text is larger than %zu bytes", size_max)
                       : error_memory(err);
    }
    if (rc == 0) {
        struct orch_str text = arena_str(arena, buf_str(&buf));
        if (!text.data)
            rc = error_memory(err);
        else
            *ret = value_string(text);
    }
    buf_done(&buf);
    return rc;
}

static int render_list(const struct template *tmpl, const struct expr_env *env, struct arena *arena, struct value *ret,
                       struct orch_error *err)
{
    struct value *items = ARENA_ARRAY(arena, tmpl->count, struct value);
    if (!items) return error_memory(err);
    for (uint32_t i = 0; i < tmpl->count; i++) {
        int rc = template_render(&tmpl->items[i], env, arena, &items[i], err);
        if (rc != 0) return in_item(err, rc, i);
    }
    *ret = value_list(items, tmpl->count);
    return 0;
}

static int render_map(const struct template *tmpl, const struct expr_env *env, struct arena *arena, struct value *ret,
                      struct orch_error *err)
{
    struct value_member *members = ARENA_ARRAY(arena, tmpl->count, struct value_member);
    if (!members) return error_memory(err);
    for (uint32_t i = 0; i < tmpl->count; i++) {
        members[i].key = value_string(tmpl->members[i].key);
        int rc = template_render(&tmpl->members[i].value, env, arena, &members[i].value, err);
        if (rc != 0) return in_key(err, rc, tmpl->members[i].key);
    }
    int rc = value_map(members, tmpl->count, arena, ret);
    return rc == 0 ? 0 : error_memory(err); /* the keys were a map's already, so none occurs twice */
}

int template_render(const struct template *tmpl, const struct expr_env *env, struct arena *arena, struct value *ret,
                    struct orch_error *err)
{
    switch (tmpl->kind) {
    case TEMPLATE_VALUE: *ret = tmpl->value; return 0;
    case TEMPLATE_EXPR: return render_expr(&tmpl->expr, env, arena, ret, err);
    case TEMPLATE_TEXT: return render_text(tmpl, env, arena, ret, err);
    case TEMPLATE_LIST: return render_list(tmpl, env, arena, ret, err);
    case TEMPLATE_MAP: return render_map(tmpl, env, arena, ret, err);
    }
    return ORCH_ERR_INTERNAL;
}

int template_each_expr(const struct template *tmpl, int (*fn)(void *user, const struct template_part *part), void *user)
{
    int rc = 0;
    switch (tmpl->kind) {
    case TEMPLATE_VALUE: return 0;
    case TEMPLATE_EXPR: return fn(user, &tmpl->expr);
    case TEMPLATE_TEXT:
        for (uint32_t i = 0; i < tmpl->count && rc == 0; i++) {
            if (tmpl->parts[i].expr) rc = fn(user, &tmpl->parts[i]);
        }
        return rc;
    case TEMPLATE_LIST:
        for (uint32_t i = 0; i < tmpl->count && rc == 0; i++) rc = template_each_expr(&tmpl->items[i], fn, user);
        return rc;
    case TEMPLATE_MAP:
        for (uint32_t i = 0; i < tmpl->count && rc == 0; i++)
            rc = template_each_expr(&tmpl->members[i].value, fn, user);
        return rc;
    }
    return rc;
}
