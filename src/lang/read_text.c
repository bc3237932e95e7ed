/*
 * read_text.c - single values of a definition: texts, numbers, durations, expressions and templates, each with its
 * place.
 */
#include "lang/reader.h"

#include "base/error.h"
#include "base/time.h"

int read_str(struct reader *reader, struct orch_str text, struct orch_str *ret)
{
    *ret = arena_str(reader->base.arena, text);
    return ret->data ? 0 : ORCH_ERR_NO_MEMORY;
}

#define NUMBER_MAX 400 /* bytes */

/* Room on the stack: a number is read without memory, so that it cannot be read wrong for want of it. */
static void *room_resize(void *user, void *block, size_t size_old, size_t size_new)
{
    (void)block;
    (void)size_old;
    return size_new > 0 && size_new <= NUMBER_MAX + 1 ? user : NULL;
}

double read_number(const struct doc_node *node)
{
    char room[NUMBER_MAX + 1];
    const struct orch_allocator allocator = {.resize = room_resize, .user = room};
    struct buf buf;
    double number = 0;
    buf_init(&buf, &allocator, NUMBER_MAX);
    doc_number_json(node->text, &buf);
    if (!buf.failed)
        (void)str_to_double(buf_str(&buf), &number); /* checked when the document was brought into normal form */
    buf_done(&buf);
    return number;
}

int64_t read_integer(const struct doc_node *node)
{
    int64_t number = 0;
    double real;
    if (str_to_int64(node->text, &number)) return number;
    real = read_number(node); /* 1e3 and 0x10 are whole numbers too */
    if (!(real > -0x1p63)) return INT64_MIN;
    return real < 0x1p63 ? (int64_t)real : INT64_MAX;
}

bool read_bool(const struct doc_node *node)
{
    return node->text.size > 0 && (node->text.data[0] | 0x20) == 't';
}

void read_duration(struct reader *reader, const struct doc_node *node, bool zero, orch_time *ret)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct diags *diags = reader_diags(reader);
    orch_time duration = 0;
    *ret = 0;
    if (template_is_in(node->text)) {
        struct diag *diag = diag_add(diags, DIAG_ERROR, DIAG_TEMPLATE_NOT_HERE, doc_span(node),
                                     "a duration cannot hold a template here");
        diag_help(diags, diag, "it has to be known before anything runs; `wait` takes one");
        return;
    }
    if (duration_parse(node->text, &duration, &err)) {
        struct diag *diag = diag_add(diags, DIAG_ERROR, DIAG_BAD_DURATION, doc_span(node), "%s", err.message);
        if (err.hint[0]) diag_help(diags, diag, "%s", err.hint);
    } else if (duration > DURATION_MAX) {
        diag_add(diags, DIAG_ERROR, DIAG_BAD_DURATION, doc_span(node), "longer than 10 years");
    } else if (duration == 0 && !zero) {
        struct diag *diag = diag_add(diags, DIAG_ERROR, DIAG_BAD_DURATION, doc_span(node), "a duration of nothing");
        diag_help(diags, diag, "leave the key out for no limit");
    } else {
        *ret = duration;
    }
}

/* ---- places ---- */

struct span place_in(const struct doc_node *node, uint32_t column, bool *ret_exact)
{
    struct span whole = doc_span(node);
    *ret_exact = false;
    if (!node->block) {
        uint32_t quote = node->quoted ? 1 : 0;
        if (node->width != utf8_count(node->text) + 2 * quote) return whole; /* escapes, or several lines */
        *ret_exact = true;
        return (struct span){node->line, node->column + quote + column - 1, 1};
    }
    if (node->count == 0) return whole; /* folded, or indentation not known */
    struct span at = {node->line + 1, node->count + 1, 1};
    size_t byte = 0;
    for (uint32_t i = 1; i < column && byte < node->text.size; i++) {
        if (utf8_next(node->text, &byte) == '\n') {
            at.line++;
            at.column = node->count + 1;
        } else {
            at.column++;
        }
    }
    *ret_exact = true;
    return at;
}

static int add_site(struct reader *reader, const struct doc_node *node, struct where where, const struct expr *expr,
                    uint32_t column)
{
    bool exact;
    struct orch_str source = expr_source(expr);
    struct span at = place_in(node, column, &exact);
    at.length = exact && !memchr(source.data ? source.data : "", '\n', source.size) ? (uint32_t)utf8_count(source) : 0;
    const struct site site = {.expr = expr,
                              .task = where.task,
                              .block = where.block,
                              .at = at,
                              .whole = doc_span(node),
                              .kind = (uint8_t)where.kind};
    return reading_add_site(&reader->base, &site);
}

/* What the compiler of an expression or template says, at its place. */
static int report_error(struct reader *reader, const struct doc_node *node, int code, const struct orch_error *err)
{
    if (code == ORCH_ERR_NO_MEMORY) return code;
    bool exact;
    struct span at = place_in(node, err->column ? err->column : 1, &exact);
    uint16_t number = code == ORCH_ERR_LIMIT                                                ? DIAG_EXPRESSION_LIMIT
                      : str_find(str_from(err->message), STR("placeholder"), 0) != SIZE_MAX ? DIAG_BAD_TEMPLATE
                                                                                            : DIAG_BAD_EXPRESSION;
    struct diag *diag = diag_add(reader_diags(reader), DIAG_ERROR, number, at, "%s", err->message);
    if (err->hint[0]) diag_help(reader_diags(reader), diag, "%s", err->hint);
    return 0;
}

/* ---- expressions ---- */

int read_expression(struct reader *reader, const struct doc_node *node, struct where where, const struct expr **ret)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct diags *diags = reader_diags(reader);
    const struct expr *expr = NULL;
    uint32_t column = 1;
    int r;
    if (str_trim(node->text).size == 0) {
        diag_add(diags, DIAG_ERROR, DIAG_EMPTY_VALUE, doc_span(node), "an expression is wanted here");
        return 0;
    }
    if (template_is_in(node->text)) {
        struct template lone;
        r = template_compile_text(node->text, NULL, reader->base.arena, &lone, &err);
        if (r) return report_error(reader, node, r, &err);
        if (lone.kind != TEMPLATE_EXPR) {
            struct diag *diag = diag_add(diags, DIAG_ERROR, DIAG_WRONG_RESULT, doc_span(node),
                                         "an expression is wanted here, this gives a text");
            diag_help(diags, diag, "write the expression without {{ }}");
            return 0;
        }
        expr = lone.expr.expr;
        column = lone.expr.column;
    } else {
        r = expr_compile(node->text, NULL, reader->base.arena, &expr, &err);
        if (r) return report_error(reader, node, r, &err);
    }
    *ret = expr;
    return add_site(reader, node, where, expr, column);
}

/* ---- values and templates ---- */

static int read_scalar(struct reader *reader, const struct doc_node *node, struct value *ret)
{
    if (node->kind == DOC_STRING) {
        struct orch_str text;
        int r = read_str(reader, node->text, &text);
        if (!r) *ret = value_string(text);
        return r;
    }
    return doc_value(node, reader->base.arena, ret); /* numbers are copied, the others hold no text */
}

struct site_adding {
    struct reader *reader;
    const struct doc_node *node;
    struct where where;
};

static int add_part_site(void *user, const struct template_part *part)
{
    const struct site_adding *adding = user;
    return add_site(adding->reader, adding->node, adding->where, part->expr, part->column);
}

static int read_scalar_template(struct reader *reader, const struct doc_node *node, struct where where,
                                struct template *ret)
{
    if (node->text.size > TEXT_MAX)
        diag_add(reader_diags(reader), DIAG_ERROR, DIAG_TOO_LONG, doc_span(node), "a text of more than %zu bytes",
                 TEXT_MAX);
    if (node->kind != DOC_STRING || !template_is_in(node->text)) {
        struct value value = value_null();
        int r = read_scalar(reader, node, &value);
        *ret = (struct template){.kind = TEMPLATE_VALUE, .value = value};
        return r;
    }
    struct orch_error err = ORCH_ERROR_INIT;
    int r = template_compile_text(node->text, NULL, reader->base.arena, ret, &err);
    if (r) {
        *ret = (struct template){.kind = TEMPLATE_VALUE, .value = value_null()};
        return report_error(reader, node, r, &err);
    }
    struct site_adding adding = {reader, node, where};
    return template_each_expr(ret, add_part_site, &adding);
}

static int list_template(struct reader *reader, const struct doc_node *node, struct where where, struct template *ret)
{
    struct template *items = ARENA_ARRAY(reader->base.scratch, node->count, struct template);
    if (!items) return ORCH_ERR_NO_MEMORY;
    bool constant = true;
    for (uint32_t i = 0; i < node->count; i++) {
        int r = read_template(reader, &node->items[i], where, &items[i]);
        if (r) return r;
        constant &= items[i].kind == TEMPLATE_VALUE;
    }
    if (constant) {
        struct value *values = ARENA_ARRAY(reader->base.arena, node->count, struct value);
        if (!values) return ORCH_ERR_NO_MEMORY;
        for (uint32_t i = 0; i < node->count; i++) values[i] = items[i].value;
        *ret = (struct template){.kind = TEMPLATE_VALUE, .value = value_list(values, node->count)};
        return 0;
    }
    struct template *kept = ARENA_ARRAY(reader->base.arena, node->count, struct template);
    if (!kept) return ORCH_ERR_NO_MEMORY;
    memcpy(kept, items, node->count * sizeof *kept);
    *ret = (struct template){.kind = TEMPLATE_LIST, .count = node->count, .items = kept};
    return 0;
}

static int map_template(struct reader *reader, const struct doc_node *node, struct where where, struct template *ret)
{
    struct template_member *members = ARENA_ARRAY(reader->base.scratch, node->count, struct template_member);
    if (!members) return ORCH_ERR_NO_MEMORY;
    bool constant = true;
    for (uint32_t i = 0; i < node->count; i++) {
        int r = read_str(reader, node->members[i].key.text, &members[i].key);
        if (!r) r = read_template(reader, &node->members[i].value, where, &members[i].value);
        if (r) return r;
        constant &= members[i].value.kind == TEMPLATE_VALUE;
    }
    return template_from_members(reader, members, node->count, constant, ret);
}

int template_from_members(struct reader *reader, const struct template_member *members, uint32_t count, bool constant,
                          struct template *ret)
{
    if (constant) {
        struct value_member *values = ARENA_ARRAY(reader->base.arena, count, struct value_member);
        if (!values) return ORCH_ERR_NO_MEMORY;
        for (uint32_t i = 0; i < count; i++)
            values[i] = (struct value_member){value_string(members[i].key), members[i].value.value};
        *ret = (struct template){.kind = TEMPLATE_VALUE};
        return value_map(values, count, reader->base.arena, &ret->value);
    }
    struct template_member *kept = ARENA_ARRAY(reader->base.arena, count, struct template_member);
    if (!kept) return ORCH_ERR_NO_MEMORY;
    memcpy(kept, members, count * sizeof *kept);
    *ret = (struct template){.kind = TEMPLATE_MAP, .count = count, .members = kept};
    return 0;
}

int read_template(struct reader *reader, const struct doc_node *node, struct where where, struct template *ret)
{
    if (node->kind < DOC_LIST) return read_scalar_template(reader, node, where, ret);
    struct arena_mark mark = arena_mark(reader->base.scratch);
    int r = node->kind == DOC_LIST ? list_template(reader, node, where, ret) : map_template(reader, node, where, ret);
    arena_rewind(reader->base.scratch, mark);
    return r;
}

int read_value(struct reader *reader, const struct doc_node *node, struct value *ret)
{
    struct value value = value_null();
    int r = doc_value(node, reader->base.scratch, &value);
    return r ? r : value_copy(value, reader->base.arena, ret);
}

/* ---- names ---- */

bool name_is_reserved(struct orch_str name)
{
    static const char *const words[] = {"params",   "tasks", "execution", "workflow", "env",
                                        "secrets",  "now",   "error",     "event",    "iteration",
                                        "previous", "true",  "false",     "null",     "in"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_is(name, words[i])) return true;
    return false;
}
