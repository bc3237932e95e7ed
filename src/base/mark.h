/*
 * mark.h - places in the code that few runs come by. A build for tests counts how often each was reached, so that the
 * simulator can tell which of them its faults have never led to. Elsewhere a mark is nothing.
 */
#ifndef BASE_MARK_H
#define BASE_MARK_H

#ifdef ORCH_MARKS

struct mark {
    const char *name;
    unsigned long count;
};

/* The linker gathers them: from __start_orch_marks to __stop_orch_marks. */
#define MARK(text)                                                                               \
    do {                                                                                         \
        static struct mark mark_here __attribute__((section("orch_marks"), used)) = {(text), 0}; \
        (void)__atomic_add_fetch(&mark_here.count, 1, __ATOMIC_RELAXED);                         \
    } while (0)

#else

#define MARK(text) ((void)0)

#endif

#endif
