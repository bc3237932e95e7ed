#!/bin/sh
# Runs the benches one after another, from the project's root: bench/run.sh [BUILD [DIRECTORY]]
# BUILD is a release build with its benches (meson setup build-release --buildtype=release -Dtests=false, ninja -C
# build-release orch benches); DIRECTORY is on the disk to be measured. What docs/performance.md has comes from here.
set -eu
build=${1:-build}
BENCH_DIR=${2:-${TMPDIR:-/tmp}}
export BENCH_DIR
python3 bench/true_tasks.py --orch "$build/orch" --spawn-loop "$build/bench/spawn_loop"
python3 bench/restart.py --orch "$build/orch"
tbb=
[ ! -x "$build/bench/graph_tbb" ] || tbb="--tbb $build/bench/graph_tbb"
python3 bench/graph.py --graph "$build/bench/graph" $tbb
"$build/bench/noop" "$BENCH_DIR"
"$build/bench/store_bench" "$BENCH_DIR"
python3 bench/start.py --orch "$build/orch" --spawn-loop "$build/bench/spawn_loop"
"$build/bench/plan"
"$build/bench/history" "$BENCH_DIR"
