/*
 * simulate_report.h - what a simulation found out, as text and JSON.
 */
#ifndef CLI_SIMULATE_REPORT_H
#define CLI_SIMULATE_REPORT_H

#include "cli/cli.h"
#include "cli/simulate_stats.h"

struct simulate_report {
    struct orch_str workflow;
    uint64_t first_seed;
    struct orch_str assumed;      /* how tasks go, in a line */
    struct simulate_stats *stats; /* sorted */
    bool all;                     /* every task, however many there are */
};

void simulate_report_text(const struct simulate_report *report, struct buf *out);
/* Without the closing brace, so that more can be added. */
void simulate_report_json(const struct simulate_report *report, struct buf *out);
/* How a single run ended, and what made it last as long as it did. */
void simulate_report_one(const struct simulation_result *result, const struct simulation *simulation, struct buf *out);

/* "1,204" */
void simulate_count_format(uint64_t count, struct buf *out);

#endif
