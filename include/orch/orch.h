/*
 * orch.h - the public interface of liborch.
 *
 * This is the one public header: what is not in it is not the API. It is plain C11, safe to include
 * from C++, and every name in it begins with orch_ or ORCH_.
 *
 * Conventions, which hold for every function below:
 *  - A function that can fail returns 0 or a negative ORCH_ERR_*. Results come through ret_*
 *    parameters, which are untouched on failure. `struct orch_error *err` is last and may be NULL;
 *    it is filled on failure and untouched on success.
 *  - Strings are UTF-8. Times are microseconds since 1970-01-01 00:00 UTC; durations are microseconds.
 */
#ifndef ORCH_ORCH_H
#define ORCH_ORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ORCH_API __attribute__((visibility("default")))
#define ORCH_PRINTF(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#else
#define ORCH_API
#define ORCH_PRINTF(format_index, first_index)
#endif

#define ORCH_VERSION_MAJOR 0
#define ORCH_VERSION_MINOR 1
#define ORCH_VERSION_PATCH 0
#define ORCH_VERSION "0.1.0"

/** Microseconds: since 1970-01-01 00:00 UTC for a moment, a length for a duration. */
typedef int64_t orch_time;

/** The latest representable moment; as a deadline it means "never". */
#define ORCH_TIME_NEVER INT64_MAX
#define ORCH_MILLISECOND INT64_C(1000)
#define ORCH_SECOND INT64_C(1000000)

/** A borrowed piece of text: not terminated, may hold any byte; data may be NULL when size is 0. */
struct orch_str {
    const char *data;
    size_t size; /* bytes */
};

/**
 * Where memory comes from. A NULL allocator anywhere means the C library's.
 *
 * resize(user, block, size_old, size_new) follows realloc: block NULL allocates, size_new 0 frees and
 * returns NULL. It returns NULL when memory is short, and the old block is then still valid.
 */
struct orch_allocator {
    void *(*resize)(void *user, void *block, size_t size_old, size_t size_new);
    void *user;
};

/*
 * Every error there is: code, name, text, HTTP status, exit code of the command line, and whether
 * trying the same thing again later can help. Numbers are stored and never reused.
 */
#define ORCH_ERROR_LIST(X)                                                                  \
    /* name        number  text                                     http exit retry */     \
    X(NO_MEMORY,   -1,  "out of memory",                              503, 11, true)         \
    X(MISUSE,      -2,  "called in a way it does not allow",          500, 13, false)        \
    X(INTERNAL,    -3,  "internal error",                             500, 13, false)        \
    X(USAGE,       -4,  "wrong usage",                                400, 2,  false)        \
    X(INVALID,     -5,  "not valid",                                  422, 3,  false)        \
    X(CYCLE,       -6,  "tasks wait for each other",                  422, 3,  false)        \
    X(DEPENDENCY,  -7,  "a dependency cannot be resolved",            422, 3,  false)        \
    X(EVALUATION,  -8,  "an expression cannot be evaluated",          422, 3,  false)        \
    X(LIMIT,       -9,  "larger than allowed",                        413, 3,  false)        \
    X(NOT_FOUND,   -10, "not found",                                  404, 4,  false)        \
    X(DENIED,      -11, "not allowed",                                403, 5,  false)        \
    X(EXISTS,      -12, "already exists",                             409, 6,  false)        \
    X(STATE,       -13, "not possible in this state",                 409, 6,  false)        \
    X(CONCURRENCY, -14, "owned by another process",                   409, 6,  true)         \
    X(UNAVAILABLE, -15, "cannot be reached",                          503, 7,  true)         \
    X(TIMEOUT,     -16, "timed out",                                  504, 8,  true)         \
    X(CANCELLED,   -17, "cancelled",                                  409, 9,  false)        \
    X(FULL,        -18, "no space left",                              507, 11, true)         \
    X(OVERLOADED,  -19, "too much at once",                           429, 11, true)         \
    X(IO,          -20, "input or output failed",                     500, 13, true)         \
    X(CORRUPT,     -21, "storage is damaged",                         500, 12, false)        \
    X(VERSION,     -22, "written by a newer version",                 500, 12, false)        \
    X(TASK_FAILED, -23, "a task failed",                              500, 1,  true)         \
    X(UNSUPPORTED, -24, "not supported here",                         501, 2,  false)

enum orch_error_code {
    ORCH_OK = 0,
#define ORCH_ERROR_ENUM(name, number, text, http, exit_code, retry) ORCH_ERR_##name = (number),
    ORCH_ERROR_LIST(ORCH_ERROR_ENUM)
#undef ORCH_ERROR_ENUM
};

/**
 * What went wrong, owned by the caller; holds no pointer, so it is copied freely and never freed.
 * `message` says what failed, `hint` what to do about it. The texts are terminated and cut at a
 * character boundary when they do not fit.
 */
struct orch_error {
    int code;           /* ORCH_ERR_*; 0 when nothing went wrong */
    uint32_t line;      /* 1 is the first; 0 means no place */
    uint32_t column;    /* in characters, 1 is the first; 0 means no place */
    char file[256];     /* empty when no file is concerned */
    char message[512];
    char hint[256];     /* empty when there is none */
};

#ifdef __cplusplus
#define ORCH_ERROR_INIT {} /* {0} makes C++ compilers warn of the members it does not name */
#else
#define ORCH_ERROR_INIT {0}
#endif

/**
 * Name of an error code, such as "NOT_FOUND".
 *
 * @param code  an ORCH_ERR_*, or 0
 * @return a constant string; "OK" for 0, "UNKNOWN" for a number that is no error code
 * Threads: any.
 */
ORCH_API const char *orch_error_name(int code);

/**
 * A short text for an error code, such as "not found"; lower case, no full stop.
 *
 * @param code  an ORCH_ERR_*, or 0
 * @return a constant string
 * Threads: any.
 */
ORCH_API const char *orch_error_text(int code);

/** The command line's exit code for an error code, 0 to 13; 13 for an unknown one. Threads: any. */
ORCH_API int orch_error_exit_code(int code);

/** The HTTP status for an error code; 200 for 0, 500 for an unknown one. Threads: any. */
ORCH_API int orch_error_http_status(int code);

/** Whether the same call can succeed later without a change. Threads: any. */
ORCH_API bool orch_error_can_retry(int code);

/**
 * The version of the library that runs, "major.minor.patch"; ORCH_VERSION is the version compiled against.
 * @return a constant string. Threads: any.
 */
ORCH_API const char *orch_version(void);

#ifdef __cplusplus
}
#endif

#endif
