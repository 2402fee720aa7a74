/* Whole programs through each engine: compared with the reference, then timed in turn. */
#ifndef MEMFOLD_TOOLS_BENCH_PROGRAMS_H
#define MEMFOLD_TOOLS_BENCH_PROGRAMS_H

#include "bench/measure.h"
#include "bench/program_code.h"

#include <stdbool.h>

/* Of the engines in their order; the first is the baseline. */
typedef struct bench_programs {
    program_engines engines;
    bool huge_pages;                                             /* the copy memories are on huge pages */
    bool there;                                                  /* they were measured */
    bench_measurement cells[PROGRAM_COUNT][PROGRAM_ENGINES_MAX]; /* ns and instructions of one run */
    double means[PROGRAM_ENGINES_MAX];                           /* geometric, of the ratios */
} bench_programs;

/*
 * Measures all programs with `programs->engines`. Prints why and returns an exit code other than 0 where
 * something fails or an engine's result is not the reference's.
 */
int bench_programs_measure(bench_programs *programs, unsigned rounds, bool quick);

/* About how many seconds each program takes, as in pace.h. */
double bench_programs_pace(unsigned rounds);

#endif
