/*
 * template.h - text and values with {{ expressions }} in them.
 *
 * A string that is one lone placeholder keeps the type of its value; otherwise the values are put into the
 * text (strings, timestamps, durations, types and base64 of bytes as they are, null as nothing, everything else as JSON). "{{{{" is not special; a literal "{{" is written
 * {{ "{{" }}. A string literal inside a placeholder may hold "}}".
 */
#ifndef LANG_TEMPLATE_H
#define LANG_TEMPLATE_H

#include "lang/expr.h"

/* A value in which strings may be templates, compiled; immutable; lives in its arena. */
enum template_kind { TEMPLATE_VALUE, TEMPLATE_EXPR, TEMPLATE_TEXT, TEMPLATE_LIST, TEMPLATE_MAP };

struct template_part {
    struct orch_str text;    /* literal, when expr is NULL */
    const struct expr *expr;
    uint32_t column;         /* of the expression's first character in the string, 1 is the first */
};

struct template_member;

struct template {
    enum template_kind kind;
    uint32_t count;                          /* of parts, items or members */
    union {
        struct value value;                  /* VALUE: nothing in it to evaluate */
        struct template_part expr;           /* EXPR: a lone placeholder */
        const struct template_part *parts;   /* TEXT */
        const struct template *items;        /* LIST */
        const struct template_member *members; /* MAP; keys are literal */
    };
};

struct template_member {
    struct orch_str key;
    struct template value;
};

/* Whether the text holds "{{". */
bool template_is_in(struct orch_str text);

/*
 * Compiles one string. err->column counts from the string's first character.
 * Returns 0; ORCH_ERR_INVALID ("placeholder is not closed", or the expression's own error); ORCH_ERR_NO_MEMORY.
 */
int template_compile_text(struct orch_str text, const struct expr_limits *limits, struct arena *arena, struct template *ret,
                          struct orch_error *err);

/* Compiles every string in a value, maps and lists all through. Parts without placeholders stay VALUE. */
int template_compile(struct value value, const struct expr_limits *limits, struct arena *arena, struct template *ret,
                     struct orch_error *err);

/* The value with everything evaluated. Errors as expr_eval, with "in <path>: " before the message when inside a map or list. */
int template_render(const struct template *tmpl, const struct expr_env *env, struct arena *arena, struct value *ret,
                    struct orch_error *err);

/* How a value reads inside a text, and as an environment variable: null is nothing, what JSON writes as a text has no
 * quotes, all else is JSON. */
void template_add_text(struct buf *buf, struct value value);

/* Calls fn for each placeholder's expression; stops at the first non-zero result and returns it. */
int template_each_expr(const struct template *tmpl, int (*fn)(void *user, const struct template_part *part), void *user);

#endif
