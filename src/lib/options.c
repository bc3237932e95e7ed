/*
 * options.c - tasks that are no functions of their own, and what else a task or workflow can have: kept as JSON, as it
 * will stand in the definition. Whether it makes sense is found out by who reads the definition.
 */
#include "lib/internal.h"

#include "lang/doc.h"

/*
 * JSON.
 */
int text_value(const char *text, struct arena *arena, struct value *ret, struct orch_error *err)
{
    const struct doc_node *node;
    struct diags *diags = ARENA_NEW(arena, struct diags);

    if (!text) return error_set(err, ORCH_ERR_MISUSE, "a text is wanted");
    if (!diags) return error_memory(err);
    diags_init(diags, arena);
    int r = doc_parse(str_from(text), NULL, arena, diags, &node);
    if (r == ORCH_ERR_NO_MEMORY) return error_memory(err);
    if (r) return findings_tell(diags, NULL, NULL, NULL, r, err);
    return doc_value(node, arena, ret) ? error_memory(err) : 0;
}

int workflow_member(struct orch_workflow *workflow, struct lib_member ***tail, struct lib_member *first,
                    const char *key, struct orch_str json, struct orch_error *err)
{
    if (!key || !key[0]) return error_set(err, ORCH_ERR_MISUSE, "a key is wanted");
    if (!utf8_is_valid(str_from(key), NULL)) return error_set(err, ORCH_ERR_INVALID, "a key is not UTF-8");
    for (const struct lib_member *member = first; member; member = member->next)
        if (str_is(member->key, key)) return error_set(err, ORCH_ERR_EXISTS, "there is a \"%s\" already", key);
    struct lib_member *member = ARENA_NEW(&workflow->arena, struct lib_member);
    if (!member) return error_memory(err);
    member->key = arena_str(&workflow->arena, str_from(key));
    member->json = arena_str(&workflow->arena, json);
    if (!member->key.data || !member->json.data) return error_memory(err);
    **tail = member;
    *tail = &member->next;
    return 0;
}

/* The same with a value, or a text that is one. */
static int member_value(struct orch_workflow *workflow, struct lib_member ***tail, struct lib_member *first,
                        const char *key, struct value value, struct orch_error *err)
{
    struct buf json;

    buf_init(&json, NULL, 0);
    json_format(value, 0, &json);
    int r = json.failed ? error_memory(err) : workflow_member(workflow, tail, first, key, buf_str(&json), err);
    buf_done(&json);
    return r;
}

static int member_text(struct orch_workflow *workflow, struct lib_member ***tail, struct lib_member *first,
                       const char *key, const char *text, struct orch_error *err)
{
    struct arena scratch;
    struct value value;

    arena_init(&scratch, NULL, 0);
    int r = text_value(text, &scratch, &value, err);
    if (!r) r = member_value(workflow, tail, first, key, value, err);
    arena_done(&scratch);
    return r;
}

/*
 * Tasks.
 */

/* Adds a task that is no function, with its first member; on failure nothing is left of it. */
static int add(struct orch_workflow *workflow, const char *name, const char *key, struct value value,
               orch_task *ret_task, struct orch_error *err)
{
    orch_task task;
    int r = workflow_may_change(workflow, err);

    if (r) return r;
    /* First what may fail for reasons of its own: a name that was taken is not given back. */
    struct lib_member *members = NULL, **tail = &members;
    r = member_value(workflow, &tail, NULL, key, value, err);
    struct lib_extra *extra = r ? NULL : workflow_extra(workflow, workflow->count);
    if (!r && !extra) r = error_memory(err);
    if (!r) r = workflow_add(workflow, name, &(struct lib_function){NULL, NULL}, &task, err);
    if (r) return r;
    extra->members = members;
    extra->members_tail = &members->next;
    workflow->is_plain = false;
    if (ret_task) *ret_task = task;
    return 0;
}

static int check_text(const char *text, const char *what, struct orch_error *err)
{
    if (!text) return error_set(err, ORCH_ERR_MISUSE, "%s is wanted", what);
    if (!utf8_is_valid(str_from(text), NULL)) return error_set(err, ORCH_ERR_INVALID, "%s is not UTF-8", what);
    return 0;
}

static struct value_member text_member(const char *key, const char *text)
{
    return (struct value_member){value_string(str_from(key)), value_string(str_from(text))};
}

static int add_map(struct orch_workflow *workflow, const char *name, const char *key,
                   const struct value_member *members, uint32_t count, orch_task *ret_task, struct orch_error *err)
{
    struct arena scratch;
    struct value map;

    arena_init(&scratch, NULL, 0);
    int r =
        value_map(members, count, &scratch, &map) ? error_memory(err) : add(workflow, name, key, map, ret_task, err);
    arena_done(&scratch);
    return r;
}

int orch_workflow_add_call(struct orch_workflow *workflow, const char *name, const char *function,
                           const char *parameters, orch_task *ret_task, struct orch_error *err)
{
    struct arena scratch;
    int r = check_text(function, "the function's name", err);

    if (r) return r;
    struct value_member members[2] = {text_member("name", function), {.key = value_string(STR("parameters"))}};
    arena_init(&scratch, NULL, 0);
    if (parameters) r = text_value(parameters, &scratch, &members[1].value, err);
    if (!r) r = add_map(workflow, name, "function", members, parameters ? 2 : 1, ret_task, err);
    arena_done(&scratch);
    return r;
}

int orch_workflow_add_shell(struct orch_workflow *workflow, const char *name, const char *text, orch_task *ret_task,
                            struct orch_error *err)
{
    int r = check_text(text, "the command", err);
    return r ? r : add(workflow, name, "shell", value_string(str_from(text)), ret_task, err);
}

int orch_workflow_add_exec(struct orch_workflow *workflow, const char *name, const char *const *argv,
                           orch_task *ret_task, struct orch_error *err)
{
    struct arena scratch;
    uint32_t count = 0;
    int r = 0;

    if (!argv || !argv[0]) return error_set(err, ORCH_ERR_MISUSE, "a program is wanted");
    while (argv[count]) count++;
    arena_init(&scratch, NULL, 0);
    struct value *items = ARENA_ARRAY(&scratch, count, struct value);
    if (!items) r = error_memory(err);
    for (uint32_t i = 0; i < count && !r; i++) {
        r = check_text(argv[i], "an argument", err);
        if (!r) items[i] = value_string(str_from(argv[i]));
    }
    if (!r) r = add(workflow, name, "exec", value_list(items, count), ret_task, err);
    arena_done(&scratch);
    return r;
}

int orch_workflow_add_script(struct orch_workflow *workflow, const char *name, const char *file,
                             const char *interpreter, orch_task *ret_task, struct orch_error *err)
{
    int r = check_text(file, "the script", err);

    if (!r && interpreter) r = check_text(interpreter, "the interpreter", err);
    if (r) return r;
    struct value_member members[2] = {text_member("file", file), text_member("interpreter", interpreter)};
    return add_map(workflow, name, "script", members, interpreter ? 2 : 1, ret_task, err);
}

int orch_workflow_add_transform(struct orch_workflow *workflow, const char *name, const char *expression,
                                orch_task *ret_task, struct orch_error *err)
{
    int r = check_text(expression, "the expression", err);
    return r ? r : add(workflow, name, "transform", value_string(str_from(expression)), ret_task, err);
}

/* What a text names in depends_on goes with what orch_workflow_depend says. */
static int take_depends_on(struct orch_workflow *workflow, struct lib_extra *extra, struct value value,
                           struct orch_error *err)
{
    struct value list = value;

    if (value.kind != VALUE_LIST) list = value_list(&value, 1);
    return value_copy(list, &workflow->arena, &extra->depends_on) ? error_memory(err) : 0;
}

int orch_workflow_add_task(struct orch_workflow *workflow, const char *name, const char *text, orch_task *ret_task,
                           struct orch_error *err)
{
    struct arena scratch;
    struct value value;
    struct lib_member *members = NULL, **tail = &members;
    struct lib_extra *extra = NULL;
    int r = workflow_may_change(workflow, err);

    if (r) return r;
    arena_init(&scratch, NULL, 0);
    r = text_value(text, &scratch, &value, err);
    if (!r && (value.kind != VALUE_MAP || value.size == 0))
        r = error_set(err, ORCH_ERR_INVALID, "a task is a map, such as {shell: make}");
    if (!r && !(extra = workflow_extra(workflow, workflow->count))) r = error_memory(err);
    for (uint32_t i = 0; !r && i < value.size; i++) {
        const struct value_member *member = &value_members(value)[i];
        if (member->key.kind != VALUE_STRING)
            r = error_set(err, ORCH_ERR_INVALID, "the keys of a task are texts");
        else if (str_is(value_str(member->key), "depends_on") || str_is(value_str(member->key), "dependencies"))
            r = take_depends_on(workflow, extra, member->value, err);
        else {
            struct orch_str key = arena_str(&scratch, value_str(member->key));
            r = key.data ? member_value(workflow, &tail, members, key.data, member->value, err) : error_memory(err);
        }
    }
    if (!r) r = workflow_add(workflow, name, &(struct lib_function){NULL, NULL}, ret_task, err);
    if (!r) {
        extra->members = members;
        extra->members_tail = members ? tail : &extra->members;
        workflow->is_plain = false;
    } else if (extra) {
        extra->depends_on = value_null();
    }
    arena_done(&scratch);
    return r;
}

/*
 * What a task has.
 */
static int change_task(struct orch_workflow *workflow, orch_task task, struct lib_extra **ret, struct orch_error *err)
{
    int r = workflow_may_change(workflow, err);

    if (r) return r;
    if (task >= workflow->count)
        return error_set(err, ORCH_ERR_NOT_FOUND, "workflow \"%s\" has no task number %u", workflow->name.data, task);
    *ret = workflow_extra(workflow, task);
    return *ret ? 0 : error_memory(err);
}

static void duration_value(orch_time us, struct arena *arena, struct value_member *ret, const char *key)
{
    struct orch_str text;

    if (us % ORCH_SECOND == 0)
        text = arena_printf(arena, "%llds", (long long)(us / ORCH_SECOND));
    else if (us % ORCH_MILLISECOND == 0)
        text = arena_printf(arena, "%lldms", (long long)(us / ORCH_MILLISECOND));
    else
        text = arena_printf(arena, "%lldus", (long long)us);
    *ret = (struct value_member){value_string(str_from(key)), value_string(text)};
}

int orch_workflow_set_retry(struct orch_workflow *workflow, orch_task task, const struct orch_retry *given,
                            struct orch_error *err)
{
    struct orch_retry retry;
    struct lib_extra *extra;
    struct value_member members[6];
    struct value map;
    struct arena scratch;
    uint32_t count = 0;
    int r = options_take(&retry, sizeof retry, given, err);

    if (!r) r = change_task(workflow, task, &extra, err);
    if (r) return r;
    if (retry.delay_us < 0 || retry.delay_max_us < 0 || !(retry.factor == 0 || retry.factor >= 1) ||
        !(retry.jitter >= 0) || !(retry.jitter <= 1))
        return error_set(err, ORCH_ERR_INVALID, "waits are not negative, the factor is at least 1, jitter is 0 to 1");
    arena_init(&scratch, NULL, 0);
    members[count++] = (struct value_member){value_string(STR("max_attempts")),
                                             value_int(retry.attempts_max ? retry.attempts_max : 3)};
    members[count++] = text_member("backoff", retry.factor == 1 ? "constant" : "exponential");
    if (retry.factor != 1)
        members[count++] =
            (struct value_member){value_string(STR("factor")), value_double(retry.factor == 0 ? 2 : retry.factor)};
    duration_value(retry.delay_us ? retry.delay_us : ORCH_SECOND, &scratch, &members[count++], "delay");
    if (retry.delay_max_us) duration_value(retry.delay_max_us, &scratch, &members[count++], "max_delay");
    if (retry.jitter > 0)
        members[count++] = (struct value_member){value_string(STR("jitter")), value_double(retry.jitter)};
    for (uint32_t i = 0; i < count && !r; i++)
        if (members[i].value.kind == VALUE_STRING && !members[i].value.text) r = error_memory(err);
    if (!r && value_map(members, count, &scratch, &map)) r = error_memory(err);
    if (!r) r = member_value(workflow, &extra->members_tail, extra->members, "retry", map, err);
    if (!r) workflow->is_plain = false;
    arena_done(&scratch);
    return r;
}

int orch_workflow_set_timeout(struct orch_workflow *workflow, orch_task task, orch_time timeout_us,
                              struct orch_error *err)
{
    struct lib_extra *extra;
    struct value_member member;
    struct arena scratch;
    int r = change_task(workflow, task, &extra, err);

    if (r) return r;
    if (timeout_us <= 0) return error_set(err, ORCH_ERR_INVALID, "a timeout is more than 0");
    arena_init(&scratch, NULL, 0);
    duration_value(timeout_us, &scratch, &member, "timeout");
    r = member.value.text ? member_value(workflow, &extra->members_tail, extra->members, "timeout", member.value, err)
                          : error_memory(err);
    if (!r) workflow->is_plain = false;
    arena_done(&scratch);
    return r;
}

int orch_workflow_set_when(struct orch_workflow *workflow, orch_task task, const char *expression,
                           struct orch_error *err)
{
    struct lib_extra *extra;
    int r = check_text(expression, "the expression", err);

    if (!r) r = change_task(workflow, task, &extra, err);
    if (!r)
        r = member_value(workflow, &extra->members_tail, extra->members, "when", value_string(str_from(expression)),
                         err);
    if (!r) workflow->is_plain = false;
    return r;
}

int orch_workflow_set_env(struct orch_workflow *workflow, orch_task task, const char *name, const char *value,
                          struct orch_error *err)
{
    struct lib_extra *extra;
    int r = check_text(value, "the value", err);

    if (!r) r = change_task(workflow, task, &extra, err);
    if (!r) r = member_value(workflow, &extra->env_tail, extra->env, name, value_string(str_from(value)), err);
    if (!r) workflow->is_plain = false;
    return r;
}

int orch_workflow_set_task(struct orch_workflow *workflow, orch_task task, const char *key, const char *text,
                           struct orch_error *err)
{
    struct lib_extra *extra;
    int r = change_task(workflow, task, &extra, err);

    if (r) return r;
    if (key && (strcmp(key, "depends_on") == 0 || strcmp(key, "dependencies") == 0)) {
        error_set(err, ORCH_ERR_INVALID, "what a task waits for is said by its number");
        error_hint(err, "orch_workflow_depend");
        return ORCH_ERR_INVALID;
    }
    if (key && strcmp(key, "env") == 0 && extra->env)
        return error_set(err, ORCH_ERR_EXISTS, "there is an \"env\" already");
    r = member_text(workflow, &extra->members_tail, extra->members, key, text, err);
    if (!r) workflow->is_plain = false;
    return r;
}

/*
 * What the workflow has.
 */
int orch_workflow_set(struct orch_workflow *workflow, const char *key, const char *text, struct orch_error *err)
{
    static const char *const ours[] = {"name", "tasks", "parameters", "actions", "steps"};
    int r = workflow_may_change(workflow, err);

    if (r) return r;
    for (size_t i = 0; key && i < sizeof ours / sizeof ours[0]; i++)
        if (strcmp(key, ours[i]) == 0) return error_set(err, ORCH_ERR_INVALID, "\"%s\" is not set like this", key);
    r = member_text(workflow, &workflow->members_tail, workflow->members, key, text, err);
    if (r) return r;
    bool is_fail_fast = strcmp(key, "fail_fast") == 0;
    if (is_fail_fast) workflow->fail_fast = strcmp(text, "true") == 0;
    /* The rest of what people read makes no difference to how it runs. */
    if (strcmp(key, "description") != 0 && strcmp(key, "version") != 0 && strcmp(key, "tags") != 0 &&
        !(is_fail_fast && (workflow->fail_fast || strcmp(text, "false") == 0)))
        workflow->is_plain = false;
    return 0;
}

int orch_workflow_add_parameter(struct orch_workflow *workflow, const char *name, const char *text,
                                struct orch_error *err)
{
    int r = workflow_may_change(workflow, err);

    if (!r) r = member_text(workflow, &workflow->parameters_tail, workflow->parameters, name, text ? text : "{}", err);
    if (!r) workflow->is_plain = false;
    return r;
}
