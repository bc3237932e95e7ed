/*
 * internal.h - what the files of this folder share: the two stores' common head, their table of functions and the copy
 * of an append. Nobody outside includes it, but for tests of the folder.
 */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include "store/store.h"

/* States below are alive, from it on finished: the core's EXECUTION_SUCCEEDED, spelled out in the schema too. */
#define STORE_STATE_FINISHED 4
#define STORE_STATE_COUNT    16

#define STORE_RECORD_SIZE_MAX    (256u << 20) /* one record, one blob, one text */
#define STORE_BLOB_SIZE_MAX      (1u << 30)
#define STORE_PENDING_SIZE_MAX   ((size_t)1 << 30) /* bytes handed in and not completed */
#define STORE_LIST_COUNT_DEFAULT 100

/* One of each for memory and SQLite. They get arguments that store.c has checked. */
struct store_methods {
    void (*close)(struct store *store);
    int (*append)(struct store *store, const struct store_entry *entries, uint32_t count,
                  void (*done)(void *user, int status), void *user, struct orch_error *err);
    uint32_t (*poll)(struct store *store);
    int (*put_definition)(struct store *store, struct orch_str digest, struct orch_str name, struct orch_str normal,
                          struct orch_error *err);
    int (*get_definition)(struct store *store, struct orch_str digest, struct arena *arena, struct orch_str *ret_normal,
                          struct orch_error *err);
    int (*get_blob)(struct store *store, int64_t number, uint64_t blob, struct arena *arena, struct orch_str *ret,
                    struct orch_error *err);
    int (*each_alive)(struct store *store, int (*fn)(void *user, const struct store_execution *execution), void *user,
                      struct orch_error *err);
    int (*get_execution)(struct store *store, int64_t number, struct arena *arena, struct store_execution *ret,
                         struct orch_error *err);
    int (*each_record)(struct store *store, int64_t number, uint64_t from_seq,
                       int (*fn)(void *user, uint64_t first_seq, uint32_t count, struct orch_str record), void *user,
                       struct orch_error *err);
    int (*each_execution)(struct store *store, const struct store_filter *filter,
                          int (*fn)(void *user, const struct store_execution *execution), void *user,
                          struct orch_error *err);
    int (*count_states)(struct store *store, uint64_t ret_counts[16], struct orch_error *err);
    int (*find_latest)(struct store *store, struct orch_str file, bool alive, int64_t *ret_number,
                       struct orch_error *err);
    int (*failure)(struct store *store, struct orch_error *err);
    bool (*is_short)(struct store *store);
};

/* The head of both; each store's own struct begins with it. */
struct store {
    const struct store_methods *methods;
    const struct orch_allocator *allocator; /* NULL: the C library's. Used on the owner's thread only */
    enum store_mode mode;
    void (*wake)(void *user);
    void *wake_user;
    int64_t next_number; /* handed out next */
    uint32_t pending;    /* appends not completed */
    size_t pending_size; /* their bytes */
    char mark[33];       /* 128 random bits as hex */
};

int memory_store_open(const struct store_options *options, struct store **ret, struct orch_error *err);
int sqlite_store_open(const char *path, const struct store_options *options, struct store **ret,
                      struct orch_error *err);

/* blob.c. Takes no memory and cannot fail. */
void store_sha256(struct orch_str bytes, unsigned char out[32]);

/* 128 random bits of the kernel as 32 hex characters and a NUL. */
int store_make_mark(char out[33], struct orch_error *err);

/* Where copies go: a block that is known to be large enough. */
struct copy {
    char *next;
};
static inline struct orch_str copy_str(struct copy *copy, struct orch_str s)
{
    struct orch_str ret = {copy->next, s.size};
    if (s.size > 0) memcpy(copy->next, s.data, s.size);
    copy->next += s.size;
    return ret;
}
/* Bytes that an execution's texts take, and the execution with its texts copied. */
size_t store_execution_texts_size(const struct store_execution *execution);
void store_execution_copy(struct copy *copy, const struct store_execution *execution, struct store_execution *ret);
/* The same into an arena. */
int store_execution_to_arena(const struct store_execution *execution, struct arena *arena, struct store_execution *ret,
                             struct orch_error *err);

#endif
