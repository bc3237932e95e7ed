/*
 * diag.h - what is wrong with a definition: all of it, each with its place and the mend.
 *
 * The form of UX: code and message, file:line:column, the source line with a caret, help.
 */
#ifndef LANG_DIAG_H
#define LANG_DIAG_H

#include "base/arena.h"

enum diag_severity { DIAG_ERROR, DIAG_WARNING };

/* Where something stands in the source; line 0 means no place. Columns count characters, 1 is the first. */
struct span {
    uint32_t line;
    uint32_t column;
    uint32_t length; /* characters to underline, on this line */
};

/* One task on a cycle: for drawing it (`orch graph --cycle`). */
struct diag_step {
    struct orch_str id;
    uint32_t line;        /* of the task */
    uint32_t line_waits;  /* of the entry that names the task it waits for, 0 when there is none */
};

/*
 * Every code there is, once: number, severity, title. E01xx names and shape, E02xx graph, E03xx expressions and
 * templates, E04xx parameters and values, E05xx files and YAML/JSON, W09xx warnings. Numbers are never reused. The list
 * is src/lang/diag_codes.h; docs/errors.md has a part for each, and a test compares the two.
 */
struct diag {
    enum diag_severity severity;
    uint16_t code;             /* 201 is E0201, or W0201 for a warning */
    struct span at;
    struct orch_str message;   /* at most 80 characters when it can be helped; lower case, no full stop */
    struct orch_str label;     /* beside the caret, or empty: "closes the cycle (test: line 19)" */
    struct orch_str help;      /* the mend, or empty; may have several lines */
    const struct diag_step *path; /* of a cycle: each waits for the one before, the first for the last; NULL otherwise */
    uint32_t path_count;
};

#define DIAG_MAX 100 /* kept; further ones are counted only */

struct diags {
    struct arena *arena; /* borrowed: where texts are kept */
    struct diag items[DIAG_MAX];
    uint32_t count;
    uint32_t error_count;   /* counts those beyond DIAG_MAX too */
    uint32_t warning_count;
    bool failed;            /* memory was short: the caller reports ORCH_ERR_NO_MEMORY */
    struct diag spare;      /* what diag_add returns when nothing more is kept */
};

void diags_init(struct diags *diags, struct arena *arena);
/*
 * Adds one; the message is formatted into the arena. Returns it so that label and help can be set, never NULL (a spare one when
 * full; an error then takes the place of the last warning). The same code with the same message at the same place is one
 * finding, however often it is added: an anchor's text is read once for each alias.
 */
struct diag *diag_add(struct diags *diags, enum diag_severity severity, uint16_t code, struct span at, const char *format, ...)
    ORCH_PRINTF(5, 6);
void diag_label(struct diags *diags, struct diag *diag, const char *format, ...) ORCH_PRINTF(3, 4);
void diag_help(struct diags *diags, struct diag *diag, const char *format, ...) ORCH_PRINTF(3, 4);
/* Errors before warnings, then by place; stable. */
void diags_sort(struct diags *diags);

struct diag_style {
    bool color;         /* the 16 ANSI colours */
    uint32_t count_max; /* print at most so many, then "... and 7 more"; 0 means 20 */
};
/* One after another, as text for people. `source` is the whole text of the file, `file` its name as the user gave it. */
void diags_render(const struct diags *diags, struct orch_str source, struct orch_str file, const struct diag_style *style,
                  struct buf *out);
/* As a JSON array of {severity, code, message, line, column, length, label?, help?}. */
void diags_render_json(const struct diags *diags, struct buf *out);
/* The first error as an orch_error (ORCH_ERR_CYCLE for a cycle, ORCH_ERR_DEPENDENCY for an unknown task, else ORCH_ERR_INVALID), with "(and 3 more)". */
int diags_to_error(const struct diags *diags, struct orch_str file, struct orch_error *err);

/* "E0201" or "W0901"; out needs 8 bytes. */
void diag_code_format(const struct diag *diag, char out[8]);
/* The title of a code, "tasks wait for each other"; NULL for a number that is none. */
const char *diag_code_title(uint16_t code);

#endif
