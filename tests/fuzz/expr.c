/*
 * expr.c - fuzzes expressions: lexer, parser, checker and evaluator, within small limits. A value that comes out is one
 * that JSON takes, the source compiles again, and the same evaluation gives the same.
 */
#include "fuzz.h"

#include "lang/expr.h"

static int lookup(void *user, struct orch_str name, struct arena *arena, struct value *ret, struct orch_error *err)
{
    (void)arena;
    if (!str_is(name, "x")) return ORCH_ERR_NOT_FOUND; /* an absent name is no error of ours to tell */
    (void)err;
    *ret = *(const struct value *)user;
    return 0;
}

static int count_name(void *user, const struct expr_name *name)
{
    PROPERTY(name->name.size > 0 && name->column > 0);
    ++*(uint32_t *)user;
    return 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const struct expr_limits limits = {.cost_max = 20000, .result_max = 1 << 20};
    struct orch_str source = str_of((const char *)data, size);
    struct orch_error err = ORCH_ERROR_INIT;
    struct value x, value, again, constant;
    struct expr_env env = {.lookup = lookup, .user = &x, .now = INT64_C(1772344808312000), .limits = &limits};
    const struct expr *expr;
    struct arena arena;
    struct buf first, second;
    uint32_t names = 0;
    int r, r2;

    arena_init(&arena, NULL, FUZZ_MEMORY_MAX);
    buf_init(&first, NULL, FUZZ_MEMORY_MAX);
    buf_init(&second, NULL, FUZZ_MEMORY_MAX);
    PROPERTY(json_parse(STR("{\"a\":[1,2.5,\"b\",null,true],\"s\":\"text\",\"n\":{\"k\":-1}}"), NULL, &arena, &x,
                        &err) == 0);
    r = expr_compile(source, &limits, &arena, &expr, &err);
    if (r != 0) {
        expect_error(r, &err);
        goto done;
    }
    PROPERTY(str_equal(expr_source(expr), source));
    PROPERTY(expr_each_name(expr, count_name, &names) == 0);
    (void)expr_is_constant(expr, &constant);
    r = expr_eval(expr, &env, &arena, &value, &err);
    if (r != 0) expect_error(r, &err);
    err = (struct orch_error)ORCH_ERROR_INIT;
    r2 = expr_eval(expr, &env, &arena, &again, &err);
    PROPERTY(r == r2);
    if (r != 0) goto done;
    json_format(value, 0, &first);
    json_format(again, 0, &second);
    PROPERTY(first.failed == second.failed && str_equal(buf_str(&first), buf_str(&second)));
    if (!first.failed) {
        r = json_parse(buf_str(&first), NULL, &arena, &again, &err);
        /* Keys 1 and "1" are two in a map and one in JSON; depth has a bound of its own. */
        if (r != 0) PROPERTY(r == ORCH_ERR_INVALID || r == ORCH_ERR_LIMIT || r == ORCH_ERR_NO_MEMORY);
    }
done:
    buf_done(&first);
    buf_done(&second);
    arena_done(&arena);
    return 0;
}
