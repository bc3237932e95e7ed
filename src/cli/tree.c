/*
 * tree.c - how an execution stands: its tasks as a tree, one of them as JSON.
 */
#include "cli/tree.h"

#include "base/time.h"

#define TREE_MAX         500         /* lines of the tree, unless all are wanted */
#define OUTPUT_SHOWN_MAX (64u << 20) /* of one task, in JSON */

void cli_put_duration(orch_time time)
{
    struct buf out;
    buf_init(&out, NULL, 64);
    duration_format_short(time < 0 ? 0 : time, &out);
    if (out.failed) cli_no_memory();
    printf("%.*s", STR_ARG(buf_str(&out)));
    buf_done(&out);
}

void cli_put_clean(struct orch_str text, uint32_t columns)
{
    struct buf out;
    buf_init(&out, NULL, 0);
    cli_clean(text, columns, false, &out);
    if (out.failed) cli_no_memory();
    printf("%.*s", STR_ARG(buf_str(&out)));
    buf_done(&out);
}

static void print_instance(struct cli_tree *tree, uint32_t at, int depth)
{
    const struct core_instance *instance = core_get_instance(tree->core, at);
    const struct core_detail *detail = instance->detail;
    bool color = cli_style.color_out;
    enum cli_color shade = cli_task_color(instance->state, instance->reason);
    if (!tree->all && tree->lines >= TREE_MAX) {
        tree->left_out++;
        return;
    }
    tree->lines++;
    buf_clear(&tree->text);
    core_path(tree->core, at, &tree->text);
    if (tree->text.failed) cli_no_memory();
    struct orch_str path = buf_str(&tree->text);
    size_t slash = path.size;
    while (depth > 0 && slash > 0 && path.data[slash - 1] != '/') slash--;
    /* A handler's task is named with what it handles: "on_error/f". */
    if (slash > 1 && depth > 0 && core_get_frame(tree->core, instance->frame)->role != BLOCK_BODY)
        for (slash--; slash > 0 && path.data[slash - 1] != '/';) slash--;
    if (depth == 0) slash = 0;
    printf("%*s%s%s%s ", 2 + depth * 2, "", cli_color(color, shade), cli_task_symbol(instance->state, instance->reason),
           cli_color_end(color, shade));
    int width = (int)(path.size - slash);
    printf("%.*s%*s", width, path.data + slash, width < 28 - depth * 2 ? 28 - depth * 2 - width : 1, "");
    printf(" %-12s", instance->state == TASK_WAITING ? reason_to_string((enum reason)instance->reason)
                                                     : task_state_to_string((enum task_state)instance->state));
    if (detail && detail->started_at) {
        fputs("  ", stdout);
        cli_put_duration((detail->ended_at ? detail->ended_at : tree->now) - detail->started_at);
    }
    if (instance->attempt > 1) printf("  try %u", instance->attempt);
    if (detail && detail->item_count) printf("  %u items", detail->item_count);
    if (detail && detail->error.size && instance->state != TASK_SUCCEEDED) {
        fputs("  ", stdout);
        cli_put_clean(detail->error, 80);
    } else if (instance->state == TASK_PENDING || instance->state == TASK_WAITING || instance->state == TASK_SKIPPED) {
        struct buf why;
        buf_init(&why, NULL, 1024);
        core_why(tree->core, at, tree->now, &why);
        if (why.size) {
            fputs("  ", stdout);
            cli_put_clean(buf_str(&why), 80);
        }
        buf_done(&why);
    }
    fputc('\n', stdout);
}

static void print_task(struct cli_tree *tree, uint32_t at, int depth)
{
    print_instance(tree, at, depth);
    for (uint32_t f = core_frame_next_of(tree->core, at, CORE_NONE); f != CORE_NONE;
         f = core_frame_next_of(tree->core, at, f))
        cli_tree_frame(tree, f, depth + 1);
}

void cli_tree_frame(struct cli_tree *tree, uint32_t at, int depth)
{
    const struct core_frame *frame = core_get_frame(tree->core, at);
    for (uint32_t i = 0; i < frame->block->task_count; i++) print_task(tree, frame->first + i, depth);
}

void cli_tree_print(struct cli_tree *tree)
{
    /* Frame 0 is the body; the workflow's handlers are frames without an owner. */
    for (uint32_t f = 0; f < core_frame_count(tree->core); f++)
        if (core_get_frame(tree->core, f)->owner == CORE_NONE) cli_tree_frame(tree, f, 0);
    if (tree->left_out) printf("  ... %u more: --all shows them\n", tree->left_out);
}

/* ---- JSON ---- */

void cli_json_text(struct buf *out, const char *name, struct orch_str text)
{
    if (!text.size) return;
    buf_printf(out, ",\"%s\":", name);
    json_format_string(text, out);
}

void cli_json_raw(struct buf *out, const char *name, struct orch_str json)
{
    if (!json.size) return;
    buf_printf(out, ",\"%s\":", name);
    buf_add(out, json);
}

void cli_json_time(struct buf *out, const char *name, orch_time time)
{
    if (!time) return;
    buf_printf(out, ",\"%s\":\"", name);
    time_format(time, true, out);
    buf_add_char(out, '"');
}

void cli_tree_json(struct cli_tree *tree, uint32_t at, struct buf *out)
{
    const struct core_instance *instance = core_get_instance(tree->core, at);
    const struct core_detail *detail = instance->detail;
    buf_clear(&tree->text);
    core_path(tree->core, at, &tree->text);
    if (tree->text.failed) out->failed = true;
    buf_add_text(out, "{\"task\":");
    json_format_string(buf_str(&tree->text), out);
    buf_printf(out, ",\"state\":\"%s\",\"attempts\":%u", task_state_to_string((enum task_state)instance->state),
               instance->attempt);
    if (instance->task->action)
        buf_printf(out, ",\"action\":\"%s\"", action_kind_to_string(instance->task->action->kind));
    if (instance->reason) buf_printf(out, ",\"reason\":\"%s\"", reason_to_string((enum reason)instance->reason));
    if (detail) {
        cli_json_time(out, "started_at", detail->started_at);
        cli_json_time(out, "ended_at", detail->ended_at);
        if (detail->started_at && detail->ended_at)
            buf_printf(out, ",\"duration_ms\":%lld",
                       (long long)((detail->ended_at - detail->started_at) / ORCH_MILLISECOND));
        /* What waits for an answer has noted what it will have failed of when none comes: no failure yet. */
        if (instance->failure && (instance->state != TASK_WAITING || instance->reason == REASON_BACKOFF)) {
            buf_printf(out, ",\"error\":{\"kind\":\"%s\",\"exit_code\":%d,\"signal\":%d",
                       failure_to_string((enum failure)instance->failure), detail->exit_code, detail->signal);
            cli_json_text(out, "message", detail->error);
            buf_add_char(out, '}');
        }
        /* What a block gave is put together from its tasks; one that failed gave nothing. */
        struct buf output;
        buf_init(&output, NULL, OUTPUT_SHOWN_MAX);
        if (instance->state == TASK_SUCCEEDED || detail->output.size || detail->blob) {
            struct orch_error err = ORCH_ERROR_INIT;
            int r = core_output(tree->core, at, tree->arena, &output, &err);
            if (output.failed)
                buf_add_text(out, ",\"output_omitted\":true");
            else if (r && !tree->err.code)
                tree->err = err;
            else if (!r && !str_is(buf_str(&output), "null"))
                cli_json_raw(out, "output", buf_str(&output));
        }
        buf_done(&output);
        if (detail->cpu_us || detail->memory_peak)
            buf_printf(out, ",\"cpu_us\":%llu,\"memory_peak\":%llu", (unsigned long long)detail->cpu_us,
                       (unsigned long long)detail->memory_peak);
    }
    buf_add_char(out, '}');
}

void cli_tree_json_tasks(struct cli_tree *tree, struct buf *out)
{
    buf_add_text(out, ",\"tasks\":[");
    uint32_t count = core_instance_count(tree->core);
    for (uint32_t i = 0; i < count; i++) {
        buf_add_text(out, i ? ",\n " : "\n ");
        cli_tree_json(tree, i, out);
    }
    buf_add_text(out, "\n]");
}
