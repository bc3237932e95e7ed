/*
 * check_internal.h - what check*.c and salvage.c share.
 */
#ifndef STORE_CHECK_INTERNAL_H
#define STORE_CHECK_INTERNAL_H

#include "core/core.h"
#include "store/check.h"
#include "store/sqlite.h"
#include "sys/zone.h"

struct check {
    const char *path;
    int dir_fd;
    check_report report;
    void *user;
    struct check_counts *counts;
    bool is_short;     /* something could not be looked at for want of memory: that is no damage, and the look is void */
    uint32_t log_last; /* set by check_log: commits are known of up to this frame; 0: of none */
};

/* Tells of something; the message is formatted into the finding. */
void check_tell(struct check *check, struct check_finding *finding, const char *format, ...) ORCH_PRINTF(3, 4);

/* check_pages.c: the files as they are, without SQLite. */
int check_pages(struct check *check, struct orch_error *err);
int check_log(struct check *check, struct orch_error *err);

/* gather.c: executions' numbers by every way that leads to them, so that no damaged page hides one. */
struct numbers {
    int64_t *items; /* ascending, each once */
    size_t count, capacity;
    bool is_complete; /* no way was blocked by damage */
};
int numbers_gather(sqlite3 *db, struct numbers *ret, struct orch_error *err);
/* At the end, in any order. */
int numbers_add(struct numbers *numbers, int64_t number, struct orch_error *err);
/* Puts them in order, each once; takes out what is no number. */
void numbers_unite(struct numbers *numbers);
/* Of those that are in order. */
bool numbers_has(const struct numbers *numbers, int64_t number);
void numbers_done(struct numbers *numbers);

/* check_journal.c: folding the journal of an execution as far as it goes. */
struct journal_reader {
    struct store *store;
    struct store *definitions; /* where they are read; the same one, if nobody sets another */
    struct zonefiles zones;
    struct arena arena; /* of the workflow */
    struct arena texts; /* of the latest look */
    char digest[65];    /* of the workflow that is read; "" */
    const struct workflow *workflow;
};
void journal_reader_init(struct journal_reader *reader, struct store *store);
void journal_reader_done(struct journal_reader *reader);

struct journal_look {
    struct core *core;      /* the state at its end, for looking at: core_free; NULL when there is no definition */
    uint64_t sequence_good; /* transitions that can be read, folded and have their blobs */
    bool is_whole;          /* nothing is wrong; else why */
    char why[512];
    uint64_t records, transitions;
    bool is_blob; /* what ended it is a blob that cannot be read */
    uint64_t blob;
    struct orch_str name, by; /* of EXECUTION_STARTED; these live until the reader's next look */
    struct orch_str parameters;
};

/* Told of each record that is good, whole or up to `count` of its transitions, with what they name. Non-zero ends it.
 */
struct journal_record {
    uint64_t first_seq;
    uint32_t count;
    struct orch_str bytes;
    const struct core_transition *items;
    bool is_part; /* the bytes hold more than that */
};
typedef int (*journal_fn)(void *user, const struct journal_record *record, struct orch_error *err);

/*
 * @param fn  may be NULL
 * @return 0, also when it is damaged; ORCH_ERR_NO_MEMORY and what fn gives
 */
int journal_look(struct journal_reader *reader, int64_t number, struct orch_str digest, journal_fn fn, void *user,
                 struct journal_look *ret, struct orch_error *err);

/* sqlite.c: for reading in one of the other modes, and without what opening looks for. */
int sqlite_reader_open(const char *path, enum vfs_mode mode, struct store **ret, struct orch_error *err);
/* The connection that reads. */
sqlite3 *sqlite_reader(struct store *store);

#endif
