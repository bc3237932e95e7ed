#!/usr/bin/env python3
"""A reader of a store that is just being made: whatever it was about to do when the store became complete, it does not take it for a damaged one.

The making of a store is cut short where a reader finds it incomplete. From there on, for each call of input and output of a reader: it is
stopped before the call, the store is completed by another process, and the reader goes on.

    tests/crash/reader_beside.py --orch build/orch --effect build/tests/crash/effect --shim build/tests/crash/shim.so
"""
import argparse
import os
import shutil
import signal
import sys
import time

import rig

INCOMPLETE = "is not complete yet"


def state_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "X"


def cut_short(world, shim, at):
    """Makes a store up to a call. Returns whether it came to that."""
    shutil.rmtree(world.store, ignore_errors=True)
    environment = {"LD_PRELOAD": shim, "SHIM_DIR": world.store, "SHIM_ACTION": "before", "SHIM_AT": str(at)}
    return world.run("run", world.files["nothing"], environment=environment)[0] == -signal.SIGKILL


def half_made(world, shim):
    """The first and the last call before which a reader finds no more than the beginnings of a store: first with a rollback journal, then without."""
    found, at = [], 1
    while cut_short(world, shim, at):
        if INCOMPLETE in world.run("runs")[2]:
            found.append(at)
        elif found:
            break
        at += 1
    return sorted({found[0], found[-1]}) if found else []


def stopped_at_each_call(world, shim, template, report, answers):
    """Returns at how many calls, or None when something is wrong."""
    at = 1
    while True:
        shutil.rmtree(world.store, ignore_errors=True)
        shutil.copytree(template, world.store)
        environment = {"LD_PRELOAD": shim, "SHIM_DIR": world.store, "SHIM_ACTION": "stop", "SHIM_AT": str(at), "SHIM_REPORT": report}
        reader = world.start("runs", environment=environment)
        while state_of(reader.pid) not in "TZX":
            time.sleep(0.001)
        is_stopped = state_of(reader.pid) == "T"
        made = world.run("run", world.files["nothing"])
        if is_stopped:
            os.kill(reader.pid, signal.SIGCONT)
        errors = world.finish(reader)[1]
        # A reader that is stopped with a lock of SQLite's in its hand keeps who makes the store out, who says so.
        kept_out = is_stopped and made[0] == 6 and "database is locked" in made[2]
        if (made[0] != 0 and not kept_out) or reader.returncode not in (0, 4) or (reader.returncode == 4 and "error[NOT_FOUND]" not in errors):
            print(f"reader_beside: stopped at call {at}, the reader ended with {reader.returncode}: {errors.strip()}; who made the store with {made[0]}: "
                  f"{made[2].strip()}; all is in {world.folder}", file=sys.stderr)
            return None
        if not is_stopped:
            return at - 1
        answer = "kept out" if kept_out else reader.returncode
        answers[answer] = answers.get(answer, 0) + 1
        at += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("orch", "effect", "shim"):
        parser.add_argument("--" + name, required=True, type=os.path.realpath)
    options = parser.parse_args()
    place = rig.Folder("crash-reader-")
    ledger = rig.Ledger(os.path.join(place.path, "ledger"), options.effect)
    world = rig.World(options.orch, ledger, place.path, [{"name": "nothing", "tasks": {"nothing": {"noop": {}}}}])
    stages = half_made(world, options.shim)
    if not stages:
        print("reader_beside: no reader ever found the store incomplete", file=sys.stderr)
        return 1
    calls, answers = 0, {}
    for stage in stages:
        template = os.path.join(place.path, f"template.{stage}")
        cut_short(world, options.shim, stage)
        os.rename(world.store, template)
        stopped = stopped_at_each_call(world, options.shim, template, os.path.join(place.path, "report"), answers)
        if not stopped:
            return 1
        calls += stopped
    place.remove()
    print(f"a reader stopped at {calls} calls while the store was completed, begun at calls {stages} of its making: "
          f"{', '.join(f'{count} x {code}' for code, count in answers.items())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
