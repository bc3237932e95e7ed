#!/usr/bin/env python3
"""Verbs for a run that another process carries out, and for a second one: rerun, wait, watch; why something waits.

usage: more_verbs.py --orch PATH
"""
import json
import os
import signal

from harness import check, contains, equal, main, wait_until

GATE = """
name: gate
tasks:
  first: {shell: 'echo begun; until test -e go; do sleep 0.02; done; echo over'}
  second: {depends_on: first, shell: 'echo two; test ! -e bad'}
"""


def begin(box):
    box.write("gate.yaml", GATE)
    job = box.start("run", "gate.yaml", "--progress", "plain")
    job.expect("begun")
    return job, box.run("ps", "-o", "name").out.strip()


# ---- rerun ----

def test_rerun(box):
    box.write("r.yaml", "parameters: {n: {type: integer, default: 1}, s: {type: string, default: '7'}}\n"
                        "tasks: {a: {transform: 'string(params.n) + params.s'}}\noutput: {got: '{{ a.output }}'}\n")
    equal(box.run("run", "r.yaml", "-p", "n=5").json(), {"got": "57"})
    box.write("r.yaml", "tasks: {b: {shell: exit 9}}\n")
    done = box.run("rerun", "last", "--progress", "quiet")
    equal((done.code, done.json()), (0, {"got": "57"}), done)
    equal(box.run("rerun", "last", "-p", "n=6").json(), {"got": "67"})
    equal(box.run("rerun", "last", "-p", "s=x").json(), {"got": "6x"})
    runs = [box.run("show", name, "-o", "json").json() for name in box.run("runs", "-o", "name").out.split()]
    equal(len(runs), 4)
    equal(len({run["digest"] for run in runs}), 1)
    wrong = box.run("rerun", "last", "-p", "n=six")
    equal(wrong.code, 3, wrong)
    contains(wrong.err, "n")
    equal(box.run("rerun", "r-0000000").code, 4)


def test_rerun_with_sub_workflows(box):
    """What was pinned then is run, not what stands in the files now."""
    file = box.example("sub-workflow")
    equal(box.run("run", file, "-p", "numbers=[2, 3]").code, 0)
    box.write("sub-workflow/square.yaml", "tasks: {x: {shell: exit 9}}\n")
    done = box.run("rerun", "last", "--store", "sub-workflow/.orch", "-p", "numbers=[3, 4]", "--progress", "quiet")
    equal(done.code, 0, done)
    tasks = {task["task"]: task for task in box.run("show", "--store", "sub-workflow/.orch", "-o", "json").json()["tasks"]}
    equal(tasks["sum"]["output"], 25)


# ---- wait ----

def test_wait(box):
    job, run = begin(box)
    late = box.run("wait", run, "--timeout", "150ms")
    equal((late.code, late.out), (8, ""), late)
    waiting = box.start("wait", run)
    box.write("go", "")
    equal(job.wait().code, 0)
    done = waiting.wait()
    equal((done.code, done.out), (0, f"{run} succeeded\n"), done)
    equal(box.run("wait", run, run).out, f"{run} succeeded\n")
    box.write("bad", "")
    equal(box.run("rerun", run, "--progress", "quiet").code, 1)
    failed = box.run("runs", "-o", "name").out.split()[0]
    equal(box.run("wait", failed).code, 1)
    both = box.run("wait", run, failed)
    equal((both.code, both.out), (1, f"{run} succeeded\n{failed} failed\n"))
    equal(box.run("wait", "--any", run, failed).out, f"{run} succeeded\n")
    equal(box.run("wait", "r-0000000").code, 4)


def test_wait_for_one_that_is_cancelled(box):
    job, run = begin(box)
    waiting = box.start("wait", run)
    equal(box.run("cancel", run).code, 0)
    equal(job.wait().code, 9)
    equal(waiting.wait().code, 9)


# ---- watch ----

def test_watch_plain(box):
    job, run = begin(box)
    watch = box.start("watch", run, "--progress", "plain")
    watch.expect("watch")
    box.write("go", "")
    equal(job.wait().code, 0)
    done = watch.wait()
    equal(done.code, 0, done)
    contains(done.err, "first           log      over", "first           ok", "second          log      two", "second          ok", "succeeded", "✔ gate")
    check(done.err.index("log      over") < done.err.index("first           ok"), done.err)


def test_watch_jsonl(box):
    job, run = begin(box)
    box.write("bad", "")
    watch = box.start("watch", run, "--progress", "jsonl")
    wait_until("the watcher", lambda: watch.process.poll() is None)
    box.write("go", "")
    equal(job.wait().code, 1)
    done = watch.wait()
    equal(done.code, 1, done)
    told = [json.loads(line) for line in done.err.splitlines()]
    equal({each["run"] for each in told}, {run})
    history = {each["seq"]: each for each in map(json.loads, box.run("show", run, "--history", "-o", "json").out.splitlines())}
    for each in told:
        if "seq" in each:
            equal(each["type"], history[each["seq"]]["type"])
    if told:
        equal(told[-1]["type"], "execution.ended")


def test_watch_tree(box):
    job, run = begin(box)
    watch = box.terminal("watch", run)
    watch.expect("another process runs it")
    watch.expect("Ctrl-C detaches")
    watch.press(b"\x03")
    equal(watch.wait(), 130)
    contains(watch.screen.text(True), f"detached; orch watch {run} comes back, orch cancel {run} stops it")
    check(job.process.poll() is None, "the run ended with who watched it")
    again = box.terminal("watch")
    again.expect("Ctrl-C detaches")
    box.write("go", "")
    equal(job.wait().code, 0)
    equal(again.wait(), 0)
    contains(again.screen.text(True), "succeeded in")
    equal((again.screen.unknown, again.screen.up_beyond), ([], 0))


def test_watch_when_its_owner_goes(box):
    job, run = begin(box)
    watch = box.start("watch", run, "--progress", "plain")
    watch.expect("watch")
    job.process.send_signal(signal.SIGKILL)
    job.wait()
    done = watch.wait()
    equal(done.code, 7, done)
    contains(done.err, f"orch run --continue {run}")
    box.write("go", "")
    equal(box.run("run", "--continue", run).code, 0)
    done = box.run("watch", run, "--progress", "plain")
    equal(done.code, 0, done)


# ---- why ----

def test_why(box):
    job, run = begin(box)
    equal(box.run("show", run, "--why", "second").out, f"waits for first; first is running\nnext: orch logs {run} first -f\n")
    equal(box.run("pause", run).code, 0)
    job.process.send_signal(signal.SIGKILL)
    job.wait()
    wait_until("nobody to run it", lambda: "nobody runs it now" in box.run("show", run, "--why", "second").out)
    contains(box.run("show", run, "--why", "second").out, f"next: orch run --continue {run}")
    equal(box.run("cancel", run).code, 0)
    contains(box.run("show", run, "--why", "second").out, f"next: orch retry {run} --failed")


def test_handlers_are_named(box):
    box.write("h.yaml", "tasks:\n  g:\n    tasks: {a: {shell: exit 1}}\n    on_error: {f: {shell: 'true'}, h: {shell: 'true'}}\n")
    equal(box.run("run", "h.yaml", "--progress", "quiet").code, 0)
    contains(box.run("show").out, "✔ on_error/f ", "✔ on_error/h ", "✗ a ")


# ---- who does not answer ----

def test_stopped_owner(box):
    job, run = begin(box)
    job.process.send_signal(signal.SIGSTOP)
    try:
        late = box.run("cancel", run, "--timeout", "2500ms")
        check(late.code not in (0, 1), late)
        contains(late.err, f"pid {job.process.pid}", f"kill -CONT {job.process.pid}")
        short = box.run("pause", run, "--timeout", "100ms")
        check(short.code not in (0, 1) and "pid" not in short.err, short)
    finally:
        job.process.send_signal(signal.SIGCONT)
    job.wait()


# ---- logs ----

def test_logs_of_an_attempt_there_is_not(box):
    box.write("l.yaml", "tasks: {t: {exec: [sh, -c, 'echo try $ORCH_ATTEMPT; test $ORCH_ATTEMPT = 2'], retry: {max_attempts: 2, delay: 1ms}}}\n")
    equal(box.run("run", "l.yaml", "--progress", "quiet").code, 0)
    for args in (("t",), ()):
        none = box.run("logs", "last", *args, "--attempt", "99")
        equal((none.code, none.out), (4, ""), none)
        contains(none.err, "no attempt 99", "attempts 1 to 2")
    equal(box.run("logs", "last", "t", "--attempt", "2").out, "try 2\n")


def test_damaged_log_lines(box):
    box.write("l.yaml", "tasks: {t: {shell: 'echo one; echo two; echo three'}}\n")
    equal(box.run("run", "l.yaml", "--progress", "quiet").code, 0)
    (folder,) = os.listdir(box.path(".orch", "logs"))
    (name,) = os.listdir(box.path(".orch", "logs", folder))
    path = box.path(".orch", "logs", folder, name)
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    lines[1] = b"\0" * len(lines[1])
    with open(path, "wb") as file:
        file.write(b"\n".join(lines))
    done = box.run("logs", "last", "t")
    equal((done.code, done.out), (0, "one\nthree\n"))
    contains(done.err, "1 damaged line is left out")


def test_blocks_that_failed_by_themselves_are_counted(box):
    box.write("b.yaml", "tasks: {loop: {repeat: {until: 'false', max: 2}, shell: 'true'}}\n")
    done = box.run("run", "b.yaml", "--progress", "plain")
    equal(done.code, 1, done)
    contains(done.err, "1 failed")


if __name__ == "__main__":
    main(globals())
