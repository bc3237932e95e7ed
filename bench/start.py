#!/usr/bin/env python3
"""What it takes to begin: `orch version`, `orch run` of one program, an idle engine's memory, the size of the binary.

    bench/start.py --orch build/orch --spawn-loop build/bench/spawn_loop [--rounds 20]

Medians; CPU time beside wall time, since that stays the same on a busy machine. "Beyond the program": less what the bare
posix_spawn loop takes for the same program. One JSON line at the end.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from true_tasks import measured


def memory_of(pid):
    """What a process has in memory of its own (anonymous), and all of it, in bytes."""
    fields = {}
    with open(f"/proc/{pid}/status") as lines:
        for line in lines:
            name, _, rest = line.partition(":")
            fields[name] = rest.split()
    return int(fields["RssAnon"][0]) * 1024, int(fields["VmRSS"][0]) * 1024


def idle_memory(orch, folder):
    """An engine whose only task waits: its process, and the spawner's."""
    with open(os.path.join(folder, "idle.yaml"), "w") as out:
        out.write("name: idle\ntasks:\n  run: {exec: [/bin/true]}\n  rest: {wait: 60s, depends_on: [run]}\n")
    child = subprocess.Popen([orch, "run", "idle.yaml", "--progress", "quiet"], cwd=folder, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(2)  # the log is brought in and the cache given back after a moment without work
        own = memory_of(child.pid)
        with open(f"/proc/{child.pid}/task/{child.pid}/children") as children:
            spawners = [memory_of(pid) for pid in children.read().split()]
        return own, (sum(m[0] for m in spawners), sum(m[1] for m in spawners))
    finally:
        child.terminate()
        child.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orch", required=True)
    parser.add_argument("--spawn-loop", required=True)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    orch, loop = os.path.abspath(arguments.orch), os.path.abspath(arguments.spawn_loop)
    with tempfile.TemporaryDirectory(prefix="orch-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        with open(os.path.join(folder, "hello.yaml"), "w") as out:
            out.write("name: hello\ntasks:\n  hello: {exec: [/bin/echo, hello]}\n")
        run = [orch, "run", "hello.yaml", "--progress", "quiet"]
        wall = {"version": [], "first run": [], "run": [], "program": []}
        cpu = {name: [] for name in wall}

        def note(name, argv):
            seconds, cpu_seconds = measured(argv, folder)
            wall[name].append(seconds)
            cpu[name].append(cpu_seconds)

        for _ in range(arguments.rounds):
            note("version", [orch, "version"])
            shutil.rmtree(os.path.join(folder, ".orch"), ignore_errors=True)
            note("first run", run)  # makes the store
            note("run", run)
            note("program", [loop, "1", "1", "0", "/bin/echo", "hello"])
        own, spawner = idle_memory(orch, folder)
        stripped = os.path.join(folder, "stripped")
        subprocess.run(["strip", "-o", stripped, orch], check=True)
        size = os.path.getsize(stripped)
    ms = {name: 1e3 * statistics.median(values) for name, values in wall.items()}
    cpu_ms = {name: 1e3 * statistics.median(values) for name, values in cpu.items()}
    beyond = {name: 1e3 * statistics.median(a - b for a, b in zip(wall[name], wall["program"])) for name in ("first run", "run")}
    print(f"medians of {arguments.rounds} rounds")
    print(f"  orch version            {ms['version']:6.1f} ms   CPU {cpu_ms['version']:5.1f} ms   (goal 5)")
    print(f"  orch run, a new store   {ms['first run']:6.1f} ms   CPU {cpu_ms['first run']:5.1f} ms   beyond the program {beyond['first run']:5.1f} ms (goal 30)")
    print(f"  orch run, its store     {ms['run']:6.1f} ms   CPU {cpu_ms['run']:5.1f} ms   beyond the program {beyond['run']:5.1f} ms (goal 30)")
    print(f"  idle engine             {own[0] / 1e6:6.2f} MB of its own, {own[1] / 1e6:.2f} MB with shared libraries (goal 8)")
    print(f"  its spawner             {spawner[0] / 1e6:6.2f} MB of its own, {spawner[1] / 1e6:.2f} MB with shared libraries")
    print(f"  stripped binary         {size / 1e6:6.2f} MB (goal 4)")
    print(json.dumps({"bench": "start", "rounds": arguments.rounds, "wall_ms": ms, "cpu_ms": cpu_ms, "beyond_ms": beyond,
                      "idle_bytes": {"engine": own, "spawner": spawner}, "stripped_bytes": size}))


if __name__ == "__main__":
    main()
