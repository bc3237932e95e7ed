#!/usr/bin/env python3
"""What `orch eval` prints and how it ends.

usage: eval.py ORCH
"""
import json
import os
import subprocess
import sys
import tempfile

ORCH = sys.argv[1]
FAILED = []


def run(*args, stdin=b""):
    done = subprocess.run([ORCH, "eval", *args], input=stdin, capture_output=True, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def check(what, got, wanted):
    if got != wanted:
        FAILED.append(what)
        print(f"{what}\n  wanted {wanted!r}\n  got    {got!r}")


def check_in(what, text, part):
    if part not in text:
        FAILED.append(what)
        print(f"{what}\n  wanted {part!r} in\n{text}")


def values():
    for args, out in [
        (["1 + 2"], "3\n"),
        (["-5"], "-5\n"),
        (["--", "--5"], "5\n"),
        (["'a' + \"b\""], '"ab"\n'),
        (["[1, 2.0, {'a': null}]"], '[1,2.0,{"a":null}]\n'),
        (["timestamp('2026-07-01T12:00:00Z').getHours('UTC')"], "12\n"),
        (["now > timestamp('2024-01-01T00:00:00Z')"], "true\n"),
    ]:
        check(args, run(*args), (0, out, ""))


def inputs():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "in.json")
        with open(path, "w", encoding="utf-8") as out:
            out.write('{"a": 20, "b.c": 1, "é": 2}')
        check("--input FILE", run("a * 2", "--input", path), (0, "40\n", ""))
        check("--input=FILE", run(f"--input={path}", "a + b.c"), (0, "21\n", ""))
        check("--input -", run("--input", "-", "x", stdin=b'{"x": [1]}'), (0, "[1]\n", ""))
        code, out, err = run("a", "--input", os.path.join(folder, "none.json"))
        check("a missing input", (code, out), (4, ""))
        check_in("a missing input", err, "none.json")
        for text, part in [(b"[1]", "no JSON object"), (b'{"a":\n 1,}', "standard input:2:"), (b"", "standard input:1:1"), (b"\xff", "standard input")]:
            code, out, err = run("a", "--input", "-", stdin=text)
            check(text, (code, out), (3, ""))
            check_in(text, err, part)


def errors():
    code, out, err = run("'é' +\n  'é' + gone")
    check("an error", (code, out), (3, ""))
    check("its picture", err, "error[EVALUATION]: undeclared reference to 'gone'\n   |\n 2 |   'é' + gone\n   |         ^\n")
    code, out, err = run("'日本' + 5")
    check("wide characters", err, "error[INVALID]: no matching overload: string + int\n   |\n 1 | '日本' + 5\n   |        ^\n"
          "  = help: convert to text with string(...)\n")
    code, out, err = run("1 + \x1b[31m")
    check("a control character", (code, "\x1b" in err), (3, False))
    code, out, err = run("sise([1])")
    check_in("a suggestion", err, "  = help: did you mean size?\n")
    for args in ([], ["1", "2"], ["--nope", "1"], ["--jsonl", "1"], ["1", "--input"]):
        code, out, err = run(*args)
        check(args, (code, out), (2, ""))
        check_in(args, err, "error[USAGE]: ")
        check_in(args, err, "usage: orch eval")
    code, out, err = run("--help")
    check("--help", (code, err), (0, ""))
    check_in("--help", out, "--jsonl")


def lines():
    asked = [
        (b'{"expr": "1 + 2"}', {"value": 3}),
        (b'{"expr": "a.b", "input": {"a": {"b": [1, null]}}}', {"value": [1, None]}),
        (b'{"input": {"x": "\\u00e9"}, "expr": "x + x"}', {"value": "éé"}),
        (b'{"expr": "x", "input": null}', {"error": "undeclared reference to 'x'", "column": 1}),
        (b'{"expr": "1 / 0"}', {"error": "divide by zero", "column": 3}),
        (b'{"expr": "1 +"}', {"error": "unexpected end of the expression, expected a value", "column": 4}),
        (b'{"expr": "nope(1) || true"}', {"value": True}),
        (b'{"expr": "nope(1) || true", "check": true}', {"error": "unknown function 'nope'", "column": 1}),
        (b'{"expr": "1u"}', {"value": 1}),
        (b'{"expr": "b\'\\u0000\\u0001\' < b\'\\u0001\'"}', {"value": True}),
        (b'{"expr": "[type(1), b\'a\', duration(\'1.5s\'), 0.0 / 0.0]"}', {"value": ["int", "YQ==", "1.5s", "NaN"]}),
        (b"", {"error": ...}),
        (b"no json", {"error": ...}),
        (b"{}", {"error": 'the line is no object with a string "expr"'}),
        (b"[]", {"error": 'the line is no object with a string "expr"'}),
        (b'{"expr": 1}', {"error": 'the line is no object with a string "expr"'}),
        (b'{"expr": "1", "input": []}', {"error": '"input" is no object'}),
        (b'{"expr": "1", "check": 1}', {"error": '"check" is no bool'}),
        (b'{"expr": "1"} {}', {"error": ...}),
        (b'{"expr": "1", "expr": "2"}', {"error": ...}),
        (b'{"expr": "\xff"}', {"error": ...}),
        (b'\x00\x01', {"error": ...}),
        (b'{"expr": "' + b"(" * 70000 + b'"}', {"error": ...}),
        (b'{"expr": "size(x)", "input": {"x": "' + b"a" * (17 << 20) + b'"}}', {"error": "a line is longer than 16 MiB"}),
        (b'{"expr": "2"}\r', {"value": 2}),
        (b'{"expr": "3"}', {"value": 3}),
    ]
    code, out, err = run("--jsonl", stdin=b"\n".join(line for line, _ in asked))
    check("--jsonl", (code, err), (0, ""))
    answers = [json.loads(line) for line in out.splitlines()]
    check("answers", len(answers), len(asked))
    for (line, wanted), got in zip(asked, answers):
        if wanted.get("error") is ...:
            check(line[:60], "value" not in got and got["error"] != "", True)
        else:
            got.pop("hint", None)
            check(line[:60], got, wanted)
    check("no lines", run("--jsonl"), (0, "", ""))


def conversation():
    """Each answer is there before the next question: somebody may wait for it."""
    with subprocess.Popen([ORCH, "eval", "--jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for i in range(3):
            process.stdin.write(json.dumps({"expr": f"{i} + 1"}).encode() + b"\n")
            process.stdin.flush()
            check("a conversation", json.loads(process.stdout.readline()), {"value": i + 1})
        process.stdin.close()
        check("its end", process.wait(timeout=60), 0)


for part in (values, inputs, errors, lines, conversation):
    part()
sys.exit(f"{len(FAILED)} wrong" if FAILED else 0)
