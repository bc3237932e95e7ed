/*
 * chains.h - workflows of ten tasks, one after the other, through the engine.
 */
#ifndef BENCH_CHAINS_H
#define BENCH_CHAINS_H

struct chains_figures {
    double tasks;   /* a second */
    double records; /* in the journal, a task */
    double cpu;     /* seconds a task */
};

/*
 * So many executions in flight for so many seconds: whenever one has ended another is started.
 *
 * @param path  of the store, made when it is not there
 * @param task  its action as YAML; there is a function "nothing"
 */
struct chains_figures chains_run(const char *path, const char *task, int flight, double seconds);

#endif
