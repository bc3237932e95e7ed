/*
 * normal_edit.c - maps of a document that are changed before they are looked at.
 */
#include "base/error.h"
#include "lang/normal.h"

int map_edit_init(struct normal *normal, struct map_edit *edit, const struct doc_node *map)
{
    edit->count = map->count;
    edit->capacity = map->count + 8;
    edit->members = ARENA_ARRAY(normal->scratch, edit->capacity, struct doc_member);
    if (!edit->members) return ORCH_ERR_NO_MEMORY;
    if (map->count) memcpy(edit->members, map->members, map->count * sizeof *edit->members);
    return 0;
}

void map_edit_remove(struct map_edit *edit, uint32_t index)
{
    memmove(edit->members + index, edit->members + index + 1, (edit->count - index - 1) * sizeof *edit->members);
    edit->count--;
}

struct doc_member *map_edit_find(struct map_edit *edit, struct orch_str key)
{
    for (uint32_t i = 0; i < edit->count; i++)
        if (str_equal(edit->members[i].key.text, key)) return &edit->members[i];
    return NULL;
}

struct doc_member *map_edit_add(struct map_edit *edit, struct orch_str key, const struct doc_node *at,
                                const struct doc_node *value)
{
    ORCH_ASSERT(edit->count < edit->capacity);
    struct doc_member *member = &edit->members[edit->count++];
    member->key = node_text(at, key);
    member->value = *value;
    return member;
}

void map_edit_done(const struct map_edit *edit, struct doc_node *map)
{
    map->members = edit->members;
    map->count = edit->count;
}

struct doc_node node_text(const struct doc_node *at, struct orch_str text)
{
    return (struct doc_node){
        .kind = DOC_STRING, .line = at->line, .column = at->column, .width = at->width, .text = text};
}
