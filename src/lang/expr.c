/*
 * expr.c - the public face of the expression language: compile, evaluate, ask about names.
 */
#include "lang/expr_internal.h"

int expr_compile(struct orch_str source, const struct expr_limits *limits, struct arena *arena, const struct expr **ret,
                 struct orch_error *err)
{
    uint32_t source_max = limits && limits->source_max ? limits->source_max : EXPR_SOURCE_MAX;
    uint32_t depth_max = limits && limits->depth_max ? limits->depth_max : EXPR_DEPTH_MAX;
    if (source.size > source_max)
        return error_set(err, ORCH_ERR_LIMIT, "an expression of %zu bytes is longer than %u", source.size, source_max);
    size_t bad_at;
    if (!utf8_is_valid(source, &bad_at))
        return expr_error_at(err, source, bad_at, ORCH_ERR_INVALID, "the expression is not valid UTF-8");

    struct expr *expr = ARENA_NEW(arena, struct expr);
    if (!expr) return error_memory(err);
    expr->source = arena_str(arena, source);
    if (!expr->source.data) return error_memory(err);
    struct parser parser = {
        .lexer = {.source = expr->source, .arena = arena, .err = err},
        .source = expr->source,
        .arena = arena,
        .err = err,
        .depth_max = depth_max < EXPR_HEIGHT_MAX / 2 ? depth_max : EXPR_HEIGHT_MAX / 2,
        .unchecked = limits && limits->unchecked,
    };
    int rc = expr_parse(&parser, &expr->root);
    if (rc == 0) rc = expr_check(&parser, expr);
    if (rc == 0) *ret = expr;
    return rc;
}

struct orch_str expr_source(const struct expr *expr)
{
    return expr->source;
}

int expr_each_name(const struct expr *expr, int (*fn)(void *user, const struct expr_name *name), void *user)
{
    for (const struct name_reference *r = expr->references; r; r = r->next) {
        int rc = fn(user, &r->name);
        if (rc != 0) return rc;
    }
    return 0;
}

bool expr_is_constant(const struct expr *expr, struct value *ret)
{
    if (expr->root->kind != NODE_CONST) return false;
    if (ret) *ret = expr->root->constant;
    return true;
}

enum value_kind expr_result_kind(const struct expr *expr, bool *ret_known)
{
    uint16_t kinds = expr->root->kinds;
    /* A number's text counts as a double: which of the two it is says nothing about its type. */
    if (kinds & K(NUMBER)) kinds = (uint16_t)((kinds & ~K(NUMBER)) | K(DOUBLE));
    for (int kind = VALUE_NULL; kind <= VALUE_TYPE; kind++) {
        if (kinds != 1u << kind) continue;
        *ret_known = true;
        return (enum value_kind)kind;
    }
    *ret_known = false;
    return VALUE_NULL;
}

/* ---- evaluation ---- */

#define NAMES_ON_STACK  16
#define LOCALS_ON_STACK 8

static void eval_init(struct eval *eval, struct arena *arena, struct orch_str source, const struct expr_limits *limits)
{
    /* Not the whole struct: the error in it is large, and is filled only when something fails. */
    memset(eval, 0, offsetof(struct eval, error));
    eval->arena = arena;
    eval->source = source;
    eval->cost_max = limits && limits->cost_max ? limits->cost_max : EXPR_COST_MAX;
    eval->size_max = limits && limits->result_max ? limits->result_max : EXPR_RESULT_MAX;
}

int expr_eval(const struct expr *expr, const struct expr_env *env, struct arena *arena, struct value *ret,
              struct orch_error *err)
{
    struct name_value names_small[NAMES_ON_STACK];
    struct value locals_small[LOCALS_ON_STACK];
    struct eval eval;
    eval_init(&eval, arena, expr->source, env->limits);
    eval.expr = expr;
    eval.env = env;
    eval.names = names_small;
    eval.locals = locals_small;
    if (expr->names_count > NAMES_ON_STACK)
        eval.names = ARENA_ARRAY(arena, expr->names_count, struct name_value);
    else
        memset(names_small, 0, expr->names_count * sizeof(names_small[0]));
    if (expr->locals_count > LOCALS_ON_STACK) eval.locals = ARENA_ARRAY(arena, expr->locals_count, struct value);
    if (!eval.names || !eval.locals) return error_memory(err);

    struct value value;
    int rc = expr_eval_node(&eval, expr->root, &value);
    if (rc == 0 && eval.has_built) rc = expr_measure(&eval, expr->root, value);
    expr_regex_done(&eval);
    if (rc == 0)
        *ret = value;
    else if (err)
        *err = eval.error;
    return rc;
}

int expr_eval_constant(struct arena *arena, struct orch_str source, const struct node *node, struct value *ret,
                       struct orch_error *err)
{
    static const struct expr_limits limits = {.cost_max = 10000, .result_max = 256 * 1024};
    static const struct expr_env env = {0};
    struct eval eval;
    eval_init(&eval, arena, source, &limits);
    eval.env = &env;
    struct value value;
    int rc = expr_eval_node(&eval, node, &value);
    if (rc == 0 && eval.has_built) rc = expr_measure(&eval, node, value);
    expr_regex_done(&eval);
    if (rc == 0)
        *ret = value;
    else if (err)
        *err = eval.error;
    return rc;
}
