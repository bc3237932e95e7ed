/*
 * read_shell.c - the refusal of templates in the text of programs, with the mend.
 *
 * A value put into shell text would become code; it reaches a program as an environment variable or an argument
 * instead. Text that holds the templates of another program, such as `docker ps --format '{{.Names}}'`, is left alone:
 * nothing is put in.
 */
#include "lang/reader.h"

#define PLACEHOLDERS_SHOWN 4

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Go's templates name a field with a dot that follows nothing: {{.Names}}, {{json .}}, {{range $i := .List}}. */
static bool is_of_another_program(struct orch_str inside)
{
    for (size_t i = 0; i < inside.size; i++) {
        if (inside.data[i] != '.') continue;
        char before = i ? inside.data[i - 1] : ' ';
        if (!is_word_char(before) && before != ')' && before != ']' && before != '"' && before != '\'') return true;
    }
    return false;
}

/* The inside of the next placeholder at or after *at, which moves behind it. */
static bool next_placeholder(struct orch_str text, size_t *at, size_t *ret_begin, struct orch_str *ret_inside)
{
    size_t begin = str_find(text, STR("{{"), *at);
    if (begin == SIZE_MAX) return false;
    size_t end = str_find(text, STR("}}"), begin + 2);
    if (end == SIZE_MAX) return false;
    *ret_begin = begin;
    *ret_inside = str_trim(str_of(text.data + begin + 2, end - begin - 2));
    *at = end + 2;
    return true;
}

/* A variable's name for an expression: its last plain word, in capitals. */
static void variable_name(struct orch_str expression, char name[33])
{
    static const char *const plain[] = {"output", "response", "params"};
    struct orch_str best = STR_NONE;
    for (size_t i = 0; i < expression.size;) {
        size_t start = i;
        while (i < expression.size && is_word_char(expression.data[i])) i++;
        struct orch_str word = str_of(expression.data + start, i - start);
        if (i == start) {
            i++;
            continue;
        }
        bool digit = word.data[0] >= '0' && word.data[0] <= '9';
        bool call = i < expression.size && expression.data[i] == '(';
        bool dull = false;
        for (size_t k = 0; k < 3; k++) dull |= str_is(word, plain[k]);
        if (!digit && !call && (!dull || !best.size)) best = word;
    }
    size_t size = 0;
    for (; size < best.size && size < 32; size++)
        name[size] = (char)(best.data[size] >= 'a' && best.data[size] <= 'z' ? best.data[size] - 32 : best.data[size]);
    if (!size || (best.size == 6 && str_is(best, "output"))) {
        memcpy(name, "VALUE", 5);
        size = 5;
    }
    name[size] = 0;
}

/* The line that holds an offset. */
static struct orch_str line_around(struct orch_str text, size_t at)
{
    size_t start = at, end = at;
    while (start > 0 && text.data[start - 1] != '\n') start--;
    while (end < text.size && text.data[end] != '\n') end++;
    return str_of(text.data + start, end - start);
}

/* The variables of one mend: an expression that occurs again keeps its name, another of the same name gets a number. */
struct variables {
    struct orch_str expressions[PLACEHOLDERS_SHOWN];
    char names[PLACEHOLDERS_SHOWN][40];
    size_t count;
};

static const char *variable_of(struct variables *variables, struct orch_str expression)
{
    char name[33];
    int same = 1;
    variable_name(expression, name);
    for (size_t i = 0; i < variables->count; i++) {
        if (str_equal(variables->expressions[i], expression)) return variables->names[i];
        same += str_starts_with(str_from(variables->names[i]), str_from(name));
    }
    if (variables->count == PLACEHOLDERS_SHOWN) return NULL;
    variables->expressions[variables->count] = expression;
    char *kept = variables->names[variables->count++];
    size_t size = strlen(name);
    memcpy(kept, name, size + 1);
    if (same > 1) {
        kept[size] = '_';
        kept[size + 1] = (char)('0' + same);
        kept[size + 2] = 0;
    }
    return kept;
}

/* The line with "$NAME" in place of its placeholders, and the env that gives the names their values. */
static void add_mend(struct orch_str line, const char *key, struct buf *out)
{
    struct variables variables = {.count = 0};
    size_t at = 0, done = 0, begin;
    struct orch_str inside;
    bool quoted = false;
    buf_printf(out, "write  %s: ", key);
    while (next_placeholder(line, &at, &begin, &inside)) {
        const char *name = variable_of(&variables, inside);
        if (!name) break;
        for (size_t i = done; i < begin; i++)
            if (line.data[i] == '"' && (i == 0 || line.data[i - 1] != '\\')) quoted = !quoted;
        /* ${{ x }} is how others write it: the dollar goes with it. */
        size_t literal = begin > done && line.data[begin - 1] == '$' ? begin - 1 : begin;
        buf_add(out, str_of(line.data + done, literal - done));
        buf_printf(out, quoted ? "$%s" : "\"$%s\"", name);
        done = at;
    }
    buf_add(out, str_of(line.data + done, line.size - done));
    buf_add_text(out, "  with  env: {");
    for (size_t i = 0; i < variables.count; i++) {
        char quote = str_find(variables.expressions[i], STR("\""), 0) == SIZE_MAX ? '"' : '\'';
        buf_printf(out, "%s%s: %c{{ %.*s }}%c", i ? ", " : "", variables.names[i], quote,
                   STR_ARG(variables.expressions[i]), quote);
    }
    buf_add_char(out, '}');
}

bool refuse_template(struct reader *reader, const struct doc_node *node, const char *key)
{
    struct orch_str text = node->text, inside;
    size_t at = 0, begin, first = SIZE_MAX, end = 0;
    while (next_placeholder(text, &at, &begin, &inside)) {
        if (is_of_another_program(inside)) return false;
        if (first != SIZE_MAX) continue;
        first = begin;
        end = at;
    }
    if (first == SIZE_MAX) return false;

    struct diags *diags = reader_diags(reader);
    bool exact;
    struct span span = place_in(node, (uint32_t)utf8_count(str_of(text.data, first)) + 1, &exact);
    if (exact) span.length = (uint32_t)utf8_count(str_of(text.data + first, end - first));
    struct diag *diag = diag_add(diags, DIAG_ERROR, DIAG_TEMPLATE_IN_SHELL, span, "template inside a shell command");
    diag_label(diags, diag, "text from outside would become code");
    struct buf mend;
    buf_init(&mend, reader->base.scratch->allocator, 16384);
    add_mend(str_trim(line_around(text, first)), key, &mend);
    if (mend.failed)
        diag_help(diags, diag, "give the value to the program with  env:  and write \"$NAME\"");
    else
        diag_help(diags, diag, "%.*s", STR_ARG(buf_str(&mend)));
    buf_done(&mend);
    return true;
}
