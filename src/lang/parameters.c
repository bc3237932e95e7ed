/*
 * parameters.c - what a workflow may be given: read from its definition, and checked when it is given.
 *
 * One check serves both: a default and the choices of `enum` are held to the declaration as a given value is. Patterns
 * are those of the expressions' `matches`.
 */
#include "lang/reader.h"

#include "base/error.h"

static const char *type_text(enum parameter_type type)
{
    return schema_parameter_types[type];
}

/* ---- patterns ---- */

/* A pattern as the expression that asks it. The pattern is a literal in it, so compiling finds what is wrong. */
static int compile_pattern(struct orch_str pattern, struct arena *arena, const struct expr **ret,
                           struct orch_error *err)
{
    struct buf source;
    buf_init(&source, arena->allocator, 64 * 1024);
    buf_add_text(&source, "value.matches(");
    json_format_string(pattern, &source);
    buf_add_char(&source, ')');
    int r = source.failed ? ORCH_ERR_NO_MEMORY : expr_compile(buf_str(&source), NULL, arena, ret, err);
    buf_done(&source);
    return r;
}

static int lookup_value(void *user, struct orch_str name, struct arena *arena, struct value *ret,
                        struct orch_error *err)
{
    (void)name; /* there is only one */
    (void)arena;
    (void)err;
    *ret = *(const struct value *)user;
    return 0;
}

/* ---- one value against one declaration ---- */

static bool is_type(struct value value, enum parameter_type type)
{
    switch (type) {
    case PARAMETER_ANY: return true;
    case PARAMETER_STRING: return value.kind == VALUE_STRING;
    case PARAMETER_INTEGER: return value.kind == VALUE_INT || value.kind == VALUE_UINT;
    case PARAMETER_NUMBER:
        return value.kind == VALUE_INT || value.kind == VALUE_UINT || value.kind == VALUE_DOUBLE ||
               value.kind == VALUE_NUMBER;
    case PARAMETER_BOOLEAN: return value.kind == VALUE_BOOL;
    case PARAMETER_LIST: return value.kind == VALUE_LIST;
    case PARAMETER_MAP: return value.kind == VALUE_MAP;
    }
    return false;
}

struct complaint {
    uint16_t code;
    char text[160]; /* what is wrong, behind "parameter x: " */
};

static void complain(struct complaint *complaint, uint16_t code, const char *format, ...) ORCH_PRINTF(3, 4);

static void complain(struct complaint *complaint, uint16_t code, const char *format, ...)
{
    struct buf text;
    va_list args;
    va_start(args, format);
    buf_init(&text, NULL, sizeof complaint->text - 1);
    buf_vprintf(&text, format, args);
    va_end(args);
    complaint->code = code;
    size_t size = text.size < sizeof complaint->text - 1 ? text.size : sizeof complaint->text - 1;
    if (size) memcpy(complaint->text, text.data, size);
    complaint->text[size] = 0;
    if (text.failed && !size) memcpy(complaint->text, "not valid", sizeof "not valid");
    buf_done(&text);
}

/* Short JSON of a value, for messages. */
static void shown(struct value value, char text[64])
{
    struct buf json;
    buf_init(&json, NULL, 0);
    json_format(value, 0, &json);
    size_t size = json.failed ? 0 : json.size < 48 ? json.size : 45;
    bool cut = json.failed || size < json.size; /* where memory is short only the dots are shown */
    while (size && size < json.size && ((unsigned char)json.data[size] & 0xC0) == 0x80)
        size--; /* not within a character */
    if (size) memcpy(text, json.data, size);
    memcpy(text + size, cut ? "..." : "", cut ? 4 : 1);
    buf_done(&json);
}

static void check_bounds(const struct parameter *parameter, struct value value, struct complaint *complaint)
{
    double size = 0;
    const char *what = "";
    if (value.kind == VALUE_STRING) {
        size = (double)utf8_count(value_str(value));
        what = " characters";
    } else if (value.kind == VALUE_LIST) {
        size = value.size;
        what = " items";
    }
    char bound[32], text[64];
    bool low, high;
    if (what[0]) {
        low = parameter->has_min && size < parameter->min;
        high = parameter->has_max && size > parameter->max;
    } else {
        low = parameter->has_min && value_compare(value, value_double(parameter->min)) == -1;
        high = parameter->has_max && value_compare(value, value_double(parameter->max)) == 1;
    }
    if (!low && !high) return;
    bound[double_format(low ? parameter->min : parameter->max, bound)] = 0;
    shown(value, text);
    complain(complaint, DIAG_VALUE_RANGE, "%s %s%s, got %s", low ? "at least" : "at most", bound, what, text);
}

/* ORCH_ERR_NO_MEMORY, or 0: then complaint->code says whether it fits. */
static int check_value(const struct parameter *parameter, struct value value, struct arena *arena,
                       struct complaint *complaint)
{
    char text[64];
    complaint->code = 0;
    if (!is_type(value, parameter->type)) {
        shown(value, text);
        complain(complaint, DIAG_VALUE_TYPE, "expected %s, got %s", type_text(parameter->type), text);
        return 0;
    }
    if (parameter->choices) {
        bool found = false;
        for (uint32_t i = 0; i < parameter->choices_count && !found; i++)
            found = value_equal(value, parameter->choices[i]);
        if (!found) {
            struct buf words;
            buf_init(&words, NULL, 4096);
            for (uint32_t i = 0; i < parameter->choices_count; i++) {
                if (i) buf_add_text(&words, ", ");
                json_format(parameter->choices[i], 0, &words);
            }
            shown(value, text);
            complain(complaint, DIAG_VALUE_CHOICE, "%s is none of %.*s", text, (int)(words.size > 90 ? 90 : words.size),
                     words.data ? words.data : "its choices");
            buf_done(&words);
            return 0;
        }
    }
    if (parameter->has_min || parameter->has_max) check_bounds(parameter, value, complaint);
    if (complaint->code || !parameter->pattern.size || value.kind != VALUE_STRING) return 0;

    const struct expr *expr;
    int r = compile_pattern(parameter->pattern, arena, &expr, NULL);
    if (r == ORCH_ERR_NO_MEMORY) return r;
    const struct expr_env env = {.lookup = lookup_value, .user = &value};
    struct value matches = value_bool(false);
    if (!r) r = expr_eval(expr, &env, arena, &matches, NULL);
    if (r == ORCH_ERR_NO_MEMORY) return r;
    if (r) {
        complain(complaint, DIAG_VALUE_PATTERN, "too long to be matched by its pattern");
    } else if (!matches.boolean) {
        shown(value, text);
        complain(complaint, DIAG_VALUE_PATTERN, "%s does not match %.*s", text,
                 (int)(parameter->pattern.size > 60 ? 60 : parameter->pattern.size), parameter->pattern.data);
    }
    return 0;
}

/* ---- declarations ---- */

static int read_choices(struct reader *reader, const struct doc_node *node, struct parameter *parameter)
{
    struct value *choices = ARENA_ARRAY(reader->base.arena, node->count, struct value);
    if (!choices) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < node->count; i++) {
        int r = read_value(reader, &node->items[i], &choices[i]);
        if (r) return r;
        if (!is_type(choices[i], parameter->type))
            diag_add(reader_diags(reader), DIAG_ERROR, DIAG_BAD_DEFAULT, doc_span(&node->items[i]),
                     "this choice is no %s", type_text(parameter->type));
    }
    parameter->choices = choices;
    parameter->choices_count = node->count;
    return 0;
}

static int read_pattern(struct reader *reader, const struct doc_node *node, struct parameter *parameter)
{
    struct orch_error err = ORCH_ERROR_INIT;
    const struct expr *ignored;
    int r = compile_pattern(node->text, reader->base.scratch, &ignored, &err);
    if (r == ORCH_ERR_NO_MEMORY) return r;
    if (r)
        diag_add(reader_diags(reader), DIAG_ERROR, DIAG_BAD_PATTERN, doc_span(node), "the pattern cannot be read: %s",
                 err.message);
    if (parameter->type != PARAMETER_STRING && parameter->type != PARAMETER_ANY)
        diag_add(reader_diags(reader), DIAG_ERROR, DIAG_KEY_NOT_HERE, doc_span(node),
                 "\"pattern\" is for strings only");
    return r ? 0 : read_str(reader, node->text, &parameter->pattern);
}

static int read_default(struct reader *reader, const struct doc_node *node, struct parameter *parameter)
{
    struct complaint complaint;
    int r = read_value(reader, node, &parameter->default_value);
    if (r) return r;
    parameter->has_default = true;
    parameter->required = false;
    if (node->kind == DOC_NULL) return 0; /* null stands for no value whatever the type */
    r = check_value(parameter, parameter->default_value, reader->base.scratch, &complaint);
    if (!r && complaint.code)
        diag_add(reader_diags(reader), DIAG_ERROR, DIAG_BAD_DEFAULT, doc_span(node), "default of %.*s: %s",
                 STR_ARG(parameter->name), complaint.text);
    return r;
}

static int read_parameter(struct reader *reader, const struct doc_member *member, struct parameter *parameter)
{
    const struct doc_node *slots[PARAMETER_KEYS];
    struct diags *diags = reader_diags(reader);
    schema_slots(&schema_parameter, &member->value, slots);
    parameter->line = member->key.line;
    parameter->column = member->key.column;
    parameter->default_value = value_null();
    if (name_is_reserved(member->key.text))
        diag_add(diags, DIAG_ERROR, DIAG_RESERVED_NAME, doc_span(&member->key), "\"%.*s\" is a reserved name",
                 STR_ARG(member->key.text));
    int r = read_str(reader, member->key.text, &parameter->name);
    if (!r && slots[PARAMETER_KEY_DESCRIPTION])
        r = read_str(reader, slots[PARAMETER_KEY_DESCRIPTION]->text, &parameter->description);
    if (r) return r;
    for (int i = 0; slots[PARAMETER_KEY_TYPE] && schema_parameter_types[i]; i++)
        if (str_is(slots[PARAMETER_KEY_TYPE]->text, schema_parameter_types[i]))
            parameter->type = (enum parameter_type)i;
    parameter->required = slots[PARAMETER_KEY_REQUIRED] && read_bool(slots[PARAMETER_KEY_REQUIRED]);
    parameter->has_min = slots[PARAMETER_KEY_MIN] != NULL;
    parameter->has_max = slots[PARAMETER_KEY_MAX] != NULL;
    if (parameter->has_min) parameter->min = read_number(slots[PARAMETER_KEY_MIN]);
    if (parameter->has_max) parameter->max = read_number(slots[PARAMETER_KEY_MAX]);
    if (parameter->has_min && parameter->has_max && parameter->min > parameter->max)
        diag_add(diags, DIAG_ERROR, DIAG_BOUNDS_CROSSED, doc_span(slots[PARAMETER_KEY_MIN]),
                 "min of \"%.*s\" is above its max", STR_ARG(parameter->name));
    if (slots[PARAMETER_KEY_ENUM]) r = read_choices(reader, slots[PARAMETER_KEY_ENUM], parameter);
    if (!r && slots[PARAMETER_KEY_PATTERN]) r = read_pattern(reader, slots[PARAMETER_KEY_PATTERN], parameter);
    if (!r && slots[PARAMETER_KEY_DEFAULT]) r = read_default(reader, slots[PARAMETER_KEY_DEFAULT], parameter);
    return r;
}

int read_parameters(struct reader *reader, const struct doc_node *node)
{
    uint32_t count = node->count;
    if (count > PARAMETERS_MAX) {
        diag_add(reader_diags(reader), DIAG_ERROR, DIAG_TOO_LONG, doc_span(node), "more than %d parameters",
                 PARAMETERS_MAX);
        count = PARAMETERS_MAX;
    }
    struct parameter *parameters = ARENA_ARRAY(reader->base.arena, count, struct parameter);
    if (!parameters) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        int r = read_parameter(reader, &node->members[i], &parameters[i]);
        if (r) return r;
        for (uint32_t k = 0; k < i; k++)
            if (str_equal(parameters[k].name, parameters[i].name))
                diag_add(reader_diags(reader), DIAG_ERROR, DIAG_DOUBLE_NAME, doc_span(&node->members[i].key),
                         "parameter \"%.*s\" is declared twice", STR_ARG(parameters[i].name));
    }
    reader->base.workflow->parameters = parameters;
    reader->base.workflow->parameters_count = count;
    return 0;
}

/* ---- given values ---- */

/* Text of a command line as the declared type, when it can be read as that; otherwise as it stands. */
static int from_text(const struct parameter *parameter, struct value given, struct arena *arena, struct value *ret)
{
    *ret = given;
    struct orch_str text = value_str(given);
    struct value parsed;
    int64_t whole;
    double real;
    switch (parameter->type) {
    case PARAMETER_STRING:
    case PARAMETER_ANY: return 0;
    case PARAMETER_INTEGER:
        if (str_to_int64(text, &whole)) *ret = value_int(whole);
        return 0;
    case PARAMETER_NUMBER:
        if (str_to_int64(text, &whole))
            *ret = value_int(whole);
        else if (str_to_double(text, &real))
            *ret = value_double(real);
        return 0;
    case PARAMETER_BOOLEAN:
        if (str_is(text, "true") || str_is(text, "yes") || str_is(text, "1")) *ret = value_bool(true);
        if (str_is(text, "false") || str_is(text, "no") || str_is(text, "0")) *ret = value_bool(false);
        return 0;
    case PARAMETER_LIST:
    case PARAMETER_MAP: {
        int r = json_parse(text, NULL, arena, &parsed, NULL);
        if (r == ORCH_ERR_NO_MEMORY) return r;
        if (!r) *ret = parsed;
        return 0;
    }
    }
    return 0;
}

/* The first complaint goes to err, all of them to diags. */
struct findings {
    struct diags *diags; /* or NULL */
    struct orch_error *err;
    int code;
};

static void find(struct findings *findings, uint16_t code, struct orch_str name, const char *text, const char *hint)
{
    if (findings->diags) {
        struct diag *diag =
            diag_add(findings->diags, DIAG_ERROR, code, (struct span){0}, "parameter %.*s: %s", STR_ARG(name), text);
        if (hint[0]) diag_help(findings->diags, diag, "%s", hint);
    }
    if (findings->code) return;
    findings->code = error_set(findings->err, ORCH_ERR_INVALID, "parameter %.*s: %s", STR_ARG(name), text);
    if (hint[0]) error_hint(findings->err, "%s", hint);
}

static void find_missing(struct findings *findings, struct orch_str name)
{
    struct buf hint;
    buf_init(&hint, NULL, 400);
    buf_printf(&hint, "give it a value:  -p %.*s=VALUE", STR_ARG(name));
    find(findings, DIAG_PARAMETER_MISSING, name, "required, and not given", hint.failed ? "" : hint.data);
    buf_done(&hint);
}

static int find_unknown(const struct workflow *workflow, struct value given, struct arena *arena,
                        struct findings *findings)
{
    struct orch_str *names = NULL;
    for (uint32_t i = 0; given.kind == VALUE_MAP && i < given.size; i++) {
        struct value key = value_members(given)[i].key;
        bool known = false;
        for (uint32_t k = 0; k < workflow->parameters_count && !known; k++)
            known = key.kind == VALUE_STRING && str_equal(workflow->parameters[k].name, value_str(key));
        if (known) continue;
        if (!names) {
            names = ARENA_ARRAY(arena, workflow->parameters_count, struct orch_str);
            if (!names) return ORCH_ERR_NO_MEMORY;
            for (uint32_t k = 0; k < workflow->parameters_count; k++) names[k] = workflow->parameters[k].name;
        }
        struct orch_str name = key.kind == VALUE_STRING ? value_str(key) : STR("?");
        struct orch_str nearest = str_nearest(name, names, workflow->parameters_count);
        char hint[200] = "";
        struct buf text;
        buf_init(&text, arena->allocator, sizeof hint - 1);
        if (nearest.size)
            buf_printf(&text, "did you mean \"%.*s\"?", STR_ARG(nearest));
        else if (workflow->parameters_count == 0)
            buf_add_text(&text, "the workflow has no parameters");
        if (text.size) memcpy(hint, text.data, text.size);
        buf_done(&text);
        find(findings, DIAG_UNKNOWN_PARAMETER, name, "the workflow has no such parameter", hint);
    }
    return 0;
}

int workflow_parameters(const struct workflow *workflow, struct value given, bool given_as_text, struct arena *arena,
                        struct diags *diags, struct value *ret, struct orch_error *err)
{
    struct findings findings = {diags, err, 0};
    if (given.kind != VALUE_MAP && given.kind != VALUE_NULL)
        return error_set(err, ORCH_ERR_INVALID, "parameters are a map of names to values");
    if (find_unknown(workflow, given, arena, &findings)) return error_memory(err);

    struct value_member *members = ARENA_ARRAY(arena, workflow->parameters_count, struct value_member);
    if (!members) return error_memory(err);
    for (uint32_t i = 0; i < workflow->parameters_count; i++) {
        const struct parameter *parameter = &workflow->parameters[i];
        const struct value *found = value_get(given, parameter->name);
        members[i] = (struct value_member){value_string(parameter->name), parameter->default_value};
        if (!found || (found->kind == VALUE_NULL && parameter->type != PARAMETER_ANY)) {
            if (parameter->required) find_missing(&findings, parameter->name);
            continue;
        }
        struct value value = *found;
        if (given_as_text && value.kind == VALUE_STRING && from_text(parameter, *found, arena, &value))
            return error_memory(err);
        struct complaint complaint;
        if (check_value(parameter, value, arena, &complaint)) return error_memory(err);
        if (complaint.code) find(&findings, complaint.code, parameter->name, complaint.text, "");
        members[i].value = value;
    }
    if (diags && diags->failed) return error_memory(err);
    if (findings.code) return findings.code;
    struct value all;
    int r = value_map(members, workflow->parameters_count, arena, &all);
    if (r) return error_memory(err);
    *ret = all;
    return 0;
}
