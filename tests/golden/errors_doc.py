#!/usr/bin/env python3
"""docs/errors.md beside src/lang/diag_codes.h: the same codes and titles; and each example there is told its code.

errors_doc.py ORCH
"""
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def codes_of(orch, text, kind):
    with tempfile.NamedTemporaryFile("w", suffix="." + kind, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        run = subprocess.run([orch, "validate", file.name], capture_output=True, encoding="utf-8", timeout=60)
    return re.findall(r"^(?:error|warning)\[([EW]\d{4})\]", run.stderr, re.M)


def main():
    orch = os.path.abspath(sys.argv[1])
    with open(os.path.join(TOP, "src/lang/diag_codes.h"), encoding="utf-8") as file:
        codes = {int(number): title for number, title in re.findall(r'X\(\w+, +(\d+), "([^"]*)"\)', file.read())}
    with open(os.path.join(TOP, "docs/errors.md"), encoding="utf-8") as file:
        parts = re.split(r"^## ", file.read(), flags=re.M)[1:]
    wrong = []
    pages = {}
    examples = 0
    for part in parts:
        code, title = part.split("\n", 1)[0].split(": ", 1)
        pages[int(code[1:])] = title
        if (code[0] == "W") != (int(code[1:]) >= 900):
            wrong.append("%s: errors begin with E, warnings with W" % code)
        for kind, example in re.findall(r"```(yaml|json)\n(.*?)```", part, re.S):
            examples += 1
            told = codes_of(orch, example, kind)
            if code not in told:
                wrong.append("%s: its example is told %s" % (code, ", ".join(told) or "nothing"))
    for number in sorted(codes.keys() | pages.keys()):
        if codes.get(number) != pages.get(number):
            wrong.append("%04d: %r in diag_codes.h, %r in errors.md" % (number, codes.get(number), pages.get(number)))
    for line in wrong:
        print("FAILED", line)
    print("%d codes, %d examples, %d failed" % (len(codes), examples, len(wrong)))
    return len(wrong) > 0


sys.exit(main())
