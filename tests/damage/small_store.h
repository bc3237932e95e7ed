/*
 * small_store.h - a store with a little of everything: runs that succeeded, failed, wait and run, a child, large
 * parameters, a large output.
 */
#ifndef TEST_DAMAGE_SMALL_STORE_H
#define TEST_DAMAGE_SMALL_STORE_H

#include "store/store.h"

#define SMALL_EXECUTIONS 5

/* Makes it in a directory that is not there yet. With a crash the owner is killed before it has brought its log in. */
void small_store_make(const char *path, bool with_crash);

#endif
