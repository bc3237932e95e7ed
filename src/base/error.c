/*
 * error.c - the table of errors, and filling struct orch_error.
 */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct error_row {
    int code;
    const char *name;
    const char *text;
    int http_status;
    int exit_code;
    bool can_retry;
};

static const struct error_row rows[] = {{0, "OK", "no error", 200, 0, false},
#define ERROR_ROW(name, number, text, http, exit_code, retry) {(number), #name, text, http, exit_code, retry},
                                        ORCH_ERROR_LIST(ERROR_ROW)
#undef ERROR_ROW
};

/* For a number that is no error code: treated as a bug. */
static const struct error_row unknown = {0, "UNKNOWN", "unknown error", 500, 13, false};

static const struct error_row *find_row(int code)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].code == code) return &rows[i];
    }
    return &unknown;
}

const char *orch_error_name(int code)
{
    return find_row(code)->name;
}

const char *orch_error_text(int code)
{
    return find_row(code)->text;
}

int orch_error_exit_code(int code)
{
    return find_row(code)->exit_code;
}

int orch_error_http_status(int code)
{
    return find_row(code)->http_status;
}

bool orch_error_can_retry(int code)
{
    return find_row(code)->can_retry;
}

const char *orch_version(void)
{
    return ORCH_VERSION;
}

/* Takes an unfinished character off the end of a text that was cut. */
static void cut_at_character(char *text)
{
    size_t size = strlen(text);
    size_t tail = 0; /* continuation bytes at the end */
    while (tail < 3 && tail < size && ((unsigned char)text[size - 1 - tail] & 0xc0) == 0x80) tail++;
    if (tail == size) return;
    unsigned char lead = (unsigned char)text[size - 1 - tail];
    size_t expected = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    if (tail < expected) text[size - 1 - tail] = '\0';
}

/* The arguments may point into `out`, so the text is made beside it. size is at most the size of a message. */
static void format_into(char *out, size_t size, const char *format, va_list args)
{
    char text[sizeof(((struct orch_error *)0)->message)];
    if (vsnprintf(text, size, format, args) >= (int)size) cut_at_character(text);
    memcpy(out, text, strlen(text) + 1);
}

int error_set(struct orch_error *err, int code, const char *format, ...)
{
    if (!err) return code;
    va_list args;
    va_start(args, format);
    format_into(err->message, sizeof(err->message), format, args);
    va_end(args);
    err->code = code;
    err->line = err->column = 0;
    err->file[0] = err->hint[0] = '\0';
    return code;
}

void error_hint(struct orch_error *err, const char *format, ...)
{
    if (!err) return;
    va_list args;
    va_start(args, format);
    format_into(err->hint, sizeof(err->hint), format, args);
    va_end(args);
}

static void put_before_message(struct orch_error *err, const char *prefix)
{
    char text[sizeof(err->message)];
    if (snprintf(text, sizeof(text), "%s: %s", prefix, err->message) >= (int)sizeof(text)) cut_at_character(text);
    memcpy(err->message, text, strlen(text) + 1);
}

int error_context(struct orch_error *err, const char *format, ...)
{
    if (!err) return ORCH_ERR_INTERNAL;
    char prefix[sizeof(err->message)];
    va_list args;
    va_start(args, format);
    format_into(prefix, sizeof(prefix), format, args);
    va_end(args);
    put_before_message(err, prefix);
    return err->code;
}

int error_memory(struct orch_error *err)
{
    return error_set(err, ORCH_ERR_NO_MEMORY, "out of memory");
}

/* The text of an errno value that does not depend on the locale. */
static const char *errno_text(int errno_value)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || (__GLIBC__ == 2 && __GLIBC_MINOR__ >= 32))
    const char *text = strerrordesc_np(errno_value);
#else
    const char *text = strerror(errno_value); /* musl: a constant string */
#endif
    return text ? text : "unknown system error";
}

static int errno_code(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT: return ORCH_ERR_FULL;
    case ENOENT: return ORCH_ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS: return ORCH_ERR_DENIED;
    case ENOMEM: return ORCH_ERR_NO_MEMORY;
    default: return ORCH_ERR_IO;
    }
}

int error_errno(struct orch_error *err, int errno_value, const char *format, ...)
{
    int code = errno_code(errno_value);
    if (!err) return code;
    char prefix[sizeof(err->message)];
    va_list args;
    va_start(args, format);
    format_into(prefix, sizeof(prefix), format, args);
    va_end(args);
    error_set(err, code, "%s", errno_text(errno_value));
    put_before_message(err, prefix);
    return code;
}

_Noreturn void orch_assert_failed(const char *condition, const char *file, int line)
{
    /* The one place of the pure floors that writes: the program ends here, and somebody has to learn why. */
    char text[512];
    snprintf(text, sizeof(text), "%s:%d: bug: not true: %s\n", file, line, condition);
    fputs(text, stderr);
    abort();
}
