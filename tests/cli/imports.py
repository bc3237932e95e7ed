#!/usr/bin/env python3
"""orch import: instances of WfFormat of several versions, hostile names, wrong files; what is made runs.

usage: imports.py ORCH
"""
import json
import os
import subprocess
import sys
import tempfile

ORCH = os.path.abspath(sys.argv[1])
FAILED = []
ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}


def run(*args, stdin=""):
    done = subprocess.run([ORCH, *args], input=stdin.encode(), capture_output=True, timeout=60, env=ENVIRONMENT)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def check(what, got, wanted):
    if got != wanted:
        FAILED.append(what)
        print("FAILED %s\n  got    %r\n  wanted %r" % (what, got, wanted))


def instance(tasks, execution=None, **more):
    workflow = {"specification": {"tasks": tasks}}
    if execution is not None:
        workflow["execution"] = {"makespanInSeconds": 1, "executedAt": "2020-03-20T15:19:28Z", "tasks": execution}
    return dict({"name": "test", "schemaVersion": "1.5", "workflow": workflow}, **more)


def task(id, parents=(), children=(), **more):
    return dict({"name": id, "id": id, "parents": list(parents), "children": list(children)}, **more)


def made(value, *args):
    code, out, err = run("import", "-", "--json", *args, stdin=json.dumps(value))
    if code:
        return code, err
    return json.loads(out)["tasks"]


def shapes():
    diamond = instance([task("a", children=["b", "c"]), task("b", ["a"]), task("c"), task("d", ["b", "c", "b"])],
                       [{"id": "a", "runtimeInSeconds": 1.5}, {"id": "b", "runtimeInSeconds": 2e-7, "priority": 3},
                        {"id": "c", "runtimeInSeconds": 100}, {"id": "d", "runtimeInSeconds": 0.00002}])
    check("edges of parents and of children, each once", made(diamond, "--tasks", "noop"),
          {"a": {"noop": None}, "b": {"depends_on": ["a"], "noop": None, "priority": 3},
           "c": {"depends_on": ["a"], "noop": None}, "d": {"depends_on": ["b", "c"], "noop": None}})
    check("sleeps", {id: each["exec"] for id, each in made(diamond, "--scale", "0.5").items()},
          {"a": ["sleep", "0.75"], "b": ["sleep", "0"], "c": ["sleep", "50"], "d": ["sleep", "0.00001"]})
    # 1.3: names are what tasks are known by, all of it in one list
    old = {"name": "old", "schemaVersion": "1.3", "workflow": {"makespan": 2, "executedAt": "x", "tasks": [
        {"name": "x_1", "type": "compute", "parents": [], "runtime": 0.25, "cores": 4,
         "command": {"program": "true", "arguments": ["a", "{{ b }} {{"]}, "files": [{"link": "input", "name": "f", "size": 1}]},
        {"name": "x_2", "type": "compute", "parents": ["x_1"], "runtime": 4}]}}
    check("version 1.3, commands", made(old, "--tasks", "command"),
          {"x_1": {"exec": ["true", "a", "{{ \"{{\" }} b }} {{ \"{{\" }}"]}, "x_2": {"depends_on": ["x_1"], "noop": None}})
    check("version 1.3, sleeps", made(old)["x_1"], {"exec": ["sleep", "0.25"]})
    code, out, err = run("import", "-", stdin=json.dumps(old))
    check("what did not carry over", [line in err for line in (
        "note: -: 2 tasks that sleep all of their run times, 1 dependencies\n",
        "note: not carried over: lists of files (x_1)\n",
        "note: not carried over: tasks on several cores: they count as one job (x_1)\n",
        "note: not carried over: how long the whole took\n")], [True] * 4)


def names():
    wild = ["a b", "a#b", "a__b", "a_b", "1", "params", "in", "ü", "", "a" * 200, "a" * 199 + "b", "{{x}}", "\"", "a_b_2"]
    tasks = made(instance([task(name or "empty") for name in wild] + [task("last", [name or "empty" for name in wild])]),
                 "--tasks", "noop")
    check("as many as there were", (len(tasks), len(tasks["last"]["depends_on"])), (len(wild) + 1, len(wild)))
    check("all are different", len(set(tasks["last"]["depends_on"])), len(wild))
    check("the old name is kept", (tasks["a_b"]["name"], tasks["_1"]["name"]), ("a b", "1"))


def wrong():
    cases = [
        ("no JSON", "{", 3, "1:2"),
        ("another format", '{"a": 1}', 3, "no format that can be imported"),
        ("a list", "[]", 3, "no format that can be imported"),
        ("tasks are no list", '{"schemaVersion": "1.5", "workflow": {"tasks": {}}}', 3, "no format"),
        ("a task is no map", json.dumps(instance([1])), 3, "task 1 has neither id nor name"),
        ("twice", json.dumps(instance([task("a"), task("a")])), 3, 'two tasks are called "a"'),
        ("unknown parent", json.dumps(instance([task("a", ["b"])])), 3, 'parents of "a": there is no task "b"'),
        ("parents are no list", json.dumps(instance([dict(task("a"), parents=3)])), 3, 'parents of "a" are no list'),
        ("cycle", json.dumps(instance([task("a", ["b"]), task("b", ["a"])])), 3, "E0201"),
        ("no task", json.dumps(instance([])), 3, "the list of tasks is empty"),
    ]
    for what, text, code, words in cases:
        got = run("import", "-", stdin=text)
        check(what, (got[0], got[1], words in got[2]), (code, "", True))
    good = json.dumps(instance([task("a")]))
    check("no file", run("import")[0], 2)
    check("missing file", run("import", "none.json")[0], 4)
    check("unknown format", run("import", "-", "--format", "x", stdin=good)[0], 2)
    for scale in ("0", "-1", "nan", "x", "1e10"):
        check("scale " + scale, run("import", "-", "--scale", scale, stdin=good)[0], 2)
    check("formats", run("import", "--list")[1].startswith("wfformat "), True)


def runs():
    with open("w.json", "w", encoding="utf-8") as file:
        json.dump(instance([task("a"), task("b c", ["a"])],
                           [{"id": id, "runtimeInSeconds": 0.5} for id in ("a", "b c")]), file)
    code, out, err = run("import", "w.json", "--scale", "0.01", "--out", "w.yaml")
    check("written", (code, out, os.path.exists("w.yaml"), "orch run w.yaml" in err), (0, "", True, True))
    check("is not replaced", run("import", "w.json", "--out", "w.yaml")[0], 6)
    check("is replaced when asked", run("import", "w.json", "--out", "w.yaml", "--scale", "0.01", "--force")[0], 0)
    code, out, err = run("run", "w.yaml", "--progress", "plain")
    check("runs", (code, "2 ok" in err or "ok=2" in err), (0, True))


with tempfile.TemporaryDirectory(prefix="orch-imports-") as folder:
    os.chdir(folder)
    shapes()
    names()
    wrong()
    runs()
print("%d failed" % len(FAILED))
sys.exit(1 if FAILED else 0)
