#!/usr/bin/env python3
"""Each verb: what it prints, how it ends, and what a second process can do to a run.

usage: verbs.py --orch PATH
"""
import json
import os
import re
import signal
import subprocess

from harness import DEADLINE, check, contains, environment, equal, main, wait_until

VERBS = ["run", "validate", "fmt", "graph", "simulate", "schema", "eval", "ps", "runs", "show", "replay", "logs", "cancel", "pause", "resume", "retry", "approve", "signal", "init", "completion", "explain",
         "watch", "wait", "export", "rerun"]
HELLO = "tasks: {a: {shell: echo hi}}\n"
HELD = """
name: held
tasks:
  build: {shell: "printf 'one\\ntwo\\nthree\\n'; echo bad >&2"}
  ok: {depends_on: build, approval: "Deploy?"}
  after: {depends_on: ok, shell: echo done}
"""
SLOW = """
name: slow
tasks:
  slow: {shell: "echo $$ > pid; exec sleep 600"}
  after: {depends_on: slow, shell: echo after}
"""


def hold(box):
    """A run that waits for an approval."""
    box.write("held.yaml", HELD)
    job = box.start("run", "held.yaml", "--progress", "plain")
    job.expect("orch approve")
    return job


def task_states(box, run="last"):
    return {task["task"]: task["state"] for task in box.run("show", run, "-o", "json").json()["tasks"]}


def lines(box, name):
    return len(box.read(name).splitlines()) if box.exists(name) else 0


def test_help_of_every_verb(box):
    for verb in VERBS:
        done = box.run(verb, "--help")
        equal(done.code, 0, verb)
        equal(done.err, "", verb)
        check(done.out.lstrip().split("\n")[0].find(f"orch {verb}") >= 0, verb, "does not begin with an example:", done.out)
        equal(box.run(verb, "-h").out, done.out, verb)
        equal(box.run("help", verb).out, done.out, verb)


def test_version_and_help(box):
    done = box.run("version")
    equal(done.code, 0)
    check(re.fullmatch(r"orch \d+\.\d+\.\d+\S*\n", done.out), done.out)
    equal(box.run("--version").out, done.out)
    done = box.run("help")
    equal(done.code, 0)
    for verb in VERBS:
        check(re.search(rf"^  {verb}  ", done.out, re.M), verb, "is not listed")
    equal(box.run("--help").out, done.out)
    done = box.run("help", "E0312")
    equal(done.code, 0)
    contains(done.out, "E0312: template inside a shell command")
    done = box.run("help", "E9999")
    equal((done.code, done.out), (4, ""))


def test_wrong_usage(box):
    box.write("a.yaml", HELLO)
    for args, part in [(["rnu"], 'did you mean "run"?'), (["validat"], 'did you mean "validate"?'),
                       (["run", "a.yaml", "--contnue"], "did you mean --continue?"), (["ps", "--stoer", "x"], "did you mean --store?"),
                       (["run"], "missing"), (["run", "a.yaml", "-p"], "-p wants K=V"), (["run", "a.yaml", "--progress", "pretty"], "plain"),
                       (["run", "a.yaml", "-o", "xml"], "json"), (["run", "a.yaml", "b"], "too much"), (["run", "a.yaml", "-j", "many"], "many"),
                       (["show", "a", "b", "c"], "too"), (["signal", "last"], "missing"), (["cancel"], "missing")]:
        done = box.run(*args)
        equal((done.code, done.out), (2, ""), f"{args} {done}")
        contains(done.err, part)
    check(not box.exists(".orch"), "wrong usage left a store")


def test_not_found(box):
    for args in (["run", "none.yaml"], ["validate", "none.yaml"], ["fmt", "none.yaml"], ["show"], ["logs"], ["ps", "--store", "nowhere"], ["cancel", "r-7Q2K"]):
        done = box.run(*args)
        if args[0] == "ps":
            continue
        equal((done.code, done.out), (4, ""), f"{args} {done}")
        contains(done.err, "error[NOT_FOUND]")
    box.write("a.yaml", HELLO)
    equal(box.run("run", "a.yaml").code, 0)
    done = box.run("show", "r-none")
    equal(done.code, 4)
    contains(done.err, "r-none")
    done = box.run("show", "last", "nope")
    equal(done.code, 4, done)
    contains(done.err, "nope")
    equal(box.run("logs", "last", "nope").code, 4)


def test_parameters(box):
    box.write("p.yaml", """
parameters:
  count: {type: integer, default: 1, max: 9}
  text: {type: string, default: none}
tasks: {a: {transform: "text + string(count)"}}
output: {a: "{{ a.output }}"}
""")
    box.write("p.json", '{"count": 4, "text": "from a file "}')
    for args, wanted in [([], "none1"), (["-p", "count=3"], "none3"), (["--param", "text=a=b", "-p", "count=2"], "a=b2"), (["--params", "p.json"], "from a file 4"),
                         (["--params", "p.json", "-p", "count=5"], "from a file 5"), (["-p", "text=é "], "é 1")]:
        done = box.run("run", "p.yaml", *args)
        equal((done.code, json.loads(done.out or "null")), (0, {"a": wanted}), f"{args} {done}")
    for args, parts in [(["-p", "count=12a"], ["E0406", "count", '"12a"']), (["-p", "count=10"], ["E0407", "at most 9"]), (["-p", "cuont=1"], ["E0401", "cuont"])]:
        done = box.run("run", "p.yaml", *args)
        equal((done.code, done.out), (3, ""), f"{args} {done}")
        contains(done.err, *parts)
    box.write("bad.json", '{"count": ')
    for args in (["--params", "bad.json"], ["--params", "none.json"], ["-p", "count"]):
        done = box.run("run", "p.yaml", *args)
        check(done.code in (2, 3, 4) and done.out == "" and "error" in done.err, args, done)


def test_validate_fmt_schema(box):
    box.write("good.yaml", HELLO)
    box.write("bad.yaml", "tasks:\n  a: {shell: x, depends_on: b}\n  b: {shell: x, depends_on: [a, gone]}\n")
    done = box.run("validate", "good.yaml")
    equal((done.code, done.err), (0, ""), done)
    done = box.run("validate", "bad.yaml")
    equal(done.code, 3, done)
    contains(done.out + done.err, "bad.yaml:", "gone")
    found = box.run("validate", "good.yaml", "bad.yaml", "-o", "json")
    equal(found.code, 3)
    equal([(each["file"], each["ok"]) for each in found.json()], [("good.yaml", True), ("bad.yaml", False)])
    equal(box.run("validate", "-", stdin=HELLO.encode()).code, 0)
    done = box.run("run", "bad.yaml")
    equal((done.code, done.out), (3, ""))
    first = box.run("fmt", "good.yaml")
    equal(first.code, 0)
    box.write("again.yaml", first.out)
    equal(box.run("fmt", "again.yaml").out, first.out)
    schema = box.run("schema")
    equal(schema.code, 0)
    contains(schema.json()["$schema"], "json-schema.org")


def test_looking_while_it_waits(box):
    job = hold(box)
    listed = box.run("ps")
    equal(listed.code, 0)
    contains(listed.out, "RUN ", "held", "1/3", "approval: ok", "1 active")
    active = box.run("ps", "-o", "json").json()
    equal(active["v"], 1)
    (run,) = active["runs"]
    equal((run["workflow"], run["state"], run["done"], run["total"], run["waiting_on"]), ("held", "held", 1, 3, "approval: ok"))
    equal(box.run("ps", "-o", "name").out.split(), [run["run"]])
    shown = box.run("show").out
    contains(shown, f"#{run['run']}", "build", "succeeded", "waits for ok", "Deploy?")
    shown = box.run("show", run["run"], "-o", "json").json()
    equal((shown["v"], shown["run"], shown["done"]), (1, run["run"], 1))
    equal([(task["task"], task["state"]) for task in shown["tasks"]], [("build", "succeeded"), ("ok", "waiting"), ("after", "pending")])
    check(not any("error" in task for task in shown["tasks"]), "a failure before there is one:", shown["tasks"])
    contains(box.run("show", "last", "--why", "after").out, "waits for ok; ok: ", "Deploy?", f"\nnext: orch approve {run['run']} ok\n")
    contains(box.run("show", "last", "--why", "ok").out, "Deploy?")
    contains(box.run("show", "last", "build").out, "three")
    equal(box.run("logs", "last", "build").code, 0)
    contains(box.run("runs").out, "held", "1/3")
    equal(box.run("approve", "last").code, 0)
    equal(job.wait().code, 0)


def test_looking_after_it(box):
    job = hold(box)
    equal(box.run("approve", "last").code, 0)
    equal(job.wait().code, 0)
    contains(box.run("ps").out, "0 active")
    equal(box.run("ps", "-o", "json").json(), {"v": 1, "runs": []})
    runs = box.run("runs", "-o", "json").json()
    equal((runs["v"], [(run["workflow"], run["state"], run["done"]) for run in runs["runs"]]), (1, [("held", "succeeded", 3)]))
    contains(box.run("runs").out, "succeeded", "3/3")
    contains(box.run("show").out, "succeeded", "3/3 tasks")
    history = box.run("show", "--history")
    equal(history.code, 0)
    events = [row.split()[2] for row in history.out.splitlines()]
    equal(events[0], "execution.started")
    equal(events[-1], "execution.ended")
    check("task.approval" in events, events)
    equal([int(row.split()[0]) for row in history.out.splitlines()], list(range(1, len(events) + 1)))
    told = [json.loads(row) for row in box.run("show", "--history", "-o", "json").out.splitlines()]
    equal([each["type"] for each in told], events)
    equal({(each["v"], each["run"]) for each in told}, {(1, runs["runs"][0]["run"])})


def test_runs_newest_first(box):
    box.write("a.yaml", HELLO)
    box.write("b.yaml", "tasks: {b: {shell: exit 4}}\n")
    equal([box.run("run", file).code for file in ("a.yaml", "b.yaml", "a.yaml")], [0, 1, 0])
    runs = box.run("runs", "-o", "json").json()["runs"]
    equal([(run["workflow"], run["state"]) for run in runs], [("a", "succeeded"), ("b", "failed"), ("a", "succeeded")])
    equal(len({run["run"] for run in runs}), 3)


def test_logs(box):
    box.write("l.yaml", """
tasks:
  a: {shell: "for i in 1 2 3 4 5; do echo line $i; done; echo wrong >&2"}
  b: {depends_on: a, shell: echo from b}
  try: {exec: [sh, -c, 'echo attempt $ORCH_ATTEMPT; test $ORCH_ATTEMPT = 2'], retry: {max_attempts: 2, delay: 1ms}}
""")
    equal(box.run("run", "l.yaml").code, 0)
    written = box.run("logs", "last", "a").out.splitlines()
    equal([row for row in written if row.startswith("line")], [f"line {i}" for i in range(1, 6)])
    check("wrong" in written, written)
    contains(box.run("logs").out, "a | line 1\n", "b | from b\n")
    equal(len(box.run("logs", "last", "a", "--tail", "2").out.splitlines()), 2)
    equal(box.run("logs", "last", "b", "--tail", "1").out, "from b\n")
    equal(box.run("logs", "last", "a", "--grep", "line [24]$").out, "line 2\nline 4\n")
    equal(box.run("logs", "last", "a", "--grep", "nothing").out, "")
    equal(box.run("logs", "last", "--grep", "(").code, 2)
    for row in box.run("logs", "last", "a", "-t").out.splitlines():
        check(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (line|wrong)", row), row)
    equal(box.run("logs", "last", "try", "--attempt", "2").out, "attempt 2\n")
    contains(box.run("logs", "last", "try").out, "attempt 1\n", "attempt 2\n")


def test_logs_follow(box):
    box.write("f.yaml", "tasks: {a: {shell: 'echo begun; until test -e go; do sleep 0.05; done; echo over'}}\n")
    job = box.start("run", "f.yaml", "--progress", "plain")
    job.expect("begun")
    follow = box.start("logs", "last", "a", "-f")
    wait_until("the first line", lambda: follow.out == "begun\n")
    check(follow.process.poll() is None, "does not follow")
    box.write("go", "")
    equal(job.wait().code, 0)
    equal(follow.wait().out, "begun\nover\n")


def test_cancel(box):
    box.write("slow.yaml", SLOW)
    job = box.start("run", "slow.yaml", "--progress", "plain")
    pid = box.pid("pid")
    done = box.run("cancel", "last", "--reason", "wrong day")
    equal(done.code, 0, done)
    equal(job.wait().code, 9, job.err)
    box.gone(pid)
    shown = box.run("show", "-o", "json").json()
    equal(shown["state"], "cancelled")
    check(task_states(box)["after"] in ("cancelled", "skipped"), task_states(box))
    contains(box.run("show", "--history").out, "wrong day")
    equal(box.run("cancel", "last").code, 6)


def test_cancel_one_nobody_runs(box):
    box.write("slow.yaml", SLOW)
    job = box.start("run", "slow.yaml", "--progress", "plain")
    pid = box.pid("pid")
    job.process.kill()
    job.wait()
    equal(box.run("cancel", "last").code, 0)
    equal(box.run("show", "-o", "json").json()["state"], "cancelled")
    box.gone(pid)


def test_pause_and_resume(box):
    box.write("p.yaml", "tasks:\n  a: {shell: 'echo begun; until test -e go; do sleep 0.05; done'}\n  b: {depends_on: a, shell: touch b-ran}\n")
    job = box.start("run", "p.yaml", "--progress", "plain")
    job.expect("begun")
    equal(box.run("pause", "last").code, 0)
    wait_until("the run to be paused", lambda: box.run("show", "-o", "json").json()["state"] == "paused")
    box.write("go", "")
    wait_until("the first task to end", lambda: task_states(box)["a"] == "succeeded")
    check(task_states(box)["b"] in ("pending", "ready", "waiting") and not box.exists("b-ran"), "something began in a paused run")
    equal(box.run("ps", "-o", "json").json()["runs"][0]["state"], "paused")
    equal(box.run("resume", "last").code, 0)
    equal(job.wait().code, 0)
    check(box.exists("b-ran"))


def test_signal(box):
    box.write("s.yaml", "tasks:\n  paid: {wait: {event: paid}}\n  told: {depends_on: paid, transform: string(paid.output.amount)}\noutput: {told: '{{ told.output }}'}\n")
    valid = box.run("validate", "s.yaml")
    equal(valid.code, 0, valid)
    job = box.start("run", "s.yaml", "--progress", "plain")
    wait_until("the wait", lambda: box.run("ps", "-o", "json").out.find("paid") > 0)
    equal(box.run("signal", "last", "paid", "--data", "{").code, 3)
    done = box.run("signal", "last", "paid", "--data", '{"amount": 12.5}')
    equal(done.code, 0, done)
    done = job.wait()
    equal((done.code, done.json()), (0, {"told": "12.5"}), done)


RETRIED = """
tasks:
  a: {shell: echo ran >> a.count}
  b: {depends_on: a, shell: "echo ran >> b.count; test -e mended"}
  c: {depends_on: b, shell: echo ran >> c.count}
"""


def counts(box):
    return [lines(box, f"{name}.count") for name in "abc"]


def test_retry_failed(box):
    box.write("r.yaml", RETRIED)
    equal((box.run("run", "r.yaml").code, counts(box)), (1, [1, 1, 0]))
    done = box.run("retry", "last", "--failed")
    equal((done.code, counts(box)), (1, [1, 2, 0]), done)
    box.write("mended", "")
    done = box.run("retry", "last")
    equal((done.code, counts(box)), (0, [1, 3, 1]), done)
    equal(task_states(box), {"a": "succeeded", "b": "succeeded", "c": "succeeded"})
    equal(box.run("retry", "last", "--failed").code, 6)


def test_retry_from(box):
    box.write("mended", "")
    box.write("r.yaml", RETRIED)
    equal((box.run("run", "r.yaml").code, counts(box)), (0, [1, 1, 1]))
    done = box.run("retry", "last", "--from", "b")
    equal((done.code, counts(box)), (0, [1, 2, 2]), done)
    done = box.run("retry", "last", "--from", "gone")
    equal(done.code, 4, done)
    equal(counts(box), [1, 2, 2])


def test_continue_after_a_kill(box):
    tasks = "".join(f"  t{i}: {{shell: echo ran >> t{i}.count{', depends_on: t%d' % (i - 1) if i else ''}}}\n" for i in range(6))
    box.write("k.yaml", "tasks:\n" + tasks + "  gate: {depends_on: t5, shell: 'echo ran >> gate.count; echo $$ > pid; until test -e go; do sleep 0.05; done'}\n"
              "  last: {depends_on: gate, shell: echo ran >> last.count}\n")
    job = box.start("run", "k.yaml", "--progress", "plain")
    pid = box.pid("pid")
    job.process.send_signal(signal.SIGKILL)
    job.wait()
    (run,) = wait_until("the run to be listed as interrupted", lambda: [r for r in box.run("ps", "-o", "json").json()["runs"] if r["state"] == "interrupted"])
    contains(box.run("show").out, "interrupted", "--continue")
    box.write("go", "")
    done = box.run("run", "k.yaml", "--continue", "--progress", "plain")
    equal(done.code, 0, done)
    contains(done.err, run["run"])
    equal([lines(box, f"t{i}.count") for i in range(6)], [1] * 6)
    equal(lines(box, "last.count"), 1)
    check(1 <= lines(box, "gate.count") <= 2, "the interrupted task ran", lines(box, "gate.count"), "times")
    box.gone(pid)
    nothing = box.run("run", "k.yaml", "--continue")
    equal((nothing.code, nothing.out), (4, ""), nothing)
    contains(nothing.err, "nothing to continue")


def test_continue_where_nothing_ran(box):
    box.write("a.yaml", HELLO)
    done = box.run("run", "a.yaml", "--continue")
    equal(done.code, 4, done)
    contains(done.err, "nothing to continue")


def test_one_owner(box):
    job = hold(box)
    box.write("a.yaml", HELLO)
    for args in (["run", "held.yaml"], ["run", "a.yaml"], ["run", "held.yaml", "--continue"]):
        done = box.run(*args)
        equal((done.code, done.out), (6, ""), f"{args} {done}")
        contains(done.err, str(job.process.pid), ".orch")
    # Another store is another matter.
    equal(box.run("run", "a.yaml", "--store", "other").code, 0)
    equal(box.run("approve", "last").code, 0)
    equal(job.wait().code, 0)
    equal(box.run("run", "a.yaml").code, 0)


def test_strict(box):
    box.write("s.yaml", "tasks:\n  a: {shell: exit 1, continue_on_error: true}\n  b: {shell: echo b}\n")
    equal(box.run("run", "s.yaml").code, 0)
    equal(box.run("run", "s.yaml", "--strict").code, 10)
    box.write("a.yaml", HELLO)
    equal(box.run("run", "a.yaml", "--strict").code, 0)


def test_timeouts(box):
    for name, text in (("task", "tasks: {a: {shell: 'echo $$ > task.pid; exec sleep 600', timeout: 200ms}}\n"),
                       ("run", "timeout: 200ms\ntasks: {a: {shell: 'echo $$ > run.pid; exec sleep 600'}}\n")):
        box.write(f"{name}.yaml", text)
        done = box.run("run", f"{name}.yaml")
        equal(done.code, 1, done)
        check(re.search("timed.out", done.err), done)
        equal(box.run("show", "-o", "json").json()["state"], "timed_out" if name == "run" else "failed")
        box.gone(box.pid(f"{name}.pid"))


def test_secrets_do_not_show(box):
    os.mkdir(box.path("keys"), 0o700)
    box.write("keys/token", "hunter2hunter2")
    os.chmod(box.path("keys/token"), 0o600)
    box.write("s.yaml", "secrets: [token]\ntasks: {a: {shell: 'echo \"it is $TOKEN\"', env: {TOKEN: '{{ secrets.token }}'}}}\n")
    done = box.run("run", "s.yaml", "--secrets", "keys", "--progress", "plain")
    equal(done.code, 0, done)
    for text in (done.err, box.run("logs").out, box.run("show", "-o", "json").out, box.run("show", "--history", "-o", "json").out):
        check("hunter2" not in text, "a secret shows:", text)
    contains(done.err, "it is ")


FULL_DISK = """
mkdir disk && mount -t tmpfs -o size=3m none disk || exit 77
printf 'tasks: {a: {shell: "[ -e again ] || cat /dev/zero > fill; sleep 0.2"}, b: {depends_on: a, noop: {}}}' > disk/full.yaml
"$0" run disk/full.yaml --progress plain 2> full.err & job=$!
until grep -q 'no space left' full.err; do sleep 0.05; done
kill -TERM $job
until grep -q 'as soon as it can be recorded' full.err; do sleep 0.05; done
kill -TERM $job
wait $job; echo $?
rm disk/fill; touch disk/again
"$0" run --continue disk/full.yaml --progress quiet; echo $?
"""


def test_stopping_on_a_full_disk(box):
    """A cancel cannot be recorded there (the disk has room for a store, and not for a reserve); the second signal ends it all the same, and the run goes on when there is room."""
    apart = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    done = subprocess.run([*apart, "sh", "-c", FULL_DISK, box.orch], cwd=box.folder, env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=DEADLINE, check=False, text=True)
    if done.returncode != 0 and not done.stdout:
        print(f"  not tried, a file system cannot be mounted here: {done.stderr.strip()}")
        return
    equal(done.stdout.split(), ["143", "0"], done.stderr + box.read("full.err"))
    contains(box.read("full.err"), "run r-", "make room, then: orch run --continue r-")


def test_why_something_was_skipped(box):
    """Its own condition, that of what it follows, a failure, or a stop: four different things."""
    box.write("w.yaml", "mode: dag\ntasks:\n  own: {when: params.no, noop: {}}\n  follows: {depends_on: own, when: 1 + 1 == 2 || params.no, noop: {}}\n"
                        "  fails: {exec: ['false']}\n  after: {depends_on: fails, noop: {}}\n"
                        "  g: {fail_fast: true, continue_on_error: true, tasks: {a: {exec: ['false']}, b: {exec: [sleep, '60']}, c: {depends_on: b, noop: {}}}}\n"
                        "parameters: {no: {default: false}}\n")
    told = box.run("run", "w.yaml", "--progress", "plain").err
    shown = box.run("show").out
    for task, why in (("own", "its condition was false"), ("follows", "so was what it follows"), ("after", "something before it failed"),
                      ("g/c", "stopped before its turn")):
        told_why = box.run("show", "last", "--why", task).out.splitlines()
        equal(told_why[0], why)
        equal([line.startswith("next: orch retry") for line in told_why[1:]], [] if task in ("own", "follows") else [True], task)
        check(re.search(rf"{task} +skip +.*{why}", told), task, told)
        check(re.search(rf"{task[-1:]} +skipped +{why}", shown), task, shown)


def test_closing_words(box):
    """Everything that failed by itself is named, blocks too; what to do next stands in two columns."""
    box.write("bad.yaml", "parameters: {n: {default: 5}}\ntasks:\n  loop: {for_each: {in: params.n}, noop: {}}\n  again: {repeat: {until: again.output > 9, max: 2}, transform: iteration}\n"
                          "  late: {timeout: 100ms, tasks: {x: {wait: 1h}}}\n  inside: {tasks: {y: {shell: kill -SEGV $$}}}\n")
    told = box.run("run", "bad.yaml", "--progress", "plain").err
    contains(told, "  loop failed: for_each", "  again failed: `until` did not hold", "  late failed: timed out", "  inside/y failed: killed by SIGSEGV", "signal=SIGSEGV")
    check("  inside failed:" not in told, told)
    places = [line.index(words) for line in told.splitlines() for words in ("run only what failed", "its inputs and attempts") if words in line]
    check(len(places) == 2 and places[0] == places[1], told)


def test_words_of_refusals(box):
    """What is missing or wrong is named by itself, and so is the way on."""
    contains(box.run("signal", "r-1").err, "orch signal: EVENT is missing\n")
    contains(box.run("retry").err, "orch retry: RUN is missing\n")
    contains(box.run("fmt").err, "orch fmt: FILE is missing\n")
    box.write("w.yaml", "tasks: {a: {wait: {event: paid}}}\n")
    run = box.start("run", "w.yaml", "--progress", "plain")
    run.expect("event paid")
    wrong = box.run("signal", "last", "paid", "--data", "{a: 1}")
    equal(wrong.code, 3)
    contains(wrong.err, "--> --data:1:2")
    equal(box.run("signal", "last", "paid").code, 0)
    equal(run.wait().code, 0)
    check(re.search(r"task.waiting +a .*event paid\n.* signal.received +paid  by ", box.run("show", "--history").out), box.run("show", "--history").out)
    done = box.run("retry", "last")
    equal(done.code, 6)
    contains(done.err, "--from TASK")


def test_as_many_jobs_as_files_allow(box):
    """Processes that would find no open file left wait for others instead of failing; the limit is raised as far as it may be."""
    box.write("wide.yaml", "parameters: {l: {type: list}}\ntasks: {a: {for_each: {in: params.l}, exec: [sleep, '0.2']}}\n")
    for limit, said in (("-n 256", "25 at once instead of 100: "), ("-Sn 256", None)):
        done = subprocess.run(["sh", "-c", f'ulimit {limit}; exec "$0" run wide.yaml -j 100 -p "l=[{",".join(map(str, range(100)))}]" --progress plain', box.orch],
                              cwd=box.folder, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE, check=False, text=True)
        equal(done.returncode, 0, done.stderr)
        equal(re.findall(r"\d+ at once instead of \d+: ", done.stderr), [said] if said else [])


def test_a_pipe_for_a_script(box):
    """It has no first line that could be read without waiting for whoever writes it."""
    os.mkfifo(box.path("pipe"))
    box.write("pipe.yaml", "tasks: {a: {script: pipe}}\n")
    done = box.run("run", "pipe.yaml", "--progress", "plain")
    equal(done.code, 1)
    contains(done.err, "pipe is not executable and has no #! line")


def test_hostile_arguments(box):
    """What was given is quoted without what a terminal would obey; folders as well."""
    bad = "\x1b[31mx\x07"
    box.write("w.yaml", "tasks: {a: {shell: echo hi}}\n")
    os.mkdir(box.path(bad))
    box.write(f"{bad}/w.yaml", "tasks: {a: {shell: kill -9 $PPID; sleep 9}}\n")
    equal(box.run("run", "w.yaml").code, 0)
    for args in ([bad], ["help", bad], ["run", f"--{bad}"], ["run", "--progress", bad, "w.yaml"], ["run", "-j", bad, "w.yaml"], ["run", "w.yaml", bad], ["run", bad],
                 ["run", "w.yaml", "-p", f"{bad}=1"], ["run", f"{bad}/w.yaml", "--progress", "plain"], ["run", "w.yaml", "--store", bad, "--progress", "plain"],
                 ["runs", "-s", bad], ["runs", "--since", bad], ["ps", bad], ["ps", "--store", bad + "y"], ["show", bad], ["show", "last", bad], ["show", "last", "--why", bad],
                 ["logs", "last", bad], ["logs", "--grep", bad + "("], ["graph", "-f", bad, "w.yaml"], ["graph", bad], ["fmt", bad + "y"], ["validate", bad + "y"],
                 ["eval", f"1 + {bad}"], ["eval", "1", bad], ["eval", "1", "--input", bad], ["signal", bad, bad], ["approve", "last", bad], ["retry", "last", "--from", bad],
                 ["cancel", "last", "--reason", bad], ["schema", bad], ["version", bad], ["ps", "--color", bad], ["run", "w.yaml", "--params", f"{bad}/w.yaml"],
                 ["eval", "1", "--input", f"{bad}/w.yaml"]):
        done = box.run(*args)
        check("\x1b" not in done.out + done.err and "\x07" not in done.out + done.err, args, "gave", done)


if __name__ == "__main__":
    main(globals())
