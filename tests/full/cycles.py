#!/usr/bin/env python3
"""The disk below a store at work is filled and freed, again and again.

On a small file system of its own (tmpfs and ext4 in turn) a workflow runs with large outputs and logs. At a random moment a file takes all the room
that is left; a moment later it is gone. Some of the times orch is killed meanwhile, and continued, also while the disk is still full. Checked:

  - a result that was read from the history stays what it is, and none is recorded twice;
  - nothing fails because of the disk: what runs waits, and goes on by itself when there is room;
  - what does not go on says so on stderr;
  - a new run is refused while the disk is full, in words, and leaves nothing;
  - lists and histories can be read all the while;
  - in the end every output is whole, byte by byte, the database is sound, and no log ends within a line.

Needs root, for mounts in a name space of its own; else it says so and is skipped (exit code 77).

    tests/full/cycles.py --orch build/orch --load build/tests/full/load [--rounds 100] [--seed N]
"""
import argparse
import glob
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

SIZE = 24 << 20
ITEMS = 60
KINDS = ["tmpfs", "ext4"]
PATIENCE = 20  # seconds that nothing may take

WORKFLOW = """\
name: full
parameters: {items: {type: list, required: true}}
concurrency: 4
tasks:
  part:
    for_each: {in: items, as: item}
    exec: [LOAD, "{{ string(item.n) }}", "{{ string(item.size) }}", "{{ string(item.lines) }}", "{{ string(item.ms) }}"]
  work:
    repeat: {max: 12}
    tasks:
      note: {shell: 'head -c 30000 /dev/zero >"$ORCH_SCRATCH/x" 2>/dev/null; rm -f "$ORCH_SCRATCH/x"; echo {}'}
  sum: {depends_on: [part, work], transform: size(part.output)}
output: {count: "{{ sum.output }}"}
"""
SMALL = "tasks:\n  one: {shell: 'true'}\n"


class Failed(Exception):
    pass


def quietly(*command):
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


class Disk:
    """A small file system, mounted where nobody else sees it."""

    def __init__(self, kind, folder, more="mode=755"):
        self.kind = kind
        self.path = os.path.join(folder, "disk")
        os.makedirs(self.path, exist_ok=True)
        if kind == "tmpfs":
            self.mounted = quietly("mount", "-t", "tmpfs", "-o", f"size={SIZE},{more}", "none", self.path)
        else:
            image = os.path.join(folder, "image")
            with open(image, "wb") as file:
                file.truncate(SIZE)
            self.mounted = bool(shutil.which("mkfs.ext4")) and quietly("mkfs.ext4", "-q", "-F", "-m", "0", "-b", "4096", image) and quietly("mount", "-o", "loop", image, self.path)
        self.filler = os.path.join(self.path, "filler")

    def fill(self):
        """Until not a byte more can be had."""
        fd = os.open(self.filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        size = 1 << 20
        while True:
            try:
                os.write(fd, b"\0" * size)
            except OSError:
                if size <= 512:
                    break
                size //= 2
        os.close(fd)

    def free(self):
        if os.path.exists(self.filler):
            os.unlink(self.filler)

    def close(self):
        self.free()
        if self.mounted:
            quietly("umount", self.path) or quietly("umount", "-l", self.path)


class Run:
    """One execution, through several fillings."""

    def __init__(self, campaign, disk, dice):
        self.campaign, self.disk, self.dice = campaign, disk, dice
        self.store = os.path.join(disk.path, "store")
        self.results = {}
        self.errors = os.path.join(campaign.folder, "stderr")
        self.items = [{"n": n, "size": dice.choice((50, 5000, 70000, 150000)), "lines": dice.choice((1, 20, 400)), "ms": dice.choice((1, 10, 40))}
                      for n in range(ITEMS)]
        self.killed = 0
        self.process = None

    def expect(self, true, text):
        if not true:
            raise Failed(f"{text} ({self.disk.kind}, cycle {self.campaign.cycles})\n{self.tail()}")

    def shown(self):
        with open(self.errors, encoding="utf-8", errors="replace") as file:
            return file.read()

    def tail(self):
        return "\n".join(line[:300] for line in self.shown().splitlines()[-12:])

    def start_file(self, file, *more):
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen([self.campaign.orch, "run", file, "--store", self.store, "--progress", "jsonl", "--grace", "200ms", *more],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True)

    def start(self, *more):
        parameters = os.path.join(self.campaign.folder, "parameters.json")
        with open(parameters, "w") as out:
            json.dump({"items": self.items}, out)
        self.start_file(self.campaign.file, *(more or ("--params", parameters)))

    def orch(self, *arguments):
        return subprocess.run([self.campaign.orch, *arguments, "--store", self.store], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)

    def history(self):
        done = self.orch("show", "last", "--history", "-o", "json")
        if "error[FULL]" in done.stderr and self.has_ended():
            return []  # nobody owns it, and the log it has left cannot be read without room for its index
        self.expect(done.returncode == 0, f"the history cannot be read: {done.stderr}")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        sequence = [event["seq"] for event in events]
        self.expect(sequence == list(range(1, len(sequence) + 1)), "the journal has gaps")
        for event in events:
            if event["type"] == "task.attempt.failed":
                self.expect(event["failure"] == "lost" and self.killed, f"an attempt failed: {event}")
            if event["type"] == "task.ended":
                self.expect(event["state"] == "succeeded", f"a task failed: {event}")
        # Once read it is so for ever.
        for key in self.results:
            self.expect(key <= len(events) and self.results[key] == json.dumps(events[key - 1]), f"record {key} was {self.results[key]} and is no more")
        self.results = {event["seq"]: json.dumps(event) for event in events}
        return events

    def wait_until(self, what, condition, seconds=PATIENCE):
        until = time.monotonic() + seconds
        while not condition():
            self.expect(time.monotonic() < until, f"waited {seconds} s for {what}")
            time.sleep(0.005)

    def has_ended(self):
        return self.process is None or self.process.poll() is not None

    def count_shown(self):
        return self.shown().count("\n")

    def refuse(self):
        """While the disk is full and nobody owns the store: nothing new begins."""
        self.disk.fill()  # what the one that was killed had given up, or held open, was room again
        before = self.orch("ps", "-o", "name").stdout
        done = self.orch("run", self.campaign.small)
        self.expect(done.returncode not in (0, 1) and "no space left" in done.stderr, f"a new run was not refused: {done.returncode} {done.stderr}")
        after = self.orch("ps", "-o", "name").stdout
        self.expect(before == after, f"a run that was refused is there: {after}")
        self.campaign.refused += 1

    def one_cycle(self):
        campaign, dice = self.campaign, self.dice
        target = self.count_shown() + dice.randint(1, 60)
        self.wait_until("something to happen", lambda: self.has_ended() or self.count_shown() >= target)
        if self.has_ended():
            return False
        notes = self.shown().count("no space left")
        self.disk.fill()
        campaign.cycles += 1
        hold = dice.random() * dice.choice((0.05, 0.3, 1.0))
        time.sleep(hold)
        if hold > 0.3:
            before = self.count_shown()
            time.sleep(0.3)
            self.expect(self.has_ended() or self.count_shown() > before or self.shown().count("no space left") > notes, "it stands still and does not say why")
        if dice.random() < 0.5:
            self.history()
        if self.shown().count("no space left") > notes:
            campaign.stalls += 1
        if dice.random() < 0.25 and not self.has_ended():
            self.process.send_signal(signal.SIGKILL)
            self.process.communicate()
            self.killed += 1
            campaign.kills += 1
            if dice.random() < 0.7:
                self.refuse()
            if dice.random() < 0.5:  # taken up while there is no room
                self.start("--continue")
                time.sleep(dice.random() * 0.3)
                self.free_and_go_on(True)
            else:
                self.disk.free()
                self.start("--continue")
            return True
        self.free_and_go_on(False)
        return True

    def free_and_go_on(self, was_killed):
        before = self.count_shown()
        begun = time.monotonic()
        self.disk.free()
        if was_killed and self.has_ended() and self.process.returncode != 0:
            # It could not begin: it says so, and can be tried again.
            self.expect(self.process.returncode not in (0, 1) and "no space left" in self.shown(), f"--continue ended with {self.process.returncode}: {self.shown()}")
            self.process.communicate()
            self.campaign.refused_continues += 1
            self.start("--continue")
        self.wait_until("it to go on", lambda: self.has_ended() or self.count_shown() > before)
        self.campaign.slowest = max(self.campaign.slowest, time.monotonic() - begun)

    def go(self, until):
        self.start()
        try:
            while self.campaign.cycles < until and self.one_cycle():
                pass
            self.disk.free()
            output = self.process.communicate(timeout=60)[0]
            if self.process.returncode == 4 and "already finished" in self.shown():
                output = None  # killed between the record of its end and its own
            else:
                self.expect(self.process.returncode == 0, f"orch ended with {self.process.returncode}")
            self.check(output)
        except subprocess.TimeoutExpired as late:
            raise Failed(f"{late}\n{self.tail()}") from None
        finally:
            if not self.has_ended():
                self.process.kill()
                self.process.communicate()

    def check(self, output):
        events = self.history()
        self.expect(output is None or json.loads(output) == {"count": ITEMS}, f"the run's output is {output}")
        ends = [event for event in events if event["type"] == "execution.ended"]
        self.expect(len(ends) == 1 and ends[0]["state"] == "succeeded", f"the run's end is {ends}")
        [number] = [name for name in os.listdir(os.path.join(self.store, "blobs"))] or ["1"]
        for item in self.items:
            found = [event for event in events if event["type"] == "task.ended" and event.get("step") == f"part[{item['n']}]"]
            self.expect(len(found) == 1, f"part[{item['n']}] has {len(found)} ends")
            event = found[0]
            value = event.get("output")
            if "blob" in event:
                with open(os.path.join(self.store, "blobs", number, str(event["blob"])), "rb") as file:
                    value = json.loads(file.read()[:-48])
            text = "".join(chr(97 + (item["n"] * 7 + i) % 26) for i in range(26)) * (item["size"] // 26 + 1)
            self.expect(value == {"n": item["n"], "text": text[:item["size"]]}, f"the output of part[{item['n']}] is not what it wrote: {str(event)[:300]}")
        database = sqlite3.connect(f"file:{self.store}/orch.db?mode=ro", uri=True)
        self.expect(database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "the database is damaged")
        database.close()
        for log in glob.glob(os.path.join(self.store, "logs", "*", "*.log")):
            with open(log, "rb") as file:
                content = file.read()
            self.expect(not content or content.endswith(b"\n") or self.killed, f"{log} ends within a line")
        self.campaign.checked += ITEMS
        self.expect(not glob.glob(os.path.join(self.store, "scratch", "*")), "something is left in scratch")


BEGIN = """\
name: begin
tasks:
  first: {shell: 'until [ -e GO/1 ]; do sleep 0.02; done'}
  holds: {depends_on: first, shell: 'until [ -e GO/2 ]; do sleep 0.02; done'}
  late: {depends_on: first, shell: 'touch "$ORCH_SCRATCH/x"; echo late'}
  never: {depends_on: first, shell: 'true', timeout: 300ms, continue_on_error: true}
"""


def no_room_to_begin(campaign):
    """Not a directory more can be made, so tasks cannot begin: they wait, can be stopped and timed out, and begin when there is room."""
    disk = Disk("tmpfs", campaign.folder, "nr_inodes=64")
    if not disk.mounted:
        return
    go = os.path.join(campaign.folder, "go")
    file = os.path.join(campaign.folder, "begin.yaml")
    with open(file, "w") as out:
        out.write(BEGIN.replace("GO", go))
    run = Run(campaign, disk, random.Random(1))
    try:
        for way in ("goes on", "is cancelled"):
            shutil.rmtree(go, ignore_errors=True)
            os.mkdir(go)
            run.start_file(file)
            run.wait_until("the first task", lambda: '"task.attempt.started"' in run.shown() and glob.glob(os.path.join(run.store, "scratch", "*", "0")))
            taken = []
            try:
                while True:
                    taken.append(os.path.join(disk.path, f"taken{len(taken)}"))
                    os.close(os.open(taken[-1], os.O_CREAT | os.O_WRONLY))
            except OSError:
                taken.pop()
            open(os.path.join(go, "1"), "w").close()
            run.wait_until("it to say that there is no room", lambda: "cannot begin yet" in run.shown())
            run.wait_until("a timeout", lambda: '"timed_out"' in run.shown())
            time.sleep(0.5)
            run.expect(run.shown().count("cannot begin yet") == 1, "it is said more than once")
            if way == "is cancelled":
                begun = time.monotonic()
                run.expect(run.orch("cancel", "last", "--grace", "200ms").returncode == 0, "it cannot be cancelled")
                run.process.communicate(timeout=PATIENCE)
                run.expect(run.process.returncode == 9 and time.monotonic() - begun < 2, f"cancelled: {run.process.returncode} after {time.monotonic() - begun:.1f} s")
            for path in taken:
                os.unlink(path)
            if way == "goes on":
                run.wait_until("the task that waited for room", lambda: '"line":"late"' in run.shown())
                run.expect(not os.path.exists(os.path.join(go, "2")), "it had room before")
                open(os.path.join(go, "2"), "w").close()
                run.process.communicate(timeout=PATIENCE)
                run.expect(run.process.returncode == 0, f"orch ended with {run.process.returncode}")
    finally:
        if not run.has_ended():  # after a failure nothing is left either
            run.process.kill()
            run.process.communicate()
        disk.close()


class Campaign:
    def __init__(self, arguments):
        self.orch, self.load = os.path.abspath(arguments.orch), os.path.abspath(arguments.load)
        self.folder = tempfile.mkdtemp(prefix="orch-full-")
        self.file = os.path.join(self.folder, "full.yaml")
        self.small = os.path.join(self.folder, "small.yaml")
        with open(self.file, "w") as out:
            out.write(WORKFLOW.replace("LOAD", json.dumps(self.load)))
        with open(self.small, "w") as out:
            out.write(SMALL)
        self.kinds = [arguments.disk] if arguments.disk else KINDS
        self.cycles = self.stalls = self.kills = self.refused = self.refused_continues = self.runs = self.checked = 0
        self.slowest = 0.0

    def go(self, rounds, seed):
        dice = random.Random(seed)
        no_room_to_begin(self)
        kinds = list(self.kinds)
        while self.cycles < rounds:
            kind = kinds[self.runs % len(kinds)]
            disk = Disk(kind, self.folder)
            try:
                if not disk.mounted:
                    kinds.remove(kind)
                    if not kinds:
                        print("no small file system can be mounted here: skipped")
                        sys.exit(77)
                    print(f"no {kind} can be mounted here: without it")
                    continue
                Run(self, disk, dice).go(rounds)
                self.runs += 1
            finally:
                disk.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orch", required=True)
    parser.add_argument("--load", required=True)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--disk", choices=KINDS, help="on this one alone")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.inside:
        if os.geteuid() != 0 or not shutil.which("unshare") or not quietly("unshare", "--mount", "true"):
            print("a small file system takes root: skipped (the same on a file system that only says that it is full: tests/unit/store/test_full.c)")
            sys.exit(77)
        os.execvp("unshare", ["unshare", "--mount", sys.executable, os.path.abspath(__file__), *sys.argv[1:], "--seed", str(arguments.seed), "--inside"])
    campaign = Campaign(arguments)
    begun = time.monotonic()
    print(f"seed {arguments.seed}", flush=True)
    try:
        campaign.go(arguments.rounds, arguments.seed)
    except Failed as failed:
        print(f"FAILED, seed {arguments.seed}: {failed}")
        sys.exit(1)
    finally:
        shutil.rmtree(campaign.folder, ignore_errors=True)
    print(f"{campaign.cycles} times filled and freed in {campaign.runs} runs in {time.monotonic() - begun:.0f} s: {campaign.stalls} told of it, {campaign.kills} killed meanwhile, "
          f"{campaign.refused} new runs refused, {campaign.refused_continues} that could not be continued yet")
    print(f"{campaign.checked} results whole, none lost, none twice; goes on at most {campaign.slowest * 1000:.0f} ms after there is room")


if __name__ == "__main__":
    main()
