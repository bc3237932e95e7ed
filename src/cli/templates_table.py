#!/usr/bin/env python3
"""Puts the templates of `orch init` into the program.

usage: templates_table.py EXAMPLES OUTPUT

A template is a folder of examples/ that is named here.
"""
import os
import sys

NAMES = ["hello", "etl", "fan-out", "gate", "approval", "saga", "sub-workflow", "nested", "tdd-loop", "ci"]


def literal(data):
    return ",".join(str(byte) for byte in data)


def summary(text):
    """The first comment of the file, as far as its first full stop."""
    words = text.split("\n", 1)[0].lstrip("# ").strip()
    return words.replace("\\", "\\\\").replace('"', '\\"')


def main():
    folder, output = sys.argv[1:]
    rows, blobs = [], []
    for name in NAMES:
        files = sorted(file for file in os.listdir(os.path.join(folder, name)) if not file.startswith("."))
        for file in files:
            path = os.path.join(folder, name, file)
            with open(path, "rb") as source:
                data = source.read()
            blobs.append(f"static const unsigned char template_{len(blobs)}[] = {{{literal(data)}}};")
            is_main = file == f"{name}.yaml"
            told = summary(data.decode("utf-8")) if is_main else ""
            mode = "0755" if os.access(path, os.X_OK) else "0644"
            rows.append(f'    {{"{name}", "{file}", "{told}", template_{len(blobs) - 1}, {len(data)}, {mode}, {"true" if is_main else "false"}}},')
    with open(output, "w", encoding="utf-8") as out:
        out.write("/* Made by templates_table.py from examples/. */\n" + "\n".join(blobs) + "\n"
                  "static const struct template_file template_files[] = {\n" + "\n".join(rows) + "\n};\n")


main()
