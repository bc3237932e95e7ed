/*
 * expr.h - expressions: the Common Expression Language over JSON values.
 *
 * Source: cel-spec, doc/langdef.md; the string extension of cel-go (ext/strings). What is beyond CEL is
 * marked as an extension in docs/expressions.md and in the function table. Pure: `now`, zones, variables
 * and limits are handed in.
 */
#ifndef LANG_EXPR_H
#define LANG_EXPR_H

#include "base/value.h"
#include "base/time.h"

struct expr; /* compiled; immutable; lives in the arena it was compiled into; many threads may evaluate it at once */

struct expr_limits {
    uint64_t cost_max;   /* steps of evaluation, a character of string work counts about 1/10; 0 means 1,000,000 */
    uint32_t depth_max;  /* nesting of the text when compiled; 0 means 100 */
    uint32_t source_max; /* bytes of one expression; 0 means 64 KiB */
    size_t result_max;   /* bytes that a result and everything built on the way may take; 0 means 64 MiB */
    bool unchecked;      /* compile without CEL's optional check: an unknown function or operands that can never fit become
                            errors of the evaluation, which `true ||` may then hide */
};

/*
 * Compiles one expression: lexes, parses, expands macros, checks what can be known without the names'
 * types (unknown functions, numbers of arguments, operators that fit no literal types, malformed
 * literals and constant regular expressions). Names are not resolved here: see expr_each_name.
 * The source is copied into the arena.
 *
 * @param limits  may be NULL
 * @return 0; ORCH_ERR_INVALID with err->column (characters, 1 is the first, of the source) and, where one is near, a hint
 *         with the nearest function; ORCH_ERR_LIMIT; ORCH_ERR_NO_MEMORY
 */
int expr_compile(struct orch_str source, const struct expr_limits *limits, struct arena *arena, const struct expr **ret,
                 struct orch_error *err);

/* The text it was compiled from. */
struct orch_str expr_source(const struct expr *expr);

/* What an expression asks for when it runs. */
struct expr_env {
    /*
     * The value of a name. Returns 0 and sets *ret (the parts live at least until the evaluation's arena is
     * cleared; allocate in `arena` when needed); ORCH_ERR_NOT_FOUND when there is no such name;
     * another error ends the evaluation with it. Called at most once for a name in one evaluation, unless it has
     * dots. The names of types (`int`) and `now` are looked up too: a name of the user's goes first.
     */
    int (*lookup)(void *user, struct orch_str name, struct arena *arena, struct value *ret, struct orch_error *err);
    /* The TZif bytes of an IANA zone, ORCH_ERR_NOT_FOUND when unknown. May be NULL: only UTC and offsets then. */
    int (*zone)(void *user, struct orch_str name, struct orch_str *ret_tzif);
    void *user;
    /*
     * Whether lookup knows names with dots. Only then is it asked, when `a.b.c` is evaluated, for "a.b.c" and "a.b"
     * before `a`: the longest goes first (CEL's name resolution), and the variable of a macro before them all.
     */
    bool has_dotted_names;
    orch_time now;                    /* what `now` is (an extension): given, never read from a clock */
    const struct expr_limits *limits; /* may be NULL */
};

/*
 * Evaluates. The result and all on the way are allocated in `arena`, bounded by limits->result_max.
 *
 * @return 0; ORCH_ERR_EVALUATION with err->column: no such key, no such overload, division by zero, overflow, ... in the
 *         words of the CEL conformance tests; ORCH_ERR_LIMIT when cost or size is exceeded; ORCH_ERR_NO_MEMORY; what lookup returned
 */
int expr_eval(const struct expr *expr, const struct expr_env *env, struct arena *arena, struct value *ret,
              struct orch_error *err);

/* A free name in an expression, with the fields selected from it as far as they are plain. */
struct expr_name {
    struct orch_str name;     /* "fetch" */
    struct orch_str field;    /* first plain field, "output", or empty */
    struct orch_str field2;   /* second plain field, "sum", or empty */
    uint32_t column;          /* of the name in the source, 1 is the first character */
    uint32_t field_column;    /* of the first field, 0 when there is none */
    bool in_has;              /* inside has(): absence is expected */
    bool is_builtin;          /* `now` or a type such as `int`: means that when there is no such name, so absence is fine */
};
/*
 * Calls fn for each mention of a free name (not the variables of macros) in the order of the text; stops at the first
 * non-zero result and returns it. A constant index counts as a field: x['a-b'] as x.`a-b`.
 */
int expr_each_name(const struct expr *expr, int (*fn)(void *user, const struct expr_name *name), void *user);

/* When the expression is one constant, its value: for checks before a run. */
bool expr_is_constant(const struct expr *expr, struct value *ret);

/* The type an expression surely has whatever its names are, or VALUE_NULL with *ret_known false: `a == b` is surely a bool. */
enum value_kind expr_result_kind(const struct expr *expr, bool *ret_known);

/* Whether a word can be a name in an expression: [_a-zA-Z][_a-zA-Z0-9]* and not reserved. */
bool expr_is_name(struct orch_str word);

#endif
