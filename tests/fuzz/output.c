/*
 * output.c - fuzzes what becomes of the bytes that a task's process writes: lines, directives, the value, and the
 * hiding of secrets in all of it.
 */
#include "fuzz.h"

#include "actions/output.h"
#include "sys/mask.h"
#include "take.h"

#define SECRETS_MAX 3

struct seen {
    struct buf text;   /* the lines, whole ones with their end: what was fed */
    struct buf masked; /* likewise, each piece masked by itself, as the log has it */
    struct output_capture capture;
    const struct orch_str *secrets;
    uint32_t secrets_count;
    struct arena arena;
};

static void on_line(void *user, struct orch_str text, bool is_whole)
{
    struct seen *seen = user;
    struct orch_str said, masked = mask_secrets(text, seen->secrets, seen->secrets_count, &seen->arena);
    double fraction;

    PROPERTY(text.size <= OUTPUT_LINE_MAX);
    PROPERTY(text.size == 0 || !memchr(text.data, '\n', text.size));
    PROPERTY(masked.data || text.size == 0);
    buf_add(&seen->text, text);
    buf_add(&seen->masked, masked);
    if (is_whole) {
        buf_add_char(&seen->text, '\n');
        buf_add_char(&seen->masked, '\n');
    }
    if (output_parse_progress(text, &fraction, &said)) {
        PROPERTY(fraction >= 0 && fraction <= 1);
        PROPERTY(said.size < text.size);
    } else {
        output_capture_add(&seen->capture, text, is_whole);
        PROPERTY(seen->capture.kept.size <= OUTPUT_STDOUT_MAX + 1);
        PROPERTY(seen->capture.line_start <= seen->capture.kept.size);
    }
}

/* A secret of several lines is hidden line by line, without the white space around it. */
static void expect_hidden(struct orch_str text, struct orch_str secret)
{
    for (size_t at = 0; at < secret.size;) {
        size_t end = str_find(secret, STR("\n"), at);
        struct orch_str line = str_of(secret.data + at, (end == SIZE_MAX ? secret.size : end) - at);
        at += line.size + 1;
        line = str_trim(line);
        /* One of asterisks is found in what hides it. */
        if (line.size >= 4 && !memchr(line.data, '*', line.size)) PROPERTY(str_find(text, line, 0) == SIZE_MAX);
    }
}

static void expect_value(struct orch_str file, const struct output_capture *capture)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct orch_str value, remark = STR_NONE;
    struct value parsed;
    struct arena arena;

    arena_init(&arena, NULL, FUZZ_MEMORY_MAX);
    int r = output_parse(file, capture, &arena, &value, &remark, &err);
    if (r != 0) {
        expect_error(r, &err);
    } else if (value.size > 0) {
        PROPERTY(!memchr(value.data, '\n', value.size) && !memchr(value.data, '\r', value.size));
        r = json_parse(value, NULL, &arena, &parsed, NULL);
        PROPERTY(r == 0 || r == ORCH_ERR_NO_MEMORY);
    }
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct take take = {data, size};
    struct orch_str secrets[SECRETS_MAX];
    struct output_lines lines = {0};
    struct seen seen = {.secrets = secrets};
    struct buf fed;

    uint32_t secrets_count = take_below(&take, SECRETS_MAX + 1), piece = 1 + take_byte(&take),
             filler = take_byte(&take);
    for (uint32_t i = 0; i < secrets_count; i++) secrets[i] = take_text(&take);
    seen.secrets_count = secrets_count;
    struct orch_str file = filler & 1 ? take_text(&take) : STR_NONE;
    arena_init(&seen.arena, NULL, FUZZ_MEMORY_MAX);
    buf_init(&seen.text, NULL, FUZZ_MEMORY_MAX);
    buf_init(&seen.masked, NULL, FUZZ_MEMORY_MAX);
    buf_init(&seen.capture.kept, NULL, 0);
    buf_init(&lines.partial, NULL, 0);
    lines.secrets = secrets;
    lines.secrets_count = secrets_count;
    /* Sometimes a line that is nearly too long comes first, so that the bytes lie across its limit. */
    buf_init(&fed, NULL, FUZZ_MEMORY_MAX);
    if (filler % 16 == 2) {
        char *room = buf_reserve(&fed, OUTPUT_LINE_MAX);
        PROPERTY(room);
        fed.size = OUTPUT_LINE_MAX - filler;
        memset(room, '-', fed.size);
        output_lines_feed(&lines, fed.data, fed.size, on_line, &seen);
    }
    size_t fed_before = fed.size;
    buf_add(&fed, take_str(&take, take.size));
    for (size_t at = fed_before; at < fed.size; at += piece) {
        size_t left = fed.size - at;
        output_lines_feed(&lines, fed.data + at, left < piece ? left : piece, on_line, &seen);
    }
    output_lines_finish(&lines, on_line, &seen);
    PROPERTY(!fed.failed && !seen.text.failed && !seen.masked.failed);
    PROPERTY(str_equal(buf_str(&fed), buf_str(&seen.text)));
    for (uint32_t i = 0; i < secrets_count; i++) expect_hidden(buf_str(&seen.masked), secrets[i]);
    expect_value(file, &seen.capture);
    expect_value(STR_NONE, &seen.capture);
    buf_done(&fed);
    buf_done(&seen.text);
    buf_done(&seen.masked);
    buf_done(&seen.capture.kept);
    arena_done(&seen.arena);
    return 0;
}
