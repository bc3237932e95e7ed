#!/usr/bin/env python3
"""Adds up a test run: reads Meson's testlog.json and prints "N passed, N failed" (and skipped, when some were).

A program of several cases that says so (cmocka's "[  PASSED  ] 12 test(s).") counts each; any other counts as one.
"""
import json
import re
import sys


def count(entry):
    """(passed, failed, skipped) of one program."""
    result = entry["result"]
    output = entry.get("stdout", "") + entry.get("stderr", "")
    passed = sum(map(int, re.findall(r"\[  PASSED  \] (\d+) test\(s\)", output)))
    failed = sum(map(int, re.findall(r"\[  FAILED  \] (\d+) test\(s\)", output)))
    if result == "SKIP":
        return 0, 0, 1
    if result in ("OK", "EXPECTEDFAIL"):
        return max(passed, 1), 0, 0
    return passed, max(failed, 1), 0


def main():
    totals = [0, 0, 0]
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            for i, n in enumerate(count(json.loads(line))):
                totals[i] += n
    passed, failed, skipped = totals
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
