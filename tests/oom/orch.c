/*
 * orch.c - makes the program `orch` itself fail an allocation: linked into it together with fail_alloc.c. What fails
 * comes from the environment: OOM_POINT is "once/17" or "from/17". OOM_REACHED names a file that is made when the
 * program ends by itself without having come so far.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail_alloc.h"

__attribute__((constructor)) static void arm(void)
{
    const char *point = getenv("OOM_POINT");
    char mode[8];
    unsigned long long n;

    if (!point) return;
    if (sscanf(point, "%7[a-z]/%llu", mode, &n) != 2) abort();
    fail_init();
    fail_arm(n, strcmp(mode, "from") == 0 ? FAIL_FROM : FAIL_ONCE, FAIL_MAIN);
}

__attribute__((destructor)) static void tell(void)
{
    const char *file = getenv("OOM_REACHED");

    if (!file || !getenv("OOM_POINT") || fail_disarm()) return;
    int fd = open(file, O_WRONLY | O_CREAT, 0600);
    if (fd >= 0) close(fd);
}
