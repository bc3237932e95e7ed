/*
 * fuzz.h - what the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput; it is linked with libFuzzer
 * for fuzzing, and with replay.c to run its corpus in every test run.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/error.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* A property that does not hold: ends the program, which is what the fuzzer looks for. */
#define PROPERTY(condition)                                                                \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

/* Outside bytes may make a reader fail, but not in every way: only so as its header says. */
static inline void expect_error(int code, const struct orch_error *err)
{
    PROPERTY(code == err->code && err->message[0] != '\0');
    PROPERTY(code != ORCH_ERR_INTERNAL && code != ORCH_ERR_MISUSE);
}

#define FUZZ_MEMORY_MAX ((size_t)64 << 20)

#endif
