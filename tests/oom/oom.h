/*
 * oom.h - runs scenarios again and again, each time with another allocation failing, until one run gets through
 * untouched.
 *
 * After each run: it answered ORCH_ERR_NO_MEMORY or what it answers when nothing fails (then with the same digest of
 * what it gave), all memory was given back, and nothing crashed, hung or stopped by assertion. What a scenario finds
 * wrong itself (a store that lost something) it tells with OOM_CHECK.
 */
#ifndef TESTS_OOM_OOM_H
#define TESTS_OOM_OOM_H

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/str.h"
#include "fail_alloc.h"

/* Ends the run of this point, and is told with the point. */
#define OOM_CHECK(condition)                                                                     \
    do {                                                                                         \
        if (!(condition)) oom_wrong("%s:%d: does not hold: %s", __FILE__, __LINE__, #condition); \
    } while (0)
_Noreturn void oom_wrong(const char *format, ...) ORCH_PRINTF(1, 2);

struct oom_scenario {
    const char *group; /* what is summed up under one name */
    const char *name;
    /* Gives 0 or an error, and mixes what came out into the digest. Everything it makes it frees. */
    int (*run)(const void *arg, uint64_t *digest);
    const void *arg;
    bool has_threads; /* the allocations of other threads and processes are tried too */
    bool may_differ;  /* when an allocation failed, what comes out may be another: the scenario checks it itself */
};

static inline void digest_mix(uint64_t *digest, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) *digest = (*digest ^ bytes[i]) * UINT64_C(0x100000001b3);
}
static inline void digest_str(uint64_t *digest, struct orch_str s)
{
    digest_mix(digest, &s.size, sizeof s.size);
    if (s.size) digest_mix(digest, s.data, s.size);
}
static inline void digest_number(uint64_t *digest, uint64_t number)
{
    digest_mix(digest, &number, sizeof number);
}

/* Before anything else of this is called; oom_main does it when it was not done. */
void oom_init(void);

/*
 * Runs them all; the program's exit code. Arguments of the command line:
 *   --share N        of scenarios with many points tries only one in N, others for each scenario
 *   --only TEXT      scenarios whose name holds the text
 *   --point MODE/WHO/N  only that one ("once/main/17"), as a failure names it; OOM_TRACE=1 shows where it was asked for
 */
int oom_main(int argc, char **argv, const struct oom_scenario *scenarios, size_t count);

/* The files of a folder whose names end so, in order: paths and contents, the test's own memory. */
struct oom_file {
    char *path, *name;
    struct orch_str text;
};
size_t oom_files(const char *folder, const char *ending, struct oom_file **ret);

#endif
