/*
 * json_format.c - values as JSON.
 */
#include "value.h"

#include "scan.h"
#include "time.h"

#define DEPTH_MAX 10000U

static void add_escape(struct buf *buf, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    switch (c) {
    case '"': buf_add(buf, STR("\\\"")); return;
    case '\\': buf_add(buf, STR("\\\\")); return;
    case '\b': buf_add(buf, STR("\\b")); return;
    case '\f': buf_add(buf, STR("\\f")); return;
    case '\n': buf_add(buf, STR("\\n")); return;
    case '\r': buf_add(buf, STR("\\r")); return;
    case '\t': buf_add(buf, STR("\\t")); return;
    default: break;
    }
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    buf_add(buf, str_of(text, sizeof(text)));
}

void json_format_string(struct orch_str s, struct buf *buf)
{
    const char *at = s.data;
    const char *end = s.data ? s.data + s.size : NULL;
    const char *start = at; /* of what is to be copied as it stands */
    at = scan_plain(at, end);
    if (at == end && s.size < SIZE_MAX - 2) {
        /* Nothing to escape: the common case in one piece. */
        char *to = buf_reserve(buf, s.size + 2);
        if (!to) return;
        to[0] = '"';
        if (s.size) memcpy(to + 1, s.data, s.size);
        to[s.size + 1] = '"';
        buf->size += s.size + 2;
        return;
    }
    buf_add_char(buf, '"');
    while (at < end) {
        at = scan_plain(at, end);
        if (at == end) break;
        size_t size = (unsigned char)*at >= 0x80 ? utf8_size(at, (size_t)(end - at)) : 0;
        if (size) {
            at += size;
            continue;
        }
        buf_add(buf, str_of(start, (size_t)(at - start)));
        if ((unsigned char)*at >= 0x80) {
            buf_add(buf, STR("\xef\xbf\xbd"));
        } else {
            add_escape(buf, (unsigned char)*at);
        }
        start = ++at;
    }
    buf_add(buf, str_of(start, (size_t)(end - start)));
    buf_add_char(buf, '"');
}

static void add_uint(struct buf *buf, uint64_t number, bool negative)
{
    char digits[21];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    if (negative) digits[--at] = '-';
    buf_add(buf, str_of(digits + at, sizeof(digits) - at));
}

static void add_int(struct buf *buf, int64_t number)
{
    add_uint(buf, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, number < 0);
}

static void add_double(struct buf *buf, double d)
{
    char text[32];
    size_t size = double_format(d, text);
    bool finite = d - d == 0;
    if (!finite) buf_add_char(buf, '"');
    buf_add(buf, str_of(text, size));
    if (!finite) {
        buf_add_char(buf, '"');
    } else if (!memchr(text, '.', size) && !memchr(text, 'e', size)) {
        buf_add(buf, STR(".0"));
    }
}

/* "1.5s", as protobuf's JSON mapping has durations. */
static void add_duration(struct buf *buf, struct value v)
{
    int32_t nanos = value_nanos(v);
    if (v.seconds < 0 || nanos < 0) buf_add_char(buf, '-');
    add_uint(buf, v.seconds < 0 ? 0 - (uint64_t)v.seconds : (uint64_t)v.seconds, false);
    if (nanos) {
        uint32_t rest = nanos < 0 ? 0U - (uint32_t)nanos : (uint32_t)nanos;
        char digits[10] = ".000000000";
        for (size_t i = 9; i > 0; i--, rest /= 10) digits[i] = (char)('0' + rest % 10);
        size_t size = sizeof(digits);
        while (digits[size - 1] == '0') size--;
        buf_add(buf, str_of(digits, size));
    }
    buf_add_char(buf, 's');
}

static void add_line(struct buf *buf, int indent, uint32_t depth)
{
    if (indent <= 0) return;
    buf_add_char(buf, '\n');
    size_t size = (size_t)indent * depth;
    char *to = buf_reserve(buf, size);
    if (!to) return;
    memset(to, ' ', size);
    buf->size += size;
}

static void add_key(struct value key, struct buf *buf)
{
    switch ((enum value_kind)key.kind) {
    case VALUE_STRING: json_format_string(value_str(key), buf); return;
    case VALUE_BOOL: buf_add_text(buf, key.boolean ? "\"true\"" : "\"false\""); return;
    case VALUE_INT:
    case VALUE_UINT:
        buf_add_char(buf, '"');
        if (key.kind == VALUE_INT) {
            add_int(buf, key.integer);
        } else {
            add_uint(buf, key.uinteger, false);
        }
        buf_add_char(buf, '"');
        return;
    case VALUE_NULL:
    case VALUE_DOUBLE:
    case VALUE_NUMBER:
    case VALUE_BYTES:
    case VALUE_LIST:
    case VALUE_MAP:
    case VALUE_TIMESTAMP:
    case VALUE_DURATION:
    case VALUE_TYPE: break;
    }
    buf->failed = true; /* no map that value_map made has such a key */
}

static void add_value(struct value v, int indent, uint32_t depth, struct buf *buf);

static void add_list(struct value v, int indent, uint32_t depth, struct buf *buf)
{
    buf_add_char(buf, '[');
    for (uint32_t i = 0; i < v.size && !buf->failed; i++) {
        if (i) buf_add_char(buf, ',');
        add_line(buf, indent, depth + 1);
        add_value(v.items[i], indent, depth + 1, buf);
    }
    if (v.size) add_line(buf, indent, depth);
    buf_add_char(buf, ']');
}

static void add_map(struct value v, int indent, uint32_t depth, struct buf *buf)
{
    const struct value_member *members = value_members(v);
    buf_add_char(buf, '{');
    for (uint32_t i = 0; i < v.size && !buf->failed; i++) {
        if (i) buf_add_char(buf, ',');
        add_line(buf, indent, depth + 1);
        add_key(members[i].key, buf);
        buf_add_char(buf, ':');
        if (indent > 0) buf_add_char(buf, ' ');
        add_value(members[i].value, indent, depth + 1, buf);
    }
    if (v.size) add_line(buf, indent, depth);
    buf_add_char(buf, '}');
}

static void add_value(struct value v, int indent, uint32_t depth, struct buf *buf)
{
    switch ((enum value_kind)v.kind) {
    case VALUE_NULL: buf_add(buf, STR("null")); return;
    case VALUE_BOOL: buf_add_text(buf, v.boolean ? "true" : "false"); return;
    case VALUE_INT: add_int(buf, v.integer); return;
    case VALUE_UINT: add_uint(buf, v.uinteger, false); return;
    case VALUE_DOUBLE: add_double(buf, v.real); return;
    case VALUE_NUMBER: buf_add(buf, value_str(v)); return;
    case VALUE_STRING:
    case VALUE_TYPE: json_format_string(value_str(v), buf); return;
    case VALUE_BYTES:
        buf_add_char(buf, '"');
        base64_format(value_str(v), buf);
        buf_add_char(buf, '"');
        return;
    case VALUE_TIMESTAMP:
        buf_add_char(buf, '"');
        time_format_rfc3339(v.seconds, value_nanos(v), buf);
        buf_add_char(buf, '"');
        return;
    case VALUE_DURATION:
        buf_add_char(buf, '"');
        add_duration(buf, v);
        buf_add_char(buf, '"');
        return;
    case VALUE_LIST:
    case VALUE_MAP:
        if (depth >= DEPTH_MAX) {
            buf->failed = true;
        } else if (v.kind == VALUE_LIST) {
            add_list(v, indent, depth, buf);
        } else {
            add_map(v, indent, depth, buf);
        }
        return;
    }
}

void json_format(struct value v, int indent, struct buf *buf)
{
    add_value(v, indent, 0, buf);
}
