/*
 * normal.c - documents brought into normal form, by the table of the language.
 */
#include "lang/normal.h"

#include "base/error.h"
#include "base/time.h"

static int normal_value(struct normal *normal, const struct schema_value *want, struct orch_str what,
                        const struct doc_node *in, struct doc_node *out);

/* ---- names ---- */

static bool name_fits(struct orch_str text, bool dash)
{
    if (text.size == 0 || text.size > 128) return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || (dash && c == '-')))) return false;
    }
    return true;
}

bool name_is_id(struct orch_str text)
{
    return name_fits(text, true);
}

bool name_is_variable(struct orch_str text)
{
    return name_fits(text, false);
}

/* The mend: the same with what is not allowed replaced. */
static void suggest_name(struct normal *normal, struct diag *diag, struct orch_str text, bool dash)
{
    char name[128];
    size_t size = 0;
    for (size_t i = 0; i < text.size && size < sizeof name; i++) {
        char c = text.data[i];
        bool digit = c >= '0' && c <= '9';
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || digit || (dash && c == '-');
        if (size == 0 && (digit || c == '-')) name[size++] = '_';
        if (size < sizeof name && (fits || size == 0 || name[size - 1] != '_')) name[size++] = fits ? c : '_';
    }
    if (name_fits(str_of(name, size), dash))
        diag_help(normal->diags, diag, "letters, digits%s _ only: %.*s", dash ? ", - and" : " and", (int)size, name);
}

static void template_not_here(struct normal *normal, struct orch_str what, const struct doc_node *at)
{
    struct diag *diag = diag_add(normal->diags, DIAG_ERROR, DIAG_TEMPLATE_NOT_HERE, doc_span(at),
                                 "\"%.*s\" cannot hold a template", STR_ARG(what));
    diag_help(normal->diags, diag, "it has to be known before anything runs: write the text itself");
}

static void check_name(struct normal *normal, struct orch_str what, const struct doc_node *at, uint8_t kind)
{
    bool dash = kind == TEXT_ID;
    if (name_fits(at->text, dash)) return;
    struct span span = doc_span(at);
    if (at->text.size > 128) {
        diag_add(normal->diags, DIAG_ERROR, DIAG_TOO_LONG, span, "a name has at most 128 characters");
        return;
    }
    if (str_find(at->text, STR("{{"), 0) != SIZE_MAX) {
        template_not_here(normal, what, at);
        return;
    }
    struct diag *diag = diag_add(normal->diags, DIAG_ERROR, DIAG_BAD_NAME, span, "\"%.*s\" cannot be %s",
                                 STR_ARG(at->text), dash ? "the id of a task" : "a name here");
    suggest_name(normal, diag, at->text, dash);
}

/* ---- single values ---- */

static void wrong_kind(struct normal *normal, const struct schema_value *want, struct orch_str what,
                       const struct doc_node *in)
{
    struct buf wants;
    buf_init(&wants, normal->scratch->allocator, 4096);
    schema_wants(want, &wants);
    if (wants.failed) normal->diags->failed = true;
    struct diag *diag;
    if (in->kind == DOC_NULL)
        diag =
            diag_add(normal->diags, DIAG_ERROR, DIAG_WRONG_KIND, doc_span(in), "\"%.*s\" has no value", STR_ARG(what));
    else
        diag = diag_add(normal->diags, DIAG_ERROR, DIAG_WRONG_KIND, doc_span(in), "\"%.*s\" cannot be %s",
                        STR_ARG(what), doc_kind_text(in));
    bool quoted = in->kind == DOC_STRING && (str_is(in->text, "true") || str_is(in->text, "false"));
    bool yes =
        in->kind == DOC_STRING && (str_is(in->text, "yes") || str_is(in->text, "on") || str_is(in->text, "True"));
    bool no =
        in->kind == DOC_STRING && (str_is(in->text, "no") || str_is(in->text, "off") || str_is(in->text, "False"));
    if ((yes || no) && (want->kinds & SCHEMA_BOOL))
        diag_help(normal->diags, diag, "write %s", yes ? "true" : "false");
    else if (quoted && (want->kinds & SCHEMA_BOOL))
        diag_help(normal->diags, diag, "write %.*s without quotes", STR_ARG(in->text));
    else
        diag_help(normal->diags, diag, "it wants %.*s", STR_ARG(buf_str(&wants)));
    buf_done(&wants);
}

static void check_choice(struct normal *normal, const struct schema_value *want, struct orch_str what,
                         const struct doc_node *in)
{
    size_t count = 0;
    for (; want->choices[count]; count++)
        if (str_is(in->text, want->choices[count])) return;
    struct diag *diag = diag_add(normal->diags, DIAG_ERROR, DIAG_NOT_A_CHOICE, doc_span(in),
                                 "\"%.*s\" cannot be \"%.*s\"", STR_ARG(what), STR_ARG(in->text));
    struct orch_str nearest = schema_nearest_choice(want->choices, in->text);
    struct buf words;
    buf_init(&words, normal->scratch->allocator, 4096);
    for (size_t i = 0; i < count; i++)
        buf_printf(&words, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " or ", want->choices[i]);
    if (words.failed) normal->diags->failed = true;
    if (nearest.size)
        diag_help(normal->diags, diag, "did you mean \"%.*s\"? It is one of %.*s", STR_ARG(nearest),
                  STR_ARG(buf_str(&words)));
    else
        diag_help(normal->diags, diag, "one of %.*s", STR_ARG(buf_str(&words)));
    buf_done(&words);
}

static void check_text(struct normal *normal, const struct schema_value *want, struct orch_str what,
                       const struct doc_node *in)
{
    if (want->choices) {
        check_choice(normal, want, what, in);
        return;
    }
    if (want->text == TEXT_ID || want->text == TEXT_NAME) {
        check_name(normal, what, in, want->text);
        return;
    }
    if (want->min > 0 && str_trim(in->text).size == 0)
        diag_add(normal->diags, DIAG_ERROR, DIAG_EMPTY_VALUE, doc_span(in), "\"%.*s\" is empty", STR_ARG(what));
    if (want->max > 0 && in->text.size > (uint64_t)want->max)
        diag_add(normal->diags, DIAG_ERROR, DIAG_TOO_LONG, doc_span(in), "\"%.*s\" is longer than %lld bytes",
                 STR_ARG(what), (long long)want->max);
    if (want->text == TEXT_LITERAL && str_find(in->text, STR("{{"), 0) != SIZE_MAX) template_not_here(normal, what, in);
}

static void check_number(struct normal *normal, const struct schema_value *want, struct orch_str what,
                         const struct doc_node *in)
{
    struct value value = value_null();
    if (doc_value(in, normal->scratch, &value)) {
        normal->diags->failed = true;
        return;
    }
    bool whole = value.kind == VALUE_INT;
    if ((want->kinds & SCHEMA_INTEGER) && !whole && value.kind != VALUE_UINT && value.kind != VALUE_NUMBER) {
        diag_add(normal->diags, DIAG_ERROR, DIAG_BAD_NUMBER, doc_span(in), "\"%.*s\" wants a whole number",
                 STR_ARG(what));
        return;
    }
    bool fits = value_compare(value, value_int(want->min)) >= 0 && value_compare(value, value_int(want->max)) <= 0;
    if ((want->kinds & SCHEMA_NUMBER) && want->min == INT64_MIN) fits = value.kind != VALUE_NUMBER;
    if (fits) return;
    if (want->max == INT64_MAX)
        diag_add(normal->diags, DIAG_ERROR, DIAG_BAD_NUMBER, doc_span(in), "\"%.*s\" is at least %lld", STR_ARG(what),
                 (long long)want->min);
    else if (want->min == INT64_MIN)
        diag_add(normal->diags, DIAG_ERROR, DIAG_BAD_NUMBER, doc_span(in),
                 "\"%.*s\" is a number that cannot be held exactly", STR_ARG(what));
    else
        diag_add(normal->diags, DIAG_ERROR, DIAG_BAD_NUMBER, doc_span(in), "\"%.*s\" is from %lld to %lld",
                 STR_ARG(what), (long long)want->min, (long long)want->max);
}

static int normal_scalar(struct normal *normal, const struct schema_value *want, struct orch_str what,
                         const struct doc_node *in, struct doc_node *out)
{
    *out = *in;
    if (in->kind == DOC_BOOL && (want->kinds & SCHEMA_BOOL)) return 0;
    if (in->kind == DOC_NUMBER && (want->kinds & (SCHEMA_INTEGER | SCHEMA_NUMBER))) {
        check_number(normal, want, what, in);
        return 0;
    }
    if (want->kinds & SCHEMA_TEXT) {
        check_text(normal, want, what, in);
        out->kind = DOC_STRING;
        return 0;
    }
    if (want->kinds & SCHEMA_ANY) return 0;
    if ((want->kinds & SCHEMA_MAP) && want->map->short_key != SCHEMA_NO_KEY)
        return normal_value(normal, &want->map->keys[want->map->short_key].value, what, in, out);
    wrong_kind(normal, want, what, in);
    out->kind = DOC_ABSENT;
    return 0;
}

/* ---- lists ---- */

static bool same_node(const struct doc_node *a, const struct doc_node *b)
{
    if (a->kind != b->kind || a->count != b->count) return false;
    return a->kind < DOC_LIST ? a->text.data == b->text.data && a->text.size == b->text.size : a->items == b->items;
}

/* Items that become something else are written to a copy, which is made when the first one does. */
struct items_out {
    const struct doc_node *in;
    struct doc_node *items;
    uint32_t count;
};

static int items_put(struct normal *normal, struct items_out *out, uint32_t index, const struct doc_node *item)
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

static void items_done(const struct items_out *items, struct doc_node *out)
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
        if (!r) r = items_put(normal, &items, i, &item);
        if (r) return r;
    }
    items_done(&items, out);
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

struct members_out {
    const struct doc_node *in;
    struct doc_member *members;
    uint32_t count;
};

static int members_put(struct normal *normal, struct members_out *out, uint32_t index, const struct doc_node *value)
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

static void members_done(const struct members_out *members, struct doc_node *out)
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
            check_name(normal, member->key.text, &member->key, want->text);
        int r = normal_value(normal, want->items, member->key.text, &member->value, &value);
        if (!r) r = members_put(normal, &members, i, &value);
        if (r) return r;
    }
    members_done(&members, out);
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

/* What stands for the action of a task whose own could not be read, so that its id can still be named. */
static struct doc_member task_without_action(const struct doc_node *at)
{
    struct doc_member member = {.key = node_text(at, STR("noop")), .value = node_text(at, STR_NONE)};
    member.value.kind = DOC_NULL;
    return member;
}

static int normal_map(struct normal *normal, const struct schema_map *map, const struct doc_node *in,
                      struct doc_node *out)
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
        members[count++] = task_without_action(in);
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

/* ---- tasks ---- */

static int normal_task(struct normal *normal, struct orch_str what, const struct doc_node *in, struct doc_node *out)
{
    if (in->kind != DOC_MAP) {
        struct diag *diag;
        if (in->kind == DOC_NULL)
            diag = diag_add(normal->diags, DIAG_ERROR, DIAG_NO_ACTION, doc_span(in), "task \"%.*s\" has nothing to do",
                            STR_ARG(what));
        else
            diag = diag_add(normal->diags, DIAG_ERROR, DIAG_WRONG_KIND, doc_span(in), "a task is a map, this is %s",
                            doc_kind_text(in));
        diag_help(normal->diags, diag, "write  {shell: ...}  or another action");
        struct doc_member *member = ARENA_NEW(normal->scratch, struct doc_member);
        if (!member) return ORCH_ERR_NO_MEMORY;
        *member = task_without_action(in);
        *out =
            (struct doc_node){.kind = DOC_MAP, .line = in->line, .column = in->column, .count = 1, .members = member};
        return 0;
    }
    struct doc_node ours = *in;
    if (seeds_has_task(in)) {
        int r = seeds_task(normal, in, &ours);
        if (r) return r;
    }
    return normal_map(normal, &schema_task, &ours, out);
}

static int enter_block(struct normal *normal, const struct doc_node *at)
{
    if (normal->depth < GROUPS_MAX) {
        normal->depth++;
        return 1;
    }
    diag_add(normal->diags, DIAG_ERROR, DIAG_NESTED_TOO_DEEP, doc_span(at), "groups are nested deeper than %d levels",
             GROUPS_MAX);
    return 0;
}

static int tasks_by_id(struct normal *normal, const struct doc_node *in, struct doc_node *out)
{
    *out = *in;
    struct members_out members = {.in = in};
    for (uint32_t i = 0; i < in->count; i++) {
        const struct doc_member *member = &in->members[i];
        struct doc_node task;
        check_name(normal, member->key.text, &member->key, TEXT_ID);
        int r = normal_task(normal, member->key.text, &member->value, &task);
        if (r) return r;
        if (task.kind == DOC_MAP && task.count &&
            str_is(task.members[0].key.text, "id")) { /* the key says it already */
            if (!str_equal(task.members[0].value.text, member->key.text))
                diag_add(normal->diags, DIAG_ERROR, DIAG_TWO_SPELLINGS, doc_span(&task.members[0].value),
                         "the id of this task is \"%.*s\" already", STR_ARG(member->key.text));
            task.members++;
            task.count--;
        }
        if ((r = members_put(normal, &members, i, &task))) return r;
    }
    members_done(&members, out);
    return 0;
}

/* A list of tasks becomes a map when each has an id; otherwise the list stays, since the author named no ids. */
static int tasks_in_list(struct normal *normal, const struct doc_node *in, struct doc_node *out)
{
    *out = *in;
    struct items_out items = {.in = in};
    bool all_have_ids = true;
    for (uint32_t i = 0; i < in->count; i++) {
        struct doc_node named, task;
        int r = seeds_list_task(normal, &in->items[i], &named);
        if (!r) r = normal_task(normal, STR("in a list"), &named, &task);
        if (!r) r = items_put(normal, &items, i, &task);
        if (r) return r;
        if (task.kind == DOC_MAP && !(task.count && str_is(task.members[0].key.text, "id"))) all_have_ids = false;
    }
    items_done(&items, out);
    if (!all_have_ids) return 0;
    struct doc_member *members = ARENA_ARRAY(normal->scratch, out->count, struct doc_member);
    if (!members) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < out->count; i++) {
        struct doc_node task = out->items[i];
        members[i].key = task.members[0].value;
        task.members++;
        task.count--;
        members[i].value = task;
    }
    out->kind = DOC_MAP;
    out->members = members;
    return 0;
}

static int normal_tasks(struct normal *normal, const struct schema_value *want, struct orch_str what,
                        const struct doc_node *in, struct doc_node *out)
{
    *out = *in;
    if (in->kind != DOC_MAP && in->kind != DOC_LIST) {
        wrong_kind(normal, want, what, in);
        out->kind = DOC_ABSENT;
        return 0;
    }
    if (!enter_block(normal, in)) {
        out->kind = DOC_ABSENT;
        return 0;
    }
    int r = in->kind == DOC_MAP ? tasks_by_id(normal, in, out) : tasks_in_list(normal, in, out);
    normal->depth--;
    return r;
}

/* {tasks: {...}} of a handler says no more than the tasks do, unless their ids look like the keys of one task. */
static void shorten_handler(struct doc_node *out)
{
    if (out->count != 1 || !str_is(out->members[0].key.text, "tasks") || out->members[0].value.kind != DOC_MAP) return;
    const struct doc_node *tasks = &out->members[0].value;
    if (tasks->count == 0) return;
    for (uint32_t i = 0; i < tasks->count; i++)
        if (schema_find(&schema_task, tasks->members[i].key.text, 0, NULL) >= 0 || seeds_has_task(tasks)) return;
    struct doc_node lone = *tasks;
    *out = lone;
}

static int normal_handler(struct normal *normal, const struct schema_value *want, struct orch_str what,
                          const struct doc_node *in, struct doc_node *out)
{
    if (in->kind == DOC_LIST) {
        struct doc_member *member = ARENA_NEW(normal->scratch, struct doc_member);
        if (!member) return ORCH_ERR_NO_MEMORY;
        member->key = node_text(in, STR("tasks"));
        int r = normal_tasks(normal, want, what, in, &member->value);
        if (r) return r;
        *out = (struct doc_node){
            .kind = DOC_MAP, .line = in->line, .column = in->column, .width = in->width, .count = 1, .members = member};
        if (member->value.kind == DOC_ABSENT) out->kind = DOC_ABSENT;
    } else if (in->kind == DOC_MAP && (in->count == 0 || seeds_is_task(in))) {
        if (!enter_block(normal, in)) {
            out->kind = DOC_ABSENT;
            return 0;
        }
        int r = normal_task(normal, what, in, out);
        normal->depth--;
        if (r) return r;
    } else if (in->kind == DOC_MAP) {
        return normal_tasks(normal, want, what, in, out);
    } else {
        wrong_kind(normal, want, what, in);
        out->kind = DOC_ABSENT;
    }
    if (out->kind == DOC_MAP) shorten_handler(out);
    return 0;
}

/* ---- parameters ---- */

static int normal_parameter(struct normal *normal, struct orch_str what, const struct doc_node *in,
                            struct doc_node *out)
{
    static const struct {
        const char *theirs, *ours;
    } types[] = {{"array", "list"},   {"object", "map"},    {"dict", "map"},   {"int", "integer"},
                 {"float", "number"}, {"double", "number"}, {"str", "string"}, {"bool", "boolean"}};
    if (in->kind == DOC_NULL) {
        *out = (struct doc_node){.kind = DOC_MAP, .line = in->line, .column = in->column};
        return 0;
    }
    if (in->kind != DOC_MAP) {
        struct diag *diag = diag_add(normal->diags, DIAG_ERROR, DIAG_WRONG_KIND, doc_span(in),
                                     "parameter \"%.*s\" is a map, this is %s", STR_ARG(what), doc_kind_text(in));
        diag_help(normal->diags, diag, "write  {type: string}  or  {default: ...}");
        out->kind = DOC_ABSENT;
        return 0;
    }
    for (uint32_t i = 0; i < in->count; i++) {
        if (!str_is(in->members[i].key.text, "type")) continue;
        for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
            if (!str_is(in->members[i].value.text, types[k].theirs)) continue;
            struct map_edit edit;
            struct doc_node ours = *in;
            int r = map_edit_init(normal, &edit, in);
            if (r) return r;
            edit.members[i].value.text = str_from(types[k].ours);
            map_edit_done(&edit, &ours);
            return normal_map(normal, &schema_parameter, &ours, out);
        }
    }
    return normal_map(normal, &schema_parameter, in, out);
}

static int parameters_in_list(struct normal *normal, const struct doc_node *in, struct doc_node *out)
{
    struct doc_member *members = ARENA_ARRAY(normal->scratch, in->count, struct doc_member);
    if (!members) return ORCH_ERR_NO_MEMORY;
    uint32_t count = 0;
    for (uint32_t i = 0; i < in->count; i++) {
        struct doc_node parameter;
        int r = normal_parameter(normal, STR("in a list"), &in->items[i], &parameter);
        if (r) return r;
        if (parameter.kind == DOC_ABSENT) continue;
        if (parameter.count == 0 || !str_is(parameter.members[0].key.text, "name")) {
            diag_add(normal->diags, DIAG_ERROR, DIAG_MISSING_KEY, doc_span(&in->items[i]),
                     "a parameter in a list needs \"name\"");
            continue;
        }
        members[count].key = parameter.members[0].value;
        parameter.members++;
        parameter.count--;
        members[count++].value = parameter;
    }
    *out = *in;
    out->kind = DOC_MAP;
    out->members = members;
    out->count = count;
    return 0;
}

static int normal_parameters(struct normal *normal, const struct schema_value *want, struct orch_str what,
                             const struct doc_node *in, struct doc_node *out)
{
    *out = *in;
    if (in->kind == DOC_LIST) return parameters_in_list(normal, in, out);
    if (in->kind == DOC_NULL) {
        out->kind = DOC_ABSENT;
        return 0;
    }
    if (in->kind != DOC_MAP) {
        wrong_kind(normal, want, what, in);
        out->kind = DOC_ABSENT;
        return 0;
    }
    struct members_out members = {.in = in};
    for (uint32_t i = 0; i < in->count; i++) {
        const struct doc_member *member = &in->members[i];
        struct doc_node parameter;
        check_name(normal, member->key.text, &member->key, TEXT_NAME);
        int r = normal_parameter(normal, member->key.text, &member->value, &parameter);
        if (r) return r;
        if (parameter.kind == DOC_MAP && parameter.count && str_is(parameter.members[0].key.text, "name")) {
            parameter.members++;
            parameter.count--;
        }
        if ((r = members_put(normal, &members, i, &parameter))) return r;
    }
    members_done(&members, out);
    return 0;
}

/* ---- any value ---- */

static int normal_value(struct normal *normal, const struct schema_value *want, struct orch_str what,
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
        if (!(want->kinds & (SCHEMA_LIST | SCHEMA_NAMES))) wrong_kind(normal, want, what, in);
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
    wrong_kind(normal, want, what, in);
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

/* ---- changing maps ---- */

int map_edit_init(struct normal *normal, struct map_edit *edit, const struct doc_node *map)
{
    edit->count = map->count;
    edit->capacity = map->count + 8;
    edit->members = ARENA_ARRAY(normal->scratch, edit->capacity, struct doc_member);
    if (!edit->members) return ORCH_ERR_NO_MEMORY;
    if (map->count) memcpy(edit->members, map->members, map->count * sizeof *edit->members);
    return 0;
}

void map_edit_remove(struct map_edit *edit, uint32_t index)
{
    memmove(edit->members + index, edit->members + index + 1, (edit->count - index - 1) * sizeof *edit->members);
    edit->count--;
}

struct doc_member *map_edit_find(struct map_edit *edit, struct orch_str key)
{
    for (uint32_t i = 0; i < edit->count; i++)
        if (str_equal(edit->members[i].key.text, key)) return &edit->members[i];
    return NULL;
}

struct doc_member *map_edit_add(struct map_edit *edit, struct orch_str key, const struct doc_node *at,
                                const struct doc_node *value)
{
    ORCH_ASSERT(edit->count < edit->capacity);
    struct doc_member *member = &edit->members[edit->count++];
    member->key = node_text(at, key);
    member->value = *value;
    return member;
}

void map_edit_done(const struct map_edit *edit, struct doc_node *map)
{
    map->members = edit->members;
    map->count = edit->count;
}

struct doc_node node_text(const struct doc_node *at, struct orch_str text)
{
    return (struct doc_node){
        .kind = DOC_STRING, .line = at->line, .column = at->column, .width = at->width, .text = text};
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
