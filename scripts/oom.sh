#!/bin/sh
# Fails each allocation, one after the other, over every scenario in tests/oom. Takes some minutes. usage: oom.sh BUILD [PROGRAM...]
set -eu
build=$1
shift
[ $# -gt 0 ] || set -- lang core store engine
status=0
for program in "$@"; do
    "$build/tests/oom/oom-$program" || status=1
done
exit $status
