/*
 * table.c - columns that line up.
 */
#include "cli/cli.h"

#include <stdlib.h>

#define COLUMNS_MAX 24

struct cell {
    struct orch_str text;
    enum cli_color color;
    uint32_t width;
};

struct cli_table {
    struct arena arena;
    uint32_t columns;
    bool right[COLUMNS_MAX];
    uint32_t widths[COLUMNS_MAX];
    struct cell *cells; /* rows of `columns`, the headings first */
    uint32_t count, capacity;
};

static uint32_t width_of(struct orch_str text)
{
    uint32_t width = 0;
    for (size_t at = 0; at < text.size;) width += (uint32_t)utf8_width(utf8_next(text, &at));
    return width;
}

static void add(struct cli_table *table, enum cli_color color, struct orch_str text)
{
    if (table->count == table->capacity) {
        uint32_t capacity = table->capacity ? table->capacity * 2 : 256;
        struct cell *cells = realloc(table->cells, capacity * sizeof *cells);
        if (!cells) cli_no_memory();
        table->cells = cells;
        table->capacity = capacity;
    }
    struct cell *cell = &table->cells[table->count++];
    *cell = (struct cell){.text = text, .color = color, .width = width_of(text)};
    uint32_t column = (table->count - 1) % table->columns;
    if (cell->width > table->widths[column]) table->widths[column] = cell->width;
}

struct cli_table *cli_table_new(const char *headings)
{
    struct cli_table *table = calloc(1, sizeof *table);
    if (!table) cli_no_memory();
    arena_init(&table->arena, NULL, 0);
    table->columns = 1;
    for (const char *c = headings; *c; c++) table->columns += *c == '|';
    uint32_t column = 0;
    for (struct orch_str rest = str_from(headings);; column++) {
        size_t end = str_find(rest, STR("|"), 0);
        struct orch_str one = str_of(rest.data, end == SIZE_MAX ? rest.size : end);
        if (one.size && one.data[0] == '>') {
            table->right[column] = true;
            one = str_of(one.data + 1, one.size - 1);
        }
        add(table, COLOR_GREY, one);
        if (end == SIZE_MAX) break;
        rest = str_of(rest.data + end + 1, rest.size - end - 1);
    }
    return table;
}

void cli_table_cell(struct cli_table *table, enum cli_color color, const char *format, ...)
{
    struct buf raw, clean;
    va_list args;
    buf_init(&raw, NULL, 64 * 1024);
    buf_init(&clean, NULL, 64 * 1024);
    va_start(args, format);
    buf_vprintf(&raw, format, args);
    va_end(args);
    cli_clean(buf_str(&raw), 60, false, &clean);
    struct orch_str text = arena_str(&table->arena, buf_str(&clean));
    add(table, color, text.data ? text : STR("?"));
    buf_done(&raw);
    buf_done(&clean);
}

void cli_table_print(struct cli_table *table, FILE *out)
{
    bool color = out == stderr ? cli_style.color_err : cli_style.color_out;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct cell *cell = &table->cells[i];
        uint32_t column = i % table->columns;
        uint32_t pad = table->widths[column] - cell->width;
        bool last = column + 1 == table->columns;
        if (table->right[column]) fprintf(out, "%*s", (int)pad, "");
        fprintf(out, "%s%.*s%s", cli_color(color, cell->color), STR_ARG(cell->text), cli_color_end(color, cell->color));
        if (!table->right[column] && !last) fprintf(out, "%*s", (int)pad, "");
        fputs(last ? "\n" : "  ", out);
    }
}

struct cli_table *cli_table_free(struct cli_table *table)
{
    if (!table) return NULL;
    free(table->cells);
    arena_done(&table->arena);
    free(table);
    return NULL;
}
