/*
 * expr_regex.c - matches(), with PCRE2 held to what RE2 would do.
 *
 * CEL asks for RE2: unanchored, linear in time, without backreferences and assertions around. PCRE2 backtracks, so
 * constructs that RE2 has not are refused, and each match runs under a limit that is raised step by step, paid
 * for as cost: a pattern that explodes ends the evaluation instead of the process.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "lang/expr_internal.h"

#define PATTERN_MAX     10000 /* bytes */
#define REPEAT_MAX      1000  /* {n}, as RE2 */
#define NESTING_MAX     100
#define MATCH_LIMIT     100 /* of the first try, for each position of the subject */
#define MATCH_LIMIT_MAX 10000000
#define MATCH_HEAP_KIB  16384

struct regex {
    pcre2_code *code;
    struct orch_str pattern; /* of one compiled while evaluating */
    const struct orch_allocator *allocator;
};

/* What a match needs, made once for an evaluation. */
struct regex_run {
    pcre2_general_context *general;
    pcre2_match_context *context;
    pcre2_match_data *data;
};

/* ---- memory: PCRE2 does not say how large a block was when it frees it, so each has its size before it ---- */

#define BLOCK_HEAD 16

static void *block_new(size_t size, void *user)
{
    const struct orch_allocator *allocator = user;
    if (size > SIZE_MAX - BLOCK_HEAD) return NULL;
    char *block = mem_resize(allocator, NULL, 0, size + BLOCK_HEAD);
    if (!block) return NULL;
    memcpy(block, &size, sizeof(size));
    return block + BLOCK_HEAD;
}

static void block_free(void *data, void *user)
{
    const struct orch_allocator *allocator = user;
    if (!data) return;
    char *block = (char *)data - BLOCK_HEAD;
    size_t size;
    memcpy(&size, block, sizeof(size));
    (void)mem_resize(allocator, block, size + BLOCK_HEAD, 0); /* frees */
}

static pcre2_general_context *general_new(const struct orch_allocator *allocator)
{
    return pcre2_general_context_create(block_new, block_free, (void *)(uintptr_t)allocator);
}

/* ---- what RE2 has not ---- */

/* The length of a well-formed {n}, {n,} or {n,m} at the start, else 0. *ret_large: a count above REPEAT_MAX. */
static size_t repeat_size(struct orch_str s, bool *ret_large)
{
    size_t at = 1, digits = 0;
    uint32_t n = 0;
    *ret_large = false;
    for (; at < s.size; at++) {
        char c = s.data[at];
        if (c >= '0' && c <= '9') {
            digits++;
            n = n > REPEAT_MAX ? n : n * 10 + (uint32_t)(c - '0');
            if (n > REPEAT_MAX) *ret_large = true;
        } else if (c == ',' && digits > 0) {
            n = 0;
        } else {
            return c == '}' && digits > 0 ? at + 1 : 0;
        }
    }
    return 0;
}

/* After "(?": NULL when RE2 knows it, else what it is. */
static const char *group_problem(struct orch_str s)
{
    char c = s.size > 0 ? s.data[0] : '\0', next = s.size > 1 ? s.data[1] : '\0';
    if (c == '=' || c == '!' || (c == '<' && (next == '=' || next == '!'))) return "lookahead and lookbehind";
    if (c == '<' || (c == 'P' && next == '<')) return NULL;
    if (c == '>') return "atomic groups";
    if (c == '|' || c == '(' || c == 'R' || c == '&' || c == 'P' || c == '+' || (c >= '0' && c <= '9'))
        return "recursion and conditions";
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] == ')' || s.data[i] == ':') return NULL;
        if (!strchr("imsU-", s.data[i])) break;
    }
    return "this kind of group";
}

/* NULL when RE2 would take it as far as can be seen here; *ret_at says where it would not. */
static const char *pattern_problem(struct orch_str p, size_t *ret_at)
{
    bool after_repeat = false, in_class = false;
    size_t class_start = 0;
    for (size_t i = 0; i < p.size; i++) {
        char c = p.data[i];
        *ret_at = i;
        bool is_repeat = false;
        if (c == '\\') {
            char e = i + 1 < p.size ? p.data[i + 1] : '\0';
            if (e >= '1' && e <= '9') return "backreferences";
            if (e == 'Q' && !in_class) {
                size_t end = str_find(p, STR("\\E"), i + 2);
                i = end == SIZE_MAX ? p.size : end;
            }
            if (((e >= 'a' && e <= 'z') || (e >= 'A' && e <= 'Z')) && !strchr("AbBzdDsSwWafnrtvxpPQE", e))
                return "this escape";
            i++;
        } else if (in_class) {
            if (c == '[' && i + 1 < p.size && p.data[i + 1] == ':') {
                size_t end = str_find(p, STR(":]"), i + 2);
                if (end != SIZE_MAX) i = end + 1;
            } else if (c == ']' && i > class_start) {
                in_class = false;
            }
        } else if (c == '[') {
            in_class = true;
            /* A ] right at the start is an ordinary character. */
            class_start = i + 1 < p.size && p.data[i + 1] == '^' ? i + 2 : i + 1;
            if (class_start < p.size && p.data[class_start] == ']')
                i = class_start;
            else if (class_start == i + 2)
                i++;
        } else if (c == '(') {
            if (i + 1 < p.size && p.data[i + 1] == '*') return "verbs";
            if (i + 1 < p.size && p.data[i + 1] == '?') {
                const char *problem = group_problem(str_of(p.data + i + 2, p.size - i - 2));
                if (problem) return problem;
                i++; /* this ? repeats nothing */
            }
        } else if (c == '*' || c == '+' || c == '?') {
            if (c == '+' && after_repeat) return "possessive repetition";
            is_repeat = true;
        } else if (c == '{') {
            bool large;
            size_t size = repeat_size(str_of(p.data + i, p.size - i), &large);
            if (large && size > 0) return "repetition of more than 1000";
            if (size > 0) {
                i += size - 1;
                is_repeat = true;
            }
        }
        after_repeat = is_repeat;
    }
    return NULL;
}

/* ---- compiling ---- */

static void regex_free(void *user)
{
    struct regex *regex = user;
    pcre2_code_free(regex->code);
    regex->code = NULL;
}

static int compile(struct orch_str pattern, const struct orch_allocator *allocator, pcre2_code **ret,
                   struct orch_error *err)
{
    size_t at;
    if (pattern.size > PATTERN_MAX)
        return error_set(err, ORCH_ERR_LIMIT, "a regular expression of %zu bytes is longer than %d", pattern.size,
                         PATTERN_MAX);
    const char *problem = pattern_problem(pattern, &at);
    if (problem) {
        error_set(err, ORCH_ERR_INVALID, "invalid regular expression: %s at character %u", problem,
                  expr_column(pattern, at));
        error_hint(err, "expressions use RE2's syntax, which has no %s", problem);
        return ORCH_ERR_INVALID;
    }
    pcre2_general_context *general = general_new(allocator);
    pcre2_compile_context *context = general ? pcre2_compile_context_create(general) : NULL;
    pcre2_code *code = NULL;
    int rc = 0, number = 0;
    if (!context) {
        rc = error_memory(err);
    } else {
        pcre2_set_newline(context, PCRE2_NEWLINE_LF);
        pcre2_set_parens_nest_limit(context, NESTING_MAX);
        PCRE2_SIZE offset = 0;
        code = pcre2_compile((PCRE2_SPTR)(pattern.data ? pattern.data : ""), pattern.size,
                             PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE,
                             &number, &offset, context);
        if (!code && number == PCRE2_ERROR_HEAP_FAILED)
            rc = error_memory(err);
        else if (!code) {
            char text[128] = "";
            (void)pcre2_get_error_message(number, (PCRE2_UCHAR *)text, sizeof(text)); /* cut when it does not fit */
            rc = error_set(err, ORCH_ERR_INVALID, "invalid regular expression: %s at character %u", text,
                           expr_column(pattern, offset));
        }
    }
    pcre2_compile_context_free(context);
    pcre2_general_context_free(general);
    *ret = code;
    return rc;
}

int expr_regex_compile(struct orch_str pattern, struct arena *arena, struct regex **ret, struct orch_error *err)
{
    struct regex *regex = ARENA_NEW(arena, struct regex);
    if (!regex) return error_memory(err);
    int rc = compile(pattern, arena->allocator, &regex->code, err);
    if (rc != 0) return rc;
    if (arena_on_done(arena, regex_free, regex) != 0) {
        regex_free(regex);
        return error_memory(err);
    }
    *ret = regex;
    return 0;
}

/* ---- matching ---- */

/* The pattern of this call when it was not constant: compiled now, and kept while the next one is the same. */
static int dynamic_regex(struct eval *eval, const struct node *node, struct orch_str pattern, struct regex **ret)
{
    if (!eval->regex) {
        eval->regex = expr_alloc(eval, node, 1, sizeof(struct regex));
        if (!eval->regex) return eval->failure;
        *eval->regex = (struct regex){0};
    }
    struct regex *regex = eval->regex;
    if (!regex->code || !str_equal(regex->pattern, pattern)) {
        struct orch_error err = ORCH_ERROR_INIT;
        if (regex->code) regex_free(regex);
        /* Compiling is some ten times the work of reading. */
        int rc = expr_cost(eval, node, pattern.size + 10);
        if (rc != 0) return rc;
        rc = compile(pattern, eval->arena->allocator, &regex->code, &err);
        if (rc == ORCH_ERR_NO_MEMORY) return expr_fail_memory(eval);
        if (rc != 0) {
            rc = expr_fail(eval, node, "%s", err.message);
            if (err.hint[0]) expr_hint(eval, "%s", err.hint);
            return rc;
        }
        regex->pattern = pattern;
    }
    *ret = regex;
    return 0;
}

static int make_run(struct eval *eval, const struct node *node)
{
    struct regex_run *run = expr_alloc(eval, node, 1, sizeof(struct regex_run));
    if (!run) return eval->failure;
    *run = (struct regex_run){0};
    eval->regex_run = run;
    run->general = general_new(eval->arena->allocator);
    if (!run->general) return expr_fail_memory(eval);
    run->context = pcre2_match_context_create(run->general);
    run->data = pcre2_match_data_create(1, run->general);
    if (!run->context || !run->data) return expr_fail_memory(eval);
    pcre2_set_heap_limit(run->context, MATCH_HEAP_KIB);
    return 0;
}

void expr_regex_done(struct eval *eval)
{
    if (eval->regex && eval->regex->code) regex_free(eval->regex);
    if (eval->regex_run) {
        pcre2_match_data_free(eval->regex_run->data);
        pcre2_match_context_free(eval->regex_run->context);
        pcre2_general_context_free(eval->regex_run->general);
        eval->regex_run = NULL;
    }
}

FUNCTION(function_matches)
{
    (void)count;
    struct orch_str subject = value_str(args[0]);
    struct regex *regex = node->call.regex;
    int rc = 0;
    if (!regex) rc = dynamic_regex(eval, node, value_str(args[1]), &regex);
    if (rc == 0 && !eval->regex_run) rc = make_run(eval, node);
    if (rc == 0) rc = expr_cost(eval, node, subject.size / EXPR_COST_BYTES + 2);
    /* PCRE2 counts anew at each position where a match could begin, so the price is for all of them. */
    for (uint32_t limit = MATCH_LIMIT; rc == 0; limit *= 10) {
        pcre2_set_match_limit(eval->regex_run->context, limit);
        int found = pcre2_match(regex->code, (PCRE2_SPTR)(subject.data ? subject.data : ""), subject.size, 0, 0,
                                eval->regex_run->data, eval->regex_run->context);
        if (found >= 0 || found == PCRE2_ERROR_NOMATCH) {
            *ret = value_bool(found >= 0);
            return 0;
        }
        if (found == PCRE2_ERROR_NOMEMORY) return expr_fail_memory(eval);
        if (found == PCRE2_ERROR_HEAPLIMIT || found == PCRE2_ERROR_DEPTHLIMIT || limit >= MATCH_LIMIT_MAX)
            return expr_fail_limit(eval, node, "this regular expression takes too many steps");
        if (found != PCRE2_ERROR_MATCHLIMIT) return expr_fail(eval, node, "invalid UTF-8 in the text to match");
        uint64_t work = (uint64_t)limit * (subject.size + 1);
        rc = expr_cost(eval, node, work / 10 + 1);
    }
    return rc;
}
