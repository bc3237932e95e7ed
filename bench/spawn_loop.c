/*
 * spawn_loop.c - the physical limit of running programs: posix_spawn and wait, so many at a time, and nothing else.
 *
 *   spawn_loop COUNT JOBS WIDTH PROGRAM [ARGUMENT ...]
 *
 * The tasks stand in layers of WIDTH and start in order; each waits for the one above it in the layer before and that
 * one's neighbours. WIDTH 0: none waits for another, 1: a chain.
 */
#include <errno.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

static long number(const char *text, long least)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*end || value < least || value > 10000000) {
        fprintf(stderr, "spawn_loop: not a count: %s\n", text);
        exit(2);
    }
    return value;
}

static bool may_start(const bool *done, long task, long width)
{
    if (width == 0 || task < width) return true;
    long column = task % width, above = task - width;
    return done[above] && (column == 0 || done[above - 1]) && (column == width - 1 || done[above + 1]);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fputs("usage: spawn_loop COUNT JOBS WIDTH PROGRAM [ARGUMENT ...]\n", stderr);
        return 2;
    }
    long count = number(argv[1], 1), jobs = number(argv[2], 1), width = number(argv[3], 0), next = 0, running = 0;
    bool *done = calloc((size_t)count, sizeof *done);
    struct slot {
        pid_t pid;
        long task;
    } *slots = calloc((size_t)jobs, sizeof *slots);
    if (!done || !slots) return 1;
    while (next < count || running > 0) {
        while (next < count && running < jobs && may_start(done, next, width)) {
            struct slot *slot = &slots[running];
            int r = posix_spawnp(&slot->pid, argv[4], NULL, NULL, argv + 4, environ);
            if (r) {
                fprintf(stderr, "spawn_loop: %s: %d\n", argv[4], r);
                return 1;
            }
            slot->task = next++;
            running++;
        }
        int status;
        pid_t pid = wait(&status);
        if (pid < 0 && errno == EINTR) continue;
        if (pid < 0 || status) return 1;
        for (long i = 0; i < running; i++) {
            if (slots[i].pid != pid) continue;
            done[slots[i].task] = true;
            slots[i] = slots[--running];
            break;
        }
    }
    return 0;
}
