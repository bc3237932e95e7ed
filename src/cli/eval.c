/*
 * eval.c - `orch eval`: one expression, or a stream of them as JSON lines.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "lang/expr.h"
#include "sys/file.h"
#include "sys/zone.h"

#define INPUT_MAX      ((size_t)256 << 20) /* bytes of --input */
#define LINE_MAX_BYTES ((size_t)16 << 20)  /* bytes of one line of --jsonl */

static const char usage_text[] =
    "usage: orch eval EXPR [--input FILE]\n"
    "       orch eval --jsonl\n"
    "\n"
    "  orch eval '1 + 2'\n"
    "  orch eval 'orders.filter(o, o.amount > 100).map(o, o.id)' --input orders.json\n"
    "  echo '{\"expr\":\"a * 2\",\"input\":{\"a\":21}}' | orch eval --jsonl\n"
    "\n"
    "Prints the value of an expression as JSON.\n"
    "\n"
    "  --input FILE  a JSON object whose members are the names; - is the standard input\n"
    "  --jsonl       answers each line {\"expr\":..., \"input\":...} of the standard input with\n"
    "                {\"value\":...} or {\"error\":..., \"column\":...}; \"check\": true also refuses what\n"
    "                the check of a definition would\n";

/* What the names of an expression are looked up in. */
struct names {
    struct value input; /* a map, or null when there is none */
    struct zonefiles *zones;
};

static int look_up(void *user, struct orch_str name, struct arena *arena, struct value *ret, struct orch_error *err)
{
    (void)arena;
    (void)err;
    const struct names *names = user;
    const struct value *found = value_get(names->input, name);
    if (!found) return ORCH_ERR_NOT_FOUND;
    *ret = *found;
    return 0;
}

static bool has_dotted_names(struct value input)
{
    if (input.kind != VALUE_MAP) return false;
    const struct value_member *members = value_members(input);
    for (uint32_t i = 0; i < input.size; i++) {
        if (str_find(value_str(members[i].key), STR("."), 0) != SIZE_MAX) return true;
    }
    return false;
}

static int zone(void *user, struct orch_str name, struct orch_str *ret_tzif)
{
    const struct names *names = user;
    return zonefiles_load(names->zones, name, ret_tzif);
}

static int evaluate(struct orch_str source, struct names *names, bool check, struct arena *arena, struct value *ret,
                    struct orch_error *err)
{
    struct expr_limits limits = {.unchecked = !check};
    const struct expr *expr;
    int rc = expr_compile(source, &limits, arena, &expr, err);
    if (rc != 0) return rc;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    struct expr_env env = {
        .lookup = look_up,
        .zone = zone,
        .user = names,
        .has_dotted_names = has_dotted_names(names->input),
        .now = (orch_time)now.tv_sec * ORCH_SECOND + now.tv_nsec / 1000,
        .limits = &limits,
    };
    return expr_eval(expr, &env, arena, ret, err);
}

/* ---- one expression ---- */

static void print_spaces(FILE *out, struct orch_str before)
{
    for (size_t at = 0; at < before.size;) {
        uint32_t c = utf8_next(before, &at);
        for (int width = c == '\t' ? 1 : utf8_width(c); width > 0; width--) fputc(' ', out);
    }
}

/* The line of the expression that holds the column, with a caret under it. */
static void print_error(FILE *out, struct orch_str source, const struct orch_error *err)
{
    fprintf(out, "error[%s]: %s\n", orch_error_name(err->code), err->message);
    if (err->column > 0 && utf8_is_valid(source, NULL)) {
        size_t at = 0, start = 0;
        uint32_t line = 1;
        for (uint32_t column = 1; column < err->column && at < source.size; column++) {
            if (utf8_next(source, &at) != '\n') continue;
            start = at;
            line++;
        }
        size_t end = str_find(source, STR("\n"), start);
        struct orch_str text = str_of(source.data + start, (end == SIZE_MAX ? source.size : end) - start);
        char number[16];
        int digits = snprintf(number, sizeof(number), "%u", line);
        fprintf(out, " %*s |\n %s | ", digits, "", number);
        for (size_t i = 0; i < text.size; i++) {
            unsigned char c = (unsigned char)text.data[i];
            if (c >= 0x20 && c != 0x7f)
                fputc(c, out); /* control characters have width 0 and are not for terminals */
            else if (c == '\t')
                fputc(' ', out);
        }
        fprintf(out, "\n %*s | ", digits, "");
        print_spaces(out, str_of(text.data, at - start));
        fprintf(out, "^\n");
    }
    if (err->hint[0]) fprintf(out, "  = help: %s\n", err->hint);
}

/* Reads --input into *ret. */
static int read_input(const char *path, struct arena *arena, struct value *ret, struct orch_error *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    const char *name = is_stdin ? "standard input" : path;
    struct orch_str text;
    int rc = is_stdin ? file_read_fd(STDIN_FILENO, name, INPUT_MAX, arena, &text, err)
                      : file_read(path, INPUT_MAX, arena, &text, err);
    if (rc == 0) {
        rc = json_parse(text, NULL, arena, ret, err);
        if (rc == 0 && ret->kind != VALUE_MAP) rc = error_set(err, ORCH_ERR_INVALID, "the input is no JSON object");
        if (rc != 0) snprintf(err->file, sizeof(err->file), "%s", name);
    }
    return rc;
}

static int eval_one(const char *text, const char *input_path, struct zonefiles *zones)
{
    struct arena arena;
    struct buf out;
    struct orch_error err = ORCH_ERROR_INIT;
    struct names names = {.zones = zones};
    struct value value;
    arena_init(&arena, NULL, 0);
    buf_init(&out, NULL, 0);
    int rc = input_path ? read_input(input_path, &arena, &names.input, &err) : 0;
    if (rc != 0) {
        (void)cli_error(&err);
    } else if ((rc = evaluate(str_from(text), &names, true, &arena, &value, &err)) != 0) {
        print_error(stderr, str_from(text), &err);
    } else {
        json_format(value, 0, &out);
        buf_add_char(&out, '\n');
        if (out.failed)
            rc = ORCH_ERR_NO_MEMORY;
        else if (fwrite(out.data, 1, out.size, stdout) != out.size || fflush(stdout) != 0)
            rc = ORCH_ERR_IO;
        if (rc != 0) fprintf(stderr, "error[%s]: %s\n", orch_error_name(rc), orch_error_text(rc));
    }
    buf_done(&out);
    arena_done(&arena);
    return rc == 0 ? 0 : orch_error_exit_code(rc);
}

/* ---- many expressions ---- */

enum line_result { LINE_OK, LINE_LONG, LINE_END, LINE_FAILED };

/* The next line without its end; one that is too long is read to its end and dropped. */
static enum line_result read_line(FILE *in, struct buf *line)
{
    bool is_long = false, is_empty = true;
    buf_clear(line);
    for (int c; (c = getc_unlocked(in)) != EOF && c != '\n'; is_empty = false) {
        if (is_long) continue;
        buf_add_char(line, (char)c);
        if (line->failed) is_long = true;
    }
    if (ferror(in)) return LINE_FAILED;
    if (is_long) return LINE_LONG;
    return is_empty && feof(in) ? LINE_END : LINE_OK;
}

static void answer_error(struct buf *out, const struct orch_error *err)
{
    buf_add_text(out, "{\"error\":");
    json_format_string(str_from(err->message), out);
    if (err->column > 0) buf_printf(out, ",\"column\":%u", err->column);
    if (err->hint[0]) {
        buf_add_text(out, ",\"hint\":");
        json_format_string(str_from(err->hint), out);
    }
    buf_add_text(out, "}\n");
}

/* Evaluates one line; err gets what is wrong with it, with the column of the expression. */
static int eval_line(struct orch_str line, struct zonefiles *zones, struct arena *arena, struct value *ret,
                     struct orch_error *err)
{
    struct value request;
    int rc = json_parse(line, NULL, arena, &request, err);
    if (rc != 0) {
        err->column = 0; /* a column of the answer is one of the expression */
        return error_context(err, "the line is no JSON");
    }
    const struct value *expr = value_get(request, STR("expr")), *input = value_get(request, STR("input"));
    const struct value *check = value_get(request, STR("check"));
    if (!expr || expr->kind != VALUE_STRING)
        return error_set(err, ORCH_ERR_INVALID, "the line is no object with a string \"expr\"");
    if (input && input->kind != VALUE_MAP && input->kind != VALUE_NULL)
        return error_set(err, ORCH_ERR_INVALID, "\"input\" is no object");
    if (check && check->kind != VALUE_BOOL) return error_set(err, ORCH_ERR_INVALID, "\"check\" is no bool");
    struct names names = {.input = input ? *input : value_null(), .zones = zones};
    return evaluate(value_str(*expr), &names, check && check->boolean, arena, ret, err);
}

static int eval_lines(struct zonefiles *zones)
{
    struct arena arena;
    struct buf line, out;
    arena_init(&arena, NULL, 0);
    buf_init(&line, NULL, LINE_MAX_BYTES);
    buf_init(&out, NULL, 0);
    int code = 0;
    for (enum line_result result; (result = read_line(stdin, &line)) != LINE_END;) {
        if (result == LINE_FAILED) {
            fprintf(stderr, "error[IO]: the standard input cannot be read\n");
            code = orch_error_exit_code(ORCH_ERR_IO);
            break;
        }
        struct orch_error err = ORCH_ERROR_INIT;
        struct value value;
        int rc;
        if (result == LINE_LONG)
            rc = error_set(&err, ORCH_ERR_LIMIT, "a line is longer than %zu MiB", LINE_MAX_BYTES >> 20);
        else
            rc = eval_line(buf_str(&line), zones, &arena, &value, &err);
        if (rc == 0) {
            buf_add_text(&out, "{\"value\":");
            json_format(value, 0, &out);
            buf_add_text(&out, "}\n");
        } else {
            answer_error(&out, &err);
        }
        if (out.failed) {
            buf_clear(&out);
            buf_add_text(&out, "{\"error\":\"out of memory\"}\n");
        }
        if (fwrite(out.data, 1, out.size, stdout) != out.size || fflush(stdout) != 0) {
            code = orch_error_exit_code(ORCH_ERR_IO);
            break;
        }
        buf_clear(&out);
        arena_clear(&arena);
    }
    buf_done(&out);
    buf_done(&line);
    arena_done(&arena);
    return code;
}

/* ---- the verb ---- */

static int wrong_usage(const char *message, const char *word)
{
    cli_say("error[USAGE]: %s%s", message, word);
    fprintf(stderr, "\n%s", usage_text);
    return EXIT_USAGE;
}

int cli_eval(int argc, char **argv)
{
    const char *text = NULL, *input_path = NULL;
    bool jsonl = false, options = true;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (options && strcmp(word, "--") == 0) {
            options = false;
        } else if (options && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
            fputs(usage_text, stdout);
            return EXIT_OK;
        } else if (options && strcmp(word, "--jsonl") == 0) {
            jsonl = true;
        } else if (options && (strcmp(word, "--input") == 0 || strcmp(word, "-i") == 0)) {
            if (++i >= argc) return wrong_usage("--input needs a file", "");
            input_path = argv[i];
        } else if (options && strncmp(word, "--input=", 8) == 0) {
            input_path = word + 8;
        } else if (options && strncmp(word, "--", 2) == 0 && word[2] >= 'a' && word[2] <= 'z') {
            /* Not every word that begins with a minus: -5 and -x are expressions. */
            return wrong_usage("unknown option ", word);
        } else if (text) {
            return wrong_usage("one expression, please: quote it for the shell; this is another word: ", word);
        } else {
            text = word;
        }
    }
    if (jsonl && (text || input_path))
        return wrong_usage("--jsonl reads expressions and inputs from the standard input", "");
    if (!jsonl && !text) return wrong_usage("an expression is missing", "");
    struct zonefiles zones;
    zonefiles_init(&zones, NULL, NULL);
    int code = jsonl ? eval_lines(&zones) : eval_one(text, input_path, &zones);
    zonefiles_done(&zones);
    return code;
}
