/*
 * expr_parse.c - from tokens to nodes. Source: cel-spec, doc/langdef.md, the grammar in "Syntax".
 *
 * Not built: messages (`Type{...}`), since there are no protocol buffers here.
 */
#include "lang/expr_internal.h"

/* A list of nodes that grows in the arena. */
struct nodes {
    struct node **items;
    uint32_t count;
    uint32_t capacity;
};

static int parse_expr(struct parser *parser, struct node **ret);

static int fail_at(struct parser *parser, size_t at, const char *message)
{
    return expr_error_at(parser->err, parser->source, at, ORCH_ERR_INVALID, "%s", message);
}

static int advance(struct parser *parser)
{
    return expr_lex(&parser->lexer, &parser->token);
}

static int nodes_add(struct parser *parser, struct nodes *nodes, struct node *node)
{
    if (nodes->count == nodes->capacity) {
        uint32_t capacity = nodes->capacity ? nodes->capacity * 2 : 4;
        struct node **items = arena_alloc(parser->arena, capacity * sizeof(struct node *));
        if (!items) return error_memory(parser->err);
        if (nodes->count > 0) memcpy(items, nodes->items, nodes->count * sizeof(struct node *));
        nodes->items = items;
        nodes->capacity = capacity;
    }
    nodes->items[nodes->count++] = node;
    return 0;
}

struct node *expr_node(struct parser *parser, enum node_kind kind, size_t at)
{
    struct node *node = ARENA_NEW(parser->arena, struct node);
    if (!node) {
        error_memory(parser->err);
        return NULL;
    }
    node->kind = (uint8_t)kind;
    node->at = (uint32_t)at;
    node->height = 1;
    node->kinds = K_ANY;
    return node;
}

int expr_node_above(struct parser *parser, struct node *node, const struct node *below)
{
    if (below->height >= EXPR_HEIGHT_MAX)
        return expr_error_at(parser->err, parser->source, node->at, ORCH_ERR_LIMIT,
                             "this expression chains more than %d operations", EXPR_HEIGHT_MAX);
    if (node->height <= below->height) node->height = (uint16_t)(below->height + 1);
    return 0;
}

static int items_above(struct parser *parser, struct node *node, const struct nodes *nodes)
{
    node->items = nodes->items;
    node->count = nodes->count;
    for (uint32_t i = 0; i < nodes->count; i++) {
        int rc = expr_node_above(parser, node, nodes->items[i]);
        if (rc != 0) return rc;
    }
    return 0;
}

/* Names the token that was found instead. */
static int unexpected(struct parser *parser, const char *expected)
{
    const struct token *token = &parser->token;
    if (token->kind == TOKEN_END)
        return expr_error_at(parser->err, parser->source, token->at, ORCH_ERR_INVALID,
                             "unexpected end of the expression, expected %s", expected);
    /* As written, with the quotes that the text of a quoted name has not. */
    uint32_t size = token->end - token->at;
    int rc = expr_error_at(parser->err, parser->source, token->at, ORCH_ERR_INVALID, "unexpected '%.*s', expected %s",
                           (int)(size > 40 ? 40 : size), parser->source.data + token->at, expected);
    if (str_is(token->text, "and")) error_hint(parser->err, "write && for and");
    if (str_is(token->text, "or")) error_hint(parser->err, "write || for or");
    if (str_is(token->text, "not")) error_hint(parser->err, "write ! for not");
    return rc;
}

static int expect(struct parser *parser, enum token_kind kind, const char *expected)
{
    if (parser->token.kind != kind) return unexpected(parser, expected);
    return advance(parser);
}

static int constant(struct parser *parser, struct value value, struct node **ret)
{
    struct node *node = expr_node(parser, NODE_CONST, parser->token.at);
    if (!node) return ORCH_ERR_NO_MEMORY;
    node->constant = value;
    *ret = node;
    return advance(parser);
}

/* A number, with the minus before it that belongs to the literal (so that the least int can be written). */
static int parse_number(struct parser *parser, bool negative, struct node **ret)
{
    const struct token *token = &parser->token;
    switch (token->kind) {
    case TOKEN_INT:
        if (token->magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
            return fail_at(parser, token->at, "this integer does not fit into 64 bits");
        return constant(parser, value_int(negative ? (int64_t)(0 - token->magnitude) : (int64_t)token->magnitude), ret);
    case TOKEN_UINT:
        if (negative) return fail_at(parser, token->at, "a uint cannot be negative");
        return constant(parser, value_uint(token->magnitude), ret);
    default: return constant(parser, value_double(negative ? -token->real : token->real), ret);
    }
}

/* The arguments of a call, after the opening parenthesis. */
static int parse_arguments(struct parser *parser, struct nodes *ret)
{
    int rc;
    struct nodes nodes = {0};
    while (parser->token.kind != TOKEN_PAREN_CLOSE) {
        struct node *node;
        uint32_t at = parser->token.at;
        if ((rc = parse_expr(parser, &node)) != 0 || (rc = nodes_add(parser, &nodes, node)) != 0) return rc;
        if (nodes.count > EXPR_ARGS_MAX) return fail_at(parser, at, "too many arguments");
        if (parser->token.kind != TOKEN_COMMA) break;
        if ((rc = advance(parser)) != 0) return rc;
        if (parser->token.kind == TOKEN_PAREN_CLOSE) return unexpected(parser, "an argument");
    }
    if ((rc = expect(parser, TOKEN_PAREN_CLOSE, "')' or ','")) != 0) return rc;
    *ret = nodes;
    return 0;
}

/* In checked mode an error, else a node that fails when it is reached. `args` are dropped: they cannot matter. */
static int fail_call(struct parser *parser, const struct token *name, const char *message, const char *hint,
                     struct node **ret)
{
    if (!parser->unchecked) {
        int rc = fail_at(parser, name->at, message);
        if (hint[0]) error_hint(parser->err, "%s", hint);
        return rc;
    }
    struct node *node = expr_node(parser, NODE_FAIL, name->at);
    if (!node) return ORCH_ERR_NO_MEMORY;
    node->text = arena_str(parser->arena, str_from(message));
    if (!node->text.data) return error_memory(parser->err);
    *ret = node;
    return 0;
}

/* What other languages call a function of ours; NULL when we know no such word. */
static const char *other_name(struct orch_str name)
{
    static const struct {
        const char *theirs, *ours;
    } names[] = {
        {"len", "size"},         {"length", "size"},        {"count", "size"},
        {"upper", "upperAscii"}, {"toUpper", "upperAscii"}, {"toUpperCase", "upperAscii"},
        {"lower", "lowerAscii"}, {"toLower", "lowerAscii"}, {"toLowerCase", "lowerAscii"},
        {"strip", "trim"},       {"includes", "contains"},  {"str", "string"},
        {"toString", "string"},  {"float", "double"},       {"parseInt", "int"},
        {"any", "exists"},       {"some", "exists"},        {"every", "all"},
        {"test", "matches"},     {"match", "matches"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (str_is(name, names[i].theirs)) return names[i].ours;
    }
    return NULL;
}

static int unknown_function(struct parser *parser, const struct node *receiver, const struct token *name,
                            struct orch_str full_name, uint32_t count, struct node **ret)
{
    char message[160], hint[160] = "";
    const struct function *function = expr_function_find(full_name);
    const char *usage = expr_macro_usage(name->text);
    int shown = (int)(full_name.size > 60 ? 60 : full_name.size);
    uint32_t own = receiver ? 1 : 0;
    if (usage && (receiver || !function)) {
        snprintf(message, sizeof(message), "no matching overload: '%.*s' with %u argument%s", shown, full_name.data,
                 count - own, count - own == 1 ? "" : "s");
        snprintf(hint, sizeof(hint), "write %s", usage);
    } else if (function && !(function->style & (receiver ? STYLE_RECEIVER : STYLE_GLOBAL))) {
        snprintf(message, sizeof(message), "no matching overload: '%.*s' is not called this way", shown,
                 full_name.data);
        if (receiver)
            snprintf(hint, sizeof(hint), "write %s(x)", function->name);
        else
            snprintf(hint, sizeof(hint), "write x.%s(...)", function->name);
    } else if (function) {
        snprintf(message, sizeof(message), "no matching overload: '%.*s' with %u argument%s", shown, full_name.data,
                 count - own, count - own == 1 ? "" : "s");
        uint32_t least = function->args_min > own ? function->args_min - own : 0, most = function->args_max - own;
        if (least == most)
            snprintf(hint, sizeof(hint), "it takes %u", least);
        else if (function->args_max >= EXPR_ARGS_MAX)
            snprintf(hint, sizeof(hint), "it takes %u or more", least);
        else
            snprintf(hint, sizeof(hint), "it takes %u to %u", least, most);
    } else {
        snprintf(message, sizeof(message), "unknown function '%.*s'", shown, full_name.data);
        struct orch_str nearest = str_from(other_name(name->text));
        if (nearest.size == 0) nearest = expr_function_nearest(full_name);
        if (nearest.size > 0) snprintf(hint, sizeof(hint), "did you mean %.*s?", (int)nearest.size, nearest.data);
    }
    return fail_call(parser, name, message, hint, ret);
}

/*
 * Builds a call. `receiver` is NULL for f(x). A receiver that is a plain name can also be the namespace of
 * a function: strings.quote(x).
 */
static int build_call(struct parser *parser, struct node *receiver, const struct token *name, struct nodes args,
                      struct node **ret)
{
    int rc;
    *ret = NULL;
    if ((rc = expr_macro_expand(parser, receiver, name, args.items, args.count, ret)) != 0 || *ret) return rc;

    struct orch_str full_name = name->text;
    if (receiver && receiver->kind == NODE_NAME && receiver->text.size + name->text.size < 60) {
        char text[64];
        int size = snprintf(text, sizeof(text), "%.*s.%.*s", STR_ARG(receiver->text), STR_ARG(name->text));
        const struct function *function = expr_function_find(str_of(text, (size_t)size));
        if (function) {
            full_name = str_from(function->name);
            receiver = NULL;
        }
    }
    struct nodes items = args;
    if (receiver) {
        items = (struct nodes){0};
        rc = nodes_add(parser, &items, receiver);
        for (uint32_t i = 0; i < args.count && rc == 0; i++) rc = nodes_add(parser, &items, args.items[i]);
        if (rc != 0) return rc;
    }
    const struct function *function = expr_function_find(full_name);
    if (!function || !(function->style & (receiver ? STYLE_RECEIVER : STYLE_GLOBAL)) ||
        items.count < function->args_min || items.count > function->args_max)
        return unknown_function(parser, receiver, name, full_name, items.count, ret);
    struct node *node = expr_node(parser, NODE_CALL, name->at);
    if (!node) return ORCH_ERR_NO_MEMORY;
    if ((rc = items_above(parser, node, &items)) != 0) return rc;
    node->call.items = items.items;
    node->call.function = function;
    *ret = node;
    return 0;
}

/* A name, or a call of a function, at the start of a term. */
static int parse_name(struct parser *parser, bool rooted, struct node **ret)
{
    struct token name = parser->token;
    if (name.reserved) {
        int rc = expr_error_at(parser->err, parser->source, name.at, ORCH_ERR_INVALID, "'%.*s' is a reserved word",
                               STR_ARG(name.text));
        error_hint(parser->err, "as a field it is fine: x.%.*s", STR_ARG(name.text));
        return rc;
    }
    int rc = advance(parser);
    if (rc != 0) return rc;
    if (parser->token.kind == TOKEN_PAREN_OPEN) {
        struct nodes args;
        if ((rc = advance(parser)) != 0 || (rc = parse_arguments(parser, &args)) != 0) return rc;
        return build_call(parser, NULL, &name, args, ret);
    }
    struct node *node = expr_node(parser, NODE_NAME, name.at);
    if (!node) return ORCH_ERR_NO_MEMORY;
    node->text = name.text;
    node->rooted = rooted;
    *ret = node;
    return 0;
}

static int parse_list(struct parser *parser, struct node **ret)
{
    struct node *node = expr_node(parser, NODE_LIST, parser->token.at);
    if (!node) return ORCH_ERR_NO_MEMORY;
    struct nodes items = {0};
    int rc = advance(parser);
    if (rc != 0) return rc;
    while (parser->token.kind != TOKEN_BRACKET_CLOSE) {
        struct node *item;
        if ((rc = parse_expr(parser, &item)) != 0 || (rc = nodes_add(parser, &items, item)) != 0) return rc;
        if (parser->token.kind != TOKEN_COMMA) break;
        if ((rc = advance(parser)) != 0) return rc;
    }
    if ((rc = expect(parser, TOKEN_BRACKET_CLOSE, "']' or ','")) != 0) return rc;
    *ret = node;
    return items_above(parser, node, &items);
}

static int parse_map(struct parser *parser, struct node **ret)
{
    struct node *node = expr_node(parser, NODE_MAP, parser->token.at);
    if (!node) return ORCH_ERR_NO_MEMORY;
    struct nodes items = {0};
    int rc = advance(parser);
    if (rc != 0) return rc;
    while (parser->token.kind != TOKEN_BRACE_CLOSE) {
        struct node *key, *value;
        if ((rc = parse_expr(parser, &key)) != 0 || (rc = nodes_add(parser, &items, key)) != 0) return rc;
        if ((rc = expect(parser, TOKEN_COLON, "':' and the value of this key")) != 0) return rc;
        if ((rc = parse_expr(parser, &value)) != 0 || (rc = nodes_add(parser, &items, value)) != 0) return rc;
        if (parser->token.kind != TOKEN_COMMA) break;
        if ((rc = advance(parser)) != 0) return rc;
    }
    if ((rc = expect(parser, TOKEN_BRACE_CLOSE, "'}' or ','")) != 0) return rc;
    *ret = node;
    return items_above(parser, node, &items);
}

static int parse_primary(struct parser *parser, bool negative, struct node **ret)
{
    const struct token *token = &parser->token;
    int rc;
    switch (token->kind) {
    case TOKEN_INT:
    case TOKEN_UINT:
    case TOKEN_DOUBLE: return parse_number(parser, negative, ret);
    case TOKEN_TRUE: return constant(parser, value_bool(true), ret);
    case TOKEN_FALSE: return constant(parser, value_bool(false), ret);
    case TOKEN_NULL: return constant(parser, value_null(), ret);
    case TOKEN_STRING: return constant(parser, value_string(token->string), ret);
    case TOKEN_BYTES: {
        struct value value = value_string(token->string);
        value.kind = VALUE_BYTES;
        return constant(parser, value, ret);
    }
    case TOKEN_NAME: return parse_name(parser, false, ret);
    case TOKEN_DOT:
        if ((rc = advance(parser)) != 0) return rc;
        if (parser->token.kind != TOKEN_NAME) return unexpected(parser, "a name after '.'");
        return parse_name(parser, true, ret);
    case TOKEN_PAREN_OPEN:
        if ((rc = advance(parser)) != 0 || (rc = parse_expr(parser, ret)) != 0) return rc;
        return expect(parser, TOKEN_PAREN_CLOSE, "')'");
    case TOKEN_BRACKET_OPEN: return parse_list(parser, ret);
    case TOKEN_BRACE_OPEN: return parse_map(parser, ret);
    default: return unexpected(parser, "a value");
    }
}

/* After a dot: a field, or a method with its arguments. */
static int parse_field(struct parser *parser, struct node *operand, struct node **ret)
{
    struct token name = parser->token;
    if (name.kind != TOKEN_NAME && name.kind != TOKEN_QUOTED_NAME) return unexpected(parser, "a field after '.'");
    int rc = advance(parser);
    if (rc != 0) return rc;
    if (parser->token.kind == TOKEN_PAREN_OPEN && name.kind == TOKEN_NAME) {
        struct nodes args;
        if ((rc = advance(parser)) != 0 || (rc = parse_arguments(parser, &args)) != 0) return rc;
        return build_call(parser, operand, &name, args, ret);
    }
    struct node *node = expr_node(parser, NODE_SELECT, name.at);
    if (!node) return ORCH_ERR_NO_MEMORY;
    node->select.operand = operand;
    node->select.field = name.text;
    *ret = node;
    return expr_node_above(parser, node, operand);
}

static int parse_member(struct parser *parser, bool negative, struct node **ret)
{
    struct node *node;
    int rc = parse_primary(parser, negative, &node);
    while (rc == 0) {
        uint32_t at = parser->token.at;
        if (parser->token.kind == TOKEN_DOT) {
            if ((rc = advance(parser)) == 0) rc = parse_field(parser, node, &node);
        } else if (parser->token.kind == TOKEN_BRACKET_OPEN) {
            struct node *key, *index = expr_node(parser, NODE_INDEX, at);
            if (!index) return ORCH_ERR_NO_MEMORY;
            if ((rc = advance(parser)) != 0 || (rc = parse_expr(parser, &key)) != 0 ||
                (rc = expect(parser, TOKEN_BRACKET_CLOSE, "']'")) != 0)
                return rc;
            index->pair.left = node;
            index->pair.right = key;
            if ((rc = expr_node_above(parser, index, node)) == 0) rc = expr_node_above(parser, index, key);
            node = index;
        } else if (parser->token.kind == TOKEN_BRACE_OPEN) {
            return fail_at(parser, at, "messages cannot be built here: there are no protocol buffers");
        } else {
            *ret = node;
            return 0;
        }
    }
    return rc;
}

static int parse_unary(struct parser *parser, struct node **ret)
{
    enum token_kind kind = parser->token.kind;
    if (kind != TOKEN_NOT && kind != TOKEN_MINUS) return parse_member(parser, false, ret);
    uint32_t at = parser->token.at, count = 0;
    int rc;
    while (parser->token.kind == kind) {
        count++;
        if ((rc = advance(parser)) != 0) return rc;
    }
    bool is_number =
        parser->token.kind == TOKEN_INT || parser->token.kind == TOKEN_UINT || parser->token.kind == TOKEN_DOUBLE;
    bool negative = kind == TOKEN_MINUS && is_number;
    struct node *operand;
    if ((rc = parse_member(parser, negative, &operand)) != 0) return rc;
    if (negative) count--;
    if (count == 0) {
        *ret = operand;
        return 0;
    }
    struct node *node = expr_node(parser, kind == TOKEN_NOT ? NODE_NOT : NODE_NEGATE, at);
    if (!node) return ORCH_ERR_NO_MEMORY;
    node->one = operand;
    node->count = count;
    *ret = node;
    return expr_node_above(parser, node, operand);
}

/* How tightly a binary operator binds, 0 when the token is none. */
static int precedence(enum token_kind kind, enum operator* ret)
{
    switch (kind) {
    case TOKEN_EQUAL: *ret = OPERATOR_EQUAL; return 1;
    case TOKEN_NOT_EQUAL: *ret = OPERATOR_NOT_EQUAL; return 1;
    case TOKEN_LESS: *ret = OPERATOR_LESS; return 1;
    case TOKEN_LESS_EQUAL: *ret = OPERATOR_LESS_EQUAL; return 1;
    case TOKEN_GREATER: *ret = OPERATOR_GREATER; return 1;
    case TOKEN_GREATER_EQUAL: *ret = OPERATOR_GREATER_EQUAL; return 1;
    case TOKEN_IN: *ret = OPERATOR_IN; return 1;
    case TOKEN_PLUS: *ret = OPERATOR_ADD; return 2;
    case TOKEN_MINUS: *ret = OPERATOR_SUBTRACT; return 2;
    case TOKEN_STAR: *ret = OPERATOR_MULTIPLY; return 3;
    case TOKEN_SLASH: *ret = OPERATOR_DIVIDE; return 3;
    case TOKEN_PERCENT: *ret = OPERATOR_MODULO; return 3;
    default: return 0;
    }
}

static int parse_binary(struct parser *parser, int least, struct node **ret)
{
    struct node *left, *right;
    int rc = parse_unary(parser, &left);
    if (rc != 0) return rc;
    for (;;) {
        enum operator op;
        int binds = precedence(parser->token.kind, &op);
        if (binds == 0 || binds < least) break;
        struct node *node = expr_node(parser, NODE_BINARY, parser->token.at);
        if (!node) return ORCH_ERR_NO_MEMORY;
        if ((rc = advance(parser)) != 0 || (rc = parse_binary(parser, binds + 1, &right)) != 0) return rc;
        node->op = (uint8_t)op;
        node->pair.left = left;
        node->pair.right = right;
        if ((rc = expr_node_above(parser, node, left)) != 0 || (rc = expr_node_above(parser, node, right)) != 0)
            return rc;
        left = node;
    }
    *ret = left;
    return 0;
}

/* a && b && c: one node, so that a long row is not a high tree. */
static int parse_row(struct parser *parser, enum token_kind separator, struct node **ret)
{
    struct nodes items = {0};
    uint32_t at = 0;
    for (;;) {
        struct node *item;
        int rc = separator == TOKEN_OR ? parse_row(parser, TOKEN_AND, &item) : parse_binary(parser, 1, &item);
        if (rc != 0) return rc;
        if (parser->token.kind != separator && items.count == 0) {
            *ret = item;
            return 0;
        }
        if ((rc = nodes_add(parser, &items, item)) != 0) return rc;
        if (parser->token.kind != separator) break;
        if (items.count == 1) at = parser->token.at;
        if ((rc = advance(parser)) != 0) return rc;
    }
    struct node *node = expr_node(parser, separator == TOKEN_OR ? NODE_OR : NODE_AND, at);
    if (!node) return ORCH_ERR_NO_MEMORY;
    *ret = node;
    return items_above(parser, node, &items);
}

static int parse_conditional(struct parser *parser, struct node **ret)
{
    struct node *condition;
    int rc = parse_row(parser, TOKEN_OR, &condition);
    if (rc != 0 || parser->token.kind != TOKEN_QUESTION) {
        *ret = condition;
        return rc;
    }
    struct node *node = expr_node(parser, NODE_COND, parser->token.at);
    if (!node) return ORCH_ERR_NO_MEMORY;
    node->cond.condition = condition;
    if ((rc = advance(parser)) != 0 || (rc = parse_row(parser, TOKEN_OR, &node->cond.yes)) != 0 ||
        (rc = expect(parser, TOKEN_COLON, "':' and the other branch")) != 0 ||
        (rc = parse_expr(parser, &node->cond.no)) != 0)
        return rc;
    *ret = node;
    if ((rc = expr_node_above(parser, node, condition)) != 0) return rc;
    if ((rc = expr_node_above(parser, node, node->cond.yes)) != 0) return rc;
    return expr_node_above(parser, node, node->cond.no);
}

static int parse_expr(struct parser *parser, struct node **ret)
{
    if (parser->depth >= parser->depth_max)
        return expr_error_at(parser->err, parser->source, parser->token.at, ORCH_ERR_LIMIT,
                             "this expression is nested deeper than %u levels", parser->depth_max);
    parser->depth++;
    int rc = parse_conditional(parser, ret);
    parser->depth--;
    return rc;
}

int expr_parse(struct parser *parser, struct node **ret)
{
    int rc = advance(parser);
    if (rc != 0) return rc;
    if (parser->token.kind == TOKEN_END) {
        rc = fail_at(parser, 0, "the expression is empty");
        return rc;
    }
    if ((rc = parse_expr(parser, ret)) != 0) return rc;
    if (parser->token.kind != TOKEN_END) return unexpected(parser, "an operator or the end");
    return 0;
}
