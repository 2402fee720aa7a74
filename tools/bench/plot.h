/* The report as a picture: ns per access against the number of regions, or else the programs. */
#ifndef MEMFOLD_TOOLS_BENCH_PLOT_H
#define MEMFOLD_TOOLS_BENCH_PLOT_H

#include "bench/report.h"

#include <stdbool.h>

/* Asked before anything is measured: prints why not and returns false if there is `nothing` to draw, or no
 * gnuplot. */
bool bench_plot_check(bool nothing);

/* Draws it as SVG into the file `path`. Prints why not and returns false if gnuplot cannot draw it. */
bool bench_plot_write(const bench_report *report, const char *path);

#endif
