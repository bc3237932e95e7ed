/*
 * normal.c - documents brought into normal form, by the table of the language.
 */
#include "lang/normal_inside.h"

#include "base/error.h"
#include "base/time.h"

static int normal_scalar(struct normal *normal, const struct schema_value *want, struct orch_str what,
                         const struct doc_node *in, struct doc_node *out)
{
    *out = *in;
    if (in->kind == DOC_BOOL && (want->kinds & SCHEMA_BOOL)) return 0;
    if (in->kind == DOC_NUMBER && (want->kinds & (SCHEMA_INTEGER | SCHEMA_NUMBER))) {
        normal_check_number(normal, want, what, in);
        return 0;
    }
    if (want->kinds & SCHEMA_TEXT) {
        normal_check_text(normal, want, what, in);
        out->kind = DOC_STRING;
        return 0;
    }
    if (want->kinds & SCHEMA_ANY) return 0;
    if ((want->kinds & SCHEMA_MAP) && want->map->short_key != SCHEMA_NO_KEY)
        return normal_value(normal, &want->map->keys[want->map->short_key].value, what, in, out);
    normal_wrong_kind(normal, want, what, in);
    out->kind = DOC_ABSENT;
    return 0;
}

/* ---- lists ---- */

static bool same_node(const struct doc_node *a, const struct doc_node *b)
{
    if (a->kind != b->kind || a->count != b->count) return false;
    return a->kind < DOC_LIST ? a->text.data == b->text.data && a->text.size == b->text.size : a->items == b->items;
}

int normal_items_put(struct normal *normal, struct items_out *out, uint32_t index, const struct doc_node *item)
{
    bool same = out->count == index && item->kind != DOC_ABSENT && same_node(item, &out->in->items[index]);
    if (!out->items && same) {
        out->count++;
        return 0;
    }
    if (!out->items) {
        out->items = ARENA_ARRAY(normal->scratch, out->in->count, struct doc_node);
        if (!out->items) return ORCH_ERR_NO_MEMORY;
        memcpy(out->items, out->in->items, out->count * sizeof *out->items);
    }
    if (item->kind != DOC_ABSENT) out->items[out->count++] = *item;
    return 0;
}

void normal_items_done(const struct items_out *items, struct doc_node *out)
{
    out->count = items->count;
    if (items->items) out->items = items->items;
}

static int normal_list(struct normal *normal, const struct schema_value *want, struct orch_str what,
                       const struct doc_node *in, struct doc_node *out)
{
    *out = *in;
    struct items_out items = {.in = in};
    for (uint32_t i = 0; i < in->count; i++) {
        struct doc_node item;
        int r = normal_value(normal, want->items, what, &in->items[i], &item);
        if (!r) r = normal_items_put(normal, &items, i, &item);
        if (r) return r;
    }
    normal_items_done(&items, out);
    if ((want->kinds & SCHEMA_SHORT) && out->count == 1 && out->items[0].kind != DOC_LIST) {
        struct doc_node lone = out->items[0];
        *out = lone;
    }
    return 0;
}

/* One item by itself as a list of one. */
static int normal_lone(struct normal *normal, const struct schema_value *want, struct orch_str what,
                       const struct doc_node *in, struct doc_node *out)
{
    struct doc_node *item = ARENA_NEW(normal->scratch, struct doc_node);
    if (!item) return ORCH_ERR_NO_MEMORY;
    int r = normal_value(normal, want->items, what, in, item);
    if (r) return r;
    if (item->kind == DOC_ABSENT || (want->kinds & SCHEMA_SHORT)) {
        *out = *item;
        return 0;
    }
    *out = (struct doc_node){
        .kind = DOC_LIST, .count = 1, .line = in->line, .column = in->column, .width = in->width, .items = item};
    return 0;
}

/* ---- maps whose keys are names ---- */

int normal_members_put(struct normal *normal, struct members_out *out, uint32_t index, const struct doc_node *value)
{
    const struct doc_member *member = &out->in->members[index];
    bool same = out->count == index && value->kind != DOC_ABSENT && same_node(value, &member->value);
    if (!out->members && same) {
        out->count++;
        return 0;
    }
    if (!out->members) {
        out->members = ARENA_ARRAY(normal->scratch, out->in->count, struct doc_member);
        if (!out->members) return ORCH_ERR_NO_MEMORY;
        memcpy(out->members, out->in->members, out->count * sizeof *out->members);
    }
    if (value->kind != DOC_ABSENT) out->members[out->count++] = (struct doc_member){member->key, *value};
    return 0;
}

void normal_members_done(const struct members_out *members, struct doc_node *out)
{
    out->count = members->count;
    if (members->members) out->members = members->members;
}

static int normal_names(struct normal *normal, const struct schema_value *want, const struct doc_node *in,
                        struct doc_node *out)
{
    *out = *in;
    struct members_out members = {.in = in};
    for (uint32_t i = 0; i < in->count; i++) {
        const struct doc_member *member = &in->members[i];
        struct doc_node value;
        if (want->text == TEXT_ID || want->text == TEXT_NAME)
            normal_check_name(normal, member->key.text, &member->key, want->text);
        int r = normal_value(normal, want->items, member->key.text, &member->value, &value);
        if (!r) r = normal_members_put(normal, &members, i, &value);
        if (r) return r;
    }
    normal_members_done(&members, out);
    return 0;
}

/* ---- maps with keys of the table ---- */

/* Returns the index of the key that was surely meant, -1 when that is not clear. */
static int unknown_key(struct normal *normal, const struct schema_map *map, const struct doc_node *key)
{
    /* Words of other tools for the same thing. */
    static const struct {
        const char *word, *ours;
    } known[] = {{"needs", "depends_on"},
                 {"requires", "depends_on"},
                 {"after", "depends_on"},
                 {"if", "when"},
                 {"cmd", "shell"},
                 {"bash", "shell"},
                 {"sh", "shell"},
                 {"environment", "env"},
                 {"cwd", "working_dir"},
                 {"dir", "working_dir"},
                 {"with_items", "for_each"},
                 {"foreach", "for_each"},
                 {"loop", "for_each"},
                 {"always", "finally"},
                 {"allow_failure", "continue_on_error"},
                 {"jobs", "tasks"},
                 {"inputs", "parameters"},
                 {"params", "parameters"},
                 {"cron", "schedule"},
                 {"attempts", "max_attempts"}};
    struct diag *diag = diag_add(normal->diags, DIAG_ERROR, DIAG_UNKNOWN_KEY, doc_span(key),
                                 "unknown key \"%.*s\" in %s", STR_ARG(key->text), map->title);
    if (diag == &normal->diags->spare) return -1; /* not shown: no need to look for the mend */
    struct orch_str ours = schema_nearest(map, key->text);
    for (size_t i = 0; i < sizeof known / sizeof *known && !ours.size; i++)
        if (str_is(key->text, known[i].word) && schema_find(map, str_from(known[i].ours), 0, NULL) >= 0)
            ours = str_from(known[i].ours);
    if (ours.size) {
        const struct schema_alias *alias = NULL;
        diag_help(normal->diags, diag, "did you mean \"%.*s\"?", STR_ARG(ours));
        int index = schema_find(map, ours, 0, &alias);
        return alias ? -1 : index;
    }
    if (map->key_count == 0 || map->key_count > 12) return -1;
    struct buf keys;
    buf_init(&keys, normal->scratch->allocator, 4096);
    for (size_t i = 0; i < map->key_count; i++) buf_printf(&keys, "%s%.*s", i ? ", " : "", STR_ARG(map->keys[i].name));
    if (keys.failed) normal->diags->failed = true;
    diag_help(normal->diags, diag, "its keys are %.*s", STR_ARG(buf_str(&keys)));
    buf_done(&keys);
    return -1;
}

static int convert(struct normal *normal, enum schema_convert how, const struct doc_member *member,
                   struct doc_member *out)
{
    *out = *member;
    if (how == CONVERT_NONE) return 0;
    struct value value = value_null();
    bool number = member->value.kind == DOC_NUMBER;
    if (number && doc_value(&member->value, normal->scratch, &value)) return ORCH_ERR_NO_MEMORY;
    bool fits =
        how == CONVERT_PLUS_ONE ? value.kind == VALUE_INT : value.kind == VALUE_INT || value.kind == VALUE_DOUBLE;
    double seconds = value.kind == VALUE_INT ? (double)value.integer : value.kind == VALUE_DOUBLE ? value.real : 0;
    if (!fits || seconds < 0 || seconds > 1e9) {
        struct diag *diag =
            diag_add(normal->diags, DIAG_ERROR, DIAG_BAD_NUMBER, doc_span(&member->value), "\"%.*s\" wants %s",
                     STR_ARG(member->key.text),
                     how == CONVERT_PLUS_ONE ? "a whole number, 0 or more" : "a number of seconds, 0 or more");
        (void)diag;
        out->value.kind = DOC_ABSENT;
        return 0;
    }
    struct buf text;
    buf_init(&text, normal->scratch->allocator, 64);
    if (how == CONVERT_PLUS_ONE)
        buf_printf(&text, "%lld", (long long)value.integer + 1);
    else
        duration_format((orch_time)(seconds * (double)ORCH_SECOND + 0.5), &text);
    struct orch_str copy = text.failed ? STR_NONE : arena_str(normal->scratch, buf_str(&text));
    buf_done(&text);
    if (!copy.data) return ORCH_ERR_NO_MEMORY;
    out->value.text = copy;
    out->value.kind = how == CONVERT_PLUS_ONE ? DOC_NUMBER : DOC_STRING;
    return 0;
}

/* Finds the member of each key; `found` has map->key_count places. *ret_plain: nothing had to be changed for it. */
static int find_members(struct normal *normal, const struct schema_map *map, const struct doc_node *in,
                        const struct doc_member **found, bool *ret_plain)
{
    const struct doc_member *meant[SCHEMA_KEYS_MAX] = {NULL};
    int from = 0;
    *ret_plain = true;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct doc_member *member = &in->members[i];
        const struct schema_alias *alias;
        int key = schema_find(map, member->key.text, from, &alias);
        if (key < from) *ret_plain = false;
        if (key < 0) {
            int near = unknown_key(normal, map, &member->key);
            if (near >= 0 && !meant[near]) meant[near] = member;
            continue;
        }
        from = key + 1;
        if (found[key]) {
            if (str_equal(found[key]->key.text, member->key.text))
                continue; /* a double key: reported where it was read */
            struct diag *diag = diag_add(normal->diags, DIAG_ERROR, DIAG_TWO_SPELLINGS, doc_span(&member->key),
                                         "\"%.*s\" and \"%.*s\" say the same thing", STR_ARG(found[key]->key.text),
                                         STR_ARG(member->key.text));
            diag_help(normal->diags, diag, "keep \"%.*s\" only", STR_ARG(map->keys[key].name));
            continue;
        }
        found[key] = member;
        if (!alias) continue;
        struct doc_member *ours = ARENA_NEW(normal->scratch, struct doc_member);
        if (!ours) return ORCH_ERR_NO_MEMORY;
        int r = convert(normal, (enum schema_convert)alias->convert, member, ours);
        if (r) return r;
        found[key] = ours;
        *ret_plain = false;
    }
    /* A slip of the pen is one error: what it was meant for is not missing too. */
    for (int i = 0; !*ret_plain && i < map->key_count; i++)
        if (!found[i]) found[i] = meant[i];
    return 0;
}

/* A value that says what holds without it. */
static bool says_nothing(const struct schema_key *key, const struct doc_node *value)
{
    if (key->flags & (SCHEMA_REQUIRED | SCHEMA_ACTION)) return false;
    bool list = value->kind == DOC_LIST && (key->value.kinds & SCHEMA_LIST);
    bool names = value->kind == DOC_MAP && (key->value.kinds & SCHEMA_NAMES) && key->value.special != SPECIAL_HANDLER;
    return (list || names) && value->count == 0;
}

/* "add "service" (the service, as it is registered)". */
static void help_missing(struct normal *normal, struct diag *diag, const struct schema_key *key)
{
    struct orch_str about = str_from(key->description);
    if (str_ends_with(about, STR("."))) about.size--;
    if (about.size == 0) return;
    char first = about.data[0] >= 'A' && about.data[0] <= 'Z' ? (char)(about.data[0] + 'a' - 'A') : about.data[0];
    diag_help(normal->diags, diag, "add \"%.*s\" (%c%.*s)", STR_ARG(key->name), first,
              STR_ARG(str_of(about.data + 1, about.size - 1)));
}

struct doc_member normal_without_action(const struct doc_node *at)
{
    struct doc_member member = {.key = node_text(at, STR("noop")), .value = node_text(at, STR_NONE)};
    member.value.kind = DOC_NULL;
    return member;
}

int normal_map(struct normal *normal, const struct schema_map *map, const struct doc_node *in, struct doc_node *out)
{
    const struct doc_member *found[SCHEMA_KEYS_MAX] = {NULL};
    struct doc_member *members = NULL;
    uint32_t count = 0;
    bool plain, has_action = false, lost_action = false;
    int r = find_members(normal, map, in, found, &plain);
    if (r) return r;
    for (int i = 0; i < map->key_count; i++) {
        const struct schema_key *key = &map->keys[i];
        if (!found[i]) {
            if (!(key->flags & SCHEMA_REQUIRED)) continue;
            struct diag *diag = diag_add(normal->diags, DIAG_ERROR, DIAG_MISSING_KEY, doc_span(in), "%s needs \"%.*s\"",
                                         map->title, STR_ARG(key->name));
            help_missing(normal, diag, key);
            continue;
        }
        struct doc_node value = found[i]->value;
        if (value.kind != DOC_ABSENT &&
            (r = normal_value(normal, &key->value, found[i]->key.text, &found[i]->value, &value)))
            return r;
        bool keep = value.kind != DOC_ABSENT && !says_nothing(key, &value);
        if (key->flags & SCHEMA_ACTION) {
            has_action |= keep;
            lost_action |= !keep;
        }
        if (plain && keep && same_node(&value, &found[i]->value)) {
            count++;
            continue;
        }
        if (plain) { /* the first that differs: what came before is copied */
            plain = false;
            if (count) {
                members = arena_alloc(normal->scratch, in->count * sizeof *members);
                if (!members) return ORCH_ERR_NO_MEMORY;
                memcpy(members, in->members, count * sizeof *members);
            }
        }
        if (!keep) continue;
        if (!members) {
            members = arena_alloc(normal->scratch, in->count * sizeof *members);
            if (!members) return ORCH_ERR_NO_MEMORY;
        }
        members[count].key = found[i]->key;
        members[count].key.text = key->name;
        members[count++].value = value;
    }
    *out = *in;
    if (plain) return 0;
    if (lost_action && !has_action) { /* its action is wrong, which has been said: that it has none is not said too */
        if (!members && !(members = arena_alloc(normal->scratch, sizeof *members))) return ORCH_ERR_NO_MEMORY;
        members[count++] = normal_without_action(in);
    }
    out->count = count;
    out->members = members;
    return 0;
}

/* The same, and in its short form where that says all. */
static int normal_map_short(struct normal *normal, const struct schema_map *map, const struct doc_node *in,
                            struct doc_node *out)
{
    int r = normal_map(normal, map, in, out);
    if (r || map->short_key == SCHEMA_NO_KEY || out->count != 1) return r;
    const struct doc_member *only = out->members;
    if (only->value.kind == DOC_MAP || !str_equal(only->key.text, map->keys[map->short_key].name)) return 0;
    struct doc_node lone = only->value;
    *out = lone;
    return 0;
}

/* ---- any value ---- */

int normal_value(struct normal *normal, const struct schema_value *want, struct orch_str what,
                 const struct doc_node *in, struct doc_node *out)
{
    *out = *in;
    switch ((enum schema_special)want->special) {
    case SPECIAL_TASKS: return normal_tasks(normal, want, what, in, out);
    case SPECIAL_HANDLER: return normal_handler(normal, want, what, in, out);
    case SPECIAL_PARAMETERS: return normal_parameters(normal, want, what, in, out);
    case SPECIAL_NONE: break;
    }
    bool by_short = (want->kinds & SCHEMA_MAP) && want->map->short_key != SCHEMA_NO_KEY;
    switch (in->kind) {
    case DOC_NULL:
        if (want->kinds & SCHEMA_NULL) return 0;
        if (!(want->kinds & (SCHEMA_LIST | SCHEMA_NAMES))) normal_wrong_kind(normal, want, what, in);
        out->kind = DOC_ABSENT;
        return 0;
    case DOC_LIST:
        if (want->kinds & SCHEMA_LIST) return normal_list(normal, want, what, in, out);
        if (want->kinds & SCHEMA_ANY) return 0;
        if (by_short) return normal_value(normal, &want->map->keys[want->map->short_key].value, what, in, out);
        break;
    case DOC_MAP:
        if (want->kinds & SCHEMA_MAP) return normal_map_short(normal, want->map, in, out);
        if (want->kinds & SCHEMA_NAMES) return normal_names(normal, want, in, out);
        if (want->kinds & SCHEMA_ANY) return 0;
        if (want->kinds & SCHEMA_LONE) return normal_lone(normal, want, what, in, out);
        break;
    default:
        if ((want->kinds & SCHEMA_LONE) && !(want->kinds & SCHEMA_TEXT))
            return normal_lone(normal, want, what, in, out);
        return normal_scalar(normal, want, what, in, out);
    }
    normal_wrong_kind(normal, want, what, in);
    out->kind = DOC_ABSENT;
    return 0;
}

int normal_workflow(struct normal *normal, const struct doc_node *in, struct doc_node *out)
{
    *out = *in;
    if (in->kind != DOC_MAP) {
        struct diag *diag;
        if (in->kind == DOC_NULL)
            diag = diag_add(normal->diags, DIAG_ERROR, DIAG_EMPTY_FILE, doc_span(in), "there is no workflow in it");
        else
            diag = diag_add(normal->diags, DIAG_ERROR, DIAG_WRONG_KIND, doc_span(in), "a workflow is a map, this is %s",
                            doc_kind_text(in));
        diag_help(normal->diags, diag, "begin with  name: ...  and  tasks: ...");
        out->kind = DOC_ABSENT;
        return 0;
    }
    struct doc_node ours;
    int r = seeds_workflow(normal, in, &ours);
    return r ? r : normal_map(normal, &schema_workflow, &ours, out);
}

/* ---- as JSON ---- */

void normal_json(const struct doc_node *node, struct buf *out)
{
    switch ((enum doc_kind)node->kind) {
    case DOC_NULL: buf_add_text(out, "null"); return;
    case DOC_BOOL: buf_add_text(out, (node->text.data[0] | 0x20) == 't' ? "true" : "false"); return;
    case DOC_NUMBER: doc_number_json(node->text, out); return;
    case DOC_STRING: json_format_string(node->text, out); return;
    case DOC_LIST:
        buf_add_char(out, '[');
        for (uint32_t i = 0; i < node->count; i++) {
            if (i) buf_add_char(out, ',');
            normal_json(&node->items[i], out);
        }
        buf_add_char(out, ']');
        return;
    case DOC_MAP:
        buf_add_char(out, '{');
        for (uint32_t i = 0; i < node->count; i++) {
            if (i) buf_add_char(out, ',');
            json_format_string(node->members[i].key.text, out);
            buf_add_char(out, ':');
            normal_json(&node->members[i].value, out);
        }
        buf_add_char(out, '}');
        return;
    }
    ORCH_ASSERT(!"a document node has one of the kinds");
}
