/*
 * test_notification.c - messages to the log and to programs.
 */
#include "host.h"

static void test_channels(void **state)
{
    static const struct {
        const char *config;
        enum failure failure;
        const char *error; /* how it begins */
        const char *log;
    } table[] = {
        {"{\"message\":\"all good\"}", FAILURE_NONE, "", "s all good\n"},
        {"{\"message\":\"two\\nlines\",\"title\":\"T\",\"level\":\"warning\"}", FAILURE_NONE, "",
         "s warning: T: two\ns lines\n"},
        {"{\"message\":{\"n\":1},\"level\":\"info\",\"channels\":\"log\"}", FAILURE_NONE, "", "s {\"n\":1}\n"},
        {"{\"message\":\"m\",\"channels\":[\"log\",\"ops\"]}", FAILURE_NONE, "",
         "s m\ns warning: the channel \"ops\" is not configured; the message is in this log\n"},
        {"{\"message\":\"m\",\"channels\":[\"ops\"]}", FAILURE_NONE, "",
         "s warning: the channel \"ops\" is not configured; the message is in this log\ns m\n"},
        {"{\"message\":\"a b\",\"channels\":[{\"command\":[\"sh\",\"-c\",\"echo $ORCH_LEVEL $ORCH_TITLE $ORCH_MESSAGE "
         "$1; echo $ORCH_TASK >&2\",\"sh\",\"x\"]}],\"title\":\"T\"}",
         FAILURE_NONE, "", NULL},
        {"{\"message\":\"m\",\"command\":[\"sh\",\"-c\",\"echo got $ORCH_MESSAGE\"]}", FAILURE_NONE, "", "o got m\n"},
        {"{\"message\":\"m\",\"channels\":[\"log\",{\"command\":[\"false\"]}]}", FAILURE_EXIT,
         "channel false: exit code 1", "s m\n"},
        {"{\"message\":\"m\",\"channels\":[{\"command\":[\"/nonexistent\"]},\"log\"]}", FAILURE_START,
         "channel /nonexistent: cannot start", "s m\n"},
        {"{\"message\":\"m\",\"channels\":[{\"command\":[]},\"log\"]}", FAILURE_PERMANENT,
         "a channel's command names no program", "s m\n"},
        {"{\"message\":\"m\",\"channels\":[7]}", FAILURE_PERMANENT, "a channel is a name", ""},
    };
    struct host host;

    host_open(&host, &action_notification_provider);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct attempt *attempt = attempt_new(&host, ACTION_NOTIFICATION, table[i].config);

        attempt_start(&host, attempt);
        attempt_wait(&host, attempt);
        if (attempt->failure != table[i].failure ||
            strncmp(attempt->error, table[i].error, strlen(table[i].error)) != 0) {
            fail_msg("%s: %d %s", table[i].config, attempt->failure, attempt->error);
        }
        if (table[i].log) {
            if (strcmp(text_of_buf(&attempt->log), table[i].log) != 0)
                fail_msg("%s: %s", table[i].config, text_of_buf(&attempt->log));
        } else {
            assert_non_null(strstr(attempt->log.data, "o info T a b x\n"));
            assert_non_null(strstr(attempt->log.data, "e task\n"));
        }
        attempt_free(attempt);
    }
    host_close(&host);
    (void)state;
}

static void test_stop(void **state)
{
    struct host host;
    struct attempt *attempt;

    host_open(&host, &action_notification_provider);
    attempt = attempt_new(
        &host, ACTION_NOTIFICATION,
        "{\"message\":\"m\",\"channels\":[{\"command\":[\"sleep\",\"1000\"]},{\"command\":[\"sleep\",\"1000\"]}]}");
    attempt_start(&host, attempt);
    host.provider->stop(host.context, &attempt->base, false);
    attempt_wait(&host, attempt);
    assert_int_equal(attempt->failure, FAILURE_CANCELLED);
    attempt_free(attempt);
    host_close(&host);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_channels), cmocka_unit_test(test_stop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
