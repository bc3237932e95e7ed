/*
 * host.h - an engine of a few lines for tests of providers: makes attempts, collects what they report, turns the loop.
 */
#ifndef TEST_ACTIONS_HOST_H
#define TEST_ACTIONS_HOST_H

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "actions/action.h"
#include "base/error.h"
#include "sys/clock.h"
#include "sys/file.h"

struct attempt {
    struct action_attempt base; /* first */
    struct arena arena;
    uint32_t done_count;
    enum failure failure;
    int32_t exit_code, signal;
    uint64_t cpu_us, memory_peak;
    char error[1024];
    struct buf output;
    struct buf log; /* "o text\n" ... */
    uint64_t log_lines;
    double fraction; /* of the last progress, -1 before */
    char progress[256];
    orch_time done_at;
    void (*on_log)(struct attempt *attempt);
};

struct host {
    uv_loop_t loop;
    const struct action_provider *provider;
    void *context;
    uint64_t serial;
    char home[64]; /* a directory of this test's own */
    char mark[80];
};

static void host_done(struct action_attempt *base, const struct action_result *result)
{
    struct attempt *attempt = (struct attempt *)base;

    attempt->done_count++;
    attempt->done_at = clock_monotonic();
    attempt->failure = result->failure;
    attempt->exit_code = result->exit_code;
    attempt->signal = result->signal;
    attempt->cpu_us = result->cpu_us;
    attempt->memory_peak = result->memory_peak;
    (void)snprintf(attempt->error, sizeof(attempt->error), "%.*s", STR_ARG(result->error));
    buf_add(&attempt->output, result->output);
    arena_done(&attempt->arena); /* as the engine does: whoever still uses it is found by the sanitizer */
}

static void host_log(struct action_attempt *base, enum log_stream stream, struct orch_str line)
{
    struct attempt *attempt = (struct attempt *)base;

    attempt->log_lines++;
    if (attempt->log.size + line.size < 4 << 20) {
        buf_add_char(&attempt->log, "oes"[stream]);
        buf_add_char(&attempt->log, ' ');
        buf_add(&attempt->log, line);
        buf_add_char(&attempt->log, '\n');
    }
    if (attempt->on_log) attempt->on_log(attempt);
}

static void host_progress(struct action_attempt *base, double fraction, struct orch_str text)
{
    struct attempt *attempt = (struct attempt *)base;

    attempt->fraction = fraction;
    (void)snprintf(attempt->progress, sizeof(attempt->progress), "%.*s", STR_ARG(text));
}

static const struct action_host test_host = {.done = host_done, .log = host_log, .progress = host_progress};

static inline void host_begin(struct host *host)
{
    memset(host, 0, sizeof(*host));
    assert_int_equal(uv_loop_init(&host->loop), 0);
    (void)snprintf(host->home, sizeof(host->home), "/tmp/orch-test-XXXXXX");
    assert_non_null(mkdtemp(host->home));
    (void)snprintf(host->mark, sizeof(host->mark), "%s/store", host->home);
}

static inline void host_open(struct host *host, const struct action_provider *provider)
{
    struct orch_error err = ORCH_ERROR_INIT;

    host_begin(host);
    host->provider = provider;
    if (provider->open(&host->loop, str_from(host->mark), &host->context, &err) != 0) fail_msg("%s", err.message);
}

static inline void host_close(struct host *host)
{
    host->provider->close(host->context);
    assert_int_equal(uv_run(&host->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&host->loop), 0);
    assert_int_equal(file_remove_tree(host->home, NULL), 0);
}

/* An attempt of a kind with a config in JSON; the caller may fill in more before it is started. */
static inline struct attempt *attempt_new(struct host *host, enum action_kind kind, const char *config_json)
{
    struct attempt *attempt = calloc(1, sizeof(*attempt));
    struct orch_error err = ORCH_ERROR_INIT;

    assert_non_null(attempt);
    arena_init(&attempt->arena, NULL, 0);
    buf_init(&attempt->output, NULL, 0);
    buf_init(&attempt->log, NULL, 0);
    attempt->fraction = -1;
    attempt->base = (struct action_attempt){.host = &test_host,
                                            .arena = &attempt->arena,
                                            .serial = ++host->serial,
                                            .kind = kind,
                                            .execution_id = STR("r-test"),
                                            .workflow_name = STR("test"),
                                            .task_path = STR("task"),
                                            .key = STR("r-test/task/1"),
                                            .attempt_number = 1,
                                            .fence = 7,
                                            .grace_us = 300 * ORCH_MILLISECOND,
                                            .base_dir = str_from(host->home)};
    attempt->base.scratch_dir =
        arena_printf(&attempt->arena, "%s/store/scratch/r-test-%llu", host->home, (unsigned long long)host->serial);
    if (json_parse(arena_str(&attempt->arena, str_from(config_json)), NULL, &attempt->arena, &attempt->base.config,
                   &err) != 0)
        fail_msg("%s", err.message);
    attempt->base.env = attempt->base.parameters = (struct value){.kind = VALUE_MAP};
    return attempt;
}

static inline struct value json_value(struct attempt *attempt, const char *json)
{
    struct value value;

    assert_int_equal(json_parse(arena_str(&attempt->arena, str_from(json)), NULL, &attempt->arena, &value, NULL), 0);
    return value;
}

static inline void attempt_start(struct host *host, struct attempt *attempt)
{
    struct orch_error err = ORCH_ERROR_INIT;

    if (host->provider->start(host->context, &attempt->base, &err) != 0) fail_msg("%s", err.message);
}

static inline void attempt_wait(struct host *host, struct attempt *attempt)
{
    orch_time deadline = clock_monotonic() + 60 * ORCH_SECOND;

    while (attempt->done_count == 0) {
        if (uv_run(&host->loop, UV_RUN_ONCE) == 0 && attempt->done_count == 0)
            fail_msg("the loop has nothing to wait for, but the attempt is not done");
        if (clock_monotonic() > deadline) fail_msg("not done after 60 s");
    }
    assert_int_equal(attempt->done_count, 1);
}

static inline void attempt_free(struct attempt *attempt)
{
    if (attempt->done_count == 0) arena_done(&attempt->arena);
    buf_done(&attempt->output);
    buf_done(&attempt->log);
    free(attempt);
}

static inline const char *text_of_buf(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

#endif
