/*
 * check.h - looking at everything a store holds, and copying what can be read of a damaged one.
 *
 * Nothing of the store that is looked at is changed. (SQLite makes orch.db-shm anew, if nobody has the database open.)
 */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "store/store.h"

/* What a finding is about. */
#define CHECK_SUBJECT_LIST(X)                                                            \
    X(DIRECTORY, "directory") /* the store's directory and the modes of what is in it */ \
    X(LOCK, "lock")                                                                      \
    X(DATABASE, "database") /* orch.db as a whole: header, schema, SQLite's own check */ \
    X(PAGE, "page")         /* of orch.db */                                             \
    X(LOG, "log")           /* orch.db-wal and orch.db-end */                            \
    X(DEFINITION, "definition")                                                          \
    X(EXECUTION, "execution") /* its row */                                              \
    X(JOURNAL, "journal")     /* of an execution */                                      \
    X(BLOB, "blob")                                                                      \
    X(LOGFILE, "logfile") /* what tasks wrote */
enum check_subject {
#define CHECK_SUBJECT_ENUM(name, text) CHECK_##name,
    CHECK_SUBJECT_LIST(CHECK_SUBJECT_ENUM)
#undef CHECK_SUBJECT_ENUM
};
const char *check_subject_to_string(enum check_subject subject);

struct check_finding {
    enum check_subject subject;
    bool is_damage;         /* else something to know of */
    const char *file;       /* in the store's directory: "orch.db", "blobs/3/1"; or "" */
    int64_t offset, size;   /* bytes of the file; size 0: all of it */
    int64_t bit;            /* the one wrong bit, counted from the file's first; -1 */
    int64_t number;         /* of the execution; 0: none */
    uint64_t sequence;      /* of the first transition that is damaged or missing; 0: none */
    uint64_t sequence_good; /* of the last one in front of it that can be read */
    char message[512];      /* what is wrong, without the above */
    const char *mend;       /* what to do about it; or "" */
};

struct check_counts {
    uint64_t pages, frames, executions, alive, records, transitions, definitions, blobs, blobs_unused, logfiles;
    uint64_t bytes;   /* of all files that were read */
    uint64_t damaged; /* findings that are damage */
    bool is_owned;    /* by a process, which may have written meanwhile */
    int owner;        /* its number as it has noted it; 0: not known */
    uint32_t schema;  /* 0: could not be read */
    char mark[33];    /* "" when it could not be read */
};

typedef void (*check_report)(void *user, const struct check_finding *finding);

/*
 * Reads the whole store: every page and frame, every record folded, every blob and definition.
 *
 * @return 0, however damaged it is: that is told by findings; ORCH_ERR_NOT_FOUND when there is no store, _DENIED,
 *         _IO, _NO_MEMORY, ... when it could not be looked at
 */
int store_check(const char *path, check_report report, void *user, struct check_counts *ret, struct orch_error *err);

struct salvage_counts {
    uint64_t executions, executions_cut, executions_lost; /* whole; up to some record; not at all */
    uint64_t rows_made;                                   /* executions whose row was lost: made of their journal */
    uint64_t records, definitions, blobs, logfiles;       /* copied */
    uint64_t definitions_lost, logfiles_lost;
    bool is_log_cut; /* commits at the end of the log are lost: executions may have gone on, or be missing, unnoticed */
    uint64_t bits; /* that were wrong and were put right by checksums */
};

/*
 * Copies what can be read into a new store. Executions with a good journal come whole; of others what is in front of
 * the first bad record, with the reason as their row's error. One wrong bit in a page or frame is put right where the
 * checksums tell which it is.
 *
 * @param to      must not exist, or be an empty directory
 * @param report  is told of each thing that was lost or put right
 * @return 0 when there is a new store; ORCH_ERR_EXISTS; ORCH_ERR_CONCURRENCY when a process owns the old one;
 *         ORCH_ERR_CORRUPT when nothing can be read; ...
 */
int store_salvage(const char *from, const char *to, check_report report, void *user, struct salvage_counts *ret,
                  struct orch_error *err);

#endif
