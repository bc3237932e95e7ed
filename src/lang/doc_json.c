/*
 * doc_json.c - JSON (RFC 8259) as a document: strict, with the place of every value, in one pass.
 */
#include "lang/doc_build.h"

struct json {
    struct doc_build *build;
    const char *at, *end;
    uint32_t line;
    const char
        *counted; /* up to here `column` is known: columns are counted forward only, so that one long line costs once */
    uint32_t column;
};

static uint32_t column_at(struct json *p, const char *where)
{
    uint32_t column = p->column;
    for (const char *c = p->counted; c < where; c++) column += ((unsigned char)*c & 0xC0) != 0x80;
    p->counted = where;
    p->column = column;
    return column;
}

static void skip_space(struct json *p)
{
    while (p->at < p->end) {
        char c = *p->at;
        if (c == '\n') {
            p->line++;
            p->counted = p->at + 1;
            p->column = 1;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            return;
        }
        p->at++;
    }
}

static struct diag *fail(struct json *p, uint16_t code, const char *message)
{
    return diag_add(p->build->diags, DIAG_ERROR, code, (struct span){p->line, column_at(p, p->at), 1}, "%s", message);
}

static int syntax(struct json *p, const char *message, const char *help)
{
    if (p->at == p->end) message = "the text ends too early: a quote, bracket or brace is not closed";
    struct diag *d = fail(p, DIAG_JSON_SYNTAX, message);
    if (help && p->at < p->end) diag_help(p->build->diags, d, "%s", help);
    return ORCH_ERR_INVALID;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of a \u escape at p->at + 2; -1 when they are none. */
static int32_t unicode_escape(const char *at, const char *end)
{
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return -1;
    int32_t code = 0;
    for (int i = 2; i < 6; i++) {
        int digit = hex_value(at[i]);
        if (digit < 0) return -1;
        code = code * 16 + digit;
    }
    return code;
}

/* Decodes one escape at p->at into out; moves past it. */
static int escape(struct json *p, char **out)
{
    static const char plain[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    char c = p->end - p->at > 1 ? p->at[1] : 0;
    const char *found = c ? memchr(plain, c, sizeof plain - 1) : NULL;
    if (found) {
        *(*out)++ = meaning[found - plain];
        p->at += 2;
        return 0;
    }
    if (c != 'u') return syntax(p, "an escape that JSON does not have", "write \\\\ for a backslash");
    int32_t code = unicode_escape(p->at, p->end);
    if (code < 0) return syntax(p, "\\u wants four hexadecimal digits", NULL);
    const char *next = p->at + 6;
    if (code >= 0xD800 && code < 0xE000) {
        int32_t low = code < 0xDC00 ? unicode_escape(next, p->end) : -1;
        if (low < 0xDC00 || low > 0xDFFF) return syntax(p, "half of a surrogate pair", NULL);
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        next += 6;
    }
    *out += utf8_put((uint32_t)code, *out);
    p->at = next;
    return 0;
}

static int read_string(struct json *p, struct doc_node *node)
{
    const char *start = p->at;
    node->kind = DOC_STRING;
    node->quoted = true;
    node->line = p->line;
    node->column = column_at(p, start);
    const char *c = start + 1;
    while (c < p->end && *c != '"' && *c != '\\' && (unsigned char)*c >= 0x20) c++;
    if (c < p->end && *c == '"') { /* no escapes: borrowed */
        node->text = str_of(start + 1, (size_t)(c - start - 1));
        p->at = c + 1;
        node->width = column_at(p, p->at) - node->column;
        return 0;
    }
    /* What an escape stands for is never longer than the escape. */
    const char *close = c;
    while (close < p->end && *close != '"') close += *close == '\\' && close + 1 < p->end ? 2 : 1;
    char *text = arena_bytes(p->build->arena, (size_t)(close - start));
    if (!text) return ORCH_ERR_NO_MEMORY;
    memcpy(text, start + 1, (size_t)(c - start - 1));
    char *out = text + (c - start - 1);
    p->at = c;
    while (p->at < p->end && *p->at != '"') {
        if ((unsigned char)*p->at < 0x20)
            return syntax(
                p, *p->at == '\n' ? "a string that is not closed on its line" : "a control character in a string",
                *p->at == '\n' ? "write \\n for a new line" : "write it as \\u00XX");
        if (*p->at != '\\') {
            *out++ = *p->at++;
            continue;
        }
        int r = escape(p, &out);
        if (r) return r;
    }
    if (p->at == p->end) return syntax(p, "", NULL);
    node->text = str_of(text, (size_t)(out - text));
    p->at++;
    node->width = column_at(p, p->at) - node->column;
    return 0;
}

static bool is_digit(const struct json *p)
{
    return p->at < p->end && *p->at >= '0' && *p->at <= '9';
}

static int read_number(struct json *p, struct doc_node *node)
{
    const char *start = p->at;
    if (*p->at == '-') p->at++;
    if (!is_digit(p)) return syntax(p, "a number needs a digit here", NULL);
    bool zero = *p->at++ == '0';
    if (zero && is_digit(p)) return syntax(p, "a number must not begin with 0", NULL);
    while (is_digit(p)) p->at++;
    if (p->at < p->end && *p->at == '.') {
        p->at++;
        if (!is_digit(p)) return syntax(p, "a number needs a digit here", NULL);
        while (is_digit(p)) p->at++;
    }
    if (p->at < p->end && (*p->at | 0x20) == 'e') {
        p->at++;
        if (p->at < p->end && (*p->at == '+' || *p->at == '-')) p->at++;
        if (!is_digit(p)) return syntax(p, "a number needs a digit here", NULL);
        while (is_digit(p)) p->at++;
    }
    node->kind = DOC_NUMBER;
    node->text = str_of(start, (size_t)(p->at - start));
    node->width = (uint32_t)node->text.size;
    return 0;
}

static int no_comment(struct json *p)
{
    return syntax(p, "JSON has no comments", "remove it, or write the file as YAML");
}

static int read_word(struct json *p, struct doc_node *node)
{
    static const struct {
        struct orch_str word;
        uint8_t kind;
    } words[] = {{{"true", 4}, DOC_BOOL}, {{"false", 5}, DOC_BOOL}, {{"null", 4}, DOC_NULL}};
    struct orch_str rest = str_of(p->at, (size_t)(p->end - p->at));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_starts_with(rest, words[i].word)) {
            node->kind = words[i].kind;
            node->text = str_of(p->at, words[i].word.size);
            node->width = (uint32_t)words[i].word.size;
            p->at += words[i].word.size;
            return 0;
        }
    if (p->at < p->end && *p->at == '\'') return syntax(p, "a string in single quotes", "JSON wants double quotes");
    if (p->at < p->end && (*p->at == '/' || *p->at == '#')) return no_comment(p);
    return syntax(p, "expected a value", "text wants double quotes around it");
}

static int read_value(struct json *p, uint32_t depth, struct doc_node *node);

static int read_list(struct json *p, uint32_t depth, struct doc_node *node)
{
    size_t from = p->build->count;
    p->at++;
    skip_space(p);
    if (p->at < p->end && *p->at == ']') {
        p->at++;
        return doc_build_list(p->build, from, node);
    }
    for (;;) {
        struct doc_node item = {0};
        int r = read_value(p, depth + 1, &item);
        if (!r) r = doc_build_push(p->build, &item);
        if (r) return r;
        skip_space(p);
        if (p->at < p->end && *p->at == ',') {
            p->at++;
            skip_space(p);
            if (p->at < p->end && *p->at == ']')
                return syntax(p, "a comma before the end of a list", "remove the comma");
            continue;
        }
        if (p->at == p->end || *p->at != ']') return syntax(p, "expected ',' or ']' after an item", NULL);
        p->at++;
        return doc_build_list(p->build, from, node);
    }
}

static int read_member(struct json *p, uint32_t depth)
{
    struct doc_node key = {0}, value = {0};
    if (p->at < p->end && *p->at == '/') return no_comment(p);
    if (p->at == p->end || *p->at != '"') return syntax(p, "expected a key", "keys want double quotes around them");
    int r = read_string(p, &key);
    if (r) return r;
    skip_space(p);
    if (p->at == p->end || *p->at != ':') return syntax(p, "expected ':' after a key", NULL);
    p->at++;
    skip_space(p);
    r = read_value(p, depth + 1, &value);
    if (!r) r = doc_build_push(p->build, &key);
    if (!r) r = doc_build_push(p->build, &value);
    return r;
}

static int read_map(struct json *p, uint32_t depth, struct doc_node *node)
{
    size_t from = p->build->count;
    p->at++;
    skip_space(p);
    if (p->at < p->end && *p->at == '}') {
        p->at++;
        return doc_build_map(p->build, from, node);
    }
    for (;;) {
        int r = read_member(p, depth);
        if (r) return r;
        skip_space(p);
        if (p->at < p->end && *p->at == ',') {
            p->at++;
            skip_space(p);
            if (p->at < p->end && *p->at == '}')
                return syntax(p, "a comma before the end of a map", "remove the comma");
            continue;
        }
        if (p->at == p->end || *p->at != '}') return syntax(p, "expected ',' or '}' after a member", NULL);
        p->at++;
        return doc_build_map(p->build, from, node);
    }
}

static int read_value(struct json *p, uint32_t depth, struct doc_node *node)
{
    node->line = p->line;
    node->column = column_at(p, p->at);
    if (p->at == p->end) return syntax(p, "", NULL);
    if (depth > p->build->depth_max) return doc_build_too_deep(p->build, node);
    switch (*p->at) {
    case '{': return read_map(p, depth, node);
    case '[': return read_list(p, depth, node);
    case '"': return read_string(p, node);
    case '-':
    case '0' ... '9': return read_number(p, node);
    default: return read_word(p, node);
    }
}

int doc_json(struct doc_build *build, struct doc_node *ret)
{
    struct json p = {
        .build = build,
        .at = build->text.data,
        .end = build->text.data + build->text.size,
        .line = 1,
        .counted = build->text.data,
        .column = 1,
    };
    skip_space(&p);
    int r = read_value(&p, 1, ret);
    if (r) return r;
    skip_space(&p);
    if (p.at < p.end) return syntax(&p, "something stands behind the end of the JSON text", NULL);
    return 0;
}
