/*
 * plain.h - what SQLite alone does: rows committed durably by one thread and nothing between it and the disk. The
 * measure of everything that is built on it.
 */
#ifndef BENCH_PLAIN_H
#define BENCH_PLAIN_H

#include <stdio.h>

#include "store/store.h"

#define FLIGHT_MAX  256
#define CHAIN       10
#define RECORD_SIZE 100

/*
 * `flight` executions side by side, each with one row a commit, for so many seconds; a commit carries one row of each,
 * so a row waits for the one before it in its execution. The same schema as the store, synchronous=FULL, checkpoints of
 * 16 MB. is_chain: executions of ten rows, with a row of their own, made at the beginning and updated at the end.
 * has_seals: through the store's file layer, with the checksums of pages that the store makes and looks at.
 */
void plain_run(const char *database, int flight, double seconds, bool is_chain, bool has_seals, double *ret_rows,
               double *ret_commits);

/* The row of such an execution. */
struct store_execution bench_row(int64_t number, bool is_done);
double bench_now(void);
double bench_cpu(void);                         /* user and system time of this process */
double bench_median(double *values, int count); /* sorts them */
_Noreturn void bench_die(const char *what, const char *message);

#endif
