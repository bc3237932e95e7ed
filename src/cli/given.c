/*
 * given.c - what a verb is given to run: a definition's file, parameters.
 */
#include "cli/cli.h"

#include <sys/stat.h>

#include "base/error.h"
#include "sys/file.h"

#define FILE_SIZE_MAX ((size_t)1 << 30)

static bool is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

static bool is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

int cli_find_definition(const char *name, struct arena *arena, struct orch_str *ret, struct orch_error *err)
{
    static const char *const endings[] = {".yaml", ".yml", ".json"};
    struct orch_str given = str_from(name);
    while (given.size > 1 && given.data[given.size - 1] == '/') given.size--;
    if (is_file(name)) {
        *ret = arena_str(arena, given);
        return ret->data ? 0 : error_memory(err);
    }
    size_t base = given.size;
    while (base > 0 && given.data[base - 1] != '/') base--;
    for (size_t i = 0; i < 3; i++) {
        struct orch_str tries[3] = {
            arena_printf(arena, "%.*s%s", STR_ARG(given), endings[i]),
            arena_printf(arena, "%.*s/orch%s", STR_ARG(given), endings[i]),
            arena_printf(arena, "%.*s/%.*s%s", STR_ARG(given), (int)(given.size - base), given.data + base, endings[i]),
        };
        for (size_t n = 0; n < 3; n++) {
            if (!tries[n].data) return error_memory(err);
            if (!is_file(tries[n].data)) continue;
            *ret = tries[n];
            return 0;
        }
    }
    error_set(err, ORCH_ERR_NOT_FOUND, is_directory(name) ? "there is no workflow file in %s" : "there is no file %s",
              name);
    error_hint(err, is_directory(name) ? "looked for orch.yaml and a file named like the folder"
                                       : "give the path of a workflow file (.yaml or .json)");
    return ORCH_ERR_NOT_FOUND;
}

int cli_given_parameters(const char *file, const struct option_list *list, struct arena *arena, struct value *ret,
                         struct orch_error *err)
{
    struct value from_file = value_null();
    if (file) {
        struct orch_str text;
        int r = file_read(file, FILE_SIZE_MAX, arena, &text, err);
        if (!r) r = json_parse(text, NULL, arena, &from_file, err);
        if (!r && from_file.kind != VALUE_MAP) r = error_set(err, ORCH_ERR_USAGE, "the parameters are no JSON object");
        if (r) {
            if (err && !err->file[0]) snprintf(err->file, sizeof err->file, "%s", file);
            return r;
        }
    }
    uint32_t count = from_file.kind == VALUE_MAP ? from_file.size : 0;
    struct value_member *members = ARENA_ARRAY(arena, (size_t)count + list->count, struct value_member);
    if (!members) return error_memory(err);
    if (count) memcpy(members, value_members(from_file), count * sizeof *members);
    for (uint32_t i = 0; i < list->count; i++) {
        struct orch_str text = str_from(list->items[i]);
        size_t equals = str_find(text, STR("="), 0);
        if (equals == SIZE_MAX || equals == 0) {
            error_set(err, ORCH_ERR_USAGE, "-p wants name=value, not \"%s\"", list->items[i]);
            return ORCH_ERR_USAGE;
        }
        if (!utf8_is_valid(text, NULL))
            return error_set(err, ORCH_ERR_USAGE, "the value of -p %.*s is not UTF-8", (int)equals, text.data);
        struct value key = value_string(str_of(text.data, equals)),
                     value = value_string(str_of(text.data + equals + 1, text.size - equals - 1));
        uint32_t at = 0;
        while (at < count && !value_equal(members[at].key, key)) at++;
        members[at] = (struct value_member){key, value};
        if (at == count) count++;
    }
    if (value_map(members, count, arena, ret)) return error_memory(err);
    return 0;
}
