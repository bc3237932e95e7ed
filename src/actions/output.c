/*
 * output.c - a task's result from what its process wrote.
 */
#include "actions/output.h"

#include "base/error.h"
#include "sys/mask.h"

#define NODES_MAX 1000000

/* Gives out what there is of a line that goes on, and keeps back what may be the beginning of a secret. */
static void emit_piece(struct output_lines *lines, void (*line)(void *user, struct orch_str text, bool is_whole),
                       void *user)
{
    struct buf *partial = &lines->partial;
    size_t cut = mask_safe_cut(buf_str(partial), lines->secrets, lines->secrets_count);

    if (cut == 0) cut = partial->size; /* a secret as long as a line can be */
    line(user, str_of(partial->data, cut), false);
    partial->size -= cut;
    memmove(partial->data, partial->data + cut, partial->size);
    partial->failed = false;
}

/* Memory is short: what is there goes out as far as no secret can have begun, and the rest of the line is lost. */
static void lose_line(struct output_lines *lines, void (*line)(void *user, struct orch_str text, bool is_whole),
                      void *user)
{
    struct orch_str text = buf_str(&lines->partial);

    text.size = mask_safe_cut(text, lines->secrets, lines->secrets_count);
    if (text.size > 0) line(user, text, true);
    buf_clear(&lines->partial);
    lines->failed = lines->skips = true;
}

void output_lines_feed(struct output_lines *lines, const char *data, size_t size,
                       void (*line)(void *user, struct orch_str text, bool is_whole), void *user)
{
    while (size > 0) {
        const char *end = memchr(data, '\n', size);
        size_t piece = end ? (size_t)(end - data) : size, room = OUTPUT_LINE_MAX - lines->partial.size;

        if (lines->skips) {
            if (!end) return;
            lines->skips = false;
            data += piece + 1;
            size -= piece + 1;
            continue;
        }
        if (piece > room) { /* too long: what fits goes out as a piece */
            buf_add(&lines->partial, str_of(data, room));
            if (lines->partial.failed) {
                lose_line(lines, line, user);
                continue;
            }
            emit_piece(lines, line, user);
            lines->was_split = true;
            data += room;
            size -= room;
            continue;
        }
        if (!end) {
            buf_add(&lines->partial, str_of(data, piece));
            if (lines->partial.failed) lose_line(lines, line, user);
            return;
        }
        if (lines->partial.size > 0) {
            buf_add(&lines->partial, str_of(data, piece));
            if (lines->partial.failed) {
                lose_line(lines, line, user);
                continue;
            }
            line(user, buf_str(&lines->partial), true);
            buf_clear(&lines->partial);
        } else {
            line(user, str_of(data, piece), true);
        }
        data += piece + 1;
        size -= piece + 1;
    }
}

void output_lines_finish(struct output_lines *lines, void (*line)(void *user, struct orch_str text, bool is_whole),
                         void *user)
{
    if (lines->partial.size > 0) line(user, buf_str(&lines->partial), false);
    buf_done(&lines->partial);
}

void output_capture_add(struct output_capture *capture, struct orch_str text, bool is_whole)
{
    struct buf *kept = &capture->kept;

    if (kept->size + text.size + 1 > OUTPUT_STDOUT_MAX) {
        /* Only the last line can still be the value. */
        size_t line_size = kept->size - capture->line_start;

        capture->overflowed = true;
        if (capture->line_start > 0) {
            memmove(kept->data, kept->data + capture->line_start, line_size);
            kept->size = line_size;
            capture->line_start = 0;
        }
        if (line_size + text.size + 1 > OUTPUT_STDOUT_MAX) {
            buf_clear(kept);
            capture->line_overflowed = true;
        }
    }
    if (!capture->line_overflowed) buf_add(kept, text);
    if (is_whole) {
        if (!capture->line_overflowed) buf_add_char(kept, '\n');
        capture->line_start = kept->size;
        capture->line_overflowed = false;
    }
}

static bool take_number(struct orch_str *text, double *ret)
{
    size_t size = 0;

    while (size < text->size && size < 32 &&
           ((text->data[size] >= '0' && text->data[size] <= '9') || text->data[size] == '.'))
        size++;
    if (size == 0 || !str_to_double(str_of(text->data, size), ret)) return false;
    *text = str_of(text->data + size, text->size - size);
    return true;
}

bool output_parse_progress(struct orch_str line, double *ret_fraction, struct orch_str *ret_text)
{
    const struct orch_str prefix = STR("::orch progress ");
    struct orch_str rest;
    double number, whole = 100;

    if (!str_starts_with(line, prefix)) return false;
    rest = str_trim(str_of(line.data + prefix.size, line.size - prefix.size));
    if (!take_number(&rest, &number)) return false;
    if (rest.size > 0 && rest.data[0] == '/') {
        rest = str_of(rest.data + 1, rest.size - 1);
        if (!take_number(&rest, &whole) || whole <= 0) return false;
    } else if (rest.size > 0 && rest.data[0] == '%') {
        rest = str_of(rest.data + 1, rest.size - 1);
    } else {
        return false;
    }
    if (rest.size > 0 && rest.data[0] != ' ' && rest.data[0] != '\t') return false;
    number /= whole;
    *ret_fraction = number > 1 ? 1 : number;
    *ret_text = str_trim(rest);
    return true;
}

/* JSON on one line, as it stands where that is one line already. Returns 0, ORCH_ERR_INVALID when it is none,
 * ORCH_ERR_LIMIT when there is too much of it, or ORCH_ERR_NO_MEMORY. */
static int parse_json(struct orch_str text, bool container_only, struct arena *arena, struct orch_str *ret)
{
    const struct json_limits limits = {.nodes_max = NODES_MAX};
    struct arena_mark mark = arena_mark(arena);
    struct value value;
    struct buf buf;
    int result;

    if (text.size == 0) return ORCH_ERR_INVALID;
    if (container_only && text.data[0] != '{' && text.data[0] != '[') return ORCH_ERR_INVALID;
    result = json_parse(text, &limits, arena, &value, NULL);
    if (result == 0 && (memchr(text.data, '\n', text.size) || memchr(text.data, '\r', text.size))) {
        buf_init(&buf, NULL, 0);
        json_format(value, 0, &buf);
        arena_rewind(arena, mark);
        *ret = buf.failed ? STR_NONE : arena_str(arena, buf_str(&buf));
        buf_done(&buf);
        return ret->data ? 0 : ORCH_ERR_NO_MEMORY;
    }
    arena_rewind(arena, mark);
    if (result == 0) *ret = text;
    return result;
}

/* What is no JSON is a text; what would be, were there less of it, too, but that is said. */
static bool is_text(int result, struct orch_str *remark)
{
    if (result == ORCH_ERR_LIMIT) {
        *remark = STR("the output has more than 1,000,000 values or is nested more than 64 deep, too much for JSON that "
                      "expressions can use: it is taken as text");
    }
    return result == ORCH_ERR_LIMIT || result == ORCH_ERR_INVALID;
}

static int text_as_json(struct orch_str text, struct arena *arena, struct orch_str *ret, struct orch_error *err)
{
    struct buf buf;
    struct orch_str made;

    buf_init(&buf, NULL, 0);
    json_format_string(text, &buf);
    made = buf.failed ? STR_NONE : arena_str(arena, buf_str(&buf));
    buf_done(&buf);
    if (!made.data) return error_memory(err);
    *ret = made;
    return 0;
}

static struct orch_str last_line(struct orch_str text)
{
    size_t begin = text.size;

    while (begin > 0 && text.data[begin - 1] != '\n') begin--;
    return str_trim(str_of(text.data + begin, text.size - begin));
}

int output_parse(struct orch_str file, const struct output_capture *capture, struct arena *arena, struct orch_str *ret,
                 struct orch_str *remark, struct orch_error *err)
{
    struct orch_str text = str_trim(file);
    int result;

    *ret = STR_NONE;
    if (text.size > 0) {
        result = parse_json(text, false, arena, ret);
        if (is_text(result, remark)) return text_as_json(text, arena, ret, err);
        return result == 0 ? 0 : error_memory(err);
    }
    if (capture->kept.failed) return error_memory(err);
    text = str_trim(buf_str(&capture->kept));
    if (!capture->overflowed) {
        if (text.size == 0) return 0;
        result = parse_json(text, false, arena, ret);
        if (result == ORCH_ERR_INVALID || result == ORCH_ERR_LIMIT) {
            int last = parse_json(last_line(text), true, arena, ret);

            if (last != ORCH_ERR_INVALID) result = last;
        }
        if (is_text(result, remark)) return text_as_json(text, arena, ret, err);
        return result == 0 ? 0 : error_memory(err);
    }
    result = parse_json(last_line(text), true, arena, ret);
    if (result == ORCH_ERR_INVALID || result == ORCH_ERR_LIMIT) {
        *remark = STR("stdout is larger than 1 MiB and does not end with a line of JSON: the task has no output; write "
                      "it to $ORCH_OUTPUT");
        return 0;
    }
    return result == 0 ? 0 : error_memory(err);
}
