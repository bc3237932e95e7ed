/*
 * common.h - what the tests of the store share: a directory that goes away, waiting for completions, rows to append.
 */
#ifndef TEST_STORE_COMMON_H
#define TEST_STORE_COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "store/store.h"
#include "store/vfs.h"

/* As the store opens it, so that what is written has seals. */
static inline sqlite3 *open_database(const char *path)
{
    sqlite3 *db = NULL;
    int reserved = SEAL_SIZE;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs_name(VFS_STRICT)),
                     SQLITE_OK);
    assert_int_equal(sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved), SQLITE_OK);
    return db;
}

struct fixture {
    char dir[64]; /* made; the store is below it */
    char path[80];
    int wake_fd;
    int fds; /* open before */
    struct store *store;
};

static inline int count_fds(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static inline void fixture_wake(void *user)
{
    uint64_t one = 1;
    if (write(((struct fixture *)user)->wake_fd, &one, sizeof one) != (ssize_t)sizeof one) abort();
}

static inline struct store_options fixture_options(struct fixture *f, enum store_mode mode)
{
    return (struct store_options){.mode = mode, .wake = fixture_wake, .user = f};
}

static inline void fixture_init(struct fixture *f)
{
    *f = (struct fixture){.fds = count_fds()};
    f->wake_fd = eventfd(0, EFD_CLOEXEC);
    assert_true(f->wake_fd >= 0);
    const char *tmp = getenv("TMPDIR");
    snprintf(f->dir, sizeof f->dir, "%.40s/orch-store-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/store", f->dir);
}

static inline void fixture_open(struct fixture *f)
{
    struct store_options options = fixture_options(f, STORE_OWN);
    struct orch_error err = ORCH_ERROR_INIT;
    int code = store_open(f->path, &options, &f->store, &err);
    if (code < 0) fail_msg("open: %s", err.message);
}

static inline int fixture_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void fixture_done(struct fixture *f)
{
    f->store = store_close(f->store);
    (void)close(f->wake_fd);
    (void)nftw(f->dir, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
    assert_int_equal(count_fds(), f->fds);
}

/* Polls until nothing is pending; the wake-ups have to come. */
static inline void fixture_drain(struct fixture *f)
{
    while (store_pending(f->store) > 0) {
        if (store_poll(f->store) > 0) continue;
        struct pollfd p = {.fd = f->wake_fd, .events = POLLIN};
        int ready = poll(&p, 1, 20000);
        assert_int_equal(ready, 1);
        uint64_t n;
        assert_int_equal(read(f->wake_fd, &n, sizeof n), sizeof n);
    }
}

static inline struct store_execution row_of(int64_t number, const char *workflow, uint8_t state)
{
    return (struct store_execution){.number = number,
                                    .workflow = str_from(workflow),
                                    .digest = STR("d1"),
                                    .base_dir = STR("/work"),
                                    .file = STR("a.yaml"),
                                    .parameters = STR("{}"),
                                    .by = STR("me"),
                                    .state = state,
                                    .created_at = 1000 + number,
                                    .updated_at = 1000 + number};
}

static inline void keep_status(void *user, int status)
{
    *(int *)user = status;
}

/* Appends one entry and waits for it; gives the status of the completion. */
static inline int append_wait(struct fixture *f, const struct store_entry *entry)
{
    int status = 1;
    struct orch_error err = ORCH_ERROR_INIT;
    int code = store_append(f->store, entry, 1, keep_status, &status, &err);
    if (code < 0) return code;
    fixture_drain(f);
    return status;
}

/* Makes an execution with one record. */
static inline int64_t make_execution(struct fixture *f, const char *workflow, uint8_t state)
{
    int64_t number = store_next_number(f->store);
    struct store_execution row = row_of(number, workflow, state);
    struct store_entry entry = {.number = number, .first_seq = 1, .count = 1, .record = STR("first"), .create = &row};
    assert_int_equal(append_wait(f, &entry), 0);
    return number;
}

#endif
