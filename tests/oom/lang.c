/*
 * lang.c - out of memory in the pure floors that read and draw: JSON, expressions, templates, definitions of every
 * construct, wrong ones with their findings, all forms of output.
 */
#include "oom.h"

#include "base/value.h"
#include "lang/doc.h"
#include "lang/model.h"
#include "layout/export.h"
#include "layout/text.h"

/* ---- definitions ---- */

static int draw(const struct workflow *workflow, struct arena *arena, struct buf *out)
{
    struct analysis analysis;
    struct orch_error err = ORCH_ERROR_INIT;
    int r = layout_text(workflow, NULL, arena, out);

    if (r == 0) r = workflow_analyze(workflow, arena, &analysis, &err);
    if (r == 0) layout_dot(workflow, out);
    if (r == 0) layout_mermaid(workflow, out);
    struct arena scratch;
    struct picture picture;
    arena_init(&scratch, arena->allocator, 0);
    if (r == 0) r = picture_make(workflow, NULL, LAYERED_DOWN, arena, &scratch, &picture, &err);
    if (r == 0) layout_json(&picture, out);
    if (r == 0) layout_svg(&picture, out);
    arena_done(&scratch);
    return r;
}

static int parameters(const struct workflow *workflow, struct orch_str given_text, struct arena *arena, struct buf *out)
{
    static struct diags diags;
    struct orch_error err = ORCH_ERROR_INIT;
    struct value given, checked;

    diags_init(&diags, arena);
    int r = json_parse(given_text, NULL, arena, &given, &err);
    if (r != 0) return r;
    r = workflow_parameters(workflow, given, true, arena, &diags, &checked, &err);
    if (r == 0)
        json_format(checked, 0, out);
    else
        buf_add_text(out, err.message);
    return r == ORCH_ERR_NO_MEMORY ? r : 0;
}

/* All findings are there, each with its message; a help may be shorter where memory was. */
static void findings(const struct diags *diags, uint64_t *digest)
{
    for (uint32_t i = 0; i < diags->count; i++) {
        const struct diag *diag = &diags->items[i];
        OOM_CHECK(diag->message.size > 0);
        digest_number(digest, (uint64_t)diag->code << 32 | diag->at.line);
        digest_number(digest, (uint64_t)diag->at.column << 32 | diag->path_count);
    }
}

static int read_definition(const void *arg, uint64_t *digest)
{
    static struct diags diags; /* large */
    const struct oom_file *file = arg;
    struct orch_str text = file->text;
    struct diag_style style = {.color = true};
    struct orch_error err = ORCH_ERROR_INIT;
    const struct workflow *workflow;
    struct arena arena;
    struct buf out;

    arena_init(&arena, NULL, 0);
    buf_init(&out, NULL, 0);
    diags_init(&diags, &arena);
    int r = workflow_read(text, str_from(file->name), &arena, &diags, &workflow);
    if (r != ORCH_ERR_NO_MEMORY) {
        diags_sort(&diags);
        findings(&diags, digest);
        diags_render(&diags, text, str_from(file->name), &style, &out);
        diags_render_json(&diags, &out);
        const struct doc_comment *comments;
        uint32_t count = 0;
        if (doc_comments(text, &arena, &comments, &count) != 0) out.failed = true;
        buf_printf(&out, "%u comments", count);
    }
    if (r == 0) {
        bool is_short = out.failed;
        buf_clear(&out);
        out.failed = is_short;
        digest_str(digest, workflow->normal);
        for (int json = 0; json < 2 && r == 0; json++) r = workflow_format(workflow, json, &out, &err);
        if (r == ORCH_ERR_UNSUPPORTED) r = 0;
        if (r == 0) r = workflow_format_commented(workflow, text, &out, NULL, &err);
        if (r == 0) r = draw(workflow, &arena, &out);
        if (r == 0) r = parameters(workflow, STR("{}"), &arena, &out);
        if (r == 0) r = parameters(workflow, STR("{\"n\":\"12\",\"day\":\"x\",\"unknown\":1}"), &arena, &out);
    } else if (r != ORCH_ERR_NO_MEMORY) {
        int told = diags_to_error(&diags, str_from(file->name), &err);
        OOM_CHECK(told != 0 && err.message[0] != '\0');
        bool is_short = out.failed;
        buf_clear(&out);
        out.failed = is_short;
    }
    if (out.failed) r = ORCH_ERR_NO_MEMORY;
    if (r == 0 || r != ORCH_ERR_NO_MEMORY) digest_str(digest, buf_str(&out));
    buf_done(&out);
    arena_done(&arena);
    return r;
}

static int schema(const void *arg, uint64_t *digest)
{
    struct buf out;
    (void)arg;
    buf_init(&out, NULL, 0);
    workflow_schema(&out);
    int r = out.failed ? ORCH_ERR_NO_MEMORY : 0;
    if (r == 0) digest_str(digest, buf_str(&out));
    buf_done(&out);
    return r;
}

/* ---- expressions ---- */

static int look_up(void *user, struct orch_str name, struct arena *arena, struct value *ret, struct orch_error *err)
{
    const struct value *found = value_get(*(const struct value *)user, name);
    (void)arena;
    (void)err;
    if (!found) return ORCH_ERR_NOT_FOUND;
    *ret = *found;
    return 0;
}

static int count_name(void *user, const struct expr_name *name)
{
    digest_str(user, name->name);
    return 0;
}

static int evaluate(struct orch_str source, struct orch_str names, uint64_t *digest)
{
    struct expr_limits limits = {.unchecked = source.size % 2 != 0};
    struct orch_error err = ORCH_ERROR_INIT;
    const struct expr *expr;
    struct value input, value;
    struct arena arena;
    struct buf out;

    arena_init(&arena, NULL, 0);
    buf_init(&out, NULL, 0);
    int r = json_parse(names, NULL, &arena, &input, &err);
    if (r == 0) r = expr_compile(source, &limits, &arena, &expr, &err);
    if (r == 0) {
        struct expr_env env = {.lookup = look_up, .user = &input, .now = INT64_C(1772344808312000), .limits = &limits};
        (void)expr_each_name(expr, count_name, digest);
        r = expr_eval(expr, &env, &arena, &value, &err);
        if (r == 0) json_format(value, 0, &out);
    }
    if (out.failed) r = ORCH_ERR_NO_MEMORY;
    OOM_CHECK(r == 0 || out.failed || err.code == r);
    digest_str(digest, r == 0 ? buf_str(&out) : str_from(err.message));
    buf_done(&out);
    arena_done(&arena);
    return r;
}

/* All cases of one table, each by itself: the first that is out of memory ends the run. */
static int table(const void *arg, uint64_t *digest)
{
    struct orch_str rest = ((const struct oom_file *)arg)->text, names = STR("{}");

    while (rest.size > 0) {
        size_t end = str_find(rest, STR("\n"), 0);
        struct orch_str line = str_of(rest.data, end == SIZE_MAX ? rest.size : end);
        rest = end == SIZE_MAX ? STR_NONE : str_of(rest.data + end + 1, rest.size - end - 1);
        size_t arrow = str_find(line, STR("  =>  "), 0);
        if (arrow == SIZE_MAX) arrow = str_find(line, STR("  !!  "), 0);
        if (str_starts_with(line, STR("---"))) names = STR("{}");
        if (str_starts_with(line, STR("with "))) names = str_of(line.data + 5, line.size - 5);
        if (arrow == SIZE_MAX) continue;
        if (evaluate(str_of(line.data, arrow), names, digest) == ORCH_ERR_NO_MEMORY) return ORCH_ERR_NO_MEMORY;
    }
    return 0;
}

static int render(const void *arg, uint64_t *digest)
{
    static const char *const values[] = {
        ("{\"a\":\"{{ x.s }}\",\"b\":[1,\"n is {{ x.n }}, {{ x.a.map(i, i * 2) }}\",{\"c\":\"plain\"}],\"d\":\"{{ x "
         "}}\"}"),
        "[\"{{ x.missing }}\"]",
        "\"{{ x\"",
        "{\"k\":\"{{ 'a'.matches('^[a-z]+$') }} {{ timestamp('2026-03-01T06:00:00Z') }}\"}",
    };
    (void)arg;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct orch_error err = ORCH_ERROR_INIT;
        struct template template;
        struct value value, input;
        struct arena arena;
        struct buf out;
        arena_init(&arena, NULL, 0);
        buf_init(&out, NULL, 0);
        struct expr_env env = {.lookup = look_up, .user = &input, .now = 1};
        int r = json_parse(STR("{\"x\":{\"s\":\"text\",\"n\":3,\"a\":[1,2,3]}}"), NULL, &arena, &input, &err);
        if (r == 0) r = json_parse(str_from(values[i]), NULL, &arena, &value, &err);
        if (r == 0) r = template_compile(value, NULL, &arena, &template, &err);
        if (r == 0) r = template_render(&template, &env, &arena, &value, &err);
        if (r == 0) json_format(value, 2, &out);
        if (out.failed) r = ORCH_ERR_NO_MEMORY;
        digest_str(digest, r == 0 ? buf_str(&out) : str_from(err.message));
        buf_done(&out);
        arena_done(&arena);
        if (r == ORCH_ERR_NO_MEMORY) return r;
    }
    return 0;
}

/* ---- JSON and YAML ---- */

static int parse_file(struct orch_str text, uint64_t *digest)
{
    static struct diags diags;
    struct orch_error err = ORCH_ERROR_INIT;
    const struct doc_node *root;
    struct value value, copy;
    struct arena arena, other;
    struct buf out;

    arena_init(&arena, NULL, 0);
    arena_init(&other, NULL, 0);
    buf_init(&out, NULL, 0);
    diags_init(&diags, &arena);
    int r = json_parse(text, NULL, &arena, &value, &err);
    if (r == 0) r = value_copy(value, &other, &copy);
    if (r == 0) json_format(copy, 1, &out);
    int r2 = r == ORCH_ERR_NO_MEMORY ? r : doc_parse(text, NULL, &arena, &diags, &root);
    if (r2 == 0) r2 = doc_value(root, &arena, &value);
    if (r2 == 0) json_format(value, 0, &out);
    digest_number(digest, (uint64_t)(r * 100 + r2));
    digest_str(digest, buf_str(&out));
    bool is_short = out.failed || r == ORCH_ERR_NO_MEMORY || r2 == ORCH_ERR_NO_MEMORY;
    buf_done(&out);
    arena_done(&other);
    arena_done(&arena);
    return is_short ? ORCH_ERR_NO_MEMORY : 0;
}

static struct {
    struct oom_file *files;
    size_t count;
} documents[2];

static int parse_files(const void *arg, uint64_t *digest)
{
    size_t which = *(const size_t *)arg;
    for (size_t i = 0; i < documents[which].count; i++)
        if (parse_file(documents[which].files[i].text, digest) != 0) return ORCH_ERR_NO_MEMORY;
    return 0;
}

/* Maps with an index, keys that collide or not, texts with escapes. */
static int large_map(const void *arg, uint64_t *digest)
{
    struct buf text;
    (void)arg;
    buf_init(&text, NULL, 0);
    buf_add_char(&text, '{');
    for (int i = 0; i < 300; i++) buf_printf(&text, "%s\"key\\u0020%d\":[%d,{\"v\":\"\\n%d\"}]", i ? "," : "", i, i, i);
    buf_add_char(&text, '}');
    int r = text.failed ? ORCH_ERR_NO_MEMORY : parse_file(buf_str(&text), digest);
    buf_done(&text);
    return r;
}

/* ---- */

#define SCENARIOS_MAX 500
static struct oom_scenario scenarios[SCENARIOS_MAX];
static size_t count;

static void add(const char *group, const char *name, int (*run)(const void *arg, uint64_t *digest), const void *arg)
{
    if (count == SCENARIOS_MAX) exit(1);
    scenarios[count++] = (struct oom_scenario){.group = group, .name = name, .run = run, .arg = arg};
}

static void add_definitions(const char *group, const char *folder, const char *ending)
{
    struct oom_file *files;
    size_t files_count = oom_files(folder, ending, &files);
    for (size_t i = 0; i < files_count; i++)
        /* What is large by design takes its time, and nothing else happens in it. */
        if (files[i].text.size < 20000) add(group, files[i].path, read_definition, &files[i]);
}

int main(int argc, char **argv)
{
    static const size_t zero = 0, one = 1;
    static const char *const examples[] = {TESTS_FOLDER "/../examples/saga", TESTS_FOLDER "/../examples/nested",
                                           TESTS_FOLDER "/../examples/packages"};
    struct oom_file *tables;
    size_t tables_count;

    add_definitions("definitions", TESTS_FOLDER "/oom/definitions", ".yaml");
    add_definitions("definitions", TESTS_FOLDER "/oom/definitions", ".json");
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
        add_definitions("definitions", examples[i], ".yaml");
    add_definitions("definitions, wrong or odd", TESTS_FOLDER "/golden", ".yaml");
    add_definitions("definitions, wrong or odd", TESTS_FOLDER "/golden", ".json");
    add("schema", "schema", schema, NULL);
    tables_count = oom_files(TESTS_FOLDER "/cel", ".txt", &tables);
    for (size_t i = 0; i < tables_count; i++) add("expressions", tables[i].path, table, &tables[i]);
    add("templates", "templates", render, NULL);
    documents[0].count = oom_files(TESTS_FOLDER "/fuzz/corpus/json", "", &documents[0].files);
    documents[1].count = oom_files(TESTS_FOLDER "/fuzz/corpus/document", "", &documents[1].files);
    add("JSON and YAML", "json", parse_files, &zero);
    add("JSON and YAML", "documents", parse_files, &one);
    add("JSON and YAML", "large map", large_map, NULL);
    return oom_main(argc, argv, scenarios, count);
}
