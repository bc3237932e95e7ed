/*
 * diag_render.c - findings as text for people, and as JSON.
 *
 * The text comes from outside: control characters, bytes that are no UTF-8 and the characters that reorder a line
 * (a way to make source look like something else) are shown as U+FFFD.
 */
#include "lang/diag.h"

#include "base/value.h"

#define COUNT_MAX_USUAL 20
#define TAB_WIDTH       4
#define SOURCE_WIDTH    110 /* columns of a source line that are shown */
#define SOURCE_BEFORE   40  /* columns kept before the caret of a line that is cut */
#define CUT             "..."
#define REPLACEMENT     0xFFFD

#define COLOR_ERROR   "\x1b[1;31m"
#define COLOR_WARNING "\x1b[1;33m"
#define COLOR_FRAME   "\x1b[34m"
#define COLOR_HELP    "\x1b[36m"
#define COLOR_BOLD    "\x1b[1m"
#define COLOR_OFF     "\x1b[0m"

struct writer {
    struct buf *out;
    bool color;
};

static void paint(const struct writer *writer, const char *sequence)
{
    if (writer->color) buf_add_text(writer->out, sequence);
}

static bool is_shown(uint32_t code_point)
{
    if (code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0)) return false;
    if (code_point == 0x2028 || code_point == 0x2029 || code_point == 0xFEFF) return false;
    return !(code_point >= 0x202A && code_point <= 0x202E) && !(code_point >= 0x2066 && code_point <= 0x2069);
}

static void add_code_point(struct buf *out, uint32_t code_point)
{
    char bytes[4];
    size_t size = utf8_put(is_shown(code_point) ? code_point : REPLACEMENT, bytes);
    buf_add(out, str_of(bytes, size));
}

/* A text of one line: whatever breaks or hides is replaced. */
static void add_text(struct buf *out, struct orch_str text)
{
    for (size_t at = 0; at < text.size;) add_code_point(out, utf8_next(text, &at));
}

static void add_spaces(struct buf *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) buf_add_char(out, ' ');
}

/* The line of a number, 1 is the first, without its end; false when there is none. Lines end with LF, CR LF or CR. */
static bool line_find(struct orch_str source, uint32_t number, struct orch_str *ret)
{
    size_t at = 0;
    if (source.size == 0) source = STR("");
    for (uint32_t line = 1;; line++) {
        size_t end = at;
        while (end < source.size && source.data[end] != '\n' && source.data[end] != '\r') end++;
        if (line == number) {
            *ret = str_of(source.data + at, end - at);
            return true;
        }
        if (end == source.size) return false;
        at = end + 1;
        if (source.data[end] == '\r' && at < source.size && source.data[at] == '\n') at++;
    }
}

/* Columns of the terminal that a character takes when it stands at `column` (0 is the first). */
static uint32_t width_at(uint32_t code_point, uint32_t column)
{
    if (code_point == '\t') return TAB_WIDTH - column % TAB_WIDTH;
    if (!is_shown(code_point)) return 1;
    return (uint32_t)utf8_width(code_point);
}

/* Where in the drawn line a span begins and ends, in columns of the terminal from 0. */
static void span_measure(struct orch_str line, struct span at, uint32_t *ret_start, uint32_t *ret_end,
                         uint32_t *ret_width)
{
    uint32_t column = 0, character = 1, start = UINT32_MAX, end = UINT32_MAX;
    for (size_t byte = 0; byte < line.size; character++) {
        if (character == at.column) start = column;
        if (character > at.column && character - at.column == (at.length ? at.length : 1)) end = column;
        column += width_at(utf8_next(line, &byte), column);
    }
    if (start == UINT32_MAX) start = column; /* at or behind the end of the line */
    if (end == UINT32_MAX) end = column;
    if (end <= start) end = start + 1;
    *ret_start = start;
    *ret_end = end;
    *ret_width = column;
}

/* The part [from, to) of a line as drawn; a wide character that is cut in the middle becomes spaces. */
static void add_window(struct buf *out, struct orch_str line, uint32_t from, uint32_t to)
{
    uint32_t column = 0;
    for (size_t byte = 0; byte < line.size && column < to;) {
        uint32_t code_point = utf8_next(line, &byte);
        uint32_t width = width_at(code_point, column);
        uint32_t end = column + width;
        if (code_point == '\t' || column < from || end > to) {
            uint32_t left = column > from ? column : from, right = end < to ? end : to;
            if (right > left) add_spaces(out, right - left);
        } else {
            add_code_point(out, code_point);
        }
        column = end;
    }
}

static void trim_right(struct buf *out)
{
    while (out->size > 0 && out->data[out->size - 1] == ' ') out->data[--out->size] = '\0';
}

static const char *severity_color(const struct diag *diag)
{
    return diag->severity == DIAG_ERROR ? COLOR_ERROR : COLOR_WARNING;
}

static void add_gutter(const struct writer *writer, uint32_t gutter, uint32_t number, const char *mark)
{
    paint(writer, COLOR_FRAME);
    if (number) {
        buf_printf(writer->out, "%*u %s", (int)gutter, number, mark);
    } else {
        add_spaces(writer->out, gutter + 1);
        buf_add_text(writer->out, mark);
    }
    paint(writer, COLOR_OFF);
}

/* The frame, the line and the caret under it. */
static void add_source(const struct writer *writer, const struct diag *diag, struct orch_str line, uint32_t gutter)
{
    struct buf *out = writer->out;
    uint32_t start, end, width;
    span_measure(line, diag->at, &start, &end, &width);

    uint32_t from = 0, to = width;
    if (width > SOURCE_WIDTH) {
        if (start > SOURCE_BEFORE && end > SOURCE_WIDTH - sizeof(CUT)) from = start - SOURCE_BEFORE;
        if (to - from > SOURCE_WIDTH) to = from + SOURCE_WIDTH;
        if (end > to) end = to > start ? to : start + 1;
    }
    add_gutter(writer, gutter, 0, "|");
    buf_add_char(out, '\n');
    add_gutter(writer, gutter, diag->at.line, "|");
    buf_add_char(out, ' ');
    if (from > 0) buf_add_text(out, CUT);
    add_window(out, line, from, to);
    if (to < width) buf_add_text(out, CUT);
    trim_right(out);
    buf_add_char(out, '\n');

    add_gutter(writer, gutter, 0, "|");
    add_spaces(out, 1 + (from > 0 ? (uint32_t)sizeof(CUT) - 1 : 0) + start - from);
    paint(writer, severity_color(diag));
    for (uint32_t i = start; i < end; i++) buf_add_char(out, '^');
    if (diag->label.size > 0) {
        buf_add_char(out, ' ');
        add_text(out, diag->label);
    }
    paint(writer, COLOR_OFF);
    buf_add_char(out, '\n');
}

static void add_help(const struct writer *writer, struct orch_str help, uint32_t gutter)
{
    bool first = true;
    for (size_t at = 0; at <= help.size; first = false) {
        size_t end = at;
        while (end < help.size && help.data[end] != '\n') end++;
        add_spaces(writer->out, gutter + 1);
        if (first) {
            paint(writer, COLOR_HELP);
            buf_add_text(writer->out, "= help:");
            paint(writer, COLOR_OFF);
            buf_add_char(writer->out, ' ');
        } else {
            add_spaces(writer->out, (uint32_t)sizeof("= help: ") - 1);
        }
        add_text(writer->out, str_of(help.data + at, end - at));
        buf_add_char(writer->out, '\n');
        at = end + 1;
    }
}

static uint32_t digits(uint32_t number)
{
    uint32_t count = 1;
    for (; number >= 10; number /= 10) count++;
    return count;
}

static void add_diag(const struct writer *writer, const struct diag *diag, struct orch_str source, struct orch_str file)
{
    struct buf *out = writer->out;
    char code[8];
    diag_code_format(diag, code);
    paint(writer, severity_color(diag));
    buf_printf(out, "%s[%s]", diag->severity == DIAG_ERROR ? "error" : "warning", code);
    paint(writer, COLOR_OFF);
    buf_add_text(out, ": ");
    paint(writer, COLOR_BOLD);
    add_text(out, diag->message);
    paint(writer, COLOR_OFF);
    buf_add_char(out, '\n');

    uint32_t gutter = 1; /* without a place, "  = help" */
    if (diag->at.line > 0) {
        gutter = digits(diag->at.line) < 2 ? 2 : digits(diag->at.line);
        add_spaces(out, gutter);
        paint(writer, COLOR_FRAME);
        buf_add_text(out, "-->");
        paint(writer, COLOR_OFF);
        buf_add_char(out, ' ');
        add_text(out, file);
        buf_printf(out, ":%u:%u\n", diag->at.line, diag->at.column > 0 ? diag->at.column : 1);
        struct orch_str line;
        if (diag->at.column > 0 && line_find(source, diag->at.line, &line)) add_source(writer, diag, line, gutter);
    }
    if (diag->help.size > 0) add_help(writer, diag->help, gutter);
}

void diags_render(const struct diags *diags, struct orch_str source, struct orch_str file,
                  const struct diag_style *style, struct buf *out)
{
    uint32_t max = style && style->count_max > 0 ? style->count_max : COUNT_MAX_USUAL;
    uint32_t count = diags->count < max ? diags->count : max;
    uint32_t errors = 0, warnings = 0;
    struct writer writer = {.out = out, .color = style && style->color};
    for (uint32_t i = 0; i < count; i++) {
        const struct diag *diag = &diags->items[i];
        if (diag->severity == DIAG_ERROR) {
            errors++;
        } else {
            warnings++;
        }
        if (i > 0) buf_add_char(out, '\n');
        add_diag(&writer, diag, source, file);
    }
    errors = diags->error_count - errors;
    warnings = diags->warning_count - warnings;
    if (errors == 0 && warnings == 0) return;
    buf_add_text(out, "\n... and ");
    if (errors > 0) buf_printf(out, "%u more %s", errors, errors == 1 ? "error" : "errors");
    if (errors > 0 && warnings > 0) buf_add_text(out, ", ");
    if (warnings > 0) buf_printf(out, "%u more %s", warnings, warnings == 1 ? "warning" : "warnings");
    buf_add_char(out, '\n');
}

static void add_json_text(struct buf *out, const char *key, struct orch_str text)
{
    buf_printf(out, ",\"%s\":", key);
    json_format_string(text, out);
}

void diags_render_json(const struct diags *diags, struct buf *out)
{
    buf_add_char(out, '[');
    for (uint32_t i = 0; i < diags->count; i++) {
        const struct diag *diag = &diags->items[i];
        char code[8];
        diag_code_format(diag, code);
        if (i > 0) buf_add_char(out, ',');
        buf_printf(out, "{\"severity\":\"%s\",\"code\":\"%s\"", diag->severity == DIAG_ERROR ? "error" : "warning",
                   code);
        add_json_text(out, "message", diag->message);
        buf_printf(out, ",\"line\":%u,\"column\":%u,\"length\":%u", diag->at.line, diag->at.column, diag->at.length);
        if (diag->label.size > 0) add_json_text(out, "label", diag->label);
        if (diag->help.size > 0) add_json_text(out, "help", diag->help);
        if (diag->path_count > 0) {
            buf_add_text(out, ",\"path\":[");
            for (uint32_t k = 0; k < diag->path_count; k++) {
                if (k > 0) buf_add_char(out, ',');
                buf_add_text(out, "{\"id\":");
                json_format_string(diag->path[k].id, out);
                buf_printf(out, ",\"line\":%u}", diag->path[k].line);
            }
            buf_add_char(out, ']');
        }
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}
