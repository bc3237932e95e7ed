/*
 * expr_check.c - after parsing: which name is whose, what can never work, and what is constant already.
 *
 * CEL's checker knows the types of the names; here they come from JSON and are known only when they
 * are there. So a set of kinds goes up the tree, and only an operation that fits none of them is refused.
 */
#include "base/map.h"
#include "lang/expr_internal.h"

/* The variable of a macro, innermost first. */
struct scope {
    struct orch_str name;
    uint32_t slot;
    const struct scope *above;
};

/* The fields selected from the node that is being checked, nearest first. */
struct chain {
    struct orch_str field, field2;
    size_t at;
    bool in_has;
    bool is_select; /* the node above is a plain a.b */
};

struct checker {
    struct parser *parser;
    struct expr *expr;
    struct map names; /* name to index in expr->names */
    uint32_t names_capacity;
    struct name_reference **last;
    uint32_t depth; /* of macros around */
};

static int check(struct checker *checker, struct node *node, const struct scope *scope, const struct chain *chain);

/* ---- names ---- */

static int name_slot(struct checker *checker, struct orch_str name, uint32_t *ret)
{
    struct expr *expr = checker->expr;
    bool added;
    struct map_entry *entry = map_add(&checker->names, name, &added);
    if (!entry) return error_memory(checker->parser->err);
    if (!added) {
        *ret = (uint32_t)entry->number;
        return 0;
    }
    if (expr->names_count == checker->names_capacity) {
        uint32_t capacity = checker->names_capacity ? checker->names_capacity * 2 : 4;
        struct expr_name_slot *names = ARENA_ARRAY(checker->parser->arena, capacity, struct expr_name_slot);
        if (!names) return error_memory(checker->parser->err);
        if (expr->names_count > 0) memcpy(names, expr->names, expr->names_count * sizeof(names[0]));
        expr->names = names;
        checker->names_capacity = capacity;
    }
    struct expr_name_slot *slot = &expr->names[expr->names_count];
    slot->name = name;
    if (str_is(name, "now"))
        slot->meaning = NAME_NOW;
    else if (expr_type_find(name, &slot->type))
        slot->meaning = NAME_TYPE;
    entry->number = expr->names_count;
    *ret = expr->names_count++;
    return 0;
}

static int check_name(struct checker *checker, struct node *node, const struct scope *scope, const struct chain *chain)
{
    if (!node->rooted) {
        for (const struct scope *s = scope; s; s = s->above) {
            if (!str_equal(s->name, node->text)) continue;
            node->kind = NODE_LOCAL;
            node->count = s->slot;
            return 0;
        }
    }
    int rc = name_slot(checker, node->text, &node->count);
    if (rc != 0) return rc;
    struct name_reference *reference = ARENA_NEW(checker->parser->arena, struct name_reference);
    if (!reference) return error_memory(checker->parser->err);
    reference->name = (struct expr_name){.name = node->text, .column = expr_column(checker->expr->source, node->at)};
    reference->name.is_builtin = checker->expr->names[node->count].meaning != NAME_FREE;
    if (chain) {
        reference->name.field = chain->field;
        reference->name.field2 = chain->field2;
        reference->name.field_column = chain->field.data ? expr_column(checker->expr->source, chain->at) : 0;
        reference->name.in_has = chain->in_has;
    }
    *checker->last = reference;
    checker->last = &reference->next;
    return 0;
}

/* google.protobuf.Timestamp and .Duration are the only types whose names have dots. */
static bool is_qualified_type(const struct node *node, struct value *ret)
{
    const struct node *package = node->select.operand;
    if (package->kind != NODE_SELECT || !str_is(package->select.field, "protobuf")) return false;
    const struct node *root = package->select.operand;
    if (root->kind != NODE_NAME || !str_is(root->text, "google")) return false;
    char text[64];
    if (node->select.field.size > 20) return false;
    int size = snprintf(text, sizeof(text), "google.protobuf.%.*s", STR_ARG(node->select.field));
    return expr_type_find(str_of(text, (size_t)size), ret);
}

/* ---- what fits ---- */

/* "int or string", for messages. */
static const char *kinds_text(uint16_t kinds, char *out, size_t size)
{
    static const enum value_kind order[] = {VALUE_NULL,   VALUE_BOOL,      VALUE_INT,      VALUE_UINT,
                                            VALUE_DOUBLE, VALUE_STRING,    VALUE_BYTES,    VALUE_LIST,
                                            VALUE_MAP,    VALUE_TIMESTAMP, VALUE_DURATION, VALUE_TYPE};
    if ((kinds & K_ANY) == K_ANY) return "any";
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (!(kinds >> order[i] & 1)) continue;
        int written = snprintf(out + at, size - at, "%s%s", at > 0 ? "|" : "", expr_kind_name(order[i]));
        if (written < 0 || (size_t)written >= size - at) break;
        at += (size_t)written;
    }
    return out;
}

static int refuse(struct checker *checker, const struct node *node, const char *text)
{
    return expr_error_at(checker->parser->err, checker->expr->source, node->at, ORCH_ERR_INVALID,
                         "no matching overload: %s", text);
}

static bool is_numbers(uint16_t kinds)
{
    return kinds != 0 && (kinds & ~K_NUMBERS) == 0;
}

static int check_binary(struct checker *checker, struct node *node)
{
    uint16_t a = node->pair.left->kinds, b = node->pair.right->kinds;
    node->kinds = expr_operator_kinds((enum operator)node->op, a, b);
    if (node->kinds != 0) return 0;
    node->kinds = K_ANY;
    if (checker->parser->unchecked) return 0;
    char left[96], right[96], text[256];
    snprintf(text, sizeof(text), "%s %s %s", kinds_text(a, left, sizeof(left)),
             expr_operator_text((enum operator)node->op), kinds_text(b, right, sizeof(right)));
    int rc = refuse(checker, node, text);
    if (is_numbers(a) && is_numbers(b) && node->op != OPERATOR_MODULO)
        error_hint(checker->parser->err, "convert one side with double(...), int(...) or uint(...)");
    else if (node->op == OPERATOR_ADD && ((a | b) == (a | K(STRING)) || (a | b) == (b | K(STRING))))
        error_hint(checker->parser->err, "convert to text with string(...)");
    return rc;
}

/* An operand that must be able to be one of `kinds`. */
static int check_operand(struct checker *checker, const struct node *at, const struct node *operand, uint16_t kinds,
                         const char *format)
{
    if ((operand->kinds & kinds) != 0 || checker->parser->unchecked) return 0;
    char kind[96], text[256];
    snprintf(text, sizeof(text), format, kinds_text(operand->kinds, kind, sizeof(kind)));
    return refuse(checker, at, text);
}

static int check_call(struct checker *checker, struct node *node)
{
    const struct function *function = node->call.function;
    node->kinds = function->result;
    for (uint32_t i = 0; i < node->count; i++) {
        if ((node->call.items[i]->kinds & expr_function_param(function, i)) != 0 || checker->parser->unchecked)
            continue;
        char text[256], kind[96];
        size_t at = 0;
        bool receiver = !(function->style & STYLE_GLOBAL);
        for (uint32_t j = 0; j < node->count; j++) {
            const char *name = kinds_text(node->call.items[j]->kinds, kind, sizeof(kind));
            int written;
            if (receiver && j == 0)
                written = snprintf(text, sizeof(text), "%s.%s(", name, function->name);
            else if (j == 0)
                written = snprintf(text, sizeof(text), "%s(%s", function->name, name);
            else
                written = snprintf(text + at, sizeof(text) - at, "%s%s", receiver && j == 1 ? "" : ", ", name);
            at += (size_t)written;
            if (at >= sizeof(text) - 4) break;
        }
        if (at < sizeof(text) - 1) snprintf(text + at, sizeof(text) - at, ")");
        int rc = refuse(checker, node, text);
        char wanted[96];
        error_hint(checker->parser->err, "%s takes %s there", function->name,
                   kinds_text(expr_function_param(function, i), wanted, sizeof(wanted)));
        return rc;
    }
    return 0;
}

/* A constant pattern is compiled once, here. */
static int check_pattern(struct checker *checker, struct node *node)
{
    if (!str_is(str_from(node->call.function->name), "matches")) return 0;
    const struct node *pattern = node->call.items[1];
    if (pattern->kind != NODE_CONST || pattern->constant.kind != VALUE_STRING) return 0;
    struct orch_error err = ORCH_ERROR_INIT;
    int rc = expr_regex_compile(value_str(pattern->constant), checker->parser->arena, &node->call.regex, &err);
    if (rc == 0 || (rc != ORCH_ERR_NO_MEMORY && checker->parser->unchecked)) return 0;
    expr_error_at(checker->parser->err, checker->expr->source, pattern->at, rc, "%s", err.message);
    if (err.hint[0]) error_hint(checker->parser->err, "%s", err.hint);
    return rc;
}

/* ---- folding ---- */

static bool are_constant(struct node *const *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (items[i]->kind != NODE_CONST) return false;
    }
    return true;
}

static bool can_fold(const struct node *node)
{
    switch ((enum node_kind)node->kind) {
    case NODE_NOT:
    case NODE_NEGATE: return node->one->kind == NODE_CONST;
    case NODE_INDEX:
    case NODE_BINARY: return node->pair.left->kind == NODE_CONST && node->pair.right->kind == NODE_CONST;
    case NODE_SELECT:
    case NODE_HAS: return node->select.operand->kind == NODE_CONST;
    case NODE_COND:
        return node->cond.condition->kind == NODE_CONST && node->cond.yes->kind == NODE_CONST &&
               node->cond.no->kind == NODE_CONST;
    case NODE_AND:
    case NODE_OR:
    case NODE_LIST:
    case NODE_MAP: return are_constant(node->items, node->count);
    case NODE_CALL: return node->call.function->is_constant && are_constant(node->call.items, node->count);
    case NODE_CONST:
    case NODE_NAME:
    case NODE_LOCAL:
    case NODE_LOOP:
    case NODE_FAIL: return false;
    }
    return false;
}

/* What fails stays as it is: it fails again, at its place, if it is ever reached. */
static int fold(struct checker *checker, struct node *node)
{
    if (!can_fold(node)) return 0;
    struct value value;
    int rc = expr_eval_constant(checker->parser->arena, checker->expr->source, node, &value, NULL);
    if (rc == ORCH_ERR_NO_MEMORY) return error_memory(checker->parser->err);
    if (rc != 0) return 0;
    node->kind = NODE_CONST;
    node->constant = value;
    node->kinds = (uint16_t)(1u << value.kind);
    return 0;
}

/* ---- the walk ---- */

static int check_items(struct checker *checker, struct node **items, uint32_t count, const struct scope *scope)
{
    for (uint32_t i = 0; i < count; i++) {
        int rc = check(checker, items[i], scope, NULL);
        if (rc != 0) return rc;
    }
    return 0;
}

static int check_select(struct checker *checker, struct node *node, const struct scope *scope,
                        const struct chain *chain)
{
    struct value type;
    if (node->kind == NODE_SELECT && is_qualified_type(node, &type)) {
        node->kind = NODE_CONST;
        node->constant = type;
        node->kinds = K(TYPE);
        return 0;
    }
    struct chain own = {.field = node->select.field,
                        .at = node->at,
                        .in_has = node->kind == NODE_HAS,
                        .is_select = node->kind == NODE_SELECT};
    if (chain) {
        own.field2 = chain->field;
        own.in_has |= chain->in_has;
    }
    int rc = check(checker, node->select.operand, scope, &own);
    if (rc != 0) return rc;
    node->kinds = node->kind == NODE_HAS ? K(BOOL) : K_ANY;
    /* The last one of a.b.c knows the whole qualified name. */
    if (node->kind == NODE_SELECT && !(chain && chain->is_select)) {
        const struct node *root = node->select.operand;
        while (root->kind == NODE_SELECT) root = root->select.operand;
        node->op = root->kind == NODE_NAME;
    }
    return check_operand(checker, node, node->select.operand, K(MAP), "%s does not support field selection");
}

static int check_index(struct checker *checker, struct node *node, const struct scope *scope, const struct chain *chain)
{
    const struct node *key = node->pair.right;
    struct chain own = {0};
    if (key->kind == NODE_CONST && key->constant.kind == VALUE_STRING) {
        own = (struct chain){.field = value_str(key->constant), .at = key->at};
        if (chain) own.field2 = chain->field;
    }
    own.in_has = chain && chain->in_has;
    int rc = check(checker, node->pair.left, scope, &own);
    if (rc == 0) rc = check(checker, node->pair.right, scope, NULL);
    if (rc != 0) return rc;
    node->kinds = K_ANY;
    return check_operand(checker, node, node->pair.left, K(LIST) | K(MAP), "%s does not support indexing");
}

static int check_loop(struct checker *checker, struct node *node, const struct scope *scope)
{
    struct node_loop *loop = node->loop;
    int rc = check(checker, loop->range, scope, NULL);
    if (rc != 0) return rc;
    rc = check_operand(checker, node, loop->range, K(LIST) | K(MAP), "a macro goes through a list or a map, not %s");
    if (rc != 0) return rc;
    struct scope own = {.name = loop->variable, .slot = checker->depth, .above = scope};
    loop->slot = own.slot;
    checker->depth++;
    if (checker->depth > checker->expr->locals_count) checker->expr->locals_count = checker->depth;
    if (loop->predicate) rc = check(checker, loop->predicate, &own, NULL);
    if (rc == 0 && loop->transform) rc = check(checker, loop->transform, &own, NULL);
    checker->depth--;
    if (rc != 0) return rc;
    node->kinds = node->op == LOOP_MAP || node->op == LOOP_FILTER ? K(LIST) : K(BOOL);
    return loop->predicate ? check_operand(checker, loop->predicate, loop->predicate, K(BOOL),
                                           "the condition of a macro is %s, not bool")
                           : 0;
}

static int check_children(struct checker *checker, struct node *node, const struct scope *scope,
                          const struct chain *chain)
{
    int rc = 0;
    switch ((enum node_kind)node->kind) {
    case NODE_CONST: node->kinds = (uint16_t)(1u << node->constant.kind); return 0;
    case NODE_NAME: return check_name(checker, node, scope, chain);
    case NODE_LOCAL:
    case NODE_FAIL: return 0;
    case NODE_SELECT:
    case NODE_HAS: return check_select(checker, node, scope, chain);
    case NODE_INDEX: return check_index(checker, node, scope, chain);
    case NODE_NOT:
        node->kinds = K(BOOL);
        if ((rc = check(checker, node->one, scope, NULL)) != 0) return rc;
        return check_operand(checker, node, node->one, K(BOOL), "!%s");
    case NODE_NEGATE:
        if ((rc = check(checker, node->one, scope, NULL)) != 0) return rc;
        node->kinds = node->one->kinds & (K(INT) | K_DOUBLE);
        if (node->kinds & K(NUMBER)) node->kinds |= K(DOUBLE);
        if (node->kinds == 0) node->kinds = K_ANY;
        return check_operand(checker, node, node->one, K(INT) | K_DOUBLE, "-%s");
    case NODE_AND:
    case NODE_OR:
        node->kinds = K(BOOL);
        for (uint32_t i = 0; i < node->count; i++) {
            if ((rc = check(checker, node->items[i], scope, NULL)) != 0) return rc;
            rc = check_operand(checker, node, node->items[i], K(BOOL),
                               node->kind == NODE_AND ? "%s is no operand of &&, which takes bool"
                                                      : "%s is no operand of ||, which takes bool");
            if (rc != 0) return rc;
        }
        return 0;
    case NODE_COND:
        if ((rc = check(checker, node->cond.condition, scope, NULL)) != 0) return rc;
        if ((rc = check(checker, node->cond.yes, scope, NULL)) != 0) return rc;
        if ((rc = check(checker, node->cond.no, scope, NULL)) != 0) return rc;
        node->kinds = node->cond.yes->kinds | node->cond.no->kinds;
        return check_operand(checker, node, node->cond.condition, K(BOOL), "the condition of ?: is %s, not bool");
    case NODE_BINARY:
        if ((rc = check(checker, node->pair.left, scope, NULL)) != 0) return rc;
        if ((rc = check(checker, node->pair.right, scope, NULL)) != 0) return rc;
        return check_binary(checker, node);
    case NODE_LIST: node->kinds = K(LIST); return check_items(checker, node->items, node->count, scope);
    case NODE_MAP: node->kinds = K(MAP); return check_items(checker, node->items, node->count, scope);
    case NODE_CALL:
        if ((rc = check_items(checker, node->call.items, node->count, scope)) != 0) return rc;
        if ((rc = check_call(checker, node)) != 0) return rc;
        return check_pattern(checker, node);
    case NODE_LOOP: return check_loop(checker, node, scope);
    }
    return 0;
}

static int check(struct checker *checker, struct node *node, const struct scope *scope, const struct chain *chain)
{
    int rc = check_children(checker, node, scope, chain);
    return rc == 0 ? fold(checker, node) : rc;
}

int expr_check(struct parser *parser, struct expr *expr)
{
    struct checker checker = {.parser = parser, .expr = expr, .last = &expr->references};
    map_init(&checker.names, parser->arena->allocator);
    int rc = check(&checker, expr->root, NULL, NULL);
    map_done(&checker.names);
    return rc;
}
