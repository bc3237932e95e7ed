#!/bin/sh
# Fails each allocation, one after the other, over every scenario in tests/oom. Takes some minutes. usage: oom.sh BUILD [PROGRAM...]
set -eu
build=$1
shift
[ $# -gt 0 ] || set -- lang core store engine verbs
status=0
for program in "$@"; do
    case $program in
    verbs) python3 tests/oom/verbs.py "$build/tests/oom/oom-orch" tests || status=1 ;;
    *) "$build/tests/oom/oom-$program" || status=1 ;;
    esac
done
exit $status
