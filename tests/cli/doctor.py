#!/usr/bin/env python3
"""orch doctor: what it finds in a damaged store, what the other verbs do with one, and what can be saved.

usage: doctor.py --orch PATH
"""
import os
import random
import shutil
import signal
import stat
import subprocess

from harness import check, contains, equal, main, wait_until

WORKFLOW = """name: w
tasks:
  a: {shell: "echo hi"}
  big: {depends_on: [a], shell: "head -c 100000 /dev/zero | tr '\\\\0' x"}
  c: {depends_on: [big], shell: "exit 3"}
"""
PAGE = 4096


def make(box, runs=3):
    box.write("w.yaml", WORKFLOW)
    for _ in range(runs):
        equal(box.run("run", "w.yaml", "--progress", "quiet").code, 1)


def flip(path, bit):
    with open(path, "r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


def spoil(path, page):
    """Another page in its place, of noise."""
    with open(path, "r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(random.Random(page).randbytes(PAGE))


def store_bytes(path):
    """Everything but what SQLite makes anew to read (orch.db-shm, and an empty log)."""
    found = {}
    for folder, _, names in os.walk(path):
        for name in names:
            file = os.path.join(folder, name)
            with open(file, "rb") as content:
                data = content.read()
            if name != "orch.db-shm" and not (name == "orch.db-wal" and not data):
                found[os.path.relpath(file, path)] = data
    return found


def doctor(box, *args, code=0):
    done = box.run("doctor", *args, "-o", "json")
    equal(done.code, code, done)
    return done.json()


def pages_with(path, text):
    with open(path, "rb") as file:
        data = file.read()
    return [at // PAGE + 1 for at in range(0, len(data), PAGE) if text in data[at:at + PAGE]]


def test_well(box):
    make(box)
    before = store_bytes(box.path(".orch"))
    done = box.run("doctor")
    equal(done.code, 0, done)
    contains(done.out, "owned by nobody", "runs        3, of which 0 are not over", "1 definitions",
             "3 large outputs (0 unused)", "no damage", "time zones", "disk")
    answer = doctor(box)
    equal((answer["v"], answer["damaged"], answer["owned"], answer["findings"]), (1, False, False, []))
    equal((answer["counts"]["runs"], answer["counts"]["blobs"]), (3, 3))
    equal(answer["host"]["processes"], [])
    equal(store_bytes(box.path(".orch")), before, "it only reads")


def test_help(box):
    done = box.run("doctor", "--help")
    equal(done.code, 0, done)
    contains(done.out, "orch doctor --salvage", "--store DIR", "exit code 12")
    contains(box.run("help").out, "doctor")


def test_no_store(box):
    done = box.run("doctor")
    equal(done.code, 0, done)
    contains(done.out, "none yet")
    equal(doctor(box)["store"], None)
    done = box.run("doctor", "--store", "nowhere")
    equal(done.code, 4, done)
    contains(done.err, "there is no store at nowhere")
    equal(box.run("doctor", "--store", "nowhere", "--salvage", "out").code, 4)
    os.mkdir(box.path("empty"))
    equal(box.run("doctor", "--store", "empty").code, 4)


def test_every_page(box):
    """One bit of each page: named by doctor, put right by salvage."""
    make(box, 2)
    size = os.path.getsize(box.path(".orch/orch.db"))
    chance = random.Random(1)
    truth = box.run("show", "-o", "json", "--all").json()
    for page in range(1, size // PAGE + 1):
        shutil.copytree(box.path(".orch"), box.path("bad"))
        bit = ((page - 1) * PAGE + chance.randrange(PAGE)) * 8 + chance.randrange(8)
        flip(box.path("bad/orch.db"), bit)
        before = store_bytes(box.path("bad"))
        found = [f for f in doctor(box, "--store", "bad", code=12)["findings"] if f["subject"] == "page"]
        equal(len(found), 1, found)
        equal((found[0]["file"], found[0]["offset"], found[0]["bit"]), ("orch.db", (page - 1) * PAGE, bit))
        contains(found[0]["mend"], "--salvage")
        saved = box.run("doctor", "--store", "bad", "--salvage", "out", "-o", "json")
        equal(saved.code, 0, saved)
        equal((saved.json()["runs"], saved.json()["runs_cut"], saved.json()["runs_lost"]), (2, 0, 0))
        doctor(box, "--store", "out")
        equal(box.run("show", "--store", "out", "-o", "json", "--all").json(), truth, page)
        equal(store_bytes(box.path("bad")), before, "the old one stays as it is")
        shutil.rmtree(box.path("bad"))
        shutil.rmtree(box.path("out"))


def test_what_cannot_be_mended(box):
    """A page of noise for each: what is saved is well, and what is not is said."""
    make(box, 12)
    size = os.path.getsize(box.path(".orch/orch.db"))
    lost = 0
    for page in range(1, size // PAGE + 1):
        shutil.copytree(box.path(".orch"), box.path("bad"))
        spoil(box.path("bad/orch.db"), page)
        found = doctor(box, "--store", "bad", code=12)["findings"]
        check(any(f["subject"] == "page" and f["offset"] == (page - 1) * PAGE for f in found), found)
        saved = box.run("doctor", "--store", "bad", "--salvage", "out", "-o", "json")
        if page == 1:
            equal(saved.code, 12, saved)
            contains(saved.err, "nothing can be read", "restore a backup")
            check(not os.path.exists(box.path("out")), "nothing is made of nothing")
        else:
            answer = saved.json()
            equal(answer["runs"] + answer["runs_cut"] + answer["runs_lost"], 12, answer)
            less = answer["runs_cut"] or answer["runs_lost"] or answer["rows_made"]
            check(not less or any(f.get("run") for f in answer["findings"]), answer)
            equal(saved.code, 12 if any(f["subject"] in ("definition", "execution", "journal") for f in answer["findings"]) else 0,
                  saved)
            equal(doctor(box, "--store", "out")["counts"]["runs"], answer["runs"] + answer["runs_cut"])
            lost += answer["runs_lost"]
            shutil.rmtree(box.path("out"))
        shutil.rmtree(box.path("bad"))
    check(lost > 0, "nothing was lost of what was spoiled")


def test_blob(box):
    """An output whose file is damaged: no answer without it, and the copy ends in front of it."""
    make(box)
    run = box.run("runs", "-o", "name").out.split()[1]
    blob = next(os.path.join(folder, names[0]) for folder, _, names in os.walk(box.path(".orch/blobs/2")))
    flip(blob, 12345)
    for args in (("show", run, "-o", "json"), ("show", run, "big"), ("replay", run, "--at", "99", "-o", "json")):
        done = box.run(*args)
        if args[0] == "replay" and done.code == 4:
            continue  # it has fewer
        equal(done.code, 12, done)
        equal(done.out if "json" in args else "", "", args)
        contains(done.err, "error[CORRUPT]", "is damaged: its checksum is wrong")
    found = doctor(box, code=12)["findings"]
    equal(len(found), 1, found)
    equal((found[0]["subject"], found[0]["run"], found[0]["file"]), ("blob", run, os.path.relpath(blob, box.path(".orch"))))
    equal(found[0]["sequence"], found[0]["last_good_sequence"] + 1)
    saved = doctor(box, "--salvage", "out", code=12)
    equal((saved["runs"], saved["runs_cut"], saved["runs_lost"]), (2, 1, 0))
    equal(saved["findings"][0]["last_good_sequence"], found[0]["last_good_sequence"])
    doctor(box, "--store", "out")
    rows = {row["run"]: row for row in box.run("runs", "--store", "out", "-o", "json").json()["runs"]}
    contains(rows[run]["error"], "salvaged: nothing behind sequence number", "blob")
    equal(rows[run]["state"], "interrupted")
    # What came in part goes on: the task whose output was lost runs again.
    done = box.run("run", "--continue", run, "--store", "out", "--progress", "quiet", "-o", "json")
    equal((done.code, done.json()["state"]), (1, "failed"), done)
    doctor(box, "--store", "out")


def test_owner_refuses(box):
    """What is damaged is not gone on with: file, last good sequence number, and what to do."""
    box.write("w.yaml", "name: w\ntasks:\n  a: {transform: \"'x' * 1\"}\n".replace("'x' * 1", "'" + "x" * 3000 + "'") +
              "  b: {depends_on: [a], shell: \"touch $PWD/started; sleep 60\"}\n")
    job = box.start("run", "w.yaml", "--progress", "quiet")
    wait_until("the task", lambda: os.path.exists(box.path("started")))
    job.process.send_signal(signal.SIGKILL)
    job.wait()
    run = box.run("runs", "-o", "name").out.split()[0]
    # The journal's records are in the log. Brought in, so that the page can be damaged.
    shutil.copytree(box.path(".orch"), box.path("log"), ignore=shutil.ignore_patterns("sock"))
    equal(box.run("pause", run).code, 0)
    shutil.copytree(box.path(".orch"), box.path("pages"), ignore=shutil.ignore_patterns("sock"))
    good = doctor(box)["counts"]["transitions"]
    check(good > 3, good)

    os.remove(box.path("started"))
    page = [p for p in pages_with(box.path("pages/orch.db"), b"x" * 500)]
    check(page, "no page has the output")
    spoil(box.path("pages/orch.db"), page[-1])
    before = store_bytes(box.path("pages"))
    for args in (("run", "--continue", run), ("resume", run), ("cancel", run), ("show", run), ("show", run, "--history"), ("logs", run)):
        done = box.run(*args, "--store", "pages")
        equal(done.code, 12, done)
        contains(done.err, "error[CORRUPT]", "pages/orch.db", f"page {page[-1]} at byte {(page[-1] - 1) * PAGE} is damaged",
                 f"the journal of run {run} is damaged behind sequence number", "the last good one", "orch doctor --salvage DIR")
    done = box.run("ps", "--store", "pages")
    equal(done.code, 12, done)
    contains(done.out, run, "damaged")
    contains(done.err, "error[CORRUPT]")
    check(not os.path.exists(box.path("started")), "a task was started")
    after = store_bytes(box.path("pages"))
    for name in before:
        if name != "lock":
            equal(after.get(name) == before[name], True, name)
    found = [f for f in doctor(box, "--store", "pages", code=12)["findings"] if f["subject"] == "journal"]
    equal((found[0]["run"], found[0]["sequence"]), (run, found[0]["last_good_sequence"] + 1))

    # The log, a frame in its middle: the commits behind it were acknowledged.
    size = os.path.getsize(box.path("log/orch.db-wal"))
    check(size > 4 * PAGE, size)
    flip(box.path("log/orch.db-wal"), size // 2 * 8)
    before = store_bytes(box.path("log"))
    for args in (("run", "--continue", run), ("resume", run), ("ps",), ("show", run)):
        done = box.run(*args, "--store", "log")
        equal(done.code, 12, done)
        contains(done.err, "error[CORRUPT]", "orch.db-wal is damaged", "can be read up to frame", "orch doctor --salvage DIR")
    after = store_bytes(box.path("log"))
    for name in before:
        if name != "lock":
            equal(after.get(name) == before[name], True, name)
    found = [f for f in doctor(box, "--store", "log", code=12)["findings"] if f["subject"] == "log"]
    equal(found[0]["file"], "orch.db-wal", found)
    contains(found[0]["message"], "is lost")


def test_owned(box):
    """Beside an owner it looks, and saves nothing."""
    box.write("w.yaml", "name: w\ntasks:\n  a: {shell: \"touch $PWD/started; sleep 60\"}\n")
    job = box.start("run", "w.yaml", "--progress", "quiet")
    wait_until("the task", lambda: os.path.exists(box.path("started")))
    answer = doctor(box)
    equal((answer["owned"], answer["owner"], answer["counts"]["alive"]), (True, job.process.pid, 1))
    equal(answer["host"]["processes"], [])
    done = box.run("doctor", "--salvage", "out")
    equal(done.code, 6, done)
    contains(done.err, "owns the store", "end it first")
    job.process.send_signal(signal.SIGINT)
    job.wait()


def test_modes_and_lock(box):
    make(box, 1)
    os.chmod(box.path(".orch"), 0o755)
    os.chmod(box.path(".orch/orch.db"), 0o644)
    found = doctor(box)["findings"]
    equal([(f["subject"], f["damage"], f.get("file")) for f in found], [("directory", False, None), ("directory", False, "orch.db")])
    contains(found[0]["message"], "755")
    os.chmod(box.path(".orch"), 0o700)
    os.chmod(box.path(".orch/orch.db"), 0o600)
    flip(box.path(".orch/lock"), 20 * 8)
    found = [f for f in doctor(box, code=12)["findings"] if f["damage"]]
    equal([f["subject"] for f in found], ["lock"])
    done = box.run("run", "w.yaml")
    equal(done.code, 12, done)
    contains(done.err, "is not the database of this store")


def test_left_processes(box):
    """What a killed orch has left, if something has: here one that was made to look like it."""
    make(box, 1)
    mark = box.read(".orch/lock").split()[1]
    left = subprocess.Popen(["sleep", "60"], env={"PATH": os.environ["PATH"], "ORCH_STORE": mark}, cwd=box.path("."))
    try:
        answer = doctor(box)
        equal(answer["host"]["processes"], [left.pid])
        check(any("are left" in f["message"] for f in answer["findings"]), answer)
    finally:
        left.kill()
        left.wait()


def test_cut_and_missing(box):
    make(box, 1)
    shutil.copytree(box.path(".orch"), box.path("cut"))
    os.truncate(box.path("cut/orch.db"), 5 * PAGE + 100)
    doctor(box, "--store", "cut", code=12)
    shutil.copytree(box.path(".orch"), box.path("gone"))
    os.remove(box.path("gone/orch.db"))
    found = doctor(box, "--store", "gone", code=12)["findings"]
    contains(found[0]["message"], "missing")
    shutil.copytree(box.path(".orch"), box.path("text"))
    with open(box.path("text/orch.db"), "w", encoding="ascii") as file:
        file.write("hello\n")
    doctor(box, "--store", "text", code=12)
    equal(box.run("doctor", "--store", "text", "--salvage", "out").code, 12)


def test_salvage_places(box):
    make(box, 1)
    os.mkdir(box.path("out"))
    equal(box.run("doctor", "--salvage", "out").code, 0)  # an empty directory will do
    equal(stat.S_IMODE(os.stat(box.path("out")).st_mode), 0o700)
    done = box.run("doctor", "--salvage", "out")
    equal(done.code, 6, done)
    contains(done.err, "is there already")
    equal(box.run("doctor", "--store", "out", "--salvage", "out").code, 6)
    # A run goes on from a copy as from the store itself, with its logs.
    equal(box.run("logs", "--store", "out").out, box.run("logs").out)
    done = box.run("retry", "last", "--store", "out", "--progress", "quiet")
    equal(done.code, 1, done)


if __name__ == "__main__":
    main(globals())
