/*
 * doc_build.h - what the YAML and the JSON reader share: a stack on which the parts of open lists and maps wait.
 */
#ifndef LANG_DOC_BUILD_H
#define LANG_DOC_BUILD_H

#include "lang/doc.h"
#include "lang/diag_codes.h"

struct doc_build {
    struct orch_str text; /* without a byte order mark */
    uint32_t depth_max;
    uint32_t nodes_max;
    uint64_t nodes; /* made so far; those that aliases repeat count */
    struct arena *arena;
    struct diags *diags;
    struct doc_node *stack; /* a map's parts stand as key, value, key, value: the layout of doc_member */
    size_t count, capacity;
};

/* Puts one node on the stack. ORCH_ERR_NO_MEMORY, ORCH_ERR_LIMIT with its error when there are too many nodes. */
int doc_build_push(struct doc_build *build, const struct doc_node *node);
/* Counts nodes that cost no memory of their own but time: aliases. */
int doc_build_count(struct doc_build *build, uint64_t nodes, const struct doc_node *where);
/* Moves what is on the stack above `from` into the node as its items or members. Reports keys that occur twice. */
int doc_build_list(struct doc_build *build, size_t from, struct doc_node *node);
int doc_build_map(struct doc_build *build, size_t from, struct doc_node *node);
/* E0513. Returns ORCH_ERR_LIMIT. */
int doc_build_too_deep(struct doc_build *build, const struct doc_node *where);

/* One document each. The root is copied into *ret. On failure there is an error in diags, save for NO_MEMORY. */
int doc_json(struct doc_build *build, struct doc_node *ret);
int doc_yaml(struct doc_build *build, struct doc_node *ret);

#endif
