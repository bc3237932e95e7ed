/*
 * scope.h - what an expression sees, from the inside out: one step for each block around it.
 */
#ifndef LANG_SCOPE_H
#define LANG_SCOPE_H

#include "lang/read.h"

/*
 * One block around a site. Either all tasks of `block` are seen, or those before the task `asker` (and the asker itself
 * when `self`). The flags say which names are there from here outwards.
 */
struct scope {
    const struct block *block; /* NULL once there is nothing further out */
    uint32_t asker;
    bool all;
    bool self;
    const struct loop *loop; /* its variables are seen; or NULL */
    bool has_iteration;      /* `iteration` and `previous` are seen */
    bool has_error;          /* `error` is seen */
};

/* The innermost step of a site. */
struct scope scope_of(const struct site *site, const struct workflow *workflow);
/* The next one outwards; its block is NULL at the end. */
struct scope scope_outer(const struct scope *scope);

#endif
