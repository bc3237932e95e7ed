/* diag.c - collecting what is wrong with a definition. */
#include "lang/diag.h"

#include "base/error.h"
#include "lang/diag_codes.h"

void diags_init(struct diags *diags, struct arena *arena)
{
    *diags = (struct diags){.arena = arena};
}

static struct orch_str text_format(struct diags *diags, const char *format, va_list args)
{
    struct buf buf;
    buf_init(&buf, NULL, 64 * 1024); /* a message with the longest names in it is far below */
    buf_vprintf(&buf, format, args);
    struct orch_str text = STR_NONE;
    if (buf.size > 0) text = arena_str(diags->arena, buf_str(&buf));
    if (buf.failed || (buf.size > 0 && !text.data)) diags->failed = true;
    buf_done(&buf);
    return text;
}

static bool is_same(const struct diag *a, const struct diag *b)
{
    return a->severity == b->severity && a->code == b->code && a->at.line == b->at.line &&
           a->at.column == b->at.column && a->at.line != 0 && str_equal(a->message, b->message);
}

/* Where the next one goes: at the end, or in place of the last warning when it is an error and the list is full. */
static struct diag *slot_take(struct diags *diags, enum diag_severity severity)
{
    if (diags->count < DIAG_MAX) return &diags->items[diags->count++];
    if (severity == DIAG_ERROR) {
        for (uint32_t i = DIAG_MAX; i-- > 0;) {
            if (diags->items[i].severity != DIAG_WARNING) continue;
            memmove(&diags->items[i], &diags->items[i + 1], (DIAG_MAX - 1 - i) * sizeof(diags->items[0]));
            return &diags->items[DIAG_MAX - 1];
        }
    }
    return &diags->spare;
}

struct diag *diag_add(struct diags *diags, enum diag_severity severity, uint16_t code, struct span at,
                      const char *format, ...)
{
    struct diag new = {.severity = severity, .code = code, .at = at};
    struct arena_mark mark = arena_mark(diags->arena);
    va_list args;
    va_start(args, format);
    new.message = text_format(diags, format, args);
    va_end(args);

    for (uint32_t i = 0; i < diags->count; i++) {
        if (!is_same(&diags->items[i], &new)) continue;
        arena_rewind(diags->arena, mark);
        diags->spare = (struct diag){0};
        return &diags->spare;
    }
    if (severity == DIAG_ERROR) {
        diags->error_count++;
    } else {
        diags->warning_count++;
    }
    struct diag *diag = slot_take(diags, severity);
    if (diag == &diags->spare) {
        arena_rewind(diags->arena, mark);
        new.message = STR_NONE;
    }
    *diag = new;
    return diag;
}

void diag_label(struct diags *diags, struct diag *diag, const char *format, ...)
{
    if (diag == &diags->spare) return;
    va_list args;
    va_start(args, format);
    diag->label = text_format(diags, format, args);
    va_end(args);
}

void diag_help(struct diags *diags, struct diag *diag, const char *format, ...)
{
    if (diag == &diags->spare) return;
    va_list args;
    va_start(args, format);
    diag->help = text_format(diags, format, args);
    va_end(args);
}

static bool is_after(const struct diag *a, const struct diag *b)
{
    if (a->severity != b->severity) return a->severity > b->severity;
    if (a->at.line != b->at.line) return a->at.line > b->at.line;
    return a->at.column > b->at.column;
}

void diags_sort(struct diags *diags)
{
    for (uint32_t i = 1; i < diags->count; i++) {
        struct diag diag = diags->items[i];
        uint32_t at = i;
        for (; at > 0 && is_after(&diags->items[at - 1], &diag); at--) diags->items[at] = diags->items[at - 1];
        diags->items[at] = diag;
    }
}

void diag_code_format(const struct diag *diag, char out[8])
{
    unsigned code = diag->code;
    out[0] = diag->severity == DIAG_ERROR ? 'E' : 'W';
    for (int i = 4; i > 0; i--, code /= 10) out[i] = (char)('0' + code % 10);
    out[5] = '\0';
}

const char *diag_code_title(uint16_t code)
{
    switch (code) {
#define DIAG_CODE_TITLE(name, number, title) \
    case number: return title;
        DIAG_CODE_LIST(DIAG_CODE_TITLE)
#undef DIAG_CODE_TITLE
    }
    return NULL;
}

/* The first by place among the errors, without sorting: the list may be borrowed. */
static const struct diag *error_first(const struct diags *diags)
{
    const struct diag *first = NULL;
    for (uint32_t i = 0; i < diags->count; i++) {
        const struct diag *diag = &diags->items[i];
        if (diag->severity == DIAG_ERROR && (!first || is_after(first, diag))) first = diag;
    }
    return first;
}

int diags_to_error(const struct diags *diags, struct orch_str file, struct orch_error *err)
{
    const struct diag *first = error_first(diags);
    if (diags->failed && !first) return error_memory(err);
    if (!first) return 0;
    int code = first->code == DIAG_CYCLE || first->code == DIAG_SELF_DEPENDENCY ? ORCH_ERR_CYCLE
               : first->code == DIAG_UNKNOWN_TASK                               ? ORCH_ERR_DEPENDENCY
                                                                                : ORCH_ERR_INVALID;
    if (diags->error_count > 1) {
        (void)error_set(err, code, "%.*s (and %u more)", STR_ARG(first->message), diags->error_count - 1);
    } else {
        (void)error_set(err, code, "%.*s", STR_ARG(first->message));
    }
    if (!err) return code;
    if (first->help.size > 0) error_hint(err, "%.*s", STR_ARG(first->help));
    err->line = first->at.line;
    err->column = first->at.column;
    size_t size = file.size < sizeof(err->file) ? file.size : sizeof(err->file) - 1;
    while (size > 0 && size < file.size && ((unsigned char)file.data[size] & 0xC0) == 0x80) size--;
    if (size > 0) memcpy(err->file, file.data, size);
    err->file[size] = '\0';
    return code;
}
