/* The walk over layouts, patterns and working sets, in which everything is measured. */
#ifndef MEMFOLD_TOOLS_BENCH_WALK_H
#define MEMFOLD_TOOLS_BENCH_WALK_H

#include "bench/report.h"

#include <stdbool.h>

typedef enum bench_section {
    SECTION_ACCESS = 1,
    SECTION_SPECIALISE = 2,
    SECTION_FAULT = 4,
    SECTION_LIFE = 8,
    SECTION_SIZE = 16,
    SECTION_THREADS = 32,
    SECTION_PROGRAMS = 64
} bench_section;
#define BENCH_SECTION_NAMES "access|specialise|fault|life|size|threads|programs"

/* What is to be measured. */
typedef struct bench_request {
    unsigned sections; /* bits of bench_section */
    unsigned patterns; /* bits by bench_pattern */
    unsigned sets;     /* bits by bench_set */
    unsigned rounds;
    bool quick;
    program_engines programs; /* the engines of programs */
} bench_request;

/*
 * Measures all engines on all layouts, which outlive the report. Prints why and returns an exit code other
 * than 0 where something fails or an engine is wrong. The report is the caller's to give to bench_report_fini
 * in any case.
 */
int bench_walk(const bench_request *request, const bench_engines *engines, const bench_layouts *layouts,
               bench_report *report);

#endif
