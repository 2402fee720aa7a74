/* All that was measured, and its tables for a person. */
#ifndef MEMFOLD_TOOLS_BENCH_REPORT_H
#define MEMFOLD_TOOLS_BENCH_REPORT_H

#include "bench/costs.h"
#include "bench/engines.h"
#include "bench/layouts.h"
#include "bench/lives.h"
#include "bench/measure.h"
#include "bench/programs.h"

#include <stdbool.h>
#include <stdio.h>

/* The cells in the order in which they were measured. */
typedef struct bench_report {
    const bench_engines *engines; /* borrowed */
    bench_cell *cells;
    size_t cell_count;
    bench_programs programs;
    bench_lives lives;
    bench_costs costs;
    unsigned rounds;
    bool quick;
    bool huge_pages;          /* as in the last scene */
    bool counts_instructions; /* the kernel does */
} bench_report;

void bench_report_fini(bench_report *report);

/*
 * Prints what it comes to, then a table for each pattern and working set, then the programs, the lives and
 * the costs.
 */
void bench_report_print(const bench_report *report, FILE *to);

#endif
