/* What the report comes to, in a few lines before its tables. */
#ifndef MEMFOLD_TOOLS_BENCH_HEADLINE_H
#define MEMFOLD_TOOLS_BENCH_HEADLINE_H

#include "bench/report.h"

/* Prints a line for each section that was measured, and nothing if there is none that has one. */
void bench_headline_print(const bench_report *report, FILE *to);

#endif
