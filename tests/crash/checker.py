"""What must be true of a store after crashes, checked from outside: journals, a ledger of effects, answers, what was shown.

`check(evidence)` takes a dict (all of it can be kept as JSON) and returns a list of violations, each "RULE: text":

  definitions  {workflow: definition}         as they were written, without short forms of tasks
  journals     {run: [event, ...]}            `orch show RUN --history -o json`, now
  shown        {run: {seq: event}}            events that anybody has seen earlier, in the progress or in a history
  ledger       [{what, run, task, attempt, fence, pid, beside}]   told by the effects themselves, in order; beside: fences of the
               attempts of the same task whose processes were alive when this one began
  answers      [{command, run, ...}]          commands that were answered with success
  sent         [data]                         of events that were sent once, answered or not
  asked        [run]                          runs that people wanted to be taken up again where an interruption held them
  outputs      {run: text}, expected {run: text}   what a run printed, and what it has to come to
  alive        [pid]                          processes of effects that live though nobody runs them
  final        true when faults are over; quiet_s: how long it took from the last fault until everything had ended

Rules: I1-I8 and I11 of the promises, and what follows from the definition: E3 no recorded result is run again, E6 what an interruption
may lead to, R1 attempts within the policy, S1 compensation in reverse order, P1 nothing starts while paused, L1 limits.
"""
import json
import re

LOST_MAX = 10
LIVENESS_S = 30


HANDLER = re.compile(r"(^|/)(finally/|compensate(/|$)|on_error(/|$))")


def plain(path):
    """The path of a task in its definition: without items and iterations."""
    return re.sub(r"\[\d+\]|#\d+", "", path)


def siblings(path):
    """What stands before the last id of a path: "loop#1/step" -> "loop#1/"."""
    return path[: path.rfind("/") + 1]


def is_inside(path, outer):
    return path == outer or (path.startswith(outer) and path[len(outer)] in "/[#")


def read_definition(definition):
    """{plain path: task}, with `after` (ids) and `limits` added."""
    found = {}

    def block(tasks, prefix, mode):
        before = None
        for name, task in tasks.items():
            after = task.get("depends_on", [])
            after = [after] if isinstance(after, str) else list(after)
            if mode == "sequence" and before:
                after.append(before)
            before = name
            found[prefix + name] = dict(task, after=after)
            if "tasks" in task:
                block(task["tasks"], prefix + name + "/", task.get("mode", "dag"))
            for handler in ("compensate", "on_error"):
                if handler in task:
                    found[f"{prefix}{name}/{handler}"] = dict(task[handler], after=[])
            if "finally" in task:
                block(task["finally"], prefix + name + "/finally/", "dag")

    block(definition["tasks"], "", definition.get("mode", "dag"))
    block(definition.get("finally", {}), "finally/", "dag")
    return found


class Fold:
    """One journal read from its beginning, rule after rule."""

    def __init__(self, run, events, definitions, say):
        self.run, self.events, self.say = run, events, say
        self.definition, self.tasks = {}, {}
        self.definitions = definitions
        self.attempts = {}   # (step, fence) -> seq
        self.needs = {}      # (step, fence) -> what it follows from: [(step, fence)]
        self.open = {}       # step -> the attempt.started event that has not ended
        self.last = {}       # step -> its latest attempt.started
        self.done = {}       # step -> its task.ended
        self.order = []      # steps that have succeeded, in order
        self.failed = {}     # step -> attempts that failed by themselves
        self.lost = {}       # step -> attempts that were lost
        self.held = set()    # steps that may not go on without a person
        self.released = []   # and did go on
        self.undone = []
        self.undoing = set() # steps whose compensation is under way
        self.fence = 0
        self.ended = None
        self.paused = False

    def violation(self, rule, text):
        self.say(f"{rule}: {text} in {self.run}")

    def fold(self):
        for place, event in enumerate(self.events):
            if event["seq"] != place + 1:
                self.violation("O1", f"sequence {event['seq']} stands at {place + 1}")
                break
            kind = event["type"]
            if self.ended and kind != "execution.retried":
                self.violation("I2", f"{kind} after the end")
            handler = getattr(self, "on_" + kind.replace(".", "_"), None)
            if handler:
                handler(event)
        return self

    def on_execution_started(self, event):
        self.definition = self.definitions.get(event.get("name"), {})
        self.tasks = read_definition(self.definition) if self.definition else {}

    def on_task_attempt_started(self, event):
        step, fence = event["step"], event["fence"]
        task = self.tasks.get(plain(step), {})
        if fence <= self.fence:
            self.violation("I6", f"{step} has fence {fence} after {self.fence}")
        if step in self.done:
            self.violation("E3", f"{step} starts again (fence {fence}) though its result is recorded")
        if step in self.open:
            self.violation("I7", f"{step} starts again (fence {fence}) while attempt {self.open[step]['attempt']} is open")
        if self.paused:
            self.violation("P1", f"{step} starts while the run is paused")
        if step in self.held:
            self.violation("E6", f"{step} starts again though it was interrupted and on_interrupt is {task.get('on_interrupt')}")
        self.check_dependencies(step, task, event)
        self.fence = max(self.fence, fence)
        self.attempts[(step, fence)] = event["seq"]
        self.open[step] = self.last[step] = event
        self.check_limits(event)

    def check_dependencies(self, step, task, event):
        for name in task.get("after", []):
            ended = self.done.get(siblings(step) + name)
            if ended is None:
                self.violation("I5", f"{step} starts at {event['seq']} before {name} has ended")
            elif ended.get("state") == "succeeded" and "attempt" in ended and siblings(step) + name in self.last:
                before = siblings(step) + name
                self.needs.setdefault((step, event["fence"]), []).append((before, self.last[before]["fence"]))

    def check_limits(self, event):
        """What runs, counted by pool and in all; sub-workflows wait and take nothing."""
        running = [self.tasks.get(plain(step), {}) for step in self.open]
        running = [task for task in running if "workflow" not in task]
        if len(running) > self.definition.get("concurrency", len(running)):
            self.violation("L1", f"{len(running)} run at once at {event['seq']}")
        for pool, size in self.definition.get("pools", {}).items():
            if sum(task.get("pool") == pool for task in running) > size:
                self.violation("L1", f"pool {pool} is exceeded at {event['seq']}")

    def on_task_ready(self, event):
        """Nothing but a person makes ready what was held."""
        if event["step"] in self.held and self.tasks.get(plain(event["step"]), {}).get("on_interrupt") == "hold":
            self.held.discard(event["step"])
            self.released.append(event["step"])

    def close(self, event):
        step = event["step"]
        started = self.open.pop(step, None)
        if started and event.get("attempt") != started["attempt"]:
            self.violation("I6", f"what attempt {event.get('attempt')} of {step} came to is recorded, and attempt {started['attempt']} ran")
        return started

    def on_task_attempt_failed(self, event):
        step = event["step"]
        task = self.tasks.get(plain(step), {})
        if self.close(event) is None and step in self.last and "wait" not in task:
            self.violation("I6", f"attempt {event.get('attempt')} of {step} fails though it does not run")
        if event.get("failure") == "lost":
            self.lost[step] = self.lost.get(step, 0) + 1
            if task.get("on_interrupt", "retry") != "retry":
                self.held.add(step)
            if self.lost[step] > LOST_MAX + 1:
                self.violation("E6", f"{step} was lost {self.lost[step]} times and goes on")
        else:
            self.failed[step] = self.failed.get(step, 0) + 1
        retry = task.get("retry", {})
        most = retry.get("max_attempts", 3) if retry else 1
        if self.failed.get(step, 0) > most:
            self.violation("R1", f"{step} has failed {self.failed[step]} times of {most}")

    def on_task_ended(self, event):
        step = event["step"]
        if step in self.undoing:  # its compensation has come to its end; what the task came to stays
            self.undoing.discard(step)
            return
        if self.close(event) is None and step in self.last and step in self.done:
            self.violation("I4", f"{step} ends a second time at {event['seq']}")
        self.done[step] = event
        if event.get("state") == "succeeded":
            self.order.append(step)

    def on_task_compensating(self, event):
        step = event["step"]
        if step not in self.order:
            self.violation("S1", f"{step} is undone though it has not succeeded")
        elif self.undone and self.order.index(step) > self.order.index(self.undone[-1]):
            self.violation("S1", f"{step} is undone after {self.undone[-1]}, which had ended before it")
        self.undone.append(step)
        self.undoing.add(step)

    def on_execution_paused(self, event):
        self.paused = True

    def on_execution_resumed(self, event):
        self.paused = False

    def on_execution_stopping(self, event):
        self.paused = False

    def on_task_reset(self, event):
        """A person had it run again: with all that is inside, or, taken up again ("running"), with what is named for itself."""
        def keep(step):
            return step != event["step"] if event.get("state") == "running" else not is_inside(step, event["step"])
        for books in (self.done, self.failed, self.lost, self.last, self.open):
            for step in [step for step in books if not keep(step)]:
                del books[step]
        self.order = [step for step in self.order if keep(step)]
        self.undone = [step for step in self.undone if keep(step)]
        self.held = {step for step in self.held if keep(step)}

    def on_execution_retried(self, event):
        if not self.ended and not self.held:
            self.violation("I2", f"runs again at {event['seq']} though it had not ended")
        self.ended = None
        self.undone = []
        self.held = set()
        # Handlers belong to the end that is no more: they run anew.
        for books in (self.done, self.failed, self.lost, self.last):
            for step in [step for step in books if HANDLER.search(step)]:
                del books[step]

    def on_execution_ended(self, event):
        self.ended = event
        self.paused = False
        for step in self.open:
            self.violation("I2", f"it ends while {step} runs")
        if event.get("state") == "compensated":
            for step in self.order:
                if "compensate" in self.tasks.get(plain(step), {}) and step not in self.undone:
                    self.violation("S1", f"it ends as compensated, and {step} was not undone")


def same(seen, now):
    """An event, then and now: a large output stands in the one and by its number in the other."""
    if "blob" in now or "blob" in seen:
        left, right = ({key: value for key, value in event.items() if key not in ("output", "data", "blob", "blob_size")} for event in (seen, now))
        return left == right
    return seen == now


def check_shown(evidence, say):
    for run, events in evidence["shown"].items():
        journal = evidence["journals"].get(run)
        if journal is None:
            say(f"I1: {run} was shown, and there is no such run")
            continue
        for seq, event in events.items():
            seq = int(seq)
            if seq > len(journal):
                say(f"I1: event {seq} of {run} ({event['type']}) was shown, and the journal ends at {len(journal)}")
            elif not same(event, journal[seq - 1]):
                rule = "I2" if event["type"] == "execution.ended" else "I4" if event["type"] == "task.ended" else "O1"
                say(f"{rule}: event {seq} of {run} was {json.dumps(event)} and is {json.dumps(journal[seq - 1])}")


# What an answered command leaves in the journal.
COMMANDS = {
    "cancel": lambda event, answer: event["type"] == "execution.stopping" and event.get("state") == "cancelled",
    "pause": lambda event, answer: event["type"] == "execution.paused",
    "resume": lambda event, answer: event["type"] == "execution.resumed",
    "approve": lambda event, answer: event["type"] == "task.approval" and event.get("step") == answer["task"],
    "signal": lambda event, answer: event["type"] == "signal.received" and event.get("data") == answer["data"],
    "retry": lambda event, answer: event["type"] == "execution.retried",
}


def check_answers(evidence, say):
    received = [json.dumps(event.get("data")) for journal in evidence["journals"].values() for event in journal if event["type"] == "signal.received"]
    for data in evidence.get("sent", []):
        if received.count(json.dumps(data)) > 1:
            say(f"I1: the event with {json.dumps(data)} was sent once, and the journal has it {received.count(json.dumps(data))} times")
    counts, paused = {}, set()
    for answer in evidence["answers"]:
        journal = evidence["journals"].get(answer["run"])
        what = f"{answer['command']} of {answer['run']}"
        if journal is None:
            say(f"I1: {what} was answered, and there is no such run")
            continue
        if answer["command"] == "start":
            continue
        found = sum(1 for event in journal if COMMANDS[answer["command"]](event, answer))
        if answer["command"] == "pause":
            paused.add(answer["run"])
        if answer["command"] == "resume" and (answer["run"] not in paused or any(event["type"] == "execution.stopping" for event in journal)):
            continue  # it was not paused: nothing to do is done
        key = (answer["command"], answer["run"], answer.get("task"), json.dumps(answer.get("data")))
        # Of one that does nothing the second time, one event is enough.
        counts[key] = counts.get(key, 0) + 1 if answer["command"] in ("retry", "signal") else 1
        if found < counts[key]:
            say(f"I1: {what} was answered ({counts[key]} times), and the journal has {found}")


def check_ledger(evidence, folds, say):
    ended = set()  # (run, task, fence) whose end was told
    for entry in evidence["ledger"]:
        run, step, fence = entry["run"], entry["task"], entry["fence"]
        fold = folds.get(run)
        if fold is None:
            say(f"I3: {step} has an effect in {run}, and there is no such run")
            continue
        if (step, fence) not in fold.attempts:
            say(f"I3: {step} of {run} has an effect with fence {fence} that the journal does not know")
        if entry["what"] == "end":
            ended.add((run, step, fence))
            continue
        for other in entry.get("beside", []):
            say(f"I7: {step} of {run} began with fence {fence} while {other} was alive")
        for before, accepted in fold.needs.get((step, fence), []):
            if "exec" in fold.tasks.get(plain(before), {}) and (run, before, accepted) not in ended:
                say(f"I5: {step} of {run} began (fence {fence}) before {before} had an end")


def check_end(evidence, folds, say):
    for run, fold in folds.items():
        if fold.released and run not in evidence.get("asked", []):
            say(f"E6: {fold.released[0]} of {run} was held, and went on though nobody asked")
    for pid in evidence.get("alive", []):
        say(f"I11: process {pid} is alive though nobody runs it")
    if not evidence.get("final"):
        return
    for run, fold in folds.items():
        if not fold.ended:
            say(f"I8: {run} has not ended")
    if evidence.get("quiet_s", 0) > LIVENESS_S:
        say(f"I8: it took {evidence['quiet_s']:.0f} s from the last fault to the end")
    for run, expected in evidence.get("expected", {}).items():
        if evidence.get("outputs", {}).get(run) != expected:
            say(f"I4: {run} came to {evidence.get('outputs', {}).get(run)!r}, not {expected!r}")


def check(evidence):
    violations = []
    folds = {run: Fold(run, events, evidence["definitions"], violations.append).fold() for run, events in evidence["journals"].items()}
    check_shown(evidence, violations.append)
    check_answers(evidence, violations.append)
    check_ledger(evidence, folds, violations.append)
    check_end(evidence, folds, violations.append)
    return violations
