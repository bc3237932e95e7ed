#!/usr/bin/env python3
"""The checker is tested as well: planted violations, each of which it has to name, in evidence that is otherwise good.

The evidence (recorded.json) is of a real run over many constructs, killed once; `--record --orch build/orch --effect build/tests/crash/effect` makes it anew.

    tests/crash/test_checker.py
"""
import argparse
import copy
import json
import os
import sys

import rig
from checker import check

RECORDED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recorded.json")
PLANTED = []


def planted(rule, words=""):
    """A function that damages evidence `e`, whose run is `r` with the journal `j`; the checker must say `rule`, and `words`."""
    def keep(plant):
        PLANTED.append((rule, words, plant))
        return plant
    return keep


def find(journal, kind, step=None, **members):
    """The place of the first event like this."""
    for place, event in enumerate(journal):
        if event["type"] == kind and (step is None or event.get("step") == step) and all(event.get(name) == value for name, value in members.items()):
            return place
    raise LookupError(f"no {kind} of {step} {members}")


def insert(e, r, place, event):
    """An event more; what follows, and what was shown of it, is counted anew."""
    journal = e["journals"][r]
    journal.insert(place, dict({"v": 1, "run": r, "t": journal[place - 1]["t"]}, **event))
    renumber(e, r)


def renumber(e, r):
    for place, event in enumerate(e["journals"][r]):
        event["seq"] = place + 1
    e["shown"][r] = {str(event["seq"]): event for event in e["journals"][r]}


def move(e, r, place, to):
    journal = e["journals"][r]
    journal.insert(to, journal.pop(place))
    renumber(e, r)


def entry(e, what, task):
    return next(entry for entry in e["ledger"] if entry["what"] == what and entry["task"] == task)


@planted("I1", "there is no such run")
def run_lost(e, r, j):
    del e["journals"][r]


@planted("I1", "cancel")
def cancel_lost(e, r, j):
    e["answers"].append({"command": "cancel", "run": r})


@planted("I1", "start")
def start_lost(e, r, j):
    e["answers"].append({"command": "start", "run": "r-NONE"})


@planted("I1", "approve")
def approval_lost(e, r, j):
    place = find(j, "task.approval")
    j[place] = {**j[place], "type": "task.ready"}
    renumber(e, r)


@planted("I1", "signal")
def signal_lost(e, r, j):
    j[find(j, "signal.received")]["data"] = "another"
    renumber(e, r)


@planted("I1", "sent once")
def signal_twice(e, r, j):
    place = find(j, "signal.received")
    insert(e, r, place, {key: j[place][key] for key in ("type", "name", "data", "by")})


@planted("I1", "pause")
def pause_lost(e, r, j):
    j[find(j, "execution.paused")]["type"] = "frame.noted"
    renumber(e, r)


@planted("I1", "retry")
def retry_lost(e, r, j):
    e["answers"].append({"command": "retry", "run": r})


@planted("I1", "the journal ends at")
def tail_lost(e, r, j):
    del j[-3:]


@planted("O1")
def gap(e, r, j):
    del j[len(j) // 2]


@planted("O1")
def event_changed(e, r, j):
    j[find(j, "task.ready", "book")]["t"] = "2001-01-01T00:00:00.000Z"


@planted("I2", "ends while")
def end_too_early(e, r, j):
    place = find(j, "task.attempt.started", "finally/tidy")
    move(e, r, len(j) - 1, place + 1)


@planted("I2", "after the end")
def two_ends(e, r, j):
    insert(e, r, len(j), {key: value for key, value in j[-1].items() if key not in ("seq", "t")})


@planted("I2", "execution.ended")
def end_changed(e, r, j):
    j[-1] = {**j[-1], "state": "succeeded"}


@planted("I2", "had not ended")
def retried_alive(e, r, j):
    insert(e, r, find(j, "task.ended", "book") + 1, {"type": "execution.retried", "index": 1})


@planted("I3", "does not know")
def effect_unexplained(e, r, j):
    entry(e, "begin", "book")["fence"] += 500


@planted("I3", "no such run")
def effect_of_nobody(e, r, j):
    entry(e, "begin", "book")["run"] = "r-NONE"


@planted("I4", "task.ended")
def result_changed(e, r, j):
    j[find(j, "task.ended", "flaky")]["output"] = "another"


@planted("I4", "a second time")
def two_results(e, r, j):
    place = find(j, "task.ended", "book")
    insert(e, r, place + 1, {key: value for key, value in j[place].items() if key not in ("seq", "t")})


@planted("I4", "not ")
def wrong_outcome(e, r, j):
    e["expected"], e["outputs"] = {r: {"sum": 1}}, {r: {"sum": 2}}


@planted("I5", "has ended")
def starts_too_early(e, r, j):
    move(e, r, find(j, "task.attempt.started", "pay"), find(j, "task.ended", "book"))


@planted("I5", "before one has ended")
def starts_out_of_sequence(e, r, j):
    move(e, r, find(j, "task.attempt.started", "group/two"), find(j, "task.ended", "group/one"))


@planted("I5", "had an end")
def effect_too_early(e, r, j):
    begin = entry(e, "begin", "pay")
    e["ledger"].remove(begin)
    e["ledger"].insert(e["ledger"].index(entry(e, "end", "book")), begin)


@planted("I6", "after")
def fence_falls(e, r, j):
    started = j[find(j, "task.attempt.started", "pay")]
    started["fence"] = 1
    renumber(e, r)


@planted("I6", "is recorded, and attempt")
def result_of_another_attempt(e, r, j):
    j[find(j, "task.ended", "flaky")]["attempt"] = 1
    renumber(e, r)


@planted("I7", "was alive")
def overlap_outside(e, r, j):
    begins = [entry for entry in e["ledger"] if entry["task"] == "flaky" and entry["what"] == "begin"]
    begins[1]["beside"] = [begins[0]["fence"]]


@planted("I7", "is open")
def overlap_in_journal(e, r, j):
    place = find(j, "task.attempt.failed", "flaky")
    move(e, r, place, find(j, "task.attempt.started", "flaky", attempt=2))


@planted("I8", "has not ended")
def never_ends(e, r, j):
    del j[-1]
    renumber(e, r)


@planted("I8", "from the last fault")
def ends_late(e, r, j):
    e["quiet_s"] = 31


@planted("I11", "is alive")
def survivor(e, r, j):
    e["alive"] = [4711]


@planted("E3", "starts again")
def result_run_again(e, r, j):
    insert(e, r, find(j, "task.ended", "pay") + 1, {"type": "task.attempt.started", "step": "pay", "attempt": 2, "fence": 1000})


@planted("E6", "nobody asked")
def held_goes_on(e, r, j):
    e["asked"] = []


@planted("E6", "on_interrupt is fail")
def failed_goes_on(e, r, j):
    e["definitions"]["recorded"]["tasks"]["careful"]["on_interrupt"] = "fail"


@planted("E6", "was lost")
def lost_for_ever(e, r, j):
    place, fence = find(j, "task.attempt.started", "book"), j[find(j, "task.attempt.started", "book")]["fence"]
    for n in range(12):
        insert(e, r, place, {"type": "task.attempt.failed", "step": "book", "attempt": 12 - n, "failure": "lost"})
        insert(e, r, place, {"type": "task.attempt.started", "step": "book", "attempt": 12 - n, "fence": fence})


@planted("R1", "of 1")
def one_try_too_many(e, r, j):
    del e["definitions"]["recorded"]["tasks"]["flaky"]["retry"]
    place = find(j, "task.attempt.started", "flaky", attempt=2)
    insert(e, r, place, {"type": "task.attempt.failed", "step": "flaky", "attempt": 1, "failure": "exit"})


@planted("S1", "which had ended before it")
def undone_in_wrong_order(e, r, j):
    first, second = find(j, "task.compensating", "pay"), find(j, "task.compensating", "book")
    j[first]["step"], j[second]["step"] = "book", "pay"
    renumber(e, r)


@planted("S1", "was not undone")
def not_undone(e, r, j):
    del j[find(j, "task.compensating", "book")]
    renumber(e, r)


@planted("P1", "paused")
def starts_while_paused(e, r, j):
    insert(e, r, find(j, "task.attempt.started", "group/one"), {"type": "execution.paused"})


@planted("L1", "pool")
def pool_exceeded(e, r, j):
    e["definitions"]["recorded"]["pools"]["gate"] = 1


@planted("L1", "at once")
def too_much_at_once(e, r, j):
    e["definitions"]["recorded"]["concurrency"] = 1


def definitions(effect):
    def run(milliseconds, result='"done"', **keys):
        return {"exec": [effect, str(milliseconds), result], **keys}
    env = {"LEDGER": "{{ env.LEDGER }}"}
    child = {"name": "child", "env": env, "tasks": {"inner": run(1, "5")}, "output": "{{ inner.output }}"}
    tasks = {
        "read": run(5, "[0, 1, 2]"),
        "part": run(20, "{{ string(n) }}", depends_on="read", pool="gate", for_each={"in": "read.output", "as": "n"}),
        "flaky": run(1, "fail:2", retry={"max_attempts": 3, "delay": "2ms", "backoff": "constant", "on": ["exit"]}),
        "book": run(1, compensate=run(1)),
        "pay": run(1, depends_on="book", compensate=run(1)),
        "group": {"mode": "sequence", "tasks": {"one": run(1), "two": run(1)}},
        "loop": {"repeat": {"until": "step.output >= 2", "max": 3}, "tasks": {"step": run(1, "{{ string(iteration) }}")}},
        "sub": {"workflow": "./child.json"},
        "ask": {"approval": "go on?"},
        "go": {"wait": {"event": "go"}},
        "careful": run(400, on_interrupt="hold", depends_on=["part", "flaky", "pay", "group", "loop", "sub"]),
        "last": run(1, "fail:1000", depends_on=["careful", "ask", "go"]),
    }
    return [{"name": "recorded", "env": env, "concurrency": 4, "pools": {"gate": 2}, "tasks": tasks, "finally": {"tidy": run(1)}}, child]


def record(orch, effect):
    folder = rig.Folder("orch-record-")
    ledger = rig.Ledger(os.path.join(folder.path, "ledger"), effect)
    world = rig.World(orch, ledger, folder.path, definitions(effect))
    process = world.start("run", world.files["recorded"], "--progress", "jsonl")
    assert ledger.wait_for("careful")
    rig.kill_now(process.pid)
    world.finish(process)
    run = next(run for run, events in world.look().items() if events[0]["name"] == "recorded")
    for command, arguments, answer in (("pause", [], {}), ("resume", [], {}), ("approve", ["ask"], {"task": "ask"}), ("signal", ["go", "--data", "1"], {"data": 1})):
        assert world.run(command, run, *arguments)[0] == 0
        world.answers.append({"command": command, "run": run, **answer})
    world.sent.append(1)
    world.asked.append(run)
    assert world.run("retry", run, "--progress", "jsonl")[0] == 1
    world.look()
    evidence = json.loads(json.dumps(world.evidence(True, alive=[], quiet_s=1)).replace(effect, "effect").replace(folder.path, "/folder"))
    with open(RECORDED, "w") as out:
        json.dump(evidence, out, separators=(",", ":"))
        out.write("\n")
    folder.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--orch")
    parser.add_argument("--effect")
    options = parser.parse_args()
    if options.record:
        record(os.path.realpath(options.orch), os.path.realpath(options.effect))
    with open(RECORDED) as recorded:
        evidence = json.load(recorded)
    run = next(run for run, events in evidence["journals"].items() if events[0]["name"] == "recorded")
    failed = []
    good = check(evidence)
    if good:
        failed.append(f"the evidence as it was recorded: {good}")
    for rule, words, plant in PLANTED:
        damaged = copy.deepcopy(evidence)
        plant(damaged, run, damaged["journals"][run])
        said = check(damaged)
        if not any(text.startswith(rule + ": ") and words in text for text in said):
            failed.append(f"{plant.__name__}: wanted {rule} ...{words}..., was told {said or 'nothing'}")
    for text in failed:
        print("test_checker:", text[:2000], file=sys.stderr)
    print(f"{len(PLANTED)} planted violations, {len(failed)} not named")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
