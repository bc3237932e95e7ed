/*
 * doc.h - a YAML or JSON text as a tree of nodes that know their place.
 *
 * YAML 1.2 core schema on libyaml's events: only true/false/null/~ and numbers are not strings, so `no`, `on` and
 * `12:30` stay text. Bounds: depth 64, nodes, alias expansion; duplicate keys, unknown aliases, several documents,
 * tags other than the core ones and invalid UTF-8 are errors with their place. JSON is read by the same reader
 * when the text is JSON (its own parser, for exact errors and speed on large files).
 */
#ifndef LANG_DOC_H
#define LANG_DOC_H

#include "base/value.h"
#include "lang/diag.h"

enum doc_kind { DOC_NULL, DOC_BOOL, DOC_NUMBER, DOC_STRING, DOC_LIST, DOC_MAP };

struct doc_member;

struct doc_node {
    uint8_t kind;   /* enum doc_kind */
    bool quoted;    /* a scalar that stood in quotes or as a block */
    bool block;     /* a literal or folded block scalar: lines of `text` start below the place */
    uint32_t count; /* items or members; for a literal block scalar how far its lines are indented (0: not known, lines
                       were folded) */
    uint32_t line, column;
    uint32_t width;       /* characters of the scalar in the source line, for the caret */
    struct orch_str text; /* a scalar's text as written (escapes resolved) */
    union {
        const struct doc_node *items;
        const struct doc_member *members;
    };
};

struct doc_member {
    struct doc_node key; /* DOC_STRING always; the text as written for `1:` or `true:` */
    struct doc_node value;
};

struct doc_limits {
    uint32_t depth_max; /* 0 means 64 */
    uint32_t nodes_max; /* 0 means 20,000,000; nodes made by aliases count */
    size_t size_max;    /* bytes of text; 0 means 1 GiB */
};

/*
 * Reads one document. Errors go to diags (E05xx). Strings are borrowed from `text` where they can be, else in the
 * arena.
 *
 * @param limits  may be NULL
 * @return 0; ORCH_ERR_INVALID with at least one error in diags; ORCH_ERR_LIMIT likewise; ORCH_ERR_NO_MEMORY
 */
int doc_parse(struct orch_str text, const struct doc_limits *limits, struct arena *arena, struct diags *diags,
              const struct doc_node **ret);

const struct doc_node *doc_get(const struct doc_node *map, struct orch_str key); /* NULL when absent or no map */
static inline struct span doc_span(const struct doc_node *node)
{
    return (struct span){node->line, node->column, node->width ? node->width : 1};
}
/* As a value: numbers as JSON numbers, all else by kind. Returns 0 or ORCH_ERR_NO_MEMORY. */
int doc_value(const struct doc_node *node, struct arena *arena, struct value *ret);
/* A number's text as JSON writes it: YAML's +1, 007, .5, 0x1F, 0o17 are no JSON. */
void doc_number_json(struct orch_str text, struct buf *out);
/* What a scalar without quotes is to YAML: DOC_NULL, DOC_BOOL, DOC_NUMBER or DOC_STRING; numbers that JSON has not (.inf) count as numbers. */
enum doc_kind doc_plain_kind(struct orch_str text);

/* A comment of a YAML text: the tree does not keep it. */
struct doc_comment {
    struct orch_str text; /* from the '#' on, without white space at its end; borrowed from the text of the file */
    uint32_t line, column;
    uint32_t before;      /* the character that stands before it on its line, white space apart; 0: it has a line of its own */
    bool is_apart;        /* an empty line follows */
};
/* All of them in order, up to where the text cannot be read. Returns 0 or ORCH_ERR_NO_MEMORY. */
int doc_comments(struct orch_str text, struct arena *arena, const struct doc_comment **ret, uint32_t *ret_count);
/* "a string", "a list", "a map", "a number", "true or false", "nothing": for messages. */
const char *doc_kind_text(const struct doc_node *node);

#endif
