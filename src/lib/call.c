/*
 * call.c - inside of a task's function: what it is given, what it gives.
 *
 * On an ordinary run everything is the call's own copy; on the lane it is looked for when it is asked for, and memory
 * is taken by who needs some.
 */
#include "lib/internal.h"

#include <stdio.h>
#include <stdlib.h>

#define MEMBERS_MAX   10000u /* of an output, set one by one: each is looked for */
#define LINE_SIZE_MAX (64u << 10)

struct arena *call_arena(struct orch_call *call)
{
    if (!call->arena) {
        arena_init(&call->arena_own, call->execution->engine->allocator, 0);
        call->arena = &call->arena_own;
        call->has_arena = true;
    }
    return call->arena;
}

/*
 * Who and where.
 */
struct orch_str orch_call_execution(struct orch_call *call)
{
    return call->base ? call->base->execution_id : str_from(call->execution->id);
}

struct orch_str orch_call_task(struct orch_call *call)
{
    if (call->base) return call->base->task_path;
    return workflow_task_name(call->execution->workflow, call->task, call->room);
}

struct orch_str orch_call_key(struct orch_call *call)
{
    if (call->base) return call->base->key;
    struct orch_str key = arena_printf(call_arena(call), "%s/%.*s/%u", call->execution->id,
                                       STR_ARG(orch_call_task(call)), fast_generation(call->execution));
    return key.data ? key : STR("");
}

uint32_t orch_call_attempt(const struct orch_call *call)
{
    return call->base ? call->base->attempt_number : 1;
}

bool orch_call_is_stopped(const struct orch_call *call)
{
    return call->base ? call->base->is_stopped(call->base) : fast_is_stopped(call->execution);
}

/*
 * What it is given.
 */
struct path {
    struct orch_str text;
    size_t at;
};

/* A name, up to '.', '[' or the end. */
static struct orch_str path_name(struct path *path)
{
    size_t from = path->at;

    while (path->at < path->text.size && path->text.data[path->at] != '.' && path->text.data[path->at] != '[')
        path->at++;
    return str_of(path->text.data + from, path->at - from);
}

/* Goes one step into a value: ".name" or "[3]". */
static const struct value *path_step(struct path *path, const struct value *value)
{
    if (path->text.data[path->at++] == '.') return value_get(*value, path_name(path));
    size_t end = str_find(path->text, STR("]"), path->at);
    uint64_t index;
    if (end == SIZE_MAX || !str_to_uint64(str_of(path->text.data + path->at, end - path->at), &index)) return NULL;
    path->at = end + 1;
    return value->kind == VALUE_LIST && index < value->size ? &value->items[index] : NULL;
}

static int find_input(struct orch_call *call, struct orch_str task, struct orch_str *ret)
{
    if (!call->base) return fast_input(call, task, ret);
    for (uint32_t i = 0; i < call->base->inputs_count; i++)
        if (str_equal(call->base->inputs[i].task, task)) {
            *ret = call->base->inputs[i].output;
            return 0;
        }
    return ORCH_ERR_NOT_FOUND;
}

static const struct value *find_parameter(const struct orch_call *call, struct orch_str name)
{
    if (!call->base) return NULL; /* what takes the lane has none */
    const struct value *found = value_get(call->base->parameters, name);
    return found ? found : value_get(call->base->execution_parameters, name);
}

/* All parameters: the execution's, and over them the task's own. */
static int all_parameters(struct orch_call *call, struct value *ret)
{
    if (!call->base) return value_map(NULL, 0, call_arena(call), ret);
    struct value own = call->base->parameters, all = call->base->execution_parameters;
    struct value_member *members = ARENA_ARRAY(call->arena, (size_t)own.size + all.size, struct value_member);
    uint32_t count = 0;
    if (!members) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < own.size; i++) members[count++] = value_members(own)[i];
    for (uint32_t i = 0; i < all.size; i++)
        if (!value_get_key(own, value_members(all)[i].key)) members[count++] = value_members(all)[i];
    return value_map(members, count, call->arena, ret);
}

static int find_value(struct orch_call *call, const char *text, struct value *ret)
{
    struct path path = {.text = str_from(text)};
    struct value root = value_null();
    const struct value *value = NULL;
    struct orch_str output;

    if (!text) return all_parameters(call, ret);
    struct orch_str name = path_name(&path);
    struct orch_str rest = str_of(path.text.data + path.at, path.text.size - path.at);
    bool is_output =
        str_starts_with(rest, STR(".output")) && (rest.size == 7 || rest.data[7] == '.' || rest.data[7] == '[');
    int r = is_output ? find_input(call, name, &output) : ORCH_ERR_NOT_FOUND;
    if (r == 0) {
        path.at += 7;
        r = json_parse(output, NULL, call_arena(call), &root, NULL);
        if (r) return r == ORCH_ERR_NO_MEMORY ? r : ORCH_ERR_INVALID;
        value = &root;
    } else if (r != ORCH_ERR_NOT_FOUND) {
        return r;
    } else if (str_is(name, "params") && rest.size && rest.data[0] == '.') {
        path.at++;
        value = find_parameter(call, path_name(&path));
    } else {
        value = find_parameter(call, name);
    }
    while (value && path.at < path.text.size) value = path_step(&path, value);
    if (!value) return ORCH_ERR_NOT_FOUND;
    *ret = *value;
    return 0;
}

int orch_call_get_json(struct orch_call *call, const char *path, struct orch_str *ret)
{
    struct value value;
    struct buf json;
    int r = find_value(call, path, &value);

    if (r) return r;
    buf_init(&json, NULL, 0);
    json_format(value, 0, &json);
    struct orch_str text = json.failed ? STR_NONE : arena_str(call_arena(call), buf_str(&json));
    buf_done(&json);
    if (!text.data) return ORCH_ERR_NO_MEMORY;
    *ret = text;
    return 0;
}

int orch_call_get_string(struct orch_call *call, const char *path, struct orch_str *ret)
{
    struct value value;
    int r = find_value(call, path, &value);

    if (r) return r;
    if (value.kind != VALUE_STRING) return ORCH_ERR_INVALID;
    struct orch_str text = text_copy(call_arena(call), value_str(value));
    if (!text.data) return ORCH_ERR_NO_MEMORY;
    *ret = text;
    return 0;
}

int orch_call_get_int(struct orch_call *call, const char *path, int64_t *ret)
{
    struct value value;
    int r = find_value(call, path, &value);

    if (r) return r;
    if (value.kind != VALUE_INT) return ORCH_ERR_INVALID;
    *ret = value.integer;
    return 0;
}

int orch_call_get_double(struct orch_call *call, const char *path, double *ret)
{
    struct value value;
    int r = find_value(call, path, &value);

    if (r) return r;
    if (value.kind == VALUE_DOUBLE)
        *ret = value.real;
    else if (value.kind == VALUE_INT)
        *ret = (double)value.integer;
    else if (value.kind == VALUE_UINT)
        *ret = (double)value.uinteger;
    else if (value.kind != VALUE_NUMBER || !str_to_double(value_str(value), ret))
        return ORCH_ERR_INVALID;
    return 0;
}

int orch_call_get_bool(struct orch_call *call, const char *path, bool *ret)
{
    struct value value;
    int r = find_value(call, path, &value);

    if (r) return r;
    if (value.kind != VALUE_BOOL) return ORCH_ERR_INVALID;
    *ret = value.boolean;
    return 0;
}

/*
 * What it gives.
 */
static int set(struct orch_call *call, const char *key, struct value value)
{
    if (!key) {
        call->output = value;
        call->has_output = true;
        call->is_object = false;
        call->members_count = 0;
        return 0;
    }
    struct orch_str name = str_from(key);
    if (!utf8_is_valid(name, NULL)) return ORCH_ERR_INVALID;
    if (!call->is_object) call->members_count = 0; /* what was set as a whole is given up */
    call->has_output = call->is_object = true;
    for (uint32_t i = 0; i < call->members_count; i++)
        if (str_equal(value_str(call->members[i].key), name)) {
            call->members[i].value = value;
            return 0;
        }
    if (call->members_count == call->members_capacity) {
        uint32_t wanted = call->members_capacity ? call->members_capacity * 2 : 8;
        if (wanted > MEMBERS_MAX) wanted = MEMBERS_MAX;
        if (wanted == call->members_capacity) return ORCH_ERR_LIMIT;
        struct value_member *grown = ARENA_ARRAY(call_arena(call), wanted, struct value_member);
        if (!grown) return ORCH_ERR_NO_MEMORY;
        if (call->members_count) memcpy(grown, call->members, call->members_count * sizeof *grown);
        call->members = grown;
        call->members_capacity = wanted;
    }
    struct orch_str kept = arena_str(call_arena(call), name);
    if (!kept.data) return ORCH_ERR_NO_MEMORY;
    call->members[call->members_count++] = (struct value_member){value_string(kept), value};
    return 0;
}

int call_output(struct orch_call *call, struct value *ret)
{
    if (!call->is_object) {
        *ret = call->has_output ? call->output : value_null();
        return 0;
    }
    return value_map(call->members, call->members_count, call->arena, ret);
}

int orch_call_set_json(struct orch_call *call, const char *key, const char *json)
{
    struct value value;

    if (!json) return ORCH_ERR_INVALID;
    struct orch_str kept = arena_str(call_arena(call), str_from(json));
    if (!kept.data) return ORCH_ERR_NO_MEMORY;
    int r = json_parse(kept, NULL, call->arena, &value, NULL);
    return r ? r : set(call, key, value);
}

int orch_call_set_string(struct orch_call *call, const char *key, const char *text, size_t size)
{
    struct orch_str given = size == SIZE_MAX ? str_from(text) : str_of(text, size);

    if (!utf8_is_valid(given, NULL) || given.size > UINT32_MAX) return ORCH_ERR_INVALID;
    struct orch_str kept = text_copy(call_arena(call), given);
    return kept.data ? set(call, key, value_string(kept)) : ORCH_ERR_NO_MEMORY;
}

int orch_call_set_int(struct orch_call *call, const char *key, int64_t value)
{
    return set(call, key, value_int(value));
}

int orch_call_set_double(struct orch_call *call, const char *key, double value)
{
    return set(call, key, value_double(value));
}

int orch_call_set_bool(struct orch_call *call, const char *key, bool value)
{
    return set(call, key, value_bool(value));
}

/*
 * What it says.
 */
static void log_line(struct orch_call *call, struct orch_str line)
{
    if (call->base)
        call->base->log(call->base, line);
    else
        fast_log(call, line);
}

void orch_call_log(struct orch_call *call, const char *format, ...)
{
    struct buf text;
    va_list args;

    buf_init(&text, NULL, 0);
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    struct orch_str rest = buf_str(&text);
    if (text.failed) rest = STR("(a line was lost: out of memory)");
    for (;;) {
        size_t end = str_find(rest, STR("\n"), 0);
        struct orch_str line = end == SIZE_MAX ? rest : str_of(rest.data, end);
        /* As long lines of programs are. */
        if (line.size > LINE_SIZE_MAX) line.size = end = LINE_SIZE_MAX;
        log_line(call, line);
        if (end == SIZE_MAX) break;
        size_t next = end < rest.size && rest.data[end] == '\n' ? end + 1 : end;
        rest = str_of(rest.data + next, rest.size - next);
        if (rest.size == 0) break;
    }
    buf_done(&text);
}

int orch_call_fail(struct orch_call *call, int code, const char *format, ...)
{
    struct buf text;
    va_list args;

    buf_init(&text, NULL, 0); /* cut where it is told */
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    if (text.failed && text.size == 0)
        call->message = STR("why cannot be said: out of memory");
    else
        call->message = arena_str(call_arena(call), buf_str(&text));
    buf_done(&text);
    return code < 0 ? code : ORCH_ERR_TASK_FAILED;
}

/*
 * On an ordinary run, on a worker thread.
 */
int call_trampoline(const struct action_function_call *base, void *user, struct value *ret_output,
                    struct orch_error *err)
{
    const struct lib_function *function = user;
    struct orch_call call = {.base = base, .arena = base->arena};
    int code = function->function(&call, function->user);

    if (code > 0 || (code < 0 && strcmp(orch_error_name(code), "UNKNOWN") == 0)) code = ORCH_ERR_TASK_FAILED;
    if (code) {
        struct orch_str message = call.message.size ? call.message : str_from(orch_error_text(code));
        return error_set(err, code, "%.*s", STR_ARG(message));
    }
    return call_output(&call, ret_output) ? error_memory(err) : 0;
}
