/*
 * expr_lex.c - the tokens of an expression. Source: cel-spec, doc/langdef.md, "Syntax".
 */
#include "lang/expr_internal.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool is_name_start(char c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_part(char c)
{
    return is_name_start(c) || is_digit(c);
}

uint32_t expr_column(struct orch_str source, size_t at)
{
    if (at > source.size) at = source.size;
    return (uint32_t)utf8_count(str_of(source.data, at)) + 1;
}

int expr_error_at(struct orch_error *err, struct orch_str source, size_t at, int code, const char *format, ...)
{
    char message[sizeof(((struct orch_error *)0)->message)];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    error_set(err, code, "%s", message);
    if (err) err->column = expr_column(source, at);
    return code;
}

static int fail(const struct lexer *lexer, size_t at, const char *message)
{
    return expr_error_at(lexer->err, lexer->source, at, ORCH_ERR_INVALID, "%s", message);
}

bool expr_is_reserved(struct orch_str word)
{
    /* Source: langdef.md, RESERVED. */
    static const char *const words[] = {"true",     "false",   "null",      "in",     "as",     "break",    "const",
                                        "continue", "else",    "for",       "if",     "import", "function", "let",
                                        "loop",     "package", "namespace", "return", "var",    "void",     "while"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (str_is(word, words[i])) return true;
    }
    return false;
}

bool expr_is_name(struct orch_str word)
{
    if (word.size == 0 || !is_name_start(word.data[0])) return false;
    for (size_t i = 1; i < word.size; i++) {
        if (!is_name_part(word.data[i])) return false;
    }
    return !expr_is_reserved(word);
}

/* The character at an offset from here, NUL at the end: no token contains one outside strings. */
static char peek(const struct lexer *lexer, size_t ahead)
{
    size_t at = lexer->at + ahead;
    return at < lexer->source.size ? lexer->source.data[at] : '\0';
}

static void skip_space(struct lexer *lexer)
{
    for (;;) {
        char c = peek(lexer, 0);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
            lexer->at++;
        } else if (c == '/' && peek(lexer, 1) == '/') {
            while (lexer->at < lexer->source.size && lexer->source.data[lexer->at] != '\n') lexer->at++;
        } else {
            return;
        }
    }
}

/* ---- numbers ---- */

static int finish_number(struct lexer *lexer, struct token *token)
{
    char c = peek(lexer, 0);
    if (is_name_part(c)) return fail(lexer, token->at, "malformed number");
    token->text = str_of(lexer->source.data + token->at, lexer->at - token->at);
    return 0;
}

static int lex_integer_suffix(struct lexer *lexer, struct token *token, bool overflow)
{
    token->kind = TOKEN_INT;
    char c = peek(lexer, 0);
    if (c == 'u' || c == 'U') {
        token->kind = TOKEN_UINT;
        lexer->at++;
    }
    int rc = finish_number(lexer, token);
    if (rc != 0) return rc;
    if (overflow) return fail(lexer, token->at, "this integer does not fit into 64 bits");
    return 0;
}

static int lex_hex(struct lexer *lexer, struct token *token)
{
    bool overflow = false;
    uint64_t n = 0;
    lexer->at += 2;
    if (hex_digit(peek(lexer, 0)) < 0) return fail(lexer, token->at, "malformed number");
    for (int digit; (digit = hex_digit(peek(lexer, 0))) >= 0; lexer->at++) {
        if (n >> 60) overflow = true;
        n = n << 4 | (uint64_t)digit;
    }
    token->magnitude = n;
    return lex_integer_suffix(lexer, token, overflow);
}

static int lex_number(struct lexer *lexer, struct token *token)
{
    if (peek(lexer, 0) == '0' && (peek(lexer, 1) == 'x' || peek(lexer, 1) == 'X')) return lex_hex(lexer, token);
    bool is_double = false;
    while (is_digit(peek(lexer, 0))) lexer->at++;
    size_t digits_end = lexer->at;
    if (peek(lexer, 0) == '.' && is_digit(peek(lexer, 1))) {
        is_double = true;
        lexer->at++;
        while (is_digit(peek(lexer, 0))) lexer->at++;
    }
    char c = peek(lexer, 0);
    if (c == 'e' || c == 'E') {
        size_t sign = peek(lexer, 1) == '+' || peek(lexer, 1) == '-' ? 1 : 0;
        if (is_digit(peek(lexer, 1 + sign))) {
            is_double = true;
            lexer->at += 1 + sign;
            while (is_digit(peek(lexer, 0))) lexer->at++;
        }
    }
    if (!is_double) {
        struct orch_str digits = str_of(lexer->source.data + token->at, digits_end - token->at);
        uint64_t n = 0;
        bool overflow = false;
        for (size_t i = 0; i < digits.size; i++) {
            overflow |= __builtin_mul_overflow(n, (uint64_t)10, &n);
            overflow |= __builtin_add_overflow(n, (uint64_t)(digits.data[i] - '0'), &n);
        }
        token->magnitude = n;
        return lex_integer_suffix(lexer, token, overflow);
    }
    token->kind = TOKEN_DOUBLE;
    int rc = finish_number(lexer, token);
    if (rc != 0) return rc;
    /* str_to_double wants a digit before the point. */
    struct orch_str text = token->text;
    char padded[64];
    if (text.data[0] == '.') {
        if (text.size + 1 > sizeof(padded)) return fail(lexer, token->at, "malformed number");
        padded[0] = '0';
        memcpy(padded + 1, text.data, text.size);
        text = str_of(padded, text.size + 1);
    }
    /* A leading zero ("007.5") is fine for CEL, not for JSON. */
    while (text.size > 1 && text.data[0] == '0' && is_digit(text.data[1])) text = str_of(text.data + 1, text.size - 1);
    if (!str_to_double(text, &token->real)) return fail(lexer, token->at, "malformed number");
    if (token->real > 1.7976931348623157e308) return fail(lexer, token->at, "this number is too large for a double");
    return 0;
}

/* ---- strings ---- */

/* Reads `count` hexadecimal digits at *at. */
static bool read_hex(struct orch_str s, size_t *at, int count, uint32_t *ret)
{
    uint32_t n = 0;
    for (int i = 0; i < count; i++) {
        int digit = *at < s.size ? hex_digit(s.data[*at]) : -1;
        if (digit < 0) return false;
        n = n << 4 | (uint32_t)digit;
        (*at)++;
    }
    *ret = n;
    return true;
}

/* \uXXXX, where two of them can be the halves of a surrogate pair. */
static bool read_unicode4(struct orch_str s, size_t *at, uint32_t *ret)
{
    uint32_t high, low;
    if (!read_hex(s, at, 4, &high)) return false;
    if (high >= 0xD800 && high < 0xDC00 && *at + 1 < s.size && s.data[*at] == '\\' && s.data[*at + 1] == 'u') {
        size_t after = *at + 2;
        if (read_hex(s, &after, 4, &low) && low >= 0xDC00 && low < 0xE000) {
            *at = after;
            high = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    *ret = high;
    return true;
}

static const char escape_letters[] = "abfnrtv\\?\"'`";
static const char escape_meanings[] = "\a\b\f\n\r\t\v\\?\"'`";

/*
 * Decodes what stands between the quotes. Output is never longer than the input: the shortest escape of a
 * code point (\x and two digits for two bytes of UTF-8) is longer than its bytes.
 */
static int decode_string(struct lexer *lexer, struct token *token, struct orch_str raw, size_t raw_at)
{
    bool is_bytes = token->kind == TOKEN_BYTES;
    char *out = arena_bytes(lexer->arena, raw.size);
    if (!out) return error_memory(lexer->err);
    size_t size = 0;
    for (size_t i = 0; i < raw.size;) {
        if (raw.data[i] != '\\') {
            out[size++] = raw.data[i++];
            continue;
        }
        size_t escape_at = raw_at + i;
        char c = i + 1 < raw.size ? raw.data[i + 1] : '\0';
        i += 2;
        const char *found = c ? strchr(escape_letters, c) : NULL;
        if (found) {
            out[size++] = escape_meanings[found - escape_letters];
            continue;
        }
        uint32_t n = 0;
        bool is_octet = true;
        if (c == 'x' || c == 'X') {
            if (!read_hex(raw, &i, 2, &n)) return fail(lexer, escape_at, "\\x needs two hexadecimal digits");
        } else if (c >= '0' && c <= '3') {
            if (i + 2 > raw.size || raw.data[i] < '0' || raw.data[i] > '7' || raw.data[i + 1] < '0' ||
                raw.data[i + 1] > '7')
                return fail(lexer, escape_at, "an octal escape has three digits, \\000 to \\377");
            n = (uint32_t)(c - '0') << 6 | (uint32_t)(raw.data[i] - '0') << 3 | (uint32_t)(raw.data[i + 1] - '0');
            i += 2;
        } else if (c == 'u') {
            is_octet = false;
            if (!read_unicode4(raw, &i, &n)) return fail(lexer, escape_at, "\\u needs four hexadecimal digits");
        } else if (c == 'U') {
            is_octet = false;
            if (!read_hex(raw, &i, 8, &n)) return fail(lexer, escape_at, "\\U needs eight hexadecimal digits");
        } else {
            int rc = fail(lexer, escape_at, "unknown escape sequence");
            error_hint(lexer->err, "write \\\\ for a backslash, or a raw string r'...'");
            return rc;
        }
        if (is_bytes && is_octet) {
            out[size++] = (char)n;
            continue;
        }
        char encoded[4];
        size_t encoded_size = utf8_put(n, encoded);
        if (encoded_size == 0) return fail(lexer, escape_at, "this escape is no Unicode character");
        memcpy(out + size, encoded, encoded_size);
        size += encoded_size;
    }
    token->string = str_of(out, size);
    return 0;
}

static int lex_string(struct lexer *lexer, struct token *token, bool is_raw)
{
    char quote = peek(lexer, 0);
    size_t quote_size = peek(lexer, 1) == quote && peek(lexer, 2) == quote ? 3 : 1;
    lexer->at += quote_size;
    size_t start = lexer->at;
    bool has_escape = false;
    for (;;) {
        if (lexer->at >= lexer->source.size) break;
        char c = peek(lexer, 0);
        if (c == '\\' && !is_raw) {
            has_escape = true;
            lexer->at += 2;
            continue;
        }
        if (quote_size == 1 && (c == '\n' || c == '\r')) break;
        if (c == quote && (quote_size == 1 || (peek(lexer, 1) == quote && peek(lexer, 2) == quote))) {
            struct orch_str raw = str_of(lexer->source.data + start, lexer->at - start);
            lexer->at += quote_size;
            token->text = str_of(lexer->source.data + token->at, lexer->at - token->at);
            token->string = raw;
            return has_escape ? decode_string(lexer, token, raw, start) : 0;
        }
        lexer->at++;
    }
    int rc = fail(lexer, token->at, "string is not closed");
    error_hint(lexer->err, quote_size == 3 ? "end it with three quotes" : "end it with %c", quote);
    return rc;
}

/* A string may begin with r, b, br in either case. Returns false when this is no string. */
static bool string_prefix(const struct lexer *lexer, size_t *ret_size, bool *ret_raw, bool *ret_bytes)
{
    size_t size = 0;
    *ret_raw = *ret_bytes = false;
    if (peek(lexer, size) == 'b' || peek(lexer, size) == 'B') {
        *ret_bytes = true;
        size++;
    }
    if (peek(lexer, size) == 'r' || peek(lexer, size) == 'R') {
        *ret_raw = true;
        size++;
    }
    *ret_size = size;
    return peek(lexer, size) == '"' || peek(lexer, size) == '\'';
}

/* ---- names and punctuation ---- */

static int lex_name(struct lexer *lexer, struct token *token)
{
    while (is_name_part(peek(lexer, 0))) lexer->at++;
    token->kind = TOKEN_NAME;
    token->text = str_of(lexer->source.data + token->at, lexer->at - token->at);
    if (str_is(token->text, "true"))
        token->kind = TOKEN_TRUE;
    else if (str_is(token->text, "false"))
        token->kind = TOKEN_FALSE;
    else if (str_is(token->text, "null"))
        token->kind = TOKEN_NULL;
    else if (str_is(token->text, "in"))
        token->kind = TOKEN_IN;
    else
        token->reserved = expr_is_reserved(token->text);
    return 0;
}

static int lex_quoted_name(struct lexer *lexer, struct token *token)
{
    lexer->at++;
    size_t start = lexer->at;
    for (;;) {
        char c = peek(lexer, 0);
        if (c == '`') break;
        if (!is_name_part(c) && c != '.' && c != '-' && c != '/' && c != ' ')
            return fail(lexer, token->at, "a quoted field holds letters, digits, _ . - / and spaces, and ends with `");
        lexer->at++;
    }
    token->kind = TOKEN_QUOTED_NAME;
    token->text = str_of(lexer->source.data + start, lexer->at - start);
    lexer->at++;
    return token->text.size > 0 ? 0 : fail(lexer, token->at, "a quoted field is empty");
}

static int lex_punctuation(struct lexer *lexer, struct token *token)
{
    static const struct {
        const char *text;
        enum token_kind kind;
    } table[] = {
        {"||", TOKEN_OR},           {"&&", TOKEN_AND},        {"==", TOKEN_EQUAL},
        {"!=", TOKEN_NOT_EQUAL},    {"<=", TOKEN_LESS_EQUAL}, {">=", TOKEN_GREATER_EQUAL},
        {"<", TOKEN_LESS},          {">", TOKEN_GREATER},     {"+", TOKEN_PLUS},
        {"-", TOKEN_MINUS},         {"*", TOKEN_STAR},        {"/", TOKEN_SLASH},
        {"%", TOKEN_PERCENT},       {"!", TOKEN_NOT},         {"?", TOKEN_QUESTION},
        {":", TOKEN_COLON},         {",", TOKEN_COMMA},       {".", TOKEN_DOT},
        {"(", TOKEN_PAREN_OPEN},    {")", TOKEN_PAREN_CLOSE}, {"[", TOKEN_BRACKET_OPEN},
        {"]", TOKEN_BRACKET_CLOSE}, {"{", TOKEN_BRACE_OPEN},  {"}", TOKEN_BRACE_CLOSE},
    };
    struct orch_str rest = str_of(lexer->source.data + lexer->at, lexer->source.size - lexer->at);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct orch_str text = str_from(table[i].text);
        if (!str_starts_with(rest, text)) continue;
        lexer->at += text.size;
        token->kind = table[i].kind;
        token->text = str_of(rest.data, text.size);
        return 0;
    }
    size_t at = 0;
    (void)utf8_next(rest, &at); /* only to know how many bytes to show */
    if (at == 1 && ((unsigned char)rest.data[0] < 0x20 || rest.data[0] == 0x7f))
        return fail(lexer, lexer->at, "unexpected control character");
    int rc = expr_error_at(lexer->err, lexer->source, lexer->at, ORCH_ERR_INVALID, "unexpected character '%.*s'",
                           (int)at, rest.data);
    static const struct {
        char c;
        const char *hint;
    } hints[] = {{'=', "compare with =="},
                 {'&', "write && for and"},
                 {'|', "write || for or"},
                 {'$', "names stand alone: write name, not $name"}};
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        if (rest.data[0] == hints[i].c) error_hint(lexer->err, "%s", hints[i].hint);
    }
    return rc;
}

int expr_lex(struct lexer *lexer, struct token *ret)
{
    skip_space(lexer);
    struct token token = {.kind = TOKEN_END, .at = (uint32_t)lexer->at};
    char c = peek(lexer, 0);
    size_t prefix_size;
    bool is_raw, is_bytes;
    int rc = 0;
    if (lexer->at >= lexer->source.size) {
        /* TOKEN_END */
    } else if (is_digit(c) || (c == '.' && is_digit(peek(lexer, 1)))) {
        rc = lex_number(lexer, &token);
    } else if (string_prefix(lexer, &prefix_size, &is_raw, &is_bytes)) {
        token.kind = is_bytes ? TOKEN_BYTES : TOKEN_STRING;
        lexer->at += prefix_size;
        rc = lex_string(lexer, &token, is_raw);
    } else if (is_name_start(c)) {
        rc = lex_name(lexer, &token);
    } else if (c == '`') {
        rc = lex_quoted_name(lexer, &token);
    } else {
        rc = lex_punctuation(lexer, &token);
    }
    if (rc != 0) return rc;
    token.end = (uint32_t)lexer->at;
    *ret = token;
    return 0;
}
