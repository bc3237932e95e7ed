#!/usr/bin/env python3
"""`orch replay`: the history of a run, and how it stood at any point of it.

usage: replay.py --orch PATH
"""
import json
import re

from harness import check, contains, equal, main, wait_until

EVERY = """
name: every
parameters: {fail: {type: boolean, default: false}}
tasks:
  plain: {shell: "echo hi"}
  skipped: {when: "false", noop: {}}
  items: {for_each: {in: [1, 2], as: i}, tasks: {x: {transform: "i"}, y: {depends_on: x, shell: "true"}}}
  again: {repeat: {max: 2}, transform: "iteration"}
  flaky: {shell: "test -e once || { touch once; exit 75; }", retry: {max_attempts: 3, delay: 10ms}}
  late: {shell: "sleep 60", timeout: 100ms, continue_on_error: true}
  pause: {wait: 20ms}
  inner: {workflow: inner}
  mended: {shell: "exit 3", on_error: {noop: {}}}
  booked: {depends_on: [plain, items, again, flaky, late, pause, inner, mended], shell: "true", compensate: {shell: "true"}}
  last: {depends_on: booked, shell: '[ "$FAIL" = false ]', env: {FAIL: "{{ string(fail) }}"}}
finally: {tidy: {shell: "true"}}
"""
INNER = "tasks: {deep: {shell: 'echo deep'}}\n"


def every(box, *args):
    box.write("every.yaml", EVERY)
    box.write("inner.yaml", INNER)
    return box.run("run", "every.yaml", "--progress", "quiet", *args)


def lines(box, *args):
    done = box.run("replay", "last", "-o", "jsonl", *args)
    equal(done.code, 0, done)
    return [json.loads(line) for line in done.out.splitlines()]


def states(tree):
    return {task["task"]: task["state"] for task in tree["tasks"]}


def test_every_construct(box):
    equal(every(box).code, 0)
    text = box.run("replay", "last")
    equal((text.code, text.err), (0, ""))
    listed = text.out.splitlines()
    objects = lines(box)
    equal(len(listed), len(objects))
    equal([o["seq"] for o in objects], list(range(1, len(objects) + 1)))
    equal([int(line.split()[0]) for line in listed], list(range(1, len(objects) + 1)))
    for line, o in zip(listed, objects):
        contains(line, o["t"], o["words"])
    for wanted in [r"  -  +workflow every started by ", r"  skipped +skipped: its condition was false", r"  items +begins: 2 items", r"  items\[0\]/x +succeeded",
                   r"  items +item 0 ended: succeeded", r"  again +iteration 2 begins: 1 task", r"  flaky +try 1 failed: exit code 75", r"  flaky +waits \S+ before the next try",
                   r"  flaky +try 2 starts", r"  late +try 1 is told to stop: timeout", r"  late +timed out after ", r"  pause +waits ",
                   r"  inner +try 1 starts: workflow inner, run r-\w+", r"  mended +its on_error begins: 1 task", r"  mended +succeeded after", r"  - +the workflow's finally begins: 1 task",
                   r"  finally/tidy|  finally ", r"  - +ended: succeeded$"]:
        check(re.search(wanted, text.out, re.M), wanted, "is not in\n" + text.out)
    child = re.search(r"workflow inner, run (r-\w+)", text.out)[1]
    contains(box.run("replay", child).out, "deep", "ended: succeeded")
    # As a list, the same lines.
    equal(box.run("replay", "last", "-o", "json").json(), objects)
    # It says what show --history says.
    history = [json.loads(line) for line in box.run("show", "last", "--history", "-o", "json").out.splitlines()]
    equal(history, [{k: v for k, v in o.items() if k != "words"} for o in objects])


def test_undone(box):
    equal(every(box, "-p", "fail=true").code, 1)
    text = box.run("replay").out
    for wanted in [r"  - +undoing 1 task$", r"  booked +is being undone", r"  booked +its compensate begins: 1 task", r"  booked/compensate +try 1 starts", r"  booked +undone$",
                   r"  - +ended: compensated: last failed"]:
        check(re.search(wanted, text, re.M), wanted, "is not in\n" + text)


def test_at_every_point(box):
    """What is said of each task at each point follows from the transitions up to there."""
    equal(every(box, "-p", "fail=true").code, 1)
    objects = lines(box)
    last = len(objects)
    expected = {}
    for at in list(range(0, last + 1, 3)) + [last]:
        tree = box.run("replay", "last", "--at", str(at), "-o", "json").json()
        equal((tree["sequence"], tree["last"]), (at, last))
        if at == 0:
            equal((tree["state"], tree["tasks"]), ("pending", []))
            continue
        equal(tree["transition"], objects[at - 1])
        equal(tree["t"], objects[at - 1]["t"])
        expected = {}
        for o in objects[:at]:
            if o["type"] == "task.ended":
                expected[o["step"]] = o["state"]
            elif o["type"] == "task.compensating":
                expected[o["step"]] = "compensating"
        got = states(tree)
        for path, state in expected.items():
            equal(got[path], state, f"{path} at {at}")
        for path, state in got.items():
            check(path in expected or state in ("pending", "ready", "waiting", "running"), path, state, "at", str(at))
    end = box.run("show", "last", "-o", "json").json()
    equal(tree["tasks"], end["tasks"])
    equal((tree["state"], tree["done"], tree["total"]), (end["state"], end["done"], end["total"]))


def test_at_in_words(box):
    equal(every(box).code, 0)
    last = len(lines(box))
    done = box.run("replay", "last", "--at", "3")
    equal(done.code, 0)
    check(re.match(rf"every  #r-\w+  transition 3 of {last}  \d{{4}}-\S+Z, \S+ after the start\nlast   plain  may start\nstate  running  0/\d+ tasks\n", done.out), done.out)
    contains(done.out, "plain", "booked", "waits for")
    contains(box.run("replay", "last", "--at", "0").out, f"transition 0 of {last}: nothing was recorded yet")
    done = box.run("replay", "last", "--at", str(last + 1))
    equal((done.code, done.out), (4, ""))
    contains(done.err, f"ends with transition {last}")
    # What waits is told as of then, not as of now.
    waiting = next(o["seq"] for o in lines(box) if o["type"] == "task.waiting" and o["step"] == "pause")
    contains(box.run("replay", "last", "--at", str(waiting)).out, "pause", "timer")


def test_part_of_it(box):
    equal(every(box).code, 0)
    objects = lines(box)
    equal(lines(box, "--from", "4", "--to", "9"), objects[3:9])
    equal(lines(box, "--from", str(len(objects) - 1)), objects[-2:])
    equal(lines(box, "--from", "100000"), [])
    equal(box.run("replay", "--from", "100000", "-o", "json").json(), [])
    paths = {o.get("step") for o in lines(box, "--task", "items")}
    check({"items", "items[0]/x", "items[1]/y"} <= paths and paths <= {None, "items", "items[0]", "items[1]", "items[0]/x", "items[0]/y", "items[1]/x", "items[1]/y"}, sorted(map(str, paths)))
    equal({o["step"] for o in lines(box, "--task", "items[1]/y")}, {"items[1]/y"})
    equal(lines(box, "--task", "plain", "--to", "2"), [])
    for args, code, part in [(["--task", "pla"], 4, 'no task "pla"'), (["--at", "x"], 2, "--at wants the number"), (["--from", "-1"], 2, "--from wants"),
                             (["--at", "3", "--to", "4"], 2, "are for the list"), (["--all"], 2, "--at"), (["r-none"], 4, "r-none")]:
        done = box.run("replay", *args)
        equal((done.code, done.out), (code, ""), f"{args} {done}")
        contains(done.err, part)


def test_killed_and_continued(box):
    box.write("slow.yaml", "tasks: {a: {shell: 'test -e go || { echo $$ > pid; exec sleep 600; }'}, b: {depends_on: a, shell: 'true'}}\n")
    job = box.start("run", "slow.yaml", "--progress", "plain")
    task = box.pid("pid")
    before = lines(box)
    equal(states(box.run("replay", "-o", "json", "--at", str(len(before))).json()), {"a": "running", "b": "pending"})
    job.process.kill()
    job.wait()
    box.gone(task)
    box.write("go", "")
    wait_until("the store to be free", lambda: box.run("run", "slow.yaml", "--continue", "--progress", "quiet").code == 0)
    after = lines(box)
    equal(after[:len(before)], before)
    text = box.run("replay").out
    contains(text, "try 1 was lost", "try 2 starts")
    # The moment of the crash is still what it was.
    equal(states(box.run("replay", "-o", "json", "--at", str(len(before))).json()), {"a": "running", "b": "pending"})


def test_run_again(box):
    box.write("f.yaml", "tasks: {a: {shell: 'true'}, b: {depends_on: a, shell: 'test -e ok'}, c: {depends_on: b, shell: 'true'}}\n")
    equal(box.run("run", "f.yaml", "--progress", "quiet").code, 1)
    first = lines(box)
    box.write("ok", "")
    equal(box.run("retry", "last", "--progress", "quiet").code, 0)
    objects = lines(box)
    equal(objects[:len(first)], first)
    text = box.run("replay").out
    for wanted in [r"  - +run again, for the 1\. time by ", r"  b +set back: as if it had not run", r"  c +set back"]:
        check(re.search(wanted, text, re.M), wanted, "is not in\n" + text)
    tree = box.run("replay", "-o", "json", "--at", str(len(first))).json()
    equal((tree["state"], tree["generation"], states(tree)), ("failed", 0, {"a": "succeeded", "b": "failed", "c": "skipped"}))
    tree = box.run("replay", "-o", "json", "--at", str(len(objects))).json()
    equal((tree["state"], tree["generation"], states(tree)), ("succeeded", 1, {"a": "succeeded", "b": "succeeded", "c": "succeeded"}))


def test_commands_in_words(box):
    box.write("held.yaml", "tasks: {ok: {approval: 'Deploy?'}, go: {depends_on: ok, wait: {event: go}}}\n")
    job = box.start("run", "held.yaml", "--progress", "plain")
    job.expect("orch approve")
    equal(box.run("pause", "last").code, 0)
    equal(box.run("resume", "last").code, 0)
    equal(box.run("approve", "last", "--comment", "fine").code, 0)
    equal(box.run("signal", "last", "go").code, 0)
    equal(job.wait().code, 0)
    text = box.run("replay").out
    for wanted in [r"  ok +waits for an approval$", r"  - +paused by ", r"  - +goes on: the pause was ended by ", r"  ok +approved by .*: \"?fine", r'  - +event "go" came by ']:
        check(re.search(wanted, text, re.M), wanted, "is not in\n" + text)


if __name__ == "__main__":
    main(globals())
