#!/usr/bin/env python3
"""That scripts/setup.sh installs what is missing and nothing else, says so in one line, and says what went wrong.

usage: check_setup.py SETUP_SCRIPT

Runs it with stand-ins for dpkg-query, apt-get, id and sudo, which write down how they were called.
"""
import os
import subprocess
import sys
import tempfile

STAND_INS = {
    "dpkg-query": 'for last; do :; done; case " $MISSING " in *" $last "*) exit 1 ;; *) echo installed ;; esac',
    "apt-get": 'echo "apt-get $*" >>"$CALLS"; case $* in update*) exit 0 ;; esac; [ -n "$APT_FAILS" ] || exit 0\n'
               'n=$(grep -c " install " "$CALLS"); [ "$n" -gt "$APT_FAILS" ] || { echo "E: Unable to locate package"; exit 100; }',
    "id": 'echo "$USER_ID"',
    "sudo": 'echo "sudo $1" >>"$CALLS"; [ "$1" = -n ] && shift; exec "$@"',
}


def run(script, what, missing="", user=0, apt_fails="", without=()):
    """(exit code, output, calls)"""
    with tempfile.TemporaryDirectory() as folder:
        for name, body in STAND_INS.items():
            if name not in without:
                path = os.path.join(folder, name)
                open(path, "w", encoding="utf-8").write("#!/bin/sh\n" + body + "\n")
                os.chmod(path, 0o755)
        for tool in ("sh", "env", "grep", "mktemp", "rm", "tail"):
            real = subprocess.run(["sh", "-c", "command -v " + tool], capture_output=True, text=True, check=True).stdout.strip()
            os.symlink(real, os.path.join(folder, tool))
        calls = os.path.join(folder, "calls")
        open(calls, "w", encoding="utf-8").close()
        env = {"PATH": folder, "CALLS": calls, "MISSING": missing, "USER_ID": str(user), "APT_FAILS": apt_fails, "TMPDIR": folder}
        result = subprocess.run(["/bin/sh", script, *what], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return result.returncode, result.stdout + result.stderr, open(calls, encoding="utf-8").read().splitlines()


def expect(holds, what):
    if not holds:
        sys.exit(f"does not hold: {what}")


def main():
    script = sys.argv[1]

    code, output, calls = run(script, ["build", "test"])
    expect((code, output, calls) == (0, "", []), f"all there: nothing is done or said: {code} {output!r} {calls}")

    code, output, calls = run(script, ["build"], missing="libyaml-dev ninja-build clang")
    expect(code == 0 and output == "setup: installing with apt-get: ninja-build libyaml-dev\n", f"one line: {output!r}")
    expect(calls == ["apt-get install -y -qq --no-install-recommends ninja-build libyaml-dev"], f"only what is missing: {calls}")

    code, output, calls = run(script, ["build"], missing="libyaml-dev", user=1000)
    expect(code == 0 and calls[0] == "sudo -n", f"through sudo, which must not ask when nobody is there: {calls}")

    code, output, calls = run(script, ["build"], missing="libyaml-dev", user=1000, without=["sudo"])
    expect(code == 1 and "apt-get install libyaml-dev" in output and not calls, f"without sudo it says what to do: {output!r}")

    code, output, calls = run(script, ["build"], missing="libyaml-dev", apt_fails="1")
    expect(code == 0 and [c.split()[1] for c in calls] == ["install", "update", "install"], f"lists are fetched when need be: {calls}")

    code, output, calls = run(script, ["build"], missing="libyaml-dev", apt_fails="9")
    expect(code == 1 and "Unable to locate package" in output, f"a failure is told: {output!r}")

    code, output, calls = run(script, ["nonsense"])
    expect(code == 2 and output.startswith("usage:"), f"wrong usage: {output!r}")

    code, output, calls = run(script, ["build"], without=["dpkg-query"])
    expect(code == 1 and "libyaml-dev" in output, f"elsewhere it says what is needed: {output!r}")
    print("setup.sh does as it should")


if __name__ == "__main__":
    main()
