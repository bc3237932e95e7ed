/*
 * error.c - errors as people read them.
 */
#include "cli/cli.h"

int cli_error(const struct orch_error *err)
{
    bool color = cli_style.color_err;
    struct buf text;
    buf_init(&text, NULL, 8192);
    cli_clean(str_from(err->message), 0, false, &text);
    fprintf(stderr, "%serror%s[%s]: %.*s\n", cli_color(color, COLOR_RED), cli_color_end(color, COLOR_RED), orch_error_name(err->code), STR_ARG(buf_str(&text)));
    if (err->file[0] || err->line) {
        fprintf(stderr, "  --> %s", err->file[0] ? err->file : "line");
        if (err->line) fprintf(stderr, ":%u", err->line);
        if (err->line && err->column) fprintf(stderr, ":%u", err->column);
        fputc('\n', stderr);
    }
    buf_clear(&text);
    cli_clean(str_from(err->hint), 0, false, &text);
    if (text.size) fprintf(stderr, "  = help: %.*s\n", STR_ARG(buf_str(&text)));
    buf_done(&text);
    return orch_error_exit_code(err->code);
}

int cli_findings(const struct diags *diags, struct orch_str text, const char *file)
{
    struct diag_style style = {.color = cli_style.color_err};
    struct buf out;
    if (!diags->count) return 0;
    buf_init(&out, NULL, 4u * 1024 * 1024);
    diags_render(diags, text, str_from(file), &style, &out);
    fwrite(out.data, 1, out.size, stderr);
    buf_done(&out);
    return diags->error_count ? EXIT_INVALID : 0;
}
