/*
 * gather.c - the numbers of all executions, by every way that leads to them: the table and three indexes, each from
 * both ends. A damaged page blocks some ways and not others.
 */
#include <stdlib.h>

#include "base/error.h"
#include "store/check_internal.h"

static const char *const ways[] = {
    "SELECT number FROM executions NOT INDEXED ORDER BY number",
    "SELECT number FROM executions NOT INDEXED ORDER BY number DESC",
    "SELECT number FROM executions INDEXED BY executions_parent ORDER BY parent, number",
    "SELECT number FROM executions INDEXED BY executions_parent ORDER BY parent DESC, number DESC",
    "SELECT number FROM executions INDEXED BY executions_created ORDER BY created_at, number",
    "SELECT number FROM executions INDEXED BY executions_created ORDER BY created_at DESC, number DESC",
    /* One of each: the next is looked for in the index instead of walking over all of it. */
    "WITH RECURSIVE n(x) AS (SELECT min(execution) FROM journal INDEXED BY journal_seq UNION ALL"
    " SELECT (SELECT min(execution) FROM journal INDEXED BY journal_seq WHERE execution > x) FROM n WHERE x IS NOT "
    "NULL)"
    " SELECT x FROM n WHERE x IS NOT NULL",
    "WITH RECURSIVE n(x) AS (SELECT max(execution) FROM journal INDEXED BY journal_seq UNION ALL"
    " SELECT (SELECT max(execution) FROM journal INDEXED BY journal_seq WHERE execution < x) FROM n WHERE x IS NOT "
    "NULL)"
    " SELECT x FROM n WHERE x IS NOT NULL",
};

int numbers_add(struct numbers *numbers, int64_t number, struct orch_error *err)
{
    if (numbers->count == numbers->capacity) {
        size_t capacity = numbers->capacity ? numbers->capacity * 2 : 1024;
        int64_t *items = mem_resize(NULL, numbers->items, numbers->capacity * sizeof *items, capacity * sizeof *items);
        if (!items) return error_memory(err);
        numbers->items = items;
        numbers->capacity = capacity;
    }
    numbers->items[numbers->count++] = number;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

void numbers_unite(struct numbers *numbers)
{
    size_t kept = 0;
    if (numbers->count > 1) qsort(numbers->items, numbers->count, sizeof *numbers->items, compare);
    for (size_t i = 0; i < numbers->count; i++)
        if (numbers->items[i] >= 1 && (kept == 0 || numbers->items[kept - 1] != numbers->items[i]))
            numbers->items[kept++] = numbers->items[i];
    numbers->count = kept;
}

/* A way that can be gone to its end makes its opposite needless. */
int numbers_gather(sqlite3 *db, struct numbers *ret, struct orch_error *err)
{
    *ret = (struct numbers){.is_complete = true};
    int code = 0;
    bool was_whole = false;
    for (size_t way = 0; way < sizeof ways / sizeof *ways && code == 0; way++) {
        if (way % 2 == 1 && was_whole) continue;
        sqlite3_stmt *statement = NULL;
        int rc = sqlite3_prepare_v2(db, ways[way], -1, &statement, NULL);
        while (rc == SQLITE_OK || rc == SQLITE_ROW) {
            rc = sqlite3_step(statement);
            if (rc == SQLITE_ROW) code = numbers_add(ret, sqlite3_column_int64(statement, 0), err);
            if (code < 0) break;
        }
        was_whole = rc == SQLITE_DONE;
        if (!was_whole) ret->is_complete = false;
        if ((rc & 0xff) == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM) code = error_memory(err);
        (void)sqlite3_finalize(statement); /* the step's code again */
        numbers_unite(ret);
    }
    if (code < 0) numbers_done(ret);
    return code;
}

bool numbers_has(const struct numbers *numbers, int64_t number)
{
    size_t from = 0, to = numbers->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (numbers->items[middle] == number) return true;
        if (numbers->items[middle] < number)
            from = middle + 1;
        else
            to = middle;
    }
    return false;
}

void numbers_done(struct numbers *numbers)
{
    (void)mem_resize(NULL, numbers->items, numbers->capacity * sizeof *numbers->items, 0); /* freeing cannot fail */
    *numbers = (struct numbers){.items = NULL};
}
