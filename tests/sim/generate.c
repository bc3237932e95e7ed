/*
 * generate.c - definitions drawn from chance.
 */
#include "generate.h"

struct generator {
    struct chance *chance;
    struct buf *out;
    bool has_sub;
    bool has_pools;
    uint32_t tasks_left; /* a bound on the whole */
};

static uint32_t draw(struct generator *g, uint32_t below)
{
    return (uint32_t)(chance_next(g->chance) % below);
}

static bool one_in(struct generator *g, uint32_t n)
{
    return draw(g, n) == 0;
}

static void add_block(struct generator *g, uint32_t depth, bool in_handler, bool is_sequence);

/* Returns whether it takes slots of pools: a workflow's own tasks do. */
static bool add_action(struct generator *g)
{
    static const char *const leaves[] = {"noop: {}",
                                         "transform: '{\"n\": size(list)}'",
                                         "transform: 'list[7]'",
                                         "wait: {event: e0}",
                                         "wait: {event: e1}",
                                         "approval: ok",
                                         "exec: [x, '{{ yes }}']",
                                         "notification: it is so"};
    uint32_t which = draw(g, 20);
    bool takes_slots = which >= 10 || which == 6 || which == 7 || (which == 9 && !g->has_sub);
    if (which < 8)
        buf_add_text(g->out, leaves[which]);
    else if (which == 8)
        buf_printf(g->out, "wait: %us", 1 + draw(g, 40));
    else if (which == 9 && g->has_sub)
        buf_add_text(g->out, "workflow: other");
    else
        buf_add_text(g->out, "shell: x");
    return takes_slots;
}

static void add_handler(struct generator *g, uint32_t depth)
{
    buf_add_char(g->out, '{');
    if (one_in(g, 3) && depth > 0) {
        buf_add_text(g->out, "tasks: ");
        add_block(g, depth - 1, true, false);
    } else
        (void)add_action(g);
    buf_add_char(g->out, '}');
}

static void add_dependencies(struct generator *g, uint32_t index)
{
    static const char *const joins[] = {"all_succeeded", "all_done", "any_succeeded", "none_failed", "{at_least: 1}"};
    uint32_t count = index > 0 ? draw(g, index < 3 ? index + 1 : 4) : 0;
    uint64_t taken = 0;
    if (count == 0) return;
    buf_add_text(g->out, ", depends_on: [");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t before = draw(g, index);
        if (taken >> before & 1) continue;
        buf_printf(g->out, "%st%u", taken ? ", " : "", before);
        taken |= UINT64_C(1) << before;
    }
    buf_add_text(g->out, "]");
    if (one_in(g, 2)) buf_printf(g->out, ", join: %s", joins[draw(g, 5)]);
}

static void add_retry(struct generator *g)
{
    static const char *const backoffs[] = {"constant", "linear", "exponential"};
    buf_printf(g->out, ", retry: {max_attempts: %u, delay: %us, backoff: %s", 1 + draw(g, 4), draw(g, 4),
               backoffs[draw(g, 3)]);
    if (one_in(g, 2)) buf_printf(g->out, ", max_delay: %us", 2 + draw(g, 8));
    if (one_in(g, 2)) buf_printf(g->out, ", jitter: 0.%u", draw(g, 10));
    if (one_in(g, 6)) buf_add_text(g->out, ", on: [exit, lost]");
    buf_add_char(g->out, '}');
}

static void add_loops(struct generator *g)
{
    if (one_in(g, 8)) {
        buf_printf(g->out, ", for_each: {in: %s, fail_fast: %s", one_in(g, 3) ? "'list'" : "[1, 2, 3]",
                   one_in(g, 2) ? "true" : "false");
        if (one_in(g, 2)) buf_printf(g->out, ", max_parallel: %u", 1 + draw(g, 2));
        buf_add_text(g->out, "}");
    }
    if (one_in(g, 8)) {
        static const char *const ends[] = {"max: 2", "until: 'iteration > 1', max: 3", "while: iteration < 3",
                                           "until: no_, max: 2"};
        buf_printf(g->out, ", repeat: {%s", ends[draw(g, 4)]);
        if (one_in(g, 2)) buf_printf(g->out, ", delay: %us", 1 + draw(g, 5));
        buf_add_text(g->out, "}");
    }
}

static void add_options(struct generator *g, uint32_t index, uint32_t depth, bool in_handler, bool is_sequence,
                        bool takes_slots)
{
    if (!is_sequence) add_dependencies(g, index);
    if (one_in(g, 8)) buf_printf(g->out, ", when: %s", one_in(g, 3) ? "'list[9]'" : one_in(g, 2) ? "no_" : "yes");
    if (one_in(g, 6)) buf_add_text(g->out, ", continue_on_error: true");
    if (one_in(g, 3)) add_retry(g);
    if (one_in(g, 6)) buf_printf(g->out, ", timeout: %us", 1 + draw(g, 15));
    if (one_in(g, 8)) buf_printf(g->out, ", total_timeout: %us", 1 + draw(g, 25));
    if (one_in(g, 6)) buf_printf(g->out, ", on_interrupt: %s", one_in(g, 2) ? "fail" : "hold");
    if (one_in(g, 8)) buf_printf(g->out, ", priority: %u", draw(g, 3));
    if (takes_slots && g->has_pools && one_in(g, 3))
        buf_printf(g->out, ", pool: {name: p%u, slots: %u}", draw(g, 2), 1 + draw(g, 2));
    if (one_in(g, 6) && depth > 0) {
        buf_add_text(g->out, ", on_error: ");
        add_handler(g, depth - 1);
    }
    if (one_in(g, in_handler ? 12 : 4) && depth > 0) {
        buf_add_text(g->out, ", compensate: ");
        add_handler(g, depth - 1);
    }
    add_loops(g);
}

static void add_task(struct generator *g, uint32_t index, uint32_t depth, bool in_handler, bool is_sequence)
{
    bool takes_slots = false;
    buf_printf(g->out, "t%u: {", index);
    if (g->tasks_left > 0) g->tasks_left--;
    if (depth > 0 && g->tasks_left > 0 && one_in(g, 4)) {
        bool sequence = one_in(g, 4);
        if (sequence) buf_add_text(g->out, "mode: sequence, ");
        buf_add_text(g->out, "tasks: ");
        add_block(g, depth - 1, in_handler, sequence);
        if (one_in(g, 3)) {
            buf_add_text(g->out, ", finally: {tasks: ");
            add_block(g, 0, in_handler, false);
            buf_add_char(g->out, '}');
        }
        if (one_in(g, 4)) buf_add_text(g->out, ", fail_fast: true");
        if (one_in(g, 4)) buf_printf(g->out, ", concurrency: %u", 1 + draw(g, 2));
    } else
        takes_slots = add_action(g);
    add_options(g, index, depth, in_handler, is_sequence, takes_slots);
    buf_add_char(g->out, '}');
}

static void add_block(struct generator *g, uint32_t depth, bool in_handler, bool is_sequence)
{
    uint32_t count = 1 + draw(g, depth > 1 ? 6 : 3);
    buf_add_char(g->out, '{');
    for (uint32_t i = 0; i < count && (i == 0 || g->tasks_left > 0); i++) {
        if (i > 0) buf_add_text(g->out, ", ");
        add_task(g, i, depth, in_handler, is_sequence);
    }
    buf_add_char(g->out, '}');
}

void generate_definition(struct chance *chance, bool has_sub, struct buf *out)
{
    struct generator g = {.chance = chance, .out = out, .has_sub = has_sub, .tasks_left = 40};
    buf_add_text(out, "{name: flow, parameters: {yes: {default: true}, no_: {default: false}, list: {default: []}}");
    if (one_in(&g, 3)) {
        g.has_pools = true;
        buf_printf(out, ", pools: {p0: %u, p1: 2}", 2 + draw(&g, 2));
    }
    if (one_in(&g, 4)) buf_add_text(out, ", fail_fast: true");
    if (one_in(&g, 4))
        buf_printf(out, ", concurrency: %u", 1 + draw(&g, 3));
    else if (one_in(&g, 6))
        buf_printf(out, ", concurrency: {workflow: %u}", 1 + draw(&g, 3));
    if (one_in(&g, 6)) buf_printf(out, ", timeout: %us", 1 + draw(&g, 90));
    bool sequence = one_in(&g, 6);
    if (sequence) buf_add_text(out, ", mode: sequence");
    buf_add_text(out, ", tasks: ");
    add_block(&g, 3, false, sequence);
    if (one_in(&g, 3)) {
        buf_add_text(out, ", on_error: {tasks: ");
        add_block(&g, 1, false, false);
        buf_add_char(out, '}');
    }
    if (one_in(&g, 3)) {
        buf_add_text(out, ", finally: {tasks: ");
        add_block(&g, 1, true, false);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "}\n");
}
