#!/usr/bin/env python3
"""Restart to ready: how long a new orch takes over a store whose owner was killed, with much history in it.

Makes a store by running workflows until its journal has --megabytes: most runs large and finished, many small and finished, some interrupted. Then, in
each round, an orch that owns the store is killed with SIGKILL while it works, and the time is taken from the exec of the next one
until it is ready: the store is recovered, the interrupted run taken up, and a command answered on its socket. Three sorts of owner are killed in turn:

    steps   at a random moment of a run of 200 small programs
    bulk    in a run that writes some megabytes at once: the log that has to be absorbed is long
    idle    with a run that only waits

A store of 1/20 of the size gives what it costs without the history. --limit-ms ends with 1 when a p99 is above.

    bench/restart.py --orch build/orch [--megabytes 100] [--rounds 300] [--limit-ms 50] [--seed N]
"""
import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TEXT = "a line of text as results are when a step says what it did, with its number: "
ALIVE = 20


class Store:
    def __init__(self, orch, folder, dice):
        self.orch, self.folder, self.dice = orch, folder, dice
        self.path = os.path.join(folder, "store")
        os.makedirs(folder)
        self.define("small", {"one": {"transform": "1"}, "two": {"depends_on": "one", "transform": "one.output + 1"}})
        self.define("large", {"part": {"for_each": {"in": list(range(1000)), "as": "n"}, "transform": f"[{', '.join(4 * ['string(n) + ' + json.dumps(TEXT)])}]"}})
        self.define("idle", {"go": {"wait": {"event": "go"}}})
        self.define("steps", {"part": {"for_each": {"in": list(range(200)), "as": "n"}, "exec": ["true"]}, "go": {"depends_on": "part", "wait": {"event": "go"}}})
        self.define("bulk", {"first": {"wait": "5ms"}, "part": {"depends_on": "first", "for_each": {"in": list(range(40)), "as": "n", "max_parallel": 4},
                             "exec": ["sh", "-c", f"yes {TEXT!r} | head -c 60000"]}, "go": {"depends_on": "part", "wait": {"event": "go"}}})

    def define(self, name, tasks):
        with open(os.path.join(self.folder, name + ".json"), "w") as out:
            json.dump({"name": name, "concurrency": 4, "tasks": tasks}, out)

    def start(self, *arguments):
        errors = os.path.join(self.folder, "errors")
        with open(errors, "w") as out:
            return subprocess.Popen([self.orch, *arguments, "--store", self.path, "--progress", "jsonl"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                    stderr=out)

    def run(self, name):
        done = self.start("run", os.path.join(self.folder, name + ".json")).wait()
        if done != 0:
            sys.exit(f"restart: {name} ended with {done}: {open(os.path.join(self.folder, 'errors')).read()[-500:]}")

    def size(self):
        return sum(os.path.getsize(os.path.join(self.path, name)) for name in ("orch.db", "orch.db-wal") if os.path.exists(os.path.join(self.path, name)))

    def ask(self):
        """A command to who owns the store. Its answer, or None when nobody listens."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as owner:
            try:
                owner.connect(os.path.join(self.path, "sock"))
                owner.sendall(b'{"command":"pause","execution":"r-0000"}\n')
                return owner.recv(4096) or None
            except OSError:
                return None

    def ready(self, process, begun):
        """Seconds until a command is answered. Who asks leaves the processor to who is asked."""
        while not self.ask():
            time.sleep(0.0005)
            if process.poll() is not None or time.perf_counter() - begun > 30:
                sys.exit(f"restart: orch is not ready: {open(os.path.join(self.folder, 'errors')).read()[-500:]}")
        return time.perf_counter() - begun

    def kill(self, process):
        process.send_signal(signal.SIGKILL)
        process.wait()

    def interrupted(self, name, seconds):
        """Begins a run and kills its owner after a time."""
        process = self.start("run", os.path.join(self.folder, name + ".json"))
        self.ready(process, time.perf_counter())
        time.sleep(seconds)
        self.kill(process)

    def fill(self, megabytes):
        runs = 0
        while self.size() < megabytes << 20:
            self.run("large")
            for _ in range(4):
                self.run("small")
            runs += 5
        for n in range(ALIVE):
            self.interrupted("idle" if n % 2 else "steps", 0.02)
        return runs

    def round(self, name):
        """Kills an owner at work, and times the next one. Returns the seconds and the bytes of the log that was left."""
        self.interrupted(name, self.dice.random() * {"steps": 0.3, "bulk": 0.5, "idle": 0.05}[name])
        log = os.path.join(self.path, "orch.db-wal")
        left = os.path.getsize(log) if os.path.exists(log) else 0
        begun = time.perf_counter()
        process = self.start("run", "--continue")
        seconds = self.ready(process, begun)
        self.kill(process)
        return seconds, left


def of(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


def measure(arguments, folder, megabytes, rounds):
    store = Store(arguments.orch, os.path.join(folder, str(megabytes)), random.Random(arguments.seed))
    begun = time.monotonic()
    runs = store.fill(megabytes)
    print(f"a store of {store.size() / (1 << 20):.0f} MB, {runs} finished runs and {ALIVE} interrupted ones, made in {time.monotonic() - begun:.0f} s", flush=True)
    figures = {}
    kept = store.path + ".kept"
    shutil.copytree(store.path, kept, ignore=shutil.ignore_patterns("sock", "scratch"))
    for name in ("steps", "bulk", "idle"):
        taken = []
        for n in range(rounds // 3):
            if n % 25 == 0:  # what the rounds leave is not what is measured
                shutil.rmtree(store.path)
                shutil.copytree(kept, store.path)
            taken.append(store.round(name))
        times = [seconds * 1000 for seconds, _ in taken]
        figures[name] = {"rounds": len(times), "p50_ms": of(times, 0.5), "p99_ms": of(times, 0.99), "most_ms": max(times), "log_mb_most": max(log for _, log in taken) / (1 << 20)}
        print(f"  {name:6} {len(times):4} restarts   p50 {figures[name]['p50_ms']:5.1f} ms   p99 {figures[name]['p99_ms']:5.1f} ms   most {max(times):5.1f} ms"
              f"   log up to {figures[name]['log_mb_most']:.1f} MB", flush=True)
    shutil.rmtree(store.folder)
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orch", required=True)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--limit-ms", type=float)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.orch = os.path.abspath(arguments.orch)
    with tempfile.TemporaryDirectory(prefix="orch-restart-", dir=os.environ.get("BENCH_DIR")) as folder:
        small = measure(arguments, folder, max(1, arguments.megabytes // 20), arguments.rounds // 3)
        large = measure(arguments, folder, arguments.megabytes, arguments.rounds)
    print(json.dumps({"bench": "restart", "megabytes": arguments.megabytes, "seed": arguments.seed, "small": small, "large": large}))
    worst = max(figures["p99_ms"] for figures in large.values())
    if arguments.limit_ms and worst > arguments.limit_ms:
        print(f"restart: p99 {worst:.1f} ms is above {arguments.limit_ms:.0f} ms", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
