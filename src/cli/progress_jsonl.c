/*
 * progress_jsonl.c - the stream of events as JSON lines, one each, flushed.
 */
#include "cli/progress.h"

#include "base/time.h"

static void put(struct progress *progress, struct buf *out)
{
    (void)progress;
    buf_add_char(out, '\n');
    if (!out->failed) fwrite(out->data, 1, out->size, stderr);
    fflush(stderr);
    buf_done(out);
}

static void put_head(struct progress *progress, const struct progress_run *execution, const char *type, struct buf *out)
{
    buf_init(out, NULL, 0);
    buf_add_text(out, "{\"v\":1,\"t\":\"");
    time_format(progress_now(progress->execution), true, out);
    buf_printf(out, "\",\"type\":\"%s\",\"run\":\"%s\"", type, execution ? execution->id : progress->id);
}

/* The path within its own run, which is told beside it, as in the history. */
static void put_step(struct progress *progress, const struct progress_run *execution, uint32_t instance, struct buf *out)
{
    if (instance == CORE_NONE) return;
    buf_clear(&progress->text);
    core_path(execution->core, instance, &progress->text);
    if (progress->text.failed) out->failed = true;
    buf_add_text(out, ",\"step\":");
    json_format_string(buf_str(&progress->text), out);
}

static void jsonl_transition(struct progress *progress, const struct progress_run *execution, uint64_t seq, const struct core_transition *transition)
{
    struct buf out, body;
    buf_init(&out, NULL, 0);
    buf_init(&body, NULL, 0);
    transition_format_json(transition, seq, &body);
    /* The transition's own members follow "v" and the run: one schema with the server's stream. */
    buf_printf(&out, "{\"v\":1,\"run\":\"%s\"", execution->id);
    put_step(progress, execution, transition->instance, &out);
    if (body.size > 2) {
        buf_add_char(&out, ',');
        buf_add(&out, str_of(body.data + 1, body.size - 1));
    } else buf_add_char(&out, '}');
    if (body.failed) out.failed = true;
    buf_done(&body);
    put(progress, &out);
}

static void jsonl_log(struct progress *progress, const struct progress_run *execution, uint32_t instance, uint32_t attempt, enum log_stream stream, struct orch_str line)
{
    static const char *const names[] = {"stdout", "stderr", "system"};
    struct buf out;
    put_head(progress, execution, "log", &out);
    put_step(progress, execution, instance, &out);
    buf_printf(&out, ",\"attempt\":%u,\"stream\":\"%s\",\"line\":", attempt, names[stream]);
    json_format_string(line, &out);
    buf_add_char(&out, '}');
    put(progress, &out);
}

static void jsonl_progress(struct progress *progress, const struct progress_run *execution, uint32_t instance, double fraction, struct orch_str text)
{
    struct buf out;
    put_head(progress, execution, "task.progress", &out);
    put_step(progress, execution, instance, &out);
    if (fraction >= 0) {
        char number[32];
        size_t size = double_format(fraction, number);
        buf_printf(&out, ",\"fraction\":%.*s", (int)size, number);
    }
    buf_add_text(&out, ",\"text\":");
    json_format_string(text, &out);
    buf_add_char(&out, '}');
    put(progress, &out);
}

const struct progress_view progress_jsonl_view = {
    .transition = jsonl_transition, .log = jsonl_log, .progress = jsonl_progress};
