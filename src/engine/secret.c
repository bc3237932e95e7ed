/*
 * secret.c - secrets by name, from the environment or files. Their values are rendered into an attempt, never recorded,
 * and masked in what it writes.
 */
#include "internal.h"

#include "sys/file.h"
#include "sys/mask.h"

#define SECRET_SIZE_MAX (64u * 1024)

int secret_get(struct engine *engine, struct orch_str name, struct arena *arena, struct orch_str *ret,
               struct orch_error *err)
{
    char key[256];
    if (name.size == 0 || name.size > 128) return error_set(err, ORCH_ERR_NOT_FOUND, "no secret has such a name");
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return error_set(err, ORCH_ERR_NOT_FOUND, "no secret has such a name");
    }
    snprintf(key, sizeof key, "ORCH_SECRET_%.*s", STR_ARG(name));
    const struct engine_world *world = &engine->world;
    const char *value = world->environment(world->user, key);
    if (!value) value = world->environment(world->user, key + strlen("ORCH_SECRET_"));
    if (value) {
        *ret = arena_str(arena, str_from(value));
        return ret->data ? 0 : error_memory(err);
    }
    if (engine->options.secrets_dir) {
        struct orch_str path = arena_printf(arena, "%s/%.*s", engine->options.secrets_dir, STR_ARG(name));
        if (!path.data) return error_memory(err);
        struct orch_str content;
        int r = file_read(path.data, SECRET_SIZE_MAX, arena, &content, err);
        if (r == 0) {
            /* A file that was made with an editor ends in a line feed that is not part of the secret. */
            if (content.size && content.data[content.size - 1] == '\n') content.size--;
            *ret = content;
            return 0;
        }
        if (r != ORCH_ERR_NOT_FOUND) return r;
    }
    error_set(err, ORCH_ERR_NOT_FOUND, "secret \"%.*s\" is not set", STR_ARG(name));
    error_hint(err, "set the environment variable ORCH_SECRET_%.*s, or give --secrets DIR with a file of that name",
               STR_ARG(name));
    return ORCH_ERR_NOT_FOUND;
}

/* Programs print JSON: there it is written in another way, and has to be hidden as well. */
static int escape(struct secret *secret, struct arena *arena, struct orch_error *err)
{
    struct buf quoted;
    buf_init(&quoted, arena->allocator, 0);
    json_format_string(secret->value, &quoted);
    bool same = !quoted.failed && quoted.size == secret->value.size + 2;
    if (!quoted.failed && !same) secret->escaped = arena_str(arena, str_of(quoted.data + 1, quoted.size - 2));
    buf_done(&quoted);
    return same || secret->escaped.data ? 0 : error_memory(err);
}

static int add(struct engine_execution *execution, struct orch_str name, struct orch_error *err)
{
    for (struct secret *secret = execution->secrets; secret; secret = secret->next)
        if (str_equal(secret->name, name)) return 0;
    struct secret *secret = ARENA_NEW(&execution->arena, struct secret);
    if (!secret) return error_memory(err);
    int r = secret_get(execution->engine, name, &execution->arena, &secret->value, err);
    if (!r) r = escape(secret, &execution->arena, err);
    if (r) return r;
    secret->name = name;
    secret->next = execution->secrets;
    execution->secrets = secret;
    return 0;
}

/* Every secret that the definition names has to be there before anything is recorded or run. */
int secrets_load(struct engine_execution *execution, struct orch_error *err)
{
    const struct workflow *workflow = execution->version->workflow;
    for (uint32_t i = 0; i < workflow->secrets_count; i++) {
        int r = add(execution, workflow->secrets[i], err);
        if (r) return r;
    }
    for (uint32_t b = 0; b < workflow->block_count; b++)
        for (uint32_t t = 0; t < workflow->blocks[b]->task_count; t++) {
            const struct task_options *options = workflow->blocks[b]->tasks[t].options;
            for (uint32_t i = 0; options && i < options->secrets_count; i++) {
                int r = add(execution, options->secrets[i], err);
                if (r) return r;
            }
        }
    return 0;
}

/*
 * Masking.
 */
struct orch_str secrets_mask(const struct attempt *attempt, struct orch_str text, struct arena *arena)
{
    if (attempt->base.secrets_count == 0 || text.size == 0) return text;
    return mask_secrets(text, attempt->base.secrets, attempt->base.secrets_count, arena);
}

struct masking {
    const struct attempt *attempt;
    struct arena *arena;
    struct buf out;
};

static void put_masked(struct masking *masking, struct value value);

/* A text that was masked; data NULL: there was no memory for it. */
static void put_string(struct masking *masking, struct orch_str masked)
{
    if (masked.data)
        json_format_string(masked, &masking->out);
    else
        masking->out.failed = true;
}

/* A secret is not always a string: a number that holds one is hidden too. */
static void put_number(struct masking *masking, struct value value)
{
    size_t at = masking->out.size;
    json_format(value, 0, &masking->out);
    if (masking->out.failed) return;
    struct orch_str text = str_of(masking->out.data + at, masking->out.size - at);
    struct orch_str masked = secrets_mask(masking->attempt, text, masking->arena);
    if (masked.data == text.data) return;
    masking->out.size = at;
    put_string(masking, masked);
}

/* Keys that came to be alike are told apart by their place: a JSON object has each key once. */
static void put_key(struct masking *masking, struct orch_str key, uint32_t index)
{
    struct orch_str masked = secrets_mask(masking->attempt, key, masking->arena);
    if (masked.data && masked.data != key.data)
        masked = arena_printf(masking->arena, "%.*s #%u", STR_ARG(masked), index + 1);
    if (key.size == 0)
        json_format_string(key, &masking->out);
    else
        put_string(masking, masked);
}

static void put_masked(struct masking *masking, struct value value)
{
    struct buf *out = &masking->out;
    switch (value.kind) {
    case VALUE_STRING:
        if (value.size == 0)
            buf_add_text(out, "\"\"");
        else
            put_string(masking, secrets_mask(masking->attempt, value_str(value), masking->arena));
        return;
    case VALUE_LIST:
        buf_add_char(out, '[');
        for (uint32_t i = 0; i < value.size && !out->failed; i++) {
            if (i) buf_add_char(out, ',');
            put_masked(masking, value.items[i]);
        }
        buf_add_char(out, ']');
        return;
    case VALUE_MAP:
        buf_add_char(out, '{');
        for (uint32_t i = 0; i < value.size && !out->failed; i++) {
            if (i) buf_add_char(out, ',');
            put_key(masking, value_str(value_members(value)[i].key), i);
            buf_add_char(out, ':');
            put_masked(masking, value_members(value)[i].value);
        }
        buf_add_char(out, '}');
        return;
    case VALUE_INT:
    case VALUE_UINT:
    case VALUE_DOUBLE:
    case VALUE_NUMBER: put_number(masking, value); return;
    default: json_format(value, 0, out); return; /* JSON has true, false and null besides */
    }
}

/* In the text a secret may be written with escapes, and hiding a part of the text may leave no JSON: so it is done
 * value by value. */
struct orch_str secrets_mask_json(const struct attempt *attempt, struct orch_str json, struct arena *arena)
{
    struct value value;
    struct json_limits limits = {.depth_max = 10000};
    if (attempt->base.secrets_count == 0 || json.size == 0) return json;
    struct masking masking = {.attempt = attempt, .arena = arena};
    if (json_parse(json, &limits, arena, &value, NULL)) return STR_NONE;
    buf_init(&masking.out, arena->allocator, 0);
    put_masked(&masking, value);
    struct orch_str made = masking.out.failed ? STR_NONE : arena_str(arena, buf_str(&masking.out));
    buf_done(&masking.out);
    return made;
}
