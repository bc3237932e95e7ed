#!/usr/bin/env python3
"""What `orch graph` draws and how it ends.

usage: graph.py ORCH
"""
import json
import os
import subprocess
import sys
import tempfile
from xml.etree import ElementTree

ORCH = os.path.abspath(sys.argv[1])
FAILED = []
ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}

DEFINITION = """\
name: nightly
parameters: {day: {type: string}, unused: {type: string}}
tasks:
  fetch: {shell: 'echo "$ORCH_PARAM_DAY"'}
  total: {depends_on: [fetch], transform: size(fetch.output)}
  alert: {depends_on: [total], when: total.output > 3, notification: many}
  report: {depends_on: [fetch], shell: ./report}
finally: {clean: {shell: ./clean}}
"""

RUN = """\
tasks:
  good: {shell: 'true'}
  bad: {shell: 'false'}
  after: {depends_on: [bad], noop: {}}
  each:
    for_each: {in: [1, 2, 3], as: n}
    tasks:
      one: {transform: '6 / (n - 2)'}
      two: {depends_on: [one], noop: {}}
"""

TEXT = """\
nightly: 5 tasks, 3 dependencies

●   fetch   shell
├─● total   transform
│ ○ alert   notification, when total.output > 3
○   report  shell
finally
  ○ clean  shell

levels   3, at most 2 tasks side by side
order    fetch, total, alert, report
longest  fetch -> total -> alert (3)
unused   parameter "unused" is not used (line 2)
"""

CYCLE = """\
tasks:
  build: {depends_on: [pack], shell: make}
  test:
    depends_on: [build]
    shell: make test
  pack: {depends_on: [test], shell: make pack}
"""


def run(*args, stdin=""):
    done = subprocess.run([ORCH, "graph", *args], input=stdin.encode(), capture_output=True, timeout=60, env=ENVIRONMENT)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def check(what, got, wanted):
    if got != wanted:
        FAILED.append(what)
        print(f"{what}\n  wanted {wanted!r}\n  got    {got!r}")


def check_in(what, text, part):
    if part not in text:
        FAILED.append(what)
        print(f"{what}\n  wanted {part!r} in\n{text}")


def text(path):
    check("text", run(path), (0, TEXT, ""))
    check("standard input", run("-", stdin=DEFINITION), (0, TEXT, ""))
    code, out, _ = run(path, "--ascii")
    check("ascii ends well", code, 0)
    check_in("ascii", out, "+-* total   transform\n| o alert")
    check("ascii is ASCII", out.isascii(), True)


def svg(root):
    """Well-formed, described, and nothing in it that the reader would have to fetch or run."""
    name = "{http://www.w3.org/2000/svg}"
    check("svg root", root.tag, name + "svg")
    check("svg title", root.find(name + "title").text, "nightly")
    check("svg desc", root.find(name + "desc").text, "6 boxes, 3 dependencies")
    texts = [text.text for text in root.iter(name + "text")]
    for text in ("fetch", "total", "when total.output > 3", "finally", "clean"):
        check_in("svg text", texts, text)
    check("svg lines", len([path for path in root.iter(name + "path") if path.get("class") == "line"]), 3)
    for element in root.iter():
        check("svg elements", element.tag.replace(name, "") in
              ("svg", "title", "desc", "style", "defs", "marker", "path", "rect", "g", "text"), True)
        for key, value in element.items():
            check("svg attributes", key.startswith("on") or "href" in key or "://" in value, False)


def formats(path):
    code, out, _ = run(path, "--format", "json")
    tasks = {task["path"]: task for task in json.loads(out)["tasks"]}
    check("json", code, 0)
    check("json paths", sorted(tasks), ["alert", "fetch", "finally/clean", "report", "total"])
    check("json edges", tasks["alert"]["depends_on"], ["total"])
    drawing = json.loads(out)
    check("json size", drawing["width"] > 0 and drawing["height"] > 0, True)
    check("json places", all(key in task for task in tasks.values() for key in ("x", "y", "width", "height")), True)
    check("json lines", [(edge["from"], edge["to"]) for edge in drawing["edges"]],
          [("fetch", "total"), ("total", "alert"), ("fetch", "report")])
    for edge in drawing["edges"]:
        box = tasks[edge["from"]]
        check("json line begins at its task", edge["points"][0], [box["x"] + box["width"] // 2, box["y"] + box["height"]])
        box = tasks[edge["to"]]
        check("json line ends at its task", edge["points"][-1], [box["x"] + box["width"] // 2, box["y"]])
    check("json handlers", [handler["role"] for handler in drawing["handlers"]], ["finally"])
    code, out, _ = run(path, "-f", "dot")
    check("dot", code, 0)
    check("dot shape", (out.startswith('digraph "nightly" {\n'), out.endswith("}\n"), out.count(" -> ")), (True, True, 3))
    code, out, _ = run(path, "-fmermaid")
    check("mermaid", code, 0)
    check("mermaid shape", (out.startswith("flowchart TD\n"), out.count(" --> ")), (True, 3))
    code, out, err = run(path, "--format", "svg")
    check("svg", (code, err), (0, ""))
    svg(ElementTree.fromstring(out))
    code, out, err = run(path, "--format", "png")
    check("an unknown format", (code, out), (2, ""))
    check_in("an unknown format lists the known", err, "text, svg, dot, mermaid and json")


def runs(folder):
    """A run, drawn with how its tasks stand; the definition's file is gone by then."""
    path, store = os.path.join(folder, "run.yaml"), os.path.join(folder, "store")
    with open(path, "w", encoding="utf-8") as file:
        file.write(RUN)
    done = subprocess.run([ORCH, "run", path, "--store", store, "--progress", "quiet"], capture_output=True, timeout=60,
                          env=ENVIRONMENT)
    check("the run fails", done.returncode, 1)
    os.remove(path)
    code, out, err = run("--run", "last", "--store", store)
    check("a run as text", (code, err), (0, ""))
    for part in ("\u2714 succeeded", "\u2717 failed", "\u2717 1 failed, 2 succeeded", "\u2298 skipped"):
        check_in("a run's states", out, part)
    code, out, _ = run("--run", "last", "--store", store, "--format", "json")
    states = {task["path"]: task.get("state") for task in json.loads(out)["tasks"]}
    check("a run as json", (code, states), (0, {"good": "succeeded", "bad": "failed", "after": "skipped", "each": "failed",
                                                "each/one": "failed", "each/two": "succeeded"}))
    code, out, _ = run("--run", "last", "--store", store, "--format", "svg", "--direction", "right")
    check("a run as svg", code, 0)
    rects = [rect.get("class") for rect in ElementTree.fromstring(out).iter("{http://www.w3.org/2000/svg}rect")]
    for shade in ("task good", "task bad", "task idle", "group bad"):
        check_in("a run's colours", rects, shade)
    check("a run and a file", run("--run", "last", "x.yaml")[0], 2)
    check("a run as dot", run("--run", "last", "--store", store, "--format", "dot")[0], 2)
    check("no such run", run("--run", "r-0000", "--store", store)[0], 4)


def cycles(folder, path):
    wrong = os.path.join(folder, "cycle.yaml")
    with open(wrong, "w", encoding="utf-8") as file:
        file.write(CYCLE)
    check("a cycle", run(wrong, "--cycle"),
          (3, "╭─▶ build  line 2, waits for pack\n│   test   line 3, waits for build (line 4)\n╰── pack   line 6, waits for test\n", ""))
    code, out, err = run(wrong)
    check("a cycle cannot be drawn as a graph", (code, out), (3, ""))
    check_in("a cycle is told", err, "error[E0201]: tasks wait for each other: build -> test -> pack -> build")
    check("no cycle", run(path, "--cycle"), (0, "no cycle: every task can run\n", ""))


def trouble():
    code, out, err = run("no-such-file.yaml")
    check("no file", (code, out), (4, ""))
    check_in("no file is named", err, "no-such-file.yaml")
    check("no argument", run()[0], 2)
    code, out, _ = run("--help")
    check("help", code, 0)
    check_in("help begins with examples", out[:30], "orch graph etl.yaml")


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "nightly.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(DEFINITION)
        text(path)
        formats(path)
        cycles(folder, path)
        runs(folder)
    trouble()
    print("failed: %s" % ", ".join(FAILED) if FAILED else "all as wanted")
    return 1 if FAILED else 0


sys.exit(main())
