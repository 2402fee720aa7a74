/* The report for programs. */
#ifndef MEMFOLD_TOOLS_BENCH_JSON_H
#define MEMFOLD_TOOLS_BENCH_JSON_H

#include "bench/report.h"

#include <stdio.h>

/* Prints cells, programs, lives and costs as one JSON object. */
void bench_json_print(const bench_report *report, FILE *to);

#endif
