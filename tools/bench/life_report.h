/* Lives in the report: a table for a person, JSON, and a picture. */
#ifndef MEMFOLD_TOOLS_BENCH_LIFE_REPORT_H
#define MEMFOLD_TOOLS_BENCH_LIFE_REPORT_H

#include "bench/lives.h"

#include <stdio.h>

/* Prints rows against sizes: microseconds, and over what of the host's own. */
void life_report_print(const bench_lives *lives, FILE *to);

/* Prints all rows of all sizes as a JSON array. */
void life_report_print_json(const bench_lives *lives, FILE *to);

/* Prints gnuplot's script of the picture: microseconds against the size of the memory, a line for each row.
 */
void life_report_print_plot(const bench_lives *lives, FILE *to);

#endif
