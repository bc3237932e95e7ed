#!/usr/bin/env python3
"""Wrong definitions and what `orch validate` says about them.

run.py ORCH [--update] [NAME...]

For each definition here, NAME.yaml or NAME.json, NAME.expected holds what the program writes to standard error and its exit code.
A file NAME.args holds another command line, with FILE for the definition. --update writes what is said now: read the
difference as a user would before committing it. Every code of src/lang/diag_codes.h must occur somewhere, except those that
ELSEWHERE names a test for.
"""
import difflib
import os
import re
import shlex
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..")
CODES = os.path.join(HERE, "..", "..", "src", "lang", "diag_codes.h")

# Codes that no definition here is told, and why.
ELSEWHERE = {
    205: "needs 2,000,001 tasks: tests/unit/lang/test_limits.c",
    206: "needs 20,000,001 dependencies, a file of 80 MB: tests/unit/lang/test_limits.c",
    514: "a limit: tests/unit/lang/test_limits.c",
    908: "needs a graph of 10,000 tasks and 700,000 dependencies: tests/unit/lang/test_limits.c",
}


def say(orch, name, arguments):
    with tempfile.TemporaryDirectory() as folder:
        command = [orch] + [word.replace("FILE", name).replace("TMP", folder) for word in arguments]
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "HOME": folder}
        run = subprocess.run(command, cwd=HERE, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    text = run.stderr.decode("utf-8", "replace")
    if run.stdout:
        text += "standard output:\n" + run.stdout.decode("utf-8", "replace")
    return text + "exit %d\n" % run.returncode


def arguments_of(base):
    try:
        with open(os.path.join(HERE, base + ".args"), encoding="utf-8") as file:
            return shlex.split(file.read())
    except FileNotFoundError:
        return ["validate", "FILE"]


def main():
    words = [word for word in sys.argv[1:] if word != "--update"]
    update = "--update" in sys.argv
    orch = os.path.abspath(words[0])
    names = sorted(name for name in os.listdir(HERE) if name.endswith((".yaml", ".json")))
    if len(words) > 1:
        names = [name for name in names if any(word in name for word in words[1:])]
    failed = 0
    seen = set()
    for name in names:
        base = name.rsplit(".", 1)[0]
        path = os.path.join(HERE, base + ("_json" if name.endswith(".json") and base + ".yaml" in names else "") + ".expected")
        text = say(orch, name, arguments_of(base))
        seen.update(re.findall(r"^(?:error|warning)\[([EW]\d{4})\]", text, re.M))
        expected = ""
        if os.path.exists(path):
            with open(path, encoding="utf-8", newline="") as file:
                expected = file.read()
        if update and text != expected:
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            print("updated", os.path.basename(path))
        elif text != expected:
            failed += 1
            print("FAILED %s" % name)
            sys.stdout.writelines(difflib.unified_diff(expected.splitlines(True), text.splitlines(True),
                                                       os.path.basename(path), "now"))
    if len(words) == 1:
        with open(CODES, encoding="utf-8") as file:
            names_of = {int(number): name for name, number in re.findall(r"X\((\w+), +(\d+),", file.read())}
        have = {code[1:] for code in seen}
        for code in names_of:
            if "%04d" % code not in have and code not in ELSEWHERE:
                failed += 1
                print("FAILED no definition here is told code %d" % code)
        for code, why in ELSEWHERE.items():
            with open(os.path.join(TOP, why.rsplit(" ", 1)[1]), encoding="utf-8") as file:
                if code not in names_of or "DIAG_" + names_of[code] not in file.read():
                    failed += 1
                    print("FAILED code %d is not where it is said to be tested: %s" % (code, why))
    print("%d definitions, %d failed" % (len(names), failed))
    return failed > 0


sys.exit(main())
