#!/bin/sh
# The installed packages as lines of section, size in KiB and name; prints the sections as JSON.
set -eu
mkdir -p "$OUT"
dpkg-query -W -f='${db:Status-Status}\t${Section}\t${Installed-Size}\t${binary:Package}\n' |
    awk -F'\t' -v OFS='\t' '$1 == "installed" { sub(/.*\//, "", $2); print ($2 == "" ? "unknown" : $2), $3 + 0, $4 }' |
    sort > "$OUT/packages.tsv"
test -s "$OUT/packages.tsv" || { echo "no packages are installed" >&2; exit 1; }
awk -F'\t' '
    !seen[$1]++ { list = list (list == "" ? "" : ", ") "\"" $1 "\"" }
    END { printf "{\"packages\": %d, \"sections\": [%s]}\n", NR, list }' "$OUT/packages.tsv"
