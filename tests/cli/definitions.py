#!/usr/bin/env python3
"""orch validate, orch fmt and orch schema: what they print, what they write, how they end.

usage: definitions.py ORCH EXAMPLES PAGE
"""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

ORCH = os.path.abspath(sys.argv[1])
EXAMPLES = os.path.abspath(sys.argv[2])
PAGE = os.path.abspath(sys.argv[3])  # docs/definitions.md
FAILED = []
ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}

GOOD = "tasks:\n  b: {run: echo b, dependencies: a}\n  a: {run: echo a}\nname: good\n"
NORMAL = "name: good\ntasks:\n  b:\n    depends_on: [a]\n    shell: echo b\n  a:\n    shell: echo a\n"
BAD = "tasks:\n  a: {shel: echo a}\n  b: {shell: x, depends_on: [c]}\n"
WARNED = "parameters: {p: {}}\ntasks: {a: {noop: }}\n"


def run(*args, stdin=""):
    done = subprocess.run([ORCH, *args], input=stdin.encode(), capture_output=True, timeout=60, env=ENVIRONMENT)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def check(what, got, wanted):
    if got != wanted:
        FAILED.append(what)
        print("FAILED %s\n  got    %r\n  wanted %r" % (what, got, wanted))


def write(name, text):
    with open(name, "w", encoding="utf-8", newline="") as file:
        file.write(text)


def read(name):
    with open(name, encoding="utf-8", newline="") as file:
        return file.read()


def validate():
    check("validate", run("validate", "good.yaml"), (0, "ok: good, 2 tasks\n", ""))
    check("validate standard input", run("validate", "-", stdin=GOOD), (0, "ok: good, 2 tasks\n", ""))
    code, out, err = run("validate", "bad.yaml")
    check("invalid: exit code and output", (code, out), (3, ""))
    check("invalid: all errors", err.count("error["), 2)
    check("invalid: places", ("bad.yaml:2:7" in err, "bad.yaml:3:30" in err), (True, True))
    code, out, err = run("validate", "warned.yaml")
    check("warning", (code, out, err.startswith("warning[W0901]")), (0, "ok: warned, 1 task, 1 parameter, 1 warning\n", True))
    check("missing", run("validate", "none.yaml")[0], 4)
    code, out, err = run("validate", "none.yaml", "good.yaml", "bad.yaml")
    check("several files", (code, out), (3, "ok: good, 2 tasks\n"))
    check("no file", run("validate")[0], 2)
    check("unknown option", run("validate", "--wrong", "good.yaml")[0], 2)
    check("help", (run("validate", "--help")[0], "orch validate etl.yaml" in run("validate", "--help")[1]), (0, True))
    code, out, err = run("validate", "-o", "json", "good.yaml", "bad.yaml", "warned.yaml")
    answers = json.loads(out)
    check("json: exit code", (code, err), (3, ""))
    check("json: files", [(a["file"], a["ok"], a["errors"], a["warnings"]) for a in answers],
          [("good.yaml", True, 0, 0), ("bad.yaml", False, 2, 0), ("warned.yaml", True, 0, 1)])
    check("json: counts", (answers[0]["name"], answers[0]["tasks"], answers[0]["parameters"]), ("good", 2, 0))
    first = answers[1]["findings"][0]
    check("json: finding", (first["code"], first["line"], first["column"], first["length"]), ("E0101", 2, 7, 4))
    check("json: only a missing file", run("validate", "-o", "json", "none.yaml")[:2], (4, "[]\n"))


def fmt():
    check("fmt", run("fmt", "good.yaml"), (0, NORMAL, ""))
    check("fmt of what it printed", run("fmt", "-", stdin=NORMAL), (0, NORMAL, ""))
    code, out, err = run("fmt", "--json", "good.yaml")
    check("fmt --json", (code, json.loads(out)), (0, {"name": "good", "tasks": {"b": {"depends_on": ["a"], "shell": "echo b"}, "a": {"shell": "echo a"}}}))
    check("fmt of JSON prints YAML", run("fmt", "-", stdin=out), (0, NORMAL, ""))
    code, out, err = run("fmt", "bad.yaml")
    check("fmt of an invalid file", (code, out, err.count("error[")), (3, "", 2))
    check("fmt of a missing file", run("fmt", "none.yaml")[0], 4)
    check("fmt of two files", run("fmt", "good.yaml", "normal.yaml")[0], 2)
    check("fmt -w of standard input", run("fmt", "-w", "-", stdin=GOOD)[0], 2)
    check("check", run("fmt", "--check", "good.yaml", "normal.yaml"), (1, "good.yaml\n", ""))
    check("check of what is normal", run("fmt", "--check", "normal.yaml"), (0, "", ""))

    write("w.yaml", GOOD)
    os.chmod("w.yaml", 0o640)
    check("write", run("fmt", "-w", "w.yaml"), (0, "", ""))
    check("what was written", (read("w.yaml"), os.stat("w.yaml").st_mode & 0o777), (NORMAL, 0o640))
    before = os.stat("w.yaml")
    check("write what is normal", (run("fmt", "-w", "w.yaml"), os.stat("w.yaml").st_ino), ((0, "", ""), before.st_ino))
    commented = "# keep me\n\n" + GOOD
    kept = "# keep me\n\n" + NORMAL
    check("comments are printed", run("fmt", "-", stdin=commented), (0, kept, ""))
    write("c.yaml", commented)
    check("comments are written", (run("fmt", "-w", "c.yaml"), read("c.yaml")), ((0, "", ""), kept))
    check("normal with comments", run("fmt", "--check", "c.yaml"), (0, "", ""))
    code, out, err = run("fmt", "--json", "c.yaml")
    check("JSON has no comments, and that is said", (code, "keep me" in out, err), (0, False, "note: the comments of c.yaml are not carried over\n"))
    code, out, err = run("fmt", "-w", "--json", "c.yaml")
    check("comments are not lost", (code, read("c.yaml"), "--force" in err), (3, kept, True))
    code, out, err = run("fmt", "-w", "--json", "--force", "c.yaml")
    check("force", (code, out, err, json.loads(read("c.yaml"))["name"]), (0, "", "", "good"))
    check("JSON has none to lose", run("fmt", "--json", "c.yaml")[2], "")
    write("w.json", '{"tasks":{"a":{"run":"x"}}}')
    check("JSON stays JSON", (run("fmt", "-w", "w.json"), read("w.json")),
          ((0, "", ""), '{\n  "tasks": {\n    "a": {\n      "shell": "x"\n    }\n  }\n}\n'))
    check("JSON is checked as JSON", run("fmt", "--check", "w.json"), (0, "", ""))


def examples():
    for name in sorted(glob.glob(os.path.join(EXAMPLES, "*", "*.yaml"))):
        code, once, err = run("fmt", name)
        check("fmt " + name, (code, err), (0, ""))
        check("fmt twice " + name, run("fmt", "-", stdin=once)[1], once)
        check("comments of " + name, sorted(re.findall("^ *(#.*)", once, re.M)), sorted(re.findall("^ *(#.*)", read(name), re.M)))
        normal = run("fmt", "--json", name)[1]
        # The file's own name is not in the text: a name given by the file is left out of the comparison.
        check("fmt by way of JSON " + name, run("fmt", "-", stdin=normal)[1], re.sub("^ *#.*\n+", "", once, flags=re.M))


def schema():
    code, out, err = run("schema")
    check("schema", (code, err), (0, ""))
    table = json.loads(out)
    check("schema: dialect", table["$schema"], "https://json-schema.org/draft/2020-12/schema")
    check("schema on one line", (run("schema", "--compact")[1].count("\n"), json.loads(run("schema", "--compact")[1])), (1, table))
    check("schema: words too many", run("schema", "x")[0], 2)
    try:
        import jsonschema
        validator = jsonschema.Draft202012Validator
    except (ImportError, AttributeError):
        print("the schema is not tried on examples: python3-jsonschema 4 is not installed")
        return
    validator.check_schema(table)
    validator = validator(table)
    for name in sorted(glob.glob(os.path.join(EXAMPLES, "*", "*.yaml"))):
        normal = json.loads(run("fmt", "--json", name)[1])
        check("schema takes " + name, [e.message for e in validator.iter_errors(normal)], [])
    wrong = [
        {}, {"tasks": 1}, {"tasks": {"a b": {"shell": "x"}}}, {"tasks": {"a": {"shel": "x"}}}, {"tasks": {"a": {"shell": "x", "exec": ["y"]}}},
        {"tasks": {"a": {"timeout": "1s"}}}, {"tasks": {"a": {"shell": "x", "retry": 0}}}, {"tasks": {"a": {"shell": "x", "join": "some"}}},
        {"tasks": {"a": {"shell": "x", "timeout": "soon"}}}, {"tasks": {}, "concurrency": 0}, {"tasks": {}, "fail_fast": "yes"},
    ]
    for number, definition in enumerate(wrong):
        check("schema refuses %d" % number, validator.is_valid(definition), False)


def page():
    """The page has a row for each key of the table, in the section of its map, and no other rows."""
    sections = {"workflow": "Workflow", "parameter": "Parameters", "concurrency": "Workflow", "schedule": "Schedule", "task": "Tasks", "join": "join",
                "for_each": "for_each", "repeat": "repeat", "retry": "retry", "pool": "pool", "call": "workflow", "channel": "notification"}
    rows, words, heading = {}, {}, ""
    for line in read(PAGE).splitlines():
        if line.startswith("#"):
            heading = line.lstrip("#").strip()
        words.setdefault(heading, "")
        words[heading] += line + "\n"
        if line.startswith("| `"):
            rows.setdefault(heading, set()).update(re.findall(r"`([a-z_]+)`", line.split("|")[1]))
    table = json.loads(run("schema")[1])["$defs"]
    known = {}
    for name, definition in table.items():
        section = sections.get(name, name)
        check("a section for " + name, section in words, True)
        keys = set(definition["properties"])
        known.setdefault(section, set()).update(keys)
        if name == "task":
            keys -= set(rows["Tasks"])
            for key in sorted(keys):  # an action has a section of its own
                check("a section for the action " + key, key in words, True)
            continue
        if name in ("join", "channel"):
            check("the keys of " + name, [key for key in sorted(keys) if key not in words[section]], [])
            continue
        check("rows of " + section + " for " + name, sorted(keys - rows.get(section, set())), [])
    for section, keys in rows.items():
        if section in known and section != "join":
            check("rows of " + section + " that are no keys", sorted(keys - known[section]), [])


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write("good.yaml", GOOD)
        write("normal.yaml", NORMAL)
        write("bad.yaml", BAD)
        write("warned.yaml", WARNED)
        validate()
        fmt()
        examples()
        schema()
        page()
        os.chdir("/")
    print("%d failed" % len(FAILED))
    return 1 if FAILED else 0


sys.exit(main())
