/*
 * environment.c - the environment of a task's process.
 */
#include "actions/environment.h"

#include "base/error.h"

static const char *const base_names[] = {"PATH", "HOME",     "USER", "LOGNAME", "SHELL",
                                         "LANG", "LANGUAGE", "TZ",   "TMPDIR",  "TERM"};

/* The part before '='; the whole when there is none. */
static struct orch_str name_of(struct orch_str variable)
{
    size_t end = str_find(variable, STR("="), 0);

    return end == SIZE_MAX ? variable : str_of(variable.data, end);
}

static bool is_base_name(struct orch_str name)
{
    if (str_starts_with(name, STR("LC_"))) return true;
    for (size_t i = 0; i < sizeof(base_names) / sizeof(base_names[0]); i++) {
        if (str_is(name, base_names[i])) return true;
    }
    return false;
}

int environment_base_init(struct environment_base *base, char *const *environ_list, struct orch_error *err)
{
    uint32_t count = 0;
    bool has_path = false;

    arena_init(&base->arena, NULL, 0);
    base->count = 0;
    for (char *const *at = environ_list; at && *at; at++) count += is_base_name(name_of(str_from(*at)));
    base->list = ARENA_ARRAY(&base->arena, count + 1, struct orch_str);
    if (!base->list) goto no_memory;
    for (char *const *at = environ_list; at && *at; at++) {
        struct orch_str variable = str_from(*at);

        if (!is_base_name(name_of(variable)) || !memchr(variable.data, '=', variable.size)) continue;
        if (base->count == count) break; /* somebody changes the environment meanwhile */
        has_path |= str_is(name_of(variable), "PATH");
        base->list[base->count] = arena_str(&base->arena, variable);
        if (!base->list[base->count++].data) goto no_memory;
    }
    if (!has_path) base->list[base->count++] = STR("PATH=/usr/local/bin:/usr/bin:/bin");
    return 0;

no_memory:
    environment_base_done(base);
    return error_memory(err);
}

void environment_base_done(struct environment_base *base)
{
    arena_done(&base->arena);
    *base = (struct environment_base){0};
}

struct orch_str environment_name(const char *prefix, struct orch_str name, struct arena *arena)
{
    size_t prefix_size = strlen(prefix);
    char *out = arena_bytes(arena, prefix_size + name.size + 1);

    if (!out) return STR_NONE;
    memcpy(out, prefix, prefix_size);
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];

        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        else if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
            c = '_';
        out[prefix_size + i] = c;
    }
    out[prefix_size + name.size] = '\0';
    return str_of(out, prefix_size + name.size);
}

struct builder {
    struct arena *arena;
    struct orch_str *list;
    uint32_t count;
    bool is_plain;    /* nothing but the usual variables and our own, which are all different: names is not needed */
    struct map names; /* name -> index: a later one replaces */
    struct orch_error *err;
};

/* Adds or replaces; `replace` false: the first one stays. */
static int add(struct builder *b, struct orch_str name, struct orch_str value, bool replace)
{
    struct map_entry *entry = NULL;
    bool added = true;
    char *text;

    if (value.size > 0 && memchr(value.data, '\0', value.size)) {
        return error_set(b->err, ORCH_ERR_INVALID, "the variable %.*s holds a NUL byte, which no environment can",
                         STR_ARG(name));
    }
    if (name.size + value.size + 2 > ENVIRONMENT_VARIABLE_MAX) {
        return error_set(b->err, ORCH_ERR_LIMIT,
                         "the variable %.*s is %zu bytes long; a process can be given 128 KiB in one", STR_ARG(name),
                         value.size);
    }
    if (!b->is_plain) entry = map_add(&b->names, name, &added);
    text = arena_bytes(b->arena, name.size + value.size + 2);
    if ((!entry && !b->is_plain) || !text) return error_memory(b->err);
    if (!added && !replace) return 0;
    uint64_t at = added ? b->count++ : entry->number;
    if (added && entry) entry->number = at;
    memcpy(text, name.data, name.size);
    text[name.size] = '=';
    if (value.size > 0) memcpy(text + name.size + 1, value.data, value.size);
    text[name.size + 1 + value.size] = '\0';
    b->list[at] = str_of(text, name.size + 1 + value.size);
    return 0;
}

/* A value as a variable holds it: a string as it is, everything else as JSON. */
static int text_of(struct value value, struct arena *arena, struct orch_str *ret, struct orch_error *err)
{
    struct buf buf;

    if (value.kind == VALUE_STRING) {
        *ret = value_str(value);
        return 0;
    }
    buf_init(&buf, NULL, 0);
    json_format(value, 0, &buf);
    *ret = buf.failed ? STR_NONE : arena_str(arena, buf_str(&buf));
    buf_done(&buf);
    return ret->data ? 0 : error_memory(err);
}

static int add_base(struct builder *b, const struct environment_base *base)
{
    for (uint32_t i = 0; i < base->count; i++) {
        if (!b->is_plain) {
            struct map_entry *entry = map_add(&b->names, name_of(base->list[i]), NULL);

            if (!entry) return error_memory(b->err);
            entry->number = b->count;
        }
        b->list[b->count++] = base->list[i]; /* no copy: it outlives the attempt */
    }
    return 0;
}

static int add_declared(struct builder *b, const struct action_attempt *attempt)
{
    const struct value_member *members = value_members(attempt->env);

    if (attempt->env.kind != VALUE_MAP) return 0;
    for (uint32_t i = 0; i < attempt->env.size; i++) {
        struct orch_str name, text;
        int result;

        if (members[i].key.kind != VALUE_STRING) return error_set(b->err, ORCH_ERR_INVALID, "a name in env is no text");
        name = value_str(members[i].key);
        if (name.size == 0 || memchr(name.data, '=', name.size) || memchr(name.data, '\0', name.size)) {
            return error_set(b->err, ORCH_ERR_INVALID, "\"%.*s\" cannot be the name of an environment variable",
                             STR_ARG(name));
        }
        if (str_starts_with(name, STR("ORCH_"))) {
            result =
                error_set(b->err, ORCH_ERR_INVALID, "the variable %.*s is not for the workflow to set", STR_ARG(name));
            error_hint(b->err, "names that begin with ORCH_ are the orchestrator's own");
            return result;
        }
        if (members[i].value.kind == VALUE_NULL) continue; /* null: not set */
        result = text_of(members[i].value, b->arena, &text, b->err);
        if (result == 0) result = add(b, name, text, true);
        if (result != 0) return result;
    }
    return 0;
}

/* A number in decimal; room is at least 21 bytes. */
static struct orch_str number_text(uint64_t number, char *room)
{
    size_t at = 20;

    do {
        room[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return str_of(room + at, 20 - at);
}

static int add_identity(struct builder *b, const struct action_attempt *attempt, const struct environment_dirs *dirs)
{
    char number_room[21], fence_room[21];
    struct orch_str number = number_text(attempt->attempt_number, number_room);
    struct orch_str fence = number_text(attempt->fence, fence_room);
    struct orch_str id = str_of(arena_bytes(b->arena, attempt->key.size + 1 + number.size),
                                attempt->key.size + 1 + number.size); /* key/attempt */
    const struct {
        struct orch_str name, value;
    } list[] = {
        {STR("ORCH_EXECUTION_ID"), attempt->execution_id},
        {STR("ORCH_WORKFLOW"), attempt->workflow_name},
        {STR("ORCH_TASK"), attempt->task_path},
        {STR("ORCH_ATTEMPT"), number},
        {STR("ORCH_ATTEMPT_ID"), id},
        {STR("ORCH_IDEMPOTENCY_KEY"), attempt->key},
        {STR("ORCH_FENCE"), fence},
        {STR("ORCH_SCRATCH"), dirs->scratch},
        {STR("ORCH_OUTPUT"), dirs->output},
        {STR("ORCH_INPUTS"), dirs->inputs},
    };

    if (!id.data) return error_memory(b->err);
    char *out = (char *)(uintptr_t)id.data;
    if (attempt->key.size > 0) memcpy(out, attempt->key.data, attempt->key.size);
    out[attempt->key.size] = '/';
    memcpy(out + attempt->key.size + 1, number.data, number.size);
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        int result = list[i].value.size > 0 ? add(b, list[i].name, list[i].value, true) : 0;

        if (result != 0) return result;
    }
    return 0;
}

static int add_parameters(struct builder *b, const struct action_attempt *attempt)
{
    const struct value_member *members = value_members(attempt->parameters);

    if (attempt->parameters.kind != VALUE_MAP) return 0;
    for (uint32_t i = 0; i < attempt->parameters.size; i++) {
        struct orch_str name, text;
        int result;

        if (members[i].key.kind != VALUE_STRING || members[i].value.kind == VALUE_NULL) continue;
        name = environment_name("ORCH_PARAM_", value_str(members[i].key), b->arena);
        if (!name.data) return error_memory(b->err);
        result = text_of(members[i].value, b->arena, &text, b->err);
        if (result == 0) result = add(b, name, text, false);
        if (result != 0) {
            if (result == ORCH_ERR_LIMIT) error_hint(b->err, "put what is so large into a file and pass its path");
            return result;
        }
    }
    return 0;
}

static int add_inputs(struct builder *b, const struct action_attempt *attempt)
{
    size_t total = 0;

    for (uint32_t i = 0; i < attempt->inputs_count; i++) {
        struct orch_str name, text = attempt->inputs[i].output;
        struct value value;
        int result;

        if (text.size > 2 * ENVIRONMENT_INPUT_MAX)
            continue; /* only in its file; twice, since escapes make text longer */
        if (text.size > 0 && text.data[0] == '"') {
            result = json_parse(text, NULL, b->arena, &value, b->err);
            if (result != 0) return error_context(b->err, "output of %.*s", STR_ARG(attempt->inputs[i].task));
            text = value_str(value);
            if (text.size > 0 && memchr(text.data, '\0', text.size)) continue;
        }
        if (text.size > ENVIRONMENT_INPUT_MAX || total + text.size > ENVIRONMENT_INPUTS_MAX) continue;
        total += text.size;
        name = environment_name("ORCH_OUTPUT_", attempt->inputs[i].task, b->arena);
        if (!name.data) return error_memory(b->err);
        result = add(b, name, text, false);
        if (result != 0) return result;
    }
    return 0;
}

int environment_build(const struct environment_base *base, const struct action_attempt *attempt,
                      const struct environment_dirs *dirs, const struct orch_str **ret, uint32_t *ret_count,
                      struct orch_error *err)
{
    struct builder b = {.arena = attempt->arena, .err = err};
    size_t most = base->count + 16 + (attempt->env.kind == VALUE_MAP ? attempt->env.size : 0) +
                  (attempt->parameters.kind == VALUE_MAP ? attempt->parameters.size : 0) +
                  (size_t)attempt->inputs_count;
    int result;

    b.list = ARENA_ARRAY(b.arena, most, struct orch_str);
    if (!b.list) return error_memory(err);
    b.is_plain = (attempt->env.kind != VALUE_MAP || attempt->env.size == 0) &&
                 (attempt->parameters.kind != VALUE_MAP || attempt->parameters.size == 0) && attempt->inputs_count == 0;
    map_init(&b.names, NULL);
    result = add_base(&b, base);
    if (result == 0) result = add_declared(&b, attempt);
    if (result == 0) result = add_identity(&b, attempt, dirs);
    if (result == 0) result = add_parameters(&b, attempt);
    if (result == 0) result = add_inputs(&b, attempt);
    map_done(&b.names);
    if (result != 0) return result;
    *ret = b.list;
    *ret_count = b.count;
    return 0;
}
