#!/usr/bin/env python3
"""Plants faults in a copy of the source, one at a time: the simulator has to find every one.

usage: planted.py SOURCE_ROOT [--seeds N] [--only NUMBER] [--jobs N]

Each fault is one line, or a few, of the core or the engine that somebody could have written wrongly. Says after how many
seeds each was found, and by which rule; fails when one was not.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

# (what is wrong, file, what stands there, what stands there instead)
FAULTS = [
    ("a late answer counts", "src/core/decide_task.c",
     "instance->list != LIST_RUNNING || instance->detail->fence != input->done.fence", "instance->list != LIST_RUNNING"),
    ("a retry too many", "src/core/retry.c", "attempt >= policy->attempts_max", "attempt > policy->attempts_max"),
    ("a lost attempt counts as a try", "src/core/decide_task.c",
     "return instance->attempt > lost ? instance->attempt - lost : 0;", "return instance->attempt + lost * 0;"),
    ("the wait before a retry is not kept", "src/core/decide_task.c", "orch_time due = time_add(step->now, wait);",
     "orch_time due = step->now + (wait > 1 ? 1 : wait);"),
    ("a stopped attempt's success counts", "src/core/decide_task.c",
     "    if (instance->stopping) {\n", "    if (instance->stopping && last.failure != FAILURE_NONE) {\n"),
    ("a join does not wait for all", "src/core/tasks.c", "case JOIN_ALL_DONE: return instance->unmet > 0 ?", "case JOIN_ALL_DONE: return instance->unmet > 1 ?"),
    ("undone first to last", "src/core/decide_saga.c", "core->lists[LIST_UNDO].last", "core->lists[LIST_UNDO].first"),
    ("cancel is forgotten while paused", "src/core/decide_stop.c",
     "    if (core->stopping && core->outcome == EXECUTION_CANCELLED) return 0;\n",
     "    if (core->stopping && core->outcome == EXECUTION_CANCELLED) return 0;\n    if (core->state == EXECUTION_PAUSED) return 0;\n"),
    ("what a pause held back never begins", "src/core/decide_stop.c",
     "    return rc < 0 ? rc : begin_held_back(step);", "    return rc;"),
    ("a group that is stopped opens its body", "src/core/decide_block.c",
     "return instance->stopping ? fail_stopped(step, number, CORE_NONE) : frame_open(step, number, BLOCK_BODY, 0);",
     "return frame_open(step, number, BLOCK_BODY, 0);"),
    ("a loop forgets max_parallel when run again", "src/core/decide_block.c",
     "while (inner->redo > 0 && inner->open < open_max)", "while (inner->redo > 0)"),
    ("recovery forgets one attempt", "src/core/decide_task.c", "    for (uint32_t i = 0; i < count; i++) {\n        struct failing failing = {.failure = FAILURE_LOST,",
     "    for (uint32_t i = 1; i < count; i++) {\n        struct failing failing = {.failure = FAILURE_LOST,"),
    ("an attempt begins before it is durable", "src/engine/batch.c",
     "        r = follow(execution, &execution->turn.items[i], err);\n",
     "        if (execution->turn.items[i].type == TRANSITION_ATTEMPT_STARTED && execution->number % 3 == 2)\n"
     "            attempt_start(execution, execution->turn.items[i].instance, execution->turn.items[i].fence);\n"
     "        r = follow(execution, &execution->turn.items[i], err);\n"),
    ("units are not given back", "src/engine/batch.c", "    case TRANSITION_ATTEMPT_FAILED:\n    case TRANSITION_TASK_ENDED:\n",
     "    case TRANSITION_ATTEMPT_FAILED: return 0;\n    case TRANSITION_TASK_ENDED:\n"),
    ("a handler's task takes units after a crash", "src/engine/resume.c", "if (instance->state != TASK_READY ||",
     "if ((instance->state != TASK_READY && instance->state != TASK_RUNNING) ||"),
    ("an answer before it is durable", "src/engine/batch.c", "    if (!done) return 0;\n",
     "    if (!done) return 0;\n    if (engine->gathering->dirty) return done(user, 0), 0;\n"),
    ("a timer fires early", "src/engine/batch.c", "    input.now = engine_execution_now(execution);",
     "    input.now = engine_execution_now(execution) + (given->type == INPUT_TIMER ? ORCH_SECOND : 0);"),
    ("a clock that went back holds everything up", "src/engine/resume.c", "execution->time_ahead = behind > 0 ? behind : 0;",
     "execution->time_ahead = behind > 0 ? 0 : 0;"),
    ("a sub-workflow's result is lost in a crash", "src/engine/child.c",
     "    if (running->child && execution_state_is_terminal(running->state)) return take_result(parent, running, err);\n",
     "    if (running->child && execution_state_is_terminal(running->state)) return 0;\n"),
    ("admission lets paused runs in", "src/engine/batch.c", "    bool hold = summary.state == EXECUTION_PAUSED;", "    bool hold = false;"),
    ("finally is forgotten after a compensation", "src/core/decide_saga.c",
     "        if (workflow->finally) return", "        if (workflow->finally && core->undone == 0) return"),
    ("a stop reaches only what runs", "src/core/decide_stop.c",
     "    case TASK_WAITING: return task_end(step, number, TASK_CANCELLED, &failing);", "    case TASK_WAITING: return 0;"),
]


def plant(root, fault):
    """Returns the file's text before, or None when the place is not there (the fault has to be written anew)."""
    path = os.path.join(root, fault[1])
    with open(path, encoding="utf-8") as file:
        before = file.read()
    if before.count(fault[2]) != 1:
        return None
    with open(path, "w", encoding="utf-8") as file:
        file.write(before.replace(fault[2], fault[3]))
    return before


def build(root):
    done = subprocess.run(["ninja", "-C", os.path.join(root, "build"), "tests/sim/orch-sim"], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source_root")
    parser.add_argument("--seeds", type=int, default=5000)
    parser.add_argument("--only", type=int, action="append", help="this one, counted from 1; may be given again")
    arguments = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory(prefix="orch-planted-") as folder:
        root = os.path.join(folder, "orch")
        shutil.copytree(arguments.source_root, root, ignore=shutil.ignore_patterns("build*", ".git"))
        subprocess.run(["meson", "setup", os.path.join(root, "build"), root, "-Dwerror=false"], check=True, capture_output=True)
        if build(root):
            sys.exit("the copy does not build")
        for number, fault in enumerate(FAULTS, 1):
            if arguments.only and number not in arguments.only:
                continue
            begin = time.monotonic()
            before = plant(root, fault)
            if before is None:
                print(f"{number:2}  {fault[0]}: its place is not there, write it anew", flush=True)
                missed += 1
                continue
            problem = build(root)
            if problem:
                print(f"{number:2}  {fault[0]}: does not build\n{problem}", flush=True)
                missed += 1
            else:
                try:
                    done = subprocess.run([os.path.join(root, "build/tests/sim/orch-sim"), "--seeds", str(arguments.seeds), "--first", "--no-shrink", "--quiet"],
                                          capture_output=True, text=True, check=False, timeout=1200)
                    code, said = done.returncode, done.stdout
                except subprocess.TimeoutExpired:
                    code, said = 1, "seed ?: does not end\n"
                seed = re.search(r"^seed (\S+): (.*)", said, re.M)
                if code == 0:
                    print(f"{number:2}  {fault[0]}: NOT FOUND in {arguments.seeds} seeds", flush=True)
                    missed += 1
                else:
                    # An assertion of the engine's own finds it too.
                    how = f"seed {seed[1]}: {seed[2][:90]}" if seed else f"ended by signal {-code}: an assertion"
                    print(f"{number:2}  {fault[0]}: {how} ({time.monotonic() - begin:.0f} s)", flush=True)
            with open(os.path.join(root, fault[1]), "w", encoding="utf-8") as file:
                file.write(before)
    print(f"{len(arguments.only or FAULTS) - missed} found, {missed} not")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
