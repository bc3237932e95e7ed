/*
 * import.c - what importers share.
 */
#include "lang/import.h"

#include <stdio.h>

#include "base/error.h"
#include "base/map.h"
#include "lang/normal.h"
#include "lang/reader.h"

#define ID_SIZE_MAX 128

const struct importer *const importers[] = {&import_wfformat, NULL};

struct import_names {
    struct arena arena;
    struct map numbers; /* name -> number */
    struct map ids;     /* id -> how often it was wanted */
};

void import_note(struct import_result *result, const char *what, struct orch_str example)
{
    for (uint32_t i = 0; i < result->notes_count; i++) {
        if (!str_is(result->notes[i].what, what)) continue;
        result->notes[i].count++;
        return;
    }
    ORCH_ASSERT(result->notes_count < IMPORT_NOTES_MAX);
    result->notes[result->notes_count++] = (struct import_note){str_from(what), 1, example};
}

struct import_names *import_names_new(void)
{
    struct import_names *names = mem_resize(NULL, NULL, 0, sizeof *names);
    if (!names) return NULL;
    arena_init(&names->arena, NULL, 0);
    map_init(&names->numbers, NULL);
    map_init(&names->ids, NULL);
    return names;
}

struct import_names *import_names_free(struct import_names *names)
{
    if (!names) return NULL;
    map_done(&names->numbers);
    map_done(&names->ids);
    arena_done(&names->arena);
    return mem_resize(NULL, names, sizeof *names, 0);
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

/* What may not stand in an id becomes an underscore, one for several. */
static size_t make_id(struct orch_str name, char out[ID_SIZE_MAX])
{
    size_t size = 0;
    if (name.size == 0 || !is_letter(name.data[0])) out[size++] = '_';
    for (size_t i = 0; i < name.size && size < ID_SIZE_MAX; i++) {
        char c = name.data[i];
        bool is_kept = is_letter(c) || (c >= '0' && c <= '9') || c == '-';
        if (!is_kept && size && out[size - 1] == '_') continue;
        out[size++] = is_kept ? c : '_';
    }
    if (name_is_reserved(str_of(out, size))) out[size++] = '_';
    return size;
}

int import_names_add(struct import_names *names, struct orch_str name, uint32_t number, struct orch_str *ret_id)
{
    char id[ID_SIZE_MAX];
    char suffix[24];
    bool is_new;
    struct orch_str kept = arena_str(&names->arena, name);
    if (!kept.data) return ORCH_ERR_NO_MEMORY;
    struct map_entry *entry = map_add(&names->numbers, kept, &is_new);
    if (!entry) return ORCH_ERR_NO_MEMORY;
    if (!is_new) return ORCH_ERR_EXISTS;
    entry->number = number;
    size_t size = make_id(name, id);
    for (;;) {
        struct map_entry *wanted = map_find(&names->ids, str_of(id, size));
        if (!wanted) break;
        /* The next number behind it; that may be taken by a name as well. */
        int digits = snprintf(suffix, sizeof suffix, "_%llu", (unsigned long long)++wanted->number + 1);
        size_t room = ID_SIZE_MAX - (size_t)digits;
        size = wanted->key.size < room ? wanted->key.size : room;
        memcpy(id, wanted->key.data, size);
        memcpy(id + size, suffix, (size_t)digits);
        size += (size_t)digits;
        if (!map_find(&names->ids, str_of(id, size))) break;
        memcpy(id, wanted->key.data, wanted->key.size);
        size = wanted->key.size;
    }
    struct orch_str id_kept = arena_str(&names->arena, str_of(id, size));
    if (!id_kept.data || !map_add(&names->ids, id_kept, NULL)) return ORCH_ERR_NO_MEMORY;
    *ret_id = id_kept;
    return 0;
}

bool import_names_find(const struct import_names *names, struct orch_str name, uint32_t *ret_number)
{
    struct map_entry *entry = map_find(&names->numbers, name);
    if (entry) *ret_number = (uint32_t)entry->number;
    return entry != NULL;
}

void import_literal(struct orch_str text, struct buf *out)
{
    struct buf escaped;
    size_t at = 0;
    if (str_find(text, STR("{{"), 0) == SIZE_MAX) {
        json_format_string(text, out);
        return;
    }
    buf_init(&escaped, NULL, 0);
    for (;;) {
        size_t found = str_find(text, STR("{{"), at);
        buf_add(&escaped, str_of(text.data + at, (found == SIZE_MAX ? text.size : found) - at));
        if (found == SIZE_MAX) break;
        buf_add_text(&escaped, "{{ \"{{\" }}");
        at = found + 2;
    }
    if (escaped.failed) out->failed = true;
    json_format_string(buf_str(&escaped), out);
    buf_done(&escaped);
}
