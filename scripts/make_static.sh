#!/bin/sh
# One static library out of several archives, in which every name that is not of the API is local, so that none meets a name
# of the program that embeds it. usage: make_static.sh LD OBJCOPY AR OUTPUT ARCHIVE...
set -eu
ld=$1 objcopy=$2 ar=$3 output=$4
shift 4
object=${output%.a}.o
"$ld" -r -o "$object" --whole-archive "$@"
"$objcopy" --localize-hidden "$object"
rm -f "$output"
"$ar" rcs "$output" "$object"
rm -f "$object"
