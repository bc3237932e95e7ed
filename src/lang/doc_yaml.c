/*
 * doc_yaml.c - YAML as a document, on libyaml's events, by the core schema of YAML 1.2.
 *
 * libyaml checks the syntax; here are keys, tags, anchors, bounds, and the place of everything. Its marks count
 * characters, not bytes. The errors of the syntax end the reading, since libyaml cannot go on after one.
 */
#include <yaml.h>

#include "base/error.h"
#include "base/map.h"
#include "lang/doc_build.h"

/* Aliases may repeat so many nodes in all: enough for any honest file, and a bound for one that is not. */
#define ALIAS_NODES_MAX 1000000

struct anchor {
    struct doc_node node;
    uint64_t size;   /* nodes in it, with what aliases in it repeat */
    uint32_t height; /* levels in it */
    bool open;       /* still being read: an alias to it would be endless */
};

struct yaml {
    struct doc_build *build;
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    bool has_event;
    bool ascii;         /* then characters are bytes, and scalars can be borrowed from the text */
    struct map anchors; /* name -> struct anchor */
    uint64_t alias_nodes;
    size_t line; /* a line whose start is known; moves forward only */
    size_t line_start;
};

static struct span span_of(yaml_mark_t start, yaml_mark_t end)
{
    return (struct span){(uint32_t)start.line + 1, (uint32_t)start.column + 1,
                         end.line == start.line && end.column > start.column ? (uint32_t)(end.column - start.column)
                                                                             : 1};
}

/* A line of the text without its end, 0 is the first. Lines are asked for in order, nearly always. */
static struct orch_str line_at(struct yaml *y, size_t line)
{
    struct orch_str text = y->build->text;
    if (line < y->line) {
        y->line = 0;
        y->line_start = 0;
    }
    while (y->line < line) {
        const char *end = memchr(text.data + y->line_start, '\n', text.size - y->line_start);
        if (!end) return STR_NONE;
        y->line_start = (size_t)(end - text.data) + 1;
        y->line++;
    }
    const char *start = text.data + y->line_start;
    const char *end = memchr(start, '\n', text.size - y->line_start);
    size_t size = end ? (size_t)(end - start) : text.size - y->line_start;
    if (size && start[size - 1] == '\r') size--;
    return str_of(start, size);
}

/* The rest of a line from a column on, 0 is the first. */
static struct orch_str rest_of_line(struct yaml *y, size_t line, size_t column)
{
    struct orch_str text = line_at(y, line);
    size_t at = 0;
    if (text.size == 0) return STR(""); /* libyaml counts a lone CR as a line: there may be fewer here */
    while (column-- && at < text.size) utf8_next(text, &at);
    return str_of(text.data + at, text.size - at);
}

/* Where a value "{{ ... }}" without quotes begins in the line, as a byte offset, or SIZE_MAX. */
static size_t unquoted_template(struct orch_str line)
{
    for (size_t at = str_find(line, STR("{{"), 0); at != SIZE_MAX; at = str_find(line, STR("{{"), at + 2)) {
        size_t before = at;
        while (before > 0 && line.data[before - 1] == ' ') before--;
        if (before == 0 || memchr(":-,[", line.data[before - 1], 4)) return at;
    }
    return SIZE_MAX;
}

static void say_quote(struct yaml *y, struct span at, struct orch_str text)
{
    struct diag *d =
        diag_add(y->build->diags, DIAG_ERROR, DIAG_QUOTE_TEMPLATE, at, "quote the template: to YAML, {{ begins a map");
    diag_help(y->build->diags, d, "write it in quotes: \"%.*s\"", STR_ARG(text));
}

static struct orch_str until_comment(struct orch_str text)
{
    size_t comment = str_find(text, STR(" #"), 0);
    return str_trim(str_of(text.data, comment == SIZE_MAX ? text.size : comment));
}

/* The mend for what libyaml says, or NULL. */
static const char *syntax_help(struct orch_str problem, char at)
{
    static const struct {
        const char *problem, *help;
    } helps[] = {
        {"mapping values are not allowed", "quote a text that holds \": \""},
        {"could not find expected ':'", "a key needs ': ' after it, and text of several lines needs '|' or quotes"},
        {"did not find expected key", "check the indentation, and quote a text that goes on after its quotes"},
        {"did not find expected '-' indicator", "check the indentation"},
        {"did not find expected ',' or '",
         "a list or map in brackets wants commas between its parts and a bracket at its end"},
        {"found unknown escape character", "write \\\\ for a backslash, or use single quotes"},
        {"found unexpected ':'", "put a space behind the ':', or quote the text"},
        {"block sequence entries are not allowed", "a list begins on a line of its own"},
        {"block mapping", "a map begins on a line of its own"},
        {"did not find expected alphabetic or numeric character", "quote a text that begins with * or &"},
    };
    if (at == '@' || at == '`' || at == '%' || at == '*' || at == '&' || at == '!')
        return "quote a text that begins with this character";
    for (size_t i = 0; i < sizeof helps / sizeof *helps; i++)
        if (str_find(problem, str_from(helps[i].problem), 0) != SIZE_MAX) return helps[i].help;
    return NULL;
}

static bool is_at_end(struct yaml *y, yaml_mark_t mark)
{
    struct orch_str rest = rest_of_line(y, mark.line, mark.column);
    if (str_trim(rest).size > 0) return false;
    return !line_at(y, mark.line + 1).data;
}

/* A quote or bracket that is still open at the end: where it began says more than the end does. */
static bool not_closed(struct yaml *y, const yaml_parser_t *parser)
{
    struct orch_str context = str_from(parser->context);
    bool quote = str_find(context, STR("quoted scalar"), 0) != SIZE_MAX;
    bool bracket = str_find(context, STR("flow"), 0) != SIZE_MAX;
    if (!quote && !bracket) return false;
    struct diags *diags = y->build->diags;
    struct diag *d = diag_add(diags, DIAG_ERROR, DIAG_YAML_SYNTAX, span_of(parser->context_mark, parser->context_mark),
                              "not valid YAML: this %s is never closed", quote ? "quote" : "bracket");
    diag_help(diags, d, quote ? "end the text with the same quote" : "end the list with ] or the map with }");
    return true;
}

/* libyaml does not always say that it is memory: a tag's handle that finds none fails without any error (0.2.5,
 * yaml_parser_scan_tag). */
static bool is_out_of_memory(const yaml_parser_t *parser)
{
    return parser->error == YAML_MEMORY_ERROR || parser->error == YAML_NO_ERROR;
}

/* Says what libyaml found wrong; it stops there. */
static int syntax_error(struct yaml *y)
{
    const yaml_parser_t *parser = &y->parser;
    struct diags *diags = y->build->diags;
    if (is_out_of_memory(parser)) return ORCH_ERR_NO_MEMORY;
    if (parser->error == YAML_READER_ERROR) {
        struct span at = {1, 1, 1};
        struct orch_str text = y->build->text;
        for (size_t i = 0; i < text.size && i < parser->problem_offset;) {
            if (utf8_next(text, &i) == '\n') {
                at.line++;
                at.column = 1;
            } else {
                at.column++;
            }
        }
        struct diag *d = diag_add(diags, DIAG_ERROR, DIAG_YAML_SYNTAX, at, "a control character (0x%02x) in the text",
                                  (unsigned)parser->problem_value);
        diag_help(diags, d, "remove it, or write it as an escape in double quotes");
        return ORCH_ERR_INVALID;
    }

    yaml_mark_t mark = parser->problem_mark;
    /* The line of the problem, or the one where what it belongs to began, may hold a template without quotes. */
    for (int i = 0; i < 2; i++) {
        size_t number = i == 0 ? mark.line : parser->context_mark.line;
        struct orch_str line = line_at(y, number);
        size_t begin = unquoted_template(line);
        if (begin == SIZE_MAX || (i == 1 && !parser->context)) continue;
        struct orch_str text = until_comment(str_of(line.data + begin, line.size - begin));
        struct span at = {(uint32_t)number + 1, (uint32_t)utf8_count(str_of(line.data, begin)) + 1,
                          (uint32_t)utf8_count(text)};
        say_quote(y, at, text);
        return ORCH_ERR_INVALID;
    }
    struct orch_str rest = rest_of_line(y, mark.line, mark.column);
    struct orch_str line = line_at(y, mark.line);
    struct orch_str indent = str_of(line.data, line.size - str_trim(line).size);
    size_t tab = 0;
    while (tab < indent.size && indent.data[tab] == ' ') tab++;
    if ((rest.size && rest.data[0] == '\t') || (tab < indent.size && indent.data[tab] == '\t')) {
        struct span at = span_of(mark, mark);
        if (!(rest.size && rest.data[0] == '\t')) at.column = (uint32_t)tab + 1;
        struct diag *d = diag_add(diags, DIAG_ERROR, DIAG_TAB, at, "a tab where YAML wants spaces");
        diag_help(diags, d, "indent with spaces");
        return ORCH_ERR_INVALID;
    }
    struct orch_str problem = str_from(parser->problem ? parser->problem : "cannot be read");
    if (parser->context && is_at_end(y, mark) && not_closed(y, parser)) return ORCH_ERR_INVALID;
    struct diag *d =
        diag_add(diags, DIAG_ERROR, DIAG_YAML_SYNTAX, span_of(mark, mark), "not valid YAML: %.*s", STR_ARG(problem));
    if (parser->context && parser->context_mark.line != mark.line)
        diag_label(diags, d, "%s that began at line %zu", parser->context, parser->context_mark.line + 1);
    const char *help = syntax_help(problem, rest.size ? rest.data[0] : 0);
    if (help) diag_help(diags, d, "%s", help);
    return ORCH_ERR_INVALID;
}

static int next_event(struct yaml *y)
{
    if (y->has_event) yaml_event_delete(&y->event);
    y->has_event = false;
    if (!yaml_parser_parse(&y->parser, &y->event)) return syntax_error(y);
    y->has_event = true;
    return 0;
}

static bool is_one_of(struct orch_str text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(text, words[i])) return true;
    return false;
}

static size_t digits(struct orch_str text, size_t at)
{
    while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9') at++;
    return at;
}

/* Source: YAML 1.2.2, 10.3.2, the expressions of int and float. */
static bool is_number(struct orch_str text)
{
    size_t i = text.size && (text.data[0] == '-' || text.data[0] == '+');
    if (text.size > 2 && text.data[0] == '0' && (text.data[1] == 'o' || text.data[1] == 'x')) {
        for (size_t k = 2; k < text.size; k++) {
            char c = text.data[k];
            bool fits = (c >= '0' && c <= '7') ||
                        (text.data[1] == 'x' && ((c >= '8' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')));
            if (!fits) return false;
        }
        return true;
    }
    size_t whole = digits(text, i) - i;
    i += whole;
    size_t fraction = 0;
    if (i < text.size && text.data[i] == '.') {
        fraction = digits(text, i + 1) - (i + 1);
        i += 1 + fraction;
    }
    if (whole + fraction == 0) return false;
    if (i < text.size && (text.data[i] | 0x20) == 'e') {
        i++;
        if (i < text.size && (text.data[i] == '+' || text.data[i] == '-')) i++;
        size_t end = digits(text, i);
        if (end == i) return false;
        i = end;
    }
    return i == text.size;
}

/* Hexadecimal and octal numbers beyond 64 bits: decimal ones are kept as they stand, these have no such text in JSON.
 */
static bool is_too_large(struct orch_str text)
{
    if (text.size < 3 || text.data[0] != '0' || (text.data[1] != 'x' && text.data[1] != 'o')) return false;
    size_t first = 2;
    while (first < text.size && text.data[first] == '0') first++;
    return text.size - first > (text.data[1] == 'x' ? 16 : 21);
}

static bool is_not_finite(struct orch_str text)
{
    static const char *const words[] = {".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF"};
    if (is_one_of(text, words, 6)) return true;
    return text.size && (text.data[0] == '-' || text.data[0] == '+') &&
           is_one_of(str_of(text.data + 1, text.size - 1), words + 3, 3);
}

static uint8_t plain_kind(struct orch_str text)
{
    static const char *const nulls[] = {"null", "Null", "NULL", "~", ""};
    static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
    if (text.size == 0) return DOC_NULL;
    char c = text.data[0];
    if (c == 'n' || c == 'N' || c == '~') return is_one_of(text, nulls, 5) ? DOC_NULL : DOC_STRING;
    if (c == 't' || c == 'T' || c == 'f' || c == 'F') return is_one_of(text, bools, 6) ? DOC_BOOL : DOC_STRING;
    if ((c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.') return is_number(text) ? DOC_NUMBER : DOC_STRING;
    return DOC_STRING;
}

enum doc_kind doc_plain_kind(struct orch_str text)
{
    return is_not_finite(text) ? DOC_NUMBER : (enum doc_kind)plain_kind(text);
}

/* Follows an explicit tag; only the core ones are known. */
static void apply_tag(struct yaml *y, const char *tag, struct doc_node *node)
{
    struct diags *diags = y->build->diags;
    struct orch_str name = str_from(tag), core = STR("tag:yaml.org,2002:");
    if (str_is(name, "!")) {
        if (node->kind < DOC_LIST) node->kind = DOC_STRING;
        return;
    }
    static const struct {
        const char *tag;
        uint8_t kind;
    } known[] = {{"str", DOC_STRING}, {"int", DOC_NUMBER}, {"float", DOC_NUMBER}, {"bool", DOC_BOOL},
                 {"null", DOC_NULL},  {"map", DOC_MAP},    {"seq", DOC_LIST}};
    if (str_starts_with(name, core)) {
        struct orch_str rest = str_of(name.data + core.size, name.size - core.size);
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            if (!str_is(rest, known[i].tag)) continue;
            if (known[i].kind == DOC_STRING && node->kind < DOC_LIST)
                node->kind = DOC_STRING;
            else if (node->kind == DOC_STRING)
                node->kind = plain_kind(node->text);
            if (node->kind != known[i].kind)
                diag_add(diags, DIAG_ERROR, DIAG_TAG, doc_span(node), "tag !!%s on something else", known[i].tag);
            return;
        }
    }
    struct diag *d = diag_add(diags, DIAG_ERROR, DIAG_TAG, doc_span(node), "tag %.*s is not known", STR_ARG(name));
    diag_help(diags, d, "remove the tag");
}

/* How far a literal block is indented in the source: its first line with text, there and here. */
static uint32_t block_indent(struct yaml *y, size_t header_line, struct orch_str text)
{
    size_t skipped = 0, at = 0;
    while (at < text.size && text.data[at] == '\n') {
        at++;
        skipped++;
    }
    if (at == text.size) return 0;
    size_t here = 0, there = 0;
    while (at + here < text.size && text.data[at + here] == ' ') here++;
    struct orch_str line = line_at(y, header_line + 1 + skipped);
    while (there < line.size && line.data[there] == ' ') there++;
    return there >= here ? (uint32_t)(there - here) : 0;
}

static int read_scalar(struct yaml *y, struct doc_node *node)
{
    struct arena *arena = y->build->arena;
    const yaml_event_t *event = &y->event;
    struct orch_str text = str_of((const char *)event->data.scalar.value, event->data.scalar.length);
    struct span at = span_of(event->start_mark, event->end_mark);
    yaml_scalar_style_t style = event->data.scalar.style;

    node->line = at.line;
    node->column = at.column;
    node->width = at.length;
    node->quoted = style != YAML_PLAIN_SCALAR_STYLE;
    node->block = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
    if (node->block) node->width = 1;
    if (style == YAML_LITERAL_SCALAR_STYLE) node->count = block_indent(y, event->start_mark.line, text);

    size_t quote = node->quoted ? 1 : 0;
    size_t begin = event->start_mark.index + quote, end = event->end_mark.index - quote;
    struct orch_str source = y->build->text;
    if (y->ascii && begin <= end && end <= source.size && end - begin == text.size &&
        memcmp(source.data + begin, text.data, text.size) == 0) {
        node->text = str_of(source.data + begin, text.size);
    } else {
        node->text = arena_str(arena, text);
        if (!node->text.data) return ORCH_ERR_NO_MEMORY;
    }
    node->kind = style == YAML_PLAIN_SCALAR_STYLE ? plain_kind(node->text) : DOC_STRING;
    if (event->data.scalar.tag) {
        apply_tag(y, (const char *)event->data.scalar.tag, node);
    } else if (!node->quoted && (node->kind == DOC_NUMBER ? is_too_large(node->text) : is_not_finite(node->text))) {
        struct diag *d = diag_add(y->build->diags, DIAG_ERROR, DIAG_BAD_NUMBER, at, "%.*s is no number that JSON has",
                                  STR_ARG(text));
        diag_help(y->build->diags, d, "quote it when a text is meant");
    }
    return 0;
}

static int read_alias(struct yaml *y, uint32_t depth, struct doc_node *node, uint32_t *ret_height)
{
    struct doc_build *build = y->build;
    struct orch_str name = str_from((const char *)y->event.data.alias.anchor);
    struct span at = span_of(y->event.start_mark, y->event.end_mark);
    node->line = at.line;
    node->column = at.column;
    node->width = at.length;

    struct map_entry *entry = map_find(&y->anchors, name);
    struct anchor *anchor = entry ? entry->pointer : NULL;
    if (!anchor || anchor->open) {
        diag_add(build->diags, DIAG_ERROR, DIAG_UNKNOWN_ALIAS, at,
                 anchor ? "alias *%.*s stands inside its own anchor" : "alias *%.*s has no anchor before it",
                 STR_ARG(name));
        return ORCH_ERR_INVALID;
    }
    y->alias_nodes += anchor->size;
    if (y->alias_nodes > ALIAS_NODES_MAX) {
        diag_add(build->diags, DIAG_ERROR, DIAG_ALIAS_EXPANSION, at, "aliases repeat more than %d values",
                 ALIAS_NODES_MAX);
        return ORCH_ERR_LIMIT;
    }
    if (depth + anchor->height - 1 > build->depth_max) return doc_build_too_deep(build, node);
    int r = doc_build_count(build, anchor->size - 1, node); /* the top one is counted where it is pushed */
    if (r) return r;
    *node = anchor->node;
    *ret_height = anchor->height;
    return 0;
}

static int read_node(struct yaml *y, uint32_t depth, struct doc_node *node, uint32_t *ret_height);

/* "{{ x }}" without quotes is a map whose key is a map. Says so once, skips it, and stands in for it with the text that
 * was meant. */
static int skip_template(struct yaml *y, yaml_mark_t start, struct doc_node *node)
{
    struct orch_str text = rest_of_line(y, start.line, start.column);
    size_t end = str_find(text, STR("}}"), 0);
    text = end == SIZE_MAX ? until_comment(text) : str_of(text.data, end + 2);
    node->kind = DOC_STRING;
    node->quoted = true;
    node->text = text;
    node->line = (uint32_t)start.line + 1;
    node->column = (uint32_t)start.column + 1;
    node->width = (uint32_t)utf8_count(text);
    say_quote(y, doc_span(node), text);

    for (int open = 2; open > 0;) { /* the event at hand opens the second */
        int r = next_event(y);
        if (r) return r;
        switch (y->event.type) {
        case YAML_MAPPING_START_EVENT:
        case YAML_SEQUENCE_START_EVENT: open++; break;
        case YAML_MAPPING_END_EVENT:
        case YAML_SEQUENCE_END_EVENT: open--; break;
        default: break;
        }
    }
    return 0;
}

static bool is_in_list(const struct doc_node *keys, size_t count, struct orch_str key)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(keys[2 * i].text, key)) return true;
    return false;
}

/* Adds the members of `from` that the map being built (on the stack from `base` on) does not have. */
static int merge_map(struct yaml *y, size_t base, const struct doc_node *from)
{
    struct doc_build *build = y->build;
    if (from->kind != DOC_MAP) {
        diag_add(build->diags, DIAG_ERROR, DIAG_BAD_MERGE, doc_span(from), "<< merges maps, this is %s",
                 doc_kind_text(from));
        return 0;
    }
    if ((uint64_t)from->count * (build->count - base) > ALIAS_NODES_MAX) {
        diag_add(build->diags, DIAG_ERROR, DIAG_ALIAS_EXPANSION, doc_span(from), "a merge of maps this large");
        return ORCH_ERR_LIMIT;
    }
    for (uint32_t i = 0; i < from->count; i++) {
        if (is_in_list(build->stack + base, (build->count - base) / 2, from->members[i].key.text)) continue;
        int r = doc_build_push(build, &from->members[i].key);
        if (!r) r = doc_build_push(build, &from->members[i].value);
        if (r) return r;
    }
    return 0;
}

/* YAML 1.1's merge key, which many files use: what the map says itself comes first, then the merged maps in order. */
static int merge(struct yaml *y, size_t base, size_t merge_at)
{
    struct doc_build *build = y->build;
    struct doc_node value = build->stack[merge_at + 1];
    memmove(build->stack + merge_at, build->stack + merge_at + 2, (build->count - merge_at - 2) * sizeof *build->stack);
    build->count -= 2;
    if (value.kind != DOC_LIST) return merge_map(y, base, &value);
    for (uint32_t i = 0; i < value.count; i++) {
        int r = merge_map(y, base, &value.items[i]);
        if (r) return r;
    }
    return 0;
}

static int read_map(struct yaml *y, uint32_t depth, struct doc_node *node, uint32_t *ret_height)
{
    struct doc_build *build = y->build;
    bool flow = y->event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    yaml_mark_t start = y->event.start_mark;
    size_t base = build->count, merge_at = SIZE_MAX;
    uint32_t height = 1;
    int r;
    while ((r = next_event(y)) == 0 && y->event.type != YAML_MAPPING_END_EVENT) {
        struct doc_node key = {0}, value = {0};
        uint32_t key_height = 1, value_height = 1;
        yaml_mark_t mark = y->event.start_mark;
        if (y->event.type == YAML_MAPPING_START_EVENT && flow && mark.line == start.line &&
            mark.column == start.column + 1) {
            build->count = base;
            return skip_template(y, start, node);
        }
        r = read_node(y, depth + 1, &key, &key_height);
        if (r) return r;
        if (key.kind >= DOC_LIST) {
            diag_add(build->diags, DIAG_ERROR, DIAG_BAD_KEY, span_of(mark, mark),
                     "a key must be plain text, this is %s", doc_kind_text(&key));
            key = (struct doc_node){
                .line = (uint32_t)mark.line + 1, .column = (uint32_t)mark.column + 1, .text = STR("?")};
        }
        bool is_merge = key.kind == DOC_STRING && !key.quoted && str_is(key.text, "<<");
        key.kind = DOC_STRING;
        if ((r = next_event(y)) || (r = read_node(y, depth + 1, &value, &value_height))) return r;
        if (is_merge && merge_at == SIZE_MAX) merge_at = build->count;
        if ((r = doc_build_push(build, &key)) || (r = doc_build_push(build, &value))) return r;
        if (value_height + 1 > height) height = value_height + 1;
    }
    if (r) return r;
    *ret_height = height;
    if (merge_at != SIZE_MAX && (r = merge(y, base, merge_at))) return r;
    return doc_build_map(build, base, node);
}

static int read_list(struct yaml *y, uint32_t depth, struct doc_node *node, uint32_t *ret_height)
{
    size_t base = y->build->count;
    uint32_t height = 1;
    int r;
    while ((r = next_event(y)) == 0 && y->event.type != YAML_SEQUENCE_END_EVENT) {
        struct doc_node item = {0};
        uint32_t item_height = 1;
        if ((r = read_node(y, depth + 1, &item, &item_height)) || (r = doc_build_push(y->build, &item))) return r;
        if (item_height + 1 > height) height = item_height + 1;
    }
    if (r) return r;
    *ret_height = height;
    return doc_build_list(y->build, base, node);
}

static int keep_anchor(struct yaml *y, struct orch_str name, struct anchor **ret)
{
    struct anchor *anchor = ARENA_NEW(y->build->arena, struct anchor);
    struct orch_str key = arena_str(y->build->arena, name);
    struct map_entry *entry = anchor && key.data ? map_add(&y->anchors, key, NULL) : NULL;
    if (!entry) return ORCH_ERR_NO_MEMORY;
    anchor->open = true;
    entry->pointer = anchor; /* a name given again means the newer one from here on */
    *ret = anchor;
    return 0;
}

/* Reads the value that begins with the event at hand; the event that ends it is at hand afterwards. */
static int read_node(struct yaml *y, uint32_t depth, struct doc_node *node, uint32_t *ret_height)
{
    const yaml_event_t *event = &y->event;
    struct span at = span_of(event->start_mark, event->end_mark);
    node->line = at.line;
    node->column = at.column;
    if (depth > y->build->depth_max) return doc_build_too_deep(y->build, node);
    if (event->type == YAML_ALIAS_EVENT) return read_alias(y, depth, node, ret_height);

    const yaml_char_t *name = event->type == YAML_SCALAR_EVENT           ? event->data.scalar.anchor
                              : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.anchor
                                                                         : event->data.mapping_start.anchor;
    const yaml_char_t *tag_text = event->type == YAML_SEQUENCE_START_EVENT  ? event->data.sequence_start.tag
                                  : event->type == YAML_MAPPING_START_EVENT ? event->data.mapping_start.tag
                                                                            : NULL;
    struct anchor *anchor = NULL;
    int r = name ? keep_anchor(y, str_from((const char *)name), &anchor) : 0;
    if (r) return r;
    if (tag_text) {
        node->kind = event->type == YAML_SEQUENCE_START_EVENT ? DOC_LIST : DOC_MAP;
        apply_tag(y, (const char *)tag_text, node);
    }
    uint64_t before = y->build->nodes;
    switch (event->type) {
    case YAML_SCALAR_EVENT: r = read_scalar(y, node); break;
    case YAML_SEQUENCE_START_EVENT: r = read_list(y, depth, node, ret_height); break;
    case YAML_MAPPING_START_EVENT: r = read_map(y, depth, node, ret_height); break;
    default: ORCH_ASSERT(!"libyaml gives a node here");
    }
    if (r || !anchor) return r;
    anchor->node = *node;
    anchor->size = y->build->nodes - before + 1;
    anchor->height = *ret_height;
    anchor->open = false;
    return 0;
}

static int read_stream(struct yaml *y, struct doc_node *ret)
{
    int r = next_event(y); /* the start of the stream */
    if (!r) r = next_event(y);
    if (r) return r;
    if (y->event.type == YAML_STREAM_END_EVENT) {
        *ret = (struct doc_node){.kind = DOC_NULL, .line = 1, .column = 1};
        return 0;
    }
    uint32_t height = 1;
    if ((r = next_event(y)) || (r = read_node(y, 1, ret, &height)) || (r = next_event(y)) || (r = next_event(y)))
        return r;
    if (y->event.type == YAML_STREAM_END_EVENT) return 0;
    struct diag *d = diag_add(y->build->diags, DIAG_ERROR, DIAG_SEVERAL_DOCUMENTS,
                              span_of(y->event.start_mark, y->event.end_mark), "a second document begins here");
    diag_help(y->build->diags, d, "write one workflow a file");
    return ORCH_ERR_INVALID;
}

static bool is_ascii(struct orch_str text)
{
    unsigned char all = 0;
    for (size_t i = 0; i < text.size; i++) all |= (unsigned char)text.data[i];
    return all < 0x80;
}

int doc_yaml(struct doc_build *build, struct doc_node *ret)
{
    struct yaml y = {.build = build, .ascii = is_ascii(build->text)};
    if (!yaml_parser_initialize(&y.parser)) return ORCH_ERR_NO_MEMORY;
    yaml_parser_set_encoding(&y.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&y.parser, (const unsigned char *)build->text.data, build->text.size);
    map_init(&y.anchors, build->arena->allocator);
    int r = read_stream(&y, ret);
    if (y.has_event) yaml_event_delete(&y.event);
    map_done(&y.anchors);
    yaml_parser_delete(&y.parser);
    return r;
}
