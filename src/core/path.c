/*
 * path.c - names of instances for people: "regions[2]/fetch", "polish#3/draft", "deploy/on_error", "finally/cleanup";
 * and why one does not run.
 */
#include "core/internal.h"

/* ---- making ---- */

/* Recursive by nesting, which the reader bounds. */
static void path_add(const struct core *core, uint32_t number, struct buf *out)
{
    const struct core_instance *instance = instance_at(core, number);
    const struct core_frame *frame = frame_at(core, instance->frame);

    if (frame->owner != CORE_NONE) path_add(core, frame->owner, out);
    if (frame->role == BLOCK_BODY) {
        const struct task *owner = frame->owner != CORE_NONE ? instance_at(core, frame->owner)->task : NULL;
        if (owner && owner->kind == TASK_FOR_EACH) buf_printf(out, "[%u]", frame->index);
        if (owner && owner->kind == TASK_REPEAT) buf_printf(out, "#%u", frame->index);
        if (block_is_wrapped(frame->block)) return;
        if (owner) buf_add_char(out, '/');
    } else {
        if (frame->owner != CORE_NONE) buf_add_char(out, '/');
        buf_add_text(out, block_role_text((enum block_role)frame->role));
        if (block_is_lone_handler(frame->block)) return;
        buf_add_char(out, '/');
    }
    buf_add(out, instance->task->id);
}

void core_path(const struct core *core, uint32_t instance, struct buf *out)
{
    if (instance < core->instances.count) path_add(core, instance, out);
}

/* ---- finding ---- */

struct reader {
    struct orch_str text;
    size_t at;
};

static struct orch_str read_word(struct reader *reader)
{
    size_t from = reader->at;

    while (reader->at < reader->text.size && !strchr("/[#", reader->text.data[reader->at])) reader->at++;
    return str_of(reader->text.data + from, reader->at - from);
}

static bool read_char(struct reader *reader, char c)
{
    if (reader->at >= reader->text.size || reader->text.data[reader->at] != c) return false;
    reader->at++;
    return true;
}

static bool read_number(struct reader *reader, uint32_t *ret)
{
    uint64_t number = 0;
    size_t from = reader->at;

    for (; reader->at < reader->text.size && reader->at - from < 10; reader->at++) {
        char c = reader->text.data[reader->at];
        if (c < '0' || c > '9') break;
        number = number * 10 + (uint64_t)(c - '0');
    }
    *ret = (uint32_t)number;
    return reader->at > from && number < CORE_NONE;
}

/*
 * One path may name several instances: a group that was tried again, a run that was run again. Which one is meant is
 * the one that is under way, else the latest.
 */
struct finding {
    const struct core *core;
    bool active; /* only those under way */
};

static uint32_t find_rest(const struct finding *finding, uint32_t instance, struct reader reader);

static uint32_t find_in_frame(const struct finding *finding, uint32_t frame, struct orch_str id, struct reader reader)
{
    const struct core_frame *in = frame_at(finding->core, frame);
    const struct map_entry *entry = map_find(&in->block->by_id, id);
    return entry ? find_rest(finding, in->first + (uint32_t)entry->number, reader) : CORE_NONE;
}

/* In the frames of a role that an owner (CORE_NONE: the execution) has, with that index when it is the body of a loop
 * or repeat: at once when such a frame holds one task that goes by the owner's name, else by the next word. */
static uint32_t find_in_frames(const struct finding *finding, uint32_t owner, enum block_role role,
                               const uint32_t *index, struct reader reader)
{
    const struct core *core = finding->core;
    uint32_t found = CORE_NONE;

    for (uint32_t i = core_frame_next_of(core, owner, CORE_NONE); i != CORE_NONE; i = frame_at(core, i)->next_of) {
        const struct core_frame *frame = frame_at(core, i);
        struct reader rest = reader;
        uint32_t one = CORE_NONE;
        if (frame->role != role || (index && frame->index != *index)) continue;
        if (role == BLOCK_BODY ? block_is_wrapped(frame->block) : block_is_lone_handler(frame->block))
            one = find_rest(finding, frame->first, rest);
        else if (read_char(&rest, '/')) {
            struct orch_str id = read_word(&rest);
            one = find_in_frame(finding, i, id, rest);
        }
        if (one != CORE_NONE) found = one;
    }
    return found;
}

/* A task of the owner's body, or a handler of the owner: the next word of the path. */
static uint32_t find_inside(const struct finding *finding, uint32_t owner, struct reader reader)
{
    static const enum block_role handlers[] = {BLOCK_ON_ERROR, BLOCK_COMPENSATE, BLOCK_FINALLY};
    const struct core *core = finding->core;
    struct orch_str word = read_word(&reader);
    uint32_t found = CORE_NONE;

    if (owner == CORE_NONE || instance_at(core, owner)->task->kind == TASK_GROUP)
        for (uint32_t i = core_frame_next_of(core, owner, CORE_NONE); i != CORE_NONE; i = frame_at(core, i)->next_of) {
            uint32_t one = frame_at(core, i)->role == BLOCK_BODY ? find_in_frame(finding, i, word, reader) : CORE_NONE;
            if (one != CORE_NONE) found = one;
        }
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]) && found == CORE_NONE; i++)
        if (str_is(word, block_role_text(handlers[i])))
            found = find_in_frames(finding, owner, handlers[i], NULL, reader);
    return found;
}

/* "[2]" or "#3" behind a loop or repeat. */
static uint32_t find_index(const struct finding *finding, uint32_t owner, char mark, struct reader reader)
{
    const struct core *core = finding->core;
    uint32_t index;

    if (instance_at(core, owner)->task->kind != (mark == '[' ? TASK_FOR_EACH : TASK_REPEAT) ||
        !read_number(&reader, &index) || (mark == '[' && !read_char(&reader, ']')))
        return CORE_NONE;
    return find_in_frames(finding, owner, BLOCK_BODY, &index, reader);
}

static bool is_under_way(const struct core *core, uint32_t number)
{
    const struct core_instance *instance = instance_at(core, number);
    return !frame_at(core, instance->frame)->dropped && instance->state != TASK_PENDING &&
           !task_state_is_terminal(instance->state);
}

/* What stands behind the part of the path that names this instance. */
static uint32_t find_rest(const struct finding *finding, uint32_t instance, struct reader reader)
{
    if (reader.at == reader.text.size)
        return !finding->active || is_under_way(finding->core, instance) ? instance : CORE_NONE;
    char mark = reader.text.data[reader.at++];
    return mark == '/' ? find_inside(finding, instance, reader) : find_index(finding, instance, mark, reader);
}

uint32_t core_find(const struct core *core, struct orch_str path)
{
    struct finding finding = {core, true};
    struct reader reader = {path, 0};
    uint32_t found = find_inside(&finding, CORE_NONE, reader);

    if (found != CORE_NONE) return found;
    finding.active = false;
    return find_inside(&finding, CORE_NONE, reader);
}

/* ---- why it does not run ---- */

static void why_pending(const struct core *core, const struct core_instance *instance, struct buf *out)
{
    const struct block *block = instance->task->block;
    uint32_t first = frame_at(core, instance->frame)->first, named = 0;

    for (uint32_t i = block->dependency_start[instance->task->index];
         i < block->dependency_start[instance->task->index + 1]; i++) {
        uint32_t before = block->dependencies[i];
        if (task_state_is_terminal(instance_at(core, first + before)->state)) continue;
        if (named == 3) {
            buf_printf(out, " and %u more", instance->unmet - named);
            return;
        }
        buf_add_text(out, named == 0 ? "waits for " : named + 1 == instance->unmet ? " and " : ", ");
        buf_add(out, block->tasks[before].id);
        named++;
    }
}

static void add_in(orch_time due, orch_time now, struct buf *out)
{
    buf_add_text(out, " in ");
    duration_format_short(due > now ? due - now : 0, out);
}

/* What the definition says to the person who decides. */
static void why_approval(const struct core *core, uint32_t number, orch_time now, struct buf *out)
{
    struct arena arena;
    struct scope scope;
    struct value config;

    arena_init(&arena, core->allocator, 0);
    scope_init(&scope, core, number, now);
    const struct value *message = NULL;
    if (scope_render(&scope, &instance_at(core, number)->task->action->config, &arena, &config, NULL) == 0)
        message = value_get(config, STR("message"));
    buf_add_text(out, "approval");
    if (message && message->kind == VALUE_STRING && message->size > 0) {
        buf_add_text(out, ": ");
        buf_add(out, value_str(*message));
    }
    arena_done(&arena);
}

static void why_waiting(const struct core *core, uint32_t number, orch_time now, struct buf *out)
{
    const struct core_instance *instance = instance_at(core, number);
    const struct core_detail *detail = instance->detail;

    switch ((enum reason)instance->reason) {
    case REASON_TIMER:
        buf_add_text(out, instance->failure == FAILURE_TIMEOUT ? "times out" : "goes on");
        add_in(detail->due, now, out);
        return;
    case REASON_EVENT: buf_printf(out, "waits for event %.*s", STR_ARG(detail->event)); return;
    case REASON_APPROVAL: why_approval(core, number, now, out); return;
    case REASON_BACKOFF:
        buf_add_text(out, "retries");
        add_in(detail->due, now, out);
        if (detail->error.size > 0) buf_printf(out, " (%.*s)", STR_ARG(detail->error));
        return;
    case REASON_HELD: buf_add_text(out, "held after an interruption: retry or cancel it"); return;
    case REASON_DELAY:
        buf_add_text(out, "next iteration");
        add_in(detail->due, now, out);
        return;
    case REASON_NONE:
    case REASON_WHEN:
    case REASON_DEPENDENCY:
    case REASON_STOPPED: return;
    }
}

static const char *why_skipped(const struct core_instance *instance)
{
    if (instance->reason == REASON_STOPPED) return "stopped before its turn";
    if (instance->reason != REASON_WHEN) return "something before it failed";
    /* The reason is handed on; whose condition it was shows in whether it could have started. */
    return join_verdict(instance) == VERDICT_GO ? "its condition was false" : "so was what it follows";
}

void core_why(const struct core *core, uint32_t number, orch_time now, struct buf *out)
{
    if (number >= core->instances.count) return;
    const struct core_instance *instance = instance_at(core, number);
    switch ((enum task_state)instance->state) {
    case TASK_PENDING: why_pending(core, instance, out); return;
    case TASK_READY:
        buf_add_text(out, core->state == EXECUTION_PAUSED ? "the execution is paused" : "waits for its turn");
        return;
    case TASK_WAITING: why_waiting(core, number, now, out); return;
    case TASK_SKIPPED: buf_add_text(out, why_skipped(instance)); return;
    case TASK_RUNNING:
    case TASK_SUCCEEDED:
    case TASK_FAILED:
    case TASK_CANCELLED:
    case TASK_TIMED_OUT:
    case TASK_COMPENSATING:
    case TASK_COMPENSATED: return;
    }
}
