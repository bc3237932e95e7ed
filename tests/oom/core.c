/*
 * core.c - out of memory in the state machine and in admission.
 *
 * An execution of every construct is played to its end by a world drawn from a seed. When a step is out of memory its
 * state is thrown away and folded again from the journal, and the same input is given once more: nothing may be lost,
 * and the end is the same as if nothing had failed.
 */
#include "oom.h"

#include "../unit/core/random.h"
#include "core/admission.h"

struct play {
    const char *definition; /* or drawn from the seed */
    uint64_t seed;
    uint32_t random_max, steps_max; /* so many steps as chance has it, then those that lead to the end */
};

struct game {
    struct harness harness; /* of it: workflow, core, now */
    struct arena model;
    struct buf journal; /* as the harness keeps it: records, each preceded by its length */
};

static void start_input(struct game *game, struct arena *arena, struct core_input *input)
{
    struct orch_error err = ORCH_ERROR_INIT;

    *input = (struct core_input){.type = INPUT_START, .now = game->harness.now, .instance = CORE_NONE};
    OOM_CHECK(value_map(NULL, 0, arena, &input->start.env) == 0);
    OOM_CHECK(workflow_parameters(game->harness.workflow, value_null(), false, arena, NULL, &input->start.parameters,
                                  &err) == 0);
    input->start.id = STR("r-1");
}

/* From the journal, with memory. */
static struct core *fold(struct game *game)
{
    struct core *core = core_new(game->harness.workflow, 1, &game->harness.env, NULL);
    struct arena arena;

    OOM_CHECK(core);
    arena_init(&arena, NULL, 0);
    for (size_t at = 0; at < game->journal.size;) {
        uint32_t size;
        struct core_transitions list = {0};
        memcpy(&size, game->journal.data + at, sizeof size);
        at += sizeof size;
        OOM_CHECK(transitions_decode(str_of(game->journal.data + at, size), &arena, &list, NULL) == 0);
        at += size;
        for (uint32_t i = 0; i < list.count; i++) OOM_CHECK(core_evolve(core, &list.items[i], NULL) == 0);
        arena_clear(&arena);
    }
    arena_done(&arena);
    return core;
}

/* One step, and its record; with memory only when it is the second try. Returns what core_step said. */
static int step(struct game *game, const struct core_input *input)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct core_transitions out = {0};
    struct buf record;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    buf_init(&record, NULL, 0);
    int r = core_step(game->harness.core, input, &arena, &out, &err);
    if (r == 0) {
        transitions_encode(out.items, out.count, &record);
        if (record.failed) r = ORCH_ERR_NO_MEMORY;
    }
    fail_pause();
    if (r != 0) OOM_CHECK(err.code == r || record.failed);
    if (r == 0 && out.count > 0) {
        uint32_t size = (uint32_t)record.size;
        buf_add(&game->journal, str_of((const char *)&size, sizeof size));
        buf_add(&game->journal, buf_str(&record));
        OOM_CHECK(!game->journal.failed);
    }
    buf_done(&record);
    arena_done(&arena);
    fail_resume();
    return r;
}

static void step_surely(struct game *game, const struct core_input *input)
{
    if (step(game, input) != ORCH_ERR_NO_MEMORY) return;
    OOM_CHECK(fail_has_failed());
    fail_pause();
    core_free(game->harness.core);
    game->harness.core = fold(game);
    OOM_CHECK(step(game, input) != ORCH_ERR_NO_MEMORY);
    fail_resume();
}

/* Whatever can be asked of a state answers or is out of memory. */
static int look(struct game *game, uint64_t *digest)
{
    const struct core *core = game->harness.core;
    struct arena arena;
    struct buf out;
    int r = 0;

    arena_init(&arena, NULL, 0);
    buf_init(&out, NULL, 0);
    for (uint32_t i = 0; i < core_instance_count(core) && r == 0; i++) {
        struct orch_error err = ORCH_ERROR_INIT;
        struct value config, env;
        core_path(core, i, &out);
        core_why(core, i, game->harness.now, &out);
        r = core_output(core, i, &arena, &out, &err);
        if (r == 0 && core_get_instance(core, i)->state == TASK_RUNNING &&
            core_get_instance(core, i)->task->kind == TASK_LEAF) {
            r = core_render(core, i, game->harness.now, &arena, &config, &env, &err);
            if (r == 0) json_format(config, 0, &out);
            if (r == ORCH_ERR_EVALUATION) r = 0;
        }
    }
    if (out.failed) r = ORCH_ERR_NO_MEMORY;
    if (r == 0) digest_str(digest, buf_str(&out));
    buf_done(&out);
    arena_done(&arena);
    return r;
}

static void open_game(struct game *game, const struct play *play, struct draws *draws)
{
    static struct diags diags;
    struct buf text;

    *game = (struct game){.harness = {.now = HARNESS_START, .seed = 1}};
    arena_init(&game->model, NULL, 0);
    buf_init(&game->journal, NULL, 0);
    buf_init(&text, NULL, 0);
    chance_init(&draws->chance, play->seed);
    if (play->definition)
        buf_add_text(&text, play->definition);
    else
        random_definition(draws, &text);
    diags_init(&diags, &game->model);
    OOM_CHECK(workflow_read(buf_str(&text), STR("test.yaml"), &game->model, &diags, &game->harness.workflow) == 0);
    buf_done(&text);
}

static int play(const void *arg, uint64_t *digest)
{
    const struct play *play = arg;
    struct core_input input;
    struct draws draws;
    struct arena arena;
    struct game game;

    fail_pause();
    open_game(&game, play, &draws);
    arena_init(&arena, NULL, 0);
    start_input(&game, &arena, &input);
    fail_resume();
    game.harness.core = core_new(game.harness.workflow, 1, &game.harness.env, NULL);
    if (!game.harness.core) {
        OOM_CHECK(fail_has_failed());
        fail_pause();
        game.harness.core = core_new(game.harness.workflow, 1, &game.harness.env, NULL);
        fail_resume();
    }
    step_surely(&game, &input);
    for (uint32_t i = 0; i < play->steps_max; i++) {
        fail_pause();
        bool more = i < play->random_max ? random_input(&draws, &game.harness, &input)
                                         : helpful_input(&draws, &game.harness, &input);
        /* It may be the state's, which is thrown away when the step is out of memory. */
        if (more && input.type == INPUT_SIGNAL) input.signal.name = arena_str(&arena, input.signal.name);
        fail_resume();
        if (more)
            step_surely(&game, &input);
        else if (i >= play->random_max)
            break;
    }
    int r = look(&game, digest);
    if (r == ORCH_ERR_NO_MEMORY) OOM_CHECK(fail_has_failed());
    fail_pause();
    digest_number(digest, core_digest(game.harness.core));
    struct core *again = fold(&game);
    OOM_CHECK(core_digest(again) == core_digest(game.harness.core));
    core_free(again);
    core_free(game.harness.core);
    arena_done(&arena);
    arena_done(&game.model);
    buf_done(&game.journal);
    fail_resume();
    return r;
}

/* The fold of a journal, as recovery does it: it is all there, or out of memory. */
static int recover(const void *arg, uint64_t *digest)
{
    const struct play *play = arg;
    struct core_input input;
    struct draws draws;
    struct arena arena;
    struct game game;
    int r = 0;

    fail_pause();
    open_game(&game, play, &draws);
    arena_init(&arena, NULL, 0);
    start_input(&game, &arena, &input);
    game.harness.core = core_new(game.harness.workflow, 1, &game.harness.env, NULL);
    OOM_CHECK(game.harness.core && step(&game, &input) == 0);
    for (uint32_t i = 0; i < play->steps_max; i++)
        if (random_input(&draws, &game.harness, &input)) (void)step(&game, &input);
    fail_resume();
    struct core *core = core_new(game.harness.workflow, 1, &game.harness.env, NULL);
    if (!core) r = ORCH_ERR_NO_MEMORY;
    for (size_t at = 0; at < game.journal.size && r == 0;) {
        uint32_t size;
        struct core_transitions list = {0};
        struct orch_error err = ORCH_ERROR_INIT;
        memcpy(&size, game.journal.data + at, sizeof size);
        at += sizeof size;
        r = transitions_decode(str_of(game.journal.data + at, size), &arena, &list, &err);
        at += size;
        for (uint32_t i = 0; i < list.count && r == 0; i++) r = core_evolve(core, &list.items[i], &err);
        OOM_CHECK(r == err.code);
    }
    if (r == 0) {
        OOM_CHECK(core_digest(core) == core_digest(game.harness.core));
        digest_number(digest, core_digest(core));
    }
    core_free(core);
    fail_pause();
    core_free(game.harness.core);
    arena_done(&arena);
    arena_done(&game.model);
    buf_done(&game.journal);
    fail_resume();
    return r;
}

static int ask(struct admission *admission, const struct admission_request *request, uint32_t what, bool hold)
{
    if (what < 5) return admission_enqueue(admission, request);
    return what == 5 ? admission_hold(admission, request->owner, hold) : 0;
}

/* Requests, admissions and releases drawn from a seed; what is out of memory changes nothing and is asked again. */
static int admission(const void *arg, uint64_t *digest)
{
    struct draws draws;
    struct admission *admission = admission_new(NULL);
    admission_limit limits[3] = {0};
    uint64_t owner, held[64][2];
    uint32_t instance, held_count = 0;

    chance_init(&draws.chance, *(const uint64_t *)arg);
    if (!admission) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < 3; i++) {
        limits[i] = admission_limit_add(admission, STR("limit"), 2 + i);
        if (limits[i] != 0) continue;
        admission_free(admission);
        return ORCH_ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < 120; i++) {
        struct admission_need needs[2] = {{limits[draw(&draws, 3)], 1}, {limits[draw(&draws, 3)], 1 + draw(&draws, 2)}};
        struct admission_request request = {.owner = 1 + draw(&draws, 4),
                                            .instance = i,
                                            .priority = (int32_t)draw(&draws, 3),
                                            .rank = draw(&draws, 9),
                                            .needs = needs,
                                            .needs_count = 1 + draw(&draws, 2)};
        uint32_t what = draw(&draws, 8);
        int r = ask(admission, &request, what, i % 2);
        if (r == ORCH_ERR_NO_MEMORY) {
            OOM_CHECK(fail_has_failed());
            fail_pause();
            r = ask(admission, &request, what, i % 2);
            fail_resume();
        }
        OOM_CHECK(r == 0 || r == ORCH_ERR_INVALID);
        while (held_count < 64 && draw(&draws, 3) > 0 && admission_next(admission, &owner, &instance)) {
            digest_number(digest, owner << 32 | instance);
            held[held_count][0] = owner;
            held[held_count++][1] = instance;
        }
        if (held_count > 0 && draw(&draws, 2)) {
            held_count--;
            OOM_CHECK(admission_release(admission, held[held_count][0], (uint32_t)held[held_count][1]));
        }
    }
    digest_number(digest, admission_waiting_count(admission));
    admission_free(admission);
    return 0;
}

/* ---- */

static const char every[] =
    "parameters: {yes: {default: true}, n: {default: 3}, list: {default: [1, {a: 2}, 'x']}}\n"
    "timeout: 10m\n"
    "tasks:\n"
    "  a: {shell: x, retry: {max_attempts: 3, delay: 1s, jitter: 0.5}, timeout: 5s, on_interrupt: hold}\n"
    "  b: {depends_on: [a], transform: '{\"out\": a.output, \"more\": list.map(i, string(i))}', compensate: {shell: "
    "undo}}\n"
    "  c: {wait: {event: e0, filter: 'event.n > 0'}, timeout: 20s, continue_on_error: true}\n"
    "  d: {depends_on: [b, c], join: any_succeeded, approval: 'sure about {{ n }}?'}\n"
    "  e: {when: n > 2, wait: 3s, continue_on_error: true}\n"
    "  f: {depends_on: [d, e], join: {at_least: 1}, workflow: {name: other, parameters: {p: '{{ n }}'}}}\n"
    "  g: {timeout: 30s, tasks: {a: {shell: x}, b: {depends_on: [a], shell: y}}, finally: {tasks: {f: {shell: z}}},"
    " on_error: {transform: error}}\n"
    "  l: {for_each: {in: '{{ params.list }}', as: i, max_parallel: 2}, shell: x, env: {I: '{{ i }}'}, compensate: "
    "{shell: z}}\n"
    "  r: {depends_on: [g], join: all_done, repeat: {until: s.output == 1, max: 3, delay: 1s}, tasks: {s: {shell: "
    "x}}}\n"
    "  m: {depends_on: [l], for_each: {in: [1, 2], as: j}, repeat: {while: iteration < 2, max: 2}, transform: j}\n"
    "  z: {depends_on: [r, m, f], join: all_done, transform: '[l.output, r.output, g.output, m.output]'}\n"
    "output: '{{ tasks }}'\n"
    "on_error: {shell: tell}\n"
    "finally: {tasks: {x: {shell: x}, y: {depends_on: [x], approval: ok}}}\n";

#define DRAWN 12

int main(int argc, char **argv)
{
    static struct play plays[2 * DRAWN];
    static uint64_t seeds[4];
    static struct oom_scenario scenarios[2 * DRAWN * 2 + 4];
    static char names[2 * DRAWN * 2 + 4][64];
    size_t count = 0;

    for (size_t i = 0; i < 2 * DRAWN; i++) {
        /* The one of every construct with several fates, and drawn ones. */
        plays[i] = (struct play){
            .definition = i < DRAWN ? every : NULL, .seed = 100 + i, .random_max = i % 2 ? 60 : 0, .steps_max = 160};
        snprintf(names[count], sizeof names[0], "%s, seed %zu", i < DRAWN ? "every construct" : "drawn definition",
                 100 + i);
        scenarios[count] = (struct oom_scenario){.group = i < DRAWN ? "every construct" : "drawn definitions",
                                                 .name = names[count],
                                                 .run = play,
                                                 .arg = &plays[i]};
        count++;
    }
    for (size_t i = 0; i < 2 * DRAWN; i++) {
        snprintf(names[count], sizeof names[0], "recovery, seed %zu", 100 + i);
        scenarios[count] =
            (struct oom_scenario){.group = "recovery", .name = names[count], .run = recover, .arg = &plays[i]};
        count++;
    }
    for (size_t i = 0; i < 4; i++) {
        seeds[i] = i + 1;
        snprintf(names[count], sizeof names[0], "admission, seed %zu", i + 1);
        scenarios[count] =
            (struct oom_scenario){.group = "admission", .name = names[count], .run = admission, .arg = &seeds[i]};
        count++;
    }
    return oom_main(argc, argv, scenarios, count);
}
