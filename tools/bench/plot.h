/* The report as a picture. */
#ifndef MEMFOLD_TOOLS_BENCH_PLOT_H
#define MEMFOLD_TOOLS_BENCH_PLOT_H

#include "bench/report.h"

#include <stdbool.h>

/* Prints why not and returns false if gnuplot cannot draw it. */
bool bench_plot_write(const bench_report *report, const char *path);

#endif
