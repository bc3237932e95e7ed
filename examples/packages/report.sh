#!/bin/sh
# The report as one HTML file with the chart in it; reads the same lines as the chart.
set -eu
{
    echo '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    echo '<title>Installed packages</title>'
    echo '<style>:root{color-scheme:light dark}body{font-family:system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}'
    echo 'table{border-collapse:collapse;width:100%}td,th{padding:.25rem .75rem;border-bottom:1px solid #8884;text-align:right}'
    echo 'td:first-child,th:first-child,td:last-child,th:last-child{text-align:left}</style>'
    printf '<h1>Installed packages</h1><p>%s packages with %s files, %s MiB, on %s</p>\n' "$PACKAGES" "$FILES" "$((KIB / 1024))" "$(uname -n)"
    cat "$CHART"
    echo '<table><tr><th>Section<th>Packages<th>Files<th>MiB<th>Largest</tr>'
    sort -t"$(printf '\t')" -k4,4nr |
        awk -F'\t' '{ printf "<tr><td>%s<td>%d<td>%d<td>%.1f<td>%s</tr>\n", $1, $2, $3, $4 / 1024, $5 }'
    echo '</table></html>'
} > "$OUT/report.html.new"
mv "$OUT/report.html.new" "$OUT/report.html"
printf '{"file": "%s/report.html"}\n' "$(cd "$OUT" && pwd)"
