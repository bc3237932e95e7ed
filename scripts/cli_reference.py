#!/usr/bin/env python3
"""Writes docs/cli.md, the reference of the command line, from what the program says of itself.

usage: scripts/cli_reference.py build/orch > docs/cli.md
"""
import re
import subprocess
import sys

HEAD = """# The command line

Every verb, made from `orch VERB --help` by `scripts/cli_reference.py`. Progress, errors and notes go to standard error, results to standard
output. A run is named by its id (`r-7Q2K`) or `last`; its store is `--store DIR`, `ORCH_STORE_DIR`, or the nearest folder `.orch` from here
upwards.

Exit codes: 0 success; 1 the run failed; 2 wrong usage; 3 the definition is invalid; 4 not found; 5 not allowed; 6 conflict (finished
already, exists already, owned by another process); 7 nobody is there to answer; 8 timed out; 9 the run was cancelled; 10 finished with
allowed failures (`--strict`); 11 refused for want of room; 12 storage damaged or too new; 13 internal error; 130 and 143 ended by SIGINT and
SIGTERM.

`run` in GitHub Actions (`GITHUB_ACTIONS=true`) wraps its lines in a group, says each failed task as an `::error` at its line of the file, and
appends a table of what failed to the job's summary.
"""


def said(orch, *args):
    return subprocess.run([orch, *args], capture_output=True, text=True, check=True, timeout=30).stdout


def main():
    orch = sys.argv[1]
    print(HEAD, end="")
    group = ""
    for line in said(orch, "help").splitlines():
        verb = re.match(r"^  ([a-z]+) {2,}(\S.*)", line)
        if re.fullmatch(r"[a-z][a-z ]+", line):
            group = line
            print(f"\n## {group.capitalize()}")
        elif group and verb:
            print(f"\n### orch {verb[1]}\n\n```\n{said(orch, verb[1], '--help').strip()}\n```")


main()
