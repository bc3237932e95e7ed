/*
 * model_dump.h - a workflow as text, without the places in its source: two that dump alike run alike.
 */
#ifndef TESTS_MODEL_DUMP_H
#define TESTS_MODEL_DUMP_H

#include "lang/model.h"

static void dump_template(const struct template *tmpl, struct buf *out)
{
    switch (tmpl->kind) {
    case TEMPLATE_VALUE: json_format(tmpl->value, 0, out); break;
    case TEMPLATE_EXPR: buf_printf(out, "<%.*s>", STR_ARG(expr_source(tmpl->expr.expr))); break;
    case TEMPLATE_TEXT:
        for (uint32_t i = 0; i < tmpl->count; i++) {
            const struct template_part *part = &tmpl->parts[i];
            if (part->expr)
                buf_printf(out, "<%.*s>", STR_ARG(expr_source(part->expr)));
            else
                json_format_string(part->text, out);
        }
        break;
    case TEMPLATE_LIST:
        buf_add_char(out, '[');
        for (uint32_t i = 0; i < tmpl->count; i++) {
            dump_template(&tmpl->items[i], out);
            buf_add_char(out, ',');
        }
        buf_add_char(out, ']');
        break;
    case TEMPLATE_MAP:
        buf_add_char(out, '{');
        for (uint32_t i = 0; i < tmpl->count; i++) {
            buf_printf(out, "%.*s:", STR_ARG(tmpl->members[i].key));
            dump_template(&tmpl->members[i].value, out);
            buf_add_char(out, ',');
        }
        buf_add_char(out, '}');
        break;
    }
}

static void dump_expr(const char *name, const struct expr *expr, struct buf *out)
{
    if (expr) buf_printf(out, " %s=<%.*s>", name, STR_ARG(expr_source(expr)));
}

static void dump_action(const struct action *action, struct buf *out)
{
    buf_printf(out, " %s config=", action_kind_to_string(action->kind));
    dump_template(&action->config, out);
    if (action->kind == ACTION_TRANSFORM) dump_expr("transform", action->transform, out);
    if (action->kind == ACTION_WAIT) {
        buf_printf(out, " wait%d=", (int)action->wait_kind);
        dump_template(&action->wait, out);
        dump_expr("filter", action->wait_filter, out);
    }
    if (action->kind == ACTION_WORKFLOW) {
        buf_printf(out, " workflow=%.*s parameters=", STR_ARG(action->workflow));
        dump_template(&action->parameters, out);
    }
}

static void dump_env(const struct env_entry *env, uint32_t count, struct buf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, " env.%.*s=", STR_ARG(env[i].name));
        dump_template(&env[i].value, out);
    }
}

static void dump_options(const struct task_options *o, struct buf *out)
{
    if (!o) return;
    buf_printf(out, " title=%.*s description=%.*s", STR_ARG(o->title), STR_ARG(o->description));
    if (o->retry) {
        const struct retry_policy *r = o->retry;
        buf_printf(out, " retry=%u/%d/%lld/%lld/%g/%g/%x", r->attempts_max, (int)r->backoff, (long long)r->delay_us,
                   (long long)r->delay_max_us, r->factor, r->jitter, r->on_mask);
        for (uint32_t i = 0; i < r->exit_code_count; i++) buf_printf(out, ",%u", r->exit_codes[i]);
    }
    buf_printf(out, " timeout=%lld/%lld", (long long)o->timeout_us, (long long)o->timeout_total_us);
    if (o->loop) {
        buf_printf(out, " loop=%.*s/%.*s/%u ", STR_ARG(o->loop->as), STR_ARG(o->loop->as_index), o->loop->parallel_max);
        dump_template(&o->loop->items, out);
    }
    if (o->repeat) {
        buf_printf(out, " repeat=%u/%lld", o->repeat->iterations_max, (long long)o->repeat->delay_us);
        dump_expr("until", o->repeat->until, out);
        dump_expr("while", o->repeat->while_, out);
    }
    dump_env(o->env, o->env_count, out);
    for (uint32_t i = 0; i < o->secrets_count; i++) buf_printf(out, " secret=%.*s", STR_ARG(o->secrets[i]));
    for (uint32_t i = 0; i < o->pools_count; i++) buf_printf(out, " pool=%u*%u", o->pools[i].pool, o->pools[i].slots);
    buf_printf(out, " priority=%d concurrency=%u join_count=%u fail_fast=%d on_interrupt=%d", o->priority,
               o->concurrency, o->join_count, o->fail_fast, (int)o->on_interrupt);
    for (int i = 0; i < BLOCK_ROLES; i++)
        if (o->blocks[i]) buf_printf(out, " block%d=%u", i, o->blocks[i]->number);
}

static void dump_block(const struct block *block, struct buf *out)
{
    buf_printf(out, "block %u role=%d owner=%d levels=%u width=%u\n", block->number, (int)block->role,
               block->owner ? (int)block->owner->number : -1, block->level_count, block->width);
    for (uint32_t i = 0; i < block->task_count; i++) {
        const struct task *task = &block->tasks[i];
        buf_printf(out, "  %.*s number=%u kind=%d join=%d continue=%d has_id=%d rank=%u after=", STR_ARG(task->id),
                   task->number, task->kind, task->join, task->continue_on_error, task->has_id, task->rank);
        for (uint32_t k = block->dependency_start[i]; k < block->dependency_start[i + 1]; k++)
            buf_printf(out, "%u,", block->dependencies[k]);
        dump_expr("when", task->when, out);
        if (task->action) dump_action(task->action, out);
        dump_options(task->options, out);
        buf_add_char(out, '\n');
    }
}

static void dump_workflow(const struct workflow *w, struct buf *out)
{
    buf_printf(out, "name=%.*s description=%.*s version=%.*s", STR_ARG(w->name), STR_ARG(w->description),
               STR_ARG(w->version));
    for (uint32_t i = 0; i < w->tags_count; i++) buf_printf(out, " tag=%.*s", STR_ARG(w->tags[i]));
    for (uint32_t i = 0; i < w->secrets_count; i++) buf_printf(out, " secret=%.*s", STR_ARG(w->secrets[i]));
    dump_env(w->env, w->env_count, out);
    for (uint32_t i = 0; i < w->pools_count; i++)
        buf_printf(out, " pool=%.*s/%u/%d", STR_ARG(w->pools[i].name), w->pools[i].slots, w->pools[i].declared);
    buf_printf(out, " concurrency=%u/%u priority=%d timeout=%lld fail_fast=%d schedule=", w->concurrency,
               w->concurrency_workflow, w->priority, (long long)w->timeout_us, w->fail_fast);
    json_format(w->schedule, 0, out);
    if (w->output) {
        buf_add_text(out, " output=");
        dump_template(w->output, out);
    }
    buf_printf(out, " body=%u on_error=%d finally=%d blocks=%u tasks=%u\n", w->body->number,
               w->on_error ? (int)w->on_error->number : -1, w->finally ? (int)w->finally->number : -1, w->block_count,
               w->task_count);
    for (uint32_t i = 0; i < w->parameters_count; i++) {
        const struct parameter *p = &w->parameters[i];
        buf_printf(out, "parameter %.*s (%.*s) type=%d required=%d default=%d", STR_ARG(p->name),
                   STR_ARG(p->description), (int)p->type, p->required, p->has_default);
        json_format(p->default_value, 0, out);
        buf_printf(out, " %d:%g..%d:%g /%.*s/ ", p->has_min, p->min, p->has_max, p->max, STR_ARG(p->pattern));
        for (uint32_t k = 0; k < p->choices_count; k++) json_format(p->choices[k], 0, out);
        buf_add_char(out, '\n');
    }
    for (uint32_t i = 0; i < w->block_count; i++) dump_block(w->blocks[i], out);
}

#endif
