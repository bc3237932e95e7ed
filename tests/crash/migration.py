#!/usr/bin/env python3
"""A store of schema 1 is brought up to date, and a fault meets each call of input and output while that is done.

Afterwards the store is the old one or the new one, whole: the rows are all there, the next command that owns it goes on with it, orch doctor finds
nothing, and every run is shown as before.

    tests/crash/migration.py --orch build/orch --shim build/tests/crash/shim.so [--every N] [--jobs N]
"""
import argparse
import concurrent.futures
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

WORKFLOW = "name: w\ntasks:\n  a: {shell: 'echo 1'}\n  big: {depends_on: a, shell: 'head -c 70000 /dev/zero | tr \"\\\\0\" x'}\n  c: {depends_on: big, shell: 'exit 3'}\n"
SMALL = "name: small\ntasks: {a: {noop: {}}}\n"
ACTIONS = ["before", "after", "torn", "eio", "enospc", "sync", "cut"]


class World:
    def __init__(self, arguments, folder):
        self.orch, self.shim, self.folder = os.path.abspath(arguments.orch), os.path.abspath(arguments.shim), folder
        self.store = os.path.join(folder, "old")
        for name, text in (("w.yaml", WORKFLOW), ("small.yaml", SMALL)):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        for _ in range(3):
            self.run(self.store, "run", "w.yaml")
        self.make_old()
        self.rows = self.read(self.store)[1]

    def run(self, store, *command, **more):
        environment = {**os.environ, **more}
        return subprocess.run([self.orch, *command, "--store", store], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, check=False)

    def make_old(self):
        """What a program of before would have written: the same tables, and nothing of a page kept for a checksum."""
        path = os.path.join(self.store, "orch.db")
        runs = self.run(self.store, "runs", "--all", "-o", "name").stdout.split()
        assert len(runs) == 3, runs
        self.shown = {run: self.run(self.store, "show", run, "-o", "json").stdout for run in runs}
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        text = "\n".join(database.iterdump())
        database.close()
        for name in os.listdir(self.store):
            if name.startswith("orch.db"):
                os.unlink(os.path.join(self.store, name))
        database = sqlite3.connect(path)
        database.executescript("PRAGMA journal_mode=WAL;" + text + f"PRAGMA application_id={0x4F524348}; PRAGMA user_version=1;")
        database.close()
        os.chmod(path, 0o600)

    @staticmethod
    def read(store):
        """The schema's number, and all rows, of a copy: SQLite rolls back what was half done, which the store is left to do itself."""
        copy = store + ".read"
        os.mkdir(copy)
        for name in ("orch.db", "orch.db-wal", "orch.db-journal"):
            if os.path.exists(os.path.join(store, name)):
                shutil.copy(os.path.join(store, name), copy)
        database = sqlite3.connect(os.path.join(copy, "orch.db"))
        rows = set()
        for (table,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            rows |= {(table, *row) for row in database.execute(f"SELECT * FROM {table}")}
        version = database.execute("PRAGMA user_version").fetchone()[0]
        whole = database.execute("PRAGMA integrity_check").fetchall()
        database.close()
        shutil.rmtree(copy)
        assert whole == [("ok",)], whole
        return version, rows

    def try_one(self, action, at):
        """Returns the schema that was left; None when there is no such call."""
        store = os.path.join(self.folder, f"{action}-{at}")
        report = store + ".report"
        shutil.copytree(self.store, store)
        done = self.run(store, "run", "small.yaml", LD_PRELOAD=self.shim, SHIM_DIR=store, SHIM_ACTION=action, SHIM_AT=str(at), SHIM_REPORT=report)
        if not os.path.exists(report) or not os.path.getsize(report):
            shutil.rmtree(store)
            return None
        with open(report) as file:
            what = f"{action} {at}: {file.read().strip()}: "
        version, rows = self.read(store)
        lost = {row for row in self.rows - rows if row[0] != "finished"}
        assert version in (1, 2) and not lost, f"{what}{len(lost)} rows are lost at schema {version}"
        again = self.run(store, "run", "small.yaml")
        assert again.returncode == 0, f"{what}it cannot be opened: {again.stderr} (after {done.stderr})"
        doctor = self.run(store, "doctor")
        assert doctor.returncode == 0, f"{what}damaged: {doctor.stdout} {doctor.stderr}"
        for run, shown in self.shown.items():
            assert self.run(store, "show", run, "-o", "json").stdout == shown, f"{what}{run} is another one"
        assert self.read(store)[0] == 2 and not os.path.exists(os.path.join(store, "orch.db.new")), what
        shutil.rmtree(store)
        return version


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orch", required=True)
    parser.add_argument("--shim", required=True)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="orch-migration-", dir=os.environ.get("TMPDIR") or ("/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    try:
        world = World(arguments, folder)
        left = {1: 0, 2: 0}
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            for action in ACTIONS:
                at, step = 1, arguments.every
                while True:
                    found = list(pool.map(lambda n, a=action: world.try_one(a, n), range(at, at + 8 * step, step)))
                    for version in found:
                        if version:
                            left[version] += 1
                    if None in found:
                        break
                    at += 8 * step
        print(f"{sum(left.values())} faults: {left[1]} left the old schema, {left[2]} the new one; nothing lost")
        if not left[1] or not left[2]:
            sys.exit("not both were seen")
    except AssertionError as failed:
        sys.exit(f"FAILED: {failed}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
