/*
 * doc_comments.c - the comments of a YAML text, which its tree does not keep.
 *
 * A comment is a '#' between two tokens, up to the end of the line. libyaml's marks count characters, so the text is
 * walked beside them; lines end where they end for libyaml, so that lines here and in the tree are the same.
 */
#include <yaml.h>

#include "base/error.h"
#include "lang/doc_build.h"

struct walk {
    struct orch_str text;
    struct arena *arena;
    size_t at, index; /* bytes and characters walked */
    uint32_t line, column;
    uint32_t last;   /* what stood last on this line that is no white space, 0: nothing yet */
    bool after_cr;   /* a line break is not over */
    bool is_comment; /* the one that is being walked is the last of items */
    size_t start;    /* its first byte */
    struct doc_comment *items;
    uint32_t count, capacity;
    bool is_short;
};

static bool is_break(uint32_t c)
{
    return c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

static void begin_comment(struct walk *walk, size_t start)
{
    if (walk->count == walk->capacity) {
        uint32_t capacity = walk->capacity ? walk->capacity * 2 : 16;
        struct doc_comment *items =
            mem_resize(walk->arena->allocator, walk->items, walk->capacity * sizeof *items, capacity * sizeof *items);
        if (!items) {
            walk->is_short = true;
            return;
        }
        walk->items = items;
        walk->capacity = capacity;
    }
    walk->items[walk->count++] = (struct doc_comment){.line = walk->line, .column = walk->column, .before = walk->last};
    walk->is_comment = true;
    walk->start = start;
}

static void end_comment(struct walk *walk, size_t end)
{
    if (!walk->is_comment) return;
    struct orch_str text = str_of(walk->text.data + walk->start, end - walk->start);
    walk->items[walk->count - 1].text = str_trim(text);
    walk->is_comment = false;
}

/* A line with nothing on it sets the comment on the line before it apart from what follows. */
static void end_line(struct walk *walk)
{
    struct doc_comment *comment = walk->count ? &walk->items[walk->count - 1] : NULL;
    if (comment && walk->last == 0 && comment->line + 1 == walk->line) comment->is_apart = true;
    walk->line++;
    walk->column = 1;
    walk->last = 0;
}

/* To the character with that index. `between`: no token is being walked, and a '#' begins a comment. */
static void walk_to(struct walk *walk, size_t index, bool between)
{
    for (; walk->index < index && walk->at < walk->text.size; walk->index++) {
        size_t start = walk->at;
        uint32_t c = utf8_next(walk->text, &walk->at);
        if (c == '\n' && walk->after_cr) {
            walk->after_cr = false;
            continue;
        }
        walk->after_cr = c == '\r';
        if (is_break(c)) {
            end_comment(walk, start);
            end_line(walk);
            continue;
        }
        if (between && !walk->is_comment && c == '#') begin_comment(walk, start);
        if (c != ' ' && c != '\t') walk->last = c;
        walk->column++;
    }
}

/* Behind the '|' of a block a comment may stand, which belongs to the token for libyaml. */
static size_t header_end(const struct walk *walk, const yaml_token_t *token)
{
    size_t at = walk->at, index = walk->index;
    while (index < token->end_mark.index && at < walk->text.size && !is_break(utf8_next(walk->text, &at))) index++;
    return index;
}

int doc_comments(struct orch_str text, struct arena *arena, const struct doc_comment **ret, uint32_t *ret_count)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) return ORCH_ERR_NO_MEMORY;
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    if (str_starts_with(text, STR("\xEF\xBB\xBF"))) text = str_of(text.data + 3, text.size - 3);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.data, text.size);
    struct walk walk = {.text = text, .arena = arena, .line = 1, .column = 1};
    bool done = false;
    while (!done && !walk.is_short) {
        yaml_token_t token;
        if (!yaml_parser_scan(&parser, &token)) {
            walk.is_short = parser.error == YAML_MEMORY_ERROR || parser.error == YAML_NO_ERROR;
            break;
        }
        walk_to(&walk, token.start_mark.index, true);
        if (token.type == YAML_SCALAR_TOKEN && (token.data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
                                                token.data.scalar.style == YAML_FOLDED_SCALAR_STYLE))
            walk_to(&walk, header_end(&walk, &token), true);
        walk_to(&walk, token.end_mark.index, false);
        done = token.type == YAML_STREAM_END_TOKEN;
        yaml_token_delete(&token);
    }
    end_comment(&walk, walk.at);
    yaml_parser_delete(&parser);
    struct doc_comment *kept = ARENA_ARRAY(arena, walk.count, struct doc_comment);
    if (kept && walk.count) memcpy(kept, walk.items, walk.count * sizeof *kept);
    mem_resize(arena->allocator, walk.items, walk.capacity * sizeof *walk.items, 0);
    if (walk.is_short || (walk.count && !kept)) return ORCH_ERR_NO_MEMORY;
    *ret = kept;
    *ret_count = walk.count;
    return 0;
}
