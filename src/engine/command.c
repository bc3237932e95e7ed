/*
 * command.c - what people ask of a loaded execution.
 */
#include "internal.h"

#define EVENT_SIZE_MAX (1u << 20) /* of an event's data: it stays with the execution until somebody waits for it */

static int ask(struct engine *engine, struct engine_execution *execution, const struct core_input *input,
               engine_done done, void *user, struct orch_error *err)
{
    int r = execution_feed(execution, input, err);
    /* What was decided is recorded with the batch that is being gathered: its commit is the answer. */
    return r ? r : batch_wait(engine, done, user, err);
}

int engine_cancel(struct engine *engine, struct engine_execution *execution, struct orch_str by, struct orch_str reason,
                  engine_done done, void *user, struct orch_error *err)
{
    struct core_input input = {.type = INPUT_CANCEL, .instance = CORE_NONE, .by = by, .cancel = {.reason = reason}};
    return ask(engine, execution, &input, done, user, err);
}

int engine_pause(struct engine *engine, struct engine_execution *execution, struct orch_str by, engine_done done,
                 void *user, struct orch_error *err)
{
    struct core_input input = {.type = INPUT_PAUSE, .instance = CORE_NONE, .by = by};
    return ask(engine, execution, &input, done, user, err);
}

int engine_unpause(struct engine *engine, struct engine_execution *execution, struct orch_str by, engine_done done,
                   void *user, struct orch_error *err)
{
    struct core_input input = {.type = INPUT_RESUME, .instance = CORE_NONE, .by = by};
    return ask(engine, execution, &input, done, user, err);
}

/* The one approval that waits, when the caller named none. */
static int only_approval(const struct engine_execution *execution, uint32_t *ret, struct orch_error *err)
{
    const struct core *core = execution->core;
    uint32_t found = CORE_NONE, count = 0;
    struct buf names;
    buf_init(&names, NULL, 200);
    for (uint32_t i = 0; i < core_instance_count(core); i++) {
        const struct core_instance *instance = core_get_instance(core, i);
        if (instance->state != TASK_WAITING || instance->reason != REASON_APPROVAL) continue;
        if (count++) buf_add_text(&names, ", ");
        core_path(core, i, &names);
        found = i;
    }
    int r = 0;
    if (count == 0)
        r = error_set(err, ORCH_ERR_STATE, "run %s waits for no approval", execution->id);
    else if (count > 1) {
        r = error_set(err, ORCH_ERR_USAGE, "run %s waits for %u approvals: say which", execution->id, count);
        error_hint(err, "one of: %.*s", STR_ARG(buf_str(&names)));
    } else
        *ret = found;
    buf_done(&names);
    return r;
}

int engine_approve(struct engine *engine, struct engine_execution *execution, struct orch_str path, bool approved,
                   struct orch_str by, struct orch_str comment, engine_done done, void *user, struct orch_error *err)
{
    struct core_input input = {.type = INPUT_APPROVE, .by = by, .approve = {.approved = approved}};
    int r = 0;
    if (path.size == 0)
        r = only_approval(execution, &input.instance, err);
    else {
        input.instance = core_find(execution->core, path);
        if (input.instance == CORE_NONE)
            r = error_set(err, ORCH_ERR_NOT_FOUND, "run %s has no task \"%.*s\"", execution->id, STR_ARG(path));
    }
    if (r) return r;
    struct buf text;
    buf_init(&text, NULL, 64 * 1024);
    if (comment.size) json_format_string(comment, &text);
    if (text.failed) r = error_set(err, ORCH_ERR_LIMIT, "the comment is too long");
    input.approve.comment = buf_str(&text);
    if (!r) r = ask(engine, execution, &input, done, user, err);
    buf_done(&text);
    return r;
}

int engine_signal(struct engine *engine, struct engine_execution *execution, struct orch_str name,
                  struct orch_str data_json, struct orch_str by, engine_done done, void *user, struct orch_error *err)
{
    struct core_input input = {
        .type = INPUT_SIGNAL, .instance = CORE_NONE, .by = by, .signal = {.name = name, .data = data_json}};
    if (data_json.size > EVENT_SIZE_MAX)
        return error_set(err, ORCH_ERR_LIMIT, "the event's data are %zu bytes, more than %u", data_json.size,
                         EVENT_SIZE_MAX);
    if (data_json.size) {
        /* It goes into the journal as it stands: what is no JSON would only be found there. */
        struct arena_mark mark = arena_mark(&engine->scratch);
        struct value data;
        int r = json_parse(data_json, NULL, &engine->scratch, &data, err);
        arena_rewind(&engine->scratch, mark);
        if (r) return error_context(err, "the event's data are no JSON"), r;
    }
    return ask(engine, execution, &input, done, user, err);
}
