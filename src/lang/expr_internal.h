/*
 * expr_internal.h - what the files of the expression language share. Not for users of expr.h.
 *
 * The way of an expression: expr_lex.c cuts the text into tokens, expr_parse.c builds nodes,
 * expr_macro.c turns has(), all(), map() and the like into nodes of their own, expr_check.c resolves
 * names, refuses what can never work and folds constants, expr_eval.c walks the nodes.
 */
#ifndef LANG_EXPR_INTERNAL_H
#define LANG_EXPR_INTERNAL_H

#include <stdio.h>

#include "base/error.h"
#include "lang/expr.h"

#define EXPR_COST_MAX   1000000
#define EXPR_DEPTH_MAX  100
#define EXPR_SOURCE_MAX (64 * 1024)
#define EXPR_RESULT_MAX ((size_t)64 << 20)
/* Levels of a tree, however it came about (`a + b + c ...` is as high as it is long): bounds recursion everywhere. */
#define EXPR_HEIGHT_MAX 1000
#define EXPR_ARGS_MAX   64
/* Bytes of string work that cost as much as one step. */
#define EXPR_COST_BYTES 10

/* ---- kinds as sets ---- */

#define K(kind)   (1u << VALUE_##kind)
#define K_DOUBLE  (K(DOUBLE) | K(NUMBER))
#define K_NUMBERS (K(INT) | K(UINT) | K_DOUBLE)
#define K_ANY     ((1u << (VALUE_TYPE + 1)) - 1)

/* ---- tokens ---- */

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,        /* text; reserved says whether it may only be a field or a method */
    TOKEN_QUOTED_NAME, /* `a-b`, text without the quotes: only after a dot */
    TOKEN_TRUE,
    TOKEN_FALSE,
    TOKEN_NULL,
    TOKEN_IN,
    TOKEN_INT, /* magnitude */
    TOKEN_UINT,
    TOKEN_DOUBLE,
    TOKEN_STRING,
    TOKEN_BYTES,
    TOKEN_OR,
    TOKEN_AND,
    TOKEN_EQUAL,
    TOKEN_NOT_EQUAL,
    TOKEN_LESS,
    TOKEN_LESS_EQUAL,
    TOKEN_GREATER,
    TOKEN_GREATER_EQUAL,
    TOKEN_PLUS,
    TOKEN_MINUS,
    TOKEN_STAR,
    TOKEN_SLASH,
    TOKEN_PERCENT,
    TOKEN_NOT,
    TOKEN_QUESTION,
    TOKEN_COLON,
    TOKEN_COMMA,
    TOKEN_DOT,
    TOKEN_PAREN_OPEN,
    TOKEN_PAREN_CLOSE,
    TOKEN_BRACKET_OPEN,
    TOKEN_BRACKET_CLOSE,
    TOKEN_BRACE_OPEN,
    TOKEN_BRACE_CLOSE,
};

struct token {
    enum token_kind kind;
    uint32_t at; /* byte offset in the source */
    uint32_t end;
    bool reserved;
    struct orch_str text; /* as written; for names without their quotes */
    union {
        uint64_t magnitude;     /* INT, UINT */
        double real;            /* DOUBLE */
        struct orch_str string; /* STRING, BYTES: decoded */
    };
};

struct lexer {
    struct orch_str source;
    size_t at;
    struct arena *arena;
    struct orch_error *err;
};

/* Reads the next token; returns 0 or the error, with its column set. */
int expr_lex(struct lexer *lexer, struct token *ret);
/* An error at a byte offset of the source. Returns code. */
int expr_error_at(struct orch_error *err, struct orch_str source, size_t at, int code, const char *format, ...)
    ORCH_PRINTF(5, 6);
uint32_t expr_column(struct orch_str source, size_t at);
bool expr_is_reserved(struct orch_str word);

/* ---- nodes ---- */

enum node_kind {
    NODE_CONST,
    NODE_NAME,   /* text; after the check count is its index in expr->names */
    NODE_LOCAL,  /* count: index of the variable of a macro */
    NODE_SELECT, /* select; op 1: the last field of a chain that begins with a name */
    NODE_HAS,    /* select */
    NODE_INDEX,  /* pair */
    NODE_NOT,    /* one; count: how many in a row */
    NODE_NEGATE, /* one; count: how many in a row */
    NODE_AND,    /* items */
    NODE_OR,     /* items */
    NODE_COND,   /* cond */
    NODE_BINARY, /* pair; op: enum operator */
    NODE_LIST,   /* items */
    NODE_MAP,    /* items: key, value, key, value; count is twice the members */
    NODE_CALL,   /* call; a receiver is the first item */
    NODE_LOOP,   /* loop; op: enum loop_kind */
    NODE_FAIL,   /* text: evaluates to this error (only when the check is off) */
};

enum operator{
    OPERATOR_ADD,
    OPERATOR_SUBTRACT,
    OPERATOR_MULTIPLY,
    OPERATOR_DIVIDE,
    OPERATOR_MODULO,
    OPERATOR_EQUAL,
    OPERATOR_NOT_EQUAL,
    OPERATOR_LESS,
    OPERATOR_LESS_EQUAL,
    OPERATOR_GREATER,
    OPERATOR_GREATER_EQUAL,
    OPERATOR_IN,
};

enum loop_kind { LOOP_ALL, LOOP_EXISTS, LOOP_EXISTS_ONE, LOOP_MAP, LOOP_FILTER };

struct node;
struct function;
struct regex;

struct node_loop {
    struct node *range;
    struct node *predicate; /* NULL only for MAP */
    struct node *transform; /* NULL except for MAP */
    struct orch_str variable;
    uint32_t variable_at;
    uint32_t slot; /* of the variable, set by the check */
};

struct node {
    uint8_t kind;
    uint8_t op;
    uint16_t kinds; /* what it can evaluate to, as a set; set by the check */
    uint32_t at;    /* byte offset that errors point at */
    uint32_t count;
    uint16_t height; /* levels below and with this one */
    bool rooted;     /* NAME: written with a leading dot, so never a macro's variable */
    union {
        struct value constant;
        struct orch_str text;
        struct node *one;
        struct {
            struct node *operand;
            struct orch_str field;
        } select;
        struct {
            struct node *left, *right;
        } pair;
        struct {
            struct node *condition, *yes, *no;
        } cond;
        struct node **items;
        struct {
            struct node **items;
            const struct function *function;
            struct regex *regex; /* compiled ahead when the pattern is constant */
        } call;
        struct node_loop *loop;
    };
};

/* A reference to a free name in the text, for expr_each_name. */
struct name_reference {
    struct expr_name name;
    struct name_reference *next;
};

enum name_meaning { NAME_FREE, NAME_NOW, NAME_TYPE };

struct expr_name_slot {
    struct orch_str name;
    enum name_meaning meaning; /* what it is when the lookup does not know it */
    struct value type;         /* NAME_TYPE */
};

struct expr {
    struct orch_str source;
    struct node *root;
    struct expr_name_slot *names; /* distinct free names */
    uint32_t names_count;
    uint32_t locals_count;
    struct name_reference *references; /* in the order of the text */
};

/* ---- compilation ---- */

struct parser {
    struct lexer lexer;
    struct token token; /* the one to be looked at next */
    struct orch_str source;
    struct arena *arena;
    struct orch_error *err;
    uint32_t depth;
    uint32_t depth_max;
    bool unchecked;
};

int expr_parse(struct parser *parser, struct node **ret);
struct node *expr_node(struct parser *parser, enum node_kind kind, size_t at);
/* Makes `node` one level higher than `below` demands; LIMIT when that is too much. */
int expr_node_above(struct parser *parser, struct node *node, const struct node *below);

/* Expands a macro. *ret stays NULL when the call is none. receiver NULL: the call has none. */
int expr_macro_expand(struct parser *parser, struct node *receiver, const struct token *name, struct node **args,
                      uint32_t count, struct node **ret);
/* How to write a macro, NULL when `name` is none. */
const char *expr_macro_usage(struct orch_str name);

/* Resolves names, checks kinds, folds constants. Fills expr->names, references and locals_count. */
int expr_check(struct parser *parser, struct expr *expr);

/* ---- functions ---- */

struct eval;

typedef int (*function_call)(struct eval *eval, const struct node *node, const struct value *args, uint32_t count,
                             struct value *ret);

enum function_style {
    STYLE_GLOBAL = 1,   /* f(x) */
    STYLE_RECEIVER = 2, /* x.f() */
    STYLE_BOTH = 3,
};

#define FUNCTION_PARAMS_MAX 4

struct function {
    const char *name;
    uint8_t style;
    uint8_t args_min; /* with the receiver */
    uint8_t args_max;
    bool is_extension;                    /* beyond CEL and its string extension */
    bool is_constant;                     /* may be folded: needs nothing but its arguments */
    uint16_t params[FUNCTION_PARAMS_MAX]; /* kinds allowed; the last one given goes for all that follow */
    uint16_t result;                      /* kinds it may give */
    function_call call;
};

const struct function *expr_function_find(struct orch_str name);
const struct function *expr_function_at(size_t index); /* NULL after the last */
struct orch_str expr_function_nearest(struct orch_str name);
/* Bits of the parameter `index`. */
uint16_t expr_function_param(const struct function *function, uint32_t index);

/* ---- evaluation ---- */

struct name_value {
    struct value value;
    bool is_known;
    bool is_missing;
};

struct eval {
    const struct expr *expr;
    struct orch_str source;
    const struct expr_env *env;
    struct arena *arena;
    uint64_t cost;
    uint64_t cost_max;
    size_t size; /* bytes allocated */
    size_t size_max;
    uint32_t quiet; /* > 0: an error is held already, another one must not replace it */
    int failure;    /* why the last allocation failed */
    bool has_built; /* a list or map was built, so the result may share parts with itself */
    struct name_value *names;
    struct value *locals;
    /* One entry each: the zone and the pattern used last, and PCRE2's memory. */
    struct orch_str zone_name;
    const struct zone *zone;
    struct regex *regex;
    struct regex_run *regex_run;
    struct orch_error error; /* not initialised until something fails */
};

int expr_eval_node(struct eval *eval, const struct node *node, struct value *ret);
void expr_eval_done(struct eval *eval);
/* Evaluates a node without free names; used for folding. */
int expr_eval_constant(struct arena *arena, struct orch_str source, const struct node *node, struct value *ret,
                       struct orch_error *err);

/* ORCH_ERR_EVALUATION at the node. The text is built only when it will be seen. */
int expr_fail(struct eval *eval, const struct node *node, const char *format, ...) ORCH_PRINTF(3, 4);
void expr_hint(struct eval *eval, const char *format, ...) ORCH_PRINTF(2, 3);
/* ORCH_ERR_LIMIT at the node: ends the evaluation whatever stands around it. */
int expr_fail_limit(struct eval *eval, const struct node *node, const char *format, ...) ORCH_PRINTF(3, 4);
int expr_fail_memory(struct eval *eval);
/* "no matching overload: string.charAt(bool)" for the call of a node. */
int expr_fail_call(struct eval *eval, const struct node *node, const struct value *args, uint32_t count);
int expr_fail_operator(struct eval *eval, const struct node *node, const char *operator, struct value a,
                       struct value b);
/* Pays for steps; LIMIT when there are too many. */
int expr_cost_more(struct eval *eval, const struct node *node, uint64_t cost);
static inline int expr_cost(struct eval *eval, const struct node *node, uint64_t cost)
{
    eval->cost += cost;
    return eval->cost <= eval->cost_max ? 0 : expr_cost_more(eval, node, 0);
}
/* NULL when memory is short or the bound is reached: eval->failure is then the code to return. */
void *expr_alloc(struct eval *eval, const struct node *node, size_t count, size_t size);

/* Text that grows in the arena. */
struct text {
    struct eval *eval;
    const struct node *node;
    char *data;
    size_t size;
    size_t capacity;
    int failure; /* 0, or why it stopped */
};
void text_init(struct text *text, struct eval *eval, const struct node *node);
void text_add(struct text *text, struct orch_str s);
void text_add_char(struct text *text, char c);
void text_add_code_point(struct text *text, uint32_t code_point);
/* The string; returns text->failure, LIMIT when it is too long for a value. */
int text_take(struct text *text, struct value *ret);

/* How errors name a kind ("timestamp"), and how CEL names a type ("google.protobuf.Timestamp"). */
const char *expr_kind_name(enum value_kind kind);
struct value expr_type_value(enum value_kind kind);
bool expr_type_find(struct orch_str name, struct value *ret);

/* -1, 0, 1 as CEL's operators order two values; 2 when they have no order (other kinds, NaN). */
int expr_compare(struct value a, struct value b);
/* CEL's ==, paid for: values built by an expression can share parts and be huge when walked. */
int expr_equal(struct eval *eval, const struct node *node, struct value a, struct value b, bool *ret);
/* Hash that agrees with expr_equal. */
int expr_hash(struct eval *eval, const struct node *node, struct value v, uint64_t *ret);
/* Adds up what a value takes when written out; LIMIT above the bound. */
int expr_measure(struct eval *eval, const struct node *node, struct value v);
/* value_map with costs, and the words for a key that occurs twice. */
int expr_make_map(struct eval *eval, const struct node *node, struct value_member *members, uint32_t count,
                  struct value *ret);

static inline bool expr_is_number(struct value v)
{
    return (K_NUMBERS >> v.kind) & 1;
}
double expr_to_double(struct value v);
int expr_binary(struct eval *eval, const struct node *node, struct value a, struct value b, struct value *ret);
int expr_negate(struct eval *eval, const struct node *node, struct value a, struct value *ret);
int expr_index(struct eval *eval, const struct node *node, struct value container, struct value key, struct value *ret);
int expr_time_add(struct eval *eval, const struct node *node, struct value a, struct value b, bool subtract,
                  struct value *ret, bool *ret_done);
const char *expr_operator_text(enum operator op);
/* What an operator gives for sets of kinds; 0 when nothing fits. */
uint16_t expr_operator_kinds(enum operator op, uint16_t a, uint16_t b);

/* Duration "1.5s" and number texts, as string() and format() write them. */
void expr_text_scalar(struct text *text, struct value v);
int expr_duration_parse(struct orch_str s, int64_t *ret_seconds, int32_t *ret_nanos);

/* Compiles a pattern; the code is freed with the arena. err's column is left to the caller. */
int expr_regex_compile(struct orch_str pattern, struct arena *arena, struct regex **ret, struct orch_error *err);
void expr_regex_done(struct eval *eval);

#define FUNCTION(name) \
    int name(struct eval *eval, const struct node *node, const struct value *args, uint32_t count, struct value *ret)

FUNCTION(function_size);
FUNCTION(function_int);
FUNCTION(function_uint);
FUNCTION(function_double);
FUNCTION(function_string);
FUNCTION(function_bytes);
FUNCTION(function_bool);
FUNCTION(function_type);
FUNCTION(function_dyn);
FUNCTION(function_timestamp);
FUNCTION(function_duration);
FUNCTION(function_get_full_year);
FUNCTION(function_get_month);
FUNCTION(function_get_date);
FUNCTION(function_get_day_of_month);
FUNCTION(function_get_day_of_week);
FUNCTION(function_get_day_of_year);
FUNCTION(function_get_hours);
FUNCTION(function_get_minutes);
FUNCTION(function_get_seconds);
FUNCTION(function_get_milliseconds);
FUNCTION(function_contains);
FUNCTION(function_starts_with);
FUNCTION(function_ends_with);
FUNCTION(function_matches);
FUNCTION(function_char_at);
FUNCTION(function_index_of);
FUNCTION(function_last_index_of);
FUNCTION(function_lower_ascii);
FUNCTION(function_upper_ascii);
FUNCTION(function_replace);
FUNCTION(function_reverse);
FUNCTION(function_split);
FUNCTION(function_join);
FUNCTION(function_substring);
FUNCTION(function_trim);
FUNCTION(function_quote);
FUNCTION(function_format);
FUNCTION(function_sum);
FUNCTION(function_min);
FUNCTION(function_max);
FUNCTION(function_avg);
FUNCTION(function_sort);
FUNCTION(function_distinct);
FUNCTION(function_flatten);
FUNCTION(function_keys);
FUNCTION(function_values);
FUNCTION(function_merge);

#endif
