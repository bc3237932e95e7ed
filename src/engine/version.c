/*
 * version.c - definitions as they are used: read once, shared, pinned by digest.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "sys/file.h"

#define DEFINITION_SIZE_MAX (1024u * 1024 * 1024)
#define PINNED_MAX          1000 /* sub-workflows reachable from one definition */

struct engine_version *version_ref(struct engine_version *version)
{
    version->refs++;
    return version;
}

struct engine_version *engine_version_unref(struct engine_version *version)
{
    if (!version || --version->refs > 0) return NULL;
    struct engine_version **at = &version->engine->versions;
    while (*at && *at != version) at = &(*at)->next;
    if (*at) *at = version->next;
    arena_done(&version->arena);
    free(version);
    return NULL;
}

const struct workflow *engine_version_workflow(const struct engine_version *version)
{
    return version->workflow;
}

static struct engine_version *version_new(struct engine *engine, struct orch_error *err)
{
    struct engine_version *version = calloc(1, sizeof *version);
    if (!version) {
        error_memory(err);
        return NULL;
    }
    version->refs = 1;
    version->engine = engine;
    arena_init(&version->arena, engine->allocator, 0);
    version->next = engine->versions;
    engine->versions = version;
    return version;
}

/* With findings an error of the text; without, err says what. */
static int version_read(struct engine_version *version, struct orch_str text, struct orch_str file, struct diags *diags,
                        struct orch_error *err)
{
    int r = workflow_read(text, file, &version->arena, diags, &version->workflow);
    if (r == ORCH_ERR_NO_MEMORY) return error_memory(err);
    if (r) return diags_to_error(diags, file, err);
    store_digest(version->workflow->normal, version->digest);
    r = limits_measure(version, err);
    if (r && err) snprintf(err->file, sizeof err->file, "%.*s", STR_ARG(file));
    return r;
}

/* The next execution of a sub-workflow comes soon, most often: it is not read again each time. */
static void keep_recent(struct engine_version *version)
{
    struct engine *engine = version->engine;
    if (version->workflow->normal.size > ENGINE_RECENT_SIZE_MAX) return;
    struct engine_version **place = &engine->recent[engine->recent_next++ % ENGINE_RECENT];
    (void)engine_version_unref(*place);
    *place = version_ref(version);
}

void versions_forget_recent(struct engine *engine)
{
    for (uint32_t i = 0; i < ENGINE_RECENT; i++) engine->recent[i] = engine_version_unref(engine->recent[i]);
}

int version_store(struct engine_version *version, struct orch_error *err)
{
    if (version->stored) return 0;
    int r = store_put_definition(version->engine->store, str_from(version->digest), version->workflow->name,
                                 version->workflow->normal, err);
    if (!r) version->stored = true;
    return r;
}

int version_by_digest(struct engine *engine, struct orch_str digest, struct orch_str base_dir, struct orch_str file,
                      struct engine_version **ret, struct orch_error *err)
{
    for (struct engine_version *version = engine->versions; version; version = version->next)
        if (str_is(digest, version->digest) && str_equal(version->base_dir, base_dir)) {
            *ret = version_ref(version);
            return 0;
        }
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    struct orch_str normal;
    struct engine_version *version = NULL;
    int r = store_get_definition(engine->store, digest, &scratch, &normal, err);
    if (!r) {
        version = version_new(engine, err);
        if (!version) r = ORCH_ERR_NO_MEMORY;
    }
    struct diags *diags = r ? NULL : ARENA_NEW(&scratch, struct diags);
    if (!r && !diags) r = error_memory(err);
    if (!r) {
        diags_init(diags, &scratch);
        r = version_read(version, normal, file, diags, err);
        if (!r && !str_is(digest, version->digest))
            r = error_set(err, ORCH_ERR_CORRUPT, "the definition stored as %.12s is another one now: %.12s",
                          digest.data, version->digest);
    }
    if (!r) {
        version->base_dir = arena_str(&version->arena, base_dir);
        version->file = arena_str(&version->arena, file);
        version->stored = true;
        if (!version->base_dir.data || !version->file.data) r = error_memory(err);
    }
    arena_done(&scratch);
    if (r) {
        (void)engine_version_unref(version);
        return r;
    }
    keep_recent(version);
    *ret = version;
    return 0;
}

/*
 * Reading a file with all the sub-workflows it names, each once.
 */
struct pin {
    struct orch_str key; /* "<digest of who names it>/<name>" */
    struct engine_version *version;
};

struct loading {
    struct engine *engine;
    struct arena scratch;
    struct engine_version *versions[PINNED_MAX]; /* read; the first is the root; looked through in order */
    uint32_t versions_count;
    struct pin pins[PINNED_MAX];
    uint32_t pins_count;
    struct orch_error *err;
};

/* data NULL: memory is short. */
static struct orch_str directory_of(struct orch_str file, struct arena *arena)
{
    char *real = file.size ? realpath(file.data, NULL) : NULL;
    if (!real && file.size && errno == ENOMEM) return STR_NONE;
    struct orch_str path = real ? str_from(real) : STR_NONE;
    size_t end = path.size;
    while (end > 0 && path.data[end - 1] != '/') end--;
    struct orch_str directory;
    if (path.size)
        directory = arena_str(arena, end > 1 ? str_of(path.data, end - 1) : STR("/"));
    else {
        char *here = getcwd(NULL, 0);
        directory = here ? arena_str(arena, str_from(here)) : STR_NONE;
        free(here);
    }
    free(real);
    return directory;
}

static bool is_path(struct orch_str name)
{
    return str_find(name, STR("/"), 0) != SIZE_MAX || str_ends_with(name, STR(".yaml")) ||
           str_ends_with(name, STR(".yml")) || str_ends_with(name, STR(".json"));
}

static int find_file(struct loading *loading, const struct engine_version *from, struct orch_str name,
                     struct orch_str *ret_path, struct orch_str *ret_text)
{
    static const char *const endings[] = {".yaml", ".yml", ".json"};
    bool path = is_path(name);
    for (size_t i = 0; i < (path ? 1 : 3); i++) {
        struct orch_str file = name.data[0] == '/'
                                   ? arena_str(&loading->scratch, name)
                                   : arena_printf(&loading->scratch, "%.*s/%.*s%s", STR_ARG(from->base_dir),
                                                  STR_ARG(name), path ? "" : endings[i]);
        if (!file.data) return error_memory(loading->err);
        const struct engine_world *world = &loading->engine->world;
        int r =
            world->read_file(world->user, file.data, DEFINITION_SIZE_MAX, &loading->scratch, ret_text, loading->err);
        if (r == 0) *ret_path = file;
        if (r != ORCH_ERR_NOT_FOUND) return r;
    }
    error_set(loading->err, ORCH_ERR_DEPENDENCY, "workflow \"%.*s\" is not there", STR_ARG(name));
    error_hint(loading->err, path ? "the path counts from %.*s" : "looked for its .yaml, .yml and .json in %.*s",
               STR_ARG(from->base_dir));
    return ORCH_ERR_DEPENDENCY;
}

static int load_sub(struct loading *loading, struct engine_version *from, const struct task *task)
{
    struct orch_str key = arena_printf(&loading->scratch, "%s/%.*s", from->digest, STR_ARG(task->action->workflow));
    if (!key.data) return error_memory(loading->err);
    for (uint32_t i = 0; i < loading->pins_count; i++)
        if (str_equal(loading->pins[i].key, key)) return 0;
    struct orch_str path = STR_NONE, text = STR_NONE;
    int r = find_file(loading, from, task->action->workflow, &path, &text);
    if (r) {
        if (loading->err && r == ORCH_ERR_DEPENDENCY) {
            loading->err->line = task->line;
            loading->err->column = task->column;
            snprintf(loading->err->file, sizeof loading->err->file, "%.*s", STR_ARG(from->file));
        }
        return r;
    }
    struct engine_version *version = version_new(loading->engine, loading->err);
    if (!version) return ORCH_ERR_NO_MEMORY;
    struct diags *diags = ARENA_NEW(&loading->scratch, struct diags);
    if (!diags)
        r = error_memory(loading->err);
    else {
        diags_init(diags, &loading->scratch);
        r = version_read(version, text, path, diags, loading->err);
        if (r && diags->error_count)
            error_hint(loading->err, "orch validate %.*s  shows all that is wrong with it", STR_ARG(path));
    }
    if (!r) {
        version->base_dir = directory_of(path, &version->arena);
        version->file = arena_str(&version->arena, path);
        if (!version->base_dir.data || !version->file.data) r = error_memory(loading->err);
    }
    if (r) {
        (void)engine_version_unref(version);
        return r;
    }
    /* The same definition may be named from several places, or name itself. */
    for (uint32_t i = 0; i < loading->versions_count; i++)
        if (strcmp(loading->versions[i]->digest, version->digest) == 0 &&
            str_equal(loading->versions[i]->base_dir, version->base_dir)) {
            (void)engine_version_unref(version);
            version = version_ref(loading->versions[i]);
            break;
        }
    if (loading->pins_count == PINNED_MAX || (version->refs == 1 && loading->versions_count == PINNED_MAX)) {
        (void)engine_version_unref(version);
        return error_set(loading->err, ORCH_ERR_LIMIT, "more than %d sub-workflows", PINNED_MAX);
    }
    loading->pins[loading->pins_count++] = (struct pin){key, version};
    if (version->refs == 1) loading->versions[loading->versions_count++] = version;
    return 0;
}

static int load_all(struct loading *loading)
{
    for (uint32_t v = 0; v < loading->versions_count; v++) {
        const struct workflow *workflow = loading->versions[v]->workflow;
        for (uint32_t b = 0; b < workflow->block_count; b++)
            for (uint32_t t = 0; t < workflow->blocks[b]->task_count; t++) {
                const struct task *task = &workflow->blocks[b]->tasks[t];
                if (!task->action || task->action->kind != ACTION_WORKFLOW) continue;
                int r = load_sub(loading, loading->versions[v], task);
                if (r) return r;
            }
    }
    return 0;
}

static uint32_t pinned_version(const struct loading *loading, const struct engine_version *from,
                               const struct task *task)
{
    for (uint32_t i = 0; i < loading->pins_count; i++) {
        struct orch_str rest = loading->pins[i].key;
        if (!str_starts_with(rest, str_from(from->digest))) continue;
        size_t digest = strlen(from->digest) + 1;
        if (!str_equal(str_of(rest.data + digest, rest.size - digest), task->action->workflow)) continue;
        for (uint32_t v = 0; v < loading->versions_count; v++)
            if (loading->versions[v] == loading->pins[i].version) return v;
    }
    return UINT32_MAX;
}

/* The first task of a version, or of the sub-workflows it names, that takes slots of a pool; NULL when none does. Each
 * version is looked at once. */
static const struct task *find_pool_user(const struct loading *loading, uint32_t at, struct orch_str pool, bool *seen)
{
    if (at == UINT32_MAX || seen[at]) return NULL;
    seen[at] = true;
    const struct workflow *workflow = loading->versions[at]->workflow;
    const struct task *found = NULL;
    for (uint32_t b = 0; b < workflow->block_count && !found; b++)
        for (uint32_t t = 0; t < workflow->blocks[b]->task_count && !found; t++) {
            const struct task *task = &workflow->blocks[b]->tasks[t];
            for (uint32_t i = 0; task->options && i < task->options->pools_count; i++)
                if (str_equal(workflow->pools[task->options->pools[i].pool].name, pool)) found = task;
            if (!found && task->action && task->action->kind == ACTION_WORKFLOW)
                found = find_pool_user(loading, pinned_version(loading, loading->versions[at], task), pool, seen);
        }
    return found;
}

/* Who holds slots while a sub-workflow runs that wants some of the same pool may wait for itself, for ever. */
static int check_pools(struct loading *loading)
{
    bool *seen = ARENA_ARRAY(&loading->scratch, loading->versions_count, bool);
    if (!seen) return error_memory(loading->err);
    for (uint32_t v = 0; v < loading->versions_count; v++) {
        const struct workflow *workflow = loading->versions[v]->workflow;
        for (uint32_t b = 0; b < workflow->block_count; b++)
            for (uint32_t t = 0; t < workflow->blocks[b]->task_count; t++) {
                const struct task *task = &workflow->blocks[b]->tasks[t];
                if (!task->action || task->action->kind != ACTION_WORKFLOW || !task->options) continue;
                for (uint32_t i = 0; i < task->options->pools_count; i++) {
                    struct orch_str pool = workflow->pools[task->options->pools[i].pool].name;
                    memset(seen, 0, loading->versions_count * sizeof *seen);
                    uint32_t child = pinned_version(loading, loading->versions[v], task);
                    const struct task *user = find_pool_user(loading, child, pool, seen);
                    if (!user) continue;
                    error_set(loading->err, ORCH_ERR_DEPENDENCY,
                              "task \"%.*s\" holds pool \"%.*s\" while a task of its workflow, \"%.*s\", waits for it",
                              STR_ARG(task->id), STR_ARG(pool), STR_ARG(user->id));
                    error_hint(loading->err, "take the pool off one of them");
                    if (loading->err) {
                        loading->err->line = task->line;
                        loading->err->column = task->column;
                        snprintf(loading->err->file, sizeof loading->err->file, "%.*s",
                                 STR_ARG(loading->versions[v]->file));
                    }
                    return ORCH_ERR_DEPENDENCY;
                }
            }
    }
    return 0;
}

static int pin_all(struct loading *loading, struct engine_version *root)
{
    struct arena *arena = &root->arena;
    struct value_member *members = ARENA_ARRAY(arena, loading->pins_count, struct value_member);
    if (!members) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < loading->pins_count; i++) {
        struct engine_version *version = loading->pins[i].version;
        struct value_member *parts = ARENA_ARRAY(arena, 3, struct value_member);
        struct orch_str key = arena_str(arena, loading->pins[i].key),
                        digest = arena_str(arena, str_from(version->digest)),
                        base_dir = arena_str(arena, version->base_dir), file = arena_str(arena, version->file);
        if (!parts || !key.data || !digest.data || !base_dir.data || !file.data) return ORCH_ERR_NO_MEMORY;
        parts[0] = (struct value_member){value_string(STR("digest")), value_string(digest)};
        parts[1] = (struct value_member){value_string(STR("base_dir")), value_string(base_dir)};
        parts[2] = (struct value_member){value_string(STR("file")), value_string(file)};
        members[i].key = value_string(key);
        int r = value_map(parts, 3, arena, &members[i].value);
        if (r) return r;
    }
    return value_map(members, loading->pins_count, arena, &root->pinned);
}

int engine_load(struct engine *engine, struct orch_str text, struct orch_str file, struct diags *diags,
                struct engine_version **ret, struct orch_error *err)
{
    struct engine_version *root = version_new(engine, err);
    if (!root) return ORCH_ERR_NO_MEMORY;
    int r = version_read(root, text, file, diags, err);
    if (r) {
        (void)engine_version_unref(root);
        return r;
    }
    root->file = arena_str(&root->arena, file);
    root->base_dir = root->file.data ? directory_of(root->file, &root->arena) : STR_NONE;
    if (!root->base_dir.data) {
        (void)engine_version_unref(root);
        return error_memory(err);
    }
    struct loading *loading = calloc(1, sizeof *loading);
    if (!loading) {
        (void)engine_version_unref(root);
        return error_memory(err);
    }
    loading->engine = engine;
    loading->err = err;
    arena_init(&loading->scratch, NULL, 0);
    loading->versions[loading->versions_count++] = root;
    r = load_all(loading);
    if (!r) r = check_pools(loading);
    if (!r && pin_all(loading, root)) r = error_memory(err);
    /* What is pinned goes to the store with the root, so that a child can be made from it after a restart. */
    for (uint32_t i = 1; i < loading->versions_count && !r; i++) r = version_store(loading->versions[i], err);
    for (uint32_t i = 0; i < loading->pins_count; i++) (void)engine_version_unref(loading->pins[i].version);
    arena_done(&loading->scratch);
    free(loading);
    if (r) {
        (void)engine_version_unref(root);
        return r;
    }
    *ret = root;
    return 0;
}

struct recorded {
    struct engine_version *version;
    struct orch_error *err;
};

/* The first record begins with how it was started. */
static int take_pins(void *user, uint64_t first_seq, uint32_t count, struct orch_str record)
{
    struct recorded *recorded = user;
    struct engine_version *version = recorded->version;
    struct core_transitions list = {0};
    struct arena scratch;
    struct value data;
    (void)count;
    arena_init(&scratch, NULL, 0);
    int r = transitions_decode(record, &scratch, &list, recorded->err);
    if (!r && (first_seq != 1 || !list.count || list.items[0].type != TRANSITION_EXECUTION_STARTED))
        r = error_set(recorded->err, ORCH_ERR_CORRUPT, "the journal has no record 1");
    if (!r) r = json_parse(list.items[0].data, NULL, &scratch, &data, recorded->err);
    const struct value *pinned = r ? NULL : value_get(data, STR("subworkflows"));
    if (pinned && value_copy(*pinned, &version->arena, &version->pinned)) r = error_memory(recorded->err);
    arena_done(&scratch);
    return r ? r : 1;
}

int engine_load_recorded(struct engine *engine, int64_t number, struct engine_version **ret, struct orch_error *err)
{
    struct arena scratch;
    struct store_execution row;
    struct recorded recorded = {.err = err};
    arena_init(&scratch, NULL, 0);
    int r = store_get_execution(engine->store, number, &scratch, &row, err);
    if (!r) r = version_by_digest(engine, row.digest, row.base_dir, row.file, &recorded.version, err);
    if (!r) r = store_each_record(engine->store, number, 1, take_pins, &recorded, err);
    if (r == 1) r = 0;
    arena_done(&scratch);
    if (r) {
        (void)engine_version_unref(recorded.version);
        return r;
    }
    *ret = recorded.version;
    return 0;
}
