/*
 * normal_check.c - single values against the table: names, kinds, words, lengths, numbers.
 */
#include "lang/normal_inside.h"

/* ---- names ---- */

static bool name_fits(struct orch_str text, bool dash)
{
    if (text.size == 0 || text.size > 128) return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || (dash && c == '-')))) return false;
    }
    return true;
}

bool name_is_id(struct orch_str text)
{
    return name_fits(text, true);
}

bool name_is_variable(struct orch_str text)
{
    return name_fits(text, false);
}

/* The mend: the same with what is not allowed replaced. */
static void suggest_name(struct normal *normal, struct diag *diag, struct orch_str text, bool dash)
{
    char name[128];
    size_t size = 0;
    for (size_t i = 0; i < text.size && size < sizeof name; i++) {
        char c = text.data[i];
        bool digit = c >= '0' && c <= '9';
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || digit || (dash && c == '-');
        if (size == 0 && (digit || c == '-')) name[size++] = '_';
        if (size < sizeof name && (fits || size == 0 || name[size - 1] != '_')) name[size++] = fits ? c : '_';
    }
    if (name_fits(str_of(name, size), dash))
        diag_help(normal->diags, diag, "letters, digits%s _ only: %.*s", dash ? ", - and" : " and", (int)size, name);
}

static void template_not_here(struct normal *normal, struct orch_str what, const struct doc_node *at)
{
    struct diag *diag = diag_add(normal->diags, DIAG_ERROR, DIAG_TEMPLATE_NOT_HERE, doc_span(at),
                                 "\"%.*s\" cannot hold a template", STR_ARG(what));
    diag_help(normal->diags, diag, "it has to be known before anything runs: write the text itself");
}

void normal_check_name(struct normal *normal, struct orch_str what, const struct doc_node *at, uint8_t kind)
{
    bool dash = kind == TEXT_ID;
    if (name_fits(at->text, dash)) return;
    struct span span = doc_span(at);
    if (at->text.size > 128) {
        diag_add(normal->diags, DIAG_ERROR, DIAG_TOO_LONG, span, "a name has at most 128 characters");
        return;
    }
    if (str_find(at->text, STR("{{"), 0) != SIZE_MAX) {
        template_not_here(normal, what, at);
        return;
    }
    struct diag *diag = diag_add(normal->diags, DIAG_ERROR, DIAG_BAD_NAME, span, "\"%.*s\" cannot be %s",
                                 STR_ARG(at->text), dash ? "the id of a task" : "a name here");
    suggest_name(normal, diag, at->text, dash);
}

/* ---- single values ---- */

void normal_wrong_kind(struct normal *normal, const struct schema_value *want, struct orch_str what,
                       const struct doc_node *in)
{
    struct buf wants;
    buf_init(&wants, normal->scratch->allocator, 4096);
    schema_wants(want, &wants);
    if (wants.failed) normal->diags->failed = true;
    struct diag *diag;
    if (in->kind == DOC_NULL)
        diag =
            diag_add(normal->diags, DIAG_ERROR, DIAG_WRONG_KIND, doc_span(in), "\"%.*s\" has no value", STR_ARG(what));
    else
        diag = diag_add(normal->diags, DIAG_ERROR, DIAG_WRONG_KIND, doc_span(in), "\"%.*s\" cannot be %s",
                        STR_ARG(what), doc_kind_text(in));
    bool quoted = in->kind == DOC_STRING && (str_is(in->text, "true") || str_is(in->text, "false"));
    bool yes =
        in->kind == DOC_STRING && (str_is(in->text, "yes") || str_is(in->text, "on") || str_is(in->text, "True"));
    bool no =
        in->kind == DOC_STRING && (str_is(in->text, "no") || str_is(in->text, "off") || str_is(in->text, "False"));
    if ((yes || no) && (want->kinds & SCHEMA_BOOL))
        diag_help(normal->diags, diag, "write %s", yes ? "true" : "false");
    else if (quoted && (want->kinds & SCHEMA_BOOL))
        diag_help(normal->diags, diag, "write %.*s without quotes", STR_ARG(in->text));
    else
        diag_help(normal->diags, diag, "it wants %.*s", STR_ARG(buf_str(&wants)));
    buf_done(&wants);
}

static void check_choice(struct normal *normal, const struct schema_value *want, struct orch_str what,
                         const struct doc_node *in)
{
    size_t count = 0;
    for (; want->choices[count]; count++)
        if (str_is(in->text, want->choices[count])) return;
    struct diag *diag = diag_add(normal->diags, DIAG_ERROR, DIAG_NOT_A_CHOICE, doc_span(in),
                                 "\"%.*s\" cannot be \"%.*s\"", STR_ARG(what), STR_ARG(in->text));
    if (diag == &normal->diags->spare) return; /* not shown: no need to look for the mend */
    struct orch_str nearest = schema_nearest_choice(want->choices, in->text);
    struct buf words;
    buf_init(&words, normal->scratch->allocator, 4096);
    for (size_t i = 0; i < count; i++)
        buf_printf(&words, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " or ", want->choices[i]);
    if (words.failed) normal->diags->failed = true;
    if (nearest.size)
        diag_help(normal->diags, diag, "did you mean \"%.*s\"? It is one of %.*s", STR_ARG(nearest),
                  STR_ARG(buf_str(&words)));
    else
        diag_help(normal->diags, diag, "one of %.*s", STR_ARG(buf_str(&words)));
    buf_done(&words);
}

void normal_check_text(struct normal *normal, const struct schema_value *want, struct orch_str what,
                       const struct doc_node *in)
{
    if (want->choices) {
        check_choice(normal, want, what, in);
        return;
    }
    if (want->text == TEXT_ID || want->text == TEXT_NAME) {
        normal_check_name(normal, what, in, want->text);
        return;
    }
    if (want->min > 0 && str_trim(in->text).size == 0)
        diag_add(normal->diags, DIAG_ERROR, DIAG_EMPTY_VALUE, doc_span(in), "\"%.*s\" is empty", STR_ARG(what));
    if (want->max > 0 && in->text.size > (uint64_t)want->max)
        diag_add(normal->diags, DIAG_ERROR, DIAG_TOO_LONG, doc_span(in), "\"%.*s\" is longer than %lld bytes",
                 STR_ARG(what), (long long)want->max);
    if (want->text == TEXT_LITERAL && str_find(in->text, STR("{{"), 0) != SIZE_MAX) template_not_here(normal, what, in);
}

void normal_check_number(struct normal *normal, const struct schema_value *want, struct orch_str what,
                         const struct doc_node *in)
{
    struct value value = value_null();
    if (doc_value(in, normal->scratch, &value)) {
        normal->diags->failed = true;
        return;
    }
    bool whole = value.kind == VALUE_INT;
    if ((want->kinds & SCHEMA_INTEGER) && !whole && value.kind != VALUE_UINT && value.kind != VALUE_NUMBER) {
        diag_add(normal->diags, DIAG_ERROR, DIAG_BAD_NUMBER, doc_span(in), "\"%.*s\" wants a whole number",
                 STR_ARG(what));
        return;
    }
    bool fits = value_compare(value, value_int(want->min)) >= 0 && value_compare(value, value_int(want->max)) <= 0;
    if ((want->kinds & SCHEMA_NUMBER) && want->min == INT64_MIN) fits = value.kind != VALUE_NUMBER;
    if (fits) return;
    if (want->max == INT64_MAX)
        diag_add(normal->diags, DIAG_ERROR, DIAG_BAD_NUMBER, doc_span(in), "\"%.*s\" is at least %lld", STR_ARG(what),
                 (long long)want->min);
    else if (want->min == INT64_MIN)
        diag_add(normal->diags, DIAG_ERROR, DIAG_BAD_NUMBER, doc_span(in),
                 "\"%.*s\" is a number that cannot be held exactly", STR_ARG(what));
    else
        diag_add(normal->diags, DIAG_ERROR, DIAG_BAD_NUMBER, doc_span(in), "\"%.*s\" is from %lld to %lld",
                 STR_ARG(what), (long long)want->min, (long long)want->max);
}
