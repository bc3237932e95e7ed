/*
 * schema_find.c - asking the table of the language.
 */
#include "lang/schema.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int schema_find(const struct schema_map *map, struct orch_str name, int from, const struct schema_alias **ret_alias)
{
    if (ret_alias) *ret_alias = NULL;
    /* Keys in the order of the table, as the normal form has them, are found at the first look. */
    for (int i = from; i < map->key_count; i++)
        if (str_equal(map->keys[i].name, name)) return i;
    for (int i = 0; i < from && i < map->key_count; i++)
        if (str_equal(map->keys[i].name, name)) return i;
    for (int i = 0; i < map->alias_count; i++)
        if (str_equal(map->aliases[i].name, name)) {
            if (ret_alias) *ret_alias = &map->aliases[i];
            return map->aliases[i].key;
        }
    return -1;
}

struct orch_str schema_nearest(const struct schema_map *map, struct orch_str word)
{
    struct orch_str names[2 * SCHEMA_KEYS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < map->key_count; i++) names[count++] = map->keys[i].name;
    for (size_t i = 0; i < map->alias_count; i++) names[count++] = map->aliases[i].name;
    return str_nearest(word, names, count);
}

struct orch_str schema_nearest_choice(const char *const *choices, struct orch_str word)
{
    struct orch_str names[SCHEMA_KEYS_MAX];
    size_t count = 0;
    while (choices[count] && count < SCHEMA_KEYS_MAX) {
        names[count] = str_from(choices[count]);
        count++;
    }
    return str_nearest(word, names, count);
}

static const char *text_wants(const struct schema_value *value)
{
    switch ((enum schema_text)value->text) {
    case TEXT_ID: return "the id of a task";
    case TEXT_NAME: return "a name";
    case TEXT_DURATION: return "a duration such as \"30s\"";
    case TEXT_MOMENT: return "a moment such as \"2026-03-01T06:00:00Z\"";
    case TEXT_EXPRESSION: return "an expression";
    case TEXT_PATTERN: return "a regular expression";
    case TEXT_FREE:
    case TEXT_LITERAL:
    case TEXT_TEMPLATE:
    case TEXT_SHELL: break;
    }
    return "a string";
}

static void add_choice(struct buf *out, size_t *count, const char *text)
{
    if ((*count)++) buf_add_text(out, ", or ");
    buf_add_text(out, text);
}

void schema_wants(const struct schema_value *value, struct buf *out)
{
    size_t count = 0;
    switch ((enum schema_special)value->special) {
    case SPECIAL_TASKS: buf_add_text(out, "a map of tasks by their ids, or a list of tasks"); return;
    case SPECIAL_HANDLER: buf_add_text(out, "a task, or a map of tasks by their ids"); return;
    case SPECIAL_PARAMETERS: buf_add_text(out, "a map of parameters by their names, or a list of them"); return;
    case SPECIAL_NONE: break;
    }
    /* What stands for a map with one key comes before the map. */
    if ((value->kinds & SCHEMA_MAP) && value->map->short_key != SCHEMA_NO_KEY) {
        schema_wants(&value->map->keys[value->map->short_key].value, out);
        count++;
    }
    if (value->choices) {
        if (count++) buf_add_text(out, ", or ");
        for (size_t i = 0; value->choices[i]; i++)
            buf_printf(out, "%s%s", i == 0 ? "" : value->choices[i + 1] ? ", " : " or ", value->choices[i]);
    } else if (value->kinds & SCHEMA_TEXT) {
        add_choice(out, &count, text_wants(value));
    }
    if (value->kinds & SCHEMA_BOOL) add_choice(out, &count, "true or false");
    if (value->kinds & SCHEMA_INTEGER) add_choice(out, &count, "a whole number");
    if (value->kinds & SCHEMA_NUMBER) add_choice(out, &count, "a number");
    if (value->kinds & SCHEMA_LIST) {
        add_choice(out, &count, "a list");
        if (value->items->kinds == SCHEMA_TEXT)
            buf_add_text(out, value->items->text == TEXT_ID     ? " of ids"
                              : value->items->text == TEXT_NAME ? " of names"
                                                                : " of strings");
    }
    if (value->kinds & (SCHEMA_MAP | SCHEMA_NAMES)) add_choice(out, &count, "a map");
    if (value->kinds & SCHEMA_ANY) add_choice(out, &count, "a value");
}

void schema_slots(const struct schema_map *map, const struct doc_node *node, const struct doc_node **slots)
{
    for (size_t i = 0; i < map->key_count; i++) slots[i] = NULL;
    if (node->kind != DOC_MAP) {
        if (map->short_key != SCHEMA_NO_KEY) slots[map->short_key] = node;
        return;
    }
    int from = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        int key = schema_find(map, node->members[i].key.text, from, NULL);
        if (key < 0) continue;
        slots[key] = &node->members[i].value;
        from = key + 1;
    }
}
