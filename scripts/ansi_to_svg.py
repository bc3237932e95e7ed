#!/usr/bin/env python3
"""A terminal's screen as an SVG picture: text with SGR colours on standard input (for example what
`tmux capture-pane -e -p` prints), the picture on standard output. docs/run.svg was made with it.

    tmux capture-pane -e -p | scripts/ansi_to_svg.py > docs/run.svg
"""
import html
import re
import sys

COLORS = {31: "#e5534b", 32: "#57ab5a", 33: "#c69026", 34: "#539bf5", 90: "#768390"}
WIDTH, HEIGHT, LEFT, TOP = 8.43, 19, 16, 44


def spans(line):
    color, bold, text = None, False, ""
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if not part.startswith("\x1b["):
            text = part
            if text:
                yield text, color, bold
            continue
        for code in (int(c or 0) for c in part[2:-1].split(";")):
            if code == 0:
                color, bold = None, False
            elif code == 1:
                bold = True
            elif code in COLORS:
                color = COLORS[code]
            elif code == 39:
                color = None


def main():
    lines = [line.rstrip() for line in sys.stdin.read().splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    columns = max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines)
    width, height = int(columns * WIDTH + 2 * LEFT), len(lines) * HEIGHT + TOP + 8
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
           f'<rect width="{width}" height="{height}" rx="8" fill="#1c2128"/>',
           '<circle cx="20" cy="18" r="6" fill="#e5534b"/><circle cx="40" cy="18" r="6" fill="#c69026"/><circle cx="60" cy="18" r="6" fill="#57ab5a"/>',
           '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" fill="#adbac7" xml:space="preserve">']
    for row, line in enumerate(lines):
        column = 0
        for text, color, bold in spans(line):
            x, y = LEFT + column * WIDTH, TOP + row * HEIGHT + 8
            style = (f' fill="{color}"' if color else "") + (' font-weight="bold"' if bold else "")
            if text.strip():
                out.append(f'<text x="{x:.1f}" y="{y}" textLength="{len(text) * WIDTH:.1f}"{style}>{html.escape(text)}</text>')
            column += len(text)
    out.append("</g></svg>")
    print("\n".join(out))


if __name__ == "__main__":
    main()
