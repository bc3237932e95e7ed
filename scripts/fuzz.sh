#!/bin/sh
# Runs fuzz targets for so many seconds each, from the seeds in tests/fuzz/corpus; what it finds new stays in build-fuzz/corpus.
# usage: fuzz.sh [SECONDS [TARGET...]]       fuzz.sh --build [TARGET...]  builds them only
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
build=build-fuzz

[ -f $build/build.ninja ] || CC=clang scripts/quietly.sh meson setup $build -Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true \
    -Dc_args=-fsanitize=fuzzer-no-link -Dbuildtype=debugoptimized
[ $# -gt 0 ] || set -- $(cd tests/fuzz/corpus && echo *)
scripts/quietly.sh ninja -C $build $(printf 'tests/fuzz/fuzz-%s ' "$@")
[ "$seconds" != --build ] || exit 0
status=0
for target in "$@"; do
    more=
    dict=$target
    case $target in
    document) more="tests/golden examples" dict=yaml ;;
    workflow) more="tests/golden examples" ;;
    layout) dict=workflow ;;
    esac
    [ ! -f "tests/fuzz/$dict.dict" ] || more="$more -dict=tests/fuzz/$dict.dict"
    mkdir -p "$build/corpus/$target" "$build/found"
    if "$build/tests/fuzz/fuzz-$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$build/found/$target-" "$build/corpus/$target" "tests/fuzz/corpus/$target" $more >"$build/found/$target.log" 2>&1; then
        echo "$target: nothing found, $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/found/$target.log") inputs in $seconds s"
    else
        status=1
        tail -40 "$build/found/$target.log"
        echo "$target: FAILED; the input is in $build/found/"
    fi
done
exit $status
