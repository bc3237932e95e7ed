#!/usr/bin/env python3
"""Graphs of programs that do nothing, run durably, beside `make` and a bare posix_spawn loop on the same programs and graph.

Three shapes: 2,000 tasks that know nothing of each other, a chain of 500, and 20 layers of 100 in which a task waits for
the three above it. Two programs: /bin/true, and a shell that exits at once. The three run in turn, so that a machine whose
speed drifts is fair to all; medians, and medians of the ratios of pairs. CPU is user and system time of everything, the
programs included: what orch takes beyond the bare loop is its own.

    bench/true_tasks.py --orch build/orch --spawn-loop build/bench/spawn_loop [--jobs 2] [--rounds 5] [--shape independent]

One JSON line for each shape and program.
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

# shape: tasks, width of a layer (0: no dependencies)
SHAPES = {"independent": (2000, 0), "chain": (500, 1), "layers": (2000, 100)}
# program: as a task, as a line of a Makefile, as arguments
PROGRAMS = {
    "true": ('exec: ["/bin/true"]', "/bin/true", ["/bin/true"]),
    "sh": ("shell: exit 0", "exit 0", ["/bin/sh", "-c", "exit 0"]),
}


def measured(argv, cwd):
    """Wall time and CPU time, of the program and all that it waited for, in seconds."""
    begin = time.monotonic()
    child = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{argv[0]} ended with {child.returncode}: {said.decode()[-2000:]}")
    return seconds, usage.ru_utime + usage.ru_stime


def above(task, width):
    """What a task waits for: as spawn_loop.c has it."""
    if width == 0 or task < width:
        return []
    column = task % width
    return [task - width + i for i in (-1, 0, 1) if 0 <= column + i < width]


def write_graph(folder, count, width, action, line):
    with open(os.path.join(folder, "graph.yaml"), "w") as out:
        out.write("name: bench\ntasks:\n")
        for i in range(count):
            after = ", ".join(f"t{j}" for j in above(i, width))
            out.write(f"  t{i}: {{{action}{', depends_on: [' + after + ']' if after else ''}}}\n")
    names = " ".join(f"t{i}" for i in range(count))
    with open(os.path.join(folder, "Makefile"), "w") as out:
        out.write(f".PHONY: all {names}\nall: {names}\n")
        for i in range(count):
            out.write(f"t{i}: {' '.join(f't{j}' for j in above(i, width))}\n\t@{line}\n")


def bench(arguments, folder, shape, program):
    count, width = SHAPES[shape]
    action, line, argv = PROGRAMS[program]
    write_graph(folder, count, width, action, line)
    orch, loop, jobs = os.path.abspath(arguments.orch), os.path.abspath(arguments.spawn_loop), str(arguments.jobs)
    runs = {
        "orch": [orch, "run", "graph.yaml", "--jobs", jobs, "--progress", "quiet"],
        "make": ["make", "-s", f"-j{jobs}"],
        "spawn": [loop, str(count), jobs, str(width), *argv],
    }
    wall = {name: [] for name in runs}
    cpu = {name: [] for name in runs}
    for round_number in range(arguments.rounds + 1):
        for name, run in runs.items():
            shutil.rmtree(os.path.join(folder, ".orch"), ignore_errors=True)
            seconds, cpu_seconds = measured(run, folder)
            if round_number:  # the first is a warm-up
                wall[name].append(seconds)
                cpu[name].append(cpu_seconds)
    median = {name: statistics.median(values) for name, values in wall.items()}
    cpu_median = {name: statistics.median(values) for name, values in cpu.items()}
    ratio = {peer: statistics.median(a / b for a, b in zip(wall["orch"], wall[peer])) for peer in ("make", "spawn")}
    beyond = {name: statistics.median(a - b for a, b in zip(cpu[name], cpu["spawn"])) / count * 1e6 for name in ("orch", "make")}
    print(f"{shape}, {count} x {' '.join(argv)}, {jobs} at a time, medians of {arguments.rounds} rounds")
    for name, label in (("orch", "orch (SQLite, synchronous=FULL)"), ("make", f"make -s -j{jobs}"), ("spawn", "posix_spawn loop")):
        extra = "" if name == "spawn" else f"   CPU beyond the loop {beyond[name]:5.0f} µs a task"
        versus = f"   orch/{name} {ratio[name]:.2f}" if name != "orch" else "                "
        print(f"  {label:32} {median[name]:7.3f} s {median[name] / count * 1e6:6.0f} µs a task   CPU {cpu_median[name]:6.3f} s{versus}{extra}")
    print(json.dumps({"bench": "true_tasks", "shape": shape, "program": program, "tasks": count, "jobs": arguments.jobs,
                      "rounds": arguments.rounds, "median_s": median, "ratio": ratio, "cpu_s": cpu_median,
                      "cpu_beyond_loop_us": beyond, "wall_s": wall}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orch", required=True)
    parser.add_argument("--spawn-loop", required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shape", choices=SHAPES, action="append", help="again for more; all without")
    parser.add_argument("--program", choices=PROGRAMS, action="append")
    arguments = parser.parse_args()
    for program in arguments.program or PROGRAMS:
        for shape in arguments.shape or SHAPES:
            with tempfile.TemporaryDirectory(prefix="orch-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
                bench(arguments, folder, shape, program)


if __name__ == "__main__":
    main()
