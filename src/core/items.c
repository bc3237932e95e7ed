/*
 * items.c - the items of a loop, kept as one JSON list: where each of them begins. They are parsed only when an
 * expression asks.
 */
#include "core/internal.h"

/* The end of the JSON value at `at`; SIZE_MAX when there is none. Takes the text to be JSON: it only has to stay inside
 * of it. */
static size_t value_end(struct orch_str text, size_t at)
{
    size_t depth = 0;

    for (; at < text.size; at++) {
        switch (text.data[at]) {
        case '"':
            for (at++; at < text.size && text.data[at] != '"'; at++)
                if (text.data[at] == '\\') at++;
            if (at >= text.size) return SIZE_MAX;
            break;
        case '[':
        case '{': depth++; break;
        case ']':
        case '}':
            if (depth == 0) return at;
            depth--;
            break;
        case ',':
            if (depth == 0) return at;
            break;
        default: break;
        }
    }
    return SIZE_MAX;
}

bool items_index(struct orch_str text, uint32_t *item_at, uint32_t count)
{
    size_t at = 1;

    if (text.size < 2 || text.size >= UINT32_MAX || text.data[0] != '[' || text.data[text.size - 1] != ']')
        return false;
    for (uint32_t i = 0; i < count; i++) {
        size_t end = value_end(text, at);
        if (end == SIZE_MAX || end == at || text.data[end] != (i + 1 < count ? ',' : ']')) return false;
        item_at[i] = (uint32_t)at;
        at = end + 1;
    }
    item_at[count] = (uint32_t)at;
    return count > 0 ? at == text.size : text.size == 2;
}
