/*
 * small_store.h - a store with a little of everything: runs that succeeded, failed, wait and run, a child, large
 * parameters, a large output.
 */
#ifndef TEST_DAMAGE_SMALL_STORE_H
#define TEST_DAMAGE_SMALL_STORE_H

#include <stdbool.h>

#include "store/store.h"

#define SMALL_EXECUTIONS 5 /* in the young one: 1 */

enum small_store_kind {
    SMALL_CLOSED,  /* its owner has ended */
    SMALL_CRASHED, /* its owner was killed: half of it is in the log */
    SMALL_YOUNG,   /* killed after the first run was recorded: all of it is in the log */
};

/* Makes it in a directory that is not there yet; small pages are of 512 bytes, others as usual. */
void small_store_make(const char *path, enum small_store_kind kind, bool has_small_pages);

#endif
