/*
 * notice.c - what an engine tells: events, lines of logs, ends, trouble.
 */
#include "lib/internal.h"

static const char *stream_letter(enum log_stream stream)
{
    switch (stream) {
    case LOG_STDOUT: return "o";
    case LOG_STDERR: return "e";
    case LOG_SYSTEM: return "s";
    }
    return "s";
}

static void path_of(const struct core *core, uint32_t instance, struct arena *arena, struct orch_str *ret)
{
    struct buf path;

    buf_init(&path, NULL, 0);
    if (instance != CORE_NONE && instance < core_instance_count(core)) core_path(core, instance, &path);
    *ret = text_copy(arena, buf_str(&path));
    if (!ret->data) *ret = STR(""); /* told without its path rather than not at all */
    buf_done(&path);
}

static struct orch_str or_empty(struct orch_str text)
{
    return text.data ? text : STR("");
}

static void on_transitions(void *user, struct engine_execution *execution, uint64_t first_seq,
                           const struct core_transition *items, uint32_t count)
{
    struct orch_engine *engine = user;
    const struct core *core = engine_execution_core(execution);

    engine->happened++;
    if (!engine->options.on_event) return;
    for (uint32_t i = 0; i < count; i++) {
        const struct core_transition *t = &items[i];
        struct arena_mark mark = arena_mark(&engine->scratch);
        bool has_state = t->type == TRANSITION_TASK_ENDED || t->type == TRANSITION_EXECUTION_ENDED;
        struct orch_event event = {.execution = str_from(engine_execution_id(execution)),
                                   .sequence = first_seq + i,
                                   .at = t->at,
                                   .type = str_from(transition_type_to_string((enum transition_type)t->type)),
                                   .number = t->instance,
                                   .state = has_state ? t->state : -1,
                                   .attempt = t->attempt};
        path_of(core, t->instance, &engine->scratch, &event.task);
        event.error = or_empty(text_copy(&engine->scratch, t->error));
        engine->in_callback++;
        if (engine->options.on_event) engine->options.on_event(engine->options.user, &event);
        engine->in_callback--;
        arena_rewind(&engine->scratch, mark);
    }
}

static void on_log(void *user, struct engine_execution *execution, uint32_t instance, uint32_t attempt,
                   enum log_stream stream, struct orch_str line)
{
    struct orch_engine *engine = user;

    if (!engine->options.on_log) return;
    struct arena_mark mark = arena_mark(&engine->scratch);
    struct orch_log_line told = {.execution = str_from(engine_execution_id(execution)),
                                 .number = instance,
                                 .attempt = attempt,
                                 .stream = stream_letter(stream)[0],
                                 .line = or_empty(text_copy(&engine->scratch, line))};
    path_of(engine_execution_core(execution), instance, &engine->scratch, &told.task);
    engine->in_callback++;
    engine->options.on_log(engine->options.user, &told);
    engine->in_callback--;
    arena_rewind(&engine->scratch, mark);
}

static void on_ended(void *user, struct engine_execution *execution)
{
    struct orch_engine *engine = user;
    struct orch_execution *handle = execution_of(engine, engine_execution_number(execution));

    engine->happened++;
    if (handle) execution_over(handle);
}

static void on_trouble(void *user, const struct orch_error *err)
{
    struct orch_engine *engine = user;

    if (!engine->options.on_trouble) return;
    engine->in_callback++;
    engine->options.on_trouble(engine->options.user, err);
    engine->in_callback--;
}

void engine_observe(struct orch_engine *engine, struct engine_observer *ret)
{
    *ret = (struct engine_observer){
        .transitions = on_transitions, .log = on_log, .ended = on_ended, .trouble = on_trouble, .user = engine};
}
