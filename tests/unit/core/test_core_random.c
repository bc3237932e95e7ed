/*
 * test_core_random.c - drawn definitions under drawn inputs: first anything happens, then nothing goes wrong any more and all must end.
 *
 * After every step the journal is folded from its bytes and must give the same state, which must owe nothing. A failure prints its seed; a
 * seed as argument runs that one alone, a range "from-to" runs many.
 */
#include <stdio.h>
#include <stdlib.h>

#include "random.h"

#define SEEDS 400
#define STEPS 250

static uint64_t seed_from = 1, seed_to = SEEDS;

static void drain(struct draws *draws, struct harness *harness)
{
    struct core_input input;
    uint32_t steps = 0;

    while (helpful_input(draws, harness, &input)) {
        assert_int_equal(harness_step(harness, &input), 0);
        assert_true(++steps < 20000);
    }
    if (!execution_state_is_terminal(harness->core->state)) {
        for (uint32_t i = 0; i < harness->core->instances.count; i++) {
            const struct core_instance *instance = instance_at(harness->core, i);
            if (frame_at(harness->core, instance->frame)->dropped || task_state_is_terminal(instance->state)) continue;
            print_error("%s is %s\n", harness_path(harness->core, i), task_state_to_string((enum task_state)instance->state));
        }
        fail_msg("stuck: the execution is %s", execution_state_to_string((enum execution_state)harness->core->state));
    }
}

/* Ended once: exactly one end for each start or retry. */
static void count_ends(const struct harness *harness, int *open)
{
    for (uint32_t i = 0; i < harness->out.count; i++) {
        uint8_t type = harness->out.items[i].type;
        if (type == TRANSITION_EXECUTION_STARTED || type == TRANSITION_EXECUTION_RETRIED) ++*open;
        if (type == TRANSITION_EXECUTION_ENDED) --*open;
        assert_in_range(*open, 0, 1);
    }
}

static void play_seed(uint64_t seed)
{
    struct draws draws;
    struct harness harness;
    struct buf definition;
    int open = 0;

    chance_init(&draws.chance, seed);
    buf_init(&definition, NULL, 0);
    random_definition(&draws, &definition);
    print_message("seed %llu\n", (unsigned long long)seed);
    if (getenv("VERBOSE")) print_message("%s", definition.data);
    harness_init(&harness, definition.data);
    harness_play(&harness, "start -> ...\n");
    count_ends(&harness, &open);
    for (int i = 0; i < STEPS; i++) {
        struct core_input input;
        if (!random_input(&draws, &harness, &input)) continue;
        int rc = harness_step(&harness, &input);
        if (rc != 0 && rc != ORCH_ERR_STATE && rc != ORCH_ERR_NOT_FOUND) fail_msg("%s", harness.error.message);
        if (getenv("VERBOSE")) {
            struct buf text;
            buf_init(&text, NULL, 0);
            harness_format(&harness, &text);
            print_message("%d: input %d %s -> %s\n", i, input.type, input.instance != CORE_NONE ? harness_path(harness.core, input.instance) : "",
                          text.data ? text.data : "");
            buf_done(&text);
        }
        count_ends(&harness, &open);
        if (harness.core->instances.count > 3000) break; /* enough: the fold after each step is quadratic */
    }
    drain(&draws, &harness);
    /* Once more from any task: whatever state it was left in, it ends. */
    struct core_input input = {.type = INPUT_RETRY, .instance = CORE_NONE, .now = harness.now};
    if (one_in(&draws, 2)) input.instance = draw(&draws, harness.core->instances.count);
    int rc = harness_step(&harness, &input);
    assert_true(rc == 0 || rc == ORCH_ERR_STATE || rc == ORCH_ERR_NOT_FOUND);
    drain(&draws, &harness);
    harness_done(&harness);
    buf_done(&definition);
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = seed_from; seed <= seed_to; seed++) play_seed(seed);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
    };

    if (argc > 1) {
        char *end;
        seed_from = seed_to = strtoull(argv[1], &end, 10);
        if (*end == '-') seed_to = strtoull(end + 1, NULL, 10);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
