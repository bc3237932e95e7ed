/*
 * read.c - reading a definition: from text to a workflow that is checked and ready to run.
 *
 * The document is brought into normal form (normal.c), the model is made from that (read_*.c), the graph and the names
 * are checked (graph.c, names_check.c), and the normal form is kept as JSON: reading it again gives the same.
 */
#include "lang/reader.h"

#include "base/error.h"
#include "base/time.h"

int reading_add_site(struct reading *reading, const struct site *site)
{
    if (reading->sites_count == reading->sites_capacity) {
        size_t capacity = reading->sites_capacity ? reading->sites_capacity * 2 : 64;
        struct site *sites = mem_resize(reading->scratch->allocator, reading->sites,
                                        reading->sites_capacity * sizeof *sites, capacity * sizeof *sites);
        if (!sites) return ORCH_ERR_NO_MEMORY;
        reading->sites = sites;
        reading->sites_capacity = capacity;
    }
    reading->sites[reading->sites_count++] = *site;
    return 0;
}

struct block *reader_block(struct reader *reader, const struct task *owner, enum block_role role, uint32_t task_count)
{
    struct arena *arena = reader->base.arena;
    if (reader->block_count == reader->block_capacity) {
        uint32_t capacity = reader->block_capacity ? reader->block_capacity * 2 : 16;
        struct block **blocks = mem_resize(reader->base.scratch->allocator, reader->blocks,
                                           reader->block_capacity * sizeof *blocks, capacity * sizeof *blocks);
        if (!blocks) return NULL;
        reader->blocks = blocks;
        reader->block_capacity = capacity;
    }
    struct block *block = ARENA_NEW(arena, struct block);
    struct task *tasks = ARENA_ARRAY(arena, task_count, struct task);
    if (!block || !tasks) return NULL;
    for (uint32_t i = 0; i < task_count; i++) {
        tasks[i].block = block;
        tasks[i].index = i;
        tasks[i].rank = 1;
    }
    block->workflow = reader->base.workflow;
    block->owner = owner;
    block->role = role;
    block->tasks = tasks;
    block->task_count = task_count;
    block->number = reader->block_count;
    reader->blocks[reader->block_count++] = block;
    return block;
}

/* -1: memory is short; -2: there are as many as there may be. */
int reader_pool(struct reader *reader, struct orch_str name, bool *ret_added)
{
    bool added = false;
    if (ret_added) *ret_added = false;
    struct map_entry *entry = map_find(&reader->pools_by_name, name);
    if (entry) return (int)entry->number;
    if (reader->pool_count == POOLS_MAX) return -2;
    if (reader->pool_count == reader->pool_capacity) {
        uint32_t capacity = reader->pool_capacity ? reader->pool_capacity * 2 : 8;
        struct pool *pools = mem_resize(reader->base.scratch->allocator, reader->pools,
                                        reader->pool_capacity * sizeof *pools, capacity * sizeof *pools);
        if (!pools) return -1;
        reader->pools = pools;
        reader->pool_capacity = capacity;
    }
    struct pool *pool = &reader->pools[reader->pool_count];
    *pool = (struct pool){0};
    if (read_str(reader, name, &pool->name)) return -1;
    entry = map_add(&reader->pools_by_name, pool->name, &added);
    if (!entry) return -1;
    entry->number = reader->pool_count;
    if (ret_added) *ret_added = true;
    return (int)reader->pool_count++;
}

/* ---- the workflow's own keys ---- */

static int read_name(struct reader *reader, const struct doc_node *node, struct orch_str file)
{
    struct orch_str name = STR("workflow");
    if (node) {
        name = node->text;
        for (size_t i = 0; i < name.size; i++)
            if ((unsigned char)name.data[i] < 0x20) {
                diag_add(reader_diags(reader), DIAG_ERROR, DIAG_BAD_NAME, doc_span(node),
                         "a control character in the workflow's name");
                break;
            }
    } else if (file.size) {
        size_t start = file.size;
        while (start > 0 && file.data[start - 1] != '/') start--;
        struct orch_str base = str_of(file.data + start, file.size - start);
        static const char *const endings[] = {".yaml", ".yml", ".json"};
        for (size_t i = 0; i < 3; i++)
            if (base.size > strlen(endings[i]) && str_ends_with(base, str_from(endings[i]))) {
                base.size -= strlen(endings[i]);
                break;
            }
        if (base.size && !str_is(base, "-")) name = base;
    }
    return read_str(reader, name, &reader->base.workflow->name);
}

static int declare_pools(struct reader *reader, const struct doc_node *node)
{
    for (uint32_t i = 0; i < node->count; i++) {
        const struct doc_member *member = &node->members[i];
        int index = reader_pool(reader, member->key.text, NULL);
        if (index == -1) return ORCH_ERR_NO_MEMORY;
        if (index < 0) {
            diag_add(reader_diags(reader), DIAG_ERROR, DIAG_TOO_LONG, doc_span(&member->key), "more than %d pools",
                     POOLS_MAX);
            return 0;
        }
        reader->pools[index].declared = true;
        reader->pools[index].slots = (uint32_t)read_integer(&member->value);
    }
    return 0;
}

static void bad_schedule(struct reader *reader, const struct doc_node *at, const char *message, const char *help)
{
    struct diag *diag = diag_add(reader_diags(reader), DIAG_ERROR, DIAG_BAD_SCHEDULE, doc_span(at), "%s", message);
    diag_help(reader_diags(reader), diag, "%s", help);
}

/* Five fields of the characters that cron has. What they mean is checked by who fires it. */
static bool is_cron(struct orch_str text)
{
    text = str_trim(text);
    if (text.size && text.data[0] == '@') {
        static const char *const words[] = {"@hourly",  "@daily",  "@midnight", "@weekly",
                                            "@monthly", "@yearly", "@annually"};
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (str_is(text, words[i])) return true;
        return false;
    }
    int fields = 0;
    bool inside = false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool field =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || memchr("*/,-?#", c, 6);
        if (!field && c != ' ') return false;
        if (field && !inside) fields++;
        inside = field;
    }
    return fields == 5;
}

static void check_schedule(struct reader *reader, const struct doc_node *node)
{
    const struct doc_node *slots[SCHEDULE_KEYS];
    const struct schema_map *map = schema_workflow.keys[WORKFLOW_SCHEDULE].value.items->map;
    schema_slots(map, node, slots);
    int given = (slots[SCHEDULE_CRON] != NULL) + (slots[SCHEDULE_EVERY] != NULL) + (slots[SCHEDULE_AT] != NULL);
    orch_time ignored;
    if (given != 1)
        bad_schedule(reader, node, "a schedule has one of cron, every and at",
                     "write  {cron: \"0 2 * * *\"}  or  {every: 1h}");
    if (slots[SCHEDULE_CRON] && !is_cron(slots[SCHEDULE_CRON]->text))
        bad_schedule(reader, slots[SCHEDULE_CRON], "cron has five fields",
                     "minute, hour, day of month, month, day of week: \"0 2 * * *\"");
    if (slots[SCHEDULE_EVERY]) read_duration(reader, slots[SCHEDULE_EVERY], false, &ignored);
    if (slots[SCHEDULE_JITTER]) read_duration(reader, slots[SCHEDULE_JITTER], true, &ignored);
    if (slots[SCHEDULE_AT] && time_parse(slots[SCHEDULE_AT]->text, &ignored))
        diag_add(reader_diags(reader), DIAG_ERROR, DIAG_BAD_MOMENT, doc_span(slots[SCHEDULE_AT]),
                 "\"%.*s\" is no moment", STR_ARG(slots[SCHEDULE_AT]->text));
    if (slots[SCHEDULE_TIMEZONE] && !slots[SCHEDULE_CRON])
        bad_schedule(reader, slots[SCHEDULE_TIMEZONE], "\"timezone\" has no effect without cron", "remove it");
}

static int read_schedule(struct reader *reader, const struct doc_node *node)
{
    if (node->kind == DOC_LIST)
        for (uint32_t i = 0; i < node->count; i++) check_schedule(reader, &node->items[i]);
    else
        check_schedule(reader, node);
    struct diag *diag = diag_add(reader_diags(reader), DIAG_WARNING, DIAG_SCHEDULE_IDLE, doc_span(node),
                                 "the schedule is kept, but nothing fires it yet");
    diag_help(reader_diags(reader), diag, "start the workflow from cron or a systemd timer meanwhile");
    return read_value(reader, node, &reader->base.workflow->schedule);
}

static int read_limits(struct reader *reader, const struct doc_node *const *slots)
{
    struct workflow *workflow = reader->base.workflow;
    if (slots[WORKFLOW_CONCURRENCY]) {
        const struct doc_node *limits[CONCURRENCY_KEYS];
        schema_slots(schema_workflow.keys[WORKFLOW_CONCURRENCY].value.map, slots[WORKFLOW_CONCURRENCY], limits);
        if (limits[CONCURRENCY_EXECUTION])
            workflow->concurrency = (uint32_t)read_integer(limits[CONCURRENCY_EXECUTION]);
        if (limits[CONCURRENCY_WORKFLOW])
            workflow->concurrency_workflow = (uint32_t)read_integer(limits[CONCURRENCY_WORKFLOW]);
    }
    if (slots[WORKFLOW_PRIORITY]) workflow->priority = (int32_t)read_integer(slots[WORKFLOW_PRIORITY]);
    if (slots[WORKFLOW_TIMEOUT]) read_duration(reader, slots[WORKFLOW_TIMEOUT], false, &workflow->timeout_us);
    if (slots[WORKFLOW_FAIL_FAST]) workflow->fail_fast = read_bool(slots[WORKFLOW_FAIL_FAST]);
    return slots[WORKFLOW_SCHEDULE] ? read_schedule(reader, slots[WORKFLOW_SCHEDULE]) : 0;
}

static int read_header(struct reader *reader, const struct doc_node *const *slots, struct orch_str file)
{
    struct workflow *workflow = reader->base.workflow;
    if (slots[WORKFLOW_ORCH] && read_integer(slots[WORKFLOW_ORCH]) != 1) {
        struct diag *diag =
            diag_add(reader_diags(reader), DIAG_ERROR, DIAG_FORMAT_VERSION, doc_span(slots[WORKFLOW_ORCH]),
                     "version %.*s of the format is not known here", STR_ARG(slots[WORKFLOW_ORCH]->text));
        diag_help(reader_diags(reader), diag, "this orch reads version 1: a newer one may be needed");
    }
    int r = read_name(reader, slots[WORKFLOW_NAME], file);
    if (!r) r = read_str(reader, file, &workflow->source_file);
    if (!r && slots[WORKFLOW_DESCRIPTION])
        r = read_str(reader, slots[WORKFLOW_DESCRIPTION]->text, &workflow->description);
    if (!r && slots[WORKFLOW_VERSION]) r = read_str(reader, slots[WORKFLOW_VERSION]->text, &workflow->version);
    if (!r && slots[WORKFLOW_TAGS])
        r = read_names(reader, slots[WORKFLOW_TAGS], &workflow->tags, &workflow->tags_count);
    reader->base.secrets = slots[WORKFLOW_SECRETS];
    if (!r && slots[WORKFLOW_SECRETS])
        r = read_names(reader, slots[WORKFLOW_SECRETS], &workflow->secrets, &workflow->secrets_count);
    if (!r && slots[WORKFLOW_PARAMETERS]) r = read_parameters(reader, slots[WORKFLOW_PARAMETERS]);
    if (!r && slots[WORKFLOW_POOLS]) r = declare_pools(reader, slots[WORKFLOW_POOLS]);
    return r ? r : read_limits(reader, slots);
}

static int read_blocks(struct reader *reader, const struct doc_node *const *slots)
{
    struct workflow *workflow = reader->base.workflow;
    static const struct doc_node none = {.kind = DOC_MAP};
    const struct doc_node *tasks = slots[WORKFLOW_TASKS] ? slots[WORKFLOW_TASKS] : &none;
    int r = read_block(reader, tasks, read_mode(slots[WORKFLOW_MODE]), BLOCK_BODY, NULL, &workflow->body);
    if (!r && slots[WORKFLOW_ON_ERROR])
        r = read_handler(reader, slots[WORKFLOW_ON_ERROR], BLOCK_ON_ERROR, NULL, &workflow->on_error);
    if (!r && slots[WORKFLOW_FINALLY])
        r = read_handler(reader, slots[WORKFLOW_FINALLY], BLOCK_FINALLY, NULL, &workflow->finally);
    struct where where = {NULL, workflow->body, SITE_ENV};
    if (!r && slots[WORKFLOW_ENV])
        r = read_env(reader, slots[WORKFLOW_ENV], where, &workflow->env, &workflow->env_count);
    if (r || !slots[WORKFLOW_OUTPUT]) return r;
    struct template *output = ARENA_NEW(reader->base.arena, struct template);
    if (!output) return ORCH_ERR_NO_MEMORY;
    workflow->output = output;
    where.kind = SITE_OUTPUT;
    return read_template(reader, slots[WORKFLOW_OUTPUT], where, output);
}

/* What was collected in scratch moves to the model. */
static int keep_lists(struct reader *reader)
{
    struct workflow *workflow = reader->base.workflow;
    struct arena *arena = reader->base.arena;
    struct block **blocks = ARENA_ARRAY(arena, reader->block_count, struct block *);
    struct pool *pools = ARENA_ARRAY(arena, reader->pool_count, struct pool);
    if (!blocks || !pools) return ORCH_ERR_NO_MEMORY;
    if (reader->block_count) memcpy(blocks, reader->blocks, reader->block_count * sizeof *blocks);
    if (reader->pool_count) memcpy(pools, reader->pools, reader->pool_count * sizeof *pools);
    workflow->blocks = (const struct block *const *)blocks;
    workflow->block_count = reader->block_count;
    workflow->task_count = reader->task_count;
    workflow->pools = pools;
    workflow->pools_count = reader->pool_count;
    return 0;
}

static int keep_normal(struct reader *reader, const struct doc_node *root)
{
    struct buf json;
    buf_init(&json, reader->base.scratch->allocator, 0);
    normal_json(root, &json);
    int r = json.failed ? ORCH_ERR_NO_MEMORY : read_str(reader, buf_str(&json), &reader->base.workflow->normal);
    buf_done(&json);
    return r;
}

/* ---- all of it ---- */

static int read_model(struct reader *reader, const struct doc_node *root, struct orch_str file)
{
    const struct doc_node *slots[WORKFLOW_KEYS];
    schema_slots(&schema_workflow, root, slots);
    int r = read_header(reader, slots, file);
    if (!r) r = read_blocks(reader, slots);
    if (!r) r = keep_lists(reader);
    if (!r) r = names_check(&reader->base);
    return r;
}

/* A failure with errors in diags as the code that fits them. */
static int outcome(struct diags *diags, uint32_t errors_before, struct orch_str file)
{
    if (diags->failed) return ORCH_ERR_NO_MEMORY;
    if (diags->error_count == errors_before) return 0;
    diags_sort(diags);
    return diags_to_error(diags, file, NULL);
}

static int read_root(struct reader *reader, const struct doc_node *document, struct orch_str file)
{
    struct diags *diags = reader_diags(reader);
    uint32_t errors = diags->error_count;
    struct normal normal = {.scratch = reader->base.scratch, .diags = diags};
    struct doc_node root;
    int r = normal_workflow(&normal, document, &root);
    if (!r && root.kind != DOC_ABSENT) r = read_model(reader, &root, file);
    if (!r) r = outcome(diags, errors, file);
    if (!r) r = keep_normal(reader, &root);
    return r;
}

int workflow_read_doc(const struct doc_node *root, struct orch_str file, struct arena *arena, struct diags *diags,
                      const struct workflow **ret)
{
    struct arena scratch;
    arena_init(&scratch, arena->allocator, 0);
    struct reader reader = {
        .base = {.arena = arena, .scratch = &scratch, .diags = diags, .workflow = ARENA_NEW(arena, struct workflow)}};
    map_init(&reader.pools_by_name, arena->allocator);
    int r = ORCH_ERR_NO_MEMORY;
    if (reader.base.workflow) {
        reader.base.workflow->arena = arena;
        reader.base.workflow->schedule = value_null();
        r = read_root(&reader, root, file);
    }
    if (!r) {
        diags_sort(diags);
        *ret = reader.base.workflow;
    }
    mem_resize(arena->allocator, reader.base.sites, reader.base.sites_capacity * sizeof *reader.base.sites, 0);
    mem_resize(arena->allocator, reader.blocks, reader.block_capacity * sizeof *reader.blocks, 0);
    mem_resize(arena->allocator, reader.pools, reader.pool_capacity * sizeof *reader.pools, 0);
    map_done(&reader.pools_by_name);
    arena_done(&scratch);
    return r;
}

int workflow_read(struct orch_str text, struct orch_str file, struct arena *arena, struct diags *diags,
                  const struct workflow **ret)
{
    static const struct doc_limits limits = {.depth_max = DOC_DEPTH_MAX, .nodes_max = DOC_NODES_MAX};
    struct arena document;
    const struct doc_node *root;
    arena_init(&document, arena->allocator, 0);
    int r = doc_parse(text, &limits, &document, diags, &root);
    if (!r)
        r = workflow_read_doc(root, file, arena, diags, ret);
    else if (r != ORCH_ERR_NO_MEMORY)
        diags_sort(diags);
    arena_done(&document);
    return r;
}
