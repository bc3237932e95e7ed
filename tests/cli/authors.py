#!/usr/bin/env python3
"""Verbs for who writes workflows: explain, init, completion, run --dry; output for GitHub.

usage: authors.py --orch PATH
"""
import os
import shutil
import subprocess
import time

from harness import check, contains, environment, equal, main

ALL = """
name: all
parameters: {day: {type: string, default: monday}}
secrets: [token]
pools: {gpu: 2}
tasks:
  a: {shell: 'echo one', env: {DAY: '{{day}}', TOKEN: '{{secrets.token}}'}, description: the first}
  b: {depends_on: a, exec: [echo, '{{ a.output }}', '{{ day }}'], retry: {max_attempts: 3, delay: 1s}, timeout: 5m, when: "day != 'sunday'", pool: gpu}
  c: {depends_on: [a, b], join: any_succeeded, for_each: [1, 2], shell: 'true', on_error: {shell: 'true'}}
  g:
    tasks: {x: {shell: 'true'}}
"""


def test_explain(box):
    box.write("all.yaml", ALL)
    told = box.run("explain", "all.yaml", "b")
    equal(told.code, 0, told)
    contains(told.out, "b  (all.yaml:", "runs a program, without a shell", "{{ a.output }}", "waits for     a\n", "day != 'sunday'", "up to 3 tries", "after 5m",
             "1 of pool gpu", "needed by     c\n", "is skipped if one of them fails")
    told = box.run("explain", "all.yaml", "c")
    contains(told.out, "until one has succeeded", "once for each item of [1,2]", "if it fails   runs ", "none of them succeeds", "needed by     nothing")
    contains(box.run("explain", "all.yaml", "g/x").out, "is inside of  g")
    contains(box.run("explain", "all.yaml", "a").out, "the first", "nothing: it may start at once", "needed by     b, c")
    wrong = box.run("explain", "all.yaml", "bb")
    equal(wrong.code, 4, wrong)
    contains(wrong.err, 'did you mean "b"')
    equal(box.run("explain", "none.yaml", "b").code, 4)
    box.write("bad.yaml", "tasks: {a: {depends_on: z, shell: 'true'}}\n")
    equal(box.run("explain", "bad.yaml", "a").code, 3)


def test_dry(box):
    box.write("all.yaml", ALL)
    done = box.run("run", "all.yaml", "--dry", "-p", "day=friday", env={"ORCH_SECRET_token": "hush-hush"})
    equal(done.code, 0, done)
    contains(done.out, "nothing is run", "   1. a  shell", "DAY=friday", "TOKEN=***", "b  exec  after a", "{{ a.output }}", "critical path: a -> b -> c", "g/x")
    check("hush" not in done.out + done.err)
    check(not box.exists(".orch"), "a store was made")
    equal(box.run("run", "all.yaml", "--dry", "-p", "nobody=1").code, 3)
    equal(box.run("run", "all.yaml", "--dry", "--continue").code, 2)


def test_init(box):
    listed = box.run("init")
    equal(listed.code, 0)
    names = [line.split()[0] for line in listed.out.splitlines() if line.startswith("  ")]
    check({"hello", "etl", "saga", "approval", "ci"} <= set(names), names)
    for name in names:
        made = box.run("init", name)
        equal(made.code, 0, made)
        contains(made.out, f"next: orch run {name}/{name}.yaml")
        equal(box.run("validate", f"{name}/{name}.yaml").code, 0, name)
        for file in os.listdir(box.path(name)):
            with open(box.path(name, file), "rb") as ours, open(os.path.join(box.examples, name, file), "rb") as theirs:
                equal(ours.read(), theirs.read(), name)
    for name in ("hello", "etl", "ci"):
        equal(box.run("run", f"{name}/{name}.yaml", "--progress", "quiet").code, 0, name)
    # Nothing is overwritten, and nothing written beside what is there.
    os.remove(box.path("sub-workflow", "square.yaml"))
    again = box.run("init", "sub-workflow")
    equal(again.code, 6, again)
    contains(again.err, "sub-workflow/sub-workflow.yaml is there already")
    check(not box.exists("sub-workflow/square.yaml"))
    os.makedirs(box.path("empty"))
    equal(box.run("init", "hello", "empty").out.splitlines()[-1], "next: orch run empty/hello.yaml")
    near = box.run("init", "helo")
    equal(near.code, 4)
    contains(near.err, 'did you mean "hello"')


def complete(box, *words):
    began = time.monotonic()
    done = box.run("__complete", *words)
    check(time.monotonic() - began < 2, "took long")
    equal((done.code, done.err), (0, ""))
    return done.out.split()


def test_completion(box):
    box.write("all.yaml", ALL)
    check({"run", "runs", "rerun", "resume", "retry", "replay"} <= set(complete(box, "r")) | set(complete(box, "re")), complete(box, "r"))
    equal(complete(box, "expl"), ["explain"])
    contains(" ".join(complete(box, "run", "--")), "--param", "--dry", "--store")
    equal(complete(box, "run", "--progress", "p"), ["plain"])
    equal(sorted(complete(box, "explain", "all.yaml", "")), ["a", "b", "c", "c/on_error/on_error", "g", "g/x"])
    equal(complete(box, "show", ""), ["last"])
    box.write("two.yaml", "tasks: {one: {shell: 'true'}, two: {shell: 'true'}}\n")
    equal(box.run("run", "two.yaml", "--progress", "quiet").code, 0)
    run = box.run("runs", "-o", "name").out.strip()
    equal(complete(box, "show", "r-"), [run])
    equal(complete(box, "show", run, "t"), ["two"])
    equal(complete(box, "logs", "--tail", "3", run, ""), ["one", "two"])
    equal(complete(box, "show", "--store", "nowhere", "r-"), [])
    equal(complete(box, "nosuch", ""), [])
    equal(complete(box), complete(box, ""))
    equal(box.run("completion", "tcsh").code, 2)


def test_completion_in_bash(box):
    """In a real shell: what it puts into COMPREPLY."""
    box.write("two.yaml", "tasks: {one: {shell: 'true'}, two: {shell: 'true'}}\n")
    equal(box.run("run", "two.yaml", "--progress", "quiet").code, 0)
    run = box.run("runs", "-o", "name").out.strip()
    script = 'eval "$(orch completion bash)"; COMP_WORDS=(orch "$@"); COMP_CWORD=$#; _orch; printf "%s\\n" "${COMPREPLY[@]}"'
    env = environment(PATH=os.path.dirname(box.orch) + ":" + os.environ["PATH"])
    for words, wanted in ((["expl"], "explain"), (["show", run, "o"], "one"), (["run", "--dr"], "--dry")):
        done = subprocess.run(["bash", "--norc", "-c", script, "bash", *words], cwd=box.folder, env=env, capture_output=True, text=True, timeout=30)
        equal((done.returncode, done.stdout, done.stderr), (0, wanted + "\n", ""))


def test_completion_scripts_are_read(box):
    env = environment(PATH=os.path.dirname(box.orch) + ":" + os.environ["PATH"])
    for shell, flag in (("bash", "-n"), ("zsh", "-n"), ("fish", "-n")):
        if not shutil.which(shell):
            continue
        box.write("script", box.run("completion", shell).out)
        done = subprocess.run([shell, flag, box.path("script")], env=env, capture_output=True, text=True, timeout=30)
        equal((done.returncode, done.stderr), (0, ""), shell)


def test_github(box):
    box.write("gh.yaml", "name: 'a|b'\ntasks:\n  bad: {shell: 'echo \"::error::from a task\"; exit 3'}\n  good: {shell: 'true'}\n")
    done = box.run("run", "gh.yaml", env={"GITHUB_ACTIONS": "true", "CI": "true", "GITHUB_STEP_SUMMARY": box.path("summary.md")})
    equal(done.code, 1, done)
    commands = [line for line in done.err.splitlines() if line.startswith("::")]
    equal(commands, [f"::group::a|b {box.run('runs', '-o', 'name').out.strip()}", "::error file=gh.yaml,line=3::bad: exit code 3", "::endgroup::"])
    contains(box.read("summary.md"), "### a\\|b ", "failed in", "1 of 2 tasks succeeded", "| bad | failed | 1 | exit code 3 |")
    check("::" not in box.run("run", "gh.yaml", env={"CI": "true"}).err.replace("::error::from a task", ""))


def test_reference(box):
    """docs/cli.md has every verb, and every option of each."""
    with open(os.path.join(box.examples, "..", "docs", "cli.md"), encoding="utf-8") as file:
        sections = {part.split("\n", 1)[0]: part for part in file.read().split("### orch ")[1:]}
    for verb in complete(box, ""):
        check(verb in sections, f"docs/cli.md lacks {verb}: scripts/cli_reference.py build/orch > docs/cli.md")
    for verb in complete(box, ""):
        for option in complete(box, verb, "--"):
            check(option in sections[verb], f"docs/cli.md lacks {option} of {verb}: scripts/cli_reference.py build/orch > docs/cli.md")


if __name__ == "__main__":
    main(globals())
