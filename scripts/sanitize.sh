#!/bin/sh
# Runs the tests in a build with the address and undefined behaviour sanitizers, and in one with the thread sanitizer. usage: sanitize.sh [address|thread]
set -eu
cd "$(dirname "$0")/.."

run()
{
    build=$1 sanitizers=$2
    [ -f "$build/build.ninja" ] || CC=clang scripts/quietly.sh meson setup "$build" -Db_sanitize="$sanitizers" -Db_lundef=false
    echo "== $sanitizers"
    scripts/check.sh "$build" --timeout-multiplier 5
}

export ASAN_OPTIONS="detect_stack_use_after_return=1:strict_string_checks=1:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"
export TSAN_OPTIONS="second_deadlock_stack=1:suppressions=$PWD/scripts/tsan.supp:${TSAN_OPTIONS:-}"
status=0
case ${1:-all} in
address) run build-asan address,undefined || status=1 ;;
thread) run build-tsan thread || status=1 ;;
all)
    run build-asan address,undefined || status=1
    run build-tsan thread || status=1
    ;;
*) echo "usage: sanitize.sh [address|thread]" >&2; exit 2 ;;
esac
exit $status
