/*
 * nasty.h - what the programs that do not want to end have in common. Each says "ready" once it is at its worst.
 */
#ifndef TESTS_NASTY_H
#define TESTS_NASTY_H

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
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

#endif
