/*
 * read_options.c - what few tasks have: environment, retry, pools, loops.
 */
#include "lang/reader.h"

#include "base/error.h"

int read_env(struct reader *reader, const struct doc_node *node, struct where where, const struct env_entry **ret,
             uint32_t *ret_count)
{
    where.kind = SITE_ENV;
    struct env_entry *entries = ARENA_ARRAY(reader->base.arena, node->count, struct env_entry);
    if (!entries) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < node->count; i++) {
        int r = read_str(reader, node->members[i].key.text, &entries[i].name);
        if (!r) r = read_template(reader, &node->members[i].value, where, &entries[i].value);
        if (r) return r;
    }
    *ret = entries;
    *ret_count = node->count;
    return 0;
}

int read_names(struct reader *reader, const struct doc_node *node, const struct orch_str **ret, uint32_t *ret_count)
{
    struct orch_str *names = ARENA_ARRAY(reader->base.arena, node->count, struct orch_str);
    if (!names) return ORCH_ERR_NO_MEMORY;
    struct map seen;
    map_init(&seen, reader->base.scratch->allocator);
    int r = 0;
    for (uint32_t i = 0; i < node->count && !r; i++) {
        bool added = false;
        r = read_str(reader, node->items[i].text, &names[i]);
        if (!r && !map_add(&seen, names[i], &added)) r = ORCH_ERR_NO_MEMORY;
        if (!r && !added)
            diag_add(reader_diags(reader), DIAG_ERROR, DIAG_DOUBLE_NAME, doc_span(&node->items[i]),
                     "\"%.*s\" occurs twice", STR_ARG(names[i]));
    }
    map_done(&seen);
    if (r) return r;
    *ret = names;
    *ret_count = node->count;
    return 0;
}

/* Where a word stands among the choices; the table has checked that it is one of them. */
static int choice_index(const char *const *choices, struct orch_str word)
{
    for (int i = 0; choices[i]; i++)
        if (str_is(word, choices[i])) return i;
    return 0;
}

/* ---- retry ---- */

static uint32_t failure_mask(const struct doc_node *node)
{
    static const enum failure failures[] = {
#define FAILURE(name, number, text) FAILURE_##name,
        FAILURE_LIST(FAILURE)
#undef FAILURE
    };
    uint32_t mask = 0;
    for (uint32_t i = 0; i < node->count; i++)
        for (size_t k = 0; k < sizeof failures / sizeof *failures; k++)
            if (str_is(node->items[i].text, failure_to_string(failures[k]))) mask |= 1u << failures[k];
    return mask;
}

static int exit_codes(struct reader *reader, const struct doc_node *node, struct retry_policy *retry)
{
    uint8_t *codes = (uint8_t *)arena_bytes(reader->base.arena, node->count);
    if (!codes) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < node->count; i++) codes[i] = (uint8_t)read_integer(&node->items[i]);
    retry->exit_codes = codes;
    retry->exit_code_count = node->count;
    return 0;
}

int read_retry(struct reader *reader, const struct doc_node *node, const struct retry_policy **ret)
{
    const struct doc_node *slots[RETRY_KEYS];
    schema_slots(&schema_retry, node, slots);
    struct retry_policy *retry = ARENA_NEW(reader->base.arena, struct retry_policy);
    if (!retry) return ORCH_ERR_NO_MEMORY;
    *retry = (struct retry_policy){
        .attempts_max = slots[RETRY_MAX_ATTEMPTS] ? (uint32_t)read_integer(slots[RETRY_MAX_ATTEMPTS]) : 3,
        .backoff = BACKOFF_EXPONENTIAL,
        .delay_us = ORCH_SECOND,
        .delay_max_us = 300 * ORCH_SECOND,
        .factor = 2,
    };
    if (slots[RETRY_BACKOFF]) retry->backoff = (enum backoff)choice_index(schema_backoffs, slots[RETRY_BACKOFF]->text);
    retry->jitter = retry->backoff == BACKOFF_EXPONENTIAL ? 1 : 0;
    if (slots[RETRY_DELAY]) read_duration(reader, slots[RETRY_DELAY], true, &retry->delay_us);
    if (slots[RETRY_MAX_DELAY])
        read_duration(reader, slots[RETRY_MAX_DELAY], true, &retry->delay_max_us);
    else if (retry->delay_max_us < retry->delay_us)
        retry->delay_max_us = retry->delay_us;
    if (slots[RETRY_FACTOR]) {
        retry->factor = read_number(slots[RETRY_FACTOR]);
        if (retry->backoff != BACKOFF_EXPONENTIAL)
            diag_add(reader_diags(reader), DIAG_ERROR, DIAG_KEY_NOT_HERE, doc_span(slots[RETRY_FACTOR]),
                     "\"factor\" is for backoff: exponential only");
    }
    if (slots[RETRY_JITTER]) retry->jitter = read_number(slots[RETRY_JITTER]);
    if (slots[RETRY_ON]) retry->on_mask = failure_mask(slots[RETRY_ON]);
    if (slots[RETRY_EXIT_CODES]) {
        int r = exit_codes(reader, slots[RETRY_EXIT_CODES], retry);
        if (r) return r;
        if (retry->on_mask && !(retry->on_mask & (1u << FAILURE_EXIT)))
            diag_add(reader_diags(reader), DIAG_ERROR, DIAG_KEYS_EXCLUDE, doc_span(slots[RETRY_EXIT_CODES]),
                     "\"exit_codes\" has no effect when \"on\" leaves out exit");
    }
    *ret = retry;
    return 0;
}

/* ---- pools ---- */

static int read_pool(struct reader *reader, const struct doc_node *node, struct pool_need *need)
{
    const struct doc_node *name = node, *slots = NULL;
    if (node->kind == DOC_MAP) {
        name = doc_get(node, STR("name"));
        slots = doc_get(node, STR("slots"));
        if (!name) return 0; /* reported as missing */
    }
    int index = reader_pool(reader, name->text, NULL);
    if (index == -1) return ORCH_ERR_NO_MEMORY;
    int64_t wanted = slots ? read_integer(slots) : 1;
    if (index < 0) {
        if (!reader->full)
            diag_add(reader_diags(reader), DIAG_ERROR, DIAG_TOO_LONG, doc_span(name), "more than %d pools", POOLS_MAX);
        reader->full = true;
        return 0;
    }
    const struct pool *pool = &reader->pools[index];
    *need = (struct pool_need){(uint16_t)index, (uint16_t)wanted};
    if (pool->declared && wanted > pool->slots)
        diag_add(reader_diags(reader), DIAG_ERROR, DIAG_POOL_SLOTS, doc_span(slots ? slots : name),
                 "pool \"%.*s\" has %u slots, %lld can never be had", STR_ARG(pool->name), pool->slots,
                 (long long)wanted);
    return 0;
}

int read_pools(struct reader *reader, const struct doc_node *node, const struct pool_need **ret, uint32_t *ret_count)
{
    uint32_t count = node->kind == DOC_LIST ? node->count : 1;
    const struct doc_node *items = node->kind == DOC_LIST ? node->items : node;
    struct pool_need *needs = ARENA_ARRAY(reader->base.arena, count, struct pool_need);
    if (!needs) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        int r = read_pool(reader, &items[i], &needs[i]);
        if (r) return r;
        for (uint32_t k = 0; k < i && i < 64; k++)
            if (needs[k].pool == needs[i].pool && needs[i].slots)
                diag_add(reader_diags(reader), DIAG_ERROR, DIAG_DOUBLE_NAME, doc_span(&items[i]),
                         "a pool occurs twice: give `slots` instead");
    }
    *ret = needs;
    *ret_count = count;
    return 0;
}

/* ---- loops ---- */

static int read_items(struct reader *reader, const struct doc_node *node, struct where where, struct template *items)
{
    struct diags *diags = reader_diags(reader);
    where.kind = SITE_ITEMS;
    if (node->kind == DOC_LIST || node->kind == DOC_MAP) return read_template(reader, node, where, items);
    if (node->kind != DOC_STRING) {
        struct diag *diag = diag_add(diags, DIAG_ERROR, DIAG_WRONG_KIND, doc_span(node),
                                     "\"for_each\" cannot go over %s", doc_kind_text(node));
        diag_help(diags, diag, "it wants a list, or an expression that gives one");
        return 0;
    }
    const struct expr *expr = NULL;
    int r = read_expression(reader, node, where, &expr);
    if (r || !expr) return r;
    *items = (struct template){.kind = TEMPLATE_EXPR, .expr = {.expr = expr, .column = 1}};
    return 0;
}

int read_loop(struct reader *reader, const struct doc_node *node, struct where where, const struct loop **ret,
              bool *ret_fail_fast)
{
    const struct schema_map *map = schema_task.keys[TASK_KEY_FOR_EACH].value.map;
    const struct doc_node *slots[FOR_EACH_KEYS];
    schema_slots(map, node, slots);
    struct loop *loop = ARENA_NEW(reader->base.arena, struct loop);
    if (!loop) return ORCH_ERR_NO_MEMORY;
    struct orch_str as = slots[FOR_EACH_AS] ? slots[FOR_EACH_AS]->text : STR("item");
    if (name_is_reserved(as))
        diag_add(reader_diags(reader), DIAG_ERROR, DIAG_RESERVED_NAME, doc_span(slots[FOR_EACH_AS]),
                 "\"%.*s\" is a reserved name", STR_ARG(as));
    int r = read_str(reader, as, &loop->as);
    if (r) return r;
    loop->as_index = arena_printf(reader->base.arena, "%.*s_index", STR_ARG(as));
    if (!loop->as_index.data) return ORCH_ERR_NO_MEMORY;
    if (slots[FOR_EACH_MAX_PARALLEL]) loop->parallel_max = (uint32_t)read_integer(slots[FOR_EACH_MAX_PARALLEL]);
    if (slots[FOR_EACH_FAIL_FAST]) *ret_fail_fast = read_bool(slots[FOR_EACH_FAIL_FAST]);
    *ret = loop;
    return slots[FOR_EACH_IN] ? read_items(reader, slots[FOR_EACH_IN], where, &loop->items) : 0;
}

int read_repeat(struct reader *reader, const struct doc_node *node, struct where where, const struct repeat **ret)
{
    const struct schema_map *map = schema_task.keys[TASK_KEY_REPEAT].value.map;
    const struct doc_node *slots[REPEAT_KEYS];
    struct diags *diags = reader_diags(reader);
    schema_slots(map, node, slots);
    where.kind = SITE_REPEAT;
    struct repeat *repeat = ARENA_NEW(reader->base.arena, struct repeat);
    if (!repeat) return ORCH_ERR_NO_MEMORY;
    int r = slots[REPEAT_UNTIL] ? read_expression(reader, slots[REPEAT_UNTIL], where, &repeat->until) : 0;
    if (!r && slots[REPEAT_WHILE]) r = read_expression(reader, slots[REPEAT_WHILE], where, &repeat->while_);
    if (r) return r;
    if (slots[REPEAT_UNTIL] && slots[REPEAT_WHILE]) {
        struct diag *diag = diag_add(diags, DIAG_ERROR, DIAG_KEYS_EXCLUDE, doc_span(slots[REPEAT_WHILE]),
                                     "\"until\" and \"while\" exclude each other");
        diag_help(diags, diag, "keep one: `until: a || !b` is both");
    }
    if (!slots[REPEAT_UNTIL] && !slots[REPEAT_WHILE] && !slots[REPEAT_MAX])
        diag_add(diags, DIAG_ERROR, DIAG_MISSING_KEY, doc_span(node), "repeat needs \"until\", \"while\" or \"max\"");
    repeat->iterations_max = slots[REPEAT_MAX] ? (uint32_t)read_integer(slots[REPEAT_MAX]) : 100;
    if (slots[REPEAT_DELAY]) read_duration(reader, slots[REPEAT_DELAY], true, &repeat->delay_us);
    *ret = repeat;
    return 0;
}
