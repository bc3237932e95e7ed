#!/bin/sh
# Runs the benches one after another, from the project's root: bench/run.sh [BUILD]
set -eu
build=${1:-build}
python3 bench/true_tasks.py --orch "$build/orch" --spawn-loop "$build/bench/spawn_loop"
python3 bench/restart.py --orch "$build/orch"
tbb=
[ ! -x "$build/bench/graph_tbb" ] || tbb="--tbb $build/bench/graph_tbb"
python3 bench/graph.py --graph "$build/bench/graph" $tbb
