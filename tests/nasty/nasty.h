/*
 * nasty.h - what the programs that do not want to end have in common. Each says "ready" once it is at its worst.
 */
#ifndef TESTS_NASTY_H
#define TESTS_NASTY_H

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline void ready(void)
{
    if (write(1, "ready\n", 6) != 6) _exit(99);
}

static inline void ignore_signals(void)
{
    for (int number = 1; number < NSIG; number++) (void)signal(number, SIG_IGN);
}

/* Bounded, so that a test that fails leaves nothing for ever. */
static inline void linger(void)
{
    for (int i = 0; i < 120; i++) (void)sleep(1);
}

/* A child that nobody above knows: in a session of its own, an orphan, deaf. Returns in it alone; the caller's own path
 * ends in linger(). */
static inline void daemonise(void)
{
    pid_t between = fork();

    if (between != 0) {
        (void)waitpid(between, NULL, 0);
        linger();
        exit(0);
    }
    setsid();
    if (fork() > 0) _exit(0);
    ignore_signals();
}

/* Who started the program, when that is a spawner and nobody else: what is done to it must hit no shell. */
static inline pid_t spawner_of(pid_t first)
{
    char path[64], text[64] = "";
    pid_t pid = first;
    int fd;
    ssize_t size;

    (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) _exit(98);
    size = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (size <= 0 || strcmp(text, "orch-spawner\n") != 0) _exit(98);
    return pid;
}

#endif
