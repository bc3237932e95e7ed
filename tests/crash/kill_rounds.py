#!/usr/bin/env python3
"""kill -9 at random moments, and what must be true all the same.

A definition over every construct is drawn from the seed, and run by the real program. Its tasks tell a ledger outside, which is never killed, that they
begin and end. orch is killed at a random moment, alone or with the process that starts its programs, or only that one; meanwhile people
cancel, approve, send events, pause, resume, and what they were answered is kept. After every kill, and at the end, the checker
(checker.py) compares journals, ledger, answers and all that was ever shown. When the kills are over everything has to end within 30 s.

With --exhaustive the moments are not random: a fixed workflow is killed after the first event that it shows, the second, and so on; and then again
while it is continued.

    tests/crash/kill_rounds.py --orch build/orch --effect build/tests/crash/effect [--rounds 300] [--seed N] [--exhaustive] [--record FILE]
"""
import argparse
import collections
import json
import os
import random
import signal
import socket
import sys
import threading
import time

import rig
from workflows import Draw

PEOPLE = ["approve", "signal", "pause", "resume", "cancel"]


class Failure(Exception):
    pass


class Round:
    """One execution, killed until the dice let it end."""

    def __init__(self, options, seed, folder, ledger, figures):
        self.options, self.seed, self.ledger, self.figures = options, seed, ledger, figures
        self.dice = random.Random(seed)
        draw = Draw(self.dice, options.effect)
        self.definitions = draw.workflow(fails=self.dice.random() < 0.3)
        self.approvals, self.events = draw.approvals, draw.events
        self.cancels = self.dice.random() < 0.4
        self.world = rig.World(options.orch, ledger, folder, self.definitions)
        self.run = None
        self.signals = 0
        self.signalled = set()
        self.lock = threading.Lock()
        self.last_fault = time.monotonic()

    def check(self, final=False, **more):
        violations = self.world.check(final, **more)
        if violations:
            raise Failure("; ".join(violations[:6]))

    def find_run(self):
        """The first is ours: what was shown of it, or that it is in the store."""
        if self.run is None:
            runs = self.world.runs()
            self.run = runs[0] if runs else None
        return self.run

    def state(self):
        """Of the journal as it was last read."""
        events = self.world.journals.get(self.run) or []
        end = events[-1] if events else None
        return end["state"] if end and end["type"] == "execution.ended" else None

    # What people do: one command, and what became of it.

    def ask(self, command, *arguments, **answer):
        code, _, errors = self.world.run(command, self.run, *arguments, timeout=90)
        if code < 0:
            raise Failure(f"orch {command} died of signal {-code}: {errors}")
        if code == 0:
            with self.lock:
                self.world.answers.append({"command": command, "run": self.run, **answer})
                self.figures[command] += 1
            return True
        if code in (6, 7) or (code == 13 and "went away" in errors):  # not possible in this state; or nobody answers any more
            return False
        raise Failure(f"orch {command} {' '.join(arguments)} ended with {code}: {errors}")

    def help_on(self):
        """What is waited for is given, once each."""
        for name in self.approvals:
            self.ask("approve", name, task=name)
        for name in self.events:
            if name not in self.signalled:
                self.signals += 1
                data = {"name": name, "nr": self.signals}
                self.world.sent.append(data)
                if self.ask("signal", name, "--data", json.dumps(data), data=data):
                    self.signalled.add(name)

    def some_people(self):
        """Something at random, while orch runs or is killed, or after."""
        for _ in range(self.dice.randint(1, 3)):
            self.some_person(self.dice.choice(PEOPLE))

    def some_person(self, what):
        if what == "approve" and self.approvals:
            name = self.dice.choice(self.approvals)
            self.ask("approve", name, task=name)
        elif what == "signal" and self.events:
            name = self.dice.choice(self.events)
            self.signals += 1
            data = {"name": name, "nr": self.signals}
            self.world.sent.append(data)
            if self.ask("signal", name, "--data", json.dumps(data), data=data):
                self.signalled.add(name)
        elif what in ("pause", "resume"):
            self.ask(what)
        elif what == "cancel" and self.cancels:
            self.ask("cancel", "--grace", "1s", "--progress", "quiet")

    # The program.

    def command(self):
        """What goes on with it: begins it, continues it, or runs it again when it has failed."""
        if self.find_run() is None:
            return ["run", self.world.files["drawn"], "--jobs", "4"]
        if self.state() in ("failed", "compensated", "cancelled", "timed_out"):
            self.world.asked.append(self.run)
            self.signalled.clear()  # what waited for an event may wait for another
            return ["retry", self.run, "--jobs", "4"]
        return ["run", "--continue", self.run, "--jobs", "4"]

    def kill(self, process):
        """Returns whether it still ran."""
        if process.poll() is not None:
            return False
        spawners = rig.children_of(process.pid)
        victims = self.dice.choices([[process.pid], [process.pid, *spawners], [*spawners, process.pid], spawners], [6, 2, 2, 1])[0]
        for pid in victims:
            rig.kill_now(pid)
        self.figures["the spawner first" if process.pid not in victims else "with the spawner" if len(victims) > 1 else "orch only"] += 1
        if process.pid not in victims:
            # It notices, or has nothing to start and goes on; and then it is its turn.
            time.sleep(self.dice.random() * 0.1)
            rig.kill_now(process.pid)
        return True

    def killed_once(self):
        """One life of the program that ends with a kill, unless it ends before."""
        process = self.world.start(*self.command(), "--progress", "jsonl")
        moment = time.monotonic() + self.dice.choice((0.01, 0.03, 0.1, 0.25)) * self.dice.random() * 2
        failed = []
        person = threading.Thread(target=self.guarded, args=(self.some_people, failed)) if self.run and self.dice.random() < 0.7 else None
        if person:
            person.start()
        while process.poll() is None and time.monotonic() < moment:
            time.sleep(min(0.002, max(0, moment - time.monotonic())))
        killed = self.kill(process)
        ended = self.world.finish(process, timeout=60)
        if person:
            person.join()
        self.last_fault = time.monotonic()
        if ended is None:
            rig.kill_now(process.pid)
            raise Failure(f"orch {' '.join(self.command())} does not end")
        self.after_kill(killed)
        if failed:
            raise Failure(failed[0])
        self.judge(process.returncode, ended[1], killed)
        self.find_run()
        self.check()
        return killed

    def after_kill(self, killed):
        """Nothing: a killed process leaves no more than that."""

    def guarded(self, what, failed):
        try:
            what()
        except (Failure, AssertionError, OSError, ValueError) as error:
            failed.append(repr(error))

    def judge(self, code, errors, killed):
        if code == -signal.SIGKILL and killed:
            return
        # With its spawner killed it may end as it likes, but says why; 6: it was over, or somebody else has the store.
        if code < 0 or (code not in (0, 1, 6, 8, 9, 10) and not killed):
            raise Failure(f"orch ended with {code}: {errors[-2000:]}")

    def calm(self):
        """No more faults: it has to come to its end, with people's help."""
        for _ in range(12):
            if self.state():
                break
            process = self.world.start(*self.command(), "--progress", "jsonl")
            failed = []
            helper = threading.Thread(target=self.guarded, args=(lambda: self.help_until(process), failed))
            helper.start()
            ended = self.world.finish(process, timeout=60)
            if ended is None:
                rig.kill_now(process.pid)
            helper.join()
            if failed:
                raise Failure(failed[0])
            if ended is None:
                raise Failure(f"I8: {self.run} does not end: {self.stuck()}")
            self.judge(process.returncode, ended[1], False)
            self.find_run()
            self.check()
        self.check(final=True, quiet_s=time.monotonic() - self.last_fault)

    def help_until(self, process):
        """Approves, signals and resumes until it is over; what is held after an interruption only a retry takes up."""
        while process.poll() is None:
            if self.find_run():
                self.ask("resume")
                self.help_on()
                self.take_up_held()
            time.sleep(0.02)

    def take_up_held(self):
        """Only of who runs it now: the command itself would run it again if it had just ended."""
        self.world.asked.append(self.run)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as owner:
            owner.settimeout(10)
            try:
                owner.connect(os.path.join(self.world.store, "sock"))
                owner.sendall(json.dumps({"command": "retry", "execution": self.run, "by": "people"}).encode() + b"\n")
                if b'"ok"' in owner.recv(4096):
                    self.signalled.clear()
            except OSError:
                pass  # nobody runs it, or it has just ended

    def stuck(self):
        self.world.look()
        return [event for event in self.world.journals.get(self.run, [])][-5:]

    def play(self, most_kills):
        kills = 0
        while kills < most_kills:
            kills += self.killed_once()
            if self.state() and (self.dice.random() < 0.7 or self.state() == "succeeded"):
                break
        self.calm()
        return kills


FIXED = {"name": "drawn", "env": {"LEDGER": "{{ env.LEDGER }}"}, "concurrency": 4}


def fixed_workflow(effect):
    """The demo's shape, with a bit of everything that needs no person."""
    def run(milliseconds, result, **keys):
        return {"exec": [effect, str(milliseconds), result], **keys}
    child = {"name": "child", "env": FIXED["env"], "tasks": {"inner": run(2, "5")}, "output": "{{ inner.output }}"}
    return [{**FIXED, "tasks": {
        "read": run(3, "[0, 1, 2]"),
        "part": run(3, "{{ string(n * n) }}", depends_on="read", for_each={"in": "read.output", "as": "n"}),
        "flaky": run(2, "fail:2", retry={"max_attempts": 3, "delay": "2ms", "backoff": "constant", "on": ["exit"]}),
        "group": {"mode": "sequence", "depends_on": "read", "tasks": {"one": run(2, "1"), "two": run(2, "2", compensate=run(1, "0"))}},
        "loop": {"repeat": {"until": "step.output >= 2", "max": 3}, "tasks": {"step": run(2, "{{ string(iteration) }}")}},
        "sub": {"workflow": "./child.json", "depends_on": "flaky"},
        "pause": {"wait": "5ms", "depends_on": "flaky"},
        "last": run(2, "fail:1000", depends_on=["part", "group", "loop", "sub", "pause"]),
    }, "finally": {"tidy": run(1, "0")}}, child]


class Exhaustive(Round):
    """Killed after the n-th event that it shows."""

    def __init__(self, options, folder, ledger, figures):
        super().__init__(options, options.seed, folder, ledger, figures)
        self.world = rig.World(options.orch, ledger, folder, fixed_workflow(options.effect))
        self.approvals, self.events = [], []

    def killed_at(self, event):
        """Returns False when it ended before."""
        process = self.world.start(*self.command(), "--progress", "jsonl")
        killed = False
        with open(process.errors) as errors:
            seen = 0
            while seen < event and process.poll() is None:
                line = errors.readline()
                if not line:
                    time.sleep(0.0005)
                elif '"seq"' in line:
                    seen += 1
            if seen >= event and process.poll() is None:
                rig.kill_now(process.pid)
                killed = True
        ended = self.world.finish(process)
        self.last_fault = time.monotonic()
        self.judge(process.returncode, ended[1], killed)
        self.find_run()
        self.check()
        return killed and process.returncode < 0

    def play_at(self, event):
        killed = self.killed_at(event)
        if killed and not self.state():
            self.killed_at(event // 2 + 1)
        self.calm()
        if self.state() != "compensated":
            raise Failure(f"it came to {self.state()}, not compensated")
        return killed


def record(path, rounds):
    """Keeps the evidence of a good round for the tests of the checker."""
    evidence = rounds.world.evidence(True, alive=[], quiet_s=1)
    evidence["shown"] = {run: {str(seq): event for seq, event in events.items()} for run, events in evidence["shown"].items()}
    with open(path, "w") as out:
        json.dump(evidence, out, separators=(",", ":"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orch", required=True)
    parser.add_argument("--effect", required=True)
    parser.add_argument("--rounds", type=int, default=300, help="kills in all")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further run after so many")
    parser.add_argument("--exhaustive", action="store_true")
    parser.add_argument("--every", type=int, default=1, help="with --exhaustive: each K-th event only")
    parser.add_argument("--record", help="keep the evidence of the last round in a file")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    options = parser.parse_args()
    options.orch, options.effect = os.path.realpath(options.orch), os.path.realpath(options.effect)
    figures, kills, runs, effects, events = collections.Counter(), 0, 0, 0, 0
    begun = time.monotonic()
    place = rig.Folder("crash-kills-")
    ledger = rig.Ledger(os.path.join(place.path, "ledger"), options.effect)
    dice = random.Random(options.seed)
    event = 1
    told = 0
    while (options.exhaustive or kills < options.rounds) and time.monotonic() - begun < options.seconds:
        seed = options.seed + runs
        folder = os.path.join(place.path, str(runs))
        os.mkdir(folder)
        one = None
        try:
            if options.exhaustive:
                one = Exhaustive(options, folder, ledger, figures)
                killed = one.play_at(event)
                event += options.every
            else:
                one = Round(options, seed, folder, ledger, figures)
                killed = one.play(min(options.rounds - kills, dice.randint(1, 12)))
        except (Failure, AssertionError, OSError) as error:
            if not os.path.isdir(folder):
                error = f"somebody removed {folder}, where it was under way"
            print(f"kill_rounds: {error}\n  {f'killed after event {event}' if options.exhaustive else f'again with --rounds 12 --seed {seed}'}; "
                  f"after {kills} kills; all is in {folder}", file=sys.stderr)
            return 1
        kills += killed
        runs += 1
        effects += sum(entry["what"] == "begin" for entry in ledger.taken())
        events += sum(len(journal) for journal in one.world.journals.values())
        if kills - told >= 100:
            told = kills
            print(f"  {kills} kills, {runs} runs, {time.monotonic() - begun:.0f} s", flush=True)
        if options.record:
            record(options.record, one)
        ledger.clear()
        rig.shutil.rmtree(folder, ignore_errors=True)
        if options.exhaustive and not killed:
            break
    place.remove()
    print(f"{kills} kills in {runs} runs ({', '.join(f'{count} {name}' for name, count in sorted(figures.items()))}), {effects} effects, "
          f"{events} events, {time.monotonic() - begun:.0f} s, seed {options.seed}: nothing lost, nothing recorded repeated")
    return 0


if __name__ == "__main__":
    sys.exit(main())
