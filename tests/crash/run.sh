#!/bin/sh
# Kills, and faults at calls of input and output; each line ends with its figures and its seed. usage: run.sh BUILD ROUNDS EVERY
set -eu
cd "$(dirname "$0")"
build=$(cd ../.. && cd "$1" && pwd)
rounds=$2 every=$3
status=0
kill_rounds="python3 kill_rounds.py --orch $build/orch --effect $build/tests/crash/effect"

python3 test_checker.py || status=1
echo "== killed at random moments"
$kill_rounds --rounds "$rounds" || status=1
echo "== killed after each event"
$kill_rounds --exhaustive || status=1
if [ -e "$build/tests/crash/shim.so" ]; then
    echo "== a fault at each call of input and output (every $every)"
    python3 call_points.py --orch "$build/orch" --effect "$build/tests/crash/effect" --shim "$build/tests/crash/shim.so" --every "$every" || status=1
    echo "== a store of schema 1 is brought up to date (every $every)"
    python3 migration.py --orch "$build/orch" --shim "$build/tests/crash/shim.so" --every "$every" || status=1
fi
echo "== power cut"
python3 power_cut.py --orch "$build/orch" --effect "$build/tests/crash/effect" --cycles "$(((rounds + 9) / 10))" || [ $? = 77 ] || status=1
exit $status
