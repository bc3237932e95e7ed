/*
 * normal.h - inside of lang: a document brought into normal form, by the table of schema.h.
 *
 * Keys in our spelling and order, lists where lists are wanted, maps of tasks by id, the short form where there is one.
 * All that is wrong with the shape is reported on the way: unknown keys, wrong kinds, missing keys, numbers out of
 * bounds, words that are none of the choices. What the texts mean (durations, expressions, references) the reader
 * checks afterwards. Places are kept. A document that is in normal form already is not copied.
 */
#ifndef LANG_NORMAL_H
#define LANG_NORMAL_H

#include "lang/diag_codes.h"
#include "lang/schema.h"

/* The kind of a node that stands for nothing at all: it was wrong and has been reported, or says what holds anyway. */
#define DOC_ABSENT 255

#define GROUPS_MAX 32 /* groups, loops' bodies and handlers inside one another */

struct normal {
    struct arena *scratch;
    struct diags *diags;
    uint32_t depth; /* of blocks */
};

/* The workflow as a whole. *out is DOC_ABSENT when it cannot be one. Returns 0 (also with diags) or ORCH_ERR_NO_MEMORY.
 */
int normal_workflow(struct normal *normal, const struct doc_node *in, struct doc_node *out);

/* As compact JSON: what is stored. */
void normal_json(const struct doc_node *node, struct buf *out);

/* ---- for read_seeds.c ---- */

/* A map being changed: a copy of the members with room for more. */
struct map_edit {
    struct doc_member *members;
    uint32_t count, capacity;
};

int map_edit_init(struct normal *normal, struct map_edit *edit, const struct doc_node *map);
void map_edit_remove(struct map_edit *edit, uint32_t index);
struct doc_member *map_edit_find(struct map_edit *edit, struct orch_str key);
/* Adds a member whose key stands where `at` does. ORCH_ASSERTs that there is room: a few members more than there were.
 */
struct doc_member *map_edit_add(struct map_edit *edit, struct orch_str key, const struct doc_node *at,
                                const struct doc_node *value);
void map_edit_done(const struct map_edit *edit, struct doc_node *map);
/* A text node at the place of another node. */
struct doc_node node_text(const struct doc_node *at, struct orch_str text);

/* Whether a map of a task or workflow has anything that only read_seeds.c knows. */
bool seeds_has_task(const struct doc_node *task);
/* Rewrites the spellings of others that are more than another name for a key. `in` is a map. */
int seeds_task(struct normal *normal, const struct doc_node *in, struct doc_node *out);
/* A task in a list with a name but no id: the name is its id, when it can be one. */
int seeds_list_task(struct normal *normal, const struct doc_node *in, struct doc_node *out);
int seeds_workflow(struct normal *normal, const struct doc_node *in, struct doc_node *out);
/* Whether a map holds what makes it one task rather than a map of tasks. */
bool seeds_is_task(const struct doc_node *map);

bool name_is_id(struct orch_str text);       /* [A-Za-z_][A-Za-z0-9_-]*, at most 128 bytes */
bool name_is_variable(struct orch_str text); /* the same without '-' */

#endif
