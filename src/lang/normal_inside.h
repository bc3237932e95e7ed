/*
 * normal_inside.h - what the files normal*.c share.
 */
#ifndef LANG_NORMAL_INSIDE_H
#define LANG_NORMAL_INSIDE_H

#include "lang/normal.h"

/* ---- normal_check.c: each reports what does not fit ---- */

void normal_wrong_kind(struct normal *normal, const struct schema_value *want, struct orch_str what,
                       const struct doc_node *in);
/* `kind`: TEXT_ID or TEXT_NAME. */
void normal_check_name(struct normal *normal, struct orch_str what, const struct doc_node *at, uint8_t kind);
void normal_check_text(struct normal *normal, const struct schema_value *want, struct orch_str what,
                       const struct doc_node *in);
void normal_check_number(struct normal *normal, const struct schema_value *want, struct orch_str what,
                         const struct doc_node *in);

/* ---- normal.c ---- */

/* `what` is the key, for messages. *out is DOC_ABSENT when nothing is left of it. */
int normal_value(struct normal *normal, const struct schema_value *want, struct orch_str what,
                 const struct doc_node *in, struct doc_node *out);
int normal_map(struct normal *normal, const struct schema_map *map, const struct doc_node *in, struct doc_node *out);

/* Items that become something else are written to a copy, which is made when the first one does. */
struct items_out {
    const struct doc_node *in;
    struct doc_node *items;
    uint32_t count;
};
int normal_items_put(struct normal *normal, struct items_out *out, uint32_t index, const struct doc_node *item);
void normal_items_done(const struct items_out *items, struct doc_node *out);

/* The same for members; keys stay. */
struct members_out {
    const struct doc_node *in;
    struct doc_member *members;
    uint32_t count;
};
int normal_members_put(struct normal *normal, struct members_out *out, uint32_t index, const struct doc_node *value);
void normal_members_done(const struct members_out *members, struct doc_node *out);

/* What stands for the action of a task whose own could not be read, so that its id can still be named. */
struct doc_member normal_without_action(const struct doc_node *at);

/* ---- normal_tasks.c ---- */

int normal_tasks(struct normal *normal, const struct schema_value *want, struct orch_str what,
                 const struct doc_node *in, struct doc_node *out);
int normal_handler(struct normal *normal, const struct schema_value *want, struct orch_str what,
                   const struct doc_node *in, struct doc_node *out);
int normal_parameters(struct normal *normal, const struct schema_value *want, struct orch_str what,
                      const struct doc_node *in, struct doc_node *out);

#endif
