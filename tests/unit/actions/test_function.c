/*
 * test_function.c - functions on worker threads.
 */
#include "host.h"

#include <poll.h>
#include <stdatomic.h>

struct deaf {
    atomic_bool entered, let_go;
};

static int fn_double(const struct action_function_call *call, void *user, struct value *ret_output,
                     struct orch_error *err)
{
    const struct value *n = value_get(call->parameters, STR("n"));

    if (!n || n->kind != VALUE_INT) return error_set(err, ORCH_ERR_INVALID, "n is missing");
    *ret_output = value_int(n->integer * *(const int *)user);
    return 0;
}

static int fn_text(const struct action_function_call *call, void *user, struct value *ret_output,
                   struct orch_error *err)
{
    struct orch_str text =
        arena_printf(call->arena, "%.*s %.*s %u", STR_ARG(call->name), STR_ARG(call->key), call->attempt_number);

    (void)user;
    (void)err;
    *ret_output = value_string(text);
    return 0;
}

static int fn_fails(const struct action_function_call *call, void *user, struct value *ret_output,
                    struct orch_error *err)
{
    (void)call;
    (void)ret_output;
    if (!user) return ORCH_ERR_UNAVAILABLE;
    return error_set(err, ORCH_ERR_UNAVAILABLE, "nobody answers");
}

static int fn_until_stopped(const struct action_function_call *call, void *user, struct value *ret_output,
                            struct orch_error *err)
{
    (void)user;
    (void)ret_output;
    while (!call->is_stopped(call)) (void)poll(NULL, 0, 1);
    return error_set(err, ORCH_ERR_CANCELLED, "asked to stop");
}

static int fn_deaf(const struct action_function_call *call, void *user, struct value *ret_output,
                   struct orch_error *err)
{
    (void)call;
    (void)ret_output;
    (void)err;
    atomic_store(&((struct deaf *)user)->entered, true);
    while (!atomic_load(&((struct deaf *)user)->let_go)) (void)poll(NULL, 0, 1);
    return 0;
}

struct fixture {
    struct host host;
    struct action_functions *functions;
    struct deaf deaf;
    int two;
};

static void begin(struct fixture *fixture, uint32_t threads)
{
    struct orch_error err = ORCH_ERROR_INIT;

    host_begin(&fixture->host);
    fixture->two = 2;
    atomic_init(&fixture->deaf.entered, false);
    atomic_init(&fixture->deaf.let_go, false);
    fixture->functions = action_functions_new(NULL);
    assert_non_null(fixture->functions);
    assert_int_equal(action_functions_add(fixture->functions, STR("double"), fn_double, &fixture->two, &err), 0);
    assert_int_equal(action_functions_add(fixture->functions, STR("text"), fn_text, NULL, &err), 0);
    assert_int_equal(action_functions_add(fixture->functions, STR("fails"), fn_fails, fixture, &err), 0);
    assert_int_equal(action_functions_add(fixture->functions, STR("fails silently"), fn_fails, NULL, &err), 0);
    assert_int_equal(action_functions_add(fixture->functions, STR("waits"), fn_until_stopped, NULL, &err), 0);
    assert_int_equal(action_functions_add(fixture->functions, STR("deaf"), fn_deaf, &fixture->deaf, &err), 0);
    assert_int_equal(action_functions_add(fixture->functions, STR("text"), fn_text, NULL, &err), ORCH_ERR_EXISTS);
    assert_true(action_functions_has(fixture->functions, STR("waits")));
    assert_false(action_functions_has(fixture->functions, STR("wait")));
    fixture->host.provider = &action_function_provider;
    assert_int_equal(
        action_function_open(&fixture->host.loop, fixture->functions, threads, &fixture->host.context, &err), 0);
}

static void end(struct fixture *fixture)
{
    host_close(&fixture->host);
    fixture->functions = action_functions_free(fixture->functions);
}

static void test_results(void **state)
{
    static const struct {
        const char *config;
        enum failure failure;
        const char *error, *output;
    } table[] = {
        {"{\"name\":\"double\",\"parameters\":{\"n\":21}}", FAILURE_NONE, "", "42"},
        {"{\"name\":\"text\"}", FAILURE_NONE, "", "\"text r-test/task/1 1\""},
        {"{\"name\":\"double\"}", FAILURE_PERMANENT, "n is missing", ""},
        {"{\"name\":\"fails\"}", FAILURE_ERROR, "nobody answers", ""},
        {"{\"name\":\"fails silently\"}", FAILURE_ERROR, "cannot be reached", ""},
    };
    struct fixture fixture;

    begin(&fixture, 2);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct attempt *attempt = attempt_new(&fixture.host, ACTION_FUNCTION, table[i].config);

        attempt_start(&fixture.host, attempt);
        attempt_wait(&fixture.host, attempt);
        assert_int_equal(attempt->failure, table[i].failure);
        assert_string_equal(attempt->error, table[i].error);
        assert_string_equal(text_of_buf(&attempt->output), table[i].output);
        attempt_free(attempt);
    }
    struct attempt *attempt = attempt_new(&fixture.host, ACTION_FUNCTION, "{\"name\":\"nobody\"}");

    assert_int_equal(fixture.host.provider->start(fixture.host.context, &attempt->base, NULL), ORCH_ERR_NOT_FOUND);
    attempt_free(attempt);
    end(&fixture);
    (void)state;
}

static void test_many(void **state)
{
    enum { COUNT = 2000 };
    struct fixture fixture;
    struct attempt *attempts[COUNT];

    begin(&fixture, 4);
    for (int i = 0; i < COUNT; i++) {
        char config[64];

        (void)snprintf(config, sizeof(config), "{\"name\":\"double\",\"parameters\":{\"n\":%d}}", i);
        attempts[i] = attempt_new(&fixture.host, ACTION_FUNCTION, config);
        attempt_start(&fixture.host, attempts[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        char expected[16];

        attempt_wait(&fixture.host, attempts[i]);
        (void)snprintf(expected, sizeof(expected), "%d", 2 * i);
        assert_string_equal(text_of_buf(&attempts[i]->output), expected);
        attempt_free(attempts[i]);
    }
    end(&fixture);
    (void)state;
}

/* One thread: the first call holds it, the second waits in the queue. */
static void test_stop(void **state)
{
    struct fixture fixture;
    struct attempt *first, *second, *deaf;
    orch_time before;

    begin(&fixture, 1);
    first = attempt_new(&fixture.host, ACTION_FUNCTION, "{\"name\":\"waits\"}");
    second = attempt_new(&fixture.host, ACTION_FUNCTION, "{\"name\":\"text\"}");
    attempt_start(&fixture.host, first);
    attempt_start(&fixture.host, second);
    fixture.host.provider->stop(fixture.host.context, &second->base, false);
    if (second->done_count == 1)
        assert_string_equal(second->error, "stopped before it began"); /* unless the thread took it first */
    fixture.host.provider->stop(fixture.host.context, &first->base, false);
    attempt_wait(&fixture.host, first);
    assert_int_equal(first->failure, FAILURE_CANCELLED);
    attempt_wait(&fixture.host, second);
    attempt_free(first);
    attempt_free(second);

    /* One that does not listen is given up after its grace, and harms nobody when it returns. */
    deaf = attempt_new(&fixture.host, ACTION_FUNCTION, "{\"name\":\"deaf\"}");
    attempt_start(&fixture.host, deaf);
    second = attempt_new(&fixture.host, ACTION_FUNCTION, "{\"name\":\"text\"}");
    while (!atomic_load(&fixture.deaf.entered)) (void)poll(NULL, 0, 1);
    before = clock_monotonic();
    fixture.host.provider->stop(fixture.host.context, &deaf->base, false);
    attempt_wait(&fixture.host, deaf);
    assert_int_equal(deaf->failure, FAILURE_CANCELLED);
    assert_true(deaf->done_at - before >= 250 * ORCH_MILLISECOND);
    assert_true(deaf->done_at - before < 1300 * ORCH_MILLISECOND);
    attempt_free(deaf);
    atomic_store(&fixture.deaf.let_go, true);
    attempt_start(&fixture.host, second);
    attempt_wait(&fixture.host, second);
    assert_int_equal(second->failure, FAILURE_NONE);
    attempt_free(second);
    end(&fixture);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_results), cmocka_unit_test(test_many),
                                       cmocka_unit_test(test_stop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
