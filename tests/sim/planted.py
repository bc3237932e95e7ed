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
    ("a join does not wait for all", "src/core/tasks.c", None, None),
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
    ("an attempt begins before it is durable", "src/engine/batch.c", None, None),
    ("units are not given back", "src/engine/batch.c", "    case TRANSITION_ATTEMPT_FAILED:\n    case TRANSITION_TASK_ENDED:\n",
     "    case TRANSITION_ATTEMPT_FAILED: return 0;\n    case TRANSITION_TASK_ENDED:\n"),
    ("a handler's task takes units after a crash", "src/engine/resume.c", "if (instance->state != TASK_READY ||",
     "if ((instance->state != TASK_READY && instance->state != TASK_RUNNING) ||"),
    ("an answer before it is durable", "src/engine/batch.c", None, None),
    ("a timer fires early", "src/engine/batch.c", "    input.now = engine_execution_now(execution);",
     "    input.now = engine_execution_now(execution) + (given->type == INPUT_TIMER ? ORCH_SECOND : 0);"),
    ("a clock that went back holds everything up", "src/engine/resume.c", "execution->time_ahead = behind > 0 ? behind : 0;",
     "execution->time_ahead = behind > 0 ? 0 : 0;"),
    ("a sub-workflow's result is lost in a crash", "src/engine/child.c",
     "    if (running->child && execution_state_is_terminal(running->state)) {\n", None),
    ("the sequence after a restart is one too high", "src/engine/view.c", None, None),
    ("finally is forgotten after a compensation", "src/core/decide_saga.c",
     "        if (workflow->finally) return", "        if (workflow->finally && core->undone == 0) return"),
    ("a stop reaches only what runs", "src/core/decide_stop.c",
     "    case TASK_WAITING: return task_end(step, number, TASK_CANCELLED, &failing);", "    case TASK_WAITING: return 0;"),
]
