"""What the crash rigs share: the ledger that nobody kills, the program, and the evidence for the checker."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from checker import check


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            return [int(child) for child in children.read().split()]
    except OSError:
        return []


class Ledger:
    """Outside of everything that is killed: a thread of the rig with a socket of its own."""

    def __init__(self, path, effect):
        self.path, self.effect = path, effect
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind(path)
        self.changed = threading.Condition()
        self.entries = []
        self.running = {}  # (run, task) -> {fence: pid}
        threading.Thread(target=self.listen, daemon=True).start()

    def is_effect(self, pid):
        try:
            return os.readlink(f"/proc/{pid}/exe") == self.effect
        except OSError:
            return False

    def listen(self):
        while True:
            what, run, task, attempt, fence, pid = self.socket.recv(4096).decode().strip().split("\t")
            entry = {"what": what, "run": run, "task": task, "attempt": int(attempt), "fence": int(fence), "pid": int(pid)}
            with self.changed:
                running = self.running.setdefault((run, task), {})
                if what == "begin":
                    beside = [fence for fence, pid in running.items() if alive(pid) and self.is_effect(pid)]
                    if beside:
                        entry["beside"] = beside
                    running[entry["fence"]] = entry["pid"]
                else:
                    running.pop(entry["fence"], None)
                self.entries.append(entry)
                self.changed.notify_all()

    def taken(self, runs=None):
        with self.changed:
            return [entry for entry in self.entries if runs is None or entry["run"] in runs]

    def clear(self):
        with self.changed:
            self.entries.clear()
            self.running.clear()

    def wait_for(self, task, what="begin", timeout=20, times=1):
        with self.changed:
            return self.changed.wait_for(lambda: sum(e["task"] == task and e["what"] == what for e in self.entries) >= times, timeout)

    def survivors(self):
        with self.changed:
            recent = [entry["pid"] for entry in self.entries[-400:]]
        return sorted({pid for pid in recent if alive(pid) and self.is_effect(pid)})

    def wait_for_quiet(self, timeout=5):
        """The spawner needs a moment to end its programs, and the ledger one to hear of those that had just begun. Returns who lives on."""
        deadline = time.monotonic() + timeout
        quiet = 0
        while quiet < 2:
            left = self.survivors()
            if left and time.monotonic() > deadline:
                return left
            quiet = 0 if left else quiet + 1
            time.sleep(0.003)
        return []


class World:
    """A folder with definitions and a store, and all that was seen of it."""

    def __init__(self, orch, ledger, folder, definitions):
        self.orch, self.ledger, self.folder = orch, ledger, folder
        self.store = os.path.join(folder, "store")
        self.definitions = {definition["name"]: definition for definition in definitions}
        self.files = {}
        for definition in definitions:
            self.files[definition["name"]] = os.path.join(folder, definition["name"] + ".json")
            with open(self.files[definition["name"]], "w") as out:
                json.dump(definition, out)
        self.shown = {}
        self.answers = []
        self.asked = []
        self.sent = []  # data of events that were sent once, answered or not
        self.journals = {}

    def environment(self, extra=None):
        return {**os.environ, "LEDGER": self.ledger.path, **(extra or {})}

    def start(self, *arguments, environment=None, stderr=None):
        """A command in the background. Its standard error, where progress goes, is a file: nobody has to read it for the command to go on."""
        path = os.path.join(self.folder, f"stderr.{time.monotonic_ns()}.{arguments[0]}")
        with open(path, "w") as errors:
            process = subprocess.Popen([self.orch, *arguments, "--store", self.store], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=errors, env=self.environment(environment), text=True)
        process.errors = path
        return process

    def finish(self, process, timeout=60):
        """Waits; returns (standard output, standard error), and keeps the events that were shown. None when it does not end."""
        try:
            output = process.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            return None
        with open(process.errors, errors="replace") as errors:
            text = errors.read()
        for line in text.split("\n")[:-1]:  # a last line without its end was cut by a kill
            if line.startswith("{"):
                self.keep(json.loads(line))
        return output, text

    def keep(self, event):
        if "seq" in event:
            self.shown.setdefault(event["run"], {}).setdefault(event["seq"], event)

    def run(self, *arguments, timeout=60, environment=None):
        """A command to its end: (exit code, output, errors)."""
        process = self.start(*arguments, environment=environment)
        result = self.finish(process, timeout)
        if result is None:
            process.kill()
            self.finish(process)
            raise AssertionError(f"orch {' '.join(arguments)} does not end")
        return process.returncode, *result

    def runs(self, *filters):
        """All there are, oldest first. Empty when there is no store yet."""
        code, output, errors = self.run("runs", "--all", "--limit", "100000", "-o", "name", *filters)
        if code == 0:
            return output.split()[::-1]
        if "error[NOT_FOUND]" in errors:
            return []
        raise AssertionError(f"runs cannot be listed: {errors.strip()}")

    def look(self):
        """Reads every journal anew; what was read counts as shown from then on."""
        self.journals = {}
        for run in self.runs():
            code, output, errors = self.run("show", run, "--history", "-o", "json")
            if code != 0:
                raise AssertionError(f"the journal of {run} cannot be read: {errors.strip()}")
            self.journals[run] = [json.loads(line) for line in output.splitlines()]
        return self.journals

    def is_owned(self):
        """Whether somebody listens for commands."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as owner:
            try:
                owner.connect(os.path.join(self.store, "sock"))
                return True
            except OSError:
                return False

    def ended(self, run):
        events = self.journals.get(run)
        return events[-1] if events and events[-1]["type"] == "execution.ended" else None

    def evidence(self, final=False, **more):
        return {"definitions": self.definitions, "journals": self.journals, "shown": self.shown, "answers": self.answers, "asked": self.asked, "sent": self.sent,
                "ledger": self.ledger.taken(), "final": final, **more}

    def check(self, final=False, **more):
        """Violations, of what was looked at just now."""
        if more.pop("look", True):
            self.look()
        violations = check(self.evidence(final, alive=self.ledger.wait_for_quiet() if more.pop("idle", True) else [], **more))
        for run, events in self.journals.items():
            for event in events:
                self.keep({**event})
        return violations


def kill_now(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Folder:
    """A temporary one below $TMPDIR, kept when something was wrong with what is in it."""

    def __init__(self, prefix):
        self.path = tempfile.mkdtemp(prefix=prefix)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)
