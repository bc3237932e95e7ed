#!/bin/sh
# Builds a hardened release and runs all tests; the last line is "N passed, N failed". With --build it is only built.
# usage: check.sh [--build] BUILD [MESON TEST ARGUMENT...]
set -eu
cd "$(dirname "$0")/.."
only_build=
[ "$1" != --build ] || { only_build=yes; shift; }
build=$1
shift
mkdir -p "$build"
summary=$build/summary

quietly()
{
    scripts/quietly.sh "$@" && return
    echo "0 passed, 1 failed" | tee "$summary"
    exit 1
}

[ -f "$build/build.ninja" ] || quietly meson setup "$build" -Dbuildtype=release -Doptimization=2
quietly meson configure "$build" -Dtests=true
echo "building in $build"
quietly ninja -C "$build"
[ -z "$only_build" ] || exit 0
status=0
meson test -C "$build" --no-rebuild --print-errorlogs "$@" || status=$?
python3 scripts/count_tests.py "$build/meson-logs/testlog.json" >"$summary" || status=1
cat "$summary"
exit $status
