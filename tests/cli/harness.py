"""What the tests of the command line share: commands with a deadline, a terminal that can be looked at, a runner of tests.

A test is a function test_*(box); box is a Box: a folder of its own and the program. It fails by an exception, most often through check().
"""
import argparse
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import traceback
import unicodedata

DEADLINE = 30


class Failed(Exception):
    pass


def check(true, *why):
    if not true:
        raise Failed(" ".join(w if isinstance(w, str) else repr(w) for w in why))


def equal(got, wanted, what=""):
    if got != wanted:
        raise Failed(f"{what}\n  wanted {wanted!r}\n  got    {got!r}")


def contains(text, *parts):
    for part in parts:
        if part not in text:
            raise Failed(f"wanted {part!r} in\n{text}")


def wait_until(what, condition, deadline=DEADLINE):
    """Calls condition until it gives something true, and returns that."""
    until = time.monotonic() + deadline
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > until:
            raise Failed(f"waited {deadline} s for {what() if callable(what) else what}")
        time.sleep(0.02)


def environment(**more):
    """Nothing of who runs the tests shows: no CI, no colours, no terminal's name."""
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TERM": "xterm"}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "LD_LIBRARY_PATH"):
        if name in os.environ:
            env[name] = os.environ[name]
    env.update(more)
    return {name: value for name, value in env.items() if value is not None}


def alive(pid):
    """Whether the process exists and has not ended (a zombie has)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Done:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"code {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise Failed(f"no JSON ({error}): {self.out}") from None


class Background:
    """A command that runs while the test goes on; what it writes goes to files, so that it never waits for a reader."""

    def __init__(self, argv, cwd, env):
        self.argv = argv
        self.folder = tempfile.mkdtemp(prefix="job-", dir=cwd)
        with open(os.path.join(self.folder, "out"), "wb") as out, open(os.path.join(self.folder, "err"), "wb") as err:
            self.process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)

    def _read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as file:
            return file.read()

    @property
    def out(self):
        return self._read("out")

    @property
    def err(self):
        return self._read("err")

    def expect(self, part, deadline=DEADLINE):
        """Waits until its standard error has this part."""

        def look():
            if part in self.err:
                return True
            if self.process.poll() is not None and part not in self.err:
                raise Failed(f"{self.argv[1:]} ended with {self.process.returncode} before it wrote {part!r}:\n{self.err}")
            return False

        wait_until(lambda: f"{part!r} from {self.argv[1:]}, which wrote\n{self.err}", look, deadline)

    def wait(self, deadline=DEADLINE):
        try:
            self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.argv[1:]} goes on after {deadline} s, wrote\n{self.err}") from None
        return Done(self.process.returncode, self.out, self.err)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Screen:
    """A small terminal: what \\r, \\n and the few sequences that are used do to the screen. Anything else is kept in .unknown."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.lines = [[] for _ in range(rows)]
        self.scrollback = []
        self.row = self.column = 0
        self.unknown = []
        self.up_beyond = 0  # how often the cursor was sent above the first row
        self.styles = 0
        self.tallest = 0    # most rows with text at once
        self._text = ""

    def resize(self, rows, columns):
        """As xterm does: lines are not wrapped anew, the bottom stays in sight."""
        while len(self.lines) > rows:
            if self.row < len(self.lines) - 1 and not self.lines[-1]:
                self.lines.pop()
            else:
                self.scrollback.append(self.lines.pop(0))
                self.row = max(self.row - 1, 0)
        while len(self.lines) < rows:
            self.lines.append([])
        self.lines = [line[:columns] for line in self.lines]
        self.rows, self.columns = rows, columns
        self.column = min(self.column, columns - 1)

    def _down(self):
        if self.row == self.rows - 1:
            self.scrollback.append(self.lines.pop(0))
            self.lines.append([])
        else:
            self.row += 1

    def _put(self, char):
        if unicodedata.combining(char):
            return
        width = 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if self.column + width > self.columns:
            self.column = 0
            self._down()
        line = self.lines[self.row]
        while len(line) < self.column + width:
            line.append(" ")
        line[self.column] = char
        if width == 2:
            line[self.column + 1] = ""
        self.column += width

    def _csi(self, body, final):
        number = int(body) if body.isdigit() else 1
        if final == "m" and re.fullmatch(r"[0-9;]*", body):
            self.styles += 1
        elif final == "A" and (not body or body.isdigit()):
            if number > self.row:
                self.up_beyond += 1
            self.row = max(self.row - number, 0)
        elif final == "K" and body in ("", "0"):
            del self.lines[self.row][self.column:]
        elif final == "J" and body in ("", "0"):
            del self.lines[self.row][self.column:]
            for line in self.lines[self.row + 1:]:
                line.clear()
        else:
            self.unknown.append(f"CSI {body}{final}")

    def feed(self, text):
        text = self._text + text
        self._text = ""
        at = 0
        while at < len(text):
            char = text[at]
            if char == "\x1b":
                match = re.compile(r"\x1b\[([0-9;?<>=!]*)([@-~])").match(text, at)
                if match:
                    self._csi(match[1], match[2])
                    at = match.end()
                    continue
                if len(text) - at < 16:
                    self._text = text[at:]  # the rest is yet to come
                    break
                self.unknown.append(repr(text[at:at + 8]))
            elif char == "\r":
                self.column = 0
            elif char == "\n":
                self._down()
            elif ord(char) < 32 or ord(char) == 127 or 0x80 <= ord(char) < 0xa0:
                self.unknown.append(repr(char))
            else:
                self._put(char)
            at += 1
        self.tallest = max(self.tallest, sum(1 for line in self.lines if "".join(line).strip()))

    def text(self, history=False):
        lines = (self.scrollback if history else []) + self.lines
        return "\n".join("".join(line).rstrip() for line in lines)


class Pty:
    """A command in a terminal of this size, as its controlling one."""

    def __init__(self, argv, cwd, env, rows=24, columns=80):
        self.argv = argv
        self.screen = Screen(rows, columns)
        self.raw = b""
        self._rest = b""
        self.master, slave = pty.openpty()
        self._size(rows, columns)
        self.process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)

    def _size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        """Reads what is there first: it was written for the old size. The kernel sends SIGWINCH."""
        self.pump(0)
        self.screen.resize(rows, columns)
        self._size(rows, columns)

    def pump(self, seconds):
        """Reads for at most so long; false at the end of the output."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            got = os.read(self.master, 65536)
        except OSError:  # EIO: nobody has the other side open
            got = b""
        if not got:
            return False
        self.raw += got
        data = self._rest + got
        text = data.decode("utf-8", errors="ignore") if self._complete(data) else None
        if text is None:
            cut = max(i for i in range(max(len(data) - 4, 0), len(data)) if data[i] >= 0xc0)
            text, self._rest = data[:cut].decode("utf-8", errors="replace"), data[cut:]
        else:
            self._rest = b""
        self.screen.feed(text)
        return True

    @staticmethod
    def _complete(data):
        """Whether the last character is there in full."""
        for back in range(1, min(4, len(data)) + 1):
            byte = data[-back]
            if byte >= 0xc0:
                return back >= (2 if byte < 0xe0 else 3 if byte < 0xf0 else 4)
            if byte < 0x80:
                return True
        return True

    def until(self, what, condition, deadline=DEADLINE):
        end = time.monotonic() + deadline
        while True:
            got = condition(self)
            if got:
                return got
            if not self.pump(0.05) and not condition(self):
                raise Failed(f"{self.argv[1:]} ended before {what}; screen:\n{self.screen.text(True)}")
            if time.monotonic() > end:
                raise Failed(f"waited {deadline} s for {what}; screen:\n{self.screen.text(True)}")

    def expect(self, part, deadline=DEADLINE):
        self.until(f"{part!r} is on the screen", lambda p: part in p.screen.text(True), deadline)

    def frames(self, count, deadline=DEADLINE):
        """Waits until so many more pieces of output have come."""
        before = len(self.raw)
        seen = 0
        end = time.monotonic() + deadline
        while seen < count:
            check(self.pump(0.05), "ended while it should be drawing:\n" + self.screen.text(True))
            check(time.monotonic() < end, "draws nothing more")
            if len(self.raw) > before:
                before = len(self.raw)
                seen += 1

    def press(self, keys):
        os.write(self.master, keys)

    def wait(self, deadline=DEADLINE):
        """Reads to the end; the exit code as a shell gives it."""
        end = time.monotonic() + deadline
        while self.pump(0.05) or self.process.poll() is None:
            if self.process.poll() is not None and not select.select([self.master], [], [], 0)[0]:
                break
            if time.monotonic() > end:
                raise Failed(f"{self.argv[1:]} goes on after {deadline} s; screen:\n{self.screen.text(True)}")
        code = self.process.wait(5)
        return code if code >= 0 else 128 - code

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        if self.master >= 0:
            os.close(self.master)
        self.master = -1


class Box:
    def __init__(self, orch, folder, examples):
        self.orch, self.folder, self.examples = orch, folder, examples
        self._opened = []

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)
        return name

    def read(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as file:
            return file.read()

    def exists(self, name):
        return os.path.exists(self.path(name))

    def example(self, name):
        """A copy of an example's folder; its file."""
        shutil.copytree(os.path.join(self.examples, name), self.path(name), ignore=shutil.ignore_patterns(".orch"))
        return f"{name}/{name}.yaml"

    def run(self, *args, stdin=b"", deadline=DEADLINE, env=None):
        try:
            done = subprocess.run([self.orch, *args], cwd=self.folder, env=environment(**(env or {})), input=stdin, capture_output=True, timeout=deadline,
                                  start_new_session=True)
        except subprocess.TimeoutExpired as late:
            raise Failed(f"orch {args} goes on after {deadline} s; wrote {late.stderr!r}") from None
        return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def start(self, *args, env=None):
        job = Background([self.orch, *args], self.folder, environment(**(env or {})))
        self._opened.append(job)
        return job

    def terminal(self, *args, rows=24, columns=80, env=None):
        terminal = Pty([self.orch, *args], self.folder, environment(**(env or {})), rows, columns)
        self._opened.append(terminal)
        return terminal

    def pid(self, name):
        """The process id that a task wrote to a file."""
        return int(wait_until(f"a process id in {name}", lambda: self.exists(name) and self.read(name).endswith("\n") and self.read(name)))

    def gone(self, pid, deadline=10):
        wait_until(f"process {pid} to end", lambda: not alive(pid), deadline)

    def close(self):
        for opened in self._opened:
            opened.close()


def main(module):
    parser = argparse.ArgumentParser()
    parser.add_argument("--orch", required=True)
    parser.add_argument("--examples", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples"))
    parser.add_argument("only", nargs="*", help="these tests alone")
    options = parser.parse_args()
    failed = []
    for name, function in list(module.items()):
        name = name.removeprefix("test_") if name.startswith("test_") else None
        if not name or (options.only and name not in options.only):
            continue
        folder = tempfile.mkdtemp(prefix="orch-cli-")
        box = Box(os.path.abspath(options.orch), folder, options.examples)
        began = time.monotonic()
        try:
            function(box)
            print(f"ok {name}  {time.monotonic() - began:.1f}s", flush=True)
        except Exception as error:  # one test's fault must not hide what the others find
            failed.append(name)
            where = traceback.extract_tb(error.__traceback__)
            line = next((frame.lineno for frame in reversed(where) if frame.name.startswith("test_")), "?")
            print(f"FAILED {name} (line {line}): {error if isinstance(error, Failed) else repr(error)}", flush=True)
        finally:
            box.close()
            shutil.rmtree(folder, ignore_errors=True)
    if failed:
        sys.exit("failed: " + ", ".join(failed))
