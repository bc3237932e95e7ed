/*
 * names.c - whether every name in an expression can be there when it is asked.
 *
 * What may be named is in docs/expressions.md. A name is looked for from the inside out; the innermost task that is
 * before the asker wins, as it does in a run. What is found only where it cannot be seen gives the error that says why.
 */
#include "lang/names.h"

#include "lang/diag_codes.h"

#define SUGGESTION_WORK_MAX 4000000 /* names compared in one workflow for "did you mean" */

static const char *const builtins[] = {"params", "execution", "workflow", "env", "secrets", "tasks", "now"};
static const char *const task_fields[] = {"output",   "response",  "status",     "error",
                                          "attempts", "exit_code", "started_at", "ended_at"};
static const char *const error_fields[] = {"kind", "message", "exit_code", "signal"};
static const char *const execution_fields[] = {"id", "started_at", "name"};
static const char *const workflow_fields[] = {"name", "version"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The place of a piece of the expression in the file; all of the scalar when it does not stand there as it is. */
static struct span place(const struct site *site, uint32_t column, struct orch_str text)
{
    if (site->at.length == 0 || column == 0) return site->whole;
    return (struct span){site->at.line, site->at.column + column - 1, (uint32_t)utf8_count(text)};
}

static struct diag *report(struct names *names, uint16_t code, uint32_t column, struct orch_str text,
                           const char *format, ...) ORCH_PRINTF(5, 6);

static struct diag *report(struct names *names, uint16_t code, uint32_t column, struct orch_str text,
                           const char *format, ...)
{
    struct buf buf;
    buf_init(&buf, NULL, 64 * 1024);
    va_list args;
    va_start(args, format);
    buf_vprintf(&buf, format, args);
    va_end(args);
    if (buf.failed) names->diags->failed = true;
    struct diag *diag =
        diag_add(names->diags, DIAG_ERROR, code, place(names->site, column, text), "%.*s", STR_ARG(buf_str(&buf)));
    buf_done(&buf);
    return diag;
}

static bool is_kept(const struct names *names, const struct diag *diag)
{
    return diag != &names->diags->spare;
}

/* ---- fields ---- */

static void add_word_list(struct buf *buf, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buf_add_text(buf, i + 1 == count ? " and " : ", ");
        buf_add_text(buf, words[i]);
    }
}

static void field_report(struct names *names, uint32_t column, struct orch_str field, struct orch_str owner,
                         const char *const *words, size_t count)
{
    struct diag *diag = report(names, DIAG_UNKNOWN_FIELD, column, field, "\"%.*s\" has no field \"%.*s\"",
                               STR_ARG(owner), STR_ARG(field));
    if (!is_kept(names, diag)) return;
    struct orch_str candidates[COUNT(task_fields)];
    for (size_t i = 0; i < count; i++) candidates[i] = str_from(words[i]);
    struct orch_str nearest = str_nearest(field, candidates, count);
    struct buf buf;
    buf_init(&buf, NULL, 4096);
    if (nearest.data) {
        buf_printf(&buf, "did you mean \"%.*s\"?", STR_ARG(nearest));
    } else if (words == task_fields) {
        buf_printf(&buf, "what a task gave is in its output: %.*s.output.%.*s", STR_ARG(owner), STR_ARG(field));
    } else {
        buf_add_text(&buf, "its fields are ");
        add_word_list(&buf, words, count);
    }
    diag_help(names->diags, diag, "%.*s", STR_ARG(buf_str(&buf)));
    if (buf.failed) names->diags->failed = true;
    buf_done(&buf);
}

static bool is_word(struct orch_str text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_is(text, words[i])) return true;
    }
    return false;
}

static void fields_check(struct names *names, const struct expr_name *name, const char *const *words, size_t count)
{
    if (name->field.size == 0 || name->in_has || is_word(name->field, words, count)) return;
    field_report(names, name->field_column, name->field, name->name, words, count);
}

/* A task's field, and the field of its error; `column` is 0 when the place of the field is not known. */
static void task_fields_check(struct names *names, const struct expr_name *name, struct orch_str id,
                              struct orch_str field, struct orch_str field2, uint32_t column)
{
    if (field.size == 0 || name->in_has) return;
    if (!is_word(field, task_fields, COUNT(task_fields))) {
        field_report(names, column, field, id, task_fields, COUNT(task_fields));
    } else if (str_is(field, "error") && field2.size > 0 && !is_word(field2, error_fields, COUNT(error_fields))) {
        field_report(names, column, field2, STR("error"), error_fields, COUNT(error_fields));
    }
}

/* ---- tasks ---- */

/* What looking for a task from the inside out gave. */
struct found {
    const struct task *task;   /* seen, or NULL */
    const struct task *hidden; /* of that id but not seen, in the innermost block that has one; or NULL */
    const struct task *asker;  /* in the block of `hidden`: who would have to wait for it */
    bool inside;               /* the site is inside of `asker`, not its own */
};

static int is_before(struct names *names, const struct scope *scope, uint32_t index, bool *ret)
{
    const struct block *block = scope->block;
    *ret = true;
    if (scope->all) return 0;
    if (index == scope->asker) {
        *ret = scope->self;
        return 0;
    }
    if (!block->order) return 0; /* its graph is wrong, which has been said */
    enum reach_answer answer;
    int rc = reach_find(&names->reach, block, index, scope->asker, &answer);
    if (rc < 0) return rc;
    if (answer == REACH_UNKNOWN) names->unchecked++;
    *ret = answer != REACH_NO;
    return 0;
}

static int task_find(struct names *names, struct orch_str id, struct found *ret)
{
    *ret = (struct found){0};
    struct scope first = scope_of(names->site, names->workflow);
    for (struct scope scope = first; scope.block; scope = scope_outer(&scope)) {
        const struct map_entry *entry = scope.block->by_id.count > 0 ? map_find(&scope.block->by_id, id) : NULL;
        if (!entry) continue;
        const struct task *task = &scope.block->tasks[entry->number];
        bool seen;
        int rc = is_before(names, &scope, task->index, &seen);
        if (rc < 0) return rc;
        if (seen) {
            ret->task = task;
            return 0;
        }
        if (ret->hidden) continue;
        ret->hidden = task;
        ret->asker = &scope.block->tasks[scope.asker];
        ret->inside = ret->asker != names->site->task;
    }
    return 0;
}

static int hidden_report(struct names *names, struct orch_str id, uint32_t column, const struct found *found)
{
    struct diags *diags = names->diags;
    const struct task *asker = found->asker;
    if (found->hidden == asker) {
        struct diag *diag = report(names, DIAG_TASK_NOT_BEFORE, column, id,
                                   found->inside ? "\"%.*s\" is not done while what is inside it runs"
                                                 : "task \"%.*s\" asks for its own result",
                                   STR_ARG(id));
        diag_help(diags, diag, "%s",
                  asker->kind == TASK_REPEAT || (asker->block->owner && asker->block->owner->kind == TASK_REPEAT)
                      ? "the output of the iteration before is `previous`"
                      : "move what asks into a task that depends on it");
        return 0;
    }
    enum reach_answer after = REACH_NO;
    int rc = reach_find(&names->reach, asker->block, asker->index, found->hidden->index, &after);
    if (rc < 0) return rc;
    if (after == REACH_YES) {
        struct diag *diag = report(names, DIAG_TASK_NOT_BEFORE, column, id,
                                   "\"%.*s\" runs after \"%.*s\", which asks for it", STR_ARG(id), STR_ARG(asker->id));
        diag_label(diags, diag, "line %u", found->hidden->line);
        diag_help(diags, diag, "move what asks into a task that depends on \"%.*s\"", STR_ARG(id));
        return 0;
    }
    struct diag *diag = report(names, DIAG_TASK_NOT_BEFORE, column, id,
                               "\"%.*s\" may not be done when \"%.*s\" asks for it", STR_ARG(id), STR_ARG(asker->id));
    diag_label(diags, diag, "\"%.*s\" does not depend on it", STR_ARG(asker->id));
    uint32_t dependencies =
        asker->block->dependency_start[asker->index + 1] - asker->block->dependency_start[asker->index];
    diag_help(diags, diag,
              dependencies == 0 ? "add  depends_on: [%.*s]  to %.*s (line %u)"
                                : "add %.*s to the depends_on of %.*s (line %u)",
              STR_ARG(id), STR_ARG(asker->id), asker->line);
    return 0;
}

/* ---- unknown names ---- */

static bool is_loop_variable(const struct loop *loop, struct orch_str name)
{
    return loop && (str_equal(name, loop->as) || str_equal(name, loop->as_index));
}

/* Names that are there, but in other places: says where. */
static bool outside_report(struct names *names, const struct expr_name *name)
{
    static const struct {
        const char *name, *where, *mend;
    } places[] = {
        {"error", "only in an on_error", "a task's own error is in <task>.error"},
        {"iteration", "only inside a repeat", "give the group a `repeat`, or use another name"},
        {"previous", "only inside a repeat", "it is the output of the iteration before"},
        {"event", "only in the filter of a wait for an event",
         "the event's data is the output of the wait: <task>.output"},
    };
    for (size_t i = 0; i < COUNT(places); i++) {
        if (!str_is(name->name, places[i].name)) continue;
        struct diag *diag = report(names, DIAG_OUTSIDE_SITE, name->column, name->name, "`%s` is there %s",
                                   places[i].name, places[i].where);
        diag_help(names->diags, diag, "%s", places[i].mend);
        return true;
    }
    const struct task *task = names->site->task;
    if (!task || task->kind != TASK_FOR_EACH || !task->options || !is_loop_variable(task->options->loop, name->name)) {
        return false;
    }
    struct diag *diag = report(names, DIAG_OUTSIDE_SITE, name->column, name->name,
                               "`%.*s` is there only inside the loop", STR_ARG(name->name));
    diag_help(names->diags, diag, "the list is asked for once, before the first item");
    return true;
}

/* The task of that id that lies deepest in something that the asker could name: "use transform.output.clean". */
static const struct task *inner_find(struct names *names, struct orch_str id)
{
    for (uint32_t i = 0; i < names->workflow->block_count; i++) {
        const struct block *block = names->workflow->blocks[i];
        const struct map_entry *entry = block->by_id.count > 0 ? map_find(&block->by_id, id) : NULL;
        if (entry && block->owner && block->role == BLOCK_BODY) return &block->tasks[entry->number];
    }
    return NULL;
}

static int nearest_find(struct names *names, struct orch_str word, struct orch_str *ret)
{
    const struct workflow *workflow = names->workflow;
    struct scope first = scope_of(names->site, workflow);
    size_t count = COUNT(builtins) + workflow->parameters_count + 1;
    for (struct scope scope = first; scope.block; scope = scope_outer(&scope)) count += scope.block->task_count + 5;
    *ret = STR_NONE;
    if (names->suggestion_work + count > SUGGESTION_WORK_MAX) return 0;
    names->suggestion_work += count;
    struct arena_mark mark = arena_mark(names->scratch);
    struct orch_str *words = ARENA_ARRAY(names->scratch, count, struct orch_str);
    if (!words) return ORCH_ERR_NO_MEMORY;
    size_t n = 0;
    for (struct scope scope = first; scope.block; scope = scope_outer(&scope)) {
        if (scope.loop) {
            words[n++] = scope.loop->as;
            words[n++] = scope.loop->as_index;
        }
        if (scope.has_iteration) {
            words[n++] = STR("iteration");
            words[n++] = STR("previous");
        }
        if (scope.has_error) words[n++] = STR("error");
        for (uint32_t i = 0; i < scope.block->task_count; i++) {
            if (scope.all || i != scope.asker) words[n++] = scope.block->tasks[i].id;
        }
    }
    if (names->site->kind == SITE_FILTER) words[n++] = STR("event");
    for (uint32_t i = 0; i < workflow->parameters_count; i++) words[n++] = workflow->parameters[i].name;
    for (size_t i = 0; i < COUNT(builtins); i++) words[n++] = str_from(builtins[i]);
    *ret = str_nearest(word, words, n);
    arena_rewind(names->scratch, mark);
    return 0;
}

static int unknown_report(struct names *names, const struct expr_name *name, struct orch_str id, uint32_t column)
{
    bool as_task = name->name.data != id.data; /* tasks.id */
    if (!as_task && outside_report(names, name)) return 0;
    struct diag *diag =
        report(names, DIAG_UNKNOWN_NAME, column, id,
               as_task ? "unknown task \"%.*s\" in an expression" : "unknown name \"%.*s\"", STR_ARG(id));
    if (!is_kept(names, diag)) return 0;
    if (!names->site->task && names->site->kind == SITE_ENV && names->workflow->body->by_id.count > 0 &&
        map_find(&names->workflow->body->by_id, id)) {
        diag_help(names->diags, diag,
                  "no task has run when the workflow's env is set: give the env to the tasks that need it");
        return 0;
    }
    const struct task *inner = inner_find(names, id);
    if (inner) {
        diag_help(names->diags, diag, "the task \"%.*s\" (line %u) is inside \"%.*s\": use %.*s.output", STR_ARG(id),
                  inner->line, STR_ARG(inner->block->owner->id), STR_ARG(inner->block->owner->id));
        return 0;
    }
    struct orch_str nearest;
    int rc = nearest_find(names, id, &nearest);
    if (rc < 0) return rc;
    if (nearest.data) {
        diag_help(names->diags, diag, "did you mean \"%.*s\"?", STR_ARG(nearest));
    } else if (name->field.size == 0) {
        diag_help(names->diags, diag,
                  "a text stands in quotes: '%.*s'; a value from outside is declared in `parameters`", STR_ARG(id));
    } else if (!as_task) {
        diag_help(names->diags, diag, "names are those of parameters and of the tasks before this one");
    }
    return 0;
}

/* ---- names with a meaning of their own ---- */

static bool is_in_list(struct orch_str name, const struct orch_str *list, uint32_t count, bool *used)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!str_equal(name, list[i])) continue;
        if (used) used[i] = true;
        return true;
    }
    return false;
}

static bool secret_is_declared(struct names *names, struct orch_str secret)
{
    const struct workflow *workflow = names->workflow;
    for (const struct task *task = names->site->task; task; task = task->block->owner) {
        const struct task_options *options = task->options;
        if (options && is_in_list(secret, options->secrets, options->secrets_count, NULL)) return true;
    }
    return is_in_list(secret, workflow->secrets, workflow->secrets_count, names->secrets_used);
}

static void secret_check(struct names *names, const struct expr_name *name)
{
    struct diags *diags = names->diags;
    enum site_kind kind = names->site->kind;
    if (kind != SITE_CONFIG && kind != SITE_ENV) {
        struct diag *diag = report(names, DIAG_SECRET_NOT_HERE, name->column, name->name,
                                   "secrets can be used only in an action's configuration and in env");
        diag_label(diags, diag, "its value would be recorded");
        diag_help(diags, diag, "hand it to the task that needs it:  env: {TOKEN: \"{{ secrets.TOKEN }}\"}");
        if (name->field.size > 0) (void)secret_is_declared(names, name->field); /* it is used, if in the wrong place */
        return;
    }
    if (name->field.size == 0) {
        struct diag *diag =
            report(names, DIAG_SECRET_NOT_HERE, name->column, name->name, "all secrets at once cannot be asked for");
        diag_help(diags, diag, "name the one that is needed: secrets.TOKEN");
        return;
    }
    if (secret_is_declared(names, name->field)) return;
    struct diag *diag = report(names, DIAG_SECRET_NOT_DECLARED, name->field_column, name->field,
                               "secret \"%.*s\" is not declared", STR_ARG(name->field));
    struct orch_str nearest = str_nearest(name->field, names->workflow->secrets, names->workflow->secrets_count);
    if (nearest.data) {
        diag_help(diags, diag, "did you mean \"%.*s\"?", STR_ARG(nearest));
    } else {
        diag_help(diags, diag, "add  secrets: [%.*s]  to the workflow", STR_ARG(name->field));
    }
}

static void parameter_check(struct names *names, const struct expr_name *name)
{
    const struct workflow *workflow = names->workflow;
    if (name->field.size == 0) { /* all of them */
        memset(names->parameters_used, true, workflow->parameters_count * sizeof(bool));
        return;
    }
    const struct map_entry *entry = map_find(&names->parameters, name->field);
    if (entry) {
        names->parameters_used[entry->number] = true;
        return;
    }
    if (name->in_has) return;
    struct diag *diag = report(names, DIAG_UNKNOWN_PARAMETER, name->field_column, name->field,
                               "unknown parameter \"%.*s\"", STR_ARG(name->field));
    if (!is_kept(names, diag)) return;
    struct orch_str nearest = STR_NONE;
    struct arena_mark mark = arena_mark(names->scratch);
    struct orch_str *words = ARENA_ARRAY(names->scratch, workflow->parameters_count, struct orch_str);
    if (words) {
        for (uint32_t i = 0; i < workflow->parameters_count; i++) words[i] = workflow->parameters[i].name;
        nearest = str_nearest(name->field, words, workflow->parameters_count);
    }
    arena_rewind(names->scratch, mark);
    if (nearest.data) {
        diag_help(names->diags, diag, "did you mean \"%.*s\"?", STR_ARG(nearest));
    } else {
        diag_help(names->diags, diag, "declare it:  parameters: {%.*s: {type: string}}", STR_ARG(name->field));
    }
}

/* True when the name is one that is always there (or was reported). */
static bool builtin_check(struct names *names, const struct expr_name *name)
{
    if (str_is(name->name, "params")) {
        parameter_check(names, name);
    } else if (str_is(name->name, "execution")) {
        fields_check(names, name, execution_fields, COUNT(execution_fields));
    } else if (str_is(name->name, "workflow")) {
        fields_check(names, name, workflow_fields, COUNT(workflow_fields));
    } else if (str_is(name->name, "env")) {
        if (name->field.size > 0) return true;
        struct diag *diag =
            report(names, DIAG_UNKNOWN_FIELD, name->column, name->name, "the whole environment cannot be asked for");
        diag_help(names->diags, diag, "name the variable: env.HOME; only those that are named are recorded");
    } else if (str_is(name->name, "secrets")) {
        secret_check(names, name);
    } else {
        return false;
    }
    return true;
}

/* True when a loop, a repeat or a handler around the site gives the name. */
static bool surrounding_check(struct names *names, const struct expr_name *name)
{
    struct scope first = scope_of(names->site, names->workflow);
    for (struct scope scope = first; scope.block; scope = scope_outer(&scope)) {
        if (is_loop_variable(scope.loop, name->name)) return true;
        if (scope.has_iteration && (str_is(name->name, "iteration") || str_is(name->name, "previous"))) return true;
        if (scope.has_error && str_is(name->name, "error")) {
            fields_check(names, name, error_fields, COUNT(error_fields));
            return true;
        }
    }
    return names->site->kind == SITE_FILTER && str_is(name->name, "event");
}

/* ---- one name ---- */

static int task_name_check(struct names *names, const struct expr_name *name, struct orch_str id, uint32_t column)
{
    struct found found;
    int rc = task_find(names, id, &found);
    if (rc < 0) return rc;
    if (found.task) {
        if (id.data == name->name.data) {
            task_fields_check(names, name, id, name->field, name->field2, name->field_column);
        } else {
            task_fields_check(names, name, id, name->field2, STR_NONE, 0);
        }
        return 0;
    }
    if (found.hidden) return hidden_report(names, id, column, &found);
    return unknown_report(names, name, id, column);
}

static int name_check(void *user, const struct expr_name *name)
{
    struct names *names = user;
    if (builtin_check(names, name) || surrounding_check(names, name)) return 0;
    if (str_is(name->name, "tasks")) {
        if (name->field.size == 0) return 0; /* those that are seen, as a map */
        return task_name_check(names, name, name->field, name->field_column);
    }
    const struct map_entry *entry = map_find(&names->parameters, name->name);
    if (entry) {
        names->parameters_used[entry->number] = true;
        return 0;
    }
    if (name->is_builtin) {
        struct found found;
        int rc = task_find(names, name->name, &found);
        if (rc < 0 || (!found.task && !found.hidden)) return rc;
    }
    return task_name_check(names, name, name->name, name->column);
}

/* ---- what an expression gives ---- */

static bool wants_list(const struct site *site)
{
    const struct loop *loop = site->task && site->task->options ? site->task->options->loop : NULL;
    return site->kind == SITE_ITEMS && loop && loop->items.kind == TEMPLATE_EXPR && loop->items.expr.expr == site->expr;
}

static void result_check(struct names *names)
{
    const struct site *site = names->site;
    bool list = wants_list(site), known;
    if (!list && site->kind != SITE_WHEN && site->kind != SITE_REPEAT && site->kind != SITE_FILTER) return;
    enum value_kind kind = expr_result_kind(site->expr, &known);
    if (!known) return;
    if (list ? kind == VALUE_LIST || kind == VALUE_MAP : kind == VALUE_BOOL) return;
    const char *what = site->kind == SITE_WHEN     ? "`when`"
                       : site->kind == SITE_ITEMS  ? "`for_each`"
                       : site->kind == SITE_FILTER ? "a filter"
                                                   : "the condition of a `repeat`";
    const char *article = kind == VALUE_INT ? "an" : "a";
    struct diag *diag =
        report(names, DIAG_WRONG_RESULT, 1, expr_source(site->expr), "%s needs %s, this gives %s %s", what,
               list ? "a list" : "true or false", article, value_kind_name((struct value){.kind = (uint8_t)kind}));
    diag_help(names->diags, diag, "%s",
              list                   ? "a map works too: each item is then {key, value}"
              : kind == VALUE_STRING ? "compare it: name == 'text'"
                                     : "compare it, as in  size(items) > 0");
}

int names_look_at(struct names *names, const struct site *site)
{
    names->site = site;
    result_check(names);
    return expr_each_name(site->expr, name_check, names);
}
