#!/usr/bin/env python3
"""Graphs of functions in memory: the library beside TBB's flow graph, in turns, in one run. Build and run of COUNT tasks that do next to nothing.

usage: graph.py --graph PROGRAM [--tbb PROGRAM] [--count N] [--rounds N] [--threads N] [--json FILE]

Prints medians and the ratio of build and run together (below 1: the library is faster), and bytes a task.
"""
import argparse
import json
import os
import statistics
import subprocess

SHAPES = ["chain", "fan-out", "tree", "wavefront"]


def once(program, shape, count, threads):
    return json.loads(subprocess.run([program, shape, str(count), str(threads)], check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--graph", required=True)
    parser.add_argument("--tbb")
    parser.add_argument("--count", type=int, default=1000000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json")
    options = parser.parse_args()
    programs = {"orch": options.graph}
    if options.tbb:
        programs["tbb"] = options.tbb
    else:
        print("no TBB here (libtbb-dev): the library alone")
    lines = []
    print(f"{options.count} tasks, {options.threads} threads, medians of {options.rounds}")
    print(f"{'shape':<10} {'who':<5} {'build s':>8} {'run s':>8} {'both s':>8} {'ns/task':>8} {'B/task':>7}")
    for shape in SHAPES:
        got = {who: [] for who in programs}
        for _ in range(options.rounds):
            for who, program in programs.items():
                got[who].append(once(program, shape, options.count, options.threads))
        both = {}
        for who, runs in got.items():
            lines += runs
            median = {key: statistics.median(run[key] for run in runs) for key in ("build_s", "run_s", "bytes_a_task")}
            both[who] = statistics.median(run["build_s"] + run["run_s"] for run in runs)
            print(f"{shape:<10} {who:<5} {median['build_s']:8.3f} {median['run_s']:8.3f} {both[who]:8.3f} "
                  f"{both[who] / options.count * 1e9:8.0f} {median['bytes_a_task']:7.0f}")
        if "tbb" in both:
            print(f"{shape:<10} orch/tbb {both['orch'] / both['tbb']:.2f}")
    if options.json:
        with open(options.json, "a", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)


if __name__ == "__main__":
    main()
