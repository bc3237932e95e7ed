#!/usr/bin/env python3
"""The live tree, on terminals of three sizes: what is on the screen while a run goes on, when it ends, and when it is interrupted.

usage: terminal.py --orch PATH
"""
import os
import re
import signal
import time

from harness import Failed, alive, check, contains, equal, main, wait_until

SIZES = ((24, 80), (50, 200), (5, 20))
STUBBORN = "tasks: {a: {shell: 'trap \"\" TERM; echo $$ > pid; while :; do sleep 0.1; done'}}\n"
SLEEPER = "name: sleeper\ntasks:\n  a: {shell: 'echo $$ > pid; echo begun; exec sleep 600'}\n  b: {depends_on: a, shell: echo b}\n"
GATED = "name: gated\ntasks:\n  a: {shell: 'echo $$ > pid; until test -e go; do sleep 0.05; done; echo through'}\n  b: {depends_on: a, shell: echo b}\n"


def many(box, tasks):
    """So many tasks; up to three of them hold the run until there is a file named go."""
    held = min(tasks, 3)
    rows = ["name: many", "tasks:"]
    rows += [f"  held{i}: {{shell: 'until test -e go; do sleep 0.05; done'}}" for i in range(held)]
    rows += [f"  t{i}: {{transform: '{i}'}}" for i in range(tasks - held)]
    return box.write("many.yaml", "\n".join(rows) + "\n")


def well_drawn(terminal):
    screen = terminal.screen
    equal(screen.unknown, [], "sequences that do not belong there")
    equal(screen.up_beyond, 0, "the cursor went above the screen")


def whole(box, tasks):
    file = many(box, tasks)
    for rows, columns in SIZES:
        if box.exists("go"):
            os.unlink(box.path("go"))
        terminal = box.terminal("run", file, "-j", "4", rows=rows, columns=columns)
        what = f"{tasks} tasks, {columns}x{rows}"
        try:
            done = tasks - min(tasks, 3)
            if columns >= 80:
                terminal.expect(f"{done}/{tasks} tasks")
                contains(terminal.screen.text(), "many", "held0", "running")
            else:
                terminal.until("the tree", lambda t: "many" in t.screen.text() and len([row for row in t.screen.text().split("\n") if row]) >= 2)
            terminal.frames(5)  # the clock goes on
            equal(terminal.screen.scrollback, [], f"{what}: a live frame scrolled")
            check(terminal.screen.tallest <= rows - 1, what, "the tree is", terminal.screen.tallest, "lines high")
            heads = [row for row in terminal.screen.text().split("\n") if "many" in row]
            equal(len(heads), 1, f"{what}: one frame, not several below each other\n{terminal.screen.text()}")
            box.write("go", "")
            equal(terminal.wait(), 0, what)
            well_drawn(terminal)
            told = re.sub(r"\s+", "", terminal.screen.text(True))  # on the narrow one it takes three lines
            check(re.search(rf"✔many#r-\w+succeededin[\d.]+m?s{tasks}ok$", told), what, "does not end with the closing line:", terminal.screen.text(True)[-500:])
        except Failed as error:
            raise Failed(f"{what}: {error}") from None
        finally:
            terminal.close()


def test_one_task(box):
    whole(box, 1)


def test_fifty_tasks(box):
    whole(box, 50)


def test_ten_thousand_tasks(box):
    whole(box, 10000)


def test_failure_at_the_end(box):
    box.write("f.yaml", "name: f\ntasks:\n  a: {shell: echo fine}\n  b: {shell: 'echo the reason >&2; exit 7'}\n  c: {depends_on: b, shell: echo c}\n")
    terminal = box.terminal("run", "f.yaml")
    equal(terminal.wait(), 1)
    well_drawn(terminal)
    contains(terminal.screen.text(True), "✔ a", "✗ b", "✗ f #", "b failed: exit code 7", "| the reason", "next:")


def test_interactive_groups(box):
    box.write("g.yaml", """
name: g
tasks:
  group:
    tasks:
      x: {shell: 'until test -e go; do sleep 0.05; done'}
      y: {shell: echo '::orch progress 3/4 rows'; until test -e go; do sleep 0.05; done}
  later: {depends_on: group, shell: echo later}
""")
    terminal = box.terminal("run", "g.yaml")
    terminal.expect("75%")
    contains(terminal.screen.text(), "group", "x", "y", "later")
    box.write("go", "")
    equal(terminal.wait(), 0)
    well_drawn(terminal)


def test_colours(box):
    box.write("a.yaml", "tasks: {a: {shell: echo hi}}\n")
    for env, args, wanted in (({}, [], True), ({"NO_COLOR": "1"}, [], False), ({"NO_COLOR": ""}, [], True), ({}, ["--color", "never"], False),
                              ({"NO_COLOR": "1"}, ["--color", "always"], True), ({"TERM": "dumb"}, [], False)):
        terminal = box.terminal("run", "a.yaml", *args, env=env)
        equal(terminal.wait(), 0)
        well_drawn(terminal)
        equal(terminal.screen.styles > 0, wanted, f"colours with {env} {args}")


def test_plain_in_ci(box):
    box.write("a.yaml", "tasks: {a: {shell: echo hi}}\n")
    for env, args in (({"CI": "1"}, []), ({"TERM": "dumb"}, []), ({}, ["--progress", "plain"])):
        terminal = box.terminal("run", "a.yaml", *args, env=env)
        equal(terminal.wait(), 0)
        check(re.search(r"^\d\d:\d\d\.\d  a +log +hi$", terminal.screen.text(True), re.M), f"{env} {args}", terminal.screen.text(True))
        check(not re.search(rb"\x1b\[\d*[AJK]", terminal.raw), "the screen is drawn with", env, args)


def test_one_interrupt(box):
    terminal = box.terminal("run", box.write("s.yaml", SLEEPER))
    terminal.expect("begun")
    pid = box.pid("pid")
    terminal.press(b"\x03")
    terminal.expect("stopping")
    equal(terminal.wait(), 130)
    box.gone(pid)
    well_drawn(terminal)
    contains(terminal.screen.text(True), "sleeper #")
    equal(box.run("show", "-o", "json").json()["state"], "cancelled")


def test_two_interrupts(box):
    terminal = box.terminal("run", box.write("s.yaml", STUBBORN))
    pid = box.pid("pid")
    terminal.press(b"\x03")
    terminal.expect("stopping")
    terminal.frames(3)
    check(alive(pid), "the task was to hold out")
    began = time.monotonic()
    terminal.press(b"\x03")
    equal(terminal.wait(10), 130)
    took = time.monotonic() - began
    check(took < 3, "took", took, "s")
    box.gone(pid)
    well_drawn(terminal)


def test_terminate(box):
    terminal = box.terminal("run", box.write("s.yaml", SLEEPER))
    terminal.expect("begun")
    pid = box.pid("pid")
    terminal.process.send_signal(signal.SIGTERM)
    equal(terminal.wait(), 143)
    box.gone(pid)
    well_drawn(terminal)


def test_hang_up(box):
    """The terminal goes away: the run is stopped, or left to be continued; its child does not outlive it."""
    terminal = box.terminal("run", box.write("s.yaml", SLEEPER))
    terminal.expect("begun")
    pid = box.pid("pid")
    terminal.process.send_signal(signal.SIGHUP)
    check(terminal.wait() != 0, "a run that was hung up on ends well")
    box.gone(pid)


def test_hostile_output(box):
    box.write("h.yaml", r"""
name: hostile
tasks:
  a: {shell: "printf '\\033]0;x\\007\\033[2Jname\\033[?1049h\\233[3J\\r\\n'; until test -e go; do sleep 0.05; done"}
  b: {shell: "printf '\\033]0;x\\007\\033[2Jlast words\\n'; exit 1"}
""")
    terminal = box.terminal("run", "h.yaml")
    terminal.expect("name")
    box.write("go", "")
    equal(terminal.wait(), 1)
    contains(terminal.screen.text(True), "last words")
    for args in (["logs", "last"], ["show"], ["show", "last", "b"], ["ps"], ["runs"]):
        other = box.terminal(*args)
        equal(other.wait(), 0, args)
        for each in (terminal, other):
            for part in (b"\x1b]", b"\x07", b"\x1b[2J", b"\x1b[?", b"\x1b[3J", b"\x9b["):
                check(part not in each.raw, part, "in", args, each.raw)
            equal(each.screen.unknown, [], args)


def test_hostile_names(box):
    """Nor do the parameters reach the head of the tree as they are."""
    box.write("p.yaml", "parameters: {p: {type: string, default: x}}\ntasks: {a: {shell: 'echo $ORCH_PARAM_P'}}\n")
    terminal = box.terminal("run", "p.yaml", "-p", "p=\x1b[2J\x1b]0;x\x07\rend")
    equal(terminal.wait(), 0)
    well_drawn(terminal)


def stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"


def stop_and_go_on(box, number):
    terminal = box.terminal("run", box.write("g.yaml", GATED))
    terminal.expect("0/2 tasks")
    box.pid("pid")
    for _ in range(2):
        terminal.process.send_signal(number)
        wait_until("orch to stop", lambda: stopped(terminal.process.pid))
        terminal.pump(0)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.frames(3)
    box.write("go", "")
    equal(terminal.wait(), 0)
    well_drawn(terminal)
    contains(terminal.screen.text(True), "✔ gated #", "2 ok")


def test_kill_stop_and_cont(box):
    stop_and_go_on(box, signal.SIGSTOP)


def test_stop_from_the_terminal(box):
    stop_and_go_on(box, signal.SIGTSTP)


def test_resizing(box):
    file = many(box, 50)
    terminal = box.terminal("run", file, "-j", "4", rows=24, columns=80)
    terminal.expect("47/50 tasks")
    for rows, columns in ((50, 200), (10, 40), (5, 20), (30, 100), (2, 10), (24, 80)):
        terminal.resize(rows, columns)
        terminal.frames(6)
        used = len([row for row in terminal.screen.text().split("\n") if row])
        check(used <= rows, f"{columns}x{rows}: {used} lines")
        equal(terminal.screen.unknown, [], f"{columns}x{rows}")
    terminal.expect("47/50 tasks")
    box.write("go", "")
    equal(terminal.wait(), 0)
    contains(terminal.screen.text(True), "✔ many #", "50 ok")


def test_no_size(box):
    """A terminal that tells no size (0x0) is taken for the usual one."""
    terminal = box.terminal("run", box.write("g.yaml", GATED), rows=24, columns=80)
    terminal._size(0, 0)
    terminal.frames(2)
    box.write("go", "")
    equal(terminal.wait(), 0)
    contains(terminal.screen.text(True), "✔ gated #")


if __name__ == "__main__":
    main(globals())
