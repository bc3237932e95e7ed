/*
 * error.h - filling struct orch_error.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <orch/orch.h>

/*
 * Fills err (which may be NULL) and returns code, so that `return error_set(err, ORCH_ERR_X, ...)`
 * reads well. Clears hint and place. The message is lower case, without a full stop.
 */
int error_set(struct orch_error *err, int code, const char *format, ...) ORCH_PRINTF(3, 4);
/* Sets the hint of an error that is already filled; does nothing when err is NULL. */
void error_hint(struct orch_error *err, const char *format, ...) ORCH_PRINTF(2, 3);
/* Puts "text: " before the message on the way up. Does nothing when err is NULL. Returns err's code, or
 * ORCH_ERR_INTERNAL when err is NULL. */
int error_context(struct orch_error *err, const char *format, ...) ORCH_PRINTF(2, 3);
/* ORCH_ERR_NO_MEMORY with its message. */
int error_memory(struct orch_error *err);
/* From errno: "what: strerror", ENOSPC/EDQUOT as FULL, ENOENT as NOT_FOUND, EACCES/EPERM as DENIED, ENOMEM as
 * NO_MEMORY, else IO. */
int error_errno(struct orch_error *err, int errno_value, const char *format, ...) ORCH_PRINTF(3, 4);

/* A bug when false: stops the program in every build, since stopping beats storing nonsense. */
#define ORCH_ASSERT(condition)                                                \
    do {                                                                      \
        if (!(condition)) orch_assert_failed(#condition, __FILE__, __LINE__); \
    } while (0)
_Noreturn void orch_assert_failed(const char *condition, const char *file, int line);

#endif
