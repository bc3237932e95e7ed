/*
 * A state folded up to a point: the same whether the journal was folded in one go or step by step.
 */
#include "harness.h"

static const char *const yaml =
    "name: every\n"
    "tasks:\n"
    "  plain: {function: {name: echo, parameters: {value: 1}}}\n"
    "  items: {for_each: {in: [1, 2, 3], as: i}, function: {name: echo}}\n"
    "  again: {repeat: {max: 3}, transform: 'iteration'}\n"
    "  group: {depends_on: plain, tasks: {x: {noop: {}}, y: {depends_on: x, wait: 1ms}}}\n"
    "  undone: {function: {name: echo}, compensate: {function: {name: echo}}}\n"
    "  inner: {workflow: sub}\n"
    "  fails: {depends_on: [undone, inner], function: {name: fail}, retry: {max_attempts: 2, delay: 1ms}}\n"
    "finally: {tidy: {noop: {}}}\n";

struct steps {
    uint64_t *digests; /* [sequence] */
    const struct engine_view *view;
    uint64_t next, end_at;
};

static bool keep_digest(void *user, uint64_t sequence, const struct core_transition *transition)
{
    struct steps *steps = user;
    (void)transition;
    assert_int_equal(steps->next++, sequence);
    assert_int_equal(0, steps->digests[sequence]);
    steps->digests[sequence] = core_digest(engine_view_core(steps->view));
    return sequence != steps->end_at;
}

static void test_prefixes(void **state)
{
    struct world world;
    struct orch_error err = ORCH_ERROR_INIT;
    struct engine_view *whole, *stepped, *part;
    (void)state;
    world_new(&world, WORLD_MEMORY);
    world_file(&world, "sub.yaml", "tasks: {x: {function: {name: echo}}}\n");
    const struct ended *ended = world_play(&world, yaml, NULL);
    assert_int_equal(EXECUTION_COMPENSATED, ended->state);
    struct store *store = engine_store(world.engine);
    assert_int_equal(0, engine_view_open(store, ended->number, &whole, &err));
    uint64_t last = engine_view_last(whole);
    assert_true(last > 40);
    assert_int_equal(last, engine_view_sequence(whole));
    assert_true(core_digest(engine_view_core(whole)) == ended->digest);

    /* Step by step, with a stop on the way in the middle of what was recorded together. */
    assert_int_equal(0, engine_view_open_at(store, ended->number, 0, &stepped, &err));
    assert_int_equal(0, engine_view_sequence(stepped));
    assert_int_equal(last, engine_view_last(stepped));
    assert_int_equal(0, core_instance_count(engine_view_core(stepped)));
    struct steps steps = {.digests = calloc(last + 1, sizeof *steps.digests), .view = stepped, .next = 1};
    assert_non_null(steps.digests);
    steps.digests[0] = core_digest(engine_view_core(stepped));
    steps.end_at = 3;
    assert_int_equal(0, engine_view_advance(stepped, UINT64_MAX, keep_digest, &steps, &err));
    assert_int_equal(3, engine_view_sequence(stepped));
    assert_int_equal(0, engine_view_advance(stepped, 5, keep_digest, &steps, &err));
    assert_int_equal(5, engine_view_sequence(stepped));
    assert_int_equal(0, engine_view_advance(stepped, 5, keep_digest, &steps, &err)); /* there already */
    assert_int_equal(0, engine_view_advance(stepped, UINT64_MAX, keep_digest, &steps, &err));
    assert_int_equal(last, engine_view_sequence(stepped));
    assert_true(steps.digests[last] == ended->digest);

    for (uint64_t at = 0; at <= last; at++) {
        assert_int_equal(0, engine_view_open_at(store, ended->number, at, &part, &err));
        assert_int_equal(at, engine_view_sequence(part));
        assert_int_equal(last, engine_view_last(part));
        assert_true(core_digest(engine_view_core(part)) == steps.digests[at]);
        if (at > 0) assert_true(steps.digests[at] != steps.digests[at - 1]);
        engine_view_close(part);
    }
    assert_int_equal(ORCH_ERR_NOT_FOUND, engine_view_open_at(store, ended->number, last + 1, &part, &err));
    free(steps.digests);
    engine_view_close(stepped);
    engine_view_close(whole);
    world_done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_prefixes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
