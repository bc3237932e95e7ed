#!/usr/bin/env python3
"""Makes the table of help_errors.c from docs/errors.md: help_errors_table.py errors.md help_errors_table.h"""
import re
import sys


def c_string(text):
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return "\n     ".join('"%s\\n"' % line for line in text.split("\n"))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        parts = re.split(r"^## ", file.read(), flags=re.M)[1:]
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write("/* made from docs/errors.md */\n")
        for part in parts:
            heading, text = part.split("\n", 1)
            match = re.fullmatch(r"([EW]\d{4}): (.+)", heading)
            if not match:
                sys.exit("errors.md: a heading that is no code: %s" % heading)
            code, title = match.groups()
            title = title.replace("\\", "\\\\").replace('"', '\\"')
            out.write('    {"%s", "%s",\n     %s},\n' % (code, title, c_string(text.strip())))


main()
