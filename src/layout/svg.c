/*
 * svg.c - a picture of a workflow as one SVG file that needs nothing else: no script, no font, no other file.
 *
 * Light and dark by the viewer's own setting. States are told by symbol, word and colour. Every text from outside is
 * escaped, and what XML or a reader's eye must not meet is left out (control characters, direction overrides).
 * Source: SVG 1.1 (second edition), XML 1.0 section 2.2.
 */
#include <stdio.h>

#include "layout/export.h"

#define MARGIN 16

static const char style[] =
    "<style>\n"
    "svg{background:#fff;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;"
    "font-size:11px}\n"
    ".paper{fill:#fff}\n"
    ".task{fill:#f6f8fa;stroke:#8c959f}\n"
    ".group{fill:#818b98;fill-opacity:.08;stroke:#8c959f}\n"
    ".handler{fill:#818b98;fill-opacity:.05;stroke:#8c959f;stroke-dasharray:5 4}\n"
    ".line{fill:none;stroke:#6e7781;stroke-width:1.4}\n"
    ".head{fill:#6e7781}\n"
    "text{fill:#57606a;white-space:pre}\n"
    ".id{fill:#1f2328;font-size:13px;font-weight:600}\n"
    ".rule{fill:#0550ae}\n"
    ".idle{stroke:#8c959f}.waiting{stroke:#9a6700}.running{stroke:#0969da}.good{stroke:#1a7f37}"
    ".bad{stroke:#cf222e}.stopped{stroke:#6e40c9}\n"
    ".state-idle{fill:#57606a}.state-waiting{fill:#7d4e00}.state-running{fill:#0550ae}.state-good{fill:#116329}"
    ".state-bad{fill:#a40e26}.state-stopped{fill:#512a97}\n"
    "@media (prefers-color-scheme:dark){\n"
    "svg{background:#0d1117}.paper{fill:#0d1117}\n"
    ".task{fill:#161b22;stroke:#6e7681}.group,.handler{fill:#b1bac4;stroke:#6e7681}\n"
    ".line{stroke:#8b949e}.head{fill:#8b949e}text{fill:#9ea7b3}.id{fill:#e6edf3}.rule{fill:#79c0ff}\n"
    ".idle{stroke:#6e7681}.waiting{stroke:#d29922}.running{stroke:#58a6ff}.good{stroke:#3fb950}.bad{stroke:#f85149}"
    ".stopped{stroke:#bc8cff}\n"
    ".state-idle{fill:#9ea7b3}.state-waiting{fill:#e3b341}.state-running{fill:#79c0ff}.state-good{fill:#56d364}"
    ".state-bad{fill:#ff7b72}.state-stopped{fill:#d2a8ff}\n"
    "}\n"
    "</style>\n";

const char *layout_tone_to_string(enum layout_tone tone)
{
    switch (tone) {
    case TONE_IDLE: return "idle";
    case TONE_WAITING: return "waiting";
    case TONE_RUNNING: return "running";
    case TONE_GOOD: return "good";
    case TONE_BAD: return "bad";
    case TONE_STOPPED: return "stopped";
    }
    return "";
}

static bool is_left_out(uint32_t c)
{
    return (c < 0x20 && c != '\n') || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f || c == 0x61c || (c & 0xfffe) == 0xfffe;
}

static void add_escaped(struct buf *out, struct orch_str text)
{
    for (size_t at = 0; at < text.size;) {
        char bytes[4];
        uint32_t c = utf8_next(text, &at);
        if (is_left_out(c)) continue;
        switch (c) {
        case '&': buf_add_text(out, "&amp;"); break;
        case '<': buf_add_text(out, "&lt;"); break;
        case '>': buf_add_text(out, "&gt;"); break;
        case '"': buf_add_text(out, "&quot;"); break;
        case '\'': buf_add_text(out, "&#39;"); break;
        default: buf_add(out, str_of(bytes, utf8_put(c, bytes)));
        }
    }
}

static void add_text(struct buf *out, const char *class, int64_t x, int64_t y, struct orch_str text)
{
    buf_printf(out, "<text%s%s%s x=\"%lld\" y=\"%lld\">", class ? " class=\"" : "", class ? class : "",
               class ? "\"" : "", (long long)x, (long long)y);
    add_escaped(out, text);
    buf_add_text(out, "</text>");
}

static void add_item(struct buf *out, const struct picture *picture, uint32_t i)
{
    const struct picture_item *item = &picture->items[i];
    const struct layered_box *box = &picture->layered.nodes[i];
    const char *class = item->block ? "handler" : item->holds ? "group" : "task";
    bool is_known = item->state && item->state->word;
    const char *tone = is_known ? layout_tone_to_string(item->state->tone) : "";
    int64_t x = box->x + MARGIN, y = box->y + MARGIN, at = y + 9;

    buf_add_text(out, "<g><title>");
    add_escaped(out, item->full);
    buf_printf(out, "</title><rect class=\"%s%s%s\" x=\"%lld\" y=\"%lld\" width=\"%lld\" height=\"%lld\" rx=\"7\"/>",
               class, is_known ? " " : "", tone, (long long)x, (long long)y, (long long)box->width,
               (long long)box->height);
    if (is_known && !item->holds)
        buf_printf(out, "<path class=\"%s\" stroke-width=\"4\" d=\"M%lld %lldv%lld\"/>", tone, (long long)x + 2,
                   (long long)y + 7, (long long)box->height - 14);
    for (uint32_t line = 0; line < PICTURE_LINES && item->lines[line].size > 0; line++) {
        char state[32];
        const char *line_class = NULL;
        bool is_last = line + 1 == PICTURE_LINES || item->lines[line + 1].size == 0;
        at += line == 0 && item->task ? 13 : line == 0 ? 11 : 15;
        if (line == 0 && item->task) {
            line_class = "id";
        } else if (is_known && is_last) {
            snprintf(state, sizeof(state), "state-%s", tone);
            line_class = state;
        } else if (item->has_rules && line == 2) {
            line_class = "rule";
        }
        add_text(out, line_class, x + 12, at, item->lines[line]);
    }
    buf_add_text(out, "</g>\n");
}

/* Lines leave and arrive along the direction of the drawing; those to the side are bent both ways in between. */
static void add_edge(struct buf *out, const struct picture *picture, uint32_t e)
{
    const struct layered *layered = &picture->layered;
    uint32_t begin = layered->point_start[e], end = layered->point_start[e + 1];
    bool is_right = picture->direction == LAYERED_RIGHT;
    if (begin == end) return;
    buf_add_text(out, "<path class=\"line\" marker-end=\"url(#orch-head)\" d=\"");
    for (uint32_t i = begin; i < end; i++) {
        int64_t x = layered->points[i].x + MARGIN, y = layered->points[i].y + MARGIN;
        if (i == begin) {
            buf_printf(out, "M%lld %lld", (long long)x, (long long)y);
            continue;
        }
        int64_t from_x = layered->points[i - 1].x + MARGIN, from_y = layered->points[i - 1].y + MARGIN;
        if (is_right ? from_y == y : from_x == x) {
            buf_printf(out, is_right ? "H%lld" : "V%lld", (long long)(is_right ? x : y));
        } else if (is_right) {
            int64_t half = (from_x + x) / 2;
            buf_printf(out, "C%lld %lld %lld %lld %lld %lld", (long long)half, (long long)from_y, (long long)half,
                       (long long)y, (long long)x, (long long)y);
        } else {
            int64_t half = (from_y + y) / 2;
            buf_printf(out, "C%lld %lld %lld %lld %lld %lld", (long long)from_x, (long long)half, (long long)x,
                       (long long)half, (long long)x, (long long)y);
        }
    }
    buf_add_text(out, "\"/>\n");
}

void layout_svg(const struct picture *picture, struct buf *out)
{
    const struct workflow *workflow = picture->workflow;
    long long width = (long long)picture->layered.width + 2 * MARGIN;
    long long height = (long long)picture->layered.height + 2 * MARGIN;
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%lld\" height=\"%lld\" viewBox=\"0 0 %lld %lld\" "
               "role=\"img\" aria-labelledby=\"orch-title orch-desc\">\n<title id=\"orch-title\">",
               width, height, width, height);
    add_escaped(out, workflow->name);
    buf_add_text(out, "</title>\n<desc id=\"orch-desc\">");
    if (workflow->description.size > 0) {
        add_escaped(out, workflow->description);
        buf_add_text(out, ". ");
    }
    buf_printf(out, "%u %s, %u %s</desc>\n", picture->item_count, picture->item_count == 1 ? "box" : "boxes",
               picture->edge_count, picture->edge_count == 1 ? "dependency" : "dependencies");
    buf_add_text(out, style);
    buf_add_text(out, "<defs><marker id=\"orch-head\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"8\" "
                      "markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"head\" "
                      "d=\"M0 .6L8 4L0 7.4L1.8 4z\"/></marker></defs>\n");
    buf_printf(out, "<rect class=\"paper\" width=\"%lld\" height=\"%lld\"/>\n", width, height);
    /* What is around comes before what is inside, and lines between boxes inside come last. */
    for (uint32_t i = 0; i < picture->item_count; i++) add_item(out, picture, i);
    for (uint32_t e = 0; e < picture->edge_count; e++) add_edge(out, picture, e);
    buf_add_text(out, "</svg>\n");
}
