#!/usr/bin/env python3
"""Verbs of the command line when memory runs out: for every allocation, alone and with all that follow, the verb ends as it does
otherwise or says that it is out of memory (exit code 11). What was printed is then the same, or it is not believed.

usage: verbs.py ORCH-WITH-FAILING-ALLOCATOR TESTS-FOLDER [--share N] [VERB...]
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

WORKFLOW = "tasks:\n  a: {shell: echo hi}\n  b: {depends_on: [a], transform: '1 + 1'}\n"
OUT_OF_MEMORY = 11
FAILED = 1
RUNS = ("run", "simulate", "replay what if")  # verbs in which an engine runs tasks


def run(orch, arguments, point, reached):
    env = dict(os.environ, OOM_REACHED=reached)
    if point:
        env["OOM_POINT"] = point
    if os.path.exists(reached):
        os.unlink(reached)
    try:
        done = subprocess.run([orch] + arguments, capture_output=True, env=env, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return None, b"", b"", True
    return done.returncode, done.stdout, done.stderr, not os.path.exists(reached)


def comparable(out, tells_time):
    return re.sub(rb"[0-9]+(\.[0-9]+)? ?(m?s\b|[KMGT]iB|B\b)?", b"#", out) if tells_time else out


def is_libuv(orch, arguments, point, reached):
    """libuv ends the program when it cannot grow its table of watched descriptors: was it that which asked last?"""
    os.environ["OOM_TRACE"] = "all"
    traced = run(orch, arguments, point, reached)
    del os.environ["OOM_TRACE"]
    places = traced[2].split(b"--\n")
    return len(places) > 1 and b"/libuv" in places[-2]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("orch")
    parser.add_argument("tests")
    parser.add_argument("--share", type=int, default=1)
    parser.add_argument("verbs", nargs="*")
    options = parser.parse_args()
    place = tempfile.mkdtemp(prefix="orch-oom-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    reached = place + "/reached"
    every = options.tests + "/oom/definitions/every.yaml"
    with open(place + "/w.yaml", "w", encoding="utf-8") as file:
        file.write(WORKFLOW)
    subprocess.run([options.orch, "run", place + "/w.yaml", "--store", place + "/there"], capture_output=True, check=True)
    store = ["--store", place + "/there"]
    # Arguments, and whether what is printed tells the time: then it is compared but for its numbers.
    verbs = {
        "validate": (["validate", every], False),
        "validate what is wrong": (["validate", options.tests + "/golden/several_findings.yaml"], False),
        "graph": (["graph", every], False),
        "fmt": (["fmt", every], False),
        "eval": (["eval", "[1, 2, 3].map(x, x * 2)"], False),
        "schema": (["schema"], False),
        "ps": (["ps"] + store, True),
        "show": (["show"] + store, True),
        "logs": (["logs"] + store, True),
        "replay": (["replay"] + store, True),
        "replay what if": (["replay", "--what-if", every] + store, True),
        "doctor": (["doctor"] + store, True),
        "simulate": (["simulate", "--runs", "3", place + "/w.yaml"], True),
        "run": (["run", place + "/w.yaml", "--store", place + "/new"], True),
    }
    wrong = tried = 0
    for name, (arguments, tells_time) in verbs.items():
        if options.verbs and name not in options.verbs:
            continue
        begin, points, by_libuv = time.time(), 0, 0
        plain = run(options.orch, arguments, None, reached)
        for mode in "once", "from":
            n = 1 + sum(name.encode()) % options.share
            while True:
                shutil.rmtree(place + "/new", ignore_errors=True)
                code, out, err, failed = run(options.orch, arguments, f"{mode}/{n}", reached)
                if not failed:
                    break
                points += 1
                ended_by = None
                if code is None:
                    ended_by = "hangs"
                elif code == -signal.SIGABRT:
                    shutil.rmtree(place + "/new", ignore_errors=True)
                    if is_libuv(options.orch, arguments, f"{mode}/{n}", reached):
                        by_libuv += 1
                    else:
                        ended_by = "Aborted"
                elif code < 0:
                    ended_by = signal.strsignal(-code)
                elif name in RUNS and code in (OUT_OF_MEMORY, FAILED, plain[0]) and b"out of memory" in out + err:
                    pass  # a task that was out of memory, and has no retry: it is told as that
                elif code not in (OUT_OF_MEMORY, plain[0]):
                    ended_by = f"exit code {code}"
                elif code == plain[0] and comparable(out, tells_time) != comparable(plain[1], tells_time):
                    ended_by = "it prints something else"
                if ended_by:
                    wrong += 1
                    print(f"{name}: allocation {mode}/{n}: {ended_by}: {err[-200:].decode(errors='replace')}", flush=True)
                n += options.share
        tried += points
        more = f", {by_libuv} ended by libuv" if by_libuv else ""
        print(f"{name:28} {points:6} points{more}, {time.time() - begin:.1f} s", flush=True)
    shutil.rmtree(place, ignore_errors=True)
    print(f"{tried} points, {wrong} wrong")
    return 1 if wrong or tried == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
