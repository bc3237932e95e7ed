/* text.c - a workflow drawn with characters. */
#include "layout/text.h"

#include "layout/describe.h"

#define WIDTH_USUAL     100
#define ROWS_USUAL      200
#define LANES_MAX       16 /* of one block; with more the drawing is a carpet */
#define DRAWN_TASKS_MAX 60 /* of one block; with more it is told by levels */
#define ID_WIDTH_MAX    40
#define LEVELS_HEAD     12 /* of a block told by levels: shown from the top */
#define LEVELS_TAIL     3  /* and from the end */
#define INDENT          4
#define NONE            UINT32_MAX

struct glyphs {
    const char *task, *end, *line, *across, *branch, *branch_end, *join, *join_end, *both, *both_end, *cut;
};

static const struct glyphs unicode = {"●", "○", "│", "─", "├", "╰", "┤", "╯", "┼", "┴", "…"};
static const struct glyphs ascii = {"*", "o", "|", "-", "+", "`", "+", "'", "+", "+", "..."};

struct drawing {
    const struct layout_state *states; /* or NULL */
    const struct workflow *workflow;
    const struct glyphs *glyphs;
    uint32_t width;
    uint32_t rows, rows_max;
    uint32_t left_out; /* tasks of blocks that found no room */
    struct arena *scratch;
    struct buf *out;
    struct buf prefix; /* what stands left of the block that is drawn: the lines of the blocks around it */
    struct buf text;
    bool is_short; /* one of these two found no memory */
};

/* ---- rows ---- */

/* Empties one of the two buffers; that it fell short once is not forgotten. */
static void clear(struct drawing *drawing, struct buf *buf)
{
    if (buf->failed) drawing->is_short = true;
    buf_clear(buf);
}

static uint32_t text_width(struct orch_str text)
{
    uint32_t width = 0;
    for (size_t at = 0; at < text.size;) width += (uint32_t)utf8_width(utf8_next(text, &at));
    return width;
}

/* As much of the text as fits, cut with an ellipsis; what is no printable character is left out. */
static void add_fitting(struct drawing *drawing, struct orch_str text, uint32_t columns)
{
    bool cut = text_width(text) > columns;
    uint32_t room = cut ? columns - (columns > 3 ? (drawing->glyphs == &ascii ? 3 : 1) : columns) : columns;
    for (size_t at = 0; at < text.size;) {
        size_t start = at;
        uint32_t code_point = utf8_next(text, &at);
        uint32_t width = (uint32_t)utf8_width(code_point);
        if (code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0)) continue;
        if (width > room) break;
        room -= width;
        buf_add(drawing->out, str_of(text.data + start, at - start));
    }
    if (cut && columns > 3) buf_add_text(drawing->out, drawing->glyphs->cut);
}

static void add_spaces(struct buf *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) buf_add_char(out, ' ');
}

static void end_row(struct drawing *drawing)
{
    struct buf *out = drawing->out;
    while (out->size > 0 && out->data[out->size - 1] == ' ') out->data[--out->size] = '\0';
    buf_add_char(out, '\n');
    drawing->rows++;
}

/* The rest of a task's row: its id, padded, and what it is. `used` columns are taken. */
static void add_task_text(struct drawing *drawing, const struct task *task, uint32_t used, uint32_t id_width)
{
    uint32_t room = drawing->width > used ? drawing->width - used : 0;
    uint32_t width = text_width(task->id);
    add_fitting(drawing, task->id, room < ID_WIDTH_MAX ? room : ID_WIDTH_MAX);
    if (width > ID_WIDTH_MAX) width = ID_WIDTH_MAX;
    if (width > room) width = room;
    uint32_t padded = id_width > width ? id_width : width;
    if (room <= padded + 2) return;
    add_spaces(drawing->out, padded - width + 2);
    clear(drawing, &drawing->text);
    describe_kind(task, &drawing->text);
    size_t kind = drawing->text.size;
    buf_add_text(&drawing->text, ", ");
    describe_rules(task, &drawing->text);
    if (drawing->text.size == kind + 2) drawing->text.size = kind;
    const struct layout_state *state = drawing->states ? &drawing->states[task->number] : NULL;
    if (state && state->word) {
        buf_add_text(&drawing->text, "  ");
        buf_add(&drawing->text, state->text);
    }
    add_fitting(drawing, buf_str(&drawing->text), room - padded - 2);
}

/* ---- lanes ---- */

/* One column of a block: the task whose line goes down in it, or NONE. */
struct lanes {
    uint32_t source[LANES_MAX];
    uint32_t count;    /* columns in use anywhere in the block */
    uint32_t *waiting; /* for each task how many that depend on it are still to come */
    uint32_t *lane;    /* for each task its column while its line goes down */
};

struct row {
    bool joined[LANES_MAX]; /* lines of what the task depends on */
    bool ended[LANES_MAX];  /* which go no further */
    uint32_t lane;          /* the task's own */
    uint32_t low, high;     /* columns between which the row is connected */
    bool is_end;            /* nothing depends on the task: its line does not go down */
};

static int lanes_init(struct lanes *lanes, const struct block *block, struct arena *scratch)
{
    *lanes = (struct lanes){
        .waiting = ARENA_ARRAY(scratch, block->task_count, uint32_t),
        .lane = ARENA_ARRAY(scratch, block->task_count, uint32_t),
    };
    if (!lanes->waiting || !lanes->lane) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < LANES_MAX; i++) lanes->source[i] = NONE;
    for (uint32_t i = 0; i < block->task_count; i++) {
        lanes->waiting[i] = block->successor_start[i + 1] - block->successor_start[i];
    }
    return 0;
}

/*
 * Moves on to a task: which lines meet in its row, and in which column it stands. It goes below the leftmost dependency
 * whose line ends with it, else into a free column to the right of what it depends on, else into any. False when there
 * is none.
 */
static bool lanes_next(struct lanes *lanes, const struct block *block, uint32_t task, struct row *ret)
{
    *ret = (struct row){.lane = NONE};
    uint32_t first = NONE;
    for (uint32_t e = block->dependency_start[task]; e < block->dependency_start[task + 1]; e++) {
        uint32_t to = block->dependencies[e], lane = lanes->lane[to];
        ret->joined[lane] = true;
        if (lane < first) first = lane;
        if (--lanes->waiting[to] > 0) continue;
        ret->ended[lane] = true;
        if (lane < ret->lane) ret->lane = lane;
    }
    for (uint32_t i = 0; i < LANES_MAX; i++) {
        if (ret->ended[i]) lanes->source[i] = NONE;
    }
    for (uint32_t i = first == NONE ? 0 : first; ret->lane == NONE && i < LANES_MAX; i++) {
        if (lanes->source[i] == NONE) ret->lane = i;
    }
    for (uint32_t i = 0; ret->lane == NONE && i < LANES_MAX; i++) {
        if (lanes->source[i] == NONE) ret->lane = i;
    }
    if (ret->lane == NONE) return false;
    ret->low = ret->high = ret->lane;
    for (uint32_t i = 0; i < LANES_MAX; i++) {
        if (!ret->joined[i]) continue;
        if (i < ret->low) ret->low = i;
        if (i > ret->high) ret->high = i;
    }
    ret->is_end = lanes->waiting[task] == 0;
    if (!ret->is_end) {
        lanes->source[ret->lane] = task;
        lanes->lane[task] = ret->lane;
    }
    if (ret->lane + 1 > lanes->count) lanes->count = ret->lane + 1;
    return true;
}

static const char *joint(const struct drawing *drawing, const struct row *row, uint32_t lane)
{
    const struct glyphs *glyphs = drawing->glyphs;
    if (lane == row->low) return row->ended[lane] ? glyphs->branch_end : glyphs->branch;
    if (lane == row->high) return row->ended[lane] ? glyphs->join_end : glyphs->join;
    return row->ended[lane] ? glyphs->both_end : glyphs->both;
}

static void add_row(struct drawing *drawing, const struct lanes *lanes, const struct row *row, uint32_t count)
{
    const struct glyphs *glyphs = drawing->glyphs;
    for (uint32_t i = 0; i < count; i++) {
        bool between = i >= row->low && i < row->high;
        const char *glyph = " ";
        if (i == row->lane) {
            glyph = row->is_end ? glyphs->end : glyphs->task;
        } else if (row->joined[i]) {
            glyph = joint(drawing, row, i);
        } else if (lanes->source[i] != NONE) {
            glyph = glyphs->line;
        } else if (between) {
            glyph = glyphs->across;
        }
        buf_add_text(drawing->out, glyph);
        buf_add_text(drawing->out, between ? glyphs->across : " ");
    }
}

/* ---- blocks ---- */

static int draw_block(struct drawing *drawing, const struct block *block);

static void count_left_out(struct drawing *drawing, const struct block *block)
{
    drawing->left_out += block->task_count;
}

/* A block inside a task, below its row, with a heading unless it is the body. */
static int draw_inner(struct drawing *drawing, const struct block *block, const struct lanes *lanes, uint32_t count)
{
    size_t size = drawing->prefix.size;
    for (uint32_t i = 0; i < count; i++) {
        buf_add_text(&drawing->prefix, lanes->source[i] != NONE ? drawing->glyphs->line : " ");
        buf_add_char(&drawing->prefix, ' ');
    }
    add_spaces(&drawing->prefix, INDENT - 2);
    if (block->role != BLOCK_BODY) {
        buf_add(drawing->out, buf_str(&drawing->prefix));
        buf_add_text(drawing->out, describe_role(block->role));
        end_row(drawing);
        add_spaces(&drawing->prefix, 2);
    }
    int rc = draw_block(drawing, block);
    drawing->prefix.size = size;
    if (drawing->prefix.data) drawing->prefix.data[size] = '\0';
    return rc;
}

/* All blocks of a task and of what it wraps; the body first. */
static int draw_inside(struct drawing *drawing, const struct task *task, const struct lanes *lanes, uint32_t count)
{
    static const enum block_role roles[] = {BLOCK_BODY, BLOCK_ON_ERROR, BLOCK_COMPENSATE, BLOCK_FINALLY};
    const struct task *inner = describe_inner(task);
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        for (const struct task *owner = task;; owner = &task_block(owner, BLOCK_BODY)->tasks[0]) {
            const struct block *block = task_block(owner, roles[i]);
            if (block && !block_is_wrapping(block)) {
                int rc = draw_inner(drawing, block, lanes, count);
                if (rc < 0) return rc;
            }
            if (owner == inner) break;
        }
    }
    return 0;
}

/* Whether the block can be drawn, and how many columns that needs. */
static int lanes_measure(const struct block *block, struct arena *scratch, uint32_t *ret_count)
{
    struct lanes lanes;
    int rc = lanes_init(&lanes, block, scratch);
    if (rc < 0) return rc;
    *ret_count = 0;
    for (uint32_t i = 0; i < block->task_count; i++) {
        struct row row;
        if (!lanes_next(&lanes, block, block->order[i], &row)) return 0;
    }
    *ret_count = lanes.count;
    return 0;
}

static int draw_lanes(struct drawing *drawing, const struct block *block, uint32_t count)
{
    struct lanes lanes;
    int rc = lanes_init(&lanes, block, drawing->scratch);
    if (rc < 0) return rc;
    uint32_t id_width = 0;
    for (uint32_t i = 0; i < block->task_count; i++) {
        uint32_t width = text_width(block->tasks[i].id);
        if (width > id_width) id_width = width < ID_WIDTH_MAX ? width : ID_WIDTH_MAX;
    }
    uint32_t used = text_width(buf_str(&drawing->prefix)) + 2 * count;
    for (uint32_t i = 0; i < block->task_count; i++) {
        const struct task *task = &block->tasks[block->order[i]];
        if (drawing->rows >= drawing->rows_max) {
            drawing->left_out += block->task_count - i;
            return 0;
        }
        struct row row;
        (void)lanes_next(&lanes, block, task->index, &row); /* there is room: it was measured */
        buf_add(drawing->out, buf_str(&drawing->prefix));
        add_row(drawing, &lanes, &row, count);
        add_task_text(drawing, task, used, id_width);
        end_row(drawing);
        rc = draw_inside(drawing, task, &lanes, count);
        if (rc < 0) return rc;
    }
    return 0;
}

/* ---- levels ---- */

static void add_level(struct drawing *drawing, const struct block *block, const uint32_t *tasks, uint32_t count,
                      uint32_t level)
{
    clear(drawing, &drawing->text);
    buf_printf(&drawing->text, "level %-4u %6u %s  ", level + 1, count, count == 1 ? "task " : "tasks");
    for (uint32_t i = 0; i < count && drawing->text.size < 4 * (size_t)drawing->width; i++) {
        buf_printf(&drawing->text, "%s%.*s", i > 0 ? ", " : "", STR_ARG(block->tasks[tasks[i]].id));
    }
    buf_add(drawing->out, buf_str(&drawing->prefix));
    uint32_t used = text_width(buf_str(&drawing->prefix));
    add_fitting(drawing, buf_str(&drawing->text), drawing->width > used ? drawing->width - used : 0);
    end_row(drawing);
}

/* Tasks by level, those of a level in the order of the text. */
static int draw_levels(struct drawing *drawing, const struct block *block)
{
    uint32_t n = block->task_count, levels = block->level_count;
    uint32_t *level = ARENA_ARRAY(drawing->scratch, n, uint32_t);
    uint32_t *start = ARENA_ARRAY(drawing->scratch, (size_t)levels + 1, uint32_t);
    uint32_t *next = ARENA_ARRAY(drawing->scratch, (size_t)levels + 1, uint32_t);
    uint32_t *tasks = ARENA_ARRAY(drawing->scratch, n, uint32_t);
    if (!level || !start || !next || !tasks) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t task = block->order[i];
        for (uint32_t e = block->dependency_start[task]; e < block->dependency_start[task + 1]; e++) {
            uint32_t above = level[block->dependencies[e]] + 1;
            if (above > level[task]) level[task] = above;
        }
        start[level[task] + 1]++;
    }
    for (uint32_t i = 0; i < levels; i++) start[i + 1] += start[i];
    memcpy(next, start, ((size_t)levels + 1) * sizeof(*next));
    for (uint32_t i = 0; i < n; i++) tasks[next[level[i]]++] = i;

    for (uint32_t i = 0; i < levels; i++) {
        if (levels > LEVELS_HEAD + LEVELS_TAIL + 1 && i == LEVELS_HEAD) {
            uint32_t end = levels - LEVELS_TAIL;
            buf_add(drawing->out, buf_str(&drawing->prefix));
            buf_printf(drawing->out, "%s %u more levels with %u tasks", drawing->glyphs->cut, end - i,
                       start[end] - start[i]);
            end_row(drawing);
            i = end;
        }
        add_level(drawing, block, &tasks[start[i]], start[i + 1] - start[i], i);
    }
    return 0;
}

static int draw_block(struct drawing *drawing, const struct block *block)
{
    if (drawing->rows >= drawing->rows_max) {
        count_left_out(drawing, block);
        return 0;
    }
    struct arena_mark mark = arena_mark(drawing->scratch);
    uint32_t lanes = 0;
    int rc = block->task_count <= DRAWN_TASKS_MAX ? lanes_measure(block, drawing->scratch, &lanes) : 0;
    if (rc == 0)
        rc = lanes > 0 || block->task_count == 0 ? draw_lanes(drawing, block, lanes) : draw_levels(drawing, block);
    arena_rewind(drawing->scratch, mark);
    return rc;
}

static int draw_workflow(struct drawing *drawing)
{
    const struct block *const blocks[] = {drawing->workflow->body, drawing->workflow->on_error,
                                          drawing->workflow->finally};
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        if (!blocks[i]) continue;
        if (i > 0) {
            buf_add_text(drawing->out, describe_role(blocks[i]->role));
            end_row(drawing);
            add_spaces(&drawing->prefix, INDENT - 2);
        }
        int rc = draw_block(drawing, blocks[i]);
        clear(drawing, &drawing->prefix);
        if (rc < 0) return rc;
    }
    if (drawing->left_out > 0) {
        buf_printf(drawing->out, "%s %u more tasks\n", drawing->glyphs->cut, drawing->left_out);
    }
    clear(drawing, &drawing->text);
    return drawing->is_short ? ORCH_ERR_NO_MEMORY : 0;
}

int layout_text(const struct workflow *workflow, const struct layout_text_options *options, struct arena *scratch,
                struct buf *out)
{
    struct drawing drawing = {
        .workflow = workflow,
        .glyphs = options && options->ascii ? &ascii : &unicode,
        .width = options && options->width ? options->width : WIDTH_USUAL,
        .rows_max = options && options->rows_max ? options->rows_max : ROWS_USUAL,
        .states = options ? options->states : NULL,
        .scratch = scratch,
        .out = out,
    };
    buf_init(&drawing.prefix, NULL, 64 * 1024);
    buf_init(&drawing.text, NULL, 16 * 1024 * 1024);
    int rc = draw_workflow(&drawing);
    buf_done(&drawing.prefix);
    buf_done(&drawing.text);
    return rc;
}

void layout_cycle(const struct diag_step *path, uint32_t count, bool is_ascii, struct buf *out)
{
    uint32_t width = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t w = text_width(path[i].id);
        if (w > width) width = w < ID_WIDTH_MAX ? w : ID_WIDTH_MAX;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct diag_step *before = &path[i > 0 ? i - 1 : count - 1];
        const char *frame = is_ascii ? (i == 0          ? ",-> "
                                        : i + 1 < count ? "|   "
                                                        : "`-- ")
                                     : (i == 0          ? "╭─▶ "
                                        : i + 1 < count ? "│   "
                                                        : "╰── ");
        buf_printf(out, "%s%.*s", frame, STR_ARG(path[i].id));
        for (uint32_t w = text_width(path[i].id); w < width; w++) buf_add_char(out, ' ');
        buf_printf(out, "  line %u, waits for %.*s", path[i].line, STR_ARG(before->id));
        if (path[i].line_waits > 0 && path[i].line_waits != path[i].line)
            buf_printf(out, " (line %u)", path[i].line_waits);
        buf_add_char(out, '\n');
    }
}
