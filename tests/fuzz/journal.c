/*
 * journal.c - fuzzes the fold: a journal whose checksums are right but whose content is anything, of a definition with
 * every construct. core_evolve takes each transition or refuses it. What it took is a state: it can be looked at, and
 * it folds again to the same.
 *
 * The first byte chooses the definition and one of two forms: records as they are stored (two bytes of length before
 * each, the checksum is put right), or a program: proper inputs, which lead to a state that lies deep, then transitions
 * of all kinds. From a state that was forged in this way nothing is decided: decisions stand on what the core itself
 * has recorded.
 */
#include "fuzz.h"

#include "base/crc32c.h"
#include "core/core.h"
#include "take.h"

#define STEPS_MAX 400

static const char *const definitions[] = {
    /* What leaves do. */
    "parameters: {n: {type: integer, default: 3}, list: {default: [1, {a: 2}, 'x']}}\n"
    "timeout: 10m\n"
    "tasks:\n"
    "  a: {shell: x, retry: {max_attempts: 3, delay: 1s, jitter: 0.5}, timeout: 5s, on_interrupt: hold}\n"
    "  b: {depends_on: [a], transform: 'a.output'}\n"
    "  c: {depends_on: [a], wait: {event: go, filter: 'event.n > 1'}, timeout: 20s}\n"
    "  d: {depends_on: [b, c], join: any_succeeded, approval: sure?}\n"
    "  e: {depends_on: [b], when: n > 2, wait: 3s, continue_on_error: true}\n"
    "  f: {depends_on: [d, e], join: {at_least: 1}, workflow: {name: other, parameters: {p: '{{ n }}'}}}\n"
    "  g: {depends_on: [f], join: all_done, noop: }\n"
    "output: '{{ tasks }}'\n",
    /* Blocks. */
    "parameters: {list: {default: [1, {a: 2}, 'x']}}\n"
    "concurrency: 2\n"
    "tasks:\n"
    "  g: {timeout: 30s, tasks: {a: {shell: x}, b: {depends_on: [a], shell: y}}, finally: {tasks: {f: {shell: z}}},"
    " on_error: {shell: h}}\n"
    "  l: {for_each: {in: '{{ params.list }}', as: i, max_parallel: 2, fail_fast: true}, shell: x, env: {I: '{{ i "
    "}}'}}\n"
    "  r: {depends_on: [g], repeat: {until: s.output == 1, max: 3, delay: 1s}, tasks: {s: {shell: x}}}\n"
    "  m: {depends_on: [l], for_each: {in: [1, 2], as: j}, repeat: {while: iteration < 2, max: 2}, transform: j}\n"
    "  e: {depends_on: [r, m], join: none_failed, noop: }\n",
    /* Undoing. */
    "fail_fast: true\n"
    "tasks:\n"
    "  a: {shell: x, compensate: {shell: undo}}\n"
    "  b: {depends_on: [a], tasks: {c: {shell: x, compensate: {tasks: {u: {shell: y}, v: {depends_on: [u], wait: "
    "2s}}}}}}\n"
    "  d: {depends_on: [b], for_each: {in: [1, 2]}, shell: x, compensate: {shell: z}}\n"
    "  e: {depends_on: [d], shell: x, on_error: {transform: error}}\n"
    "on_error: {shell: tell}\n"
    "finally: {tasks: {f: {shell: x}, h: {depends_on: [f], approval: ok}}}\n",
};
#define DEFINITIONS_COUNT (sizeof(definitions) / sizeof(definitions[0]))

static const struct workflow *workflow_at(size_t at)
{
    static const struct workflow *workflows[DEFINITIONS_COUNT];
    static struct arena arena;
    static struct diags diags;

    if (workflows[at]) return workflows[at];
    if (!arena.blocks) arena_init(&arena, NULL, 0);
    diags_init(&diags, &arena);
    PROPERTY(workflow_read(str_from(definitions[at]), STR("fuzz.yaml"), &arena, &diags, &workflows[at]) == 0);
    return workflows[at];
}

/* ---- a run ---- */

struct run {
    const struct workflow *workflow;
    struct core *core;
    struct arena arena; /* of the transitions that were taken */
    struct core_transitions taken;
    orch_time now;
    bool is_forged; /* by transitions that the core did not decide */
    bool is_over;   /* nothing more may be done with the state */
};

static int no_blob(void *user, uint64_t blob, struct arena *arena, struct orch_str *ret, struct orch_error *err)
{
    (void)user;
    (void)arena;
    if (blob % 2 == 0) return error_set(err, ORCH_ERR_NOT_FOUND, "no such blob");
    *ret = STR("[1,{\"a\":2},\"x\"]");
    return 0;
}

static struct core *new_core(const struct workflow *workflow)
{
    /* Few instances: a loop of millions is a journal's right, and takes its time. */
    struct core_env env = {
        .blob = no_blob, .instances_max = 2000, .expr_limits = {.cost_max = 20000, .result_max = 1 << 20}};
    struct core *core = core_new(workflow, 7, &env, NULL);

    PROPERTY(core);
    return core;
}

static void fold(struct run *run, const struct core_transition *transition)
{
    struct orch_error err = ORCH_ERROR_INIT;
    int r = core_evolve(run->core, transition, &err);

    run->is_forged = true;
    if (r != 0) {
        PROPERTY(r == err.code && err.message[0] != '\0');
        PROPERTY(r == ORCH_ERR_CORRUPT || r == ORCH_ERR_VERSION || r == ORCH_ERR_LIMIT);
        run->is_over = true; /* as the engine has it: a journal that does not fold is not run */
        return;
    }
    struct core_transition *kept = transitions_add(&run->taken, &run->arena, transition->type, transition->at);
    PROPERTY(kept);
    *kept = *transition;
    if (transition->at > run->now) run->now = transition->at;
}

static void step(struct run *run, struct core_input *input)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct core_transitions out = {0};
    int r;

    input->now = run->now;
    r = core_step(run->core, input, &run->arena, &out, &err);
    if (r != 0) {
        PROPERTY(r == err.code && err.message[0] != '\0');
        PROPERTY(r != ORCH_ERR_MISUSE);
        if (r != ORCH_ERR_STATE && r != ORCH_ERR_NOT_FOUND) run->is_over = true;
        return;
    }
    for (uint32_t i = 0; i < out.count; i++) {
        struct core_transition *kept = transitions_add(&run->taken, &run->arena, out.items[i].type, out.items[i].at);
        PROPERTY(kept);
        *kept = out.items[i];
    }
}

/* ---- as stored ---- */

static void play_records(struct run *run, struct take *take)
{
    while (take->size > 0 && !run->is_over && run->taken.count < STEPS_MAX) {
        size_t size = take_byte(take) | take_byte(take) << 8;
        struct orch_str body = take_str(take, size);
        struct core_transitions list = {0};
        struct buf record;
        uint32_t sum = crc32c(body);

        buf_init(&record, NULL, 0);
        buf_add(&record, body);
        for (int i = 0; i < 4; i++) buf_add_char(&record, (char)(sum >> (8 * i)));
        struct orch_str kept = arena_str(&run->arena, buf_str(&record));
        buf_done(&record);
        if (transitions_decode(kept, &run->arena, &list, NULL) != 0) return;
        for (uint32_t i = 0; i < list.count && !run->is_over; i++) fold(run, &list.items[i]);
    }
}

/* ---- programs ---- */

static const char *const texts[] = {
    "",
    "null",
    "1",
    "[1,2,3]",
    "{\"a\":1}",
    "[]",
    "{",
    "[1,",
    "\"go\"",
    "go",
    "x",
    "[[[[1]]]]",
    "\xff",
    "{\"parameters\":{\"n\":3,\"list\":[1,{\"a\":2},\"x\"]},\"env\":{},\"id\":\"r-1\"}",
    "{\"parameters\":[],\"env\":1}",
    "{\"n\":2}",
    "[1,{\"a\":2},\"x\"]",
};

static struct orch_str take_choice(struct take *take)
{
    return str_from(texts[take_below(take, sizeof(texts) / sizeof(texts[0]))]);
}

/* Mostly numbers that can be meant. */
static uint32_t take_small(struct take *take)
{
    uint32_t byte = take_byte(take);

    if (byte < 240) return byte % 24;
    return byte == 240 ? CORE_NONE : byte < 248 ? byte : (uint32_t)take_number(take);
}

static void take_transition(struct run *run, struct take *take, struct core_transition *ret)
{
    uint32_t mask = take_byte(take) | take_byte(take) << 8;

    *ret = (struct core_transition){.type = (uint8_t)take_below(take, 22), .instance = CORE_NONE, .frame = CORE_NONE};
    ret->at = run->now + (orch_time)take_byte(take) * 100000;
    if (mask & 1) ret->instance = take_small(take);
    if (mask & 2) ret->state = (uint8_t)take_below(take, TASK_STATE_COUNT);
    if (mask & 4) ret->frame = take_small(take);
    if (mask & 8) ret->role = (uint8_t)take_below(take, BLOCK_ROLES);
    if (mask & 16) ret->index = take_small(take);
    if (mask & 32) ret->attempt = take_small(take);
    if (mask & 64) ret->count = take_small(take);
    if (mask & 128) ret->fence = take_number(take);
    if (mask & 256) ret->due = take_bool(take) ? ORCH_TIME_NEVER : (orch_time)take_number(take);
    if (mask & 512) ret->reason = (uint8_t)take_below(take, 10);
    if (mask & 1024) ret->failure = (uint8_t)take_below(take, 13);
    if (mask & 2048) ret->output = take_choice(take);
    if (mask & 4096) ret->data = take_choice(take);
    if (mask & 8192) ret->name = take_choice(take);
    if (mask & 16384) ret->error = take_choice(take);
    if (mask & 32768) ret->blob = take_byte(take);
    /* What is new under way: the next numbers, which are hard to guess. */
    if (ret->type == TRANSITION_FRAME_OPENED && !(mask & 4)) ret->frame = core_frame_count(run->core);
    if (ret->type == TRANSITION_ATTEMPT_STARTED && !(mask & 128)) ret->fence = run->taken.count + 1000;
}

static int keep_nth(void *user, uint32_t instance)
{
    uint32_t *nth = user;

    if (nth[0]-- > 0) return 0;
    nth[1] = instance;
    return 1;
}

static void take_input(struct run *run, struct take *take)
{
    struct core_input input = {.instance = CORE_NONE, .by = STR("ann")};
    uint32_t nth[2] = {0, CORE_NONE};
    struct value empty;
    struct arena arena;

    input.type = (enum core_input_type)take_below(take, INPUT_RETRY + 1);
    arena_init(&arena, NULL, 0);
    switch (input.type) {
    case INPUT_START: {
        static struct value parameters;
        PROPERTY(value_map(NULL, 0, &run->arena, &empty) == 0);
        PROPERTY(workflow_parameters(run->workflow, empty, false, &run->arena, NULL, &parameters, NULL) == 0);
        input.start.parameters = parameters;
        input.start.env = empty;
        input.start.id = STR("r-1");
        break;
    }
    case INPUT_ADMIT:
        nth[0] = take_below(take, 4);
        core_each_ready(run->core, keep_nth, nth);
        input.instance = nth[1] != CORE_NONE ? nth[1] : take_small(take);
        break;
    case INPUT_ATTEMPT_DONE: {
        nth[0] = take_below(take, 4);
        core_each_running(run->core, keep_nth, nth);
        input.instance = nth[1] != CORE_NONE ? nth[1] : take_small(take);
        const struct core_instance *instance =
            input.instance < core_instance_count(run->core) ? core_get_instance(run->core, input.instance) : NULL;
        input.done.fence = instance && instance->detail ? instance->detail->fence : 0;
        input.done.failure = (enum failure)take_below(take, 13);
        input.done.output = input.done.failure == FAILURE_NONE ? STR("[1,{\"a\":2},\"x\"]") : STR_NONE;
        input.done.error = input.done.failure == FAILURE_NONE ? STR_NONE : STR("it broke");
        break;
    }
    case INPUT_TIMER: run->now += (orch_time)take_byte(take) * ORCH_SECOND / 4; break;
    case INPUT_APPROVE:
    case INPUT_RETRY:
        input.instance = take_small(take);
        input.approve.approved = take_bool(take);
        break;
    case INPUT_SIGNAL:
        input.signal.name = STR("go");
        input.signal.data = take_bool(take) ? STR("{\"n\":2}") : STR("{\"n\":0}");
        break;
    case INPUT_CANCEL:
    case INPUT_PAUSE:
    case INPUT_RESUME:
    case INPUT_RECOVER: break;
    }
    step(run, &input);
    arena_done(&arena);
}

static void play_program(struct run *run, struct take *take)
{
    while (take->size > 0 && !run->is_over && run->taken.count < STEPS_MAX) {
        if (take_bool(take) && !run->is_forged) {
            take_input(run, take);
        } else {
            struct core_transition transition;
            take_transition(run, take, &transition);
            fold(run, &transition);
        }
    }
}

/* ---- looking at what came of it ---- */

static void look_at_instance(const struct run *run, uint32_t number, struct arena *arena, struct buf *text)
{
    const struct core *core = run->core;
    const struct core_instance *instance = core_get_instance(core, number);
    struct value config, env;

    buf_clear(text);
    core_path(core, number, text);
    PROPERTY(text->size > 0);
    (void)core_find(core, buf_str(text));
    buf_clear(text);
    core_why(core, number, run->now, text);
    buf_clear(text);
    (void)core_output(core, number, arena, text, NULL);
    if (instance->task->kind == TASK_LEAF && instance->state == TASK_RUNNING)
        (void)core_render(core, number, run->now, arena, &config, &env, NULL);
    uint32_t frames = 0;
    for (uint32_t frame = core_frame_next_of(core, number, CORE_NONE); frame != CORE_NONE;
         frame = core_frame_next_of(core, number, frame)) {
        PROPERTY(++frames <= core_frame_count(core));
        (void)core_frame_item(core, frame, arena);
    }
}

static void look(const struct run *run)
{
    struct core_summary summary;
    struct arena arena;
    struct buf text;

    arena_init(&arena, NULL, FUZZ_MEMORY_MAX);
    buf_init(&text, NULL, FUZZ_MEMORY_MAX);
    core_get_summary(run->core, &summary);
    (void)core_deadline(run->core);
    for (uint32_t i = 0; i < core_instance_count(run->core); i++) {
        look_at_instance(run, i, &arena, &text);
        arena_clear(&arena);
    }
    buf_done(&text);
    arena_done(&arena);
}

/* Another state folds the same to the same. */
static void fold_again(const struct run *run)
{
    struct core *core = new_core(run->workflow);

    for (uint32_t i = 0; i < run->taken.count; i++) PROPERTY(core_evolve(core, &run->taken.items[i], NULL) == 0);
    PROPERTY(core_digest(core) == core_digest(run->core));
    core_free(core);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct take take = {data, size};
    uint32_t first = take_byte(&take);
    struct run run = {.workflow = workflow_at(first / 2 % DEFINITIONS_COUNT), .now = INT64_C(1772344808000000)};

    run.core = new_core(run.workflow);
    arena_init(&run.arena, NULL, FUZZ_MEMORY_MAX);
    if (first % 2 == 0)
        play_records(&run, &take);
    else
        play_program(&run, &take);
    if (!run.is_over) {
        static const enum core_input_type more[] = {INPUT_RECOVER, INPUT_TIMER, INPUT_CANCEL, INPUT_RETRY, INPUT_TIMER};
        fold_again(&run);
        look(&run);
        for (size_t i = 0; i < sizeof(more) / sizeof(more[0]) && !run.is_forged && !run.is_over; i++) {
            struct core_input input = {.type = more[i], .instance = CORE_NONE, .by = STR("ann")};
            run.now += 60 * ORCH_SECOND;
            step(&run, &input);
        }
        if (!run.is_forged && !run.is_over) {
            fold_again(&run);
            look(&run);
        }
    }
    arena_done(&run.arena);
    core_free(run.core);
    return 0;
}
