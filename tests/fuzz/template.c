/* template.c - fuzzes templates: what compiles is rendered twice alike, and text without "{{" stays as it is. */
#include "fuzz.h"

#include "lang/template.h"

static int lookup(void *user, struct orch_str name, struct arena *arena, struct value *ret, struct orch_error *err)
{
    (void)user;
    (void)arena;
    (void)err;
    if (!str_is(name, "x")) return ORCH_ERR_NOT_FOUND;
    *ret = value_string(STR("a {{ b }} \"c\""));
    return 0;
}

static int count_part(void *user, const struct template_part *part)
{
    PROPERTY(part->expr && part->column > 0);
    ++*(uint32_t *)user;
    return 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const struct expr_limits limits = {.cost_max = 20000, .result_max = 1 << 20};
    struct orch_str text = str_of((const char *)data, size);
    struct orch_error err = ORCH_ERROR_INIT;
    struct expr_env env = {.lookup = lookup, .now = 0, .limits = &limits};
    struct template compiled;
    struct value value, again;
    struct arena arena;
    uint32_t parts = 0;
    int r, r2;

    arena_init(&arena, NULL, FUZZ_MEMORY_MAX);
    r = template_compile_text(text, &limits, &arena, &compiled, &err);
    if (r != 0) {
        expect_error(r, &err);
        goto done;
    }
    PROPERTY(template_each_expr(&compiled, count_part, &parts) == 0);
    PROPERTY((parts > 0) == template_is_in(text));
    r = template_render(&compiled, &env, &arena, &value, &err);
    if (r != 0) expect_error(r, &err);
    err = (struct orch_error)ORCH_ERROR_INIT;
    r2 = template_render(&compiled, &env, &arena, &again, &err);
    PROPERTY(r == r2);
    if (r == 0 && value.kind == VALUE_STRING) {
        PROPERTY(again.kind == VALUE_STRING && value.size == again.size &&
                 memcmp(value.text, again.text, value.size) == 0);
        if (parts == 0) PROPERTY(str_equal(str_of(value.text, value.size), text));
    }
done:
    arena_done(&arena);
    return 0;
}
