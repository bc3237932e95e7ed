/*
 * style.c - colour, symbols and widths: what the terminal can show and what the user wants.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct cli_style cli_style;

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && value[0];
}

/* NO_COLOR (no-color.org) and CLICOLOR_FORCE (bixense.com/clicolors); --color decides over both. */
static bool wants_color(const char *when, bool tty)
{
    if (strcmp(when, "always") == 0) return true;
    if (strcmp(when, "never") == 0) return false;
    if (is_set("NO_COLOR")) return false;
    if (is_set("CLICOLOR_FORCE") && strcmp(getenv("CLICOLOR_FORCE"), "0") != 0) return true;
    const char *term = getenv("TERM");
    return tty && term && strcmp(term, "dumb") != 0;
}

static bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_set(names[i])) return strcasestr(getenv(names[i]), "utf-8") || strcasestr(getenv(names[i]), "utf8");
    return false;
}

static void drop(int *argc, char **argv, int at, int count)
{
    memmove(argv + at, argv + at + count, (size_t)(*argc - at - count + 1) * sizeof *argv);
    *argc -= count;
}

void cli_style_init(int *argc, char **argv)
{
    const char *when = "auto";
    uint32_t width = 0;
    bool ascii = false;
    for (int i = 1; i < *argc;) {
        const char *value = NULL;
        if (strcmp(argv[i], "--") == 0) break;
        if (strcmp(argv[i], "--ascii") == 0) {
            ascii = true;
            drop(argc, argv, i, 1);
        } else if (strncmp(argv[i], "--color=", 8) == 0 || strncmp(argv[i], "--width=", 8) == 0) {
            value = argv[i] + 8;
        } else if ((strcmp(argv[i], "--color") == 0 || strcmp(argv[i], "--width") == 0) && i + 1 < *argc) {
            value = argv[i + 1];
        } else i++;
        if (!value) continue;
        uint64_t number;
        if (argv[i][2] == 'c') when = value;
        else if (str_to_uint64(str_from(value), &number) && number >= 10 && number <= 10000) width = (uint32_t)number;
        if (argv[i][2] == 'c' && strcmp(when, "always") != 0 && strcmp(when, "never") != 0 && strcmp(when, "auto") != 0) {
            cli_say("orch: --color is one of always, never, auto, not \"%s\"", when);
            exit(EXIT_USAGE);
        }
        drop(argc, argv, i, argv[i][7] == '=' ? 1 : 2);
    }
    cli_style.tty_out = isatty(STDOUT_FILENO);
    cli_style.tty_err = isatty(STDERR_FILENO);
    cli_style.color_out = wants_color(when, cli_style.tty_out);
    cli_style.color_err = wants_color(when, cli_style.tty_err);
    cli_style.utf8 = !ascii && locale_is_utf8();
    cli_style.width = width;
}

void cli_style_tell(const char *progress)
{
    cli_style.json_err = strcmp(progress, "jsonl") == 0;
    cli_style.quiet_err = strcmp(progress, "quiet") == 0;
}

void cli_style_size(uint32_t *ret_columns, uint32_t *ret_rows)
{
    struct winsize size;
    *ret_columns = 80;
    *ret_rows = 24;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        *ret_columns = size.ws_col;
        *ret_rows = size.ws_row;
    }
    if (cli_style.width) *ret_columns = cli_style.width;
}

const char *cli_color(bool on, enum cli_color color)
{
    if (!on) return "";
    switch (color) {
    case COLOR_NONE: return "";
    case COLOR_RED: return "\033[31m";
    case COLOR_GREEN: return "\033[32m";
    case COLOR_YELLOW: return "\033[33m";
    case COLOR_BLUE: return "\033[34m";
    case COLOR_GREY: return "\033[90m";
    case COLOR_BOLD: return "\033[1m";
    }
    return "";
}

const char *cli_color_end(bool on, enum cli_color color)
{
    return on && color != COLOR_NONE ? "\033[0m" : "";
}

const char *cli_task_symbol(uint8_t state, uint8_t reason)
{
    bool utf8 = cli_style.utf8;
    switch ((enum task_state)state) {
    case TASK_PENDING:
    case TASK_READY: return utf8 ? "○" : "o";
    case TASK_WAITING: return reason == REASON_BACKOFF ? (utf8 ? "↻" : "~") : (utf8 ? "◌" : "o");
    case TASK_RUNNING: return utf8 ? "●" : "*";
    case TASK_SUCCEEDED: return utf8 ? "✔" : "+";
    case TASK_FAILED:
    case TASK_TIMED_OUT: return utf8 ? "✗" : "x";
    case TASK_SKIPPED:
    case TASK_CANCELLED: return utf8 ? "⊘" : "-";
    case TASK_COMPENSATING: return utf8 ? "↺" : "~";
    case TASK_COMPENSATED: return utf8 ? "↩" : "<";
    }
    return "?";
}

enum cli_color cli_task_color(uint8_t state, uint8_t reason)
{
    switch ((enum task_state)state) {
    case TASK_PENDING:
    case TASK_READY:
    case TASK_SKIPPED: return COLOR_GREY;
    case TASK_WAITING: return reason == REASON_DELAY || reason == REASON_TIMER ? COLOR_GREY : COLOR_YELLOW;
    case TASK_RUNNING: return COLOR_BLUE;
    case TASK_SUCCEEDED: return COLOR_GREEN;
    case TASK_FAILED:
    case TASK_TIMED_OUT: return COLOR_RED;
    case TASK_CANCELLED:
    case TASK_COMPENSATING:
    case TASK_COMPENSATED: return COLOR_YELLOW;
    }
    return COLOR_NONE;
}

enum cli_color cli_execution_color(uint8_t state)
{
    switch ((enum execution_state)state) {
    case EXECUTION_PENDING: return COLOR_GREY;
    case EXECUTION_RUNNING: return COLOR_BLUE;
    case EXECUTION_PAUSED:
    case EXECUTION_COMPENSATING:
    case EXECUTION_CANCELLED:
    case EXECUTION_COMPENSATED: return COLOR_YELLOW;
    case EXECUTION_SUCCEEDED: return COLOR_GREEN;
    case EXECUTION_FAILED:
    case EXECUTION_TIMED_OUT: return COLOR_RED;
    }
    return COLOR_NONE;
}

/* Length of an SGR sequence (ECMA-48 8.3.117) at the start of the text, 0 when it begins with none. */
static size_t sgr_length(struct orch_str text)
{
    if (text.size < 3 || text.data[0] != '\033' || text.data[1] != '[') return 0;
    for (size_t i = 2; i < text.size && i < 32; i++) {
        char c = text.data[i];
        if (c == 'm') return i + 1;
        if ((c < '0' || c > '9') && c != ';' && c != ':') return 0;
    }
    return 0;
}

void cli_clean(struct orch_str text, uint32_t columns, bool keep_sgr, struct buf *out)
{
    uint32_t used = 0;
    bool styled = false;
    for (size_t at = 0; at < text.size;) {
        size_t sgr = sgr_length(str_of(text.data + at, text.size - at));
        if (sgr) {
            if (keep_sgr) {
                buf_add(out, str_of(text.data + at, sgr));
                styled = true;
            }
            at += sgr;
            continue;
        }
        size_t begin = at;
        uint32_t c = utf8_next(text, &at);
        if (c == '\t') c = ' ';
        else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069)) continue; /* and bidi overrides */
        int width = utf8_width(c);
        if (columns && used + (uint32_t)width > columns) break;
        used += (uint32_t)width;
        if (c == ' ' || (c == 0xfffd && text.data[begin] != '\xef')) {
            buf_add_text(out, c == ' ' ? " " : cli_style.utf8 ? "\xef\xbf\xbd" : "?");
            continue;
        }
        buf_add(out, str_of(text.data + begin, at - begin));
    }
    if (styled) buf_add_text(out, "\033[0m");
}
