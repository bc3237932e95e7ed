#!/bin/sh
# Runs a command and shows what it said only when it fails. usage: quietly.sh COMMAND ARGUMENT...
log=$(mktemp) || exit 1
"$@" >"$log" 2>&1
status=$?
[ $status = 0 ] || cat "$log"
rm -f "$log"
exit $status
