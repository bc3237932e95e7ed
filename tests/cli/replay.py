#!/usr/bin/env python3
"""`orch replay`: the history of a run, and how it stood at any point of it.

usage: replay.py --orch PATH
"""
import json
import os
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


ETL = """
name: etl
parameters: {day: {type: string, default: mon}}
tasks:
  fetch: {shell: "printf '[1,2,3]' > $ORCH_OUTPUT", env: {DAY: "{{ day }}", ID: "{{ execution.id }}"}}
  clean: {depends_on: fetch, for_each: {in: "fetch.output", as: i}, shell: "test $I != 2 || exit 75", env: {I: "{{ string(i) }}"}}
  report: {depends_on: clean, shell: "true"}
  side: {shell: "true"}
  small: {depends_on: fetch, when: "size(fetch.output) < 3", shell: "true"}
  sub: {workflow: inner}
finally: {tidy: {shell: "true"}}
"""


def what_if(box, file, *args, code=0):
    done = box.run("replay", "last", "--what-if", file, "-o", "json", *args)
    equal(done.code, code, done)
    return done.json() if code == 0 else done


def changes(report):
    return {(c["change"], c["task"]): c for c in report["changes"]}


def test_what_if_nothing_changed(box):
    """Under its own definition a run is what it was, whatever happened in it."""
    for args in ([], ["-p", "fail=true"]):
        code = every(box, *args).code
        report = what_if(box, "every.yaml")
        equal((report["changes"], report["moves"], report["made_up"]), ([], [], 0))
        for side in ("recorded", "before", "after"):
            equal(report[side]["state"], "compensated" if code else "succeeded", side)
        equal(report["after"].get("output"), box.run("show", "last", "-o", "json").json().get("output"))
        text = box.run("replay", "--what-if", "every.yaml")
        contains(text.out, "the same tasks, in the same order", "nothing was run")
        # At each point of it: what was not known yet is made up, and succeeds.
        last = report["last"]
        for at in (1, 2, last // 3, last // 2):
            report = what_if(box, "every.yaml", "--at", str(at))
            equal((report["changes"], report["moves"], report["sequence"]), ([], [], at))
        if not args:
            equal(report["after"]["state"], "succeeded")


def test_what_if(box):
    box.write("etl.yaml", ETL)
    box.write("inner.yaml", "tasks: {x: {shell: 'true'}, y: {depends_on: x, shell: 'true'}}\n")
    equal(box.run("run", "etl.yaml", "--progress", "quiet").code, 1)
    runs = [line.split()[:3] for line in box.run("runs").out.splitlines()]
    report = what_if(box, "etl.yaml")
    equal((report["changes"], report["made_up"]), ([], 0))
    # Another command, another condition, a task less, a task more.
    box.write("new.yaml", ETL.replace("|| exit 75", "|| true").replace("< 3", "< 4").replace('  side: {shell: "true"}', '  lint: {depends_on: fetch, shell: "true"}'))
    report = what_if(box, "new.yaml")
    found = changes(report)
    equal(set(found), {("again", "clean[0]"), ("again", "clean[1]"), ("again", "clean[2]"), ("new", "lint"), ("new", "small"), ("new", "report"), ("gone", "side")})
    equal(found[("again", "clean[1]")]["difference"], "command")
    equal((found[("again", "clean[1]")]["before"]["state"], found[("again", "clean[1]")]["after"]["state"]), ("failed", "succeeded"))
    check(found[("gone", "side")]["has_run"] and "has_run" not in found[("new", "lint")], found)
    equal((report["recorded"]["state"], report["before"]["state"], report["after"]["state"]), ("failed", "failed", "succeeded"))
    text = box.run("replay", "--what-if", "new.yaml").out
    for wanted in [r"^would run again +clean\[1\] +other: command; succeeded, not failed: exit code 75$", r"^would run +lint +it is new$", r"^would run +small +it was skipped$",
                   r"^would not run +side +it is not there any more \(it has run already\)$", r"^recorded +failed", r"^as it was +failed", r"^as it is +succeeded"]:
        check(re.search(wanted, text, re.M), wanted, "is not in\n" + text)
    # Another policy: what is recorded stays, the next try is new.
    box.write("retry.yaml", ETL.replace('  clean: {', '  clean: {retry: {max_attempts: 2, delay: 1s}, '))
    report = what_if(box, "retry.yaml")
    equal(set(changes(report)), {("end", "clean[1]"), ("new", "report")})
    equal(report["after"]["state"], "succeeded")
    box.write("other.yaml", ETL.replace('  clean: {', '  clean: {retry: {max_attempts: 2, delay: 1s, exit_codes: [1]}, '))
    equal(what_if(box, "other.yaml")["changes"], [])
    # Another parameter; and one that is gone, or asked for.
    equal(set(changes(what_if(box, "etl.yaml", "-p", "day=tue"))), {("again", "fetch")})
    equal(changes(what_if(box, "etl.yaml", "-p", "day=tue"))[("again", "fetch")]["difference"], "env DAY")
    contains(what_if(box, "etl.yaml", "-p", "dya=tue", code=3).err, "dya")
    # In the sub-workflow.
    os.mkdir(box.path("v2"))
    box.write("v2/etl.yaml", ETL)
    box.write("v2/inner.yaml", "tasks: {x: {shell: 'echo x'}, y: {depends_on: x, shell: 'true'}}\n")
    equal(set(changes(what_if(box, "v2/etl.yaml"))), {("again", "sub/x")})
    # The old sub-workflow is the one that was pinned, whatever its file is now.
    box.write("inner.yaml", "tasks: {z: {shell: 'true'}}\n")
    equal(set(changes(what_if(box, "etl.yaml"))), {("gone", "sub/x"), ("gone", "sub/y"), ("new", "sub/z")})
    box.write("inner.yaml", "tasks: {x: {shell: 'true'}, y: {depends_on: x, shell: 'true'}}\n")
    # In another order.
    box.write("order.yaml", ETL.replace("  side: {", "  side: {depends_on: [clean], join: all_done, "))
    moves = what_if(box, "order.yaml")["moves"]
    equal([move["task"] for move in moves], ["side"])
    check(moves[0]["was"] < moves[0]["is"], moves)
    # From a point on: what came later is not known.
    objects = lines(box)
    fetched = next(o["seq"] for o in objects if o["type"] == "task.ended" and o.get("step") == "fetch")
    report = what_if(box, "etl.yaml", "--at", str(fetched))
    equal((report["changes"], report["after"]["state"], report["sequence"], report["last"]), ([], "succeeded", fetched, len(objects)))
    check(report["made_up"] >= 4, report)
    # Nothing was run or written.
    equal([line.split()[:3] for line in box.run("runs").out.splitlines()], runs)
    equal(lines(box), objects)
    box.write("bad.yaml", "tasks: {a: {shel: x}}\n")
    for args, code, part in [(["--what-if", "bad.yaml"], 3, "shel"), (["--what-if", "none.yaml"], 4, "none.yaml"), (["--what-if", "etl.yaml", "--at", "0"], 2, "--at 1"),
                             (["--what-if", "etl.yaml", "--at", "9999"], 4, "ends with transition"), (["--what-if", "etl.yaml", "--from", "2"], 2, "are for the list"),
                             (["-p", "day=x"], 2, "--what-if"), (["--what-if", "etl.yaml", "-o", "jsonl"], 2, "for the list")]:
        done = box.run("replay", *args)
        equal((done.code, done.out), (code, ""), f"{args} {done}")
        contains(done.err, part)


def test_what_if_secrets_and_answers(box):
    box.write("held.yaml", """
secrets: [token]
tasks:
  call: {shell: "echo $T", env: {T: "{{ secrets.token }}"}}
  ok: {depends_on: call, approval: "Deploy?"}
  go: {depends_on: ok, shell: "true"}
  news: {depends_on: ok, wait: {event: go}}
  use: {depends_on: news, transform: "news.output"}
""")
    job = box.start("run", "held.yaml", "--progress", "plain", env={"ORCH_SECRET_token": "hush"})
    job.expect("orch approve")
    waiting = len(lines(box))
    equal(box.run("approve", "last", "--comment", "fine").code, 0)
    equal(box.run("signal", "last", "go", "--data", '{"n": 7}').code, 0)
    equal(job.wait().code, 0)
    report = what_if(box, "held.yaml")
    equal((report["changes"], report["moves"], report["made_up"]), ([], [], 0))
    equal(report["after"]["output"], box.run("show", "last", "-o", "json").json()["output"])
    check("hush" not in box.run("replay", "last", "--what-if", "held.yaml").out, "a secret is shown")
    report = what_if(box, "held.yaml", "--at", str(waiting))
    equal((report["changes"], report["after"]["state"]), ([], "succeeded"))
    box.write("no.yaml", box.read("held.yaml").replace("go: {depends_on: ok, shell", "go: {depends_on: call, shell"))
    equal([move["task"] for move in what_if(box, "no.yaml")["moves"]], ["go"])
    # Refused, it stays refused.
    job = box.start("run", "held.yaml", "--progress", "plain", env={"ORCH_SECRET_token": "hush"})
    job.expect("orch approve")
    equal(box.run("approve", "last", "--reject").code, 0)
    equal(job.wait().code, 1)
    report = what_if(box, "held.yaml")
    equal((report["changes"], report["after"]["state"]), ([], "failed"))


def test_what_if_after_a_crash_and_again(box):
    box.write("slow.yaml", "tasks: {a: {shell: 'test -e go || { echo $$ > pid; exec sleep 600; }'}, b: {depends_on: a, shell: 'test -e ok'}, c: {depends_on: b, shell: 'true'}}\n")
    job = box.start("run", "slow.yaml", "--progress", "plain")
    task = box.pid("pid")
    # While it runs, and when it was killed: what is under way is made up.
    equal((what_if(box, "slow.yaml")["changes"], what_if(box, "slow.yaml")["recorded"]["state"]), ([], "running"))
    job.process.kill()
    job.wait()
    box.gone(task)
    box.write("go", "")
    wait_until("the store to be free", lambda: box.run("run", "slow.yaml", "--continue", "--progress", "quiet").code == 1)
    report = what_if(box, "slow.yaml")
    equal((report["changes"], report["after"]["state"], report["made_up"]), ([], "failed", 0))
    box.write("ok", "")
    equal(box.run("retry", "last", "--progress", "quiet").code, 0)
    # What stands is what came of the last time.
    report = what_if(box, "slow.yaml")
    equal((report["changes"], report["recorded"]["state"], report["after"]["state"], report["made_up"]), ([], "succeeded", "succeeded", 0))
    # Cancelled: that is not done again, and said.
    box.write("s.yaml", "tasks: {a: {shell: 'echo $$ > pid2; exec sleep 600'}, b: {depends_on: a, shell: 'true'}}\n")
    job = box.start("run", "s.yaml", "--progress", "plain")
    box.pid("pid2")
    equal(box.run("cancel", "last").code, 0)
    job.wait()
    report = what_if(box, "s.yaml")
    equal((report["recorded"]["state"], report["after"]["state"]), ("cancelled", "succeeded"))
    check(report["recorded"]["cancelled_by"], report)
    contains(box.run("replay", "--what-if", "s.yaml").out, "note: the run was cancelled by")


if __name__ == "__main__":
    main(globals())
