/*
 * expr_eval.c - walks the nodes of an expression.
 *
 * An error is an ordinary return code on the way up. ORCH_ERR_EVALUATION is CEL's error, which && and
 * || and the macros over them can absorb; any other code ends the evaluation. While an error is held that may
 * still be returned, `quiet` is above 0, so that a later one does not overwrite its text.
 */
#include "lang/expr_internal.h"

/* ---- errors, costs, memory ---- */

static void set_error(struct eval *eval, const struct node *node, int code, const char *format, va_list args)
{
    char message[sizeof(eval->error.message)];
    vsnprintf(message, sizeof(message), format, args);
    eval->error = (struct orch_error)ORCH_ERROR_INIT;
    error_set(&eval->error, code, "%s", message);
    eval->error.column = expr_column(eval->source, node->at);
}

int expr_fail(struct eval *eval, const struct node *node, const char *format, ...)
{
    if (eval->quiet > 0) return ORCH_ERR_EVALUATION;
    va_list args;
    va_start(args, format);
    set_error(eval, node, ORCH_ERR_EVALUATION, format, args);
    va_end(args);
    return ORCH_ERR_EVALUATION;
}

void expr_hint(struct eval *eval, const char *format, ...)
{
    if (eval->quiet > 0) return;
    va_list args;
    va_start(args, format);
    vsnprintf(eval->error.hint, sizeof(eval->error.hint), format, args);
    va_end(args);
}

int expr_fail_limit(struct eval *eval, const struct node *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_error(eval, node, ORCH_ERR_LIMIT, format, args);
    va_end(args);
    return ORCH_ERR_LIMIT;
}

int expr_fail_memory(struct eval *eval)
{
    eval->error = (struct orch_error)ORCH_ERROR_INIT;
    return error_memory(&eval->error);
}

int expr_cost_more(struct eval *eval, const struct node *node, uint64_t cost)
{
    if (__builtin_add_overflow(eval->cost, cost, &eval->cost)) eval->cost = UINT64_MAX;
    if (eval->cost <= eval->cost_max) return 0;
    return expr_fail_limit(eval, node, "this expression takes more than %llu steps",
                           (unsigned long long)eval->cost_max);
}

void *expr_alloc(struct eval *eval, const struct node *node, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > eval->size_max - eval->size) {
        eval->failure = expr_fail_limit(eval, node, "this expression builds more than %zu bytes", eval->size_max);
        return NULL;
    }
    void *block = arena_alloc(eval->arena, bytes);
    if (!block) {
        eval->failure = expr_fail_memory(eval);
        return NULL;
    }
    eval->size += bytes;
    return block;
}

int expr_fail_call(struct eval *eval, const struct node *node, const struct value *args, uint32_t count)
{
    if (eval->quiet > 0) return expr_fail(eval, node, "no matching overload");
    const struct function *function = node->call.function;
    bool receiver = !(function->style & STYLE_GLOBAL);
    char text[256];
    size_t at = 0;
    for (uint32_t i = 0; i < count && at < sizeof(text) - 40; i++) {
        const char *kind = expr_kind_name((enum value_kind)args[i].kind);
        int written;
        if (receiver && i == 0)
            written = snprintf(text, sizeof(text), "%s.%s(", kind, function->name);
        else if (i == 0)
            written = snprintf(text, sizeof(text), "%s(%s", function->name, kind);
        else
            written = snprintf(text + at, sizeof(text) - at, "%s%s", receiver && i == 1 ? "" : ", ", kind);
        at += (size_t)written;
    }
    text[at] = '\0';
    return expr_fail(eval, node, "no matching overload: %s)", text);
}

int expr_fail_operator(struct eval *eval, const struct node *node, const char *operator, struct value a, struct value b)
{
    int rc = expr_fail(eval, node, "no matching overload: %s %s %s", expr_kind_name((enum value_kind)a.kind), operator,
                       expr_kind_name((enum value_kind)b.kind));
    if (expr_is_number(a) && expr_is_number(b) && a.kind != b.kind)
        expr_hint(eval, "convert one side with double(...), int(...) or uint(...)");
    else if (a.kind == VALUE_NULL || b.kind == VALUE_NULL)
        expr_hint(eval, "one side is null: test it with != null first");
    else if (str_is(str_from(operator), "+") && (a.kind == VALUE_STRING || b.kind == VALUE_STRING))
        expr_hint(eval, "convert to text with string(...)");
    return rc;
}

/* ---- names ---- */

/* Asks for a name. *ret_missing: nobody knows it; the error is then set unless quiet. */
static __attribute__((noinline)) int look_up(struct eval *eval, const struct node *node, struct orch_str name,
                                             struct value *ret, bool *ret_missing)
{
    struct orch_error err = ORCH_ERROR_INIT;
    *ret_missing = false;
    int rc = eval->env->lookup ? eval->env->lookup(eval->env->user, name, eval->arena, ret, &err) : ORCH_ERR_NOT_FOUND;
    if (rc == 0) return 0;
    if (rc == ORCH_ERR_NOT_FOUND) {
        *ret_missing = true;
        if (err.message[0])
            rc = expr_fail(eval, node, "%s", err.message);
        else
            rc = expr_fail(eval, node, "undeclared reference to '%.*s'", (int)(name.size > 100 ? 100 : name.size),
                           name.data);
        if (err.hint[0]) expr_hint(eval, "%s", err.hint);
        return rc;
    }
    if (rc == ORCH_ERR_EVALUATION && eval->quiet > 0) return rc;
    if (!err.message[0]) error_set(&err, rc, "%s", orch_error_text(rc));
    if (err.column == 0) err.column = expr_column(eval->source, node->at);
    eval->error = err;
    return rc;
}

static int eval_name_first(struct eval *eval, const struct node *node, struct value *ret)
{
    struct name_value *known = &eval->names[node->count];
    const struct expr_name_slot *slot = &eval->expr->names[node->count];
    if (known->is_missing) return expr_fail(eval, node, "undeclared reference to '%.*s'", STR_ARG(slot->name));
    uint32_t quiet = eval->quiet;
    if (slot->meaning != NAME_FREE) eval->quiet++;
    int rc = look_up(eval, node, slot->name, ret, &known->is_missing);
    eval->quiet = quiet;
    if (known->is_missing && slot->meaning != NAME_FREE) {
        known->is_missing = false;
        rc = 0;
        if (slot->meaning == NAME_TYPE)
            *ret = slot->type;
        else {
            int64_t seconds = eval->env->now / ORCH_SECOND, rest = eval->env->now % ORCH_SECOND;
            if (rest < 0) {
                seconds--;
                rest += ORCH_SECOND;
            }
            *ret = value_timestamp(seconds, (int32_t)rest * 1000);
        }
    }
    if (rc != 0) return rc;
    known->value = *ret;
    known->is_known = true;
    return 0;
}

static inline int eval_name(struct eval *eval, const struct node *node, struct value *ret)
{
    const struct name_value *known = &eval->names[node->count];
    if (!known->is_known) return eval_name_first(eval, node, ret);
    *ret = known->value;
    return 0;
}

/* ---- fields ---- */

static int select_field(struct eval *eval, const struct node *node, struct value operand, struct value *ret)
{
    if (operand.kind == VALUE_MAP) {
        const struct value *found = value_get(operand, node->select.field);
        if (found) {
            *ret = *found;
            return 0;
        }
        return expr_fail(eval, node, "no such key: %.*s", STR_ARG(node->select.field));
    }
    int rc =
        expr_fail(eval, node, "%s does not support field selection", expr_kind_name((enum value_kind)operand.kind));
    if (operand.kind == VALUE_NULL)
        expr_hint(eval, "the value before '.%.*s' is null: test it with != null first", STR_ARG(node->select.field));
    else if (operand.kind == VALUE_LIST)
        expr_hint(eval, "choose an item with [0], or go through them with map(x, x.%.*s)", STR_ARG(node->select.field));
    return rc;
}

/* "a.b.c" of a chain of selections that begins with a name, as far as `node`. False when it is too long. */
static bool qualified_name(const struct node *node, struct text *text)
{
    const struct node *parts[16];
    size_t count = 0;
    for (; node->kind == NODE_SELECT && count < 16; node = node->select.operand) parts[count++] = node;
    if (node->kind != NODE_NAME) return false;
    text_add(text, node->text);
    while (count > 0) {
        text_add_char(text, '.');
        text_add(text, parts[--count]->select.field);
    }
    return true;
}

/* The fields of a chain of selections that come after `part`, selected from *ret. */
static int select_rest(struct eval *eval, const struct node *node, const struct node *part, struct value *ret)
{
    if (node == part) return 0;
    int rc = select_rest(eval, node->select.operand, part, ret);
    return rc == 0 ? select_field(eval, node, *ret, ret) : rc;
}

/*
 * Source: cel-spec, doc/langdef.md, "Name Resolution": of a.b.c, the names "a.b.c" and "a.b" go before "a". Asked for
 * only where such names can be, since each costs a text and a look-up.
 */
static __attribute__((noinline)) int eval_qualified(struct eval *eval, const struct node *top, struct value *ret,
                                                    bool *ret_found)
{
    *ret_found = false;
    for (const struct node *part = top; part->kind == NODE_SELECT; part = part->select.operand) {
        struct text text;
        struct value name;
        bool missing;
        text_init(&text, eval, top);
        int rc = expr_cost(eval, top, 1);
        if (rc != 0) return rc;
        if (!qualified_name(part, &text)) continue;
        if ((rc = text_take(&text, &name)) != 0) return rc;
        rc = look_up(eval, top, value_str(name), ret, &missing);
        if (missing) continue;
        *ret_found = true;
        return rc == 0 ? select_rest(eval, top, part, ret) : rc;
    }
    return 0;
}

static int eval_select(struct eval *eval, const struct node *node, struct value *ret)
{
    if (node->op == 1 && eval->env->has_dotted_names) {
        bool found;
        int rc = eval_qualified(eval, node, ret, &found);
        if (found || rc != 0) return rc;
    }
    struct value operand;
    int rc = expr_eval_node(eval, node->select.operand, &operand);
    return rc == 0 ? select_field(eval, node, operand, ret) : rc;
}

static int eval_has(struct eval *eval, const struct node *node, struct value *ret)
{
    struct value operand;
    int rc = expr_eval_node(eval, node->select.operand, &operand);
    if (rc != 0) return rc;
    if (operand.kind != VALUE_MAP) return select_field(eval, node, operand, ret);
    *ret = value_bool(value_get(operand, node->select.field) != NULL);
    return 0;
}

int expr_index(struct eval *eval, const struct node *node, struct value container, struct value key, struct value *ret)
{
    if (container.kind == VALUE_MAP) {
        if (!((K_NUMBERS | K(STRING) | K(BOOL)) >> key.kind & 1))
            return expr_fail(eval, node, "no matching overload: map[%s]", expr_kind_name((enum value_kind)key.kind));
        const struct value *found = value_get_key(container, key);
        if (found) {
            *ret = *found;
            return 0;
        }
        if (eval->quiet > 0) return expr_fail(eval, node, "no such key");
        struct text text;
        struct value shown;
        text_init(&text, eval, node);
        expr_text_scalar(&text, key);
        int rc = text_take(&text, &shown);
        return rc != 0 ? rc : expr_fail(eval, node, "no such key: %.*s", STR_ARG(value_str(shown)));
    }
    if (container.kind != VALUE_LIST)
        return expr_fail(eval, node, "%s does not support indexing", expr_kind_name((enum value_kind)container.kind));
    int64_t index;
    switch (key.kind) {
    case VALUE_INT: index = key.integer; break;
    case VALUE_UINT: index = key.uinteger > INT64_MAX ? INT64_MAX : (int64_t)key.uinteger; break;
    case VALUE_DOUBLE:
        if (!(key.real >= -4294967296.0 && key.real <= 4294967296.0) || (double)(int64_t)key.real != key.real)
            return expr_fail(eval, node, "invalid_argument: a list index must be a whole number");
        index = (int64_t)key.real;
        break;
    default: return expr_fail(eval, node, "no matching overload: list[%s]", expr_kind_name((enum value_kind)key.kind));
    }
    if (index < 0 || index >= (int64_t)container.size) {
        int rc = expr_fail(eval, node, "index out of bounds: %lld", (long long)index);
        expr_hint(eval, "the list has %u item%s, counted from 0", container.size, container.size == 1 ? "" : "s");
        return rc;
    }
    *ret = container.items[index];
    return 0;
}

/* ---- logic ---- */

static int eval_row(struct eval *eval, const struct node *node, struct value *ret)
{
    bool decisive = node->kind == NODE_OR; /* the operand that settles it whatever the others are */
    int held = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        struct value value;
        int rc = expr_eval_node(eval, node->items[i], &value);
        if (rc == 0 && value.kind == VALUE_BOOL) {
            if (value.boolean != decisive) continue;
            if (held) eval->quiet--;
            *ret = value;
            return 0;
        }
        if (rc == 0)
            rc = expr_fail(eval, node, "no matching overload: %s is no operand of %s, which takes bool",
                           expr_kind_name((enum value_kind)value.kind), decisive ? "||" : "&&");
        if (rc != ORCH_ERR_EVALUATION) {
            if (held) eval->quiet--;
            return rc;
        }
        if (!held) {
            held = rc;
            eval->quiet++;
        }
    }
    if (held) {
        eval->quiet--;
        return held;
    }
    *ret = value_bool(!decisive);
    return 0;
}

static int eval_not(struct eval *eval, const struct node *node, struct value *ret)
{
    int rc = expr_eval_node(eval, node->one, ret);
    if (rc != 0) return rc;
    if (ret->kind != VALUE_BOOL)
        return expr_fail(eval, node, "no matching overload: !%s", expr_kind_name((enum value_kind)ret->kind));
    if (node->count & 1) ret->boolean = !ret->boolean;
    return 0;
}

static int eval_negate(struct eval *eval, const struct node *node, struct value *ret)
{
    int rc = expr_eval_node(eval, node->one, ret);
    /* Twice is enough to find an overflow, and pairs beyond that change nothing. */
    uint32_t times = node->count > 2 ? 2 - (node->count & 1) : node->count;
    for (uint32_t i = 0; i < times && rc == 0; i++) rc = expr_negate(eval, node, *ret, ret);
    return rc;
}

static int eval_cond(struct eval *eval, const struct node *node, struct value *ret)
{
    struct value condition;
    int rc = expr_eval_node(eval, node->cond.condition, &condition);
    if (rc != 0) return rc;
    if (condition.kind != VALUE_BOOL)
        return expr_fail(eval, node, "no matching overload: the condition of ?: is %s, not bool",
                         expr_kind_name((enum value_kind)condition.kind));
    return expr_eval_node(eval, condition.boolean ? node->cond.yes : node->cond.no, ret);
}

/* ---- lists, maps, calls ---- */

static int eval_list(struct eval *eval, const struct node *node, struct value *ret)
{
    struct value *items = expr_alloc(eval, node, node->count, sizeof(struct value));
    if (!items) return eval->failure;
    for (uint32_t i = 0; i < node->count; i++) {
        int rc = expr_eval_node(eval, node->items[i], &items[i]);
        if (rc != 0) return rc;
    }
    eval->has_built = true;
    *ret = value_list(items, node->count);
    return 0;
}

static int eval_map(struct eval *eval, const struct node *node, struct value *ret)
{
    uint32_t count = node->count / 2;
    struct value_member *members = expr_alloc(eval, node, count, sizeof(struct value_member));
    if (!members) return eval->failure;
    for (uint32_t i = 0; i < count; i++) {
        int rc = expr_eval_node(eval, node->items[2 * i], &members[i].key);
        if (rc == 0) rc = expr_eval_node(eval, node->items[2 * i + 1], &members[i].value);
        if (rc != 0) return rc;
        if (!((K(STRING) | K(INT) | K(UINT) | K(BOOL)) >> members[i].key.kind & 1))
            return expr_fail(eval, node->items[2 * i], "unsupported key type: %s",
                             expr_kind_name((enum value_kind)members[i].key.kind));
    }
    return expr_make_map(eval, node, members, count, ret);
}

#define ARGS_ON_STACK 4

static int eval_call(struct eval *eval, const struct node *node, struct value *ret)
{
    struct value args_small[ARGS_ON_STACK], *args = args_small;
    if (node->count > ARGS_ON_STACK) {
        args = expr_alloc(eval, node, node->count, sizeof(struct value));
        if (!args) return eval->failure;
    }
    const struct function *function = node->call.function;
    for (uint32_t i = 0; i < node->count; i++) {
        int rc = expr_eval_node(eval, node->call.items[i], &args[i]);
        if (rc != 0) return rc;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        if (!(expr_function_param(function, i) >> args[i].kind & 1))
            return expr_fail_call(eval, node, args, node->count);
    }
    return function->call(eval, node, args, node->count, ret);
}

/* ---- macros ---- */

/* What a loop has found so far. */
struct loop_state {
    struct value *items; /* MAP, FILTER: the result */
    uint32_t count;
    uint32_t found; /* EXISTS_ONE */
    int held;       /* ALL, EXISTS: the first error, absorbed when a later item settles it */
};

/* One item; *ret_settled ends the loop with *ret. */
static int loop_item(struct eval *eval, const struct node *node, struct value item, struct loop_state *state,
                     struct value *ret, bool *ret_settled)
{
    const struct node_loop *loop = node->loop;
    int rc = expr_cost(eval, node, 1);
    if (rc != 0) return rc;
    struct value condition = value_bool(true);
    eval->locals[loop->slot] = item;
    if (loop->predicate) {
        rc = expr_eval_node(eval, loop->predicate, &condition);
        if (rc == 0 && condition.kind != VALUE_BOOL)
            rc = expr_fail(eval, loop->predicate, "no matching overload: the condition of a macro is %s, not bool",
                           expr_kind_name((enum value_kind)condition.kind));
    }
    bool is_all = node->op == LOOP_ALL;
    if (is_all || node->op == LOOP_EXISTS) {
        if (rc == 0 && condition.boolean == !is_all) {
            *ret_settled = true;
            *ret = condition;
        } else if (rc == ORCH_ERR_EVALUATION) {
            if (!state->held) eval->quiet++;
            state->held = rc;
            rc = 0;
        }
        return rc;
    }
    if (rc != 0 || !condition.boolean) return rc;
    if (node->op == LOOP_EXISTS_ONE)
        state->found++;
    else if (node->op == LOOP_FILTER)
        state->items[state->count++] = item;
    else
        rc = expr_eval_node(eval, loop->transform, &state->items[state->count++]);
    return rc;
}

static int eval_loop(struct eval *eval, const struct node *node, struct value *ret)
{
    struct value range;
    int rc = expr_eval_node(eval, node->loop->range, &range);
    if (rc != 0) return rc;
    if (range.kind != VALUE_LIST && range.kind != VALUE_MAP) {
        rc = expr_fail(eval, node, "no matching overload: a macro goes through a list or a map, not %s",
                       expr_kind_name((enum value_kind)range.kind));
        return rc;
    }
    struct loop_state state = {0};
    if (node->op == LOOP_MAP || node->op == LOOP_FILTER) {
        state.items = expr_alloc(eval, node, range.size, sizeof(struct value));
        if (!state.items) return eval->failure;
    }
    const struct value_member *members = range.kind == VALUE_MAP ? value_members(range) : NULL;
    bool settled = false;
    for (uint32_t i = 0; i < range.size && rc == 0 && !settled; i++)
        rc = loop_item(eval, node, members ? members[i].key : range.items[i], &state, ret, &settled);
    if (state.held) eval->quiet--;
    if (rc != 0 || settled) return rc;
    if (state.held) return state.held;
    switch ((enum loop_kind)node->op) {
    case LOOP_ALL: *ret = value_bool(true); break;
    case LOOP_EXISTS: *ret = value_bool(false); break;
    case LOOP_EXISTS_ONE: *ret = value_bool(state.found == 1); break;
    case LOOP_MAP:
    case LOOP_FILTER:
        eval->has_built = true;
        *ret = value_list(state.items, state.count);
        break;
    }
    return 0;
}

/* ---- the walk ---- */

int expr_eval_node(struct eval *eval, const struct node *node, struct value *ret)
{
    int rc = expr_cost(eval, node, 1);
    if (rc != 0) return rc;
    switch ((enum node_kind)node->kind) {
    case NODE_CONST: *ret = node->constant; return 0;
    case NODE_NAME: return eval_name(eval, node, ret);
    case NODE_LOCAL: *ret = eval->locals[node->count]; return 0;
    case NODE_SELECT: return eval_select(eval, node, ret);
    case NODE_HAS: return eval_has(eval, node, ret);
    case NODE_INDEX:
    case NODE_BINARY: {
        struct value a, b;
        if ((rc = expr_eval_node(eval, node->pair.left, &a)) != 0) return rc;
        if ((rc = expr_eval_node(eval, node->pair.right, &b)) != 0) return rc;
        return node->kind == NODE_INDEX ? expr_index(eval, node, a, b, ret) : expr_binary(eval, node, a, b, ret);
    }
    case NODE_NOT: return eval_not(eval, node, ret);
    case NODE_NEGATE: return eval_negate(eval, node, ret);
    case NODE_AND:
    case NODE_OR: return eval_row(eval, node, ret);
    case NODE_COND: return eval_cond(eval, node, ret);
    case NODE_LIST: return eval_list(eval, node, ret);
    case NODE_MAP: return eval_map(eval, node, ret);
    case NODE_CALL: return eval_call(eval, node, ret);
    case NODE_LOOP: return eval_loop(eval, node, ret);
    case NODE_FAIL: return expr_fail(eval, node, "%.*s", STR_ARG(node->text));
    }
    return expr_fail(eval, node, "internal error");
}
