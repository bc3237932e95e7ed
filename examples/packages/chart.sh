#!/bin/sh
# A bar for each section as SVG; reads lines of section, packages, files, KiB and largest package.
set -eu
sort -t"$(printf '\t')" -k4,4nr > "$ORCH_SCRATCH/rows.tsv"
awk -F'\t' '
    function escape(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); return s }
    { name[NR] = $1; packages[NR] = $2; kib[NR] = $4; if ($4 > most) most = $4 }
    END {
        if (most == 0) most = 1
        height = NR * 22 + 50
        printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 %d\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n", height
        print "<text x=\"10\" y=\"24\" font-size=\"16\" font-weight=\"600\" fill=\"currentColor\">Installed size by section</text>"
        for (i = 1; i <= NR; i++) {
            y = 40 + (i - 1) * 22
            width = kib[i] / most * 420
            printf "<text x=\"150\" y=\"%d\" text-anchor=\"end\" fill=\"currentColor\">%s</text>\n", y + 13, escape(name[i])
            printf "<rect x=\"160\" y=\"%d\" width=\"%.1f\" height=\"16\" rx=\"3\" fill=\"#3b82c4\"/>\n", y, width < 1 ? 1 : width
            printf "<text x=\"%.1f\" y=\"%d\" fill=\"currentColor\">%.1f MiB, %d packages</text>\n", 168 + width, y + 13, kib[i] / 1024, packages[i]
        }
        print "</svg>"
    }' "$ORCH_SCRATCH/rows.tsv" > "$OUT/chart.svg"
printf '{"file": "%s/chart.svg"}\n' "$OUT"
