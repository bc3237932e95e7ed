/*
 * spawn_loop.c - the physical limit of running programs: posix_spawn and wait, so many at a time, and nothing else.
 *
 *   spawn_loop COUNT JOBS PROGRAM [ARGUMENT ...]
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

static long number(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*end || value < 1) {
        fprintf(stderr, "spawn_loop: not a count: %s\n", text);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs("usage: spawn_loop COUNT JOBS PROGRAM [ARGUMENT ...]\n", stderr);
        return 2;
    }
    long left = number(argv[1]), jobs = number(argv[2]), running = 0;
    while (left > 0 || running > 0) {
        while (left > 0 && running < jobs) {
            pid_t pid;
            int r = posix_spawnp(&pid, argv[3], NULL, NULL, argv + 3, environ);
            if (r) {
                fprintf(stderr, "spawn_loop: %s: %d\n", argv[3], r);
                return 1;
            }
            left--;
            running++;
        }
        int status;
        if (wait(&status) < 0) {
            if (errno == EINTR) continue;
            return 1;
        }
        if (status) return 1;
        running--;
    }
    return 0;
}
