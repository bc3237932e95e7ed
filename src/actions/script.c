/*
 * script.c - a file with its interpreter, or text that becomes one.
 */
#include "actions/script.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#define SHEBANG_MAX 256 /* BINPRM_BUF_SIZE of Linux */

int script_strings(const struct value *value, const char *what, struct arena *arena, const struct orch_str **ret,
                   uint32_t *ret_count, struct orch_error *err)
{
    const struct value *items = value;
    uint32_t count = 1;
    struct orch_str *list;

    if (!value || value->kind == VALUE_NULL) {
        *ret = NULL;
        *ret_count = 0;
        return 0;
    }
    if (value->kind == VALUE_LIST) {
        items = value->items;
        count = value->size;
    }
    list = ARENA_ARRAY(arena, count, struct orch_str);
    if (!list) return error_memory(err);
    for (uint32_t i = 0; i < count; i++) {
        struct buf buf;

        if (items[i].kind == VALUE_STRING) {
            list[i] = value_str(items[i]);
            continue;
        }
        if (items[i].kind == VALUE_LIST || items[i].kind == VALUE_MAP || items[i].kind == VALUE_NULL) {
            return error_set(err, ORCH_ERR_INVALID, "%s[%u] is a %s; an argument is a text", what, i,
                             value_kind_name(items[i]));
        }
        buf_init(&buf, NULL, 0);
        json_format(items[i], 0, &buf);
        list[i] = buf.failed ? STR_NONE : arena_str(arena, buf_str(&buf));
        buf_done(&buf);
        if (!list[i].data) return error_memory(err);
        /* A timestamp or duration is a JSON string: without its quotes. */
        if (list[i].size >= 2 && list[i].data[0] == '"') list[i] = str_of(list[i].data + 1, list[i].size - 2);
    }
    *ret = list;
    *ret_count = count;
    return 0;
}

int path_join(struct orch_str base_dir, struct orch_str name, struct arena *arena, struct orch_str *ret,
              struct orch_error *err)
{
    char here[PATH_MAX];
    struct orch_str path;

    if (name.size > 0 && name.data[0] == '/')
        path = arena_str(arena, name);
    else if (base_dir.size > 0 && base_dir.data[0] == '/')
        path = arena_printf(arena, "%.*s/%.*s", STR_ARG(base_dir), STR_ARG(name));
    else if (!getcwd(here, sizeof(here)))
        return error_errno(err, errno, "cannot tell the working directory");
    else if (base_dir.size == 0)
        path = arena_printf(arena, "%s/%.*s", here, STR_ARG(name));
    else
        path = arena_printf(arena, "%s/%.*s/%.*s", here, STR_ARG(base_dir), STR_ARG(name));
    if (!path.data) return error_memory(err);
    while (path.size > 1 && path.data[path.size - 1] == '/') path.size--; /* of an empty name */
    *ret = arena_str(arena, path);
    return ret->data ? 0 : error_memory(err);
}

/* Words of a text by blanks. */
static int split_words(struct orch_str text, struct arena *arena, const struct orch_str **ret, uint32_t *ret_count,
                       struct orch_error *err)
{
    struct orch_str *list = ARENA_ARRAY(arena, text.size / 2 + 1, struct orch_str);
    uint32_t count = 0;

    if (!list) return error_memory(err);
    for (size_t i = 0; i < text.size;) {
        size_t begin;

        while (i < text.size && (text.data[i] == ' ' || text.data[i] == '\t')) i++;
        begin = i;
        while (i < text.size && text.data[i] != ' ' && text.data[i] != '\t') i++;
        if (i > begin) list[count++] = str_of(text.data + begin, i - begin);
    }
    *ret = list;
    *ret_count = count;
    return 0;
}

/* "#!/usr/bin/env python3" -> its interpreter and the rest as one argument, as the kernel has it. None: count 0. */
static int read_shebang(struct orch_str text, struct arena *arena, const struct orch_str **ret, uint32_t *ret_count,
                        struct orch_error *err)
{
    struct orch_str line, *list;
    size_t end, blank;

    *ret_count = 0;
    if (!str_starts_with(text, STR("#!"))) return 0;
    if (text.size > SHEBANG_MAX) text.size = SHEBANG_MAX;
    end = str_find(text, STR("\n"), 0);
    line = str_trim(str_of(text.data + 2, (end == SIZE_MAX ? text.size : end) - 2));
    if (line.size == 0) return 0;
    list = ARENA_ARRAY(arena, 2, struct orch_str);
    if (!list) return error_memory(err);
    for (blank = 0; blank < line.size && line.data[blank] != ' ' && line.data[blank] != '\t';) blank++;
    list[0] = str_of(line.data, blank);
    list[1] = str_trim(str_of(line.data + blank, line.size - blank));
    *ret = list;
    *ret_count = list[1].size > 0 ? 2 : 1;
    return 0;
}

/* A file that is run without a named interpreter: by itself when it may be executed, else by what its first line names.
 */
static int interpreter_of_file(const char *path, struct arena *arena, const struct orch_str **ret, uint32_t *ret_count,
                               struct orch_error *err)
{
    char first[SHEBANG_MAX];
    struct orch_str text;
    ssize_t size;
    int fd, result;

    *ret_count = 0;
    if (access(path, X_OK) == 0) return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is not waited for */
    if (fd < 0) return error_errno(err, errno, "cannot read the script %s", path);
    size = read(fd, first, sizeof(first));
    close(fd);
    text = arena_str(arena, str_of(first, size > 0 ? (size_t)size : 0));
    if (!text.data) return error_memory(err);
    result = read_shebang(text, arena, ret, ret_count, err);
    if (result == 0 && *ret_count == 0) {
        result = error_set(err, ORCH_ERR_DENIED, "the script %s is not executable and has no #! line", path);
        error_hint(err, "say what runs it, such as interpreter: python3");
    }
    return result;
}

int script_prepare(struct value config, struct orch_str base_dir, const struct scratch_slot *slot, struct arena *arena,
                   const struct orch_str **ret_argv, uint32_t *ret_count, struct orch_error *err)
{
    const struct value *file = value_get(config, STR("file")), *text = value_get(config, STR("text"));
    const struct value *interpreter = value_get(config, STR("interpreter"));
    const struct orch_str *words = NULL, *args = NULL;
    uint32_t words_count = 0, args_count = 0;
    struct orch_str path, *argv;
    int result = script_strings(value_get(config, STR("args")), "args", arena, &args, &args_count, err);

    if (result != 0) return result;
    if (interpreter && interpreter->kind == VALUE_STRING) {
        result = split_words(value_str(*interpreter), arena, &words, &words_count, err);
    } else {
        result = script_strings(interpreter, "interpreter", arena, &words, &words_count, err);
        if (result == 0 && words_count == 1) result = split_words(words[0], arena, &words, &words_count, err);
    }
    if (result != 0) return result;
    if (text && text->kind == VALUE_STRING) {
        result = scratch_write(slot->script, value_str(*text), 0700, err);
        if (result != 0) return result;
        path = str_from(slot->script);
        if (words_count == 0) result = read_shebang(value_str(*text), arena, &words, &words_count, err);
        if (result != 0) return result;
        if (words_count == 0) {
            argv = ARENA_ARRAY(arena, 1, struct orch_str);
            if (!argv) return error_memory(err);
            argv[0] = STR("/bin/sh");
            words = argv;
            words_count = 1;
        }
    } else if (file && file->kind == VALUE_STRING && value_str(*file).size > 0) {
        struct stat status;
        struct orch_str name = value_str(*file);

        result = path_join(base_dir, name, arena, &path, err);
        if (result != 0) return result;
        if (memchr(path.data, '\0', path.size))
            return error_set(err, ORCH_ERR_INVALID, "the script's path holds a NUL byte");
        if (stat(path.data, &status) != 0) return error_errno(err, errno, "cannot find the script %s", path.data);
        if (S_ISDIR(status.st_mode)) return error_set(err, ORCH_ERR_INVALID, "the script %s is a directory", path.data);
        if (words_count == 0) result = interpreter_of_file(path.data, arena, &words, &words_count, err);
        if (result != 0) return result;
    } else {
        return error_set(err, ORCH_ERR_INVALID, "a script needs a file or a text");
    }
    argv = ARENA_ARRAY(arena, (size_t)words_count + 1 + args_count, struct orch_str);
    if (!argv) return error_memory(err);
    for (uint32_t i = 0; i < words_count; i++) argv[i] = words[i];
    argv[words_count] = path;
    for (uint32_t i = 0; i < args_count; i++) argv[words_count + 1 + i] = args[i];
    *ret_argv = argv;
    *ret_count = words_count + 1 + args_count;
    return 0;
}
