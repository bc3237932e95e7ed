/*
 * layout.c - fuzzes drawings of graphs: a definition is made from the bytes, so that most inputs are graphs, and drawn
 * in every form. With an odd first byte the bytes are the definition's text itself, for texts in drawings.
 */
#include "fuzz.h"

#include "base/value.h"
#include "layout/export.h"
#include "layout/text.h"
#include "take.h"

static void add_block(struct take *take, uint32_t depth, uint32_t *budget, struct buf *out);

static void add_task(struct take *take, uint32_t index, uint32_t depth, uint32_t *budget, struct buf *out)
{
    static const char *const actions[] = {
        "noop: ",   "shell: x",        "transform: '1 + 2'", "approval: 'ready \u2014 \u65e5\u672c?'",
        "wait: 3s", "workflow: other", "exec: [ls, -l]",
    };
    static const char *const names[] = {"a", "task_with_a_very_long_name_that_has_to_be_cut_somewhere", "b-", "x"};
    uint32_t bits = take_byte(take);

    buf_printf(out, "%s%u: {", names[bits & 3], index);
    if (depth > 0 && (bits & 12) == 12) {
        buf_add_text(out, "tasks: ");
        add_block(take, depth - 1, budget, out);
    } else {
        buf_add_text(out, actions[take_below(take, 7)]);
    }
    if (bits & 16) buf_printf(out, ", for_each: {in: [1, 2, 3], as: i%u}", depth);
    if (bits & 32) buf_add_text(out, ", repeat: {max: 3}");
    if (bits & 64) buf_add_text(out, ", retry: {max_attempts: 3}, when: 'true'");
    if ((bits & 128) && depth > 0) {
        buf_add_text(out, take_bool(take) ? ", on_error: {tasks: " : ", compensate: {tasks: ");
        add_block(take, depth - 1, budget, out);
        buf_add_char(out, '}');
    }
    if (index > 0) {
        uint64_t taken = 0;
        for (uint32_t i = take_below(take, 5); i > 0; i--) {
            uint32_t before = take_below(take, index);
            if (before >= 64 || taken >> before & 1) continue;
            buf_printf(out, "%s\x01%u\x01", taken ? ", " : ", depends_on: [", before);
            taken |= UINT64_C(1) << before;
        }
        if (taken) buf_add_char(out, ']');
    }
    buf_add_char(out, '}');
}

/* Names are known once all tasks are written: "\x01<n>\x01" stands for the n-th. */
static void add_block(struct take *take, uint32_t depth, uint32_t *budget, struct buf *out)
{
    uint32_t count = 1 + take_below(take, 70), made = 0;
    struct buf block, names;
    uint32_t starts[72], sizes[72];

    buf_init(&block, NULL, 1 << 20);
    buf_init(&names, NULL, 1 << 20);
    for (; made<count && * budget> 0; made++) {
        size_t begin = block.size;
        --*budget;
        if (made > 0) buf_add_text(&block, ", "), begin = block.size;
        add_task(take, made, depth, budget, &block);
        if (block.failed) break;
        size_t end = str_find(buf_str(&block), STR(":"), begin);
        starts[made] = (uint32_t)names.size;
        sizes[made] = (uint32_t)(end - begin);
        buf_add(&names, str_of(block.data + begin, end - begin));
    }
    if (made == 0) buf_add_text(&block, "none: {noop: }");
    buf_add_char(out, '{');
    for (size_t at = 0; at < block.size && !block.failed; at++) {
        if (block.data[at] != 1) {
            buf_add_char(out, block.data[at]);
            continue;
        }
        uint32_t number = 0;
        for (at++; block.data[at] != 1; at++) number = number * 10 + (uint32_t)(block.data[at] - '0');
        buf_add(out, str_of(names.data + starts[number], sizes[number]));
    }
    buf_add_char(out, '}');
    buf_done(&block);
    buf_done(&names);
}

static void expect_text(const struct workflow *workflow, const struct layout_text_options *options, struct buf *out)
{
    struct arena scratch;
    struct buf again;

    arena_init(&scratch, NULL, FUZZ_MEMORY_MAX);
    buf_init(&again, NULL, FUZZ_MEMORY_MAX);
    buf_clear(out);
    PROPERTY(layout_text(workflow, options, &scratch, out) == 0);
    PROPERTY(!out->failed && utf8_is_valid(buf_str(out), NULL));
    PROPERTY(layout_text(workflow, options, &scratch, &again) == 0);
    PROPERTY(str_equal(buf_str(out), buf_str(&again)));
    for (size_t at = 0; at < out->size; at++) PROPERTY(out->data[at] == '\n' || (unsigned char)out->data[at] >= 0x20);
    buf_done(&again);
    arena_done(&scratch);
}

static bool is_inside(const struct layered_box *inner, const struct layered_box *outer)
{
    return inner->x > outer->x && inner->y > outer->y && inner->x + inner->width < outer->x + outer->width &&
           inner->y + inner->height < outer->y + outer->height;
}

static bool is_apart(const struct layered_box *a, const struct layered_box *b)
{
    return a->x + a->width <= b->x || b->x + b->width <= a->x || a->y + a->height <= b->y || b->y + b->height <= a->y;
}

/* Two boxes are apart or one is around the other; every line ends at boxes and goes on in one direction. */
static void expect_places(const struct picture *picture)
{
    const struct layered *layered = &picture->layered;
    for (uint32_t i = 0; i < picture->item_count; i++) {
        const struct layered_box *box = &layered->nodes[i];
        PROPERTY(box->x >= 0 && box->y >= 0 && box->x + box->width <= layered->width &&
                 box->y + box->height <= layered->height);
        for (uint32_t k = 0; k < i; k++)
            PROPERTY(is_apart(&layered->nodes[k], box) || is_inside(box, &layered->nodes[k]));
    }
    for (uint32_t e = 0; e < picture->edge_count; e++) {
        uint32_t begin = layered->point_start[e], end = layered->point_start[e + 1];
        PROPERTY(end - begin >= 2);
        for (uint32_t i = begin + 1; i < end; i++) {
            const struct layered_point *from = &layered->points[i - 1], *to = &layered->points[i];
            PROPERTY(picture->direction == LAYERED_RIGHT ? from->x <= to->x : from->y <= to->y);
        }
    }
}

/* All of it well-formed as far as a look at its characters tells: nothing from outside opens a tag or an entity. */
static void expect_svg(const struct buf *out)
{
    PROPERTY(!out->failed && utf8_is_valid(buf_str(out), NULL));
    bool in_tag = false, in_quotes = false;
    for (size_t at = 0; at < out->size; at++) {
        char c = out->data[at];
        PROPERTY((unsigned char)c >= 0x20 || c == '\n');
        if (c == '"' && in_tag) in_quotes = !in_quotes;
        if (c == '<') PROPERTY(!in_tag);
        if (c == '<') in_tag = true;
        if (c == '>' && !in_quotes) in_tag = false;
        if (c != '&') continue;
        struct orch_str rest = str_of(out->data + at, out->size - at);
        PROPERTY(str_starts_with(rest, STR("&amp;")) || str_starts_with(rest, STR("&lt;")) ||
                 str_starts_with(rest, STR("&gt;")) || str_starts_with(rest, STR("&quot;")) ||
                 str_starts_with(rest, STR("&#39;")));
    }
    PROPERTY(!in_tag && !in_quotes && str_ends_with(buf_str(out), STR("</svg>\n")));
}

static void draw(const struct workflow *workflow, const struct layout_text_options *options)
{
    struct orch_error err = ORCH_ERROR_INIT;
    struct value value;
    struct arena arena, scratch;
    struct picture picture;
    struct buf out;

    arena_init(&arena, NULL, FUZZ_MEMORY_MAX);
    arena_init(&scratch, NULL, FUZZ_MEMORY_MAX);
    buf_init(&out, NULL, FUZZ_MEMORY_MAX);
    expect_text(workflow, options, &out);
    buf_clear(&out);
    layout_dot(workflow, &out);
    PROPERTY(!out.failed && utf8_is_valid(buf_str(&out), NULL));
    buf_clear(&out);
    layout_mermaid(workflow, &out);
    PROPERTY(!out.failed && utf8_is_valid(buf_str(&out), NULL));
    for (int direction = 0; direction < 2; direction++) {
        enum layered_direction to = direction == 0 ? LAYERED_DOWN : LAYERED_RIGHT;
        PROPERTY(picture_make(workflow, NULL, to, &arena, &scratch, &picture, &err) == 0);
        expect_places(&picture);
        buf_clear(&out);
        layout_json(&picture, &out);
        PROPERTY(!out.failed && json_parse(buf_str(&out), NULL, &arena, &value, &err) == 0);
        buf_clear(&out);
        layout_svg(&picture, &out);
        expect_svg(&out);
    }
    buf_done(&out);
    arena_done(&scratch);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct take take = {data, size};
    static struct diags diags;
    const struct workflow *workflow;
    struct arena arena;
    struct buf text;

    uint32_t first = take_byte(&take);
    struct layout_text_options options = {.ascii = first & 2, .width = take_byte(&take), .rows_max = take_byte(&take)};
    arena_init(&arena, NULL, FUZZ_MEMORY_MAX);
    buf_init(&text, NULL, 1 << 20);
    if (first & 1) {
        buf_add(&text, take_str(&take, take.size));
    } else {
        uint32_t budget = 150;
        buf_add_text(&text, "tasks: ");
        add_block(&take, 3, &budget, &text);
    }
    diags_init(&diags, &arena);
    int r = workflow_read(buf_str(&text), STR("input.yaml"), &arena, &diags, &workflow);
    if (r == 0) draw(workflow, &options);
    buf_done(&text);
    arena_done(&arena);
    return 0;
}
