#!/usr/bin/env python3
"""`orch simulate`: what may become of a workflow, in virtual time.

usage: simulate.py --orch PATH
"""
import json
import os
import random
import re
import time

from harness import check, contains, equal, main

ALL = """
name: all
parameters: {n: {type: integer, default: 3}}
tasks:
  plain: {shell: "touch SHOULD_NOT_BE"}
  items: {for_each: {in: "[1, 2, n]", as: i, max_parallel: 2}, tasks: {x: {transform: "i"}, y: {depends_on: x, shell: "true", retry: {max_attempts: 3, delay: 10s, jitter: 0.5}}}}
  again: {repeat: {max: 2}, shell: "true"}
  late: {shell: "true", timeout: 30s, continue_on_error: true}
  pause: {wait: 20s}
  ok: {depends_on: plain, approval: "Go?"}
  news: {wait: {event: go}}
  inner: {workflow: inner}
  mended: {shell: "exit 3", on_error: {shell: "true"}}
  booked: {depends_on: [plain, items, again, late, pause, ok, news, inner, mended], shell: "true", compensate: {shell: "true"}}
  last: {depends_on: booked, shell: "true"}
finally: {tidy: {shell: "true"}}
"""
INNER = "tasks: {deep: {shell: 'true'}, deeper: {depends_on: deep, shell: 'true'}}\n"


def simulate(box, *args, code=0):
    done = box.run("simulate", *args, "-o", "json")
    equal(done.code, code, done)
    return done.json() if code == 0 else done


def ends(report):
    return {(end["state"], end["reason"]): end["runs"] for end in report["ends"]}


def tasks(report):
    return {task["task"]: task for task in report["tasks"]}


def near(got, wanted, of=1000):
    """Within five standard deviations of a coin's count."""
    p = wanted / of
    check(abs(got - wanted) <= 5 * (of * p * (1 - p)) ** 0.5 + 1, got, "is far from", wanted)


def every(box):
    box.write("all.yaml", ALL)
    box.write("inner.yaml", INNER)


def test_every_construct(box):
    every(box)
    report = simulate(box, "all.yaml")
    equal(ends(report), {("succeeded", ""): 1000})
    equal((report["runs"], report["first_seed"], report["retries"], report["crashes"]), (1000, 1, 0, 0))
    # The wait of 20 s holds up the rest: then booked, last, tidy.
    equal({name for name, task in tasks(report).items() if task["critical_runs"]}, {"pause", "booked", "last", "finally/tidy"})
    check(23000 <= report["makespan"]["p50_ms"] <= 23100, report["makespan"])
    equal(report["makespan"]["min_ms"], report["makespan"]["max_ms"])
    equal(sum(bar["runs"] for bar in report["makespan"]["histogram"]), 1000)
    counts = {name: task["ran"] for name, task in tasks(report).items()}
    equal(counts["items/y"], 3000)
    equal(counts["again"], 2000)
    equal((counts["inner"], counts["inner/deep"], counts["inner/deeper"]), (1000, 1000, 1000))
    check("mended/on_error" not in counts and "booked/compensate" not in counts, counts)
    # Nothing was run, nothing was written.
    equal(sorted(os.listdir(box.folder)), ["all.yaml", "inner.yaml"])


def test_faults(box):
    every(box)
    report = simulate(box, "all.yaml", "--fail", "last=0.5", "--fail", "items/y=0.3", "--fail", "mended=0.4", "--fail", "ok=0.05", "--duration", "late=20s..40s",
                      "--duration", "inner/*=10s..60s")
    found = ends(report)
    # An item fails when all three tries do; any of three items.
    item = 1 - (1 - 0.3 ** 3) ** 3
    good = (1 - item) * 0.95
    near(found[("succeeded", "")], 1000 * good * 0.5)
    near(found[("compensated", "last failed: exit code 1")], 1000 * good * 0.5)
    near(found[("failed", "items/y failed: exit code 1")] + found[("failed", "ok failed: refused by somebody")], 1000 * (1 - good))
    of = tasks(report)
    equal(of["booked"]["compensation"]["runs"], found[("compensated", "last failed: exit code 1")])
    equal(of["booked"]["compensation"]["succeeded"], of["booked"]["compensation"]["began"])
    near(of["mended/on_error"]["runs"], 400)
    near(of["late"]["timed_out"], 500)
    check(of["items/y"]["retries"] > 900, of["items/y"])
    near(of["items/y"]["attempts"] - of["items/y"]["retries"], 3000, 3001)
    check(30000 < of["inner/deep"]["mean_ms"] < 40000, of["inner/deep"])
    check(of["inner/deep"]["critical"] > 0.9, of["inner/deep"])
    # Each end's first seed ends so, and says how.
    for end in report["ends"]:
        one = simulate(box, "all.yaml", "--fail", "last=0.5", "--fail", "items/y=0.3", "--fail", "mended=0.4", "--fail", "ok=0.05", "--duration", "late=20s..40s",
                       "--duration", "inner/*=10s..60s", "--seed", str(end["first_seed"]))
        equal(ends(one), {(end["state"], end["reason"]): 1})
        contains(one["trace"][-1]["words"], "ended: " + end["state"])


def test_same_seed_same_bytes(box):
    every(box)
    args = ["simulate", "all.yaml", "--fail", "*=0.1", "--duration", "*=1s..1m", "--crash", "0.3", "--clock-jump", "2h"]
    for more in (["--runs", "200"], ["--runs", "200", "-o", "json"], ["--seed", "77"], ["--seed", "78"]):
        equal(box.run(*args, *more).out, box.run(*args, *more).out)
    # A seed is the same whatever was run before it.
    shifted = simulate(box, *args[1:], "--runs", "50", "--seed", "100")
    whole = simulate(box, *args[1:], "--runs", "149")
    first = simulate(box, *args[1:], "--runs", "99")
    for key in ("retries", "crashes"):
        equal(whole[key], first[key] + shifted[key])
    merged = ends(first)
    for key, count in ends(shifted).items():
        merged[key] = merged.get(key, 0) + count
    equal(ends(whole), merged)


def test_step_by_step(box):
    every(box)
    done = box.run("simulate", "all.yaml", "--fail", "last=1", "--seed", "3")
    equal((done.code, done.err), (0, ""))
    for wanted in [r"^all: seed 3, in virtual time; nothing was run$", r"^0:00.001 +plain +try 1 starts$", r"^0:\d\d.\d{3} +inner/deep +succeeded after 1.0s$",
                   r"^0:20.\d{3} +pause +succeeded after 20", r" ok +approved by somebody", r" -  +event \"go\" came", r" last +failed after 1.0s: exit code 1", r" booked +undone$",
                   r"compensated after 24.0s: last failed: exit code 1$", r"^critical path  pause 20\S*s, booked 1.0s, last 1.0s, booked/compensate 1.0s, finally/tidy 1.0s$"]:
        check(re.search(wanted, done.out, re.M), wanted, "is not in\n" + done.out)
    equal(box.run("simulate", "all.yaml", "--fail", "last=1", "--seed", "3", "--runs", "1", "--trace").out, done.out)
    contains(box.run("simulate", "all.yaml", "--trace").out, "seed 1,")


def test_never_ends(box):
    box.write("w.yaml", "tasks: {a: {shell: 'true', timeout: 1m}, b: {shell: 'true'}, c: {depends_on: [a, b], wait: {event: go}}}\n")
    report = simulate(box, "w.yaml", "--duration", "b=never", "--runs", "3")
    equal(ends(report), {("stuck", "b hangs, and has no timeout"): 3})
    equal({name: task["ran"] for name, task in tasks(report).items()}, {"a": 3, "b": 3})
    equal(report["makespan"]["histogram"], [])
    report = simulate(box, "w.yaml", "--fail", "c=1", "--runs", "3")
    equal(len(report["ends"]), 1)
    equal(report["ends"][0]["state"], "stuck")
    contains(report["ends"][0]["reason"], "c waits for ever: ", "go")
    report = simulate(box, "w.yaml", "--duration", "a=never", "--runs", "3")
    equal(ends(report), {("failed", "a failed: timed out after 1m"): 3})
    check(60000 <= report["makespan"]["max_ms"] < 75000, report["makespan"])
    text = box.run("simulate", "w.yaml", "--duration", "b=never")
    contains(text.out, "never ends", "b hangs", "--seed 1 ")


def test_crash(box):
    box.write("c.yaml", "tasks: {a: {shell: 'true'}, b: {depends_on: a, on_interrupt: fail, shell: 'true'}, h: {on_interrupt: hold, shell: 'true'}}\n")
    report = simulate(box, "c.yaml", "--crash", "1", "--duration", "*=1m")
    equal(report["crashes"], 1000)
    found = ends(report)
    kinds = {state for state, _ in found}
    equal(kinds, {"succeeded", "failed", "stuck"})
    check(any("held" in reason or "interrupted" in reason for state, reason in found if state == "stuck"), found)
    of = tasks(report)
    check(of["a"]["lost"] > 100 and of["a"]["retries"] == of["a"]["lost"], of["a"])
    check(of["b"]["failed"] > 100, of["b"])
    # Half the runs.
    report = simulate(box, "c.yaml", "--crash", "0.5")
    near(report["crashes"], 500)
    equal(simulate(box, "c.yaml", "--crash", "0")["crashes"], 0)
    for seed in range(1, 6):
        text = box.run("simulate", "c.yaml", "--crash", "1", "--seed", str(seed)).out
        contains(text, "! orch is killed", "! orch is up again")
    # A clock that is off when it begins anew does not end what waits, and costs no result.
    box.write("t.yaml", "tasks: {a: {wait: 10m}, b: {depends_on: a, shell: 'true', timeout: 1h}}\n")
    report = simulate(box, "t.yaml", "--crash", "1", "--clock-jump", "1h", "--runs", "300")
    equal(ends(report), {("succeeded", ""): 300})
    check(report["makespan"]["min_ms"] < 300000 and report["makespan"]["p50_ms"] > 590000, report["makespan"])


def test_expressions_and_outputs(box):
    box.write("e.yaml", """
tasks:
  fetch: {shell: "true"}
  each: {depends_on: fetch, for_each: {in: "fetch.output.list", as: x}, shell: "true"}
  big: {depends_on: fetch, when: "fetch.output.list.size() > 2", shell: "true"}
""")
    report = simulate(box, "e.yaml", "--runs", "10")
    equal(report["evaluation_failures"], 10)
    contains(box.run("simulate", "e.yaml").out, "an expression failed in 1,000 runs", "--output-of TASK=JSON")
    report = simulate(box, "e.yaml", "--runs", "10", "--output-of", 'fetch={"list": [1, 2, 3]}')
    equal(ends(report), {("succeeded", ""): 10})
    equal((tasks(report)["each"]["ran"], tasks(report)["big"]["ran"]), (30, 10))
    report = simulate(box, "e.yaml", "--runs", "10", "--output-of", 'fetch={"list": [1]}')
    equal((tasks(report)["each"]["ran"], tasks(report)["big"]["skipped"]), (10, 10))


def test_learn(box):
    box.write("l.yaml", """
tasks:
  a: {shell: "sleep 0.3"}
  b: {depends_on: a, shell: "printf '[1,2]' > $ORCH_OUTPUT"}
  c: {depends_on: b, for_each: {in: "b.output", as: i}, shell: "true"}
  d: {workflow: sub}
""")
    box.write("sub.yaml", "tasks: {x: {shell: 'sleep 0.2'}}\n")
    done = simulate(box, "l.yaml", "--learn", code=4)
    contains(done.err, "error[NOT_FOUND]")
    for _ in range(2):
        equal(box.run("run", "l.yaml", "--progress", "quiet").code, 0)
    with open(box.path(".orch", "orch.db"), "rb") as file:
        before = file.read()
    report = simulate(box, "l.yaml", "--learn", "--runs", "100")
    contains(report["assumed"], "as in 2 runs before")
    equal(ends(report), {("succeeded", ""): 100})
    of = tasks(report)
    check(300 <= of["a"]["mean_ms"] < 900 and 200 <= of["d/x"]["mean_ms"] < 900, of)
    equal(of["c"]["ran"], 200)
    # What is said goes first.
    equal(tasks(simulate(box, "l.yaml", "--learn", "--duration", "a=9s"))["a"]["mean_ms"] // 10, 900)
    with open(box.path(".orch", "orch.db"), "rb") as file:
        check(file.read() == before, "the store has changed")


def test_limits(box):
    box.write("p.yaml", "tasks:\n" + "".join(f"  t{i}: {{shell: 'true'}}\n" for i in range(12)))
    for jobs, seconds in ((1, 12), (3, 4), (12, 1)):
        report = simulate(box, "p.yaml", "--runs", "5", "--jobs", str(jobs))
        equal(round(report["makespan"]["p50_ms"] / 1000), seconds)
        # Who makes room is what held the others up.
        equal(sum(task["critical_runs"] for task in report["tasks"]) // 5, seconds)
    box.write("q.yaml", "parameters: {n: {type: integer, required: true}}\ntasks: {a: {for_each: {in: '[n, n]', as: i}, when: 'n > 1', shell: 'true'}}\n")
    contains(simulate(box, "q.yaml", code=3).err, "n")
    report = simulate(box, "q.yaml", "-p", "n=2", "--runs", "2")
    equal(tasks(report)["a"]["ran"], 4)


def test_wrong(box):
    every(box)
    box.write("bad.yaml", "tasks: {a: {shel: x}}\n")
    for args, code, part in [(["all.yaml", "--fail", "lsat=0.3"], 4, 'did you mean "last"'), (["all.yaml", "--duration", "nope/x=1s"], 4, "no such task"),
                             (["all.yaml", "--fail", "last"], 2, "TASK="), (["all.yaml", "--fail", "last=2"], 2, "from 0 to 1"), (["all.yaml", "--duration", "last=5"], 2, "--duration last"),
                             (["all.yaml", "--clock-jump", "1h"], 2, "--crash"), (["all.yaml", "--crash", "2"], 2, "--crash"), (["all.yaml", "--seed", "x"], 2, "--seed"),
                             (["all.yaml", "--runs", "0"], 2, "--runs"), (["all.yaml", "--trace", "--runs", "2"], 2, "--trace"), (["none.yaml"], 4, "none.yaml"), ([], 2, "FILE"),
                             (["bad.yaml"], 3, "shel"), (["all.yaml", "-p", "m=1"], 3, "m"), (["all.yaml", "-o", "xml"], 2, "json")]:
        done = box.run("simulate", *args)
        equal((done.code, done.out), (code, ""), f"{args} {done}")
        contains(done.err, part)
    for ok in ("inner/deep=0.1", "inner/*=0.1", "booked/compensate=0.1", "items[2]/y=0.1", "finally/*=0.1", "*deep=0.1", "again#2=0.1"):
        equal(box.run("simulate", "all.yaml", "--runs", "2", "--fail", ok).code, 0, ok)


def test_fast_enough(box):
    """A thousand runs of fifty tasks: a second on a quiet machine; ten where others run, or under a sanitizer."""
    draw = random.Random(1)
    lines = ["name: fifty", "tasks:"]
    for i in range(50):
        before = [f"t{j}" for j in range(max(0, i - 8), i) if draw.random() < 0.2]
        lines.append(f"  t{i}: {{shell: 'true', depends_on: [{', '.join(before)}]}}" if before else f"  t{i}: {{shell: 'true'}}")
    box.write("fifty.yaml", "\n".join(lines) + "\n")
    began = time.monotonic()
    report = simulate(box, "fifty.yaml", "--fail", "*=0.01", "--duration", "*=1s..1m")
    took = time.monotonic() - began
    equal(report["runs"], 1000)
    check(took < 10, "took", took)


def test_large(box):
    """Ten thousand items, all at once and two at a time."""
    each = '"range.output.map(x, range.output.map(y, range.output.map(z, range.output.map(w, x * 1000 + y * 100 + z * 10 + w)))).flatten().flatten().flatten()"'
    for bound, seconds in (("", 2500), ("max_parallel: 2, ", 5000)):
        box.write("large.yaml", 'tasks: {range: {transform: "[0,1,2,3,4,5,6,7,8,9]"}, each: {depends_on: range, for_each: {' + bound + "in: " + each + ", as: i}, shell: 'true'}}\n")
        began = time.monotonic()
        report = simulate(box, "large.yaml", "--runs", "2")
        check(time.monotonic() - began < 20, "took", time.monotonic() - began)
        equal(tasks(report)["each"]["ran"], 20000)
        check(seconds <= report["makespan"]["max_ms"] / 1000 < seconds * 1.01, report["makespan"])
        equal(tasks(report)["each"]["critical_runs"], 2)


if __name__ == "__main__":
    main(globals())
