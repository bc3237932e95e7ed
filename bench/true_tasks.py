#!/usr/bin/env python3
"""2,000 `true` tasks, durably, beside `make -j2` and a bare posix_spawn loop on the same programs.

Runs the three in turn, so that a machine whose speed drifts is fair to all, and prints medians and ratios
of pairs; one JSON line at the end.

    bench/true_tasks.py --orch build/orch --spawn-loop build/bench/spawn_loop [--tasks 2000] [--jobs 2] [--rounds 5]
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


def timed(argv, cwd):
    begin = time.monotonic()
    done = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    seconds = time.monotonic() - begin
    if done.returncode != 0:
        sys.exit(f"{argv[0]} ended with {done.returncode}: {done.stderr.decode()[-2000:]}")
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orch", required=True)
    parser.add_argument("--spawn-loop", required=True)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    orch = os.path.abspath(arguments.orch)
    loop = os.path.abspath(arguments.spawn_loop)
    with tempfile.TemporaryDirectory(prefix="orch-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        with open(os.path.join(folder, "true.yaml"), "w") as out:
            out.write("name: bench\ntasks:\n")
            out.writelines(f"  t{i}: {{shell: /bin/true}}\n" for i in range(arguments.tasks))
        names = " ".join(f"t{i}" for i in range(arguments.tasks))
        with open(os.path.join(folder, "Makefile"), "w") as out:
            out.write(f".PHONY: all {names}\nall: {names}\n{names}:\n\t@/bin/true\n")
        runs = {
            "orch": [orch, "run", "true.yaml", "--jobs", str(arguments.jobs), "--progress", "quiet"],
            "make": ["make", "-s", f"-j{arguments.jobs}"],
            "spawn": [loop, str(arguments.tasks), str(arguments.jobs), "/bin/true"],
        }
        times = {name: [] for name in runs}
        for round_number in range(arguments.rounds + 1):
            for name, argv in runs.items():
                shutil.rmtree(os.path.join(folder, ".orch"), ignore_errors=True)
                seconds = timed(argv, folder)
                if round_number:  # the first is a warm-up
                    times[name].append(seconds)
    median = {name: statistics.median(values) for name, values in times.items()}
    ratio = {peer: statistics.median(a / b for a, b in zip(times["orch"], times[peer])) for peer in ("make", "spawn")}
    print(f"{arguments.tasks} `true` tasks, {arguments.jobs} at a time, {arguments.rounds} rounds, medians")
    print(f"  orch (SQLite, synchronous=FULL)  {median['orch']:7.3f} s  {median['orch'] / arguments.tasks * 1e6:6.0f} µs a task")
    print(f"  make -s -j{arguments.jobs}                      {median['make']:7.3f} s   orch/make  {ratio['make']:.2f}")
    print(f"  posix_spawn loop                 {median['spawn']:7.3f} s   orch/spawn {ratio['spawn']:.2f}")
    print(json.dumps({"bench": "true_tasks", "tasks": arguments.tasks, "jobs": arguments.jobs, "rounds": arguments.rounds,
                      "median_s": median, "ratio": ratio, "times_s": times}))


if __name__ == "__main__":
    main()
