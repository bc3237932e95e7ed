/*
 * output.h - a task's result from what its process wrote. Pure. (Internal to actions.)
 */
#ifndef ACTIONS_OUTPUT_H
#define ACTIONS_OUTPUT_H

#include "base/value.h"

#define OUTPUT_STDOUT_MAX (1u << 20)  /* of stdout are kept for the value */
#define OUTPUT_FILE_MAX   (64u << 20) /* of $ORCH_OUTPUT */
#define OUTPUT_LINE_MAX   (64u << 10) /* a longer line of output is split */

/*
 * Lines from bytes as they come, and what of stdout is kept for the value.
 */
struct output_lines {
    struct buf partial;             /* a line that has not ended yet; at most OUTPUT_LINE_MAX */
    bool was_split;                 /* some line was longer */
    bool failed;                    /* a part of some line was lost for want of memory */
    bool skips;                     /* what comes until the end of the line is lost too */
    const struct orch_str *secrets; /* a line is not split within one of these: its halves could not be hidden */
    uint32_t secrets_count;
};
/* Calls line for each that is complete; is_whole is false for a piece of a line that goes on. */
void output_lines_feed(struct output_lines *lines, const char *data, size_t size,
                       void (*line)(void *user, struct orch_str text, bool is_whole), void *user);
/* The rest without a line end, if there is one. */
void output_lines_finish(struct output_lines *lines, void (*line)(void *user, struct orch_str text, bool is_whole),
                         void *user);

struct output_capture {
    struct buf kept;   /* stdout without directives, at most OUTPUT_STDOUT_MAX; beyond that its last line only */
    size_t line_start; /* in kept */
    bool overflowed;
    bool line_overflowed; /* the last line alone is too long */
};
void output_capture_add(struct output_capture *capture, struct orch_str text, bool is_whole);

/* "::orch progress 3/10 text" or "::orch progress 42% text"; false when the line is no such directive. fraction is
 * within 0..1. */
bool output_parse_progress(struct orch_str line, double *ret_fraction, struct orch_str *ret_text);

/*
 * The value: $ORCH_OUTPUT when it holds anything (JSON, or text trimmed of white space); else the whole of stdout as
 * JSON; else its last line as a JSON object or list; else stdout as text, trimmed. *ret is JSON text on one line, empty
 * when there is nothing.
 *
 * @param file      content of $ORCH_OUTPUT, empty when there is none
 * @param remark    a line for the log when something was left out, else untouched
 */
int output_parse(struct orch_str file, const struct output_capture *capture, struct arena *arena, struct orch_str *ret,
                 struct orch_str *remark, struct orch_error *err);

#endif
