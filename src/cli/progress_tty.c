/*
 * progress_tty.c - the live tree in a terminal.
 *
 * Drawn at most ten times a second, changed lines only, never higher than the screen. The terminal's state is not touched (no hidden cursor, no
 * alternate screen): whatever ends this process, there is nothing to restore but the line the cursor is on.
 *
 * A frame costs as much as there are tasks on the first level and tasks under way; what is below is counted as it changes.
 */
#include "cli/progress.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"

#define TICK_MS 100
#define NOTE_SIZE 80
#define CHILDREN_SHOWN 5 /* lines below one group */
#define ETA_AFTER (3 * ORCH_SECOND)

/* What is below a task of the first level, itself included when it is a leaf. */
struct branch {
    uint32_t total, done, ok, failed, running, waiting;
};

struct active {
    uint32_t instance;
    uint32_t branch;
    char note[NOTE_SIZE]; /* its last line, or what it said of its progress */
    double fraction;      /* negative: unknown */
};

struct tty {
    uv_timer_t timer; /* first */
    uv_signal_t stop, go_on, resized;
    bool open;
    struct branch *branches;   /* one for each instance of the body's frame */
    uint32_t branches_count;
    struct branch handlers;    /* finally and on_error of the workflow */
    uint8_t *states;           /* of each instance, as told: the state itself may be ahead */
    uint8_t *reasons;
    uint32_t *active_at;       /* place in active + 1 */
    uint32_t instances_capacity;
    struct active *active;
    uint32_t active_count, active_capacity;
    struct buf *lines;         /* of the frame being made */
    struct buf *shown;         /* of the frame on the screen */
    uint32_t lines_count, shown_count, lines_capacity;
    uint32_t columns, rows;
    uint32_t used;             /* columns of the line being made */
    struct orch_str parameters;
    bool changed;
    bool final;
    bool out_of_memory;        /* then nothing is drawn any more; the run goes on */
};

/* ---- what is known ---- */

static bool grow(struct tty *tty, uint32_t instances)
{
    if (instances <= tty->instances_capacity) return true;
    uint32_t old = tty->instances_capacity, capacity = old ? old : 256;
    while (capacity < instances) capacity *= 2;
    uint8_t *states = realloc(tty->states, capacity);
    if (states) tty->states = states;
    uint8_t *reasons = realloc(tty->reasons, capacity);
    if (reasons) tty->reasons = reasons;
    uint32_t *active_at = realloc(tty->active_at, capacity * sizeof *active_at);
    if (active_at) tty->active_at = active_at;
    if (!states || !reasons || !active_at) {
        tty->out_of_memory = true;
        return false;
    }
    memset(states + old, TASK_PENDING, capacity - old);
    memset(reasons + old, REASON_NONE, capacity - old);
    memset(active_at + old, 0, (capacity - old) * sizeof *active_at);
    tty->instances_capacity = capacity;
    return true;
}

static uint32_t first_level(const struct core *core, uint32_t instance)
{
    for (;;) {
        const struct core_frame *frame = core_get_frame(core, core_get_instance(core, instance)->frame);
        if (frame->owner == CORE_NONE) return frame->role == BLOCK_BODY ? instance - frame->first : CORE_NONE;
        instance = frame->owner;
    }
}

static struct branch *branch_of(struct tty *tty, uint32_t at)
{
    return at < tty->branches_count ? &tty->branches[at] : &tty->handlers;
}

static bool is_leaf(const struct core_instance *instance)
{
    return instance->task->kind == TASK_LEAF;
}

static void count(struct branch *branch, uint8_t state, int sign)
{
    uint32_t one = sign > 0 ? 1 : UINT32_MAX; /* wraps back */
    if (task_state_is_terminal(state)) branch->done += one;
    if (state == TASK_SUCCEEDED || state == TASK_COMPENSATED) branch->ok += one;
    if (state == TASK_FAILED || state == TASK_TIMED_OUT) branch->failed += one;
    if (state == TASK_RUNNING || state == TASK_COMPENSATING) branch->running += one;
    if (state == TASK_WAITING) branch->waiting += one;
}

static bool is_active(uint8_t state, uint8_t reason)
{
    return state == TASK_RUNNING || state == TASK_COMPENSATING || (state == TASK_WAITING && reason != REASON_DELAY && reason != REASON_TIMER);
}

static void active_add(struct tty *tty, uint32_t instance, uint32_t branch)
{
    if (tty->active_at[instance]) return;
    if (tty->active_count == tty->active_capacity) {
        uint32_t capacity = tty->active_capacity ? tty->active_capacity * 2 : 64;
        struct active *active = realloc(tty->active, capacity * sizeof *active);
        if (!active) {
            tty->out_of_memory = true;
            return;
        }
        tty->active = active;
        tty->active_capacity = capacity;
    }
    tty->active[tty->active_count] = (struct active){.instance = instance, .branch = branch, .fraction = -1};
    tty->active_at[instance] = ++tty->active_count;
}

static void active_remove(struct tty *tty, uint32_t instance)
{
    uint32_t at = tty->active_at[instance];
    if (!at) return;
    tty->active_at[instance] = 0;
    struct active *last = &tty->active[--tty->active_count];
    if (at - 1 == tty->active_count) return;
    tty->active[at - 1] = *last;
    tty->active_at[last->instance] = at;
}

static void set_state(struct progress *progress, uint32_t at, uint8_t state, uint8_t reason)
{
    struct tty *tty = progress->own;
    const struct core *core = progress->execution->core;
    if (!grow(tty, at + 1)) return;
    const struct core_instance *instance = core_get_instance(core, at);
    uint32_t where = first_level(core, at);
    if (is_leaf(instance)) {
        struct branch *branch = branch_of(tty, where);
        count(branch, tty->states[at], -1);
        count(branch, state, 1);
        if (is_active(state, reason)) active_add(tty, at, where);
        else active_remove(tty, at);
    }
    tty->states[at] = state;
    tty->reasons[at] = reason;
    tty->changed = true;
}

static void open_frame(struct progress *progress, uint32_t at)
{
    struct tty *tty = progress->own;
    const struct core *core = progress->execution->core;
    const struct core_frame *frame = core_get_frame(core, at);
    if (!grow(tty, frame->first + frame->block->task_count)) return;
    if (at == 0) return; /* counted at the start */
    uint32_t where = frame->owner == CORE_NONE ? CORE_NONE : first_level(core, frame->owner);
    for (uint32_t i = 0; i < frame->block->task_count; i++)
        if (frame->block->tasks[i].kind == TASK_LEAF) branch_of(tty, where)->total++;
}

/* ---- lines ---- */

static struct buf *line(struct tty *tty)
{
    return &tty->lines[tty->lines_count - 1];
}

static bool line_begin(struct tty *tty)
{
    if (tty->lines_count == tty->lines_capacity) {
        uint32_t capacity = tty->lines_capacity ? tty->lines_capacity * 2 : 64;
        struct buf *lines = realloc(tty->lines, capacity * sizeof *lines);
        if (lines) tty->lines = lines;
        struct buf *shown = realloc(tty->shown, capacity * sizeof *shown);
        if (shown) tty->shown = shown;
        if (!lines || !shown) {
            tty->out_of_memory = true;
            return false;
        }
        for (uint32_t i = tty->lines_capacity; i < capacity; i++) {
            buf_init(&lines[i], NULL, 64 * 1024);
            buf_init(&shown[i], NULL, 64 * 1024);
        }
        tty->lines_capacity = capacity;
    }
    buf_clear(&tty->lines[tty->lines_count++]);
    tty->used = 0;
    return true;
}

static uint32_t width_of(struct orch_str text)
{
    uint32_t width = 0;
    for (size_t at = 0; at < text.size;) width += (uint32_t)utf8_width(utf8_next(text, &at));
    return width;
}

/* Adds text to the line, cut at the edge of the screen. */
static void put(struct tty *tty, enum cli_color color, struct orch_str text)
{
    struct buf *out = line(tty);
    uint32_t room = tty->columns > tty->used + 1 ? tty->columns - tty->used - 1 : 0;
    if (!room || !text.size) return;
    buf_add_text(out, cli_color(cli_style.color_err, color));
    size_t before = out->size;
    cli_clean(text, room, false, out);
    tty->used += width_of(str_of(out->data + before, out->size - before));
    buf_add_text(out, cli_color_end(cli_style.color_err, color));
}

static void put_text(struct tty *tty, enum cli_color color, const char *format, ...) ORCH_PRINTF(3, 4);
static void put_text(struct tty *tty, enum cli_color color, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put(tty, color, str_from(text));
}

static void put_to(struct tty *tty, uint32_t column)
{
    while (tty->used < column && tty->used + 1 < tty->columns) {
        buf_add_char(line(tty), ' ');
        tty->used++;
    }
}

static void put_duration(struct tty *tty, enum cli_color color, orch_time time)
{
    struct buf text;
    buf_init(&text, NULL, 64);
    duration_format_short(time < 0 ? 0 : time, &text);
    put(tty, color, buf_str(&text));
    buf_done(&text);
}

/* ---- the tree ---- */

static void put_bar(struct tty *tty, double fraction)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    struct buf bar;
    buf_init(&bar, NULL, 128);
    if (fraction < 0) fraction = 0;
    if (fraction > 1) fraction = 1;
    int parts = (int)(fraction * 96);
    if (cli_style.utf8) {
        for (int i = 0; i < parts / 8; i++) buf_add_text(&bar, "█");
        buf_add_text(&bar, eighths[parts % 8]);
    } else
        for (int i = 0; i < parts / 8; i++) buf_add_char(&bar, '#');
    uint32_t width = width_of(buf_str(&bar));
    put(tty, COLOR_BLUE, buf_str(&bar));
    put_to(tty, tty->used + (width < 12 ? 12 - width : 0));
    put_text(tty, COLOR_NONE, " %3d%%", (int)(fraction * 100));
    buf_done(&bar);
}

/* The state a first-level task is shown in. */
static uint8_t state_of(struct progress *progress, uint32_t at, uint8_t *ret_reason)
{
    struct tty *tty = progress->own;
    uint32_t instance = core_get_frame(progress->execution->core, 0)->first + at;
    *ret_reason = tty->reasons[instance];
    return tty->states[instance];
}

static void put_note(struct progress *progress, const struct active *active)
{
    struct tty *tty = progress->own;
    const struct core *core = progress->execution->core;
    const struct core_instance *instance = core_get_instance(core, active->instance);
    uint8_t state = tty->states[active->instance], reason = tty->reasons[active->instance];
    orch_time now = progress_now(progress->execution);
    if (state == TASK_WAITING) {
        if (reason == REASON_BACKOFF && instance->detail) {
            const struct retry_policy *retry = task_retry(instance->task);
            put_text(tty, COLOR_YELLOW, "try %u/%u in ", instance->attempt + 1u, retry ? retry->attempts_max : instance->attempt + 1u);
            put_duration(tty, COLOR_YELLOW, instance->detail->due - now);
            put_text(tty, COLOR_NONE, "  ");
            put(tty, COLOR_NONE, instance->detail->error);
        } else if (reason == REASON_APPROVAL) {
            put_text(tty, COLOR_YELLOW, "waits for approval: orch approve %s ", progress->id);
            put(tty, COLOR_YELLOW, progress_path(progress, progress->execution, active->instance));
        } else {
            struct buf why;
            buf_init(&why, NULL, 1024);
            core_why(core, active->instance, now, &why);
            put(tty, COLOR_YELLOW, buf_str(&why));
            buf_done(&why);
        }
        return;
    }
    if (instance->attempt > 1) put_text(tty, COLOR_YELLOW, "try %u  ", instance->attempt);
    if (active->fraction >= 0) {
        put_bar(tty, active->fraction);
        put_text(tty, COLOR_NONE, "  ");
    }
    put(tty, COLOR_GREY, str_from(active->note));
}

static void draw_active(struct progress *progress, const struct active *active, uint32_t indent, struct orch_str name)
{
    struct tty *tty = progress->own;
    const struct core_instance *instance = core_get_instance(progress->execution->core, active->instance);
    uint8_t state = tty->states[active->instance], reason = tty->reasons[active->instance];
    if (!line_begin(tty)) return;
    put_to(tty, indent);
    put(tty, cli_task_color(state, reason), str_from(cli_task_symbol(state, reason)));
    put_text(tty, COLOR_NONE, " ");
    put(tty, COLOR_NONE, name);
    put_to(tty, 28);
    put_text(tty, COLOR_NONE, " ");
    if (instance->detail && instance->detail->attempt_at && state == TASK_RUNNING) put_duration(tty, COLOR_NONE, progress_now(progress->execution) - instance->detail->attempt_at);
    put_to(tty, 36);
    put_text(tty, COLOR_NONE, " ");
    put_note(progress, active);
}

/* The lines below a group under way: what runs or waits for somebody, then a count. */
static void draw_children(struct progress *progress, uint32_t at, uint32_t room)
{
    struct tty *tty = progress->own;
    const struct branch *branch = &tty->branches[at];
    uint32_t most = room < CHILDREN_SHOWN ? room : CHILDREN_SHOWN, shown = 0, there = 0;
    uint32_t first[CHILDREN_SHOWN]; /* those that began first, in order: the picture stays calm */
    for (uint32_t i = 0; i < tty->active_count; i++) {
        if (tty->active[i].branch != at) continue;
        there++;
        uint32_t place = shown < most ? shown++ : most;
        while (place > 0 && tty->active[first[place - 1]].instance > tty->active[i].instance) {
            if (place < most) first[place] = first[place - 1];
            place--;
        }
        if (place < most) first[place] = i;
    }
    for (uint32_t i = 0; i < shown; i++)
        draw_active(progress, &tty->active[first[i]], 4, progress_path(progress, progress->execution, tty->active[first[i]].instance));
    uint32_t left = branch->total - branch->done;
    uint32_t idle = left > there ? left - there : 0;
    if (room > shown && (there > shown || idle) && line_begin(tty)) {
        put_to(tty, 4);
        put(tty, COLOR_GREY, cli_style.utf8 ? STR("… ") : STR("... "));
        if (there > shown) put_text(tty, COLOR_GREY, "%u more under way, ", there - shown);
        put_text(tty, COLOR_GREY, "%u waiting", idle);
    }
}

static void draw_task(struct progress *progress, uint32_t at)
{
    struct tty *tty = progress->own;
    const struct core *core = progress->execution->core;
    const struct core_instance *instance = core_get_instance(core, core_get_frame(core, 0)->first + at);
    const struct core_detail *detail = instance->detail;
    const struct branch *branch = &tty->branches[at];
    uint8_t reason, state = state_of(progress, at, &reason);
    if (is_leaf(instance) && is_active(state, reason)) {
        uint32_t place = tty->active_at[core_get_frame(core, 0)->first + at];
        if (place) {
            draw_active(progress, &tty->active[place - 1], 2, instance->task->id);
            return;
        }
    }
    if (!line_begin(tty)) return;
    put_to(tty, 2);
    put(tty, cli_task_color(state, reason), str_from(cli_task_symbol(state, reason)));
    put_text(tty, COLOR_NONE, " ");
    put(tty, state == TASK_PENDING ? COLOR_GREY : COLOR_NONE, instance->task->id);
    put_to(tty, 28);
    put_text(tty, COLOR_NONE, " ");
    if (task_state_is_terminal(state)) {
        if (detail && detail->started_at && detail->ended_at) put_duration(tty, COLOR_NONE, detail->ended_at - detail->started_at);
        put_to(tty, 36);
        put_text(tty, COLOR_NONE, " ");
        if (!is_leaf(instance) && branch->total) put_text(tty, COLOR_GREY, "%u task%s", branch->total, branch->total == 1 ? "" : "s");
        else if (instance->attempt > 1) put_text(tty, COLOR_GREY, "at try %u", instance->attempt);
        if (state == TASK_FAILED || state == TASK_TIMED_OUT) {
            put_text(tty, COLOR_NONE, " ");
            if (detail) put(tty, COLOR_RED, detail->error);
            if (instance->task->continue_on_error) put_text(tty, COLOR_GREY, " (allowed)");
        }
        if (state == TASK_SKIPPED) {
            struct buf why;
            buf_init(&why, NULL, 256);
            buf_add_text(&why, reason == REASON_WHEN ? "skipped: " : "not started: ");
            core_why(core, core_get_frame(core, 0)->first + at, progress_now(progress->execution), &why);
            put(tty, COLOR_GREY, buf_str(&why));
            buf_done(&why);
        }
        return;
    }
    if (!is_leaf(instance) && state == TASK_RUNNING) {
        put_bar(tty, branch->total ? (double)branch->done / branch->total : 0);
        put_text(tty, COLOR_NONE, "  %u/%u", branch->done, branch->total);
        if (branch->ok) put_text(tty, COLOR_GREEN, "  %s%u", cli_task_symbol(TASK_SUCCEEDED, 0), branch->ok);
        if (branch->failed) put_text(tty, COLOR_RED, "  %s%u", cli_task_symbol(TASK_FAILED, 0), branch->failed);
        if (branch->running) put_text(tty, COLOR_BLUE, "  %s%u", cli_task_symbol(TASK_RUNNING, 0), branch->running);
        return;
    }
    if (state == TASK_PENDING || state == TASK_READY || state == TASK_WAITING) {
        struct buf why;
        buf_init(&why, NULL, 1024);
        core_why(core, core_get_frame(core, 0)->first + at, progress_now(progress->execution), &why);
        put(tty, COLOR_GREY, buf_str(&why));
        buf_done(&why);
    }
}

static void draw_head(struct progress *progress)
{
    struct tty *tty = progress->own;
    const char *store = store_path(progress->store);
    if (!line_begin(tty)) return;
    put(tty, COLOR_BLUE, cli_style.utf8 ? STR("▶ ") : STR("> "));
    put(tty, COLOR_BOLD, progress->workflow);
    put_text(tty, COLOR_NONE, "  #%s  ", progress->id);
    put_text(tty, COLOR_GREY, progress->watched ? "another process runs it" : store ? "local journal" : "in memory");
    put_text(tty, COLOR_NONE, "  ");
    put(tty, COLOR_GREY, tty->parameters);
}

static void draw_foot(struct progress *progress)
{
    struct tty *tty = progress->own;
    uint32_t total = tty->handlers.total, done = tty->handlers.done, running = tty->handlers.running, waiting = tty->handlers.waiting;
    for (uint32_t i = 0; i < tty->branches_count; i++) {
        total += tty->branches[i].total;
        done += tty->branches[i].done;
        running += tty->branches[i].running;
        waiting += tty->branches[i].waiting;
    }
    orch_time elapsed = progress_now(progress->execution) - progress->begun_at;
    if (!line_begin(tty)) return;
    put_text(tty, COLOR_NONE, " ");
    put_duration(tty, COLOR_NONE, elapsed);
    put_text(tty, COLOR_NONE, "  %u/%u tasks  %u running", done, total, running);
    if (waiting) put_text(tty, COLOR_NONE, "  %u waiting", waiting);
    if (elapsed > ETA_AFTER && done >= 5 && done < total && running) {
        put_text(tty, COLOR_NONE, "  eta ~");
        put_duration(tty, COLOR_NONE, (orch_time)((double)elapsed / done * (total - done)));
    }
    put_text(tty, COLOR_GREY, progress->watched ? "    Ctrl-C detaches" : "    Ctrl-C stops");
}

static void draw_folded(struct tty *tty, uint8_t state, uint8_t reason, uint32_t number, const char *text)
{
    if (!number || !line_begin(tty)) return;
    put_to(tty, 2);
    put(tty, cli_task_color(state, reason), str_from(cli_task_symbol(state, reason)));
    put_text(tty, COLOR_GREY, " %u %s", number, text);
}

/* What has to be seen first, when there is not room for all: 0 failed, 1 under way, 2 waiting its turn, 3 done. */
static int rank_of(uint8_t state, uint8_t reason)
{
    if (state == TASK_FAILED || state == TASK_TIMED_OUT) return 0;
    if (state == TASK_RUNNING || is_active(state, reason)) return 1;
    if (!task_state_is_terminal(state)) return 2;
    return 3;
}

static void draw_tree(struct progress *progress, uint32_t room)
{
    struct tty *tty = progress->own;
    uint32_t counts[4] = {0}, quota[4];
    for (uint32_t i = 0; i < tty->branches_count; i++) {
        uint8_t reason, state = state_of(progress, i, &reason);
        counts[rank_of(state, reason)]++;
    }
    if (tty->handlers.total && room) room--;
    /* Two lines are kept for the counts of what is folded. */
    uint32_t left = room;
    bool fits = tty->branches_count <= room;
    if (!fits) left = room > 2 ? room - 2 : 0;
    static const int order[] = {0, 1, 2, 3};
    for (int i = 0; i < 4; i++) {
        int rank = order[i];
        quota[rank] = counts[rank] < left ? counts[rank] : left;
        /* One screen of failures must not hide that something still runs. */
        if (rank == 0 && counts[1] && quota[0] > left / 2) quota[0] = left / 2;
        left -= quota[rank];
    }
    uint32_t spare = left, folded_done = 0, folded_waiting = 0, folded_failed = 0, folded_running = 0;
    for (uint32_t i = 0; i < tty->branches_count; i++) {
        uint8_t reason, state = state_of(progress, i, &reason);
        int rank = rank_of(state, reason);
        if (!quota[rank]) {
            if (rank == 0) folded_failed++;
            else if (rank == 1) folded_running++;
            else if (rank == 2) folded_waiting++;
            else folded_done++;
            continue;
        }
        quota[rank]--;
        draw_task(progress, i);
        const struct core_instance *instance = core_get_instance(progress->execution->core, i);
        if (!is_leaf(instance) && state == TASK_RUNNING && spare && !tty->final) {
            uint32_t before = tty->lines_count;
            draw_children(progress, i, spare);
            spare -= tty->lines_count - before;
        }
    }
    if (!fits) {
        if (folded_done && room > 1) draw_folded(tty, TASK_SUCCEEDED, 0, folded_done, "more done");
        uint32_t more = folded_waiting + folded_running + folded_failed;
        if (more && room > 1) {
            draw_folded(tty, folded_running ? TASK_RUNNING : TASK_PENDING, 0, more, folded_failed ? "more failed, running or waiting" : folded_running ? "more running or waiting" : "more waiting");
        }
    }
    if (tty->handlers.total && line_begin(tty)) {
        put_to(tty, 2);
        uint8_t state = tty->handlers.running ? TASK_RUNNING : tty->handlers.done < tty->handlers.total ? TASK_PENDING : tty->handlers.failed ? TASK_FAILED : TASK_SUCCEEDED;
        put(tty, cli_task_color(state, 0), str_from(cli_task_symbol(state, 0)));
        put_text(tty, COLOR_NONE, " afterwards");
        put_to(tty, 28);
        put_text(tty, COLOR_GREY, " %u/%u tasks", tty->handlers.done, tty->handlers.total);
    }
}

/* ---- the screen ---- */

static void write_out(const struct buf *out)
{
    for (size_t at = 0; at < out->size;) {
        ssize_t n = write(STDERR_FILENO, out->data + at, out->size - at);
        if (n <= 0) return; /* the terminal has gone, or takes no more just now: the next frame will */
        at += (size_t)n;
    }
}

static void erase(struct tty *tty)
{
    struct buf out;
    buf_init(&out, NULL, 4096);
    if (tty->shown_count) buf_printf(&out, "\033[%uA", tty->shown_count);
    buf_add_text(&out, "\r\033[J");
    write_out(&out);
    buf_done(&out);
    tty->shown_count = 0;
}

static void present(struct tty *tty)
{
    struct buf out;
    buf_init(&out, NULL, 1024u * 1024);
    if (tty->shown_count) buf_printf(&out, "\033[%uA\r", tty->shown_count);
    for (uint32_t i = 0; i < tty->lines_count; i++) {
        if (i >= tty->shown_count || !str_equal(buf_str(&tty->lines[i]), buf_str(&tty->shown[i]))) {
            buf_add(&out, buf_str(&tty->lines[i]));
            buf_add_text(&out, "\033[K");
        }
        buf_add_text(&out, "\r\n");
    }
    if (tty->lines_count < tty->shown_count) buf_add_text(&out, "\033[J");
    if (!out.failed) write_out(&out);
    buf_done(&out);
    struct buf *lines = tty->lines;
    tty->lines = tty->shown;
    tty->shown = lines;
    tty->shown_count = tty->lines_count;
}

static void draw(struct progress *progress)
{
    struct tty *tty = progress->own;
    if (tty->out_of_memory || !progress->execution) return;
    cli_style_size(&tty->columns, &tty->rows);
    tty->lines_count = 0;
    /* One line for the head, one for the foot, one for the cursor, and one so that the shell's own line stays. */
    uint32_t room = tty->rows > 4 ? tty->rows - 4 : 0;
    if (tty->final && room < 40) room = 40; /* it may scroll away now */
    draw_head(progress);
    draw_tree(progress, room);
    if (!tty->final) draw_foot(progress);
    if (!tty->out_of_memory) present(tty);
    tty->changed = false;
}

static void on_tick(uv_timer_t *timer)
{
    struct progress *progress = timer->data;
    struct tty *tty = progress->own;
    /* While something runs its time goes on; while everything waits, nothing does but the clock in the last line: once a second is enough. */
    static const uint32_t lazy = 10;
    bool busy = tty->changed || tty->active_count > 0;
    tty->timer.data = progress;
    if (!busy && (uv_now(timer->loop) / TICK_MS) % lazy) return;
    draw(progress);
}

static void on_stop(uv_signal_t *handle, int number)
{
    struct progress *progress = handle->data;
    (void)number;
    fputs("\r\033[J", stderr);
    raise(SIGSTOP);
    ((struct tty *)progress->own)->changed = true;
}

static void on_go_on(uv_signal_t *handle, int number)
{
    struct progress *progress = handle->data;
    struct tty *tty = progress->own;
    (void)number;
    /* The shell has written below the tree meanwhile: a new one begins here. */
    tty->shown_count = 0;
    tty->changed = true;
    fputs("\r\n", stderr);
}

static void on_resized(uv_signal_t *handle, int number)
{
    struct progress *progress = handle->data;
    struct tty *tty = progress->own;
    uint32_t columns, rows;
    (void)number;
    cli_style_size(&columns, &rows);
    /* Narrower: lines have wrapped, so there are more of them on the screen than were written. */
    uint32_t height = 0;
    for (uint32_t i = 0; i < tty->shown_count; i++) height += 1 + (columns < tty->columns ? tty->columns / (columns ? columns : 1) : 0);
    tty->shown_count = height < rows ? height : rows > 1 ? rows - 1 : 0;
    erase(tty);
    tty->changed = true;
}

static void open_signal(struct progress *progress, uv_signal_t *handle, uv_signal_cb callback, int number)
{
    uv_signal_init(progress->loop, handle);
    handle->data = progress;
    uv_signal_start(handle, callback, number);
    uv_unref((uv_handle_t *)handle);
}

static void keep_parameters(struct progress *progress, struct orch_str json)
{
    struct tty *tty = progress->own;
    struct arena arena;
    struct value parameters;
    struct buf out;
    arena_init(&arena, NULL, 0);
    buf_init(&out, NULL, 4096);
    if (json_parse(json, NULL, &arena, &parameters, NULL) == 0 && parameters.kind == VALUE_MAP)
        for (uint32_t i = 0; i < parameters.size && i < 10; i++) {
            const struct value_member *member = &value_members(parameters)[i];
            buf_printf(&out, "%s%.*s=", i ? " " : "", STR_ARG(value_str(member->key)));
            if (member->value.kind == VALUE_STRING) buf_add(&out, value_str(member->value));
            else json_format(member->value, 0, &out);
        }
    tty->parameters = arena_str(&progress->arena, buf_str(&out));
    buf_done(&out);
    arena_done(&arena);
}

static void tty_begin(struct progress *progress, bool resumed)
{
    struct tty *tty = calloc(1, sizeof *tty);
    const struct core *core = progress->execution->core;
    struct core_summary summary;
    (void)resumed; /* the tree shows what is done already */
    if (!tty) return;
    progress->own = tty;
    core_get_summary(core, &summary);
    keep_parameters(progress, summary.parameters);
    uint32_t instances = core_instance_count(core), body = core_frame_count(core) ? core_get_frame(core, 0)->block->task_count : 0;
    tty->branches = calloc(body ? body : 1, sizeof *tty->branches);
    if (!tty->branches) tty->out_of_memory = true;
    else tty->branches_count = body;
    if (!tty->out_of_memory && grow(tty, instances + 1)) {
        for (uint32_t i = 0; i < body; i++)
            if (is_leaf(core_get_instance(core, i))) tty->branches[i].total++;
        for (uint32_t f = 1; f < core_frame_count(core); f++) open_frame(progress, f);
        for (uint32_t i = 0; i < instances; i++) {
            const struct core_instance *instance = core_get_instance(core, i);
            if (instance->state != TASK_PENDING) set_state(progress, i, instance->state, instance->reason);
        }
    }
    uv_timer_init(progress->loop, &tty->timer);
    tty->timer.data = progress;
    uv_timer_start(&tty->timer, on_tick, 0, TICK_MS);
    uv_unref((uv_handle_t *)&tty->timer);
    open_signal(progress, &tty->stop, on_stop, SIGTSTP);
    open_signal(progress, &tty->go_on, on_go_on, SIGCONT);
    open_signal(progress, &tty->resized, on_resized, SIGWINCH);
    tty->open = true;
}

static void tty_transition(struct progress *progress, const struct progress_run *execution, uint64_t seq, const struct core_transition *transition)
{
    struct tty *tty = progress->own;
    (void)seq;
    if (!tty || tty->out_of_memory || execution != progress->execution) return;
    switch ((enum transition_type)transition->type) {
    case TRANSITION_FRAME_OPENED: open_frame(progress, transition->frame); return;
    case TRANSITION_TASK_READY: set_state(progress, transition->instance, TASK_READY, 0); return;
    case TRANSITION_TASK_WAITING: set_state(progress, transition->instance, TASK_WAITING, transition->reason); return;
    case TRANSITION_ATTEMPT_STARTED:
    case TRANSITION_TASK_STARTED: set_state(progress, transition->instance, TASK_RUNNING, 0); return;
    case TRANSITION_TASK_ENDED: set_state(progress, transition->instance, transition->state, transition->reason); return;
    case TRANSITION_TASK_COMPENSATING: set_state(progress, transition->instance, TASK_COMPENSATING, 0); return;
    case TRANSITION_TASK_RESET: set_state(progress, transition->instance, TASK_PENDING, 0); return;
    case TRANSITION_EXECUTION_STARTED:
    case TRANSITION_ATTEMPT_FAILED:
    case TRANSITION_ATTEMPT_STOPPING:
    case TRANSITION_FRAME_ENDED:
    case TRANSITION_EXECUTION_PAUSED:
    case TRANSITION_EXECUTION_RESUMED:
    case TRANSITION_EXECUTION_STOPPING:
    case TRANSITION_COMPENSATION_STARTED:
    case TRANSITION_EXECUTION_ENDED:
    case TRANSITION_APPROVAL_GIVEN:
    case TRANSITION_SIGNAL_RECEIVED:
    case TRANSITION_EXECUTION_RETRIED: tty->changed = true; return;
    }
}

static struct active *active_of(struct progress *progress, const struct progress_run *execution, uint32_t instance)
{
    struct tty *tty = progress->own;
    if (!tty || execution != progress->execution || instance >= tty->instances_capacity || !tty->active_at[instance]) return NULL;
    return &tty->active[tty->active_at[instance] - 1];
}

static void keep_note(struct active *active, struct orch_str text)
{
    size_t size = text.size < NOTE_SIZE - 1 ? text.size : NOTE_SIZE - 1;
    memcpy(active->note, text.data, size);
    active->note[size] = '\0';
}

static void tty_log(struct progress *progress, const struct progress_run *execution, uint32_t instance, uint32_t attempt, enum log_stream stream, struct orch_str text)
{
    struct active *active = active_of(progress, execution, instance);
    (void)attempt;
    (void)stream;
    if (active && str_trim(text).size) keep_note(active, text);
}

static void tty_progress(struct progress *progress, const struct progress_run *execution, uint32_t instance, double fraction, struct orch_str text)
{
    struct active *active = active_of(progress, execution, instance);
    if (!active) return;
    active->fraction = fraction;
    if (text.size) keep_note(active, text);
}

static void tty_say(struct progress *progress, const char *text)
{
    struct tty *tty = progress->own;
    if (tty) erase(tty);
    fprintf(stderr, "orch: %s\n", text);
    if (tty) tty->changed = true;
}

static void tty_end(struct progress *progress, const struct progress_run *execution)
{
    struct tty *tty = progress->own;
    (void)execution;
    if (!tty) return;
    tty->final = true;
    erase(tty);
    draw(progress);
}

static void freed(uv_handle_t *handle)
{
    struct tty *tty = (struct tty *)(void *)handle; /* its first member */
    for (uint32_t i = 0; i < tty->lines_capacity; i++) {
        buf_done(&tty->lines[i]);
        buf_done(&tty->shown[i]);
    }
    free(tty->lines);
    free(tty->shown);
    free(tty->branches);
    free(tty->states);
    free(tty->reasons);
    free(tty->active_at);
    free(tty->active);
    free(tty);
}

static void tty_close(struct progress *progress)
{
    struct tty *tty = progress->own;
    if (!tty) return;
    progress->own = NULL;
    if (!tty->open) return;
    uv_close((uv_handle_t *)&tty->stop, NULL);
    uv_close((uv_handle_t *)&tty->go_on, NULL);
    uv_close((uv_handle_t *)&tty->resized, NULL);
    uv_close((uv_handle_t *)&tty->timer, freed); /* closed last, freed last */
}

const struct progress_view progress_tty_view = {.begin = tty_begin,
                                                .transition = tty_transition,
                                                .log = tty_log,
                                                .progress = tty_progress,
                                                .say = tty_say,
                                                .end = tty_end,
                                                .close = tty_close};
