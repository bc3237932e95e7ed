/*
 * yaml_out.c - writing YAML.
 */
#include "lang/yaml_out.h"

/* A key longer than this is not a simple key any more (YAML 1.2.2, 7.4.2, has the bound at 1024 characters). */
#define SIMPLE_KEY_MAX 900

/* Characters that stand for themselves within a line of YAML, by libyaml's reading: what it takes for a line break does
 * not. */
static bool is_plain_character(uint32_t c)
{
    if (c < 0x20 || c == 0x7F || (c >= 0x80 && c < 0xA0)) return false;
    return c != 0x2028 && c != 0x2029 && c != 0xFEFF && (c < 0xFFFE || c > 0xFFFF);
}

struct look {
    bool strange; /* characters that only an escape can write */
    bool lines;   /* several lines */
    bool tab;
};

static struct look look_at(struct orch_str text)
{
    struct look look = {0};
    for (size_t i = 0; i < text.size;) {
        uint32_t c = utf8_next(text, &i);
        if (c == '\n')
            look.lines = true;
        else if (c == '\t')
            look.tab = true;
        else if (!is_plain_character(c))
            look.strange = true;
    }
    return look;
}

/* Words that YAML 1.1 takes for true and false: other tools still do. */
static bool is_old_bool(struct orch_str text)
{
    static const char *const words[] = {"yes", "Yes", "YES", "no",  "No", "NO", "on", "On",
                                        "ON",  "off", "Off", "OFF", "y",  "Y",  "n",  "N"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_is(text, words[i])) return true;
    return false;
}

static bool is_word_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool may_be_plain(struct orch_str text, bool flow, bool key)
{
    if (text.size == 0 || doc_plain_kind(text) != DOC_STRING) return false;
    if (!key && is_old_bool(text)) return false;
    char first = text.data[0], last = text.data[text.size - 1];
    char second = text.size > 1 ? text.data[1] : ' ';
    if (first == ' ' || last == ' ' || last == ':') return false;
    if (memchr(",[]{}#&*!|>'\"%@`=", first, 18) || str_is(text, "<<")) return false;
    if (first == '?' || first == ':')
        return false; /* libyaml takes them for indicators in brackets, whatever follows */
    if (first == '-' && (second == ' ' || (flow && memchr(",[]{}", second, 5)))) return false;
    if (str_starts_with(text, STR("---")) || str_starts_with(text, STR("..."))) return false;
    for (size_t i = 0; flow && i < text.size; i++) {
        char next = i + 1 < text.size ? text.data[i + 1] : ' ';
        if (memchr(",[]{}?", text.data[i], 6)) return false;
        if (text.data[i] == ':' && !is_word_character(next) && next != '/') return false; /* libyaml is strict here */
    }
    return str_find(text, STR(": "), 0) == SIZE_MAX && str_find(text, STR(" #"), 0) == SIZE_MAX &&
           str_find(text, STR(":"), 0) != 0;
}

static void put_double_quoted(struct orch_str text, struct buf *out)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.size;) {
        size_t start = i;
        uint32_t c = utf8_next(text, &i);
        switch (c) {
        case '"': buf_add_text(out, "\\\""); break;
        case '\\': buf_add_text(out, "\\\\"); break;
        case '\n': buf_add_text(out, "\\n"); break;
        case '\t': buf_add_text(out, "\\t"); break;
        case '\r': buf_add_text(out, "\\r"); break;
        default:
            if (is_plain_character(c))
                buf_add(out, str_of(text.data + start, i - start));
            else
                buf_printf(out, c > 0xFFFF ? "\\U%08X" : "\\u%04X", (unsigned)c);
        }
    }
    buf_add_char(out, '"');
}

static void put_single_quoted(struct orch_str text, struct buf *out)
{
    buf_add_char(out, '\'');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\'') buf_add_char(out, '\'');
        buf_add_char(out, text.data[i]);
    }
    buf_add_char(out, '\'');
}

static void put_quoted(struct orch_str text, const struct look *look, struct buf *out)
{
    size_t escapes = 0, apostrophes = 0;
    for (size_t i = 0; i < text.size; i++) {
        escapes += text.data[i] == '"' || text.data[i] == '\\';
        apostrophes += text.data[i] == '\'';
    }
    if (look->strange || look->lines || look->tab || escapes <= apostrophes)
        put_double_quoted(text, out);
    else
        put_single_quoted(text, out);
}

/* Whether text of several lines reads well and back as a literal block: something else than white space is in it. */
static bool may_be_block(struct orch_str text, const struct look *look)
{
    if (!look->lines || look->strange || str_trim(text).size == 0) return false;
    size_t first = 0;
    while (text.data[first] == '\n') first++;
    return text.data[first] != '\t'; /* libyaml would take it for indentation */
}

static void put_block(struct orch_str text, uint32_t indent, struct buf *out)
{
    size_t first = 0, end = text.size;
    while (text.data[first] == '\n') first++;
    while (end > 0 && text.data[end - 1] == '\n') end--;
    buf_add_char(out, '|');
    if (text.data[first] == ' ') buf_add_char(out, '2'); /* the indentation cannot be seen from the first line */
    if (end == text.size) buf_add_char(out, '-');
    if (text.size - end > 1) buf_add_char(out, '+');
    size_t lines_end = text.size - end >= 1 ? text.size - 1 : text.size; /* the last line break ends the last line */
    for (size_t i = 0; i <= lines_end; i++) {
        size_t start = i;
        while (i < lines_end && text.data[i] != '\n') i++;
        buf_add_char(out, '\n');
        if (i > start)
            for (uint32_t k = 0; k < indent + 2; k++) buf_add_char(out, ' ');
        buf_add(out, str_of(text.data + start, i - start));
    }
}

void yaml_text(struct orch_str text, uint32_t indent, bool flow, struct buf *out)
{
    struct look look = look_at(text);
    if (!look.lines && !look.strange && !look.tab && may_be_plain(text, flow, false))
        buf_add(out, text);
    else if (!flow && may_be_block(text, &look))
        put_block(text, indent, out);
    else
        put_quoted(text, &look, out);
}

void yaml_key(struct orch_str key, bool flow, struct buf *out)
{
    struct look look = look_at(key);
    bool complex = key.size > SIMPLE_KEY_MAX;
    if (complex) buf_add_text(out, "? ");
    if (!complex && !look.lines && !look.strange && !look.tab && may_be_plain(key, flow, true))
        buf_add(out, key);
    else
        put_quoted(key, &look, out);
    if (complex) buf_add_char(out, ' ');
    buf_add_char(out, ':');
}

static void put_scalar(const struct doc_node *node, uint32_t indent, bool flow, struct buf *out)
{
    switch ((enum doc_kind)node->kind) {
    case DOC_NULL: buf_add_text(out, "null"); return;
    case DOC_BOOL: buf_add_text(out, (node->text.data[0] | 0x20) == 't' ? "true" : "false"); return;
    case DOC_NUMBER: doc_number_json(node->text, out); return;
    case DOC_STRING: yaml_text(node->text, indent, flow, out); return;
    case DOC_LIST:
    case DOC_MAP: return; /* not scalars */
    }
}

static bool put_flow(const struct doc_node *node, size_t start, size_t width, struct buf *out)
{
    if (out->failed || out->size - start > width * 4) return false; /* a character has at most four bytes */
    if (node->kind < DOC_LIST) {
        if (node->kind == DOC_STRING && memchr(node->text.data ? node->text.data : "", '\n', node->text.size))
            return false;
        put_scalar(node, 0, true, out);
        return true;
    }
    buf_add_char(out, node->kind == DOC_LIST ? '[' : '{');
    for (uint32_t i = 0; i < node->count; i++) {
        if (i) buf_add_text(out, ", ");
        if (node->kind == DOC_MAP) {
            if (node->members[i].key.text.size > SIMPLE_KEY_MAX) return false;
            yaml_key(node->members[i].key.text, true, out);
            buf_add_char(out, ' ');
        }
        if (!put_flow(node->kind == DOC_LIST ? &node->items[i] : &node->members[i].value, start, width, out))
            return false;
    }
    buf_add_char(out, node->kind == DOC_LIST ? ']' : '}');
    return true;
}

bool yaml_flow(const struct doc_node *node, size_t width, struct buf *out)
{
    size_t start = out->size;
    bool fits = put_flow(node, start, width, out) && !out->failed &&
                utf8_count(str_of(out->data + start, out->size - start)) <= width;
    if (!fits && !out->failed) {
        out->size = start;
        if (out->data) out->data[start] = 0;
    }
    return fits;
}

bool yaml_is_line(const struct doc_node *node)
{
    return node->kind < DOC_LIST &&
           !(node->kind == DOC_STRING && memchr(node->text.data ? node->text.data : "", '\n', node->text.size));
}

static void put_indent(uint32_t indent, struct buf *out)
{
    for (uint32_t i = 0; i < indent; i++) buf_add_char(out, ' ');
}

static void put_members(const struct doc_node *map, uint32_t indent, bool first_is_placed, struct buf *out)
{
    for (uint32_t i = 0; i < map->count; i++) {
        if (i || !first_is_placed) put_indent(indent, out);
        size_t start = out->size;
        yaml_key(map->members[i].key.text, false, out);
        yaml_value(&map->members[i].value, indent, indent + (out->size - start), out);
    }
}

static void put_items(const struct doc_node *list, uint32_t indent, struct buf *out)
{
    for (uint32_t i = 0; i < list->count; i++) {
        put_indent(indent, out);
        buf_add_char(out, '-');
        yaml_value(&list->items[i], indent, indent + 1, out);
    }
}

void yaml_value(const struct doc_node *node, uint32_t indent, size_t column, struct buf *out)
{
    if (node->kind < DOC_LIST) {
        buf_add_char(out, ' ');
        put_scalar(node, indent, false, out);
        buf_add_char(out, '\n');
        return;
    }
    size_t before = out->size;
    buf_add_char(out, ' ');
    if (node->count == 0 || (column < YAML_WIDTH && yaml_flow(node, YAML_WIDTH - column, out))) {
        if (node->count == 0) buf_add_text(out, node->kind == DOC_LIST ? "[]" : "{}");
        buf_add_char(out, '\n');
        return;
    }
    if (out->failed) return;
    bool item =
        before > 0 && out->data[before - 1] == '-'; /* behind the dash of a list the first key goes on the same line */
    if (node->kind == DOC_MAP && item) {
        put_members(node, indent + 2, true, out);
        return;
    }
    out->size = before;
    buf_add_char(out, '\n');
    if (node->kind == DOC_MAP)
        put_members(node, indent + 2, false, out);
    else
        put_items(node, indent + 2, out);
}
