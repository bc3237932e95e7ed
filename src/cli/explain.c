/*
 * explain.c - orch explain: one task of a definition in words.
 */
#include "cli/definition.h"
#include "cli/tell.h"
#include "cli/tree.h"

#include "base/error.h"
#include "base/time.h"

static void tell_part(const struct template_part *part, struct buf *out)
{
    if (!part->expr) {
        buf_add(out, part->text);
        return;
    }
    buf_add_text(out, "{{ ");
    buf_add(out, expr_source(part->expr));
    buf_add_text(out, " }}");
}

void tell_template(const struct template *tmpl, struct buf *out)
{
    switch (tmpl->kind) {
    case TEMPLATE_VALUE:
        if (tmpl->value.kind == VALUE_STRING) buf_add(out, value_str(tmpl->value));
        else json_format(tmpl->value, 0, out);
        return;
    case TEMPLATE_EXPR: tell_part(&tmpl->expr, out); return;
    case TEMPLATE_TEXT:
        for (uint32_t i = 0; i < tmpl->count; i++) tell_part(&tmpl->parts[i], out);
        return;
    case TEMPLATE_LIST:
        buf_add_char(out, '[');
        for (uint32_t i = 0; i < tmpl->count; i++) {
            if (i) buf_add_text(out, ", ");
            tell_template(&tmpl->items[i], out);
        }
        buf_add_char(out, ']');
        return;
    case TEMPLATE_MAP:
        buf_add_char(out, '{');
        for (uint32_t i = 0; i < tmpl->count; i++) {
            buf_printf(out, "%s%.*s: ", i ? ", " : "", STR_ARG(tmpl->members[i].key));
            tell_template(&tmpl->members[i].value, out);
        }
        buf_add_char(out, '}');
        return;
    }
}

const struct task *tell_inner(const struct task *task)
{
    const struct block *body = task_block(task, BLOCK_BODY);
    return body && body->task_count == 1 && block_is_wrapping(body) ? tell_inner(&body->tasks[0]) : task;
}

const char *tell_action(const struct task *task)
{
    if (!task->action) return task->kind == TASK_GROUP ? "runs a group of tasks" : "goes round a block of tasks";
    switch (task->action->kind) {
    case ACTION_SHELL: return "runs a shell command";
    case ACTION_EXEC: return "runs a program, without a shell";
    case ACTION_SCRIPT: return "runs a script";
    case ACTION_TRANSFORM: return "computes a value";
    case ACTION_WAIT: return "waits";
    case ACTION_APPROVAL: return "asks a person for a yes or no";
    case ACTION_WORKFLOW: return "runs another workflow";
    case ACTION_NOTIFICATION: return "sends a message";
    case ACTION_FUNCTION: return "calls a function of the program around it";
    case ACTION_NOOP: return "does nothing: a point to meet at";
    default: return action_kind_to_string(task->action->kind);
    }
}

/* ---- finding it ---- */

static const struct task *find_task(const struct workflow *workflow, struct orch_str name)
{
    const struct task *by_id = NULL;
    struct buf path;
    buf_init(&path, NULL, 64u * 1024);
    for (uint32_t b = 0; b < workflow->block_count; b++)
        for (uint32_t i = 0; i < workflow->blocks[b]->task_count; i++) {
            const struct task *task = &workflow->blocks[b]->tasks[i];
            if (block_is_wrapping(workflow->blocks[b])) continue; /* named by the loop around it */
            buf_clear(&path);
            task_path(task, &path);
            if (str_equal(buf_str(&path), name)) {
                buf_done(&path);
                return task;
            }
            if (!by_id && str_equal(task->id, name)) by_id = task;
        }
    buf_done(&path);
    return by_id;
}

static int unknown_task(const struct definition *definition, const char *name, struct orch_error *err)
{
    struct orch_str names[1000];
    size_t count = 0;
    const struct workflow *workflow = definition->workflow;
    for (uint32_t b = 0; b < workflow->block_count; b++)
        for (uint32_t i = 0; i < workflow->blocks[b]->task_count && count < 1000; i++) names[count++] = workflow->blocks[b]->tasks[i].id;
    struct orch_str near = str_nearest(str_from(name), names, count);
    error_set(err, ORCH_ERR_NOT_FOUND, "%s has no task \"%s\"", definition->file, name);
    if (near.size) error_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    else error_hint(err, "orch graph %s  shows them", definition->file);
    return ORCH_ERR_NOT_FOUND;
}

/* ---- its lines ---- */

static void put_label(const char *label)
{
    printf("  %-14s", label);
}

static void put_line(const char *label, struct orch_str text)
{
    put_label(label);
    cli_put_clean(text, 0);
    puts("");
}

static void put_names(const char *label, const struct block *block, const uint32_t *items, uint32_t count, const char *after)
{
    put_label(label);
    for (uint32_t i = 0; i < count; i++) {
        if (i == 20) {
            printf(" and %u more", count - i);
            break;
        }
        printf("%s%.*s", i ? ", " : "", STR_ARG(block->tasks[items[i]].id));
    }
    puts(after);
}

static const char *join_words(uint8_t join)
{
    switch ((enum join_rule)join) {
    case JOIN_ALL_SUCCEEDED: return " (all of them have to succeed)";
    case JOIN_ALL_DONE: return " (however they end)";
    case JOIN_ANY_SUCCEEDED: return " (until one has succeeded)";
    case JOIN_NONE_FAILED: return " (none may fail; skipped ones are fine)";
    case JOIN_AT_LEAST: return " (until so many have succeeded as at_least says)";
    }
    return "";
}

static const char *skip_words(uint8_t join)
{
    switch ((enum join_rule)join) {
    case JOIN_ALL_SUCCEEDED: return "one of them fails or is skipped";
    case JOIN_ALL_DONE: return "";
    case JOIN_ANY_SUCCEEDED: return "none of them succeeds";
    case JOIN_NONE_FAILED: return "one of them fails";
    case JOIN_AT_LEAST: return "too few of them can still succeed";
    }
    return "";
}

static void put_config(const struct task *task)
{
    struct buf text;
    const struct template *config = &task->action->config;
    buf_init(&text, NULL, 1024u * 1024);
    if (config->kind == TEMPLATE_MAP)
        for (uint32_t i = 0; i < config->count; i++) {
            buf_clear(&text);
            buf_printf(&text, "%.*s: ", STR_ARG(config->members[i].key));
            tell_template(&config->members[i].value, &text);
            put_line("", buf_str(&text));
        }
    else if (config->kind == TEMPLATE_VALUE && config->value.kind == VALUE_MAP)
        for (uint32_t i = 0; i < config->value.size; i++) {
            const struct value_member *member = &value_members(config->value)[i];
            struct template one = {.kind = TEMPLATE_VALUE, .value = member->value};
            buf_clear(&text);
            buf_printf(&text, "%.*s: ", STR_ARG(value_str(member->key)));
            tell_template(&one, &text);
            put_line("", buf_str(&text));
        }
    if (task->action->kind == ACTION_TRANSFORM && task->action->transform) put_line("", expr_source(task->action->transform));
    if (task->action->kind == ACTION_WORKFLOW) put_line("", task->action->workflow);
    if (task->action->kind == ACTION_WAIT) {
        buf_clear(&text);
        buf_add_text(&text, task->action->wait_kind == WAIT_DURATION ? "for " : task->action->wait_kind == WAIT_UNTIL ? "until " : "for the event ");
        tell_template(&task->action->wait, &text);
        put_line("", buf_str(&text));
    }
    buf_done(&text);
}

static void put_time(struct buf *out, const char *before, orch_time time, const char *after)
{
    buf_add_text(out, before);
    duration_format_short(time, out);
    buf_add_text(out, after);
}

static void put_retry(const struct task *task)
{
    const struct retry_policy *retry = task_retry(task);
    struct buf text;
    buf_init(&text, NULL, 4096);
    if (retry && retry->attempts_max > 1) {
        buf_printf(&text, "up to %u tries, ", retry->attempts_max);
        put_time(&text, "the second after ", retry->delay_us, "");
        buf_add_text(&text, retry->backoff == BACKOFF_EXPONENTIAL ? ", then ever longer" : "");
        if (retry->delay_max_us && retry->backoff == BACKOFF_EXPONENTIAL) put_time(&text, " up to ", retry->delay_max_us, "");
        put_line("is retried", buf_str(&text));
    }
    if (task->options && (task->options->timeout_us || task->options->timeout_total_us)) {
        buf_clear(&text);
        if (task->options->timeout_us) put_time(&text, "after ", task->options->timeout_us, task->action ? " a try" : "");
        if (task->options->timeout_us && task->options->timeout_total_us) buf_add_text(&text, ", and ");
        if (task->options->timeout_total_us) put_time(&text, "after ", task->options->timeout_total_us, " with all its tries");
        put_line("times out", buf_str(&text));
    }
    buf_done(&text);
}

static void put_block(const char *label, const struct task *task, enum block_role role, const char *before)
{
    const struct block *block = task_block(task, role);
    if (!block || (role == BLOCK_BODY && block_is_wrapping(block))) return;
    put_label(label);
    fputs(before, stdout);
    for (uint32_t i = 0; i < block->task_count && i < 20; i++) {
        /* A handler that is one action has no name of its own. */
        bool lone = role != BLOCK_BODY && block->task_count == 1 && !block->tasks[i].has_id;
        struct orch_str name = lone ? str_from(action_kind_to_string(block->tasks[i].action ? block->tasks[i].action->kind : ACTION_NOOP)) : block->tasks[i].id;
        printf("%s%.*s", i ? ", " : "", STR_ARG(name));
    }
    if (block->task_count > 20) printf(" and %u more", block->task_count - 20);
    puts("");
}

static void put_rounds(const struct task *task)
{
    struct buf text;
    buf_init(&text, NULL, 64u * 1024);
    if (task->kind == TASK_FOR_EACH && task->options && task->options->loop) {
        const struct loop *loop = task->options->loop;
        buf_printf(&text, "once for each %.*s of ", STR_ARG(loop->as));
        tell_template(&loop->items, &text);
        if (loop->parallel_max) buf_printf(&text, ", at most %u side by side", loop->parallel_max);
        put_line("runs", buf_str(&text));
    }
    if (task->kind == TASK_REPEAT && task->options && task->options->repeat) {
        const struct repeat *repeat = task->options->repeat;
        buf_add_text(&text, "again ");
        if (repeat->until) buf_printf(&text, "until %.*s, ", STR_ARG(expr_source(repeat->until)));
        if (repeat->while_) buf_printf(&text, "as long as %.*s, ", STR_ARG(expr_source(repeat->while_)));
        buf_printf(&text, "at most %u times", repeat->iterations_max);
        if (repeat->delay_us) put_time(&text, ", with ", repeat->delay_us, " between");
        put_line("runs", buf_str(&text));
    }
    buf_done(&text);
}

static void print_task(const struct definition *definition, const struct task *task)
{
    const struct task *inner = tell_inner(task);
    const struct block *block = task->block;
    uint32_t first = block->dependency_start[task->index], count = block->dependency_start[task->index + 1] - first;
    uint32_t next = block->successor_start[task->index], followers = block->successor_start[task->index + 1] - next;
    struct buf path;
    buf_init(&path, NULL, 64u * 1024);
    task_path(task, &path);
    cli_put_clean(buf_str(&path), 0);
    buf_done(&path);
    printf("  (%s:%u)\n", definition->file, task->line);
    if (task->options && task->options->description.size) put_line("", task->options->description);
    put_line("does", str_from(tell_action(inner)));
    if (inner->action) put_config(inner);
    put_block("", inner, BLOCK_BODY, "");
    put_rounds(task);
    if (count) put_names("waits for", block, block->dependencies + first, count, count > 1 || task->join != JOIN_ALL_SUCCEEDED ? join_words(task->join) : "");
    else put_line("waits for", STR("nothing: it may start at once"));
    if (task->when) {
        put_label("runs only if");
        cli_put_clean(expr_source(task->when), 0);
        puts("  (else it is skipped)");
    }
    if (count && skip_words(task->join)[0]) put_line("is skipped if", str_from(skip_words(task->join)));
    put_retry(inner);
    if (inner != task) put_retry(task);
    put_block("if it fails", task, BLOCK_ON_ERROR, "runs ");
    if (inner != task) put_block("if it fails", inner, BLOCK_ON_ERROR, "runs ");
    if (task->continue_on_error) put_line("if it fails", STR("that is allowed: what follows goes on"));
    else if (!task_block(task, BLOCK_ON_ERROR)) put_line("if it fails", followers ? STR("what follows is not started, and the run fails") : STR("the run fails"));
    put_block("is undone by", inner, BLOCK_COMPENSATE, "");
    put_block("at its end", task, BLOCK_FINALLY, "runs ");
    for (uint32_t i = 0; inner->options && i < inner->options->pools_count; i++) {
        put_label("takes");
        printf("%u of pool %.*s\n", inner->options->pools[i].slots, STR_ARG(block->workflow->pools[inner->options->pools[i].pool].name));
    }
    if (inner->options && inner->options->on_interrupt == INTERRUPT_FAIL) put_line("if interrupted", STR("fails"));
    if (inner->options && inner->options->on_interrupt == INTERRUPT_HOLD) put_line("if interrupted", STR("is held: a person decides"));
    if (followers) put_names("needed by", block, block->successors + next, followers, "");
    else put_line("needed by", STR("nothing"));
    if (block->owner) put_line("is inside of", block->owner->id);
}

int cli_explain(int argc, char **argv)
{
    const struct cli_usage usage = {.verb = "explain",
                                    .arguments = "FILE TASK",
                                    .summary = "Says what a task does, waits for and may be skipped by, its rules in words, and who depends on it",
                                    .examples = "  orch explain etl.yaml transform\n  orch explain release.yaml build/test\n  orch explain - deploy < release.yaml",
                                    .positionals_min = 2,
                                    .positionals_max = 2};
    int count, r = cli_parse(&usage, argc, argv, &count);
    if (r >= 0) return r;
    struct definition definition;
    struct orch_error err = ORCH_ERROR_INIT;
    r = definition_read(&definition, argv[1], &err);
    int code = r ? cli_error(&err) : definition.workflow ? EXIT_OK : cli_findings(&definition.diags, definition.text, argv[1]);
    if (!r && definition.workflow) {
        const struct task *task = find_task(definition.workflow, str_from(argv[2]));
        if (task) print_task(&definition, task);
        else {
            (void)unknown_task(&definition, argv[2], &err);
            code = cli_error(&err);
        }
    }
    definition_done(&definition);
    return code;
}
