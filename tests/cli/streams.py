#!/usr/bin/env python3
"""How a run is shown where there is no terminal: plain lines, JSON lines, nothing; and what becomes of large output.

usage: streams.py --orch PATH
"""
import json
import os
import re
import resource
import signal
import subprocess

from harness import DEADLINE, check, contains, environment, equal, main, wait_until

WORDS = "start|continue|ok|fail|failed|retry|skip|log|wait|beat|undo|undone|cancel|stop|approved|signal|pause|resume"
PLAIN = re.compile(rf"\d\d:\d\d\.\d  (run {{13}}r-\w+ +[a-z_]+|\S+ +({WORDS})\b)( .*)?")
ALL_SORTS = """
name: sorts
tasks:
  a: {shell: "echo one; echo two >&2"}
  b: {for_each: {in: "[1, 2]", as: n}, shell: echo "$N", env: {N: "{{ n }}"}}
  try: {exec: [sh, -c, 'test "$ORCH_ATTEMPT" = 2'], retry: {max_attempts: 2, delay: 1ms}}
  bad: {shell: exit 3}
  after: {depends_on: bad, shell: echo never}
"""


def test_plain(box):
    box.write("s.yaml", ALL_SORTS)
    done = box.run("run", "s.yaml", "--progress", "plain")
    equal(done.code, 1, done)
    told, _, summary = done.err.partition("✗ ")
    contains(summary, "sorts #", "failed in", "bad failed: exit code 3", "next:")
    rows = told.splitlines()
    for row in rows:
        check(PLAIN.fullmatch(row), "no plain line:", row)
    for wanted in (r"a +log +one", r"a +log +two", r"a +ok ", r"b\[0\] +ok ", r"b\[1\] +log +2", r"b +ok ", r"try +fail +try 1/2 exit=1", r"try +ok ",
                   r"bad +failed +exit=3", r"after +skip ", r"run +r-\w+ +failed +\S+ ok=\d+ failed=1 skipped=0 not-started=1"):
        check(any(re.match(r"\S+  " + wanted, row) for row in rows), wanted, "in no line of\n" + told)
    check("\x1b" not in done.err and "\r" not in done.err, "plain lines have sequences")


def test_plain_is_the_usual_in_a_pipe(box):
    box.write("s.yaml", ALL_SORTS)
    for row in box.run("run", "s.yaml").err.partition("✗ ")[0].splitlines():
        check(PLAIN.fullmatch(row), "no plain line:", row)


def test_plain_words_stand_apart(box):
    """A long word is not run into what follows it."""
    text = box.run("run", box.example("saga"), "--progress", "plain").err
    check(re.search(r"run +r-\w+ +compensated +\d", text), text)
    text = box.run("run", box.example("hello"), "--progress", "plain").err
    check(re.search(r"run +r-\w+ +succeeded +\d", text), text)


def test_jsonl(box):
    box.write("s.yaml", ALL_SORTS)
    done = box.run("run", "s.yaml", "--progress", "jsonl")
    equal(done.code, 1, done)
    seqs, types, logged = {}, [], []
    for row in done.err.splitlines():
        try:
            event = json.loads(row)
        except ValueError:
            check(False, "no JSON:", row)
        equal(event["v"], 1, row)
        check(isinstance(event["type"], str) and re.fullmatch(r"r-\w+", event["run"]), row)
        types.append(event["type"])
        if event["type"] == "log":
            logged.append((event["step"], event["stream"], event["line"]))
        else:  # what a task wrote is no event of the journal, and has no number there
            check(event["seq"] > seqs.get(event["run"], 0), "does not grow:", row)
            seqs[event["run"]] = event["seq"]
    equal((types[0], types[-1]), ("execution.started", "execution.ended"))
    check(("a", "stdout", "one") in logged and ("a", "stderr", "two") in logged, logged)
    # The same events as in the journal, none left out.
    journal = [json.loads(row)["type"] for row in box.run("show", "--history", "-o", "json").out.splitlines()]
    equal([each for each in types if each != "log"], journal)


def test_jsonl_of_sub_workflows(box):
    done = box.run("run", box.example("sub-workflow"), "--progress", "jsonl")
    equal(done.code, 0, done)
    shown = {}
    for row in done.err.splitlines():
        event = json.loads(row)
        if event["type"] != "log":
            shown.setdefault(event["run"], []).append(event)
    equal(len(shown), 4, "runs that were told of")
    # Each run's events are those of its journal, paths and all.
    for run, events in shown.items():
        equal(events, [json.loads(row) for row in box.run("show", run, "--history", "-o", "json", "--store", "sub-workflow/.orch").out.splitlines()])


def test_quiet(box):
    box.write("s.yaml", ALL_SORTS)
    done = box.run("run", "s.yaml", "--progress", "quiet")
    equal((done.code, done.out, done.err), (1, "", ""))
    done = box.run("run", box.example("fan-out"), "--progress", "quiet")
    equal((done.code, json.loads(done.out), done.err), (0, {"letters": 28, "words": 7}, ""))


def test_nobody_reads_the_end(box):
    """As in `orch ... | head -1`: it ends, and says nothing of it."""
    box.write("many.yaml", "tasks: {a: {shell: seq 1 100000}}\n")
    equal(box.run("run", "many.yaml", "--progress", "quiet").code, 0)
    for args in (["logs", "last", "a"], ["show", "--history"], ["--help"], ["schema"], ["runs"], ["ps", "-o", "json"]):
        with subprocess.Popen([box.orch, *args], cwd=box.folder, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as job:
            try:
                check(job.stdout.readline(), args, "wrote nothing")
                job.stdout.close()
                err = job.stderr.read()
                code = job.wait(DEADLINE)
            finally:
                job.kill()
        equal(err, b"", f"{args} complains")
        check(code in (0, 141, -signal.SIGPIPE), args, "ended with", code)


def test_findings_in_each_mode(box):
    """A warning is a line of its own kind where machines read, and nothing where only errors are wanted."""
    box.write("w.yaml", "parameters: {unused: {default: 1}}\ntasks: {a: {shell: 'true'}}\n")
    contains(box.run("run", "w.yaml", "--progress", "plain").err, "warning[W")
    equal(box.run("run", "w.yaml", "--progress", "quiet").err, "")
    rows = [json.loads(row) for row in box.run("run", "w.yaml", "--progress", "jsonl").err.splitlines()]
    found = [row for row in rows if row["type"] == "definition.findings"]
    equal([finding["severity"] for row in found for finding in row["findings"]], ["warning"])
    box.write("e.yaml", "tasks: {a: {shel: 'true'}}\n")
    wrong = box.run("run", "e.yaml", "--progress", "jsonl")
    equal(wrong.code, 3)
    check(all(json.loads(row)["type"] == "definition.findings" for row in wrong.err.splitlines()), wrong.err)


def test_errors_and_notes_in_each_mode(box):
    """What orch has to tell beside the run: lines of their own kind for a program, and only errors where nothing else is wanted."""
    box.write("p.yaml", "parameters: {n: {type: integer, required: true}, m: {default: 1}}\ntasks: {a: {wait: 1h, when: n > 0}}\n")

    def told(code, *args):
        done = box.run(*args, "--progress", "jsonl")
        equal(done.code, code, done)
        rows = [json.loads(row) for row in done.err.splitlines()]
        check(all(row["v"] == 1 and re.fullmatch(r"\d{4}-.*Z", row["t"]) for row in rows), rows)
        return rows

    rows = told(3, "run", "p.yaml")
    equal([[each["severity"] for each in row["findings"]] for row in rows if row["type"] == "definition.findings"], [["warning"], ["error"]])
    quiet = box.run("run", "p.yaml", "--progress", "quiet")
    check(quiet.code == 3 and "error[E" in quiet.err and "warning" not in quiet.err, quiet)
    rows = told(4, "run", "none.yaml")
    equal([(row["type"], row["code"]) for row in rows], [("error", "NOT_FOUND")])
    check("message" in rows[0] and "help" in rows[0], rows)
    contains(box.run("run", "none.yaml", "--progress", "quiet").err, "error[NOT_FOUND]")
    equal([row["code"] for row in told(4, "retry", "r-9", "--store", "nowhere")], ["NOT_FOUND"])

    run = box.start("run", "p.yaml", "-p", "n=1", "--progress", "plain")
    run.expect("wait")
    equal([row["code"] for row in told(6, "run", "p.yaml", "-p", "n=1") if row["type"] == "error"], ["CONCURRENCY"])
    run.process.kill()
    run.wait()

    # Its definition has changed since; it is stopped while it goes on.
    box.write("p.yaml", "parameters: {n: {type: integer, required: true}}\ntasks: {a: {wait: 1s, when: n > 0}}\n")
    note = told(0, "run", "p.yaml", "-p", "n=0")[0]
    check(note["type"] == "note" and re.fullmatch(r"run r-\w+ of this file was interrupted; .*--continue", note["text"]), note)
    equal(box.run("run", "p.yaml", "-p", "n=0", "--progress", "quiet").err, "")
    run = box.start("run", "p.yaml", "--continue", "--progress", "jsonl")
    run.expect('"text":"the file has changed since')
    run.process.send_signal(signal.SIGINT)
    done = run.wait()
    equal(done.code, 130, done)
    equal([row["text"].split()[0] for row in map(json.loads, done.err.splitlines()) if row["type"] == "note"], ["the", "stopping"])

    run = box.start("run", "p.yaml", "-p", "n=1", "--progress", "quiet")
    wait_until("it to be under way", lambda: [each for each in box.run("ps", "-o", "json").json()["runs"] if each["state"] == "running"])
    run.process.send_signal(signal.SIGINT)
    done = run.wait()
    equal((done.code, done.out, done.err), (130, "", ""))


def test_what_a_timeout_says(box):
    """The limit that was set, not how long stopping took; and when it comes before what is waited for, that it will."""
    box.write("t.yaml", "tasks:\n  a: {exec: [sleep, '60'], timeout: 200ms, continue_on_error: true}\n  b: {wait: 1h, timeout: 100ms, continue_on_error: true}\n"
                        "  c: {exec: ['false'], retry: {max_attempts: 9, delay: 50ms, jitter: 0, backoff: constant}, total_timeout: 300ms, continue_on_error: true}\n")
    done = box.run("run", "t.yaml", "--progress", "plain")
    contains(done.err, "times-out-in=0.1s")
    shown = {task["task"]: task for task in json.loads(box.run("show", "-o", "json").out)["tasks"]}
    equal(shown["a"]["error"]["message"], "timed out after 200ms")
    equal(shown["b"]["error"]["message"], "timed out after 100ms")
    check(re.search(r"in all$|total_timeout leaves no time", shown["c"]["error"]["message"]), shown["c"])
    box.write("w.yaml", "tasks: {a: {wait: 200ms, timeout: 1h}}\n")
    waits = box.run("run", "w.yaml", "--progress", "plain").err
    check(re.search(r"  a +wait +next-in=0.2s\n", waits), waits)


def test_a_held_run_is_called_so_everywhere(box):
    box.write("h.yaml", "tasks: {ok: {approval: go on}}\n")
    run = box.start("run", "h.yaml", "--progress", "plain")
    run.expect("orch approve")
    contains(box.run("ps").out, "held")
    contains(box.run("show").out, "held")
    equal(json.loads(box.run("show", "-o", "json").out)["state"], "held")
    equal(box.run("approve", re.search(r"orch approve (r-\w+)", run.err)[1]).code, 0)
    equal(run.wait().code, 0)


def test_outputs_of_blocks(box):
    box.write("o.yaml", "tasks:\n  g: {tasks: {a: {transform: 1}, b: {transform: 2}}}\n  l: {for_each: {in: [1, 2], as: n}, transform: n * 10}\n  r: {repeat: {max: 2}, transform: iteration}\n")
    equal(box.run("run", "o.yaml").code, 0)
    shown = {task["task"]: task.get("output") for task in json.loads(box.run("show", "-o", "json").out)["tasks"]}
    equal(shown["g"], {"a": 1, "b": 2})
    equal(shown["l"], [10, 20])
    equal(shown["r"], 2)


def test_progress_that_nobody_reads(box):
    """The run must not fail because the reader of its progress has gone."""
    box.write("p.yaml", "tasks:\n  a: {shell: seq 1 20000}\n  b: {depends_on: a, shell: touch b-ran}\n")
    with subprocess.Popen([box.orch, "run", "p.yaml", "--progress", "plain"], cwd=box.folder, env=environment(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as job:
        try:
            check(job.stderr.readline(), "wrote nothing")
            job.stderr.close()
            job.wait(DEADLINE)
        finally:
            job.kill()
    state = box.run("show", "-o", "json").json()
    # Either it ends as a run does, or it is left to be continued; never a run that failed for it.
    check(state["state"] == "succeeded" or state["interrupted"], state)
    if state["interrupted"]:
        equal(box.run("run", "p.yaml", "--continue", "--progress", "quiet").code, 0)
    check(box.exists("b-ran"), "the second task never ran")


def test_closed_standard_files(box):
    """A file that the caller has closed is none of ours later on: each of the eight ways to close them."""
    box.write("s.yaml", "tasks: {a: {shell: 'cat; echo ran >> ran.txt'}}\noutput: {x: 1}\n")
    for way in range(8):
        closed = [number for number in range(3) if way >> number & 1]
        done = subprocess.run([box.orch, "run", "s.yaml"], cwd=box.folder, env=environment(), timeout=DEADLINE, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, close_fds=True,
                              preexec_fn=lambda: [os.close(number) for number in closed])
        equal(done.returncode, 13 if 1 in closed else 0, f"closed {closed}: {done.stderr!r}")
        check(1 in closed or done.stdout == b'{"x":1}\n', "closed", closed, "stdout", done.stdout)
    with open(box.path("ran.txt"), encoding="utf-8") as ran:
        equal(ran.read().count("ran\n"), 8, "times it ran")


def test_a_file_that_may_not_grow(box):
    """A limit on the size of files is an error of the write, no end by a signal."""
    box.write("s.yaml", "tasks: {a: {shell: echo}}\n")
    done = subprocess.run([box.orch, "run", "s.yaml"], cwd=box.folder, env=environment(), timeout=DEADLINE, capture_output=True,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)))
    check(done.returncode in (11, 13), "code", done.returncode, done.stderr.decode())
    contains(done.stderr.decode(), "orch.db")


def test_ten_thousand_lines(box):
    box.write("many.yaml", "tasks: {a: {shell: 'seq 1 10000; seq 1 10000 | sed s/^/e/ >&2'}}\n")
    equal(box.run("run", "many.yaml", "--progress", "quiet").code, 0)
    rows = box.run("logs", "last", "a").out.splitlines()
    equal([row for row in rows if not row.startswith("e")], [str(i) for i in range(1, 10001)])
    equal([row for row in rows if row.startswith("e")], [f"e{i}" for i in range(1, 10001)])
    equal(box.run("logs", "last", "a", "--tail", "3", "--grep", "^9").out.split(), ["9997", "9998", "9999"])
    done = box.run("run", "many.yaml", "--progress", "plain")
    equal(len([row for row in done.err.splitlines() if re.match(r"\S+  a +log ", row)]), 20000)


def test_hostile_output(box):
    """What a task writes reaches no other stream with its control characters."""
    box.write("h.yaml", r"""
tasks: {a: {shell: "printf 'x\\033]0;title\\007y\\033[2Jz\\r\\033[31mred\\033[0m\\n\\377\\376bytes\\n'"}}
""")
    done = box.run("run", "h.yaml", "--progress", "plain")
    equal(done.code, 0, done)
    for text in (done.err, box.run("logs").out, box.run("show").out, box.run("show", "last", "a").out):
        check(not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text), "control characters:", repr(text))
    contains(done.err, "red", "bytes")
    raw = subprocess.run([box.orch, "logs", "last", "a", "--raw"], cwd=box.folder, env=environment(), capture_output=True, timeout=DEADLINE, check=True).stdout
    check(b"\x1b]0;title\x07y\x1b[2Jz\r\x1b[31mred\x1b[0m\n" in raw, "--raw is not as written:", raw)
    done = box.run("run", "h.yaml", "--progress", "jsonl")
    for row in done.err.splitlines():
        json.loads(row)
        check("\x1b" not in row, row)


def test_no_colours_without_a_terminal(box):
    box.write("s.yaml", ALL_SORTS)
    for args in (["run", "s.yaml"], ["show"], ["ps"], ["runs"], ["logs"], ["validate", "s.yaml"], ["run", "none.yaml"]):
        done = box.run(*args)
        check("\x1b" not in done.out + done.err, args, done)
    for args, env in ((["--color", "always"], {}), ([], {"CLICOLOR_FORCE": "1"})):
        check("\x1b[" in box.run("show", *args, env=env).out, "no colours with", args, env)
    check("\x1b" not in box.run("show", "--color", "never", env={"CLICOLOR_FORCE": "1"}).out)


def test_ascii(box):
    box.write("s.yaml", ALL_SORTS)
    for args, env in ((["--ascii"], {}), ([], {"LC_ALL": "C", "LANG": "C"})):
        done = box.run("run", "s.yaml", *args, env=env)
        check(done.err.isascii(), "not ASCII with", args, env, done.err)
        check(box.run("show", *args, env=env).out.isascii(), args, env)


if __name__ == "__main__":
    os.umask(0o022)
    main(globals())
