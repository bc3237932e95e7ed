#!/usr/bin/env python3
"""Cancels and timeouts of programs that do not want to end, through the real program, at random instants.

Each round runs one of the programs beside this file as a task of `orch run` and ends it in one of five ways: its `timeout:`, `orch cancel` of a
second process, Ctrl-C in a terminal, Ctrl-C twice, or a cancel that was answered and then kill -9 of orch. Half of the rounds have control groups,
half have not (their orch runs in a mount name space where there are none). Checked in each:

  - what was to end has ended within its grace and a second;
  - nothing is left: by the file that runs, by the store's mark in the environment, by descent from orch, by control group;
  - no zombie below orch or its spawner;
  - a neighbour that was not meant goes on;
  - orch and its spawner stay below 64 MB, a log below its 64 MiB;
  - the recorded states are right, and a cancel that was answered is one after kill -9, without anything being started again;
  - nothing is left in the store's scratch.

    tests/nasty/campaign.py --orch build/orch --programs build/tests/nasty [--rounds 200] [--seed N] [--only ROUND]
"""
import argparse
import glob
import json
import os
import pty
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PROGRAMS = ["clone_parent", "closes_stdout", "comet", "dead_leader", "double_fork", "drips", "eats_memory", "everything", "exec_loop",
            "exits_writing", "fills_scratch", "floods", "fork_storm", "forks_on_term", "holds_pipe", "ignore_term", "kills_spawner",
            "leaves_group", "long_line", "many_fds", "namespaces", "odd_output", "other_user", "rewrites_mark", "setsid_daemon",
            "sheds_marks", "stopped", "stops_group", "stops_spawner", "subreaper", "traced", "vfork_stopped", "zombies"]
WAYS = ["timeout"] * 9 + ["cancel"] * 8 + ["interrupt"] * 4 + ["interrupt twice"] * 2 + ["cancel, kill -9"] * 2
ENDS_BY_ITSELF = {"exits_writing": "succeeded", "holds_pipe": "succeeded", "odd_output": "failed"}
AGAINST_SPAWNER = {"kills_spawner", "stops_spawner"}  # all that runs is lost with it
FLOODS = {"floods", "long_line"}                      # are not shown: whatever reads our stderr would get it all
TOUCH = os.path.realpath(shutil.which("touch") or "touch")
MEGABYTE = 1 << 20
RESIDENT_MAX = 64 * MEGABYTE
LOG_MAX = 64 * MEGABYTE + 64 * 1024
BOUND = 1.0  # seconds beyond the grace: what is promised

WORKFLOW = """\
name: nasty
tasks:
  nasty: {exec: [PROGRAM]TIMEOUT, continue_on_error: true}
NEIGHBOUR  flag: {depends_on: nasty, join: all_done, exec: [TOUCH, FLAG]}
  hold: {depends_on: flag, wait: {event: go}}
"""


class Failed(Exception):
    pass


def read(path, size=1 << 16):
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError:
        return b""


def remove(*paths):
    subprocess.run(["rm", "-rf", *paths], check=True)  # of any depth


def stat_of(pid):
    """(state, parent, start, threads) or None."""
    text = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return (text[0].decode(), int(text[1]), int(text[19]), int(text[17])) if len(text) > 20 else None


def processes():
    """pid -> (state, parent, start, threads) of all there are."""
    found = {int(name): stat_of(name) for name in os.listdir("/proc") if name.isdigit()}
    return {pid: stat for pid, stat in found.items() if stat}


def exe_of(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def describe(pid, stat):
    return f"{pid} {read(f'/proc/{pid}/comm').decode(errors='replace').strip()} ({stat[0]}, child of {stat[1]}) {exe_of(pid)}"


def group_home():
    """The directory of our own control group (version 2) where groups can be made and killed, or None."""
    own = next((line[3:] for line in read("/proc/self/cgroup").decode().splitlines() if line.startswith("0::")), None)
    for line in read("/proc/self/mountinfo", 1 << 20).decode().splitlines():
        if " - cgroup2 " not in line or own is None:
            continue
        home = line.split()[4] + own.rstrip("/")
        probe = os.path.join(home, f"orch-campaign-{os.getpid()}")
        try:
            os.mkdir(probe)
        except OSError:
            return None
        can_kill = os.access(os.path.join(probe, "cgroup.kill"), os.W_OK)
        os.rmdir(probe)
        return home if can_kill else None
    return None


def hider():
    """What to put before a command so that it finds no control groups, or None where that cannot be done."""
    mounts = [line.split()[4] for line in read("/proc/self/mountinfo", 1 << 20).decode().splitlines() if " - cgroup2 " in line]
    if not mounts:
        return []
    prefix = ["unshare", "--mount", "sh", "-c", " && ".join(f"umount -l {mount}" for mount in mounts) + ' && exec "$@"', "sh"]
    done = subprocess.run(prefix + ["grep", "-c", " - cgroup2 ", "/proc/self/mountinfo"], capture_output=True, text=True) if shutil.which("unshare") else None
    return prefix if done and done.stdout.strip() == "0" else None


class Round:
    def __init__(self, slot, number, plan):
        self.slot, self.number, self.plan = slot, number, plan
        self.store = os.path.join(slot.folder, "store")
        self.flag = os.path.join(slot.folder, "flag")
        self.resident = 0
        self.recorded = None  # from the recorded cancel to the recorded end
        self.process = None
        self.terminal = -1
        self.shown = b""
        self.known = {}    # pid -> start, of everything that was ever seen below orch
        self.spawners = set()

    # The plan in words, for whoever has to look.
    def __str__(self):
        p = self.plan
        return (f"round {self.number}: {p['program']}, {p['way']} at {p['instant'] * 1000:.0f} ms{' after it was ready' if p['when_ready'] else ''}, "
                f"grace {p['grace'] * 1000:.0f} ms, {'with' if p['groups'] else 'without'} control groups, shown as {p['mode']}"
                f"{', with a neighbour' if p['neighbour'] else ''}")

    def expect(self, true, text):
        if not true:
            raise Failed(f"{text}\n  {self}")

    def begin(self):
        remove(self.store, self.flag)
        plan = self.plan
        file = os.path.join(self.slot.folder, "nasty.yaml")
        with open(file, "w") as out:
            timeout = f", timeout: {plan['timeout'] * 1000:.0f}ms" if plan["way"] == "timeout" else ""
            neighbour = f"  quiet: {{exec: [{self.slot.path('neighbour')}]}}\n" if plan["neighbour"] else ""
            arguments = f", {self.slot.pipe}" if plan["program"] == "odd_output" and plan["held"] else ""
            out.write(WORKFLOW.replace("PROGRAM", json.dumps(self.slot.path(plan["program"])) + arguments).replace("TIMEOUT", timeout)
                      .replace("NEIGHBOUR", neighbour).replace("FLAG", self.flag).replace("TOUCH", TOUCH))
        self.command = [self.slot.orch, "run", file, "--store", self.store, "--grace", f"{plan['grace'] * 1000:.0f}ms"]
        self.start(self.command + ["--progress", plan["mode"]], terminal=plan["way"].startswith("interrupt"))

    def start(self, command, terminal=False):
        prefix = [] if self.plan["groups"] else self.slot.hider
        self.begun = time.monotonic()
        if terminal:
            self.terminal, other = pty.openpty()
            import fcntl
            import termios
            self.process = subprocess.Popen(prefix + command, stdin=other, stdout=other, stderr=other, start_new_session=True,
                                            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
            os.close(other)
        else:
            self.errors = open(os.path.join(self.slot.folder, "stderr"), "w+b")
            self.process = subprocess.Popen(prefix + command, stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors, start_new_session=True)

    def text(self):
        if self.terminal >= 0:
            return self.shown.decode(errors="replace")[-3000:]
        return read(os.path.join(self.slot.folder, "stderr"), 1 << 22).decode(errors="replace")[-3000:]

    def look(self):
        """Keeps in mind what is below orch, and how large orch is."""
        if self.process.poll() is not None:
            return
        self.drain()
        for pid in [self.process.pid, *self.spawners]:
            for line in read(f"/proc/{pid}/status").decode(errors="replace").splitlines():
                if line.startswith("VmHWM:"):
                    self.resident = max(self.resident, int(line.split()[1]) * 1024)

    def learn(self):
        """Everything below orch now."""
        found = processes()
        below = {self.process.pid}
        grew = True
        while grew:
            grew = False
            for pid, stat in found.items():
                if stat[1] in below and pid not in below:
                    below.add(pid)
                    grew = True
        for pid in below - {self.process.pid}:
            self.known[pid] = found[pid][2]
            if found[pid][1] == self.process.pid and read(f"/proc/{pid}/comm") == b"orch-spawner\n":
                self.spawners.add(pid)

    def drain(self):
        while self.terminal >= 0 and select.select([self.terminal], [], [], 0)[0]:
            try:
                got = os.read(self.terminal, 65536)
            except OSError:
                return
            if not got:
                return
            self.shown = (self.shown + got)[-8192:]

    def wait_until(self, what, condition, seconds):
        until = time.monotonic() + seconds
        while not condition():
            self.look()
            if time.monotonic() > until:
                self.learn()
                raise Failed(f"waited {seconds:.2f} s for {what}\n  {self}\n" + "".join(f"  {describe(pid, stat)}\n" for pid, stat in processes().items()
                                                                                 if self.known.get(pid) == stat[2]) + self.text())
            time.sleep(0.004)

    def sleep(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            self.look()
            time.sleep(min(0.01, max(0, until - time.monotonic())))

    def logs(self):
        return glob.glob(os.path.join(self.store, "logs", "*", "nasty.*.log"))

    def is_ready(self):
        return any(b" o ready\n" in read(log) for log in self.logs())

    def has_ended(self):
        return self.process.poll() is not None

    def orch(self, *arguments):
        return subprocess.run([self.slot.orch, *arguments, "--store", self.store], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def history(self):
        done = self.orch("show", "last", "--history", "-o", "json")
        self.expect(done.returncode == 0, f"the history cannot be read: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def left(self, but=()):
        """Who is there of this slot, by four ways of knowing; lines of text."""
        mark = b"ORCH_STORE=" + (read(os.path.join(self.store, "lock")).splitlines() + [b"", b""])[1] + b"\0"
        lines, zombies = [], []
        for pid, stat in processes().items():
            if pid in but or pid == os.getpid() or (self.process and pid == self.process.pid):
                continue
            if stat[0] in "ZXx" and stat[3] <= 1:
                # One that init has not waited for yet is nobody's of ours.
                if stat[1] != 1 and self.known.get(pid) == stat[2]:
                    zombies.append((pid, stat))
                continue
            if exe_of(pid) == TOUCH:
                continue  # has shown that it follows, and is about to end
            why = ("runs a program of the round" if exe_of(pid).startswith(self.slot.bin) else
                   "carries the store's mark" if len(mark) > 13 and mark in read(f"/proc/{pid}/environ") else
                   "was started below orch" if self.known.get(pid) == stat[2] else None)
            if why:
                lines.append(f"{describe(pid, stat)}: {why}")
        if zombies:
            time.sleep(0.05)  # everybody is one for a moment
        return lines + ["zombie " + describe(pid, stat) for pid, stat in zombies if stat_of(pid) == stat]

    def groups_left(self):
        if not self.slot.home:
            return []
        return [path for spawner in self.spawners for path in glob.glob(os.path.join(self.slot.home, f"orch-*-{spawner}"))]

    def nothing_left(self, seconds=0.0):
        until = time.monotonic() + seconds
        while True:
            lines = self.left()
            groups = self.groups_left()
            if not lines and not groups:
                return
            if time.monotonic() > until:
                raise Failed("\n  ".join(["left:", *lines, *groups, str(self)]) + "\n" + self.text())
            time.sleep(0.005)

    def check_files(self):
        for log in glob.glob(os.path.join(self.store, "logs", "*", "*")):
            self.expect(os.path.getsize(log) <= LOG_MAX, f"{log} has {os.path.getsize(log)} bytes")
        scratch = glob.glob(os.path.join(self.store, "scratch", "*"))
        # After kill -9 it goes when the store's next task begins.
        self.expect(not scratch or self.plan["way"] == "cancel, kill -9", f"left in scratch: {scratch}")
        if not self.slot.sanitized:
            self.expect(self.resident <= RESIDENT_MAX, f"orch or its spawner has {self.resident >> 10} KiB")

    def check_states(self, history, run_states):
        program = self.plan["program"]
        sequence = [event["seq"] for event in history]
        self.expect(sequence == list(range(1, len(sequence) + 1)), "the journal has gaps")
        ends = [event for event in history if event["type"] == "execution.ended"]
        self.expect(len(ends) == 1 and ends[0]["state"] in run_states, f"the run's end is {ends}, not {run_states}")
        task = [event for event in history if event["type"] == "task.ended" and event["step"] == "nasty"]
        states = {"timed_out"} if self.plan["way"] == "timeout" else {"cancelled"}
        if program in ENDS_BY_ITSELF:
            states.add(ENDS_BY_ITSELF[program])  # the first of the two that is recorded counts
        if program == "kills_spawner":
            states.add("failed")  # lost, and lost again, until that is enough
        self.expect(len(task) == 1 and task[0]["state"] in states, f"the task's end is {task}, not {states}")
        stopping = next((event for event in history if event["type"] == "execution.stopping"), None)
        if stopping and self.plan["way"] != "cancel, kill -9":
            took = self.recorded = seconds_between(stopping["t"], ends[0]["t"])
            self.expect(took <= self.plan["grace"] + BOUND, f"the recorded end is {took:.3f} s after the cancel")
        starts = [event for event in history if event["type"] == "task.attempt.started" and event["step"] == "nasty"]
        self.expect(len(starts) == 1 or program in AGAINST_SPAWNER, f"the task was started {len(starts)} times")

    #
    # The ways to end it.
    #
    def wait_for_instant(self):
        if self.plan["when_ready"]:
            self.wait_until("the program to be ready", lambda: self.is_ready() or self.has_ended() or os.path.exists(self.flag), 20)
        self.sleep(self.plan["instant"])
        self.learn()

    def cancel(self):
        """Returns when the cancel that was accepted began, or None when the run does not exist yet and never will."""
        while True:
            asked = time.monotonic()
            done = self.orch("cancel", "last")
            if done.returncode == 0:
                return asked
            self.expect(done.returncode == 4 and asked - self.begun < 20, f"cancel: {done.returncode} {done.stderr}")
            time.sleep(0.002)

    def wait_end(self, since, seconds, codes):
        # What a task left on the disk is removed before orch ends, which takes what the disk takes; the recorded end does not wait for it.
        patience = 60 if self.plan["program"] == "fills_scratch" else 0
        self.wait_until("orch to end", self.has_ended, since + seconds + patience - time.monotonic())
        took = time.monotonic() - since
        self.drain()
        self.nothing_left()
        self.expect(self.process.returncode in codes, f"orch ended with {self.process.returncode}, not {codes}\n{self.text()}")
        return took

    def by_timeout(self):
        plan = self.plan
        self.wait_until("the task's first attempt", lambda: self.logs() or os.path.exists(self.flag) or plan["program"] in AGAINST_SPAWNER or self.is_older(1), 20)
        self.sleep(min(plan["timeout"], 0.05))
        self.learn()
        attempts = 12 if plan["program"] == "kills_spawner" else 1
        self.wait_until("the task to end", lambda: os.path.exists(self.flag), attempts * (plan["timeout"] + plan["grace"] + BOUND) + 5)
        self.learn()
        history = self.history()
        end = next((event for event in history if event["type"] == "task.ended" and event["step"] == "nasty"), None)
        self.expect(end is not None, "what follows the task has begun, and it has no end")
        started = [event for event in history if event["type"] == "task.attempt.started" and event["step"] == "nasty"][-1]
        took = seconds_between(started["t"], end["t"]) - plan["timeout"]
        self.expect(took <= plan["grace"] + BOUND, f"ended {took:.3f} s after its timeout")
        if end["state"] == "timed_out":
            self.expect(took >= -0.002, f"timed out {-took:.3f} s early")
        neighbours = [pid for pid in self.known if exe_of(pid) == self.slot.path("neighbour")]
        self.expect(len(neighbours) == (1 if plan["neighbour"] else 0), f"the neighbours that are left are {neighbours}")
        lines = self.left(but=[*self.spawners, *neighbours])
        self.expect(not lines, "\n  ".join(["left while orch goes on:", *lines]))
        for procs in (path for spawner in self.spawners for path in
                      glob.glob(os.path.join(self.slot.home or "/nowhere", f"orch-*-{spawner}", "**", "cgroup.procs"), recursive=True)):
            members = [int(line) for line in read(procs).split()]
            if any(pid not in neighbours for pid in members):
                time.sleep(0.05)  # what shows that it follows is about to end
                members = [int(line) for line in read(procs).split()]
            self.expect(all(pid in neighbours for pid in members), f"{members} are left in {procs}")
        for pid in neighbours:
            os.kill(pid, signal.SIGUSR1)
        done = self.orch("signal", "last", "go")
        self.expect(done.returncode == 0, f"signal: {done.stderr}")
        self.wait_end(time.monotonic(), 5, {0})
        self.check_states(self.history(), {"succeeded"})
        return took

    def is_older(self, seconds):
        return time.monotonic() - self.begun > seconds

    def by_cancel(self):
        self.wait_for_instant()
        since = self.cancel()
        took = self.wait_end(since, self.plan["grace"] + BOUND, {9})
        self.check_states(self.history(), {"cancelled"})
        return took

    def by_interrupt(self, twice):
        self.wait_for_instant()
        since = time.monotonic()
        exists = os.path.exists(os.path.join(self.store, "orch.db"))
        os.write(self.terminal, b"\x03")
        grace = self.plan["grace"]
        if twice:
            self.sleep(grace / 3)
            if not self.has_ended():
                os.write(self.terminal, b"\x03")
            grace = grace / 3
        # Before it looks at signals it dies like any program, and there is no run, or one that was interrupted.
        took = self.wait_end(since, grace + BOUND, {130, -signal.SIGINT})
        if self.process.returncode == 130 and exists:
            self.check_states(self.history(), {"cancelled"})
        return took

    def by_kill(self):
        self.wait_for_instant()
        self.cancel()
        self.learn()
        self.sleep(self.plan["kill_after"])
        since = time.monotonic()
        if not self.has_ended():
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.plan["program"] != "stops_spawner":
            self.nothing_left(BOUND)  # else the next life ends it: nobody else is there to do it
        took = time.monotonic() - since
        self.start(self.command + ["--progress", "quiet", "--continue"])
        # 4: it had ended before it was killed.
        self.wait_end(time.monotonic(), self.plan["grace"] + BOUND + 5, {9, 4})
        self.check_states(self.history(), {"cancelled"})
        return took

    def run(self):
        way = self.plan["way"]
        try:
            self.begin()
            took = (self.by_timeout() if way == "timeout" else self.by_cancel() if way == "cancel" else
                    self.by_kill() if way == "cancel, kill -9" else self.by_interrupt(way == "interrupt twice"))
            self.check_files()
            return self.recorded if self.plan["program"] == "fills_scratch" and self.recorded is not None else took
        finally:
            self.close()

    def close(self):
        """Also after a failure nothing is left: the programs of this round are known by their files."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for _ in range(100):
            mine = [pid for pid, stat in processes().items() if exe_of(pid).startswith(self.slot.bin) and stat[0] not in "ZX"]
            for pid in mine:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not mine:
                break
            time.sleep(0.01)
        if self.terminal >= 0:
            os.close(self.terminal)


def seconds_between(begin, end):
    import datetime
    parse = datetime.datetime.fromisoformat
    return (parse(end.replace("Z", "+00:00")) - parse(begin.replace("Z", "+00:00"))).total_seconds()


class Slot:
    """A place for rounds, one after the other: programs under a path that nobody else runs."""

    def __init__(self, arguments):
        self.folder = tempfile.mkdtemp(prefix="orch-nasty-")
        self.bin = os.path.join(os.path.realpath(self.folder), "bin")
        os.chmod(self.folder, 0o755)  # some become other users
        os.mkdir(self.bin)
        for name in PROGRAMS + ["neighbour"]:
            shutil.copy(os.path.join(arguments.programs, "nasty-" + name), self.path(name))
        self.pipe = os.path.join(self.folder, "pipe")
        os.mkfifo(self.pipe)
        self.pipe_fd = os.open(self.pipe, os.O_RDWR)  # held open, and nothing is ever said
        self.orch = os.path.abspath(arguments.orch)
        self.sanitized = arguments.sanitized
        self.home = group_home()
        self.hider = hider()

    def path(self, name):
        return os.path.join(self.bin, name)

    def close(self):
        os.close(self.pipe_fd)
        remove(self.folder)


def plan_of(seed, number, home, hiding):
    dice = random.Random(f"{seed}/{number}")
    # Programs in turn, so that each comes as often; everything else is drawn.
    order = random.Random(f"{seed}/{number // len(PROGRAMS)}").sample(PROGRAMS, len(PROGRAMS))
    program = order[number % len(PROGRAMS)]
    way = dice.choice(WAYS)
    when_ready = dice.random() < 0.5
    groups = dice.random() < 0.5
    if not home:
        groups = False
    elif hiding is None:
        groups = True
    grace = dice.choice((0.03, 0.1, 0.2, 0.3)) * (1 + dice.random())
    # A program that sheds every mark is ended with the last of the others where there are no control groups.
    alone = program in AGAINST_SPAWNER or (program == "sheds_marks" and not groups)
    mode = "quiet" if program in FLOODS else dice.choice(("quiet", "plain", "jsonl"))
    return {"program": program, "way": way, "when_ready": when_ready, "groups": groups, "grace": grace,
            "instant": dice.random() * dice.choice((0.03, 0.1, 0.3)), "timeout": 0.005 + dice.random() * dice.choice((0.03, 0.1, 0.4)),
            "neighbour": not alone and dice.random() < 0.5, "mode": mode if not way.startswith("interrupt") or dice.random() < 0.5 else "tty" if program not in FLOODS else mode,
            "held": dice.random() < 0.5, "kill_after": dice.random() * grace}


def work(arguments):
    """Rounds FROM, FROM + STEP, ...; a line of JSON for each."""
    slot = Slot(arguments)
    numbers = [arguments.only] if arguments.only is not None else range(arguments.worker, arguments.rounds, arguments.jobs)
    try:
        for number in numbers:
            turn = Round(slot, number, plan_of(arguments.seed, number, slot.home, slot.hider))
            line = {"round": number, "plan": turn.plan}
            try:
                took = turn.run()
                line.update(took=took, resident=turn.resident)
            except Failed as failed:
                line["failed"] = str(failed)
            print(json.dumps(line), flush=True)
            if "failed" in line:
                break
    finally:
        slot.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orch", required=True)
    parser.add_argument("--programs", required=True, help="the folder with nasty-*")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--jobs", type=int, default=3, help="rounds at once")
    parser.add_argument("--only", type=int, help="this round alone")
    parser.add_argument("--sanitized", action="store_true", help="memory is not looked at")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker is not None:
        try:
            return work(arguments)
        except KeyboardInterrupt:  # another one has failed
            return None
    if not group_home():
        print("no control groups can be made here: all rounds go without")
    elif hider() is None:
        print("control groups cannot be hidden here: all rounds have them")
    print(f"seed {arguments.seed}", flush=True)
    begun = time.monotonic()
    jobs = 1 if arguments.only is not None else arguments.jobs
    workers = [subprocess.Popen([sys.executable, os.path.abspath(__file__), *sys.argv[1:], "--seed", str(arguments.seed), "--jobs", str(jobs), "--worker", str(n)],
                                stdout=subprocess.PIPE, text=True) for n in range(jobs)]
    lines, failed = [], []
    try:
        streams = {worker.stdout: worker for worker in workers}
        while streams and not failed:
            for stream in select.select(list(streams), [], [])[0]:
                line = stream.readline()
                if not line:
                    if streams.pop(stream).wait() != 0:
                        failed.append("a worker broke")
                    continue
                lines.append(json.loads(line))
                if "failed" in lines[-1]:
                    failed.append(lines[-1]["failed"])
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGINT)
        for worker in workers:
            worker.wait()
    for text in failed:
        print(f"FAILED after {len(lines)} rounds, seed {arguments.seed}: {text}")
    if failed:
        sys.exit(1)
    beyond = sorted((line["took"] - line["plan"]["grace"], line["round"]) for line in lines if line["plan"]["way"] in ("timeout", "cancel", "interrupt"))
    ways = {way: sum(1 for line in lines if line["plan"]["way"] == way) for way in dict.fromkeys(WAYS)}
    groups = sum(1 for line in lines if line["plan"]["groups"])
    print(f"{len(lines)} rounds over {len(PROGRAMS)} programs in {time.monotonic() - begun:.0f} s: " + ", ".join(f"{count} {way}" for way, count in ways.items()) +
          f"; {groups} with control groups, {len(lines) - groups} without")
    if beyond:
        print(f"the longest beyond the grace: {beyond[-1][0] * 1000:.0f} ms (round {beyond[-1][1]}), 99 of 100 below {beyond[int(len(beyond) * 0.99)][0] * 1000:.0f} ms; "
              f"largest orch: {max(line['resident'] for line in lines) / MEGABYTE:.1f} MB")
    print("no survivor, no zombie, every recorded state right")


if __name__ == "__main__":
    main()
