/* graph_states.c - how a run's tasks stand, for a drawing of its definition. */
#include "cli/graph_states.h"

#include "base/time.h"
#include "cli/cli.h"

#define TEXT_MAX 512

/* Which state stands for many: what needs a look, what goes on, what is yet to come, what is done. */
static const uint8_t by_need[TASK_STATE_COUNT] = {
    TASK_FAILED,      TASK_TIMED_OUT, TASK_RUNNING, TASK_COMPENSATING, TASK_WAITING, TASK_CANCELLED,
    TASK_COMPENSATED, TASK_READY,     TASK_PENDING, TASK_SUCCEEDED,    TASK_SKIPPED,
};

struct tally {
    uint32_t counts[TASK_STATE_COUNT];
    uint32_t total;
    uint32_t instance; /* the latest */
};

static enum layout_tone tone_of(enum task_state state)
{
    switch (state) {
    case TASK_PENDING:
    case TASK_READY:
    case TASK_SKIPPED: return TONE_IDLE;
    case TASK_WAITING: return TONE_WAITING;
    case TASK_RUNNING: return TONE_RUNNING;
    case TASK_SUCCEEDED: return TONE_GOOD;
    case TASK_FAILED:
    case TASK_TIMED_OUT: return TONE_BAD;
    case TASK_CANCELLED:
    case TASK_COMPENSATING:
    case TASK_COMPENSATED: return TONE_STOPPED;
    }
    return TONE_IDLE;
}

static void tell_one(const struct core *core, const struct tally *tally, orch_time now, struct buf *out)
{
    const struct core_instance *instance = core_get_instance(core, tally->instance);
    const struct core_detail *detail = instance->detail;
    bool waits = instance->state == TASK_WAITING && instance->reason;
    buf_printf(out, "%s %s", cli_task_symbol(instance->state, instance->reason),
               waits ? reason_to_string((enum reason)instance->reason)
                     : task_state_to_string((enum task_state)instance->state));
    if (!detail) return;
    if (detail->started_at) {
        orch_time took = (detail->ended_at ? detail->ended_at : now) - detail->started_at;
        buf_add_char(out, ' ');
        duration_format_short(took < 0 ? 0 : took, out);
    }
    if (instance->attempt > 1) buf_printf(out, ", try %u", instance->attempt);
    if (detail->item_count) buf_printf(out, ", %u items", detail->item_count);
}

static void tell_many(const struct tally *tally, enum task_state worst, struct buf *out)
{
    buf_add_text(out, cli_task_symbol((uint8_t)worst, 0));
    bool any = false;
    for (uint32_t i = 0; i < TASK_STATE_COUNT; i++) {
        if (tally->counts[by_need[i]] == 0) continue;
        buf_printf(out, "%s %u %s", any ? "," : "", tally->counts[by_need[i]],
                   task_state_to_string((enum task_state)by_need[i]));
        any = true;
    }
}

static int state_fill(const struct core *core, const struct tally *tally, orch_time now, struct arena *arena,
                      struct layout_state *state)
{
    uint32_t worst = 0;
    struct buf text;
    while (tally->counts[by_need[worst]] == 0) worst++;
    state->word = task_state_to_string((enum task_state)by_need[worst]);
    state->tone = tone_of((enum task_state)by_need[worst]);
    buf_init(&text, NULL, TEXT_MAX);
    if (tally->total == 1)
        tell_one(core, tally, now, &text);
    else
        tell_many(tally, (enum task_state)by_need[worst], &text);
    state->text = arena_str(arena, buf_str(&text));
    bool is_short = text.failed || !state->text.data;
    buf_done(&text);
    return is_short ? ORCH_ERR_NO_MEMORY : 0;
}

int graph_states(const struct core *core, const struct workflow *workflow, orch_time now, struct arena *arena,
                 const struct layout_state **ret)
{
    struct layout_state *states = ARENA_ARRAY(arena, workflow->task_count, struct layout_state);
    struct tally *tallies = ARENA_ARRAY(arena, workflow->task_count, struct tally);
    if (!states || !tallies) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < core_instance_count(core); i++) {
        const struct core_instance *instance = core_get_instance(core, i);
        if (core_get_frame(core, instance->frame)->dropped) continue;
        struct tally *tally = &tallies[instance->task->number];
        tally->counts[instance->state]++;
        tally->total++;
        tally->instance = i;
    }
    for (uint32_t t = 0; t < workflow->task_count; t++) {
        if (tallies[t].total > 0 && state_fill(core, &tallies[t], now, arena, &states[t]) < 0)
            return ORCH_ERR_NO_MEMORY;
    }
    *ret = states;
    return 0;
}
