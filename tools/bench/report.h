/* All that was measured, and its tables for a person. */
#ifndef MEMFOLD_TOOLS_BENCH_REPORT_H
#define MEMFOLD_TOOLS_BENCH_REPORT_H

#include "bench/costs.h"
#include "bench/engines.h"
#include "bench/layouts.h"
#include "bench/measure.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct bench_report {
    const bench_engines *engines; /* borrowed */
    bench_cell *cells;
    size_t cell_count;
    bench_costs costs;
    unsigned rounds;
    bool quick;
    bool huge_pages;
    bool counts_instructions;
} bench_report;

void bench_report_fini(bench_report *report);

void bench_report_print(const bench_report *report, FILE *to);

#endif
