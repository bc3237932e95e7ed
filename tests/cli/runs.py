#!/usr/bin/env python3
"""The examples, run as their first lines say.

usage: runs.py --orch PATH
"""
import re

from harness import check, contains, equal, main, wait_until


def outcome(box, *args, code=0):
    """Runs quietly; the outcome as JSON, and of each task its state and output."""
    done = box.run("run", *args, "--progress", "quiet", "-o", "json")
    equal(done.code, code, done)
    result = done.json()
    equal(result["v"], 1)
    folder = args[0].rpartition("/")[0]
    shown = box.run("show", result["run"], "--store", f"{folder}/.orch", "-o", "json", "--all")
    equal(shown.code, 0, shown)
    return result, {task["task"]: task for task in shown.json()["tasks"]}


def test_pool_of_a_sub_workflow(box):
    """Who holds slots while a sub-workflow wants the same would wait for itself: told before anything runs."""
    box.write("child.yaml", "pools: {p: 2}\ntasks: {x: {pool: p, shell: 'true'}}\n")
    box.write("between.yaml", "tasks: {y: {workflow: child}}\n")
    box.write("parent.yaml", "pools: {p: 2}\ntasks:\n  w: {pool: p, workflow: between}\n")
    done = box.run("run", "parent.yaml")
    equal(done.code, 3, done.err)
    contains(done.err, 'task "w" holds pool "p"')
    contains(done.err, "parent.yaml:3:3")
    check("parent" not in box.run("ps", "--all", "-o", "json").out, "a run was recorded")


def test_hello(box):
    result, tasks = outcome(box, box.example("hello"), "-p", "name=Ada")
    equal(result["state"], "succeeded")
    equal(result["failed"], 0)
    equal([tasks[f"greet[{i}]"]["output"] for i in range(3)], ["Hello, Ada!", "Bonjour, Ada!", "Guten Tag, Ada!"])
    equal(tasks["flaky"]["output"], "at try 2")
    equal(tasks["flaky"]["attempts"], 2)
    equal(tasks["all"]["output"], {"greetings": ["Hello, Ada!", "Bonjour, Ada!", "Guten Tag, Ada!"], "flaky": "at try 2"})


def test_gate(box):
    file = box.example("gate")
    for threshold, done, taken, other in (("70", "published", "publish", "reject"), ("90", "rejected", "reject", "publish")):
        result, tasks = outcome(box, file, "-p", f"threshold={threshold}")
        equal(result["state"], "succeeded", threshold)
        equal(tasks["done"]["output"], done, threshold)
        equal(tasks[taken]["state"], "succeeded", threshold)
        equal(tasks[other]["state"], "skipped", threshold)
        equal(tasks[other]["attempts"], 0, threshold)


def test_gate_refuses(box):
    done = box.run("run", box.example("gate"), "-p", "threshold=101")
    equal(done.code, 3, done)
    contains(done.err, "threshold", "101")
    equal(box.run("runs", "--store", "gate/.orch", "-o", "json").json()["runs"], [])


def test_tdd_loop(box):
    result, tasks = outcome(box, box.example("tdd-loop"))
    equal(result["state"], "succeeded")
    equal(tasks["report"]["output"], "passed with 0 faults left")
    rounds = sorted(name for name in tasks if re.fullmatch(r"develop#\d+", name))
    equal(rounds, ["develop#1", "develop#2", "develop#3", "develop#4"])


def test_fan_out(box):
    file = box.example("fan-out")
    result, tasks = outcome(box, file, "-p", "text=to be or not to be")
    equal(result["output"], {"letters": 13, "words": 6})
    equal([tasks[f"count[{i}]"]["output"] for i in range(6)], [2, 2, 2, 3, 2, 2])
    # Without -o json, standard output has the declared output and nothing else.
    done = box.run("run", file)
    equal((done.code, done.json()), (0, {"letters": 28, "words": 7}))


def test_saga(box):
    ledger = box.path("ledger")
    result, tasks = outcome(box, box.example("saga"), "-p", f"ledger={ledger}", code=1)
    equal(result["state"], "compensated")
    equal(box.read("ledger").splitlines(), ["book flight", "book hotel", "book car", "cancel hotel", "cancel flight"])
    equal([tasks[name]["state"] for name in ("flight", "hotel", "car")], ["compensated", "compensated", "failed"])


def test_saga_in_stock(box):
    ledger = box.path("ledger")
    result, _ = outcome(box, box.example("saga"), "-p", f"ledger={ledger}", "-p", "sold_out=false")
    equal(result["state"], "succeeded")
    equal(box.read("ledger").splitlines(), ["book flight", "book hotel", "book car"])


def test_nested(box):
    result, tasks = outcome(box, box.example("nested"))
    equal(result["state"], "succeeded")
    equal(tasks["release"]["output"], {"docs": "checked", "code": "tested"})
    began = {name: task["started_at"] for name, task in tasks.items() if "started_at" in task}
    ended = {name: task["ended_at"] for name, task in tasks.items() if "ended_at" in task}
    for before, after in (("prepare", "build/docs/render"), ("build/docs/render", "build/docs/check"), ("build/code/compile", "build/code/test"),
                          ("build/code/lint", "build/code/test"), ("build", "release")):
        check(ended[before] <= began[after], before, "ended after the start of", after)


def test_sub_workflow(box):
    result, tasks = outcome(box, box.example("sub-workflow"), "-p", "numbers=[2, 3, 4]")
    equal(result["state"], "succeeded")
    equal(tasks["sum"]["output"], 29)
    # The three of them are runs too, but shown only when asked for.
    plain = box.run("runs", "--store", "sub-workflow/.orch", "-o", "json").json()
    every = box.run("runs", "--store", "sub-workflow/.orch", "-o", "json", "--all").json()
    equal([run["workflow"] for run in plain["runs"]], ["sub-workflow"])
    equal(sorted(run["workflow"] for run in every["runs"]), ["square", "square", "square", "sub-workflow"])


def test_approval_given(box):
    job = box.start("run", box.example("approval"), "--progress", "plain")
    job.expect("approval: orch approve")
    check(job.process.poll() is None, "did not wait")
    answered = box.run("approve", "last", "deploy_ok", "-m", "looks good", "--store", "approval/.orch")
    equal(answered.code, 0, answered)
    done = job.wait()
    equal(done.code, 0, done)
    shown = box.run("show", "--store", "approval/.orch", "-o", "json").json()
    tasks = {task["task"]: task for task in shown["tasks"]}
    equal(tasks["deploy_ok"]["output"]["comment"], "looks good")
    equal(tasks["deploy_ok"]["output"]["approved"], True)
    equal(tasks["deploy"]["output"], f"deployed, said {tasks['deploy_ok']['output']['by']}")


def test_approval_refused(box):
    job = box.start("run", box.example("approval"), "--progress", "plain")
    job.expect("approval: orch approve")
    answered = box.run("approve", "last", "--reject", "-m", "not on a Friday", "--store", "approval/.orch")
    equal(answered.code, 0, answered)
    done = job.wait()
    equal(done.code, 1, done)
    tasks = {task["task"]: task for task in box.run("show", "--store", "approval/.orch", "-o", "json").json()["tasks"]}
    equal((tasks["deploy_ok"]["state"], tasks["deploy"]["state"]), ("failed", "skipped"))
    # A second answer comes too late.
    late = box.run("approve", "last", "deploy_ok", "--store", "approval/.orch")
    equal(late.code, 6, late)
    contains(late.err, "already finished")


def test_approval_outlives_its_process(box):
    """Who answers while nobody runs it is heard when it goes on."""
    file = box.example("approval")
    job = box.start("run", file, "--progress", "plain")
    job.expect("approval: orch approve")
    job.process.kill()
    job.wait()
    wait_until("the run to be seen as interrupted",
               lambda: box.run("show", "--store", "approval/.orch", "-o", "json").json().get("interrupted"))
    again = box.start("run", file, "--continue", "--progress", "plain")
    again.expect("continue")
    wait_until("an approval that is heard", lambda: box.run("approve", "last", "--store", "approval/.orch").code == 0)
    equal(again.wait().code, 0, again.err)
    contains(box.run("logs", "last", "deploy", "--store", "approval/.orch").out, "deployed, said")


if __name__ == "__main__":
    main(globals())
