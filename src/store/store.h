/*
 * store.h - where executions are kept: append what was decided, load what is alive, read history, list.
 *
 * Two stores behind one interface: memory (gone with the process) and SQLite (a directory: orch.db, lock, blobs/, logs/). One process owns a store and writes; others
 * open it read-only. Appends are handed over on the owner's thread and made durable by one committer thread, many in one transaction; completions
 * come back on the owner's thread from store_poll, in the order of the appends.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"

struct store;

enum store_mode {
    STORE_OWN,       /* read and write; ORCH_ERR_CONCURRENCY when another process owns it */
    STORE_READ,      /* look only, beside an owner or without one */
};

struct store_options {
    enum store_mode mode;
    bool no_sync;                  /* for tests and benches only: nothing is promised */
    /* Bytes of disk kept back in a file, given up when the disk is full so that what runs can go on to be recorded (see store_is_short). 0: none. */
    uint64_t reserve_size;
    const struct orch_allocator *allocator;
    /* Called from the committer's thread (memory: from store_append) when store_poll has something to do; must only wake the owner. May be NULL. */
    void (*wake)(void *user);
    void *user;
};

/*
 * path NULL: a memory store. Else the store's directory, made (0700) when absent and mode is STORE_OWN; migrations are applied.
 * Errors: ORCH_ERR_CONCURRENCY (the message names the owner's pid), _VERSION, _CORRUPT, _NOT_FOUND (STORE_READ), _IO, _FULL, _DENIED.
 */
int store_open(const char *path, const struct store_options *options, struct store **ret, struct orch_error *err);
/* Waits for everything appended to be durable (completions not polled are dropped), closes. */
struct store *store_close(struct store *store);
const char *store_path(const struct store *store); /* NULL for memory */
/* A random text made with the store, the same ever after: marks processes and sockets as belonging to it. */
struct orch_str store_mark(const struct store *store);

/* Whether a process owns it just now: for STORE_READ, which may be beside an owner or without one; true for an owner itself. */
bool store_is_owned(const struct store *store);

/* One execution as lists show it. Texts are borrowed. */
struct store_execution {
    int64_t number;                /* row number, 1 is the first; its public id is made from it: store_execution_id */
    struct orch_str id;            /* "r-7Q2K" */
    struct orch_str workflow;      /* name */
    struct orch_str digest;        /* of the pinned definition (SHA-256, hex) */
    struct orch_str base_dir;      /* where its file is */
    struct orch_str file;          /* the file as given, or empty */
    struct orch_str parameters;    /* JSON */
    struct orch_str by;            /* who started it */
    uint8_t state;                 /* enum execution_state of the core: 0..3 alive, 4.. finished */
    uint32_t generation;
    uint32_t tasks_total, tasks_done, tasks_failed;
    orch_time created_at, started_at, ended_at; /* 0: not yet */
    orch_time updated_at;
    struct orch_str error;         /* of a failed one */
    struct orch_str waiting;       /* what it waits for, in a few words, or empty */
    int64_t parent;                /* number of the execution that started it, 0: none */
    uint32_t parent_instance;
    uint64_t parent_fence;
};

/* The public id of a row number: "r-" and at least four characters of Crockford's base 32; a bijection, so that neighbours look unlike. Writes at most 20 bytes, terminated. */
void store_execution_id(int64_t number, char out[20]);
/* The reverse; letters in either case, O and I and L read as 0 and 1, "r-" may be missing. False when it is none. */
bool store_execution_number(struct orch_str id, int64_t *ret);

/* A large output, written and synced before the record that names it is committed. */
struct store_blob { uint64_t blob; struct orch_str content; };

/* One execution's share of an append. Everything is copied before store_append returns. */
struct store_entry {
    int64_t number;
    uint64_t first_seq;            /* of the first transition in the record; 1 is an execution's first */
    uint32_t count;                /* transitions in the record */
    struct orch_str record;        /* transitions_encode */
    const struct store_execution *create; /* with the first record: the row to make (number set) */
    const struct store_execution *update; /* else, when state or counts are worth telling: state, generation, tasks_*, started_at, ended_at, updated_at, error, waiting are taken */
    const struct store_blob *blobs;
    uint32_t blobs_count;
};

/*
 * Appends entries together: all or none, after everything appended before. done(user, status) is called from store_poll once it is durable (status 0) or has
 * failed: ORCH_ERR_FULL (nothing was written; the store can go on when space is back: hand it in again), ORCH_ERR_IO and others (the store is unusable: stop).
 * Returns an error only when nothing was taken over: ORCH_ERR_NO_MEMORY, that of an earlier failure, ORCH_ERR_CONCURRENCY on a read-only store.
 */
int store_append(struct store *store, const struct store_entry *entries, uint32_t count, void (*done)(void *user, int status), void *user,
                 struct orch_error *err);
/* Runs completions that are due; returns how many. Owner's thread. */
uint32_t store_poll(struct store *store);
/*
 * After ORCH_ERR_FULL everything that was handed in before the owner was told fails with it too, in order, so that no record is ever missing in
 * front of another. Appends handed in from the completion on are tried again.
 */
/* Appends handed in and not completed yet. */
uint32_t store_pending(const struct store *store);
/* The next row number for a new execution: reserved at once, a gap if it is never used. */
int64_t store_next_number(struct store *store);

/* Why the store can take no more appends: 0 while it can, else the code with its message. */
int store_failure(struct store *store, struct orch_error *err);
/*
 * True from when the disk reserve was given up, or the store was opened with less free than the reserve, until the disk has four times as much free: record
 * what runs, start nothing new. False when no reserve was asked for.
 */
bool store_is_short(struct store *store);

/* Definitions, by digest: put is idempotent and durable with the next append; sub-workflows too. */
int store_put_definition(struct store *store, struct orch_str digest, struct orch_str name, struct orch_str normal, struct orch_error *err);
int store_get_definition(struct store *store, struct orch_str digest, struct arena *arena, struct orch_str *ret_normal, struct orch_error *err);

/* A blob's content. ORCH_ERR_NOT_FOUND, _CORRUPT when its checksum is wrong. Any thread. */
int store_get_blob(struct store *store, int64_t number, uint64_t blob, struct arena *arena, struct orch_str *ret, struct orch_error *err);

/*
 * Reading. Owner's thread, but for store_get_blob; another thread opens the store for itself with STORE_READ. Everything whose completion was seen is
 * there; what is pending may be. Texts handed to fn are valid during its call; fn may call the functions of the store, also these.
 */
/* Calls fn for each execution that is not finished, oldest first; stops at the first non-zero and returns it. Cost does not depend on finished ones. */
int store_each_alive(struct store *store, int (*fn)(void *user, const struct store_execution *execution), void *user, struct orch_error *err);
/* One execution. ORCH_ERR_NOT_FOUND. Texts live in the arena. */
int store_get_execution(struct store *store, int64_t number, struct arena *arena, struct store_execution *ret, struct orch_error *err);
/* Records of one execution from a sequence number on (those that contain it or begin later), in order. */
int store_each_record(struct store *store, int64_t number, uint64_t from_seq,
                      int (*fn)(void *user, uint64_t first_seq, uint32_t count, struct orch_str record), void *user, struct orch_error *err);

struct store_filter {
    struct orch_str workflow;      /* empty: all */
    uint32_t state_mask;           /* bit (1 << state); 0: all */
    orch_time since, until;        /* created_at in [since, until); 0: open */
    int64_t before;                /* numbers below this only (paging); 0: from the newest */
    uint32_t count_max;            /* 0: 100 */
    int64_t parent;                /* children of this execution; 0: top level only; -1: all */
};
/* Newest first: by number, or with since or until by created_at and number; `before` then means behind that execution in this order. */
int store_each_execution(struct store *store, const struct store_filter *filter, int (*fn)(void *user, const struct store_execution *execution),
                         void *user, struct orch_error *err);
/* How many executions are in each state. */
int store_count_states(struct store *store, uint64_t ret_counts[16], struct orch_error *err);
/* The newest execution of a file that is alive, or the newest at all when alive is false: for `run --continue` and bare verbs. ORCH_ERR_NOT_FOUND. */
int store_find_latest(struct store *store, struct orch_str file, bool alive, int64_t *ret_number, struct orch_error *err);

/* The digest of a normal form: SHA-256, 64 hex characters and a NUL. */
void store_digest(struct orch_str normal, char out[65]);

#endif
