#!/bin/sh
# One section: how many packages and files, how large, and which package is the largest.
set -eu
mine=$ORCH_SCRATCH/packages.tsv
awk -F'\t' -v section="$SECTION" '$1 == section' "$OUT/packages.tsv" > "$mine"
total=$(wc -l < "$mine")
files=0
done=0
while read -r package; do
    n=$(dpkg-query -L "$package" | grep -c '^/' || true)
    files=$((files + n))
    done=$((done + 1))
    echo "::orch progress $done/$total $package"
done <<END
$(cut -f3 "$mine")
END
awk -F'\t' -v section="$SECTION" -v files="$files" '
    { kib += $2; if ($2 >= most) { most = $2; largest = $3 } }
    END { printf "{\"section\": \"%s\", \"packages\": %d, \"files\": %d, \"kib\": %d, \"largest\": \"%s\"}\n", section, NR, files, kib, largest }' "$mine"
