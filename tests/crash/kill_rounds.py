#!/usr/bin/env python3
"""kill -9 at random moments, and what must be true all the same.

A workflow of the demo's shape runs with tasks whose effects are told to a ledger outside, which is never killed. `orch run`
is killed at a random moment, again and again, and continued until it ends. Checked after every kill and at the end:

  - a run that was shown to the user is in the store;
  - every effect belongs to an attempt that the journal has (nothing is started before its record);
  - a task whose result is recorded is never started again, and its result never changes;
  - no two attempts of one task are alive at once;
  - nothing that a killed orch had started is alive when it is continued, or at the end;
  - the run ends, once, with the expected output.

    tests/crash/kill_rounds.py --orch build/orch --effect build/tests/crash/effect [--rounds 300] [--seed N]
"""
import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

WORKFLOW = """\
name: crash
parameters:
  width: {type: integer, default: 12}
concurrency: 6
env: {LEDGER: "{{ env.LEDGER }}"}
tasks:
  read: {exec: [EFFECT, "5", '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]']}
  part:
    depends_on: read
    for_each: {in: read.output, as: n}
    exec: [EFFECT, "{{ string(5 + n * 3) }}", "{{ string(n * n) }}"]
  flaky:
    exec: [EFFECT, "3", "fail:3"]
    retry: {max_attempts: 5, delay: 5ms, backoff: constant, on: [exit]}
  merge:
    depends_on: [part, flaky]
    transform: sum(part.output)
  group:
    depends_on: read
    mode: sequence
    tasks:
      one: {exec: [EFFECT, "8", '"one"']}
      two: {exec: [EFFECT, "8", '"two"'], compensate: {exec: [EFFECT, "1"]}}
      three: {exec: [EFFECT, "8", '"three"']}
  loop:
    repeat: {until: step.output >= 3, max: 5}
    tasks:
      step: {exec: [EFFECT, "4", "{{ string(iteration) }}"]}
  report:
    depends_on: [merge, group, loop]
    exec: [EFFECT, "5", "{{ string(merge.output) }}"]
finally:
  tidy: {exec: [EFFECT, "3", '"tidy"']}
output:
  sum: "{{ report.output }}"
  group: "{{ group.output.three }}"
"""
EXPECTED = {"sum": sum(n * n for n in range(12)), "group": "three"}


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Ledger:
    """Outside of everything that is killed: a thread of the checker with a socket of its own."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind(path)
        self.lock = threading.Lock()
        self.entries = []  # (what, execution, task, attempt, fence, pid)
        self.running = {}  # (execution, task) -> pid
        self.violations = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            what, execution, task, attempt, fence, pid = self.socket.recv(4096).decode().strip().split("\t")
            entry = (what, execution, task, int(attempt), int(fence), int(pid))
            with self.lock:
                key = (execution, task)
                if what == "begin":
                    before = self.running.get(key)
                    if before is not None and before != entry[5] and alive(before):
                        self.violations.append(f"two attempts of {task} at once: processes {before} and {pid}")
                    self.running[key] = entry[5]
                elif self.running.get(key) == entry[5]:
                    del self.running[key]
                self.entries.append(entry)

    def taken(self):
        with self.lock:
            return list(self.entries), list(self.violations)


class Checker:
    def __init__(self, arguments):
        self.orch = os.path.abspath(arguments.orch)
        self.effect = os.path.abspath(arguments.effect)
        self.random = random.Random(arguments.seed)
        self.folder = tempfile.TemporaryDirectory(prefix="orch-crash-")
        self.file = os.path.join(self.folder.name, "crash.yaml")
        self.store = os.path.join(self.folder.name, "store")
        with open(self.file, "w") as out:
            out.write(WORKFLOW.replace("EFFECT", json.dumps(self.effect)))
        self.ledger = Ledger(os.path.join(self.folder.name, "ledger"))
        self.results = {}     # (run, task) -> result once read: never to change
        self.accepted = {}    # (run, task) -> fence of the attempt whose result is recorded
        self.seed = arguments.seed
        self.kills = 0
        self.runs = 0
        self.lost = 0
        self.resume_ms = []

    def fail(self, text):
        raise SystemExit(f"kill_rounds: {text}\n  after {self.kills} kills, seed {self.seed}; the store is in {self.keep()}")

    def keep(self):
        self.folder._finalizer.detach()
        return self.folder.name

    def environment(self):
        return {**os.environ, "LEDGER": os.path.join(self.folder.name, "ledger")}

    def history(self, run):
        done = subprocess.run([self.orch, "show", run, "--history", "-o", "json", "--store", self.store], capture_output=True, text=True)
        if done.returncode != 0:
            self.fail(f"the journal of {run} cannot be read: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def check(self, run):
        entries, violations = self.ledger.taken()
        if violations:
            self.fail(violations[0])
        history = self.history(run)
        sequence = [event["seq"] for event in history]
        if sequence != list(range(1, len(sequence) + 1)):
            self.fail(f"the journal of {run} has gaps")
        attempts = {(event["step"], event["fence"]) for event in history if event["type"] == "task.attempt.started"}
        for what, execution, task, _, fence, _ in entries:
            if execution == run and (task, fence) not in attempts:
                self.fail(f"{task} has an effect with fence {fence} that the journal does not know")
        latest = {}
        for event in history:
            key = (run, event.get("step"))
            if event["type"] == "task.attempt.started":
                if key in self.accepted and event["fence"] > self.accepted[key]:
                    self.fail(f"{key[1]} was started again (fence {event['fence']}) though its result is recorded")
                latest[key] = event["fence"]
            if event["type"] != "task.ended" or event["state"] != "succeeded":
                continue
            value = json.dumps(event.get("output"))
            if key in latest:
                self.accepted.setdefault(key, latest[key])
            if self.results.setdefault(key, value) != value:
                self.fail(f"the result of {key[1]} was {self.results[key]} and is {value}")
        # The ledger may be told of something later than it happened; fences say what came after what.
        for what, execution, task, _, fence, _ in entries:
            if what == "begin" and fence > self.accepted.get((execution, task), fence):
                self.fail(f"{task} has an effect with fence {fence} though the result of {self.accepted[(execution, task)]} is recorded")
        ends = [event for event in history if event["type"] == "execution.ended"]
        if len(ends) > 1:
            self.fail(f"{run} has ended {len(ends)} times")
        self.lost += sum(1 for event in history if event["type"] == "task.attempt.failed" and event.get("failure") == "lost")
        return ends

    def survivors(self):
        entries, _ = self.ledger.taken()
        return [entry[5] for entry in entries[-200:] if alive(entry[5]) and self.is_effect(entry[5])]

    def expect_no_survivors(self, what):
        """The spawner needs a moment to end them, and the ledger one to hear of those that had just begun."""
        deadline = time.monotonic() + 5
        quiet = 0
        while quiet < 3:
            left = self.survivors()
            if left and time.monotonic() > deadline:
                self.fail(f"processes {left} {what}")
            quiet = 0 if left else quiet + 1
            time.sleep(0.005)

    def is_effect(self, pid):
        try:
            return os.readlink(f"/proc/{pid}/exe") == self.effect
        except OSError:
            return False

    def one_run(self, most_kills):
        """One execution, killed until the dice let it end. Returns how often it was killed."""
        command = [self.orch, "run", self.file, "--store", self.store, "--progress", "jsonl", "--jobs", "4"]
        run, kills = None, 0
        while True:
            errors = open(os.path.join(self.folder.name, "stderr"), "w+")
            process = subprocess.Popen(command + (["--continue", run] if run else []), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=errors, env=self.environment(), text=True)
            killed = False
            if kills < most_kills:
                deadline = time.monotonic() + self.random.choice((0.01, 0.03, 0.1, 0.25)) * self.random.random() * 2
                try:
                    process.wait(timeout=max(0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    os.kill(process.pid, signal.SIGKILL)
                    killed = True
            try:
                output = process.communicate(timeout=60)[0]
            except subprocess.TimeoutExpired:
                self.fail(f"{run} does not end")
            errors.seek(0)
            shown = errors.read()
            errors.close()
            if killed and process.returncode != -signal.SIGKILL:
                killed = False  # it had ended just before
            for line in shown.splitlines():
                # What was shown is durable: the run can be named from now on.
                if run is None and line.startswith("{") and line.endswith("}"):
                    run = json.loads(line)["run"]
            if killed:
                kills += 1
                self.kills += 1
                if run is None:
                    listed = subprocess.run([self.orch, "ps", "-o", "name", "--store", self.store], capture_output=True, text=True)
                    run = listed.stdout.split()[0] if listed.stdout.split() else None  # it may have got as far as its first record
                if run is None:
                    continue
                self.expect_no_survivors("outlive the orch that started them")
                if self.check(run):
                    return kills  # killed between the record of its end and its own
                continue
            if process.returncode != 0:
                if kills and "already finished" in shown:
                    return kills
                self.fail(f"orch ended with {process.returncode}: {shown[-2000:]}")
            if not self.check(run):
                self.fail(f"{run} said that it succeeded, and its journal does not")
            if json.loads(output) != EXPECTED:
                self.fail(f"{run} came to {output.strip()}, not {EXPECTED}")
            return kills


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orch", required=True)
    parser.add_argument("--effect", required=True)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    arguments = parser.parse_args()
    checker = Checker(arguments)
    begun = time.monotonic()
    while checker.kills < arguments.rounds:
        checker.one_run(min(arguments.rounds - checker.kills, checker.random.randint(1, 12)))
        checker.runs += 1
        checker.expect_no_survivors("outlive their run")
    entries, violations = checker.ledger.taken()
    if violations:
        checker.fail(violations[0])
    begins = sum(1 for entry in entries if entry[0] == "begin")
    print(f"{checker.kills} kills in {checker.runs} runs, {begins} effects, {len(checker.results)} recorded results, "
          f"{time.monotonic() - begun:.0f} s, seed {arguments.seed}: nothing lost, nothing recorded repeated")
    checker.folder.cleanup()


if __name__ == "__main__":
    main()
