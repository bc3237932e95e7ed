/*
 * error.c - errors, findings and notes: as people read them, or as lines of JSON.
 */
#include "cli/cli.h"

#include <stdarg.h>

#include "base/time.h"
#include "sys/clock.h"

void cli_say(const char *format, ...)
{
    char text[1024];
    struct buf clean;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_init(&clean, NULL, 0);
    cli_clean(str_from(text), 0, false, &clean);
    fprintf(stderr, "%.*s\n", STR_ARG(buf_str(&clean)));
    buf_done(&clean);
}

/* One line of the stream that `--progress jsonl` is; json_end writes it. */
static void json_begin(struct buf *out, const char *type)
{
    buf_init(out, NULL, 4u * 1024 * 1024);
    buf_add_text(out, "{\"v\":1,\"t\":\"");
    time_format(clock_wall(), true, out);
    buf_printf(out, "\",\"type\":\"%s\"", type);
}

static void json_text(struct buf *out, const char *key, struct orch_str text)
{
    if (text.size == 0) return;
    buf_printf(out, ",\"%s\":", key);
    json_format_string(text, out);
}

static void json_end(struct buf *out)
{
    buf_add_text(out, "}\n");
    if (!out->failed) fwrite(out->data, 1, out->size, stderr);
    fflush(stderr);
    buf_done(out);
}

static void error_json(const struct orch_error *err)
{
    struct buf out;
    json_begin(&out, "error");
    json_text(&out, "code", str_from(orch_error_name(err->code)));
    json_text(&out, "message", str_from(err->message));
    json_text(&out, "file", str_from(err->file));
    if (err->line) buf_printf(&out, ",\"line\":%u", err->line);
    if (err->line && err->column) buf_printf(&out, ",\"column\":%u", err->column);
    json_text(&out, "help", str_from(err->hint));
    json_end(&out);
}

static void error_text(const struct orch_error *err)
{
    bool color = cli_style.color_err;
    struct buf text;
    buf_init(&text, NULL, 8192);
    cli_clean(str_from(err->message), 0, false, &text);
    fprintf(stderr, "%serror%s[%s]: %.*s\n", cli_color(color, COLOR_RED), cli_color_end(color, COLOR_RED),
            orch_error_name(err->code), STR_ARG(buf_str(&text)));
    if (err->file[0] || err->line) {
        buf_clear(&text);
        cli_clean(str_from(err->file[0] ? err->file : "line"), 0, false, &text);
        fprintf(stderr, "  --> %.*s", STR_ARG(buf_str(&text)));
        if (err->line) fprintf(stderr, ":%u", err->line);
        if (err->line && err->column) fprintf(stderr, ":%u", err->column);
        fputc('\n', stderr);
    }
    buf_clear(&text);
    cli_clean(str_from(err->hint), 0, false, &text);
    if (text.size) fprintf(stderr, "  = help: %.*s\n", STR_ARG(buf_str(&text)));
    buf_done(&text);
}

int cli_error(const struct orch_error *err)
{
    if (cli_style.json_err)
        error_json(err);
    else
        error_text(err);
    return orch_error_exit_code(err->code);
}

void cli_note(const char *run, const char *format, ...)
{
    char text[1024];
    va_list args;
    if (cli_style.quiet_err) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (cli_style.json_err) {
        struct buf out;
        json_begin(&out, "note");
        json_text(&out, "run", run ? str_from(run) : STR_NONE);
        json_text(&out, "text", str_from(text));
        json_end(&out);
        return;
    }
    cli_say("note: %s", text);
}

static void findings_json(const struct diags *diags, const char *file)
{
    struct buf out;
    json_begin(&out, "definition.findings");
    json_text(&out, "file", str_from(file));
    buf_add_text(&out, ",\"findings\":");
    diags_render_json(diags, &out);
    json_end(&out);
}

int cli_findings(const struct diags *diags, struct orch_str text, const char *file)
{
    struct diag_style style = {.color = cli_style.color_err};
    struct diags kept = *diags;
    struct buf out;
    if (cli_style.quiet_err) {
        kept.count = kept.warning_count = 0;
        for (uint32_t i = 0; i < diags->count; i++)
            if (diags->items[i].severity == DIAG_ERROR) kept.items[kept.count++] = diags->items[i];
    }
    if (!kept.count) return 0;
    if (cli_style.json_err) {
        findings_json(&kept, file);
        return kept.error_count ? EXIT_INVALID : 0;
    }
    buf_init(&out, NULL, 4u * 1024 * 1024);
    diags_render(&kept, text, str_from(file), &style, &out);
    fwrite(out.data, 1, out.size, stderr);
    buf_done(&out);
    return kept.error_count ? EXIT_INVALID : 0;
}
