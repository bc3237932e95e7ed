/*
 * json.c - the parser of JSON.
 *
 * One loop without recursion. What is open lies on a stack of values: a frame, then the items so far (for a map,
 * keys and values in turn, which is how members lie in memory); a closed list or map goes to the arena in one piece.
 */
#include "value.h"

#include <float.h>

#include "error.h"
#include "number.h"
#include "scan.h"

#define DEPTH_DEFAULT 64U
#define DEPTH_MAX     10000U
#define NODES_DEFAULT 10000000U
#define STACK_FIRST   128

struct parser {
    const char *at;
    const char *start;
    const char *end;
    struct arena *arena;
    struct value *stack;
    size_t count;
    size_t capacity;
    struct value *stack_first; /* of the caller's; not to be freed */
    size_t frame;              /* where the innermost open frame is in the stack */
    uint32_t depth;
    uint32_t depth_max;
    uint32_t nodes_left;
    struct orch_error *err;
};

/* A frame is two values: kind and the place in the text where it opened; where the frame around it is in the stack. */
#define FRAME_VALUES 2

_Static_assert(sizeof(struct value) == 16, "two values make a member");
_Static_assert(sizeof(struct value_member) == 2 * sizeof(struct value), "two values make a member");

/* Line and column are counted only when something is wrong. */
static void set_place(struct parser *p, const char *at)
{
    if (!p->err) return;
    uint32_t line = 1;
    const char *line_start = p->start;
    for (const char *c = p->start; c < at; c++) {
        if (*c == '\n') {
            line++;
            line_start = c + 1;
        }
    }
    p->err->line = line;
    p->err->column = (uint32_t)utf8_count(str_of(line_start, (size_t)(at - line_start))) + 1;
}

static int fail(struct parser *p, const char *at, const char *message)
{
    error_set(p->err, ORCH_ERR_INVALID, "%s", message);
    set_place(p, at);
    return ORCH_ERR_INVALID;
}

/* What stands at a place, for a message. */
static int fail_unexpected(struct parser *p, const char *at, const char *expected)
{
    struct orch_error *err = p->err;
    if (at >= p->end) {
        error_set(err, ORCH_ERR_INVALID, "the text ends where %s is expected", expected);
    } else {
        size_t size = utf8_size(at, (size_t)(p->end - at));
        if (size == 0) {
            error_set(err, ORCH_ERR_INVALID, "invalid UTF-8");
        } else if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            error_set(err, ORCH_ERR_INVALID, "expected %s, found character U+%04X", expected, (unsigned)*at);
        } else {
            error_set(err, ORCH_ERR_INVALID, "expected %s, found '%.*s'", expected, (int)size, at);
        }
        if (*at == '\'') error_hint(err, "JSON strings stand in double quotes");
        if (*at == '/' || *at == '#') error_hint(err, "JSON has no comments");
        if (at == p->start && p->end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) {
            error_set(err, ORCH_ERR_INVALID, "the text starts with a byte order mark");
            error_hint(err, "save it as UTF-8 without a byte order mark");
        }
    }
    set_place(p, at);
    return ORCH_ERR_INVALID;
}

static inline char peek(const struct parser *p)
{
    return p->at < p->end ? *p->at : '\0';
}

static inline void skip_space(struct parser *p)
{
    const char *at = p->at;
    const char *end = p->end;
    /* Compact texts have none, indented ones have runs of spaces. */
    while (at < end && (unsigned char)*at <= ' ') {
        if (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') {
            at++;
            while (end - at >= 8) {
                uint64_t word;
                memcpy(&word, at, 8);
                if (word != SCAN_ONES * ' ') break;
                at += 8;
            }
        } else {
            break;
        }
    }
    p->at = at;
}

static int grow_stack(struct parser *p)
{
    size_t capacity = p->capacity * 2;
    bool first = p->stack == p->stack_first;
    struct value *stack = mem_resize(p->arena->allocator, first ? NULL : p->stack,
                                     first ? 0 : p->capacity * sizeof(*stack), capacity * sizeof(*stack));
    if (!stack) return error_memory(p->err);
    if (first) memcpy(stack, p->stack, p->count * sizeof(*stack));
    p->stack = stack;
    p->capacity = capacity;
    return 0;
}

static inline int push(struct parser *p, struct value v)
{
    if (p->count == p->capacity) {
        int r = grow_stack(p);
        if (r < 0) return r;
    }
    p->stack[p->count++] = v;
    return 0;
}

/* Four hexadecimal digits, or -1. */
static int32_t parse_hex4(const char *at, const char *end)
{
    if (end - at < 4) return -1;
    int32_t number = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return -1;
        number = number * 16 + digit;
    }
    return number;
}

/* \u and what follows it; `at` is at the u. */
static int parse_unicode_escape(struct parser *p, const char **at, const char *end, char **out)
{
    const char *escape = *at - 1;
    int32_t code = parse_hex4(*at + 1, end);
    if (code < 0) return fail(p, escape, "\\u needs four hexadecimal digits");
    *at += 5;
    if (code >= 0xdc00 && code <= 0xdfff) return fail(p, escape, "a low surrogate without a high one before it");
    if (code >= 0xd800 && code <= 0xdbff) {
        int32_t low = end - *at >= 2 && (*at)[0] == '\\' && (*at)[1] == 'u' ? parse_hex4(*at + 2, end) : -1;
        if (low < 0xdc00 || low > 0xdfff) return fail(p, escape, "a high surrogate without a low one behind it");
        *at += 6;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    *out += utf8_put((uint32_t)code, *out);
    return 0;
}

/* The text between quotes, with escapes; never longer than it is written. */
static int unescape(struct parser *p, const char *at, const char *end, struct value *ret)
{
    char *text = arena_bytes(p->arena, (size_t)(end - at));
    if (!text) return error_memory(p->err);
    char *out = text;
    while (at < end) {
        const char *backslash = memchr(at, '\\', (size_t)(end - at));
        size_t size = (size_t)((backslash ? backslash : end) - at);
        memcpy(out, at, size);
        out += size;
        at += size;
        if (!backslash) break;
        at++; /* there is a character behind it, or the string would not have ended at `end` */
        switch (*at) {
        case '"':
        case '\\':
        case '/': *out++ = *at++; break;
        case 'b': *out++ = '\b', at++; break;
        case 'f': *out++ = '\f', at++; break;
        case 'n': *out++ = '\n', at++; break;
        case 'r': *out++ = '\r', at++; break;
        case 't': *out++ = '\t', at++; break;
        case 'u': {
            int r = parse_unicode_escape(p, &at, end, &out);
            if (r < 0) return r;
            break;
        }
        default: return fail(p, at - 1, "unknown escape in a string");
        }
    }
    *ret = value_string(str_of(text, (size_t)(out - text)));
    return 0;
}

/* A string; p->at is behind the opening quote. */
static inline int parse_string(struct parser *p, struct value *ret)
{
    const char *start = p->at;
    const char *at = start;
    bool escapes = false;
    for (;;) {
        at = scan_plain(at, p->end);
        if (at >= p->end) return fail(p, start - 1, "a string is not closed");
        if (*at == '"') break;
        if (*at == '\\') {
            escapes = true;
            at++;
            if (at >= p->end) return fail(p, start - 1, "a string is not closed");
            /* The escaped character is checked below, except that it has to be whole. */
            if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x80)
                return fail(p, at - 1, "unknown escape in a string");
            at++;
            continue;
        }
        if ((unsigned char)*at < 0x20) {
            error_set(p->err, ORCH_ERR_INVALID, "a string holds the control character U+%04X", (unsigned)*at);
            error_hint(p->err, "write it as an escape, such as \\n");
            set_place(p, at);
            return ORCH_ERR_INVALID;
        }
        do {
            size_t size = utf8_size(at, (size_t)(p->end - at));
            if (size == 0) return fail(p, at, "invalid UTF-8");
            at += size;
        } while (at < p->end && (unsigned char)*at >= 0x80);
    }
    p->at = at + 1;
    if (escapes) return unescape(p, start, at, ret);
    *ret = value_string(str_of(start, (size_t)(at - start)));
    return 0;
}

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* A number that is not one of the simple ones, as it stands from `start` to p->at. */
static struct value difficult_number(const struct parser *p, const char *start)
{
    struct orch_str text = {start, (size_t)(p->at - start)};
    struct value as_text = {.kind = VALUE_NUMBER, .size = (uint32_t)text.size, .text = start};
    struct number_text number;
    if (!number_scan(text, &number)) return as_text;
    double d = number_to_double(&number);
    if (d - d != 0 || !number_is_shortest_of(&number, d)) return as_text;
    return value_double(d);
}

/* Whether the shortest decimal of d is this one. */
static bool is_shortest(uint64_t number, int32_t exponent, double d)
{
    if (d == 0) return false;
    int32_t shortest_exponent;
    uint64_t shortest = double_shortest(d, &shortest_exponent);
    for (; number != shortest && number % 10 == 0; exponent++) number /= 10;
    return number == shortest && exponent == shortest_exponent;
}

/* Reads digits into the number, as long as it holds them exactly; counts those that matter. */
static inline void take_digits(struct parser *p, uint64_t *number, uint32_t *count)
{
    const char *at = p->at;
    while (at < p->end && is_digit(*at)) {
        if (*count < 19) *number = *number * 10 + (uint64_t)(*at - '0');
        *count += *number != 0; /* zeros in front do not count */
        at++;
    }
    p->at = at;
}

/* Digits, which hold `count` <= 19 significant ones, as a whole number. False when it does not fit. */
static inline bool whole_value(uint64_t number, bool negative, struct value *ret)
{
    if (negative) {
        if (number == 0) {
            *ret = value_double(-0.0);
        } else if (number <= (uint64_t)INT64_MAX + 1) {
            *ret = value_int((int64_t)(0 - number));
        } else {
            return false;
        }
    } else {
        *ret = number <= INT64_MAX ? value_int((int64_t)number) : value_uint(number);
    }
    return true;
}

static int parse_number(struct parser *p, struct value *ret)
{
    const char *start = p->at;
    bool negative = *p->at == '-';
    if (negative) p->at++;
    if (!is_digit(peek(p))) return fail_unexpected(p, p->at, "a digit");
    uint64_t number = 0;
    uint32_t count = 0;
    const char *digits = p->at;
    take_digits(p, &number, &count);
    if (*digits == '0' && p->at - digits > 1) return fail(p, digits, "a number starts with a superfluous 0");

    char c = peek(p);
    if (c != '.' && c != 'e' && c != 'E') {
        if (count <= 19) {
            if (whole_value(number, negative, ret)) return 0;
        } else if (str_to_uint64(str_of(digits, (size_t)(p->at - digits)), &number)) {
            if (whole_value(number, negative, ret)) return 0;
        }
        *ret = difficult_number(p, start);
        return 0;
    }

    int32_t exponent = 0;
    if (c == '.') {
        p->at++;
        const char *fraction = p->at;
        if (!is_digit(peek(p))) return fail_unexpected(p, p->at, "a digit");
        take_digits(p, &number, &count);
        /* Only used when there are few digits; a number of many zeros is difficult. */
        exponent = p->at - fraction < 1000 ? -(int32_t)(p->at - fraction) : -1000;
        c = peek(p);
    }
    if (c == 'e' || c == 'E') {
        p->at++;
        bool exponent_negative = peek(p) == '-';
        if (peek(p) == '-' || peek(p) == '+') p->at++;
        if (!is_digit(peek(p))) return fail_unexpected(p, p->at, "a digit");
        int32_t written = 0;
        for (; is_digit(peek(p)); p->at++) {
            if (written < 100000) written = written * 10 + (*p->at - '0');
        }
        exponent += exponent_negative ? -written : written;
    }
    if (number == 0) {
        *ret = value_double(negative ? -0.0 : 0.0);
        return 0;
    }
    if (count <= 19 && exponent > -1000) {
        double d = number_nearest(number, exponent);
        /* Up to 15 digits always come back from a normal double; with more it has to be seen. */
        if (d - d == 0 && ((count <= 15 && d >= DBL_MIN) || is_shortest(number, exponent, d))) {
            *ret = value_double(negative ? -d : d);
            return 0;
        }
    }
    *ret = difficult_number(p, start);
    return 0;
}

static int parse_word(struct parser *p, const char *word, size_t size, struct value v, struct value *ret)
{
    if ((size_t)(p->end - p->at) < size || memcmp(p->at, word, size) != 0) return fail_unexpected(p, p->at, "a value");
    p->at += size;
    *ret = v;
    return 0;
}

/* Anything but a list or map. */
static inline int parse_scalar(struct parser *p, struct value *ret)
{
    if (p->at >= p->end) return fail_unexpected(p, p->at, "a value");
    switch (*p->at) {
    case '"': p->at++; return parse_string(p, ret);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return parse_number(p, ret);
    case 't': return parse_word(p, "true", 4, value_bool(true), ret);
    case 'f': return parse_word(p, "false", 5, value_bool(false), ret);
    case 'n': return parse_word(p, "null", 4, value_null(), ret);
    default: return fail_unexpected(p, p->at, "a value");
    }
}

/* The place of a member's key, found by walking through the map once more from its opening brace. */
static const char *find_key(const struct parser *p, const char *at, uint32_t index)
{
    uint32_t depth = 0;
    for (; at < p->at; at++) {
        if (*at == '"') {
            if (depth == 1 && index == 0) return at;
            for (at++; *at != '"'; at++) {
                if (*at == '\\') at++;
            }
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (*at == '}' || *at == ']') {
            depth--;
        } else if (*at == ',' && depth == 1) {
            index--;
        }
    }
    return at;
}

static int open_frame(struct parser *p, enum value_kind kind)
{
    if (p->depth == p->depth_max) {
        error_set(p->err, ORCH_ERR_LIMIT, "nested deeper than %u levels", (unsigned)p->depth_max);
        set_place(p, p->at);
        return ORCH_ERR_LIMIT;
    }
    p->depth++;
    int r = push(p, (struct value){.kind = kind, .text = p->at});
    if (r == 0) r = push(p, (struct value){.uinteger = p->frame});
    p->frame = p->count - FRAME_VALUES;
    p->at++;
    return r;
}

static int close_frame(struct parser *p, struct value *ret)
{
    struct value frame = p->stack[p->frame];
    const struct value *items = p->stack + p->frame + FRAME_VALUES;
    size_t count = p->count - p->frame - FRAME_VALUES;
    const char *opening = frame.text;
    struct value *kept = NULL;
    if (count) {
        kept = arena_alloc(p->arena, count * sizeof(*kept));
        if (!kept) return error_memory(p->err);
        memcpy(kept, items, count * sizeof(*kept));
    }
    p->count = p->frame;
    p->frame = (size_t)p->stack[p->frame + 1].uinteger;
    p->depth--;
    p->at++;
    if (frame.kind == VALUE_LIST) {
        *ret = value_list(kept, (uint32_t)count);
        return 0;
    }
    const struct value_member *members = (const struct value_member *)kept;
    uint32_t index;
    int r = value_map_at(members, (uint32_t)(count / 2), p->arena, ret, &index);
    if (r == ORCH_ERR_EXISTS) {
        struct orch_str key = value_str(members[index].key);
        error_set(p->err, ORCH_ERR_INVALID, "the key \"%.*s\" occurs twice", key.size > 80 ? 80 : (int)key.size,
                  key.data);
        set_place(p, find_key(p, opening, index));
        return ORCH_ERR_INVALID;
    }
    return r < 0 ? error_memory(p->err) : 0;
}

static int parse_key(struct parser *p)
{
    if (peek(p) != '"') return fail_unexpected(p, p->at, "a key in double quotes");
    p->at++;
    struct value key;
    int r = parse_string(p, &key);
    if (r == 0) r = push(p, key);
    if (r < 0) return r;
    skip_space(p);
    if (peek(p) != ':') return fail_unexpected(p, p->at, "':'");
    p->at++;
    return 0;
}

/* Behind a value inside a list or map: a comma (and the next key), or the end, and then *ret is the whole. */
static inline int parse_behind(struct parser *p, bool *ret_closed, struct value *ret)
{
    bool is_map = p->stack[p->frame].kind == VALUE_MAP;
    skip_space(p);
    char c = peek(p);
    if (c == (is_map ? '}' : ']')) {
        *ret_closed = true;
        return close_frame(p, ret);
    }
    if (c != ',') return fail_unexpected(p, p->at, is_map ? "',' or '}'" : "',' or ']'");
    const char *comma = p->at++;
    *ret_closed = false;
    skip_space(p);
    if (peek(p) == '}' || peek(p) == ']') {
        fail(p, comma, "a comma with nothing behind it");
        error_hint(p->err, "take the last comma away");
        return ORCH_ERR_INVALID;
    }
    return is_map ? parse_key(p) : 0;
}

static int parse_value(struct parser *p, struct value *ret)
{
    for (;;) {
        skip_space(p);
        if (p->nodes_left-- == 0) {
            error_set(p->err, ORCH_ERR_LIMIT, "too many values");
            set_place(p, p->at);
            return ORCH_ERR_LIMIT;
        }
        int r;
        struct value v;
        char c = peek(p);
        if (c == '[' || c == '{') {
            r = open_frame(p, c == '{' ? VALUE_MAP : VALUE_LIST);
            if (r < 0) return r;
            skip_space(p);
            if (peek(p) != (c == '{' ? '}' : ']')) {
                if (c == '{') r = parse_key(p);
                if (r < 0) return r;
                continue;
            }
            r = close_frame(p, &v);
        } else {
            r = parse_scalar(p, &v);
        }
        /* A value is whole; perhaps it was the last of what holds it, and so on outwards. */
        bool closed = true;
        while (r == 0 && closed) {
            if (p->depth == 0) {
                *ret = v;
                return 0;
            }
            r = push(p, v);
            if (r == 0) r = parse_behind(p, &closed, &v);
        }
        if (r < 0) return r;
    }
}

int json_parse(struct orch_str text, const struct json_limits *limits, struct arena *arena, struct value *ret,
               struct orch_error *err)
{
    if (text.size >= UINT32_MAX) return error_set(err, ORCH_ERR_LIMIT, "a JSON text of 4 GiB or more");
    struct value stack[STACK_FIRST];
    struct parser p = {
        .at = text.data,
        .start = text.data,
        .end = text.data ? text.data + text.size : NULL,
        .arena = arena,
        .stack = stack,
        .stack_first = stack,
        .capacity = STACK_FIRST,
        .depth_max = limits && limits->depth_max ? limits->depth_max : DEPTH_DEFAULT,
        .nodes_left = limits && limits->nodes_max ? limits->nodes_max : NODES_DEFAULT,
        .err = err,
    };
    if (p.depth_max > DEPTH_MAX) p.depth_max = DEPTH_MAX;
    struct arena_mark mark = arena_mark(arena);
    struct value v;
    int r = parse_value(&p, &v);
    if (r == 0) {
        skip_space(&p);
        if (p.at < p.end) {
            r = fail_unexpected(&p, p.at, "the end of the text");
        } else {
            *ret = v;
        }
    }
    if (p.stack != stack) mem_resize(arena->allocator, p.stack, p.capacity * sizeof(*p.stack), 0);
    if (r < 0) arena_rewind(arena, mark);
    return r;
}
