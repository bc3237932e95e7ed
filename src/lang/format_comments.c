/*
 * format_comments.c - the normal form of a workflow with the comments of the file it was read from.
 *
 * The normal form is printed without them and read again. Its tree and that of the file, brought into normal form, have
 * the same shape, and both know the places of everything: so each line of the file on which something begins has a line
 * of the normal form, and comments go to the lines of what they stand with. What comes out is read once more, and is
 * given only when it is the same workflow with as many comments.
 */
#include <stdlib.h>

#include "base/error.h"
#include "lang/model.h"
#include "lang/normal.h"
#include "lang/read.h"

#define NONE          UINT32_MAX
#define LOOK_BACK_MAX 10000 /* lines; further away it is not seen what a comment stands below */

/* A key or an item, in the order of the normal form. */
struct entry {
    uint32_t line, column; /* in the file; line 0: it has no place there */
    uint32_t to;           /* its line in the normal form */
    uint32_t end;          /* the first entry that is not inside of it */
};

enum where { BELOW, ABOVE, BEHIND }; /* in the order in which they are written at one line */

/* Where a comment goes: ABOVE (or BELOW what is there before) or BEHIND a line of the normal form. */
struct placed {
    uint32_t to;
    uint32_t where;
    uint32_t indent;  /* BELOW */
    uint32_t comment; /* which: those of one place stay in their order */
};

struct carrying {
    struct arena *arena;
    struct orch_str form; /* the normal form, without comments */
    const struct doc_comment *comments;
    uint32_t comment_count;
    struct entry *entries;
    uint32_t entry_count, entry_capacity;
    uint32_t *first;  /* for each line of the file the entry that begins there first; NONE */
    uint32_t *next;   /* for each line of the file this one or the first after it on which something begins; 0: none */
    uint32_t *indent; /* for each line of the file how far it is indented */
    uint32_t line_count;
    const char **rows; /* where the lines of the normal form begin; one past the last: where it ends */
    uint32_t row_count;
    struct placed *placed;
};

/* ---- both trees at once ---- */

static int add_entry(struct carrying *carrying, const struct doc_node *from, const struct doc_node *to)
{
    if (carrying->entry_count == carrying->entry_capacity) {
        uint32_t capacity = carrying->entry_capacity ? carrying->entry_capacity * 2 : 64;
        struct entry *entries = mem_resize(carrying->arena->allocator, carrying->entries,
                                           carrying->entry_capacity * sizeof *entries, capacity * sizeof *entries);
        if (!entries) return ORCH_ERR_NO_MEMORY;
        carrying->entries = entries;
        carrying->entry_capacity = capacity;
    }
    carrying->entries[carrying->entry_count++] = (struct entry){from->line, from->column, to->line, 0};
    return 0;
}

/* Whether a value begins on a line on which neither its key nor anything inside of it does. */
static bool has_own_line(const struct doc_node *key, const struct doc_node *value)
{
    if (value->line == key->line) return false;
    if (value->kind < DOC_LIST || value->count == 0) return true;
    return value->line != (value->kind == DOC_MAP ? value->members[0].key.line : value->items[0].line);
}

/* Recursive by nesting, which the reader bounds. */
static int walk(struct carrying *carrying, const struct doc_node *from, const struct doc_node *to)
{
    if (from->kind < DOC_LIST && to->kind < DOC_LIST) return 0;
    if (from->kind != to->kind || from->count != to->count) return ORCH_ERR_UNSUPPORTED;
    for (uint32_t i = 0; i < from->count; i++) {
        uint32_t at = carrying->entry_count;
        const struct doc_node *inner = from->kind == DOC_MAP ? &from->members[i].value : &from->items[i];
        const struct doc_node *inner_to = to->kind == DOC_MAP ? &to->members[i].value : &to->items[i];
        int r;
        if (from->kind == DOC_MAP) {
            const struct doc_node *key = &from->members[i].key;
            r = add_entry(carrying, key, &to->members[i].key);
            if (!r && has_own_line(key, inner)) r = add_entry(carrying, inner, &to->members[i].key);
        } else
            r = add_entry(carrying, inner, inner_to);
        uint32_t begun = carrying->entry_count;
        if (!r) r = walk(carrying, inner, inner_to);
        if (r) return r;
        while (at < begun) carrying->entries[at++].end = carrying->entry_count;
    }
    return 0;
}

/* ---- lines ---- */

static int find_lines(struct carrying *carrying)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < carrying->entry_count; i++)
        if (carrying->entries[i].line > last) last = carrying->entries[i].line;
    carrying->line_count = last + 1;
    carrying->first = ARENA_ARRAY(carrying->arena, carrying->line_count, uint32_t);
    if (!carrying->first) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = 0; i <= last; i++) carrying->first[i] = NONE;
    for (uint32_t i = 0; i < carrying->entry_count; i++) {
        const struct entry *entry = &carrying->entries[i];
        uint32_t *first = &carrying->first[entry->line];
        if (entry->line > 0 && (*first == NONE || entry->column < carrying->entries[*first].column)) *first = i;
    }
    carrying->next = ARENA_ARRAY(carrying->arena, carrying->line_count, uint32_t);
    if (!carrying->next) return ORCH_ERR_NO_MEMORY;
    for (uint32_t i = last + 1, next = 0; i-- > 0;) carrying->next[i] = next = carrying->first[i] != NONE ? i : next;
    return 0;
}

/* Lines of the file end where they end for libyaml. */
static int find_indents(struct carrying *carrying, struct orch_str text)
{
    if (str_starts_with(text, STR("\xEF\xBB\xBF"))) text = str_of(text.data + 3, text.size - 3);
    carrying->indent = ARENA_ARRAY(carrying->arena, carrying->line_count, uint32_t);
    if (!carrying->indent) return ORCH_ERR_NO_MEMORY;
    uint32_t line = 1, indent = 0;
    bool is_inside = false;
    for (size_t at = 0; at < text.size && line < carrying->line_count;) {
        uint32_t c = utf8_next(text, &at);
        if (c == '\r' && at < text.size && text.data[at] == '\n') continue;
        if (c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029) {
            line++;
            indent = 0;
            is_inside = false;
        } else if (!is_inside && c == ' ')
            indent++;
        else if (!is_inside) {
            is_inside = true;
            carrying->indent[line] = indent;
        }
    }
    return 0;
}

static int find_rows(struct carrying *carrying)
{
    struct orch_str form = carrying->form;
    for (size_t i = 0; i < form.size; i++) carrying->row_count += form.data[i] == '\n';
    carrying->rows = ARENA_ARRAY(carrying->arena, (size_t)carrying->row_count + 2, const char *);
    if (!carrying->rows) return ORCH_ERR_NO_MEMORY;
    carrying->rows[1] = form.data;
    uint32_t row = 2;
    for (size_t i = 0; i < form.size; i++)
        if (form.data[i] == '\n') carrying->rows[row++] = form.data + i + 1;
    return 0;
}

static uint32_t indent_of_row(const struct carrying *carrying, uint32_t row)
{
    uint32_t indent = 0;
    while (row <= carrying->row_count && carrying->rows[row][indent] == ' ') indent++;
    return indent;
}

/* ---- where each comment goes ---- */

static uint32_t line_after(const struct carrying *carrying, uint32_t line)
{
    return line < carrying->line_count ? carrying->next[line] : 0;
}

static uint32_t line_before(const struct carrying *carrying, uint32_t line, uint32_t indent_max)
{
    if (line >= carrying->line_count) line = carrying->line_count;
    for (uint32_t steps = LOOK_BACK_MAX; line-- > 1 && steps > 0; steps--)
        if (carrying->first[line] != NONE && carrying->indent[line] <= indent_max) return line;
    return 0;
}

/* Below all that is inside of what begins on that line of the file. */
static struct placed below(const struct carrying *carrying, uint32_t line)
{
    const struct entry *entry = &carrying->entries[carrying->first[line]];
    uint32_t next = entry->end;
    while (next < carrying->entry_count && carrying->entries[next].to <= entry->to) next = carrying->entries[next].end;
    uint32_t to = next < carrying->entry_count ? carrying->entries[next].to : carrying->row_count + 1;
    uint32_t indent = indent_of_row(carrying, entry->to);
    /* No further indented than what follows, it is no other than those above that. */
    bool is_above = to <= carrying->row_count && indent <= indent_of_row(carrying, to);
    return (struct placed){.to = to, .where = is_above ? ABOVE : BELOW, .indent = indent};
}

static struct placed at_line(const struct carrying *carrying, uint32_t line, enum where where)
{
    if (line == 0) return (struct placed){.to = carrying->row_count + 1, .where = BELOW};
    return (struct placed){.to = carrying->entries[carrying->first[line]].to, .where = where};
}

static struct placed place(const struct carrying *carrying, const struct doc_comment *comment)
{
    uint32_t next = line_after(carrying, comment->line);
    if (comment->before == 0) {
        /* Indented further than what follows, it belongs to what is before. */
        uint32_t indent = comment->column - 1;
        uint32_t before =
            indent > (next ? carrying->indent[next] : 0) ? line_before(carrying, comment->line, indent) : 0;
        return before ? below(carrying, before) : at_line(carrying, next, ABOVE);
    }
    if (next == comment->line) return at_line(carrying, next, BEHIND);
    /* Behind a dash alone, it belongs to the item (and "--- #" to the document, as "... #" does); behind a bracket or
     * what the normal form has not, to what is before. */
    if (comment->before == '.' && next == 0) return at_line(carrying, 0, BELOW);
    uint32_t before = line_before(carrying, comment->line, UINT32_MAX);
    return at_line(carrying, comment->before == '-' || comment->before == '?' || !before ? next : before, ABOVE);
}

static int compare(const void *left, const void *right)
{
    const struct placed *a = left, *b = right;
    if (a->to != b->to) return a->to < b->to ? -1 : 1;
    if (a->where != b->where) return a->where < b->where ? -1 : 1;
    return a->comment < b->comment ? -1 : a->comment > b->comment;
}

/* Only one comment can stand behind a line: several go above it. */
static void part_those_behind(struct carrying *carrying)
{
    struct placed *placed = carrying->placed;
    uint32_t count = carrying->comment_count;
    for (uint32_t i = 0; i < count;) {
        uint32_t end = i + 1;
        while (end < count && placed[end].to == placed[i].to && placed[end].where == placed[i].where) end++;
        bool is_alone = placed[i].where != BEHIND || end - i == 1;
        for (uint32_t k = i; k < end && !is_alone; k++) placed[k].where = ABOVE;
        i = end;
    }
    if (count) qsort(placed, count, sizeof *placed, compare);
}

/* How many comments at the beginning are about the file and not what follows them: the last has an empty line behind
 * it. */
static uint32_t count_head(const struct carrying *carrying)
{
    uint32_t first = line_after(carrying, 1), count = 0;
    for (uint32_t i = 0; i < carrying->comment_count && carrying->comments[i].before == 0; i++) {
        if (first && carrying->comments[i].line > first) break;
        if (carrying->comments[i].is_apart && first) count = i + 1;
    }
    return count;
}

/* ---- writing ---- */

static void put_all(const struct carrying *carrying, uint32_t head, struct buf *out)
{
    for (uint32_t i = 0; i < head; i++) {
        buf_add(out, carrying->comments[i].text);
        buf_add_text(out, carrying->comments[i].is_apart ? "\n\n" : "\n");
    }
    uint32_t at = 0, end = carrying->comment_count - head;
    for (uint32_t row = 1; row <= carrying->row_count + 1; row++) {
        for (; at < end && carrying->placed[at].to == row && carrying->placed[at].where != BEHIND; at++) {
            const struct placed *placed = &carrying->placed[at];
            uint32_t indent = placed->where == BELOW ? placed->indent : indent_of_row(carrying, row);
            for (uint32_t i = 0; i < indent; i++) buf_add_char(out, ' ');
            buf_add(out, carrying->comments[placed->comment].text);
            buf_add_char(out, '\n');
        }
        if (row > carrying->row_count) break;
        const char *start = carrying->rows[row];
        buf_add(out, str_of(start, (size_t)(carrying->rows[row + 1] - start) - 1));
        for (; at < end && carrying->placed[at].to == row; at++) {
            buf_add_text(out, "  ");
            buf_add(out, carrying->comments[carrying->placed[at].comment].text);
        }
        buf_add_char(out, '\n');
    }
}

static const struct doc_limits form_limits = {.depth_max = 200, .nodes_max = UINT32_MAX};

/* Whether it reads as what it should, with all comments. */
static int check(const struct carrying *carrying, const struct doc_node *form, struct orch_str text)
{
    struct arena arena;
    struct diags diags;
    struct buf want, got;
    const struct doc_node *root;
    const struct doc_comment *comments;
    uint32_t count = 0;
    arena_init(&arena, carrying->arena->allocator, 0);
    diags_init(&diags, &arena);
    buf_init(&want, carrying->arena->allocator, 0);
    buf_init(&got, carrying->arena->allocator, 0);
    int r = doc_parse(text, &form_limits, &arena, &diags, &root);
    if (!r) r = doc_comments(text, &arena, &comments, &count);
    if (!r) {
        normal_json(form, &want);
        normal_json(root, &got);
        if (want.failed || got.failed) r = ORCH_ERR_NO_MEMORY;
    }
    if (!r && (count != carrying->comment_count || !str_equal(buf_str(&want), buf_str(&got)))) r = ORCH_ERR_UNSUPPORTED;
    buf_done(&want);
    buf_done(&got);
    arena_done(&arena);
    return r == 0 || r == ORCH_ERR_NO_MEMORY ? r : ORCH_ERR_UNSUPPORTED;
}

static int carry(struct carrying *carrying, const struct doc_node *from, const struct doc_node *form,
                 struct orch_str text, struct buf *out)
{
    int r = walk(carrying, from, form);
    if (!r) r = find_lines(carrying);
    if (!r) r = find_indents(carrying, text);
    if (!r) r = find_rows(carrying);
    if (r) return r;
    carrying->placed = ARENA_ARRAY(carrying->arena, carrying->comment_count, struct placed);
    if (!carrying->placed) return ORCH_ERR_NO_MEMORY;
    uint32_t head = count_head(carrying);
    for (uint32_t i = head; i < carrying->comment_count; i++) {
        struct placed placed = place(carrying, &carrying->comments[i]);
        placed.comment = i;
        carrying->placed[i - head] = placed;
    }
    carrying->comment_count -= head; /* of those that are placed */
    if (carrying->comment_count) qsort(carrying->placed, carrying->comment_count, sizeof *carrying->placed, compare);
    part_those_behind(carrying);
    carrying->comment_count += head;
    struct buf whole;
    buf_init(&whole, carrying->arena->allocator, 0);
    put_all(carrying, head, &whole);
    r = whole.failed ? ORCH_ERR_NO_MEMORY : check(carrying, form, buf_str(&whole));
    if (!r) buf_add(out, buf_str(&whole));
    buf_done(&whole);
    return r;
}

/* The tree of the file in normal form, with its places. It was read before, so nothing is wrong with it. */
static int read_again(struct orch_str text, struct arena *arena, struct diags *diags, struct doc_node *ret)
{
    static const struct doc_limits limits = {.depth_max = DOC_DEPTH_MAX, .nodes_max = DOC_NODES_MAX};
    struct normal normal = {.scratch = arena, .diags = diags};
    const struct doc_node *root;
    int r = doc_parse(text, &limits, arena, diags, &root);
    if (!r) r = normal_workflow(&normal, root, ret);
    if (!r && (ret->kind == DOC_ABSENT || diags->error_count)) r = ORCH_ERR_UNSUPPORTED;
    return r == ORCH_ERR_NO_MEMORY || diags->failed ? ORCH_ERR_NO_MEMORY : r;
}

int workflow_format_commented(const struct workflow *workflow, struct orch_str text, struct buf *out,
                              uint32_t *ret_comments, struct orch_error *err)
{
    struct arena arena;
    struct diags diags;
    struct buf form;
    struct doc_node from;
    const struct doc_node *root;
    arena_init(&arena, workflow->arena->allocator, 0);
    diags_init(&diags, &arena);
    buf_init(&form, workflow->arena->allocator, 0);
    struct carrying carrying = {.arena = &arena};
    int r = doc_comments(text, &arena, &carrying.comments, &carrying.comment_count);
    if (!r) r = workflow_format(workflow, false, &form, NULL);
    if (!r && carrying.comment_count) {
        carrying.form = buf_str(&form);
        r = read_again(text, &arena, &diags, &from);
        if (!r) r = doc_parse(carrying.form, &form_limits, &arena, &diags, &root);
        if (!r) r = carry(&carrying, &from, root, text, out);
    } else if (!r)
        buf_add(out, buf_str(&form));
    mem_resize(arena.allocator, carrying.entries, carrying.entry_capacity * sizeof *carrying.entries, 0);
    buf_done(&form);
    uint32_t count = carrying.comment_count;
    arena_done(&arena);
    if (r == ORCH_ERR_NO_MEMORY || out->failed) return error_memory(err);
    if (r) return error_set(err, ORCH_ERR_UNSUPPORTED, "its comments cannot be kept");
    if (ret_comments) *ret_comments = count;
    return 0;
}
