#!/usr/bin/env python3
"""A fault at every call of input and output that orch makes in its store, one call after another.

Each scenario is a command (`orch run ...`), run with a preloaded object (shim.c) that counts its calls below the store's directory and does
something at call n: kill, tear a write, fail. n goes up until a run passes untouched. After each fault orch runs once more without the object,
and then everything has to be well: nothing that was shown or answered is lost, no recorded task is run again, the run ends as it should; orch itself
ended by our kill or with an error that names a file, and nothing it had started lives.

    tests/crash/call_points.py --orch build/orch --effect build/tests/crash/effect --shim build/tests/crash/shim.so
        [--scenario NAME ...] [--action NAME ...] [--every K] [--seed N] [--jobs N] [--at N]

--every K tries each K-th call only, beginning at one that the seed chooses.
"""
import argparse
import collections
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import threading
import time

import rig

# What is tried: the shim's action, for how many calls, and whether dice decide what of the unsynced is left.
ACTIONS = {
    "before": ("before", 1, False),
    "after": ("after", 1, False),
    "torn": ("torn", 1, False),
    "short": ("short", 1, False),
    "eio": ("eio", 1, False),
    "enospc": ("enospc", 1, False),
    "enospc-10": ("enospc", 10, False),
    "read": ("read", 1, False),
    "sync": ("sync", 1, False),
    "cut": ("cut", 1, False),
    "cut-dice": ("cut", 1, True),
}
KILLS = {"before", "after", "torn", "cut", "cut-dice"}
UNTOUCHED = 2  # the order of two threads' calls varies a little: so many runs in a row must pass


class Violation(Exception):
    pass


class Scenario:
    """What is run under the shim. `prepare` leaves a store that every try begins with, and returns the command's arguments."""
    name = None
    state = "succeeded"
    output = None
    unsynced = None  # a path that the store began with and that is not on the disk for certain

    def __init__(self, effect, shim):
        self.effect, self.shim = effect, shim

    def task(self, milliseconds, result=None, **keys):
        return {"exec": [self.effect, str(milliseconds)] + ([result] if result is not None else []), **keys}

    def definition(self, tasks, **keys):
        return {"name": self.name, "env": {"LEDGER": "{{ env.LEDGER }}"}, "tasks": tasks, **keys}

    def definitions(self):
        raise NotImplementedError

    def command(self, world):
        return ["run", world.files[self.name], "--progress", "jsonl"]

    def prepare(self, world):
        """An empty store that is complete: how one is made is another scenario's."""
        code, _, errors = world.run("run", world.files["nothing"])
        assert code == 0, errors
        return self.command(world)

    def beside(self, world, process):
        """What others do meanwhile."""

    def settle(self, world, run):
        """Without faults now: brings the run to its end. Returns the exit code of the last command and what it printed."""
        return world.run(*self.again(world, run), "--progress", "jsonl")

    def again(self, world, run):
        """The command that begins it, continues it, or runs it again when a fault has made it fail."""
        return ["run", world.files[self.name]] if run is None else ["retry", run] if world.ended(run) else ["run", "--continue", run]


class Chain(Scenario):
    """Three tasks in a row, in a store that is made at the same time."""
    name = "chain"

    def definitions(self):
        return [self.definition({"a": self.task(1, "1"), "b": self.task(1, "2", depends_on="a"), "c": self.task(1, "3", depends_on="b")},
                                output={"c": "{{ c.output }}"})]

    output = {"c": 3}

    def prepare(self, world):
        return self.command(world)


class Fan(Scenario):
    """A loop over items, and a task that fails twice before it succeeds."""
    name = "fan"
    output = {"sum": 14}

    def definitions(self):
        return [self.definition({
            "items": self.task(1, "[0, 1, 2, 3]"),
            "part": self.task(2, "{{ string(n * n) }}", depends_on="items", for_each={"in": "items.output", "as": "n"}),
            "flaky": self.task(1, "fail:3", retry={"max_attempts": 3, "delay": "2ms", "backoff": "constant"}),
            "sum": {"depends_on": ["part", "flaky"], "transform": "sum(part.output)"},
        }, concurrency=3, output={"sum": "{{ sum.output }}"})]


class Saga(Scenario):
    """Two tasks with compensations, then one that fails."""
    name = "saga"
    state = "compensated"

    def definitions(self):
        return [self.definition({
            "book": self.task(1, '"booked"', compensate=self.task(1)),
            "pay": self.task(1, '"paid"', depends_on="book", compensate=self.task(1)),
            "ship": self.task(1, "fail:1000", depends_on="pay"),
        }, **{"finally": {"tidy": self.task(1)}})]


class Nested(Scenario):
    """A sub-workflow, and outputs that are too large for the journal."""
    name = "nested"
    output = {"sizes": [70000, 80000]}

    def definitions(self):
        child = {"name": "child", "env": {"LEDGER": "{{ env.LEDGER }}"}, "tasks": {"large": self.task(1, "size:80000")},
                 "output": {"text": "{{ large.output }}"}}
        return [self.definition({
            "large": self.task(1, "size:70000"),
            "child": {"workflow": "./child.json", "depends_on": "large"},
        }, output={"sizes": "{{ [size(large.output), size(child.output.text)] }}"}), child]


class Again(Scenario):
    """A large output was about to be written when orch was killed: its directory is there, and nobody knows whether it is on the disk."""
    name = "again"
    output = {"size": 70000}

    def definitions(self):
        return [self.definition({"large": self.task(1, "size:70000"), "then": self.task(1, "1", depends_on="large")},
                                output={"size": "{{ size(large.output) }}"})]

    def prepare(self, world):
        super().prepare(world)
        environment = {"LD_PRELOAD": self.shim, "SHIM_DIR": world.store, "SHIM_ACTION": "after", "SHIM_AT": "1", "SHIM_MATCH": "/blobs/"}
        code, _, errors = world.run("run", world.files[self.name], "--progress", "jsonl", environment=environment)
        made = os.listdir(os.path.join(world.store, "blobs"))
        assert code == -signal.SIGKILL and len(made) == 1, errors
        self.unsynced = os.path.join(world.store, "blobs", made[0])
        return ["run", "--continue", world.runs()[-1], "--progress", "jsonl"]


class Cancel(Scenario):
    """A second process cancels while a task runs."""
    name = "cancel"
    state = "cancelled"

    def definitions(self):
        return [self.definition({
            "book": self.task(1, '"booked"', compensate=self.task(1)),
            "long": self.task(60000, "1", depends_on="book"),
        })]

    def cancel(self, world, process, begun=0):
        """When the long task runs; or the run may be over before it does."""
        while not world.ledger.wait_for("long", timeout=0.05, times=begun + 1):
            if process.poll() is not None:
                return
        run = world.ledger.entries[-1]["run"]
        code, _, errors = world.run("cancel", run, "--grace", "1s", "--progress", "jsonl")
        if code == 0:
            world.answers.append({"command": "cancel", "run": run})
        elif code < 0:
            raise Violation(f"orch cancel died of signal {-code}: {errors}")

    def beside(self, world, process):
        self.cancel(world, process)

    def settle(self, world, run):
        again = self.again(world, run)
        begun = sum(e["task"] == "long" for e in world.ledger.taken())
        process = world.start(*again, "--progress", "jsonl")
        helper = threading.Thread(target=self.cancel, args=(world, process, begun))
        helper.start()
        output, errors = world.finish(process)
        helper.join()
        return process.returncode, output, errors


class Continue(Scenario):
    """A run that was killed is continued: there is a log to absorb, a large output, and attempts that are lost."""
    name = "continue"
    output = {"sum": 14, "size": 66000}

    def definitions(self):
        return [self.definition({
            "large": self.task(1, "size:66000"),
            "part": self.task(25, "{{ string(n * n) }}", depends_on="large", for_each={"in": "[0, 1, 2, 3]", "as": "n"}),
            "done": self.task(1, "1", depends_on="part"),
        }, concurrency=2, output={"sum": "{{ sum(part.output) }}", "size": "{{ size(large.output) }}"})]

    def prepare(self, world):
        process = world.start("run", world.files[self.name], "--progress", "jsonl")
        assert world.ledger.wait_for("part[2]"), "the first half did not run"
        rig.kill_now(process.pid)
        world.finish(process)
        assert world.ledger.wait_for_quiet() == []
        return ["run", "--continue", world.runs()[0], "--progress", "jsonl"]


class Approve(Scenario):
    """A run waits for an answer and nobody runs it; the answer is recorded by who gives it."""
    name = "approve"

    def definitions(self):
        return [self.definition({"ask": {"approval": "go on?"}, "then": self.task(1, "1", depends_on="ask")}, output={"then": "{{ then.output }}"})]

    output = {"then": 1}

    def prepare(self, world):
        process = world.start("run", world.files[self.name], "--progress", "jsonl")
        while "ask" not in open(process.errors).read():
            time.sleep(0.01)
        rig.kill_now(process.pid)
        world.finish(process)
        self.run = world.runs()[0]
        return ["approve", self.run, "ask"]

    def settle(self, world, run):
        world.run("approve", run, "ask")  # or it was approved already
        return super().settle(world, run)


class Signal(Scenario):
    """A second process sends an event while a task waits for it: it arrives once, also when who got it dies before the answer."""
    name = "signal"
    output = {"then": 1}

    def definitions(self):
        return [self.definition({"begin": self.task(1, "1"), "go": {"wait": {"event": "go"}, "depends_on": "begin"},
                                 "then": self.task(1, "1", depends_on="go")}, output={"then": "{{ then.output }}"})]

    def signal(self, world, process):
        while '"reason":"event"' not in open(process.errors).read():
            if process.poll() is not None:
                return
            time.sleep(0.003)
        world.ledger.wait_for("begin")
        run = world.ledger.entries[-1]["run"]
        data = {"nr": len(world.sent)}
        world.sent.append(data)
        code, _, errors = world.run("signal", run, "go", "--data", json.dumps(data))
        if code == 0:
            world.answers.append({"command": "signal", "run": run, "data": data})
        elif code < 0:
            raise Violation(f"orch signal died of signal {-code}: {errors}")

    def beside(self, world, process):
        self.signal(world, process)

    def settle(self, world, run):
        begin = self.again(world, run)
        process = world.start(*begin, "--progress", "jsonl")
        while process.poll() is None and not (world.is_owned() and self.waiting(world)):
            time.sleep(0.003)
        if process.poll() is None:
            world.run("signal", self.waiting(world), "go", "--data", "0")
        output, errors = world.finish(process)
        return process.returncode, output, errors

    def waiting(self, world):
        """The run that waits for an event, by its journal."""
        for run, events in world.look().items():
            if events and events[-1].get("reason") == "event":
                return run
        return None


SCENARIOS = {scenario.name: scenario for scenario in (Chain, Fan, Saga, Nested, Again, Cancel, Continue, Approve, Signal)}


class Driver:
    def __init__(self, options, scenario):
        self.options = options
        self.folder = rig.Folder(f"orch-call-points-{scenario}-")
        self.ledger = rig.Ledger(os.path.join(self.folder.path, "ledger"), options.effect)
        self.scenario = SCENARIOS[scenario](options.effect, options.shim)
        self.report = os.path.join(self.folder.path, "report")
        self.backups = os.path.join(self.folder.path, "backups")
        self.template = os.path.join(self.folder.path, "template")
        self.world = self.new_world()
        self.command = self.scenario.prepare(self.world)
        # What was seen of the template is the beginning of every try.
        self.seen = json.dumps(self.world.shown)
        self.entries = self.ledger.taken()
        if os.path.exists(self.world.store):
            os.rename(self.world.store, self.template)
        self.figures = collections.Counter()

    def new_world(self):
        nothing = {"name": "nothing", "tasks": {"nothing": {"noop": {}}}}
        return rig.World(self.options.orch, self.ledger, self.folder.path, self.scenario.definitions() + [nothing])

    def reset(self):
        shutil.rmtree(self.world.store, ignore_errors=True)
        shutil.rmtree(self.backups, ignore_errors=True)
        os.mkdir(self.backups)
        for name in os.listdir(self.folder.path):
            if name.startswith(("report", "stderr.")):
                os.unlink(os.path.join(self.folder.path, name))
        if os.path.exists(self.template):
            shutil.copytree(self.template, self.world.store, ignore=shutil.ignore_patterns("sock"))
        self.world = self.new_world()
        self.world.shown = {run: {int(seq): event for seq, event in events.items()} for run, events in json.loads(self.seen).items()}
        self.ledger.clear()
        self.ledger.entries.extend(self.entries)

    def one(self, action, n):
        """One try. Returns whether the call was reached."""
        shim_action, calls, dice = ACTIONS[action]
        self.reset()
        world = self.world
        environment = {"LD_PRELOAD": self.options.shim, "SHIM_DIR": world.store, "SHIM_ACTION": shim_action, "SHIM_AT": str(n), "SHIM_FOR": str(calls),
                       "SHIM_REPORT": self.report, "SHIM_BACKUP": self.backups}
        if self.scenario.unsynced:
            environment["SHIM_UNSYNCED"] = self.scenario.unsynced
        if dice:
            environment["SHIM_SEED"] = str(self.options.seed % 2**31 * 2 + 1)
        process = world.start(*self.command, environment=environment)
        beside_failed = []
        helper = threading.Thread(target=lambda: self.watch(beside_failed, process))
        helper.start()
        ended = world.finish(process)
        if ended is None:
            rig.kill_now(process.pid)
            world.finish(process)
        helper.join()
        self.hit = open(self.report).read().splitlines() if os.path.exists(self.report) else []
        if ended is None:
            raise Violation("orch does not end")
        if beside_failed:
            raise Violation(beside_failed[0])
        self.judge(action, process.returncode, *ended)
        self.recover()
        return bool(self.hit)

    def watch(self, failed, process):
        try:
            self.scenario.beside(self.world, process)
        except (Violation, AssertionError) as error:
            failed.append(str(error))

    def judge(self, action, code, output, errors):
        """How the command itself came out."""
        if code == -signal.SIGKILL and action in KILLS and self.hit:
            return
        if code < 0:
            raise Violation(f"died of signal {-code}: {errors[-2000:]}")
        self.figures[f"exit {code}"] += 1
        if self.command[0] == "approve":
            if code == 0:
                self.world.answers.append({"command": "approve", "run": self.command[1], "task": "ask"})
                return
        elif code == 0:
            if self.scenario.state != "succeeded" or (self.scenario.output and json.loads(output) != self.scenario.output):
                raise Violation(f"it ended well with {output.strip()!r}")
            return
        if self.says_state(errors):
            return
        if code not in (11, 12, 13):
            raise Violation(f"exit code {code} for what failed in the store: {errors[-2000:]!r}")
        if not ("error[" in errors or '"type":"error"' in errors) or self.world.store not in errors:
            raise Violation(f"exit code {code}, and no error that names a file of the store: {errors[-2000:]!r}")

    def says_state(self, errors):
        """The run ended otherwise than well, and the end was shown."""
        return '"type":"execution.ended"' in errors

    def recover(self):
        world, scenario = self.world, self.scenario
        self.expect(world.check())
        for _ in range(4):
            runs = [run for run in world.journals if self.workflow_of(run) == scenario.name]
            run = runs[0] if runs else None
            end = world.ended(run) if run else None
            if end and end["state"] == scenario.state:
                break
            code, output, errors = scenario.settle(world, run)
            if code not in (0, 1, 9):
                raise Violation(f"without a fault it ends with {code}: {errors[-2000:]}")
            if code == 0 and scenario.output and json.loads(output) != scenario.output:
                raise Violation(f"it came to {output.strip()!r}, not {scenario.output}")
            self.expect(world.check())
        else:
            raise Violation(f"it does not come to {scenario.state}")
        self.expect(world.check(final=True, look=False))

    def workflow_of(self, run):
        return self.world.journals[run][0].get("name") if self.world.journals.get(run) else None

    def expect(self, violations):
        if violations:
            raise Violation("; ".join(violations[:5]))

    def all(self, action):
        """Every call. Returns a line of figures, or raises Violation with where it was."""
        n = 1 + self.options.seed % self.options.every if self.options.at is None else self.options.at
        untouched, tried, begun = 0, 0, time.monotonic()
        while untouched < UNTOUCHED:
            try:
                touched = self.one(action, n)
            except (Violation, AssertionError) as error:
                raise Violation(f"{self.scenario.name}, {action} at call {n} ({'; '.join(self.hit) or 'not reached'}): {error}\n"
                                f"  again with: --scenario {self.scenario.name} --action {action} --at {n} --seed {self.options.seed}; "
                                f"the store is in {self.world.store}") from None
            tried += touched
            untouched = 0 if touched else untouched + 1
            if self.options.at is not None:
                break
            n += self.options.every if touched else 1
        return {"scenario": self.scenario.name, "action": action, "calls": tried, "seconds": time.monotonic() - begun, "exits": dict(self.figures)}


def work(job):
    options, scenario, action = job
    driver = None
    try:
        driver = Driver(options, scenario)
        result = driver.all(action)
        driver.folder.remove()
        return result
    except (Violation, AssertionError) as error:
        return {"scenario": scenario, "action": action, "failure": str(error)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orch", required=True)
    parser.add_argument("--effect", required=True)
    parser.add_argument("--shim", required=True)
    parser.add_argument("--scenario", action="append", choices=SCENARIOS)
    parser.add_argument("--action", action="append", choices=ACTIONS)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--at", type=int)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(30))
    options = parser.parse_args()
    for name in ("orch", "effect", "shim"):
        setattr(options, name, os.path.realpath(getattr(options, name)))
    begun = time.monotonic()
    jobs = [(options, scenario, action) for scenario in options.scenario or SCENARIOS for action in options.action or ACTIONS]
    failures, calls = 0, 0
    with multiprocessing.Pool(options.jobs, maxtasksperchild=1) as pool:
        for result in pool.imap(work, jobs):
            if "failure" in result:
                failures += 1
                print(f"call_points: {result['failure']}", file=sys.stderr, flush=True)
                continue
            calls += result["calls"]
            exits = ", ".join(f"{count} x {code}" for code, count in sorted(result["exits"].items()))
            print(f"{result['scenario']:9} {result['action']:10} {result['calls']:5} calls {result['seconds']:6.1f} s  {exits}", flush=True)
    print(f"{calls} calls struck in {time.monotonic() - begun:.0f} s, seed {options.seed}: "
          + (f"{failures} FAILED" if failures else "nothing lost, nothing recorded repeated"))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
