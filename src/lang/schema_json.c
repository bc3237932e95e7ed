/*
 * schema_json.c - the table of the language as a JSON Schema (2020-12) of the normal form.
 */
#include "lang/model.h"
#include "lang/schema.h"

static void member(struct buf *out, bool *first, const char *key)
{
    if (!*first) buf_add_char(out, ',');
    *first = false;
    json_format_string(str_from(key), out);
    buf_add_char(out, ':');
}

static void string_member(struct buf *out, bool *first, const char *key, const char *text)
{
    member(out, first, key);
    json_format_string(str_from(text), out);
}

static void put_value(const struct schema_value *value, const char *description, struct buf *out);

static const char *text_pattern(uint8_t text)
{
    switch ((enum schema_text)text) {
    case TEXT_ID: return "^[A-Za-z_][A-Za-z0-9_-]*$";
    case TEXT_NAME: return "^[A-Za-z_][A-Za-z0-9_]*$";
    case TEXT_DURATION: return "^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h|d|w))+$|^P[0-9WDTHMS.]+$|\\{\\{";
    case TEXT_FREE:
    case TEXT_LITERAL:
    case TEXT_MOMENT:
    case TEXT_EXPRESSION:
    case TEXT_TEMPLATE:
    case TEXT_SHELL:
    case TEXT_PATTERN: break;
    }
    return NULL;
}

static void put_text(const struct schema_value *value, struct buf *out)
{
    if (value->choices) {
        buf_add_text(out, "\"enum\":[");
        for (size_t i = 0; value->choices[i]; i++) {
            if (i) buf_add_char(out, ',');
            json_format_string(str_from(value->choices[i]), out);
        }
        buf_add_char(out, ']');
        return;
    }
    buf_add_text(out, "\"type\":\"string\"");
    if (value->min > 0) buf_printf(out, ",\"minLength\":%lld", (long long)value->min);
    if (value->max > 0) buf_printf(out, ",\"maxLength\":%lld", (long long)value->max);
    if (text_pattern(value->text)) {
        buf_add_text(out, ",\"pattern\":");
        json_format_string(str_from(text_pattern(value->text)), out);
    }
}

static void put_number(const struct schema_value *value, const char *type, struct buf *out)
{
    buf_printf(out, "\"type\":\"%s\"", type);
    if (value->min != INT64_MIN) buf_printf(out, ",\"minimum\":%lld", (long long)value->min);
    if (value->max != INT64_MAX) buf_printf(out, ",\"maximum\":%lld", (long long)value->max);
}

/* A list of alternatives within anyOf. */
struct choices {
    struct buf *out;
    size_t count;
};

static void next_choice(struct choices *choices)
{
    if (choices->count++) buf_add_text(choices->out, "},{");
}

static void put_kinds(const struct schema_value *value, struct choices *choices)
{
    struct buf *out = choices->out;
    if (value->kinds & SCHEMA_ANY) {
        next_choice(choices);
        return;
    }
    if (value->kinds & SCHEMA_TEXT) {
        next_choice(choices);
        put_text(value, out);
    }
    if ((value->kinds & SCHEMA_MAP) && value->map->short_key != SCHEMA_NO_KEY)
        put_kinds(&value->map->keys[value->map->short_key].value, choices);
    if (value->kinds & SCHEMA_BOOL) {
        next_choice(choices);
        buf_add_text(out, "\"type\":\"boolean\"");
    }
    if (value->kinds & SCHEMA_INTEGER) {
        next_choice(choices);
        put_number(value, "integer", out);
    }
    if (value->kinds & SCHEMA_NUMBER) {
        next_choice(choices);
        put_number(value, "number", out);
    }
    if (value->kinds & SCHEMA_LIST) {
        next_choice(choices);
        buf_add_text(out, "\"type\":\"array\",\"items\":");
        put_value(value->items, NULL, out);
        if (value->kinds & SCHEMA_LONE) put_kinds(value->items, choices);
    }
    if (value->kinds & SCHEMA_MAP) {
        next_choice(choices);
        buf_printf(out, "\"$ref\":\"#/$defs/%s\"", value->map->name);
    }
    if (value->kinds & SCHEMA_NAMES) {
        next_choice(choices);
        buf_add_text(out, "\"type\":\"object\",\"additionalProperties\":");
        put_value(value->items, NULL, out);
        if (text_pattern(value->text)) {
            buf_add_text(out, ",\"propertyNames\":{\"pattern\":");
            json_format_string(str_from(text_pattern(value->text)), out);
            buf_add_char(out, '}');
        }
    }
    if (value->kinds & SCHEMA_NULL) {
        next_choice(choices);
        buf_add_text(out, "\"type\":\"null\"");
    }
}

static void put_value(const struct schema_value *value, const char *description, struct buf *out)
{
    buf_add_char(out, '{');
    if (description) {
        bool first = true;
        string_member(out, &first, "description", description);
        if (!(value->kinds & SCHEMA_ANY)) buf_add_char(out, ',');
    }
    if (!(value->kinds & SCHEMA_ANY)) {
        /* One alternative stands by itself; how many there are shows when they are written. */
        size_t start = out->size;
        struct choices choices = {out, 0};
        buf_add_text(out, "\"anyOf\":[{");
        size_t prefix = out->size - start;
        put_kinds(value, &choices);
        if (choices.count > 1) {
            buf_add_text(out, "}]");
        } else if (!out->failed) {
            memmove(out->data + start, out->data + start + prefix, out->size - start - prefix + 1);
            out->size -= prefix;
        }
    }
    buf_add_char(out, '}');
}

/* Exactly one of the keys that say what a task does. */
static void put_one_of(const struct schema_map *map, struct buf *out)
{
    bool any = false;
    for (size_t i = 0; i < map->key_count; i++) {
        if (!(map->keys[i].flags & SCHEMA_ACTION)) continue;
        buf_add_text(out, any ? "},{\"required\":[" : ",\"oneOf\":[{\"required\":[");
        json_format_string(map->keys[i].name, out);
        buf_add_char(out, ']');
        any = true;
    }
    if (any) buf_add_text(out, "}]");
}

static void put_map(const struct schema_map *map, struct buf *out)
{
    bool first = true, required = false;
    string_member(out, &first, "description", map->description);
    string_member(out, &first, "type", "object");
    buf_add_text(out, ",\"additionalProperties\":false,\"properties\":{");
    for (size_t i = 0; i < map->key_count; i++) {
        if (i) buf_add_char(out, ',');
        json_format_string(map->keys[i].name, out);
        buf_add_char(out, ':');
        put_value(&map->keys[i].value, map->keys[i].description, out);
    }
    buf_add_char(out, '}');
    for (size_t i = 0; i < map->key_count; i++) {
        if (!(map->keys[i].flags & SCHEMA_REQUIRED)) continue;
        buf_add_text(out, required ? "," : ",\"required\":[");
        json_format_string(map->keys[i].name, out);
        required = true;
    }
    if (required) buf_add_char(out, ']');
    put_one_of(map, out);
}

void workflow_schema(struct buf *out)
{
    bool first = true;
    buf_add_char(out, '{');
    string_member(out, &first, "$schema", "https://json-schema.org/draft/2020-12/schema");
    string_member(out, &first, "title", "Workflow of orch");
    string_member(out, &first, "$ref", "#/$defs/workflow");
    buf_add_text(out, ",\"$defs\":{");
    for (size_t i = 0; schema_maps[i]; i++) {
        if (i) buf_add_char(out, ',');
        json_format_string(str_from(schema_maps[i]->name), out);
        buf_add_text(out, ":{");
        put_map(schema_maps[i], out);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "}}");
}
