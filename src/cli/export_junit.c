/*
 * export_junit.c - a run as a JUnit report: every task is a test case.
 *
 * There are several schemas. What is written is in all of them: Ant's (windyroad, the strictest: it wants package, id,
 * hostname, a time without a zone, properties and both system elements, and allows nothing beside the outcome in a test
 * case) and Jenkins'.
 */
#include "cli/report.h"

#include <unistd.h>

#include "base/time.h"

#define JUNIT_TAIL 20 /* last lines of what failed */

enum outcome { OUTCOME_PASSED, OUTCOME_FAILED, OUTCOME_ERROR, OUTCOME_SKIPPED };

/* A failure is the task's own verdict; an error is that it came to none. */
static enum outcome outcome_of(const struct core_instance *instance)
{
    switch ((enum task_state)instance->state) {
    case TASK_SUCCEEDED:
    case TASK_COMPENSATING:
    case TASK_COMPENSATED: return OUTCOME_PASSED;
    case TASK_FAILED:
    case TASK_TIMED_OUT: break;
    case TASK_CANCELLED: return OUTCOME_ERROR;
    case TASK_PENDING:
    case TASK_READY:
    case TASK_WAITING:
    case TASK_RUNNING:
    case TASK_SKIPPED: return OUTCOME_SKIPPED;
    }
    if (instance->task->continue_on_error) return OUTCOME_SKIPPED;
    switch ((enum failure)instance->failure) {
    case FAILURE_LOST:
    case FAILURE_START:
    case FAILURE_EVALUATION:
    case FAILURE_CANCELLED: return OUTCOME_ERROR;
    case FAILURE_NONE:
    case FAILURE_EXIT:
    case FAILURE_SIGNAL:
    case FAILURE_TIMEOUT:
    case FAILURE_ERROR:
    case FAILURE_PERMANENT:
    case FAILURE_REJECTED:
    case FAILURE_CHILD:
    case FAILURE_DEPENDENCY: break;
    }
    return OUTCOME_FAILED;
}

/* Leaves, and blocks that failed by themselves (a loop whose list cannot be made, a repeat that never got there). */
static bool is_case(const struct core_instance *instance)
{
    bool failed = instance->state == TASK_FAILED || instance->state == TASK_TIMED_OUT;
    return instance->task->kind == TASK_LEAF || (failed && instance->failure != FAILURE_CHILD);
}

/* One line of it, as an attribute. */
static void put_attribute(const char *name, struct orch_str text, struct buf *out)
{
    struct buf clean;
    buf_init(&clean, NULL, 0);
    cli_clean(text, 0, false, &clean);
    buf_printf(out, " %s=\"", name);
    report_escape(str_trim(buf_str(&clean)), out);
    buf_add_char(out, '"');
    if (clean.failed) out->failed = true;
    buf_done(&clean);
}

static void put_seconds(orch_time time, struct buf *out)
{
    if (time < 0) time = 0;
    buf_printf(out, " time=\"%lld.%03lld\"", (long long)(time / ORCH_SECOND),
               (long long)(time / ORCH_MILLISECOND % 1000));
}

static void put_why(struct report *report, uint32_t at, struct buf *out)
{
    const struct core_instance *instance = core_get_instance(report->core, at);
    struct buf why;
    buf_init(&why, NULL, 0);
    if (task_state_is_terminal(instance->state) && instance->state != TASK_SKIPPED) {
        buf_add_text(&why, "failed, which was allowed");
        if (instance->detail && instance->detail->error.size) {
            buf_add_text(&why, ": ");
            buf_add(&why, instance->detail->error);
        }
    } else {
        if (!task_state_is_terminal(instance->state)) buf_add_text(&why, "not over: ");
        size_t before = why.size;
        core_why(report->core, at, report->to, &why);
        if (why.size == before) buf_add_text(&why, task_state_to_string((enum task_state)instance->state));
    }
    put_attribute("message", buf_str(&why), out);
    if (why.failed) out->failed = true;
    buf_done(&why);
}

static void put_outcome(struct report *report, uint32_t at, enum outcome outcome, struct buf *out)
{
    const struct core_instance *instance = core_get_instance(report->core, at);
    if (outcome == OUTCOME_SKIPPED) {
        buf_add_text(out, ">\n   <skipped");
        put_why(report, at, out);
        buf_add_text(out, "/>\n  </testcase>\n");
        return;
    }
    const char *element = outcome == OUTCOME_FAILED ? "failure" : "error";
    struct report_line lines[REPORT_TAIL_MAX];
    struct arena arena;
    struct buf clean;
    arena_init(&arena, NULL, 0);
    buf_init(&clean, NULL, 0);
    buf_printf(out, ">\n   <%s", element);
    struct orch_str error = instance->detail ? instance->detail->error : STR_NONE;
    put_attribute("message", error.size ? error : str_from(task_state_to_string((enum task_state)instance->state)),
                  out);
    put_attribute("type",
                  str_from(instance->failure ? failure_to_string((enum failure)instance->failure)
                                             : task_state_to_string((enum task_state)instance->state)),
                  out);
    buf_add_char(out, '>');
    if (instance->attempt > 1) buf_printf(out, "after %u tries\n", instance->attempt);
    uint32_t count = report_tail(report, at, JUNIT_TAIL, &arena, lines);
    for (uint32_t i = 0; i < count; i++) {
        buf_clear(&clean);
        cli_clean(lines[i].text, 0, false, &clean);
        report_escape(buf_str(&clean), out);
        buf_add_char(out, '\n');
    }
    buf_printf(out, "</%s>\n  </testcase>\n", element);
    if (clean.failed) out->failed = true;
    buf_done(&clean);
    arena_done(&arena);
}

static void put_case(struct report *report, uint32_t at, struct buf *out)
{
    const struct core_instance *instance = core_get_instance(report->core, at);
    const struct core_detail *detail = instance->detail;
    struct orch_str path = report_path(report, at);
    buf_add_text(out, "  <testcase");
    put_attribute("name", path.size ? path : STR("?"), out);
    put_attribute("classname", report->row->workflow, out);
    put_seconds(detail && detail->started_at ? (detail->ended_at ? detail->ended_at : report->to) - detail->started_at
                                             : 0,
                out);
    enum outcome outcome = outcome_of(instance);
    if (outcome == OUTCOME_PASSED)
        buf_add_text(out, "/>\n");
    else
        put_outcome(report, at, outcome, out);
}

static void put_property(const char *name, struct orch_str value, struct buf *out)
{
    if (!value.size) return;
    buf_printf(out, "   <property name=\"%s\"", name);
    put_attribute("value", value, out);
    buf_add_text(out, "/>\n");
}

int export_junit(struct report *report, struct buf *out, struct orch_error *err)
{
    const struct core_summary *summary = &report->summary;
    uint32_t counts[4] = {0}, tests = 0;
    char host[256] = "localhost";
    (void)err;
    (void)gethostname(host, sizeof host - 1); /* on failure it stays as it was */
    for (uint32_t i = 0; i < report->rows_count; i++) {
        const struct core_instance *instance = core_get_instance(report->core, report->rows[i].instance);
        if (!is_case(instance)) continue;
        tests++;
        counts[outcome_of(instance)]++;
    }
    buf_add_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n <testsuite");
    put_attribute("name", report->row->workflow, out);
    buf_add_text(out, " package=\"orch\" id=\"0\"");
    put_attribute("hostname", host[0] ? str_from(host) : STR("localhost"), out);
    struct buf time;
    buf_init(&time, NULL, 64);
    time_format(summary->started_at - summary->started_at % ORCH_SECOND, false, &time);
    struct orch_str moment = buf_str(&time);
    if (moment.size && moment.data[moment.size - 1] == 'Z') moment.size--; /* UTC; a zone may not be named */
    put_attribute("timestamp", moment, out);
    buf_done(&time);
    buf_printf(out, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\"", tests, counts[OUTCOME_FAILED],
               counts[OUTCOME_ERROR], counts[OUTCOME_SKIPPED]);
    put_seconds((summary->ended_at ? summary->ended_at : report->to) - summary->started_at, out);
    buf_add_text(out, ">\n  <properties>\n");
    put_property("orch.run", str_from(report->id), out);
    put_property("orch.state", str_from(cli_activity(report->core, report->owned, NULL)), out);
    put_property("orch.file", report->row->file, out);
    put_property("orch.by", report->row->by, out);
    put_property("orch.parameters", summary->parameters, out);
    buf_add_text(out, "  </properties>\n");
    for (uint32_t i = 0; i < report->rows_count; i++)
        if (is_case(core_get_instance(report->core, report->rows[i].instance)))
            put_case(report, report->rows[i].instance, out);
    buf_add_text(out, "  <system-out></system-out>\n  <system-err>");
    report_escape(summary->error, out);
    buf_add_text(out, "</system-err>\n </testsuite>\n</testsuites>\n");
    return 0;
}
