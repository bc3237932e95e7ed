/*
 * sqlite.h - the parts of the SQLite store. The owner's thread reads through `reader`; the committer's thread alone
 * uses the writing connection, from after sqlite_store_open to before the close.
 */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "store/internal.h"
#include "store/vfs.h"

#define STORE_APPLICATION_ID 0x4F524348 /* "ORCH" in the file's header */

/* Parameters longer than this stand in a table of their own, so that an update of the row does not write them again. */
#define STORE_PARAMETERS_INLINE_MAX 1024

/* How long a call waits for another connection's lock. */
#define STORE_BUSY_TIMEOUT_MS 10000

/* One store_append, in one block with everything it names. */
struct append {
    struct append *next;
    void (*done)(void *user, int status);
    void *user;
    int status;
    uint64_t epoch; /* see struct committer */
    size_t size;    /* of the block */
    uint32_t count;
    struct store_entry entries[];
};

struct append_list {
    struct append *first, *last;
};

/* A definition on its way; kept until a transaction with it has succeeded. */
struct definition {
    struct definition *next;
    size_t size; /* of the block */
    struct orch_str digest, name, normal;
    char bytes[];
};

enum write_statement {
    WRITE_BEGIN,
    WRITE_COMMIT,
    WRITE_ROLLBACK,
    WRITE_RECORD,
    WRITE_EXECUTION,
    WRITE_PARAMETERS,
    WRITE_STATE_OF,
    WRITE_UPDATE,
    WRITE_UPDATE_STATE,
    WRITE_FINISHED,
    WRITE_DEFINITION,
    WRITE_COUNT
};

/* orch.db-end: see log_end.c. */
struct log_end {
    int fd;        /* -1: nothing is noted */
    bool is_noted; /* the note tells of frames */
};

struct committer {
    sqlite3 *db;
    sqlite3_stmt *statements[WRITE_COUNT];
    const char *path; /* of the database, for messages */
    int dir_fd;       /* the store's directory; borrowed */
    bool no_sync;
    uint64_t reserve_size;
    void (*wake)(void *user);
    void *wake_user;
    struct log_end log_end;
    pthread_t thread;
    bool is_running;         /* the thread was started */
    bool has_lock, has_cond; /* were initialised */

    /* Shared, under `lock`. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct append_list queue;                          /* handed in */
    struct append_list completed;                      /* with a status, for store_poll */
    struct definition *definitions, *definitions_last; /* not durable yet, in order */
    struct definition *spent;                          /* durable: the owner frees them */
    bool stop;
    struct orch_error failure; /* code not 0: failed for good */
    uint32_t pages_max;        /* for tests: a limit of the database in pages; 0: none was ever set */

    atomic_bool is_short; /* the reserve was given up, or there was no room when the store was opened */

    /* The thread's own. */
    uint64_t epoch_full;                 /* appends of this epoch and before fail with ORCH_ERR_FULL: one of them did */
    int64_t finished[STORE_STATE_COUNT]; /* what the transaction adds to the counts of finished executions */
    uint32_t pages_max_set;
    int wal_pages;       /* in the log now */
    int wal_pages_tried; /* when a checkpoint was last tried */
    unsigned idle_tries; /* that could not empty the log since the last commit */
    bool has_reserve;
    bool cannot_reserve; /* the file system has no such thing */
    orch_time reserve_look_at;
};

/* The reader's statements; the texts are in query.c. */
enum query {
    QUERY_ALIVE,
    QUERY_EXECUTION,
    QUERY_RECORDS,
    QUERY_RECORDS_MAPPED,
    QUERY_DEFINITION,
    QUERY_LIST_ALL,
    QUERY_LIST_ALIVE,
    QUERY_LIST_PARENT,
    QUERY_LIST_STATE,
    QUERY_LIST_WORKFLOW_STATE,
    QUERY_LIST_CREATED,
    QUERY_CREATED_AT,
    QUERY_COUNTS,
    QUERY_LATEST,
    QUERY_LATEST_ALIVE,
    QUERY_COUNT
};

struct sqlite_store {
    struct store base;
    char *path;     /* as given */
    char *database; /* path + "/orch.db" */
    int dir_fd;
    int lock_fd;     /* -1 when read-only */
    sqlite3 *reader; /* NULL until something is read */
    enum vfs_mode reader_mode;
    bool has_map; /* records are looked for by a map of the table instead of its index */
    bool is_immutable; /* is to be read without its log, which is not there */
    sqlite3_stmt *queries[QUERY_COUNT];
    bool queries_busy[QUERY_COUNT];

    /* Owner only. */
    struct append_list due; /* taken from the committer, to be told */
    bool is_polling;        /* completions are being told: what they append is handed over together */
    uint64_t epoch;         /* of appends handed in now; one more each time the owner is told that the disk is full */
    char known[64][65];     /* digests that were handed in lately, by hash */
    struct committer committer;
};

/* Fills err from an SQLite result code; returns the ORCH_ERR_*. */
/* Whether a code means that there was no room for what was written; not a failed sync, of which nothing is known. */
bool sqlite_is_full(sqlite3 *db, int rc);
int sqlite_error(struct orch_error *err, sqlite3 *db, int rc, const char *database, const char *what);
/* What to do about damage. */
void damage_hint(struct orch_error *err);

/* lock.c: the directory and who owns it. */
/* Opens the directory, made when `make`. Refuses one that others may write to. */
int directory_open(const char *path, bool make, bool *ret_made, int *ret_fd, struct orch_error *err);
/*
 * Takes the lock and writes the process's number into the file. *ret_mark gets the mark that an earlier life has noted
 * once the store was complete, or "".
 */
int lock_take(int dir_fd, const char *path, int *ret_fd, char ret_mark[33], struct orch_error *err);
/* Whether some process owns the store at a path just now. */
bool lock_is_held(const char *path);
/* Whether the store was complete once: its lock file has the mark. True as well when there is no lock file to ask. */
bool lock_is_noted(int dir_fd);
/* Notes that the store is complete. */
int lock_note(int fd, const char *path, const char *mark, struct orch_error *err);

/* migrate.c */
struct migration {
    uint32_t version; /* of the schema after it; 1, 2, 3, ... */
    const char *sql;
};
const struct migration *migrate_list(uint32_t *ret_count);
/* Brings a database to the newest version in one transaction; an empty one is made. */
int migrate_database(sqlite3 *db, const struct migration *list, uint32_t count, const char *database,
                     struct orch_error *err);
/* 0 when it is a database of ours, of this version or an older one. */
int migrate_check_known(sqlite3 *db, uint32_t version, const char *database, struct orch_error *err);
/* 0 when it has exactly this version. */
int migrate_check(sqlite3 *db, uint32_t version, const char *database, struct orch_error *err);

/* committer.c */
int committer_open(struct committer *committer, sqlite3 *db, const struct log_end *take_log_end,
                   const struct sqlite_store *store, const struct store_options *options, struct orch_error *err);
/* Waits for what was handed in, ends the thread, closes the connection. Accepts a half-built one. */
void committer_close(struct committer *committer, const struct orch_allocator *allocator);
/* Frees what became of definitions. */
void definitions_free(struct definition *definition, const struct orch_allocator *allocator);

/* checkpoint.c: all on the committer's thread. */
/* After a commit: a checkpoint when the log has grown by 16 MB. */
int checkpoint_commit(struct committer *committer, struct orch_error *err);
/* When idle: empties the log. */
int checkpoint_idle(struct committer *committer, struct orch_error *err);
/* How long to wait for work before checkpoint_idle and reserve_make have something to do, in microseconds;
 * ORCH_TIME_NEVER. */
orch_time checkpoint_wait_us(const struct committer *committer);

/* Brings the log into the database and empties it. Readers in the way leave it as it is. */
int checkpoint_all(sqlite3 *db, struct log_end *end, bool *ret_done, const char *database, struct orch_error *err);

/* log_end.c */
enum log_end_state { LOG_END_NONE, LOG_END_NOTED, LOG_END_DAMAGED };
enum log_end_state log_end_read(int dir_fd, struct vfs_log *ret);
/* Whether the log, which `db` has read from, goes as far as was noted; ORCH_ERR_CORRUPT. Not beside an owner. */
int log_end_check(int dir_fd, sqlite3 *db, const char *database, struct orch_error *err);
int log_end_open(int dir_fd, const char *path, int *ret_fd, struct orch_error *err);
/* After a commit. */
void log_end_note(struct log_end *end, sqlite3 *db);
/* Once everything in the log is in the database, and before anything is written to the log again or it is cut. */
int log_end_clear(struct log_end *end, const char *database, struct orch_error *err);

/* reseal.c: closes the connection. */
int reseal_database(sqlite3 *take_db, int dir_fd, const char *database, struct orch_error *err);

/* reserve.c */
#define RESERVE_LOOK_US ORCH_SECOND
/* At the beginning: takes over or makes the file, and looks whether the disk is full already. */
void reserve_open(struct committer *committer);
/* Whether there is something for reserve_make to do. */
bool reserve_is_wanted(const struct committer *committer);
/* When there is plenty of room: makes the file, and the disk is short no more. Looks at most once a second. */
void reserve_make(struct committer *committer);
/* Gives it up; false when there is none. */
bool reserve_release(struct committer *committer);

/* blob.c */
int blob_write(int dir_fd, int64_t number, const struct store_blob *blob, bool no_sync, struct orch_error *err);
void blob_remove(int dir_fd, int64_t number, uint64_t blob);
int blob_read(int dir_fd, int64_t number, uint64_t blob, struct arena *arena, struct orch_str *ret,
              struct orch_error *err);

/* query.c: reading through the reader's connection, which the first call opens. */
int reader_open(struct sqlite_store *store, struct orch_error *err);
void reader_close(struct sqlite_store *store);
const char *query_text(enum query query);
int query_get_definition(struct store *base, struct orch_str digest, struct arena *arena, struct orch_str *ret_normal,
                         struct orch_error *err);
int query_each_alive(struct store *base, int (*fn)(void *user, const struct store_execution *execution), void *user,
                     struct orch_error *err);
int query_get_execution(struct store *base, int64_t number, struct arena *arena, struct store_execution *ret,
                        struct orch_error *err);
int query_each_record(struct store *base, int64_t number, uint64_t from_seq,
                      int (*fn)(void *user, uint64_t first_seq, uint32_t count, struct orch_str record), void *user,
                      struct orch_error *err);
int query_each_execution(struct store *base, const struct store_filter *filter,
                         int (*fn)(void *user, const struct store_execution *execution), void *user,
                         struct orch_error *err);
/* For salvage: from now on records are found without the index that leads to them. All that can be reached of their table
 * is walked over, once. */
int query_map_records(struct store *base, struct orch_error *err);
int query_count_states(struct store *base, uint64_t ret_counts[16], struct orch_error *err);
int query_find_latest(struct store *base, struct orch_str file, bool alive, int64_t *ret_number,
                      struct orch_error *err);

/* For tests: from the next transaction on the database may have at most this many pages. */
void sqlite_limit_pages(struct store *store, uint32_t pages_max);

#endif
