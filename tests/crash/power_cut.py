#!/usr/bin/env python3
"""The power goes: the rounds of kill_rounds.py on a file system of their own, which is shut down as it stands.

A file of 64 MiB holds an ext4 file system, mounted through a loop device; orch keeps its store there, and the ledger is outside. At a random moment the
file system is shut down without writing out its journal (EXT4_IOC_SHUTDOWN, NOLOGFLUSH): what was synced is in the file, all else is gone. Then it is
unmounted, fsck has to find nothing that replaying the journal does not mend, and it is mounted and checked as after a kill.

Needs root and loop devices. Where they are not to be had it says so and ends with 77, which is a skipped test.

    tests/crash/power_cut.py --orch build/orch --effect build/tests/crash/effect [--cycles 20] [--seed N]
"""
import argparse
import collections
import fcntl
import os
import random
import shutil
import struct
import subprocess
import sys
import time

import kill_rounds
import rig

EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
NOLOGFLUSH = 2
LOOP_MAJOR = 7
SIZE = 64 << 20
SKIPPED = 77


class Impossible(Exception):
    """This machine does not allow it."""


def call(*command):
    return subprocess.run(command, capture_output=True, text=True)


class Disk:
    def __init__(self, folder):
        self.image, self.point = os.path.join(folder, "disk"), os.path.join(folder, "mount")
        os.mkdir(self.point)
        self.is_mounted = False

    def make(self):
        """A new file system: nothing of the round before is on it."""
        with open(self.image, "wb") as image:
            image.truncate(SIZE)
        done = call("mkfs.ext4", "-q", "-F", self.image)
        if done.returncode != 0:
            raise Impossible(f"mkfs.ext4: {done.stderr.strip()}")

    def mount(self):
        done = call("mount", "-o", "loop", self.image, self.point)
        if done.returncode != 0:
            raise Impossible(f"mount -o loop: {done.stderr.strip()}")
        self.is_mounted = True

    def unmount(self):
        deadline = time.monotonic() + 10
        while self.is_mounted:
            done = call("umount", self.point)
            if done.returncode == 0:
                self.is_mounted = False
            elif time.monotonic() > deadline:
                raise AssertionError(f"umount: {done.stderr.strip()}")
            else:
                time.sleep(0.02)

    def shut_down(self):
        """Of no file system but the one that was mounted here through a loop device."""
        directory = os.open(self.point, os.O_RDONLY | os.O_DIRECTORY)
        try:
            device = os.fstat(directory).st_dev
            if not self.is_mounted or os.major(device) != LOOP_MAJOR or device == os.stat(os.path.dirname(self.point)).st_dev:
                raise AssertionError(f"{self.point} is not the file system that was mounted for this")
            fcntl.ioctl(directory, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        except OSError as error:
            raise Impossible(f"EXT4_IOC_SHUTDOWN: {error}") from None
        finally:
            os.close(directory)

    def check(self):
        """The journal is replayed; then nothing is wrong."""
        replayed = call("e2fsck", "-p", self.image)
        if replayed.returncode > 1:
            raise AssertionError(f"fsck after the cut: {replayed.stdout} {replayed.stderr}")
        clean = call("e2fsck", "-f", "-n", self.image)
        if clean.returncode != 0:
            raise AssertionError(f"fsck is not clean: {clean.stdout} {clean.stderr}")


class Cut(kill_rounds.Round):
    def __init__(self, options, seed, folder, ledger, figures, disk):
        super().__init__(options, seed, folder, ledger, figures)
        self.disk = disk
        self.world.store = os.path.join(disk.point, "store")

    def kill(self, process):
        if process.poll() is not None:
            return False
        self.is_cut = True
        self.disk.shut_down()
        # Either nothing runs on without power, or orch finds that nothing can be written any more.
        if self.dice.random() < 0.7:
            rig.kill_now(process.pid)
            self.figures["killed with it"] += 1
        else:
            deadline = time.monotonic() + 2
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            rig.kill_now(process.pid)
            self.figures["left to find out"] += 1
        return True

    def after_kill(self, killed):
        if killed:
            if self.ledger.wait_for_quiet():
                raise kill_rounds.Failure("I11: processes outlive the orch that started them")
            self.disk.unmount()
            self.disk.check()
            self.disk.mount()
        self.is_cut = False

    is_cut = False

    def ask(self, command, *arguments, **answer):
        """Without its disk a command fails as it may; what it answered counts."""
        try:
            return super().ask(command, *arguments, **answer)
        except kill_rounds.Failure as failure:
            if "died of signal" in str(failure) or not self.is_cut:
                raise
            return False


def own_namespace():
    """Mounts of its own: a copy of them that others took with theirs would keep the file system alive after the cut, as it was."""
    if "ORCH_POWER_CUT" not in os.environ:
        os.environ["ORCH_POWER_CUT"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])


def possible():
    if os.geteuid() != 0:
        raise Impossible("it needs root")
    for tool in ("mkfs.ext4", "e2fsck", "mount", "umount", "unshare"):
        if shutil.which(tool) is None:
            raise Impossible(f"{tool} is missing")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orch", required=True)
    parser.add_argument("--effect", required=True)
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(30))
    options = parser.parse_args()
    options.orch, options.effect = os.path.realpath(options.orch), os.path.realpath(options.effect)
    try:
        possible()
    except Impossible as why:
        print(f"power_cut: skipped: {why}")
        return SKIPPED
    own_namespace()
    figures, cycles, runs, effects, begun = collections.Counter(), 0, 0, 0, time.monotonic()
    place = rig.Folder("orch-power-")
    disk = Disk(place.path)
    ledger = rig.Ledger(os.path.join(place.path, "ledger"), options.effect)
    dice = random.Random(options.seed)
    one = None
    try:
        while cycles < options.cycles:
            folder = os.path.join(place.path, str(runs))
            os.mkdir(folder)
            disk.make()
            disk.mount()
            one = Cut(options, options.seed + runs, folder, ledger, figures, disk)
            cycles += one.play(min(options.cycles - cycles, dice.randint(1, 8)))
            disk.unmount()
            disk.check()
            runs += 1
            effects += sum(entry["what"] == "begin" for entry in ledger.taken())
            ledger.clear()
            shutil.rmtree(folder)
    except Impossible as why:
        print(f"power_cut: skipped: {why}")
        disk.unmount()
        place.remove()
        return SKIPPED
    except (kill_rounds.Failure, AssertionError) as error:
        print(f"power_cut: {error}\n  again with --cycles 8 --seed {options.seed + runs}; after {cycles} cuts; all is in {place.path}", file=sys.stderr)
        if disk.is_mounted:
            shutil.copytree(one.world.store, os.path.join(place.path, "store"), ignore=shutil.ignore_patterns("sock", "scratch"))
            disk.unmount()
        return 1
    place.remove()
    print(f"{cycles} power cuts in {runs} runs ({', '.join(f'{count} {name}' for name, count in sorted(figures.items()))}), {effects} effects, "
          f"{time.monotonic() - begun:.0f} s, seed {options.seed}: every file system clean, nothing lost, nothing recorded repeated")
    return 0


if __name__ == "__main__":
    sys.exit(main())
