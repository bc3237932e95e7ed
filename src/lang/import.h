/*
 * import.h - definitions made of what other tools write.
 *
 * An importer reads a whole file of its format and writes a definition; what it cannot carry over it says. There is one
 * for each format, in a table; all of it is pure.
 */
#ifndef LANG_IMPORT_H
#define LANG_IMPORT_H

#include "base/value.h"

/* What becomes of a task whose program is not to be run as it stands. */
enum import_tasks {
    IMPORT_NOOP,    /* it does nothing: the shape of the graph */
    IMPORT_SLEEP,   /* a program that sleeps for as long as the task took, times the scale */
    IMPORT_COMMAND, /* the program itself */
};

struct import_options {
    enum import_tasks tasks;
    double scale; /* of the lengths of sleeps; more than 0 */
};

/* Something that was not carried over, or not as it stood. */
struct import_note {
    struct orch_str what;    /* "sizes of files" */
    uint64_t count;          /* how often */
    struct orch_str example; /* one of them, or empty */
};

#define IMPORT_NOTES_MAX 32

struct import_result {
    uint32_t tasks, dependencies;
    struct import_note notes[IMPORT_NOTES_MAX];
    uint32_t notes_count;
};

struct importer {
    const char *name;    /* on the command line */
    const char *summary; /* one line */
    /* Whether the text looks like this format: to find the importer when none was named. */
    bool (*is_it)(struct value json);
    /*
     * Writes the definition as JSON. It is then read as any other: what is wrong with it beyond the format's own rules
     * shows there.
     *
     * @param json  the file, parsed; what is written does not borrow from it
     * @return 0; ORCH_ERR_INVALID with a message that names the place; ORCH_ERR_NO_MEMORY
     */
    int (*import)(struct value json, const struct import_options *options, struct arena *arena, struct buf *out,
                  struct import_result *ret, struct orch_error *err);
};

extern const struct importer import_wfformat;    /* WfCommons WfFormat 1.0 to 1.6 */
extern const struct importer *const importers[]; /* NULL ends it */

/* For importers. */

/* Counts something that is not carried over. `what` is a constant; the example is borrowed. */
void import_note(struct import_result *result, const char *what, struct orch_str example);
/* Names of another tool made ids of ours: [A-Za-z_][A-Za-z0-9_-]*, none twice, none reserved. */
struct import_names;
struct import_names *import_names_new(void);
struct import_names *import_names_free(struct import_names *names);
/*
 * The id for a name that is new; it lives as long as `names`. ORCH_ERR_EXISTS when the name was there before,
 * ORCH_ERR_NO_MEMORY.
 */
int import_names_add(struct import_names *names, struct orch_str name, uint32_t number, struct orch_str *ret_id);
/* The number and id of a name that was added; false when there is none. */
bool import_names_find(const struct import_names *names, struct orch_str name, uint32_t *ret_number);
/* A JSON string that is taken as it stands where templates are looked for. */
void import_literal(struct orch_str text, struct buf *out);

#endif
