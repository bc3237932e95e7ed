/*
 * doc.c - the entry to reading documents, and what asks the finished tree. The texts are read in doc_json.c and
 * doc_yaml.c.
 */
#include "lang/doc.h"

#include "base/error.h"
#include "base/map.h"
#include "lang/doc_build.h"

/* From so many members on, a hash table looks for keys that occur twice. */
#define SMALL_MAP 12

int doc_build_push(struct doc_build *build, const struct doc_node *node)
{
    int r = doc_build_count(build, 1, node);
    if (r) return r;
    if (build->count == build->capacity) {
        size_t capacity = build->capacity ? build->capacity * 2 : 64;
        struct doc_node *stack = mem_resize(build->arena->allocator, build->stack, build->capacity * sizeof *stack,
                                            capacity * sizeof *stack);
        if (!stack) return ORCH_ERR_NO_MEMORY;
        build->stack = stack;
        build->capacity = capacity;
    }
    build->stack[build->count++] = *node;
    return 0;
}

int doc_build_count(struct doc_build *build, uint64_t nodes, const struct doc_node *where)
{
    build->nodes += nodes;
    if (build->nodes <= build->nodes_max) return 0;
    diag_add(build->diags, DIAG_ERROR, DIAG_SIZE, doc_span(where), "more than %u values in one file", build->nodes_max);
    return ORCH_ERR_LIMIT;
}

int doc_build_too_deep(struct doc_build *build, const struct doc_node *where)
{
    diag_add(build->diags, DIAG_ERROR, DIAG_DEPTH, doc_span(where), "nested deeper than %u levels", build->depth_max);
    return ORCH_ERR_LIMIT;
}

int doc_build_list(struct doc_build *build, size_t from, struct doc_node *node)
{
    size_t count = build->count - from;
    struct doc_node *items = arena_alloc(build->arena, count * sizeof *items);
    if (!items) return ORCH_ERR_NO_MEMORY;
    if (count) memcpy(items, build->stack + from, count * sizeof *items);
    node->kind = DOC_LIST;
    node->count = (uint32_t)count;
    node->items = items;
    build->count = from;
    return 0;
}

static void report_duplicate(struct doc_build *build, const struct doc_node *first, const struct doc_node *again)
{
    struct diag *d = diag_add(build->diags, DIAG_ERROR, DIAG_DUPLICATE_KEY, doc_span(again),
                              "key \"%.*s\" occurs twice in one map", STR_ARG(again->text));
    diag_label(build->diags, d, "first given at line %u", first->line);
    diag_help(build->diags, d, "remove one of the two");
}

static int find_duplicates(struct doc_build *build, const struct doc_member *members, size_t count)
{
    if (count <= SMALL_MAP) {
        for (size_t i = 1; i < count; i++)
            for (size_t j = 0; j < i; j++)
                if (str_equal(members[i].key.text, members[j].key.text)) {
                    report_duplicate(build, &members[j].key, &members[i].key);
                    break;
                }
        return 0;
    }
    struct map seen;
    map_init(&seen, build->arena->allocator);
    int r = 0;
    for (size_t i = 0; i < count; i++) {
        bool added;
        struct map_entry *entry = map_add(&seen, members[i].key.text, &added);
        if (!entry) {
            r = ORCH_ERR_NO_MEMORY;
            break;
        }
        if (added)
            entry->number = i;
        else
            report_duplicate(build, &members[entry->number].key, &members[i].key);
    }
    map_done(&seen);
    return r;
}

int doc_build_map(struct doc_build *build, size_t from, struct doc_node *node)
{
    size_t size = (build->count - from) * sizeof *build->stack;
    size_t count = (build->count - from) / 2;
    struct doc_member *members = arena_alloc(build->arena, size);
    if (!members) return ORCH_ERR_NO_MEMORY;
    if (count) memcpy(members, build->stack + from, size);
    node->kind = DOC_MAP;
    node->count = (uint32_t)count;
    node->members = members;
    build->count = from;
    return find_duplicates(build, members, count);
}

_Static_assert(sizeof(struct doc_member) == 2 * sizeof(struct doc_node),
               "the stack is copied into members as it stands");

/* Where a byte of the text is, by counting; only for errors. */
static struct span place_of(struct orch_str text, size_t offset)
{
    struct span at = {1, 1, 1};
    size_t line_start = 0;
    for (size_t i = 0; i < offset && i < text.size; i++)
        if (text.data[i] == '\n') {
            at.line++;
            line_start = i + 1;
        }
    at.column = (uint32_t)utf8_count(str_of(text.data + line_start, offset - line_start)) + 1;
    return at;
}

/* What begins like JSON is held to be JSON, so that its errors are those of JSON. */
static bool looks_like_json(struct orch_str text)
{
    size_t i = 0;
    while (i < text.size &&
           (text.data[i] == ' ' || text.data[i] == '\t' || text.data[i] == '\n' || text.data[i] == '\r'))
        i++;
    if (i == text.size || text.data[i] != '{') return false;
    i++;
    while (i < text.size &&
           (text.data[i] == ' ' || text.data[i] == '\t' || text.data[i] == '\n' || text.data[i] == '\r'))
        i++;
    return i < text.size && (text.data[i] == '"' || text.data[i] == '}' || text.data[i] == '/');
}

int doc_parse(struct orch_str text, const struct doc_limits *limits, struct arena *arena, struct diags *diags,
              const struct doc_node **ret)
{
    struct doc_build build = {
        .text = text,
        .depth_max = limits && limits->depth_max ? limits->depth_max : 64,
        .nodes_max = limits && limits->nodes_max ? limits->nodes_max : 20000000,
        .arena = arena,
        .diags = diags,
    };
    size_t size_max = limits && limits->size_max ? limits->size_max : (size_t)1 << 30;
    uint32_t errors = diags->error_count;

    if (text.size > size_max) {
        diag_add(diags, DIAG_ERROR, DIAG_SIZE, (struct span){0}, "the file is larger than %zu bytes", size_max);
        return diags->failed ? ORCH_ERR_NO_MEMORY : ORCH_ERR_LIMIT;
    }
    if (str_starts_with(build.text, STR("\xEF\xBB\xBF"))) build.text = str_of(text.data + 3, text.size - 3);
    size_t bad;
    if (!utf8_is_valid(build.text, &bad)) {
        struct diag *d = diag_add(diags, DIAG_ERROR, DIAG_ENCODING, place_of(build.text, bad),
                                  "byte 0x%02x is not valid UTF-8 here", (unsigned char)build.text.data[bad]);
        diag_help(diags, d, "save the file as UTF-8");
        return diags->failed ? ORCH_ERR_NO_MEMORY : ORCH_ERR_INVALID;
    }

    struct doc_node root = {0};
    int r = looks_like_json(build.text) ? doc_json(&build, &root) : doc_yaml(&build, &root);
    mem_resize(arena->allocator, build.stack, build.capacity * sizeof *build.stack, 0);
    if (diags->failed) r = ORCH_ERR_NO_MEMORY;
    if (r == 0 && diags->error_count > errors) r = ORCH_ERR_INVALID;
    if (r) return r;

    struct doc_node *node = ARENA_NEW(arena, struct doc_node);
    if (!node) return ORCH_ERR_NO_MEMORY;
    *node = root;
    *ret = node;
    return 0;
}

const struct doc_node *doc_get(const struct doc_node *map, struct orch_str key)
{
    if (map->kind != DOC_MAP) return NULL;
    for (uint32_t i = 0; i < map->count; i++)
        if (str_equal(map->members[i].key.text, key)) return &map->members[i].value;
    return NULL;
}

/*
 * A number as JSON writes it. YAML's core schema has forms that JSON has not: +1 007 .5 5. 0x1F 0o17.
 */
void doc_number_json(struct orch_str text, struct buf *out)
{
    size_t i = 0;
    bool negative = false;
    if (i < text.size && (text.data[i] == '+' || text.data[i] == '-')) negative = text.data[i++] == '-';

    if (i + 1 < text.size && text.data[i] == '0' && (text.data[i + 1] == 'x' || text.data[i + 1] == 'o')) {
        uint64_t base = text.data[i + 1] == 'x' ? 16 : 8, number = 0;
        for (i += 2; i < text.size; i++) {
            char c = text.data[i];
            uint64_t digit = (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
            if (__builtin_mul_overflow(number, base, &number) || __builtin_add_overflow(number, digit, &number))
                number = UINT64_MAX;
        }
        buf_printf(out, "%llu", (unsigned long long)number);
        return;
    }
    if (negative) buf_add_char(out, '-');
    size_t end = i;
    while (end < text.size && text.data[end] >= '0' && text.data[end] <= '9') end++;
    while (i + 1 < end && text.data[i] == '0') i++;
    if (i == end) buf_add_char(out, '0');
    buf_add(out, str_of(text.data + i, end - i));
    if (end < text.size && text.data[end] == '.') {
        buf_add_char(out, '.');
        end++;
        if (end == text.size || text.data[end] < '0' || text.data[end] > '9') buf_add_char(out, '0');
    }
    buf_add(out, str_of(text.data + end, text.size - end));
}

static int number_value(const struct doc_node *node, struct arena *arena, struct value *ret)
{
    struct buf json;
    buf_init(&json, arena->allocator, 0);
    doc_number_json(node->text, &json);
    struct orch_str text = json.failed ? STR_NONE : arena_str(arena, buf_str(&json));
    buf_done(&json);
    if (!text.data) return ORCH_ERR_NO_MEMORY;
    return json_parse(text, NULL, arena, ret, NULL);
}

int doc_value(const struct doc_node *node, struct arena *arena, struct value *ret)
{
    switch ((enum doc_kind)node->kind) {
    case DOC_NULL: *ret = value_null(); return 0;
    case DOC_BOOL: *ret = value_bool(node->text.size > 0 && (node->text.data[0] | 0x20) == 't'); return 0;
    case DOC_NUMBER: return number_value(node, arena, ret);
    case DOC_STRING: *ret = value_string(node->text); return 0;
    case DOC_LIST: {
        struct value *items = ARENA_ARRAY(arena, node->count, struct value);
        if (!items) return ORCH_ERR_NO_MEMORY;
        for (uint32_t i = 0; i < node->count; i++) {
            int r = doc_value(&node->items[i], arena, &items[i]);
            if (r) return r;
        }
        *ret = value_list(items, node->count);
        return 0;
    }
    case DOC_MAP: {
        struct value_member *members = ARENA_ARRAY(arena, node->count, struct value_member);
        if (!members) return ORCH_ERR_NO_MEMORY;
        for (uint32_t i = 0; i < node->count; i++) {
            members[i].key = value_string(node->members[i].key.text);
            int r = doc_value(&node->members[i].value, arena, &members[i].value);
            if (r) return r;
        }
        return value_map(members, node->count, arena, ret);
    }
    }
    ORCH_ASSERT(!"a document node has one of the kinds");
    return ORCH_ERR_INTERNAL;
}

const char *doc_kind_text(const struct doc_node *node)
{
    switch ((enum doc_kind)node->kind) {
    case DOC_NULL: return "nothing";
    case DOC_BOOL: return "true or false";
    case DOC_NUMBER: return "a number";
    case DOC_STRING: return "a string";
    case DOC_LIST: return "a list";
    case DOC_MAP: return "a map";
    }
    return "something else";
}
