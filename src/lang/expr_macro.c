/*
 * expr_macro.c - has() and the macros that go through a list or the keys of a map.
 *
 * Source: cel-spec, doc/langdef.md, "Macros". They become nodes of their own rather than the folds of
 * the specification: the result is the same, and a loop is cheaper than its expansion.
 */
#include "lang/expr_internal.h"

static const struct {
    const char *name;
    enum loop_kind loop;
    uint8_t args; /* 2: variable, predicate (MAP: transform); 3: variable, predicate, transform */
} loops[] = {
    {"all", LOOP_ALL, 2},
    {"exists", LOOP_EXISTS, 2},
    {"exists_one", LOOP_EXISTS_ONE, 2},
    {"existsOne", LOOP_EXISTS_ONE, 2},
    {"map", LOOP_MAP, 2},
    {"map", LOOP_MAP, 3},
    {"filter", LOOP_FILTER, 2},
};

const char *expr_macro_usage(struct orch_str name)
{
    static const struct {
        const char *name, *usage;
    } usages[] = {
        {"has", "has(x.field)"},
        {"all", "list.all(x, condition)"},
        {"exists", "list.exists(x, condition)"},
        {"exists_one", "list.exists_one(x, condition)"},
        {"existsOne", "list.existsOne(x, condition)"},
        {"map", "list.map(x, value) or list.map(x, condition, value)"},
        {"filter", "list.filter(x, condition)"},
    };
    for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++) {
        if (str_is(name, usages[i].name)) return usages[i].usage;
    }
    return NULL;
}

static int expand_has(struct parser *parser, const struct token *name, struct node **args, uint32_t count,
                      struct node **ret)
{
    if (count != 1 || args[0]->kind != NODE_SELECT) {
        int rc = expr_error_at(parser->err, parser->source, count > 0 ? args[0]->at : name->at, ORCH_ERR_INVALID,
                               "has() asks for a field: has(x.field)");
        if (count == 1 && args[0]->kind == NODE_INDEX) error_hint(parser->err, "for a key, write 'key' in x");
        return rc;
    }
    struct node *node = expr_node(parser, NODE_HAS, args[0]->at);
    if (!node) return ORCH_ERR_NO_MEMORY;
    node->select = args[0]->select;
    *ret = node;
    return expr_node_above(parser, node, node->select.operand);
}

int expr_macro_expand(struct parser *parser, struct node *receiver, const struct token *name, struct node **args,
                      uint32_t count, struct node **ret)
{
    if (!receiver) return str_is(name->text, "has") ? expand_has(parser, name, args, count, ret) : 0;
    size_t i = 0, loops_count = sizeof(loops) / sizeof(loops[0]);
    while (i < loops_count && !(loops[i].args == count && str_is(name->text, loops[i].name))) i++;
    if (i == loops_count) return 0;

    if (args[0]->kind != NODE_NAME || args[0]->rooted) {
        int rc = expr_error_at(parser->err, parser->source, args[0]->at, ORCH_ERR_INVALID,
                               "the first argument of %s must be a simple name", loops[i].name);
        error_hint(parser->err, "write %s", expr_macro_usage(name->text));
        return rc;
    }
    struct node *node = expr_node(parser, NODE_LOOP, name->at);
    struct node_loop *loop = ARENA_NEW(parser->arena, struct node_loop);
    if (!node || !loop) return error_memory(parser->err);
    node->op = (uint8_t)loops[i].loop;
    node->loop = loop;
    loop->range = receiver;
    loop->variable = args[0]->text;
    loop->variable_at = args[0]->at;
    if (loops[i].loop == LOOP_MAP) {
        loop->predicate = count == 3 ? args[1] : NULL;
        loop->transform = args[count - 1];
    } else {
        loop->predicate = args[1];
    }
    *ret = node;
    int rc = expr_node_above(parser, node, loop->range);
    if (rc == 0 && loop->predicate) rc = expr_node_above(parser, node, loop->predicate);
    if (rc == 0 && loop->transform) rc = expr_node_above(parser, node, loop->transform);
    return rc;
}
