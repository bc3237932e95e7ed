#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/admission.h"
#include "core/retry.h"
#include "memory.h"

static struct admission_request request_of(uint64_t owner, uint32_t instance, int32_t priority, uint32_t rank,
                                           const struct admission_need *needs, uint32_t count)
{
    return (struct admission_request){owner, instance, priority, rank, needs, count};
}

static void expect_next(struct admission *admission, uint64_t owner, uint32_t instance)
{
    uint64_t got_owner = 0;
    uint32_t got_instance = 0;

    assert_true(admission_next(admission, &got_owner, &got_instance));
    assert_int_equal(got_owner, owner);
    assert_int_equal(got_instance, instance);
}

static void expect_none(struct admission *admission)
{
    uint64_t owner;
    uint32_t instance;

    assert_false(admission_next(admission, &owner, &instance));
}

static uint32_t taken_of(const struct admission *admission, admission_limit limit)
{
    struct orch_str name;
    uint32_t units, taken;

    admission_limit_get(admission, limit, &name, &units, &taken);
    return taken;
}

static void test_order(void **state)
{
    struct admission *admission = admission_new(NULL);
    admission_limit jobs = admission_limit_add(admission, STR("jobs"), 1);
    struct admission_need need = {jobs, 1};
    const struct {
        uint32_t instance;
        int32_t priority;
        uint32_t rank;
    } in[] = {{1, 0, 1},         {2, 0, 5}, {3, -1, 9}, {4, 7, 1}, {5, 0, 5}, {6, INT32_MIN, UINT32_MAX},
              {7, INT32_MAX, 0}, {8, 0, 1}};
    static const uint32_t out[] = {7, 4, 2, 5, 1, 8, 3, 6};

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        struct admission_request request = request_of(i % 3, in[i].instance, in[i].priority, in[i].rank, &need, 1);

        assert_int_equal(admission_enqueue(admission, &request), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        uint64_t owner;
        uint32_t instance;

        assert_true(admission_next(admission, &owner, &instance));
        assert_int_equal(instance, out[i]);
        expect_none(admission);
        assert_true(admission_release(admission, owner, instance));
    }
    expect_none(admission);
    assert_int_equal(admission_queue_count(admission), 0);
    admission_free(admission);
}

static void test_without_needs(void **state)
{
    struct admission *admission = admission_new(NULL);
    struct admission_request request = request_of(1, 2, 0, 0, NULL, 0);

    (void)state;
    assert_int_equal(admission_enqueue(admission, &request), 0);
    expect_next(admission, 1, 2);
    assert_true(admission_release(admission, 1, 2));
    assert_int_equal(admission_queue_count(admission), 0);
    admission_free(admission);
}

static void test_refusals(void **state)
{
    struct admission *admission = admission_new(NULL);
    admission_limit jobs = admission_limit_add(admission, STR("jobs"), 2);
    struct admission_need many[ADMISSION_LIMITS_MAX + 1];
    struct admission_need need = {jobs, 1};
    struct admission_request request = request_of(1, 1, 0, 0, &need, 1);

    (void)state;
    assert_int_equal(admission_enqueue(admission, &request), 0);
    assert_int_equal(admission_enqueue(admission, &request), ORCH_ERR_EXISTS);
    assert_int_equal(admission_take(admission, &request), ORCH_ERR_EXISTS);
    assert_false(admission_release(admission, 1, 1)); /* holds nothing yet */
    assert_false(admission_withdraw(admission, 1, 2));
    expect_next(admission, 1, 1);
    assert_int_equal(admission_enqueue(admission, &request), ORCH_ERR_EXISTS);
    assert_false(admission_withdraw(admission, 1, 1)); /* waits no more */
    assert_true(admission_release(admission, 1, 1));
    assert_false(admission_release(admission, 1, 1));

    need.units = 3;
    assert_int_equal(admission_enqueue(admission, &request), ORCH_ERR_INVALID);
    need.units = 0;
    assert_int_equal(admission_enqueue(admission, &request), ORCH_ERR_INVALID);
    need = (struct admission_need){jobs + 1, 1};
    assert_int_equal(admission_enqueue(admission, &request), ORCH_ERR_INVALID);
    assert_int_equal(admission_take(admission, &request), ORCH_ERR_INVALID);
    need.limit = 0;
    assert_int_equal(admission_enqueue(admission, &request), ORCH_ERR_INVALID);
    for (size_t i = 0; i <= ADMISSION_LIMITS_MAX; i++) many[i] = (struct admission_need){jobs, 1};
    request.needs = many;
    request.needs_count = ADMISSION_LIMITS_MAX + 1;
    assert_int_equal(admission_enqueue(admission, &request), ORCH_ERR_INVALID);
    many[0].units = many[1].units = UINT32_MAX; /* the sum overflows */
    request.needs_count = 2;
    assert_int_equal(admission_enqueue(admission, &request), ORCH_ERR_INVALID);
    assert_int_equal(admission_queue_count(admission), 0);
    admission_free(admission);
}

static void test_needs_named_twice_add_up(void **state)
{
    struct admission *admission = admission_new(NULL);
    admission_limit jobs = admission_limit_add(admission, STR("jobs"), 3),
                    pool = admission_limit_add(admission, STR("pool"), 1);
    struct admission_need needs[] = {{jobs, 1}, {pool, 1}, {jobs, 2}};
    struct admission_request request = request_of(1, 1, 0, 0, needs, 3);

    (void)state;
    assert_int_equal(admission_enqueue(admission, &request), 0);
    expect_next(admission, 1, 1);
    assert_int_equal(taken_of(admission, jobs), 3);
    assert_int_equal(taken_of(admission, pool), 1);
    assert_true(admission_release(admission, 1, 1));
    assert_int_equal(taken_of(admission, jobs), 0);
    admission_free(admission);
}

static void test_blocked_by(void **state)
{
    struct admission *admission = admission_new(NULL);
    admission_limit jobs = admission_limit_add(admission, STR("jobs"), 2),
                    db = admission_limit_add(admission, STR("db"), 1);
    struct admission_need needs[] = {{jobs, 1}, {db, 1}};

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct admission_request request = request_of(1, i, 0, 0, needs, 2);

        assert_int_equal(admission_enqueue(admission, &request), 0);
    }
    assert_int_equal(admission_blocked_by(admission, 1, 1), 0); /* nobody looked */
    expect_next(admission, 1, 0);
    expect_none(admission);
    assert_int_equal(admission_blocked_by(admission, 1, 0), 0); /* runs */
    assert_int_equal(admission_blocked_by(admission, 1, 1), db);
    assert_int_equal(admission_blocked_by(admission, 1, 2), db);
    assert_int_equal(admission_blocked_by(admission, 9, 9), 0); /* not there */
    assert_true(admission_release(admission, 1, 0));
    expect_next(admission, 1, 1);
    admission_free(admission);
}

/* Small requests keep coming; the large one, first in order, gets its turn as soon as enough came back. */
static void test_several_units_do_not_starve(void **state)
{
    struct admission *admission = admission_new(NULL);
    admission_limit gpu = admission_limit_add(admission, STR("gpu"), 4),
                    other = admission_limit_add(admission, STR("other"), 1);
    struct admission_need one = {gpu, 1}, three = {gpu, 3}, elsewhere = {other, 1};
    struct admission_request request;

    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        request = request_of(1, i, 0, 1, &one, 1);
        assert_int_equal(admission_enqueue(admission, &request), 0);
        expect_next(admission, 1, i);
    }
    request = request_of(2, 100, 0, 1, &three, 1);
    assert_int_equal(admission_enqueue(admission, &request), 0);
    expect_none(admission);
    for (uint32_t i = 4; i < 8; i++) {
        request = request_of(1, i, 0, 1, &one, 1);
        assert_int_equal(admission_enqueue(admission, &request), 0);
    }
    request = request_of(3, 1, 0, 1, &elsewhere, 1);
    assert_int_equal(admission_enqueue(admission, &request), 0);
    expect_next(admission, 3, 1); /* another limit is none of its business */
    assert_true(admission_release(admission, 1, 0));
    expect_none(admission);
    assert_int_equal(admission_blocked_by(admission, 1, 4), gpu);
    assert_true(admission_release(admission, 1, 1));
    expect_none(admission);

    /* What is more urgent passes it all the same. */
    request = request_of(4, 1, 1, 1, &one, 1);
    assert_int_equal(admission_enqueue(admission, &request), 0);
    expect_next(admission, 4, 1);
    assert_true(admission_release(admission, 4, 1));
    expect_none(admission);

    assert_true(admission_release(admission, 1, 2));
    expect_next(admission, 2, 100);
    expect_none(admission);
    assert_true(admission_release(admission, 1, 3));
    expect_next(admission, 1, 4);
    expect_none(admission);
    admission_free(admission);
}

/* A claim ends at once when the one who made it goes away, is held, or lacks something else too. */
static void test_claims_end(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct admission *admission = admission_new(NULL);
        admission_limit gpu = admission_limit_add(admission, STR("gpu"), 4),
                        own = admission_limit_add(admission, STR("own"), 1);
        struct admission_need two = {gpu, 2}, small = {gpu, 1}, large[] = {{gpu, 4}, {own, 1}}, mine = {own, 1};
        struct admission_request request;

        request = request_of(1, 1, 0, 0, &two, 1);
        assert_int_equal(admission_enqueue(admission, &request), 0);
        expect_next(admission, 1, 1);
        request = request_of(2, 1, 0, 0, large, 2);
        assert_int_equal(admission_enqueue(admission, &request), 0);
        request = request_of(3, 1, 0, 0, &small, 1);
        assert_int_equal(admission_enqueue(admission, &request), 0);
        expect_none(admission);
        if (way == 0) {
            assert_true(admission_withdraw(admission, 2, 1));
        } else if (way == 1) {
            assert_int_equal(admission_hold(admission, 2, true), 0);
        } else {
            request = request_of(2, 2, 0, 0, &mine, 1);
            assert_int_equal(admission_take(admission, &request), 0);
        }
        expect_next(admission, 3, 1);
        admission_free(admission);
    }
}

static void test_hold(void **state)
{
    struct admission *admission = admission_new(NULL);
    admission_limit jobs = admission_limit_add(admission, STR("jobs"), 10);
    struct admission_need need = {jobs, 1};
    struct admission_request request;

    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        request = request_of(i % 2, i, 0, 4 - i, &need, 1);
        assert_int_equal(admission_enqueue(admission, &request), 0);
    }
    assert_int_equal(admission_hold(admission, 0, true), 0);
    assert_int_equal(admission_hold(admission, 0, true), 0);
    request = request_of(0, 4, 9, 9, &need, 1); /* comes while held */
    assert_int_equal(admission_enqueue(admission, &request), 0);
    expect_next(admission, 1, 1);
    expect_next(admission, 1, 3);
    expect_none(admission);
    assert_int_equal(admission_waiting_count(admission), 3);
    assert_int_equal(admission_hold(admission, 0, false), 0);
    expect_next(admission, 0, 4);
    expect_next(admission, 0, 0);
    expect_next(admission, 0, 2);
    assert_int_equal(admission_hold(admission, 5, false), 0); /* unknown and not held: nothing to do */
    admission_free(admission);
}

static void test_take_and_limit_set(void **state)
{
    struct admission *admission = admission_new(NULL);
    admission_limit jobs = admission_limit_add(admission, STR("jobs"), 1);
    struct admission_need need = {jobs, 1};
    struct admission_request request;
    struct orch_str name;
    uint32_t units, taken;

    (void)state;
    for (uint32_t i = 0; i < 3; i++) { /* all three were running before the limit was lowered */
        request = request_of(1, i, 0, 0, &need, 1);
        assert_int_equal(admission_take(admission, &request), 0);
    }
    request = request_of(1, 3, 0, 0, &need, 1);
    assert_int_equal(admission_enqueue(admission, &request), 0);
    expect_none(admission);
    assert_true(admission_release(admission, 1, 0));
    assert_true(admission_release(admission, 1, 1));
    expect_none(admission);
    admission_limit_set(admission, jobs, 2);
    expect_next(admission, 1, 3);
    admission_limit_set(admission, jobs, 0);
    request = request_of(1, 4, 0, 0, &need, 1);
    assert_int_equal(admission_enqueue(admission, &request), ORCH_ERR_INVALID);
    admission_limit_get(admission, jobs, &name, &units, &taken);
    assert_true(str_is(name, "jobs"));
    assert_int_equal(units, 0);
    assert_int_equal(taken, 2);
    assert_true(admission_release(admission, 1, 2));
    assert_true(admission_release(admission, 1, 3));
    admission_limit_remove(admission, jobs);
    assert_int_equal(admission_limit_add(admission, STR("again"), 1), jobs); /* handles are used again */
    admission_free(admission);
}

/*
 * A random history, beside a model that looks through everything each time.
 */
#define MODEL_LIMITS 6
#define MODEL_OWNERS 5
#define MODEL_MAX    256

struct model_request {
    uint64_t owner;
    uint32_t instance;
    int32_t priority;
    uint32_t rank;
    uint64_t arrival;
    struct admission_need needs[MODEL_LIMITS];
    uint32_t count;
    bool admitted;
};

struct model {
    struct admission *admission;
    admission_limit handles[MODEL_LIMITS];
    uint32_t units[MODEL_LIMITS], taken[MODEL_LIMITS];
    struct model_request requests[MODEL_MAX]; /* waiting ones in order */
    uint32_t count;
    uint64_t arrivals;
    bool held[MODEL_OWNERS];
    struct chance chance;
};

static uint32_t draw(struct model *model, uint32_t below)
{
    return (uint32_t)(chance_next(&model->chance) % below);
}

static uint32_t limit_index(const struct model *model, admission_limit handle)
{
    uint32_t i = 0;

    while (model->handles[i] != handle) i++;
    return i;
}

static bool model_before(const struct model_request *a, const struct model_request *b)
{
    if (a->priority != b->priority) return a->priority > b->priority;
    if (a->rank != b->rank) return a->rank > b->rank;
    return a->arrival < b->arrival;
}

static void model_insert(struct model *model, const struct model_request *request)
{
    uint32_t at = model->count++;

    for (; at > 0 && model_before(request, &model->requests[at - 1]); at--)
        model->requests[at] = model->requests[at - 1];
    model->requests[at] = *request;
}

static void model_remove(struct model *model, uint32_t at)
{
    model->count--;
    for (; at < model->count; at++) model->requests[at] = model->requests[at + 1];
}

static bool lacks(const struct model *model, const struct admission_need *need)
{
    uint32_t i = limit_index(model, need->limit);

    return model->taken[i] + need->units > model->units[i];
}

/* The place of the one that may go now, or UINT32_MAX. `claimed` gets what is claimed by the end. */
static uint32_t model_next(const struct model *model, bool claimed[MODEL_LIMITS])
{
    memset(claimed, 0, MODEL_LIMITS);
    for (uint32_t i = 0; i < model->count; i++) {
        const struct model_request *request = &model->requests[i];
        const struct admission_need *lacking = NULL;
        uint32_t lacking_count = 0;
        bool passed_over = false;

        if (request->admitted || model->held[request->owner]) continue;
        for (uint32_t n = 0; n < request->count; n++) {
            const struct admission_need *need = &request->needs[n];

            passed_over |= claimed[limit_index(model, need->limit)];
            if (!lacks(model, need)) continue;
            lacking = need;
            lacking_count++;
        }
        if (lacking_count == 0 && !passed_over) return i;
        if (lacking_count == 1 && lacking->units > 1 &&
            lacking->units <= model->units[limit_index(model, lacking->limit)])
            claimed[limit_index(model, lacking->limit)] = true;
    }
    return UINT32_MAX;
}

static void model_enqueue(struct model *model, bool several, bool take)
{
    struct model_request request = {.owner = draw(model, MODEL_OWNERS),
                                    .instance = draw(model, 1000),
                                    .priority = (int32_t)draw(model, 3) - 1,
                                    .rank = draw(model, 3),
                                    .arrival = ++model->arrivals,
                                    .admitted = take};
    struct admission_request asked = {
        .owner = request.owner, .instance = request.instance, .priority = request.priority, .rank = request.rank};
    bool exists = false, never = false;
    uint32_t first = draw(model, MODEL_LIMITS);
    int expected;

    if (model->count == MODEL_MAX) return;
    /* In any order: that is to make no difference. */
    for (uint32_t i = 0; i < MODEL_LIMITS; i++) {
        uint32_t limit = (first + i) % MODEL_LIMITS;
        uint32_t units = limit == 0 || several ? 1 + draw(model, 3) : 1;

        if (draw(model, 2)) continue;
        never |= units > model->units[limit];
        request.needs[request.count++] = (struct admission_need){model->handles[limit], units};
    }
    for (uint32_t i = 0; i < model->count; i++)
        exists |= model->requests[i].owner == request.owner && model->requests[i].instance == request.instance;
    asked.needs = request.needs;
    asked.needs_count = request.count;
    expected = exists ? ORCH_ERR_EXISTS : never && !take ? ORCH_ERR_INVALID : 0;
    assert_int_equal(take ? admission_take(model->admission, &asked) : admission_enqueue(model->admission, &asked),
                     expected);
    if (expected != 0) {
        model->arrivals--;
        return;
    }
    if (take)
        for (uint32_t n = 0; n < request.count; n++)
            model->taken[limit_index(model, request.needs[n].limit)] += request.needs[n].units;
    model_insert(model, &request);
}

static void model_admit(struct model *model, bool several)
{
    bool claimed[MODEL_LIMITS];
    uint32_t at = model_next(model, claimed), instance = 0;
    uint64_t owner = 0;
    bool admitted = admission_next(model->admission, &owner, &instance);

    if (several && admitted) {
        /* Claims on several limits at once may hinder each other in ways that depend on history: any that has room may
         * be it. */
        for (at = 0; model->requests[at].owner != owner || model->requests[at].instance != instance;)
            assert_true(++at < model->count);
        assert_false(model->requests[at].admitted);
        assert_false(model->held[owner]);
        for (uint32_t n = 0; n < model->requests[at].count; n++)
            assert_false(lacks(model, &model->requests[at].needs[n]));
    } else if (!several) {
        assert_true(admitted == (at != UINT32_MAX));
        if (admitted) {
            assert_int_equal(owner, model->requests[at].owner);
            assert_int_equal(instance, model->requests[at].instance);
        }
    }
    if (admitted) {
        model->requests[at].admitted = true;
        for (uint32_t n = 0; n < model->requests[at].count; n++)
            model->taken[limit_index(model, model->requests[at].needs[n].limit)] += model->requests[at].needs[n].units;
        return;
    }
    for (uint32_t i = 0; i < model->count; i++) { /* everybody is told why */
        const struct model_request *request = &model->requests[i];
        admission_limit blocked = admission_blocked_by(model->admission, request->owner, request->instance);
        bool found = false;

        if (request->admitted) assert_int_equal(blocked, 0);
        if (request->admitted || model->held[request->owner]) continue;
        for (uint32_t n = 0; n < request->count; n++) {
            if (request->needs[n].limit != blocked) continue;
            found = several || lacks(model, &request->needs[n]) || claimed[limit_index(model, blocked)];
        }
        assert_true(found);
    }
}

static void model_step(struct model *model, bool several)
{
    uint32_t what = draw(model, 100);

    if (what < 35) {
        model_enqueue(model, several, false);
    } else if (what < 37) {
        model_enqueue(model, several, true);
    } else if (what < 70) {
        model_admit(model, several);
    } else if (what < 95) {
        uint32_t at = model->count > 0 ? draw(model, model->count) : 0;
        const struct model_request *request = &model->requests[at];

        if (model->count == 0) return;
        if (request->admitted) {
            assert_false(admission_withdraw(model->admission, request->owner, request->instance));
            assert_true(admission_release(model->admission, request->owner, request->instance));
            for (uint32_t n = 0; n < request->count; n++)
                model->taken[limit_index(model, request->needs[n].limit)] -= request->needs[n].units;
        } else if (what < 80) {
            assert_false(admission_release(model->admission, request->owner, request->instance));
            assert_true(admission_withdraw(model->admission, request->owner, request->instance));
        } else {
            return;
        }
        model_remove(model, at);
    } else if (what < 98) {
        uint32_t owner = draw(model, MODEL_OWNERS);

        model->held[owner] = draw(model, 2);
        assert_int_equal(admission_hold(model->admission, owner, model->held[owner]), 0);
    } else {
        uint32_t limit = draw(model, MODEL_LIMITS);

        model->units[limit] = draw(model, 6);
        admission_limit_set(model->admission, model->handles[limit], model->units[limit]);
    }
}

static void model_check(const struct model *model)
{
    uint32_t waiting = 0;

    for (uint32_t i = 0; i < model->count; i++) waiting += !model->requests[i].admitted;
    assert_int_equal(admission_waiting_count(model->admission), waiting);
    for (uint32_t i = 0; i < MODEL_LIMITS; i++)
        assert_int_equal(taken_of(model->admission, model->handles[i]), model->taken[i]);
}

static void model_run(uint64_t seed, bool several, uint32_t steps)
{
    static struct model model;
    struct memory memory;

    memory_init(&memory, 0);
    memset(&model, 0, sizeof(model));
    chance_init(&model.chance, seed);
    model.admission = admission_new(&memory.allocator);
    for (uint32_t i = 0; i < MODEL_LIMITS; i++) {
        model.units[i] = 1 + draw(&model, 6);
        model.handles[i] = admission_limit_add(model.admission, STR("limit"), model.units[i]);
    }
    for (uint32_t step = 0; step < steps; step++) {
        model_step(&model, several);
        model_check(&model);
    }
    /* With everybody let go and limits as large as needed, all of it ends. */
    for (uint32_t i = 0; i < MODEL_OWNERS; i++) {
        model.held[i] = false;
        assert_int_equal(admission_hold(model.admission, i, false), 0);
    }
    for (uint32_t i = 0; i < MODEL_LIMITS; i++) {
        model.units[i] = 3 > model.units[i] ? 3 : model.units[i];
        admission_limit_set(model.admission, model.handles[i], model.units[i]);
    }
    for (uint32_t rounds = 0; model.count > 0; rounds++) {
        uint32_t before = admission_waiting_count(model.admission);

        model_admit(&model, several);
        if (admission_waiting_count(model.admission) < before) continue;
        for (uint32_t i = 0; i <= model.count; i++) {
            assert_true(i < model.count); /* nothing is admitted, so something must hold units */
            if (!model.requests[i].admitted) continue;
            assert_true(admission_release(model.admission, model.requests[i].owner, model.requests[i].instance));
            for (uint32_t n = 0; n < model.requests[i].count; n++)
                model.taken[limit_index(&model, model.requests[i].needs[n].limit)] -= model.requests[i].needs[n].units;
            model_remove(&model, i);
            break;
        }
    }
    assert_int_equal(admission_queue_count(model.admission), 0);
    for (uint32_t i = 0; i < MODEL_LIMITS; i++) admission_limit_remove(model.admission, model.handles[i]);
    admission_free(model.admission);
    assert_int_equal(memory.size, 0);
}

static void test_like_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        model_run(seed, false, 1500);
    }
}

static void test_several_units_of_every_limit(void **state)
{
    (void)state;
    for (uint64_t seed = 1000; seed < 1200; seed++) model_run(seed, true, 1500);
}

/*
 * Every call that asks for memory fails once; what failed has changed nothing and succeeds when it is done again.
 */
static uint64_t scenario(uint64_t fail_at)
{
    struct memory memory;
    struct admission *admission;
    admission_limit limits[20];
    uint32_t admitted = 0;
    int r;

    memory_init(&memory, fail_at);
    admission = admission_new(&memory.allocator);
    if (!admission) {
        assert_int_equal(fail_at, 1);
        admission = admission_new(&memory.allocator);
    }
    for (uint32_t i = 0; i < 20; i++) {
        limits[i] = admission_limit_add(admission, STR("a limit"), 3);
        if (limits[i] == 0) limits[i] = admission_limit_add(admission, STR("a limit"), 3);
        assert_int_not_equal(limits[i], 0);
    }
    for (uint32_t i = 0; i < 600; i++) {
        struct admission_need needs[] = {{limits[0], 1}, {limits[1 + i % 19], 1 + i % 2}, {limits[1 + i / 7 % 19], 1}};
        struct admission_request request = request_of(i % 37, i, (int32_t)(i % 5), i % 3, needs, 3);
        uint32_t queues = admission_queue_count(admission), waiting = admission_waiting_count(admission);

        r = i % 100 == 99 ? admission_take(admission, &request) : admission_enqueue(admission, &request);
        if (r == ORCH_ERR_NO_MEMORY) {
            assert_int_equal(admission_queue_count(admission), queues);
            assert_int_equal(admission_waiting_count(admission), waiting);
            r = i % 100 == 99 ? admission_take(admission, &request) : admission_enqueue(admission, &request);
        }
        assert_int_equal(r, 0);
        if (i % 50 == 0 && admission_hold(admission, i, true) != 0)
            assert_int_equal(admission_hold(admission, i, true), 0);
        if (i % 50 == 25) assert_int_equal(admission_hold(admission, i - 25, false), 0);
    }
    for (uint32_t i = 99; i < 600; i += 100) assert_true(admission_release(admission, i % 37, i));
    for (;;) {
        uint64_t owner;
        uint32_t instance;

        if (!admission_next(admission, &owner, &instance)) break;
        assert_true(admission_release(admission, owner, instance));
        admitted++;
    }
    assert_int_equal(admitted, 600 - 6);
    assert_int_equal(admission_queue_count(admission), 0);
    admission_free(admission);
    assert_int_equal(memory.size, 0);
    return memory.calls;
}

static void test_every_allocation_fails(void **state)
{
    uint64_t calls = scenario(0);

    (void)state;
    assert_true(calls > 100);
    for (uint64_t n = 1; n <= calls; n++) (void)scenario(n);
}

/* A million waiting requests, in few queues as loops make them, cost at most 64 bytes each and come out in order. */
static void test_a_million(void **state)
{
    struct memory memory;
    struct admission *admission;
    admission_limit jobs;
    uint32_t last = UINT32_MAX;
    const uint32_t count = 1000000;

    (void)state;
    memory_init(&memory, 0);
    admission = admission_new(&memory.allocator);
    jobs = admission_limit_add(admission, STR("jobs"), 100);
    for (uint32_t i = 0; i < count; i++) {
        struct admission_need need = {jobs, 1};
        struct admission_request request = request_of(i % 1000, i, 0, i * UINT32_C(2654435761) % 1000003, &need, 1);

        assert_int_equal(admission_enqueue(admission, &request), 0);
    }
    assert_true(memory.size / count <= 64);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t owner;
        uint32_t instance, rank;

        assert_true(admission_next(admission, &owner, &instance));
        rank = instance * UINT32_C(2654435761) % 1000003;
        assert_true(rank <= last);
        last = rank;
        assert_true(admission_release(admission, owner, instance));
    }
    assert_int_equal(admission_queue_count(admission), 0);
    admission_free(admission);
    assert_int_equal(memory.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_without_needs),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_needs_named_twice_add_up),
        cmocka_unit_test(test_blocked_by),
        cmocka_unit_test(test_several_units_do_not_starve),
        cmocka_unit_test(test_claims_end),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_take_and_limit_set),
        cmocka_unit_test(test_like_the_model),
        cmocka_unit_test(test_several_units_of_every_limit),
        cmocka_unit_test(test_every_allocation_fails),
        cmocka_unit_test(test_a_million),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
